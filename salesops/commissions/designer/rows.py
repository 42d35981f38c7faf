"""A form field of rows: tiers, steps, bonuses, examples; one can add, take out and move them, also without a script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

#: More than any plan has; keeps a form from growing without end.
MOST_ROWS: Final = 300
Choices = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Column:
    """A cell of each row. kind: text, long, choice, choices (several), day or whole.

    makes_row: whether a row in which only this is filled in counts as one.
    """

    name: str
    label: Any
    kind: str = "text"
    choices: Choices = ()
    makes_row: bool = True
    placeholder: str = ""

    def cell(self, name: str, index: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the template draws."""
        value = row.get(self.name, [] if self.kind == "choices" else "")
        chosen = value if isinstance(value, list) else [value]
        known = [str(key) for key, _label in self.choices]
        options = [*self.choices, *((key, key) for key in chosen if key and key not in known)]
        if self.kind == "choices":  # those chosen first, in their order
            options.sort(key=lambda option: chosen.index(option[0]) if option[0] in chosen else len(chosen))
        return {
            "name": f"{name}-{index}-{self.name}",
            "id": f"id_{name}-{index}-{self.name}",
            "label": self.label,
            "kind": self.kind,
            "value": value,
            "placeholder": self.placeholder,
            "options": [(key, label, str(key) in [str(each) for each in chosen]) for key, label in options],
        }


class RowsWidget(forms.Widget):
    """Draws the rows, an empty one at the end, and a template of one for the script."""

    template_name = "commissions/parts_rows.html"
    use_fieldset = True

    def __init__(self, columns: Sequence[Column], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.columns = columns

    def id_for_label(self, id_: str | None) -> str:
        """The rows have labels of their own."""
        return ""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[dict[str, Any]]:
        """The rows in the order in which the page sent them."""
        numbered = re.compile(rf"{re.escape(name)}-([0-9]{{1,9}})-", re.ASCII)
        indexes = dict.fromkeys(match[1] for key in data if (match := numbered.match(key)))
        return [self._row(data, name, index) for index in indexes]

    def _row(self, data: Mapping[str, Any], name: str, index: str) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for column in self.columns:
            key = f"{name}-{index}-{column.name}"
            if column.kind == "choices":
                given = data.getlist(key) if hasattr(data, "getlist") else data.get(key, [])
                row[column.name] = [str(value) for value in given]
            else:
                row[column.name] = str(data.get(key, "")).replace("\r\n", "\n").strip()
        return row

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """No rows are an answer too."""
        return False

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Rows of cells."""
        context = super().get_context(name, value, attrs)
        rows = [row for row in value or [] if isinstance(row, Mapping)]
        context["widget"]["rows"] = [
            [column.cell(name, str(index), row) for column in self.columns] for index, row in enumerate([*rows, {}])
        ]
        context["widget"]["blank"] = [column.cell(name, "__i__", {}) for column in self.columns]
        context["widget"]["is_narrow"] = len(self.columns) <= 3
        return context


class RowsField(forms.Field):
    """Rows as a list of mappings, without those in which nothing is filled in."""

    widget: RowsWidget

    def __init__(self, columns: Sequence[Column], **kwargs: Any) -> None:
        self.columns = tuple(columns)
        super().__init__(required=False, widget=RowsWidget(self.columns), **kwargs)

    def choose(self, name: str, choices: Choices) -> None:
        """Give a column its choices, which are known only when the form is made."""
        self.columns = self.widget.columns = tuple(
            Column(each.name, each.label, each.kind, choices, each.makes_row, each.placeholder)
            if each.name == name
            else each
            for each in self.columns
        )

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """The rows that say something."""
        rows = [row for row in value or [] if self._says_something(row)]
        if len(rows) > MOST_ROWS:
            raise ValidationError(_("At most %(count)s rows."), params={"count": MOST_ROWS})
        return rows

    def _says_something(self, row: Mapping[str, Any]) -> bool:
        return any(row.get(column.name) for column in self.columns if column.makes_row)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared without empty rows."""
        return self.clean(initial) != self.clean(data)
