"""The pages of routing: why a lead came to whom, giving it back, pools, routing rules; and who may see which."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.choices import Consent
from salesops.audit.models import AuditEntry
from salesops.audit.wording import title_of
from salesops.leads.choices import LeadStatus, PoolMethod, VersionState, WhenNobody
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, PoolMember, RoutingVersion, ServiceLevel, Turn
from salesops.leads.rules.fairness import Part, gap, hundredths, share_bp, who_is_next
from salesops.leads.rules.rotation import LEAD, Candidate, Method
from salesops.leads.selectors.pools import in_short, last_turns, standing_of
from salesops.leads.selectors.routing_versions import routing_versions_for
from salesops.leads.selectors.ways import Gone, leads_text, ways_of
from salesops.leads.services import create_lead, touch_lead
from salesops.leads.services.routing_rules import (
    change_routing_version,
    drop_routing_rule,
    drop_service_level,
    put_routing_rule,
    put_service_level,
)
from salesops.leads.services.turns import give_back
from salesops.people.models import Leave
from tests.cast import NOW, Cast
from tests.leads.routed import arrives, in_force, make_pool

Log = Callable[[str], Client]


@pytest.fixture
def pool(cast: Cast) -> Pool:
    """Sam (weight 2) and Sven (weight 1) take everything that does not come from France."""
    pool = make_pool(cast, "Inbound", "sam", "sven", weights={"sam": 2})
    in_force(
        {"name": "France", "condition": 'country = "France"', "action": "person", "person": cast.alba},
        {"name": "Accounts", "action": "account_owner"},
        {"name": "Everything", "pool": pool},
        levels=[{"name": "Hot", "warn_minutes": 30, "alert_minutes": 60, "reassign_minutes": 90}],
    )
    return pool


def way(cast: Cast, who: str, lead: Lead) -> Any:
    """The way of a lead's last assignment, as this person reads it."""
    last = LeadAssignment.objects.filter(lead=lead).latest("pk")
    return ways_of(cast.actor(who), [Gone(last.pk, last.path, last.person_id)])[last.pk]


