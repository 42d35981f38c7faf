"""Forgets lost second factors from the command line: for the only administrator, whom nobody in the portal can help."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.core.actor import system_actor
from salesops.people import services
from salesops.people.models import User


class Command(BaseCommand):
    """`manage.py reset_second_factor ada@example.com`"""

    help = "Forget all second factors of a person; they log in by password and set up a new one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who."""
        parser.add_argument("email")
        parser.add_argument("--reason", default="command line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forget them, recorded."""
        person = User.objects.filter(email=options["email"].lower()).first()
        if person is None:
            raise CommandError(_("Nobody has the address %(email)s.") % {"email": options["email"]})
        count = services.reset_second_factor(
            actor=system_actor(), person=person, at=timezone.now(), reason=options["reason"]
        )
        said = ngettext("%(count)d second factor forgotten.", "%(count)d second factors forgotten.", count)
        self.stdout.write(said % {"count": count})
