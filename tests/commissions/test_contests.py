"""Contests from the first draft to what is paid: who is in, who stands where, who wins what, and what comes late."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.commissions.choices import Cause, ContestState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import (
    Adjustment,
    Contest,
    ContestStanding,
    LedgerEntry,
    Period,
    Plan,
    SettlementLine,
    Statement,
    Transaction,
)
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.rules.verify import disagreements as bundle_disagreements
from salesops.commissions.rules.verify import read
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period, calculate_touched
from salesops.commissions.services.contests import (
    NewContest,
    activate_contest,
    cancel_contest,
    discard_contest,
    save_contest,
)
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.commissions.services.touched import touched_since
from salesops.commissions.services.what_if import if_closed
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal, Stage
from salesops.deals.services import SplitDraft, edit_deal, set_splits
from salesops.notices.models import Notice
from salesops.people.models import User
from salesops.pods.models import Pod
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition, plan_in_force, second_quarter, statement_of, won

pytestmark = pytest.mark.django_db

#: After the second quarter.
JULY = datetime(2026, 7, 6, 9, 0, tzinfo=UTC)


def may(cast: Cast, plan: Plan, **words: Any) -> Contest:
    """The three who sell most in May, in force: Rita writes it, Finn puts it in force."""
    contest = draft(cast, plan=plan, **({"prizes_minor": (100_000, 50_000, 25_000)} | words))
    return activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)


def in_force(cast: Cast, words: dict[str, Any], people: tuple[str, ...] = ("ana",), name: str = "Field") -> Plan:
    """Put these words in force from the first of January, with people on them."""
    plan = create_plan(actor=cast.actor("rita"), name=name, at=NOW)
    version = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=version, at=NOW)
    for person in people:
        assign_to_plan(
            actor=cast.actor("rita"),
            plan=plan,
            person_id=cast.people[person].pk,
            start_on=date(2026, 1, 1),
            currency="USD",
            at=NOW,
        )
    return plan


def calculated(cast: Cast, period: Period | None = None, at: datetime = NOW) -> Period:
    """Calculate; totals agree with their lines, and every bundle derives again."""
    period = period or second_quarter()
    calculate_period(actor=cast.actor("rita"), period=period, at=at)
    assert disagreements(period) == []
    for statement in Statement.objects.filter(period=period).select_related("plan_version__plan", "person", "period"):
        assert bundle_disagreements(read(bundle_bytes(bundle_of(statement)))) == []
    return period


def locked(cast: Cast, period: Period | None = None, at: datetime = NOW) -> Period:
    """Calculate, approve and lock."""
    period = calculated(cast, period, at)
    rows = Statement.objects.filter(period=period).values_list("pk", flat=True)
    approve_statements(actor=cast.actor("finn"), statement_ids=list(rows), at=at)
    lock_period(actor=cast.actor("fay"), period=period, at=at)
    return Period.objects.get(pk=period.pk)


def prizes(period: Period) -> dict[str, int]:
    """What contests pay in a period, by first name."""
    rows = SettlementLine.objects.filter(statement__period=period, component__startswith="contest:")
    return {row.person.name.split()[0]: row.amount_minor for row in rows.select_related("person")}


def stood(contest: Contest) -> list[tuple[str, int, int, int]]:
    """First name, total, rank and prize of everybody who is in."""
    rows = (
        ContestStanding.objects.filter(contest=contest).select_related("person").order_by("-total_minor", "person_id")
    )
    return [(row.person.name.split()[0], row.total_minor, row.rank, row.prize_minor) for row in rows]


# --- Who wins what ------------------------------------------------------------------------------------------------


def test_those_who_sold_most_are_paid_with_the_period_in_which_it_ends(cast: Cast) -> None:
    """Ana 9,000.00 · Alba 4,000.00 · Sam nothing in May, who takes no part, whatever he sold in June."""
    plan = plan_in_force(cast, FLAT_8)
    for person, amount, day in (
        ("ana", 900_000, date(2026, 5, 4)),
        ("alba", 400_000, date(2026, 5, 31)),
        ("sam", 5_000_000, date(2026, 6, 1)),
        ("alba", 5_000_000, date(2026, 4, 30)),
    ):
        won(cast, person, amount, day)
    contest = may(cast, plan)
    assert stood(contest) == [("Ana", 900_000, 1, 100_000), ("Alba", 400_000, 2, 50_000), ("Sam", 0, 0, 0)]
    period = calculated(cast)
    assert prizes(period) == {"Ana": 100_000, "Alba": 50_000}
    ana = statement_of(cast, "ana")
    assert (ana.earned_minor, ana.payout_minor) == (72_000, 172_000)
    line = SettlementLine.objects.get(statement=ana)
    assert (line.kind, line.component, line.reference, line.reason, line.params) == (
        "bonus",
        "contest:may",
        "contest may",
        "contest-prize",
        {"contest": "May", "rank": "1", "count": "2"},
    )
    assert ana.carried is not None
    kept = ana.carried["given"]["occurrences"][0]["prize"]
    assert kept == {
        "words": contest.definition,
        "digest": contest.digest,
        "total_minor": 900_000,
        "rank": 1,
        "taking_part": 2,
        "tied": 1,
        "turn": 1,
        "totals_digest": digest_of([900_000, 400_000]),
        "amount_minor": 100_000,
    }


def test_people_of_pods_are_in_and_are_paid_by_the_plan_that_pays_though_they_are_not_on_it(cast: Cast) -> None:
    """Carl and Sam are in pod North, Alba is not; Carl is on no plan at all."""
    plan = plan_in_force(cast, FLAT_8, ("alba",))
    won(cast, "carl", 300_000)
    won(cast, "alba", 900_000)
    contest = may(cast, plan, plans=(), pods=(cast.north,))
    assert stood(contest) == [("Carl", 300_000, 1, 100_000), ("Sam", 0, 0, 0), ("Ana", 0, 0, 0)]
    period = calculated(cast)
    assert prizes(period) == {"Carl": 100_000}
    carl = statement_of(cast, "carl")
    assert (carl.earned_minor, carl.payout_minor, carl.plan_version.plan) == (0, 100_000, plan)


def test_who_is_in_is_decided_by_the_day_on_which_it_begins(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, ("ana",))
    assign_to_plan(
        actor=cast.actor("rita"),
        plan=plan,
        person_id=cast.alba.pk,
        start_on=date(2026, 5, 2),
        currency="USD",
        at=NOW,
    )
    won(cast, "alba", 900_000, date(2026, 5, 20))
    won(cast, "ana", 100_000)
    assert stood(may(cast, plan)) == [("Ana", 100_000, 1, 100_000)]


def test_what_counts_is_said_as_a_component_says_it(cast: Cast) -> None:
    """Half of what is above 1,000.00 in the shares agreed: Ana 60 % of 5,000.00 halved, Sam 40 %."""
    plan = plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 500_000)
    set_splits(
        actor=cast.actor("rita"),
        deal_id=deal.pk,
        version=deal.version,
        splits=[SplitDraft(cast.ana.pk, 6_000), SplitDraft(cast.sam.pk, 4_000)],
        at=NOW,
    )
    won(cast, "alba", 100_000)
    contest = may(cast, plan, when="amount > 1000", amount="amount * 50%")
    assert stood(contest) == [("Ana", 150_000, 1, 100_000), ("Sam", 100_000, 2, 50_000), ("Alba", 0, 0, 0)]


def test_what_those_below_sell_counts_for_whoever_is_credited_by_the_reporting_line(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, ("max", "mia"))
    won(cast, "ana", 500_000)
    won(cast, "sam", 100_000)
    won(cast, "alba", 550_000)
    contest = may(cast, plan, crediting=("roll_up",))
    assert stood(contest) == [("Max", 600_000, 1, 100_000), ("Mia", 550_000, 2, 50_000)]


def test_another_currency_counts_at_the_rate_of_the_day_and_without_one_holds_the_winners(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, ("ana", "alba"))
    ExchangeRate.objects.create(base="EUR", quote="USD", on=date(2026, 5, 4), rate=Decimal("1.25"), source="ecb")
    won(cast, "ana", 100_000, currency="EUR")
    won(cast, "alba", 120_000)
    contest = may(cast, plan)
    assert stood(contest) == [("Ana", 125_000, 1, 100_000), ("Alba", 120_000, 2, 50_000)]
    won(cast, "alba", 100_000, date(2026, 5, 20), currency="CHF")
    calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW)
    ana = statement_of(cast, "ana")
    assert [problem["code"] for problem in ana.problems] == ["rate-missing"]
    assert ana.problems == Contest.objects.get().problems


def test_what_takes_back_takes_off_what_counted_and_nothing_else(cast: Cast) -> None:
    """Of 5,000.00 won in May 2,000.00 came back in May; what came back of April's deal, or in June, changes nothing."""
    plan = plan_in_force(cast, FLAT_8, ("ana",))
    april, late = won(cast, "ana", 400_000, date(2026, 4, 10)), won(cast, "ana", 500_000)
    calculated(cast)
    for deal, day, amount in ((april, 12, 400_000), (late, 20, 200_000)):
        taken_back(deal, date(2026, 5, day), amount)
    taken_back(late, date(2026, 6, 2), 100_000)
    assert stood(may(cast, plan)) == [("Ana", 300_000, 1, 100_000)]


