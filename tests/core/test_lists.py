"""List pages: what they cost, count, total, sort, filter, save and export."""

from __future__ import annotations

import pytest
from django.test import Client

from salesops.deals.models import Deal, Stage
from tests.cast import NOW, Cast

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.pages")]


@pytest.fixture
def stage(db: None) -> Stage:
    return Stage.objects.create(code="talk", name="Talk", position=1)


def make_deals(cast: Cast, stage: Stage, count: int, **values: object) -> None:
    """Deals named "Deal 00001" and so on."""
    defaults = {"owner": cast.ana, "pod": cast.north, "stage": stage, "amount_minor": 100, "created_at": NOW}
    Deal.objects.bulk_create(Deal(name=f"Deal {n:05}", **{**defaults, **values}) for n in range(1, count + 1))


def test_it_shows_rows(client_of: object, cast: Cast, stage: Stage) -> None:
    make_deals(cast, stage, 3)
    client: Client = client_of("ana")
    answer = client.get("/sample/deals/?sort=-amount")
    assert answer.status_code == 200
    assert "Deal 00003" in answer.content.decode()
