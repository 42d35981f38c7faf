"""Keeps a connection in step: sweeps its objects page by page, each page and the cursor behind it in one transaction."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import DataError
from django.utils.translation import gettext as translate

from salesops.connectors.choices import SUDDENLY_EMPTY, ConnectionState, RunKind, RunState, StreamState
from salesops.connectors.models import Connection, Drift, Met, Stream, SyncRun
from salesops.connectors.services import calling, shelf
from salesops.connectors.services.applying import Applier
from salesops.connectors.services.brakes import Brake, settle
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.vendors.base import BEGINNING, Ask, Fault, FaultKind, Page, Raw, endless, moment_of
from salesops.connectors.wire import WireError
from salesops.jobs.runner import JobRun
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

log = logging.getLogger(__name__)

#: What a reply in an unknown form, or a fault of ours in reading it, raises.
UNFORESEEN: Final = (ValueError, TypeError, LookupError, ValidationError, DataError)
#: Rows that are asked for at once; None leaves it to the vendor.
PAGE_ROWS: int | None = None
#: So many pages in a row without a record are no honest end.
EMPTY_PAGES: Final = 50
#: How long the history of runs and of mended differences is kept.
KEPT: Final = timedelta(days=180)
#: So often may the very same page come in one sweep.
_SAME_PAGES: Final = 2
#: So many records do not go all at once.
_SUSPICIOUS: Final = 10
#: What was read so lately, in a run that had to wait, is not read again before the rest.
_LATELY: Final = timedelta(hours=1)
#: Windows are not halved below this.
_SMALLEST_WINDOW: Final = timedelta(seconds=1)
#: The wait after failures in a row: doubled each time, a minute to an hour.
_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=1)


def sync(run: JobRun) -> None:
    """Bring one connection up to date. What stopped before goes on where it was; a connection that is not running is
    left alone. Every fault ends as words on the connection or the object, never as a lost record."""
    connection = Connection.objects.select_related("source").filter(pk=run.payload["connection_id"]).first()
    if connection is None or connection.state != ConnectionState.RUNNING:
        with run.finish():
            pass
        return
    if "run_id" not in run.state:
        with run.batch():
            close_left(connection, RunKind.SYNC, at=run.now())
            made = SyncRun.objects.create(
                connection=connection, kind=RunKind.SYNC, started_at=run.now(), job_id=run.job.pk
            )
            run.state |= {"run_id": made.pk, "done": _read_lately(made)}
    problems: list[Problem] = []
    has_passed = False
    with calling.caller_for(connection, run) as http:
        try:
            for stream in wanted(connection):
                if stream.pk in run.state["done"]:
                    continue
                try:
                    problem = _in_step(run, stream, http)
                except _Passing as passing:
                    # One object that cannot be given keeps no other back; a second one means that the vendor cannot answer.
                    if has_passed:
                        raise _Stopped(passing.problem) from passing
                    has_passed, problem = True, passing.problem
                if problem is not None:
                    problems.append(problem)
                if run.cancelled:
                    return
        except Wait as wait:
            _end(run, connection, RunState.WAITING, wait.problem, next_at=wait.until)
            return
        except Overtaken:
            _end(run, connection, RunState.WAITING, None, next_at=run.now())
            return
        except _Stopped as stopped:
            _end(run, connection, RunState.FAILED, stopped.problem, is_broken=stopped.is_broken)
            return
    _end(run, connection, RunState.FAILED if problems else RunState.DONE, problems[0] if problems else None)


def _read_lately(run: SyncRun) -> list[int]:
    """Objects that were read to their end lately, in runs that then had to wait: this one goes on with the others. Read once
    more, they could use up the limit again, and the others would never come."""
    since = run.started_at - _LATELY
    before = SyncRun.objects.filter(
        connection=run.connection, kind=RunKind.SYNC, started_at__gte=since, pk__lt=run.pk
    ).order_by("-pk")
    waited: list[datetime] = []
    for state, started_at in before.values_list("state", "started_at"):
        if state != RunState.WAITING:
            break
        waited.append(started_at)
    if not waited:
        return []
    read = Stream.objects.filter(
        connection=run.connection, state=StreamState.FOLLOWING, last_success_at__gte=min(waited)
    ).exclude(cursor={})
    return list(read.values_list("pk", flat=True))


def wanted(connection: Connection) -> list[Stream]:
    """The objects that are kept in step, in their order: what others refer to goes first."""
    return list(
        Stream.objects.filter(connection=connection, is_wanted=True)
        .select_related("connection", "connection__source")
        .order_by("position")
    )


def close_left(connection: Connection, kind: RunKind, *, at: datetime) -> None:
    """Runs whose job ended without a word (cancelled, given up) are over when the next one begins."""
    SyncRun.objects.filter(connection=connection, kind=kind, state=RunState.RUNNING).update(
        state=RunState.FAILED, finished_at=at
    )


def forget_old(*, at: datetime) -> int:
    """Delete runs that ended long ago, and differences that were mended long ago. Gives how many."""
    runs = SyncRun.objects.filter(finished_at__lt=at - KEPT).exclude(state=RunState.RUNNING)
    mended = Drift.objects.filter(mended_at__lt=at - KEPT)
    return runs.delete()[0] + mended.delete()[0]


class Overtaken(Exception):  # noqa: N818 - not an error: it is begun anew
    """A person paused or ended the connection, changed the mapping or wants everything read once more: what is under way
    stops before its next page and is begun as it is wanted now."""


class _Stopped(Exception):  # noqa: N818 - tells a problem, and is none of ours
    """The whole connection cannot go on now."""

    def __init__(self, problem: Problem, *, is_broken: bool = False) -> None:
        super().__init__(problem.code)
        self.problem, self.is_broken = problem, is_broken


class _Passing(Exception):  # noqa: N818 - tells a problem, and is none of ours
    """The vendor could not give the next page of an object now; the sweep goes on there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def _in_step(run: JobRun, stream: Stream, http: Caller) -> Problem | None:
    """Sweep one object to its end. Gives its problem where only this object has one; raises where all may have it."""
    try:
        Sweep(run, stream, http).go()
    except Fault as fault:
        if fault.kind is FaultKind.UNAUTHORIZED:
            raise _Stopped(fault.problem, is_broken=True) from fault
        if fault.kind is FaultKind.PASSING:
            raise _Passing(fault.problem) from fault
        _note_problem(run, stream, fault.problem)
        return fault.problem
    except WireError as error:
        raise _Stopped(error.problem) from error
    except UNFORESEEN as error:
        # A fault of ours or a reply that nobody foresaw: said where people look, and the other objects go on.
        log.exception("The sync of %s failed.", stream)
        problem = unforeseen(type(error).__name__)
        _note_problem(run, stream, problem)
        return problem
    return None


