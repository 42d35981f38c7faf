"""Three people move between pods in the middle of a quarter: previewed, carried out as one, undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.test import Client

from salesops.accounts.models import Account, AccountOwnership
from salesops.accounts.services.owners import hand_over, set_owner
from salesops.audit.models import AuditEntry
from salesops.audit.wording import described
from salesops.commissions.models import Credit, Earning, Period, Quota, Statement
from salesops.commissions.selectors.team import team_statements_in, team_sums
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.deals.models import Deal, Stage
from salesops.deals.services.deals import create_deal
from salesops.leads.models import Lead, Pool, PoolMember
from salesops.notices.models import Notice
from salesops.people.models import ReportingLine
from salesops.people.services.lines import set_manager
from salesops.pods.models import PodMembership
from salesops.reorganisations.choices import Book, ReorganisationState
from salesops.reorganisations.models import Reorganisation, ReorganisationChange
from salesops.reorganisations.selectors import books_of, reorganisation_for, snapshot_of, touched_by
from salesops.reorganisations.services import (
    carry_out,
    create_reorganisation,
    drop_reorganisation,
    edit_reorganisation,
    protect_deal,
    rehearse,
    save_move,
    schedule,
    undo,
    unschedule,
)
from salesops.reorganisations.services.carrying import carry_out_due, fail, is_due
from tests.cast import NOW, SINCE, TODAY, Cast
from tests.commissions.pay import FIVE_THEN_TEN, calculated, plan_in_force, quota, won
from tests.leads.routed import arrives, in_force

pytestmark = pytest.mark.django_db

#: In the middle of the second quarter.
DAY = TODAY


@pytest.fixture
def company(cast: Cast) -> Cast:
    """Two pods with what their people hold: Ana three accounts, four open deals and two leads; Carl an account to look
    after; two pools of leads; a plan; quotas."""
    plan_in_force(cast, FIVE_THEN_TEN, people=("ana", "alba", "sam"))
    for person in ("ana", "alba", "sam"):
        quota(cast, person, "2026Q1", 40_000_00)
        quota(cast, person, "2026Q2", 50_000_00)
    won(cast, "ana", 60_000_00, date(2026, 2, 3), name="Won in winter")
    won(cast, "ana", 10_000_00, date(2026, 5, 4), name="Won in spring")
    likely = Stage.objects.create(code="late", name="Negotiation", position=5, probability_bp=7_500)
    early = Stage.objects.create(code="early", name="Discovery", position=2, probability_bp=2_000)
    for number in range(3):
        account = Account.objects.create(
            name=f"Account {number}", match_name=f"account {number}", owner=cast.ana, pod=cast.north, created_at=NOW
        )
        hand_over({account.pk: cast.ana.pk}, SINCE)
        hand_over({account.pk: cast.carl.pk}, SINCE, function="csm")
    for name, stage, amount, closes in (
        ("Likely", likely, 20_000_00, date(2026, 6, 25)),
        ("Early", early, 30_000_00, date(2026, 6, 28)),
        ("Next quarter", early, 5_000_00, date(2026, 8, 1)),
        ("Undated", early, 1_000_00, None),
    ):
        Deal.objects.create(
            name=name,
            owner=cast.ana,
            pod=cast.north,
            stage=stage,
            kind="open",
            amount_minor=amount,
            currency="USD",
            expected_close_on=closes,
            created_at=NOW,
        )
    for number in range(2):
        Lead.objects.create(
            name=f"Lead {number}", owner=cast.ana, pod=cast.north, status="working", created_at=NOW, assigned_at=NOW
        )
    for name, pod, people in (("North pool", cast.north, ("ana", "sam")), ("South pool", cast.south, ("alba",))):
        pool = Pool.objects.create(name=name, pod=pod)
        for person in people:
            PoolMember.objects.create(pool=pool, person=cast.people[person])
    return cast


def drafted(cast: Cast, **values: Any) -> Reorganisation:
    """Ana goes South and her book stays with Alba, who comes North; Carl goes South and takes along what he looks after."""
    rita = cast.actor("rita")
    given = {"name": "Summer", "effective_on": DAY, "explanation": "South grows.", "protect_from_bp": 7_000} | values
    row = create_reorganisation(actor=rita, at=NOW, values=given)
    moves: dict[str, dict[str, Any]] = {
        "ana": {"to_pod": cast.south, "successor": cast.alba, "manager": cast.mia, "quota_minor": 60_000_00},
        "alba": {"to_pod": cast.north, "successor": cast.ana, "manager": cast.max},
        "carl": {
            "to_pod": cast.south,
            "accounts": Book.ALONG,
            "deals": Book.ALONG,
            "leads": Book.ALONG,
            "manager": cast.mia,
        },
    }
    for person, move in moves.items():
        values = {"currency": "USD", **move}
        save_move(actor=rita, reorganisation_id=row.pk, person=cast.people[person], values=values, at=NOW)
    row.refresh_from_db()
    return row


def previewed(cast: Cast, row: Reorganisation) -> dict[str, Any]:
    """Its preview."""
    rehearse(reorganisation=row, actor=cast.actor("rita"), at=NOW)
    row.refresh_from_db()
    assert row.preview is not None
    return dict(row.preview)


def state_of(row: Reorganisation) -> dict[Any, Any]:
    """Every row that it may change, as it is."""
    books = books_of(row)
    return snapshot_of(touched_by(row, books).people, books)


def paid(period: Period) -> list[Any]:
    """Credits, earnings and statements of a period, byte for byte."""
    models = (Credit.objects.filter(statement__period=period), Earning.objects.filter(statement__period=period))
    rows = [list(model.order_by("pk").values()) for model in models]
    return [*rows, list(Statement.objects.filter(period=period).order_by("pk").values())]


def test_a_preview_changes_nothing_and_foretells_what_carrying_out_does(company: Cast) -> None:
    """What each person and pod has before and after, to the last figure; nobody moves by looking."""
    row = drafted(company)
    calculated(company)
    entries = AuditEntry.objects.count()
    before = state_of(row)
    preview = previewed(company, row)
    assert preview["problems"] == []
    assert (state_of(row), AuditEntry.objects.count()) == (before, entries)
    ana, alba = preview["people"][str(company.ana.pk)], preview["people"][str(company.alba.pk)]
    assert (ana["before"]["pod"], ana["after"]["pod"]) == ("North", "South")
    assert (ana["before"]["manager"], ana["after"]["manager"]) == ("Max Manager", "Mia Manager")
    assert (ana["before"]["accounts"], ana["after"]["accounts"]) == (3, 0)
    assert (alba["before"]["accounts"], alba["after"]["accounts"]) == (0, 3)
    assert (ana["before"]["deals"], ana["after"]["deals"], alba["after"]["deals"]) == (4, 1, 3)
    assert (ana["before"]["pipeline"], ana["after"]["pipeline"]) == ({"USD": 56_000_00}, {"USD": 20_000_00})
    assert (ana["before"]["leads"], ana["after"]["leads"], alba["after"]["leads"]) == (2, 0, 2)
    assert (ana["before"]["quota"], ana["after"]["quota"]) == ({"USD": 50_000_00}, {"USD": 60_000_00})
    # 5 % of 10,000 earned; then of 20,000 at 75 % and of 30,000 at 20 %, of which the last 10,000 lie above the quota.
    assert ana["before"]["expected"] == {"USD": 500_00 + 750_00 + (20_000_00 * 5 + 10_000_00 * 10) // 500}
    assert ana["after"]["expected"] == {"USD": 500_00 + 750_00}
    # Alba is on her way to her quota of 50,000 with the 30,000.
    assert (alba["before"]["expected"], alba["after"]["expected"]) == ({}, {"USD": 300_00})
    assert [(name, why) for _pk, name, why in preview["protected"]] == [("Likely", "likely")]
    pods = preview["pods"]
    north, south = pods[str(company.north.pk)], pods[str(company.south.pk)]
    assert (north["before"]["functions"], north["after"]["functions"]) == (
        {"ae": 1, "csm": 1, "sdr": 1},
        {"ae": 1, "sdr": 1},
    )
    assert south["after"]["functions"] == {"ae": 1, "csm": 2, "sdr": 1}
    assert (north["before"]["accounts"], north["after"]["accounts"]) == (3, 3)
    assert preview["counts"]["accounts.account"] == 3
    assert preview["counts"]["leads.poolmember"] == 4

    carry_out(actor=company.actor("rita"), reorganisation_id=row.pk, at=NOW + timedelta(minutes=5))
    row.refresh_from_db()
    assert row.state == ReorganisationState.DONE
    assert row.result is not None
    for part in ("people", "pods", "company", "counts", "protected", "periods", "digest"):
        assert row.result[part] == preview[part], part
    assert Deal.objects.get(name="Likely").owner == company.ana
    assert Deal.objects.get(name="Early").owner == company.alba
    assert set(Account.objects.values_list("owner__name", "pod__name")) == {("Alba Abe", "North")}
    assert set(AccountOwnership.objects.filter(end_on=None).values_list("person__name", "function")) == {
        ("Alba Abe", "ae"),
        ("Carl Chen", "csm"),
    }
    assert PodMembership.objects.on(DAY).get(person=company.ana).pod == company.south
    assert PodMembership.objects.on(DAY - timedelta(days=1)).get(person=company.ana).pod == company.north
    assert ReportingLine.objects.on(DAY).get(person=company.ana).manager == company.mia
    assert PoolMember.objects.get(pool__name="North pool", person=company.ana).is_in is False
    assert PoolMember.objects.get(pool__name="South pool", person=company.ana).is_in is True
    for name in ("North pool", "South pool"):  # a new setup of each
        kept = Pool.objects.get(name=name).versions.latest("number").setup["members"][str(company.ana.pk)]
        assert kept["is_in"] is (name == "South pool")
    assert ReorganisationChange.objects.filter(reorganisation=row).count() == sum(row.result["counts"].values())
    told = set(Notice.objects.filter(key=f"reorganisation:{row.pk}:done").values_list("person__name", flat=True))
    assert told == {"Ana Alvarez", "Alba Abe", "Carl Chen", "Max Manager", "Mia Manager"}


def test_last_quarter_stays_as_it_was_and_undo_restores_everything(company: Cast) -> None:
    """Team totals, credits, earnings and statements of the quarter before are the same bytes after, and after undo."""
    winter = Period.objects.create(
        kind="quarter", start_on=date(2026, 1, 1), end_on=date(2026, 4, 1), time_zone="UTC", label="2026Q1"
    )
    calculated(company, period=winter)
    everyone = list(Statement.objects.values_list("pk", flat=True))
    approve_statements(actor=company.actor("finn"), statement_ids=everyone, at=NOW, note="A big deal in February")
    lock_period(actor=company.actor("finn"), period=winter, at=NOW)

    def teams() -> list[Any]:
        people = (company.actor("max"), company.actor("mia"), company.actor("finn"))
        return [team_sums(team_statements_in(each, winter)) for each in people]

    team_totals = teams()
    assert any(team_totals)
    pay = paid(winter)
    assert pay[0], "there is something to stay as it was"
    row = drafted(company)
    before = state_of(row)
    previewed(company, row)
    carry_out(actor=company.actor("rita"), reorganisation_id=row.pk, at=NOW)
    assert paid(winter) == pay
    assert teams() == team_totals
    calculated(company)
    assert paid(winter) == pay

    undone = undo(actor=company.actor("rita"), reorganisation_id=row.pk, at=NOW, reason="Too early")
    assert undone.state == ReorganisationState.UNDONE
    assert state_of(row) == before
    assert paid(winter) == pay
    assert teams() == team_totals
    assert Quota.objects.get(person=company.ana, start_on=date(2026, 4, 1)).amount_minor == 50_000_00


def test_undo_names_what_was_changed_since_and_can_leave_it_alone(company: Cast) -> None:
    """A deal that was given on meanwhile stands in the way; ticked, it stays where it is, and the rest is put back."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    Deal.objects.filter(name="Early").update(owner=company.sven)
    after = state_of(row)
    with pytest.raises(ValidationError, match=r"Early \(changed since\)"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early")
    assert state_of(row) == after
    with pytest.raises(ValidationError, match="Say why"):
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason=" ", leaves_changed=True)
    undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early", leaves_changed=True)
    assert Deal.objects.get(name="Early").owner == company.sven
    assert Deal.objects.get(name="Next quarter").owner == company.ana
    assert Lead.objects.get(name="Lead 0").owner == company.ana
    entry = AuditEntry.objects.filter(action="reorganisation.undone").get()
    # The deal, and whose it is in time, which goes with it.
    assert (entry.after["left_alone"], entry.reason) == (2, "Too early")
    with pytest.raises(ValidationError, match="Only what was carried out"):
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Again")


