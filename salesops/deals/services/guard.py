"""Holds deals against the selling policy in force, keeps what it said, and asks for approvals where it says so."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.services import change_of, record, record_many
from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.refusals import AfterRefusal
from salesops.deals.choices import EscalationState, GuardOccasion, StageKind
from salesops.deals.models import Deal, GuardDecision, GuardEscalation, GuardPolicy, Stage
from salesops.deals.rules.guard import OfferFacts, Outcome, Verdict, Violation, judge, newer_than, uncovered
from salesops.deals.selectors.guard import (
    facts_as_plain,
    in_words,
    offers_of,
    policy_in_force,
    reasons_as_plain,
    rules_of,
    violations_in_words,
    violations_of,
)
from salesops.notices.services import tell
from salesops.people.selectors import holders_of, manager_ids_on
from salesops.values.outcomes import Problem

P = ParamSpec("P")
R = TypeVar("R")

#: The switch by which administrators turn the guard off.
GUARD: Final = "selling_guard"
#: Fields of a deal on which the guard looks: another value asks it again.
LOOKED_AT: Final = frozenset(
    {"account", "lead", "product", "amount_minor", "currency", "term_months", "next_step", "note", "lines", "name"}
)
#: Those of them that are what was sold: of a won deal they change only as far as it could be won.
TERMS: Final = LOOKED_AT - {"name", "note", "next_step"}
#: The most deals that a notice of many names.
_NAMED: Final = 5


class GuardRefusedError(ValidationError, AfterRefusal):
    """The selling policy refuses it: forbids it (code "guard-block"), or asks for an approval first (code "guard-open").

    Nothing was changed. Once the transaction is undone the decision is kept, and the approval is asked for.
    """

    def __init__(
        self, texts: Sequence[str], decision: GuardDecision, *, actor: Actor, open_ones: Sequence[Violation] = ()
    ) -> None:
        code = "guard-open" if open_ones else "guard-block"
        super().__init__([ValidationError(text, code=code) for text in texts])
        self.decision, self.actor, self.open_ones = decision, actor, tuple(open_ones)

    @transaction.atomic
    def after(self) -> None:
        """Keep the decision, once; ask for the approval, once."""
        kept = keep_refused(self.decision)
        if self.open_ones and kept.deal_id is not None:
            deal = Deal.objects.select_for_update().get(pk=kept.deal_id)
            escalate([Ask(deal, kept, self.open_ones)], actor=self.actor, at=kept.decided_at)


def keeps_refusals(service: Callable[P, R]) -> Callable[P, R]:
    """A service that the guard may refuse: the decision is kept although the service's own transaction is undone.

    Where a larger transaction is undone as well, the edge that answers does it again (`core.refusals.after_refusal`).
    """

    @wraps(service)
    def kept(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return service(*args, **kwargs)
        except GuardRefusedError as error:
            error.after()
            raise

    return kept


def keep_refused(decision: GuardDecision) -> GuardDecision:
    """Write the decision of something that was refused; its key keeps it from being written twice.

    A deal that was refused before it came to be is not named: by now its number may be another deal's.
    """
    deal_id = decision.deal_id if decision.occasion != GuardOccasion.CREATED else None
    if deal_id is not None and not Deal.objects.filter(pk=deal_id).exists():
        deal_id = None
    kept, _is_new = GuardDecision.objects.get_or_create(
        key=decision.key,
        defaults={
            "deal_id": deal_id,
            "policy_id": decision.policy_id,
            "occasion": decision.occasion,
            "outcome": decision.outcome,
            "actor_id": decision.actor_id,
            "decided_at": decision.decided_at,
            "facts": decision.facts,
            "reasons": decision.reasons,
        },
    )
    return kept


@dataclass(frozen=True, slots=True)
class Asked:
    """A policy in force, read once for many deals."""

    policy: GuardPolicy
    verdicts: Mapping[int, tuple[OfferFacts, Verdict]] = field(default_factory=dict)


def ask_guard(deals: Collection[Deal], *, at: datetime) -> Asked | None:
    """What the policy in force says of these deals; None where there is none, or the guard is switched off."""
    policy = policy_in_force()
    if policy is None or not features.is_on(GUARD):
        return None
    rules = rules_of(policy)
    offers = offers_of(deals, rules, day=company_day(at))
    return Asked(policy, {pk: (offer, judge(rules, offer)) for pk, offer in offers.items()})


@dataclass(frozen=True, slots=True)
class Said:
    """What follows from a verdict. `forbidden` and `unapproved` refuse the change; `waiting` is to be approved.

    is_asked: whether an approval has to be asked for now; else one that is open stays as long as it is needed.
    """

    forbidden: tuple[Violation, ...]
    unapproved: tuple[Violation, ...]
    waiting: tuple[Violation, ...]
    is_asked: bool
    is_settled: bool = False

    @property
    def refuses(self) -> tuple[Violation, ...]:
        """Why the change is refused; empty where it is not."""
        return self.forbidden or self.unapproved


def said_of(
    verdict: Verdict,
    approved: Collection[tuple[str, int]],
    *,
    stood: Verdict | None = None,
    is_closing: bool = False,
    is_won: bool = False,
) -> Said:
    """What follows from a verdict; `approved` is what was approved before.

    Without `stood` all that is broken counts: a new deal, or a move that asks. With it, what was said of the deal before
    the change, only what is new or larger refuses the change and asks for an approval. With `is_closing` nothing stays
    unapproved; a deal that `is_won` already keeps what it had.
    """
    waiting = uncovered([each for each in verdict.violations if each.effect is Outcome.ESCALATE], approved)
    had = stood.violations if stood is not None else ()
    fresh = newer_than(verdict.violations, had)
    fresh_ids = {id(each) for each in fresh}
    asked_now = tuple(each for each in waiting if id(each) in fresh_ids)
    is_same = sorted((each.key, each.excess) for each in verdict.violations) == sorted(
        (each.key, each.excess) for each in had
    )
    return Said(
        forbidden=tuple(each for each in fresh if each.effect is Outcome.BLOCK),
        unapproved=asked_now if is_closing else (),
        waiting=waiting,
        is_asked=stood is None or bool(asked_now),
        is_settled=stood is not None and is_same and not (is_closing and is_won),
    )


def guard_deal(
    *,
    actor: Actor,
    deal: Deal,
    occasion: GuardOccasion,
    at: datetime,
    is_closing: bool = False,
    stood: Asked | None = None,
) -> None:
    """Hold one deal, locked and as it is now, against the policy in force; keep what was said.

    What is forbidden raises GuardRefusedError. What must be approved opens an approval, or stays with the one that is
    open; with `is_closing` it raises GuardRefusedError until somebody has approved. With `stood`, what `ask_guard` said
    before the change, only what is new or larger than before is refused or asked about. What is allowed again needs no
    approval any more. A lost deal is asked about only when it is reopened.
    """
    if deal.kind == StageKind.LOST and occasion != GuardOccasion.MOVED:
        return
    asked = ask_guard([deal], at=at)
    if asked is None:
        return
    offer, verdict = asked.verdicts[deal.pk]
    is_new = occasion == GuardOccasion.CREATED
    said = said_of(
        verdict,
        approved_of([deal])[deal.pk] if verdict.violations else (),
        stood=stood.verdicts[deal.pk][1] if stood is not None else None,
        is_closing=is_closing,
        is_won=deal.kind == StageKind.WON,
    )
    kept_for = None if is_new and said.refuses else deal
    decision = decision_of(deal, asked.policy, offer, verdict, actor=actor, occasion=occasion, at=at)
    decision.deal = kept_for
    if said.forbidden:
        raise GuardRefusedError(violations_in_words(said.forbidden, None), decision, actor=actor)
    if said.unapproved:
        raise GuardRefusedError(
            [open_words(deal, said.unapproved, is_new=is_new)], decision, actor=actor, open_ones=said.unapproved
        )
    decision.save()
    follow_up([(deal, decision, said)], actor=actor, at=at)


def follow_up(answers: Iterable[tuple[Deal, GuardDecision, Said]], *, actor: Actor, at: datetime) -> None:
    """Ask for the approvals that are needed now, and withdraw those that no longer are."""
    asks = [Ask(deal, decision, said.waiting, said.is_asked) for deal, decision, said in answers if not said.is_settled]
    escalate(asks, actor=actor, at=at)


def open_words(deal: Deal, violations: Sequence[Violation], *, is_new: bool) -> str:
    """Why a deal cannot be won yet, and what to do; `is_new`: it is made as won."""
    reasons = " ".join(violations_in_words(violations, None))
    last = deal.escalations.exclude(state=EscalationState.WITHDRAWN).first()
    if last is not None and is_refused_for(last, violations):
        words = _("%(reasons)s %(person)s refused it: %(answer)s Change the offer, then try again.")
        return words % {"reasons": reasons, "person": last.answered_by, "answer": _sentence(last.answer)}
    if not is_new:
        words = _("%(reasons)s This waits for the approval of a manager or revenue operations, who were told.")
        return words % {"reasons": reasons}
    words = _("%(reasons)s Add it in an open stage first: that asks a manager or revenue operations to approve.")
    return words % {"reasons": reasons}


def is_refused_for(row: GuardEscalation, violations: Sequence[Violation]) -> bool:
    """Whether somebody refused these very reasons."""
    return row.state == EscalationState.REFUSED and _is_for(row, violations)


def _is_for(row: GuardEscalation, violations: Sequence[Violation]) -> bool:
    """Whether an approval is about these very reasons."""
    return {(each["key"], each["excess"]) for each in row.reasons} == {(each.key, each.excess) for each in violations}


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "。", "！", "？")) else f"{text}."


def decision_of(
    deal: Deal,
    policy: GuardPolicy,
    offer: OfferFacts,
    verdict: Verdict,
    *,
    actor: Actor,
    occasion: GuardOccasion,
    at: datetime,
) -> GuardDecision:
    """What was said, not saved yet."""
    return GuardDecision(
        key=uuid.uuid4(),
        deal=deal,
        policy=policy,
        occasion=occasion,
        outcome=verdict.outcome.value,
        actor_id=actor.user_id,
        decided_at=at,
        facts=facts_as_plain(deal, offer),
        reasons=reasons_as_plain(verdict.violations),
    )


def approved_of(deals: Collection[Deal]) -> dict[int, list[tuple[str, int]]]:
    """The keys that were approved for each deal, each with its excess then; one query, none where there are no deals."""
    found: dict[int, list[tuple[str, int]]] = {deal.pk: [] for deal in deals}
    rows = GuardEscalation.objects.filter(deal__in=list(found), state=EscalationState.APPROVED)
    for deal_id, reasons in rows.values_list("deal_id", "reasons"):
        found[deal_id] += [(each["key"], each["excess"]) for each in reasons]
    return found


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be approved of a deal, locked, by a decision that is saved; no violations: nothing any more.

    With `is_asked` False it only takes the place of an approval that is open.
    """

    deal: Deal
    decision: GuardDecision | None
    violations: Sequence[Violation] = ()
    is_asked: bool = True


