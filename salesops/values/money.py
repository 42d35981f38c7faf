"""Money: integer minor units with a currency, the one rounding rule, and the plain text of an amount in files."""

import re
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

# ISO 4217 minor units that are not two.
_EXPONENTS: Final[dict[str, int]] = {
    code: decimals
    for decimals, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}
# Metals, funds, test and "no currency" codes have no minor unit: an amount in them is a mistake.
_WITHOUT_MINOR_UNIT: Final = frozenset(
    ("XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX")
)

# The name of the one rounding rule; it is printed on plans and written into bundles.
ROUNDING: Final = "half-up-away-from-zero"

MIN_MINOR: Final = -(2**63)
MAX_MINOR: Final = 2**63 - 1

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
# Digits beyond which a Decimal is refused before it is expanded: 1E+999999999 would otherwise fill the memory.
_MOST_DIGITS: Final = 60
# Wide enough for every amount within them: nothing is rounded on the way.
_EXACT: Final = Context(prec=200)


class MoneyError(ValueError):
    """An amount or currency that cannot be money; the message says why and can be shown to a person."""


def check_currency(currency: str) -> str:
    """Give the currency code back, or refuse it: three capital letters that have a minor unit."""
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise MoneyError(f"{currency!r} is not a currency code: three capital letters such as USD are needed.")
    if currency in _WITHOUT_MINOR_UNIT:
        raise MoneyError(f"{currency} has no minor unit, so no amount of money can be kept in it.")
    return currency


def exponent(currency: str) -> int:
    """How many decimals the currency has by ISO 4217: 2 for USD, 0 for JPY, 3 for KWD; 2 unless known."""
    return _EXPONENTS.get(check_currency(currency), 2)


def check_minor(minor: int) -> int:
    """Give an amount of minor units back, or refuse it: a whole number that a signed 64-bit column holds."""
    if isinstance(minor, bool) or not isinstance(minor, int):
        raise MoneyError(f"{minor!r} is not a whole number of minor units.")
    if not MIN_MINOR <= minor <= MAX_MINOR:
        raise MoneyError(f"{minor} minor units are more than can be kept (from {MIN_MINOR} to {MAX_MINOR}).")
    return minor


def round_half_up(value: Fraction | Decimal | int, denominator: int = 1) -> int:
    """Round `value / denominator` to a whole number, halves away from zero: 2.5 -> 3, -2.5 -> -3.

    Floats are refused, because they have already been rounded. The result is not bounded; see `check_minor`.
    """
    if isinstance(value, bool) or not isinstance(value, int | Fraction | Decimal):
        raise MoneyError(f"{value!r} cannot be rounded exactly: give an integer, a Fraction or a Decimal.")
    if isinstance(denominator, bool) or not isinstance(denominator, int) or denominator <= 0:
        raise MoneyError(f"{denominator!r} is not a denominator: a whole number above zero is needed.")
    if isinstance(value, Decimal):
        value = Fraction(_bounded(value))
    numerator = value.numerator
    denominator *= value.denominator
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def to_minor(amount: Decimal | str | int, currency: str, *, is_rounded: bool = False) -> int:
    """Turn an amount in major units into minor units: ("12.34", "USD") -> 1234.

    Text must be a plain decimal ("-1234.5"); what people write ("$1,234.50") is read elsewhere. More decimals than
    the currency has are refused unless `is_rounded` asks for the rounding rule. Raises MoneyError.
    """
    decimals = exponent(currency)
    if isinstance(amount, str):
        if not _PLAIN_DECIMAL.fullmatch(amount):
            raise MoneyError(f"{amount[:60]!r} is not a plain decimal number.")
        amount = Decimal(amount)
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise MoneyError(f"{amount!r} is not an exact amount: give text, an integer or a Decimal, never a float.")
    if isinstance(amount, Decimal):
        # Most amounts are whole minor units, which no fraction is needed to see.
        exact = _bounded(amount).scaleb(decimals, _EXACT)
        if exact == (whole := int(exact)):
            return check_minor(whole)
    scaled = Fraction(_bounded(amount) if isinstance(amount, Decimal) else amount) * 10**decimals
    if scaled.denominator != 1 and not is_rounded:
        raise MoneyError(f"{amount} has more decimals than {currency} has ({decimals}).")
    return check_minor(round_half_up(scaled))


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount in major units, exact and with the currency's decimals: (1230, "USD") -> Decimal("12.30")."""
    digits = tuple(int(digit) for digit in str(abs(check_minor(minor))))
    return Decimal((1 if minor < 0 else 0, digits, -exponent(currency)))


def plain(minor: int, currency: str) -> str:
    """The amount as files carry it: point, no grouping, the currency's decimals, never localised ("-1234.50")."""
    return format(from_minor(minor, currency), "f")


def _bounded(amount: Decimal) -> Decimal:
    if not amount.is_finite():
        raise MoneyError(f"{amount} is not an amount.")
    if amount and (amount.adjusted() > _MOST_DIGITS or int(amount.as_tuple().exponent) < -_MOST_DIGITS):
        raise MoneyError("The amount has more digits than any amount of money.")
    return amount
