"""Calculates a period: transactions to credits, credits to earnings, earnings to draft statements."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import PeriodState, StatementState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Calculation, Credit, Earning, Period, PlanVersion, Statement
from salesops.commissions.rules.credits import CreditRule
from salesops.commissions.rules.engine import NONE, RULES, Run, run
from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.plans import curve_for, digest_of
from salesops.commissions.selectors.facts import PeriodFacts, facts_of
from salesops.commissions.services.transactions import sync_bookings
from salesops.core.actor import Actor, Role
from salesops.people.models import FunctionAssignment
from salesops.values import periods
from salesops.values.outcomes import Problem, gettext_noop
from salesops.values.rates import RateTable

#: Rises when the same inputs may give another result. Locked statements keep the number they were made with.
ENGINE_VERSION: Final = "1"
_BATCH: Final = 2_000


@dataclass(slots=True)
class Line:
    """A credit of a statement with what it earned in each component (component key to columns of the earning)."""

    place: int
    transaction: str
    day: date
    rule: str
    basis_points: int
    amount_minor: int
    why: dict[str, Any]
    earned: dict[str, tuple[int, int, int, int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Drafted:
    """A statement as calculated, before it is compared with the stored one. The rate is the share agreed, as stored."""

    version: PlanVersion
    quota_minor: int | None = None
    target_minor: int | None = None
    rate: Decimal | None = None
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def credited_minor(self) -> int:
        """Sum of the credits."""
        return sum(line.amount_minor for line in self.lines.values())

    @property
    def earned_minor(self) -> int:
        """Sum of the earnings."""
        return sum(values[-1] for line in self.lines.values() for values in line.earned.values())

    def digest(self) -> str:
        """SHA-256 over what went in and what came out."""
        return digest_of(
            {
                "engine": ENGINE_VERSION,
                "plan": self.version.digest,
                "quota": self.quota_minor,
                "target": self.target_minor,
                "rate": None if self.rate is None else str(self.rate),
                "problems": [problem.as_plain() for problem in self.problems],
                "lines": [
                    [
                        line.transaction,
                        line.day.isoformat(),
                        line.rule,
                        line.basis_points,
                        line.amount_minor,
                        line.why,
                        sorted([component, *values] for component, values in line.earned.items()),
                    ]
                    for _key, line in sorted(self.lines.items())
                ],
            }
        )


def may_calculate(actor: Actor) -> bool:
    """Revops and finance calculate; whoever does so cannot approve the result."""
    return actor.has(Role.REVOPS, Role.FINANCE)


@transaction.atomic
def calculate_period(*, actor: Actor, period: Period, at: datetime) -> Calculation:
    """Bring the draft statements of an open period up to date with the deals, plans and quotas as they are now.

    Statements whose inputs and results are as before are left alone, with their approval; the others are written anew
    and have to be approved again. Running it twice changes nothing the second time. Raises CommissionRefusedError for a
    locked period and NotAllowedError for anyone but revops and finance.
    """
    if not may_calculate(actor):
        raise NotAllowedError(_("Only revenue operations and finance calculate."))
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state == PeriodState.LOCKED:
        raise CommissionRefusedError(
            _("%(period)s is locked and stays as it is. A late change becomes an adjustment in an open period.")
            % {"period": period.label}
        )
    synced = sync_bookings(period=period, at=at)
    facts = facts_of(period, leave_out=synced.paid_elsewhere)
    problems = [
        Problem.of(
            "paid-elsewhere",
            gettext_noop("%(key)s was paid in a locked period already and is left out."),
            where=key,
            remedy=gettext_noop("If its amount changed since, the difference needs an adjustment."),
            key=key,
        )
        for key in synced.paid_elsewhere
    ]
    if not facts.versions:
        problems.append(
            Problem.of(
                "no-plan",
                gettext_noop("No plan is in force in %(period)s."),
                remedy=gettext_noop("Put a plan version in force that covers the period, and people on it."),
                period=period.label,
            )
        )
    drafts = _draft(facts, period, problems)
    number = (Calculation.objects.filter(period=period).aggregate(last=Max("number"))["last"] or 0) + 1
    calculation = Calculation.objects.create(
        period=period, number=number, started_at=at, run_by_id=actor.user_id, engine_version=ENGINE_VERSION
    )
    written = _write(period, drafts, facts, calculation, at)
    calculation.finished_at = at
    calculation.problems = [problem.as_plain() for problem in problems] + [
        problem.as_plain() for draft in drafts.values() for problem in draft.problems
    ]
    calculation.totals = {
        "statements": len(drafts),
        "written": written,
        "transactions": len(facts.ids),
        "credited_minor": _by_currency(drafts, "credited_minor"),
        "earned_minor": _by_currency(drafts, "earned_minor"),
    }
    calculation.inputs_digest = digest_of([[list(key), draft.digest()] for key, draft in sorted(drafts.items())])
    calculation.save()
    record(actor=actor, action="period.calculated", subject=period, after={"run": number, **calculation.totals}, at=at)
    return calculation


def _by_currency(drafts: dict[tuple[int, int], Drafted], name: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for draft in drafts.values():
        totals[draft.version.currency] += getattr(draft, name)
    return dict(totals)


# --- From facts to drafts -----------------------------------------------------------------------------------------


def _draft(facts: PeriodFacts, period: Period, problems: list[Problem]) -> dict[tuple[int, int], Drafted]:
    """A draft for each person on a plan version, with credits and earnings; what is about nobody's plan joins `problems`."""
    whole = periods.Period(period.start_on, period.end_on, period.label)
    done = run(facts.definitions, facts.engine, facts.book)
    drafts: dict[tuple[int, int], Drafted] = {}
    for person, version_id in sorted(facts.people):
        plan = facts.definitions[version_id]
        terms = {part.key: facts.book(version_id, part, person, whole) for part in plan.components}
        draft = drafts[person, version_id] = Drafted(
            version=facts.versions[version_id],
            quota_minor=next(iter(terms.values())).quota,
            target_minor=facts.book.target(version_id, person, whole),
            rate=facts.rates[person, version_id],
            problems=list(facts.book.problems[version_id, person]),
        )
        for part in plan.components:
            held = terms[part.key]
            outcome = curve_for(
                plan, part, quota=held.quota, target_minor=held.target_minor, personal_rate=held.personal_rate
            )
            draft.problems.extend(problem for problem in outcome.problems if problem not in draft.problems)
    for found in done.problems:
        about = drafts.get((found.person or 0, found.plan or 0))
        asked = problems if about is None else about.problems
        if found.problem not in asked:
            asked.append(found.problem)
    _credit(facts, done, drafts)
    _earn(facts, done, drafts)
    return drafts


