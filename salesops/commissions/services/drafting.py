"""Drafts statements in columns: what a run credited and earned, with what it was reckoned from. Nothing is written."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
from django.db.models import Sum

from salesops.commissions.choices import AdjustmentKind, AdjustmentState, VersionState
from salesops.commissions.models import Adjustment, Earning, Period, PlanVersion, Transaction
from salesops.commissions.rules.columns import Ints
from salesops.commissions.rules.conventions import CreditDay, Refund
from salesops.commissions.rules.credits import WHOLE_SHARE, CreditRule
from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.engine import NONE, RULES, RunNotes, Terms, relation, run_in
from salesops.commissions.rules.exchange import mean_as_plain, mean_told
from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.plans import Component, PlanDefinition, curve_for, digest_of, plan_from_plain
from salesops.commissions.rules.settlement.facts import Carried, PeriodInput, Settled
from salesops.commissions.rules.shapes import Measure
from salesops.commissions.selectors.facts import PeriodFacts
from salesops.people.models import FunctionAssignment
from salesops.values import periods
from salesops.values.calculator import open_calculator
from salesops.values.money import round_half_up
from salesops.values.outcomes import Outcome, Problem
from salesops.values.rates import PinnedRate, Rate

#: Rises when the same inputs may give another result. Locked statements keep the number they were made with.
ENGINE_VERSION: Final = "5"

# (person, plan version)
Key = tuple[int, int]


@dataclass(slots=True)
class Draft:
    """A statement as calculated, before it is compared with the stored one.

    rate: the share agreed, as stored. terms: what holds for each component, as plain data. credited and earned: sums of
    the lines. given, before, settled: the settlement, where there is anything to settle.
    """

    version: PlanVersion
    plan: PlanDefinition
    quota_minor: int | None = None
    target_minor: int | None = None
    rate: Decimal | None = None
    terms: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    credited_minor: int = 0
    earned_minor: int = 0
    payout_minor: int = 0
    owed_minor: int = 0
    given: PeriodInput | None = None
    before: Carried | None = None
    settled: Settled | None = None
    lines_digest: str = ""

    def digest(self) -> str:
        """SHA-256 over what went in and what came out."""
        return digest_of(
            {
                "engine": ENGINE_VERSION,
                "plan": self.version.digest,
                "quota": self.quota_minor,
                "target": self.target_minor,
                "rate": None if self.rate is None else str(self.rate),
                "terms": self.terms,
                "problems": [problem.as_plain() for problem in self.problems],
                "lines": self.lines_digest,
                "payout": self.payout_minor,
                "owed": self.owed_minor,
                "settlement": self.carried(),
            }
        )

    def carried(self) -> dict[str, Any] | None:
        """What the statement keeps of its settlement: what went in, and what goes on into the next period."""
        if self.settled is None or self.given is None or self.before is None:
            return None
        return {
            "given": self.given.as_plain(),
            "before": self.before.as_plain(),
            "after": self.settled.carried.as_plain(),
            "parts": self.settled.as_plain()["parts"],
        }


@dataclass(frozen=True, slots=True)
class Back:
    """A line that takes back a part of what an earlier period's statement earned for a transaction.

    rule: NONE where a late change, which knows of none, paid what is taken back.
    """

    person: int
    version: int
    component: int
    place: int
    original: int
    rule: int
    basis_points: int
    credited: int
    amount: int


class Drafts:
    """Drafts by person and plan version, with the tables `credit` and `earning` in a calculator.

    credit: person, plan, transaction (row), id, key, day, rule (name), basis_points, amount, function, why (JSON).
    earning: person, plan, component (key), position, transaction, id, key, day, rule, before, after, low, high, amount,
    original (key of what is taken back, or empty), is_of_earlier (whether that is of an earlier period).
    """

    def __init__(
        self,
        calculator: duckdb.DuckDBPyConnection,
        facts: PeriodFacts,
        headers: dict[Key, Draft],
        problems: list[Problem],
    ) -> None:
        self.calculator = calculator
        self.facts = facts
        self.by_key = headers
        #: What is about nobody's statement in particular.
        self.problems = problems

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a question to the tables."""
        return self.calculator.execute(sql).fetchall()


