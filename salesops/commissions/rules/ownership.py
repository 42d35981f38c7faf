"""Whose a deal was: on a day, or by days until it closed. Days are ordinal numbers, ends are exclusive."""

from collections.abc import Sequence
from dataclasses import dataclass

from salesops.commissions.rules.conventions import CreditDay
from salesops.commissions.rules.credits import WHOLE_SHARE
from salesops.values.split import split_by_largest_remainder


@dataclass(frozen=True, slots=True)
class Owned:
    """Somebody owned a deal on the days [start, stop)."""

    person: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody's part in a deal in basis points, and the day on which it was last theirs."""

    person: int
    basis_points: int
    last: int


def owner_on(owned: Sequence[Owned], day: int) -> int | None:
    """Whose it was on a day; where it was nobody's, who had it first after that; None for nobody."""
    after = [each for each in owned if each.stop > day]
    return min(after, key=lambda each: (each.start, each.person)).person if after else None


def by_days(owned: Sequence[Owned], start: int, stop: int) -> tuple[Part, ...]:
    """The parts of those whose it was in [start, stop), by their days, with the rest to the largest remainders; days on
    which it was nobody's count for none. Empty where it was nobody's on any of them.
    """
    days: dict[int, int] = {}
    last: dict[int, int] = {}
    for each in owned:
        begins, ends = max(each.start, start), min(each.stop, stop)
        if begins < ends:
            days[each.person] = days.get(each.person, 0) + ends - begins
            last[each.person] = max(last.get(each.person, 0), ends - 1)
    if not days:
        return ()
    people = sorted(days)
    points = split_by_largest_remainder(WHOLE_SHARE, [days[person] for person in people], people)
    return tuple(Part(person, part, last[person]) for person, part in zip(people, points, strict=True) if part)


def credited_as_of(
    way: CreditDay,
    owned: Sequence[Owned],
    day: int,
    *,
    opened: int,
    reached: int | None = None,
    closed: int | None = None,
) -> tuple[int, tuple[Part, ...]]:
    """The day on which it is looked up who is credited with a transaction of a day, and the owners' parts then.

    opened, reached, closed: when its deal was opened, came to the stage that decides, and closed. Without parts whoever
    the transaction names as owner is credited.
    """
    if way is CreditDay.BY_DAYS:
        return day, by_days(owned, opened, (day if closed is None else min(day, closed)) + 1)
    first = opened if way is CreditDay.CREATION else reached
    if way is CreditDay.TRANSACTION_DAY or first is None or first >= day:
        return day, ()
    person = owner_on(owned, first)
    return first, () if person is None else (Part(person, WHOLE_SHARE, first),)
