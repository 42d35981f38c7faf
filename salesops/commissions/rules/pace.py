"""At what pace somebody goes through a period, and where it leads: plain proportion of working days, then the curve."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.quotas import working_days
from salesops.values.money import round_half_up


class NoPace(StrEnum):
    """Why there is nothing to go on."""

    OVER = "over"
    TO_COME = "to_come"
    NO_DAY_YET = "no_day_yet"
    NOTHING_YET = "nothing_yet"
    NO_CURVE = "no_curve"


@dataclass(frozen=True)
class Days:
    """Working days of a person's part of a period up to the end of a day (gone), and after it (left)."""

    gone: int
    left: int

    @property
    def all(self) -> int:
        """Both together."""
        return self.gone + self.left


def days_of(first: date, end: date, day: date) -> Days:
    """Mondays to Fridays of [first, end): up to and including `day`, and after it. Public holidays are not left out."""
    cut = min(max(day + timedelta(days=1), first), end)
    return Days(working_days(first, cut), working_days(cut, end))


def at_the_end(so_far: int, days: Days) -> int:
    """What comes together by the end of the period when it goes on as so far; rounded half up to a whole unit."""
    return round_half_up(so_far * days.all, days.gone)


@dataclass(frozen=True)
class Reached:
    """How far somebody is in a component, in units of its measure; earned_minor: minor units.

    start: where on the curve the period began, more than zero where credits add up over a longer period. now: where they
    are. curve: None where each transaction is paid by itself (is_each), or where the terms give none.
    """

    start: int
    now: int
    earned_minor: int
    curve: Curve | None
    is_each: bool = False


@dataclass(frozen=True)
class Pace:
    """Where the pace leads by the end of the period: the total reached then (None where transactions are paid each by
    itself), what was credited in the period by then, and what is earned then."""

    reached: int | None
    credited: int
    earned_minor: int


def pace(reached: Reached, days: Days) -> Pace | NoPace:
    """What the present curve has paid by the end of the period at the present pace; or why that cannot be said.

    earned then = earned so far + (height of the curve then - height now), each height rounded half up; where each
    transaction is paid by itself, earned so far in proportion of the days. What was taken back is not a pace.
    """
    moved = reached.now - reached.start
    if days.gone == 0:
        return NoPace.NO_DAY_YET
    if reached.curve is None and not reached.is_each:
        return NoPace.NO_CURVE
    if moved <= 0:
        return NoPace.NOTHING_YET
    credited = at_the_end(moved, days)
    if reached.is_each or reached.curve is None:
        return Pace(None, credited, at_the_end(reached.earned_minor, days))
    then = reached.start + credited
    added = reached.curve.pay(then) - reached.curve.pay(reached.now)
    return Pace(then, credited, reached.earned_minor + added)
