"""The filters of the deals room, shared by list, board and forecast."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.core.filters import (
    MoneyRangeFilter,
    OneOfFilter,
    PeriodFilter,
    PortalFilterSet,
    RowsFilter,
    YesNoFilter,
)
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, DealSplit, Product, Stage
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
    has_account = YesNoFilter(condition=Q(account__isnull=False), label=_("Has an account"))

    class Meta:
        model = Deal
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
