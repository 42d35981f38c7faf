"""Pipedrive against its own descriptions: what we ask is what they describe, and what they answer is understood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from salesops.accounts.models import Account
from salesops.connectors.choices import RunState
from salesops.connectors.services import connecting, credentials
from salesops.connectors.services.pulling import wanted
from salesops.connectors.vendors.base import Ask, Fault, FaultKind
from salesops.connectors.vendors.pipedrive import VENDOR
from salesops.deals.models import Product
from tests.cast import NOW, Cast
from tests.connectors.linking import Link
from tests.connectors.prism import Prism, vendors

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def old() -> Iterator[Prism]:
    """Version 1: users, leads, notes."""
    with Prism(vendors("specs/pipedrive/openapi-v1.json"), strip="/v1") as prism:
        yield prism


@pytest.fixture(scope="module")
def new() -> Iterator[Prism]:
    """Version 2: all the rest."""
    with Prism(vendors("specs/pipedrive/openapi-v2.json"), strip="/api/v2") as prism:
        yield prism


class Both:
    """Both versions behind one address: the one of version 2, which hands on what is of version 1."""

    def __init__(self, new: Prism, old: Prism) -> None:
        self.new, self.old = new, old

    @contextmanager
    def joined(self) -> Iterator[None]:
        """While requests for version 1 go there."""
        answer = self.new.answer
        self.new.answer = lambda method, target, headers, body: (  # type: ignore[method-assign]
            self.old if target.startswith("/v1/") else Asker(answer)
        ).answer(method, target, headers, body)
        try:
            with override_settings(CONNECTORS_ALLOWED_ADDRESSES=[self.new.address]):
                yield
        finally:
            self.new.answer = answer  # type: ignore[method-assign]


class Asker:
    """Something with an `answer`."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer


@pytest.fixture
def prism(new: Prism, old: Prism) -> Iterator[Prism]:
    new.exchanges.clear()
    new.rewrite = lambda body: ends(body)
    with Both(new, old).joined():
        yield new
    new.rewrite = None


def ends(body: bytes) -> bytes:
    """A reply whose pages end: the example names a next page for ever."""
    return body.replace(b'"next_cursor":"', b'"was_cursor":"').replace(
        b'"more_items_in_collection":true', b'"more_items_in_collection":false'
    )


@pytest.fixture
def link(prism: Prism, cast: Cast) -> Link:
    """A connection whose tokens are there: neither description has an address that gives them."""
    link = Link(cast.actor("rita"), prism)  # type: ignore[arg-type]  # has the address of a stand-in
    link.connection = connecting.create(
        actor=link.actor,
        vendor="pipedrive",
        name="",
        options={"address": prism.origin, "client_id": prism.client_id},
        given={},
        at=link.at,
    )
    credentials.keep(link.connection, credentials.ACCESS, "obviously-not-a-token", at=NOW)
    with link.caller() as http:
        connecting.identify(actor=link.actor, connection=link.connection, at=link.at, http=http)
    link.connection.refresh_from_db()
    with link.caller() as http:
        connecting.discover(actor=link.actor, connection=link.connection, at=link.at, http=http)
    return link


def shaped(code: str, link: Link) -> Any:
    """The one record that the example of an object shows, as columns see it."""
    object = VENDOR.object(code)
    with link.caller() as http:
        (raw,) = VENDOR.read(object, Ask(), http).raws
    return object.shape(raw.payload) if object.shape else raw.payload


def test_a_request_that_breaks_the_description_is_noticed(prism: Prism, link: Link) -> None:
    prism.exchanges.clear()
    with link.caller() as http, pytest.raises(Fault):
        http.get("api/v2/deals", {"limit": "many"})
    assert prism.violations == [
        ("GET", "/api/v2/deals", ("request.query.limit: Request query parameter limit must be integer",))
    ]


def test_everything_is_asked_as_described(link: Link, prism: Prism) -> None:
    link.want(*(each.code for each in VENDOR.objects)).start()
    link.run()
    link.sync()
    assert prism.violations == []
    assert {each.status for each in prism.exchanges} == {200}
    asked = {each.path for each in prism.exchanges}
    assert asked == {
        "/v1/users/me", "/v1/users", "/v1/leads", "/v1/notes", "/api/v2/products", "/api/v2/organizations",
        "/api/v2/persons", "/api/v2/deals", "/api/v2/deals/archived", "/api/v2/activities", "/api/v2/stages",
        "/api/v2/dealFields", "/api/v2/personFields", "/api/v2/organizationFields",
    }  # fmt: skip
    assert link.last_run().state == RunState.DONE, link.last_run().error
    assert (link.connection.account_id, link.connection.account_name) == ("54235233", "Pipedrive")
    assert (link.connection.options["time_zone"], link.connection.options["currency"]) == ("Europe/Berlin", "EUR")
    assert [stream.object for stream in wanted(link.connection)][:2] == ["users", "products"]
    assert list(
        Account.objects.filter(source=link.connection.source.code).values_list("external_id", "name", "city")
    ) == [("1", "Organization Name", "Sunnyvale")]
    assert ("MPENCIL", "Mechanical Pencil", 500, "EUR") in Product.objects.values_list(
        "code", "name", "price_minor", "currency"
    )


