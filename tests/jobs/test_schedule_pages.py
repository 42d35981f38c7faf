"""Administrators decide when what comes round runs; the jobs page is not full of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from salesops.audit.models import AuditEntry
from salesops.jobs import schedules
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job, Schedule, ScheduleRun
from salesops.people.models import User
from tests.cast import NOW, Cast
from tests.jobs.conftest import enqueue

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]


@pytest.fixture
def tidy(cast: Cast) -> Schedule:
    """Each night at 3:20 UTC old jobs are cleared away; handled until an hour ago."""
    schedules.declare(at=NOW - timedelta(hours=1))
    return Schedule.objects.get(code="jobs.tidy")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:jobs_schedule_{name}", args=args)


def given(**changes: Any) -> dict[str, Any]:
    """What the form sends when nothing is changed."""
    kept = {"is_active": "on", "rule": "20 3 * * *", "time_zone": "UTC", "catch_up": "latest", "max_attempts": 5}
    return {name: value for name, value in (kept | changes).items() if value is not None}


def test_a_schedule_is_moved_and_the_audit_says_from_when_to_when(
    client_of: ClientOf, cast: Cast, tidy: Schedule
) -> None:
    ada = client_of("ada")
    answer = ada.post(page("change", tidy.pk), given(rule="30 6 * * 1-5", time_zone="Europe/Berlin"))
    assert answer.status_code == 302
    tidy.refresh_from_db()
    assert (tidy.rule, tidy.time_zone, tidy.last_slot_at, tidy.kind) == (
        "30 6 * * 1-5",
        "Europe/Berlin",
        NOW,
        "jobs.tidy",
    )
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name) == ("schedule.edited", "Ada Admin")
    assert (entry.before["rule"], entry.after["rule"]) == ("20 3 * * *", "30 6 * * 1-5")
    assert (entry.before["time_zone"], entry.after["time_zone"]) == ("UTC", "Europe/Berlin")
    assert "30 6 * * 1-5" in ada.get(page("history", tidy.pk)).content.decode()


def test_a_new_time_is_not_caught_up_for_the_time_before(client_of: ClientOf, cast: Cast, tidy: Schedule) -> None:
    client_of("ada").post(page("change", tidy.pk), given(rule="*/5 * * * *", catch_up="all"))
    Schedule.objects.exclude(pk=tidy.pk).update(is_active=False)
    assert schedules.tick(at=NOW + timedelta(minutes=4)) == 0
    assert schedules.tick(at=NOW + timedelta(minutes=6)) == 1
    assert ScheduleRun.objects.get().slot_start == NOW + timedelta(minutes=5)


def test_off_is_off_and_what_the_scheduler_did_meanwhile_stays(client_of: ClientOf, cast: Cast, tidy: Schedule) -> None:
    handled = NOW + timedelta(minutes=3)
    Schedule.objects.filter(pk=tidy.pk).update(last_slot_at=handled)
    ada = client_of("ada")
    assert ada.post(page("change", tidy.pk), given(is_active=None)).status_code == 302
    tidy.refresh_from_db()
    assert (tidy.is_active, tidy.last_slot_at) == (False, handled)
    entry = AuditEntry.objects.get()
    assert (entry.before, entry.after) == ({"is_active": True}, {"is_active": False})
    Schedule.objects.exclude(pk=tidy.pk).update(is_active=False)
    assert schedules.tick(at=NOW + timedelta(days=2)) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": "every night"}, "cannot be read as minute"),
        ({"rule": "0 25 * * *"}, "cannot be read as minute"),
        ({"rule": "0 0 31 2 *"}, "This never comes: no month has such a day."),
        ({"time_zone": "Berlin"}, "is not a time zone"),
        ({"max_attempts": 0}, "It needs at least one attempt."),
    ],
)
def test_what_cannot_be_is_refused_with_words(
    changes: dict[str, Any], said: str, client_of: ClientOf, cast: Cast, tidy: Schedule
) -> None:
    answer = client_of("ada").post(page("change", tidy.pk), given(**changes))
    assert answer.status_code == 200
    assert said in answer.content.decode()
    tidy.refresh_from_db()
    assert (tidy.rule, tidy.time_zone, tidy.max_attempts) == ("20 3 * * *", "UTC", 5)
    assert AuditEntry.objects.count() == 0


def test_schedules_are_neither_made_nor_deleted_and_speak_the_readers_language(
    client_of: ClientOf, cast: Cast, tidy: Schedule
) -> None:
    ada = client_of("ada")
    assert ada.get(page("add")).status_code == 403
    assert ada.post(page("delete", tidy.pk), {"post": "yes"}).status_code == 403
    shown = ada.get(page("change", tidy.pk)).content.decode()
    assert reverse("jobs:job_list") + "?q=jobs.tidy&amp;by_itself=only" in shown
    with override("zh-hans"):
        assert str(tidy) == "清理旧作业"
    User.objects.filter(pk=cast.ada.pk).update(language="zh-hans")
    assert "清理旧作业" in ada.get(page("changelist"), HTTP_ACCEPT_LANGUAGE="zh-hans").content.decode()


def test_titles_are_stored_in_english_whoever_starts_the_portal(db: None) -> None:
    Schedule.objects.filter(code="jobs.tidy").delete()
    with override("zh-hans"):
        schedules.declare(at=NOW)
    assert Schedule.objects.get(code="jobs.tidy").title == "Old jobs are cleared away"


def test_the_list_leaves_out_what_came_round_and_went_well(
    client_of: ClientOf, cast: Cast, work: None, tidy: Schedule
) -> None:
    enqueue(key="ana", title="Import of north.csv", actor=cast.actor("ana"))
    Schedule.objects.exclude(code="jobs.canary").update(is_active=False)
    for minute in range(1, 4):
        schedules.tick(at=NOW + timedelta(minutes=minute))
        Job.objects.filter(kind="jobs.canary", finished_at__isnull=True).update(state=JobState.DONE, finished_at=NOW)
    ada, url = client_of("ada"), reverse("jobs:job_list")
    sign = "A sign of life from the workers"

    def shown(**query: str) -> tuple[int, int, int]:
        answer = ada.get(url, query)
        titles = [row.title for row in answer.context["page"].rows]
        return answer.context["page"].count, titles.count(sign), titles.count("Import of north.csv")

    assert shown() == (1, 0, 1)
    assert shown(by_itself="too") == (4, 3, 1)
    assert shown(by_itself="only") == (3, 3, 0)
    assert shown(q="canary") == (0, 0, 0)
    last = Job.objects.filter(kind="jobs.canary").first()
    assert last is not None
    Job.objects.filter(pk=last.pk).update(state=JobState.DEAD)
    assert shown() == (2, 1, 1)
    assert shown(state="dead") == (1, 1, 0)
