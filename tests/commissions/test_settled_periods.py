"""What plans may say, calculated by the portal: measures, credits, longer periods, and from earned to paid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.test import Client

from salesops.commissions.choices import Cause
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import (
    Adjustment,
    Credit,
    Earning,
    LedgerEntry,
    Period,
    PlanAssignment,
    PlanEvent,
    Quota,
    Statement,
    Transaction,
)
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.settlement.lines import REASONS
from salesops.commissions.rules.verify import disagreements as bundle_disagreements
from salesops.commissions.rules.verify import read
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.deals.models import Deal, DealSplit
from salesops.deals.services import SplitDraft, set_splits
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition, quota, statement_of, won

pytestmark = pytest.mark.django_db


def in_force(cast: Cast, words: dict[str, Any], people: tuple[str, ...] = ("ana",), **of_person: Any) -> None:
    """Put these words in force from the first of January, with people on them."""
    plan = create_plan(actor=cast.actor("rita"), name="Field", at=NOW)
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for person in people:
        assign_to_plan(
            actor=cast.actor("rita"),
            plan=plan,
            person_id=cast.people[person].pk,
            start_on=date(2026, 1, 1),
            currency="USD",
            at=NOW,
            **of_person,
        )


def quarter(number: int, year: int = 2026) -> Period:
    """A quarter, open."""
    return open_period(day=date(year, 3 * number - 2, 1), kind="quarter", time_zone="UTC")


def calculated(cast: Cast, number: int = 2) -> Period:
    """Calculate a quarter."""
    period = quarter(number)
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert disagreements(period) == []
    for statement in Statement.objects.filter(period=period).select_related("plan_version__plan", "person", "period"):
        assert bundle_disagreements(read(bundle_bytes(bundle_of(statement)))) == []
    return period


def locked(cast: Cast, number: int) -> Period:
    """Calculate, approve and lock a quarter."""
    period = calculated(cast, number)
    rows = Statement.objects.filter(period=period).values_list("pk", flat=True)
    approve_statements(actor=cast.actor("finn"), statement_ids=list(rows), at=NOW)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    assert disagreements(period) == []
    return Period.objects.get(pk=period.pk)


def happened(kind: str, key: str, person: Any, day: date, amount_minor: int = 0, quantity: int = 1) -> Transaction:
    """A transaction that comes from no deal."""
    return Transaction.objects.create(
        source_key=key,
        kind=kind,
        effective_on=day,
        amount_minor=amount_minor,
        quantity=quantity,
        currency="USD",
        credited_to=person,
        recorded_at=NOW,
    )


def settlement(statement: Statement) -> list[tuple[str, str, int]]:
    """Kind, reference and amount of the steps from earned to paid."""
    rows = statement.settlement_lines.order_by("position")
    return list(rows.values_list("kind", "reference", "amount_minor"))


def earned(statement: Statement, component: str = "commission") -> list[int]:
    """What each line earned."""
    rows = Earning.objects.filter(statement=statement, component=component).order_by("position")
    return list(rows.values_list("amount_minor", flat=True))


def test_held_meetings_are_counted_against_a_quota_of_meetings(cast: Cast) -> None:
    words = definition(
        {"shape": "marginal", "tiers": [{"from": "0", "rate": "50 each"}, {"from": "100%", "rate": "75 each"}]}
    )
    words["components"][0] |= {"measure": "count", "counts": ["meeting"], "quota_name": "meetings"}
    in_force(cast, words, ("sam",))
    Quota.objects.create(
        person=cast.sam, measure="meetings", start_on=date(2026, 4, 1), end_on=date(2026, 7, 1), amount_minor=3
    )
    for number in range(5):
        happened("meeting", f"m{number}", cast.sam, date(2026, 4, 10 + number))
    happened("meeting", "of nobody on a plan", cast.carl, date(2026, 4, 20))
    won(cast, "sam", 9_000_00)
    calculated(cast)
    statement = statement_of(cast, "sam")
    assert earned(statement) == [50_00, 50_00, 50_00, 75_00, 75_00]
    assert (statement.earned_minor, statement.payout_minor) == (300_00, 300_00)
    assert [(terms["quota"], terms["reached"]) for terms in statement.terms] == [(3, 5)]
    assert statement.quota_minor is None  # three meetings are no amount of money


def test_an_amount_is_made_by_a_formula_from_what_the_portal_knows(cast: Cast) -> None:
    words = definition(FLAT_8)
    words["components"][0]["amount"] = "amount * min(term_months, 36) / 12"
    in_force(cast, words)
    for key, months in (("one year", 12), ("three years", 36), ("five years", 60)):
        row = happened("booking", key, cast.ana, date(2026, 4, 10), 1_000_00)
        row.attributes = {"term_months": months}
        row.save()
    happened("booking", "unknown", cast.ana, date(2026, 4, 11), 1_000_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert earned(statement) == [240_00, 80_00, 240_00]  # by key: five, one, three
    assert statement.credited_minor == 4_000_00
    # What has no term has no value: it is said, and holds nothing else up.
    assert [problem["code"] for problem in period_problems()] == ["formula-without-value"]


def period_problems() -> list[dict[str, Any]]:
    """What the last calculation found wanting."""
    return list(quarter(2).calculations.order_by("-number")[0].problems)


def test_a_manager_is_paid_on_what_the_people_below_sold_on_the_day(cast: Cast) -> None:
    words = definition({"shape": "flat", "rate": "1%"})
    words["components"][0]["crediting"] = ["roll_up"]
    in_force(cast, words, ("max", "elsa"))
    won(cast, "ana", 1_000_00, date(2026, 4, 10))
    won(cast, "alba", 2_000_00, date(2026, 4, 10))
    moved = cast.alba.manager_lines.get()
    moved.end_on = date(2026, 5, 1)
    moved.save()
    cast.alba.manager_lines.create(manager=cast.max, start_on=date(2026, 5, 1))
    won(cast, "alba", 4_000_00, date(2026, 5, 1))
    calculated(cast)
    assert statement_of(cast, "max").earned_minor == 50_00  # 1,000 of Ana, 4,000 of Alba since May
    assert statement_of(cast, "elsa").earned_minor == 70_00
    assert list(Credit.objects.order_by().values_list("rule", flat=True).distinct()) == ["roll_up"]


def test_a_pod_is_paid_together(cast: Cast) -> None:
    words = definition({"shape": "flat", "rate": "1%"})
    words["components"][0]["crediting"] = ["pod"]
    in_force(cast, words, ("sam", "ana", "carl", "alba"))
    won(cast, "ana", 1_000_00)
    calculated(cast)
    assert [statement_of(cast, name).earned_minor for name in ("sam", "ana", "carl", "alba")] == [
        10_00,
        10_00,
        10_00,
        0,
    ]


def test_credits_of_a_year_add_up_and_are_paid_by_the_quarter(cast: Cast) -> None:
    words = definition(
        {"shape": "retroactive", "tiers": [{"from": "0", "rate": "5%"}, {"from": "10000.00", "rate": "10%"}]}
    )
    words["components"][0]["period_kind"] = "year"
    in_force(cast, words)
    won(cast, "ana", 8_000_00, date(2026, 2, 10))
    won(cast, "ana", 4_000_00, date(2026, 5, 10))
    locked(cast, 1)
    calculated(cast, 2)
    assert statement_of(cast, "ana", quarter(1)).earned_minor == 400_00
    second = statement_of(cast, "ana", quarter(2))
    assert second.earned_minor == 800_00  # 10 % of 12,000, less the 400 of the first quarter
    line = second.earnings.get()
    assert (line.from_minor, line.to_minor) == (8_000_00, 12_000_00)


def test_each_transaction_may_walk_by_itself(cast: Cast) -> None:
    words = definition(
        {"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "1000.00", "rate": "10%"}]}
    )
    words["components"][0]["scope"] = "transaction"
    in_force(cast, words)
    won(cast, "ana", 1_500_00, date(2026, 4, 10))
    won(cast, "ana", 1_500_00, date(2026, 4, 11))
    calculated(cast)
    assert earned(statement_of(cast, "ana")) == [100_00, 100_00]


def test_the_quota_grows_with_the_ramp_of_a_new_person(cast: Cast) -> None:
    words = definition({"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]})
    words["ramp"] = ["25%", "50%", "75%"]
    in_force(cast, words, ("ana", "sam"))
    cast.ana.started_on = date(2026, 4, 1)
    cast.ana.save()
    for person in ("ana", "sam"):
        quota(cast, person, "2026Q2", 12_000_00)
    calculated(cast)
    assert (statement_of(cast, "ana").quota_minor, statement_of(cast, "sam").quota_minor) == (6_000_00, 12_000_00)


# --- From earned to paid ------------------------------------------------------------------------------------------


def with_settlement(**settlement_words: Any) -> dict[str, Any]:
    """Eight per cent, settled like this."""
    return definition(FLAT_8) | {"settlement": settlement_words}


def test_a_cap_cuts_what_is_paid_and_the_ledger_knows(cast: Cast) -> None:
    in_force(cast, with_settlement(limits=[{"cap": "500.00"}]))
    won(cast, "ana", 10_000_00)
    period = locked(cast, 2)
    statement = statement_of(cast, "ana", period)
    assert (statement.earned_minor, statement.payout_minor) == (800_00, 500_00)
    assert sum(amount for kind, _reference, amount in settlement(statement) if kind == "cap") == -300_00
    owed = LedgerEntry.objects.filter(account="owed").aggregate(total=Sum("amount_minor"))["total"]
    assert owed == 500_00
    assert LedgerEntry.objects.aggregate(total=Sum("amount_minor"))["total"] == 0


def test_a_draw_is_advanced_and_taken_back_from_later_pay(cast: Cast) -> None:
    in_force(cast, with_settlement(draw={"amount": "1000.00", "kind": "recoverable"}))
    won(cast, "ana", 5_000_00, date(2026, 2, 10))  # earns 400
    won(cast, "ana", 20_000_00, date(2026, 5, 10))  # earns 1,600
    first = statement_of(cast, "ana", locked(cast, 1))
    assert (first.earned_minor, first.payout_minor) == (400_00, 1_000_00)
    second = statement_of(cast, "ana", locked(cast, 2))
    assert (second.earned_minor, second.payout_minor) == (1_600_00, 1_000_00)
    assert [line[::2] for line in settlement(second)] == [("draw_recovery", -600_00)]
    advanced = LedgerEntry.objects.filter(account="advanced").aggregate(total=Sum("amount_minor"))["total"]
    assert advanced == 0


def test_pay_is_held_until_the_customer_pays(cast: Cast) -> None:
    in_force(cast, with_settlement(releases=[{"kind": "on_payment"}]))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    first = statement_of(cast, "ana", locked(cast, 1))
    assert (first.earned_minor, first.payout_minor) == (80_00, 0)
    PlanEvent.objects.create(
        plan=first.plan_version.plan,
        kind="payment",
        on=date(2026, 4, 20),
        reference=f"deal:{deal.pk}:booking",
        amount_minor=500_00,
        of_minor=1_000_00,
        recorded_at=NOW,
    )
    second = statement_of(cast, "ana", locked(cast, 2))
    assert (second.earned_minor, second.payout_minor) == (0, 40_00)
    assert [(kind, amount) for kind, _reference, amount in settlement(second)] == [("release", 40_00)]
    held = LedgerEntry.objects.filter(account="held").aggregate(total=Sum("amount_minor"))["total"]
    assert held == 40_00


def test_a_bonus_and_an_objective_are_paid_beside_the_curve(cast: Cast) -> None:
    in_force(
        cast,
        with_settlement(
            objectives=[{"key": "pipeline", "weight": "20%"}],
            bonuses=[{"key": "logo", "pays": "250.00", "most_count": 1}],
        ),
        target_pay_minor=1_000_00,
    )
    plan = Statement._meta.get_field("plan_version").related_model.objects.get().plan
    for kind, reference, share in (("objective", "pipeline", "0.5"), ("bonus", "logo", None), ("bonus", "logo", None)):
        PlanEvent.objects.create(
            plan=plan,
            person=cast.ana,
            kind=kind,
            on=date(2026, 5, 1),
            reference=reference,
            share=share,
            recorded_at=NOW,
        )
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert statement.payout_minor == 350_00  # half of 20 % of 1,000, and the first of two logos
    assert [(kind, amount) for kind, _reference, amount in settlement(statement)] == [
        ("objective", 100_00),
        ("bonus", 250_00),
        ("bonus", 0),
    ]


def test_the_pod_s_attainment_multiplies_pay(cast: Cast) -> None:
    rows = [{"at": "0%", "factor": "50%"}, {"at": "100%", "factor": "120%"}]
    in_force(
        cast,
        with_settlement(multiplier={"kind": "steps", "components": ["commission"], "rows": rows}),
        ("sam", "ana", "carl"),
    )
    for person in ("sam", "ana", "carl"):
        quota(cast, person, "2026Q2", 1_000_00)
    won(cast, "ana", 3_000_00)
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 288_00  # 240 times 120 %: the pod reached 3,000 of 3,000
    won(cast, "carl", -1_00)
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 120_00


def test_less_than_nothing_is_carried_into_the_next_period(cast: Cast) -> None:
    in_force(cast, definition(FLAT_8))
    won(cast, "ana", -1_000_00, date(2026, 2, 10))
    won(cast, "ana", 5_000_00, date(2026, 5, 10))
    first = statement_of(cast, "ana", locked(cast, 1))
    assert (first.earned_minor, first.payout_minor) == (-80_00, 0)
    second = statement_of(cast, "ana", locked(cast, 2))
    assert (second.earned_minor, second.payout_minor) == (400_00, 320_00)
    assert [(kind, amount) for kind, _reference, amount in settlement(second)] == [("brought_forward", -80_00)]
    assert LedgerEntry.objects.filter(account="taken").aggregate(total=Sum("amount_minor"))["total"] == 0


def test_a_period_is_locked_on_balances_that_are_locked_and_are_what_was_reckoned_with(cast: Cast) -> None:
    in_force(cast, with_settlement(draw={"amount": "1000.00", "kind": "recoverable"}))
    early = won(cast, "ana", 1_000_00, date(2026, 2, 1))
    calculated(cast, 1)
    calculated(cast, 2)
    for number in (1, 2):
        rows = Statement.objects.filter(period=quarter(number)).values_list("pk", flat=True)
        approve_statements(actor=cast.actor("finn"), statement_ids=list(rows), at=NOW)
    with pytest.raises(CommissionRefusedError, match=r"is not locked yet: Ana Alvarez\. Lock it"):
        lock_period(actor=cast.actor("finn"), period=quarter(2), at=NOW)
    early.amount_minor = 2_000_00
    early.save()
    locked(cast, 1)
    with pytest.raises(CommissionRefusedError, match=r"has changed since: Ana Alvarez\. Calculate again"):
        lock_period(actor=cast.actor("finn"), period=quarter(2), at=NOW)
    locked(cast, 2)
    advanced = LedgerEntry.objects.filter(account="advanced").aggregate(total=Sum("amount_minor"))["total"]
    assert advanced == -(1_000_00 - 160_00 + 1_000_00)


def test_a_new_version_stands_on_what_the_old_one_handed_on(cast: Cast) -> None:
    """The quarter was calculated under the old version already, which hands nothing on any more: the new one does."""
    in_force(cast, with_settlement(draw={"amount": "1000.00", "kind": "recoverable"}), ("ana", "sam"))
    won(cast, "ana", 5_000_00, date(2026, 2, 10))  # earns 400, of 1,000
    won(cast, "ana", 20_000_00, date(2026, 5, 10))
    calculated(cast, 2)
    plan = Statement.objects.all()[0].plan_version.plan
    draft = save_draft(
        actor=cast.actor("rita"),
        plan=plan,
        definition=definition({"shape": "flat", "rate": "10%"}),
        start_on=date(2026, 4, 1),
        at=NOW,
    )
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    locked(cast, 1)
    locked(cast, 2)
    found = Statement.objects.filter(person=cast.ana).order_by("period__start_on", "plan_version__number")
    rows = found.values_list("period__label", "plan_version__number", "earned_minor", "payout_minor")
    assert list(rows) == [("2026Q1", 1, 400_00, 1_000_00), ("2026Q2", 1, 0, 0), ("2026Q2", 2, 2_000_00, 1_400_00)]
    assert settlement(found[1]) == []
    advanced = LedgerEntry.objects.filter(person=cast.ana, account="advanced")
    assert advanced.aggregate(total=Sum("amount_minor"))["total"] == 0


def test_what_somebody_owes_is_not_forgotten_while_they_are_off_the_plan(cast: Cast) -> None:
    """Whether the quarter in between had been calculated before they left it, or not."""
    in_force(cast, definition(FLAT_8))
    won(cast, "ana", -1_000_00, date(2026, 2, 10))
    won(cast, "ana", 5_000_00, date(2026, 8, 10))
    calculated(cast, 2)
    locked(cast, 1)
    calculated(cast, 2)
    PlanAssignment.objects.update(end_on=date(2026, 4, 1))
    PlanAssignment.objects.create(
        plan=Statement.objects.all()[0].plan_version.plan, person=cast.ana, start_on=date(2026, 7, 1), currency="USD"
    )
    second = statement_of(cast, "ana", locked(cast, 2))
    assert (second.payout_minor, second.owed_minor, settlement(second)) == (0, 0, [])
    third = statement_of(cast, "ana", locked(cast, 3))
    assert (third.earned_minor, third.payout_minor) == (400_00, 320_00)


# --- What is taken back, and late changes -------------------------------------------------------------------------


def refund(deal: Deal, amount_minor: int, day: date, key: str = "refund") -> Transaction:
    """A part of a deal's booking is taken back."""
    return Transaction.objects.create(
        source_key=key,
        kind="refund",
        deal=deal,
        effective_on=day,
        amount_minor=amount_minor,
        currency=deal.currency,
        reverses=Transaction.objects.get(source_key=f"deal:{deal.pk}:booking"),
        recorded_at=NOW,
    )


