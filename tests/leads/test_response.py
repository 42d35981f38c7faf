"""How soon leads are answered, in working time; and the leads on which nobody works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from salesops.core.actor import system_actor
from salesops.jobs.services import enqueue
from salesops.jobs.testing import run_due
from salesops.leads.models import Lead, Pool
from salesops.leads.rules.response import Times, seconds_of, share_of, times_of, worked
from salesops.leads.selectors.response import first_day, response_report, unworked_for
from salesops.leads.services import assign_lead, touch_lead
from salesops.leads.services.sweeps import TELL_UNWORKED
from salesops.notices.models import Notice
from salesops.people.models import WorkingHours
from salesops.people.rules.working_time import Calendar, worked_between
from tests.cast import NOW, Cast
from tests.leads.routed import arrives, in_force, make_pool

Log = Callable[[str], Client]
MINUTE = timedelta(minutes=1)
HOURS = tuple((weekday, time(9), time(17, 30)) for weekday in range(1, 6))


# --- Working time of many -------------------------------------------------------------------------------------------

_MOMENTS = st.integers(0, 730 * 86_400).map(lambda second: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second))
_CALENDARS = st.sampled_from(
    [
        Calendar("UTC"),
        Calendar("Europe/Berlin", HOURS),
        Calendar(
            "Europe/Berlin", HOURS, ((date(2026, 3, 20), date(2026, 4, 3)), (date(2026, 12, 20), date(2027, 1, 7)))
        ),
        Calendar("Pacific/Auckland", ((6, time(0), time(23, 59)), (1, time(8), time(12)), (1, time(13), time(18)))),
    ]
)


@given(_CALENDARS, st.lists(st.tuples(_MOMENTS, _MOMENTS), min_size=1, max_size=12))
def test_many_moments_at_once_are_as_one_by_one(calendar: Calendar, spans: list[tuple[datetime, datetime]]) -> None:
    spans = [(a, b) for a, b in spans if b - a < timedelta(days=399)] or [(NOW, NOW)]
    since = np.array([seconds_of(a) for a, _b in spans])
    until = np.array([seconds_of(b) for _a, b in spans])
    found = worked(since, until, calendar).tolist()
    assert found == [worked_between(a, b, calendar) // timedelta(seconds=1) for a, b in spans]


def test_of_nothing_and_without_any_working_time() -> None:
    empty = np.zeros(0, dtype=np.int64)
    assert worked(empty, empty, Calendar("UTC")).tolist() == []
    never = Calendar("UTC", ((1, time(9), time(10)),), ((date(2026, 1, 1), date(2028, 1, 1)),))
    one = np.array([seconds_of(NOW)])
    assert worked(one, one + 1_000_000, never).tolist() == [0]


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        ([], Times(0)),
        ([1, 2, 3, 4], Times(4)),
        ([5, 1, 3, 2, 4], Times(5, 3, 5)),
        (range(1, 11), Times(10, 5, 9)),
        (range(1, 21), Times(20, 10, 18)),
    ],
)
def test_median_and_nine_of_ten(seconds: Any, times: Times) -> None:
    assert times_of(list(seconds)) == times


def test_a_share_of_few_is_none() -> None:
    assert (share_of(4, 4), share_of(4, 5), share_of(0, 5)) == (None, 8_000, 0)


@pytest.mark.parametrize(
    ("months", "day"), [(1, date(2026, 6, 1)), (3, date(2026, 4, 1)), (6, date(2026, 1, 1)), (12, date(2025, 7, 1))]
)
def test_months_begin_on_their_first_day(months: int, day: date) -> None:
    assert first_day(NOW, months) == day


# --- The report -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pool(cast: Cast) -> Pool:
    """Sam, who works from nine to five in UTC, takes everything; a lead is to be touched within 30 minutes."""
    pool = make_pool(cast, "Inbound", "sam")
    in_force({"pool": pool}, levels=[{"name": "Hot", "warn_minutes": 30}])
    cast.sam.time_zone = "UTC"
    cast.sam.save()
    for weekday in range(1, 6):
        WorkingHours.objects.create(person=cast.sam, weekday=weekday, starts_at=time(9), ends_at=time(17))
    return pool


def test_queue_and_first_touch_are_told_apart_in_working_time(cast: Cast, pool: Pool) -> None:
    """Six come at eight in the evening and are given at ten the next day: one hour of queue; touched after 10 to 60 min."""
    evening = NOW - timedelta(hours=14)
    for number in range(6):
        lead = Lead.objects.create(name=f"Lead {number}", created_at=evening)
        assign_lead(actor=cast.actor("max"), lead_id=lead.pk, owner=cast.sam, at=NOW)
        touch_lead(lead_id=lead.pk, at=NOW + (number + 1) * 10 * MINUTE)
    for number in range(3):
        arrives(cast, number, at=NOW)
    report = response_report(cast.actor("max"), months=1, at=NOW + timedelta(hours=2))
    total = report.total
    assert (total.given, total.waiting, total.in_time, total.watched) == (9, 3, 3, 9)
    assert (total.queue.count, total.queue.median, total.queue.p90) == (9, 3_600, 3_600)
    assert (total.rep.count, total.rep.median, total.rep.p90) == (6, 35 * 60, 60 * 60)
    assert total.in_time_bp == 3_333
    assert [(row.label, row.given) for row in report.months] == [(date(2026, 6, 1), 9)]
    assert [(row.label, row.given) for row in report.pods] == [("North", 9)]
    assert [(row.label, row.given) for row in report.levels] == [("Hot", 9)]
    assert response_report(cast.actor("mia"), months=1, at=NOW + timedelta(hours=2)).total.given == 0


def test_who_did_not_get_it_first_has_no_time_and_imports_do_not_count(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast, at=NOW)
    assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=cast.ana, at=NOW + MINUTE)
    touch_lead(lead_id=lead.pk, at=NOW + 2 * MINUTE)
    other = Lead.objects.create(name="Brought in", created_at=NOW)
    assign_lead(actor=cast.actor("rita"), lead_id=other.pk, owner=cast.sam, method="import", at=NOW)
    report = response_report(cast.actor("rita"), months=1, at=NOW + 5 * MINUTE)
    assert (report.total.given, report.total.rep.count, report.total.waiting) == (1, 0, 0)


def test_who_waited_for_consent_has_no_queue(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast, consent="refused")
    assert lead.owner is None
    assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=cast.sam, at=NOW + 60 * MINUTE)
    report = response_report(cast.actor("rita"), months=1, at=NOW + 90 * MINUTE)
    assert (report.held, report.total.given, report.total.queue.count) == (1, 1, 0)


def test_the_report_says_too_few_and_costs_the_same(cast: Cast, client_of: Log, pool: Pool) -> None:
    client = client_of("rita")
    url = reverse("leads:response_report")
    arrives(cast, 1)
    page = client.get(url).content.decode()
    assert "Too few" in page
    assert "Fewer than 5 leads are too few." in page

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        return len(queries)

    few = cost()
    for number in range(20):
        arrives(cast, number)
    assert cost() == few
    assert client.get(url, {"months": "99"}).context["months"] == 3
    assert reverse("leads:response_report") in client.get(reverse("leads:pool_list")).content.decode()


# --- Nobody works on them -------------------------------------------------------------------------------------------


def old(count: int, **fields: Any) -> list[Lead]:
    return [Lead.objects.create(name=f"Old {n}", created_at=NOW - timedelta(days=3), **fields) for n in range(count)]


def test_what_nobody_works_on_is_counted_once(cast: Cast) -> None:
    old(2)
    old(3, owner=cast.sam, pod=cast.north)
    old(15, owner=cast.sam, pod=cast.north, first_touched_at=NOW)
    old(1, owner=cast.ana, pod=cast.north, first_touched_at=NOW)
    old(4, status="nurturing")
    Lead.objects.create(name="New", created_at=NOW)
    cast.ana.is_active = False
    cast.ana.save()
    found = unworked_for(cast.actor("max"), NOW)
    assert (found.count, found.among, found.nobodys, found.left, found.untouched) == (6, 21, 2, 1, 3)
    assert (found.share_bp, found.is_alarm, found.is_much) == (2_857, True, True)
    assert unworked_for(cast.actor("mia"), NOW).count == 2


@pytest.mark.parametrize(
    ("untouched", "is_much", "is_alarm"), [(5, False, False), (6, True, False), (10, True, False), (11, True, True)]
)
def test_the_alarm_begins_above_a_tenth(cast: Cast, untouched: int, is_much: bool, is_alarm: bool) -> None:
    old(untouched, owner=cast.sam, pod=cast.north)
    old(100 - untouched, owner=cast.sam, pod=cast.north, first_touched_at=NOW)
    found = unworked_for(cast.actor("rita"), NOW)
    assert (found.is_much, found.is_alarm) == (is_much, is_alarm)


def test_managers_are_told_once_a_day(cast: Cast, client_of: Log) -> None:
    old(2, owner=cast.sam, pod=cast.north)
    old(8, owner=cast.sven, pod=cast.south, first_touched_at=NOW)
    for number in range(2):
        enqueue(kind=TELL_UNWORKED, key=f"day {number}", payload={}, actor=system_actor(), title="Tell", at=NOW)
        run_due(at=NOW)
    told = Notice.objects.filter(key__startswith="unworked:").order_by("person__name")
    assert [notice.person.name for notice in told] == ["Ada Admin", "Max Manager", "Rita Revops"]
    notice = told.get(person=cast.max)
    assert notice.title == "100 % of the leads in work are nobody's or untouched"
    assert (
        notice.body == "2 of 2 leads older than a day: 0 without an owner, 0 with somebody who left, 2 never touched."
    )
    shown = client_of("max").get(notice.url)
    assert [row.name for row in shown.context["page"].rows] == ["Old 1", "Old 0"]
