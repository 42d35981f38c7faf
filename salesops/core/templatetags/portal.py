"""The portal's own template tags: icons, money, days, people, badges."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString

from salesops.core import display, parts
from salesops.core import freshness as freshness_of

register = template.Library()


@register.filter
def money(minor: int | None, currency: str) -> str:
    """`{{ deal.amount_minor|money:deal.currency }}`: minor units for reading."""
    return display.money(minor, currency)


@register.filter
def money_short(minor: int | None, currency: str) -> str:
    """`{{ total|money_short:"USD" }}`: "$342.1K", for tiles."""
    return display.money_short(minor, currency)


@register.filter
def share(basis_points: int | None) -> str:
    """`{{ split.share_bp|share }}`: 1250 is "12.5 %"."""
    return display.share(basis_points)


@register.filter
def ratio(basis_points: int | None) -> str:
    """`{{ reached|ratio }}`: 2780 is "27.80 %"."""
    return display.ratio(basis_points)


@register.filter
def number(value: int | Decimal | None) -> str:
    """`{{ count|number }}`: with grouping."""
    return display.number(value)


@register.filter
def day(value: date | None) -> SafeString:
    """`{{ deal.closed_on|day }}`."""
    return parts.day(value)


@register.filter
def moment(value: datetime | None) -> SafeString:
    """`{{ entry.at|moment }}`: in the reader's time zone."""
    return parts.moment(value)


@register.simple_tag(takes_context=True)
def ago(context: Context, value: datetime | None) -> SafeString:
    """`{% ago lead.created_at %}`: "3 days ago", the moment itself in the tooltip."""
    return parts.moment(value, context["request"].now)


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """`{% icon "plus" %}`: decoration; `{% icon "lock" label="Locked" %}` when it says something of its own."""
    return parts.icon(name, str(label), css)


@register.simple_tag
def badge(text: Any, tone: str = "grey") -> SafeString:
    """`{% badge deal.get_kind_display "green" %}`."""
    return parts.badge(str(text), tone)


@register.filter
def person(value: Any) -> SafeString:
    """`{{ deal.owner|person }}`: avatar and name."""
    return parts.person(str(value)) if value else parts.NOTHING


@register.filter
def avatar(value: Any) -> SafeString:
    """`{{ user|avatar }}`: the initials only."""
    return parts.avatar(str(value))


@register.inclusion_tag("parts/freshness.html", takes_context=True)
def freshness(context: Context, *kinds: str) -> dict[str, Any]:
    """`{% freshness "deals" "accounts" %}`: a quiet line where a source of these records is behind."""
    return {"behind": freshness_of.behind(kinds, context["request"].now) if kinds else []}


@register.simple_tag(takes_context=True)
def freshness_of_list(context: Context, view: Any) -> SafeString:
    """The same for a list page, by what its rows rest on."""
    return SafeString(render_to_string("parts/freshness.html", freshness(context, *getattr(view, "rests_on", ()))))


@register.simple_tag
def url_if(name: str, *args: Any, **kwargs: Any) -> str:
    """The address of a page, or nothing when there is no such page: `{% url_if "deals:deal_list" as url %}`."""
    try:
        return reverse(name, args=args or None, kwargs=kwargs or None)
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The page's own query string with some parameters changed; None removes one: `{% query page=2 %}`."""
    values = context["request"].GET.copy()
    for name, value in changes.items():
        values.pop(name, None)
        if value is not None:
            values[name] = str(value)
    return f"?{values.urlencode()}" if values else "?"
