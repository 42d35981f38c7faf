"""Brings transactions into the portal from outside, in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import Change, change_of, record_many
from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Transaction
from salesops.commissions.selectors.transactions import is_of_deal
from salesops.commissions.services.recording import Around, around, check_transaction, take_place, with_months
from salesops.core.actor import Actor, Role
from salesops.core.upserts import (
    UNSET,
    Fate,
    Merged,
    RecordOutcome,
    Unset,
    UpsertResult,
    Wanted,
    batches,
    existing_by,
    merge_rows,
)

#: Columns that a record sets as they are.
_COPIED: Final = ("kind", "effective_on", "amount_minor", "currency", "quantity")
#: Among the attributes of a transaction that no longer counts: that it was removed in its source, and why.
_REMOVED: Final = "removed_because"
_PLACES: Final = ("deal_id", "account_id", "product_id", "credited_to_id")


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """Something that happened, as a source tells it, with references looked up; found again by its source key, or by `pk`
    where it is known, and then it keeps its source key.

    reverses: the source key of what is taken back. Amounts are minor units of `currency`. What is UNSET is left alone.
    """

    source_key: str
    kind: str | Unset = UNSET
    effective_on: date | Unset = UNSET
    amount_minor: int | Unset = UNSET
    currency: str | Unset = UNSET
    quantity: int | Unset | None = UNSET
    deal_id: int | Unset | None = UNSET
    account_id: int | Unset | None = UNSET
    product_id: int | Unset | None = UNSET
    credited_to_id: int | Unset | None = UNSET
    reverses: str | Unset | None = UNSET
    term_months: int | Unset | None = UNSET
    pk: int | None = None


@dataclass(slots=True)
class _Known:
    """The transactions that a batch may meet, by source key: those stored and those that its records make; and what is
    around them."""

    rows: dict[str, Transaction]
    around: Around
    preview: bool


def upsert_transactions(
    *, records: Sequence[TransactionRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring transactions in; rows that say what is already so are left alone, so the same file again changes nothing.

    What takes something back comes after what it takes back, whatever their order among the records; a record whose
    original is not there is refused with the reason. Raises PermissionDenied.
    """
    _need_importer(actor)
    result = UpsertResult()
    with transaction.atomic():
        for batch in batches(_with_own_keys(records, result)):
            _batch(
                actor,
                [each for each in batch if not result.is_refused(each[0])],
                source,
                at,
                preview,
                result,
            )
    return result.in_order()


def _with_own_keys(records: Sequence[TransactionRecord], result: UpsertResult) -> list[TransactionRecord]:
    """The records, each with the source key of the row that it names by its `pk`: one query where any does."""
    named = {record.pk for record in records if record.pk is not None}
    keys = dict(Transaction.objects.filter(pk__in=named).values_list("pk", "source_key")) if named else {}
    for position, record in enumerate(records):
        if record.pk is not None and record.pk not in keys:
            result.refuse(position, _("What this refers to does not exist."))
    return [
        record if record.pk is None else replace(record, source_key=keys.get(record.pk, record.source_key))
        for record in records
    ]


