"""Changes one deal at a time: create, edit, move through the stages, give to somebody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account, Contact
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.deals.choices import GuardOccasion, StageKind
from salesops.deals.models import Deal, Product, Stage, StageChange
from salesops.deals.rules.places import place_on_entering
from salesops.deals.rules.stages import (
    Decision,
    Move,
    MoveFacts,
    StageFacts,
    decide_move,
    problems_of_changing,
    problems_of_closing,
    problems_of_spiced,
)
from salesops.deals.selectors.choices import owners_for, pods_to_choose_for
from salesops.deals.services.from_leads import copy_spiced, known_of_deal, known_of_lead, settle_credit
from salesops.deals.services.guard import LOOKED_AT, TERMS, ask_guard, asks_guard, guard_deal, keeps_refusals, withdraw
from salesops.deals.services.owners import keep_owners
from salesops.leads.models import Lead
from salesops.people.models import User
from salesops.pods.models import Pod, PodMembership
from salesops.values.money import MoneyError, check_currency, check_minor
from salesops.values.outcomes import Problem

#: What the audit keeps of a deal. Places on the board, clocks and counters are not business facts.
AUDITED: Final = (
    "name",
    "account",
    "contact",
    "lead",
    "owner",
    "pod",
    "product",
    "stage",
    "kind",
    "amount_minor",
    "currency",
    "term_months",
    "opened_on",
    "expected_close_on",
    "closed_on",
    "lost_because",
    "next_step",
    "note",
    "external_id",
)
#: What `edit_deal` may change. The stage moves by `move_deal`, owner and pod by `reassign`.
EDITABLE: Final = frozenset(
    {
        "name",
        "account",
        "contact",
        "lead",
        "product",
        "amount_minor",
        "currency",
        "term_months",
        "opened_on",
        "expected_close_on",
        "closed_on",
        "lost_because",
        "next_step",
        "note",
        "external_id",
    }
)
_RELATIONS: Final = ("account", "contact", "lead", "owner", "pod", "product", "stage")


class StaleDealError(ValidationError):
    """Somebody changed the deal since the form was opened. Carries the deal as it is now; nothing was written."""

    def __init__(self, deal: Deal) -> None:
        super().__init__(
            _(
                "Somebody else changed this deal while you were working on it. Your entries are still here: compare "
                "them with the deal as it is now, then save again."
            ),
            code="stale",
        )
        self.deal = deal


def refusal(problems: Iterable[Problem]) -> ValidationError:
    """Problems of a rule as an error that forms, the board and the API can show, by field where one is named."""
    by_field: dict[str, list[ValidationError]] = {}
    for problem in problems:
        by_field.setdefault(problem.where or "__all__", []).append(
            ValidationError(problem.text(translate), code=problem.code)
        )
    return ValidationError(by_field)


def check_may_edit(actor: Actor) -> None:
    """Refuse who only reads: raises PermissionDenied."""
    if not actor.may_edit_work:
        raise PermissionDenied(translate("You can read deals but not change them."))


def check_may_change(actor: Actor, deal: Deal, names: Iterable[str]) -> None:
    """Refuse changes of these fields or parts, asked before any is made, where the deal is closed and carries commission.

    Raises ValidationError with the code "closed-deal".
    """
    if problems := problems_of_changing(deal.kind, names, actor.may_change_closed_deals):
        raise refusal(problems)


def locked_deal(actor: Actor, deal_id: int, version: int | None) -> Deal:
    """The deal, locked until the transaction ends. Raises Http404 when it is not the actor's, StaleDealError when newer."""
    deal: Deal = Deal.objects.select_for_update().get_for(actor, pk=deal_id)
    if version is not None and deal.version != version:
        raise StaleDealError(deal)
    return deal


