"""Transactions as people see them: like the deals and accounts that they come from."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet

from salesops.commissions.choices import PeriodState
from salesops.commissions.models import Credit, Period, Statement, Transaction
from salesops.commissions.selectors.statements import statements_for
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.deals.models import Deal

#: Who records transactions by hand or by a program, changes and voids them.
TRANSACTION_WRITERS = (Role.REVOPS, Role.FINANCE)


def may_see_transactions(actor: Actor) -> bool:
    """Whoever sees work, their own at least."""
    return actor.sight(Noun.WORK) >= Scope.OWN


def transactions_for(actor: Actor) -> QuerySet[Transaction]:
    """The transactions that the actor sees, the latest day first."""
    return Transaction.objects.visible_to(actor).order_by("-effective_on", "-pk")


def transaction_for(actor: Actor, pk: int) -> Transaction:
    """One transaction with what its page names; 404 when it is not theirs."""
    rows = Transaction.objects.select_related("deal", "account", "product", "credited_to", "reverses")
    return rows.get_for(actor, pk=pk)


def reversals_of(actor: Actor, transaction: Transaction) -> QuerySet[Transaction]:
    """What takes a transaction back, as far as the actor sees it."""
    return Transaction.objects.visible_to(actor).filter(reverses=transaction)


def credits_of(actor: Actor, transaction: Transaction) -> QuerySet[Credit]:
    """Who was credited with a transaction, as far as the actor sees pay; each with its statement."""
    rows = Credit.objects.visible_to(actor).filter(transaction=transaction)
    return rows.select_related("person", "statement__period", "statement__person", "statement__plan_version__plan")


def credits_for(actor: Actor) -> QuerySet[Credit]:
    """The credits that the actor sees, the latest day first."""
    return Credit.objects.visible_to(actor).order_by("-effective_on", "-pk")


def statements_of(actor: Actor, transaction: Transaction) -> QuerySet[Statement]:
    """The statements that credit a transaction, as far as the actor sees pay."""
    credited = Credit.objects.filter(transaction=transaction, statement=OuterRef("pk"))
    return statements_for(actor).filter(Exists(credited)).defer("bundle", "carried")


def is_late(transaction: Transaction) -> bool:
    """Whether a locked statement credits it, or its day lies in a locked period: what changes now is paid later."""
    day = transaction.effective_on
    return (
        Credit.objects.filter(transaction_id=transaction.pk, locked_at__isnull=False).exists()
        or Period.objects.filter(state=PeriodState.LOCKED, start_on__lte=day, end_on__gt=day).exists()
    )


def is_of_deal(transaction: Transaction) -> bool:
    """Whether it is a deal's own booking, which follows the deal: it is changed there."""
    return transaction.source_key.startswith(DEAL_KEYS)


def of_removed_deals(keys: Collection[int | None]) -> set[int]:
    """Those of these transactions whose deal was removed in its source."""
    rows = Transaction.objects.filter(pk__in={key for key in keys if key is not None}, deal__removed_at__isnull=False)
    return set(rows.values_list("pk", flat=True))


def that_take_back(keys: Collection[int]) -> set[int]:
    """Those of these transactions that take another one back."""
    return set(Transaction.objects.filter(pk__in=keys, reverses__isnull=False).values_list("pk", flat=True))


#: How the keys of bookings begin that deals make by themselves.
DEAL_KEYS = "deal:"


def deals_named(actor: Actor, text: str, at_most: int) -> list[Deal]:
    """Deals of the actor whose name holds a text, those that begin with it first."""
    rows = Deal.objects.visible_to(actor)
    found = list(rows.filter(name__istartswith=text).order_by("name", "pk")[:at_most])
    if text and len(found) < at_most:
        others = rows.filter(name__icontains=text).exclude(pk__in=[deal.pk for deal in found])
        found += list(others.order_by("name", "pk")[: at_most - len(found)])
    return found
