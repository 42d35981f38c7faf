"""The pages of routing: why a lead came to whom, giving it back, pools, routing rules; and who may see which."""

from __future__ import annotations

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

from salesops.leads.choices import Consent, LeadStatus, PoolMethod, WhenNobody
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, Turn
from salesops.leads.selectors.ways import Gone, leads_text, ways_of
from salesops.leads.services import create_lead, touch_lead
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
        "you were owed more than the other who could take it: 0.67 of a lead",
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
    assert "Why it came to you: you were owed more than the other who could take it: 0.67 of a lead" in page
    assert "Got it" in page
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
    answer = client_of("rita").post(reverse("leads:lead_give_back", args=[lead.pk]), {"reason": "Mine"})
    assert answer.status_code == 422
    assert "Only a lead that somebody works on can be given back." in text(answer)
