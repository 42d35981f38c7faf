"""What a source tells becomes the portal's records: newer than what is known, converted, merged, written, its origin kept."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, reduce
from operator import or_
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as translate

from salesops.connectors.choices import Master, RawState
from salesops.connectors.destinations import Destination, destination_of
from salesops.connectors.models import RawRecord, Stream
from salesops.connectors.rules.convert import Converter, Record
from salesops.connectors.rules.mapping import Mapping as FieldMapping
from salesops.connectors.rules.masters import Said, contested, decide, silent
from salesops.connectors.rules.shapes import Flattener
from salesops.connectors.rules.tables import Checkpoint, Row
from salesops.connectors.selectors.identities import Identities, hosts_and_guests, namesakes, record_ids, standing
from salesops.connectors.services.brakes import Brake
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Column, ColumnType, Object, Raw, moment_of
from salesops.core.actor import Actor
from salesops.core.rows import as_json, insert_rows, update_objects
from salesops.core.upserts import Fate
from salesops.values.names import fold_name
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

_NOWHERE: Final = Checkpoint(0, 0, 0)
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
#: Records whose parts are looked for in one question.
_WHOLES: Final = 100
#: As long as ids of a source are kept.
_LONGEST_ID: Final = 200


@dataclass(slots=True)
class Applied:
    """What became of some records: counts by name (created, changed, unchanged, refused, held, removed), and for a
    preview the fate of each. later: the ids of those whose reference to one of their own kind (a parent) meant nothing."""

    counts: Counter[str] = field(default_factory=Counter)
    fates: list[RawFate] = field(default_factory=list)
    later: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RawFate:
    """What became of one record. before and after hold the columns that differ."""

    raw: Raw
    fate: str
    label: str = ""
    record_id: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    waits: bool = False


class Applier:
    """Brings raw rows of one stream in. Made once for a run; mapping and masters are as they stood then."""

    def __init__(self, stream: Stream, *, actor: Actor, brake: Brake | None = None) -> None:
        self.stream, self.actor, self.brake = stream, actor, brake
        self.connection = stream.connection
        self.source: str = stream.connection.source.code
        vendor = vendor_of(stream.connection.vendor)
        self.object: Object = next(
            each for each in vendor.objects_for(stream.connection.options) if each.code == stream.object
        )
        self.mapping = FieldMapping.from_plain(stream.mapping).unwrap()
        plain = json.dumps(stream.mapping, sort_keys=True).encode()
        #: Part of each digest: a telling that is known by another mapping is not known by this one.
        self._mapped = hashlib.blake2b(plain, digest_size=16).digest()
        self.destination: Destination = destination_of(stream.kind)
        known = {column.path: column for column in (*self.object.columns, *columns_of(stream))}
        self._columns = [known.get(path) or Column(path) for path in self.mapping.columns]
        zone = ZoneInfo(stream.connection.options.get("time_zone") or settings.COMPANY_TIME_ZONE)
        self.flattener = Flattener(self._columns, zone)
        self.converter = Converter(self.mapping, self.flattener.headers)

    @cached_property
    def resolver(self) -> Identities:
        """Finds what references mean."""
        return Identities(self.connection)

    # --- the road

    def apply(self, raws: Sequence[Raw], *, at: datetime, force: bool = False) -> Applied:
        """Bring raw rows in, inside the caller's transaction. Older tellings than what is known change nothing; rows that
        are known already cost no write. `force`: also those that are known (the shelf tried again, a mapping changed)."""
        done = Applied()
        newest = _newest(raws)
        if not newest:
            return done
        # Two workers may bring the same object: the second waits for the first.
        Stream.objects.select_for_update().filter(pk=self.stream.pk).values_list("pk").first()
        known = {
            row.external_id: row
            for row in RawRecord.objects.filter(stream=self.stream, external_id__in=newest).defer("payload")
        }
        for row, raw in self._parts_left_out(newest, known):
            known[row.external_id], newest[row.external_id] = row, raw
        rows: list[Raw] = []
        gone: list[Raw] = []
        texts: dict[str, tuple[str, str]] = {}
        for external_id, raw in newest.items():
            stored = known.get(external_id)
            if stored is not None and _is_turned_away(stored, raw):
                done.counts["unchanged"] += 1
                continue
            if raw.is_deleted or raw.merged_into:
                if stored is None or stored.version > raw.version or _is_gone_already(stored, raw):
                    done.counts["unchanged"] += 1
                else:
                    gone.append(raw)
                continue
            text, digest = _written(raw.payload, self._mapped)
            if stored is not None and stored.version > raw.version:  # also of what was set aside and is tried again
                done.counts["unchanged"] += 1
                continue
            is_known = stored is not None and stored.digest == digest and _is_settled(stored) and not stored.is_gone
            if is_known and not force:
                done.counts["unchanged"] += 1
                continue
            texts[external_id] = text, digest
            rows.append(raw)
        if rows:
            self._bring(rows, known, texts, at, done)
        if gone:
            self._take_away(gone, known, at, done)
        return done

    def preview(self, raws: Sequence[Raw], *, at: datetime) -> list[RawFate]:
        """What would become of raw rows; nothing is written."""
        newest = [raw for raw in _newest(raws).values() if not raw.is_deleted and not raw.merged_into]
        with transaction.atomic():
            known = {
                row.external_id: row
                for row in RawRecord.objects.filter(
                    stream=self.stream, external_id__in=[raw.external_id for raw in newest]
                ).defer("payload")
            }
            return self._upsert(newest, known, at, preview=True)

    def record_of(self, raw: Raw) -> tuple[Record | None, tuple[Problem, ...]]:
        """The canonical record of a raw row, or why there is none."""
        row = self.row_of(raw)
        answers = self.resolver.answers(self.converter.lookups([row]))
        converted = self.converter.convert(row, answers)
        return converted.record, converted.problems

    def compare(self, raws: Sequence[Raw], known: Mapping[str, RawRecord], *, at: datetime) -> list[RawFate]:
        """What would become of raw rows that are known; nothing is written."""
        return self._upsert(raws, known, at, preview=True) if raws else []

    def _parts_left_out(self, newest: Mapping[str, Raw], known: Mapping[str, RawRecord]) -> list[tuple[RawRecord, Raw]]:
        """The parts of records that newer tellings of these no longer have, with the telling that they are gone."""
        wholes = [
            raw
            for external_id, raw in newest.items()
            if raw.has_parts and (stored := known.get(external_id)) is not None and stored.version < raw.version
        ]
        left_out = []
        for start in range(0, len(wholes), _WHOLES):
            some = {raw.external_id: raw for raw in wholes[start : start + _WHOLES]}
            of_these = reduce(or_, (Q(external_id__startswith=f"{each}:") for each in some))
            for row in RawRecord.objects.filter(of_these, stream=self.stream, is_gone=False).defer("payload"):
                if row.external_id not in newest:
                    version = some[row.external_id.partition(":")[0]].version
                    left_out.append((row, Raw(row.external_id, version, {}, is_deleted=True)))
        return left_out

    # --- rows

    def row_of(self, raw: Raw) -> Row:
        """The cells of a raw row, in the order of the flattener's headers."""
        payload = self.object.shape(raw.payload) if self.object.shape else raw.payload
        return Row(0, self.flattener.cells(payload), _NOWHERE)

    def _bring(
        self,
        raws: list[Raw],
        known: Mapping[str, RawRecord],
        texts: Mapping[str, tuple[str, str]],
        at: datetime,
        done: Applied,
    ) -> None:
        held: set[str] = set()
        if self.brake is not None:
            held = self.brake.sets_aside(self, raws, known, at)
        fates = self._upsert([raw for raw in raws if raw.external_id not in held], known, at, preview=False)
        new: list[tuple[Any, ...]] = []
        changed: list[RawRecord] = []
        waiting: list[RawRecord] = []
        for fate in (*fates, *(RawFate(raw, "held") for raw in raws if raw.external_id in held)):
            raw = fate.raw
            stored = known.get(raw.external_id)
            text, digest = texts[raw.external_id]
            problems = [problem.as_plain() for problem in fate.problems]
            done.counts[fate.fate] += 1
            if fate.fate == Fate.REFUSED and stored is not None and _is_same(stored, digest, problems):
                continue
            state = _STATES.get(fate.fate, RawState.TAKEN)
            if stored is None:
                new.append(
                    (
                        self.stream.pk,
                        raw.external_id,
                        raw.version,
                        digest,
                        text,
                        at,
                        state.value,
                        as_json(problems),
                        fate.record_id,
                        as_json(changes_of(fate)),
                        *_NOTHING,
                    )
                )
                continue
            row = stored
            row.version, row.digest, row.received_at = raw.version, digest, at
            if row.record_id is not None and fate.fate in _STATES:
                row.told = text  # what was taken stays beside it, and is not loaded for that
                waiting.append(row)
            else:
                row.payload, row.told = text, ""
                changed.append(row)
            row.is_gone, row.merged_into = False, ""
            row.problems = problems
            row.state = state
            row.hold_id = None
            if fate.record_id is not None:
                row.record_id = fate.record_id
            if fate.fate in (Fate.CREATED, Fate.CHANGED):
                row.changed = changes_of(fate)
        insert_rows(RawRecord, _NEW, new)
        save_raw(changed)
        save_raw(waiting, names=[name for name in _WRITTEN if name != "payload"])
        self._merge_with_newcomers(fates, at)
        done.fates += fates
        done.later += [fate.raw.external_id for fate in fates if fate.waits]

    def _upsert(
        self, raws: Sequence[Raw], known: Mapping[str, RawRecord], at: datetime, *, preview: bool
    ) -> list[RawFate]:
        """Convert rows and hand them to their room. One bad row stops no other."""
        rows = [self.row_of(raw) for raw in raws]
        answers = self.resolver.answers(self.converter.lookups(rows))
        converted = self.converter.convert_many(rows, answers)
        fates: list[RawFate] = []
        made: list[Any] = []
        places: list[int] = []
        records = [each.record for each in converted]
        ids = self._rows_meant(raws, records, known)
        overruled = self._overruled(raws, records, ids, lock=not preview)
        has_deferred = self.converter.has_deferred
        for place, (raw, each) in enumerate(zip(raws, converted, strict=True)):
            fate = RawFate(raw, Fate.UNCHANGED, problems=list(each.problems))
            fate.waits = has_deferred and self.converter.waits_for_its_own(rows[place], answers)
            fates.append(fate)
            fate.record_id = ids.get(place)
            if each.record is None:
                fate.fate = Fate.REFUSED
                continue
            try:
                one = self.destination.make(without(each.record, overruled.get(place, ())))
                made.append(one if fate.record_id is None else replace(one, pk=fate.record_id))
                places.append(place)
            except TypeError:
                fate.fate = Fate.REFUSED
                fate.problems.append(_lacking())
        if not made:
            return fates
        result = self.destination.upsert(records=made, actor=self.actor, source=self.source, at=at, preview=preview)
        for outcome in result.outcomes:
            fate = fates[places[outcome.position]]
            fate.fate, fate.label = outcome.fate, outcome.label
            fate.before, fate.after = outcome.before, outcome.after
            if outcome.pk is not None:
                fate.record_id = outcome.pk
        for problem in result.problems:
            fate = fates[places[problem.position]]
            fate.problems.append(Problem.of("refused", str(problem.message), where=problem.column))
        return fates

    def _has_vanished(self, stored: RawRecord) -> bool:
        """Whether the record was removed from a kind that keeps no tombstones: what comes back is made anew."""
        is_deleted = stored.state == RawState.DELETED
        return is_deleted and self.destination.remove is not None and self.destination.restore is None

    def _rows_meant(
        self, raws: Sequence[Raw], records: Sequence[Record | None], known: Mapping[str, RawRecord]
    ) -> dict[int, int]:
        """By place: the portal's row that a record is known to be. One that was merged here, not at this source, is the
        row that stands for it; a company that this connection tells of for the first time is the one of its very name
        that another source told of."""
        stored = {
            place: row
            for place, raw in enumerate(raws)
            if (row := known.get(raw.external_id)) is not None
            and row.record_id is not None
            and not self._has_vanished(row)
        }
        ids = {place: row.record_id for place, row in stored.items() if row.record_id is not None}
        stand = standing(self.stream.kind, {pk for place, pk in ids.items() if not stored[place].is_gone})
        ids = {place: pk if stored[place].is_gone else stand.get(pk, pk) for place, pk in ids.items()}
        if self.stream.kind == "accounts":
            names = {
                place: fold_name(str(name))
                for place, record in enumerate(records)
                if place not in ids and record is not None and (name := record.values.get("name"))
            }
            found = namesakes(self.connection, set(names.values())) if names else {}
            for place, name in names.items():
                if name in found:
                    ids[place] = found.pop(name)
        return ids

    def _overruled(
        self, raws: Sequence[Raw], records: Sequence[Record | None], ids: Mapping[int, int], *, lock: bool
    ) -> dict[int, frozenset[str]]:
        """By place: the values of a record that the portal keeps, because it is the master of them. Of a company of which
        another system has the say, only what is empty is filled; what it filled is not emptied by the silence of the one
        that has it. `lock`: what is decided here is written next, and no edit may come between."""
        masters = {name: Master(value) for name, value in self.stream.masters.items() if value != Master.CRM}
        hosts, guests = hosts_and_guests(self.stream, {raws[place].external_id: pk for place, pk in ids.items()})
        shared = hosts | guests
        ids = {place: pk for place, pk in ids.items() if masters or raws[place].external_id in shared}
        if not ids:
            return {}
        current = self.destination.current(list(ids.values()), lock=lock)
        before = self.last_said([raws[place].external_id for place in ids])
        told: dict[int, Said] = {}
        rules: dict[int, Mapping[str, str]] = {}
        for place, pk in ids.items():
            record = records[place]
            if record is None or pk not in current:
                continue
            told[place] = Said(
                now=plain_values(record),
                before=before.get(raws[place].external_id),
                portal=current[pk],
                said_at=moment_of(raws[place].version),
            )
            is_guest = raws[place].external_id in guests
            rules[place] = dict.fromkeys(record.values, Master.FILL) if is_guest else masters
        # When a row was saved says nothing of a field: any write moves that.
        since = {
            place: said.said_at
            for place, said in told.items()
            if said.said_at is not None and contested(masters=rules[place], said=said)
        }
        edited = self.destination.edited([ids[place] for place in since], since=min(since.values())) if since else {}
        kept: dict[int, frozenset[str]] = {}
        for place, said in told.items():
            said = replace(said, edited_at=edited.get(ids[place], {}))
            kept[place] = decide(masters=rules[place], said=said)
            if raws[place].external_id in hosts:
                kept[place] |= silent(said)
        return kept

    def last_said(self, external_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What the source said when it was last taken, as canonical values by external id: read back from what was kept."""
        return self.values_of(
            [
                Raw(external_id, version, json.loads(payload))
                for external_id, version, payload in RawRecord.objects.filter(
                    stream=self.stream, external_id__in=external_ids
                ).values_list("external_id", "version", "payload")
                if payload
            ]
        )

    def values_of(self, raws: Sequence[Raw]) -> dict[str, dict[str, Any]]:
        """Raw rows as canonical values by external id; those that cannot be read are left out."""
        rows = [self.row_of(raw) for raw in raws]
        answers = self.resolver.answers(self.converter.lookups(rows))
        return {
            raw.external_id: plain_values(each.record)
            for raw, each in zip(raws, self.converter.convert_many(rows, answers), strict=True)
            if each.record is not None
        }

    # --- deletions and merges

    def _take_away(self, raws: Sequence[Raw], known: Mapping[str, RawRecord], at: datetime, done: Applied) -> None:
        """Records that are gone at the source: removed here, or merged into the one that took their place. The company of
        a guest stays."""
        held: set[str] = set()
        if self.brake is not None:
            held = self.brake.sets_aside(self, raws, known, at)
        winners = record_ids(self.connection, self.stream.kind, [raw.merged_into for raw in raws if raw.merged_into])
        rows = {raw.external_id: known[raw.external_id].record_id for raw in raws}
        _hosts, leaving = hosts_and_guests(self.stream, {each: pk for each, pk in rows.items() if pk is not None})
        removed = [
            known[raw.external_id]
            for raw in raws
            if not raw.merged_into and raw.external_id not in held and raw.external_id not in leaving
        ]
        pks = self._only_theirs(removed)
        if pks and self.destination.remove is not None:
            because = translate("Deleted in %(source)s") % {"source": self.connection.source.name}
            self.destination.remove(pks=pks, actor=self.actor, because=because, at=at)
        for raw in raws:
            row = known[raw.external_id]
            winner = winners.get(raw.merged_into) if raw.merged_into else None
            row.version, row.received_at = raw.version, at
            row.is_gone, row.merged_into, row.told = True, raw.merged_into, ""
            row.problems, row.hold_id = [], None
            if raw.external_id in held:
                row.state = RawState.HELD
                done.counts["held"] += 1
                continue
            if raw.merged_into and row.record_id is not None and raw.external_id not in leaving:
                is_one = winner is not None and (winner == row.record_id or self._merge(row.record_id, winner, at))
                pks = [] if is_one else self._only_theirs([row])
                if pks and self.destination.remove is not None:
                    because = translate("Merged into another record in %(source)s") % {
                        "source": self.connection.source.name
                    }
                    self.destination.remove(pks=pks, actor=self.actor, because=because, at=at)
            row.state = RawState.DELETED
            done.counts["removed"] += 1
        save_raw([known[raw.external_id] for raw in raws], names=_GONE)

    def _only_theirs(self, rows: Sequence[RawRecord]) -> list[int]:
        """The portal's rows of raw records that no other record of the stream stands for (two that were merged here)."""
        pks = {row.record_id for row in rows if row.record_id is not None}
        shared = set(
            RawRecord.objects.filter(stream=self.stream, record_id__in=pks, is_gone=False)
            .exclude(pk__in=[row.pk for row in rows])
            .values_list("record_id", flat=True)
        )
        return [pk for pk in pks if pk not in shared]

    def _merge(self, loser: int, winner: int, at: datetime) -> bool:
        """Merge two rows of the portal; False where the winner is gone itself."""
        if self.destination.merge is None:
            return False
        try:
            with transaction.atomic():
                self.destination.merge(loser=loser, winner=winner, actor=self.actor, at=at)
        except ValidationError:
            return False
        return True

    def _merge_with_newcomers(self, fates: Sequence[RawFate], at: datetime) -> None:
        """Records that were merged into one which had not come yet are merged with it now."""
        made = {fate.raw.external_id: fate.record_id for fate in fates if fate.fate == Fate.CREATED}
        if not made or self.destination.merge is None:
            return
        lost = RawRecord.objects.filter(
            stream=self.stream, state=RawState.DELETED, merged_into__in=made, record_id__isnull=False
        )
        for loser, winner in lost.values_list("record_id", "merged_into"):
            pk = made[winner]
            if loser is not None and pk is not None and loser != pk:
                self._merge(loser, pk, at)


_STATES: Final = {Fate.REFUSED: RawState.REFUSED, "held": RawState.HELD}
#: Columns of a raw record that is new, and what stands in those that say nothing yet.
_NEW: Final = (
    "stream_id", "external_id", "version", "digest", "payload", "received_at", "state", "problems", "record_id", "changed",
    "told", "is_gone", "merged_into",
)  # fmt: skip
_NOTHING: Final = ("", False, "")
_WRITTEN: Final = (
    "version", "digest", "payload", "told", "received_at", "state", "problems", "record_id", "is_gone", "merged_into", "changed",
    "hold_id",
)  # fmt: skip
_GONE: Final = ("version", "told", "received_at", "state", "problems", "is_gone", "merged_into", "hold_id")


def save_raw(rows: Sequence[RawRecord], *, names: Sequence[str] = _WRITTEN) -> None:
    """Write these columns of raw records that are there, in one statement."""
    columns = ["hold" if name == "hold_id" else name for name in names]
    if "payload" in names or connection.vendor == "postgresql":
        update_objects(rows, columns)
    elif rows:
        RawRecord.objects.bulk_update(rows, columns)  # an upsert would load the payloads


def columns_of(stream: Stream) -> list[Column]:
    """The columns that the vendor said the object has."""
    return [Column(**{**plain, "type": ColumnType(plain.get("type", "text"))}) for plain in stream.columns]


def plain_values(record: Record) -> dict[str, Any]:
    """The values of a record as its room's rows have them: references as keys under `<field>_id`."""
    return record.flat()


def without(record: Record, names: Sequence[str] | frozenset[str]) -> Record:
    """The record without some of its values."""
    if not names:
        return record
    values = {name: value for name, value in record.values.items() if name not in names and f"{name}_id" not in names}
    return Record(record.kind, record.line, values, record.identity)


def _written(payload: Mapping[str, Any], mapped: bytes) -> tuple[str, str]:
    """A payload as it is kept, and its digest by a mapping."""
    text = _encode(payload)
    try:
        kept = text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which no database keeps
        text = json.dumps(payload, separators=(",", ":"), default=str)
        kept = text.encode()
    return text, hashlib.blake2b(kept, digest_size=16, key=mapped).hexdigest()


def _newest(raws: Sequence[Raw]) -> dict[str, Raw]:
    """Each record once: its newest telling, of two equal ones the later."""
    newest: dict[str, Raw] = {}
    for raw in raws:
        if len(raw.external_id) > _LONGEST_ID or len(raw.merged_into) > _LONGEST_ID:
            raw = replace(raw, external_id=_fitting(raw.external_id), merged_into=_fitting(raw.merged_into))
        seen = newest.get(raw.external_id)
        if seen is None or raw.version >= seen.version:
            newest[raw.external_id] = raw
    return newest


def _fitting(external_id: str) -> str:
    """An id that has room: the same one always the same."""
    if len(external_id) <= _LONGEST_ID:
        return external_id
    return f"{external_id[: _LONGEST_ID - 33]}~{hashlib.sha256(external_id.encode()).hexdigest()[:32]}"


def _is_settled(stored: RawRecord) -> bool:
    """Whether the same telling again would change nothing."""
    return stored.state in (RawState.TAKEN, RawState.DISMISSED, RawState.HELD)


def _is_turned_away(stored: RawRecord, raw: Raw) -> bool:
    """Whether a person said that this very telling does not come in: it stays so in whatever way it comes again, until the
    source says something newer or somebody has the whole hold decided anew (`brakes.reopen`)."""
    if stored.state != RawState.DISMISSED or stored.hold_id is None or raw.version > stored.version:
        return False
    return (stored.is_gone, stored.merged_into) == (raw.is_deleted or bool(raw.merged_into), raw.merged_into)


def _is_same(stored: RawRecord, digest: str, problems: list[dict[str, Any]]) -> bool:
    """Whether a refused record was refused before for the same."""
    return stored.state == RawState.REFUSED and stored.digest == digest and stored.problems == problems


def _is_gone_already(stored: RawRecord, raw: Raw) -> bool:
    """Whether a deletion says nothing new; one that does not name a winner takes a merge that is known not back."""
    return stored.state == RawState.DELETED and raw.merged_into in ("", stored.merged_into)


def changes_of(fate: RawFate) -> dict[str, Any]:
    """What differs, as plain JSON: {column: [before, after]}."""
    return {name: [_json(fate.before.get(name)), _json(value)] for name, value in fate.after.items()}


def _json(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else str(value)


def _lacking() -> Problem:
    return Problem.of(
        "record-incomplete",
        _("The record does not say enough to be made."),
        remedy=_("Map the columns that are required, or fill them at the source."),
    )
