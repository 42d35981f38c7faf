"""Writes the audit. Call these last in a service: the head of the chain stays locked until the transaction ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import JSONField, Model

from salesops.audit.models import AuditEntry, AuditHead
from salesops.audit.rules.chain import digest_of, moment_text, plain
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
    kept = _kept_columns(type(row), None if names is None else frozenset(names))
    return {name: plain(getattr(row, attribute)) for name, attribute in kept}


@lru_cache(maxsize=200)
def _kept_columns(model: type[Model], names: frozenset[str] | None) -> tuple[tuple[str, str], ...]:
    """The columns of a model that the audit keeps, each with the attribute that holds it."""
    return tuple(
        (column.name, column.attname)
        for column in model._meta.concrete_fields
        if not column.primary_key and column.name != "password" and not getattr(column, "auto_now", False)
        if names is None or column.name in names
    )


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
    return _entry(_append(actor, [change], at)[0])


def record_many(*, actor: Actor, changes: Iterable[Change], at: datetime) -> int:
    """Record many changes in bulk, in the caller's transaction, and return how many. Raises BrokenChainError as `record`."""
    waiting, count = iter(changes), 0
    with transaction.atomic():
        while chunk := list(islice(waiting, _CHUNK)):
            count += len(_append(actor, chunk, at))
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


def _names() -> list[str]:
    return [column.attname for column in AuditEntry._meta.concrete_fields]


def _entry(values: Sequence[Any]) -> AuditEntry:
    """The entry that was written with these values."""
    return AuditEntry.from_db(DEFAULT_DB_ALIAS, _names(), values)


def _insert(entries: Sequence[Sequence[Any]]) -> None:
    """Many at once."""
    is_json = [isinstance(column, JSONField) for column in AuditEntry._meta.concrete_fields]
    insert_rows(
        AuditEntry,
        _names(),
        ([as_json(value) if json else value for value, json in zip(entry, is_json, strict=True)] for entry in entries),
    )


def _append(actor: Actor, changes: Iterable[Change], at: datetime) -> list[tuple[Any, ...]]:
    """Add entries at the end of the chain and move the head; gives them in the order of the columns, as `Link` has it."""
    if at.tzinfo is None:
        raise ValueError("the moment needs a time zone")
    if _is_rehearsed.get():
        return [(0, at, None, "", change.action, "", "", "", {}, {}, "", "", "", "") for change in changes]
    actor_name, moment = plain(actor.name)[:150], moment_text(at)
    with transaction.atomic():
        end = _locked_head()
        entries: list[tuple[Any, ...]] = []
        for change in changes:
            end.sequence += 1
            facts = (
                actor.user_id,
                actor_name,
                change.action,
                change.subject_type,
                str(change.subject_id),
                plain(change.subject_label)[:200],
                plain(change.before),
                plain(change.after),
                plain(change.reason),
                actor.request_id,
                end.entry_hash,
            )
            end.entry_hash = digest_of((end.sequence, moment, *facts))
            entries.append((end.sequence, at, *facts, end.entry_hash))
        if len(entries) > 1:
            _insert(entries)
        else:
            AuditEntry.objects.bulk_create([_entry(values) for values in entries])
        end.save(update_fields=["sequence", "entry_hash"])
    return entries
