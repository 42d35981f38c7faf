"""Takes over rates of exchange from the European Central Bank's CSV file, or one of the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from salesops.core import rates
from salesops.core.actor import system_actor
from salesops.values.money import MoneyError, check_currency


class Command(BaseCommand):
    """`manage.py import_rates eurofxref-hist.csv`"""

    help = "Import a CSV table of exchange rates: a column of days, then one column for each currency."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and what its rates are quoted against."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--base", default="EUR", help="The currency that the table is quoted against.")
        parser.add_argument("--source", default=rates.ECB, help="Under which name the rates are kept.")
        parser.add_argument("--replace", action="store_true", help="Replace rates that are kept with another value.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, then print what was done and what was left out."""
        path: Path = options["file"]
        try:
            check_currency(options["base"])
            result = rates.import_rates(
                actor=system_actor(),
                content=path.read_bytes(),
                name=path.name,
                at=timezone.now(),
                base=options["base"],
                source=options["source"],
                replace=options["replace"],
            )
        except (OSError, MoneyError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(_(message) for message in error.messages)) from error
        for problem in result.problems:
            self.stderr.write(f"{problem.where}: {problem.text(_)}")
        self.stdout.write(
            _("%(added)d added, %(replaced)d replaced, %(unchanged)d unchanged.")
            % {"added": result.added, "replaced": result.replaced, "unchanged": result.unchanged}
        )
