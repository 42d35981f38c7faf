"""Numbers as people write them, read exactly; the convention of a column is found by evidence or asked for."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from babel import Locale

from salesops.connectors.rules.tables import Cell, cell_text, shown
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _


class DecimalMark(StrEnum):
    """What divides the whole from the fraction in a column."""

    POINT = "point"
    COMMA = "comma"


DECIMAL_MARK_LABELS: Final = {DecimalMark.POINT: _("1,234.56 (point)"), DecimalMark.COMMA: _("1.234,56 (comma)")}


class Sighting(NamedTuple):
    """A value and the line on which it was seen: the evidence for something."""

    line: int
    text: str


@dataclass(frozen=True)
class Number:
    """A number that was read. `sign` is the currency sign or code beside it, "" when there is none."""

    value: Decimal
    sign: str = ""
    is_percent: bool = False


# Signs and the currencies they may stand for; codes of three letters stand for themselves.
CURRENCY_SIGNS: Final[dict[str, frozenset[str]]] = {
    sign: frozenset(codes.split())
    for sign, codes in {
        "$": "USD AUD BBD BMD BND BSD BZD CAD CLP COP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD TTD TWD XCD ARS",
        "US$": "USD",
        "A$": "AUD",
        "AU$": "AUD",
        "C$": "CAD",
        "CA$": "CAD",
        "HK$": "HKD",
        "NT$": "TWD",
        "NZ$": "NZD",
        "S$": "SGD",
        "MX$": "MXN",
        "R$": "BRL",
        "€": "EUR",
        "£": "GBP EGP FKP GIP SHP",
        "¥": "JPY CNY",
        "元": "CNY TWD HKD",
        "円": "JPY",
        "圓": "TWD HKD",
        "₹": "INR",
        "₩": "KRW",
        "₽": "RUB",
        "₺": "TRY",
        "฿": "THB",
        "₫": "VND",
        "₪": "ILS",
        "₱": "PHP",
        "₦": "NGN",
        "₴": "UAH",
        "kr": "SEK NOK DKK ISK",
        "kr.": "SEK NOK DKK ISK",
        "zł": "PLN",
        "Kč": "CZK",
        "Ft": "HUF",
        "Fr.": "CHF",
        "SFr.": "CHF",
        "RM": "MYR",
    }.items()
}

_MAGNITUDES: Final[dict[str, int]] = {
    **dict.fromkeys(("k", "thousand", "千"), 3),
    **dict.fromkeys(("万", "萬"), 4),
    **dict.fromkeys(("m", "mm", "mn", "mio", "mio.", "million", "millions"), 6),
    **dict.fromkeys(("亿", "億"), 8),
    **dict.fromkeys(("b", "bn", "billion", "billions"), 9),
    **dict.fromkeys(("t", "tn", "trillion"), 12),
}
_MOST_CHARS: Final = 64
# Fewer than the 28 digits beyond which Decimal would round.
_MOST_DIGITS: Final = 24
_EVIDENCE: Final = 3
# Full-width forms to plain ones, the spaces and dashes of typography to those of the keyboard.
_PLAIN: Final = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0x00A0, 0x2007, 0x2008, 0x2009, 0x200A, 0x202F, 0x3000, 0x0009), " "),
    **dict.fromkeys((0x2212, 0x2010, 0x2011, 0x2012, 0x2013, 0xFE63), "-"),
    **dict.fromkeys((0x2019, 0x2018, 0x02BC, 0xFF07), "'"),
    0xFFE5: "¥",
    0xFFE0: "¢",
    0xFFE1: "£",
}
_SIGN: Final = "|".join(sorted((re.escape(sign) for sign in CURRENCY_SIGNS), key=len, reverse=True)) + "|[A-Za-z]{3}"
_MAGNITUDE: Final = "|".join(sorted((re.escape(word) for word in _MAGNITUDES), key=len, reverse=True))
_WRITTEN: Final = re.compile(
    rf"(?P<before>[-+])? ?(?P<sign>{_SIGN})? ?(?P<inner>[-+])? ?"
    rf"(?P<body>[0-9][0-9., ']*|[.,][0-9]+)"
    rf"(?P<magnitude>{_MAGNITUDE})? ?(?P<percent>%)? ?(?P<unit>{_SIGN})? ?(?P<behind>-)?",
    re.IGNORECASE,
)
_PLAIN_NUMBER: Final = re.compile(r"-?([0-9]{1,15})(?:\.([0-9]{1,8}))?")
_SCIENTIFIC: Final = re.compile(r"[-+]?[0-9.,]+e[-+]?[0-9]+", re.IGNORECASE)
_GROUPS: Final = {
    mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+") for mark in (",", ".", " ", "'")
}
# Lakh and crore: 12,34,567.
_INDIAN: Final = re.compile(r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")


def readings(cell: Cell) -> dict[DecimalMark, Number]:
    """Every way to read a cell, by the decimal mark it needs. Both marks give the same number where it has none.

    Empty when it is no number at all. Nothing is guessed: "1.234" has two readings that differ.
    """
    if isinstance(cell, Decimal):
        is_bounded = cell.is_finite() and len(cell.as_tuple().digits) <= _MOST_DIGITS
        is_bounded = is_bounded and abs(cell.adjusted()) <= _MOST_DIGITS
        return dict.fromkeys(DecimalMark, Number(cell)) if is_bounded else {}
    if not isinstance(cell, str) or len(cell) > _MOST_CHARS:
        return {}
    if plain := _PLAIN_NUMBER.fullmatch(cell):
        return _plain_readings(cell, plain[1], plain[2])
    return _written_readings(cell)


def _plain_readings(text: str, whole: str, fraction: str | None) -> dict[DecimalMark, Number]:
    """The readings of digits with at most one point, which is how most files write numbers."""
    number = Number(Decimal(text))
    if fraction is None:
        return {DecimalMark.POINT: number, DecimalMark.COMMA: number}
    if len(fraction) == 3 and len(whole) <= 3 and not whole.startswith("0"):
        return {DecimalMark.POINT: number, DecimalMark.COMMA: Number(number.value.scaleb(3))}
    return {DecimalMark.POINT: number}


def _written_readings(cell: str) -> dict[DecimalMark, Number]:
    """The readings of a number with signs, groups, currencies and words."""
    text = cell.translate(_PLAIN).strip()
    is_negative = text.startswith("(") and text.endswith(")")
    if is_negative:
        text = text[1:-1].strip()
    match = _WRITTEN.fullmatch(" ".join(text.split()))
    if not match:
        return {}
    minus = [mark for mark in (match["before"], match["inner"], match["behind"]) if mark]
    if len(minus) + is_negative > 1:
        return {}
    sign = _both_signs(match["sign"], match["unit"])
    if sign is None or (match["percent"] and (sign or match["magnitude"])):
        return {}
    factor = Decimal(-1 if is_negative or "-" in minus else 1).scaleb(
        _MAGNITUDES[match["magnitude"].lower()] if match["magnitude"] else 0
    )
    found: dict[DecimalMark, Number] = {}
    for mark in DecimalMark:
        digits = _digits(match["body"].strip(), mark)
        if digits is not None:
            found[mark] = Number(Decimal(digits) * factor, sign, bool(match["percent"]))
    return found


def read(cell: Cell, mark: DecimalMark | None) -> Outcome[Number]:
    """Read a number in the convention of its column.

    With no convention (None) only a number that can be read in one way is accepted.
    """
    if mark is DecimalMark.POINT and isinstance(cell, str) and _PLAIN_NUMBER.fullmatch(cell):
        return Outcome.good(Number(Decimal(cell)))  # as most are
    found = readings(cell)
    if mark is not None and mark in found:
        return Outcome.good(found[mark])
    values = set(found.values())
    if mark is None and len(values) == 1:
        return Outcome.good(values.pop())
    text = cell_text(cell)
    if not found:
        return Outcome.bad(
            _scientific(text) if _SCIENTIFIC.fullmatch(text.strip()[:_MOST_CHARS]) else not_a_number(text)
        )
    if mark is None:
        return Outcome.bad(
            Problem.of(
                "number-ambiguous",
                _("“%(value)s” can mean %(one)s or %(other)s."),
                remedy=_("Say in the mapping whether the column uses a decimal point or a decimal comma."),
                value=shown(text),
                one=format(found[DecimalMark.POINT].value, "f"),
                other=format(found[DecimalMark.COMMA].value, "f"),
            )
        )
    return Outcome.bad(
        Problem.of(
            "number-convention",
            _("“%(value)s” is not a number where the column uses a decimal %(mark)s."),
            remedy=_("Correct the value, or change the number format of the column in the mapping."),
            value=shown(text),
            mark=mark.value,
        )
    )


def currencies_of(sign: str) -> frozenset[str]:
    """The currencies that a sign or code beside a number may stand for."""
    return CURRENCY_SIGNS.get(sign) or frozenset({sign})


@cache
def known_currencies() -> frozenset[str]:
    """The currency codes that exist or existed."""
    return frozenset(Locale("en").currencies)


@dataclass(frozen=True)
class NumberFinding:
    """What the numbers of a column are like.

    marks: the conventions that all readable values allow; one of them: settled; both: nothing speaks for either.
    decisive: for each convention the values that can be read in no other way.
    ambiguous: values that mean different numbers under the two conventions.
    signs: currency signs and codes, each with the first value that bears it.
    most_decimals: the greatest number of decimals under the settled convention.
    """

    count: int = 0
    unreadable: tuple[Sighting, ...] = ()
    unreadable_count: int = 0
    decisive: dict[DecimalMark, tuple[Sighting, ...]] = field(default_factory=dict)
    decisive_count: dict[DecimalMark, int] = field(default_factory=dict)
    ambiguous: tuple[Sighting, ...] = ()
    ambiguous_count: int = 0
    signs: dict[str, Sighting] = field(default_factory=dict)
    percent_count: int = 0
    above_one: Sighting | None = None
    fraction: Sighting | None = None
    most_decimals: int = 0
    most_decimals_at: Sighting | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether values contradict each other: some need a point, some a comma."""
        return len(self.decisive_count) == 2

    @property
    def mark(self) -> DecimalMark | None:
        """The convention that the values prove, or None where none is proved or they contradict each other."""
        return next(iter(self.decisive_count)) if len(self.decisive_count) == 1 else None

    @property
    def must_ask(self) -> bool:
        """Whether a person must say which convention the column uses."""
        return self.is_mixed or (self.mark is None and self.ambiguous_count > 0)


