"""Bad files, uploaded on the page by Rita: the sentence she reads, the memory it takes, and that nothing is lost."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.connectors.choices import ImportState
from salesops.connectors.models import FileImport, RejectedRow, Source
from salesops.connectors.services import uploads
from salesops.connectors.services.reading import Reader
from salesops.deals.models import Deal
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due
from tests.cast import NOW
from tests.connectors import bad_files
from tests.connectors.bad_files import DEALS, HEADERS, MB, SHEET, STRINGS
from tests.connectors.memory import peak_growth
from tests.connectors.test_pages import imported, page, send, text_of

SAVE_AS = "Save the table as .xlsx or as “CSV UTF-8” and upload that file."
BOMB = (
    "The workbook would unpack to far more than a table of this kind holds. "
    "Save the sheet that you need as CSV and upload that."
)
DAMAGED = (
    "The workbook is damaged or was cut off: it cannot be read to its end. "
    "Open it in a spreadsheet program, save it again as .xlsx, and upload it once more."
)
COLUMNS = "The table has more than 500 columns. Remove the columns that are not needed and upload the file again."
LINE = (
    "Line {} is longer than 1,048,576 bytes, so this is not a table of rows. "
    "Check that the file is a CSV export with one row on each line."
)
JAPANESE = DEALS.replace("Café Zürich", "テスト ソーシャル アイウ")


@pytest.fixture
def source(db: None) -> Source:
    """Where the files come from."""
    return Source.objects.create(code="crm", name="Our CRM")


def said(response: Any) -> str:
    """The page as a person reads it: no tags, no entities, one blank between words."""
    text = html.unescape(text_of(response))
    pieces = [piece.rpartition(">")[2] for piece in text.split("<")]
    return " ".join(" ".join(pieces).split())


def stored() -> set[Path]:
    """The files of uploads on the disk."""
    folder = Path(django_settings.MEDIA_ROOT) / "imports"
    return set(folder.glob("*")) if folder.exists() else set()


def state_of(good: FileImport) -> Any:
    """What came before the bad file: its import, its row on the shelf, its deal, its jobs."""
    return (
        FileImport.objects.filter(pk=good.pk).values().get(),
        list(RejectedRow.objects.filter(file_import=good).values()),
        list(Deal.objects.order_by("pk").values()),
        list(Job.objects.order_by("pk").values_list("pk", "state")),
    )


#: What is refused, by what it is: the name and the bytes of the file, the message with its remedy.
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a sheet of over 1 GB": ("deals.xlsx", lambda: bad_files.bomb(SHEET, 1100), BOMB),
    "shared texts of 300 MB": ("deals.xlsx", lambda: bad_files.bomb(STRINGS, 300), BOMB),
    "shared texts of 66 MB": ("deals.xlsx", lambda: bad_files.bomb(STRINGS, 66), BOMB),
    "a million shared texts": ("deals.xlsx", bad_files.many_texts, BOMB),
    "a workbook within a workbook": ("deals.xlsx", bad_files.nested_bomb, DAMAGED),
    "a bomb that lies about its size": ("deals.xlsx", bad_files.lying_bomb, DAMAGED),
    "half a million empty parts": ("deals.xlsx", bad_files.long_directory, BOMB),
    "a workbook cut in the middle": ("deals.xlsx", lambda: bad_files.cut(bad_files.workbook(500)), DAMAGED),
    "a workbook of a million columns": ("deals.xlsx", bad_files.wide_workbook, COLUMNS),
    "a text of a million columns": (
        "deals.csv",
        lambda: ",".join(map(str, range(1_000_000))).encode() + b"\n1\n",
        LINE.format(1),
    ),
    "a text of 100,000 columns": ("deals.csv", lambda: ",".join(map(str, range(100_000))).encode() + b"\n1\n", COLUMNS),
    "a huge line below good ones": ("deals.csv", lambda: DEALS.encode() + b"x" * 3 * MB + b"\n", LINE.format(4)),
    "gzip posing as CSV": ("deals.csv", bad_files.packed, f"This is a packed file (gzip). {SAVE_AS}"),
    "ZIP posing as CSV": (
        "deals.csv",
        lambda: bad_files.archive("deals.csv"),
        f"This is an archive (ZIP), not a table. {SAVE_AS}",
    ),
    "ZIP posing as a workbook": (
        "deals.xlsx",
        lambda: bad_files.archive("deals.csv"),
        f"This is an archive (ZIP), not a table. {SAVE_AS}",
    ),
    "a picture": ("deals.csv", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 100, f"This is a picture. {SAVE_AS}"),
    "nothing but NUL": (
        "deals.csv",
        lambda: b"\0" * 1000,
        "This is not a text file: it contains bytes that no text has. Upload a CSV file or an Excel workbook (.xlsx).",
    ),
    "UTF-32": (
        "deals.csv",
        lambda: DEALS.encode("utf-32"),
        "Files in the encoding UTF-32 cannot be read. Save the file as “CSV UTF-8” and upload it again.",
    ),
    "bytes of no encoding": (
        "deals.csv",
        lambda: JAPANESE.encode("shift_jis"),
        "The encoding of the file could not be found: line 2 is neither UTF-8 nor Windows-1252. "
        "Choose the encoding, or save the file as “CSV UTF-8”.",
    ),
}
#: Those that a person can still have read by choosing another encoding; their file is kept for that.
CHOOSABLE = {"bytes of no encoding", "UTF-32"}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_file_is_said_removed_and_costs_nothing_else(
    client_of: Callable[[str], Client], source: Source, what: str
) -> None:
    """The message and its remedy stand on the page; the row stays as refused, the file goes, all else is as it was."""
    rita = client_of("rita")
    name, make, sentence = REFUSED[what]
    good, content = imported(rita, source), make()
    assert len(content) < 2 * MB or "million" in what or "huge" in what
    before, files, entries = state_of(good), stored(), AuditEntry.objects.count()
    with peak_growth() as grown:
        response = send(rita, name, content, source)
    # The test's own browser holds the request twice; the portal may add little to that.
    assert grown.mb < 40 + 2 * len(content) / MB
    assert response.status_code == 200
    assert sentence in said(response)

    bad = FileImport.objects.exclude(pk=good.pk).get()
    assert (bad.state, bad.file_name, bad.size_bytes) == (ImportState.REFUSED, name, len(content))
    assert len(stored() - files) == (what in CHOOSABLE)
    assert bool(bad.stored_as) == ("Read it again" in said(response)) == (what in CHOOSABLE)
    assert AuditEntry.objects.count() == entries + 1

    for action in ("import_start", "import_mapping", "import_kind"):
        response = rita.post(page(action, bad.pk), {"kind": "deals"}, follow=True)
        assert response.status_code == 200
        assert sentence in said(response)
    bad.refresh_from_db()
    assert bad.state == ImportState.REFUSED
    assert state_of(good) == before
    assert AuditEntry.objects.count() == entries + 1


def test_a_file_of_no_known_encoding_is_read_when_the_encoding_is_chosen(
    client_of: Callable[[str], Client], source: Source
) -> None:
    """A choice that does not fit is said and changes nothing; the right one brings the names in as they are."""
    rita = client_of("rita")
    send(rita, "deals.csv", JAPANESE.encode("shift_jis"), source)
    before = FileImport.objects.values().get()
    response = rita.post(page("import_reading", before["id"]), {"encoding": "utf-8"}, follow=True)
    assert "The file cannot be read as UTF-8: line 2 has bytes that mean nothing in it." in said(response)
    assert FileImport.objects.values().get() == before
    rita.post(page("import_reading", before["id"]), {"encoding": "shift_jis"})
    bring_in(rita, FileImport.objects.get())
    assert Deal.objects.get(external_id="D1").name == "テスト ソーシャル アイウ"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_can_be_chosen(client_of: Callable[[str], Client], source: Source, encoding: str) -> None:
    """By either order of its bytes, as the form offers it."""
    rita = client_of("rita")
    send(rita, "deals.csv", DEALS.encode(encoding), source)
    row = FileImport.objects.get()
    assert f'<option value="{encoding}">' in text_of(rita.get(page("import_detail", row.pk)))
    rita.post(page("import_reading", row.pk), {"encoding": encoding})
    row.refresh_from_db()
    assert (row.layout["encoding"], row.notes) == (encoding, [])


def bring_in(rita: Client, row: FileImport) -> Any:
    """Check the columns, import, and open the import's page."""
    rita.post(page("import_mapping", row.pk), {"kind": "deals", "constant-currency": "USD"})
    rita.post(page("import_start", row.pk))
    run_due(at=NOW)
    return rita.get(page("import_detail", row.pk))


