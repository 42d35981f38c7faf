"""What differs between two plans, word by word, each with its place; components and examples are matched by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from salesops.commissions.rules.planfile import plan_as_file
from salesops.commissions.rules.plans import PlanDefinition

# What names the members of a list, so that one more in front does not make all the others differ.
_NAMES = ("key", "name", "component", "from", "at", "until_days")


@dataclass(frozen=True)
class Difference:
    """A word that differs: its place ("components.new_business.shape.tiers[100%].rate"), before and after; "" is none."""

    place: str
    before: str
    after: str


def plan_differences(before: PlanDefinition, after: PlanDefinition) -> list[Difference]:
    """Every word of the plan file that differs, in the order of the second plan; nothing where they say the same."""
    old, new = (dict(_words(plan_as_file("", "", plan))) for plan in (before, after))
    places = [*new, *(place for place in old if place not in new)]
    return [
        Difference(place, old.get(place, ""), new.get(place, ""))
        for place in places
        if old.get(place) != new.get(place) and place != "name"
    ]


def _words(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _words(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        taken: set[str] = set()
        for index, item in enumerate(value):
            label = _label(item, index)
            label = label if label not in taken else f"{label} {index + 1}"
            taken.add(label)
            yield from _words(item, f"{place}[{label}]")
    elif isinstance(value, list):
        yield place, ", ".join(str(item) for item in value)
    else:
        yield place, str(value)


def _label(item: Any, index: int) -> str:
    found = next((item[name] for name in _NAMES if name in item), None) if isinstance(item, dict) else None
    return str(index + 1) if found is None else str(found)
