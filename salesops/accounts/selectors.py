"""Reads accounts, contacts and what hangs on them, always for an actor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription
from salesops.accounts.querysets import AccountOwnershipQuerySet, AccountQuerySet, ContactQuerySet, SubscriptionQuerySet
from salesops.accounts.rules.groups import DEEPEST
from salesops.core.actor import Actor

#: So many companies of a group are shown.
MOST_SHOWN = 200


def accounts_for(actor: Actor) -> AccountQuerySet:
    """The accounts the actor may see, by name."""
    return Account.objects.visible_to(actor)


def account_for(actor: Actor, pk: int) -> Account:
    """One account with all it refers to; raises Http404 when it is not theirs."""
    return Account.objects.select_related("owner", "pod", "segment", "territory", "parent").get_for(actor, pk=pk)


def account_or_removed_for(actor: Actor, pk: int) -> Account:
    """As `account_for`, and also an account that was removed: for its own page."""
    names = ("owner", "pod", "segment", "territory", "parent", "merged_into")
    return Account.every.select_related(*names).get_for(actor, pk=pk)


def contacts_for(actor: Actor) -> ContactQuerySet:
    """The contacts of the accounts the actor may see, by name."""
    return Contact.objects.visible_to(actor)


def contact_for(actor: Actor, pk: int) -> Contact:
    """One contact with the account; raises Http404 when it is not theirs."""
    return Contact.objects.select_related("account").get_for(actor, pk=pk)


def contact_or_removed_for(actor: Actor, pk: int) -> Contact:
    """As `contact_for`, and also a contact that was removed: for its own page."""
    return Contact.every.select_related("account", "merged_into").get_for(actor, pk=pk)


def contacts_of(actor: Actor, account: Account) -> ContactQuerySet:
    """The people at an account, the main contact first."""
    return contacts_for(actor).filter(account=account).order_by("-is_primary", "name", "pk")


def ownerships_of(actor: Actor, account: Account) -> AccountOwnershipQuerySet:
    """Who was, is and will be responsible for an account, newest first, with the person."""
    rows = AccountOwnership.objects.visible_to(actor).filter(account=account)
    return rows.select_related("person").order_by("-start_on", "function", "pk")


def subscriptions_of(actor: Actor, account: Account) -> SubscriptionQuerySet:
    """What an account pays every month, newest first."""
    return Subscription.objects.visible_to(actor).filter(account=account).order_by("-start_on", "pk")


def mrr_of(actor: Actor, account: Account, day: date) -> list[tuple[str, int]]:
    """The monthly recurring revenue of an account on a day, in minor units for each currency."""
    rows = subscriptions_of(actor, account).on(day).order_by("currency").values_list("currency")
    return [(currency, int(minor)) for currency, minor in rows.annotate(total=Sum("mrr_minor"))]


def ancestors(keys: Collection[int]) -> dict[int, int | None]:
    """For these accounts and everything above them: the key of the parent. One query for each level."""
    found: dict[int, int | None] = {}
    waiting = set(keys)
    for _level in range(DEEPEST + 1):
        if not waiting:
            break
        found.update(dict(Account.objects.filter(pk__in=waiting).values_list("pk", "parent_id")))
        waiting = {parent for parent in found.values() if parent is not None} - found.keys()
    return found


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A company of a group: how many levels below the top it is, and whether it is the one asked about."""

    account: Account
    level: int
    is_here: bool


def group_of(actor: Actor, account: Account) -> list[GroupRow]:
    """The group that an account belongs to, as far as the actor may see, each company under its parent, by name.

    Empty for a company without parent and subsidiaries. At most MOST_SHOWN companies; one query for each level.
    """
    above = ancestors([account.pk])
    seen = accounts_for(actor).select_related("owner").in_bulk(list(above))
    top = seen.get(account.pk, account)
    while top.parent_id in seen:
        top = seen[top.parent_id]
    children: dict[int, list[Account]] = defaultdict(list)
    level, count = [top.pk], 1
    for _level in range(DEEPEST):
        below = accounts_for(actor).select_related("owner").filter(parent__in=level).order_by("name", "pk")
        rows = list(below[: MOST_SHOWN - count])
        for row in rows:
            children[row.parent_id or 0].append(row)
        level, count = [row.pk for row in rows], count + len(rows)
        if not level or count >= MOST_SHOWN:
            break
    if count == 1:
        return []
    found: list[GroupRow] = []

    def walk(row: Account, depth: int) -> None:
        found.append(GroupRow(row, depth, row.pk == account.pk))
        for child in children[row.pk]:
            walk(child, depth + 1)

    walk(top, 0)
    return found
