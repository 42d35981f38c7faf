"""How long a deal stands in its stage, held against how long it should."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from typing import Final

#: From so many times the expected days on a deal is red.
RED_AT: Final = Fraction(3, 2)


class Age(StrEnum):
    """What the card of a deal shows."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


def age_of(days: int, expected_days: int | None, *, is_open: bool = True, red_at: Fraction = RED_AT) -> Age:
    """Yellow from the expected days on, red from `red_at` times as many; closed, or in a stage that expects nothing, green."""
    if not is_open or not expected_days:
        return Age.GREEN
    if days >= expected_days * red_at:
        return Age.RED
    return Age.YELLOW if days >= expected_days else Age.GREEN
