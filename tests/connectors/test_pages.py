"""The pages of imports: from the upload to an empty shelf, who may open them, forms posted twice, bad files."""

from __future__ import annotations

import io
import struct
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.urls import reverse

from salesops.connectors.choices import ImportState, RowState
from salesops.connectors.models import ConfirmedName, FileImport, RejectedRow, SavedMapping, Source
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.views.imports import LIST_PAGES
from salesops.deals.models import Deal, Product
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due
from tests.cast import NOW

HEADERS = "id,name,owner,stage,amount,closed on"
DEALS = f"""{HEADERS}
D1,First,Ana Alvarez,Won,10,03/04/2026
D2,Second,Alba Abe,Won,a lot,04/04/2026
"""


@pytest.fixture
def source(db: None) -> Source:
    """Where the files come from."""
    return Source.objects.create(code="crm", name="Our CRM")


def send(client: Client, name: str, content: bytes, source: Source, **more: Any) -> Any:
    """Upload a file on the page."""
    file = SimpleUploadedFile(name, content)
    return client.post(reverse("connectors:import_create"), {"file": file, "source": source.pk, **more}, follow=True)


def page(name: str, pk: int) -> str:
    """The address of a page of an import or a row."""
    return reverse(f"connectors:{name}", kwargs={"pk": pk})


def text_of(response: Any) -> str:
    """The page as text."""
    return str(response.content.decode())


def test_from_the_upload_to_an_empty_shelf(client_of: Callable[[str], Client], source: Source) -> None:
    """Upload, answer, check, import, mend: as a person does it."""
    rita = client_of("rita")
    response = send(rita, "deals.csv", DEALS.encode(), source)
    row = FileImport.objects.get()
    assert response.redirect_chain[-1][0] == page("import_detail", row.pk)
    assert [question.column for question in response.context["questions"]] == ["closed on"]

    columns = {f"column-{each.field.code}": each.rule.column or "" for each in response.context["fields"] if each.rule}
    answered = {"kind": "deals", **columns, "constant-currency": "USD"}
    response = rita.post(page("import_mapping", row.pk), answered, follow=True)
    assert "Answer the open questions first." in text_of(response)
    (question,) = response.context["questions"]
    day_first = next(option.value for option in question.options if option.value.startswith("d"))
    answered["answer-date_format:closed on"] = day_first
    response = rita.post(page("import_mapping", row.pk), answered, follow=True)
    assert {fate["code"]: fate["count"] for fate in response.context["fates"]} == {
        "created": 1,
        "changed": 0,
        "unchanged": 0,
        "refused": 1,
    }
    assert not Deal.objects.exists()

    rita.post(page("import_start", row.pk))
    rita.post(page("import_start", row.pk))
    assert Job.objects.count() == 1
    run_due(at=NOW)
    assert str(Deal.objects.get().closed_on) == "2026-04-03"
    shelved = RejectedRow.objects.get()
    response = rita.get(page("row_list", row.pk))
    assert "amount: “a lot” is not a number" in text_of(response) or "a lot" in text_of(response)

    cells = {f"cell{place}": cell for place, cell in enumerate(["D2", "Second", "Alba Abe", "Won", "x", "04/04/2026"])}
    response = rita.post(page("row_edit", shelved.pk), cells, follow=True)
    assert response.redirect_chain[-1][0] == page("row_edit", shelved.pk)
    assert response.context["form"]["cell4"].value() == "x"
    rita.post(page("row_edit", shelved.pk), cells | {"cell4": "20"})
    shelved.refresh_from_db()
    assert shelved.state == RowState.MENDED
    assert Deal.objects.get(external_id="D2").amount_minor == 2_000


