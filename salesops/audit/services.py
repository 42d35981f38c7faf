"""Writes the audit. Call these last in a service: the head of the chain stays locked until the transaction ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import JSONField, Model

from salesops.audit.models import AuditEntry, AuditHead
from salesops.audit.rules.chain import plain
from salesops.core.actor import Actor
from salesops.core.rows import as_json, insert_rows
from salesops.jobs.models import Job

_CHUNK = 5000
_is_rehearsed: ContextVar[bool] = ContextVar("is_rehearsed", default=False)


class BrokenChainError(RuntimeError):
    """The head of the chain is gone although there are entries: somebody removed it by hand."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change to record. `subject_type` is the model in lower case, such as "deals.deal"."""

    action: str
    subject_type: str = ""
    subject_id: int | str = ""
    subject_label: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@contextmanager
def rehearsed() -> Iterator[None]:
    """Do something to see what would come of it: everything written inside is taken back at the end.

    Nothing is recorded meanwhile, so that a long rehearsal does not hold up all those who record what they do. What is
    not recorded cannot stay, because it is this very block that takes it back.
    """
    token = _is_rehearsed.set(True)
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    finally:
        _is_rehearsed.reset(token)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keep only the fields that differ; a field that only one side has counts as empty on the other."""
    old, new = plain(before), plain(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {name: old.get(name) for name in names}, {name: new.get(name) for name in names}


def state_of(row: Model, *, names: Iterable[str] | None = None) -> dict[str, Any]:
    """What a row holds now, by column, for `changed`. Related rows are their ids. Never a password.

    `names` limits it to some columns; otherwise every column but the key and the time of saving, which the entry has.
    """
    wanted = None if names is None else set(names)
    return {
        column.name: plain(column.value_from_object(row))
        for column in row._meta.concrete_fields
        if not column.primary_key and column.name != "password" and not getattr(column, "auto_now", False)
        if wanted is None or column.name in wanted
    }


def change_of(
    subject: Model | None,
    *,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Change:
    """A change about a row, for `record_many`."""
    if subject is None:
        return Change(action=action, before=before or {}, after=after or {}, reason=reason)
    return Change(
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        subject_label=str(subject),
        before=before or {},
        after=after or {},
        reason=reason,
    )


def record(
    *,
    actor: Actor,
    action: str,
    subject: Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    at: datetime,
) -> AuditEntry:
    """Record one change, in the caller's transaction: it stays exactly if the change stays.

    `action` is the noun and the verb, such as "deal.stage_moved". Raises BrokenChainError when the head was removed.
    """
    change = change_of(subject, action=action, before=before, after=after, reason=reason)
    return _append(actor, iter([change]), at)[0]


def record_many(*, actor: Actor, changes: Iterable[Change], at: datetime) -> int:
    """Record many changes in bulk, in the caller's transaction, and return how many. Raises BrokenChainError as `record`."""
    waiting, count = iter(changes), 0
    with transaction.atomic():
        while chunk := list(islice(waiting, _CHUNK)):
            count += len(_append(actor, iter(chunk), at, save=_insert if len(chunk) > 1 else _create))
    return count


def record_of_job(
    *, actor: Actor, action: str, job: Job, before: Mapping[str, Any], after: Mapping[str, Any], at: datetime
) -> None:
    """Record what a person did to a job."""
    record(actor=actor, action=action, subject=job, before=before, after=after, at=at)


def _locked_head() -> AuditHead:
    """The head row, locked until the transaction ends; made before the very first entry."""
    found = AuditHead.objects.select_for_update().first()
    if found is None:
        # Several may come here at once: who holds the new row looks for entries, so that nobody takes those of a writer
        # who was faster for a chain without a head.
        AuditHead.objects.bulk_create([AuditHead()], ignore_conflicts=True)
        found = AuditHead.objects.select_for_update().get()
        if found.sequence == 0 and AuditEntry.objects.exists():
            raise BrokenChainError("the head of the audit is missing; run verify_audit")
    return found


def _create(entries: list[AuditEntry]) -> None:
    AuditEntry.objects.bulk_create(entries)


def _insert(entries: list[AuditEntry]) -> None:
    """Many at once."""
    columns = AuditEntry._meta.concrete_fields
    names = [column.attname for column in columns]
    is_json = [isinstance(column, JSONField) for column in columns]
    insert_rows(
        AuditEntry,
        names,
        (
            [
                as_json(getattr(entry, name)) if json else getattr(entry, name)
                for name, json in zip(names, is_json, strict=True)
            ]
            for entry in entries
        ),
    )


def _append(
    actor: Actor, changes: Iterator[Change], at: datetime, save: Callable[[list[AuditEntry]], None] = _create
) -> list[AuditEntry]:
    """Add entries at the end of the chain and move the head."""
    if at.tzinfo is None:
        raise ValueError("the moment needs a time zone")
    if _is_rehearsed.get():
        return [AuditEntry(sequence=0, at=at, action=change.action) for change in changes]
    with transaction.atomic():
        end = _locked_head()
        entries: list[AuditEntry] = []
        for change in changes:
            entry = AuditEntry(
                sequence=end.sequence + 1,
                at=at,
                actor_id=actor.user_id,
                actor_name=plain(actor.name)[:150],
                action=change.action,
                subject_type=change.subject_type,
                subject_id=str(change.subject_id),
                subject_label=plain(change.subject_label)[:200],
                before=plain(change.before),
                after=plain(change.after),
                reason=plain(change.reason),
                request_id=actor.request_id,
                previous_hash=end.entry_hash,
            )
            entry.entry_hash = entry.as_link().digest()
            end.sequence, end.entry_hash = entry.sequence, entry.entry_hash
            entries.append(entry)
        save(entries)
        end.save(update_fields=["sequence", "entry_hash"])
    return entries
