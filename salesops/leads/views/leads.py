"""The list of leads, one lead, and the forms that change one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from salesops.accounts.selectors import accounts_for
from salesops.accounts.views.accounts import EDITORS, READERS
from salesops.accounts.views.newer import MindsNewerMixin
from salesops.accounts.views.removal import RestoreView, removal_context
from salesops.core.actor import Role
from salesops.core.views import (
    BulkAction,
    Empty,
    MoneyTotal,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.leads.choices import OPEN_STATUSES, LeadStatus
from salesops.leads.filters import LeadFilter
from salesops.leads.forms import (
    AssignForm,
    ConvertForm,
    LeadCreateForm,
    LeadForm,
    SpicedForm,
    StatusForm,
    lead_initial,
    spiced_initial,
)
from salesops.leads.models import Lead
from salesops.leads.models.spiced import Spiced
from salesops.leads.selectors import accounts_like, assignments_of, lead_for, leads_for, same_person
from salesops.leads.selectors.board import ASSIGNERS
from salesops.leads.selectors.chances import chance_shown
from salesops.leads.selectors.leads import lead_or_removed_for, merged_into_it, standing_merge
from salesops.leads.selectors.routing import rules_in_force
from salesops.leads.selectors.routing_versions import versions_to_try
from salesops.leads.selectors.score_versions import READERS as RULE_READERS
from salesops.leads.selectors.score_versions import score_versions_to_try
from salesops.leads.selectors.scores import record_of_grade, score_shown
from salesops.leads.selectors.spiced import lead_spiced_for, spiced_shown
from salesops.leads.selectors.ways import HELD, Gone, clock_of, ways_of, why_it_waits
from salesops.leads.services import assign_lead, convert_lead, create_lead, edit_lead, set_lead_spiced, set_status
from salesops.leads.services.merging import may_let_go
from salesops.leads.services.removal import restore_leads
from salesops.leads.services.routing import ROUTED_STATUSES, Routed, try_lead
from salesops.leads.services.turns import may_give_back
from salesops.leads.tables import TONES, LeadTable, tone_of_grade
from salesops.people.choices import WINNING_FUNCTIONS


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A way to see the leads, one click away."""

    label: str
    query: str
    is_active: bool


class LeadListView(ScopedListView):
    """The leads that the actor sees."""

    roles: ClassVar[tuple[Role, ...]] = READERS
    selector = leads_for
    table_class, filterset_class = LeadTable, LeadFilter
    totals = (MoneyTotal(_("Estimated value"), "estimated_minor"),)
    bulk_actions = (
        BulkAction(_("Edit"), "leads:lead_bulk_edit", icon="edit", roles=EDITORS),
        BulkAction(_("Reassign"), "leads:lead_bulk_assign", icon="users", roles=EDITORS),
        BulkAction(_("Log an activity"), "activities:lead_log", icon="pencil-plus", roles=EDITORS),
    )
    create_url, create_label = "leads:lead_create", _("New lead")
    empty = Empty(
        _("No leads yet"), _("Add the first one, or import a list: from then on nobody slips through."), "target-arrow"
    )

    def get_context(self) -> dict[str, Any]:
        """The usual ways to look at leads."""
        is_open = [("status", status.value) for status in OPEN_STATUSES]
        ways: list[tuple[str, list[tuple[str, str]]]] = [(translate("All"), []), (pgettext("lead", "Open"), is_open)]
        if self.actor.has(Role.REP):
            ways.append((translate("Mine"), [("owner", str(self.actor.user_id)), *is_open]))
        ways.append((translate("Never touched"), [*is_open, ("untouched", "yes")]))
        if self.actor.has(*ASSIGNERS):
            ways.append((translate("Given to nobody"), [*is_open, ("unassigned", "yes")]))
            ways.append((translate("Nobody's or untouched"), [("unworked", "yes")]))
            ways.append((translate("Duplicates"), [*is_open, ("duplicate", "yes")]))
        now = sorted(self._pairs(self.clean_query(keep=frozenset())))
        shortcuts = []
        for label, pairs in ways:
            query = QueryDict(mutable=True)
            for name, value in pairs:
                query.appendlist(name, value)
            shortcuts.append(Shortcut(label, query.urlencode() or "view=", sorted(pairs) == now))
        return {"shortcuts": shortcuts, "sees_board": self.actor.has(*ASSIGNERS)}

    @staticmethod
    def _pairs(query: QueryDict) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, values in query.lists() for value in values]


