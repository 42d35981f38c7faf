"""Xero against its own description: what we ask is what it describes, and what it answers is understood."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from salesops.accounts.models import Account
from salesops.connectors.choices import RunState
from salesops.connectors.models import Connection
from salesops.connectors.services import connecting, credentials
from salesops.connectors.vendors.base import Ask
from salesops.connectors.vendors.xero import VENDOR
from tests.cast import Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.prism import Prism, vendors
from tests.connectors.standins.xero import Xero

OBJECTS = [each.code for each in VENDOR.objects]
#: Objects whose single records are in the description.
SINGLE = ("Contacts", "Invoices", "CreditNotes", "Payments")
PATH = "/api.xro/2.0"


@pytest.fixture(scope="module")
def server() -> Iterator[Prism]:
    with Prism(vendors("specs/xero/accounting.json"), strip=PATH) as prism:
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
    """Signed in: the description knows neither tokens nor the list of organisations."""
    link = Link(cast.actor("rita"), prism)  # type: ignore[arg-type]
    options = {"address": prism.origin, "client_id": prism.client_id}
    given = {"client_secret": prism.client_secret}
    made = connecting.create(actor=link.actor, vendor="xero", name="", options=options, given=given, at=link.at)
    credentials.keep(
        made, credentials.ACCESS, "obviously-not-a-token", at=link.at, expires_at=link.at + timedelta(days=1)
    )
    made.options = {**made.options, "tenant_id": Xero.tenant, "currency": "NZD"}
    made.save()
    link.connection = Connection.objects.select_related("source").get(pk=made.pk)
    return link


def begin(link: Link, prism: Prism, *objects: str) -> None:
    """Discover, and bring these objects in."""
    with link.caller() as http:
        connecting.discover(actor=link.actor, connection=link.connection, at=link.at, http=http)
    assert prism.violations == []
    prism.exchanges.clear()
    link.want(*objects).start()
    link.run()


def shaped(code: str, link: Link) -> list[tuple[bool, Any]]:
    """What the vendor reads of an object: whether it is gone, and how columns see it."""
    object = VENDOR.object(code)
    with link.caller() as http:
        raws = VENDOR.read(object, Ask(), http).raws
    return [(raw.is_deleted, object.shape(raw.payload) if object.shape else raw.payload) for raw in raws]


def test_a_request_that_breaks_the_description_is_noticed(prism: Prism) -> None:
    headers = {"Authorization": "Bearer x", "xero-tenant-id": Xero.tenant}
    reply = httpx.get(f"{prism.origin}{PATH}/Invoices?page=first", headers=headers, trust_env=False)
    assert reply.status_code == 422
    assert [(each.path, each.status) for each in prism.exchanges] == [(f"{PATH}/Invoices", 422)]


def test_everything_is_asked_as_described(link: Link, prism: Prism) -> None:
    begin(link, prism, *OBJECTS)
    assert prism.violations == []
    assert {each.status for each in prism.exchanges} == {200}
    assert {each.path for each in prism.exchanges} == {f"{PATH}/{code}" for code in OBJECTS}
    assert link.last_run().state == RunState.DONE
    assert "Katherine Warren" in Account.objects.values_list("name", flat=True)

    prism.exchanges.clear()
    link.want("Items", "Contacts", "Payments").sync()
    assert prism.violations == []
    assert {(each.path, each.status) for each in prism.exchanges} == {
        (f"{PATH}/{code}", 200) for code in ("Items", "Contacts", "Payments")
    }


def test_the_organisation_is_asked_as_described(link: Link, prism: Prism) -> None:
    with link.caller() as http:
        told = http.get("Organisation").json()["Organisations"]
    assert (told[0]["BaseCurrency"], prism.violations) == ("NZD", [])


def test_what_is_answered_is_understood(link: Link) -> None:
    payments = {each["PaymentType"]: each for is_gone, each in shaped("Payments", link) if not is_gone}
    paid, given_back = payments["ACCRECPAYMENT"], payments["ARCREDITPAYMENT"]
    assert (paid["key"], paid["kind"], paid["net"], paid["currency"], paid["day"], paid["contact"]) == (
        "xero:payment:99ea7f6b-c513-4066-bc27-b7c65dcd76c2", "payment", Decimal("46.0"), "NZD", "2018-11-29",
        "a3675fc4-f8dd-4f03-ba5b-f1870566bcd7",
    )  # fmt: skip
    assert (given_back["kind"], given_back["net"], given_back["takes_back"]) == ("refund", Decimal("-2.0"), "")
    notes = {each["Type"]: (is_gone, each) for is_gone, each in shaped("CreditNotes", link)}
    is_gone, note = notes["ACCRECCREDIT"]
    assert (is_gone, note["net"], note["day"]) == (False, Decimal("-30.0"), "2019-03-05")
    assert notes["ACCPAYCREDIT"][0]
    invoices = {each["InvoiceNumber"]: (is_gone, each) for is_gone, each in shaped("Invoices", link)}
    assert (invoices["INV-0001"][0], invoices["INV-0001"][1]["day"]) == (True, "2018-10-20")  # voided
    overpaid = [each for is_gone, each in shaped("Overpayments", link) if not is_gone]
    assert {(each["Type"], each["kind"]) for each in overpaid} == {("RECEIVE-OVERPAYMENT", "payment")}
    (prepaid,) = shaped("Prepayments", link)
    assert (prepaid[1]["net"], prepaid[1]["currency"]) == (Decimal("3450.0"), "NZD")
    item = shaped("Items", link)[0][1]
    assert (item["name"], item["SalesDetails"]["UnitPrice"]) == ("Guitars", Decimal("5000.0"))
    person = shaped("Contacts", link)[0][1]
    assert (person["city"], person["country"], person["phone"]) == ("Palo Alto", "United States", "(626) 847-1294")


@pytest.mark.parametrize("code", SINGLE)
def test_single_records_are_asked_as_described(link: Link, prism: Prism, code: str) -> None:
    object = VENDOR.object(code)
    with link.caller() as http:
        raws = VENDOR.read(object, Ask(), http).raws
        prism.exchanges.clear()
        found = VENDOR.fetch(object, [raws[0].external_id], http)
    assert found
    assert {each.status for each in prism.exchanges} == {200}
    assert prism.violations == []


def test_writing_is_as_described(link: Link, prism: Prism) -> None:
    contacts = VENDOR.object("Contacts")
    with link.caller() as http:
        (raw, *_others) = VENDOR.read(contacts, Ask(), http).raws
        told = http.get(f"Contacts/{raw.external_id}").json()["Contacts"][0]
        prism.exchanges.clear()
        VENDOR.write(contacts, raw.external_id, {"AccountNumber": "A-1"}, http, key="k1", base=told)
    (sent,) = [each for each in prism.exchanges if each.method == "POST"]
    assert sent.path == f"{PATH}/Contacts/{raw.external_id}"
    assert sent.status == 200
    assert prism.violations == []


def test_pages_that_never_end_are_stopped(link: Link, prism: Prism) -> None:
    prism.rewrite = lambda body: body.replace(b'"pageCount":1', b'"pageCount":9')
    begin(link, prism, "Contacts")
    assert link.last_run().state == RunState.FAILED
    assert link.stream("Contacts").error["code"] == "endless"
    assert 2 <= len(prism.exchanges) < 20
    assert prism.violations == []
