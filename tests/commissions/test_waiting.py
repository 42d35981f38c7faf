"""Where each period stands: whose turn it is, by level and name, and since when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.commissions.models import Period, Plan, PlanVersion, Statement
from salesops.commissions.selectors.periods import standings
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.commissions.services.waiting import Turn, turns_of
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FLAT_8, definition, second_quarter, won

pytestmark = pytest.mark.django_db


@pytest.fixture
def period(cast: Cast) -> Period:
    """Ana and Alba on a plan that managers approve before finance; both sold; calculated by Rita at NOW."""
    rita = cast.actor("rita")
    plan: Plan = create_plan(actor=rita, name="Field", at=NOW)
    words = definition(FLAT_8) | {"approvals": ["manager", "finance"]}
    draft: PlanVersion = save_draft(actor=rita, plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for person in (cast.ana, cast.alba):
        assign_to_plan(actor=rita, plan=plan, person_id=person.pk, start_on=date(2026, 1, 1), currency="USD", at=NOW)
    won(cast, "ana", 1_000_00)
    won(cast, "alba", 1_000_00)
    found = second_quarter()
    calculate_period(actor=rita, period=found, at=NOW)
    return found


def turn(period: Period) -> Turn:
    """Whose turn it is."""
    return turns_of(standings([Period.objects.get(pk=period.pk)]), TODAY)[period.pk]


def told(period: Period) -> list[tuple[str, int, str]]:
    """Level, number of statements, names."""
    return [(each.level, each.count, each.named) for each in turn(period).waiting]


def test_the_levels_of_approval_are_waited_for_by_name(cast: Cast, period: Period) -> None:
    assert told(period) == [("manager", 2, "Max Manager, Mia Manager")]
    assert turn(period).since == NOW
    ana, alba = (Statement.objects.get(person=person) for person in (cast.ana, cast.alba))
    hour = timedelta(hours=1)
    approve_statements(actor=cast.actor("max"), statement_ids=[ana.pk], at=NOW + hour)
    assert told(period) == [("finance", 1, "Fay Finance, Finn Finance"), ("manager", 1, "Mia Manager")]
    approve_statements(actor=cast.actor("mia"), statement_ids=[alba.pk], at=NOW + 2 * hour)
    approve_statements(actor=cast.actor("finn"), statement_ids=[ana.pk, alba.pk], at=NOW + 3 * hour)
    # All approved: finance locks, and it stands since the last approval.
    assert told(period) == []
    assert (turn(period).by, turn(period).since) == (["Fay Finance", "Finn Finance"], NOW + 3 * hour)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW + 4 * hour)
    assert (turn(period).by, turn(period).since) == (["Fay Finance", "Finn Finance"], NOW + 4 * hour)


def test_the_list_says_how_many_are_approved_and_who_is_next(
    cast: Cast, period: Period, client_of: Callable[[str], Client]
) -> None:
    approve_statements(actor=cast.actor("max"), statement_ids=[Statement.objects.get(person=cast.ana).pk], at=NOW)
    address = reverse("commissions:period_list")
    page = client_of("finn").get(address).content.decode()
    assert "0 of 2" in page
    assert "Mia Manager" in page
    # Who sees totals only is told levels and numbers.
    page = client_of("elsa").get(address).content.decode()
    assert "0 of 2" in page
    assert "Mia Manager" not in page


def test_many_periods_take_as_many_queries_as_one(cast: Cast, period: Period) -> None:
    counts = []
    for months in (0, 12):
        for number in range(months):
            Period.objects.create(
                kind="month",
                start_on=date(2025, number + 1, 1),
                end_on=date(2025, number + 1, 28),
                time_zone="UTC",
                label=f"2025-{number + 1:02}",
            )
        found = standings(list(Period.objects.all()))
        with CaptureQueriesContext(connection) as queries:
            turns_of(found, TODAY)
        counts.append(len(queries))
    assert counts[0] == counts[1] == 6
