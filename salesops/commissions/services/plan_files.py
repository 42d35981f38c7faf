"""Plans as YAML files and tables as CSV files: read, calculated without a database row, and told as plain data."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import yaml

from salesops.commissions.rules.engine import RULES, Found, Run, run
from salesops.commissions.rules.examples import activation_problems
from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.history import PersonEvents, PersonPeriod, settle_run
from salesops.commissions.rules.planfile import plan_as_file, plan_from_file
from salesops.commissions.rules.plans import PlanDefinition, share_from_text
from salesops.commissions.rules.plantables import Read, read_tables, unreadable_cell
from salesops.commissions.rules.quotas import TermsBook
from salesops.commissions.rules.settlement.facts import Achieved, Adjustment, Collection, Occurrence
from salesops.commissions.rules.shapes import Measure
from salesops.values.money import MoneyError, plain, round_half_up, to_minor
from salesops.values.outcomes import Outcome, Problem, gettext_noop

MOST_BYTES: Final = 1_000_000
EVENT_COLUMNS: Final = (
    "type", "person", "plan", "date", "reference", "amount", "of", "share", "reason", "preparer", "approver",
)  # fmt: skip
EVENT_TYPES: Final = ("adjustment", "objective", "bonus", "payment", "team", "leaving")


class _Loader(yaml.BaseLoader):
    """Every scalar as it is written; no aliases (a small file could become an endless one), no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases."""
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("Aliases (*name) are not read; write it out.")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: the first one would be lost without a word."""
        keys = [self.construct_object(key, deep=True) for key, _value in node.value]
        for key in keys:
            if not isinstance(key, str) or keys.count(key) > 1:
                raise yaml.YAMLError(f"{key!r} stands twice, or is no name ({node.start_mark}).")
        return super().construct_mapping(node, deep=deep)