def save_changes(
    deal: Deal, *, before: dict[str, Any], actor: Actor, action: str, at: datetime, reason: str = "", parts: Any = None
) -> bool:
    """Write what differs from `before`, raise the version, add one audit entry; False when nothing differs.

    `parts` are the parts of the deal (lines, splits) before and after, as a pair of mappings.
    """
    old, new = changed(
        before | (parts[0] if parts else {}), state_of(deal, names=AUDITED) | (parts[1] if parts else {})
    )
    if not new:
        return False
    deal.version += 1
    deal.save()
    if "owner" in new:
        keep_owners([(deal, old["owner"])], day=company_day(at))
    record(actor=actor, action=action, subject=deal, before=old, after=new, reason=reason, at=at)
    return True


@keeps_refusals
@transaction.atomic
def create_deal(
    *,
    actor: Actor,
    at: datetime,
    name: str,
    stage: Stage | None = None,
    account: Account | None = None,
    contact: Contact | None = None,
    lead: Lead | None = None,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    product: Product | None = None,
    amount_minor: int = 0,
    currency: str = "",
    term_months: int | None = None,
    opened_on: date | Unset | None = UNSET,
    expected_close_on: date | None = None,
    closed_on: date | None = None,
    lost_because: str = "",
    next_step: str = "",
    note: str = "",
    external_id: str = "",
) -> Deal:
    """Make a deal, by default the actor's own, in their pod, opened today, in the first open stage.

    A deal may be made closed: the stage machine then asks what closing asks, and who may not change closed deals makes
    it for themselves only. Of a lead it takes over what is known by SPICED, and whoever won the lead keeps the credit: a
    share on top, unless the deal is theirs. Raises ValidationError by field, GuardRefusedError where the selling policy
    refuses it, and PermissionDenied for who only reads.
    """
    check_may_edit(actor)
    today = company_day(at)
    entered = stage or first_open_stage()
    holder = User.objects.filter(pk=actor.user_id).first() if isinstance(owner, Unset) else owner
    held_in = pod_of(holder, today) if isinstance(pod, Unset) else pod
    if isinstance(opened_on, Unset):
        opened_on = min(today, closed_on) if closed_on else today
    deal = Deal(
        name=name.strip(),
        account=account,
        contact=contact,
        lead=lead,
        owner=holder,
        pod=held_in,
        product=product,
        stage=entered,
        kind=StageKind.OPEN,
        amount_minor=amount_minor,
        currency=currency or settings.COMPANY_CURRENCY,
        term_months=term_months,
        opened_on=opened_on,
        expected_close_on=expected_close_on,
        next_step=next_step.strip(),
        note=note.strip(),
        external_id=external_id.strip(),
        created_at=at,
        stage_entered_at=at,
        board_position=place_on_entering(at),
    )
    spiced = known_of_lead(lead)
    if (lacking := problems_of_spiced(entered.spiced_needed, spiced)) and entered.kind != StageKind.LOST:
        raise refusal(lacking)
    if entered.kind != StageKind.OPEN or not entered.is_active:
        begin = first_open_stage()
        _apply(deal, _decide(deal, begin, entered, today, closed_on, lost_because, spiced), entered)
    is_own = holder is not None and holder.pk == actor.user_id
    if deal.kind != StageKind.OPEN and not is_own and not actor.may_change_closed_deals:
        raise ValidationError(
            {"owner": ValidationError(_("You can add closed deals for yourself only."), code="closed-for-others")}
        )
    check_deal(actor, deal, at=at, given=set(_RELATIONS))
    deal.save()
    keep_owners([(deal, UNSET)], day=today)
    guard_deal(actor=actor, deal=deal, occasion=GuardOccasion.CREATED, at=at, is_closing=deal.kind == StageKind.WON)
    if lead is not None:
        copy_spiced(lead, deal)
    StageChange.objects.create(
        deal=deal,
        from_stage=None,
        to_stage=entered,
        changed_at=at,
        changed_by_id=actor.user_id,
        amount_minor=deal.amount_minor,
        currency=deal.currency,
    )
    _none, shares = settle_credit([(deal, UNSET)], at=at).get(deal.pk, ({}, {}))
    filled = {name: value for name, value in state_of(deal, names=AUDITED).items() if value not in ("", None)}
    _old, new = changed({}, filled | shares)
    record(actor=actor, action="deal.created", subject=deal, after=new, at=at)
    return deal