@contextmanager
def drafted(facts: PeriodFacts, taken_back: Sequence[Back] = (), *, is_tried: bool = False) -> Iterator[Drafts]:
    """Run the engine over the facts and draft a statement for each person on a plan version in the period.

    is_tried: only the amounts are asked for, so that lines have no why and drafts no digest of their lines. Settlement
    comes after; see services.settling.
    """
    with open_calculator() as calculator:
        done = run_in(calculator, facts.definitions, facts.engine, facts.book)
        yield _drafts(calculator, facts, done, taken_back, is_tried=is_tried)


@contextmanager
def tried_at_once(sides: Sequence[PeriodFacts]) -> Iterator[list[Drafts]]:
    """Drafts of several facts that are only tried, the engine running for all of them at once.

    One run seldom keeps two cores busy. Only the engine runs beside others: the database is read and written by the caller.
    """
    backs = [taken_back(facts) for facts in sides]
    with ExitStack() as stack:
        calculators = [stack.enter_context(open_calculator()) for _facts in sides]
        with ThreadPoolExecutor(len(sides)) as together:
            runs = list(together.map(_ran, calculators, sides))
        yield [
            _drafts(calculator, facts, done, back, is_tried=True)
            for calculator, facts, done, back in zip(calculators, sides, runs, backs, strict=True)
        ]


def _ran(calculator: duckdb.DuckDBPyConnection, facts: PeriodFacts) -> RunNotes:
    return run_in(calculator, facts.definitions, facts.engine, facts.book)


def _drafts(
    calculator: duckdb.DuckDBPyConnection,
    facts: PeriodFacts,
    done: RunNotes,
    taken_back: Sequence[Back],
    *,
    is_tried: bool,
) -> Drafts:
    made: dict[tuple[int, str, Terms], Outcome[Curve]] = {}
    headers = {key: _header(facts, *key, made) for key in sorted(facts.people)}
    for back in taken_back:
        if (back.person, back.version) not in headers:
            headers[back.person, back.version] = _header(facts, back.person, back.version, made)
    drafts = Drafts(calculator, facts, headers, _problems(facts, done, headers))
    _register(drafts, done, taken_back, is_tried=is_tried)
    _keep_means(drafts, done)
    _total(drafts, is_tried=is_tried)
    return drafts


# --- Headers ------------------------------------------------------------------------------------------------------


def span_of(component: Component, period: Period) -> periods.Period:
    """The period in which the credits of a component add up, around a period of pay."""
    whole = periods.Period(period.start_on, period.end_on, period.label)
    return periods.period_of(period.start_on, component.period_kind) if component.period_kind else whole


def _header(
    facts: PeriodFacts, person: int, version_id: int, made: dict[tuple[int, str, Terms], Outcome[Curve]]
) -> Draft:
    """Terms and problems of a person on a version. made: curves made so far; many people have the same terms."""
    period, plan = facts.period, facts.definitions[version_id]
    whole = periods.Period(period.start_on, period.end_on, period.label)
    draft = Draft(
        facts.versions[version_id],
        plan,
        target_minor=facts.book.target(version_id, person, whole),
        rate=facts.rates.get((person, version_id)),
    )
    for component in plan.components:
        held = facts.book(version_id, component, person, span_of(component, period))
        if component.measure is Measure.MONEY and draft.quota_minor is None:
            draft.quota_minor = held.quota
        draft.terms.append(
            {
                "component": component.key,
                "quota": held.quota,
                "target_minor": held.target_minor,
                "rate": None if held.personal_rate is None else str(held.personal_rate),
            }
        )
        if (person, version_id) in facts.people:
            outcome = made.get((version_id, component.key, held))
            if outcome is None:
                outcome = made[version_id, component.key, held] = curve_for(
                    plan, component, quota=held.quota, target_minor=held.target_minor, personal_rate=held.personal_rate
                )
            draft.problems.extend(problem for problem in outcome.problems if problem not in draft.problems)
    draft.problems[:0] = facts.book.problems[version_id, person]
    return draft


