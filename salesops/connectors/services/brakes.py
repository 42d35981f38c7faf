"""The brake: changes of what closed deals pay are set aside until a sweep ends; too many of them wait for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.connectors.choices import HoldState, RawState
from salesops.connectors.models import Hold, RawRecord, Stream
from salesops.core.actor import Actor, Noun, Scope, system_actor
from salesops.core.upserts import Fate
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, DealLine, DealSplit
from salesops.jobs import services as jobs

if TYPE_CHECKING:
    from salesops.connectors.services.applying import Applier
    from salesops.connectors.vendors.base import Raw
    from salesops.jobs.runner import JobRun

ADMITTED: Final = "connectors.admitted"
#: How many held records are looked at, and let in, together.
PORTION: Final = 500

#: What a closed deal pays is counted from these.
_PAYS: Final = frozenset(
    {
        "amount_minor", "currency", "owner_id", "pod_id", "stage_id", "kind", "closed_on", "account_id", "product_id",
        "term_months",
    }
)  # fmt: skip
#: The same of the lines that a deal is made of. Of a share everything counts.
_LINE_PAYS: Final = frozenset({"deal_id", "product_id", "quantity", "unit_price_minor", "discount_bp", "amount_minor"})
#: Parts of deals, by kind, and where they stand. Stage history is not among them: nothing is paid by it.
_PARTS: Final[Mapping[str, type[DealLine] | type[DealSplit]]] = {"deal_lines": DealLine, "deal_splits": DealSplit}
#: By which columns a part that goes is told.
_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "deal_lines": ("product_id", "quantity", "amount_minor"),
    "deal_splits": ("person_id", "share_bp"),
}


class Brake:
    """Looks at the rows of a page before they are brought in: at deals that are closed already, and at parts of such."""

    def sets_aside(
        self, applier: Applier, raws: Sequence[Raw], known: Mapping[str, RawRecord], at: datetime
    ) -> set[str]:
        """The ids of rows that would change what a closed deal pays: they are held until the sweep has ended."""
        if applier.stream.kind == "deals":
            return _deals_set_aside(applier, raws, known, at)
        if applier.stream.kind in _PARTS:
            return set(_parts(applier, raws, known, at))
        return set()


def _deals_set_aside(applier: Applier, raws: Sequence[Raw], known: Mapping[str, RawRecord], at: datetime) -> set[str]:
    pairs = [
        (stored.record_id, raw)
        for raw in raws
        if (stored := known.get(raw.external_id)) is not None and stored.record_id is not None
    ]
    ids = {pk for pk, _raw in pairs}
    # Locked, so that nobody closes one between this look and the writing.
    deals = Deal.objects.filter(pk__in=ids).order_by("pk").select_for_update().values_list("pk", "kind")
    closed = {pk for pk, kind in deals if kind != StageKind.OPEN}
    touched = [raw for pk, raw in pairs if pk in closed]
    if not touched:
        return set()
    gone = {raw.external_id for raw in touched if raw.is_deleted or raw.merged_into}
    changing = [raw for raw in touched if raw.external_id not in gone]
    for fate in applier.compare(changing, known, at=at):
        if fate.fate == Fate.CHANGED and not _PAYS.isdisjoint(fate.after):
            gone.add(fate.raw.external_id)
    return gone


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of closed deals that would be altered. amount_minor: by how much, as far as the part itself says."""

    deals: frozenset[int]
    amount_minor: int = 0


def deals_of(applier: Applier, rows: Sequence[RawRecord], *, at: datetime) -> dict[str, int]:
    """The closed deal that each held record would alter, by external id; of a line that moves to another deal one of both."""
    if applier.stream.kind not in _PARTS:
        return {row.external_id: row.record_id for row in rows if row.record_id is not None}
    return {external_id: min(part.deals) for external_id, part in _parts_held(applier, rows, at).items()}


def going(kind: str, rows: Sequence[RawRecord]) -> dict[str, tuple[int, dict[str, Any]]]:
    """The parts of deals that would go with these held records, by external id: the key of each, and what it says now."""
    if kind not in _PARTS:
        return {}
    keys = {row.record_id: row.external_id for row in rows if row.is_gone and row.record_id is not None}
    found = {said.pop("pk"): said for said in _PARTS[kind].objects.filter(pk__in=keys).values("pk", *_TOLD[kind])}
    return {keys[pk]: (pk, said) for pk, said in found.items()}


