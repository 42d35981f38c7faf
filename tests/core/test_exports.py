"""Files of what a list shows: all rows, exact numbers, no text that a spreadsheet could run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from django.http import HttpResponseBase
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from salesops.audit.models import AuditEntry
from salesops.core import exports
from salesops.deals.models import Deal
from tests.cast import TODAY, Cast

Makes = Callable[..., list[Deal]]
Clients = Callable[[str], Client]
LIST = "/sample/deals/"

#: Starts that a spreadsheet may take for a formula, each with what follows.
DANGEROUS = [
    "=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "＝1+1", "＋1", "－1", "＠x", ";=1", '"=1', " =1",
    "  \t-1", "'=1", ",=1", "|=cmd", "−1",
]  # fmt: skip


def body(answer: HttpResponseBase) -> bytes:
    """All bytes of an answer."""
    return b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]


def rows_of_csv(answer: HttpResponseBase) -> list[list[str]]:
    """The rows of a CSV answer."""
    return list(csv.reader(io.StringIO(body(answer).decode("utf-8-sig"))))


def sheet_of(content: bytes) -> Any:
    """The one sheet of a workbook."""
    return openpyxl.load_workbook(io.BytesIO(content)).active


@pytest.mark.parametrize("text", DANGEROUS)
def test_dangerous_text_is_quoted(text: str) -> None:
    safe = exports.safe_text(text)
    assert safe.startswith("'")
    assert "\x00" not in safe


@given(st.text())
def test_no_text_starts_a_formula(text: str) -> None:
    safe = exports.safe_text(text)
    assert not safe.lstrip(" \"';,|").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) or safe.startswith("'")
    assert not safe.startswith(("\t", "\r", "\n", "\x00"))
    assert exports.safe_text("plain " + text).startswith("plain ")


@pytest.mark.parametrize("text", ["Acme", "10 % off", "a=b", "x@example.com", "2-1", "Ärzte e.V.", ""])
def test_harmless_text_stays(text: str) -> None:
    assert exports.safe_text(text) == text


def test_cells_of_csv_are_plain_and_exact() -> None:
    zone = ZoneInfo("America/New_York")
    assert [
        exports.csv_cell(cell, zone)
        for cell in (
            Decimal("-125.00"), Decimal("12345678901234567.89"), -3, None, True, date(2026, 6, 17),
            datetime(2026, 6, 17, 2, 30, tzinfo=UTC), "-1",
        )
    ] == ["-125.00", "12345678901234567.89", "-3", "", "true", "2026-06-17", "2026-06-16 22:30:00-04:00", "'-1"]  # fmt: skip


def test_cells_of_xlsx_are_numbers_and_text_never_formulas() -> None:
    file = io.BytesIO()
    rows: list[list[Any]] = [[text, Decimal("-125.00"), 7] for text in DANGEROUS]
    rows.append(["long", Decimal("12345678901234567.89"), 2**62])
    assert exports.write_xlsx(file, ["=Header", "Amount", "n"], rows, UTC) == len(rows)
    sheet = sheet_of(file.getvalue())
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    for cell in cells:
        if cell.data_type == "s" and cell.value not in {"Amount", "n", "long"}:
            assert cell.value.startswith("'") or cell.value[0].isdigit()
    assert [sheet.cell(2, 2).value, sheet.cell(2, 3).value] == [-125, 7]
    assert sheet.cell(len(rows) + 1, 2).value == "12345678901234567.89"
    assert sheet.cell(len(rows) + 1, 3).value == str(2**62)


@pytest.mark.django_db
@pytest.mark.urls("tests.core.pages")
class TestOfAList:
    """Exports of a list page."""

    def test_csv_holds_all_matching_rows_with_the_columns_and_order_shown(
        self, client_of: Clients, deals: Makes
    ) -> None:
        deals(60, amount_minor=150)
        deals(1, amount_minor=-12_500, currency="JPY", name="=cmd", expected_close_on=TODAY)
        client = client_of("ana")
        rows = rows_of_csv(
            client.post(
                f"{LIST}?sort=amount&cols=amount,expected_close_on&per=25&page=2", {"do": "export", "form": "csv"}
            )
        )
        assert rows[0] == ["Name", "Amount", "Amount (currency)", "Expected close"]
        assert rows[1] == ["'=cmd 00061", "-12500", "JPY", "2026-06-17"]
        assert rows[2] == ["Deal 00001", "1.50", "USD", ""]
        assert len(rows) == 62
        assert len(rows_of_csv(client.post(f"{LIST}?q=cmd", {"do": "export", "form": "csv"}))) == 2

    def test_nobody_exports_what_they_do_not_see(self, client_of: Clients, cast: Cast, deals: Makes) -> None:
        deals(2, owner=cast.alba, pod=cast.south)
        assert len(rows_of_csv(client_of("ana").post(LIST, {"do": "export", "form": "csv"}))) == 1
        assert len(rows_of_csv(client_of("alba").post(LIST, {"do": "export", "form": "csv"}))) == 3

    def test_a_filter_that_cannot_be_read_exports_nothing(self, client_of: Clients, deals: Makes) -> None:
        deals(2)
        assert len(rows_of_csv(client_of("ana").post(f"{LIST}?amount_min=lots", {"do": "export", "form": "csv"}))) == 1

    def test_xlsx_has_numbers(self, client_of: Clients, deals: Makes) -> None:
        deals(2, amount_minor=-12_550)
        answer = client_of("ana").post(f"{LIST}?cols=amount", {"do": "export", "form": "xlsx"})
        sheet = sheet_of(body(answer))
        assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
            ["Name", "Amount", "Amount (currency)"],
            ["Deal 00002", -125.5, "USD"],
            ["Deal 00001", -125.5, "USD"],
        ]
        assert answer.headers["Content-Disposition"] == 'attachment; filename="deals-2026-06-17.xlsx"'
        assert answer.headers["Cache-Control"] == "no-store"

    def test_too_many_rows_for_xlsx_are_refused_with_words(
        self, client_of: Clients, deals: Makes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exports, "XLSX_LIMIT", 2)
        deals(3)
        answer = client_of("ana").post(LIST, {"do": "export", "form": "xlsx"}, follow=True)
        assert "too many for XLSX" in answer.content.decode()
        assert not AuditEntry.objects.filter(action="export.downloaded").exists()

    def test_an_export_is_recorded_before_it_leaves(self, client_of: Clients, cast: Cast, deals: Makes) -> None:
        deals(3)
        client_of("ana").post(f"{LIST}?q=deal&sort=-amount", {"do": "export", "form": "csv"})
        entry = AuditEntry.objects.get(action="export.downloaded")
        assert entry.actor_id == cast.ana.pk
        assert entry.after == {
            "page": "sample:deal_list",
            "form": "csv",
            "count": 3,
            "query": "q=deal&sort=-amount",
            "columns": ["name", "account", "stage", "amount", "owner", "expected_close_on", "created_at"],
        }

    def test_what_cannot_be_recorded_is_not_given_out(
        self, client_of: Clients, deals: Makes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(**_given: Any) -> None:
            raise RuntimeError("the audit is closed")

        monkeypatch.setattr(exports.records, "record", broken)
        client = client_of("ana")
        client.raise_request_exception = False
        assert client.post(LIST, {"do": "export", "form": "csv"}).status_code == 500

    def test_an_export_is_no_get(self, client_of: Clients, deals: Makes) -> None:
        deals(1)
        answer = client_of("ana").get(f"{LIST}?do=export&form=csv")
        assert answer.headers["Content-Type"].startswith("text/html")
        assert not AuditEntry.objects.exists()
