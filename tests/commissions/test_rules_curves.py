"""Curves: exact heights, who owns a boundary, the way walked, and what is refused."""

import itertools
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.commissions.rules import curves
from salesops.commissions.rules.curves import Boundary, Curve, CurveError, Segment, curve_from_plain, curve_problems

TENTH, TWENTIETH = Fraction(1, 10), Fraction(1, 20)
ZERO = Fraction(0)
QUOTA = Fraction(100_000_00)


@st.composite
def any_curve(draw: st.DrawFn) -> Curve:
    """Curves of every shape, with gates, caps and floors, jumps up and down, fractional bounds."""
    boundary = draw(st.sampled_from(list(Boundary)))
    bounds = sorted(draw(st.sets(st.integers(0, 10**6), min_size=2, max_size=5)))
    values = draw(st.lists(st.fractions(0, 3, max_denominator=1000), min_size=len(bounds), max_size=len(bounds)))
    rows = [(Fraction(bound), value) for bound, value in zip(bounds, values, strict=True)]
    pays = [(bound, value * 100_000) for bound, value in rows]
    curve = draw(
        st.sampled_from(
            [
                curves.flat(values[0], boundary),
                curves.marginal(rows, boundary),
                curves.retroactive(rows, boundary),
                curves.steps(pays, boundary),
                curves.joined(pays, boundary),
                curves.joined(pays, boundary, is_continued=True),
            ]
        )
    )
    if draw(st.booleans()):
        curve = curves.gated(curve, Fraction(draw(st.integers(1, 10**6))), is_from_gate=draw(st.booleans()))
    if draw(st.booleans()):
        curve = curves.capped(curve, draw(st.fractions(0, 10**6, max_denominator=7)))
    if draw(st.booleans()):
        curve = curves.floored(curve, draw(st.fractions(-(10**6), 0, max_denominator=7)))
    return curve


TOTALS = st.integers(-(10**7), 10**7)


def test_flat_pays_the_rate_on_everything_and_takes_it_back_below_zero() -> None:
    curve = curves.flat(Fraction(8, 100))
    assert [curve.pay(x) for x in (0, 100, 62_000_00, -50_00, 1, 6, 7)] == [0, 8, 4960_00, -4_00, 0, 0, 1]


def test_marginal_pays_each_tier_on_its_part() -> None:
    curve = curves.marginal([(ZERO, TWENTIETH), (QUOTA, TENTH)])
    assert curve.pay(100_000_00) == 5_000_00
    assert curve.pay(130_000_00) == 8_000_00
    assert curve.earned(90_000_00, 120_000_00) == 500_00 + 2_000_00
    assert curve.jumps() == []


def test_retroactive_jumps_to_the_new_rate_on_everything() -> None:
    curve = curves.retroactive([(ZERO, TWENTIETH), (QUOTA, TENTH)])
    assert curve.pay(99_999_99) == 5_000_00
    assert curve.pay(100_000_00) == 10_000_00
    assert curve.jumps() == [(1, Fraction(5_000_00))]
    assert curve.earned(110_000_00, 60_000_00) == 3_000_00 - 11_000_00


def test_the_lower_side_may_own_the_boundary() -> None:
    tiers = [(ZERO, TWENTIETH), (QUOTA, TENTH)]
    lower = curves.retroactive(tiers, Boundary.LOWER)
    assert lower.pay(100_000_00) == 5_000_00
    assert lower.pay(100_000_01) == 10_000_00
    assert lower.segment_at(100_000_00) == 0
    upper = curves.retroactive(tiers, Boundary.UPPER)
    assert upper.segment_at(100_000_00) == 1


def test_steps_pay_fixed_amounts() -> None:
    curve = curves.steps([(QUOTA, Fraction(5_000_00)), (QUOTA * 6 / 5, Fraction(8_000_00))])
    totals = (0, 99_999_99, 100_000_00, 119_999_99, 120_000_00, 500_000_00, -1)
    assert [curve.pay(x) for x in totals] == [0, 0, 5_000_00, 5_000_00, 8_000_00, 8_000_00, 0]


