"""A quota that changes within a period of pay: added up by its days, or the latest or first for the whole period."""

from datetime import date
from fractions import Fraction

import pytest

from salesops.commissions.rules.conventions import Conventions, QuotaChange
from salesops.commissions.rules.plans import Component, PlanDefinition
from salesops.commissions.rules.quotas import ALWAYS, OnPlan, QuotaRow, TermsBook, quota_within
from salesops.commissions.rules.shapes import shape_from_plain
from salesops.values.periods import PeriodKind, parse_label

ANA = 1
FLAT = shape_from_plain({"shape": "flat", "rate": "8%"}).unwrap()


def row(amount: int, start: date, end: date) -> QuotaRow:
    """A quota of Ana's."""
    return QuotaRow(ANA, "bookings", start, end, amount, "USD")


JANUARY = row(300_00, date(2026, 1, 1), date(2026, 2, 1))
FEBRUARY = row(300_00, date(2026, 2, 1), date(2026, 3, 1))
MARCH = row(400_00, date(2026, 3, 1), date(2026, 4, 1))
QUARTER = row(900_00, date(2026, 1, 1), date(2026, 4, 1))
UNTIL_MID = row(460_00, date(2026, 1, 1), date(2026, 2, 16))
FROM_MID = row(528_00, date(2026, 2, 16), date(2026, 4, 1))


@pytest.mark.parametrize(
    ("rows", "added_up", "latest", "first"),
    [
        ([JANUARY, FEBRUARY, MARCH], 1_000_00, 1_200_00, 900_00),
        # 46 of the quarter's 90 days, and 44.
        ([UNTIL_MID, FROM_MID], 988_00, 1_080_00, 900_00),
        # The quarter holds on its last day too, but March began later; on the first day only the quarter holds.
        ([QUARTER, MARCH], 1_300_00, 1_200_00, 900_00),
        ([row(310_00, JANUARY.start, JANUARY.end), QUARTER], 1_210_00, 900_00, 900_00),
        # Two of the same days add up, whichever is named first.
        ([JANUARY, row(100_00, JANUARY.start, JANUARY.end), FEBRUARY], 700_00, 900_00, 1_200_00),
        ([FEBRUARY], 300_00, 900_00, 900_00),
        ([QUARTER], 900_00, 900_00, 900_00),
        ([], 0, 0, 0),
    ],
)
def test_one_of_several_counts_for_the_whole_period(
    rows: list[QuotaRow], added_up: int, latest: int, first: int
) -> None:
    period = parse_label("2026Q1")
    for change, expected in zip(QuotaChange, (added_up, latest, first), strict=True):
        assert quota_within(period, rows, change) == expected
        assert quota_within(period, rows[::-1], change) == expected


def test_what_does_not_divide_by_days_stays_exact() -> None:
    odd = row(100_01, date(2026, 1, 1), date(2026, 2, 16))
    assert quota_within(parse_label("2026Q1"), [odd], QuotaChange.LATEST) == Fraction(100_01 * 90, 46)


@pytest.mark.parametrize(
    ("change", "months_in_it", "half_in_it"),
    [
        ("by_days", 600_00 + 1_000_00 + 1_000_00 + 650_00, 600_00 + 1_000_00 + 2_000_00),
        ("latest", 750_00 + 1_000_00 + 1_000_00 + 750_00, 750_00 + 1_000_00 + 2_000_00),
        ("first", 300_00 + 1_000_00 + 1_000_00 + 600_00, 300_00 + 1_000_00 + 2_000_00),
    ],
)
def test_in_a_longer_period_each_period_of_pay_has_its_own(change: str, months_in_it: int, half_in_it: int) -> None:
    """A year of quarters: two in months, one by default; a half that no quarter holds counts as it is."""
    plan = PlanDefinition(
        "USD",
        "UTC",
        PeriodKind.QUARTER,
        (Component("sales", "Sales", FLAT, period_kind=PeriodKind.YEAR),),
        Conventions(quota_change=QuotaChange(change)),
    )
    rows = [
        row(100_00, date(2026, 1, 1), date(2026, 2, 1)),
        row(500_00, date(2026, 2, 1), date(2026, 4, 1)),
        row(1_000_00, date(2026, 4, 1), date(2026, 7, 1)),
    ]
    last = [
        row(400_00, date(2026, 10, 1), date(2026, 12, 1)),
        row(250_00, date(2026, 12, 1), date(2027, 1, 1)),
        row(1_000_00, *ALWAYS),
    ]
    half = [row(2_000_00, date(2026, 7, 1), date(2027, 1, 1)), row(1_000_00, *ALWAYS)]
    for more, expected in ((last, months_in_it), (half, half_in_it)):
        book = TermsBook({1: plan}, [OnPlan(ANA, 1, date(2026, 1, 1), date(2027, 1, 1))], [*rows, *more])
        assert book(1, plan.components[0], ANA, parse_label("2026")).quota == expected
