"""Tables of the connectors room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.connectors.choices import ConnectionState
from salesops.connectors.models import (
    Connection,
    Drift,
    FileImport,
    Outgoing,
    RawRecord,
    RejectedRow,
    SyncRun,
    WebhookEvent,
)
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.selectors.connections import is_stale, problem_of, vendor_label
from salesops.connectors.selectors.imports import cell_texts
from salesops.connectors.selectors.told import Told
from salesops.core import display, parts
from salesops.core.tables import (
    BadgeColumn,
    Cell,
    ChoiceColumn,
    LinkColumn,
    MomentColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
    StateColumn,
)
from salesops.values.outcomes import Problem

IMPORT_TONES = {
    "mapping": "amber",
    "ready": "blue",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "refused": "red",
    "cancelled": "grey",
}


class ReasonColumn(PortalColumn):
    """Why something is as it is: read to its end, in as many lines as that takes."""

    css = "cell-wrap"


class ImportTable(PortalTable):
    """Files and what became of them."""

    file_name = LinkColumn("connectors:import_detail", verbose_name=gettext_lazy("File"))
    kind = PortalColumn(verbose_name=gettext_lazy("What the rows are"))
    source = PortalColumn(accessor="source__name", verbose_name=gettext_lazy("Source"))
    state = BadgeColumn(accessor="state", tones=IMPORT_TONES)
    created_count = NumberColumn(verbose_name=gettext_lazy("Created"))
    changed_count = NumberColumn(verbose_name=gettext_lazy("Changed"))
    unchanged_count = NumberColumn(verbose_name=gettext_lazy("Left alone"))
    refused_count = NumberColumn(verbose_name=gettext_lazy("Refused"))
    uploaded_by = PersonColumn(accessor="uploaded_by", verbose_name=gettext_lazy("By"))
    uploaded_at = MomentColumn(verbose_name=gettext_lazy("Uploaded at"), initial_sort_descending=True)

    default_columns = (
        "file_name", "kind", "source", "state", "created_count", "changed_count", "unchanged_count", "refused_count", "uploaded_by", "uploaded_at",
    )  # fmt: skip

    class Meta:
        model = FileImport
        fields = ()

    def show_kind(self, value: Any, record: FileImport) -> str:
        """In words."""
        return _(KINDS[value].label) if value in KINDS else ""

    def export_kind(self, value: Any, record: FileImport) -> Cell:
        """In words."""
        return self.show_kind(value, record)


class RejectedRowTable(PortalTable):
    """The shelf."""

    line = LinkColumn("connectors:row_edit", verbose_name=gettext_lazy("Line"))
    problems = ReasonColumn(orderable=False, verbose_name=gettext_lazy("Column and reason"))
    cells = PortalColumn(orderable=False, verbose_name=gettext_lazy("Cells"))
    state = BadgeColumn(accessor="state", tones={"shelved": "amber", "mended": "green", "dismissed": "grey"})

    default_columns = ("line", "problems", "cells", "state")

    class Meta:
        model = RejectedRow
        fields = ()

    def show_problems(self, value: Any, record: RejectedRow) -> str:
        """Each with its column."""
        return " · ".join(_said(Problem.from_plain(each)) for each in record.problems)

    def export_problems(self, value: Any, record: RejectedRow) -> Cell:
        """Each with its column."""
        return self.show_problems(value, record)

    def show_cells(self, value: Any, record: RejectedRow) -> str:
        """The row as it stands in the file, shortened."""
        text = " | ".join(cell_texts(record)) or record.raw
        return text[:160] + ("…" if len(text) > 160 else "")

    def export_cells(self, value: Any, record: RejectedRow) -> Cell:
        """The whole row."""
        return " | ".join(cell_texts(record)) or record.raw


def _said(problem: Problem) -> str:
    return f"{problem.where}: {problem.text(_)}" if problem.where else problem.text(_)


# --- Connections

CONNECTION_TONES: Final = {
    "draft": "grey",
    "running": "green",
    "paused": "amber",
    "broken": "red",
    "disconnected": "grey",
}
RAW_TONES: Final = {"taken": "green", "refused": "amber", "held": "violet", "deleted": "grey", "dismissed": "grey"}
RUN_TONES: Final = {"running": "blue", "done": "green", "waiting": "amber", "failed": "red"}
EVENT_TONES: Final = {"new": "blue", "handled": "green", "ignored": "grey", "failed": "red"}
OUTGOING_TONES: Final = {"waiting": "blue", "written": "green", "overtaken": "grey", "refused": "red"}


class ConnectionTable(PortalTable):
    """Connections and how they are."""

    name = LinkColumn("connectors:connection_detail", accessor="source__name", verbose_name=gettext_lazy("Source"))
    vendor = PortalColumn(verbose_name=gettext_lazy("Vendor"))
    account_name = PortalColumn(verbose_name=gettext_lazy("Account"))
    state = StateColumn(verbose_name=gettext_lazy("State"))
    last_success_at = MomentColumn(verbose_name=gettext_lazy("Last success"))
    lag = StateColumn(
        accessor="last_success_at",
        order_by=("last_success_at",),
        verbose_name=gettext_lazy("Freshness"),
        help=gettext_lazy("Stale: the last success lies more than three intervals back, or it fails."),
    )
    record_count = NumberColumn(orderable=False, related=(), verbose_name=gettext_lazy("Records"))
    shelf_count = NumberColumn(orderable=False, related=(), verbose_name=gettext_lazy("On the shelf"))
    problem = ReasonColumn(accessor="error", orderable=False, verbose_name=gettext_lazy("Problem"))
    next_sync_at = MomentColumn(ago=True, verbose_name=gettext_lazy("Next sync"))
    made_by = PersonColumn(accessor="made_by", verbose_name=gettext_lazy("Connected by"))

    default_columns = (
        "name", "vendor", "account_name", "state", "lag", "record_count", "shelf_count", "problem",
    )  # fmt: skip

    class Meta:
        model = Connection
        fields = ()

    def show_vendor(self, value: Any, record: Connection) -> str:
        """By its name."""
        return vendor_label(value)

    def export_vendor(self, value: Any, record: Connection) -> Cell:
        """By its name."""
        return vendor_label(value)

    def show_state(self, value: Any, record: Connection) -> str:
        """Where it stands; one that is not in step yet, or should be and is not, says so."""
        label, tone = self._standing(record)
        return parts.badge(label, tone)

    def export_state(self, value: Any, record: Connection) -> Cell:
        """In words."""
        return self._standing(record)[0]

    def _standing(self, record: Connection) -> tuple[str, str]:
        if record.state == ConnectionState.RUNNING and record.failing_since is not None:
            return _("Fails"), "red"
        if record.state == ConnectionState.RUNNING and record.last_success_at is None:
            return _("First load"), "blue"
        return str(record.get_state_display()), CONNECTION_TONES.get(record.state, "grey")

    def show_lag(self, value: Any, record: Connection) -> str:
        """How long ago it was in step, and whether that is too long."""
        if self.now is None or value is None:
            return str(parts.NOTHING)
        ago = parts.moment(value, self.now)
        return format_html("{} {}", parts.badge(_("stale"), "amber"), ago) if is_stale(record, self.now) else ago

    def export_lag(self, value: Any, record: Connection) -> Cell:
        """Whether it is stale."""
        return bool(self.now is not None and is_stale(record, self.now))

    def show_problem(self, value: Any, record: Connection) -> str:
        """In words."""
        problem = problem_of(value)
        return problem.text(_) if problem else ""

    def export_problem(self, value: Any, record: Connection) -> Cell:
        """In words."""
        return self.show_problem(value, record)


class ObjectColumn(PortalColumn):
    """An object by the name that its vendor's users know: the page knows the connection, so it sets `object_label`."""

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """The name, or the vendor's own word."""
        return str(getattr(record, "object_label", "") or value)


