"""Who sees whose effort: oneself and the managers above, each look written down; nobody else, by whatever road."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.core import display
from salesops.core.models import FeatureSwitch
from salesops.effort.choices import OnSwitchOff
from salesops.effort.models import EffortContest, EffortLook, EffortPolicy, EffortScore
from salesops.effort.selectors.groups import group_rows_for
from salesops.effort.selectors.scores import scores_for
from salesops.effort.services.policies import switch_off
from salesops.people.models import FunctionAssignment, ReportingLine, User
from salesops.pods.models import PodMembership
from tests.cast import NOW, SINCE, Cast
from tests.effort.world import LAST_WEEK, entity_on, logged, score_of, weights_on

pytestmark = pytest.mark.django_db

ClientOf = Callable[[str], Client]
#: A score that stands nowhere else in a page.
MARKED = 47_30
EVERYBODY = ("ana", "alba", "sam", "max", "mia", "rita", "finn", "elsa", "ada", "norm")


@pytest.fixture
def world(cast: Cast, frozen: Any) -> Cast:
    """Ana's week, in an entity that has it on and employs everybody."""
    entity_on(cast, *cast.people)
    version = weights_on()
    score_of(cast.ana, LAST_WEEK, MARKED, version, function="ae")
    score_of(cast.alba, LAST_WEEK, 61_20, version, function="ae")
    logged(cast.ana, LAST_WEEK, "call", 3)
    return cast


def looks() -> list[tuple[str, str, str]]:
    rows = EffortLook.objects.order_by("pk").values_list("viewer__name", "person__name", "what")
    return [(viewer.split()[0], person.split()[0], what) for viewer, person, what in rows]


def test_who_sees_whose_rows(world: Cast) -> None:
    seen = {name: sorted(scores_for(world.actor(name)).values_list("person__name", flat=True)) for name in EVERYBODY}
    assert {name: found for name, found in seen.items() if found} == {
        "ana": ["Ana Alvarez"],
        "alba": ["Alba Abe"],
        "max": ["Ana Alvarez"],
        "mia": ["Alba Abe"],
    }


def test_a_rep_sees_their_own_score_and_its_parts(world: Cast, client_of: ClientOf) -> None:
    html = client_of("ana").get(reverse("effort:effort_mine")).content.decode()
    for text in (
        "47.3",
        "Calls",
        "Meetings",
        display.share(4000),
        "To see where help is needed.",
        "Ask the works council.",
        "Nobody but you",
    ):
        assert text in html, text
    assert "61.2" not in html
    assert looks() == [], "looking at oneself is nobody's business"


@pytest.mark.parametrize("who", [name for name in EVERYBODY if name not in ("ana", "max")])
def test_nobody_else_opens_a_persons_page(world: Cast, client_of: ClientOf, who: str) -> None:
    client = client_of(who)
    for name in ("effort:effort_person", "effort:effort_records"):
        response = client.get(reverse(name, args=[world.ana.pk]))
        assert response.status_code == (403 if who == "norm" else 404)
        assert b"47.3" not in response.content
    for name in ("effort_mine", "effortscore_list", "group_report", "effort_export", "effortcontest_list"):
        response = client.get(reverse(f"effort:{name}"))
        content = b"".join(response) if response.streaming else response.content
        assert b"47.3" not in content, name
    assert "Ana" not in {person for _viewer, person, _what in looks()}


def test_a_look_of_a_manager_is_logged_and_shown_to_the_person(world: Cast, client_of: ClientOf) -> None:
    manager = client_of("max")
    assert "47.3" in manager.get(reverse("effort:effortscore_list")).content.decode()
    page = manager.get(reverse("effort:effort_person", args=[world.ana.pk])).content.decode()
    assert "47.3" in page
    assert "can see that you looked" in page
    manager.get(reverse("effort:effort_records", args=[world.ana.pk]) + f"?week={LAST_WEEK}&kind=call")
    manager.post(reverse("effort:effortscore_list"), {"do": "export", "form": "csv"})
    assert looks() == [
        ("Max", "Ana", "list"),
        ("Max", "Ana", "page"),
        ("Max", "Ana", "records"),
        ("Max", "Ana", "export"),
    ]
    assert set(EffortLook.objects.values_list("looked_at", flat=True)) == {NOW}
    html = client_of("ana").get(reverse("effort:effort_mine")).content.decode()
    who_looked = html.split('id="looks-title"')[1]
    assert who_looked.count("Max Manager") == 4
    assert "The page with the parts" in who_looked
    assert "Nobody but you" not in html
    # Nobody else reads who looked, the manager included.
    for name in EVERYBODY:
        seen = EffortLook.objects.visible_to(world.actor(name)).count()
        assert seen == (4 if name == "ana" else 0)


