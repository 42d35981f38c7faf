"""What became of leads, in columns: when each value became known, when the question was asked, when it was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from salesops.values.outcomes import Outcome, Problem, gettext_noop

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: Numbers with NaN for a missing value, or words (an array of objects) with None for one.
Values = npt.NDArray[Any]

#: The greatest share of late values a column may have among the won or among the lost leads.
MOST_LATE: Final = 0.01


class HistoryError(ValueError):
    """Columns that do not fit together, or values that are neither numbers nor words."""


def as_numbers(values: Sequence[float | int | None] | Values) -> Floats:
    """Numbers as floats, NaN where one is missing. Raises HistoryError for what is no finite number."""
    try:
        numbers = np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise HistoryError("A column of numbers holds something else.") from error
    if np.isinf(numbers).any():
        raise HistoryError("A column of numbers holds an infinite one.")
    return numbers


def as_words(values: Sequence[object] | Values) -> npt.NDArray[np.object_]:
    """Words as text, None where one is missing; an empty text counts as missing."""
    words = np.empty(len(values), dtype=np.object_)
    words[:] = [None if value is None or str(value) == "" else str(value) for value in values]
    return words


@dataclass(frozen=True, eq=False)
class Column:
    """One thing that was noted about leads, row by row.

    known_at: second (Unix time) in which the value that is held now became known; without meaning where it is missing.
    """

    values: Values
    known_at: Ints

    @classmethod
    def of_numbers(cls, values: Sequence[float | int | None] | Values, known_at: Sequence[int] | Ints) -> Column:
        """A column of numbers; missing ones are None or NaN."""
        return cls(as_numbers(values), np.asarray(known_at, dtype=np.int64))

    @classmethod
    def of_words(cls, values: Sequence[object] | Values, known_at: Sequence[int] | Ints) -> Column:
        """A column of words out of a set; missing ones are None or empty."""
        return cls(as_words(values), np.asarray(known_at, dtype=np.int64))

    @property
    def is_numbers(self) -> bool:
        """Whether the values are numbers, not words."""
        return self.values.dtype.kind == "f"

    def missing(self) -> Bools:
        """Which values are missing."""
        return missing(self.values)

    def take(self, rows: Ints) -> Column:
        """Some of the rows, in the order asked for."""
        return Column(self.values[rows], self.known_at[rows])


def missing(values: Values) -> Bools:
    """Which values are missing."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    return np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))


@dataclass(frozen=True, eq=False)
class History:
    """Leads whose outcome is known, one row each. Moments are whole seconds (Unix time).

    asked_at: when the probability would have been wanted. outcome: 1 won, 0 lost. decided_at: when that was known.
    rules: the score the rules gave at asked_at, greater is better; None when there are no rules to compare with.
    Raises HistoryError when the columns do not fit together.
    """

    columns: Mapping[str, Column]
    asked_at: Ints
    outcome: Ints
    decided_at: Ints
    rules: Column | None = None

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and outcomes other than 0 and 1."""
        rows = len(self.asked_at)
        every = [self.outcome, self.decided_at]
        for column in [*self.columns.values(), *([self.rules] if self.rules else [])]:
            every += [column.values, column.known_at]
        if any(len(column) != rows for column in every):
            raise HistoryError("The columns of a history have different lengths.")
        if not np.isin(self.outcome, (0, 1)).all():
            raise HistoryError("An outcome is 1 (won) or 0 (lost).")
        if self.rules is not None and not self.rules.is_numbers:
            raise HistoryError("The score of the rules is a number.")

    def __len__(self) -> int:
        """Number of leads."""
        return len(self.asked_at)

    @property
    def wins(self) -> int:
        """How many were won."""
        return int(self.outcome.sum())

    def take(self, rows: Ints) -> History:
        """Some of the leads, in the order asked for."""
        return History(
            {name: column.take(rows) for name, column in self.columns.items()},
            self.asked_at[rows],
            self.outcome[rows],
            self.decided_at[rows],
            self.rules.take(rows) if self.rules else None,
        )

    def values(self, rows: Ints | slice = slice(None)) -> dict[str, Values]:
        """The values of some of the leads, by column."""
        return {name: column.values[rows] for name, column in self.columns.items()}


def usable_rows(history: History) -> Outcome[History]:
    """The leads that were still open when the question was asked; a problem counts those that were not."""
    is_open = history.decided_at > history.asked_at
    if is_open.all():
        return Outcome.good(history)
    problem = Problem.of(
        "decided-before-asked",
        gettext_noop("%(rows)s of %(all)s leads were decided when the question was asked, and are left out."),
        rows=int((~is_open).sum()),
        all=len(history),
    )
    return Outcome.good(history.take(np.flatnonzero(is_open)), [problem])


def usable_columns(history: History) -> Outcome[History]:
    """The history with those columns only that were known when the question was asked; problems name the others.

    A value is late when it became known after its lead's asked_at. A column is refused when more than MOST_LATE of the
    won or of the lost leads have a late value. Won and lost are counted apart, because where few are won, a value that
    is filled in at winning is late in few rows and gives all of them away. Late values of a column that stays are taken
    for missing, which is what they were.
    """
    kept: dict[str, Column] = {}
    problems: list[Problem] = []
    for name, column in history.columns.items():
        late = late_rows(history, column)
        problem = _too_late(name, history, late)
        if problem:
            problems.append(problem)
        else:
            kept[name] = _without(column, late) if late.any() else column
    return Outcome.good(replace(history, columns=kept), problems)


def late_rows(history: History, column: Column) -> Bools:
    """Where a value became known only after the question was asked."""
    return ~column.missing() & (column.known_at > history.asked_at)


def is_late(history: History, column: Column) -> bool:
    """Whether too many values of a column became known after the question was asked."""
    return _too_late("", history, late_rows(history, column)) is not None


def _too_late(name: str, history: History, late: Bools) -> Problem | None:
    """Why a column is refused; None when it is not."""
    counts = {"won": (int(late[history.outcome == 1].sum()), history.wins)}
    counts["lost"] = (int(late.sum()) - counts["won"][0], len(history) - history.wins)
    if all(of_them <= MOST_LATE * group for of_them, group in counts.values()):
        return None
    return Problem.of(
        "known-late",
        gettext_noop(
            "%(column)s became known only after the question was asked for %(late_won)s of %(won)s won and "
            "%(late_lost)s of %(lost)s lost leads; more than %(most)s %% of either is refused."
        ),
        where=name,
        remedy=gettext_noop("Use what was known at the time, or ask the question later."),
        column=name,
        late_won=counts["won"][0],
        won=counts["won"][1],
        late_lost=counts["lost"][0],
        lost=counts["lost"][1],
        most=f"{MOST_LATE * 100:g}",
    )


def _without(column: Column, late: Bools) -> Column:
    """The column with its late values missing."""
    values = column.values.copy()
    values[late] = np.nan if column.is_numbers else None
    return Column(values, column.known_at)
