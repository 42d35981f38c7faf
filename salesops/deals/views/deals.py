"""The list of deals, one deal, and the forms that change one."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account
from salesops.accounts.selectors import contacts_for
from salesops.accounts.views.removal import RestoreView, removal_context
from salesops.core import display
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.views import (
    BulkAction,
    Empty,
    MoneyTotal,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.deals.choices import EscalationState, GuardOutcome, StageKind
from salesops.deals.filters import DealFilter, ProductFilter
from salesops.deals.forms import DealCreateForm, DealForm, MoveForm, ReassignForm
from salesops.deals.guard_tables import ANSWER_TONES, OUTCOME_TONES
from salesops.deals.models import Deal, Stage
from salesops.deals.rules.ageing import age_of
from salesops.deals.rules.stages import CLOSED_DEAL
from salesops.deals.selectors import deal_for, deals_for, products_for, stages
from salesops.deals.selectors.deals import days_in_stage, deal_or_removed_for, deal_spiced_of, owners_of
from salesops.deals.selectors.guard import guard_shown
from salesops.deals.selectors.handoffs import hand_offs_of, may_hand_off
from salesops.deals.services import StaleDealError, create_deal, edit_deal, move_deal, reassign
from salesops.deals.services.guard import may_answer
from salesops.deals.services.removal import restore_deals
from salesops.deals.services.spiced import set_deal_spiced
from salesops.deals.tables import TONES, DealTable, ProductTable
from salesops.leads.forms import SpicedForm, spiced_initial
from salesops.leads.models import Lead
from salesops.leads.selectors.spiced import spiced_shown
from salesops.leads.views.leads import see_newer

#: Roles that see single deals, and those of them that change deals.
READERS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
EDITORS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN)


class DealListView(ScopedListView):
    """The deals that the actor sees."""

    rests_on = ("deals",)
    roles: ClassVar[tuple[Role, ...]] = READERS
    selector = deals_for
    table_class, filterset_class = DealTable, DealFilter
    totals = (MoneyTotal(_("Amount"), "amount_minor"),)
    bulk_actions = (
        BulkAction(_("Edit"), "deals:deal_bulk_edit", icon="edit", roles=EDITORS),
        BulkAction(_("Reassign"), "deals:deal_bulk_reassign", icon="users", roles=EDITORS),
        BulkAction(_("Log an activity"), "activities:deal_log", icon="pencil-plus", roles=EDITORS),
    )
    create_url, create_label = "deals:deal_create", _("New deal")
    empty = Empty(_("No deals yet"), _("Add the first deal, or import your pipeline from a file."), "briefcase", "", "")

    def get_context(self) -> dict[str, Any]:
        """The way to the same deals on the board and in the forecast."""
        return {"shared_query": self.clean_query(keep=frozenset({"view"})).urlencode(), "shown_as": "list"}


class DealDetailView(ScopedDetailView):
    """One deal, with its way through the stages, its lines, shares and contacts."""

    roles = READERS
    selector = deal_or_removed_for

    def get_context(self) -> dict[str, Any]:
        """What hangs on the deal. The timeline is fetched by the page from the activities room."""
        deal: Deal = self.object
        may_edit = self.actor.may_edit_work and not deal.is_removed
        today = company_day(self.now)
        since = deal.opened_on or company_day(deal.created_at)
        contacts = list(deal.account.contacts.order_by("-is_primary", "name")[:20]) if deal.account else []
        is_account_seen = bool(
            deal.account_id and Account.objects.visible_to(self.actor).filter(pk=deal.account_id).exists()
        )
        return {
            "may_edit": may_edit,
            "may_change": may_edit and not is_kept(self.actor, deal),
            **removal_context(self.actor, deal),
            "kept": "" if deal.is_removed else kept_words(self.actor, deal),
            "steps": [stage for stage in stages() if stage.kind == StageKind.OPEN],
            "tone": TONES[StageKind(deal.kind)],
            "age": ((deal.closed_on or today) - since).days,
            "is_overdue": deal.kind == StageKind.OPEN
            and deal.expected_close_on is not None
            and deal.expected_close_on < today,
            "lines": list(deal.lines.select_related("product")),
            "splits": list(deal.splits.select_related("person")),
            "owners": list(owners_of(self.actor, deal)),
            "contacts": contacts if is_account_seen else [],
            "is_account_seen": is_account_seen,
            "is_contact_seen": bool(deal.contact_id and contacts_for(self.actor).filter(pk=deal.contact_id).exists()),
            "is_lead_seen": bool(deal.lead_id and Lead.objects.visible_to(self.actor).filter(pk=deal.lead_id).exists()),
            "about": f"deal-{deal.pk}",
            "hand_off_key": str(deal.pk),
            "hand_offs": hand_offs_of(self.actor, deal),
            "may_hand_off": may_hand_off(self.actor) and not deal.is_removed,
            "spiced": spiced_shown(deal_spiced_of(deal)),
            "spiced_url": reverse("deals:deal_spiced", args=[deal.pk]) if may_edit else "",
            **guard_context(self.actor, deal),
            "aged": age_of(
                days_in_stage(deal, self.now), deal.stage.expected_days, is_open=deal.kind == StageKind.OPEN
            ),
        }


class DealRestoreView(RestoreView):
    """Brings a removed deal back."""

    selector = deal_or_removed_for
    service = restore_deals


class DealCreateView(ScopedCreateView):
    """A new deal, perhaps for an account (`?account=12`) or out of a lead (`?lead=7`)."""

    roles = EDITORS
    form_class, title, back_url = DealCreateForm, _("New deal"), "deals:deal_list"
    submit_label = _("Add deal")
    success_message = _("Added the deal “%(object)s”.")
    template_name = "deals/deal_form.html"

    def get_initial(self) -> dict[str, Any]:
        """What the lead or the account of the address brings."""
        initial: dict[str, Any] = {}
        lead = self.lead
        account_pk = self.request.GET.get("account", "")
        if lead is not None:
            initial["name"] = lead.company or lead.name
            initial["account"] = lead.account
            if lead.estimated_minor is not None:
                initial |= {"amount_minor": lead.estimated_minor, "currency": lead.currency}
        elif account_pk.isdecimal() and len(account_pk) <= 18:
            initial["account"] = Account.objects.get_for(self.actor, pk=int(account_pk))
        stage_pk = self.request.GET.get("stage", "")
        if stage_pk.isdecimal() and len(stage_pk) <= 18:
            initial["stage"] = stages().filter(pk=int(stage_pk), kind=StageKind.OPEN).first()
        return {name: value for name, value in initial.items() if value is not None}

    @property
    def lead(self) -> Lead | None:
        """The lead of the address; 404 when it is not the actor's."""
        given = self.request.GET.get("lead", "")
        if not given:
            return None
        if not given.isdecimal() or len(given) > 18:
            raise Http404
        lead: Lead = Lead.objects.get_for(self.actor, pk=int(given))
        return lead

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may own deals now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: DealCreateForm) -> Deal:
        """Make it."""
        return create_deal(actor=self.actor, at=self.now, lead=self.lead, **form.given)


