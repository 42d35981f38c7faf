"""Ids of rows that one cannot see, posted to every address that takes an id: not found, and not a byte changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import resolve, reverse

from salesops.audit.models import AuditEntry
from tests.access_matrix import ROWS, WHO, Row
from tests.scene import Scene


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the portal."""
    ours = [model for model in apps.get_models() if model.__module__.startswith("salesops.")]
    return {model._meta.label: list(model._base_manager.order_by("pk").values_list()) for model in ours}


def noun_of(row: Row) -> str:
    """What the id of an address names: "deals:deal_move" and "deals:deal_place" both take a deal."""
    room, _colon, name = row.name.partition(":")
    noun = name.replace("-", "_").partition("_")[0]
    return f"{room}:{'activity' if noun == 'task' else noun}"


def addresses(scene: Scene) -> Iterator[tuple[str, Row, str]]:
    """Every address that takes an id, once: its URL, a row of the matrix, what the id names."""
    seen = set()
    for row in ROWS:
        kwargs = row.kwargs(scene)
        if kwargs and row.name not in seen:
            seen.add(row.name)
            yield reverse(row.name, kwargs=kwargs), row, f"{noun_of(row)} {kwargs}"


def plausible(scene: Scene) -> dict[str, Any]:
    """Values for the fields of most forms, so that a form that is reached has something to do."""
    return {
        "name": "Taken over",
        "subject": "Taken over",
        "kind": "task",
        "stage": scene.deal.stage_id,
        "status": "working",
        "owner": scene.cast.alba.pk,
        "person": scene.cast.alba.pk,
        "version": 1,
        "amount": "1",
        "amount_minor": 1,
        "note": "mine",
        "reason": "mine",
        "do": "columns",
        "columns": "",
    }


def methods_of(url: str) -> list[str]:
    """The methods by which an address changes something."""
    view = resolve(url).func
    if url.startswith("/api/"):
        return [method for method in getattr(view, "actions", {}) if method not in {"get", "head"}]
    return ["post"] if hasattr(getattr(view, "view_class", None), "post") else []


@pytest.mark.parametrize("who", WHO)
def test_what_one_cannot_see_cannot_be_posted_to(who: str, scene: Scene, client_of: Callable[[str], Client]) -> None:
    """Where the matrix says 404 (or 403, for pages of other roles) for looking, acting gets the same."""
    client = client_of(WHO[who])
    found = list(addresses(scene))
    # An address that only takes posts says nothing when looked at: there the page of the same row speaks.
    unseen = {row_id for _url, row, row_id in found if row.method == "GET" and row.status_for(who) == 404}
    before, wrong, asked = everything(), {}, 0
    entries = AuditEntry.objects.count()
    for url, row, row_id in found:
        expected = 404 if row_id in unseen and row.status_for(who) in (404, 405) else row.status_for(who)
        if expected not in (403, 404):
            continue
        for method in methods_of(url):
            kind = "application/json" if url.startswith("/api/") else None
            more = {"content_type": kind} if kind else {}
            answer = getattr(client, method)(url, plausible(scene), **more).status_code
            asked += 1
            if answer != expected or AuditEntry.objects.count() != entries:
                wrong[f"{method} {row.name}"] = (answer, expected)
    assert wrong == {}
    assert asked >= ASKED[who]
    assert everything() == before


#: At least so many addresses are asked, so that the walk cannot become empty unnoticed.
ASKED = {"rep": 43, "other": 74, "manager": 41, "revops": 12, "finance": 56, "executive": 72, "admin": 6, "norole": 74}

#: Forms that make something about a row, with the fields that name the row: nobody may name one that is not theirs.
NAMING: list[tuple[str, dict[str, Any], str, str]] = [
    ("accounts:contact_create", {"name": "Mine"}, "account", "account"),
    ("accounts:account_create", {"name": "Mine", "currency": "USD", "status": "prospect"}, "parent", "account"),
    ("deals:deal_create", {"name": "Mine", "amount_minor": "1", "currency": "USD"}, "account", "account"),
    ("api:contact-list", {"name": "Mine"}, "account", "account"),
    ("api:account-list", {"name": "Mine"}, "parent", "account"),
    ("api:deal-list", {"name": "Mine", "amount_minor": 1, "currency": "USD"}, "account", "account"),
    *(
        ("api:activity-list", {"kind": "note", "subject": "Mine"}, noun, noun)
        for noun in ("account", "contact", "deal", "lead")
    ),
]


@pytest.mark.parametrize(
    ("name", "data", "field", "noun"), NAMING, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_one_cannot_see_cannot_be_named_in_a_form(
    name: str, data: dict[str, Any], field: str, noun: str, scene: Scene, client_of: Callable[[str], Client]
) -> None:
    """Alba names Ana's row in a new row of her own: that field is refused as if there were no such row."""
    alba, url, before = client_of("alba"), reverse(name), everything()
    theirs = getattr(scene, noun).pk
    for key in (theirs, 999_999):
        if name.startswith("api:"):
            response = alba.post(url, {**data, field: key}, content_type="application/json")
            assert response.status_code == 400
            assert list(response.json()) == [field]
            said = str(response.json()[field]).replace(str(key), "…")
        else:
            response = alba.post(url, {**data, field: key})
            assert response.status_code == 422
            assert field in response.context["form"].errors
            said = str(response.context["form"].errors[field]).replace(f"“{key}”", "…")
        if key == theirs:
            told = said
    assert said == told
    assert everything() == before


BULK = [row for row in ROWS if "_bulk_" in row.name or row.name == "commissions:statement_approve"]


@pytest.mark.parametrize("row", BULK, ids=lambda row: row.name)
def test_what_one_cannot_see_cannot_be_chosen_among_many(
    row: Row, scene: Scene, client_of: Callable[[str], Client]
) -> None:
    """Everybody who may use the page, with the ids of rows that they do not see: nothing is chosen."""
    noun = row.name.partition(":")[2].partition("_")[0]
    page = f"{row.name.partition(':')[0]}:{noun}_list"
    clients = {who: client_of(person) for who, person in WHO.items() if row.status_for(who) == 302}
    before = everything()
    for who, client in clients.items():
        unseen = getattr(scene, noun).pk if who == "other" else 999_999
        for step in ("", "preview", "apply"):
            response = client.post(
                reverse(row.name), {**plausible(scene), "pk": [unseen], "step": step, "fingerprint": "x"}
            )
            assert (response.status_code, response.headers["Location"]) == (302, reverse(page))
    assert everything() == before