def unforeseen(kind: str) -> Problem:
    """What people are told of it."""
    return Problem.of(
        "unforeseen",
        _("Something came that the portal does not understand (%(kind)s)."),
        remedy=_("It is tried again with the next sync. When it stays, the log says more."),
        kind=kind,
    )


def _note_problem(run: JobRun, stream: Stream, problem: Problem) -> None:
    """Say on the object what stands in its way. Its next sweep begins anew where the last complete one ended.

    Raises Overtaken where a person wants another sweep by now: theirs is not undone.
    """
    with run.batch():
        if _revision(stream) != stream.revision:
            raise Overtaken
        kept = {name: stream.cursor[name] for name in ("follow_from", "token") if name in stream.cursor}
        stream.cursor, stream.state, stream.error = kept, StreamState.FAILED, problem.as_plain()
        stream.save(update_fields=["cursor", "state", "error"])
        run.state["done"].append(stream.pk)


def _revision(stream: Stream) -> int | None:
    """What a person wants of an object by now, locked; None when it is gone."""
    return Stream.objects.select_for_update().filter(pk=stream.pk).values_list("revision", flat=True).first()


def check_wanted(stream: Stream) -> None:
    """Go on with an object only as it was when the work began: call it in the batch that writes. Raises Overtaken."""
    is_wanted = Stream.objects.filter(pk=stream.pk, is_wanted=True, connection__state=ConnectionState.RUNNING).exists()
    if _revision(stream) != stream.revision or not is_wanted:
        raise Overtaken


# --- One sweep


