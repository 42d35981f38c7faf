"""Edits made in the portal flow back to the source for the fields it may write: found by comparing, sent once, no echo."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as translate

from salesops.connectors.choices import OUTGOING_MASTERS, ConnectionState, OutgoingState, RawState, RunKind, RunState
from salesops.connectors.models import Connection, Outgoing, RawRecord, Stream, SyncRun
from salesops.connectors.rules.masters import edited_here, same
from salesops.connectors.services import calling
from salesops.connectors.services.applying import Applier, columns_of
from salesops.connectors.services.brakes import Brake
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.services.pulling import close_left
from salesops.connectors.services.shelf import raw_of
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Column, ColumnType, Fault, FaultKind, Raw
from salesops.connectors.wire import WireError
from salesops.core.actor import system_actor
from salesops.deals.models import Stage
from salesops.jobs import services as jobs
from salesops.jobs.runner import JobRun
from salesops.values.money import exponent
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: The job that writes back.
PUSH: Final = "connectors.push"
#: So often is a change tried that the source cannot take.
_ATTEMPTS: Final = 10
#: So long an edit waits for a source that cannot answer, and so many of one run are tried against it.
_PATIENCE: Final = timedelta(days=7)
_MOST_PASSING: Final = 3
#: Rows compared at once.
BATCH: Final = 500
#: A row saved this long ago may belong to a transaction that was not committed when we last looked.
_OVERLAP: Final = timedelta(minutes=5)
#: Records whose newest telling was not taken: an edit of them waits, for nobody knows yet what it will be compared with.
_APART: Final = (RawState.REFUSED, RawState.HELD, RawState.DISMISSED)
#: Stands in the place of a version in a change that waits for its record to be taken; no source has such a version.
_NOT_TAKEN: Final = "?"
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


def flows_back(stream: Stream) -> bool:
    """Whether edits of some field of a stream are written back."""
    return any(master in OUTGOING_MASTERS for master in stream.masters.values())


def enqueue_all(*, at: datetime) -> int:
    """Ring for every connection in step of which something flows back. Gives how many."""
    found: dict[int, Connection] = {}
    for stream in Stream.objects.filter(
        connection__state=ConnectionState.RUNNING, is_wanted=True, last_success_at__isnull=False
    ).select_related("connection", "connection__source"):
        if flows_back(stream):
            found[stream.connection_id] = stream.connection
    for connection in found.values():
        jobs.enqueue(
            kind=PUSH,
            key=f"push:{connection.pk}",
            payload={"connection_id": connection.pk},
            actor=system_actor(),
            at=at,
            title=translate("Edits are written back to %(name)s") % {"name": connection.source.name},
            url=connection.get_absolute_url(),
        )
    return len(found)


def push(run: JobRun) -> None:
    """Find what was edited here since the last look, and write it to the source."""
    connection = Connection.objects.select_related("source").filter(pk=run.payload["connection_id"]).first()
    if connection is None or connection.state != ConnectionState.RUNNING:
        with run.finish():
            pass
        return
    streams = [
        stream
        for stream in Stream.objects.filter(connection=connection, is_wanted=True).select_related(
            "connection", "connection__source"
        )
        if flows_back(stream)
    ]
    for stream in streams:
        _collect(run, stream)
    waiting = Outgoing.objects.filter(record__stream__in=streams, state=OutgoingState.WAITING).exclude(
        record__state__in=_APART
    )
    if not waiting.exists():
        with run.finish():
            pass
        return
    with run.batch():
        close_left(connection, RunKind.OUTGOING, at=run.now())
        made = SyncRun.objects.create(
            connection=connection, kind=RunKind.OUTGOING, started_at=run.now(), job_id=run.job.pk
        )
        run.state["run_id"] = made.pk
    problem: Problem | None = None
    state = RunState.DONE
    counts: dict[str, dict[str, int]] = {}
    passing = 0
    with calling.caller_for(connection, run) as http:
        for change in waiting.select_related("record", "record__stream").order_by("pk"):
            # Paused, disconnected or left out meanwhile: from then on nothing is written any more.
            if not Stream.objects.filter(
                pk=change.record.stream_id, is_wanted=True, connection__state=ConnectionState.RUNNING
            ).exists():
                continue
            if RawRecord.objects.filter(pk=change.record_id, state__in=_APART).exists():
                continue  # since a moment ago: another change of it came back with a telling that waits
            try:
                became = _send(run, change, http)
            except Wait as wait:
                state, problem = RunState.WAITING, wait.problem
                break
            except (Fault, WireError) as error:
                state, problem = RunState.FAILED, error.problem
                if isinstance(error, WireError) or error.kind is FaultKind.UNAUTHORIZED:
                    break
                is_passing = error.kind is FaultKind.PASSING
                _tried_in_vain(run, change, error.problem, counts=not is_passing)  # and the others go on
                passing += is_passing
                if passing >= _MOST_PASSING:
                    break  # it is not the record: the source cannot answer
                continue
            its = counts.setdefault(change.record.stream.object, {})
            its[became] = its.get(became, 0) + 1
    with run.finish():
        SyncRun.objects.filter(pk=run.state["run_id"]).update(
            state=state, finished_at=run.now(), counts=counts, error=problem.as_plain() if problem else {}
        )


# --- What was edited


def _collect(run: JobRun, stream: Stream) -> None:
    """Note each record whose values here differ from what the source last said, as far as they flow back."""
    applier = Applier(stream, actor=run.actor)
    since = (stream.pushed_at or _BEGINNING) - _OVERLAP if stream.pushed_at else _BEGINNING
    limit = BATCH
    while True:
        rows = applier.destination.changed_since(since, limit)
        with run.batch():
            for change in _edits(applier, [pk for pk, _at in rows], at=run.now()):
                _note(change)
            if rows:
                stream.pushed_at = rows[-1][1]
                stream.save(update_fields=["pushed_at"])
            run.state["looked"] = run.state.get("looked", 0) + 1
        if len(rows) < limit:
            return
        if rows[-1][1] == since:
            limit *= 2  # more rows of one moment than are looked at together
        since, limit = rows[-1][1], limit if rows[-1][1] == since else BATCH


def _note(change: Outgoing) -> None:
    """Keep a change that is to be written; one of the same record that waits already says from now on what this one says."""
    waiting = Outgoing.objects.filter(record=change.record, state=OutgoingState.WAITING)
    if not waiting.update(
        values=change.values,
        fields=change.fields,
        key=change.key,
        base_version=change.base_version,
        attempts=0,
        error=change.error,
    ):
        change.save()


def _edits(applier: Applier, pks: list[int], *, at: datetime) -> list[Outgoing]:
    """What differs on these rows from what the source last said. Of a record whose newest telling was not taken it is only
    noted that something does: what the telling becomes decides what is written."""
    stream = applier.stream
    raws = {
        row.record_id: row
        for row in RawRecord.objects.filter(stream=stream, record_id__in=pks, state__in=(RawState.TAKEN, *_APART))
        if row.state == RawState.TAKEN or row.told or row.is_gone  # else none was ever taken
    }
    if not raws:
        return []
    said = applier.last_said([row.external_id for row in raws.values()])
    apart = applier.values_of([raw_of(row) for row in raws.values() if row.state != RawState.TAKEN and row.told])
    current = applier.destination.current([pk for pk in raws if pk is not None])
    changes = []
    for pk, raw in raws.items():
        before = said.get(raw.external_id)
        if before is None or pk not in current:
            continue
        edits = edited_here(masters=stream.masters, before=before, portal=current[pk])
        newest = apart.get(raw.external_id, {})
        edits = {name: value for name, value in edits.items() if name not in newest or not same(newest[name], value)}
        values = spelled(applier, edits, current[pk])
        if not values:
            continue
        is_taken = raw.state == RawState.TAKEN
        told = json.dumps(
            [raw.pk, raw.version, values, *(() if is_taken else (_NOT_TAKEN,))], sort_keys=True, default=str
        )
        key = hashlib.sha256(told.encode()).hexdigest()
        if Outgoing.objects.filter(
            key=key
        ).exists():  # written, overtaken or refused already: the same says nothing new
            continue
        changes.append(
            Outgoing(
                record=raw,
                key=key,
                values=values,
                fields={name: [_plain(before.get(name)), _plain(value)] for name, value in edits.items()},
                base_version=raw.version if is_taken else _NOT_TAKEN,
                made_at=at,
                error={} if is_taken else _not_taken().as_plain(),
            )
        )
    return changes


def spelled(applier: Applier, edits: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the portal as the source's columns write them; those it does not let be written are left out."""
    columns = {column.path: column for column in (*applier.object.columns, *columns_of(applier.stream))}
    values: dict[str, Any] = {}
    for name, value in edits.items():
        code = name.removesuffix("_minor").removesuffix("_id")
        rule = applier.mapping.rule(name) or applier.mapping.rule(code)
        column = columns.get(rule.column) if rule is not None and rule.column else None
        if rule is None or column is None or not column.is_writable:
            continue
        if name.endswith("_id") and value is not None:
            value = _reference(applier, code, int(value), {mine: word for word, mine in rule.choices})
            if value is None:  # the source does not know what it refers to
                continue
        elif name.endswith("_minor") and value is not None:
            value = _amount(column, int(value), str(row.get("currency") or rule.currency or ""))
        values[column.path] = vendor_of(applier.connection.vendor).spell(column, value)
    return values


