"""Brings activities in from outside: calls of a telephone system, mails and meetings of a CRM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext_lazy as _

from salesops.accounts.services.guards import check_may_import
from salesops.accounts.services.owners import as_pair
from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.activities.services.activities import SIGNALS, check_activity, when
from salesops.audit.services import change_of, record_many, state_of
from salesops.core.actor import Actor
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
    refusing,
    values_given,
)
from salesops.deals.models import Deal
from salesops.leads.models import Lead
from salesops.leads.services.scores import Signalled, note_signals_of
from salesops.leads.services.touches import touch_leads_at

_COPIED: Final = (
    "kind",
    "note",
    "outcome",
    "direction",
    "person_id",
    "lead_id",
    "deal_id",
    "account_id",
    "contact_id",
    "done_at",
)
#: The longest subject that is kept.
_MOST_SUBJECT: Final = 200


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """Something that was done, or is to be done, as a source tells it; found by `pk` or the source and its `external_id`.

    What is UNSET is left alone. Without an account that of the deal or of the lead is meant. A duration is kept in whole
    minutes, half up, and never as none.
    """

    external_id: str = ""
    kind: str | Unset = UNSET
    subject: str | Unset = UNSET
    note: str | Unset = UNSET
    outcome: str | Unset = UNSET
    direction: str | Unset = UNSET
    person_id: int | Unset = UNSET
    lead_id: int | Unset | None = UNSET
    deal_id: int | Unset | None = UNSET
    account_id: int | Unset | None = UNSET
    contact_id: int | Unset | None = UNSET
    happened_at: datetime | Unset | None = UNSET
    due_at: datetime | Unset | None = UNSET
    done_at: datetime | Unset | None = UNSET
    duration_seconds: int | Unset | None = UNSET
    pk: int | None = None


def upsert_activities(
    *, actor: Actor, records: Sequence[ActivityRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring activities in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    Leads are touched and their clocks stop at the moments at which things happened, and what they did counts for their
    scores, as with one that is logged; told again, an activity touches nobody anew. What changed is recorded in the
    audit; what came in is not, as nothing that is logged is. Raises PermissionDenied unless the actor may change
    everything.
    """
    check_may_import(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            _batch(actor, batch, source, at, preview, result)
    return result.in_order()


def _batch(
    actor: Actor,
    batch: Sequence[tuple[int, ActivityRecord]],
    source: str,
    at: datetime,
    preview: bool,
    result: UpsertResult,
) -> None:
    lock = not preview
    ids = {record.external_id for _p, record in batch if record.external_id and record.pk is None}
    keys = {record.pk for _p, record in batch if record.pk is not None}
    existing: dict[Any, Activity] = {
        **existing_by(Activity.objects.filter(source=source), "external_id", ids, lock=lock),
        **existing_by(Activity.objects.all(), "pk", keys, lock=lock),
    }
    accounts = _accounts_of([record for _p, record in batch])
    wanted: list[Wanted] = []
    for position, record in batch:
        key: Any = record.external_id if record.pk is None else record.pk
        row = existing.get(key)
        if not key:
            result.refuse(position, _("An activity needs the id it has in its source."), "external_id")
        elif record.pk is not None and row is None:
            result.refuse(position, _("What this refers to does not exist."))
        elif row is None and isinstance(record.person_id, Unset):
            result.refuse(position, _("An activity needs the person who did it."), "person")
        else:
            wanted.append(_wanted(position, key, record, row, accounts, source, at))

    def check(row: Activity) -> None:
        check_activity(actor, row, at, brought=True, relations=False)

    taken = merge_rows(Activity, wanted, existing, result=result, preview=preview, check=check)
    if preview:
        return
    _tell_leads([merged.row for merged in taken if _is_news(merged)], at)
    changes = []
    for merged in taken:
        if merged.fate is Fate.CHANGED:
            before, after = as_pair(merged.before, merged.after)
            changes.append(change_of(merged.row, action="activity.edited", before=before, after=after, reason=source))
    record_many(actor=actor, changes=changes, at=at)


def _accounts_of(records: Sequence[ActivityRecord]) -> Mapping[tuple[str, int], int | None]:
    """The account of each deal and lead that these are about: two queries."""
    deals = {record.deal_id for record in records if isinstance(record.deal_id, int)}
    leads = {record.lead_id for record in records if isinstance(record.lead_id, int)}
    found: dict[tuple[str, int], int | None] = {}
    if deals:
        found |= {
            ("deal", pk): account for pk, account in Deal.every.filter(pk__in=deals).values_list("pk", "account_id")
        }
    if leads:
        found |= {
            ("lead", pk): account for pk, account in Lead.every.filter(pk__in=leads).values_list("pk", "account_id")
        }
    return found


def _wanted(
    position: int,
    key: Any,
    record: ActivityRecord,
    row: Activity | None,
    accounts: Mapping[tuple[str, int], int | None],
    source: str,
    at: datetime,
) -> Wanted:
    values = values_given(record, _COPIED)
    kind = values.get("kind") or (row.kind if row else ActivityKind.CALL.value)
    for name in ("note", "outcome", "direction"):
        if name in values:
            values[name] = (values[name] or "").strip()
    if isinstance(record.subject, str):
        values["subject"] = " ".join(record.subject.split())[:_MOST_SUBJECT]
    if not values.get("subject") and (row is None or "subject" in values):
        values["subject"] = str(dict(ActivityKind.choices).get(kind, kind))
    if not values.get("account_id") and (row is None or row.account_id is None):
        named = [("deal", values.get("deal_id")), ("lead", values.get("lead_id"))]
        account = next((accounts[name, pk] for name, pk in named if pk and accounts.get((name, pk))), None)
        if account is not None:
            values["account_id"] = account
    if not isinstance(record.duration_seconds, Unset):
        seconds = record.duration_seconds
        values["duration_minutes"] = max(1, (seconds + 30) // 60) if seconds else None
    told = values_given(record, ("happened_at", "due_at"))
    if told or row is None:
        happened_at = told.get("happened_at", row.happened_at if row else None)
        due_at = told.get("due_at", row.due_at if row else None)
        if kind == ActivityKind.TASK:
            # What is done happened when it was ticked off.
            done_at = values.get("done_at", row.done_at if row else None)
            happened_at, due_at = done_at, due_at or happened_at or done_at
        elif kind == ActivityKind.MEETING and (happened_at or due_at):
            happened_at, due_at = when(kind, values.get("outcome", row.outcome if row else ""), happened_at, due_at, at)
        else:
            happened_at = happened_at or due_at
        values |= {"happened_at": happened_at, "due_at": due_at}
    defaults = {"kind": kind, "source": source, "external_id": record.external_id, "created_at": at}
    return Wanted(position, key, values, defaults)


def _is_news(merged: Merged[Activity]) -> bool:
    """Whether its lead has not been told of this: the row is new, or what matters to a lead changed."""
    matters = {"lead_id", "happened_at", "outcome", "kind"}
    return merged.fate is Fate.CREATED or (merged.fate is Fate.CHANGED and not matters.isdisjoint(merged.after))


def _tell_leads(rows: Sequence[Activity], at: datetime) -> None:
    """Tell leads what was done about them, in a handful of statements. A note touches nobody."""
    told = [row for row in rows if row.lead_id is not None and row.happened_at and row.kind != ActivityKind.NOTE]
    moments: dict[int, list[datetime]] = defaultdict(list)
    signals: list[Signalled] = []
    for row in told:
        if row.lead_id is None or row.happened_at is None:
            continue
        moments[row.lead_id].append(row.happened_at)
        signal = SIGNALS.get(row.outcome)
        if signal is not None:
            signals.append(Signalled(row.lead_id, signal, row.happened_at, f"activity:{row.pk}:{signal}"))
    if moments:
        touch_leads_at(moments=moments)
    if signals:
        note_signals_of(signals=signals, at=at)


def remove_activities(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Delete activities that are gone in their source; the audit keeps what they were. Touches of leads stay.

    One that something else refers to is refused. Raises PermissionDenied unless the actor may change everything.
    """
    check_may_import(actor)
    result = UpsertResult()
    with transaction.atomic():
        rows = Activity.objects.filter(pk__in=set(pks)).select_for_update(of=("self",)).in_bulk()
        changes = []
        for position, pk in enumerate(pks):
            row = rows.pop(pk, None)
            if row is None:
                result.outcomes.append(RecordOutcome(position, Fate.UNCHANGED, pk))
                continue
            change = change_of(row, action="activity.deleted", before=state_of(row), reason=because)
            with refusing(result, position):
                try:
                    row.delete()
                except ProtectedError as error:
                    raise ValidationError(_("Something else refers to this activity.")) from error
            if not result.is_refused(position):
                changes.append(change)
                result.outcomes.append(RecordOutcome(position, Fate.CHANGED, pk, str(row)))
        record_many(actor=actor, changes=changes, at=at)
    return result.in_order()
