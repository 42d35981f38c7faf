"""The filters of the activity list."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.activities.choices import ActivityKind, Outcome
from salesops.activities.models import Activity
from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter, YesNoFilter
from salesops.people.selectors import people_for


class ActivityFilter(PortalFilterSet):
    """Which activities."""

    search_fields = ("subject",)

    kind = OneOfFilter(choices=ActivityKind.choices, label=_("Kind"))
    outcome = OneOfFilter(choices=Outcome.choices, label=_("Outcome"))
    person = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Person"))
    happened = PeriodFilter(field_name="happened_at", is_moment=True, label=_("Happened"))
    due = PeriodFilter(field_name="due_at", is_moment=True, label=_("Due"))
    open = YesNoFilter(condition=Q(happened_at__isnull=True, done_at__isnull=True), label=_("To do"))

    class Meta:
        model = Activity
        fields: list[str] = []
