"""Files that nobody should upload, made in a few kilobytes or megabytes; each is what its function says."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Iterator

import xlsxwriter

HEADERS = "id,name,stage,amount,closed on"
DEALS = f"{HEADERS}\nD1,Café Zürich,Won,10,2026-04-03\nD2,Second,Won,20,2026-04-04\n"
SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MB = 1024 * 1024


def workbook(rows: int = 2) -> bytes:
    """A good workbook of deals."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADERS.split(","))
    for number in range(1, rows + 1):
        sheet.write_row(number, 0, [f"D{number}", f"Deal {number}", "Won", 10 * number, "2026-04-03"])
    book.close()
    return out.getvalue()


def with_part(part: str, pieces: Iterator[bytes]) -> bytes:
    """A workbook with one part replaced by what the pieces make, never held as a whole."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook())) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target,
    ):
        for name in source.namelist():
            if name != part:
                target.writestr(name, source.read(name))
        with target.open(part, "w", force_zip64=True) as written:
            for piece in pieces:
                written.write(piece)
    return out.getvalue()


def bomb(part: str, unpacked_mb: int) -> bytes:
    """A workbook one part of which unpacks to so many MB of white space."""
    blank = b" " * MB
    return with_part(part, (blank for _piece in range(unpacked_mb)))


def lying_bomb() -> bytes:
    """A bomb whose table of contents says that its sheet unpacks to a thousand bytes."""
    data = bytearray(bomb(SHEET, 64))
    place = data.rfind(SHEET.encode()) - 46
    assert data[place : place + 4] == b"PK\1\2"
    struct.pack_into("<I", data, place + 24, 1000)
    return bytes(data)


def nested_bomb() -> bytes:
    """A workbook whose shared texts are themselves a workbook, with a bomb in it."""
    return with_part(STRINGS, iter([bomb(STRINGS, 64)]))


def many_texts() -> bytes:
    """A workbook with more shared texts than any table has, each of them short."""
    texts = b"<si><t>a</t></si>" * 10_000
    return with_part(STRINGS, iter([b'<sst xmlns="%s">' % MAIN, *([texts] * 110), b"</sst>"]))


def long_directory() -> bytes:
    """An archive of half a million empty parts: nothing but a table of contents."""
    head, entries = b"PK\3\4" + b"\0" * 26, []
    for number in range(500_000):
        name = b"%x" % number
        entries.append(
            struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
        )
    directory = b"".join(entries)
    count = len(entries) & 0xFFFF
    return head + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(head), 0)


def wide_workbook() -> bytes:
    """A workbook with a row of a million cells."""
    cells = b"".join(b"<c><v>%d</v></c>" % (number * 7919 % 99_991) for number in range(1_000_000))
    return with_part(
        SHEET, iter([b'<worksheet xmlns="%s"><sheetData><row r="1">%s</row></sheetData></worksheet>' % (MAIN, cells)])
    )


def long_rows(count: int) -> bytes:
    """A good table in which every line is nearly as long as a line may be: half a MB each."""
    row = b"," + b"x" * 1000
    head = HEADERS.encode() + b"".join(b",note %d" % number for number in range(490)) + b"\n"
    return head + b"".join(b"D%d,Deal,Won,10,2026-04-03%s\n" % (number, row * 490) for number in range(count))


def archive(*names: str) -> bytes:
    """A ZIP archive of tables."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name in names:
            target.writestr(name, DEALS)
    return out.getvalue()


def cut(data: bytes) -> bytes:
    """The first half."""
    return data[: len(data) // 2]


def packed() -> bytes:
    """A table packed with gzip."""
    return gzip.compress(DEALS.encode(), mtime=0)
