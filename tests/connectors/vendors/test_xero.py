"""Xero: the shared scenarios on invoices, and what only Xero does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Account
from salesops.commissions.models import Transaction
from salesops.connectors.choices import ConnectionState, RunState
from salesops.connectors.rules.proofs import Delivery, Refused
from salesops.connectors.services import connecting, hooks, pulling
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.vendors.xero import VENDOR, day_of
from salesops.connectors.wire import Reply
from salesops.deals.models import Product
from tests.cast import NOW, Cast
from tests.connectors.compared import transactions
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.xero import Xero


class TestXero(Conformance):
    """Invoices of one customer."""

    vendor = "xero"
    standin = Xero
    object = "Invoices"
    needs = ("Contacts",)
    path = "/api.xro/"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "restores": "what was voided or deleted stays so",
        "search": "lists are no search index",
        "limit_403": "the day's limit is a 429 as well",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("Contacts", 1, Name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        contact = {"ContactID": standin.identity("Contacts", 1), "Name": "Acme"}
        return standin.put("Invoices", None, Contact=contact, Total=Decimal(amount), Date="2026-05-01")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("Invoices", id, Total=Decimal(amount))

    def delete(self, standin: StandIn, id: str) -> None:
        assert isinstance(standin, Xero)
        standin.void("Invoices", id)

    def source(self, standin: StandIn) -> Table:
        return {
            f"xero:invoice:{row.id}": (int(row["Total"] * 100), "USD", "invoice", "Acme")
            for row in standin.rows("Invoices")
            if row["Status"] in ("AUTHORISED", "PAID")
        }

    def table(self, link: Link) -> Table:
        return transactions()


# --- One organisation with all its documents ------------------------------------------------------------------------


@pytest.fixture
def books() -> Iterator[Xero]:
    """Acme, with three invoices of 100 each."""
    with Xero() as books, allowed(books):
        books.clock.now = NOW
        books.put("Contacts", 1, Name="Acme", Addresses=[{"AddressType": "POBOX", "City": "Lyon", "Country": "France"}])
        for number in (1, 2, 3):
            books.put("Invoices", number, Contact=contact(books), Total=Decimal(100), Date="2026-05-01")
        yield books


@pytest.fixture
def link(books: Xero, cast: Cast) -> Link:
    """A connection that is not started."""
    return connected(books, cast)


def connected(books: Xero, cast: Cast, **options: str) -> Link:
    secrets = {"webhook_secret": Xero.hook_secret}
    return Link(cast.actor("rita"), books).connect("xero", options=options, secrets=secrets)


def contact(books: Xero, number: int = 1) -> dict[str, str]:
    return {"ContactID": books.identity("Contacts", number), "Name": "Acme"}


def amounts(books: Xero, *kinds: str) -> dict[str, int]:
    """What counts: its type and the number that a test gave it, and its amount."""
    names = {
        books.identity(object, number): f"{type}:{number}"
        for object, type in (
            ("Invoices", "invoice"), ("CreditNotes", "creditnote"), ("Payments", "payment"),
            ("Overpayments", "overpayment"), ("Prepayments", "prepayment"),
        )
        for number in range(1, 40)
    }  # fmt: skip
    return {names[key.rpartition(":")[2]]: told[0] for key, told in transactions(*kinds).items()}


def paying(books: Xero, object: str, number: int, currency: str = "USD") -> dict[str, Any]:
    """What a payment says of what it pays."""
    name = object.removesuffix("s")
    what = {f"{name}ID": books.identity(object, number), "Contact": contact(books), "CurrencyCode": currency}
    return {name: what}


def test_each_kind_of_document_is_what_it_is(link: Link, books: Xero) -> None:
    books.put("Items", 1, Code="S-1", Name="Seat", SalesDetails={"UnitPrice": Decimal("12.50")})
    books.put("Items", 2, Code="B-1", Name="Bought", IsSold=False)
    taxed = {"Contact": contact(books), "Total": Decimal("115.00"), "TotalTax": Decimal("15.00")}
    books.put("Invoices", 1, **taxed, CurrencyCode="EUR", LineItems=[{"ItemCode": "S-1"}], Date="2026-05-31")
    books.put("Invoices", 4, **taxed, Type="ACCPAY")
    books.put("Invoices", 5, **taxed, Status="DRAFT")
    books.put("CreditNotes", 1, **taxed, Date="2026-06-02")
    books.put("CreditNotes", 2, **taxed, Type="ACCPAYCREDIT")
    books.put("Overpayments", 1, Contact=contact(books), Total=Decimal("40.00"))
    books.put("Overpayments", 2, Contact=contact(books), Total=Decimal("40.00"), Type="SPEND-OVERPAYMENT")
    books.put("Prepayments", 1, Contact=contact(books), Total=Decimal("23.00"), TotalTax=Decimal("3.00"))
    books.put(
        "Payments", 1, **paying(books, "Invoices", 1, "EUR"), Amount=Decimal("60.00"), BankAmount=Decimal("66.00")
    )
    books.put("Payments", 2, **paying(books, "CreditNotes", 1), Amount=Decimal("5.00"), PaymentType="ARCREDITPAYMENT")
    books.put(
        "Payments", 3, **paying(books, "Overpayments", 1), Amount=Decimal("40.00"), PaymentType="AROVERPAYMENTPAYMENT"
    )
    books.put("Payments", 4, **paying(books, "Invoices", 4), Amount=Decimal("9.00"), PaymentType="ACCPAYPAYMENT")
    books.put("Payments", 5, **paying(books, "Invoices", 2), Amount=Decimal("9.00"), Status="DELETED")
    link.want(*(each.code for each in VENDOR.objects)).start()
    link.run()
    assert link.problems() == {}
    assert amounts(books) == {
        "invoice:1": 10_000, "invoice:2": 10_000, "invoice:3": 10_000, "creditnote:1": -10_000, "overpayment:1": 4_000,
        "prepayment:1": 2_300, "payment:1": 6_000, "payment:2": -500, "payment:3": -4_000,
    }  # fmt: skip
    assert {told[1:] for told in transactions("refund").values()} == {("USD", "refund", "Acme")}
    taken_back = dict(
        Transaction.objects.filter(reverses__isnull=False).values_list("source_key", "reverses__source_key")
    )
    assert taken_back == {
        f"xero:payment:{books.identity('Payments', 3)}": f"xero:overpayment:{books.identity('Overpayments', 1)}"
    }
    invoice = Transaction.objects.get(source_key=f"xero:invoice:{books.identity('Invoices', 1)}")
    assert (invoice.product.code if invoice.product else "", invoice.effective_on) == ("S-1", date(2026, 5, 31))
    assert invoice.currency == Transaction.objects.get(source_key__endswith=books.identity("Payments", 1)).currency
    assert not Product.objects.filter(name="Bought").exists()


def test_statuses_take_away_and_bring(link: Link, books: Xero) -> None:
    draft = books.put("Invoices", 4, Contact=contact(books), Total=Decimal(50), Status="DRAFT")
    books.put("Payments", 1, **paying(books, "Invoices", 1), Amount=Decimal(60))
    link.want("Contacts", "Invoices", "Payments").start()
    link.run()
    assert set(amounts(books)) == {"invoice:1", "invoice:2", "invoice:3", "payment:1"}
    books.put("Invoices", draft, Status="AUTHORISED")
    books.void("Invoices", 2)
    books.void("Payments", 1)
    link.sync()
    assert set(amounts(books)) == {"invoice:1", "invoice:3", "invoice:4"}
    assert books.row("Payments", 1)["Status"] == "DELETED"


@pytest.mark.parametrize(
    ("payload", "day"),
    [
        ({"DateString": "2026-05-31T00:00:00", "Date": "/Date(1780185600000+0000)/"}, "2026-05-31"),
        ({"Date": "/Date(1780185600000+0000)/"}, "2026-05-31"),
        ({"Date": "/Date(1780185600000)/"}, "2026-05-31"),
        ({"Date": "/Date(-86400000+0000)/"}, "1969-12-31"),
        ({"Date": "2026-05-31"}, "2026-05-31"),
        ({}, ""),
    ],
)
def test_a_day_is_a_day_in_every_zone(payload: dict[str, str], day: str) -> None:
    assert day_of(payload) == day


def test_a_day_is_not_moved_by_the_zone_of_the_connection(books: Xero, cast: Cast) -> None:
    link = connected(books, cast)
    link.connection.options = {**link.connection.options, "time_zone": "Pacific/Honolulu"}
    link.connection.save()
    link.want("Contacts", "Invoices").start()
    link.run()
    assert set(Transaction.objects.values_list("effective_on", flat=True)) == {date(2026, 5, 1)}


def test_suppliers_stay_out_and_who_is_both_comes(link: Link, books: Xero) -> None:
    books.put("Contacts", 2, Name="Only a supplier", IsSupplier=True, IsCustomer=False)
    books.put("Contacts", 3, Name="Both", IsSupplier=True)
    books.put("Contacts", 4, Name="Archived", ContactStatus="ARCHIVED")
    link.want("Contacts").start()
    link.run()
    told = dict(Account.objects.exclude(external_id="").values_list("name", "city"))
    assert told == {"Acme": "Lyon", "Both": "", "Archived": ""}


def test_contacts_that_are_merged_are_one(link: Link, books: Xero) -> None:
    books.put("Contacts", 2, Name="Acme Inc")
    books.put("Invoices", 4, Contact=contact(books, 2), Total=Decimal(5))
    link.want("Contacts", "Invoices").start()
    link.run()
    books.merge("Contacts", 2, 1)
    link.sync()
    assert {told[3] for told in transactions().values()} == {"Acme"}


# --- Pages, limits, organisations -----------------------------------------------------------------------------------


def test_a_crowded_second_is_read_until_nothing_shifts(
    link: Link, books: Xero, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows of one second than fill a page: an edit between two pages shifts those behind by one."""
    monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
    books.clock.step = 0.01
    for number in range(4, 39):
        books.put("Invoices", number, Contact=contact(books), Total=Decimal(number))
    books.clock.step = 1.0

    def move(page: int) -> None:
        if page in (4, 7):
            books.put("Invoices", 10 + page, Total=Decimal(9_000 + page))

    link.want("Contacts", "Invoices").start()
    books.before_page(move)
    link.run()
    books.before_page(None)
    assert set(link.raws("Invoices")) == {books.identity("Invoices", number) for number in range(1, 39)}
    assert amounts(books)["invoice:17"] == 900_700


