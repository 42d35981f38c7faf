"""What would be paid if: open deals were won, or other plans had been in force. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Credit, Earning, Scenario, Statement, Transaction
from salesops.commissions.services.plans import assign_to_plan, create_plan, save_draft
from salesops.commissions.services.scenarios import calculate_scenario, create_scenario
from salesops.commissions.services.what_if import CLASSES, compare, if_closed
from salesops.deals.models import Deal, DealSplit, Stage
from tests.cast import NOW, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, definition, plan_in_force, quota, statement_of, won
from tests.commissions.test_settled_periods import calculated, in_force, locked, quarter, with_settlement

pytestmark = pytest.mark.django_db


def still_open(cast: Cast, person: str, amount_minor: int, name: str = "Maybe", **values: Any) -> Deal:
    """A deal that is not won yet."""
    stage = Stage.objects.filter(kind="open").first() or Stage.objects.create(code="open", name="Open", kind="open")
    return Deal.objects.create(
        name=name,
        owner=cast.people[person],
        stage=stage,
        kind="open",
        amount_minor=amount_minor,
        currency="USD",
        created_at=NOW,
        **values,
    )


def counts() -> list[int]:
    """How many rows of pay there are."""
    return [model._default_manager.count() for model in (Transaction, Statement, Credit, Earning)]


def test_winning_open_deals_pays_exactly_what_the_engine_says(cast: Cast) -> None:
    plan_in_force(cast, FIVE_THEN_TEN)
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q2", 10_000_00)
    won(cast, "ana", 8_000_00)
    first, second = still_open(cast, "ana", 5_000_00, "First"), still_open(cast, "ana", 1_000_00, "Second")
    DealSplit.objects.create(deal=second, person=cast.ana, share_bp=5_000)
    DealSplit.objects.create(deal=second, person=cast.sam, share_bp=5_000)
    calculated(cast)
    before = counts()
    result = if_closed(statement_of(cast, "ana"), [first, second])
    # 8,000 at 5 %; then 2,000 at 5 % and 3,000 at 10 %; then half of 1,000 at 10 %.
    assert (result.now_payout, result.then_payout, result.more_minor) == (400_00, 850_00, 450_00)
    assert [(each.deal.name, each.earned_minor) for each in result.deals] == [("First", 400_00), ("Second", 50_00)]
    assert counts() == before
    # And so it is when they are really won.
    for deal in (first, second):
        deal.kind, deal.closed_on = "won", date(2026, 6, 30)
        deal.save()
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 850_00


def test_what_a_deal_would_earn_is_that_of_the_statements_plan(cast: Cast) -> None:
    """Ana is on two plans: the statement of one tells nothing of what the other would pay."""
    for name, shape in (("Field", FLAT_8), ("Extra", {"shape": "flat", "rate": "1%"})):
        plan_in_force(cast, shape, people=("ana",), name=name)
    deal = still_open(cast, "ana", 1_000_00)
    calculated(cast)
    for name, earned in (("Field", 80_00), ("Extra", 10_00)):
        result = if_closed(Statement.objects.get(plan_version__plan__name=name), [deal])
        assert (result.then_earned, [each.earned_minor for each in result.deals]) == (earned, [earned])


def test_what_if_passes_the_settlement(cast: Cast) -> None:
    in_force(cast, with_settlement(limits=[{"cap": "100.00"}]))
    won(cast, "ana", 1_000_00)
    deal = still_open(cast, "ana", 1_000_00)
    calculated(cast)
    result = if_closed(statement_of(cast, "ana"), [deal])
    assert (result.then_earned, result.now_payout, result.then_payout) == (160_00, 80_00, 100_00)


def test_the_page_offers_own_open_deals_and_tells_what_they_pay(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan_in_force(cast, FLAT_8)
    mine, other = still_open(cast, "ana", 1_000_00, "Mine"), still_open(cast, "alba", 1_000_00, "Hers")
    calculated(cast)
    address = reverse("commissions:what_if", kwargs={"pk": statement_of(cast, "ana").pk})
    page = client_of("ana").get(address).content.decode()
    assert "Mine" in page
    assert "Hers" not in page
    page = client_of("ana").get(address, {"deal": [mine.pk, other.pk, "x", "-1"]}).content.decode()
    assert "$80.00" in page
    assert client_of("alba").get(address).status_code == 404
    locked(cast, 2)
    assert client_of("ana").get(address).status_code == 404


# --- Other plans --------------------------------------------------------------------------------------------------


def tried(cast: Cast, shape: dict[str, Any], name: str = "Tried", **of_component: Any) -> dict[str, Any]:
    """What a scenario over the second quarter comes to."""
    words = definition(shape)
    words["components"][0] |= of_component
    statement = Statement.objects.first()
    assert statement is not None
    scenario = create_scenario(
        actor=cast.actor("rita"),
        name=name,
        period=statement.period,
        changes={statement.plan_version.plan_id: words},
        at=NOW,
    )
    result = calculate_scenario(scenario=scenario, at=NOW).result
    assert result is not None
    return dict(result["USD"])


def test_another_plan_over_a_locked_quarter_shows_cost_and_who_gains(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q2", 10_000_00)
    moved = won(cast, "ana", 8_000_00)
    won(cast, "alba", 20_000_00)
    locked(cast, 2)
    moved.closed_on = date(2026, 7, 2)  # it stays with the quarter that paid it
    moved.save()
    before = counts()
    result = tried(cast, FIVE_THEN_TEN)
    ana, sam, alba = (cast.people[name].pk for name in ("ana", "sam", "alba"))
    assert result["people"] == [[ana, 640_00, 400_00], [alba, 1_600_00, 1_500_00], [sam, 0, 0]]
    assert (result["before"], result["after"], result["bookings"]) == (2_240_00, 1_900_00, 28_000_00)
    assert (result["gain"], result["lose"], result["same"]) == (0, 2, 1)
    assert sum(result["classes"]) == 3
    assert counts() == before


def test_what_the_other_plan_asks_of_transactions_is_read_for_it(cast: Cast) -> None:
    """The plan in force asks neither for names of accounts nor for what was sold since January."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    quota(cast, "ana", "2026Q2", 1_000_00)
    amber = Account.objects.create(name="Amber", match_name="amber", created_at=NOW)
    won(cast, "ana", 900_00, date(2026, 2, 1))
    deal = won(cast, "ana", 300_00)
    won(cast, "ana", 500_00)
    deal.account = amber
    deal.save()
    locked(cast, 1)
    locked(cast, 2)
    assert tried(cast, FLAT_8, when='account = "Amber"')["people"] == [[cast.ana.pk, 64_00, 24_00]]
    # 900 of the first quarter, and 100 of 300, are below 1,000: 5.00 + 20.00 + 50.00 for the second one.
    yearly = tried(cast, FIVE_THEN_TEN, name="Yearly", period_kind="year")
    assert yearly["people"] == [[cast.ana.pk, 64_00, 75_00]]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (100, 74, 0),
        (100, 75, 1),
        (100, 90, 2),
        (100, 99, 3),
        (100, 100, 3),
        (100, 101, 4),
        (100, 125, 6),
        (0, 5, 6),
        (0, 0, 3),
    ],
)
def test_changes_fall_into_classes(old: int, new: int, place: int) -> None:
    classes = compare({(1, "USD"): old}, {(1, "USD"): new}, {})["USD"]["classes"]
    assert [index for index, count in enumerate(classes) if count] == [place]
    assert len(classes) == len(CLASSES) + 1