def _problems(facts: PeriodFacts, done: RunNotes, headers: dict[Key, Draft]) -> list[Problem]:
    """Give each problem to the statement it is about; what is about nobody's, and of this period, comes back."""
    transactions = facts.engine.transactions
    start = facts.period.start_on.toordinal()
    earlier = {str(key) for key in transactions.key[transactions.day < start]}
    found: list[Problem] = []
    for item in done.problems:
        about = headers.get((item.person or 0, item.plan or 0))
        asked = found if about is None else about.problems
        if item.problem not in asked and item.problem.where not in earlier:
            asked.append(item.problem)
    return found


def _keep_means(drafts: Drafts, done: RunNotes) -> None:
    """Keep the mean rates of exchange of each statement, with every rate that went in, with its terms of money."""
    plain = {
        place: [mean_as_plain(mean) for mean in pinned.means]
        for place, pinned in enumerate(done.pinned)
        if pinned.means
    }
    if not plain:
        return
    used = drafts.calculator.execute(
        """SELECT DISTINCT c.person, c.plan, c.pinned FROM run_credits c JOIN tx ON tx.row = c.transaction
        WHERE list_contains($places::BIGINT[], c.pinned) AND tx.day >= $start ORDER BY ALL""",
        {"places": list(plain), "start": drafts.facts.period.start_on.toordinal()},
    )
    for person, version, place in used.fetchall():
        draft = drafts.by_key.get((person, version))
        for terms in draft.terms if draft else ():
            if draft and draft.plan.component(terms["component"]).measure is Measure.MONEY:
                kept = terms.setdefault("means", [])
                kept.extend(mean for mean in plain[place] if mean not in kept)


# --- Columns ------------------------------------------------------------------------------------------------------


def _register(drafts: Drafts, done: RunNotes, taken_back: Sequence[Back], *, is_tried: bool) -> None:
    """Tables `credit` and `earning` of the period, from what the run came to and what is taken back."""
    facts, calculator = drafts.facts, drafts.calculator
    transactions, start = facts.engine.transactions, facts.period.start_on.toordinal()
    count = len(transactions)
    currencies = np.array([json.dumps(name) for name in transactions.currencies] or [""], dtype=object)
    calculator.register(
        "tx_columns",
        {
            "row": np.arange(count, dtype=np.int64),
            "id": np.array(facts.ids, dtype=np.int64),
            "key": transactions.key,
            "day": transactions.day,
            "amount": transactions.amount,
            "currency": currencies[transactions.currency] if count else transactions.key,
        },
    )
    calculator.execute("CREATE TEMP TABLE tx AS SELECT * FROM tx_columns")
    negating = [number for number, plan in facts.definitions.items() if plan.conventions.refund is Refund.NEGATE]
    calculator.register("negating", {"plan": np.array(negating, dtype=np.int64)})
    names = ("person", "plan", "component", "transaction", "original", "rule", "basis_points", "part", "amount")
    rows = [
        (b.person, b.version, b.component, b.place, b.original, b.rule, b.basis_points, b.credited, b.amount)
        for b in _ruled(drafts, taken_back)
    ]
    calculator.register("back", relation(names, rows))
    calculator.register("rule_names", _table("rule", "name", [(code, rule.value) for code, rule in enumerate(RULES)]))
    calculator.register("components", _components(facts))
    calculator.register("functions", _functions(facts.period))
    texts = {} if is_tried else _why_texts(drafts, done)
    for name, columns in texts.items():
        calculator.register(name, columns)
    why = "''" if is_tried else _WHY.format(parts=" || ".join(["''", *(_WHY_PARTS[name][0] for name in texts)]))
    # What is only tried is asked for sums, mostly, which need no lines written out.
    kind = "VIEW" if is_tried else "TABLE"
    calculator.execute(
        _CREDIT.format(
            kind=kind,
            start=start,
            why=why,
            joins="\n".join(_WHY_PARTS[name][1] for name in texts),
            also=_CREDITED_BACK if taken_back else "",
        )
    )
    original, is_of_earlier, joins, counted = _NEVER_REVERSED
    if taken_back or np.any(transactions.reverses != NONE):
        original, is_of_earlier, joins, counted = (text.replace("{start}", str(start)) for text in _REVERSED)
    calculator.execute(
        _EARNING.format(
            kind=kind,
            start=start,
            original=original,
            is_of_earlier=is_of_earlier,
            joins=joins,
            counted=counted,
            also=_EARNED_BACK if taken_back else "",
            where="" if _is_all_credited(facts, taken_back) else _CREDITED,
            position="f.transaction" if is_tried else _POSITION,
        )
    )