class LeadDetailView(ScopedDetailView):
    """One lead: who it is, whose it is and why, what came of it."""

    roles = READERS
    selector = lead_or_removed_for

    def get_context(self) -> dict[str, Any]:
        """What hangs on the lead. The timeline is fetched by the page from the activities room."""
        lead: Lead = self.object
        is_open = lead.status in OPEN_STATUSES and not lead.is_removed
        score = score_shown(self.actor, lead, self.now)
        assignments = list(assignments_of(self.actor, lead)[:30])
        merge = standing_merge(self.actor, lead) if lead.is_removed else None
        ways = ways_of(self.actor, [Gone(each.pk, each.path, each.person_id) for each in assignments])
        account_seen = lead.account_id and accounts_for(self.actor).filter(pk=lead.account_id).exists()
        return {
            "may_edit": self.actor.may_edit_work and not lead.is_removed,
            **removal_context(self.actor, lead),
            "merge": merge,
            "may_part": merge is not None and may_let_go(self.actor, lead),
            "merged": list(merged_into_it(self.actor, lead)[:20]),
            "tone": TONES[LeadStatus(lead.status)],
            "is_open": is_open,
            "about": f"lead-{lead.pk}",
            "may_give_back": may_give_back(self.actor, lead),
            "assignments": [(each, ways.get(each.pk)) for each in assignments],
            "waits_because": why_it_waits(lead) if is_open else "",
            "clock": clock_of(self.actor, lead),
            "twins": list(same_person(self.actor, lead).select_related("owner")[:5]),
            "known_accounts": accounts_like(self.actor, lead) if is_open else [],
            "is_account_seen": bool(account_seen),
            "score": score,
            "score_tone": tone_of_grade(score.grade) if score else "",
            "grade_record": record_of_grade(score.grade) if score else None,
            "sees_rules": self.actor.has(*RULE_READERS),
            "chance": chance_shown(lead) if is_open else None,
            "routing_to_try": versions_to_try(self.actor),
            "scores_to_try": score_versions_to_try(self.actor),
            "may_hand_off": not self.actor.functions.isdisjoint(WINNING_FUNCTIONS),
            "spiced": spiced_shown(lead_spiced_for(self.actor, lead.pk)),
            "spiced_url": reverse("leads:lead_spiced", args=[lead.pk])
            if self.actor.may_edit_work and not lead.is_removed
            else "",
        }


class LeadRestoreView(RestoreView):
    """Brings a removed lead back."""

    selector = lead_or_removed_for
    service = restore_leads


