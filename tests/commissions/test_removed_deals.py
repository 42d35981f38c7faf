"""A won deal that is removed in its source books no more; what it paid in a locked period is taken back in an open one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client

from salesops.commissions.models import Adjustment, Statement, StatementChange, Transaction
from salesops.commissions.services.transaction_imports import (
    TransactionRecord,
    remove_transactions,
    restore_transactions,
    upsert_transactions,
)
from salesops.core.actor import system_actor
from salesops.core.upserts import Fate
from salesops.deals.models import Deal
from salesops.deals.services.removal import merge_deals, remove_deals, restore_deals
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, second_quarter, statement_of, won
from tests.commissions.test_adjustments import first_quarter, locked

pytestmark = pytest.mark.django_db
SYSTEM = system_actor("HubSpot")


def remove(*deals: Deal) -> None:
    remove_deals(pks=[deal.pk for deal in deals], actor=SYSTEM, because="Deleted in HubSpot.", at=NOW)


def test_an_open_period_pays_nothing_for_it_until_it_is_restored(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00, name="Stays")
    gone = won(cast, "ana", 2_000_00, name="Goes")
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 240_00
    remove(gone)
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 80_00
    assert Transaction.objects.get(deal=gone).is_void
    assert [line["cause"] for line in StatementChange.objects.get().lines] == ["deal_removed"]
    restore_deals(pks=[gone.pk], actor=SYSTEM, at=NOW)
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 240_00
    assert not Transaction.objects.get(deal=gone).is_void


def test_a_deal_removed_before_it_was_ever_booked_makes_no_booking(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    remove(won(cast, "ana", 1_000_00))
    calculated(cast)
    assert not Transaction.objects.exists()


def test_what_a_locked_period_paid_is_taken_back_in_the_open_one_and_given_again(
    cast: Cast, client_of: Callable[[str], Client]
) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 2))
    locked(cast, first_quarter())
    stood = Statement.objects.values().get()
    remove(deal)
    calculated(cast)
    row = Adjustment.objects.get(kind="late")
    assert (row.amount_minor, row.cause, row.person, row.period) == (-80_00, "deal_removed", cast.ana, second_quarter())
    assert Statement.objects.filter(pk=stood["id"]).values().get() == stood
    page = client_of("ana").get(f"/commissions/statements/{statement_of(cast, 'ana').pk}/").content.decode()
    assert "2026Q1 was paid for a deal that was removed in its source since." in page
    restore_deals(pks=[deal.pk], actor=SYSTEM, at=NOW)
    calculated(cast)
    assert not Adjustment.objects.filter(kind="late").exists()


def test_transactions_of_a_merged_deal_are_the_others_and_its_booking_is_not(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    loser, winner = won(cast, "ana", 1_000_00, name="Twice"), won(cast, "ana", 1_000_00, name="Once")
    calculated(cast)
    paid = Transaction.objects.create(
        source_key="stripe:1", kind="payment", effective_on=date(2026, 5, 5), amount_minor=5, currency="USD", deal=loser,
        recorded_at=NOW,
    )  # fmt: skip
    merge_deals(loser=loser.pk, winner=winner.pk, actor=SYSTEM, at=NOW)
    paid.refresh_from_db()
    assert paid.deal == winner
    assert Transaction.objects.get(source_key=f"deal:{loser.pk}:booking").deal_id == loser.pk
    calculated(cast)
    assert Transaction.objects.get(source_key=f"deal:{loser.pk}:booking").is_void
    assert not Transaction.objects.get(source_key=f"deal:{winner.pk}:booking").is_void


def test_a_transaction_gone_in_its_source_counts_no_more_until_it_is_told_again(cast: Cast) -> None:
    def record(key: str, minor: int, **more: object) -> TransactionRecord:
        return TransactionRecord(
            source_key=key, kind="invoice", effective_on=date(2026, 5, 5), amount_minor=minor, currency="USD",
            credited_to_id=cast.ana.pk, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    def bring(*records: TransactionRecord) -> list[Fate]:
        result = upsert_transactions(records=records, actor=SYSTEM, source="stripe", at=NOW)
        return [one.fate for one in result.outcomes]

    early = upsert_transactions(records=[record("r1", -5, reverses="i1")], actor=SYSTEM, source="stripe", at=NOW)
    assert early.refused == 1
    assert "“i1”, which it takes back, is not there" in str(early.problems[0].message)
    assert bring(record("i1", 5), record("r1", -5, reverses="i1")) == [Fate.CREATED, Fate.CREATED]
    invoice, refund = Transaction.objects.order_by("pk")
    options = {"actor": SYSTEM, "because": "Deleted in Stripe.", "at": NOW}
    assert remove_transactions(pks=[invoice.pk], **options).refused == 1  # type: ignore[arg-type]
    result = remove_transactions(pks=[refund.pk], **options)  # type: ignore[arg-type]
    assert [one.fate for one in result.outcomes] == [Fate.CHANGED]
    refund.refresh_from_db()
    assert refund.is_void
    assert bring(record("r1", -5, reverses="i1")) == [Fate.CHANGED]
    refund.refresh_from_db()
    assert (refund.is_void, refund.attributes) == (False, {})
    assert bring(record("r1", -5, reverses="i1")) == [Fate.UNCHANGED]
    Transaction.objects.filter(pk=refund.pk).update(is_void=True)
    assert restore_transactions(pks=[refund.pk], actor=SYSTEM, at=NOW).refused == 1
