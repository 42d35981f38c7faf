"""Tags of the reorganisations room: a figure before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from salesops.core.display import money_short, number

register = template.Library()


@register.simple_tag
def before_after(row: Mapping[str, Any], name: str) -> str | SafeString:
    """One figure of a row before and after; once where it stays. Amounts by currency are shown one after the other."""
    old, new = _shown(row["before"].get(name)), _shown(row["after"].get(name))
    if old == new:
        return new
    return format_html(
        '<span class="was"><span class="visually-hidden">{}</span>{}</span> <span aria-hidden="true">→</span> '
        '<strong><span class="visually-hidden">{}</span>{}</strong>',
        _("before: "),
        old,
        _("after: "),
        new,
    )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " + ".join(money_short(minor, currency) for currency, minor in value.items() if minor) or "–"
    if isinstance(value, int):
        return number(value)
    return str(value or "–")
