"""What moves along when two rows of a source become one. Rooms say when they start which of their columns name such rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    for key, naming in _namings(type(winner)):
        rows = naming.model._base_manager.filter(naming.condition, **{naming.column: loser})
        if naming.model is type(winner):
            rows = rows.exclude(pk=winner.pk)
        if count := rows.update(**_written(naming, winner, at)):
            moved[key] = count
    return moved


def names_of(row: Model) -> dict[str, list[int]]:
    """The keys of everything that names a row, by table and column: what `move_names` would move."""
    return {
        key: list(found)
        for key, naming in _namings(type(row))
        if (
            found := naming.model._base_manager.filter(naming.condition, **{naming.column: row})
            .order_by("pk")
            .values_list("pk", flat=True)
        )
    }


def move_back(kept: Mapping[str, Sequence[int]], winner: Model, loser: Model, *, at: datetime) -> dict[str, int]:
    """Let what `names_of` told of the loser name it again, as far as it still names the winner; how many, as above."""
    moved: dict[str, int] = {}
    for key, naming in _namings(type(winner)):
        rows = naming.model._base_manager.filter(pk__in=kept.get(key, ()), **{naming.column: winner})
        if count := rows.update(**_written(naming, loser, at)):
            moved[key] = count
    return moved


def _namings(model: type[Model]) -> list[tuple[str, Naming]]:
    return [(f"{label}.{column}", naming) for (label, column), naming in sorted(_named[model].items())]


def _written(naming: Naming, row: Model, at: datetime) -> dict[str, Any]:
    names = {field.name for field in naming.model._meta.concrete_fields}
    written: dict[str, Any] = {naming.column: row}
    if "updated_at" in names:
        written["updated_at"] = at
    if "version" in names:
        written["version"] = F("version") + 1
    return written
