"""Stripe against its own description: what we ask is what it describes, and what it answers is understood."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from salesops.accounts.models import Account
from salesops.connectors.choices import RunState
from salesops.connectors.vendors.base import Ask, Fault, FaultKind
from salesops.connectors.vendors.stripe import VENDOR
from salesops.deals.models import Product
from tests.cast import Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.prism import Prism, vendors
from tests.connectors.standins.stripe import Stripe

OBJECTS = [each.code for each in VENDOR.objects]


@pytest.fixture(scope="module")
def server() -> Iterator[Prism]:
    with Prism(vendors("specs/stripe/openapi.json")) as prism:
        yield prism


@pytest.fixture
def prism(server: Prism) -> Iterator[Prism]:
    server.exchanges.clear()
    server.rewrite = None
    with allowed(server):  # type: ignore[arg-type]  # has the address of a stand-in
        yield server
    server.rewrite = None


@pytest.fixture
def link(prism: Prism, cast: Cast) -> Link:
    return Link(cast.actor("rita"), prism).connect("stripe", secrets={"api_key": Stripe.api_key})  # type: ignore[arg-type]


def shaped(code: str, link: Link, ask: Ask) -> list[Any]:
    """What the vendor reads of an object, as columns see it."""
    object = VENDOR.object(code)
    with link.caller() as http:
        raws = VENDOR.read(object, ask, http).raws
    return [object.shape(raw.payload) if object.shape else raw.payload for raw in raws]


def test_a_request_that_breaks_the_description_is_noticed(prism: Prism) -> None:
    reply = httpx.get(f"{prism.origin}/v1/invoices?limit=many", auth=("sk_test_x", ""), trust_env=False)
    assert reply.status_code == 422
    assert prism.violations == [
        ("GET", "/v1/invoices", ("request.query.limit: Request query parameter limit must be integer",))
    ]


def test_everything_is_asked_as_described(link: Link, prism: Prism) -> None:
    link.want(*OBJECTS).start()
    link.run()
    assert prism.violations == []
    assert {each.status for each in prism.exchanges} == {200}
    asked = {each.path for each in prism.exchanges}
    assert {f"/v1/{code}" for code in OBJECTS} <= asked
    assert "/v1/account" in asked
    assert link.connection.account_name == "acct_1PgafTB7WZ01zgkW"
    assert link.last_run().state == RunState.DONE
    assert list(Account.objects.filter(source=link.connection.source.code).values_list("external_id", "name")) == [
        ("cus_QXg1o8vcGmoR32", "cus_QXg1o8vcGmoR32")
    ]
    assert ("prod_QXg1hqf4jFNsqG", "T-shirt") in Product.objects.values_list("code", "name")

    prism.exchanges.clear()
    link.sync()
    assert prism.violations == []
    assert {each.path for each in prism.exchanges} == {"/v1/events"}
    assert link.last_run().state == RunState.DONE


def test_what_is_answered_is_understood(link: Link) -> None:
    (note,) = shaped("credit_notes", link, Ask())
    assert (note["key"], note["net"], note["currency"]) == (
        "stripe:credit_note:cn_1Pgc75B7WZ01zgkWJMPt5riP", Decimal("-16.90"), "USD",
    )  # fmt: skip
    assert (note["takes_back"], note["customer"]) == (
        "stripe:invoice:in_1Pgc75B7WZ01zgkWYv4iMwt7", "cus_QXg1o8vcGmoR32",
    )  # fmt: skip
    (refund,) = shaped("refunds", link, Ask())
    assert (refund["net"], refund["takes_back"]) == (Decimal("-1.00"), "stripe:charge:ch_1PgafuB7WZ01zgkWXYmPNZs8")
    (dispute,) = shaped("disputes", link, Ask())
    assert (dispute["net"], dispute["takes_back"]) == (Decimal("-10.00"), "stripe:charge:ch_1PgafuB7WZ01zgkWXYmPNZs8")
    (invoice,) = shaped("invoices", link, Ask())
    assert (invoice["net"], invoice["customer"]) == (Decimal("10.00"), "cus_QXg1o8vcGmoR32")
    (subscription,) = shaped("subscriptions", link, Ask())
    assert subscription["mrr"].as_tuple().exponent == -2
    assert (subscription["seats"], subscription["currency"]) == (1, "USD")
    (price,) = shaped("prices", link, Ask())
    assert (price["amount"], price["currency"], price["product"]) == (Decimal("20.00"), "USD", "prod_QXg1hqf4jFNsqG")


def test_single_records_are_asked_as_described(link: Link, prism: Prism) -> None:
    prism.exchanges.clear()
    with link.caller() as http:
        raws = [VENDOR.fetch(VENDOR.object(code), ["id_1"], http) for code in OBJECTS]
    assert [len(each) for each in raws] == [1] * len(OBJECTS)
    assert [each.path for each in prism.exchanges] == [f"/v1/{code}/id_1" for code in OBJECTS]
    assert {each.status for each in prism.exchanges} == {200}
    assert prism.violations == []


def test_the_parts_that_are_asked_now_and_then_are_as_described(link: Link, prism: Prism) -> None:
    with link.caller() as http:
        http.get("v1/account")
        assert http.vendor_time is not None
        since = http.vendor_time - timedelta(days=1)
        page = VENDOR.read(VENDOR.object("refunds"), Ask(since=since, until=http.vendor_time), http)
        assert page.raws == []
        following = {"after": "in_1", "at": 1, "window": 1_700_000_000}
        VENDOR.read(VENDOR.object("invoices"), Ask(position=following), http)
        http.get("v1/refunds", {"charge": "ch_1", "limit": 100})
        http.get("v1/subscription_items", {"subscription": "sub_1", "limit": 100, "starting_after": "si_1"})
        http.get("v1/prices/price_1", {"expand[]": "tiers"})
    assert prism.violations == []


def test_writing_is_as_described(link: Link, prism: Prism) -> None:
    customers = VENDOR.object("customers")
    with link.caller() as http:
        base = http.get("v1/customers/cus_1").json()
        VENDOR.write(customers, "cus_1", {"name": "Acme", "phone": "+33"}, http, key="k1", base=base)
    (sent,) = [each for each in prism.exchanges if each.method == "POST"]
    assert (sent.path, sent.body, sent.status) == ("/v1/customers/cus_1", b"name=Acme&phone=%2B33", 200)
    assert prism.violations == []


def test_pages_that_never_end_are_stopped(link: Link, prism: Prism) -> None:
    prism.rewrite = lambda body: body.replace(b'"has_more":false,"data"', b'"has_more":true,"data"')
    link.want("customers").start()
    link.run()
    assert link.last_run().state == RunState.FAILED
    assert link.stream("customers").error["code"] == "endless"
    assert 2 <= len([each for each in prism.exchanges if each.path == "/v1/customers"]) < 20
    assert prism.violations == []


def test_without_a_key_it_is_refused(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(VENDOR), "sign", lambda *_given: None)
    with link.caller() as http, pytest.raises(Fault) as told:
        VENDOR.fetch(VENDOR.object("customers"), ["cus_1"], http)
    assert told.value.kind is FaultKind.UNAUTHORIZED
