"""Transactions, quotas, rates and events as rows of texts, read for a run without a database."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import numpy as np

from salesops.commissions.rules.credits import WHOLE_SHARE, CreditRule
from salesops.commissions.rules.engine import (
    AS_OF,
    CREDIT_DAYS,
    EVER,
    GROUPINGS,
    NOBODY,
    NONE,
    ON_PLAN,
    OWNERS,
    RULES,
    SHARES,
    Facts,
    Transactions,
    Values,
    relation,
)
from salesops.commissions.rules.fields import BUILT_IN
from salesops.commissions.rules.ownership import Owned, credited_as_of
from salesops.commissions.rules.plans import DEFAULT_QUOTA, PlanDefinition, share_from_text
from salesops.commissions.rules.quotas import ALWAYS, OnPlan, QuotaRow
from salesops.commissions.rules.shapes import Measure
from salesops.values import formulas
from salesops.values.money import MoneyError, check_currency, to_minor
from salesops.values.outcomes import Problem, gettext_noop
from salesops.values.periods import PeriodError, parse_label
from salesops.values.rates import Rate, RateError, RateTable, exact_rate

Row = Mapping[str, str]

# The columns that are understood; every other column of the transactions becomes a field for formulas.
TRANSACTION_COLUMNS: Final = (
    "key", "kind", "date", "amount", "currency", "quantity", "person", "owners", "reached", "credits", "overlays", "reverses",
)  # fmt: skip
QUOTA_COLUMNS: Final = (
    "person", "plan", "quota_name", "period", "start", "end", "quota", "target", "rate", "ramp_from", "on_plan_from",
    "on_plan_until", "manager", "pod",
)  # fmt: skip
RATE_COLUMNS: Final = ("date", "base", "quote", "rate")

MOST_ROWS: Final = 3_000_000
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


class People:
    """Numbers for the names of people, in the order of the alphabet once all are known."""

    def __init__(self, names: Iterable[str]) -> None:
        """Number the names."""
        self.names = sorted(set(names))
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def __getitem__(self, name: str) -> int:
        """The number of a name."""
        return self._numbers[name]


@dataclass
class Read:
    """What was read, with everything that could not be."""

    people: People
    facts: Facts
    on_plan: list[OnPlan]
    quotas: list[QuotaRow]
    problems: list[Problem] = field(default_factory=list)


def read_tables(
    plans: Mapping[int, tuple[str, PlanDefinition]],
    transactions: Sequence[Row],
    quotas: Sequence[Row] = (),
    rates: Sequence[Row] = (),
    people: Iterable[str] = (),
) -> Read:
    """Facts for the engine from rows of texts by column.

    Without any quotas everybody who is named, also in `people`, is on every plan. Days are ISO days, amounts plain decimals in major
    units. Rows that cannot be read are left out and named with their line (the first row is line 2).
    """
    return _Reader(plans, transactions, quotas, rates, people).read()


class _Reader:
    def __init__(
        self,
        plans: Mapping[int, tuple[str, PlanDefinition]],
        transactions: Sequence[Row],
        quotas: Sequence[Row],
        rates: Sequence[Row],
        people: Iterable[str],
    ) -> None:
        self.plans = plans
        self.rows = transactions
        self.quota_rows = quotas
        self.rate_rows = rates
        self.others = set(people)
        self.owners: list[list[tuple[str, int]]] = []
        self.problems: list[Problem] = []
        self.currency = next(iter(plans.values()))[1].currency if plans else "USD"

    def read(self) -> Read:
        self._refuse_columns("quotas", self.quota_rows, QUOTA_COLUMNS)
        self._refuse_columns("rates", self.rate_rows, RATE_COLUMNS)
        splits = [
            (self._shares(row, line, "credits"), self._shares(row, line, "overlays"))
            for line, row in enumerate(self.rows, 2)
        ]
        names = self.others | {row.get("person", "").strip() for row in (*self.rows, *self.quota_rows)}
        names |= {row.get("manager", "").strip() for row in self.quota_rows}
        names |= {name for pair in splits for shares in pair for name, _points in shares}
        self.owners = [self._owners(row, line) for line, row in enumerate(self.rows, 2)]
        names |= {name for listed in self.owners for name, _since in listed}
        people = People(names - {""})
        transactions, order = self._transactions(people)
        as_of, owned = self._as_of(people, transactions, order)
        shares = [
            (place, people[name], points, is_overlay)
            for place, index in enumerate(order)
            for is_overlay, listed in enumerate(splits[index])
            for name, points in listed
        ]
        on_plan, quotas = self._quotas(people)
        facts = Facts(
            transactions=transactions,
            on_plan=relation(
                ON_PLAN,
                [(entry.plan, entry.person, entry.start.toordinal(), entry.end.toordinal()) for entry in on_plan],
            ),
            shares=relation(SHARES, shares),
            groupings=relation(GROUPINGS, self._groupings(people)),
            as_of=relation(AS_OF, as_of),
            owners=relation(OWNERS, owned),
            rates=self._rates(),
        )
        return Read(people, facts, on_plan, quotas, self.problems)

    # --- Transactions ---------------------------------------------------------------------------------------------

    def _transactions(self, people: People) -> tuple[Transactions, list[int]]:
        """The transactions in their order, and for each the index of the row it came from."""
        known: dict[str, int] = {}
        found: list[tuple[date, str, int, dict[str, Any]]] = []
        for line, row in enumerate(self.rows, 2):
            key = row.get("key", "").strip() or f"row {line}"
            if key in known:
                self._wrong("transactions", line, "key", key, gettext_noop("a key that no other row has"))
                continue
            known[key] = line
            day = self._day(row, line, "date", "transactions")
            currency = row.get("currency", "").strip() or self.currency
            amount = self._money(row, line, "amount", currency, "transactions")
            quantity = self._whole(row, line, "quantity", "transactions")
            if day is None or amount is None or quantity is None:
                continue
            owner = row.get("person", "").strip() or next((name for name, _since in self.owners[line - 2][-1:]), "")
            values: dict[str, Any] = {
                "kind": row.get("kind", "").strip() or "booking",
                "currency": currency,
                "amount": amount,
                "quantity": quantity,
                "owner": people[owner] if owner else NOBODY,
                "reverses": row.get("reverses", "").strip(),
            }
            found.append((day, key, line - 2, values))
        found.sort(key=lambda item: item[:2])
        places = {key: place for place, (_day, key, _index, _values) in enumerate(found)}
        reverses = [NONE] * len(found)
        for place, (_day, _key, index, values) in enumerate(found):
            if values["reverses"]:
                original = places.get(values["reverses"])
                if original is None or original == place or found[original][3]["reverses"]:
                    self._wrong(
                        "transactions",
                        index + 2,
                        "reverses",
                        values["reverses"],
                        gettext_noop("the key of another row"),
                    )
                else:
                    reverses[place] = original
        kinds, currencies = (tuple(sorted({values[name] for *_rest, values in found})) for name in ("kind", "currency"))

        def column(name: str) -> Any:
            return np.array([values[name] for *_rest, values in found], dtype=np.int64)

        order = [index for _day, _key, index, _values in found]
        return (
            Transactions(
                key=np.array([key for _day, key, _index, _values in found], dtype=object),
                kinds=kinds,
                kind=np.array([kinds.index(values["kind"]) for *_rest, values in found], dtype=np.int64),
                day=np.array([day.toordinal() for day, *_rest in found], dtype=np.int64),
                amount=column("amount"),
                currencies=currencies,
                currency=np.array([currencies.index(values["currency"]) for *_rest, values in found], dtype=np.int64),
                quantity=column("quantity"),
                owner=column("owner"),
                reverses=np.array(reverses, dtype=np.int64),
                values=self._fields(order),
            ),
            order,
        )

    def _fields(self, order: Sequence[int]) -> dict[str, Values]:
        """The other columns as fields: days, truths and numbers where every value is one, texts otherwise."""
        found: dict[str, Values] = {}
        for name in self.rows[0] if self.rows else ():
            if name in TRANSACTION_COLUMNS:
                continue
            if not _FIELD.fullmatch(name) or name in BUILT_IN:
                self._wrong(
                    "transactions", 1, name, name, gettext_noop("a-z, 0-9 and _, and not a word of the language")
                )
                continue
            found[name] = values_of([self.rows[index].get(name, "").strip() for index in order])
        return found

    def _owners(self, row: Row, line: int) -> list[tuple[str, int]]:
        """ "Ana 2026-03-01; Ben 2026-04-01" as names and the days since when, the first one that of opening."""
        owners: list[tuple[str, int]] = []
        for part in row.get("owners", "").split(";"):
            if not part.strip():
                continue
            person, _space, text = part.strip().rpartition(" ")
            try:
                since = date.fromisoformat(text).toordinal()
            except ValueError:
                since = 0
            if not person.strip() or since <= (owners[-1][1] if owners else 0):
                self._wrong("transactions", line, "owners", part.strip(), '"Ana 2026-03-01; Ben 2026-04-01"')
                continue
            owners.append((person.strip(), since))
        return owners

    def _as_of(
        self,
        people: People,
        transactions: Transactions,
        order: Sequence[int],
    ) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """As of which day, and to whom, transactions with owners in time are credited, by each way of a plan."""
        as_of: list[tuple[int, ...]] = []
        owned: list[tuple[int, ...]] = []
        ways = {plan.conventions.credit_day for _name, plan in self.plans.values()}
        for place, index in enumerate(order):
            listed, day = self.owners[index], int(transactions.day[place])
            if not listed:
                continue
            ends = [since for _name, since in listed[1:]] + [EVER]
            held = [Owned(people[name], since, end) for (name, since), end in zip(listed, ends, strict=True)]
            row, line = self.rows[index], index + 2
            reached = self._day(row, line, "reached", "transactions") if row.get("reached", "").strip() else None
            for way in ways:
                first, parts = credited_as_of(
                    way, held, day, opened=held[0].start, reached=reached.toordinal() if reached else None
                )
                code = CREDIT_DAYS.index(way)
                if first < day:
                    as_of.append((place, code, first))
                owned.extend((place, code, part.person, part.basis_points, part.last) for part in parts)
        return as_of, owned

    def _shares(self, row: Row, line: int, name: str) -> list[tuple[str, int]]:
        """ "Ana 60%; Ben 40%" as names and basis points."""
        shares: list[tuple[str, int]] = []
        for part in row.get(name, "").split(";"):
            if not part.strip():
                continue
            person, _space, text = part.strip().rpartition(" ")
            share = share_from_text(text)
            points = share * WHOLE_SHARE if share is not None else None
            if not person.strip() or points is None or points.denominator != 1:
                self._wrong("transactions", line, name, part.strip(), '"Ana 60%; Ben 40%"')
                continue
            shares.append((person.strip(), int(points)))
        return shares

    # --- People, quotas, rates ------------------------------------------------------------------------------------

    def _quotas(self, people: People) -> tuple[list[OnPlan], list[QuotaRow]]:
        if not self.quota_rows:
            everybody = [
                OnPlan(person, number, *ALWAYS) for number in self.plans for person in range(len(people.names))
            ]
            return everybody, []
        numbers = {name: number for number, (name, _plan) in self.plans.items()}
        quotas: dict[tuple[int, str, date, date, str], QuotaRow] = {}
        on_plan: dict[tuple[int, int, date, date], OnPlan] = {}
        for line, row in enumerate(self.quota_rows, 2):
            person_name, plan_name = row.get("person", "").strip(), row.get("plan", "").strip()
            if not person_name or (plan_name and plan_name not in numbers):
                name = "plan" if person_name else "person"
                self._wrong("quotas", line, name, row.get(name, ""), ", ".join(numbers) if person_name else "Ana")
                continue
            person = people[person_name]
            for number in (numbers[plan_name],) if plan_name else tuple(numbers.values()):
                plan = self.plans[number][1]
                span = self._span(row, line)
                if span is None:
                    break
                self._quota(row, line, person, plan, span, quotas)
                entry = self._on_plan(row, line, person, number, plan, span)
                on_plan.setdefault((number, person, entry.start, entry.end), entry)
        return _merged(list(on_plan.values())), list(quotas.values())

    def _quota(
        self,
        row: Row,
        line: int,
        person: int,
        plan: PlanDefinition,
        span: tuple[date, date],
        quotas: dict[tuple[int, str, date, date, str], QuotaRow],
    ) -> None:
        if not row.get("quota", "").strip():
            return
        name = row.get("quota_name", "").strip() or DEFAULT_QUOTA
        is_count = any(
            component.quota_name == name and component.measure is Measure.COUNT for component in plan.components
        )
        currency = "" if is_count else plan.currency
        amount = (
            self._whole(row, line, "quota", "quotas")
            if is_count
            else self._money(row, line, "quota", currency, "quotas")
        )
        if amount is not None:
            quotas[person, name, *span, currency] = QuotaRow(person, name, *span, amount, currency)

    def _on_plan(
        self, row: Row, line: int, person: int, number: int, plan: PlanDefinition, span: tuple[date, date]
    ) -> OnPlan:
        """On the plan for the span of the row, or from and until the days it names."""
        start = self._day(row, line, "on_plan_from", "quotas") if row.get("on_plan_from", "").strip() else None
        until = self._day(row, line, "on_plan_until", "quotas") if row.get("on_plan_until", "").strip() else None
        target = self._money(row, line, "target", plan.currency, "quotas") if row.get("target", "").strip() else None
        text = row.get("rate", "").strip()
        rate = share_from_text(text) if text else None
        if text and rate is None:
            self._wrong("quotas", line, "rate", text, '"1.2%"')
        ramp = self._day(row, line, "ramp_from", "quotas") if row.get("ramp_from", "").strip() else None
        return OnPlan(
            plan=number,
            person=person,
            start=max(span[0], start) if start else span[0],
            end=min(span[1], until) if until else span[1],
            target_minor=target,
            rate=rate,
            ramp_from=ramp,
        )

    def _span(self, row: Row, line: int) -> tuple[date, date] | None:
        label = row.get("period", "").strip()
        if label:
            try:
                period = parse_label(label)
            except PeriodError as error:
                self._wrong("quotas", line, "period", label, str(error))
                return None
            return period.start, period.end
        if not row.get("start", "").strip() and not row.get("end", "").strip():
            return ALWAYS
        start, end = self._day(row, line, "start", "quotas"), self._day(row, line, "end", "quotas")
        if start is None or end is None:
            return None
        if end <= start:
            self._wrong("quotas", line, "end", end.isoformat(), gettext_noop("a day after the start"))
            return None
        return start, end

    def _groupings(self, people: People) -> list[tuple[int, int, int, int, int]]:
        """Who is credited with whose credits, from the columns manager and pod, at all times."""
        manager = {
            row["person"].strip(): row["manager"].strip()
            for row in self.quota_rows
            if row.get("person", "").strip() and row.get("manager", "").strip()
        }
        pods: dict[str, set[str]] = {}
        for row in self.quota_rows:
            if row.get("person", "").strip() and row.get("pod", "").strip():
                pods.setdefault(row["pod"].strip(), set()).add(row["person"].strip())
        roll_up, pod = RULES.index(CreditRule.ROLL_UP), RULES.index(CreditRule.POD)
        found = []
        for person in manager:
            above, seen = manager.get(person), {person}
            while above and above not in seen:
                found.append((roll_up, people[person], people[above], 0, EVER))
                seen.add(above)
                above = manager.get(above)
        for members in pods.values():
            found.extend(
                (pod, people[person], people[receiver], 0, EVER)
                for person in sorted(members)
                for receiver in sorted(members)
            )
        return found

    def _rates(self) -> RateTable:
        rates = []
        for line, row in enumerate(self.rate_rows, 2):
            day = self._day(row, line, "date", "rates")
            try:
                if day is not None:
                    value = exact_rate(row.get("rate", "").strip())
                    rates.append(Rate(row.get("base", "").strip(), row.get("quote", "").strip(), day, value))
            except (RateError, MoneyError) as error:
                self._wrong("rates", line, "rate", row.get("rate", ""), str(error))
        try:
            return RateTable(rates)
        except RateError as error:
            self._wrong("rates", 1, "rate", "", str(error))
            return RateTable(())

    # --- Cells ----------------------------------------------------------------------------------------------------

    def _refuse_columns(self, table: str, rows: Sequence[Row], known: Sequence[str]) -> None:
        for name in rows[0] if rows else ():
            if name not in known:
                self._wrong(table, 1, name, name, ", ".join(known))

    def _day(self, row: Row, line: int, name: str, table: str) -> date | None:
        try:
            return date.fromisoformat(row.get(name, "").strip())
        except ValueError:
            self._wrong(table, line, name, row.get(name, ""), "2026-01-31")
            return None

    def _money(self, row: Row, line: int, name: str, currency: str, table: str) -> int | None:
        text = row.get(name, "").strip() or "0"
        try:
            return to_minor(text, check_currency(currency))
        except MoneyError:
            self._wrong(table, line, name, f"{text} {currency}", "1250.00")
            return None

    def _whole(self, row: Row, line: int, name: str, table: str) -> int | None:
        text = row.get(name, "").strip() or "1"
        if re.fullmatch(r"-?[0-9]{1,15}", text, re.ASCII):
            return int(text)
        self._wrong(table, line, name, text, "1")
        return None

    def _wrong(self, table: str, line: int, name: str, value: str, expected: str) -> None:
        self.problems.append(unreadable_cell(table, line, name, value, expected))


def unreadable_cell(table: str, line: int, name: str, value: str, expected: str) -> Problem:
    """A cell of a table that cannot be read, with its place; the first row is line 2."""
    return Problem.of(
        "cell-unreadable",
        gettext_noop("Line %(line)s of the %(table)s: %(value)s cannot be read in the column %(column)s."),
        where=f"{table}:{line}:{name}",
        remedy=gettext_noop("Expected: %(expected)s"),
        table=table,
        line=line,
        column=name,
        value=repr(value)[:80],
        expected=expected,
    )


def values_of(texts: Sequence[str]) -> Values:
    """A column of texts as the narrowest kind that all values that are not blank have."""
    known = np.array([bool(text) for text in texts], dtype=np.bool_)
    present = [text for text in texts if text]
    readers: tuple[tuple[formulas.Kind, Callable[[str], int | None]], ...] = (
        (formulas.Kind.BOOLEAN, lambda text: {"true": 1, "false": 0}.get(text.lower())),
        (formulas.Kind.DATE, _ordinal),
    )
    for kind, read in readers:
        numbers = [read(text) for text in present]
        if present and all(number is not None for number in numbers):
            return Values(kind, _spread(numbers, known), known)
    decimals = _decimals(present)
    if decimals is not None:
        numbers = [int(Decimal(text).scaleb(decimals)) for text in present]
        return Values(formulas.Kind.NUMBER, _spread(numbers, known), known, decimals)
    return Values(formulas.Kind.TEXT, np.array([text or None for text in texts], dtype=object))


def _ordinal(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() if len(text) == 10 else None
    except ValueError:
        return None


def _decimals(texts: Sequence[str]) -> int | None:
    """How many decimals the numbers have; None where something is no number or the numbers are too long."""
    most = 0
    for text in texts:
        if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", text, re.ASCII):
            return None
        most = max(most, len(text.partition(".")[2]))
    return most if texts else None


def _spread(numbers: Sequence[Any], known: Any) -> Any:
    column = np.zeros(len(known), dtype=np.int64)
    column[known] = numbers
    return column


def _merged(entries: list[OnPlan]) -> list[OnPlan]:
    """Entries that touch and agree, joined: a row a month is one time on the plan."""
    merged: list[OnPlan] = []
    for entry in sorted(entries, key=lambda item: (item.plan, item.person, item.start, item.end)):
        last = merged[-1] if merged else None
        if (
            last
            and (last.plan, last.person, last.target_minor, last.rate, last.ramp_from)
            == (entry.plan, entry.person, entry.target_minor, entry.rate, entry.ramp_from)
            and entry.start <= last.end
        ):
            merged[-1] = replace(last, end=max(last.end, entry.end))
        else:
            merged.append(entry)
    return merged
