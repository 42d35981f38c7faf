"""Brings leads from outside into the portal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.services.guards import check_may_import, check_money
from salesops.accounts.services.owners import as_pair
from salesops.accounts.services.removal import back_again
from salesops.audit.services import Change, change_of, record_many
from salesops.core.actor import Actor
from salesops.core.days import company_day
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
from salesops.leads.choices import AssignmentMethod, LeadOrigin
from salesops.leads.models import Lead, LeadAssignment, LeadMerge
from salesops.leads.rules.statuses import CONVERTED, DISQUALIFIED
from salesops.leads.services.merging import join_repeats
from salesops.leads.services.routing import route_leads
from salesops.leads.services.scores import leads_changed
from salesops.pods.models import Segment
from salesops.pods.selectors import PodHistory, pod_history, segment_for_employees, segments
from salesops.values.names import fold_name


@dataclass(frozen=True, slots=True)
class LeadRecord:
    """A lead as a source tells it, with references already looked up. What is UNSET is left alone.

    Found by `pk` where it is known: then it keeps its source and id. Else by the source and its `external_id`; without one
    by e-mail address, else by name and company. One that was removed is there again, but for one that was merged by hand. The amount is in
    minor units of `currency`.
    """

    name: str | Unset = UNSET
    external_id: str = ""
    title: str | Unset = UNSET
    company: str | Unset = UNSET
    email: str | Unset = UNSET
    phone: str | Unset = UNSET
    country: str | Unset = UNSET
    employees: int | Unset | None = UNSET
    origin: str | Unset = UNSET
    campaign: str | Unset = UNSET
    status: str | Unset = UNSET
    consent: str | Unset = UNSET
    disqualified_because: str | Unset = UNSET
    segment_id: int | Unset | None = UNSET
    owner_id: int | Unset | None = UNSET
    pod_id: int | Unset | None = UNSET
    account_id: int | Unset | None = UNSET
    contact_id: int | Unset | None = UNSET
    estimated_minor: int | Unset | None = UNSET
    currency: str | Unset = UNSET
    note: str | Unset = UNSET
    created_at: datetime | Unset = UNSET
    pk: int | None = None


_COPIED: Final = (
    "name",
    "title",
    "company",
    "email",
    "phone",
    "country",
    "employees",
    "origin",
    "campaign",
    "status",
    "consent",
    "disqualified_because",
    "segment_id",
    "owner_id",
    "pod_id",
    "account_id",
    "contact_id",
    "estimated_minor",
    "currency",
    "note",
)


@dataclass(slots=True)
class _Known:
    """The leads that a batch may mean, by all that finds them."""

    by_id: dict[str, Lead] = field(default_factory=dict)
    by_pk: dict[int, Lead] = field(default_factory=dict)
    by_email: dict[str, list[Lead]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[tuple[str, str], list[Lead]] = field(default_factory=lambda: defaultdict(list))

    def find(self, record: LeadRecord) -> tuple[Lead | None, str | Promise]:
        """The lead a record means, or the problem when it cannot be told."""
        if record.pk is not None:
            row = self.by_pk.get(record.pk)
            return row, "" if row is not None else _("What this refers to does not exist.")
        if record.external_id:
            return self.by_id.get(record.external_id), ""
        email = _address(record)
        if not email and not record.name:
            return None, _("A lead needs a name, an e-mail address or an id.")
        alike = self.by_email.get(email, []) if email else self.by_name.get(_named(record), [])
        if len(alike) > 1:
            return None, _("Several leads are like this one: say which by its id.")
        return (alike[0] if alike else None), ""


def upsert_leads(
    *, actor: Actor, records: Sequence[LeadRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring leads in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    Rows without a difference are not written. A new owner brings the pod they are in today, unless the record names one,
    and leaves a row that says who the lead was given to. A converted lead keeps its status and owner. What came in and
    what changed is recorded in the audit. Raises PermissionDenied unless the actor may change all leads.
    """
    check_may_import(actor)
    result = UpsertResult()
    sizes = segments()
    for batch in batches(records):
        with transaction.atomic():
            _batch(actor, batch, source, at, sizes, preview, result)
    return result.in_order()