def _amount(column: Column, minor: int, currency: str) -> Any:
    if column.type is ColumnType.MINOR:
        return minor
    return Decimal(minor).scaleb(-exponent(currency))


def _reference(applier: Applier, code: str, pk: int, words: Mapping[str, str]) -> str | None:
    """What the source calls a record of the portal: its id there, or the word that means a stage."""
    if code in ("stage", "to_stage"):
        stage = Stage.objects.get(pk=pk)
        return words.get(stage.code) or words.get(stage.name) or (None if words else stage.name)
    kinds = {
        "owner": ("owners", "people"),
        "account": ("accounts",),
        "contact": ("contacts",),
        "product": ("products",),
    }
    return (
        RawRecord.objects.filter(
            stream__connection=applier.connection, stream__kind__in=kinds.get(code, ()), record_id=pk, is_gone=False
        )
        .values_list("external_id", flat=True)
        .first()
    )


# --- Writing


def _send(run: JobRun, change: Outgoing, http: Caller) -> str:
    """Write one change and keep what the source says then. Gives what became of it. Raises Wait, or Fault where it is to
    be tried again later."""
    stream = Stream.objects.select_related("connection", "connection__source").get(pk=change.record.stream_id)
    applier = Applier(stream, actor=run.actor, brake=Brake())
    error: Problem | None = None
    told: Raw | None = None
    raw = RawRecord.objects.get(pk=change.record_id)
    if raw.version != change.base_version:
        state = OutgoingState.OVERTAKEN  # the source spoke since; the next look compares anew
    else:
        try:
            written = http.vendor.write(
                applier.object,
                raw.external_id,
                change.values,
                http,
                key=change.key,
                base=dict(raw_of(raw).payload),
            )
            told = written.raw or _as_it_is(applier, raw.external_id, http)
            state = OutgoingState.WRITTEN
        except NotImplementedError:
            state, error = OutgoingState.REFUSED, _not_written(http.vendor.label)
        except Fault as fault:
            if fault.kind in (FaultKind.CHANGED, FaultKind.MISSING):
                state, error = OutgoingState.OVERTAKEN, fault.problem
                told = _as_it_is(applier, raw.external_id, http)
            elif fault.kind in (FaultKind.REFUSED, FaultKind.FORBIDDEN):
                state, error = OutgoingState.REFUSED, fault.problem
            else:
                raise
    with run.batch():
        if told is not None:
            applier.apply([told], at=run.now())
        if change.base_version == _NOT_TAKEN:
            Outgoing.objects.filter(pk=change.pk).delete()  # it only kept in mind to look again
        else:
            Outgoing.objects.filter(pk=change.pk).update(
                state=state,
                attempts=change.attempts + 1,
                sent_at=run.now(),
                error=error.as_plain() if error else {},
            )
        # What was edited meanwhile, or is still different now that the source spoke, is next.
        for again in _edits(applier, [raw.record_id] if raw.record_id is not None else [], at=run.now()):
            _note(again)
        run.state["sent"] = run.state.get("sent", 0) + 1
    return str(state)


