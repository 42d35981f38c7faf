"""The pages of pods: who sees which, who arranges them, and that what is refused changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.core.models import FeatureSwitch
from salesops.deals.models import Deal, Stage
from salesops.leads.models import Lead
from salesops.people.models import FunctionAssignment, User
from salesops.pods.models import Pod, PodMembership, Territory, TerritoryAssignment
from salesops.pods.services import add_territory, assign_territory
from tests.cast import NOW, SINCE, TODAY, Cast

Log = Callable[[str], Client]
TOMORROW = TODAY + timedelta(days=1)


def state() -> list[Any]:
    tables = (Pod, PodMembership, Territory, TerritoryAssignment)
    return [*(sorted(map(str, model.objects.values_list())) for model in tables), AuditEntry.objects.count()]


def key_of(client: Client, url: str) -> dict[str, str]:
    """The form's key, as the page gives it."""
    return {"form_key": client.get(url).context["form"].initial["form_key"]}


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("ana", ["North"]),
        ("mia", ["South"]),
        ("max", ["North"]),
        ("rita", ["North", "South"]),
        ("finn", ["North", "South"]),
        ("elsa", ["North", "South"]),
    ],
)
def test_each_sees_their_pods(client_of: Log, who: str, seen: list[str]) -> None:
    page = client_of(who).get(reverse("pods:pod_list"))
    assert [standing["pod"].name for standing in page.context["standings"]] == seen
    assert re.findall(r'<h2><a href="[^"]*">([^<]*)</a>', page.content.decode()) == seen


def test_who_has_no_role_sees_no_pod(client_of: Log) -> None:
    for name in ("pod_list", "member_list", "territory_list"):
        assert client_of("norm").get(reverse(f"pods:{name}")).status_code == 403


def test_the_list_says_what_is_missing_and_what_is_carried(cast: Cast, client_of: Log) -> None:
    PodMembership.objects.filter(person=cast.carl).update(end_on=TODAY)
    Pod.objects.filter(pk=cast.north.pk).update(lead_capacity=2)
    Lead.objects.bulk_create(Lead(name="x", pod=cast.north, owner=cast.ana, created_at=NOW) for _number in range(3))
    Lead.objects.create(name="x", pod=cast.north, status="converted", created_at=NOW)
    page = client_of("rita").get(reverse("pods:pod_list"))
    north, south = page.context["standings"]
    assert (north["is_ready"], north["missing"], north["open_leads"], north["load_bp"], north["is_over"]) == (
        False,
        ["Success"],
        3,
        15_000,
        True,
    )
    assert (south["is_ready"], south["short"], south["load_bp"]) == (True, [("Closing", 1)], 0)
    text = page.content.decode()
    assert "3 leads in work, room for 2" in text
    assert "150" in text
    detail = client_of("ana").get(reverse("pods:pod_detail", args=[cast.north.pk]))
    assert {member["row"].person.name: member["leads"] for member in detail.context["members"]} == {
        "Ana Alvarez": 3,
        "Sam Sorensen": 0,
    }
    assert [row.person.name for row in detail.context["past"]] == ["Carl Chen"]


def test_pods_cost_the_same_for_few_and_many(cast: Cast, client_of: Log) -> None:
    client = client_of("rita")

    def cost() -> list[int]:
        found = []
        for url in (
            reverse("pods:pod_list"),
            reverse("pods:member_list"),
            reverse("pods:territory_list"),
            reverse("pods:pod_detail", args=[cast.north.pk]),
        ):
            with CaptureQueriesContext(connection) as queries:
                client.get(url)
            found.append(len(queries))
        return found

    first = Territory.objects.create(code="1", name="One")
    TerritoryAssignment.objects.create(territory=first, person=cast.ana, start_on=SINCE)
    cost()
    before = cost()
    people = [User.objects.create(email=f"{number}@example.com", name=f"P{number}") for number in range(30)]
    for number, person in enumerate(people):
        pod = cast.north if number % 2 else Pod.objects.create(name=f"Pod {number}", opened_on=SINCE)
        PodMembership.objects.create(pod=pod, person=person, function="sdr", start_on=SINCE)
        territory = Territory.objects.create(code=f"t{number}", name=f"T{number}")
        TerritoryAssignment.objects.create(territory=territory, person=person, start_on=SINCE)
    assert cost() == before


def test_the_view_by_function_goes_across_pods(cast: Cast, client_of: Log) -> None:
    Lead.objects.create(name="x", owner=cast.sven, pod=cast.south, created_at=NOW)
    page = client_of("rita").get(f"{reverse('pods:member_list')}?function=sdr")
    rows = [(row.person.name, row.pod.name, row.open_leads) for row in page.context["page"].rows]
    assert rows == [("Sam Sorensen", "North", 0), ("Sven Singh", "South", 1)]
    assert [label for _code, label, is_active in page.context["functions"] if is_active] == ["SDR"]
    own = client_of("ana").get(reverse("pods:member_list"))
    assert {row.person.name for row in own.context["page"].rows} == {"Ana Alvarez", "Carl Chen", "Sam Sorensen"}
    PodMembership.objects.filter(person=cast.sam).update(end_on=TODAY)
    assert len(client_of("rita").get(f"{reverse('pods:member_list')}?function=sdr").context["page"].rows) == 1


