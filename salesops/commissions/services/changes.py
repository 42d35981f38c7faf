"""Keeps what a calculation changed in statements that were there before: by line, before and after, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from salesops.commissions.choices import Cause
from salesops.commissions.models import Calculation, Credit, Earning, Statement, StatementChange
from salesops.commissions.rules.engine import relation
from salesops.commissions.services.causes import LineKey, Told, cause_of, causes_of_transactions
from salesops.commissions.services.drafting import Drafts, Key

#: So many changed lines of a statement are kept; the others are counted.
MOST_LINES: Final = 500
_BATCH: Final = 2_000
_FETCHED: Final = 20_000


@dataclass(slots=True)
class Before:
    """What changed statements said before they are written anew: sums and terms, and what changed in their lines."""

    sums: dict[Key, tuple[int, int]] = field(default_factory=dict)
    lines: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    more: dict[Key, int] = field(default_factory=dict)


#: The lines of changed statements that come to something else, the largest differences of a statement first.
#: is_same: on both sides the same was credited, so that nothing of it need be read again.
_CHANGED: Final = """
WITH old AS (
    SELECT h.person, h.plan, o.transaction AS id, o.component, sum(o.amount)::BIGINT AS amount, min(o.start) AS start,
        sum(o.moved)::BIGINT AS moved, sum(o.credited)::BIGINT AS credited, sum(o.points)::BIGINT AS points
    FROM old_lines o JOIN old_statements h USING (statement) GROUP BY ALL
), new AS (
    SELECT e.person, e.plan, e.id, e.component, sum(e.amount)::BIGINT AS amount, min(e.before) AS start,
        sum(e.after - e.before)::BIGINT AS moved, sum(c.amount)::BIGINT AS credited, sum(c.basis_points)::BIGINT AS points
    FROM earning e JOIN old_statements h USING (person, plan)
    JOIN credit c ON c.person = e.person AND c.plan = e.plan AND c.transaction = e.transaction
        AND c.rule_code = e.rule_code
    GROUP BY ALL
), changed AS (
    SELECT person, plan, id, component, old.amount AS was, new.amount AS is_now, old.start AS old_start,
        new.start AS new_start,
        coalesce(old.moved = new.moved AND old.credited = new.credited AND old.points = new.points, false) AS is_same
    FROM old FULL JOIN new USING (person, plan, id, component) WHERE old.amount IS DISTINCT FROM new.amount
)
SELECT *, count(*) OVER (PARTITION BY person, plan) AS of_statement FROM changed
QUALIFY row_number() OVER (PARTITION BY person, plan ORDER BY abs(coalesce(is_now, 0) - coalesce(was, 0)) DESC, id,
    component) <= $most
