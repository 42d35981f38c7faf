"""What a record changes, in a person's words: fields by their names, money as money, keys as the records that they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field as ModelField
from django.db.models import ForeignKey, Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.connectors.destinations import destination_of
from salesops.connectors.models import RawRecord, Stream
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.rules.mapping import Mapping as FieldMapping
from salesops.connectors.rules.shapes import value_at
from salesops.connectors.vendors import vendor_of
from salesops.core import display
from salesops.core.actor import Actor
from salesops.deals.models import Deal, DealLine
from salesops.deals.rules.amounts import DROPPED_SHARES

_MINOR: Final = "_minor"
_KEY: Final = "_id"
_SHARE: Final = "_bp"
#: What an outcome says beside the columns of its record.
_BESIDE: Final[Mapping[str, Any]] = {DROPPED_SHARES: gettext_lazy("Shares that it takes the place of")}
#: Fields by which people call a record, the best first.
_NAMING: Final = ("name", "subject", "number", "email")


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs of one record: its key where it is here already, and by column what was and what would be."""

    record_id: int | None
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Told:
    """One field in words; "" for what is empty."""

    label: str
    before: str
    after: str


def told(actor: Actor, kind: str, differences: Sequence[Difference]) -> list[list[Told]]:
    """The differences of records of one kind, each in the order of its columns; what stays empty is left out.

    Two queries at most for the currencies of records that are here, and one for each kind of record that keys name, however many
    differences there are. A record that the actor may not see is told by its number.
    """
    model = _model_of(kind)
    fields = {name: _field_of(model, name) for each in differences for name in each.columns}
    names = {
        name: _names(actor, field, {value for each in differences for value in each.columns.get(name, ())})
        for name, field in fields.items()
        if isinstance(field, ForeignKey)
    }
    currencies = _currencies(model, differences)
    found = []
    for place, each in enumerate(differences):
        currency = _currency(each, currencies.get(place, ""))
        found.append(
            [
                Told(
                    label_of(kind, name, fields[name]),
                    _words(name, before, fields[name], names.get(name, {}), currency[0]),
                    _words(name, after, fields[name], names.get(name, {}), currency[1]),
                )
                for name, (before, after) in each.columns.items()
                if not (_is_empty(before) and _is_empty(after))
            ]
        )
    return found


def label_of(kind: str, name: str, field: ModelField[Any, Any] | None = None) -> str:
    """The name of a column: as mappings call the field, else as the record's own page does."""
    if name in _BESIDE:
        return str(_BESIDE[name])
    code = name.removesuffix(_MINOR).removesuffix(_KEY).removesuffix(_SHARE)
    known = KINDS[kind].field(code) or KINDS[kind].field(name) if kind in KINDS else None
    if known is not None:
        return _(known.label)
    words = str(field.verbose_name) if field is not None else code.replace("_", " ")
    return words[:1].upper() + words[1:]


def titles_of(actor: Actor, rows: Sequence[RawRecord]) -> dict[int, str]:
    """What records are called at their source, by their own key: what stands where the mapping finds a name, a subject, a
    number or an e-mail address. Without those that have none of it. One query, and the payloads of no more than these rows.
    """
    ways = {row.stream_id: _way_to_title(row.stream) for row in rows}
    found = {}
    tellings = RawRecord.objects.visible_to(actor).filter(pk__in=[row.pk for row in rows])
    for pk, stream_id, newer, taken in tellings.values_list("pk", "stream_id", "told", "payload"):
        columns, shape = ways[stream_id]
        text = newer or taken
        if not columns or not text:
            continue
        payload = json.loads(text)
        payload = shape(payload) if shape else payload
        title = next((value for path in columns if (value := value_at(payload, path)) not in (None, "")), None)
        if title is not None:
            found[pk] = str(title)
    return found


def _way_to_title(stream: Stream) -> tuple[list[str], Any]:
    """The columns in which a record may be named, and how the vendor's payloads are brought into shape."""
    mapping = FieldMapping.from_plain(stream.mapping).unwrap()
    rules = [rule for name in _NAMING if (rule := mapping.rule(name)) is not None]
    objects = vendor_of(stream.connection.vendor).objects_for(stream.connection.options)
    shape = next((each.shape for each in objects if each.code == stream.object), None)
    return [rule.column for rule in rules if rule.column], shape


def _model_of(kind: str) -> type[Model] | None:
    try:
        shown = destination_of(kind).shown
    except KeyError:
        return None
    return shown.model if shown is not None else None


def _field_of(model: type[Model] | None, name: str) -> ModelField[Any, Any] | None:
    if model is None:
        return None
    for code in (name, name.removesuffix(_KEY)):
        try:
            field = model._meta.get_field(code)
        except FieldDoesNotExist:
            continue
        return field if isinstance(field, ModelField) else None
    return None


def _names(actor: Actor, field: ForeignKey[Any, Any], keys: Iterable[Any]) -> dict[int, str]:
    """What those keys name, as far as the actor may know."""
    wanted = {key for key in keys if isinstance(key, int)}
    if not wanted:
        return {}
    rows = field.related_model._default_manager
    seen = rows.visible_to(actor) if hasattr(rows, "visible_to") else rows.all()
    return {row.pk: str(row) for row in seen.filter(pk__in=wanted)}


def _currencies(model: type[Model] | None, differences: Sequence[Difference]) -> dict[int, str]:
    """The currency of each record, by its place, whose money changes and whose currency does not; a line has its deal's."""
    wanted = {
        place: each
        for place, each in enumerate(differences)
        if any(name.endswith(_MINOR) for name in each.columns) and "currency" not in each.columns
    }
    ours = {place: each.record_id for place, each in wanted.items() if each.record_id is not None}
    keys: dict[int, int | None] = {**ours}
    if model is None or not wanted:
        return {}
    if model is DealLine:
        deal_of = dict(DealLine.objects.filter(pk__in=ours.values()).values_list("pk", "deal_id"))
        deals = {place: each.columns.get("deal_id", (None, None)) for place, each in wanted.items()}
        keys = {place: after or deal_of.get(keys.get(place) or 0) for place, (_before, after) in deals.items()}
        model = Deal
    if _field_of(model, "currency") is None:
        return {}
    there = {place: key for place, key in keys.items() if key is not None}
    known = dict(model._base_manager.filter(pk__in=there.values()).values_list("pk", "currency"))
    return {place: known[key] for place, key in there.items() if key in known}


def _currency(difference: Difference, known: str) -> tuple[str, str]:
    """In which currency money was, and is."""
    before, after = difference.columns.get("currency", (known, known))
    return str(before or after or known), str(after or before or known)


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _words(name: str, value: Any, field: ModelField[Any, Any] | None, names: Mapping[int, str], currency: str) -> str:
    """One value for reading."""
    if _is_empty(value):
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(field, ForeignKey):
        return names.get(value, f"#{value}")
    if name.endswith(_MINOR) and isinstance(value, int) and currency:
        return display.money(value, currency)
    if name.endswith(_SHARE) and isinstance(value, int):
        return display.share(value)
    if field is not None and field.choices:
        return str(dict(field.flatchoices).get(value, value))
    return _moment_or_day(value) or str(value)


def _moment_or_day(value: Any) -> str:
    """A day or a moment in the reader's writing, also from the JSON that is kept; "" for anything else."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("2026-01-01") else datetime.fromisoformat(value)
        except ValueError:
            return ""
    if isinstance(value, datetime):
        return display.moment(value) if value.tzinfo is not None else ""
    return display.day(value) if isinstance(value, date) else ""
