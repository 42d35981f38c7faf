"""Saved views: one's own and shared ones, never those of others; the view a page opens with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from salesops.core.models import ListPreference, SavedView
from salesops.deals.models import Deal
from tests.cast import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.pages")]
Makes = Callable[..., list[Deal]]
Clients = Callable[[str], Client]
LIST = "/sample/deals/"
PAGE = "sample:deal_list"


def save(client: Client, name: str, query: str = "kind=open&sort=-amount", **more: str) -> SavedView:
    """Save what an address shows."""
    client.post(f"{LIST}?{query}", {"do": "save_view", "name": name, **more})
    return SavedView.objects.get(name=name)


def test_a_view_keeps_filter_order_and_columns_but_not_the_page(client_of: Clients, cast: Cast) -> None:
    view = save(client_of("ana"), "Mine", "sort=-amount&kind=won&kind=open&cols=name,owner&page=3&per=25&junk=1&q=")
    assert view.query == "cols=name%2Cowner&kind=open&kind=won&sort=-amount"
    assert (view.owner_id, view.page, view.is_shared) == (cast.ana.pk, PAGE, False)


def test_a_view_is_seen_by_its_owner_only_until_it_is_shared(client_of: Clients) -> None:
    ana, sam = client_of("ana"), client_of("sam")
    save(ana, "Private plans")
    assert "Private plans" in ana.get(f"{LIST}?view=").content.decode()
    assert "Private plans" not in sam.get(f"{LIST}?view=").content.decode()
    save(ana, "Private plans", is_shared="on")
    assert SavedView.objects.count() == 1
    assert "Private plans" in sam.get(f"{LIST}?view=").content.decode()


def test_only_the_owner_removes_a_view(client_of: Clients) -> None:
    view = save(client_of("ana"), "Shared", is_shared="on")
    assert client_of("sam").post(LIST, {"do": "delete_view", "pk": view.pk}).status_code == 404
    assert SavedView.objects.filter(pk=view.pk).exists()
    assert client_of("ana").post(LIST, {"do": "delete_view", "pk": "x"}).status_code == 404
    client_of("ana").post(LIST, {"do": "delete_view", "pk": view.pk})
    assert not SavedView.objects.exists()


def test_a_view_of_another_page_cannot_be_reached_from_this_one(client_of: Clients, cast: Cast) -> None:
    other = SavedView.objects.create(owner_id=cast.ana.pk, page="leads:lead_list", name="Leads", query="")
    client = client_of("ana")
    assert client.post(LIST, {"do": "delete_view", "pk": other.pk}).status_code == 404
    assert client.post(LIST, {"do": "open_with", "pk": other.pk}).status_code == 404
    assert "Leads" not in client.get(f"{LIST}?view=").context["saved_views"]


def test_a_page_opens_with_the_view_chosen_and_all_rows_stay_reachable(client_of: Clients, deals: Makes) -> None:
    deals(1)
    client = client_of("ana")
    view = save(client, "Won", "kind=won")
    client.post(f"{LIST}?kind=won&view={view.pk}", {"do": "open_with", "pk": view.pk})
    answer = client.get(LIST)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}?kind=won&view={view.pk}")
    assert client.get(answer.headers["Location"]).context["page"].count == 0
    assert client.get(f"{LIST}?view=").context["page"].count == 1
    client.post(LIST, {"do": "open_with", "pk": ""})
    assert client.get(LIST).status_code == 200


def test_a_shared_view_that_is_no_longer_shared_opens_nothing_for_others(client_of: Clients, cast: Cast) -> None:
    view = save(client_of("ana"), "Ours", "kind=won", is_shared="on")
    sam = client_of("sam")
    sam.post(LIST, {"do": "open_with", "pk": view.pk})
    assert sam.get(LIST).status_code == 302
    SavedView.objects.update(is_shared=False)
    assert sam.get(LIST).status_code == 200
    view.delete()
    assert ListPreference.objects.get(owner_id=cast.sam.pk).opening_view is None


def test_a_private_view_of_another_cannot_be_opened_with(client_of: Clients, cast: Cast) -> None:
    view = save(client_of("ana"), "Hidden")
    assert client_of("sam").post(LIST, {"do": "open_with", "pk": view.pk}).status_code == 404
    assert not ListPreference.objects.filter(owner_id=cast.sam.pk).exists()


def test_a_changed_view_says_so(client_of: Clients) -> None:
    client = client_of("ana")
    view = save(client, "Open ones", "kind=open")
    assert client.get(f"{LIST}?kind=open&view={view.pk}").context["is_view_changed"] is False
    assert client.get(f"{LIST}?kind=won&view={view.pk}").context["is_view_changed"] is True


def test_a_view_needs_a_name(client_of: Clients) -> None:
    client_of("ana").post(LIST, {"do": "save_view", "name": "  "})
    assert SavedView.objects.count() == 0
