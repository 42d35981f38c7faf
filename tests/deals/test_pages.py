"""The pages of deals: who sees what, what a form keeps, what is refused and stays as it was."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.core.models import SavedView
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.jobs.models import Job
from salesops.leads.models import Lead
from tests.cast import NOW, TODAY, Cast

MakeDeal = Callable[..., Deal]
LogIn = Callable[[str], Client]
DIALOG = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "dialog-body"}


def everything() -> list[Any]:
    """All rows of the room and the audit: equal before and after a refusal."""
    return [
        list(model.objects.order_by("pk").values()) for model in (Deal, DealLine, DealSplit, StageChange, AuditEntry)
    ]


def text_of(response: Any) -> str:
    """A page's text without tags, in single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def at(name: str, deal: Deal | None = None) -> str:
    return reverse(f"deals:{name}", kwargs={"pk": deal.pk} if deal else None)


# --- The list ------------------------------------------------------------------------------------------------------


def test_a_rep_lists_the_deals_of_their_pod(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    make_deal(name="Northern deal")
    make_deal(name="Southern deal", owner=cast.alba, pod=cast.south)
    page = text_of(client_of("ana").get(at("deal_list")))
    assert "Northern deal" in page
    assert "Southern deal" not in page


@pytest.mark.parametrize("name", ["elsa", "norm"])
def test_who_sees_no_deal_gets_no_page_of_them(name: str, client_of: LogIn, make_deal: MakeDeal) -> None:
    deal = make_deal()
    client = client_of(name)
    for url in (at("deal_list"), at("deal_board"), at("deal_detail", deal)):
        assert client.get(url).status_code == 403


def test_totals_are_of_all_matching_rows_by_currency(client_of: LogIn, make_deal: MakeDeal) -> None:
    for number in range(60):
        make_deal(name=f"Deal {number}", amount_minor=1_001)
    make_deal(name="Euro deal", amount_minor=5_000, currency="EUR")
    page = text_of(client_of("ana").get(at("deal_list"), {"part": "totals", "q": "deal"}))
    assert "€50.00 · $600.60" in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=gekko", {"By account", "Gekko by name"}),
        ("q=X-9", {"By id"}),
        ("kind=won", {"Won one"}),
        ("has_account=no", {"Gekko by name", "By id", "Won one", "Nobody's"}),
        ("owner=none", {"Nobody's"}),
        ("amount_min=5,000", {"By id"}),
        ("expected_from=2026-07-01&expected_until=2026-07-31", {"By account"}),
        ("closed=this_month", {"Won one"}),
    ],
)
def test_filters(
    query: str, names: set[str], client_of: LogIn, make_deal: MakeDeal, gekko: Account, cast: Cast
) -> None:
    make_deal(name="By account", account=gekko, expected_close_on=date(2026, 7, 31))
    make_deal(name="Gekko by name", expected_close_on=date(2026, 8, 1))
    make_deal(name="By id", external_id="x-9", amount_minor=500_000)
    make_deal(name="Won one", stage="won", closed_on=TODAY)
    make_deal(name="Nobody's", owner=None)
    page = client_of("ana").get(f"{at('deal_list')}?{query}").content.decode()
    found = {
        name.replace("&#x27;", "'") for name in re.findall(r'cell-first[^>]*><a href="/deals/\d+/">([^<]+)</a>', page)
    }
    assert found == names


def test_the_list_costs_the_same_for_3_and_300_rows(client_of: LogIn, make_deal: MakeDeal, gekko: Account) -> None:
    client = client_of("ana")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(at("deal_list"), {"per": "100"}).status_code == 200
        return len(queries)

    for _number in range(3):
        make_deal(account=gekko)
    cost()  # the first request marks the session
    few = cost()
    for _number in range(297):
        make_deal(account=gekko)
    assert cost() == few


# --- One deal ------------------------------------------------------------------------------------------------------


