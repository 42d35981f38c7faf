"""Writes a version of a plan as a plan file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from salesops.commissions.models import Plan
from salesops.commissions.services.designs import text_of


class Command(BaseCommand):
    """Prints the plan file of a plan's version in force, or of the one named; with `--output` into a file."""

    help = "Write a plan as a YAML file that import_plan and calculate_plan read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which plan, which version, where to."""
        parser.add_argument("name", help="the plan's name")
        parser.add_argument(
            "--version",
            type=int,
            dest="number",
            help="the number of the version; else the newest in force, else the newest",
        )
        parser.add_argument("--output", type=Path, help="a file to write; else it is printed")

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's own --version would stand in the way of ours."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        """Find it and write it."""
        plan = Plan.objects.filter(name__iexact=options["name"].strip()).first()
        if plan is None:
            names = ", ".join(Plan.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no plan called {options['name']}. There are: {names}.")
        versions = list(plan.versions.order_by("-number"))
        if options["number"] is not None:
            versions = [version for version in versions if version.number == options["number"]]
        if not versions:
            raise CommandError(f"{plan.name} has no such version.")
        in_force = [version for version in versions if version.state == "active"]
        text = text_of((in_force or versions)[0])
        if options["output"]:
            options["output"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
