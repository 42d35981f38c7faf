"""Webhooks from the door to the records: proven, stored before they are answered, brought in once, in any order."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any, Final

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError
from django.db import connection as database
from django.db.models import F
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from salesops.config.logs import logging_settings
from salesops.connectors import vendors
from salesops.connectors.choices import ConnectionState, EventState, RawState, RunKind
from salesops.connectors.models import Connection, RawRecord, Stream, SyncRun, WebhookEvent
from salesops.connectors.rules import proofs, pushes
from salesops.connectors.services import connecting, credentials, hooks
from salesops.connectors.vendors import salesforce as salesforce_vendor
from salesops.connectors.vendors.base import Raw, version_of
from salesops.core.vault import VaultError
from salesops.deals.models import Deal
from salesops.jobs.models import Job
from salesops.jobs.testing import run_killed_everywhere
from tests.cast import NOW, Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import Event
from tests.connectors.standins.salesforce import Salesforce

pytestmark = pytest.mark.django_db

SECRET: Final = "obviously-not-a-secret"
OLD: Final = "obviously-not-a-secret-either"
CANARY: Final = "canary-in-a-body"


@pytest.fixture
def org(db: None) -> Iterator[Salesforce]:
    """An org with one account and one owner."""
    cache.clear()
    with Salesforce() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("User", 2, Name="Ana Alvarez", Email="ana@example.com", IsActive=True)
        standin.put("Account", 1, Name="Acme")
        yield standin


@pytest.fixture
def link(org: Salesforce, cast: Cast) -> Link:
    """A connection in step with it, which knows the secret of its webhooks."""
    made = Link(cast.actor("rita"), org).connect("salesforce", secrets={"webhook_secret": SECRET})
    made.want("Account", "Opportunity").start()
    made.run()
    return made


class Door:
    """What stands outside and knocks, at the moment that the portal's clock shows."""

    def __init__(self, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
        self.link, self.client = link, Client(enforce_csrf_checks=True)
        self.at: datetime | None = None
        monkeypatch.setattr(timezone, "now", lambda: self.at or link.at)

    def knock(
        self, body: bytes, headers: Mapping[str, str], *, token: str = "", vendor: str = "", query: str = ""
    ) -> HttpResponse:
        """Send bytes to the connection's address."""
        connection = self.link.connection
        address = f"/hooks/{vendor or connection.vendor}/{token or connection.hook_token}/{query}"
        return self.client.generic("POST", address, body, "application/json", headers=headers)

    def tell(
        self, *events: Mapping[str, Any], identifier: str = "msg-1", secret: str = SECRET, at: datetime | None = None
    ) -> HttpResponse:
        """Send events in our own form, signed."""
        body = json.dumps(list(events)).encode()
        headers = proofs.sign(secret, identifier=identifier, at=at or self.link.at, body=body)
        return self.knock(body, headers)


@pytest.fixture
def door(link: Link, monkeypatch: pytest.MonkeyPatch) -> Door:
    """The door of the connection."""
    return Door(link, monkeypatch)


def about(event: Event) -> dict[str, Any]:
    """What is told of something that happened in the org."""
    data = {"Id": event.id} | ({"merged_into": event.merged_into} if event.merged_into else {})
    return {"type": f"{event.object}.{event.kind}", "timestamp": event.at.isoformat(), "data": data}


def changed(*ids: str, kind: str = "updated", object: str = "Opportunity") -> list[dict[str, Any]]:
    """What is told of changed records."""
    return [{"type": f"{object}.{kind}", "timestamp": NOW.isoformat(), "data": {"Id": each}} for each in ids]


def deal(org: Salesforce, id: int | str | None = None, *, amount: int = 100, **fields: Any) -> str:
    """A deal of the org."""
    fields |= {"Name": fields.get("Name", "Deal"), "Amount": Decimal(amount)}
    made = {
        "AccountId": org.identity("Account", 1),
        "OwnerId": org.identity("User", 2),
        "StageName": "Prospecting",
        "CloseDate": date(2026, 7, 1),
    }
    return org.put("Opportunity", id, **((made | fields) if not isinstance(id, str) else fields))


def source(org: Salesforce) -> dict[str, tuple[str, int]]:
    """The deals of the org."""
    return {row.id: (row["Name"], int(Decimal(str(row["Amount"])) * 100)) for row in org.rows("Opportunity")}


def portal(link: Link) -> dict[str, tuple[str, int]]:
    """The deals of the portal that came from it."""
    found = Deal.objects.filter(source=link.connection.source.code, removed_at__isnull=True)
    return {
        external: (name, amount) for external, name, amount in found.values_list("external_id", "name", "amount_minor")
    }


def states() -> list[str]:
    """How the events stand, oldest first."""
    return list(WebhookEvent.objects.order_by("pk").values_list("state", flat=True))


def pushed_in(link: Link, *, after: float = 5) -> None:
    """Let the inbox's jobs run, and nothing else."""
    link.at += timedelta(seconds=after)
    link.run()


def is_untouched() -> bool:
    """Whether nothing was stored, and nothing is to be done."""
    return not WebhookEvent.objects.exists() and not Job.objects.filter(kind=hooks.INBOX).exists()


# --- At the door ------------------------------------------------------------------------------------------------------


def test_a_delivery_is_stored_with_its_job(door: Door, link: Link) -> None:
    """The answer is empty and sets no cookie; the event waits with one job."""
    answer = door.tell(*changed("006A"))
    assert (answer.status_code, answer.content, len(answer.cookies)) == (200, b"", 0)
    (event,) = WebhookEvent.objects.all()
    assert (event.key, event.object, event.external_id, event.state) == ("msg-1|0", "Opportunity", "006A", "new")
    assert (event.occurred_at, event.received_at, event.connection) == (NOW, link.at, link.connection)
    (job,) = Job.objects.filter(kind=hooks.INBOX)
    assert job.payload == {"connection_id": link.connection.pk}


def test_the_same_delivery_counts_once(door: Door, link: Link) -> None:
    """Repeated within the window it is answered as the first was; after the window its proof is too old."""
    assert door.tell(*changed("006A", "006B")).status_code == 200
    assert door.tell(*changed("006A", "006B")).status_code == 200
    assert [event.key for event in WebhookEvent.objects.order_by("pk")] == ["msg-1|0", "msg-1|1"]
    sent_at = link.at
    link.at += timedelta(minutes=6)
    assert door.tell(*changed("006A"), identifier="msg-2", at=sent_at).status_code == 401
    assert WebhookEvent.objects.count() == 2


def test_deliveries_without_an_identity_count_each(door: Door) -> None:
    """A Flow sends the same bytes for two changes: neither may be lost."""
    body = json.dumps(changed("006A")[0]).encode()
    for _time in range(2):
        assert door.knock(body, {"X-Hook-Secret": SECRET}).status_code == 200
    assert states() == ["new", "new"]


def test_whatever_is_refused_leaves_nothing(door: Door, link: Link) -> None:
    """No row, no job, an empty answer, the status that the vendor expects."""
    body = json.dumps(changed("006A")).encode()
    good = proofs.sign(SECRET, identifier="m", at=link.at, body=body)
    again = json.dumps(json.loads(body), indent=1).encode()
    far = [proofs.sign(SECRET, identifier="m", at=link.at + timedelta(minutes=each), body=body) for each in (-6, 6)]
    attempts: list[tuple[int, bytes, Mapping[str, str], dict[str, str]]] = [
        (401, body + b" ", good, {}),
        (401, again, good, {}),
        (401, body, {**good, "webhook-id": "other"}, {}),
        (401, body, {name: value for name, value in good.items() if name != "webhook-signature"}, {}),
        (401, body, proofs.sign(OLD, identifier="m", at=link.at, body=body), {}),
        (401, body, far[0], {}),
        (401, body, far[1], {}),
        (401, body, {"X-Hook-Secret": "wrong"}, {}),
        (404, body, good, {"token": "no-such-token"}),
        (404, body, good, {"vendor": "hubspot"}),
        (413, b"x" * (1024 * 1024 + 1), {"X-Hook-Secret": SECRET}, {}),
        (400, b"no json", {"X-Hook-Secret": SECRET}, {}),
    ]
    for status, sent, headers, where in attempts:
        answer = door.knock(sent, headers, **where)
        assert (answer.status_code, answer.content) == (status, b"")
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"):
        answer = Client().generic(method, f"/hooks/salesforce/{link.connection.hook_token}/", body, headers=good)
        assert (answer.status_code, answer.content) == (405, b"")
    assert is_untouched()
    assert door.knock(body, good).status_code == 200


def test_no_more_is_read_of_a_delivery_than_is_taken(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends without an end fills no memory; of an unknown address nothing is read at all."""
    asked: list[tuple[int, ...]] = []
    read = WSGIRequest.read

    def noted(self: WSGIRequest, *size: int) -> bytes:
        asked.append(size)
        return read(self, *size)

    monkeypatch.setattr(WSGIRequest, "read", noted)
    assert door.knock(b"x" * (2 * 1024 * 1024), {"X-Hook-Secret": SECRET}).status_code == 413
    assert door.knock(b"x" * (2 * 1024 * 1024), {"X-Hook-Secret": SECRET}, token="nobody").status_code == 404
    assert asked == [(1024 * 1024 + 1,)]


def test_nobody_knocks_at_a_connection_that_has_ended(door: Door, link: Link) -> None:
    """Neither at its old address nor at a new one."""
    address = link.connection.hook_token
    connecting.disconnect(actor=link.actor, connection=link.connection, at=link.at)
    body = json.dumps(changed("006A")).encode()
    assert door.knock(body, {"X-Hook-Secret": SECRET}, token=address).status_code == 404
    ended = Connection.objects.get(pk=link.connection.pk)
    assert door.knock(body, {"X-Hook-Secret": SECRET}, token=ended.hook_token).status_code == 404
    assert is_untouched()


def test_two_secrets_count_while_one_is_replaced(door: Door, link: Link) -> None:
    """The one before stays good for a day (test_changing_secrets.py), or until it is replaced in its turn."""
    for secret, expected in (("fake-second", [401, 200, 200]), ("fake-third", [401, 401, 200])):
        before = expected[1]
        connecting.change(
            actor=link.actor, connection=link.connection, options={}, given={"webhook_secret": secret}, at=link.at
        )
        assert door.tell(*changed("1"), secret="fake-unknown").status_code == 401
        assert door.tell(*changed("1"), secret=SECRET).status_code == before
        assert door.tell(*changed("1"), secret=secret).status_code == 200
    assert door.tell(*changed("1"), secret="fake-second").status_code == 200


@pytest.mark.parametrize("statement", ["SELECT", "INSERT"])
def test_without_the_database_nobody_is_told_that_it_is_stored(door: Door, statement: str) -> None:
    """503, so that the vendor comes again; then it is stored."""

    def down(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(statement) and "connectors_" in sql:
            raise OperationalError("the disk is full")
        return execute(sql, params, many, context)

    with database.execute_wrapper(down):
        answer = door.tell(*changed("006A"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert is_untouched()
    assert door.tell(*changed("006A")).status_code == 200


def test_event_and_job_are_stored_together(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the job cannot be written, the event is not there either, and the vendor comes again."""
    monkeypatch.setattr(hooks, "enqueue", lambda *_given, **_named: (_ for _ in ()).throw(OperationalError("full")))
    assert door.tell(*changed("006A")).status_code == 503
    assert is_untouched()


def test_secrets_that_cannot_be_opened(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can be let in or turned away: come again."""

    def closed(*_given: Any, **_more: Any) -> list[str]:
        raise VaultError("the key is gone")

    monkeypatch.setattr(credentials, "valid_ones", closed)
    assert door.tell(*changed("006A")).status_code == 503
    assert is_untouched()


def test_whoever_guesses_is_slowed_down(door: Door, link: Link) -> None:
    """After sixty refusals in a minute the answer says nothing any more; good deliveries are taken all the time."""
    told = [door.knock(b"{}", {"X-Hook-Secret": f"guess-{number}"}).status_code for number in range(62)]
    assert told == [401] * 60 + [429] * 2
    assert door.tell(*changed("006A")).status_code == 200
    guesses = [door.knock(b"{}", {}, token=f"guess-{number}").status_code for number in range(62)]
    assert guesses == [404] * 60 + [429] * 2
    # Somebody else at another address is answered as before.
    address = f"/hooks/salesforce/{link.connection.hook_token}/"
    answer = door.client.generic("POST", address, b"{}", "application/json", REMOTE_ADDR="198.51.100.7")
    assert answer.status_code == 401


def test_logs_hold_neither_body_nor_secret_nor_address(door: Door, link: Link) -> None:
    """What was refused and why is said; what was sent is not."""
    formatter = dict(logging_settings(level="DEBUG", form="json")["formatters"]["line"])
    stream, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.DEBUG)
    logging.getLogger("django.db.backends").setLevel(logging.INFO)
    try:
        door.tell(*changed(CANARY))
        door.knock(CANARY.encode(), {"X-Hook-Secret": f"wrong-{CANARY}"})
        door.knock(CANARY.encode(), {"X-Hook-Secret": SECRET}, query=f"?asked={CANARY}")
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    said = stream.getvalue()
    assert said.count("webhook_refused") == 2
    assert "POST /hooks/salesforce/…" in said
    for secret in (CANARY, SECRET, link.connection.hook_token):
        assert secret not in said


# --- Vendors of other ways --------------------------------------------------------------------------------------------


def speaks(monkeypatch: pytest.MonkeyPatch, scheme: str, **more: Any) -> Any:
    """The org's vendor, with webhooks of another scheme."""
    kind = type(salesforce_vendor.VENDOR)
    made = type("Other", (kind,), {"hook_scheme": scheme, **more})()
    monkeypatch.setattr(salesforce_vendor, "VENDOR", made)
    assert vendors.vendor_of("salesforce") is made
    return made


def test_xero_hears_exactly_what_it_wants(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intent to receive: 200 for a good signature, 401 for a wrong one, both empty and without cookies."""
    speaks(monkeypatch, "xero")
    body = b'{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    good = proofs._base64(proofs._hmac(SECRET.encode(), body))
    for signature, status in ((good, 200), (good[:-2] + "A=", 401)):
        answer = door.knock(body, {"x-xero-signature": signature})
        assert (answer.status_code, answer.content, len(answer.cookies)) == (status, b"", 0)
    assert is_untouched()


def test_questions_are_answered_and_not_kept(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zoom, RingCentral and Microsoft ask whether the address is ours before they send anything."""
    speaks(monkeypatch, "zoom")
    answer = door.knock(b'{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}', {})
    assert answer.json() == {"plainToken": "abc", "encryptedToken": proofs._hmac(SECRET.encode(), b"abc").hex()}
    speaks(monkeypatch, "ringcentral")
    answer = door.knock(b"", {"Validation-Token": "fake-token"})
    assert (answer.status_code, answer.content, answer.headers["Validation-Token"]) == (200, b"", "fake-token")
    speaks(monkeypatch, "microsoft")
    answer = door.knock(b"", {}, query="?validationToken=a%3Cb%3E")
    assert (answer.content, answer.headers["Content-Type"]) == (b"a<b>", "text/plain; charset=utf-8")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert is_untouched()


def hubspot(*portals: int) -> tuple[bytes, dict[str, str]]:
    """A delivery of one event for each of these portals, to the app's one address."""
    events = [
        {
            "eventId": number,
            "portalId": portal,
            "occurredAt": 1781690400000,
            "subscriptionType": "opportunity.propertyChange",
            "objectId": number,
        }
        for number, portal in enumerate(portals, 1)
    ]
    body = json.dumps(events).encode()
    return body, {"X-HubSpot-Signature": proofs.hashlib.sha256(SECRET.encode() + body).hexdigest()}


def test_events_of_another_account_go_to_its_connection(
    door: Door, link: Link, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One address for all customers of an app: each event to its account, of strangers nothing."""
    mine = link.connection
    other = connecting.create(
        actor=link.actor, vendor="salesforce", name="Other", options=mine.options, given={}, at=link.at
    )
    Connection.objects.filter(pk=mine.pk).update(account_id="1")
    Connection.objects.filter(pk=other.pk).update(account_id="2", state=ConnectionState.RUNNING)
    speaks(monkeypatch, "hubspot")

    def kept() -> dict[int, list[str]]:
        return {
            connection.pk: [event.external_id for event in connection.webhook_events.order_by("pk")]
            for connection in (mine, other)
        }

    assert door.knock(*hubspot(1, 2, 3)).status_code == 200
    assert kept() == {mine.pk: ["1"], other.pk: []}, "the other connection does not know this secret"
    credentials.keep(other, "webhook_secret", SECRET, at=link.at)
    assert door.knock(*hubspot(1, 2, 3)).status_code == 200
    assert kept() == {mine.pk: ["1"], other.pk: ["2"]}
    assert Job.objects.filter(kind=hooks.INBOX, payload__connection_id=other.pk).count() == 1


def test_before_it_is_started_and_of_other_vendors_nothing_is_kept(
    door: Door, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at its own address nor at that of a connection of the same app; numbers of accounts are a vendor's own."""
    mine = link.connection
    other, stranger = (
        connecting.create(
            actor=link.actor, vendor=vendor, name="Other", options=mine.options, given={"client_secret": SECRET}, at=NOW
        )
        for vendor in ("salesforce", "hubspot")
    )
    credentials.keep(other, "webhook_secret", SECRET, at=link.at)
    Connection.objects.filter(pk=mine.pk).update(account_id="1")
    Connection.objects.filter(pk=other.pk).update(account_id="2")
    Connection.objects.filter(pk=stranger.pk).update(account_id="2", state=ConnectionState.RUNNING)
    speaks(monkeypatch, "hubspot")
    for state in (ConnectionState.DRAFT, ConnectionState.DISCONNECTED):
        Connection.objects.filter(pk=other.pk).update(state=state)
        assert door.knock(*hubspot(2)).status_code == 200
        assert is_untouched()
    Connection.objects.filter(pk=mine.pk).update(state=ConnectionState.DRAFT)
    assert door.knock(*hubspot(1)).status_code == 200
    assert is_untouched()
    Connection.objects.filter(pk__in=(mine.pk, other.pk)).update(state=ConnectionState.BROKEN)
    assert door.knock(*hubspot(1, 2)).status_code == 200
    assert list(WebhookEvent.objects.order_by("external_id").values_list("external_id", "connection_id")) == [
        ("1", mine.pk),
        ("2", other.pk),
    ]


# --- In the background ------------------------------------------------------------------------------------------------


def test_what_is_told_is_brought_in_as_it_is_now(door: Door, link: Link, org: Salesforce) -> None:
    """Created, edited, deleted: a few seconds later the portal has it, with a run that says what came."""
    one, two = deal(org, Name="One"), deal(org, Name="Two")
    door.tell(*changed(one, two, kind="created"))
    deal(org, one, amount=250, Name="One, larger")
    pushed_in(link)
    assert portal(link) == source(org) == {one: ("One, larger", 25_000), two: ("Two", 10_000)}
    org.delete("Opportunity", two)
    door.tell(*changed(two, kind="deleted"), identifier="msg-2")
    pushed_in(link)
    assert portal(link) == source(org) == {one: ("One, larger", 25_000)}
    org.restore("Opportunity", two)
    door.tell(*changed(two), identifier="msg-3")
    pushed_in(link)
    assert portal(link) == source(org)
    assert states() == ["handled"] * 4
    runs = SyncRun.objects.filter(kind=RunKind.INBOX).order_by("pk")
    assert [run.counts["Opportunity"] for run in runs] == [{"created": 2}, {"removed": 1}, {"changed": 1}]


def test_each_record_is_asked_for_once(door: Door, link: Link, org: Salesforce) -> None:
    """Ten events about two deals are one question."""
    one, two = deal(org), deal(org)
    for number in range(5):
        door.tell(*changed(one, two), identifier=f"msg-{number}")
    asked = len(org.requests)
    pushed_in(link)
    assert len(org.requests) == asked + 1
    assert states() == ["handled"] * 10
    assert Job.objects.filter(kind=hooks.INBOX).count() == 1


def test_merged_records(door: Door, link: Link, org: Salesforce) -> None:
    """The one that is gone points to the one that stays, whatever a question about it would answer."""
    loser = org.put("Account", 7, Name="Acme Ltd")
    door.tell(*changed(loser, object="Account", kind="created"))
    pushed_in(link)
    winner = org.identity("Account", 1)
    told = {"type": "Account.merged", "timestamp": org.clock.tick().isoformat()}
    door.tell({**told, "data": {"Id": loser, "merged_into": winner}}, identifier="msg-2")
    pushed_in(link)
    row = RawRecord.objects.get(external_id=loser)
    assert (row.state, row.merged_into) == (RawState.DELETED, winner)


def busy(org: Salesforce, count: int, seed: int) -> None:
    """So many things happen to about sixty deals."""
    chance = random.Random(seed)
    alive: list[str] = []
    gone: list[str] = []
    start = len(org.log)
    while len(org.log) - start < count:
        what = chance.random()
        if len(alive) < 40 or (what < 0.05 and len(alive) < 60):
            alive.append(deal(org, Name=f"Deal {len(alive) + len(gone)}"))
        elif what < 0.1 and gone:
            alive.append(gone.pop(chance.randrange(len(gone))))
            org.restore("Opportunity", alive[-1])
        elif what < 0.15:
            gone.append(alive.pop(chance.randrange(len(alive))))
            org.delete("Opportunity", gone[-1])
        else:
            deal(org, chance.choice(alive), amount=chance.randrange(1, 10_000), Name=f"Deal {chance.random():.4f}")


def deliver(door: Door, events: Sequence[Event], *, seed: int, dropped: float = 0.0) -> int:
    """Send events in any order, twenty at a time, each delivery twice; some never arrive. Gives how many did."""
    order = random.Random(seed)
    kept = [event for event in events if order.random() >= dropped]
    order.shuffle(kept)
    sent = [start for start in range(0, len(kept), 20) for _time in range(2)]
    order.shuffle(sent)
    for start in sent:
        told = [about(event) for event in kept[start : start + 20]]
        assert door.tell(*told, identifier=f"delivery-{start}").status_code == 200
    return len(kept)


def test_a_thousand_events_in_any_order_and_twice(door: Door, link: Link, org: Salesforce) -> None:
    """The portal has what the org has, by webhooks alone."""
    before = len(org.log)
    busy(org, 1_000, seed=1)
    assert deliver(door, org.log[before:], seed=2) == 1_000
    pushed_in(link)
    assert portal(link) == source(org)
    assert states() == ["handled"] * 1_000
    assert link.problems() == {}


def test_what_never_arrived_comes_with_the_next_sync(door: Door, link: Link, org: Salesforce) -> None:
    """A third of the events is lost on the way; the sweep makes it good."""
    before = len(org.log)
    busy(org, 300, seed=3)
    arrived = deliver(door, org.log[before:], seed=4, dropped=0.33)
    assert 150 < arrived < 250
    pushed_in(link)
    link.sync()
    assert portal(link) == source(org)


class Whole:
    """The org's vendor with webhooks that carry the record, and no way to ask for one."""

    @staticmethod
    def make(monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the connection's vendor be such a one."""

        def pushed(self: Any, object: str, told: pushes.Pushed) -> Raw:
            return Raw(told.external_id, version_of(told.occurred_at), told.record or {})

        def fetch(self: Any, *_given: Any, **_named: Any) -> list[Raw]:
            raise NotImplementedError

        speaks(monkeypatch, "salesforce", pushed=pushed, fetch=fetch)


def whole(event: Event) -> dict[str, Any]:
    """What is told with the record in it."""
    told = about(event)
    if event.kind != "deleted":
        plain = {name: str(value) if value is not None else None for name, value in event.fields.items()}
        told["data"] |= plain | {"Amount": float(event.fields["Amount"]), "SystemModstamp": event.at.isoformat()}
    return told


def test_records_that_come_whole_in_any_order(
    door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked, so the versions decide: also where a deletion arrives before the record ever did."""
    Whole.make(monkeypatch)
    before = len(org.log)
    busy(org, 300, seed=5)
    events = list(org.log[before:])
    order = random.Random(6)
    order.shuffle(events)
    asked = len(org.requests)
    for event in events:
        assert door.tell(whole(event), identifier=f"event-{event.number}").status_code == 200
        if order.random() < 0.05:
            pushed_in(link)
    pushed_in(link)
    assert portal(link) == source(org)
    assert len(org.requests) == asked
    assert set(states()) == {"handled"}


def test_a_deletion_that_arrives_first_stays(
    door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told later but happened earlier does not bring a record to life."""
    Whole.make(monkeypatch)
    before = len(org.log)
    one = deal(org)
    org.delete("Opportunity", one)
    created, deleted = org.log[before:]
    door.tell(whole(deleted), identifier="second")
    pushed_in(link)
    door.tell(whole(created), identifier="first")
    pushed_in(link)
    assert portal(link) == {}
    assert link.states("Opportunity") == {one: RawState.DELETED}


def test_a_killed_inbox_loses_nothing(door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before and after each of its commits: every record once, every event handled."""
    monkeypatch.setattr(hooks, "BATCH", 7)
    before = len(org.log)
    busy(org, 60, seed=7)
    deliver(door, org.log[before:], seed=8)
    link.at += timedelta(seconds=5)
    (job,) = Job.objects.filter(kind=hooks.INBOX)
    with link.engine():
        kills = run_killed_everywhere(job, at=link.at)
    assert kills >= 2 * (60 // 7)
    assert portal(link) == source(org)
    assert states() == ["handled"] * 60
    ids = list(Deal.objects.filter(source=link.connection.source.code).values_list("external_id", flat=True))
    assert len(ids) == len(set(ids))


def test_what_cannot_be_asked_now_waits(door: Door, link: Link, org: Salesforce) -> None:
    """While the vendor is down or asks to wait, events stay new; the clock rings for them, and at last gives up."""
    one = deal(org)
    for number, kind in enumerate(("500", "429")):
        org.faults.add(kind, when="/services/data", times=None, **({"retry_after": 3_600} if kind == "429" else {}))
        door.tell(*changed(one), identifier=f"msg-{number}")
        pushed_in(link)
        assert set(states()) == {"new"}
        org.faults.clear()
        link.sleep(7_200)
    assert hooks.enqueue_waiting(at=link.at) == 1
    pushed_in(link)
    assert states() == ["handled", "handled"]
    assert portal(link) == source(org)


def test_after_hours_an_event_is_left_to_the_sweep(door: Door, link: Link, org: Salesforce) -> None:
    """With the reason; the next sync brings what it was about."""
    one = deal(org)
    org.faults.add("500", when="/services/data", times=None)
    door.tell(*changed(one))
    pushed_in(link, after=6 * 3600)
    assert states() == ["failed"]
    (event,) = WebhookEvent.objects.all()
    assert event.error["code"] == "vendor-passing"
    org.faults.clear()
    link.sync()
    assert portal(link) == source(org)


def test_one_odd_id_keeps_nobody_out(door: Door, link: Link, org: Salesforce) -> None:
    """What the vendor does not show is said; the others come."""
    ids = [deal(org) for _time in range(5)]
    odd = "006000000000AAAAAA"
    door.tell(*changed(*ids[:3], odd, *ids[3:]))
    pushed_in(link)
    assert portal(link) == source(org)
    failed = WebhookEvent.objects.get(external_id=odd)
    assert (failed.state, failed.error["code"]) == (EventState.FAILED, "record-not-shown")
    assert states().count("handled") == 5


def test_while_it_is_paused_events_wait(door: Door, link: Link, org: Salesforce) -> None:
    """They are stored and answered; when it is in step again, the clock rings for them."""
    one = deal(org)
    Connection.objects.filter(pk=link.connection.pk).update(state=ConnectionState.PAUSED)
    assert door.tell(*changed(one)).status_code == 200
    pushed_in(link, after=60)
    assert (states(), portal(link)) == (["new"], {})
    assert hooks.enqueue_waiting(at=link.at) == 0
    Connection.objects.filter(pk=link.connection.pk).update(state=ConnectionState.RUNNING)
    assert hooks.enqueue_waiting(at=link.at) == 1
    pushed_in(link)
    assert (states(), portal(link)) == (["handled"], source(org))


def test_one_job_brings_in_what_comes_while_it_waits_and_while_it_runs(
    door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: never two at once for one connection."""
    one, other = deal(org), deal(org)
    for number in range(3):
        door.tell(*changed(one), identifier=f"msg-{number}")
        link.at += timedelta(minutes=1)

    def tell() -> None:
        link.at += timedelta(minutes=1)
        door.tell(*changed(other), identifier="while it runs")

    while_asked(monkeypatch, tell)
    pushed_in(link)
    assert (states(), portal(link)) == (["handled"] * 4, source(org))
    assert Job.objects.filter(kind=hooks.INBOX).count() == 1


def while_asked(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once, while the vendor is asked for records."""
    fetch = type(salesforce_vendor.VENDOR).fetch

    def and_then(self: Any, object: Any, external_ids: Any, http: Any, *rest: Any) -> Any:
        monkeypatch.setattr(type(salesforce_vendor.VENDOR), "fetch", fetch)
        with http._aside():  # as another process would
            act()
        return fetch(self, object, external_ids, http, *rest)

    monkeypatch.setattr(type(salesforce_vendor.VENDOR), "fetch", and_then)


@pytest.mark.parametrize("what", ["pause", "disconnect", "other mapping", "not wanted"])
def test_what_was_asked_is_not_brought_in_once_it_is_not_wanted(
    door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The events stay, and are asked for as it is wanted then."""
    deal_id = deal(org)

    def act() -> None:
        if what in ("pause", "disconnect"):
            getattr(connecting, what)(actor=link.actor, connection=link.connection, at=link.at)
        elif what == "not wanted":
            link.want("Account")
        else:
            Stream.objects.filter(object="Opportunity").update(revision=F("revision") + 1)

    while_asked(monkeypatch, act)
    door.tell(*changed(deal_id))
    pushed_in(link)
    assert (states(), portal(link)) == (["new"], {})
    link.at += timedelta(minutes=1)
    hooks.enqueue_waiting(at=link.at)
    pushed_in(link)
    after = {"other mapping": "handled", "not wanted": "ignored"}.get(what, "new")
    assert (states(), bool(portal(link))) == ([after], what == "other mapping")


def test_objects_that_nobody_wants_are_of_no_concern(door: Door, link: Link, org: Salesforce) -> None:
    """An object that is not kept in step, and a word that the vendor does not use."""
    door.tell(*changed("00QA", object="Lead"), *changed("x", object="Weather"))
    pushed_in(link)
    assert states() == ["ignored", "ignored"]
    assert [event.object for event in WebhookEvent.objects.order_by("pk")] == ["Lead", ""]


def test_webhooks_do_not_slip_under_the_brake(door: Door, link: Link, org: Salesforce) -> None:
    """What a closed deal pays is held until the next sync, which counts all that was held."""
    Connection.objects.filter(pk=link.connection.pk).update(brake_deals=1)
    ids = [deal(org, StageName="Closed Won") for _time in range(3)]
    link.sync()
    assert set(portal(link)) == set(ids)
    before = portal(link)
    for number, each in enumerate(ids):
        deal(org, each, amount=9_999)
        door.tell(*changed(each), identifier=f"msg-{number}")
        pushed_in(link)
    assert portal(link) == before
    assert list(link.states("Opportunity").values()) == [RawState.HELD] * 3
    link.sync()
    assert portal(link) == before
    assert link.stream("Opportunity").holds.get().deals == 3


def test_a_collection_that_changed_is_swept_at_once(
    door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some vendors only say that something changed: the next sync does not wait for its time."""
    speaks(monkeypatch, "google", hook_words={"calendar": "Opportunity"})
    later = link.at + timedelta(hours=1)
    Connection.objects.filter(pk=link.connection.pk).update(next_sync_at=later)
    headers = {"X-Goog-Channel-Token": SECRET, "X-Goog-Channel-ID": "c", "X-Goog-Message-Number": "2"}
    assert door.knock(b"", {**headers, "X-Goog-Resource-State": "exists"}).status_code == 200
    pushed_in(link)
    assert states() == ["handled"]
    assert link.connection.next_sync_at == link.at


def test_an_event_ends_once(door: Door, link: Link) -> None:
    """What another worker has ended meanwhile keeps its end."""
    door.tell(*changed("006A"))
    event = WebhookEvent.objects.get()
    WebhookEvent.objects.update(state=EventState.FAILED, handled_at=NOW, error={"code": "x"})
    hooks._end([event], EventState.HANDLED, at=link.at + timedelta(hours=1))
    ended = WebhookEvent.objects.get()
    assert (ended.state, ended.handled_at, ended.error) == (EventState.FAILED, NOW, {"code": "x"})


def test_old_events_are_forgotten(door: Door, link: Link) -> None:
    """After a month, except those that still wait."""
    for number, state in enumerate(EventState.values):
        door.tell(*changed("006A"), identifier=f"msg-{number}")
        WebhookEvent.objects.filter(key=f"msg-{number}|0").update(state=state)
    assert hooks.forget_old(at=link.at + timedelta(days=30)) == 0
    assert hooks.forget_old(at=link.at + timedelta(days=30, seconds=1)) == len(EventState.values) - 1
    assert states() == ["new"]


def test_one_record_that_nobody_understands_keeps_no_other_out(
    door: Door, link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said on its event; the inbox does not die of it."""
    ids = [deal(org) for _ in range(3)]
    fetch = type(salesforce_vendor.VENDOR).fetch

    def odd(self: Any, object: Any, external_ids: Any, *rest: Any) -> Any:
        if ids[0] in external_ids:
            raise KeyError("Id")
        return fetch(self, object, external_ids, *rest)

    monkeypatch.setattr(type(salesforce_vendor.VENDOR), "fetch", odd)
    door.tell(*changed(*ids))
    link.at += timedelta(minutes=1)
    link.run()
    assert set(WebhookEvent.objects.values_list("external_id", "state")) == {
        (ids[0], EventState.FAILED),
        (ids[1], EventState.HANDLED),
        (ids[2], EventState.HANDLED),
    }
    assert set(Deal.objects.values_list("external_id", flat=True)) == set(ids[1:])