def _parts_held(applier: Applier, rows: Sequence[RawRecord], at: datetime) -> dict[str, _Part]:
    from salesops.connectors.services.shelf import raw_of

    return _parts(applier, [raw_of(row) for row in rows], {row.external_id: row for row in rows}, at)


def _parts(applier: Applier, raws: Sequence[Raw], known: Mapping[str, RawRecord], at: datetime) -> dict[str, _Part]:
    """The lines or shares that would alter closed deals, with these.

    The very first load of the parts is none, and those of deals that themselves came or were closed since the last sweep
    over the parts come with their deals.
    """
    stream = applier.stream
    if stream.last_success_at is None:
        return {}
    ids = {
        raw.external_id: stored.record_id
        for raw in raws
        if (stored := known.get(raw.external_id)) is not None and stored.record_id is not None
    }
    model: Any = _PARTS[stream.kind]
    stood: dict[int, DealLine | DealSplit] = model.objects.in_bulk(set(ids.values()))
    found: dict[str, _Part] = {}
    telling = []
    for raw in raws:
        row = stood.get(ids.get(raw.external_id, 0))
        if not raw.is_deleted and not raw.merged_into:
            telling.append(raw)
        elif row is not None:
            found[raw.external_id] = _Part(frozenset({row.deal_id}), abs(_amount(row)))
    said = applier.values_of(telling)
    for fate in applier.compare(telling, known, at=at):
        external_id = fate.raw.external_id
        row = stood.get(ids.get(external_id, 0))
        told = said.get(external_id, {}).get("deal_id")
        pays = fate.fate == Fate.CHANGED and (model is DealSplit or not _LINE_PAYS.isdisjoint(fate.after))
        if fate.fate != Fate.CREATED and not pays:
            continue
        before = _amount(row)
        after = fate.after.get("amount_minor", before)
        # A line that becomes another one, or another deal's, moves all that it is worth.
        found[external_id] = _Part(
            frozenset({pk for pk in (told, row.deal_id if row else None) if pk is not None}),
            abs(after - before if after != before else before),
        )
    closed = _closed(stream, {pk for part in found.values() for pk in part.deals})
    return {
        external_id: _Part(part.deals & closed, part.amount_minor)
        for external_id, part in found.items()
        if part.deals & closed
    }


def _amount(row: DealLine | DealSplit | None) -> int:
    return row.amount_minor if isinstance(row, DealLine) else 0


def _closed(stream: Stream, deals: set[int]) -> set[int]:
    """Which of these deals are closed, and were before the last sweep over their parts."""
    closed = set(Deal.objects.filter(pk__in=deals).exclude(kind=StageKind.OPEN).values_list("pk", flat=True))
    lately = RawRecord.objects.filter(
        stream__connection=stream.connection_id,
        stream__kind="deals",
        record_id__in=closed,
        state=RawState.TAKEN,
        received_at__gt=stream.last_success_at,
    )
    return closed - {pk for pk, changed in lately.values_list("record_id", "changed") if pk and "stage_id" in changed}


def settle(stream: Stream, applier: Applier, *, at: datetime) -> Hold | None:
    """At the end of a sweep: let in what was set aside, or, where it is more than the brake allows, hold it for a person.

    Call it inside a transaction. Gives the hold that waits, or None.
    """
    waiting = Hold.objects.select_for_update().filter(stream=stream, state=HoldState.WAITING).first()
    held = _held(stream)
    if not held.exists():
        if waiting is not None:
            waiting.delete()
        return None
    deals, amount = _extent(applier, held, at=at)
    connection = stream.connection
    if waiting is None and deals <= connection.brake_deals and amount <= connection.brake_minor:
        for rows in _portions(held):
            let_in(stream, applier, rows, at=at)
        return None
    return _wait(waiting or Hold(stream=stream, made_at=at), deals, amount)


def _held(stream: Stream) -> QuerySet[RawRecord]:
    """What is set aside; not what somebody let in and a job still brings."""
    return RawRecord.objects.filter(stream=stream, state=RawState.HELD).exclude(hold__state=HoldState.ADMITTED)


def _portions(held: QuerySet[RawRecord]) -> Iterator[list[RawRecord]]:
    """Held rows in order, so many at a time: a price list that changed in the source may hold each deal there ever was."""
    after = 0
    while rows := list(held.filter(pk__gt=after).order_by("pk")[:PORTION]):
        yield rows
        after = rows[-1].pk


