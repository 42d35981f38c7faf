"""What people can carry: ramp by month, hours and leave; on the pod's page, in the view by function, for whom."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, time, timedelta
from fractions import Fraction

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from salesops.leads.models import Lead
from salesops.people.models import FunctionAssignment, Leave, WorkingHours
from salesops.pods.models import FunctionCapacity, PodMembership
from salesops.pods.rules.capacity import (
    FULL_WEEK,
    PUBLISHED_RAMP,
    Capacity,
    effective,
    months_between,
    presence,
    ramp_of,
    ramped,
    shares,
)
from salesops.pods.selectors import capacities
from tests.cast import NOW, TODAY, Cast
from tests.leads.gtm_cases import case_of

Log = Callable[[str], Client]
MONDAY = date(2026, 6, 1)


# --- Ramp -----------------------------------------------------------------------------------------------------------


def test_a_published_curve_over_a_year() -> None:
    """The curve of an AE: 330 % in six months, 55 % in the mean, 77.5 % of the first year."""
    case = case_of("ramp-41")
    curve = ramp_of(", ".join(map(str, case["inputs"]["monthly_ramp_pct"])))
    assert curve == PUBLISHED_RAMP["ae"]
    assert sum(ramped(curve, month) for month in range(6)) == case["expected"]["ramp_sum_pct"]
    assert effective(curve, 6) == case["expected"]["ramp_avg_pct"]
    assert effective(curve) == Fraction(str(case["expected"]["effective_fte_first_year_pct"]))


def test_a_year_is_never_multiplied_by_the_share_of_a_month() -> None:
    """The source lets a beginner sell 2.5 years in one; by month it is less than one."""
    case = case_of("ramp-46-trap")
    curve = tuple(case["inputs"]["monthly_ramp_pct"])
    year = case["inputs"]["annual_quota"]
    assert sum(Fraction(year * share, 100) for share in curve) == case["expected"]["q1_hire_year1"]
    by_month = sum(Fraction(year, 12) * Fraction(ramped(curve, month), 100) for month in range(12))
    assert by_month == year * effective(curve) / 100 == 350_000
    assert by_month < year < case["expected"]["q1_hire_year1"]


def test_leads_in_equal_parts() -> None:
    case = case_of("load-50")
    assert (
        shares(case["inputs"]["inbound_leads_month"], case["inputs"]["sdrs"]) == case["expected"]["leads_per_sdr_month"]
    )
    assert shares(7, 0) == 0


@pytest.mark.parametrize(
    ("start", "day", "months"),
    [
        (date(2026, 1, 31), date(2026, 2, 28), 0),
        (date(2026, 1, 31), date(2026, 3, 31), 2),
        (date(2026, 1, 15), date(2026, 2, 14), 0),
        (date(2026, 1, 15), date(2026, 2, 15), 1),
        (date(2025, 12, 15), date(2026, 12, 15), 12),
        (date(2026, 7, 1), date(2026, 6, 1), 0),
    ],
)
def test_whole_months(start: date, day: date, months: int) -> None:
    assert months_between(start, day) == months


@pytest.mark.parametrize("text", ["20, x", "101", "60, 20", "-1, 20", "20,,30"])
def test_what_is_no_curve_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ramp_of(text)
    with pytest.raises(ValidationError):
        FunctionCapacity(function="sdr", ramp=text).full_clean(validate_unique=False, validate_constraints=False)


@given(st.lists(st.integers(0, 100), max_size=12).map(sorted), st.integers(0, 40))
def test_nobody_gets_slower_with_time(curve: list[int], month: int) -> None:
    assert ramped(curve, month) <= ramped(curve, month + 1) <= 100
    assert ramped(curve, len(curve)) == 100
    assert 0 <= effective(curve) <= 100


# --- Presence -------------------------------------------------------------------------------------------------------


def test_who_says_nothing_works_a_full_week() -> None:
    assert presence({}, (), MONDAY) == presence({}, (), MONDAY + timedelta(days=3))
    assert presence({}, (), MONDAY).share == 1


def test_leave_takes_working_days_only() -> None:
    week = ((MONDAY, MONDAY + timedelta(days=7)),)
    found = presence({}, week, MONDAY)
    assert (found.share, found.leave) == (Fraction(3, 4), 5)


def test_half_a_week_is_half_and_more_than_full_is_full() -> None:
    half = presence({1: 480, 2: 480, 3: 240}, (), MONDAY)
    assert half.share == Fraction(1, 2)
    assert presence(dict.fromkeys(range(1, 8), 600), (), MONDAY).share == 1


@given(
    st.dictionaries(st.integers(1, 7), st.integers(0, 24 * 60)),
    st.lists(st.tuples(st.integers(-30, 60), st.integers(1, 30)), max_size=5),
    st.integers(0, 6),
)
def test_presence_lies_between_nothing_and_all(
    hours: dict[int, int], away: list[tuple[int, int]], weekday: int
) -> None:
    since = MONDAY + timedelta(days=weekday)
    leave = [(since + timedelta(days=start), since + timedelta(days=start + days)) for start, days in away]
    found = presence(hours, leave, since)
    assert 0 <= found.share <= presence(hours, (), since).share <= 1
    assert 0 <= found.leave <= 28
    if leave and found.leave == 0:
        assert found.share == presence(hours, (), since).share


def test_a_capacity_is_full_by_ramp_by_presence() -> None:
    assert Capacity(100, 60, Fraction(3, 4), 5).now == 45
    assert Capacity(1, 50, Fraction(1), 0).now == 1  # halves up
    assert Capacity(7, 0, Fraction(1), 0).now == 0
    assert FULL_WEEK == 2_400


# --- Of members -----------------------------------------------------------------------------------------------------


def of_north(cast: Cast) -> dict[str, Capacity]:
    rows = list(PodMembership.objects.filter(pod=cast.north).select_related("person", "pod"))
    found = capacities(rows, TODAY)
    return {row.person.name.split()[0]: found[row.person_id] for row in rows if row.person_id in found}


def test_who_wins_customers_shares_the_pods_room(cast: Cast) -> None:
    assert of_north(cast) == {"Sam": Capacity(200, 100, Fraction(1), 0)}
    PodMembership.objects.create(pod=cast.north, person=cast.norm, function="mdr", start_on=TODAY)
    found = of_north(cast)
    assert (found["Sam"].full, found["Norm"].full, found["Norm"].ramp) == (100, 100, 100)


def test_ramp_hours_and_leave_of_a_member(cast: Cast) -> None:
    FunctionAssignment.objects.filter(person=cast.sam).update(start_on=TODAY - timedelta(days=40))
    for weekday in (1, 2, 3, 4):
        WorkingHours.objects.create(person=cast.sam, weekday=weekday, starts_at=time(9), ends_at=time(14))
    Leave.objects.create(person=cast.sam, start_on=TODAY, end_on=TODAY + timedelta(days=7))
    assert of_north(cast) == {"Sam": Capacity(200, 60, Fraction(3 * 20, 4 * 40), 4)}
    assert of_north(cast)["Sam"].now == 45


def test_a_companys_own_figures_take_the_place_of_the_defaults(cast: Cast) -> None:
    FunctionAssignment.objects.filter(person=cast.ana).update(start_on=TODAY)
    FunctionCapacity.objects.create(function="ae", lead_capacity=30, ramp="50, 100")
    FunctionCapacity.objects.create(function="sdr", lead_capacity=80)
    found = of_north(cast)
    assert (found["Ana"].full, found["Ana"].ramp, found["Ana"].now) == (30, 50, 15)
    assert (found["Sam"].full, found["Sam"].ramp) == (80, 100)


def test_the_pods_page_tells_managers_and_not_colleagues(cast: Cast, client_of: Log) -> None:
    Leave.objects.create(person=cast.sam, start_on=TODAY, end_on=TODAY + timedelta(days=7))
    url = reverse("pods:pod_detail", args=[cast.north.pk])
    page = client_of("max").get(url)
    members = {row["row"].person.name: row["can"] for row in page.context["members"]}
    assert members["Sam Sorensen"].leave == 5
    assert page.context["capacity"] == 150
    assert "150 leads, with ramp, hours and leave" in page.content.decode()
    seen = client_of("ana").get(url)
    assert (seen.context["sees_capacity"], seen.context["capacity"]) == (False, None)
    assert "Can carry" not in seen.content.decode()


def test_the_view_by_function_shows_load_and_leave_and_exports_them(cast: Cast, client_of: Log) -> None:
    Leave.objects.create(person=cast.sam, start_on=TODAY + timedelta(days=9), end_on=TODAY + timedelta(days=10))
    Leave.objects.create(person=cast.sam, start_on=TODAY + timedelta(days=90), end_on=TODAY + timedelta(days=95))
    cast.north.lead_capacity = 4
    cast.north.save()
    for number in range(3):
        Lead.objects.create(name=f"Lead {number}", owner=cast.sam, pod=cast.north, created_at=NOW)
    url = reverse("pods:member_list") + "?function=sdr&cols=person,open_leads,load,can_carry,ramp,leave"
    shown = client_of("max").get(url).content.decode()
    assert "75" in shown
    sent = client_of("rita").post(url, {"do": "export", "form": "csv"})
    head, sam, sven = csv.reader(b"".join(sent.streaming_content).decode("utf-8-sig").splitlines())  # type: ignore[attr-defined]
    assert head == ["Person", "Leads in work", "Load", "Can carry", "Ramp in per cent", "Next leave"]
    assert sam[0] == "Sam Sorensen"
    assert (sam[1], sam[3], sam[4], sam[5]) == ("3", "4", "100", (TODAY + timedelta(days=9)).isoformat())
    assert (sven[1], sven[3], sven[5]) == ("0", "200", "")
    colleague = client_of("ana").post(url, {"do": "export", "form": "csv"})
    rows = list(csv.reader(b"".join(colleague.streaming_content).decode("utf-8-sig").splitlines()))  # type: ignore[attr-defined]
    assert rows[1][3:] == ["", "", ""]