def test_joined_points_are_linear_between_and_flat_outside() -> None:
    target = Fraction(10_000_00)
    curve = curves.joined([(QUOTA / 2, ZERO), (QUOTA, target), (QUOTA * 13 / 10, 2 * target)])
    totals = (-5, 0, 50_000_00, 75_000_00, 100_000_00, 115_000_00, 130_000_00, 900_000_00)
    assert [curve.pay(x) for x in totals] == [0, 0, 0, 5_000_00, 10_000_00, 15_000_00, 20_000_00, 20_000_00]
    onward = curves.joined([(QUOTA / 2, ZERO), (QUOTA, target)], is_continued=True)
    assert onward.pay(150_000_00) == 20_000_00


def test_corner_points_are_hit_exactly_where_a_rounded_rate_would_miss() -> None:
    curve = curves.joined([(ZERO, ZERO), (Fraction(700_000_01), Fraction(33_333_33))])
    assert curve.pay(700_000_01) == 33_333_33
    assert curve.height(700_000_01) == 33_333_33


def test_a_gate_pays_nothing_below_and_then_all_or_only_what_is_above() -> None:
    flat = curves.flat(TENTH)
    everything = curves.gated(flat, Fraction(40_000_00))
    above = curves.gated(flat, Fraction(40_000_00), is_from_gate=True)
    assert [everything.pay(x) for x in (39_999_99, 40_000_00, 50_000_00, -10)] == [0, 4_000_00, 5_000_00, 0]
    assert [above.pay(x) for x in (39_999_99, 40_000_00, 50_000_00, -10)] == [0, 0, 1_000_00, 0]
    lower = curves.gated(curves.flat(TENTH, Boundary.LOWER), Fraction(40_000_00))
    assert [lower.pay(x) for x in (40_000_00, 40_000_10)] == [0, 4_000_01]


def test_a_gate_at_a_jump_opens_above_it() -> None:
    tiers = [(ZERO, TWENTIETH), (QUOTA, TENTH)]
    above = curves.gated(curves.retroactive(tiers), QUOTA, is_from_gate=True)
    assert [above.pay(x) for x in (99_999_99, 100_000_00, 110_000_00)] == [0, 0, 1_000_00]


def test_a_cap_is_flat_from_the_exact_place_where_it_is_reached() -> None:
    curve = curves.capped(curves.flat(Fraction(3, 100)), Fraction(1_000_00))
    assert curve.segments[1].start == Fraction(10_000_000, 3)
    assert [curve.pay(x) for x in (33_333_33, 33_333_34, 99_999_99)] == [1_000_00, 1_000_00, 1_000_00]
    assert curve.height(33_333_33) == Fraction(99_999_99, 100)
    assert [piece.label for piece in curve.stretch(0, 40_000_00)] == ["tier:1", "cap"]


def test_a_cap_over_several_tiers_and_a_falling_curve() -> None:
    curve = curves.capped(
        curves.marginal([(ZERO, TWENTIETH), (QUOTA, TENTH), (2 * QUOTA, TENTH * 2)]), Fraction(6_000_00)
    )
    assert [curve.pay(x) for x in (100_000_00, 110_000_00, 150_000_00, 900_000_00)] == [
        5_000_00,
        6_000_00,
        6_000_00,
        6_000_00,
    ]
    assert len(curve.segments) == 3
    falling = curves.capped(
        curves.joined([(ZERO, ZERO), (Fraction(10), Fraction(100)), (Fraction(20), ZERO)]), Fraction(50)
    )
    assert [falling.pay(x) for x in (4, 5, 10, 15, 16, 20, 30)] == [40, 50, 50, 50, 40, 0, 0]


def test_a_floor_holds_from_below() -> None:
    curve = curves.floored(curves.flat(TENTH), Fraction(-5_00))
    assert [curve.pay(x) for x in (-100_00, -50_00, -49_90, 100)] == [-5_00, -5_00, -4_99, 10]


