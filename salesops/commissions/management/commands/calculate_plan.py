"""manage.py calculate_plan: what a plan file pays for files of transactions and quotas, without a database row."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from salesops.commissions.services.plan_files import calculate_files, read_plans, read_rows


class Command(BaseCommand):
    """Reads files, prints what everybody earns and is paid, and every problem. Ends with 1 when there are problems."""

    help = (
        "Calculate a plan file over files of transactions and quotas; nothing is read from or written to the database."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files; docs/plan-files.md describes them."""
        parser.add_argument("--plan", required=True, type=Path, help="YAML: one plan, or several under `plans`")
        parser.add_argument("--transactions", required=True, type=Path, help="CSV: key, date, amount, person ...")
        parser.add_argument("--quotas", type=Path, help="CSV: person, period, quota, target ...")
        parser.add_argument("--rates", type=Path, help="CSV: date, base, quote, rate")
        parser.add_argument("--events", type=Path, help="CSV: adjustments, objectives, bonuses, payments ...")
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Calculate and tell."""
        plans = read_plans(self._bytes(options["plan"]))
        if plans.value is None:
            raise CommandError("\n".join(f"{problem} {problem.remedy_text()}" for problem in plans.problems))
        tables = {name: self._rows(options[name]) for name in ("transactions", "quotas", "rates", "events")}
        result = calculate_files(plans.value, **tables)
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=2, ensure_ascii=False))
        else:
            self._tell(result)
        if result["problems"]:
            raise SystemExit(1)

    def _tell(self, result: dict[str, Any]) -> None:
        for plan in result["plans"]:
            self.stdout.write(f"{plan['plan']} ({plan['currency']})")
            for person in plan["people"]:
                self.stdout.write(f"  {person['person']}: earned {person['earned']}, paid {person['payout']}")
                for period in person["periods"]:
                    self.stdout.write(f"    {period['period']}: earned {period['earned']}, paid {period['payout']}")
        for problem in result["problems"]:
            about = " ".join(problem[name] for name in ("plan", "person", "where") if problem.get(name))
            self.stderr.write(f"{about}: {problem['message']} {problem['remedy']}")

    def _rows(self, path: Path | None) -> list[dict[str, str]]:
        if path is None:
            return []
        try:
            return read_rows(self._bytes(path))
        except ValueError as error:
            raise CommandError(f"{path} is no CSV file: {error}") from error

    def _bytes(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
