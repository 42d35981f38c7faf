"""Rows to canonical records by a mapping: typed values, money in minor units, references looked up, or the reasons why not."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from salesops.connectors.rules.cells import CellReader, at, blank, error_in, one_line
from salesops.connectors.rules.fields import KINDS, Field, FieldType, LookupKind
from salesops.connectors.rules.mapping import Mapping, Unknown
from salesops.connectors.rules.tables import Cell, Row, cell_text, shown
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _
from salesops.values.periods import Period

_MOST_LOOKED_UP: Final = 300
_REMEMBERED: Final = 20_000
_WHOLE_AS_FLOAT: Final = re.compile(r"[0-9]{1,18}\.0+")


class Part(StrEnum):
    """Which fields of a mapping are read.

    A reference to a record of the same kind (the manager of a person, the parent of an account) may point further
    down in the file: FIRST leaves those out, DEFERRED reads only them and what names the record, ALL reads everything.
    """

    ALL = "all"
    FIRST = "first"
    DEFERRED = "deferred"


class Lookup(NamedTuple):
    """What has to be found: a kind of record, by which of its keys, and the text that stands in the file."""

    kind: LookupKind
    by: str
    text: str


class Reference(NamedTuple):
    """A record that was found: its key, or None when it has to be made, and the text it was found by."""

    kind: LookupKind
    key: int | None
    text: str


@dataclass(frozen=True)
class Answer:
    """What became of a lookup: the key that was found, or why there is none.

    A problem without a key always refuses the row, whatever the mapping says about unknown names: it is how a
    proposal waits for its confirmation, and how two equally good records are refused.
    """

    key: int | None = None
    problem: Problem | None = None


Value = str | int | Decimal | date | Period | Reference | None


@dataclass(frozen=True)
class Record:
    """A canonical record: typed values by name (money as `<field>_minor` with `currency`), in the order of the fields.

    A name that is missing says nothing about that field; None empties it. `identity` is by what the record is found
    again.
    """

    kind: str
    line: int
    values: ReadOnly[str, Value]
    identity: tuple[tuple[str, Value], ...]

    def flat(self) -> dict[str, Any]:
        """The values as plain keyword arguments: references as `<field>_id`, those still to be made left out."""
        flat: dict[str, Any] = {}
        for name, value in self.values.items():
            if value is None and (field := KINDS[self.kind].field(name)) and field.lookup:
                flat[f"{name}_id"] = None
            elif not isinstance(value, Reference):
                flat[name] = value
            elif value.key is not None:
                flat[f"{name}_id"] = value.key
        return flat

    def digest(self) -> str:
        """A digest of everything the record says, the same for the same content."""
        plain = [[name, _plain(value)] for name, value in sorted(self.values.items())]
        return hashlib.sha256(json.dumps([self.kind, plain], ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Converted:
    """What became of a row: a record, or the problems that send it to the shelf. `where` of each names the column."""

    row: Row
    record: Record | None
    problems: tuple[Problem, ...] = ()


_NO_ANSWER: Final = Answer()


class Converter:
    """Turns rows of one layout into records of one mapping. Made once for a file, used for every batch."""

    def __init__(self, mapping: Mapping, headers: Sequence[str], part: Part = Part.ALL) -> None:
        """Make ready. Raises ValueError when the headers lack a column of the mapping."""
        if not mapping.fits(headers):
            raise ValueError("the headers lack a column of the mapping")
        self._mapping = mapping
        self._headers = tuple(headers)
        self._kind = mapping.definition
        named = {code for identity in self._kind.identities for code in identity} | {"first_name", "last_name"}
        readers = [
            CellReader(rule, field, self._headers)
            for rule in mapping.rules
            if (field := self._kind.field(rule.field)) and _belongs(field, named, part)
        ]
        # The currency is read first: amounts need it.
        self._readers = sorted(readers, key=lambda reader: reader.field.type is not FieldType.CURRENCY)
        targets = {reader.target for reader in readers} | {"name", "currency"}
        self._order = [field.target for field in self._kind.fields if field.target in targets]
        self._lookups: dict[tuple[str, str], Lookup] = {}

    def lookups(self, rows: Iterable[Row]) -> set[Lookup]:
        """Everything that has to be looked up before these rows can be converted."""
        readers = [reader for reader in self._readers if reader.is_lookup]
        wanted: set[Lookup] = set()
        for row in rows:
            if row.problems:
                continue
            for reader in readers:
                cell = reader.cell(row.cells)
                if cell != "" and not error_in(cell):
                    wanted.add(self._lookup(reader, cell))
        return wanted

    def convert_many(self, rows: Iterable[Row], answers: ReadOnly[Lookup, Answer]) -> list[Converted]:
        """Convert a batch; one bad row stops no other."""
        found: dict[tuple[str, Cell], Reference] = {}
        return [self._convert(row, answers, found) for row in rows]

    def convert(self, row: Row, answers: ReadOnly[Lookup, Answer]) -> Converted:
        """Convert one row. All its problems are found, not only the first."""
        return self._convert(row, answers, {})

    def _convert(
        self, row: Row, answers: ReadOnly[Lookup, Answer], found: dict[tuple[str, Cell], Reference]
    ) -> Converted:
        """The same; `found` holds what the same cells referred to in rows before, by the same answers."""
        if row.problems:
            return Converted(row, None, row.problems)
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        cells = row.cells
        for reader in self._readers:
            if reader.is_lookup:
                reference = found.get((reader.target, cells[reader.place])) if reader.place is not None else None
                if reference is not None:
                    values[reader.target] = reference
                    continue
            elif known := reader.recall(cells):
                self._put(reader, known, values, problems)
                continue
            cell = reader.cell(cells)
            if cell == "":
                if reader.field.is_required:
                    problems.append(blank(reader.where, reader.field.label))
                elif reader.rule.clears:
                    values[reader.target] = None
            elif error := error_in(cell):
                problems.append(_spreadsheet_error(reader.where, error))
            elif reader.is_lookup:
                reference = self._find(reader, cell, answers, values, problems)
                if reference is not None and reader.place is not None:
                    found[reader.target, cells[reader.place]] = reference
            else:
                outcome = reader.read(cell, values.get("currency") if reader.is_money else None)
                reader.remember(cells, outcome)
                self._put(reader, outcome, values, problems)
        family_name = values.get("last_name")
        _join_names(values)
        identity = self._identity(values)
        if not problems:
            problems += _across(values)
            if identity is None:
                problems.append(self._nameless())
        if problems or identity is None:
            return Converted(row, None, tuple(problems))
        ordered = {target: values[target] for target in self._order if target in values}
        if self._kind.code == "people" and family_name:
            ordered["family_name"] = family_name  # payroll files want to know which part of the name it is
        return Converted(row, Record(self._kind.code, row.line, ordered, identity))

    def waits_for_its_own(self, row: Row, answers: ReadOnly[Lookup, Answer]) -> bool:
        """Whether a reference to a record of the same kind (a parent) means nothing yet: it may come with later rows."""
        for reader in self._readers:
            if reader.field.is_deferred and reader.is_lookup:
                cell = reader.cell(row.cells)
                if cell == "" or error_in(cell):
                    continue
                if answers.get(self._lookup(reader, cell), _NO_ANSWER).key is None:
                    return True
        return False

    @property
    def has_deferred(self) -> bool:
        """Whether some field points at records of the same kind."""
        return any(reader.field.is_deferred for reader in self._readers)

    def _put(self, reader: CellReader, outcome: Outcome[Any], values: dict[str, Any], problems: list[Problem]) -> None:
        """Put what a cell came to into the values, or say why there is none."""
        if outcome.problems:
            problems += outcome.problems
        if outcome.value is None:
            return
        if reader.is_money:
            values[reader.target], currency = outcome.value
            values.setdefault("currency", currency)
        else:
            values[reader.target] = outcome.value

    def _lookup(self, reader: CellReader, cell: Cell) -> Lookup:
        written = cell_text(cell)
        lookup = self._lookups.get((reader.target, written))
        if lookup is None:
            text = one_line(written)[:_MOST_LOOKED_UP]
            if _WHOLE_AS_FLOAT.fullmatch(text):
                # Tools that read a column of ids with gaps in it write 2 as 2.0.
                text = text.partition(".")[0]
            text = reader.meant(text)
            lookup = Lookup(reader.field.lookup or LookupKind.PERSON, reader.rule.lookup_by, text)
            if len(self._lookups) >= _REMEMBERED:
                self._lookups.clear()
            self._lookups[reader.target, written] = lookup
        return lookup

    def _find(
        self,
        reader: CellReader,
        cell: Cell,
        answers: ReadOnly[Lookup, Answer],
        values: dict[str, Any],
        problems: list[Problem],
    ) -> Reference | None:
        """Put the answer of a lookup into the values and give it, or say why there is none."""
        lookup = self._lookup(reader, cell)
        answer = answers.get(lookup, _NO_ANSWER)
        if answer.key is not None or (answer.problem is None and reader.rule.on_unknown is Unknown.CREATE):
            reference = Reference(lookup.kind, answer.key, lookup.text)
            values[reader.target] = reference
            return reference
        if answer.problem:
            problems.append(at(answer.problem, reader.where))
        elif reader.rule.on_unknown is Unknown.REFUSE:
            problems.append(_unknown(reader.where, reader.field.label, lookup.text))
        elif reader.rule.clears:
            values[reader.target] = None
        return None

    def _identity(self, values: ReadOnly[str, Value]) -> tuple[tuple[str, Value], ...] | None:
        for codes in self._kind.identities:
            if all(values.get(code) is not None for code in codes):
                return tuple((code, values[code]) for code in codes)
        return None

    def _nameless(self) -> Problem:
        labels = [
            " + ".join(field.label for code in codes if (field := self._kind.field(code)))
            for codes in self._kind.identities
        ]
        return Problem.of(
            "record-nameless",
            _("The row says nothing by which the record could be found again (%(fields)s)."),
            remedy=_("Fill one of these, or leave the row out."),
            fields=" / ".join(labels),
        )


def _belongs(field: Field, named: set[str], part: Part) -> bool:
    """Whether a field is read in this part of the work."""
    if part is Part.FIRST:
        return not field.is_deferred
    return part is Part.ALL or field.is_deferred or field.code in named


def _across(values: ReadOnly[str, Any]) -> list[Problem]:
    """What does not go together in one record."""
    start, end = values.get("start_on"), values.get("end_on")
    if isinstance(start, date) and isinstance(end, date) and end <= start:
        return [
            Problem.of(
                "record-range",
                _("It ends (%(end)s) before it has begun (%(start)s)."),
                remedy=_("Correct one of the days."),
                start=start.isoformat(),
                end=end.isoformat(),
            )
        ]
    return []


def _join_names(values: dict[str, Any]) -> None:
    """A first and a last name make the name where none is given by itself."""
    first, last = values.pop("first_name", None), values.pop("last_name", None)
    if values.get("name") is None and (first or last):
        values["name"] = " ".join(str(part) for part in (first, last) if part)


def _plain(value: Value) -> Any:
    if isinstance(value, Reference):
        return [value.kind.value, value.key if value.key is not None else value.text]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Period):
        return [value.start.isoformat(), value.end.isoformat()]
    if isinstance(value, date):
        return value.isoformat()
    return value


def _spreadsheet_error(where: str, error: str) -> Problem:
    return Problem.of(
        "spreadsheet-error",
        _("The cell holds the spreadsheet error %(error)s."),
        where=where,
        remedy=_("Correct the formula, or write the value."),
        error=error,
    )


def _unknown(where: str, label: str, text: str) -> Problem:
    return Problem.of(
        "lookup-unknown",
        _("“%(value)s” was not found (%(field)s)."),
        where=where,
        remedy=_("Import or create it first, correct the name, or say in the mapping what happens with unknown names."),
        value=shown(text),
        field=label,
    )
