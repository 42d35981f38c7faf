"""Runs one job: claims its row, calls its handler, ends it. Whoever lost the lease can no longer write."""

from __future__ import annotations

import copy
import json
import logging
import threading
import time
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from salesops.core.actor import Actor
from salesops.jobs import registry
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.models import Job, JobEvent

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

#: How long a worker that shows no sign of life keeps its job.
LEASE: Final = timedelta(seconds=settings.JOB_LEASE_SECONDS)
#: The wait before a job that raised is tried again: 5 s, 10 s, 20 s ... at most 5 minutes.
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=5)
#: Progress outside a batch is written at most once in so many seconds.
PROGRESS_EVERY: Final = 1.0
_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE", "ALTER", "DROP", "COPY")


class JobFailedError(Exception):
    """Raised by a handler when trying again cannot help. The message is shown to the person who asked."""


class JobMisuseError(RuntimeError):
    """A handler breaks the rules that make a job safe to kill at any moment."""


class StopJob(BaseException):  # not an error; a handler's `except Exception` must not swallow it
    """The handler has to stop here; what it wrote since the last commit is rolled back."""


class LeaseLost(StopJob):  # as above
    """Another worker owns the job by now."""


class JobCancelled(StopJob):  # as above
    """Somebody cancelled the job."""


def wait_before_retry(strikes: int) -> timedelta:
    """The wait after so many attempts in vain: doubled each time, 5 s to 5 minutes."""
    return min(FIRST_WAIT * 2 ** min(max(strikes - 1, 0), 10), LONGEST_WAIT)


