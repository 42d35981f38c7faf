"""Stripe: the shared scenarios on invoices, and what only Stripe does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Account, Subscription
from salesops.commissions.models import Transaction
from salesops.connectors.choices import RawState
from salesops.connectors.rules.proofs import Delivery, Proven, Refused
from salesops.connectors.services import pulling
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.vendors.stripe import VENDOR, mrr_of
from tests.cast import NOW, Cast
from tests.connectors.compared import transactions
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.stripe import BASIL, Stripe


class TestStripe(Conformance):
    """Open invoices of one customer."""

    vendor = "stripe"
    standin = Stripe
    object = "invoices"
    needs = ("customers",)
    path = "/v1/"
    secrets: ClassVar[dict[str, str]] = {"api_key": Stripe.api_key}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "restores": "a void invoice stays void",
        "tokens": "a key does not end",
        "search": "lists and events are no search index",
        "limit_403": "there is no allowance that could be spent",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("customer", 1, name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("invoice", None, customer=1, total=amount * 100, status="open", number=f"A-{number}")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("invoice", id, total=amount * 100)

    def delete(self, standin: StandIn, id: str) -> None:
        standin.put("invoice", id, status="void")

    def source(self, standin: StandIn) -> Table:
        return {
            f"stripe:invoice:{row.id}": (row["total"], "USD", "invoice", "Acme")
            for row in standin.rows("invoice")
            if row["status"] != "void"
        }

    def table(self, link: Link) -> Table:
        return transactions()


# --- What is read off records ---------------------------------------------------------------------------------------


def shaped(code: str, payload: dict[str, Any]) -> Mapping[str, Any]:
    """A record as its columns see it."""
    shape = VENDOR.object(code).shape
    assert shape is not None
    return shape(payload)


@pytest.mark.parametrize(
    ("currency", "minor", "major"),
    [
        ("usd", 1234, "12.34"),
        ("jpy", 1234, "1234"),
        ("kwd", 12340, "12.340"),
        ("bhd", 5, "0.005"),
        ("isk", 500, "5.00"),  # without decimals elsewhere, in hundredths at Stripe
        ("ugx", 500, "5.00"),
        ("mga", 5, "5"),  # with decimals elsewhere, whole at Stripe
    ],
)
def test_amounts_are_in_stripes_own_units(currency: str, minor: int, major: str) -> None:
    charge = {"id": "ch_1", "amount_captured": minor, "currency": currency, "created": 1}
    assert str(shaped("charges", charge)["net"]) == major
    assert shaped("charges", charge)["currency"] == currency.upper()


def test_both_shapes_of_an_invoice_say_the_same() -> None:
    """Before basil an invoice names taxes, charge and product elsewhere."""
    stripe = Stripe()
    stripe.put("product", 1, name="Seats")
    stripe.put("price", 1, product=1, unit_amount=1000, recurring={"interval": "month", "interval_count": 1})
    id = stripe.put(
        "invoice", 1, customer=7, total=1190, tax=190, status="paid", amount_paid=1190, subscription=3,
        lines=[{"price": 1, "amount": 1500}, {"price": 1, "amount": -500}], metadata={"deal_id": "D-9"},
    )  # fmt: skip
    old, new = (stripe.show(stripe.row("invoice", id), version) for version in ("2023-08-16", BASIL))
    assert "subscription" in old
    assert "parent" in new
    for payload in (old, new):
        for name in ("total_excluding_tax", "subtotal_excluding_tax"):
            payload.pop(name, None)  # some versions do not tell it
        seen = shaped("invoices", payload)
        assert (seen["net"], seen["product"], seen["deal"], seen["customer"]) == (
            Decimal("10.00"), "prod_00000000000001", "D-9", "cus_00000000000007",
        )  # fmt: skip
        assert seen["counts_at"] == stripe.moment(stripe.clock.now)


def test_the_deal_of_the_subscription_counts_where_the_invoice_names_none() -> None:
    told = {"metadata": {"salesforce_id": "006A"}}
    base = {"id": "in_1", "total": 1, "currency": "usd", "metadata": {"other": "x"}}
    assert shaped("invoices", {**base, "parent": {"subscription_details": told}})["deal"] == "006A"
    assert shaped("invoices", {**base, "subscription_details": told})["deal"] == "006A"
    assert shaped("invoices", base)["deal"] == ""


def price(unit: Any = None, interval: str = "month", count: int = 1, **more: Any) -> dict[str, Any]:
    """A price of a subscription's item."""
    return {
        "id": "price_1", "product": "prod_1", "billing_scheme": "per_unit", "unit_amount_decimal": unit,
        "recurring": {"interval": interval, "interval_count": count, "usage_type": "licensed"}, **more,
    }  # fmt: skip


