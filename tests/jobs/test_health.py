"""What machines that watch the portal are told: alive, ready, figures; nothing more, and not to everybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client

from salesops.core.actor import system_actor
from salesops.jobs import health, runner, services, testing
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job, Pulse
from tests.cast import NOW
from tests.jobs.conftest import enqueue

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _frozen(frozen: time_machine.Traveller) -> None:
    """All of this happens at NOW."""


def canary(at: Any = NOW) -> Job:
    return services.enqueue(
        kind=services.CANARY, key="schedule:jobs.canary", payload={}, actor=system_actor(), at=at, title="Canary"
    )


@pytest.fixture
def ticking() -> None:
    """A scheduler was seen a moment ago."""
    Pulse.objects.create(name=health.SCHEDULER, beat_at=NOW - 5 * SECOND)


def ready() -> tuple[int, dict[str, bool]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()


def test_alive_needs_nothing(monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = Client().get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response.headers["Content-Type"] == "text/plain"


def test_ready_when_all_is_well(ticking: None, work: None) -> None:
    enqueue(at=NOW - 800 * SECOND)
    assert ready() == (200, {"database": True, "migrations": True, "jobs": True, "scheduler": True})


def test_not_ready_without_a_scheduler(work: None) -> None:
    everything_else = {"database": True, "migrations": True, "jobs": True, "scheduler": False}
    assert ready() == (503, everything_else)
    Pulse.objects.create(name=health.SCHEDULER, beat_at=NOW - 121 * SECOND)
    assert ready() == (503, everything_else)


def test_not_ready_when_jobs_wait_too_long(ticking: None, work: None) -> None:
    job = enqueue(at=NOW - 901 * SECOND)
    assert ready() == (503, {"database": True, "migrations": True, "jobs": False, "scheduler": True})
    Job.objects.filter(pk=job.pk).update(run_after=NOW + SECOND)
    assert ready()[0] == 200


def test_not_ready_with_a_migration_missing(ticking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "pending_migrations", lambda: ["deals.0009_secret_plans"])
    assert ready() == (503, {"database": True, "migrations": False, "jobs": False, "scheduler": False})


def test_not_ready_without_a_database_and_nothing_is_told(ticking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[str]:
        raise OperationalError("could not connect to 10.0.0.7 as salesops")

    monkeypatch.setattr(health, "pending_migrations", away)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json() == dict.fromkeys(("database", "migrations", "jobs", "scheduler"), False)
    assert b"10.0.0.7" not in response.content


def test_migrations_are_really_looked_at() -> None:
    assert health.pending_migrations() == []
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="jobs", name="0001_initial").delete()
    assert "jobs.0001_initial" in health.pending_migrations()


def test_the_background_is_measured(work: None, ticking: None) -> None:
    enqueue(key="due", at=NOW - 90 * SECOND)
    enqueue(key="later", run_after=NOW + 3600 * SECOND)
    lost = enqueue(key="lost")
    runner.claim(lost.pk, at=NOW - 100 * SECOND, worker="a", lease=60 * SECOND)
    Job.objects.filter(pk=lost.pk).update(state=JobState.RUNNING, lease_until=NOW - SECOND)
    dead = enqueue(key="dead")
    Job.objects.filter(pk=dead.pk).update(state=JobState.DEAD, finished_at=NOW)
    canary(at=NOW - 40 * SECOND)
    testing.run_one(Job.objects.get(kind=services.CANARY), at=NOW - 30 * SECOND)
    state = health.background(at=NOW)
    assert state.counts == {"new": 2, "running": 1, "done": 1, "failed": 0, "dead": 1, "cancelled": 0}
    assert (state.oldest_due_age, state.lost_count) == (90.0, 1)
    assert (state.canary_age, state.scheduler_age) == (30.0, 5.0)


def test_workers_are_deaf_when_a_canary_waits_and_nothing_moves(work: None) -> None:
    assert not health.workers_are_deaf(at=NOW)
    canary(at=NOW)
    assert not health.workers_are_deaf(at=NOW + 29 * SECOND)
    assert health.workers_are_deaf(at=NOW + 31 * SECOND)
    busy = enqueue()
    runner.claim(busy.pk, at=NOW + 10 * SECOND, worker="a")
    assert not health.workers_are_deaf(at=NOW + 31 * SECOND)
    assert health.workers_are_deaf(at=NOW + 41 * SECOND)
    testing.run_one(Job.objects.get(kind=services.CANARY), at=NOW + 41 * SECOND)
    assert not health.workers_are_deaf(at=NOW + 41 * SECOND)


def metrics(**headers: Any) -> Any:
    return Client().get("/metrics", **headers)


def test_figures_for_this_machine_itself(work: None, ticking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salesops.jobs.doorbell.bell.queue_length", lambda: 7)
    enqueue(at=NOW - 12 * SECOND)
    response = metrics(REMOTE_ADDR="127.0.0.1")
    assert response.status_code == 200
    lines = set(response.content.decode().splitlines())
    assert {
        'salesops_jobs{state="new"} 1.0',
        'salesops_jobs{state="dead"} 0.0',
        "salesops_jobs_oldest_due_seconds 12.0",
        "salesops_jobs_lost 0.0",
        "salesops_scheduler_age_seconds 5.0",
        "salesops_queue_messages 7.0",
    } <= lines
    assert "canary_age_seconds" not in response.content.decode()
    assert not any("python_info" in line or "version" in line for line in lines)


@pytest.mark.parametrize(
    "headers",
    [
        {"REMOTE_ADDR": "10.0.0.9"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_PROTO": "https"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=203.0.113.9"},
        {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    ],
)
def test_figures_are_not_for_others(headers: dict[str, str]) -> None:
    response = metrics(**headers)
    assert (response.status_code, response.content) == (403, b"forbidden\n")


def test_a_token_opens_the_figures_from_anywhere_and_then_nothing_else_does(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-long-random-token"
    given = {"REMOTE_ADDR": "10.0.0.9", "HTTP_AUTHORIZATION": "Bearer a-long-random-token"}
    assert metrics(**given).status_code == 200
    assert metrics(REMOTE_ADDR="10.0.0.9", HTTP_AUTHORIZATION="Bearer another").status_code == 403
    assert metrics(REMOTE_ADDR="127.0.0.1").status_code == 403
    assert metrics(REMOTE_ADDR="10.0.0.9", HTTP_AUTHORIZATION="Bearer ünïcode").status_code == 403
