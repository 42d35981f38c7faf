"""Chargebee: the shared scenarios on invoices, and what only Chargebee does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Subscription
from salesops.commissions.models import Transaction
from salesops.connectors.choices import RunState
from salesops.connectors.models import Stream
from salesops.connectors.rules.proofs import Delivery, Proven, Refused
from salesops.connectors.services import pulling
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.vendors.chargebee import VENDOR, mrr_of
from salesops.connectors.wire import Reply
from salesops.deals.models import Product
from tests.cast import NOW, Cast
from tests.connectors.compared import transactions
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.chargebee import Chargebee


class TestChargebee(Conformance):
    """Invoices of one customer."""

    vendor = "chargebee"
    standin = Chargebee
    object = "invoices"
    needs = ("customers",)
    path = "/api/v2/"
    options: ClassVar[dict[str, str]] = {"site": "acme-test"}
    secrets: ClassVar[dict[str, str]] = {"api_key": Chargebee.api_key}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "tokens": "a key does not end",
        "search": "lists are no search index",
        "limit_403": "there is no allowance that could be spent",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("customer", "acme", company="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("invoice", None, customer_id="acme", total=amount * 100, status="payment_due")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("invoice", id, total=amount * 100)

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("invoice", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("invoice", id)

    def source(self, standin: StandIn) -> Table:
        return {
            f"chargebee:acme-test:invoice:{row.id}": (row["total"], "USD", "invoice", "Acme")
            for row in standin.rows("invoice")
        }

    def table(self, link: Link) -> Table:
        return transactions()


# --- What is read off records ---------------------------------------------------------------------------------------


def shaped(code: str, **payload: Any) -> Mapping[str, Any]:
    """A record as its columns see it."""
    shape = VENDOR.object(code).shape
    assert shape is not None
    return shape({"id": "1", "currency_code": "USD", "_site": "acme-test", **payload})


@pytest.mark.parametrize(
    ("currency", "total", "tax", "net"),
    [("USD", 1234, 34, "12.00"), ("JPY", 1234, 234, "1000"), ("KWD", 5, 0, "0.005")],
)
def test_amounts_are_in_the_currencys_own_units(currency: str, total: int, tax: int, net: str) -> None:
    assert str(shaped("invoices", currency_code=currency, total=total, tax=tax)["net"]) == net


def test_taxes_of_a_credit_note_stand_in_a_list() -> None:
    note = shaped("credit_notes", total=1190, taxes=[{"amount": 150}, {"amount": 40}], reference_invoice_id="7")
    assert (note["net"], note["takes_back"]) == (Decimal("-10.00"), "chargebee:acme-test:invoice:7")


def test_the_deal_stands_in_a_custom_field_or_the_metadata() -> None:
    assert shaped("invoices", total=1, cf_salesforce_id="006A")["deal"] == "006A"
    assert shaped("invoices", total=1, meta_data={"deal_id": "D-1"}, cf_salesforce_id="006A")["deal"] == "D-1"
    assert shaped("invoices", total=1, meta_data={"other": "x"})["deal"] == ""


YEARLY = {"billing_period": 1, "billing_period_unit": "year"}


@pytest.mark.parametrize(
    ("payload", "monthly"),
    [
        ({"mrr": 4200, "plan_id": "p", "plan_amount": 1}, Fraction(4200)),
        ({"mrr": 4200, "status": "paused"}, Fraction(0)),
        ({"subscription_items": [{"item_price_id": "p", "item_type": "plan", "amount": 12_000}], **YEARLY}, Fraction(1000)),
        ({"subscription_items": [{"item_price_id": "p", "item_type": "plan", "unit_price": 500, "quantity": 3}]}, Fraction(1500)),
        ({"subscription_items": [
            {"item_price_id": "p", "item_type": "plan", "amount": 3000},
            {"item_price_id": "a", "item_type": "addon", "unit_price": 100, "quantity": 5},
            {"item_price_id": "c", "item_type": "charge", "amount": 99_999}]}, Fraction(3500)),
        ({"subscription_items": [{"item_price_id": "p", "unit_price_in_decimal": "0.125", "quantity_in_decimal": "10.5"}]},
         Fraction("131.25")),
        ({"subscription_items": [{"item_price_id": "p", "amount_in_decimal": "1.5"}], "currency_code": "JPY"}, Fraction("1.5")),
        ({"subscription_items": [{"item_price_id": "p", "amount": 1200, **YEARLY}]}, Fraction(100)),
        ({"plan_id": "p", "plan_unit_price": 1000, "plan_quantity": 2, "billing_period": 3, "billing_period_unit": "month",
          "addons": [{"id": "a", "unit_price": 50, "quantity": 2}]}, Fraction(700)),
        ({"plan_id": "p", "plan_amount": 1000, "discounts": [
            {"percentage": 10.0, "included_in_mrr": True, "duration_type": "forever"},
            {"amount": 300, "included_in_mrr": False, "duration_type": "forever"},
            {"percentage": 50, "included_in_mrr": True, "duration_type": "one_time"}]}, Fraction(900)),
        ({"plan_id": "p", "plan_amount": 1000, "discounts": [
            {"amount": 5000, "included_in_mrr": True, "duration_type": "forever"}]}, Fraction(0)),
    ],
)  # fmt: skip
def test_recurring_revenue_is_as_told_or_exact(payload: dict[str, Any], monthly: Fraction) -> None:
    assert (
        mrr_of(
            {"currency_code": "USD", "status": "active", "billing_period": 1, "billing_period_unit": "month", **payload}
        )
        == monthly
    )


def test_a_trial_is_not_paid_for_and_an_end_that_is_set_counts() -> None:
    told = shaped("subscriptions", started_at=100, trial_end=200, status="in_trial")
    assert (told["starts"], told["ends"]) == (200, None)
    assert shaped("subscriptions", started_at=100, status="cancelled", cancelled_at=900)["ends"] == 900
    assert shaped("subscriptions", started_at=100, status="non_renewing", current_term_end=700)["ends"] == 700


# --- Through the engine ---------------------------------------------------------------------------------------------


@pytest.fixture
def other() -> Iterator[Chargebee]:
    with Chargebee() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("customer", "acme", company="Acme")
        yield standin


@pytest.fixture
def link(other: Chargebee, cast: Cast) -> Link:
    return connected(other, cast)


def connected(other: Chargebee, cast: Cast, **options: str) -> Link:
    """A connection to the site, in draft."""
    return Link(cast.actor("rita"), other).connect(
        "chargebee", options={"site": "acme-test", **options}, secrets={"api_key": Chargebee.api_key}
    )


def told(link: Link) -> dict[str, tuple[int, str, str | None]]:
    """What counts of what was paid: amount, kind, and the key that it takes back."""
    rows = Transaction.objects.filter(is_void=False).select_related("reverses")
    start = "chargebee:acme-test:"
    return {
        row.source_key.removeprefix(start): (
            row.amount_minor, row.kind, row.reverses.source_key.removeprefix(start) if row.reverses else None,
        )
        for row in rows
    }  # fmt: skip


def test_what_is_given_back_takes_back(link: Link, other: Chargebee) -> None:
    other.put("invoice", "1", customer_id="acme", total=10_000, status="paid")
    other.put("invoice", "2", customer_id="acme", total=500, status="pending")
    other.put("credit_note", "CN-1", customer_id="acme", total=1_000, reference_invoice_id="1")
    other.put("transaction", "t1", customer_id="acme", amount=10_000)
    other.put("transaction", "t2", customer_id="acme", amount=2_500, type="refund", refunded_txn_id="t1")
    other.put("transaction", "t3", customer_id="acme", amount=77, type="authorization")
    other.put("transaction", "t4", customer_id="acme", amount=88, status="failure")
    link.want("customers", "invoices", "credit_notes", "transactions").start()
    link.run()
    assert link.problems() == {}
    assert told(link) == {
        "invoice:1": (10_000, "invoice", None),
        "credit_note:CN-1": (-1_000, "credit_note", "invoice:1"),
        "transaction:t1": (10_000, "payment", None),
        "transaction:t2": (-2_500, "refund", "transaction:t1"),
    }
    other.put("credit_note", "CN-1", status="voided")
    other.put("invoice", "2", status="paid")
    other.put("transaction", "t4", status="success")
    link.sync()
    assert set(told(link)) == {"invoice:1", "invoice:2", "transaction:t1", "transaction:t2", "transaction:t4"}


def test_a_crowded_second_is_read_until_nothing_shifts(
    link: Link, other: Chargebee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows of one second than fill a page: an edit between two pages shifts those behind by one."""
    monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
    other.clock.still = True
    for number in range(35):
        other.put("invoice", f"n{number}", customer_id="acme", total=100 + number)
    other.clock.still = False

    def move(page: int) -> None:
        if page in (3, 6):  # behind the first page of invoices in two passes
            other.put("invoice", f"n{page}", total=9_000 + page)

    link.want("customers", "invoices").start()
    other.before_page(move)
    link.run()
    other.before_page(None)
    assert len(other.asked("/api/v2/invoices")) > 8
    assert set(link.raws("invoices")) == {f"n{number}" for number in range(35)}
    assert told(link)["invoice:n6"][0] == 9_006


