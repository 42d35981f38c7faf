"""The filters of the pods room."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter
from salesops.people.choices import JobFunction
from salesops.pods.models import PodMembership, Segment, Territory
from salesops.pods.selectors import pods_for


class MemberFilter(PortalFilterSet):
    """Which members."""

    search_fields = ("person__name",)

    function = OneOfFilter(choices=JobFunction.choices, label=_("Function"))
    pod = RowsFilter(queryset=lambda request: pods_for(request.actor), label=_("Pod"))
    segment = RowsFilter(field_name="pod__segment", queryset=lambda request: Segment.objects.all(), label=_("Segment"))
    since = PeriodFilter(field_name="start_on", label=_("In the pod since"))

    class Meta:
        model = PodMembership
        fields: list[str] = []


class TerritoryFilter(PortalFilterSet):
    """Which territories."""

    search_fields = ("name", "code", "country", "region")

    class Meta:
        model = Territory
        fields: list[str] = []