class RawRecordTable(PortalTable):
    """What a connection brought."""

    external_id = LinkColumn("connectors:rawrecord_detail", verbose_name=gettext_lazy("Id at the source"))
    object = ObjectColumn(accessor="stream__object", verbose_name=gettext_lazy("Object"))
    kind = PortalColumn(accessor="stream__kind", verbose_name=gettext_lazy("Becomes"))
    state = BadgeColumn(accessor="state", tones=RAW_TONES)
    title = PortalColumn(accessor="pk", orderable=False, verbose_name=gettext_lazy("Name at the source"))
    problems = ReasonColumn(orderable=False, verbose_name=gettext_lazy("Problems"))
    version = PortalColumn(orderable=False, verbose_name=gettext_lazy("Version"))
    received_at = MomentColumn(ago=True, verbose_name=gettext_lazy("Received"), initial_sort_descending=True)

    default_columns: ClassVar[Sequence[str]] = (
        "external_id", "title", "object", "kind", "state", "version", "received_at",
    )  # fmt: skip

    class Meta:
        model = RawRecord
        fields = ()

    def show_title(self, value: Any, record: RawRecord) -> str:
        """As the page has read it from the payload."""
        return str(getattr(record, "title", ""))

    def export_title(self, value: Any, record: RawRecord) -> Cell:
        """As the page has read it from the payload."""
        return self.show_title(value, record)

    def show_kind(self, value: Any, record: RawRecord) -> str:
        """In words."""
        return _(KINDS[value].label) if value in KINDS else str(value)

    def export_kind(self, value: Any, record: RawRecord) -> Cell:
        """In words."""
        return self.show_kind(value, record)

    def show_problems(self, value: Any, record: RawRecord) -> str:
        """Each in words."""
        return " · ".join(_said(Problem.from_plain(each)) for each in record.problems)

    def export_problems(self, value: Any, record: RawRecord) -> Cell:
        """Each in words."""
        return self.show_problems(value, record)


