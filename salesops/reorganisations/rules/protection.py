"""Which open deals stay with the person who works on them, although their book goes to somebody else."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class Protection(StrEnum):
    """Why a deal is protected."""

    BY_HAND = "by_hand"
    LIKELY = "likely"
    SOON = "soon"


def why_protected(
    *,
    by_hand: bool | None,
    probability_bp: int | None,
    protect_from_bp: int | None,
    closes_on: date | None,
    protect_until: date | None,
) -> Protection | None:
    """Why a deal stays with its owner; None where it goes with the book.

    by_hand: what somebody decided about this very deal, which goes before any rule. probability_bp, protect_from_bp: of
    its stage, and from which on deals are protected, in basis points. protect_until: deals expected to close on that day
    or before are protected.

    >>> why_protected(by_hand=None, probability_bp=7_500, protect_from_bp=7_500, closes_on=None, protect_until=None)
    <Protection.LIKELY: 'likely'>
    """
    if by_hand is not None:
        return Protection.BY_HAND if by_hand else None
    if protect_from_bp is not None and probability_bp is not None and probability_bp >= protect_from_bp:
        return Protection.LIKELY
    if protect_until is not None and closes_on is not None and closes_on <= protect_until:
        return Protection.SOON
    return None
