"""The inbox of webhooks: a delivery is proven, stored with its job, then answered; the job brings in what it tells."""

from __future__ import annotations

import json
import logging
import secrets as tokens
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.connectors.choices import ConnectionState, EventState, RawState, RunKind, RunState
from salesops.connectors.models import Connection, RawRecord, Stream, SyncRun, WebhookEvent
from salesops.connectors.rules.proofs import Answer, Delivery, Refused
from salesops.connectors.services import calling, credentials, pulling
from salesops.connectors.services.applying import Applier
from salesops.connectors.services.brakes import Brake
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.services.pulling import UNFORESEEN
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Event, Fault, FaultKind, Raw, version_of
from salesops.connectors.wire import WireError
from salesops.core.actor import system_actor
from salesops.jobs import services as jobs
from salesops.jobs.runner import JobRun
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _noop

log = logging.getLogger(__name__)

#: The job that brings in what was pushed.
INBOX: Final = "connectors.inbox"
#: Deliveries that come within this time are brought in by one job.
GATHERED: Final = timedelta(seconds=3)
#: Events that are looked at together, and records that are fetched in one question.
BATCH: Final = 200
FETCHED: Final = 100
#: How long an event is tried again while the vendor cannot answer. Then it is left to the sweep.
PATIENCE: Final = timedelta(hours=6)
#: How long events are kept after they came. No vendor repeats a delivery for so long.
KEPT: Final = timedelta(days=30)
#: Connections whose webhooks are taken. What comes while one is paused or broken waits until it is in step again.
_TAKING: Final = (ConnectionState.RUNNING, ConnectionState.PAUSED, ConnectionState.BROKEN)


# --- At the door ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """The delivery is stored, or was before. `events` counts what it told."""

    events: int


class Valid(Mapping[str, Sequence[str]]):
    """The secrets of a connection by name that are valid at a moment, opened when they are asked for. Raises VaultError."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection, self._at = connection, at

    def __getitem__(self, name: str) -> Sequence[str]:
        found = credentials.valid_ones(self._connection, name, at=self._at)
        if not found:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._connection.credentials.values_list("name", flat=True))

    def __len__(self) -> int:
        return self._connection.credentials.count()


def door(*, vendor: str, token: str) -> Connection | None:
    """The connection behind an address; None when there is none, or it is disconnected."""
    return (
        Connection.objects.select_related("source")
        .filter(vendor=vendor, hook_token=token)
        .exclude(state=ConnectionState.DISCONNECTED)
        .first()
    )


def address(connection: Connection) -> str:
    """Where a vendor is told to push. Part of it is secret."""
    path = reverse("hook", kwargs={"vendor": connection.vendor, "token": connection.hook_token})
    return settings.SITE_URL.rstrip("/") + path


def receive(*, connection: Connection, delivery: Delivery) -> Taken | Answer | Refused:
    """Prove a delivery and store what it tells, with the job that brings it in, before anybody is answered.

    The same event again changes nothing and is answered as the first was. A question whether the address is ours is
    answered and not stored. Nobody is asked anything here, so that the answer is quick. Raises `pushes.Unreadable` for
    a body of another form than the vendor's, and VaultError when the secrets cannot be opened.
    """
    vendor = vendor_of(connection.vendor)
    answer = vendor.answer(delivery, Valid(connection, delivery.received_at))
    if answer is not None:
        return answer
    verdict = vendor.proof(delivery, Valid(connection, delivery.received_at))
    if isinstance(verdict, Refused):
        return verdict
    told = vendor.events(delivery.body, delivery.headers)
    stored = 0
    for its, events in _by_account(connection, delivery, told):
        with transaction.atomic():
            stored += _store(its, events, at=delivery.received_at)
    return Taken(stored)


def _by_account(
    connection: Connection, delivery: Delivery, events: Sequence[Event]
) -> list[tuple[Connection, list[Event]]]:
    """Events with the connections that they are for.

    Some vendors send the events of all their customers to one address. Those of another account are for the connection
    of that account, if the delivery is proven by that connection's secret too; of strangers nothing is kept.
    """
    mine = [event for event in events if _is_of(event, connection)]
    others = {event.account_id for event in events} - {event.account_id for event in mine}
    found = [(connection, mine)] if connection.state in _TAKING else []
    if not others:
        return found
    known = Connection.objects.select_related("source").filter(
        vendor=connection.vendor, account_id__in=others, state__in=_TAKING
    )
    for other in known.exclude(pk=connection.pk):
        if not isinstance(vendor_of(other.vendor).proof(delivery, Valid(other, delivery.received_at)), Refused):
            found.append((other, [event for event in events if event.account_id == other.account_id]))
    return found


def _is_of(event: Event, connection: Connection) -> bool:
    return not event.account_id or not connection.account_id or event.account_id == connection.account_id


def _store(connection: Connection, events: Sequence[Event], *, at: datetime) -> int:
    """Store events and enqueue their job, in the caller's transaction."""
    rows = [
        WebhookEvent(
            connection=connection,
            key=event.key or f"~{tokens.token_hex(16)}",
            object=event.object,
            external_id=event.external_id,
            occurred_at=event.occurred_at,
            received_at=at,
            body=_plain(event),
            state=EventState.NEW if event.object else EventState.IGNORED,
        )
        for event in events
    ]
    WebhookEvent.objects.bulk_create(rows, ignore_conflicts=True)
    if any(row.state == EventState.NEW for row in rows):
        enqueue(connection, at=at)
    return len(rows)


