"""Reads the audit, always for an actor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from salesops.audit.anchors import kept
from salesops.audit.models import AuditEntry, AuditHead
from salesops.audit.querysets import AuditEntryQuerySet
from salesops.audit.rules.chain import Check, Link, Problem
from salesops.core.actor import Actor

_COLUMNS = (
    "sequence",
    "at",
    "actor_id",
    "actor_name",
    "action",
    "subject_type",
    "subject_id",
    "subject_label",
    "before",
    "after",
    "reason",
    "request_id",
    "previous_hash",
    "entry_hash",
)


def entries_for(actor: Actor) -> AuditEntryQuerySet:
    """The entries the actor may read, newest first."""
    return AuditEntry.objects.visible_to(actor).order_by("-sequence")


def entry_for(actor: Actor, pk: int) -> AuditEntry:
    """One entry; raises Http404 when the actor may not read it."""
    return AuditEntry.objects.get_for(actor, pk=pk)


def history_of(actor: Actor, subject: Model) -> AuditEntryQuerySet:
    """What happened to one row, newest first, for its timeline: nothing when the actor may not see the row itself.

    The history of a row about pay is whole for whoever sees that row; on any other row entries about pay are left out
    for those who do not see everybody's pay.
    """
    manager = getattr(type(subject), "every", type(subject)._default_manager)
    if hasattr(manager, "visible_to") and not manager.visible_to(actor).filter(pk=subject.pk).exists():
        return AuditEntry.objects.none()
    entries = AuditEntry.objects.about(subject._meta.label_lower, subject.pk)
    return entries if subject._meta.app_label == "commissions" else entries.without_pay_unless(actor)


def edits_by_people(
    model: type[Model], pks: Collection[int], *, since: datetime, not_because: Collection[str] | QuerySet[Any]
) -> Iterator[tuple[int, datetime, Mapping[str, Any]]]:
    """What people changed of rows of a model after a moment, the oldest first: key, moment, and the columns with what they
    became. `not_because`: entries with these reasons are left out. One query; for services that decide by the moment of
    an edit, nobody is shown them."""
    entries = (
        AuditEntry.objects.filter(
            subject_type=model._meta.label_lower,
            subject_id__in={str(pk) for pk in pks},
            at__gt=since,
            actor_id__isnull=False,
        )
        .exclude(reason__in=not_because)
        .order_by("sequence")
    )
    for subject_id, at, after in entries.values_list("subject_id", "at", "after"):
        yield int(subject_id), at, after


def head() -> AuditHead | None:
    """The end of the chain; `str()` of it is the anchor to keep somewhere else. None before the first entry."""
    return AuditHead.objects.first()


def links() -> Iterator[Link]:
    """The whole chain in order, streamed."""
    rows = AuditEntry.objects.order_by("sequence").values_list(*_COLUMNS)
    for row in rows.iterator(chunk_size=2000):
        yield Link(*row)


def verify(*, anchors: set[str] | None = None) -> tuple[int, list[Problem]]:
    """Walk the whole chain: the number of entries, and every problem.

    The hashes that other rooms keep must occur in it, and those in `anchors`, which somebody kept elsewhere.
    """
    wanted: dict[str, tuple[str, ...]] = dict.fromkeys(anchors or (), ())
    # Read before the chain: what is kept while the chain is walked may end it where the walk no longer looks.
    for anchor in kept():
        wanted[anchor.entry_hash] = (*wanted.get(anchor.entry_hash, ()), anchor.kept_on)
    check = Check(anchors=wanted)
    for link in links():
        check.see(link)
    end = head()
    return check.seen, check.finish(end.sequence if end else None, end.entry_hash if end else "")