def taken_back(deal: Deal, day: date, amount_minor: int) -> None:
    """A refund."""
    original = Transaction.objects.get(deal=deal)
    Transaction.objects.create(
        source_key=f"refund:{deal.pk}:{day}",
        kind="refund",
        effective_on=day,
        amount_minor=-amount_minor,
        currency="USD",
        reverses=original,
        recorded_at=NOW,
    )


def test_a_prize_is_posted_as_a_bonus_and_paid_under_the_cap_of_the_plan(cast: Cast) -> None:
    """720.00 earned and 1,000.00 won under a cap of 1,500.00."""
    words = definition(FLAT_8) | {"settlement": {"limits": [{"cap": "1500.00"}]}}
    plan = in_force(cast, words)
    won(cast, "ana", 900_000)
    may(cast, plan)
    period = locked(cast)
    ana = statement_of(cast, "ana", period)
    assert (ana.earned_minor, ana.payout_minor) == (72_000, 150_000)
    posted = LedgerEntry.objects.filter(statement=ana, account="owed", kind="bonus")
    assert [row.amount_minor for row in posted] == [100_000]
    assert LedgerEntry.objects.filter(statement=ana).aggregate(sum=Sum("amount_minor"))["sum"] == 0


# --- While it runs, and when it has ended ---------------------------------------------------------------------------


