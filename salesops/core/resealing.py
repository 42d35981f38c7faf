"""Seals again what is kept in a column, with the key that seals now, so that an older key can be dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models, transaction

from salesops.core.vault import VaultError, key_id_of, keyring, seal, unseal

#: Rows of one transaction: a few milliseconds, so that nobody who refreshes a token waits.
BATCH: Final = 200
#: How often a row is tried that somebody else writes at the same moment.
TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column that holds sealed secrets, and what each row's is bound to."""

    rows: Callable[[], models.QuerySet[Any]]
    column: str
    bound_to: Callable[[Any], str]


@dataclass(slots=True)
class Resealed:
    """How a column stands after it was gone through. Other keys may be dropped when nothing is left under them."""

    resealed: int = 0
    left: int = 0
    #: Rows that do not open, by their keys, with the reason: their systems are connected again.
    broken: dict[Any, str] = field(default_factory=dict)


def reseal(rows: models.QuerySet[Any], column: str, *, bound_to: Callable[[Any], str]) -> Resealed:
    """Seal with the first key of the ring whatever another key sealed, in batches, while others go on writing.

    A secret that changes meanwhile is never overwritten by its old text. Empty columns stay. Rows that do not open are
    reported and stay as they are. Raises VaultError when the ring has no key.
    """
    key_id, found, last = keyring().sealing_id, Resealed(), None
    while True:
        with transaction.atomic():
            batch = list((rows if last is None else rows.filter(pk__gt=last)).order_by("pk")[:BATCH])
            for row in batch:
                try:
                    found.resealed += _reseal_row(row, column, bound_to(row), key_id)
                except VaultError as error:
                    found.broken[row.pk] = str(error)
        if len(batch) < BATCH:
            break
        last = batch[-1].pk
    now = rows.order_by().values_list(column, flat=True).iterator()
    found.left = sum(1 for sealed in now if sealed and key_id_of(sealed) != key_id)
    return found


def _reseal_row(row: models.Model, column: str, bound_to: str, key_id: str) -> bool:
    """Seal one row again; says whether it did. Written only over the very value that was opened."""
    same = type(row)._base_manager.filter(pk=row.pk)
    sealed: str | None = getattr(row, column)
    for _attempt in range(TRIES):
        if not sealed or key_id_of(sealed) == key_id:
            return False
        anew = seal(unseal(sealed, bound_to=bound_to), bound_to=bound_to)
        if same.filter(**{column: sealed}).update(**{column: anew}):
            return True
        sealed = same.values_list(column, flat=True).first()
    return False
