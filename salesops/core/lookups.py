"""`__among`: one of many values, given to the database as one; for batches, where `__in` writes thousands of marks."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, ForeignObject, Lookup
from django.db.models.sql.compiler import SQLCompiler

from salesops.core.rows import as_json


@Field.register_lookup
@ForeignObject.register_lookup
class Among(Lookup):
    """Rows whose numbers or texts are among these; none for no values, and NULL is never among them.

    The same as `__in` with a list, whose every value Django and the driver prepare, write and split one by one.
    """

    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        """The values as the column holds them, each once."""
        prepared = self.lhs.output_field.get_prep_value
        return [prepared(value) for value in dict.fromkeys(self.rhs)]

    def get_db_prep_lookup(self, value: Any, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """One parameter: an array, or what SQLite can read as a table."""
        return "%s", [value if connection.vendor == "postgresql" else as_json(value)]

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """For SQLite."""
        return self._as("%s IN (SELECT value FROM json_each(%s))", compiler, connection)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """The array takes the type of the column by itself."""
        return self._as("%s = ANY(%s)", compiler, connection)

    def _as(self, template: str, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        column, of_column = self.process_lhs(compiler, connection)
        values, of_values = self.process_rhs(compiler, connection)
        return template % (column, values), [*of_column, *of_values]
