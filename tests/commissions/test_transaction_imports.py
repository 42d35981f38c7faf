"""Transactions from files: found again by their key, what is taken back before what takes it back, the rest on the shelf."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.commissions.models import Transaction
from salesops.commissions.services.recording import void_transaction
from salesops.commissions.services.transaction_imports import TransactionRecord, upsert_transactions
from salesops.connectors.choices import ImportState
from salesops.connectors.models import FileImport, RejectedRow, Source
from salesops.connectors.services import imports
from salesops.core.upserts import UpsertResult
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.commissions.pay import won
from tests.journeys.bringing import Importer, counts

FILE = """transaction id,type,date,amount,currency,qty,account,deal,credited to,refund of,term months
R1,Refund,2026-05-20,-40.00,USD,1,,,,I1,
I1,Invoice,2026-05-04,"1,200.50",USD,3,Amber,,,,12
I2,Invoice,2026-05-05,500,EUR,,,Lenses,,,
R2,Refund,2026-05-21,-10,USD,,,,,I9,
M1,Meeting,2026-05-06,0,USD,,,,Ana Alvarez,,
X1,Invoice,2026-05-07,a lot,USD,,Amber,,,,
X2,Gift,2026-05-07,1,USD,,Amber,,,,
X3,Invoice,2026-05-07,1,USD,,,,,,
X4,Booking,2026-05-07,1,USD,,,Lenses,,,
"""


@pytest.fixture
def rita(cast: Cast) -> Importer:
    """Revops, who imports."""
    return Importer(cast.actor("rita"), Source.objects.create(code="erp", name="Our ERP"))


@pytest.fixture
def amber(cast: Cast) -> Account:
    return Account.objects.create(name="Amber", match_name="amber", created_at=NOW)


@pytest.fixture
def lenses(cast: Cast, amber: Account) -> Deal:
    deal = won(cast, "ana", 1_000_00, name="Lenses")
    Deal.objects.filter(pk=deal.pk).update(account=amber)
    return deal


def stored() -> list[Any]:
    return list(Transaction.objects.order_by("pk").values())


def shelf(row: FileImport) -> dict[int, str]:
    """What is wrong with the shelved rows, by line."""
    found = RejectedRow.objects.filter(file_import=row, state="shelved")
    return {
        each.line: " ".join(str(problem["message"]) % problem["params"] for problem in each.problems) for each in found
    }


def test_a_file_becomes_transactions_and_the_rest_waits_with_its_reason(
    rita: Importer, cast: Cast, amber: Account, lenses: Deal
) -> None:
    row = rita.check(rita.answer(rita.upload("transactions.csv", FILE.encode(), "transactions")))
    assert row.preview["counts"] == {"created": 4, "refused": 5}
    assert stored() == []
    row = rita.run(row)
    assert (row.state, counts(row)) == (ImportState.DONE, (4, 0, 0, 5))
    found = {each.source_key: each for each in Transaction.objects.select_related("reverses")}
    assert sorted(found) == ["I1", "I2", "M1", "R1"]
    first, refund, second, meeting = found["I1"], found["R1"], found["I2"], found["M1"]
    assert (first.kind, first.effective_on, first.amount_minor, first.currency, first.quantity, first.account) == (
        "invoice",
        date(2026, 5, 4),
        1_200_50,
        "USD",
        3,
        amber,
    )
    assert (first.attributes, first.deal, first.credited_to, first.recorded_at) == (
        {"term_months": 12},
        None,
        None,
        NOW,
    )
    # The refund stood before what it takes back, and is whose that is.
    assert (refund.kind, refund.amount_minor, refund.reverses, refund.account) == ("refund", -40_00, first, amber)
    assert (second.deal, second.account, second.currency, second.quantity, second.attributes) == (
        lenses,
        amber,
        "EUR",
        1,
        {},
    )
    assert (meeting.kind, meeting.credited_to, meeting.amount_minor) == ("meeting", cast.ana, 0)
    assert shelf(row) == {
        5: "“I9”, which it takes back, is not there. Bring that in first, then try again.",
        7: "“a lot” is not a number.",
        8: "“Gift” is none of the choices (booking, renewal, expansion, contraction, cancellation, invoice, payment, "
        "refund, credit_note, usage, pipeline, meeting, objective, adjustment).",
        9: "Name a deal, an account or a person: nobody would be credited.",
        10: "A deal that is won makes its booking by itself. Change the deal, or leave it out here.",
    }
    assert AuditEntry.objects.filter(action="transaction.recorded", reason="erp").count() == 4


def test_the_same_file_again_changes_nothing_and_a_changed_row_is_mended(
    rita: Importer, amber: Account, lenses: Deal
) -> None:
    rita.bring("transactions.csv", FILE.encode(), "transactions")
    before, entries = stored(), AuditEntry.objects.filter(action__startswith="transaction.").count()
    again = rita.bring("again.csv", FILE.encode(), "transactions")
    assert counts(again) == (0, 0, 4, 5)
    assert stored() == before
    assert AuditEntry.objects.filter(action__startswith="transaction.").count() == entries
    changed = FILE.replace('"1,200.50"', "1300").replace("2026-05-06,0,USD,", "2026-05-08,0,USD,2")
    mended = rita.bring("mended.csv", changed.encode(), "transactions")
    assert counts(mended) == (0, 2, 2, 5)
    first, meeting = Transaction.objects.get(source_key="I1"), Transaction.objects.get(source_key="M1")
    assert (first.amount_minor, first.attributes, meeting.effective_on, meeting.quantity) == (
        1_300_00,
        {"term_months": 12},
        date(2026, 5, 8),
        2,
    )
    entry = AuditEntry.objects.get(action="transaction.changed", subject_id=str(first.pk))
    assert (entry.before, entry.after) == ({"amount_minor": 1_200_50}, {"amount_minor": 1_300_00})


def test_a_refund_leaves_the_shelf_when_its_original_is_there(rita: Importer, amber: Account) -> None:
    content = "id,kind,date,amount,currency,refund of\nR2,refund,2026-05-21,-10,USD,I9\n"
    row = rita.bring("refunds.csv", content.encode(), "transactions")
    assert (counts(row), list(shelf(row))) == ((0, 0, 0, 1), [2])
    original = "id,kind,date,amount,currency,account\nI9,invoice,2026-05-01,90,USD,Amber\n"
    rita.bring("originals.csv", original.encode(), "transactions")
    imports.retry_rows(actor=rita.actor, file_import=row, at=NOW)
    assert shelf(row) == {}
    assert Transaction.objects.get(source_key="R2").reverses == Transaction.objects.get(source_key="I9")


# --- The service --------------------------------------------------------------------------------------------------


def record(key: str, **more: Any) -> TransactionRecord:
    return TransactionRecord(
        source_key=key,
        **{"kind": "invoice", "effective_on": date(2026, 5, 4), "amount_minor": 10_00, "currency": "USD", **more},
    )


def brought(cast: Cast, *records: TransactionRecord, by: str = "rita", preview: bool = False) -> UpsertResult:
    return upsert_transactions(actor=cast.actor(by), records=records, source="erp", at=NOW, preview=preview)


def told(result: UpsertResult) -> list[str]:
    return [outcome.fate.value for outcome in result.outcomes]


@pytest.mark.parametrize("by", ["ana", "max", "elsa", "norm"])
def test_others_bring_nothing(cast: Cast, by: str) -> None:
    with pytest.raises(PermissionDenied):
        brought(cast, record("a", credited_to_id=cast.sam.pk), by=by)
    assert stored() == []


def test_nobody_brings_their_own_pay(cast: Cast) -> None:
    result = brought(cast, record("a", credited_to_id=cast.rita.pk), record("b", credited_to_id=cast.ana.pk))
    assert told(result) == ["refused", "created"]


def test_a_preview_says_the_same_and_writes_nothing(cast: Cast) -> None:
    ana = cast.ana.pk
    records = (
        record("r", amount_minor=-1, reverses="o"),
        record("o", credited_to_id=ana),
        record("o", credited_to_id=ana, amount_minor=11_00),
        record("p", reverses="q", amount_minor=-1),
        record("q", reverses="p", amount_minor=-1),
        record("s", reverses="s", amount_minor=-1, credited_to_id=ana),
    )
    expected = ["created", "created", "changed", "refused", "refused", "refused"]
    assert told(brought(cast, *records, preview=True)) == expected
    assert stored() == []
    assert told(brought(cast, *records)) == expected
    assert Transaction.objects.get(source_key="r").reverses == Transaction.objects.get(source_key="o")
    assert Transaction.objects.get(source_key="o").amount_minor == 11_00
    assert told(brought(cast, *records)) == ["unchanged", "changed", "changed", "refused", "refused", "refused"]


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"amount_minor": 1}, "amount_minor"),
        ({"currency": "EUR"}, "currency"),
        ({"effective_on": date(2026, 5, 3)}, "effective_on"),
        ({"reverses": "v"}, "reverses"),
        ({"reverses": "nowhere"}, "reverses"),
        ({"term_months": 0}, "term_months"),
        ({"amount_minor": None}, "amount_minor"),
        ({"kind": "gift"}, "kind"),
        ({"source_key": " "}, "source_key"),
        ({"source_key": "deal:1:booking"}, "source_key"),
    ],
)
def test_what_does_not_fit_is_refused_by_column(cast: Cast, fields: dict[str, Any], column: str) -> None:
    brought(cast, record("o", credited_to_id=cast.ana.pk), record("v", credited_to_id=cast.ana.pk))
    Transaction.objects.filter(source_key="v").update(is_void=True)
    before = stored()
    values = {"amount_minor": -1, "reverses": "o", **fields}
    result = brought(cast, record(str(values.pop("source_key", "r")), **values))
    assert (told(result), [problem.column for problem in result.problems]) == (["refused"], [column])
    assert stored() == before


def test_what_is_taken_back_is_not_moved_from_under_it(cast: Cast) -> None:
    ana = cast.ana.pk
    brought(cast, record("o", credited_to_id=ana), record("n", credited_to_id=ana))
    brought(cast, record("r", reverses="o", amount_minor=-1))
    before = stored()
    for wrong, column in [
        (record("o", currency="EUR"), "currency"),
        (record("o", effective_on=date(2026, 5, 5)), "effective_on"),
        (record("r", reverses="n", amount_minor=-1), "reverses"),
        (record("o", reverses="n", amount_minor=-1), "reverses"),
    ]:
        result = brought(cast, wrong)
        assert (told(result), {problem.column for problem in result.problems} >= {column}) == (["refused"], True)
    assert stored() == before


def test_what_was_voided_here_does_not_come_back_by_a_file(cast: Cast) -> None:
    brought(cast, record("o", credited_to_id=cast.ana.pk))
    void_transaction(
        actor=cast.actor("finn"), transaction_id=Transaction.objects.get().pk, reason="Never happened", at=NOW
    )
    before = stored()
    assert told(brought(cast, record("o", credited_to_id=cast.ana.pk))) == ["unchanged"]
    assert told(brought(cast, record("o", amount_minor=5))) == ["refused"]
    assert stored() == before


def test_what_a_record_leaves_out_is_left_alone(cast: Cast, amber: Account) -> None:
    brought(cast, record("o", account_id=amber.pk, quantity=3, term_months=12))
    assert told(brought(cast, TransactionRecord(source_key="o", amount_minor=5))) == ["changed"]
    row = Transaction.objects.get()
    assert (row.amount_minor, row.kind, row.quantity, row.account, row.attributes) == (
        5,
        "invoice",
        3,
        amber,
        {"term_months": 12},
    )
    brought(cast, TransactionRecord(source_key="o", term_months=None))
    assert Transaction.objects.get().attributes == {}


def test_a_batch_costs_no_query_for_each_record(cast: Cast, lenses: Deal) -> None:
    def cost(start: int, count: int) -> int:
        records = [record(f"n{number}", deal_id=lenses.pk) for number in range(start, start + count)]
        with CaptureQueriesContext(connection) as queries:
            assert set(told(brought(cast, *records))) == {"created"}
            brought(cast, *records)
        return len(queries)

    few = cost(0, 5)
    # Rows of a statement are bounded on SQLite: a few statements more, and none for each record.
    assert cost(1_000, 500) - few < 25


def test_a_record_without_a_key_is_told_what_it_lacks(cast: Cast) -> None:
    result = brought(cast, record(" ", credited_to_id=cast.ana.pk))
    assert [str(problem.message) for problem in result.problems] == [
        "A transaction needs the key it has in its source."
    ]
