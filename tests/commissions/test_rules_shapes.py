"""Plan words: every row of the table of shapes by hand, bounds by quota, zero quota, and what cannot be read."""

from fractions import Fraction
from typing import Any

import pytest

from salesops.commissions.rules.curves import Boundary
from salesops.commissions.rules.shapes import Measure, PersonFacts, ZeroQuota, bounds_of, curve_of, shape_from_plain

QUOTA, TARGET = 100_000_00, 10_000_00
TO_QUOTA_AND_ABOVE = {
    "shape": "marginal",
    "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}],
}


def pays(
    words: dict[str, Any],
    totals: list[int],
    *,
    boundary: Boundary = Boundary.UPPER,
    zero_quota: ZeroQuota = ZeroQuota.HOLD,
    **known: Any,
) -> list[int]:
    """What the totals are worth by these words, for somebody with a quota of 100,000.00 and a target of 10,000.00."""
    facts = PersonFacts(**({"currency": "USD", "quota": QUOTA, "target_minor": TARGET} | known))
    curve = curve_of(shape_from_plain(words).unwrap(), facts, boundary, zero_quota).unwrap()
    return [curve.pay(total) for total in totals]


def codes(words: dict[str, Any], *, zero_quota: ZeroQuota = ZeroQuota.HOLD, **known: Any) -> list[str]:
    """The problems met in drawing the curve."""
    facts = PersonFacts(**({"currency": "USD", "quota": QUOTA, "target_minor": TARGET} | known))
    outcome = curve_of(shape_from_plain(words).unwrap(), facts, zero_quota=zero_quota)
    assert outcome.value is None
    return [problem.code for problem in outcome.problems]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # 8 % of everything: one slope.
        ({"shape": "flat", "rate": "8%"}, {0: 0, 62_000_00: 4_960_00, -10_00: -80}),
        # 5 % to quota, 10 % above.
        (TO_QUOTA_AND_ABOVE, {99_999_99: 5_000_00, 100_000_00: 5_000_00, 130_000_00: 8_000_00}),
        # 10 % on everything once quota is reached.
        (
            {"shape": "retroactive", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]},
            {99_999_98: 5_000_00, 100_000_00: 10_000_00, 130_000_00: 13_000_00},
        ),
        # 5,000 at 100 %, 8,000 at 120 %.
        (
            {
                "shape": "steps",
                "steps": [{"from": "100%", "pays": "5000.00"}, {"from": "120%", "pays": "8000"}],
            },
            {99_999_99: 0, 100_000_00: 5_000_00, 119_999_99: 5_000_00, 120_000_00: 8_000_00},
        ),
        # 0 at 50 %, 100 % of target at 100 %, 200 % at 130 %, linear between.
        (
            {
                "shape": "points",
                "points": [
                    {"at": "50%", "pays": "0"},
                    {"at": "100%", "pays": "100%"},
                    {"at": "130%", "pays": "200%"},
                ],
            },
            {50_000_00: 0, 75_000_00: 5_000_00, 100_000_00: 10_000_00, 115_000_00: 15_000_00, 200_000_00: 20_000_00},
        ),
        # Nothing below 40 %, then everything.
        (
            {"shape": "flat", "rate": "10%", "gate": {"at": "40%", "then": "all"}},
            {39_999_99: 0, 40_000_00: 4_000_00, 100_000_00: 10_000_00},
        ),
        # Nothing below 40 %, then what lies above.
        (
            {"shape": "flat", "rate": "10%", "gate": {"at": "40%", "then": "above"}},
            {39_999_99: 0, 40_000_00: 0, 100_000_00: 6_000_00},
        ),
        # Capped at 200 % of target pay.
        (
            {"shape": "flat", "rate": "1x", "cap": "200%"},
            {100_000_00: 10_000_00, 200_000_00: 20_000_00, 200_000_01: 20_000_00, 900_000_00: 20_000_00},
        ),
        # Accelerator: the target rate to quota, one and a half times above.
        (
            {"shape": "marginal", "tiers": [{"from": "0", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}]},
            {100_000_00: 10_000_00, 120_000_00: 13_000_00},
        ),
        # The rate agreed with the person, doubled above quota.
        (
            {
                "shape": "marginal",
                "tiers": [{"from": "0", "rate": "personal"}, {"from": "100%", "rate": "2x personal"}],
            },
            {100_000_00: 1_200_00, 110_000_00: 1_440_00},
        ),
        # Bounds as amounts of money.
        (
            {"shape": "marginal", "tiers": [{"from": "0", "rate": "0.05"}, {"from": "10000.50", "rate": "7%"}]},
            {10_000_50: 500_03, 20_000_50: 1_200_03},
        ),
        # A last line that goes on.
        (
            {
                "shape": "points",
                "points": [{"at": "0", "pays": "0"}, {"at": "100%", "pays": "100%"}],
                "after": "continue",
            },
            {-1: 0, 150_000_00: 15_000_00},
        ),
    ],
)
def test_each_shape_by_hand(words: dict[str, Any], expected: dict[int, int]) -> None:
    assert pays(words, list(expected), personal_rate=Fraction(12, 1000)) == list(expected.values())


