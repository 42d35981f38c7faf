"""An index for the search boxes of large tables."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation


class SearchIndex(Operation):
    """Migration operation: find text anywhere in a column by trigrams, whatever its case (PostgreSQL; SQLite scans).

    Fits what `icontains` asks for. Where the database's user may not add the extension, searching works without it.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, table: str, column: str) -> None:
        self.table, self.column = table, column

    @property
    def name(self) -> str:
        """The index's name."""
        return f"{self.table}_{self.column}_search"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """How the migration writer writes it."""
        return (self.__class__.__name__, [self.table, self.column], {})

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing in the models' state changes."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """The extension, where it is to be had, and the index."""
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f"""DO $$ BEGIN
                    CREATE EXTENSION IF NOT EXISTS pg_trgm;
                    CREATE INDEX {self.name} ON {self.table} USING gin (upper({self.column}::text) gin_trgm_ops);
                EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
                    RAISE NOTICE 'no trigram index on {self.table}.{self.column}';
                END $$""",
                params=None,
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Drop the index; the extension stays."""
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {self.name}", params=None)

    def describe(self) -> str:
        """For the output of migrate."""
        return f"Index {self.table}.{self.column} for searching"
