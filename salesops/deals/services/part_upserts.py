"""Brings what hangs on deals in from outside: lines, shares and past changes of stage; takes lines and shares away again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.services.guards import check_may_import
from salesops.audit.services import Change, change_of, changed, record_many
from salesops.core.actor import Actor
from salesops.core.upserts import (
    UNSET,
    Fate,
    RecordOutcome,
    Unset,
    UpsertResult,
    Wanted,
    batches,
    existing_by,
    merge_rows,
    values_given,
)
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.deals.rules.amounts import (
    DROPPED_SHARES,
    WHOLE_BP,
    Share,
    deal_amount,
    line_amount,
    percent,
    problems_of_shares,
)
from salesops.deals.services.from_leads import plain_shares
from salesops.deals.services.guard import flag_imported
from salesops.deals.services.parts import plain_line
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.values.money import MoneyError, round_half_up

#: A change of stage that was seen here so soon after it happened in the source, or before, is the same one.
SAME_CHANGE: Final = timedelta(days=1)
#: Clocks of sources run ahead by so much at most.
_AHEAD: Final = timedelta(minutes=5)
_MISSING: Final = _("What this refers to does not exist.")


@dataclass(frozen=True, slots=True)
class DealLineRecord:
    """A line of a deal as a source tells it, found by `pk` or by the source and its `external_id`.

    Amounts are minor units of the deal's currency. Without an amount it is quantity × price × (1 − discount); without a
    price the amount is spread over the quantity.
    """

    external_id: str = ""
    deal_id: int | Unset = UNSET
    product_id: int | Unset | None = UNSET
    quantity: Decimal | Unset | None = UNSET
    unit_price_minor: int | Unset | None = UNSET
    discount_bp: int | Unset | None = UNSET
    amount_minor: int | Unset | None = UNSET
    currency: str | Unset | None = UNSET
    note: str | Unset = UNSET
    pk: int | None = None


@dataclass(frozen=True, slots=True)
class DealSplitRecord:
    """A share in a deal as a source tells it, in basis points; found by `pk`, by the source and its `external_id`, or as
    the share of that person in that function."""

    external_id: str = ""
    deal_id: int | Unset = UNSET
    person_id: int | Unset = UNSET
    share_bp: int | Unset = UNSET
    function: str | Unset = UNSET
    is_overlay: bool | Unset = UNSET
    pk: int | None = None


@dataclass(frozen=True, slots=True)
class StageChangeRecord:
    """A change of stage as a source remembers it, once by its `external_id`. The amount is what the deal stood at then."""

    external_id: str = ""
    deal_id: int | Unset = UNSET
    to_stage_id: int | Unset = UNSET
    from_stage_id: int | Unset | None = UNSET
    changed_at: datetime | Unset = UNSET
    changed_by_id: int | Unset | None = UNSET
    amount_minor: int | Unset | None = UNSET
    currency: str | Unset | None = UNSET
    pk: int | None = None


# --- Lines --------------------------------------------------------------------------------------------------------


def upsert_deal_lines(
    *, actor: Actor, records: Sequence[DealLineRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring lines in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    A deal whose amount was the sum of its lines, or nothing, follows them; one whose source says another amount keeps
    that. Each deal whose lines change leaves one audit entry. The same records again write nothing. Raises
    PermissionDenied unless the actor may change all deals.
    """
    check_may_import(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            _lines_batch(actor, batch, source, at, preview, result)
    return result.in_order()


def _lines_batch(
    actor: Actor,
    batch: Sequence[tuple[int, DealLineRecord]],
    source: str,
    at: datetime,
    preview: bool,
    result: UpsertResult,
) -> None:
    lock = not preview
    ids = {record.external_id for _p, record in batch if record.external_id and record.pk is None}
    keys = {record.pk for _p, record in batch if record.pk is not None}
    existing: dict[Any, DealLine] = {
        **existing_by(DealLine.objects.select_related("product").filter(source=source), "external_id", ids, lock=lock),
        **existing_by(DealLine.objects.select_related("product"), "pk", keys, lock=lock),
    }
    wanted_deals = {record.deal_id for _p, record in batch if isinstance(record.deal_id, int)}
    deals = _deals(wanted_deals | {row.deal_id for row in existing.values()}, lock=lock)
    before = _lines_of(deals)
    places = {pk: len(lines) for pk, lines in before.items()}
    wanted: list[Wanted] = []
    for position, record in batch:
        key: Any = record.external_id if record.pk is None else record.pk
        row = existing.get(key)
        if record.pk is not None and row is None:
            result.refuse(position, _MISSING)
            continue
        try:
            wanted.append(_wanted_line(position, key, record, row, deals, places, source))
        except ValidationError as error:
            result.refuse_for(position, error)
    products = Product.objects.in_bulk({want.values["product_id"] for want in wanted})

    def name_product(row: DealLine) -> None:
        # An outcome names its row, and a line is named by its product: known here, not asked for each.
        row.product = products[row.product_id]

    taken = merge_rows(DealLine, wanted, existing, result=result, preview=preview, check=name_product)
    if preview:
        return
    touched = {merged.row.deal_id for merged in taken if merged.fate is not Fate.UNCHANGED}
    touched |= {merged.before["deal_id"] for merged in taken if "deal_id" in merged.before}
    _follow_lines(actor, {pk: deals[pk] for pk in touched}, before, source, at)


def _wanted_line(
    position: int,
    key: Any,
    record: DealLineRecord,
    row: DealLine | None,
    deals: Mapping[int, Deal],
    places: dict[int, int],
    source: str,
) -> Wanted:
    """The row a record asks for. Raises ValidationError by column."""
    if not key:
        raise ValidationError({"external_id": _("A line needs the id it has in its source.")})
    deal = deals.get(record.deal_id if isinstance(record.deal_id, int) else row.deal_id if row else 0)
    if deal is None:
        raise ValidationError({"deal": _("A line needs a deal.")})
    if record.currency and record.currency != deal.currency:
        raise ValidationError(
            {
                "currency": _("The line is in %(line)s, its deal in %(deal)s.")
                % {"line": record.currency, "deal": deal.currency}
            }
        )
    product_id = record.product_id if isinstance(record.product_id, int) else row.product_id if row else None
    if product_id is None:
        raise ValidationError({"product": _("A line needs a product.")})
    quantity = _said(record.quantity, row.quantity if row else Decimal(1))
    discount = _said(record.discount_bp, row.discount_bp if row else 0)
    amount = _said(record.amount_minor, None)
    price = _said(record.unit_price_minor, None)
    if amount is None and price is None and row is None:
        raise ValidationError({"amount": _("A line needs a price or an amount.")})
    try:
        if price is None and row is not None:
            price = row.unit_price_minor
        elif price is None and amount is not None:
            price = round_half_up(Fraction(amount) / Fraction(quantity)) if quantity else amount
        is_same = row is not None and (row.quantity, row.unit_price_minor, row.discount_bp) == (
            quantity,
            price,
            discount,
        )
        counted = line_amount(quantity, price or 0, discount)
    except MoneyError as error:
        raise ValidationError(str(error)) from error
    if amount is None:
        amount = row.amount_minor if row is not None and is_same else counted
    values = {
        "deal_id": deal.pk,
        "product_id": product_id,
        "quantity": quantity,
        "unit_price_minor": price,
        "discount_bp": discount,
        "amount_minor": amount,
    }
    if isinstance(record.note, str):
        values["note"] = " ".join(record.note.split())[:200]
    if row is not None:
        return Wanted(position, key, values)
    places[deal.pk] = places.get(deal.pk, 0) + 1
    defaults = {"source": source, "external_id": record.external_id, "position": places[deal.pk]}
    return Wanted(position, key, values, defaults)


def _said(value: Any, otherwise: Any) -> Any:
    """What a record says, or what holds without it."""
    return otherwise if isinstance(value, Unset) or value is None else value


def remove_deal_lines(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Take lines off their deals; the audit of the deal keeps what they were. Amounts follow as in `upsert_deal_lines`.

    A line that is gone already is unchanged. Raises PermissionDenied unless the actor may change all deals.
    """
    check_may_import(actor)
    result = UpsertResult()
    with transaction.atomic():
        rows = DealLine.objects.filter(pk__in=set(pks)).order_by("pk").select_for_update(of=("self",)).in_bulk()
        deals = _deals({row.deal_id for row in rows.values()}, lock=True)
        before = _lines_of(deals)
        for position, pk in enumerate(pks):
            result.outcomes.append(RecordOutcome(position, Fate.CHANGED if pk in rows else Fate.UNCHANGED, pk))
        DealLine.objects.filter(pk__in=rows).delete()
        _follow_lines(actor, deals, before, because, at)
    return result


def _deals(pks: Collection[int], *, lock: bool) -> dict[int, Deal]:
    rows = Deal.every.filter(pk__in=pks).order_by("pk")
    return {row.pk: row for row in (rows.select_for_update(of=("self",)) if lock else rows)}


def _lines_of(deals: Collection[int]) -> dict[int, list[DealLine]]:
    found: dict[int, list[DealLine]] = defaultdict(list)
    for line in DealLine.objects.filter(deal__in=list(deals)).order_by("position", "pk"):
        found[line.deal_id].append(line)
    return found


def _follow_lines(
    actor: Actor, deals: Mapping[int, Deal], before: Mapping[int, list[DealLine]], source: str, at: datetime
) -> None:
    """After lines changed: amounts that follow them, versions, and the audit."""
    if not deals:
        return
    after = _lines_of(deals)
    changes: list[Change] = []
    for pk, deal in deals.items():
        old, new = before.get(pk, []), after.get(pk, [])
        was = {"lines": [plain_line(line) for line in old]}
        now: dict[str, Any] = {"lines": [plain_line(line) for line in new]}
        if new and deal.amount_minor in (0, sum(line.amount_minor for line in old)):
            amount = deal_amount(line.amount_minor for line in new)
            if amount != deal.amount_minor:
                was["amount_minor"], now["amount_minor"] = deal.amount_minor, amount  # type: ignore[assignment]
                deal.amount_minor = amount
        deal.version += 1
        deal.updated_at = at
        changes.append(change_of(deal, action="deal.lines_set", before=was, after=now, reason=source))
    Deal.every.bulk_update(deals.values(), ["amount_minor", "version", "updated_at"], batch_size=500)
    record_many(actor=actor, changes=changes, at=at)
    flag_imported(actor=actor, deals=[deal for deal in deals.values() if not deal.is_removed], at=at)


# --- Shares -------------------------------------------------------------------------------------------------------


def upsert_deal_splits(
    *, actor: Actor, records: Sequence[DealSplitRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring shares in, deal by deal: all of a deal's or none.

    The shares given for a deal must be 100 % by themselves, and then are all its shares; or together with those that the
    same source gave before. Otherwise each of them is refused, so that it can be tried again when the others are there.
    Shares on top are beside that. The same records again write nothing. Raises PermissionDenied unless the actor may
    change all deals.
    """
    check_may_import(actor)
    result = UpsertResult()
    ids = {record.external_id for record in records if record.external_id and record.pk is None}
    keys = {record.pk for record in records if record.pk is not None}
    found: dict[Any, DealSplit] = {
        **existing_by(DealSplit.objects.filter(source=source), "external_id", ids, lock=False),
        **existing_by(DealSplit.objects.all(), "pk", keys, lock=False),
    }
    of_deal: dict[int, list[tuple[int, DealSplitRecord]]] = defaultdict(list)
    for position, record in enumerate(records):
        row = found.get(record.external_id if record.pk is None else record.pk)
        deal_id = record.deal_id if isinstance(record.deal_id, int) else row.deal_id if row else None
        if deal_id is None or (record.pk is not None and row is None):
            result.refuse(position, _("A share needs a deal."), "deal")
        else:
            of_deal[deal_id].append((position, record))
    for batch in batches(list(of_deal.items()), 500):
        with transaction.atomic():
            _splits_batch(actor, dict(each for _index, each in batch), source, at, preview, result)
    return result.in_order()


@dataclass(slots=True)
class _Drafted:
    """A share as it should be: the record's position, the row that it is, and the columns that differ."""

    position: int
    row: DealSplit
    is_new: bool
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


def _splits_batch(
    actor: Actor,
    of_deal: Mapping[int, list[tuple[int, DealSplitRecord]]],
    source: str,
    at: datetime,
    preview: bool,
    result: UpsertResult,
) -> None:
    deals = _deals(of_deal.keys(), lock=not preview)
    rows: dict[int, list[DealSplit]] = defaultdict(list)
    for row in DealSplit.objects.filter(deal__in=deals).order_by("pk"):
        rows[row.deal_id].append(row)
    people = {
        record.person_id for given in of_deal.values() for _p, record in given if isinstance(record.person_id, int)
    }
    people |= {row.person_id for given in rows.values() for row in given}
    known = dict(User.objects.filter(pk__in=people).values_list("pk", "name"))
    gone: list[int] = []
    coming: list[DealSplit] = []
    changes: list[Change] = []
    written: list[Deal] = []
    told: list[tuple[_Drafted, Fate]] = []
    for deal_id, given in of_deal.items():
        deal = deals.get(deal_id)
        if deal is None:
            for position, _record in given:
                result.refuse(position, _MISSING, "deal")
            continue
        stood = rows[deal_id]
        before, was = plain_shares(stood), {row.pk: _values(row) for row in stood}
        said = {row.pk: _said_of(row) for row in stood}
        try:
            drafts, dropped = _drafts(deal, given, stood, source, known)
        except ValidationError as error:
            for position, _record in given:
                result.refuse_for(position, error)
            continue
        differing = [each for each in drafts if each.is_new or was[each.row.pk] != _values(each.row)]
        for each in drafts:
            told.append((each, Fate.CREATED if each.is_new else Fate.CHANGED if each in differing else Fate.UNCHANGED))
            each.before, each.after = changed({} if each.is_new else said[each.row.pk], _said_of(each.row))
        if differing and dropped:
            _tell_dropped(differing[0], dropped, known)
        if not differing and not dropped:
            continue
        # Out and in again under the same keys: two who change places would meet each other on the way.
        gone += [row.pk for row in dropped] + [each.row.pk for each in differing if not each.is_new]
        coming += [each.row for each in differing]
        kept = [row for row in stood if row not in dropped]
        after = plain_shares([*kept, *(each.row for each in drafts if each.is_new)])
        changes.append(change_of(deal, action="deal.splits_set", before=before, after=after, reason=source))
        written.append(deal)
    if not preview and written:
        DealSplit.objects.filter(pk__in=gone).delete()
        DealSplit.objects.bulk_create([row for row in coming if row.pk])
        DealSplit.objects.bulk_create([row for row in coming if not row.pk])
        _count_up(written, at)
        record_many(actor=actor, changes=changes, at=at)
    for each, fate in told:
        result.outcomes.append(
            RecordOutcome(each.position, fate, each.row.pk, known[each.row.person_id], each.before, each.after)
        )


def _drafts(
    deal: Deal,
    given: Sequence[tuple[int, DealSplitRecord]],
    stood: Sequence[DealSplit],
    source: str,
    known: Collection[int],
) -> tuple[list[_Drafted], list[DealSplit]]:
    """The shares that these records ask for, and the rows that have to go. Raises ValidationError when they are no whole."""
    free = {row.pk: row for row in stood}
    drafts: list[_Drafted] = []
    for position, record in given:
        row = free.pop(_row_of(record, free, source), None)
        is_new = row is None
        if row is None:
            row = DealSplit(deal=deal, function=JobFunction.AE, is_overlay=False, share_bp=0)
        for name, value in values_given(record, ("person_id", "share_bp", "function", "is_overlay")).items():
            setattr(row, name, value)
        if record.pk is None and record.external_id and not row.external_id:
            row.source, row.external_id = source, record.external_id
        if row.person_id is None or (isinstance(record.person_id, int) and record.person_id not in known):
            raise ValidationError({"person": _MISSING})
        if row.function not in JobFunction.values:
            raise ValidationError({"function": _("Choose a function from the list.")})
        drafts.append(_Drafted(position, row, is_new))
    whole = sum(each.row.share_bp for each in drafts if not each.row.is_overlay)
    others = [row for row in free.values() if not row.is_overlay]
    dropped: list[DealSplit] = []
    if any(not each.row.is_overlay for each in drafts):
        if whole == WHOLE_BP:
            dropped = others
        else:
            dropped = [row for row in others if not row.external_id or row.source != source]
            whole += sum(row.share_bp for row in others if row not in dropped)
    staying = [row for row in free.values() if row not in dropped]
    problems = problems_of_shares(
        [
            Share(row.person_id, row.function, row.share_bp, row.is_overlay)
            for row in (*staying, *(each.row for each in drafts))
        ]
    )
    if problems:
        raise ValidationError({"share": problems[0].text(translate)})
    return drafts, dropped


def _row_of(record: DealSplitRecord, free: Mapping[int, DealSplit], source: str) -> int:
    """The key of the row that a record means among those that no other record meant; 0 for none."""
    if record.pk is not None:
        return record.pk
    for row in free.values():
        if record.external_id and (row.source, row.external_id) == (source, record.external_id):
            return row.pk
    function = _said(record.function, JobFunction.AE)
    for row in free.values():
        is_other = record.external_id and row.external_id
        if not is_other and (row.person_id, row.function) == (record.person_id, function):
            return row.pk
    return 0


def _said_of(row: DealSplit) -> dict[str, Any]:
    """Who has how much of a deal, by column."""
    plain = {"person_id": row.person_id, "share_bp": row.share_bp, "function": row.function}
    return plain | ({"is_overlay": True} if row.is_overlay else {})


def _tell_dropped(draft: _Drafted, dropped: Sequence[DealSplit], known: Mapping[int, str]) -> None:
    """Say with a share which others it takes the place of: they have no record of their own."""
    shares = ", ".join(f"{known[row.person_id]} {percent(row.share_bp)} %" for row in dropped)
    draft.before, draft.after = {**draft.before, DROPPED_SHARES: shares}, {**draft.after, DROPPED_SHARES: None}


def _values(row: DealSplit) -> tuple[Any, ...]:
    return row.person_id, row.function, row.share_bp, row.is_overlay, row.source, row.external_id


def remove_deal_splits(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Take shares away, as far as those that remain are 100 % or none, when the owner has the whole; else they are refused.

    A share that is gone already is unchanged. Raises PermissionDenied unless the actor may change all deals.
    """
    check_may_import(actor)
    result = UpsertResult()
    with transaction.atomic():
        asked = DealSplit.objects.filter(pk__in=set(pks)).in_bulk()
        deals = _deals({row.deal_id for row in asked.values()}, lock=True)
        rows: dict[int, list[DealSplit]] = defaultdict(list)
        for row in DealSplit.objects.filter(deal__in=deals).order_by("pk"):
            rows[row.deal_id].append(row)
        gone: set[int] = set()
        refused: dict[int, str] = {}
        changes: list[Change] = []
        for pk, deal in deals.items():
            staying = [row for row in rows[pk] if row.pk not in asked]
            whole = sum(row.share_bp for row in staying if not row.is_overlay)
            if whole not in (0, WHOLE_BP):
                refused[pk] = translate("The shares that remain add up to %(total)s %%, not to 100 %%.") % {
                    "total": percent(whole)
                }
                continue
            gone |= {row.pk for row in rows[pk] if row.pk in asked}
            before, after = plain_shares(rows[pk]), plain_shares(staying)
            changes.append(change_of(deal, action="deal.splits_set", before=before, after=after, reason=because))
        for position, pk in enumerate(pks):
            row_asked = asked.get(pk)
            if row_asked is not None and row_asked.deal_id in refused:
                result.refuse(position, refused[row_asked.deal_id], "share")
            else:
                result.outcomes.append(RecordOutcome(position, Fate.CHANGED if pk in gone else Fate.UNCHANGED, pk))
        DealSplit.objects.filter(pk__in=gone).delete()
        _count_up([deal for pk, deal in deals.items() if pk not in refused], at)
        record_many(actor=actor, changes=changes, at=at)
    return result.in_order()


def _count_up(deals: Iterable[Deal], at: datetime) -> None:
    """A stale form of any of these deals is refused from now on."""
    Deal.every.filter(pk__in=[deal.pk for deal in deals]).update(version=F("version") + 1, updated_at=at)


# --- Changes of stage ---------------------------------------------------------------------------------------------


def upsert_stage_changes(
    *, actor: Actor, records: Sequence[StageChangeRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Add past changes of stage that a source remembers, each once: they are never changed afterwards.

    One that was seen here when the deal came in, within a day of it, is the same and not added again. Where the last one
    known from sources led to the stage in which the deal is, the deal stands there since then. Raises PermissionDenied
    unless the actor may change all deals.
    """
    check_may_import(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            _changes_batch(batch, source, at, preview, result)
    return result.in_order()


def _changes_batch(
    batch: Sequence[tuple[int, StageChangeRecord]], source: str, at: datetime, preview: bool, result: UpsertResult
) -> None:
    deals = _deals({record.deal_id for _p, record in batch if isinstance(record.deal_id, int)}, lock=not preview)
    stages = Stage.objects.in_bulk()
    ids = {record.external_id for _p, record in batch if record.external_id}
    by_id: dict[str, StageChange] = existing_by(
        StageChange.objects.filter(source=source), "external_id", ids, lock=False
    )
    past: dict[int, list[StageChange]] = defaultdict(list)
    for each in StageChange.objects.filter(deal__in=deals).order_by("changed_at", "pk"):
        past[each.deal_id].append(each)
    claimed: set[int] = set()
    told: list[tuple[int, Fate, StageChange]] = []
    coming: list[StageChange] = []
    # In the order of time, so that each knows what it followed.
    for position, record in sorted(batch, key=_in_time):
        row: StageChange | None = by_id.get(record.external_id)
        if row is None:
            try:
                row = _wanted_change(record, deals, stages, source, at)
            except ValidationError as error:
                result.refuse_for(position, error)
                continue
            seen = next((each for each in past[row.deal_id] if each.pk not in claimed and _is_same(each, row)), None)
            if seen is not None:
                claimed.add(seen.pk)
                told.append((position, Fate.UNCHANGED, seen))
                by_id[record.external_id] = seen
                continue
            before = [each for each in past[row.deal_id] if each.changed_at <= row.changed_at]
            if before and row.from_stage_id is None and record.from_stage_id is UNSET:
                row.from_stage_id = before[-1].to_stage_id
            if before:
                row.seconds_in_stage = int((row.changed_at - before[-1].changed_at).total_seconds())
            past[row.deal_id].append(row)
            past[row.deal_id].sort(key=lambda each: each.changed_at)
            by_id[record.external_id] = row
            coming.append(row)
            told.append((position, Fate.CREATED, row))
        else:
            told.append((position, Fate.UNCHANGED, row))
    if not preview:
        StageChange.objects.bulk_create(coming)
        _stand_since(deals, past, {row.deal_id for row in coming})
    for position, fate, row in told:
        result.outcomes.append(RecordOutcome(position, fate, row.pk, str(row.deal_id)))


def _in_time(each: tuple[int, StageChangeRecord]) -> tuple[float, int]:
    position, record = each
    return (record.changed_at.timestamp() if isinstance(record.changed_at, datetime) else 0.0), position


def _wanted_change(
    record: StageChangeRecord, deals: Mapping[int, Deal], stages: Mapping[int, Stage], source: str, at: datetime
) -> StageChange:
    """The row a record asks for. Raises ValidationError by column."""
    if not record.external_id:
        raise ValidationError({"external_id": _("A change of stage needs the id it has in its source.")})
    deal = deals.get(record.deal_id) if isinstance(record.deal_id, int) else None
    if deal is None:
        raise ValidationError({"deal": _("A change of stage needs a deal.")})
    if not isinstance(record.to_stage_id, int) or record.to_stage_id not in stages:
        raise ValidationError({"to_stage": _("There is no such stage.")})
    if not isinstance(record.changed_at, datetime):
        raise ValidationError({"changed_at": _("A change of stage needs its moment.")})
    if record.changed_at > at + _AHEAD:
        raise ValidationError({"changed_at": _("This has not happened yet.")})
    currency = _said(record.currency, deal.currency)
    return StageChange(
        deal=deal,
        from_stage_id=_said(record.from_stage_id, None),
        to_stage_id=record.to_stage_id,
        changed_at=record.changed_at,
        changed_by_id=_said(record.changed_by_id, None),
        amount_minor=_said(record.amount_minor, deal.amount_minor if currency == deal.currency else 0),
        currency=currency,
        source=source,
        external_id=record.external_id,
    )


def _is_same(seen: StageChange, told: StageChange) -> bool:
    """Whether a change that the portal saw itself is the one that a source tells."""
    return (
        seen.pk is not None
        and not seen.external_id
        and seen.to_stage_id == told.to_stage_id
        and abs(seen.changed_at - told.changed_at) <= SAME_CHANGE
    )


def _stand_since(deals: Mapping[int, Deal], past: Mapping[int, list[StageChange]], touched: Collection[int]) -> None:
    """Deals stand in their stage since the last change that sources know, where that one led there."""
    moved = []
    for pk in touched:
        deal = deals[pk]
        last = [row for row in past[pk] if row.external_id][-1]
        since = deal.stage_entered_at
        if last.to_stage_id == deal.stage_id and (since is None or last.changed_at < since):
            deal.stage_entered_at = last.changed_at
            moved.append(deal)
    Deal.every.bulk_update(moved, ["stage_entered_at"], batch_size=500)
