"""Files: the shared scenarios, with an export that is uploaded again and again in place of a vendor that is asked."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import openpyxl
import pytest
from django.core.exceptions import ValidationError

from salesops.connectors.choices import ImportState, RunState
from salesops.connectors.models import FileImport, RejectedRow, Source
from salesops.connectors.rules.tables import FileRefused
from salesops.connectors.services import imports, reading
from salesops.core.actor import Actor
from salesops.deals.models import Deal
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due
from tests.cast import NOW, Cast
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.journeys.bringing import Importer, counts

COLUMNS = ("id", "name", "owner", "stage", "amount", "closed on")


class Export(StandIn):
    """A CRM that can do nothing but export a file. Its faults meet the file on its way."""

    vendor = "files"
    suffix: ClassVar[str] = "csv"

    def __enter__(self) -> Export:
        return self

    def close(self) -> None:
        self.faults.clear()

    @property
    def address(self) -> str:
        return "127.0.0.1:1"

    def rows_of_file(self) -> list[Sequence[Any]]:
        """The file's rows, the headers first."""
        return [COLUMNS, *([row.id, *(row[name] for name in COLUMNS[1:])] for row in self.rows("deals"))]

    def content(self) -> bytes:
        """The file, as it arrives."""
        kinds = {fault.kind for fault in self.faults.all}
        whole = self.whole()
        for fault in list(self.faults.all):
            if fault.times is not None:
                self.faults.all.remove(fault)
        if "garbled" in kinds:
            return b"<!DOCTYPE html><html><body>We will be right back</body></html>"
        return whole[: len(whole) // 2] if "half_body" in kinds else whole

    def whole(self) -> bytes:
        """The file as it was made."""
        text = io.StringIO()
        csv.writer(text).writerows(self.rows_of_file())
        return text.getvalue().encode()


class Workbook(Export):
    """The same as a workbook."""

    suffix = "xlsx"

    def whole(self) -> bytes:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for row in self.rows_of_file():
            sheet.append(list(row))
        content = io.BytesIO()
        book.save(content)
        return content.getvalue()


class Uploads(Link):
    """A person who exports and uploads whenever the scenario syncs."""

    def __init__(self, actor: Actor, standin: Export) -> None:
        super().__init__(actor, standin)
        self.export = standin
        self.importer = Importer(actor, Source.objects.create(code="files", name="Exports"))
        self.row: FileImport | None = None
        self.refusal = ""

    def upload(self) -> FileImport:
        """Bring the export up to where it could begin."""
        return self.importer.answer(
            self.importer.upload(f"deals.{self.export.suffix}", self.export.content(), kind="deals")
        )

    def start(self) -> Uploads:
        """Upload it and begin; a file that cannot be read is refused at once."""
        self.row, self.refusal = None, ""
        try:
            self.row = self.upload()
            imports.start(actor=self.actor, file_import=self.row, at=self.at)
            self.row.refresh_from_db()
        except (ValidationError, FileRefused) as error:
            self.refusal = str(error)
        return self

    def run(self) -> list[Job]:
        ran = run_due(at=self.at)
        if self.row is not None:
            self.row.refresh_from_db()
        return ran

    def sync(self, *, after: float = 600, kill: bool = False) -> Any:
        self.start().run()
        return self.last_run()

    def resync(self) -> None:
        self.start()

    def preview(self, object: str) -> int:
        row = self.importer.check(self.upload())
        return int(row.preview["rows"])

    def job(self) -> Job:
        assert self.row is not None
        return Job.objects.get(pk=self.row.job_id)

    @contextmanager
    def engine(self) -> Iterator[None]:
        yield

    def last_run(self) -> Any:
        """The import, told as a run: it is done when every row of a whole file was taken."""
        if self.row is None:
            return SimpleNamespace(state=RunState.FAILED, error={"message": self.refusal}, counts={}, pages=0)
        created, changed, unchanged, refused = counts(self.row)
        done = self.row.state == ImportState.DONE and not refused
        return SimpleNamespace(
            state=RunState.DONE if done else RunState.FAILED,
            error=self.row.problems,
            counts={"deals": {"created": created, "changed": changed, "unchanged": unchanged}},
            pages=-(-self.row.rows_done // 10),
        )

    def problems(self, object: str | None = None) -> dict[str, list[str]]:
        """The shelf of the last import."""
        shelf = RejectedRow.objects.filter(file_import=self.row)
        return {str(row.line): [problem["message"] % problem["params"] for problem in row.problems] for row in shelf}


class TestFiles(Conformance):
    """Deals that a CRM exports as text."""

    vendor = "files"
    standin = Export
    object = "deals"
    #: The upload itself, which is audited.
    kept_by_previews = ("connectors_fileimport", "audit_audit")
    lacks: ClassVar[dict[str, str]] = {
        "deletes": "a row that is not in a file was not deleted: files may hold a part",
        "merges": "a file tells of no merges",
        "limit_403": "nobody limits uploads",
        "waiting": "nobody asks to wait",
        "tokens": "a file needs no token",
        "search": "a file is no search index",
        "cursors": "a file ends",
        "slow": "a file is whole before it is read",
        "paging": "a file does not change while it is read",
        "limits": "nobody limits uploads",
        "versions": "rows of a file have no version: the file brought last counts",
        "runs": "a person brings a file, or does not",
        "secrets": "a file needs no secret",
    }

    @pytest.fixture
    def other(self) -> StandIn:
        return self.standin()

    @pytest.fixture
    def link(self, other: StandIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Link:
        """A person of revops; ten rows to a batch."""
        real = reading.Reader.batches

        def batches(reader: Any, stream: Any, checkpoint: Any = None, size: int = 10) -> Any:
            return real(reader, stream, checkpoint, size)

        monkeypatch.setattr(reading.Reader, "batches", batches)
        assert isinstance(other, Export)
        other.clock.now = NOW
        return Uploads(cast.actor("rita"), other)

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put(
            "deals",
            None,
            **{
                "name": f"Deal {number}",
                "owner": "Ana Alvarez",
                "stage": "Won",
                "amount": amount,
                "closed on": "2026-05-04",
            },
        )

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("deals", id, amount=amount)

    def source(self, standin: StandIn) -> Table:
        return {row.id: (row["amount"] * 100, row["name"], row["owner"]) for row in standin.rows("deals")}

    def table(self, link: Link) -> Table:
        return {
            external: (amount, name, owner)
            for external, amount, name, owner in Deal.objects.filter(source="files").values_list(
                "external_id", "amount_minor", "name", "owner__name"
            )
        }

    def followed(self, link: Link) -> None:
        """The next file of this kind is read like this one."""
        assert link.last_run().error == []

    def tables_of_records(self) -> list[str]:
        """That a file was brought is audited; test_imports sees that no record's entry is written."""
        return [table for table in super().tables_of_records() if table != "audit_auditentry"]

    def test_the_same_twice_in_a_page(self, link: Link) -> None:
        """An export that was pasted together has rows twice."""
        assert isinstance(link, Uploads)
        self.loaded(link)
        rows = link.export.rows_of_file()
        twice = [rows[0], *rows[1:4], *rows[1:4], *rows[1:]]
        link.export.rows_of_file = lambda: twice  # type: ignore[method-assign]
        link.sync()
        assert link.last_run().counts["deals"] == {"created": 0, "changed": 0, "unchanged": 31}
        self.alike(link)

    @pytest.mark.parametrize(("kind", "detail"), [("half_body", {}), ("garbled", {})])
    def test_once_broken_passes(self, link: Link, kind: str, detail: dict[str, Any]) -> None:
        super().test_once_broken_passes(link, kind, detail)

    @pytest.mark.parametrize("kind", ["half_body", "garbled"])
    def test_broken_for_long_says_so_and_goes_on(self, link: Link, kind: str) -> None:
        """What cannot be read is said, and nothing that was there is lost."""
        ids = self.loaded(link)
        before = self.table(link)
        self.edit(link.standin, ids[2], 903)
        link.standin.faults.add(kind, times=None)
        assert link.sync().state == RunState.FAILED
        assert link.last_run().error or link.problems()
        assert set(self.table(link)) == set(before)
        link.standin.faults.clear()
        link.sync()
        self.alike(link)


class TestWorkbooks(TestFiles):
    """The same as a workbook."""

    standin = Workbook
