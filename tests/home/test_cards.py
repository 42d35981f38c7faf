"""The cards of the home page: a step is offered while there is something to do, and leads to what it counts."""

from __future__ import annotations

import pytest

from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import Period, Statement
from salesops.commissions.selectors.periods import standings
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.payroll import release_payroll
from salesops.home.cards import cards_for
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, won

LATER = NOW.replace(month=7)


def locked(cast: Cast) -> Period:
    """A period that is approved and locked."""
    period = calculated(cast)
    ids = list(Statement.objects.filter(period=period).values_list("pk", flat=True))
    approve_statements(actor=cast.actor("finn"), statement_ids=ids, at=NOW)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    return Period.objects.get(pk=period.pk)


def offered(cast: Cast, period: Period) -> tuple[str, bool]:
    """The next step of the period, and whether finance has the card that releases it."""
    titles = [card.title for card in cards_for(cast.actor("finn"), at=LATER)]
    return standings([period])[0].step, f"Release the payroll of {period.label}" in titles


@pytest.mark.parametrize("others", [True, False])
def test_whoever_earned_nothing_keeps_no_period_waiting_for_payroll(others: bool, cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    if others:
        won(cast, "alba", 1_000_00)
    period = locked(cast)
    assert Statement.objects.filter(period=period, earned_minor=0).exists()
    assert offered(cast, period) == (("release", True) if others else ("done", False))
    if others:
        release_payroll(actor=cast.actor("finn"), period=period, payroll_format=PayrollFormat.GUSTO, at=NOW)
        assert Statement.objects.filter(period=period, state="locked").exists()
        assert offered(cast, period) == ("done", False)


def test_sums_that_cancel_out_are_still_paid(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    won(cast, "ana", -1_000_00)
    won(cast, "alba", 1_000_00)
    assert offered(cast, locked(cast)) == ("release", True)