def test_things_are_paid_each() -> None:
    per_opportunity = {
        "shape": "marginal",
        "tiers": [{"from": "0", "rate": "200.00 each"}, {"from": "100%", "rate": "250 each"}],
    }
    assert pays(per_opportunity, [0, 30, 32], measure=Measure.COUNT, quota=30) == [0, 6_000_00, 6_500_00]


def test_the_whole_quota_pays_the_target_exactly_although_the_rate_has_no_end() -> None:
    assert pays({"shape": "flat", "rate": "1x"}, [7_000_01], quota=7_000_01, target_minor=333_33) == [333_33]


def test_the_unit_of_money_is_the_currency_s() -> None:
    words = {"shape": "steps", "steps": [{"from": "1000", "pays": "50"}]}
    assert pays(words, [999, 1000], currency="JPY", quota=None) == [0, 50]
    assert pays(words, [999_999, 1_000_000], currency="KWD", quota=None) == [0, 50_000]


def test_a_bound_by_share_of_quota_is_rounded_to_the_cent_and_shown() -> None:
    words = {"shape": "retroactive", "tiers": [{"from": "0", "rate": "0"}, {"from": "33.35%", "rate": "100%"}]}
    facts = PersonFacts("USD", quota=10_01)
    assert bounds_of(shape_from_plain(words).unwrap(), facts) == [0, 334]
    assert pays(words, [333, 334], quota=10_01) == [0, 334]
    assert bounds_of(shape_from_plain(words).unwrap(), PersonFacts("USD")) == [0]


@pytest.mark.parametrize(("boundary", "at_the_bound"), [(Boundary.UPPER, 10_000_00), (Boundary.LOWER, 5_000_00)])
def test_who_owns_a_boundary_is_a_setting(boundary: Boundary, at_the_bound: int) -> None:
    words = {"shape": "retroactive", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]}
    assert pays(words, [QUOTA, QUOTA + 100], boundary=boundary) == [at_the_bound, 10_000_10]


POINTS = {"shape": "points", "points": [{"at": "0", "pays": "0"}, {"at": "100%", "pays": "100%"}]}
STEPS = {"shape": "steps", "steps": [{"from": "100%", "pays": "50"}]}
GATED = {"shape": "flat", "rate": "10%", "gate": {"at": "40%", "then": "all"}}


@pytest.mark.parametrize(
    ("words", "lowest", "highest"),
    [
        (TO_QUOTA_AND_ABOVE, [0, 5_00, -5_00], [0, 10_00, -10_00]),
        (POINTS, [0, 0, 0], [0, TARGET, 0]),
        (STEPS, [0, 0, 0], [0, 50_00, 0]),
        (GATED, [0, 0, 0], [0, 10_00, -10_00]),
        (TO_QUOTA_AND_ABOVE | {"cap": "1"}, [0, 1_00, -5_00], [0, 1_00, -10_00]),
        (TO_QUOTA_AND_ABOVE | {"gate": {"at": "50", "then": "above"}}, [0, 2_50, 0], [0, 5_00, 0]),
        ({"shape": "retroactive", "tiers": [{"from": "80%", "rate": "5%"}]}, [0, 0, 0], [0, 5_00, -5_00]),
        (TO_QUOTA_AND_ABOVE | {"gate": {"at": "0%", "then": "all"}}, [0, 5_00, 0], [0, 10_00, 0]),
    ],
)
def test_a_quota_of_zero_by_each_convention(words: dict[str, Any], lowest: list[int], highest: list[int]) -> None:
    totals = [0, 100_00, -100_00]
    assert codes(words, quota=0) == ["quota-zero"]
    assert pays(words, totals, quota=0, zero_quota=ZeroQuota.LOWEST) == lowest
    assert pays(words, totals, quota=0, zero_quota=ZeroQuota.HIGHEST) == highest
    assert pays(words, totals, quota=0, zero_quota=ZeroQuota.NOTHING) == [0, 0, 0]


def test_a_quota_of_zero_does_not_matter_where_no_quota_is_used() -> None:
    assert pays({"shape": "flat", "rate": "8%"}, [100], quota=0) == [8]
    assert codes({"shape": "flat", "rate": "1x"}, quota=0, zero_quota=ZeroQuota.HIGHEST) == ["quota-zero"]


def test_what_is_missing_is_a_problem_and_never_zero() -> None:
    assert codes(TO_QUOTA_AND_ABOVE, quota=None) == ["quota-missing"]
    assert codes(POINTS, quota=None, target_minor=None) == ["quota-missing", "target-missing"]
    assert codes({"shape": "flat", "rate": "8%", "cap": "200%"}, target_minor=None) == ["target-missing"]
    assert codes({"shape": "flat", "rate": "personal"}) == ["rate-missing"]
    assert codes({"shape": "flat", "rate": "personal"}, personal_rate=Fraction(-1, 10)) == ["rate-negative"]
    assert codes({"shape": "flat", "rate": "8%"}, quota=-1) == ["quota-negative"]


