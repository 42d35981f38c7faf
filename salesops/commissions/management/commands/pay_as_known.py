"""Prints what statements showed at a moment in the past."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from salesops.commissions.selectors.known import known_on
from salesops.core.actor import system_actor
from salesops.values.money import plain


class Command(BaseCommand):
    """`manage.py pay_as_known 2026-11-05T00:00+00:00 [--period 2026Q3]`"""

    help = "List the statements that were locked by then, as they were locked, and what late changes had come to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """When, and of which period."""
        parser.add_argument("moment", help="a moment with its offset, such as 2026-11-05T00:00+00:00")
        parser.add_argument("--period", default="", help="the label of a period, such as 2026Q3")

    def handle(self, *args: Any, **options: Any) -> None:
        """Period, person, payout, corrections by then, when it was locked, digest; separated by tabs."""
        try:
            moment = datetime.fromisoformat(options["moment"])
        except ValueError as error:
            raise CommandError(f"{options['moment']} is no moment.") from error
        if moment.tzinfo is None:
            raise CommandError("Give the moment with its offset, such as +00:00.")
        self.stdout.write("period\tperson\tpaid\tcorrected\tlocked\tdigest")
        for row in known_on(system_actor(), moment, options["period"]):
            paid, corrected = (plain(amount, row.currency) for amount in (row.payout_minor, row.corrected_minor))
            self.stdout.write(
                f"{row.period}\t{row.person}\t{paid} {row.currency}\t{corrected} {row.currency}"
                f"\t{row.locked_at.isoformat()}\t{row.bundle['digests']['bundle']}"
            )
