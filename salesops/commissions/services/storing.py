"""Writes drafts as statements: those that differ from the stored ones, with their lines, in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import duckdb
import numpy as np
from django.db import connection, models

from salesops.commissions.choices import StatementState
from salesops.commissions.models import Calculation, Credit, Earning, Period, SettlementLine, Statement
from salesops.commissions.rules.engine import relation
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.rules.settlement.lines import FORFEITED, LineKind
from salesops.commissions.rules.settlement.lines import SettlementLine as Line
from salesops.commissions.services.changes import read_before, store_changes
from salesops.commissions.services.drafting import Draft, Drafts, Key
from salesops.core.rows import next_ids

_BATCH: Final = 2_000
_CHUNK: Final = 50_000
_WRITTEN: Final = (
    "calculation",
    "state",
    "currency",
    "quota_minor",
    "target_minor",
    "rate",
    "terms",
    "credited_minor",
    "earned_minor",
    "payout_minor",
    "owed_minor",
    "carried",
    "problems",
    "digest",
    "lines_digest",
    "prepared_by",
    "prepared_at",
)


def store(
    drafts: Drafts, period: Period, calculation: Calculation, at: datetime, people: Collection[int] | None = None
) -> int:
    """Write the statements that differ from the stored ones; how many. Those nobody is on a plan for any more are emptied.

    people: whose statements were drafted, and no others are touched; None is everybody. What the stored ones said is kept
    next to what they say since (see services.changes).
    """
    rows = Statement.objects.select_for_update(of=("self",)).filter(period=period).defer("bundle", "carried")
    if people is not None:
        rows = rows.filter(person__in=people)
    stored = {(row.person_id, row.plan_version_id): row for row in rows}
    settled = set(Statement.objects.filter(period=period, carried__isnull=False).values_list("pk", flat=True))
    for key, row in stored.items():
        says_something = row.terms or row.earned_minor or row.credited_minor or row.payout_minor or row.pk in settled
        if key not in drafts.by_key and says_something:
            drafts.by_key[key] = Draft(row.plan_version, plan_from_plain(row.plan_version.definition).unwrap())
    digests = {key: draft.digest() for key, draft in drafts.by_key.items()}
    changed = [key for key in sorted(digests) if key not in stored or stored[key].digest != digests[key]]
    old = [stored[key].pk for key in changed if key in stored]
    before = read_before(drafts, stored, changed)
    _delete(Earning, old)
    _delete(Credit, old)
    _delete(SettlementLine, old)
    statements: dict[Key, Statement] = {}
    for key in changed:
        row = stored.get(key) or Statement(person_id=key[0], period=period, plan_version_id=key[1])
        statements[key] = _filled(row, drafts.by_key[key], digests[key], calculation, at)
    Statement.objects.bulk_create([row for row in statements.values() if row.pk is None], batch_size=_BATCH)
    Statement.objects.bulk_update(
        [row for key, row in statements.items() if key in stored], _WRITTEN, batch_size=_BATCH
    )
    _store_lines(drafts, statements)
    _store_settlement(drafts, statements)
    store_changes(before, statements, calculation)
    return len(changed)


def _delete(model: type[Credit | Earning | SettlementLine], statements: Sequence[int]) -> None:
    """Delete the lines of statements in one go: nothing of theirs is needed in memory."""
    rows = model._default_manager.filter(statement__in=statements)
    if statements:
        rows._raw_delete(rows.db)


def _filled(row: Statement, draft: Draft, digest: str, calculation: Calculation, at: datetime) -> Statement:
    row.calculation = calculation
    row.state = StatementState.DRAFT
    row.currency = draft.version.currency
    row.quota_minor, row.target_minor, row.rate = draft.quota_minor, draft.target_minor, draft.rate
    row.terms = draft.terms
    row.credited_minor, row.earned_minor = draft.credited_minor, draft.earned_minor
    row.payout_minor, row.owed_minor = draft.payout_minor, draft.owed_minor
    row.carried = draft.carried()
    row.problems = [problem.as_plain() for problem in draft.problems]
    row.digest, row.lines_digest = digest, draft.lines_digest
    row.prepared_by_id, row.prepared_at = calculation.run_by_id, at
    return row


def _store_lines(drafts: Drafts, statements: dict[Key, Statement]) -> None:
    """Credits and earnings of the changed statements: from the calculator straight into the tables."""
    calculator = drafts.calculator
    numbers = relation(("person", "plan", "statement"), [(*key, row.pk) for key, row in statements.items()])
    currencies = np.empty(len(statements), dtype=object)
    currencies[:] = [row.currency for row in statements.values()]
    calculator.register("changed", {**numbers, "currency": currencies})
    calculator.execute(
        """CREATE OR REPLACE TEMP TABLE new_credit AS
        SELECT row_number() OVER (ORDER BY c.person, c.plan, c.day, c.key, c.rule) AS place, c.*, h.statement, h.currency
        FROM credit c JOIN changed h USING (person, plan)"""
    )
    count = int(drafts.fetch("SELECT count(*) FROM new_credit")[0][0])
    if count:
        ids = np.array(next_ids(Credit, count), dtype=np.int64)
        calculator.register("new_ids", {"place": np.arange(1, count + 1, dtype=np.int64), "number": ids})
        _insert(
            calculator,
            Credit,
            {
                "id": "i.number",
                "statement_id": "c.statement",
                "transaction_id": "c.id",
                "person_id": "c.person",
                "function": "coalesce(c.function, '')",
                "rule": "c.rule",
                "share_bp": "c.basis_points",
                "amount_minor": "c.amount",
                "currency": "c.currency",
                "effective_on": "strftime(DATE '0001-01-01' + (c.day - 1)::INTEGER, '%Y-%m-%d')",
                "why": "c.why",
            },
            "new_credit c JOIN new_ids i USING (place) ORDER BY place",
        )
        _insert(
            calculator,
            Earning,
            {
                "statement_id": "c.statement",
                "credit_id": "i.number",
                "person_id": "e.person",
                "component": "e.component",
                "position": "e.position",
                "from_minor": "e.before",
                "to_minor": "e.after",
                "height_from_minor": "e.low",
                "height_to_minor": "e.high",
                "amount_minor": "e.amount",
                "currency": "c.currency",
            },
            """earning e JOIN new_credit c ON c.person = e.person AND c.plan = e.plan
                AND c.transaction = e.transaction AND c.rule_code = e.rule_code
            JOIN new_ids i USING (place) ORDER BY c.statement, e.component, e.position""",
        )
        calculator.unregister("new_ids")
    calculator.unregister("changed")


def _insert(
    calculator: duckdb.DuckDBPyConnection, model: type[models.Model], columns: dict[str, str], source: str
) -> None:
    """Insert what a question to the calculator gives: COPY on PostgreSQL, executemany on SQLite. Guards stay on."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(name) for name in columns)
    if connection.vendor == "postgresql":
        # No text of a line has a tab or a line break: keys are trimmed on the way in, JSON escapes them.
        parts = " || chr(9) || ".join(f"{_escaped(expression)}" for expression in columns.values())
        found = calculator.execute(f"SELECT {parts} FROM {source}")  # noqa: S608 - names made here
        with (
            connection.wrap_database_errors,
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
        ):
            for rows in _chunks(found):
                copy.write("\n".join(row[0] for row in rows) + "\n")
        return
    found = calculator.execute(f"SELECT {', '.join(columns.values())} FROM {source}")  # noqa: S608 - names made here
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        for rows in _chunks(found):
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - as above


