"""The why of one earning as plain data: transaction, share, where on the curve, tier and rate, rounding."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from salesops.commissions.rules.curves import Curve, Piece
from salesops.commissions.rules.rounding import Rounding
from salesops.values.money import ROUNDING, round_half_up
from salesops.values.rates import PinnedRate, Rate

# A whole in basis points.
_WHOLE = 10_000


@dataclass(frozen=True)
class EarningFacts:
    """One earning and what it came from. Amounts are minor units, or things where things are counted.

    amount, currency: the transaction's own. credited: this person's part of it in that currency.
    counted: the part in the plan's currency, as it moved the person along the curve from `before` to `after`.
    earned_minor: what was paid for it. quota: the one in force for person and period, None without.
    """

    transaction: str
    day: date
    amount: int
    currency: str
    credited: int
    basis_points: int
    rule: str
    counted: int
    plan_currency: str
    curve: Curve
    before: int
    after: int
    earned_minor: int
    rounding: Rounding = Rounding.CUMULATIVE
    rate: PinnedRate | None = None
    rule_detail: str = ""
    quota: int | None = None


def explain(facts: EarningFacts) -> dict[str, Any]:
    """The steps from transaction to pay as plain JSON data, in the order in which they are told.

    Exact numbers are text ("1250", "2501/20"). `agrees` is false when the facts do not lead to what was paid; that is
    never hidden.
    """
    curve = facts.curve
    pieces = curve.stretch(facts.before, facts.after)
    exact_before, exact_after = curve.height(facts.before), curve.height(facts.after)
    difference = exact_after - exact_before
    pay_before, pay_after = round_half_up(exact_before), round_half_up(exact_after)
    expected = pay_after - pay_before if facts.rounding is Rounding.CUMULATIVE else round_half_up(difference)
    agrees = (
        expected == facts.earned_minor
        and facts.after - facts.before == facts.counted
        and sum((piece.amount for piece in pieces), Fraction(0)) == difference
    )
    return {
        "transaction": {
            "key": facts.transaction,
            "day": facts.day.isoformat(),
            "amount": facts.amount,
            "currency": facts.currency,
        },
        "credit": {
            "amount": facts.credited,
            "basis_points": facts.basis_points,
            "rule": facts.rule,
            "detail": facts.rule_detail,
        },
        "exchange": _exchange(facts),
        "position": {
            "before": facts.before,
            "after": facts.after,
            "quota": facts.quota,
            "attainment_before_bp": attainment_bp(facts.before, facts.quota),
            "attainment_after_bp": attainment_bp(facts.after, facts.quota),
        },
        "pieces": [_piece(piece) for piece in pieces],
        "rounding": {
            "rule": ROUNDING,
            "convention": facts.rounding.value,
            "height_before": str(exact_before),
            "height_after": str(exact_after),
            "pay_before_minor": pay_before,
            "pay_after_minor": pay_after,
            "exact": str(difference),
            "rounded_away": str(Fraction(facts.earned_minor) - difference),
        },
        "earned_minor": facts.earned_minor,
        "currency": facts.plan_currency,
        "agrees": agrees,
    }


def attainment_bp(total: int, quota: int | None) -> int | None:
    """Credited total ÷ quota in basis points, rounded; None without a quota or with a quota of zero."""
    return round_half_up(total * _WHOLE, quota) if quota else None


def exact_text(number: Fraction, most_decimals: int = 12) -> str:
    """An exact number for reading: a plain decimal where it ends within `most_decimals`, else "numerator/denominator"."""
    for decimals in range(most_decimals + 1):
        scaled = number * 10**decimals
        if scaled.denominator == 1:
            digits = str(abs(scaled.numerator)).rjust(decimals + 1, "0")
            sign = "-" if number < 0 else ""
            return sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)
    return str(number)


def _exchange(facts: EarningFacts) -> dict[str, Any] | None:
    if facts.rate is None or facts.rate.is_same_currency:
        return None
    return {
        "from": facts.rate.base,
        "to": facts.rate.quote,
        "asked_on": facts.rate.asked_on.isoformat(),
        "rate": str(facts.rate.value),
        "counted": facts.counted,
        "legs": [
            {
                "base": leg.base,
                "quote": leg.quote,
                "on": leg.on.isoformat(),
                "rate": exact_text(leg.value),
                "source": leg.source,
            }
            for leg in facts.rate.legs
            if isinstance(leg, Rate)
        ],
    }


def _piece(piece: Piece) -> dict[str, Any]:
    return {
        "kind": piece.kind,
        "segment": piece.segment,
        "label": piece.label,
        "from": str(piece.x_from),
        "to": str(piece.x_to),
        "rate": str(piece.rate),
        "rate_percent": exact_text(piece.rate * 100),
        "exact": str(piece.amount),
        "exact_text": exact_text(piece.amount),
    }
