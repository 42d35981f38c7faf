"""A closed deal carries commission: a rep writes its texts, only managers, revenue operations and administrators the rest."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account, Contact
from salesops.audit.models import AuditEntry
from salesops.core.actor import Actor, Role, system_actor
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.deals.rules.stages import FREE_WHEN_CLOSED
from salesops.deals.services import (
    BulkChanges,
    LineDraft,
    SplitDraft,
    bulk_edit,
    bulk_reassign,
    create_deal,
    edit_deal,
    move_deal,
    plan_bulk_edit,
    reassign,
    set_lines,
    set_splits,
)
from salesops.deals.services.deals import EDITABLE
from tests.cast import NOW, TODAY, Cast

LATER = NOW + timedelta(hours=2)
WORDS = "The deal is closed: only a manager, revenue operations or an administrator may change what its commission depends on."
MakeDeal = Callable[..., Deal]
LogIn = Callable[[str], Client]


def everything() -> list[Any]:
    """All rows of the room and the audit: equal before and after a refusal."""
    return [
        list(model.objects.order_by("pk").values()) for model in (Deal, DealLine, DealSplit, StageChange, AuditEntry)
    ]


def is_refused(change: Callable[[], Any]) -> None:
    """The change is refused with the words, and nothing was written."""
    before = everything()
    with pytest.raises(ValidationError) as refused:
        change()
    assert refused.value.messages == [WORDS]
    assert everything() == before


def at(name: str, deal: Deal) -> str:
    return reverse(f"deals:{name}", kwargs={"pk": deal.pk})


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.fixture(params=["won", "lost"])
def closed(request: pytest.FixtureRequest, make_deal: MakeDeal, gekko: Account) -> Deal:
    """A deal of Ana that is closed, once won and once lost."""
    because = "price" if request.param == "lost" else ""
    return make_deal(stage=request.param, account=gekko, lost_because=because, opened_on=date(2026, 6, 1))


# --- Who -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(Role))
def test_managers_revenue_operations_and_administrators_change_closed_deals(role: Role) -> None:
    may = role in {Role.MANAGER, Role.REVOPS, Role.ADMIN}
    assert Actor(1, "Somebody", roles=frozenset({role})).may_change_closed_deals is may


def test_the_portal_itself_does_and_nobody_does_not() -> None:
    assert system_actor().may_change_closed_deals
    assert not Actor(1, "Norm").may_change_closed_deals


# --- Services ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rep", ["carl", "ana"])
def test_no_rep_takes_or_gives_a_closed_deal(rep: str, closed: Deal, cast: Cast) -> None:
    actor = cast.actor(rep)
    is_refused(lambda: reassign(actor=actor, deal_id=closed.pk, at=LATER, owner=cast.carl))
    is_refused(lambda: reassign(actor=actor, deal_id=closed.pk, at=LATER, owner=None))
    is_refused(lambda: reassign(actor=actor, deal_id=closed.pk, at=LATER, pod=None))


@pytest.mark.parametrize("name", ["max", "rita", "ada"])
def test_who_may_gives_a_closed_deal(name: str, closed: Deal, cast: Cast) -> None:
    reassign(actor=cast.actor(name), deal_id=closed.pk, at=LATER, owner=cast.carl)
    closed.refresh_from_db()
    assert (closed.owner, closed.version) == (cast.carl, 2)


def test_open_deals_are_shared_by_the_pod(make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    reassign(actor=cast.actor("carl"), deal_id=deal.pk, at=LATER, owner=cast.carl)
    deal.refresh_from_db()
    assert deal.owner == cast.carl


def _changes(gekko: Account, hooli: Account, gtx: Product) -> dict[str, Any]:
    return {
        "name": "Another name",
        "account": None,
        "product": gtx,
        "amount_minor": 999_999,
        "currency": "EUR",
        "opened_on": date(2026, 5, 1),
        "closed_on": date(2026, 6, 2),
        "external_id": "X-1",
    }


@pytest.mark.parametrize(
    "name", ["name", "account", "product", "amount_minor", "currency", "opened_on", "closed_on", "external_id"]
)
def test_a_rep_edits_nothing_that_pays(
    name: str, closed: Deal, cast: Cast, gekko: Account, hooli: Account, gtx: Product
) -> None:
    change = {name: _changes(gekko, hooli, gtx)[name]}
    ana = cast.actor("ana")
    is_refused(lambda: edit_deal(actor=ana, deal_id=closed.pk, version=1, at=LATER, changes=change))
    edit_deal(actor=cast.actor("max"), deal_id=closed.pk, version=1, at=LATER, changes=change)
    closed.refresh_from_db()
    assert (getattr(closed, name), closed.version) == (change[name], 2)


def test_what_is_free_is_named_and_all_else_is_kept() -> None:
    assert {"contact", "expected_close_on", "lost_because", "next_step", "note"} == FREE_WHEN_CLOSED
    assert FREE_WHEN_CLOSED < EDITABLE


def test_a_rep_writes_the_texts(closed: Deal, cast: Cast, gekko: Account) -> None:
    contact = Contact.objects.create(account=gekko, name="Gordon", created_at=NOW)
    texts: dict[str, Any] = {
        "contact": contact,
        "expected_close_on": TODAY,
        "next_step": "Kick-off",
        "note": "Signed by fax",
    }
    if closed.kind == "lost":
        texts["lost_because"] = "too dear"
    edit_deal(actor=cast.actor("ana"), deal_id=closed.pk, version=1, at=LATER, changes=texts)
    closed.refresh_from_db()
    assert {name: getattr(closed, name) for name in texts} == texts


def test_a_form_that_says_again_what_is_so_is_no_change(closed: Deal, cast: Cast) -> None:
    same = {"name": closed.name, "amount_minor": closed.amount_minor, "closed_on": closed.closed_on, "note": "New"}
    edit_deal(actor=cast.actor("ana"), deal_id=closed.pk, version=1, at=LATER, changes=same)
    closed.refresh_from_db()
    assert (closed.note, closed.version) == ("New", 2)


@pytest.mark.parametrize("to", ["proposal", "won", "lost"])
def test_a_rep_moves_a_closed_deal_nowhere(to: str, closed: Deal, cast: Cast, stages: dict[str, Stage]) -> None:
    if to != closed.kind:
        ana = cast.actor("ana")
        is_refused(
            lambda: move_deal(actor=ana, deal_id=closed.pk, stage=stages[to], at=LATER, lost_because="changed mind")
        )
    else:
        move_deal(actor=cast.actor("ana"), deal_id=closed.pk, stage=stages[to], at=LATER, place=7)
        closed.refresh_from_db()
        assert (closed.board_position, closed.version) == (7, 1)


def test_a_rep_closes_but_only_a_manager_takes_it_back(
    make_deal: MakeDeal, cast: Cast, stages: dict[str, Stage]
) -> None:
    deal = make_deal()
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    back = {"deal_id": deal.pk, "stage": stages["prospecting"], "at": LATER + timedelta(seconds=5)}
    is_refused(lambda: move_deal(actor=cast.actor("ana"), **back))
    move_deal(actor=cast.actor("max"), **back)
    deal.refresh_from_db()
    assert (deal.kind, deal.closed_on) == ("open", None)


def test_lines_and_shares_of_a_closed_deal_are_kept(closed: Deal, cast: Cast, gtx: Product) -> None:
    line = LineDraft(gtx.pk, Decimal(2), 500)
    shares = [SplitDraft(cast.ana.pk, 5_000), SplitDraft(cast.carl.pk, 5_000)]
    ana, max_ = cast.actor("ana"), cast.actor("max")
    is_refused(lambda: set_lines(actor=ana, deal_id=closed.pk, version=1, lines=[line], at=LATER))
    is_refused(lambda: set_splits(actor=ana, deal_id=closed.pk, version=1, splits=shares, at=LATER))
    set_lines(actor=max_, deal_id=closed.pk, version=1, lines=[line], at=LATER)
    set_splits(actor=max_, deal_id=closed.pk, version=2, splits=shares, at=LATER)
    closed.refresh_from_db()
    assert (closed.amount_minor, closed.splits.count(), closed.version) == (1_000, 2, 3)


def test_a_rep_adds_a_closed_deal_for_themselves_only(cast: Cast, stages: dict[str, Stage]) -> None:
    ana = cast.actor("ana")
    assert create_deal(actor=ana, at=NOW, name="Mine", stage=stages["won"]).owner == cast.ana
    for owner in (cast.carl, None):
        before = everything()
        with pytest.raises(ValidationError) as refused:
            create_deal(actor=ana, at=NOW, name="Theirs", stage=stages["won"], owner=owner)
        assert refused.value.message_dict == {"owner": ["You can add closed deals for yourself only."]}
        assert everything() == before
    made = create_deal(actor=cast.actor("max"), at=NOW, name="Theirs", stage=stages["won"], owner=cast.carl)
    assert (made.owner, made.kind) == (cast.carl, "won")


# --- Many at once --------------------------------------------------------------------------------------------------


def test_many_at_once_leave_closed_deals_out_and_change_the_others(
    closed: Deal, make_deal: MakeDeal, cast: Cast, stages: dict[str, Stage], gtx: Product
) -> None:
    ana = cast.actor("ana")
    kept = Deal.objects.filter(pk=closed.pk).values().get()
    for changes in (
        BulkChanges(owner=None),
        BulkChanges(owner=cast.carl),
        BulkChanges(pod=None),
        BulkChanges(product=gtx),
        BulkChanges(stage=stages["engaging"]),
        BulkChanges(stage=stages["won" if closed.kind == "lost" else "lost"], lost_because="sunset"),
    ):
        opened = make_deal(name="Open")
        ids = [closed.pk, opened.pk]
        planned = plan_bulk_edit(actor=ana, deal_ids=ids, changes=changes, at=LATER)
        done = bulk_edit(actor=ana, deal_ids=ids, changes=changes, at=LATER)
        assert planned == done
        assert [row.deal_id for row in done.changed_rows] == [opened.pk]
        assert [(row.deal_id, [one.text() for one in row.problems]) for row in done.refused_rows] == [
            (closed.pk, [WORDS])
        ]
        assert Deal.objects.filter(pk=closed.pk).values().get() == kept


def test_many_at_once_write_texts_into_closed_deals_too(closed: Deal, make_deal: MakeDeal, cast: Cast) -> None:
    changes = BulkChanges(next_step="Call", expected_close_on=TODAY)
    done = bulk_edit(actor=cast.actor("ana"), deal_ids=[closed.pk, make_deal().pk], changes=changes, at=LATER)
    assert (done.changed, done.refused) == (2, 0)


def test_a_manager_gives_many_closed_deals(closed: Deal, cast: Cast) -> None:
    done = bulk_reassign(actor=cast.actor("max"), deal_ids=[closed.pk], at=LATER, owner=None)
    closed.refresh_from_db()
    assert (done.changed, closed.owner) == (1, None)


def test_the_preview_page_says_why_a_closed_deal_is_left_out(
    closed: Deal, make_deal: MakeDeal, client_of: LogIn
) -> None:
    opened = make_deal(name="Open")
    chosen = {"pk": [closed.pk, opened.pk], "without_owner": "on", "form_key": str(uuid.uuid4())}
    address = reverse("deals:deal_bulk_reassign")
    preview = client_of("carl").post(address, {"step": "preview", **chosen})
    assert WORDS in text_of(preview)
    fingerprint = re.search(r'name="fingerprint" value="(\w+)"', preview.content.decode())
    assert fingerprint is not None
    client_of("carl").post(address, {"step": "apply", "fingerprint": fingerprint[1], **chosen})
    assert [Deal.objects.get(pk=pk).owner_id is None for pk in (closed.pk, opened.pk)] == [False, True]


# --- Pages, board, API ---------------------------------------------------------------------------------------------

_KEPT = ("deal_reassign", "deal_move", "deal_lines", "deal_splits")


def test_the_page_offers_what_its_reader_may_do(closed: Deal, make_deal: MakeDeal, client_of: LogIn) -> None:
    for name, deal, offered in [
        ("ana", closed, False),
        ("max", closed, True),
        ("ana", make_deal(name="Open"), True),
    ]:
        page = client_of(name).get(at("deal_detail", deal))
        html = page.content.decode()
        assert [f'href="{at(each, deal)}' in html for each in _KEPT] == [offered] * 4
        assert f'href="{at("deal_edit", deal)}"' in html
        assert (WORDS in text_of(page)) is not offered


def test_finance_reads_no_word_about_it(closed: Deal, client_of: LogIn) -> None:
    assert WORDS not in text_of(client_of("finn").get(at("deal_detail", closed)))


@pytest.mark.parametrize("page", _KEPT)
def test_a_form_that_could_not_be_saved_is_not_opened(page: str, closed: Deal, client_of: LogIn) -> None:
    refused = client_of("ana").get(at(page, closed))
    assert refused.status_code == 403
    assert WORDS in text_of(refused)
    assert client_of("max").get(at(page, closed)).status_code == 200


def test_a_form_opened_before_the_deal_closed_is_refused_with_the_words(
    closed: Deal, client_of: LogIn, cast: Cast, stages: dict[str, Stage]
) -> None:
    client = client_of("carl")
    before = everything()
    rows = {"form-TOTAL_FORMS": "0", "form-INITIAL_FORMS": "0", "version": "1"}
    for page, data in {
        "deal_reassign": {"owner": cast.carl.pk, "version": 1},
        "deal_move": {"stage": stages["proposal"].pk, "version": 1},
        "deal_lines": rows,
        "deal_splits": rows,
    }.items():
        refused = client.post(at(page, closed), data)
        assert refused.status_code == 422, page
        assert WORDS in text_of(refused)
    assert everything() == before


def test_the_edit_form_asks_a_rep_for_the_texts(closed: Deal, client_of: LogIn) -> None:
    page = client_of("ana").get(at("deal_edit", closed))
    texts = {"contact", "expected_close_on", "next_step", "note", "version", "form_key"}
    assert set(page.context["form"].fields) == (texts | {"lost_because"} if closed.kind == "lost" else texts)
    assert WORDS in text_of(page)
    data = {"note": "By fax", "lost_because": "too dear", "version": 1, "amount_minor": "9.99", "name": "Mine now"}
    assert client_of("ana").post(at("deal_edit", closed), data).status_code == 302
    closed.refresh_from_db()
    assert (closed.note, closed.amount_minor, closed.name) == ("By fax", 100_000, "Pilot for Gekko")
    assert "amount_minor" in client_of("max").get(at("deal_edit", closed)).context["form"].fields


def test_the_board_is_told_and_puts_the_card_back(closed: Deal, client_of: LogIn, stages: dict[str, Stage]) -> None:
    before = everything()
    data = {"stage": stages["proposal"].pk, "version": 1}
    refused = client_of("ana").post(at("deal_place", closed), data)
    assert (refused.status_code, refused.json()) == (422, {"message": WORDS})
    assert everything() == before
    assert client_of("max").post(at("deal_place", closed), data).status_code == 200


def test_programs_are_refused_with_the_words(
    closed: Deal, client_of: LogIn, cast: Cast, stages: dict[str, Stage]
) -> None:
    before = everything()
    client = client_of("carl")
    for method, path, data in [
        ("post", "reassign/", {"owner": cast.carl.pk}),
        ("post", "move/", {"stage": stages["proposal"].pk}),
        ("patch", "", {"amount_minor": 1, "version": 1}),
        ("patch", "", {"closed_on": "2026-06-02", "version": 1}),
    ]:
        refused = getattr(client, method)(f"/api/v1/deals/{closed.pk}/{path}", data, content_type="application/json")
        assert (refused.status_code, refused.json()) == (400, {"non_field_errors": [WORDS]})
    assert everything() == before
    done = client_of("max").post(
        f"/api/v1/deals/{closed.pk}/reassign/", {"owner": cast.carl.pk}, content_type="application/json"
    )
    assert (done.status_code, done.json()["owner"]) == (200, cast.carl.pk)
