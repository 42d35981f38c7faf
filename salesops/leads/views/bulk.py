"""Many leads at once, from the list: what would change, then exactly that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from salesops.accounts.forms import BulkAssignForm
from salesops.accounts.views.accounts import EDITORS, as_changes, told
from salesops.core.views import BulkView, Change
from salesops.leads.forms import LeadBulkForm
from salesops.leads.models import Lead
from salesops.leads.services import LeadChanges, bulk_edit, plan_bulk_edit
from salesops.leads.views.leads import LeadListView


class _BulkLeadsView(BulkView):
    """What both bulk pages share: the plan as a preview, then the service."""

    roles = EDITORS
    list_view = LeadListView
    back_url = "leads:lead_list"

    def changes(self, form: Any) -> LeadChanges:
        """What the form asks for."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it changes")

    def preview(self, rows: QuerySet[Lead], form: Any) -> Sequence[Change]:
        """What `apply` would do to each row now."""
        keys = list(rows.values_list("pk", flat=True))
        return as_changes(
            plan_bulk_edit(actor=self.actor, lead_ids=keys, changes=self.changes(form), at=self.now), Lead
        )

    def apply(self, rows: QuerySet[Lead], form: Any) -> str:
        """Change them."""
        keys = list(rows.values_list("pk", flat=True))
        reason = form.cleaned_data.get("reason", "")
        done = bulk_edit(actor=self.actor, lead_ids=keys, changes=self.changes(form), at=self.now, reason=reason)
        return told(done)


class LeadBulkEditView(_BulkLeadsView):
    """Status, origin, segment or campaign of many leads."""

    form_class, title, submit_label = LeadBulkForm, _("Edit leads"), _("Change them")

    def changes(self, form: LeadBulkForm) -> LeadChanges:
        """What the form asks for."""
        return form.changes


class LeadBulkAssignView(_BulkLeadsView):
    """Owner or pod of many leads."""

    form_class, title, submit_label = BulkAssignForm, _("Reassign leads"), _("Reassign them")

    def get_form(self, data: Any = None) -> Any:
        """The form asks who may own leads now."""
        return self.form_class(data, actor=self.actor, at=self.now)

    def changes(self, form: BulkAssignForm) -> LeadChanges:
        """What the form asks for."""
        return LeadChanges(**form.given)