@pytest.mark.parametrize("boundary", list(Boundary))
def test_a_floor_pays_at_least_that_for_anything_and_nothing_for_nothing(boundary: Boundary) -> None:
    words = {"shape": "flat", "rate": "10%", "floor": "5.00"}
    totals = [-100_00, 0, 1, 49_99, 50_00, 60_00]
    assert pays(words, totals, boundary=boundary) == [-10_00, 0, 5_00, 5_00, 5_00, 6_00]
    gated = words | {"gate": {"at": "20", "then": "all"}, "cap": "5.50"}
    assert pays(gated, [0, 19_99, 20_01, 60_00], boundary=boundary) == [0, 0, 5_00, 5_50]
    from_zero = words | {"gate": {"at": "0", "then": "all"}}
    assert pays(from_zero, [-1, 0, 1], boundary=boundary) == [0, 0, 5_00]
    assert codes(words | {"floor": "50%"}, target_minor=None) == ["target-missing"]


def test_rates_must_suit_what_is_measured() -> None:
    assert codes({"shape": "flat", "rate": "5 each"}) == ["rate-of-other-measure"]
    assert codes({"shape": "flat", "rate": "5%"}, measure=Measure.COUNT) == ["rate-of-other-measure"]


def test_bounds_that_fall_together_or_are_too_fine_are_problems() -> None:
    close = {"shape": "marginal", "tiers": [{"from": "100%", "rate": "5%"}, {"from": "100.1%", "rate": "6%"}]}
    assert codes(close, quota=3) == ["curve-impossible"]
    fine = {"shape": "marginal", "tiers": [{"from": "0.005", "rate": "5%"}]}
    assert codes(fine) == ["bound-too-fine"]


@pytest.mark.parametrize(
    "words",
    [
        {"shape": "flat", "rate": "12.5%"},
        TO_QUOTA_AND_ABOVE | {"gate": {"at": "40%", "then": "above"}, "cap": "25000.00"},
        POINTS | {"after": "continue"},
        STEPS | {"floor": "25.00", "cap": "40%"},
    ],
)
def test_words_read_back_as_they_were_written(words: dict[str, Any]) -> None:
    plain = shape_from_plain(words).unwrap().as_plain()
    assert {name: plain[name] for name in words} == words
    assert shape_from_plain(plain).unwrap() == shape_from_plain(words).unwrap()


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ({"shape": "spiral"}, "shape"),
        (None, "shape"),
        ({"shape": "flat"}, "shape.rate"),
        ({"shape": "flat", "rate": 0.08}, "shape.rate"),
        ({"shape": "flat", "rate": "-8%"}, "shape.rate"),
        ({"shape": "flat", "rate": "NaN"}, "shape.rate"),
        ({"shape": "flat", "rate": "8 %%"}, "shape.rate"),
        ({"shape": "flat", "rate": "٨%"}, "shape.rate"),
        ({"shape": "flat", "rate": "1" * 41}, "shape.rate"),
        ({"shape": "flat", "rate": "8%", "tier": []}, "shape.tier"),
        ({"shape": "flat", "rate": "8%", "cap": "1e9"}, "shape.cap"),
        ({"shape": "flat", "rate": "8%", "floor": "-1"}, "shape.floor"),
        ({"shape": "flat", "rate": "8%", "floor": "60%", "cap": "50%"}, "shape.floor"),
        ({"shape": "flat", "rate": "8%", "gate": {"at": "40%"}}, "shape.gate"),
        ({"shape": "flat", "rate": "8%", "gate": {"at": "x", "then": "all"}}, "shape.gate.at"),
        ({"shape": "marginal", "tiers": []}, "shape.tiers"),
        ({"shape": "marginal", "tiers": [{"from": "0"}]}, "shape.tiers[0]"),
        ({"shape": "marginal", "tiers": [{"from": "1,000", "rate": "5%"}]}, "shape.tiers[0].from"),
        ({"shape": "points", "points": [{"at": "0", "pays": "0"}]}, "shape.points"),
        (POINTS | {"after": "up"}, "shape.after"),
        ({"shape": "steps", "steps": [{"from": "10", "pays": "1"}, {"from": "10", "pays": "2"}]}, "shape"),
        ({"shape": "steps", "steps": [{"from": "10", "pays": "1"}, {"from": "90%", "pays": "2"}]}, "shape"),
    ],
)
def test_words_that_cannot_be_read_are_named_with_their_place(words: Any, place: str) -> None:
    outcome = shape_from_plain(words)
    assert outcome.value is None
    assert [problem.where for problem in outcome.problems] == [place]
