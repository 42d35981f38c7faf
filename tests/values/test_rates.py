"""Rates of exchange: as of a day, never stale, never guessed, converted exactly."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.values.money import MAX_MINOR, MoneyError
from salesops.values.rates import PinnedRate, Rate, RateError, RateTable, convert, exact_rate

FRIDAY, MONDAY = date(2024, 3, 1), date(2024, 3, 4)


def _table() -> RateTable:
    return RateTable(
        [
            Rate("EUR", "USD", FRIDAY, exact_rate("1.0834"), "ECB"),
            Rate("EUR", "USD", MONDAY, exact_rate("1.0846"), "ECB"),
            Rate("EUR", "JPY", FRIDAY, exact_rate("162.75"), "ECB"),
        ]
    )


def test_the_last_rate_on_or_before_the_day_counts() -> None:
    table = _table()
    assert table.rate_on("EUR", "USD", MONDAY).unwrap().value == Fraction("1.0846")
    sunday = table.rate_on("EUR", "USD", date(2024, 3, 3)).unwrap()
    assert sunday.value == Fraction("1.0834")
    assert sunday.legs == (Rate("EUR", "USD", FRIDAY, Fraction("1.0834"), "ECB"),)


def test_the_other_way_round_and_through_a_common_currency() -> None:
    table = _table()
    assert table.rate_on("USD", "EUR", FRIDAY).unwrap().value == 1 / Fraction("1.0834")
    through = table.rate_on("USD", "JPY", FRIDAY).unwrap()
    assert through.value == Fraction("162.75") / Fraction("1.0834")
    assert [leg.quote for leg in through.legs] == ["USD", "JPY"]
    assert convert(10_834, through) == 16_275


def test_a_missing_rate_is_a_problem_and_never_one() -> None:
    outcome = _table().rate_on("USD", "GBP", FRIDAY)
    assert outcome.value is None
    assert [problem.code for problem in outcome.problems] == ["rate-missing"]
    assert outcome.problems[0].text() == (
        "There is no rate of exchange from USD to GBP for 2024-03-01 or the 7 days before."
    )
    assert _table().rate_on("EUR", "USD", date(2024, 2, 29)).value is None


def test_a_stale_rate_is_missing() -> None:
    table = _table()
    assert table.rate_on("EUR", "USD", date(2024, 3, 11)).is_ok
    assert table.rate_on("EUR", "USD", date(2024, 3, 12)).value is None
    assert table.rate_on("EUR", "USD", date(2024, 3, 12), max_age_days=8).is_ok


def test_the_same_currency_needs_no_rate() -> None:
    same = _table().rate_on("GBP", "GBP", FRIDAY).unwrap()
    assert same.is_same_currency
    assert convert(-123, same) == -123


def test_minor_units_of_different_size_are_converted_with_their_exponents() -> None:
    rate = PinnedRate("JPY", "KWD", FRIDAY, Fraction("0.0021"))
    assert convert(1000, rate) == 2100
    assert convert(-1, PinnedRate("JPY", "USD", FRIDAY, Fraction("0.005"))) == -1


@given(st.integers(-(10**15), 10**15), st.fractions(min_value=Fraction(1, 1000), max_value=1000))
def test_conversion_is_the_nearest_unit_and_symmetric(minor: int, value: Fraction) -> None:
    if value == 0:
        return
    rate = PinnedRate("EUR", "USD", FRIDAY, value)
    converted = convert(minor, rate)
    assert abs(converted - minor * value) <= Fraction(1, 2)
    assert convert(-minor, rate) == -converted


def test_a_conversion_beyond_64_bits_is_refused() -> None:
    with pytest.raises(MoneyError):
        convert(MAX_MINOR, PinnedRate("EUR", "USD", FRIDAY, Fraction(2)))


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "", "NaN", "1,08", "0.00", " 1", "1/2"])
def test_what_is_not_a_rate_is_refused(text: str) -> None:
    with pytest.raises(RateError):
        exact_rate(text)


def test_rates_that_contradict_each_other_are_refused() -> None:
    one = Rate("EUR", "USD", FRIDAY, Fraction("1.08"))
    assert RateTable([one, one]).rate_on("EUR", "USD", FRIDAY).is_ok
    with pytest.raises(RateError, match="Two different rates"):
        RateTable([one, Rate("EUR", "USD", FRIDAY, Fraction("1.09"))])
    with pytest.raises(RateError):
        Rate("EUR", "EUR", FRIDAY, Fraction(1))
    with pytest.raises(RateError):
        Rate("EUR", "USD", FRIDAY, Fraction(0))
    with pytest.raises(RateError):
        Rate("EUR", "USD", FRIDAY, Decimal("1.08"))  # type: ignore[arg-type]  # a wrong type is what is tried here


def test_the_mean_of_a_month_is_exact_and_divides_the_other_way_round() -> None:
    table = RateTable(
        [
            Rate("EUR", "USD", date(2024, 2, 29), exact_rate("9"), "ECB"),
            Rate("EUR", "USD", FRIDAY, exact_rate("1.08"), "ECB"),
            Rate("EUR", "USD", MONDAY, exact_rate("1.09"), "ECB"),
            Rate("EUR", "USD", date(2024, 3, 29), exact_rate("1.1"), "bank"),
            Rate("EUR", "JPY", FRIDAY, exact_rate("160"), "ECB"),
            Rate("EUR", "JPY", date(2024, 3, 28), exact_rate("165"), "ECB"),
        ]
    )
    mean = table.mean_of_month("EUR", "USD", MONDAY).unwrap()
    assert (mean.value, mean.asked_on, len(mean.means[0].rates)) == (Fraction("1.09"), FRIDAY, 3)
    # Not the mean of the days' quotients.
    assert table.mean_of_month("USD", "EUR", MONDAY).unwrap().value == 1 / Fraction("1.09")
    through = table.mean_of_month("JPY", "USD", date(2024, 3, 31)).unwrap()
    assert through.value == Fraction("1.09") / Fraction("162.5")
    assert convert(1_625, through) == 10_90
    # The 29th of March is the last weekday; of the yen it is not known yet.
    assert [part.is_whole for part in through.means] == [False, True]
    assert table.mean_of_month("EUR", "EUR", MONDAY).unwrap().value == 1


def test_a_month_of_which_nothing_is_published_has_no_mean() -> None:
    outcome = _table().mean_of_month("EUR", "USD", date(2024, 4, 1))
    assert [(problem.code, problem.where) for problem in outcome.problems] == [("rate-missing", "EUR/USD 2024-04")]
    assert outcome.problems[0].text() == "There is no rate of exchange from EUR to USD of 2024-04."


def test_a_month_that_ends_on_a_holiday_is_complete_with_the_next_rate() -> None:
    before = [Rate("EUR", "USD", date(2024, 3, 28), exact_rate("1.08"))]
    assert not RateTable(before).mean_of_month("EUR", "USD", MONDAY).unwrap().means[0].is_whole
    after = Rate("EUR", "USD", date(2024, 4, 2), exact_rate("2"))
    (mean,) = RateTable([*before, after]).mean_of_month("EUR", "USD", MONDAY).unwrap().means
    assert (mean.is_whole, mean.value) == (True, Fraction("1.08"))
