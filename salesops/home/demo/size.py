"""How much history to make, and how it is cut into batches. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

#: What `--scale 1` makes.
LEADS: Final = 7_200
DEALS: Final = 1_900
MOST: Final = 1_000_000
#: Leads plus deals beyond which the company is large: only a part of them gets calls, mails and meetings written out.
_FULL_ACTIVITIES: Final = 60_000
#: Fewer deals than these would pay hardly anybody.
_LEAST_FOR_PAY: Final = 1_000
_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Size:
    """How many leads and deals to make; everything else follows from them."""

    leads: int
    deals: int

    def __post_init__(self) -> None:
        if not (0 <= self.leads <= MOST and 0 <= self.deals <= MOST):
            raise ValueError(f"leads and deals must each be from 0 to {MOST:,}")

    @classmethod
    def scaled(cls, factor: float) -> Size:
        """The usual company times a factor, each of leads and deals at most a million."""
        return cls(min(MOST, round(LEADS * factor)), min(MOST, round(DEALS * factor)))

    @property
    def activity_share(self) -> float:
        """The share of leads and deals that get their activities written out: all, until there are too many."""
        return min(1.0, _FULL_ACTIVITIES / max(1, self.leads + self.deals))

    @property
    def has_pay(self) -> bool:
        """Whether commissions are calculated: not for a handful of deals, and not for what is made for measuring."""
        return self.deals >= _LEAST_FOR_PAY and not self.is_large

    @property
    def is_large(self) -> bool:
        """Whether it is worth loading in bulk."""
        return self.leads + self.deals > _FULL_ACTIVITIES

    def batches(self) -> Iterator[Batch]:
        """Cut into batches of bounded size; the sums of the batches are exactly the whole."""
        count = max(1, -(-max(self.leads, self.deals) // _BATCH))
        for number in range(count):
            start, end = number / count, (number + 1) / count
            leads = self.leads * (number + 1) // count - self.leads * number // count
            deals = self.deals * (number + 1) // count - self.deals * number // count
            yield Batch(number, start, end, leads, deals)


@dataclass(frozen=True, slots=True)
class Batch:
    """A stretch of the two years, from share `start` to share `end` of its business, and how much of it to make."""

    number: int
    start: float
    end: float
    leads: int
    deals: int
