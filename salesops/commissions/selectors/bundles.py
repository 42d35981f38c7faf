"""The bundle of a statement: everything needed to derive it again, taken from what the calculation stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from fractions import Fraction
from typing import Any

from salesops.commissions.models import Earning, Statement
from salesops.commissions.rules.bundle import (
    BundleCredit,
    BundleLine,
    BundleTerms,
    SettlementFacts,
    StatementFacts,
    build_bundle,
)
from salesops.commissions.rules.conventions import Exchange
from salesops.commissions.rules.credits import CreditRule
from salesops.commissions.rules.engine import RULES
from salesops.commissions.rules.plans import PlanDefinition, Scope, plan_from_plain
from salesops.commissions.rules.settlement.facts import carried_from_plain, input_from_plain
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.shapes import Measure
from salesops.values.money import exponent


def bundles_of(statements: Collection[Statement]) -> dict[int, dict[str, Any]]:
    """Bundles as plain JSON data, by statement id. Reads the lines of all statements at once."""
    lines: dict[int, list[Earning]] = defaultdict(list)
    rows = Earning.objects.filter(statement__in=[row.pk for row in statements])
    for line in rows.select_related("credit__transaction__reverses").order_by("statement_id", "component", "position"):
        lines[line.statement_id].append(line)
    plans = {row.plan_version_id: plan_from_plain(row.plan_version.definition).unwrap() for row in statements}
    return {row.pk: build_bundle(_facts(row, plans[row.plan_version_id], lines[row.pk])) for row in statements}


def bundle_of(statement: Statement) -> dict[str, Any]:
    """The frozen bundle of a locked statement, or one made from an open statement as it stands."""
    return statement.bundle if statement.bundle is not None else bundles_of([statement])[statement.pk]


def settlement_of(statement: Statement, plan: PlanDefinition) -> SettlementFacts | None:
    """What the statement was settled from and what it came to, settled anew; None where nothing was settled."""
    if statement.carried is None:
        return None
    given = input_from_plain(statement.carried["given"]).unwrap()
    before = carried_from_plain(statement.carried["before"]).unwrap()
    return SettlementFacts(given, before, settle(given, plan.settled_by, before).unwrap())


def _facts(statement: Statement, plan: PlanDefinition, lines: list[Earning]) -> StatementFacts:
    version = statement.plan_version
    # One that was emptied, because nobody is on that plan any more, has no terms.
    says_something = bool(lines or statement.terms or statement.carried)
    return StatementFacts(
        statement=f"S{statement.pk}",
        person=statement.person_id,
        person_name=str(statement.person),
        period_label=statement.period.label,
        period_start=statement.period.start_on,
        period_end=statement.period.end_on,
        plan_name=version.plan.name,
        plan_version=version.number,
        plan=plan,
        engine_version=statement.calculation.engine_version,
        terms=tuple(_terms(terms, plan, lines) for terms in terms_of(statement, plan) if says_something),
        credits=tuple(_credit(line, plan) for line in lines),
        lines=tuple(
            BundleLine(
                component=line.component,
                transaction=line.credit.transaction.source_key,
                rank=_rank(line),
                before=line.from_minor,
                after=line.to_minor,
                pay_before_minor=line.height_from_minor,
                pay_after_minor=line.height_to_minor,
                earned_minor=line.amount_minor,
                reverses=_negated(line),
            )
            for line in lines
        ),
        settlement=settlement_of(statement, plan),
        means=_means(statement),
    )


def _means(statement: Statement) -> tuple[dict[str, Any], ...]:
    """The mean rates of exchange kept with the terms of the components, each once."""
    found: list[dict[str, Any]] = []
    for terms in statement.terms or ():
        found.extend(mean for mean in terms.get("means", ()) if mean not in found)
    return tuple(found)


def terms_of(statement: Statement, plan: PlanDefinition) -> list[dict[str, Any]]:
    """The terms of each component; statements from before they were kept by component have the same for all."""
    rate = None if statement.rate is None else str(Fraction(statement.rate))
    return statement.terms or [
        {
            "component": component.key,
            "quota": statement.quota_minor,
            "target_minor": statement.target_minor,
            "rate": rate,
            "reached": statement.credited_minor,
        }
        for component in plan.components
    ]


def _terms(terms: dict[str, Any], plan: PlanDefinition, lines: list[Earning]) -> BundleTerms:
    key = terms["component"]
    walked = [line for line in lines if line.component == key and not _negated(line)]
    starts = walked and plan.component(key).scope is Scope.PERIOD
    return BundleTerms(
        key,
        terms["quota"],
        terms["target_minor"],
        None if terms["rate"] is None else Fraction(terms["rate"]),
        walked[0].from_minor if starts else 0,
    )


def _rank(line: Earning) -> int:
    return RULES.index(CreditRule(line.credit.rule))


def _negated(line: Earning) -> str:
    """The key of what a line takes back without walking; empty for a line that walks along the curve."""
    reverses = line.credit.transaction.reverses
    return reverses.source_key if reverses is not None and line.from_minor == line.to_minor else ""


def _credit(line: Earning, plan: PlanDefinition) -> BundleCredit:
    """The credit as it moved its person along the curve of one component."""
    why, credit, component = line.credit.why, line.credit, plan.component(line.component)
    moved = line.to_minor - line.from_minor
    kind, rate, shares = "stored", None, None
    amount, currency, credited = moved, plan.currency, moved
    if component.measure is not Measure.MONEY:
        currency = ""
    elif not component.amount and not _negated(line):
        amount, currency, credited = why["amount"], why["currency"], why["credited"]
        rate = Fraction(why["rate"]) if "rate" in why else None
        if CreditRule(credit.rule).is_direct:
            kind = "direct"
            shares = tuple((person, points) for person, points in why["shares"]) if "shares" in why else None
            shares = shares or ((line.person_id, credit.share_bp),)
        elif credit.rule == CreditRule.OVERLAY:
            kind = "overlay"
    return BundleCredit(
        component=line.component,
        transaction=credit.transaction.source_key,
        day=credit.effective_on,
        amount=amount,
        currency=currency,
        basis_points=credit.share_bp,
        credited=credited,
        counted=moved,
        rule=credit.rule,
        kind=kind,
        rank=_rank(line),
        shares=shares,
        rate=rate,
        rate_of=None if rate is None else _rate_of(why, plan),
    )


def _rate_of(why: dict[str, Any], plan: PlanDefinition) -> dict[str, Any] | None:
    """What a rate was made from that is not of a day."""
    if plan.conventions.exchange is Exchange.TRANSACTION_DAY:
        return None
    told: dict[str, Any] = {"minor_per_major": 10 ** exponent(why["currency"])}
    if means := why.get("rate_means"):
        told |= {"month": means[0]["month"], "legs": [[mean["base"], mean["quote"]] for mean in means]}
    return told
