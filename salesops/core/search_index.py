"""An index for the search boxes of large tables."""

from __future__ import annotations

from typing import Any

from salesops.core.guards import Guard


class SearchIndex(Guard):
    """Migration operation: find text anywhere in a column by trigrams, whatever its case (PostgreSQL; SQLite scans).

    Fits what `icontains` asks for. Where the database's user may not add the extension, searching works without it.
    """

    def __init__(self, table: str, column: str) -> None:
        super().__init__(table)
        self.column = column

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__name__, [self.table, self.column], {})

    def forwards(self, vendor: str) -> list[str]:
        """The extension, where it is to be had, and the index."""
        if vendor != "postgresql":
            return []
        name = f"{self.table}_{self.column}_search"
        return [
            f"""DO $$ BEGIN
                CREATE EXTENSION IF NOT EXISTS pg_trgm;
                CREATE INDEX {name} ON {self.table} USING gin (upper({self.column}::text) gin_trgm_ops);
            EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
                RAISE NOTICE 'no trigram index on {self.table}.{self.column}';
            END $$"""
        ]

    def backwards(self, vendor: str) -> list[str]:
        """Drop the index; the extension stays."""
        return [f"DROP INDEX IF EXISTS {self.table}_{self.column}_search"] if vendor == "postgresql" else []
