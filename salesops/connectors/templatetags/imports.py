"""Words of imports, for templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.values.outcomes import Problem

register = template.Library()


@register.filter
def said(problem: Problem) -> str:
    """What is wrong or noted, in the reader's language."""
    return problem.text(_)


@register.filter
def remedy(problem: Problem) -> str:
    """What to do about it."""
    return problem.remedy_text(_)


@register.filter
def translated(text: str) -> str:
    """A word of the rules in the reader's language."""
    return _(text) if text else ""


@register.filter
def key(mapping: Mapping[str, Any], name: str) -> Any:
    """The value under a name."""
    return mapping.get(name, "")


@register.filter
def span(left: timedelta) -> str:
    """How long something will still take, in one unit."""
    minutes = int(left.total_seconds() // 60)
    if minutes < 1:
        return _("less than a minute left")
    if minutes < 60:
        return ngettext("%(count)d minute left", "%(count)d minutes left", minutes) % {"count": minutes}
    hours = round(minutes / 60)
    return ngettext("about %(count)d hour left", "about %(count)d hours left", hours) % {"count": hours}
