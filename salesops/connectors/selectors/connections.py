"""Connections as people see them: how fresh they are, how far a first load is, what waits for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from salesops.connectors.choices import SUDDENLY_EMPTY, ConnectionState, HoldState, RawState, StreamState
from salesops.connectors.models import (
    Connection,
    Drift,
    Hold,
    Outgoing,
    RateBudget,
    RawRecord,
    Stream,
    SyncRun,
    WebhookEvent,
)
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Object, Vendor
from salesops.core.actor import Actor
from salesops.core.freshness import AsOf
from salesops.values.outcomes import Problem

#: A connection whose last success is older than so many of its own intervals is stale.
STALE_AFTER: Final = 3
#: States in which a connection should keep its records fresh; one that was paused or ended is as of a moment, too.
_LIVE: Final = (ConnectionState.RUNNING, ConnectionState.BROKEN, ConnectionState.PAUSED)
#: Connections that should be in step and are not: the vendor refuses, or cannot be reached.
FAILING: Final = Q(state=ConnectionState.BROKEN) | Q(state=ConnectionState.RUNNING, failing_since__isnull=False)


def connections_for(actor: Actor) -> QuerySet[Connection]:
    """Connections that the actor may see."""
    rows: QuerySet[Connection] = Connection.objects.visible_to(actor).select_related("source", "made_by")
    return rows


def connection_for(actor: Actor, pk: int) -> Connection:
    """One connection; 404 when it is not theirs."""
    row: Connection = Connection.objects.select_related("source", "made_by").get_for(actor, pk=pk)
    return row


def stream_for(actor: Actor, pk: int) -> Stream:
    """One object of a connection; 404 when it is not theirs."""
    row: Stream = Stream.objects.select_related("connection", "connection__source").get_for(actor, pk=pk)
    return row


def streams_of(actor: Actor, connection: Connection) -> list[Stream]:
    """The objects of a connection, in the order in which they are brought."""
    return list(
        Stream.objects.visible_to(actor)
        .filter(connection=connection)
        .select_related("connection", "connection__source")
        .order_by("position")
    )


def records_of(actor: Actor, connection: Connection) -> QuerySet[RawRecord]:
    """What a connection brought, without the payloads."""
    rows: QuerySet[RawRecord] = (
        RawRecord.objects.visible_to(actor)
        .filter(stream__connection=connection)
        .select_related("stream")
        .defer("payload")
    )
    return rows


def shelf_of(actor: Actor, connection: Connection) -> QuerySet[RawRecord]:
    """What could not be taken, and what people set aside."""
    return records_of(actor, connection).filter(state__in=(RawState.REFUSED, RawState.DISMISSED))


def record_for(actor: Actor, pk: int) -> RawRecord:
    """One record as its source told it; 404 when it is not theirs."""
    row: RawRecord = RawRecord.objects.select_related("stream__connection__source", "hold").get_for(actor, pk=pk)
    return row


def runs_of(actor: Actor, connection: Connection) -> QuerySet[SyncRun]:
    """The runs over a connection."""
    rows: QuerySet[SyncRun] = SyncRun.objects.visible_to(actor).filter(connection=connection)
    return rows


def events_of(actor: Actor, connection: Connection) -> QuerySet[WebhookEvent]:
    """What the vendor pushed."""
    rows: QuerySet[WebhookEvent] = WebhookEvent.objects.visible_to(actor).filter(connection=connection)
    return rows


def outgoing_of(actor: Actor, connection: Connection) -> QuerySet[Outgoing]:
    """What was changed here and written back."""
    rows: QuerySet[Outgoing] = (
        Outgoing.objects.visible_to(actor)
        .filter(record__stream__connection=connection)
        .select_related("record", "record__stream")
    )
    return rows


def drifts_of(actor: Actor, connection: Connection) -> QuerySet[Drift]:
    """Where reconciling found a difference."""
    rows: QuerySet[Drift] = (
        Drift.objects.visible_to(actor).filter(stream__connection=connection).select_related("stream")
    )
    return rows


def records_named(actor: Actor, connection: Connection, ids: Collection[str]) -> dict[tuple[int, str], RawRecord]:
    """The records of a connection with these ids at the source, by their stream and id."""
    rows = RawRecord.objects.visible_to(actor).filter(stream__connection=connection, external_id__in=ids)
    found = {}
    for row in rows.select_related("stream").defer("payload", "told"):
        row.stream.connection = connection
        found[row.stream_id, row.external_id] = row
    return found


def hold_for(actor: Actor, pk: int) -> Hold:
    """One hold; 404 when it is not theirs."""
    row: Hold = Hold.objects.select_related("stream__connection__source", "decided_by").get_for(actor, pk=pk)
    return row


def holds_waiting(actor: Actor, connection: Connection) -> list[Hold]:
    """The holds of a connection that wait for a person."""
    return list(
        Hold.objects.visible_to(actor)
        .filter(stream__connection=connection, state=HoldState.WAITING)
        .select_related("stream")
    )


# --- How fresh


def stale_at(connection: Connection) -> datetime | None:
    """When a connection's records begin to be stale: some intervals after its last success. None before the first."""
    if connection.last_success_at is None:
        return None
    return connection.last_success_at + STALE_AFTER * timedelta(minutes=connection.sync_every)