def _is_all_credited(facts: PeriodFacts, taken_back: Sequence[Back]) -> bool:
    """Whether every line has its credit for certain: nothing was left out for want of a rate, and nothing goes back."""
    currencies = {*facts.engine.transactions.currencies, *(plan.currency for plan in facts.definitions.values())}
    return not taken_back and len(currencies) <= 1


def _why_texts(drafts: Drafts, done: RunNotes) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """What is told of the lines beside their numbers, where there is anything, as tables of the calculator."""
    facts = drafts.facts
    things = [(code, json.dumps(thing)) for code, thing in enumerate(facts.things)]
    found = {
        "share_texts": _table("row", "text", _share_texts(facts)),
        "owner_texts": _owner_texts(facts),
        "thing_texts": _table("thing", "text", things),
        "pinned_texts": _table("pinned", "text", list(enumerate(_pinned_texts(done)))),
        "field_texts": _field_texts(drafts),
    }
    return {name: columns for name, columns in found.items() if len(columns["text"])}


def _table(number: str, text: str, rows: Sequence[tuple[int, str]]) -> dict[str, npt.NDArray[Any]]:
    """Numbers with their texts as columns."""
    texts = np.empty(len(rows), dtype=object)
    texts[:] = [row[1] for row in rows]
    return {number: np.array([row[0] for row in rows], dtype=np.int64), text: texts}


def _share_texts(facts: PeriodFacts) -> list[tuple[int, str]]:
    return [(place, json.dumps(shares)) for place, shares in facts.shares.items()]


def _owner_texts(facts: PeriodFacts) -> dict[str, npt.NDArray[Any]]:
    """The parts by days of ownership, for the plans that credit by these."""
    numbers = [pk for pk, plan in facts.definitions.items() if plan.conventions.credit_day is CreditDay.BY_DAYS]
    rows = [(number, place, json.dumps(parts)) for number in numbers for place, parts in facts.parted.items()]
    texts = _table("row", "text", [row[1:] for row in rows])
    return {"plan": np.array([row[0] for row in rows], dtype=np.int64), **texts}


def _pinned_texts(done: RunNotes) -> list[str]:
    """The pinned rates between minor units, each with the published rates it is made of, as members of an object."""
    return [_pinned_text(pinned) for pinned in done.pinned]


def _pinned_text(pinned: PinnedRate) -> str:
    rate = f'"rate": {json.dumps(str(pinned.minor_fraction()))}'
    if pinned.means:
        return f'{rate}, "rate_means": {json.dumps([mean_told(mean_as_plain(mean)) for mean in pinned.means])}'
    legs = [leg for leg in pinned.legs if isinstance(leg, Rate)]
    told = [[leg.on.isoformat(), leg.base, leg.quote, exact_text(leg.value), leg.source] for leg in legs]
    return f'{rate}, "rate_legs": {json.dumps(told)}'