def escalate(asks: Sequence[Ask], *, actor: Actor, at: datetime, is_told: bool = True) -> list[GuardEscalation]:
    """Open an approval for what nobody approved yet; one that is open for the same stays, another is no longer needed.

    What was refused for the same reasons stays refused. Each person is told once, however many deals there are. Gives the
    approvals that were opened; the number of queries does not depend on the deals.
    """
    if not asks:
        return []
    stored: dict[int, list[GuardEscalation]] = {ask.deal.pk: [] for ask in asks}
    for row in GuardEscalation.objects.select_for_update(of=("self",)).filter(deal__in=list(stored)):
        stored[row.deal_id].append(row)
    withdrawn: list[int] = []
    fresh: list[GuardEscalation] = []
    for ask in asks:
        waiting = next((row for row in stored[ask.deal.pk] if row.is_open), None)
        if waiting is None and not ask.is_asked:
            continue
        if waiting is not None:
            if _is_for(waiting, ask.violations):
                continue
            withdrawn.append(waiting.pk)
        answered = (row for row in stored[ask.deal.pk] if row.state != EscalationState.WITHDRAWN and not row.is_open)
        last = next(answered, None)
        if not ask.violations or ask.decision is None or (last is not None and is_refused_for(last, ask.violations)):
            continue
        fresh.append(
            GuardEscalation(
                deal=ask.deal,
                decision=ask.decision,
                reasons=reasons_as_plain(ask.violations),
                owner_id=ask.deal.owner_id,
                asked_by_id=actor.user_id,
                asked_at=at,
            )
        )
    if withdrawn:
        GuardEscalation.objects.filter(pk__in=withdrawn).update(state=EscalationState.WITHDRAWN, answered_at=at)
    if not fresh:
        return []
    GuardEscalation.objects.bulk_create(fresh)
    record_many(
        actor=actor,
        changes=[
            change_of(
                row.deal,
                action="deal.approval_asked",
                reason=" ".join(violations_in_words(violations_of(row.reasons), None))[:500],
            )
            for row in fresh
        ],
        at=at,
    )
    if is_told:
        _ask_around(fresh, at)
    return fresh