class JobRun:
    """One attempt at a job, as its handler sees it.

    A handler writes only inside `with run.batch():`, which moves `run.state` on, or inside `with run.finish():`, which
    ends the job. Both are one transaction, refused when another worker took over. A handler that is killed is called
    again and finds in `run.state` what the last committed batch put there.
    """

    def __init__(self, job: Job, *, clock: Clock, lease: timedelta = LEASE) -> None:
        self.job = job
        self.token = job.attempts
        self.state: dict[str, Any] = copy.deepcopy(job.checkpoint)
        self._clock = clock
        self._lease = lease
        self._actor: Actor | None = None
        self._may_write = False
        self._is_finished = False
        self._saw_cancel = False
        self._progress: dict[str, Any] = {}
        self._progress_at = float("-inf")

    @property
    def payload(self) -> dict[str, Any]:
        """What was enqueued."""
        return dict(self.job.payload)

    @property
    def key(self) -> str:
        """The job's business key: outside effects (mail, calls to vendors) carry an idempotency key made from it."""
        return self.job.key

    @property
    def actor(self) -> Actor:
        """Whom the job acts for, with the rights as of this run."""
        if self._actor is None:
            self._actor = registry.actor_for_job(self.job, at=self._clock())
        return self._actor

    def now(self) -> datetime:
        """The moment, for everything the handler writes."""
        return self._clock()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop. A handler that reads True and returns has stopped."""
        self._saw_cancel = self._mine().filter(cancel_requested_at__isnull=False).exists()
        return self._saw_cancel

    def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say how far the job is. Written with the batch; outside a batch at once, but at most once a second.

        Outside a batch it also extends the lease and raises LeaseLost when another worker took over.
        """
        self._progress = {"done_count": done, "note": str(note)[:300]}
        if total is not None:
            self._progress["total_count"] = total
        if self._may_write or time.monotonic() - self._progress_at < PROGRESS_EVERY:
            return
        self._may_write = True
        try:
            self._keep()
        finally:
            self._may_write = False
        self._progress_at = time.monotonic()

    def link(self, url: str) -> None:
        """Name the page that shows what came of the job; kept with the next batch."""
        self._progress["url"] = url[:300]

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction: the effects, `run.state`, the progress and a longer lease, or nothing of it.

        `run.state` must be moved on, so that a run after a kill knows that this batch is behind it. Raises LeaseLost,
        JobCancelled before the body, or JobMisuseError.
        """
        with self._transaction() as before:
            yield
            if self._as_stored(self.state) == before:
                raise JobMisuseError("run.batch() must move run.state on; use run.finish() for the last step")
            self._keep(checkpoint=self.state, strikes=0)

    @contextmanager
    def finish(self) -> Iterator[None]:
        """The last transaction: the effects and the end of the job, or neither."""
        with self._transaction():
            yield
            self._end()
        self._is_finished = True

    @property
    def is_finished(self) -> bool:
        """Whether the job's end is committed."""
        return self._is_finished

    @property
    def stops_for_cancel(self) -> bool:
        """Whether the handler was told that somebody wants it to stop."""
        return self._saw_cancel

    @contextmanager
    def _transaction(self) -> Iterator[str]:
        """A durable transaction in which the handler may write; `run.state` is put back when it fails."""
        if self._may_write:
            raise JobMisuseError("run.batch() and run.finish() cannot be nested")
        if self._is_finished:
            raise JobMisuseError("the job has finished")
        owned = self._mine().values_list("cancel_requested_at").first()
        if owned is None:
            raise LeaseLost
        if owned != (None,):
            raise JobCancelled
        before = self._as_stored(self.state)
        self._may_write = True
        try:
            with transaction.atomic(durable=True):
                yield before
        except BaseException:
            self.state.clear()
            self.state.update(json.loads(before))
            raise
        finally:
            self._may_write = False

    def _mine(self) -> Any:
        """The job's row, as long as this attempt owns it."""
        return Job.objects.filter(pk=self.job.pk, state=JobState.RUNNING, attempts=self.token)

    def _keep(self, **columns: Any) -> None:
        """Write to the job's row and extend the lease; raises LeaseLost when another worker owns it."""
        now = self._clock()
        columns |= self._progress
        if not self._mine().update(lease_until=now + self._lease, heartbeat_at=now, **columns):
            raise LeaseLost

    def _end(self) -> None:
        """Mark the job done; raises LeaseLost when another worker owns it."""
        now = self._clock()
        self._keep(state=JobState.DONE, finished_at=now, checkpoint=self.state, strikes=0, last_error="")

    @staticmethod
    def _as_stored(state: dict[str, Any]) -> str:
        return json.dumps(state, sort_keys=True)

    def guard_writes(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Refuse to write outside a batch, where a kill or a second worker could double the effect."""
        if not self._may_write and sql.lstrip("( \n").upper().startswith(_WRITES):
            raise JobMisuseError("a handler writes inside run.batch() or run.finish()")
        return execute(sql, params, many, context)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A transaction of its own, between batches, for what the world outside knows already and a rollback of ours
        cannot take back: a request that was spent, a token that was renewed. It is no progress of the job."""
        if self._may_write:
            raise JobMisuseError("run.aside() stands between batches")
        self._may_write = True
        try:
            with transaction.atomic():
                yield
        finally:
            self._may_write = False

    @contextmanager
    def _free(self) -> Iterator[None]:
        """For the runner's own writes between batches."""
        self._may_write = True
        try:
            yield
        finally:
            self._may_write = False


class _Heart(threading.Thread):
    """Extends the lease while the process lives and the handler computes; stops with it, also under SIGSTOP."""

    def __init__(self, job: Job, *, clock: Clock, lease: timedelta) -> None:
        super().__init__(name=f"job-{job.pk}-heart", daemon=True)
        self._job_id, self._token = job.pk, job.attempts
        self._clock, self._lease = clock, lease
        self._stopped = threading.Event()

    def run(self) -> None:
        """Beat four times in a lease until the job has ended or is lost."""
        try:
            while not self._stopped.wait(self._lease.total_seconds() / 4):
                if not self._beat():
                    return
        finally:
            connection.close()

    def _beat(self) -> bool:
        now = self._clock()
        try:
            mine = Job.objects.filter(pk=self._job_id, state=JobState.RUNNING, attempts=self._token)
            return bool(mine.update(lease_until=now + self._lease, heartbeat_at=now))
        except DatabaseError as error:
            log.warning("The lease of job %s was not extended: %s", self._job_id, type(error).__name__)
            connection.close()
            return True

    def stop(self) -> None:
        """No more beats."""
        self._stopped.set()


def _is_due(now: datetime) -> Q:
    return Q(state=JobState.NEW, run_after__lte=now) | Q(state=JobState.RUNNING, lease_until__lt=now)


def claim(job_id: int, *, at: datetime, worker: str, lease: timedelta = LEASE) -> Job | None:
    """Take a due job, or one whose worker is gone, by one conditional UPDATE. None when it is not to be had.

    A job whose strikes are used up is given up instead; one that was cancelled while nobody ran it is ended.
    """
    with transaction.atomic():
        seen = Job.objects.filter(_is_due(at), pk=job_id).first()
        if seen is None or registry.handler_of(seen.kind) is None:
            return None
        same = Job.objects.filter(_is_due(at), pk=job_id, attempts=seen.attempts)
        if seen.cancel_requested_at is not None:
            same.update(state=JobState.CANCELLED, finished_at=at)
            return None
        if seen.strikes >= seen.max_attempts:
            give_up(seen, at=at)
            return None
        was_lost = seen.state == JobState.RUNNING
        changes: dict[str, Any] = {"last_error": _("The worker stopped before the job ended.")} if was_lost else {}
        taken = same.update(
            state=JobState.RUNNING,
            lease_until=at + lease,
            heartbeat_at=at,
            attempts=F("attempts") + 1,
            strikes=F("strikes") + 1,
            rings=0,
            worker=worker[:120],
            started_at=Coalesce(F("started_at"), at),
            ring_after=at + lease,
            **changes,
        )
        if taken != 1:
            return None
        if was_lost:
            JobEvent.objects.create(
                job=seen, at=at, kind=JobEventKind.LOST, attempt=seen.attempts, text=changes["last_error"]
            )
        return Job.objects.get(pk=job_id)


def give_up(job: Job, *, at: datetime) -> bool:
    """Mark a job dead whose strikes are used up and nobody runs, and tell people. False when somebody was faster."""
    with transaction.atomic():
        reason = job.last_error
        if job.state == JobState.RUNNING:
            reason = _("The worker stopped before the job ended, %(count)s times without getting on.") % {
                "count": job.strikes
            }
        changed = Job.objects.filter(
            _is_due(at), pk=job.pk, attempts=job.attempts, strikes__gte=F("max_attempts")
        ).update(state=JobState.DEAD, finished_at=at, last_error=reason)
        if not changed:
            return False
        job.refresh_from_db()
        JobEvent.objects.create(job=job, at=at, kind=JobEventKind.DEAD, attempt=job.attempts, text=reason)
        registry.tell_dead(job, at=at)
    log.error("Job %s (%s) was given up after %s attempts.", job.pk, job.kind, job.attempts)
    return True


def run(
    job_id: int,
    *,
    worker: str,
    clock: Clock = timezone.now,
    lease: timedelta = LEASE,
    has_heart: bool = True,
    raise_errors: bool = False,
    run_class: type[JobRun] = JobRun,
) -> bool:
    """Claim a job and run it to where it gets. False when it was not to be had.

    `raise_errors` is for tests: what a handler raises comes through instead of being noted.
    """
    job = claim(job_id, at=clock(), worker=worker, lease=lease)
    if job is None:
        return False
    attempt = run_class(job, clock=clock, lease=lease)
    heart = _Heart(job, clock=clock, lease=lease) if has_heart else None
    if heart:
        heart.start()
    with structlog.contextvars.bound_contextvars(job=job.pk, job_kind=job.kind):
        try:
            _attempt(attempt)
        except LeaseLost:
            log.warning("Job %s: another worker took over; attempt %s wrote nothing more.", job.pk, attempt.token)
        except JobCancelled:
            _leave(attempt, state=JobState.CANCELLED, finished_at=clock())
        except SoftTimeLimitExceeded:
            _pause(attempt)
        except JobFailedError as error:
            _fail(attempt, str(error))
        except Exception as error:  # any fault of a handler is the job's, never the worker's
            if raise_errors:
                raise
            log.exception("Job %s (%s) raised.", job.pk, job.kind)
            _try_again(attempt, error)
        finally:
            if heart:
                heart.stop()
    return True


def _attempt(attempt: JobRun) -> None:
    """Call the handler in its asker's language and time zone, then end the job."""
    handler = registry.handler_of(attempt.job.kind)
    if handler is None:
        raise registry.UnknownKindError(attempt.job.kind)
    actor = attempt.actor
    if actor.user_id is None and not actor.is_system:
        raise JobFailedError(_("The person who asked for this may no longer use the portal."))
    with (
        translation.override(actor.language),
        timezone.override(zoneinfo.ZoneInfo(actor.time_zone)),
        connection.execute_wrapper(attempt.guard_writes),
    ):
        handler(attempt)
        if attempt.is_finished:
            return
        if attempt.stops_for_cancel:
            raise JobCancelled
        with attempt.finish():
            pass


def _leave(attempt: JobRun, *, event: JobEventKind | None = None, text: str = "", **columns: Any) -> bool:
    """End this attempt, unless another worker owns the job by now."""
    with transaction.atomic():
        job = attempt.job
        left = Job.objects.filter(pk=job.pk, state=JobState.RUNNING, attempts=attempt.token).update(**columns)
        if left and event is not None:
            JobEvent.objects.create(job=job, at=attempt.now(), kind=event, attempt=attempt.token, text=text)
    return bool(left)


def _pause(attempt: JobRun) -> None:
    """The time a worker gives one job is used up: go on from the last batch with the next ring."""
    now = attempt.now()
    text = _("Paused after the time a worker gives one job; it goes on from its last batch.")
    _leave(attempt, event=JobEventKind.PAUSED, text=text, state=JobState.NEW, run_after=now, ring_after=now)


def _fail(attempt: JobRun, message: str) -> None:
    """Trying again cannot help: say why."""
    _leave(
        attempt,
        event=JobEventKind.FAILED,
        text=message,
        state=JobState.FAILED,
        finished_at=attempt.now(),
        last_error=message,
    )


def _try_again(attempt: JobRun, error: Exception) -> None:
    """Note the error and try later, or give up when the strikes are used up."""
    job, now = attempt.job, attempt.now()
    # The kind of the error and not its text: a text may hold other people's data, and it is in the log.
    text = f"{type(error).__module__}.{type(error).__qualname__}"
    with transaction.atomic():
        strikes = Job.objects.filter(pk=job.pk).values_list("strikes", flat=True).first() or job.strikes
        due_at = now + (wait_before_retry(strikes) if strikes < job.max_attempts else timedelta(0))
        if not _leave(
            attempt,
            event=JobEventKind.ERROR,
            text=text,
            state=JobState.NEW,
            run_after=due_at,
            ring_after=due_at,
            last_error=text,
        ):
            return
        job.refresh_from_db()
        if job.strikes >= job.max_attempts:
            give_up(job, at=now)
