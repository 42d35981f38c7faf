"""What was paid back of deals. The room above, which knows the transactions, says how to find it when it starts."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Final, Protocol


class Finder(Protocol):
    """Finds those of these deals of which something was cancelled, credited or refunded."""

    def __call__(self, deal_ids: Collection[int]) -> Set[int]: ...


_finders: Final[dict[str, Finder]] = {}


def install(name: str, finder: Finder) -> None:
    """Say how deals are found of which something was paid back. Called once for each source, when the portal starts."""
    _finders[name] = finder


def paid_back(deal_ids: Collection[int]) -> set[int]:
    """The deals of which any source knows that something was paid back."""
    return {pk for finder in _finders.values() for pk in finder(deal_ids)}