def test_a_sweep_of_what_changed_is_as_described(link: Link, prism: Prism) -> None:
    prism.exchanges.clear()
    with link.caller() as http:
        for object in VENDOR.objects:
            VENDOR.read(object, Ask(since=SINCE, until=NOW), http)
        deals = VENDOR.object("deals")
        gone = VENDOR.deletions(deals, Ask(since=SINCE), http)
        VENDOR.read(deals, Ask(since=SINCE, position={"list": "deals/archived", "cursor": "abc"}), http)
        VENDOR.read(VENDOR.object("leads"), Ask(position={"since": "2026-01-01T00:00:00Z", "start": 50}), http)
    assert gone is not None
    assert [(raw.external_id, raw.is_deleted) for raw in gone.raws] == [("1", True)]
    assert prism.violations == []
    assert {each.status for each in prism.exchanges} == {200}


def test_what_is_answered_is_understood(link: Link) -> None:
    deal = shaped("deals", link)
    assert (deal["stage"], deal["value"], deal["currency"], deal["closed_at"]) == (1, 200, "USD", None)
    person = shaped("persons", link)
    assert (person["email"], person["phone"], person["org_id"]) == ("email1@email.com", "12345", 1)
    activity = shaped("activities", link)
    assert (activity["due_at"], activity["happened_at"], activity["seconds"]) == (
        "2021-01-01T15:00:00Z", "2021-01-01T00:00:00Z", 3600,
    )  # fmt: skip
    lead = shaped("leads", link)
    assert lead["value"] == {"amount": 999, "currency": "USD"}
    note = shaped("notes", link)
    assert (note["key"], note["text"], note["subject"]) == ("note-1", "abc", "abc")


def test_single_records_are_asked_as_described(link: Link, prism: Prism) -> None:
    prism.exchanges.clear()
    codes = ["users", "organizations", "persons", "leads", "deals", "activities", "notes"]
    ids = {"leads": "adf21080-0e10-11eb-879b-05d71fb426ec"}
    with link.caller() as http:
        for code in codes:
            VENDOR.fetch(VENDOR.object(code), [ids.get(code, "1")], http)
        VENDOR.fetch(VENDOR.object("deals"), ["1", "2"], http)
    assert prism.violations == []
    assert {each.status for each in prism.exchanges} == {200}
    assert "/api/v2/deals/2" in {each.path for each in prism.exchanges}


def test_writing_is_as_described(link: Link, prism: Prism) -> None:
    deals = VENDOR.object("deals")
    values = {
        name: VENDOR.spell(column, value)
        for name, value in {
            "title": "Bigger", "value": Decimal("10.50"), "owner_id": "7", "stage": "3",
            "expected_close_date": date(2026, 7, 1),
        }.items()
        if (column := deals.column(name)) is not None
    }  # fmt: skip
    with link.caller() as http:
        base = http.get("api/v2/deals/1").json()["data"]
        done = VENDOR.write(deals, "1", values, http, key="k", base=base)
    assert done.raw is not None
    (sent,) = [each for each in prism.exchanges if each.method == "PATCH"]
    assert sent.body == (
        b'{"title": "Bigger", "value": 10.5, "owner_id": 7, "status": "open", "stage_id": 3,'
        b' "expected_close_date": "2026-07-01"}'
    )
    assert sent.status == 200
    assert prism.violations == []


@pytest.mark.parametrize("code", ["organizations", "deals", "notes"])
def test_pages_that_never_end_are_stopped(link: Link, prism: Prism, code: str) -> None:
    prism.rewrite = None
    link.want(code).start()
    link.run()
    assert link.last_run().state == RunState.FAILED
    assert link.stream(code).error["code"] == "endless"
    prefix = "/v1/" if code == "notes" else "/api/v2/"
    assert 2 <= len([each for each in prism.exchanges if each.path == f"{prefix}{code}"]) < 20
    assert prism.violations == []


def test_without_a_token_it_is_refused(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(VENDOR), "sign", lambda *_given: None)
    with link.caller() as http, pytest.raises(Fault) as told:
        VENDOR.fetch(VENDOR.object("deals"), ["1"], http)
    assert told.value.kind is FaultKind.UNAUTHORIZED
