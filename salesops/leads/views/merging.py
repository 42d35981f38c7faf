"""Two leads become one, and two again."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.views.accounts import EDITORS
from salesops.core.views import ConfirmView, ScopedEditView
from salesops.leads.forms import MergeForm
from salesops.leads.models import Lead
from salesops.leads.rules.statuses import CONVERTED
from salesops.leads.selectors import lead_for, same_person
from salesops.leads.selectors.leads import lead_or_removed_for, standing_merge
from salesops.leads.services.merging import join_leads, may_let_go, part_leads
from salesops.leads.views.leads import page_of


class LeadMergeView(ScopedEditView):
    """Somebody says that two leads are the same."""

    roles = EDITORS
    selector = lead_for
    form_class, title, submit_label = MergeForm, _("Merge two leads"), _("Merge")
    lead = _(
        "Activities, deals and hand-offs of the other go to the one that stays, which also takes over what it lacks. "
        "Whose turn the other was has it back. It can be undone."
    )
    success_message = _("Merged the leads.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who else may be the same."""
        return super().get_form_kwargs() | {"lead": self.object}

    def get_initial(self) -> dict[str, Any]:
        """The other one that was clicked (`?other=17`); what was converted stays, else what came first."""
        lead: Lead = self.object
        asked = self.request.GET.get("other", "")
        others = same_person(self.actor, lead)
        other = others.filter(pk=int(asked)).first() if asked.isdecimal() and len(asked) <= 18 else others.last()
        if other is None:
            return {}
        is_this = (lead.status != CONVERTED, lead.created_at, lead.pk) < (
            other.status != CONVERTED,
            other.created_at,
            other.pk,
        )
        return {"other": other.pk, "stays": MergeForm.THIS if is_this else MergeForm.OTHER}

    def save(self, form: MergeForm) -> Lead | str:
        """Merge them and show the one that stays."""
        reason = form.cleaned_data["reason"]
        merge = join_leads(actor=self.actor, lead_id=form.lost.pk, into=form.kept.pk, at=self.now, reason=reason)
        return page_of(self, merge.stays)


class LeadPartView(ConfirmView):
    """Somebody takes a merge back."""

    roles = EDITORS
    selector = lead_or_removed_for
    title, submit_label, is_danger = _("Undo the merge"), _("Undo the merge"), False
    success_message = _("They are two leads again.")

    def get_context(self) -> dict[str, Any]:
        """What happens. Refuses whoever may not, before they confirm."""
        lead: Lead = self.object
        merge = standing_merge(self.actor, lead)
        if merge is not None and not may_let_go(self.actor, lead):
            raise PermissionDenied
        stays = merge.stays if merge else lead.merged_into
        if stays is None:
            return {}
        return {
            "lead": translate(
                "%(lead)s is there again, with what was its own before it was merged into %(stays)s and has not been "
                "changed since."
            )
            % {"lead": lead, "stays": stays}
        }

    def save(self, form: Any) -> Lead:
        """Take it back."""
        return part_leads(actor=self.actor, lead_id=self.object.pk, at=self.now)
