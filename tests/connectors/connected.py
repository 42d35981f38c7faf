"""A connection with one of each thing that belongs to one, for tests that walk over all pages. It reaches no vendor."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from salesops.connectors.choices import (
    ConnectionState,
    DriftKind,
    EventState,
    OutgoingState,
    RawState,
    RunKind,
    RunState,
    StreamState,
)
from salesops.connectors.models import (
    Connection,
    Credential,
    Drift,
    Hold,
    Outgoing,
    RateBudget,
    RawRecord,
    Source,
    Stream,
    SyncRun,
    WebhookEvent,
)
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.services.connecting import proposed
from salesops.connectors.vendors import vendor_of
from salesops.deals.models import Deal
from salesops.values.outcomes import Problem
from tests.cast import NOW, Cast

#: An address that nobody allowed: whatever is asked there is refused before a socket is opened.
NOWHERE: Final = "http://127.0.0.1:9"


def connected(cast: Cast, deal: Deal) -> tuple[Connection, Stream, RawRecord, Hold]:
    """The connection, its deals, a record on its shelf, and a hold that waits."""
    vendor = vendor_of("salesforce")
    connection = Connection.objects.create(
        source=Source.objects.create(code="cloud-crm", name="Cloud CRM"),
        vendor=vendor.code,
        state=ConnectionState.RUNNING,
        options={"address": NOWHERE, "client_id": "the-app", "login_host": "login.salesforce.com"},
        account_id="00D000000000001",
        account_name="Standin Org",
        hook_token="a-token-of-a-scene",
        next_sync_at=NOW + timedelta(minutes=3),
        last_success_at=NOW - timedelta(minutes=2),
        made_by=cast.rita,
        made_at=NOW - timedelta(days=9),
    )
    Credential.objects.create(connection=connection, name="client_secret", sealed="sealed", changed_at=NOW)
    RateBudget.objects.create(
        connection=connection, tokens_milli=90_000, filled_at=NOW, limit=100, remaining=64, requests=36
    )
    object = vendor.object("Opportunity")
    stream = Stream.objects.create(
        connection=connection,
        object=object.code,
        kind=object.kind,
        columns=[{"path": column.path, "label": column.label, "type": column.type.value} for column in object.columns],
        mapping=proposed(object, object.columns, currency="USD").as_plain(),
        state=StreamState.FOLLOWING,
        last_success_at=NOW - timedelta(minutes=2),
    )
    unknown = Problem.of(
        "lookup-unknown",
        "“%(value)s” was not found (%(field)s).",
        where="AccountId",
        remedy="Import or create it first, correct the name, or say in the mapping what happens with unknown names.",
        value="001NOBODY",
        field=KINDS["deals"].fields[0].label,
    )
    refused = RawRecord.objects.create(
        stream=stream,
        external_id="006REFUSED",
        version="2026-06-17T09:00:00.000000",
        digest="0",
        payload='{"Id": "006REFUSED", "Name": "<b>Refused</b>", "AccountId": "001NOBODY", "StageName": "Prospecting"}',
        received_at=NOW,
        state=RawState.REFUSED,
        problems=[unknown.as_plain()],
    )
    hold = Hold.objects.create(stream=stream, deals=1, amount_minor=120_000, made_at=NOW)
    held = RawRecord.objects.create(
        stream=stream,
        external_id="006HELD",
        version="2026-06-17T09:00:00.000000",
        digest="0",
        payload='{"Id": "006HELD", "Name": "Amber Optics lenses", "StageName": "Prospecting", "Amount": 13000}',
        received_at=NOW,
        state=RawState.HELD,
        record_id=deal.pk,
        changed={"amount_minor": [1_100_000, 1_200_000]},
        hold=hold,
    )
    SyncRun.objects.create(
        connection=connection,
        kind=RunKind.SYNC,
        state=RunState.DONE,
        counts={"Opportunity": {"created": 1, "refused": 1}},
        pages=1,
        started_at=NOW - timedelta(minutes=3),
        finished_at=NOW - timedelta(minutes=2),
    )
    WebhookEvent.objects.create(
        connection=connection, key="event-1", object="Opportunity", external_id="006HELD", received_at=NOW,
        state=EventState.HANDLED,
    )  # fmt: skip
    Outgoing.objects.create(
        record=held, key="out-1", fields={"name": ["Before", "After"]}, base_version="", state=OutgoingState.WRITTEN,
        made_at=NOW, sent_at=NOW,
    )  # fmt: skip
    Drift.objects.create(stream=stream, external_id="006GONE", kind=DriftKind.MISSING_HERE, found_at=NOW)
    return connection, stream, refused, hold
