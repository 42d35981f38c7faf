"""Saved columns of payroll files: kept for a program, and tried on the last locked period without releasing anything."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import PayrollFormat, PeriodState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import PayrollMapping, Period, Statement
from salesops.commissions.rules.payroll import PayrollBytes, columns_from_plain
from salesops.commissions.services.payroll import row_of, write_payroll
from salesops.core.actor import Actor, Role

#: So many rows of a file are shown when its columns are tried.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """What a file would hold, for one currency of a period."""

    period: Period
    currency: str
    made: PayrollBytes

    @property
    def lines(self) -> list[str]:
        """The first lines of the file as they would be written."""
        return self.made.content.decode().removesuffix("\r\n").split("\r\n")[: SHOWN + 1]


def _finance(actor: Actor) -> None:
    if not actor.has(Role.FINANCE):
        raise NotAllowedError(_("Only finance writes the columns of payroll files."))


def _check(columns: object) -> None:
    outcome = columns_from_plain(columns)
    if outcome.value is None:
        raise CommissionRefusedError({"columns": [problem.text(_) for problem in outcome.problems]})


@transaction.atomic
def save_mapping(
    *, actor: Actor, name: str, columns: list[dict[str, Any]], at: datetime, mapping: PayrollMapping | None = None
) -> PayrollMapping:
    """Keep columns under a name, or change them. Files that were released stay as they are.

    Raises CommissionRefusedError for columns that make no file (see `rules.payroll.columns_from_plain`) and for a name
    that is taken.
    """
    _finance(actor)
    _check(columns)
    before: dict[str, Any] = {}
    if mapping is None:
        row = PayrollMapping(created_at=at)
    else:
        row = PayrollMapping.objects.select_for_update().get_for(actor, pk=mapping.pk)
        before = {"name": row.name, "columns": row.columns}
    row.name, row.columns = name.strip(), columns
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise CommissionRefusedError({"name": _("This name is taken.")}) from error
    record(
        actor=actor,
        action="payroll.columns_saved",
        subject=row,
        before=before,
        after={"name": row.name, "columns": row.columns},
        at=at,
    )
    return row


def try_mapping(*, actor: Actor, columns: list[dict[str, Any]]) -> list[Trial]:
    """What files with these columns would hold for the last locked period that paid something; nothing is released.

    Empty when no period was locked yet. Raises as `save_mapping`.
    """
    _finance(actor)
    _check(columns)
    period = (
        Period.objects.filter(state=PeriodState.LOCKED, statements__payout_minor__gt=0)
        .order_by("-end_on", "-start_on", "pk")
        .first()
    )
    if period is None:
        return []
    by_person: dict[tuple[str, int], list[Statement]] = defaultdict(list)
    statements = Statement.objects.visible_to(actor).filter(period=period).exclude(payout_minor=0)
    for row in statements.select_related("person").order_by("person__name", "pk"):
        by_person[row.currency, row.person_id].append(row)
    trial = PayrollMapping(name="", columns=columns)
    return [
        Trial(
            period,
            currency,
            write_payroll(
                [row_of(period, rows) for (paid_in, _person), rows in by_person.items() if paid_in == currency],
                payroll_format=PayrollFormat.MAPPED,
                mapping=trial,
                number=0,
            ),
        )
        for currency in sorted({currency for currency, _person in by_person})
    ]
