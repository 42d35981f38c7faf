"""The secrets of connections: sealed when they come, opened only to sign, renewed by one worker at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from salesops.connectors.models import Connection, Credential
from salesops.core.vault import Secret, seal, unseal

ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"
#: How long a webhook's secret is still good after it was changed.
BEFORE_LIVES: Final = timedelta(days=1)
#: How long one worker has for renewing a token before another may try.
_RENEWING: Final = timedelta(seconds=60)


def keep(
    connection: Connection, name: str, text: str, *, at: datetime, expires_at: datetime | None = None
) -> Credential:
    """Seal a secret and keep it in place of the one of that name."""
    credential = Credential(connection=connection, name=name)
    sealed = seal(text, bound_to=credential.bound_to)
    kept, _is_new = Credential.objects.update_or_create(
        connection=connection,
        name=name,
        defaults={"sealed": sealed, "expires_at": expires_at, "changed_at": at, "renewing_until": None},
    )
    return kept


def opened(connection: Connection, name: str) -> Secret | None:
    """A secret, opened; None when there is none of that name. Raises VaultError when it cannot be opened."""
    credential = Credential.objects.filter(connection=connection, name=name).first()
    return Secret(unseal(credential.sealed, bound_to=credential.bound_to)) if credential else None


def valid_ones(connection: Connection, name: str, *, at: datetime) -> list[str]:
    """The values of a secret that are valid at a moment, newest first: for a day after one was changed, the one before it
    too."""
    found = []
    for each in (name, f"{name}_before"):
        if each != name and not Credential.objects.filter(connection=connection, name=each, expires_at__gt=at).exists():
            continue
        secret = opened(connection, each)
        if secret is not None:
            found.append(secret.reveal())
    return found


def forget(connection: Connection) -> int:
    """Forget every secret of a connection. Gives how many there were."""
    return Credential.objects.filter(connection=connection).delete()[0]


def expires_at(connection: Connection) -> datetime | None:
    """When the access token ends, as far as it is known."""
    return Credential.objects.filter(connection=connection, name=ACCESS).values_list("expires_at", flat=True).first()


def mark_of(connection: Connection) -> str:
    """By what it is noticed that the access token was renewed: its sealed form, which never comes twice."""
    return Credential.objects.filter(connection=connection, name=ACCESS).values_list("sealed", flat=True).first() or ""


def may_renew(connection: Connection, *, seen: str, at: datetime) -> bool:
    """Claim the renewing of the token whose mark was `seen` when it was used. One caller alone gets True: for a minute,
    or until the new one is kept."""
    with transaction.atomic():
        row = Credential.objects.filter(connection=connection, name=ACCESS)
        if not seen:
            return not row.exists()
        free = Q(renewing_until__isnull=True) | Q(renewing_until__lt=at)
        return bool(row.filter(free, sealed=seen).update(renewing_until=at + _RENEWING))


def give_up_renewing(connection: Connection) -> None:
    """Let another worker try."""
    Credential.objects.filter(connection=connection, name=ACCESS).update(renewing_until=None)
