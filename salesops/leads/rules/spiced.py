"""SPICED: five components, of which the critical event is one, and how many of them are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: The components in the order of their letters: S, P, I, CE, D.
COMPONENTS: Final = ("situation", "pain", "impact", "critical_event", "decision")
#: The letters under which each is known.
LETTERS: Final = {"situation": "S", "pain": "P", "impact": "I", "critical_event": "CE", "decision": "D"}


def known(texts: Mapping[str, str]) -> tuple[str, ...]:
    """The components that say something, in their order. A day without words is no critical event."""
    return tuple(name for name in COMPONENTS if texts.get(name, "").strip())


def missing(texts: Mapping[str, str]) -> tuple[str, ...]:
    """The components that say nothing yet, in their order."""
    return tuple(name for name in COMPONENTS if not texts.get(name, "").strip())
