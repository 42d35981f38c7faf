"""What changed between two calculations: before and after by line, and why; kept for good, shown to who may see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.commissions.models import Calculation, PlanAssignment, Quota, StatementChange
from salesops.commissions.services import changes as changes_service
from salesops.commissions.services.plans import activate_version, save_draft
from salesops.deals.models import Deal, DealSplit, Stage
from tests.cast import NOW, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, PERSONAL, calculated, definition, plan_in_force, quota, won
from tests.commissions.test_settled_periods import refund

pytestmark = pytest.mark.django_db


def last() -> dict[str, list[tuple[str, int | None, int | None, str]]]:
    """What the last calculation changed: by person, each line's deal, before, after, cause."""
    names = {deal.transactions.get().pk: deal.name for deal in Deal.objects.filter(transactions__isnull=False)}
    rows = StatementChange.objects.filter(calculation=Calculation.objects.latest("pk")).order_by("person__name")
    return {
        row.person.name: [
            (names[line["transaction"]], line["before"], line["after"], line["cause"]) for line in row.lines
        ]
        for row in rows
    }


def test_a_deal_that_grew_pushes_the_next_along_the_curve(cast: Cast) -> None:
    """5 % to 2,000 and 10 % above. First 1,000 of May, then 1,000 of June: 50 and 50. May grows to 1,500: 75, and of
    June's 1,000 the first 500 lie below the quota: 25 and 50."""
    plan_in_force(cast, FIVE_THEN_TEN, people=("ana",))
    quota(cast, "ana", "2026Q2", 2_000_00)
    may = won(cast, "ana", 1_000_00, date(2026, 5, 4), name="May")
    won(cast, "ana", 1_000_00, date(2026, 6, 4), name="June")
    calculated(cast)
    assert not StatementChange.objects.exists()
    may.amount_minor = 1_500_00
    may.save()
    calculated(cast)
    assert last() == {"Ana Alvarez": [("May", 50_00, 75_00, "deal_edited"), ("June", 50_00, 75_00, "along_the_curve")]}
    row = StatementChange.objects.get()
    assert (row.earned_before_minor, row.earned_after_minor) == (100_00, 150_00)
    assert (row.payout_before_minor, row.payout_after_minor, row.more) == (100_00, 150_00, 0)
    # A third calculation finds nothing else, and keeps nothing.
    calculated(cast)
    assert StatementChange.objects.count() == 1