def withdraw(deal_ids: Collection[int], *, at: datetime) -> None:
    """Withdraw what waits for an approval of these deals, locked: they were lost, and nobody has to answer any more."""
    rows = GuardEscalation.objects.filter(deal__in=deal_ids, state=EscalationState.OPEN)
    rows.update(state=EscalationState.WITHDRAWN, answered_at=at)


def _ask_around(rows: Sequence[GuardEscalation], at: datetime) -> None:
    """Tell each owner's manager and revenue operations, once, what waits for them."""
    day = company_day(at)
    everywhere = set(holders_of(Role.REVOPS, on=day).values_list("pk", flat=True))
    managers = manager_ids_on(day, {row.owner_id for row in rows if row.owner_id is not None})
    of_person: dict[int, list[GuardEscalation]] = defaultdict(list)
    for row in rows:
        manager = managers.get(row.owner_id or 0)
        for person in everywhere | ({manager} if manager is not None else set()):
            if person not in (row.asked_by_id, row.owner_id):
                of_person[person].append(row)
    alike: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for person, theirs in of_person.items():
        alike[tuple(row.pk for row in theirs)].add(person)
    by_pk = {row.pk: row for row in rows}
    for pks, people in alike.items():
        _tell_what_waits([by_pk[pk] for pk in pks], people, at)