def test_what_stands_in_the_way_is_seen_at_once_and_nothing_moves(company: Cast) -> None:
    """A preview names all problems; carrying out refuses with them, and every row stays as it was."""
    row = drafted(company)
    company.north.closed_on = DAY
    company.north.save()
    preview = previewed(company, row)
    assert set(preview["problems"]) == {
        "Alba Abe: The pod closed on 17 Jun 2026.",
        "Ana Alvarez: You cannot give work to this pod.",
        "Ana Alvarez: You cannot give deals to this pod.",
    }
    before = state_of(row)
    rita = company.actor("rita")
    with pytest.raises(ValidationError, match="stands in the way"):
        schedule(actor=rita, pk=row.pk, at=NOW)
    with pytest.raises(ValidationError), transaction.atomic():
        carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    assert state_of(row) == before
    assert not ReorganisationChange.objects.exists()


def test_it_is_scheduled_for_its_day_and_carried_out_with_the_rights_of_that_day(company: Cast) -> None:
    """Nothing happens before; on the day it is carried out once; who lost the right by then is told, and nobody moves."""
    day = DAY + timedelta(days=3)
    rita = company.actor("rita")
    row = drafted(company, effective_on=day)
    with pytest.raises(ValidationError, match="preview"):
        schedule(actor=rita, pk=row.pk, at=NOW)
    previewed(company, row)
    schedule(actor=rita, pk=row.pk, at=NOW)
    with pytest.raises(ValidationError, match="Only a draft"):
        edit_reorganisation(actor=rita, pk=row.pk, values={"name": "Autumn"}, at=NOW)
    with pytest.raises(ValidationError, match="day has not come"):
        carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    assert not is_due(NOW).exists()
    unschedule(actor=rita, pk=row.pk, at=NOW)
    schedule(actor=rita, pk=row.pk, at=NOW)
    then = NOW + timedelta(days=3)
    assert list(is_due(then)) == [row]
    before = state_of(row)
    company.rita.role_grants.all().update(end_on=day)
    assert carry_out_due(reorganisation=is_due(then).get(), at=then) is False
    assert state_of(row) == before
    row.refresh_from_db()
    assert (row.state, row.failure) == (
        ReorganisationState.DRAFT,
        "Only revenue operations and administrators reorganise pods.",
    )
    assert Notice.objects.filter(person=company.rita, title="Could not be carried out: Summer").exists()
    company.rita.role_grants.all().update(end_on=None)
    schedule(actor=company.actor("rita"), pk=row.pk, at=then)
    then += timedelta(days=1)  # the workers rested for a day
    assert carry_out_due(reorganisation=is_due(then).get(), at=then) is True
    assert not is_due(then).exists()
    assert PodMembership.objects.on(day).get(person=company.ana).pod == company.south
    assert PodMembership.objects.on(day - timedelta(days=1)).get(person=company.ana).pod == company.north
    since = AccountOwnership.objects.filter(person=company.alba, end_on=None).values_list("start_on", flat=True)
    assert set(since) == {day}


