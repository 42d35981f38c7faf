"""Statements as people see them: theirs, their team's, everybody's; each line with its why."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from django.db.models import QuerySet

from salesops.commissions.models import Approval, Earning, Statement
from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.explain import EarningFacts, attainment_bp, explain
from salesops.commissions.rules.plans import PlanDefinition, curve_for, plan_from_plain
from salesops.core.actor import Actor
from salesops.values.rates import PinnedRate, Rate


def statements_for(actor: Actor) -> QuerySet[Statement]:
    """Statements the actor may see."""
    return Statement.objects.visible_to(actor).select_related("person", "period", "plan_version__plan")


def statement_for(actor: Actor, pk: int) -> Statement:
    """One statement; 404 when it is not theirs."""
    return Statement.objects.select_related("person", "period", "plan_version__plan").get_for(actor, pk=pk)


def earnings_for(actor: Actor, statement: Statement) -> QuerySet[Earning]:
    """The lines of a statement the actor may see."""
    return (
        Earning.objects.visible_to(actor)
        .filter(statement=statement)
        .select_related("credit__transaction__deal", "credit__transaction__account")
    )


def earning_for(actor: Actor, pk: int) -> Earning:
    """One line; 404 when it is not theirs."""
    rows = Earning.objects.select_related(
        "statement__plan_version__plan", "statement__period", "statement__person", "credit__transaction__deal"
    )
    return rows.get_for(actor, pk=pk)


def approvals_of(statement: Statement) -> QuerySet[Approval]:
    """What was decided about a statement that the asker may see, newest first."""
    return statement.approvals.select_related("decided_by")


def definition_of(statement: Statement) -> PlanDefinition:
    """The plan as the statement was calculated with; versions in force never change."""
    return plan_from_plain(statement.plan_version.definition).unwrap()


def curves_of(statement: Statement) -> dict[str, Curve]:
    """The person's curve of each component, where there is one."""
    plan = definition_of(statement)
    rate = None if statement.rate is None else Fraction(statement.rate)
    found = {}
    for component in plan.components:
        outcome = curve_for(
            plan, component, quota=statement.quota_minor, target_minor=statement.target_minor, personal_rate=rate
        )
        if outcome.value is not None:
            found[component.key] = outcome.value
    return found


def attainment_of(statement: Statement) -> int | None:
    """Credited ÷ quota in basis points; None without a quota or with a quota of zero."""
    return attainment_bp(statement.credited_minor, statement.quota_minor)


def why_of(earning: Earning) -> dict[str, Any]:
    """The steps from transaction to pay, recomputed from what was stored; `agrees` says whether they lead to the line."""
    statement, credit, why = earning.statement, earning.credit, earning.credit.why
    plan = definition_of(statement)
    return explain(
        EarningFacts(
            transaction=credit.transaction.source_key,
            day=credit.effective_on,
            amount=why["amount"],
            currency=why["currency"],
            credited=why["credited"],
            basis_points=credit.share_bp,
            rule=credit.rule,
            rule_detail=why.get("held", ""),
            counted=credit.amount_minor,
            plan_currency=statement.currency,
            curve=curves_of(statement)[earning.component],
            before=earning.from_minor,
            after=earning.to_minor,
            earned_minor=earning.amount_minor,
            rounding=plan.conventions.rounding,
            rate=_pinned(why, credit.effective_on, statement.currency),
            quota=statement.quota_minor,
        )
    )


def _pinned(why: dict[str, Any], day: Any, quote: str) -> PinnedRate | None:
    """The rate of exchange that was used, from its stored legs."""
    if "rate" not in why:
        return None
    legs = tuple(
        Rate(base, to, type(day).fromisoformat(on), Fraction(value), source)
        for on, base, to, value, source in why["rate_legs"]
    )
    value, holding = Fraction(1), why["currency"]
    for leg in legs:
        is_forward = leg.base == holding
        value = value * leg.value if is_forward else value / leg.value
        holding = leg.quote if is_forward else leg.base
    return PinnedRate(why["currency"], quote, day, value, legs)


@dataclass(frozen=True, slots=True)
class ConventionShown:
    """One convention of a plan, in words."""

    name: str
    value: str


def conventions_of(conventions: Conventions) -> list[ConventionShown]:
    """Everything on which ways of paying differ, as this plan settles it."""
    return [ConventionShown(item.name, str(getattr(conventions, item.name).value)) for item in fields(Conventions)]