def test_deals_that_came_and_went_are_told_apart(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    gone = won(cast, "ana", 1_000_00, name="Gone")
    calculated(cast)
    gone.stage = Stage.objects.filter(kind="open")[0]
    gone.kind, gone.closed_on = "open", None
    gone.save()
    won(cast, "ana", 3_000_00, name="Come")
    calculated(cast)
    assert last() == {"Ana Alvarez": [("Come", None, 240_00, "deal_late"), ("Gone", 80_00, None, "deal_gone")]}


def test_a_refund_that_came_is_no_new_deal(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    deal = won(cast, "ana", 1_000_00, name="Back")
    period = calculated(cast)
    back = refund(deal, -250_00, date(2026, 5, 20))
    calculated(cast)
    (line,) = StatementChange.objects.get().lines
    assert (line["transaction"], line["after"], line["cause"]) == (back.pk, -20_00, "refund_late")
    page = client_of("finn").get(f"/commissions/periods/{period.pk}/").content.decode()
    assert "New refund" in page
    assert "New deal" not in page


def test_a_deal_given_to_another_is_the_owners_cause_on_both_sides(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana", "sam"))
    deal = won(cast, "ana", 1_000_00, name="Moved")
    calculated(cast)
    deal.owner = cast.sam
    deal.save()
    calculated(cast)
    assert last() == {
        "Ana Alvarez": [("Moved", 80_00, None, "owner")],
        "Sam Sorensen": [("Moved", None, 80_00, "owner")],
    }


def test_a_deal_that_is_shared_is_the_cause_of_shares(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana", "sam"))
    deal = won(cast, "ana", 1_000_00, name="Shared")
    calculated(cast)
    DealSplit.objects.create(deal=deal, person=cast.ana, share_bp=7_500)
    DealSplit.objects.create(deal=deal, person=cast.sam, share_bp=2_500)
    calculated(cast)
    assert last() == {
        "Ana Alvarez": [("Shared", 80_00, 60_00, "shares")],
        "Sam Sorensen": [("Shared", None, 20_00, "shares")],
    }


def test_a_quota_and_a_personal_rate_are_causes_of_their_own(cast: Cast) -> None:
    """Ana's quota falls from 2,000 to 500: of her 1,000 half is at 10 %. Sam's rate rises from 8 to 9 percent."""
    plan_in_force(cast, FIVE_THEN_TEN, people=("ana",))
    plan_in_force(cast, PERSONAL, people=("sam",), name="Own rate", rate=Decimal("0.08"))
    quota(cast, "ana", "2026Q2", 2_000_00)
    won(cast, "ana", 1_000_00, name="Of Ana")
    won(cast, "sam", 1_000_00, name="Of Sam")
    calculated(cast)
    Quota.objects.update(amount_minor=500_00)
    PlanAssignment.objects.filter(person=cast.sam).update(rate=Decimal("0.09"))
    calculated(cast)
    assert last() == {
        "Ana Alvarez": [("Of Ana", 50_00, 75_00, "quota")],
        "Sam Sorensen": [("Of Sam", 80_00, 90_00, "plan")],
    }


def test_another_version_of_the_plan_is_the_plans_cause(cast: Cast) -> None:
    """From the first of April version 2 pays 10 %: what stood in the statement of version 1 stands in the new one."""
    plan = plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00, name="Deal")
    calculated(cast)
    words = definition({"shape": "flat", "rate": "10%"})
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 4, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    calculated(cast)
    assert last() == {"Ana Alvarez": [("Deal", 80_00, None, "plan")]}


def test_the_largest_differences_are_kept_and_the_others_counted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_service, "MOST_LINES", 2)
    plan_in_force(cast, PERSONAL, people=("ana",), rate=Decimal("0.08"))
    for number in (1, 4, 2, 3):
        won(cast, "ana", number * 100_00, name=f"Deal {number}")
    calculated(cast)
    PlanAssignment.objects.update(rate=Decimal("0.09"))
    calculated(cast)
    assert last() == {"Ana Alvarez": [("Deal 4", 32_00, 36_00, "plan"), ("Deal 3", 24_00, 27_00, "plan")]}
    assert StatementChange.objects.get().more == 2


def test_as_many_queries_for_many_changed_lines_as_for_one(cast: Cast) -> None:
    plan_in_force(cast, PERSONAL, people=("ana",), rate=Decimal("0.08"))
    counts = []
    for number, deals in enumerate((1, 30)):
        for _each in range(deals):
            won(cast, "ana", 100_00)
        calculated(cast)
        PlanAssignment.objects.update(rate=Decimal(f"0.1{number}"))
        with CaptureQueriesContext(connection) as queries:
            calculated(cast)
        counts.append(sum("statementchange" in query["sql"] or "earning" in query["sql"] for query in queries))
    assert counts[0] == counts[1]
    assert len(StatementChange.objects.latest("pk").lines) == 31


def test_who_may_not_see_pay_is_told_who_changed_and_why_but_no_amount(
    cast: Cast, client_of: Callable[[str], Client]
) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    deal = won(cast, "ana", 1_000_00, name="Grown")
    period = calculated(cast)
    page = reverse("commissions:period_detail", kwargs={"pk": period.pk})
    assert "What the last calculation changed" not in client_of("finn").get(page).content.decode()
    deal.amount_minor = 1_234_00
    deal.save()
    calculated(cast)
    told = {who: client_of(who).get(page).content.decode() for who in ("finn", "rita", "elsa")}
    assert all("What the last calculation changed" in text for text in told.values())
    assert ("$98.72" in told["finn"], "$98.72" in told["rita"], "$98.72" in told["elsa"]) == (True, False, True)
    named = {who: text.split("What the last calculation changed")[1] for who, text in told.items()}
    assert ["Deal changed" in named[who] for who in ("finn", "rita", "elsa")] == [True, True, False]
    assert "Ana Alvarez" not in told["elsa"]
    # The way to a statement is for who may open it.
    row = StatementChange.objects.get()
    for who, change in (("finn", row), ("rita", None)):
        (shown,) = client_of(who).get(page).context["changes"].rows
        assert (shown.person, shown.change) == ("Ana Alvarez", change)
    statement = reverse("commissions:statement_detail", kwargs={"pk": row.statement_id})
    text = client_of("ana").get(statement).content.decode()
    changed = text.split("What changed since the calculation before")[1]
    assert [part in changed for part in ("Grown", "Deal changed", "$80.00", "$98.72")] == [True] * 4


def test_a_calculation_that_changes_nothing_says_so(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00)
    calculated(cast)
    period = calculated(cast)
    page = client_of("finn").get(reverse("commissions:period_detail", kwargs={"pk": period.pk}))
    assert page.context["changes"].count == 0
    assert "every statement that was there says what it said before" in page.content.decode()
