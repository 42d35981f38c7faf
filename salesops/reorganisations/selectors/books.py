"""What the people who move hold on the day: accounts, responsibilities, open deals, leads in work, and what is protected."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Q

from salesops.accounts.models import Account, AccountOwnership
from salesops.accounts.services.owners import OWNER
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.leads.choices import WORK_STATUSES
from salesops.leads.models import Lead
from salesops.people.models import User
from salesops.pods.models import PodMembership
from salesops.reorganisations.models import Reorganisation
from salesops.reorganisations.rules.protection import Protection, why_protected


@dataclass(slots=True)
class Books:
    """By person who moves: ids of what they hold. pods: the pod they are in on the day.

    responsible: accounts for which they are responsible in a function other than the owner's, by person and function.
    protected: open deals that stay with them, with the reason.
    """

    pods: dict[int, int] = field(default_factory=dict)
    accounts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    responsible: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    deals: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    leads: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    protected: dict[int, Protection] = field(default_factory=dict)

    @property
    def account_ids(self) -> set[int]:
        """Every account that any of them holds."""
        return {pk for held in (*self.accounts.values(), *self.responsible.values()) for pk in held}

    @property
    def deal_ids(self) -> set[int]:
        """Every open deal that any of them owns."""
        return {pk for held in self.deals.values() for pk in held}

    @property
    def lead_ids(self) -> set[int]:
        """Every lead in work that any of them owns."""
        return {pk for held in self.leads.values() for pk in held}


def locked_books_of(reorganisation: Reorganisation) -> Books:
    """As `books_of`, with the people who move and all that they hold locked, in the order of keys.

    Read twice: what somebody took from them or closed before the locks were there is not in it.
    """
    people = list(reorganisation.moves.values_list("person_id", flat=True))
    list(User.objects.select_for_update(of=("self",)).filter(pk__in=people).order_by("pk").values_list("pk"))
    books = books_of(reorganisation)
    for model, keys in ((Account, books.account_ids), (Lead, books.lead_ids), (Deal, books.deal_ids)):
        rows = model._default_manager.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
        list(rows.values_list("pk"))
    return books_of(reorganisation)


def books_of(reorganisation: Reorganisation) -> Books:
    """What they hold as of now, and the pods of the day on which it takes effect. A constant number of queries."""
    day = reorganisation.effective_on
    people = list(reorganisation.moves.values_list("person_id", flat=True))
    books = Books(dict(PodMembership.objects.on(day).filter(person__in=people).values_list("person_id", "pod_id")))
    for pk, owner in Account.objects.filter(owner__in=people).order_by("pk").values_list("pk", "owner_id"):
        books.accounts[owner].append(pk)
    held = AccountOwnership.objects.on(day).filter(person__in=people).exclude(function=OWNER).order_by("account_id")
    for account, person, function in held.values_list("account_id", "person_id", "function"):
        books.responsible[person, function].append(account)
    leads = Lead.objects.filter(owner__in=people, status__in=WORK_STATUSES).order_by("pk")
    for pk, owner in leads.values_list("pk", "owner_id"):
        books.leads[owner].append(pk)
    by_hand = dict(reorganisation.protections.values_list("deal_id", "is_protected"))
    until = day + timedelta(days=reorganisation.protect_days) if reorganisation.protect_days else None
    deals = Deal.objects.filter(Q(owner__in=people), kind=StageKind.OPEN).order_by("pk")
    for pk, owner, closes, likely in deals.values_list("pk", "owner_id", "expected_close_on", "stage__probability_bp"):
        books.deals[owner].append(pk)
        why = why_protected(
            by_hand=by_hand.get(pk),
            probability_bp=likely,
            protect_from_bp=reorganisation.protect_from_bp,
            closes_on=closes,
            protect_until=until,
        )
        if why is not None:
            books.protected[pk] = why
    return books