class DealSpicedView(ScopedEditView):
    """What is known of a deal by SPICED. Who was slower than somebody else loses nothing."""

    roles = EDITORS
    selector = deal_for
    form_class, title = SpicedForm, "SPICED"
    success_message = _("Saved what is known.")

    def get_initial(self) -> dict[str, Any]:
        """What is known now."""
        return spiced_initial(deal_spiced_of(self.object))

    def save(self, form: SpicedForm) -> Deal:
        """Write what differs."""
        seen_at = form.cleaned_data["seen_at"]
        try:
            set_deal_spiced(actor=self.actor, deal_id=self.object.pk, at=self.now, seen_at=seen_at, **form.facts)
        except ValidationError as error:
            see_newer(form, error, deal_spiced_of(self.object))
            raise
        deal: Deal = self.object
        return deal


class DealEditView(ScopedEditView):
    """The typed fields of a deal. Who was slower than somebody else sees both versions and loses nothing."""

    roles = EDITORS
    selector = deal_for
    form_class, title = DealForm, _("Edit deal")
    success_message = _("Saved the deal “%(object)s”.")
    template_name = "deals/deal_form.html"
    theirs: list[dict[str, str]]

    def get_initial(self) -> dict[str, Any]:
        """The deal's own values."""
        names = [name for name in DealForm.base_fields if name not in {"version", "account", "contact", "product"}]
        deal: Deal = self.object
        return {
            **{name: getattr(deal, name) for name in names},
            "account": deal.account,
            "contact": deal.contact_id,
            "product": deal.product_id,
            "version": deal.version,
        }

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the deal."""
        return super().get_form_kwargs() | {"deal": self.object}

    def save(self, form: DealForm) -> Deal:
        """Write what differs."""
        try:
            return edit_deal(
                actor=self.actor,
                deal_id=self.object.pk,
                version=form.cleaned_data["version"],
                at=self.now,
                changes=form.changes,
            )
        except StaleDealError as error:
            self.theirs = differences(form, error.deal)
            posted = self.request.POST.copy()
            posted["version"] = str(error.deal.version)
            form.data = posted
            raise

    def get_context(self) -> dict[str, Any]:
        """What somebody else changed meanwhile, and why most of a closed deal is not offered."""
        return {"theirs": getattr(self, "theirs", []), "kept": kept_words(self.actor, self.object)}


def differences(form: DealForm, deal: Deal) -> list[dict[str, str]]:
    """The fields in which the deal as it is now differs from what was typed, each in words."""
    found = []
    for name, typed in form.changes.items():
        now = getattr(deal, name)
        if typed == now or name not in form.fields:
            continue
        found.append(
            {
                "label": str(form.fields[name].label),
                "typed": _in_words(name, typed, deal),
                "now": _in_words(name, now, deal),
            }
        )
    return found


def _in_words(name: str, value: Any, deal: Deal) -> str:
    if value in (None, ""):
        return display.NOTHING
    if name == "amount_minor":
        return display.money(value, deal.currency)
    if name.endswith("_on"):
        return display.day(value)
    return str(value)


class _UnlessKeptView(ScopedEditView):
    """A form that is not opened for a closed deal whose pay the actor may not change; the service refuses the post."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The form, or 403 with the words."""
        refuse_kept(self.actor, deal_for(self.actor, self.kwargs["pk"]))
        return super().get(request, **kwargs)


