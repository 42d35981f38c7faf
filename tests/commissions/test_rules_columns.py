"""The columnar calculator: exact, independent of order and batches, never wrapping, never guessing."""

from datetime import date
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.commissions.rules import columns, curves
from salesops.commissions.rules.columns import (
    CreditColumns,
    EarningColumns,
    calculate,
    convert_columns,
    curve_numbers,
    split_columns,
)
from salesops.commissions.rules.curves import Curve, CurveError
from salesops.commissions.rules.rounding import Rounding
from salesops.values.calculator import ColumnsError, open_calculator
from salesops.values.money import MAX_MINOR, MIN_MINOR, round_half_up
from salesops.values.split import split_by_largest_remainder
from tests.commissions.test_rules_curves import any_curve

DAY = date(2026, 3, 2).toordinal()
TIERS = [(Fraction(0), Fraction(1, 20)), (Fraction(100_000), Fraction(1, 10))]

# Person, component, period, day, key, amount.
Row = tuple[int, int, int, int, str, int]


def credit_columns(rows: list[Row]) -> CreditColumns:
    """Rows as columns, with keys as text."""
    numbers = [np.array([row[index] for row in rows], dtype=np.int64) for index in (0, 1, 2, 3, 5)]
    keys = np.array([row[4] for row in rows], dtype=object)
    return CreditColumns(numbers[0], numbers[1], numbers[2], numbers[3], keys, numbers[4])


def rows_of(earnings: EarningColumns) -> list[dict[str, int]]:
    """Earnings as a list of plain rows."""
    names = ("before", "after", "pay_before", "pay_after", "amount", "segment_before", "segment_after")
    return [{name: int(getattr(earnings, name)[index]) for name in names} for index in range(len(earnings.amount))]


def one_by_one(rows: list[Row], of: dict[tuple[int, int, int], Curve], rounding: Rounding) -> list[dict[str, int]]:
    """The same calculation on Fractions, a credit at a time."""
    totals: dict[tuple[int, int, int], int] = {}
    found: dict[int, dict[str, int]] = {}
    for index in sorted(range(len(rows)), key=lambda index: (rows[index][3], rows[index][4])):
        group, amount = rows[index][:3], rows[index][5]
        before = totals.get(group, 0)
        after = totals[group] = before + amount
        curve = of[group]
        exact = curve.height(after) - curve.height(before)
        found[index] = {
            "before": before,
            "after": after,
            "pay_before": curve.pay(before),
            "pay_after": curve.pay(after),
            "amount": round_half_up(exact) if rounding is Rounding.PER_LINE else curve.earned(before, after),
            "segment_before": curve.segment_at(before),
            "segment_after": curve.segment_at(after),
        }
    return [found[index] for index in range(len(rows))]


def is_kept(curve: Curve) -> bool:
    """Whether its numbers fit into 64 bits; a plan with another is refused before anything is calculated."""
    try:
        return bool(list(curve.numbers()))
    except CurveError:
        return False


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Row], dict[tuple[int, int, int], Curve]]:
    """Credits of several people, components and periods, some taking back, some landing exactly on a boundary."""
    groups = draw(st.sets(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)), min_size=1, max_size=6))
    of = {group: draw(any_curve().filter(is_kept)) for group in sorted(groups)}
    keys = draw(st.lists(st.text("abé中Z-9", min_size=1, max_size=3), min_size=1, max_size=25, unique=True))
    rows: list[Row] = []
    totals = dict.fromkeys(of, 0)
    for key in keys:
        group = draw(st.sampled_from(sorted(of)))
        bound = int(draw(st.sampled_from(of[group].segments)).start) - totals[group]
        amount = draw(st.one_of(st.integers(-(10**6), 10**6), st.just(bound), st.just(bound + 1)))
        totals[group] += amount
        rows.append((*group, draw(st.integers(DAY, DAY + 3)), key, amount))
    return rows, of


@settings(max_examples=30)
@given(histories(), st.sampled_from(list(Rounding)), st.randoms(use_true_random=False))
def test_columns_agree_with_fractions_one_by_one_in_any_order(
    history: tuple[list[Row], dict[tuple[int, int, int], Curve]], rounding: Rounding, random: Any
) -> None:
    rows, of = history
    assert rows_of(calculate(credit_columns(rows), of, rounding)) == one_by_one(rows, of, rounding)
    with patch.object(columns, "_is_narrow", lambda *_: False):
        assert rows_of(calculate(credit_columns(rows), of, rounding)) == one_by_one(rows, of, rounding)
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = rows_of(calculate(credit_columns([rows[index] for index in order]), of, rounding))
    assert shuffled == [one_by_one(rows, of, rounding)[index] for index in order]


