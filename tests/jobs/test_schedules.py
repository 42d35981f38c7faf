"""Each slot becomes one job, however many schedulers tick, restart or sleep."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from salesops.jobs import registry, schedules, testing
from salesops.jobs.choices import CatchUp, JobState
from salesops.jobs.models import Job, Schedule, ScheduleRun
from tests.cast import NOW
from tests.jobs.conftest import KIND

pytestmark = pytest.mark.django_db


def make(**changes: Any) -> Schedule:
    given: dict[str, Any] = {
        "code": "test",
        "title": "Test",
        "kind": KIND,
        "rule": "0 * * * *",
        "last_slot_at": NOW,
        "payload": {"depth": 1},
    }
    return Schedule.objects.create(**(given | changes))


def slots_run() -> list[str]:
    moments = ScheduleRun.objects.order_by("slot_start").values_list("slot_start", flat=True)
    return [f"{moment:%d %H:%M}" for moment in moments]


def test_a_slot_becomes_a_job_of_the_portal(work: None) -> None:
    make()
    assert schedules.tick(at=NOW + timedelta(minutes=59)) == 0
    at = NOW + timedelta(minutes=61)
    assert schedules.tick(at=at) == 1
    assert schedules.tick(at=at) == 0
    job = Job.objects.get()
    assert (job.kind, job.title, job.requested_by_id, job.created_at) == (KIND, "Test", None, at)
    assert job.payload == {"depth": 1, "slot": "2026-06-17T11:00:00+00:00"}
    run = ScheduleRun.objects.get()
    assert (run.slot_start, run.job_id, run.missed_count) == (NOW + timedelta(hours=1), job.pk, 0)


def test_after_downtime_the_latest_slot_runs_and_the_missed_are_counted(work: None) -> None:
    make()
    assert schedules.tick(at=NOW + timedelta(hours=5, minutes=30)) == 1
    run = ScheduleRun.objects.get()
    assert (run.slot_start, run.missed_count) == (NOW + timedelta(hours=5), 4)


def test_after_downtime_each_slot_runs_where_each_counts(work: None) -> None:
    make(catch_up=CatchUp.ALL)
    assert schedules.tick(at=NOW + timedelta(hours=3)) == 3
    assert slots_run() == ["17 11:00", "17 12:00", "17 13:00"]
    assert Job.objects.count() == 3


def test_a_long_downtime_is_caught_up_in_steps(work: None) -> None:
    make(catch_up=CatchUp.ALL)
    at = NOW + timedelta(hours=250)
    assert [schedules.tick(at=at) for _ in range(4)] == [100, 100, 50, 0]
    assert ScheduleRun.objects.count() == 250


def test_a_second_scheduler_that_saw_the_same_rows_does_nothing(work: None) -> None:
    schedule = make()
    at = NOW + timedelta(hours=2)
    old = Schedule.objects.get(pk=schedule.pk)
    assert schedules._handle(schedule, at=at) == 1
    assert schedules._handle(old, at=at) == 0
    assert Job.objects.count() == ScheduleRun.objects.count() == 1


def test_the_database_itself_refuses_a_slot_twice(work: None) -> None:
    schedule = make(catch_up=CatchUp.ALL)
    at = NOW + timedelta(hours=1)
    schedules.tick(at=at)
    Schedule.objects.filter(pk=schedule.pk).update(last_slot_at=NOW)
    assert schedules.tick(at=at) == 0
    assert Job.objects.count() == ScheduleRun.objects.count() == 1


def test_two_tickers_and_random_outages_for_ten_days_run_each_slot_once(work: None) -> None:
    # Ten days around the end of summer time in New York, each ticker away two thirds of the time.
    start = datetime(2026, 10, 27, tzinfo=UTC)
    make(catch_up=CatchUp.ALL, rule="30 */3 * * *", time_zone="America/New_York", last_slot_at=start)
    chance = random.Random(7)
    at = start
    for _minute in range(10 * 24 * 6):
        at += timedelta(minutes=10)
        for _ticker in range(2):
            if chance.random() < 0.3:
                schedules.tick(at=at)
    schedules.tick(at=start + timedelta(days=10))
    runs = list(ScheduleRun.objects.order_by("slot_start").values_list("slot_start", flat=True))
    assert len(runs) == len(set(runs)) == 80
    assert Job.objects.count() == 80
    gaps = {(after - before).total_seconds() / 3600 for before, after in pairwise(runs)}
    assert gaps == {3.0, 4.0}  # four hours once, where an hour is repeated


def test_while_the_last_one_waits_the_next_slot_joins_it(work: None) -> None:
    make(rule="* * * * *")
    for minute in range(1, 6):
        schedules.tick(at=NOW + timedelta(minutes=minute))
    assert Job.objects.count() == 1
    assert ScheduleRun.objects.count() == 5
    (ended,) = testing.run_due(at=NOW + timedelta(minutes=5))
    assert ended.state == JobState.DONE
    schedules.tick(at=NOW + timedelta(minutes=6))
    assert Job.objects.count() == 2


def test_what_is_switched_off_is_not_caught_up_when_it_is_switched_on(work: None) -> None:
    schedule = make(catch_up=CatchUp.ALL, is_active=False)
    later = NOW + timedelta(days=30)
    assert schedules.tick(at=later) == 0
    Schedule.objects.filter(pk=schedule.pk).update(is_active=True)
    assert schedules.tick(at=later + timedelta(hours=1)) == 1
    assert ScheduleRun.objects.count() == 1


def test_one_bad_rule_does_not_stop_the_others(work: None) -> None:
    make(code="a-bad", rule="61 * * * *")
    make(code="b-unknown", kind="test.unheard_of")
    make(code="c-good")
    assert schedules.tick(at=NOW + timedelta(hours=1)) == 1
    assert ScheduleRun.objects.get().schedule.code == "c-good"


@pytest.fixture
def declared(work: None) -> Iterator[None]:
    registry.comes_round(code="test.declared", title="Declared", kind=KIND, rule="0 4 * * *", time_zone="Europe/Berlin")
    yield
    registry._SCHEDULES.pop("test.declared")


def test_declared_schedules_begin_now_and_belong_to_administrators(declared: None) -> None:
    made = schedules.declare(at=NOW)
    assert made == len(registry.declared_schedules())
    schedule = Schedule.objects.get(code="test.declared")
    assert (schedule.rule, schedule.time_zone, schedule.last_slot_at) == ("0 4 * * *", "Europe/Berlin", NOW)
    Schedule.objects.filter(pk=schedule.pk).update(rule="0 5 * * *", is_active=False, kind="test.old_name")
    assert schedules.declare(at=NOW + timedelta(days=1)) == 0
    schedule.refresh_from_db()
    assert (schedule.rule, schedule.is_active, schedule.kind, schedule.last_slot_at) == ("0 5 * * *", False, KIND, NOW)


def test_the_portals_own_schedules_are_readable_and_have_handlers() -> None:
    schedules.declare(at=NOW)
    assert {"jobs.canary", "jobs.tidy"} <= set(Schedule.objects.values_list("code", flat=True))
    for schedule in Schedule.objects.all():
        schedule.full_clean()
        assert registry.handler_of(schedule.kind) is not None, schedule.code


@pytest.mark.parametrize(("name", "value"), [("rule", "61 * * * *"), ("time_zone", "Europe/Atlantis")])
def test_administrators_are_told_what_cannot_be_read(work: None, name: str, value: str) -> None:
    schedule = make()
    setattr(schedule, name, value)
    with pytest.raises(ValidationError) as caught:
        schedule.full_clean()
    assert list(caught.value.message_dict) == [name]
