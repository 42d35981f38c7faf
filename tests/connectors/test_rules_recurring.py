"""Amounts that recur, by the month."""

from fractions import Fraction

import pytest

from salesops.connectors.rules.recurring import per_month


@pytest.mark.parametrize(
    ("interval", "count", "monthly"),
    [
        ("month", 1, Fraction(1200)),
        ("month", 3, Fraction(400)),
        ("year", 1, Fraction(100)),
        ("year", 2, Fraction(50)),
        ("week", 1, Fraction(1200 * 365, 84)),
        ("day", 1, Fraction(1200 * 365, 12)),
        ("day", 365, Fraction(100)),  # the same as a year
    ],
)
def test_an_interval_is_brought_to_a_month(interval: str, count: int, monthly: Fraction) -> None:
    assert per_month(Fraction(1200), interval, count) == monthly


def test_what_is_no_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="0 is no number"):
        per_month(Fraction(1), "month", 0)
    with pytest.raises(KeyError):
        per_month(Fraction(1), "fortnight", 1)
