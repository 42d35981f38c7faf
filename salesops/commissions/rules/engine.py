"""Runs plans over transactions in whole columns: who is credited, along which stretch of the curve, for what pay."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from salesops.commissions.rules.columns import Ints, curve_numbers, earned_sql
from salesops.commissions.rules.conventions import CreditDay
from salesops.commissions.rules.credits import WHOLE_SHARE, CreditRule, direct_rules
from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.exchange import rate_for, so_far
from salesops.commissions.rules.fields import BUILT_IN
from salesops.commissions.rules.plans import Component, PlanDefinition, Scope, curve_for
from salesops.commissions.rules.rounding import Rounding
from salesops.commissions.rules.shapes import Measure
from salesops.values import formulas
from salesops.values.calculator import ColumnsError, open_calculator
from salesops.values.money import exponent, round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop
from salesops.values.periods import Period, PeriodKind, period_of
from salesops.values.rates import PinnedRate, RateTable
from salesops.values.split import split_by_largest_remainder

# In a column of people: nobody. In a column of rows: none.
NOBODY: Final = -1
NONE: Final = -1

# Rules by the number under which columns hold them.
RULES: Final = tuple(CreditRule)

# Ways to find the day of crediting by the number under which columns hold them.
CREDIT_DAYS: Final = tuple(CreditDay)

# So many transactions are named one by one when they have the same problem; the rest are counted.
MOST_NAMED: Final = 200


@dataclass(frozen=True)
class Terms:
    """What holds for one person, component and period: quota in units of the measure, target pay in minor units."""

    quota: int | None = None
    target_minor: int | None = None
    personal_rate: Fraction | None = None


# (number of the plan, component, person, the period in which its credits add up) to the terms.
TermsOf = Callable[[int, Component, int, Period], Terms]


@dataclass(frozen=True)
class Values:
    """A column of something that formulas may ask for. `is_known` is None where every row has a value.

    Texts are a column of objects; numbers are whole and carry `decimals`; money is in minor units of the transaction's
    currency; days are ordinal numbers; yes and no are 1 and 0.
    """

    kind: formulas.Kind
    column: npt.NDArray[Any]
    is_known: npt.NDArray[np.bool_] | None = None
    decimals: int = 0
    label: str = ""


@dataclass(frozen=True)
class Transactions:
    """Transactions, one row each, in the order in which they count: by day, then by key.

    key: what a transaction is known by. kind, currency: indexes into `kinds` and `currencies`.
    amount: minor units of the currency. quantity: things. owner: a person or NOBODY.
    reverses: row of the transaction taken back, NONE for most; it must be among the rows.
    values: further fields for formulas by name.
    """

    key: npt.NDArray[np.object_]
    kinds: tuple[str, ...]
    kind: Ints
    day: Ints
    amount: Ints
    currencies: tuple[str, ...]
    currency: Ints
    quantity: Ints
    owner: Ints
    reverses: Ints
    values: Mapping[str, Values] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of transactions."""
        return len(self.amount)


# The columns of the relations beside the transactions. Days are ordinal numbers, ends are exclusive.
SHARES: Final = ("transaction", "person", "basis_points", "is_overlay")
THINGS: Final = ("transaction", "place", "thing")
HOLDINGS: Final = ("thing", "person", "start", "stop", "rank")
GROUPINGS: Final = ("rule", "person", "receiver", "start", "stop")
ON_PLAN: Final = ("plan", "person", "start", "stop")
AS_OF: Final = ("transaction", "way", "day")
OWNERS: Final = ("transaction", "way", "person", "basis_points", "day")

# An end that never comes.
EVER: Final = date.max.toordinal()


def relation(names: Sequence[str], rows: Iterable[Sequence[int]] = ()) -> dict[str, Ints]:
    """Rows of whole numbers as named columns."""
    listed = list(rows)
    table = np.array(listed, dtype=np.int64).reshape(len(listed), len(names))
    return {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(names)}


@dataclass(frozen=True)
class Facts:
    """Everything a run reads, beside plans and terms.

    shares: who has which part of a transaction. things: what it belongs to, most particular first, looked up among the
    holdings; where several people hold it, those on the plan, and of these the lowest rank. groupings: who is credited with whose credits (rule is an index into RULES). on_plan: who is on which plan
    when, cut to the days on which the plan is in force. as_of: the day on which it is looked up who is credited with a
    transaction, and owners: who owned it then, in which part and on which day last, for the ways (an index into
    CREDIT_DAYS) that are not the day of the transaction; it counts where there is nothing.
    """

    transactions: Transactions
    on_plan: Mapping[str, Ints]
    shares: Mapping[str, Ints] = field(default_factory=lambda: relation(SHARES))
    things: Mapping[str, Ints] = field(default_factory=lambda: relation(THINGS))
    holdings: Mapping[str, Ints] = field(default_factory=lambda: relation(HOLDINGS))
    groupings: Mapping[str, Ints] = field(default_factory=lambda: relation(GROUPINGS))
    as_of: Mapping[str, Ints] = field(default_factory=lambda: relation(AS_OF))
    owners: Mapping[str, Ints] = field(default_factory=lambda: relation(OWNERS))
    rates: RateTable = field(default_factory=lambda: RateTable(()))


@dataclass(frozen=True)
class Found:
    """A problem with the plan and person it is about; None is every plan, and nobody in particular."""

    problem: Problem
    plan: int | None = None
    person: int | None = None


@dataclass(frozen=True)
class RunNotes:
    """What a run has to say beside its rows.

    pinned: the rates of exchange of the conversions, each once.
    """

    periods: tuple[Period, ...]
    pinned: tuple[PinnedRate, ...]
    problems: tuple[Found, ...]
    curves: dict[tuple[int, int, int, int], Curve]


@dataclass(frozen=True)
class Run(RunNotes):
    """What a run came to, in columns.

    credits: transaction, person, rule (index into RULES), basis_points, plan, part (minor units of the transaction's
    currency), thing (what was held, or NONE), pinned (row of `pinned`, or NONE), amount (minor units of the plan's).
    lines: plan, component (index), transaction, person, rule, basis_points, credited (in the transaction's currency, or
    things), period (index into `periods`), measured (along the curve), before, after, pay_before, pay_after, amount,
    segment_before, segment_after (NONE without a curve), reversed (row of the transaction taken back, or NONE), since
    (the total from which pay is reckoned: 0, or where the period of pay began if a tier holds from then on only).
    """

    credits: dict[str, Ints]
    lines: dict[str, Ints]


