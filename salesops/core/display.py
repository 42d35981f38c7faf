"""How values are written for people: money, shares, days and moments, in the reader's language and time zone."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_compact_currency, format_currency, format_decimal
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.values.money import from_minor

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
    return _spaced(str(format_currency(from_minor(minor, currency), currency, locale=locale())))


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


def day(value: date | None) -> str:
    """A day as the reader's language writes it."""
    return NOTHING if value is None else formats.date_format(value, "DATE_FORMAT")


def moment(value: datetime | None) -> str:
    """A moment in the reader's time zone."""
    return NOTHING if value is None else formats.date_format(timezone.localtime(value), "DATETIME_FORMAT")


def ago(value: datetime | None, now: datetime) -> str:
    """How long before (or after) `now` a moment lies, in one unit: "3 days ago", "in 2 hours"."""
    if value is None:
        return NOTHING
    distance = now - value
    is_past = distance >= timedelta(0)
    seconds = int(abs(distance).total_seconds())
    if seconds < 60:
        return _("just now") if is_past else _("in a moment")
    if seconds < 3600:
        count = seconds // 60
        text = ngettext("%(count)d minute", "%(count)d minutes", count)
    elif seconds < 86_400:
        count = seconds // 3600
        text = ngettext("%(count)d hour", "%(count)d hours", count)
    elif seconds < 60 * 86_400:
        count = seconds // 86_400
        text = ngettext("%(count)d day", "%(count)d days", count)
    elif seconds < 730 * 86_400:
        count = seconds // (30 * 86_400)
        text = ngettext("%(count)d month", "%(count)d months", count)
    else:
        count = seconds // (365 * 86_400)
        text = ngettext("%(count)d year", "%(count)d years", count)
    span = text % {"count": count}
    return _("%(span)s ago") % {"span": span} if is_past else _("in %(span)s") % {"span": span}


def initials(name: str) -> str:
    """One or two letters for an avatar."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()
