"""Walks the access matrix: every address has a row, and every role gets exactly the answer stated."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from salesops.pods.selectors import actor_for
from tests.access_matrix import OPEN, ROWS, WHO, Row
from tests.cast import NOW, Cast
from tests.scene import Scene

#: Address books of others: they bring their own tests, ours are in tests/people and tests/architecture/test_admin.py.
FOREIGN = {"admin", "account", "i18n", "mfa", "socialaccount", "usersessions"}


def own_names(resolver: URLResolver | None = None, space: str = "") -> Iterator[str]:
    """All URL names of the portal's own rooms, with their name space."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            inner = entry.namespace or entry.app_name
            if inner in FOREIGN or str(entry.pattern) in {"account/", "i18n/"}:
                continue
            yield from own_names(entry, f"{space}{inner}:" if inner else space)
        elif isinstance(entry, URLPattern):
            yield f"{space}{entry.name}"


def test_every_address_has_a_row() -> None:
    names = set(own_names())
    rows = {row.name for row in ROWS} | OPEN
    assert names - rows == set(), "addresses without a row in tests/access_matrix.py"
    assert rows - names == set(), "rows for addresses that are gone"


ROOMS = sorted({row.name.split(":")[0] for row in ROWS})
POSTS = [row for row in ROWS if row.method == "POST"]


def answers(row: Row, scene: Scene, clients: dict[str, Client]) -> dict[str, int]:
    """What each person gets."""
    url = reverse(row.name, kwargs=row.kwargs(scene))
    found = {}
    for who, client in clients.items():
        response = client.get(url, row.data(scene)) if row.method == "GET" else client.post(url, row.data(scene))
        found[who] = response.status_code
    return found


def expected(row: Row) -> dict[str, int]:
    """What each person should get."""
    return {who: row.status_for(who) for who in WHO}


@pytest.mark.parametrize("room", ROOMS)
def test_each_role_gets_its_answer(room: str, scene: Scene, client_of: Callable[[str], Client]) -> None:
    clients = {who: client_of(person) for who, person in WHO.items()}
    rows = [row for row in ROWS if row.name.startswith(f"{room}:") and row.method == "GET"]
    wrong = {
        row.name: {who: (got, want[who]) for who, got in answers(row, scene, clients).items() if got != want[who]}
        for row in rows
        if (want := expected(row))
    }
    assert {name: differing for name, differing in wrong.items() if differing} == {}


@pytest.mark.parametrize("row", POSTS, ids=lambda row: row.name)
def test_posts_are_for_the_same_people(row: Row, scene: Scene, client_of: Callable[[str], Client]) -> None:
    clients = {who: client_of(person) for who, person in WHO.items()}
    found = {}
    for who, client in clients.items():
        # Each asks on its own: what one did is undone before the next.
        with transaction.atomic():
            found |= answers(row, scene, {who: client})
            transaction.set_rollback(True)
    assert found == expected(row)


def test_strangers_are_asked_to_log_in(scene: Scene) -> None:
    answered = []
    for row in ROWS:
        url = reverse(row.name, kwargs=row.kwargs(scene))
        response = Client().get(url) if row.method == "GET" else Client().post(url)
        if url.startswith("/api/") and row.name != "api:docs":  # which is a page for people
            is_asked = response.status_code in (401, 403)  # a program is told, not sent to a page
        else:
            is_asked = response.status_code == 302 and response.headers["Location"].startswith("/account/login/")
        if not is_asked:
            answered.append((row.method, row.name, response.status_code))
    assert answered == []


def test_the_cast_is_who_the_matrix_thinks(cast: Cast) -> None:
    assert actor_for(cast.ana, at=NOW).pod_ids == {cast.north.pk}
    assert cast.ana.pk in actor_for(cast.max, at=NOW).tree_ids
    assert cast.ana.pk not in actor_for(cast.mia, at=NOW).tree_ids
    assert actor_for(cast.norm, at=NOW).roles == frozenset()
