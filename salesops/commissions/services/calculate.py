"""Calculates a period: transactions to credits, credits to earnings, earnings to draft statements."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import PeriodState, StatementState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Calculation, Credit, Earning, Period, PlanVersion, Statement
from salesops.commissions.rules.columns import CreditColumns, EarningColumns, calculate
from salesops.commissions.rules.conventions import Proration
from salesops.commissions.rules.credits import Credit as Credited
from salesops.commissions.rules.credits import CreditRule, credit_transactions
from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.plans import PlanDefinition, curve_for, digest_of, effective_quota, plan_from_plain
from salesops.commissions.selectors.facts import OnPlan, PeriodFacts, facts_of
from salesops.commissions.services.transactions import sync_bookings
from salesops.core.actor import Actor, Role
from salesops.people.models import FunctionAssignment
from salesops.values.outcomes import Problem, gettext_noop
from salesops.values.rates import convert

#: Rises when the same inputs may give another result. Locked statements keep the number they were made with.
ENGINE_VERSION: Final = "1"
_BATCH: Final = 2_000


@dataclass(slots=True)
class Line:
    """A credit of a statement with what it earned in each component (component key to columns of the earning)."""

    credited: Credited
    amount_minor: int
    why: dict[str, Any]
    earned: dict[str, tuple[int, int, int, int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Drafted:
    """A statement as calculated, before it is compared with the stored one."""

    on_plan: list[OnPlan]
    version: PlanVersion
    quota_minor: int | None
    target_minor: int | None
    rate: Decimal | None
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
                        line.credited.transaction,
                        line.credited.day.isoformat(),
                        line.credited.rule,
                        line.credited.basis_points,
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
    drafts = _draft(facts, problems)
    number = (Calculation.objects.filter(period=period).aggregate(last=Max("number"))["last"] or 0) + 1
    run = Calculation.objects.create(
        period=period, number=number, started_at=at, run_by_id=actor.user_id, engine_version=ENGINE_VERSION
    )
    written = _write(period, drafts, facts, run, at)
    run.finished_at = at
    run.problems = [problem.as_plain() for problem in problems] + [
        problem.as_plain() for draft in drafts.values() for problem in draft.problems
    ]
    run.totals = {
        "statements": len(drafts),
        "written": written,
        "transactions": len(facts.transactions),
        "credited_minor": _by_currency(drafts, "credited_minor"),
        "earned_minor": _by_currency(drafts, "earned_minor"),
    }
    run.inputs_digest = digest_of([[list(key), draft.digest()] for key, draft in sorted(drafts.items())])
    run.save()
    record(actor=actor, action="period.calculated", subject=period, after={"run": number, **run.totals}, at=at)
    return run


def _by_currency(drafts: dict[tuple[int, int], Drafted], name: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for draft in drafts.values():
        totals[draft.version.currency] += getattr(draft, name)
    return dict(totals)


# --- From facts to drafts -----------------------------------------------------------------------------------------


def _draft(facts: PeriodFacts, problems: list[Problem]) -> dict[tuple[int, int], Drafted]:
    """A draft for each person on a plan version, with credits and earnings; what cannot be credited joins `problems`."""
    drafts: dict[tuple[int, int], Drafted] = {}
    definitions: dict[int, PlanDefinition] = {}
    for version in facts.versions.values():
        definitions[version.pk] = plan_from_plain(version.definition).unwrap()
    for key, on_plan in sorted(facts.people.items()):
        version = facts.versions[key[1]]
        drafts[key] = Drafted(
            on_plan=on_plan,
            version=version,
            quota_minor=_prorated(definitions[version.pk], on_plan, on_plan[-1].full_quota_minor),
            target_minor=_prorated(definitions[version.pk], on_plan, on_plan[-1].target_minor),
            rate=on_plan[-1].rate,
        )
        if len({(entry.rate, entry.target_minor) for entry in on_plan}) > 1:
            drafts[key].problems.append(
                Problem.of(
                    "terms-change-within-period",
                    gettext_noop("The personal rate or target pay changes within the period; the last one was used."),
                    where=f"person:{key[0]}",
                    remedy=gettext_noop(
                        "Let the change begin with a period, or put the person on another plan from that day."
                    ),
                )
            )
    unplanned: set[tuple[int, str]] = set()
    for version_id, plan in definitions.items():
        for crediting in {component.crediting for component in plan.components}:
            outcome = credit_transactions(facts.transactions, facts.holdings, crediting)
            for problem in outcome.problems:
                if problem not in problems:
                    problems.append(problem)
            for credited in outcome.unwrap():
                draft = drafts.get((credited.person, version_id))
                if draft is None or not any(entry.covers(credited.day) for entry in draft.on_plan):
                    unplanned.add((credited.person, credited.transaction))
                    continue
                _credit(facts, draft, credited)
        _earn(plan, {key: draft for key, draft in drafts.items() if key[1] == version_id})
    planned = {
        (draft.on_plan[0].person_id, line.credited.transaction)
        for draft in drafts.values()
        for line in draft.lines.values()
    }
    missed: dict[int, int] = defaultdict(int)
    for person, _key in unplanned - planned:
        missed[person] += 1
    problems.extend(
        Problem.of(
            "not-on-a-plan",
            gettext_noop("%(count)s transactions of this person earn nothing: they were on no plan on that day."),
            where=f"person:{person}",
            remedy=gettext_noop("Put them on a plan from the right day, then calculate again."),
            count=count,
        )
        for person, count in sorted(missed.items())
    )
    return drafts


def _prorated(plan: PlanDefinition, on_plan: list[OnPlan], full: int | None) -> int | None:
    """A quota or target pay cut to the part of the period on the plan, where the plan says so."""
    if full is None:
        return None
    share = sum((entry.active_share for entry in on_plan), Fraction(0))
    return effective_quota(full, active_share=share) if plan.conventions.proration is not Proration.NONE else full


def _credit(facts: PeriodFacts, draft: Drafted, credited: Credited) -> None:
    """Add a credit to a draft, converted to the plan's currency at the day's rate; without a rate it is a problem."""
    key = (credited.transaction, credited.rule)
    if key in draft.lines:
        return
    transaction = facts.by_key[credited.transaction]
    currency = facts.rows[credited.transaction][1]
    why: dict[str, Any] = {"amount": transaction.amount, "currency": currency, "credited": credited.amount}
    if credited.rule == CreditRule.SPLIT:
        why["shares"] = [[share.person, share.basis_points] for share in transaction.shares]
    if credited.why:
        why["held"] = credited.why
    if currency == draft.version.currency:
        draft.lines[key] = Line(credited, credited.amount, why)
        return
    pinned = facts.rates.rate_on(currency, draft.version.currency, credited.day)
    if pinned.value is None:
        draft.problems.extend(problem for problem in pinned.problems if problem not in draft.problems)
        return
    why["rate"] = str(pinned.value.minor_fraction())
    why["rate_legs"] = [
        [leg.on.isoformat(), leg.base, leg.quote, exact_text(leg.value), leg.source] for leg in pinned.value.legs
    ]
    draft.lines[key] = Line(credited, convert(credited.amount, pinned.value), why)


def _earn(plan: PlanDefinition, drafts: dict[tuple[int, int], Drafted]) -> None:
    """Run the engine over the lines of one plan version, in columns, and put the earnings on the lines."""
    lines: list[tuple[Line, str]] = []
    columns: dict[str, list[Any]] = defaultdict(list)
    curves: dict[tuple[int, int, int], Curve] = {}
    for (person_id, _version_id), draft in drafts.items():
        for index, component in enumerate(plan.components):
            rate = None if draft.rate is None else Fraction(draft.rate)
            outcome = curve_for(
                plan, component, quota=draft.quota_minor, target_minor=draft.target_minor, personal_rate=rate
            )
            if outcome.value is None:
                draft.problems.extend(outcome.problems)
                continue
            curves[person_id, index, 0] = outcome.value
            wanted = {rule.value for rule in component.crediting}
            for (key, rule), line in sorted(draft.lines.items()):
                if rule in wanted:
                    lines.append((line, component.key))
                    for name, value in (
                        ("person", person_id),
                        ("component", index),
                        ("day", line.credited.day.toordinal()),
                        ("key", key),
                        ("amount", line.amount_minor),
                    ):
                        columns[name].append(value)
    if not lines:
        return
    count = len(lines)
    earned: EarningColumns = calculate(
        CreditColumns(
            person=np.array(columns["person"], dtype=np.int64),
            component=np.array(columns["component"], dtype=np.int64),
            period=np.zeros(count, dtype=np.int64),
            day=np.array(columns["day"], dtype=np.int64),
            key=np.array(columns["key"], dtype=object),
            amount=np.array(columns["amount"], dtype=np.int64),
        ),
        curves,
        plan.conventions.rounding,
    )
    values = zip(
        *(
            column.tolist()
            for column in (earned.before, earned.after, earned.pay_before, earned.pay_after, earned.amount)
        ),
        strict=True,
    )
    for (line, component_key), row in zip(lines, values, strict=True):
        line.earned[component_key] = row


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
            drafts[key] = Drafted(on_plan=[], version=row.plan_version, quota_minor=None, target_minor=None, rate=None)
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
        for _key, line in sorted(draft.lines.items(), key=lambda item: (item[1].credited.day, item[0])):
            credited = line.credited
            credits.append(
                Credit(
                    statement=statement,
                    transaction_id=facts.rows[credited.transaction][0],
                    person_id=credited.person,
                    function=functions.on(credited.person, credited.day),
                    rule=credited.rule,
                    share_bp=credited.basis_points,
                    amount_minor=line.amount_minor,
                    currency=statement.currency,
                    effective_on=credited.day,
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
                    why=line.why,
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
