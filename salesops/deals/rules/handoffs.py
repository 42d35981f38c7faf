"""Hand-offs: between which functions they go, how long a rating may be corrected, and what a group's ratings come to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

#: From which functions to which; those that do the work of an SDR or an AE count as such.
PAIRS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "sdr-ae": (frozenset({"sdr", "mdr", "adr"}), frozenset({"ae", "kam"})),
    "ae-onb": (frozenset({"ae", "kam"}), frozenset({"onb"})),
    "onb-csm": (frozenset({"onb"}), frozenset({"csm"})),
    "ae-csm": (frozenset({"ae", "kam"}), frozenset({"csm"})),
}
#: The five ratings, each 1 to 5, in the order in which they are asked.
RATINGS: Final = (
    "completeness",
    "promise_alignment",
    "sentiment_continuity",
    "context_transfer",
    "stakeholder_map",
)
#: The mean that a hand-off should reach, the fewest of a group that say anything, and how long a rating may be mended.
TARGET: Final = Fraction(4)
LEAST_GROUP: Final = 5
CORRECTABLE: Final = timedelta(days=3)


def pair_of(giver: str, receiver: str) -> str | None:
    """The pair that two job functions make; None where no hand-off goes between them."""
    return next((pair for pair, (here, there) in PAIRS.items() if giver in here and receiver in there), None)


def may_rate(rated_at: datetime | None, at: datetime) -> bool:
    """Whether a rating may still be given or mended."""
    return rated_at is None or at - rated_at <= CORRECTABLE


@dataclass(frozen=True, slots=True)
class Rated:
    """The ratings of one hand-off, by name."""

    ratings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Means:
    """What the ratings of a group come to, in hundredths; `means` is empty where there are too few."""

    count: int
    means: Mapping[str, int]
    overall: int | None

    @property
    def is_too_few(self) -> bool:
        """Whether the group is too small to say anything."""
        return self.count < LEAST_GROUP

    @property
    def is_on_target(self) -> bool:
        """Whether the mean of all five reaches the target."""
        return self.overall is not None and self.overall >= TARGET * 100


def means_of(rated: Sequence[Rated]) -> Means:
    """The mean of each rating and of all five, rounded half up to hundredths; nothing below LEAST_GROUP."""
    count = len(rated)
    if count < LEAST_GROUP:
        return Means(count, {}, None)
    sums = {name: sum(each.ratings[name] for each in rated) for name in RATINGS}
    means = {name: _hundredths(total, count) for name, total in sums.items()}
    return Means(count, means, _hundredths(sum(sums.values()), count * len(RATINGS)))


def problems_of_ratings(ratings: Mapping[str, int | None]) -> Collection[str]:
    """The ratings that are missing or not 1 to 5."""
    return [name for name in RATINGS if not 1 <= (ratings.get(name) or 0) <= 5]


def _hundredths(total: int, count: int) -> int:
    return (total * 200 + count) // (2 * count)