def test_the_stretch_tells_tier_by_tier() -> None:
    curve = curves.retroactive([(ZERO, TWENTIETH), (QUOTA, TENTH)])
    pieces = curve.stretch(90_000_00, 120_000_00)
    assert [(piece.kind, piece.segment, piece.x_from, piece.x_to, piece.rate, piece.amount) for piece in pieces] == [
        ("slope", 0, 90_000_00, 100_000_00, TWENTIETH, 500_00),
        ("jump", 1, 100_000_00, 100_000_00, 0, 5_000_00),
        ("slope", 1, 100_000_00, 120_000_00, TENTH, 2_000_00),
    ]
    back = curve.stretch(120_000_00, 90_000_00)
    assert [(piece.kind, piece.amount) for piece in back] == [
        ("slope", -2_000_00),
        ("jump", -5_000_00),
        ("slope", -500_00),
    ]
    assert curve.stretch(5, 5) == ()


def test_a_jump_counts_only_when_the_side_that_owns_it_is_reached() -> None:
    tiers = [(ZERO, TWENTIETH), (QUOTA, TENTH)]
    arriving = {
        boundary: [piece.kind for piece in curves.retroactive(tiers, boundary).stretch(0, 100_000_00)]
        for boundary in Boundary
    }
    assert arriving == {Boundary.UPPER: ["slope", "jump"], Boundary.LOWER: ["slope"]}
    leaving = {
        boundary: [piece.kind for piece in curves.retroactive(tiers, boundary).stretch(100_000_00, 100_000_10)]
        for boundary in Boundary
    }
    assert leaving == {Boundary.UPPER: ["slope"], Boundary.LOWER: ["jump", "slope"]}


@given(any_curve(), TOTALS, TOTALS)
def test_the_pieces_of_a_way_add_up_to_the_difference_of_the_heights(curve: Curve, start: int, end: int) -> None:
    pieces = curve.stretch(start, end)
    assert sum((piece.amount for piece in pieces), ZERO) == curve.height(end) - curve.height(start)
    if pieces:
        assert (pieces[0].x_from, pieces[-1].x_to) == (start, end)


@given(any_curve(), st.lists(TOTALS, min_size=1, max_size=20))
def test_cumulative_lines_add_up_to_the_pay_of_the_last_total(curve: Curve, totals: list[int]) -> None:
    way = [0, *totals]
    assert sum(curve.earned(a, b) for a, b in itertools.pairwise(way)) == curve.pay(totals[-1]) - curve.pay(0)


@given(any_curve(), st.fractions(0, 10**6, max_denominator=9), TOTALS)
def test_cap_and_floor_are_the_smaller_and_the_greater(curve: Curve, limit: Fraction, x: int) -> None:
    assert curves.capped(curve, limit).height(x) == min(curve.height(x), limit)
    assert curves.floored(curve, limit).height(x) == max(curve.height(x), limit)


@given(any_curve(), st.fractions(0, 10**6, max_denominator=9), st.integers(-(10**6), 10**6), TOTALS)
def test_a_floor_from_some_total_on(curve: Curve, limit: Fraction, since: int, x: int) -> None:
    is_raised = x > since or (x == since and curve.boundary is Boundary.UPPER)
    found = curves.floored(curve, limit, Fraction(since)).height(x)
    assert found == (max(curve.height(x), limit) if is_raised else curve.height(x))


@given(any_curve(), TOTALS)
def test_the_integers_of_the_columns_are_the_same_curve(curve: Curve, x: int) -> None:
    row = [row for row in curve.numbers() if row.first <= x][-1]
    assert row.segment == curve.segment_at(x)
    assert row.whole + Fraction(row.rest + row.slope * x, row.denominator) == curve.height(x)
    assert 0 <= row.rest < row.denominator


