"""The tables of the effort room. Scores cannot be sorted by: there are no ranks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.core import display, parts
from salesops.core.actor import Role
from salesops.core.tables import (
    BadgeColumn,
    ChoiceColumn,
    DayColumn,
    LinkColumn,
    MomentColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
    ShareColumn,
    StateColumn,
)
from salesops.effort.choices import Band, Decision
from salesops.effort.models import EffortContest, EffortScore, EffortVersion
from salesops.leads.choices import VersionState

#: The colour of a version's state.
STATE_TONES = {VersionState.DRAFT: "amber", VersionState.ACTIVE: "green", VersionState.RETIRED: "grey"}
#: The colour of a band. None is red: it is no alarm.
BAND_TONES = {Band.LOW.value: "amber", Band.MIDDLE.value: "blue", Band.HIGH.value: "green"}
#: The colour of a decision.
DECISION_TONES = {Decision.OPEN.value: "amber", Decision.ACCEPTED.value: "green", Decision.DECLINED.value: "grey"}


class HundredthsColumn(PortalColumn):
    """Hundredths, shown and exported as what they are hundredths of, to one decimal."""

    css = "col-number"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """To one decimal."""
        return display.number(round(Decimal(value) / 100, 1))

    def export(self, value: Any, record: Any) -> list[Any]:
        """Exact."""
        return [None if value is None else Decimal(value) / 100]


class EffortScoreTable(PortalTable):
    """The weeks of the people below, each score with its quality beside it."""

    person = LinkColumn("effort:effort_person", accessor="person__name", pk_field="person_id", verbose_name=_("Person"))
    week_on = DayColumn(verbose_name=_("Week from"), initial_sort_descending=True)
    function = ChoiceColumn(verbose_name=_("Function"), orderable=False)
    score = HundredthsColumn(verbose_name=_("Score"), orderable=False)
    band = BadgeColumn(tones=BAND_TONES, verbose_name=_("Band"), orderable=False)
    quality_bp = ShareColumn(
        verbose_name=_("Went well"), orderable=False, help=_("Calls reached, mails answered, meetings held")
    )
    days = HundredthsColumn(verbose_name=_("Working days"), orderable=False)

    class Meta:
        model = EffortScore
        fields = ()


class EffortContestTable(PortalTable):
    """Doubts about records and days."""

    on = DayColumn(verbose_name=_("Day"), orderable=False)
    person = PersonColumn(accessor="person", verbose_name=_("Person"), orderable=False)
    record = PortalColumn(
        accessor="pk", verbose_name=_("What"), orderable=False, related=("activity", "person", "decided_by")
    )
    reason = PortalColumn(verbose_name=_("Reason"), orderable=False)
    decision = StateColumn(verbose_name=_("Decision"), orderable=False)
    asked_at = MomentColumn(ago=True, verbose_name=_("Asked"), initial_sort_descending=True)
    decided_by = PersonColumn(accessor="decided_by", verbose_name=_("Decided by"), orderable=False)
    decided_because = PortalColumn(verbose_name=_("Because"), orderable=False)

    class Meta:
        model = EffortContest
        fields = ()

    def show_record(self, value: int, record: EffortContest) -> str:
        """The record, or that it is the whole day."""
        return str(record.activity) if record.activity is not None else translate("The whole day")

    def export_record(self, value: int, record: EffortContest) -> Any:
        """In words."""
        return self.show_record(value, record)

    def show_decision(self, value: str, record: EffortContest) -> str:
        """The decision; while it is open, the way to decide or to take it back."""
        badge = parts.badge(record.get_decision_display(), DECISION_TONES.get(value, "grey"))
        if value != Decision.OPEN or record.pk is None:
            return badge
        if record.person_id == self.actor.user_id:
            url, label = reverse("effort:effortcontest_withdraw", args=[record.pk]), translate("Take back")
        elif self.actor.has(Role.MANAGER, Role.REVOPS):
            url, label = reverse("effort:effortcontest_decide", args=[record.pk]), translate("Decide")
        else:
            return badge
        return format_html('{} <a href="{}" data-dialog>{}</a>', badge, url, label)

    def export_decision(self, value: str, record: EffortContest) -> Any:
        """In words."""
        return record.get_decision_display()


class EffortVersionTable(PortalTable):
    """Versions of weights and targets."""

    number = LinkColumn("effort:effortversion_detail", verbose_name=_("Version"), initial_sort_descending=True)
    note = PortalColumn(verbose_name=_("What is new"))
    state = BadgeColumn(tones=STATE_TONES, verbose_name=_("State"))
    created_by = PersonColumn(accessor="created_by", verbose_name=_("Written by"))
    created_at = MomentColumn(verbose_name=_("Written at"), initial_sort_descending=True)
    activated_at = MomentColumn(verbose_name=_("Published at"), initial_sort_descending=True)

    class Meta:
        model = EffortVersion
        fields = ()
