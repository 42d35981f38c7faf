"""Calculating only those whom a change may have touched comes to what calculating everybody would."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesops.accounts.models import Account, AccountOwnership
from salesops.commissions.models import Calculation, Credit, Earning, Period, Plan, Statement, Transaction
from salesops.commissions.services.approvals import approve_statements
from salesops.commissions.services.calculate import calculate_period, calculate_touched
from salesops.commissions.services.plans import assign_to_plan
from salesops.commissions.services.recording import NewTransaction, record_transaction
from salesops.commissions.services.touched import touched_since
from salesops.core.actor import system_actor
from salesops.deals.models import Deal, Stage
from salesops.deals.services import SplitDraft, edit_deal, move_deal, reassign, set_splits
from salesops.jobs.models import Job
from salesops.jobs.registry import declared_schedules
from salesops.jobs.services import enqueue
from salesops.jobs.testing import run_due
from salesops.leads.services import create_lead
from salesops.leads.services.score_versions import activate_score_version, draft_score_version
from salesops.people.models import ReportingLine
from tests.cast import NOW, Cast
from tests.commissions.pay import FIVE_THEN_TEN, calculated, definition, quota, second_quarter, statement_of, won
from tests.commissions.test_settled_periods import in_force, locked

pytestmark = pytest.mark.django_db

PEOPLE = ("ana", "sam", "alba")
PLAN = definition(FIVE_THEN_TEN)
ROLLED_UP = PLAN | {"components": [PLAN["components"][0] | {"crediting": ["split", "owner", "roll_up"]}]}


def changed(cast: Cast, deal: Deal, **changes: Any) -> None:
    """Revops edits a deal."""
    deal.refresh_from_db()
    edit_deal(actor=cast.actor("rita"), deal_id=deal.pk, version=deal.version, at=NOW, changes=changes)


def touched(cast: Cast) -> frozenset[int] | None:
    """Whom the changes since the last calculation may have touched."""
    return touched_since(second_quarter(), second_quarter().calculations.latest("number"))


def stored() -> tuple[list[Any], ...]:
    """Everything a calculation writes, but for its numbers."""
    statements = Statement.objects.order_by("person", "plan_version")
    credits = Credit.objects.order_by("person", "effective_on", "transaction__source_key", "rule")
    earnings = Earning.objects.order_by("person", "component", "position")
    last = Calculation.objects.latest("number")
    told = {name: value for name, value in last.totals.items() if name.endswith("_minor") or name == "statements"}
    return (
        list(
            statements.values("person", "digest", "earned_minor", "payout_minor", "terms", "problems", "lines_digest")
        ),
        list(credits.values("person", "transaction", "rule", "amount_minor", "why", "effective_on")),
        list(earnings.values("person", "component", "position", "from_minor", "to_minor", "amount_minor")),
        sorted(map(str, last.problems)),
        [told, last.inputs_digest],
    )


def come_round(kind: str, number: int) -> None:
    """The schedule's job runs."""
    with transaction.atomic():
        enqueue(kind=kind, key=f"{kind} {number}", payload={}, actor=system_actor(), at=NOW, title="Keep up")
    run_due(at=NOW)


def start(cast: Cast, words: dict[str, Any] = PLAN) -> tuple[Period, list[Deal]]:
    """Three people on a plan with quotas, a deal each, calculated."""
    in_force(cast, words, PEOPLE)
    for person in PEOPLE:
        quota(cast, person, "2026Q2", 1_000_00)
    deals = [won(cast, person, 600_00, name=person) for person in PEOPLE]
    return calculated(cast), deals


def test_an_edited_deal_touches_whoever_has_it(cast: Cast) -> None:
    period, (deal, _sams, _albas) = start(cast)
    before = {row.person_id: row.calculation_id for row in Statement.objects.all()}
    changed(cast, deal, amount_minor=1_400_00)
    assert touched(cast) == {cast.ana.pk}
    run = calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert run is not None
    assert (run.totals["written"], run.totals["people"], run.totals["statements"]) == (1, 1, 3)
    assert run.totals["earned_minor"] == {"USD": 50_00 + 40_00 + 30_00 + 30_00}
    assert statement_of(cast, "ana").earned_minor == 90_00
    after = {row.person_id: row.calculation_id for row in Statement.objects.all()}
    assert after == before | {cast.ana.pk: run.pk}


def test_nothing_changed_writes_nothing(cast: Cast) -> None:
    period, _deals = start(cast)
    assert touched(cast) == frozenset()
    assert calculate_touched(actor=cast.actor("rita"), period=period, at=NOW) is None
    assert Calculation.objects.count() == 1


def test_what_becomes_of_leads_and_their_rules_touches_nobody(cast: Cast) -> None:
    start(cast)
    actor = cast.actor("rita")
    create_lead(actor=actor, at=NOW, name="Lena")
    draft = draft_score_version(actor=actor, at=NOW)
    activate_score_version(actor=actor, version_id=draft.pk, at=NOW)
    assert touched(cast) == frozenset()