def is_stale(connection: Connection, at: datetime) -> bool:
    """Whether what a connection brought may be behind its source."""
    if connection.state not in _LIVE or connection.last_success_at is None:
        return False
    due = stale_at(connection)
    return connection.failing_since is not None or (due is not None and due <= at)


def stale_connections(at: datetime, kinds: Collection[str] = ()) -> list[Connection]:
    """The connections whose records may be behind their sources: failing, or silent for too long. `kinds` narrows to
    those that keep such records in step.

    Asked without an actor: that data is as of a moment is for everybody who sees the data.
    """
    rows = Connection.objects.filter(state__in=_LIVE, last_success_at__isnull=False).select_related("source")
    if kinds:
        rows = rows.filter(streams__kind__in=list(kinds), streams__is_wanted=True).distinct()
    return [row for row in rows if is_stale(row, at)]


def behind(kinds: Collection[str], at: datetime) -> list[AsOf]:
    """Which sources of these kinds of records are behind, and as of when their records are. One query."""
    return [
        AsOf(row.source.name, row.last_success_at)
        for row in stale_connections(at, kinds)
        if row.last_success_at is not None
    ]


# --- How much


@dataclass(slots=True)
class Counted:
    """How many records a connection or an object has, and where those are that were not taken."""

    records: int = 0
    shelved: int = 0
    held: int = 0


def counts_of(actor: Actor, connections: Iterable[Connection]) -> dict[int, Counted]:
    """By connection: its records and its shelf. Two queries."""
    found = {connection.pk: Counted() for connection in connections}
    seen = RawRecord.objects.visible_to(actor).filter(stream__connection__in=list(found))
    for pk, count in seen.values_list("stream__connection").annotate(count=Count("pk")).order_by():
        found[pk].records = count
    apart = seen.filter(state__in=(RawState.REFUSED, RawState.HELD))
    for pk, state, count in apart.values_list("stream__connection", "state").annotate(count=Count("pk")).order_by():
        _put(found[pk], state, count)
    return found


def counts_by_stream(actor: Actor, connection: Connection) -> dict[int, Counted]:
    """By object of one connection: its records and its shelf. Two queries."""
    found: dict[int, Counted] = {}
    seen = RawRecord.objects.visible_to(actor).filter(stream__connection=connection)
    for pk, count in seen.values_list("stream").annotate(count=Count("pk")).order_by():
        found.setdefault(pk, Counted()).records = count
    apart = seen.filter(state__in=(RawState.REFUSED, RawState.HELD))
    for pk, state, count in apart.values_list("stream", "state").annotate(count=Count("pk")).order_by():
        _put(found.setdefault(pk, Counted()), state, count)
    return found


def _put(counted: Counted, state: str, count: int) -> None:
    if state == RawState.REFUSED:
        counted.shelved = count
    else:
        counted.held = count


def present(stream: Stream) -> int:
    """How many records of an object are here and were not taken away at the source."""
    return stream.records.filter(is_gone=False).count()


