"""Who may connect, what may be typed, and where a connection's secrets go: the walls behind the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from salesops.audit.models import AuditEntry
from salesops.connectors.choices import ConnectionState
from salesops.connectors.models import Connection, Credential, Hold, RawRecord, Stream
from salesops.connectors.rules.mapping import Mapping
from salesops.connectors.services import brakes, connecting, credentials, reconciling, shelf
from salesops.connectors.services.calling import Caller
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Fault, Identity
from salesops.connectors.wire import Reply, Request
from salesops.core.actor import Actor, system_actor
from tests.cast import NOW, Cast
from tests.scene import make_scene

NOT_REAL = "not-a-real-key-0123456789"


def made(cast: Cast, vendor: str, **options: str) -> Connection:
    """A connection in draft, with a key where the vendor lets in by one."""
    given = {name: NOT_REAL for name in connecting.keys_of(vendor) if name == "api_key"}
    return connecting.create(
        actor=cast.actor("rita"), vendor=vendor, name="", options={"client_id": "app"} | options, given=given, at=NOW
    )


# --- Who may


def acts(connection: Connection, stream: Stream) -> dict[str, Callable[[Actor], object]]:
    """All that is done to a connection by a person, by the name of it."""
    row, hold = RawRecord.objects.first(), Hold.objects.first()
    mapping = Mapping.from_plain(stream.mapping).unwrap()
    http: Any = None
    of: dict[str, Any] = {"connection": connection, "at": NOW}
    name: dict[str, Any] = {"name": "X", "sync_every": 15, "brake_deals": 1, "brake_minor": 1}
    chosen: dict[str, Any] = {"mapping": mapping, "masters": {}, "is_wanted": True, "at": NOW}
    decided: dict[str, Any] = {"hold": hold, "admit": True, "reason": "It is right.", "applier": None, "at": NOW}
    meant: dict[str, Any] = {"lookup": None, "record_id": 1, "record_name": "x", "at": NOW}
    return {
        "create": lambda actor: connecting.create(
            actor=actor, vendor="close", name="", options={}, given={"api_key": NOT_REAL}, at=NOW
        ),
        "change": lambda actor: connecting.change(actor=actor, options={}, given={"client_secret": "other"}, **of),
        "configure": lambda actor: connecting.configure(actor=actor, **name, **of),
        "identify": lambda actor: connecting.identify(actor=actor, http=http, **of),
        "discover": lambda actor: connecting.discover(actor=actor, http=http, **of),
        "decide_mapping": lambda actor: connecting.decide_mapping(actor=actor, stream=stream, **chosen),
        "sample": lambda actor: connecting.sample(actor=actor, stream=stream, at=NOW),
        "choose": lambda actor: connecting.choose(actor=actor, objects=[], **of),
        "start": lambda actor: connecting.start(actor=actor, **of),
        "pause": lambda actor: connecting.pause(actor=actor, **of),
        "sync_now": lambda actor: connecting.sync_now(actor=actor, **of),
        "resync": lambda actor: connecting.resync(actor=actor, **of),
        "confirm_empty": lambda actor: connecting.confirm_empty(actor=actor, stream=stream, at=NOW),
        "disconnect": lambda actor: connecting.disconnect(actor=actor, **of),
        "retry": lambda actor: shelf.retry(actor=actor, ids=[row.pk], **of),  # type: ignore[union-attr]  # it is there
        "dismiss": lambda actor: shelf.dismiss(actor=actor, ids=[row.pk], **of),  # type: ignore[union-attr]
        "mean": lambda actor: shelf.mean(actor=actor, row=row, **meant),  # type: ignore[arg-type]
        "decide": lambda actor: brakes.decide(actor=actor, **decided),
        "reconcile": lambda actor: reconciling.enqueue(actor=actor, **of),
        "mend": lambda actor: reconciling.mend(actor=actor, http=http, **of),
    }


ACTS = [
    "create", "change", "configure", "identify", "discover", "decide_mapping", "sample", "choose", "start", "pause",
    "sync_now", "resync", "confirm_empty", "disconnect", "retry", "dismiss", "mean", "decide", "reconcile", "mend",
]  # fmt: skip


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa"])
def test_whoever_may_not_import_does_nothing_to_a_connection(cast: Cast, frozen: Any, who: str) -> None:
    """Whatever page or command asks for it."""
    make_scene(cast)
    every = acts(Connection.objects.get(), Stream.objects.get())
    assert list(every) == ACTS
    before, written = list(Connection.objects.values()), AuditEntry.objects.count()
    done = []
    for name, act in every.items():
        with transaction.atomic():
            try:
                act(cast.actor(who))
            except PermissionDenied:
                continue
            except (ValidationError, AttributeError, Fault) as error:
                done.append(f"{name}: {error!r}")
            else:
                done.append(name)
    assert done == []
    assert (list(Connection.objects.values()), AuditEntry.objects.count()) == (before, written)


def test_a_connection_is_made_by_somebody(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        connecting.create(
            actor=system_actor(), vendor="close", name="", options={}, given={"api_key": NOT_REAL}, at=NOW
        )
    assert not Connection.objects.exists()


# --- What may be typed


@pytest.mark.parametrize(
    ("vendor", "options", "given", "wrong"),
    [
        ("close", {}, {}, "api_key"),  # neither a key nor an app
        ("salesforce", {}, {}, "client_id"),
        ("salesforce", {"client_id": "a", "login_host": "elsewhere.example"}, {}, "login_host"),
        ("chargebee", {"site": "acme.elsewhere.example/"}, {"api_key": NOT_REAL}, "site"),
        ("chargebee", {"site": "acme@elsewhere"}, {"api_key": NOT_REAL}, "site"),
        ("quickbooks", {"client_id": "a", "host": "elsewhere.example"}, {}, "host"),
        ("microsoft", {"client_id": "a", "domains": "acme.example", "tenant": "a/../b"}, {}, "tenant"),
        ("stripe", {}, {"api_key": "sk_live_1\n"}, "api_key"),
        ("close", {"address": "https://elsewhere.example"}, {"api_key": NOT_REAL}, "address"),
        ("close", {"address": "http://user@elsewhere.example"}, {"api_key": NOT_REAL}, "address"),
    ],
)
def test_what_would_lead_elsewhere_or_says_nothing_is_not_kept(
    cast: Cast, vendor: str, options: dict[str, str], given: dict[str, str], wrong: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        connecting.create(actor=cast.actor("rita"), vendor=vendor, name="", options=options, given=given, at=NOW)
    assert set(refused.value.message_dict) == {wrong}
    assert not Connection.objects.exists()
    assert not Credential.objects.exists()


def test_an_address_that_only_a_sign_in_tells_is_not_typed(cast: Cast) -> None:
    elsewhere = {"instance_url": "https://elsewhere.example", "api_domain": "https://elsewhere.example"}
    connection = made(cast, "salesforce", **elsewhere)
    assert connection.options == {"login_host": "login.salesforce.com", "client_id": "app", "address": ""}
    Connection.objects.filter(pk=connection.pk).update(
        options=connection.options | {"instance_url": "https://acme.my.salesforce.com"}
    )
    changed = connecting.change(
        actor=cast.actor("rita"), connection=connection, options=elsewhere | {"client_id": "other"}, given={}, at=NOW
    )
    assert changed.options == {
        "login_host": "login.salesforce.com", "client_id": "other", "address": "",
        "instance_url": "https://acme.my.salesforce.com",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("vendor", "options", "base"),
    [
        ("salesforce", {}, "https://login.salesforce.com/"),
        ("salesforce", {"instance_url": "https://acme.my.salesforce.com"}, "https://acme.my.salesforce.com/"),
        (
            "salesforce",
            {"instance_url": "https://acme.my.salesforce.com", "address": "https://proxy.acme.example:8443/"},
            "https://proxy.acme.example:8443/",
        ),
        ("pipedrive", {"api_domain": "https://acme.pipedrive.com"}, "https://acme.pipedrive.com/"),
        ("chargebee", {"site": "acme"}, "https://acme.chargebee.com/api/v2/"),
        ("quickbooks", {"realm_id": "42"}, "https://quickbooks.api.intuit.com/v3/company/42/"),
    ],
)
def test_where_a_vendor_is_asked(vendor: str, options: dict[str, str], base: str) -> None:
    assert vendor_of(vendor).base(options) == base


@pytest.mark.parametrize("vendor", ["salesforce", "pipedrive"])
def test_a_token_goes_only_to_the_address_that_the_sign_in_told(cast: Cast, vendor: str) -> None:
    """A page that names its next at another company's address, or at the vendor's own site, is not gone on with."""
    own = "https://acme.vendor.example"
    connection = made(cast, vendor)
    connection.options |= {"instance_url": own, "api_domain": own}
    connection.save()
    credentials.keep(connection, credentials.ACCESS, "not-a-real-token", at=NOW, expires_at=NOW + timedelta(hours=1))
    asked: list[Request] = []
    caller = Caller(connection, clock=lambda: NOW)

    def send(request: Request) -> Reply:
        asked.append(request)
        following = {"done": False, "records": [], "nextRecordsUrl": "https://other.vendor.example/next"}
        return Reply(200, {}, json.dumps(following).encode(), request.url)

    caller._client.send = send  # type: ignore[method-assign]  # in place of the wire
    for address in ("https://other.vendor.example/x", "https://login.salesforce.com/x", "http://acme.vendor.example/x"):
        with pytest.raises(Fault) as told:
            caller.get(address)
        assert told.value.problem.code == "vendor-elsewhere"
    assert asked == []
    caller.get(f"{own}/x")
    assert [(request.url, request.headers["Authorization"]) for request in asked] == [
        (f"{own}/x", "Bearer not-a-real-token")
    ]
    if vendor == "salesforce":
        with pytest.raises(Fault) as told:
            caller.vendor.identify(caller)
        assert told.value.problem.code == "vendor-elsewhere"
        assert [request.url.partition("?")[0].startswith(own) for request in asked] == [True, True]


# --- Whose records


class Says:
    """A way to a vendor that tells whose account it is."""

    def __init__(self, identity: Identity) -> None:
        self.vendor = self
        self.identity = identity

    def identify(self, _http: object) -> Identity:
        return self.identity


def told_of(cast: Cast, connection: Connection, account: str) -> None:
    """Look whose account it is."""
    http: Any = Says(Identity(account, f"Account {account}", {"currency": "CHF"}))
    connecting.identify(actor=cast.actor("rita"), connection=connection, at=NOW, http=http)


def test_records_of_two_accounts_never_meet(cast: Cast, frozen: Any) -> None:
    make_scene(cast)
    connection = Connection.objects.get()
    known = connection.account_id
    with pytest.raises(ValidationError, match="the records that are here came from Standin Org"):
        told_of(cast, connection, "00DOTHER")
    row = Connection.objects.get()
    assert (row.state, row.account_id) == (ConnectionState.PAUSED, known)
    assert "currency" not in row.options
    told_of(cast, row, known)
    assert Connection.objects.get().options["currency"] == "CHF"
    # A key or the address of a database was chosen by a person, not by whoever was signed in: a database may move.
    Connection.objects.update(vendor="sql")
    told_of(cast, row, "db.example.com/crm")
    Connection.objects.update(vendor="salesforce", account_id=known)
    # While nothing came, another account is just another account.
    RawRecord.objects.all().delete()
    told_of(cast, row, "00DOTHER")
    assert Connection.objects.get().account_id == "00DOTHER"
