"""Figures of groups: least sizes, nobody too heavy, nothing by difference, whoever reads."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.effort.rules.groups import Figures, TooFew, disclose, figures_of, percentile, smallest_sum
from tests.leads.gtm_cases import case_of


def reported(figures: Figures | TooFew) -> set[str]:
    """The names of what is said."""
    if isinstance(figures, TooFew):
        return set()
    return {name for name in ("mean", "median", "p25", "p75", "p10", "p90", "min", "max") if said(figures, name)}


def said(figures: Figures, name: str) -> bool:
    return getattr(figures, name, None) is not None


def scores(count: int) -> list[int]:
    return [5_000 + 100 * place for place in range(count)]


@pytest.mark.parametrize("name", ["bench-64", "bench-65"])
def test_what_is_reported_as_printed(name: str) -> None:
    case = case_of(name)
    found = reported(figures_of(scores(case["inputs"]["participants"])))
    assert found == set(case["expected"]["report"])
    assert not found & set(case["expected"]["not"])


def test_of_four_nothing_is_said() -> None:
    assert figures_of(scores(4)) == TooFew("few")
    assert figures_of([]) == TooFew("few")
    assert figures_of(scores(6), least=7) == TooFew("few")
    assert figures_of(scores(4), least=2) == TooFew("few"), "the setting can only make it stricter"


def test_nobody_is_more_than_a_quarter_of_it() -> None:
    assert figures_of([1000, 1000, 1000, 1000, 1334]) == TooFew("heavy")
    assert isinstance(figures_of([1000, 1000, 1000, 1000, 1000, 1000, 2000]), Figures)
    assert figures_of([1000, 1000, 1000, 1000, 1000, 1000, 2001]) == TooFew("heavy")
    assert isinstance(figures_of([0, 0, 0, 0, 0]), Figures)


def test_the_figures() -> None:
    assert figures_of([10_00, 20_00, 30_00, 40_00, 33_33]) == TooFew("heavy")
    figures = figures_of([50_00, 60_00, 70_00, 80_00, 66_67])
    assert figures == Figures(5, mean=65_00, median=67_00, p25=60_00, p75=70_00)
    ten = figures_of([1000 + 100 * each for each in range(10)])
    assert ten == Figures(10, mean=15_00, median=15_00, p25=12_00, p75=17_00, p10=11_00, p90=18_00)
    assert percentile([10, 20, 30, 40, 50], Fraction(1, 4)) == 20
    assert percentile([0, 10], Fraction(1, 4)) == Fraction(5, 2)


def people(*numbers: int) -> dict[int, int]:
    return {number: 5_000 + number for number in numbers}


Groups = dict[str, dict[int, int]]


def shown(first: Groups, second: Groups | None = None, **more: Any) -> set[str]:
    found = disclose([first, second or {}], **more)
    return {name for side in found for name, figures in side.items() if isinstance(figures, Figures)}


def test_beside_the_reader_there_are_four_others() -> None:
    five, six = people(*range(5)), people(*range(10, 16))
    assert shown({"five": five, "six": six}, known={0}) == {"five", "six"}
    assert disclose([{"six": six}], known={10, 11, 12}) == [{"six": TooFew("others")}]
    assert shown({"six": six}, known={10, 11}) == {"six"}


def test_a_group_and_the_same_without_one_are_not_both_shown() -> None:
    """The sum of one less the sum of the other is somebody's score."""
    everybody, but_one = {"all": people(*range(10))}, {"but one": people(*range(9))}
    assert disclose([everybody, but_one])[1] == {"but one": TooFew("difference")}
    assert shown(everybody, but_one) == {"all"}
    assert shown(everybody, {"half": people(*range(5))}) == {"all", "half"}
    assert shown({"all": people(*range(9))}, {"six": people(*range(6))}) == {"all"}, "three are left over"


def test_two_divisions_of_the_same_people_are_judged_together() -> None:
    """All functions less all pods is the one person who is in no pod."""
    functions = {"a": people(*range(10)), "b": people(*range(10, 21))}
    pods = {"c": people(*range(5), *range(10, 15)), "d": people(*range(5, 10), *range(15, 20))}
    assert shown(functions, pods) == {"a", "b", "c"}
    assert disclose([functions, pods])[1]["d"] == TooFew("difference")
    everybody_in_a_pod = {"a": functions["a"], "b": people(*range(10, 20))}
    assert shown(everybody_in_a_pod, pods) == {"a", "b", "c", "d"}, "nobody is left over"


def test_the_reader_counts_as_known_in_differences() -> None:
    """Two groups that differ by the reader and three others tell of three; by four others they tell of four."""
    everybody, five = {"all": people(*range(9))}, {"five": people(*range(4, 9))}
    assert shown(everybody, five) == {"all", "five"}
    assert shown(everybody, five, known={0}) == {"all"}


def test_nobody_is_twice_in_a_division() -> None:
    with pytest.raises(ValueError, match="once in each"):
        disclose([{"a": people(1, 2), "b": people(2, 3)}])
    with pytest.raises(ValueError, match="at most two"):
        disclose([{}, {}, {}])


PLACES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=5, max_size=22)


def divided(places: list[tuple[int, int]]) -> tuple[Groups, Groups]:
    """People by their place in two divisions; 0 is in no group."""
    sides: tuple[Groups, Groups] = ({}, {})
    for person, pair in enumerate(places):
        for side, place in enumerate(pair):
            if place:
                sides[side].setdefault(f"{'ab'[side]}{place}", {})[person] = 5_000
    return sides


@given(PLACES, st.sets(st.integers(0, 21), max_size=4))
def test_no_sum_of_fewer_than_four_can_be_had(places: list[tuple[int, int]], known: set[int]) -> None:
    """By rank, for every choice of three: the sums say of them no more than they say without them."""
    first, second = divided(places)
    told = shown(first, second, known=known)
    groups = [frozenset(group) for name, group in {**first, **second}.items() if name in told]
    assert all(len(group) >= 5 and len(group - known) >= 4 for group in groups)
    others = sorted(frozenset().union(*groups) - known)
    if not others:
        return
    table = numpy.array([[float(person in group) for person in others] for group in groups])
    rank = numpy.linalg.matrix_rank(table)
    kinds: dict[tuple[float, ...], list[int]] = {}
    for column in range(len(others)):
        kinds.setdefault(tuple(table[:, column]), []).append(column)
    for size in (1, 2, 3):
        for chosen in combinations(sorted(kinds), size):
            _still(table, rank, [column for kind in chosen for column in kinds[kind]])


def _still(table: Any, rank: int, columns: list[int]) -> None:
    """Whoever could be told apart is told apart without these people as well: there is no sum over them alone."""
    if len(columns) < 4:
        assert numpy.linalg.matrix_rank(numpy.delete(table, columns, axis=1)) == rank


@given(PLACES)
def test_the_smallest_sum_is_the_smallest(places: list[tuple[int, int]]) -> None:
    """Against all factors of -1, 0 and 1."""
    first, second = divided(places)
    groups = [frozenset(group) for group in [*first.values(), *second.values()]]
    found = []
    for factors in product((-1, 0, 1), repeat=len(groups)):
        total: dict[int, int] = {}
        for factor, group in zip(factors, groups, strict=True):
            for person in group:
                total[person] = total.get(person, 0) + factor
        size = sum(1 for value in total.values() if value)
        if size:
            found.append(size)
    sides = [[frozenset(group) for group in side.values()] for side in (first, second)]
    if found:
        assert smallest_sum(*sides) == min(found)
    else:
        assert smallest_sum(*sides) > 1_000
