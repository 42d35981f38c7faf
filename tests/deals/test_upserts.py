"""Deals and products brought in from outside: compared field by field, written once, refused with reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.core.upserts import Fate, UpsertResult
from salesops.deals.models import Deal, Product, Stage, StageChange
from salesops.deals.services import DealRecord, ProductRecord, upsert_deals, upsert_products
from salesops.pods.models import PodMembership
from tests.cast import NOW, Cast

LATER = NOW + timedelta(days=1)
MakeDeal = Callable[..., Deal]


def counts(result: UpsertResult) -> tuple[int, int, int, int]:
    return result.created, result.changed, result.unchanged, result.refused


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Deal, Product, StageChange, AuditEntry)]


@pytest.fixture
def bring(cast: Cast, stages: dict[str, Stage]) -> Callable[..., UpsertResult]:
    """Bring deals in as Rita, from the source "crm"."""

    def run(*records: DealRecord, at: datetime = NOW, **options: Any) -> UpsertResult:
        return upsert_deals(actor=cast.actor("rita"), records=records, source="crm", at=at, **options)

    return run


def won_record(stages: dict[str, Stage], **fields: Any) -> DealRecord:
    values: dict[str, Any] = {
        "external_id": "1C1I7A6R",
        "name": "GTX Plus Basic for Cancity",
        "stage_id": stages["won"].pk,
        "amount_minor": 105_400,
        "currency": "USD",
        "opened_on": date(2016, 10, 20),
        "closed_on": date(2017, 3, 1),
        **fields,
    }
    return DealRecord(**values)


def test_a_deal_comes_in_with_its_days(bring: Any, cast: Cast, stages: dict[str, Stage], gekko: Account) -> None:
    result = bring(won_record(stages, account_id=gekko.pk, owner_id=cast.alba.pk))
    assert counts(result) == (1, 0, 0, 0)
    deal = Deal.objects.get()
    assert result.pks == {0: deal.pk}
    assert (deal.source, deal.external_id, deal.kind, deal.amount_minor) == ("crm", "1C1I7A6R", "won", 105_400)
    assert (deal.opened_on, deal.closed_on, deal.account, deal.owner) == (
        date(2016, 10, 20),
        date(2017, 3, 1),
        gekko,
        cast.alba,
    )
    assert deal.pod == cast.south  # where the owner works
    assert deal.created_at == datetime(2016, 10, 20, tzinfo=UTC)
    assert deal.stage_entered_at == datetime(2017, 3, 1, tzinfo=UTC)
    step = StageChange.objects.get()
    assert (step.from_stage, step.to_stage.code, step.changed_at, step.seconds_in_stage, step.changed_by) == (
        None,
        "won",
        datetime(2017, 3, 1, tzinfo=UTC),
        None,
        cast.rita,
    )
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason, entry.subject_id) == ("deal.created", "crm", str(deal.pk))
    assert entry.after["amount_minor"] == 105_400


def test_the_same_records_again_write_nothing(bring: Any, stages: dict[str, Stage], cast: Cast) -> None:
    records = [
        won_record(stages, owner_id=cast.ana.pk),
        DealRecord("2", name="Open", stage_id=stages["engaging"].pk, closed_on=None),
        DealRecord("3", name="Expected", stage_id=stages["engaging"].pk, closed_on=date(2026, 9, 1)),
    ]
    assert counts(bring(*records)) == (3, 0, 0, 0)
    before = everything()
    assert counts(bring(*records, at=LATER)) == (0, 0, 3, 0)
    assert everything() == before


def test_a_change_is_written_field_by_field(bring: Any, stages: dict[str, Stage]) -> None:
    bring(won_record(stages))
    deal = Deal.objects.get()
    Deal.objects.update(next_step="Ask for a reference")
    result = bring(DealRecord("1C1I7A6R", amount_minor=99), at=LATER)
    assert counts(result) == (0, 1, 0, 0)
    assert (result.outcomes[0].before, result.outcomes[0].after) == ({"amount_minor": 105_400}, {"amount_minor": 99})
    deal.refresh_from_db()
    assert (deal.amount_minor, deal.next_step, deal.version, deal.closed_on) == (
        99,
        "Ask for a reference",
        2,
        date(2017, 3, 1),
    )
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.action, entry.before, entry.after) == (
        "deal.edited",
        {"amount_minor": 105_400},
        {"amount_minor": 99},
    )
    assert StageChange.objects.count() == 1


def test_a_change_of_stage_leaves_its_row(bring: Any, stages: dict[str, Stage]) -> None:
    bring(DealRecord("7", name="Deal", stage_id=stages["engaging"].pk, opened_on=date(2026, 6, 1)))
    result = bring(DealRecord("7", stage_id=stages["won"].pk, closed_on=date(2026, 6, 16)), at=LATER)
    assert counts(result) == (0, 1, 0, 0)
    assert result.outcomes[0].after == {"stage_id": stages["won"].pk, "closed_on": date(2026, 6, 16)}
    deal = Deal.objects.get()
    assert (deal.kind, deal.stage_entered_at) == ("won", datetime(2026, 6, 16, tzinfo=UTC))
    step = StageChange.objects.first()
    assert step is not None
    assert (step.from_stage_id, step.to_stage_id, step.seconds_in_stage) == (
        stages["engaging"].pk,
        stages["won"].pk,
        15 * 86_400,
    )
    bring(DealRecord("7", stage_id=stages["proposal"].pk), at=LATER)
    deal.refresh_from_db()
    assert (deal.kind, deal.closed_on, deal.stage_entered_at, StageChange.objects.count()) == ("open", None, LATER, 3)


def test_a_source_may_turn_a_won_deal_into_a_lost_one(bring: Any, stages: dict[str, Stage]) -> None:
    bring(won_record(stages))
    bring(won_record(stages, stage_id=stages["lost"].pk, lost_because="refunded"), at=LATER)
    deal = Deal.objects.get()
    assert (deal.kind, deal.lost_because, deal.closed_on) == ("lost", "refunded", date(2017, 3, 1))


def test_a_new_owner_brings_their_pod_unless_the_record_names_one(bring: Any, cast: Cast) -> None:
    bring(DealRecord("1", name="Deal", owner_id=cast.ana.pk))
    bring(DealRecord("1", owner_id=cast.alba.pk), at=LATER)
    assert Deal.objects.get().pod == cast.south
    bring(DealRecord("1", owner_id=cast.ana.pk, pod_id=cast.south.pk), at=LATER)
    assert Deal.objects.get().pod == cast.south


def test_the_pod_is_the_one_in_which_the_owner_worked_then(bring: Any, cast: Cast, stages: dict[str, Stage]) -> None:
    cast.ana.pod_memberships.update(end_on=date(2026, 3, 1))
    PodMembership.objects.create(pod=cast.south, person=cast.ana, function="ae", start_on=date(2026, 3, 1))
    bring(
        won_record(stages, external_id="then", owner_id=cast.ana.pk, closed_on=date(2026, 2, 28)),
        won_record(stages, external_id="now", owner_id=cast.ana.pk, closed_on=date(2026, 3, 1)),
        won_record(stages, external_id="before", owner_id=cast.ana.pk, closed_on=date(2017, 3, 1)),
    )
    pods = dict(Deal.objects.values_list("external_id", "pod__name"))
    assert pods == {"then": "North", "now": "South", "before": "South"}


def test_a_day_of_closing_on_an_open_deal_is_the_expected_one(bring: Any, stages: dict[str, Stage]) -> None:
    result = bring(DealRecord("1", name="Deal", stage_id=stages["engaging"].pk, closed_on=date(2026, 9, 30)))
    deal = Deal.objects.get()
    assert (deal.closed_on, deal.expected_close_on) == (None, date(2026, 9, 30))
    assert "expected" in str(result.outcomes[0].note)


def test_one_bad_record_stops_no_other(bring: Any, stages: dict[str, Stage], cast: Cast) -> None:
    good = won_record(stages)
    result = bring(
        replace(good, external_id=" "),
        replace(good, external_id="2", closed_on=None),
        replace(good, external_id="3", stage_id=999_999),
        replace(good, external_id="4", currency="dollar"),
        replace(good, external_id="5", owner_id=999_999),
        replace(good, external_id="6", name="x" * 201),
        DealRecord("7", amount_minor=5),
        DealRecord(
            "8",
            name="Open",
            stage_id=stages["engaging"].pk,
            closed_on=date(2026, 1, 1),
            expected_close_on=date(2026, 2, 1),
        ),
        good,
    )
    assert counts(result) == (1, 0, 0, 8)
    assert [(problem.position, problem.column) for problem in result.problems] == [
        (0, "external_id"),
        (1, "closed_on"),
        (2, "stage"),
        (3, "currency"),
        (4, "owner"),
        (5, "name"),
        (6, "name"),
        (7, "closed_on"),
    ]
    assert Deal.objects.get().external_id == "1C1I7A6R"
    assert (StageChange.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_a_preview_says_the_same_and_writes_nothing(bring: Any, stages: dict[str, Stage]) -> None:
    bring(won_record(stages), DealRecord("2", name="Same"))
    before = everything()
    records = [
        won_record(stages, amount_minor=1),
        DealRecord("2", name="Same"),
        DealRecord("3", name="New"),
        DealRecord("", name="No id"),
    ]
    planned = bring(*records, preview=True)
    assert everything() == before
    done = bring(*records)
    assert counts(planned) == counts(done) == (1, 1, 1, 1)
    assert [(o.fate, o.before, o.after) for o in planned.outcomes] == [
        (o.fate, o.before, o.after) for o in done.outcomes
    ]


def test_the_later_of_two_records_of_one_deal_wins(bring: Any, stages: dict[str, Stage]) -> None:
    result = bring(DealRecord("1", name="First"), DealRecord("1", name="Second", stage_id=stages["engaging"].pk))
    assert [outcome.fate for outcome in result.outcomes] == [Fate.CREATED, Fate.CHANGED]
    deal = Deal.objects.get()
    assert (deal.name, deal.stage.code, deal.version) == ("Second", "engaging", 2)
    assert [step.to_stage.code for step in StageChange.objects.order_by("pk")] == ["prospecting", "engaging"]


def test_two_sources_may_use_the_same_id(cast: Cast, stages: dict[str, Stage]) -> None:
    for source in ("crm", "billing"):
        upsert_deals(actor=cast.actor("rita"), records=[DealRecord("1", name=source)], source=source, at=NOW)
    assert sorted(Deal.objects.values_list("source", "name")) == [("billing", "billing"), ("crm", "crm")]


@pytest.mark.parametrize("name", ["ana", "max", "finn", "elsa", "norm"])
def test_only_who_may_change_all_deals_brings_them_in(name: str, cast: Cast, stages: dict[str, Stage]) -> None:
    with pytest.raises(PermissionDenied):
        upsert_deals(actor=cast.actor(name), records=[DealRecord("1", name="Deal")], source="crm", at=NOW)
    with pytest.raises(PermissionDenied):
        upsert_products(actor=cast.actor(name), records=[ProductRecord("GTX Pro")], source="crm", at=NOW)
    assert (Deal.objects.count(), Product.objects.count()) == (0, 0)


def test_statements_do_not_grow_with_the_records(bring: Any, stages: dict[str, Stage], cast: Cast) -> None:
    """Reading a batch costs the same for 2 and for 200 records; unchanged ones cost no writing at all."""

    def cost(number: int) -> int:
        records = [won_record(stages, external_id=f"{number}-{n}", owner_id=cast.ana.pk) for n in range(number)]
        bring(*records)
        with CaptureQueriesContext(connection) as queries:
            assert bring(*records).unchanged == number
        kinds = {query["sql"].split()[0] for query in queries.captured_queries}
        assert kinds <= {"SELECT", "SAVEPOINT", "RELEASE"}
        return len(queries)

    assert cost(2) == cost(200)


def test_products_are_found_by_name_in_any_spelling(cast: Cast, db: None) -> None:
    def bring_products(*records: ProductRecord) -> UpsertResult:
        return upsert_products(actor=cast.actor("rita"), records=records, source="crm", at=NOW)

    first = bring_products(
        ProductRecord("GTX Pro", series="GTX", price_minor=482_100), ProductRecord("MG Special", code="MGS")
    )
    assert counts(first) == (2, 0, 0, 0)
    pro = Product.objects.get(code="gtx-pro")
    assert (pro.name, pro.match_name, pro.series, pro.price_minor, pro.currency) == (
        "GTX Pro",
        "gtx pro",
        "GTX",
        482_100,
        "USD",
    )
    again = bring_products(ProductRecord("gtx  PRO", price_minor=500_000), ProductRecord("MG Special", code="MGS"))
    assert counts(again) == (0, 1, 1, 0)
    pro.refresh_from_db()
    assert (pro.name, pro.price_minor, Product.objects.count()) == ("gtx  PRO", 500_000, 2)
    assert list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True)) == [
        "product.created",
        "product.created",
        "product.edited",
    ]
    assert counts(bring_products(ProductRecord("  "))) == (0, 0, 0, 1)


def test_a_code_that_another_product_has_is_not_taken_over(cast: Cast, db: None) -> None:
    Product.objects.create(code="gtx-pro", name="GTX Professional", match_name="gtx professional")
    result = upsert_products(actor=cast.actor("rita"), records=[ProductRecord("GTX Pro")], source="crm", at=NOW)
    assert [(problem.position, problem.column) for problem in result.problems] == [(0, "code")]
    assert Product.objects.get().name == "GTX Professional"
