"""Disputes: whose, about which line, how long until an answer is due, and who answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from salesops.commissions.choices import DisputeState
from salesops.commissions.models import Dispute, DisputeMessage, Earning, Period, SettlementLine, Statement
from salesops.core.actor import Actor, Noun, Role, Scope

#: How the line of a settlement is named in a dispute; a line of earnings is named "component:transaction".
SETTLEMENT = "settlement:"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a statement as a dispute names it. Amounts in minor units of `currency`; pk only of an earning."""

    key: str
    label: str
    amount_minor: int
    currency: str
    pk: int | None = None


def may_see_disputes(actor: Actor) -> bool:
    """Whoever sees somebody's pay, their own at least, and revenue operations."""
    return actor.sight(Noun.PAY) >= Scope.OWN or actor.has(Role.REVOPS)


def disputes_for(actor: Actor) -> QuerySet[Dispute]:
    """Disputes the actor may see."""
    return Dispute.objects.visible_to(actor)


def dispute_for(actor: Actor, pk: int) -> Dispute:
    """One dispute; 404 when it is not theirs."""
    rows = Dispute.objects.select_related(
        "person", "statement__period", "statement__plan_version__plan", "decided_by", "adjustment"
    )
    return rows.get_for(actor, pk=pk)


def messages_of(actor: Actor, dispute: Dispute) -> QuerySet[DisputeMessage]:
    """What was written, the first first."""
    return DisputeMessage.objects.visible_to(actor).filter(dispute=dispute).select_related("author")


def open_disputes(actor: Actor, period: Period) -> list[Dispute]:
    """Open disputes about statements of a period that the actor may see, the most pressing first."""
    rows = disputes_for(actor).filter(statement__period=period, state=DisputeState.OPEN)
    return list(rows.select_related("person", "statement").order_by("due_at", "pk"))


def disputes_to_answer(actor: Actor) -> QuerySet[Dispute]:
    """Open disputes that the actor may answer: those they see, but their own."""
    if not actor.has(Role.MANAGER, Role.FINANCE, Role.REVOPS):
        return Dispute.objects.none()
    return disputes_for(actor).filter(state=DisputeState.OPEN).exclude(person_id=actor.user_id)


def may_answer(actor: Actor, dispute: Dispute) -> bool:
    """Whether the actor decides: the person's managers, finance, revenue operations; never the person."""
    if actor.user_id is None or dispute.person_id == actor.user_id:
        return False
    return actor.has(Role.FINANCE, Role.REVOPS) or (actor.has(Role.MANAGER) and dispute.person_id in actor.tree_ids)


def hours_left(dispute: Dispute, at: datetime) -> int:
    """Whole hours until the answer is due, rounded down; negative when it is overdue."""
    return int((dispute.due_at - at).total_seconds() // 3600)


def lines_of(actor: Actor, statement: Statement, most: int) -> list[Line]:
    """The first lines of a statement that the actor may see, as disputes name them: so many earnings, and all steps."""
    earnings = _earnings(actor, statement).order_by("component", "position")[:most]
    steps = SettlementLine.objects.visible_to(actor).filter(statement=statement).order_by("position")
    return [*map(_earned, earnings), *map(_settled, steps)]


def line_named(actor: Actor, statement: Statement, key: str) -> Line | None:
    """The line of a statement that has this name; None when there is none, or when it is not theirs to see."""
    name, _colon, rest = key.partition(":")
    if f"{name}:" == SETTLEMENT:
        steps = SettlementLine.objects.visible_to(actor).filter(statement=statement)
        step = steps.filter(position=int(rest)).first() if rest.isdecimal() and len(rest) < 10 else None
        return _settled(step) if step else None
    row = _earnings(actor, statement).filter(component=name, credit__transaction__source_key=rest).first()
    return _earned(row) if row else None


def _earnings(actor: Actor, statement: Statement) -> QuerySet[Earning]:
    rows = Earning.objects.visible_to(actor).filter(statement=statement)
    return rows.select_related("credit__transaction__deal")


def _earned(row: Earning) -> Line:
    transaction = row.credit.transaction
    return Line(
        key=f"{row.component}:{transaction.source_key}",
        label=str(transaction.deal or transaction.source_key),
        amount_minor=row.amount_minor,
        currency=row.currency,
        pk=row.pk,
    )


def _settled(row: SettlementLine) -> Line:
    return Line(f"{SETTLEMENT}{row.position}", str(row.get_kind_display()), row.amount_minor, row.currency)
