"""List pages: what they cost, count, total, sort, page and show to whom."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.core.models import ListPreference
from salesops.core.views import lists
from salesops.deals.models import Deal
from tests.cast import NOW, TODAY, Cast

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.pages")]
Makes = Callable[..., list[Deal]]
Clients = Callable[[str], Client]
LIST = "/sample/deals/"


def names(answer: object) -> list[str]:
    """The names in the first column, in order."""
    return re.findall(r'cell-first"><a href="[^"]+">([^<]+)</a>', answer.content.decode())  # type: ignore[attr-defined]


def queries(client: Client, url: str, **headers: str) -> int:
    """How many queries a page takes."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, headers=headers).status_code == 200
    return len(captured)


def test_a_list_costs_the_same_queries_for_3_rows_and_for_3000(
    client_of: Clients, cast: Cast, deals: Makes, account: Account
) -> None:
    client = client_of("ana")
    url = f"{LIST}?per=200&q=deal&sort=account&cols=name,account,stage,amount,owner,expected_close_on,closed_on,created_at"
    deals(3, account=account, expected_close_on=TODAY)
    client.get(LIST)  # the first page of a session writes the session down
    few, few_sorted = queries(client, f"{LIST}?per=200&q=deal"), queries(client, url)
    deals(2997, account=account, expected_close_on=TODAY)
    assert Deal.objects.count() == 3000
    assert queries(client, f"{LIST}?per=200&q=deal") == few
    assert queries(client, url) <= few_sorted  # a page full of rows with a value need not ask for those without
    assert few_sorted <= few + 1 <= 20


def test_a_part_of_the_page_costs_no_more_than_the_page(client_of: Clients, deals: Makes) -> None:
    client = client_of("ana")
    deals(3)
    client.get(LIST)
    whole = queries(client, LIST)
    part = queries(client, LIST, **{"HX-Request": "true", "HX-Target": "list"})
    assert part <= whole


def test_totals_are_of_all_matching_rows_not_of_the_page(client_of: Clients, deals: Makes) -> None:
    deals(70, amount_minor=101)
    deals(5, amount_minor=1_000_000, currency="EUR", name="Big")
    text = client_of("ana").get(f"{LIST}?part=totals&page=1&per=25").content.decode()
    assert "$70.70" in text
    assert "€50,000.00" in text
    filtered = client_of("ana").get(f"{LIST}?part=totals&q=big").content.decode()
    assert "€50,000.00" in filtered
    assert "$" not in filtered


