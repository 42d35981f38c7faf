"""What somebody who leaves keeps: all that was credited before, or only what the periods before had paid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import LedgerEntry, Transaction
from salesops.people.models import User
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition, statement_of, won
from tests.commissions.test_settled_periods import calculated, in_force, locked, settlement

pytestmark = pytest.mark.django_db

LogIn = Callable[[str], Client]
APRIL_20, MAY_4, JUNE_1 = date(2026, 4, 20), date(2026, 5, 4), date(2026, 6, 1)


def plan(leaver: str, **words: Any) -> dict[str, Any]:
    """8 % by the quarter."""
    return definition(FLAT_8, leaver=leaver) | ({"settlement": words} if words else {})


def leaves(cast: Cast, day: date) -> None:
    """The first day on which Ana no longer works here."""
    User.objects.filter(pk=cast.ana.pk).update(left_on=day)


@pytest.mark.parametrize(
    ("leaver", "day", "paid"),
    [
        ("credited_before", JUNE_1, 80_00),
        ("paid_before", JUNE_1, 0),
        # The last day of the period is worked, and the period paid.
        ("paid_before", date(2026, 6, 30), 0),
        ("paid_before", date(2026, 7, 1), 80_00),
    ],
)
def test_a_period_that_was_not_worked_to_its_end_pays_nothing(cast: Cast, leaver: str, day: date, paid: int) -> None:
    in_force(cast, plan(leaver), ("ana", "sam"))
    won(cast, "ana", 1_000_00)
    won(cast, "sam", 500_00)
    leaves(cast, day)
    locked(cast, 2)
    statement = statement_of(cast, "ana")
    assert (statement.earned_minor, statement.payout_minor, statement.owed_minor) == (80_00, paid, 0)
    steps = settlement(statement)
    assert [(kind, amount) for kind, _reference, amount in steps] == ([] if paid else [("reversal", -80_00)])
    assert {line.reason for line in statement.settlement_lines.all()} <= {"forfeited-at-leaving"}
    # What nobody is paid is no cost.
    cost = LedgerEntry.objects.filter(statement=statement, account="expense").aggregate(sum=Sum("amount_minor"))["sum"]
    assert cost == -paid
    assert statement_of(cast, "sam").payout_minor == 40_00


def test_what_is_held_is_lost_and_what_is_taken_back_is_owed(cast: Cast, client_of: LogIn) -> None:
    """A half of each deal is paid at once, the other after 120 days; the clawback is of what had been paid."""
    parts = [{"share": "1/2"}, {"share": "1/2", "days": 120}]
    words = {
        "releases": [{"kind": "instalments", "parts": parts}],
        "draw": {"amount": "500", "kind": "non_recoverable"},
    }
    in_force(cast, plan("paid_before", **words))
    first = won(cast, "ana", 10_000_00, date(2026, 3, 2))
    second = won(cast, "ana", 8_000_00, date(2026, 3, 9), name="Second")
    locked(cast, 1)
    won(cast, "ana", 1_000_00, MAY_4, name="Third")
    key = f"deal:{second.pk}:booking"
    Transaction.objects.create(
        source_key="refund",
        kind="refund",
        effective_on=MAY_4,
        amount_minor=-8_000_00,
        currency="USD",
        reverses=Transaction.objects.get(source_key=key),
        recorded_at=NOW,
    )
    leaves(cast, JUNE_1)
    locked(cast, 2)
    statement = statement_of(cast, "ana")
    third = next(reference for kind, reference, _amount in settlement(statement) if kind == "reversal")
    # 640.00 of the second deal were earned: what was held of it goes, what was paid is owed.
    assert settlement(statement) == [
        ("reversal", third, -80_00),
        ("held_cancelled", key, 320_00),
        ("reversal", f"deal:{first.pk}:booking", -400_00),
        ("held_cancelled", f"deal:{first.pk}:booking", 400_00),
        ("owed", "", 320_00),
    ]
    assert (statement.payout_minor, statement.owed_minor) == (0, 320_00)
    held = LedgerEntry.objects.filter(account="held").aggregate(sum=Sum("amount_minor"))["sum"]
    assert held == 0
    page = client_of("ana").get(reverse("commissions:statement_detail", args=[statement.pk])).content.decode()
    assert "Forfeited: it had not been paid out before leaving." in page


def test_what_was_lost_is_not_taken_back_again(cast: Cast) -> None:
    in_force(cast, plan("paid_before"))
    deal = won(cast, "ana", 1_000_00)
    leaves(cast, JUNE_1)
    locked(cast, 2)
    Transaction.objects.create(
        source_key="refund",
        kind="refund",
        effective_on=date(2026, 8, 3),
        amount_minor=-1_000_00,
        currency="USD",
        reverses=Transaction.objects.get(source_key=f"deal:{deal.pk}:booking"),
        recorded_at=NOW,
    )
    third = calculated(cast, 3)
    statement = statement_of(cast, "ana", third)
    assert (statement.earned_minor, statement.payout_minor, statement.owed_minor) == (-80_00, 0, 0)