def coupon(**told: Any) -> dict[str, Any]:
    """A discount as basil tells it."""
    return {"id": "di_1", "coupon": {"id": "c", "duration": "forever", "percent_off": None, "amount_off": None, **told}}


TIERS = [
    {"up_to": 5, "unit_amount_decimal": "1000", "flat_amount": None},
    {"up_to": None, "unit_amount_decimal": "600", "flat_amount_decimal": "100"},
]


@pytest.mark.parametrize(
    ("items", "more", "monthly"),
    [
        ([{"price": price("2000"), "quantity": 3}], {}, Fraction(6000)),
        ([{"price": price("12000", "year"), "quantity": 1}], {}, Fraction(1000)),
        ([{"price": price("1000", "year"), "quantity": 1}], {}, Fraction(1000, 12)),
        ([{"price": price("3000", "month", 3), "quantity": 1}], {}, Fraction(1000)),
        ([{"price": price("700", "week"), "quantity": 1}], {}, Fraction(700 * 365, 84)),
        ([{"price": price("100", "day"), "quantity": 1}], {}, Fraction(100 * 365, 12)),
        ([{"price": price("0.5"), "quantity": 10_001}], {}, Fraction(10_001, 2)),
        ([{"price": price("2000")}], {}, Fraction(2000)),  # a quantity that is not told is one
        ([{"price": price("2000"), "quantity": 0}], {}, Fraction(0)),
        ([{"price": price("2000"), "quantity": 1}, {"price": price("1200", "year"), "quantity": 2}], {}, Fraction(2200)),
        ([{"price": {**price("9"), "recurring": {"interval": "month", "usage_type": "metered"}}}], {}, Fraction(0)),
        ([{"price": {**price("9"), "recurring": None}, "quantity": 1}], {}, Fraction(0)),
        ([{"price": price("500", transform_quantity={"divide_by": 10, "round": "up"}), "quantity": 11}], {}, Fraction(1000)),
        ([{"price": price("500", transform_quantity={"divide_by": 10, "round": "down"}), "quantity": 19}], {}, Fraction(500)),
        ([{"price": price(billing_scheme="tiered", tiers_mode="graduated", tiers=TIERS), "quantity": 7}], {}, Fraction(6300)),
        ([{"price": price(billing_scheme="tiered", tiers_mode="volume", tiers=TIERS), "quantity": 7}], {}, Fraction(4300)),
        ([{"price": price(billing_scheme="tiered", tiers_mode="volume", tiers=TIERS), "quantity": 5}], {}, Fraction(5000)),
        ([{"price": price("2000"), "quantity": 1}], {"discounts": [coupon(percent_off=Decimal("25.5"))]}, Fraction(1490)),
        ([{"price": price("2000"), "quantity": 1}], {"discounts": [coupon(percent_off="25.5")]}, Fraction(1490)),  # as stored
        ([{"price": price("2000"), "quantity": 1}], {"discount": coupon(percent_off=50)}, Fraction(1000)),  # before basil
        ([{"price": price("2000"), "quantity": 1}], {"discounts": [coupon(percent_off=50)], "discount": coupon(percent_off=50)}, Fraction(1000)),
        ([{"price": price("12000", "year"), "quantity": 1}], {"discounts": [coupon(amount_off=6000)]}, Fraction(500)),
        ([{"price": price("2000"), "quantity": 1}], {"discounts": [coupon(amount_off=9000)]}, Fraction(0)),
        ([{"price": price("2000"), "quantity": 1}], {"discounts": [coupon(percent_off=50, duration="once")]}, Fraction(2000)),
        ([{"price": price("2000"), "quantity": 1}], {"discounts": ["di_named_only"]}, Fraction(2000)),
        ([{"price": price("2000"), "quantity": 1}], {"discounts": [coupon(percent_off=50, applies_to={"products": ["prod_2"]})]}, Fraction(2000)),
        ([{"price": price("2000"), "quantity": 1, "discounts": [coupon(percent_off=10)]}], {}, Fraction(1800)),
        ([{"price": price("2000"), "quantity": 1}], {"status": "paused"}, Fraction(0)),
    ],
)  # fmt: skip
def test_recurring_revenue_is_exact(items: list[Any], more: dict[str, Any], monthly: Fraction) -> None:
    assert mrr_of({"items": {"data": items}, "status": "active", **more}) == monthly


