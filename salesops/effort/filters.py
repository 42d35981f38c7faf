"""The filters of the effort room."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet
from salesops.effort.choices import Decision
from salesops.effort.models import EffortContest, EffortScore
from salesops.people.choices import JobFunction


class EffortScoreFilter(PortalFilterSet):
    """Whose scores of which weeks. Not by score or band: that would be a list of the last ones."""

    search_fields = ("person__name",)

    function = OneOfFilter(choices=JobFunction.choices, label=_("Function"))
    week = PeriodFilter(field_name="week_on", label=_("Week from"))

    class Meta:
        model = EffortScore
        fields: list[str] = []


class EffortContestFilter(PortalFilterSet):
    """Which doubts."""

    search_fields = ("person__name", "reason")

    decision = OneOfFilter(choices=Decision.choices, label=_("Decision"))

    class Meta:
        model = EffortContest
        fields: list[str] = []
