"""What Django's check says about the keys of secrets."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from salesops.core.vault import VaultError, keyring


@register(Tags.security)
def keys_are_usable_and_private(**_options: Any) -> list[CheckMessage]:
    """Refuse to start with keys that cannot be read; warn when others can read the file of keys."""
    found: list[CheckMessage] = []
    try:
        keyring()
    except VaultError as error:
        found.append(Error(str(error), id="core.E001"))
    path = Path(settings.SECRETS_FILE)
    if not settings.SECRETS_KEYS and path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        found.append(
            Warning(
                f"Other accounts of this machine can read the keys of secrets in {path}.",
                hint=f"chmod 600 {path}; if somebody may have read it, change the key: see docs/secrets.md.",
                id="core.W001",
            )
        )
    return found


@register(Tags.security, deploy=True)
def keys_are_on_every_machine(**_options: Any) -> list[CheckMessage]:
    """Warn when the database is on a server and the key is not: another machine would make a key of its own."""
    if settings.IS_SQLITE or settings.SECRETS_KEYS:
        return []
    return [
        Warning(
            "The database is on a server, but the keys of secrets are in a file of this machine.",
            hint="Give SECRETS_KEYS, the same on every machine: see docs/secrets.md.",
            id="core.W002",
        )
    ]
