"""Brings deals and products from outside into the portal: compared field by field, written in bulk, said what happened."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.services.removal import back_again
from salesops.audit.services import Change, change_of, changed, record_many, state_of
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.days import company_day
from salesops.core.rows import insert_rows
from salesops.core.upserts import (
    UNSET,
    Fate,
    Merged,
    Unset,
    UpsertResult,
    Wanted,
    batches,
    existing_by,
    merge_rows,
    values_given,
)
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, Product, Stage, StageChange
from salesops.deals.rules.places import place_on_entering
from salesops.deals.services.deals import AUDITED, first_open_stage, seconds_between
from salesops.deals.services.from_leads import settle_credit
from salesops.deals.services.guard import flag_imported
from salesops.deals.services.owners import keep_owners
from salesops.pods.selectors import PodHistory, pod_history
from salesops.values.money import MoneyError, check_currency
from salesops.values.names import fold_name
from salesops.values.periods import Period, instants

#: Columns that follow from others; they are written but not shown as differences.
_DERIVED: Final = frozenset({"kind", "version", "board_position", "stage_entered_at", "match_name"})
_COPIED: Final = (
    "name",
    "account_id",
    "contact_id",
    "lead_id",
    "owner_id",
    "pod_id",
    "product_id",
    "stage_id",
    "amount_minor",
    "currency",
    "opened_on",
    "expected_close_on",
    "closed_on",
    "lost_because",
    "next_step",
    "note",
    "term_months",
)

#: The columns of a stage change; the database knows what stands in the others.
_MOVE: Final = (
    "deal_id", "from_stage_id", "to_stage_id", "changed_at", "changed_by_id", "amount_minor", "currency", "seconds_in_stage",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DealRecord:
    """A deal as a source tells it, with references already looked up. What is UNSET is left alone.

    `external_id` names it within its source; `pk` where it is known, and then it keeps its source and id. One that was
    removed is there again. Amounts are minor units of `currency`. `closed_on` of an open deal is
    understood as the day it is expected to close, since many systems have one field for both.
    """

    external_id: str = ""
    name: str | Unset = UNSET
    account_id: int | Unset | None = UNSET
    contact_id: int | Unset | None = UNSET
    lead_id: int | Unset | None = UNSET
    owner_id: int | Unset | None = UNSET
    pod_id: int | Unset | None = UNSET
    product_id: int | Unset | None = UNSET
    stage_id: int | Unset = UNSET
    amount_minor: int | Unset = UNSET
    currency: str | Unset = UNSET
    opened_on: date | Unset | None = UNSET
    expected_close_on: date | Unset | None = UNSET
    closed_on: date | Unset | None = UNSET
    lost_because: str | Unset = UNSET
    next_step: str | Unset = UNSET
    note: str | Unset = UNSET
    term_months: int | Unset | None = UNSET
    created_at: datetime | Unset = UNSET
    pk: int | None = None


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product as a source tells it. Without a `code` it is found by its name, written in any case and spacing."""

    name: str
    code: str | Unset = UNSET
    series: str | Unset = UNSET
    price_minor: int | Unset | None = UNSET
    currency: str | Unset = UNSET
    is_active: bool | Unset = UNSET


@dataclass(frozen=True, slots=True)
class _Around:
    """What a batch of deals is compared with."""

    source: str
    at: datetime
    stages: Mapping[int, Stage]
    begin: Stage
    pods: PodHistory


