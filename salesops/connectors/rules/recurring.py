"""What recurs, by the month: amounts of any interval brought to a twelfth of a year, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

#: Months in one of each interval. Days and weeks are counted as parts of a year of 365 days.
_MONTHS: Final[dict[str, Fraction]] = {
    "day": Fraction(12, 365),
    "week": Fraction(12 * 7, 365),
    "month": Fraction(1),
    "year": Fraction(12),
}


def per_month(amount: Fraction, interval: str, count: int) -> Fraction:
    """An amount that comes every `count` intervals ("day", "week", "month", "year"), for one month.

    Raises KeyError for another interval, ValueError for a count below one.
    """
    if count < 1:
        raise ValueError(f"{count} is no number of intervals.")
    return amount / (_MONTHS[interval] * count)
