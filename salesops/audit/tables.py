"""The table of the audit page."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.audit.models import AuditEntry
from salesops.audit.wording import described, title_of
from salesops.core.tables import LinkColumn, MomentColumn, NumberColumn, PortalColumn, PortalTable


class AuditEntryTable(PortalTable):
    """Who did what to which row, newest first."""

    sequence = LinkColumn("audit:entry_detail", verbose_name=_("Number"))
    at = MomentColumn(verbose_name=_("At"), orderable=False)
    actor_name = PortalColumn(verbose_name=_("Who"), orderable=False)
    action = PortalColumn(verbose_name=_("What"), orderable=False)
    subject_label = PortalColumn(verbose_name=_("About"), orderable=False)
    changes = PortalColumn(verbose_name=_("Changes"), accessor="sequence", orderable=False)
    reason = PortalColumn(verbose_name=_("Reason"), orderable=False)
    request_id = PortalColumn(verbose_name=_("Request"), orderable=False)
    actor_id = NumberColumn(verbose_name=_("Who (id)"), orderable=False)
    entry_hash = PortalColumn(verbose_name=_("Hash"), orderable=False)

    default_columns = ("sequence", "at", "actor_name", "action", "subject_label", "changes", "reason")

    class Meta:
        model = AuditEntry
        fields = ()

    _texts: dict[int, str] | None = None

    def show_action(self, value: str, record: AuditEntry) -> str:
        """The action in words."""
        return title_of(value)

    def show_changes(self, value: int, record: AuditEntry) -> str:
        """The first changes of the row, worked out once for the whole page."""
        if self._texts is None:
            self._texts = {each.entry.sequence: _summary(each.lines) for each in described(self.data)}
        return self._texts.get(value, "")

    def export_changes(self, value: int, record: AuditEntry) -> str:
        """All changes as they are kept."""
        names = {**record.before, **record.after}
        return "; ".join(f"{name}: {record.before.get(name)} → {record.after.get(name)}" for name in names)


def _summary(lines: list[Any]) -> str:
    """The first few changes in one line."""
    texts = [
        f"{line.label}: {line.before} → {line.after or '—'}" if line.before else f"{line.label}: {line.after}"
        for line in lines[:3]
    ]
    if len(lines) > 3:
        texts.append("…")
    return " · ".join(texts)[:300]
