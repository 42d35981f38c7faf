"""Walks the access matrix: every address has a row, and every role gets exactly the answer stated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from salesops.pods.selectors import actor_for
from tests.access_matrix import OPEN, ROWS, WHO, Row
from tests.cast import NOW, Cast
from tests.scene import Scene, make_scene

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


@pytest.fixture
def scene(cast: Cast, frozen: Any) -> Scene:
    return make_scene(cast)


def label(row: Row) -> str:
    return f"{row.method}-{row.name}"


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_each_role_gets_its_answer(row: Row, scene: Scene, client_of: Callable[[str], Client]) -> None:
    url = reverse(row.name, kwargs=row.kwargs(scene))
    got, expected = {}, {}
    for who, person in WHO.items():
        client = client_of(person)
        response = client.get(url, row.data(scene)) if row.method == "GET" else client.post(url, row.data(scene))
        got[who], expected[who] = response.status_code, row.status_for(who)
    assert got == expected


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_strangers_are_asked_to_log_in(row: Row, scene: Scene) -> None:
    url = reverse(row.name, kwargs=row.kwargs(scene))
    response = Client().get(url) if row.method == "GET" else Client().post(url)
    is_api = url.startswith("/api/")
    assert response.status_code in ({401, 403} if is_api else {302}), url
    if not is_api:
        assert response.headers["Location"].startswith("/account/login/")


def test_the_cast_is_who_the_matrix_thinks(cast: Cast) -> None:
    assert actor_for(cast.ana, at=NOW).pod_ids == {cast.north.pk}
    assert cast.ana.pk in actor_for(cast.max, at=NOW).tree_ids
    assert cast.ana.pk not in actor_for(cast.mia, at=NOW).tree_ids
    assert actor_for(cast.norm, at=NOW).roles == frozenset()
