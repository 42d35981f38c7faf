"""Compares all totals of pay with their lines; ends with an error when anything disagrees."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from salesops.commissions.models import Period
from salesops.commissions.selectors.totals import all_disagreements


class Command(BaseCommand):
    """`manage.py check_pay`"""

    help = (
        "Check that lines, statements, postings, payroll files and frozen bundles agree in every period, to the cent."
    )
    requires_migrations_checks = True

    def handle(self, *args: Any, **options: Any) -> None:
        """Name every disagreement with its period."""
        found = all_disagreements()
        for period, wrong in found.items():
            for line in wrong:
                self.stdout.write(f"{period.label}: {line}")
        if found:
            raise CommandError(f"{sum(map(len, found.values()))} disagreements in {len(found)} periods.")
        self.stdout.write(f"{Period.objects.count()} periods, nothing disagrees.")
