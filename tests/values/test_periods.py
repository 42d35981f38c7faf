"""Periods: labels, fiscal years, and the moments they mean in a time zone."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.values.periods import (
    Period,
    PeriodError,
    PeriodKind,
    day_in_zone,
    instants,
    parse_label,
    period_of,
    periods_between,
    prorated,
)

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
KINDS = st.sampled_from(list(PeriodKind))
FISCAL = st.integers(1, 12)
ZONES = st.sampled_from(
    [
        "UTC",
        "America/Los_Angeles",
        "America/New_York",
        "Europe/Berlin",
        "Asia/Shanghai",
        "Asia/Kolkata",
        "Etc/GMT-14",
        "Etc/GMT+12",
        "Pacific/Apia",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Africa/Cairo",
    ]
)


@pytest.mark.parametrize(
    ("day", "kind", "fiscal", "start", "end", "label"),
    [
        (date(2017, 8, 31), "month", 1, date(2017, 8, 1), date(2017, 9, 1), "2017-08"),
        (date(2017, 12, 31), "month", 1, date(2017, 12, 1), date(2018, 1, 1), "2017-12"),
        (date(2017, 9, 30), "quarter", 1, date(2017, 7, 1), date(2017, 10, 1), "2017Q3"),
        (date(2024, 2, 29), "half", 1, date(2024, 1, 1), date(2024, 7, 1), "2024H1"),
        (date(2024, 2, 29), "year", 1, date(2024, 1, 1), date(2025, 1, 1), "2024"),
        (date(2024, 1, 31), "quarter", 2, date(2023, 11, 1), date(2024, 2, 1), "FY2024Q4"),
        (date(2024, 2, 1), "quarter", 2, date(2024, 2, 1), date(2024, 5, 1), "FY2025Q1"),
        (date(2024, 2, 1), "year", 2, date(2024, 2, 1), date(2025, 2, 1), "FY2025"),
        (date(2024, 3, 31), "half", 10, date(2023, 10, 1), date(2024, 4, 1), "FY2024H1"),
        (date(2024, 3, 31), "month", 10, date(2024, 3, 1), date(2024, 4, 1), "2024-03"),
    ],
)
def test_the_period_of_a_day(day: date, kind: str, fiscal: int, start: date, end: date, label: str) -> None:
    assert period_of(day, kind, fiscal) == Period(start, end, label)


@given(DAYS, KINDS, FISCAL)
def test_a_label_reads_back_to_its_period(day: date, kind: PeriodKind, fiscal: int) -> None:
    period = period_of(day, kind, fiscal)
    assert period.holds(day)
    assert parse_label(period.label, fiscal) == period


@given(DAYS, KINDS, FISCAL)
def test_periods_touch_and_never_overlap(day: date, kind: PeriodKind, fiscal: int) -> None:
    period = period_of(day, kind, fiscal)
    following = period_of(period.end, kind, fiscal)
    assert following.start == period.end
    assert period_of(period.last_day, kind, fiscal) == period


def test_periods_between_are_those_that_share_a_day() -> None:
    labels = [period.label for period in periods_between(date(2017, 9, 30), date(2018, 1, 1), "quarter")]
    assert labels == ["2017Q3", "2017Q4"]
    assert list(periods_between(date(2017, 9, 30), date(2017, 9, 30), "quarter")) == []


@pytest.mark.parametrize(
    ("label", "fiscal"),
    [
        ("2017-13", 1),
        ("2017-00", 1),
        ("2017Q5", 1),
        ("FY2017-03", 2),
        ("FY2017Q1", 1),
        ("2017Q1", 2),
        ("0000", 1),
        ("17Q1", 1),
        ("2017q1", 1),
        ("", 1),
        ("2017Q1 ", 1),
        ("２０１７", 1),
        ("9999", 1),
        ("2017", 13),
        ("2017", True),
    ],
)
def test_labels_that_cannot_be_read_are_refused(label: str, fiscal: int) -> None:
    with pytest.raises(PeriodError):
        parse_label(label, fiscal)


def test_a_period_needs_days() -> None:
    with pytest.raises(PeriodError):
        Period(date(2024, 1, 1), date(2024, 1, 1), "empty")
    with pytest.raises(PeriodError):
        Period(datetime(2024, 1, 1, tzinfo=UTC), date(2024, 2, 1), "moment")
    with pytest.raises(PeriodError):
        period_of(date(2024, 1, 1), "fortnight")


@pytest.mark.parametrize(
    ("start", "until", "share"),
    [
        (None, None, Fraction(1)),
        (date(2024, 2, 15), None, Fraction(15, 29)),
        (None, date(2024, 2, 2), Fraction(1, 29)),
        (date(2024, 2, 10), date(2024, 2, 20), Fraction(10, 29)),
        (date(2024, 3, 1), None, Fraction(0)),
        (date(2024, 2, 20), date(2024, 2, 10), Fraction(0)),
        (date(2023, 1, 1), date(2025, 1, 1), Fraction(1)),
    ],
)
def test_proration_counts_calendar_days(start: date | None, until: date | None, share: Fraction) -> None:
    assert prorated(period_of(date(2024, 2, 1), "month"), start, until) == share


def test_the_same_moment_is_another_day_in_another_zone() -> None:
    moment = datetime(2026, 4, 1, 3, 30, tzinfo=UTC)
    assert day_in_zone(moment, "America/Los_Angeles") == date(2026, 3, 31)
    assert day_in_zone(moment, "UTC") == date(2026, 4, 1)
    assert day_in_zone(moment.astimezone(ZoneInfo("Asia/Tokyo")), "America/Los_Angeles") == date(2026, 3, 31)
    with pytest.raises(PeriodError, match="no time zone"):
        day_in_zone(datetime(2026, 4, 1, 3, 30), "UTC")  # noqa: DTZ001  # a naive moment is what is refused


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "America/New_York\0"])
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(PeriodError):
        day_in_zone(datetime(2026, 4, 1, tzinfo=UTC), zone)


@pytest.mark.parametrize(
    ("label", "zone", "start", "end"),
    [
        ("2026-03", "America/New_York", "2026-03-01T05:00", "2026-04-01T04:00"),
        ("2026-11", "America/New_York", "2026-11-01T04:00", "2026-12-01T05:00"),
        ("2026-03", "Europe/Berlin", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("2026-01", "Etc/GMT-14", "2025-12-31T10:00", "2026-01-31T10:00"),
        ("2026-01", "Etc/GMT+12", "2026-01-01T12:00", "2026-02-01T12:00"),
        ("2024-02", "UTC", "2024-02-01T00:00", "2024-03-01T00:00"),
    ],
)
def test_the_moments_of_a_period(label: str, zone: str, start: str, end: str) -> None:
    expected = tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    assert instants(parse_label(label), zone) == expected


def test_a_midnight_that_does_not_exist_begins_the_day_at_the_jump() -> None:
    day = Period(date(2017, 10, 15), date(2017, 10, 16), "a day")
    assert instants(day, "America/Sao_Paulo")[0] == datetime(2017, 10, 15, 3, 0, tzinfo=UTC)
    toronto = Period(date(1919, 3, 31), date(1919, 4, 1), "23:30 jumps to 00:30")
    assert instants(toronto, "America/Toronto")[0] == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)


def test_a_day_that_was_skipped_has_no_moment_of_its_own() -> None:
    skipped = Period(date(2011, 12, 30), date(2011, 12, 31), "never happened in Apia")
    start, end = instants(skipped, "Pacific/Apia")
    assert start == end == datetime(2011, 12, 30, 10, 0, tzinfo=UTC)


@given(DAYS, KINDS, ZONES, st.sampled_from([timedelta(0), timedelta(microseconds=-1), timedelta(microseconds=1)]))
def test_moments_and_days_agree_at_every_edge(day: date, kind: PeriodKind, zone: str, nudge: timedelta) -> None:
    period = period_of(day, kind)
    start, end = instants(period, zone)
    for edge in (start, end):
        moment = edge + nudge
        assert period.holds(day_in_zone(moment, zone)) == (start <= moment < end)


@given(st.datetimes(datetime(2013, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC)), KINDS, ZONES)  # noqa: DTZ001
def test_every_moment_is_in_exactly_one_period(moment: datetime, kind: PeriodKind, zone: str) -> None:
    period = period_of(day_in_zone(moment, zone), kind)
    start, end = instants(period, zone)
    assert start <= moment < end