def test_nothing_is_paid_before_the_last_day_is_over_and_then_without_anything_changing(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, ("ana", "alba"))
    won(cast, "ana", 900_000)
    contest = may(cast, plan, start=date(2026, 5, 1), end=date(2026, 7, 1))
    period = calculated(cast)
    assert prizes(period) == {}
    assert stood(contest) == [("Ana", 900_000, 1, 100_000), ("Alba", 0, 0, 0)]
    evening = datetime(2026, 6, 30, 20, 0, tzinfo=UTC)
    assert calculate_touched(actor=cast.actor("rita"), period=period, at=evening) is None
    run = calculate_touched(actor=cast.actor("rita"), period=period, at=JULY)
    assert run is not None
    assert prizes(period) == {"Ana": 100_000}
    assert calculate_touched(actor=cast.actor("rita"), period=period, at=JULY) is None


def test_somebody_elses_deal_moves_everybody_who_is_in(cast: Cast) -> None:
    """Only Alba's pay is touched by her deal, and yet Ana falls to the second place."""
    plan = plan_in_force(cast, FLAT_8, ("ana", "alba"))
    won(cast, "ana", 900_000)
    deal = won(cast, "alba", 400_000)
    may(cast, plan)
    period = calculated(cast)
    assert prizes(period) == {"Ana": 100_000, "Alba": 50_000}
    edited(cast, deal, amount_minor=950_000)
    assert touched_since(period, period.calculations.latest("number")) == {cast.alba.pk}
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert prizes(period) == {"Ana": 50_000, "Alba": 100_000}


def test_ranks_do_not_depend_on_whose_pay_is_calculated(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    for person, amount in (("ana", 900_000), ("alba", 400_000), ("sam", 400_000)):
        won(cast, person, amount)
    contest = may(cast, plan)
    period = calculated(cast)
    digests = dict(Statement.objects.values_list("person", "digest"))
    standings = stood(contest)
    for person in ("ana", "alba", "sam"):
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW, people={cast.people[person].pk})
        assert dict(Statement.objects.values_list("person", "digest")) == digests
        assert stood(contest) == standings
    assert prizes(period) == {"Ana": 100_000, "Alba": 37_500, "Sam": 37_500}


