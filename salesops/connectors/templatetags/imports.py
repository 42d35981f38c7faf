"""Words of imports, for templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.translation import gettext as _

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
