"""The filters of the accounts room."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import AccountStatus, Consent
from salesops.accounts.models import Account, Contact
from salesops.core.filters import (
    MoneyRangeFilter,
    NumberRangeFilter,
    OneOfFilter,
    PeriodFilter,
    PortalFilterSet,
    RowsFilter,
    YesNoFilter,
)
from salesops.people.selectors import people_for
from salesops.pods.models import Segment
from salesops.pods.selectors import pods_for, territories_for


class AccountFilter(PortalFilterSet):
    """Which accounts."""

    search_fields = ("name", "external_id", "city")

    status = OneOfFilter(choices=AccountStatus.choices, label=_("Status"))
    owner = RowsFilter(queryset=lambda request: people_for(request.actor), label=_("Owner"), none_label=_("Nobody"))
    pod = RowsFilter(queryset=lambda request: pods_for(request.actor), label=_("Pod"), none_label=_("No pod"))
    segment = RowsFilter(queryset=lambda request: Segment.objects.all(), label=_("Segment"), none_label=_("None"))
    territory = RowsFilter(
        queryset=lambda request: territories_for(request.actor), label=_("Territory"), none_label=_("None")
    )
    employees = NumberRangeFilter(field_name="employees", label=_("Employees"))
    revenue = MoneyRangeFilter(field_name="revenue_minor", label=_("Annual revenue"))
    created = PeriodFilter(field_name="created_at", is_moment=True, label=_("Created"))
    in_group = YesNoFilter(condition=Q(parent__isnull=False), label=_("Belongs to another account"))

    class Meta:
        model = Account
        fields: list[str] = []


class ContactFilter(PortalFilterSet):
    """Which contacts."""

    search_fields = ("name", "email", "account__name")

    consent = OneOfFilter(choices=Consent.choices, label=_("May be contacted"))
    is_primary = YesNoFilter(label=_("Main contact"))
    has_email = YesNoFilter(condition=~Q(email=""), label=_("Has an e-mail address"))
    created = PeriodFilter(field_name="created_at", is_moment=True, label=_("Created"))

    class Meta:
        model = Contact
        fields: list[str] = []
