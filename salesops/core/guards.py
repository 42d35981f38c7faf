"""Migration operations that put a rule into the database itself, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation


class _Guard(Operation):
    """Raw statements for each database; nothing in the model state changes."""

    reduces_to_sql = True
    reversible = True
    elidable = False

    def __init__(self, table: str) -> None:
        self.table = table

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Guards live in the database only."""

    def forwards(self, vendor: str) -> list[str]:
        """The statements that put the guard in place."""
        return []

    def backwards(self, vendor: str) -> list[str]:
        """The statements that take it away."""
        return []

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Create the guard."""
        for statement in self.forwards(schema_editor.connection.vendor):
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Drop the guard."""
        for statement in self.backwards(schema_editor.connection.vendor):
            schema_editor.execute(statement, params=None)


class AppendOnly(_Guard):
    """Refuse UPDATE, DELETE and (PostgreSQL) TRUNCATE on a table: money and audit rows are corrected by new rows.

    `when` limits the guard to rows for which an SQL condition on OLD (and NEW, for updates only) holds, such as
    `OLD.state = 'locked'`; `deletes_only` leaves updates to the application.
    """

    def __init__(self, table: str, *, when: str = "", deletes_only: bool = False) -> None:
        super().__init__(table)
        self.when, self.deletes_only = when, deletes_only

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__name__, [self.table], {"when": self.when, "deletes_only": self.deletes_only})

    def forwards(self, vendor: str) -> list[str]:
        """The triggers that refuse."""
        message = f"{self.table} is append-only"
        when = self.when or "1 = 1"
        events = ["DELETE"] if self.deletes_only else ["UPDATE", "DELETE"]
        if vendor == "sqlite":
            return [
                f"CREATE TRIGGER {self.table}_no_{event.lower()} BEFORE {event} ON {self.table} FOR EACH ROW WHEN ({when}) "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
                for event in events
            ]
        function = f"{self.table}_refuse"
        statements = [
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '23514'; END $$"
        ]
        statements += [
            f"CREATE TRIGGER {self.table}_no_{event.lower()} BEFORE {event} ON {self.table} FOR EACH ROW WHEN ({when}) "
            f"EXECUTE FUNCTION {function}()"
            for event in events
        ]
        statements.append(
            f"CREATE TRIGGER {self.table}_no_truncate BEFORE TRUNCATE ON {self.table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
        return statements

    def backwards(self, vendor: str) -> list[str]:
        """Drop the triggers."""
        names = [f"{self.table}_no_{event}" for event in ("update", "delete")]
        if vendor == "sqlite":
            return [f"DROP TRIGGER IF EXISTS {name}" for name in names]
        names.append(f"{self.table}_no_truncate")
        return [f"DROP TRIGGER IF EXISTS {name} ON {self.table}" for name in names] + [
            f"DROP FUNCTION IF EXISTS {self.table}_refuse()"
        ]


class NoOverlap(_Guard):
    """Refuse two rows of the same key whose half-open day ranges [start_on, end_on) overlap; end_on NULL is open."""

    def __init__(self, table: str, *, keys: tuple[str, ...], start: str = "start_on", end: str = "end_on") -> None:
        super().__init__(table)
        self.keys, self.start, self.end = keys, start, end

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__name__, [self.table], {"keys": self.keys, "start": self.start, "end": self.end})

    def forwards(self, vendor: str) -> list[str]:
        """An exclusion constraint on PostgreSQL, triggers on SQLite."""
        if vendor == "sqlite":
            same = " AND ".join(f"other.{key} = NEW.{key}" for key in self.keys)
            test = (
                f"SELECT RAISE(ABORT, '{self.table} overlaps') WHERE EXISTS (SELECT 1 FROM {self.table} AS other WHERE {same} "
                f"AND other.id IS NOT NEW.id AND other.{self.start} < COALESCE(NEW.{self.end}, '9999-12-31') "
                f"AND NEW.{self.start} < COALESCE(other.{self.end}, '9999-12-31'));"
            )
            return [
                f"CREATE TRIGGER {self.table}_overlap_insert AFTER INSERT ON {self.table} FOR EACH ROW BEGIN {test} END",
                f"CREATE TRIGGER {self.table}_overlap_update AFTER UPDATE ON {self.table} FOR EACH ROW BEGIN {test} END",
            ]
        keys = ", ".join(f"{key} WITH =" for key in self.keys)
        return [
            "CREATE EXTENSION IF NOT EXISTS btree_gist",
            f"ALTER TABLE {self.table} ADD CONSTRAINT {self.table}_overlap EXCLUDE USING gist "
            f"({keys}, daterange({self.start}, {self.end}) WITH &&)",
        ]

    def backwards(self, vendor: str) -> list[str]:
        """Drop the constraint or the triggers."""
        if vendor == "sqlite":
            return [f"DROP TRIGGER IF EXISTS {self.table}_overlap_{event}" for event in ("insert", "update")]
        return [f"ALTER TABLE {self.table} DROP CONSTRAINT {self.table}_overlap"]


class Refuse(_Guard):
    """Refuse INSERT, UPDATE or DELETE on a table when an SQL condition on NEW and OLD holds; subqueries are allowed.

    The condition must read the same on both databases. `name` tells several guards of one table apart; `message` is what
    the raised error says.
    """

    def __init__(self, table: str, *, name: str, event: str, condition: str, message: str) -> None:
        super().__init__(table)
        self.name, self.event, self.condition, self.message = name, event, condition, message

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        named = {"name": self.name, "event": self.event, "condition": self.condition, "message": self.message}
        return (self.__class__.__name__, [self.table], named)

    def forwards(self, vendor: str) -> list[str]:
        """One trigger."""
        trigger = f"{self.table}_{self.name}"
        if vendor == "sqlite":
            return [
                f"CREATE TRIGGER {trigger} BEFORE {self.event} ON {self.table} FOR EACH ROW WHEN ({self.condition}) "
                f"BEGIN SELECT RAISE(ABORT, '{self.message}'); END"
            ]
        row = "OLD" if self.event == "DELETE" else "NEW"
        return [
            f"CREATE OR REPLACE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF ({self.condition}) THEN "
            f"RAISE EXCEPTION '{self.message}' USING ERRCODE = '23514'; END IF; RETURN {row}; END $$",
            f"CREATE TRIGGER {trigger} BEFORE {self.event} ON {self.table} FOR EACH ROW EXECUTE FUNCTION {trigger}()",
        ]

    def backwards(self, vendor: str) -> list[str]:
        """Drop it."""
        trigger = f"{self.table}_{self.name}"
        if vendor == "sqlite":
            return [f"DROP TRIGGER IF EXISTS {trigger}"]
        return [f"DROP TRIGGER IF EXISTS {trigger} ON {self.table}", f"DROP FUNCTION IF EXISTS {trigger}()"]
