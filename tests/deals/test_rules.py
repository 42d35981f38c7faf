"""The deals room's rules: moves between stages, amounts, shares, the forecast, places on the board."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.deals.rules.amounts import Share, deal_amount, line_amount, percent, problems_of_shares
from salesops.deals.rules.forecast import Figures, Slice, figures_by, figures_of
from salesops.deals.rules.places import place_between, place_on_entering
from salesops.deals.rules.stages import Decision, Move, MoveFacts, StageFacts, decide_move
from salesops.values.money import MoneyError

TODAY = date(2026, 6, 17)
OPEN, LATER = StageFacts(1, "open"), StageFacts(2, "open")
WON, WON_TOO, LOST = StageFacts(3, "won"), StageFacts(4, "won"), StageFacts(5, "lost")


def codes(facts: MoveFacts) -> list[str]:
    return [problem.code for problem in decide_move(facts).problems]


def test_moving_between_open_stages_keeps_the_deal_open() -> None:
    assert decide_move(MoveFacts(OPEN, LATER, TODAY)).unwrap() == Decision(Move.ADVANCE, "open", None, "")


def test_winning_takes_today_unless_a_day_is_given() -> None:
    facts = MoveFacts(OPEN, WON, TODAY)
    assert decide_move(facts).unwrap() == Decision(Move.WIN, "won", TODAY, "")
    given_day = replace(facts, closed_on=date(2026, 6, 1), lost_because="not asked")
    assert decide_move(given_day).unwrap() == Decision(Move.WIN, "won", date(2026, 6, 1), "")


def test_losing_needs_a_reason_of_more_than_blanks() -> None:
    facts = MoveFacts(OPEN, LOST, TODAY, lost_because="  \n")
    assert codes(facts) == ["reason-missing"]
    told = replace(facts, lost_because=" too   dear ")
    assert decide_move(told).unwrap() == Decision(Move.LOSE, "lost", TODAY, "too dear")


def test_a_deal_cannot_close_tomorrow_or_before_it_was_opened() -> None:
    facts = MoveFacts(OPEN, WON, TODAY, opened_on=date(2026, 6, 10))
    assert codes(replace(facts, closed_on=date(2026, 6, 18))) == ["closed-in-future"]
    assert codes(replace(facts, closed_on=date(2026, 6, 9))) == ["closed-before-opened"]
    assert codes(replace(facts, closed_on=date(2026, 6, 10))) == []


def test_all_that_speaks_against_a_move_is_said_at_once() -> None:
    assert codes(MoveFacts(OPEN, LOST, TODAY, closed_on=date(2027, 1, 1))) == ["closed-in-future", "reason-missing"]


def test_reopening_clears_the_day_and_the_reason() -> None:
    facts = MoveFacts(LOST, OPEN, TODAY, closed_on_now=date(2026, 5, 1), lost_because_now="price")
    assert decide_move(facts).unwrap() == Decision(Move.REOPEN, "open", None, "")


def test_an_outcome_changes_only_by_way_of_reopening() -> None:
    assert codes(MoveFacts(WON, LOST, TODAY, lost_because="price")) == ["reopen-first"]
    assert codes(MoveFacts(LOST, WON, TODAY)) == ["reopen-first"]


def test_between_two_won_stages_the_day_stays() -> None:
    facts = MoveFacts(WON, WON_TOO, TODAY, closed_on_now=date(2026, 5, 1), closed_on=date(2026, 6, 1))
    assert decide_move(facts).unwrap() == Decision(Move.ADVANCE, "won", date(2026, 5, 1), "")


def test_a_stage_out_of_use_takes_no_more_deals_but_a_deal_may_stay_in_it() -> None:
    old = StageFacts(9, "open", is_active=False)
    assert codes(MoveFacts(OPEN, old, TODAY)) == ["stage-not-in-use"]
    assert decide_move(MoveFacts(old, old, TODAY)).unwrap().move is Move.NONE


@pytest.mark.parametrize(
    ("quantity", "price", "discount_bp", "amount"),
    [
        ("3", 33_333, 0, 99_999),
        ("1", 5, 5_000, 3),  # 2.5 rounds up
        ("1", -5, 5_000, -3),  # and away from zero
        ("0.333", 1_000, 0, 333),
        ("1.5", 1, 0, 2),
        ("2", 482_100, 1_250, 843_675),
        ("1", 100, 10_000, 0),
        ("-1", 4_821, 0, -4_821),
    ],
)
def test_a_line_is_rounded_once_half_up(quantity: str, price: int, discount_bp: int, amount: int) -> None:
    assert line_amount(Decimal(quantity), price, discount_bp) == amount


@given(
    st.decimals(min_value=-1000, max_value=1000, places=4),
    st.integers(-(10**9), 10**9),
    st.integers(0, 10_000),
)
def test_a_line_is_within_half_a_unit_of_the_exact_amount(quantity: Decimal, price: int, discount_bp: int) -> None:
    exact = Fraction(quantity) * price * (10_000 - discount_bp) / 10_000
    assert abs(line_amount(quantity, price, discount_bp) - exact) <= Fraction(1, 2)
    assert line_amount(-quantity, price, discount_bp) == -line_amount(quantity, price, discount_bp)


@pytest.mark.parametrize(
    ("quantity", "price", "discount_bp"),
    [("1", 100, 10_001), ("1", 100, -1), ("NaN", 1, 0), ("Infinity", 1, 0), ("1000000001", 1, 0), ("2", 2**63 - 1, 0)],
)
def test_a_line_that_cannot_be_is_refused(quantity: str, price: int, discount_bp: int) -> None:
    with pytest.raises(MoneyError):
        line_amount(Decimal(quantity), price, discount_bp)


def test_the_sum_of_lines_is_bounded_like_any_money() -> None:
    assert deal_amount([1, 2, -4]) == -1
    with pytest.raises(MoneyError):
        deal_amount([2**62, 2**62])


def test_shares_are_a_hundred_percent_or_none() -> None:
    assert problems_of_shares([]) == ()
    assert problems_of_shares([Share(1, "ae", 6_667), Share(2, "ae", 3_333)]) == ()
    (problem,) = problems_of_shares([Share(1, "ae", 6_667), Share(2, "ae", 3_332)])
    assert problem.code == "shares-not-whole"
    assert problem.text() == "The shares add up to 99.99 %, not to 100 %."


def test_the_same_person_may_share_twice_only_in_different_functions() -> None:
    assert problems_of_shares([Share(1, "ae", 5_000), Share(1, "sdr", 5_000)]) == ()
    assert [p.code for p in problems_of_shares([Share(1, "ae", 5_000), Share(1, "ae", 5_000)])] == ["share-twice"]
    assert [p.code for p in problems_of_shares([Share(1, "ae", 0), Share(2, "ae", 10_000)])] == ["share-not-positive"]


def test_what_one_person_has_on_top_is_a_hundred_percent_at_most() -> None:
    top = [Share(1, "sdr", 10_000, True), Share(2, "csm", 10_000, True)]
    assert problems_of_shares(top) == ()
    assert [p.code for p in problems_of_shares([*top, Share(1, "csm", 1, True)])] == ["share-too-large"]


@pytest.mark.parametrize(("share_bp", "text"), [(10_000, "100"), (3_333, "33.33"), (50, "0.5"), (0, "0")])
def test_basis_points_as_percent(share_bp: int, text: str) -> None:
    assert percent(share_bp) == text


def test_the_forecast_keeps_currencies_apart_and_rounds_the_weight_once() -> None:
    slices = [
        Slice("USD", True, 10_000, 1_000, 1, owner_id=1),
        Slice("USD", False, 2_500, 1, 1, owner_id=1),
        Slice("USD", False, 2_500, 1, 1, owner_id=2),
        Slice("EUR", False, 5_000, 101, 1, owner_id=2),
    ]
    assert figures_of(slices) == [
        Figures("EUR", 0, 0, 101, 1, 51),
        Figures("USD", 1_000, 1, 2, 2, 1),  # two quarters of a cent are half a cent, which rounds up
    ]
    dollars = figures_of(slices)[1]
    assert (dollars.forecast_minor, dollars.best_case_minor) == (1_001, 1_002)
    by_owner = figures_by(slices, "owner_id")
    assert by_owner[1] == [Figures("USD", 1_000, 1, 1, 1, 0)]
    assert by_owner[2] == [Figures("EUR", 0, 0, 101, 1, 51), Figures("USD", 0, 0, 1, 1, 0)]


def test_what_enters_a_column_last_stands_on_top() -> None:
    first = place_on_entering(datetime(2026, 6, 17, 10, 0, 0, 1, tzinfo=UTC))
    second = place_on_entering(datetime(2026, 6, 17, 10, 0, 0, 2, tzinfo=UTC))
    assert second == first - 1


def test_a_card_is_placed_between_its_neighbours() -> None:
    assert place_between(-300, -100) == -200
    assert place_between(None, -100) == -1_000_100
    assert place_between(-300, None) == 999_700
    assert place_between(None, None) is None
    assert place_between(5, 5) == 5
