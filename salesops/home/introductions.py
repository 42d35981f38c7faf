"""Introduces rooms to each other that do not know one another: imports bring quotas, people on plans and
transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from salesops.commissions.models import Plan, Transaction
from salesops.commissions.services.imports import PlanPersonRecord, QuotaRecord, upsert_plan_people, upsert_quotas
from salesops.commissions.services.transaction_imports import (
    TransactionRecord,
    remove_transactions,
    restore_transactions,
    upsert_transactions,
)
from salesops.connectors.destinations import Destination, Named, Shown, introduce, introduce_candidates
from salesops.connectors.rules.convert import Record
from salesops.connectors.rules.fields import LookupKind


def _quota(record: Record) -> QuotaRecord:
    return QuotaRecord(**record.flat())


def _person_on_plan(record: Record) -> PlanPersonRecord:
    values: dict[str, Any] = record.flat()
    return PlanPersonRecord(**values)


def _transaction(record: Record) -> TransactionRecord:
    values: dict[str, Any] = record.flat()
    return TransactionRecord(**values)


_TRANSACTION: Final = Shown(
    Transaction,
    (
        "source_key", "kind", "effective_on", "amount_minor", "currency", "quantity", "account_id", "deal_id", "product_id",
        "credited_to_id",
    ),
)  # fmt: skip


def _plans() -> Sequence[Named]:
    return [Named(pk, {"name": name}) for pk, name in Plan.objects.values_list("pk", "name")]


def introduce_rooms() -> None:
    """Called once, when all rooms are loaded."""
    introduce("quotas", Destination(_quota, upsert_quotas))
    introduce("commission_rates", Destination(_person_on_plan, upsert_plan_people))
    introduce(
        "transactions",
        Destination(_transaction, upsert_transactions, remove_transactions, restore_transactions, shown=_TRANSACTION),
    )
    introduce_candidates(LookupKind.PLAN, _plans)
