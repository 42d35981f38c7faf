"""Asking for jobs, cancelling, retrying, tidying; refusals change nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from salesops.core.actor import NOBODY, system_actor
from salesops.jobs import registry, services, testing
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.models import Job, JobEvent, Schedule, ScheduleRun
from tests.cast import NOW, Cast
from tests.jobs.conftest import KIND, effects, enqueue

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were rung for."""
    found: list[int] = []

    def ring(job_id: int) -> bool:
        found.append(job_id)
        return True

    monkeypatch.setattr("salesops.jobs.doorbell.bell.ring", ring)
    return found


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was handed to the audit."""
    found: list[tuple[Any, ...]] = []

    def record(*, actor: Any, action: str, job: Job, before: Any, after: Any, at: Any) -> None:
        found.append((actor.name, action, job.pk, dict(before), dict(after), at))

    monkeypatch.setattr(registry._above, "record", record)
    return found


def test_a_job_is_there_with_its_data_and_rung_for_after_the_commit(
    work: None, rung: list[int], cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = enqueue(actor=cast.actor("ana"), payload={"file": 7}, url="/imports/7/")
        assert rung == []
    assert rung == [job.pk]
    job.refresh_from_db()
    assert (job.kind, job.key, job.payload, job.url) == (KIND, "work:1", {"file": 7}, "/imports/7/")
    assert (job.requested_by_id, job.requested_by_name) == (cast.ana.pk, "Ana Alvarez")
    assert (job.state, job.created_at, job.run_after, job.attempts) == (JobState.NEW, NOW, NOW, 0)


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_has_no_job_and_no_ring(work: None, rung: list[int]) -> None:
    def fail_after_asking() -> None:
        with transaction.atomic():
            enqueue()
            raise OSError

    with pytest.raises(OSError):
        fail_after_asking()
    assert Job.objects.count() == 0
    assert rung == []


@pytest.mark.django_db(transaction=True)
def test_a_doorbell_that_breaks_does_not_reach_the_caller(work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def ring(job_id: int) -> bool:
        raise OSError("the bell fell off")

    monkeypatch.setattr("salesops.jobs.doorbell.bell.ring", ring)
    job = enqueue()
    assert Job.objects.get().pk == job.pk


def test_a_job_for_later_is_not_rung_for_now(
    work: None, rung: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    later = NOW + timedelta(hours=2)
    with django_capture_on_commit_callbacks(execute=True):
        job = enqueue(run_after=later)
    assert rung == []
    assert (job.run_after, job.ring_after) == (later, later)
    assert testing.run_due(at=NOW) == []
    assert len(testing.run_due(at=later)) == 1


def test_the_same_unfinished_key_is_the_same_job(work: None) -> None:
    first = enqueue(payload={"a": 1})
    assert enqueue(payload={"a": 2}).pk == first.pk
    assert Job.objects.get().payload == {"a": 1}
    testing.run_due(at=NOW)
    assert enqueue().pk != first.pk
    assert Job.objects.count() == 2


def test_the_database_itself_refuses_two_unfinished_jobs_with_one_key(work: None) -> None:
    job = enqueue()
    copy = Job.objects.get(pk=job.pk)
    copy.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save(force_insert=True)
    assert Job.objects.count() == 1


def test_a_row_that_the_database_refuses_is_an_error_and_not_a_circle(work: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        enqueue(max_attempts=0)
    enqueue()
    testing.run_due(at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        enqueue(max_attempts=0)
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_with_the_same_key_make_one_job(work: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("threads cannot wait for one another in the tests' database in memory")
    found: list[int] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        try:
            found.append(enqueue().pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {Job.objects.get().pk}


def test_nobody_cannot_ask_and_becomes_no_system(work: None) -> None:
    with pytest.raises(PermissionDenied):
        enqueue(actor=NOBODY)
    assert Job.objects.count() == 0


def test_an_unknown_kind_is_refused_at_once() -> None:
    with pytest.raises(registry.UnknownKindError):
        enqueue(kind="test.unheard_of")
    assert Job.objects.count() == 0


def test_a_waiting_job_is_cancelled_at_once(work: None, cast: Cast, recorded: list[Any]) -> None:
    job = services.cancel(job=enqueue(), actor=cast.actor("ada"), at=NOW)
    assert (job.state, job.finished_at) == (JobState.CANCELLED, NOW)
    assert testing.run_due(at=NOW) == []
    assert effects() == []
    event = JobEvent.objects.get()
    assert (event.kind, event.by_name, event.at) == (JobEventKind.CANCEL, "Ada Admin", NOW)
    assert recorded == [("Ada Admin", "job.cancelled", job.pk, {"state": "new"}, {"state": "cancelled"}, NOW)]


def test_cancelling_a_running_job_twice_is_once(work: None, recorded: list[Any]) -> None:
    job = enqueue()
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, lease_until=NOW, attempts=1)
    for _number in range(2):
        services.cancel(job=job, actor=system_actor(), at=NOW)
    assert (job.state, job.cancel_requested_at) == (JobState.RUNNING, NOW)
    assert JobEvent.objects.count() == len(recorded) == 1


def test_an_ended_job_cannot_be_cancelled(work: None, recorded: list[Any]) -> None:
    enqueue()
    (job,) = testing.run_due(at=NOW)
    before = Job.objects.values().get()
    with pytest.raises(services.JobConflictError):
        services.cancel(job=job, actor=system_actor(), at=NOW + timedelta(hours=1))
    assert Job.objects.values().get() == before
    assert JobEvent.objects.count() == 0
    assert recorded == []


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.DEAD, JobState.CANCELLED])
def test_a_job_that_ended_badly_is_tried_again_once(
    work: None, state: JobState, recorded: list[Any], rung: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    job = enqueue()
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=NOW, attempts=5, strikes=5)
    later = NOW + timedelta(hours=1)
    with django_capture_on_commit_callbacks(execute=True):
        services.retry(job=job, actor=system_actor("Ops"), at=later)
    assert (job.state, job.attempts, job.strikes, job.run_after) == (JobState.NEW, 5, 0, later)
    assert rung == [job.pk]
    with pytest.raises(services.JobConflictError):
        services.retry(job=job, actor=system_actor("Ops"), at=later)
    assert recorded == [("Ops", "job.retried", job.pk, {"state": state.value}, {"state": "new"}, later)]
    (ended,) = testing.run_due(at=later)
    assert (ended.state, ended.attempts) == (JobState.DONE, 6)
    assert effects() == ["done"]


@pytest.mark.parametrize("state", [JobState.NEW, JobState.RUNNING, JobState.DONE])
def test_other_jobs_cannot_be_retried(work: None, state: JobState) -> None:
    job = enqueue()
    ended_at = NOW if state == JobState.DONE else None
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=ended_at, lease_until=NOW)
    before = Job.objects.values().get()
    with pytest.raises(services.JobConflictError):
        services.retry(job=job, actor=system_actor(), at=NOW)
    assert Job.objects.values().get() == before


def test_a_dead_job_whose_successor_waits_cannot_be_retried(work: None, recorded: list[Any]) -> None:
    job = enqueue()
    Job.objects.filter(pk=job.pk).update(state=JobState.DEAD, finished_at=NOW)
    enqueue()
    with pytest.raises(services.JobConflictError):
        services.retry(job=job, actor=system_actor(), at=NOW)
    job.refresh_from_db()
    assert job.state == JobState.DEAD
    assert recorded == []


def test_old_jobs_are_tidied_away_and_bad_ones_stay(work: None) -> None:
    def ended(name: str, state: JobState, age: timedelta, kind: str = KIND, asked_by: int | None = None) -> None:
        job = enqueue(key=name)
        Job.objects.filter(pk=job.pk).update(state=state, finished_at=NOW - age, kind=kind, requested_by_id=asked_by)

    days = timedelta(days=1)
    ended("old", JobState.DONE, 91 * days, asked_by=1)
    ended("young", JobState.DONE, 89 * days, asked_by=1)
    ended("came round", JobState.DONE, 8 * days)
    ended("came round lately", JobState.DONE, 6 * days)
    ended("cancelled", JobState.CANCELLED, 91 * days)
    ended("dead", JobState.DEAD, 400 * days)
    ended("canary", JobState.DONE, 2 * days, services.CANARY)
    ended("singing", JobState.DONE, days / 2, services.CANARY)
    schedule = Schedule.objects.create(
        code="x", title="X", kind=services.CANARY, rule="* * * * *", last_slot_at=NOW - 3 * days
    )
    for age in (0.5, 2.0):
        moment = NOW - age * days
        ScheduleRun.objects.create(schedule=schedule, slot_start=moment, created_at=moment)
    services.enqueue(kind="jobs.tidy", key="tidy", payload={}, actor=system_actor(), at=NOW, title="Tidy")
    (tidied,) = testing.run_due(at=NOW)
    assert (tidied.state, tidied.checkpoint["deleted"]) == (JobState.DONE, 5)
    assert set(Job.objects.values_list("key", flat=True)) == {
        "young",
        "came round lately",
        "dead",
        "singing",
        "tidy",
    }
    assert ScheduleRun.objects.get().created_at == NOW - days / 2
