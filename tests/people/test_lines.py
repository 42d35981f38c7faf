"""Who reports to whom, in time: circles are found on the first day they would close."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesops.people.rules.lines import Circle, Line, first_circle

JAN, MAR, JUN, SEP = date(2026, 1, 1), date(2026, 3, 1), date(2026, 6, 1), date(2026, 9, 1)


def test_no_circle_without_a_way_back() -> None:
    assert first_circle([Line(2, 3, JAN)], Line(1, 2, JAN)) is None


def test_two_people_above_each_other() -> None:
    assert first_circle([Line(2, 1, JAN)], Line(1, 2, MAR)) == Circle(MAR, (1, 2, 1))


def test_a_circle_over_three() -> None:
    lines = [Line(2, 3, JAN), Line(3, 1, JAN)]
    assert first_circle(lines, Line(1, 2, JAN)) == Circle(JAN, (1, 2, 3, 1))


def test_a_circle_that_closes_only_later() -> None:
    lines = [Line(2, 3, JAN, JUN), Line(2, 1, JUN)]
    assert first_circle(lines, Line(1, 2, JAN)) == Circle(JUN, (1, 2, 1))
    assert first_circle(lines, Line(1, 2, JAN, JUN)) is None, "the new line ends on the day the other begins"


def test_lines_that_are_over_do_not_count() -> None:
    assert first_circle([Line(2, 1, JAN, MAR)], Line(1, 2, MAR)) is None


def test_the_line_that_is_replaced_does_not_count() -> None:
    assert first_circle([Line(1, 3, JAN), Line(3, 1, MAR, MAR + timedelta(days=1))], Line(1, 2, JAN)) is None


def test_a_circle_of_others_is_not_blamed_on_the_new_line() -> None:
    assert first_circle([Line(2, 3, JAN), Line(3, 2, JAN)], Line(1, 2, JAN)) is None


days = st.integers(0, 6).map(lambda n: JAN + timedelta(days=n))
lines = st.builds(
    lambda person, manager, start, length: Line(
        person, manager, start, start + timedelta(days=length) if length else None
    ),
    st.integers(1, 5),
    st.integers(1, 5),
    days,
    st.integers(0, 4),
).filter(lambda line: line.person != line.manager)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines, max_size=8), lines)
def test_the_answer_is_that_of_looking_at_every_day(drawn: list[Line], new: Line) -> None:
    others: list[Line] = []
    for line in drawn:  # one manager at a time, as the database keeps it
        overlaps = any(
            line.person == kept.person
            and line.start_on < (kept.end_on or date.max)
            and kept.start_on < (line.end_on or date.max)
            for kept in others
        )
        if not overlaps and line.person != new.person:
            others.append(line)
    expected = None
    for number in range(12):
        day = JAN + timedelta(days=number)
        if not new.holds_on(day):
            continue
        above = {line.person: line.manager for line in others if line.holds_on(day)}
        at, steps = new.manager, 0
        while at != new.person and at in above and steps < 10:
            at, steps = above[at], steps + 1
        if at == new.person:
            expected = day
            break
    circle = first_circle(others, new)
    assert (circle.on if circle else None) == expected
