"""The door to uploaded files: told apart by what they contain, inspected, and read as rows from any checkpoint."""

import os
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from salesops.connectors.rules import delimited, workbooks
from salesops.connectors.rules.tables import (
    LIMITS,
    Checkpoint,
    FileRefused,
    Inspection,
    Layout,
    Limits,
    Reading,
    Row,
    empty,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# How files begin that are often uploaded by mistake, and what to call them.
_OTHER_KINDS: Final = (
    (b"%PDF", _("This is a PDF document.")),
    (b"\x89PNG", _("This is a picture.")),
    (b"\xff\xd8\xff", _("This is a picture.")),
    (b"GIF8", _("This is a picture.")),
    (b"\x1f\x8b", _("This is a packed file (gzip).")),
    (b"BZh", _("This is a packed file (bzip2).")),
    (b"7z\xbc\xaf\x27\x1c", _("This is a packed file (7-Zip).")),
    (b"Rar!", _("This is a packed file (RAR).")),
    (b"{\\rtf", _("This is a Rich Text document.")),
    (b"SQLite format 3\0", _("This is a database file.")),
)
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = (b"<!doctype", b"<html", b"<?xml", b"<table", b"<head", b"<body")
_WORKBOOK_NAMES: Final = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb")


def inspect(stream: BinaryIO, name: str = "", reading: Reading | None = None, limits: Limits = LIMITS) -> Inspection:
    """Find out how a file is read, from its bytes and not from its name; never raises for what a file contains.

    stream: a binary file that can seek; it is read in pieces. `name` only serves to say when it promises another kind.
    reading: what a person has decided (encoding, delimiter, sheet, header line); the rest is found out.
    """
    reading = reading or Reading()
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        return Inspection.refused(empty())
    if size > limits.file_bytes:
        return Inspection.refused(_too_large(limits), size=size)
    stream.seek(0)
    head = stream.read(512)
    if problem := _other_kind(head):
        return Inspection.refused(problem, size=size)
    is_archive = head.startswith((b"PK\3\4", b"PK\5\6"))
    try:
        if not is_archive:
            found = delimited.inspect(stream, size, reading, limits)
        elif zipfile.is_zipfile(stream):
            found = workbooks.inspect(stream, size, reading, limits)
        else:
            return Inspection.refused(workbooks.damaged(), size=size)
    except FileRefused as refusal:
        return Inspection.refused(refusal.problem, size=size)
    note = _misnamed(name, is_archive)
    if note and found.layout:
        return Inspection(found.layout, (note, *found.notes), sheets=found.sheets, size=size, sample=found.sample)
    return found


def rows(
    stream: BinaryIO, layout: Layout, checkpoint: Checkpoint | None = None, limits: Limits = LIMITS
) -> Iterator[Row]:
    """The rows of an inspected file, from the checkpoint of any earlier row on, in bounded memory.

    A row that cannot be used carries its problems and does not stop the others. Raises FileRefused when the file
    itself cannot be read on; the rows handed out until then stay good.
    """
    reader = workbooks.rows if layout.kind == "workbook" else delimited.rows
    return reader(stream, layout, checkpoint, limits)


def _other_kind(head: bytes) -> Problem | None:
    """What the file is, when it is neither text nor an archive."""
    if head.startswith(_OLD_OFFICE):
        return workbooks.protected()
    for magic, what in _OTHER_KINDS:
        if head.startswith(magic):
            return _not_a_table(what)
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if begin.startswith(_MARKUP):
        return _not_a_table(_("This is a web page or an XML file, whatever its name says."))
    return None


def _not_a_table(what: str) -> Problem:
    return Problem.of("file-kind", what, remedy=_("Save the table as .xlsx or as “CSV UTF-8” and upload that file."))


def _too_large(limits: Limits) -> Problem:
    return Problem.of(
        "file-size",
        _("The file is larger than %(most)s MB."),
        remedy=_("Divide the file and upload the parts one after the other."),
        most=limits.file_bytes // (1024 * 1024),
    )


def _misnamed(name: str, is_archive: bool) -> Problem | None:
    """A remark when the name promises another kind of file."""
    promised = name.lower().endswith(_WORKBOOK_NAMES)
    if promised and not is_archive:
        return Problem.of(
            "file-misnamed", _("The file is named like a workbook, but it is a text table; it was read as one.")
        )
    if is_archive and name and not promised:
        return Problem.of(
            "file-misnamed", _("The file is not named like a workbook, but it is one; it was read as one.")
        )
    return None
