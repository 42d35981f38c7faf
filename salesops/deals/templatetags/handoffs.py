"""Means of ratings, for templates."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from salesops.core import display

register = template.Library()


@register.filter
def hundredths(value: int | None) -> str:
    """Hundredths as a number with one decimal, rounded half up; nothing for nothing."""
    if value is None:
        return display.NOTHING
    tenths = (value + 5) // 10
    return f"{tenths // 10}.{tenths % 10}"


@register.filter
def mean(means: Mapping[str, int], name: str) -> str:
    """One of the means by its name."""
    return hundredths(means.get(name))
