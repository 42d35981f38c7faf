"""Days as people write them; the order of day and month in a column is found by evidence or asked for."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from babel import Locale

from salesops.connectors.rules.numbers import Sighting
from salesops.connectors.rules.tables import Cell, cell_text, shown
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _


class DateFormat(StrEnum):
    """How a column writes days. Years first with four digits, and months by name, are understood in every column."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"
    COMPACT = "compact"
    SERIAL = "serial"


DATE_FORMAT_LABELS: Final = {
    DateFormat.YMD: _("Year, month, day (2017-03-01)"),
    DateFormat.DMY: _("Day, month, year (01/03/2017)"),
    DateFormat.MDY: _("Month, day, year (03/01/2017)"),
    DateFormat.COMPACT: _("Eight digits (20170301)"),
    DateFormat.SERIAL: _("Day number of a spreadsheet (42795)"),
}

# Two-digit years below the pivot belong to this century, the others to the one before. Said to the user.
PIVOT: Final = 70
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199

_MOST_CHARS: Final = 64
_EVIDENCE: Final = 3
# A number that takes this few values, where another takes this many, in at least so many days, is the year.
_FEW: Final = 3
_MANY: Final = 25
_ENOUGH: Final = 50

_TIME: Final = (
    r"(?:(?:T| +|, ?)(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?"
    r"(?: ?[AaPp]\.?[Mm]\.?)?(?: ?(?:Z|UTC|[-+][0-9]{2}:?[0-9]{2}))?)?"
)
_TRIPLE: Final = re.compile(
    rf"([0-9]{{1,4}})(?:([-/. ])([0-9]{{1,2}})\2([0-9]{{1,4}})|年 ?([0-9]{{1,2}})月 ?([0-9]{{1,2}})日){_TIME}"
)
_COMPACT: Final = re.compile(rf"((?:19|20|21)[0-9]{{2}})([0-9]{{2}})([0-9]{{2}}){_TIME}")
_SERIAL: Final = re.compile(r"([0-9]{5})(?:\.[0-9]{1,12})?")
_WORD: Final = r"([^\W\d_]{3,12})\.?"
_DAY_NAME: Final = r"(?:[^\W\d_]{2,12}\.?,? )?"
_DAY_FIRST: Final = re.compile(
    rf"{_DAY_NAME}([0-9]{{1,2}})(?:st|nd|rd|th|\.|º|er)?[ -]?(?:de |of )?{_WORD}[ ,-]+(?:de )?'?([0-9]{{2}}|[0-9]{{4}}){_TIME}"
)
_MONTH_FIRST: Final = re.compile(
    rf"{_DAY_NAME}{_WORD} ([0-9]{{1,2}})(?:st|nd|rd|th)?,? '?([0-9]{{2}}|[0-9]{{4}}){_TIME}"
)
_YEAR_FIRST: Final = re.compile(rf"([0-9]{{4}})[ -]{_WORD}[ -]([0-9]{{1,2}}){_TIME}")
_SERIAL_ZERO: Final = date(1899, 12, 30)
_SERIALS: Final = range((date(1950, 1, 1) - _SERIAL_ZERO).days, (date(2100, 1, 1) - _SERIAL_ZERO).days)
_LOCALES: Final = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "nb", "fi")


def readings(cell: Cell, pivot: int = PIVOT) -> dict[DateFormat, date]:
    """Every way to read a cell as a day, by format. Empty when there is none.

    A real date, a year of four digits in front and a month by name can be read in one way only, which stands under
    every format, for they are understood in every column.
    """
    if isinstance(cell, datetime):
        return dict.fromkeys(DateFormat, cell.date())
    if isinstance(cell, date):
        return dict.fromkeys(DateFormat, cell)
    if isinstance(cell, Decimal):
        return _number_readings(cell)
    if len(cell) > _MOST_CHARS:
        return {}
    text = cell.strip()
    triple = _TRIPLE.fullmatch(text)
    if triple:
        return _triple_readings(triple, pivot)
    if compact := _COMPACT.fullmatch(text):
        day = _day(int(compact[1]), int(compact[2]), int(compact[3]))
        return {DateFormat.COMPACT: day} if day else {}
    if _SERIAL.fullmatch(text):
        return _number_readings(Decimal(text))
    named = _named(" ".join(text.split()), pivot)
    return dict.fromkeys(DateFormat, named) if named else {}