def test_a_refund_of_a_locked_quarter_takes_back_exactly_what_it_had_earned(cast: Cast) -> None:
    in_force(
        cast,
        definition({"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "1000.00", "rate": "10%"}]}),
        ("ana", "sam"),
    )
    deal = won(cast, "ana", 1_000_01, date(2026, 2, 10))
    won(cast, "ana", 1_000_00, date(2026, 2, 11))  # at 10 %
    DealSplit.objects.create(deal=deal, person=cast.ana, share_bp=6_667)
    DealSplit.objects.create(deal=deal, person=cast.sam, share_bp=3_333)
    locked(cast, 1)
    before = {name: statement_of(cast, name, quarter(1)).earned_minor for name in ("ana", "sam")}
    deal_earned = {
        name: Earning.objects.get(person=cast.people[name], credit__transaction__deal=deal).amount_minor
        for name in ("ana", "sam")
    }
    refund(deal, -400_00, date(2026, 4, 20), "a part")
    refund(deal, -600_01, date(2026, 5, 20), "the rest")
    won(cast, "ana", 10_000_00, date(2026, 4, 1))
    won(cast, "sam", 10_000_00, date(2026, 4, 1))
    locked(cast, 2)
    for name in ("ana", "sam"):
        rows = Earning.objects.filter(person=cast.people[name], credit__transaction__deal=deal)
        assert rows.aggregate(total=Sum("amount_minor"))["total"] == 0
        assert statement_of(cast, name, quarter(1)).earned_minor == before[name]
        assert statement_of(cast, name, quarter(2)).payout_minor == 950_00 - deal_earned[name]
    # Whoever was helped along the curve by the deal stays there.
    assert Adjustment.objects.count() == 0


@pytest.mark.parametrize("numbers", [(1, 1), (2, 2), (2, 3)], ids=["at once", "a quarter later", "in two quarters"])
def test_what_is_taken_back_in_halves_is_the_whole_to_the_cent(cast: Cast, numbers: tuple[int, int]) -> None:
    """Half of five cents is three, and so is the other half: the second takes back what the first has left."""
    in_force(cast, definition({"shape": "flat", "rate": "5%"}))
    deal = won(cast, "ana", 1_00, date(2026, 2, 10))
    calculated(cast, 1)
    for place, number in enumerate(numbers):
        if number > 1 and quarter(number - 1).state == "open":
            locked(cast, number - 1)
        refund(deal, -50, date(2026, 3 * number, 1 + place), f"half {place}")
    calculated(cast, numbers[1])
    taken = Earning.objects.filter(credit__transaction__kind="refund").order_by("credit__effective_on")
    assert list(taken.values_list("amount_minor", flat=True)) == [-3, -2]
    assert Earning.objects.aggregate(total=Sum("amount_minor"))["total"] == 0


def adjustments(period: Period) -> list[tuple[str, str, int, int, int]]:
    """Whose, why, how much, what was paid, what is due."""
    rows = Adjustment.objects.filter(period=period).order_by("person__name", "about_transaction__source_key", "pk")
    return list(rows.values_list("person__name", "cause", "amount_minor", "paid_minor", "due_minor"))


def test_a_deal_edited_after_the_lock_comes_as_an_adjustment_with_its_cause(cast: Cast) -> None:
    in_force(cast, definition(FLAT_8))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    first = locked(cast, 1)
    digest = statement_of(cast, "ana", first).digest
    deal.amount_minor = 1_500_00
    deal.save()
    second = locked(cast, 2)
    assert adjustments(second) == [("Ana Alvarez", "deal_edited", 40_00, 80_00, 120_00)]
    assert statement_of(cast, "ana", second).payout_minor == 40_00
    assert [line[::2] for line in settlement(statement_of(cast, "ana", second))] == [("adjustment", 40_00)]
    assert statement_of(cast, "ana", first).digest == digest
    # Once adjusted, it is adjusted.
    assert adjustments(calculated(cast, 3)) == []
    deal.amount_minor = 1_000_00
    deal.save()
    assert adjustments(calculated(cast, 3)) == [("Ana Alvarez", "deal_edited", -40_00, 120_00, 80_00)]


def test_a_deal_that_moves_out_of_a_locked_quarter_is_not_paid_twice(cast: Cast) -> None:
    in_force(cast, definition(FLAT_8))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    locked(cast, 1)
    deal.closed_on = date(2026, 4, 2)
    deal.save()
    second = locked(cast, 2)
    assert adjustments(second) == []
    assert statement_of(cast, "ana", second).payout_minor == 0
    deal.amount_minor = 900_00
    deal.save()
    assert adjustments(calculated(cast, 3)) == [("Ana Alvarez", "deal_edited", -8_00, 80_00, 72_00)]


def test_a_refund_that_comes_after_the_lock_says_that_it_is_one(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """It is dated into the locked quarter: what it takes back stands in the next statement, with its cause."""
    in_force(cast, definition(FLAT_8))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    digest = statement_of(cast, "ana", locked(cast, 1)).digest
    late = refund(deal, -500_00, date(2026, 3, 20))
    assert adjustments(calculated(cast, 2)) == [("Ana Alvarez", "refund_late", -40_00, 0, -40_00)]
    assert Adjustment.objects.get().about_transaction == late
    statement = statement_of(cast, "ana", quarter(2))
    page = client_of("ana").get(f"/commissions/statements/{statement.pk}/").content.decode()
    assert "What is taken back in 2026Q1 became known after it was locked." in page
    assert statement_of(cast, "ana", quarter(1)).digest == digest


def test_every_cause_of_a_late_change_can_be_said() -> None:
    assert {f"late-{cause.value}" for cause in Cause} == {code for code in REASONS if code.startswith("late-")}


def test_every_late_change_names_its_cause(cast: Cast) -> None:
    words = definition({"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]})
    in_force(cast, words, ("ana", "sam", "alba"))
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q1", 1_000_00)
    gone = won(cast, "ana", 500_00, date(2026, 1, 10))
    won(cast, "ana", 800_00, date(2026, 1, 11))
    given = won(cast, "sam", 100_00, date(2026, 1, 12))
    won(cast, "alba", 1_500_00, date(2026, 1, 13))
    locked(cast, 1)
    gone.kind = "lost"
    gone.save()
    given.owner = cast.alba
    given.save()
    won(cast, "sam", 300_00, date(2026, 1, 20))
    quota(cast, "alba", "2026Q1", 1_200_00)
    assert adjustments(calculated(cast, 2)) == [
        # 100 of Sam's were at the end of Alba's way: at 10 % now. Her 1,500 then begin at 100 of a quota of 1,200.
        ("Alba Abe", "owner", 5_00, 0, 5_00),
        ("Alba Abe", "quota", -5_00, 100_00, 95_00),
        ("Ana Alvarez", "deal_gone", -25_00, 25_00, 0),
        # 800 from 500 on: 500 at 5 %, 300 at 10 %. Now all of it at 5 %.
        ("Ana Alvarez", "along_the_curve", -15_00, 55_00, 40_00),
        ("Sam Sorensen", "owner", -5_00, 5_00, 0),
        ("Sam Sorensen", "deal_late", 15_00, 0, 15_00),
    ]
    # The whole of both quarters is what one calculation of today would pay.
    total = sum(row[2] for row in adjustments(quarter(2))) + sum(
        Statement.objects.filter(period=quarter(1)).values_list("payout_minor", flat=True)
    )
    assert total == 95_00 + 5_00 + 40_00 + 15_00


def test_late_changes_pass_the_cap_of_the_period_they_belong_to(cast: Cast) -> None:
    in_force(cast, with_settlement(limits=[{"cap": "100.00"}]))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))  # earns 80
    locked(cast, 1)
    deal.amount_minor = 2_000_00  # would earn 160, of which the cap leaves 100
    deal.save()
    assert adjustments(calculated(cast, 2)) == [("Ana Alvarez", "deal_edited", 20_00, 80_00, 100_00)]
    assert statement_of(cast, "ana").payout_minor == 20_00


def test_a_late_change_of_something_held_changes_what_is_held(cast: Cast) -> None:
    in_force(cast, with_settlement(releases=[{"kind": "on_payment"}]))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    locked(cast, 1)
    deal.amount_minor = 250_00
    deal.save()
    second = statement_of(cast, "ana", locked(cast, 2))
    assert second.payout_minor == 0
    held = LedgerEntry.objects.filter(account="held").aggregate(total=Sum("amount_minor"))["total"]
    assert held == 20_00
    assert adjustments(calculated(cast, 3)) == []


def test_calculating_twice_writes_nothing_the_second_time(cast: Cast) -> None:
    in_force(cast, with_settlement(draw={"amount": "1000.00"}, limits=[{"cap": "900.00"}]))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    locked(cast, 1)
    deal.amount_minor = 2_000_00
    deal.save()
    calculated(cast, 2)
    calculated(cast, 2)
    runs = quarter(2).calculations.order_by("number")
    assert [run.totals["written"] for run in runs] == [1, 0]


def test_a_refund_takes_back_what_the_cap_had_left_of_it(cast: Cast) -> None:
    in_force(cast, with_settlement(limits=[{"cap": "60.00"}]))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))  # earns 80, of which the cap leaves 60
    won(cast, "ana", 10_000_00, date(2026, 5, 10))
    locked(cast, 1)
    refund(deal, -1_000_00, date(2026, 4, 20))
    statement = statement_of(cast, "ana", locked(cast, 2))
    assert earned(statement) == [-80_00, 800_00]
    assert settlement(statement) == [("cap", f"deal:{deal.pk + 1}:booking", -740_00), ("reversal", "refund", 20_00)]
    assert statement.payout_minor == 0


def test_a_clawback_schedule_says_how_much_comes_back(cast: Cast) -> None:
    steps = [{"until_days": 60, "share": "100%"}, {"until_days": 120, "share": "50%"}]
    in_force(cast, with_settlement(clawback={"steps": steps}))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    won(cast, "ana", 1_000_00, date(2026, 5, 10))
    locked(cast, 1)
    refund(deal, -1_000_00, date(2026, 4, 30))  # 79 days after the booking
    statement = statement_of(cast, "ana", locked(cast, 2))
    assert settlement(statement) == [("clawback_waived", "refund", 40_00)]
    assert (statement.earned_minor, statement.payout_minor) == (0, 40_00)


def test_a_specialist_is_credited_on_top(cast: Cast) -> None:
    words = definition({"shape": "flat", "rate": "10%"})
    words["components"][0]["crediting"] = ["split", "owner", "overlay"]
    in_force(cast, words, ("ana", "sam", "carl"))
    alone, shared = won(cast, "ana", 1_000_00), won(cast, "ana", 2_000_00)
    splits = [SplitDraft(cast.carl.pk, 2_500, "csm", is_overlay=True)]
    set_splits(actor=cast.actor("rita"), deal_id=alone.pk, version=alone.version, splits=splits, at=NOW)
    splits += [SplitDraft(cast.ana.pk, 6_000), SplitDraft(cast.sam.pk, 4_000)]
    set_splits(actor=cast.actor("rita"), deal_id=shared.pk, version=shared.version, splits=splits, at=NOW)
    calculated(cast)
    earned_by = {name: statement_of(cast, name).earned_minor for name in ("ana", "sam", "carl")}
    # Ana has the whole of the first and 60 % of the second; Carl a quarter of both, which nobody pays for.
    assert earned_by == {"ana": 100_00 + 120_00, "sam": 80_00, "carl": 25_00 + 50_00}
    shared.refresh_from_db()
    with pytest.raises(ValidationError, match="add up to 60 %"):
        set_splits(actor=cast.actor("rita"), deal_id=shared.pk, version=shared.version, splits=splits[:2], at=NOW)


def test_one_person_in_two_functions_with_the_same_share_has_both(cast: Cast) -> None:
    in_force(cast, definition({"shape": "flat", "rate": "10%"}))
    deal = won(cast, "ana", 1_000_00)
    DealSplit.objects.create(deal=deal, person=cast.ana, function="ae", share_bp=5_000)
    DealSplit.objects.create(deal=deal, person=cast.ana, function="sdr", share_bp=5_000)
    Deal.objects.bulk_create(
        Deal(
            name="x",
            stage=deal.stage,
            kind="won",
            amount_minor=0,
            currency="USD",
            closed_on=date(2026, 5, 1),
            created_at=NOW,
            owner=cast.ana,
        )
        for _ in range(1_000)
    )
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 100_00


def refunded(booking: Transaction, day: date, amount_minor: int) -> Transaction:
    """A part of a booking, taken back on a day."""
    return Transaction.objects.create(
        source_key=f"refund {day} {booking.pk}",
        kind="refund",
        effective_on=day,
        amount_minor=-amount_minor,
        currency="USD",
        reverses=booking,
        recorded_at=NOW,
    )


def all_in_all(person: Any) -> int:
    """What somebody earned over all periods, late changes included."""
    rows = Statement.objects.filter(person=person).aggregate(sum=Sum("earned_minor"))["sum"]
    late = Adjustment.objects.filter(person=person, kind="late").aggregate(sum=Sum("amount_minor"))["sum"]
    return int(rows or 0) + int(late or 0)


def test_what_a_late_change_gave_is_taken_back_with_the_deal(cast: Cast) -> None:
    """Ana's deal of the first quarter becomes Sam's; then the customer takes the money back, in two parts."""
    in_force(cast, definition(FLAT_8), ("ana", "sam"))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 3))
    locked(cast, 1)
    Deal.objects.filter(pk=deal.pk).update(owner=cast.sam)
    locked(cast, 2)
    assert (all_in_all(cast.ana), all_in_all(cast.sam)) == (0, 80_00)
    booking = Transaction.objects.get()
    refunded(booking, date(2026, 7, 1), 333_33)
    locked(cast, 3)
    assert earned(statement_of(cast, "sam", quarter(3))) == [-26_67]
    refunded(booking, date(2026, 10, 1), 666_67)
    calculated(cast, 4)
    line = Earning.objects.get(statement=statement_of(cast, "sam", quarter(4)))
    assert (line.amount_minor, line.credit.rule, line.credit.share_bp) == (-53_33, "owner", 10_000)
    assert (all_in_all(cast.ana), all_in_all(cast.sam)) == (0, 0)
    calculate_period(actor=cast.actor("rita"), period=quarter(4), at=NOW)
    assert quarter(4).calculations.order_by("-number")[0].totals["written"] == 0


def test_a_deal_given_away_after_it_was_refunded_leaves_everybody_at_nothing(cast: Cast) -> None:
    in_force(cast, definition(FLAT_8), ("ana", "sam"))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 3))
    locked(cast, 1)
    refunded(Transaction.objects.get(), date(2026, 5, 4), 1_000_00)
    locked(cast, 2)
    assert earned(statement_of(cast, "ana", quarter(2))) == [-80_00]
    Deal.objects.filter(pk=deal.pk).update(owner=cast.sam)
    calculated(cast, 3)
    found = Adjustment.objects.order_by("about_period__start_on", "person__name")
    assert [(row.about_period.label, row.person.name, row.amount_minor) for row in found if row.about_period] == [
        ("2026Q1", "Ana Alvarez", -80_00),
        ("2026Q1", "Sam Sorensen", 80_00),
        ("2026Q2", "Ana Alvarez", 80_00),
        ("2026Q2", "Sam Sorensen", -80_00),
    ]
    assert (all_in_all(cast.ana), all_in_all(cast.sam)) == (0, 0)
