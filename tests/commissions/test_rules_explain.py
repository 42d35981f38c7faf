"""The why of an earning: every step from transaction to pay, exact, and honest when it does not add up."""

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.commissions.rules import curves
from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.explain import EarningFacts, attainment_bp, exact_text, explain
from salesops.commissions.rules.rounding import Rounding
from salesops.values.money import round_half_up
from salesops.values.rates import PinnedRate, Rate
from tests.commissions.test_rules_curves import any_curve

DAY = date(2026, 3, 2)
TIERS = [(Fraction(0), Fraction(1, 20)), (Fraction(100_000_00), Fraction(1, 10))]
ACROSS = EarningFacts(
    transaction="D-7",
    day=DAY,
    amount=60_000_00,
    currency="USD",
    credited=30_000_00,
    basis_points=5000,
    rule="split",
    counted=30_000_00,
    plan_currency="USD",
    curve=curves.retroactive(TIERS),
    before=90_000_00,
    after=120_000_00,
    earned_minor=7_500_00,
    quota=100_000_00,
)


def test_the_steps_of_an_earning_across_a_tier() -> None:
    why = json.loads(json.dumps(explain(ACROSS)))
    assert why["transaction"] == {"key": "D-7", "day": "2026-03-02", "amount": 60_000_00, "currency": "USD"}
    assert why["credit"] == {"amount": 30_000_00, "basis_points": 5000, "rule": "split", "detail": ""}
    assert why["exchange"] is None
    assert why["position"] == {
        "before": 90_000_00,
        "after": 120_000_00,
        "quota": 100_000_00,
        "attainment_before_bp": 9000,
        "attainment_after_bp": 12_000,
    }
    assert [
        (piece["kind"], piece["from"], piece["to"], piece["rate_percent"], piece["exact"], piece["label"])
        for piece in why["pieces"]
    ] == [
        ("slope", "9000000", "10000000", "5", "50000", "tier:1"),
        ("jump", "10000000", "10000000", "0", "500000", "tier:2"),
        ("slope", "10000000", "12000000", "10", "200000", "tier:2"),
    ]
    assert why["rounding"]["pay_after_minor"] - why["rounding"]["pay_before_minor"] == 7_500_00
    assert why["earned_minor"] == 7_500_00
    assert why["agrees"] is True


def test_what_rounding_took_or_gave_is_shown() -> None:
    small = replace(
        ACROSS,
        curve=curves.flat(Fraction(1, 200)),
        amount=100,
        credited=100,
        counted=100,
        before=100,
        after=200,
        earned_minor=0,
    )
    rounding = explain(small)["rounding"]
    assert (rounding["height_before"], rounding["height_after"]) == ("1/2", "1")
    assert (rounding["pay_before_minor"], rounding["pay_after_minor"]) == (1, 1)
    assert (rounding["exact"], rounding["rounded_away"]) == ("1/2", "-1/2")
    alone = explain(replace(small, rounding=Rounding.PER_LINE, earned_minor=1))
    assert alone["agrees"] is True
    assert alone["rounding"]["rounded_away"] == "1/2"


def test_an_exchange_names_its_rate_and_where_it_is_from() -> None:
    rate = PinnedRate(
        "EUR", "USD", DAY, Fraction("1.0834"), (Rate("EUR", "USD", date(2026, 2, 27), Fraction("1.0834"), "ECB"),)
    )
    exchange = explain(replace(ACROSS, currency="EUR", rate=rate))["exchange"]
    assert exchange == {
        "from": "EUR",
        "to": "USD",
        "asked_on": "2026-03-02",
        "rate": "5417/5000",
        "counted": 30_000_00,
        "legs": [{"base": "EUR", "quote": "USD", "on": "2026-02-27", "rate": "1.0834", "source": "ECB"}],
    }
    same = PinnedRate("USD", "USD", DAY, Fraction(1))
    assert explain(replace(ACROSS, rate=same))["exchange"] is None


@pytest.mark.parametrize("change", [{"earned_minor": 7_500_01}, {"after": 120_000_01}, {"counted": 30_000_01}])
def test_what_does_not_add_up_is_not_hidden(change: dict[str, int]) -> None:
    assert explain(replace(ACROSS, **change))["agrees"] is False  # type: ignore[arg-type]  # whole numbers only


@given(any_curve(), st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.sampled_from(list(Rounding)))
def test_an_explanation_adds_up_to_what_is_paid(curve: Curve, before: int, amount: int, rounding: Rounding) -> None:
    after = before + amount
    exact = curve.height(after) - curve.height(before)
    earned = curve.earned(before, after) if rounding is Rounding.CUMULATIVE else round_half_up(exact)
    why = explain(
        replace(
            ACROSS,
            curve=curve,
            before=before,
            after=after,
            counted=amount,
            credited=amount,
            earned_minor=earned,
            rounding=rounding,
        )
    )
    assert why["agrees"] is True
    assert sum((Fraction(piece["exact"]) for piece in why["pieces"]), Fraction(0)) == exact


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-5), "-5"),
        (Fraction(1, 8), "0.125"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(12_345, 100), "123.45"),
        (Fraction(1, 3), "1/3"),
        (Fraction(1, 10**13), "1/10000000000000"),
    ],
)
def test_exact_numbers_are_decimals_where_they_end(number: Fraction, text: str) -> None:
    assert exact_text(number) == text


def test_attainment_needs_a_quota() -> None:
    assert attainment_bp(8_066, 10_000) == 8066
    assert attainment_bp(-1, 3) == -3333
    assert attainment_bp(5, 0) is None
    assert attainment_bp(5, None) is None