def test_only_what_changed_since_is_asked(link: Link, books: Xero) -> None:
    link.want("Contacts", "Invoices").start()
    link.run()
    first = books.asked("/api.xro/2.0/Invoices")[-1]
    assert "if-modified-since" not in first.headers
    assert (first.params["where"], first.params["order"]) == ('Type=="ACCREC"', "UpdatedDateUTC ASC")
    assert first.headers["xero-tenant-id"] == Xero.tenant
    link.sync()
    assert books.asked("/api.xro/2.0/Invoices")[-1].headers["if-modified-since"].startswith("2026-06-17T")


def test_the_minute_is_shared_with_others(link: Link, books: Xero) -> None:
    """Other apps use the same allowance: what is left of it counts, not what we asked."""
    link.want("Contacts", "Invoices").start()
    link.run()
    minute = next(limit for limit in books.limits if limit.name == "minute")
    minute.spent += [(books.clock.lapse() + 599, 60)]
    link.sync()
    asked = len(books.requests)
    for _ in range(3):
        link.sync(after=1)
    assert len(books.requests) - asked <= 3
    link.sync(after=120)
    assert link.last_run().state == RunState.DONE
    assert len(books.overruns) <= 1


def test_the_limit_that_was_reached_is_named() -> None:
    verdict = VENDOR.verdict(Reply(429, {"X-Rate-Limit-Problem": "day", "Retry-After": "3000"}, b"", ""))
    assert verdict is not None
    assert (verdict.kind, verdict.words) == (FaultKind.LIMITED, "day")
    wrong = {"Message": "A validation exception occurred", "Elements": [{"ValidationErrors": [{"Message": "No name"}]}]}
    verdict = VENDOR.verdict(Reply(400, {}, json.dumps(wrong).encode(), ""))
    assert verdict is not None
    assert (verdict.kind, verdict.words) == (FaultKind.REFUSED, "No name")
    assert VENDOR.verdict(Reply(200, {}, b"{}", "")) is None


