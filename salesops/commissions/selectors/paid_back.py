"""Finds deals of which something was paid back, for the deals room below."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Transaction

#: Kinds of transactions that take back what was sold.
TAKEN_BACK: Final = (TransactionKind.CANCELLATION, TransactionKind.REFUND, TransactionKind.CREDIT_NOTE)


def deals_paid_back(deal_ids: Collection[int]) -> set[int]:
    """Those of these deals with a cancellation, refund or credit note that counts."""
    rows = Transaction.objects.filter(deal__in=deal_ids, kind__in=TAKEN_BACK, is_void=False)
    return set(rows.order_by().values_list("deal_id", flat=True))