@settings(max_examples=15)
@given(histories())
def test_lines_of_a_period_add_up_to_the_rounded_pay(
    history: tuple[list[Row], dict[tuple[int, int, int], Curve]],
) -> None:
    rows, of = history
    earned: dict[tuple[int, int, int], int] = {}
    totals: dict[tuple[int, int, int], int] = {}
    for row, amount in zip(rows, calculate(credit_columns(rows), of).amount, strict=True):
        earned[row[:3]] = earned.get(row[:3], 0) + int(amount)
        totals[row[:3]] = totals.get(row[:3], 0) + row[5]
    assert earned == {group: of[group].pay(total) - of[group].pay(0) for group, total in totals.items()}


def test_one_person_alone_is_calculated_as_among_all() -> None:
    of = {(person, 1, 1): curves.retroactive(TIERS) for person in (1, 2, 3)}
    rows = [(person, 1, 1, DAY + day, f"T{day}", 33_333 + day) for person in of_people(of) for day in range(9)]
    together = rows_of(calculate(credit_columns(rows), of))
    alone = rows_of(calculate(credit_columns([row for row in rows if row[0] == 2]), of))
    assert alone == [line for row, line in zip(rows, together, strict=True) if row[0] == 2]


def of_people(of: dict[tuple[int, int, int], Curve]) -> list[int]:
    """The people of these groups, in order."""
    return sorted({person for person, _component, _period in of})


def test_order_is_day_then_key_then_rank_and_text_is_compared_by_code_point() -> None:
    credits = CreditColumns(
        *(np.ones(4, dtype=np.int64) for _column in range(3)),
        np.array([DAY + 1, DAY, DAY, DAY], dtype=np.int64),
        np.array(["a", "é", "z", "z"], dtype=object),
        np.array([1, 10, 100, 1000], dtype=np.int64),
        np.array([0, 0, 2, 1], dtype=np.int64),
    )
    assert calculate(credits, {(1, 1, 1): curves.flat(Fraction(1))}).after.tolist() == [1111, 1110, 1100, 1000]
    numbered = CreditColumns(
        *(np.ones(2, dtype=np.int64) for _column in range(4)),
        np.array([10, 9], dtype=np.int64),
        np.array([1, 10], dtype=np.int64),
    )
    assert calculate(numbered, {(1, 1, 1): curves.flat(Fraction(1))}).after.tolist() == [11, 10]


def test_a_credit_across_tiers_and_the_negative_one_that_takes_it_back() -> None:
    of = {(1, 1, 1): curves.retroactive(TIERS)}
    rows = [(1, 1, 1, DAY, "a", 90_000), (1, 1, 1, DAY, "b", 20_000), (1, 1, 1, DAY, "c", -20_000)]
    assert [line["amount"] for line in rows_of(calculate(credit_columns(rows), of))] == [4_500, 6_500, -6_500]


def test_rounding_cumulative_keeps_the_sum_and_per_line_rounds_each() -> None:
    of = {(1, 1, 1): curves.flat(Fraction(1, 200))}
    rows = [(1, 1, 1, DAY, str(index), 100) for index in range(4)]
    cumulative = calculate(credit_columns(rows), of, Rounding.CUMULATIVE)
    assert cumulative.amount.tolist() == [1, 0, 1, 0]
    per_line = calculate(credit_columns(rows), of, Rounding.PER_LINE)
    assert per_line.amount.tolist() == [1, 1, 1, 1]
    back = [(*row[:5], -100) for row in rows]
    assert calculate(credit_columns(back), of, Rounding.PER_LINE).amount.tolist() == [-1, -1, -1, -1]


def test_splitting_one_deal_into_two_changes_nothing_in_the_sum() -> None:
    of = {(1, 1, 1): curves.marginal(TIERS)}
    whole = calculate(credit_columns([(1, 1, 1, DAY, "a", 123_457)]), of)
    halves = calculate(credit_columns([(1, 1, 1, DAY, "a", 61_728), (1, 1, 1, DAY, "b", 61_729)]), of)
    assert whole.amount.sum() == halves.amount.sum() == 7_346


