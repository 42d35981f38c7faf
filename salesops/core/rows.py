"""Writes many rows at once, fast: COPY and one UPDATE on PostgreSQL, executemany and upserts on SQLite. Guards stay on.

COPY takes rows several times faster than INSERT, whose statement Django builds and PostgreSQL parses value by value.
Both take part in the transaction, and constraints, defaults of the database and triggers hold for both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from types import NoneType
from typing import Any, Final

from django.db import connection, models

#: What may be handed to the database as it is, by the class of the field; all else is prepared by the field.
_WRITTEN_AS_IS: Final[Mapping[type[models.Field[Any, Any]], type]] = {
    **dict.fromkeys((models.CharField, models.TextField, models.EmailField, models.SlugField, models.URLField), str),
    **dict.fromkeys((models.AutoField, models.BigAutoField, models.BigIntegerField, models.IntegerField), int),
    **dict.fromkeys((models.SmallIntegerField, models.PositiveIntegerField, models.PositiveSmallIntegerField), int),
    models.PositiveBigIntegerField: int,
    models.BooleanField: bool,
    models.DateField: date,
    models.DateTimeField: datetime,
}
_json: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def next_ids(model: type[models.Model], count: int) -> list[int]:
    """So many free ids of a table, in order. On SQLite one transaction writes at a time, so they stay free."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count]
            )
            return sorted(row[0] for row in cursor.fetchall())
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()
    first = (last[0] if last else 0) + 1
    return list(range(first, first + count))


def insert_rows(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of these columns (as the database names them): numbers, texts, moments; JSON as text (see `as_json`).

    Every column without a default in the database must be among them: defaults of models are not filled in. No rows, no
    statement.
    """
    waiting = iter(rows)
    first = next(waiting, None)
    if first is None:
        return
    rows = chain((first,), waiting)
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in names)
    if connection.vendor == "postgresql":
        with (
            connection.wrap_database_errors,
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        return
    adapt = connection.ops.adapt_datetimefield_value
    marks = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608 - names of our own models
            [[adapt(value) if isinstance(value, datetime) else value for value in row] for row in rows],
        )


def insert_objects(objects: Sequence[models.Model], *, need_keys: bool = True) -> None:
    """Insert new rows, given as objects of one model, and give them their keys; what `bulk_create` does, with COPY.

    Where nobody needs the keys, PostgreSQL is not asked for them. Every field needs a value: a default that only the
    database knows is not left to it. Raises what the database raises; the objects may have keys by then which no row has.
    """
    if not objects:
        return
    model = type(objects[0])
    if connection.vendor != "postgresql":
        model._base_manager.bulk_create(objects)
        return
    fields, auto = list(model._meta.concrete_fields), model._meta.auto_field
    if auto is not None and not need_keys:
        fields.remove(auto)
    elif auto is not None:
        keyless = [each for each in objects if each.pk is None]
        for each, key in zip(keyless, next_ids(model, len(keyless)) if keyless else (), strict=True):
            each.pk = key
    insert_rows(model, [str(field.column) for field in fields], _written(objects, fields, is_new=True))
    for each in objects:
        each._state.adding, each._state.db = False, connection.alias


def update_objects(objects: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write these fields of rows that exist, given as objects of one model with their keys, in one statement.

    Fields that are set on saving are among them only if named. Raises what the database raises.
    """
    if not objects:
        return
    model = type(objects[0])
    if connection.vendor != "postgresql":
        # An INSERT that always meets its own row: far cheaper than the CASE for each value of bulk_update.
        model._base_manager.bulk_create(objects, update_conflicts=True, update_fields=names, unique_fields=["pk"])
        return
    key, wanted = model._meta.pk, frozenset(names)
    fields = [key, *(field for field in model._meta.concrete_fields if field.name in wanted)]
    quote = connection.ops.quote_name
    # Without lengths: a cast to varchar(200) would cut what is longer, which the column itself refuses.
    types = [(field.rel_db_type if field is key else field.db_type)(connection) for field in fields]
    arrays = ", ".join(f"%s::{str(name).partition('(')[0]}[]" for name in types)
    columns = [quote(str(field.column)) for field in fields]
    changes = ", ".join(f"{column} = new.{column}" for column in columns[1:])
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(model._meta.db_table)} AS old SET {changes} "  # noqa: S608 - names of our own models
            f"FROM UNNEST({arrays}) AS new ({', '.join(columns)}) WHERE old.{columns[0]} = new.{columns[0]}",
            [list(values) for values in zip(*_written(objects, fields, is_new=False), strict=True)],
        )


def _written(
    objects: Sequence[models.Model], fields: Sequence[models.Field[Any, Any]], *, is_new: bool
) -> Iterable[list[Any]]:
    """The values of each object as the database takes them."""
    columns = [(field.attname, _as_is(field, objects), field) for field in fields]
    for each in objects:
        held = each.__dict__
        yield [
            value
            if type(value := held[name]) in as_is
            else field.get_db_prep_save(field.pre_save(each, is_new), connection)
            for name, as_is, field in columns
        ]


def _as_is(field: models.Field[Any, Any], objects: Sequence[models.Model]) -> frozenset[type]:
    """The types whose values of this field need no preparing."""
    kind: Any = type(field.target_field if isinstance(field, models.ForeignKey) else field)
    taken = _WRITTEN_AS_IS.get(kind)
    if taken is None or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return frozenset()
    if taken is datetime and any(
        isinstance(moment := each.__dict__[field.attname], datetime) and moment.tzinfo is None for each in objects
    ):
        return frozenset()
    return frozenset({taken, NoneType})


def as_json(value: Any) -> str:
    """A value of a JSON column as both databases read it."""
    return _json(value)
