"""An import does what its preview said: rows, shelf, names, the same file again, killed workers, who may import."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import openpyxl
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Max

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.connectors.choices import ImportState, RowState
from salesops.connectors.models import ConfirmedName, FileImport, RejectedRow, SavedMapping, Source
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.rules.mapping import FieldRule, Unknown
from salesops.connectors.selectors.imports import cell_texts
from salesops.connectors.services import imports, reading, uploads
from salesops.connectors.services.reading import mapping_of
from salesops.deals.models import Deal, Product, StageChange
from salesops.jobs.models import Job
from salesops.jobs.services import cancel
from salesops.jobs.testing import run_due, run_killed, run_killed_everywhere
from tests.cast import NOW, Cast
from tests.journeys.bringing import Importer, counts

DEALS = """id,name,owner,stage,amount,closed on
D1,First,Ana Alvarez,Won,"1,200.50",2026-05-04
D2,Second,Nobody Known,Won,100,2026-05-05
D3,Third,Alba Abe,Won,a lot,2026-05-06
D4,Fourth,Alba Abe,Won,400,never
D5,Fifth,Sam Sorensen,Lost,0,2026-05-08
"""


@pytest.fixture
def source(db: None) -> Source:
    """Where the files come from."""
    return Source.objects.create(code="crm", name="Our CRM")


@pytest.fixture
def rita(cast: Cast, source: Source) -> Importer:
    """Revops, who imports."""
    return Importer(cast.actor("rita"), source)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rows to a batch, so that a short file has several commits."""
    real = reading.Reader.batches

    def batches(self: Any, stream: Any, checkpoint: Any = None, size: int = 5) -> Any:
        return real(self, stream, checkpoint, size)

    monkeypatch.setattr(reading.Reader, "batches", batches)


def deals_file(count: int) -> bytes:
    """Deals of Ana's, every seventh with an amount that cannot be read."""
    lines = ["id,name,owner,stage,amount,closed on"]
    for number in range(1, count + 1):
        amount = "?" if number % 7 == 0 else f"{number}.25"
        lines.append(f"D{number},Deal {number},Ana Alvarez,Won,{amount},2026-05-{number % 28 + 1:02}")
    return "\n".join(lines).encode()


def stored() -> dict[str, Any]:
    """What the imports left behind, without keys and moments."""
    return {
        "deals": list(
            Deal.objects.order_by("external_id").values_list(
                "external_id", "name", "owner_id", "stage_id", "amount_minor", "currency", "closed_on", "version"
            )
        ),
        "changes": list(StageChange.objects.order_by("deal__external_id").values_list("deal__external_id", "to_stage")),
        "audit": sorted(
            AuditEntry.objects.filter(subject_type="deals.deal").values_list("action", "subject_label", "after"),
            key=str,
        ),
        "shelf": list(
            RejectedRow.objects.order_by("line").values_list("line", "cells", "problems", "state", "is_taken")
        ),
    }


def nothing_written(before: dict[str, Any]) -> bool:
    """Whether all is as it was."""
    return stored() == before


def test_bad_rows_lie_on_the_shelf_with_line_column_and_reason(rita: Importer) -> None:
    """The good rows come in, each bad one is kept with where and why."""
    row = rita.bring("deals.csv", DEALS.encode())
    assert (row.state, counts(row), row.rows_done) == (ImportState.DONE, (2, 0, 0, 3), 5)
    assert list(Deal.objects.order_by("external_id").values_list("external_id", "amount_minor")) == [
        ("D1", 120_050),
        ("D5", 0),
    ]
    shelf = {each.line: each for each in RejectedRow.objects.all()}
    assert {line: [problem["where"] for problem in each.problems] for line, each in shelf.items()} == {
        3: ["owner"],
        4: ["amount"],
        5: ["closed on"],
    }
    assert "Nobody Known" in str(shelf[3].problems[0]["params"])
    assert cell_texts(shelf[4]) == ["D3", "Third", "Alba Abe", "Won", "a lot", "2026-05-06"]


def test_a_preview_says_what_will_happen_and_writes_nothing(rita: Importer) -> None:
    """The counts of the preview are those of the import."""
    row = rita.check(rita.answer(rita.upload("deals.csv", DEALS.encode())))
    assert row.state == ImportState.READY
    assert row.preview["counts"] == {"created": 2, "refused": 3}
    assert not Deal.objects.exists()
    assert not RejectedRow.objects.exists()
    row = rita.run(row)
    assert counts(row) == (2, 0, 0, 3)