def _field_texts(drafts: Drafts) -> dict[str, npt.NDArray[Any]]:
    """What conditions and formulas asked of the credited transactions, as JSON, by plan version and row."""
    facts = drafts.facts
    values = facts.engine.transactions.values
    plans: list[int] = []
    places: list[int] = []
    texts: list[str] = []
    for version_id in facts.definitions:
        asked = facts.asked_by(version_id)
        if asked:
            credited = drafts.calculator.execute(
                "SELECT DISTINCT transaction FROM run_credits WHERE plan = $plan ORDER BY ALL", {"plan": version_id}
            )
            for (place,) in credited.fetchall():
                plans.append(version_id)
                places.append(place)
                texts.append(json.dumps({name: str(values[name].column[place]) for name in asked}))
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return {"plan": np.array(plans, dtype=np.int64), "row": np.array(places, dtype=np.int64), "text": column}


def _components(facts: PeriodFacts) -> dict[str, npt.NDArray[Any]]:
    rows = [
        (number, index, component.key)
        for number, plan in facts.definitions.items()
        for index, component in enumerate(plan.components)
    ]
    keys = np.empty(len(rows), dtype=object)
    keys[:] = [row[2] for row in rows]
    numbers: dict[str, Ints] = relation(("plan", "component"), [row[:2] for row in rows])
    return {**numbers, "key": keys}


def _functions(period: Period) -> dict[str, npt.NDArray[Any]]:
    """The job function of each person, for the days of a period."""
    rows = list(
        FunctionAssignment.objects.during(period.start_on, period.end_on)
        .order_by("person_id", "start_on", "pk")
        .values_list("person_id", "start_on", "end_on", "function")
    )
    names = np.empty(len(rows), dtype=object)
    names[:] = [row[3] for row in rows]
    ranges = [(row[0], row[1].toordinal(), (row[2] or date.max).toordinal()) for row in rows]
    return {**relation(("person", "start", "stop"), ranges), "name": names}


#: What a line says of where it comes from: members of an object that are always there, and those that may be.
_WHY: Final = """'{{"amount": ' || tx.amount || ', "currency": ' || tx.currency || ', "credited": ' || f.part
    || {parts} || '}}'"""
_WHY_PARTS: Final = {
    "share_texts": (
        f"CASE WHEN f.rule = {RULES.index(CreditRule.SPLIT)} AND s.text IS NOT NULL"
        """ THEN ', "shares": ' || s.text ELSE '' END""",
        "LEFT JOIN share_texts s ON s.row = f.transaction",
    ),
    "owner_texts": (
        f"CASE WHEN f.rule = {RULES.index(CreditRule.OWNER)} AND w.text IS NOT NULL"
        """ THEN ', "shares": ' || w.text ELSE '' END""",
        "LEFT JOIN owner_texts w ON w.plan = f.plan AND w.row = f.transaction",
    ),
    "thing_texts": (
        """coalesce(', "held": ' || h.text, '')""",
        "LEFT JOIN thing_texts h ON h.thing = f.thing",
    ),
    "pinned_texts": (
        "coalesce(', ' || p.text, '')",
        "LEFT JOIN pinned_texts p ON p.pinned = f.pinned",
    ),
    "field_texts": (
        """coalesce(', "fields": ' || a.text, '')""",
        "LEFT JOIN field_texts a ON a.plan = f.plan AND a.row = f.transaction",
    ),
}