def _credit(facts: PeriodFacts, done: Run, drafts: dict[tuple[int, int], Drafted]) -> None:
    """Put the credits on the drafts, each with what it was reckoned from."""
    transactions = facts.engine.transactions
    asked = {version_id: facts.asked_by(version_id) for version_id in facts.definitions}
    rows = zip(*(column.tolist() for column in done.credits.values()), strict=True)
    for values in rows:
        row = dict(zip(done.credits, values, strict=True))
        place, rule = row["transaction"], RULES[row["rule"]]
        key, day = str(transactions.key[place]), date.fromordinal(int(transactions.day[place]))
        why: dict[str, Any] = {
            "amount": int(transactions.amount[place]),
            "currency": transactions.currencies[transactions.currency[place]],
            "credited": row["part"],
        }
        if rule is CreditRule.SPLIT:
            why["shares"] = facts.shares[place]
        if row["thing"] != NONE:
            why["held"] = facts.things[row["thing"]]
        if row["pinned"] != NONE:
            why |= _why_rate(facts.engine.rates, *done.pinned[row["pinned"]])
        if asked[row["plan"]]:
            why["fields"] = {name: str(transactions.values[name].column[place]) for name in asked[row["plan"]]}
        draft = drafts[row["person"], row["plan"]]
        draft.lines[key, rule.value] = Line(place, key, day, rule.value, row["basis_points"], row["amount"], why)


def _why_rate(rates: RateTable, currency: str, day: int, into: str, exact: Fraction) -> dict[str, Any]:
    """The pinned rate between minor units, and the published rates it is made of."""
    legs = rates.rate_on(currency, into, date.fromordinal(day)).unwrap().legs
    return {
        "rate": str(exact),
        "rate_legs": [[leg.on.isoformat(), leg.base, leg.quote, exact_text(leg.value), leg.source] for leg in legs],
    }


def _earn(facts: PeriodFacts, done: Run, drafts: dict[tuple[int, int], Drafted]) -> None:
    """Put what each credit earned on its line; a component without a curve earns nothing and has said why."""
    transactions = facts.engine.transactions
    names = ("plan", "component", "transaction", "person", "rule", "period")
    earned = ("before", "after", "pay_before", "pay_after", "amount")
    keys = zip(*(done.lines[name].tolist() for name in names), strict=True)
    amounts = zip(*(done.lines[name].tolist() for name in earned), strict=True)
    for (plan, component, place, person, rule, period), values in zip(keys, amounts, strict=True):
        if (plan, component, person, period) in done.curves:
            line = drafts[person, plan].lines[str(transactions.key[place]), RULES[rule].value]
            line.earned[facts.definitions[plan].components[component].key] = values


