"""Capitalised commissions written off in a straight line over the months of their life; the months add up exactly."""

import itertools

from salesops.values.money import check_minor, round_half_up

# Longer than any contract or customer lasts: a hundred years.
MOST_MONTHS = 1_200


def straight_line(amount_minor: int, months: int) -> list[int]:
    """What each month writes off, in minor units: the difference of the rounded sums, so that they add up to the amount.

    Raises ValueError for a life that is not a whole number of months between 1 and MOST_MONTHS.
    """
    if isinstance(months, bool) or not isinstance(months, int) or not 1 <= months <= MOST_MONTHS:
        raise ValueError(f"{months!r} is not a life in months.")
    check_minor(amount_minor)
    upto = [round_half_up(amount_minor * month, months) for month in range(months + 1)]
    return [after - before for before, after in itertools.pairwise(upto)]