@keeps_refusals
@transaction.atomic
def edit_deal(*, actor: Actor, deal_id: int, version: int, at: datetime, changes: Mapping[str, Any]) -> Deal:
    """Change fields of a deal (see EDITABLE); `version` is the one the form was opened with.

    Nothing is written where nothing differs. Of a closed deal, most may change only texts (see FREE_WHEN_CLOSED in
    `rules.stages`). What was sold in a won deal changes only as far as the selling policy lets it be won.
    Raises GuardRefusedError, StaleDealError when somebody was faster, ValidationError by field,
    Http404 when it is not the actor's, PermissionDenied for who only reads, TypeError for a field that is not editable.
    """
    check_may_edit(actor)
    if unknown := set(changes) - EDITABLE:
        raise TypeError(f"not editable here: {', '.join(sorted(unknown))}")
    deal = locked_deal(actor, deal_id, version)
    before = state_of(deal, names=AUDITED)
    had_currency, had_amount = deal.currency, deal.amount_minor
    given = {name for name, value in changes.items() if getattr(deal, name) != value}
    check_may_change(actor, deal, given)
    stood = ask_guard([deal], at=at) if given & LOOKED_AT else None
    for name in given:
        setattr(deal, name, changes[name].strip() if isinstance(changes[name], str) else changes[name])
    problems: list[Problem] = []
    if deal.kind == StageKind.OPEN:
        deal.closed_on, deal.lost_because = None, ""
    elif deal.closed_on is None:
        raise ValidationError(
            {"closed_on": ValidationError(_("A closed deal needs its day."), code="closed-on-missing")}
        )
    elif "closed_on" in given or "opened_on" in given:
        problems.extend(problems_of_closing(deal.closed_on, company_day(at), deal.opened_on))
    if deal.kind != StageKind.LOST:
        deal.lost_because = ""
    elif not deal.lost_because:
        raise ValidationError({"lost_because": ValidationError(_("Say why the deal was lost."), code="reason-missing")})
    if problems:
        raise refusal(problems)
    if (deal.currency, deal.amount_minor) != (had_currency, had_amount) and deal.lines.exists():
        raise ValidationError(
            {
                "amount_minor" if deal.amount_minor != had_amount else "currency": ValidationError(
                    _("The amount is the sum of the deal's lines: change the lines instead."), code="amount-from-lines"
                )
            }
        )
    check_deal(actor, deal, at=at, given=given)
    save_changes(deal, before=before, actor=actor, action="deal.edited", at=at)
    if given & LOOKED_AT:
        is_closing = deal.kind == StageKind.WON and not TERMS.isdisjoint(given)
        guard_deal(actor=actor, deal=deal, occasion=GuardOccasion.EDITED, at=at, is_closing=is_closing, stood=stood)
    return deal


@keeps_refusals
@transaction.atomic
def move_deal(
    *,
    actor: Actor,
    deal_id: int,
    stage: Stage,
    at: datetime,
    version: int | None = None,
    closed_on: date | None = None,
    lost_because: str = "",
    place: int | None = None,
) -> Deal:
    """Move a deal to a stage and keep a StageChange row with the seconds it spent in the one left.

    Closing takes `closed_on` (today in the company's zone unless given) and, when lost, needs a reason; reopening clears
    both. `place` is where the card stands in its column, on top unless given. Moving to the stage where the deal is
    only places the card, so a move sent twice is harmless. A closed deal moves no further for who may not change closed
    deals. A stage may ask for so many components of SPICED, and for the selling guard. Raises ValidationError with what
    the stage machine says, GuardRefusedError, StaleDealError, Http404, PermissionDenied.
    """
    check_may_edit(actor)
    deal = locked_deal(actor, deal_id, version)
    if stage.pk != deal.stage_id:
        check_may_change(actor, deal, {"stage"})
    spiced = known_of_deal(deal) if stage.spiced_needed else ()
    decision = _decide(deal, deal.stage, stage, company_day(at), closed_on, lost_because, spiced)
    if asks_guard(deal.stage, stage):
        guard_deal(actor=actor, deal=deal, occasion=GuardOccasion.MOVED, at=at, is_closing=stage.kind == StageKind.WON)
    move_locked(deal, decision, stage, actor=actor, at=at, place=place)
    return deal


