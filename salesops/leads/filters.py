"""The filters of the leads room."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import Consent
from salesops.core.filters import (
    MoneyRangeFilter,
    NumberRangeFilter,
    OneOfFilter,
    PeriodFilter,
    PortalFilterSet,
    RowsFilter,
    YesNoFilter,
)
from salesops.leads.choices import GRADES, LeadOrigin, LeadStatus
from salesops.leads.models import Lead
from salesops.leads.selectors.leads import has_twin
from salesops.leads.selectors.pools import pools_for
from salesops.leads.selectors.response import UNWORKED
from salesops.people.selectors import people_for
from salesops.pods.models import Segment
from salesops.pods.selectors import pods_for


class TwinFilter(YesNoFilter):
    """Whether the asker sees another open lead with the same address."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Asked within the asker's sight."""
        self.condition = has_twin(self.parent.request.actor)
        return super().filter(qs, value)


class LeadFilter(PortalFilterSet):
    """Which leads."""

    search_fields = ("name", "company", "email")

    status = OneOfFilter(choices=LeadStatus.choices, label=_("Status"))
    score = OneOfFilter(field_name="score__grade", choices=[(grade, grade) for grade in GRADES], label=_("Score"))
    origin = OneOfFilter(choices=LeadOrigin.choices, label=_("Origin"))
    owner = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Owner"), none_label=_("Nobody"))
    pod = RowsFilter(queryset=lambda request: pods_for(request.actor), label=_("Pod"), none_label=_("No pod"))
    segment = RowsFilter(queryset=lambda request: Segment.objects.all(), label=_("Segment"), none_label=_("None"))
    unassigned = YesNoFilter(condition=Q(owner__isnull=True, pod__isnull=True), label=_("Given to nobody"))
    pool = RowsFilter(queryset=lambda request: pools_for(request.actor), label=_("Pool"), none_label=_("None"))
    waiting = YesNoFilter(condition=~Q(waits_because=""), label=_("Waits for somebody"))
    consent = OneOfFilter(choices=Consent.choices, label=_("May be contacted"))
    untouched = YesNoFilter(condition=Q(first_touched_at__isnull=True), label=_("Never touched"))
    unworked = YesNoFilter(condition=UNWORKED, label=_("Nobody's or untouched"))
    duplicate = TwinFilter(label=_("Same address as another"))
    spiced = NumberRangeFilter(field_name="spiced__filled", label=_("SPICED components known"))
    value = MoneyRangeFilter(field_name="estimated_minor", label=_("Estimated value"))
    employees = NumberRangeFilter(field_name="employees", label=_("Employees"))
    created = PeriodFilter(field_name="created_at", is_moment=True, label=_("Created"))
    touched = PeriodFilter(field_name="last_touched_at", is_moment=True, label=_("Last touch"))
    converted = PeriodFilter(field_name="converted_at", is_moment=True, label=_("Converted"))

    class Meta:
        model = Lead
        fields: list[str] = []