def _tell_what_waits(rows: Sequence[GuardEscalation], people: Collection[int], at: datetime) -> None:
    """Tell these people of what waits: of one deal what it is, of many how many there are."""
    first = rows[0]
    if len(rows) > 1:
        names = ", ".join(str(row.deal) for row in rows[:_NAMED]) + (", …" if len(rows) > _NAMED else "")
        tell(
            person_ids=people,
            key=f"deal-approvals:{first.pk}:{len(rows)}",
            title=lambda: _("%(count)s deals need your approval") % {"count": len(rows)},
            body=names,
            url=f"{reverse('deals:escalation_list')}?state={EscalationState.OPEN}",
            at=at,
        )
        return
    violations = violations_of(first.reasons)
    tell(
        person_ids=people,
        key=f"deal-approval:{first.pk}",
        title=lambda: _("“%(deal)s” needs your approval") % {"deal": first.deal},
        body=lambda: " ".join(violations_in_words(violations, None)),
        url=reverse("deals:escalation_answer", kwargs={"pk": first.pk}),
        at=at,
    )


def may_answer(actor: Actor, row: GuardEscalation) -> bool:
    """Whether the actor may approve or refuse: a manager or revenue operations, never who asked, never who owns it."""
    if not row.is_open or actor.user_id is None or not actor.has(Role.MANAGER, Role.REVOPS):
        return False
    return actor.user_id not in (row.asked_by_id, row.owner_id, row.deal.owner_id)


