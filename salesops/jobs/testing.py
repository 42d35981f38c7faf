"""For tests: run jobs in the test's own process, and kill them at every commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.utils import timezone

from salesops.jobs import runner
from salesops.jobs.choices import UNFINISHED, JobState
from salesops.jobs.models import Job


class Killed(BaseException):  # stands for a process that is gone
    """The worker was killed here."""


def run_due(*, at: datetime | None = None, raise_errors: bool = True, limit: int = 1000) -> list[Job]:
    """Run every due job, oldest first, and those that they enqueue, until none is due; the jobs as they ended.

    `at` stops the clock for due dates and for `run.now()`; without it the clock is read. What a handler raises comes
    through, unless `raise_errors` is False: then it is noted on the job as in production.
    """
    ran: list[Job] = []
    while len(ran) < limit:
        now = at or timezone.now()
        due = Job.objects.filter(state=JobState.NEW, run_after__lte=now).order_by("id").first()
        if due is None:
            return ran
        job = run_one(due, at=at, raise_errors=raise_errors)
        if job is not None:
            ran.append(job)
    raise AssertionError(f"jobs do not come to an end: {limit} runs")


def run_one(
    job: Job,
    *,
    at: datetime | None = None,
    raise_errors: bool = True,
    run_class: type[runner.JobRun] = runner.JobRun,
) -> Job | None:
    """Run this job once, as a worker would, without Celery and without a heart-beat.

    The job as it stands afterwards; None when it was not to be had.
    """
    clock = (lambda: at) if at is not None else timezone.now
    ran = runner.run(
        job.pk, worker="test", clock=clock, has_heart=False, raise_errors=raise_errors, run_class=run_class
    )
    return Job.objects.filter(pk=job.pk).first() if ran else None


def expire(job: Job) -> None:
    """Let the lease of a running job end, as after a kill."""
    long_ago = timezone.now() - timedelta(days=3650)
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(lease_until=long_ago)


def run_killed(job: Job, *, commit: int, before: bool, at: datetime | None = None) -> bool:
    """Run a job and kill it just before or just after its `commit`-th commit (1 is the first), then expire its lease.

    False when the job ended before it came so far.
    """
    count = 0

    class KilledRun(runner.JobRun):
        """A run that dies at a commit."""

        @contextmanager
        def batch(self) -> Iterator[None]:
            nonlocal count
            count += 1
            with super().batch():
                yield
                if before and count == commit:
                    raise Killed
            if count == commit:
                raise Killed

        @contextmanager
        def finish(self) -> Iterator[None]:
            nonlocal count
            count += 1
            with super().finish():
                yield
                if before and count == commit:
                    raise Killed
            if count == commit:
                raise Killed

    try:
        run_one(job, at=at, run_class=KilledRun)
    except Killed:
        expire(job)
        return True
    return False


def run_killed_everywhere(job: Job, *, at: datetime | None = None, limit: int = 1000) -> int:
    """Kill a job once before and once after each of its commits, until it is done; how often it was killed.

    Afterwards the test compares the effects with those of a run that nobody disturbed. Each run after a kill goes on
    from the last commit, so it is killed before its first commit, then after it, and so on.
    """
    kills = 0
    while Job.objects.filter(pk=job.pk, state__in=UNFINISHED).exists():
        if kills >= limit:
            raise AssertionError(f"the job does not come to an end: {limit} kills")
        for before in (True, False):
            kills += run_killed(job, commit=1, before=before, at=at)
    return kills
