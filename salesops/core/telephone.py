"""Telephone numbers in the database."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func
from django.db.models.sql.compiler import SQLCompiler

from salesops.values.telephone import LIKENESS, SEPARATORS


class PhoneTail(Func):
    """The last digits of the number in a column, whatever stands between them: `PhoneTail("phone")`.

    It has no parameters: SQLite takes an index over an expression only for the very same text.
    """

    arity = 1
    output_field = CharField()

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_more: Any, **_extra: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """REPLACE for each sign, then the end of what is left."""
        sql, params = compiler.compile(self.source_expressions[0])
        for sign in SEPARATORS:
            sql = f"REPLACE({sql}, '{sign}', '')"
        end = f"SUBSTR({sql}, -{LIKENESS})" if connection.vendor == "sqlite" else f"RIGHT({sql}, {LIKENESS})"
        return end, tuple(params)
