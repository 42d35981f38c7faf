"""How much a person can carry: what their function carries, by how far they are in, and how much they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

#: Minutes of a full week of work.
FULL_WEEK: Final = 40 * 60
#: Days that are looked ahead.
DAYS_AHEAD: Final = 28
#: Share of full work in per cent, by month in the function, as the field publishes it; after its end: all. Functions that
#: are not here have no published curve: they count in full from the first day until a company writes its own.
PUBLISHED_RAMP: Final[Mapping[str, tuple[int, ...]]] = {
    "sdr": (20, 60, 100),
    "ae": (0, 25, 50, 70, 85, 100),
}


def ramp_of(text: str) -> tuple[int, ...]:
    """A curve as it is typed, "20, 60, 100": whole per cent by month, none below the one before. Raises ValueError."""
    curve = tuple(int(part) for part in text.replace("%", "").split(",")) if text.strip() else ()
    if any(not 0 <= share <= 100 for share in curve) or list(curve) != sorted(curve):
        raise ValueError(f"{text!r} is not a curve such as 20, 60, 100")
    return curve


def months_between(start: date, day: date) -> int:
    """Whole months from one day to a later one; 0 in the first month, and before it."""
    months = (day.year - start.year) * 12 + day.month - start.month - (day.day < start.day)
    return max(0, months)


def ramped(curve: Sequence[int], months: int) -> int:
    """The share of full work, in per cent, after so many whole months; all of it when the curve has ended."""
    return curve[months] if months < len(curve) else 100


def effective(curve: Sequence[int], months: int = 12) -> Fraction:
    """The mean share over the first months, in per cent: each month counts by itself, never a year by one month's."""
    return Fraction(sum(ramped(curve, month) for month in range(months)), months)


@dataclass(frozen=True, slots=True)
class Presence:
    """How much somebody is there in the days ahead. share: of full work. leave: working days of theirs on leave."""

    share: Fraction
    leave: int


def presence(
    hours: Mapping[int, int], leave: Sequence[tuple[date, date]], since: date, days: int = DAYS_AHEAD
) -> Presence:
    """How much somebody is there from a day on.

    hours: minutes of work by ISO weekday; none: a full week from Monday to Friday. leave: days [start, end). More than a
    full week is no more than one.
    """
    week = dict(hours) or dict.fromkeys(range(1, 6), FULL_WEEK // 5)
    worked = away = 0
    for number in range(days):
        day = since + timedelta(days=number)
        minutes = week.get(day.isoweekday(), 0)
        if minutes and any(start <= day < end for start, end in leave):
            away += 1
        else:
            worked += minutes
    full = Fraction(FULL_WEEK * days, 7)
    return Presence(min(Fraction(1), Fraction(worked) / full), away)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a person can carry. full: when fully ramped and there; ramp: per cent; share: of full work in the days ahead."""

    full: int
    ramp: int
    share: Fraction
    leave: int

    @property
    def now(self) -> int:
        """What they can carry now: full, by ramp and presence; halves up."""
        return int(self.full * Fraction(self.ramp, 100) * self.share + Fraction(1, 2))

    @property
    def share_bp(self) -> int:
        """Presence in basis points, halves up."""
        return int(self.share * 10_000 + Fraction(1, 2))


def shares(total: int, among: int) -> int:
    """A total in equal parts, to the nearest whole; nothing among nobody."""
    return (2 * total + among) // (2 * among) if among else 0
