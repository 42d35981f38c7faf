"""Seals all secrets with the first key from the command line, so that the others can be dropped."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from salesops.connectors.services.sealing import rotate_secrets
from salesops.core.actor import system_actor
from salesops.core.vault import VaultError, keyring, new_key


class Command(BaseCommand):
    """`manage.py rotate_secrets`, or with --new-key to have a key written out and nothing else done."""

    help = "Seals all secrets again with the first key of SECRETS_KEYS, or of the file of keys. See docs/secrets.md."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether only a new key is wanted."""
        parser.add_argument("--new-key", action="store_true", help="write a new key, ready to be put in, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal again, recorded. Ends in an error while anything is left under another key, or does not open."""
        if options["new_key"]:
            self.stdout.write(new_key())
            return
        try:
            found = rotate_secrets(actor=system_actor(), at=timezone.now())
            ring = keyring()
        except VaultError as error:
            raise CommandError(str(error)) from None
        for name, one in found.items():
            self.stdout.write(
                _("%(name)s: %(resealed)d sealed again, %(left)d left.")
                % {"name": name, "resealed": one.resealed, "left": one.left}
            )
            for row, reason in one.broken.items():
                self.stderr.write(f"{name} {row}: {reason}")
        if any(one.left > len(one.broken) for one in found.values()):
            raise CommandError(_("Keep the other keys: something was sealed with them just now. Run this again."))
        if any(one.broken for one in found.values()):
            raise CommandError(_("All that opens is sealed with the key “%(key)s”.") % {"key": ring.sealing_id})
        self.stdout.write(
            _("Everything is sealed with the key “%(key)s”; other keys can be taken out.") % {"key": ring.sealing_id}
        )
