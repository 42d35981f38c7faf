"""The brake: changes of what closed deals pay are set aside until a sweep ends; too many of them wait for a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.connectors.choices import HoldState, RawState
from salesops.connectors.models import Hold, RawRecord, Stream
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.upserts import Fate
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal

if TYPE_CHECKING:
    from salesops.connectors.services.applying import Applier
    from salesops.connectors.vendors.base import Raw

#: What a closed deal pays is counted from these.
_PAYS: Final = frozenset(
    {
        "amount_minor", "currency", "owner_id", "pod_id", "stage_id", "kind", "closed_on", "account_id", "product_id",
        "term_months",
    }
)  # fmt: skip
#: The kinds of records that change what deals pay.
WATCHED: Final = frozenset({"deals"})


class Brake:
    """Looks at the rows of a page before they are brought in. Only for deals, and only for those closed already."""

    def sets_aside(
        self, applier: Applier, raws: Sequence[Raw], known: Mapping[str, RawRecord], at: datetime
    ) -> set[str]:
        """The ids of rows that would change what a closed deal pays: they are held until the sweep has ended."""
        if applier.stream.kind not in WATCHED:
            return set()
        pairs = [
            (stored.record_id, raw)
            for raw in raws
            if (stored := known.get(raw.external_id)) is not None and stored.record_id is not None
        ]
        ids = {pk for pk, _raw in pairs}
        closed = set(Deal.objects.filter(pk__in=ids).exclude(kind=StageKind.OPEN).values_list("pk", flat=True))
        touched = [raw for pk, raw in pairs if pk in closed]
        if not touched:
            return set()
        gone = {raw.external_id for raw in touched if raw.is_deleted or raw.merged_into}
        changing = [raw for raw in touched if raw.external_id not in gone]
        for fate in applier.compare(changing, known, at=at):
            if fate.fate == Fate.CHANGED and not _PAYS.isdisjoint(fate.after):
                gone.add(fate.raw.external_id)
        return gone


def settle(stream: Stream, applier: Applier, *, actor: Actor, at: datetime) -> Hold | None:
    """At the end of a sweep: let in what was set aside, or, where it is more than the brake allows, hold it for a person.

    Call it inside a transaction. Gives the hold that waits, or None.
    """
    waiting = Hold.objects.select_for_update().filter(stream=stream, state=HoldState.WAITING).first()
    rows = list(RawRecord.objects.filter(stream=stream, state=RawState.HELD).order_by("pk"))
    if not rows:
        if waiting is not None:
            waiting.delete()
        return None
    amount = _money(applier, rows)
    connection = stream.connection
    if waiting is None and len(rows) <= connection.brake_deals and amount <= connection.brake_minor:
        let_in(stream, applier, rows, at=at)
        return None
    return _wait(waiting or Hold(stream=stream, made_at=at), rows, amount)


def _wait(hold: Hold, rows: Sequence[RawRecord], amount: int) -> Hold:
    """Let these rows wait for a person together."""
    hold.deals, hold.amount_minor = len(rows), amount
    hold.save()
    RawRecord.objects.filter(pk__in=[row.pk for row in rows]).update(hold=hold)
    return hold


def reopen(stream: Stream, applier: Applier, holds: Collection[int], *, at: datetime) -> int:
    """Have what was turned away decided anew, by the keys of its holds: all of each together, however little it is, so that
    nothing comes in by portions. Call it inside a transaction. Gives how many records wait then that did not before."""
    Stream.objects.select_for_update().filter(pk=stream.pk).values_list("pk").first()
    count = RawRecord.objects.filter(
        stream=stream, hold__in=holds, hold__state=HoldState.TURNED_AWAY, state=RawState.DISMISSED
    ).update(state=RawState.HELD)
    if count:
        waiting = Hold.objects.select_for_update().filter(stream=stream, state=HoldState.WAITING).first()
        rows = list(RawRecord.objects.filter(stream=stream, state=RawState.HELD).order_by("pk"))
        _wait(waiting or Hold(stream=stream, made_at=at), rows, _money(applier, rows))
    return count


def let_in(stream: Stream, applier: Applier, rows: Sequence[RawRecord], *, at: datetime) -> None:
    """Bring held rows in without the brake."""
    from salesops.connectors.services.shelf import raw_of

    # Read anew behind the lock: a newer telling may have come since they were looked at.
    Stream.objects.select_for_update().filter(pk=stream.pk).values_list("pk").first()
    rows = list(RawRecord.objects.filter(pk__in=[row.pk for row in rows], state=RawState.HELD).order_by("pk"))
    brake, applier.brake = applier.brake, None
    try:
        RawRecord.objects.filter(pk__in=[row.pk for row in rows]).update(state=RawState.TAKEN, hold=None)
        applier.apply([raw_of(row) for row in rows], at=at, force=True)
    finally:
        applier.brake = brake


def decide(*, actor: Actor, hold: Hold, admit: bool, reason: str, applier: Applier, at: datetime) -> Hold:
    """A person lets in what is held, or turns it away: then the portal keeps what it has until the source changes again,
    or somebody has all of it decided anew (`reopen`).

    Raises PermissionDenied, ValidationError when it was decided already.
    """
    if actor.sight(Noun.IMPORT) < Scope.ALL or not actor.may_change_closed_deals:
        raise PermissionDenied
    with transaction.atomic():
        held = Hold.objects.select_for_update().get(pk=hold.pk)
        if held.state != HoldState.WAITING:
            raise ValidationError(_("This was decided already."))
        rows = list(RawRecord.objects.filter(hold=held, state=RawState.HELD).order_by("pk"))
        held.state = HoldState.ADMITTED if admit else HoldState.TURNED_AWAY
        held.decided_by_id, held.decided_at, held.reason = actor.user_id, at, reason[:300]
        held.save()
        if admit:
            let_in(held.stream, applier, rows, at=at)
        else:
            RawRecord.objects.filter(pk__in=[row.pk for row in rows]).update(state=RawState.DISMISSED)
        record(
            actor=actor,
            action="connection.hold_admitted" if admit else "connection.hold_turned_away",
            subject=held.stream.connection,
            after={"deals": held.deals, "amount_minor": held.amount_minor},
            reason=reason,
            at=at,
        )
    return held


def _money(applier: Applier, rows: Sequence[RawRecord]) -> int:
    """By how much the held rows change what closed deals are worth, each counted by its amount, in minor units.

    Amounts of other currencies count as they are: the brake asks whether it is much, not how much it is.
    """
    from salesops.connectors.services.shelf import raw_of

    ids = [row.record_id for row in rows if row.record_id is not None]
    now = dict(Deal.objects.filter(pk__in=ids).values_list("pk", "amount_minor"))
    said = applier.values_of([raw_of(row) for row in rows if not row.is_gone])
    total = 0
    for row in rows:
        before = now.get(row.record_id or 0, 0)
        values: Mapping[str, Any] = said.get(row.external_id, {})
        after = values.get("amount_minor") or 0
        # A deal that goes, or changes hands or days, moves all that it is worth.
        is_all = row.is_gone or after == before
        total += abs(before) if is_all else abs(after - before)
    return total
