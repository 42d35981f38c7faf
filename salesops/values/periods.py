"""Periods: months, quarters, halves and years as half-open runs of days, and what they are in a time zone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LABEL = re.compile(r"(?P<fiscal>FY)?(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})|Q(?P<quarter>[1-4])|H(?P<half>[12]))?")


class PeriodError(ValueError):
    """A period, label, time zone or moment that cannot be used; the message can be shown to a person."""


class PeriodKind(StrEnum):
    """How long a period is."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"

    @property
    def months(self) -> int:
        """Length in months."""
        return {"month": 1, "quarter": 3, "half": 6, "year": 12}[self.value]


@dataclass(frozen=True, order=True)
class Period:
    """A half-open run of days: `start` belongs to it, `end` is the first day that does not."""

    start: date
    end: date
    label: str

    def __post_init__(self) -> None:
        """Refuse a period without days, and moments given as days."""
        for day in (self.start, self.end):
            if isinstance(day, datetime) or not isinstance(day, date):
                raise PeriodError(f"{day!r} is not a day.")
        if self.end <= self.start:
            raise PeriodError(f"The period {self.label} ends ({self.end}) before it has a day ({self.start}).")

    @property
    def days(self) -> int:
        """Number of calendar days."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last day that belongs to the period."""
        return self.end - timedelta(days=1)

    def holds(self, day: date) -> bool:
        """Whether the day belongs to the period."""
        return self.start <= day < self.end


def period_of(day: date, kind: PeriodKind | str, fiscal_start_month: int = 1) -> Period:
    """The period of that kind that holds `day`.

    `fiscal_start_month` is the month in which the company's year begins. A fiscal year that does not begin in January
    carries the number of the calendar year in which it ends, and its labels begin with FY ("FY2018Q1"); months always
    carry their calendar label ("2017-03").
    """
    kind = _kind(kind)
    _check_fiscal(fiscal_start_month)
    since_fiscal_start = (day.month - fiscal_start_month) % 12
    back = since_fiscal_start % kind.months
    first = day.year * 12 + day.month - 1 - back
    return _period(first, kind, fiscal_start_month)


def periods_between(start: date, end: date, kind: PeriodKind | str, fiscal_start_month: int = 1) -> Iterator[Period]:
    """Every period of that kind that shares a day with the half-open run [start, end), in order."""
    day = start
    while day < end:
        period = period_of(day, kind, fiscal_start_month)
        yield period
        day = period.end


def parse_label(label: str, fiscal_start_month: int = 1) -> Period:
    """Read a label as `period_of` writes it: "2017-03", "2017Q3", "2017H2", "2017", or with FY for a fiscal year."""
    _check_fiscal(fiscal_start_month)
    match = _LABEL.fullmatch(label)
    if not match or not label.isascii():
        raise PeriodError(f"{label[:40]!r} is not a period: 2017-03, 2017Q3, 2017H2 or 2017 can be read.")
    year = int(match["year"])
    if match["month"]:
        month = int(match["month"])
        if match["fiscal"] or not 1 <= month <= 12:
            raise PeriodError(f"{label} is not a month.")
        return _period(year * 12 + month - 1, PeriodKind.MONTH, fiscal_start_month)
    if bool(match["fiscal"]) != (fiscal_start_month != 1):
        said = "FY is missing" if fiscal_start_month != 1 else "FY is too much"
        raise PeriodError(f"{label}: {said} where the year begins in month {fiscal_start_month}.")
    first = (year - (fiscal_start_month != 1)) * 12 + fiscal_start_month - 1
    if match["quarter"]:
        return _period(first + 3 * (int(match["quarter"]) - 1), PeriodKind.QUARTER, fiscal_start_month)
    if match["half"]:
        return _period(first + 6 * (int(match["half"]) - 1), PeriodKind.HALF, fiscal_start_month)
    return _period(first, PeriodKind.YEAR, fiscal_start_month)


def prorated(period: Period, active_from: date | None, active_until: date | None) -> Fraction:
    """The share of the period's calendar days that fall into the half-open run [active_from, active_until).

    None means without a bound on that side. The result lies between 0 and 1.
    """
    start = period.start if active_from is None else max(period.start, active_from)
    end = period.end if active_until is None else min(period.end, active_until)
    return Fraction(max(0, (end - start).days), period.days)


def zone_of(zone: str | ZoneInfo) -> ZoneInfo:
    """The time zone of that IANA name. Raises PeriodError for a name that does not exist."""
    if isinstance(zone, ZoneInfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PeriodError(f"{zone[:60]!r} is not a time zone: a name such as America/New_York is needed.") from error


def day_in_zone(moment: datetime, zone: str | ZoneInfo) -> date:
    """The calendar day on which the moment falls for people in the zone. A moment without a zone is refused."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise PeriodError(f"{moment.isoformat()} has no time zone, so it has no certain day.")
    return moment.astimezone(zone_of(zone)).date()


def instants(period: Period, zone: str | ZoneInfo) -> tuple[datetime, datetime]:
    """The period as moments in UTC, half-open: the first moment of its first day, the first moment after its last.

    Right where midnight does not exist (the clock jumps over it) and where it comes twice (the first one counts).
    """
    info = zone_of(zone)
    return _first_moment(period.start, info), _first_moment(period.end, info)


def _first_moment(day: date, zone: ZoneInfo) -> datetime:
    """The first moment in UTC at which the zone's calendar shows `day` or, where that day was skipped, a later one."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    moment = midnight.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return moment
    # Midnight falls into a gap. Read with the offset after the jump it is too early, with the one before it is at or
    # after the jump; the jump itself, the first moment of the day, lies between the two and is on a whole second.
    early = int(midnight.replace(fold=1).timestamp())
    late = int(moment.timestamp())
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).date() < day:
            early = middle
        else:
            late = middle
    return datetime.fromtimestamp(late, UTC)


def _kind(kind: PeriodKind | str) -> PeriodKind:
    try:
        return PeriodKind(kind)
    except ValueError as error:
        raise PeriodError(f"{kind!r} is not a kind of period: month, quarter, half or year.") from error


def _check_fiscal(month: int) -> None:
    if isinstance(month, bool) or not isinstance(month, int) or not 1 <= month <= 12:
        raise PeriodError(f"{month!r} is not the month in which a year begins (1 to 12).")


def _period(first: int, kind: PeriodKind, fiscal_start_month: int) -> Period:
    """The period of `kind` that begins in month number `first`, counted from the year 0."""
    try:
        start = date(first // 12, first % 12 + 1, 1)
        following = first + kind.months
        end = date(following // 12, following % 12 + 1, 1)
    except ValueError as error:
        raise PeriodError("The period lies outside of the calendar.") from error
    if kind is PeriodKind.MONTH:
        return Period(start, end, f"{start.year:04d}-{start.month:02d}")
    since_fiscal_start = (start.month - fiscal_start_month) % 12
    fiscal_first = first - since_fiscal_start
    year = fiscal_first // 12 + (fiscal_start_month != 1)
    prefix = "FY" if fiscal_start_month != 1 else ""
    part = {
        PeriodKind.QUARTER: f"Q{since_fiscal_start // 3 + 1}",
        PeriodKind.HALF: f"H{since_fiscal_start // 6 + 1}",
        PeriodKind.YEAR: "",
    }[kind]
    return Period(start, end, f"{prefix}{year:04d}{part}")
