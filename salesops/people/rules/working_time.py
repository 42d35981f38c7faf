"""Time that counts: the hours of a person's week in their own time zone, without their leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: Nobody is waited for longer than this: without working time in so many days there is none.
MOST_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class Calendar:
    """When somebody works.

    hours: (ISO weekday, from, until) in their time zone, not overlapping; none means always. leave: days [start, end).
    """

    time_zone: str
    hours: tuple[tuple[int, time, time], ...] = ()
    leave: tuple[tuple[date, date], ...] = ()

    def is_away(self, at: datetime) -> bool:
        """Whether they are on leave at a moment."""
        day = at.astimezone(ZoneInfo(self.time_zone)).date()
        return any(start <= day < end for start, end in self.leave)

    def is_working(self, at: datetime) -> bool:
        """Whether they work at a moment."""
        local = at.astimezone(ZoneInfo(self.time_zone))
        if self.is_away(at):
            return False
        return not self.hours or any(
            weekday == local.isoweekday() and start <= local.time() < end for weekday, start, end in self.hours
        )

    def stretches(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working time from a moment on, as stretches of UTC, for MOST_DAYS days."""
        zone = ZoneInfo(self.time_zone)
        day = since.astimezone(zone).date()
        for _day in range(MOST_DAYS):
            following = day + timedelta(days=1)
            if not any(start <= day < end for start, end in self.leave):
                for start, end in self._of(day, following):
                    first, last = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in (start, end))
                    if last > since and last > first:
                        yield max(first, since), last
            day = following

    def _of(self, day: date, following: date) -> list[tuple[datetime, datetime]]:
        """The hours of a day as local moments; a whole day ends where the next one begins."""
        if not self.hours:
            return [(datetime.combine(day, time()), datetime.combine(following, time()))]
        return [
            (datetime.combine(day, start), datetime.combine(day, end))
            for weekday, start, end in sorted(self.hours)
            if weekday == day.isoweekday()
        ]


def after_working(since: datetime, minutes: int, calendar: Calendar) -> datetime | None:
    """The moment (UTC) at which so many minutes of working time have passed; None where there is not so much of it."""
    left = timedelta(minutes=minutes)
    for start, end in calendar.stretches(since):
        if left <= end - start:
            return start + left
        left -= end - start
    return None


def worked_between(since: datetime, until: datetime, calendar: Calendar) -> timedelta:
    """How much working time lies between two moments; nothing where the second is not the later one."""
    found = timedelta()
    if until <= since:
        return found
    for start, end in calendar.stretches(since):
        if start >= until:
            break
        found += min(end, until) - start
    return found