def upsert_deals(
    *, actor: Actor, records: Sequence[DealRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring deals of a source in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    A deal is found by (source, external id). Rows without a difference are not written, so the same records again
    change nothing. A changed stage leaves a StageChange row dated by the day of closing where there is one; each new or
    changed deal leaves an audit entry. A new owner brings the pod in which they worked
    on the day of closing (else opening, else now) unless the record names one. A record
    that cannot be taken is refused with the column and the reason and stops no other. Raises PermissionDenied unless
    the actor may change all deals.
    """
    _check_may_import(actor)
    if not source:
        raise ValueError("a source is needed to find the deals again")
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            _deals_batch(actor, batch, source, at, preview, result)
    return result.in_order()


def upsert_products(
    *, actor: Actor, records: Sequence[ProductRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring products in, found by code or else by name. As `upsert_deals` for the rest; `source` is named in the audit."""
    _check_may_import(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            _products_batch(actor, batch, source, at, preview, result)
    return result.in_order()


def _check_may_import(actor: Actor) -> None:
    if not actor.may_edit_work or actor.sight(Noun.WORK) < Scope.ALL:
        raise PermissionDenied(translate("Only who may change all deals may bring deals in."))


def _deals_batch(
    actor: Actor,
    batch: Sequence[tuple[int, DealRecord]],
    source: str,
    at: datetime,
    preview: bool,
    result: UpsertResult,
) -> None:
    """One batch: each external id once in a round, so that a later record meets what the earlier one made."""
    waiting: list[tuple[int, DealRecord]] = []
    for position, record in batch:
        if record.pk is not None or record.external_id.strip():
            waiting.append((position, record))
        else:
            result.refuse(position, _("A deal needs the id it has in its source."), "external_id")
    named = {record.pk for _p, record in waiting if record.pk is not None}
    known: dict[Hashable, Deal] = {**existing_by(Deal.every.all(), "pk", named, lock=not preview)}
    ids = {record.external_id for _p, record in waiting if record.pk is None}
    by_id = existing_by(Deal.every.filter(source=source), "external_id", ids, lock=not preview)
    known |= {row.pk: known.get(row.pk, row) for row in by_id.values()}
    keys: dict[str, int] = {external: row.pk for external, row in by_id.items()}
    for position, record in waiting:
        if record.pk is not None and record.pk not in known:
            result.refuse(position, _("What this refers to does not exist."))
    waiting = [each for each in waiting if not result.is_refused(each[0])]
    around = _Around(
        source=source,
        at=at,
        stages=Stage.objects.in_bulk(),
        begin=first_open_stage(),
        pods=pod_history({record.owner_id for _p, record in waiting if isinstance(record.owner_id, int)}),
    )
    while waiting:
        now: dict[Hashable, tuple[int, DealRecord]] = {}
        later: list[tuple[int, DealRecord]] = []
        for position, record in waiting:
            key: Hashable = record.pk or keys.get(record.external_id) or record.external_id
            if key in now:
                later.append((position, record))
            else:
                now[key] = (position, record)
        waiting = later
        _deals_round(actor, now, known, around, preview, result)


def _deals_round(
    actor: Actor,
    records: Mapping[Hashable, tuple[int, DealRecord]],
    known: dict[Hashable, Deal],
    around: _Around,
    preview: bool,
    result: UpsertResult,
) -> None:
    """Compare, write, keep stage changes and audit for records of different rows, by the key of each among `known`."""
    stood = {key: (row.stage_id, row.stage_entered_at) for key, row in known.items()}
    key_of = {position: key for key, (position, _record) in records.items()}
    wanted = []
    for key, (position, record) in records.items():
        try:
            wanted.append(_wanted(position, key, record, known.get(key), around))
        except ValidationError as error:
            for column, messages in error.message_dict.items():
                for message in messages:
                    result.refuse(position, message, column)
    taken = merge_rows(Deal, wanted, known, result=result, preview=preview, check=_check_currency, derived=_DERIVED)
    for merged in taken:
        known[key_of[merged.position]] = merged.row
    if preview:
        return
    written = [merged for merged in taken if merged.fate is not Fate.UNCHANGED]
    moves: list[tuple[Any, ...]] = []
    for merged in written:
        row = merged.row
        stage_before, since = stood.get(key_of[merged.position], (None, None))
        if stage_before != row.stage_id:
            moved_at = row.stage_entered_at or around.at
            seconds = seconds_between(since, moved_at)
            moves.append(
                (
                    *(row.pk, stage_before, row.stage_id, moved_at, actor.user_id),
                    *(row.amount_minor, row.currency, seconds),
                )
            )
    insert_rows(StageChange, _MOVE, moves)
    given = [
        (merged.row, merged.before["owner_id"])
        for merged in written
        if merged.fate is Fate.CHANGED and "owner_id" in merged.before
    ]
    shares = settle_credit(given, at=around.at)
    fresh = [(merged.row, UNSET) for merged in written if merged.fate is Fate.CREATED]
    keep_owners([*fresh, *given], day=company_day(around.at))
    record_many(
        actor=actor,
        changes=[_change(merged, around.source, shares.get(merged.row.pk)) for merged in written],
        at=around.at,
    )
    flag_imported(actor=actor, deals=[merged.row for merged in written], at=around.at)


def _wanted(position: int, key: Hashable, record: DealRecord, row: Deal | None, around: _Around) -> Wanted:
    """The row a record asks for, with what follows from its stage. Raises ValidationError by column."""
    values = values_given(record, _COPIED)
    note: str | Promise = ""
    stage_id = values.get("stage_id", row.stage_id if row else around.begin.pk)
    stage = around.stages.get(stage_id)
    if stage is None:
        raise ValidationError({"stage": _("There is no such stage.")})
    if row is None and not values.get("name"):
        raise ValidationError({"name": _("A new deal needs a name.")})
    if stage.kind == StageKind.OPEN:
        closed_on = values.pop("closed_on", None)
        if closed_on is not None and "expected_close_on" not in values:
            values["expected_close_on"] = closed_on
            note = _("The deal is open, so its day of closing was taken as the expected one.")
        elif closed_on is not None:
            raise ValidationError({"closed_on": _("An open deal cannot have been closed on a day.")})
        values["closed_on"] = None
    else:
        if values.get("closed_on", row.closed_on if row else None) is None:
            raise ValidationError({"closed_on": _("A closed deal needs its day.")})
    if stage.kind != StageKind.LOST:
        values["lost_because"] = ""
    defaults: dict[str, Any] = {}
    if row is None:
        day = values.get("closed_on") or values.get("opened_on")
        defaults = {
            "source": around.source,
            "external_id": record.external_id,
            "created_at": _created_at(record, around.at),
            "currency": settings.COMPANY_CURRENCY,
            "stage_id": stage.pk,
            "kind": stage.kind,
            "pod_id": _pod_id(values.get("owner_id"), day, around),
        } | _entering(day, None, around.at)
        return Wanted(position, key, values, defaults, note)
    values |= back_again(row)
    if "owner_id" in values and values["owner_id"] != row.owner_id and "pod_id" not in values:
        values["pod_id"] = _pod_id(values["owner_id"], values.get("closed_on"), around) or row.pod_id
    if stage.pk != row.stage_id:
        values["kind"] = stage.kind
        values |= _entering(values.get("closed_on"), row.stage_entered_at, around.at)
    if any(getattr(row, name) != value for name, value in values.items()):
        values["version"] = row.version + 1
    return Wanted(position, key, values, defaults, note)


def _entering(day: date | None, left_at: datetime | None, at: datetime) -> dict[str, Any]:
    """Since when a deal is in its stage: the day it was closed or opened if the source says, never after `at`."""
    entered = min(_first_moment(day), at) if day else at
    if left_at is not None and entered < left_at:
        entered = at
    return {"stage_entered_at": entered, "board_position": place_on_entering(entered)}


def _created_at(record: DealRecord, at: datetime) -> datetime:
    """When the deal came into being, as far as the source says; else now."""
    if not isinstance(record.created_at, Unset):
        return record.created_at
    if isinstance(record.opened_on, date):
        return min(_first_moment(record.opened_on), at)
    return at


def _first_moment(day: date) -> datetime:
    """The first moment of a day in the company's time zone."""
    return _first_moment_in(day, settings.COMPANY_TIME_ZONE)


@lru_cache(maxsize=4096)
def _first_moment_in(day: date, zone: str) -> datetime:
    """The same for a zone; the days of a file come again and again."""
    return instants(Period(day, day + timedelta(days=1), day.isoformat()), zone)[0]


def _pod_id(owner_id: int | None, day: date | None, around: _Around) -> int | None:
    """The pod in which an owner worked on the deal's day or, where that is not known, works now."""
    if owner_id is None:
        return None
    today = company_day(around.at)
    return around.pods.pod_on(owner_id, day or today) or around.pods.pod_on(owner_id, today)


def _check_currency(row: Deal | Product) -> None:
    try:
        check_currency(row.currency)
    except MoneyError as error:
        raise ValidationError({"currency": str(error)}) from error


def _change(merged: Merged[Deal], source: str, shares: tuple[dict[str, Any], dict[str, Any]] | None = None) -> Change:
    """The audit of one deal that was made or changed, with its shares where they changed with the owner."""
    now = state_of(merged.row, names={*AUDITED, "removed_at", "removed_because", "merged_into"})
    if merged.fate is Fate.CREATED:
        filled = {name: value for name, value in now.items() if value not in ("", None)}
        return change_of(merged.row, action="deal.created", after=filled, reason=source)
    names = {name.removesuffix("_id") for name in merged.after if name not in _DERIVED}
    before = {name.removesuffix("_id"): value for name, value in merged.before.items() if name not in _DERIVED}
    shares_before, shares_after = shares or ({}, {})
    old, new = changed(before | shares_before, {name: now[name] for name in names} | shares_after)
    action = "deal.restored" if old.get("removed_at") else "deal.edited"
    return change_of(merged.row, action=action, before=old, after=new, reason=source)


def _products_batch(
    actor: Actor,
    batch: Sequence[tuple[int, ProductRecord]],
    source: str,
    at: datetime,
    preview: bool,
    result: UpsertResult,
) -> None:
    """One batch of products: by code where one is given, else by folded name, else new with a code made of the name.

    An empty code is none: many sources have the column and leave it empty.
    """
    batch = [(position, record if record.code else replace(record, code=UNSET)) for position, record in batch]
    folded = {position: fold_name(record.name)[:120] for position, record in batch}
    by_name = existing_by(Product.objects.all(), "match_name", set(folded.values()), lock=not preview)
    codes = {record.code for _p, record in batch if not isinstance(record.code, Unset)}
    codes |= {_code(name) for name in folded.values()}
    by_code = existing_by(Product.objects.all(), "code", codes, lock=not preview)
    wanted: list[Wanted] = []
    existing: dict[str, Product] = {}
    for position, record in batch:
        name = folded[position]
        if not name:
            result.refuse(position, _("A product needs a name."), "name")
            continue
        row = by_name.get(name) if isinstance(record.code, Unset) else by_code.get(record.code)
        code = row.code if row else _code(name) if isinstance(record.code, Unset) else record.code
        if row is None and code in by_code:
            result.refuse(position, _("Another product has the code that this name would get: give it a code."), "code")
            continue
        if row is not None:
            existing[code] = row
        values = values_given(record, ("name", "series", "price_minor", "currency", "is_active"))
        values["match_name"] = name
        wanted.append(Wanted(position, code, values, {"code": code}))
    taken = merge_rows(
        Product, wanted, existing, result=result, preview=preview, check=_check_currency, derived=_DERIVED
    )
    if preview:
        return
    changes = []
    for merged in taken:
        if merged.fate is Fate.UNCHANGED:
            continue
        before = {name: value for name, value in merged.before.items() if name not in _DERIVED}
        after = {name: value for name, value in merged.after.items() if name not in _DERIVED}
        action = "product.created" if merged.fate is Fate.CREATED else "product.edited"
        changes.append(change_of(merged.row, action=action, before=before, after=after, reason=source))
    record_many(actor=actor, changes=changes, at=at)


def _code(folded: str) -> str:
    """A code made of a folded name."""
    return folded.replace(" ", "-")[:60]