def test_of_several_organisations_the_one_that_is_named(books: Xero, cast: Cast) -> None:
    other = "aef86862-0000-4b6b-88bc-d89032cecc51"
    books.tenants.append((other, "Acme Labs"))
    with pytest.raises(Fault) as fault:
        connected(books, cast)
    assert fault.value.kind is FaultKind.REFUSED
    assert "Acme Books, Acme Labs" in str(fault.value)
    link = connected(books, cast, organisation="acme labs")
    assert (link.connection.account_id, link.connection.account_name) == (other, "Acme Labs")
    assert link.connection.options["currency"] == "USD"
    link.want("Contacts").start()
    link.run()
    assert books.requests[-1].headers["xero-tenant-id"] == other


def test_an_organisation_that_was_disconnected_is_said(link: Link, books: Xero) -> None:
    link.want("Contacts", "Invoices").start()
    link.run()
    books.tenants.clear()
    link.sync()
    assert link.last_run().state == RunState.FAILED
    assert link.connection.state == ConnectionState.RUNNING
    assert link.stream("Invoices").error["code"] == "vendor-forbidden"


def test_a_refresh_token_that_was_just_replaced_still_works(link: Link, books: Xero) -> None:
    link.want("Contacts", "Invoices").start()
    link.run()
    for round in range(1, 4):
        link.sync(after=1_900)
        assert (books.refreshes, books.refused_refreshes) == (round, 0)
        assert link.last_run().state == RunState.DONE


