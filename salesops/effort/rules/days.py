"""Which days count: the working time of a person, without leave, public holidays and days that were left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction

from salesops.people.rules.working_time import Calendar


@dataclass(frozen=True, slots=True)
class Employment:
    """When somebody works, as far as it bears on what may be expected of them.

    functions: (code, first day, day on which it no longer holds). left_out: days taken out after a doubt. counted_from:
    the first day on which anything is counted of them.
    """

    calendar: Calendar
    functions: tuple[tuple[str, date, date | None], ...] = ()
    holidays: frozenset[date] = frozenset()
    left_out: frozenset[date] = frozenset()
    started_on: date | None = None
    left_on: date | None = None
    counted_from: date | None = None

    def function_on(self, day: date) -> str:
        """The job function on a day; empty for none."""
        return next((code for code, start, end in self.functions if start <= day and (end is None or day < end)), "")

    def is_there(self, day: date) -> bool:
        """Whether they belong to the company on a day that may be counted, and are not on leave."""
        return (
            (self.started_on is None or self.started_on <= day)
            and (self.left_on is None or day < self.left_on)
            and (self.counted_from is None or self.counted_from <= day)
            and day not in self.holidays
            and day not in self.left_out
            and not any(start <= day < end for start, end in self.calendar.leave)
        )

    def share_of(self, day: date, *, full_day_minutes: int) -> Fraction:
        """How much of a full working day it is: 0 for days off, 1 for a full day, less for part-time.

        Who has no working hours in the portal works full days from Monday to Friday.
        """
        if not self.is_there(day):
            return Fraction(0)
        if not self.calendar.hours:
            return Fraction(int(day.isoweekday() <= 5))
        minutes = sum(
            _minutes(start, end) for weekday, start, end in self.calendar.hours if weekday == day.isoweekday()
        )
        return min(Fraction(1), Fraction(minutes, full_day_minutes))


def _minutes(start: time, end: time) -> int:
    whole = datetime.combine(date.min, end) - datetime.combine(date.min, start)
    return int(whole.total_seconds()) // 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """The days of a week that count for a score, and how many full working days they come to."""

    function: str
    days: frozenset[date] = field(default=frozenset())
    worth: Fraction = Fraction(0)


def days_of(start: date, end: date) -> Iterator[date]:
    """The days of [start, end)."""
    day = start
    while day < end:
        yield day
        day += timedelta(days=1)


def stretch_of(employment: Employment, start: date, end: date, *, full_day_minutes: int) -> Stretch:
    """What counts of [start, end). Where the function changes on the way, only the days of the last one: weights differ."""
    worked = [
        (day, share, employment.function_on(day))
        for day in days_of(start, end)
        if (share := employment.share_of(day, full_day_minutes=full_day_minutes))
    ]
    last = next((function for _day, _share, function in reversed(worked) if function), "")
    mine = [(day, share) for day, share, function in worked if function == last and last]
    return Stretch(last, frozenset(day for day, _share in mine), sum((share for _day, share in mine), Fraction(0)))


def week_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.isoweekday() - 1)