@dataclass(slots=True)
class Cursor:
    """How far a stream is, as it is kept in `Stream.cursor`.

    follow_from, token: where the next sweep begins. While one is under way: since, until, began_at (the vendor's clock
    when it began), position, phase ("rows", "deletions", "shelf"), high (newest version seen), windows (questions that
    were halved and still wait), marks (of the pages seen: to notice that they repeat), keeps_ids (of a sweep over
    the whole object: what its pages bring is kept in `Met`), may_be_empty (so many records a person said are really gone
    where this sweep brings none).
    """

    plain: dict[str, Any]

    @property
    def is_under_way(self) -> bool:
        """Whether a sweep has begun and not ended."""
        return "phase" in self.plain

    def moment(self, name: str) -> datetime | None:
        """A moment kept under a name."""
        text = self.plain.get(name)
        return datetime.fromisoformat(text) if text else None


class Sweep:
    """One sweep over one object, resumed where the last committed page left it."""

    def __init__(self, run: JobRun, stream: Stream, http: Caller) -> None:
        self.run, self.stream, self.http = run, stream, http
        self.vendor = http.vendor
        self.cursor = Cursor(stream.cursor)
        self.applier = Applier(stream, actor=run.actor, brake=Brake())
        self.object = self.applier.object

    @contextmanager
    def _batch(self) -> Iterator[None]:
        """A batch of the job, unless a person has overtaken what is under way."""
        with self.run.batch():
            check_wanted(self.stream)
            yield

    def go(self) -> None:
        """Rows, then deletions, then the shelf; the end of the sweep moves the cursor for the next one."""
        if not self.cursor.is_under_way:
            self._begin()
        while (phase := self.cursor.plain.get("phase")) in ("rows", "deletions"):
            # Deletions lead back to the rows where the vendor has forgotten what it was asked for.
            if phase == "rows":
                self._page(self.vendor.read, next_phase="deletions")
            else:
                self._page(self.vendor.deletions, next_phase="shelf")
        self._try_shelf()
        self._finish()

    def _begin(self) -> None:
        follow_from = self.cursor.moment("follow_from")
        since = None
        if follow_from is not None and not self.object.is_whole:
            since = follow_from - self.object.overlap
        self.http.begin_sweep()
        with self._batch():
            self.cursor.plain |= {
                "phase": "rows",
                "since": since.isoformat() if since else "",
                "until": "",
                "position": None,
                "asked_at": self.run.now().isoformat(),
                "high": "",
                "marks": {},
                "empty": 0,
            }
            if self.object.is_whole and self.object.sweeps_deletes:
                self.cursor.plain["keeps_ids"] = True
            self.stream.met.all().delete()
            self.cursor.plain["sweep_since"] = self.cursor.plain["since"]
            if self.stream.state == StreamState.FIRST_LOAD and self.stream.load_began_at is None:
                self.stream.load_began_at = self.run.now()
            self._keep("begun")

    def _ask(self) -> Ask:
        plain = self.cursor.plain
        return Ask(
            since=self.cursor.moment("since"),
            until=self.cursor.moment("until"),
            position=plain.get("position"),
            token=plain.get("token", ""),
            asked_at=self.cursor.moment("began_at") or self.cursor.moment("asked_at") or BEGINNING,
            columns=self.applier.mapping.columns,
            size=PAGE_ROWS,
        )

    def _page(self, read: Callable[..., Page | None], *, next_phase: str) -> None:
        plain = self.cursor.plain
        try:
            page = read(self.object, self._ask(), self.http)
        except Fault as fault:
            if fault.kind is FaultKind.TOO_MANY and self._halve():
                return
            if fault.kind is FaultKind.GONE and not plain.get("is_anew"):
                self._begin_anew()
                return
            raise
        at = self.run.now()
        with self._batch():
            if page is None:
                plain |= {"phase": next_phase, "position": None, "marks": {}}
                self._keep(next_phase)
                return
            self._guard(page)
            applied = self.applier.apply(page.raws, at=at)
            counts = applied.counts
            if applied.later:
                Met.objects.create(stream=self.stream, is_later=True, ids=applied.later)
            if "began_at" not in plain and self.http.vendor_time is not None:
                plain["began_at"] = self.http.vendor_time.isoformat()
            plain["high"] = max([plain.get("high", ""), *(raw.version for raw in page.raws)])
            if plain.get("keeps_ids") and next_phase == "deletions":
                Met.objects.create(stream=self.stream, ids=[raw.external_id for raw in page.raws if not raw.is_deleted])
            plain["position"] = page.next
            if page.horizon:
                plain["horizon"] = page.horizon
            if page.next is None and not self._next_window():
                # What was asked by halves is asked for its deletions as one.
                plain |= {"phase": next_phase, "marks": {}, "since": plain.get("sweep_since", ""), "until": ""}
            if next_phase == "deletions":
                self.stream.load_done += len(page.raws)
                if page.total is not None:
                    self.stream.load_total = max(page.total, self.stream.load_done)
            self._count(counts, pages=1)
            self._keep("page")
            self.run.progress(self.stream.load_done, self.stream.load_total, translate("records"))

    def _guard(self, page: Page) -> None:
        """Notice pages that do not end: the same position or the same rows again and again, or nothing for long."""
        plain = self.cursor.plain
        plain["empty"] = 0 if page.raws else plain.get("empty", 0) + 1
        if page.next is None:
            return
        marks = plain.setdefault("marks", {})
        for name, told in (
            ("position", page.next),
            # Without their versions: a statement may give every row a new one at every question.
            ("rows", [raw.external_id for raw in page.raws] if page.raws else None),
        ):
            if told is not None and _comes_again(marks.setdefault(name, {}), told) >= _SAME_PAGES:
                raise endless(self.object.label)
        if plain["empty"] > EMPTY_PAGES:
            raise endless(self.object.label)

    def _halve(self) -> bool:
        """Ask by two smaller windows what the vendor caps as one. False when it cannot be made smaller."""
        since = self.cursor.moment("since") or BEGINNING
        until = self.cursor.moment("until") or self.run.now() + timedelta(days=1)
        if until - since < 2 * _SMALLEST_WINDOW:
            return False
        middle = since + (until - since) / 2
        with self._batch():
            plain = self.cursor.plain
            plain.setdefault("windows", []).append([middle.isoformat(), plain.get("until", "")])
            plain |= {"until": middle.isoformat(), "position": None, "marks": {}}
            self._keep("halved")
        return True

    def _next_window(self) -> bool:
        """Go on with the next window that waits; False when none does."""
        windows = self.cursor.plain.get("windows")
        if not windows:
            return False
        since, until = windows.pop()
        self.cursor.plain |= {"since": since, "until": until, "position": None, "marks": {}}
        return True

    def _begin_anew(self) -> None:
        """What the vendor has forgotten is read once more, all of it."""
        with self._batch():
            self.cursor.plain |= {
                "phase": "rows",
                "since": "",
                "sweep_since": "",
                "until": "",
                "windows": [],
                "token": "",
                "position": None,
                "marks": {},
                "is_anew": True,
                "asked_at": self.run.now().isoformat(),
            }
            if self.object.sweeps_deletes:
                self.cursor.plain["keeps_ids"] = True
            self.stream.met.filter(is_later=False).delete()
            self._keep("anew")

    def _try_shelf(self) -> None:
        """Records that referred to something which was not here yet are tried once more."""
        while later := self.stream.met.filter(is_later=True).order_by("pk").first():
            rows = list(self.stream.records.filter(external_id__in=later.ids, is_gone=False).order_by("pk"))
            with self._batch():
                self._count(shelf.try_again(self.applier, rows, at=self.run.now()).counts)
                later.delete()
                self._keep("later")
        after = self.cursor.plain.get("shelf_after", 0)
        while rows := shelf.waiting(self.stream, after=after):
            with self._batch():
                counts = shelf.try_again(self.applier, rows, at=self.run.now()).counts
                counts.pop("refused", None)  # what is refused once more was counted when it came
                self._count(counts)
                after = self.cursor.plain["shelf_after"] = rows[-1].pk
                self._keep("shelf")

    def _finish(self) -> None:
        """Take away what a whole sweep no longer brought, settle the brake, and say where the next sweep begins."""
        plain = self.cursor.plain
        at = self.run.now()
        with self._batch():
            if plain.get("keeps_ids") and self.object.sweeps_deletes:
                self._count(self._take_away_missing(at))
            self.stream.met.all().delete()
            settle(self.stream, self.applier, at=at)
            newest = moment_of(plain.get("high", ""))
            began = self.cursor.moment("began_at")
            before = self.cursor.moment("follow_from")
            # The vendor's clock, not ours: ours may be ahead, and what changed in between would never be asked for.
            moments = [moment for moment in (began or newest, before) if moment is not None]
            follow_from = max(moments) if moments else None
            self.stream.cursor = {
                "follow_from": follow_from.isoformat() if follow_from else "",
                "token": plain.get("horizon", plain.get("token", "")),
            }
            self.cursor = Cursor(self.stream.cursor)
            self.stream.state, self.stream.error = StreamState.FOLLOWING, {}
            self.stream.last_success_at = at
            self.stream.save(update_fields=["cursor", "state", "error", "last_success_at", "load_done", "load_total"])
            self.run.state["done"].append(self.stream.pk)

    def _take_away_missing(self, at: datetime) -> Counter[str]:
        seen: set[str] = set()
        for ids in self.stream.met.filter(is_later=False).values_list("ids", flat=True).iterator(chunk_size=50):
            seen.update(ids)
        # Of more than a person was told of nobody said that it is gone.
        fewest = max(_SUSPICIOUS, self.cursor.plain.get("may_be_empty", 0) + 1)
        if not seen and self.stream.records.filter(is_gone=False).count() >= fewest:
            raise Fault(
                FaultKind.REFUSED,
                Problem.of(
                    SUDDENLY_EMPTY,
                    _("The source gave no record at all of %(object)s, where there were many: nothing was removed."),
                    remedy=_(
                        "Look whether the source is being filled anew, and what the connected user may see. If they are really"
                        " gone, say so here."
                    ),
                    object=self.object.label,
                ),
            )
        # What was pushed since the sweep began may have come after its page was read.
        began = self.cursor.moment("asked_at") or self.run.now()
        there = self.stream.records.filter(is_gone=False, received_at__lt=began)
        gone = [
            Raw(external_id, version, {}, is_deleted=True)
            for external_id, version in there.order_by()
            .values_list("external_id", "version")
            .iterator(chunk_size=5_000)
            if external_id not in seen
        ]
        return self.applier.apply(gone, at=at).counts

    def _count(self, counts: Counter[str], *, pages: int = 0) -> None:
        run = SyncRun.objects.select_for_update().get(pk=self.run.state["run_id"])
        its = Counter(run.counts.get(self.stream.object, {}))
        its.update(counts)
        run.counts = {**run.counts, self.stream.object: dict(its)}
        run.pages += pages
        run.save(update_fields=["counts", "pages"])

    def _keep(self, step: str) -> None:
        """Write cursor and job state; call it inside a batch."""
        self.stream.cursor = self.cursor.plain
        self.stream.save(update_fields=["cursor", "load_done", "load_total", "load_began_at", "state"])
        self.run.state["step"] = [self.stream.pk, step, self.run.state.get("step", [0, "", 0])[2] + 1]