def test_the_edges_of_64_bits_are_exact() -> None:
    of = {(1, 1, 1): curves.flat(Fraction(1))}
    rows = [(1, 1, 1, DAY, "a", MAX_MINOR), (1, 1, 1, DAY, "b", -MAX_MINOR), (1, 1, 1, DAY, "c", MIN_MINOR)]
    assert calculate(credit_columns(rows), of).amount.tolist() == [MAX_MINOR, -MAX_MINOR, MIN_MINOR]
    fine = {(1, 1, 1): curves.flat(Fraction(2**62 - 1, 2**62))}
    line = rows_of(calculate(credit_columns([(1, 1, 1, DAY, "a", MAX_MINOR)]), fine))[0]
    assert line["amount"] == round_half_up(Fraction(2**62 - 1, 2**62) * MAX_MINOR)
    per_line = calculate(credit_columns([(1, 1, 1, DAY, "a", MIN_MINOR)]), fine, Rounding.PER_LINE)
    assert per_line.amount.tolist() == [round_half_up(Fraction(2**62 - 1, 2**62) * MIN_MINOR)]


def test_ordinary_pay_is_reckoned_within_64_bits_and_what_may_leave_them_in_128() -> None:
    _column, tiers = curve_numbers([curves.marginal(TIERS)])
    assert columns._is_narrow(tiers, (0, 10**14, -(10**12), 10**12))
    assert not columns._is_narrow(tiers, (0, 2**61, 0, 1))
    assert not columns._is_narrow(tiers, (0, 1, MIN_MINOR, 0))
    _column, fine = curve_numbers([curves.flat(Fraction(2**31 - 1, 2**31))])
    assert not columns._is_narrow(fine, (0, 1, 0, 1))
    _column, none = curve_numbers([None])
    assert columns._is_narrow(none, (None, None, None, None))


@pytest.mark.parametrize("amounts", [[MAX_MINOR, 1], [MIN_MINOR, -1]])
def test_a_total_beyond_64_bits_is_refused_and_never_wrapped(amounts: list[int]) -> None:
    rows = [(1, 1, 1, DAY, str(index), amount) for index, amount in enumerate(amounts)]
    with pytest.raises(ColumnsError, match="beyond 64-bit"):
        calculate(credit_columns(rows), {(1, 1, 1): curves.flat(Fraction(1, 10))})


def test_a_pay_beyond_64_bits_is_refused_and_never_wrapped() -> None:
    with pytest.raises(ColumnsError, match="beyond 64-bit"):
        calculate(credit_columns([(1, 1, 1, DAY, "a", 2**62)]), {(1, 1, 1): curves.flat(Fraction(3))})
    swing = [(1, 1, 1, DAY, "a", MAX_MINOR), (1, 1, 1, DAY, "b", MIN_MINOR), (1, 1, 1, DAY, "c", MIN_MINOR)]
    with pytest.raises(ColumnsError, match="beyond 64-bit"):
        calculate(credit_columns(swing), {(1, 1, 1): curves.flat(Fraction(1))})


def test_without_a_curve_nothing_is_earned_and_it_is_said() -> None:
    rows = [(1, 1, 1, DAY, "a", 100), (2, 1, 1, DAY, "b", 100), (1, 1, 2, DAY, "c", 100)]
    earnings = calculate(credit_columns(rows), {(1, 1, 1): curves.flat(Fraction(1))})
    assert earnings.amount.tolist() == [100, 0, 0]
    assert earnings.is_calculated.tolist() == [True, False, False]
    assert earnings.segment_after.tolist() == [0, -1, -1]
    assert earnings.without_curve == ((1, 1, 2), (2, 1, 1))


def test_no_credits_give_no_earnings() -> None:
    assert rows_of(calculate(credit_columns([]), {})) == []


def test_a_transaction_credited_twice_at_the_same_place_is_refused() -> None:
    rows = [(1, 1, 1, DAY, "a", 100), (1, 1, 1, DAY, "a", 100)]
    with pytest.raises(ColumnsError, match="is credited twice to person 1"):
        calculate(credit_columns(rows), {(1, 1, 1): curves.flat(Fraction(1))})
    ones = np.ones(2, dtype=np.int64)
    ranked = CreditColumns(ones, ones, ones, ones, ones, ones, np.array([0, 1], dtype=np.int64))
    assert calculate(ranked, {(1, 1, 1): curves.flat(Fraction(1))}).after.tolist() == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": np.ones(2, dtype=np.int64)},
        {"amount": np.ones(1)},
        {"amount": np.ones(1, dtype=np.int32)},
        {"day": np.ones((1, 1), dtype=np.int64)},
        {"key": np.array([None], dtype=object)},
        {"key": np.ones(1)},
        {"rank": np.ones(3, dtype=np.int64)},
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    ones = np.ones(1, dtype=np.int64)
    fields = dict.fromkeys(("person", "component", "period", "day", "key", "amount"), ones) | change
    with pytest.raises(ColumnsError):
        calculate(CreditColumns(**fields), {})


