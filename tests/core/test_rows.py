"""Rows written in bulk are the rows that Django itself would have written, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.core.rows import as_json, insert_objects, insert_rows, update_objects
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, DealLine, Product, Stage, StageChange
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db

#: What text formats of databases write in ways of their own.
ODD = "tab\there, line\nbreak\r\n, back\\slash, \\N, \\., quote ' and \", comma, {brace}, Łódź 你好 🙂, \x7f"


@pytest.fixture
def stage(db: None) -> Stage:
    return Stage.objects.create(code="talk", name="Talk", kind=StageKind.OPEN)


def deal_of(stage: Stage, **values: Any) -> Deal:
    return Deal(**{"name": "Deal", "stage": stage, "created_at": NOW, "source": "crm", **values})


def held(row: Any) -> dict[str, Any]:
    """Every column of a row as the database holds it, but its key and the moment of saving."""
    fresh = type(row)._base_manager.get(pk=row.pk)
    return {
        column.attname: getattr(fresh, column.attname)
        for column in fresh._meta.concrete_fields
        if column.attname not in {"id", "updated_at"}
    }


def test_inserted_objects_are_what_django_would_have_written(stage: Stage, cast: Cast) -> None:
    far = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    values: list[dict[str, Any]] = [
        {},
        {"note": ODD, "name": ODD[:80], "external_id": "1"},
        {"note": "", "external_id": "2", "opened_on": date(1999, 12, 31), "stage_entered_at": far, "created_at": far},
        {"owner": cast.ana, "kind": StageKind.WON, "closed_on": date(2026, 1, 1), "amount_minor": -(2**63)},
        {
            "amount_minor": 2**63 - 1,
            "currency": "JPY",
            "term_months": 12,
            "expected_close_on": datetime(2026, 1, 2, 3, tzinfo=UTC),
        },
    ]
    ours, theirs = [deal_of(stage, **each) for each in values], [deal_of(stage, **each) for each in values]
    insert_objects(ours)
    mine = [held(row) for row in ours]
    Deal.objects.filter(pk__in=[row.pk for row in ours]).delete()
    Deal.objects.bulk_create(theirs)
    assert mine == [held(row) for row in theirs]
    assert mine[1]["note"] == ODD
    assert mine[2]["created_at"] == far.astimezone(UTC)


def test_inserted_objects_have_their_keys_and_are_saved_already(stage: Stage) -> None:
    rows = [deal_of(stage, name=f"Deal {number}") for number in range(3)]
    before = datetime.now(UTC)
    insert_objects(rows)
    assert [Deal.objects.get(pk=row.pk).name for row in rows] == ["Deal 0", "Deal 1", "Deal 2"]
    assert all(not row._state.adding and row.updated_at >= before for row in rows)
    rows[0].name = "Again"
    rows[0].save()
    assert Deal.objects.count() == 3
    insert_objects([])
    # The next row of the ordinary way does not meet a key that was given.
    deal_of(stage).save()
    assert Deal.objects.count() == 4


def test_exact_decimals_and_json_are_kept_exactly(stage: Stage) -> None:
    deal = deal_of(stage)
    deal.save()
    product = Product.objects.create(code="p", name="P", match_name="p")
    quantities = [Decimal("1E+3"), Decimal("0.10"), Decimal("123456789012345678901234567890.5")]
    lines = [
        DealLine(deal=deal, product=product, quantity=each, unit_price_minor=1, amount_minor=1) for each in quantities
    ]
    insert_objects(lines)
    assert [DealLine.objects.get(pk=line.pk).quantity for line in lines] == quantities
    after = {"text": ODD, "list": [1, None, True, "1"], "nested": {"ß": "\\"}}
    plain = {"actor_name": "", "action": "a", "subject_type": "", "subject_id": "", "subject_label": ODD[:200]}
    row = {"sequence": 1, "at": NOW, **plain, "before": as_json({}), "after": as_json(after), "reason": ODD}
    row |= {"request_id": "", "previous_hash": "0" * 64, "entry_hash": "1" * 64}
    insert_rows(AuditEntry, list(row), [list(row.values())])
    kept = AuditEntry.objects.get()
    assert (kept.after, kept.reason, kept.subject_label, kept.actor_id) == (after, ODD, ODD[:200], None)


def test_what_the_database_refuses_is_raised_and_nothing_of_it_stays(stage: Stage) -> None:
    insert_objects([deal_of(stage, external_id="1")])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_objects([deal_of(stage, external_id="2"), deal_of(stage, external_id="1")])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_objects([deal_of(stage, external_id="3", closed_on=date(2026, 1, 1))])
    if connection.vendor == "postgresql":
        with pytest.raises(DataError), transaction.atomic():
            insert_objects([deal_of(stage, name="x" * 201)])
    assert list(Deal.objects.values_list("external_id", flat=True)) == ["1"]


def test_updated_objects_are_written_in_one_statement_and_only_in_the_columns_named(stage: Stage, cast: Cast) -> None:
    rows = [deal_of(stage, name=f"Deal {number}", note="before") for number in range(3)]
    insert_objects(rows)
    for row in rows[:2]:
        row.name, row.note, row.owner, row.opened_on, row.next_step = ODD[:80], ODD, cast.ana, None, "not named"
        row.stage_entered_at = NOW
    rows[1].owner = None
    names = ["name", "note", "owner", "opened_on", "stage_entered_at"]
    with CaptureQueriesContext(connection) as queries:
        update_objects(rows[:2], names)
    assert len(queries) == 1
    assert [
        (row.name, row.note, row.owner_id, row.opened_on, row.stage_entered_at, row.next_step)
        for row in Deal.objects.order_by("pk")
    ] == [
        (ODD[:80], ODD, cast.ana.pk, None, NOW, ""),
        (ODD[:80], ODD, None, None, NOW, ""),
        ("Deal 2", "before", None, None, None, ""),
    ]
    update_objects([], names)


def test_rows_whose_keys_nobody_needs_get_theirs_from_the_database(stage: Stage) -> None:
    insert_objects([deal_of(stage, name="One"), deal_of(stage, name="Two")], need_keys=False)
    insert_objects([deal_of(stage, name="Three")])
    assert list(Deal.objects.order_by("pk").values_list("name", flat=True)) == ["One", "Two", "Three"]


def test_updating_keeps_the_rules_of_the_table(stage: Stage) -> None:
    row = deal_of(stage)
    insert_objects([row])
    row.closed_on = date(2026, 1, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        update_objects([row], ["closed_on"])
    if connection.vendor == "postgresql":
        row.name = "x" * 201
        with pytest.raises(DataError), transaction.atomic():
            update_objects([row], ["name"])
    assert Deal.objects.get().name == "Deal"
    assert Deal.objects.get().closed_on is None


def test_exact_decimals_are_updated_as_text(stage: Stage) -> None:
    deal = deal_of(stage)
    deal.save()
    product = Product.objects.create(code="p", name="P", match_name="p")
    line = DealLine(deal=deal, product=product, quantity=Decimal(1), unit_price_minor=1, amount_minor=1)
    insert_objects([line])
    line.quantity = Decimal("2.50")
    update_objects([line], ["quantity"])
    assert DealLine.objects.get().quantity == Decimal("2.5")


def test_rows_of_guarded_tables_stay_guarded(stage: Stage) -> None:
    deal = deal_of(stage)
    insert_objects([deal])
    change = StageChange(deal=deal, to_stage=stage, changed_at=NOW)
    insert_objects([change])
    change.amount_minor = 5
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        update_objects([change], ["amount_minor"])
