"""What a file becomes once it is opened: rows of cells with their line numbers, its layout, and the limits it keeps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# A cell of a text file is text. A workbook also knows real numbers and real dates (a datetime is a date).
Cell = str | Decimal | date

_UNPACKED: Final[dict[str, Callable[[str], Cell]]] = {
    "number": Decimal,
    "moment": datetime.fromisoformat,
    "day": date.fromisoformat,
}
# Characters of a value that a message repeats.
_SHOWN: Final = 60


class FileRefused(Exception):  # noqa: N818 - it is an answer about the file, not a fault of the program
    """Reading cannot go on. Carries the Problem to show; rows already handed out stay good."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Limits:
    """How much a file may ask of the reader. Sizes are in bytes or characters, as their names say.

    `held_bytes` and `held_elements`: of a part of a workbook that is neither a sheet nor the table of shared texts.
    `directory_bytes`: of a workbook's table of contents. `batch_chars`: of the rows that are held at once.
    """

    file_bytes: int = 512 * 1024 * 1024
    rows: int = 2_000_000
    columns: int = 500
    line_bytes: int = 1024 * 1024
    record_chars: int = 256 * 1024
    cell_chars: int = 32_767
    unpacked_bytes: int = 1024 * 1024 * 1024
    unpacked_text_bytes: int = 64 * 1024 * 1024
    shared_texts: int = 1_000_000
    held_bytes: int = 16 * 1024 * 1024
    held_elements: int = 100_000
    unpacked_ratio: int = 250
    packed_parts: int = 2_000
    directory_bytes: int = 1024 * 1024
    xml_depth: int = 64
    reread_chars: int = 64 * 1024 * 1024
    batch_chars: int = 4 * 1024 * 1024


LIMITS: Final = Limits()


class Checkpoint(NamedTuple):
    """A place between two rows from which reading can go on.

    position: byte offset in a text file; unused in a workbook.
    line: the line (or sheet row) that comes next, counted from 1.
    rows: rows handed out so far.
    """

    position: int
    line: int
    rows: int


class Row(NamedTuple):
    """One row of the table.

    line: the line of the file, or row of the sheet, on which it begins.
    cells: one cell for each header, unless `problems` says that the row could not be divided.
    after: where reading goes on after this row.
    problems: why the row cannot be used as it is; such a row belongs on the shelf.
    raw: the text as it stands in the file, for rows with problems only.
    """

    line: int
    cells: tuple[Cell, ...]
    after: Checkpoint
    problems: tuple[Problem, ...] = ()
    raw: str = ""


@dataclass(frozen=True)
class Reading:
    """What a person has decided about how a file is read. None leaves it to be found out."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_line: int | None = None
    fills_short_rows: bool = False


@dataclass(frozen=True)
class Layout:
    """How a file is read, settled: enough to go on at any checkpoint.

    kind: "text" or "workbook".
    header_line: line of the headers; 0 when the file has none and the columns are numbered.
    start: where the rows begin.
    """

    kind: str
    headers: tuple[str, ...]
    header_line: int
    start: Checkpoint
    encoding: str = ""
    delimiter: str = ","
    sheet: str = ""
    fills_short_rows: bool = False

    def as_plain(self) -> dict[str, Any]:
        """The layout as plain JSON data."""
        return {
            "kind": self.kind,
            "headers": list(self.headers),
            "header_line": self.header_line,
            "start": list(self.start),
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "fills_short_rows": self.fills_short_rows,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Layout":
        """Read back what `as_plain` wrote."""
        return cls(
            kind=str(plain["kind"]),
            headers=tuple(str(header) for header in plain["headers"]),
            header_line=int(plain["header_line"]),
            start=Checkpoint(*(int(part) for part in plain["start"])),
            encoding=str(plain["encoding"]),
            delimiter=str(plain["delimiter"]),
            sheet=str(plain["sheet"]),
            fills_short_rows=bool(plain["fills_short_rows"]),
        )


@dataclass(frozen=True)
class Inspection:
    """What a look at a file found.

    layout: how its rows are read; None when it is refused.
    notes: assumptions and remarks to show; none of them prevents the import.
    problems: why the file is refused.
    sheets: the names of the sheets of a workbook that can be chosen.
    sample: the first rows, for the preview.
    """

    layout: Layout | None
    notes: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    sheets: tuple[str, ...] = ()
    size: int = 0
    sample: tuple[Row, ...] = field(default=(), repr=False)

    @classmethod
    def refused(cls, problem: Problem, *, size: int = 0, sheets: tuple[str, ...] = ()) -> "Inspection":
        """A file that cannot be read, and why."""
        return cls(layout=None, problems=(problem,), size=size, sheets=sheets)


def shown(value: object) -> str:
    """A value as a message repeats it: on one line, printable, not longer than a person reads."""
    text = "".join(character if character.isprintable() else " " for character in str(value)[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def cell_text(cell: Cell) -> str:
    """A cell as a person sees it: numbers with a point and no grouping, dates as 2017-03-01."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return cell.isoformat()


def pack_cells(cells: tuple[Cell, ...]) -> list[Any]:
    """Cells as JSON data that remembers which of them were real numbers and dates."""
    packed: list[Any] = []
    for cell in cells:
        if isinstance(cell, str):
            packed.append(cell)
        elif isinstance(cell, Decimal):
            packed.append({"number": format(cell, "f")})
        elif isinstance(cell, datetime):
            packed.append({"moment": cell.isoformat()})
        else:
            packed.append({"day": cell.isoformat()})
    return packed


def unpack_cells(packed: list[Any]) -> tuple[Cell, ...]:
    """Read back what `pack_cells` wrote; plain text stays text. Raises ValueError for anything else."""
    cells: list[Cell] = []
    for item in packed:
        if isinstance(item, str):
            cells.append(item)
            continue
        try:
            ((what, text),) = item.items()
            cells.append(_UNPACKED[what](text))
        except (AttributeError, KeyError, TypeError, InvalidOperation) as error:
            raise ValueError("This is not a stored cell.") from error
    return tuple(cells)


def too_many_columns(limits: Limits) -> Problem:
    """The table is wider than any table of a sales company."""
    return Problem.of(
        "file-columns",
        _("The table has more than %(most)s columns."),
        remedy=_("Remove the columns that are not needed and upload the file again."),
        most=limits.columns,
    )


def too_many_rows(limits: Limits) -> Problem:
    """The table is longer than one import may be."""
    return Problem.of(
        "file-rows",
        _("The file has more than %(most)s rows."),
        remedy=_("Divide the file and upload the parts one after the other."),
        most=f"{limits.rows:,}",
    )


def nul_in_cell(header: str) -> Problem:
    """A cell holds a NUL character, which no database keeps."""
    return Problem.of(
        "row-nul",
        _("The cell contains a NUL character, which is not text."),
        where=header,
        remedy=_("Remove the character, or export the file again."),
    )


def cell_too_long(header: str, length: int, limits: Limits) -> Problem:
    """A cell is longer than a spreadsheet could hold."""
    return Problem.of(
        "row-cell-length",
        _("The cell has %(length)s characters; at most %(most)s can be kept."),
        where=header,
        remedy=_("Shorten the text."),
        length=length,
        most=limits.cell_chars,
    )


def empty() -> Problem:
    """A file without a row."""
    return Problem.of(
        "file-empty",
        _("The file is empty."),
        remedy=_("Upload a file with a row of headers and at least one row below it."),
    )


def only_headers() -> Problem:
    """A file with headers and nothing else."""
    return Problem.of("file-no-rows", _("The file has headers but no row below them."))
