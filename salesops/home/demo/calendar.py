"""When people work and how business flows through the year. Pure: today is handed in as a day number."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from salesops.home.demo.rows import DAY_SECONDS, day_number, day_of

#: Days of history before today: two years, and a quarter in which the first of their closed deals were opened.
HISTORY: Final = 820
#: Days ahead for which working time is known.
AHEAD: Final = 120

#: How busy each month is, January first: quarter ends are strong, August and the turn of the year are weak.
_MONTHS: Final = (0.88, 0.95, 1.18, 0.94, 1.0, 1.2, 0.86, 0.74, 1.12, 1.05, 1.15, 0.93)
#: A year's growth of the business.
_GROWTH: Final = 1.3


@cache
def _start(zone: str, day: int, minutes: int) -> int:
    """The moment (seconds since 1970) at which a clock in the zone shows so many minutes after midnight on a day."""
    at = time(minutes // 60, minutes % 60)
    return int(datetime.combine(day_of(day), at, tzinfo=ZoneInfo(zone)).timestamp())


def is_public_holiday(day: date) -> bool:
    """Days on which nobody works anywhere: Christmas and New Year."""
    return (day.month, day.day) in {(12, 25), (12, 26), (1, 1)}


class WorkingTime:
    """One person's working days, and the moments on them.

    `opens_at` and `closes_at` are minutes after midnight in the person's zone; `weekdays` are ISO numbers; `away` are
    half-open ranges of days; `now` is the moment at which history ends.
    """

    __slots__ = ("_first", "_following", "_opens", "_preceding", "_seconds")

    def __init__(
        self,
        *,
        zone: str,
        opens_at: int,
        closes_at: int,
        weekdays: Collection[int],
        away: Collection[tuple[int, int]],
        today: int,
        now: int,
    ) -> None:
        self._first = today - HISTORY - 30
        self._seconds = (closes_at - opens_at) * 60
        absent = {day for start, end in away for day in range(start, end)}
        days = range(self._first, today + AHEAD)
        works = [
            day not in absent
            and (calendar_day := day_of(day)).isoweekday() in weekdays
            and not is_public_holiday(calendar_day)
            for day in days
        ]
        works[0] = works[-1] = True  # so that every search ends, far outside the history
        self._opens = [_start(zone, day, opens_at) if at_work else 0 for day, at_work in zip(days, works, strict=True)]
        self._following = list(range(len(works)))
        for index in range(len(works) - 2, -1, -1):
            if not works[index]:
                self._following[index] = self._following[index + 1]
        self._preceding = list(range(len(works)))
        for index in range(1, len(works)):
            if not works[index] or self._opens[index] + self._seconds > now:
                self._preceding[index] = self._preceding[index - 1]

    def works_on(self, day: int) -> bool:
        """Whether this is a working day of the person."""
        return self._opens[day - self._first] != 0

    def at_or_after(self, day: int, share: float) -> int:
        """A moment within working hours on the day, or on the next working day; `share` from 0 to 1 says how late."""
        index = self._following[min(day - self._first, len(self._following) - 1)]
        return self._opens[index] + int(share * self._seconds)

    def at_or_before(self, day: int, share: float) -> int:
        """A moment within working hours on the day, or on the last working day before that was over by `now`.

        Where there is none (the person had not started yet) it is the first working day after.
        """
        index = self._preceding[day - self._first] or self._following[day - self._first]
        return self._opens[index] + int(share * self._seconds)

    def soon_after(self, moment: int, delay: int, share: float) -> int:
        """The first working moment at least `delay` seconds after a moment; outside hours it is early the next morning."""
        moment += delay
        index = moment // DAY_SECONDS - self._first - 1
        last = len(self._opens) - 1
        while index < last:
            opens = self._opens[index]
            if opens and moment < opens + self._seconds:
                return max(moment, opens + int(share * 5400))
            index += 1
        return self._opens[self._following[last]] + int(share * 5400)


def on_weekday(day: int, share: float) -> int:
    """The day; instead of a Saturday or Sunday some day of the week after (`share` from 0 to 1 says which)."""
    weekday = (day + 3) % 7  # day 0 was a Thursday
    return day if weekday < 5 else day + 7 - weekday + int(5 * share)


class Flow:
    """How new business spreads over the days of history: growth, season, weekends that are nearly empty."""

    def __init__(self, today: int) -> None:
        self.first, self.today = today - HISTORY, today
        weights = []
        for day in range(self.first, today):
            calendar_day = day_of(day)
            weight = _MONTHS[calendar_day.month - 1] * _GROWTH ** ((day - self.first) / 365)
            weights.append(weight * (0.12 if calendar_day.isoweekday() > 5 else 1.0))
        self._sums = list(itertools.accumulate(weights))
        self._total = self._sums[-1]

    def day_at(self, share: float) -> int:
        """The day by which this share (from 0 to 1) of the history's business had come in."""
        return self.first + min(bisect.bisect_right(self._sums, share * self._total), len(self._sums) - 1)


def quarter_end(day: date) -> date:
    """The last day of the quarter in which a day lies."""
    month = 3 * ((day.month - 1) // 3) + 3
    first_of_next = date(day.year + (month == 12), month % 12 + 1, 1)
    return first_of_next - timedelta(days=1)


class CompanyDays:
    """Turns moments into days in the company's time zone."""

    def __init__(self, zone: str) -> None:
        self._zone = None if zone == "UTC" else ZoneInfo(zone)

    def of(self, moment: int) -> int:
        """The day it is in the company's zone at a moment."""
        if self._zone is None:
            return moment // DAY_SECONDS
        return day_number(datetime.fromtimestamp(moment, UTC).astimezone(self._zone).date())

    def start(self, day: int) -> int:
        """The moment at which a day begins in the company's zone."""
        if self._zone is None:
            return day * DAY_SECONDS
        return int(datetime.combine(day_of(day), time(), tzinfo=self._zone).timestamp())
