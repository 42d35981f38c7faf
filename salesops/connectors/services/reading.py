"""Turns rows of a stored file into records, batch by batch, and hands them to the room that takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.conf import settings
from django.utils.translation import gettext as _

from salesops.accounts.services.upserts import AccountRecord, upsert_accounts
from salesops.connectors.destinations import PodRecord, destination_of, upsert_pods
from salesops.connectors.models import FileImport
from salesops.connectors.rules import files
from salesops.connectors.rules.convert import Converted, Converter, Lookup, Part, Record, Reference
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.rules.mapping import Mapping
from salesops.connectors.rules.tables import LIMITS, Checkpoint, Layout, Row
from salesops.connectors.selectors.lookups import Resolver
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import Fate
from salesops.deals.services.upserts import ProductRecord, upsert_products
from salesops.pods.services.upserts import (
    MembershipRecord,
    TerritoryRecord,
    upsert_memberships,
    upsert_territories,
)
from salesops.values.outcomes import Problem, gettext_noop

#: Rows that are converted and written together.
BATCH: Final = 500


def path_of(file_import: FileImport) -> Path:
    """Where the file lies. Raises FileNotFoundError when it was swept."""
    if not file_import.stored_as:
        raise FileNotFoundError(_("The file was swept; upload it again."))
    return Path(settings.MEDIA_ROOT) / file_import.stored_as


def mapping_of(file_import: FileImport) -> Mapping:
    """The mapping as it stands. Raises OutcomeError for one that cannot be read."""
    return Mapping.from_plain(file_import.mapping).unwrap()


def layout_of(file_import: FileImport) -> Layout:
    """How the file is read."""
    return Layout.from_plain(file_import.layout)


@dataclass(slots=True)
class RowFate:
    """What became of a row: the fate, the record's name, what differs, or why it was refused."""

    row: Row
    fate: Fate
    label: str = ""
    pk: int | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Reader:
    """Reads one import's file. Made once for a run; holds the converter and the resolver."""

    def __init__(self, file_import: FileImport, part: Part = Part.ALL) -> None:
        self.file_import = file_import
        self.layout = layout_of(file_import)
        self.mapping = mapping_of(file_import)
        self.converter = Converter(self.mapping, self.layout.headers, part)
        self.resolver = Resolver(file_import.source.code)
        self.destination = destination_of(self.mapping.kind)

    @property
    def has_deferred(self) -> bool:
        """Whether some field points at records of the same kind and is filled when all rows are in."""
        return any(
            (found := self.mapping.definition.field(rule.field)) is not None and found.is_deferred
            for rule in self.mapping.rules
        )

    def batches(self, stream: BinaryIO, checkpoint: Checkpoint | None = None, size: int = BATCH) -> Iterator[list[Row]]:
        """The rows from a checkpoint on, fewer at once when they are long. Raises FileRefused when the file cannot be read on."""
        batch: list[Row] = []
        chars = 0
        for row in files.rows(stream, self.layout, checkpoint):
            batch.append(row)
            chars += sum(len(cell) for cell in row.cells if isinstance(cell, str))
            if len(batch) == size or chars > LIMITS.batch_chars:
                yield batch
                batch, chars = [], 0
        if batch:
            yield batch

    def take(self, rows: Sequence[Row], *, actor: Actor, at: datetime, preview: bool) -> list[RowFate]:
        """Convert a batch and bring it in; in a preview say what would happen. One bad row stops no other."""
        lookups = self.converter.lookups(rows)
        converted = self.converter.convert_many(rows, self.resolver.answers(lookups))
        if not preview and self._make_missing(converted, actor, at):
            converted = self.converter.convert_many(rows, self.resolver.answers(lookups))
        fates: dict[int, RowFate] = {}
        good: list[tuple[int, Record]] = []
        for place, each in enumerate(converted):
            if each.record is None:
                fates[place] = RowFate(each.row, Fate.REFUSED, problems=list(each.problems))
            else:
                good.append((place, each.record))
        self._bring_in(good, converted, fates, actor, at, preview)
        return [fates[place] for place in range(len(converted))]

    def _bring_in(
        self,
        good: list[tuple[int, Record]],
        converted: Sequence[Converted],
        fates: dict[int, RowFate],
        actor: Actor,
        at: datetime,
        preview: bool,
    ) -> None:
        """Hand the records to their room and note what became of each."""
        made: list[Any] = []
        places: list[int] = []
        for place, record in good:
            try:
                made.append(self.destination.make(record))
                places.append(place)
            except TypeError:
                fates[place] = RowFate(converted[place].row, Fate.REFUSED, problems=[_lacking()])
        if not made:
            return
        result = self.destination.upsert(
            records=made, actor=actor, source=self.file_import.source.code, at=at, preview=preview
        )
        for problem in result.problems:
            place = places[problem.position]
            fate = fates.setdefault(place, RowFate(converted[place].row, Fate.REFUSED))
            fate.problems.append(Problem.of("refused", str(problem.message), where=self._column(problem.column)))
        for outcome in result.outcomes:
            place = places[outcome.position]
            if place in fates and outcome.fate is Fate.REFUSED:
                continue
            noted = fates.get(place)
            fates[place] = RowFate(
                converted[place].row, outcome.fate, outcome.label, outcome.pk, dict(outcome.before), dict(outcome.after)
            )
            if noted is not None:
                fates[place].problems = noted.problems
        for place in places:
            fates.setdefault(place, RowFate(converted[place].row, Fate.REFUSED, problems=[_lacking()]))
        if not preview and self.mapping.kind == "people":
            self._place_in_pods(good, fates, actor, at)

    def _column(self, name: str) -> str:
        """The column of the file that a model's column was filled from; the name itself where there is none."""
        code = name.removesuffix("_id").removesuffix("_minor")
        rule = self.mapping.rule(code)
        return (rule.column or name) if rule else name

    def _make_missing(self, converted: Sequence[Converted], actor: Actor, at: datetime) -> bool:
        """Make the records that rows name and that are allowed to be made from their name alone. True when any was."""
        wanted: dict[LookupKind, dict[str, None]] = {}
        for each in converted:
            for value in each.record.values.values() if each.record else ():
                if isinstance(value, Reference) and value.key is None:
                    wanted.setdefault(value.kind, {})[value.text] = None
        source = self.file_import.source.code
        for kind, texts in wanted.items():
            if kind is LookupKind.ACCOUNT:
                upsert_accounts(records=[AccountRecord(name=text) for text in texts], actor=actor, source=source, at=at)
            elif kind is LookupKind.PRODUCT:
                upsert_products(records=[ProductRecord(name=text) for text in texts], actor=actor, source=source, at=at)
            elif kind is LookupKind.TERRITORY:
                upsert_territories(
                    records=[TerritoryRecord(code=text, name=text) for text in texts], actor=actor, source=source, at=at
                )
            elif kind is LookupKind.POD:
                day = company_day(at)
                upsert_pods(
                    records=[PodRecord(name=text, opened_on=day) for text in texts], actor=actor, source=source, at=at
                )
        self.resolver.forget(set(wanted))
        return bool(wanted)

    def _place_in_pods(
        self, good: list[tuple[int, Record]], fates: dict[int, RowFate], actor: Actor, at: datetime
    ) -> None:
        """People whose rows name a pod become members from their first day; those who are in it already stay."""
        members, places = [], []
        for place, record in good:
            pod = record.values.get("pod")
            fate = fates[place]
            if not isinstance(pod, Reference) or pod.key is None or fate.pk is None:
                continue
            started = record.values.get("started_on")
            members.append(
                MembershipRecord(
                    person_id=fate.pk,
                    pod_id=pod.key,
                    function=str(record.values.get("function") or "ae"),
                    start_on=started if started is not None else company_day(at),  # type: ignore[arg-type]  # a date by its field
                )
            )
            places.append(place)
        if members:
            members_result = upsert_memberships(
                records=members, actor=actor, source=self.file_import.source.code, at=at
            )
            for problem in members_result.problems:
                fates[places[problem.position]].problems.append(
                    Problem.of("refused", str(problem.message), where="pod")
                )


def unresolved(reader: Reader, rows: Sequence[Row], seen: Counter[Lookup]) -> None:
    """Count the names in these rows that mean nothing for sure yet."""
    for row in rows:
        for lookup in reader.converter.lookups([row]):
            if not reader.resolver.match(lookup).is_settled:
                seen[lookup] += 1


def _lacking() -> Problem:
    return Problem.of(
        "record-incomplete",
        gettext_noop("The row does not say enough to make a record."),
        remedy=gettext_noop("Fill the required columns."),
    )
