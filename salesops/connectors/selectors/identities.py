"""Which records of the portal a source's ids mean: by what came from the same connection, else as files find them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, Final

from django.db import models

from salesops.accounts.models import Account, Contact
from salesops.connectors.choices import ConnectionState, RawState
from salesops.connectors.models import ConfirmedName, Connection, RawRecord, Stream
from salesops.connectors.rules.convert import Answer, Lookup
from salesops.connectors.rules.fields import ANY_KEY, LookupKind
from salesops.connectors.selectors import reached
from salesops.connectors.selectors.lookups import Resolver
from salesops.connectors.vendors import vendor_of
from salesops.deals.models import Deal
from salesops.leads.models import Lead
from salesops.values.names import fold_name, match_name

#: The kinds of records that a lookup by the source's id may mean.
_KINDS: Final[dict[LookupKind, tuple[str, ...]]] = {
    LookupKind.PERSON: ("owners", "people"),
    LookupKind.ACCOUNT: ("accounts",),
    LookupKind.CONTACT: ("contacts",),
    LookupKind.PRODUCT: ("products",),
    LookupKind.DEAL: ("deals",),
}
#: Where records that came from the source before it was connected (by files) are found by its ids.
_MODELS: Final[dict[LookupKind, type[models.Model]]] = {
    LookupKind.ACCOUNT: Account,
    LookupKind.CONTACT: Contact,
    LookupKind.DEAL: Deal,
}
if "LEAD" in LookupKind.__members__:
    _KINDS[LookupKind["LEAD"]] = ("leads",)
    _MODELS[LookupKind["LEAD"]] = Lead
#: Few and by name: loaded once and remembered.
_BY_NAME: Final = frozenset(
    {LookupKind.STAGE, LookupKind.SEGMENT, LookupKind.POD, LookupKind.TERRITORY, LookupKind.PLAN, LookupKind.PRODUCT}
)
#: How many hops from a merged record to the one that stands.
_HOPS: Final = 8
#: Of systems that tell of one company, the one of the highest rank has the say; what is not named here has the least.
_RANKS: Final[dict[str, int]] = {"crm": 3, "sql": 2, "billing": 1}
#: The models of kinds whose records may be merged here.
_MERGED: Final[dict[str, type[models.Model]]] = {"accounts": Account, "contacts": Contact, "leads": Lead, "deals": Deal}


def standing(kind: str, pks: Collection[int]) -> dict[int, int]:
    """The rows that stand for those of a kind that were merged, whoever merged them; the others are left out."""
    model = _MERGED.get(kind)
    found: dict[int, int] = {}
    if model is None or not pks:
        return found
    waiting = {pk: [pk] for pk in pks}  # row now looked at -> rows asked
    for _hop in range(_HOPS):
        merged: models.QuerySet[Any] = model._base_manager.filter(pk__in=waiting, merged_into__isnull=False)
        following: dict[int, list[int]] = defaultdict(list)
        for pk, into in merged.values_list("pk", "merged_into_id"):
            for asked in waiting[pk]:
                found[asked] = into
                following[into].append(asked)
        if not following:
            break
        waiting = following
    return found


def namesakes(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """By folded name: the one company of exactly this name, where another source told of it and this connection has not
    said yet what it has of it. Two systems that name a company the same mean the same."""
    rows = Account.objects.filter(match_name__in={match_name(name) for name in names})
    alike: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for pk, name, source, external_id in rows.values_list("pk", "name", "source", "external_id"):
        alike[fold_name(name)].append((pk, source, external_id))
    found = {
        name: its_rows[0][0]
        for name, its_rows in alike.items()
        if len(its_rows) == 1 and its_rows[0][1] != connection.source.code and its_rows[0][2]
    }
    taken = set(
        RawRecord.objects.filter(
            stream__connection=connection, stream__kind="accounts", record_id__in=found.values()
        ).values_list("record_id", flat=True)
    )
    return {name: pk for name, pk in found.items() if pk not in taken}


def hosts_and_guests(stream: Stream, rows: Mapping[str, int]) -> tuple[set[str], set[str]]:
    """Of a stream's companies, the portal's rows by external id: those that have the say where other records stand behind
    the same row, and those that leave it to another, because it is of a system of higher rank, or of the same rank and
    was there first. A guest fills what is empty, and the row stays when the guest goes."""
    if stream.kind != "accounts" or not rows:
        return set(), set()
    own: dict[str, tuple[int, int]] = {}
    behind: dict[int, list[tuple[int, int]]] = defaultdict(list)
    streams = Stream.objects.filter(kind=stream.kind).exclude(connection__state=ConnectionState.DISCONNECTED)
    for pk, external_id, stream_id, vendor, record_id in RawRecord.objects.filter(
        stream__in=streams, record_id__in=set(rows.values()), is_gone=False
    ).values_list("pk", "external_id", "stream_id", "stream__connection__vendor", "record_id"):
        place = (-_rank(vendor), pk)
        if stream_id == stream.pk and external_id in rows:
            own[external_id] = place
        behind[record_id or 0].append(place)
    late = (-_rank(stream.connection.vendor), sys.maxsize)
    hosts: set[str] = set()
    guests: set[str] = set()
    for external_id, pk in rows.items():
        place = own.get(external_id, late)
        others = [each for each in behind[pk] if each != place]
        if others:
            (guests if min(others) < place else hosts).add(external_id)
    return hosts, guests


def _rank(vendor: str) -> int:
    return _RANKS.get(vendor_of(vendor).family, 0)


def record_ids(connection: Connection, kind: str, external_ids: Collection[str]) -> dict[str, int]:
    """The portal's rows of a kind by the connection's ids; ids of merged records mean the one that took their place, also
    where another source or a person merged them."""
    return _record_ids(connection, (kind,), external_ids)


def _record_ids(connection: Connection, kinds: Collection[str], external_ids: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    of_kind: dict[str, set[int]] = defaultdict(set)
    waiting = {each: each for each in external_ids if each}  # id now looked for -> id asked
    for _hop in range(_HOPS):
        if not waiting:
            break
        following: dict[str, str] = {}
        for external_id, record_id, merged_into, state, kind in RawRecord.objects.filter(
            stream__connection=connection, stream__kind__in=kinds, external_id__in=waiting
        ).values_list("external_id", "record_id", "merged_into", "state", "stream__kind"):
            asked = waiting[external_id]
            if state == RawState.DELETED and merged_into:
                following[merged_into] = asked
            elif record_id is not None:
                found[asked] = record_id
                of_kind[kind].add(record_id)
        waiting = following
    for kind, pks in of_kind.items():
        stand = standing(kind, pks)
        found = {asked: stand.get(pk, pk) for asked, pk in found.items()} if stand else found
    return found


def confirmed_text(source: str, external_id: str) -> str:
    """Under what it is remembered that an id of a source means a record: ids of other sources may be the same."""
    return f"{source}:{external_id}"


def meant_by_people(source: str, kind: LookupKind, external_ids: Collection[str]) -> dict[str, int]:
    """The records that people said these ids of a source mean."""
    texts = {confirmed_text(source, each): each for each in external_ids}
    return {
        texts[text]: record_id
        for text, record_id in ConfirmedName.objects.filter(
            kind=kind.value, text__in=texts, record_id__gt=0
        ).values_list("text", "record_id")
    }


def _deals_elsewhere(external_ids: Collection[str]) -> dict[str, int]:
    """Deals by the ids that their own sources gave them, where only one has it: billing names deals of the CRM."""
    rows: dict[str, list[int]] = defaultdict(list)
    if external_ids:
        for external_id, pk in Deal.every.filter(external_id__in=external_ids).values_list("external_id", "pk"):
            rows[external_id].append(pk)
    found = {external_id: its_rows[0] for external_id, its_rows in rows.items() if len(its_rows) == 1}
    stand = standing("deals", found.values())
    return {external_id: stand.get(pk, pk) for external_id, pk in found.items()}


class Identities(Resolver):
    """Answers the lookups of one connection, a batch at a time: its own ids first, then what files are found by."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.source.code)
        self._connection = connection
        self._country = str(connection.options.get("country") or "")
        self._remembered: dict[Lookup, Answer] = {}

    def answers(self, lookups: Iterable[Lookup]) -> dict[Lookup, Answer]:
        """What became of each lookup."""
        answers: dict[Lookup, Answer] = {}
        by_id: dict[LookupKind, dict[str, list[Lookup]]] = defaultdict(lambda: defaultdict(list))
        reaching: dict[tuple[LookupKind, str], list[Lookup]] = defaultdict(list)
        for lookup in lookups:
            if lookup in self._remembered:
                answers[lookup] = self._remembered[lookup]
            elif lookup.kind in reached.KINDS and lookup.by in (reached.PHONE, reached.EMAIL):
                reaching[lookup.kind, lookup.by].append(lookup)
            elif lookup.kind in _KINDS and lookup.by in (ANY_KEY, "external_id"):
                by_id[lookup.kind][lookup.text].append(lookup)
            else:
                answers[lookup] = self._by_name(lookup)
        for (kind, by), wanted in reaching.items():
            keys = reached.reached(kind, by, [lookup.text for lookup in wanted], country=self._country)
            answers |= {lookup: Answer(key=keys.get(lookup.text)) for lookup in wanted}
        for kind, asked in by_id.items():
            found = _record_ids(self._connection, _KINDS[kind], asked)
            found |= self._by_siblings(_KINDS[kind], asked.keys() - found.keys())
            lacking = [text for text in asked if text not in found]
            if lacking and kind in _MODELS:
                for pk, external_id in (
                    _MODELS[kind]
                    ._default_manager.filter(source=self._source, external_id__in=lacking)
                    .values_list("pk", "external_id")
                ):
                    found[external_id] = pk
            lacking = [text for text in lacking if text not in found]
            if lacking:
                found |= meant_by_people(self._source, kind, lacking)
            if kind is LookupKind.DEAL:
                named = {lookup.text for text in lacking for lookup in asked[text] if lookup.by == ANY_KEY}
                found |= _deals_elsewhere(named - found.keys())
            for text, its_lookups in asked.items():
                for lookup in its_lookups:
                    if text in found:
                        answers[lookup] = Answer(key=found[text])
                    elif lookup.by == ANY_KEY:
                        answers[lookup] = self._by_name(lookup)
                    else:
                        answers[lookup] = Answer()
        return answers

    @cached_property
    def _siblings(self) -> list[int]:
        """The other connections to the same account of the same vendor: statements over one database, say."""
        same = Connection.objects.filter(vendor=self._connection.vendor, account_id=self._connection.account_id)
        is_named = self._connection.account_id != ""
        return list(same.exclude(pk=self._connection.pk).values_list("pk", flat=True)) if is_named else []

    def _by_siblings(self, kinds: Collection[str], external_ids: Collection[str]) -> dict[str, int]:
        """What ids mean that a sibling brought; one that several rows have means none of them."""
        if not self._siblings or not external_ids:
            return {}
        rows: dict[str, set[int]] = defaultdict(set)
        for external_id, record_id in RawRecord.objects.filter(
            stream__connection__in=self._siblings,
            stream__kind__in=kinds,
            external_id__in=external_ids,
            record_id__isnull=False,
            is_gone=False,
        ).values_list("external_id", "record_id"):
            rows[external_id].add(record_id or 0)
        return {external_id: pks.pop() for external_id, pks in rows.items() if len(pks) == 1}

    def _by_name(self, lookup: Lookup) -> Answer:
        """As files find it; what is few is remembered for the run."""
        answer = super().answers([lookup])[lookup]
        if lookup.kind in _BY_NAME and answer.key is not None:
            self._remembered[lookup] = answer
        return answer
