"""The statement as a PDF: the same figures as on its page, whose it is to see, and what is left out of a long one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.commissions.models import Statement
from salesops.commissions.selectors.documents import statement_document, statement_pdf
from salesops.commissions.services.approvals import approve_statements
from salesops.commissions.services.disputes import decide_dispute, open_dispute
from salesops.core.documents import Table
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, definition, quota, statement_of, won
from tests.commissions.test_settled_periods import calculated, happened, in_force, locked, with_settlement
from tests.core.test_documents import MARKUP, needs_fonts, text_of

pytestmark = pytest.mark.django_db


def table_of(cast: Cast, person: str, title: str, statement: Statement | None = None) -> Table:
    """A table of a person's document, by its heading."""
    document = statement_document(cast.actor(person), statement or statement_of(cast, person))
    return next(each for each in document.tables if each.title == title)


def two_quarters(cast: Cast) -> Statement:
    """Ana sold 12,000 in two deals in the second quarter, with a quota of 10,000; a deal of the first is gone since."""
    in_force(
        cast, with_settlement(limits=[{"cap": "650.00"}]) | {"components": definition(FIVE_THEN_TEN)["components"]}
    )
    for label in ("2026Q1", "2026Q2"):
        quota(cast, "ana", label, 10_000_00)
    gone = won(cast, "ana", 1_000_00, date(2026, 2, 10), name="Gone")
    won(cast, "ana", 2_000_00, date(2026, 2, 11), name="Stays")
    locked(cast, 1)
    gone.kind = "lost"
    gone.save()
    first = won(cast, "ana", 8_000_00, date(2026, 4, 3), name="First")
    first.account = Account.objects.create(name=MARKUP, owner=cast.ana, created_at=NOW)
    first.save()
    won(cast, "ana", 4_000_00, date(2026, 5, 4), name="Second")
    happened("usage", "u-1", cast.ana, date(2026, 5, 1), 50_00)
    happened("usage", "u-2", cast.ana, date(2026, 5, 2), 70_00)
    calculated(cast)
    return statement_of(cast, "ana")


def test_every_part_of_the_statement_is_told_with_its_figures(cast: Cast) -> None:
    statement = two_quarters(cast)
    dispute = open_dispute(
        actor=cast.actor("ana"), statement=statement, line="", subject="One is missing", message="Mine.", at=NOW
    )
    decide_dispute(actor=cast.actor("max"), dispute=dispute, is_accepted=False, decision="It is Sam's.", at=NOW)
    document = statement_document(cast.actor("ana"), statement)
    assert document.lead == "Ana Alvarez · 2026Q2 (1 Apr 2026 – 30 Jun 2026)"
    assert document.stamp == "Draft, not approved: it may still change"
    assert document.facts == [
        ("Plan", "Field, version 1"),
        ("Paid out", "$600.00"),
        ("Earned", "$700.00"),
        ("Credited", "$12,120.00"),
        ("Quota", "$10,000.00"),
        ("Attainment", "120.00 %"),
    ]
    assert table_of(cast, "ana", "What was reached").rows == [
        ["Commission", "$12,000.00", "$10,000.00", "120.00 %", "—", "$700.00"]
    ]
    # 8,000 at 5 %; then 2,000 at 5 % and 2,000 at 10 %.
    assert table_of(cast, "ana", "Every line: Commission").rows == [
        ["3 Apr 2026", "First", MARKUP, "100 %", "$0.00 – $8,000.00", "5 %", "$400.00"],
        ["4 May 2026", "Second", "", "100 %", "$8,000.00 – $12,000.00", "5 %, 10 %", "$300.00"],
    ]
    assert table_of(cast, "ana", "From earned to paid").rows == [
        ["Earned", "The sum of every line", "$700.00"],
        ["Cap", "Cut by the cap of 650.00. First", "−$28.57"],
        ["Cap", "Cut by the cap of 650.00. Second", "−$21.43"],
        ["Adjustment", "2026Q1 was paid for a deal that no longer counts. Gone", "−$50.00"],
        ["Paid out", "All of it together", "$600.00"],
    ]
    assert table_of(cast, "ana", "Adjustments").rows == [
        ["Late change", "Deal no longer counts", "Gone · 2026Q1", "$50.00", "$0.00", "−$50.00"]
    ]
    assert table_of(cast, "ana", "Disputes").rows == [
        ["17 Jun 2026, 10:00", "One is missing", "Refused", "It is Sam's."]
    ]
    assert table_of(cast, "ana", "Credited, but not counted").rows == [
        ["Usage", "No component of the plan counts this kind of transaction.", "2", "$120.00"]
    ]
    assert table_of(cast, "ana", "Year to date 2026").rows == [
        ["2026Q1", "Field", "$3,000.00", "30.00 %", "$150.00", "$150.00", "Locked"],
        ["2026Q2", "Field", "$12,120.00", "120.00 %", "$700.00", "$600.00", "To be approved"],
        ["Together", "", "$15,120.00", "", "$850.00", "$750.00", ""],
    ]
    assert len(table_of(cast, "ana", "How it is counted").rows) == 13
    closing = dict(document.closing)
    assert (closing["As of"], closing["Digest"]) == ("17 Jun 2026, 10:00", statement.digest)
    assert approved_rows(cast) == [["Approved", "Finn Finance", "17 Jun 2026, 10:00", "Seen."]]


