"""Makes the demo company: people, pods and two years of leads, deals and customers, all invented."""

from __future__ import annotations

import secrets
import time
from datetime import date
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from salesops.core.days import company_day
from salesops.home.demo.company import Company
from salesops.home.demo.services import NO_PASSWORD, DemoRefusedError, make_demo
from salesops.home.demo.size import Size

#: One of each kind of person, for the list of log-ins.
_SHOWN = (
    "aurora_ae1",
    "aurora_sdr1",
    "drift_ae2",
    "aurora_lead",
    "director_large",
    "revops1",
    "finance1",
    "finance2",
    "cro",
    "admin",
)


class Command(BaseCommand):
    """`manage.py demo --seed 7 --scale 2 --print-logins`"""

    help = "Make the demo company in an empty portal. The same seed, size and day give the same rows."

    def add_arguments(self, parser: CommandParser) -> None:
        """Seed, size, day."""
        parser.add_argument("--seed", type=int, default=1, help="Another seed makes another company.")
        parser.add_argument(
            "--scale", type=float, help="Times the usual size; each of leads and deals at most 1,000,000."
        )
        parser.add_argument("--leads", type=int, help="Exactly so many leads.")
        parser.add_argument("--deals", type=int, help="Exactly so many deals.")
        parser.add_argument("--today", type=date.fromisoformat, help="The day on which history ends, as YYYY-MM-DD.")
        parser.add_argument(
            "--print-logins",
            action="store_true",
            help="Give all its people one random password and print it, once. Without this nobody can log in.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the company and say what was made."""
        size = self._size(options)
        today: date = options["today"] or company_day(timezone.now())
        password = secrets.token_urlsafe(12) if options["print_logins"] else ""
        started = time.monotonic()

        def progress(rows: int) -> None:
            if options["verbosity"] > 0 and size.leads + size.deals > 50_000:
                self.stdout.write(f"  {rows:,} leads and deals after {time.monotonic() - started:.0f} s", ending="\r")
                self.stdout.flush()

        try:
            made = make_demo(
                seed=options["seed"],
                size=size,
                today=today,
                password=make_password(password) if password else NO_PASSWORD,
                progress=progress,
            )
        except DemoRefusedError as error:
            raise CommandError(str(error)) from error
        if connection.vendor == "postgresql" and not connection.in_atomic_block:
            with connection.cursor() as cursor:
                cursor.execute("VACUUM (ANALYZE)")
        if options["verbosity"] > 0:
            rows = sum(made.counts.values())
            self.stdout.write(
                f"Nordlicht Instruments: {len(made.company.people)} people, {size.leads:,} leads, {size.deals:,} deals, "
                f"{rows:,} rows in all, made in {time.monotonic() - started:.1f} s."
            )
        if password:
            self.stdout.write(logins_text(made.company, password))

    @staticmethod
    def _size(options: dict[str, Any]) -> Size:
        leads, deals, scale = options["leads"], options["deals"], options["scale"]
        if scale is not None and (leads is not None or deals is not None):
            raise CommandError("Give either --scale or --leads and --deals.")
        usual = Size.scaled(1.0)
        try:
            if scale is not None:
                return Size.scaled(scale)
            return Size(usual.leads if leads is None else leads, usual.deals if deals is None else deals)
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from error


def logins_text(company: Company, password: str) -> str:
    """Who can log in with the password that all people of the demo company share; it is kept nowhere in the clear."""
    lines = ["", f"Log in as any of these with the password  {password}  (shown only now):"]
    for key in _SHOWN:
        person = company.by_key[key]
        lines.append(f"  {person.email:<46} {person.roles[-1].value:<10} {person.title}")
    lines.append("Finance and administrators are asked to set up a second factor (TOTP) when they first log in.")
    return "\n".join(lines)
