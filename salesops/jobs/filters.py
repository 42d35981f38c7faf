"""The filters of the jobs page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job


class JobFilter(PortalFilterSet):
    """By state and time; the search looks into title, kind and asker."""

    search_fields = ("title", "kind", "requested_by_name")
    state = OneOfFilter(choices=JobState.choices, label=_("State"))
    created = PeriodFilter(field_name="created_at", is_moment=True, label=_("Asked"))

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()