@given(any_curve())
def test_a_curve_survives_json(curve: Curve) -> None:
    assert curve_from_plain(json.loads(json.dumps(curve.as_plain()))).unwrap() == curve


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"boundary": "both"}, "curve.boundary"),
        ({"segments": "none"}, "curve"),
        ({"segments": []}, "curve"),
        ({"segments": [{"start": "0", "height": "0", "slope": "NaN"}]}, "curve.segments[0].slope"),
        ({"segments": [{"start": "0", "height": 0.5, "slope": "1"}]}, "curve.segments[0].height"),
        ({"segments": [{"start": "1/0", "height": "0", "slope": "1"}]}, "curve.segments[0].start"),
        ({"segments": [{"start": "9" * 41, "height": "0", "slope": "1"}]}, "curve.segments[0].start"),
        ({"segments": [{"start": "9" * 30, "height": "0", "slope": "1"}]}, "curve"),
        ({"segments": [7]}, "curve.segments[0]"),
        ({"segments": [{"start": "0", "height": "0", "slope": "1", "label": 7}]}, "curve.segments[0].label"),
        ({"segments": [{"start": "5", "height": "0", "slope": "1"}] * 2}, "curve"),
        ({"segments": [{"start": str(x), "height": "0", "slope": "1"} for x in range(1001)]}, "curve"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(change: dict[str, object], place: str) -> None:
    outcome = curve_from_plain(curves.flat(TENTH).as_plain() | change)
    assert outcome.value is None
    assert [problem.where for problem in outcome.problems] == [place]


@pytest.mark.parametrize("plain", [None, [], "curve", 5])
def test_what_is_not_a_curve_at_all_is_refused(plain: object) -> None:
    assert curve_from_plain(plain).value is None


def test_malformed_curves_cannot_be_made() -> None:
    with pytest.raises(CurveError, match="at least one segment"):
        Curve(())
    with pytest.raises(CurveError, match="not in order"):
        curves.marginal([(QUOTA, TENTH), (ZERO, TENTH)])
    with pytest.raises(CurveError, match="not in order"):
        curves.joined([(QUOTA, ZERO), (QUOTA, TENTH)])
    with pytest.raises(CurveError, match="at least two points"):
        curves.joined([(QUOTA, ZERO)])
    with pytest.raises(CurveError, match="below zero"):
        curves.steps([(Fraction(-1), TENTH)])
    with pytest.raises(CurveError, match="At least one tier"):
        curves.marginal([])
    with pytest.raises(CurveError, match="not an exact number"):
        Curve((Segment(ZERO, ZERO, 0.1),))  # type: ignore[arg-type]  # a float is what is refused
    with pytest.raises(CurveError, match="who owns a boundary"):
        Curve((Segment(ZERO, ZERO, TENTH),), "upper")  # type: ignore[arg-type]  # plain text is what is refused
    with pytest.raises(CurveError, match="64-bit"):
        curves.marginal([(ZERO, TENTH), (Fraction(2**63), TENTH)])


def _codes(curve: Curve, **allowed: object) -> list[str]:
    return [problem.code for problem in curve_problems(curve, **allowed)]  # type: ignore[arg-type]  # passed through


def test_a_sound_curve_has_no_problems() -> None:
    assert _codes(curves.marginal([(ZERO, TWENTIETH), (QUOTA, TENTH)]), most_rate=TENTH) == []


def test_a_curve_that_pays_for_nothing_is_a_problem() -> None:
    assert _codes(curves.steps([(ZERO, QUOTA)])) == ["curve-not-from-zero"]
    assert _codes(curves.steps([(ZERO, QUOTA)], Boundary.LOWER)) == []


def test_a_falling_curve_is_a_problem_unless_allowed() -> None:
    falling = curves.retroactive([(ZERO, TENTH), (QUOTA, TWENTIETH)])
    assert not falling.is_rising
    assert _codes(falling) == ["curve-falls"]
    assert _codes(falling, is_falling_allowed=True) == []
    assert _codes(curves.flat(-TENTH)) == ["curve-falls"]


def test_an_absurd_rate_is_a_problem() -> None:
    assert _codes(curves.flat(Fraction(8)), most_rate=Fraction(10)) == []
    assert _codes(curves.flat(Fraction(800)), most_rate=Fraction(10)) == ["rate-absurd"]


def test_numbers_too_fine_for_columns_are_a_problem_and_not_a_wrong_number() -> None:
    fine = curves.flat(Fraction(1, 2**62 + 1))
    assert _codes(fine) == ["curve-too-fine"]
    with pytest.raises(CurveError, match="too fine"):
        fine.numbers()
    assert _codes(curves.flat(Fraction(1, 2**62))) == []
