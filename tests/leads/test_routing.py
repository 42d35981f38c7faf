"""Leads find their people in the transaction that makes them, and everybody can see why."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Contact
from salesops.accounts.services import create_account, create_contact
from salesops.audit.models import AuditEntry
from salesops.core.models import ExchangeRate
from salesops.leads.choices import LeadStatus, OnReturn, PoolMethod, TurnKind, WhenNobody
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, PoolMember, Turn
from salesops.leads.rules.rotation import LEAD
from salesops.leads.selectors.routing import rules_in_force
from salesops.leads.selectors.ways import Gone, ways_of
from salesops.leads.services import (
    LeadRecord,
    assign_lead,
    bulk_assign,
    create_lead,
    set_status,
    touch_lead,
    upsert_leads,
)
from salesops.leads.services.routing import try_lead
from salesops.leads.services.turns import give_back
from salesops.people.models import Leave, WorkingHours
from tests.cast import NOW, Cast
from tests.leads.gtm_cases import case_of
from tests.leads.routed import arrives, credit_of, in_force, make_pool

HALF = LEAD // 2


@pytest.fixture
def pool(cast: Cast) -> Pool:
    """Sam and Sven take everything in turn."""
    pool = make_pool(cast, "Inbound", "sam", "sven")
    in_force({"name": "Everything", "pool": pool})
    return pool


def owners(*leads: Lead) -> list[str]:
    return [lead.owner.name.split()[0] if lead.owner else "" for lead in leads]


def path(lead: Lead) -> dict[str, object]:
    found: dict[str, object] = LeadAssignment.objects.filter(lead=lead).latest("pk").path
    return found


def ledger_is_right() -> None:
    """Every credit is the sum of its turns, and pools add up to nothing."""
    for each in Pool.objects.all():
        found: Counter[str] = Counter()
        for changes in Turn.objects.filter(pool=each).values_list("changes", flat=True):
            found.update(changes)
        credits = {str(member.pk): member.credit for member in each.members.all()}
        assert {key: found[key] for key in credits} == credits
        assert sum(credits.values()) == 0


# --- In turn ------------------------------------------------------------------------------------------------------


def test_without_rules_a_lead_stays_nobodys(cast: Cast) -> None:
    lead = arrives(cast)
    assert (lead.owner, lead.waits_because) == (None, "")
    assert not LeadAssignment.objects.exists()


def test_leads_go_round_and_each_carries_its_way(cast: Cast, pool: Pool) -> None:
    first, second, third = (arrives(cast, number) for number in range(3))
    assert owners(first, second, third) == ["Sam", "Sven", "Sam"]
    assert (first.pod, second.pod, first.pool) == (cast.north, cast.south, pool)
    assert first.assigned_at == NOW
    assert {**path(second), "pools": []} == {"version": 1, "steps": [], "rule": [1, "Everything"], "pools": []}
    one = path(second)["pools"][0]  # type: ignore[index]
    assert one == {
        "pool": pool.pk,
        "method": "weighted",
        "candidates": [[cast.sam.pk, 1, -500, 0, 1], [cast.sven.pk, 1, 500, 0, 1]],
        "out": [],
    }
    assert credit_of(cast, pool, "sam", "sven") == [-HALF, HALF]
    assert list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))[:2] == [
        "lead.created",
        "lead.routed",
    ]
    ledger_is_right()


def test_one_lead_a_day_for_thirty_days_is_fifteen_each(cast: Cast, pool: Pool) -> None:
    leads = [arrives(cast, day, at=NOW + timedelta(days=day)) for day in range(30)]
    assert Counter(owners(*leads)) == {"Sam": 15, "Sven": 15}


def test_a_heap_is_shared_as_one_by_one(cast: Cast, pool: Pool) -> None:
    """Thirty in one import, or thirty one after the other, by whomever: the same shares."""
    records = [LeadRecord(external_id=str(number), name=f"Lead {number}") for number in range(31)]
    upsert_leads(actor=cast.actor("rita"), records=records, source="crm", at=NOW)
    assert Counter(owners(*Lead.objects.order_by("pk"))) == {"Sam": 16, "Sven": 15}
    arrives(cast, 32)
    assert Counter(owners(*Lead.objects.order_by("pk"))) == {"Sam": 16, "Sven": 16}
    ledger_is_right()


def test_whoever_brings_a_lead_has_no_advantage(cast: Cast) -> None:
    make_pool(cast, "Managers", "max", "mia")
    in_force({"pool": Pool.objects.get()})
    leads = [create_lead(actor=cast.actor("max"), at=NOW, name=f"{n}") for n in range(4)]
    assert Counter(lead.owner_id for lead in leads) == {cast.max.pk: 2, cast.mia.pk: 2}


def test_a_single_lead_takes_a_fixed_number_of_queries(cast: Cast, pool: Pool) -> None:
    arrives(cast)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            arrives(cast)
        return len(queries)

    few = cost()
    for number in range(30):
        arrives(cast, number)
    assert cost() == few


# --- Who can take it now ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("left", "inactive"),
        ("leave", "away"),
        ("hours", "off-hours"),
        ("out", "out"),
        ("weight", "no-weight"),
        ("takes", "other-leads"),
        ("open", "cap-open"),
        ("day", "cap-day"),
        ("month", "cap-30-days"),
    ],
)
def test_who_cannot_take_it_is_left_out_and_told_why(cast: Cast, pool: Pool, reason: str, why: str) -> None:
    member = pool.members.get(person=cast.sam)
    if reason == "left":
        cast.sam.is_active = False
        cast.sam.save()
    elif reason == "leave":
        Leave.objects.create(person=cast.sam, start_on=NOW.date(), end_on=NOW.date() + timedelta(days=1))
    elif reason == "hours":
        cast.sam.time_zone = "America/New_York"  # six in the morning there
        cast.sam.save()
        WorkingHours.objects.create(person=cast.sam, weekday=3, starts_at=time(9), ends_at=time(17))
    elif reason == "out":
        member.is_in = False
    elif reason == "weight":
        member.weight = 0
    elif reason == "takes":
        member.takes = 'country = "France"'
    else:
        arrives(cast, 90)
        arrives(cast, 91)
        member.refresh_from_db()
        if reason == "open":
            member.cap_open = 1
        elif reason == "day":
            member.cap_day = 1
        else:
            Lead.objects.filter(owner=cast.sam).update(status=LeadStatus.NURTURING)
            member.cap_30_days = 1
    member.save()
    lead = arrives(cast, 1, country="Spain")
    assert owners(lead) == ["Sven"]
    assert path(lead)["pools"][0]["out"] == [[cast.sam.pk, why]]  # type: ignore[index]
    ledger_is_right()


def test_a_cap_of_30_days_is_spread_over_days(cast: Cast, pool: Pool) -> None:
    pool.members.filter(person=cast.sam).update(cap_30_days=60)
    leads = [arrives(cast, number) for number in range(10)]
    assert Counter(owners(*leads)) == {"Sam": 2, "Sven": 8}
    tomorrow = NOW + timedelta(days=1)
    assert owners(arrives(cast, 11, at=tomorrow), arrives(cast, 12, at=tomorrow)) == ["Sven", "Sam"]


def test_preferred_leads_first_then_everybody_up_to_their_quota(cast: Cast) -> None:
    case = case_of("odoo-preferred-84")
    names = ("sam", "sven", "ana")
    preferred, everybody = make_pool(cast, "Preferred", "sam"), make_pool(cast, "Everybody", *names)
    preferred.when_nobody, preferred.fallback = WhenNobody.POOL, everybody
    preferred.save()
    PoolMember.objects.update(cap_open=case["inputs"]["quota_each"])
    in_force({"condition": 'campaign = "tag"', "pool": preferred}, {"pool": everybody})
    tagged = case["inputs"]["preferred_tagged"]
    leads = [arrives(cast, n, campaign="tag" if n < tagged else "") for n in range(case["inputs"]["leads"])]
    got = Counter(owners(*leads))
    assert [got["Sam"], got["Sven"], got["Ana"]] == [case["expected"][key] for key in ("m1", "m2", "m3")]
    assert {lead.campaign for lead in leads if lead.owner == cast.sam} == {"tag"}


def test_nobody_there_means_waiting_not_losing(cast: Cast, pool: Pool) -> None:
    pool.members.update(is_in=False)
    lead = arrives(cast)
    assert (lead.owner, lead.pool, lead.waits_because) == (None, pool, "nobody")
    assert path(lead)["held"] == "nobody"


def test_nobody_there_goes_to_the_other_pool_or_to_who_is_on_call(cast: Cast, pool: Pool) -> None:
    pool.members.update(is_in=False)
    other = make_pool(cast, "Others", "ana")
    pool.when_nobody, pool.fallback = WhenNobody.POOL, other
    pool.save()
    lead = arrives(cast)
    assert (lead.owner, lead.pool) == (cast.ana, other)
    other.members.update(is_in=False)
    other.when_nobody, other.on_call = WhenNobody.ON_CALL, cast.max
    other.save()
    assert owners(arrives(cast, 2)) == ["Max"]


def test_pools_that_hand_on_in_a_circle_end(cast: Cast, pool: Pool) -> None:
    other = make_pool(cast, "Others", "ana", when_nobody=WhenNobody.POOL, fallback=pool)
    pool.when_nobody, pool.fallback = WhenNobody.POOL, other
    pool.save()
    PoolMember.objects.update(is_in=False)
    assert arrives(cast).waits_because == "nobody"


@pytest.mark.parametrize(("rule", "sven_of_ten"), [(OnReturn.KEEP, 5), (OnReturn.HALF, 7), (OnReturn.FULL, 10)])
def test_after_leave(cast: Cast, pool: Pool, rule: OnReturn, sven_of_ten: int) -> None:
    Pool.objects.update(on_return=rule)
    Leave.objects.create(person=cast.sven, start_on=NOW.date(), end_on=NOW.date() + timedelta(days=1))
    assert Counter(owners(*(arrives(cast, n) for n in range(10)))) == {"Sam": 10}
    back = NOW + timedelta(days=1)
    later = Counter(owners(*(arrives(cast, n, at=back) for n in range(10))))
    assert later["Sven"] == sven_of_ten
    assert Turn.objects.filter(kind=TurnKind.CAUGHT_UP).count() == (rule != OnReturn.KEEP)
    ledger_is_right()


def test_by_value_everybody_gets_the_same_worth(cast: Cast, pool: Pool) -> None:
    Pool.objects.update(method=PoolMethod.VALUE, quantum_minor=1_000_00)
    values = [1_000_00, 100_00, 100_00, 100_00, 100_00, 100_00, 100_00, 100_00, 100_00, 100_00, 100_00, 900_00]
    leads = [arrives(cast, n, estimated_minor=value) for n, value in enumerate(values)]
    got: Counter[str] = Counter()
    for lead in leads:
        got[owners(lead)[0]] += lead.estimated_minor or 0
    assert got == {"Sam": 1_900_00, "Sven": 1_000_00}
    assert owners(arrives(cast, 99, estimated_minor=900_00)) == ["Sven"]


def test_values_of_other_currencies_are_converted_and_unknown_ones_are_a_turn(cast: Cast, pool: Pool) -> None:
    Pool.objects.update(method=PoolMethod.VALUE, quantum_minor=1_000_00)
    ExchangeRate.objects.create(base="EUR", quote="USD", on=NOW.date(), rate="1.2", source="ecb")
    arrives(cast, 1, estimated_minor=500_00, currency="EUR")
    arrives(cast, 2, estimated_minor=500_00, currency="JPY")
    arrives(cast, 3)
    assert list(Turn.objects.order_by("pk").values_list("value_minor", flat=True)) == [600_00, None, None]
    assert {member.person.name.split()[0]: member.deficit_minor for member in pool.members.all()} == {
        "Sam": 400_00,
        "Sven": 0,
    }
    back = Lead.objects.get(name="Lead 2")
    give_back(actor=cast.actor("rita"), lead_id=back.pk, reason="x", at=NOW, is_bad=True)
    assert pool.members.get(person=back.owner).deficit_minor == 1_000_00 + (400_00 if back.owner == cast.sam else 0)


def test_by_load_open_work_counts_and_closed_does_not(cast: Cast, pool: Pool) -> None:
    Pool.objects.update(method=PoolMethod.LOAD)
    leads = [arrives(cast, n) for n in range(4)]
    assert Counter(owners(*leads)) == {"Sam": 2, "Sven": 2}
    for lead in leads:
        if lead.owner == cast.sam:
            set_status(actor=cast.actor("rita"), lead_id=lead.pk, status="disqualified", because="no", at=NOW)
    assert owners(arrives(cast, 8), arrives(cast, 9)) == ["Sam", "Sam"]


# --- Before any rotation ------------------------------------------------------------------------------------------


def test_refused_consent_is_held_before_anything(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast, consent="refused")
    assert (lead.owner, lead.waits_because) == (None, "consent-refused")
    assert owners(arrives(cast, 2)) == ["Sam"]
    in_force({"pool": pool}, needs_consent=True)
    assert arrives(cast, 3).waits_because == "consent-unknown"
    assert owners(arrives(cast, 4, consent="given")) == ["Sven"]


def test_who_refused_as_a_contact_is_held_whatever_the_lead_says(cast: Cast, pool: Pool) -> None:
    by = {"actor": cast.actor("rita"), "at": NOW}
    account = create_account(name="Acme", **by)
    contact = create_contact(account_id=account.pk, name="Lena", email="lena@acme.com", consent="refused", **by)
    twice = create_contact(account_id=account.pk, name="Lena Lee", email="lena@acme.com", **by)
    lead = arrives(cast, email="lena@acme.com", consent="given")
    assert (lead.owner, lead.waits_because) == (None, "consent-refused")
    way = "A contact with the same address refused to be contacted: no rule is asked."
    assert ways_of(cast.actor("rita"), [Gone(0, path(lead), None)])[0].steps[0] == way
    Contact.objects.filter(pk=contact.pk).update(consent="unknown")
    in_force({"pool": pool}, needs_consent=True)
    assert arrives(cast, 2, email="lena@acme.com").waits_because == "consent-unknown"
    Contact.objects.filter(pk=twice.pk).update(consent="given")
    assert owners(arrives(cast, 3, email="lena@acme.com")) == ["Sam"]


def test_a_second_lead_of_a_person_goes_to_whoever_has_the_first(cast: Cast, pool: Pool) -> None:
    first, second = (arrives(cast, n, email="lena@acme.com") for n in range(2))
    assert owners(first, second) == ["Sam", "Sam"]
    assert path(second)["steps"] == [["twin", first.pk, cast.sam.pk, "takes"]]
    assert owners(arrives(cast, 3)) == ["Sven"]  # whose turn it was keeps it
    assert Turn.objects.count() == 2


def test_a_lead_of_a_known_account_goes_to_its_owner(cast: Cast, pool: Pool) -> None:
    in_force({"name": "Known", "action": "account_owner"}, {"pool": pool})
    account = create_account(actor=cast.actor("rita"), at=NOW, name="Acme Inc.", owner=cast.ana)
    create_contact(actor=cast.actor("rita"), account_id=account.pk, at=NOW, name="Lena", email="lena@acme.com")
    assert owners(arrives(cast, 1, email="lena@acme.com"), arrives(cast, 2, company="ACME, Inc")) == ["Ana", "Ana"]
    other = arrives(cast, 3, company="Beta")
    assert path(other)["steps"] == [["no-account", 1]]
    assert owners(other) == ["Sam"]


def test_a_named_owner_on_leave_is_passed_over(cast: Cast, pool: Pool) -> None:
    in_force({"name": "Named", "action": "person", "person": cast.ana}, {"pool": pool})
    assert owners(arrives(cast, 1)) == ["Ana"]
    Leave.objects.create(person=cast.ana, start_on=NOW.date(), end_on=NOW.date() + timedelta(days=1))
    lead = arrives(cast, 2)
    assert owners(lead) == ["Sam"]
    assert path(lead)["steps"] == [["person", 1, cast.ana.pk, "away"]]


@pytest.mark.parametrize("how", ["twin", "account", "person", "on-call"])
def test_the_deputy_gets_what_goes_to_somebody_on_leave_by_name(cast: Cast, pool: Pool, how: str) -> None:
    fields = {"email": "lena@acme.com"}
    if how == "twin":
        create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", **fields)
    elif how == "account":
        in_force({"action": "account_owner"}, {"pool": pool})
        account = create_account(actor=cast.actor("rita"), at=NOW, name="Acme", owner=cast.ana)
        create_contact(actor=cast.actor("rita"), account_id=account.pk, at=NOW, name="Lena", **fields)
    elif how == "person":
        in_force({"action": "person", "person": cast.ana}, {"pool": pool})
    else:
        pool.members.update(is_in=False)
        pool.when_nobody, pool.on_call = WhenNobody.ON_CALL, cast.ana
        pool.save()
    days = {"start_on": NOW.date(), "end_on": NOW.date() + timedelta(days=1)}
    Leave.objects.create(person=cast.ana, deputy=cast.carl, **days)
    lead = arrives(cast, 1, **fields)
    assert (lead.owner, lead.pod) == (cast.carl, cast.north)
    named, deputy = path(lead)["steps"]  # type: ignore[misc]
    assert (named[0], named[2:], deputy) == (how, [cast.ana.pk, "away"], ["deputy", cast.ana.pk, cast.carl.pk, "takes"])
    way = ways_of(cast.actor("carl"), [Gone(0, path(lead), cast.carl.pk)])[0]
    assert (way.for_reader, way.is_readers) == ("you stand in for Ana Alvarez, who is on leave", True)
    assert "Carl Chen stands in for Ana Alvarez, and gets it." in way.steps
    # Who is away themselves takes nothing for anybody, and does not hand it on.
    Lead.objects.filter(pk=lead.pk).update(status=LeadStatus.DISQUALIFIED, disqualified_because="x")
    Leave.objects.create(person=cast.carl, deputy=cast.alba, **days)
    other = arrives(cast, 2, **fields)
    assert other.owner in ({None} if how == "on-call" else {cast.sam, cast.sven})


def test_rules_are_asked_in_order_and_the_first_that_fits_decides(cast: Cast, pool: Pool) -> None:
    large = make_pool(cast, "Large", "alba")
    in_force(
        {"name": "Large", "condition": 'segment = "enterprise" AND value >= 50000', "pool": large},
        {"name": "Students", "condition": 'CONTAINS(domain, ".edu")', "action": "hold"},
        {"name": "Rest", "condition": 'country <> "Atlantis"', "pool": pool},
    )
    assert owners(arrives(cast, 1, employees=500, estimated_minor=50_000_00, country="Spain")) == ["Alba"]
    assert owners(arrives(cast, 2, employees=500, estimated_minor=49_999_99, country="Spain")) == ["Sam"]
    assert arrives(cast, 3, email="a@b.edu", country="Spain").waits_because == "rule"
    last = arrives(cast, 4, country="Atlantis")
    assert last.waits_because == "no-rule"
    assert path(last)["steps"] == [["no", 1], ["no", 2], ["no", 3]]


def test_two_of_one_import_with_one_address_go_together(cast: Cast, pool: Pool) -> None:
    records = [LeadRecord(external_id=str(n), name=f"L{n}", email="lena@acme.com") for n in range(2)]
    upsert_leads(actor=cast.actor("rita"), records=records, source="crm", at=NOW)
    assert len({lead.owner_id for lead in Lead.objects.all()}) == 1


# --- By hand ------------------------------------------------------------------------------------------------------


def test_a_lead_given_by_hand_is_a_turn(cast: Cast, pool: Pool) -> None:
    rita = cast.actor("rita")
    lead = create_lead(actor=rita, at=NOW, name="By hand", pod=cast.south)
    assert lead.owner is None
    assign_lead(actor=rita, lead_id=lead.pk, owner=cast.sam, at=NOW)
    assert credit_of(cast, pool, "sam", "sven") == [-HALF, HALF]
    assert owners(arrives(cast, 1), arrives(cast, 2), arrives(cast, 3)) == ["Sven", "Sam", "Sven"]
    ledger_is_right()


def test_a_lead_moved_by_hand_gives_the_turn_back_and_takes_one(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=cast.sven, at=NOW)
    assert credit_of(cast, pool, "sam", "sven") == [HALF, -HALF]
    assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=cast.ana, at=NOW)  # who is in no pool
    assert credit_of(cast, pool, "sam", "sven") == [0, 0]
    assert list(Turn.objects.order_by("pk").values_list("kind", flat=True)) == [
        "routed",
        "returned",
        "manual",
        "returned",
    ]
    ledger_is_right()


def test_many_given_by_hand_are_as_many_turns(cast: Cast, pool: Pool) -> None:
    leads = [arrives(cast, n) for n in range(4)]
    bulk_assign(actor=cast.actor("rita"), lead_ids=[lead.pk for lead in leads], owner=cast.sam, at=NOW)
    assert credit_of(cast, pool, "sam", "sven") == [-2 * LEAD, 2 * LEAD]
    assert owners(*(arrives(cast, n) for n in range(4))) == ["Sven"] * 4
    ledger_is_right()


def test_a_lead_given_back_goes_on_and_gives_the_turn_back(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    back = give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="My cousin", at=NOW)
    assert owners(back) == ["Sven"]
    # Sam stands where he stood before; Sven took the turn alone, who alone could.
    assert credit_of(cast, pool, "sam", "sven") == [0, 0]
    ledger_is_right()
    assert path(back)["pools"][0]["out"] == [[cast.sam.pk, "had-it"]]  # type: ignore[index]
    # It never comes back to whoever gave it back: with nobody else it waits.
    again = give_back(actor=cast.actor("sven"), lead_id=lead.pk, reason="Not mine", at=NOW)
    assert (again.owner, again.waits_because) == (None, "nobody")
    ledger_is_right()


def test_a_bad_lead_gives_the_turn_back_and_is_disqualified(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    bad = give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="No such company", at=NOW, is_bad=True)
    assert (bad.status, bad.disqualified_because, bad.owner) == ("disqualified", "No such company", cast.sam)
    assert credit_of(cast, pool, "sam", "sven") == [0, 0]
    assert owners(arrives(cast, 2)) == ["Sam"]


def test_giving_back_is_for_owners_and_their_managers_and_needs_a_reason(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    before = list(Turn.objects.values_list("pk", flat=True))
    with pytest.raises(PermissionDenied):
        give_back(actor=cast.actor("ana"), lead_id=lead.pk, reason="x", at=NOW)
    with pytest.raises(ValidationError, match="Say why"):
        give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="  ", at=NOW)
    assert list(Turn.objects.values_list("pk", flat=True)) == before
    assert Lead.objects.get(pk=lead.pk).owner == cast.sam
    assert owners(give_back(actor=cast.actor("max"), lead_id=lead.pk, reason="x", at=NOW)) == ["Sven"]


# --- Trying -------------------------------------------------------------------------------------------------------


def test_trying_a_lead_writes_nothing(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    ruleset = rules_in_force()
    assert ruleset is not None
    with CaptureQueriesContext(connection) as queries:
        tried = try_lead(lead=lead, ruleset=ruleset, at=NOW)
    assert tried.person == cast.sven.pk
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
    assert not any("FOR UPDATE" in query["sql"] for query in queries)
    assert credit_of(cast, pool, "sam", "sven") == [-HALF, HALF]


# --- Clocks -------------------------------------------------------------------------------------------------------


def test_the_clock_runs_in_the_owners_working_time(cast: Cast, pool: Pool) -> None:
    level = {"warn_minutes": 60, "alert_minutes": 120, "reassign_minutes": 240}
    in_force({"pool": pool}, levels=[level])
    for weekday in range(1, 6):
        WorkingHours.objects.create(person=cast.sam, weekday=weekday, starts_at=time(9), ends_at=time(10, 30))
    clock = Clock.objects.get(lead=arrives(cast))
    assert clock.warn_at == datetime(2026, 6, 18, 9, 30, tzinfo=UTC)
    assert clock.alert_at == datetime(2026, 6, 18, 10, 30, tzinfo=UTC)
    assert clock.reassign_at == datetime(2026, 6, 22, 9, 30, tzinfo=UTC)
    assert clock.next_at == clock.warn_at


def test_a_touch_stops_the_clock_and_a_move_starts_another(cast: Cast, pool: Pool) -> None:
    in_force({"pool": pool}, levels=[{"warn_minutes": 5}])
    lead = arrives(cast)
    assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=cast.sven, at=NOW)
    assert list(Clock.objects.order_by("pk").values_list("ending", "person")) == [
        ("moved", cast.sam.pk),
        ("", cast.sven.pk),
    ]
    other = arrives(cast, 2)
    touch_lead(lead_id=other.pk, at=NOW - timedelta(minutes=1))  # before the clock began
    assert Clock.objects.get(lead=other).ended_at is None
    touch_lead(lead_id=other.pk, at=NOW + timedelta(minutes=3))
    clock = Clock.objects.get(lead=other)
    assert (clock.ending, clock.next_at) == ("touched", None)


def test_the_first_service_level_that_fits_counts(cast: Cast, pool: Pool) -> None:
    hot = {"name": "Hot", "condition": 'origin = "inbound"', "warn_minutes": 5}
    in_force({"pool": pool}, levels=[hot, {"name": "Rest", "warn_minutes": 60}])
    arrives(cast, 1)
    arrives(cast, 2, origin="event")
    assert list(Clock.objects.order_by("pk").values_list("level", flat=True)) == ["Hot", "Rest"]


def test_dates_are_days_of_the_person(cast: Cast, pool: Pool) -> None:
    """Leave is in the person's own days: in Auckland it is tomorrow already."""
    cast.sam.time_zone = "Pacific/Auckland"
    cast.sam.save()
    Leave.objects.create(person=cast.sam, start_on=date(2026, 6, 18), end_on=date(2026, 6, 19))
    evening = datetime(2026, 6, 17, 13, tzinfo=UTC)
    assert owners(arrives(cast, 1, at=evening - timedelta(hours=2)), arrives(cast, 2, at=evening)) == ["Sam", "Sven"]
    assert owners(arrives(cast, 3, at=evening)) == ["Sven"]