def edited(cast: Cast, deal: Deal, **changes: Any) -> None:
    """Revops edits a deal."""
    deal.refresh_from_db()
    edit_deal(actor=cast.actor("rita"), deal_id=deal.pk, version=deal.version, at=NOW, changes=changes)


def test_a_draft_of_a_contest_is_no_reason_to_calculate_and_one_in_force_is(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 900_000)
    period = calculated(cast)
    discard_contest(actor=cast.actor("rita"), contest=draft(cast), at=NOW)
    assert calculate_touched(actor=cast.actor("rita"), period=period, at=NOW) is None
    may(cast, plan)
    assert touched_since(period, period.calculations.latest("number")) is None
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert prizes(period) == {"Ana": 100_000}


def test_what_if_knows_the_prize_that_the_statement_pays(cast: Cast) -> None:
    """720.00 and 1,000.00; another 1,000.00 won would pay 80.00 more."""
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 900_000)
    may(cast, plan)
    calculated(cast)
    stage = Stage.objects.create(code="open", name="Open", kind="open", position=1)
    deal = Deal.objects.create(
        name="More", owner=cast.ana, stage=stage, kind="open", amount_minor=100_000, currency="USD", created_at=NOW
    )
    result = if_closed(statement_of(cast, "ana"), [deal])
    assert (result.now_payout, result.then_payout) == (172_000, 180_000)


def test_a_contest_that_is_cancelled_pays_nothing(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 900_000)
    contest = may(cast, plan)
    period = calculated(cast)
    assert prizes(period) == {"Ana": 100_000}
    cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason="The budget is gone.")
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert prizes(period) == {}
    assert statement_of(cast, "ana").payout_minor == 72_000


def test_a_month_is_paid_with_its_month_by_a_plan_of_months_only(cast: Cast) -> None:
    """Of two plans, one by months and one by quarters, the period of the one that pays has the prize."""
    plan = plan_in_force(cast, FLAT_8, ("ana",))
    monthly = definition(FLAT_8) | {"period_kind": "month"}
    months = in_force(cast, monthly, ("alba",), name="Months")
    won(cast, "ana", 900_000)
    may(cast, months, plans=(plan,))
    assert prizes(calculated(cast)) == {}
    month = open_period(day=date(2026, 5, 1), kind="month", time_zone="UTC")
    assert prizes(calculated(cast, month)) == {"Ana": 100_000}


def test_without_contests_a_calculation_asks_for_them_once(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 900_000)
    for calculate in (
        lambda: calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW),
        lambda: calculate_touched(actor=cast.actor("rita"), period=second_quarter(), at=NOW),
    ):
        with CaptureQueriesContext(connection) as asked:
            calculate()
        assert sum("contest" in query["sql"] for query in asked) == 1
        edited(cast, deal, amount_minor=950_000)


# --- Late changes -------------------------------------------------------------------------------------------------


def late(period: Period) -> list[tuple[str, int, int | None, int | None, str]]:
    """Late changes of prizes to be paid in a period: first name, amount, was paid, should have been, cause."""
    rows = Adjustment.objects.filter(period=period, component__startswith="contest:").select_related("person")
    return [
        (row.person.name.split()[0], row.amount_minor, row.paid_minor, row.due_minor, row.cause)
        for row in rows.order_by("person_id")
    ]


def third_quarter() -> Period:
    """2026Q3, open."""
    return open_period(day=date(2026, 7, 1), kind="quarter", time_zone="UTC")


