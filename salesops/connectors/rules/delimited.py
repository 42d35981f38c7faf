"""Text tables (CSV and its kin): line ends, delimiter, headers, and rows that can be read on from any checkpoint."""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Final, NamedTuple

from salesops.connectors.rules import encodings, headings
from salesops.connectors.rules.tables import (
    LIMITS,
    Checkpoint,
    FileRefused,
    Inspection,
    Layout,
    Limits,
    Reading,
    Row,
    cell_too_long,
    empty,
    nul_in_cell,
    only_headers,
    shown,
    too_many_columns,
    too_many_rows,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# Delimiters that are looked for, with the name to show; in order of how common they are.
DELIMITERS: Final[dict[str, str]] = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("vertical bar")}

#: What stands for a NUL character where it is shown and kept.
NUL_SHOWN: Final = "\N{SYMBOL FOR NULL}"
_CHUNK: Final = 256 * 1024
_SAMPLE_LINES: Final = 200
_PREVIEWED: Final = 20
_SNIFFED_CHARS: Final = 20_000
_RAW_KEPT: Final = 4_000
_WIDE_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SEPARATOR_LINE: Final = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)
# A delimiter inside a cell that is explained by a number (1,234.56 or 12,5) or by a sentence ("Acme, Inc").
_EXPLAINED: Final = re.compile(r"[0-9],[0-9]|, ")


class _Line(NamedTuple):
    """A physical line: its text with its end, its number, the byte after it, and whether its bytes made sense."""

    text: str
    number: int
    end: int
    is_sound: bool


class _Lines:
    """The physical lines of a text file from a place on. A line beyond the limit is refused unread.

    A carriage return, a line feed and both together end a line; no other character does.
    """

    def __init__(self, stream: BinaryIO, encoding: str, start: Checkpoint, limits: Limits) -> None:
        self._stream = stream
        self._encoding = encoding
        self._is_wide = encoding.startswith("utf-16")
        self._limits = limits
        self._place = start.position
        self._number = start.line
        self._rest = b""
        self._ready: deque[bytes] = deque()
        self._feed = b"\n\0" if encoding == "utf-16-le" else b"\n"
        self._is_over = False
        self._refusal: FileRefused | None = None
        stream.seek(start.position)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> _Line:
        while not self._ready:
            if self._refusal:
                raise self._refusal
            if self._is_over:
                raise StopIteration
            self._fill()
        raw = self._ready.popleft()
        self._place += len(raw)
        number, self._number = self._number, self._number + 1
        try:
            return _Line(raw.decode(self._encoding), number, self._place, True)
        except UnicodeDecodeError:
            return _Line(raw.decode(self._encoding, "replace"), number, self._place, False)

    def _fill(self) -> None:
        """Read the next piece and divide it; the last line waits until its end is known."""
        chunk = self._stream.read(_CHUNK)
        self._is_over = not chunk
        data = self._rest + chunk
        lines = self._divide_wide(data) if self._is_wide else data.splitlines(keepends=True)
        self._rest = b""
        if lines and not self._is_over and not lines[-1].endswith(self._feed):
            self._rest = lines.pop()
        longest = next((place for place, line in enumerate(lines) if len(line) > self._limits.line_bytes), None)
        if longest is None and len(self._rest) > self._limits.line_bytes:
            longest = len(lines)
        if longest is not None:
            self._refusal = FileRefused(encodings.line_too_long(self._number + longest, self._limits))
            lines = lines[:longest]
        self._ready.extend(lines)

    def _divide_wide(self, data: bytes) -> list[bytes]:
        """Lines of UTF-16, whose line ends are pairs of bytes at even places."""
        even = len(data) - len(data) % 2
        text = data[:even].decode(self._encoding, "surrogatepass")
        lines = [line.encode(self._encoding, "surrogatepass") for line in _WIDE_LINE.findall(text)]
        if even < len(data):
            lines.append((lines.pop() if lines and not lines[-1].endswith(self._feed) else b"") + data[even:])
        return lines


class _RecordTooLong(Exception):  # noqa: N818 - control flow inside this file
    """A quoted cell went on for longer than any cell may."""