ORDER BY person, plan, abs(coalesce(is_now, 0) - coalesce(was, 0)) DESC, id, component
"""


def read_before(drafts: Drafts, stored: Mapping[Key, Statement], changed: Sequence[Key]) -> Before:
    """What these statements, of those that are stored, say now, and what will be otherwise. Asked before they are written.

    Everything is compared in columns; what a line was credited with is read again only where that is not the same.
    """
    found = Before()
    keys = [key for key in changed if key in stored]
    if not keys:
        return found
    for key in keys:
        found.sums[key] = (stored[key].earned_minor, stored[key].payout_minor)
    _register(drafts, stored, keys)
    rows = drafts.calculator.execute(_CHANGED, {"most": MOST_LINES}).fetchall()
    causes = _Causes(drafts, stored, rows)
    for row in rows:
        person, plan, transaction, component, was, is_now, _old, _new, _is_same, count = row
        lines = found.lines.setdefault((person, plan), [])
        lines.append(
            {
                "transaction": transaction,
                "component": component,
                "before": was,
                "after": is_now,
                "cause": causes.of(row).value,
            }
        )
        found.more[person, plan] = max(0, count - MOST_LINES)
    told = [line for lines in found.lines.values() for line in lines]
    named = causes_of_transactions([(line["transaction"], Cause(line["cause"])) for line in told])
    for line in told:
        line["cause"] = named.get((line["transaction"], Cause(line["cause"])), Cause(line["cause"])).value
    for name in ("old_lines", "old_statements"):
        drafts.calculator.unregister(name)
    return found


def store_changes(before: Before, statements: Mapping[Key, Statement], calculation: Calculation) -> None:
    """Keep what changed in the statements that were there before and now pay, or tell, something else."""
    rows = [
        StatementChange(
            statement=statements[key],
            calculation=calculation,
            person_id=key[0],
            earned_before_minor=earned,
            earned_after_minor=statements[key].earned_minor,
            payout_before_minor=payout,
            payout_after_minor=statements[key].payout_minor,
            currency=statements[key].currency,
            lines=before.lines.get(key, []),
            more=before.more.get(key, 0),
        )
        for key, (earned, payout) in before.sums.items()
        if key in before.lines or (earned, payout) != (statements[key].earned_minor, statements[key].payout_minor)
    ]
    StatementChange.objects.bulk_create(rows, batch_size=_BATCH)


def _register(drafts: Drafts, stored: Mapping[Key, Statement], keys: Sequence[Key]) -> None:
    """The statements to compare, and their lines as stored, as columns."""
    numbers = relation(("person", "plan", "statement"), [(*key, stored[key].pk) for key in keys])
    drafts.calculator.register("old_statements", numbers)
    lines = (
        Earning.objects.filter(statement__in=[stored[key].pk for key in keys])
        .order_by()
        .values_list(
            "statement_id",
            "credit__transaction_id",
            "amount_minor",
            "from_minor",
            "to_minor",
            "credit__amount_minor",
            "credit__share_bp",
            "component",
        )
    )
    rows = list(lines)
    names = ("statement", "transaction", "amount", "start", "end", "credited", "points")
    columns: dict[str, Any] = relation(names, [row[:7] for row in rows])
    columns["moved"] = columns.pop("end") - columns["start"]
    components = np.empty(len(rows), dtype=object)
    components[:] = [row[7] for row in rows]
    drafts.calculator.register("old_lines", {**columns, "component": components})


class _Causes:
    """Why lines changed; what the causes are told from is read for those lines only for which it matters."""

    def __init__(self, drafts: Drafts, stored: Mapping[Key, Statement], rows: Sequence[tuple[Any, ...]]) -> None:
        self.drafts, self.stored = drafts, stored
        self.asked = {row[2] for row in rows if not row[8]}
        # By transaction: who is credited elsewhere is asked for each line.
        self.due: dict[int, dict[LineKey, Told]] = defaultdict(dict)
        self.paid: dict[int, dict[LineKey, Told]] = defaultdict(dict)
        self._terms: dict[tuple[Key, str, bool], dict[str, Any]] = {}
        if self.asked:
            for *line, why in self._now():
                self._tell(self.due, line, why, is_now=True)
            for *line, why in self._then():
                self._tell(self.paid, line, why, is_now=False)

    def of(self, row: tuple[Any, ...]) -> Cause:
        """Why one changed line, as asked of the calculator, changed."""
        person, version, transaction, component, _was, _is_now, old_start, new_start, is_same, _count = row
        key = (person, self.drafts.by_key[person, version].version.plan_id, transaction, component)
        if not is_same:
            return cause_of(key, self.due[transaction], self.paid[transaction], Cause.OTHER)
        place = (person, version)
        now = Told(terms=self._held(place, component, is_now=True), start=new_start)
        then = Told(terms=self._held(place, component, is_now=False), start=old_start)
        return cause_of(key, {key: now}, {key: then}, Cause.OTHER)

    def _tell(self, into: dict[int, dict[LineKey, Told]], line: list[Any], why: Any, *, is_now: bool) -> None:
        person, version, transaction, component, start = line
        draft = self.drafts.by_key.get((person, version))
        plan = draft.version.plan_id if draft else 0
        told = into[transaction].setdefault((person, plan, transaction, component), Told(start=start))
        told.whys.append(why)
        told.terms = self._held((person, version), component, is_now=is_now)

    def _held(self, key: Key, component: str, *, is_now: bool) -> dict[str, Any]:
        """What held for a component now, or in the statement as it is stored."""
        place = (key, component, is_now)
        if place not in self._terms:
            draft, row = self.drafts.by_key.get(key), self.stored.get(key)
            kept = (draft.terms if draft else []) if is_now else (row.terms if row else [])
            found = next((terms for terms in kept if terms["component"] == component), {})
            self._terms[place] = {**found, "version": key[1]}
        return self._terms[place]

    def _now(self) -> Iterator[tuple[Any, ...]]:
        """The lines in the same transactions, of everybody, as they are now."""
        calculator = self.drafts.calculator
        calculator.register("asked", {"id": np.array(sorted(self.asked), dtype=np.int64)})
        found = calculator.execute(
            """SELECT e.person, e.plan, e.id, e.component, e.before, c.why FROM earning e JOIN asked USING (id)
            JOIN credit c ON c.person = e.person AND c.plan = e.plan AND c.transaction = e.transaction
                AND c.rule_code = e.rule_code ORDER BY e.person, e.plan, e.component, e.position"""
        ).fetchall()
        calculator.unregister("asked")
        yield from found

    def _then(self) -> Iterator[tuple[Any, ...]]:
        """The same of the stored statements of the period."""
        of_statement = {row.pk: key for key, row in self.stored.items()}
        whys: dict[int, Any] = {}
        lines: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        ids = sorted(self.asked)
        periods = {row.period_id for row in self.stored.values()}
        for start in range(0, len(ids), _FETCHED):
            some = ids[start : start + _FETCHED]
            credits = Credit.objects.filter(statement__period__in=periods, transaction__in=some).order_by()
            whys.update(credits.values_list("pk", "why"))
            earnings = Earning.objects.filter(statement__period__in=periods, credit__transaction__in=some).order_by(
                "statement_id", "component", "position"
            )
            for statement, transaction, component, begin, credit in earnings.values_list(
                "statement_id", "credit__transaction_id", "component", "from_minor", "credit_id"
            ):
                lines[credit].append((*of_statement[statement], transaction, component, begin))
        for credit, found in lines.items():
            for line in found:
                yield (*line, whys[credit])
