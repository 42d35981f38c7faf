"""Whom a telephone number or an e-mail address reaches: contacts, leads, the accounts of contacts, and people by address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from django.db.models import QuerySet
from django.db.models.functions import Lower

from salesops.accounts.models import Contact
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.rules.telephone import SEVERAL, number_of, tail_of
from salesops.core.telephone import PhoneTail
from salesops.leads.choices import LeadStatus
from salesops.leads.models import Lead
from salesops.people.models import User

PHONE: Final = "phone"
EMAIL: Final = "email"
#: What is found by what somebody can be reached at.
KINDS: Final = frozenset({LookupKind.CONTACT, LookupKind.LEAD, LookupKind.ACCOUNT, LookupKind.PERSON})


def reached(kind: LookupKind, by: str, texts: Collection[str], *, country: str = "") -> dict[str, int]:
    """The record of each text, in one query for all of them. A text may hold several numbers or addresses, the best first.

    A number or an address that several records share (a switchboard) speaks for none of them, but for the account that
    all of them belong to. Leads that were converted are left to the contact that they became. country: in which numbers
    without a country's code are meant.
    """
    parts = {text: [part.strip() for part in text.split(SEVERAL) if part.strip()] for text in texts}
    keys = {part: number_of(part, country) if by == PHONE else part.lower() for each in parts.values() for part in each}
    wanted = {key for key in keys.values() if key}
    found: dict[str, set[int]] = defaultdict(set)
    for key, pk in _phones(kind, wanted, country) if by == PHONE else _emails(kind, wanted):
        found[key].add(pk)
    answers: dict[str, int] = {}
    for text, each in parts.items():
        pks = next((found[keys[part]] for part in each if len(found.get(keys[part], ())) == 1), None)
        if pks:
            answers[text] = next(iter(pks))
    return answers


def _rows(kind: LookupKind) -> tuple[QuerySet[Contact] | QuerySet[Lead] | QuerySet[User], str]:
    """The rows that can be reached, and the column that names the record."""
    if kind is LookupKind.PERSON:
        return User.objects.all(), "pk"
    if kind is LookupKind.LEAD:
        return Lead.objects.exclude(status=LeadStatus.CONVERTED), "pk"
    return Contact.objects.all(), "account_id" if kind is LookupKind.ACCOUNT else "pk"


def _emails(kind: LookupKind, wanted: Collection[str]) -> Iterable[tuple[str, int]]:
    rows, name = _rows(kind)
    return rows.annotate(plain=Lower("email")).filter(plain__in=wanted).values_list("plain", name) if wanted else ()


def _phones(kind: LookupKind, wanted: Collection[str], country: str) -> Iterable[tuple[str, int]]:
    """By their last digits in the database, whatever stands between them; then as numbers of the country."""
    tails = {tail for number in wanted if (tail := tail_of(number))}
    if not tails:
        return
    rows, name = _rows(kind)
    for phone, pk in rows.annotate(tail=PhoneTail("phone")).filter(tail__in=tails).values_list("phone", name):
        number = number_of(phone, country)
        if number in wanted:
            yield number, pk