def _comes_again(mark: dict[str, Any], told: Any) -> int:
    """Brent's way of noticing a circle with one remembered value: how often it came again. `mark` is kept between calls."""
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True, default=str).encode(), digest_size=12).hexdigest()
    if mark.get("digest") == digest:
        mark["again"] = mark.get("again", 0) + 1
        mark["steps"] = 0
    else:
        mark["steps"] = mark.get("steps", 0) + 1
        if "digest" not in mark or mark["steps"] >= mark.get("power", 1):
            mark |= {"digest": digest, "power": mark.get("power", 1) * 2, "steps": 0, "again": 0}
    return int(mark.get("again", 0))


# --- The end of a run


def _end(
    run: JobRun,
    connection: Connection,
    state: RunState,
    problem: Problem | None,
    *,
    next_at: datetime | None = None,
    is_broken: bool = False,
) -> None:
    """Close the run, say how the connection is, and when it is due again."""
    at = run.now()
    with run.finish():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        failed = state == RunState.FAILED
        row.failures = row.failures + 1 if failed else 0 if state == RunState.DONE else row.failures
        wait = timedelta(minutes=row.sync_every)
        if failed:
            wait = max(wait, min(_FIRST_WAIT * 2 ** min(row.failures - 1, 10), _LONGEST_WAIT))
        if row.state == ConnectionState.RUNNING:
            row.next_sync_at = next_at or at + wait
        if problem is not None or state != RunState.WAITING:
            row.error = problem.as_plain() if problem else {}
        if state == RunState.DONE:
            row.last_success_at, row.failing_since = at, None
        elif failed and row.failing_since is None:
            row.failing_since = at
        if is_broken and row.state == ConnectionState.RUNNING:
            row.state = ConnectionState.BROKEN
        row.save()
        SyncRun.objects.filter(pk=run.state["run_id"]).update(
            state=state, finished_at=at, error=problem.as_plain() if problem else {}
        )
