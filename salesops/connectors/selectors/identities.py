"""Which records of the portal a source's ids mean: by what came from the same connection, else as files find them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from django.db import models

from salesops.accounts.models import Account, Contact
from salesops.connectors.choices import RawState
from salesops.connectors.models import ConfirmedName, Connection, RawRecord
from salesops.connectors.rules.convert import Answer, Lookup
from salesops.connectors.rules.fields import ANY_KEY, LookupKind
from salesops.connectors.selectors.lookups import Resolver
from salesops.deals.models import Deal
from salesops.leads.models import Lead

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


def record_ids(connection: Connection, kind: str, external_ids: Collection[str]) -> dict[str, int]:
    """The portal's rows of a kind by the connection's ids; ids of merged records mean the one that took their place."""
    return _record_ids(connection, (kind,), external_ids)


def _record_ids(connection: Connection, kinds: Collection[str], external_ids: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    waiting = {each: each for each in external_ids if each}  # id now looked for -> id asked
    for _hop in range(_HOPS):
        if not waiting:
            break
        following: dict[str, str] = {}
        for external_id, record_id, merged_into, state in RawRecord.objects.filter(
            stream__connection=connection, stream__kind__in=kinds, external_id__in=waiting
        ).values_list("external_id", "record_id", "merged_into", "state"):
            asked = waiting[external_id]
            if state == RawState.DELETED and merged_into:
                following[merged_into] = asked
            elif record_id is not None:
                found[asked] = record_id
        waiting = following
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


class Identities(Resolver):
    """Answers the lookups of one connection, a batch at a time: its own ids first, then what files are found by."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.source.code)
        self._connection = connection
        self._remembered: dict[Lookup, Answer] = {}

    def answers(self, lookups: Iterable[Lookup]) -> dict[Lookup, Answer]:
        """What became of each lookup."""
        answers: dict[Lookup, Answer] = {}
        by_id: dict[LookupKind, dict[str, list[Lookup]]] = defaultdict(lambda: defaultdict(list))
        for lookup in lookups:
            if lookup in self._remembered:
                answers[lookup] = self._remembered[lookup]
            elif lookup.kind in _KINDS and lookup.by in (ANY_KEY, "external_id"):
                by_id[lookup.kind][lookup.text].append(lookup)
            else:
                answers[lookup] = self._by_name(lookup)
        for kind, asked in by_id.items():
            found = _record_ids(self._connection, _KINDS[kind], asked)
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
            for text, its_lookups in asked.items():
                for lookup in its_lookups:
                    if text in found:
                        answers[lookup] = Answer(key=found[text])
                    elif lookup.by == ANY_KEY:
                        answers[lookup] = self._by_name(lookup)
                    else:
                        answers[lookup] = Answer()
        return answers

    def _by_name(self, lookup: Lookup) -> Answer:
        """As files find it; what is few is remembered for the run."""
        answer = super().answers([lookup])[lookup]
        if lookup.kind in _BY_NAME and answer.key is not None:
            self._remembered[lookup] = answer
        return answer