def test_drafts_refuse_what_makes_no_sense(company: Cast) -> None:
    """Each refusal says what to do, and the draft stays as it was."""
    rita = company.actor("rita")
    row = drafted(company)
    revision = row.revision
    along = {"accounts": Book.ALONG, "deals": Book.ALONG, "leads": Book.ALONG}
    for person, values, words in (
        ("sven", {"to_pod": company.north}, "who takes over"),
        ("sven", {"to_pod": company.south}, "changes nothing"),
        ("sven", {"to_pod": company.north, "successor": company.sven}, "somebody else"),
        ("sven", {"to_pod": company.north, "manager": company.sven, **along}, "reports to themselves"),
        ("ana", {"to_pod": company.north, **along}, "already"),
    ):
        with pytest.raises(ValidationError, match=words), transaction.atomic():
            save_move(
                actor=rita,
                reorganisation_id=row.pk,
                person=company.people[person],
                values={"currency": "USD", **values},
                at=NOW + timedelta(minutes=1),
            )
    row.refresh_from_db()
    assert (row.moves.count(), row.revision) == (3, revision)
    with pytest.raises(ValidationError, match="today or a day to come"):
        edit_reorganisation(actor=rita, pk=row.pk, values={"effective_on": DAY - timedelta(days=1)}, at=NOW)
    for name in ("max", "ana", "finn", "elsa"):
        with pytest.raises((PermissionDenied, Http404)):
            edit_reorganisation(actor=company.actor(name), pk=row.pk, values={"name": "Mine"}, at=NOW)
    for name in ("max", "ana", "elsa", "norm"):
        with pytest.raises(Http404):
            reorganisation_for(company.actor(name), row.pk)
    assert reorganisation_for(company.actor("finn"), row.pk) == row
    drop_reorganisation(actor=rita, pk=row.pk, at=NOW)
    with pytest.raises(ValidationError, match="Only a draft"):
        schedule(actor=rita, pk=row.pk, at=NOW)


