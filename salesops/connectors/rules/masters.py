"""Who wins where a source and the portal say different things about a field: decided by value and by moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """What is said about one record, as canonical values by name (`amount_minor`, `owner_id`).

    now: by the source. before: by the source last time, None when that is not known. portal: what stands here.
    said_at: when it changed at the source. edited_at: by name, when a person last changed that value here; it is asked for
    only of those that are `contested`.
    """

    now: Mapping[str, Any]
    before: Mapping[str, Any] | None
    portal: Mapping[str, Any]
    said_at: datetime | None = None
    edited_at: Mapping[str, datetime] = field(default_factory=dict)


def decide(*, masters: Mapping[str, str], said: Said) -> frozenset[str]:
    """The names of the values that the portal keeps, of those that the source says now.

    "portal" keeps what stands here, "fill" what is not empty. "newest" keeps an edit made here since the source last
    spoke, unless the source changed the same value later; where both changed and no moment is known, the source wins.
    """
    kept = set()
    for code, master in masters.items():
        for name in names_of(code):
            if name in said.now and _is_kept(name, master, said):
                kept.add(name)
    return frozenset(kept)


def contested(*, masters: Mapping[str, str], said: Said) -> frozenset[str]:
    """The names of the values that were changed on both sides, of which the newest stands: only the moments decide."""
    before = said.before or {}
    return frozenset(
        name
        for code, master in masters.items()
        if master == "newest"
        for name in names_of(code)
        if name in said.now
        and name in before
        and not same(said.portal.get(name), before[name])
        and not same(said.now[name], before[name])
        and not same(said.now[name], said.portal.get(name))
    )


def silent(said: Said) -> frozenset[str]:
    """The names of the values of which the source says nothing, and said nothing before: no reason to empty them."""
    before = said.before or {}
    return frozenset(name for name, value in said.now.items() if same(value, None) and same(before.get(name), None))


def edited_here(*, masters: Mapping[str, str], before: Mapping[str, Any], portal: Mapping[str, Any]) -> dict[str, Any]:
    """The values that stand here and differ from what the source last said, of fields whose edits flow back to it."""
    edits = {}
    for code, master in masters.items():
        if master in ("portal", "newest"):
            for name in names_of(code):
                if name in before and name in portal and not same(before[name], portal[name]):
                    edits[name] = portal[name]
    return edits


def names_of(code: str) -> tuple[str, str, str]:
    """The names that the value of a field may have: itself, an amount, a reference."""
    return code, f"{code}_minor", f"{code}_id"


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same; an empty text is nothing."""
    return one == other or (one in (None, "") and other in (None, ""))


def _is_kept(name: str, master: str, said: Said) -> bool:
    portal = said.portal.get(name)
    if master == "portal":
        return True
    if master == "fill":
        return portal not in (None, "")
    if master != "newest" or said.before is None or name not in said.before:
        return False
    if same(portal, said.before[name]):
        return False
    if same(said.now[name], said.before[name]):
        return True
    edited_at = said.edited_at.get(name)
    return edited_at is not None and said.said_at is not None and edited_at > said.said_at
