"""From columns to a matrix of features around their means, and back to plain data: what training saw, nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from salesops.leads.rules.learned.history import Floats, HistoryError, Values, missing

#: A word, a rest of words, or missing values count by themselves only when at least so many leads have them.
FEWEST: Final = 10
#: Words kept of a column, the commonest first; the others are one rest.
MOST_WORDS: Final = 50


@dataclass(frozen=True)
class NumberCode:
    """A column of numbers: cut at the hundredths of either end, in standard deviations from the mean.

    scale: 0 when there is nothing to tell. missing: share of missing values; None when they are too few to be told apart,
    and count as the mean.
    """

    name: str
    low: float
    high: float
    mean: float
    scale: float
    missing: float | None

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self.scale > 0) + int(self.missing is not None)

    def features(self, values: Values) -> Floats:
        """The features of the values, one row each; a missing value has the mean."""
        is_missing = missing(values)
        out: list[Floats] = []
        if self.scale > 0:
            around = (np.clip(values, self.low, self.high) - self.mean) / self.scale
            out.append(np.where(is_missing, 0.0, around))
        if self.missing is not None:
            out.append(np.where(is_missing, 1.0, 0.0) - self.missing)
        return _side_by_side(out, len(values))

    def alternatives(self) -> tuple[float | str | None, ...]:
        """Values to compare with: either end and the mean."""
        return (self.low, self.mean, self.high) if self.scale > 0 else ()


@dataclass(frozen=True)
class WordCode:
    """A column of words, each with its share of the leads. rest, missing: shares; None when they are too few."""

    name: str
    words: tuple[str, ...]
    shares: tuple[float, ...]
    rest: float | None
    missing: float | None

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.words) + int(self.rest is not None) + int(self.missing is not None)

    def features(self, values: Values) -> Floats:
        """One feature a word, its presence less its share; a word that training did not see is like the average lead."""
        places = {word: place for place, word in enumerate(self.words)}
        shares = list(self.shares)
        rest = absent = -1
        if self.rest is not None:
            rest = len(shares)
            shares.append(self.rest)
        if self.missing is not None:
            absent = len(shares)
            shares.append(self.missing)
        place = np.fromiter(
            (absent if value is None else places.get(value, rest) for value in values),
            dtype=np.int64,
            count=len(values),
        )
        out = np.tile(-np.asarray(shares, dtype=np.float64), (len(values), 1))
        seen = np.flatnonzero(place >= 0)
        out[seen, place[seen]] += 1.0
        out[place < 0] = 0.0
        return out

    def alternatives(self) -> tuple[float | str | None, ...]:
        """Values to compare with: the words that are told apart."""
        return self.words


@dataclass(frozen=True)
class Encoding:
    """How columns become features, in the order of the columns' names."""

    codes: tuple[NumberCode | WordCode, ...]

    @property
    def width(self) -> int:
        """Number of features of all columns."""
        return sum(code.width for code in self.codes)

    @property
    def spans(self) -> tuple[slice, ...]:
        """Which features are whose, column by column."""
        ends = np.cumsum([0, *(code.width for code in self.codes)]).tolist()
        return tuple(slice(start, end) for start, end in pairwise(ends))

    def matrix(self, columns: Mapping[str, Values]) -> Floats:
        """One row a lead, one column a feature. Raises HistoryError when a column is not there or of the other kind."""
        if not self.codes:
            rows = len(next(iter(columns.values()), ()))
            return np.zeros((rows, 0))
        parts = []
        for code in self.codes:
            values = columns.get(code.name)
            if values is None or (values.dtype.kind == "f") != isinstance(code, NumberCode):
                raise HistoryError(f"The column {code.name} is not there, or of another kind than when it was learned.")
            parts.append(code.features(values))
        return np.hstack(parts)

    def as_plain(self) -> list[dict[str, Any]]:
        """The encoding as plain JSON data."""
        return [{"kind": "number" if isinstance(code, NumberCode) else "word"} | asdict(code) for code in self.codes]

    @classmethod
    def from_plain(cls, plain: list[dict[str, Any]]) -> Encoding:
        """Read back what `as_plain` wrote."""
        return cls(tuple(_code(each) for each in plain))


def encode(columns: Mapping[str, Values]) -> Encoding:
    """Learn the encoding of columns from the leads to train on."""
    return Encoding(
        tuple(
            _number(name, columns[name]) if columns[name].dtype.kind == "f" else _word(name, columns[name])
            for name in sorted(columns)
        )
    )


def _number(name: str, values: Values) -> NumberCode:
    """Learn the code of one column of numbers."""
    absent = missing(values)
    there = values[~absent]
    share = float(absent.mean()) if FEWEST <= absent.sum() <= len(values) - FEWEST else None
    if not len(there):
        return NumberCode(name, 0.0, 0.0, 0.0, 0.0, share)
    low, high = (float(edge) for edge in np.quantile(there, (0.01, 0.99)))
    cut = np.clip(there, low, high)
    # Equal numbers may differ from their own mean by a rounding: no spread is told from the ends.
    return NumberCode(name, low, high, float(cut.mean()), float(cut.std()) if high > low else 0.0, share)


def _word(name: str, values: Values) -> WordCode:
    """Learn the code of one column of words."""
    counts = Counter(value for value in values if value is not None)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [(word, count) for word, count in ordered if count >= FEWEST][:MOST_WORDS]
    rest = sum(counts.values()) - sum(count for _, count in kept)
    absent = len(values) - sum(counts.values())
    return WordCode(
        name,
        tuple(word for word, _ in kept),
        tuple(count / len(values) for _, count in kept),
        rest / len(values) if rest >= FEWEST else None,
        absent / len(values) if absent >= FEWEST else None,
    )


def _code(plain: dict[str, Any]) -> NumberCode | WordCode:
    """Read back one code."""
    values = {name: value for name, value in plain.items() if name != "kind"}
    if plain["kind"] == "number":
        return NumberCode(**values)
    return WordCode(**(values | {"words": tuple(values["words"]), "shares": tuple(values["shares"])}))


def _side_by_side(parts: list[Floats], rows: int) -> Floats:
    """Features beside each other; none is a matrix without columns."""
    return np.column_stack(parts) if parts else np.zeros((rows, 0))
