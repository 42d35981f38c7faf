"""What needs a second look, and by when an answer is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

_SATURDAY = 5


@dataclass(frozen=True)
class SecondLook:
    """Why an amount is looked at twice: what the person earned in the middle one of some periods, in minor units.

    median_minor: None when there is no earlier period to compare with.
    """

    median_minor: Fraction | None
    periods: int


def median(amounts: Sequence[int]) -> Fraction | None:
    """The middle amount, exact; between two middle ones the mean. None without amounts."""
    if not amounts:
        return None
    ordered = sorted(amounts)
    half = len(ordered) // 2
    return Fraction(ordered[half] + ordered[-1 - half], 2)


def second_look(amount_minor: int, earned_minor: Sequence[int], times: int) -> SecondLook | None:
    """Whether an adjustment is out of proportion to what the person earned in earlier periods; None when it is not.

    It is when it is more than `times` the median, whichever its sign, and when there is nothing to compare with.
    """
    middle = median(earned_minor)
    if middle is not None and abs(amount_minor) <= times * abs(middle):
        return None
    return SecondLook(middle, len(earned_minor))


def due_after(moment: datetime, working_days: int, zone: ZoneInfo) -> datetime:
    """The same time of day so many working days (Monday to Friday in `zone`) later, as a moment of `moment`'s zone."""
    local = moment.astimezone(zone)
    day, left = local.date(), working_days
    while left > 0:
        day += timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return local.replace(year=day.year, month=day.month, day=day.day).astimezone(moment.tzinfo)
