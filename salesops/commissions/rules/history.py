"""From what a run earned to what each person is paid, period after period."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction

import numpy as np

from salesops.commissions.rules.engine import Found, Run, Transactions
from salesops.commissions.rules.plans import PlanDefinition
from salesops.commissions.rules.quotas import TermsBook
from salesops.commissions.rules.settlement.facts import (
    Achieved,
    Adjustment,
    Carried,
    Collection,
    Earning,
    Occurrence,
    PeriodInput,
    Reversal,
    Settled,
    SettledPart,
    outstanding,
)
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import ReleaseKind, Terms
from salesops.values.periods import Period, period_of


@dataclass(frozen=True)
class PersonEvents:
    """What is known of a person on a plan beside their earnings, each with its day."""

    adjustments: tuple[tuple[date, Adjustment], ...] = ()
    achieved: tuple[tuple[date, Achieved], ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    payments: tuple[tuple[date, Collection], ...] = ()
    team: tuple[tuple[date, Fraction], ...] = ()
    leaves_on: date | None = None


@dataclass
class PersonPeriod:
    """A person's period on a plan: rows of the run's lines that fall into it, and what was settled.

    target_minor: target pay of the period; active_share: the part of it on the plan. settled is None where it could
    not be told.
    """

    plan: int
    person: int
    period: Period
    rows: list[int] = field(default_factory=list)
    target_minor: int | None = None
    active_share: Fraction = Fraction(1)
    settled: Settled | None = None


def settle_run(
    plans: Mapping[int, PlanDefinition],
    transactions: Transactions,
    run: Run,
    book: TermsBook,
    events: Mapping[tuple[int, int], PersonEvents],
) -> tuple[list[PersonPeriod], list[Found]]:
    """Every period of every person from the first in which something happens to the last, settled in order.

    The last is that of the last day on which anything happens or, where something is still held then, on which it is
    due. events: by plan and person; whoever is among them is settled even where nothing was earned. Returns the periods
    by plan, person and day, and what could not be told.
    """
    problems: list[Found] = []
    rows = _rows_by_person(run)
    days = _days(transactions, events)
    found: list[PersonPeriod] = []
    for number, person in sorted(rows.keys() | events.keys()):
        if number not in plans or not days:
            continue
        history = _History(number, plans[number], person, transactions, run, book)
        found.extend(
            history.periods(rows.get((number, person), []), events.get((number, person), PersonEvents()), days)
        )
        problems.extend(history.problems)
    return found, problems


def _rows_by_person(run: Run) -> dict[tuple[int, int], list[int]]:
    order = np.lexsort((run.lines["transaction"], run.lines["person"], run.lines["plan"]))
    rows: dict[tuple[int, int], list[int]] = defaultdict(list)
    plans, people = run.lines["plan"][order].tolist(), run.lines["person"][order].tolist()
    for place, plan, person in zip(order.tolist(), plans, people, strict=True):
        rows[plan, person].append(place)
    return dict(rows)


def _days(transactions: Transactions, events: Mapping[tuple[int, int], PersonEvents]) -> tuple[date, date] | None:
    """The first and the last day on which anything happens."""
    days = [date.fromordinal(int(day)) for day in transactions.day[[0, -1]]] if len(transactions) else []
    for item in events.values():
        days.extend(day for day, _value in (*item.adjustments, *item.achieved, *item.payments, *item.team))
        days.extend(occurrence.day for occurrence in item.occurrences)
        days.extend(day for day in (item.leaves_on,) if day is not None)
    return (min(days), max(days)) if days else None


class _History:
    """One person on one plan."""

    def __init__(
        self,
        number: int,
        plan: PlanDefinition,
        person: int,
        transactions: Transactions,
        run: Run,
        book: TermsBook,
    ) -> None:
        self.number = number
        self.plan = plan
        self.person = person
        self.transactions = transactions
        self.run = run
        self.book = book
        self.problems: list[Found] = []
        self.parts: dict[tuple[str, str], list[SettledPart]] = defaultdict(list)

    def periods(self, rows: Iterable[int], events: PersonEvents, days: tuple[date, date]) -> list[PersonPeriod]:
        """The periods in order, each handing on to the next.

        They go on after the last day, and after somebody has left, as long as something is held that will be due.
        """
        by_start: dict[date, list[int]] = defaultdict(list)
        for row in rows:
            by_start[self._period_of_row(row).start].append(row)
        terms = self.plan.settled_by
        carried = Carried(self.plan.currency)
        found: list[PersonPeriod] = []
        period = period_of(days[0], self.plan.period_kind)
        while period.start <= max(days[1], _last_release(carried)):
            is_gone = events.leaves_on is not None and events.leaves_on < period.start
            on_plan = self.book.active(self.number, self.person, period)
            target = self.book.target(self.number, self.person, period) if on_plan else 0
            share = Fraction(0) if is_gone else on_plan
            entry = PersonPeriod(self.number, self.person, period, by_start[period.start], target, share)
            given = self._given(entry, events)
            # Nothing is earned any more: what was promised before is released, and nothing is given on top of it.
            is_release_only = not _is_anything(given) and (not share or period.start > days[1])
            is_left = bool(carried.held) if is_gone else _is_anything_left(carried)
            period = period_of(period.end, self.plan.period_kind)
            if is_release_only and not is_left:
                continue
            given = replace(given, active_share=Fraction(0)) if is_release_only else given
            outcome = settle(given, _release_only(terms) if is_release_only else terms, carried)
            self.problems.extend(Found(problem, self.number, self.person) for problem in outcome.problems)
            is_after = is_gone or entry.period.start > days[1]
            if is_release_only and is_after and outcome.value is not None and not outcome.value.lines:
                continue
            found.append(entry)
            if outcome.value is None:
                break
            entry.settled = outcome.value
            carried = outcome.value.carried
            for part in outcome.value.parts:
                self.parts[part.component, part.reference].append(part)
        return found

    def _period_of_row(self, row: int) -> Period:
        day = int(self.transactions.day[self.run.lines["transaction"][row]])
        return period_of(date.fromordinal(day), self.plan.period_kind)

    def _given(self, entry: PersonPeriod, events: PersonEvents) -> PeriodInput:
        earnings: list[Earning] = []
        reversals: list[Reversal] = []
        for row in entry.rows:
            self._add(row, entry.period, earnings, reversals)
        period = entry.period
        paid: dict[str, Collection] = {}
        for day, item in events.payments:
            if day < period.end:
                before = paid.get(item.reference)
                sum_paid = item.paid_minor + (before.paid_minor if before else 0)
                paid[item.reference] = Collection(item.reference, sum_paid, item.invoice_minor)
        team = [share for day, share in events.team if period.holds(day)]
        return PeriodInput(
            period=period,
            year=str(period.start.year),
            earnings=tuple(earnings),
            reversals=tuple(reversals),
            achieved=tuple(item for day, item in events.achieved if period.holds(day)),
            occurrences=tuple(item for item in events.occurrences if period.holds(item.day)),
            collections=tuple(paid[key] for key in sorted(paid)),
            adjustments=tuple(item for day, item in events.adjustments if period.holds(day)),
            target_minor=entry.target_minor,
            team_attainment=team[-1] if team else None,
            active_share=entry.active_share,
            is_leaving=events.leaves_on is not None and events.leaves_on < period.end,
        )

    def _add(self, row: int, period: Period, earnings: list[Earning], reversals: list[Reversal]) -> None:
        """A line as an earning; what takes back something settled in an earlier period as a reversal of it."""
        lines, keys = self.run.lines, self.transactions.key
        component = self.plan.components[int(lines["component"][row])].key
        place, amount = int(lines["transaction"][row]), int(lines["amount"][row])
        key, day = str(keys[place]), date.fromordinal(int(self.transactions.day[place]))
        original = int(self.transactions.reverses[place])
        reversed_key = str(keys[original]) if original >= 0 else ""
        is_negated = int(lines["reversed"][row]) >= 0
        if is_negated and not period.holds(date.fromordinal(int(self.transactions.day[original]))):
            parts = self.parts.get((component, reversed_key))
            left = outstanding(tuple(parts)) if parts else None
            if left and left.earned_minor and amount:
                same = [item for item in reversals if item.original == left]
                if abs(sum(item.amount_minor for item in same) + amount) <= abs(left.earned_minor):
                    # Somebody credited twice for the same, as owner and by an overlay say, gives it back as one.
                    twin = next((item for item in same if item.reference == key), None)
                    if twin:
                        reversals.remove(twin)
                        amount += twin.amount_minor
                    reversals.append(Reversal(key, day, amount, left))
                    return
        earnings.append(Earning(component, key, day, amount, reversed_key))


def _release_only(terms: Terms) -> Terms:
    """The terms for a period in which nothing can be earned: no objective, floor, team or draw speaks in it."""
    return replace(terms, objectives=(), bonuses=(), multiplier=None, limits=(), draw=None)


def _last_release(carried: Carried) -> date:
    """The last day on which something held is due by itself; the first of all days where nothing is.

    What waits for a payment is due on no day of its own.
    """
    days = [date.min]
    for part in carried.held:
        if part.release.kind is ReleaseKind.HOLD:
            days.append(part.day + timedelta(part.release.days))
        days.extend(part.day + timedelta(instalment.days) for instalment in part.release.parts)
    return max(days)


def _is_anything_left(carried: Carried) -> bool:
    """Whether something is held, owed or to be taken back."""
    return bool(carried.held or carried.draws or carried.brought_forward_minor)


def _is_anything(given: PeriodInput) -> bool:
    """Whether anything happened in the period."""
    return any((given.earnings, given.reversals, given.achieved, given.occurrences, given.adjustments))
