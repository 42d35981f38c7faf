"""The headers of a table: which row holds them, and a distinct name for every column."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from salesops.connectors.rules.tables import Cell, FileRefused, cell_text
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# Rows at the top among which the headers are looked for.
_LOOKED_AT: Final = 20
_MOST_CHARS: Final = 120
_DATA: Final = re.compile(r"[-+(]?[$€£¥]?[0-9][0-9.,:/ '-]*%?\)?|[^@\s]+@[^@\s]+\.[a-z]{2,}", re.IGNORECASE | re.ASCII)
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


def clean(text: str) -> str:
    """A header as it is shown and compared: composed, without invisible characters, single spaces, bounded."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text[: _MOST_CHARS * 4]))
    text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:_MOST_CHARS].rstrip()


def usual_width(rows: Sequence[Sequence[Cell]]) -> int:
    """The number of columns that most rows have, not counting blank cells at their end; the greater one of equals."""
    widths = Counter(_used(row) for row in rows if _used(row))
    return max(widths, key=lambda width: (widths[width], width), default=0)


def find(rows: Sequence[Sequence[Cell]]) -> int | None:
    """The index of the row that holds the headers, or None when no row looks like headers.

    Headers are the first row as wide as the table, all text, no number, date or address among them, no two alike.
    A header row may be wider than the rows below it, whose last cells are blank.
    """
    width = usual_width(rows)
    for index, row in enumerate(rows[:_LOOKED_AT]):
        cells = [clean(cell_text(cell)) for cell in row[: _used(row)]]
        if len(cells) < max(1, width):
            continue
        named = [cell for cell in cells if cell]
        alike = len({cell.casefold() for cell in named})
        if len(named) * 5 >= len(cells) * 4 and alike * 3 >= len(named) * 2 and not any(_is_data(cell) for cell in row):
            return index
    return None


def choose(
    rows: Sequence[Sequence[Cell]], lines: Sequence[int], chosen: int | None
) -> tuple[int | None, int, tuple[Problem, ...]]:
    """The index and line of the header row, and what has to be said about it.

    `lines` are the lines on which the rows stand; `chosen` is the line a person chose, 0 for no headers, None to find
    it out. Without headers the index is None and the line 0. Raises FileRefused for a line that holds no row.
    """
    if chosen == 0:
        return None, 0, ()
    if chosen is not None:
        if chosen not in lines:
            raise FileRefused(_no_such_line(chosen))
        return lines.index(chosen), chosen, ()
    index = find(rows)
    if index is None:
        return None, 0, (_doubtful(),)
    return index, lines[index], (_not_first(lines[index]),) if index else ()


def trimmed(row: Sequence[Cell]) -> list[Cell]:
    """A row without the blank cells at its end."""
    return list(row[: _used(row)])


def name_columns(row: Sequence[Cell], width: int) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """A distinct name for each of `width` columns, and what had to be made up for that."""
    names: list[str] = []
    taken: set[str] = set()
    repeated: list[str] = []
    unnamed: list[str] = []
    for place in range(width):
        name = clean(cell_text(row[place])) if place < len(row) else ""
        if not name:
            name = f"Column {place + 1}"
            unnamed.append(name)
        distinct, count = name, 1
        while distinct.casefold() in taken:
            count += 1
            distinct = f"{name} ({count})"
        if count > 1 and name not in repeated:
            repeated.append(name)
        taken.add(distinct.casefold())
        names.append(distinct)
    notes = []
    if repeated:
        notes.append(
            Problem.of(
                "file-headers-repeated",
                _("Several columns are called %(names)s; they were numbered."),
                remedy=_("Check in the mapping that the right one is used."),
                names=", ".join(repeated[:5]),
            )
        )
    if unnamed and row:
        notes.append(
            Problem.of(
                "file-headers-missing",
                _("%(count)s columns have no header; they are called %(names)s."),
                count=len(unnamed),
                names=", ".join(unnamed[:5]),
            )
        )
    return tuple(names), tuple(notes)


def _doubtful() -> Problem:
    """No row looks like headers."""
    return Problem.of(
        "file-headers-doubtful",
        _("No row looks like headers: the first row seems to hold data, so the columns were numbered."),
        remedy=_("Choose the line of the headers if there is one."),
    )


def _not_first(line: int) -> Problem:
    """Headers further down."""
    return Problem.of(
        "file-headers-below",
        _("The headers were found on line %(line)s; what stands above them is not imported."),
        remedy=_("Choose another line if that is wrong."),
        line=line,
    )


def _no_such_line(line: int) -> Problem:
    """The line that a person chose holds no row."""
    return Problem.of(
        "file-headers-line",
        _("There is no row on line %(line)s that could hold the headers."),
        remedy=_("Choose a line near the top of the file."),
        line=line,
    )


def _used(row: Sequence[Cell]) -> int:
    """Cells up to the last one that is not blank."""
    used = len(row)
    while used and not cell_text(row[used - 1]).strip():
        used -= 1
    return used


def _is_data(cell: Cell) -> bool:
    return not isinstance(cell, str) or bool(_DATA.fullmatch(cell.strip()[:_MOST_CHARS]))