class DealMoveView(_UnlessKeptView):
    """To another stage: from the deal's page, or from the board, which asks here for what closing needs."""

    roles = EDITORS
    selector = deal_for
    form_class, submit_label = MoveForm, _("Move")

    @property
    def only(self) -> Stage | None:
        """The stage that the board has already chosen."""
        given = self.request.GET.get("stage", "")
        if not given:
            return None
        found = stages().filter(pk=int(given)).first() if given.isdecimal() and len(given) <= 18 else None
        if found is None:
            raise Http404
        return found

    @property
    def is_from_board(self) -> bool:
        """Whether the board asks: it moves the card itself when this is done."""
        return "board" in self.request.GET

    def get_title(self) -> str:
        """Which deal, and where to."""
        stage = self.only
        if stage is None:
            return translate("Move “%(deal)s”") % {"deal": self.object}
        return translate("Move “%(deal)s” to %(stage)s") % {"deal": self.object, "stage": stage}

    def get_initial(self) -> dict[str, Any]:
        """The stage after the one where it stands; closed today unless another day is typed."""
        deal: Deal = self.object
        following = stages().filter(position__gt=deal.stage.position).first() if deal.kind == StageKind.OPEN else None
        return {
            "stage": self.only or following or deal.stage_id,
            "closed_on": deal.closed_on or company_day(self.now),
            "lost_because": deal.lost_because,
            "version": deal.version,
        }

    def get_form_kwargs(self) -> dict[str, Any]:
        """Only what this stage needs is asked."""
        return super().get_form_kwargs() | {"only": self.only}

    def save(self, form: MoveForm) -> Deal:
        """Move it."""
        data = form.cleaned_data
        return move_deal(
            actor=self.actor,
            deal_id=self.object.pk,
            stage=data["stage"],
            at=self.now,
            version=data["version"],
            closed_on=data.get("closed_on"),
            lost_because=data.get("lost_because", ""),
        )

    def get_success_message(self, result: Any) -> str:
        """Where it is now; the board says it itself."""
        if self.is_from_board:
            return ""
        return translate("Moved to %(stage)s.") % {"stage": result.stage}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """As any form; the board is told instead of sent to another page."""
        response = super().post(request, **kwargs)
        if self.is_from_board and response.has_header("HX-Redirect"):
            del response.headers["HX-Redirect"]
            response.headers["HX-Trigger"] = json.dumps({"deal-moved": {"pk": self.object.pk}})
        return response


