"""Keeps transactions in step with the deals they come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce

from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Credit, Period, Transaction
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal

#: Columns of a booking that are its deal's, and the deal's names of them.
_OF_THE_DEAL: Final = {
    "account_id": "account_id",
    "product_id": "product_id",
    "effective_on": "closed_on",
    "amount_minor": "amount_minor",
    "currency": "currency",
}
_BATCH: Final = 2_000


@dataclass(frozen=True, slots=True)
class SyncCount:
    """How many transactions were created, changed, and no longer count in the period."""

    created: int = 0
    changed: int = 0
    voided: int = 0


def booking_key(deal_id: int) -> str:
    """The source key of a deal's booking: one for each deal, for ever."""
    return f"deal:{deal_id}:booking"


@transaction.atomic
def sync_bookings(*, period: Period, at: datetime) -> SyncCount:
    """Write a booking for each deal won in the period, mend those that differ, void those that no longer count.

    A deal that was removed in its source is not won. A deal counts on its `closed_on`, a day in the company's time zone. New bookings are made and differing ones found by
    the database; writes nothing where nothing changed. Transactions that belong to a locked statement are brought up to
    date as well: what was paid stands in the statement, not here.
    """
    return SyncCount(created=_create(period, at), changed=_mend(period, at), voided=_leave(period, at))


def _create(period: Period, at: datetime) -> int:
    """Bookings for the deals won in the period that have none."""
    empty = "'{}'::jsonb" if connection.vendor == "postgresql" else "'{}'"
    columns = ", ".join(_OF_THE_DEAL)
    of_deal = ", ".join(f"d.{name}" for name in _OF_THE_DEAL.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO commissions_transaction
                (source_key, kind, deal_id, {columns}, quantity, attributes, is_void, recorded_at, updated_at)
            SELECT 'deal:' || d.id || ':booking', %s, d.id, {of_deal}, 1, {empty}, %s, %s, %s
            FROM deals_deal d
            WHERE d.removed_at IS NULL AND d.kind = %s AND d.closed_on >= %s AND d.closed_on < %s AND NOT EXISTS (
                SELECT 1 FROM commissions_transaction t WHERE t.source_key = 'deal:' || d.id || ':booking')
            ORDER BY d.id""",  # noqa: S608 - names of our own columns
            [
                TransactionKind.BOOKING.value,
                False,
                connection.ops.adapt_datetimefield_value(at),
                connection.ops.adapt_datetimefield_value(at),
                StageKind.WON.value,
                connection.ops.adapt_datefield_value(period.start_on),
                connection.ops.adapt_datefield_value(period.end_on),
            ],
        )
        return int(cursor.rowcount)


def _bookings() -> Q:
    """What comes from deals."""
    return Q(kind=TransactionKind.BOOKING, deal__isnull=False, source_key__startswith="deal:")


def _mend(period: Period, at: datetime) -> int:
    """Bookings of the deals won in the period that say something else than their deals."""
    differs = Q(is_void=True)
    for own, of_deal in _OF_THE_DEAL.items():
        if own.endswith("_id"):
            differs |= ~Q(**{f"{own}_or_none": Coalesce(F(f"deal__{of_deal}"), Value(0))})
        else:
            differs |= ~Q(**{own: F(f"deal__{of_deal}")})
    rows = Transaction.objects.filter(
        _bookings(),
        deal__removed_at__isnull=True,
        deal__kind=StageKind.WON,
        deal__closed_on__gte=period.start_on,
        deal__closed_on__lt=period.end_on,
    ).annotate(**{f"{own}_or_none": Coalesce(F(own), Value(0)) for own in _OF_THE_DEAL if own.endswith("_id")})
    changed = list(rows.filter(differs).select_related("deal").order_by("pk"))
    for row in changed:
        for own, of_deal in _OF_THE_DEAL.items():
            setattr(row, own, getattr(row.deal, of_deal))
        row.is_void, row.updated_at = False, at
    Transaction.objects.bulk_update(changed, [*_OF_THE_DEAL, "is_void", "updated_at"], batch_size=_BATCH)
    return len(changed)


def _leave(period: Period, at: datetime) -> int:
    """Bookings in the period whose deals are not won in it: they move with the deal, or no longer count."""
    won = Deal.objects.filter(kind=StageKind.WON, closed_on__gte=period.start_on, closed_on__lt=period.end_on)
    gone = Transaction.objects.filter(
        _bookings(), effective_on__gte=period.start_on, effective_on__lt=period.end_on, is_void=False
    ).exclude(Exists(won.filter(pk=OuterRef("deal_id"))))
    moved = list(gone.select_related("deal"))
    for row in moved:
        deal = row.deal
        if deal is not None and not deal.is_removed and deal.kind == StageKind.WON and deal.closed_on is not None:
            row.effective_on = deal.closed_on
        else:
            row.is_void = True
        row.updated_at = at
    Transaction.objects.bulk_update(moved, ["effective_on", "is_void", "updated_at"], batch_size=_BATCH)
    return len(moved)


def paid_elsewhere(period: Period) -> tuple[str, ...]:
    """Source keys of transactions that count in a period and whose money another, locked period already settled.

    They are left out, so that a deal that moves to another month is not paid twice.
    """
    rows = Transaction.objects.filter(
        effective_on__gte=period.start_on, effective_on__lt=period.end_on, is_void=False
    ).filter(
        Exists(
            Credit.objects.filter(transaction=OuterRef("pk"), locked_at__isnull=False).exclude(statement__period=period)
        )
    )
    return tuple(rows.order_by("source_key").values_list("source_key", flat=True))
