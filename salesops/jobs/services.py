"""Changes to jobs that people and other rooms ask for: enqueue, cancel, retry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q

from salesops.core.actor import Actor
from salesops.jobs import registry
from salesops.jobs.choices import RETRYABLE, UNFINISHED, JobEventKind, JobState
from salesops.jobs.doorbell import bell
from salesops.jobs.models import Job, JobEvent, ScheduleRun

#: How long the relay leaves a fresh job to its first ring.
FIRST_RING: Final = timedelta(seconds=5)
#: How often a refused row is tried, each time after looking for a job with its key.
ENQUEUE_TRIES: Final = 3
#: The job that does nothing, each minute: that it is done shows that workers listen.
CANARY: Final = "jobs.canary"
#: How long ended jobs are kept.
KEEP: Final = timedelta(days=90)
KEEP_OWN: Final = timedelta(days=7)
KEEP_CANARY: Final = timedelta(days=1)


class JobConflictError(Exception):
    """The job is not in a state in which this can be done. Nothing was changed."""


def enqueue(
    *,
    kind: str,
    key: str,
    payload: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    title: str,
    run_after: datetime | None = None,
    max_attempts: int = 5,
    url: str = "",
) -> Job:
    """Write a job in the caller's transaction and ring for it after the commit.

    While a job with the same `key` is unfinished, that job is returned and nothing is written: put the asker's id into
    the key when what comes out depends on who asks. `url` is the page on which people see what came of it. The job acts
    for `actor` with the rights they have when it runs. Raises UnknownKindError without a handler for `kind`,
    PermissionDenied for somebody who is not logged in.
    """
    if registry.handler_of(kind) is None:
        raise registry.UnknownKindError(kind)
    if actor.user_id is None and not actor.is_system:
        raise PermissionDenied
    due_at = max(run_after, at) if run_after else at
    with transaction.atomic():
        for tries_left in range(ENQUEUE_TRIES - 1, -1, -1):
            known = Job.objects.filter(key=key, state__in=UNFINISHED).first()
            if known is not None:
                return known
            try:
                with transaction.atomic():
                    job = Job.objects.create(
                        kind=kind,
                        key=key,
                        title=str(title)[:200],
                        url=url,
                        payload=dict(payload),
                        requested_by_id=None if actor.is_system else actor.user_id,
                        requested_by_name=actor.name[:150],
                        created_at=at,
                        run_after=due_at,
                        ring_after=due_at if due_at > at else at + FIRST_RING,
                        rung_at=None if due_at > at else at,
                        max_attempts=max_attempts,
                    )
                break
            except IntegrityError:
                # Somebody was faster with this key, and that job may even have ended since; or the row itself is bad.
                if not tries_left:
                    raise
        if due_at <= at:
            _ring_after_commit(job)
    return job


def _ring_after_commit(job: Job) -> None:
    """Ring once the job is committed; whatever goes wrong with the ring is logged and reaches nobody."""

    def ring() -> None:
        bell.ring(job.pk)

    transaction.on_commit(ring, robust=True)


def _state_of(job: Job) -> str:
    """The state as it is in the database now; the row at hand may be old."""
    return str(Job.objects.values_list("state", flat=True).get(pk=job.pk))


def cancel(*, job: Job, actor: Actor, at: datetime) -> Job:
    """Stop a job: a waiting one at once, a running one at its next batch.

    Raises JobConflictError when it has ended. Asking twice is the same as asking once.
    """
    with transaction.atomic():
        before = _state_of(job)
        stopped = Job.objects.filter(pk=job.pk, state=JobState.NEW).update(
            state=JobState.CANCELLED, finished_at=at, cancel_requested_at=at
        )
        asked = stopped or Job.objects.filter(
            pk=job.pk, state=JobState.RUNNING, cancel_requested_at__isnull=True
        ).update(cancel_requested_at=at)
        job.refresh_from_db()
        if not asked:
            if job.state == JobState.RUNNING:
                return job
            raise JobConflictError
        JobEvent.objects.create(
            job=job, at=at, kind=JobEventKind.CANCEL, attempt=job.attempts, by_name=actor.name[:150]
        )
        registry.record(
            actor=actor, action="job.cancelled", job=job, before={"state": before}, after={"state": job.state}, at=at
        )
    return job


def retry(*, job: Job, actor: Actor, at: datetime) -> Job:
    """Let a failed, dead or cancelled job run again from where it stood.

    The attempts are not set back, because they are the fencing token: only the strikes are forgiven. Raises
    JobConflictError when the job is not one of those, or another job with its key is waiting or running.
    """
    with transaction.atomic():
        before = _state_of(job)
        try:
            with transaction.atomic():
                changed = Job.objects.filter(pk=job.pk, state__in=RETRYABLE).update(
                    state=JobState.NEW,
                    strikes=0,
                    rings=0,
                    run_after=at,
                    ring_after=at + FIRST_RING,
                    rung_at=at,
                    finished_at=None,
                    cancel_requested_at=None,
                    lease_until=None,
                )
        except IntegrityError as error:
            raise JobConflictError from error
        if not changed:
            raise JobConflictError
        job.refresh_from_db()
        JobEvent.objects.create(job=job, at=at, kind=JobEventKind.RETRY, attempt=job.attempts, by_name=actor.name[:150])
        registry.record(
            actor=actor, action="job.retried", job=job, before={"state": before}, after={"state": job.state}, at=at
        )
        _ring_after_commit(job)
    return job


def tidy(*, at: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` rows that nobody asks for any more; how many, 0 when all is tidy.

    Jobs that people asked for stay 90 days after their end, those that came round by themselves and their slots a week,
    canaries one day. Failed and dead jobs stay, until somebody has dealt with them.
    """
    old = Job.objects.filter(state__in=(JobState.DONE, JobState.CANCELLED))
    ids = list(
        old.filter(
            Q(finished_at__lt=at - KEEP)
            | Q(finished_at__lt=at - KEEP_OWN, requested_by_id__isnull=True)
            | Q(finished_at__lt=at - KEEP_CANARY, kind=CANARY)
        ).values_list("pk", flat=True)[:limit]
    )
    runs = list(ScheduleRun.objects.filter(created_at__lt=at - KEEP_OWN).values_list("pk", flat=True)[:limit])
    canary_runs = list(
        ScheduleRun.objects.filter(created_at__lt=at - KEEP_CANARY, schedule__kind=CANARY).values_list("pk", flat=True)[
            :limit
        ]
    )
    with transaction.atomic():
        ScheduleRun.objects.filter(pk__in={*runs, *canary_runs}).delete()
        Job.objects.filter(pk__in=ids).delete()
    return len(ids) + len({*runs, *canary_runs})