def test_giving_a_deal_away_touches_both(cast: Cast) -> None:
    period, (deal, *_others) = start(cast)
    reassign(actor=cast.actor("rita"), deal_id=deal.pk, owner=cast.sam, at=NOW)
    assert touched(cast) == {cast.ana.pk, cast.sam.pk}
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert [statement_of(cast, person).earned_minor for person in PEOPLE] == [0, 50_00 + 20_00, 30_00]


def test_a_quota_touches_its_person(cast: Cast) -> None:
    start(cast)
    quota(cast, "alba", "2026Q2", 500_00)
    assert touched(cast) == {cast.people["alba"].pk}


def test_a_plan_that_credits_upwards_touches_everybody_above(cast: Cast) -> None:
    _period, (deal, *_others) = start(cast, ROLLED_UP)
    changed(cast, deal, amount_minor=700_00)
    names = {person.pk: name for name, person in cast.people.items()}
    assert sorted(names[pk] for pk in touched(cast) or ()) == ["ana", "elsa", "max"]


def test_what_may_touch_anybody_is_calculated_whole(cast: Cast) -> None:
    """A deal nobody has, one that was paid elsewhere, and a change of something else."""
    period, (deal, *_others) = start(cast)
    reassign(actor=cast.actor("rita"), deal_id=deal.pk, owner=None, at=NOW)
    assert touched(cast) is None
    run = calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert run is not None
    assert "people" not in run.totals
    assert [problem["code"] for problem in run.problems] == ["nobody-credited"]


def refunded(cast: Cast) -> None:
    """What Ana sold in the first quarter, taken back in the second."""
    booking = Transaction.objects.get(effective_on__lt=date(2026, 4, 1))
    words = NewTransaction(
        kind="refund", effective_on=date(2026, 5, 4), amount_minor=-500_00, currency="USD", reverses_id=booking.pk
    )
    record_transaction(actor=cast.actor("rita"), new=words, at=NOW)


def test_what_takes_back_something_earlier_touches_whoever_had_that(cast: Cast) -> None:
    """Ana held the account when its deal was won, and has given it to Sam since."""
    in_force(cast, PLAN, PEOPLE)
    for person in PEOPLE:
        for label in ("2026Q1", "2026Q2"):
            quota(cast, person, label, 1_000_00)
    amber = Account.objects.create(name="Amber", match_name="amber", created_at=NOW)
    for person, start_on, end_on in (
        (cast.ana, date(2026, 1, 1), date(2026, 4, 1)),
        (cast.sam, date(2026, 4, 1), None),
    ):
        AccountOwnership.objects.create(account=amber, person=person, start_on=start_on, end_on=end_on)
    deal = won(cast, None, 500_00, date(2026, 3, 31))
    Deal.objects.filter(pk=deal.pk).update(account=amber)
    locked(cast, 1)
    period = calculated(cast)
    refunded(cast)
    assert touched(cast) is None
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert (statement_of(cast, "ana").earned_minor, statement_of(cast, "sam").earned_minor) == (-25_00, 0)


@pytest.mark.parametrize("sold_by", ["ana", "alba"])
def test_what_is_taken_back_stays_with_whoever_had_it_whoever_is_touched(cast: Cast, sold_by: str) -> None:
    """Max was Ana's manager when she sold something; Mia is, now that it is taken back.

    Alba, who is on no plan, had it by mistake until the quarter was locked: then Ana and Max got theirs by a late change.
    """
    ReportingLine.objects.filter(manager=cast.elsa).delete()
    in_force(cast, ROLLED_UP, ("ana", "max", "mia"))
    for person in ("ana", "max", "mia"):
        for label in ("2026Q1", "2026Q2"):
            quota(cast, person, label, 1_000_00)
    first = won(cast, sold_by, 500_00, date(2026, 3, 31))
    locked(cast, 1)
    Deal.objects.filter(pk=first.pk).update(owner=cast.ana)
    line = cast.ana.manager_lines.get()
    line.end_on = date(2026, 4, 1)
    line.save()
    cast.ana.manager_lines.create(manager=cast.mia, start_on=date(2026, 4, 1))
    deal = won(cast, "ana", 100_00)
    refunded(cast)
    period = calculated(cast)
    taken = {name: statement_of(cast, name).earned_minor for name in ("ana", "max", "mia")}
    assert taken == {"ana": 5_00 - 25_00, "max": -25_00, "mia": 5_00}
    # Ana and Mia are touched, and Max is not.
    changed(cast, deal, amount_minor=200_00)
    assert cast.max.pk not in (touched(cast) or {cast.max.pk})
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    taken = {name: statement_of(cast, name).earned_minor for name in ("ana", "max", "mia")}
    assert taken == {"ana": 10_00 - 25_00, "max": -25_00, "mia": 10_00}
    # Max is touched, and Ana is not.
    quota(cast, "max", "2026Q2", 2_000_00)
    assert cast.ana.pk not in (touched(cast) or {cast.ana.pk})
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert statement_of(cast, "max").earned_minor == -25_00
    by_touch = stored()
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert stored() == by_touch


