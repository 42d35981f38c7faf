"""The shelf: records that could not be taken, tried again by themselves and by people."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db import transaction

from salesops.audit.services import record
from salesops.connectors.choices import RawState
from salesops.connectors.models import Connection, RawRecord, Stream
from salesops.connectors.services.applying import Applied, Applier
from salesops.connectors.services.brakes import Brake
from salesops.connectors.vendors.base import Raw
from salesops.core.actor import Actor, Noun, Scope

#: How many records are tried again at once.
BATCH: Final = 500
#: Problems that go away when what they refer to arrives: these are tried again after each sync.
_MAY_PASS: Final = ("lookup-unknown", "refused")


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
    """A person tries chosen records of the shelf again. Raises PermissionDenied."""
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
            tried = try_again(applier, its_rows, at=at)
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


def _check(actor: Actor) -> None:
    if actor.sight(Noun.IMPORT) < Scope.ALL:
        raise PermissionDenied
