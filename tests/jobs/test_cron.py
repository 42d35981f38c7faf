"""Cron lines in real time zones: what they mean, also on days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.jobs.rules.cron import CronError, parse, slots

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def found(line: str, zone: ZoneInfo, after: str, until: str) -> list[str]:
    moments = slots(parse(line), zone, after=at(after), until=at(until))
    return [f"{moment:%m-%dT%H:%M}" for moment in moments]


def test_fields_are_read() -> None:
    rule = parse("5,10-12 */6 1 2-4/2 5,7")
    assert rule.minutes == {5, 10, 11, 12}
    assert rule.hours == {0, 6, 12, 18}
    assert rule.days == {1}
    assert rule.months == {2, 4}
    assert rule.weekdays == {5, 0}
    assert parse("7/20 * * * *").minutes == {7, 27, 47}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("* * * *", "line"),
        ("60 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "weekday"),
        ("5-1 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("² * * * *", "minute"),
        ("", "line"),
    ],
)
def test_what_is_no_rule_is_refused(line: str, field: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(line)
    assert caught.value.field == field


def test_a_day_and_a_weekday_are_alternatives() -> None:
    # 2026-06-15 and 2026-06-22 are Mondays.
    assert found("0 9 20 * 1", UTC_ZONE, "2026-06-14", "2026-06-23") == ["06-15T09:00", "06-20T09:00", "06-22T09:00"]
    assert found("0 9 * * 1", UTC_ZONE, "2026-06-14", "2026-06-23") == ["06-15T09:00", "06-22T09:00"]


def test_the_range_is_open_below_and_closed_above() -> None:
    assert found("*/30 * * * *", UTC_ZONE, "2026-06-17T10:00", "2026-06-17T11:00") == ["06-17T10:30", "06-17T11:00"]


def test_a_fixed_time_keeps_to_the_wall_clock() -> None:
    assert found("0 6 * * *", BERLIN, "2026-03-28T00:00", "2026-03-30T00:00") == ["03-28T05:00", "03-29T04:00"]
    assert found("0 6 * * *", BERLIN, "2026-10-24T00:00", "2026-10-26T00:00") == ["10-24T04:00", "10-25T05:00"]


def test_a_time_that_the_clocks_skip_is_moved_on_and_one_they_repeat_counts_once() -> None:
    assert found("30 2 * * *", NEW_YORK, "2026-03-07T12:00", "2026-03-10T00:00") == ["03-08T07:30", "03-09T06:30"]
    assert found("30 1 * * *", NEW_YORK, "2026-10-31T12:00", "2026-11-03T00:00") == ["11-01T05:30", "11-02T06:30"]


def test_every_hour_goes_by_real_time() -> None:
    gap = found("0 * * * *", NEW_YORK, "2026-03-08T05:00", "2026-03-08T09:00")
    assert gap == ["03-08T06:00", "03-08T07:00", "03-08T08:00", "03-08T09:00"]
    repeat = found("0 * * * *", NEW_YORK, "2026-11-01T04:00", "2026-11-01T08:00")
    assert repeat == ["11-01T05:00", "11-01T06:00", "11-01T07:00", "11-01T08:00"]


@pytest.mark.parametrize("name", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
def test_a_daily_rule_has_one_slot_a_day_all_year(name: str) -> None:
    zone = ZoneInfo(name)
    moments = list(slots(parse("15 2 * * *"), zone, after=at("2026-01-02"), until=at("2027-01-02")))
    assert len(moments) == 365
    assert moments == sorted(set(moments))
    days = [moment.astimezone(zone).date() for moment in moments]
    assert days == [days[0] + timedelta(days=n) for n in range(365)]


ZONES = st.sampled_from([NEW_YORK, BERLIN, UTC_ZONE, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")])
RULES = st.sampled_from(["* * * * *", "*/7 * * * *", "0 2 * * *", "30 1,2,3 * * *", "0 0 1 * *", "15 3 * * 0"])


@settings(max_examples=30, deadline=None)
@given(
    zone=ZONES,
    line=RULES,
    start=st.integers(0, 300 * 1440),
    cuts=st.lists(st.integers(0, 2 * 1440), max_size=6),
)
def test_ticking_at_any_moments_finds_each_slot_once(zone: ZoneInfo, line: str, start: int, cuts: list[int]) -> None:
    begin = at("2026-02-01") + timedelta(minutes=start)
    end = begin + timedelta(days=2)
    whole = list(slots(parse(line), zone, after=begin, until=end))
    pieces, last = [], begin
    for moment in [*sorted(begin + timedelta(minutes=cut) for cut in cuts), end]:
        pieces += slots(parse(line), zone, after=last, until=moment)
        last = moment
    assert pieces == whole
    assert whole == sorted(set(whole))


@settings(max_examples=20, deadline=None)
@given(zone=ZONES, day=st.dates(date(2026, 1, 2), date(2026, 12, 30)))
def test_every_minute_means_every_real_minute(zone: ZoneInfo, day: date) -> None:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    moments = list(slots(parse("* * * * *"), zone, after=begin, until=begin + timedelta(hours=6)))
    assert moments == [begin + timedelta(minutes=n) for n in range(1, 361)]
