"""Reads deals: the ones an actor sees, one of them, sums by currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet, Sum

from salesops.core.actor import Actor, Noun, Scope
from salesops.deals.models import Deal, DealOwnership, DealSpiced, StageChange


@dataclass(frozen=True, slots=True)
class Total:
    """How many deals in a currency, and their sum in minor units. Sums of different currencies are never added."""

    currency: str
    count: int
    amount_minor: int


def deals_for(actor: Actor) -> QuerySet[Deal]:
    """The deals the actor sees, newest first."""
    return Deal.objects.visible_to(actor)


def deal_for(actor: Actor, pk: int) -> Deal:
    """One deal with what its page names. Raises Http404 when it is not the actor's."""
    rows = Deal.objects.select_related("account", "contact", "lead", "owner", "pod", "product", "stage")
    deal: Deal = rows.get_for(actor, pk=pk)
    return deal


def deal_or_removed_for(actor: Actor, pk: int) -> Deal:
    """As `deal_for`, and also a deal that was removed: for its own page."""
    rows = Deal.every.select_related("account", "contact", "lead", "owner", "pod", "product", "stage", "merged_into")
    deal: Deal = rows.get_for(actor, pk=pk)
    return deal


def deal_spiced_of(deal: Deal) -> DealSpiced | None:
    """What is known of a deal that the actor sees; None where nobody has written anything."""
    return DealSpiced.objects.filter(deal=deal).first()


def days_in_stage(deal: Deal, now: datetime) -> int:
    """Whole days since the deal came to its stage; 0 where nobody knows."""
    return max(0, (now - deal.stage_entered_at).days) if deal.stage_entered_at else 0


def deals_counted_for(actor: Actor) -> QuerySet[Deal]:
    """The deals that go into the sums the actor may see: whoever sees totals counts all deals without seeing one."""
    return Deal.objects.all() if actor.sight(Noun.WORK) is Scope.TOTALS else Deal.objects.visible_to(actor)


def stage_changes_for(actor: Actor, deal: Deal) -> QuerySet[StageChange]:
    """The moves of a deal, newest first."""
    return (
        StageChange.objects.visible_to(actor).filter(deal=deal).select_related("from_stage", "to_stage", "changed_by")
    )


def owners_of(actor: Actor, deal: Deal) -> QuerySet[DealOwnership]:
    """Whose a deal was, in time, the first one first."""
    rows: QuerySet[DealOwnership] = DealOwnership.objects.visible_to(actor).filter(deal=deal)
    return rows.select_related("person").order_by("start_on", "pk")


def totals_of(deals: QuerySet[Deal]) -> list[Total]:
    """The sum of all these deals, one row a currency, in one query."""
    rows = deals.order_by("currency").values("currency").annotate(count=Count("pk"), amount=Sum("amount_minor"))
    return [Total(row["currency"], row["count"], int(row["amount"] or 0)) for row in rows]
