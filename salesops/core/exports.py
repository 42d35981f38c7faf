"""Files of what a list shows: CSV as a stream, XLSX with constant memory, text that cannot become a formula."""

from __future__ import annotations

import csv
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from django.db import transaction
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.text import slugify

from salesops.core import records
from salesops.core.actor import Actor
from salesops.core.tables import Cell

#: Rows that a spreadsheet may hold when it is made while the person waits. CSV has no such bound: it streams.
XLSX_LIMIT = 100_000

# Characters that make a spreadsheet read the text as a formula, also after blanks, quotes or separators, also full-width.
_TRIGGERS = re.compile(r"[\s\x00\"';,|]*[=+\-@＝＋－＠−]|[\t\r\n\x00]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Export:
    """What was taken out: of which page, in which form, how many rows, chosen how. For the audit."""

    page: str
    form: str
    count: int
    query: str
    columns: tuple[str, ...]


def tell(actor: Actor, export: Export, at: datetime) -> None:
    """Record the export before its first byte leaves; what cannot be recorded is not given out."""
    with transaction.atomic():
        records.record(actor=actor, action="export.downloaded", after=asdict(export), at=at)


def safe_text(text: str) -> str:
    """Text that no spreadsheet takes for a formula: control characters gone, a quote before what could start one."""
    # First what cannot be seen goes: behind it a trigger would come to stand at the beginning.
    text = _CONTROLS.sub("", text)
    return f"'{text}" if _TRIGGERS.match(text) else text


def csv_cell(cell: Cell, zone: tzinfo) -> str:
    """A cell of a CSV file: ISO days and moments, plain decimals, guarded text."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case int():
            return str(cell)
        case Decimal():
            return format(cell, "f")
        case datetime():
            return cell.astimezone(zone).isoformat(sep=" ", timespec="seconds")
        case date():
            return cell.isoformat()
        case _:
            return safe_text(str(cell))


class _Line:
    """A file that hands back what is written to it, for csv.writer."""

    def write(self, text: str) -> str:
        return text


def csv_lines(headers: list[str], rows: Iterable[list[Cell]], zone: tzinfo) -> Iterator[bytes]:
    """The bytes of a CSV file, UTF-8 with a byte order mark so that Excel reads it."""
    writer = csv.writer(_Line())
    yield b"\xef\xbb\xbf" + writer.writerow([safe_text(header) for header in headers]).encode()
    pending: list[str] = []
    for row in rows:
        pending.append(writer.writerow([csv_cell(cell, zone) for cell in row]))
        if len(pending) >= 500:
            yield "".join(pending).encode()
            pending.clear()
    if pending:
        yield "".join(pending).encode()


def write_xlsx(file: IO[bytes], headers: list[str], rows: Iterable[list[Cell]], zone: tzinfo) -> int:
    """Write a workbook with one sheet and return how many rows it has. Numbers stay numbers, text stays text."""
    workbook = xlsxwriter.Workbook(
        file,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    sheet = workbook.add_worksheet()
    bold = workbook.add_format({"bold": True})
    days = workbook.add_format({"num_format": "yyyy-mm-dd"})
    moments = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for column, header in enumerate(headers):
        sheet.write_string(0, column, safe_text(header), bold)
    sheet.freeze_panes(1, 0)
    count = 0
    for count, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            match cell:
                case None:
                    continue
                case bool():
                    sheet.write_boolean(count, column, cell)
                case int() | Decimal():
                    _write_number(sheet, count, column, cell)
                case datetime():
                    sheet.write_datetime(count, column, cell.astimezone(zone).replace(tzinfo=None), moments)
                case date():
                    sheet.write_datetime(count, column, cell, days)
                case _:
                    sheet.write_string(count, column, safe_text(str(cell))[:32_767])
    if headers:
        sheet.autofilter(0, 0, count, len(headers) - 1)
    workbook.close()
    return count


def _write_number(sheet: Any, row: int, column: int, value: int | Decimal) -> None:
    """As a number while a spreadsheet keeps it exactly (15 digits), else as text that shows all digits."""
    digits = len(Decimal(value).normalize().as_tuple().digits)
    if digits > 15:
        sheet.write_string(row, column, format(Decimal(value), "f"))
    else:
        sheet.write_number(row, column, value)


def file_name(name: str, day: date, extension: str) -> str:
    """A harmless name for a download: "deals-2026-06-17.csv"."""
    plain = slugify(unicodedata.normalize("NFKC", name), allow_unicode=False) or "export"
    return f"{plain}-{day.isoformat()}.{extension}"


def csv_response(name: str, headers: list[str], rows: Iterable[list[Cell]], zone: tzinfo) -> HttpResponseBase:
    """A CSV file, sent while it is read."""
    response = StreamingHttpResponse(csv_lines(headers, rows, zone), content_type="text/csv; charset=utf-8")
    return _as_download(response, name)


def xlsx_response(name: str, headers: list[str], rows: Iterable[list[Cell]], zone: tzinfo) -> HttpResponseBase:
    """An XLSX file, written to a temporary file and sent from there."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    write_xlsx(file, headers, rows, zone)
    file.seek(0)
    response = FileResponse(file, content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    return _as_download(response, name)


def _as_download(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
