"""What the columns of a table are like, gathered row by row in bounded memory: the evidence for a mapping."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from salesops.connectors.rules.dates import DateColumn, DateFinding
from salesops.connectors.rules.numbers import NumberColumn, NumberFinding, Sighting
from salesops.connectors.rules.tables import Cell, Row, cell_text, shown

EMAIL: Final = re.compile(r"[^@\s,;<>\"]{1,120}@[^@\s,;<>\"]{1,120}\.[^@\s,;<>\".]{2,30}")

# Rows in which every value is looked at; further down only columns that are still in doubt are.
_THOROUGH: Final = 20_000
# Values after which a column that holds hardly any numbers (or days) is no longer looked at for them.
_TRIED: Final = 500
_SAMPLES: Final = 5
_DISTINCT: Final = 1_000


@dataclass(frozen=True)
class ColumnProfile:
    """What was seen in one column.

    samples: the first few distinct values with their lines. distinct: how many there are, up to a bound of 1,000.
    """

    header: str
    filled: int = 0
    blank: int = 0
    distinct: int = 0
    longest: int = 0
    emails: int = 0
    samples: tuple[Sighting, ...] = ()
    numbers: NumberFinding = field(default_factory=NumberFinding)
    dates: DateFinding = field(default_factory=DateFinding)
    looked_at: int = 0

    @property
    def is_mostly_dates(self) -> bool:
        """Whether nearly all values that were looked at are days."""
        return self.looked_at > 0 and self.dates.count * 10 >= self.looked_at * 9

    @property
    def is_mostly_numbers(self) -> bool:
        """Whether nearly all values that were looked at are numbers."""
        return self.looked_at > 0 and self.numbers.count * 10 >= self.looked_at * 9

    @property
    def is_mostly_emails(self) -> bool:
        """Whether nearly all values that were looked at are addresses."""
        return self.looked_at > 0 and self.emails * 10 >= self.looked_at * 9


@dataclass(frozen=True)
class TableProfile:
    """The profiles of all columns, how many rows were seen, and how many of them could not be used."""

    columns: tuple[ColumnProfile, ...]
    rows: int = 0
    unusable: int = 0

    def column(self, header: str) -> ColumnProfile | None:
        """The profile of a column, or None when the table has no such header."""
        return next((column for column in self.columns if column.header == header), None)

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers in order."""
        return tuple(column.header for column in self.columns)


class Profiler:
    """Gathers the profile of a table while its rows pass by."""

    def __init__(self, headers: Sequence[str]) -> None:
        self._columns = [_Column(header) for header in headers]
        self._rows = self._unusable = 0

    def add(self, row: Row) -> None:
        """Look at one row; rows that could not be divided are counted only."""
        self._rows += 1
        if row.problems:
            self._unusable += 1
            return
        is_thorough = self._rows <= _THOROUGH
        for column, cell in zip(self._columns, row.cells, strict=False):
            column.add(cell, row.line, is_thorough)

    def profile(self) -> TableProfile:
        """What was gathered so far."""
        return TableProfile(tuple(column.profile() for column in self._columns), self._rows, self._unusable)


def profile_of(headers: Sequence[str], rows: Iterable[Row]) -> TableProfile:
    """The profile of some rows."""
    profiler = Profiler(headers)
    for row in rows:
        profiler.add(row)
    return profiler.profile()


class _Column:
    """The running profile of one column."""

    def __init__(self, header: str) -> None:
        self._header = header
        self._filled = self._blank = self._longest = self._emails = self._looked_at = 0
        self._numbers, self._dates = NumberColumn(), DateColumn()
        self._number_count = self._date_count = 0
        self._tries_numbers = self._tries_dates = True
        self._seen: set[str] = set()
        self._samples: list[Sighting] = []

    def add(self, cell: Cell, line: int, is_thorough: bool) -> None:
        text = cell if isinstance(cell, str) else cell_text(cell)
        stripped = text.strip()
        if not stripped:
            self._blank += 1
            return
        self._filled += 1
        self._longest = max(self._longest, len(stripped))
        if len(self._seen) < _DISTINCT and len(stripped) <= 200 and stripped not in self._seen:
            self._seen.add(stripped)
            if len(self._samples) < _SAMPLES:
                self._samples.append(Sighting(line, shown(stripped)))
        if not is_thorough:
            self._add_if_in_doubt(cell, line)
            return
        self._looked_at += 1
        if self._tries_numbers and not (isinstance(cell, date)):
            self._number_count += self._numbers.add(cell, line)
        if self._tries_dates:
            self._date_count += self._dates.add(cell, line)
        if "@" in stripped and len(stripped) <= 254 and EMAIL.fullmatch(stripped):
            self._emails += 1
        if self._looked_at == _TRIED:
            self._tries_numbers = self._number_count * 20 >= _TRIED
            self._tries_dates = self._date_count * 20 >= _TRIED

    def _add_if_in_doubt(self, cell: Cell, line: int) -> None:
        """Far down, one clear value still settles what all the values before left open."""
        if self._tries_numbers and isinstance(cell, str | Decimal) and self._numbers.is_in_doubt:
            self._numbers.add(cell, line)
        if self._tries_dates and self._dates.is_in_doubt:
            self._dates.add(cell, line)

    def profile(self) -> ColumnProfile:
        return ColumnProfile(
            header=self._header,
            filled=self._filled,
            blank=self._blank,
            distinct=len(self._seen),
            longest=self._longest,
            emails=self._emails,
            samples=tuple(self._samples),
            numbers=self._numbers.finding(),
            dates=self._dates.finding(),
            looked_at=self._looked_at,
        )
