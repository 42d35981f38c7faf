"""Splits: nothing is lost, nobody is favoured by where they stand in the list."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.values.money import MAX_MINOR, MIN_MINOR, MoneyError
from salesops.values.split import split_by_largest_remainder

TOTALS = st.integers(MIN_MINOR, MAX_MINOR)
SHARES = st.dictionaries(
    st.text(max_size=4),
    st.one_of(st.integers(0, 10_000), st.fractions(min_value=0, max_value=1000)),
    min_size=1,
    max_size=50,
).filter(lambda shares: any(shares.values()))


def test_thirds_of_a_hundred_go_to_the_smaller_key_first() -> None:
    assert split_by_largest_remainder(100, [1, 1, 1], ["c", "b", "a"]) == [33, 33, 34]
    assert split_by_largest_remainder(-100, [1, 1, 1], ["c", "b", "a"]) == [-33, -33, -34]
    assert split_by_largest_remainder(101, [1, 1, 1], [7, 10, 9]) == [34, 33, 34]


def test_the_largest_remainder_comes_before_the_smaller_key() -> None:
    assert split_by_largest_remainder(10, [Fraction(34, 100), Fraction(36, 100), Fraction(3, 10)], ["a", "b", "c"]) == [
        3,
        4,
        3,
    ]


@given(TOTALS, SHARES)
def test_parts_add_up_and_stay_within_one_unit_of_exact(total: int, shares: dict[str, int | Fraction]) -> None:
    parts = split_by_largest_remainder(total, list(shares.values()), list(shares))
    assert sum(parts) == total
    whole = sum(Fraction(share) for share in shares.values())
    for part, share in zip(parts, shares.values(), strict=True):
        assert abs(part - total * Fraction(share) / whole) < 1
        assert share or not part


@given(TOTALS, SHARES, st.randoms())
def test_the_order_of_the_list_changes_nothing(total: int, shares: dict[str, int | Fraction], random: object) -> None:
    keys = list(shares)
    before = dict(zip(keys, split_by_largest_remainder(total, [shares[key] for key in keys], keys), strict=True))
    random.shuffle(keys)  # type: ignore[attr-defined]  # Hypothesis gives a Random
    after = dict(zip(keys, split_by_largest_remainder(total, [shares[key] for key in keys], keys), strict=True))
    assert after == before


@given(TOTALS, SHARES)
def test_a_negative_total_is_the_mirror_image(total: int, shares: dict[str, int | Fraction]) -> None:
    weights, keys = list(shares.values()), list(shares)
    up = split_by_largest_remainder(abs(total), weights, keys)
    assert split_by_largest_remainder(-abs(total), weights, keys) == [-part for part in up]


@pytest.mark.parametrize(
    ("total", "weights", "keys"),
    [
        (100, [], []),
        (0, [], []),
        (100, [0, 0], ["a", "b"]),
        (100, [1, -1], ["a", "b"]),
        (100, [1], ["a", "b"]),
        (100, [1, 1], ["a", "a"]),
        (100, [0.5, 0.5], ["a", "b"]),
        (100, [True, 1], ["a", "b"]),
        (1.0, [1], ["a"]),
    ],
)
def test_what_cannot_be_shared_is_refused(total: int, weights: list[int], keys: list[str]) -> None:
    with pytest.raises(MoneyError):
        split_by_largest_remainder(total, weights, keys)
