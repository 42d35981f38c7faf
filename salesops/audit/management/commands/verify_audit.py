"""Checks the audit's hash chain from the first entry to the head; ends with an error when anything was tampered with."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from salesops.audit import selectors
from salesops.audit.rules.chain import FAULTS


class Command(BaseCommand):
    """`manage.py verify_audit [--anchor HASH]...`"""

    help = "Check that no audit entry was edited, removed, inserted, moved or cut off."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """`--anchor` may be given several times."""
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            help="A hash (or NUMBER:HASH) kept elsewhere; it must still be in the chain. Those on payroll files always must.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print every problem with its place, or the anchor to keep."""
        anchors = {anchor.rpartition(":")[2].strip().lower() for anchor in options["anchor"]}
        for anchor in anchors:
            if not re.fullmatch(r"[0-9a-f]{64}", anchor):
                raise CommandError(_("“%(anchor)s” is not a hash of 64 hexadecimal digits.") % {"anchor": anchor})
        seen, problems = selectors.verify(anchors=anchors)
        for problem in problems:
            self.stdout.write(
                _("%(place)d: %(fault)s: %(detail)s")
                % {"place": problem.sequence, "fault": _(FAULTS[problem.fault]), "detail": problem.text(_)}
            )
        if problems:
            raise CommandError(
                _("%(problems)d problems in %(entries)d entries.") % {"problems": len(problems), "entries": seen}
            )
        end = selectors.head()
        self.stdout.write(_("%(entries)d entries, nothing wrong.") % {"entries": seen})
        if end is not None:
            self.stdout.write(_("Anchor to keep elsewhere: %(anchor)s") % {"anchor": end})
