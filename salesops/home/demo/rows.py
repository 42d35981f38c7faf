"""Rows of one table as columns: what the generators hand to the writer. Pure."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

#: What a column may hold. Moments are whole seconds since 1970 (UTC), days are whole days since 1970-01-01.
Value = str | int | None

DAY_SECONDS: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)


def stream_of(seed: int, name: str) -> random.Random:
    """The stream of draws for one part of the company: its own, so that no part depends on how much another draws."""
    return random.Random(f"{seed}/{name}")  # noqa: S311 -- a story, not a secret


def day_number(day: date) -> int:
    """A day as the number of days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The day that a number stands for."""
    return _EPOCH + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows for one model ("leads.lead"): a column for each attribute, all of the same length, in the order of `id`."""

    label: str
    columns: Mapping[str, Sequence[Value]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


class Table:
    """Collects rows one by one for a `Rows`; the columns and their order are named once."""

    def __init__(self, label: str, *columns: str) -> None:
        self.label, self.names = label, columns
        self.rows: list[tuple[Value, ...]] = []
        self.add = self.rows.append

    def done(self) -> Rows:
        """The rows collected so far, as columns; the table starts again empty."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.names)
        self.rows.clear()
        return Rows(self.label, dict(zip(self.names, columns, strict=True)))


def digest(batches: Iterable[Rows]) -> str:
    """The SHA-256 of rows in canonical JSON: equal for equal rows, wherever and whenever they were made."""
    total = hashlib.sha256()
    for rows in batches:
        columns = {name: list(values) for name, values in sorted(rows.columns.items())}
        text = json.dumps([rows.label, columns], ensure_ascii=False, separators=(",", ":"))
        total.update(text.encode())
    return total.hexdigest()