def _batch(
    actor: Actor,
    batch: Sequence[tuple[int, LeadRecord]],
    source: str,
    at: datetime,
    sizes: Sequence[Segment],
    preview: bool,
    result: UpsertResult,
) -> None:
    known = _load([record for _position, record in batch], source, lock=not preview)
    pods = pod_history({record.owner_id for _position, record in batch if isinstance(record.owner_id, int)})
    merged = _merged_by_hand(known)
    wanted: list[Wanted] = []
    existing: dict[Any, Lead] = {}
    for position, record in batch:
        row, problem = known.find(record)
        if problem:
            result.refuse(position, problem)
            continue
        key: Any = row.pk if row else record.external_id or _address(record) or _named(record)
        if row is not None:
            existing[key] = row
        wanted.append(_wanted(position, key, record, row, source, at, pods, sizes, merged))
    held = {key: (row.owner_id, row.pod_id) for key, row in existing.items()}
    taken = merge_rows(Lead, wanted, existing, result=result, preview=preview, check=_check)
    if preview:
        return
    keys = {one.position: one.key for one in wanted}
    given = {
        merged.row.pk: merged.row
        for merged in taken
        if held.get(keys[merged.position], (None, None)) != (merged.row.owner_id, merged.row.pod_id)
    }
    LeadAssignment.objects.bulk_create(
        LeadAssignment(
            lead=lead,
            person_id=lead.owner_id,
            pod_id=lead.pod_id,
            assigned_at=at,
            assigned_by_id=actor.user_id,
            method=AssignmentMethod.IMPORT,
            reason=source[:300],
        )
        for lead in given.values()
    )
    leads_changed(lead_ids=[merged.row.pk for merged in taken if merged.fate is not Fate.UNCHANGED], at=at)
    nobodys = [merged.row for merged in taken if merged.fate is Fate.CREATED and merged.row.assigned_at is None]
    again = join_repeats(leads=nobodys, actor=actor, at=at)
    routed = route_leads(leads=[lead for lead in nobodys if not lead.is_removed], at=at)
    record_many(actor=actor, changes=[*_changes(taken, source), *again, *routed], at=at)


def _load(records: Sequence[LeadRecord], source: str, *, lock: bool) -> _Known:
    """All leads that these records may mean: a query by id, one by address, one by name, each only where it is needed."""
    known = _Known()
    known.by_pk = existing_by(Lead.every.all(), "pk", {record.pk for record in records if record.pk}, lock=lock)
    by_id: dict[str, Lead] = existing_by(
        Lead.every.filter(source=source),
        "external_id",
        {record.external_id for record in records if record.external_id and record.pk is None},
        lock=lock,
    )
    # One that is named in both ways is one row.
    known.by_id = {key: known.by_pk.get(row.pk, row) for key, row in by_id.items()}
    loose = [record for record in records if not record.external_id and record.pk is None]
    emails = {_address(record) for record in loose if _address(record)}
    names = {str(record.name).strip() for record in loose if record.name and not _address(record)}
    if emails:
        rows = Lead.objects.filter(email__in=emails).order_by("pk")
        for lead in rows.select_for_update(of=("self",)) if lock else rows:
            known.by_email[lead.email].append(known.by_pk.get(lead.pk, lead))
    if names:
        rows = Lead.objects.filter(name__in=names).order_by("pk")
        for lead in rows.select_for_update(of=("self",)) if lock else rows:
            named = known.by_name[fold_name(lead.name), fold_name(lead.company)]
            named.append(known.by_pk.get(lead.pk, lead))
    return known


