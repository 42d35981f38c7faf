"""A pod is ready when somebody wins, somebody closes and somebody keeps customers."""

from __future__ import annotations

import pytest

from salesops.people.choices import JobFunction
from salesops.pods.choices import CustomerSize
from salesops.pods.rules.readiness import FUNCTIONS_OF_SIZE, PART_OF, Part, readiness


@pytest.mark.parametrize(
    ("functions", "missing", "short"),
    [
        (["sdr", "ae", "csm"], (), {Part.CLOSING: 1}),
        (["mdr", "kam", "ae", "onb"], (), {}),
        (["adr", "ae", "ae"], (Part.SUCCESS,), {Part.SUCCESS: 1}),
        (["ae"], (Part.ACQUISITION, Part.SUCCESS), {Part.ACQUISITION: 1, Part.CLOSING: 1, Part.SUCCESS: 1}),
        ([], tuple(Part), {Part.ACQUISITION: 1, Part.CLOSING: 2, Part.SUCCESS: 1}),
        (["boss", ""], tuple(Part), {Part.ACQUISITION: 1, Part.CLOSING: 2, Part.SUCCESS: 1}),
    ],
)
def test_what_a_pod_of_one_two_one_lacks(
    functions: list[str], missing: tuple[Part, ...], short: dict[Part, int]
) -> None:
    found = readiness(functions, "1:2:1")
    assert (found.missing, found.short, found.is_ready) == (missing, short, not missing)


def test_each_person_counts_once_for_their_part() -> None:
    assert readiness(["sdr", "mdr", "ae", "csm", "onb", "csm"], "2:3:1").have == {
        Part.ACQUISITION: 2,
        Part.CLOSING: 1,
        Part.SUCCESS: 3,
    }


@pytest.mark.parametrize("template", ["1:2", "", "1:2:x", "-1:1:1"])
def test_a_template_is_three_numbers(template: str) -> None:
    with pytest.raises(ValueError):
        readiness([], template)


@pytest.mark.parametrize(
    ("size", "functions", "lacking"),
    [
        ("small", ["mdr", "ae", "csm"], ()),
        ("small", ["sdr", "ae", "csm"], ("mdr",)),
        ("middle", ["sdr", "kam"], ("ae", "csm")),
        ("large", ["adr", "ae", "csm"], ("sdr", "kam")),
        ("large", ["adr", "sdr", "kam", "csm"], ()),
        ("", [], ()),
    ],
)
def test_what_customers_of_a_size_need(size: str, functions: list[str], lacking: tuple[str, ...]) -> None:
    assert readiness(functions, "1:1:1", size).lacking == lacking


def test_every_size_has_its_functions_and_covers_every_part() -> None:
    assert list(FUNCTIONS_OF_SIZE) == CustomerSize.values
    for functions in FUNCTIONS_OF_SIZE.values():
        assert set(functions) <= set(JobFunction.values)
        assert [part for part in Part if part in {PART_OF[each] for each in functions}] == list(Part)


def test_winning_and_keeping_come_before_closing() -> None:
    assert readiness(["ae"], "1:1:1").missing_first == (Part.ACQUISITION, Part.SUCCESS)
    assert readiness(["sdr", "csm"], "1:1:1").missing_first == ()
