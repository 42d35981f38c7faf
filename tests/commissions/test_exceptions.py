"""Exceptions first: what is wrong in a period, by kind and person, and payouts out of proportion, which need a word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import Approval, Period, Statement
from salesops.commissions.selectors.exceptions import ExceptionGroup, payout_looks
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from tests.cast import NOW, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, calculated, plan_in_force, quota, statement_of, won

pytestmark = pytest.mark.django_db

#: The quarters before the second of 2026.
BEFORE = (date(2025, 7, 1), date(2025, 10, 1), date(2026, 1, 1))


def groups(client: Client, period: Period) -> dict[str, ExceptionGroup]:
    """What the page of a period lists first, by code."""
    found = client.get(reverse("commissions:period_detail", kwargs={"pk": period.pk})).context["exceptions"]
    return {group.code: group for group in found}


def test_problems_stand_together_with_the_people_and_deals_they_are_about(
    client_of: Callable[[str], Client], cast: Cast
) -> None:
    """Two people lack a quota; two deals have nobody who is credited."""
    plan_in_force(cast, FIVE_THEN_TEN, people=("ana", "sam", "alba"))
    quota(cast, "alba", "2026Q2", 1_000_00)
    for person in ("ana", "sam", "alba"):
        won(cast, person, 1_000_00)
    lonely = [won(cast, None, 500_00, name=name) for name in ("Lonely", "Lonelier")]
    period = calculated(cast)
    found = groups(client_of("finn"), period)
    assert {code: group.count for code, group in found.items()} == {"quota-missing": 2, "nobody-credited": 2}
    assert [(item.person, item.statement) for item in found["quota-missing"].items] == [
        ("Ana Alvarez", statement_of(cast, "ana").pk),
        ("Sam Sorensen", statement_of(cast, "sam").pk),
    ]
    assert sorted((item.deal, item.deal_name) for item in found["nobody-credited"].items) == [
        (deal.pk, deal.name) for deal in lonely
    ]
    # Who may not open a statement is given a name without a way; who sees totals only is given numbers.
    assert [(item.person, item.statement) for item in groups(client_of("rita"), period)["quota-missing"].items] == [
        ("Ana Alvarez", None),
        ("Sam Sorensen", None),
    ]
    elsa = groups(client_of("elsa"), period)
    assert {code: (group.count, group.items) for code, group in elsa.items()} == {
        "quota-missing": (2, []),
        "nobody-credited": (2, []),
    }


def history(cast: Cast, *, amounts: tuple[int, ...] = (1_000_00, 1_000_00, 1_000_00)) -> None:
    """Ana's last quarters, locked: 8 % of these amounts."""
    for start, amount in zip(BEFORE[-len(amounts) :], amounts, strict=True):
        won(cast, "ana", amount, start)
        period = open_period(day=start, kind="quarter", time_zone="UTC")
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
        rows = Statement.objects.filter(period=period).values_list("pk", flat=True)
        approve_statements(actor=cast.actor("finn"), statement_ids=list(rows), at=NOW)
        lock_period(actor=cast.actor("finn"), period=period, at=NOW)


def on_plan(cast: Cast) -> None:
    """Ana at 8 % since 2025."""
    plan_in_force(cast, FLAT_8, people=("ana",), start_on=date(2025, 7, 1))


@pytest.mark.parametrize(("amount", "is_held"), [(3_000_00, False), (3_000_13, True)])
def test_more_than_three_times_the_usual_payout_is_looked_at_twice(amount: int, is_held: bool, cast: Cast) -> None:
    """The usual quarter pays 80.00: 240.00 is in proportion, 240.01 is not."""
    on_plan(cast)
    history(cast)
    won(cast, "ana", amount)
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert bool(payout_looks([statement])) == is_held
    result = approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW)
    assert result.decided == (not is_held)
    statement.refresh_from_db()
    assert statement.state == ("draft" if is_held else "approved")
    if is_held:
        assert "more than 3 times" in result.refused[statement.pk]
        assert "$80.00" in result.refused[statement.pk]
        assert not Approval.objects.filter(statement=statement).exists()


def test_a_held_payout_is_approved_with_a_word_that_stays(cast: Cast, client_of: Callable[[str], Client]) -> None:
    on_plan(cast)
    history(cast)
    won(cast, "ana", 10_000_00)
    period = calculated(cast)
    statement = statement_of(cast, "ana")
    finn = client_of("finn")
    (item,) = groups(finn, period)["payout-high"].items
    assert (item.person, item.statement) == ("Ana Alvarez", statement.pk)
    assert item.text.startswith("$800.00. ")
    # Nobody else is told: it is pay.
    assert "payout-high" not in groups(client_of("rita"), period)
    assert "payout-high" not in groups(client_of("elsa"), period)
    address = reverse("commissions:statement_approve")
    chosen = {"pk": [statement.pk], "step": "preview"}
    assert [row.label for row in finn.post(address, chosen | {"note": " "}).context["problems"]] == [str(statement)]
    preview = finn.post(address, chosen | {"note": "The contract of Amber is that large"})
    assert preview.context["problems"] == []
    finn.post(
        address,
        chosen
        | {
            "step": "apply",
            "note": "The contract of Amber is that large",
            "fingerprint": preview.context["fingerprint"],
        },
    )
    statement.refresh_from_db()
    assert statement.state == "approved"
    assert Approval.objects.get(statement=statement).note == "The contract of Amber is that large"
    assert "payout-high" not in groups(finn, period)


def test_with_less_than_three_earlier_periods_nothing_is_unusual(cast: Cast) -> None:
    on_plan(cast)
    history(cast, amounts=(1_000_00, 1_000_00))
    won(cast, "ana", 100_000_00)
    calculated(cast)
    assert payout_looks([statement_of(cast, "ana")]) == {}


def test_the_middle_of_the_earlier_payouts_counts_not_the_largest(cast: Cast) -> None:
    """80, 80 and 8,000: 800 is ten times the middle one."""
    on_plan(cast)
    history(cast, amounts=(1_000_00, 1_000_00, 100_000_00))
    won(cast, "ana", 10_000_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert payout_looks([statement])[statement.pk].median_minor == 80_00