def _escaped(expression: str) -> str:
    """A value as COPY's text format wants it."""
    return f"replace(({expression})::VARCHAR, chr(92), chr(92) || chr(92))"


def _chunks(found: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
    while rows := found.fetchmany(_CHUNK):
        yield rows


def _store_settlement(drafts: Drafts, statements: dict[Key, Statement]) -> None:
    """The steps from what was earned to what is paid: earned plus these lines is the payout, to the cent."""
    rows = [
        SettlementLine(
            statement=row,
            person_id=row.person_id,
            position=position,
            kind=line.kind.value,
            component=line.component,
            reference=line.reference[:160],
            amount_minor=line.amount_minor,
            currency=row.currency,
            is_paid=line.is_paid,
            reason=line.reason,
            params=dict(line.params),
        )
        for key, row in statements.items()
        for position, line in enumerate(_steps(drafts.by_key[key]), 1)
    ]
    SettlementLine.objects.bulk_create(rows, batch_size=_BATCH)


def _steps(draft: Draft) -> Iterator[Line]:
    """The lines of the settlement that are no lines of the statement already.

    What was earned stands in the earnings, but for late changes. What is taken back stands there as it was earned; where
    a cap or factor had made something else of it, the difference is a step of its own.
    """
    if draft.settled is None or draft.given is None:
        return
    late = {item.reference for item in draft.given.earnings if item.late}
    back = {(item.original.component, item.reference): item.amount_minor for item in draft.given.reversals}
    for line in draft.settled.lines:
        if line.kind is LineKind.EARNING:
            if line.reference in late:
                yield line
        elif line.kind is LineKind.REVERSAL and line.reason != FORFEITED:
            difference = line.amount_minor - back.get((line.component, line.reference), 0)
            if difference:
                yield replace(line, amount_minor=difference, reason="cancelled-as-settled")
        else:
            yield line