class DealReassignView(_UnlessKeptView):
    """To another owner or pod."""

    roles = EDITORS
    selector = deal_for
    form_class, title, submit_label = ReassignForm, _("Reassign deal"), _("Reassign")
    success_message = _("Reassigned “%(object)s”.")

    def get_initial(self) -> dict[str, Any]:
        """Who has it now."""
        return {"owner": self.object.owner_id, "version": self.object.version}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may own deals now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: ReassignForm) -> Any:
        """Give it; it may then be out of the giver's sight."""
        data = form.cleaned_data
        given: dict[str, Any] = {"owner": data["owner"]}
        if data["pod"] is not None:
            given["pod"] = data["pod"]
        deal = reassign(
            actor=self.actor,
            deal_id=self.object.pk,
            at=self.now,
            version=data["version"],
            reason=data["reason"],
            **given,
        )
        return deal if deals_for(self.actor).filter(pk=deal.pk).exists() else reverse("deals:deal_list")

    def get_success_message(self, result: Any) -> str:
        """Whose it is now."""
        return translate("Reassigned “%(deal)s”.") % {"deal": self.object}


class ProductListView(ScopedListView):
    """What the company sells. Administrators change it in the admin site."""

    roles = READERS
    selector = products_for
    table_class, filterset_class = ProductTable, ProductFilter
    empty = Empty(_("No products yet"), _("An administrator adds products, or an import brings them."), "package")


def guard_context(actor: Actor, deal: Deal) -> dict[str, Any]:
    """What a deal's page tells of the selling guard, in its colours."""
    shown = guard_shown(deal)
    if shown is None or shown.decision is None:
        return {}
    escalation = shown.escalation
    return {
        "guard": shown,
        "guard_tone": OUTCOME_TONES[GuardOutcome(shown.decision.outcome)],
        "answer_tone": ANSWER_TONES[EscalationState(escalation.state)] if escalation else "",
        "may_answer": escalation is not None and may_answer(actor, escalation),
    }


def is_kept(actor: Actor, deal: Deal) -> bool:
    """Whether the deal is closed and the actor may not change what it pays."""
    return deal.kind != StageKind.OPEN and not actor.may_change_closed_deals


def kept_words(actor: Actor, deal: Deal) -> str:
    """Who may change what the closed deal pays, told to an editor who may not; else nothing."""
    return CLOSED_DEAL.text(translate) if actor.may_edit_work and is_kept(actor, deal) else ""


def refuse_kept(actor: Actor, deal: Deal) -> None:
    """Refuse to open a form that could not be saved: raises PermissionDenied."""
    if is_kept(actor, deal):
        raise PermissionDenied(CLOSED_DEAL.text(translate))


def stale_or(error: ValidationError) -> int:
    """The status of a refusal: 409 for what somebody else changed, 422 for the rest."""
    return 409 if isinstance(error, StaleDealError) else 422
