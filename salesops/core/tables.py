"""Tables of the portal: columns that know how to show, sort and export their values.

A `PortalTable` is declared like any django-tables2 table; it renders its cells in one lean loop of its own, because the
library's costs 0.2 ms a cell.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import django_tables2 as tables
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tables2.data import TableListData

from salesops.core import display, parts
from salesops.core.actor import NOBODY, Actor
from salesops.values.money import from_minor

#: What a cell of an exported file may hold.
Cell = str | int | Decimal | date | datetime | bool | None

_ANY_PK = 90_909_090_909


class PortalColumn(tables.Column):
    """A column of text, and the base of all others.

    `related` names what must be fetched together with the row; by default it is read off the accessor. `help` is shown
    on the header. `sorts_large` says whether sorting by this column stays quick on a million rows; by default it does
    when the column leads an index of the rows' own table. Where it does not, long lists sort only once filtered.
    """

    css: ClassVar[str] = ""

    def __init__(
        self,
        *args: Any,
        related: Sequence[str] | None = None,
        help: Any = "",
        sorts_large: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.related, self.help, self.sorts_large = related, help, sorts_large

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """The cell's HTML; plain text is escaped."""
        return str(value)

    def export_headers(self, label: str) -> list[str]:
        """The headers of this column in a file."""
        return [label]

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The cells of this column in a file: plain values, never localised."""
        return [plain_cell(value)]


class LinkColumn(PortalColumn):
    """Text that leads to a page: `LinkColumn("deals:deal_detail")`, by `pk_field` of the row (its own key by default)."""

    css = "col-link"

    def __init__(self, view_name: str, *args: Any, pk_field: str = "pk", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.view_name, self.pk_field = view_name, pk_field
        self._template: str | None = None

    def address(self, pk: Any) -> str:
        """The page of a row."""
        if self._template is None:
            self._template = reverse(self.view_name, kwargs={"pk": _ANY_PK})
        return self._template.replace(str(_ANY_PK), str(pk))

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """A link."""
        pk = getattr(record, self.pk_field, None)
        if pk is None:
            return str(value)
        return mark_safe(f'<a href="{escaped(self.address(pk))}">{escaped(value)}</a>')  # both are escaped


class MoneyColumn(PortalColumn):
    """Minor units with the row's currency: `MoneyColumn(accessor="amount_minor")`. Exported as amount and currency."""

    css = "col-number"

    def __init__(self, *args: Any, currency: str = "currency", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency

    def currency_of(self, record: Any) -> str:
        """The currency of a row."""
        for part in self.currency.split("."):
            record = record[part] if isinstance(record, Mapping) else getattr(record, part)
        return str(record)

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """As the reader writes money."""
        return display.money(value, self.currency_of(record))

    def export_headers(self, label: str) -> list[str]:
        """Amount and currency."""
        return [label, _("%(column)s (currency)") % {"column": label}]

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The amount in major units, exact, and the currency."""
        if value is None:
            return [None, None]
        currency = self.currency_of(record)
        return [from_minor(value, currency), currency]


class NumberColumn(PortalColumn):
    """A count or another whole number, at the right."""

    css = "col-number"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """With grouping."""
        return display.number(value)


class ShareColumn(PortalColumn):
    """Basis points as a percentage. Exported as a plain percentage: 12.5."""

    css = "col-number"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """With a percent sign."""
        return display.share(value)

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The percentage as a number."""
        return [None if value is None else Decimal(value) / 100]


class PersonColumn(PortalColumn):
    """A person with avatar: `PersonColumn(accessor="owner")`."""

    css = "col-person"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("accessor") and "order_by" not in kwargs:
            kwargs["order_by"] = (f"{kwargs['accessor']}__name",)
        super().__init__(*args, **kwargs)

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """Avatar and name."""
        return parts.person(str(value))


class DayColumn(PortalColumn):
    """A day."""

    css = "col-day"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """In the reader's language."""
        return parts.day(value)


class LastDayColumn(DayColumn):
    """The last day of a range whose end, as it is stored, is the first day after it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("verbose_name", gettext_lazy("Last day"))
        super().__init__(*args, **kwargs)

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """The day before the end."""
        return parts.day(value - timedelta(days=1) if value else None)

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The day before the end."""
        return [plain_cell(value - timedelta(days=1) if value else None)]


class MomentColumn(PortalColumn):
    """A moment in the reader's time zone; `ago=True` shows how long since."""

    css = "col-day"

    def __init__(self, *args: Any, ago: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ago = ago

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """The moment, or the time since."""
        return parts.moment(value, table.now if self.ago else None)


class ChoiceColumn(PortalColumn):
    """One of a field's choices, by its label; the field is the accessor's or, without one, has the column's name."""

    field_name = ""  # set by the table

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """The label."""
        return table.label_of_choice(self, value, record)

    def label(self, value: Any, record: Any) -> str:
        """The label of a choice, or the value itself."""
        path, _dot, own = str(self.accessor or self.field_name).replace("__", ".").rpartition(".")
        holder = _reader(path)(record) if path else record
        display_of = getattr(holder, f"get_{own}_display", None)
        return str(display_of() if callable(display_of) else value)

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The label."""
        return [self.label(value, record)]


class BadgeColumn(ChoiceColumn):
    """A state in a colour: `BadgeColumn(tones={"won": "green", "lost": "red"})`; `tone` reads it off another field."""

    css = "col-badge"

    def __init__(self, *args: Any, tones: Mapping[Any, str] | None = None, tone_field: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tones, self.tone_field = tones or {}, tone_field

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """A badge with the state's label."""
        key = getattr(record, self.tone_field) if self.tone_field else value
        return parts.badge(super().show(value, record, table), self.tones.get(key, "grey"))


class StateColumn(PortalColumn):
    """A badge that the table words itself, in `show_<column>`."""

    css = "col-badge"


class FlagColumn(PortalColumn):
    """Yes or no."""

    css = "col-badge"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """A tick with a word for it, or a dash."""
        return parts.icon("check", _("Yes")) if value else parts.NOTHING

    def export(self, value: Any, record: Any) -> list[Cell]:
        """True or false."""
        return [bool(value)]


class Rows(TableListData):
    """Rows that know their model, so that a table over a list finds the columns' names: `DealTable(Rows(deals, Deal))`."""

    def __init__(self, rows: Sequence[Any], model: type[models.Model]) -> None:
        super().__init__(list(rows))
        self.row_model = model

    @property
    def model(self) -> type[models.Model]:
        """What the rows are."""
        return self.row_model


@dataclass(frozen=True, slots=True)
class Header:
    """A column's header as the template needs it."""

    name: str
    label: str
    css: str
    help: str
    is_sortable: bool
    is_refused: bool  # it would sort, were there fewer rows
    direction: str  # "ascending", "descending" or ""
    sort: str  # the value of `sort` that a click asks for


class PortalTable(tables.Table):
    """The table of a list page.

    `default_columns` are shown until the person chooses others; empty means all. The first column of the table is always
    shown and names the row. `actor` is the reader: what they may not open is shown without a link. Methods `show_<column>(value, record)` and `export_<column>(value, record)` override a
    column's own.
    """

    default_columns: ClassVar[Sequence[str]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tell columns of choices their name, which is the field's when nothing else is said."""
        super().__init_subclass__(**kwargs)
        for name, column in cls.base_columns.items():
            if isinstance(column, ChoiceColumn):
                column.field_name = name

    def __init__(
        self,
        data: Any,
        *,
        columns_shown: Sequence[str] = (),
        sort: str = "",
        now: datetime | None = None,
        actor: Actor = NOBODY,
        selectable: bool = False,
        is_large: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        self.now, self.sort, self.selectable, self.is_large = now, sort, selectable, is_large
        self.actor = actor
        self.shown = self.choose(columns_shown)
        self._labels: dict[tuple[ChoiceColumn, Any], str] = {}

    @classmethod
    def column_names(cls) -> list[str]:
        """All columns, in the order of their declaration."""
        return list(cls.base_columns)

    @classmethod
    def choose(cls, wanted: Sequence[str]) -> list[str]:
        """The columns to show: those wanted that exist, else the default; the first column always leads."""
        names = cls.column_names()
        chosen = [name for name in dict.fromkeys(wanted) if name in names] or [
            name for name in (cls.default_columns or names) if name in names
        ]
        lead = names[0]
        return [lead, *(name for name in chosen if name != lead)]

    @classmethod
    def sort_fields(cls, name: str) -> tuple[str, ...]:
        """The model fields by which a column sorts, in ORM spelling; empty when it cannot."""
        column = cls.base_columns.get(name)
        if column is None or column.orderable is False or cls._meta.orderable is False:
            return ()
        fields = column.order_by or (column.accessor or name,)
        return tuple(str(field).replace(".", "__") for field in fields)

    @classmethod
    def sorts_large(cls, model: type[models.Model], name: str) -> bool:
        """Whether sorting by a column is quick however many rows there are."""
        given = getattr(cls.base_columns[name], "sorts_large", None)
        if given is not None:
            return bool(given)
        first = next(iter(cls.sort_fields(name)), "")
        if "__" in first:
            return False
        field = next((each for each in model._meta.concrete_fields if each.name == first), None)
        if field is None or field.is_relation:
            return False
        leading = {index.fields[0].lstrip("-") for index in model._meta.indexes if index.fields and not index.condition}
        return bool(field.primary_key or field.unique or getattr(field, "db_index", False) or field.name in leading)

    @classmethod
    def related_fields(cls, model: type[models.Model], names: Iterable[str]) -> list[str]:
        """What to fetch together with the rows so that these columns cost no query of their own."""
        found: dict[str, None] = {}
        for name in names:
            column = cls.base_columns[name]
            given = getattr(column, "related", None)
            paths = given if given is not None else [_foreign_path(model, str(column.accessor or name))]
            found.update(dict.fromkeys(path for path in paths if path))
        return list(found)

    def label_of(self, name: str) -> str:
        """The header of a column."""
        return str(self.columns[name].header)

    def label_of_choice(self, column: ChoiceColumn, value: Any, record: Any) -> str:
        """The label of a choice; the same value in the same column is looked up once."""
        key = (column, value)
        if key not in self._labels:
            self._labels[key] = column.label(value, record)
        return self._labels[key]

    @property
    def headers(self) -> list[Header]:
        """The headers of the columns shown."""
        wanted, is_descending = self.sort.lstrip("-"), self.sort.startswith("-")
        result = []
        for name in self.shown:
            column = self.base_columns[name]
            is_sorted = name == wanted
            first = f"-{name}" if column.initial_sort_descending else name
            other = name if column.initial_sort_descending else f"-{name}"
            is_sortable = bool(self.sort_fields(name))
            is_refused = is_sortable and self.is_large and not self.sorts_large(self.data.model, name)
            result.append(
                Header(
                    name=name,
                    label=self.label_of(name),
                    css=getattr(column, "css", ""),
                    help=str(getattr(column, "help", "")),
                    is_sortable=is_sortable and not is_refused,
                    is_refused=is_refused,
                    direction="" if not is_sorted else "descending" if is_descending else "ascending",
                    sort=other if is_sorted and self.sort == first else first,
                )
            )
        return result

    def body(self) -> Iterator[tuple[Any, list[tuple[str, str, str]]]]:
        """The rows: the record and, for each cell, its class, its column's label and its HTML."""
        cells = [self._shower(name) for name in self.shown]
        for record in self.data:
            yield record, [(css, label, show(record)) for css, label, show in cells]

    @property
    def body_html(self) -> SafeString:
        """The rows as HTML, in one go: a template's loop would cost several times as much."""
        pick = _("Select %(row)s")
        cells = [self._shower(name) for name in self.shown]
        lead_open, lead = f'<th scope="row" class="{cells[0][0]} cell-first">', cells[0][2]
        others = [(f'<td class="{css}" data-label="{escaped(label)}">', show) for css, label, show in cells[1:]]
        out: list[str] = []
        for record in self.data:
            out.append("<tr>")
            if self.selectable:
                out.append(
                    f'<td class="col-pick"><input type="checkbox" name="pk" value="{record.pk}" data-pick-row '
                    f'aria-label="{escaped(pick % {"row": record})}"></td>'
                )
            out.append(f"{lead_open}{escaped(lead(record))}</th>")
            out.extend([f"{opening}{escaped(show(record))}</td>" for opening, show in others])
            out.append("</tr>\n")
        return mark_safe("".join(out))  # every piece is escaped above

    def _shower(self, name: str) -> tuple[str, str, Callable[[Any], str | SafeString]]:
        column = self.base_columns[name]
        own = getattr(self, f"show_{name}", None)
        read = _reader(str(column.accessor or name))
        default = parts.NOTHING if column.default in (None, "—") else column.default
        if own is None and not isinstance(column, PortalColumn):
            column = PortalColumn()

        def show(record: Any) -> str:
            value = read(record)
            if own is not None:
                shown = own(value, record)
            elif value is None or value == "":
                return default
            else:
                shown = column.show(value, record, self)
            return default if shown is None or shown == "" else shown

        return getattr(column, "css", ""), self.label_of(name), show

    def file_headers(self) -> list[str]:
        """The headers of the exported file."""
        return [header for name in self.shown for header in self._column(name).export_headers(self.label_of(name))]

    def file_rows(self, records: Iterable[Any]) -> Iterator[list[Cell]]:
        """The rows of the exported file."""
        exporters = [
            (
                _reader(str(self.base_columns[name].accessor or name)),
                self._column(name),
                getattr(self, f"export_{name}", None),
            )
            for name in self.shown
        ]
        for record in records:
            row: list[Cell] = []
            for read, column, own in exporters:
                value = read(record)
                if own is not None:
                    given = own(value, record)
                    row.extend(given if isinstance(given, list) else [given])
                elif value is None or value == "":
                    row.extend([None] * len(column.export_headers("")))
                else:
                    row.extend(column.export(value, record))
            yield row

    def _column(self, name: str) -> PortalColumn:
        column = self.base_columns[name]
        return column if isinstance(column, PortalColumn) else PortalColumn()


def escaped(value: Any) -> str:
    """Text for HTML, escaped unless it is HTML already; Django's own does the same five times slower."""
    if isinstance(value, SafeString):
        return value
    return value.__html__() if hasattr(value, "__html__") else html.escape(str(value))


def plain_cell(value: Any) -> Cell:
    """A value as a file carries it: numbers, days and moments stay what they are, all else becomes text."""
    if isinstance(value, bool | int | Decimal | date | datetime) or value is None:
        return value
    return str(value)


def _reader(accessor: str) -> Callable[[Any], Any]:
    """A function that reads a dotted path off a record; what is missing on the way is nothing."""
    steps = accessor.replace("__", ".").split(".")

    def read(record: Any) -> Any:
        value = record
        for step in steps:
            is_mapping = not isinstance(value, models.Model) and isinstance(value, Mapping)
            value = value.get(step) if is_mapping else getattr(value, step, None)
            if value is None:
                return None
        return value() if callable(value) and not isinstance(value, models.Manager) else value

    return read


def _foreign_path(model: type[models.Model], accessor: str) -> str:
    """The leading foreign keys of an accessor, in ORM spelling: "account__owner__name" gives "account__owner"."""
    path: list[str] = []
    current: Any = model
    for step in accessor.replace("__", ".").split("."):
        try:
            field = current._meta.get_field(step)
        except (FieldDoesNotExist, AttributeError):
            break
        if not (field.many_to_one or field.one_to_one):
            break
        path.append(step)
        current = field.related_model
    return "__".join(path)
