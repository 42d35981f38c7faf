"""A job does its work once: batches, finish, fencing, cancel, errors, giving up, whose rights it has."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone, translation

from salesops.core.actor import NOBODY, Actor, Role
from salesops.jobs import registry, runner, services, testing
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.models import Job, JobEvent
from tests.cast import NOW, Cast
from tests.jobs.conftest import KIND, effect, effects, enqueue, one_step, three_batches

pytestmark = pytest.mark.django_db
LEASE = timedelta(seconds=60)


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


def kinds_of_events(job: Job) -> list[str]:
    return list(JobEvent.objects.filter(job=job).order_by("id").values_list("kind", flat=True))


def test_a_job_runs_to_its_end(handle: Any) -> None:
    handle(three_batches)
    job = enqueue()
    (ended,) = testing.run_due(at=NOW)
    assert ended.pk == job.pk
    assert (ended.state, ended.attempts, ended.strikes) == (JobState.DONE, 1, 0)
    assert (ended.done_count, ended.total_count, ended.note, ended.percent) == (3, 3, "part 2", 100)
    assert (ended.started_at, ended.finished_at, ended.checkpoint) == (NOW, NOW, {"next": 3})
    assert effects() == ["part 0", "part 1", "part 2", "end"]
    assert kinds_of_events(job) == []
    assert testing.run_due(at=NOW) == []


def test_killed_before_and_after_each_commit_the_effects_are_the_same(handle: Any) -> None:
    handle(three_batches)
    job = enqueue(max_attempts=2)
    assert testing.run_killed_everywhere(job) == 8
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DONE, 8)
    assert effects() == ["part 0", "part 1", "part 2", "end"]
    assert kinds_of_events(job) == [JobEventKind.LOST] * 7


def test_a_job_is_claimed_by_one_worker_only(work: None) -> None:
    job = enqueue()
    first = runner.claim(job.pk, at=NOW, worker="a", lease=LEASE)
    assert first is not None
    assert (first.state, first.attempts, first.worker, first.lease_until) == (JobState.RUNNING, 1, "a", NOW + LEASE)
    assert runner.claim(job.pk, at=NOW, worker="b", lease=LEASE) is None
    assert runner.claim(job.pk, at=NOW + LEASE, worker="b", lease=LEASE) is None
    job.refresh_from_db()
    assert (job.attempts, job.worker) == (1, "a")


def test_a_job_is_not_claimed_before_it_is_due(work: None) -> None:
    job = enqueue(run_after=NOW + timedelta(hours=1))
    assert runner.claim(job.pk, at=NOW + timedelta(minutes=59), worker="a") is None
    assert runner.claim(job.pk, at=NOW + timedelta(hours=1), worker="a") is not None


def test_a_job_that_this_worker_does_not_know_is_left_for_another(work: None) -> None:
    job = enqueue()
    handler = registry._HANDLERS.pop(KIND)
    assert runner.claim(job.pk, at=NOW, worker="old") is None
    job.refresh_from_db()
    assert (job.state, job.attempts, job.strikes) == (JobState.NEW, 0, 0)
    registry._HANDLERS[KIND] = handler
    assert runner.claim(job.pk, at=NOW, worker="new") is not None


def test_after_the_lease_another_worker_takes_over_and_the_slow_one_cannot_write(work: None) -> None:
    job = enqueue()
    clock = Clock()
    slow = runner.claim(job.pk, at=clock(), worker="slow", lease=LEASE)
    assert slow is not None
    slow_run = runner.JobRun(slow, clock=clock, lease=LEASE)
    clock.move(seconds=61)
    quick = runner.claim(job.pk, at=clock(), worker="quick", lease=LEASE)
    assert quick is not None
    assert (quick.attempts, quick.last_error) == (2, "The worker stopped before the job ended.")
    with pytest.raises(runner.LeaseLost), slow_run.batch():
        effect("slow batch")
    with pytest.raises(runner.LeaseLost), slow_run.finish():
        effect("slow end")
    assert effects() == []
    quick_run = runner.JobRun(quick, clock=clock, lease=LEASE)
    with quick_run.finish():
        effect("quick end")
    with pytest.raises(runner.LeaseLost), slow_run.finish():
        effect("slow end")
    assert effects() == ["quick end"]
    job.refresh_from_db()
    assert (job.state, job.worker) == (JobState.DONE, "quick")


def test_a_worker_that_loses_the_job_within_a_batch_rolls_it_back(work: None) -> None:
    job = enqueue()
    claimed = runner.claim(job.pk, at=NOW, worker="slow", lease=LEASE)
    assert claimed is not None
    run = runner.JobRun(claimed, clock=lambda: NOW, lease=LEASE)

    def late_batch() -> None:
        with run.batch():
            effect("late")
            run.state["next"] = 1
            Job.objects.filter(pk=job.pk).update(attempts=2)  # another worker, between the body and the commit

    def late_end() -> None:
        with run.finish():
            effect("late end")
            Job.objects.filter(pk=job.pk).update(attempts=2)

    for late in (late_batch, late_end):
        with pytest.raises(runner.LeaseLost):
            late()
        assert effects() == []
        assert run.state == {}


def test_a_retried_job_does_not_give_the_old_worker_its_number_back(work: None) -> None:
    job = enqueue(max_attempts=1)
    claimed = runner.claim(job.pk, at=NOW, worker="slow", lease=LEASE)
    assert claimed is not None
    slow_run = runner.JobRun(claimed, clock=lambda: NOW, lease=LEASE)
    later = NOW + timedelta(minutes=5)
    assert runner.claim(job.pk, at=later, worker="b", lease=LEASE) is None
    job.refresh_from_db()
    assert job.state == JobState.DEAD
    services.retry(job=job, actor=registry.actor_for_job(job, at=later), at=later)
    assert runner.claim(job.pk, at=later, worker="b", lease=LEASE) is not None
    with pytest.raises(runner.LeaseLost), slow_run.finish():
        effect("from the dead")
    assert effects() == []


def test_each_batch_extends_the_lease(handle: Any) -> None:
    clock = Clock()
    leases = []

    def work(run: runner.JobRun) -> None:
        for number in range(3):
            clock.move(seconds=40)
            with run.batch():
                run.state["next"] = number
            leases.append(Job.objects.get(pk=run.job.pk).lease_until)

    handle(work)
    job = enqueue()
    assert runner.run(job.pk, worker="a", clock=clock, lease=LEASE, has_heart=False, raise_errors=True)
    assert leases == [NOW + timedelta(seconds=s) for s in (100, 140, 180)]


@pytest.mark.django_db(transaction=True)
def test_a_handler_may_not_write_outside_a_batch(handle: Any) -> None:
    def careless(run: runner.JobRun) -> None:
        effect("outside")

    handle(careless)
    enqueue()
    with pytest.raises(runner.JobMisuseError, match="writes inside"):
        testing.run_due(at=NOW)
    assert effects() == []


def test_a_batch_must_move_the_state_on(handle: Any) -> None:
    def forgetful(run: runner.JobRun) -> None:
        with run.batch():
            effect("once")

    handle(forgetful)
    enqueue()
    with pytest.raises(runner.JobMisuseError, match=r"move run\.state on"):
        testing.run_due(at=NOW)
    assert effects() == []


def test_batches_are_not_nested_and_nothing_follows_the_end(handle: Any) -> None:
    def nested(run: runner.JobRun) -> None:
        with run.batch():
            run.state["a"] = 1
            with run.batch():
                run.state["b"] = 1

    handle(nested)
    enqueue()
    with pytest.raises(runner.JobMisuseError, match="nested"):
        testing.run_due(at=NOW)

    def after_the_end(run: runner.JobRun) -> None:
        with run.finish():
            effect("end")
        with run.batch():
            effect("after")

    handle(after_the_end)
    enqueue(key="work:2")
    with pytest.raises(runner.JobMisuseError, match="has finished"):
        testing.run_due(at=NOW)
    assert effects() == ["end"]
    assert Job.objects.get(key="work:2").state == JobState.DONE


def test_an_error_in_a_batch_puts_the_state_back(handle: Any) -> None:
    seen = []

    def work(run: runner.JobRun) -> None:
        for number in range(3):
            try:
                with run.batch():
                    effect(f"row {number}")
                    run.state["next"] = number + 1
                    if number == 1:
                        raise ValueError("one bad row")
            except ValueError:
                seen.append(dict(run.state))

    handle(work)
    enqueue()
    (job,) = testing.run_due(at=NOW)
    assert seen == [{"next": 1}]
    assert effects() == ["row 0", "row 2"]
    assert job.checkpoint == {"next": 3}


def test_an_error_is_tried_again_later_and_later_then_given_up(handle: Any) -> None:
    def broken(run: runner.JobRun) -> None:
        raise ValueError("secret of a customer")

    handle(broken)
    told: list[int] = []
    before = registry._above.tell_dead
    registry.connect(tell_dead=lambda job, *, at: told.append(job.pk))
    try:
        job = enqueue(max_attempts=3)
        waits = []
        at = NOW
        for _attempt in range(3):
            testing.run_due(at=at, raise_errors=False)
            job.refresh_from_db()
            waits.append((job.state, job.run_after - at))
            at = job.run_after
    finally:
        registry.connect(tell_dead=before)
    assert waits == [
        (JobState.NEW, timedelta(seconds=5)),
        (JobState.NEW, timedelta(seconds=10)),
        (JobState.DEAD, timedelta(0)),
    ]
    assert (job.attempts, job.last_error, job.finished_at) == (3, "builtins.ValueError", at)
    assert kinds_of_events(job) == [JobEventKind.ERROR] * 3 + [JobEventKind.DEAD]
    assert told == [job.pk]
    assert testing.run_due(at=at + timedelta(days=1)) == []


def test_the_wait_grows_to_five_minutes() -> None:
    assert [runner.wait_before_retry(n).total_seconds() for n in (1, 2, 3, 6, 7, 50)] == [5, 10, 20, 160, 300, 300]


def test_a_job_that_kills_its_worker_is_given_up_after_its_attempts(work: None) -> None:
    job = enqueue(max_attempts=3)
    at = NOW
    for number in (1, 2, 3):
        claimed = runner.claim(job.pk, at=at, worker="poor", lease=LEASE)
        assert claimed is not None
        assert claimed.attempts == number
        at += timedelta(seconds=61)
    assert runner.claim(job.pk, at=at, worker="poor", lease=LEASE) is None
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DEAD, 3)
    assert job.last_error == "The worker stopped before the job ended, 3 times without getting on."


def test_a_job_that_gets_on_is_not_given_up(handle: Any) -> None:
    handle(three_batches)
    job = enqueue(max_attempts=1)
    for _number in range(3):
        assert testing.run_killed(job, commit=1, before=False)
    (ended,) = [testing.run_one(job)]
    assert ended is not None
    assert (ended.state, ended.attempts) == (JobState.DONE, 4)


def test_a_refusal_is_final_and_says_why(handle: Any) -> None:
    def refuse(run: runner.JobRun) -> None:
        with run.batch():
            effect("kept")
            run.state["next"] = 1
        with run.finish():
            effect("not kept")
            raise runner.JobFailedError("The file is not a table.")

    handle(refuse)
    enqueue()
    (job,) = testing.run_due(at=NOW)
    assert (job.state, job.attempts, job.last_error) == (JobState.FAILED, 1, "The file is not a table.")
    assert kinds_of_events(job) == [JobEventKind.FAILED]
    assert effects() == ["kept"]


def test_a_running_job_is_cancelled_at_its_next_batch(handle: Any, cast: Cast) -> None:
    def work(run: runner.JobRun) -> None:
        try:
            for number in range(5):
                with run.batch():
                    effect(f"part {number}")
                    run.state["next"] = number
                if number == 1:
                    services.cancel(job=run.job, actor=cast.actor("ana"), at=NOW)
        except Exception:
            effect("swallowed")

    handle(work)
    enqueue(actor=cast.actor("ana"))
    guard = runner.JobRun.guard_writes
    with pytest.MonkeyPatch.context() as patch:  # the person's request writes in the same process here
        patch.setattr(runner.JobRun, "guard_writes", lambda self, execute, *rest: execute(*rest))
        (job,) = testing.run_due(at=NOW)
    assert runner.JobRun.guard_writes is guard
    assert job.state == JobState.CANCELLED
    assert effects() == ["part 0", "part 1"]


def test_a_handler_that_sees_the_cancel_and_returns_has_stopped(handle: Any) -> None:
    def work(run: runner.JobRun) -> None:
        Job.objects.filter(pk=run.job.pk)
        assert not run.cancelled
        with run.batch():
            run.state["seen"] = 1
            Job.objects.filter(pk=run.job.pk).update(cancel_requested_at=NOW)
        if run.cancelled:
            return

    handle(work)
    enqueue()
    (job,) = testing.run_due(at=NOW)
    assert (job.state, job.finished_at) == (JobState.CANCELLED, NOW)


def test_a_lost_job_that_was_cancelled_does_not_run_again(work: None) -> None:
    job = enqueue()
    assert runner.claim(job.pk, at=NOW, worker="a", lease=LEASE)
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=NOW)
    later = NOW + timedelta(seconds=61)
    assert runner.claim(job.pk, at=later, worker="b", lease=LEASE) is None
    job.refresh_from_db()
    assert (job.state, job.finished_at) == (JobState.CANCELLED, later)
    assert effects() == []


def test_the_soft_time_limit_pauses_a_job(handle: Any) -> None:
    def work(run: runner.JobRun) -> None:
        for number in range(run.state.get("next", 0), 4):
            with run.batch():
                effect(f"part {number}")
                run.state["next"] = number + 1
            if number == 1:
                raise SoftTimeLimitExceeded

    handle(work)
    job = enqueue(max_attempts=1)
    first, second = testing.run_due(at=NOW)
    assert (first.state, first.strikes, first.run_after) == (JobState.NEW, 0, NOW)
    assert (second.state, second.attempts) == (JobState.DONE, 2)
    assert kinds_of_events(job) == [JobEventKind.PAUSED]
    assert effects() == [f"part {number}" for number in range(4)]


def test_a_job_has_the_rights_of_its_asker_at_the_time_it_runs(handle: Any, cast: Cast) -> None:
    seen: list[Actor] = []

    def work(run: runner.JobRun) -> None:
        seen.append(run.actor)
        seen.append(run.actor)

    handle(work)
    enqueue(actor=cast.actor("ana"))
    pod = cast.ana.pod_memberships.get() if hasattr(cast.ana, "pod_memberships") else None
    assert pod is None or pod.pod_id == cast.north.pk
    testing.run_due(at=NOW)
    assert seen[0] is seen[1]
    assert seen[0].user_id == cast.ana.pk
    assert seen[0].roles == {Role.REP}
    assert seen[0].pod_ids == {cast.north.pk}

    cast.people["ana"].role_grants.update(end_on=NOW.date())
    enqueue(actor=cast.actor("sam"), key="work:2")
    enqueue(actor=Actor(user_id=cast.ana.pk, name="Ana", roles=frozenset({Role.ADMIN})), key="work:3")
    testing.run_due(at=NOW)
    assert seen[-1].user_id == cast.ana.pk
    assert seen[-1].roles == frozenset()


def test_a_job_of_somebody_who_left_fails_and_does_nothing(work: None, cast: Cast) -> None:
    enqueue(actor=cast.actor("ana"))
    cast.people["ana"].is_active = False
    cast.people["ana"].save()
    (job,) = testing.run_due(at=NOW)
    assert job.state == JobState.FAILED
    assert job.last_error == "The person who asked for this may no longer use the portal."
    assert effects() == []


def test_without_a_room_that_knows_users_nobody_has_rights(work: None, cast: Cast) -> None:
    before = registry._above.actor_of
    registry.connect(actor_of=registry._nobody)
    try:
        job = enqueue(actor=cast.actor("ada"))
        assert registry.actor_for_job(job, at=NOW) == NOBODY
        (ended,) = testing.run_due(at=NOW)
    finally:
        registry.connect(actor_of=before)
    assert ended.state == JobState.FAILED
    assert effects() == []


def test_a_job_speaks_its_askers_language_and_time_zone(handle: Any, cast: Cast) -> None:
    cast.people["ana"].language, cast.people["ana"].time_zone = "zh-hans", "Asia/Shanghai"
    cast.people["ana"].save()
    seen = []

    def work(run: runner.JobRun) -> None:
        seen.append((translation.get_language(), timezone.get_current_timezone_name()))

    handle(work)
    enqueue(actor=cast.actor("ana"))
    with translation.override("en"):
        testing.run_due(at=NOW)
        assert translation.get_language() == "en"
    assert seen == [("zh-hans", "Asia/Shanghai")]


def test_progress_outside_a_batch_is_written_at_once_but_not_too_often(handle: Any) -> None:
    seen = []

    def work(run: runner.JobRun) -> None:
        for done in (10, 20, 30):
            run.progress(done, 100, "reading")
            seen.append(Job.objects.values_list("done_count", "total_count", "note").get(pk=run.job.pk))

    handle(work)
    enqueue()
    (job,) = testing.run_due(at=NOW)
    assert seen == [(10, 100, "reading")] * 3
    assert (job.done_count, job.note) == (30, "reading")


def test_progress_of_a_fenced_worker_is_refused(work: None) -> None:
    job = enqueue()
    claimed = runner.claim(job.pk, at=NOW, worker="a", lease=LEASE)
    assert claimed is not None
    run = runner.JobRun(claimed, clock=lambda: NOW, lease=LEASE)
    Job.objects.filter(pk=job.pk).update(attempts=2)
    with pytest.raises(runner.LeaseLost):
        run.progress(1, 2)


def test_a_worker_survives_whatever_a_handler_raises(handle: Any) -> None:
    def work(run: runner.JobRun) -> None:
        raise MemoryError

    handle(work)
    job = enqueue()
    assert runner.run(job.pk, worker="a", clock=lambda: NOW, has_heart=False)
    job.refresh_from_db()
    assert (job.state, job.last_error) == (JobState.NEW, "builtins.MemoryError")


@pytest.fixture
def fast_heart() -> timedelta:
    return timedelta(seconds=0.4)


@pytest.mark.django_db(transaction=True)
def test_the_heart_extends_the_lease_while_the_handler_computes(handle: Any, fast_heart: timedelta) -> None:
    from tests.servers import wait_until

    leases = []

    def work(run: runner.JobRun) -> None:
        began = Job.objects.get(pk=run.job.pk).lease_until
        assert began is not None

        def is_longer() -> bool:
            leases.append(Job.objects.get(pk=run.job.pk).lease_until)
            return leases[-1] > began + fast_heart

        wait_until(is_longer, seconds=10, what="the lease grows")

    handle(work)
    job = enqueue(at=timezone.now())
    assert runner.run(job.pk, worker="a", lease=fast_heart, raise_errors=True)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DONE, 1)


def test_two_rooms_cannot_handle_the_same_kind(handle: Any) -> None:
    handle(one_step)
    with pytest.raises(ValueError, match="already handled"):
        registry.handles(KIND)(three_batches)
    assert registry.handles(KIND)(one_step) is one_step
