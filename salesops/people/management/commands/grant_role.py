"""Gives a role from the command line: for the first administrators, and for companies where one person does it all."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from salesops.core.actor import system_actor
from salesops.core.days import company_day
from salesops.people import services
from salesops.people.choices import RoleChoice
from salesops.people.models import User


class Command(BaseCommand):
    """`manage.py grant_role ana@example.com admin`"""

    help = "Give a person a role from today on. In the portal nobody gives themselves a role; whoever has this machine may."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, and which role."""
        parser.add_argument("email")
        parser.add_argument("role", choices=RoleChoice.values)
        parser.add_argument("--reason", default="command line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Grant it, recorded like any other."""
        now = timezone.now()
        person = User.objects.filter(email=options["email"].lower()).first()
        if person is None:
            raise CommandError(_("Nobody has the address %(email)s.") % {"email": options["email"]})
        try:
            services.grant_role(
                actor=system_actor(),
                person=person,
                role=options["role"],
                start_on=company_day(now),
                reason=options["reason"],
                at=now,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(
            _("%(name)s now holds the role “%(role)s”.") % {"name": person, "role": RoleChoice(options["role"]).label}
        )
