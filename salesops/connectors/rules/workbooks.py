"""Excel workbooks: guarded before they are opened, then read row by row with real numbers and dates."""

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import IO, Any, BinaryIO, Final
from xml.parsers import expat

from openpyxl.reader.excel import ExcelReader

from salesops.connectors.rules import headings
from salesops.connectors.rules.tables import (
    LIMITS,
    Cell,
    Checkpoint,
    FileRefused,
    Inspection,
    Layout,
    Limits,
    Reading,
    Row,
    cell_text,
    cell_too_long,
    only_headers,
    shown,
    too_many_columns,
    too_many_rows,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

_CHUNK: Final = 64 * 1024
_RAW_KEPT: Final = 4_000
_SAMPLE_ROWS: Final = 100
_PREVIEWED: Final = 20
# Below this size a great ratio is harmless: a sheet of a few repeated words packs very well.
_RATIO_MATTERS: Final = 8 * 1024 * 1024
# Where sheets of rows lie, the only parts that the library reads piece by piece. It holds every other as a whole.
_SHEETS: Final = "xl/worksheets/"
_WORKSHEET_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_STRINGS: Final = "sharedstrings"
_STRINGS_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STRICT: Final = "http://purl.oclc.org/ooxml/spreadsheetml/main"
# How a part begins that an XML reader would accept: "<" in any of its encodings, a byte order mark, or white space.
_XML_BEGINS: Final = (b"<", b"\0<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b" ", b"\t", b"\r", b"\n", b"\0")
_LAST_ROW: Final = 1_048_576
# What the library raises on damaged workbooks is not documented; these are the kinds it was seen to raise.
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass
class _Counted:
    """What the guard saw in one part: the widest row, and the first formula without a stored result."""

    widest: int = 0
    uncalculated: str = ""


class _Guard:
    """Reads one XML part before the library does, in bounded memory, and refuses what would hurt.

    Refused are document type definitions (and with them every entity), deep nesting, endless names and texts, and
    rows and columns beyond the limits or out of order. Where the XML itself is broken the guard stops: the library,
    which parses with the same parser, comes no further. `elements`: how many of them the part may have.
    """

    def __init__(self, limits: Limits, elements: float = math.inf) -> None:
        self._limits = limits
        self._elements = elements
        self._depth = self._row = self._column = self._text = self._fed = 0
        self._cell = ""
        self._has_formula = self._has_value = self._is_value = False
        self.counted = _Counted()
        self.is_stopped = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes) -> None:
        """Look at the next piece; an empty one is the end. Raises FileRefused."""
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError:
            self.is_stopped = True
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > self._limits.line_bytes + _CHUNK:
            raise FileRefused(_bomb())

    def _doctype(self, *_args: object) -> None:
        raise FileRefused(
            Problem.of(
                "workbook-entities",
                _("The workbook contains a document type definition, which can be used to attack the reader."),
                remedy=_("Save the table again as .xlsx from a spreadsheet program."),
            )
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._text = 0
        self._elements -= 1
        if self._depth > self._limits.xml_depth or self._elements < 0:
            raise FileRefused(_bomb())
        space, _sep, name = tag.rpartition(" ")
        if space == _STRICT and name == "worksheet":
            raise FileRefused(_strict())
        if space != _MAIN:
            return
        if name == "c":
            self._start_cell(attributes.get("r", ""))
            # The empty text is a result, too.
            self._has_value = attributes.get("t") == "str"
        elif name == "f":
            self._has_formula = True
        elif name == "v":
            self._is_value = True
        elif name == "row":
            self._start_row(attributes.get("r", ""))

    def _start_row(self, number: str) -> None:
        if number and not (number.isascii() and number.isdecimal() and len(number) <= 7):
            raise FileRefused(damaged())
        row = int(number) if number else self._row + 1
        if row <= self._row or row > _LAST_ROW:
            raise FileRefused(damaged())
        self._row, self._column = row, 0

    def _start_cell(self, reference: str) -> None:
        self._column = _column_of(reference) or self._column + 1
        if self._column > self._limits.columns:
            raise FileRefused(too_many_columns(self._limits))
        self._cell = reference
        self._has_formula = self._is_value = False
        self.counted.widest = max(self.counted.widest, self._column)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        is_lacking = self._has_formula and not self._has_value and not self.counted.uncalculated
        if is_lacking and tag == f"{_MAIN} c":
            self.counted.uncalculated = self._cell or f"R{self._row}C{self._column}"

    def _characters(self, text: str) -> None:
        self._text += len(text)
        self._has_value = self._has_value or self._is_value
        if self._text > self._limits.line_bytes:
            raise FileRefused(_bomb())


def _column_of(reference: str) -> int:
    """The column of a reference such as "AB12", from 1; 0 when there is none."""
    column = 0
    for character in reference[:4]:
        if not ("A" <= character <= "Z" or "a" <= character <= "z"):
            break
        column = column * 26 + ord(character.upper()) - 64
    return column


class _Directory:
    """A stream for opening an archive: its table of contents is read in one go, and refused when that is too large.

    An archive of nothing but a table of contents would otherwise become gigabytes of objects before it can be counted.
    """

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable
        self._stream = stream
        self._limits = limits

    def read(self, size: int = -1) -> bytes:
        """Read on. Raises FileRefused for more at once than a table of contents, or a piece of a part, may have."""
        most = self._limits.directory_bytes
        found = self._stream.read(size if 0 <= size <= most else most + 1)
        if len(found) > most:
            raise FileRefused(_bomb())
        return found


def check_archive(archive: zipfile.ZipFile, limits: Limits) -> None:
    """Refuse an archive that would unpack to more than the limits allow, from its own table of contents.

    The sizes stated there bind: reading a part never gives more bytes than it states.
    """
    parts = archive.infolist()
    if len(parts) > limits.packed_parts:
        raise FileRefused(_bomb())
    if sum(part.file_size for part in parts) > limits.unpacked_bytes:
        raise FileRefused(_bomb())
    for part in parts:
        if part.file_size > _RATIO_MATTERS and part.file_size > part.compress_size * limits.unpacked_ratio:
            raise FileRefused(_bomb())
        if _is_strings(part.filename) and part.file_size > limits.unpacked_text_bytes:
            raise FileRefused(_bomb())
        if part.flag_bits & 1:
            raise FileRefused(protected())


def _is_sheet(name: str) -> bool:
    return name.lower().startswith(_SHEETS) and "/_rels/" not in name.lower()


def _is_strings(name: str) -> bool:
    return _STRINGS in name.lower()


def _guard_parts(archive: zipfile.ZipFile, limits: Limits) -> dict[str, _Counted]:
    """Look through every part that could be read as XML; what was counted, by the name of the part.

    The small ones come first: a workbook with a hostile part is refused before its sheets are read.
    """
    counted: dict[str, _Counted] = {}
    for part in sorted(archive.infolist(), key=lambda part: (_is_sheet(part.filename), _is_strings(part.filename))):
        with archive.open(part) as source:
            chunk = source.read(_CHUNK)
            if not chunk.startswith(_XML_BEGINS):
                continue
            is_large = _is_sheet(part.filename) or _is_strings(part.filename)
            if not is_large and part.file_size > limits.held_bytes:
                raise FileRefused(_bomb())
            guard = _Guard(limits, math.inf if is_large else limits.held_elements)
            while chunk and not guard.is_stopped:
                guard.feed(chunk)
                chunk = source.read(_CHUNK)
            if not guard.is_stopped:
                guard.feed(b"")
        counted[part.filename] = guard.counted
    return counted


class _Strings:
    """Reads the table of shared texts as the library does, in a fraction of its time and memory."""

    def __init__(self, limits: Limits) -> None:
        self.found: list[str] = []
        self._limits = limits
        self._pieces: list[str] = []
        self._is_text = False
        self._aside = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def read(self, source: IO[bytes]) -> list[str]:
        """All texts in their order. Raises FileRefused where there are too many of them, ValueError for broken XML."""
        try:
            self._parser.ParseFile(source)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error
        return self.found

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        if tag == f"{_MAIN} rPh":  # how a name is pronounced is no part of it
            self._aside += 1
        self._is_text = tag == f"{_MAIN} t" and not self._aside

    def _end(self, tag: str) -> None:
        self._is_text = False
        if tag == f"{_MAIN} rPh":
            self._aside -= 1
        elif tag == f"{_MAIN} si":
            self.found.append("".join(self._pieces).replace("x005F_", ""))
            self._pieces = []
            if len(self.found) > self._limits.shared_texts:
                raise FileRefused(_bomb())

    def _characters(self, text: str) -> None:
        if self._is_text:
            self._pieces.append(text)


class _Book(ExcelReader):
    """The library's reader, without what a table does not need and without parts that would be held as a whole."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        super().__init__(stream, read_only=True, data_only=True, keep_links=False)
        self._limits = limits

    def read_manifest(self) -> None:
        """No sheet may pass itself off as another part: only sheets are read piece by piece."""
        super().read_manifest()
        for part in self.package.Override:
            if _is_sheet(part.PartName.lstrip("/")) and part.ContentType != _WORKSHEET_TYPE:
                raise FileRefused(damaged())

    def read_strings(self) -> None:
        """The shared texts."""
        found = self.package.find(_STRINGS_TYPE)
        if found is not None:
            with self.archive.open(found.PartName[1:]) as source:
                self.shared_strings = _Strings(self._limits).read(source)

    def read_properties(self) -> None:
        """Nobody asks for them."""

    read_custom = read_theme = read_properties

    def read_chartsheet(self, sheet: object, rel: object) -> None:
        """A chart has no rows."""


@dataclass(frozen=True)
class _Opened:
    """A workbook that passed the guard: its sheets of rows by name, those that are hidden, and what was counted."""

    sheets: dict[str, Any]
    hidden: frozenset[str]
    counted: dict[str, _Counted]

    def counts_of(self, name: str) -> _Counted:
        """What the guard saw in a sheet."""
        return self.counted.get(getattr(self.sheets[name], "_worksheet_path", ""), _Counted())


@contextmanager
def _open(stream: BinaryIO, limits: Limits) -> Iterator[_Opened]:
    """Open a workbook behind the guard. Whatever a damaged one makes the library raise becomes FileRefused."""
    try:
        with zipfile.ZipFile(_Directory(stream, limits)) as archive:
            names = {part.filename.lower() for part in archive.infolist()}
            if "[content_types].xml" not in names or "xl/workbook.xml" not in names:
                raise FileRefused(not_a_workbook(names))
            check_archive(archive, limits)
            counted = _guard_parts(archive, limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = _Book(stream, limits)
            reader.read()
            book = reader.wb
            try:
                sheets = {sheet.title: sheet for sheet in book.worksheets}
                hidden = frozenset(name for name, sheet in sheets.items() if sheet.sheet_state != "visible")
                yield _Opened(sheets, hidden, counted)
            finally:
                book.close()
    except FileRefused:
        raise
    except _DAMAGED as error:
        raise FileRefused(damaged()) from error


def rows(
    stream: BinaryIO, layout: Layout, checkpoint: Checkpoint | None = None, limits: Limits = LIMITS
) -> Iterator[Row]:
    """The rows of a sheet from the checkpoint on, blank ones left out. Raises FileRefused when it cannot go on."""
    start = checkpoint or layout.start
    with _open(stream, limits) as opened:
        if layout.sheet not in opened.sheets:
            raise FileRefused(_no_sheet(layout.sheet))
        count = start.rows
        for line, cells in _cells(opened.sheets[layout.sheet], start.line):
            if not any(cell_text(cell).strip() for cell in cells):
                continue
            if count >= limits.rows:
                raise FileRefused(too_many_rows(limits))
            count += 1
            yield _row(line, cells, layout, count, limits)


def _row(line: int, cells: list[Cell], layout: Layout, count: int, limits: Limits) -> Row:
    width = len(layout.headers)
    problems: list[Problem] = []
    while len(cells) > width and not cell_text(cells[-1]).strip():
        cells.pop()
    cells.extend([""] * (width - len(cells)))
    if len(cells) > width:
        problems.append(
            Problem.of(
                "row-width",
                _("The row has %(found)s cells where the headers have %(expected)s."),
                remedy=_("Give every column a header, or remove the cells beyond the last one."),
                found=len(cells),
                expected=width,
            )
        )
    for name, cell in zip(layout.headers, cells, strict=False):
        if isinstance(cell, str) and len(cell) > limits.cell_chars:
            problems.append(cell_too_long(name, len(cell), limits))
    raw = "\t".join(cell_text(cell) for cell in cells)[:_RAW_KEPT] if problems else ""
    return Row(line, tuple(cells), Checkpoint(0, line + 1, count), tuple(problems), raw)


def _cells(sheet: Any, first: int) -> Iterator[tuple[int, list[Cell]]]:
    """The rows of a sheet from row `first` on, with their numbers, whatever size the sheet claims to have."""
    sheet.reset_dimensions()
    for line, values in enumerate(sheet.iter_rows(min_row=max(1, first), values_only=True), max(1, first)):
        yield line, [_cell(value) for value in values]


def _cell(value: object) -> Cell:
    """A value as the library gives it, as a cell. Numbers have the fifteen digits that a spreadsheet shows."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("_x000D_", "\r")
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(format(value, ".15g")) if math.isfinite(value) else "#NUM!"
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else value
    if isinstance(value, date):
        return value
    return str(value)


def inspect(stream: BinaryIO, size: int, reading: Reading, limits: Limits = LIMITS) -> Inspection:
    """Find out which sheet is read and where its headers are. Raises FileRefused."""
    notes: list[Problem] = []
    with _open(stream, limits) as opened:
        names = tuple(sorted(opened.sheets, key=lambda name: name in opened.hidden))
        sheet = reading.sheet if reading.sheet is not None else _first_with_cells(opened, names)
        if sheet is None:
            return Inspection.refused(_empty(), size=size, sheets=names)
        if sheet not in opened.sheets:
            return Inspection.refused(_no_sheet(sheet), size=size, sheets=names)
        counted = opened.counts_of(sheet)
        if counted.uncalculated:
            return Inspection.refused(_uncalculated(sheet, counted.uncalculated), size=size, sheets=names)
        if reading.sheet is None and len(names) > 1:
            notes.append(_sheet_assumed(sheet, len(names)))
        found = [
            (line, cells)
            for line, cells in islice(_cells(opened.sheets[sheet], 1), _SAMPLE_ROWS * 10)
            if any(cell_text(cell).strip() for cell in cells)
        ][:_SAMPLE_ROWS]
    if not found:
        return Inspection.refused(_empty(), size=size, sheets=names)
    lines, tables = [line for line, _row_cells in found], [cells for _line, cells in found]
    index, line, more = headings.choose(tables, lines, reading.header_line)
    header = headings.trimmed(tables[index]) if index is not None else []
    width = len(header) or max(1, headings.usual_width(tables))
    headers, unclear = headings.name_columns(header, width)
    start = Checkpoint(0, line + 1 if index is not None else 1, 0)
    layout = Layout(kind="workbook", headers=headers, header_line=line, start=start, sheet=sheet)
    below = [(at, cells) for at, cells in found if at >= start.line][:_PREVIEWED]
    sample = tuple(_row(at, cells, layout, count, limits) for count, (at, cells) in enumerate(below, 1))
    notes += (*more, *unclear)
    if not sample:
        notes.append(only_headers())
    return Inspection(layout, tuple(notes), sheets=names, size=size, sample=sample)


def _first_with_cells(opened: _Opened, names: tuple[str, ...]) -> str | None:
    filled = [name for name in names if opened.counts_of(name).widest]
    return next(iter(filled), None)


def not_a_workbook(names: set[str]) -> Problem:
    """An archive that holds something else, told by the names of its parts."""
    if "xl/workbook.bin" in names:
        what = _("This is a binary Excel workbook (.xlsb).")
    elif "content.xml" in names:
        what = _("This is an OpenDocument file.")
    elif "word/document.xml" in names:
        what = _("This is a Word document.")
    elif any(name.startswith("ppt/") for name in names):
        what = _("This is a PowerPoint presentation.")
    else:
        what = _("This is an archive (ZIP), not a table.")
    return Problem.of("file-kind", what, remedy=_("Save the table as .xlsx or as “CSV UTF-8” and upload that file."))


def damaged() -> Problem:
    """A workbook that cannot be read to its end."""
    return Problem.of(
        "workbook-damaged",
        _("The workbook is damaged or was cut off: it cannot be read to its end."),
        remedy=_("Open it in a spreadsheet program, save it again as .xlsx, and upload it once more."),
    )


def protected() -> Problem:
    """A workbook that needs a password, or the format before 2007."""
    return Problem.of(
        "file-protected",
        _("The workbook is protected by a password, or it is in the old format .xls."),
        remedy=_("Save it as .xlsx without a password, or as “CSV UTF-8”, and upload that file."),
    )


def _bomb() -> Problem:
    return Problem.of(
        "workbook-too-large",
        _("The workbook would unpack to far more than a table of this kind holds."),
        remedy=_("Save the sheet that you need as CSV and upload that."),
    )


def _strict() -> Problem:
    return Problem.of(
        "workbook-strict",
        _("The workbook is in the format “Strict Open XML”."),
        remedy=_("Save it as an ordinary .xlsx workbook or as “CSV UTF-8”."),
    )


def _uncalculated(sheet: str, cell: str) -> Problem:
    return Problem.of(
        "workbook-uncalculated",
        _("Cell %(cell)s of sheet “%(sheet)s” holds a formula without a stored result, so its value is not known."),
        remedy=_("Open the workbook in a spreadsheet program, save it, and upload it again."),
        cell=shown(cell),
        sheet=shown(sheet),
    )


def _sheet_assumed(sheet: str, count: int) -> Problem:
    return Problem.of(
        "workbook-sheet-assumed",
        _("The workbook has %(count)s sheets; “%(sheet)s” is read."),
        remedy=_("Choose another sheet if that is not the one."),
        sheet=shown(sheet),
        count=count,
    )


def _no_sheet(sheet: str) -> Problem:
    return Problem.of(
        "workbook-sheet",
        _("The workbook has no sheet “%(sheet)s”."),
        remedy=_("Choose one of its sheets."),
        sheet=shown(sheet),
    )


def _empty() -> Problem:
    return Problem.of(
        "file-empty",
        _("The workbook has no sheet with cells."),
        remedy=_("Upload a file with a row of headers and at least one row below it."),
    )
