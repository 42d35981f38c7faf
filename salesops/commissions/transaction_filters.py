"""Filters of transactions, and of what only programs list."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from salesops.commissions.choices import PeriodKind, PeriodState, TransactionKind, VersionState
from salesops.commissions.models import Transaction
from salesops.core.actor import Actor
from salesops.core.filters import MoneyRangeFilter, OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter, YesNoFilter
from salesops.people.models import User


def _people(request: HttpRequest) -> object:
    """Whoever something the reader sees is credited to."""
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by pods.middleware
    credited = Transaction.objects.visible_to(actor).filter(credited_to=OuterRef("pk"))
    return User.objects.filter(Exists(credited)).order_by("name")


class TransactionFilter(PortalFilterSet):
    """By key, deal, account, kind, day, amount, whom it is credited to; what takes back, what is void."""

    search_fields = ("source_key", "deal__name", "account__name")
    kind = OneOfFilter(choices=TransactionKind.choices, label=_("What happened"))
    day = PeriodFilter(field_name="effective_on", label=_("Day that counts"))
    amount = MoneyRangeFilter(field_name="amount_minor", label=_("Amount"))
    credited_to = RowsFilter(queryset=_people, label=_("Credited to"), none_label=_("Nobody in particular"))
    of_deal = YesNoFilter(condition=Q(deal__isnull=False), label=_("Of a deal"))
    takes_back = YesNoFilter(condition=Q(reverses__isnull=False), label=_("Takes something back"))
    counts = YesNoFilter(condition=Q(is_void=False), label=_("Counts"))


def _key(name: str) -> Any:
    return django_filters.NumberFilter(field_name=name, min_value=0, max_value=2**63 - 1, decimal_places=0)


class CreditFilter(django_filters.FilterSet):
    """Of a transaction, a statement, a person."""

    transaction = _key("transaction_id")
    statement = _key("statement_id")
    person = _key("person_id")


class PlanVersionFilter(django_filters.FilterSet):
    """Of a plan, by state."""

    plan = _key("plan_id")
    state = django_filters.ChoiceFilter(choices=VersionState.choices)


class PayPeriodFilter(django_filters.FilterSet):
    """By state and kind."""

    state = django_filters.ChoiceFilter(choices=PeriodState.choices)
    kind = django_filters.ChoiceFilter(choices=PeriodKind.choices)