# --- From drafts to rows ------------------------------------------------------------------------------------------


def _write(
    period: Period, drafts: dict[tuple[int, int], Drafted], facts: PeriodFacts, run: Calculation, at: datetime
) -> int:
    """Write the statements that differ from the stored ones; how many. Those nobody is on a plan for any more are emptied."""
    stored = {
        (row.person_id, row.plan_version_id): row
        for row in Statement.objects.select_for_update(of=("self",)).filter(period=period)
    }
    for key, row in stored.items():
        if key not in drafts and (row.earned_minor or row.credited_minor):
            drafts[key] = Drafted(version=row.plan_version)
    changed: dict[tuple[int, int], str] = {}
    for key, draft in drafts.items():
        digest = draft.digest()
        if key not in stored or stored[key].digest != digest:
            changed[key] = digest
    old = [stored[key].pk for key in changed if key in stored]
    Earning.objects.filter(statement__in=old).delete()
    Credit.objects.filter(statement__in=old).delete()
    statements = []
    for key, digest in changed.items():
        draft = drafts[key]
        row = stored.get(key) or Statement(person_id=key[0], period=period, plan_version_id=key[1])
        row.calculation = run
        row.state = StatementState.DRAFT
        row.currency = draft.version.currency
        row.quota_minor, row.target_minor, row.rate = draft.quota_minor, draft.target_minor, draft.rate
        row.credited_minor, row.earned_minor = draft.credited_minor, draft.earned_minor
        row.payout_minor = draft.earned_minor
        row.problems = [problem.as_plain() for problem in draft.problems]
        row.digest = digest
        row.prepared_by_id, row.prepared_at = run.run_by_id, at
        statements.append(row)
    new = Statement.objects.bulk_create([row for row in statements if row.pk is None], batch_size=_BATCH)
    Statement.objects.bulk_update(
        [row for row in statements if row.pk in set(old)],
        [
            "calculation",
            "state",
            "currency",
            "quota_minor",
            "target_minor",
            "rate",
            "credited_minor",
            "earned_minor",
            "payout_minor",
            "problems",
            "digest",
            "prepared_by",
            "prepared_at",
        ],
        batch_size=_BATCH,
    )
    by_key = {(row.person_id, row.plan_version_id): row for row in [*statements, *new]}
    _write_lines({key: (by_key[key], drafts[key]) for key in changed}, facts, period)
    return len(changed)


def _write_lines(changed: dict[tuple[int, int], tuple[Statement, Drafted]], facts: PeriodFacts, period: Period) -> None:
    """Credits and earnings of the changed statements, in bulk."""
    functions = _Functions(period)
    credits: list[Credit] = []
    sources: list[tuple[Statement, Line]] = []
    for statement, draft in changed.values():
        for _key, line in sorted(draft.lines.items(), key=lambda item: (item[1].day, item[0])):
            credits.append(
                Credit(
                    statement=statement,
                    transaction_id=facts.ids[line.place],
                    person_id=statement.person_id,
                    function=functions.on(statement.person_id, line.day),
                    rule=line.rule,
                    share_bp=line.basis_points,
                    amount_minor=line.amount_minor,
                    currency=statement.currency,
                    effective_on=line.day,
                    why=line.why,
                )
            )
            sources.append((statement, line))
    Credit.objects.bulk_create(credits, batch_size=_BATCH)
    earnings: list[Earning] = []
    positions: dict[tuple[int, str], int] = defaultdict(int)
    for credit, (statement, line) in zip(credits, sources, strict=True):
        for component, (start, end, low, high, amount) in sorted(line.earned.items()):
            positions[statement.pk, component] += 1
            earnings.append(
                Earning(
                    statement=statement,
                    credit=credit,
                    person_id=credit.person_id,
                    component=component,
                    position=positions[statement.pk, component],
                    from_minor=start,
                    to_minor=end,
                    height_from_minor=low,
                    height_to_minor=high,
                    amount_minor=amount,
                    currency=statement.currency,
                )
            )
    Earning.objects.bulk_create(earnings, batch_size=_BATCH)


class _Functions:
    """The job function of each person as of a day within a period."""

    def __init__(self, period: Period) -> None:
        self._held: dict[int, list[tuple[date, date, str]]] = defaultdict(list)
        rows = FunctionAssignment.objects.during(period.start_on, period.end_on)
        for person_id, start, end, function in rows.values_list("person_id", "start_on", "end_on", "function"):
            self._held[person_id].append((start, end or date.max, function))

    def on(self, person_id: int, day: date) -> str:
        """The function on that day, or an empty text."""
        return next((function for start, end, function in self._held[person_id] if start <= day < end), "")