class _Feed:
    """Gives lines to the csv reader, one record at a time, and can take back all but the first of them."""

    def __init__(self, lines: _Lines, limits: Limits) -> None:
        self._lines = lines
        self._limits = limits
        self._returned: deque[_Line] = deque()
        self._chars = 0
        self._reread = 0
        self.current: list[_Line] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.current.append(line)
        self._chars += len(line.text)
        if self._chars > self._limits.record_chars and len(self.current) > 1:
            raise _RecordTooLong
        return line.text

    def begin(self) -> None:
        """A new record begins with the next line."""
        self.current = []
        self._chars = 0

    def give_back(self) -> None:
        """Keep the first line of the record and read the others again. Bounded over the whole file."""
        self._reread += self._chars
        if self._reread > self._limits.reread_chars:
            raise FileRefused(
                Problem.of(
                    "file-quotes",
                    _("Too many quotation marks are not closed, the last of them on line %(line)s."),
                    remedy=_("Export the file again with quotation marks inside text doubled."),
                    line=self.current[0].number,
                )
            )
        self._returned.extendleft(reversed(self.current[1:]))
        del self.current[1:]


class _Record(NamedTuple):
    """What stands in one row of the file: its cells as far as they could be told apart, and its lines."""

    cells: list[str]
    lines: list[_Line]
    problem: Problem | None = None

    @property
    def raw(self) -> str:
        return "".join(line.text for line in self.lines)[:_RAW_KEPT]

    @property
    def is_unended(self) -> bool:
        """Whether the file ends with this row without a line end."""
        return not self.lines[-1].text.endswith(("\n", "\r"))

    def after(self, rows: int) -> Checkpoint:
        return Checkpoint(self.lines[-1].end, self.lines[-1].number + 1, rows)


def _records(stream: BinaryIO, encoding: str, delimiter: str, start: Checkpoint, limits: Limits) -> Iterator[_Record]:
    """The rows of the file from a place on, blank ones left out. An unclosed quotation mark costs its own line only."""
    feed = _Feed(_Lines(stream, encoding, start, limits), limits)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        problem: Problem | None = None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _RecordTooLong) as error:
            first = feed.current[0]
            is_alone = len(feed.current) == 1
            feed.give_back()
            if is_alone and "field limit" in str(error):
                problem = cell_too_long("", len(first.text), limits)
            elif is_alone and not first.text.endswith(("\n", "\r")) and first.text.count('"') % 2:
                problem = _cut(first.number)
            else:
                problem = _quotes(first.number)
            cells = [first.text.rstrip("\r\n")[:_RAW_KEPT]]
        if problem or "".join(cells).strip():
            yield _Record(cells, feed.current, problem)


def rows(
    stream: BinaryIO, layout: Layout, checkpoint: Checkpoint | None = None, limits: Limits = LIMITS
) -> Iterator[Row]:
    """The rows of a text file from the checkpoint on, in bounded memory. Raises FileRefused when it cannot go on."""
    start = checkpoint or layout.start
    count, width = start.rows, len(layout.headers)
    for record in _records(stream, layout.encoding, layout.delimiter, start, limits):
        if count >= limits.rows:
            raise FileRefused(too_many_rows(limits))
        count += 1
        cells, lines, problem = record
        text, number, end, is_sound = lines[0]
        is_plain = is_sound and problem is None and len(lines) == 1 and len(text) <= limits.cell_chars
        if is_plain and len(cells) == width and "\0" not in text:
            # Nearly every row of nearly every file: nothing of what _row looks for can be wrong with it.
            yield Row(number, tuple(cells), Checkpoint(end, number + 1, count))
        else:
            yield _row(record, layout, count, limits)


def read_one(text: str, layout: Layout, line: int, limits: Limits = LIMITS) -> Row:
    """Read a row that a person has mended as text, as if it stood in the file. `line` is where it stood."""
    stream = io.BytesIO(text.strip("\r\n").encode())
    start = Checkpoint(0, line, 0)
    records = list(islice(_records(stream, "utf-8", layout.delimiter, start, limits), 2))
    if len(records) == 1:
        return _row(records[0], layout, 1, limits, is_whole=True)
    problem = Problem.of(
        "row-not-one",
        _("The text must be exactly one row."),
        remedy=_("Write one row, with the same delimiter as in the file."),
    )
    return Row(line, (), Checkpoint(0, line + 1, 1), (problem,), text[:_RAW_KEPT])


