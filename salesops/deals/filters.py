"""The filters of the deals room, shared by list, board and forecast."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.core.filters import (
    MoneyRangeFilter,
    NumberRangeFilter,
    OneOfFilter,
    PeriodFilter,
    PortalFilterSet,
    RowsFilter,
    YesNoFilter,
)
from salesops.deals.choices import EscalationState, GuardOccasion, GuardOutcome, HandOffPair, HandOffState, StageKind
from salesops.deals.models import Deal, DealSplit, GuardDecision, GuardEscalation, HandOff, Product, Stage
from salesops.deals.selectors.guard import policies_for
from salesops.people.selectors import people_for
from salesops.pods.selectors import pods_for


class DealFilter(PortalFilterSet):
    """Which deals. The same names in the address mean the same on every page of deals."""

    search_fields = ("name", "external_id", "account__name")

    kind = OneOfFilter(choices=StageKind.choices, label=_("State"))
    stage = RowsFilter(queryset=lambda request: Stage.objects.all(), label=_("Stage"))
    owner = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Owner"), none_label=_("Nobody"))
    pod = RowsFilter(queryset=lambda request: pods_for(request.actor), label=_("Pod"), none_label=_("No pod"))
    product = RowsFilter(queryset=lambda request: Product.objects.all(), label=_("Product"), none_label=_("No product"))
    amount = MoneyRangeFilter(field_name="amount_minor", label=_("Amount"))
    expected = PeriodFilter(field_name="expected_close_on", label=_("Expected close"))
    closed = PeriodFilter(field_name="closed_on", label=_("Closed"))
    created = PeriodFilter(field_name="created_at", is_moment=True, label=_("Created"))
    has_shares = YesNoFilter(condition=Q(pk__in=DealSplit.objects.order_by().values("deal_id")), label=_("Is shared"))
    spiced = NumberRangeFilter(field_name="spiced__filled", label=_("SPICED components known"))
    waits = YesNoFilter(
        condition=Q(pk__in=GuardEscalation.objects.order_by().filter(state=EscalationState.OPEN).values("deal_id")),
        label=_("Waits for an approval"),
    )
    has_account = YesNoFilter(condition=Q(account__isnull=False), label=_("Has an account"))

    class Meta:
        model = Deal
        fields: list[str] = []


class DecisionFilter(PortalFilterSet):
    """Which decisions of the guard."""

    search_fields = ("deal__name",)

    outcome = OneOfFilter(choices=GuardOutcome.choices, label=_("Outcome"))
    occasion = OneOfFilter(choices=GuardOccasion.choices, label=_("Occasion"))
    policy = RowsFilter(queryset=lambda request: policies_for(request.actor), label=_("Policy"))
    actor = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("By"), none_label=_("Nobody"))
    decided = PeriodFilter(field_name="decided_at", is_moment=True, label=_("When"))

    class Meta:
        model = GuardDecision
        fields: list[str] = []


class EscalationFilter(PortalFilterSet):
    """Which approvals."""

    search_fields = ("deal__name",)

    state = OneOfFilter(choices=EscalationState.choices, label=_("State"))
    asked_by = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Asked by"))
    asked = PeriodFilter(field_name="asked_at", is_moment=True, label=_("Asked"))

    class Meta:
        model = GuardEscalation
        fields: list[str] = []


class HandOffFilter(PortalFilterSet):
    """Which hand-offs."""

    search_fields = ("deal__name", "account__name", "lead__name")

    state = OneOfFilter(choices=HandOffState.choices, label=_("State"))
    pair = OneOfFilter(choices=HandOffPair.choices, label=_("From whom to whom"))
    giver = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Given by"))
    receiver = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Received by"))
    is_rated = YesNoFilter(condition=Q(rated_at__isnull=False), label=_("Is rated"))
    promise = NumberRangeFilter(field_name="promise_alignment", label=_("Promise alignment"))
    sent = PeriodFilter(field_name="sent_at", is_moment=True, label=_("Sent"))

    class Meta:
        model = HandOff
        fields: list[str] = []


class TotalsFilter(PortalFilterSet):
    """The filters for who sees totals only: none by which a single deal or person could be singled out."""

    pod = DealFilter.base_filters["pod"]
    product = DealFilter.base_filters["product"]

    class Meta:
        model = Deal
        fields: list[str] = []


class ProductFilter(PortalFilterSet):
    """Which products."""

    search_fields = ("name", "code", "series")
    is_active = YesNoFilter(label=_("On sale"))

    class Meta:
        model = Product
        fields: list[str] = []