def test_an_edit_within_the_same_second_is_told_again(link: Link, other: Chargebee) -> None:
    """Stamps are in seconds; the version in milliseconds says which telling is the newer one."""
    other.put("invoice", "1", customer_id="acme", total=100)
    link.want("customers", "invoices").start()
    link.run()
    other.clock.still = True
    other.put("invoice", "1", total=200)
    link.sync(after=0)
    other.put("invoice", "1", total=300)
    link.sync(after=0)
    assert told(link)["invoice:1"][0] == 300


def test_a_site_with_plans_has_no_items(other: Chargebee, cast: Cast) -> None:
    other.catalog = 1
    other.put("plan", "gold", name="Gold", price=2_500)
    other.put("subscription", "s1", customer_id="acme", plan_id="gold", plan_quantity=4, plan_unit_price=2_500)
    link = connected(other, cast, catalog="1")
    assert {stream.object for stream in Stream.objects.filter(connection=link.connection)} == {
        "plans", "customers", "subscriptions", "invoices", "credit_notes", "transactions",
    }  # fmt: skip
    link.want("plans", "customers", "subscriptions").start()
    link.run()
    assert link.problems() == {}
    assert ("gold", "Gold") in Product.objects.values_list("code", "name")
    subscription = Subscription.objects.get(external_id="s1")
    assert (subscription.mrr_minor, subscription.seats, subscription.name) == (10_000, 4, "gold")
    link.sync()
    assert link.last_run().state == RunState.DONE