def test_a_deal_shows_its_facts_and_what_may_be_done(
    client_of: LogIn, make_deal: MakeDeal, gekko: Account, gtx: Product, cast: Cast
) -> None:
    deal = make_deal(account=gekko, amount_minor=964_200, opened_on=TODAY - timedelta(days=20), next_step="Send it")
    DealLine.objects.create(deal=deal, product=gtx, quantity="2", unit_price_minor=482_100, amount_minor=964_200)
    DealSplit.objects.create(deal=deal, person=cast.sam, share_bp=3_333, function="sdr")
    page = text_of(client_of("ana").get(at("deal_detail", deal)))
    for words in (
        "Gekko &amp; Co",
        "$9,642.00",
        "20 days",
        "Send it",
        "GTX Pro",
        "$4,821.00",
        "Sam Sorensen",
        "33.33 %",
    ):
        assert words in page
    assert "Reassign" in page
    reader = text_of(client_of("finn").get(at("deal_detail", deal)))
    assert "$9,642.00" in reader
    assert "Reassign" not in reader
    assert "Edit" not in reader


@pytest.mark.parametrize(
    "page", ["deal_detail", "deal_edit", "deal_move", "deal_reassign", "deal_lines", "deal_splits"]
)
def test_a_deal_of_the_other_pod_is_not_found(page: str, client_of: LogIn, make_deal: MakeDeal) -> None:
    deal = make_deal()
    assert client_of("alba").get(at(page, deal)).status_code == 404


@pytest.mark.parametrize(
    "page", ["deal_edit", "deal_move", "deal_reassign", "deal_lines", "deal_splits", "deal_create"]
)
def test_finance_reads_and_changes_nothing(page: str, client_of: LogIn, make_deal: MakeDeal) -> None:
    deal = make_deal()
    url = at(page, None if page == "deal_create" else deal)
    before = everything()
    assert client_of("finn").get(url).status_code == 403
    assert client_of("finn").post(url, {"name": "Mine", "version": "1"}).status_code == 403
    assert everything() == before


# --- Making and editing --------------------------------------------------------------------------------------------


def new_deal(stages: dict[str, Stage], **fields: Any) -> dict[str, Any]:
    return {
        "name": "Pilot",
        "amount_minor": "12,345.60",
        "currency": "USD",
        "stage": stages["prospecting"].pk,
        "owner": "",
        "form_key": str(uuid.uuid4()),
        **fields,
    }