def _as_it_is(applier: Applier, external_id: str, http: Caller) -> Raw | None:
    """A record as the source tells it now; None where it cannot be asked."""
    try:
        return next(iter(http.vendor.fetch(applier.object, [external_id], http, applier.mapping.columns)), None)
    except NotImplementedError:
        return None


def _tried_in_vain(run: JobRun, change: Outgoing, problem: Problem, *, counts: bool) -> None:
    """Count an attempt; what the source cannot take ten times is given up, with its words. While the source cannot answer
    nothing is counted: an edit waits for days."""
    with run.batch():
        attempts = change.attempts + counts
        is_in_vain = attempts >= _ATTEMPTS or run.now() - change.made_at > _PATIENCE
        state = OutgoingState.REFUSED if is_in_vain else OutgoingState.WAITING
        Outgoing.objects.filter(pk=change.pk).update(attempts=attempts, state=state, error=problem.as_plain())
        run.state["sent"] = run.state.get("sent", 0) + 1


def _not_taken() -> Problem:
    return Problem.of(
        "record-not-taken",
        _("What the source last said of this record was not taken. The edit waits until it is."),
        remedy=_("Look at the record: it is on the shelf, or waits for a decision."),
    )


def _not_written(vendor: str) -> Problem:
    return Problem.of(
        "not-written",
        _("%(vendor)s is only read: nothing is written there."),
        remedy=_("Let the source win for this field, or change it there."),
        vendor=vendor,
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else str(value)
