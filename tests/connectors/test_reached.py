"""Whom a number or an address reaches: the one who has it, in one query for a batch, and nobody where several have it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, Contact
from salesops.connectors.models import Source
from salesops.connectors.rules.convert import Lookup
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.selectors.lookups import Resolver
from salesops.connectors.selectors.reached import EMAIL, PHONE, reached
from salesops.leads.models import Lead
from tests.cast import NOW, Cast
from tests.connectors.calling import SUE, sue

pytestmark = pytest.mark.django_db

CONTACT, LEAD, ACCOUNT, PERSON = LookupKind.CONTACT, LookupKind.LEAD, LookupKind.ACCOUNT, LookupKind.PERSON


def test_however_a_number_is_written() -> None:
    contact = sue("079 / 123-45 67")
    Contact.objects.create(account=contact.account, name="Tail", phone="044 123 45 67", created_at=NOW)
    assert reached(CONTACT, PHONE, [SUE], country="CH") == {SUE: contact.pk}
    assert reached(ACCOUNT, PHONE, [SUE], country="CH") == {SUE: contact.account_id}
    assert reached(CONTACT, PHONE, [SUE]) == {}  # no country says what 079 means


def test_a_batch_is_one_query() -> None:
    contact = sue()
    others = [f"+4179765{number:04}" for number in range(300)]
    with CaptureQueriesContext(connection) as queries:
        assert reached(CONTACT, PHONE, [SUE, *others], country="CH") == {SUE: contact.pk}
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert reached(CONTACT, PHONE, ["801", ""], country="CH") == {}
    assert len(queries) == 0


def test_what_several_share_speaks_for_their_account() -> None:
    contact = sue()
    Contact.objects.create(account=contact.account, name="Tom", email="SUE@acme.example", phone=SUE, created_at=NOW)
    for by, text in ((PHONE, SUE), (EMAIL, "Sue@Acme.example")):
        assert reached(CONTACT, by, [text], country="CH") == {}
        assert reached(ACCOUNT, by, [text], country="CH") == {text: contact.account_id}
    brill = Account.objects.create(name="Brill", match_name="brill", created_at=NOW)
    Contact.objects.create(account=brill, name="Una", phone=SUE, created_at=NOW)
    assert reached(ACCOUNT, PHONE, [SUE], country="CH") == {}


def test_the_first_of_several_that_is_known(cast: Cast) -> None:
    contact = sue()
    text = "nobody@acme.example;sue@acme.example;ana@example.com"
    assert reached(CONTACT, EMAIL, [text]) == {text: contact.pk}
    assert reached(PERSON, EMAIL, [text]) == {text: cast.ana.pk}


def test_converted_leads_and_removed_contacts_are_left() -> None:
    contact = sue()
    lead = Lead.objects.create(name="Sue", phone=SUE, created_at=NOW)
    assert reached(LEAD, PHONE, [SUE], country="CH") == {SUE: lead.pk}
    Lead.objects.filter(pk=lead.pk).update(status="converted")
    Contact.objects.filter(pk=contact.pk).update(removed_at=NOW)
    assert reached(LEAD, PHONE, [SUE], country="CH") == {}
    assert reached(CONTACT, PHONE, [SUE], country="CH") == {}


def test_files_find_by_number_too() -> None:
    contact = sue(SUE)
    source = Source.objects.create(code="file", name="File")
    lookup = Lookup(CONTACT, PHONE, "+41 79 123 45 67")
    assert Resolver(source.code).answers([lookup])[lookup].key == contact.pk


@pytest.mark.parametrize("kind", [CONTACT, LEAD])
@pytest.mark.parametrize(("by", "index"), [(PHONE, "phone_tail"), (EMAIL, "lower_email")])
def test_whom_a_call_or_a_mail_reaches_is_found_by_an_index(kind: LookupKind, by: str, index: str) -> None:
    """With 2,000 of each there, so that the database has a reason to look it up."""
    account = Account.objects.create(name="Many", match_name="many", created_at=NOW)
    numbers = range(2_000)
    Contact.objects.bulk_create(
        Contact(account=account, name="C", email=f"C{n}@x.example", phone=f"044 1{n:06}", created_at=NOW)
        for n in numbers
    )
    Lead.objects.bulk_create(
        Lead(name="L", email=f"L{n}@x.example", phone=f"044 2{n:06}", created_at=NOW) for n in numbers
    )
    texts = {PHONE: ["+41441000001", "+41442000001"], EMAIL: ["c1@x.example", "l1@x.example"]}[by]
    with CaptureQueriesContext(connection) as queries:
        assert len(reached(kind, by, texts, country="CH")) == 1
    (asked,) = queries.captured_queries
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {'leads_lead' if kind is LEAD else 'accounts_contact'}")
            cursor.execute("EXPLAIN " + asked["sql"].replace("%", "%%"))
        else:
            cursor.execute("EXPLAIN QUERY PLAN " + asked["sql"])
        plan = str(cursor.fetchall())
    assert index in plan
