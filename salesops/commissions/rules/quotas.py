"""What quota, target pay and rate hold for a person in a period: added up, prorated, ramped, rounded once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from salesops.commissions.rules.conventions import Proration, QuotaChange, RampRule
from salesops.commissions.rules.engine import Terms, targets_of
from salesops.commissions.rules.plans import Component, PlanDefinition, effective_quota
from salesops.commissions.rules.shapes import Measure
from salesops.values.outcomes import Problem, gettext_noop
from salesops.values.periods import Period, PeriodKind, period_of, periods_between

# The days of a quota that is set for every period of pay for which no other one is.
ALWAYS: Final = (date.min, date.max)


@dataclass(frozen=True)
class QuotaRow:
    """What a person is to reach on the days [start, end); at all times (`ALWAYS`): in every period of pay.

    name: which of the person's quotas it is. amount: minor units of `currency`, or whole things.
    """

    person: int
    name: str
    start: date
    end: date
    amount: int
    currency: str


@dataclass(frozen=True)
class OnPlan:
    """A person on a plan on the days [start, end), cut to the days on which the plan is in force.

    target_minor: target pay of a whole period of pay. rate: the share agreed with this person.
    ramp_from: the day on which their ramp begins; None where they are not ramping.
    """

    person: int
    plan: int
    start: date
    end: date
    target_minor: int | None = None
    rate: Fraction | None = None
    ramp_from: date | None = None


class TermsBook:
    """Looks up the terms of a person for a component and period; what is not as it should be is kept as a problem."""

    def __init__(
        self, plans: Mapping[int, PlanDefinition], people: Iterable[OnPlan], quotas: Iterable[QuotaRow]
    ) -> None:
        """Take the rows in any order."""
        self.plans = plans
        self.problems: dict[tuple[int, int], list[Problem]] = defaultdict(list)
        self._people: dict[tuple[int, int], list[OnPlan]] = defaultdict(list)
        for entry in people:
            self._people[entry.plan, entry.person].append(entry)
        for entries in self._people.values():
            entries.sort(key=lambda entry: entry.start)
        self._quotas: dict[tuple[int, str, str], list[QuotaRow]] = defaultdict(list)
        for row in quotas:
            self._quotas[row.person, row.name, row.currency].append(row)
        self._known: dict[tuple[int, str, int, Period], Terms] = {}
        self._quota_known: dict[tuple[int, str, bool, int, Period], tuple[int | None, Fraction]] = {}

    def __call__(self, number: int, component: Component, person: int, period: Period) -> Terms:
        """The terms; None for what is not known."""
        key = (number, component.key, person, period)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._looked_up(number, component, person, period)
        return found

    def _looked_up(self, number: int, component: Component, person: int, period: Period) -> Terms:
        plan = self.plans[number]
        entries = self._entries(number, person, period)
        if not entries:
            return Terms()
        # Components that share a quota share what is reckoned from it.
        key = (number, component.quota_name, component.measure is Measure.MONEY, person, period)
        if key not in self._quota_known:
            self._note_changes(number, person, entries)
            share = active_share(period, entries, plan.conventions.proration)
            ramp = ramp_share(plan, period, entries[-1].ramp_from)
            full = self.full_quota(plan, component, person, period)
            quota = None if full is None else effective_quota(full, active_share=share, ramp_share=ramp)
            self._quota_known[key] = quota, share
        quota, share = self._quota_known[key]
        target = targets_of(plan, entries[-1].target_minor)[component.key]
        if target is not None:
            target *= _periods_of_pay(plan, period)
        return Terms(
            quota=quota,
            target_minor=None if target is None else effective_quota(target, active_share=share),
            personal_rate=entries[-1].rate,
        )

    def active(self, number: int, person: int, period: Period) -> Fraction:
        """The part of the period on the plan, by the plan's convention."""
        return active_share(period, self._entries(number, person, period), self.plans[number].conventions.proration)

    def target(self, number: int, person: int, period: Period) -> int | None:
        """Target pay of a period of pay for the whole plan, prorated; None where none was agreed."""
        entries = self._entries(number, person, period)
        if not entries or entries[-1].target_minor is None:
            return None
        return effective_quota(entries[-1].target_minor, active_share=self.active(number, person, period))

    def _entries(self, number: int, person: int, period: Period) -> list[OnPlan]:
        return [
            entry for entry in self._people[number, person] if entry.start < period.end and entry.end > period.start
        ]

    def full_quota(self, plan: PlanDefinition, component: Component, person: int, period: Period) -> Fraction | None:
        """What lies within the period, added up: three months make a quarter. None where no quota was set.

        Where the plan says so, of several that lie within a period of pay only the latest or the first counts, taken to
        the whole of it. The quota that holds always counts for each period of pay for which there is no other.
        """
        currency = plan.currency if component.measure is Measure.MONEY else ""
        own = self._quotas[person, component.quota_name, currency]
        rows = [row for row in own if row.start >= period.start and row.end <= period.end]
        always = [row.amount for row in own if _is_always(row)]
        if not rows and not always:
            return None
        if len(rows) == 1 and not always and (rows[0].start, rows[0].end) == (period.start, period.end):
            return Fraction(rows[0].amount)
        total = Fraction(0)
        for part in periods_between(period.start, period.end, plan.period_kind):
            within = [row for row in rows if row.start >= part.start and row.end <= part.end]
            total += quota_within(part, within, plan.conventions.quota_change)
            rows = [row for row in rows if row not in within]
            if not within and not any(row.start < part.end and row.end > part.start for row in rows):
                total += sum(always)
        # What is set for longer than a period of pay counts as it is.
        return total + sum(row.amount for row in rows)

    def _note_changes(self, number: int, person: int, entries: Sequence[OnPlan]) -> None:
        if len({(entry.rate, entry.target_minor) for entry in entries}) > 1:
            problem = Problem.of(
                "terms-change-within-period",
                gettext_noop("The personal rate or target pay changes within the period; the last one was used."),
                where=f"person:{person}",
                remedy=gettext_noop(
                    "Let the change begin with a period, or put the person on another plan from that day."
                ),
            )
            if problem not in self.problems[number, person]:
                self.problems[number, person].append(problem)


