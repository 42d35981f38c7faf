"""Pace: plain proportion of working days, then the curve."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from salesops.commissions.rules.curves import flat, marginal
from salesops.commissions.rules.pace import Days, NoPace, Pace, Reached, at_the_end, days_of, pace

SECOND_QUARTER = (date(2026, 4, 1), date(2026, 7, 1))
#: 5 % up to 10,000.00, 10 % above.
TIERS = marginal([(Fraction(0), Fraction(5, 100)), (Fraction(10_000_00), Fraction(10, 100))])


@pytest.mark.parametrize(
    ("day", "gone", "left"),
    [
        (date(2026, 3, 31), 0, 65),
        (date(2026, 4, 1), 1, 64),  # a Wednesday, which counts as gone
        (date(2026, 4, 4), 3, 62),  # a Saturday
        (date(2026, 6, 17), 56, 9),
        (date(2026, 6, 30), 65, 0),
        (date(2026, 9, 1), 65, 0),
    ],
)
def test_working_days_are_mondays_to_fridays(day: date, gone: int, left: int) -> None:
    days = days_of(*SECOND_QUARTER, day)
    assert (days.gone, days.left, days.all) == (gone, left, 65)


def test_the_end_is_a_proportion_rounded_half_up() -> None:
    assert at_the_end(100, Days(3, 0)) == 100
    assert at_the_end(5, Days(2, 1)) == 8  # 7.5
    assert at_the_end(8_000_00, Days(56, 9)) == 9_285_71  # 8,000.00 × 65 ÷ 56 = 9,285.714…


def test_the_curve_is_walked_from_here_to_there() -> None:
    # 8,000.00 in 40 of 65 days: 13,000.00 by the end; 400.00 so far, 100.00 up to the quota, 300.00 above it.
    assert pace(Reached(0, 8_000_00, 400_00, TIERS), Days(40, 25)) == Pace(13_000_00, 13_000_00, 800_00)


def test_a_longer_period_begins_where_it_was() -> None:
    # The year was at 9,000.00; 500.00 in 10 of 20 days come to 1,000.00, exactly the quota.
    assert pace(Reached(9_000_00, 9_500_00, 25_00, TIERS), Days(10, 10)) == Pace(10_000_00, 1_000_00, 50_00)


def test_what_was_taken_back_without_walking_stays_taken_back() -> None:
    assert pace(Reached(0, 1_000_00, 80_00 - 20_00, flat(Fraction(8, 100))), Days(1, 1)) == Pace(
        2_000_00, 2_000_00, 140_00
    )


def test_transactions_paid_each_by_themselves_go_by_what_they_earned() -> None:
    assert pace(Reached(0, 3, 150_00, None, is_each=True), Days(10, 10)) == Pace(None, 6, 300_00)


@pytest.mark.parametrize(
    ("reached", "days", "why"),
    [
        (Reached(0, 100, 5, TIERS), Days(0, 65), NoPace.NO_DAY_YET),
        (Reached(0, 0, 0, TIERS), Days(5, 60), NoPace.NOTHING_YET),
        (Reached(100, 50, 0, TIERS), Days(5, 60), NoPace.NOTHING_YET),
        (Reached(0, 100, 0, None), Days(5, 60), NoPace.NO_CURVE),
        (Reached(0, 0, 0, None), Days(5, 60), NoPace.NO_CURVE),  # the engine credits nothing without a curve
    ],
)
def test_why_there_is_no_pace(reached: Reached, days: Days, why: NoPace) -> None:
    assert pace(reached, days) is why
