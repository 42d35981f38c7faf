"""How deals flow through the stages in a period, told from the log of their moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.deals.models import Deal, Stage, StageChange
from salesops.deals.rules.flow import Flow, Moves, flow_through
from salesops.deals.selectors import deals_counted_for
from salesops.deals.selectors.flow import flow_of
from salesops.deals.services import create_deal, move_deal
from salesops.values.periods import parse_label
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db

LogIn = Callable[[str], Client]
QUARTER = parse_label("2026Q2")
DAY = 86_400


def test_moves_are_told_apart_by_where_they_lead() -> None:
    moves = [
        Moves(None, 1, 9),
        Moves(1, 2, 4, 8 * DAY, 4),
        Moves(1, 8, 2, 3 * DAY, 1),
        Moves(1, 9, 2),
        Moves(2, 1, 1, DAY, 1),
        Moves(8, 2, 3),
        Moves(7, 9, 5),
    ]
    first, second = flow_through([1, 2], won=[8], lost=[9], moves=moves)
    assert first == Flow(1, came=10, went_on=4, went_back=0, won=2, lost=2, seconds=11 * DAY, timed=5)
    assert (first.left, first.onward_bp, first.mean_days) == (8, 7_500, 2)
    assert second == Flow(2, came=7, went_on=0, went_back=1, won=0, lost=0, seconds=DAY, timed=1)
    assert (second.onward_bp, second.mean_days) == (None, None)


@pytest.fixture
def moved(cast: Cast, stages: dict[str, Stage]) -> None:
    """Ana: six deals come in on 1 April; five go on ten days later and one is lost; of the five one goes back, one is won."""
    ana, begun = cast.actor("ana"), datetime(2026, 4, 1, 9, tzinfo=UTC)
    later, last = begun + timedelta(days=10), begun + timedelta(days=20)
    made = [create_deal(actor=ana, at=begun, name=f"Deal {number}", amount_minor=100_00) for number in range(6)]
    for deal in made[:5]:
        move_deal(actor=ana, deal_id=deal.pk, stage=stages["qualified"], at=later)
    move_deal(actor=ana, deal_id=made[5].pk, stage=stages["lost"], at=later, lost_because="Budget")
    move_deal(actor=ana, deal_id=made[0].pk, stage=stages["prospecting"], at=last)
    move_deal(actor=ana, deal_id=made[1].pk, stage=stages["won"], at=last)


def told(cast: Cast, who: str, label: str = "2026Q2") -> dict[str, tuple[Any, ...]]:
    rows = flow_of(deals_counted_for(cast.actor(who)), parse_label(label))
    return {
        row.stage.code: (
            *(row.flow.came, row.flow.went_on, row.flow.went_back, row.flow.won, row.flow.lost),
            *(row.flow.onward_bp, row.flow.mean_days),
        )
        for row in rows
    }


def test_what_moved_in_a_period_is_told_stage_by_stage(cast: Cast, moved: None) -> None:
    found = told(cast, "max")
    assert found["prospecting"] == (7, 5, 0, 0, 1, 8_333, 10)
    assert found["qualified"] == (5, 0, 1, 1, 0, None, None)
    assert found["proposal"] == (0, 0, 0, 0, 0, None, None)
    assert told(cast, "elsa") == found
    assert told(cast, "mia") == {}
    assert told(cast, "max", "2026Q1") == told(cast, "max", "2026Q3") == {}
    assert told(cast, "max", "2026-04")["prospecting"] == (7, 5, 0, 0, 1, 8_333, 10)


def test_the_first_and_the_last_moment_of_a_period(cast: Cast, stages: dict[str, Stage]) -> None:
    deal = Deal.objects.create(name="Edge", owner=cast.ana, stage=stages["qualified"], created_at=NOW)
    begin, end = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    for moment in (begin - second, begin, end - second, end):
        StageChange.objects.create(deal=deal, to_stage=stages["qualified"], changed_at=moment)
    assert told(cast, "ana")["qualified"][0] == 2


def test_the_forecast_page_shows_it_for_its_period_and_filters(cast: Cast, client_of: LogIn, moved: None) -> None:
    client, url = client_of("max"), reverse("deals:forecast")
    page = client.get(url, {"period": "2026Q2"})
    first = page.context["flow"][0]
    assert (first.stage.code, first.flow.came) == ("prospecting", 7)
    assert "What moved in this period" in page.content.decode()
    first = client.get(url, {"period": "2026Q2", "kind": "lost"}).context["flow"][0]
    assert (first.stage.code, first.flow.came, first.flow.lost) == ("prospecting", 1, 1)
    assert "What moved in this period" not in client.get(url, {"period": "2026Q1"}).content.decode()