class ShelfTable(RawRecordTable):
    """What could not be taken."""

    default_columns = ("external_id", "title", "object", "problems", "state", "received_at")


class SyncRunTable(PortalTable):
    """The runs over a connection."""

    started_at = MomentColumn(verbose_name=gettext_lazy("Started at"), initial_sort_descending=True)
    kind = ChoiceColumn(verbose_name=gettext_lazy("Kind"))
    state = BadgeColumn(accessor="state", tones=RUN_TONES)
    took = PortalColumn(accessor="finished_at", orderable=False, verbose_name=gettext_lazy("Took"))
    created = NumberColumn(accessor="counts", orderable=False, verbose_name=gettext_lazy("Created"))
    changed = NumberColumn(accessor="counts", orderable=False, verbose_name=gettext_lazy("Changed"))
    unchanged = NumberColumn(accessor="counts", orderable=False, verbose_name=gettext_lazy("Left alone"))
    refused = NumberColumn(accessor="counts", orderable=False, verbose_name=gettext_lazy("Refused"))
    held = NumberColumn(accessor="counts", orderable=False, verbose_name=gettext_lazy("Held"))
    removed = NumberColumn(accessor="counts", orderable=False, verbose_name=gettext_lazy("Removed"))
    pages = NumberColumn(orderable=False, verbose_name=gettext_lazy("Pages"))
    problem = ReasonColumn(accessor="error", orderable=False, verbose_name=gettext_lazy("Problem"))

    default_columns = (
        "started_at", "kind", "state", "took", "created", "changed", "unchanged", "refused", "held", "removed", "problem",
    )  # fmt: skip

    class Meta:
        model = SyncRun
        fields = ()

    def show_took(self, value: Any, record: SyncRun) -> str:
        """Its length."""
        if value is None:
            return str(parts.NOTHING)
        seconds = max(int((value - record.started_at).total_seconds()), 0)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def export_took(self, value: Any, record: SyncRun) -> Cell:
        """In seconds."""
        return None if value is None else int((value - record.started_at).total_seconds())

    def show_created(self, value: Any, record: SyncRun) -> str:
        """Over all objects."""
        return display.number(_summed(record, "created"))

    def show_changed(self, value: Any, record: SyncRun) -> str:
        """Over all objects."""
        return display.number(_summed(record, "changed"))

    def show_unchanged(self, value: Any, record: SyncRun) -> str:
        """Over all objects."""
        return display.number(_summed(record, "unchanged"))

    def show_refused(self, value: Any, record: SyncRun) -> str:
        """Over all objects."""
        return display.number(_summed(record, "refused"))

    def show_held(self, value: Any, record: SyncRun) -> str:
        """Over all objects."""
        return display.number(_summed(record, "held"))

    def show_removed(self, value: Any, record: SyncRun) -> str:
        """Over all objects."""
        return display.number(_summed(record, "removed"))

    def export_created(self, value: Any, record: SyncRun) -> Cell:
        """Over all objects."""
        return _summed(record, "created")

    def export_changed(self, value: Any, record: SyncRun) -> Cell:
        """Over all objects."""
        return _summed(record, "changed")

    def export_unchanged(self, value: Any, record: SyncRun) -> Cell:
        """Over all objects."""
        return _summed(record, "unchanged")

    def export_refused(self, value: Any, record: SyncRun) -> Cell:
        """Over all objects."""
        return _summed(record, "refused")

    def export_held(self, value: Any, record: SyncRun) -> Cell:
        """Over all objects."""
        return _summed(record, "held")

    def export_removed(self, value: Any, record: SyncRun) -> Cell:
        """Over all objects."""
        return _summed(record, "removed")

    def show_problem(self, value: Any, record: SyncRun) -> str:
        """In words."""
        problem = problem_of(value)
        return problem.text(_) if problem else ""

    def export_problem(self, value: Any, record: SyncRun) -> Cell:
        """In words."""
        return self.show_problem(value, record)


