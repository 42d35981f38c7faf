"""What differs between two versions of a plan."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from salesops.commissions.rules.comparison import Difference, plan_differences
from salesops.commissions.rules.planfile import plan_as_file, plan_from_file
from salesops.commissions.rules.plans import PlanDefinition
from tests.commissions.every_word import every_word


def changed(change: Any) -> tuple[PlanDefinition, PlanDefinition]:
    """The plan of every word before and after a change of its words."""
    plan = every_word()
    words = deepcopy(plan_as_file("One", "", plan))
    change(words)
    return plan, plan_from_file(words).unwrap()[2]


def test_the_same_plan_does_not_differ() -> None:
    assert plan_differences(every_word(), every_word()) == []


def test_a_word_differs_at_its_place() -> None:
    def change(words: dict[str, Any]) -> None:
        words["components"][0]["shape"]["tiers"][1]["rate"] = "2x"
        words["conventions"]["rounding"] = "cumulative"
        words["components"][0]["counts"] = ["booking"]
        del words["components"][0]["when"]

    assert set(plan_differences(*changed(change))) == {
        Difference("components[tiers].shape.tiers[100%].rate", "1.5x", "2x"),
        Difference("components[tiers].counts", "renewal, booking, credit_note", ""),
        Difference("components[tiers].when", 'segment = "enterprise" and amount >= 1000', ""),
        Difference("conventions.rounding", "per_line", "cumulative"),
    }


def test_a_component_more_is_one_difference_and_one_in_front_moves_nothing() -> None:
    def change(words: dict[str, Any]) -> None:
        words["components"].insert(
            0, {"key": "more", "name": "More", "shape": {"shape": "flat", "rate": "1%"}, "crediting": ["owner"]}
        )
        words["examples"] = words["examples"][1:]

    before, after = changed(change)
    found = {each.place: (each.before, each.after) for each in plan_differences(before, after)}
    assert list(found) == ["components[more]", "examples[Money]"]
    assert found["components[more]"][0] == ""
    assert "name: More" in found["components[more]"][1]
    assert found["examples[Money]"][1] == ""


def test_another_order_is_a_difference() -> None:
    def change(words: dict[str, Any]) -> None:
        words["components"].reverse()

    (found,) = plan_differences(*changed(change))
    assert (found.place, found.before[:13], found.after[:13]) == ("components", "tiers, things", "personal, poi")
