"""Takes deals away that are gone in their source, brings them back, and lets one stand for another.

A deal that was won and is removed books no more: what it paid in a locked period is taken back in an open one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from salesops.accounts.services.removal import merge_pair, remove_rows, restore_rows
from salesops.core.actor import Actor
from salesops.core.upserts import UpsertResult
from salesops.deals.models import Deal
from salesops.deals.services.guard import withdraw


def remove_deals(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Remove deals; their lines, shares and stage changes stay with them, and nobody has to approve them any more.

    As `remove_rows`.
    """

    def then(rows: Collection[Deal]) -> None:
        withdraw([row.pk for row in rows], at=at)

    return remove_rows(Deal, noun="deal", pks=pks, actor=actor, because=because, at=at, then=then)


def restore_deals(*, pks: Sequence[int], actor: Actor, because: str = "", at: datetime) -> UpsertResult:
    """Bring deals back: what was won counts again. As `restore_rows`."""
    return restore_rows(Deal, noun="deal", pks=pks, actor=actor, because=because, at=at)


def merge_deals(*, loser: int, winner: int, actor: Actor, at: datetime) -> UpsertResult:
    """Let one deal stand for another: activities and transactions are the winner's, lines and shares stay. As `merge_pair`."""

    def before(lost: Deal, _stays: Deal) -> None:
        withdraw([lost.pk], at=at)

    return merge_pair(Deal, noun="deal", loser=loser, winner=winner, actor=actor, at=at, before=before)