def test_its_history_names_people_and_pods(company: Cast) -> None:
    """What was written into a move is told by name, not by the number of a row."""
    row = drafted(company)
    entry = AuditEntry.objects.filter(subject_type=row._meta.label_lower, after__person=company.ana.pk).latest(
        "sequence"
    )
    (told,) = described([entry])
    words = {line.label: line.after for line in told.lines}
    assert {
        "Person": "Ana Alvarez",
        "To pod": "South",
        "Who takes over": "Alba Abe",
        "Manager": "Mia Manager",
        "New quota": "$60,000.00",
    }.items() <= words.items()


def test_deals_are_protected_by_rule_and_by_hand(company: Cast) -> None:
    """Likely ones by their stage, near ones by their day, and by hand against either; an edit makes the preview stale."""
    rita = company.actor("rita")
    row = drafted(company, protect_days=12)
    assert [(name, why) for _pk, name, why in previewed(company, row)["protected"]] == [
        ("Likely", "likely"),
        ("Early", "soon"),
    ]
    assert row.has_fresh_preview
    previewed_as_it_was = state_of(row)
    for name, is_protected in (("Likely", False), ("Undated", True)):
        deal = Deal.objects.get(name=name)
        later = NOW + timedelta(seconds=1)
        protect_deal(actor=rita, reorganisation_id=row.pk, deal_id=deal.pk, is_protected=is_protected, at=later)
    row.refresh_from_db()
    assert not row.has_fresh_preview
    with pytest.raises(ValidationError, match="Look at a preview"):
        carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    assert state_of(row) == previewed_as_it_was
    assert [(name, why) for _pk, name, why in previewed(company, row)["protected"]] == [
        ("Early", "soon"),
        ("Undated", "by_hand"),
    ]
    with pytest.raises(ValidationError, match="Only open deals"):
        protect_deal(
            actor=rita,
            reorganisation_id=row.pk,
            deal_id=Deal.objects.get(name="Won in spring").pk,
            is_protected=True,
            at=NOW,
        )