def test_a_pod_that_is_not_yours_does_not_exist(cast: Cast, client_of: Log) -> None:
    assert client_of("ana").get(reverse("pods:pod_detail", args=[cast.south.pk])).status_code == 404
    assert client_of("max").get(reverse("pods:pod_detail", args=[cast.south.pk])).status_code == 404
    assert client_of("elsa").get(reverse("pods:pod_detail", args=[cast.south.pk])).status_code == 200


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa", "norm"])
def test_only_revenue_operations_and_administrators_have_the_forms(cast: Cast, client_of: Log, who: str) -> None:
    membership = PodMembership.objects.get(person=cast.ana)
    territory = Territory.objects.create(code="1", name="One")
    assignment = TerritoryAssignment.objects.create(territory=territory, person=cast.ana, start_on=SINCE)
    before, client = state(), client_of(who)
    for name, args in (
        ("pod_create", []),
        ("pod_edit", [cast.north.pk]),
        ("pod_close", [cast.north.pk]),
        ("member_add", [cast.north.pk]),
        ("member_move", [membership.pk]),
        ("member_end", [membership.pk]),
        ("territory_create", []),
        ("territory_assign", [territory.pk]),
        ("territory_end", [assignment.pk]),
    ):
        url = reverse(f"pods:{name}", args=args)
        assert client.get(url).status_code == 403
        assert client.post(url, {"end_on": TODAY, "closed_on": TODAY, "end_memberships": "on"}).status_code == 403
    assert state() == before


def test_a_pod_is_opened_once_staffed_and_closed(cast: Cast, client_of: Log) -> None:
    client = client_of("rita")
    url = reverse("pods:pod_create")
    data = key_of(client, url) | {
        "name": "West",
        "segment": cast.smb.pk,
        "template": "1:1:1",
        "lead_capacity": 50,
        "time_zone": "Europe/Berlin",
        "opened_on": SINCE,
    }
    first, again = client.post(url, data), client.post(url, data)
    pod = Pod.objects.get(name="West")
    assert first.url == again.url == reverse("pods:pod_detail", args=[pod.pk])
    assert (pod.lead_capacity, pod.time_zone, pod.template) == (50, "Europe/Berlin", "1:1:1")
    taken = client.post(url, data | key_of(client, url) | {"name": "North"})
    assert (taken.status_code, list(taken.context["form"].errors)) == (422, ["name"])

    add = reverse("pods:member_add", args=[pod.pk])
    refused = client.post(add, {"person": cast.ana.pk, "function": "ae", "start_on": TODAY})
    assert refused.status_code == 422
    assert "has been in pod North since" in refused.content.decode()
    assert client.post(add, {"person": cast.norm.pk, "function": "sdr", "start_on": TODAY}).status_code == 302

    close = reverse("pods:pod_close", args=[pod.pk])
    kept = client.post(close, {"closed_on": TOMORROW})
    assert kept.status_code == 422
    assert "These people are still in the pod: Norm Norole." in kept.content.decode()
    assert client.post(close, {"closed_on": TOMORROW, "end_memberships": "on"}).status_code == 302
    pod.refresh_from_db()
    assert (pod.closed_on, PodMembership.objects.get(person=cast.norm).end_on) == (TOMORROW, TOMORROW)


def test_a_pod_that_closes_says_what_it_still_has(cast: Cast, client_of: Log) -> None:
    """Leads nobody has any more and deals would be seen by none of those who were in it."""
    client, url = client_of("rita"), reverse("pods:pod_close", args=[cast.north.pk])
    assert "It still has" not in client.get(url).content.decode()
    Lead.objects.bulk_create(Lead(name=f"Lead {number}", pod=cast.north, created_at=NOW) for number in range(3))
    Lead.objects.create(name="Done", pod=cast.north, status="converted", created_at=NOW)
    stage = Stage.objects.filter(kind="open").first()
    Deal.objects.create(name="Globex", pod=cast.north, owner=cast.ana, stage=stage, created_at=NOW)
    left = "It still has 3 leads in work and 1 open deals: give them to another pod."
    assert left in client.get(url).content.decode()
    told = client.post(url, {"closed_on": TODAY, "end_memberships": "on"}, follow=True)
    assert left in told.content.decode()
    assert Lead.objects.filter(pod=cast.north).count() == 4


