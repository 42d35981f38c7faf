"""Imports as people see them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from salesops.connectors.models import FileImport, RejectedRow
from salesops.connectors.rules.fields import ANY_KEY, CREATABLE, LOOKUP_KEY_LABELS, LOOKUP_KEYS, Field, FieldType
from salesops.connectors.rules.mapping import FieldRule, Mapping, Unknown
from salesops.connectors.rules.profile import TableProfile
from salesops.connectors.rules.tables import cell_text, unpack_cells
from salesops.core.actor import Actor


def imports_for(actor: Actor) -> QuerySet[FileImport]:
    """Imports the actor may see."""
    rows: QuerySet[FileImport] = FileImport.objects.visible_to(actor).select_related("source", "uploaded_by")
    return rows


def import_for(actor: Actor, pk: int) -> FileImport:
    """One import; 404 when it is not theirs."""
    row: FileImport = FileImport.objects.select_related("source", "uploaded_by", "saved_mapping").get_for(actor, pk=pk)
    return row


def shelf_for(actor: Actor, file_import: FileImport) -> QuerySet[RejectedRow]:
    """The refused rows of an import."""
    rows: QuerySet[RejectedRow] = RejectedRow.objects.visible_to(actor).filter(file_import=file_import)
    return rows


def row_for(actor: Actor, pk: int) -> RejectedRow:
    """One refused row; 404 when it is not theirs."""
    row: RejectedRow = RejectedRow.objects.select_related("file_import__source").get_for(actor, pk=pk)
    return row


def cell_texts(row: RejectedRow) -> list[str]:
    """The cells of a shelved row as a person sees them."""
    return [cell_text(cell) for cell in unpack_cells(row.cells)]


@dataclass(frozen=True, slots=True)
class FieldShown:
    """A field of the mapping page: what it is, how it is filled, what its column holds."""

    field: Field
    rule: FieldRule | None
    samples: list[str]
    keys: list[tuple[str, str]]
    unknowns: list[tuple[str, str]]

    @property
    def label(self) -> str:
        """In the reader's language."""
        return _(self.field.label)

    @property
    def is_lookup(self) -> bool:
        """Whether it refers to a record."""
        return self.field.type is FieldType.LOOKUP

    @property
    def is_money(self) -> bool:
        """Whether it is an amount."""
        return self.field.type is FieldType.MONEY

    @property
    def is_day(self) -> bool:
        """Whether it is a day or a period."""
        return self.field.type in (FieldType.DATE, FieldType.PERIOD)


def fields_of(mapping: Mapping, profile: TableProfile) -> list[FieldShown]:
    """The fields of the mapping's kind in order, those that are filled with what their column holds."""
    words = {
        Unknown.REFUSE.value: _("put the row on the shelf"),
        Unknown.CREATE.value: _("make it"),
        Unknown.EMPTY.value: _("leave it empty"),
    }
    shown = []
    for field in mapping.definition.fields:
        rule = mapping.rule(field.code)
        column = profile.column(rule.column) if rule is not None and rule.column is not None else None
        keys: list[tuple[str, str]] = []
        unknowns: list[tuple[str, str]] = []
        if field.lookup is not None:
            keys = [(key, _(LOOKUP_KEY_LABELS[key])) for key in (ANY_KEY, *LOOKUP_KEYS[field.lookup])]
            unknowns = [
                (value, words[value]) for value in words if value != Unknown.CREATE or field.lookup in CREATABLE
            ]
        shown.append(
            FieldShown(
                field, rule, [str(sample.text) for sample in column.samples[:3]] if column else [], keys, unknowns
            )
        )
    return shown
