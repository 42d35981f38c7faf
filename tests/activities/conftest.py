"""What the activity tests share: a deal, a lead and an account of pod North, and a deal of pod South."""

from __future__ import annotations

import pytest

from salesops.accounts.models import Account
from salesops.deals.models import Deal, Stage
from salesops.leads.models import Lead
from tests.cast import NOW, Cast


@pytest.fixture
def stage(db: None) -> Stage:
    """The first open stage."""
    found, _made = Stage.objects.get_or_create(code="prospecting", defaults={"name": "Prospecting", "position": 1})
    return found


@pytest.fixture
def gekko(cast: Cast) -> Account:
    """An account of pod North."""
    return Account.objects.create(name="Gekko & Co", match_name="gekko", owner=cast.ana, pod=cast.north, created_at=NOW)


@pytest.fixture
def hooli(cast: Cast) -> Account:
    """An account of pod South."""
    return Account.objects.create(name="Hooli", match_name="hooli", owner=cast.alba, pod=cast.south, created_at=NOW)


@pytest.fixture
def deal(cast: Cast, stage: Stage, gekko: Account) -> Deal:
    """Ana's deal with Gekko."""
    return Deal.objects.create(
        name="Pilot", account=gekko, owner=cast.ana, pod=cast.north, stage=stage, created_at=NOW, stage_entered_at=NOW
    )


@pytest.fixture
def theirs(cast: Cast, stage: Stage, hooli: Account) -> Deal:
    """Alba's deal with Hooli."""
    return Deal.objects.create(
        name="Their deal", account=hooli, owner=cast.alba, pod=cast.south, stage=stage, created_at=NOW
    )


@pytest.fixture
def lead(cast: Cast, gekko: Account) -> Lead:
    """Ana's lead at Gekko."""
    return Lead.objects.create(
        name="Bud Fox", company="Gekko", account=gekko, owner=cast.ana, pod=cast.north, created_at=NOW
    )
