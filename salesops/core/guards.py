"""Rules that the database itself keeps, on SQLite and on PostgreSQL, declared as operations in migrations.

A declared guard is put in place when a run of `migrate` ends, and looked after from then on: SQLite rebuilds a table to
alter it and loses its triggers on the way, so `migrate` lifts all guards before it begins and puts all of them back
afterwards. What is declared twice under one name stands as declared last.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation


class Guard(Operation):
    """A rule on a table. The migration only declares it; nothing in the model state changes."""

    reduces_to_sql = False
    reversible = True
    elidable = False
    #: What the subclass takes beside the table, for writing the migration out again.
    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, table: str) -> None:
        self.table = table

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """How the migration writer writes it."""
        return (self.__class__.__name__, [self.table], {name: getattr(self, name) for name in self.arguments})

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Guards live in the database only."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Nothing yet: `install_guards` runs when all migrations are through."""

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Nothing: the guard goes with its table."""

    def describe(self) -> str:
        """For the output of migrate."""
        return f"Guard {self.table}: {self.__class__.__name__}"

    def rules(self, vendor: str) -> dict[str, list[str]]:
        """The statements that put each part of the guard in place, by the name it has in the database."""
        return {}


def _trigger(vendor: str, table: str, name: str, event: str, condition: str, message: str) -> dict[str, list[str]]:
    """One trigger that refuses `event` on rows for which the condition holds."""
    if vendor == "sqlite":
        return {
            name: [
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition}) "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            ]
        }
    if event == "INSERT":
        # All rows of a statement are looked at in one go: a COPY of a million lines asks once, not a million times.
        fresh = condition.replace("NEW.", "fresh.")
        return {
            name: [
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF EXISTS (SELECT 1 FROM fresh WHERE {fresh}) THEN "
                f"RAISE EXCEPTION '{message}' USING ERRCODE = '23514'; END IF; RETURN NULL; END $$",
                f"CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
            ]
        }
    row = "OLD" if event == "DELETE" else "NEW"
    return {
        name: [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF ({condition}) THEN "
            f"RAISE EXCEPTION '{message}' USING ERRCODE = '23514'; END IF; RETURN {row}; END $$",
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        ]
    }


def _key_of(table: str) -> str:
    """The column of a table's primary key; "id" for a table that is no model's."""
    for model in apps.get_models():
        if model._meta.db_table == table:
            return str(model._meta.pk.column)
    return "id"


class AppendOnly(Guard):
    """Refuse UPDATE, DELETE, (PostgreSQL) TRUNCATE and (SQLite) REPLACE: money and audit rows are corrected by new rows.

    `when` limits the guard to rows for which an SQL condition on OLD holds, such as `OLD.state = 'locked'`;
    `deletes_only` leaves updates to the application.
    """

    arguments = ("when", "deletes_only")

    def __init__(self, table: str, *, when: str = "", deletes_only: bool = False) -> None:
        super().__init__(table)
        self.when, self.deletes_only = when, deletes_only

    def rules(self, vendor: str) -> dict[str, list[str]]:
        """A trigger for each event."""
        message = f"{self.table} is append-only"
        found: dict[str, list[str]] = {}
        for event in ["DELETE"] if self.deletes_only else ["UPDATE", "DELETE"]:
            found |= _trigger(
                vendor, self.table, f"{self.table}_no_{event.lower()}", event, self.when or "1 = 1", message
            )
        if vendor == "sqlite":
            # REPLACE deletes the row that stands in its way without a word to the DELETE trigger. That it tells it on
            # the portal's own connections, for keys other than the id, too, is said by PRAGMA recursive_triggers.
            key = _key_of(self.table)
            stands = f"stands.{key} = NEW.{key} AND ({self.when or '1 = 1'})".replace("OLD.", "stands.")
            there = f"EXISTS (SELECT 1 FROM {self.table} AS stands WHERE {stands})"
            found |= _trigger(vendor, self.table, f"{self.table}_no_replace", "INSERT", there, message)
        else:
            name = f"{self.table}_no_truncate"
            found[name] = [
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '23514'; END $$",
                f"CREATE OR REPLACE TRIGGER {name} BEFORE TRUNCATE ON {self.table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
            ]
        return found


class Refuse(Guard):
    """Refuse INSERT, UPDATE or DELETE when an SQL condition on NEW and OLD holds; subqueries are allowed.

    The condition must read the same on both databases. `name` tells several guards of one table apart; `message` is what
    the raised error says.
    """

    arguments = ("name", "event", "condition", "message")

    def __init__(self, table: str, *, name: str, event: str, condition: str, message: str) -> None:
        super().__init__(table)
        self.name, self.event, self.condition, self.message = name, event, condition, message

    def rules(self, vendor: str) -> dict[str, list[str]]:
        """One trigger."""
        return _trigger(vendor, self.table, f"{self.table}_{self.name}", self.event, self.condition, self.message)


class NoOverlap(Guard):
    """Refuse two rows of the same key whose half-open day ranges [start_on, end_on) overlap; end_on NULL is open."""

    arguments = ("keys", "start", "end")

    def __init__(self, table: str, *, keys: tuple[str, ...], start: str = "start_on", end: str = "end_on") -> None:
        super().__init__(table)
        self.keys, self.start, self.end = tuple(keys), start, end

    def rules(self, vendor: str) -> dict[str, list[str]]:
        """An exclusion constraint on PostgreSQL, triggers on SQLite."""
        name = f"{self.table}_overlap"
        if vendor == "sqlite":
            same = " AND ".join(f"other.{key} = NEW.{key}" for key in self.keys)
            test = (
                f"SELECT RAISE(ABORT, '{self.table} overlaps') WHERE EXISTS "
                f"(SELECT 1 FROM {self.table} AS other WHERE {same} AND other.id IS NOT NEW.id "
                f"AND other.{self.start} < COALESCE(NEW.{self.end}, '9999-12-31') "
                f"AND NEW.{self.start} < COALESCE(other.{self.end}, '9999-12-31'));"
            )
            return {
                f"{name}_{event.lower()}": [
                    f"CREATE TRIGGER {name}_{event.lower()} AFTER {event} ON {self.table} FOR EACH ROW BEGIN {test} END"
                ]
                for event in ("INSERT", "UPDATE")
            }
        keys = ", ".join(f"{key} WITH =" for key in self.keys)
        return {
            name: [
                "CREATE EXTENSION IF NOT EXISTS btree_gist",
                f"ALTER TABLE {self.table} ADD CONSTRAINT {name} EXCLUDE USING gist "
                f"({keys}, daterange({self.start}, {self.end}) WITH &&)",
            ]
        }


class Balanced(Guard):
    """Refuse, at the end of a transaction, inserted rows whose amounts do not add up to zero in each group.

    PostgreSQL only. SQLite has no trigger that waits for the end; what is out of balance there is found by whoever adds
    up (see commissions.selectors.totals).
    """

    arguments = ("amount", "keys")

    def __init__(self, table: str, *, amount: str, keys: tuple[str, ...]) -> None:
        super().__init__(table)
        self.amount, self.keys = amount, tuple(keys)

    def rules(self, vendor: str) -> dict[str, list[str]]:
        """A deferred constraint trigger."""
        if vendor == "sqlite":
            return {}
        name = f"{self.table}_balance"
        same = " AND ".join(f"{key} = NEW.{key}" for key in self.keys)
        return {
            name: [
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF (SELECT sum({self.amount}) FROM {self.table} WHERE {same}) <> 0 THEN "
                f"RAISE EXCEPTION '{self.table} is out of balance' USING ERRCODE = '23514'; END IF; RETURN NULL; END $$",
                f"CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON {self.table} DEFERRABLE INITIALLY DEFERRED "
                f"FOR EACH ROW EXECUTE FUNCTION {name}()",
            ]
        }


@cache
def declared_guards() -> tuple[Guard, ...]:
    """Every guard that the migrations on disk declare, in their order."""
    graph = MigrationLoader(None).graph
    plan = dict.fromkeys(node for leaf in graph.leaf_nodes() for node in graph.forwards_plan(leaf))
    return tuple(
        operation for node in plan for operation in graph.nodes[node].operations if isinstance(operation, Guard)
    )


def declared_rules(vendor: str) -> dict[str, tuple[str, list[str]]]:
    """Table and statements of every declared rule, by its name in the database."""
    return {
        name: (guard.table, statements)
        for guard in declared_guards()
        for name, statements in guard.rules(vendor).items()
    }


def rules_in_place(connection: BaseDatabaseWrapper) -> set[str]:
    """Names of the triggers and exclusion constraints that are in the database."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION SELECT conname FROM pg_constraint WHERE contype = 'x'"
            )
        return {row[0] for row in cursor.fetchall()}


def install_guards(using: str = "default", **_signal: Any) -> None:
    """Put every declared guard in place whose table is there. Runs at the end of migrate; harmless to run again.

    What replaces itself is written again, so that a rule which a later migration declares anew is the later one.
    """
    connection = connections[using]
    there = rules_in_place(connection)
    missing = {
        name: rule
        for name, rule in declared_rules(connection.vendor).items()
        if name not in there or all(statement.startswith("CREATE OR REPLACE") for statement in rule[1])
    }
    if not missing:
        return
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for table, statements in missing.values():
            if table in tables:
                for statement in statements:
                    cursor.execute(statement)


def lift_guards(using: str = "default", **_signal: Any) -> None:
    """Take the guards off before migrate begins: SQLite cannot rebuild tables that triggers speak of."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    known = declared_rules(connection.vendor)
    with connection.cursor() as cursor:
        for name in rules_in_place(connection) & set(known):
            cursor.execute(f"DROP TRIGGER {name}")
