"""Companies and contacts from outside: found again, compared field by field, refused in words where they do not fit."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription
from salesops.accounts.services import (
    AccountRecord,
    ContactRecord,
    SubscriptionRecord,
    create_account,
    upsert_accounts,
    upsert_contacts,
    upsert_subscriptions,
)
from salesops.audit.models import AuditEntry
from salesops.core.upserts import Fate, UpsertResult
from tests.cast import NOW, SINCE, TODAY, Cast

CREATED, CHANGED, UNCHANGED, REFUSED = Fate.CREATED, Fate.CHANGED, Fate.UNCHANGED, Fate.REFUSED
LATER = NOW + timedelta(days=10)


def take(
    cast: Cast, *records: AccountRecord, preview: bool = False, at: Any = NOW, source: str = "crm"
) -> UpsertResult:
    return upsert_accounts(actor=cast.actor("rita"), records=records, source=source, at=at, preview=preview)


def fates(result: UpsertResult) -> list[Fate]:
    return [outcome.fate for outcome in result.outcomes]


def said(result: UpsertResult) -> list[tuple[int, str, str]]:
    return [(problem.position, problem.column, str(problem.message)) for problem in result.problems]


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if query["sql"].split()[0] in {"INSERT", "COPY", "UPDATE", "DELETE"}]


def owners(account: Account) -> list[tuple[str, date, date | None]]:
    rows = AccountOwnership.objects.filter(account=account).order_by("start_on")
    return list(rows.values_list("person__name", "start_on", "end_on"))


FULL: dict[str, Any] = {
    "name": " Acme Corporation ",
    "external_id": "A1",
    "industry": "technology",
    "country": "United States",
    "employees": 2822,
    "revenue_minor": 110_004_000_000,
    "founded_year": 1996,
}


def test_a_company_comes_in_once(cast: Cast) -> None:
    record = AccountRecord(**FULL, owner_id=cast.ana.pk)
    assert fates(take(cast, record)) == [CREATED]
    account = Account.objects.get()
    assert (account.name, account.match_name, account.source, account.external_id, account.owner, account.pod) == (
        "Acme Corporation",
        "acme",
        "crm",
        "A1",
        cast.ana,
        cast.north,
    )
    assert (account.segment, account.revenue_minor, account.founded_year, account.created_at) == (
        cast.enterprise,
        110_004_000_000,
        1996,
        NOW,
    )
    assert owners(account) == [("Ana Alvarez", TODAY, None)]
    assert list(AuditEntry.objects.values_list("action", "reason")) == [("account.created", "crm")]
    with CaptureQueriesContext(connection) as queries:
        assert fates(take(cast, record, at=LATER)) == [UNCHANGED]
    assert writes(queries) == []


def test_only_what_differs_is_written_and_recorded(cast: Cast) -> None:
    take(cast, AccountRecord(**FULL))
    Account.objects.update(city="Bonn")
    result = take(cast, AccountRecord(external_id="A1", name="ACME Inc.", country=""))
    assert [(outcome.before, outcome.after) for outcome in result.outcomes] == [
        ({"name": "Acme Corporation", "country": "United States"}, {"name": "ACME Inc.", "country": ""})
    ]
    account = Account.objects.get()
    assert (account.name, account.match_name, account.country, account.city, account.employees) == (
        "ACME Inc.",
        "acme",
        "",
        "Bonn",
        2822,
    )
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.before, entry.after) == (
        "account.edited",
        {"name": "Acme Corporation", "country": "United States"},
        {"name": "ACME Inc.", "country": ""},
    )


def test_a_new_owner_takes_over_on_their_day_and_brings_their_pod(cast: Cast) -> None:
    take(cast, AccountRecord(**FULL, owner_id=cast.ana.pk, owner_since=SINCE))
    account = Account.objects.get()
    assert owners(account) == [("Ana Alvarez", SINCE, None)]
    day = date(2026, 6, 20)
    take(cast, AccountRecord(external_id="A1", owner_id=cast.alba.pk, owner_since=day), at=LATER)
    account.refresh_from_db()
    assert (account.owner, account.pod) == (cast.alba, cast.south)
    assert owners(account) == [("Ana Alvarez", SINCE, day), ("Alba Abe", day, None)]
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.before, entry.after) == (
        "account.reassigned",
        {"owner": cast.ana.pk, "pod": cast.north.pk},
        {"owner": cast.alba.pk, "pod": cast.south.pk},
    )
    # A day before the last hand-over cannot be: then it is from today on.
    take(cast, AccountRecord(external_id="A1", owner_id=cast.sam.pk, owner_since=SINCE), at=LATER)
    assert owners(account)[1:] == [("Alba Abe", day, LATER.date()), ("Sam Sorensen", LATER.date(), None)]
    take(cast, AccountRecord(external_id="A1", owner_id=None), at=LATER)
    account.refresh_from_db()
    assert (account.owner, owners(account)[-1]) == (None, ("Alba Abe", day, LATER.date()))


def test_an_account_that_came_with_an_older_day_has_been_owned_since(cast: Cast) -> None:
    take(cast, AccountRecord(name="Old", owner_id=cast.ana.pk, created_at=NOW - timedelta(days=30)))
    assert owners(Account.objects.get()) == [("Ana Alvarez", TODAY - timedelta(days=30), None)]


def test_a_company_without_an_id_is_found_by_its_name(cast: Cast) -> None:
    take(cast, AccountRecord(name="Gekko & Co", city="Bonn"))
    result = take(cast, AccountRecord(name="gekko &  CO.", city="Köln"), AccountRecord(name="Gekkos"))
    assert fates(result) == [CHANGED, CREATED]
    loose = take(cast, AccountRecord(name="Gekko GmbH", city="Ulm"))
    assert (fates(loose), str(loose.outcomes[0].note)) == ([CHANGED], "taken for “gekko &  CO.”")
    assert sorted(Account.objects.values_list("name", "city")) == [("Gekkos", ""), ("gekko &  CO.", "Ulm")]


def test_two_records_do_not_fall_together_unseen(cast: Cast) -> None:
    result = take(cast, AccountRecord(name="Acme Inc"), AccountRecord(name="Acme Ltd"), AccountRecord(name="ACME INC"))
    assert fates(result) == [CREATED, REFUSED, CHANGED]
    assert said(result) == [(1, "name", "Another record means the same company under another name.")]
    take(cast, AccountRecord(name="Acme Ltd", external_id="A2"))
    assert sorted(Account.objects.values_list("name", flat=True)) == ["ACME INC", "Acme Ltd"]
    result = take(cast, AccountRecord(name="Acme"), AccountRecord(name="acme inc", city="Bonn"))
    assert fates(result) == [REFUSED, CHANGED]
    assert said(result)[0] == (
        0, "name", "Several companies have this name: “ACME INC”, “Acme Ltd”. Say which by its id.",
    )  # fmt: skip


def test_an_id_is_given_to_the_company_of_that_very_name(cast: Cast) -> None:
    create_account(actor=cast.actor("rita"), at=NOW, name="Acme Inc")
    result = take(
        cast, AccountRecord(name="Acme Inc", external_id="A1"), AccountRecord(name="Acme Ltd", external_id="A2")
    )
    assert fates(result) == [CHANGED, CREATED]
    assert list(Account.objects.order_by("name").values_list("name", "source", "external_id")) == [
        ("Acme Inc", "crm", "A1"),
        ("Acme Ltd", "crm", "A2"),
    ]
    # The same id in another source is another company, and never takes over one that has an id.
    assert fates(take(cast, AccountRecord(name="Acme Inc", external_id="A1"), source="billing")) == [CREATED]


def test_bad_records_are_refused_in_words_and_stop_no_other(cast: Cast) -> None:
    result = take(
        cast,
        AccountRecord(external_id="1"),
        AccountRecord(),
        AccountRecord(name="Site", website="nonsense"),
        AccountRecord(name="Coin", currency="XXX"),
        AccountRecord(name="Many", employees=-4),
        AccountRecord(name="Owner", owner_id=99999),
        AccountRecord(name="Good"),
    )
    assert fates(result) == [REFUSED] * 6 + [CREATED]
    assert [(position, column) for position, column, _text in said(result)] == [
        (0, "name"),
        (1, "name"),
        (2, "website"),
        (3, "currency"),
        (4, "employees"),
        (5, "owner"),
    ]
    assert list(Account.objects.values_list("name", flat=True)) == ["Good"]


def test_parents_are_found_among_the_records_themselves(cast: Cast) -> None:
    records = [
        AccountRecord(name="Child", parent_name="Parent Inc"),
        AccountRecord(name="Parent", external_id="P"),
        AccountRecord(name="Grandchild", external_id="G", parent_name="Child"),
        AccountRecord(name="By id", external_id="I", parent_external_id="P"),
        AccountRecord(name="Orphan", parent_name="Nobody"),
    ]
    preview = take(cast, *records, preview=True)
    assert (fates(preview), Account.objects.count()) == ([CREATED] * 5, 0)
    result = take(cast, *records)
    assert fates(result) == [CREATED] * 5
    assert said(preview) == said(result) == [(4, "parent", "There is no such account.")]
    assert (result.is_refused(4), result.refused) == (False, 0)
    assert dict(Account.objects.values_list("name", "parent__name")) == {
        "Child": "Parent",
        "Parent": None,
        "Grandchild": "Child",
        "By id": "Parent",
        "Orphan": None,
    }
    with CaptureQueriesContext(connection) as queries:
        again = take(cast, *records)
    assert (fates(again), writes(queries)) == ([UNCHANGED] * 5, [])
    moved = take(cast, AccountRecord(name="Grandchild", external_id="G", parent_name="Parent"))
    assert (fates(moved), list(moved.outcomes[0].after)) == ([CHANGED], ["parent_id"])


def test_a_circle_of_parents_is_not_closed(cast: Cast) -> None:
    result = take(
        cast,
        AccountRecord(name="A", external_id="a", parent_name="C"),
        AccountRecord(name="B", external_id="b", parent_name="A"),
        AccountRecord(name="C", external_id="c", parent_name="B"),
    )
    assert said(result) == [(2, "parent", "That account belongs to this one, directly or through others.")]
    assert dict(Account.objects.values_list("name", "parent__name")) == {"A": "C", "B": "A", "C": None}
    top = Account.objects.get(name="C")
    given = take(cast, AccountRecord(external_id="c", parent_id=Account.objects.get(name="B").pk))
    assert fates(given) == [REFUSED]
    top.refresh_from_db()
    assert top.parent is None


def test_a_preview_says_the_same_and_writes_nothing(cast: Cast) -> None:
    take(cast, AccountRecord(**FULL))
    records = [AccountRecord(**(FULL | {"name": "Acme"})), AccountRecord(name="New"), AccountRecord(name="")]
    preview = take(cast, *records, preview=True)
    assert Account.objects.get().name == "Acme Corporation"
    real = take(cast, *records)
    assert fates(preview) == fates(real) == [CHANGED, CREATED, REFUSED]
    assert said(preview) == said(real)
    assert preview.outcomes[0] == real.outcomes[0]


def test_a_batch_takes_few_statements(cast: Cast) -> None:
    def cost(first: int, count: int, city: str) -> int:
        records = [
            AccountRecord(name=f"Company {number}", external_id=str(number), city=city, owner_id=cast.ana.pk)
            for number in range(first, first + count)
        ]
        with CaptureQueriesContext(connection) as queries:
            take(cast, *records)
        return len([query for query in queries if query["sql"].split()[0] == "SELECT"])

    cost(0, 1, "the audit begins")
    limit = 12 + (connection.vendor == "postgresql")  # the keys of the new rows
    assert cost(10, 2, "new") == cost(100, 200, "new") <= limit
    assert cost(10, 2, "changed") == cost(100, 200, "changed") <= 12


# --- Contacts and subscriptions -----------------------------------------------------------------------------------


@pytest.fixture
def acme(cast: Cast) -> Account:
    return create_account(actor=cast.actor("rita"), at=NOW, name="Acme")


def take_contacts(cast: Cast, *records: ContactRecord, preview: bool = False) -> UpsertResult:
    return upsert_contacts(actor=cast.actor("rita"), records=records, source="crm", at=NOW, preview=preview)


def test_a_contact_is_found_by_id_address_or_name(cast: Cast, acme: Account) -> None:
    first = take_contacts(
        cast,
        ContactRecord(acme.pk, "Bea Berg", external_id="c1", email=" BEA@acme.com ", title="CEO", is_primary=True),
        ContactRecord(acme.pk, "Cal", email="cal@acme.com"),
        ContactRecord(acme.pk, "Dot"),
    )
    assert fates(first) == [CREATED] * 3
    second = take_contacts(
        cast,
        ContactRecord(external_id="c1", title="Chair"),
        ContactRecord(acme.pk, "Calvin", email="CAL@acme.com"),
        ContactRecord(acme.pk, " dot ", phone="1"),
        ContactRecord(acme.pk, "Cal", email="other@acme.com"),
    )
    assert fates(second) == [CHANGED, CHANGED, CHANGED, CREATED]
    assert sorted(Contact.objects.values_list("name", "email", "title", "phone", "external_id", "is_primary")) == [
        ("Bea Berg", "bea@acme.com", "Chair", "", "c1", True),
        ("Cal", "other@acme.com", "", "", "", False),
        ("Calvin", "cal@acme.com", "", "", "", False),
        ("dot", "", "", "1", "", False),
    ]


def test_the_same_contacts_again_write_nothing(cast: Cast, acme: Account) -> None:
    records = [
        ContactRecord(acme.pk, "Bea", external_id="c1", email="BEA@acme.com", is_primary=True),
        ContactRecord(acme.pk, "Cal", email="cal@acme.com"),
        ContactRecord(acme.pk, "Dot"),
    ]
    take_contacts(cast, *records)
    with CaptureQueriesContext(connection) as queries:
        assert fates(take_contacts(cast, *records)) == [UNCHANGED] * 3
    assert writes(queries) == []


def test_a_new_main_contact_takes_the_place_of_the_one_before(cast: Cast, acme: Account) -> None:
    take_contacts(cast, ContactRecord(acme.pk, "Bea", is_primary=True))
    take_contacts(cast, ContactRecord(acme.pk, "Cal", is_primary=True))
    assert sorted(Contact.objects.values_list("name", "is_primary")) == [("Bea", False), ("Cal", True)]
    take_contacts(cast, ContactRecord(acme.pk, "Bea", is_primary=True))
    assert sorted(Contact.objects.values_list("name", "is_primary")) == [("Bea", True), ("Cal", False)]


def test_a_contact_known_by_name_gets_the_id_of_its_source(cast: Cast, acme: Account) -> None:
    take_contacts(cast, ContactRecord(acme.pk, "Bea"))
    assert fates(take_contacts(cast, ContactRecord(acme.pk, "Bea", external_id="c1"))) == [CHANGED]
    assert fates(take_contacts(cast, ContactRecord(acme.pk, "Bea", external_id="c2"))) == [CREATED]
    assert sorted(Contact.objects.values_list("external_id", flat=True)) == ["c1", "c2"]


def test_bad_contacts_are_refused(cast: Cast, acme: Account) -> None:
    result = take_contacts(
        cast,
        ContactRecord(name="Nobody's"),
        ContactRecord(99999, "Lost"),
        ContactRecord(acme.pk, "Bad", email="nonsense"),
        ContactRecord(acme.pk, external_id="x"),
        ContactRecord(acme.pk, "Good"),
    )
    assert fates(result) == [REFUSED] * 4 + [CREATED]
    assert [(position, column) for position, column, _text in said(result)] == [
        (0, "account"),
        (1, "account"),
        (2, "email"),
        (3, "name"),
    ]


def test_subscriptions_come_in_once_and_must_end_after_they_begin(cast: Cast, acme: Account) -> None:
    def subscriptions(*records: SubscriptionRecord) -> UpsertResult:
        return upsert_subscriptions(actor=cast.actor("rita"), records=records, source="billing", at=NOW)

    record = SubscriptionRecord("s1", acme.pk, "Pro", date(2026, 1, 1), None, 50_00, "USD", 5)
    assert fates(subscriptions(record)) == [CREATED]
    assert fates(subscriptions(record)) == [UNCHANGED]
    result = subscriptions(
        SubscriptionRecord("s1", end_on=date(2026, 1, 1)),
        SubscriptionRecord("s2"),
        SubscriptionRecord(""),
        SubscriptionRecord("s1", mrr_minor=60_00),
    )
    assert fates(result) == [REFUSED, REFUSED, REFUSED, CHANGED]
    assert said(result) == [
        (0, "end_on", "It must end after it begins."),
        (1, "", "A new subscription needs a company, a first day and an amount."),
        (2, "external_id", "A subscription needs the id it has in its source."),
    ]
    subscription = Subscription.objects.get()
    assert (subscription.mrr_minor, subscription.end_on, subscription.seats) == (60_00, None, 5)
