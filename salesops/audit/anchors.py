"""Hashes of the chain that rooms above keep on rows of their own. Those rooms say so when the portal starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """The hash that ended the chain when something was written down, and the name of what it is kept on."""

    entry_hash: str
    kept_on: str


AnchorSource = Callable[[], Iterable[Anchor]]

_SOURCES: dict[str, AnchorSource] = {}


def keep(name: str, source: AnchorSource) -> None:
    """Register where anchors are kept, such as "payroll files"; `source` reads them all."""
    _SOURCES[name] = source


def kept() -> list[Anchor]:
    """Every anchor that any room keeps."""
    return [anchor for name in sorted(_SOURCES) for anchor in _SOURCES[name]()]
