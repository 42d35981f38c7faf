"""A pod is ready when somebody wins, somebody closes and somebody keeps customers."""

from __future__ import annotations

import pytest

from salesops.pods.rules.readiness import Part, readiness


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
