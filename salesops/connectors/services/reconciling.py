"""Counts and compares everything against the source: what is missing on either side, older here, or was changed here."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max, Min
from django.utils.translation import gettext as translate

from salesops.activities.models import Activity
from salesops.audit.services import record
from salesops.connectors.choices import ConnectionState, DriftKind, RawState, RunKind, RunState
from salesops.connectors.models import Connection, Drift, RawRecord, Stream, SyncRun
from salesops.connectors.services import calling
from salesops.connectors.services.applying import Applier, changes_of
from salesops.connectors.services.brakes import Brake
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.services.pulling import EMPTY_PAGES, Overtaken, check_wanted, close_left, wanted
from salesops.connectors.vendors.base import Ask, Fault, FaultKind, Page, Raw, endless, moment_of
from salesops.connectors.wire import WireError
from salesops.core.actor import Actor, Noun, Scope, system_actor
from salesops.core.upserts import Fate
from salesops.jobs import services as jobs
from salesops.jobs.choices import UNFINISHED
from salesops.jobs.models import Job
from salesops.jobs.runner import JobRun
from salesops.values.outcomes import Problem

RECONCILE: Final = "connectors.reconcile"
#: What changed this shortly before the look may still be on its way: it is no drift.
_ON_ITS_WAY: Final = timedelta(minutes=10)
#: Drifts of one object that are listed; the run counts them all.
LISTED: Final = 1_000


def enqueue(*, actor: Actor, connection: Connection, at: datetime) -> None:
    """Ask for a comparison with the source. Raises PermissionDenied, ValidationError unless it is in step."""
    if actor.sight(Noun.IMPORT) < Scope.ALL:
        raise PermissionDenied
    if connection.state != ConnectionState.RUNNING:
        raise ValidationError(translate("It is not running. Start it first."))
    first, again = _keys(connection)
    with transaction.atomic():
        _lock(connection)
        if not Job.objects.filter(key=again, state__in=UNFINISHED).exists():
            _ring(connection, first, {"connection_id": connection.pk}, at=at)


def _keys(connection: Connection) -> tuple[str, str]:
    """The keys of the jobs that compare a connection: they take turns, since a job that has to wait leaves the rest to
    another while it is itself not ended yet. At most one of both is unfinished, but for that moment."""
    return f"reconcile:{connection.pk}", f"reconcile:{connection.pk}:again"


def _lock(connection: Connection) -> None:
    """Whoever asks for a comparison and one that leaves its rest to another job wait for one another."""
    Connection.objects.select_for_update().filter(pk=connection.pk).values_list("pk").first()


def _ring(
    connection: Connection, key: str, payload: dict[str, Any], *, at: datetime, run_after: datetime | None = None
) -> None:
    jobs.enqueue(
        kind=RECONCILE,
        key=key,
        payload=payload,
        actor=system_actor(),
        at=at,
        run_after=run_after,
        title=translate("%(name)s is compared with its source") % {"name": connection.source.name},
        url=connection.get_absolute_url(),
    )


def enqueue_all(*, at: datetime) -> int:
    """Ask for a comparison of every connection that is in step. Gives how many."""
    running = Connection.objects.select_related("source").filter(state=ConnectionState.RUNNING)
    for connection in running:
        enqueue(actor=system_actor(), connection=connection, at=at)
    return len(running)


def reconcile(run: JobRun) -> None:
    """Compare each object with its source, page by page. Nothing is changed but the list of what differs."""
    connection = Connection.objects.select_related("source").filter(pk=run.payload["connection_id"]).first()
    if connection is None or connection.state != ConnectionState.RUNNING:
        with run.finish():
            pass
        return
    if "run_id" not in run.state and "state" in run.payload:
        with run.batch():  # goes on where a wait for the vendor ended the job before
            run.state |= run.payload["state"]
    if "run_id" not in run.state:
        with run.batch():
            close_left(connection, RunKind.RECONCILE, at=run.now())
            made = SyncRun.objects.create(
                connection=connection, kind=RunKind.RECONCILE, started_at=run.now(), job_id=run.job.pk
            )
            run.state |= {"run_id": made.pk, "done": [], "counts": {}, "began": run.now().isoformat()}
    problem: Problem | None = None
    state, until = RunState.DONE, None
    with calling.caller_for(connection, run) as http:
        for stream in wanted(connection):
            if stream.pk in run.state["done"]:
                continue
            try:
                _Census(run, stream, http).take()
            except Wait as wait:
                state, problem, until = RunState.WAITING, wait.problem, wait.until
                break
            except Overtaken:
                if not Connection.objects.filter(pk=connection.pk, state=ConnectionState.RUNNING).exists():
                    state = RunState.WAITING
                    break
                with run.batch():  # one object is wanted otherwise by now: the others are compared all the same
                    run.state["done"].append(stream.pk)
                    run.state.pop("census", None)
            except Fault as fault:
                problem, state = fault.problem, RunState.FAILED
                if fault.kind in (FaultKind.UNAUTHORIZED, FaultKind.PASSING):
                    break
                with run.batch():
                    run.state["done"].append(stream.pk)
                    run.state.pop("census", None)
            except WireError as error:
                problem, state = error.problem, RunState.FAILED
                break
    with run.finish():
        _lock(connection)
        if state == RunState.DONE:
            Connection.objects.filter(pk=connection.pk).update(reconciled_at=run.now())
        elif until is not None:
            first, again = _keys(connection)
            payload = {"connection_id": connection.pk, "state": dict(run.state)}
            _ring(connection, first if run.key == again else again, payload, at=run.now(), run_after=until)
        SyncRun.objects.filter(pk=run.state["run_id"]).update(
            state=state,
            finished_at=run.now(),
            counts=run.state["counts"],
            error=problem.as_plain() if problem else {},
        )


class _Census:
    """The comparison of one object. Which records were seen is kept as one bit each, so that it can go on after a kill."""

    def __init__(self, run: JobRun, stream: Stream, http: Caller) -> None:
        self.run, self.stream, self.http = run, stream, http
        self.applier = Applier(stream, actor=run.actor)
        began = datetime.fromisoformat(run.state["began"])
        # What changed since the last sync has not been asked for yet: it is no drift either.
        self.began = min(began, stream.last_success_at or began)
        kept = run.state.get("census", {})
        if (kept.get("stream"), kept.get("revision")) != (stream.pk, stream.revision):
            edges = stream.records.aggregate(first=Min("pk"), last=Max("pk"))
            self.state: dict[str, Any] = {
                "stream": stream.pk,
                "revision": stream.revision,
                "first": edges["first"] or 0,
                "seen": _packed(bytearray(((edges["last"] or 0) - (edges["first"] or 0)) // 8 + 1)),
                "position": None,
                "empty": 0,
                "counts": {"compared": 0, "missing_here": 0, "missing_there": 0, "differs": 0},
                "found": [],
            }
        else:
            self.state = kept
        self.seen = _unpacked(self.state["seen"])

    def take(self) -> None:
        """All pages, then what was not among them."""
        is_last = False
        while not is_last:
            ask = Ask(position=self.state["position"], asked_at=self.began, columns=self.applier.mapping.columns)
            page = self.http.vendor.ids(self.applier.object, ask, self.http)
            is_last = page.next is None
            self._guard(page)
            with self.run.batch():
                check_wanted(self.stream)
                self._compare([raw for raw in page.raws if not raw.is_deleted])
                self.state |= {"position": page.next, "seen": _packed(self.seen)}
                self.run.state["census"] = self.state
                self.run.progress(self.state["counts"]["compared"], None, self.stream.object)
        with self.run.batch():
            check_wanted(self.stream)
            self._what_is_not_there()
            self._mended()
            self.run.state["counts"][self.stream.object] = self.state["counts"]
            self.run.state["done"].append(self.stream.pk)
            self.run.state.pop("census", None)

    def _guard(self, page: Page) -> None:
        mark = hashlib.blake2b(json.dumps(page.next, sort_keys=True, default=str).encode(), digest_size=12).hexdigest()
        self.state["empty"] = 0 if page.raws else self.state["empty"] + 1
        if page.next is not None and (mark == self.state.get("mark") or self.state["empty"] > EMPTY_PAGES):
            raise endless(self.applier.object.label)
        self.state["mark"] = mark

    def _compare(self, raws: Sequence[Raw]) -> None:
        rows = {
            row.external_id: row
            for row in RawRecord.objects.filter(
                stream=self.stream, external_id__in=[raw.external_id for raw in raws]
            ).defer("payload")
        }
        self.state["counts"]["compared"] += len(raws)
        alike = [
            raw
            for raw in raws
            if (row := rows.get(raw.external_id)) is not None and row.state == RawState.TAKEN and raw.payload
        ]
        # What would change if it came in now is what differs, of the fields of which the source is the master.
        differences = {
            fate.raw.external_id: {"columns": changes_of(fate)}
            for fate in self.applier.compare(alike, rows, at=self.run.now())
            if fate.fate == Fate.CHANGED
        }
        for raw in raws:
            row = rows.get(raw.external_id)
            changed_at = moment_of(raw.version)
            is_fresh = changed_at is not None and changed_at > self.began - _ON_ITS_WAY
            if row is None or row.is_gone:
                if not is_fresh:
                    self._note(raw.external_id, DriftKind.MISSING_HERE, {"version": raw.version})
                continue
            self._see(row.pk)
            if row.version < raw.version and not is_fresh:
                self._note(raw.external_id, DriftKind.DIFFERS, {"version": [row.version, raw.version]})
            elif raw.external_id in differences and not is_fresh:
                self._note(raw.external_id, DriftKind.DIFFERS, differences[raw.external_id])

    def _see(self, pk: int) -> None:
        place = pk - self.state["first"]
        if 0 <= place < len(self.seen) * 8:  # what came in since the look began is not asked about
            self.seen[place // 8] |= 1 << place % 8

    def _what_is_not_there(self) -> None:
        """Records that stand here and did not come in any page."""
        rows = self.stream.records.filter(is_gone=False, received_at__lt=self.began - _ON_ITS_WAY)
        if (reach := self.applier.object.reach) is not None:
            # A call or meeting of longer ago is not asked for any more: that it does not come says nothing.
            rows = rows.exclude(record_id__in=Activity.objects.filter(happened_at__lt=self.began - reach).values("pk"))
        for pk, external_id in rows.values_list("pk", "external_id").iterator():
            place = pk - self.state["first"]
            if 0 <= place < len(self.seen) * 8 and not self.seen[place // 8] & 1 << place % 8:
                self._note(external_id, DriftKind.MISSING_THERE, {})

    def _note(self, external_id: str, kind: DriftKind, detail: dict[str, Any]) -> None:
        self.state["counts"][kind.value] += 1
        if len(self.state["found"]) >= LISTED:
            return
        self.state["found"].append(external_id)
        Drift.objects.update_or_create(
            stream=self.stream,
            external_id=external_id,
            mended_at=None,
            defaults={"kind": kind, "detail": detail, "found_at": self.run.now()},
        )

    def _mended(self) -> None:
        """What an earlier look found and this one did not; nothing is known of those beyond a full list."""
        if len(self.state["found"]) >= LISTED:
            return
        self.stream.drifts.filter(mended_at__isnull=True).exclude(external_id__in=self.state["found"]).update(
            mended_at=self.run.now()
        )


def mend(*, actor: Actor, connection: Connection, http: Caller, at: datetime) -> int:
    """Read anew what differs: records that are gone are removed, the others brought in as they are at the source.

    Gives how many were read. Raises PermissionDenied, Fault, Wait, WireError.
    """
    if actor.sight(Noun.IMPORT) < Scope.ALL:
        raise PermissionDenied
    count = 0
    for stream in wanted(connection):
        drifts = list(stream.drifts.filter(mended_at__isnull=True).order_by("pk"))
        if not drifts:
            continue
        # The brake holds here as well: what closed deals pay waits for the next sync's end, or for a person.
        applier = Applier(stream, actor=system_actor(), brake=Brake())
        ids = [each.external_id for each in drifts]
        raws: list[Raw] = []
        try:
            for start in range(0, len(ids), 100):
                raws += http.vendor.fetch(applier.object, ids[start : start + 100], http, applier.mapping.columns)
        except NotImplementedError:
            raise ValidationError(
                translate("%(vendor)s cannot be asked for single records. Read everything once more instead.")
                % {"vendor": http.vendor.label}
            ) from None
        told = {raw.external_id for raw in raws}
        missing = {each.external_id: each.found_at for each in drifts if each.kind == DriftKind.MISSING_THERE}
        raws += [
            Raw(external_id, version, {}, is_deleted=True)
            for external_id, version, received_at in stream.records.filter(external_id__in=missing).values_list(
                "external_id", "version", "received_at"
            )
            if external_id not in told and received_at < missing[external_id]
        ]
        with transaction.atomic():
            applier.apply(raws, at=at, force=True)
            Drift.objects.filter(pk__in=[each.pk for each in drifts]).update(mended_at=at)
        count += len(raws)
    record(actor=actor, action="connection.drift_mended", subject=connection, after={"records": count}, at=at)
    return count


def _packed(bits: bytearray) -> str:
    return base64.b64encode(zlib.compress(bytes(bits), 1)).decode()


def _unpacked(text: str) -> bytearray:
    return bytearray(zlib.decompress(base64.b64decode(text)))
