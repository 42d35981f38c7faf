"""From which status a lead may go to which, and what it needs for that."""

from __future__ import annotations

import enum
from typing import Final

#: Statuses in which somebody still has to do something; a lead moves freely among them.
OPEN: Final = frozenset({"new", "working", "qualified", "nurturing"})
CONVERTED: Final = "converted"
DISQUALIFIED: Final = "disqualified"


class Step(enum.StrEnum):
    """What a change of status is called in the record."""

    MOVED = "status_changed"
    DISQUALIFIED = "disqualified"
    REOPENED = "reopened"


class Refusal(enum.StrEnum):
    """Why a status cannot be had."""

    UNKNOWN = "unknown"
    CONVERTED = "converted"  # a converted lead stays so
    CONVERT = "convert"  # converting makes an account and a contact: it is not only a status
    NO_REASON = "no-reason"


def step(before: str, after: str, because: str) -> Step | Refusal | None:
    """Decide a change of status: what it is, why it cannot be, or None when nothing changes."""
    if after not in OPEN | {CONVERTED, DISQUALIFIED}:
        return Refusal.UNKNOWN
    if before == after:
        return None
    if before == CONVERTED:
        return Refusal.CONVERTED
    if after == CONVERTED:
        return Refusal.CONVERT
    if after == DISQUALIFIED:
        return Step.DISQUALIFIED if because.strip() else Refusal.NO_REASON
    return Step.REOPENED if before == DISQUALIFIED else Step.MOVED