def _wait(hold: Hold, deals: int, amount: int) -> Hold:
    """Let all that is set aside wait for a person together."""
    hold.deals, hold.amount_minor = deals, amount
    hold.save()
    _held(hold.stream).update(hold=hold)
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
        _wait(waiting or Hold(stream=stream, made_at=at), *_extent(applier, _held(stream), at=at))
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
    or somebody has all of it decided anew (`reopen`). What is let in comes at once, as far as it is a portion; a job
    brings the rest.

    Raises PermissionDenied, ValidationError when it was decided already.
    """
    if actor.sight(Noun.IMPORT) < Scope.ALL or not actor.may_change_closed_deals:
        raise PermissionDenied
    with transaction.atomic():
        # The object first, as a sweep has it when it settles: in the other order each would wait for the other.
        Stream.objects.select_for_update().filter(pk=hold.stream_id).values_list("pk").first()
        held = Hold.objects.select_for_update().get(pk=hold.pk)
        if held.state != HoldState.WAITING:
            raise ValidationError(_("This was decided already."))
        held.state = HoldState.ADMITTED if admit else HoldState.TURNED_AWAY
        held.decided_by_id, held.decided_at, held.reason = actor.user_id, at, reason[:300]
        held.save()
        if admit:
            let_in(held.stream, applier, next(_portions(held.coming), []), at=at)
            if held.coming.exists():
                enqueue_admitted(held, actor=actor, at=at)
        else:
            held.coming.update(state=RawState.DISMISSED)
        record(
            actor=actor,
            action="connection.hold_admitted" if admit else "connection.hold_turned_away",
            subject=held.stream.connection,
            after={"deals": held.deals, "amount_minor": held.amount_minor},
            reason=reason,
            at=at,
        )
    return held


def enqueue_admitted(hold: Hold, *, actor: Actor, at: datetime) -> None:
    """Ring for the job that brings in the rest of what somebody let in."""
    jobs.enqueue(
        kind=ADMITTED,
        key=f"admitted:{hold.pk}",
        payload={"hold": hold.pk},
        actor=actor,
        at=at,
        title=_("Changes of closed deals from %(name)s") % {"name": hold.stream.connection.source.name},
        url=reverse("connectors:hold_decide", kwargs={"pk": hold.pk}),
    )


def enqueue_left(*, at: datetime) -> int:
    """Ring for what was let in and is not here yet, should its job have been ended or whoever asked for it be gone. Gives
    how many holds."""
    coming = RawRecord.objects.filter(hold=OuterRef("pk"), state=RawState.HELD)
    holds = Hold.objects.filter(Exists(coming), state=HoldState.ADMITTED).select_related("stream__connection__source")
    for hold in holds:
        enqueue_admitted(hold, actor=system_actor(), at=at)
    return len(holds)


def bring_admitted(run: JobRun) -> None:
    """The job behind a decision: what was let in, a portion a transaction. A row of which the source says something newer
    meanwhile is not among them: it is held anew."""
    from salesops.connectors.services.applying import Applier

    hold = Hold.objects.select_related("stream__connection__source").get(pk=run.payload["hold"])
    applier = Applier(hold.stream, actor=run.actor)
    total = run.state.get("done", 0) + hold.coming.count()
    while not run.cancelled and (rows := next(_portions(hold.coming), [])):
        with run.batch():
            let_in(hold.stream, applier, rows, at=run.now())
            run.state["done"] = run.state.get("done", 0) + len(rows)
            run.progress(run.state["done"], total, _("records"))


def _extent(applier: Applier, held: QuerySet[RawRecord], *, at: datetime) -> tuple[int, int]:
    """How many closed deals the held rows would alter, and by how much money in minor units. A share moves all that its
    deal is worth, once for each deal."""
    if applier.stream.kind not in _PARTS:
        return held.count(), sum(_money(applier, rows) for rows in _portions(held))
    deals: set[int] = set()
    amount = 0
    for rows in _portions(held):
        parts = _parts_held(applier, rows, at)
        now = {pk for part in parts.values() for pk in part.deals} - deals
        deals |= now
        if _PARTS[applier.stream.kind] is DealLine:
            amount += sum(part.amount_minor for part in parts.values())
        else:
            worth = Deal.objects.filter(pk__in=now).values_list("amount_minor", flat=True)
            amount += sum(abs(each) for each in worth)
    return len(deals), amount


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
