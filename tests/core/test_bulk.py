"""Doing something to many rows: only those that are meant and seen, after a preview that still holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from salesops.core.views import bulk
from salesops.deals.models import Deal
from tests.cast import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.pages")]
Makes = Callable[..., list[Deal]]
Clients = Callable[[str], Client]
URL = "/sample/deals/rename/"


def fingerprint(answer: Any) -> str:
    """What binds the preview to its rows."""
    found = re.search(r'name="fingerprint" value="([0-9a-f]+)"', answer.content.decode())
    assert found
    return found[1]


def renamed() -> int:
    """How many deals were renamed."""
    return Deal.objects.filter(name__endswith="!").count()


def test_chosen_rows_are_previewed_then_changed(client_of: Clients, deals: Makes) -> None:
    made, client = deals(3), client_of("ana")
    given = {"pk": [made[0].pk, made[2].pk], "ending": "!"}
    assert "Rename deals" in client.post(URL, {"pk": given["pk"]}).content.decode()
    preview = client.post(URL, {**given, "step": "preview"})
    assert "Deal 00001!" in preview.content.decode()
    assert "Deal 00002!" not in preview.content.decode()
    assert renamed() == 0
    client.post(URL, {**given, "step": "apply", "fingerprint": fingerprint(preview)})
    assert sorted(Deal.objects.filter(name__endswith="!").values_list("name", flat=True)) == [
        "Deal 00001!",
        "Deal 00003!",
    ]


def test_all_matching_rows_means_those_of_the_filter(client_of: Clients, cast: Cast, deals: Makes) -> None:
    deals(60)
    deals(2, name="Other")
    deals(2, owner=cast.alba, pod=cast.south)
    client = client_of("ana")
    preview = client.post(f"{URL}?q=deal", {"all": "1", "ending": "!", "step": "preview"})
    assert preview.context["count"] == 60
    client.post(f"{URL}?q=deal", {"all": "1", "ending": "!", "step": "apply", "fingerprint": fingerprint(preview)})
    assert renamed() == 60
    assert not Deal.objects.filter(name__startswith="Other", name__endswith="!").exists()


def test_rows_that_are_not_seen_cannot_be_chosen(client_of: Clients, cast: Cast, deals: Makes) -> None:
    made = deals(1, owner=cast.alba, pod=cast.south)
    answer = client_of("ana").post(URL, {"pk": [made[0].pk], "ending": "!", "step": "preview"})
    assert answer.status_code == 302
    assert renamed() == 0


def test_a_filter_that_cannot_be_read_means_no_row(client_of: Clients, deals: Makes) -> None:
    deals(2)
    answer = client_of("ana").post(f"{URL}?amount_min=lots", {"all": "1", "ending": "!", "step": "preview"})
    assert answer.status_code == 302
    assert renamed() == 0


def test_rows_that_came_since_the_preview_are_shown_again_first(client_of: Clients, deals: Makes) -> None:
    deals(2)
    client, given = client_of("ana"), {"all": "1", "ending": "!"}
    preview = client.post(URL, {**given, "step": "preview"})
    deals(1)
    answer = client.post(URL, {**given, "step": "apply", "fingerprint": fingerprint(preview)})
    assert "The rows changed since the preview" in answer.content.decode()
    assert "Deal 00003!" in answer.content.decode()
    assert renamed() == 0
    client.post(URL, {**given, "step": "apply", "fingerprint": fingerprint(answer)})
    assert renamed() == 3


def test_nothing_is_applied_without_a_preview_or_with_a_wrong_form(client_of: Clients, deals: Makes) -> None:
    made, client = deals(1), client_of("ana")
    client.post(URL, {"pk": [made[0].pk], "ending": "!", "step": "apply"})
    client.post(URL, {"pk": [made[0].pk], "ending": "!", "step": "apply", "fingerprint": "0" * 32})
    wrong = client.post(URL, {"pk": [made[0].pk], "ending": "", "step": "preview"})
    assert wrong.status_code == 422
    assert renamed() == 0
    assert client.get(URL).status_code == 302


def test_too_many_rows_are_refused(client_of: Clients, deals: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_ROWS", 2)
    deals(3)
    answer = client_of("ana").post(URL, {"all": "1", "ending": "!", "step": "preview"}, follow=True)
    assert "More than 2 rows are chosen" in answer.content.decode()
    assert renamed() == 0