def approved_rows(cast: Cast) -> list[list[str]]:
    """What the document says of approval after Finn approved."""
    statement = statement_of(cast, "ana")
    approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW, note="Seen.")
    assert statement_document(cast.actor("ana"), statement_of(cast, "ana")).stamp == "Approved"
    return [list(row) for row in table_of(cast, "ana", "Approval").rows]


def test_names_are_text_in_the_file_and_the_same_statement_gives_the_same_bytes(cast: Cast) -> None:
    statement = two_quarters(cast)
    content = statement_pdf(cast.actor("ana"), statement, "en")
    text = "".join(text_of(content).split())  # narrow columns break lines anywhere
    assert "".join(MARKUP.split()) in text
    assert "root:x:0" not in text
    assert statement.digest in text
    assert "Draft,notapproved" in text
    assert content == statement_pdf(cast.actor("ana"), statement_of(cast, "ana"), "en")
    assert "Page1of2" in text


def test_whoever_sees_the_statement_downloads_it_and_that_is_recorded(
    cast: Cast, client_of: Callable[[str], Client]
) -> None:
    in_force(cast, definition(FLAT_8))
    won(cast, "ana", 1_000_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    address = reverse("commissions:statement_pdf", kwargs={"pk": statement.pk})
    for name in ("ana", "max", "finn"):
        page = client_of(name).get(reverse("commissions:statement_detail", kwargs={"pk": statement.pk}))
        assert f'href="{address}"' in page.content.decode()
        response = client_of(name).get(address)
        assert response["Content-Type"] == "application/pdf"
        assert response["Cache-Control"] == "no-store"
        assert response["Content-Disposition"] == 'attachment; filename="statement-ana-alvarez-2026q2.pdf"'
        assert response.content.startswith(b"%PDF-1.7")
        entry = AuditEntry.objects.filter(action="export.downloaded").latest("pk")
        assert (entry.actor_id, entry.subject_id) == (cast.people[name].pk, str(statement.pk))
        assert entry.after == {"file": "pdf", "bytes": len(response.content)}
    before = AuditEntry.objects.count()
    for name in ("alba", "mia", "rita", "elsa", "ada", "norm"):
        assert client_of(name).get(address).status_code == 404
    assert AuditEntry.objects.count() == before


@needs_fonts
def test_it_is_in_the_language_of_the_reader(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FLAT_8))
    calculated(cast)
    cast.ana.language = "zh-hans"
    cast.ana.save()
    address = reverse("commissions:statement_pdf", kwargs={"pk": statement_of(cast, "ana").pk})
    text = text_of(client_of("ana").get(address).content)
    assert "2026年4月1日–2026年6月30日" in text.replace(" ", "")


def test_where_the_fonts_are_missing_it_is_in_english_and_says_so(
    cast: Cast, settings: LazySettings, tmp_path: Path
) -> None:
    in_force(cast, definition(FLAT_8))
    calculated(cast)
    settings.FONTS_DIR = tmp_path
    said = "The fonts for Chinese are not installed where the portal runs: this file is in English instead."
    for language in ("zh-hans", "zh-hant"):
        text = text_of(statement_pdf(cast.actor("ana"), statement_of(cast, "ana"), language))
        assert said in text
        assert "Commission statement" in text
    assert said not in text_of(statement_pdf(cast.actor("ana"), statement_of(cast, "ana"), "en"))


def test_five_thousand_lines_are_cut_with_a_sentence_and_the_same_number_of_queries(
    cast: Cast, django_assert_num_queries: Callable[..., Any]
) -> None:
    in_force(cast, definition(FLAT_8))
    first = won(cast, "ana", 100_00, date(2026, 4, 1))
    calculated(cast)
    with CaptureQueriesContext(connection) as few:
        statement_pdf(cast.actor("ana"), statement_of(cast, "ana"), "en")
    fields = {"owner": cast.ana, "stage": first.stage, "kind": "won", "currency": "USD", "created_at": NOW}
    Deal.objects.bulk_create(
        Deal(name=f"Deal {number}", amount_minor=100_00, closed_on=date(2026, 5, 1), **fields) for number in range(4999)
    )
    calculated(cast)
    with django_assert_num_queries(len(few) + 1):  # one more to count the lines
        content = statement_pdf(cast.actor("ana"), statement_of(cast, "ana"), "en")
    text = text_of(content)
    assert (
        "The first 1,000 lines are printed. 4,000 further lines, which earned $32,000.00, are on the page of the "
        "statement: “Sort, search, export” writes all of them to a file." in text
    )
    assert "Earned $40,000.00" in text
    assert text.count("$100.00") >= 1
    assert text.count("8 %") == 1000