def test_a_late_change_of_the_standing_comes_as_an_adjustment_for_everybody_whose_prize_moved(cast: Cast) -> None:
    """Alba's deal turns out larger than Ana's; Sam stays third. It is paid once, and once more when it turns back."""
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 900_000)
    deal = won(cast, "alba", 400_000)
    won(cast, "sam", 100_000)
    may(cast, plan)
    second = locked(cast, at=JULY)
    assert prizes(second) == {"Ana": 100_000, "Alba": 50_000, "Sam": 25_000}
    edited(cast, deal, amount_minor=950_000)
    third = calculated(cast, third_quarter(), JULY)
    assert late(third) == [
        ("Ana", -50_000, 100_000, 50_000, Cause.STANDING),
        ("Alba", 50_000, 50_000, 100_000, Cause.STANDING),
    ]
    alba = statement_of(cast, "alba", third)
    assert alba.payout_minor == 50_000 + 44_000  # the prize, and 8 % of 5,500.00 more
    line = SettlementLine.objects.get(statement=alba, reference="late 2026Q2 contest:may")
    assert (line.reason, line.params) == ("late-standing", {"period": "2026Q2"})
    assert prizes(second) == {"Ana": 100_000, "Alba": 50_000, "Sam": 25_000}
    locked(cast, third, JULY)
    fourth = open_period(day=date(2026, 10, 1), kind="quarter", time_zone="UTC")
    assert late(calculated(cast, fourth, JULY)) == []
    edited(cast, deal, amount_minor=400_000)
    assert late(calculated(cast, fourth, JULY)) == [
        ("Ana", 50_000, 50_000, 100_000, Cause.STANDING),
        ("Alba", -50_000, 100_000, 50_000, Cause.STANDING),
    ]


def test_a_result_that_is_final_stays_and_so_do_its_standings(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 900_000)
    deal = won(cast, "alba", 400_000)
    contest = may(cast, plan, is_final=True)
    locked(cast, at=JULY)
    edited(cast, deal, amount_minor=950_000)
    third = calculated(cast, third_quarter(), JULY)
    assert late(third) == []
    assert statement_of(cast, "alba", third).payout_minor == 44_000  # what the deal itself pays comes as ever
    calculate_period(
        actor=cast.actor("rita"), period=open_period(day=date(2026, 5, 1), kind="month", time_zone="UTC"), at=JULY
    )
    assert stood(contest)[0] == ("Ana", 900_000, 1, 100_000)


def test_a_late_winner_who_had_no_statement_is_paid_all_of_the_prize(cast: Cast) -> None:
    """Carl, on no plan, was in by his pod; his deal became known after the lock."""
    plan = plan_in_force(cast, FLAT_8, ("ana",))
    won(cast, "ana", 900_000)
    may(cast, plan, plans=(), pods=(cast.north,))
    locked(cast, at=JULY)
    won(cast, "carl", 950_000)
    assert late(calculated(cast, third_quarter(), JULY)) == [
        ("Ana", -50_000, 100_000, 50_000, Cause.STANDING),
        ("Carl", 100_000, 0, 100_000, Cause.STANDING),
    ]


def test_under_a_cap_late_changes_add_up_to_what_should_have_been_paid(cast: Cast) -> None:
    """Ana had 720.00 and 1,000.00 under a cap of 1,500.00; with the second prize the 1,220.00 are under the cap."""
    capped = definition(FLAT_8) | {"settlement": {"limits": [{"cap": "1500.00"}]}}
    plan = in_force(cast, capped, ("ana", "alba"))
    won(cast, "ana", 900_000)
    deal = won(cast, "alba", 400_000)
    may(cast, plan)
    locked(cast, at=JULY)
    edited(cast, deal, amount_minor=950_000)
    third = calculated(cast, third_quarter(), JULY)
    of_ana = Adjustment.objects.filter(period=third, person=cast.ana)
    assert sum(row.amount_minor for row in of_ana) == 122_000 - 150_000
    assert {row.cause for row in of_ana} == {Cause.STANDING}
    of_alba = Adjustment.objects.filter(period=third, person=cast.alba)
    assert sum(row.amount_minor for row in of_alba) == 150_000 - 82_000


def test_a_period_is_not_locked_before_the_contests_it_pays_are_reckoned_to_their_end(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, ("ana",))
    won(cast, "ana", 900_000)
    may(cast, plan, end=date(2026, 7, 1))
    period = calculated(cast)
    approve_statements(actor=cast.actor("finn"), statement_ids=[statement_of(cast, "ana").pk], at=NOW)
    with pytest.raises(CommissionRefusedError, match="“May” ends after the last calculation"):
        lock_period(actor=cast.actor("fay"), period=period, at=JULY)
    assert Period.objects.get(pk=period.pk).state == "open"
    assert prizes(locked(cast, period, JULY)) == {"Ana": 100_000}


# --- Writing, putting in force, cancelling --------------------------------------------------------------------------


