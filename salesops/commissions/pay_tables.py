"""Tables of adjustments, disputes, plan events and payroll columns."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import DisputeState
from salesops.commissions.models import Adjustment, Dispute, PayrollMapping, PlanEvent
from salesops.commissions.selectors.disputes import hours_left
from salesops.core import parts
from salesops.core.tables import (
    BadgeColumn,
    Cell,
    ChoiceColumn,
    DayColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
    StateColumn,
)

ADJUSTMENT_TONES = {"waiting": "amber", "approved": "green", "refused": "red", "withdrawn": "grey"}
DISPUTE_TONES = {"open": "amber", "accepted": "green", "refused": "red", "withdrawn": "grey"}
#: Less than so many hours left for an answer is shown as pressing.
SOON_HOURS = 8


class AdjustmentTable(PortalTable):
    """Who gets how much more or less, when, and why."""

    person = LinkColumn(
        "commissions:adjustment_detail",
        accessor="person__name",
        verbose_name=gettext_lazy("Person"),
        order_by=("person__name",),
    )
    amount_minor = MoneyColumn(verbose_name=gettext_lazy("Amount"), initial_sort_descending=True)
    reason = PortalColumn(verbose_name=gettext_lazy("Reason"))
    state = BadgeColumn(tones=ADJUSTMENT_TONES)
    kind = ChoiceColumn(verbose_name=gettext_lazy("Kind"))
    period = PortalColumn(
        accessor="period__label", verbose_name=gettext_lazy("Paid in"), order_by=("period__start_on",)
    )
    plan = PortalColumn(accessor="plan__name", verbose_name=gettext_lazy("Plan"), order_by=("plan__name",))
    about = PortalColumn(
        accessor="about_period__label", verbose_name=gettext_lazy("About"), order_by=("about_period__start_on",)
    )
    cause = ChoiceColumn(verbose_name=gettext_lazy("Cause"))
    paid_minor = MoneyColumn(verbose_name=gettext_lazy("Was paid"))
    due_minor = MoneyColumn(verbose_name=gettext_lazy("Should have been paid"))
    prepared_by = PersonColumn(accessor="prepared_by", verbose_name=gettext_lazy("Prepared by"))
    prepared_at = MomentColumn(verbose_name=gettext_lazy("Prepared at"))
    decided_by = PersonColumn(accessor="decided_by", verbose_name=gettext_lazy("Decided by"))
    decided_at = MomentColumn(verbose_name=gettext_lazy("Decided at"))

    default_columns = ("person", "amount_minor", "reason", "state", "kind", "period", "plan", "prepared_by")

    class Meta:
        model = Adjustment
        fields = ()


class DisputeTable(PortalTable):
    """What is doubted, by whom, and how long until an answer is due."""

    subject = LinkColumn("commissions:dispute_detail", verbose_name=gettext_lazy("Dispute"))
    person = PersonColumn(accessor="person", verbose_name=gettext_lazy("Person"))
    state = BadgeColumn(tones=DISPUTE_TONES)
    clock = PortalColumn(accessor="due_at", verbose_name=gettext_lazy("Clock"), order_by=("due_at",))
    period = PortalColumn(
        accessor="statement__period__label",
        verbose_name=gettext_lazy("Period"),
        order_by=("statement__period__start_on",),
    )
    opened_at = MomentColumn(verbose_name=gettext_lazy("Opened"))
    due_at = MomentColumn(verbose_name=gettext_lazy("Answer due"))
    decided_by = PersonColumn(accessor="decided_by", verbose_name=gettext_lazy("Decided by"))
    decided_at = MomentColumn(verbose_name=gettext_lazy("Decided at"))

    default_columns = ("subject", "person", "state", "clock", "period", "opened_at", "decided_by")

    class Meta:
        model = Dispute
        fields = ()

    def show_clock(self, value: Any, record: Dispute) -> str:
        """How long is left, or by how much it is late; of a decided one nothing."""
        if record.state != DisputeState.OPEN or self.now is None:
            return ""
        hours = hours_left(record, self.now)
        return parts.badge(clock_text(hours), "red" if hours < 0 else "amber" if hours < SOON_HOURS else "grey")

    def export_clock(self, value: Any, record: Dispute) -> Cell:
        """Hours left, negative when it is late."""
        return hours_left(record, self.now) if record.state == DisputeState.OPEN and self.now else None


def clock_text(hours: int) -> str:
    """Hours left in words; negative hours are late."""
    if hours < 0:
        return _("%(hours)s h late") % {"hours": -hours}
    return _("%(hours)s h left") % {"hours": hours}


class PlanEventTable(PortalTable):
    """What settlements were told."""

    kind = LinkColumn("commissions:event_detail", verbose_name=gettext_lazy("What happened"))
    on = DayColumn(verbose_name=gettext_lazy("Day"))
    person = PersonColumn(accessor="person", verbose_name=gettext_lazy("Person"))
    plan = PortalColumn(accessor="plan__name", verbose_name=gettext_lazy("Plan"), order_by=("plan__name",))
    reference = PortalColumn(verbose_name=gettext_lazy("Key"))
    share = PortalColumn(verbose_name=gettext_lazy("Reached"), orderable=False)
    amount_minor = MoneyColumn(verbose_name=gettext_lazy("Paid so far"))
    of_minor = MoneyColumn(verbose_name=gettext_lazy("Whole invoice"))
    counts = StateColumn(accessor="is_void", verbose_name=gettext_lazy("Counts"))
    note = PortalColumn(verbose_name=gettext_lazy("Note"))
    recorded_by = PersonColumn(accessor="recorded_by", verbose_name=gettext_lazy("Recorded by"))
    recorded_at = MomentColumn(verbose_name=gettext_lazy("Recorded at"))

    default_columns = ("kind", "on", "person", "plan", "reference", "share", "counts", "recorded_by")

    class Meta:
        model = PlanEvent
        fields = ()

    def show_kind(self, value: Any, record: PlanEvent) -> str:
        """In words, leading to its page."""
        column = self.base_columns["kind"]
        label = str(record.get_kind_display())
        return column.show(label, record, self) if isinstance(column, LinkColumn) else label

    def export_kind(self, value: Any, record: PlanEvent) -> Cell:
        """In words."""
        return str(record.get_kind_display())

    def show_share(self, value: Any, record: PlanEvent) -> str:
        """As a percentage."""
        return "" if value is None else f"{(value * 100).normalize():f} %"

    def show_counts(self, value: Any, record: PlanEvent) -> str:
        """Whether it still counts."""
        return parts.badge(_("Void"), "grey") if record.is_void else parts.badge(_("Counts"), "green")

    def export_counts(self, value: Any, record: PlanEvent) -> Cell:
        """True when it counts."""
        return not record.is_void


class PayrollMappingTable(PortalTable):
    """Saved columns."""

    name = LinkColumn("commissions:payrollmapping_edit", verbose_name=gettext_lazy("Name"))
    listed = PortalColumn(accessor="columns", verbose_name=gettext_lazy("Columns"), orderable=False)
    created_at = MomentColumn(verbose_name=gettext_lazy("Created at"))

    default_columns = ("name", "listed", "created_at")

    class Meta:
        model = PayrollMapping
        fields = ()

    def show_listed(self, value: Any, record: PayrollMapping) -> str:
        """The headers in order."""
        return ", ".join(each["header"] for each in record.columns)

    def export_listed(self, value: Any, record: PayrollMapping) -> Cell:
        """The headers in order."""
        return self.show_listed(value, record)