def test_two_discounts_come_one_after_the_other() -> None:
    items = {"data": [{"price": price("10000"), "quantity": 1}, {"price": price("30000"), "quantity": 1}]}
    told = [coupon(percent_off=50), coupon(amount_off=2000)]
    assert mrr_of({"items": items, "discounts": told}) == 18_000


def test_a_trial_is_not_paid_for_and_a_day_is_the_least() -> None:
    day = 86_400
    base = {"id": "sub_1", "currency": "usd", "start_date": 1000, "items": {"data": []}}
    assert shaped("subscriptions", {**base, "trial_end": 1000 + 14 * day})["starts"] == 1000 + 14 * day
    assert shaped("subscriptions", {**base, "cancel_at": 99})["ends"] == 99
    assert shaped("subscriptions", {**base, "cancel_at": 99, "ended_at": 98})["ends"] == 98


# --- Through the engine ---------------------------------------------------------------------------------------------


@pytest.fixture
def other() -> Iterator[Stripe]:
    with Stripe() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("customer", 1, name="Acme")
        yield standin


@pytest.fixture
def link(other: Stripe, cast: Cast) -> Link:
    return Link(cast.actor("rita"), other).connect("stripe", secrets={"api_key": Stripe.api_key})


def told(link: Link) -> dict[str, tuple[int, str, str | None]]:
    """What counts of what was paid: amount, kind, and the key that it takes back."""
    rows = Transaction.objects.filter(is_void=False).select_related("reverses")
    return {
        row.source_key.removeprefix("stripe:"): (
            row.amount_minor, row.kind, row.reverses.source_key.removeprefix("stripe:") if row.reverses else None,
        )
        for row in rows
    }  # fmt: skip


MONEY = ("customers", "invoices", "charges", "refunds", "credit_notes", "disputes")


def test_what_is_given_back_takes_back(link: Link, other: Stripe) -> None:
    """A partial refund, a credit note and a dispute; each leaves the amount of what it takes back as it was."""
    invoice = other.put("invoice", 1, customer=1, total=10_000, status="paid", amount_paid=10_000)
    charge = other.put("charge", 1, customer=1, amount=10_000, invoice=invoice)
    other.put("refund", 1, charge=charge, amount=2_500)
    note = other.put("credit_note", 1, customer=1, invoice=invoice, total=1_000)
    other.put("dispute", 1, charge=charge, amount=7_500)
    inquiry = other.put("dispute", 2, charge=charge, amount=100, status="warning_needs_response")
    pending = other.put("refund", 2, charge=charge, amount=300, status="pending")
    link.want(*MONEY).start()
    link.run()
    assert link.problems() == {}
    assert told(link) == {
        f"invoice:{invoice}": (10_000, "invoice", None),
        f"charge:{charge}": (10_000, "payment", None),
        "refund:re_00000000000001": (-2_500, "refund", f"charge:{charge}"),
        f"credit_note:{note}": (-1_000, "credit_note", f"invoice:{invoice}"),
        "dispute:dp_00000000000001": (-7_500, "refund", f"charge:{charge}"),
    }
    other.put("dispute", 1, status="won")
    other.put("dispute", 2, status="needs_response")
    other.put("credit_note", 1, status="void")
    other.put("refund", 2, status="succeeded")
    link.sync()
    assert set(told(link)) == {
        f"invoice:{invoice}", f"charge:{charge}", "refund:re_00000000000001", f"refund:{pending}", f"dispute:{inquiry}",
    }  # fmt: skip


