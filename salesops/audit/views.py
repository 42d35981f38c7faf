"""Pages of the audit: the list for those who keep the books, and one entry with all that was changed."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.audit.filters import AuditEntryFilter
from salesops.audit.querysets import READERS
from salesops.audit.selectors import entries_for, entry_for
from salesops.audit.tables import AuditEntryTable
from salesops.audit.wording import described
from salesops.core.views import Empty, ScopedDetailView, ScopedListView


class AuditEntryListView(ScopedListView):
    """Who changed what."""

    selector = entries_for
    table_class = AuditEntryTable
    filterset_class = AuditEntryFilter
    roles = tuple(sorted(READERS))
    title = _("Audit")
    template_name = "audit/entry_list.html"
    empty = Empty(
        _("Nothing recorded yet"), _("Every change of roles, owners, stages, plans and pay is kept here."), "history"
    )


class AuditEntryDetailView(ScopedDetailView):
    """One entry: before and after, and its place in the chain."""

    selector = entry_for
    roles = tuple(sorted(READERS))
    template_name = "audit/entry_detail.html"

    def get_context(self) -> dict[str, Any]:
        """The entry in words."""
        (shown,) = described([self.object])
        return {"shown": shown, "title": shown.title}