def test_the_count_is_exact_up_to_the_bound_and_then_says_so(
    client_of: Clients, deals: Makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    deals(10_000)
    client = client_of("ana")
    assert "1–50 of 10,000" in client.get(LIST).content.decode()
    deals(1)
    text = client.get(LIST).content.decode()
    assert "1–50 of 10,000+" in text
    assert "Select all" not in text or "10,000+" in text
    with CaptureQueriesContext(connection) as captured:
        client.get(LIST)
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"] and "deals_deal" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 10001" in counts[0]


def test_no_page_reaches_beyond_the_depth(client_of: Clients, deals: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "COUNT_BOUND", 100)
    monkeypatch.setattr(lists, "DEPTH_BOUND", 100)
    deals(130)
    answer = client_of("ana").get(f"{LIST}?per=25&page=99999999999")
    assert answer.context["page"].number == 4
    assert len(answer.context["page"].rows) == 25
    assert answer.context["page"].is_bounded
    assert "reached by a filter" in answer.content.decode()
    assert client_of("ana").get(f"{LIST}?page=-3").context["page"].number == 1
    assert client_of("ana").get(f"{LIST}?page=x²").context["page"].number == 1


@pytest.mark.parametrize("sign", ["", "-"])
def test_rows_without_a_value_come_last_in_both_directions_and_ties_go_by_key(
    client_of: Clients, deals: Makes, sign: str
) -> None:
    for days in (3, None, 1, 1, None, 2):
        deals(1, expected_close_on=None if days is None else date(2026, 7, days))
    found = names(client_of("ana").get(f"{LIST}?sort={sign}expected_close_on"))
    order = ["Deal 00003", "Deal 00004", "Deal 00006", "Deal 00001"]
    empty = ["Deal 00002", "Deal 00005"]
    assert found == (order + empty if sign == "" else order[::-1] + empty[::-1])


def test_pages_join_without_a_gap_across_rows_with_and_without_a_value(client_of: Clients, deals: Makes) -> None:
    deals(33, expected_close_on=TODAY)
    deals(40)
    client = client_of("ana")
    found = [
        name for page in (1, 2, 3) for name in names(client.get(f"{LIST}?sort=-expected_close_on&per=25&page={page}"))
    ]
    expected = [f"Deal {n:05}" for n in range(33, 0, -1)] + [f"Deal {n:05}" for n in range(73, 33, -1)]
    assert found == expected


def test_sorting_by_a_related_name_keeps_rows_without_one(client_of: Clients, deals: Makes, account: Account) -> None:
    other = Account.objects.create(name="Zeta", match_name="zeta", created_at=NOW)
    deals(1)
    deals(1, account=other)
    deals(1, account=account)
    assert names(client_of("ana").get(f"{LIST}?sort=account")) == ["Deal 00003", "Deal 00002", "Deal 00001"]
    assert names(client_of("ana").get(f"{LIST}?sort=-account")) == ["Deal 00002", "Deal 00003", "Deal 00001"]


def test_sorting_by_what_is_no_column_is_ignored(client_of: Clients, deals: Makes) -> None:
    deals(2)
    for wanted in ("owner__password", "pk", "-", "name;drop", "note__account"):
        assert client_of("ana").get(f"{LIST}?sort={wanted}").context["sort"] == ""


def test_nobody_sees_counts_or_totals_of_what_is_not_theirs(client_of: Clients, cast: Cast, deals: Makes) -> None:
    deals(2, amount_minor=100)
    deals(3, amount_minor=777_00, owner=cast.alba, pod=cast.south, name="Secret")
    client = client_of("ana")
    page = client.get(LIST).content.decode()
    assert "Secret" not in page
    assert "1–2 of 2" in page
    assert "$2.00" in client.get(f"{LIST}?part=totals").content.decode()
    assert client.get(f"{LIST}?q=secret").context["page"].count == 0
    assert client_of("norm").get(LIST).context["page"].count == 0
    assert client_of("rita").get(LIST).context["page"].count == 5


def test_empty_lists_tell_nothing_yet_from_nothing_matches(client_of: Clients, deals: Makes) -> None:
    client = client_of("ana")
    assert "No deals yet" in client.get(LIST).content.decode()
    deals(1)
    text = client.get(f"{LIST}?q=zebra").content.decode()
    assert "Nothing matches" in text
    assert "No deals yet" not in text


def test_htmx_gets_the_part_it_asks_for_and_a_clean_address(client_of: Clients, deals: Makes) -> None:
    deals(2)
    client = client_of("ana")
    answer = client.get(
        f"{LIST}?q=deal&amount_min=&kind=&page=1&sort=-amount", headers={"HX-Request": "true", "HX-Target": "list"}
    )
    text = answer.content.decode()
    assert "<html" not in text
    assert text.lstrip().startswith('<div id="list"')
    assert 'id="list-state"' in text
    assert answer.headers["HX-Push-Url"] == f"{LIST}?q=deal&sort=-amount"
    assert "HX-Target" in answer.headers["Vary"]
    again = client.get(LIST, headers={"HX-Request": "true", "HX-Target": "list", "HX-History-Restore-Request": "true"})
    assert "<html" in again.content.decode()


def test_columns_and_rows_a_page_are_kept_for_each_person(client_of: Clients, cast: Cast, deals: Makes) -> None:
    deals(30)
    ana, sam = client_of("ana"), client_of("sam")
    ana.post(LIST, {"do": "columns", "column": ["note", "amount", "nonsense"], "per": "25"})
    assert ana.get(LIST).context["table"].shown == ["name", "note", "amount"]
    assert len(ana.get(LIST).context["page"].rows) == 25
    assert len(sam.get(LIST).context["page"].rows) == 30
    assert "note" not in sam.get(LIST).context["table"].shown
    assert ana.get(f"{LIST}?cols=owner&per=200").context["table"].shown == ["name", "owner"]
    ana.post(LIST, {"do": "columns", "column": ["note"], "per": "7", "reset": "1"})
    assert len(ana.get(LIST).context["page"].rows) == 30
    assert ListPreference.objects.get().owner_id == cast.ana.pk


def test_unknown_posts_change_nothing(client_of: Clients) -> None:
    assert client_of("ana").post(LIST, {"do": "drop"}).status_code == 400
    assert client_of("ana").post(LIST, {"do": "export", "form": "exe"}).status_code == 400
    assert ListPreference.objects.count() == 0


def test_looking_at_a_list_writes_nothing(client_of: Clients, deals: Makes) -> None:
    deals(2)
    client = client_of("ana")
    client.get(LIST)
    with CaptureQueriesContext(connection) as captured:
        client.get(f"{LIST}?view=1&sort=name&cols=note")
        client.get(f"{LIST}?part=totals")
    written = [query["sql"] for query in captured if query["sql"].split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert [sql for sql in written if "session" not in sql.lower()] == []


def test_rows_show_their_age_from_the_request(client_of: Clients, deals: Makes) -> None:
    deals(1, created_at=NOW - timedelta(days=3))
    assert "3 days ago" in client_of("ana").get(LIST).content.decode()


def test_a_long_list_is_not_sorted_by_what_no_index_leads(
    client_of: Clients, deals: Makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "COUNT_BOUND", 3)
    deals(4)
    client = client_of("ana")
    refused = client.get(f"{LIST}?sort=owner")
    assert names(refused) == ["Deal 00004", "Deal 00003", "Deal 00002", "Deal 00001"]
    assert "cannot be sorted by this column" in refused.content.decode()
    assert {header.name for header in refused.context["table"].headers if header.is_refused} == {
        "account",
        "stage",
        "owner",
    }
    assert "cannot be sorted" not in client.get(f"{LIST}?sort=amount").content.decode()
    narrowed = client.get(f"{LIST}?sort=owner&q=00001")
    assert "cannot be sorted" not in narrowed.content.decode()
    assert not any(header.is_refused for header in narrowed.context["table"].headers)


def test_filters_are_loaded_when_asked_for_and_kept_until_then(client_of: Clients, cast: Cast, deals: Makes) -> None:
    deals(1)
    client = client_of("ana")
    page = client.get(f"{LIST}?kind=open&owner={cast.ana.pk}&q=deal").content.decode()
    panel = page.split('id="list-panel-fields"')[1].split("</form>")[0]
    assert '<input type="hidden" name="kind" value="open">' in panel
    assert f'<input type="hidden" name="owner" value="{cast.ana.pk}">' in panel
    assert 'type="checkbox"' not in panel
    fields = client.get(f"{LIST}?kind=open&part=filters").content.decode()
    assert re.search(r'<input type="checkbox" name="kind" value="open"[^>]* checked', fields)
    assert "Ana Alvarez" in fields
    assert "<html" not in fields


@pytest.mark.parametrize("sign", ["", "-"])
def test_empty_texts_come_last_like_missing_values(client_of: Clients, deals: Makes, sign: str) -> None:
    for note in ("b", "", "a", ""):
        deals(1, note=note)
    found = names(client_of("ana").get(f"{LIST}?sort={sign}note&cols=note"))
    order = ["Deal 00003", "Deal 00001"]
    empty = ["Deal 00002", "Deal 00004"]
    assert found == (order + empty if sign == "" else order[::-1] + empty[::-1])