def draft(cast: Cast, by: str = "rita", **words: Any) -> Contest:
    """A draft of who sells most in May."""
    plan = words.get("plan") or Plan.objects.first() or plan_in_force(cast, FLAT_8)
    said: dict[str, Any] = {
        "key": "may",
        "name": "May",
        "plan": plan,
        "plans": (plan,),
        "start": date(2026, 5, 1),
        "end": date(2026, 6, 1),
        "prizes_minor": (100_000,),
    }
    return save_contest(actor=cast.actor(by), new=NewContest(**said | words), at=NOW)


def test_a_draft_is_in_force_by_somebody_else_than_its_writer(cast: Cast) -> None:
    contest = draft(cast)
    with pytest.raises(NotAllowedError, match="somebody else must put it in force"):
        activate_contest(actor=cast.actor("rita"), contest=contest, at=NOW)
    for person in ("max", "ana", "elsa", "ada", "norm"):
        with pytest.raises(NotAllowedError):
            activate_contest(actor=cast.actor(person), contest=contest, at=NOW)
    assert Contest.objects.get().state == ContestState.DRAFT
    activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)
    assert [
        (row.action, row.actor_name)
        for row in AuditEntry.objects.filter(subject_type="commissions.contest").order_by("sequence")
    ] == [
        ("contest.drafted", "Rita Revops"),
        ("contest.put_in_force", "Finn Finance"),
    ]


def test_those_who_are_in_are_told_of_a_contest_and_of_its_end(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    User.objects.filter(pk=cast.ana.pk).update(language="zh-hans")
    contest = may(cast, plan)
    rows = Notice.objects.filter(url=f"/commissions/contests/{contest.pk}/")
    assert {row.person_id for row in rows} == set(
        ContestStanding.objects.filter(contest=contest).values_list("person_id", flat=True)
    )
    told = rows.get(person=cast.people["alba"])
    assert (told.title, told.body.splitlines()[:2]) == (
        "You are in a contest: May",
        ["1 May 2026 – 31 May 2026", "Prizes: 1. $1,000.00 · 2. $500.00 · 3. $250.00"],
    )
    assert rows.get(person=cast.ana).title == "您参加了一项竞赛:May".replace(":", "：")
    cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason="The budget is gone.")
    last = rows.filter(person=cast.people["alba"]).latest("pk")
    assert (last.title, last.body) == ("A contest was cancelled: May", "The budget is gone.")
    assert rows.all().count() == 2 * ContestStanding.objects.filter(contest=contest).count()


def test_whoever_changed_a_draft_last_is_its_writer(cast: Cast) -> None:
    contest = draft(cast)
    digest = contest.digest
    words = NewContest(
        "may", "May!", contest.plan, contest.start_on, contest.end_on, (contest.plan,), prizes_minor=(5,)
    )
    save_contest(actor=cast.actor("ada"), new=words, contest=contest, seen_digest=digest, at=NOW)
    with pytest.raises(CommissionRefusedError, match="changed this draft"):
        save_contest(actor=cast.actor("rita"), new=words, contest=contest, seen_digest=digest, at=NOW)
    activate_contest(actor=cast.actor("rita"), contest=contest, at=NOW)
    assert Contest.objects.get().name == "May!"


@pytest.mark.parametrize("person", ["finn", "max", "ana", "elsa", "norm"])
def test_only_those_who_write_plans_write_contests(cast: Cast, person: str) -> None:
    with pytest.raises(NotAllowedError):
        draft(cast, person)
    contest = draft(cast)
    with pytest.raises(NotAllowedError):
        discard_contest(actor=cast.actor(person), contest=contest, at=NOW)
    assert Contest.objects.count() == 1


