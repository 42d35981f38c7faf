"""QuickBooks Online: the shared scenarios on invoices, and what only QuickBooks does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Account
from salesops.commissions.models import Transaction
from salesops.connectors.choices import RawState, RunState
from salesops.connectors.rules.proofs import Delivery, Refused
from salesops.connectors.services import hooks
from salesops.connectors.vendors import quickbooks as module
from salesops.connectors.vendors.base import Fault, FaultKind, Raw
from salesops.connectors.vendors.quickbooks import VENDOR, parts_of
from salesops.connectors.wire import Reply
from salesops.deals.models import Product
from tests.cast import NOW, Cast
from tests.connectors.compared import transactions
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.standins import quickbooks as books
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.quickbooks import QuickBooks


def key_of(type: str, id: str) -> str:
    return f"quickbooks:{QuickBooks.realm}:{type}:{id}"


class TestQuickBooks(Conformance):
    """Invoices of one customer."""

    vendor = "quickbooks"
    standin = QuickBooks
    object = "Invoice"
    needs = ("Customer",)
    path = "/v3/company/"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "restores": "what was deleted is gone for good",
        "search": "queries read the books, not a search index",
        "limit_403": "there is no allowance of a day",
        "cursors": "pages are asked by moment and number; nothing in a reply leads on",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("Customer", 1, DisplayName="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("Invoice", None, CustomerRef={"value": "1"}, TotalAmt=Decimal(amount), TxnDate="2026-05-01")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("Invoice", id, TotalAmt=Decimal(amount))

    def source(self, standin: StandIn) -> Table:
        return {
            key_of("invoice", row.id): (int(row["TotalAmt"] * 100), "USD", "invoice", "Acme")
            for row in standin.rows("Invoice")
            if row["PrivateNote"] != "Voided"
        }

    def table(self, link: Link) -> Table:
        return transactions()


# --- One company with all its documents -----------------------------------------------------------------------------


@pytest.fixture
def company() -> Iterator[QuickBooks]:
    """Acme, with three invoices of 100 each."""
    with QuickBooks() as company, allowed(company):
        company.clock.now = NOW
        company.put("Customer", 1, DisplayName="Acme", BillAddr={"City": "Lyon", "Country": "France"})
        for number in (1, 2, 3):
            company.put("Invoice", number, CustomerRef={"value": "1"}, TotalAmt=Decimal(100), TxnDate="2026-05-01")
        yield company


@pytest.fixture
def link(company: QuickBooks, cast: Cast) -> Link:
    """A connection that is not started."""
    return Link(cast.actor("rita"), company).connect("quickbooks", secrets={"webhook_secret": QuickBooks.hook_secret})


def line(amount: int, id: str, type: str = "Invoice") -> dict[str, Any]:
    return {"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": id, "TxnType": type}]}


def pay(company: QuickBooks, id: object, total: int, *lines: dict[str, Any]) -> str:
    return company.put(
        "Payment", id, CustomerRef={"value": "1"}, TotalAmt=Decimal(total), Line=list(lines), TxnDate="2026-05-20"
    )


def amounts(*kinds: str) -> dict[str, int]:
    """What counts: the end of its key, and its amount."""
    return {key.removeprefix(key_of("", "")[:-1]): told[0] for key, told in transactions(*kinds).items()}


def test_a_payment_is_a_transaction_for_each_invoice_that_it_pays(link: Link, company: QuickBooks) -> None:
    pay(company, 7, 250, line(60, "2"), line(100, "1"), line(40, "2"))
    link.want("Customer", "Invoice", "Payment").start()
    link.run()
    assert link.problems() == {}
    assert amounts("payment") == {"payment:7": 10_000, "payment:7:2": 10_000, "payment:7:rest": 5_000}
    assert {row.state for row in link.raws("Payment").values()} == {RawState.TAKEN}
    # The rest is applied to the third invoice, and the second is no longer paid.
    pay(company, 7, 250, line(100, "1"), line(100, "3"))
    link.sync()
    assert amounts("payment") == {"payment:7": 10_000, "payment:7:3": 10_000, "payment:7:rest": 5_000}
    assert link.states("Payment")["7:2"] == RawState.DELETED
    pay(company, 7, 100, line(100, "1"))
    link.sync()
    assert amounts("payment") == {"payment:7": 10_000}
    pay(company, 7, 200, line(100, "1"), line(100, "2"))
    link.sync()
    assert amounts("payment") == {"payment:7": 10_000, "payment:7:2": 10_000}
    company.void("Payment", 7)
    link.sync()
    assert amounts("payment") == {}


def test_a_payment_that_is_deleted_goes_with_all_its_parts_and_no_others(link: Link, company: QuickBooks) -> None:
    pay(company, 7, 200, line(100, "1"), line(100, "2"))
    pay(company, 77, 150, line(50, "1"), line(100, "3"))
    link.want("Customer", "Invoice", "Payment").start()
    link.run()
    assert sum(amounts("payment").values()) == 35_000
    company.delete("Payment", 7)
    link.sync()
    assert amounts("payment") == {"payment:77": 5_000, "payment:77:3": 10_000}


@pytest.mark.parametrize(
    ("total", "lines", "parts"),
    [
        (100, [line(100, "1")], [("", "1", "100")]),
        (100, [], [("", "", "100")]),
        (0, [], []),
        # Credit memos pay along: they were no money.
        (30, [line(100, "1"), line(70, "9", "CreditMemo")], [("", "1", "100"), (":rest", "", "-70")]),
        (0, [line(100, "1"), line(100, "9", "CreditMemo")], [("", "1", "100"), (":rest", "", "-100")]),
        (150, [line(50, "10"), line(100, "9")], [("", "9", "100"), (":10", "10", "50")]),
        (50, [line(0, "1"), line(50, "2")], [("", "2", "50")]),
    ],
)
def test_parts_are_always_what_was_received(total: int, lines: list[Any], parts: list[Any]) -> None:
    found = parts_of({"Id": "7", "TotalAmt": Decimal(total), "Line": lines})
    assert [(each["suffix"], each["invoice"], each["amount"]) for each in found] == parts
    assert sum(Decimal(each["amount"]) for each in found) == total


def test_each_kind_of_document_is_what_it_is(link: Link, company: QuickBooks) -> None:
    customer = {"value": "1"}
    item = company.put("Item", 5, Name="Seat", Sku="S-1", UnitPrice=Decimal("12.50"))
    company.put("Item", 6, Name="All", Type="Category")
    sold = [{"Amount": Decimal(100), "SalesItemLineDetail": {"ItemRef": {"value": item}}}]
    company.put(
        "Invoice", 1, TotalAmt=Decimal("120.00"), TxnTaxDetail={"TotalTax": Decimal("20.00")}, Line=sold,
        CurrencyRef={"value": "EUR"}, TxnDate="2026-05-31",
    )  # fmt: skip
    company.put("SalesReceipt", 4, CustomerRef=customer, TotalAmt=Decimal("60.00"), TxnDate="2026-05-02")
    memo = {"CustomerRef": customer, "TotalAmt": Decimal("36.00"), "TxnTaxDetail": {"TotalTax": Decimal("6.00")}}
    company.put("CreditMemo", 8, **memo, InvoiceRef={"value": "1"}, CurrencyRef={"value": "EUR"}, TxnDate="2026-06-02")
    company.put("CreditMemo", 9, **memo)
    company.put(
        "RefundReceipt", 2, CustomerRef=customer, TotalAmt=Decimal("60.00"), TxnDate="2026-06-03",
        LinkedTxn=[{"TxnId": "4", "TxnType": "SalesReceipt"}],
    )  # fmt: skip
    link.want(*(each.code for each in VENDOR.objects)).start()
    link.run()
    assert link.problems() == {}
    assert {
        key: told[:3] for key, told in transactions().items() if "invoice:2" not in key and "invoice:3" not in key
    } == {
        key_of("invoice", "1"): (10_000, "EUR", "invoice"),
        key_of("salesreceipt", "4"): (6_000, "USD", "payment"),
        key_of("creditmemo", "8"): (-3_000, "EUR", "credit_note"),
        key_of("creditmemo", "9"): (-3_000, "USD", "credit_note"),
        key_of("refundreceipt", "2"): (-6_000, "USD", "refund"),
    }
    taken_back = dict(
        Transaction.objects.filter(reverses__isnull=False).values_list("source_key", "reverses__source_key")
    )
    assert taken_back == {
        key_of("creditmemo", "8"): key_of("invoice", "1"),
        key_of("refundreceipt", "2"): key_of("salesreceipt", "4"),
    }
    invoice = Transaction.objects.get(source_key=key_of("invoice", "1"))
    assert (invoice.product.code if invoice.product else "", invoice.effective_on) == ("S-1", date(2026, 5, 31))
    assert not Product.objects.filter(name="All").exists()


def test_a_voided_invoice_counts_no_longer_and_one_of_nothing_does(link: Link, company: QuickBooks) -> None:
    link.want("Customer", "Invoice").start()
    link.run()
    company.void("Invoice", 1)
    company.put("Invoice", 2, TotalAmt=Decimal(0))
    link.sync()
    assert amounts() == {"invoice:2": 0, "invoice:3": 10_000}


def test_what_is_said_elsewhere_of_a_customer_stays(link: Link, company: QuickBooks) -> None:
    company.put("Customer", 1, BillAddr={"City": "Lyon"})
    link.want("Customer").start()
    link.run()
    Account.objects.filter(name="Acme").update(city="Berlin")
    company.put("Customer", 1, DisplayName="ACME Corp.", BillAddr={"City": "Paris", "Country": "France"})
    link.sync()
    assert list(Account.objects.filter(external_id="1").values_list("name", "city", "country")) == [
        ("Acme", "Berlin", "France")
    ]


def test_inactive_customers_come_along(link: Link, company: QuickBooks) -> None:
    company.put("Customer", 2, DisplayName="Old", Active=False)
    company.put("Invoice", 4, CustomerRef={"value": "2"}, TotalAmt=Decimal(5), TxnDate="2020-01-01")
    link.want("Customer", "Invoice").start()
    link.run()
    assert link.problems() == {}
    assert transactions()[key_of("invoice", "4")][3] == "Old"


def test_the_deal_is_named_in_a_custom_field(company: QuickBooks, cast: Cast) -> None:
    fields = [{"Name": "Deal ID", "StringValue": "D-9"}, {"Name": "Sales Rep", "StringValue": "Ana"}]
    company.put("Invoice", 1, CustomField=fields)
    link = Link(cast.actor("rita"), company).connect("quickbooks")
    stream = link.stream("Invoice")
    assert {"custom.Deal ID", "custom.Sales Rep"} <= {column["path"] for column in stream.columns}
    object = VENDOR.object("Invoice")
    assert object.shape is not None
    shaped = object.shape(company.row("Invoice", 1).fields)
    assert (shaped["deal"], shaped["custom"]["Sales Rep"]) == ("D-9", "Ana")


# --- Refusals -------------------------------------------------------------------------------------------------------


def refusal(code: str, *, status: int = 200) -> Reply:
    data = books.fault(code, status).reply.data
    return Reply(status, {}, json.dumps(data).encode(), "")


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("3200", FaultKind.UNAUTHORIZED),
        ("3100", FaultKind.FORBIDDEN),
        ("3001", FaultKind.LIMITED),
        ("610", FaultKind.MISSING),
        ("5010", FaultKind.CHANGED),
        ("4000", FaultKind.REFUSED),
        ("10000", FaultKind.PASSING),
    ],
)
def test_refusals_count_whatever_their_status(code: str, kind: FaultKind, status: int) -> None:
    verdict = VENDOR.verdict(refusal(code, status=status))
    assert verdict is not None
    assert verdict.kind is kind
    assert verdict.words
    assert verdict.wait == (timedelta(seconds=60) if kind is FaultKind.LIMITED else None)


def test_a_refusal_among_changed_data_and_a_name_that_is_none() -> None:
    inside = {"CDCResponse": [{"QueryResponse": [{"Fault": {"Error": [{"code": "610"}], "type": "ValidationFault"}}]}]}
    verdict = VENDOR.verdict(Reply(200, {}, json.dumps(inside).encode(), ""))
    assert verdict is not None
    assert verdict.kind is FaultKind.MISSING
    named = {"QueryResponse": {"Customer": [{"DisplayName": "Fault", "Notes": '"Fault": {'}]}}
    assert VENDOR.verdict(Reply(200, {}, json.dumps(named).encode(), "")) is None


def test_a_refusal_in_a_good_reply_is_tried_again(link: Link, company: QuickBooks) -> None:
    link.want("Customer", "Invoice").start()
    company.refuse_next("10000")
    link.run()
    assert link.last_run().state == RunState.DONE
    assert set(amounts()) == {"invoice:1", "invoice:2", "invoice:3"}


def test_the_token_is_renewed_and_the_old_one_dies(link: Link, company: QuickBooks) -> None:
    link.want("Customer", "Invoice").start()
    link.run()
    for round in range(1, 4):
        link.sync(after=3_700)
        assert (company.refreshes, company.refused_refreshes) == (round, 0)
        assert link.last_run().state == RunState.DONE


# --- Changed data and pages -----------------------------------------------------------------------------------------


def test_more_deletions_than_one_reply_has(link: Link, company: QuickBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHANGES_MOST", 3)
    monkeypatch.setattr(books, "MOST", 3)
    for number in range(4, 14):
        company.put("Invoice", number, CustomerRef={"value": "1"}, TotalAmt=Decimal(1))
    monkeypatch.setattr(module, "_PAGE", 3)
    link.want("Customer", "Invoice").start()
    link.run()
    assert len(amounts()) == 13
    for number in range(4, 14):
        company.delete("Invoice", number)
    link.sync()
    assert link.last_run().state == RunState.DONE, link.last_run().error
    assert set(amounts()) == {"invoice:1", "invoice:2", "invoice:3"}


def test_after_a_long_pause_only_what_is_kept_is_asked(link: Link, company: QuickBooks) -> None:
    link.want("Customer", "Invoice").start()
    link.run()
    link.at += timedelta(days=45)
    company.clock.advance(45 * 86_400)
    company.delete("Invoice", 2)
    link.sync()
    assert link.last_run().state == RunState.DONE, link.last_run().error
    assert set(amounts()) == {"invoice:1", "invoice:3"}


def test_an_edit_and_a_deletion_within_one_second(link: Link, company: QuickBooks) -> None:
    link.want("Customer", "Invoice").start()
    link.run()
    company.clock.still = True
    company.put("Invoice", 1, TotalAmt=Decimal(200))
    link.sync(after=0)
    company.put("Invoice", 1, TotalAmt=Decimal(300))
    link.sync(after=0)
    assert amounts()["invoice:1"] == 30_000
    company.delete("Invoice", 1)
    link.sync(after=0)
    assert "invoice:1" not in amounts()


def test_pages_that_are_always_the_first_are_stopped(link: Link, company: QuickBooks) -> None:
    link.want("Customer", "Invoice").start()
    company.stuck = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAGE", 2)
        link.run()
    assert link.last_run().state == RunState.FAILED
    assert link.stream("Invoice").error["code"] == "endless"
    assert len(company.asked("/v3/")) < 40


# --- Webhooks and writing -------------------------------------------------------------------------------------------


def push(link: Link, company: QuickBooks, since: int) -> None:
    """Deliver what happened since an event, and bring it in."""
    for made in company.hook_deliveries(since=since):
        delivery = Delivery(made.method, made.url, made.headers, made.body, link.at)
        taken = hooks.receive(connection=link.connection, delivery=delivery)
        assert isinstance(taken, hooks.Taken)
    link.at += timedelta(seconds=10)
    link.run()


@pytest.mark.parametrize("cloud_events", [True, False])
def test_webhooks_in_both_forms(link: Link, company: QuickBooks, cloud_events: bool) -> None:
    company.cloud_events = cloud_events
    pay(company, 7, 200, line(100, "1"), line(100, "2"))
    link.want("Customer", "Invoice", "Payment").start()
    link.run()
    since = company.log[-1].number
    company.put("Invoice", 1, TotalAmt=Decimal(130))
    company.void("Invoice", 2)
    company.delete("Invoice", 3)
    company.delete("Payment", 7)
    pay(company, 8, 90, line(50, "1"), line(40, "2"))
    push(link, company, since)
    assert amounts() == {"invoice:1": 13_000, "payment:8": 5_000, "payment:8:2": 4_000}
    assert set(link.connection.webhook_events.values_list("state", flat=True)) == {"handled"}
    link.sync()
    assert amounts() == {"invoice:1": 13_000, "payment:8": 5_000, "payment:8:2": 4_000}


def test_a_delivery_that_was_touched_is_refused(link: Link, company: QuickBooks) -> None:
    (made,) = company.hook_deliveries(since=company.log[-2].number)
    touched = Delivery(made.method, made.url, made.headers, made.body + b" ", link.at)
    refused = hooks.receive(connection=link.connection, delivery=touched)
    assert isinstance(refused, Refused)


def test_customers_that_are_merged_are_one(link: Link, company: QuickBooks) -> None:
    company.put("Customer", 2, DisplayName="Acme Inc")
    company.put("Invoice", 4, CustomerRef={"value": "2"}, TotalAmt=Decimal(5))
    link.want("Customer", "Invoice").start()
    link.run()
    since = company.log[-1].number
    company.merge("Customer", 2, 1)
    push(link, company, since)
    company.put("Invoice", 5, CustomerRef={"value": "2"}, TotalAmt=Decimal(6))  # an old telling of who it was
    link.sync()
    assert link.problems() == {}
    assert {told[3] for told in transactions().values()} == {"Acme"}


def test_a_customer_is_written_unless_somebody_was_faster(link: Link, company: QuickBooks) -> None:
    customers = VENDOR.object("Customer")
    with link.caller() as http:
        (raw,) = VENDOR.fetch(customers, ["1"], http)
        values = {"CompanyName": "Acme SA", "WebAddr.URI": "https://acme.example"}
        done = VENDOR.write(customers, "1", values, http, key="k1", base=raw.payload)
        assert isinstance(done.raw, Raw)
        assert done.raw.payload["WebAddr"] == {"URI": "https://acme.example"}
        assert done.raw.version > raw.version
        with pytest.raises(Fault) as fault:
            VENDOR.write(customers, "1", {"CompanyName": "B"}, http, key="k2", base=raw.payload)
    assert fault.value.kind is FaultKind.CHANGED
    assert company.row("Customer", 1)["CompanyName"] == "Acme SA"
    assert company.asked("/v3/", "POST")[0].params["requestid"] == "k1"


def test_links_lead_to_the_document() -> None:
    payments = VENDOR.object("Payment")
    assert VENDOR.link(payments, "7:2", {}) == "https://app.qbo.intuit.com/app/recvpayment?txnId=7"