def test_a_name_is_confirmed_on_the_page(client_of: Callable[[str], Client], source: Source) -> None:
    """By a button for the one proposed, or by typing another's name; a name that is nobody's is refused."""
    product = Product.objects.create(code="gtx-pro", name="GTX Pro", match_name="gtx pro")
    rita = client_of("rita")
    send(rita, "deals.csv", b"id,name,stage,amount,closed on,product\nD1,A,Won,1,2026-05-04,GTXPro\n", source)
    row = FileImport.objects.get()
    rita.post(page("import_mapping", row.pk), {"kind": "deals"})
    posted = {"kind": "product", "text": "GTXPro", "means": "other", "other": "GTX Nothing"}
    response = rita.post(page("import_name", row.pk), posted, follow=True)
    assert "“GTX Nothing” was not found." in text_of(response)
    assert not ConfirmedName.objects.exists()
    rita.post(page("import_name", row.pk), {"kind": "product", "text": "GTXPro", "means": str(product.pk + 99)})
    assert not ConfirmedName.objects.exists()
    response = rita.post(
        page("import_name", row.pk), {"kind": "product", "text": "GTXPro", "means": str(product.pk)}, follow=True
    )
    assert ConfirmedName.objects.get().record_id == product.pk
    assert response.context["names"] == []


def test_a_form_posted_twice_uploads_once(client_of: Callable[[str], Client], source: Source, settings: Any) -> None:
    """The second post leads to the first one's import and keeps no second file."""
    rita, key = client_of("rita"), str(uuid.uuid4())
    folder = Path(settings.MEDIA_ROOT) / "imports"
    before = len(list(folder.glob("*"))) if folder.exists() else 0
    first = send(rita, "deals.csv", DEALS.encode(), source, form_key=key)
    second = send(rita, "deals.csv", DEALS.encode(), source, form_key=key)
    assert first.redirect_chain == second.redirect_chain
    assert FileImport.objects.count() == 1
    assert len(list(folder.glob("*"))) == before + 1


def test_a_shelved_row_mended_twice_is_taken_once(client_of: Callable[[str], Client], source: Source) -> None:
    """Double click on "Try again"."""
    rita = client_of("rita")
    row = imported(rita, source)
    shelved = RejectedRow.objects.get(file_import=row)
    posted = {f"cell{place}": cell for place, cell in enumerate(["D2", "Second", "Alba Abe", "Won", "5", "2026-04-04"])}
    posted["form_key"] = str(uuid.uuid4())
    rita.post(page("row_edit", shelved.pk), posted)
    response = rita.post(page("row_edit", shelved.pk), posted, follow=True)
    assert "already sent" in text_of(response)
    assert Deal.objects.filter(external_id="D2").count() == 1
    row.refresh_from_db()
    assert (row.created_count, row.refused_count) == (2, 0)


def imported(client: Client, source: Source) -> FileImport:
    """An import with one row on the shelf."""
    send(
        client,
        "deals.csv",
        DEALS.replace("03/04/2026", "2026-04-03").replace("04/04/2026", "2026-04-04").encode(),
        source,
    )
    row = FileImport.objects.get()
    client.post(page("import_mapping", row.pk), {"kind": "deals"})
    client.post(page("import_start", row.pk))
    run_due(at=NOW)
    row.refresh_from_db()
    assert row.state == ImportState.DONE
    return row


@pytest.mark.parametrize("name", ["ana", "max", "finn", "elsa", "norm"])
def test_the_pages_are_for_those_who_import(client_of: Callable[[str], Client], source: Source, name: str) -> None:
    """Others may neither read nor post, and nothing changes."""
    row = imported(client_of("rita"), source)
    shelved = RejectedRow.objects.get()
    before = FileImport.objects.values().get(), RejectedRow.objects.values().get(), Job.objects.count()
    other = client_of(name)
    for address in (
        reverse("connectors:import_list"),
        reverse("connectors:import_create"),
        page("import_detail", row.pk),
        page("row_list", row.pk),
        page("row_edit", shelved.pk),
    ):
        assert other.get(address).status_code == 403, address
    for address in (
        *(page(f"import_{what}", row.pk) for what in ("kind", "reading", "mapping", "names"[:-1], "save_mapping")),
        *(page(f"import_{what}", row.pk) for what in ("start", "retry")),
        page("row_edit", shelved.pk),
        page("row_dismiss", shelved.pk),
        reverse("connectors:import_create"),
    ):
        assert other.post(address, {"kind": "leads", "name": "Mine"}).status_code == 403, address
    assert before == (FileImport.objects.values().get(), RejectedRow.objects.values().get(), Job.objects.count())
    assert not SavedMapping.objects.exists()


