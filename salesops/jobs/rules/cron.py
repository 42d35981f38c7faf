"""When work comes round: a cron line read in a real time zone, also on days on which the clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


class CronError(ValueError):
    """The line is not a cron rule; `field` names the part that cannot be read."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text!r}")
        self.field, self.text = field, text


@dataclass(frozen=True, slots=True)
class CronRule:
    """Which minutes of the wall clock are meant. Weekdays count from Sunday = 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_every_hour: bool
    is_every_day: bool
    is_every_weekday: bool

    def meets(self, day: date) -> bool:
        """Whether the rule has slots on this day. As in cron, a day and a weekday that are both given are alternatives."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.is_every_day or self.is_every_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def parse(line: str) -> CronRule:
    """Read "minute hour day month weekday", each `*`, a number, `a-b`, a list, or any of these with `/step`.

    Raises CronError.
    """
    parts = line.split()
    if len(parts) != len(_FIELDS):
        raise CronError("line", line)
    values = [_parse_field(name, part, low, high) for part, (name, low, high) in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = values
    return CronRule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(weekday % 7 for weekday in weekdays),
        is_every_hour=parts[1] == "*",
        is_every_day=parts[2] == "*",
        is_every_weekday=parts[4] == "*",
    )


def _parse_field(name: str, text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for piece in text.split(","):
        span, slash, step_text = piece.partition("/")
        step = _number(name, step_text, 1, high) if slash else 1
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = low, high
        elif dash:
            first, last = _number(name, first_text, low, high), _number(name, last_text, low, high)
        else:
            first = _number(name, first_text, low, high)
            last = high if slash else first
        if first > last:
            raise CronError(name, text)
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and low <= int(text) <= high):
        raise CronError(name, text)
    return int(text)


def slots(rule: CronRule, zone: ZoneInfo, *, after: datetime, until: datetime) -> Iterator[datetime]:
    """The slots in (after, until], as UTC moments in order, each once.

    A fixed time that the clocks skip is moved on by the length of the gap; one that they repeat counts once, the first
    time. A rule for every hour goes by real time: it misses nothing in the gap and counts both rounds of the repeat.
    """
    first_day = after.astimezone(zone).date() - _DAY
    last_day = until.astimezone(zone).date() + _DAY
    previous = after
    for offset in range((last_day - first_day).days + 1):
        day = first_day + offset * _DAY
        if not rule.meets(day):
            continue
        moments = _by_real_time(rule, zone, day, after, until) if rule.is_every_hour else _by_wall(rule, zone, day)
        for moment in moments:
            if previous < moment <= until:
                previous = moment
                yield moment


def _by_wall(rule: CronRule, zone: ZoneInfo, day: date) -> list[datetime]:
    """The fixed wall times of a day as UTC; a skipped one moves on, because fold 0 reads it with the offset before."""
    return sorted(
        {
            datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)
            for hour in rule.hours
            for minute in rule.minutes
        }
    )


def _by_real_time(rule: CronRule, zone: ZoneInfo, day: date, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every minute of a local day whose wall minute is meant, each real minute once."""
    # A local day begins and ends within 26 hours around its UTC namesake; the test below keeps to the day.
    start = datetime.combine(day, time(), tzinfo=UTC) - timedelta(hours=15)
    end = start + timedelta(hours=54)
    moment = max(start, after.astimezone(UTC).replace(second=0, microsecond=0))
    while moment <= min(end, until):
        local = moment.astimezone(zone)
        if local.date() == day and local.minute in rule.minutes:
            yield moment
        moment += _MINUTE