def _row(record: _Record, layout: Layout, count: int, limits: Limits, *, is_whole: bool = False) -> Row:
    """A record as a row of the table, with everything that is wrong with its form."""
    after = record.after(count)
    line = record.lines[0].number
    if record.problem:
        return Row(line, tuple(record.cells), after, (record.problem,), record.raw)
    cells, width = record.cells, len(layout.headers)
    problems: list[Problem] = []
    if not all(part.is_sound for part in record.lines):
        problems.append(
            Problem.of(
                "row-encoding",
                _("The row has bytes that mean nothing in %(encoding)s."),
                remedy=_("Correct the broken characters, or choose another encoding for the file."),
                encoding=encodings.ENCODINGS.get(layout.encoding, layout.encoding),
            )
        )
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        del cells[width:]
    if len(cells) < width and layout.fills_short_rows and not record.is_unended:
        cells.extend([""] * (width - len(cells)))
    if len(cells) < width and record.is_unended and not is_whole:
        problems.append(_cut(line))
    elif len(cells) != width:
        problems.append(_ragged(len(cells), width, layout.delimiter))
    if any("\0" in part.text for part in record.lines):
        problems += [nul_in_cell(name) for name, cell in zip(layout.headers, cells, strict=False) if "\0" in cell]
        # No database keeps it: the shelf shows its sign in its place.
        cells = [cell.replace("\0", NUL_SHOWN) for cell in cells]
    if sum(len(part.text) for part in record.lines) > limits.cell_chars:
        problems += [
            cell_too_long(name, len(cell), limits)
            for name, cell in zip(layout.headers, cells, strict=False)
            if len(cell) > limits.cell_chars
        ]
    if problems:
        return Row(line, tuple(cells[: limits.columns]), after, tuple(problems), record.raw.replace("\0", NUL_SHOWN))
    return Row(line, tuple(cells), after)


def inspect(stream: BinaryIO, size: int, reading: Reading, limits: Limits = LIMITS) -> Inspection:
    """Find out how a text file is read. Reads it through once for its encoding. Raises FileRefused."""
    encoding = encodings.detect(stream, limits, reading.encoding)
    notes = list(encoding.notes)
    start = Checkpoint(encoding.mark, 1, 0)
    sample = _sample_lines(stream, encoding.name, start, limits)
    delimiter = reading.delimiter
    said = _SEPARATOR_LINE.fullmatch(sample[0].text) if sample else None
    if said:
        start = Checkpoint(sample[0].end, 2, 0)
        delimiter = delimiter or said[1]
        del sample[0]
    if delimiter is None:
        delimiter, doubts = sniff_delimiter([line.text for line in sample])
        notes += doubts
    if len(delimiter) != 1 or delimiter in '"\r\n\0 ':
        raise FileRefused(_no_delimiter(delimiter))
    records = _sample_records(_records(stream, encoding.name, delimiter, start, limits), limits)
    if not records:
        raise FileRefused(empty())
    layout, more = _layout(records, encoding.name, delimiter, start, reading, limits)
    notes += more
    if records[0].problem and len(records) == 1:
        raise FileRefused(records[0].problem)
    notes += _unended(stream, size, encoding.name)
    first = tuple(islice(rows(stream, layout, limits=limits), _PREVIEWED))
    if not first:
        notes.append(only_headers())
    return Inspection(layout, tuple(notes), size=size, sample=first)


def _layout(
    records: list[_Record], encoding: str, delimiter: str, start: Checkpoint, reading: Reading, limits: Limits
) -> tuple[Layout, tuple[Problem, ...]]:
    """Where the headers stand and what they are."""
    tables = [record.cells[: limits.columns + 1] if not record.problem else [] for record in records]
    lines = [record.lines[0].number for record in records]
    index, line, notes = headings.choose(tables, lines, reading.header_line)
    header = headings.trimmed(tables[index]) if index is not None else []
    width = len(header) or max(1, headings.usual_width(tables))
    if width > limits.columns:
        raise FileRefused(too_many_columns(limits))
    names, unclear = headings.name_columns(header, width)
    layout = Layout(
        kind="text",
        headers=names,
        header_line=line,
        start=records[index].after(0) if index is not None else start,
        encoding=encoding,
        delimiter=delimiter,
        fills_short_rows=reading.fills_short_rows,
    )
    return layout, (*notes, *unclear)


def sniff_delimiter(lines: Sequence[str]) -> tuple[str, tuple[Problem, ...]]:
    """The delimiter of a sample of lines, and a note where it is doubtful.

    A delimiter is better when all rows come out equally wide, when quotation marks close where cells end, and when no
    other delimiter is left over inside cells, save as a decimal comma or between words.
    """
    lines = [line[:_SNIFFED_CHARS] for line in lines]
    scores = sorted(((_delimiter_score(lines, mark), mark) for mark in DELIMITERS), key=lambda pair: pair[0])
    (best, mark), (second, other) = scores[-1], scores[-2]
    if best[0] <= 0:
        return ",", (_one_column(),)
    if second[0] >= best[0] * 0.95 and second[0] > 0:
        return mark, (_doubtful_delimiter(mark, other),)
    return mark, ()


