"""A canonical record against what is stored: created, changed field by field, left alone, or refused."""

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from salesops.connectors.rules.convert import Record, Reference
from salesops.connectors.rules.mapping import Mapping, Write
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _


class Fate(StrEnum):
    """What would become of a record; the same words as where it is written."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class Difference:
    """One field that would change."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Verdict:
    """What would become of a record, and the differences or problems that say why."""

    fate: Fate
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """What has to be written."""
        return {difference.field: difference.after for difference in self.differences}


def compare(record: Record, stored: ReadOnly[str, Any] | None, mapping: Mapping) -> Verdict:
    """Tell what the record changes in what is stored (None when there is nothing yet).

    `stored` has plain values under the same names; references are keys, or None. A field of the record that the
    mapping only writes into new records, or only where nothing is stored, changes nothing else. What the record does
    not mention is left alone.
    """
    differences: list[Difference] = []
    for name, value in record.values.items():
        after = value.key if isinstance(value, Reference) and value.key is not None else value
        if stored is None:
            if not _is_blank(after):
                differences.append(Difference(name, None, after))
            continue
        before = stored.get(name)
        write = _write_of(mapping, name)
        if write is Write.ON_CREATE or (write is Write.IF_EMPTY and not _is_blank(before)):
            continue
        if before != after and not (_is_blank(before) and _is_blank(after)):
            differences.append(Difference(name, before, after))
    if stored is None:
        lacking = [
            _lacking(field.label)
            for field in mapping.definition.fields
            if field.is_needed_to_create and _is_blank(record.values.get(field.target))
        ]
        return refused(*lacking) if lacking else Verdict(Fate.CREATED, tuple(differences))
    return Verdict(Fate.CHANGED if differences else Fate.UNCHANGED, tuple(differences))


def refused(*problems: Problem) -> Verdict:
    """A row that cannot be taken, and why."""
    return Verdict(Fate.REFUSED, problems=problems)


def _lacking(label: str) -> Problem:
    return Problem.of(
        "needed-to-create",
        _("There is no such record yet, and none can be made without “%(field)s”."),
        remedy=_("Fill the cell, or give the field a template in the mapping."),
        field=label,
    )


def _is_blank(value: Any) -> bool:
    return value is None or value == ""


def _write_of(mapping: Mapping, name: str) -> Write:
    """When the mapping writes a value; values that follow from another field are written with it."""
    for rule in mapping.rules:
        field = mapping.definition.field(rule.field)
        if field and name in {field.code, field.target}:
            return rule.write
    return Write.ALWAYS
