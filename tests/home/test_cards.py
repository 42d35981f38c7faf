"""The cards of the home page: a step is offered while there is something to do, and leads to what it counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from salesops.activities.models import Activity
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import Adjustment, Period, Plan, Statement
from salesops.commissions.selectors.periods import standings
from salesops.commissions.services.adjustments import prepare_adjustment
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.disputes import open_dispute
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.plans import assign_to_plan
from salesops.connectors.models import Connection, Hold, RejectedRow, Source
from salesops.deals.models import Deal, DealSplit, Stage
from salesops.home.cards import MOST, cards_for, tiles_for
from salesops.jobs.models import Job
from salesops.leads.models import Lead
from salesops.leads.services import touch_lead
from salesops.people.models import RoleGrant
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, quota, won
from tests.leads.routed import arrives, in_force, make_pool
from tests.scene import Scene

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


def own_statement(cast: Cast, name: str) -> Statement:
    """Somebody's own statement, like Ana's."""
    statement = Statement.objects.get(person=cast.ana)
    statement.pk, statement.person, statement._state.adding = None, cast.people[name], True
    statement.save()
    return statement


#: What each reader's cards count, by the page behind them.
COUNTED = {
    "ana": {"/activities/": 8, "/leads/": 8, "/deals/": 7},
    "max": {"/leads/": 3, "/deals/": 7, "/disputes/": 1},
    "finn": {"/disputes/": 1, "/adjustments/": 2},
    "rita": {"/deals/": 2, "shelf/": 3, "/connections/": 1, "/jobs/": 1},
    "ada": {"/connections/": 1, "/jobs/": 1},
}


@pytest.mark.parametrize("who", COUNTED)
def test_a_card_leads_to_exactly_the_rows_it_counts(
    who: str, cast: Cast, scene: Scene, client_of: Callable[[str], Client]
) -> None:
    stages = {kind: Stage.objects.filter(kind=kind).first() for kind in ("open", "won")}
    deal = {"pod": cast.north, "amount_minor": 1, "currency": "USD", "created_at": NOW, "stage_entered_at": NOW}
    for days in (-3, -2, -1, 0, 1) * 2 + (-4,):
        day = TODAY + timedelta(days=days)
        for owner in (cast.ana, cast.alba):
            Deal.objects.create(
                name="Open", kind="open", stage=stages["open"], expected_close_on=day, **{**deal, "owner": owner}
            )
    for shared in (False, False, True):
        lone = Deal.objects.create(name="Won", kind="won", stage=stages["won"], closed_on=TODAY, **deal)
        if shared:
            DealSplit.objects.create(deal=lone, person=cast.ana, function="ae", share_bp=10_000)
    for number in range(7):
        about = {"kind": "task", "subject": "Call", "person": cast.ana, "deal": scene.deal, "created_at": NOW}
        Activity.objects.create(due_at=NOW - timedelta(days=number), **about)
        Activity.objects.create(due_at=NOW + timedelta(days=number + 1), **about)
        Lead.objects.create(name="New", owner=cast.ana, pod=cast.north, created_at=NOW)
        Lead.objects.create(name="Touched", owner=cast.ana, pod=cast.north, created_at=NOW, first_touched_at=NOW)
    for status in ("new", "new", "new", "working"):
        Lead.objects.create(name="Nobody's", pod=cast.north, status=status, created_at=NOW)
    RejectedRow.objects.create(file_import=scene.file_import, line=3, cells=["x"], state="dismissed")
    for state in ("refused", "dismissed"):
        scene.raw_record.pk, scene.raw_record.external_id, scene.raw_record.state = None, f"006{state}", state
        scene.raw_record._state.adding = True
        scene.raw_record.save()
    Connection.objects.update(failing_since=NOW)
    other_connection(cast, "Calls", state="paused", failing_since=NOW)
    Job.objects.filter(pk=scene.job.pk).update(state="dead", finished_at=NOW)
    open_dispute(
        actor=cast.actor("finn"), statement=own_statement(cast, "finn"), line="", subject="Mine", message="Mine", at=NOW
    )
    for name, amount in (("max", 1), ("finn", 2), ("max", 3)):
        # What Finn prepared himself waits for somebody else.
        prepare_adjustment(
            actor=cast.actor(name),
            person_id=cast.ana.pk,
            plan=scene.plan,
            period=scene.period,
            amount_minor=amount,
            reason="As agreed in the talk of May",
            at=NOW,
        )
    Adjustment.objects.filter(amount_minor=3).update(state="withdrawn")
    found: Counter[str] = Counter()
    for card in cards_for(cast.actor(who), at=NOW):
        number = re.match(r"\d+", card.title)
        if number is None or "?" not in card.url:
            continue
        page = client_of(who).get(f"{card.url}&part=totals")
        count = int(number[0]) + (MOST if card.icon == "dots" else 0)
        assert page.context["count"] == count, card
        found[next(end for end in COUNTED[who] if card.url.split("?")[0].endswith(end))] += count
    assert found == COUNTED[who]


def other_connection(cast: Cast, name: str, **fields: Any) -> Connection:
    """One more connection, which reaches nobody."""
    return Connection.objects.create(
        source=Source.objects.create(code=name.lower(), name=name),
        vendor="stripe",
        hook_token=f"the token of {name}",
        made_by=cast.rita,
        made_at=NOW,
        **fields,
    )


def test_how_connections_are_stands_on_the_home_page(
    cast: Cast, client_of: Callable[[str], Client], django_assert_num_queries: Any
) -> None:
    """How many are in step, how many fail and which, what is held: for revops and administrators."""

    def told(name: str) -> list[tuple[str, str, str]]:
        return [(tile.value, tile.note, tile.url) for tile in tiles_for(cast.actor(name), at=NOW)]

    def titles(name: str) -> dict[str, str]:
        return {card.title: card.why for card in cards_for(cast.actor(name), at=NOW) if "connection" in card.url}

    rita = cast.actor("rita")
    assert told("rita") == told("ada") == []
    other_connection(cast, "Billing", state="running")
    other_connection(cast, "Gone", state="disconnected", failing_since=NOW)
    assert told("rita") == told("ada") == [("1 of 1", "None fails", "/connections/")]
    assert titles("rita") == {}
    with django_assert_num_queries(2):
        tiles_for(rita, at=NOW)
    other_connection(cast, "Calls", state="running", failing_since=NOW)
    other_connection(cast, "Mails", state="broken")
    other_connection(cast, "Drafted")
    assert told("rita") == told("ada") == [("1 of 4", "2 fail", "/connections/")]
    fails = {"2 connections fail": "What changes there is not here yet: Calls, Mails"}
    assert titles("rita") == titles("ada") == fails
    with django_assert_num_queries(2):
        tiles_for(rita, at=NOW)
    page = str(client_of("rita").get("/").content.decode())
    assert "Connections in step" in page
    assert 'href="/connections/?fails=yes"' in page
    for name in ("max", "finn", "elsa"):
        assert titles(name) == {}
        assert "/connections/" not in {url for *_rest, url in told(name)}


def test_attainment_on_the_home_page_is_that_of_the_statement(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """Rounded as everywhere: 20,000 of 30,000 is 66.67 %."""
    plan_in_force(cast, FLAT_8)
    quota(cast, "ana", "2026Q2", 3_000_000)
    won(cast, "ana", 2_000_000)
    calculated(cast)
    statement = Statement.objects.get(person=cast.ana)
    [tile] = tiles_for(cast.actor("ana"), at=NOW)
    assert (tile.value, tile.note) == ("$1,600.00", "Attainment 66.67 % · To be approved")
    [without_quota] = tiles_for(cast.actor("sam"), at=NOW)
    assert without_quota.note == "To be approved"
    assert ">66.67 %<" in client_of("ana").get(f"/commissions/statements/{statement.pk}/").content.decode()


def test_held_changes_wait_on_the_home_page(cast: Cast, scene: Scene) -> None:
    """They lead to where they are decided, and go with the decision."""
    hold = scene.hold

    def held(name: str) -> list[tuple[str, str, str]]:
        return [(c.title, c.why, c.url) for c in cards_for(cast.actor(name), at=NOW) if c.icon == "shield-lock"]

    said = "Cloud CRM · $1,200.00 in all; commission is counted from them, so a person decides"
    assert held("rita") == [("1 closed deal would change in one go", said, f"/connections/holds/{hold.pk}/")]
    assert held("ada") == held("rita")
    assert held("finn") == []
    Hold.objects.update(state="turned_away", decided_by=cast.rita, decided_at=NOW, reason="Not so.")
    assert held("rita") == []


def test_a_new_company_is_told_what_to_do_first(cast: Cast) -> None:
    """Each step stands on the home page of the role that takes it, until it is taken."""

    def titles(name: str) -> list[str]:
        return [card.title for card in cards_for(cast.actor(name), at=NOW)]

    bring, write, put = "Bring your accounts and deals", "Write the first plan", "Put people on a plan"
    assert titles("rita") == [bring, write]
    plan_in_force(cast, FLAT_8, people=())
    assert titles("rita")[:2] == [bring, put]
    assign_to_plan(
        actor=cast.actor("rita"), plan=Plan.objects.get(), person_id=cast.ana.pk, start_on=TODAY, currency="USD", at=NOW
    )
    won(cast, "ana", 1_000_00)
    assert not {bring, write, put} & set(titles("rita"))

    assert titles("ada") == []
    RoleGrant.objects.exclude(role="admin").update(end_on=TODAY)
    assert titles("ada") == ["Invite revenue operations", "Invite finance", "Bring your reps and managers"]
    assert titles("ana") == []


@pytest.mark.parametrize(
    ("since", "title", "why"),
    [
        (2026, "1 period is not calculated", "2026Q1"),
        (2017, "4 periods are not calculated", "2026Q1, 2025Q4, 2025Q3, 2025Q2"),
    ],
)
def test_only_periods_that_ended_within_a_year_wait(since: int, title: str, why: str, cast: Cast) -> None:
    """On 17 June the second quarter still runs; what ended long ago may be calculated, but is no work that waits."""
    plan_in_force(cast, FLAT_8, start_on=date(since, 1, 1))
    cards = {card.title: card.why for card in cards_for(cast.actor("finn"), at=NOW)}
    assert cards == {title: why}


def test_leads_whose_clock_runs_out_come_first_and_say_when(cast: Cast) -> None:
    """The soonest clock first, then those without one; with an hour to go it comes before everything else."""
    pool = make_pool(cast, "Inbound", "ana")
    in_force(
        {"pool": pool},
        levels=[
            {"name": "Hot", "condition": 'origin = "inbound"', "warn_minutes": 30, "reassign_minutes": 90},
            {"name": "Event", "condition": 'origin = "event"', "warn_minutes": 600},
        ],
    )
    for number, origin in enumerate(("partner", "event", "inbound")):
        arrives(cast, number, origin=origin)
    ana = cast.actor("ana")

    def told(minutes: int) -> list[tuple[str, float, str]]:
        cards = cards_for(ana, at=NOW + timedelta(minutes=minutes))
        return [(card.title, card.rank, card.why) for card in cards if card.title.startswith("Contact")]

    assert told(1) == [
        ("Contact Lead 2", 5, "Hot: to be touched by 17 Jun 2026, 10:30"),
        ("Contact Lead 1", 20, "Event: to be touched by 17 Jun 2026, 20:00"),
        ("Contact Lead 0", 20, "Yours since 1 minute ago and not touched yet"),
    ]
    late = "Hot: its time is out since 17 Jun 2026, 10:30; it goes to somebody else at 17 Jun 2026, 11:30"
    assert told(45)[0] == ("Contact Lead 2", 5, late)
    touch_lead(lead_id=Lead.objects.get(name="Lead 2").pk, at=NOW)
    assert [title for title, _rank, _why in told(45)] == ["Contact Lead 1", "Contact Lead 0"]