def test_a_manager_keeps_the_past_of_the_team_and_no_more(company: Cast) -> None:
    """Max sees what Ana was paid for the winter, when she was his, and not what she is paid with Mia."""
    winter = Period.objects.create(
        kind="quarter", start_on=date(2026, 1, 1), end_on=date(2026, 4, 1), time_zone="UTC", label="2026Q1"
    )
    calculated(company, period=winter)
    calculated(company)
    row = drafted(company)
    previewed(company, row)
    carry_out(actor=company.actor("rita"), reorganisation_id=row.pk, at=NOW)
    hers = Statement.objects.visible_to(company.actor("max")).filter(person=company.ana)
    assert [statement.period.label for statement in hers] == ["2026Q1"]
    assert Credit.objects.visible_to(company.actor("max")).filter(person=company.ana).count() == 1
    mine = Statement.objects.visible_to(company.actor("mia")).filter(person=company.ana)
    assert {statement.period.label for statement in mine} == {"2026Q1", "2026Q2"}
    assert not team_statements_in(company.actor("mia"), winter).filter(person=company.ana).exists()
    assert team_statements_in(company.actor("max"), winter).filter(person=company.ana).exists()


def test_an_account_that_was_given_on_stays_with_all_that_belongs_to_it(company: Cast) -> None:
    """Its owner in time is a chain: it goes back whole or not at all; the other accounts go back."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    first = Account.objects.get(name="Account 0")
    set_owner(actor=rita, account_id=first.pk, owner=company.sven, at=NOW + timedelta(days=1))
    later = NOW + timedelta(days=2)
    with pytest.raises(ValidationError, match=r"Account 0 \(changed since\).* 1 in all"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=later, reason="Too early")
    undo(actor=rita, reorganisation_id=row.pk, at=later, reason="Too early", leaves_changed=True)
    owners = Account.objects.order_by("name").values_list("owner__name", flat=True)
    assert list(owners) == ["Sven Singh", "Ana Alvarez", "Ana Alvarez"]
    held = AccountOwnership.objects.filter(account=first, function="ae").order_by("start_on")
    assert list(held.values_list("person__name", flat=True)) == ["Ana Alvarez", "Alba Abe", "Sven Singh"]


def test_what_came_since_is_not_overlapped(company: Cast) -> None:
    """Who left all pods and joined one later: the old membership does not come back over the new one."""
    rita = company.actor("rita")
    row = create_reorganisation(actor=rita, at=NOW, values={"name": "Out", "effective_on": DAY})
    along = {"accounts": Book.ALONG, "deals": Book.ALONG, "leads": Book.ALONG}
    save_move(actor=rita, reorganisation_id=row.pk, person=company.cleo, values={"to_pod": None, **along}, at=NOW)
    row.refresh_from_db()
    previewed(company, row)
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    PodMembership.objects.create(
        pod=company.north, person=company.cleo, function="csm", start_on=DAY + timedelta(days=1)
    )
    with pytest.raises(ValidationError, match="something else holds on those days now"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Back")
    undone = undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Back", leaves_changed=True)
    assert undone.state == ReorganisationState.UNDONE
    assert PodMembership.objects.on(DAY + timedelta(days=2)).get(person=company.cleo).pod == company.north


def test_nothing_goes_back_to_who_has_left_nor_a_deal_that_was_won(company: Cast) -> None:
    """A deal that Alba won meanwhile is hers, with its pay; what was Ana's stays where it is once she has left."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    Deal.objects.filter(name="Early").update(kind="won", closed_on=DAY)
    with pytest.raises(ValidationError, match=r"Early \(changed since\)"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early")
    company.ana.is_active = False
    company.ana.save()
    with pytest.raises(ValidationError, match="its owner has left"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early")
    undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early", leaves_changed=True)
    assert set(Deal.objects.exclude(name="Likely").filter(closed_on=None).values_list("owner__name", flat=True)) == {
        "Alba Abe"
    }
    assert Deal.objects.get(name="Early").owner == company.alba


def test_an_old_line_does_not_close_a_circle(company: Cast) -> None:
    """Max reports to Mia meanwhile: Ana's line to Max may come back, Mia's to Max may not."""
    rita = company.actor("rita")
    row = create_reorganisation(actor=rita, at=NOW, values={"name": "Up", "effective_on": DAY})
    set_manager(actor=rita, person=company.mia, manager=company.max, start_on=SINCE, at=NOW)
    save_move(actor=rita, reorganisation_id=row.pk, person=company.mia, values={"manager": company.elsa}, at=NOW)
    row.refresh_from_db()
    assert previewed(company, row)["problems"] == []
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    set_manager(actor=rita, person=company.max, manager=company.mia, start_on=DAY, at=NOW)
    with pytest.raises(ValidationError, match="circle"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Back")
    undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Back", leaves_changed=True)
    assert ReportingLine.objects.on(DAY).get(person=company.mia).manager == company.elsa


def test_it_is_carried_out_once_and_a_late_failure_changes_nothing(company: Cast) -> None:
    """A second worker finds it done; one that failed late does not make a draft of what is done."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    after, rows = state_of(row), ReorganisationChange.objects.count()
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    fail(Reorganisation.objects.get(pk=row.pk), ValidationError("late"), NOW)
    assert (state_of(row), ReorganisationChange.objects.count()) == (after, rows)
    row.refresh_from_db()
    assert (row.state, row.failure) == (ReorganisationState.DONE, "")
    preview = row.preview
    rehearse(reorganisation=row, actor=rita, at=NOW)
    row.refresh_from_db()
    assert row.preview == preview


def test_what_is_no_longer_scheduled_is_not_carried_out_by_the_clock(company: Cast) -> None:
    """Taken out of the calendar between the look and the lock: nobody moves."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    schedule(actor=rita, pk=row.pk, at=NOW)
    seen = is_due(NOW).get()
    unschedule(actor=rita, pk=row.pk, at=NOW)
    before = state_of(row)
    carry_out_due(reorganisation=seen, at=NOW)
    assert state_of(row) == before
    assert Reorganisation.objects.get(pk=row.pk).state == ReorganisationState.DRAFT


def test_who_stays_in_the_pod_keeps_the_book(company: Cast) -> None:
    """Another manager and another quota: accounts, deals and leads stay hers, with nobody to take over."""
    rita = company.actor("rita")
    row = create_reorganisation(actor=rita, at=NOW, values={"name": "Lead", "effective_on": DAY})
    values = {"to_pod": company.north, "manager": company.mia, "quota_minor": 70_000_00, "currency": "USD"}
    save_move(actor=rita, reorganisation_id=row.pk, person=company.ana, values=values, at=NOW)
    row.refresh_from_db()
    preview = previewed(company, row)
    assert (preview["problems"], preview["counts"]) == ([], {"commissions.quota": 1, "people.reportingline": 2})


def test_what_it_does_to_pay_is_for_finance(company: Cast, client_of: Callable[[str], Client]) -> None:
    """Revenue operations see neither earnings nor by what changes whose they are; finance sees both."""
    row = drafted(company)
    calculated(company)
    previewed(company, row)
    url = f"/reorganisations/{row.pk}/"
    finance, revops = client_of("finn").get(url), client_of("rita").get(url)
    assert "Expected earnings" in finance.content.decode()
    assert "Expected earnings" not in revops.content.decode()
    assert "expected" not in str(revops.context["people"])
    assert revops.context["told"]["company"] is None


def test_who_took_turns_in_the_new_pool_is_out_of_it_and_stays_known(company: Cast) -> None:
    """Ana took a lead in South's pool meanwhile: its ledger names her, so that she is taken out and not forgotten."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    south = Pool.objects.get(name="South pool")
    in_force({"pool": south})
    assert arrives(company, 7, at=NOW + timedelta(hours=1)).owner is not None
    undo(actor=rita, reorganisation_id=row.pk, at=NOW + timedelta(hours=2), reason="Too early", leaves_changed=True)
    assert PoolMember.objects.get(pool=south, person=company.ana).is_in is False
    kept = [each.setup["members"][str(company.ana.pk)]["is_in"] for each in south.versions.order_by("number")]
    assert (kept[0], kept[-1]) == (True, False)
    assert not PoolMember.objects.filter(pool__name="North pool", person=company.alba).exists()
    assert PoolMember.objects.get(pool__name="North pool", person=company.ana).is_in is True


@pytest.mark.parametrize("owner", ["ana", "alba"])
def test_the_credit_for_a_lead_comes_and_goes_with_the_owner(company: Cast, owner: str) -> None:
    """Alba won the lead: she has a share on top while Ana owns the deal, and none while it is hers; undone, as before."""
    lead = Lead.objects.create(name="Won by Alba", status="converted", credited_to=company.alba, created_at=NOW)
    stage = Stage.objects.get(code="early")
    deal = create_deal(
        actor=company.actor("rita"),
        name="From the lead",
        stage=stage,
        amount_minor=5_000_00,
        currency="USD",
        owner=company.people[owner],
        lead=lead,
        at=NOW,
    )
    shares = [("Alba Abe", 10_000, True)] if owner == "ana" else []

    def on_top() -> list[Any]:
        return list(deal.splits.values_list("person__name", "share_bp", "is_overlay"))

    assert on_top() == shares
    row = drafted(company)
    before = state_of(row)
    assert previewed(company, row)["counts"]["deals.dealsplit"] == 1
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    assert on_top() == ([] if owner == "ana" else [("Alba Abe", 10_000, True)])
    undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early")
    assert state_of(row) == before
    assert on_top() == shares


def test_lines_that_turn_round_go_back_together(company: Cast) -> None:
    """Sam reported to Ana; now Sam leads and Ana reports to him: undone, it is as it was, without a circle on the way."""
    rita = company.actor("rita")
    set_manager(actor=rita, person=company.sam, manager=company.ana, start_on=SINCE, at=NOW)
    row = create_reorganisation(actor=rita, at=NOW, values={"name": "Turn", "effective_on": DAY})
    for person, manager in (("sam", "max"), ("ana", "sam")):
        values = {"to_pod": company.north, "manager": company.people[manager]}
        save_move(actor=rita, reorganisation_id=row.pk, person=company.people[person], values=values, at=NOW)
    row.refresh_from_db()
    before = state_of(row)
    assert previewed(company, row)["problems"] == []
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    assert ReportingLine.objects.on(DAY).get(person=company.ana).manager == company.sam
    undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Back")
    assert state_of(row) == before


def test_somebody_whose_last_day_has_passed_gets_nothing_back(company: Cast) -> None:
    """Ana may still log in and has left: everything that was hers is named, and stays."""
    row = drafted(company)
    previewed(company, row)
    rita = company.actor("rita")
    carry_out(actor=rita, reorganisation_id=row.pk, at=NOW)
    company.ana.left_on = DAY
    company.ana.save()
    with pytest.raises(ValidationError, match="its owner has left"), transaction.atomic():
        undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early")
    undo(actor=rita, reorganisation_id=row.pk, at=NOW, reason="Too early", leaves_changed=True)
    assert set(Lead.objects.values_list("owner__name", flat=True)) == {"Alba Abe"}
