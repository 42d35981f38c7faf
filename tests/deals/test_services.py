"""One deal at a time: created, edited, moved, given away, its lines and shares; and what is refused changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.http import Http404

from salesops.accounts.models import Account, Contact
from salesops.audit.models import AuditEntry
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.deals.services import (
    LineDraft,
    SplitDraft,
    StaleDealError,
    create_deal,
    edit_deal,
    move_deal,
    reassign,
    set_lines,
    set_splits,
)
from tests.cast import NOW, TODAY, Cast

LATER = NOW + timedelta(hours=2)
MakeDeal = Callable[..., Deal]


def everything() -> list[Any]:
    """All rows of the room and the audit: equal before and after a refusal."""
    return [
        list(model.objects.order_by("pk").values()) for model in (Deal, DealLine, DealSplit, StageChange, AuditEntry)
    ]


def codes(error: ValidationError) -> dict[str, list[str | None]]:
    return {name: [one.code for one in errors] for name, errors in error.error_dict.items()}


# --- Creating ------------------------------------------------------------------------------------------------------


def test_a_new_deal_is_its_makers_in_their_pod_from_today(cast: Cast, stages: dict[str, Stage]) -> None:
    deal = create_deal(actor=cast.actor("ana"), at=NOW, name="  Pilot ", amount_minor=12_345)
    deal.refresh_from_db()
    assert (deal.name, deal.owner, deal.pod, deal.stage.code, deal.kind) == (
        "Pilot",
        cast.ana,
        cast.north,
        "prospecting",
        "open",
    )
    assert (deal.opened_on, deal.closed_on, deal.amount_minor, deal.currency, deal.version) == (
        TODAY,
        None,
        12_345,
        "USD",
        1,
    )
    step = StageChange.objects.get(deal=deal)
    assert (step.from_stage, step.to_stage.code, step.changed_by, step.amount_minor, step.seconds_in_stage) == (
        None,
        "prospecting",
        cast.ana,
        12_345,
        None,
    )
    entry = AuditEntry.objects.get(subject_type="deals.deal", subject_id=str(deal.pk))
    assert (entry.action, entry.before, entry.after["amount_minor"]) == ("deal.created", {}, 12_345)


def test_a_deal_may_be_made_won(cast: Cast, stages: dict[str, Stage]) -> None:
    deal = create_deal(actor=cast.actor("ana"), at=NOW, name="Renewal", stage=stages["won"], closed_on=date(2026, 6, 1))
    assert (deal.kind, deal.closed_on, deal.opened_on) == ("won", date(2026, 6, 1), date(2026, 6, 1))


@pytest.mark.parametrize("reader", ["finn", "elsa", "norm"])
def test_who_only_reads_makes_no_deal(reader: str, cast: Cast, stages: dict[str, Stage]) -> None:
    with pytest.raises(PermissionDenied):
        create_deal(actor=cast.actor(reader), at=NOW, name="Pilot")
    assert Deal.objects.count() == 0


def test_a_rep_gives_a_new_deal_only_to_their_own_pod(cast: Cast, stages: dict[str, Stage], hooli: Account) -> None:
    before = everything()
    with pytest.raises(ValidationError) as refused:
        create_deal(actor=cast.actor("ana"), at=NOW, name="Pilot", owner=cast.alba, pod=cast.south, account=hooli)
    assert codes(refused.value) == {
        "account": ["not-visible"],
        "owner": ["owner-not-allowed"],
        "pod": ["pod-not-allowed"],
    }
    assert everything() == before


def test_a_rep_may_give_a_new_deal_to_a_colleague_of_the_pod(cast: Cast, stages: dict[str, Stage]) -> None:
    deal = create_deal(actor=cast.actor("sam"), at=NOW, name="Handed over", owner=cast.ana)
    assert (deal.owner, deal.pod) == (cast.ana, cast.north)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "Pilot", "currency": "usd"}, "amount_minor"),
        ({"name": "Pilot", "currency": "XAU"}, "amount_minor"),
        ({"name": "Pilot", "amount_minor": 2**63}, "amount_minor"),
    ],
)
def test_values_that_cannot_be_are_refused_by_field(
    fields: dict[str, Any], where: str, cast: Cast, stages: dict[str, Stage]
) -> None:
    with pytest.raises(ValidationError) as refused:
        create_deal(actor=cast.actor("ana"), at=NOW, **fields)
    assert where in refused.value.error_dict
    assert Deal.objects.count() == 0


def test_a_contact_works_at_the_deals_account(
    cast: Cast, stages: dict[str, Stage], gekko: Account, hooli: Account
) -> None:
    stranger = Contact.objects.create(account=hooli, name="Gavin", created_at=NOW)
    with pytest.raises(ValidationError) as refused:
        create_deal(actor=cast.actor("ana"), at=NOW, name="Pilot", account=gekko, contact=stranger)
    assert codes(refused.value) == {"contact": ["contact-elsewhere"]}


def test_the_same_external_id_twice_is_refused_with_words(cast: Cast, stages: dict[str, Stage]) -> None:
    create_deal(actor=cast.actor("ana"), at=NOW, name="One", external_id="A-1")
    with pytest.raises(ValidationError):
        create_deal(actor=cast.actor("ana"), at=NOW, name="Two", external_id="A-1")
    assert list(Deal.objects.values_list("name", flat=True)) == ["One"]


# --- Editing -------------------------------------------------------------------------------------------------------


def test_an_edit_writes_what_differs_and_says_so(cast: Cast, make_deal: MakeDeal, gekko: Account) -> None:
    deal = make_deal(next_step="Call")
    edit_deal(
        actor=cast.actor("ana"),
        deal_id=deal.pk,
        version=1,
        at=LATER,
        changes={"account": gekko, "amount_minor": 250_000, "next_step": "Call", "name": deal.name},
    )
    deal.refresh_from_db()
    assert (deal.account, deal.amount_minor, deal.version) == (gekko, 250_000, 2)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.at, entry.actor_id) == ("deal.edited", LATER, cast.ana.pk)
    assert entry.before == {"account": None, "amount_minor": 100_000}
    assert entry.after == {"account": gekko.pk, "amount_minor": 250_000}


def test_an_edit_without_a_difference_writes_nothing(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    before = everything()
    edit_deal(actor=cast.actor("ana"), deal_id=deal.pk, version=1, at=LATER, changes={"name": deal.name, "note": ""})
    assert everything() == before


def test_a_stale_form_is_refused_and_carries_the_deal_as_it_is(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    edit_deal(actor=cast.actor("ana"), deal_id=deal.pk, version=1, at=LATER, changes={"amount_minor": 1})
    before = everything()
    with pytest.raises(StaleDealError) as refused:
        edit_deal(actor=cast.actor("max"), deal_id=deal.pk, version=1, at=LATER, changes={"amount_minor": 2})
    assert (refused.value.code, refused.value.deal.amount_minor, refused.value.deal.version) == ("stale", 1, 2)
    assert everything() == before


@pytest.mark.parametrize("stranger", ["alba", "mia"])
def test_a_deal_of_the_other_pod_does_not_exist(stranger: str, cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    won = Stage.objects.get(code="won")
    actor = cast.actor(stranger)
    before = everything()
    for change in (
        lambda: edit_deal(actor=actor, deal_id=deal.pk, version=1, at=LATER, changes={"name": "Mine"}),
        lambda: move_deal(actor=actor, deal_id=deal.pk, stage=won, at=LATER),
        lambda: reassign(actor=actor, deal_id=deal.pk, at=LATER, owner=cast.people[stranger]),
        lambda: set_lines(actor=actor, deal_id=deal.pk, version=1, lines=[], at=LATER),
        lambda: set_splits(actor=actor, deal_id=deal.pk, version=1, splits=[], at=LATER),
    ):
        with pytest.raises(Http404):
            change()
    assert everything() == before


@pytest.mark.parametrize("reader", ["finn", "elsa", "norm"])
def test_who_only_reads_changes_nothing(reader: str, cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    won = Stage.objects.get(code="won")
    actor = cast.actor(reader)
    before = everything()
    for change in (
        lambda: edit_deal(actor=actor, deal_id=deal.pk, version=1, at=LATER, changes={"name": "Mine"}),
        lambda: move_deal(actor=actor, deal_id=deal.pk, stage=won, at=LATER),
        lambda: reassign(actor=actor, deal_id=deal.pk, at=LATER, owner=cast.ana),
        lambda: set_lines(actor=actor, deal_id=deal.pk, version=1, lines=[], at=LATER),
        lambda: set_splits(actor=actor, deal_id=deal.pk, version=1, splits=[], at=LATER),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert everything() == before


def test_the_stage_is_not_edited_past_the_machine(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    with pytest.raises(TypeError, match="owner, stage"):
        edit_deal(
            actor=cast.actor("ana"),
            deal_id=deal.pk,
            version=1,
            at=LATER,
            changes={"stage": Stage.objects.get(code="won"), "owner": cast.sam},
        )


def test_the_day_of_a_closed_deal_can_be_corrected_but_not_into_the_future(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal(stage="won", closed_on=date(2026, 6, 10), opened_on=date(2026, 6, 1))
    actor = cast.actor("max")
    for day, code in [(date(2026, 6, 18), "closed-in-future"), (date(2026, 5, 31), "closed-before-opened")]:
        with pytest.raises(ValidationError) as refused:
            edit_deal(actor=actor, deal_id=deal.pk, version=1, at=NOW, changes={"closed_on": day})
        assert codes(refused.value) == {"closed_on": [code]}
    with pytest.raises(ValidationError) as refused:
        edit_deal(actor=actor, deal_id=deal.pk, version=1, at=NOW, changes={"closed_on": None})
    assert codes(refused.value) == {"closed_on": ["closed-on-missing"]}
    edit_deal(actor=actor, deal_id=deal.pk, version=1, at=NOW, changes={"closed_on": date(2026, 6, 9)})
    deal.refresh_from_db()
    assert deal.closed_on == date(2026, 6, 9)


def test_an_open_deal_takes_no_day_of_closing_by_an_edit(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    edit_deal(
        actor=cast.actor("ana"), deal_id=deal.pk, version=1, at=NOW, changes={"closed_on": TODAY, "lost_because": "x"}
    )
    deal.refresh_from_db()
    assert (deal.closed_on, deal.lost_because, deal.version) == (None, "", 1)


# --- Moving --------------------------------------------------------------------------------------------------------


def test_a_move_keeps_a_row_with_the_seconds_in_the_stage_left(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal(stage_entered_at=NOW - timedelta(days=3))
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=Stage.objects.get(code="engaging"), at=LATER)
    deal.refresh_from_db()
    assert (deal.stage.code, deal.kind, deal.stage_entered_at, deal.version) == ("engaging", "open", LATER, 2)
    step = StageChange.objects.get()
    assert step.from_stage is not None
    assert (step.from_stage.code, step.to_stage.code, step.changed_at) == ("prospecting", "engaging", LATER)
    assert (step.seconds_in_stage, step.amount_minor, step.changed_by) == (3 * 86_400 + 7_200, 100_000, cast.ana)
    entry = AuditEntry.objects.get()
    assert (entry.action, set(entry.after)) == ("deal.stage_moved", {"stage"})


def test_winning_takes_the_day_it_is_in_the_companys_zone(cast: Cast, make_deal: MakeDeal, settings: Any) -> None:
    settings.COMPANY_TIME_ZONE = "Pacific/Auckland"
    deal = make_deal()
    move_deal(
        actor=cast.actor("ana"), deal_id=deal.pk, stage=Stage.objects.get(code="won"), at=NOW + timedelta(hours=3)
    )
    deal.refresh_from_db()
    assert (deal.kind, deal.closed_on) == ("won", TODAY + timedelta(days=1))


def test_losing_without_a_reason_is_refused_and_nothing_moves(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    before = everything()
    with pytest.raises(ValidationError) as refused:
        move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=Stage.objects.get(code="lost"), at=LATER)
    assert codes(refused.value) == {"lost_because": ["reason-missing"]}
    assert everything() == before


def test_reopening_clears_day_and_reason_and_is_recorded(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal(stage="lost", closed_on=date(2026, 6, 1), lost_because="price")
    move_deal(actor=cast.actor("max"), deal_id=deal.pk, stage=Stage.objects.get(code="proposal"), at=LATER)
    deal.refresh_from_db()
    assert (deal.kind, deal.closed_on, deal.lost_because) == ("open", None, "")
    entry = AuditEntry.objects.get()
    assert entry.action == "deal.reopened"
    assert (entry.before["closed_on"], entry.before["lost_because"]) == ("2026-06-01", "price")
    assert (entry.after["closed_on"], entry.after["kind"]) == (None, "open")


def test_won_to_lost_is_refused(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal(stage="won")
    before = everything()
    with pytest.raises(ValidationError) as refused:
        move_deal(
            actor=cast.actor("max"),
            deal_id=deal.pk,
            stage=Stage.objects.get(code="lost"),
            at=LATER,
            lost_because="price",
        )
    assert codes(refused.value) == {"__all__": ["reopen-first"]}
    assert everything() == before


def test_a_move_sent_twice_is_one_move(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    stage = Stage.objects.get(code="engaging")
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stage, at=LATER)
    after_one = everything()
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stage, at=LATER + timedelta(seconds=1))
    assert everything() == after_one


def test_a_card_placed_within_its_column_is_no_change_of_stage(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=deal.stage, at=LATER, place=-5)
    deal.refresh_from_db()
    assert (deal.board_position, deal.version, StageChange.objects.count(), AuditEntry.objects.count()) == (-5, 1, 0, 0)


def test_the_board_refuses_to_move_a_card_that_somebody_changed(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=Stage.objects.get(code="engaging"), at=LATER, version=1)
    before = everything()
    with pytest.raises(StaleDealError):
        move_deal(actor=cast.actor("max"), deal_id=deal.pk, stage=Stage.objects.get(code="won"), at=LATER, version=1)
    assert everything() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deals_stagechange SET seconds_in_stage = 0",
        "DELETE FROM deals_stagechange",
    ],
)
def test_stage_changes_stay_as_they_were_written(statement: str, cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=Stage.objects.get(code="engaging"), at=LATER)
    before = everything()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StageChange.objects.update(seconds_in_stage=1)
    assert everything() == before


# --- Giving away ---------------------------------------------------------------------------------------------------


def test_a_new_owner_brings_their_pod(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    reassign(actor=cast.actor("rita"), deal_id=deal.pk, owner=cast.alba, at=LATER, reason="Territory change")
    deal.refresh_from_db()
    assert (deal.owner, deal.pod, deal.version) == (cast.alba, cast.south, 2)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("deal.reassigned", "Territory change")
    assert entry.after == {"owner": cast.alba.pk, "pod": cast.south.pk}


def test_a_pod_may_hold_a_deal_of_nobody(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    reassign(actor=cast.actor("max"), deal_id=deal.pk, owner=None, at=LATER)
    deal.refresh_from_db()
    assert (deal.owner, deal.pod) == (None, cast.north)


@pytest.mark.parametrize("giver", ["ana", "max"])
def test_nobody_gives_a_deal_to_people_they_do_not_see(giver: str, cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    before = everything()
    with pytest.raises(ValidationError) as refused:
        reassign(actor=cast.actor(giver), deal_id=deal.pk, owner=cast.alba, at=LATER)
    assert codes(refused.value)["owner"] == ["owner-not-allowed"]
    assert everything() == before


def test_nobody_gives_a_deal_to_somebody_who_left(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    cast.sam.is_active = False
    cast.sam.save()
    with pytest.raises(ValidationError) as refused:
        reassign(actor=cast.actor("rita"), deal_id=deal.pk, owner=cast.sam, at=LATER)
    assert codes(refused.value) == {"owner": ["owner-not-allowed"]}


# --- Lines ---------------------------------------------------------------------------------------------------------


def test_the_amount_is_the_sum_of_the_lines(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    set_lines(
        actor=cast.actor("ana"),
        deal_id=deal.pk,
        version=1,
        lines=[
            LineDraft(gtx.pk, Decimal(2), 482_100, 1_250),
            LineDraft(gtx.pk, Decimal("0.5"), 5),
            LineDraft(gtx.pk, Decimal(1), 100_000, 0, amount_minor=90_000),  # the contract says otherwise
        ],
        at=LATER,
    )
    deal.refresh_from_db()
    assert [line.amount_minor for line in deal.lines.all()] == [843_675, 3, 90_000]
    assert (deal.amount_minor, deal.version) == (933_678, 2)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.before["amount_minor"], entry.after["amount_minor"]) == (
        "deal.lines_set",
        100_000,
        933_678,
    )
    assert entry.before["lines"] == []
    assert entry.after["lines"][1] == {
        "product": gtx.pk,
        "quantity": "0.5",
        "unit_price_minor": 5,
        "discount_bp": 0,
        "amount_minor": 3,
    }


def test_lines_keep_their_rows_and_the_rest_goes(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    actor = cast.actor("ana")
    drafts = [LineDraft(gtx.pk, Decimal(1), 100), LineDraft(gtx.pk, Decimal(1), 200)]
    set_lines(actor=actor, deal_id=deal.pk, version=1, lines=drafts, at=LATER)
    first, second = deal.lines.all()
    set_lines(
        actor=actor,
        deal_id=deal.pk,
        version=2,
        lines=[LineDraft(gtx.pk, Decimal(3), 200, pk=second.pk), LineDraft(gtx.pk, Decimal(1), 7)],
        at=LATER,
    )
    deal.refresh_from_db()
    assert [(line.pk == second.pk, line.amount_minor) for line in deal.lines.all()] == [(True, 600), (False, 7)]
    assert (deal.amount_minor, DealLine.objects.filter(pk=first.pk).exists()) == (607, False)


def test_the_same_lines_again_write_nothing(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    actor = cast.actor("ana")
    set_lines(actor=actor, deal_id=deal.pk, version=1, lines=[LineDraft(gtx.pk, Decimal(1), 100)], at=LATER)
    line = deal.lines.get()
    before = everything()
    set_lines(actor=actor, deal_id=deal.pk, version=2, lines=[LineDraft(gtx.pk, Decimal(1), 100, pk=line.pk)], at=LATER)
    assert everything() == before


def test_a_line_that_cannot_be_is_refused_with_its_number(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    deal, other = make_deal(), make_deal(name="Other")
    foreign = DealLine.objects.create(deal=other, product=gtx, quantity="1", unit_price_minor=1, amount_minor=1)
    old = Product.objects.create(code="old", name="Old", match_name="old", is_active=False)
    good = LineDraft(gtx.pk, Decimal(1), 100)
    before = everything()
    for bad, code in [
        (LineDraft(old.pk, Decimal(1), 1), "product"),
        (LineDraft(gtx.pk, Decimal(1), 1, pk=foreign.pk), "line-elsewhere"),
        (LineDraft(gtx.pk, Decimal(1), 1, discount_bp=10_001), "money"),
        (LineDraft(gtx.pk, Decimal(1), 1, amount_minor=2**63), "money"),
    ]:
        with pytest.raises(ValidationError) as refused:
            set_lines(actor=cast.actor("ana"), deal_id=deal.pk, version=1, lines=[good, bad], at=LATER)
        assert refused.value.code == code
        assert refused.value.messages[0].startswith("Line 2")
    assert everything() == before


def test_the_amount_of_a_deal_with_lines_is_not_edited_past_them(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    actor = cast.actor("ana")
    set_lines(actor=actor, deal_id=deal.pk, version=1, lines=[LineDraft(gtx.pk, Decimal(1), 100)], at=LATER)
    before = everything()
    for changes, where in [({"amount_minor": 5}, "amount_minor"), ({"currency": "EUR"}, "currency")]:
        with pytest.raises(ValidationError) as refused:
            edit_deal(actor=actor, deal_id=deal.pk, version=2, at=LATER, changes=changes)
        assert codes(refused.value) == {where: ["amount-from-lines"]}
    assert everything() == before
    set_lines(actor=actor, deal_id=deal.pk, version=2, lines=[], at=LATER)
    edit_deal(actor=actor, deal_id=deal.pk, version=3, at=LATER, changes={"amount_minor": 5})
    deal.refresh_from_db()
    assert deal.amount_minor == 5


# --- Shares --------------------------------------------------------------------------------------------------------


def test_shares_add_up_to_the_whole(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    splits = [SplitDraft(cast.ana.pk, 7_000), SplitDraft(cast.sam.pk, 3_000, "sdr")]
    set_splits(actor=cast.actor("ana"), deal_id=deal.pk, version=1, splits=splits, at=LATER)
    assert list(deal.splits.values_list("person", "function", "share_bp")) == [
        (cast.ana.pk, "ae", 7_000),
        (cast.sam.pk, "sdr", 3_000),
    ]
    entry = AuditEntry.objects.get()
    assert entry.action == "deal.splits_set"
    assert entry.after["splits"][1] == {"person": cast.sam.pk, "function": "sdr", "share_bp": 3_000}
    deal.refresh_from_db()
    assert deal.version == 2


@pytest.mark.parametrize("rest", [2_999, 3_001])
def test_shares_that_are_not_the_whole_are_refused(rest: int, cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    whole = [SplitDraft(cast.ana.pk, 10_000)]
    set_splits(actor=cast.actor("ana"), deal_id=deal.pk, version=1, splits=whole, at=NOW)
    before = everything()
    with pytest.raises(ValidationError) as refused:
        set_splits(
            actor=cast.actor("ana"),
            deal_id=deal.pk,
            version=2,
            splits=[SplitDraft(cast.ana.pk, 7_000), SplitDraft(cast.sam.pk, rest)],
            at=LATER,
        )
    assert codes(refused.value) == {"__all__": ["shares-not-whole"]}
    assert everything() == before


def test_shares_of_people_who_left_stay_but_are_not_given_anew(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    actor = cast.actor("ana")
    half = [SplitDraft(cast.ana.pk, 5_000), SplitDraft(cast.sam.pk, 5_000)]
    set_splits(actor=actor, deal_id=deal.pk, version=1, splits=half, at=NOW)
    cast.sam.is_active = False
    cast.sam.save()
    set_splits(
        actor=actor,
        deal_id=deal.pk,
        version=2,
        splits=[SplitDraft(cast.ana.pk, 6_000), SplitDraft(cast.sam.pk, 4_000)],
        at=LATER,
    )
    other = make_deal(name="Other")
    with pytest.raises(ValidationError) as refused:
        set_splits(actor=actor, deal_id=other.pk, version=1, splits=half, at=LATER)
    assert refused.value.code == "person"
    assert not other.splits.exists()
