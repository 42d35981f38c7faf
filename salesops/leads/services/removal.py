"""Takes leads away that are gone in their source, brings them back, and lets one stand for another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from salesops.accounts.services.removal import merge_pair, remove_rows, restore_rows
from salesops.core.actor import Actor
from salesops.core.upserts import UpsertResult
from salesops.leads.choices import ClockEnding
from salesops.leads.models import Lead
from salesops.leads.services.merging import take_merges_back
from salesops.leads.services.routing import stop_clocks


def remove_leads(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Remove leads; nobody is reminded of them any more. As `remove_rows`."""

    def then(rows: Collection[Lead]) -> None:
        stop_clocks([row.pk for row in rows], ClockEnding.CLOSED, at)

    return remove_rows(Lead, noun="lead", pks=pks, actor=actor, because=because, at=at, then=then)


def restore_leads(*, pks: Sequence[int], actor: Actor, because: str = "", at: datetime) -> UpsertResult:
    """Bring leads back to whoever had them; clocks that were stopped stay so. As `restore_rows`.

    Of those that were merged by hand it is known what was theirs: that comes back with them.
    """

    def before(rows: Collection[Lead]) -> None:
        take_merges_back(leads=rows, actor=actor, at=at)

    return restore_rows(Lead, noun="lead", pks=pks, actor=actor, because=because, at=at, before=before)


def merge_leads(*, loser: int, winner: int, actor: Actor, at: datetime) -> UpsertResult:
    """Let one lead stand for another: its activities and deals are the winner's now. As `merge_pair`."""

    def before(lost: Lead, _stays: Lead) -> None:
        stop_clocks([lost.pk], ClockEnding.CLOSED, at)

    return merge_pair(Lead, noun="lead", loser=loser, winner=winner, actor=actor, at=at, before=before)