@dataclass(frozen=True)
class Odd:
    """A file that is a table all the same: what is remarked, the names that come in, and the shelf, line by line."""

    name: str
    content: Callable[[], bytes]
    remark: str
    deals: tuple[str, ...] = ("Café Zürich", "Second")
    shelf: tuple[tuple[int, str], ...] = ()


CHECK_NAMES = "Check names with accents or Chinese characters in the preview; choose another encoding if need be."
CUT = (
    "The file ends in the middle of a row (line 4): it was probably cut off. "
    "Export or copy the file again and upload it; rows that are in already will be left alone."
)
UNENDED = (
    "The last line has no line end. Some programs write files like that; a file that was cut looks the same. "
    "Check that the last row is complete."
)
ODD = {
    "Latin-1": Odd(
        "deals.csv",
        lambda: DEALS.encode("latin-1"),
        f"The file is not UTF-8 (line 2); it was read as Windows-1252. {CHECK_NAMES}",
    ),
    "UTF-16 without a mark": Odd(
        "deals.csv",
        lambda: DEALS.encode("utf-16-le"),
        f"The file does not say its encoding; it was read as UTF-16 LE. {CHECK_NAMES}",
    ),
    "UTF-16 of the other order": Odd(
        "deals.csv",
        lambda: DEALS.encode("utf-16-be"),
        f"The file does not say its encoding; it was read as UTF-16 BE. {CHECK_NAMES}",
    ),
    "NUL in a cell": Odd(
        "deals.csv",
        lambda: DEALS.replace("Second", "Sec\0ond").encode(),
        "",
        ("Café Zürich",),
        ((3, "The cell contains a NUL character, which is not text."),),
    ),
    "cut inside a quoted cell": Odd(
        "deals.csv", lambda: DEALS.encode() + b'D3,"Third and a h', UNENDED, shelf=((4, CUT),)
    ),
    "cut between cells": Odd("deals.csv", lambda: DEALS.encode() + b"D3,Third,Wo", UNENDED, shelf=((4, CUT),)),
    "cut inside a character": Odd(
        "deals.csv",
        lambda: DEALS.encode() + "D3,Café".encode()[:-1],
        UNENDED,
        shelf=((4, "The row has bytes that mean nothing in UTF-8."),),
    ),
    "a text named like a workbook": Odd(
        "deals.xlsx",
        DEALS.encode,
        "The file is named like a workbook, but it is a text table; it was read as one.",
    ),
    "a workbook named like a text": Odd(
        "deals.csv",
        bad_files.workbook,
        "The file is not named like a workbook, but it is one; it was read as one.",
        ("Deal 1", "Deal 2"),
    ),
    "only headers": Odd("deals.csv", f"{HEADERS}\n".encode, "The file has headers but no row below them.", ()),
    "the same header twice": Odd(
        "deals.csv",
        lambda: (
            DEALS.replace("id,name,", "id,name,name,")
            .replace(",Café", ",Café Zürich,Café")
            .replace(",Second", ",Second,Two")
            .encode()
        ),
        "Several columns are called name; they were numbered. Check in the mapping that the right one is used.",
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_file_is_remarked_and_its_good_rows_come_in(
    client_of: Callable[[str], Client], source: Source, what: str
) -> None:
    """What was assumed is said before anything is written; a row that cannot be used lies on the shelf with its line."""
    rita, odd = client_of("rita"), ODD[what]
    response = send(rita, odd.name, odd.content(), source)
    row = FileImport.objects.get()
    assert odd.remark in said(response)
    assert not odd.remark or len(row.notes) == 1
    assert not Deal.objects.exists()
    response = bring_in(rita, row)
    row.refresh_from_db()
    assert row.state == ImportState.DONE
    assert tuple(Deal.objects.order_by("external_id").values_list("name", flat=True)) == odd.deals
    assert tuple(RejectedRow.objects.order_by("line").values_list("line", flat=True)) == tuple(
        line for line, _text in odd.shelf
    )
    for each, (_line, text) in zip(RejectedRow.objects.order_by("line"), odd.shelf, strict=True):
        assert text in said(rita.get(page("row_edit", each.pk)))


def test_an_empty_file_is_refused_in_the_form(client_of: Callable[[str], Client], source: Source) -> None:
    """Nothing of it is kept, and the form still holds what else was chosen."""
    before = stored()
    response = send(client_of("rita"), "deals.csv", b"", source)
    assert response.status_code == 422
    assert "The submitted file is empty." in said(response)
    assert f'<option value="{source.pk}" selected>' in text_of(response)
    assert (stored(), FileImport.objects.count()) == (before, 0)


def test_what_the_database_does_not_take_leaves_no_file(
    client_of: Callable[[str], Client], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose row could not be kept is not left behind on the disk."""

    def fail(**_kwargs: Any) -> None:
        raise IntegrityError("no room")

    before = stored()
    monkeypatch.setattr(uploads, "keep", fail)
    with pytest.raises(IntegrityError):
        send(client_of("rita"), "deals.csv", DEALS.encode(), source)
    assert (stored(), FileImport.objects.count()) == (before, 0)


class Body:
    """The body of a form with a file that is made while it is read, so that the test itself holds none of it."""

    def __init__(self, source: Source, name: str, size: int, pieces: Iterator[bytes]) -> None:
        head = (
            f'--edge\r\nContent-Disposition: form-data; name="source"\r\n\r\n{source.pk}\r\n'
            f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        ).encode()
        tail = b"\r\n--edge--\r\n"
        self.length = len(head) + size + len(tail)
        self._size, self._pieces, self._tail, self._held = size, pieces, tail, head

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        while len(self._held) < size and self._size:
            piece = next(self._pieces)[: self._size]
            self._size -= len(piece)
            self._held += piece
        if not self._size:
            self._held, self._tail = self._held + self._tail, b""
        given, self._held = self._held[:size], self._held[size:]
        return given

    readline = read  # Django wants one to be there, and calls it for other kinds of forms only


def stream(client: Client, source: Source, name: str, size: int, pieces: Iterator[bytes]) -> Any:
    """Upload a file of so many bytes that exists nowhere, and go where the answer leads."""
    body = Body(source, name, size, pieces)
    more: dict[str, Any] = {
        "wsgi.input": body,
        "CONTENT_LENGTH": str(body.length),
        "CONTENT_TYPE": "multipart/form-data; boundary=edge",
    }
    response = client.post(reverse("connectors:import_create"), **more)
    return client.get(response.headers["Location"]) if response.status_code == 302 else response


def lines(*first: bytes, then: bytes) -> Iterator[bytes]:
    """Some pieces, then the same one for ever."""
    yield from first
    yield from repeat(then)


@pytest.mark.parametrize(
    "size",
    [60 * MB, pytest.param(1024 * MB, marks=pytest.mark.benchmark)],
    ids=["60 MB", "1 GB"],
)
def test_an_endless_line_takes_no_memory(
    client_of: Callable[[str], Client], source: Source, settings: Any, size: int
) -> None:
    """Where so large a file is allowed, its one line is refused after its first megabyte and the file removed."""
    settings.IMPORT_MAX_BYTES = 2048 * MB
    rita, before = client_of("rita"), stored()
    with peak_growth() as grown:
        response = stream(rita, source, "deals.csv", size, lines(DEALS.encode(), then=b"x" * MB))
    assert LINE.format(4) in said(response)
    row = FileImport.objects.get()
    assert (row.state, row.size_bytes, row.stored_as) == (ImportState.REFUSED, size, "")
    assert stored() == before
    assert grown.mb < 25


@pytest.mark.parametrize(
    "size",
    [260 * MB, pytest.param(1024 * MB, marks=pytest.mark.benchmark)],
    ids=["260 MB", "1 GB"],
)
def test_a_line_larger_than_any_file_may_be_is_never_stored(
    client_of: Callable[[str], Client], source: Source, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the settings as they come: read through, thrown away, and said. Not even a temporary file is begun."""

    def begin(*_args: Any) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr(TemporaryUploadedFile, "__init__", begin)
    rita, before = client_of("rita"), stored()
    with peak_growth() as grown:
        response = stream(rita, source, "deals.csv", size, repeat(b"x" * MB))
    assert response.status_code == 422
    assert "The file is larger than 200 MB. Divide it and upload the parts one after the other." in said(response)
    assert (stored(), FileImport.objects.count()) == (before, 0)
    assert grown.mb < 25


def test_many_rows_of_very_many_columns_take_little_memory(client_of: Callable[[str], Client], source: Source) -> None:
    """60 MB of rows of 300,000 columns each would be more than a gigabyte of cells if they were looked at together."""
    row = b"ab," * 300_000 + b"\n"
    with peak_growth() as grown:
        response = stream(client_of("rita"), source, "deals.csv", 65 * len(row), repeat(row))
    assert COLUMNS in said(response)
    assert grown.mb < 120


def test_long_rows_are_held_and_shown_in_small_pieces(client_of: Callable[[str], Client], source: Source) -> None:
    """Rows of half a megabyte come in by nines, and the examples of a preview keep a line of each."""
    rita = client_of("rita")
    send(rita, "deals.csv", bad_files.long_rows(30), source)
    row = FileImport.objects.get()
    with uploads.path_of(row).open("rb") as file:
        assert [len(batch) for batch in Reader(row).batches(file)] == [9, 9, 9, 3]
    FileImport.objects.update(size_bytes=1)  # looked through while she waits
    rita.post(page("import_mapping", row.pk), {"kind": "deals"})
    row.refresh_from_db()
    assert row.preview["counts"] == {"created": 30}
    assert len(json.dumps(row.preview)) < 300_000
    rita.post(page("import_start", row.pk))
    run_due(at=NOW)
    assert Deal.objects.count() == 30