class WebhookEventTable(PortalTable):
    """What a vendor pushed."""

    key = PortalColumn(verbose_name=gettext_lazy("Event"))
    object = PortalColumn(verbose_name=gettext_lazy("Object"))
    external_id = PortalColumn(verbose_name=gettext_lazy("Id at the source"))
    state = BadgeColumn(accessor="state", tones=EVENT_TONES)
    occurred_at = MomentColumn(verbose_name=gettext_lazy("Occurred at"))
    received_at = MomentColumn(verbose_name=gettext_lazy("Received"), initial_sort_descending=True)
    handled_at = MomentColumn(verbose_name=gettext_lazy("Handled"))
    problem = ReasonColumn(accessor="error", orderable=False, verbose_name=gettext_lazy("Problem"))

    default_columns = ("key", "object", "external_id", "state", "received_at", "problem")

    class Meta:
        model = WebhookEvent
        fields = ()

    def show_problem(self, value: Any, record: WebhookEvent) -> str:
        """In words."""
        problem = problem_of(value)
        return problem.text(_) if problem else ""

    def export_problem(self, value: Any, record: WebhookEvent) -> Cell:
        """In words."""
        return self.show_problem(value, record)


class OutgoingTable(PortalTable):
    """What was changed here and written back."""

    record = LinkColumn(
        "connectors:rawrecord_detail",
        accessor="record__external_id",
        pk_field="record_id",
        verbose_name=gettext_lazy("Record"),
    )
    object = ObjectColumn(accessor="record__stream__object", verbose_name=gettext_lazy("Object"))
    fields = PortalColumn(orderable=False, verbose_name=gettext_lazy("What changes there"))
    state = BadgeColumn(accessor="state", tones=OUTGOING_TONES)
    attempts = NumberColumn(verbose_name=gettext_lazy("Attempts"))
    made_at = MomentColumn(verbose_name=gettext_lazy("Changed here"), initial_sort_descending=True)
    sent_at = MomentColumn(verbose_name=gettext_lazy("Written at"))
    problem = ReasonColumn(accessor="error", orderable=False, verbose_name=gettext_lazy("Problem"))

    default_columns = ("record", "object", "fields", "state", "made_at", "sent_at", "problem")

    class Meta:
        model = Outgoing
        fields = ()

    def show_fields(self, value: Any, record: Outgoing) -> str:
        """Field by field: what the source said, what it is told. The page has put it into words."""
        changes: Sequence[Told] = getattr(record, "told", ())
        return " · ".join(f"{each.label}: {each.before or '—'} → {each.after or '—'}" for each in changes)

    def export_fields(self, value: Any, record: Outgoing) -> Cell:
        """Field by field."""
        return self.show_fields(value, record)

    def show_problem(self, value: Any, record: Outgoing) -> str:
        """In words."""
        problem = problem_of(value)
        return problem.text(_) if problem else ""

    def export_problem(self, value: Any, record: Outgoing) -> Cell:
        """In words."""
        return self.show_problem(value, record)


class DriftTable(PortalTable):
    """Where reconciling found a difference."""

    external_id = LinkColumn(
        "connectors:rawrecord_detail", pk_field="raw_pk", verbose_name=gettext_lazy("Id at the source")
    )
    title = PortalColumn(accessor="pk", orderable=False, verbose_name=gettext_lazy("Name at the source"))
    object = ObjectColumn(accessor="stream__object", verbose_name=gettext_lazy("Object"))
    differing = ReasonColumn(accessor="pk", orderable=False, verbose_name=gettext_lazy("Here → at the source"))
    kind = BadgeColumn(
        accessor="kind", tones={"missing_here": "amber", "missing_there": "violet", "differs": "blue"},
        verbose_name=gettext_lazy("What differs"),
    )  # fmt: skip
    found_at = MomentColumn(verbose_name=gettext_lazy("Found"), initial_sort_descending=True)
    mended_at = MomentColumn(verbose_name=gettext_lazy("Mended"))

    default_columns = ("external_id", "title", "object", "kind", "differing", "found_at", "mended_at")

    class Meta:
        model = Drift
        fields = ()

    def show_title(self, value: Any, record: Drift) -> str:
        """As the page has read it from the payload."""
        return str(getattr(record, "title", ""))

    def export_title(self, value: Any, record: Drift) -> Cell:
        """As the page has read it from the payload."""
        return self.show_title(value, record)

    def show_differing(self, value: Any, record: Drift) -> str:
        """Field by field."""
        return "; ".join(
            f"{each.label}: {each.before or '—'} → {each.after or '—'}" for each in getattr(record, "told", ())
        )

    def export_differing(self, value: Any, record: Drift) -> Cell:
        """Field by field."""
        return self.show_differing(value, record)


def _summed(run: SyncRun, name: str) -> int:
    """One count of a run over all its objects."""
    return sum(int(counts.get(name, 0)) for counts in run.counts.values())