def test_accounts_of_long_ago_tell_refunds_by_their_charge(link: Link, other: Stripe) -> None:
    other.tells_refunds = False
    charge = other.put("charge", 1, customer=1, amount=10_000)
    link.want(*MONEY).start()
    link.run()
    other.put("refund", 1, charge=charge, amount=4_000)
    link.sync()
    assert told(link)["refund:re_00000000000001"] == (-4_000, "refund", f"charge:{charge}")


def test_drafts_do_not_count_and_void_ones_no_longer(link: Link, other: Stripe) -> None:
    draft = other.put("invoice", 1, customer=1, total=100, status="draft")
    paid = other.put("invoice", 2, customer=1, total=200, status="open")
    link.want(*MONEY).start()
    link.run()
    assert set(told(link)) == {f"invoice:{paid}"}
    other.put("invoice", 1, status="open")
    other.put("invoice", 2, status="void")
    link.sync()
    assert set(told(link)) == {f"invoice:{draft}"}


def test_events_that_are_gone_make_everything_be_read_anew(link: Link, other: Stripe) -> None:
    """Thirty-one days without a sync: what changed, came and went in them is found all the same."""
    kept = other.put("invoice", 1, customer=1, total=100, status="open")
    gone = other.put("customer", 2, name="Gone")
    link.want(*MONEY).start()
    link.run()
    other.put("invoice", 1, total=900)
    late = other.put("invoice", 2, customer=1, total=300, status="open")
    other.delete("customer", 2)
    other.requests.clear()
    link.sync(after=31 * 86_400)
    assert told(link) == {f"invoice:{kept}": (900, "invoice", None), f"invoice:{late}": (300, "invoice", None)}
    assert link.states("customers")[gone] == RawState.DELETED
    assert {ask.path for ask in other.asked("/v1/invoices")} == {"/v1/invoices"}
    other.requests.clear()
    link.sync()
    assert other.asked("/v1/invoices?") == []
    assert {ask.path for ask in other.asked("/v1/")} >= {"/v1/events"}