@dataclass(frozen=True, slots=True)
class Loading:
    """A first load: how much of how much, and how long it will still take as far as that can be told."""

    done: int
    total: int | None
    left: timedelta | None

    @property
    def percent(self) -> int | None:
        """As a share of a hundred, never more."""
        if not self.total:
            return None
        return min(self.done * 100 // self.total, 100)


def loading_of(stream: Stream, at: datetime) -> Loading | None:
    """How far the first load of an object is; None when it has none or it is over."""
    if stream.state != StreamState.FIRST_LOAD or stream.load_began_at is None or not stream.is_wanted:
        return None
    left = None
    passed = at - stream.load_began_at
    if stream.load_total and stream.load_done and passed > timedelta(0):
        left = passed * max(stream.load_total - stream.load_done, 0) / stream.load_done
    return Loading(stream.load_done, stream.load_total, left)


@dataclass(slots=True)
class StreamShown:
    """An object on the page of its connection."""

    stream: Stream
    object: Object | None
    counted: Counted
    loading: Loading | None
    problem: Problem | None

    @property
    def may_be_empty(self) -> bool:
        """Whether a person may say that its records are really gone."""
        return self.problem is not None and self.problem.code == SUDDENLY_EMPTY


def streams_shown(actor: Actor, connection: Connection, at: datetime) -> list[StreamShown]:
    """The objects of a connection with what is to be said of each. Three queries."""
    counted = counts_by_stream(actor, connection)
    objects = objects_of(connection)
    return [
        StreamShown(
            stream,
            objects.get(stream.object),
            counted.get(stream.pk, Counted()),
            loading_of(stream, at),
            problem_of(stream.error),
        )
        for stream in streams_of(actor, connection)
    ]


def vendor_known(connection: Connection) -> Vendor | None:
    """The vendor of a connection; None for one that this version does not know."""
    try:
        return vendor_of(connection.vendor)
    except KeyError:
        return None


def vendor_label(code: str) -> str:
    """The name of a vendor, or its code when this version does not know it."""
    try:
        return vendor_of(code).label
    except KeyError:
        return code


def objects_of(connection: Connection) -> dict[str, Object]:
    """The vendor's objects by code."""
    vendor = vendor_known(connection)
    return {each.code: each for each in vendor.objects_for(connection.options)} if vendor else {}


def object_labels(connection: Connection) -> dict[str, str]:
    """The names of the vendor's objects by code, in the reader's language."""
    return {code: _(each.label) for code, each in objects_of(connection).items()}


def link_of(raw: RawRecord) -> str:
    """The page of a record at its vendor; "" where there is none, or where it is no address of the web."""
    connection = raw.stream.connection
    vendor, object = vendor_known(connection), objects_of(connection).get(raw.stream.object)
    if vendor is None or object is None:
        return ""
    try:
        link = vendor.link(object, raw.external_id, connection.options)
    except (KeyError, IndexError, ValueError):  # a setting that the address needs is not there any more
        return ""
    return link if link.startswith(("https://", "http://")) else ""


def problem_of(plain: Mapping[str, Any]) -> Problem | None:
    """A problem that was kept on a row; None when there is none."""
    return Problem.from_plain(dict(plain)) if plain else None


# --- How many requests are left


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of the requests that a vendor allows, for reading."""

    row: RateBudget
    blocked_until: datetime | None
    share: int | None
    day_share: int | None


def budget_of(connection: Connection, at: datetime) -> Budget | None:
    """The requests of a connection; None before the first."""
    row = RateBudget.objects.filter(connection=connection).first()
    if row is None:
        return None
    blocked = row.blocked_until if row.blocked_until is not None and row.blocked_until > at else None
    return Budget(row, blocked, _share(row.remaining, row.limit), _share(row.day_remaining, row.day_limit))


def _share(left: int | None, limit: int | None) -> int | None:
    if left is None or not limit:
        return None
    return max(0, min(left * 100 // limit, 100))


# --- Where a record is from


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one record of the portal is from: each telling of it by a source. `raw` has its payload."""

    raw: RawRecord
    link: str
    problems: list[Problem] = field(default_factory=list)


def origins_of(kinds: Iterable[str], pk: int) -> list[Origin]:
    """The tellings of one record, the newest first. Whoever may see the record may see where it is from: the caller
    has looked the record up through its actor."""
    rows = (
        RawRecord.objects.filter(stream__kind__in=list(kinds), record_id=pk)
        .select_related("stream__connection__source")
        .order_by("-received_at", "-pk")[:20]
    )
    return [Origin(raw, link_of(raw), [Problem.from_plain(each) for each in raw.problems]) for raw in rows]