def read(cell: Cell, form: DateFormat | None, pivot: int = PIVOT) -> Outcome[date]:
    """Read a day in the format of its column.

    With no format (None) only a day that can be read in one way is accepted.
    """
    found = readings(cell, pivot)
    if form is not None and form in found:
        return Outcome.good(found[form])
    days = set(found.values())
    if form is None and len(days) == 1:
        return Outcome.good(days.pop())
    text = cell_text(cell)
    if form is None and days:
        first, second = sorted(days)[:2]
        return Outcome.bad(
            Problem.of(
                "date-ambiguous",
                _("“%(value)s” can mean %(one)s or %(other)s."),
                remedy=_("Say in the mapping how the column writes dates."),
                value=shown(text),
                one=first.isoformat(),
                other=second.isoformat(),
            )
        )
    return Outcome.bad(_unreadable(text, form, bool(found), pivot))


class Exclusion(NamedTuple):
    """Why a format is not the one of a column: a value that does not fit it, or how one of its numbers behaves."""

    problem: Problem
    sighting: Sighting | None = None


@dataclass(frozen=True)
class DateFinding:
    """What the days of a column are like.

    formats: those that fit every readable value, the likelier first; more than one means that a person must be asked.
    excluded: for each format that was ruled out, why.
    spans: first and last day under each format that fits.
    fixed_count: values that can be read in one way only (real dates, year first, month by name).
    is_mixed: whether the values contradict each other: no format fits them all.
    """

    count: int = 0
    unreadable: tuple[Sighting, ...] = ()
    unreadable_count: int = 0
    fixed_count: int = 0
    formats: tuple[DateFormat, ...] = ()
    fitting: Mapping[DateFormat, int] = field(default_factory=dict)
    excluded: Mapping[DateFormat, Exclusion] = field(default_factory=dict)
    spans: Mapping[DateFormat, tuple[date, date]] = field(default_factory=dict)
    short_years: Sighting | None = None
    with_time: Sighting | None = None
    example: Sighting | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether no format fits all values, although each of them is a date."""
        return self.count > self.fixed_count and not self.formats

    @property
    def format(self) -> DateFormat | None:
        """The format that the values prove; None where several fit, none fits, or none is needed."""
        return self.formats[0] if len(self.formats) == 1 else None

    @property
    def must_ask(self) -> bool:
        """Whether a person must say how the column writes days."""
        return self.is_mixed or len(self.formats) > 1


class DateColumn:
    """Looks at the values of one column, one by one, in bounded memory."""

    def __init__(self, pivot: int = PIVOT) -> None:
        self._pivot = pivot
        self._count = self._unreadable_count = self._fixed = 0
        self._unreadable: list[Sighting] = []
        self._fitting: dict[DateFormat, int] = {}
        self._spans: dict[DateFormat, tuple[date, date]] = {}
        self._misfits: dict[DateFormat, Sighting] = {}
        self._places: tuple[set[int], set[int], set[int]] = (set(), set(), set())
        self._short_count = 0
        self._short_years: Sighting | None = None
        self._with_time: Sighting | None = None
        self._example: Sighting | None = None
        self._known: dict[str, dict[DateFormat, date]] = {}

    def add(self, cell: Cell, line: int) -> bool:
        """Look at one value that is not blank. Says whether it is a day."""
        found = self._readings(cell)
        text = shown(cell_text(cell))
        if not found:
            self._unreadable_count += 1
            if len(self._unreadable) < _EVIDENCE:
                self._unreadable.append(Sighting(line, text))
            return False
        self._count += 1
        if self._with_time is None and (":" in text or (isinstance(cell, datetime))):
            self._with_time = Sighting(line, text)
        if len(found) == len(DateFormat):
            self._fixed += 1
            return True
        self._example = self._example or Sighting(line, text)
        if isinstance(cell, str):
            self._look_at_numbers(cell, Sighting(line, text))
        for form in DateFormat:
            day = found.get(form)
            if day is None:
                self._misfits.setdefault(form, Sighting(line, text))
                continue
            self._fitting[form] = self._fitting.get(form, 0) + 1
            first, last = self._spans.get(form, (day, day))
            self._spans[form] = (min(first, day), max(last, day))
        return True

    @property
    def is_in_doubt(self) -> bool:
        """Whether one more clear value would still tell something: several formats fit all that was seen."""
        open_count = self._count - self._fixed
        return open_count > 0 and sum(count == open_count for count in self._fitting.values()) > 1

    def finding(self) -> DateFinding:
        """What was found so far."""
        open_count = self._count - self._fixed
        formats = [form for form in DateFormat if open_count and self._fitting.get(form, 0) == open_count]
        excluded: dict[DateFormat, Exclusion] = {}
        for form, sighting in self._misfits.items():
            if form in self._fitting or form in {DateFormat.DMY, DateFormat.MDY}:
                excluded[form] = Exclusion(_misfit(sighting), sighting)
        for form, problem in self._by_behaviour(formats).items():
            formats.remove(form)
            excluded[form] = Exclusion(problem)
        # Reading days as years spreads them over decades: the narrower span is the likelier one.
        formats.sort(key=lambda form: (self._spans[form][1] - self._spans[form][0]).days)
        return DateFinding(
            count=self._count,
            unreadable=tuple(self._unreadable),
            unreadable_count=self._unreadable_count,
            fixed_count=self._fixed,
            formats=tuple(formats),
            fitting=dict(self._fitting),
            excluded=excluded,
            spans={form: self._spans[form] for form in formats},
            short_years=self._short_years,
            with_time=self._with_time,
            example=self._example,
        )

    def _readings(self, cell: Cell) -> dict[DateFormat, date]:
        """Columns repeat their days: the last few thousand are remembered."""
        if not isinstance(cell, str):
            return readings(cell, self._pivot)
        found = self._known.get(cell)
        if found is None:
            found = readings(cell, self._pivot)
            if len(self._known) < 4_000 and len(cell) <= _MOST_CHARS:
                self._known[cell] = found
        return found

    def _look_at_numbers(self, text: str, sighting: Sighting) -> None:
        """Remember which values the first, second and third number of days with short years take."""
        triple = _TRIPLE.fullmatch(text.strip())
        if not triple or triple[2] is None or len(triple[1]) > 2 or len(triple[4]) > 2:
            return
        self._short_years = self._short_years or sighting
        self._short_count += 1
        for place, group in enumerate((1, 3, 4)):
            self._places[place].add(int(triple[group]))

    def _by_behaviour(self, formats: list[DateFormat]) -> dict[DateFormat, Problem]:
        """With two-digit years, tell the year from the day by what the numbers do in many values.

        A number that is nearly always the same while the other takes all values up to 31 is the year. This never
        decides between day and month.
        """
        if self._short_count < _ENOUGH or DateFormat.YMD not in formats or len(formats) < 2:
            return {}
        first, second, last = self._places
        if len(last) <= _FEW and max(len(first), len(second)) >= _MANY:
            return {DateFormat.YMD: _last_is_year(last, self._short_count)}
        if len(first) <= _FEW and len(last) >= _MANY:
            problem = _first_is_year(first, self._short_count)
            return {form: problem for form in formats if form is not DateFormat.YMD}
        return {}


@cache
def month_names() -> dict[str, int]:
    """Month by its name or short name in the languages that exports come in; none of them means two months."""
    names: dict[str, int] = {}
    for code in _LOCALES:
        for context in Locale(code).months.values():
            for width in ("wide", "abbreviated"):
                names.update({name.casefold().strip(". "): number for number, name in context[width].items()})
    return {name: number for name, number in names.items() if len(name) > 2} | {"sept": 9}


def _triple_readings(triple: re.Match[str], pivot: int) -> dict[DateFormat, date]:
    first, third = triple[1], triple[4]
    if triple[2] is None:
        day = _day(int(first), int(triple[5]), int(triple[6])) if len(first) == 4 else None
        return dict.fromkeys(DateFormat, day) if day else {}
    one, two, three = int(first), int(triple[3]), int(third)
    if len(first) == 4 and len(third) <= 2:
        day = _day(one, two, three)
        return dict.fromkeys(DateFormat, day) if day else {}
    if len(first) > 2 or len(third) not in {1, 2, 4}:
        return {}
    days: dict[DateFormat, date | None] = {}
    if len(third) != 1:
        year = three if len(third) == 4 else _long_year(three, pivot)
        days |= {DateFormat.DMY: _day(year, two, one), DateFormat.MDY: _day(year, one, two)}
    if len(third) != 4 and len(first) == 2:
        days[DateFormat.YMD] = _day(_long_year(one, pivot), two, three)
    return {form: day for form, day in days.items() if day}


def _number_readings(number: Decimal) -> dict[DateFormat, date]:
    if not number.is_finite() or not 0 < number < 10**8:
        return {}
    whole = int(number)
    if whole in _SERIALS:
        return {DateFormat.SERIAL: _SERIAL_ZERO + timedelta(days=whole)}
    if whole == number and whole >= 10**7:
        day = _day(whole // 10_000, whole // 100 % 100, whole % 100)
        return {DateFormat.COMPACT: day} if day else {}
    return {}


def _named(text: str, pivot: int) -> date | None:
    """The day of a text with a month by name."""
    for pattern, (year, month, day) in ((_DAY_FIRST, (3, 2, 1)), (_MONTH_FIRST, (3, 1, 2)), (_YEAR_FIRST, (1, 2, 3))):
        match = pattern.fullmatch(text)
        number = month_names().get(match[month].casefold()) if match else None
        if match and number:
            written = match[year]
            return _day(int(written) if len(written) == 4 else _long_year(int(written), pivot), number, int(match[day]))
    return None


def _long_year(year: int, pivot: int) -> int:
    return year + (2000 if year < pivot else 1900)


def _day(year: int, month: int, day: int) -> date | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def pivot_note(seen: Sighting, pivot: int = PIVOT) -> Problem:
    """How years of two digits are read, said to the user."""
    return Problem.of(
        "date-short-years",
        _("Years have two digits (“%(value)s” on line %(line)s): 00 to %(last)s are read as 20xx, the others as 19xx."),
        value=seen.text,
        line=seen.line,
        last=f"{pivot - 1:02d}",
    )


def _misfit(seen: Sighting) -> Problem:
    return Problem.of(
        "date-misfit",
        _("“%(value)s” on line %(line)s cannot be read like that."),
        value=seen.text,
        line=seen.line,
    )


def _last_is_year(values: set[int], count: int) -> Problem:
    return Problem.of(
        "date-last-is-year",
        _("In %(count)s values the last number is only ever %(values)s, so it is the year and not the day."),
        values=", ".join(f"{value:02d}" for value in sorted(values)),
        count=f"{count:,}",
    )


def _first_is_year(values: set[int], count: int) -> Problem:
    return Problem.of(
        "date-first-is-year",
        _("In %(count)s values the first number is only ever %(values)s, so it is the year and not the day."),
        values=", ".join(f"{value:02d}" for value in sorted(values)),
        count=f"{count:,}",
    )


def _unreadable(text: str, form: DateFormat | None, has_other: bool, pivot: int) -> Problem:
    """Why a text is no day in the format of its column: impossible days are told from texts that are none."""
    if has_other and form:
        return Problem.of(
            "date-format",
            _("“%(value)s” is not a date in the format of the column (%(format)s)."),
            remedy=_("Correct the value, or change the date format of the column in the mapping."),
            value=shown(text),
            format=_EXAMPLES[form],
        )
    parts = _parts(text.strip()[:_MOST_CHARS], form, pivot)
    if parts:
        year, month, _day_number = parts
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return Problem.of(
                "date-year",
                _("“%(value)s” is outside of the years %(first)s to %(last)s."),
                remedy=_("Correct the year; leave the cell empty where there is no end."),
                value=shown(text),
                first=FIRST_YEAR,
                last=LAST_YEAR,
            )
        if not 1 <= month <= 12:
            return Problem.of(
                "date-impossible",
                _("“%(value)s” is not a day: there is no month %(month)s."),
                remedy=_("Correct the date, or change the date format of the column in the mapping."),
                value=shown(text),
                month=month,
            )
        return Problem.of(
            "date-impossible",
            _("“%(value)s” is not a day: month %(month)s of %(year)s has %(days)s days."),
            remedy=_("Correct the date, or change the date format of the column in the mapping."),
            value=shown(text),
            month=month,
            year=year,
            days=monthrange(year, month)[1],
        )
    return Problem.of(
        "date-unreadable",
        _("“%(value)s” is not a date."),
        remedy=_("Write a date such as 2017-03-01."),
        value=shown(text),
    )


# How each format writes 1 March 2017; the same in every language.
_EXAMPLES: Final = {
    DateFormat.YMD: "YYYY-MM-DD",
    DateFormat.DMY: "DD/MM/YYYY",
    DateFormat.MDY: "MM/DD/YYYY",
    DateFormat.COMPACT: "YYYYMMDD",
    DateFormat.SERIAL: "42795",
}


def _parts(text: str, form: DateFormat | None, pivot: int) -> tuple[int, int, int] | None:
    """Year, month and day as the format would read them, possible or not; None for a text that is no date at all."""
    triple = _TRIPLE.fullmatch(text)
    if triple and triple[2] is None:
        return int(triple[1]), int(triple[5]), int(triple[6])
    if triple:
        one, two, three = int(triple[1]), int(triple[3]), int(triple[4])
        if len(triple[1]) == 4:
            return one, two, three
        if len(triple[1]) == 3 or len(triple[4]) not in {2, 4}:
            return None
        if form is DateFormat.YMD and len(triple[4]) <= 2:
            return _long_year(one, pivot), two, three
        year = _long_year(three, pivot) if len(triple[4]) <= 2 else three
        return (year, one, two) if form is DateFormat.MDY else (year, two, one)
    if re.fullmatch(r"[0-9]{8}", text):
        return int(text[:4]), int(text[4:6]), int(text[6:])
    return None