def test_items_are_brought_as_products(link: Link, other: Chargebee) -> None:
    other.put("item_price", "gold-usd", name="Gold USD", price=2_500, item_id="gold")
    other.put("subscription", "s1", customer_id="acme", mrr=7_500, subscription_items=[
        {"item_price_id": "gold-usd", "item_type": "plan", "quantity": 3, "unit_price": 2_500}])  # fmt: skip
    other.put("invoice", "1", customer_id="acme", total=7_500, line_items=[{"entity_id": "gold-usd", "amount": 7_500}])
    link.want("item_prices", "customers", "subscriptions", "invoices").start()
    link.run()
    assert link.problems() == {}
    assert Subscription.objects.get(external_id="s1").mrr_minor == 7_500
    paid = Transaction.objects.select_related("product").get(source_key="chargebee:acme-test:invoice:1")
    assert paid.product is not None
    assert paid.product.code == "gold-usd"


def test_two_sites_keep_their_invoices_apart(other: Chargebee, cast: Cast) -> None:
    other.put("invoice", "1", customer_id="acme", total=100)
    for site in ("acme-test", "acme"):
        link = connected(other, cast, site=site)
        link.want("customers", "invoices").start()
        link.run()
        assert link.problems() == {}
    assert set(Transaction.objects.values_list("source_key", flat=True)) == {
        "chargebee:acme-test:invoice:1", "chargebee:acme:invoice:1",
    }  # fmt: skip


def test_a_customer_is_written_once_and_not_over_a_later_change(link: Link, other: Chargebee) -> None:
    customers = VENDOR.object("customers")
    with link.caller() as http:
        (raw,) = VENDOR.fetch(customers, ["acme"], http)
        for _attempt in range(2):
            done = VENDOR.write(customers, "acme", {"phone": "+33 1"}, http, key="k", base=raw.payload)
            assert done.raw is not None
            assert done.raw.payload["phone"] == "+33 1"
        assert len(other.asked("/api/v2/customers/", "POST")) == 1
        other.put("customer", "acme", phone="+44")
        with pytest.raises(Fault) as fault:
            VENDOR.write(customers, "acme", {"phone": "+33 2"}, http, key="l", base=raw.payload)
    assert fault.value.kind is FaultKind.CHANGED


def test_webhooks_prove_only_that_somebody_knows_the_password(other: Chargebee) -> None:
    other.put("invoice", "1", customer_id="acme", total=100)
    other.delete("invoice", "1")
    made, gone = other.hook_deliveries(since=1)
    delivery = Delivery(made.method, made.url, made.headers, made.body, NOW)
    assert isinstance(VENDOR.proof(delivery, {"webhook_secret": [Chargebee.hook_secret]}), Proven)
    assert isinstance(VENDOR.proof(delivery, {"webhook_secret": ["hooks:another"]}), Refused)
    events = VENDOR.events(made.body, made.headers)
    assert {(event.object, event.external_id, event.raw) for event in events} == {
        ("invoices", "1", None), ("customers", "acme", None),
    }  # fmt: skip
    assert [event.is_deleted for event in VENDOR.events(gone.body, gone.headers) if event.object == "invoices"] == [
        True
    ]


def test_too_much_may_be_told_with_another_status() -> None:
    """A site that was warned is refused rather than asked to wait: it is the same."""
    body = {"message": "Sorry", "api_error_code": "api_request_limit_exceeded"}
    for status in (429, 403):
        verdict = VENDOR.verdict(Reply(status, {}, json.dumps(body).encode(), ""))
        assert verdict is not None
        assert verdict.kind is FaultKind.LIMITED