class NumberColumn:
    """Looks at the values of one column, one by one, in bounded memory."""

    def __init__(self) -> None:
        self._count = self._unreadable_count = self._ambiguous_count = self._percents = self._most_decimals = 0
        self._unreadable: list[Sighting] = []
        self._ambiguous: list[Sighting] = []
        self._decisive: dict[DecimalMark, list[Sighting]] = {}
        self._decisive_count: dict[DecimalMark, int] = {}
        self._signs: dict[str, Sighting] = {}
        self._above_one: Sighting | None = None
        self._fraction: Sighting | None = None
        self._most_decimals_at: Sighting | None = None

    def add(self, cell: Cell, line: int) -> bool:
        """Look at one value that is not blank. Says whether it is a number."""
        found = readings(cell)
        sighting = Sighting(line, shown(cell_text(cell)))
        if not found:
            self._unreadable_count += 1
            _keep(self._unreadable, sighting)
            return False
        self._count += 1
        values = list(found.values())
        number = values[0]
        if len(found) == 1:
            mark = next(iter(found))
            _keep(self._decisive.setdefault(mark, []), sighting)
            self._decisive_count[mark] = self._decisive_count.get(mark, 0) + 1
        elif values[0] != values[1]:
            self._ambiguous_count += 1
            _keep(self._ambiguous, sighting)
        if number.sign and len(self._signs) < 20:
            self._signs.setdefault(number.sign, sighting)
        self._percents += number.is_percent
        if not number.is_percent and abs(number.value) > 1:
            self._above_one = self._above_one or sighting
        if not number.is_percent and number.value and abs(number.value) <= 1:
            self._fraction = self._fraction or sighting
        decimals = max(0, -int(number.value.normalize().as_tuple().exponent))
        if decimals > self._most_decimals:
            self._most_decimals, self._most_decimals_at = decimals, sighting
        return True

    @property
    def is_in_doubt(self) -> bool:
        """Whether one more clear value would still tell something."""
        return self._ambiguous_count > 0 and not self._decisive_count

    def finding(self) -> NumberFinding:
        """What was found so far."""
        return NumberFinding(
            count=self._count,
            unreadable=tuple(self._unreadable),
            unreadable_count=self._unreadable_count,
            decisive={mark: tuple(seen) for mark, seen in self._decisive.items()},
            decisive_count=dict(self._decisive_count),
            ambiguous=tuple(self._ambiguous),
            ambiguous_count=self._ambiguous_count,
            signs=dict(self._signs),
            percent_count=self._percents,
            above_one=self._above_one,
            fraction=self._fraction,
            most_decimals=self._most_decimals,
            most_decimals_at=self._most_decimals_at,
        )


