"""Seals the secrets of all connected systems again, after a change of the key."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from salesops.audit.services import record
from salesops.connectors.models import Authorization, Credential
from salesops.core.actor import Actor
from salesops.core.resealing import Resealed, SealedColumn, reseal
from salesops.core.vault import keyring

#: Every column of this room that holds sealed secrets.
SEALED: Final[tuple[SealedColumn, ...]] = (
    SealedColumn(Credential.objects.all, "sealed", lambda row: row.bound_to),
    SealedColumn(Authorization.objects.all, "sealed_verifier", lambda row: row.bound_to),
)


def rotate_secrets(*, actor: Actor, at: datetime) -> dict[str, Resealed]:
    """Seal everything with the first key of the ring and say how each column stands, by its name.

    Not one transaction: each batch stays, and a run that ends early is simply run again. Raises VaultError when the ring
    has no key.
    """
    found = {}
    for each in SEALED:
        rows = each.rows()
        found[f"{rows.model._meta.label_lower}.{each.column}"] = reseal(rows, each.column, bound_to=each.bound_to)
    record(
        actor=actor,
        action="secrets.rotated",
        after={
            "key": keyring().sealing_id,
            **{name: {"resealed": one.resealed, "left": one.left} for name, one in found.items()},
        },
        at=at,
    )
    return found
