"""Where records of each kind go and what their rows are read back as; owners are found and never made."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from salesops.accounts.models import Account, Contact, Subscription
from salesops.activities.models import Activity
from salesops.connectors.destinations import destination_of, kinds_taken
from salesops.connectors.rules.convert import Answer, Converter, Lookup
from salesops.connectors.rules.fields import KINDS, LookupKind
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit
from salesops.connectors.rules.tables import Checkpoint, Row
from salesops.core.actor import system_actor
from salesops.core.upserts import Fate
from salesops.deals.models import Deal, DealSplit, Product, Stage, StageChange
from salesops.leads.models import Lead
from salesops.people.imports import OwnerRecord, match_owners
from salesops.people.models import User
from tests.cast import NOW, TODAY, Cast

pytestmark = pytest.mark.django_db
SYSTEM = system_actor("HubSpot")


def bring(kind: str, cells: dict[str, str], found: dict[tuple[LookupKind, str], int] | None = None) -> list[Any]:
    """Convert one row of a source whose columns are called as the fields, and bring it in."""
    rules = tuple(
        FieldRule(code, column=code, rate_unit=RateUnit.PERCENT if code in ("share", "discount") else None)
        for code in cells
    )
    converter = Converter(Mapping(kind, rules), list(cells))
    row = Row(1, tuple(cells.values()), Checkpoint(0, 1, 0))
    answers = {Lookup(key[0], "any", key[1]): Answer(key=pk) for key, pk in (found or {}).items()}
    converted = converter.convert(row, answers)
    assert converted.record is not None, converted.problems
    destination = destination_of(kind)
    result = destination.upsert(records=[destination.make(converted.record)], actor=SYSTEM, source="hubspot", at=NOW)
    assert not result.problems, result.problems
    return [outcome.fate for outcome in result.outcomes]


@pytest.fixture
def deal(cast: Cast) -> Deal:
    stage, _made = Stage.objects.get_or_create(code="prospecting", defaults={"name": "Prospecting", "position": 1})
    return Deal.objects.create(
        name="Pilot", owner=cast.ana, stage=stage, amount_minor=100, created_at=NOW, term_months=12
    )


def test_owners_are_for_sources_only_and_every_kind_has_a_destination() -> None:
    assert "owners" not in kinds_taken()
    assert {"deal_lines", "deal_splits", "stage_changes", "activities", "subscriptions"} <= set(kinds_taken())
    assert all(destination_of(kind) for kind in KINDS)


def test_what_a_row_says_arrives(cast: Cast, deal: Deal) -> None:
    product = Product.objects.create(code="gtx", name="GTX", match_name="gtx")
    account = Account.objects.create(name="Gekko", match_name="gekko", created_at=NOW)
    refers = {
        (LookupKind.DEAL, "d1"): deal.pk,
        (LookupKind.PERSON, "ana"): cast.ana.pk,
        (LookupKind.PRODUCT, "gtx"): product.pk,
        (LookupKind.STAGE, "p"): deal.stage_id,
        (LookupKind.ACCOUNT, "g"): account.pk,
    }
    line = {
        "external_id": "1", "deal": "d1", "product": "gtx", "quantity": "2.5", "unit_price": "10.00", "discount": "10",
        "currency": "USD",
    }  # fmt: skip
    assert bring("deal_lines", line, refers) == [Fate.CREATED]
    assert deal.lines.values_list("quantity", "unit_price_minor", "discount_bp", "amount_minor").get() == (
        Decimal("2.5"),
        1_000,
        1_000,
        2_250,
    )
    assert bring("deal_splits", {"deal": "d1", "person": "ana", "share": "100"}, refers) == [Fate.CREATED]
    assert bring("deal_splits", {"deal": "d1", "person": "ana", "share": "100"}, refers) == [Fate.UNCHANGED]
    assert DealSplit.objects.get().share_bp == 10_000
    top = {"external_id": "t", "deal": "d1", "person": "ana", "share": "5", "function": "csm", "overlay": "true"}
    assert bring("deal_splits", top, refers) == [Fate.CREATED]
    assert DealSplit.objects.get(external_id="t").is_overlay
    change = {"external_id": "1", "deal": "d1", "to_stage": "p", "changed_at": "2026-06-01T12:00:00+02:00"}
    assert bring("stage_changes", change, refers) == [Fate.CREATED]
    assert StageChange.objects.get().changed_at == datetime(2026, 6, 1, 10, tzinfo=UTC)
    call = {
        "external_id": "1", "kind": "Phone call", "subject": "x" * 900, "person": "ana", "deal": "d1",
        "happened_at": "1781683200000", "duration_seconds": "90", "outcome": "Voicemail", "direction": "Outgoing",
    }  # fmt: skip
    assert bring("activities", call, refers) == [Fate.CREATED]
    row = Activity.objects.get()
    assert (row.kind, row.outcome, row.direction, row.duration_minutes, len(row.subject)) == (
        "call",
        "left_message",
        "outbound",
        2,
        200,
    )
    assert row.happened_at == datetime(2026, 6, 17, 8, tzinfo=UTC)
    paid = {"external_id": "s", "account": "g", "mrr": "99.00", "currency": "EUR", "start_on": "2026-01-01"}
    assert bring("subscriptions", paid, refers) == [Fate.CREATED]
    assert Subscription.objects.get().mrr_minor == 9_900


def test_a_source_that_does_not_know_of_consent_does_not_make_it_forgotten(cast: Cast) -> None:
    account = Account.objects.create(name="Gekko", match_name="gekko", created_at=NOW)
    refers = {(LookupKind.ACCOUNT, "g"): account.pk}
    for said, kept in (
        ("Unsubscribed", "refused"),
        ("Unknown", "refused"),
        ("", "refused"),
        ("Opted in", "given"),
        ("do not contact", "refused"),
    ):
        bring("contacts", {"external_id": "1", "name": "Lena", "account": "g", "consent": said}, refers)
        bring("leads", {"external_id": "1", "name": "Lena", "consent": said})
        assert (Contact.objects.get().consent, Lead.objects.get().consent) == (kept, kept), said
    assert destination_of("contacts").current([Contact.objects.get().pk]).popitem()[1]["consent"] == "refused"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01T12:00:00Z", "2026-06-01T12:00:00+00:00"),
        ("1780315200", "2026-06-01T12:00:00+00:00"),
        ("1780315200000", "2026-06-01T12:00:00+00:00"),
        ("2026-06-01 12:00", "2026-06-01T12:00:00"),
        ("2026-06-01", "2026-06-01T00:00:00"),
    ],
)
def test_moments_are_read_as_programs_write_them(text: str, moment: str) -> None:
    mapping = Mapping("activities", (FieldRule("external_id", column="id"), FieldRule("happened_at", column="at")))
    converted = Converter(mapping, ["id", "at"]).convert(Row(1, ("1", text), Checkpoint(0, 1, 0)), {})
    assert converted.record is not None, converted.problems
    assert converted.record.flat()["happened_at"].isoformat() == moment


def test_rows_are_read_back_in_the_names_of_records(cast: Cast, deal: Deal) -> None:
    destination = destination_of("deals")
    assert destination.current([deal.pk, 10**9]) == {
        deal.pk: {
            "external_id": "", "name": "Pilot", "account_id": None, "contact_id": None, "lead_id": None,
            "owner_id": cast.ana.pk, "product_id": None, "stage_id": deal.stage_id, "amount_minor": 100,
            "currency": "USD", "term_months": 12, "opened_on": None, "expected_close_on": None, "closed_on": None,
            "pod_id": None, "lost_because": "", "next_step": "", "note": "",
        }
    }  # fmt: skip
    assert destination.changed_since(deal.updated_at, 5) == [(deal.pk, deal.updated_at)]
    assert destination.changed_since(deal.updated_at.replace(year=2100), 5) == []
    lead = Lead.objects.create(name="Lou", created_at=NOW)
    assert destination_of("leads").current([lead.pk])[lead.pk]["created_on"] == TODAY
    assert destination_of("owners").edited([cast.ana.pk], since=NOW) == {}
    assert destination_of("owners").current([cast.ana.pk]) == {}
    for kind in KINDS:
        assert destination_of(kind).current([10**9]) == {}


def test_owners_are_found_by_address_else_by_name_and_never_made(cast: Cast) -> None:
    people = User.objects.count()
    User.objects.create(email="other@example.com", name="Sam Sorensen")
    result = match_owners(
        records=[
            OwnerRecord("ANA@example.com", "Somebody", "1"),
            OwnerRecord("x@example.com", "Alba Abe", "2"),
            OwnerRecord("new@example.com", "alba abe", "3"),
            OwnerRecord("", "Sam Sorensen", "4"),
            OwnerRecord("", "Nobody", "5"),
        ],
        actor=SYSTEM,
        source="hubspot",
        at=NOW,
    )
    assert result.pks == {0: cast.ana.pk, 1: cast.alba.pk}
    assert [str(problem.message) for problem in result.problems] == [
        "No person with the e-mail new@example.com: invite them or import people, then try again.",
        "Several people are called “Sam Sorensen”: their e-mail address must say who is meant.",
        "No person with the name Nobody: invite them or import people, then try again.",
    ]
    assert User.objects.count() == people + 1
    with pytest.raises(PermissionDenied):
        match_owners(records=[], actor=cast.actor("ana"), source="x", at=NOW)


def test_deals_bring_a_term_a_contact_and_a_lead(deal: Deal) -> None:
    record = {"external_id": "9", "name": "New", "term_months": "24"}
    assert bring("deals", record) == [Fate.CREATED]
    assert Deal.objects.get(external_id="9").term_months == 24
