"""[start, end) wherever pay asks for days: the first day counts, the first day after does not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Adjustment, Credit, Earning, Plan, PlanAssignment, Statement, Transaction
from salesops.commissions.selectors.cost import cost_of_sales, periods_between
from salesops.commissions.selectors.events import is_locked_on
from salesops.commissions.selectors.facts import versions_in
from salesops.commissions.selectors.plans import to_acknowledge
from salesops.commissions.selectors.transactions import is_late
from salesops.commissions.services.adjustments import prepare_adjustment
from salesops.commissions.services.calculate import calculate_period, calculate_touched
from salesops.commissions.services.plans import activate_version, assign_to_plan, save_draft
from salesops.commissions.services.touched import touched_since
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal, Stage
from salesops.deals.services import edit_deal
from salesops.people.models import FunctionAssignment
from salesops.pods.models import PodMembership
from tests.cast import NOW, SINCE, Cast
from tests.commissions.pay import FLAT_8, definition, plan_in_force, quota, statement_of, won
from tests.commissions.test_settled_periods import calculated, earned, in_force, locked, quarter, refunded

pytestmark = pytest.mark.django_db

MARCH_31, APRIL_1, JUNE_30, JULY_1 = date(2026, 3, 31), date(2026, 4, 1), date(2026, 6, 30), date(2026, 7, 1)
MAY_3, MAY_4 = date(2026, 5, 3), date(2026, 5, 4)
EDGES = (MARCH_31, APRIL_1, JUNE_30, JULY_1)


def version_from(cast: Cast, plan: Plan, day: date, rate: str = "10%") -> None:
    """Another version of a plan, in force from a day."""
    words = definition({"shape": "flat", "rate": rate})
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=day, at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)


def on_plan(cast: Cast, plan: Plan, name: str, start_on: date, end_on: date | None = None) -> PlanAssignment:
    """Put somebody on a plan for [start, end)."""
    return assign_to_plan(
        actor=cast.actor("rita"), plan=plan, person_id=cast.people[name].pk, start_on=start_on, end_on=end_on,
        currency="USD", at=NOW,
    )  # fmt: skip


def credited_days(number: int) -> list[date]:
    """The days of what a quarter credits."""
    rows = Credit.objects.filter(statement__period=quarter(number)).order_by("effective_on")
    return list(rows.values_list("effective_on", flat=True))


@pytest.mark.parametrize("kind", ["quarter", "year"])
def test_a_deal_is_booked_and_credited_in_the_quarter_of_its_day(cast: Cast, kind: str) -> None:
    words = definition(FLAT_8)
    words["components"][0]["period_kind"] = kind
    in_force(cast, words)
    for day in EDGES:
        won(cast, "ana", 1_000_00, day)
    calculated(cast, 2)
    assert list(Transaction.objects.order_by("effective_on").values_list("effective_on", flat=True)) == [
        APRIL_1,
        JUNE_30,
    ]
    assert credited_days(2) == [APRIL_1, JUNE_30]
    assert earned(statement_of(cast, "ana", quarter(2))) == [80_00, 80_00]
    for number in (1, 3, 2):
        calculated(cast, number)
    assert (credited_days(1), credited_days(2), credited_days(3)) == ([MARCH_31], [APRIL_1, JUNE_30], [JULY_1])


def test_a_quarter_mends_the_bookings_of_its_own_days(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    for day in EDGES:
        won(cast, "ana", 1_000_00, day)
    for number in (1, 2, 3):
        calculated(cast, number)
    Deal.objects.update(amount_minor=2_000_00)
    calculated(cast, 2)
    rows = Transaction.objects.order_by("effective_on").values_list("amount_minor", flat=True)
    assert list(rows) == [1_000_00, 2_000_00, 2_000_00, 1_000_00]
    stage = Stage.objects.filter(kind="open").order_by("position")[0]
    Deal.objects.update(kind="open", stage=stage, closed_on=None)
    calculated(cast, 2)
    assert list(Transaction.objects.order_by("effective_on").values_list("is_void", flat=True)) == [
        False,
        True,
        True,
        False,
    ]


def test_what_moves_to_the_first_day_of_a_quarter_moves_into_it(cast: Cast) -> None:
    """Both were paid in the first quarter; the one that moves behind the second is no business of the second."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    into, behind = (won(cast, "ana", 1_000_00, MARCH_31, name=name) for name in ("into", "behind"))
    locked(cast, 1)
    Deal.objects.filter(pk=into.pk).update(closed_on=APRIL_1)
    Deal.objects.filter(pk=behind.pk).update(closed_on=JULY_1)
    period = calculated(cast, 2)
    told = [problem["where"] for problem in period.calculations.get().problems]
    assert told == [f"deal:{into.pk}:booking"]
    assert credited_days(2) == []
    # One that was booked in the second quarter leaves it for the first day of the third.
    moved = won(cast, "ana", 500_00, JUNE_30)
    calculated(cast, 2)
    assert credited_days(2) == [JUNE_30]
    Deal.objects.filter(pk=moved.pk).update(closed_on=JULY_1)
    calculated(cast, 2)
    assert credited_days(2) == []


