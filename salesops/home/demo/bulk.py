"""Loading millions of rows: indexes and foreign keys are put aside and made again, batches are made ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")

_INDEXES = """
    SELECT format('DROP INDEX %%I', of_index.relname), pg_get_indexdef(of_index.oid)
    FROM pg_index AS entry
    JOIN pg_class AS of_index ON of_index.oid = entry.indexrelid
    JOIN pg_class AS of_table ON of_table.oid = entry.indrelid
    WHERE of_table.oid = ANY(SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS name)
      AND NOT entry.indisunique
      AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = entry.indexrelid)
    ORDER BY of_index.relname
"""
_FOREIGN_KEYS = """
    SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
           format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE contype = 'f' AND conrelid = ANY(SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS name)
    ORDER BY conname
"""


@contextmanager
def put_aside(connection: BaseDatabaseWrapper, labels: Iterable[str]) -> Iterator[None]:
    """Inside, the tables of these models have no plain indexes and foreign keys; at the end they are made again.

    Building an index over all rows at once is many times faster than keeping it up row by row, and adding a foreign key
    checks every row. Primary keys, unique constraints, ranges that may not overlap, checks and append-only triggers stay
    in place throughout. Part of the caller's transaction: when it fails, everything is as it was. PostgreSQL only;
    elsewhere it does nothing.
    """
    if connection.vendor != "postgresql":
        yield
        return
    tables = [apps.get_model(label)._meta.db_table for label in labels]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        statements: list[tuple[str, str]] = []
        for query in (_INDEXES, _FOREIGN_KEYS):
            cursor.execute(query, [tables])
            statements.extend(cursor.fetchall())
        for drop, _make in statements:
            cursor.execute(drop)
    yield
    with connection.cursor() as cursor:
        for _drop, make in statements:
            cursor.execute(make)


def made_ahead(batches: Iterable[T]) -> Iterator[T]:
    """The same batches, each made in a second thread while the one before is being written."""
    iterator, end = iter(batches), object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="demo") as pool:
        waiting = pool.submit(next, iterator, end)
        while (batch := waiting.result()) is not end:
            waiting = pool.submit(next, iterator, end)
            yield batch  # type: ignore[misc]  # only the end is not a batch