#: What the engine credited in the period; what takes back something of an earlier period comes as it was stored then.
_CREDIT: Final = """
CREATE TEMP {kind} credit AS
WITH found AS (
    SELECT c.person, c.plan, c.transaction, c.rule, c.basis_points, c.part, c.thing, c.pinned, c.amount
    FROM run_credits c JOIN tx ON tx.row = c.transaction
    WHERE tx.day >= {start} {also}
)
SELECT f.person, f.plan, f.transaction, tx.id, tx.key, tx.day, r.name AS rule, f.rule AS rule_code, f.basis_points,
    f.amount, CASE WHEN tx.day < fn.stop THEN fn.name ELSE '' END AS function, {why} AS why
FROM found f JOIN tx ON tx.row = f.transaction JOIN rule_names r ON r.rule = f.rule
{joins}
ASOF LEFT JOIN functions fn ON fn.person = f.person AND tx.day >= fn.start
"""
_CREDITED_BACK: Final = """
    AND NOT EXISTS (SELECT 1 FROM back b WHERE b.plan IN (SELECT plan FROM negating)
        AND b.plan = c.plan AND b.transaction = c.transaction)
    UNION ALL
    SELECT person, plan, transaction, rule, max(basis_points), max(part), -1, -1, max(part)
    FROM back GROUP BY person, plan, transaction, rule
"""

#: The place of a line among those of its component. Where only amounts are asked for, its transaction's will do.
_POSITION: Final = "row_number() OVER (PARTITION BY f.person, f.plan, f.component ORDER BY f.transaction, f.rule)"

#: What each credit earned in each component. A component without a curve earns nothing and has said why.
_EARNING: Final = """
CREATE TEMP {kind} earning AS
WITH found AS (
    SELECT l.person, l.plan, l.component, l.transaction, l.rule, l.before, l.after, l.pay_before AS low,
        l.pay_after AS high, l.amount, l.reversed
    FROM run_lines l JOIN tx ON tx.row = l.transaction
    WHERE l.segment_after >= 0 AND tx.day >= {start} {counted} {also}
)
SELECT f.person, f.plan, k.key AS component, f.transaction, f.rule AS rule_code, tx.id, tx.key, tx.day, f.before, f.after,
    f.low, f.high, f.amount, {original} AS original, {is_of_earlier} AS is_of_earlier,
    {position} AS position
FROM found f JOIN tx ON tx.row = f.transaction JOIN components k USING (plan, component) {joins}
{where}
"""
#: Of a line that takes something back: the key of its original, whether that is of an earlier period, where both come
#: from, and that the engine's own lines of those are left out: what was stored of them goes back.
_REVERSED: Final = (
    "coalesce(o.key, '')",
    "coalesce(o.day < {start}, false)",
    "LEFT JOIN tx o ON o.row = f.reversed",
    "AND NOT EXISTS (SELECT 1 FROM tx o WHERE o.row = l.reversed AND o.day < {start})",
)
_NEVER_REVERSED: Final = ("''", "false", "", "")
_CREDITED: Final = """WHERE EXISTS (SELECT 1 FROM credit c WHERE c.person = f.person AND c.plan = f.plan
    AND c.transaction = f.transaction AND c.rule_code = f.rule)"""
_EARNED_BACK: Final = """
    UNION ALL
    SELECT person, plan, component, transaction, rule, 0, 0, 0, 0, amount, original FROM back
"""


#: What is hashed of each line, in its order.
_CREDIT_DIGEST: Final = """sha256(string_agg(
    key || '|' || day || '|' || rule || '|' || basis_points || '|' || amount || '|' || why, chr(10) ORDER BY key, rule))"""
_EARNING_DIGEST: Final = """sha256(string_agg(
    component || '|' || key || '|' || rule_code || '|' || before || '|' || after || '|' || low || '|' || high || '|'
    || amount || '|' || original, chr(10) ORDER BY component, position))"""


_NO_DIGEST: Final = "''"


