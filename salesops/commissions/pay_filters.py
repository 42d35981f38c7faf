"""Filters of adjustments, disputes and plan events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from salesops.commissions.choices import AdjustmentKind, AdjustmentState, Cause, DisputeState, EventKind
from salesops.commissions.filters import every_period, own_plans
from salesops.core.actor import Actor
from salesops.core.filters import MoneyRangeFilter, OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter, YesNoFilter


class ConcernsMeFilter(YesNoFilter):
    """Whether a row is the reader's own, as `of` says."""

    def __init__(self, *args: Any, of: Callable[[Actor], Q], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of = of

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Own rows, or all others."""
        if not value:
            return qs
        own = self.of(self.parent.request.actor)
        return qs.filter(own if value == "yes" else ~own)


class AdjustmentFilter(PortalFilterSet):
    """By person, state, kind, period, plan, cause, amount."""

    search_fields = ("person__name", "reason")
    state = OneOfFilter(choices=AdjustmentState.choices, label=_("State"))
    kind = OneOfFilter(choices=AdjustmentKind.choices, label=_("Kind"))
    period = RowsFilter(queryset=every_period, label=_("Paid in"))
    about = RowsFilter(field_name="about_period", queryset=every_period, label=_("About"))
    plan = RowsFilter(queryset=own_plans, label=_("Plan"))
    cause = OneOfFilter(choices=Cause.choices, label=_("Cause"))
    amount = MoneyRangeFilter(field_name="amount_minor", label=_("Amount"))
    mine = ConcernsMeFilter(
        of=lambda actor: Q(person_id=actor.user_id) | Q(prepared_by_id=actor.user_id),
        label=_("My pay, or prepared by me"),
    )


class DisputeFilter(PortalFilterSet):
    """By person, state, period, when it is due."""

    search_fields = ("person__name", "subject")
    state = OneOfFilter(choices=DisputeState.choices, label=_("State"))
    period = RowsFilter(field_name="statement__period", queryset=every_period, label=_("Period"))
    opened = PeriodFilter(field_name="opened_at", label=_("Opened"), is_moment=True)
    due = PeriodFilter(field_name="due_at", label=_("Answer due"), is_moment=True)
    corrected = YesNoFilter(condition=Q(adjustment__isnull=False), label=_("With an adjustment"))
    mine = ConcernsMeFilter(of=lambda actor: Q(person_id=actor.user_id), label=_("My own"))


class PlanEventFilter(PortalFilterSet):
    """By person, key, kind, plan, day."""

    search_fields = ("person__name", "reference", "note")
    kind = OneOfFilter(choices=EventKind.choices, label=_("Kind"))
    plan = RowsFilter(queryset=own_plans, label=_("Plan"))
    on = PeriodFilter(field_name="on", label=_("Day"))
    counts = YesNoFilter(condition=Q(is_void=False), label=_("Counts"))