def run(plans: Mapping[int, PlanDefinition], facts: Facts, terms: TermsOf) -> Run:
    """Credit the transactions and walk every credit along the curve of its person, component and period.

    Raises ColumnsError for columns that do not fit together and when a number leaves 64 bits; everything that a person
    can mend comes back as a problem and stops nothing else.
    """
    with open_calculator() as calculator:
        notes = run_in(calculator, plans, facts, terms)
        return Run(
            credits=_fetched(calculator.execute("SELECT * FROM run_credits ORDER BY plan, person, transaction, rule")),
            lines=_fetched(calculator.execute(_IN_ORDER)),
            periods=notes.periods,
            pinned=notes.pinned,
            problems=notes.problems,
            curves=notes.curves,
        )


def run_in(
    calculator: duckdb.DuckDBPyConnection, plans: Mapping[int, PlanDefinition], facts: Facts, terms: TermsOf
) -> RunNotes:
    """As `run`, in a calculator of the caller's, which keeps the tables run_credits and run_lines with the columns of Run.

    In no order; nothing else of the run is left in the calculator.
    """
    _check(facts.transactions)
    runner = _Runner(calculator, plans, facts, terms)
    notes = runner.run()
    runner.tidy()
    return notes


def _check(transactions: Transactions) -> None:
    columns = {
        name: getattr(transactions, name)
        for name in ("key", "kind", "day", "amount", "currency", "quantity", "owner", "reverses")
    } | {name: values.column for name, values in transactions.values.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise ColumnsError("The columns of the transactions differ in length.")
    if len(transactions) and np.any(np.diff(transactions.day) < 0):
        raise ColumnsError("The transactions are not in the order of their days.")


class _Runner:
    """One run: the tables in the calculator, and what was found so far."""

    def __init__(
        self,
        calculator: duckdb.DuckDBPyConnection,
        plans: Mapping[int, PlanDefinition],
        facts: Facts,
        terms: TermsOf,
    ) -> None:
        self.sql = calculator.execute
        self.calculator = calculator
        self.plans = plans
        self.facts = facts
        self.terms = terms
        self.problems: list[Found] = []
        self.curves: dict[tuple[int, int, int, int], Curve] = {}
        self.periods: dict[tuple[PeriodKind, date], int] = {}
        self.period_list: list[Period] = []
        self.pinned: dict[PinnedRate, int] = {}
        # The relations that are among the tables: only those that somebody asks for take time.
        self.related: set[str] = set()
        self.credit_tables: dict[tuple[tuple[CreditRule, ...], CreditDay, int, str], str] = {}
        self.is_held_together = _is_held_together(facts.holdings)
        # What can be counted: (plan, component) of each component whose formulas are sound.
        self.counted: list[tuple[int, int]] = []
        self.made: dict[tuple[int, int, Terms], Outcome[Curve]] = {}
        self.can_reverse = bool(np.any(facts.transactions.reverses >= 0))

    def run(self) -> RunNotes:
        self._register()
        for name, columns in _TABLES.items():
            self.sql(f"CREATE TEMP TABLE {name} ({columns})")
        for number, plan in self.plans.items():
            self._plan_credits(number, plan)
            for index, component in enumerate(plan.components):
                if self._count_rows(number, plan, index, component):
                    self.counted.append((number, index))
        self._no_values()
        self._measure()
        self._lines()
        self._nobody_credited()
        self._on_no_plan()
        return RunNotes(
            periods=tuple(self.period_list),
            pinned=tuple(self.pinned),
            problems=tuple(self.problems),
            curves=self.curves,
        )

    def tidy(self) -> None:
        """Leave nothing but the tables of the result."""
        self.sql("ALTER TABLE plan_credits RENAME TO run_credits")
        for kind, name in self.sql(
            """SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal
            UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary"""
        ).fetchall():
            if name not in ("run_credits", "run_lines"):
                self.sql(f"DROP {kind} IF EXISTS {name}")

    # --- Tables ---------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        transactions = self.facts.transactions
        count = len(transactions)
        rows = np.arange(count, dtype=np.int64)
        origin = np.where(transactions.reverses >= 0, transactions.reverses, rows)
        columns: dict[str, npt.NDArray[Any]] = {
            "row": rows,
            "kind": transactions.kind,
            "day": transactions.day,
            "amount": transactions.amount,
            "currency": transactions.currency,
            "quantity": transactions.quantity,
            "owner": transactions.owner,
            "reverses": transactions.reverses,
            "origin": origin,
            "origin_day": transactions.day[origin] if count else rows,
        }
        self.calculator.register("tx_columns", columns)
        self.sql("CREATE TEMP TABLE tx AS SELECT * FROM tx_columns")
        self._relate("on_plan")
        self._register_fields(rows)

    def _relate(self, *names: str) -> None:
        """Put relations of the facts among the tables, those that are not there yet."""
        for name in names:
            if name not in self.related:
                self.related.add(name)
                self.calculator.register(name, dict(getattr(self.facts, name)))

    def _register_fields(self, rows: Ints) -> None:
        """View `named`: for each row the fields that formulas ask for, as f_<name>, and the decimals of its currency."""
        transactions = self.facts.transactions
        self.fields = BUILT_IN | {
            name: formulas.Field(name, values.kind, values.label or name, values.decimals)
            for name, values in transactions.values.items()
        }
        if not any(component.when or component.amount for plan in self.plans.values() for component in plan.components):
            return
        asked = set().union(*(self._fields_asked(plan) for plan in self.plans.values()), ())
        exponents = np.array([exponent(currency) for currency in transactions.currencies] or [0], dtype=np.int64)
        columns: dict[str, npt.NDArray[Any]] = {
            "row": rows,
            "exponent": exponents[transactions.currency] if len(rows) else rows,
        }
        selected = ["row", "exponent"]
        built_in: dict[str, Callable[[], Values]] = {
            "amount": lambda: Values(formulas.Kind.MONEY, transactions.amount),
            "quantity": lambda: Values(formulas.Kind.NUMBER, transactions.quantity),
            "day": lambda: Values(formulas.Kind.DATE, transactions.day),
            "kind": lambda: _named(transactions.kinds, transactions.kind),
            "currency": lambda: _named(transactions.currencies, transactions.currency),
        }
        for name in sorted(asked):
            values = transactions.values[name] if name in transactions.values else built_in[name]()
            columns[f"v_{name}"] = values.column
            expression = f"v_{name}"
            if values.kind is formulas.Kind.DATE:
                expression = f"(DATE '0001-01-01' + ({expression} - 1)::INTEGER)"
            elif values.kind is formulas.Kind.BOOLEAN:
                expression = f"({expression} = 1)"
            if values.is_known is not None:
                columns[f"k_{name}"] = values.is_known
                expression = f"CASE WHEN k_{name} THEN {expression} END"
            selected.append(f"{expression} AS f_{name}")
        self.calculator.register("named_columns", columns)
        self.sql(f"CREATE TEMP VIEW named AS SELECT {', '.join(selected)} FROM named_columns")  # noqa: S608 - checked names

    def _fields_asked(self, plan: PlanDefinition) -> set[str]:
        found: set[str] = set()
        for component in plan.components:
            for text, wants in ((component.when, formulas.Kind.BOOLEAN), (component.amount, wants_of(component))):
                formula = formulas.check(text, self.fields, wants).value if text else None
                found |= set(formula.fields) if formula else set()
        return found

    def _columns(self, formula: formulas.Formula) -> dict[str, str]:
        return {name: f"named.f_{name}" for name in formula.fields}

    # --- Who is credited ------------------------------------------------------------------------------------------

    def _credits(self, rules: tuple[CreditRule, ...], number: int, totals: str) -> str:
        """The name of a table of credits of these rules for a plan and the totals (row, total) of a table.

        Plans share it as long as it depends on nothing of theirs.
        """
        way = self.plans[number].conventions.credit_day
        able = [rule for rule in direct_rules(rules) if self._may_find(rule)]
        of_plan = number if self.is_held_together and CreditRule.HOLDER in able else NONE
        known = self.credit_tables.get((rules, way, of_plan, totals))
        if known:
            return known
        name = f"credits_{len(self.credit_tables)}"
        self.credit_tables[rules, way, of_plan, totals] = name
        self._relate(*_asked_by((*able, *rules), way))
        self.sql(f"CREATE TEMP TABLE {name}_direct AS {_direct_sql(able, totals, way, of_plan)}")
        self.sql(f"CREATE TEMP TABLE {name}_parts AS {_parts_sql(f'{name}_direct', able, way)}")
        selects = []
        if any(rule.is_direct for rule in rules):
            selects.append(f"SELECT * FROM {name}_parts")  # noqa: S608
        if CreditRule.OVERLAY in rules:
            selects.append(_overlay_sql(totals, f"{name}_direct"))
        selects.extend(
            _grouped_sql(f"{name}_parts", rule, way) for rule in (CreditRule.ROLL_UP, CreditRule.POD) if rule in rules
        )
        kind = "VIEW" if len(selects) == 1 else "TABLE"
        self.sql(f"CREATE TEMP {kind} {name} AS {' UNION ALL '.join(selects)}")
        faults = [
            f"SELECT row, 'nobody' AS state FROM {totals} WHERE row NOT IN (SELECT row FROM {name}_direct)",  # noqa: S608
            f"SELECT DISTINCT row, state FROM {name}_direct WHERE state <> ''",  # noqa: S608
        ]
        if CreditRule.OVERLAY in rules:
            faults.append(
                f"""SELECT t.row, 'overlay' FROM {totals} t JOIN tx USING (row)
                JOIN shares s ON s.transaction = tx.origin AND s.is_overlay = 1
                WHERE s.basis_points NOT BETWEEN 1 AND {WHOLE_SHARE}"""  # noqa: S608
            )
        self.sql(f"CREATE TEMP VIEW {name}_faults AS {' UNION ALL '.join(faults)}")
        return name

    def _may_find(self, rule: CreditRule) -> bool:
        """Whether a direct rule has anything to look into: no time goes into those that have nothing."""
        if rule is CreditRule.SPLIT:
            return len(self.facts.shares["transaction"]) > 0
        return rule is CreditRule.OWNER or len(self.facts.holdings["thing"]) > 0

    def _plan_credits(self, number: int, plan: PlanDefinition) -> None:
        """The credits of a plan's people, in the currency of the plan."""
        self.sql("CREATE TEMP TABLE IF NOT EXISTS all_totals AS SELECT row, amount AS total FROM tx")
        for place, rules in enumerate(dict.fromkeys(component.crediting for component in plan.components)):
            table = self._credits(rules, number, "all_totals")
            again = (
                f""" AND NOT EXISTS (SELECT 1 FROM plan_credits o WHERE o.plan = {number} AND o.transaction = c.row
                    AND o.person = c.person AND o.rule = c.rule)"""  # noqa: S608 - a number made here
                if place
                else ""
            )
            converted = self._converted(number, plan, self._found(number, table, again), f"{table}_parts")
            self.sql(
                f"""INSERT INTO plan_credits
                SELECT transaction, person, rule, basis_points, {number}, part, thing, pinned, amount FROM {converted}"""  # noqa: S608 - a number made here
            )

    def _found(self, number: int, table: str, also: str = "") -> str:
        """The question for the credits of a table to people on the plan on the day."""
        return f"""SELECT c.row AS transaction, c.person, c.rule, c.basis_points, c.part, c.thing
            FROM {table} c JOIN tx USING (row)
            WHERE EXISTS (SELECT 1 FROM on_plan p WHERE p.plan = {number} AND p.person = c.person
                AND tx.origin_day >= p.start AND tx.origin_day < p.stop){also}"""  # noqa: S608 - numbers and names made here

    def _converted(self, number: int, plan: PlanDefinition, found: str, parts: str) -> str:
        """Where to select what a question finds, with the amount in the plan's currency at the pinned rate.

        parts: the table of all direct parts. Agreed shares of a transaction are converted together, also those of people
        on other plans, so that they add up to the converted whole.
        """
        currencies = self.facts.transactions.currencies
        if set(currencies) <= {plan.currency}:
            return f"(SELECT *, {NONE} AS pinned, part AS amount FROM ({found}))"  # noqa: S608 - made here
        self.sql(f"CREATE OR REPLACE TEMP TABLE found AS {found}")
        rows: list[tuple[int, int, int, int, int]] = []
        needed = self.sql(
            "SELECT DISTINCT tx.currency, tx.origin_day FROM found JOIN tx ON tx.row = found.transaction ORDER BY ALL"
        ).fetchall()
        for currency, day in needed:
            if currencies[currency] == plan.currency:
                rows.append((currency, day, NONE, 1, 1))
                continue
            rate = rate_for(plan, self.facts.rates, currencies[currency], date.fromordinal(day))
            if rate.value is None:
                self._about_rate(number, currency, day, rate.problems)
                continue
            if problem := so_far(rate.value):
                self._about_rate(number, currency, day, [problem])
            exact = rate.value.minor_fraction()
            place = self.pinned.setdefault(rate.value, len(self.pinned))
            rows.append((currency, day, place, exact.numerator, exact.denominator))
        names = ("currency", "day", "pinned", "numerator", "denominator")
        self.calculator.register("rates_found", relation(names, rows))
        self.sql(
            f"""CREATE OR REPLACE TEMP TABLE converted AS
            WITH together AS ({_together_sql(parts, plan.conventions.credit_day)})
            SELECT f.*, r.pinned, CASE WHEN r.numerator = 1 AND r.denominator = 1 THEN f.part
                WHEN t.amount IS NOT NULL THEN t.amount ELSE
                rounded(floor_div(f.part::HUGEINT * r.numerator, r.denominator::HUGEINT),
                    floor_rest(f.part::HUGEINT * r.numerator, r.denominator::HUGEINT), r.denominator::HUGEINT)
                END::BIGINT AS amount
            FROM found f JOIN tx ON tx.row = f.transaction
            JOIN rates_found r ON r.currency = tx.currency AND r.day = tx.origin_day
            LEFT JOIN together t ON t.row = f.transaction AND t.person = f.person AND t.rule = f.rule"""  # noqa: S608 - names made here
        )
        self.calculator.unregister("rates_found")
        return "converted"

    def _about_rate(self, number: int, currency: int, day: int, problems: Sequence[Problem]) -> None:
        people = self.sql(
            """SELECT DISTINCT found.person FROM found JOIN tx ON tx.row = found.transaction
            WHERE tx.currency = $currency AND tx.origin_day = $day ORDER BY ALL""",
            {"currency": currency, "day": day},
        ).fetchall()
        for (person,) in people:
            for problem in problems:
                self._note(Found(problem, number, person))

    # --- Along the curves -----------------------------------------------------------------------------------------

    def _count_rows(self, number: int, plan: PlanDefinition, index: int, component: Component) -> bool:
        """Put into `judged` what a component counts, and how much; False when a formula is wrong."""
        kinds = [place for place, kind in enumerate(self.facts.transactions.kinds) if kind in component.counts]
        counts = f"tx.kind IN ({', '.join(map(str, kinds))})" if kinds else "false"
        condition, total = "true", "tx.amount" if component.measure is Measure.MONEY else "tx.quantity"
        if component.when:
            when = formulas.check(component.when, self.fields)
            if when.value is None:
                return self._wrong_formula(number, component, "when", when.problems)
            text = when.value.sql(self._columns(when.value), "named.exponent")
            condition = text.expression if isinstance(text, formulas.SqlText) else "false"
        if component.amount:
            amount = formulas.check(component.amount, self.fields, wants_of(component))
            if amount.value is None:
                return self._wrong_formula(number, component, "amount", amount.problems)
            total = _total_sql(amount.value, self._columns(amount.value))
        left = ""
        earlier = [place for place in range(index) if plan.components[place].group == component.group]
        if component.group and earlier:
            left = f""" AND tx.row NOT IN (SELECT row FROM judged WHERE plan = {number} AND total IS NOT NULL
                AND component IN ({", ".join(map(str, earlier))}))"""  # noqa: S608 - numbers made here
        is_back = plan.is_moving_down and self.can_reverse
        if not (component.when or component.amount or is_back):
            self.sql(
                f"""INSERT INTO judged SELECT {number}, {index}, tx.row, {total} FROM tx
                WHERE tx.reverses < 0 AND {counts}{left}"""  # noqa: S608 - numbers made here
            )
            return True
        taken_back = "UNION ALL SELECT tx.row, own.is_true FROM tx JOIN own ON own.row = tx.reverses"
        named = " JOIN named USING (row)" if component.when or component.amount else ""
        self.sql(
            f"""INSERT INTO judged
            WITH own AS (
                SELECT tx.row, ({condition}) AS is_true FROM tx{named} WHERE tx.reverses < 0 AND {counts}{left}
            ), wanted AS (
                SELECT row, is_true FROM own {taken_back if is_back else ""}
            )
            SELECT {number}, {index}, w.row, CASE WHEN w.is_true THEN {total} END AS total
            FROM wanted w JOIN tx USING (row){named}
            WHERE w.is_true IS DISTINCT FROM false"""  # noqa: S608 - see formulas.sql
        )
        return True

    def _no_values(self) -> None:
        """Transactions for which a formula of a component gives no value, because of a blank or a division by zero."""
        rows = self.sql(
            """SELECT plan, component, row FROM judged WHERE total IS NULL
            QUALIFY row_number() OVER (PARTITION BY plan, component ORDER BY row) <= $most ORDER BY ALL""",
            {"most": MOST_NAMED},
        )
        for number, index, row in rows.fetchall():
            key = str(self.facts.transactions.key[row])
            component = self.plans[number].components[index]
            self._note(
                Found(
                    Problem.of(
                        "formula-without-value",
                        gettext_noop("A formula of %(component)s has no value for %(key)s, so it is not counted."),
                        where=key,
                        remedy=gettext_noop(
                            "Fill in what the formula asks for, or let it say what holds when it is blank or zero."
                        ),
                        component=component.name,
                        key=key,
                    ),
                    number,
                )
            )

    def _measure(self) -> None:
        """Table `measured`: the credits of every component, in the units that move along its curve."""
        plain: list[tuple[int, int]] = []
        for number, index in self.counted:
            plan = self.plans[number]
            component = plan.components[index]
            # Where another component tries other rules, the credits of the plan are not all this component's own.
            is_all_own = len({other.crediting for other in plan.components}) == 1
            if component.measure is Measure.MONEY and not component.amount and is_all_own:
                plain.append((number, index))
                continue
            counted = f"counted_{number}_{index}"
            self.sql(
                f"""CREATE TEMP TABLE {counted} AS SELECT row, total FROM judged
                WHERE plan = {number} AND component = {index} AND total IS NOT NULL"""  # noqa: S608 - numbers made here
            )
            own = self._credits(component.crediting, number, counted)
            table, amount = f"({self._found(number, own)})", "part"
            if component.measure is Measure.MONEY:
                table, amount = self._converted(number, plan, self._found(number, own), f"{own}_parts"), "amount"
            self.sql(
                f"""INSERT INTO measured
                SELECT {number}, {index}, transaction, person, rule, basis_points, part, {amount} FROM {table}"""  # noqa: S608 - made here
            )
        self.calculator.register("plain", relation(("plan", "component"), plain))
        self.sql(
            """INSERT INTO measured
            SELECT c.plan, j.component, c.transaction, c.person, c.rule, c.basis_points, c.part, c.amount
            FROM plan_credits c JOIN judged j ON j.row = c.transaction AND j.plan = c.plan
            JOIN plain p ON p.plan = j.plan AND p.component = j.component
            WHERE j.total IS NOT NULL"""
        )
        self.calculator.unregister("plain")

    def _wrong_formula(self, number: int, component: Component, name: str, problems: Sequence[Problem]) -> bool:
        for problem in problems:
            self._note(Found(replace(problem, where=f"{component.key}.{name}"), number))
        return False

    def _lines(self) -> None:
        """Table `run_lines`: every credit at its place on the way of its person, component and period, with what it moved along the curve."""
        ways: list[tuple[int, int, int, int, int, int]] = []
        kinds: dict[PeriodKind, int] = {}
        for number, index in self.counted:
            plan = self.plans[number]
            component = plan.components[index]
            kind = kinds.setdefault(component.period_kind or plan.period_kind, len(kinds))
            is_alone = component.scope is Scope.TRANSACTION
            is_rounded = plan.conventions.rounding is Rounding.PER_LINE
            paid_by = kinds.setdefault(plan.period_kind, len(kinds)) if plan.is_forward_only(component) else NONE
            ways.append((number, index, kind, is_alone, is_rounded, paid_by))
        is_forward = any(way[5] != NONE for way in ways)
        self.calculator.register(
            "ways", relation(("plan", "component", "kind", "is_alone", "per_line", "paid_by"), ways)
        )
        rows = np.arange(len(self.facts.transactions), dtype=np.int64)
        in_period = {f"period_{place}": self._periods_of(kind) for kind, place in kinds.items()}
        self.calculator.register("in_period", {"row": rows, **in_period})
        period = f"CASE w.kind {' '.join(f'WHEN {place} THEN i.period_{place}' for place in kinds.values())} END"
        period = period if kinds else str(NONE)
        paid_in = (
            period.replace("w.kind", "w.paid_by").replace(" END", f" ELSE {NONE} END") if is_forward else str(NONE)
        )
        self.sql(
            f"""CREATE TEMP VIEW walk AS
            SELECT m.*, {period} AS period, w.is_alone, w.per_line, {paid_in} AS paid_in
            FROM measured m JOIN in_period i ON i.row = m.transaction JOIN ways w USING (plan, component)"""  # noqa: S608 - names made here
        )
        groups = self.sql("SELECT DISTINCT plan, component, person, period FROM walk ORDER BY ALL").fetchall()
        column, numbers = curve_numbers([self._curve(*group) for group in groups])
        names = ("series", "plan", "component", "person", "period", "curve")
        series = [(place, *group, column[place]) for place, group in enumerate(groups)]
        self.calculator.register("series", relation(names, series))
        self.calculator.register("numbers", numbers)
        # One number for transaction and rule, and a short one for the series, are sorted in two thirds of the time.
        by_itself = ", CASE WHEN w.is_alone = 1 THEN w.transaction END, CASE WHEN w.is_alone = 1 THEN w.rule END"
        self.sql(
            f"""CREATE TEMP TABLE placed AS
            SELECT w.plan, w.component, w.transaction, w.person, w.rule, w.basis_points, w.part AS credited, w.period,
                w.amount AS measured, s.curve, w.amount, (sum(w.amount) OVER line)::BIGINT AS total,
                w.per_line = 1 AS per_line{", s.series, w.paid_in" if is_forward else ""}
            FROM walk w JOIN series s USING (plan, component, person, period)
            WINDOW line AS (PARTITION BY s.series::INTEGER{by_itself if any(way[3] for way in ways) else ""}
                ORDER BY w.transaction * {len(RULES)} + w.rule ROWS UNBOUNDED PRECEDING)"""  # noqa: S608 - names and numbers made here
        )
        if is_forward:
            self.sql(_SINCE)
        earned = earned_sql(self.calculator, numbers, per_line=any(way[4] for way in ways), is_shifted=is_forward)
        self.sql(f"CREATE TEMP TABLE run_lines AS {_LINES.format(earned=earned, since='since' if is_forward else '0')}")
        if self.can_reverse:
            self._take_back(period)
        for name in ("ways", "in_period", "series", "numbers"):
            self.calculator.unregister(name)

    def _periods_of(self, kind: PeriodKind) -> Ints:
        """For each transaction the index of its period of a kind; every period that the days touch gets one."""
        days = self.facts.transactions.day
        if not len(days):
            return np.zeros(0, dtype=np.int64)
        places, starts = [], []
        day = date.fromordinal(int(days[0]))
        while day.toordinal() <= int(days[-1]):
            period = period_of(day, kind)
            place = self.periods.setdefault((kind, period.start), len(self.period_list))
            if place == len(self.period_list):
                self.period_list.append(period)
            places.append(place)
            starts.append(period.start.toordinal())
            day = period.end
        return np.array(places, dtype=np.int64)[np.searchsorted(starts, days, side="right") - 1]

    def _curve(self, number: int, index: int, person: int, period: int) -> Curve | None:
        plan = self.plans[number]
        component = plan.components[index]
        terms = self.terms(number, component, person, self.period_list[period])
        outcome = self.made.get((number, index, terms))
        if outcome is None:
            # Many people have the same terms.
            outcome = self.made[number, index, terms] = curve_for(
                plan,
                component,
                quota=terms.quota,
                target_minor=terms.target_minor,
                personal_rate=terms.personal_rate,
            )
        for problem in outcome.problems:
            self._note(Found(problem, number, person))
        if outcome.value is not None:
            self.curves[number, index, person, period] = outcome.value
        return outcome.value

    # --- What is taken back ---------------------------------------------------------------------------------------

    def _take_back(self, period: str) -> None:
        """Add for each transaction taken back the lines that take back what its original earned.

        A part taken back takes that part of each line, rounded on the sum taken back so far, so that parts that make up
        the whole leave everybody at exactly nothing. The curve is not walked again: whoever was helped along it by the
        original stays there. Plans in which reversals move down the curve have counted them already.
        """
        negating = [(number,) for number, plan in self.plans.items() if not plan.is_moving_down]
        self.calculator.register("negating", relation(("plan",), negating))
        self.sql(f"INSERT INTO run_lines {_REVERSED.format(period=period)}")
        self.calculator.unregister("negating")

    # --- What was found wanting -----------------------------------------------------------------------------------

    def _note(self, found: Found) -> None:
        if found not in self.problems:
            self.problems.append(found)

    def _nobody_credited(self) -> None:
        """Transactions that count somewhere and for which the direct rules found nobody, or shares that are no whole."""
        keys = self.facts.transactions.key
        days = self.facts.transactions.day
        seen: set[int] = set()
        for (rules, way, of_plan, totals), table in self.credit_tables.items():
            if totals != "all_totals":
                continue
            asking = [
                (number, index)
                for number, index in self.counted
                if self.plans[number].components[index].crediting == rules
                and self.plans[number].conventions.credit_day is way
                and of_plan in (number, NONE)
            ]
            self.calculator.register("asking", relation(("plan", "component"), asking))
            rows = self.sql(
                f"""SELECT row, state FROM {table}_faults WHERE row IN (SELECT j.row FROM judged j
                    JOIN asking USING (plan, component) WHERE j.total IS NOT NULL) ORDER BY row"""  # noqa: S608
            ).fetchall()
            self.calculator.unregister("asking")
            for row, state in rows:
                if row not in seen:
                    seen.add(row)
                    if len(seen) <= MOST_NAMED:
                        day = date.fromordinal(int(days[row])).isoformat()
                        self._note(Found(_fault(str(keys[row]), day, state)))
        if len(seen) > MOST_NAMED:
            self._note(
                Found(
                    Problem.of(
                        "more-uncredited",
                        gettext_noop("Further transactions that credit nobody: %(count)s."),
                        remedy=gettext_noop("Mend those that are named, then calculate again."),
                        count=len(seen) - MOST_NAMED,
                    )
                )
            )

    def _on_no_plan(self) -> None:
        """People credited directly for something that counts while they were on no plan."""
        tables = [
            table for (_rules, _way, _plan, totals), table in self.credit_tables.items() if totals == "all_totals"
        ]
        if not tables:
            return
        every = " UNION ".join(f"SELECT row, person, rule FROM {table}" for table in tables)  # noqa: S608
        direct = ", ".join(str(RULES.index(rule)) for rule in RULES if rule.is_direct)
        credited = self.sql(f"SELECT DISTINCT person FROM ({every}) WHERE rule IN ({direct})").fetchall()  # noqa: S608 - names made here
        if {person for (person,) in credited} <= self._always_on_a_plan():
            return
        rows = self.sql(
            f"""SELECT c.person, count(DISTINCT c.row) FROM ({every}) c JOIN tx USING (row)
            WHERE c.rule IN ({direct}) AND c.row IN (SELECT row FROM judged WHERE total IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM on_plan p WHERE p.person = c.person
                AND tx.origin_day >= p.start AND tx.origin_day < p.stop)
            GROUP BY c.person ORDER BY c.person"""  # noqa: S608 - names made here
        ).fetchall()
        for person, count in rows:
            self._note(
                Found(
                    Problem.of(
                        "not-on-a-plan",
                        gettext_noop(
                            "Transactions that earn this person nothing, because they were on no plan on that day: %(count)s."
                        ),
                        where=f"person:{person}",
                        remedy=gettext_noop("Put them on a plan from the right day, then calculate again."),
                        count=count,
                    ),
                    None,
                    person,
                )
            )

    def _always_on_a_plan(self) -> set[int]:
        """People on one plan on all days of the transactions: nobody need look any further."""
        days, on_plan = self.facts.transactions.day, self.facts.on_plan
        if not len(days):
            return set()
        is_always = (on_plan["start"] <= days[0]) & (on_plan["stop"] > days[-1])
        return set(on_plan["person"][is_always].tolist())


def _fault(key: str, day: str, state: str) -> Problem:
    if state == "shares":
        return Problem.of(
            "shares-not-whole",
            gettext_noop("The shares of %(key)s do not add up to 100 %%, or name somebody twice."),
            where=key,
            remedy=gettext_noop("Shares must be above zero, name each person once and add up to 100 %%."),
            key=key,
        )
    if state == "holders":
        return Problem.of(
            "two-holders",
            gettext_noop("More than one person held what %(key)s belongs to on %(day)s, so it cannot be credited."),
            where=key,
            remedy=gettext_noop("Mend the overlap in who held it, or agree on shares."),
            key=key,
            day=day,
        )
    if state == "overlay":
        return Problem.of(
            "overlay-out-of-range",
            gettext_noop("An overlay share of %(key)s is not between 0 and 100 %%."),
            where=key,
            remedy=gettext_noop("Correct the overlay share."),
            key=key,
        )
    return Problem.of(
        "nobody-credited",
        gettext_noop("Nobody is credited for %(key)s of %(day)s."),
        where=key,
        remedy=gettext_noop("Give it an owner or shares, or say who held its account or territory on that day."),
        key=key,
        day=day,
    )


def _named(names: Sequence[str], column: Ints) -> Values:
    """A column of indexes as texts."""
    return Values(formulas.Kind.TEXT, np.array(names or ("",), dtype=object)[column])


def wants_of(component: Component) -> formulas.Kind:
    """What the formula of a component's amount must give."""
    return formulas.Kind.MONEY if component.measure is Measure.MONEY else formulas.Kind.NUMBER


def _total_sql(formula: formulas.Formula, columns: Mapping[str, str]) -> str:
    """The formula's amount in units of the measure, rounded once."""
    if formula.kind is formulas.Kind.MONEY:
        return formula.sql_minor(columns, "named.exponent")
    pair = formula.sql(columns, "named.exponent")
    if not isinstance(pair, formulas.SqlNumber):
        raise ColumnsError(f"{formula.text} is no number.")
    n, d = pair.numerator, pair.denominator
    return f"rounded(floor_div({n}, {d}), floor_rest({n}, {d}), {d})::BIGINT"


def _fetched(result: duckdb.DuckDBPyConnection) -> dict[str, Ints]:
    return {name: np.asarray(column, dtype=np.int64) for name, column in result.fetchnumpy().items()}


def targets_of(plan: PlanDefinition, target_minor: int | None) -> dict[str, int | None]:
    """A person's target pay, parted among the components by their weights; to the cent where the weights are a whole."""
    if target_minor is None:
        return {component.key: None for component in plan.components}
    weights = [component.weight for component in plan.components]
    if sum(weights) == 1:
        keys = [component.key for component in plan.components]
        return dict(zip(keys, split_by_largest_remainder(target_minor, weights, keys), strict=True))
    return {component.key: round_half_up(target_minor * component.weight) for component in plan.components}


# --- SQL ----------------------------------------------------------------------------------------------------------

# plan_credits: who is credited on a plan. judged: what a component counts, without a total where a formula gives none.
# measured: credits in the units of a component's curve.
_TABLES: Final = {
    "plan_credits": """transaction BIGINT, person BIGINT, rule BIGINT, basis_points BIGINT, plan BIGINT, part BIGINT,
        thing BIGINT, pinned BIGINT, amount BIGINT""",
    "judged": "plan BIGINT, component BIGINT, row BIGINT, total BIGINT",
    "measured": """plan BIGINT, component BIGINT, transaction BIGINT, person BIGINT, rule BIGINT, basis_points BIGINT,
        part BIGINT, amount BIGINT""",
}

_LINES: Final = f"""
SELECT plan, component, transaction, person, rule, basis_points, credited, period, measured, before, after, pay_before,
    pay_after, amount, segment_before, segment_after, {NONE} AS reversed, {{since}} AS since
FROM ({{earned}})
"""  # noqa: S608 - numbers made here

#: What is taken back comes after what was earned.
_IN_ORDER: Final = """SELECT * FROM run_lines
ORDER BY plan, component, reversed >= 0, transaction, person, rule"""

#: Where an earlier tier is not made up for, pay is reckoned from the total at which the period of pay began.
_SINCE: Final = f"""
CREATE OR REPLACE TEMP TABLE placed AS
SELECT * EXCLUDE (series, paid_in), CASE WHEN paid_in = {NONE} THEN 0 ELSE
    first_value(total - amount) OVER (PARTITION BY series, paid_in ORDER BY transaction, rule) END::BIGINT AS since
FROM placed
"""  # noqa: S608 - numbers made here

_REVERSED: Final = """
WITH back AS (
    SELECT b.row, b.reverses, b.day, abs(o.amount::HUGEINT) AS whole, abs(b.amount::HUGEINT) AS part,
        sum(abs(b.amount::HUGEINT)) OVER (PARTITION BY b.reverses ORDER BY b.row) AS upto
    FROM tx b JOIN tx o ON o.row = b.reverses
    WHERE o.amount <> 0
), taken AS (
    SELECT row, reverses, day, whole, least(upto, whole) AS upto, least(upto - part, whole) AS since FROM back
)
SELECT l.plan, l.component, t.row AS transaction, l.person, l.rule, l.basis_points,
    (prorated(l.credited, t.since, t.whole) - prorated(l.credited, t.upto, t.whole))::BIGINT AS credited,
    {period} AS period, 0 AS measured, l.after AS before, l.after, l.pay_after AS pay_before, l.pay_after,
    (prorated(l.amount, t.since, t.whole) - prorated(l.amount, t.upto, t.whole))::BIGINT AS amount,
    l.segment_after AS segment_before, l.segment_after, t.reverses AS reversed, l.since
FROM taken t JOIN run_lines l ON l.transaction = t.reverses AND l.reversed < 0
JOIN negating n ON n.plan = l.plan JOIN ways w ON w.plan = l.plan AND w.component = l.component
JOIN in_period i ON i.row = t.row
"""


def _asked_by(rules: Iterable[CreditRule], way: CreditDay) -> Iterator[str]:
    """The relations that rules look into."""
    for rule in rules:
        if rule in (CreditRule.SPLIT, CreditRule.OVERLAY):
            yield "shares"
        elif rule is CreditRule.HOLDER:
            yield from ("things", "holdings")
        elif rule in (CreditRule.ROLL_UP, CreditRule.POD):
            yield "groupings"
    if way is not CreditDay.TRANSACTION_DAY:
        yield from ("as_of", "owners")


def _as_of_sql(way: CreditDay) -> tuple[str, str]:
    """The day on which it is looked up who is credited with a row `x` of tx, and what to join for it."""
    if way is CreditDay.TRANSACTION_DAY:
        return "x.origin_day", ""
    code = CREDIT_DAYS.index(way)
    return "coalesce(a.day, x.origin_day)", f"LEFT JOIN as_of a ON a.transaction = x.origin AND a.way = {code}"


def _parted_rules(way: CreditDay) -> str:
    """The codes of the rules by which several people may be credited with parts of a transaction."""
    parted = [CreditRule.SPLIT, CreditRule.OWNER] if way is CreditDay.BY_DAYS else [CreditRule.SPLIT]
    return ", ".join(str(RULES.index(rule)) for rule in parted)


def _is_held_together(holdings: Mapping[str, Ints]) -> bool:
    """Whether anything is held by two people at the same time."""
    order = np.lexsort((holdings["start"], holdings["thing"]))
    thing, person, start, stop = (holdings[name][order] for name in ("thing", "person", "start", "stop"))
    if len(np.unique(person)) < 2:
        return False
    # The latest end so far of each thing: things are far apart, so that none reaches into the next.
    far = thing * (2 * EVER)
    latest = np.maximum.accumulate(stop + far)
    return bool(np.any((thing[1:] == thing[:-1]) & (start[1:] + far[1:] < latest[:-1])))


def _direct_sql(rules: Sequence[CreditRule], totals: str, way: CreditDay, plan: int = NONE) -> str:
    """Rows (row, total, person, rule, basis_points, thing, state) of the first direct rule that finds somebody.

    Of several holders of a thing the ones on the plan, if a plan is given and any are, then those of the lowest rank. Built from a fixed set of words: no text from outside comes into it.
    """
    day, joined = _as_of_sql(way)
    parts = [f"base AS (SELECT t.row, t.total, x.origin, {day} AS day FROM {totals} t JOIN tx x USING (row) {joined})"]  # noqa: S608
    earlier: list[str] = []
    for rule in rules:
        code = RULES.index(rule)
        left = "".join(f" AND b.row NOT IN (SELECT row FROM {name})" for name in earlier)  # noqa: S608
        if rule is CreditRule.SPLIT:
            parts.append(
                f"""by_split AS (
                SELECT b.row, b.total, s.person, {code} AS rule, s.basis_points, {NONE} AS thing,
                    CASE WHEN sum(s.basis_points) OVER e = {WHOLE_SHARE} AND min(s.basis_points) OVER e > 0
                        AND count(DISTINCT s.person) OVER e = count(*) OVER e THEN '' ELSE 'shares' END AS state
                FROM base b JOIN shares s ON s.transaction = b.origin AND s.is_overlay = 0
                WHERE true{left}
                WINDOW e AS (PARTITION BY b.row))"""  # noqa: S608
            )
        elif rule is CreditRule.OWNER and way is not CreditDay.TRANSACTION_DAY:
            parts.append(
                f"""by_owner AS (
                SELECT b.row, b.total, coalesce(w.person, o.owner) AS person, {code} AS rule,
                    coalesce(w.basis_points, {WHOLE_SHARE}) AS basis_points, {NONE} AS thing, '' AS state
                FROM base b JOIN tx o ON o.row = b.origin
                LEFT JOIN owners w ON w.transaction = b.origin AND w.way = {CREDIT_DAYS.index(way)}
                WHERE coalesce(w.person, o.owner) >= 0{left})"""  # noqa: S608
            )
        elif rule is CreditRule.OWNER:
            parts.append(
                f"""by_owner AS (
                SELECT b.row, b.total, o.owner AS person, {code} AS rule, {WHOLE_SHARE} AS basis_points,
                    {NONE} AS thing, '' AS state
                FROM base b JOIN tx o ON o.row = b.origin WHERE o.owner >= 0{left})"""  # noqa: S608
            )
        else:
            here = "0"
            if plan != NONE:
                here = f"""(EXISTS (SELECT 1 FROM on_plan p WHERE p.plan = {plan} AND p.person = h.person
                    AND x.origin_day >= p.start AND x.origin_day < p.stop))::BIGINT"""  # noqa: S608
            parts.append(
                f"""held AS (
                SELECT DISTINCT b.row, b.total, g.place, g.thing, h.person, h.rank, {here} AS is_here
                FROM base b JOIN tx x ON x.row = b.row JOIN things g ON g.transaction = b.origin
                JOIN holdings h ON h.thing = g.thing AND b.day >= h.start AND b.day < h.stop
                WHERE true{left}
            ), nearest AS (SELECT * FROM held QUALIFY place = min(place) OVER (PARTITION BY row)
            ), nearer AS (SELECT * FROM nearest QUALIFY is_here = max(is_here) OVER (PARTITION BY row)
            ), chosen AS (SELECT DISTINCT row, total, thing, person FROM nearer
                QUALIFY rank = min(rank) OVER (PARTITION BY row)
            ), by_holder AS (
                SELECT row, total, min(person) AS person, {code} AS rule, {WHOLE_SHARE} AS basis_points,
                    min(thing) AS thing, CASE WHEN count(*) = 1 THEN '' ELSE 'holders' END AS state
                FROM chosen GROUP BY row, total)"""  # noqa: S608
            )
        earlier.append(f"by_{rule.value}")
    if not earlier:
        return f"""SELECT row, total, {NOBODY} AS person, 0 AS rule, 0 AS basis_points, {NONE} AS thing, '' AS state
            FROM {totals} WHERE false"""  # noqa: S608
    union = " UNION ALL ".join(f"SELECT * FROM {name}" for name in earlier)  # noqa: S608
    return f"WITH {', '.join(parts)} {union}"


def _parts_sql(direct: str, rules: Sequence[CreditRule], way: CreditDay) -> str:
    """Rows (row, person, rule, basis_points, part, thing) of valid direct credits, split by largest remainder."""
    split = _parted_rules(way)
    whole = f"""
        SELECT row, person, rule, basis_points, total AS part, thing FROM {direct}
        WHERE state = '' AND rule NOT IN ({split})"""  # noqa: S608
    if CreditRule.SPLIT not in rules and way is not CreditDay.BY_DAYS:
        return whole
    return f"""{whole}
        UNION ALL
        SELECT row, person, rule, basis_points,
            (sign(total) * (whole + CASE WHEN place <= left_over THEN 1 ELSE 0 END))::BIGINT AS part, thing
        FROM (
            SELECT *, product // {WHOLE_SHARE} AS whole,
                row_number() OVER (PARTITION BY row ORDER BY product % {WHOLE_SHARE} DESC, person) AS place,
                abs(total::HUGEINT) - sum(product // {WHOLE_SHARE}) OVER (PARTITION BY row) AS left_over
            FROM (SELECT *, abs(total::HUGEINT) * basis_points AS product FROM {direct}
                WHERE state = '' AND rule IN ({split}))
        )"""  # noqa: S608


def _together_sql(parts: str, way: CreditDay) -> str:
    """Rows (row, person, rule, amount): shares, converted by largest remainder to the converted whole."""
    return f"""
        SELECT row, person, rule,
            (sign(part) * (whole + CASE WHEN place <= left_over THEN 1 ELSE 0 END))::BIGINT AS amount
        FROM (
            SELECT *, row_number() OVER (PARTITION BY row ORDER BY product % d DESC, person) AS place,
                rounded(floor_div(total, d), floor_rest(total, d), d) - sum(whole) OVER (PARTITION BY row) AS left_over
            FROM (
                SELECT *, product // d AS whole, sum(product) OVER (PARTITION BY row) AS total
                FROM (
                    SELECT p.row, p.person, p.rule, p.part, abs(p.part::HUGEINT) * r.numerator AS product,
                        r.denominator::HUGEINT AS d
                    FROM {parts} p JOIN tx USING (row)
                    JOIN rates_found r ON r.currency = tx.currency AND r.day = tx.origin_day
                    WHERE p.rule IN ({_parted_rules(way)}) AND r.pinned <> {NONE}
                        AND p.row IN (SELECT transaction FROM found)
                )
            )
        )"""  # noqa: S608 - names made here


def _overlay_sql(totals: str, direct: str) -> str:
    code = RULES.index(CreditRule.OVERLAY)
    return f"""
        SELECT t.row, s.person, {code} AS rule, s.basis_points,
            rounded(floor_div(t.total::HUGEINT * s.basis_points, {WHOLE_SHARE}::HUGEINT),
                floor_rest(t.total::HUGEINT * s.basis_points, {WHOLE_SHARE}::HUGEINT), {WHOLE_SHARE}::HUGEINT)::BIGINT
                AS part, {NONE} AS thing
        FROM {totals} t JOIN tx x USING (row) JOIN shares s ON s.transaction = x.origin AND s.is_overlay = 1
        WHERE s.basis_points BETWEEN 1 AND {WHOLE_SHARE}
        AND t.row IN (SELECT row FROM {direct} WHERE state = '')"""  # noqa: S608


def _grouped_sql(parts: str, rule: CreditRule, way: CreditDay) -> str:
    code = RULES.index(rule)
    day, joined = _as_of_sql(way)
    if way is not CreditDay.TRANSACTION_DAY:
        day = f"coalesce(w.day, {day})"
        joined += f""" LEFT JOIN owners w ON w.transaction = x.origin AND w.way = {CREDIT_DAYS.index(way)}
            AND w.person = p.person AND p.rule = {RULES.index(CreditRule.OWNER)}"""
    return f"""
        SELECT row, receiver AS person, {code} AS rule, sum(basis_points)::BIGINT AS basis_points,
            sum(part)::BIGINT AS part, {NONE} AS thing
        FROM (
            SELECT DISTINCT p.row, p.person, p.basis_points, p.part, g.receiver
            FROM {parts} p JOIN tx x USING (row) {joined}
            JOIN groupings g ON g.person = p.person AND g.rule = {code} AND {day} >= g.start AND {day} < g.stop
        ) GROUP BY row, receiver"""  # noqa: S608