def test_a_deal_is_made_once_however_often_the_form_is_sent(
    client_of: LogIn, cast: Cast, stages: dict[str, Stage], gekko: Account
) -> None:
    client = client_of("ana")
    data = new_deal(stages, account="gekko & co", owner=cast.sam.pk)
    first = client.post(at("deal_create"), data)
    second = client.post(at("deal_create"), data)
    deal = Deal.objects.get()
    assert first.headers["Location"] == second.headers["Location"] == at("deal_detail", deal)
    assert (deal.amount_minor, deal.account, deal.owner, deal.pod) == (1_234_560, gekko, cast.sam, cast.north)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"account": "Hooli"}, "There is no account called “Hooli”"),
        ({"name": ""}, "This field is required"),
        ({"amount_minor": "1.234"}, "too many decimals"),
        ({"amount_minor": "lots"}, "is not an amount"),
        ({"owner": "999999"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(
    fields: dict[str, Any], words: str, client_of: LogIn, stages: dict[str, Stage], hooli: Account
) -> None:
    response = client_of("ana").post(at("deal_create"), new_deal(stages, next_step="Keep me", **fields))
    assert response.status_code == 422
    assert words in response.content.decode()
    assert 'value="Keep me"' in response.content.decode()
    assert Deal.objects.count() == 0


def test_accounts_of_the_same_name_are_told_apart(
    client_of: LogIn, cast: Cast, stages: dict[str, Stage], gekko: Account, hooli: Account
) -> None:
    twin = Account.objects.create(name="Gekko & Co", match_name="gekko", owner=cast.ana, pod=cast.north, created_at=NOW)
    client = client_of("ana")
    offered = client.get(reverse("accounts:account_options"), {"account": "gek"}).content.decode()
    assert re.findall(r'value="([^"]+)"', offered) == [
        f"Gekko &amp; Co (#{gekko.pk})",
        f"Gekko &amp; Co (#{twin.pk})",
    ]
    assert (
        re.findall(
            r'value="([^"]+)"', client.get(reverse("accounts:account_options"), {"account": "hoo"}).content.decode()
        )
        == []
    )
    refused = client.post(at("deal_create"), new_deal(stages, account="Gekko & Co"))
    assert "Several accounts are called so" in refused.content.decode()
    client.post(at("deal_create"), new_deal(stages, account=f"Gekko & Co (#{twin.pk})"))
    assert Deal.objects.get().account == twin
    stolen = client.post(at("deal_create"), new_deal(stages, account=f"Hooli (#{hooli.pk})"))
    assert stolen.status_code == 422


def test_a_deal_out_of_a_lead_brings_what_is_known(
    client_of: LogIn, cast: Cast, stages: dict[str, Stage], gekko: Account
) -> None:
    lead = Lead.objects.create(
        name="Bud",
        company="Gekko",
        account=gekko,
        owner=cast.ana,
        pod=cast.north,
        estimated_minor=75_000,
        created_at=NOW,
    )
    client = client_of("ana")
    page = client.get(at("deal_create"), {"lead": lead.pk}).content.decode()
    assert 'value="Gekko"' in page
    assert 'value="750.00"' in page
    client.post(f"{at('deal_create')}?lead={lead.pk}", new_deal(stages))
    assert Deal.objects.get().lead == lead
    assert client_of("alba").get(at("deal_create"), {"lead": lead.pk}).status_code == 404


def edit_data(deal: Deal, **fields: Any) -> dict[str, Any]:
    return {
        "name": deal.name,
        "amount_minor": "1000.00",
        "currency": "USD",
        "version": deal.version,
        "form_key": str(uuid.uuid4()),
        **fields,
    }


def test_who_was_slower_sees_both_versions_and_may_save_again(client_of: LogIn, make_deal: MakeDeal) -> None:
    deal = make_deal(next_step="Call")
    stale = edit_data(deal, next_step="Mine", note="A long thought")
    client_of("max").post(at("deal_edit", deal), edit_data(deal, next_step="Theirs"))
    client = client_of("ana")
    response = client.post(at("deal_edit", deal), stale)
    page = response.content.decode()
    assert response.status_code == 409
    assert "Somebody else changed this deal" in page
    assert "A long thought" in page
    assert "you typed Mine, the deal has Theirs" in page
    deal.refresh_from_db()
    assert (deal.next_step, deal.note, deal.version) == ("Theirs", "", 2)
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    again = client.post(at("deal_edit", deal), {**stale, "version": version[1]})
    assert again.status_code == 302
    deal.refresh_from_db()
    assert (deal.next_step, deal.note, deal.version) == ("Mine", "A long thought", 3)


def test_another_account_takes_the_contact_away(
    client_of: LogIn, make_deal: MakeDeal, gekko: Account, cast: Cast
) -> None:
    contact = gekko.contacts.create(name="Bud", created_at=NOW)
    other = Account.objects.create(name="Initech", match_name="initech", owner=cast.ana, created_at=NOW)
    deal = make_deal(account=gekko, contact=contact)
    response = client_of("ana").post(at("deal_edit", deal), edit_data(deal, account="Initech", contact=contact.pk))
    assert response.status_code == 302
    deal.refresh_from_db()
    assert (deal.account, deal.contact) == (other, None)


def test_the_contact_is_a_link_for_whoever_may_open_it(
    client_of: LogIn, make_deal: MakeDeal, gekko: Account, cast: Cast
) -> None:
    contact = gekko.contacts.create(name="Bud", created_at=NOW)
    deal = make_deal(account=gekko, contact=contact)
    link = f'href="{reverse("accounts:contact_detail", kwargs={"pk": contact.pk})}"'
    ana = client_of("ana")
    assert ana.get(at("deal_detail", deal)).content.decode().count(link) == 2
    Account.objects.filter(pk=gekko.pk).update(owner=cast.sam, pod=cast.south)
    page = ana.get(at("deal_detail", deal)).content.decode()
    assert link not in page
    assert "<dd>Bud</dd>" in page


def test_the_amount_of_a_deal_with_lines_is_shown_but_not_typed(
    client_of: LogIn, make_deal: MakeDeal, gtx: Product
) -> None:
    deal = make_deal(amount_minor=1_234)
    DealLine.objects.create(deal=deal, product=gtx, quantity="1", unit_price_minor=1_234, amount_minor=1_234)
    client = client_of("ana")
    assert "The sum of the deal's lines." in client.get(at("deal_edit", deal)).content.decode()
    answer = client.post(at("deal_edit", deal), edit_data(deal, amount_minor="99", next_step="Call"))
    assert answer.status_code == 302
    deal.refresh_from_db()
    assert (deal.amount_minor, deal.next_step) == (1_234, "Call")


# --- Moving and the board ------------------------------------------------------------------------------------------


def test_a_dialog_asks_why_a_deal_was_lost(client_of: LogIn, make_deal: MakeDeal, stages: dict[str, Stage]) -> None:
    deal = make_deal()
    client = client_of("ana")
    url = f"{at('deal_move', deal)}?stage={stages['lost'].pk}&board=1"
    data = {"stage": stages["lost"].pk, "version": 1, "closed_on": "2026-06-16", "lost_because": ""}
    before = everything()
    refused = client.post(url, data, **DIALOG)
    assert refused.status_code == 422
    assert "Say why the deal was lost" in refused.content.decode()
    assert everything() == before
    done = client.post(url, {**data, "lost_because": "Too dear"}, **DIALOG)
    assert (done.status_code, json.loads(done.headers["HX-Trigger"])) == (204, {"deal-moved": {"pk": deal.pk}})
    assert "HX-Redirect" not in done.headers
    deal.refresh_from_db()
    assert (deal.kind, deal.closed_on, deal.lost_because) == ("lost", date(2026, 6, 16), "Too dear")


def test_the_board_adds_up_all_rows_and_shows_the_first(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    for number in range(30):
        make_deal(name=f"Deal {number}", amount_minor=100_10)
    make_deal(name="Theirs", owner=cast.alba, pod=cast.south)
    client = client_of("ana")
    page = client.get(at("deal_board")).content.decode()
    assert page.count("data-card=") == 25
    assert "30 open deals" in page
    assert "$3,003.00" in page
    assert "5 more" in page
    stage = Stage.objects.get(code="prospecting")
    more = client.get(at("deal_board"), {"part": "column", "stage_pk": stage.pk, "offset": 25}).content.decode()
    assert more.count("data-card=") == 5
    assert "more" not in text_of(client.get(at("deal_board"), {"part": "column", "stage_pk": stage.pk, "offset": 25}))
    filtered = client.get(at("deal_board"), {"q": "Deal 29"}).content.decode()
    assert filtered.count("data-card=") == 1
    assert "1 open deal" in filtered


def test_list_and_board_share_saved_views(client_of: LogIn, cast: Cast, stages: dict[str, Stage]) -> None:
    client = client_of("ana")
    client.post(f"{at('deal_board')}?kind=open", {"do": "save_view", "name": "Open ones"})
    assert SavedView.objects.get().page == "deals:deal_list"
    assert "Open ones" in client.get(at("deal_list")).content.decode()
    assert "Open ones" in client.get(at("forecast")).content.decode()


def put(client: Client, deal: Deal, stage: Stage, query: str = "", **fields: Any) -> Any:
    return client.post(f"{at('deal_place', deal)}{query}", {"stage": stage.pk, "version": deal.version, **fields})


def test_the_portal_answers_a_moved_card_with_the_sums_of_all_rows(
    client_of: LogIn, make_deal: MakeDeal, stages: dict[str, Stage]
) -> None:
    deal = make_deal(name="Mover", amount_minor=1_000)
    for number in range(3):
        make_deal(name=f"Stays {number}", amount_minor=500)
        make_deal(name=f"Engaged {number}", stage="engaging", amount_minor=700)
    answer = put(client_of("ana"), deal, stages["engaging"], "?q=e").json()
    left, entered = answer["heads"][str(stages["prospecting"].pk)], answer["heads"][str(stages["engaging"].pk)]
    assert 'data-count="0"' in left  # "Stays" has no e, as the filter of the address asks
    assert 'data-count="4"' in entered
    assert "$31.00" in entered
    assert 'data-version="2"' in answer["card"]
    assert answer["message"] == "“Mover” is now in Engaging."
    deal.refresh_from_db()
    assert (deal.stage.code, deal.version) == ("engaging", 2)


def test_a_card_lands_between_its_neighbours(client_of: LogIn, make_deal: MakeDeal, stages: dict[str, Stage]) -> None:
    above = make_deal(stage="engaging", board_position=-300)
    below = make_deal(stage="engaging", board_position=-100)
    deal = make_deal()
    put(client_of("ana"), deal, stages["engaging"], above=above.pk, below=below.pk)
    deal.refresh_from_db()
    assert deal.board_position == -200


def test_a_refused_card_is_told_why_and_nothing_moves(
    client_of: LogIn, make_deal: MakeDeal, stages: dict[str, Stage]
) -> None:
    won, opened = make_deal(stage="won"), make_deal()
    before = everything()
    refused = put(client_of("max"), won, stages["lost"])
    assert (refused.status_code, refused.json()["message"]) == (
        422,
        "A closed deal cannot change its outcome: reopen it first.",
    )
    assert put(client_of("ana"), opened, stages["lost"]).status_code == 422
    opened.version = 7
    assert put(client_of("ana"), opened, stages["engaging"]).status_code == 409
    assert put(client_of("alba"), won, stages["prospecting"]).status_code == 404
    assert put(client_of("finn"), won, stages["prospecting"]).status_code == 403
    assert client_of("ana").post(at("deal_place", won), {"stage": "x", "version": "1"}).status_code == 422
    assert everything() == before


def test_only_a_browser_that_was_given_the_page_moves_cards(
    cast: Cast, make_deal: MakeDeal, stages: dict[str, Stage], client_of: LogIn
) -> None:
    deal = make_deal()
    client = client_of("ana")
    client.handler.enforce_csrf_checks = True
    assert put(client, deal, stages["engaging"]).status_code == 403
    assert client.get(at("deal_place", deal)).status_code == 405


# --- Lines and shares ----------------------------------------------------------------------------------------------


def rows_of(*rows: dict[str, Any], initial: int = 0, version: int = 1) -> dict[str, Any]:
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": initial, "version": version}
    for number, row in enumerate(rows):
        data |= {f"form-{number}-{name}": value for name, value in row.items()}
    return data


def test_lines_are_saved_together(client_of: LogIn, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    client = client_of("ana")
    line = {"product": gtx.pk, "quantity": "2", "unit_price": "4,821.00", "discount": "12.5"}
    empty = {"product": "", "quantity": "", "unit_price": "", "discount": ""}
    assert client.post(at("deal_lines", deal), rows_of(line, empty)).status_code == 302
    deal.refresh_from_db()
    kept = deal.lines.get()
    assert (deal.amount_minor, kept.amount_minor, kept.discount_bp) == (843_675, 843_675, 1_250)
    # The line as it stands and another one; the first is unchanged and must not be lost.
    first = {**line, "pk": kept.pk, "unit_price": "4821.00"}
    second = {"product": gtx.pk, "quantity": "1", "unit_price": "10", "amount": "9.99"}
    client.post(at("deal_lines", deal), rows_of(first, second, initial=1, version=2))
    deal.refresh_from_db()
    assert [(each.pk == kept.pk, each.amount_minor) for each in deal.lines.all()] == [(True, 843_675), (False, 999)]
    client.post(
        at("deal_lines", deal),
        rows_of({**first, "DELETE": "on"}, {**second, "pk": deal.lines.last().pk}, initial=2, version=3),  # type: ignore[union-attr]
    )
    deal.refresh_from_db()
    assert (deal.lines.count(), deal.amount_minor) == (1, 999)


def test_a_row_more_saves_nothing(client_of: LogIn, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    before = everything()
    page = client_of("ana").post(
        at("deal_lines", deal),
        {**rows_of({"product": gtx.pk, "quantity": "3", "unit_price": "1"}), "more": "1"},
    )
    assert page.content.decode().count("part-quantity") == 2
    assert 'value="3"' in page.content.decode()
    assert everything() == before


def test_shares_that_are_not_the_whole_are_refused(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    client = client_of("ana")
    rows = [
        {"person": cast.ana.pk, "function": "ae", "share": "66.67"},
        {"person": cast.sam.pk, "function": "sdr", "share": "33.34"},
    ]
    before = everything()
    refused = client.post(at("deal_splits", deal), rows_of(*rows))
    assert refused.status_code == 422
    assert "The shares add up to 100.01 %, not to 100 %." in refused.content.decode()
    assert 'value="33.34"' in refused.content.decode()
    assert everything() == before
    rows[1]["share"] = "33.33"
    assert client.post(at("deal_splits", deal), rows_of(*rows)).status_code == 302
    assert list(deal.splits.values_list("share_bp", flat=True)) == [6_667, 3_333]


def test_stale_lines_are_refused(client_of: LogIn, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    Deal.objects.update(version=2)
    before = everything()
    line = {"product": gtx.pk, "quantity": "2", "unit_price": "1"}
    assert client_of("ana").post(at("deal_lines", deal), rows_of(line)).status_code == 409
    assert everything() == before


# --- Many at once --------------------------------------------------------------------------------------------------


def bulk(client: Client, name: str, query: str = "", **data: Any) -> Any:
    return client.post(f"{at(name)}{query}", data)


def test_many_deals_are_changed_exactly_as_the_preview_says(
    client_of: LogIn, make_deal: MakeDeal, stages: dict[str, Stage], cast: Cast
) -> None:
    opened, lost, won = make_deal(name="Open"), make_deal(name="Lost", stage="lost"), make_deal(name="Won", stage="won")
    theirs = make_deal(name="Theirs", owner=cast.alba, pod=cast.south)
    client = client_of("max")
    chosen = {
        "pk": [opened.pk, lost.pk, won.pk, theirs.pk],
        "stage": stages["lost"].pk,
        "lost_because": "sunset",
        "form_key": str(uuid.uuid4()),
    }
    before = everything()
    preview = bulk(client, "deal_bulk_edit", step="preview", **chosen)
    page = text_of(preview)
    assert everything() == before
    assert "For 3 deals." in page
    assert "Stage: Prospecting" in page
    assert "Stage: Lost · Closed on: 17 Jun 2026 · Lost because: sunset" in page
    assert "A closed deal cannot change its outcome: reopen it first." in page
    fingerprint = re.search(r'name="fingerprint" value="(\w+)"', preview.content.decode())
    assert fingerprint is not None
    done = bulk(client, "deal_bulk_edit", step="apply", fingerprint=fingerprint[1], **chosen)
    assert done.status_code == 302
    assert list(Deal.objects.order_by("pk").values_list("kind", flat=True)) == ["lost", "lost", "won", "open"]
    assert StageChange.objects.count() == 1
    after = everything()
    bulk(client, "deal_bulk_edit", step="apply", fingerprint=fingerprint[1], **chosen)
    assert everything() == after


def test_many_deals_are_given_away(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    ids = [make_deal(name=f"Deal {number}").pk for number in range(3)]
    client = client_of("rita")
    chosen = {"pk": ids, "owner": cast.alba.pk, "form_key": str(uuid.uuid4())}
    preview = bulk(client, "deal_bulk_reassign", step="preview", **chosen).content.decode()
    fingerprint = re.search(r'name="fingerprint" value="(\w+)"', preview)
    assert fingerprint is not None
    bulk(client, "deal_bulk_reassign", step="apply", fingerprint=fingerprint[1], **chosen)
    assert set(Deal.objects.values_list("owner", "pod")) == {(cast.alba.pk, cast.south.pk)}
    refused = bulk(client_of("ana"), "deal_bulk_reassign", step="preview", pk=ids, owner=cast.alba.pk)
    assert refused.status_code == 302  # they are no longer Ana's: nothing is chosen


def test_all_that_match_are_changed_by_a_job_when_they_are_many(
    client_of: LogIn, cast: Cast, stages: dict[str, Stage]
) -> None:
    Deal.objects.bulk_create(
        Deal(name=f"Deal {number}", owner=cast.ana, pod=cast.north, stage=stages["engaging"], created_at=NOW)
        for number in range(1_001)
    )
    client = client_of("ana")
    chosen = {"all": "1", "next_step": "Call", "form_key": str(uuid.uuid4())}
    preview = bulk(client, "deal_bulk_edit", "?kind=open", step="preview", **chosen)
    assert "For 1,001 deals." in text_of(preview)
    fingerprint = re.search(r'name="fingerprint" value="(\w+)"', preview.content.decode())
    assert fingerprint is not None
    bulk(client, "deal_bulk_edit", "?kind=open", step="apply", fingerprint=fingerprint[1], **chosen)
    job = Job.objects.get()
    assert (job.kind, len(job.payload["deal_ids"])) == ("deals.bulk_edit", 1_001)
    assert not Deal.objects.exclude(next_step="").exists()


@pytest.mark.parametrize("name", ["finn", "elsa", "norm"])
@pytest.mark.parametrize("page", ["deal_bulk_edit", "deal_bulk_reassign"])
def test_who_only_reads_changes_no_deals(page: str, name: str, client_of: LogIn, make_deal: MakeDeal) -> None:
    deal = make_deal()
    before = everything()
    assert bulk(client_of(name), page, step="preview", pk=[deal.pk], next_step="x").status_code == 403
    assert everything() == before


# --- The forecast --------------------------------------------------------------------------------------------------


def test_the_forecast_of_a_quarter(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    make_deal(stage="won", amount_minor=1_000_00)
    make_deal(stage="engaging", amount_minor=500_50, expected_close_on=date(2026, 6, 30))
    make_deal(stage="won", amount_minor=7_00, closed_on=date(2026, 3, 31))
    page = text_of(client_of("ana").get(at("forecast")))
    assert "2026 Q2" in page
    assert "Won $1,000.00 1 deal" in page
    assert "Forecast $1,250.25" in page
    assert "Best case $1,500.50" in page
    before = text_of(client_of("ana").get(at("forecast"), {"period": "2026-03"}))
    assert "Mar 2026" in before
    assert "Won $7.00" in before
    assert "2026 Q2" in text_of(client_of("ana").get(at("forecast"), {"period": "rubbish"}))


def test_an_executive_cannot_single_out_a_person_or_a_deal(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    make_deal(name="Secret deal", stage="won", amount_minor=1_000_00)
    make_deal(stage="won", amount_minor=50_00, owner=cast.alba, pod=cast.south)
    client = client_of("elsa")
    for query in ({}, {"q": "Secret"}, {"owner": cast.alba.pk}, {"amount_min": "900"}, {"name": "Secret deal"}):
        page = text_of(client.get(at("forecast"), query))
        assert "Won $1,050.00 2 deals" in page
        assert "Ana Alvarez" not in page
        assert "Secret deal" not in page
    assert "Won $50.00 1 deal" in text_of(client.get(at("forecast"), {"pod": cast.south.pk}))


@pytest.mark.parametrize("page", ["deal_board", "forecast"])
def test_board_and_forecast_cost_the_same_for_3_and_100_rows(
    page: str, client_of: LogIn, make_deal: MakeDeal, gekko: Account
) -> None:
    client = client_of("ana")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(at(page)).status_code == 200
        return len(queries)

    for stage in ("won", "engaging", "prospecting"):
        make_deal(stage=stage, account=gekko, expected_close_on=TODAY)
    cost()
    few = cost()
    for number in range(97):
        make_deal(stage=["won", "engaging", "prospecting"][number % 3], account=gekko, expected_close_on=TODAY)
    assert cost() == few