def test_a_draft_is_thrown_away_and_one_in_force_is_not(cast: Cast) -> None:
    contest = draft(cast)
    discard_contest(actor=cast.actor("ada"), contest=contest, at=NOW)
    assert Contest.objects.count() == 0
    entry = AuditEntry.objects.get(action="contest.draft_discarded")
    assert entry.before["digest"] == contest.digest
    contest = activate_contest(actor=cast.actor("finn"), contest=draft(cast), at=NOW)
    with pytest.raises(CommissionRefusedError, match="in force cannot be changed"):
        discard_contest(actor=cast.actor("rita"), contest=contest, at=NOW)
    with pytest.raises(CommissionRefusedError, match="in force cannot be changed"):
        save_contest(
            actor=cast.actor("rita"),
            new=NewContest(
                "may", "Other", contest.plan, contest.start_on, contest.end_on, (contest.plan,), prizes_minor=(5,)
            ),
            contest=contest,
            at=NOW,
        )


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"key": "May day"}, "key"),
        ({"when": "colour = 1"}, "when"),
        ({"amount": "amount >"}, "amount"),
        ({"prizes_minor": (5, 7)}, "prizes"),
        ({"plans": ()}, "plans"),
        ({"counts": ("raffle",)}, "counts"),
        ({"start": date(2025, 5, 1), "end": date(2025, 6, 1)}, "plan"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(cast: Cast, words: dict[str, Any], field: str) -> None:
    with pytest.raises(CommissionRefusedError) as refused:
        draft(cast, **words)
    assert list(refused.value.message_dict) == [field]
    assert Contest.objects.count() == 0


def test_a_key_is_taken_once(cast: Cast) -> None:
    draft(cast)
    with pytest.raises(CommissionRefusedError, match="this key already"):
        draft(cast)


def test_a_contest_without_people_or_in_a_locked_period_is_not_put_in_force(cast: Cast) -> None:
    contest = draft(cast, plans=(), pods=(Pod.objects.create(name="Empty", opened_on=date(2026, 1, 1)),))
    with pytest.raises(CommissionRefusedError, match="Nobody is on these plans"):
        activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)
    contest = draft(cast, key="other")
    won(cast, "ana", 900_000)
    locked(cast)
    with pytest.raises(CommissionRefusedError, match="locked already"):
        activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)


def test_cancelling_needs_a_reason_a_contest_in_force_and_an_open_period(cast: Cast) -> None:
    contest = draft(cast)
    with pytest.raises(CommissionRefusedError, match="Only a contest in force"):
        cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason="The budget is gone.")
    activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)
    with pytest.raises(CommissionRefusedError, match="Say why"):
        cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason=" short ")
    with pytest.raises(NotAllowedError):
        cancel_contest(actor=cast.actor("max"), contest=contest, at=NOW, reason="The budget is gone.")
    won(cast, "ana", 900_000)
    locked(cast)
    with pytest.raises(CommissionRefusedError, match="in a locked period"):
        cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason="The budget is gone.")
    assert Contest.objects.get().state == ContestState.ACTIVE


#: Every word of a contest, and something else that it might say.
OTHER_WORDS = {
    "key": "june",
    "name": "June",
    "state": "draft",
    "start_on": date(2026, 5, 2),
    "end_on": date(2026, 6, 2),
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "period_kind": "month",
    "shows_names": True,
    "definition": {},
    "digest": "0" * 64,
    "created_at": JULY,
    "activated_at": JULY,
    "created_by": None,
    "activated_by": None,
    "plan": "another",
}


@pytest.mark.parametrize("name", sorted(OTHER_WORDS))
def test_the_database_itself_keeps_the_words_of_a_contest_in_force(cast: Cast, name: str) -> None:
    contest = draft(cast)
    activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)
    other = create_plan(actor=cast.actor("rita"), name="Other", at=NOW) if name == "plan" else OTHER_WORDS[name]
    with pytest.raises(IntegrityError, match="a contest in force cannot be changed"), transaction.atomic():
        Contest.objects.update(**{name: other})
    with pytest.raises(IntegrityError), transaction.atomic():
        Contest.objects.all().delete()
    Contest.objects.update(reckoned_at=JULY)  # when standings were reckoned is no word of it


@pytest.mark.parametrize("change", [{"state": "active"}, {"cancel_reason": "Another reason."}, {"cancelled_at": JULY}])
def test_a_cancelled_contest_stays_cancelled_for_the_reason_given(cast: Cast, change: dict[str, Any]) -> None:
    contest = draft(cast)
    activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)
    cancel_contest(actor=cast.actor("rita"), contest=contest, at=NOW, reason="The budget is gone.")
    with pytest.raises(IntegrityError, match="stays cancelled"), transaction.atomic():
        Contest.objects.update(**change)


def test_the_database_refuses_a_writer_who_puts_in_force_and_cancelling_without_a_reason(cast: Cast) -> None:
    contest = draft(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        Contest.objects.update(state="active", activated_by=contest.created_by)
    with pytest.raises(IntegrityError), transaction.atomic():
        Contest.objects.update(state="cancelled", cancelled_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Contest.objects.update(end_on=contest.start_on)
