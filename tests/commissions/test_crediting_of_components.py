"""Components of one plan that credit by different rules: each pays by its own, and reports by its own."""

from __future__ import annotations

from tests.commissions.case_files import Result, deal, paid, part, plan

# Ana owns it, Ben and Cem share it; Ana and Ben report to Mia.
DEAL = deal("D-1", "1000", credits="Ben 60%; Cem 40%")
QUOTAS = [{"person": name, "manager": manager} for name, manager in (("Ana", "Mia"), ("Ben", "Mia"), ("Cem", ""))]
QUOTAS.append({"person": "Mia", "manager": ""})


def earned(result: Result) -> dict[str, list[tuple[str, str, str]]]:
    """What each person is credited with, by component and rule."""
    return {
        name: [(line["component"], line["rule"], line["measured"]) for line in result.lines(name)]
        for name in result.people()
    }


def test_each_component_credits_by_its_own_rules() -> None:
    words = plan(part(rate="10%", crediting=["owner"]), part(rate="1%", crediting=["split", "owner"]))
    assert earned(paid(words, [DEAL], QUOTAS)) == {
        "Ana": [("part1", "owner", "1000.00")],
        "Ben": [("part2", "split", "600.00")],
        "Cem": [("part2", "split", "400.00")],
    }


def test_what_goes_up_is_what_the_component_credited_below() -> None:
    """The manager of the owner is credited by one component, that of a sharer by the other."""
    words = plan(part(rate="10%", crediting=["owner", "roll_up"]), part(rate="1%", crediting=["split", "roll_up"]))
    assert earned(paid(words, [DEAL], QUOTAS))["Mia"] == [
        ("part1", "roll_up", "1000.00"),
        ("part2", "roll_up", "600.00"),
    ]


def test_nobody_is_missed_by_the_rules_of_a_component_that_does_not_count_it() -> None:
    words = plan(
        part(rate="10%", crediting=["owner"]),
        part(rate="1%", crediting=["split"], counts=["renewal"]),
    )
    # There is no share in the booking, and the component that asks for shares does not count bookings.
    assert earned(paid(words, [deal("D-1", "1000")])) == {"Ana": [("part1", "owner", "1000.00")]}
