"""How fresh records are: whoever keeps them in step with another system says so, pages that rest on them show it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class AsOf:
    """Records of a source are as of a moment: what changed there since is not here yet."""

    source: str
    at: datetime


Teller = Callable[[Collection[str], datetime], list[AsOf]]

_tellers: Final[list[Teller]] = []


def install(tell: Teller) -> None:
    """Say who knows which records are behind. `tell` gets kinds of records and the moment of the question."""
    if tell not in _tellers:
        _tellers.append(tell)


def behind(kinds: Collection[str], now: datetime) -> list[AsOf]:
    """The sources of these kinds of records ("deals", "accounts") that are behind; nothing when all are fresh."""
    return [each for tell in _tellers for each in tell(kinds, now)]