def _total(drafts: Drafts, *, is_tried: bool) -> None:
    """Sums and digests of the lines of each statement."""
    credits, earnings = (
        f"SELECT person, plan, sum(amount)::BIGINT, {_NO_DIGEST if is_tried else digest} FROM {table} GROUP BY person, plan"  # noqa: S608 - texts of this file
        for table, digest in (("credit", _CREDIT_DIGEST), ("earning", _EARNING_DIGEST))
    )
    digests: dict[Key, list[str]] = defaultdict(lambda: ["", ""])
    for place, sql in enumerate((credits, earnings)):
        for person, plan, total, digest in drafts.fetch(sql):
            draft = drafts.by_key[person, plan]
            if place:
                draft.earned_minor = total
            else:
                draft.credited_minor = total
            digests[person, plan][place] = digest
    for key, draft in drafts.by_key.items():
        draft.lines_digest = " ".join(digests[key])
        draft.payout_minor = draft.earned_minor
    for person, plan, component, reached in drafts.fetch(
        """SELECT person, plan, component, arg_max(after, position) FROM earning WHERE original = ''
        GROUP BY person, plan, component"""
    ):
        terms = next(terms for terms in drafts.by_key[person, plan].terms if terms["component"] == component)
        terms["reached"] = reached
    for draft in drafts.by_key.values():
        for terms in draft.terms:
            terms.setdefault("reached", 0)


# --- What is taken back of earlier periods ------------------------------------------------------------------------


def taken_back(facts: PeriodFacts, *, renewed: Period | None = None, pending: Sequence[Adjustment] = ()) -> list[Back]:
    """Lines that negate, in part or wholly, what statements of earlier periods earned for transactions taken back now.

    Exactly what was stored, late changes included, goes back, rounded on the sum taken back so far, so that parts that
    make up the whole leave everybody at exactly nothing. A plan in which reversals move down the curve is left to the
    engine. While late changes of an open period are found anew, `renewed` is that period and `pending` what is found
    so far. Whom only a late change gave something gives that back, by the rule by which they are credited now.
    """
    transactions, start = facts.engine.transactions, facts.period.start_on.toordinal()
    places = [
        (place, int(transactions.reverses[place]))
        for place in np.flatnonzero(transactions.reverses != NONE).tolist()
        if transactions.day[place] >= start and transactions.day[transactions.reverses[place]] < start
    ]
    if not places:
        return []
    originals = {facts.ids[original]: original for _place, original in places}
    parts = _parts(facts, places, originals)
    columns = (
        "credit__transaction_id",
        "person_id",
        "statement__plan_version__plan_id",
        "statement__plan_version_id",
        "component",
        "credit__rule",
        "credit__share_bp",
    )
    rows = (
        Earning.objects.filter(
            credit__transaction__in=originals,
            statement__period__kind=facts.period.kind,
            statement__period__time_zone=facts.period.time_zone,
            statement__period__end_on__lte=facts.period.start_on,
        )
        .order_by()
        .values_list(*columns)
        .annotate(earned=Sum("amount_minor"), credited=Sum("credit__amount_minor"))
    )
    adjusted = _adjusted(originals, renewed, pending)
    found: list[Back] = []
    codes = {rule.value: code for code, rule in enumerate(RULES)}
    for original_id, person, plan_id, version_id, component, rule, points, earned, credited in sorted(rows):
        version = _version_now(facts, person, plan_id, version_id)
        plan = facts.definitions[version]
        index = next((number for number, part in enumerate(plan.components) if part.key == component), None)
        if plan.conventions.refund is not Refund.NEGATE or index is None:
            continue
        earned += adjusted.pop((original_id, person, plan_id, component), 0)
        for place, since, upto in parts[original_id]:
            found.append(
                Back(
                    person,
                    version,
                    index,
                    place,
                    originals[original_id],
                    codes[rule],
                    points,
                    round_half_up(credited * since) - round_half_up(credited * upto),
                    round_half_up(earned * since) - round_half_up(earned * upto),
                )
            )
    for (original_id, person, plan_id, component), amount in sorted(adjusted.items()):
        version = _version_now(facts, person, plan_id, None)
        plan = facts.definitions[version]
        index = next((number for number, part in enumerate(plan.components) if part.key == component), None)
        if not amount or plan.conventions.refund is not Refund.NEGATE or index is None:
            continue
        for place, since, upto in parts[original_id]:
            back = round_half_up(amount * since) - round_half_up(amount * upto)
            found.append(Back(person, version, index, place, originals[original_id], NONE, 0, 0, back))
    return found


