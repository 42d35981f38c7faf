"""How the background is: figures for the health pages, the metrics and the supervisor. Reads only, without an actor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max, Min, Q

from salesops.jobs.choices import JobState
from salesops.jobs.models import Job, Pulse
from salesops.jobs.services import CANARY

#: The name under which schedulers show that they are alive.
SCHEDULER: Final = "scheduler"
#: A canary that nobody took for so long, while nothing else moves, says that the workers are deaf.
DEAF_AFTER: Final = timedelta(seconds=30)
#: Beyond these the portal is not ready: jobs wait too long, nobody looks at the schedules.
OLDEST_DUE: Final = timedelta(minutes=15)
OLDEST_TICK: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Background:
    """The state of the background at a moment. Ages are in seconds; None when there is nothing to measure."""

    counts: dict[str, int]
    oldest_due_age: float | None
    lost_count: int
    canary_age: float | None
    scheduler_age: float | None


def background(*, at: datetime) -> Background:
    """Count and measure."""
    counts = {state.value: 0 for state in JobState}
    counts |= {row["state"]: row["count"] for row in Job.objects.order_by().values("state").annotate(count=Count("pk"))}
    waiting = Job.objects.order_by().filter(state__in=(JobState.NEW, JobState.RUNNING))
    figures = waiting.aggregate(
        oldest=Min("run_after", filter=Q(state=JobState.NEW, run_after__lte=at)),
        lost=Count("pk", filter=Q(state=JobState.RUNNING, lease_until__lt=at)),
    )
    canary_at = Job.objects.order_by().filter(kind=CANARY, state=JobState.DONE).aggregate(at=Max("finished_at"))["at"]
    return Background(
        counts=counts,
        oldest_due_age=_age(figures["oldest"], at),
        lost_count=figures["lost"],
        canary_age=_age(canary_at, at),
        scheduler_age=_age(scheduler_seen_at(), at),
    )


def scheduler_seen_at() -> datetime | None:
    """When a scheduler last showed that it is alive."""
    return Pulse.objects.filter(name=SCHEDULER).values_list("beat_at", flat=True).first()


def workers_are_deaf(*, at: datetime) -> bool:
    """Whether a canary waits although nothing has moved since: workers that live but do not listen."""
    limit = at - DEAF_AFTER
    if not Job.objects.filter(kind=CANARY, state=JobState.NEW, run_after__lte=limit).exists():
        return False
    return not Job.objects.filter(heartbeat_at__gt=limit).exists()


def pending_migrations() -> list[str]:
    """Names of migrations that the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def _age(moment: datetime | None, at: datetime) -> float | None:
    return None if moment is None else max((at - moment).total_seconds(), 0.0)
