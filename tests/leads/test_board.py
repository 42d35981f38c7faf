"""The pod board: who may give what to whom, suggestions, the ledger of turns, and taking an act back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.audit.selectors import verify
from salesops.leads.choices import PoolMethod
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, PoolMember, Turn
from salesops.leads.rules.rotation import LEAD
from salesops.leads.selectors.board import last_act, leads_on_board, receivers_for, shown_of
from salesops.leads.selectors.leads import leads_for
from salesops.leads.services import touch_lead
from salesops.leads.services.board import MOST, Wish, assign_leads, suggest, take_back, wishes_for
from salesops.leads.services.turns import give_back
from salesops.people.models import Leave, User
from salesops.pods.models import Pod, PodMembership
from tests.cast import NOW, SINCE, TODAY, Cast
from tests.leads.routed import arrives, credit_of, in_force, make_pool

Log = Callable[[str], Client]
LATER = NOW + timedelta(minutes=1)
MINUTES = timedelta(minutes=1)


@pytest.fixture
def pool(cast: Cast) -> Pool:
    """Sam and Sven take everything in turn; nothing is routed by itself, since no rules are in force yet."""
    return make_pool(cast, "Inbound", "sam", "sven")


def fresh(number: int, **fields: Any) -> list[Lead]:
    """So many leads that nobody has, the oldest first."""
    return [
        Lead.objects.create(name=f"Lead {each}", created_at=NOW - timedelta(hours=number - each), **fields)
        for each in range(number)
    ]


def stands() -> Any:
    """Everything that an act may touch."""
    return (
        list(
            Lead.objects.order_by("pk").values_list(
                "pk", "owner", "pod", "pool", "waits_because", "assigned_at", "status"
            )
        ),
        list(PoolMember.objects.order_by("pk").values_list("credit", "deficit_minor", "missed")),
        list(Clock.objects.order_by("pk").values_list("lead", "person", "next_at", "ended_at", "ending")),
    )


# --- Who sees and may what ------------------------------------------------------------------------------------------


def test_the_board_shows_what_nobody_has_and_counts_all_of_it(cast: Cast) -> None:
    leads = fresh(60)
    Lead.objects.create(name="Sam's", owner=cast.sam, pod=cast.north, created_at=NOW)
    Lead.objects.create(name="Of the pod", pod=cast.north, created_at=NOW)
    Lead.objects.create(name="Of the other pod", pod=cast.south, created_at=NOW)
    Lead.objects.create(name="Resting", status="nurturing", created_at=NOW)
    maxes = shown_of(leads_for(cast.actor("max")), "nobody")
    found = leads_on_board(cast.actor("max"), maxes)
    assert (found.count, len(found.cards), found.left, found.next_offset) == (61, 50, 11, 50)
    assert [card.lead.pk for card in found.cards] == [lead.pk for lead in leads[:50]]
    rest = leads_on_board(cast.actor("max"), maxes, offset=50)
    assert (len(rest.cards), rest.left, rest.next_offset) == (11, 0, None)
    assert shown_of(leads_for(cast.actor("max")), "all").count() == 62
    assert shown_of(leads_for(cast.actor("rita")), "nobody").count() == 62


def test_a_manager_sees_the_pods_of_their_people_with_loads(cast: Cast, pool: Pool) -> None:
    cast.north.lead_capacity = 10
    cast.north.save()
    for lead in fresh(12):
        Lead.objects.filter(pk=lead.pk).update(owner=cast.sam, pod=cast.north)
    pool.members.filter(person=cast.sven).update(cap_open=3)
    Leave.objects.create(person=cast.ana, start_on=TODAY, end_on=TODAY + timedelta(days=2))
    (box,) = receivers_for(cast.actor("max"), NOW)
    assert (box.pod, box.open_leads, box.room, box.load_bp, box.is_over) == (cast.north, 12, 10, 12_000, True)
    people = {each.person.name.split()[0]: each for each in box.people}
    assert sorted(people) == ["Ana", "Carl", "Sam"]
    sam, ana = people["Sam"], people["Ana"]
    assert (sam.open_leads, sam.room, sam.is_over, sam.why, sam.next_in) == (12, 10, True, "", ("Inbound",))
    assert (ana.open_leads, ana.room, ana.why, ana.next_in) == (0, None, "is on leave", ())
    boxes = receivers_for(cast.actor("rita"), NOW)
    assert [box.pod.name for box in boxes if box.pod] == ["North", "South"]
    sven = next(each for each in boxes[1].people if each.person == cast.sven)
    assert (sven.room, sven.load_bp) == (3, 0)


def test_the_board_costs_the_same_for_few_and_many(cast: Cast, client_of: Log, pool: Pool) -> None:
    in_force({"pool": pool}, levels=[{"warn_minutes": 5}])
    client = client_of("rita")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("leads:lead_board"), {"show": "all"}).status_code == 200
        return len(queries)

    arrives(cast, 1)
    cost()
    few = cost()
    for number in range(40):
        arrives(cast, number)
    for number in range(12):
        person = User.objects.create(email=f"p{number}@example.com", name=f"P{number}")
        pod = Pod.objects.create(name=f"Pod {number}", opened_on=SINCE)
        PodMembership.objects.create(pod=pod, person=person, function="sdr", start_on=SINCE)
        PoolMember.objects.create(pool=pool, person=person)
    assert cost() == few


def test_reps_have_no_board(cast: Cast, client_of: Log) -> None:
    (lead,) = fresh(1)
    client = client_of("sam")
    for name in ("lead_board", "board_assign", "board_suggest", "board_undo"):
        assert client.post(reverse(f"leads:{name}"), {"lead": lead.pk, "owner": cast.sam.pk}).status_code == 403
    with pytest.raises(PermissionDenied):
        assign_leads(actor=cast.actor("sam"), wishes=[Wish(lead.pk, cast.sam.pk)], at=NOW)
    with pytest.raises(PermissionDenied):
        take_back(actor=cast.actor("sam"), act=1, at=NOW)
    assert not LeadAssignment.objects.exists()


# --- Giving ---------------------------------------------------------------------------------------------------------


def test_leads_are_given_in_one_act_with_one_reason(cast: Cast, pool: Pool) -> None:
    in_force({"pool": pool}, levels=[{"name": "Hot", "warn_minutes": 30}])
    leads = fresh(3)
    before = AuditEntry.objects.count()
    done = assign_leads(
        actor=cast.actor("max"), wishes=wishes_for([lead.pk for lead in leads], cast.sam), at=NOW, reason=" Fair ones "
    )
    assert (done.given, done.unchanged, done.refused) == (tuple(lead.pk for lead in leads), 0, ())
    assert set(Lead.objects.values_list("owner", "pod", "pool", "assigned_at")) == {
        (cast.sam.pk, cast.north.pk, pool.pk, NOW)
    }
    rows = LeadAssignment.objects.order_by("pk")
    assert set(rows.values_list("person", "pod", "method", "reason", "assigned_by")) == {
        (cast.sam.pk, cast.north.pk, "bulk", "Fair ones", cast.max.pk)
    }
    assert list(Turn.objects.order_by("pk").values_list("kind", "lead", "assignment")) == [
        ("manual", row.lead_id, row.pk) for row in rows
    ]
    assert credit_of(cast, pool, "sam", "sven") == [-3 * LEAD // 2, 3 * LEAD // 2]
    assert set(Clock.objects.values_list("person", "level", "next_at")) == {(cast.sam.pk, "Hot", NOW + 30 * MINUTES)}
    entries = AuditEntry.objects.order_by("sequence")[before:]
    assert [entry.action for entry in entries] == ["lead.reassigned"] * 3
    again = assign_leads(actor=cast.actor("max"), wishes=wishes_for([leads[0].pk], cast.sam), at=LATER)
    assert (again.given, again.unchanged, again.act) == ((), 1, None)


def test_only_who_gets_an_untouched_lead_has_a_clock(cast: Cast, pool: Pool) -> None:
    """Whatever is moved while somebody works on it is not chased."""
    in_force({"pool": pool}, levels=[{"name": "Hot", "warn_minutes": 30}])
    new, worked_on = fresh(2)
    touch_lead(lead_id=worked_on.pk, at=NOW - MINUTES)
    assign_leads(actor=cast.actor("rita"), wishes=wishes_for([new.pk, worked_on.pk], cast.sven), at=NOW)
    assert list(Clock.objects.values_list("lead", flat=True)) == [new.pk]


def test_a_lead_goes_to_a_pod_without_a_person(cast: Cast, pool: Pool) -> None:
    (lead,) = fresh(1)
    assign_leads(actor=cast.actor("max"), wishes=wishes_for([lead.pk], pod=cast.north), at=NOW)
    lead.refresh_from_db()
    assert (lead.owner, lead.pod) == (None, cast.north)
    assert LeadAssignment.objects.get().method == "manual"
    assert not Turn.objects.exists()


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (lambda cast, lead: Wish(lead, cast.alba.pk), "owner-not-allowed"),
        (lambda cast, lead: Wish(lead, None, cast.south.pk), "pod-not-allowed"),
        (lambda cast, lead: Wish(lead), "nobody"),
    ],
)
def test_to_others_than_ones_own_nothing_is_given(cast: Cast, wish: Any, code: str) -> None:
    (lead,) = fresh(1)
    before = stands()
    with pytest.raises(ValidationError) as refused:
        assign_leads(actor=cast.actor("max"), wishes=[wish(cast, lead.pk)], at=NOW)
    found = refused.value.error_dict if hasattr(refused.value, "error_dict") else {"": refused.value.error_list}
    assert [error.code for errors in found.values() for error in errors] == [code]
    assert stands() == before
    assert not LeadAssignment.objects.exists()


def test_leads_of_others_are_left_out_and_closed_ones_refused(cast: Cast) -> None:
    theirs = Lead.objects.create(name="Sven's", owner=cast.sven, pod=cast.south, created_at=NOW)
    closed = Lead.objects.create(name="Done", status="converted", created_at=NOW)
    (lead,) = fresh(1)
    done = assign_leads(actor=cast.actor("max"), wishes=wishes_for([theirs.pk, closed.pk, lead.pk], cast.sam), at=NOW)
    assert done.given == (lead.pk,)
    assert done.refused == (("Done", "It is closed, or rests: reopen it first."),)
    theirs.refresh_from_db()
    assert theirs.owner == cast.sven


def test_too_many_or_none_are_refused(cast: Cast) -> None:
    for wishes in ([], wishes_for(list(range(1, MOST + 2)), cast.sam)):
        with pytest.raises(ValidationError):
            assign_leads(actor=cast.actor("max"), wishes=wishes, at=NOW)


# --- What the rules suggest -----------------------------------------------------------------------------------------


def test_suggestions_are_what_the_rules_would_do_one_after_the_other(cast: Cast, pool: Pool) -> None:
    leads = fresh(4)
    in_force({"pool": pool})
    before = stands()
    said = suggest(actor=cast.actor("rita"), lead_ids=[lead.pk for lead in leads], at=NOW)
    assert [each.person for each in said] == [cast.sam.pk, cast.sven.pk, cast.sam.pk, cast.sven.pk]
    assert said[0].name == "Sam Sorensen"
    assert said[0].why == "Rule 1 “Rule 1” fits. It is their turn: they are owed 0.50 of a lead."
    assert stands() == before


def test_what_was_suggested_is_given_with_its_way_and_the_same_turns(cast: Cast, pool: Pool) -> None:
    """By hand as suggested, or by rule: the credits are the same."""
    leads = fresh(5)
    in_force({"pool": pool})
    rita = cast.actor("rita")
    said = suggest(actor=rita, lead_ids=[lead.pk for lead in leads], at=NOW)
    assign_leads(actor=rita, wishes=[Wish(each.lead, each.person) for each in said], at=NOW, is_suggested=True)
    rows = list(LeadAssignment.objects.order_by("pk"))
    assert [row.person_id for row in rows] == [each.person for each in said]
    assert all(row.path["version"] == 1 and row.path["rule"] == [1, "Rule 1"] for row in rows)
    by_hand = credit_of(cast, pool, "sam", "sven")
    pool.members.update(credit=0)
    for number in range(5):
        arrives(cast, number)
    assert credit_of(cast, pool, "sam", "sven") == by_hand


def test_who_gave_a_lead_back_is_not_suggested_again(cast: Cast, pool: Pool) -> None:
    in_force({"pool": pool})
    lead = arrives(cast)
    pool.members.filter(person=cast.sven).update(is_in=False)
    give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="No", at=NOW)
    (said,) = suggest(actor=cast.actor("rita"), lead_ids=[lead.pk], at=NOW)
    assert (said.person, said.why) == (
        None,
        "By the rules it would wait: nobody in the pool can take it at the moment.",
    )


def test_whom_a_manager_does_not_manage_is_not_suggested_by_name(cast: Cast, pool: Pool) -> None:
    (lead,) = fresh(1)
    pool.members.filter(person=cast.sam).update(is_in=False)
    in_force({"pool": pool})
    (said,) = suggest(actor=cast.actor("max"), lead_ids=[lead.pk], at=NOW)
    assert (said.person, said.name) == (None, "")
    assert "Sven" not in said.why
    (mia,) = suggest(actor=cast.actor("mia"), lead_ids=[lead.pk], at=NOW)
    assert mia.person == cast.sven.pk


def test_without_rules_nobody_is_suggested(cast: Cast) -> None:
    (lead,) = fresh(1)
    with pytest.raises(ValidationError, match="No routing rules are in force"):
        suggest(actor=cast.actor("max"), lead_ids=[lead.pk], at=NOW)


# --- Taking back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [PoolMethod.WEIGHTED, PoolMethod.EQUAL, PoolMethod.LOAD, PoolMethod.VALUE])
def test_an_act_is_taken_back_with_owners_turns_and_clocks(cast: Cast, pool: Pool, method: str) -> None:
    pool.method, pool.quantum_minor = method, 100_00
    pool.save()
    in_force({"pool": pool}, levels=[{"name": "Hot", "warn_minutes": 30, "reassign_minutes": 60}])
    moved = [arrives(cast, number, estimated_minor=30_00, currency="USD") for number in range(4)]
    waiting = fresh(2, waits_because="nobody", pool=pool)
    keys = [lead.pk for lead in (*moved, *waiting)]
    before, turns = stands(), Turn.objects.count()
    done = assign_leads(actor=cast.actor("rita"), wishes=wishes_for(keys, cast.sven), at=LATER, reason="All yours")
    assert stands() != before
    assert done.act
    assert last_act(cast.actor("rita"), LATER) == (done.act, len(done.given))
    assert last_act(cast.actor("max"), LATER) is None
    assert Turn.objects.count() > turns
    undone = take_back(actor=cast.actor("rita"), act=done.act, at=LATER + MINUTES)
    assert (len(undone.back), undone.refused) == (len(done.given), ())
    leads, members, clocks = before
    now_leads, now_members, now_clocks = stands()
    assert (now_leads, now_members) == (leads, members)
    assert [clock for clock in now_clocks if clock[4] == ""] == [clock for clock in clocks if clock[4] == ""]
    credits = {member.pk: 0 for member in PoolMember.objects.all()}
    for changes in Turn.objects.values_list("changes", flat=True):
        for key, parts in changes.items():
            credits[int(key)] += parts
    assert credits == dict(PoolMember.objects.values_list("pk", "credit"))
    assert last_act(cast.actor("rita"), LATER + MINUTES) is None
    with pytest.raises(ValidationError, match="nothing to take back"):
        take_back(actor=cast.actor("rita"), act=done.act, at=LATER + 2 * MINUTES)
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {"lead.taken_back"}
    assert verify()[1] == []


def test_nothing_goes_back_to_who_is_gone_nor_to_a_closed_pod(cast: Cast) -> None:
    """Sam leaves, South closes: their leads stay with whoever was given them, and the others go back."""
    rita = cast.actor("rita")
    of_sam = Lead.objects.create(name="Sam's", owner=cast.sam, created_at=NOW, assigned_at=NOW)
    of_south = Lead.objects.create(name="South's", owner=cast.sven, pod=cast.south, created_at=NOW, assigned_at=NOW)
    of_ana = Lead.objects.create(name="Ana's", owner=cast.ana, created_at=NOW, assigned_at=NOW)
    keys = [of_sam.pk, of_south.pk, of_ana.pk]
    done = assign_leads(actor=rita, wishes=wishes_for(keys, cast.alba), at=LATER, reason="Fair week")
    User.objects.filter(pk=cast.sam.pk).update(is_active=False)
    PodMembership.objects.filter(pod=cast.south).update(end_on=TODAY)
    Pod.objects.filter(pk=cast.south.pk).update(closed_on=TODAY)
    undone = take_back(actor=rita, act=done.act, at=LATER + MINUTES)
    assert undone.back == (of_ana.pk,)
    assert sorted(why for _lead, why in undone.refused) == [
        "The pod that had it before cannot take it any more.",
        "Who had it before cannot take it any more.",
    ]
    assert list(Lead.objects.order_by("pk").values_list("owner__name", flat=True)) == [
        "Alba Abe",
        "Alba Abe",
        "Ana Alvarez",
    ]


def test_what_is_kept_to_take_an_act_back_is_nobodys_to_read(cast: Cast, client_of: Log, pool: Pool) -> None:
    """Programs and people see by whom and why, not how the lead stood before."""
    in_force({"pool": pool})
    (lead,) = fresh(1)
    assign_leads(actor=cast.actor("max"), wishes=[Wish(lead.pk, cast.sam.pk)], at=NOW, is_suggested=True)
    assert "before" in LeadAssignment.objects.get().path
    (shown,) = client_of("max").get(f"/api/v1/leads/{lead.pk}/assignments/").json()["results"]
    assert sorted(shown["path"]) == ["pools", "rule", "steps", "version"]


def test_after_taking_back_a_lead_still_gives_its_turn_back_once(cast: Cast, pool: Pool) -> None:
    in_force({"pool": pool})
    lead = arrives(cast)
    done = assign_leads(actor=cast.actor("rita"), wishes=wishes_for([lead.pk], cast.sven), at=LATER)
    assert done.act
    take_back(actor=cast.actor("rita"), act=done.act, at=LATER + MINUTES)
    pool.members.filter(person=cast.sven).update(is_in=False)
    give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="No", at=LATER + 2 * MINUTES)
    assert credit_of(cast, pool, "sam", "sven") == [0, 0]


def test_what_somebody_worked_on_since_stays(cast: Cast, pool: Pool) -> None:
    first, second, third = fresh(3)
    done = assign_leads(actor=cast.actor("max"), wishes=wishes_for([first.pk, second.pk, third.pk], cast.sam), at=NOW)
    assert done.act
    touch_lead(lead_id=first.pk, at=LATER)
    assign_leads(actor=cast.actor("rita"), wishes=wishes_for([second.pk], cast.ana), at=LATER)
    undone = take_back(actor=cast.actor("max"), act=done.act, at=LATER + MINUTES)
    assert undone.back == (third.pk,)
    assert undone.refused == (("Lead 0", "Somebody has worked on it since."),)
    assert list(Lead.objects.order_by("pk").values_list("owner", flat=True)) == [cast.sam.pk, cast.ana.pk, None]


def test_nobody_takes_back_what_somebody_else_gave_or_after_a_day(cast: Cast) -> None:
    (lead,) = fresh(1)
    done = assign_leads(actor=cast.actor("max"), wishes=wishes_for([lead.pk], cast.sam), at=NOW)
    assert done.act
    for who, at in (("rita", LATER), ("max", NOW + timedelta(days=1))):
        with pytest.raises(ValidationError, match="nothing to take back"):
            take_back(actor=cast.actor(who), act=done.act, at=at)
    assert Lead.objects.get().owner == cast.sam


# --- Pages ----------------------------------------------------------------------------------------------------------


def test_the_page_gives_suggests_and_takes_back(cast: Cast, client_of: Log, pool: Pool) -> None:
    leads = fresh(2)
    in_force({"pool": pool})
    client = client_of("rita")
    page = client.get(reverse("leads:lead_board")).content.decode()
    assert page.count("data-lead=") == 2
    assert 'data-count="2"' in page
    said = client.post(reverse("leads:board_suggest"), {"lead": [lead.pk for lead in leads]}).json()
    assert said["message"] == "Somebody is suggested for 2 of 2 leads."
    pairs = [[int(each["lead"]), int(each["person"])] for each in said["suggestions"]]
    done = client.post(
        reverse("leads:board_assign"), {"suggested": json.dumps(pairs), "reason": "As the rules say"}
    ).json()
    assert done["message"] == "Gave 2 leads."
    assert done["is_good"]
    assert "data-lead=" not in done["body"]
    assert "Every lead has somebody" in done["body"]
    assert f'data-take-back="{done["act"]}"' in done["body"]
    assert list(Lead.objects.order_by("pk").values_list("owner", flat=True)) == [cast.sam.pk, cast.sven.pk]
    shown = client.get(reverse("leads:lead_detail", args=[leads[0].pk])).content.decode()
    assert "As the rules say" in shown
    assert "assigned_at" not in shown
    back = client.post(reverse("leads:board_undo"), {"act": done["act"]}).json()
    assert back["message"] == "Put 2 leads back."
    assert set(Lead.objects.values_list("owner", flat=True)) == {None}
    gone = client.post(reverse("leads:board_undo"), {"act": done["act"]})
    assert gone.status_code == 422


@pytest.mark.parametrize("given", ["{", "[1]", '[["a", 1]]', "[[1, 2, 3]]", "{}", '[["1", null]]'])
def test_what_the_board_never_sends_is_refused(cast: Cast, client_of: Log, given: str) -> None:
    answer = client_of("rita").post(reverse("leads:board_assign"), {"suggested": given})
    assert (answer.status_code, answer.json()["message"]) == (422, "The board is out of date. Load the page again.")


def test_filters_and_orders_of_the_board(cast: Cast, client_of: Log) -> None:
    fresh(3)
    Lead.objects.create(name="Great", estimated_minor=9_000_00, created_at=NOW, origin="event")
    client = client_of("max")

    def first(**query: str) -> str:
        page = client.get(reverse("leads:lead_board"), query).content.decode()
        return page.split('data-name="', 1)[1].split('"', 1)[0] if 'data-lead="' in page else ""

    assert first() == "Lead 0"
    assert first(order="newest") == "Great"
    assert first(order="value") == "Great"
    assert first(order="score") == "Lead 0"
    assert first(origin="event") == "Great"
    assert first(q="Lead 2") == "Lead 2"
    assert first(origin="partner") == ""
