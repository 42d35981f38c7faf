"""What moves along when two rows of a source become one. Rooms say when they start which of their columns name such rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import F, Model, Q


@dataclass(frozen=True, slots=True)
class Naming:
    """A column that names a row of another table, as far as the condition holds."""

    model: type[Model]
    column: str
    condition: Q


_named: Final[dict[type[Model], dict[tuple[str, str], Naming]]] = defaultdict(dict)


def install(row: type[Model], model: type[Model], column: str, condition: Q | None = None) -> None:
    """Say that this column names rows of that table and moves to the row that stands for them. Called at start-up."""
    _named[row][model._meta.label_lower, column] = Naming(model, column, condition or Q())


def move_names(loser: Model, winner: Model, *, at: datetime) -> dict[str, int]:
    """Let everything that names the loser name the winner, one statement a column; how many, by table and column.

    Rows that tell when they were saved, or count their versions, do so.
    """
    moved: dict[str, int] = {}
    for (label, column), naming in sorted(_named[type(winner)].items()):
        names = {field.name for field in naming.model._meta.concrete_fields}
        written: dict[str, Any] = {column: winner}
        if "updated_at" in names:
            written["updated_at"] = at
        if "version" in names:
            written["version"] = F("version") + 1
        rows = naming.model._base_manager.filter(naming.condition, **{column: loser})
        if naming.model is type(winner):
            rows = rows.exclude(pk=winner.pk)
        if count := rows.update(**written):
            moved[f"{label}.{column}"] = count
    return moved
