"""How leads find their people: giving one back, pools, routing rules."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from salesops.accounts.views.accounts import EDITORS
from salesops.core.views import ScopedEditView
from salesops.leads.forms import GiveBackForm
from salesops.leads.models import Lead
from salesops.leads.selectors import lead_for
from salesops.leads.services.turns import give_back, may_give_back
from salesops.leads.views.leads import page_of


class LeadGiveBackView(ScopedEditView):
    """Somebody gives a lead back, or says that it is none."""

    roles = EDITORS
    selector = lead_for
    form_class, title, submit_label = GiveBackForm, _("Give the lead back"), _("Give back")
    lead = _("It goes to somebody else by the rules, and its turn comes back to whoever has it now.")
    success_message = _("Gave the lead back.")

    def get_initial(self) -> dict[str, Any]:
        """Nothing: a reason is typed. Refuses whoever may not, before they type."""
        lead: Lead = self.object
        if lead.owner_id is not None and not may_give_back(self.actor, lead):
            raise PermissionDenied
        return {}

    def save(self, form: GiveBackForm) -> Lead | str:
        """Give it."""
        lead = give_back(actor=self.actor, lead_id=self.object.pk, at=self.now, **form.values)
        return page_of(self, lead)