def test_a_pod_that_lacks_a_part_opens_with_a_warning_or_not_at_all(cast: Cast, client_of: Log) -> None:
    """While the switch is on the page says what is missing; off, the first people are named with the pod."""
    client = client_of("rita")
    url = reverse("pods:pod_create")
    FunctionAssignment.objects.create(person=cast.norm, function="mdr", start_on=SINCE)
    PodMembership.objects.filter(person=cast.carl).update(end_on=TODAY)
    data = {
        "segment": cast.smb.pk,
        "template": "1:1:1",
        "customer_size": "large",
        "lead_capacity": 50,
        "time_zone": "Europe/Berlin",
        "opened_on": TOMORROW,
    }
    opened = client.post(url, key_of(client, url) | data | {"name": "West"}, follow=True)
    said = [str(message) for message in opened.context["messages"]]
    assert said == [
        "Opened the pod “West”. Now add its people. Nobody wins customers (SDR, MDR or ADR). Nobody keeps them (CSM or ONB)."
    ]
    FeatureSwitch.objects.update_or_create(code="unready_pods", defaults={"is_on": False})
    before = state()
    for team in ([], [cast.norm.pk]):
        refused = client.post(url, key_of(client, url) | data | {"name": "East", "team": team})
        assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["team"])
        assert "Nobody keeps them" in refused.content.decode()
        assert state() == before
    client.post(url, key_of(client, url) | data | {"name": "East", "team": [cast.norm.pk, cast.carl.pk]})
    east = Pod.objects.get(name="East")
    assert set(east.memberships.values_list("person", "function", "start_on")) == {
        (cast.norm.pk, "mdr", TOMORROW),
        (cast.carl.pk, "csm", TOMORROW),
    }
    page = client.get(reverse("pods:pod_detail", args=[east.pk]))
    assert page.context["standing"]["missing"] == ["Closing"]
    assert "No ADR · account development, SDR · sales development, KAM · key account manager" in page.content.decode()
    assert "Opens" in page.content.decode()


def test_somebody_moves_and_leaves(cast: Cast, client_of: Log) -> None:
    client = client_of("ada")
    membership = PodMembership.objects.get(person=cast.ana)
    move = reverse("pods:member_move", args=[membership.pk])
    moved = client.post(move, {"pod": cast.south.pk, "function": "kam", "day": TODAY, "reason": "grown"})
    assert moved.url == reverse("pods:pod_detail", args=[cast.north.pk])
    rows = PodMembership.objects.filter(person=cast.ana).order_by("start_on")
    assert list(rows.values_list("pod__name", "function", "start_on", "end_on")) == [
        ("North", "ae", SINCE, TODAY),
        ("South", "kam", TODAY, None),
    ]
    assert AuditEntry.objects.filter(reason="grown").count() == 2
    history = client.get(reverse("pods:pod_detail", args=[cast.north.pk])).context["history"]
    assert (history[0].title, [(line.label, line.after) for line in history[0].lines][-1]) == (
        "Pod left by somebody",
        ("Until", "17 Jun 2026"),
    )
    end = reverse("pods:member_end", args=[rows[1].pk])
    early = client.post(end, {"end_on": TODAY - timedelta(days=1)})
    assert list(early.context["form"].errors) == ["end_on"]
    assert client.post(end, {"end_on": TOMORROW}).status_code == 302
    assert rows[1].end_on == TOMORROW


def test_an_edit_changes_what_differs(cast: Cast, client_of: Log) -> None:
    client, url = client_of("rita"), reverse("pods:pod_edit", args=[cast.north.pk])
    form = client.get(url).context["form"]
    data = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    client.post(url, data | {"lead_capacity": 5})
    cast.north.refresh_from_db()
    assert cast.north.lead_capacity == 5
    assert AuditEntry.objects.get().after == {"lead_capacity": 5}
    bad = client.post(url, data | {"time_zone": "Nowhere/Land"})
    assert list(bad.context["form"].errors) == ["time_zone"]


def test_territories_show_who_works_there_as_far_as_one_may_see(cast: Cast, client_of: Log) -> None:
    by = {"actor": cast.actor("rita"), "at": NOW}
    place = add_territory(code="N", name="Northwest", country="US", **by)
    for person in (cast.ana, cast.alba):
        assign_territory(territory_id=place.pk, person_id=person.pk, start_on=SINCE, **by)
    detail = reverse("pods:territory_detail", args=[place.pk])
    seen = {
        who: [row.person.name for row in client_of(who).get(detail).context["assignments"]]
        for who in ("ana", "max", "rita")
    }
    assert seen == {"ana": ["Ana Alvarez"], "max": ["Ana Alvarez"], "rita": ["Alba Abe", "Ana Alvarez"]}
    assert client_of("norm").get(detail).status_code == 403
    listed = client_of("rita").get(reverse("pods:territory_list")).content.decode()
    assert "Alba Abe, Ana Alvarez" in listed
    client = client_of("rita")
    twice = client.post(reverse("pods:territory_assign", args=[place.pk]), {"person": cast.ana.pk, "start_on": TODAY})
    assert list(twice.context["form"].errors) == ["start_on"]
    row = TerritoryAssignment.objects.get(person=cast.ana)
    assert client.post(reverse("pods:territory_end", args=[row.pk]), {"end_on": TODAY}).url == detail
    row.refresh_from_db()
    assert row.end_on == TODAY
    client.post(reverse("pods:territory_create"), {"code": "S", "name": "South", "country": "", "region": ""})
    assert Territory.objects.get(code="S").name == "South"
