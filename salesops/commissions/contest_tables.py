"""Table and filter of contests."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.commissions.choices import ContestState
from salesops.commissions.filters import own_plans
from salesops.commissions.models import Contest
from salesops.commissions.selectors.contest_words import STAGES, TONES, stage_of
from salesops.core import parts
from salesops.core.days import company_day
from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter, YesNoFilter
from salesops.core.tables import (
    Cell,
    DayColumn,
    LastDayColumn,
    LinkColumn,
    MomentColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
    StateColumn,
)


class ContestTable(PortalTable):
    """Contests: when, where they are, into which plan they pay."""

    name = LinkColumn("commissions:contest_detail", verbose_name=_("Contest"))
    stage = StateColumn(accessor="state", verbose_name=_("State"))
    start_on = DayColumn(verbose_name=_("First day"))
    end_on = LastDayColumn(verbose_name=_("Last day"))
    plan = PortalColumn(accessor="plan__name", verbose_name=_("Paid into"), order_by=("plan__name",))
    currency = PortalColumn(verbose_name=_("Currency"))
    reckoned_at = MomentColumn(verbose_name=_("Standings as of"))
    key = PortalColumn(verbose_name=_("Key"))
    created_by = PersonColumn(accessor="created_by", verbose_name=_("Written by"))
    activated_by = PersonColumn(accessor="activated_by", verbose_name=_("Put in force by"))

    default_columns = ("name", "stage", "start_on", "end_on", "plan", "reckoned_at")

    class Meta:
        model = Contest
        fields = ()

    def show_stage(self, value: Any, record: Contest) -> str:
        """Where it is today."""
        if self.now is None:
            return str(record.get_state_display())
        stage = stage_of(record, company_day(self.now))
        return parts.badge(STAGES[stage], TONES[stage])

    def export_stage(self, value: Any, record: Contest) -> Cell:
        """In words."""
        return str(STAGES[stage_of(record, company_day(self.now))] if self.now else record.get_state_display())


class ContestFilter(PortalFilterSet):
    """By name, state, plan, days."""

    search_fields = ("name", "key")
    state = OneOfFilter(choices=ContestState.choices, label=_("State"))
    plan = RowsFilter(queryset=own_plans, label=_("Paid into"))
    start = PeriodFilter(field_name="start_on", label=_("First day"))
    names = YesNoFilter(field_name="shows_names", label=_("Names are shown"))