def test_the_calculator_reaches_no_files_and_cannot_be_unlocked(tmp_path: Any) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for statement in (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/other.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SET threads = 1",
    ):
        with open_calculator() as calculator, pytest.raises(duckdb.Error):
            calculator.execute(statement)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


# --- Splits and conversion ----------------------------------------------------------------------------------------


@st.composite
def shared_transactions(draw: st.DrawFn) -> list[tuple[int, dict[int, int]]]:
    """Totals with shares in basis points, most of them whole, some faulty."""
    transactions = []
    for _index in range(draw(st.integers(1, 12))):
        people = sorted(draw(st.sets(st.integers(-5, 40), min_size=1, max_size=6)))
        cuts = sorted(draw(st.lists(st.integers(1, 9_999), min_size=len(people) - 1, max_size=len(people) - 1)))
        shares = [end - start for start, end in zip([0, *cuts], [*cuts, 10_000], strict=True)]
        if draw(st.integers(0, 5)) == 0:
            shares[0] += draw(st.integers(-20_000, 20_000))
        total = draw(st.one_of(st.integers(-(10**6), 10**6), st.sampled_from([MIN_MINOR, MAX_MINOR])))
        transactions.append((total, dict(zip(people, shares, strict=True))))
    return transactions


@settings(max_examples=30)
@given(shared_transactions(), st.randoms(use_true_random=False))
def test_split_columns_are_the_split_rule(transactions: list[tuple[int, dict[int, int]]], random: Any) -> None:
    rows = [
        (number, total, person, share)
        for number, (total, shares) in enumerate(transactions)
        for person, share in shares.items()
    ]
    random.shuffle(rows)
    arrays = [np.array([row[index] for row in rows], dtype=np.int64) for index in range(4)]
    found = split_columns(*arrays)
    refused = {
        number
        for number, (_total, shares) in enumerate(transactions)
        if sum(shares.values()) != 10_000 or min(shares.values()) <= 0
    }
    assert found.refused == tuple(sorted(refused))
    expected = {
        number: dict(zip(shares, split_by_largest_remainder(total, list(shares.values()), list(shares)), strict=True))
        for number, (total, shares) in enumerate(transactions)
        if number not in refused
    }
    for (number, _total, person, _share), part, is_split in zip(rows, found.part, found.is_split, strict=True):
        assert bool(is_split) == (number not in refused)
        assert part == (expected[number][person] if is_split else 0)


def test_what_is_left_over_goes_to_the_smaller_payee_on_a_tie() -> None:
    found = split_columns(
        np.array([1, 1, 1, 2, 2], dtype=np.int64),
        np.array([1, 1, 1, -1, -1], dtype=np.int64),
        np.array([9, 2, 5, 10, 9], dtype=np.int64),
        np.array([3333, 3333, 3334, 5000, 5000], dtype=np.int64),
    )
    assert found.part.tolist() == [0, 0, 1, 0, -1]


def test_a_faulty_split_is_refused_by_number_and_stops_no_other() -> None:
    found = split_columns(
        np.array([7, 7, 8, 8, 9, 9, 10], dtype=np.int64),
        np.array([100, 100, 100, 100, 100, 99, 101], dtype=np.int64),
        np.array([1, 2, 1, 1, 1, 2, 5], dtype=np.int64),
        np.array([5000, 4999, 5000, 5000, 5000, 5000, 10_000], dtype=np.int64),
    )
    assert found.refused == (7, 8, 9)
    assert found.part.tolist() == [0, 0, 0, 0, 0, 0, 101]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(MIN_MINOR, MAX_MINOR), st.integers(0, 10**15), st.integers(1, 10**15)),
        min_size=1,
        max_size=20,
    )
)
def test_convert_columns_are_the_rounding_rule(rows: list[tuple[int, int, int]]) -> None:
    expected = [round_half_up(amount * numerator, denominator) for amount, numerator, denominator in rows]
    arrays = [np.array([row[index] for row in rows], dtype=np.int64) for index in range(3)]
    if all(MIN_MINOR <= value <= MAX_MINOR for value in expected):
        assert convert_columns(*arrays).tolist() == expected
    else:
        with pytest.raises(ColumnsError, match="beyond 64-bit"):
            convert_columns(*arrays)


def test_conversion_needs_a_rate() -> None:
    ones = np.ones(1, dtype=np.int64)
    with pytest.raises(ColumnsError, match="above zero"):
        convert_columns(ones, ones, ones * 0)