def test_a_page_that_cannot_be_noted_is_not_shown(world: Cast, client_of: ClientOf, monkeypatch: Any) -> None:
    def refuse(**_given: Any) -> int:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("salesops.effort.views.pages.note_looks", refuse)
    monkeypatch.setattr("salesops.effort.views.team.note_looks", refuse)
    manager = client_of("max")
    for url in (reverse("effort:effort_person", args=[world.ana.pk]), reverse("effort:effortscore_list")):
        with pytest.raises(RuntimeError):
            manager.get(url)


def test_switching_the_entity_off_stops_showing_everywhere(world: Cast, client_of: ClientOf) -> None:
    entity = world.ana.__class__.objects.get(pk=world.ana.pk).legal_entity
    assert entity is not None
    switch_off(actor=world.actor("ada"), entity=entity, at=NOW, then=OnSwitchOff.KEEP)
    assert EffortScore.objects.count() == 2
    ana, manager = client_of("ana"), client_of("max")
    mine = ana.get(reverse("effort:effort_mine"))
    assert mine.status_code == 200
    assert "switched off" in mine.content.decode()
    assert b"47.3" not in mine.content
    assert b"47.3" not in b"".join(ana.get(reverse("effort:effort_export")))
    assert ana.get("/api/v1/effort/").json()["results"] == []
    assert ana.get(reverse("effort:effort_records", args=[world.ana.pk])).status_code == 404
    assert manager.get(reverse("effort:effort_person", args=[world.ana.pk])).status_code == 404
    assert b"47.3" not in manager.get(reverse("effort:effortscore_list")).content
    assert b"No figures yet" in manager.get(f"{reverse('effort:group_report')}?week={LAST_WEEK}").content
    assert looks() == []


def test_the_switch_of_the_portal_closes_the_pages(world: Cast, client_of: ClientOf) -> None:
    FeatureSwitch.objects.update_or_create(code="effort", defaults={"is_on": False})
    for who, name in (
        ("ana", "effort_mine"),
        ("ana", "effort_export"),
        ("max", "effortscore_list"),
        ("max", "group_report"),
    ):
        assert client_of(who).get(reverse(f"effort:{name}")).status_code == 403, name
    assert client_of("ana").get("/api/v1/effort/").json()["results"] == []
    assert 'href="/effort/"' not in client_of("ana").get("/").content.decode()


def test_a_program_reads_its_own_weeks_and_nobody_elses(world: Cast, client_of: ClientOf) -> None:
    def read(who: str) -> list[int]:
        return [row["score"] for row in client_of(who).get("/api/v1/effort/").json()["results"]]

    assert read("ana") == [MARKED]
    assert read("alba") == [61_20]
    assert read("max") == [], "a manager's look by a program would not be seen"
    assert read("elsa") == []
    assert client_of("norm").get("/api/v1/effort/").status_code == 403
    row = client_of("ana").get("/api/v1/effort/").json()["results"][0]
    assert (row["week_on"], row["version"], row["parts"][0][:2]) == (str(LAST_WEEK), 1, ["call", 30])


def test_ones_own_file_has_everything_and_nothing_of_others(world: Cast, client_of: ClientOf) -> None:
    client_of("max").get(reverse("effort:effort_person", args=[world.ana.pk]))
    EffortContest.objects.create(person=world.ana, on=LAST_WEEK, reason="I was at a fair", asked_at=NOW)
    response = client_of("ana").get(reverse("effort:effort_export"))
    text = b"".join(response).decode()
    assert text.count("\n") == 1 + 1 + 2 + 1 + 1, "heading, score, two parts, doubt, look"
    for part in ("47.3", "I was at a fair", "Max Manager"):
        assert part in text
    assert "61.2" not in text
    assert AuditEntry.objects.get(action="export.downloaded").actor_name == "Ana Alvarez"


# --- Groups ---------------------------------------------------------------------------------------------------------


def crowd(cast: Cast, count: int, *, function: str = "sdr", pod: Any = None, since: int = 0) -> list[User]:
    """So many more people of a function with a score last week."""
    version = EffortScore.objects.all()[0].version
    entity = User.objects.get(pk=cast.ana.pk).legal_entity
    people = []
    for number in range(since, since + count):
        person = User.objects.create(email=f"crowd{number}@example.com", name=f"Crowd {number}", legal_entity=entity)
        FunctionAssignment.objects.create(person=person, function=function, start_on=SINCE)
        if pod is not None:
            PodMembership.objects.create(person=person, pod=pod, function=function, start_on=SINCE)
        score_of(person, LAST_WEEK, 50_00 + 100 * number, version, function=function)
        people.append(person)
    return people


