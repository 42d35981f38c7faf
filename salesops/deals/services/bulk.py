"""Changes many deals at once: first what would happen, then exactly that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from salesops.audit.services import Change, change_of, changed, record_many, state_of
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Fate, Unset
from salesops.deals.choices import GuardOccasion, StageKind
from salesops.deals.models import Deal, DealSpiced, GuardDecision, Product, Stage, StageChange
from salesops.deals.rules.places import place_on_entering
from salesops.deals.rules.stages import Move, MoveFacts, decide_move, problems_of_changing
from salesops.deals.selectors.choices import owners_for, pods_to_choose_for
from salesops.deals.services.deals import AUDITED, check_may_edit, facts_of, pod_of, seconds_between
from salesops.deals.services.from_leads import settle_credit
from salesops.deals.services.guard import (
    LOOKED_AT,
    TERMS,
    Said,
    approved_of,
    as_problem,
    ask_guard,
    asks_guard,
    decision_of,
    follow_up,
    said_of,
    withdraw,
)
from salesops.deals.services.owners import keep_owners
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.leads.rules.spiced import COMPONENTS, known
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.values.outcomes import Problem, gettext_noop

#: Up to here a bulk change is made at once; beyond it a job does it, batch by batch.
AT_ONCE: Final = 1_000
#: Rows of each fate that a plan names; its counts are of all rows.
ROWS_NAMED: Final = 50
_BATCH: Final = 500
_WRITTEN: Final = (
    "stage",
    "kind",
    "closed_on",
    "lost_because",
    "stage_entered_at",
    "board_position",
    "expected_close_on",
    "product",
    "next_step",
    "owner",
    "pod",
    "version",
    "updated_at",
)
#: A deal, what the selling guard said of it, and what follows.
Answer = tuple[Deal, GuardDecision, Said]


@dataclass(frozen=True, slots=True)
class BulkChanges:
    """What is to become of the selected deals. What is UNSET is left alone.

    `closed_on` and `lost_because` go with a stage that closes. A new owner brings their pod unless `pod` is given.
    """

    stage: Stage | Unset = UNSET
    closed_on: date | None = None
    lost_because: str = ""
    expected_close_on: date | Unset | None = UNSET
    product: Product | Unset | None = UNSET
    next_step: str | Unset = UNSET
    owner: User | Unset | None = UNSET
    pod: Pod | Unset | None = UNSET
    reason: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is to change."""
        asked = (self.stage, self.expected_close_on, self.product, self.next_step, self.owner, self.pod)
        return all(value is UNSET for value in asked)

    @property
    def is_looked_at(self) -> bool:
        """Whether something may change on which the selling guard looks, beside the stage."""
        return self.product is not UNSET or self.next_step is not UNSET

    def as_plain(self) -> dict[str, Any]:
        """The changes as JSON, for a job."""
        plain: dict[str, Any] = {"lost_because": self.lost_because, "reason": self.reason}
        plain["closed_on"] = self.closed_on.isoformat() if self.closed_on else None
        for name in ("stage", "product", "owner", "pod"):
            value = getattr(self, name)
            if value is not UNSET:
                plain[name] = value.pk if value is not None else None
        if not isinstance(self.next_step, Unset):
            plain["next_step"] = self.next_step
        if not isinstance(self.expected_close_on, Unset):
            plain["expected_close_on"] = self.expected_close_on.isoformat() if self.expected_close_on else None
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> BulkChanges:
        """Read back what `as_plain` wrote. Raises DoesNotExist for a row that is gone."""
        given: dict[str, Any] = {"lost_because": plain["lost_because"], "reason": plain["reason"]}
        for name in ("closed_on", "expected_close_on"):
            if name in plain:
                given[name] = date.fromisoformat(plain[name]) if plain[name] else None
        for name, model in (("stage", Stage), ("product", Product), ("owner", User), ("pod", Pod)):
            if name in plain:
                given[name] = model._default_manager.get(pk=plain[name]) if plain[name] is not None else None
        if "next_step" in plain:
            given["next_step"] = plain["next_step"]
        return cls(**given)


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One selected deal: what changes, by column (references by their names), or why it is refused."""

    deal_id: int
    name: str
    fate: Fate
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class BulkPlan:
    """What a bulk change does, or in a preview would do. `missing` were selected but are not the actor's or are gone.

    The counts are of all rows; `rows` names at most `most_named` of each fate.
    """

    most_named: int = ROWS_NAMED
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    missing: int = 0
    rows: list[BulkRow] = field(default_factory=list)

    @property
    def selected(self) -> int:
        """How many deals were selected."""
        return self.changed + self.unchanged + self.refused + self.missing

    def of(self, fate: Fate) -> list[BulkRow]:
        """The named rows of a fate."""
        return [row for row in self.rows if row.fate is fate]

    @property
    def changed_rows(self) -> list[BulkRow]:
        """The named rows that change."""
        return self.of(Fate.CHANGED)

    @property
    def unchanged_rows(self) -> list[BulkRow]:
        """The named rows that already are as asked."""
        return self.of(Fate.UNCHANGED)

    @property
    def refused_rows(self) -> list[BulkRow]:
        """The named rows that are refused."""
        return self.of(Fate.REFUSED)

    def take(self, row: BulkRow) -> None:
        """Count a row, and name it while there is room."""
        if row.fate is Fate.CHANGED:
            self.changed += 1
            place = self.changed
        elif row.fate is Fate.UNCHANGED:
            self.unchanged += 1
            place = self.unchanged
        else:
            self.refused += 1
            place = self.refused
        if place <= self.most_named:
            self.rows.append(row)


def plan_bulk_edit(
    *, actor: Actor, deal_ids: Sequence[int], changes: BulkChanges, at: datetime, most_named: int = ROWS_NAMED
) -> BulkPlan:
    """Say what `bulk_edit` would do with these deals now; writes nothing. Raises as `bulk_edit`."""
    check_bulk(actor, changes, at=at)
    plan = BulkPlan(most_named)
    for ids in _batches(deal_ids):
        _batch(plan, actor, ids, changes, at, is_preview=True)
    return plan


@transaction.atomic
def bulk_edit(*, actor: Actor, deal_ids: Sequence[int], changes: BulkChanges, at: datetime) -> BulkPlan:
    """Change these deals in one transaction and say what happened to each.

    A deal that the stage machine or the selling guard refuses, or that is closed and not the actor's to change, stays as
    it is and is named with the reason. Raises ValidationError when there is nothing to change or the actor may not give
    deals to that owner or pod, PermissionDenied for who only reads.
    """
    check_bulk(actor, changes, at=at)
    plan = BulkPlan()
    answers: list[Answer] = []
    for ids in _batches(deal_ids):
        answers += _batch(plan, actor, ids, changes, at, is_preview=False)
    follow_up(answers, actor=actor, at=at)
    return plan


def bulk_reassign(
    *,
    actor: Actor,
    deal_ids: Sequence[int],
    at: datetime,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    reason: str = "",
) -> BulkPlan:
    """Give these deals to another owner or pod, in one transaction. As `bulk_edit`."""
    return bulk_edit(actor=actor, deal_ids=deal_ids, changes=BulkChanges(owner=owner, pod=pod, reason=reason), at=at)


def start_bulk_edit(
    *, actor: Actor, deal_ids: Sequence[int], changes: BulkChanges, at: datetime, key: str
) -> BulkPlan | Job:
    """Change these deals: at once up to AT_ONCE of them, else by a job. `key` names the request, so that a form posted
    twice makes one job."""
    check_bulk(actor, changes, at=at)
    if len(deal_ids) <= AT_ONCE:
        return bulk_edit(actor=actor, deal_ids=deal_ids, changes=changes, at=at)
    return enqueue(
        kind="deals.bulk_edit",
        key=f"deals.bulk_edit:{key}",
        payload={"deal_ids": sorted(set(deal_ids)), "changes": changes.as_plain()},
        actor=actor,
        at=at,
        title=str(_("Change %(count)s deals") % {"count": len(set(deal_ids))}),
    )


def check_bulk(actor: Actor, changes: BulkChanges, *, at: datetime) -> None:
    """Refuse what holds for all selected deals alike."""
    check_may_edit(actor)
    if changes.is_empty:
        raise ValidationError(_("Choose at least one thing to change."), code="nothing")
    errors: dict[str, Any] = {}
    if isinstance(changes.owner, User) and not owners_for(actor, at=at).filter(pk=changes.owner.pk).exists():
        errors["owner"] = [ValidationError(_("You cannot give deals to this person."), code="owner-not-allowed")]
    if isinstance(changes.pod, Pod) and not pods_to_choose_for(actor).filter(pk=changes.pod.pk).exists():
        errors["pod"] = [ValidationError(_("You cannot give deals to this pod."), code="pod-not-allowed")]
    if isinstance(changes.next_step, str) and len(changes.next_step) > 200:
        errors["next_step"] = [ValidationError(_("At most 200 characters."), code="too-long")]
    if len(changes.lost_because) > 200:
        errors["lost_because"] = [ValidationError(_("At most 200 characters."), code="too-long")]
    if errors:
        raise ValidationError(errors)


def _batches(deal_ids: Sequence[int]) -> Iterator[list[int]]:
    """Distinct ids in key order, so that two bulk changes at once cannot wait for each other in a circle."""
    ids = sorted(set(deal_ids))
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _batch(
    plan: BulkPlan, actor: Actor, ids: list[int], changes: BulkChanges, at: datetime, *, is_preview: bool
) -> list[Answer]:
    """Decide about each deal of a batch and, unless it is a preview, write what was decided.

    Gives what the selling guard said, so that approvals are asked for once, whatever the number of batches.
    """
    deals = Deal.objects.visible_to(actor).filter(pk__in=ids).order_by("pk")
    if is_preview:
        deals = deals.select_related("stage", "product", "owner", "pod")
    else:
        deals = deals.select_for_update(of=("self",)).select_related("stage", "product", "owner", "pod")
    today = company_day(at)
    brought = pod_of(changes.owner, today) if isinstance(changes.owner, User) else None
    to_write: list[Deal] = []
    steps: list[StageChange] = []
    taken: list[tuple[Deal, dict[str, Any], dict[str, Any]]] = []
    found = 0
    tried: list[_Tried] = []
    spiced = _spiced_of(ids, changes)
    rows = list(deals)
    stood = ask_guard(rows, at=at) if changes.is_looked_at else None
    for deal in rows:
        found += 1
        before, left, entered_at = state_of(deal, names=AUDITED), deal.stage, deal.stage_entered_at
        shown_before = _shown(deal)
        kind = deal.kind
        problems = _apply(deal, changes, brought, today, spiced.get(deal.pk, ()))
        old, new = changed(before, state_of(deal, names=AUDITED))
        # Whatever else speaks against it: who may not change closed deals is told that, not to reopen it first.
        asked = {"stage"} if problems else set(new)
        problems = problems_of_changing(kind, asked, actor.may_change_closed_deals) or problems
        tried.append(_Tried(deal, left, entered_at, shown_before, old, new, problems))
    guarded = [each.deal for each in tried if not each.problems and _asks(each)]
    said = ask_guard(guarded, at=at) if guarded else None
    approved = approved_of([deal for deal in guarded if said is not None and said.verdicts[deal.pk][1].violations])
    decisions: list[GuardDecision] = []
    answers: list[Answer] = []
    for each in tried:
        deal, left, entered_at, old, new = each.deal, each.left, each.entered_at, each.old, each.new
        shown_before, problems = each.shown, each.problems
        if said is not None and deal.pk in said.verdicts:
            offer, verdict = said.verdicts[deal.pk]
            is_move = _is_guarded_move(each)
            decision = decision_of(
                deal,
                said.policy,
                offer,
                verdict,
                actor=actor,
                occasion=GuardOccasion.MOVED if is_move else GuardOccasion.EDITED,
                at=at,
            )
            answer = said_of(
                verdict,
                approved.get(deal.pk, ()),
                stood=stood.verdicts[deal.pk][1] if stood is not None and not is_move else None,
                is_closing=deal.kind == StageKind.WON and (is_move or not TERMS.isdisjoint(new)),
                is_won=left.kind == StageKind.WON,
            )
            problems = tuple(as_problem(violation) for violation in answer.refuses)
            if not is_preview:
                decisions.append(decision)
                if not answer.forbidden:
                    answers.append((deal, decision, answer))
        if problems:
            plan.take(BulkRow(deal.pk, deal.name, Fate.REFUSED, problems=problems))
            continue
        if not new:
            plan.take(BulkRow(deal.pk, deal.name, Fate.UNCHANGED))
            continue
        shown_old, shown_new = changed(shown_before, _shown(deal))
        plan.take(BulkRow(deal.pk, deal.name, Fate.CHANGED, shown_old, shown_new))
        if is_preview:
            continue
        if deal.stage_id != left.pk:
            deal.stage_entered_at, deal.board_position = at, place_on_entering(at)
            steps.append(
                StageChange(
                    deal=deal,
                    from_stage=left,
                    to_stage=deal.stage,
                    changed_at=at,
                    changed_by_id=actor.user_id,
                    amount_minor=deal.amount_minor,
                    currency=deal.currency,
                    seconds_in_stage=seconds_between(entered_at, at),
                )
            )
        deal.version += 1
        deal.updated_at = at
        to_write.append(deal)
        taken.append((deal, old, new))
    plan.missing += len(ids) - found
    if to_write:
        Deal.objects.bulk_create(to_write, update_conflicts=True, update_fields=_WRITTEN, unique_fields=["pk"])
        StageChange.objects.bulk_create(steps)
        given = [(deal, old["owner"]) for deal, old, new in taken if "owner" in new]
        shares = settle_credit(given, at=at) if given else {}
        keep_owners(given, day=today)
        record_many(
            actor=actor, changes=[_entry(each, shares.get(each[0].pk), changes.reason) for each in taken], at=at
        )
        withdraw([deal.pk for deal, _old, new in taken if "stage" in new and deal.kind == StageKind.LOST], at=at)
    GuardDecision.objects.bulk_create(decisions)
    return answers


def _entry(
    taken: tuple[Deal, dict[str, Any], dict[str, Any]],
    shares: tuple[dict[str, Any], dict[str, Any]] | None,
    reason: str,
) -> Change:
    """What the audit keeps of one deal, with its shares where they changed with the owner."""
    deal, old, new = taken
    shares_before, shares_after = shares or ({}, {})
    return change_of(
        deal,
        action="deal.reassigned" if set(new) <= {"owner", "pod"} else "deal.edited",
        before=old | shares_before,
        after=new | shares_after,
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class _Tried:
    """A deal with the changes in memory: where it was, what differs, and what speaks against it."""

    deal: Deal
    left: Stage
    entered_at: datetime | None
    shown: dict[str, Any]
    old: dict[str, Any]
    new: dict[str, Any]
    problems: tuple[Problem, ...]


def _is_guarded_move(tried: _Tried) -> bool:
    """Whether the change is a move that asks the selling guard by itself."""
    return "stage" in tried.new and asks_guard(tried.left, tried.deal.stage)


def _asks(tried: _Tried) -> bool:
    """Whether the selling guard has to be asked about the change."""
    is_looked_at = tried.deal.kind != StageKind.LOST and not LOOKED_AT.isdisjoint(tried.new)
    return _is_guarded_move(tried) or is_looked_at


def _spiced_of(ids: Sequence[int], changes: BulkChanges) -> dict[int, tuple[str, ...]]:
    """The components known of each deal, where the stage asks for them; one query."""
    if not isinstance(changes.stage, Stage) or not changes.stage.spiced_needed:
        return {}
    rows = DealSpiced.objects.filter(deal__in=ids)
    return {row.deal_id: known({name: getattr(row, name) for name in COMPONENTS}) for row in rows}


def _apply(
    deal: Deal, changes: BulkChanges, brought: Pod | None, today: date, spiced: tuple[str, ...]
) -> tuple[Problem, ...]:
    """Set what is asked on the row in memory; gives the reasons when the deal cannot take it, and then changes nothing."""
    if isinstance(changes.stage, Stage):
        outcome = decide_move(
            MoveFacts(
                at_stage=facts_of(deal.stage),
                to_stage=facts_of(changes.stage),
                today=today,
                opened_on=deal.opened_on,
                closed_on_now=deal.closed_on,
                lost_because_now=deal.lost_because,
                closed_on=changes.closed_on,
                lost_because=changes.lost_because,
                spiced=spiced,
            )
        )
        if outcome.value is None:
            return outcome.problems
        if outcome.value.move is not Move.NONE:
            deal.stage, deal.kind = changes.stage, outcome.value.kind
            deal.closed_on, deal.lost_because = outcome.value.closed_on, outcome.value.lost_because
    if isinstance(changes.product, Product) and not changes.product.is_active and deal.product_id != changes.product.pk:
        return (Problem.of("product-not-on-sale", gettext_noop("This product is no longer on sale.")),)
    if not isinstance(changes.expected_close_on, Unset):
        deal.expected_close_on = changes.expected_close_on
    if not isinstance(changes.product, Unset):
        deal.product = changes.product
    if not isinstance(changes.next_step, Unset):
        deal.next_step = changes.next_step.strip()
    if not isinstance(changes.owner, Unset):
        is_new = (changes.owner.pk if changes.owner else None) != deal.owner_id
        deal.owner = changes.owner
        if is_new and isinstance(changes.pod, Unset) and brought is not None:
            deal.pod = brought
    if not isinstance(changes.pod, Unset):
        deal.pod = changes.pod
    return ()


def _shown(deal: Deal) -> dict[str, Any]:
    """What a bulk change may change, in words."""
    return {
        "stage": deal.stage.name,
        "closed_on": deal.closed_on,
        "lost_because": deal.lost_because,
        "expected_close_on": deal.expected_close_on,
        "product": str(deal.product) if deal.product else None,
        "next_step": deal.next_step,
        "owner": str(deal.owner) if deal.owner else None,
        "pod": str(deal.pod) if deal.pod else None,
    }
