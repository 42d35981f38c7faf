"""Money: minor units, the rounding rule, bounds, and the plain text of amounts."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.values.money import (
    MAX_MINOR,
    MIN_MINOR,
    ROUNDING,
    MoneyError,
    check_minor,
    exponent,
    from_minor,
    plain,
    round_half_up,
    to_minor,
)

MINOR = st.integers(MIN_MINOR, MAX_MINOR)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "CLF", "EUR"])


@pytest.mark.parametrize(("currency", "decimals"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ZAR", 2)])
def test_exponent_follows_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


@pytest.mark.parametrize("code", ["usd", "US", "USDX", "", "U5D", "ÜSD", "USD\n", "XAU", "XXX", None, 840])
def test_what_is_not_a_currency_is_refused(code: object) -> None:
    with pytest.raises(MoneyError):
        exponent(code)  # type: ignore[arg-type]  # a wrong type is what is tried here


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (Fraction(5, 2), 3),
        (Fraction(-5, 2), -3),
        (Fraction(1, 2), 1),
        (Fraction(-1, 2), -1),
        (Fraction(3, 2), 2),
        (Decimal("1.005") * 100, 101),
        (Decimal("-0.4999999999999999999999999"), 0),
        (Fraction(2**70 + 1, 2), 2**69 + 1),
        (7, 7),
    ],
)
def test_halves_are_rounded_away_from_zero(value: Fraction | Decimal | int, rounded: int) -> None:
    assert ROUNDING == "half-up-away-from-zero"
    assert round_half_up(value) == rounded


@given(st.integers(), st.integers(1, 10**12))
def test_rounding_is_nearest_and_a_mirror_image_below_zero(numerator: int, denominator: int) -> None:
    rounded = round_half_up(numerator, denominator)
    assert abs(rounded - Fraction(numerator, denominator)) <= Fraction(1, 2)
    assert round_half_up(-numerator, denominator) == -rounded
    assert round_half_up(Fraction(numerator, denominator)) == rounded


@pytest.mark.parametrize("value", [0.5, True, "1", None, Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999999")])
def test_what_is_not_exact_is_not_rounded(value: object) -> None:
    with pytest.raises(MoneyError):
        round_half_up(value)  # type: ignore[arg-type]  # a wrong type is what is tried here


@pytest.mark.parametrize("denominator", [0, -1, True, 1.0])
def test_a_denominator_is_a_whole_number_above_zero(denominator: object) -> None:
    with pytest.raises(MoneyError):
        round_half_up(1, denominator)  # type: ignore[arg-type]  # a wrong type is what is tried here


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.34", "USD", 1234),
        ("-0.01", "USD", -1),
        ("12", "USD", 1200),
        ("12.50", "JPY", None),
        ("12.5", "USD", 1250),
        ("12.500", "USD", 1250),
        ("1.234", "KWD", 1234),
        ("12.345", "USD", None),
        ("12345678901234.5678", "CLF", 123456789012345678),
        (Decimal("5E+2"), "JPY", 500),
        (3, "USD", 300),
    ],
)
def test_major_units_become_minor_units_or_are_refused(amount: str, currency: str, minor: int | None) -> None:
    if minor is None:
        with pytest.raises(MoneyError, match="more decimals than"):
            to_minor(amount, currency)
    else:
        assert to_minor(amount, currency) == minor


def test_more_decimals_are_rounded_only_when_asked() -> None:
    assert to_minor("12.345", "USD", is_rounded=True) == 1235
    assert to_minor("-12.345", "USD", is_rounded=True) == -1235
    assert to_minor("1.005", "USD", is_rounded=True) == 101


@pytest.mark.parametrize(
    "amount",
    ["", " 1", "1,000.00", "1e5", "+1", "$1", "١٢", "1.", ".5", "--1", "1\n", "9" * 41, 1.0, True, Decimal("NaN")],
)
def test_text_that_is_not_a_plain_decimal_is_refused(amount: object) -> None:
    with pytest.raises(MoneyError):
        to_minor(amount, "USD")  # type: ignore[arg-type]  # wrong types are part of what is tried here


def test_the_64_bit_edge_is_refused_and_never_wrapped() -> None:
    assert to_minor("92233720368547758.07", "USD") == MAX_MINOR
    assert to_minor("-92233720368547758.08", "USD") == MIN_MINOR
    for beyond in ("92233720368547758.08", "-92233720368547758.09"):
        with pytest.raises(MoneyError, match="more than can be kept"):
            to_minor(beyond, "USD")
    with pytest.raises(MoneyError):
        check_minor(2**63)
    with pytest.raises(MoneyError):
        plain(2**63, "USD")


@given(MINOR, CURRENCIES)
def test_plain_text_reads_back_to_the_same_amount(minor: int, currency: str) -> None:
    assert to_minor(plain(minor, currency), currency) == minor
    with localcontext() as context:
        context.prec = 3
        assert to_minor(from_minor(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456789, "USD", "1234567.89"),
        (-5, "USD", "-0.05"),
        (0, "USD", "0.00"),
        (1500, "JPY", "1500"),
        (-1, "KWD", "-0.001"),
    ],
)
def test_plain_text_is_never_grouped_or_localised(minor: int, currency: str, text: str) -> None:
    assert plain(minor, currency) == text


def test_a_hundred_thousand_dimes_are_exact() -> None:
    assert plain(sum(to_minor("0.10", "USD") for _ in range(100_001)), "USD") == "10000.10"
