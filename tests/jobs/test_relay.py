"""The relay rings for what nobody took, with back-off and back-pressure, and ends what is lost for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from salesops.core.actor import system_actor
from salesops.jobs import relay, runner, services
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.models import Job, JobEvent
from tests.cast import NOW, Cast
from tests.jobs.conftest import enqueue

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


class Bell:
    """A doorbell that keeps count."""

    def __init__(self, *, length: int | None = 1, limit: int = 500) -> None:
        self.rung: list[int] = []
        self.length, self.limit = length, limit
        self.is_broken = False

    def ring(self, job_id: int) -> bool:
        if self.is_broken:
            return False
        self.rung.append(job_id)
        return True

    def queue_length(self) -> int | None:
        return self.length

    def room(self) -> int:
        return 0 if self.length is None else self.limit - self.length


def sweep(bell: Bell, seconds: float) -> relay.Sweep:
    return relay.sweep(at=NOW + seconds * SECOND, doorbell=bell)  # type: ignore[arg-type]  # it rings like one


def test_a_job_is_rung_for_again_with_growing_patience(work: None) -> None:
    job = enqueue()
    bell = Bell()
    times = []
    for second in range(700):
        if sweep(bell, second).rung:
            times.append(second)
    assert times == [5, 10, 20, 40, 80, 160, 320, 620]
    assert set(bell.rung) == {job.pk}
    job.refresh_from_db()
    assert job.rings == 8


def test_an_empty_queue_means_that_rings_were_lost(work: None) -> None:
    enqueue()
    bell = Bell(length=0)
    times = [second for second in range(30) if sweep(bell, second).rung]
    assert times == [5, 10, 15, 20, 25]


def test_nothing_is_rung_for_before_it_is_due_or_after_it_ended(work: None) -> None:
    enqueue(key="later", run_after=NOW + 3600 * SECOND)
    done = enqueue(key="done")
    Job.objects.filter(pk=done.pk).update(state=JobState.DONE, finished_at=NOW)
    bell = Bell(length=0)
    assert sweep(bell, 3599).rung == 0
    assert sweep(bell, 3600).rung == 1


def test_a_job_whose_worker_is_gone_is_rung_for(work: None) -> None:
    job = enqueue()
    runner.claim(job.pk, at=NOW, worker="a", lease=timedelta(seconds=60))
    bell = Bell()
    times = [second for second in range(120) if sweep(bell, second).rung]
    assert times == [61, 66, 76, 96]


def test_no_more_is_rung_than_the_queue_has_room_for(work: None) -> None:
    jobs = [enqueue(key=f"work:{number}") for number in range(12)]
    bell = Bell(length=3, limit=10)
    assert sweep(bell, 6).rung == 7
    bell.length = 10
    assert sweep(bell, 7).rung == 0
    bell.length = 5
    assert sweep(bell, 8).rung == 5
    assert sorted(bell.rung) == [job.pk for job in jobs]


def test_a_broker_that_is_away_costs_no_patience(work: None) -> None:
    job = enqueue()
    bell = Bell()
    bell.is_broken = True
    assert sweep(bell, 6).rung == 0
    job.refresh_from_db()
    assert (job.rings, job.ring_after) == (0, NOW + 8 * SECOND)
    bell.is_broken = False
    assert sweep(bell, 8).rung == 1
    assert sweep(Bell(length=None), 300).rung == 0


def test_two_relays_do_not_ring_twice(work: None) -> None:
    for number in range(20):
        enqueue(key=f"work:{number}")
    first, second = Bell(), Bell()
    assert (sweep(first, 6).rung, sweep(second, 6).rung) == (20, 0)


def test_an_idle_sweep_only_reads(work: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2) as captured:
        sweep(Bell(), 0)
    assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)


def test_a_job_without_strikes_left_is_given_up_though_nobody_rings(work: None) -> None:
    job = enqueue(max_attempts=1)
    runner.claim(job.pk, at=NOW, worker="a", lease=timedelta(seconds=60))
    assert sweep(Bell(length=None), 60).given_up == 0
    assert sweep(Bell(length=None), 61).given_up == 1
    job.refresh_from_db()
    assert (job.state, job.finished_at) == (JobState.DEAD, NOW + 61 * SECOND)
    assert sweep(Bell(), 62) == relay.Sweep()


def test_a_lost_job_that_was_cancelled_is_ended(work: None, cast: Cast) -> None:
    job = enqueue()
    runner.claim(job.pk, at=NOW, worker="a", lease=timedelta(seconds=60))
    services.cancel(job=job, actor=system_actor(), at=NOW)
    assert sweep(Bell(), 61) == relay.Sweep(cancelled=1)
    job.refresh_from_db()
    assert (job.state, job.finished_at) == (JobState.CANCELLED, NOW + 61 * SECOND)
    kinds = list(JobEvent.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == [JobEventKind.CANCEL, JobEventKind.LOST]
