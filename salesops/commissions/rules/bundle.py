"""A statement as one JSON bundle: inputs, plan, result and digests, so that anybody can derive it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from salesops.commissions.rules.plans import PlanDefinition, canonical, digest_of, plan_as_plain
from salesops.values.money import exponent

FORMAT: Final = "salesops-statement-bundle"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True)
class BundleCredit:
    """One credit of the statement: what it was made from and what it came to.

    amount: the transaction's, in minor units of its currency. basis_points: this person's part.
    kind: "direct" with all direct shares as (person, basis points), "overlay", or "stored" for what is not made from
    shares again, such as a reversal.
    credited: this person's part in that currency. rate: minor units of the plan's currency for one of the
    transaction's, exact; None in the plan's own currency. counted: the part as it moved the person along the curve.
    """

    component: str
    transaction: str
    day: date
    amount: int
    currency: str
    basis_points: int
    credited: int
    counted: int
    rule: str
    kind: str = "direct"
    rank: int = 0
    shares: tuple[tuple[int, int], ...] | None = None
    rate: Fraction | None = None


@dataclass(frozen=True)
class BundleLine:
    """One earning: the credited total before and after, their rounded pay, and what was earned, in minor units."""

    component: str
    transaction: str
    rank: int
    before: int
    after: int
    pay_before_minor: int
    pay_after_minor: int
    earned_minor: int


@dataclass(frozen=True)
class BundleTerms:
    """A person's quota, target pay and own rate for one component and the period; None where there is none."""

    component: str
    quota: int | None = None
    target_minor: int | None = None
    personal_rate: Fraction | None = None


@dataclass(frozen=True)
class BundleAdjustment:
    """A signed amount that did not come from a curve, with its reason."""

    reference: str
    amount_minor: int
    reason: str


@dataclass(frozen=True)
class StatementFacts:
    """A whole statement. `person` is the number under which the person stands in shares."""

    statement: str
    person: int
    person_name: str
    period_label: str
    period_start: date
    period_end: date
    plan_name: str
    plan_version: int
    plan: PlanDefinition
    engine_version: str
    terms: tuple[BundleTerms, ...]
    credits: tuple[BundleCredit, ...]
    lines: tuple[BundleLine, ...]
    adjustments: tuple[BundleAdjustment, ...] = ()


def build_bundle(facts: StatementFacts) -> dict[str, Any]:
    """The bundle as plain JSON data. The same facts, in whatever order, give the same bundle."""
    inputs = {
        "currency": facts.plan.currency,
        "minor_per_major": 10 ** exponent(facts.plan.currency),
        "person": facts.person,
        "terms": [_terms(terms) for terms in sorted(facts.terms, key=lambda terms: terms.component)],
        "credits": [_credit(credit) for credit in sorted(facts.credits, key=_credit_order)],
        "adjustments": [
            {"reference": item.reference, "amount_minor": item.amount_minor, "reason": item.reason}
            for item in sorted(facts.adjustments, key=lambda item: item.reference)
        ],
    }
    order = {(credit.component, credit.transaction, credit.rank): _credit_order(credit) for credit in facts.credits}
    lines = sorted(
        facts.lines,
        key=lambda line: order.get(
            (line.component, line.transaction, line.rank), (line.component, date.max, line.transaction, line.rank)
        ),
    )
    earned = sum(line.earned_minor for line in lines)
    adjusted = sum(item.amount_minor for item in facts.adjustments)
    result = {
        "lines": [_line(line) for line in lines],
        "earned_minor": earned,
        "adjusted_minor": adjusted,
        "total_minor": earned + adjusted,
    }
    plan = plan_as_plain(facts.plan)
    bundle: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "engine_version": facts.engine_version,
        "statement": {
            "reference": facts.statement,
            "person": facts.person_name,
            "period": facts.period_label,
            "start": facts.period_start.isoformat(),
            "end": facts.period_end.isoformat(),
            "plan": facts.plan_name,
            "plan_version": facts.plan_version,
        },
        "plan": plan,
        "inputs": inputs,
        "result": result,
    }
    bundle["digests"] = {
        "plan": digest_of(plan),
        "inputs": digest_of(inputs),
        "result": digest_of(result),
        "bundle": digest_of(bundle),
    }
    return bundle


def bundle_bytes(bundle: dict[str, Any]) -> bytes:
    """The bundle as the bytes to download: canonical JSON, the same for the same bundle."""
    return canonical(bundle)


def bundle_digest(bundle: dict[str, Any]) -> str:
    """The digest of plan, inputs and result together, as it is printed on the statement."""
    return str(bundle["digests"]["bundle"])


def _credit_order(credit: BundleCredit) -> tuple[str, date, str, int]:
    return credit.component, credit.day, credit.transaction, credit.rank


def _terms(terms: BundleTerms) -> dict[str, Any]:
    return {
        "component": terms.component,
        "quota": terms.quota,
        "target_minor": terms.target_minor,
        "personal_rate": None if terms.personal_rate is None else str(terms.personal_rate),
    }


def _credit(credit: BundleCredit) -> dict[str, Any]:
    return {
        "component": credit.component,
        "transaction": credit.transaction,
        "day": credit.day.isoformat(),
        "rank": credit.rank,
        "amount": credit.amount,
        "currency": credit.currency,
        "kind": credit.kind,
        "rule": credit.rule,
        "basis_points": credit.basis_points,
        "shares": None if credit.shares is None else _shares(credit.shares),
        "credited": credit.credited,
        "rate": None if credit.rate is None else str(credit.rate),
        "counted": credit.counted,
    }


def _shares(shares: Sequence[tuple[int, int]]) -> list[list[int]]:
    return [[person, basis_points] for person, basis_points in sorted(shares)]


def _line(line: BundleLine) -> dict[str, Any]:
    return {
        "component": line.component,
        "transaction": line.transaction,
        "rank": line.rank,
        "before": line.before,
        "after": line.after,
        "pay_before_minor": line.pay_before_minor,
        "pay_after_minor": line.pay_after_minor,
        "earned_minor": line.earned_minor,
    }