def _keep(seen: list[Sighting], sighting: Sighting) -> None:
    if len(seen) < _EVIDENCE:
        seen.append(sighting)


def _currency_sign(written: str) -> str | None:
    """The sign as it is known, "" for none, None when it is no currency."""
    if not written or written in CURRENCY_SIGNS:
        return written
    for sign in CURRENCY_SIGNS:
        if sign.lower() == written.lower():
            return sign
    code = written.upper()
    return code if code in known_currencies() else None


def _both_signs(before: str | None, behind: str | None) -> str | None:
    """The currency of "$5", "5 USD" or "$5 USD"; "" for none, None where it is no currency or two of them."""
    first, second = _currency_sign(before or ""), _currency_sign(behind or "")
    if first is None or second is None:
        return None
    if first and second and not currencies_of(second) <= currencies_of(first):
        return None
    return second or first


def _digits(body: str, mark: DecimalMark) -> str | None:
    """The plain decimal number that `body` is under a convention, or None."""
    decimal, other = (".", ",") if mark is DecimalMark.POINT else (",", ".")
    whole, point, rest = body.partition(decimal)
    if point and not (rest.isascii() and rest.isdecimal()):
        return None
    groups = {character for character in whole if not character.isdecimal()}
    if len(groups) > 1 or not groups <= {other, " ", "'"}:
        return None
    if groups:
        group = groups.pop()
        is_indian = group == "," and _INDIAN.fullmatch(whole)
        if not (_GROUPS[group].fullmatch(whole) or is_indian):
            return None
        whole = whole.replace(group, "")
    if len(whole) + len(rest) > _MOST_DIGITS:
        return None
    return f"{whole or '0'}.{rest}" if point else whole


def not_a_number(text: str) -> Problem:
    """Text where a number is needed."""
    return Problem.of(
        "number-unreadable",
        _("“%(value)s” is not a number."),
        remedy=_("Write a number such as 1234.56."),
        value=shown(text),
    )


def _scientific(text: str) -> Problem:
    return Problem.of(
        "number-scientific",
        _("“%(value)s” is in scientific notation, as spreadsheets write numbers they have cut short."),
        remedy=_("Give the column a number format with all digits and export the file again."),
        value=shown(text),
    )
