"""The demo company is believable and obeys the rules of the models."""

from __future__ import annotations

import zoneinfo
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Count, F, Q, Sum

from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription
from salesops.activities.models import Activity
from salesops.audit.models import AuditEntry
from salesops.commissions.models import (
    Acknowledgement,
    Adjustment,
    Dispute,
    PayrollFile,
    Period,
    PlanAssignment,
    SettlementLine,
    Statement,
    Transaction,
)
from salesops.commissions.selectors.totals import disagreements
from salesops.core.actor import Role, system_actor
from salesops.deals.models import Deal, DealLine, DealSplit, StageChange
from salesops.effort.models import EffortLook, EffortPolicy, EffortScore
from salesops.home.demo.services import make_demo
from salesops.home.demo.size import Size
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool
from salesops.leads.services import create_lead
from salesops.people.models import FunctionAssignment, Leave, ReportingLine, RoleGrant, User, WorkingHours
from salesops.pods.models import Pod, PodMembership, Segment
from salesops.pods.selectors import actor_for

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 17)
NOW = datetime(2026, 6, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def usual(django_db_setup: None, django_db_blocker: Any) -> Any:
    """The company as `manage.py demo` makes it, once for this file; afterwards the database is as before."""
    with django_db_blocker.unblock(), transaction.atomic():
        make_demo(seed=1, size=Size.scaled(1), today=TODAY)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def demo(usual: None, db: None) -> None:
    """The company, in a database that may be read."""


# --- The company --------------------------------------------------------------------------------------------------


def test_people_pods_and_three_levels(demo: None) -> None:
    assert User.objects.count() == 44
    assert Pod.objects.count() == 5
    assert Segment.objects.count() == 3
    roles = Counter(RoleGrant.objects.on(TODAY).values_list("role", flat=True))
    assert roles == {"rep": 30, "manager": 7, "revops": 2, "finance": 2, "executive": 1, "admin": 1}
    above = dict(ReportingLine.objects.on(TODAY).values_list("person_id", "manager_id"))
    rep = User.objects.get(title="Key account manager", time_zone="Europe/London").pk
    chain = [rep]
    while chain[-1] in above:
        chain.append(above[chain[-1]])
    assert [User.objects.get(pk=pk).title for pk in chain[1:]] == [
        "Pod lead",
        "Director of sales, mid-market and enterprise",
        "Chief revenue officer",
    ]
    functions = set(FunctionAssignment.objects.on(TODAY).values_list("function", flat=True))
    assert functions == {"mdr", "sdr", "adr", "ae", "kam", "onb", "csm"}
    assert User.objects.values("time_zone").distinct().count() >= 6


def test_history_of_people_is_held_in_time(demo: None) -> None:
    moved = [
        row
        for row in PodMembership.objects.values("person").annotate(pods=Count("pod", distinct=True))
        if row["pods"] > 1
    ]
    promoted = (
        FunctionAssignment.objects.values("person")
        .annotate(functions=Count("function", distinct=True))
        .filter(functions=2)
    )
    assert (len(moved), promoted.count()) == (1, 1)
    left = User.objects.get(is_active=False)
    assert left.left_on is not None
    assert not RoleGrant.objects.on(TODAY).filter(person=left).exists()
    assert not Deal.objects.filter(owner=left, kind="open").exists()
    assert Deal.objects.filter(owner=left).exclude(kind="open").exists()
    handed = AccountOwnership.objects.filter(person=left, end_on=left.left_on)
    assert handed.exists()
    assert not Account.objects.filter(owner=left).exists()
    newcomers = User.objects.filter(started_on__gt=TODAY - timedelta(days=90), is_active=True)
    assert newcomers.count() == 3
    assert Leave.objects.on(TODAY).exists()
    assert Leave.objects.filter(kind="parental").exists()
    assert WorkingHours.objects.values("person").annotate(days=Count("id")).filter(days=4).count() == 1


def test_nobody_real_can_be_written_to(demo: None) -> None:
    for model in (User, Lead, Contact):
        addresses = model.objects.exclude(email="").values_list("email", flat=True)
        assert all(address.endswith(".example.com") for address in addresses)
        assert all(address == address.lower() and address.isascii() for address in addresses)
    assert all(
        site.endswith(".example.com") for site in Account.objects.exclude(website="").values_list("website", flat=True)
    )
    names = set(User.objects.values_list("name", flat=True))
    assert len({part for name in names for part in name.split(" ", 1)}) == 2 * len(names)


def test_nobody_can_log_in_without_a_password_given(demo: None) -> None:
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_each_role_sees_what_it_should(demo: None) -> None:
    def sees(person: User) -> int:
        return Deal.objects.visible_to(actor_for(person, at=NOW)).count()

    rep = User.objects.filter(role_grants__role="rep", pod_memberships__pod__name="Drift", is_active=True)[0]
    lead = User.objects.filter(title="Pod lead", report_lines__person=rep)[0]
    director = User.objects.get(title="Director of sales, mid-market and enterprise")
    revops = User.objects.get(title="Head of revenue operations")
    assert actor_for(rep, at=NOW).roles == {Role.REP}
    assert 0 < sees(rep) <= sees(lead) < sees(director) < sees(revops) == Deal.objects.count()


# --- The business -------------------------------------------------------------------------------------------------


def test_deals_are_won_at_believable_rates_and_amounts(demo: None) -> None:
    closed = Deal.objects.exclude(kind="open")
    assert 0.20 <= closed.filter(kind="won").count() / closed.count() <= 0.30
    medians = []
    for segment in ("smb", "mid", "enterprise"):
        amounts = sorted(Deal.objects.filter(pod__segment__code=segment).values_list("amount_minor", flat=True))
        medians.append(amounts[len(amounts) // 2] / 100)
        mean = sum(amounts) / len(amounts) / 100
        assert mean > 1.1 * medians[-1]  # a long tail to the right
    assert medians[0] == pytest.approx(7_000, rel=0.3)
    assert medians[1] == pytest.approx(27_000, rel=0.3)
    assert medians[2] == pytest.approx(118_000, rel=0.3)
    rates = [
        row["won"] / row["all"]
        for row in closed.values("owner")
        .annotate(all=Count("id"), won=Count("id", filter=Q(kind="won")))
        .filter(all__gt=60)
    ]
    assert max(rates) > 1.4 * min(rates)  # skill differs


def test_leads_convert_by_segment(demo: None) -> None:
    rates = {
        row["segment__code"]: row["converted"] / row["all"]
        for row in Lead.objects.exclude(segment=None)
        .values("segment__code")
        .annotate(all=Count("id"), converted=Count("id", filter=Q(status="converted")))
    }
    assert 0.04 < rates["smb"] < rates["mid"] < 0.16
    assert rates["smb"] < rates["enterprise"] < 0.2


def test_moments_and_states_of_leads_agree(demo: None) -> None:
    assert not Lead.objects.filter(
        Q(assigned_at__lt=F("created_at"))
        | Q(first_touched_at__lt=F("assigned_at"))
        | Q(last_touched_at__lt=F("first_touched_at"))
        | Q(converted_at__lt=F("last_touched_at"))
        | Q(created_at__gte=NOW)
        | Q(last_touched_at__gte=NOW)
    ).exists()
    assert not Lead.objects.exclude(status="new").filter(first_touched_at=None).exists()
    assert not Lead.objects.filter(status="new").exclude(first_touched_at=None).exists()
    assert not Lead.objects.filter(owner=None).exclude(assigned_at=None).exists()
    converted = Lead.objects.filter(status="converted")
    assert not converted.filter(Q(account=None) | Q(contact=None) | Q(converted_at=None)).exists()
    assert converted.count() == Deal.objects.exclude(lead=None).count()
    assert not converted.exclude(credited_to=F("owner")).exists()
    assert not Lead.objects.exclude(status="converted").exclude(credited_to=None).exists()
    for deal in Deal.objects.exclude(lead=None).select_related("lead", "account"):
        assert deal.created_at == deal.lead.converted_at
        assert deal.account_id == deal.lead.account_id
        assert deal.pod_id == deal.lead.pod_id
    assert Lead.objects.exclude(owner=None).count() == LeadAssignment.objects.count()
    latest = Lead.objects.filter(created_at__gte=NOW - timedelta(days=3))
    assert latest.filter(status="new").exists()
    assert latest.filter(owner=None).exists()


def test_the_log_of_stages_tells_the_same_story_as_the_deal(demo: None) -> None:
    changes = defaultdict(list)
    for change in StageChange.objects.order_by("deal", "changed_at", "id").select_related("to_stage"):
        changes[change.deal_id].append(change)
    for deal in Deal.objects.select_related("stage"):
        log = changes[deal.pk]
        assert log[0].from_stage_id is None
        assert log[0].changed_at == deal.created_at
        assert log[0].seconds_in_stage is None
        for before, after in pairwise(log):
            assert after.from_stage_id == before.to_stage_id
            assert before.to_stage.kind == "open"
            assert after.seconds_in_stage == (after.changed_at - before.changed_at).total_seconds() > 0
        assert log[-1].to_stage_id == deal.stage_id
        assert log[-1].changed_at == deal.stage_entered_at < NOW
        assert deal.kind == deal.stage.kind
        assert deal.version == len(log)
        assert (deal.lost_because != "") == (deal.kind == "lost")
        if deal.kind != "open":
            assert deal.closed_on == log[-1].changed_at.date()
            assert log[-1].amount_minor == deal.amount_minor
            assert deal.closed_on >= deal.opened_on


def test_lines_splits_and_currencies_add_up(demo: None) -> None:
    wrong = Deal.objects.annotate(total=Sum("lines__amount_minor")).exclude(total=F("amount_minor"))
    assert not wrong.exists()
    for line in DealLine.objects.all():
        exact = line.quantity * line.unit_price_minor * (10_000 - line.discount_bp)
        assert abs(line.amount_minor * 10_000 - exact) <= 5_000
    shares = DealSplit.objects.values("deal").annotate(total=Sum("share_bp"), parts=Count("id"))
    assert len(shares) > 50
    assert {(row["total"], row["parts"]) for row in shares} == {(10_000, 2)}
    currencies = set(Deal.objects.values_list("pod__name", "currency").distinct())
    assert {pod for pod, currency in currencies if currency == "EUR"} == {"Drift"}
    assert {currency for _pod, currency in currencies} == {"USD", "EUR"}


def test_forecast_has_something_in_this_and_the_next_quarters(demo: None) -> None:
    open_deals = Deal.objects.filter(kind="open")
    assert open_deals.filter(expected_close_on__gte=TODAY, expected_close_on__lt=date(2026, 7, 1)).count() >= 10
    assert (
        open_deals.filter(expected_close_on__gte=date(2026, 7, 1), expected_close_on__lt=date(2026, 10, 1)).count()
        >= 40
    )
    assert open_deals.filter(expected_close_on__lt=TODAY).exists()
    quarters = [
        Deal.objects.filter(kind="won", closed_on__gte=start, closed_on__lt=end).count()
        for start, end in (
            (date(2024, 7, 1), date(2024, 10, 1)),
            (date(2025, 1, 1), date(2025, 4, 1)),
            (date(2026, 1, 1), date(2026, 4, 1)),
        )
    ]
    assert all(count >= 20 for count in quarters)
    assert quarters[0] < quarters[2]  # it grows


def test_work_is_done_in_working_hours(demo: None) -> None:
    hours = {(row.person_id, row.weekday): (row.starts_at, row.ends_at) for row in WorkingHours.objects.all()}
    zones = {user.pk: zoneinfo.ZoneInfo(user.time_zone) for user in User.objects.all()}
    away = defaultdict(set)
    for leave in Leave.objects.all():
        away[leave.person_id].update(
            leave.start_on + timedelta(days=day) for day in range((leave.end_on - leave.start_on).days)
        )
    happened = list(Activity.objects.exclude(happened_at=None).values_list("person_id", "happened_at"))
    moved = list(StageChange.objects.values_list("changed_by_id", "changed_at"))
    touched = list(Lead.objects.exclude(first_touched_at=None).values_list("owner_id", "first_touched_at"))
    assert min(len(happened), len(moved), len(touched)) > 5_000
    weekdays: Counter[int] = Counter()
    for person, moment in happened + moved + touched:
        local = moment.astimezone(zones[person])
        weekdays[local.isoweekday()] += 1
        starts, ends = hours[person, local.isoweekday()]
        assert starts <= local.time() <= ends
        assert local.date() not in away[person]
    assert set(weekdays) == {1, 2, 3, 4, 5}
    assert max(weekdays.values()) < 2 * min(weekdays.values())
    weekend = Lead.objects.filter(created_at__iso_week_day__gte=6).count()
    assert 0 < weekend < Lead.objects.count() * 0.1


def test_desks_have_tasks_overdue_today_and_later(demo: None) -> None:
    tasks = Activity.objects.filter(kind="task")
    waiting = tasks.filter(done_at=None)
    start, end = NOW, NOW + timedelta(days=1)
    assert waiting.filter(due_at__lt=start).count() >= 25
    assert waiting.filter(due_at__gte=start, due_at__lt=end).count() >= 40
    assert waiting.filter(due_at__gte=end).count() >= 40
    assert tasks.exclude(done_at=None).count() >= 25
    assert not tasks.filter(done_at__gte=NOW).exists()
    assert not tasks.filter(created_at__gte=F("due_at")).exists()
    assert not waiting.filter(deal__isnull=False).exclude(deal__kind="open").exists()
    assert not waiting.filter(lead__status__in=["converted", "disqualified"]).exists()


def test_accounts_contacts_and_subscriptions(demo: None) -> None:
    assert Account.objects.exclude(parent=None).count() > 20
    assert not Account.objects.filter(parent_id__gte=F("id")).exists()
    assert not Account.objects.filter(contacts=None).exists()
    assert Contact.objects.filter(is_primary=True).count() == Account.objects.count()
    subscribed = set(Subscription.objects.filter(end_on=None).values_list("account_id", flat=True))
    customers = set(Account.objects.filter(status="customer").values_list("id", flat=True))
    former = set(Account.objects.filter(status="former").values_list("id", flat=True))
    assert subscribed <= customers
    assert former
    assert not former & subscribed
    won = set(Deal.objects.filter(kind="won").exclude(account=None).values_list("account_id", flat=True))
    assert won <= customers | former
    assert not AccountOwnership.objects.filter(start_on__gt=TODAY).exists()
    assert not Subscription.objects.filter(mrr_minor__lte=0).exists()


def test_pay_of_five_quarters_in_all_states(demo: None) -> None:
    states = {
        period.label: (period.state, set(period.statements.values_list("state", flat=True)))
        for period in Period.objects.all()
    }
    assert states == {
        "2025Q2": ("locked", {"paid", "locked"}),
        "2025Q3": ("locked", {"paid", "locked"}),
        "2025Q4": ("locked", {"paid", "locked"}),
        "2026Q1": ("open", {"approved", "draft"}),
        "2026Q2": ("open", {"draft"}),
    }
    assert not Statement.objects.filter(state="locked").exclude(payout_minor=0).exists()
    assert {file.currency for file in PayrollFile.objects.all()} == {"USD", "EUR"}
    paid = Statement.objects.filter(state="paid").aggregate(total=Sum("payout_minor"))["total"]
    assert paid == PayrollFile.objects.aggregate(total=Sum("total_minor"))["total"] > 0
    for period in Period.objects.all():
        assert disagreements(period) == []
    reached = [
        row.credited_minor / row.quota_minor
        for row in Statement.objects.exclude(period__label="2026Q2").filter(quota_minor__gte=60_000_00)
    ]
    assert 0.2 < sum(share >= 1 for share in reached) / len(reached) < 0.7  # neither everybody nor nobody
    assert Statement.objects.filter(plan_version__plan__name="Sales development", earned_minor__gt=0).exists()
    for statement in Statement.objects.exclude(calculation__run_by=None):
        assert statement.prepared_by_id not in statement.approvals.values_list("decided_by_id", flat=True)


def test_leads_find_their_people_by_rules_from_the_first_day(demo: None) -> None:
    pools = {pool.name: list(pool.members.select_related("person")) for pool in Pool.objects.all()}
    assert set(pools) == {"Small business", "Mid-market", "Enterprise"}
    front = PodMembership.objects.on(TODAY).filter(function__in=("mdr", "sdr", "adr"))
    for name, members in pools.items():
        there = front.filter(pod__segment__name=name).values_list("person", flat=True)
        assert {member.person_id for member in members} == set(there)
        assert len(members) >= 2
        assert len({member.tie_key for member in members}) == len(members)
    at = datetime(2026, 6, 17, 15, 0, tzinfo=UTC)  # morning on the coast where small business sells
    lead = create_lead(actor=system_actor(), at=at, name="Nora Nord", employees=5, origin="inbound", owner=None)
    assert (lead.pool, lead.waits_because) == (Pool.objects.get(name="Small business"), "")
    assert lead.owner_id in {member.person_id for member in pools["Small business"]}
    assert Clock.objects.get(lead=lead).level == "Inbound"


def test_the_past_was_recorded_when_it_happened(demo: None) -> None:
    moments = list(AuditEntry.objects.order_by("pk").values_list("at", flat=True))
    assert moments == sorted(moments)
    assert moments[-1] == NOW
    assert AuditEntry.objects.get(action="demo.made").at == NOW
    late = Period.objects.get(label="2025Q4").locked_at
    assert date(2026, 1, 1) < late.date() < date(2026, 1, 15)


def test_some_of_it_is_dirty(demo: None) -> None:
    folded = Counter(Account.objects.values_list("match_name", flat=True))
    assert sum(count > 1 for count in folded.values()) >= 5
    assert any(name.isupper() for name in Account.objects.values_list("name", flat=True))
    assert 0.02 < Deal.objects.filter(account=None).count() / Deal.objects.count() < 0.04
    assert Lead.objects.filter(email="").exists()
    assert Lead.objects.filter(company="").exists()
    assert any(name.islower() for name in Lead.objects.values_list("name", flat=True))
    assert Account.objects.filter(segment=None).exists()


def test_pay_has_what_pay_has_in_life(demo: None) -> None:
    """Draws advanced, a credit note and a corrected quota that come late, a doubt, and most plans acknowledged."""
    kinds = set(SettlementLine.objects.values_list("kind", flat=True))
    assert {"draw_advance", "draw_recovery", "adjustment"} <= kinds
    late = Adjustment.objects.filter(kind="late")
    assert {row.cause for row in late} == {"quota"}
    assert {row.about_period.label for row in late if row.about_period} == {"2025Q4"}
    back = Transaction.objects.get(kind="credit_note")
    assert back.credits.filter(statement__period__label="2026Q2").exists()
    assert Dispute.objects.get().statement.period.label == "2026Q1"
    held = PlanAssignment.objects.on(TODAY).filter(person__is_active=True).count()
    assert 0.5 * held < Acknowledgement.objects.count() < held * 2


def test_effort_is_scored_in_two_of_three_legal_entities(demo: None) -> None:
    on = set(EffortPolicy.objects.filter(is_on=True).values_list("entity__name", flat=True))
    assert on == {"Nordlicht Instruments GmbH", "Nordlicht Instruments Inc."}
    assert set(EffortScore.objects.values_list("person__legal_entity__name", flat=True)) == on
    assert EffortScore.objects.values("week_on").distinct().count() >= 12
    assert set(EffortScore.objects.values_list("band", flat=True)) == {"low", "middle", "high"}
    assert not EffortScore.objects.filter(function__in=["csm", "onb"]).exists(), "nothing is expected of them"
    assert EffortLook.objects.exists()
    assert not EffortLook.objects.exclude(viewer__role_grants__role="manager").exists()
    assert not User.objects.filter(legal_entity=None).exists()