def _ruled(drafts: Drafts, taken_back: Sequence[Back]) -> list[Back]:
    """With the rule and share by which the run credits what is taken back, where it does not say so itself."""
    places = {back.place for back in taken_back if back.rule == NONE}
    if not places:
        return list(taken_back)
    rows = drafts.fetch(
        f"""SELECT person, plan, transaction, rule, basis_points FROM run_credits
        WHERE transaction IN ({", ".join(map(str, sorted(places)))}) ORDER BY ALL DESC"""  # noqa: S608 - numbers made here
    )
    of_run = {tuple(row[:3]): row[3:] for row in rows}
    owner = (RULES.index(CreditRule.OWNER), WHOLE_SHARE)
    found = []
    for back in taken_back:
        if back.rule == NONE:
            rule, points = of_run.get((back.person, back.version, back.place), owner)
            back = replace(back, rule=rule, basis_points=points)
        found.append(back)
    return found


def _parts(
    facts: PeriodFacts, places: Sequence[tuple[int, int]], originals: dict[int, int]
) -> dict[int, list[tuple[int, Fraction, Fraction]]]:
    """By id of the original: place of what takes it back in this period, the share taken before it and with it."""
    place_of = {facts.ids[place]: place for place, _original in places}
    rows = Transaction.objects.filter(reverses__in=originals, is_void=False, effective_on__lt=facts.period.end_on)
    upto: dict[int, int] = defaultdict(int)
    found: dict[int, list[tuple[int, Fraction, Fraction]]] = defaultdict(list)
    listed = rows.values_list("effective_on", "source_key", "pk", "reverses_id", "amount_minor")
    for _day, _key, pk, original, amount in sorted(listed):
        whole = abs(int(facts.engine.transactions.amount[originals[original]]))
        since = min(upto[original], whole)
        upto[original] += abs(amount)
        if pk in place_of and whole:
            found[original].append((place_of[pk], Fraction(since, whole), Fraction(min(upto[original], whole), whole)))
    return found


def _adjusted(
    originals: dict[int, int], renewed: Period | None, pending: Sequence[Adjustment]
) -> dict[tuple[int, int, int, str], int]:
    """What late changes added to what transactions earned."""
    found: dict[tuple[int, int, int, str], int] = defaultdict(int)
    rows = Adjustment.objects.filter(
        kind=AdjustmentKind.LATE, state=AdjustmentState.APPROVED, about_transaction__in=originals
    )
    for row in [*rows.exclude(period=renewed), *pending]:
        if row.about_transaction_id in originals:
            found[row.about_transaction_id, row.person_id, row.plan_id, row.component] += row.amount_minor
    return found


def _version_now(facts: PeriodFacts, person: int, plan_id: int, version_id: int | None) -> int:
    """The version of a plan under which a person has a statement now; where there is none the one of then, and where
    that is not known the latest that has begun.
    """
    now = [key[1] for key in facts.people if key[0] == person and facts.versions[key[1]].plan_id == plan_id]
    if now:
        return max(now, key=lambda pk: facts.versions[pk].start_on)
    if version_id is None:
        begun = PlanVersion.objects.filter(plan=plan_id, start_on__lt=facts.period.end_on)
        version_id = begun.exclude(state=VersionState.DRAFT).latest("start_on").pk
    if version_id not in facts.versions:
        version = PlanVersion.objects.select_related("plan").get(pk=version_id)
        facts.versions[version_id] = version
        facts.definitions[version_id] = plan_from_plain(version.definition).unwrap()
    return version_id