def test_an_import_that_is_not_there_is_not_found(client_of: Callable[[str], Client], source: Source) -> None:
    """Made-up numbers lead nowhere, for reading and for posting."""
    rita = client_of("rita")
    for what in ("import_detail", "row_list", "row_edit"):
        assert rita.get(page(what, 999_999)).status_code == 404
    for what in ("import_start", "import_retry", "import_kind", "row_dismiss"):
        assert rita.post(page(what, 999_999)).status_code == 404


def test_a_swept_file_is_said_and_breaks_no_page(client_of: Callable[[str], Client], source: Source) -> None:
    """The stored file is gone: the page says what to do."""
    rita = client_of("rita")
    send(rita, "deals.csv", DEALS.encode(), source)
    row = FileImport.objects.get()
    FileImport.objects.update(stored_as="")
    assert "upload it again" in text_of(rita.get(page("import_detail", row.pk)))
    response = rita.post(page("import_mapping", row.pk), {"kind": "deals"}, follow=True)
    assert "upload it again" in text_of(response)
    row.refresh_from_db()
    assert row.state == ImportState.MAPPING


def test_reading_a_file_another_way_that_does_not_work_changes_nothing(
    client_of: Callable[[str], Client], source: Source
) -> None:
    """The columns matched so far are kept when the file has no such header line."""
    rita = client_of("rita")
    send(rita, "deals.csv", DEALS.encode(), source)
    row = FileImport.objects.get()
    before = FileImport.objects.values().get()
    response = rita.post(page("import_reading", row.pk), {"header_line": "900"}, follow=True)
    assert [str(message) for message in response.context["messages"]]
    assert FileImport.objects.values().get() == before


