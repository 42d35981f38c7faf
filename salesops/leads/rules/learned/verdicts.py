"""What came of judging: useful or not and why, how good on time held back, in what chart, and what has moved."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from typing import Any

from salesops.leads.rules.learned.fitted import Kind
from salesops.leads.rules.learned.measures import Bin, Estimate
from salesops.values.outcomes import Problem


class Answer(enum.StrEnum):
    """Whether learned probabilities are put to use."""

    USEFUL = "useful"
    NO_SKILL = "no-skill"
    NOT_ENOUGH_DATA = "not-enough-data"


class Rival(enum.StrEnum):
    """What learned probabilities must beat."""

    BASE_RATE = "base-rate"
    RULES = "rules"


@dataclass(frozen=True)
class Candidate:
    """How a way of learning did on the time on which the choice was made."""

    kind: Kind
    rows: int
    log_loss: float
    auc: float


@dataclass(frozen=True)
class Against:
    """A rival on the time held back. gain: by how much the learned probabilities' log loss is lower.

    auc, within: how the rival ranks, over all and among leads of the same time.
    """

    rival: Rival
    log_loss: float
    gain: Estimate
    auc: float
    within: float


@dataclass(frozen=True)
class Score:
    """How the learned probabilities did on the time held back, [from_at, until_at] in seconds.

    refits: how often was learned anew. auc: over all leads. within: among leads of the same time only.
    calibration_error: mean distance of predicted and observed over the bins of the chart.
    """

    rows: int
    wins: int
    from_at: int
    until_at: int
    refits: int
    auc: Estimate
    within: Estimate
    calibration_error: float
    log_loss: float
    against: tuple[Against, ...]
    chart: tuple[Bin, ...]


@dataclass(frozen=True)
class Block:
    """Leads asked about between two refits, from a moment on: how many, how many were won, and the mean prediction."""

    from_at: int
    rows: int
    wins: int
    predicted: float


@dataclass(frozen=True)
class Shift:
    """By how much a column's values moved: population stability index, leads held back against those learned from."""

    column: str
    index: float


@dataclass(frozen=True)
class Drift:
    """What has moved. rate_before, rate_held_back: share won of the leads known when the time held back began (the last
    ones, as many as are learned from), and of those held back.

    has_moved: whether the shares won, before and block by block, are more unlike than chance makes them once in a thousand
    times, or a column's index is above 0.25.
    once_auc, once_error: AUC and calibration error had nothing been learned anew in the time held back.
    """

    rate_before: float
    rate_held_back: float
    has_moved: bool
    once_auc: float
    once_error: float
    blocks: tuple[Block, ...]
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class Verdict:
    """The answer with its reasons. rows, wins: leads decided, and won, that could be used.

    reasons: why the answer is what it is, with the figures. notes: leads and columns left out, and what has moved.
    chosen: the way of learning; None when it did not come to a choice.
    """

    answer: Answer
    reasons: tuple[Problem, ...]
    rows: int
    wins: int
    notes: tuple[Problem, ...] = ()
    chosen: Kind | None = None
    candidates: tuple[Candidate, ...] = ()
    score: Score | None = None
    drift: Drift | None = None

    def as_plain(self) -> dict[str, Any]:
        """The verdict as plain JSON data."""
        plain = asdict(self)
        plain["reasons"] = [reason.as_plain() for reason in self.reasons]
        plain["notes"] = [note.as_plain() for note in self.notes]
        return plain

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Verdict:
        """Read back what `as_plain` wrote, also after a journey through JSON."""
        return cls(
            Answer(plain["answer"]),
            tuple(Problem.from_plain(each) for each in plain["reasons"]),
            plain["rows"],
            plain["wins"],
            tuple(Problem.from_plain(each) for each in plain["notes"]),
            Kind(plain["chosen"]) if plain["chosen"] else None,
            tuple(Candidate(**(each | {"kind": Kind(each["kind"])})) for each in plain["candidates"]),
            _score(plain["score"]) if plain["score"] else None,
            _drift(plain["drift"]) if plain["drift"] else None,
        )


def _score(plain: dict[str, Any]) -> Score:
    """Read back a score."""
    against = tuple(
        Against(**(each | {"rival": Rival(each["rival"]), "gain": Estimate(**each["gain"])}))
        for each in plain["against"]
    )
    estimates = {name: Estimate(**plain[name]) for name in ("auc", "within")}
    chart = tuple(Bin(**each) for each in plain["chart"])
    return Score(**(plain | estimates | {"against": against, "chart": chart}))


def _drift(plain: dict[str, Any]) -> Drift:
    """Read back a drift."""
    blocks = tuple(Block(**each) for each in plain["blocks"])
    return Drift(**(plain | {"blocks": blocks, "shifts": tuple(Shift(**each) for each in plain["shifts"])}))
