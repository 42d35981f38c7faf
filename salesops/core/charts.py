"""Charts as plain data: what static/js/charts.js draws, and the table that says the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from salesops.core import display
from salesops.values.money import from_minor


@dataclass(frozen=True, slots=True)
class Series:
    """One row of figures, one for each label; None is a gap. `texts` are the figures for reading."""

    name: str
    values: Sequence[Decimal | int | None]
    texts: Sequence[str]
    kind: Literal["", "line", "column"] = ""  # other than the chart's own
    tone: str = ""  # "good", "bad", "muted"; else the next colour

    @classmethod
    def of_money(cls, name: str, minors: Sequence[int | None], currency: str, **more: Any) -> Series:
        """From minor units."""
        return cls(
            name,
            [None if minor is None else from_minor(minor, currency) for minor in minors],
            [display.money(minor, currency) for minor in minors],
            **more,
        )

    @classmethod
    def of_numbers(cls, name: str, values: Sequence[int | Decimal | None], **more: Any) -> Series:
        """From plain numbers."""
        return cls(name, list(values), [display.number(value) for value in values], **more)

    @classmethod
    def of_shares(cls, name: str, basis_points: Sequence[int | None], **more: Any) -> Series:
        """From basis points, drawn as percentages."""
        return cls(
            name,
            [None if each is None else Decimal(each) / 100 for each in basis_points],
            [display.share(each) for each in basis_points],
            **more,
        )


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars lie ("bar") or stand ("column"), or it is a line. `{% include "parts/chart.html" %}` with `chart` in the context.

    `links`: for each label an address that a click opens.
    """

    id: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: Literal["bar", "column", "line"] = "column"
    currency: str = ""
    unit: str = ""  # such as "%"
    is_stacked: bool = False
    links: Sequence[str] = field(default=())

    @property
    def data(self) -> dict[str, Any]:
        """What the script reads. Figures are exact text: only the drawing rounds them."""
        return {
            "kind": self.kind,
            "title": self.title,
            "labels": [str(label) for label in self.labels],
            "currency": self.currency,
            "unit": self.unit,
            "is_stacked": self.is_stacked,
            "links": list(self.links),
            "series": [
                {
                    "name": str(each.name),
                    "values": [None if value is None else str(value) for value in each.values],
                    "texts": list(each.texts),
                    "kind": each.kind,
                    "tone": each.tone,
                }
                for each in self.series
            ],
        }

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table: each label with its figures."""
        return [
            (str(label), [each.texts[position] for each in self.series]) for position, label in enumerate(self.labels)
        ]
