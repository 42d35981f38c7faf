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
    """Every word of the plan file that differs, in the order of the second plan; nothing where they say the same.

    What stands in one plan only (a component, a tier, an example) is one difference, not one for each of its words.
    """
    return list(_compared(plan_as_file("", "", before), plan_as_file("", "", after), ""))


def _compared(before: Any, after: Any, place: str) -> Iterator[Difference]:
    if before == after:
        return
    if before is None or after is None:
        yield Difference(place, _text(before), _text(after))
    elif _is_rows(before) and _is_rows(after):
        old, new = _labelled(before), _labelled(after)
        for name in dict.fromkeys((*new, *old)):
            yield from _compared(old.get(name), new.get(name), f"{place}[{name}]")
        kept = [name for name in old if name in new], [name for name in new if name in old]
        if kept[0] != kept[1]:
            yield Difference(place, ", ".join(kept[0]), ", ".join(kept[1]))
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*after, *before)):
            yield from _compared(before.get(name), after.get(name), f"{place}.{name}".lstrip("."))
    else:
        yield Difference(place, _text(before), _text(after))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _labelled(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, row in enumerate(rows):
        label = next((str(row[name]) for name in _NAMES if name in row), str(index + 1))
        found[label if label not in found else f"{label} {index + 1}"] = row
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_text(item)})" if isinstance(item, dict) else _text(item) for item in value)
    return str(value)
