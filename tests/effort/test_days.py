"""Which days count: part-time, leave, holidays, first and last days, a change of function, what was left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from salesops.effort.rules.days import Employment, days_of, stretch_of, week_of
from salesops.people.rules.working_time import Calendar

MONDAY = date(2026, 6, 8)
END = MONDAY + timedelta(days=7)
PLAIN = Employment(Calendar("UTC"), (("sdr", date(2025, 1, 1), None),))


def days(employment: Employment, start: date = MONDAY, end: date = END) -> Fraction:
    return stretch_of(employment, start, end, full_day_minutes=480).worth


def test_without_hours_it_is_monday_to_friday() -> None:
    assert days(PLAIN) == 5
    assert stretch_of(PLAIN, MONDAY, END, full_day_minutes=480).days == frozenset(
        days_of(MONDAY, MONDAY + timedelta(days=5))
    )


def test_shorter_days_count_less_and_longer_ones_not_more() -> None:
    hours = (
        *tuple((weekday, time(9), time(13)) for weekday in (1, 2, 3)),
        (4, time(8), time(19)),
        (6, time(9), time(11)),
    )
    assert days(replace(PLAIN, calendar=Calendar("UTC", hours))) == Fraction(3, 2) + 1 + Fraction(1, 4)
    split = ((1, time(8), time(12)), (1, time(13), time(15)))
    assert days(replace(PLAIN, calendar=Calendar("UTC", split))) == Fraction(3, 4)


def test_leave_holidays_and_what_was_left_out_are_not_asked_for() -> None:
    tuesday, thursday = MONDAY + timedelta(days=1), MONDAY + timedelta(days=3)
    assert days(replace(PLAIN, calendar=Calendar("UTC", (), ((tuesday, thursday),)))) == 3
    assert days(replace(PLAIN, holidays=frozenset({tuesday, END - timedelta(days=1)}))) == 4
    assert days(replace(PLAIN, left_out=frozenset({tuesday}))) == 4


def test_a_start_or_an_end_in_the_week() -> None:
    wednesday = MONDAY + timedelta(days=2)
    assert days(replace(PLAIN, started_on=wednesday)) == 3
    assert days(replace(PLAIN, left_on=wednesday)) == 2
    assert days(replace(PLAIN, counted_from=wednesday)) == 3
    assert days(PLAIN, MONDAY, wednesday) == 2


def test_with_a_change_of_function_the_days_of_the_last_one_count() -> None:
    wednesday = MONDAY + timedelta(days=2)
    changed = replace(PLAIN, functions=(("sdr", date(2025, 1, 1), wednesday), ("ae", wednesday, None)))
    found = stretch_of(changed, MONDAY, END, full_day_minutes=480)
    assert (found.function, found.worth, min(found.days)) == ("ae", 3, wednesday)
    ended = replace(PLAIN, functions=(("sdr", date(2025, 1, 1), wednesday),))
    assert stretch_of(ended, MONDAY, END, full_day_minutes=480).worth == 2
    assert stretch_of(replace(PLAIN, functions=()), MONDAY, END, full_day_minutes=480).worth == 0


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_weeks_begin_on_mondays(day: date) -> None:
    assert week_of(day).isoweekday() == 1
    assert timedelta(0) <= day - week_of(day) < timedelta(days=7)


@given(st.sets(st.integers(0, 6)), st.integers(0, 6), st.integers(0, 7))
def test_every_day_counts_once_or_not_at_all(holidays: set[int], start: int, length: int) -> None:
    away = (MONDAY + timedelta(days=start), MONDAY + timedelta(days=start + length))
    person = replace(
        PLAIN,
        calendar=Calendar("UTC", (), (away,)),
        holidays=frozenset(MONDAY + timedelta(days=each) for each in holidays),
    )
    expected = [
        day
        for day in days_of(MONDAY, END)
        if day.isoweekday() <= 5 and day not in person.holidays and not away[0] <= day < away[1]
    ]
    assert stretch_of(person, MONDAY, END, full_day_minutes=480).days == frozenset(expected)
    assert days(person) == len(expected)