def _plain(event: Event) -> dict[str, Any]:
    """What is needed to bring an event in, as plain JSON. A record is kept as text, with its numbers as they came."""
    plain: dict[str, Any] = {}
    if event.is_deleted:
        plain["is_deleted"] = True
    if event.merged_into:
        plain["merged_into"] = event.merged_into
    if event.raw is not None:
        plain |= {"version": event.raw.version, "record": json.dumps(event.raw.payload, default=_number)}
    return plain


def _number(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(type(value).__name__)


def enqueue(connection: Connection, *, at: datetime) -> None:
    """Ring for the job that brings in what was pushed; one for all that comes within a few seconds, and while one runs that
    one is meant: it looks until nothing waits. What comes as it ends is rung for within a minute (`enqueue_waiting`)."""
    jobs.enqueue(
        kind=INBOX,
        key=f"inbox:{connection.pk}",
        payload={"connection_id": connection.pk},
        actor=system_actor(),
        at=at,
        run_after=at + GATHERED,
        title=_("Webhooks of %(name)s") % {"name": connection.source.name},
        url=connection.get_absolute_url(),
    )


def enqueue_waiting(*, at: datetime) -> int:
    """Ring for connections in step whose events wait since longer than a job needs: it had to leave them, the connection
    was paused, or the ring was lost. Gives how many connections."""
    waiting = WebhookEvent.objects.filter(
        connection=OuterRef("pk"), state=EventState.NEW, received_at__lt=at - 2 * GATHERED
    )
    found = Connection.objects.select_related("source").filter(Exists(waiting), state=ConnectionState.RUNNING)
    for connection in found:
        enqueue(connection, at=at)
    return len(found)


def forget_old(*, at: datetime) -> int:
    """Delete events that were brought in, or never will be, and came long ago. Gives how many."""
    old = WebhookEvent.objects.filter(received_at__lt=at - KEPT).exclude(state=EventState.NEW)
    return old.delete()[0]


# --- In the background ------------------------------------------------------------------------------------------------


def bring_in(run: JobRun) -> None:
    """The job of the inbox: events in order, each record once, as it is now; its rows and the events' end in one batch.

    An event whose record the vendor cannot give now waits for the next job. What closed deals pay is held as in a sweep,
    and the next sweep decides: so many small deliveries cannot slip under the brake.
    """
    connection = Connection.objects.select_related("source").filter(pk=run.payload["connection_id"]).first()
    if connection is None or connection.state != ConnectionState.RUNNING:
        with run.finish():
            pass
        return
    with calling.caller_for(connection, run) as http:
        inbox = _Inbox(run, connection, http)
        try:
            while events := inbox.next():
                inbox.take(events)
        except (Wait, _CannotNow, pulling.Overtaken):
            pass  # what was not brought in stays new, and the clock rings for it
    with run.finish():
        inbox.close()


def _as_fault(error: Exception) -> Fault:
    """A reply that cannot be read passes; one that nobody foresaw is the record's own, and no other's."""
    if isinstance(error, WireError):
        return Fault(FaultKind.PASSING, error.problem)
    log.exception("A record that was pushed could not be read.", exc_info=error)
    return Fault(FaultKind.REFUSED, pulling.unforeseen(type(error).__name__))


class _CannotNow(Exception):  # noqa: N818 - not an error: come back later
    """The vendor cannot be asked at all now; the sweep says so to people."""


class _Inbox:
    """The events of one connection, as one job brings them in."""

    def __init__(self, run: JobRun, connection: Connection, http: Caller) -> None:
        self.run, self.connection, self.http = run, connection, http
        self.streams = {stream.object: stream for stream in pulling.wanted(connection)}
        self._appliers: dict[int, Applier] = {}

    def next(self) -> list[WebhookEvent]:
        """The next events that wait, oldest first."""
        waiting = self.connection.webhook_events.filter(state=EventState.NEW, pk__gt=self.run.state.get("after", 0))
        return list(waiting.order_by("pk")[:BATCH])

    def take(self, events: Sequence[WebhookEvent]) -> None:
        """Bring a batch in: ask outside the transaction, then write rows and the ends of the events together."""
        work = [
            _Work(stream, [event for event in events if event.object == name], self.applier(stream))
            for name, stream in self.streams.items()
            if any(event.object == name for event in events)
        ]
        for each in work:
            each.ask(self.http, at=self.run.now())
        at = self.run.now()
        with self.run.batch():
            # Paused, ended or mapped anew meanwhile: what was asked is left, and asked again as it is wanted then.
            if not Connection.objects.filter(pk=self.connection.pk, state=ConnectionState.RUNNING).exists():
                raise pulling.Overtaken
            for each in work:
                pulling.check_wanted(each.stream)
            for each in work:
                self._apply(each, at)
            ended = {event.pk for each in work for event in each.events}
            _end([event for event in events if event.pk not in ended], EventState.IGNORED, at=at)
            self.run.state["after"] = events[-1].pk

    def applier(self, stream: Stream) -> Applier:
        """What brings rows of a stream in, made once."""
        if stream.pk not in self._appliers:
            self._appliers[stream.pk] = Applier(stream, actor=self.run.actor, brake=Brake())
        return self._appliers[stream.pk]

    def _apply(self, work: _Work, at: datetime) -> None:
        _remember_gone(work.stream, work.raws, at=at)
        counts = work.applier.apply(work.raws, at=at).counts
        told = self.run.state.setdefault("counts", {}).setdefault(work.stream.object, {})
        for name, count in counts.items():
            told[name] = told.get(name, 0) + count
        failed = work.failed
        _end([event for event in work.events if event.pk not in failed], EventState.HANDLED, at=at)
        for event in work.events:
            problem = failed.get(event.pk)
            if problem is not None:
                event.state, event.error, event.handled_at = EventState.FAILED, problem.as_plain(), at
        WebhookEvent.objects.bulk_update(
            [event for event in work.events if failed.get(event.pk) is not None], ["state", "error", "handled_at"]
        )
        if work.wants_sweep:
            Connection.objects.filter(pk=self.connection.pk, next_sync_at__gt=at).update(next_sync_at=at)

    def close(self) -> None:
        """Note what was changed, where anything was."""
        counts = self.run.state.get("counts", {})
        if any(count for told in counts.values() for name, count in told.items() if name != "unchanged"):
            SyncRun.objects.create(
                connection=self.connection,
                kind=RunKind.INBOX,
                state=RunState.DONE,
                counts=counts,
                started_at=self.run.job.created_at,
                finished_at=self.run.now(),
                job_id=self.run.job.pk,
            )


def _end(events: Sequence[WebhookEvent], state: EventState, *, at: datetime) -> None:
    pks = [event.pk for event in events]
    WebhookEvent.objects.filter(pk__in=pks, state=EventState.NEW).update(state=state, handled_at=at, error={})


def _remember_gone(stream: Stream, raws: Sequence[Raw], *, at: datetime) -> None:
    """Keep that a record is gone which never came: an older telling of it may still be on its way."""
    rows = [
        RawRecord(
            stream=stream,
            external_id=raw.external_id,
            version=raw.version,
            payload="{}",
            received_at=at,
            state=RawState.DELETED,
            is_gone=True,
            merged_into=raw.merged_into,
        )
        for raw in raws
        if raw.is_deleted or raw.merged_into
    ]
    RawRecord.objects.bulk_create(rows, ignore_conflicts=True)


class _Work:
    """The events of one object: the records that they are about, and what stands in the way of some.

    failed: by event, the problem, or None for one that is tried again later.
    """

    def __init__(self, stream: Stream, events: list[WebhookEvent], applier: Applier) -> None:
        self.stream, self.events, self.applier = stream, events, applier
        self.raws: list[Raw] = []
        self.failed: dict[int, Problem | None] = {}
        self.wants_sweep = any(not event.external_id for event in events)

    def ask(self, http: Caller, *, at: datetime) -> None:
        """Find out how the records are now: from the events where they say it, else from the vendor."""
        unknown: dict[str, list[WebhookEvent]] = {}
        for event in self.events:
            raw = _raw_of(event)
            if raw is not None:
                self.raws.append(raw)
            elif event.external_id:
                unknown.setdefault(event.external_id, []).append(event)
        ids = list(unknown)
        for start in range(0, len(ids), FETCHED):
            self._fetch(ids[start : start + FETCHED], unknown, http, at)

    def _fetch(self, ids: list[str], unknown: Mapping[str, list[WebhookEvent]], http: Caller, at: datetime) -> None:
        try:
            found = http.vendor.fetch(self.applier.object, ids, http, self.applier.mapping.columns)
        except NotImplementedError:
            self._told_only(ids, unknown)
            return
        except (Fault, WireError, *UNFORESEEN) as error:
            fault = error if isinstance(error, Fault) else _as_fault(error)
            if fault.kind is FaultKind.UNAUTHORIZED:
                raise _CannotNow from fault
            if len(ids) > 1 and fault.kind in (FaultKind.REFUSED, FaultKind.MISSING):
                # One odd id must not keep the others out.
                middle = len(ids) // 2
                self._fetch(ids[:middle], unknown, http, at)
                self._fetch(ids[middle:], unknown, http, at)
                return
            if fault.kind is FaultKind.MISSING:
                self._not_there(ids, unknown, fault.problem)
                return
            is_passing = fault.kind in (FaultKind.PASSING, FaultKind.LIMITED)
            for event in (event for each in ids for event in unknown[each]):
                waits = is_passing and at - event.received_at < PATIENCE
                self.failed[event.pk] = None if waits else fault.problem
            return
        self.raws += found
        there = {raw.external_id for raw in found}
        self._not_there([each for each in ids if each not in there], unknown, _not_shown())

    def _not_there(self, ids: Sequence[str], unknown: Mapping[str, list[WebhookEvent]], problem: Problem) -> None:
        """Records that the vendor does not give: gone, where an event said so; else nobody knows, and it is told."""
        for each in ids:
            gone = [event for event in unknown[each] if event.body.get("is_deleted")]
            self.raws += [_gone(event) for event in gone]
            if not gone:
                self.failed |= {event.pk: problem for event in unknown[each]}

    def _told_only(self, ids: Sequence[str], unknown: Mapping[str, list[WebhookEvent]]) -> None:
        """The vendor cannot be asked for single records: what the events say must do, and a sweep brings the rest."""
        for event in (event for each in ids for event in unknown[each]):
            if event.body.get("is_deleted"):
                self.raws.append(_gone(event))
            else:
                self.wants_sweep = True


def _raw_of(event: WebhookEvent) -> Raw | None:
    """The row that an event says all of: its record, or into what it was merged."""
    if event.body.get("merged_into"):
        return _gone(event)
    if "record" in event.body:
        payload = json.loads(event.body["record"], parse_float=Decimal)
        return Raw(event.external_id, event.body["version"], payload)
    return None


def _gone(event: WebhookEvent) -> Raw:
    version = version_of(event.occurred_at or event.received_at)
    into = event.body.get("merged_into", "")
    return Raw(event.external_id, version, {}, is_deleted=not into, merged_into=into)


def _not_shown() -> Problem:
    return Problem.of(
        "record-not-shown",
        _noop("The source told of this record, but does not show it to the connection."),
        remedy=_noop("Give the connected person or app the right to see it, or leave it: the next sync looks again."),
    )
