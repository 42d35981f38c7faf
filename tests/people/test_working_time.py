"""Working time: hours of a person's own zone, over weekends, leave and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.people.rules.working_time import Calendar, after_working, worked_between

OFFICE = tuple((weekday, time(9), time(17)) for weekday in range(1, 6))
BERLIN = Calendar("Europe/Berlin", OFFICE)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.mark.parametrize(
    ("since", "minutes", "until"),
    [
        ("2026-06-17T10:00", 60, "2026-06-17T11:00"),
        ("2026-06-17T16:30", 60, "2026-06-18T09:30"),  # half an hour is left of the day
        ("2026-06-19T16:30", 60, "2026-06-22T09:30"),  # Friday to Monday
        ("2026-06-20T12:00", 5, "2026-06-22T09:05"),  # a lead of Saturday
        ("2026-06-17T06:00", 5, "2026-06-17T09:05"),
        ("2026-06-17T09:00", 480, "2026-06-17T17:00"),  # a whole day ends when the day ends
        ("2026-03-27T16:00", 120, "2026-03-30T10:00"),  # over the spring change of clocks
        ("2026-10-23T16:00", 120, "2026-10-26T10:00"),  # and that of autumn
    ],
)
def test_working_minutes_go_by_in_their_own_zone(since: str, minutes: int, until: str) -> None:
    assert after_working(berlin(since), minutes, BERLIN) == berlin(until)


def test_leave_does_not_count() -> None:
    away = Calendar("Europe/Berlin", OFFICE, ((date(2026, 6, 18), date(2026, 6, 23)),))
    assert after_working(berlin("2026-06-17T16:30"), 60, away) == berlin("2026-06-23T09:30")
    assert away.is_away(berlin("2026-06-18T00:00"))
    assert not away.is_away(berlin("2026-06-23T00:00"))
    assert not away.is_working(berlin("2026-06-19T10:00"))


def test_whoever_set_no_hours_works_always_but_on_leave() -> None:
    calendar = Calendar("UTC", (), ((date(2026, 6, 18), date(2026, 6, 19)),))
    assert calendar.is_working(datetime(2026, 6, 17, 3, tzinfo=UTC))
    found = after_working(datetime(2026, 6, 17, 23, 30, tzinfo=UTC), 60, calendar)
    assert found == datetime(2026, 6, 19, 0, 30, tzinfo=UTC)


def test_hours_are_half_open() -> None:
    assert BERLIN.is_working(berlin("2026-06-17T09:00"))
    assert not BERLIN.is_working(berlin("2026-06-17T17:00"))
    assert not BERLIN.is_working(berlin("2026-06-21T12:00"))


def test_without_working_time_there_is_no_moment() -> None:
    gone = Calendar("UTC", OFFICE, ((date(2026, 1, 1), date(2036, 1, 1)),))
    assert after_working(datetime(2026, 6, 17, tzinfo=UTC), 1, gone) is None


def test_the_night_of_the_change_has_the_hours_it_has() -> None:
    """Without hours a day is as long as it is: 23 hours in spring, 25 in autumn."""
    always = Calendar("Europe/Berlin")
    spring = worked_between(berlin("2026-03-29T00:00"), berlin("2026-03-30T00:00"), always)
    autumn = worked_between(berlin("2026-10-25T00:00"), berlin("2026-10-26T00:00"), always)
    assert (spring, autumn) == (timedelta(hours=23), timedelta(hours=25))


moments = st.integers(0, 330 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(moments, st.integers(0, 3_000), st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"]))
def test_what_is_added_is_what_lies_between(since: datetime, minutes: int, zone: str) -> None:
    calendar = Calendar(zone, OFFICE, ((date(2026, 5, 1), date(2026, 5, 11)),))
    until = after_working(since, minutes, calendar)
    assert until is not None
    assert worked_between(since, until, calendar) == timedelta(minutes=minutes)
    assert worked_between(until, since, calendar) == timedelta()
