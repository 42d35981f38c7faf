"""How a pool is set up: which of its columns and its members' are settings, and what differs between two setups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

POOL: Final = (
    "method",
    "on_return",
    "when_nobody",
    "fallback_id",
    "on_call_id",
    "quantum_minor",
    "currency",
    "pod_id",
    "is_active",
)
MEMBER: Final = ("is_in", "weight", "takes", "cap_open", "cap_day", "cap_30_days")


@dataclass(frozen=True, slots=True)
class SetupChange:
    """One setting that differs. person: whose, or None for the pool's own. before: None also for who was not there yet."""

    person: int | None
    name: str
    before: Any
    after: Any


def setup_of(pool: Any, members: list[Any]) -> dict[str, Any]:
    """The settings of a pool and its members as plain JSON."""
    return {
        "pool": {name: getattr(pool, name) for name in POOL},
        "members": {
            str(row.person_id): {name: getattr(row, name) for name in MEMBER}
            for row in sorted(members, key=lambda row: row.person_id)
        },
    }


def setup_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SetupChange]:
    """What differs between two setups, the pool's own first. Of who joined, what they joined with; who is not in the later
    one takes part no more.
    """
    found = [
        SetupChange(None, name, before["pool"].get(name), value)
        for name, value in after["pool"].items()
        if before["pool"].get(name) != value
    ]
    for person, settings in after["members"].items():
        known = before["members"].get(person, {})
        found += [
            SetupChange(int(person), name, known.get(name), value)
            for name, value in settings.items()
            if known.get(name) != value and (known or value not in (None, ""))
        ]
    found += [
        SetupChange(int(person), "is_in", True, False)
        for person, settings in before["members"].items()
        if person not in after["members"] and settings["is_in"]
    ]
    return found
