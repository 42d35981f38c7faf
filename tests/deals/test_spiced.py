"""SPICED of leads and deals: five components, counted, copied when a lead becomes a deal, and asked for by stages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from salesops.audit.models import AuditEntry
from salesops.core.models import FeatureSwitch
from salesops.deals.models import Deal, DealSpiced, DealSplit, Stage
from salesops.deals.rules.stages import Move, MoveFacts, StageFacts, decide_move
from salesops.deals.services import (
    BulkChanges,
    DealRecord,
    SplitDraft,
    bulk_edit,
    bulk_reassign,
    create_deal,
    move_deal,
    reassign,
    set_splits,
    upsert_deals,
)
from salesops.deals.services.from_leads import SOURCED
from salesops.deals.services.spiced import set_deal_spiced
from salesops.leads.models import DisqualifyReason, Lead, LeadSpiced
from salesops.leads.rules.spiced import COMPONENTS, known, missing
from salesops.leads.services import convert_lead, create_lead, set_lead_spiced, set_status
from salesops.people.models import User
from tests.cast import NOW, TODAY, Cast

LATER = NOW + timedelta(hours=2)
MakeDeal = Callable[..., Deal]
WORDS = {name: f"About {name}" for name in COMPONENTS}


def test_there_are_five_components_and_the_critical_event_is_one() -> None:
    assert COMPONENTS == ("situation", "pain", "impact", "critical_event", "decision")


@given(st.dictionaries(st.sampled_from(COMPONENTS), st.text(max_size=5)))
def test_what_is_known_and_what_is_missing_are_all_five(texts: dict[str, str]) -> None:
    assert sorted((*known(texts), *missing(texts))) == sorted(COMPONENTS)
    assert all(texts[name].strip() for name in known(texts))


def test_words_of_a_lead_are_counted_and_told(cast: Cast) -> None:
    lead = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena")
    row = set_lead_spiced(
        actor=cast.actor("ana"), lead_id=lead.pk, at=LATER, situation=" 40 people ", pain="  ", critical_event_on=TODAY
    )
    assert (row.situation, row.filled, row.missing) == (
        "40 people",
        1,
        ("pain", "impact", "critical_event", "decision"),
    )
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.subject_type, entry.before, entry.after) == (
        "lead.spiced",
        "leads.lead",
        {"situation": "", "critical_event_on": None},
        {"situation": "40 people", "critical_event_on": TODAY.isoformat()},
    )
    set_lead_spiced(actor=cast.actor("ana"), lead_id=lead.pk, at=LATER, situation="40 people")
    assert AuditEntry.objects.latest("sequence") == entry


@pytest.mark.parametrize(
    ("who", "given_words", "error"),
    [
        ("finn", {"pain": "x"}, PermissionDenied),
        ("alba", {"pain": "x"}, Http404),
        ("ana", {"pain": "x" * 4_001}, ValidationError),
        ("ana", {"filled": 5}, ValueError),
        ("ana", {"pain": "x", "seen_at": NOW}, ValidationError),
    ],
)
def test_words_that_are_refused_change_nothing(
    who: str, given_words: dict[str, Any], error: type[Exception], cast: Cast, make_deal: MakeDeal
) -> None:
    deal = make_deal()
    lead = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena")
    set_deal_spiced(actor=cast.actor("ana"), deal_id=deal.pk, at=NOW, pain="Before")
    set_lead_spiced(actor=cast.actor("ana"), lead_id=lead.pk, at=NOW, pain="Before")
    before = [list(model.objects.values()) for model in (DealSpiced, LeadSpiced, AuditEntry)]
    with pytest.raises(error):
        set_deal_spiced(actor=cast.actor(who), deal_id=deal.pk, at=LATER, **given_words)
    with pytest.raises(error):
        set_lead_spiced(actor=cast.actor(who), lead_id=lead.pk, at=LATER, **given_words)
    assert [list(model.objects.values()) for model in (DealSpiced, LeadSpiced, AuditEntry)] == before


def test_a_converted_lead_gives_its_words_and_its_credit_to_the_deal(cast: Cast) -> None:
    sam, ana = cast.actor("sam"), cast.actor("ana")
    lead = create_lead(actor=sam, at=NOW, name="Lena", company="Lagoon")
    set_lead_spiced(actor=sam, lead_id=lead.pk, at=NOW, critical_event_on=date(2026, 9, 1), **WORDS)
    done = convert_lead(actor=sam, lead_id=lead.pk, at=NOW)
    assert done.credited_to == cast.sam
    deal = create_deal(actor=ana, at=LATER, name="Lagoon", lead=done.lead, account=done.account)
    words = DealSpiced.objects.get(deal=deal)
    assert {name: getattr(words, name) for name in COMPONENTS} == WORDS
    assert (words.filled, words.critical_event_on) == (5, date(2026, 9, 1))
    share = DealSplit.objects.get(deal=deal)
    assert (share.person, share.function, share.share_bp, share.is_overlay) == (cast.sam, "sdr", 10_000, True)
    set_deal_spiced(actor=ana, deal_id=deal.pk, at=LATER, pain="Another")
    assert LeadSpiced.objects.get(lead=lead).pain == "About pain"


def test_credit_is_given_once_to_who_won_the_lead_and_owns_no_deal_of_it(cast: Cast, stages: dict[str, Stage]) -> None:
    own = create_lead(actor=cast.actor("ana"), at=NOW, name="Own")
    convert_lead(actor=cast.actor("ana"), lead_id=own.pk, at=NOW)
    never = create_lead(actor=cast.actor("sam"), at=NOW, name="Never converted")
    theirs = create_lead(actor=cast.actor("sam"), at=NOW, name="Theirs")
    convert_lead(actor=cast.actor("sam"), lead_id=theirs.pk, at=NOW)
    FeatureSwitch.objects.update_or_create(code=SOURCED, defaults={"is_on": False})
    for lead in (own, never, theirs):
        lead.refresh_from_db()
        create_deal(actor=cast.actor("ana"), at=NOW, name="Deal", lead=lead)
    assert DealSplit.objects.count() == 0
    FeatureSwitch.objects.filter(code=SOURCED).update(is_on=True)
    for lead in (own, never):
        create_deal(actor=cast.actor("ana"), at=NOW, name="Deal", lead=lead)
    assert DealSplit.objects.count() == 0
    create_deal(actor=cast.actor("ana"), at=NOW, name="Deal", lead=theirs)
    assert DealSplit.objects.get().person == cast.sam


def shares(deal: Deal) -> list[tuple[str, str, int, bool]]:
    rows = DealSplit.objects.filter(deal=deal).order_by("person__name", "function")
    return list(rows.values_list("person__name", "function", "share_bp", "is_overlay"))


def give_singly(cast: Cast, deal: Deal, owner: User) -> None:
    reassign(actor=cast.actor("max"), deal_id=deal.pk, at=LATER, owner=owner)


def give_in_bulk(cast: Cast, deal: Deal, owner: User) -> None:
    bulk_reassign(actor=cast.actor("max"), deal_ids=[deal.pk], at=LATER, owner=owner)


def give_by_import(cast: Cast, deal: Deal, owner: User) -> None:
    Deal.objects.filter(pk=deal.pk).update(source="crm", external_id="1")
    upsert_deals(
        actor=cast.actor("rita"), records=[DealRecord("1", owner_id=owner.pk)], source="crm", at=LATER, preview=False
    )


@pytest.mark.parametrize("give", [give_singly, give_in_bulk, give_by_import])
def test_the_credit_follows_who_owns_the_deal(give: Callable[[Cast, Deal, User], None], cast: Cast) -> None:
    lead = create_lead(actor=cast.actor("sam"), at=NOW, name="Lena")
    convert_lead(actor=cast.actor("sam"), lead_id=lead.pk, at=NOW)
    lead.refresh_from_db()
    on_top = {"person": cast.sam.pk, "function": "sdr", "share_bp": 10_000, "is_overlay": True}
    own = create_deal(actor=cast.actor("sam"), at=NOW, name="Own", lead=lead)
    assert (shares(own), "splits" in AuditEntry.objects.latest("sequence").after) == ([], False)
    give(cast, own, cast.ana)
    assert shares(own) == [("Sam Sorensen", "sdr", 10_000, True)]
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.before["splits"], entry.after["splits"]) == ([], [on_top])
    give(cast, own, cast.max)
    assert shares(own) == [("Sam Sorensen", "sdr", 10_000, True)]
    give(cast, own, cast.sam)
    assert shares(own) == []
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.before["splits"], entry.after["splits"]) == ([on_top], [])
    made = create_deal(actor=cast.actor("ana"), at=NOW, name="Made", lead=lead)
    assert AuditEntry.objects.latest("sequence").after["splits"] == [on_top]
    FeatureSwitch.objects.update_or_create(code=SOURCED, defaults={"is_on": False})
    give(cast, made, cast.sam) if give is not give_by_import else give_singly(cast, made, cast.sam)
    assert shares(made) == []


def test_a_share_changed_by_hand_is_left_alone(cast: Cast) -> None:
    lead = create_lead(actor=cast.actor("sam"), at=NOW, name="Lena")
    convert_lead(actor=cast.actor("sam"), lead_id=lead.pk, at=NOW)
    lead.refresh_from_db()
    deal = create_deal(actor=cast.actor("ana"), at=NOW, name="Made", lead=lead)
    ana = cast.actor("ana")
    half = SplitDraft(cast.sam.pk, 5_000, "sdr", is_overlay=True)
    deal = set_splits(actor=ana, deal_id=deal.pk, version=deal.version, splits=[half], at=LATER)
    for owner in (cast.sam, cast.ana):
        give_singly(cast, deal, owner)
        assert shares(deal) == [("Sam Sorensen", "sdr", 5_000, True)]
    deal.refresh_from_db()
    deal = set_splits(actor=ana, deal_id=deal.pk, version=deal.version, splits=[], at=LATER)
    give_singly(cast, deal, cast.max)
    assert shares(deal) == []
    deal.refresh_from_db()
    twice = [SplitDraft(cast.sam.pk, 10_000, code, is_overlay=True) for code in ("sdr", "ae")]
    with pytest.raises(ValidationError) as refused:
        set_splits(actor=cast.actor("max"), deal_id=deal.pk, version=deal.version, splits=twice, at=LATER)
    assert refused.value.messages == [
        "What one person has on top is at most 100 per cent together, whatever the function."
    ]
    assert shares(deal) == []


def test_a_stage_asks_for_components_and_names_those_that_are_missing(
    cast: Cast, make_deal: MakeDeal, stages: dict[str, Stage]
) -> None:
    Stage.objects.filter(code__in=("proposal", "won")).update(spiced_needed=3)
    proposal, won = Stage.objects.get(code="proposal"), Stage.objects.get(code="won")
    deal, ana = make_deal(), cast.actor("ana")
    set_deal_spiced(actor=ana, deal_id=deal.pk, at=NOW, pain="Slow", decision="The board")
    for stage in (proposal, won):
        with pytest.raises(ValidationError) as refused:
            move_deal(actor=ana, deal_id=deal.pk, stage=stage, at=LATER)
        assert refused.value.messages == [
            "This stage needs 3 of 5 SPICED components; 2 are known. Missing: situation, impact, critical event."
        ]
    plan = bulk_edit(actor=ana, deal_ids=[deal.pk], changes=BulkChanges(stage=proposal), at=LATER)
    assert (plan.refused, plan.refused_rows[0].problems[0].code) == (1, "spiced-missing")
    with pytest.raises(ValidationError):
        create_deal(actor=ana, at=NOW, name="Straight", stage=proposal)
    assert (Deal.objects.count(), Deal.objects.get().stage.code) == (1, "prospecting")
    set_deal_spiced(actor=ana, deal_id=deal.pk, at=NOW, impact="Two days a week")
    assert move_deal(actor=ana, deal_id=deal.pk, stage=proposal, at=LATER).stage == proposal
    again = make_deal(name="Many")
    set_deal_spiced(actor=ana, deal_id=again.pk, at=NOW, **WORDS)
    assert bulk_edit(actor=ana, deal_ids=[again.pk], changes=BulkChanges(stage=proposal), at=LATER).changed == 1


@given(st.integers(0, 5), st.sets(st.sampled_from(COMPONENTS)))
def test_a_move_is_refused_exactly_below_what_is_needed(needed: int, spiced: set[str]) -> None:
    for kind in ("open", "won", "lost"):
        facts = MoveFacts(
            StageFacts(1, "open"),
            StageFacts(2, kind, spiced_needed=needed),
            TODAY,
            lost_because="No",
            spiced=tuple(spiced),
        )
        outcome = decide_move(facts)
        assert (outcome.value is None) == (kind != "lost" and len(spiced) < needed)
        if outcome.value is not None:
            assert outcome.value.move is not Move.NONE


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_words_are_filled_in_on_the_pages_of_lead_and_deal(
    cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client]
) -> None:
    deal = make_deal()
    lead = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena")
    ana = client_of("ana")
    for address in (f"/deals/{deal.pk}/", f"/leads/{lead.pk}/"):
        page = ana.get(address).content.decode()
        assert "0 of 5 known" in page
        assert f'href="{address}spiced/"' in page
        answer = ana.post(f"{address}spiced/", {"pain": "Slow", "critical_event_on": "2026-09-01"})
        assert (answer.status_code, answer.headers["Location"]) == (302, address)
        page = ana.get(address).content.decode()
        assert "1 of 5 known" in page
        assert "Slow" in page
        assert "What troubles them" not in page
    seen = client_of("finn").get(f"/deals/{deal.pk}/").content.decode()
    assert "1 of 5 known" in seen
    assert "spiced/" not in seen


def test_whoever_is_slower_loses_nothing(cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client]) -> None:
    deal = make_deal()
    set_deal_spiced(actor=cast.actor("sam"), deal_id=deal.pk, at=NOW, pain="Theirs")
    answer = client_of("ana").post(
        f"/deals/{deal.pk}/spiced/", {"pain": "Mine", "seen_at": (NOW - timedelta(days=1)).isoformat()}
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Now it says: Theirs" in page
    assert ">\nMine</textarea>" in page
    assert DealSpiced.objects.get().pain == "Theirs"


def test_lists_show_and_filter_by_what_is_known(
    cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client]
) -> None:
    full, none = make_deal(name="Full one"), make_deal(name="Empty one")
    set_deal_spiced(actor=cast.actor("ana"), deal_id=full.pk, at=NOW, **WORDS)
    ana = client_of("ana")
    page = ana.get("/deals/?spiced_min=4").content.decode()
    assert "Full one" in page
    assert "Empty one" not in page
    assert none.pk
    answer = ana.get("/api/v1/deals/?ordering=name").json()["results"]
    assert {row["name"]: row["spiced_filled"] for row in answer} == {"Full one": 5, "Empty one": 0}


@pytest.mark.parametrize("noun", ["leads", "deals"])
def test_programs_read_and_write_the_words(
    noun: str, cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client]
) -> None:
    row = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena") if noun == "leads" else make_deal()
    model: Any = LeadSpiced if noun == "leads" else DealSpiced
    ana, address = client_of("ana"), f"/api/v1/{noun}/{row.pk}/spiced/"
    assert (ana.get(address).json()["filled"], ana.get(address).json()["updated_at"]) == (0, None)
    answer = ana.patch(address, {"pain": "Slow"}, content_type="application/json")
    assert (answer.status_code, answer.json()["filled"], answer.json()["pain"]) == (200, 1, "Slow")
    late = {"pain": "Late", "seen_at": (NOW - timedelta(days=1)).isoformat()}
    assert ana.patch(address, late, content_type="application/json").status_code == 409
    assert client_of("alba").patch(address, {"pain": "x"}, content_type="application/json").status_code == 404
    assert client_of("finn").patch(address, {"pain": "x"}, content_type="application/json").status_code == 403
    assert model.objects.get().pain == "Slow"


def test_from_the_lead_to_the_deal_on_the_pages(cast: Cast, client_of: Callable[[str], Client]) -> None:
    sam = client_of("sam")
    lead = create_lead(actor=cast.actor("sam"), at=NOW, name="Lena", company="Lagoon")
    set_lead_spiced(actor=cast.actor("sam"), lead_id=lead.pk, at=NOW, pain="Slow")
    answer = sam.post(f"/leads/{lead.pk}/convert/", {"account_name": "Lagoon"})
    assert answer.headers["Location"] == f"/deals/new/?lead={lead.pk}"
    stage = Stage.objects.filter(kind="open")[0]
    posted = {"name": "Lagoon", "currency": "USD", "stage": stage.pk, "owner": cast.ana.pk}
    assert sam.post(f"/deals/new/?lead={lead.pk}", posted).status_code == 302
    deal = Deal.objects.get()
    assert (deal.owner, deal.lead, deal.spiced.pain) == (cast.ana, lead, "Slow")
    assert [(row.person, row.share_bp, row.is_overlay) for row in deal.splits.all()] == [(cast.sam, 10_000, True)]


def test_a_reason_is_chosen_typed_or_both(cast: Cast, client_of: Callable[[str], Client]) -> None:
    ana = client_of("ana")
    first = DisqualifyReason.objects.filter(is_active=True)[0].name
    for posted, kept in (
        ({"reason": first}, first),
        ({"because": "They moved"}, "They moved"),
        ({"reason": first, "because": "They moved"}, f"{first}: They moved"),
    ):
        lead = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena")
        address = f"/leads/{lead.pk}/status/"
        assert ana.post(address, {"status": "disqualified"}).status_code == 422
        assert ana.post(address, {"status": "disqualified"} | posted).status_code == 302
        lead.refresh_from_db()
        assert (lead.status, lead.disqualified_because) == ("disqualified", kept)
        set_status(actor=cast.actor("ana"), lead_id=lead.pk, status="working", at=LATER)
        assert Lead.objects.get(pk=lead.pk).disqualified_because == ""
    long = {"status": "disqualified", "reason": first, "because": "x" * 199}
    assert ana.post(f"/leads/{lead.pk}/status/", long).status_code == 422
    DisqualifyReason.objects.update(is_active=False)
    page = ana.get(f"/leads/{lead.pk}/status/").content.decode()
    assert 'name="because"' in page
    assert 'name="reason"' not in page
