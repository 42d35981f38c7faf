"""Releases payroll files: frozen bytes, each statement in one file only."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from salesops.audit.services import head_hash, record
from salesops.commissions.choices import EntryKind, LedgerAccount, PayrollFormat, PeriodState, StatementState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import LedgerEntry, PayrollFile, PayrollItem, Period, Statement
from salesops.commissions.rules.payroll import PayrollRow, payroll_bytes
from salesops.commissions.selectors.totals import disagreements
from salesops.core.actor import Actor, Role


@dataclass(frozen=True, slots=True)
class Release:
    """What was released: the files (one for each currency) and who is held back and why (name to words)."""

    files: list[PayrollFile]
    held: dict[str, str]


@transaction.atomic
def release_payroll(*, actor: Actor, period: Period, payroll_format: PayrollFormat, at: datetime) -> Release:
    """Make the payroll file of a locked period, post the payments, and freeze the file.

    A person whose statements add up to less than nothing is held: payroll cannot pay a negative amount, and the balance
    stays in the ledger. Statements that earned nothing need no payment and stay out of the file. Raises NotAllowedError
    for anyone but finance and for whoever prepared a statement, CommissionRefusedError when the period is open, totals
    disagree, or nothing is left to pay.
    """
    if not actor.has(Role.FINANCE) or actor.user_id is None:
        raise NotAllowedError(_("Only finance releases payroll."))
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state != PeriodState.LOCKED:
        raise CommissionRefusedError(
            _("%(period)s is still open. Approve its statements and lock it first.") % {"period": period.label}
        )
    wrong = disagreements(period)
    if wrong:
        raise CommissionRefusedError(
            _("The totals do not agree with their lines: %(where)s.") % {"where": "; ".join(wrong)}
        )
    waiting = Statement.objects.select_for_update(of=("self",)).filter(period=period, state=StatementState.LOCKED)
    statements = list(
        waiting.filter(payroll_item__isnull=True)
        .exclude(earned_minor=0)
        .select_related("person")
        .order_by("person__name", "pk")
    )
    if not statements:
        raise CommissionRefusedError(_("Nothing is left to pay for %(period)s.") % {"period": period.label})
    if any(row.prepared_by_id == actor.user_id for row in statements):
        raise NotAllowedError(_("You ran the calculation: somebody else must release the payroll."))
    by_person: dict[tuple[str, int], list[Statement]] = defaultdict(list)
    for row in statements:
        by_person[row.currency, row.person_id].append(row)
    held: dict[str, str] = {}
    paid: dict[str, list[list[Statement]]] = defaultdict(list)
    for (currency, _person_id), rows in by_person.items():
        if sum(row.earned_minor for row in rows) < 0:
            held[str(rows[0].person)] = _(
                "The total is negative. It stays in the ledger until later pay makes up for it."
            )
        else:
            paid[currency].append(rows)
    files = [_release(actor, period, payroll_format, currency, people, at) for currency, people in sorted(paid.items())]
    return Release(files=files, held=held)


def _release(
    actor: Actor,
    period: Period,
    payroll_format: PayrollFormat,
    currency: str,
    people: list[list[Statement]],
    at: datetime,
) -> PayrollFile:
    """One file of one currency, with its items, payments and audit entry."""
    rows = [
        PayrollRow(
            name=rows[0].person.name,
            email=rows[0].person.email,
            employee_id=rows[0].person.payroll_number or rows[0].person.employee_number or "",
            title=rows[0].person.title,
            amount_minor=sum(row.earned_minor for row in rows),
            currency=currency,
            period_start=period.start_on,
            period_end=period.end_on,
            reference=", ".join(f"S{row.pk}" for row in rows),
        )
        for rows in people
    ]
    content = payroll_bytes(payroll_format.value, rows)
    number = (PayrollFile.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    file = PayrollFile.objects.create(
        number=number,
        period=period,
        format=payroll_format,
        name=f"{payroll_format.value}-{period.label}-{currency}-{number}.csv",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        people=len(rows),
        total_minor=sum(row.amount_minor for row in rows),
        currency=currency,
        audit_anchor=head_hash(),
        released_by_id=actor.user_id,
        released_at=at,
    )
    flat = [row for rows in people for row in rows]
    PayrollItem.objects.bulk_create(
        PayrollItem(payroll_file=file, statement=row, amount_minor=row.earned_minor, currency=currency) for row in flat
    )
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            posting=f"statement:{row.pk}:payment",
            account=account,
            kind=EntryKind.PAYMENT,
            person_id=row.person_id,
            period=period,
            statement=row,
            payroll_file=file,
            amount_minor=sign * row.earned_minor,
            currency=currency,
            posted_at=at,
            posted_by_id=actor.user_id,
        )
        for row in flat
        for account, sign in ((LedgerAccount.OWED, -1), (LedgerAccount.PAID, 1))
    )
    Statement.objects.filter(pk__in=[row.pk for row in flat]).update(state=StatementState.PAID)
    record(
        actor=actor,
        action="payroll.released",
        subject=file,
        after={
            "name": file.name,
            "sha256": file.sha256,
            "people": file.people,
            "total_minor": file.total_minor,
            "currency": currency,
        },
        at=at,
    )
    return file
