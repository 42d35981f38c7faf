"""What actors see of deals: rows within their sight, sums over all of them, one currency at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.deals.models import Deal, Stage
from salesops.deals.rules.forecast import Figures
from salesops.deals.selectors import (
    Total,
    board_for,
    column_for,
    deal_for,
    deals_for,
    forecast_for,
    neighbours_place,
    owners_for,
    pods_to_choose_for,
    totals_of,
)
from salesops.deals.services import move_deal
from salesops.values.periods import parse_label
from tests.cast import NOW, TODAY, Cast

MakeDeal = Callable[..., Deal]
QUARTER = parse_label("2026Q2")


@pytest.fixture
def both(make_deal: MakeDeal, cast: Cast) -> tuple[Deal, Deal]:
    """A deal of pod North and one of pod South."""
    return make_deal(name="North"), make_deal(name="South", owner=cast.alba, pod=cast.south)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("ana", {"North"}),
        ("sam", {"North"}),
        ("max", {"North"}),
        ("alba", {"South"}),
        ("mia", {"South"}),
        ("rita", {"North", "South"}),
        ("finn", {"North", "South"}),
        ("ada", {"North", "South"}),
        ("elsa", set()),
        ("norm", set()),
    ],
)
def test_each_sees_their_own_window(name: str, seen: set[str], cast: Cast, both: tuple[Deal, Deal]) -> None:
    actor = cast.actor(name)
    assert {deal.name for deal in deals_for(actor)} == seen
    for deal in both:
        if deal.name in seen:
            assert deal_for(actor, deal.pk) == deal
        else:
            with pytest.raises(Http404):
                deal_for(actor, deal.pk)


def test_people_choose_among_those_they_may_give_to(cast: Cast) -> None:
    def names(who: str) -> set[str]:
        return set(owners_for(cast.actor(who), at=NOW).values_list("name", flat=True))

    assert names("ana") == {"Ana Alvarez", "Sam Sorensen", "Carl Chen"}
    assert names("max") == {"Max Manager", "Ana Alvarez", "Sam Sorensen", "Carl Chen"}
    assert len(names("rita")) == 14
    assert names("elsa") == names("norm") == set()
    assert [pod.name for pod in pods_to_choose_for(cast.actor("ana"))] == ["North"]
    assert [pod.name for pod in pods_to_choose_for(cast.actor("rita"))] == ["North", "South"]


def test_currencies_are_never_added(make_deal: MakeDeal, cast: Cast) -> None:
    make_deal(amount_minor=100)
    make_deal(amount_minor=23)
    make_deal(amount_minor=7, currency="EUR")
    assert totals_of(deals_for(cast.actor("ana"))) == [Total("EUR", 1, 7), Total("USD", 2, 123)]


# --- The board -----------------------------------------------------------------------------------------------------


def test_the_board_counts_all_rows_not_the_cards_shown(make_deal: MakeDeal, cast: Cast) -> None:
    for number in range(7):
        make_deal(name=f"Deal {number}", amount_minor=100 + number)
    make_deal(name="Euro", amount_minor=5, currency="EUR", stage="engaging")
    make_deal(name="Won", amount_minor=1_000, stage="won")
    make_deal(name="Theirs", owner=cast.alba, pod=cast.south)
    board = board_for(cast.actor("ana"), cards=3)
    by_code = {column.stage.code: column for column in board.columns}
    assert list(by_code) == ["prospecting", "qualified", "engaging", "proposal", "won", "lost"]
    first = by_code["prospecting"]
    assert (first.count, first.totals, len(first.cards), first.next_offset, first.left) == (
        7,
        [Total("USD", 7, 721)],
        3,
        3,
        4,
    )
    assert by_code["engaging"].totals == [Total("EUR", 1, 5)]
    assert (by_code["lost"].count, by_code["lost"].totals, by_code["lost"].next_offset) == (0, [], None)
    assert (board.open_count, board.open_totals) == (8, [Total("EUR", 1, 5), Total("USD", 7, 721)])


def test_loading_more_goes_on_where_the_cards_ended(make_deal: MakeDeal, cast: Cast, stages: dict[str, Stage]) -> None:
    for number in range(5):
        make_deal(name=f"Deal {number}", amount_minor=100 - number)
    actor = cast.actor("ana")
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        column = column_for(actor, stages["prospecting"], order="amount", offset=offset, cards=2)
        assert (column.count, column.totals) == (5, [Total("USD", 5, 490)])
        seen += [deal.name for deal in column.cards]
        offset = column.next_offset
    assert seen == [f"Deal {number}" for number in range(5)]


def test_what_came_last_stands_on_top_and_a_card_stays_where_it_was_put(
    make_deal: MakeDeal, cast: Cast, stages: dict[str, Stage]
) -> None:
    actor = cast.actor("ana")
    deals = [make_deal(name=name) for name in "abc"]
    for hours, deal in enumerate(deals):
        move_deal(actor=actor, deal_id=deal.pk, stage=stages["engaging"], at=NOW + timedelta(hours=hours))

    def names() -> list[str]:
        return [deal.name for deal in column_for(actor, stages["engaging"]).cards]

    assert names() == ["c", "b", "a"]
    place = neighbours_place(actor, stages["engaging"], deals[2].pk, deals[1].pk)
    move_deal(actor=actor, deal_id=deals[0].pk, stage=stages["engaging"], at=NOW, place=place)
    assert names() == ["c", "a", "b"]


def test_cards_that_are_not_the_actors_are_no_neighbours(
    both: tuple[Deal, Deal], cast: Cast, stages: dict[str, Stage]
) -> None:
    Deal.objects.update(board_position=-50)
    north, south = both
    assert neighbours_place(cast.actor("ana"), stages["prospecting"], south.pk, None) is None
    assert neighbours_place(cast.actor("ana"), stages["prospecting"], north.pk, None) == 999_950
    assert neighbours_place(cast.actor("ana"), stages["won"], north.pk, None) is None


def test_a_stage_out_of_use_is_shown_while_deals_stand_in_it(make_deal: MakeDeal, cast: Cast) -> None:
    make_deal(stage="qualified")
    Stage.objects.filter(code__in=["qualified", "proposal"]).update(is_active=False)
    codes = [column.stage.code for column in board_for(cast.actor("ana")).columns]
    assert codes == ["prospecting", "qualified", "engaging", "won", "lost"]


def test_the_board_costs_the_same_for_few_and_many(make_deal: MakeDeal, cast: Cast, gekko: Account) -> None:
    actor = cast.actor("ana")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            board = board_for(actor)
            _names = [(card.account, card.owner) for column in board.columns for card in column.cards]
        return len(queries)

    for stage in ("prospecting", "won"):
        make_deal(stage=stage, account=gekko)
    few = cost()
    for _number in range(40):
        make_deal(stage="prospecting", account=gekko)
        make_deal(stage="won", account=gekko)
    assert cost() == few


# --- The forecast --------------------------------------------------------------------------------------------------


@pytest.fixture
def quarter(make_deal: MakeDeal, cast: Cast) -> None:
    """Deals in, before and after the second quarter of 2026, in two pods and two currencies."""
    make_deal(stage="won", amount_minor=10_000, closed_on=date(2026, 4, 1))
    make_deal(stage="won", amount_minor=3_000, closed_on=date(2026, 6, 30), owner=cast.alba, pod=cast.south)
    make_deal(stage="won", amount_minor=77, closed_on=date(2026, 3, 31))
    make_deal(stage="won", amount_minor=77, closed_on=date(2026, 7, 1))
    make_deal(stage="lost", amount_minor=77, closed_on=TODAY)
    make_deal(stage="engaging", amount_minor=1_001, expected_close_on=date(2026, 6, 30))
    make_deal(stage="proposal", amount_minor=2_000, expected_close_on=TODAY, owner=cast.sam)
    make_deal(stage="engaging", amount_minor=500, expected_close_on=TODAY, currency="EUR")
    make_deal(stage="engaging", amount_minor=77, expected_close_on=date(2026, 7, 1))
    make_deal(stage="engaging", amount_minor=40, expected_close_on=date(2026, 3, 31))
    make_deal(stage="engaging", amount_minor=9)


def test_the_forecast_is_won_and_weighted_open(cast: Cast, quarter: None) -> None:
    forecast = forecast_for(cast.actor("rita"), QUARTER)
    assert forecast.totals == [
        Figures("EUR", 0, 0, 500, 1, 250),
        Figures("USD", 13_000, 2, 3_001, 2, 2_001),  # 500.5 + 1,500 = 2,000.5, rounded once
    ]
    assert (forecast.totals[1].forecast_minor, forecast.totals[1].best_case_minor) == (15_001, 16_001)
    assert [(row.name, row.figures[-1].forecast_minor) for row in forecast.by_pod] == [
        ("North", 12_001),
        ("South", 3_000),
    ]
    assert [(row.name, row.figures[-1].won_minor) for row in forecast.by_owner] == [
        ("Ana Alvarez", 10_000),
        ("Alba Abe", 3_000),
        ("Sam Sorensen", 0),
    ]
    assert forecast.overdue == [Total("USD", 1, 40)]
    assert forecast.undated == [Total("USD", 1, 9)]


def test_a_rep_forecasts_their_pod(cast: Cast, quarter: None) -> None:
    forecast = forecast_for(cast.actor("alba"), QUARTER)
    assert forecast.totals == [Figures("USD", 3_000, 1, 0, 0, 0)]
    assert [row.name for row in forecast.by_owner] == ["Alba Abe"]


def test_an_executive_sees_sums_and_no_person(cast: Cast, quarter: None) -> None:
    forecast = forecast_for(cast.actor("elsa"), QUARTER)
    assert forecast.totals == forecast_for(cast.actor("rita"), QUARTER).totals
    assert forecast.by_owner == []
    assert [row.name for row in forecast.by_pod] == ["North", "South"]


def test_who_has_no_role_forecasts_nothing(cast: Cast, quarter: None) -> None:
    forecast = forecast_for(cast.actor("norm"), QUARTER)
    assert (forecast.totals, forecast.by_pod, forecast.by_owner, forecast.overdue) == ([], [], [], [])


def test_the_forecast_costs_the_same_for_few_and_many(cast: Cast, make_deal: MakeDeal) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            forecast_for(cast.actor("rita"), QUARTER)
        return len(queries)

    make_deal(stage="won")
    few = cost()
    for _number in range(30):
        make_deal(stage="won")
        make_deal(stage="engaging", expected_close_on=TODAY)
    assert cost() == few
