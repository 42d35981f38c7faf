"""The filters of the jobs page."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet
from salesops.jobs import registry
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job


def comes_round_quietly() -> Q:
    """The condition for what comes round by itself and went well, or may still: nobody asked, nobody need look."""
    return Q(
        kind__in=sorted({declared.kind for declared in registry.declared_schedules()}),
        requested_by_id__isnull=True,
        state__in=(JobState.NEW, JobState.RUNNING, JobState.DONE),
    )


class ByItselfFilter(django_filters.ChoiceFilter):
    """What comes round by itself: left out unless asked for, so that the jobs of people do not drown in it.

    What failed or was given up is always there.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("choices", [("too", _("Show it too")), ("only", _("Nothing else"))])
        kwargs.setdefault("empty_label", _("Only what went wrong"))
        super().__init__(*args, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """The rows without it, with it, or only it."""
        if value == "too":
            return qs
        if value == "only":
            kinds = {declared.kind for declared in registry.declared_schedules()}
            return qs.filter(kind__in=sorted(kinds), requested_by_id__isnull=True)
        return qs.exclude(comes_round_quietly())

    def describe(self, value: str) -> str:
        """The words of the choice."""
        return str(dict(self.extra["choices"])[value])


class JobFilter(PortalFilterSet):
    """By state and time; the search looks into title, kind and asker."""

    search_fields = ("title", "kind", "requested_by_name")
    state = OneOfFilter(choices=JobState.choices, label=_("State"))
    by_itself = ByItselfFilter(label=_("What comes round by itself"))
    created = PeriodFilter(field_name="created_at", is_moment=True, label=_("Asked"))

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()