def read_plans(data: bytes) -> Outcome[list[tuple[str, str, PlanDefinition]]]:
    """The plans of a YAML or JSON file: one, or several under `plans`. Name, description, definition."""
    if len(data) > MOST_BYTES:
        return Outcome.bad(_unreadable("file", f"{len(data)}", f"1 - {MOST_BYTES}"))
    try:
        content = yaml.load(data.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - BaseLoader makes texts only
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        return Outcome.bad(_unreadable("file", str(error)[:300], "YAML, UTF-8"))
    listed = content["plans"] if isinstance(content, Mapping) and set(content) == {"plans"} else [content]
    if not isinstance(listed, list) or not listed:
        return Outcome.bad(_unreadable("plans", listed, "[1 - 100]"))
    found: list[tuple[str, str, PlanDefinition]] = []
    problems: list[Problem] = []
    for item in listed:
        outcome = plan_from_file(item)
        problems.extend(outcome.problems)
        if outcome.value:
            found.append(outcome.value)
    names = [name for name, _description, _plan in found]
    problems.extend(_unreadable("name", name, "...") for name in sorted(set(names)) if names.count(name) > 1)
    return Outcome.bad(*problems) if problems else Outcome.good(found)


def write_plan(name: str, description: str, plan: PlanDefinition) -> str:
    """The plan as a YAML file that `read_plans` reads back to the same plan."""
    return yaml.safe_dump(
        plan_as_file(name, description, plan), sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )


def read_rows(data: bytes) -> list[dict[str, str]]:
    """Rows of a CSV file (UTF-8, commas) by column. Raises ValueError for what is none.

    A row with more cells than there are columns is refused: a comma within an amount would cut it off.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        names = [name.strip() for name in reader.fieldnames or ()]
        if len(set(names)) < len(names):
            raise ValueError(f"A column stands twice: {', '.join(names)}")
        rows = []
        for row in reader:
            if None in row:
                raise ValueError(f"Line {reader.line_num} has more cells than the {len(names)} columns.")
            rows.append({name.strip(): value or "" for name, value in row.items()})
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return rows


def calculate_files(
    plans: Sequence[tuple[str, str, PlanDefinition]],
    transactions: Sequence[Mapping[str, str]],
    quotas: Sequence[Mapping[str, str]] = (),
    rates: Sequence[Mapping[str, str]] = (),
    events: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Credits, earnings and payouts as plain data: amounts in major units as texts, people by name."""
    numbered = {number: plan for number, (_name, _description, plan) in enumerate(plans)}
    named = {number: (name, plan) for number, (name, _description, plan) in enumerate(plans)}
    people = {row.get("person", "").strip() for row in events}
    read = read_tables(named, [*transactions], [*quotas], [*rates], people - {""})
    book = TermsBook(numbered, read.on_plan, read.quotas)
    result = run(numbered, read.facts, book)
    by_person = _Events(named, read).of(events)
    for entry in read.on_plan:
        settlement = numbered[entry.plan].settlement
        if settlement and settlement.draw:
            # A draw is paid to whoever is on the plan, also in periods in which nothing was sold.
            by_person.setdefault((entry.plan, entry.person), PersonEvents())
    periods, problems = settle_run(numbered, read.facts.transactions, result, book, by_person)
    teller = _Teller(named, read, result, book)
    return {
        "plans": [
            {
                "plan": name,
                "currency": plan.currency,
                "people": teller.people(number, [entry for entry in periods if entry.plan == number]),
            }
            for number, (name, plan) in named.items()
        ],
        "problems": [
            *({"plan": named[number][0], **_problem(problem)} for number, problem in _plan_problems(numbered)),
            *(_problem(problem) for problem in read.problems),
            *(teller.found(item) for item in (*result.problems, *problems)),
        ],
    }


def _plan_problems(plans: Mapping[int, PlanDefinition]) -> list[tuple[int, Problem]]:
    return [(number, problem) for number, plan in plans.items() for problem in activation_problems(plan)]


class _CellError(ValueError):
    """A cell of an event that cannot be read, and what would be."""

    def __init__(self, column: str, value: str, expected: str) -> None:
        super().__init__(value)
        self.column = column
        self.value = value
        self.expected = expected


class _Events:
    """Reads the rows of events."""

    def __init__(self, plans: Mapping[int, tuple[str, PlanDefinition]], read: Read) -> None:
        self.plans = plans
        self.read = read
        self.numbers = {name: number for number, (name, _plan) in plans.items()}

    def of(self, rows: Sequence[Mapping[str, str]]) -> dict[tuple[int, int], PersonEvents]:
        """By plan and person; problems are added to what was read."""
        found: dict[tuple[int, int], dict[str, Any]] = defaultdict(lambda: defaultdict(list))
        for name in rows[0] if rows else ():
            if name not in EVENT_COLUMNS:
                self.read.problems.append(unreadable_cell("events", 1, name, name, ", ".join(EVENT_COLUMNS)))
        for line, row in enumerate(rows, 2):
            try:
                person = self.read.people[_cell(row, "person", "Ana")]
                for number in self._plans_of(row):
                    name, value = self._event(row, line, self.plans[number][1])
                    found[number, person][name].append(value)
            except _CellError as error:
                self.read.problems.append(unreadable_cell("events", line, error.column, error.value, error.expected))
        return {
            key: PersonEvents(
                adjustments=tuple(values["adjustments"]),
                achieved=tuple(values["achieved"]),
                occurrences=tuple(values["occurrences"]),
                payments=tuple(sorted(values["payments"], key=lambda item: item[0])),
                team=tuple(sorted(values["team"])),
                leaves_on=min(values["leaving"], default=None),
            )
            for key, values in found.items()
        }

    def _plans_of(self, row: Mapping[str, str]) -> list[int]:
        name = row.get("plan", "").strip()
        if name and name not in self.numbers:
            raise _CellError("plan", name, ", ".join(self.numbers))
        return [self.numbers[name]] if name else list(self.numbers.values())

    def _event(self, row: Mapping[str, str], line: int, plan: PlanDefinition) -> tuple[str, Any]:
        kind = row.get("type", "").strip()
        if kind not in EVENT_TYPES:
            raise _CellError("type", kind, ", ".join(EVENT_TYPES))
        day = _day(row)
        if kind == "leaving":
            return "leaving", day
        if kind == "team":
            return "team", (day, _share(row))
        terms = plan.settlement
        if kind == "bonus":
            bonus = _named(row, [item.key for item in terms.bonuses] if terms else [])
            return "occurrences", Occurrence(bonus, f"{bonus} {line}", day)
        if kind == "objective":
            objective = _named(row, [item.key for item in terms.objectives] if terms else [])
            return "achieved", (day, Achieved(objective, _share(row)))
        amount = _amount(row, "amount", plan.currency)
        if kind == "payment":
            reference = _cell(row, "reference", "D-1")
            return "payments", (day, Collection(reference, amount, _amount(row, "of", plan.currency)))
        reference = row.get("reference", "").strip() or f"adjustment {line}"
        words = (_cell(row, name, "...") for name in ("reason", "preparer", "approver"))
        return "adjustments", (day, Adjustment(reference, amount, *words))


def _cell(row: Mapping[str, str], name: str, expected: str) -> str:
    text = row.get(name, "").strip()
    if not text:
        raise _CellError(name, text, expected)
    return text


def _named(row: Mapping[str, str], keys: Sequence[str]) -> str:
    text = row.get("reference", "").strip()
    if text not in keys:
        raise _CellError("reference", text, ", ".join(keys) or "-")
    return text


def _day(row: Mapping[str, str]) -> date:
    text = row.get("date", "").strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _CellError("date", text, "2026-01-31") from None


def _share(row: Mapping[str, str]) -> Fraction:
    text = row.get("share", "").strip()
    share = share_from_text(text)
    if share is None:
        raise _CellError("share", text, "80%")
    return share


def _amount(row: Mapping[str, str], name: str, currency: str) -> int:
    text = row.get(name, "").strip()
    try:
        return to_minor(text, currency)
    except MoneyError:
        raise _CellError(name, text, "1250.00") from None


class _Teller:
    """Turns columns into plain data."""

    def __init__(
        self, plans: Mapping[int, tuple[str, PlanDefinition]], read: Read, result: Run, book: TermsBook
    ) -> None:
        self.plans = plans
        self.read = read
        self.result = result
        self.book = book
        self.lines = {name: column.tolist() for name, column in result.lines.items()}

    def people(self, number: int, periods: Sequence[PersonPeriod]) -> list[dict[str, Any]]:
        """Each person's periods in which there is something to tell."""
        told: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in periods:
            if entry.rows or (entry.settled and entry.settled.lines):
                told[entry.person].append(self._period(number, entry))
        return [
            {
                "person": self.read.people.names[person],
                "earned": self._money(number, sum(item["_earned"] for item in items)),
                "payout": self._money(number, sum(item["_payout"] for item in items)),
                "periods": [
                    {name: value for name, value in item.items() if not name.startswith("_")} for item in items
                ],
            }
            for person, items in sorted(told.items())
        ]

    def _period(self, number: int, entry: PersonPeriod) -> dict[str, Any]:
        earned = sum(self.lines["amount"][row] for row in entry.rows)
        settled = entry.settled
        payout = settled.payout_minor if settled else 0
        return {
            "period": entry.period.label,
            "_earned": earned,
            "_payout": payout,
            "earned": self._money(number, earned),
            "payout": self._money(number, payout),
            "components": self._components(number, entry),
            "lines": [self._line(number, row) for row in entry.rows],
            "settlement": [
                {
                    "kind": item.kind.value,
                    "component": item.component,
                    "reference": item.reference,
                    "amount": self._money(number, item.amount_minor),
                    "why": item.text(),
                }
                for item in (settled.lines if settled else ())
            ],
            "owed": self._money(number, settled.owed_minor if settled else 0),
            "carried_forward": self._money(number, settled.carried.brought_forward_minor if settled else 0),
            "draw_owed": self._money(number, settled.carried.owed_minor if settled else 0),
            "held": self._money(number, settled.carried.held_minor if settled else 0),
        }

    def _components(self, number: int, entry: PersonPeriod) -> list[dict[str, Any]]:
        plan = self.plans[number][1]
        found = []
        for index, component in enumerate(plan.components):
            rows = [row for row in entry.rows if self.lines["component"][row] == index]
            if not rows:
                continue
            reached = max(rows, key=lambda row: (self.lines["period"][row], self.lines["transaction"][row]))
            terms = self.book(number, component, entry.person, self.result.periods[self.lines["period"][reached]])
            measured = sum(self.lines["measured"][row] for row in rows)
            total = self.lines["after"][reached]
            found.append(
                {
                    "component": component.key,
                    "credited": self._measure(number, component.measure, measured),
                    "reached": self._measure(number, component.measure, total),
                    "quota": None if terms.quota is None else self._measure(number, component.measure, terms.quota),
                    "attainment": _percent(total, terms.quota) if terms.quota else None,
                    "earned": self._money(number, sum(self.lines["amount"][row] for row in rows)),
                }
            )
        return found

    def _line(self, number: int, row: int) -> dict[str, Any]:
        plan = self.plans[number][1]
        index = self.lines["component"][row]
        component = plan.components[index]
        transactions = self.read.facts.transactions
        place, reversed_row = self.lines["transaction"][row], self.lines["reversed"][row]
        before, after, since = (self.lines[name][row] for name in ("before", "after", "since"))
        curve = self.result.curves.get((number, index, self.lines["person"][row], self.lines["period"][row]))
        told: dict[str, Any] = {
            "transaction": str(transactions.key[place]),
            "day": date.fromordinal(int(transactions.day[place])).isoformat(),
            "component": component.key,
            "rule": RULES[self.lines["rule"][row]].value,
            "share": f"{Decimal(self.lines['basis_points'][row]) / 100:f}%",
            "measured": self._measure(number, component.measure, self.lines["measured"][row]),
            "before": self._measure(number, component.measure, before),
            "after": self._measure(number, component.measure, after),
            "worth_before": self._money(number, self.lines["pay_before"][row]),
            "worth_after": self._money(number, self.lines["pay_after"][row]),
            "earned": self._money(number, self.lines["amount"][row]),
        }
        if reversed_row >= 0:
            told["takes_back"] = str(transactions.key[reversed_row])
        elif curve:
            told["parts"] = [
                {
                    "kind": piece.kind,
                    "from": exact_text(self._major(number, component.measure, piece.x_from), 6),
                    "to": exact_text(self._major(number, component.measure, piece.x_to), 6),
                    "rate": exact_text(piece.rate, 12),
                    "amount": exact_text(self._major(number, Measure.MONEY, piece.amount), 6),
                }
                for piece in (curve.since(since) if since else curve).stretch(before, after)
            ]
        return told

    def found(self, item: Found) -> dict[str, Any]:
        """A problem with the names of its plan and person."""
        about = {}
        if item.plan is not None:
            about["plan"] = self.plans[item.plan][0]
        if item.person is not None:
            about["person"] = self.read.people.names[item.person]
        return about | _problem(item.problem)

    def _money(self, number: int, minor: int) -> str:
        return plain(minor, self.plans[number][1].currency)

    def _measure(self, number: int, measure: Measure, units: int) -> str:
        return self._money(number, units) if measure is Measure.MONEY else str(units)

    def _major(self, number: int, measure: Measure, units: Fraction) -> Fraction:
        currency = self.plans[number][1].currency
        return units * Fraction(plain(1, currency)) if measure is Measure.MONEY else units


def _percent(part: int, whole: int) -> str:
    """Per cent with two decimals."""
    return f"{Decimal(round_half_up(part * 10_000, whole)) / 100:.2f}%"


def _problem(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "where": problem.where, "message": problem.text(), "remedy": problem.remedy_text()}


def _unreadable(where: str, value: object, expected: str) -> Problem:
    return Problem.of(
        "plan-unreadable",
        gettext_noop("%(value)s cannot be read here."),
        where=where,
        remedy=gettext_noop("Expected: %(expected)s"),
        value=str(value)[:300],
        expected=expected,
    )