def _merged_by_hand(known: _Known) -> set[int]:
    """Leads that somebody merged here: their source does not know, and telling of them again does not part them."""
    rows = [lead for lead in (*known.by_pk.values(), *known.by_id.values()) if lead.merged_into_id]
    if not rows:
        return set()
    return set(LeadMerge.objects.standing().filter(lost__in=rows).values_list("lost_id", flat=True))


def _wanted(
    position: int,
    key: Any,
    record: LeadRecord,
    row: Lead | None,
    source: str,
    at: datetime,
    pods: PodHistory,
    sizes: Sequence[Segment],
    merged: Collection[int],
) -> Wanted:
    values = values_given(record, _COPIED)
    for name in ("name", "company", "title", "phone"):
        if name in values:
            values[name] = values[name].strip()
    if "email" in values:
        values["email"] = _address(record)
    today = company_day(at)
    owner_id = values.get("owner_id")
    status = values.get("status")
    if status == DISQUALIFIED and not values.get("disqualified_because"):
        said = row.disqualified_because if row is not None and row.status == DISQUALIFIED else ""
        values["disqualified_because"] = said or translate("No reason given.")
    elif status is not None and status != DISQUALIFIED:
        values["disqualified_because"] = ""
    if row is None:
        employees = values.get("employees")
        segment = segment_for_employees(employees, sizes) if isinstance(employees, int) else None
        pod_id = values.get("pod_id", pods.pod_on(owner_id, today) if owner_id else None)
        defaults: dict[str, Any] = {
            "source": source,
            "external_id": record.external_id,
            "name": "",
            "origin": LeadOrigin.IMPORT,
            "currency": settings.COMPANY_CURRENCY,
            "created_at": record.created_at or at,
            "segment_id": segment.pk if segment else None,
            "pod_id": pod_id,
            "assigned_at": at if owner_id or pod_id else None,
        }
        values.setdefault("name", values.get("email") or "")
        if status == CONVERTED:
            values |= {"converted_at": at, "credited_to_id": owner_id}
        return Wanted(position, key, values, defaults)
    if row.pk not in merged:
        values |= back_again(row)
    if row.status == CONVERTED:
        for name in ("status", "disqualified_because", "owner_id", "pod_id", "account_id", "contact_id"):
            values.pop(name, None)
    elif status == CONVERTED:
        values |= {"converted_at": at, "credited_to_id": values.get("owner_id", row.owner_id)}
    if values.get("owner_id", row.owner_id) != row.owner_id and "pod_id" not in values and owner_id:
        values["pod_id"] = pods.pod_on(owner_id, today) or row.pod_id
    if (values.get("owner_id", row.owner_id), values.get("pod_id", row.pod_id)) != (row.owner_id, row.pod_id):
        values["assigned_at"] = at
    return Wanted(position, key, values, {})


def _address(record: LeadRecord) -> str:
    return record.email.strip().lower() if record.email else ""


def _named(record: LeadRecord) -> tuple[str, str]:
    return fold_name(str(record.name or "")), fold_name(str(record.company or ""))


def _check(row: Lead) -> None:
    check_money(row)
    if row.status == DISQUALIFIED and not row.disqualified_because.strip():
        raise ValidationError({"disqualified_because": _("Say why the lead is disqualified.")})


def _changes(taken: Sequence[Merged[Lead]], source: str) -> list[Change]:
    """What the audit keeps of leads that came in or changed."""
    changes = []
    for merged in taken:
        if merged.fate is Fate.UNCHANGED:
            continue
        before, after = as_pair(merged.before, merged.after)
        is_new = merged.fate is Fate.CREATED
        if is_new:
            after = {name: value for name, value in after.items() if value not in ("", None)}
        action = "created" if is_new else "restored" if before.get("removed_at") else _verb(after)
        changes.append(change_of(merged.row, action=f"lead.{action}", before=before, after=after, reason=source))
    return changes


def _verb(after: Mapping[str, Any]) -> str:
    if after.get("status") == CONVERTED:
        return "converted"
    return "reassigned" if set(after) <= {"owner", "pod", "assigned_at"} else "edited"
