"""A statement as one JSON bundle: inputs, plan, result and digests, so that anybody can derive it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from salesops.commissions.rules.plans import PlanDefinition, canonical, digest_of, plan_as_plain
from salesops.commissions.rules.settlement.facts import Carried, PeriodInput, Settled
from salesops.values.money import exponent

FORMAT: Final = "salesops-statement-bundle"

# 2: where a walk begins, what a line takes back, the settlement with what is paid. 1 is still read by `verify`.
FORMAT_VERSION: Final = 2


@dataclass(frozen=True)
class BundleCredit:
    """One credit of the statement: what it was made from and what it came to.

    amount: the transaction's, or what the component's formula makes of it, in minor units of its currency; things (and
    currency "") where the component counts things. basis_points: this person's part.
    kind: "direct" with all direct shares as (person, basis points), "overlay", or "stored" for what is not made from
    shares again: roll-ups, pods, reversals.
    credited: this person's part in that currency. rate: minor units of the plan's currency for one of the
    transaction's, exact; None in the plan's own currency. counted: the part as it moved the person along the curve;
    0 for a reversal that negates, which moves nobody.
    rank: orders credits of one transaction and component, and tells them apart: the index of the credit rule.
    rate_of: where the rate is not that of a day, what it was made from: `minor_per_major` of the currency and, for the
    mean of a month, `month` and `legs`, the pairs (base, quote) of the means it goes through.
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
    rate_of: dict[str, Any] | None = None


@dataclass(frozen=True)
class BundleLine:
    """One earning: the credited total before and after, their rounded pay, and what was earned, in minor units.

    reverses: the transaction whose earning is negated by this line; "" for a line that walks along the curve. A line
    that negates begins and ends at the same total, and what it earned is taken as stated.
    """

    component: str
    transaction: str
    rank: int
    before: int
    after: int
    pay_before_minor: int
    pay_after_minor: int
    earned_minor: int
    reverses: str = ""


@dataclass(frozen=True)
class BundleTerms:
    """A person's quota, target pay and own rate for one component and the period; None where there is none.

    start: the credited total at which the statement's lines begin, where a component adds up credits for longer than
    the period of pay; the terms are then those of the longer period.
    """

    component: str
    quota: int | None = None
    target_minor: int | None = None
    personal_rate: Fraction | None = None
    start: int = 0


@dataclass(frozen=True)
class BundleAdjustment:
    """A signed amount that did not come from a curve, with its reason."""

    reference: str
    amount_minor: int
    reason: str


@dataclass(frozen=True)
class SettlementFacts:
    """What the statement was settled from, what came before it, and what it came to."""

    given: PeriodInput
    carried: Carried
    settled: Settled


@dataclass(frozen=True)
class StatementFacts:
    """A whole statement. `person` is the number under which the person stands in shares.

    adjustments: left out where there is a settlement, which holds its own.
    settlement: None where nothing is settled: what is earned and adjusted is paid.
    means: mean rates of exchange, each with all that went in, as `exchange.mean_as_plain` gives them.
    """

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
    settlement: SettlementFacts | None = None
    means: tuple[dict[str, Any], ...] = ()


def build_bundle(facts: StatementFacts) -> dict[str, Any]:
    """The bundle as plain JSON data. The same facts, in whatever order, give the same bundle.

    Raises ValueError for adjustments that are not those of the settlement.
    """
    adjustments = _adjustments(facts)
    inputs: dict[str, Any] = {
        "currency": facts.plan.currency,
        "minor_per_major": 10 ** exponent(facts.plan.currency),
        "person": facts.person,
        "shares_converted": "together",
        "terms": [_terms(terms) for terms in sorted(facts.terms, key=lambda terms: terms.component)],
        "credits": [_credit(credit) for credit in sorted(facts.credits, key=_credit_order)],
        "adjustments": [
            {"reference": item.reference, "amount_minor": item.amount_minor, "reason": item.reason}
            for item in adjustments
        ],
    }
    if facts.means:
        inputs["means"] = sorted(facts.means, key=lambda mean: (mean["base"], mean["quote"], mean["month"]))
    order = {(credit.component, credit.transaction, credit.rank): _credit_order(credit) for credit in facts.credits}
    lines = sorted(
        facts.lines,
        key=lambda line: order.get(
            (line.component, line.transaction, line.rank), (line.component, date.max, line.transaction, line.rank)
        ),
    )
    earned = sum(line.earned_minor for line in lines)
    adjusted = sum(item.amount_minor for item in adjustments)
    result: dict[str, Any] = {
        "lines": [_line(line) for line in lines],
        "earned_minor": earned,
        "adjusted_minor": adjusted,
        "total_minor": earned + adjusted,
        "payout_minor": earned + adjusted,
        "owed_minor": 0,
    }
    if facts.settlement:
        settled = facts.settlement.settled
        inputs["settlement_given"] = facts.settlement.given.as_plain()
        inputs["settlement_carried"] = facts.settlement.carried.as_plain()
        result["settlement"] = settled.as_plain()
        result |= {"payout_minor": settled.payout_minor, "owed_minor": settled.owed_minor}
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


def _adjustments(facts: StatementFacts) -> list[BundleAdjustment]:
    found = facts.adjustments
    if facts.settlement:
        own = tuple(
            BundleAdjustment(item.reference, item.amount_minor, item.reason)
            for item in facts.settlement.given.adjustments
        )
        if found and set(found) != set(own):
            raise ValueError("The adjustments of the statement are not those of its settlement.")
        found = own
    return sorted(found, key=lambda item: item.reference)


def _credit_order(credit: BundleCredit) -> tuple[str, date, str, int]:
    return credit.component, credit.day, credit.transaction, credit.rank


def _terms(terms: BundleTerms) -> dict[str, Any]:
    return {
        "component": terms.component,
        "quota": terms.quota,
        "target_minor": terms.target_minor,
        "personal_rate": None if terms.personal_rate is None else str(terms.personal_rate),
        "start": terms.start,
    }


def _credit(credit: BundleCredit) -> dict[str, Any]:
    made_from = {} if credit.rate_of is None else {"rate_of": credit.rate_of}
    return made_from | {
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
        "reverses": line.reverses,
    }
