"""A learned win probability that can be kept as plain data, applied to any number of leads, and opened into its parts."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from salesops.leads.rules.learned import training
from salesops.leads.rules.learned.encoding import Encoding, NumberCode, encode
from salesops.leads.rules.learned.history import (
    Floats,
    History,
    Ints,
    Values,
    as_numbers,
    as_words,
    usable_columns,
    usable_rows,
)
from salesops.leads.rules.learned.models import Calibration, Model, Trees, Weights, calibrate, chances
from salesops.values.outcomes import Outcome, Problem, gettext_noop

#: Leads learned from: those decided last. See docs/decisions/0057.
WINDOW: Final = 2000
#: The part of them, the newest, that calibrates what was learned from the older ones.
NEWEST: Final = 0.2
#: Fewer known leads, or fewer won or lost ones among the older, are not learned from.
FEWEST_LEADS: Final = 200
FEWEST_OF_EITHER: Final = 20
#: Leads whose features are in memory at one time.
_AT_ONCE: Final = 50_000
#: Written into plain data; other data is refused.
_FORMAT: Final = 1

Value = float | int | str | None


class Kind(enum.StrEnum):
    """The ways of learning."""

    LOGISTIC = "logistic"
    BOOSTING = "boosting"


@dataclass(frozen=True)
class Part:
    """What one column adds to a lead's log-odds, and what the best other value would do.

    instead: the value, of those that are told apart, with which the score would be greatest; None when none is better.
    probability: what the score would be then. That is how the score would change, not what would win the lead.
    """

    column: str
    value: Value
    log_odds: float
    instead: Value
    probability: float


@dataclass(frozen=True)
class Reasons:
    """The score of one lead, opened: start and parts add up to log_odds, of which the probability is, within its bounds.

    start: log-odds of the leads it is compared with; as a probability: start_probability. parts: the weightiest first.
    """

    start: float
    start_probability: float
    parts: tuple[Part, ...]
    log_odds: float
    probability: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A way of telling the probability, learned from leads decided before `at`.

    rows, wins: how many leads it was learned from, calibration included, and how many of them were won.
    """

    kind: Kind
    at: int
    rows: int
    wins: int
    encoding: Encoding
    model: Model
    calibration: Calibration

    def probabilities(self, columns: Mapping[str, Values]) -> Floats:
        """The probabilities of leads, given in columns (as of History). Raises HistoryError for columns it cannot read."""
        rows = len(next(iter(columns.values()), ()))
        out = np.empty(rows, dtype=np.float64)
        for start in range(0, rows, _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            piece = {code.name: columns[code.name][some] for code in self.encoding.codes if code.name in columns}
            if not self.encoding.codes:
                piece = {name: values[some] for name, values in columns.items()}
            out[some] = self.calibration.probabilities(self.model.margins(self.encoding.matrix(piece)))
        return out

    def reasons(self, lead: Mapping[str, Value]) -> Reasons:
        """Why a lead has its score, and what would change it. A column that is not given is missing."""
        features = self._features(lead)
        start, added = self.model.parts(features, self.encoding.spans)
        slope = self.calibration.slope
        start = slope * start + self.calibration.shift
        parts = []
        for code, part in zip(self.encoding.codes, added, strict=True):
            value = lead.get(code.name)
            instead, probability = self._instead(features, code.name)
            parts.append(Part(code.name, value, slope * part, instead, probability))
        parts.sort(key=lambda part: (-abs(part.log_odds), part.column))
        margins = self.model.margins(features[None, :])
        return Reasons(
            start,
            float(chances(np.array([start]))[0]),
            tuple(parts),
            float(self.calibration.margins(margins)[0]),
            float(self.calibration.probabilities(margins)[0]),
        )

    def as_plain(self) -> dict[str, Any]:
        """All of it as plain JSON data; no program is kept with it."""
        return {
            "format": _FORMAT,
            "kind": self.kind.value,
            "at": self.at,
            "rows": self.rows,
            "wins": self.wins,
            "encoding": self.encoding.as_plain(),
            "shape": "trees" if isinstance(self.model, Trees) else "weights",
            "model": self.model.as_plain(),
            "calibration": asdict(self.calibration),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Fitted:
        """Read back what `as_plain` wrote. Raises ValueError for another format."""
        if plain["format"] != _FORMAT:
            raise ValueError(f"Learned scores of format {plain['format']} cannot be read; learn them again.")
        shape: type[Weights] | type[Trees] = Trees if plain["shape"] == "trees" else Weights
        return cls(
            Kind(plain["kind"]),
            plain["at"],
            plain["rows"],
            plain["wins"],
            Encoding.from_plain(plain["encoding"]),
            shape.from_plain(plain["model"]),
            Calibration(**plain["calibration"]),
        )

    def _features(self, lead: Mapping[str, Value]) -> Floats:
        """The features of one lead."""
        columns = {
            code.name: as_numbers([lead.get(code.name)])  # type: ignore[list-item]
            if isinstance(code, NumberCode)
            else as_words([lead.get(code.name)])
            for code in self.encoding.codes
        }
        return self.encoding.matrix(columns)[0] if columns else np.zeros(0)

    def _instead(self, features: Floats, name: str) -> tuple[Value, float]:
        """The value of one column with which the score would be greatest, and that score; None when none is better."""
        place = [code.name for code in self.encoding.codes].index(name)
        code, span = self.encoding.codes[place], self.encoding.spans[place]
        values = code.alternatives()
        here = float(self.calibration.probabilities(self.model.margins(features[None, :]))[0])
        if not values:
            return None, here
        others = np.tile(features, (len(values), 1))
        others[:, span] = code.features(as_numbers(values) if isinstance(code, NumberCode) else as_words(values))  # type: ignore[arg-type]
        chance = self.calibration.probabilities(self.model.margins(others))
        best = int(chance.argmax())
        # A difference of rounding is no better value.
        return (values[best], float(chance[best])) if chance[best] > here + 1e-9 else (None, here)


def fit(history: History, kind: Kind, *, at: int, window: int = WINDOW) -> Outcome[Fitted]:
    """Learn from the `window` leads decided last before `at`, with what was known of them when they were asked about.

    The older four fifths teach, the newest fifth calibrates: probabilities follow a base rate that moves. The problems
    name the columns that are refused; without a value there were too few leads.
    """
    usable = usable_rows(history).then(usable_columns)
    fitted = Learner(usable.unwrap(), window).learned(kind, at)
    if fitted:
        return Outcome.good(fitted, usable.problems)
    few = Problem.of(
        "too-few-to-learn",
        gettext_noop("Too few leads were decided before that moment to learn from; at least %(rows)s are needed."),
        rows=FEWEST_LEADS,
    )
    return Outcome.bad(*usable.problems, few)


class Learner:
    """Learns again and again from one history, each time from what was decided by then."""

    def __init__(self, history: History, window: int) -> None:
        """history: usable rows and columns only."""
        self.history = history
        self.window = window
        self._by_decision = np.argsort(history.decided_at, kind="stable")
        self._decisions = history.decided_at[self._by_decision]

    def known(self, at: int) -> Ints:
        """The rows decided before a moment, the last `window` of them, the newest last."""
        count = int(np.searchsorted(self._decisions, at, side="left"))
        return self._by_decision[max(0, count - self.window) : count]

    def newest(self, at: int) -> Ints:
        """Those of the known rows that calibrate."""
        return parted(self.known(at))[1]

    def learned(self, kind: Kind, at: int) -> Fitted | None:
        """What was to be learned at a moment; None when too little was known."""
        known = self.known(at)
        older, newer = parted(known)
        outcome = self.history.outcome
        wins = int(outcome[older].sum())
        if len(known) < FEWEST_LEADS or min(wins, len(older) - wins) < FEWEST_OF_EITHER:
            return None
        columns = self.history.values(older)
        encoding = encode(columns)
        model = _taught(kind, encoding.matrix(columns), outcome[older], wins)
        calibration = calibrate(model.margins(encoding.matrix(self.history.values(newer))), outcome[newer])
        return Fitted(kind, at, len(known), int(outcome[known].sum()), encoding, model, calibration)


def parted(known: Ints) -> tuple[Ints, Ints]:
    """The older rows, which teach, and the newest, which calibrate."""
    cut = len(known) - int(len(known) * NEWEST)
    return known[:cut], known[cut:]


def _taught(kind: Kind, matrix: Floats, outcome: Ints, wins: int) -> Model:
    """Train; without any feature the base rate is all there is to learn."""
    if not matrix.shape[1]:
        return Weights(float(np.log(wins / (len(outcome) - wins))), np.zeros(0))
    return training.weights(matrix, outcome) if kind is Kind.LOGISTIC else training.trees(matrix, outcome)