def figures(client: Client) -> dict[str, list[str]]:
    """What the page of groups says of each."""
    found = {}
    response = client.get(f"{reverse('effort:group_report')}?week={LAST_WEEK}")
    for _heading, _code, rows in response.context["parts"]:
        for row, values in rows:
            found[row.name] = values
    html = response.content.decode()
    assert html.count("too few") == sum(1 for values in found.values() if not values)
    return found


def test_groups_under_the_minimum_show_too_few(world: Cast, client_of: ClientOf) -> None:
    crowd(world, 4)
    assert figures(client_of("elsa")) == {
        "AE · account executive": [],
        "North": [],
        "South": [],
        "SDR · sales development": [],
    }
    crowd(world, 1, since=4)
    found = figures(client_of("elsa"))
    assert found["SDR · sales development"] == ["52", "—", "51", "52", "53", "—"]
    assert found["AE · account executive"] == []


def test_groups_are_read_by_managers_revenue_operations_and_executives(world: Cast) -> None:
    """Not even that there are too few is told to anybody else, whichever way they ask."""
    assert group_rows_for(world.actor("elsa"), LAST_WEEK)
    for who in ("ana", "finn", "ada"):
        assert group_rows_for(world.actor(who), LAST_WEEK) == [], who


def test_a_stricter_entity_makes_it_stricter(world: Cast, client_of: ClientOf) -> None:
    crowd(world, 5)
    assert figures(client_of("elsa"))["SDR · sales development"]
    EffortPolicy.objects.update(smallest_group=6)
    assert not figures(client_of("elsa"))["SDR · sales development"]


def test_a_pod_that_differs_from_a_function_by_one_is_not_shown(world: Cast, client_of: ClientOf) -> None:
    crowd(world, 6, pod=world.south)
    found = figures(client_of("elsa"))
    assert found["SDR · sales development"] == []
    assert found["South"], "six of the crowd and Alba; shown first, as the larger one"


def test_who_knows_some_of_a_group_is_not_told_of_the_rest(world: Cast, client_of: ClientOf) -> None:
    people = crowd(world, 6)
    assert figures(client_of("max"))["SDR · sales development"]
    for person in people[:3]:
        ReportingLine.objects.create(person=person, manager=world.max, start_on=SINCE)
    assert figures(client_of("max"))["SDR · sales development"] == []
    assert figures(client_of("mia"))["SDR · sales development"]


def test_reading_groups_costs_the_same_for_many(
    world: Cast, client_of: ClientOf, django_assert_num_queries: Any
) -> None:
    actor = world.actor("elsa")
    crowd(world, 2)
    with django_assert_num_queries(5):
        group_rows_for(actor, LAST_WEEK)
    crowd(world, 10, since=2, pod=world.north)
    with django_assert_num_queries(5):
        group_rows_for(actor, LAST_WEEK)


# --- Other roads ----------------------------------------------------------------------------------------------------


def test_the_administration_shows_no_counts_scores_doubts_or_looks(cast: Cast) -> None:
    registered = {model._meta.label_lower for model in admin.site._registry}
    assert {name for name in registered if name.startswith("effort.")} == {
        "effort.effortversion",
        "effort.effortpolicy",
    }


def test_scores_cannot_be_sorted_or_filtered_by(world: Cast, client_of: ClientOf) -> None:
    version = EffortScore.objects.all()[0].version
    score_of(world.sam, LAST_WEEK, 90_00, version)
    score_of(world.sam, LAST_WEEK - timedelta(days=7), 10_00, version)
    client, url = client_of("max"), reverse("effort:effortscore_list")

    def order(query: str) -> list[int]:
        return [row.score for row in client.get(f"{url}?{query}").context["page"].rows]

    for query in ("sort=score", "sort=-score", "sort=band", "sort=-quality_bp"):
        assert order(query) == order(""), query
    assert len(order("band=low")) == 3


def test_a_person_who_changed_managers_is_seen_by_the_new_one(world: Cast, client_of: ClientOf) -> None:
    ReportingLine.objects.filter(person=world.ana).update(end_on=NOW.date())
    ReportingLine.objects.create(person=world.ana, manager=world.mia, start_on=NOW.date())
    url = reverse("effort:effort_person", args=[world.ana.pk])
    assert client_of("max").get(url).status_code == 404
    assert client_of("mia").get(url).status_code == 200
    assert looks() == [("Mia", "Ana", "page")]
