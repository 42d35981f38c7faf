"""Rings again for jobs that nobody took or whose worker is gone, with back-off and back-pressure; any number of copies."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from salesops.jobs import registry, runner
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.doorbell import Doorbell, bell
from salesops.jobs.models import Job, JobEvent

log = logging.getLogger(__name__)

#: Between two rings for the same job: 5 s, 10 s, 20 s ... at most 5 minutes.
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=5)
#: When the broker did not take a ring, the job is rung for again so much later.
AFTER_FAILURE: Final = timedelta(seconds=2)
#: Rows looked at in one sweep.
SWEEP_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep did."""

    rung: int = 0
    given_up: int = 0
    cancelled: int = 0


def wait_before_ring(rings: int) -> timedelta:
    """The wait after so many rings in vain."""
    return min(FIRST_WAIT * 2 ** min(rings, 10), LONGEST_WAIT)


def sweep(*, at: datetime, doorbell: Doorbell = bell) -> Sweep:
    """One round: end what is lost for good, ring for what is due. Costs two reads when there is nothing to do."""
    given_up, cancelled = _end_lost(at)
    return Sweep(rung=_ring(at, doorbell), given_up=given_up, cancelled=cancelled)


def _end_lost(at: datetime) -> tuple[int, int]:
    """End jobs whose worker is gone and that must not run again: cancelled ones, and those without strikes left."""
    lost = Job.objects.filter(state=JobState.RUNNING, lease_until__lt=at)
    given_up = cancelled = 0
    for job in lost.filter(Q(cancel_requested_at__isnull=False) | Q(strikes__gte=F("max_attempts")))[:SWEEP_SIZE]:
        if job.cancel_requested_at is None:
            given_up += runner.give_up(job, at=at)
            continue
        with transaction.atomic():
            ended = lost.filter(pk=job.pk, attempts=job.attempts).update(state=JobState.CANCELLED, finished_at=at)
            if ended:
                JobEvent.objects.create(job=job, at=at, kind=JobEventKind.LOST, attempt=job.attempts)
        cancelled += ended
    return given_up, cancelled


def _waiting(at: datetime) -> QuerySet[Job]:
    return Job.objects.filter(Q(state=JobState.NEW, run_after__lte=at) | Q(state=JobState.RUNNING, lease_until__lt=at))


def _ring(at: datetime, doorbell: Doorbell) -> int:
    """Ring for due jobs, as many as the queue has room for. Never talks to the broker while rows are locked."""
    # Nobody's message waits in an empty queue, so the back-off need not be waited for (a broker that was wiped).
    patient = Q(ring_after__lte=at)
    impatient = Q(rung_at__lte=at - FIRST_WAIT, kind__in=registry.kinds())
    if not _waiting(at).filter(patient | impatient).exists():
        return 0
    length = doorbell.queue_length()
    if length is None:
        return 0
    chosen = patient | impatient if length == 0 else patient
    room = min(doorbell.room(), SWEEP_SIZE)
    if room <= 0:
        return 0
    with transaction.atomic():
        # Another relay's rows are skipped on PostgreSQL; on SQLite the write lock is already ours.
        rows = list(
            _waiting(at).filter(chosen).select_for_update(skip_locked=True).order_by("ring_after").only("rings")[:room]
        )
        for row in rows:
            row.ring_after, row.rung_at = at + wait_before_ring(row.rings), at
            row.rings += 1
        Job.objects.bulk_update(rows, ["ring_after", "rung_at", "rings"], batch_size=200)
    failed = [row.pk for row in rows if not doorbell.ring(row.pk)]
    if failed:
        Job.objects.filter(pk__in=failed, rung_at=at).update(
            ring_after=at + AFTER_FAILURE, rung_at=None, rings=Greatest(F("rings") - 1, 0)
        )
    return len(rows) - len(failed)
