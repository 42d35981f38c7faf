"""How values are written for people: money, shares, days and moments, in the reader's language and time zone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_compact_currency, format_currency, format_decimal
from django.utils import dateformat, formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.values.money import exponent, from_minor

#: What stands where there is no value.
NOTHING = "—"


@lru_cache(maxsize=32)
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(translation.to_locale(language))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")


def locale() -> Locale:
    """The reader's locale as Babel knows it."""
    return _locale(translation.get_language() or "en")


def money(minor: int | None, currency: str) -> str:
    """An amount in minor units for reading: (123450, "USD") is "$1,234.50" in English. Nothing is a dash."""
    if minor is None:
        return NOTHING
    form = _money_form(currency, translation.get_language() or "en")
    return form.write(minor) if form else _money_by_babel(minor, currency)


def _money_by_babel(minor: int, currency: str) -> str:
    return _spaced(str(format_currency(from_minor(minor, currency), currency, locale=locale())))


@dataclass(frozen=True, slots=True)
class _MoneyForm:
    """How one currency is written in one language; read off Babel once, because its own way costs 0.2 ms an amount."""

    before: str
    before_negative: str
    group: str
    point: str
    decimals: int

    def write(self, minor: int) -> str:
        """An amount in minor units."""
        whole, part = divmod(abs(minor), 10**self.decimals)
        figures = f"{whole:,}".replace(",", self.group)
        before = self.before_negative if minor < 0 else self.before
        return f"{before}{figures}{self.point}{part:0{self.decimals}}" if self.decimals else f"{before}{figures}"


@lru_cache(maxsize=512)
def _money_form(currency: str, language: str) -> _MoneyForm | None:
    """The form of a currency in the active language; None where it does not give the same as Babel."""
    decimals = exponent(currency)
    pattern = re.compile(r"(\D*)1(\D+)234" + (rf"(\D+)0{{{decimals}}}" if decimals else "()"))
    positive, negative = (pattern.fullmatch(_money_by_babel(sign * 1234 * 10**decimals, currency)) for sign in (1, -1))
    if not positive or not negative:
        return None
    form = _MoneyForm(positive[1], negative[1], positive[2], positive[3], decimals)
    probes = (0, 7, -7, 1009, -99_950, 123_456_789, -12_345_678_901_234)
    return form if all(form.write(probe) == _money_by_babel(probe, currency) for probe in probes) else None


def money_short(minor: int | None, currency: str) -> str:
    """An amount for a tile or an axis: (34209000, "USD") is "$342.1K". Rounded: never for a sum somebody checks."""
    if minor is None:
        return NOTHING
    text = format_compact_currency(from_minor(minor, currency), currency, locale=locale(), fraction_digits=1)
    return _spaced(str(text))


def _spaced(text: str) -> str:
    """A real minus, and a space between letters of a currency and the figures: "KWD 1.234"."""
    return re.sub(r"([A-Za-z])(?=[−\d])", "\\1\u00a0", text.replace("-", "−", 1))


def number(value: int | Decimal | None) -> str:
    """A number with the reader's grouping."""
    return NOTHING if value is None else str(format_decimal(value, locale=locale())).replace("-", "−", 1)


def share(basis_points: int | None) -> str:
    """Basis points as a percentage: 1250 is "12.5 %"."""
    if basis_points is None:
        return NOTHING
    return f"{number((Decimal(basis_points) / 100).normalize() + 0)} %"


def ratio(basis_points: int | None) -> str:
    """What was measured, such as attainment, always with both decimals, so that columns compare: 2780 is "27.80 %"."""
    if basis_points is None:
        return NOTHING
    figures = format_decimal(Decimal(basis_points) / 100, format="#,##0.00", locale=locale())
    return f"{str(figures).replace('-', '−', 1)} %"


def day(value: date | None) -> str:
    """A day as the reader's language writes it."""
    return NOTHING if value is None else _day(value, formats.get_format("DATE_FORMAT"), translation.get_language())


@lru_cache(maxsize=8192, typed=True)
def _day(value: date, form: str, language: str | None) -> str:
    return dateformat.format(value, form)


def moment(value: datetime | None) -> str:
    """A moment in the reader's time zone."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    form = formats.get_format("DATETIME_FORMAT")
    if form.endswith("H:i"):  # all of ours do: days recur on a page, minutes hardly
        return f"{_day(local.date(), form[:-3], translation.get_language())}{local:%H:%M}"
    return str(formats.date_format(local, form))


def ago(value: datetime | None, now: datetime) -> str:
    """How long before (or after) `now` a moment lies, in one unit: "3 days ago", "in 2 hours"."""
    if value is None:
        return NOTHING
    distance = now - value
    is_past = distance >= timedelta(0)
    seconds = int(abs(distance).total_seconds())
    if seconds < 60:
        return _("just now") if is_past else _("in a moment")
    unit = next(each for each in _UNITS if seconds < each[1])
    return _span(unit[0], seconds // unit[2], is_past=is_past, language=translation.get_language())


#: Units of `ago`: the name, the seconds below which it is used, its own length in seconds.
_UNITS = (
    ("minute", 3600, 60),
    ("hour", 86_400, 3600),
    ("day", 60 * 86_400, 86_400),
    ("month", 730 * 86_400, 30 * 86_400),
    ("year", math.inf, 365 * 86_400),
)


@lru_cache(maxsize=2048)
def _span(unit: str, count: int, *, is_past: bool, language: str | None) -> str:
    """A distance in time in words of the active language; few differ, and each looks up two sentences."""
    if unit == "minute":
        text = ngettext("%(count)d minute", "%(count)d minutes", count)
    elif unit == "hour":
        text = ngettext("%(count)d hour", "%(count)d hours", count)
    elif unit == "day":
        text = ngettext("%(count)d day", "%(count)d days", count)
    elif unit == "month":
        text = ngettext("%(count)d month", "%(count)d months", count)
    else:
        text = ngettext("%(count)d year", "%(count)d years", count)
    span = text % {"count": count}
    return _("%(span)s ago") % {"span": span} if is_past else _("in %(span)s") % {"span": span}


def initials(name: str) -> str:
    """One or two letters for an avatar."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()
