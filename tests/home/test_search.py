"""The menu and the search over all rooms: only what exists and what the actor may see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.core.actor import NOBODY
from salesops.deals.models import Deal, Stage
from salesops.home.navigation import ACTIONS, GROUPS, links_for
from salesops.home.selectors import MOST_HITS, find_records
from salesops.leads.models import Lead
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db
Clients = Callable[[str], Client]


@pytest.fixture
def records(cast: Cast) -> None:
    """The same words in both pods."""
    stage = Stage.objects.create(code="talk", name="Talk")
    for pod, owner, mark in ((cast.north, cast.ana, "north"), (cast.south, cast.alba, "south")):
        account = Account.objects.create(
            name=f"Globex {mark}", match_name=f"globex{mark}", created_at=NOW, owner=owner, pod=pod
        )
        Lead.objects.create(name=f"Hank {mark}", company="Globex", created_at=NOW, owner=owner, pod=pod)
        Deal.objects.create(
            name=f"Globex deal {mark}", account=account, stage=stage, created_at=NOW, owner=owner, pod=pod
        )


def labels(cast: Cast, name: str, text: str) -> set[str]:
    """What somebody finds."""
    return {hit.label for group in find_records(cast.actor(name), text) for hit in group.hits}


def test_everybody_finds_only_what_they_see(cast: Cast, records: None) -> None:
    for hit in labels(cast, "ana", "globex"):
        assert "south" not in hit
    for hit in labels(cast, "alba", "globex"):
        assert "north" not in hit
    assert labels(cast, "norm", "globex") == set()
    assert labels(cast, "elsa", "globex") == set()
    assert find_records(NOBODY, "globex") == []


def test_every_word_must_be_found(cast: Cast, records: None) -> None:
    assert labels(cast, "rita", "deal globex south") <= {"Globex deal south"}
    assert labels(cast, "rita", "globex zebra") == set()


@pytest.mark.parametrize("text", ["", "a", " ", "\x00", "%", "_"])
def test_too_little_finds_nothing(cast: Cast, records: None, text: str) -> None:
    assert find_records(cast.actor("rita"), text) == []


def test_a_search_is_bounded_in_rows_and_queries(cast: Cast, records: None) -> None:
    Account.objects.bulk_create(
        Account(name=f"Globex {n}", match_name=f"g{n}", created_at=NOW) for n in range(3 * MOST_HITS)
    )
    actor = cast.actor("rita")
    with CaptureQueriesContext(connection) as captured:
        found = find_records(actor, "globex")
    assert len(captured) <= 5
    assert all(len(group.hits) <= MOST_HITS for group in found)
    assert all("LIMIT 5" in query["sql"] for query in captured)


def test_the_palette_escapes_what_it_finds(client_of: Clients, cast: Cast) -> None:
    Account.objects.create(
        name="<script>x</script> Globex", match_name="x", created_at=NOW, owner=cast.ana, pod=cast.north
    )
    text = client_of("ana").get("/search/?q=globex").content.decode()
    assert "<script>" not in text
    assert client_of("ana").get("/search/", {"q": "x" * 5000}).status_code == 200


def test_the_palette_offers_pages_and_actions_by_their_words(client_of: Clients) -> None:
    text = client_of("ana").get("/search/?q=home").content.decode()
    assert 'role="option"' in text
    assert 'href="/"' in text
    assert client_of("ana").get("/search/?q=zzzzz").content.decode().strip() == ""


def test_the_menu_leads_only_where_the_roles_may_go(cast: Cast) -> None:
    entries = tuple(entry for group in GROUPS for entry in group.entries)
    of = {name: {link.url for link in links_for(cast.actor(name), entries)} for name in ("ana", "rita", "norm", "ada")}
    assert "/admin/" in of["ada"]
    assert all("/admin/" not in of[name] for name in ("ana", "rita", "norm"))
    assert of["norm"] <= of["ana"] | of["rita"]
    assert links_for(cast.actor("norm"), ACTIONS) == []


def test_anonymous_visitors_get_no_search() -> None:
    answer = Client().get("/search/?q=globex")
    assert answer.status_code == 302
    assert "login" in answer.headers["Location"]
