"""Lines, shares and past stage changes brought in from outside; taken away again; the same again writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.core.upserts import Fate, UpsertResult
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.deals.services.part_upserts import (
    DealLineRecord,
    DealSplitRecord,
    StageChangeRecord,
    remove_deal_lines,
    remove_deal_splits,
    upsert_deal_lines,
    upsert_deal_splits,
    upsert_stage_changes,
)
from tests.cast import NOW, Cast

MakeDeal = Callable[..., Deal]
SYSTEM = system_actor("HubSpot")
OPTIONS: dict[str, Any] = {"actor": SYSTEM, "source": "hubspot", "at": NOW}
NEW, CHANGED, SAME, REFUSED = Fate.CREATED, Fate.CHANGED, Fate.UNCHANGED, Fate.REFUSED


def fates(result: UpsertResult) -> list[Fate]:
    return [outcome.fate for outcome in result.outcomes]


def messages(result: UpsertResult) -> list[str]:
    return [str(problem.message) for problem in result.problems]


def everything() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values()) for model in (Deal, DealLine, DealSplit, StageChange, AuditEntry)
    ]


# --- Lines --------------------------------------------------------------------------------------------------------


def lines(*records: DealLineRecord, **options: Any) -> UpsertResult:
    return upsert_deal_lines(records=records, **OPTIONS | options)


def test_lines_come_in_and_the_amount_follows_them(make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal(amount_minor=0)
    given = [
        DealLineRecord("1", deal.pk, gtx.pk, Decimal(3), 1_000, 1_000),
        DealLineRecord("2", deal.pk, gtx.pk, Decimal("1.5"), amount_minor=300, currency="USD", note=" as  agreed "),
    ]
    assert fates(lines(*given)) == [NEW, NEW]
    rows = DealLine.objects.values_list(
        "position", "quantity", "unit_price_minor", "discount_bp", "amount_minor", "note"
    )
    assert list(rows) == [(1, Decimal(3), 1_000, 1_000, 2_700, ""), (2, Decimal("1.5"), 200, 0, 300, "as agreed")]
    deal.refresh_from_db()
    assert (deal.amount_minor, deal.version) == (3_000, 2)
    entry = AuditEntry.objects.get(action="deal.lines_set")
    assert (entry.actor_name, entry.reason, entry.after["amount_minor"]) == ("HubSpot", "hubspot", 3_000)
    stood = everything()
    assert fates(lines(*given)) == [SAME, SAME]
    assert everything() == stood
    assert fates(lines(DealLineRecord("2", quantity=Decimal(2)))) == [CHANGED]
    deal.refresh_from_db()
    assert deal.amount_minor == 3_100


def test_an_amount_of_its_own_is_left_alone(make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal(amount_minor=777)
    lines(DealLineRecord("1", deal.pk, gtx.pk, Decimal(1), 1_000))
    deal.refresh_from_db()
    assert deal.amount_minor == 777


def test_a_line_that_is_gone_takes_its_money_along(make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal(amount_minor=0)
    lines(DealLineRecord("1", deal.pk, gtx.pk, Decimal(1), 500), DealLineRecord("2", deal.pk, gtx.pk, Decimal(1), 70))
    first, second = DealLine.objects.order_by("pk")
    options: dict[str, Any] = {"actor": SYSTEM, "because": "Deleted.", "at": NOW}
    assert fates(remove_deal_lines(pks=[first.pk], **options)) == [CHANGED]
    assert fates(remove_deal_lines(pks=[first.pk], **options)) == [SAME]
    deal.refresh_from_db()
    assert (list(DealLine.objects.all()), deal.amount_minor) == ([second], 70)


def test_lines_that_cannot_be_are_refused_with_words(make_deal: MakeDeal, gtx: Product, cast: Cast) -> None:
    deal = make_deal()
    stood = everything()
    result = lines(
        DealLineRecord("", deal.pk, gtx.pk, amount_minor=1),
        DealLineRecord("1", 10**9, gtx.pk, amount_minor=1),
        DealLineRecord("2", deal.pk, amount_minor=1),
        DealLineRecord("3", deal.pk, gtx.pk),
        DealLineRecord("4", deal.pk, gtx.pk, amount_minor=1, currency="EUR"),
        DealLineRecord("5", deal.pk, gtx.pk, amount_minor=1, discount_bp=10_001),
        DealLineRecord("6", pk=10**9),
    )
    assert fates(result) == [REFUSED] * 7
    assert messages(result) == [
        "A line needs the id it has in its source.",
        "A line needs a deal.",
        "A line needs a product.",
        "A line needs a price or an amount.",
        "The line is in EUR, its deal in USD.",
        "A discount lies between 0 and 10000 basis points, not 10001.",
        "What this refers to does not exist.",
    ]
    assert everything() == stood
    for upsert in (upsert_deal_lines, upsert_deal_splits, upsert_stage_changes):
        with pytest.raises(PermissionDenied):
            upsert(actor=cast.actor("ana"), records=[], source="x", at=NOW)


def test_many_cost_as_many_queries_as_few(
    make_deal: MakeDeal, gtx: Product, cast: Cast, stages: dict[str, Stage]
) -> None:
    counts = []
    for number in (1, 2, 12):
        deals = [make_deal(amount_minor=0) for _each in range(number)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            lines(*(DealLineRecord(f"{number}-{deal.pk}", deal.pk, gtx.pk, Decimal(1), 5) for deal in deals))
            splits(*(DealSplitRecord(f"{number}-{deal.pk}", deal.pk, cast.ana.pk, 10_000) for deal in deals))
            changes(
                *(
                    StageChangeRecord(f"{number}-{deal.pk}", deal.pk, stages["lost"].pk, changed_at=NOW)
                    for deal in deals
                )
            )
        counts.append(len(queries))
    assert counts[-2] == counts[-1]


# --- Shares -------------------------------------------------------------------------------------------------------


def splits(*records: DealSplitRecord, **options: Any) -> UpsertResult:
    return upsert_deal_splits(records=records, **OPTIONS | options)


def shares() -> list[tuple[str, int, str]]:
    rows = DealSplit.objects.order_by("person__name")
    return [(row.person.name.split()[0], row.share_bp, row.external_id) for row in rows]


def test_shares_are_applied_when_they_are_a_whole(make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    DealSplit.objects.create(deal=deal, person=cast.carl, share_bp=10_000)
    stood = everything()
    half = DealSplitRecord("a", deal.pk, cast.ana.pk, 5_000)
    result = splits(half)
    assert (fates(result), messages(result)) == ([REFUSED], ["The shares add up to 50 %, not to 100 %."])
    assert everything() == stood
    whole = (half, DealSplitRecord("b", deal.pk, cast.alba.pk, 5_000))
    assert fates(splits(*whole, preview=True)) == [NEW, NEW]
    assert everything() == stood
    assert fates(splits(*whole)) == [NEW, NEW]
    assert shares() == [("Alba", 5_000, "b"), ("Ana", 5_000, "a")]
    entry = AuditEntry.objects.get(action="deal.splits_set")
    assert (entry.before["splits"], entry.reason) == (
        [{"person": cast.carl.pk, "function": "ae", "share_bp": 10_000}],
        "hubspot",
    )
    stood = everything()
    assert fates(splits(*whole)) == [SAME, SAME]
    assert everything() == stood


def test_shares_of_one_source_may_come_one_after_the_other_and_change_places(make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    splits(DealSplitRecord("a", deal.pk, cast.ana.pk, 7_000), DealSplitRecord("b", deal.pk, cast.alba.pk, 3_000))
    keys = set(DealSplit.objects.values_list("pk", flat=True))
    assert fates(splits(DealSplitRecord("a", person_id=cast.alba.pk), DealSplitRecord("b", person_id=cast.ana.pk))) == [
        CHANGED,
        CHANGED,
    ]
    assert shares() == [("Alba", 7_000, "a"), ("Ana", 3_000, "b")]
    assert set(DealSplit.objects.values_list("pk", flat=True)) == keys
    assert fates(splits(DealSplitRecord("b", share_bp=4_000))) == [REFUSED]
    # One that is the whole by itself is all there is.
    assert fates(splits(DealSplitRecord("b", share_bp=10_000))) == [CHANGED]
    assert shares() == [("Ana", 10_000, "b")]


def test_a_share_on_top_takes_from_nobody(make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    splits(DealSplitRecord("a", deal.pk, cast.ana.pk, 10_000))
    assert fates(splits(DealSplitRecord("top", deal.pk, cast.sam.pk, 2_500, is_overlay=True))) == [NEW]
    assert shares() == [("Ana", 10_000, "a"), ("Sam", 2_500, "top")]


def test_a_share_is_taken_away_only_where_a_whole_remains(make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    splits(
        DealSplitRecord("a", deal.pk, cast.ana.pk, 6_000),
        DealSplitRecord("b", deal.pk, cast.alba.pk, 4_000),
        DealSplitRecord("top", deal.pk, cast.sam.pk, 2_500, is_overlay=True),
    )
    keys = {row.external_id: row.pk for row in DealSplit.objects.all()}
    options: dict[str, Any] = {"actor": SYSTEM, "because": "Deleted.", "at": NOW}
    result = remove_deal_splits(pks=[keys["a"]], **options)
    assert (fates(result), messages(result)) == ([REFUSED], ["The shares that remain add up to 40 %, not to 100 %."])
    assert fates(remove_deal_splits(pks=[keys["top"], 10**9], **options)) == [CHANGED, SAME]
    assert shares() == [("Alba", 4_000, "b"), ("Ana", 6_000, "a")]
    assert fates(remove_deal_splits(pks=[keys["a"], keys["b"]], **options)) == [CHANGED, CHANGED]
    assert shares() == []


# --- Changes of stage ---------------------------------------------------------------------------------------------


def changes(*records: StageChangeRecord, **options: Any) -> UpsertResult:
    return upsert_stage_changes(records=records, **OPTIONS | options)


def test_a_past_change_of_stage_is_kept_once(make_deal: MakeDeal, stages: dict[str, Stage], cast: Cast) -> None:
    deal = make_deal(stage="proposal")
    given = [
        StageChangeRecord("2", deal.pk, stages["proposal"].pk, changed_at=NOW - timedelta(days=3), amount_minor=9, currency="EUR"),
        StageChangeRecord("1", deal.pk, stages["engaging"].pk, changed_at=NOW - timedelta(days=10), changed_by_id=cast.ana.pk),
        StageChangeRecord("1", deal.pk, stages["lost"].pk, changed_at=NOW - timedelta(days=9)),
    ]  # fmt: skip
    assert sorted(fates(changes(*given))) == sorted([NEW, NEW, SAME])
    rows = StageChange.objects.order_by("changed_at").values_list(
        "external_id",
        "from_stage__code",
        "to_stage__code",
        "seconds_in_stage",
        "amount_minor",
        "currency",
        "changed_by",
    )
    assert list(rows) == [
        ("1", None, "engaging", None, 100_000, "USD", cast.ana.pk),
        ("2", "engaging", "proposal", 7 * 86_400, 9, "EUR", None),
    ]
    deal.refresh_from_db()
    assert deal.stage_entered_at == NOW - timedelta(days=3)
    stood = everything()
    assert fates(changes(*given)) == [SAME, SAME, SAME]
    assert everything() == stood


def test_what_the_portal_saw_itself_is_not_told_twice(make_deal: MakeDeal, stages: dict[str, Stage]) -> None:
    deal = make_deal(stage="proposal")
    seen = StageChange.objects.create(deal=deal, to_stage=stages["proposal"], changed_at=NOW)
    told = StageChangeRecord("1", deal.pk, stages["proposal"].pk, changed_at=NOW - timedelta(hours=5))
    result = changes(told)
    assert (fates(result), result.pks) == ([SAME], {0: seen.pk})
    assert StageChange.objects.get() == seen


def test_changes_that_cannot_be_are_refused(make_deal: MakeDeal, stages: dict[str, Stage]) -> None:
    deal, stage = make_deal(), stages["lost"].pk
    result = changes(
        StageChangeRecord("", deal.pk, stage, changed_at=NOW),
        StageChangeRecord("1", 10**9, stage, changed_at=NOW),
        StageChangeRecord("2", deal.pk, 10**9, changed_at=NOW),
        StageChangeRecord("3", deal.pk, stage),
        StageChangeRecord("4", deal.pk, stage, changed_at=NOW + timedelta(hours=1)),
    )
    assert fates(result) == [REFUSED] * 5
    assert messages(result) == [
        "A change of stage needs the id it has in its source.",
        "A change of stage needs a deal.",
        "There is no such stage.",
        "A change of stage needs its moment.",
        "This has not happened yet.",
    ]