def quota_within(period: Period, rows: Sequence[QuotaRow], change: QuotaChange) -> Fraction:
    """The quota of a period of pay from those that lie within it; exact.

    By days, each is for its own days, and they add up. The latest is the one that holds on the last of their days, of
    several the one that began last; the first is the one that holds on the first of them, of several the one that ends
    last. Several for the same days add up, as they do by days. It counts as if it had held in the whole period: in
    proportion of months where it is for whole ones, of days otherwise.
    """
    if change is QuotaChange.BY_DAYS or not rows:
        return Fraction(sum(row.amount for row in rows))
    if change is QuotaChange.LATEST:
        chosen = max(rows, key=lambda row: (row.end, row.start))
    else:
        chosen = min(rows, key=lambda row: (row.start, -row.end.toordinal()))
    amount = sum(row.amount for row in rows if (row.start, row.end) == (chosen.start, chosen.end))
    if chosen.start.day == 1 and chosen.end.day == 1:
        return Fraction(amount * _months(period.start, period.end), _months(chosen.start, chosen.end))
    return Fraction(amount * period.days, (chosen.end - chosen.start).days)


def _months(start: date, end: date) -> int:
    """Months from one first of a month to another."""
    return (end.year - start.year) * 12 + end.month - start.month


def active_share(period: Period, entries: Sequence[OnPlan], proration: Proration) -> Fraction:
    """The part of the period on the plan, by the plan's convention; 1 for the whole of it.

    By months, a month counts whole when the person is on the plan on any of its days.
    """
    if not entries:
        return Fraction(0)
    if proration is Proration.NONE:
        return Fraction(1)
    spans = [(max(entry.start, period.start), min(entry.end, period.end)) for entry in entries]
    if proration is Proration.MONTHS:
        months = list(periods_between(period.start, period.end, PeriodKind.MONTH))
        active = [month for month in months if any(start < month.end and end > month.start for start, end in spans)]
        return Fraction(len(active), len(months))
    if proration is Proration.WORKING_DAYS:
        whole = working_days(period.start, period.end)
        return Fraction(sum(working_days(start, end) for start, end in spans), whole) if whole else Fraction(0)
    return Fraction(sum((end - start).days for start, end in spans), period.days)


def working_days(start: date, end: date) -> int:
    """Mondays to Fridays among the days [start, end). Public holidays are not left out."""
    weeks, rest = divmod((end - start).days, 7)
    return weeks * 5 + sum((start + timedelta(days=index)).weekday() < 5 for index in range(rest))


def ramp_share(plan: PlanDefinition, period: Period, ramp_from: date | None) -> Fraction:
    """The part of the full quota in a period during the ramp: the mean over its months; 1 after the ramp or without.

    The plan's ramp lists the share of each month, the first being the month in which the person starts or the first
    full one, by the plan's convention. Months before the first have its share.
    """
    if not plan.ramp or ramp_from is None:
        return Fraction(1)
    first = period_of(ramp_from, PeriodKind.MONTH)
    if plan.conventions.ramp is RampRule.FIRST_FULL_MONTH and ramp_from != first.start:
        first = period_of(first.end, PeriodKind.MONTH)
    shares = []
    for month in periods_between(period.start, period.end, PeriodKind.MONTH):
        place = (month.start.year - first.start.year) * 12 + month.start.month - first.start.month
        shares.append(plan.ramp[max(place, 0)] if place < len(plan.ramp) else Fraction(1))
    return sum(shares, Fraction(0)) / len(shares)


def _is_always(row: QuotaRow) -> bool:
    return (row.start, row.end) == ALWAYS


def _periods_of_pay(plan: PlanDefinition, period: Period) -> int:
    """How many periods of pay the period holds: target pay is agreed for one of them."""
    return len(list(periods_between(period.start, period.end, plan.period_kind)))
