"""From deals won to draft statements, to the cent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Calculation, Credit, Earning, Statement, Transaction
from salesops.commissions.selectors.statements import why_of
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import assign_to_plan
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal, DealSplit, Stage
from tests.cast import NOW, Cast
from tests.commissions.pay import (
    FIVE_THEN_TEN,
    FLAT_8,
    PERSONAL,
    calculated,
    plan_in_force,
    quota,
    second_quarter,
    statement_of,
    won,
)

pytestmark = pytest.mark.django_db


def lines(statement: Statement) -> list[tuple[str, int, int, int]]:
    """Deal, credited before, credited after, earned."""
    rows = statement.earnings.order_by("position").select_related("credit__transaction__deal")
    return [(row.credit.transaction.deal.name, row.from_minor, row.to_minor, row.amount_minor) for row in rows]


def test_eight_percent_of_everything(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00, date(2026, 4, 1), name="first day")
    won(cast, "ana", 33_33, date(2026, 6, 30), name="last day")
    won(cast, "ana", 5_000_00, date(2026, 3, 31), name="the quarter before")
    won(cast, "ana", 5_000_00, date(2026, 7, 1), name="the quarter after")
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert (statement.credited_minor, statement.earned_minor) == (1_033_33, 82_67)  # 82.6664
    assert lines(statement) == [("first day", 0, 1_000_00, 80_00), ("last day", 1_000_00, 1_033_33, 2_67)]
    assert statement_of(cast, "sam").earned_minor == 0


def test_a_deal_that_crosses_the_quota_is_paid_at_both_rates_and_says_so(cast: Cast) -> None:
    plan_in_force(cast, FIVE_THEN_TEN)
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q2", 10_000_00)
    won(cast, "ana", 8_000_00, date(2026, 4, 10), name="below")
    won(cast, "ana", 5_000_00, date(2026, 4, 20), name="across")
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert lines(statement) == [("below", 0, 8_000_00, 400_00), ("across", 8_000_00, 13_000_00, 400_00)]
    why = why_of(statement.earnings.get(position=2))
    assert why["agrees"] is True
    assert [(piece["from"], piece["to"], piece["rate_percent"], piece["exact"]) for piece in why["pieces"]] == [
        ("800000", "1000000", "5", "10000"),
        ("1000000", "1300000", "10", "30000"),
    ]
    assert (why["position"]["attainment_before_bp"], why["position"]["attainment_after_bp"]) == (8_000, 13_000)


def test_shares_add_up_to_the_deal_to_the_cent(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 100_01)
    for person, share in (("ana", 3_333), ("sam", 3_333), ("alba", 3_334)):
        DealSplit.objects.create(deal=deal, person=cast.people[person], function="ae", share_bp=share)
    calculated(cast)
    credited = {row.person.name.split()[0]: row.amount_minor for row in Credit.objects.select_related("person")}
    assert sum(credited.values()) == 100_01
    assert sorted(credited.values()) == [33_33, 33_33, 33_35]
    assert {row.rule for row in Credit.objects.all()} == {"split"}


def test_a_deal_without_owner_is_a_problem_and_not_silence(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    deal = won(cast, None, 1_000_00)
    calculated(cast)
    (problem,) = Calculation.objects.get().problems
    assert problem["code"] == "nobody-credited"
    assert problem["where"] == f"deal:{deal.pk}:booking"
    assert Credit.objects.count() == 0


def test_somebody_on_no_plan_is_named(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "alba", 1_000_00)
    calculated(cast)
    (problem,) = Calculation.objects.get().problems
    assert (problem["code"], problem["where"], problem["params"]) == (
        "not-on-a-plan",
        f"person:{cast.alba.pk}",
        {"count": "1"},
    )


def test_without_a_quota_the_pay_waits_and_says_why(cast: Cast) -> None:
    plan_in_force(cast, FIVE_THEN_TEN, people=("ana",))
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    statement = statement_of(cast, "ana")
    assert statement.earned_minor == 0
    assert statement.problems
    result = approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW)
    assert result.decided == 0
    assert set(result.refused) == {statement.pk}
    quota(cast, "ana", "2026Q2", 500_00)
    calculated(cast, period=period)
    statement.refresh_from_db()
    assert statement.problems == []
    assert statement.earned_minor == 25_00 + 50_00


def test_personal_rates(cast: Cast) -> None:
    plan_in_force(cast, PERSONAL, people=("ana",), rate=Decimal("0.012"))
    won(cast, "ana", 22_584_66)
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 271_02  # 271.01592


def test_half_a_period_on_the_plan_halves_the_quota(cast: Cast) -> None:
    plan = plan_in_force(cast, FIVE_THEN_TEN, people=())
    assign_to_plan(
        actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, start_on=date(2026, 5, 17), currency="USD", at=NOW
    )
    quota(cast, "ana", "2026Q2", 9_100_00)
    won(cast, "ana", 1_000_00, date(2026, 5, 16), name="before")
    won(cast, "ana", 1_000_00, date(2026, 5, 17), name="since")
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert statement.quota_minor == 4_500_00  # 45 of 91 days
    assert lines(statement) == [("since", 0, 1_000_00, 50_00)]


def test_twice_changes_nothing_and_keeps_the_approval(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    approve_statements(
        actor=cast.actor("finn"), statement_ids=list(period.statements.values_list("pk", flat=True)), at=NOW
    )
    before = (list(Earning.objects.order_by("pk").values()), list(Statement.objects.order_by("pk").values()))
    run = calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert run.totals["written"] == 0
    assert (list(Earning.objects.order_by("pk").values()), list(Statement.objects.order_by("pk").values())) == before
    assert {row.state for row in Statement.objects.all()} == {"approved"}


def test_a_change_makes_the_statement_a_draft_again(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 1_000_00)
    won(cast, "alba", 1_000_00)
    period = calculated(cast)
    approve_statements(
        actor=cast.actor("finn"), statement_ids=list(period.statements.values_list("pk", flat=True)), at=NOW
    )
    Deal.objects.filter(pk=deal.pk).update(amount_minor=2_000_00)
    run = calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert run.totals["written"] == 1
    assert (statement_of(cast, "ana").state, statement_of(cast, "ana").earned_minor) == ("draft", 160_00)
    assert statement_of(cast, "alba").state == "approved"


def test_a_deal_that_is_won_no_longer_does_not_count(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 1_000_00)
    period = calculated(cast)
    lost = Stage.objects.filter(kind="lost").first() or Stage.objects.create(code="lost", name="Lost", kind="lost")
    Deal.objects.filter(pk=deal.pk).update(kind="lost", stage=lost)
    calculated(cast, period=period)
    assert statement_of(cast, "ana").earned_minor == 0
    assert Transaction.objects.get().is_void is True


def test_what_a_locked_period_paid_is_not_paid_again(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 1_000_00, date(2026, 5, 4))
    period = calculated(cast)
    approve_statements(
        actor=cast.actor("finn"), statement_ids=list(period.statements.values_list("pk", flat=True)), at=NOW
    )
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    Deal.objects.filter(pk=deal.pk).update(closed_on=date(2026, 7, 4))
    third = open_period(day=date(2026, 7, 1), kind="quarter", time_zone="UTC")
    run = calculate_period(actor=cast.actor("rita"), period=third, at=NOW)
    assert statement_of(cast, "ana", third).earned_minor == 0
    assert [problem["code"] for problem in run.problems] == ["paid-elsewhere"]
    assert statement_of(cast, "ana", period).earned_minor == 80_00


def test_another_currency_needs_a_rate_of_the_day(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00, date(2026, 5, 9), currency="EUR")  # a Saturday
    period = calculated(cast)
    statement = statement_of(cast, "ana")
    assert [problem["code"] for problem in statement.problems] == ["rate-missing"]
    assert statement.credited_minor == 0
    ExchangeRate.objects.create(on=date(2026, 5, 8), base="EUR", quote="USD", rate=Decimal("1.0842"), source="ecb")
    calculated(cast, period=period)
    statement.refresh_from_db()
    assert statement.problems == []
    assert (statement.credited_minor, statement.earned_minor) == (1_084_20, 86_74)  # 86.736
    why = why_of(statement.earnings.get())
    assert why["agrees"] is True
    assert why["exchange"]["legs"] == [
        {"base": "EUR", "quote": "USD", "on": "2026-05-08", "rate": "1.0842", "source": "ecb"}
    ]


def test_totals_agree_with_their_lines_and_a_touched_line_is_found(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    won(cast, "ana", 2_000_00, date(2026, 5, 5))
    period = calculated(cast)
    assert disagreements(period) == []
    Earning.objects.filter(position=1).update(amount_minor=80_01)
    assert len(disagreements(period)) == 2  # the line with its heights, the statement with its lines


@pytest.mark.parametrize("person", ["ana", "max", "elsa", "ada", "norm"])
def test_only_revops_and_finance_calculate(cast: Cast, person: str) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    with pytest.raises(PermissionDenied):
        calculate_period(actor=cast.actor(person), period=second_quarter(), at=NOW)
    assert Statement.objects.count() == 0
    assert Calculation.objects.count() == 0


def test_a_locked_period_is_not_calculated_again(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    approve_statements(
        actor=cast.actor("finn"), statement_ids=list(period.statements.values_list("pk", flat=True)), at=NOW
    )
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    with pytest.raises(CommissionRefusedError):
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert Calculation.objects.count() == 1


def test_no_query_for_each_deal(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    period = second_quarter()
    for number in range(3):
        won(cast, "ana", 1_000_00 + number)
    with CaptureQueriesContext(connection) as few:
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    for number in range(300):
        won(cast, "ana", 1_000_00 + number)
    with CaptureQueriesContext(connection) as many:
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    # SQLite takes about a hundred rows a statement; what must not be is a query for each deal.
    assert len(many) - len(few) < 300 / 10
    assert statement_of(cast, "ana").earnings.count() == 303
