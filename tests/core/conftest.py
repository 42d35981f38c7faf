"""What the tests of the core share: a stage, deals in bulk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from salesops.accounts.models import Account
from salesops.deals.models import Deal, Stage
from tests.cast import NOW, Cast


@pytest.fixture
def stage(db: None) -> Stage:
    """A stage to put deals into."""
    return Stage.objects.create(code="talk", name="Talk", position=1)


@pytest.fixture
def account(cast: Cast) -> Account:
    """A customer of pod North."""
    return Account.objects.create(
        name="Acme", match_name="acme", created_at=NOW, owner=cast.ana, pod=cast.north, currency="USD"
    )


@pytest.fixture
def deals(cast: Cast, stage: Stage) -> Callable[..., list[Deal]]:
    """Make deals of Ana's in pod North, named "Deal 00001" and so on, of 1.00 USD each unless told otherwise."""

    def make(count: int, **values: Any) -> list[Deal]:
        start = Deal.objects.count()
        given = {"owner": cast.ana, "pod": cast.north, "stage": stage, "amount_minor": 100, "created_at": NOW, **values}
        name = given.pop("name", "Deal")
        return Deal.objects.bulk_create(Deal(name=f"{name} {start + n:05}", **given) for n in range(1, count + 1))

    return make
