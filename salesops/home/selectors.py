"""What the home room gathers from the others: records found by name, within the actor's sight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

from salesops.accounts.models import Account, Contact
from salesops.core.actor import Actor
from salesops.deals.models import Deal
from salesops.leads.models import Lead
from salesops.people.selectors import people_for

#: Records of each kind that a search shows.
MOST_HITS = 5
#: Shorter words would match everything.
SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that was found."""

    label: str
    note: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Hits:
    """Records of one kind."""

    label: str
    hits: list[Hit]


def find_records(actor: Actor, text: str) -> list[Hits]:
    """Accounts, contacts, leads, deals and people whose names hold all words: a few of each, one query for each kind."""
    words = [word for word in text.replace("\x00", "")[:100].split() if len(word) >= SHORTEST][:5]
    if not words:
        return []
    accounts = _holding(Account.objects.visible_to(actor), words, "name")
    contacts = _holding(Contact.objects.visible_to(actor), words, "name", "email").select_related("account")
    leads = _holding(Lead.objects.visible_to(actor), words, "name", "company", "email")
    deals = _holding(Deal.objects.visible_to(actor), words, "name").select_related("account", "stage")
    people = _holding(people_for(actor), words, "name", "email")
    found = [
        _hits(Account, "building", ((row, row.name, row.get_status_display()) for row in accounts[:MOST_HITS])),
        _hits(Contact, "address-book", ((row, row.name, str(row.account)) for row in contacts[:MOST_HITS])),
        _hits(Lead, "target-arrow", ((row, row.name, row.company) for row in leads[:MOST_HITS])),
        _hits(Deal, "briefcase", ((row, row.name, str(row.stage)) for row in deals[:MOST_HITS])),
        _hits(people.model, "user", ((row, str(row), row.title) for row in people[:MOST_HITS]), noun="person"),
    ]
    return [each for each in found if each.hits]


def _holding(rows: QuerySet[Any], words: Iterable[str], *fields: str) -> QuerySet[Any]:
    """Rows in which every word is in one of the fields; unordered, so that a full table need not be sorted."""
    for word in words:
        condition = Q()
        for field in fields:
            condition |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(condition)
    return rows.order_by()


def _hits(model: type[Model], icon: str, rows: Iterable[tuple[Model, str, str]], noun: str = "") -> Hits:
    page = f"{model._meta.app_label}:{noun or model._meta.model_name}_detail"
    hits = []
    for row, label, note in rows:
        try:
            url = reverse(page, kwargs={"pk": row.pk})
        except NoReverseMatch:
            return Hits(label="", hits=[])
        hits.append(Hit(label=label, note=note, url=url, icon=icon))
    return Hits(label=str(capfirst(str(model._meta.verbose_name_plural))), hits=sorted(hits, key=lambda hit: hit.label))
