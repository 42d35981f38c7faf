"""A job runs once for all it does: batches, finish, fencing, cancel, errors, giving up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from salesops.core.actor import Actor, Role, system_actor
from salesops.core.models import FeatureSwitch
from salesops.jobs import registry, runner, services, testing
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.models import Job, JobEvent
from tests.cast import NOW

SYSTEM = system_actor()


def effects() -> list[str]:
    """What the test handlers did: rows of a table whose code is unique, so that a double would also raise."""
    return list(FeatureSwitch.objects.order_by("id").values_list("code", flat=True))


def effect(code: str) -> None:
    """Leave one effect."""
    FeatureSwitch.objects.create(code=code, label=code)


@pytest.fixture
def handle() -> Iterator[Callable[[Callable[[runner.JobRun], None]], None]]:
    """Register a handler of "test.work" for one test."""

    def register(function: Callable[[runner.JobRun], None]) -> None:
        registry._HANDLERS["test.work"] = function

    yield register
    registry._HANDLERS.pop("test.work", None)


def enqueue(**changes: Any) -> Job:
    """Enqueue "test.work" as the portal, at NOW."""
    given: dict[str, Any] = {"key": "work:1", "payload": {}, "actor": SYSTEM, "at": NOW, "title": "Work"}
    return services.enqueue(kind="test.work", **(given | changes))


def three_batches(run: runner.JobRun) -> None:
    """Three effects in three batches, a fourth with the end."""
    for number in range(run.state.get("next", 0), 3):
        with run.batch():
            effect(f"part-{number}")
            run.state["next"] = number + 1
            run.progress(number + 1, 3, f"part {number}")
    with run.finish():
        effect("end")


@pytest.mark.django_db
def test_a_job_runs_to_its_end(handle: Any) -> None:
    handle(three_batches)
    job = enqueue()
    (ended,) = testing.run_due(at=NOW)
    assert ended.pk == job.pk
    assert (ended.state, ended.attempts, ended.strikes) == (JobState.DONE, 1, 0)
    assert (ended.done_count, ended.total_count, ended.note, ended.percent) == (3, 3, "part 2", 100)
    assert (ended.started_at, ended.finished_at, ended.checkpoint) == (NOW, NOW, {"next": 3})
    assert effects() == ["part-0", "part-1", "part-2", "end"]
    assert testing.run_due(at=NOW) == []


@pytest.mark.django_db
def test_killed_before_and_after_each_commit_the_effects_are_the_same(handle: Any) -> None:
    handle(three_batches)
    job = enqueue()
    assert testing.run_killed_everywhere(job) == 8
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DONE, 8)
    assert effects() == ["part-0", "part-1", "part-2", "end"]
    assert JobEvent.objects.filter(job=job, kind=JobEventKind.LOST).count() == 7
