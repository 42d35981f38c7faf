"""Groups of companies: no company is above itself, and no group is deeper than a person can follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: A group of companies has at most so many levels.
DEEPEST: Final = 20


def closes_circle(account_id: int, parent_id: int | None, above: Mapping[int, int | None]) -> bool:
    """Whether this parent is the account itself or below it, or the group would have more than DEEPEST levels.

    `above` gives the parent of every account above the new one.
    """
    for _level in range(DEEPEST - 1):
        if parent_id is None:
            return False
        if parent_id == account_id:
            return True
        parent_id = above.get(parent_id)
    return parent_id is not None