def test_a_shelved_row_is_mended_and_taken(rita: Importer) -> None:
    """What is still wrong stays with the new reason; what is right leaves the shelf and the counts follow."""
    row = rita.bring("deals.csv", DEALS.encode())
    shelved = RejectedRow.objects.get(line=4)
    cells = ["D3", "Third", "Alba Abe", "Won", "much", "2026-05-06"]
    fate = imports.mend_row(actor=rita.actor, row=shelved, cells=cells, at=NOW)
    shelved.refresh_from_db()
    assert (fate.fate, shelved.state, cell_texts(shelved)) == ("refused", RowState.SHELVED, cells)
    assert not Deal.objects.filter(external_id="D3").exists()

    fate = imports.mend_row(actor=rita.actor, row=shelved, cells=[*cells[:4], "300", cells[5]], at=NOW)
    shelved.refresh_from_db()
    row.refresh_from_db()
    assert (fate.fate, shelved.state, shelved.decided_by_id) == ("created", RowState.MENDED, rita.actor.user_id)
    assert Deal.objects.get(external_id="D3").amount_minor == 30_000
    assert counts(row) == (3, 0, 0, 2)
    with pytest.raises(ValidationError, match="not on the shelf"):
        imports.mend_row(actor=rita.actor, row=shelved, cells=cells, at=NOW)
    with pytest.raises(ValidationError, match="one cell for each column"):
        imports.mend_row(actor=rita.actor, row=RejectedRow.objects.get(line=5), cells=["D4"], at=NOW)
    assert list(
        AuditEntry.objects.filter(action="import.row_mended").order_by("pk").values_list("after__fate", flat=True)
    ) == [
        "refused",
        "created",
    ]


def test_a_row_set_aside_stays_readable_and_is_not_tried_again(rita: Importer) -> None:
    """Set aside once; a second time is refused."""
    row = rita.bring("deals.csv", DEALS.encode())
    shelved = RejectedRow.objects.get(line=3)
    imports.dismiss_row(actor=rita.actor, row=shelved, at=NOW)
    with pytest.raises(ValidationError, match="not on the shelf"):
        imports.dismiss_row(actor=rita.actor, row=shelved, at=NOW)
    assert imports.retry_rows(actor=rita.actor, file_import=row, at=NOW) == (0, 2)
    shelved.refresh_from_db()
    assert (shelved.state, cell_texts(shelved)[0]) == (RowState.DISMISSED, "D2")


def test_all_shelved_rows_are_tried_again_together(rita: Importer, django_assert_max_num_queries: Any) -> None:
    """After the reason is gone the shelf empties itself; a large shelf needs no more queries than a small one."""
    lines = [f"D{number},Deal {number},Ana Alvarez,Won,{number},2026-05-04,Anvil" for number in range(1, 41)]
    content = "\n".join(["id,name,owner,stage,amount,closed on,product", *lines]).encode()
    row = rita.bring("deals.csv", content)
    assert counts(row) == (0, 0, 0, 40)
    Product.objects.create(code="anvil", name="Anvil", match_name="anvil")
    with django_assert_max_num_queries(41):
        assert imports.retry_rows(actor=rita.actor, file_import=row, at=NOW) == (40, 0)
    row.refresh_from_db()
    assert counts(row) == (40, 0, 0, 0)
    assert set(RejectedRow.objects.values_list("state", flat=True)) == {RowState.MENDED}
    assert AuditEntry.objects.get(action="import.rows_retried").after["taken"] == 40


