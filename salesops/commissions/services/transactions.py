"""Keeps transactions in step with the deals they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Credit, Period, Transaction
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal

_FIELDS = ("account_id", "product_id", "effective_on", "amount_minor", "currency", "is_void")
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class SyncCount:
    """How many transactions were created, changed, and no longer count."""

    created: int = 0
    changed: int = 0
    voided: int = 0


def booking_key(deal_id: int) -> str:
    """The source key of a deal's booking: one for each deal, for ever."""
    return f"deal:{deal_id}:booking"


@transaction.atomic
def sync_bookings(*, period: Period, at: datetime) -> SyncCount:
    """Write a booking for each deal won in the period, mend those that differ, void those that no longer count.

    A deal counts on its `closed_on`, a day in the company's time zone. Runs over the whole period in batches; writes
    nothing where nothing changed. Transactions that belong to a locked statement are brought up to date as well: what
    was paid stands in the statement, not here.
    """
    count = SyncCount()
    won = Deal.objects.filter(kind=StageKind.WON, closed_on__gte=period.start_on, closed_on__lt=period.end_on)
    rows = won.order_by("pk").values_list("pk", "account_id", "product_id", "closed_on", "amount_minor", "currency")
    for batch in _batches(rows.iterator(chunk_size=_BATCH)):
        count = _write(batch, count, at)
    gone = Transaction.objects.filter(
        kind=TransactionKind.BOOKING,
        effective_on__gte=period.start_on,
        effective_on__lt=period.end_on,
        deal__isnull=False,
        is_void=False,
    ).exclude(Exists(won.filter(pk=OuterRef("deal_id"))))
    moved = []
    for row in gone.select_related("deal"):
        deal = row.deal
        if deal is not None and deal.kind == StageKind.WON and deal.closed_on is not None:
            row.effective_on = deal.closed_on
        else:
            row.is_void = True
        row.updated_at = at
        moved.append(row)
    Transaction.objects.bulk_update(moved, ["effective_on", "is_void", "updated_at"], batch_size=_BATCH)
    return replace(count, voided=len(moved))


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


def _batches(rows: Iterator[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    batch: list[tuple[object, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(batch: list[tuple[object, ...]], count: SyncCount, at: datetime) -> SyncCount:
    """Create or mend the transactions of one batch of deals."""
    wanted = {booking_key(int(str(row[0]))): row for row in batch}
    stored = {row.source_key: row for row in Transaction.objects.filter(source_key__in=wanted)}
    new, changed = [], []
    for key, (deal_id, account_id, product_id, closed_on, amount, currency) in wanted.items():
        values = dict(zip(_FIELDS, (account_id, product_id, closed_on, amount, currency, False), strict=True))
        row = stored.get(key)
        if row is None:
            new.append(
                Transaction(
                    source_key=key,
                    deal_id=int(str(deal_id)),
                    kind=TransactionKind.BOOKING,
                    recorded_at=at,
                    updated_at=at,
                    **values,
                )
            )
        elif any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = at
            changed.append(row)
    Transaction.objects.bulk_create(new)
    Transaction.objects.bulk_update(changed, [*_FIELDS, "updated_at"])
    return replace(count, created=count.created + len(new), changed=count.changed + len(changed))
