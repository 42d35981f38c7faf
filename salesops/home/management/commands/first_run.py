"""On the very first start: the demo company and an administrator with a random password, printed once."""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.utils import timezone

from salesops.core.days import company_day
from salesops.home.demo.administrator import make_administrator
from salesops.home.demo.services import make_demo, only_one_at_a_time
from salesops.home.demo.size import Size
from salesops.home.management.commands.demo import logins_text
from salesops.people.models import User

_OFF = {"0", "false", "no", "off"}


class Command(BaseCommand):
    """`manage.py first_run`: does something once in the life of a portal; harmless on every later start."""

    help = "Prepare an empty portal: demo company (unless SALESOPS_DEMO=0) and first administrator. Prints the log-in once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who the administrator is."""
        parser.add_argument("--email", default="admin@example.com", help="Address of the first administrator.")
        parser.add_argument("--name", default="Administrator", help="Name of the first administrator.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing; passwords are printed only after they are safely stored."""
        lines = self._prepare(email=options["email"], name=options["name"])
        self.stdout.write(f"Salesops is at {settings.SITE_URL}")
        for line in lines:
            self.stdout.write(line)

    def _prepare(self, *, email: str, name: str) -> list[str]:
        """What to print about log-ins; nothing when somebody can log in already."""
        now = timezone.now()
        with transaction.atomic():
            only_one_at_a_time()
            if User.objects.exists():
                return []
            lines = []
            if os.environ.get("SALESOPS_DEMO", "1").strip().lower() not in _OFF:
                shared = secrets.token_urlsafe(12)
                made = make_demo(seed=1, size=Size.scaled(1.0), today=company_day(now), password=make_password(shared))
                lines = [
                    f"A demo company was made: {len(made.company.people)} people, two years of history.",
                    logins_text(made.company, shared),
                ]
            password = secrets.token_urlsafe(12)
            user = make_administrator(email=email, name=name, password=password, at=now)
        return [
            f"First administrator: {user.email} with the password  {password}  (shown only now; change it after logging in).",
            "At the first log-in you are asked to set up a second factor (TOTP).",
            *lines,
        ]