def test_versions_of_a_plan_hold_from_their_first_day_to_the_day_before_the_next(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=())
    version_from(cast, plan, APRIL_1)
    version_from(cast, plan, JULY_1)
    assert [[row.number for row in versions_in(quarter(number)).values()] for number in (1, 2, 3)] == [[1], [2], [3]]


def test_somebody_has_a_statement_under_the_versions_of_their_days_only(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=())
    version_from(cast, plan, MAY_4)
    on_plan(cast, plan, "ana", SINCE, MAY_4)
    on_plan(cast, plan, "sam", MAY_4)
    for name in ("ana", "sam"):
        for day in (MAY_3, MAY_4):
            won(cast, name, 1_000_00, day)
    calculated(cast)
    rows = Statement.objects.order_by("person__name").values_list(
        "person__name", "plan_version__number", "earned_minor"
    )
    assert list(rows) == [("Ana Alvarez", 1, 80_00), ("Sam Sorensen", 2, 100_00)]


def test_who_left_a_plan_of_the_year_on_the_first_day_has_no_statement(cast: Cast) -> None:
    words = definition(FLAT_8)
    words["components"][0]["period_kind"] = "year"
    in_force(cast, words, ())
    plan = Plan.objects.get()
    on_plan(cast, plan, "ana", date(2026, 1, 1), APRIL_1)
    on_plan(cast, plan, "sam", date(2026, 1, 1), date(2026, 4, 2))
    calculated(cast)
    assert list(Statement.objects.values_list("person__name", flat=True)) == ["Sam Sorensen"]


