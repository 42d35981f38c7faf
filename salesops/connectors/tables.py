"""Tables of the connectors room."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.connectors.models import FileImport, RejectedRow
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.selectors.imports import cell_texts
from salesops.core.tables import (
    BadgeColumn,
    Cell,
    LinkColumn,
    MomentColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
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
    problems = PortalColumn(orderable=False, verbose_name=gettext_lazy("Column and reason"))
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