def zip_bomb() -> bytes:
    """A workbook of a few kilobytes whose sheet unpacks to 300 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _piece in range(64):
                sheet.write(b" " * 1024 * 1024)
    return out.getvalue()


def cut_workbook() -> bytes:
    """A workbook cut in the middle."""
    whole = zip_bomb()
    return whole[: len(whole) // 2]


BAD_FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("deals.csv", lambda: b""),
    "only headers": ("deals.csv", lambda: HEADERS.encode()),
    "a picture": ("deals.csv", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 100),
    "bytes of nothing": ("deals.csv", lambda: struct.pack("<I", 0xDEADBEEF) * 500),
    "a huge line": ("deals.csv", lambda: b"id,name\nD1," + b"x" * 3_000_000 + b"\nD2,Two\n"),
    "a million columns": ("deals.csv", lambda: ",".join(map(str, range(1_000_000))).encode() + b"\n1\n"),
    "a zip bomb": ("deals.xlsx", zip_bomb),
    "a workbook cut in the middle": ("deals.xlsx", cut_workbook),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_gets_a_clear_message_and_loses_nothing(
    client_of: Callable[[str], Client], source: Source, what: str
) -> None:
    """The page says what is wrong; earlier imports and records stand as they were."""
    rita = client_of("rita")
    name, content = BAD_FILES[what]
    good = imported(rita, source)
    before = FileImport.objects.filter(pk=good.pk).values().get(), Deal.objects.values().get()
    response = send(rita, name, content(), source)
    assert response.status_code in (200, 422)
    bad = FileImport.objects.exclude(pk=good.pk).first()
    if bad is not None and bad.state != ImportState.REFUSED:
        # A table of sorts: what is odd about it is said, and nothing comes of importing it.
        assert what in ("a huge line", "only headers", "bytes of nothing")
        assert bad.notes or response.context["missing"]
        rita.post(page("import_mapping", bad.pk), {"kind": "deals"})
        bad.refresh_from_db()
        assert bad.preview.get("counts", {}).get("created", 0) == 0
    elif bad is not None:
        assert response.context["problems"]
        said = response.context["problems"][0]
        assert said.text(str) in text_of(response).replace("&#x27;", "'").replace("&quot;", '"')
        assert rita.post(page("import_start", bad.pk)).status_code == 302
        bad.refresh_from_db()
        assert bad.state == ImportState.REFUSED
    else:
        assert response.context["form"].errors["file"]
    assert before == (FileImport.objects.filter(pk=good.pk).values().get(), Deal.objects.values().get())
    assert Job.objects.filter(kind="connectors.import").count() == 1


def test_a_wrong_encoding_is_said_and_can_be_chosen(client_of: Callable[[str], Client], source: Source) -> None:
    """Names written in Big5 come out right when that is chosen on the page."""
    rita = client_of("rita")
    content = "id,name,stage,amount,closed on\nD1,臺北市政府採購案,Won,1,2026-05-04\n".encode("big5")
    send(rita, "deals.csv", content, source)
    row = FileImport.objects.get()
    rita.post(page("import_reading", row.pk), {"encoding": "big5"})
    row.refresh_from_db()
    assert row.layout["encoding"] == "big5"
    rita.post(page("import_mapping", row.pk), {"kind": "deals"})
    rita.post(page("import_start", row.pk))
    run_due(at=NOW)
    assert Deal.objects.get().name == "臺北市政府採購案"


def test_a_file_cut_in_the_middle_of_a_row_keeps_what_was_read(
    client_of: Callable[[str], Client], source: Source
) -> None:
    """The last, half row lies on the shelf; the others are in."""
    rita = client_of("rita")
    whole = f'{HEADERS}\nD1,First,Ana Alvarez,Won,10,2026-04-03\nD2,Second,"Alba'
    send(rita, "deals.csv", whole.encode(), source)
    row = FileImport.objects.get()
    rita.post(page("import_mapping", row.pk), {"kind": "deals"})
    rita.post(page("import_start", row.pk))
    run_due(at=NOW)
    row.refresh_from_db()
    assert list(Deal.objects.values_list("external_id", flat=True)) == ["D1"]
    shelved = RejectedRow.objects.get()
    assert (shelved.line, "Alba" in f"{shelved.raw}{shelved.cells}") == (3, True)


def test_a_file_larger_than_allowed_is_refused_before_it_is_kept(
    client_of: Callable[[str], Client], source: Source, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says how large it may be; no byte of it stays on the disk, nor is one written of a request that is too large."""
    settings.IMPORT_MAX_BYTES = 1024 * 1024
    written: list[int] = []
    monkeypatch.setattr(
        TemporaryFileUploadHandler, "receive_data_chunk", lambda _self, data, _start: written.append(len(data))
    )
    folder = Path(settings.MEDIA_ROOT) / "imports"
    before = set(folder.glob("*")) if folder.exists() else set()
    for size in (1, 3):  # by its own size, and by the size of the request before anything of it was stored
        response = send(client_of("rita"), "deals.csv", DEALS.encode() + b"x" * size * 1024 * 1024, source)
        assert "larger than 1 MB" in text_of(response)
    assert written == []
    assert not FileImport.objects.exists()
    assert (set(folder.glob("*")) if folder.exists() else set()) == before


def test_an_import_leads_to_what_came_in(client_of: Callable[[str], Client], source: Source) -> None:
    """Before: that nothing is written yet. After: the list of these records. Beside a bad cell: what is wrong with it."""
    rita = client_of("rita")
    send(rita, "deals.csv", DEALS.replace("03/04", "13/04").replace("04/04", "14/04").encode(), source)
    row = FileImport.objects.get()
    rita.post(page("import_mapping", row.pk), {"kind": "deals"})
    run_due()
    assert "Nothing is written before you press" in text_of(rita.get(page("import_detail", row.pk)))
    rita.post(page("import_start", row.pk))
    run_due()
    assert (
        f'href="{reverse("deals:deal_list")}">'
        in text_of(rita.get(page("import_detail", row.pk))).partition("<main")[2]
    )
    shelved = RejectedRow.objects.get()
    assert '<span class="cell-bad">' in text_of(rita.get(page("row_edit", shelved.pk)))


def test_every_kind_names_a_page_that_is_there() -> None:
    """A renamed page would silently lose the way from an import to its records."""
    assert set(KINDS) == set(LIST_PAGES)
    assert all(reverse(name) for name in LIST_PAGES.values())
