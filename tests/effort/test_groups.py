"""Figures of groups: least sizes, nobody too heavy, nothing by difference, whoever reads."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.effort.rules.groups import Figures, TooFew, disclose, figures_of, gives_away, percentile
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


def shown(groups: dict[str, dict[int, int]], **more: Any) -> set[str]:
    return {name for name, figures in disclose(groups, **more).items() if isinstance(figures, Figures)}


def test_beside_the_reader_there_are_four_others() -> None:
    five, six = people(*range(5)), people(*range(10, 16))
    assert shown({"five": five, "six": six}, known={0}) == {"five", "six"}
    assert disclose({"six": six}, known={10, 11, 12}) == {"six": TooFew("others")}
    assert shown({"six": six}, known={10, 11}) == {"six"}


def test_a_group_and_the_same_without_one_are_not_both_shown() -> None:
    """The sum of one less the sum of the other is somebody's score."""
    groups = {"all": people(*range(10)), "but one": people(*range(9))}
    assert disclose(groups)["but one"] == TooFew("difference")
    assert shown(groups) == {"all"}
    assert shown({"all": people(*range(10)), "half": people(*range(5))}) == {"all", "half"}
    assert shown({"all": people(*range(9)), "half": people(*range(6))}) == {"all"}, "three are left over"


def test_two_divisions_of_the_same_people_are_judged_together() -> None:
    """All functions less all pods is the one person who is in no pod."""
    groups = {
        "function a": people(*range(10)),
        "function b": people(*range(10, 21)),
        "pod a": people(*range(5), *range(10, 15)),
        "pod b": people(*range(5, 10), *range(15, 20)),
    }
    assert not gives_away([frozenset(group) for group in list(groups.values())[:3]], least=4)
    assert gives_away([frozenset(group) for group in groups.values()], least=4)
    found = disclose(groups)
    assert len([name for name, figures in found.items() if figures == TooFew("difference")]) == 1


def test_the_reader_counts_as_known_in_differences() -> None:
    """Two groups that differ by the reader and three others tell of three; by four others they tell of four."""
    groups = {"all": people(*range(9)), "less": people(*range(4, 9))}
    assert shown(groups) == {"all", "less"}
    assert shown(groups, known={0}) == {"all"}


@given(
    st.lists(st.sets(st.integers(0, 14), min_size=1), min_size=1, max_size=6),
    st.sets(st.integers(0, 14), max_size=4),
)
def test_no_sum_of_fewer_than_four_can_be_had(groups: list[set[int]], known: set[int]) -> None:
    """Every way of adding and subtracting two of the groups shown, and all of them at once by rank."""
    named = {str(place): people(*group) for place, group in enumerate(groups)}
    found = {name: frozenset(named[name]) - known for name in shown(named, known=known)}
    for name in found:
        assert len(named[name]) >= 5
        assert len(found[name]) >= 4
    for one in found.values():
        for other in found.values():
            if other < one:
                assert len(one - other) >= 4
    assert not gives_away(list(found.values()), least=4)
