"""The shelf: records that could not be taken, tried again by themselves and by people."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.connectors.choices import RawState
from salesops.connectors.models import Connection, RawRecord, Stream
from salesops.connectors.rules.convert import Lookup
from salesops.connectors.selectors.identities import confirmed_text
from salesops.connectors.services.applying import Applied, Applier
from salesops.connectors.services.brakes import Brake, reopen
from salesops.connectors.services.uploads import confirm_name
from salesops.connectors.vendors.base import Raw
from salesops.core.actor import Actor, Noun, Scope, system_actor

#: How many records are tried again at once.
BATCH: Final = 500


def raw_of(row: RawRecord) -> Raw:
    """A kept record as its source told it last, also where that telling was refused or is held."""
    text = row.told or row.payload
    payload = json.loads(text) if text else {}
    return Raw(row.external_id, row.version, payload, is_deleted=row.is_gone, merged_into=row.merged_into)


def waiting(stream: Stream, *, after: int = 0, limit: int = BATCH) -> list[RawRecord]:
    """The refused records of a stream, in order, from behind a key."""
    return list(RawRecord.objects.filter(stream=stream, state=RawState.REFUSED, pk__gt=after).order_by("pk")[:limit])


def try_again(applier: Applier, rows: Collection[RawRecord], *, at: datetime) -> Applied:
    """Try refused records once more, inside the caller's transaction."""
    return applier.apply([raw_of(row) for row in rows], at=at, force=True)


def retry(*, actor: Actor, connection: Connection, ids: Collection[int], at: datetime) -> Applied:
    """A person tries chosen records of the shelf again; what was turned away at the brake waits for a decision once more,
    with all that was turned away with it. Raises PermissionDenied."""
    _check(actor)
    done = Applied()
    with transaction.atomic():
        rows = list(
            RawRecord.objects.filter(
                pk__in=ids, stream__connection=connection, state__in=(RawState.REFUSED, RawState.DISMISSED)
            )
            .select_related("stream", "stream__connection", "stream__connection__source")
            .order_by("pk")
        )
        by_stream: dict[int, list[RawRecord]] = {}
        for row in rows:
            by_stream.setdefault(row.stream_id, []).append(row)
        for its_rows in by_stream.values():
            applier = Applier(its_rows[0].stream, actor=actor, brake=Brake())
            holds = {row.hold_id for row in its_rows if row.hold_id is not None}
            done.counts["held"] += reopen(its_rows[0].stream, applier, holds, at=at)
            tried = try_again(applier, [row for row in its_rows if row.hold_id is None], at=at)
            done.counts += tried.counts
            done.fates += tried.fates
        record(
            actor=actor,
            action="connection.shelf_retried",
            subject=connection,
            after={"records": len(rows)} | dict(done.counts),
            at=at,
        )
    return done


def dismiss(*, actor: Actor, connection: Connection, ids: Collection[int], at: datetime) -> int:
    """A person sets refused records aside: they come back when the source changes them. Raises PermissionDenied."""
    _check(actor)
    with transaction.atomic():
        count = RawRecord.objects.filter(pk__in=ids, stream__connection=connection, state=RawState.REFUSED).update(
            state=RawState.DISMISSED
        )
        record(actor=actor, action="connection.shelf_dismissed", subject=connection, after={"records": count}, at=at)
    return count


def unknown_of(row: RawRecord) -> list[Lookup]:
    """What a record refers to and nobody knows: what a person may say the meaning of."""
    applier = Applier(row.stream, actor=system_actor())
    lookups = applier.converter.lookups([applier.row_of(raw_of(row))])
    answers = applier.resolver.answers(lookups)
    return sorted(lookup for lookup in lookups if answers[lookup].key is None)


def mean(*, actor: Actor, row: RawRecord, lookup: Lookup, record_id: int, record_name: str, at: datetime) -> Applied:
    """A person says which record a name or an id of the source means, once and for all; then the record is tried again.

    Raises PermissionDenied, ValidationError for something that the record does not refer to.
    """
    _check(actor)
    if lookup not in unknown_of(row):
        raise ValidationError(_("The record does not refer to that any more. Load the page again."))
    connection = row.stream.connection
    text = confirmed_text(connection.source.code, lookup.text) if lookup.by == "external_id" else lookup.text
    with transaction.atomic():
        confirm_name(actor=actor, kind=lookup.kind, text=text, record_id=record_id, record_name=record_name, at=at)
        return retry(actor=actor, connection=connection, ids=[row.pk], at=at)


def _check(actor: Actor) -> None:
    if actor.sight(Noun.IMPORT) < Scope.ALL:
        raise PermissionDenied