@transaction.atomic
def answer_escalation(
    *, actor: Actor, escalation_id: int, is_approved: bool, at: datetime, answer: str = ""
) -> GuardEscalation:
    """Approve or refuse what waits; to refuse needs a reason. Whoever asked and whoever owns the deal are told.

    Raises Http404 for a deal the actor does not see, ValidationError where it is answered already, is the actor's own, or
    is refused without a reason.
    """
    row: GuardEscalation = GuardEscalation.objects.select_for_update(of=("self",)).get_for(actor, pk=escalation_id)
    if not row.is_open:
        raise ValidationError(_("This was answered already, or is no longer needed."), code="answered")
    if not may_answer(actor, row):
        raise ValidationError(
            _("Somebody else has to answer: a manager or revenue operations, not who asked and not who owns the deal."),
            code="own",
        )
    answer = " ".join(answer.split())
    if not is_approved and not answer:
        raise ValidationError({"answer": ValidationError(_("Say why it is refused."), code="reason-missing")})
    row.state = EscalationState.APPROVED if is_approved else EscalationState.REFUSED
    row.answered_by_id, row.answered_at, row.answer = actor.user_id, at, answer[:300]
    row.full_clean()
    row.save()
    record(
        actor=actor,
        action="deal.approval_given" if is_approved else "deal.approval_refused",
        subject=row.deal,
        reason=answer,
        at=at,
    )
    title = gettext_lazy("“%(deal)s” was approved") if is_approved else gettext_lazy("“%(deal)s” was not approved")
    tell(
        person_ids={pk for pk in (row.asked_by_id, row.deal.owner_id) if pk is not None} - {actor.user_id},
        key=f"deal-approval-answer:{row.pk}",
        title=lambda: str(title) % {"deal": row.deal},
        body=answer,
        url=reverse("deals:deal_detail", kwargs={"pk": row.deal_id}),
        at=at,
    )
    return row


def as_problem(violation: Violation) -> Problem:
    """A reason as a problem of one of many deals: the sentence with its place and what to do."""
    return Problem.of("guard", "%(reason)s", reason=in_words(violation))


def asks_guard(left: Stage | None, to_stage: Stage) -> bool:
    """Whether a move to this stage asks the guard: won stages, and those that say so."""
    if left is not None and left.pk == to_stage.pk:
        return False
    return to_stage.kind == StageKind.WON or (to_stage.kind == StageKind.OPEN and to_stage.is_guarded)


def flag_imported(*, actor: Actor, deals: Sequence[Deal], at: datetime) -> int:
    """Hold deals that a source brought against the policy: nothing is refused, what breaks a rule is flagged.

    Of open deals an approval is asked for as well, in silence: a file of a thousand deals is not a thousand notices. The
    same reasons as before leave no second flag. What is allowed or lost needs no approval any more. Gives how many were
    flagged.
    """
    withdraw([deal.pk for deal in deals if deal.kind == StageKind.LOST], at=at)
    seen = [deal for deal in deals if deal.kind != StageKind.LOST]
    asked = ask_guard(seen, at=at) if seen else None
    if asked is None:
        return 0
    flagged = [deal for deal in seen if asked.verdicts[deal.pk][1].outcome is not Outcome.ALLOW]
    before: dict[int | None, GuardDecision] = {}
    for stored in GuardDecision.objects.filter(
        deal__in=flagged, policy=asked.policy, occasion=GuardOccasion.IMPORT
    ).order_by("decided_at", "pk"):
        before[stored.deal_id] = stored
    approved = approved_of(flagged)
    made: list[GuardDecision] = []
    asks: list[Ask] = []
    for deal in seen:
        offer, verdict = asked.verdicts[deal.pk]
        if verdict.outcome is Outcome.ALLOW:
            asks.append(Ask(deal, None))
            continue
        decision = decision_of(deal, asked.policy, offer, verdict, actor=actor, occasion=GuardOccasion.IMPORT, at=at)
        last = before.get(deal.pk)
        if last is not None and last.reasons == decision.reasons:
            decision = last
        else:
            made.append(decision)
        if deal.kind == StageKind.OPEN:
            asks.append(Ask(deal, decision, said_of(verdict, approved[deal.pk]).waiting))
    GuardDecision.objects.bulk_create(made)
    escalate(asks, actor=actor, at=at, is_told=False)
    return len(made)
