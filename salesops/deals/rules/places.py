"""Places of cards in a column of the board: smaller numbers stand higher; what came last stands on top."""

from __future__ import annotations

from datetime import datetime
from typing import Final

#: Room left between a card and one that is put above everything or below everything: a second.
_STEP: Final = 1_000_000


def place_on_entering(at: datetime) -> int:
    """The place of a card that enters a column at a moment: above all that came before. Microseconds, negated."""
    return -round(at.timestamp() * 1_000_000)


def place_between(above: int | None, below: int | None) -> int | None:
    """The place between two neighbours; None when nothing is known of either.

    Where two neighbours have no number between them the upper one's place is shared, and the larger amount stands
    higher.
    """
    if above is not None and below is not None:
        return (above + below) // 2
    if above is not None:
        return above + _STEP
    if below is not None:
        return below - _STEP
    return None
