"""Filters of the commissions room's lists."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from salesops.commissions.choices import StatementState
from salesops.commissions.models import Period, Plan
from salesops.core.filters import MoneyRangeFilter, OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter, YesNoFilter


def every_period(request: HttpRequest | None) -> object:
    """The periods, the latest first."""
    return Period.objects.order_by("-start_on")


def own_plans(request: HttpRequest) -> object:
    """The plans that who asks may see."""
    return Plan.objects.visible_to(request.actor)  # type: ignore[attr-defined]  # set by pods.middleware


class StatementFilter(PortalFilterSet):
    """By person, period, plan, state, amount."""

    search_fields = ("person__name",)
    state = OneOfFilter(choices=StatementState.choices, label=_("State"))
    period = RowsFilter(queryset=every_period, label=_("Period"))
    plan = RowsFilter(field_name="plan_version__plan", queryset=own_plans, label=_("Plan"))
    earned = MoneyRangeFilter(field_name="earned_minor", label=_("Earned"))
    problem = YesNoFilter(condition=~Q(problems=[]), label=_("Has a problem"))


class TeamPayFilter(StatementFilter):
    """The same within one period."""

    period = None  # type: ignore[assignment]  # as django-filter wants it: the filter is left out


class EarningFilter(PortalFilterSet):
    """By deal and day."""

    search_fields = ("credit__transaction__deal__name", "credit__transaction__account__name")
    day = PeriodFilter(field_name="credit__effective_on", label=_("Day"))


class PlanFilter(PortalFilterSet):
    """By name."""

    search_fields = ("name",)


class QuotaFilter(PortalFilterSet):
    """By person and days."""

    search_fields = ("person__name",)
    start = PeriodFilter(field_name="start_on", label=_("From"))
    amount = MoneyRangeFilter(field_name="amount_minor", label=_("Quota"))