# --- Webhooks and writing -------------------------------------------------------------------------------------------


def test_webhooks_bring_what_they_name(link: Link, books: Xero) -> None:
    link.want("Contacts", "Invoices", "CreditNotes").start()
    link.run()
    since = books.log[-1].number
    books.put("Invoices", 1, Total=Decimal(130))
    books.void("Invoices", 2)
    books.put("Invoices", 4, Contact=contact(books), Total=Decimal(7), Type="ACCPAY")
    books.put("CreditNotes", 1, Contact=contact(books), Total=Decimal(30))
    books.put("Payments", 1, **paying(books, "Invoices", 1), Amount=Decimal(60))
    for made in books.hook_deliveries(since=since):
        delivery = Delivery(made.method, made.url, made.headers, made.body, link.at)
        assert isinstance(hooks.receive(connection=link.connection, delivery=delivery), hooks.Taken)
    link.at += timedelta(seconds=10)
    link.run()
    assert amounts(books) == {"invoice:1": 13_000, "invoice:3": 10_000, "creditnote:1": -3_000}
    assert set(link.connection.webhook_events.values_list("state", flat=True)) == {"handled"}


def test_the_question_whether_the_address_is_ours(link: Link, books: Xero) -> None:
    made = books.hook_delivery([], link.at)
    right = Delivery(made.method, made.url, made.headers, made.body, link.at)
    assert hooks.receive(connection=link.connection, delivery=right) == hooks.Taken(0)
    wrong = Delivery(made.method, made.url, {**made.headers, "x-xero-signature": "AAAA"}, made.body, link.at)
    refused = hooks.receive(connection=link.connection, delivery=wrong)
    assert isinstance(refused, Refused)
    assert refused.status == 401


def test_a_contact_is_written_once_and_not_over_a_later_change(link: Link, books: Xero) -> None:
    contacts = VENDOR.object("Contacts")
    id = books.identity("Contacts", 1)
    with link.caller() as http:
        (raw,) = VENDOR.fetch(contacts, [id], http)
        for _attempt in range(2):
            done = VENDOR.write(contacts, id, {"EmailAddress": "a@acme.example"}, http, key="k", base=raw.payload)
            assert done.raw is not None
            assert done.raw.payload["EmailAddress"] == "a@acme.example"
        (sent,) = books.asked("/api.xro/2.0/Contacts/", "POST")
        assert sent.headers["idempotency-key"] == "k"
        books.put("Contacts", 1, EmailAddress="b@acme.example")
        with pytest.raises(Fault) as fault:
            VENDOR.write(contacts, id, {"EmailAddress": "c@acme.example"}, http, key="l", base=raw.payload)
    assert fault.value.kind is FaultKind.CHANGED


def test_what_is_gone_is_told_by_fetching(link: Link, books: Xero) -> None:
    with link.caller() as http:
        for code in ("Contacts", "Payments"):
            (raw,) = VENDOR.fetch(VENDOR.object(code), [books.identity(code, 30)], http)
            assert raw.is_deleted


def test_tracking_categories_are_columns(books: Xero, cast: Cast) -> None:
    lines = [
        {"Tracking": [{"Name": "Salesperson", "Option": "Ana"}, {"Name": "Region", "Option": option}]}
        for option in "NS"
    ]
    books.put("Invoices", 1, LineItems=lines)
    link = connected(books, cast)
    assert "tracking.Salesperson" in {column["path"] for column in link.stream("Invoices").columns}
    shape = VENDOR.object("Invoices").shape
    assert shape is not None
    assert shape({**books.row("Invoices", 1).fields})["tracking"] == {"Salesperson": "Ana"}


def test_everything_read_anew_changes_nothing(link: Link, books: Xero) -> None:
    link.want("Contacts", "Invoices").start()
    link.run()
    before = transactions()
    connecting.resync(actor=link.actor, connection=link.connection, at=link.at)
    link.run()
    assert transactions() == before
