"""Makes a draft of a plan from a plan file."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from salesops.commissions.models import Plan
from salesops.commissions.rules.plans import plan_as_plain
from salesops.commissions.services.plan_files import read_plans
from salesops.commissions.services.plans import create_plan, save_draft
from salesops.core.days import company_day
from salesops.people.models import User
from salesops.pods.selectors import actor_for


class Command(BaseCommand):
    """Reads a plan file and writes each of its plans as a draft: a new plan, or a new version of the one of that name."""

    help = "Make drafts from a YAML file of one plan or several; nothing is written when anything cannot be read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, its author, the first day."""
        parser.add_argument("file", type=Path, help="YAML, as docs/plan-files.md describes it")
        parser.add_argument("--by", required=True, help="the e-mail address of the author, who may write plans")
        parser.add_argument("--start", type=date.fromisoformat, help="the first day (2026-07-01); else today")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read all, then write all."""
        now = timezone.now()
        author = User.objects.filter(email__iexact=options["by"].strip(), is_active=True).first()
        if author is None:
            raise CommandError(f"Nobody active has the address {options['by']}.")
        try:
            data = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from error
        outcome = read_plans(data)
        if outcome.value is None:
            lines = [f"{problem.where}: {problem.text()} {problem.remedy_text()}" for problem in outcome.problems]
            raise CommandError("\n".join(line.strip() for line in lines))
        actor = actor_for(author, at=now)
        start_on = options["start"] or company_day(now)
        made = []
        try:
            with transaction.atomic():
                for name, description, definition in outcome.value:
                    plan = Plan.objects.filter(name__iexact=name).first()
                    if plan is None:
                        plan = create_plan(actor=actor, name=name, description=description, at=now)
                    made.append(
                        save_draft(
                            actor=actor, plan=plan, definition=plan_as_plain(definition), start_on=start_on, at=now
                        )
                    )
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error
        except PermissionDenied as error:
            raise CommandError(str(error) or "This person may not write plans.") from error
        for version in made:
            self.stdout.write(f"{version.plan.name}: version {version.number}, a draft from {version.start_on} on")