class LeadCreateView(ScopedCreateView):
    """A new lead."""

    roles = EDITORS
    form_class, title, back_url = LeadCreateForm, _("New lead"), "leads:lead_list"
    submit_label = _("Add lead")
    success_message = _("Added the lead “%(object)s”.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may own leads now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: LeadCreateForm) -> Lead | str:
        """Make it."""
        lead = create_lead(actor=self.actor, at=self.now, **form.given)
        return page_of(self, Lead.objects.get(pk=lead.merged_into_id or lead.pk))


class LeadEditView(MindsNewerMixin, ScopedEditView):
    """The facts of a lead."""

    roles = EDITORS
    selector = lead_for
    form_class, title = LeadForm, _("Edit lead")
    success_message = _("Saved the lead.")
    template_name = "accounts/account_form.html"

    def get_initial(self) -> dict[str, Any]:
        """The lead's own values."""
        return lead_initial(self.object)

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    def write(self, form: LeadForm) -> Lead:
        """Write what differs."""
        return edit_lead(
            actor=self.actor,
            lead_id=self.object.pk,
            at=self.now,
            seen_at=form.cleaned_data["seen_at"],
            **form.facts,
        )


class LeadSpicedView(ScopedEditView):
    """What is known of a lead by SPICED. Who was slower than somebody else loses nothing."""

    roles = EDITORS
    selector = lead_for
    form_class, title = SpicedForm, "SPICED"
    success_message = _("Saved what is known.")

    def get_initial(self) -> dict[str, Any]:
        """What is known now."""
        return spiced_initial(lead_spiced_for(self.actor, self.object.pk))

    def save(self, form: SpicedForm) -> Lead:
        """Write what differs."""
        seen_at = form.cleaned_data["seen_at"]
        try:
            set_lead_spiced(actor=self.actor, lead_id=self.object.pk, at=self.now, seen_at=seen_at, **form.facts)
        except ValidationError as error:
            see_newer(form, error, lead_spiced_for(self.actor, self.object.pk))
            raise
        found: Lead = self.object
        return found


def see_newer(form: SpicedForm, error: ValidationError, row: Spiced | None) -> None:
    """Take newer words as seen, so that saving again overwrites them knowingly; and show them beside what was typed."""
    if getattr(error, "code", "") != "stale" or row is None:
        return
    posted = cast(QueryDict, form.data).copy()
    posted["seen_at"] = row.updated_at.isoformat()
    form.data = posted
    for name, typed in form.facts.items():
        now = getattr(row, name)
        if now and now != typed:
            form.add_error(name, ValidationError(translate("Now it says: %(text)s") % {"text": now}))


class LeadStatusView(ScopedEditView):
    """Where the lead stands."""

    roles = EDITORS
    selector = lead_for
    form_class, title = StatusForm, _("Change the status")
    success_message = _("Saved the status.")

    def get_initial(self) -> dict[str, Any]:
        """The status now, or the one that was clicked (`?status=working`)."""
        lead: Lead = self.object
        asked = self.request.GET.get("status", "")
        return {"status": asked if asked in LeadStatus.values else lead.status, "because": lead.disqualified_because}

    def save(self, form: StatusForm) -> Lead:
        """Move it."""
        return set_status(actor=self.actor, lead_id=self.object.pk, at=self.now, **form.values)


class LeadAssignView(ScopedEditView):
    """To whom the lead goes."""

    roles = EDITORS
    selector = lead_for
    form_class, title, submit_label = AssignForm, _("Reassign lead"), _("Reassign")
    success_message = _("Saved whose lead it is.")

    @cached_property
    def suggested(self) -> Routed | None:
        """What the rules in force would do with the lead now; None where there are none."""
        ruleset = rules_in_force()
        return try_lead(lead=self.object, ruleset=ruleset, at=self.now) if ruleset else None

    def get_context(self) -> dict[str, Any]:
        """To whom it would go by the rules, and why."""
        tried = self.suggested
        if tried is None or self.object.status not in ROUTED_STATUSES:
            return {}
        if tried.held is not None:
            return {"lead": translate("By the rules it would wait: %(why)s.") % {"why": HELD[tried.held]}}
        way = ways_of(self.actor, [Gone(0, tried.path, tried.person)])[0]
        words = {"steps": " ".join(way.steps[-1:]), "end": way.end}
        return {"lead": translate("By the rules: %(steps)s %(end)s") % words}

    def get_initial(self) -> dict[str, Any]:
        """Who has it now; where nobody has, whom the rules suggest."""
        lead: Lead = self.object
        owner = lead.owner_id
        if owner is None and lead.status in ROUTED_STATUSES and self.suggested is not None:
            owner = self.suggested.person
        return {"owner": owner, "pod": lead.pod_id if lead.owner_id is None else None}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may own leads now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: AssignForm) -> Lead | str:
        """Give it."""
        values = form.values
        pod = {"pod": values["pod"]} if values["pod"] or values["owner"] is None else {}
        assign_lead(
            actor=self.actor,
            lead_id=self.object.pk,
            at=self.now,
            owner=values["owner"],
            reason=values["reason"],
            **pod,
        )
        return page_of(self, self.object)


class LeadConvertView(ScopedEditView):
    """The lead becomes an account and a contact, and from there a deal."""

    roles = EDITORS
    selector = lead_for
    form_class, title, submit_label = ConvertForm, _("Convert lead"), _("Convert")
    template_name = "leads/lead_convert.html"
    dialog_template_name = "accounts/contact_dialog.html"
    success_message = _("Converted the lead. Now make the deal.")

    def get_initial(self) -> dict[str, Any]:
        """The account that is known for the lead's company, else a new one of that name."""
        lead: Lead = self.object
        known = [lead.account] if lead.account_id else accounts_like(self.actor, lead)
        if len(known) == 1:
            return {"account": known[0]}
        return {"account_name": lead.company or lead.name}

    def get_context(self) -> dict[str, Any]:
        """The accounts that may be meant."""
        return {"lead_row": self.object, "known_accounts": accounts_like(self.actor, self.object)}

    def save(self, form: ConvertForm) -> Lead | str:
        """Convert it; the form of a deal from it is next, where there is one."""
        values = form.values
        done = convert_lead(
            actor=self.actor,
            lead_id=self.object.pk,
            at=self.now,
            account_id=values["account"].pk if values["account"] else None,
            account_name=values["account_name"],
        )
        try:
            return f"{reverse('deals:deal_create')}?lead={done.lead.pk}"
        except NoReverseMatch:
            return done.lead


def page_of(view: PortalView, lead: Lead) -> Lead | str:
    """The lead's page, or the list for whoever has just given it out of their own sight."""
    return lead if leads_for(view.actor).filter(pk=lead.pk).exists() else reverse("leads:lead_list")