def test_what_was_wrong_with_others_stays_said(cast: Cast) -> None:
    period, (deal, *_others) = start(cast)
    won(cast, None, 100_00, name="nobody's")
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    changed(cast, deal, amount_minor=700_00)
    run = calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert run is not None
    assert run.totals["people"] == 1
    assert [problem["code"] for problem in run.problems] == ["nobody-credited"]


def test_open_periods_follow_by_themselves_until_something_is_approved(cast: Cast) -> None:
    period, (deal, *_others) = start(cast)
    changed(cast, deal, amount_minor=1_400_00)
    schedule = next(each for each in declared_schedules() if each.code == "commissions.keep_up")
    assert schedule.rule == "*/15 * * * *"
    come_round(schedule.kind, 1)
    assert statement_of(cast, "ana").earned_minor == 90_00
    assert Calculation.objects.latest("number").run_by is None
    statements = list(period.statements.values_list("pk", flat=True))
    approve_statements(actor=cast.actor("finn"), statement_ids=statements[:1], at=NOW)
    changed(cast, deal, amount_minor=1_500_00)
    come_round(schedule.kind, 2)
    assert statement_of(cast, "ana").earned_minor == 90_00


def test_a_period_under_way_is_begun_by_itself_where_somebody_is_on_a_plan(cast: Cast) -> None:
    in_force(cast, PLAN, ())
    come_round("commissions.keep_up", 1)
    assert not Period.objects.exists()
    plan = Plan.objects.get()
    assign_to_plan(
        actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, start_on=date(2026, 1, 1), currency="USD", at=NOW
    )
    quota(cast, "ana", "2026Q2", 1_000_00)
    won(cast, "ana", 600_00)
    come_round("commissions.keep_up", 2)
    (period,) = Period.objects.all()
    assert (period.label, period.calculations.get().run_by) == ("2026Q2", None)
    assert statement_of(cast, "ana").earned_minor == 30_00
    # What nobody began and is over, nobody begins.
    won(cast, "ana", 600_00, date(2026, 2, 2))
    come_round("commissions.keep_up", 3)
    assert Period.objects.get() == period


def test_a_button_calculates_only_what_changed(cast: Cast, client: Client) -> None:
    period, (deal, *_others) = start(cast)
    client.force_login(cast.people["rita"])
    page = client.get(reverse("commissions:period_detail", kwargs={"pk": period.pk})).content.decode()
    assert "Only what changed" in page
    changed(cast, deal, amount_minor=1_400_00)
    client.post(reverse("commissions:period_calculate", kwargs={"pk": period.pk}), {"changed": "1"})
    assert Job.objects.get(kind="commissions.calculate").payload["is_touched_only"] is True
    run_due()
    assert Calculation.objects.latest("number").totals["people"] == 1


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["edit", "move", "give", "share", "reopen", "quota", "win"]),
        st.integers(0, 2),
        st.sampled_from(PEOPLE),
        st.integers(1, 2_000_00),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=int(os.environ.get("SALESOPS_TOUCHED_EXAMPLES", "5")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rounds=st.lists(CHANGES, min_size=1, max_size=2), is_rolled_up=st.booleans())
def test_it_comes_to_what_calculating_everybody_comes_to(
    cast: Cast, rounds: list[list[tuple[str, int, str, int]]], is_rolled_up: bool
) -> None:
    savepoint = transaction.savepoint()
    try:
        period, deals = start(cast, ROLLED_UP if is_rolled_up else PLAN)
        for changes in rounds:
            for change in changes:
                _happens(cast, deals, *change)
            calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
        by_touch = stored()
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
        assert stored() == by_touch
    finally:
        transaction.savepoint_rollback(savepoint)


def _happens(cast: Cast, deals: list[Deal], what: str, which: int, person: str, amount: int) -> None:
    deal, rita = deals[which], cast.actor("rita")
    deal.refresh_from_db()
    if what == "edit":
        changed(cast, deal, amount_minor=amount)
    elif what == "move":
        changed(cast, deal, closed_on=date(2026, 3 + amount % 4, 1))
    elif what == "give":
        reassign(actor=rita, deal_id=deal.pk, owner=cast.people[person], at=NOW)
    elif what == "share":
        mate = next(name for name in PEOPLE if name != person)
        shares = [SplitDraft(cast.people[name].pk, 5_000) for name in (person, mate)]
        set_splits(actor=rita, deal_id=deal.pk, version=deal.version, splits=shares, at=NOW)
    elif what == "reopen":
        again = Stage.objects.filter(kind="open").order_by("position")[0]
        move_deal(actor=rita, deal_id=deal.pk, stage=again, at=NOW)
    elif what == "quota":
        quota(cast, person, "2026Q2", amount)
    else:
        stage = Stage.objects.filter(kind="won").order_by("position")[0]
        move_deal(actor=rita, deal_id=deal.pk, stage=stage, at=NOW, closed_on=date(2026, 5, 4))
