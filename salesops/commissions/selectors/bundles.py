"""The bundle of a statement: everything needed to derive it again, taken from what the calculation stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from fractions import Fraction
from typing import Any

from salesops.commissions.models import Earning, Statement
from salesops.commissions.rules.bundle import BundleCredit, BundleLine, BundleTerms, StatementFacts, build_bundle
from salesops.commissions.rules.plans import plan_from_plain


def bundles_of(statements: Collection[Statement]) -> dict[int, dict[str, Any]]:
    """Bundles as plain JSON data, by statement id. Reads the lines of all statements at once."""
    lines: dict[int, list[Earning]] = defaultdict(list)
    rows = Earning.objects.filter(statement__in=[row.pk for row in statements])
    for line in rows.select_related("credit__transaction").order_by("statement_id", "component", "position"):
        lines[line.statement_id].append(line)
    return {row.pk: build_bundle(_facts(row, lines[row.pk])) for row in statements}


def bundle_of(statement: Statement) -> dict[str, Any]:
    """The frozen bundle of a locked statement, or one made from an open statement as it stands."""
    return statement.bundle if statement.bundle is not None else bundles_of([statement])[statement.pk]


def _facts(statement: Statement, lines: list[Earning]) -> StatementFacts:
    version = statement.plan_version
    plan = plan_from_plain(version.definition).unwrap()
    rate = None if statement.rate is None else Fraction(statement.rate)
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
        terms=tuple(
            BundleTerms(component.key, statement.quota_minor, statement.target_minor, rate)
            for component in plan.components
        ),
        credits=tuple(_credit(line) for line in lines),
        lines=tuple(
            BundleLine(
                component=line.component,
                transaction=line.credit.transaction.source_key,
                rank=0,
                before=line.from_minor,
                after=line.to_minor,
                pay_before_minor=line.height_from_minor,
                pay_after_minor=line.height_to_minor,
                earned_minor=line.amount_minor,
            )
            for line in lines
        ),
    )


def _credit(line: Earning) -> BundleCredit:
    why = line.credit.why
    return BundleCredit(
        component=line.component,
        transaction=line.credit.transaction.source_key,
        day=line.credit.effective_on,
        amount=why["amount"],
        currency=why["currency"],
        basis_points=line.credit.share_bp,
        credited=why["credited"],
        counted=line.credit.amount_minor,
        rule=line.credit.rule,
        shares=tuple((person, points) for person, points in why["shares"])
        if "shares" in why
        else ((line.person_id, line.credit.share_bp),),
        rate=Fraction(why["rate"]) if "rate" in why else None,
    )