def test_a_large_shelf_is_tried_again_in_the_background(rita: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at every commit it takes each row once."""
    lines = [f"D{number},Deal {number},Ana Alvarez,Won,{number},2026-05-04,Anvil" for number in range(1, 13)]
    row = rita.bring("deals.csv", "\n".join(["id,name,owner,stage,amount,closed on,product", *lines]).encode())
    Product.objects.create(code="anvil", name="Anvil", match_name="anvil")
    monkeypatch.setattr(imports, "RETRIED_TOGETHER", 5)
    assert imports.retry_rows(actor=rita.actor, file_import=row, at=NOW) is None
    assert run_killed_everywhere(Job.objects.get(kind="connectors.retry")) >= 6
    row.refresh_from_db()
    assert counts(row) == (12, 0, 0, 0)
    assert Deal.objects.count() == StageChange.objects.count() == 12


def test_the_same_file_again_writes_nothing(rita: Importer) -> None:
    """Not a row, not a moment, not an audit entry of a deal."""
    rita.bring("deals.csv", DEALS.encode())
    before, touched = stored()["deals"], Deal.objects.aggregate(Max("updated_at"))
    entries = AuditEntry.objects.filter(subject_type="deals.deal").count()
    row = rita.bring("again.csv", DEALS.encode())
    assert counts(row) == (0, 0, 2, 3)
    assert stored()["deals"] == before
    assert Deal.objects.aggregate(Max("updated_at")) == touched
    assert AuditEntry.objects.filter(subject_type="deals.deal").count() == entries
    assert StageChange.objects.count() == 2


def test_a_changed_cell_changes_only_its_row(rita: Importer) -> None:
    """The preview shows before and after; the audit has it."""
    rita.bring("deals.csv", DEALS.encode())
    row = rita.check(rita.answer(rita.upload("newer.csv", DEALS.replace("1,200.50", "1,300").encode())))
    (sample,) = row.preview["samples"]["changed"]
    assert (sample["line"], sample["before"], sample["after"]) == (
        2,
        {"amount_minor": 120_050},
        {"amount_minor": 130_000},
    )
    assert counts(rita.run(row)) == (0, 1, 1, 3)
    entry = AuditEntry.objects.get(action="deal.edited")
    assert (entry.before, entry.after) == ({"amount_minor": 120_050}, {"amount_minor": 130_000})


def test_a_loose_name_is_proposed_confirmed_once_and_remembered(rita: Importer) -> None:
    """Nothing is matched loosely without a person; afterwards nobody is asked again."""
    Product.objects.create(code="gtx-pro", name="GTX Pro", match_name="gtx pro")
    content = b"id,name,stage,amount,closed on,product\nD1,First,Won,10,2026-05-04,GTXPro\n"
    row = rita.check(rita.answer(rita.upload("deals.csv", content)))
    (name,) = row.preview["names"]
    assert (name["text"], name["name"], name["count"]) == ("GTXPro", "GTX Pro", 1)
    assert counts(rita.run(row)) == (0, 0, 0, 1)
    uploads.confirm_name(
        actor=rita.actor,
        kind=LookupKind.PRODUCT,
        text="GTXPro",
        record_id=name["key"],
        record_name=name["name"],
        at=NOW,
    )
    assert imports.retry_rows(actor=rita.actor, file_import=row, at=NOW) == (1, 0)
    assert Deal.objects.get().product.name == "GTX Pro"
    again = rita.check(rita.answer(rita.upload("more.csv", content.replace(b"D1", b"D2"))))
    assert again.preview["names"] == []
    assert counts(rita.run(again)) == (1, 0, 0, 0)
    assert ConfirmedName.objects.count() == 1


def test_an_unknown_name_is_made_left_out_or_refused_as_chosen(rita: Importer) -> None:
    """Three ways for a name nobody knows."""
    content = (
        b"id,name,stage,amount,closed on,account\nD1,First,Won,10,2026-05-04,Acme\nD2,Second,Won,10,2026-05-04,Acme\n"
    )
    row = rita.upload("deals.csv", content)
    assert rita.check(rita.answer(row)).preview["counts"] == {"refused": 2}
    row = rita.match(row, unknown={"account": Unknown.EMPTY})
    assert rita.check(row).preview["counts"] == {"created": 2}
    row = rita.match(row, unknown={"account": Unknown.CREATE})
    assert rita.check(row).preview["counts"] == {"created": 2}
    assert not Account.objects.exists()
    assert counts(rita.run(row)) == (2, 0, 0, 0)
    assert Account.objects.get().name == "Acme"
    assert Deal.objects.filter(account__name="Acme").count() == 2


def test_another_kind_proposes_other_columns(rita: Importer) -> None:
    """A kind that nobody takes is refused and nothing changes."""
    row = rita.upload("list.csv", b"name,country\nAcme,Peru\n", "accounts")
    assert [rule.field for rule in mapping_of(row).rules] == ["name", "country"]
    row = uploads.choose_kind(actor=rita.actor, file_import=row, kind="leads")
    assert (row.kind, mapping_of(row).kind) == ("leads", "leads")
    with pytest.raises(ValidationError, match="kinds offered"):
        uploads.choose_kind(actor=rita.actor, file_import=row, kind="secrets")
    row.refresh_from_db()
    assert row.kind == "leads"


def test_a_saved_mapping_is_recognised_by_its_columns(rita: Importer) -> None:
    """Other order and case of the headers are the same file."""
    row = rita.upload("list.csv", b"Firm;Land\nAcme;Peru\n", "accounts")
    row = rita.match(row, FieldRule("name", column="Firm"), FieldRule("country", column="Land"))
    saved = uploads.save_mapping(actor=rita.actor, file_import=row, name=" Firms ", at=NOW)
    assert SavedMapping.objects.get().name == "Firms"
    again = rita.upload("other.csv", b"Firm;Land\nBolt;Chile\n")
    assert (again.saved_mapping_id, again.kind) == (saved.pk, "accounts")
    assert counts(rita.run(again)) == (1, 0, 0, 0)
    assert Account.objects.get().country == "Chile"
    with pytest.raises(ValidationError, match="name"):
        uploads.save_mapping(actor=rita.actor, file_import=row, name="  ", at=NOW)


def test_columns_that_are_not_in_the_file_and_open_questions_stop_the_import(rita: Importer) -> None:
    """Ambiguous days are asked about; nothing begins before the answer."""
    row = rita.upload("deals.csv", b"id,name,stage,amount,closed on\nD1,First,Won,10,03/04/2026\n")
    (question,) = uploads.open_questions(row)
    assert (question.setting, question.column) == ("date_format", "closed on")
    for act in (imports.preview, imports.start):
        with pytest.raises(ValidationError, match="open questions"):
            act(actor=rita.actor, file_import=row, at=NOW)
    with pytest.raises(ValidationError, match="answers offered"):
        uploads.answer_questions(actor=rita.actor, file_import=row, answers={"date_format:closed on": "by the moon"})
    with pytest.raises(ValidationError, match="no such column"):
        rita.match(row, FieldRule("name", column="not there"))
    assert not Job.objects.exists()
    day_first = next(option.value for option in question.options if option.value.startswith("d"))
    row = uploads.answer_questions(actor=rita.actor, file_import=row, answers={"date_format:closed on": day_first})
    rita.run(row)
    assert Deal.objects.get().closed_on == date(2026, 4, 3)


def test_pressed_twice_the_import_runs_once(rita: Importer) -> None:
    """One job; a finished import does not begin again."""
    row = rita.answer(rita.upload("deals.csv", DEALS.encode()))
    first = imports.start(actor=rita.actor, file_import=row, at=NOW)
    assert imports.start(actor=rita.actor, file_import=row, at=NOW) == first
    with pytest.raises(ValidationError, match="has begun"):
        uploads.choose_kind(actor=rita.actor, file_import=row, kind="leads")
    run_due(at=NOW)
    with pytest.raises(ValidationError, match="imported already"):
        imports.start(actor=rita.actor, file_import=row, at=NOW)
    assert Job.objects.count() == 1
    assert AuditEntry.objects.filter(action="import.started").count() == 1


def test_a_worker_killed_at_every_commit_loses_and_doubles_nothing(rita: Importer, small_batches: None) -> None:
    """Killed before and after each commit, the import ends as one that nobody disturbed."""
    content = deals_file(23)
    row = rita.answer(rita.upload("deals.csv", content))
    job = imports.start(actor=rita.actor, file_import=row, at=NOW)
    assert run_killed_everywhere(job) == 12
    row.refresh_from_db()
    assert (row.state, counts(row), row.rows_done) == (ImportState.DONE, (20, 0, 0, 3), 23)
    killed = stored()
    assert [each[0] for each in killed["shelf"]] == [8, 15, 22]
    assert len(killed["deals"]) == len(killed["changes"]) == len(killed["audit"]) == 20
    assert AuditEntry.objects.filter(action="import.finished").count() == 1


def test_a_cancelled_import_can_be_begun_again(rita: Importer, small_batches: None) -> None:
    """What came in stays; the rest follows; nothing is doubled."""
    row = rita.answer(rita.upload("deals.csv", deals_file(12)))
    job = imports.start(actor=rita.actor, file_import=row, at=NOW)
    cancel(job=job, actor=rita.actor, at=NOW)
    imports.settle_stopped()
    row.refresh_from_db()
    assert row.state == ImportState.CANCELLED
    assert counts(rita.run(row)) == (11, 0, 0, 1)
    assert Deal.objects.count() == StageChange.objects.count() == 11


def test_an_import_cancelled_half_way_says_so(rita: Importer, small_batches: None) -> None:
    """It does not call itself done, and continues from the start without doubling."""
    row = rita.answer(rita.upload("deals.csv", deals_file(12)))
    job = imports.start(actor=rita.actor, file_import=row, at=NOW)
    assert run_killed(job, commit=1, before=False)
    job.refresh_from_db()
    cancel(job=job, actor=rita.actor, at=NOW)
    assert run_killed(job, commit=9, before=False) is False
    imports.settle_stopped()
    row.refresh_from_db()
    assert (row.state, Deal.objects.count()) == (ImportState.CANCELLED, 5)
    row = rita.run(row)
    assert (row.state, counts(row)) == (ImportState.DONE, (6, 0, 5, 1))


def test_a_preview_of_other_columns_is_not_kept(rita: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found with the old columns does not stand beside the new ones."""
    monkeypatch.setattr(imports, "AT_ONCE_BYTES", 10)
    row = rita.answer(rita.upload("deals.csv", DEALS.encode()))
    seen = FileImport.objects.get(pk=row.pk)
    row = rita.match(row, without=("amount",))
    imports._keep_preview(seen, {"rows": 5, "counts": {"created": 5}, "samples": {}, "names": []})
    row.refresh_from_db()
    assert (row.state, row.preview.get("counts")) == (ImportState.MAPPING, None)
    assert rita.check(row).preview["counts"] == {"created": 3, "refused": 2}


def test_references_between_rows_of_one_file_are_filled_when_all_are_in(rita: Importer) -> None:
    """A parent that stands further down is found; one that is nowhere leaves its row on the shelf, taken in part."""
    content = b"name,subsidiary of\nLeaf,Root\nRoot,\nStray,Nowhere Ltd\n"
    row = rita.bring("accounts.csv", content, "accounts")
    assert counts(row) == (3, 0, 0, 0)
    assert Account.objects.get(name="Leaf").parent.name == "Root"
    (shelved,) = RejectedRow.objects.all()
    assert (shelved.line, shelved.is_taken, shelved.problems[0]["where"]) == (4, True, "subsidiary of")
    imports.mend_row(actor=rita.actor, row=shelved, cells=["Stray", "Root"], at=NOW)
    row.refresh_from_db()
    assert counts(row) == (3, 0, 0, 0), "the row was counted when it came in"
    assert Account.objects.get(name="Stray").parent.name == "Root"


def test_numbers_and_days_of_a_workbook_stay_what_they_are_on_the_shelf(rita: Importer) -> None:
    """Mending one cell leaves the day of another a day, not a text to be read anew."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["id", "name", "owner", "stage", "amount", "closed on"])
    sheet.append(["D1", "First", "Nobody Known", "Won", 12.5, date(2026, 4, 3)])
    out = io.BytesIO()
    book.save(out)
    row = rita.bring("deals.xlsx", out.getvalue(), "deals")
    (shelved,) = RejectedRow.objects.all()
    texts = cell_texts(shelved)
    assert texts[4] == "12.5"
    fate = imports.mend_row(actor=rita.actor, row=shelved, cells=[*texts[:2], "Ana Alvarez", *texts[3:]], at=NOW)
    assert not fate.problems
    assert (Deal.objects.get().amount_minor, Deal.objects.get().closed_on) == (1_250, date(2026, 4, 3))
    row.refresh_from_db()
    assert counts(row) == (1, 0, 0, 0)


@pytest.mark.parametrize("name", ["ana", "max", "finn", "elsa", "norm"])
def test_nobody_else_imports(cast: Cast, rita: Importer, name: str) -> None:
    """Every service refuses, and nothing changes."""
    row = rita.bring("deals.csv", DEALS.encode())
    shelved = RejectedRow.objects.get(line=4)
    before, jobs, entries = stored(), Job.objects.count(), AuditEntry.objects.count()
    actor = cast.actor(name)
    calls: list[Callable[[], Any]] = [
        lambda: uploads.upload(actor=actor, name="x.csv", chunks=[b"name\nA\n"], source=rita.source, at=NOW),
        lambda: uploads.choose_kind(actor=actor, file_import=row, kind="leads"),
        lambda: uploads.set_mapping(actor=actor, file_import=row, mapping=mapping_of(row)),
        lambda: uploads.save_mapping(actor=actor, file_import=row, name="Mine", at=NOW),
        lambda: uploads.confirm_name(
            actor=actor, kind=LookupKind.PRODUCT, text="a", record_id=0, record_name="", at=NOW
        ),
        lambda: imports.preview(actor=actor, file_import=row, at=NOW),
        lambda: imports.start(actor=actor, file_import=row, at=NOW),
        lambda: imports.mend_row(actor=actor, row=shelved, cells=["", "", "", "", "", ""], at=NOW),
        lambda: imports.retry_rows(actor=actor, file_import=row, at=NOW),
        lambda: imports.dismiss_row(actor=actor, row=shelved, at=NOW),
    ]
    for call in calls:
        with pytest.raises(PermissionDenied):
            call()
    assert nothing_written(before)
    assert (FileImport.objects.count(), Job.objects.count(), AuditEntry.objects.count()) == (1, jobs, entries)