def test_scenarios_are_for_those_who_design_or_pay(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    calculated(cast)
    tried(cast, {"shape": "flat", "rate": "9%"}, "Nine")
    scenario = Scenario.objects.get()
    address = reverse("commissions:scenario_detail", kwargs={"pk": scenario.pk})
    finance, revops = (client_of(name).get(address).content.decode() for name in ("finn", "rita"))
    assert "$90.00" in finance
    assert "Ana Alvarez" in finance
    assert "$90.00" in revops
    assert "Ana Alvarez" not in revops  # revops designs without seeing anybody's pay
    for name in ("ana", "max", "elsa", "ada"):
        assert client_of(name).get(address).status_code in (403, 404)
    with pytest.raises(NotAllowedError):
        create_scenario(actor=cast.actor("max"), name="No", period=scenario.period, changes={}, at=NOW)
    with pytest.raises(CommissionRefusedError, match="at least one"):
        create_scenario(actor=cast.actor("rita"), name="No", period=scenario.period, changes={}, at=NOW)
    with pytest.raises(CommissionRefusedError, match="other periods"):
        create_scenario(
            actor=cast.actor("rita"),
            name="No",
            period=scenario.period,
            changes={scenario.period.pk: definition(FLAT_8) | {"period_kind": "month"}},
            at=NOW,
        )


def test_a_plan_that_was_never_in_force_is_tried_with_the_people_put_on_it(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    calculated(cast)
    plan = create_plan(actor=cast.actor("rita"), name="New", at=NOW)
    words = definition({"shape": "flat", "rate": "2%"})
    save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 7, 1), at=NOW)
    assign_to_plan(
        actor=cast.actor("rita"),
        plan=plan,
        person_id=cast.ana.pk,
        start_on=date(2026, 4, 1),
        currency="USD",
        at=NOW,
    )
    scenario = create_scenario(
        actor=cast.actor("rita"), name="New", period=quarter(2), changes={plan.pk: words}, at=NOW
    )
    result = calculate_scenario(scenario=scenario, at=NOW).result
    assert result is not None
    assert [row[1:] for row in result["USD"]["people"] if row[0] == cast.ana.pk] == [[80_00, 100_00]]
    assert result["USD"]["bookings"] == 1_000_00