def test_the_quota_of_the_quarter_is_none_of_its_neighbours(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    for label, amount in (("2026Q1", 100_00), ("2026Q2", 200_00), ("2026Q3", 400_00)):
        quota(cast, "ana", label, amount)
    calculated(cast)
    assert statement_of(cast, "ana").quota_minor == 200_00


def test_a_credit_names_the_function_of_its_day(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    FunctionAssignment.objects.filter(person=cast.ana).update(end_on=MAY_4, function="sdr")
    FunctionAssignment.objects.create(person=cast.ana, function="ae", start_on=MAY_4, end_on=JUNE_30)
    for day in (MAY_3, MAY_4, JUNE_30):
        won(cast, "ana", 1_000_00, day)
    calculated(cast)
    assert list(Credit.objects.order_by("effective_on").values_list("function", flat=True)) == ["sdr", "ae", ""]


@pytest.mark.parametrize(("day", "credited"), [(date(2026, 5, 8), 2_000_00), (date(2026, 5, 9), 0)])
def test_a_rate_of_exchange_is_good_for_seven_days(cast: Cast, day: date, credited: int) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    ExchangeRate.objects.create(on=date(2026, 5, 1), base="EUR", quote="USD", rate=Decimal(2), source="ecb")
    won(cast, "ana", 1_000_00, day, currency="EUR")
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert statement.credited_minor == credited
    assert [problem["code"] for problem in statement.problems] == ([] if credited else ["rate-missing"])


def test_what_is_taken_back_on_the_first_day_is_taken_back_in_that_quarter(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00, MARCH_31)
    own = won(cast, "ana", 300_00, APRIL_1)
    locked(cast, 1)
    booking = Transaction.objects.get(effective_on=MARCH_31)
    half = refunded(booking, APRIL_1, 500_00)
    refunded(booking, JULY_1, 500_00)
    calculated(cast, 2)
    # What is won and taken back on the first day is of this quarter, not of an earlier one.
    refund = refunded(Transaction.objects.get(deal=own), APRIL_1, 300_00)
    calculated(cast, 2)
    rows = Earning.objects.filter(statement__period=quarter(2)).order_by("credit__transaction__source_key")
    assert dict(rows.values_list("credit__transaction__source_key", "amount_minor")) == {
        f"deal:{own.pk}:booking": 24_00,
        refund.source_key: -24_00,
        half.source_key: -40_00,
    }
    locked(cast, 2)
    calculated(cast, 3)
    assert earned(statement_of(cast, "ana", quarter(3))) == [-40_00]


def test_an_adjustment_is_paid_by_a_version_that_has_begun(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=())
    version_from(cast, plan, JULY_1)
    on_plan(cast, plan, "ana", SINCE, APRIL_1)
    on_plan(cast, plan, "sam", JULY_1)
    Adjustment.objects.create(
        kind="hand", state="approved", person=cast.ana, plan=plan, period=quarter(2), amount_minor=5_00, currency="USD",
        reason="Promised in writing", prepared_at=NOW, prepared_by=cast.people["rita"], decided_by=cast.people["finn"],
        decided_at=NOW,
    )  # fmt: skip
    calculated(cast)
    rows = Statement.objects.values_list("person__name", "plan_version__number", "payout_minor")
    assert list(rows) == [("Ana Alvarez", 1, 5_00)]
    with pytest.raises(CommissionRefusedError):
        prepare_adjustment(
            actor=cast.actor("rita"), person_id=cast.sam.pk, plan=plan, period=quarter(2), amount_minor=5_00,
            reason="Promised in writing", at=NOW,
        )  # fmt: skip


def test_a_day_is_locked_from_the_first_of_its_quarter_to_the_last(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=("ana",))
    locked(cast, 2)

    def recorded(day: date) -> Transaction:
        return Transaction(source_key=f"{day}", kind="renewal", effective_on=day, currency="USD", amount_minor=1)

    assert [is_late(recorded(day)) for day in EDGES] == [False, True, True, False]
    assert [is_locked_on(plan.versions.get(), day) for day in EDGES] == [False, True, True, False]


def test_what_lies_between_two_quarters_has_both_and_no_more(cast: Cast) -> None:
    first, second, third = (quarter(number) for number in (1, 2, 3))
    assert list(periods_between(first, second).order_by("start_on")) == [first, second]
    assert list(periods_between(second, third).order_by("start_on")) == [second, third]


def test_a_cost_is_of_the_pod_of_its_day(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    PodMembership.objects.filter(person=cast.ana).update(end_on=MAY_4)
    PodMembership.objects.create(person=cast.ana, pod=cast.south, function="ae", start_on=MAY_4, end_on=JUNE_30)
    for amount, day in ((1_000_00, MAY_3), (2_000_00, MAY_4), (4_000_00, JUNE_30)):
        won(cast, "ana", amount, day)
    calculated(cast)
    ((_name, _title, costs),) = [part for part in cost_of_sales([quarter(2)])[0].parts if part[0] == "pod"]
    assert sorted(cost.credited_minor for cost in costs) == [1_000_00, 2_000_00, 4_000_00]
    named = {cost.label: cost.credited_minor for cost in costs}
    assert (named["North"], named["South"]) == (1_000_00, 2_000_00)


def test_a_version_is_acknowledged_by_who_is_on_it_while_it_holds(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=())
    version_from(cast, plan, MAY_4)
    on_plan(cast, plan, "ana", SINCE, MAY_4)
    on_plan(cast, plan, "sam", MAY_4)

    def asked(name: str, day: date) -> list[int]:
        return [row.number for row in to_acknowledge(cast.actor(name), day)]

    other = plan_in_force(cast, FLAT_8, people=(), name="Other")
    on_plan(cast, other, "carl", SINCE, MAY_4)
    assert (asked("ana", MAY_3), asked("ana", MAY_4)) == ([1], [])
    assert (asked("carl", MAY_3), asked("carl", MAY_4)) == ([1], [])
    assert (asked("sam", MAY_3), asked("sam", MAY_4)) == ([2], [2])


def test_nobody_is_put_on_a_plan_twice_from_the_same_day(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=())
    on_plan(cast, plan, "ana", MAY_3)
    with pytest.raises(CommissionRefusedError):
        on_plan(cast, plan, "ana", MAY_3)
    on_plan(cast, plan, "ana", MAY_4)
    assert list(PlanAssignment.objects.order_by("start_on").values_list("start_on", "end_on")) == [
        (MAY_3, MAY_4),
        (MAY_4, None),
    ]


@pytest.mark.parametrize(("day", "who"), [(MARCH_31, None), (APRIL_1, ["ana"]), (JUNE_30, ["ana"]), (JULY_1, [])])
def test_a_change_touches_whoever_has_it_in_the_quarter_of_its_day(
    cast: Cast, day: date, who: list[str] | None
) -> None:
    plan_in_force(cast, FLAT_8, people=("ana", "sam"))
    deal = won(cast, "ana", 1_000_00, day)
    for number in (1, 3, 2):
        period = calculated(cast, number)
    edit_deal(
        actor=cast.actor("rita"), deal_id=deal.pk, version=deal.version, at=NOW, changes={"amount_minor": 2_000_00}
    )
    found: Any = touched_since(period, period.calculations.get())
    assert found == (None if who is None else {cast.people[name].pk for name in who})
    if who:
        calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
        assert earned(statement_of(cast, "ana", period)) == [160_00]
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
        assert period.calculations.order_by("-number")[0].totals["written"] == 0
    assert Statement.objects.exclude(earned_minor=F("payout_minor")).count() == 0
