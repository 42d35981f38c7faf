"""Puts rows into the database column by column: COPY on PostgreSQL, executemany on SQLite. Guards and checks stay on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from django.apps import apps
from django.core.management.color import no_style
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max

from salesops.home.demo.rows import DAY_SECONDS, Rows

_NULL: Final = "\\N"


class _DayTexts(dict[int, str]):
    """Days as the database reads them, made on first use."""

    def __missing__(self, day: int) -> str:
        text = self[day] = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        return text


class TableWriter:
    """Writes `Rows` through one connection, inside the caller's transaction.

    Columns that the rows do not bring get the model's default; `as_of` (seconds since 1970) stands in for what Django
    would fill with the time of saving. Raises ValueError when a column without a default is missing.
    """

    def __init__(self, connection: BaseDatabaseWrapper, *, as_of: int) -> None:
        self._connection, self._as_of = connection, as_of
        self._days = _DayTexts()
        self._times = [
            f" {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}" for second in range(DAY_SECONDS)
        ]
        self._models: dict[str, type[models.Model]] = {}
        self.counts: dict[str, int] = {}
        if connection.vendor == "postgresql":
            # Keys are checked after each COPY, not kept in memory until the end of a long transaction.
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def first_ids(self, labels: Iterable[str]) -> dict[str, int]:
        """The first free id of each table."""
        ids = {}
        for label in labels:
            last = apps.get_model(label)._default_manager.aggregate(last=Max("pk"))["last"]
            ids[label] = (last or 0) + 1
        return ids

    def write(self, rows: Rows) -> None:
        """Insert all rows."""
        if not len(rows):
            return
        model = self._models.setdefault(rows.label, apps.get_model(rows.label))
        columns: list[Sequence[Any]] = []
        fields = [field for field in model._meta.local_concrete_fields if not field.generated]
        unknown = set(rows.columns) - {field.attname for field in fields}
        if unknown:
            raise ValueError(f"{rows.label} has no {', '.join(sorted(unknown))}")
        # A key that is not brought is given by the database.
        fields = [field for field in fields if field.attname in rows.columns or not isinstance(field, models.AutoField)]
        for field in fields:
            values = rows.columns.get(field.attname)
            columns.append([self._default(field)] * len(rows) if values is None else values)
        if self._connection.vendor == "postgresql":
            self._copy(model, fields, columns)
        else:
            self._insert(model, fields, columns)
        self.counts[rows.label] = self.counts.get(rows.label, 0) + len(rows)

    def finish(self) -> None:
        """Let the next ids follow the last ones written, and the planner know how much there is now."""
        written = list(self._models.values())
        with self._connection.cursor() as cursor:
            for statement in self._connection.ops.sequence_reset_sql(no_style(), written):
                cursor.execute(statement)
            for model in written:
                cursor.execute(f"ANALYZE {self._name(model._meta.db_table)}")

    def _default(self, field: models.Field[Any, Any]) -> Any:
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            return self._as_of
        if not field.has_default() and not field.null and not field.blank:
            raise ValueError(f"{field.model._meta.label} needs {field.attname}")
        value = field.get_default()
        return json.dumps(value) if isinstance(field, models.JSONField) else field.get_prep_value(value)

    def _texts(self, field: models.Field[Any, Any], values: Sequence[Any], zone: str, null: Any) -> list[Any]:
        """Moments and days as the text that both databases read."""
        days = self._days
        if isinstance(field, models.DateTimeField):
            times = self._times
            return [
                null if value is None else days[value // DAY_SECONDS] + times[value % DAY_SECONDS] + zone
                for value in values
            ]
        return [null if value is None else days[value] for value in values]

    def _insert(
        self, model: type[models.Model], fields: Sequence[models.Field[Any, Any]], columns: Sequence[Sequence[Any]]
    ) -> None:
        ready = [
            self._texts(field, values, "", None) if isinstance(field, models.DateField) else values
            for field, values in zip(fields, columns, strict=True)
        ]
        names = ", ".join(self._name(str(field.column)) for field in fields)
        marks = ", ".join(["%s"] * len(fields))
        with self._connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self._name(model._meta.db_table)} ({names}) VALUES ({marks})",  # noqa: S608 -- names of our own models
                list(zip(*ready, strict=True)),
            )

    def _copy(
        self, model: type[models.Model], fields: Sequence[models.Field[Any, Any]], columns: Sequence[Sequence[Any]]
    ) -> None:
        ready = [self._copy_texts(field, values) for field, values in zip(fields, columns, strict=True)]
        names = ", ".join(self._name(str(field.column)) for field in fields)
        text = "\n".join(map("\t".join, zip(*ready, strict=True)))
        with (
            self._connection.wrap_database_errors,
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {self._name(model._meta.db_table)} ({names}) FROM STDIN") as copy,
        ):
            copy.write(text)

    def _copy_texts(self, field: models.Field[Any, Any], values: Sequence[Any]) -> list[str]:
        """A column as COPY's text format wants it."""
        if isinstance(field, models.DateField):
            return self._texts(field, values, "+00", _NULL)
        if isinstance(field, models.BooleanField):
            return [_NULL if value is None else "t" if value else "f" for value in values]
        texts = [_NULL if value is None else value if value.__class__ is str else str(value) for value in values]
        if isinstance(field, models.CharField | models.TextField | models.JSONField):
            joined = "\x00".join(text for text in texts if text is not _NULL)
            if "\\" in joined or "\t" in joined or "\n" in joined or "\r" in joined:
                return [text if text is _NULL else _escape(text) for text in texts]
        return texts

    def _name(self, name: str) -> str:
        return self._connection.ops.quote_name(name)


def _escape(text: str) -> str:
    """Text as COPY reads it back unchanged."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