def remove_transactions(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Let transactions no longer count that are gone in their source; they stay readable, and are there again when they are
    told again.

    What something that counts takes back is refused, as is what follows a deal. Raises PermissionDenied.
    """
    _need_importer(actor)
    return _count(pks, actor, because, at, is_void=True)


def restore_transactions(*, pks: Sequence[int], actor: Actor, because: str = "", at: datetime) -> UpsertResult:
    """Let transactions count again that were removed in their source; what was voided by hand is refused.

    Raises PermissionDenied.
    """
    _need_importer(actor)
    return _count(pks, actor, because, at, is_void=False)


@transaction.atomic
def _count(pks: Sequence[int], actor: Actor, because: str, at: datetime, *, is_void: bool) -> UpsertResult:
    result = UpsertResult()
    rows = existing_by(Transaction.objects.all(), "pk", set(pks))
    taken_back = set(
        Transaction.objects.filter(reverses__in=rows, is_void=False)
        .exclude(pk__in=rows)
        .values_list("reverses_id", flat=True)
    )
    changed: dict[int, Transaction] = {}
    for position, pk in enumerate(pks):
        row = rows.get(pk)
        if row is None:
            result.refuse(position, _("What this refers to does not exist."))
        elif is_of_deal(row):
            result.refuse(position, _("It follows its deal: change the deal instead."))
        elif is_void and pk in taken_back:
            result.refuse(position, _("Something takes it back. Void that first."))
        elif not is_void and row.is_void and _REMOVED not in row.attributes:
            result.refuse(position, _("It was voided here. Give what happened instead a key of its own."))
        else:
            fate = Fate.UNCHANGED if row.is_void == is_void and pk not in changed else Fate.CHANGED
            if fate is Fate.CHANGED:
                row.is_void, row.updated_at = is_void, at
                row.attributes = {**row.attributes, _REMOVED: because} if is_void else without_removal(row.attributes)
                changed[pk] = row
            result.outcomes.append(RecordOutcome(position, fate, pk, str(row)))
    Transaction.objects.bulk_update(changed.values(), ["is_void", "attributes", "updated_at"], batch_size=500)
    record_many(
        actor=actor,
        changes=[
            change_of(
                row,
                action="transaction.voided" if is_void else "transaction.restored",
                before={"is_void": not is_void},
                after={"is_void": is_void},
                reason=because,
            )
            for row in changed.values()
        ],
        at=at,
    )
    return result.in_order()


def without_removal(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a transaction that is in its source."""
    return {name: value for name, value in attributes.items() if name != _REMOVED}


def _need_importer(actor: Actor) -> None:
    if not actor.has(Role.REVOPS, Role.FINANCE, Role.ADMIN):
        raise PermissionDenied(_("Only revenue operations, finance and administrators bring transactions in."))


def _batch(
    actor: Actor,
    batch: Sequence[tuple[int, TransactionRecord]],
    source: str,
    at: datetime,
    preview: bool,
    result: UpsertResult,
) -> None:
    keys = {record.source_key for _position, record in batch}
    keys |= {record.reverses for _position, record in batch if isinstance(record.reverses, str)}
    rows = existing_by(Transaction.objects.select_related("reverses"), "source_key", keys, lock=not preview)
    deals = {record.deal_id for _position, record in batch if isinstance(record.deal_id, int)}
    deals |= {row.deal_id for row in rows.values() if row.deal_id is not None}
    known = _Known(rows, around(deals, {row.pk for row in rows.values()}), preview)
    waiting = list(batch)
    while waiting:
        # Each key once in a round, and what is taken back before what takes it back.
        now: dict[str, tuple[int, TransactionRecord]] = {}
        coming = {record.source_key for _position, record in waiting}
        later: list[tuple[int, TransactionRecord]] = []
        for position, record in waiting:
            waits = record.reverses in coming and record.reverses != record.source_key
            if record.source_key in now or waits:
                later.append((position, record))
            else:
                now[record.source_key] = (position, record)
        if not now:  # they wait for each other
            now = {record.source_key: (position, record) for position, record in later}
            later = [each for each in later if each not in now.values()]
        _round(actor, list(now.values()), known, source, at, result)
        waiting = later


def _round(
    actor: Actor,
    records: Sequence[tuple[int, TransactionRecord]],
    known: _Known,
    source: str,
    at: datetime,
    result: UpsertResult,
) -> None:
    """Compare and write records with different keys."""
    wanted = []
    for position, record in records:
        try:
            wanted.append(_wanted(position, record, known, actor, at))
        except ValidationError as error:
            result.refuse_for(position, error)
    taken = merge_rows(Transaction, wanted, known.rows, result=result, preview=known.preview)
    for merged in taken:
        known.rows[merged.row.source_key] = merged.row
    if not known.preview:
        written = [merged for merged in taken if merged.fate is not Fate.UNCHANGED]
        record_many(actor=actor, changes=[_change(each, source) for each in written], at=at)


def _wanted(position: int, record: TransactionRecord, known: _Known, actor: Actor, at: datetime) -> Wanted:
    """The row that a record asks for, checked as a whole. Raises ValidationError by field."""
    row = known.rows.get(record.source_key)
    made = _as_told(record, row)
    original = None
    if isinstance(record.reverses, str) and record.reverses:
        original = known.rows.get(record.reverses)
        if original is None:
            raise ValidationError(
                {
                    "reverses": _("“%(key)s”, which it takes back, is not there. Bring that in first, then try again.")
                    % {"key": record.reverses}
                }
            )
        if row is not None and row.pk and row.reverses_id != original.pk:
            raise ValidationError({"reverses": _("What a transaction takes back cannot be changed afterwards.")})
    elif row is not None and row.reverses_id is not None:
        original = row.reverses
    take_place(made, original, known.around)
    if made.credited_to_id is not None and made.credited_to_id == actor.user_id:
        raise ValidationError({"credited_to": _("It is your own pay: somebody else must bring it in.")})
    check_transaction(made, original, known.around)
    values: dict[str, Any] = {name: getattr(made, name) for name in (*_COPIED, *_PLACES)}
    values |= {"source_key": made.source_key, "attributes": without_removal(made.attributes)}
    if row is not None and row.is_void and _REMOVED in row.attributes:
        values["is_void"] = False
    if row is None:
        # In a preview what is taken back may not be stored yet.
        values["reverses_id"] = original.pk if original is not None else None
    elif row.is_void and "is_void" not in values and any(getattr(row, name) != value for name, value in values.items()):
        raise ValidationError({"source_key": _("It was voided here. Give what happened instead a key of its own.")})
    return Wanted(position, record.source_key, values, defaults={"recorded_at": at})


def _as_told(record: TransactionRecord, row: Transaction | None) -> Transaction:
    """The row as the record wants it: what it leaves out as it stands, of a new one as it usually is. Not saved.

    Raises ValidationError for a new one that lacks its day or its amount, and for no key.
    """
    if not record.source_key.strip():
        raise ValidationError({"source_key": _("A transaction needs the key it has in its source.")})
    if row is None:
        missing = {
            name: _("A new transaction needs it.")
            for name in ("effective_on", "amount_minor")
            if getattr(record, name) in (UNSET, None)
        }
        if missing:
            raise ValidationError(missing)
    stood: Mapping[str, Any] = (
        {name: getattr(row, name) for name in (*_COPIED, *_PLACES)}
        if row is not None
        else {"kind": TransactionKind.BOOKING.value, "currency": settings.COMPANY_CURRENCY, "quantity": 1}
    )
    given = {
        name: value
        for name in (*_COPIED, *_PLACES)
        if not isinstance(value := getattr(record, name), Unset) and not (name in _COPIED and value is None)
    }
    made = Transaction(
        pk=row.pk if row is not None else None, source_key=record.source_key.strip(), **{**stood, **given}
    )
    made.attributes = dict(row.attributes) if row is not None else {}
    if not isinstance(record.term_months, Unset):
        made.attributes = with_months(made.attributes, record.term_months)
    return made


def _change(merged: Merged[Transaction], source: str) -> Change:
    return Change(
        action="transaction.recorded" if merged.fate is Fate.CREATED else "transaction.changed",
        subject_type="commissions.transaction",
        subject_id=merged.row.pk,
        subject_label=str(merged.row),
        before=merged.before,
        after=merged.after,
        reason=source,
    )
