"""The filters of the audit page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter

from salesops.audit.models import AuditEntry
from salesops.audit.wording import NOUNS
from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet

#: Kinds of actions that can be asked for: the noun before the dot.
KINDS = [
    ("person", NOUNS["person"]),
    ("role", NOUNS["role"]),
    ("function", NOUNS["function"]),
    ("reporting_line", NOUNS["reporting_line"]),
    ("session", NOUNS["session"]),
    ("second_factor", NOUNS["second_factor"]),
    ("pod", _("pod")),
    ("account", _("account")),
    ("lead", _("lead")),
    ("deal", _("deal")),
    ("plan", _("plan")),
    ("quota", _("quota")),
    ("period", _("period")),
    ("statement", _("statement")),
    ("payroll", _("payroll")),
    ("import", _("import")),
    ("export", NOUNS["export"]),
    ("rate", NOUNS["rate"]),
    ("job", NOUNS["job"]),
]


class KindFilter(OneOfFilter):
    """Actions by the noun before the dot."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Entries whose action begins with one of the nouns."""
        condition = Q()
        for noun in value or ():
            condition |= Q(action__startswith=f"{noun}.")
        return qs.filter(condition)


class ExactFilter(CharFilter):
    """Exactly this text: for links from a row to its own entries."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"autocomplete": "off"}))
        super().__init__(*args, **kwargs)

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [name]

    def describe(self, value: str) -> str:
        """The text."""
        return value


class AuditEntryFilter(PortalFilterSet):
    """By time, by what it was about, and a search over names and reasons."""

    search_fields = ("actor_name", "subject_label", "action", "reason")

    at = PeriodFilter(label=_("At"), is_moment=True)
    kind = KindFilter(label=_("What"), choices=KINDS)
    actor_name = ExactFilter(label=_("Who"))
    subject_type = ExactFilter(label=_("Kind of row"))
    subject_id = ExactFilter(label=_("Row"))

    class Meta:
        model = AuditEntry
        fields: list[str] = []