def text(response: Any) -> str:
    """What a page says, without its tags."""
    body = response.content.decode().split("<main", 1)[-1]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def cost(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        ask()
    return len(queries)


# --- Why ----------------------------------------------------------------------------------------------------------


def test_a_way_is_told_in_sentences_and_figures(cast: Cast, pool: Pool) -> None:
    first, second = arrives(cast, 1), arrives(cast, 2)
    assert [first.owner, second.owner] == [cast.sam, cast.sven]
    told = way(cast, "sam", second)
    assert told.steps == [
        "Rule 1 “France” does not fit.",
        "Rule 2 “Accounts” finds no account with an owner.",
        "Rule 3 “Everything” fits.",
    ]
    (one,) = told.rounds
    assert (one.name, one.method) == ("Inbound", "In turn, by weight")
    assert [(each.person, each.weight, each.before, each.after, each.open_leads) for each in one.candidates] == [
        ("Sam Sorensen", 2, "−0.33", "+0.33", 1),
        ("Sven Singh", 1, "+0.33", "−0.33", 0),
    ]
    assert [(each.is_picked, each.is_reader) for each in one.candidates] == [(False, True), (True, False)]
    assert told.end == "Sven Singh gets it."


def test_whoever_took_part_reads_why_and_why_not(cast: Cast, pool: Pool) -> None:
    arrives(cast, 1)
    second = arrives(cast, 2)
    theirs, other = way(cast, "sven", second), way(cast, "sam", second)
    assert (theirs.is_readers, theirs.for_reader) == (
        True,
        "you were owed more than the 1 other who could take it: 0.67 of a lead",
    )
    assert (other.is_readers, other.for_reader) == (False, "Sven Singh was owed more: 0.67 of a lead, you 0.33")
    assert way(cast, "max", second).for_reader == ""


def test_between_equals_the_lot_is_named(cast: Cast, pool: Pool) -> None:
    pool.members.update(weight=1)
    lead = arrives(cast, 1)
    assert way(cast, "sam", lead).for_reader == (
        "nobody was owed more than you, and the lot decided between equals: 0.50 of a lead"
    )
    assert way(cast, "sven", lead).for_reader == (
        "Sam Sorensen was owed as much as you, 0.50 of a lead, and the lot decided"
    )


@pytest.mark.parametrize(
    ("method", "theirs", "others"),
    [
        (
            PoolMethod.LOAD,
            "you had the fewest open leads for your weight",
            "Sam Sorensen had fewer open leads for their weight, or waited longer",
        ),
        (PoolMethod.VALUE, "it was your turn by value", "it was the turn of Sam Sorensen by value"),
    ],
)
def test_other_ways_of_taking_turns_say_so(cast: Cast, pool: Pool, method: str, theirs: str, others: str) -> None:
    Pool.objects.update(method=method, quantum_minor=100_00)
    lead = arrives(cast, 1)
    assert way(cast, "sam", lead).for_reader == theirs
    assert way(cast, "sven", lead).for_reader == others


def test_who_was_left_out_is_told_why(cast: Cast, pool: Pool) -> None:
    Leave.objects.create(person=cast.sam, start_on=NOW.date(), end_on=NOW.date() + timedelta(days=1))
    lead = arrives(cast, 1)
    (one,) = way(cast, "sven", lead).rounds
    assert [(each.person, each.why) for each in one.left_out] == [("Sam Sorensen", "was on leave")]
    assert way(cast, "sam", lead).for_reader == "you were on leave"
    assert way(cast, "sven", lead).for_reader == "nobody else in the pool could take it"


def test_who_is_named_reads_why(cast: Cast, pool: Pool) -> None:
    named = arrives(cast, 1, country="France", email="a@b.example")
    assert named.owner == cast.alba
    assert way(cast, "alba", named).for_reader == "a rule names you"
    assert way(cast, "alba", named).steps == ["Rule 1 “France” gives it to Alba Abe."]
    twin = arrives(cast, 2, email="a@b.example")
    assert way(cast, "alba", twin).for_reader == "you have a lead with the same address"
    assert way(cast, "alba", twin).steps == ["Alba Abe has Lead 1 with the same address, and gets this one too."]
    # The other lead is told by name only to whoever sees it.
    assert way(cast, "ana", twin).steps == ["Alba Abe has another lead with the same address, and gets this one too."]
    cast.alba.is_active = False
    cast.alba.save()
    third = arrives(cast, 3, country="France")
    assert way(cast, "rita", third).steps[0] == "Rule 1 “France” names Alba Abe, who was not working here."


def test_on_call_and_what_waits(cast: Cast, pool: Pool) -> None:
    pool.members.update(weight=0)
    waits = arrives(cast, 1)
    assert (waits.owner, waits.waits_because) == (None, "nobody")
    assert way(cast, "rita", waits).end == "It waits: nobody in the pool can take it at the moment."
    Pool.objects.update(when_nobody=WhenNobody.ON_CALL, on_call=cast.carl)
    called = arrives(cast, 2)
    assert called.owner == cast.carl
    told = way(cast, "carl", called)
    assert told.for_reader == "you are on call, and nobody in the pool could take it"
    assert told.steps[-1] == "Nobody in Inbound can take it; Carl Chen is on call there, and gets it."
    refused = arrives(cast, 3, consent=Consent.REFUSED)
    assert way(cast, "rita", refused).steps == ["They refused to be contacted: no rule is asked."]


def test_how_others_stand_is_shown_to_who_sees_the_pool(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast, 1)
    assert lead.owner == cast.sam
    for who, is_seen in (("sam", True), ("max", True), ("rita", True), ("ana", False)):
        (one,) = way(cast, who, lead).rounds
        assert (one.is_seen, bool(one.candidates)) == (is_seen, is_seen), who


def test_all_ways_of_a_page_cost_the_same_queries(cast: Cast, pool: Pool) -> None:
    def ask(leads: list[Lead]) -> None:
        rows = LeadAssignment.objects.filter(lead__in=leads)
        assert len(ways_of(actor, [Gone(each.pk, each.path, each.person_id) for each in rows])) == len(leads)

    actor = cast.actor("rita")
    leads = [arrives(cast, number, email=f"{number // 2}@b.example") for number in range(40)]
    assert cost(lambda: ask(leads[:3])) == cost(lambda: ask(leads))


def test_what_is_no_way_is_left_out(cast: Cast) -> None:
    assert ways_of(cast.actor("rita"), [Gone(1, {}, None), Gone(2, {"rule": "north-3"}, None)]) == {}


def test_parts_of_a_lead_have_two_decimals() -> None:
    assert [leads_text(each) for each in (0, 5, -150, 123_400)] == ["0.00", "+0.05", "−1.50", "+1,234.00"]


def test_the_page_of_a_lead_shows_its_way_and_its_clock(cast: Cast, client_of: Log, pool: Pool) -> None:
    lead = arrives(cast, 1)
    page = text(client_of("sam").get(reverse("leads:lead_detail", args=[lead.pk])))
    assert "Why it came to you: you were owed more than the 1 other who could take it: 0.67 of a lead" in page
    assert page.count("Sam Sorensen you") == 1
    assert "Waits for its first touch Service level Hot" in page
    assert "Reminder 17 Jun 2026, 10:30" in page
    touch_lead(lead_id=lead.pk, at=NOW + timedelta(minutes=5))
    assert Clock.objects.get().ending == "touched"
    assert "Stopped Touched" in text(client_of("sam").get(reverse("leads:lead_detail", args=[lead.pk])))
    # Ana sees the lead, which is her pod's, but not how the pool stands.
    others = text(client_of("ana").get(reverse("leads:lead_detail", args=[lead.pk])))
    assert "Sam Sorensen gets it." in others
    assert "Sven Singh" not in others


def test_a_lead_that_waits_says_why(cast: Cast, client_of: Log, pool: Pool) -> None:
    pool.members.update(weight=0)
    lead = arrives(cast, 1)
    client = client_of("rita")
    assert "Waits because nobody in the pool can take it at the moment." in text(
        client.get(reverse("leads:lead_detail", args=[lead.pk]))
    )
    arrives(cast, 2, country="France")
    found = client.get(f"{reverse('leads:lead_list')}?waiting=yes").context["page"]
    assert [row.pk for row in found.rows] == [lead.pk]


def test_consent_is_shown_typed_and_filtered(cast: Cast, client_of: Log) -> None:
    client = client_of("ana")
    data = {"name": "Lena", "origin": "inbound", "currency": "USD", "owner": cast.ana.pk, "consent": "refused"}
    assert client.post(reverse("leads:lead_create"), data).status_code == 302
    lead = Lead.objects.get()
    assert lead.consent == Consent.REFUSED
    assert "May be contacted Refused" in text(client.get(reverse("leads:lead_detail", args=[lead.pk])))
    for asked, count in (("refused", 1), ("given", 0)):
        assert client.get(f"{reverse('leads:lead_list')}?consent={asked}").context["page"].count == count
    # A form that does not ask leaves it as it is.
    client.post(reverse("leads:lead_edit", args=[lead.pk]), {"name": "Lea", "origin": "inbound", "currency": "USD"})
    lead.refresh_from_db()
    assert (lead.name, lead.consent) == ("Lea", Consent.REFUSED)


def test_what_happened_says_it_in_words(cast: Cast, client_of: Log, pool: Pool) -> None:
    pool.members.update(weight=0)
    waits = arrives(cast, 1)
    pool.members.update(weight=1)
    back = arrives(cast, 2)
    give_back(actor=cast.actor("sam"), lead_id=back.pk, reason="Speaks only Finnish", at=NOW)
    client = client_of("rita")
    told = text(client.get(f"{reverse('activities:timeline')}?about=lead-{waits.pk}"))
    assert "Waits because nobody in the pool can take it at the moment" in told
    assert "nobody ·" not in told
    assert "Changed" not in told
    told = text(client.get(f"{reverse('activities:timeline')}?about=lead-{back.pk}"))
    assert "Given back" in told
    assert "Given to nobody" not in told
    assert title_of("lead.given_back") == "Lead given back"
    assert title_of("routing.rule_added") == "Routing rules given a rule"


# --- Giving back --------------------------------------------------------------------------------------------------


def test_a_lead_is_given_back_and_goes_to_somebody_else(cast: Cast, client_of: Log, pool: Pool) -> None:
    lead = arrives(cast, 1)
    client, url = client_of("sam"), reverse("leads:lead_give_back", args=[lead.pk])
    assert url in client.get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
    refused = client.post(url, {"reason": " "})
    assert refused.status_code == 422
    lead.refresh_from_db()
    assert lead.owner == cast.sam
    assert client.post(url, {"reason": "Speaks only Finnish"}).status_code == 302
    lead.refresh_from_db()
    assert lead.owner == cast.sven
    assert list(LeadAssignment.objects.order_by("pk").values_list("method", "reason")) == [
        ("rule", ""),
        ("returned", "Speaks only Finnish"),
        ("rule", ""),
    ]
    assert way(cast, "sam", lead).for_reader == "you had it before"


def test_what_is_no_lead_is_disqualified(cast: Cast, client_of: Log, pool: Pool) -> None:
    lead = arrives(cast, 1)
    url = reverse("leads:lead_give_back", args=[lead.pk])
    assert client_of("sam").post(url, {"reason": "A student", "is_bad": "on"}).status_code == 302
    lead.refresh_from_db()
    assert (lead.status, lead.disqualified_because) == (LeadStatus.DISQUALIFIED, "A student")
    assert [turn.kind for turn in Turn.objects.order_by("pk")] == ["routed", "returned"]


@pytest.mark.parametrize(("who", "status"), [("ana", 403), ("finn", 403), ("alba", 404), ("max", 302), ("rita", 302)])
def test_who_may_give_a_lead_back(cast: Cast, client_of: Log, pool: Pool, who: str, status: int) -> None:
    lead = arrives(cast, 1)
    client, url = client_of(who), reverse("leads:lead_give_back", args=[lead.pk])
    assert client.get(url).status_code == (200 if status == 302 else status)
    assert client.post(url, {"reason": "Not ours"}).status_code == status
    lead.refresh_from_db()
    assert lead.owner == (cast.sven if status == 302 else cast.sam)
    if status == 403 and who == "ana":
        assert url not in client.get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
        with pytest.raises(PermissionDenied):
            give_back(actor=cast.actor(who), lead_id=lead.pk, reason="Not ours", at=NOW)


def test_nobodys_lead_is_not_given_back(cast: Cast, client_of: Log) -> None:
    lead = create_lead(actor=cast.actor("rita"), at=NOW, name="Nobodys", owner=None)
    url = reverse("leads:lead_give_back", args=[lead.pk])
    for answer in (client_of("finn").get(url), client_of("finn").post(url, {"reason": "Mine"})):
        assert answer.status_code == 403
    answer = client_of("rita").post(url, {"reason": "Mine"})
    assert answer.status_code == 422
    assert "Only a lead that somebody works on can be given back." in text(answer)


# --- Pools --------------------------------------------------------------------------------------------------------


def people(rows: Any) -> list[tuple[Any, ...]]:
    """How members stand, in short."""
    return [
        (each.place, each.row.person.name.split()[0], each.credit, each.got, each.entitled, each.ahead, each.open_leads)
        for each in rows
    ]


def test_a_pool_shows_who_is_next_and_how_fair_it_was(cast: Cast, pool: Pool) -> None:
    for number in range(4):
        arrives(cast, number, estimated_minor=[300_00, 100_00, None, 100_00][number])
    found = standing_of(pool, NOW)
    assert people(found.members) == [
        (1, "Sven", "+0.33", 1, "1.33", "−0.33", 1),
        (2, "Sam", "−0.33", 3, "2.67", "+0.33", 3),
    ]
    assert (found.gap, found.given, found.value_minor, found.unvalued) == ("0.67", 4, 500_00, 1)
    assert [(each.value_minor, each.value_bp, each.got_bp) for each in found.members] == [
        (100_00, 2_000, 2_500),
        (400_00, 8_000, 7_500),
    ]
    assert (found.all_leads, found.past_count, found.past_bp, list(found.past)) == (4, 0, 0, [])
    assert arrives(cast, 5).owner == cast.sven


def test_what_came_back_is_not_what_they_got(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast, 1)
    give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="Not ours", at=NOW)
    found = standing_of(pool, NOW)
    # It came to Sven, who could take it alone: he was entitled to all of it.
    assert people(found.members) == [
        (1, "Sam", "0.00", 0, "0.00", "0.00", 0),
        (2, "Sven", "0.00", 1, "1.00", "0.00", 1),
    ]
    assert [
        (each["person"].name, each["turn"].kind, each["change"]) for each in last_turns(cast.actor("sam"), pool)
    ] == [
        ("Sven Singh", "routed", "0.00"),
        ("Sam Sorensen", "returned", "+0.33"),
        ("Sam Sorensen", "routed", "−0.33"),
    ]