def move_locked(
    deal: Deal, decision: Decision, stage: Stage, *, actor: Actor, at: datetime, place: int | None = None
) -> bool:
    """Carry out a move that was decided, on a deal that is locked; False when the deal already is there."""
    if decision.move is Move.NONE:
        if place is not None and place != deal.board_position:
            deal.board_position = place
            deal.save(update_fields=["board_position"])
        return False
    before = state_of(deal, names=AUDITED)
    left, entered_at = deal.stage, deal.stage_entered_at
    _apply(deal, decision, stage)
    deal.stage_entered_at = at
    deal.board_position = place if place is not None else place_on_entering(at)
    StageChange.objects.create(
        deal=deal,
        from_stage=left,
        to_stage=stage,
        changed_at=at,
        changed_by_id=actor.user_id,
        amount_minor=deal.amount_minor,
        currency=deal.currency,
        seconds_in_stage=seconds_between(entered_at, at),
    )
    if deal.kind == StageKind.LOST:
        withdraw([deal.pk], at=at)
    action = "deal.reopened" if decision.move is Move.REOPEN else "deal.stage_moved"
    save_changes(deal, before=before, actor=actor, action=action, at=at)
    return True


@transaction.atomic
def reassign(
    *,
    actor: Actor,
    deal_id: int,
    at: datetime,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    version: int | None = None,
    reason: str = "",
) -> Deal:
    """Give a deal to another owner or pod. A new owner brings the pod they work in, unless `pod` says otherwise.

    The share of whoever won the lead is settled again (see `settle_credit`).

    Raises ValidationError for an owner or pod that the actor may not give to and for a closed deal that is not theirs to
    give, StaleDealError, Http404, PermissionDenied.
    """
    check_may_edit(actor)
    deal = locked_deal(actor, deal_id, version)
    check_may_change(actor, deal, {"owner", "pod"})
    before, had_owner = state_of(deal, names=AUDITED), deal.owner_id
    given = apply_owner(deal, owner, pod, company_day(at))
    check_relations(actor, deal, at=at, given=given)
    shares = settle_credit([(deal, had_owner)], at=at).get(deal.pk) if "owner" in given else None
    save_changes(deal, before=before, actor=actor, action="deal.reassigned", at=at, reason=reason, parts=shares)
    return deal


def apply_owner(deal: Deal, owner: User | Unset | None, pod: Pod | Unset | None, day: date) -> set[str]:
    """Set owner and pod on the row in memory; a new owner brings their pod. Gives the fields that differ."""
    had = (deal.owner_id, deal.pod_id)
    if not isinstance(owner, Unset):
        deal.owner = owner
        if isinstance(pod, Unset) and deal.owner_id != had[0]:
            pod = pod_of(owner, day) or deal.pod
    if not isinstance(pod, Unset):
        deal.pod = pod
    return {name for name, old in zip(("owner", "pod"), had, strict=True) if getattr(deal, f"{name}_id") != old}