def test_a_row_that_vanishes_while_paging_takes_none_with_it(
    link: Link, other: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page behind it is asked for by an id that Stripe no longer knows."""
    monkeypatch.setattr(pulling, "PAGE_ROWS", 5)
    for number in range(1, 18):
        other.put("invoice", number, customer=1, total=number, status="open")

    def vanish(page: int) -> None:
        if page == 3:  # one page of customers, one of invoices, and now the second
            other.purge("invoice", 13)

    link.want("customers", "invoices").start()
    other.before_page(vanish)
    link.run()
    other.before_page(None)
    assert [ask.status for ask in other.asked("/v1/invoices") if ask.status == 400] == [400]
    assert {f"invoice:in_{number:014d}" for number in range(1, 18)} == set(told(link))


def test_subscriptions_with_many_items_and_tiers_are_read_whole(link: Link, other: Stripe) -> None:
    other.put("product", 1, name="Seats")
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    for number in range(1, 13):
        other.put("price", number, product=1, unit_amount=100, recurring=recurring)
    tiers = [{"up_to": None, "unit_amount_decimal": "50", "flat_amount": 1000}]
    other.put("price", 13, product=1, billing_scheme="tiered", tiers_mode="volume", tiers=tiers, recurring=recurring)
    items = [{"price": number, "quantity": 1} for number in range(1, 13)] + [{"price": 13, "quantity": 10}]
    other.put("subscription", 1, customer=1, items=items)
    over = other.put("subscription", 2, customer=1, items=[{"price": 1, "quantity": 4}])
    other.clock.advance(40 * 86_400)
    other.put("subscription", 2, status="canceled")
    other.put("subscription", 3, customer=1, items=[{"price": 1, "quantity": 1}], status="incomplete")
    link.at += timedelta(days=40)
    link.want("products", "customers", "subscriptions").start()
    link.run()
    assert link.problems() == {}
    rows = {row.external_id: row for row in Subscription.objects.all()}
    assert {id: (row.mrr_minor, row.seats, row.currency) for id, row in rows.items()} == {
        "sub_00000000000001": (12 * 100 + 1500, 22, "USD"),
        over: (400, 4, "USD"),
    }
    assert (rows[over].start_on, rows[over].end_on) == (NOW.date(), (NOW + timedelta(days=40)).date())
    other.put("subscription", 1, items=[{"price": 1, "quantity": 7}])
    link.sync()
    assert Subscription.objects.get(external_id="sub_00000000000001").mrr_minor == 700


def test_the_portal_keeps_what_a_customer_already_says_there(link: Link, other: Stripe) -> None:
    link.want("customers").start()
    link.run()
    Account.objects.filter(external_id="cus_00000000000001").update(country="FR")
    other.put("customer", 1, name="Acme Incorporated", address={"country": "US", "city": "Reno"})
    link.sync()
    account = Account.objects.get(external_id="cus_00000000000001")
    assert (account.name, account.country, account.city) == ("Acme", "FR", "Reno")


def test_every_request_pins_the_version_and_names_the_account(other: Stripe, cast: Cast) -> None:
    options = {"stripe_account": "acct_000000000000009"}
    link = Link(cast.actor("rita"), other).connect("stripe", options=options, secrets={"api_key": Stripe.api_key})
    link.want("customers").start()
    link.run()
    sent = {(ask.headers.get("stripe-version"), ask.headers.get("stripe-account")) for ask in other.requests}
    assert sent == {(BASIL, "acct_000000000000009")}


def test_a_customer_is_written_once_and_not_over_a_later_change(link: Link, other: Stripe) -> None:
    customers = VENDOR.object("customers")
    with link.caller() as http:
        (raw,) = VENDOR.fetch(customers, ["cus_00000000000001"], http)
        for _attempt in range(2):
            done = VENDOR.write(customers, raw.external_id, {"phone": "+33 1"}, http, key="k", base=raw.payload)
            assert done.raw is not None
            assert done.raw.payload["phone"] == "+33 1"
        assert len(other.asked("/v1/customers/", "POST")) == 1
        other.put("customer", 1, phone="+44")
        with pytest.raises(Fault) as fault:
            VENDOR.write(customers, raw.external_id, {"phone": "+33 2"}, http, key="l", base=raw.payload)
    assert fault.value.kind is FaultKind.CHANGED
    assert other.row("customer", 1)["phone"] == "+44"


def test_webhooks_are_proven_and_only_say_what_to_fetch(other: Stripe) -> None:
    other.put("invoice", 1, customer=1, total=100, status="open")
    other.delete("customer", 1)
    invoice, _finalized, customer = other.hook_deliveries(since=1)
    received = NOW + timedelta(minutes=1)
    for given, secret, expected in (
        (invoice, "whsec_obviously_not_a_secret", Proven),
        (invoice, "whsec_another", Refused),
    ):
        delivery = Delivery(given.method, given.url, given.headers, given.body, received)
        assert isinstance(VENDOR.proof(delivery, {"webhook_secret": [secret]}), expected)
    (event,) = VENDOR.events(invoice.body, invoice.headers)
    assert (event.object, event.external_id, event.is_deleted, event.raw) == (
        "invoices",
        "in_00000000000001",
        False,
        None,
    )
    (event,) = VENDOR.events(customer.body, customer.headers)
    assert (event.object, event.external_id, event.is_deleted) == ("customers", "cus_00000000000001", True)


def test_words_of_a_refusal_are_stripes_own(link: Link, other: Stripe) -> None:
    other.faults.add("403_limit", when="/v1/charges")
    link.want("charges").start()
    link.run()
    problem = link.stream("charges").error
    assert problem["code"] == "vendor-forbidden"
    assert "required permissions" in str(problem["params"])


def test_items_that_never_end_are_stopped(link: Link, other: Stripe) -> None:
    other.put("price", 1, unit_amount=100, recurring={"interval": "month", "interval_count": 1})
    other.put("subscription", 1, customer=1, items=[{"price": 1, "quantity": 1} for _number in range(11)])
    other.faults.add("endless_cursor", when="/v1/subscription_items", times=None, mode="repeat")
    link.want("customers", "subscriptions").start()
    link.run()
    assert link.stream("subscriptions").error["code"] == "endless"
    assert len(other.asked("/v1/subscription_items")) == 2