def _delimiter_score(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    failed = left_over = 0
    others = [mark for mark in DELIMITERS if mark != delimiter]
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            failed += 1
            continue
        if not any(cells):
            continue
        records.append(cells)
        # Quoted cells may hold anything; only plain lines tell whether another delimiter is left over.
        if '"' not in lines[reader.line_num - 1]:
            left_over += sum(any(mark in _EXPLAINED.sub("", cell) for mark in others) for cell in cells)
    widths = Counter(len(cells) for cells in records)
    width = max(widths, key=lambda found: (widths[found], found), default=0)
    if width < 2:
        return 0.0, width
    cells_in_all = sum(len(cells) for cells in records)
    regular = widths[width] / (len(records) + failed)
    header_fits = 1.0 if len(records[0]) == width else 0.9
    return regular * header_fits * (1 - left_over / cells_in_all), width


def _sample_lines(stream: BinaryIO, encoding: str, start: Checkpoint, limits: Limits) -> list[_Line]:
    lines: list[_Line] = []
    chars = 0
    for line in islice(_Lines(stream, encoding, start, limits), _SAMPLE_LINES):
        lines.append(line)
        chars += len(line.text)
        if chars > limits.line_bytes:
            break
    return lines


def _sample_records(records: Iterator[_Record], limits: Limits) -> list[_Record]:
    """The first rows, fewer of them when they are long: a line of nothing but commas holds very many cells."""
    sample: list[_Record] = []
    chars = 0
    for record in islice(records, _SAMPLE_LINES):
        sample.append(record)
        chars += sum(len(line.text) for line in record.lines)
        if chars > limits.line_bytes:
            break
    return sample


def _unended(stream: BinaryIO, size: int, encoding: str) -> tuple[Problem, ...]:
    """A remark when the file does not end with a line end: it may be whole, or cut inside the last number."""
    stream.seek(max(0, size - 2))
    tail = stream.read(2)
    ends = {"utf-16-le": (b"\n\0", b"\r\0"), "utf-16-be": (b"\0\n", b"\0\r")}.get(encoding, (b"\n", b"\r"))
    if tail.endswith(ends):
        return ()
    return (
        Problem.of(
            "file-unended",
            _(
                "The last line has no line end. Some programs write files like that; a file that was cut looks the same."
            ),
            remedy=_("Check that the last row is complete."),
        ),
    )


def _cut(line: int) -> Problem:
    return Problem.of(
        "row-cut",
        _("The file ends in the middle of a row (line %(line)s): it was probably cut off."),
        remedy=_("Export or copy the file again and upload it; rows that are in already will be left alone."),
        line=line,
    )


def _quotes(line: int) -> Problem:
    return Problem.of(
        "row-quotes",
        _("A quotation mark on line %(line)s is not closed, or does not stand at the end of its cell."),
        remedy=_("Double quotation marks that belong to the text, and close the cell with one."),
        line=line,
    )


def _ragged(found: int, expected: int, delimiter: str) -> Problem:
    return Problem.of(
        "row-width",
        _("The row has %(found)s cells where the headers have %(expected)s."),
        remedy=_("Put text that contains the delimiter (%(delimiter)s) in quotation marks."),
        found=found,
        expected=expected,
        delimiter=delimiter if delimiter != "\t" else "Tab",
    )


def _one_column() -> Problem:
    return Problem.of(
        "file-one-column",
        _("No delimiter was found, so the file was read as one column."),
        remedy=_("Choose the delimiter if there are more columns."),
    )


def _doubtful_delimiter(mark: str, other: str) -> Problem:
    return Problem.of(
        "file-delimiter-doubtful",
        _("The columns seem to be divided by “%(mark)s”, but “%(other)s” is possible too."),
        remedy=_("Check the preview; choose the other delimiter if the columns are wrong."),
        mark=mark if mark != "\t" else "Tab",
        other=other if other != "\t" else "Tab",
    )


def _no_delimiter(delimiter: str) -> Problem:
    return Problem.of(
        "file-delimiter",
        _("“%(delimiter)s” cannot divide columns."),
        remedy=_("Choose comma, semicolon, tab or vertical bar."),
        delimiter=shown(delimiter),
    )