def test_the_gap_is_of_those_who_take_part(cast: Cast, pool: Pool) -> None:
    pool.members.filter(person=cast.sam).update(credit=LEAD)
    pool.members.filter(person=cast.sven).update(credit=-LEAD // 2)
    PoolMember.objects.create(pool=pool, person=cast.carl, tie_key=5, weight=0, credit=-3 * LEAD)
    PoolMember.objects.create(pool=pool, person=cast.ana, tie_key=6, is_in=False, credit=5 * LEAD)
    assert standing_of(pool, NOW).gap == "1.50"
    assert in_short([pool], NOW)[pool.pk].gap == "1.50"


def test_only_thirty_days_count(cast: Cast, pool: Pool) -> None:
    arrives(cast, 1, at=NOW - timedelta(days=30))
    assert standing_of(pool, NOW).given == 0
    assert people(standing_of(pool, NOW - timedelta(seconds=1)).members)[1][3:6] == (1, "0.67", "+0.33")
    arrives(cast, 2, at=NOW - timedelta(days=30) + timedelta(seconds=1))
    found = standing_of(pool, NOW)
    assert (found.given, found.all_leads) == (1, 1)
    assert people(found.members) == [
        (1, "Sam", "+0.33", 0, "0.67", "−0.67", 1),
        (2, "Sven", "−0.33", 1, "0.33", "+0.67", 1),
    ]


def test_what_went_past_the_turns_is_counted(cast: Cast, pool: Pool) -> None:
    first = arrives(cast, 1, email="a@b.example")
    twin = arrives(cast, 2, email="a@b.example")
    assert (first.owner, twin.owner) == (cast.sam, cast.sam)
    own = create_lead(actor=cast.actor("sven"), at=NOW, name="Own", owner=cast.sven, country="France")
    assert not Turn.objects.filter(lead=own).exists()
    # What is given by hand to somebody of the pool is a turn, and what others get is not the pool's matter.
    create_lead(actor=cast.actor("ana"), at=NOW, name="Ana's", owner=cast.ana)
    found = standing_of(pool, NOW)
    assert (found.all_leads, found.past_count, found.past_bp) == (3, 2, 6_667)
    assert [(each.label, each.count) for each in found.past] == [
        ("By hand", 1),
        ("By rule, to who was named or had the same address", 1),
    ]


def test_who_can_take_nothing_now_comes_last_with_why(cast: Cast, pool: Pool) -> None:
    PoolMember.objects.create(pool=pool, person=cast.carl, weight=5, tie_key=9, takes='country = "Spain"')
    PoolMember.objects.create(pool=pool, person=cast.alba, weight=0, tie_key=10)
    Leave.objects.create(person=cast.sam, start_on=NOW.date(), end_on=NOW.date() + timedelta(days=1))
    found = [(each.place, each.row.person.name, each.why) for each in standing_of(pool, NOW).members]
    assert found == [
        (1, "Carl Chen", ""),
        (2, "Sven Singh", ""),
        (None, "Alba Abe", "has no weight"),
        (None, "Sam Sorensen", "is on leave"),
    ]


def test_the_order_of_the_wheel() -> None:
    def one(key: int, **fields: Any) -> Candidate:
        return Candidate(key, **({"weight": 1, "tie": key} | fields))

    half = LEAD // 2
    assert who_is_next([one(1), one(2), one(3, credit=1)], Method.EQUAL) == [3, 1, 2]
    assert who_is_next([one(1, credit=half), one(2, weight=3), one(3, weight=0)], Method.WEIGHTED) == [1, 2]
    assert who_is_next([one(1, credit=half - 1), one(2, weight=3)], Method.WEIGHTED) == [2, 1]
    loads = [one(1, open_leads=4), one(2, open_leads=2), one(3, open_leads=3, weight=2)]
    assert who_is_next(loads, Method.LOAD) == [3, 2, 1]
    values = [one(1, deficit=0), one(2, deficit=0), one(3, deficit=500)]
    assert who_is_next(values, Method.VALUE, quantum=100, turn_of=1) == [2, 3, 1]
    assert who_is_next([], Method.WEIGHTED) == []


def test_figures_of_fairness() -> None:
    assert Part(got=2, change=-LEAD // 2).entitled == LEAD * 3 // 2
    assert [hundredths(parts) for parts in (LEAD, -LEAD, LEAD // 200, LEAD // 200 - 1, -(LEAD // 200), 0)] == [
        100,
        -100,
        1,
        0,
        -1,
        0,
    ]
    assert (gap([]), gap([5]), gap([-3, 4, 0])) == (0, 0, 7)
    assert (share_bp(0, 0), share_bp(1, 3), share_bp(2, 3), share_bp(1, 20_000)) == (None, 3_333, 6_667, 1)


def test_a_pool_costs_the_same_queries_however_much_happened(cast: Cast, client_of: Log, pool: Pool) -> None:
    client, url = client_of("rita"), reverse("leads:pool_detail", args=[pool.pk])
    arrives(cast, 0)
    client.get(url)
    few = cost(lambda: client.get(url))
    for place, name in enumerate(("ana", "carl", "alba", "cleo"), start=5):
        PoolMember.objects.create(pool=pool, person=cast.people[name], tie_key=place)
    for number in range(30):
        arrives(cast, number)
    assert cost(lambda: client.get(url)) == few
    client.get(reverse("leads:pool_list"))
    few = cost(lambda: client.get(reverse("leads:pool_list")))
    for number in range(20):
        make_pool(cast, f"More {number}", "ana", "alba")
    assert cost(lambda: client.get(reverse("leads:pool_list"))) == few


def test_reps_see_their_own_pools_and_managers_those_of_their_people(cast: Cast, client_of: Log, pool: Pool) -> None:
    other = make_pool(cast, "South", "alba")
    seen = {
        "sam": {"Inbound"},
        "ana": set(),
        "alba": {"South"},
        "max": {"Inbound"},
        "mia": {"Inbound", "South"},
        "rita": {"Inbound", "South"},
    }
    for who, names in seen.items():
        client = client_of(who)
        found = {row.name for row in client.get(reverse("leads:pool_list")).context["page"].rows}
        assert found == names, who
        status = 200 if "South" in names else 404
        assert client.get(reverse("leads:pool_detail", args=[other.pk])).status_code == status, who
    assert "No pools here yet" in text(client_of("ana").get(reverse("leads:pool_list")))


def test_the_list_of_pools_has_figures(cast: Cast, client_of: Log, pool: Pool) -> None:
    make_pool(cast, "Empty")
    arrives(cast, 1)
    pool.members.update(weight=0)
    assert arrives(cast, 2).owner is None
    pool.members.filter(person=cast.sam).update(weight=2)
    pool.members.filter(person=cast.sven).update(weight=1)
    rows = client_of("rita").get(reverse("leads:pool_list")).context["page"].rows
    figures = {row.name: row.in_short for row in rows}
    assert (figures["Inbound"].members, figures["Inbound"].waiting, figures["Inbound"].given) == (2, 1, 1)
    assert (figures["Inbound"].gap, figures["Empty"].gap, figures["Empty"].members) == ("0.67", "0.00", 0)


def test_the_menu_knows_where_routing_is(client_of: Log, draft: RoutingVersion) -> None:
    client = client_of("rita")
    for address in (reverse("leads:pool_list"), at_version("routingversion_detail", draft)):
        groups = client.get(address).context["shell"].groups
        assert [link.label for group in groups for link in group["entries"] if link.is_active] == ["Routing"]


def test_leads_that_wait_in_a_pool_are_one_click_away(cast: Cast, client_of: Log, pool: Pool) -> None:
    pool.members.update(weight=0)
    waits = arrives(cast, 1)
    arrives(cast, 2, consent=Consent.REFUSED)
    client = client_of("rita")
    page = client.get(reverse("leads:pool_detail", args=[pool.pk])).content.decode()
    link = f"{reverse('leads:lead_list')}?waiting=yes&pool={pool.pk}"
    assert link in unescape(page)
    assert [row.pk for row in client.get(link).context["page"].rows] == [waits.pk]


def test_leads_of_others_are_not_named_on_the_page_of_a_pool(cast: Cast, client_of: Log, pool: Pool) -> None:
    arrives(cast, 1, name="Lena of North")
    arrives(cast, 2, name="Sara of South")
    page = text(client_of("sam").get(reverse("leads:pool_detail", args=[pool.pk])))
    assert "Lena of North" in page
    assert "Sara of South" not in page
    assert "not yours to see" in page
    empty = make_pool(cast, "Nobody's")
    page = text(client_of("rita").get(reverse("leads:pool_detail", args=[empty.pk])))
    assert "Nobody is in this pool yet" in page
    assert "No turn has been taken yet." in page


# --- Routing rules ------------------------------------------------------------------------------------------------


def at_version(name: str, version: RoutingVersion, **more: Any) -> str:
    return reverse(f"leads:{name}", kwargs={"pk": version.pk} | more)


@pytest.fixture
def draft(cast: Cast, client_of: Log, pool: Pool) -> RoutingVersion:
    """A copy of the rules in force, begun by Rita."""
    client_of("rita").post(reverse("leads:routingversion_create"), {"note": "Spain apart"})
    return RoutingVersion.objects.get(state=VersionState.DRAFT)


def test_a_version_is_told_in_words(cast: Cast, client_of: Log, pool: Pool, draft: RoutingVersion) -> None:
    assert (draft.number, draft.note, draft.created_by) == (2, "Spain apart", cast.rita)
    shown = client_of("max").get(at_version("routingversion_detail", draft))
    page, links = text(shown), shown.content.decode()
    assert '1 France When country = "France" , it goes to Alba Abe.' in page
    assert "Every lead that comes as far goes to the owner of its account, where there is one." in page
    assert "Every lead that comes as far goes to the pool Inbound." in page
    assert (
        "after 30 min the owner is reminded; after 1 h the manager is told; after 1 h 30 min it goes to somebody else."
        in page
    )
    # Max reads, and changes nothing.
    for name in ("activate", "discard", "edit", "dry_run"):
        address = at_version(f"routingversion_{name}", draft)
        assert address not in links
        assert client_of("max").post(address).status_code == 403
    assert (
        at_version("routingversion_activate", draft)
        in client_of("rita").get(at_version("routingversion_detail", draft)).content.decode()
    )
    assert client_of("sam").get(at_version("routingversion_detail", draft)).status_code == 403
    assert "What no rule fits waits for a person." in page


def test_rules_of_a_draft_are_written_moved_and_dropped(
    cast: Cast, client_of: Log, pool: Pool, draft: RoutingVersion
) -> None:
    client = client_of("rita")
    add = at_version("routingrule_create", draft)
    spain = {"name": "Spain", "condition": 'country = "Spain"', "action": "hold", "position": 1, "pool": pool.pk}
    assert client.post(add, spain).status_code == 302
    assert [(rule.position, rule.name, rule.pool_id) for rule in draft.rules.order_by("position")] == [
        (1, "Spain", None),
        (2, "France", None),
        (3, "Accounts", None),
        (4, "Everything", pool.pk),
    ]
    rule = draft.rules.get(name="Spain")
    edit = at_version("routingrule_edit", draft, rule=rule.pk)
    assert client.post(edit, spain | {"name": "Iberia", "position": 99}).status_code == 302
    assert [each.name for each in draft.rules.order_by("position")] == ["France", "Accounts", "Everything", "Iberia"]
    assert (
        client.post(at_version("routingrule_drop", draft, rule=draft.rules.get(name="Accounts").pk)).status_code == 302
    )
    assert [(each.position, each.name) for each in draft.rules.order_by("position")] == [
        (1, "France"),
        (2, "Everything"),
        (3, "Iberia"),
    ]
    assert [entry.action for entry in AuditEntry.objects.order_by("sequence")] == [
        "routing.drafted",
        "routing.rule_added",
        "routing.rule_edited",
        "routing.rule_dropped",
    ]
    assert AuditEntry.objects.get(action="routing.rule_edited").after == {"name": "Iberia", "position": 4}
    # A rule of another version is none of this one.
    other = RoutingVersion.objects.get(state=VersionState.ACTIVE).rules.first()
    assert other is not None
    for name in ("routingrule_edit", "routingrule_drop"):
        assert client.post(at_version(name, draft, rule=other.pk), spain).status_code == 404


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        ({"condition": 'colour = "red"', "action": "hold"}, "condition", "colour"),
        ({"action": "pool"}, "pool", "Say to which pool."),
        ({"action": "person"}, "person", "Say to whom."),
    ],
)
def test_a_rule_that_does_not_read_is_refused(
    cast: Cast, client_of: Log, draft: RoutingVersion, data: dict[str, Any], field: str, message: str
) -> None:
    answer = client_of("rita").post(at_version("routingrule_create", draft), {"name": "New"} | data)
    assert answer.status_code == 422
    assert message in str(answer.context["form"].errors[field])
    assert draft.rules.count() == 3


def test_service_levels_are_written_in_their_order(cast: Cast, client_of: Log, draft: RoutingVersion) -> None:
    client, add = client_of("rita"), at_version("servicelevel_create", draft)
    slow = {"name": "Slow", "warn_minutes": 60, "alert_minutes": 30}
    refused = client.post(add, slow)
    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == ["alert_minutes"]
    refused = client.post(add, slow | {"alert_minutes": 90, "reassign_minutes": 80})
    assert list(refused.context["form"].errors) == ["reassign_minutes"]
    assert client.post(add, slow | {"alert_minutes": 90, "position": 1}).status_code == 302
    levels = list(
        draft.levels.order_by("position").values_list("position", "name", "alert_minutes", "reassign_minutes")
    )
    assert levels == [(1, "Slow", 90, None), (2, "Hot", 60, 90)]
    level = ServiceLevel.objects.get(name="Slow")
    edit = at_version("servicelevel_edit", draft, level=level.pk)
    assert client.post(edit, {"name": "Slower", "warn_minutes": 120}).status_code == 302
    level.refresh_from_db()
    assert (level.position, level.name, level.warn_minutes, level.alert_minutes) == (1, "Slower", 120, None)
    assert client.post(at_version("servicelevel_drop", draft, level=level.pk)).status_code == 302
    assert list(draft.levels.values_list("position", "name")) == [(1, "Hot")]


def test_what_is_in_force_stays_as_it_is(cast: Cast, client_of: Log, pool: Pool, draft: RoutingVersion) -> None:
    client = client_of("rita")
    in_use = RoutingVersion.objects.get(state=VersionState.ACTIVE)
    rule, level = in_use.rules.get(name="France"), in_use.levels.get()
    plain = {"name": "Other", "action": "hold", "warn_minutes": 5}
    for name, more in (
        ("routingversion_edit", {}),
        ("routingversion_discard", {}),
        ("routingversion_activate", {}),
        ("routingrule_create", {}),
        ("routingrule_edit", {"rule": rule.pk}),
        ("routingrule_drop", {"rule": rule.pk}),
        ("servicelevel_create", {}),
        ("servicelevel_edit", {"level": level.pk}),
        ("servicelevel_drop", {"level": level.pk}),
    ):
        answer = client.post(at_version(name, in_use, **more), plain)
        assert (name, answer.status_code) == (name, 422)
        assert "Only a draft can be changed" in text(answer)
    assert [each.name for each in in_use.rules.order_by("position")] == ["France", "Accounts", "Everything"]
    assert "There is a draft already" in text(client.post(reverse("leads:routingversion_create"), {}))


@pytest.mark.parametrize("who", ["max", "sam", "finn"])
def test_services_refuse_who_does_not_write_rules(cast: Cast, draft: RoutingVersion, who: str) -> None:
    rule, level = draft.rules.get(position=1), draft.levels.get()
    of_draft: dict[str, Any] = {"actor": cast.actor(who), "version_id": draft.pk, "at": NOW}
    words: dict[str, Any] = {"name": "Other", "condition": ""}
    minutes: dict[str, Any] = {"warn_minutes": 5, "alert_minutes": None, "reassign_minutes": None}
    for ask in (
        lambda: change_routing_version(**of_draft, note="Mine", needs_consent=True),
        lambda: put_routing_rule(**of_draft, **words, action="hold", pool=None, person=None),
        lambda: drop_routing_rule(**of_draft, rule_id=rule.pk),
        lambda: put_service_level(**of_draft, **words, **minutes),
        lambda: drop_service_level(**of_draft, level_id=level.pk),
    ):
        with pytest.raises(PermissionDenied):
            ask()
    draft.refresh_from_db()
    assert (draft.note, draft.rules.count(), draft.levels.count()) == ("Spain apart", 3, 1)


def test_a_draft_is_put_in_force_or_thrown_away(cast: Cast, client_of: Log, draft: RoutingVersion) -> None:
    client = client_of("rita")
    client.post(at_version("routingversion_edit", draft), {"note": "Better", "needs_consent": "on"})
    draft.refresh_from_db()
    assert (draft.note, draft.needs_consent) == ("Better", True)
    assert client.post(at_version("routingversion_activate", draft)).status_code == 302
    states = dict(RoutingVersion.objects.values_list("number", "state"))
    assert states == {1: VersionState.RETIRED, 2: VersionState.ACTIVE}
    client.post(reverse("leads:routingversion_create"), {})
    third = RoutingVersion.objects.get(number=3)
    assert client.post(at_version("routingversion_discard", third)).status_code == 302
    assert not RoutingVersion.objects.filter(number=3).exists()


def test_problems_of_a_draft_are_named_at_their_place(cast: Cast, client_of: Log, draft: RoutingVersion) -> None:
    draft.rules.filter(position=1).update(condition='colour = "red"')
    draft.levels.update(condition="employees >")
    shown = client_of("rita").get(at_version("routingversion_detail", draft))
    page = text(shown)
    assert "These rules cannot be put in force yet." in page
    assert "Rule 1 :" in page
    assert "Service level 1 :" in page
    assert at_version("routingversion_activate", draft) not in shown.content.decode()


def test_a_dry_run_says_who_would_get_how_many(cast: Cast, client_of: Log, pool: Pool, draft: RoutingVersion) -> None:
    for number in range(4):
        arrives(cast, number, country="Spain" if number == 3 else "France" if number == 2 else "")
    arrives(cast, 9, at=NOW - timedelta(days=32))
    rule = draft.rules.get(name="France")
    rule.condition, rule.action, rule.person = 'country = "Spain"', "hold", None
    rule.save()
    kept = list(Lead.objects.order_by("pk").values()), list(PoolMember.objects.order_by("pk").values())
    page = client_of("rita").get(at_version("routingversion_dry_run", draft))
    assert [(row.name, row.would, row.truly, row.difference) for row in page.context["people"]] == [
        ("Sam Sorensen", 2, 2, 0),
        ("Sven Singh", 1, 1, 0),
        ("Alba Abe", 0, 1, -1),
        ("", 1, 0, 1),
    ]
    assert (page.context["count"], page.context["waiting"]) == (4, 1)
    assert "1 because a rule holds leads like this for a person to decide" in text(page)
    assert kept == (list(Lead.objects.order_by("pk").values()), list(PoolMember.objects.order_by("pk").values()))
    draft.rules.update(condition="employees >")
    assert "These rules do not read yet." in text(client_of("rita").get(at_version("routingversion_dry_run", draft)))


def test_an_empty_month_says_so(cast: Cast, client_of: Log, draft: RoutingVersion) -> None:
    page = text(client_of("rita").get(at_version("routingversion_dry_run", draft)))
    assert "No lead came in the last month" in page


def test_a_version_is_tried_on_a_lead(cast: Cast, client_of: Log, pool: Pool, draft: RoutingVersion) -> None:
    lead, other = arrives(cast, 1, name="Lena", company="Acme"), arrives(cast, 2, name="Lara", company="Acme")
    kept = list(Turn.objects.values_list("pk", flat=True))
    url = at_version("routingversion_try", draft)
    client = client_of("rita")
    both = client.get(f"{url}?lead=acme")
    assert {row.pk for row in both.context["leads"]} == {lead.pk, other.pk}
    assert both.context["way"] is None
    page = client.get(f"{url}?lead=%23{lead.pk}")
    assert page.context["way"].end == "Sam Sorensen gets it."
    assert "Now it is Sam Sorensen's." in text(page)
    assert "Service level: Hot" in text(page)
    assert "No lead of yours is like this." in text(client.get(f"{url}?lead=nobody"))
    # Max does not see leads of South.
    assert "No lead of yours" in text(client_of("max").get(f"{url}?lead={other.pk}"))
    assert list(Turn.objects.values_list("pk", flat=True)) == kept
    draft.rules.update(condition="employees >")
    broken = client.get(f"{url}?lead={lead.pk}")
    assert broken.status_code == 200
    assert "These rules do not read yet." in text(broken)


def test_an_empty_list_of_versions_says_what_they_are_for(cast: Cast, client_of: Log) -> None:
    assert "No routing rules yet" in text(client_of("rita").get(reverse("leads:routingversion_list")))
    assert client_of("sam").get(reverse("leads:routingversion_list")).status_code == 403
    for who in ("sam", "finn", "elsa"):
        with pytest.raises(PermissionDenied):
            routing_versions_for(cast.actor(who))


# --- For programs -------------------------------------------------------------------------------------------------


def api(client: Client, path: str, **data: Any) -> Any:
    address = f"/api/v1/{path}"
    return client.post(address, data, content_type="application/json") if data else client.get(address)


def test_programs_read_pools_that_their_person_sees(cast: Cast, client_of: Log, pool: Pool) -> None:
    for number in range(4):
        arrives(cast, number)
    client = client_of("sam")
    (one,) = api(client, "pools/").json()["results"]
    assert (one["id"], one["name"], one["method"]) == (pool.pk, "Inbound", "weighted")
    assert api(client, f"pools/{pool.pk}/").json() == one
    names = ("person", "place", "weight", "credit", "got", "entitled", "open_leads")
    assert [tuple(row[name] for name in names) for row in api(client, f"pools/{pool.pk}/members/").json()] == [
        (cast.sven.pk, 1, 1, 333, 1, 1_333, 1),
        (cast.sam.pk, 2, 2, -333, 3, 2_667, 3),
    ]
    assert api(client_of("ana"), "pools/").json()["results"] == []
    for path in (f"pools/{pool.pk}/", f"pools/{pool.pk}/members/"):
        assert api(client_of("ana"), path).status_code == 404
        assert api(client_of("elsa"), path).status_code == 403


def test_programs_read_how_a_lead_was_routed(cast: Cast, client_of: Log, pool: Pool) -> None:
    lead = arrives(cast, 1)
    found = api(client_of("sam"), f"leads/{lead.pk}/routing/").json()
    assert (found["person"], found["method"], found["path"]["rule"]) == (cast.sam.pk, "rule", [3, "Everything"])
    assert found["way"]["steps"][-1] == "Rule 3 “Everything” fits."
    assert found["path"]["pools"][0]["candidates"][0] == [cast.sam.pk, 2, 0, -333, 1]
    # Ana sees the lead, and not how the pool stands: neither here nor in the list of assignments.
    theirs = [api(client_of("ana"), f"leads/{lead.pk}/routing/").json()]
    theirs += api(client_of("ana"), f"leads/{lead.pk}/assignments/").json()["results"]
    assert [each["path"]["pools"] for each in theirs] == [[{"pool": pool.pk, "method": "weighted"}]] * 2
    assert api(client_of("alba"), f"leads/{lead.pk}/routing/").status_code == 404
    own = create_lead(actor=cast.actor("sam"), at=NOW, name="Own", owner=cast.sam)
    assert api(client_of("sam"), f"leads/{own.pk}/routing/").status_code == 404


def test_programs_give_leads_back(cast: Cast, client_of: Log, pool: Pool) -> None:
    lead = arrives(cast, 1)
    path = f"leads/{lead.pk}/give-back/"
    assert api(client_of("ana"), path, reason="Not ours").status_code == 403
    assert api(client_of("alba"), path, reason="Not ours").status_code == 404
    assert api(client_of("sam"), path, is_bad=False).status_code == 400
    lead.refresh_from_db()
    assert lead.owner == cast.sam
    # It goes to South, where Sam does not see it any more.
    assert api(client_of("sam"), path, reason="Not ours").status_code == 204
    lead.refresh_from_db()
    assert lead.owner == cast.sven
    answer = api(client_of("rita"), path, reason="A student", is_bad=True)
    assert (answer.status_code, answer.json()["status"]) == (200, "disqualified")


# --- The admin site -----------------------------------------------------------------------------------------------


def admin_page(model: type[Any], page: str, *args: Any) -> str:
    return reverse(f"admin:leads_{model._meta.model_name}_{page}", args=args)


def inline(prefix: str, *rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """What a browser posts of rows inside a row."""
    data: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def test_administrators_set_up_a_pool_with_its_people(cast: Cast, client_of: Log) -> None:
    client, add = client_of("ada"), admin_page(Pool, "add")
    pool = {"name": "Spain", "method": "weighted", "on_return": "half", "when_nobody": "hold", "currency": "USD"}
    pool["is_active"] = "on"
    sam = {"person": cast.sam.pk, "weight": 3, "cap_open": 10, "is_in": "on", "takes": 'country = "Spain"'}
    for takes in ("employees >", 'colour = "red"'):
        refused = client.post(add, pool | inline("members", sam | {"takes": takes}))
        assert refused.status_code == 200
        assert not Pool.objects.exists()
    assert "colour" in str(refused.context["inline_admin_formsets"][0].formset.errors)
    assert client.post(add, pool | inline("members", sam)).status_code == 302
    member = PoolMember.objects.get()
    assert (member.pool.name, member.weight, member.cap_open, member.takes) == ("Spain", 3, 10, 'country = "Spain"')
    assert {entry.action for entry in AuditEntry.objects.all()} == {"pool.added", "poolmember.added"}
    nobody = pool | {"name": "Italy", "when_nobody": "on_call"} | inline("members")
    assert "These values do not go together" in client.post(add, nobody).content.decode()
    shown = client.get(admin_page(Pool, "change", member.pool_id)).content.decode()
    assert reverse("leads:pool_detail", args=[member.pool_id]) in shown
    assert client.post(admin_page(Pool, "delete", member.pool_id), {"post": "yes"}).status_code == 403


def test_administrators_change_drafts_only(cast: Cast, client_of: Log, pool: Pool, draft: RoutingVersion) -> None:
    client = client_of("ada")
    rules = [
        {
            "id": rule.pk,
            "version": draft.pk,
            "position": rule.position,
            "name": rule.name,
            "condition": rule.condition,
            "action": rule.action,
            "pool": rule.pool_id or "",
            "person": rule.person_id or "",
        }
        for rule in draft.rules.order_by("position")
    ]
    level = draft.levels.get()
    levels = [{"id": level.pk, "version": draft.pk, "position": 1, "name": "Hot", "warn_minutes": 15}]
    url = admin_page(RoutingVersion, "change", draft.pk)

    def post(address: str, first: dict[str, Any]) -> Any:
        data = {"note": "New"} | inline("rules", rules[0] | first, *rules[1:], initial=3)
        return client.post(address, data | inline("levels", *levels, initial=1))

    refused = post(url, {"condition": "employees >"})
    assert refused.status_code == 200
    assert draft.rules.get(position=1).condition == 'country = "France"'
    assert post(url, {"condition": "employees > 5"}).status_code == 302
    assert draft.rules.get(position=1).condition == "employees > 5"
    assert draft.levels.get().warn_minutes == 15
    draft.refresh_from_db()
    assert draft.note == "New"
    RoutingVersion.objects.filter(pk=draft.pk).update(state=VersionState.RETIRED)
    assert post(url, {"condition": "employees > 6"}).status_code == 403
    assert draft.rules.get(position=1).condition == "employees > 5"


def test_buttons_of_the_admin_site_lead_to_pages_that_ask(cast: Cast, client_of: Log, draft: RoutingVersion) -> None:
    client = client_of("ada")
    shown = client.get(admin_page(RoutingVersion, "change", draft.pk)).content.decode()
    assert "Put in force" in shown
    assert "Test on a lead" in shown
    listed = client.get(admin_page(RoutingVersion, "changelist")).content.decode()
    assert "Begin a draft" in listed
    for name, target, args in (
        ("begin_draft", reverse("leads:routingversion_create"), []),
        ("put_in_force", at_version("routingversion_activate", draft), [draft.pk]),
        ("test_on_lead", at_version("routingversion_try", draft), [draft.pk]),
    ):
        assert client.get(admin_page(RoutingVersion, name, *args)).headers["Location"] == target
    draft.refresh_from_db()
    assert draft.is_draft
    lead = Lead.objects.create(name="Lena", created_at=NOW)
    tried = client.get(admin_page(Lead, "test_routing", lead.pk)).headers["Location"]
    in_force_now = RoutingVersion.objects.get(state=VersionState.ACTIVE)
    assert tried == f"{at_version('routingversion_try', in_force_now)}?lead={lead.pk}"
    assert client.get(admin_page(Lead, "test_scores", lead.pk)).headers["Location"] == reverse(
        "leads:scoreversion_list"
    )
    sent = client_of("rita").get(admin_page(RoutingVersion, "begin_draft")).headers["Location"]
    assert sent.startswith("/admin/login/")


def test_the_rules_are_tested_on_a_lead_from_its_page(cast: Cast, client_of: Log, draft: RoutingVersion) -> None:
    """Who reads rules finds the draft and those in force beside the lead; a rep does not."""
    lead = Lead.objects.create(name="Lena", owner=cast.sam, pod=cast.north, created_at=NOW)
    page = client_of("rita").get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
    in_force_now = RoutingVersion.objects.get(state=VersionState.ACTIVE)
    for version in (draft, in_force_now):
        url = f"{at_version('routingversion_try', version)}?lead={lead.pk}"
        assert f'href="{url}"' in page
        assert "Lena" in client_of("rita").get(url).content.decode()
    assert "Test the rules" not in client_of("sam").get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()


def test_pools_are_exported_with_their_figures(cast: Cast, client_of: Log, pool: Pool) -> None:
    for number in range(3):
        arrives(cast, number)
    sent = client_of("rita").post(reverse("leads:pool_list"), {"do": "export", "form": "csv"})
    head, row = csv.reader(b"".join(sent.streaming_content).decode("utf-8-sig").splitlines())
    assert head[:5] == ["Pool", "How turns go", "Take part", "Waiting leads", "Turns in 30 days"]
    assert row[:5] == ["Inbound", "In turn, by weight", "2", "0", "3"]


# --- By hand ------------------------------------------------------------------------------------------------------


def test_who_assigns_by_hand_sees_whom_the_rules_suggest(cast: Cast, client_of: Log, pool: Pool) -> None:
    """Nobody's lead: the form names whose turn it is, and begins with them; nothing is written by looking."""
    lead = Lead.objects.create(name="Nobody's", created_at=NOW)
    page = client_of("rita").get(f"/leads/{lead.pk}/assign/").content.decode()
    assert "By the rules: Rule 3 “Everything” fits. Sam Sorensen gets it." in page
    assert f'<option value="{cast.sam.pk}" selected>' in page
    assert not Turn.objects.exists()
    pool.members.update(is_in=False)
    page = client_of("rita").get(f"/leads/{lead.pk}/assign/").content.decode()
    assert "By the rules it would wait: nobody in the pool can take it at the moment." in page