def check_deal(actor: Actor, deal: Deal, *, at: datetime, given: set[str]) -> None:
    """Refuse a deal whose values cannot be, or that names rows the actor may not name; `given` are the fields in question."""
    errors: dict[str, Any] = {}
    try:
        deal.clean_fields(exclude=_RELATIONS)
    except ValidationError as error:
        errors.update(error.error_dict)
    try:
        check_currency(deal.currency)
        check_minor(deal.amount_minor)
    except MoneyError as error:
        errors.setdefault("amount_minor", []).append(ValidationError(str(error), code="money"))
    try:
        check_relations(actor, deal, at=at, given=given)
    except ValidationError as error:
        errors.update(error.error_dict)
    if errors:
        raise ValidationError(errors)
    deal.validate_constraints(exclude=_RELATIONS)


def check_relations(actor: Actor, deal: Deal, *, at: datetime, given: set[str]) -> None:
    """Refuse accounts, contacts, leads, owners and pods that the actor may not choose. Raises ValidationError by field."""
    not_yours = ValidationError(_("Choose one that you can see."), code="not-visible")
    errors: dict[str, Any] = {}
    if (
        "account" in given
        and deal.account_id
        and not Account.objects.visible_to(actor).filter(pk=deal.account_id).exists()
    ):
        errors["account"] = [not_yours]
    if "lead" in given and deal.lead_id and not Lead.objects.visible_to(actor).filter(pk=deal.lead_id).exists():
        errors["lead"] = [not_yours]
    if "owner" in given and deal.owner_id and not owners_for(actor, at=at).filter(pk=deal.owner_id).exists():
        errors["owner"] = [ValidationError(_("You cannot give deals to this person."), code="owner-not-allowed")]
    if "pod" in given and deal.pod_id and not pods_to_choose_for(actor).filter(pk=deal.pod_id).exists():
        errors["pod"] = [ValidationError(_("You cannot give deals to this pod."), code="pod-not-allowed")]
    if given & {"contact", "account"} and deal.contact is not None and deal.contact.account_id != deal.account_id:
        errors["contact"] = [ValidationError(_("The contact works at another account."), code="contact-elsewhere")]
    if errors:
        raise ValidationError(errors)


def first_open_stage() -> Stage:
    """The stage in which deals begin. Raises ValidationError when an administrator has left none in use."""
    stage = Stage.objects.filter(kind=StageKind.OPEN, is_active=True).first()
    if stage is None:
        raise ValidationError(_("There is no open stage in use. An administrator can add one."), code="no-stage")
    return stage


def pod_of(person: User | None, day: date) -> Pod | None:
    """The pod in which a person works on a day."""
    if person is None:
        return None
    membership = PodMembership.objects.on(day).filter(person=person).select_related("pod").first()
    return membership.pod if membership else None


def seconds_between(entered_at: datetime | None, at: datetime) -> int | None:
    """Whole seconds in a stage, never below zero; None when it is not known since when."""
    return max(0, int((at - entered_at).total_seconds())) if entered_at else None


def facts_of(stage: Stage) -> StageFacts:
    """A stage for the rules."""
    return StageFacts(stage.pk, stage.kind, stage.is_active, stage.spiced_needed)


def _decide(
    deal: Deal,
    at_stage: Stage,
    to_stage: Stage,
    today: date,
    closed_on: date | None,
    lost_because: str,
    spiced: Iterable[str] = (),
) -> Decision:
    """Ask the stage machine. Raises ValidationError with what it says."""
    outcome = decide_move(
        MoveFacts(
            at_stage=facts_of(at_stage),
            to_stage=facts_of(to_stage),
            today=today,
            opened_on=deal.opened_on,
            closed_on_now=deal.closed_on,
            lost_because_now=deal.lost_because,
            closed_on=closed_on,
            lost_because=lost_because,
            spiced=tuple(spiced),
        )
    )
    if outcome.value is None:
        raise refusal(outcome.problems)
    return outcome.value


def _apply(deal: Deal, decision: Decision, stage: Stage) -> None:
    """Write a decision into the row in memory."""
    deal.stage, deal.kind = stage, decision.kind
    deal.closed_on, deal.lost_because = decision.closed_on, decision.lost_because
