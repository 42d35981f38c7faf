"""What the deal tests share: the stages by code, and deals made with one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from salesops.accounts.models import Account
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, Product, Stage
from tests.cast import NOW, TODAY, Cast


@pytest.fixture
def stages(db: None) -> dict[str, Stage]:
    """The default stages by code; made again where a transactional test before has emptied the table."""
    for position, (code, kind, probability) in enumerate(
        [
            ("prospecting", "open", 1_000),
            ("qualified", "open", 2_500),
            ("engaging", "open", 5_000),
            ("proposal", "open", 7_500),
            ("won", "won", 10_000),
            ("lost", "lost", 0),
        ],
        start=1,
    ):
        Stage.objects.get_or_create(
            code=code,
            defaults={
                "name": code.title(),
                "kind": kind,
                "probability_bp": probability,
                "position": position,
                "is_guarded": code == "proposal",
            },
        )
    return {stage.code: stage for stage in Stage.objects.all()}


@pytest.fixture
def make_deal(cast: Cast, stages: dict[str, Stage]) -> Callable[..., Deal]:
    """Write a deal as it stands, past the services: Ana's, in pod North, unless told otherwise."""

    def make(**fields: Any) -> Deal:
        stage = stages[fields.pop("stage", "prospecting")]
        if stage.kind != StageKind.OPEN:
            fields.setdefault("closed_on", TODAY)
        values: dict[str, Any] = {
            "name": "Pilot for Gekko",
            "owner": cast.ana,
            "pod": cast.north,
            "amount_minor": 100_000,
            "currency": "USD",
            "created_at": NOW,
            "stage_entered_at": NOW,
            **fields,
        }
        return Deal.objects.create(stage=stage, kind=stage.kind, **values)

    return make


@pytest.fixture
def gekko(cast: Cast) -> Account:
    """An account of pod North."""
    return Account.objects.create(name="Gekko & Co", match_name="gekko", owner=cast.ana, pod=cast.north, created_at=NOW)


@pytest.fixture
def hooli(cast: Cast) -> Account:
    """An account of pod South."""
    return Account.objects.create(name="Hooli", match_name="hooli", owner=cast.alba, pod=cast.south, created_at=NOW)


@pytest.fixture
def gtx(db: None) -> Product:
    """A product on sale."""
    return Product.objects.create(code="gtx-pro", name="GTX Pro", match_name="gtx pro", price_minor=482_100)
