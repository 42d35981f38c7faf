"""Releases payroll files: frozen bytes, each statement in one file only."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify
from django.utils.translation import gettext as _

from salesops.audit.selectors import head
from salesops.audit.services import record
from salesops.commissions.choices import (
    PAYROLL_RELEASE,
    EntryKind,
    LedgerAccount,
    PayrollFormat,
    PeriodState,
    StatementState,
)
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import LedgerEntry, PayrollFile, PayrollItem, PayrollMapping, Period, Statement
from salesops.commissions.rules.payroll import (
    AdpRun,
    AdpWorkforceNow,
    PayrollBytes,
    PayrollRow,
    adp_run_file,
    adp_wfn_file,
    adp_wfn_name,
    columns_from_plain,
    generic_file,
    gusto_file,
    mapped_file,
)
from salesops.commissions.selectors.totals import disagreements
from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.people.models import User
from salesops.values.outcomes import Problem


@dataclass(frozen=True, slots=True)
class Release:
    """What was released: the files (one for each currency), and who is held back and why."""

    files: list[PayrollFile]
    held: list[Problem]


@transaction.atomic
def release_payroll(
    *,
    actor: Actor,
    period: Period,
    payroll_format: PayrollFormat,
    at: datetime,
    mapping: PayrollMapping | None = None,
) -> Release:
    """Make the payroll file of a locked period, post the payments, and freeze the file.

    Who cannot be paid this way is held with the reason (a total below zero, no employee number, a currency the payroll
    program does not pay in); the balance stays in the ledger and later releases pick it up. Statements that pay nothing
    stay out of the file. mapping: the saved columns, for the format that has some. Raises NotAllowedError for anyone
    but finance and for whoever prepared a statement, CommissionRefusedError when the period is open, totals disagree,
    nothing is left to pay or what the format needs is not given, SwitchedOffError while administrators have switched
    releases off.
    """
    if not actor.has(Role.FINANCE) or actor.user_id is None:
        raise NotAllowedError(_("Only finance releases payroll."))
    features.need(PAYROLL_RELEASE)
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
        .exclude(payout_minor=0)
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
    files: list[PayrollFile] = []
    held: list[Problem] = []
    for currency in sorted({currency for currency, _person_id in by_person}):
        people = {str(person_id): rows for (paid_in, person_id), rows in by_person.items() if paid_in == currency}
        number = _next_number()
        made = write_payroll(
            [row_of(period, rows) for rows in people.values()],
            payroll_format=payroll_format,
            mapping=mapping,
            number=number,
        )
        held.extend(made.problems)
        if made.rows:
            references = {row.reference for row in made.rows}
            paid = [row for rows in people.values() if _reference(rows) in references for row in rows]
            files.append(_release(actor, period, number, payroll_format, mapping, currency, made, paid, at))
    if not files:
        raise CommissionRefusedError([problem.text(_) + " " + problem.remedy_text(_) for problem in held])
    return Release(files=files, held=held)


def write_payroll(
    rows: Sequence[PayrollRow], *, payroll_format: PayrollFormat, mapping: PayrollMapping | None, number: int
) -> PayrollBytes:
    """The bytes of a file in a format. Raises CommissionRefusedError when what the format needs is not given."""
    if payroll_format == PayrollFormat.ADP_WFN:
        return adp_wfn_file(
            rows,
            AdpWorkforceNow(
                company_code=_needed("PAYROLL_ADP_COMPANY_CODE"),
                batch_id=str(number),
                earnings_code=_needed("PAYROLL_ADP_EARNINGS_CODE"),
                currency=settings.COMPANY_CURRENCY,
            ),
        )
    if payroll_format == PayrollFormat.ADP_RUN:
        return adp_run_file(
            rows,
            AdpRun(
                iid=_needed("PAYROLL_ADP_IID"),
                pay_frequency=_needed("PAYROLL_ADP_PAY_FREQUENCY"),
                earnings_code=_needed("PAYROLL_ADP_EARNINGS_CODE"),
            ),
        )
    if payroll_format == PayrollFormat.MAPPED:
        columns = columns_from_plain(mapping.columns if mapping else None)
        if columns.value is None:
            raise CommissionRefusedError([problem.text(_) for problem in columns.problems])
        return mapped_file(rows, columns.value)
    return gusto_file(rows) if payroll_format == PayrollFormat.GUSTO else generic_file(rows)


def _needed(name: str) -> str:
    """A setting without which the file cannot be made."""
    value = str(getattr(settings, name)).strip()
    if not value:
        raise CommissionRefusedError(
            _("This format needs the setting %(name)s. Ask whoever runs the portal to give it.") % {"name": name}
        )
    return value


def _next_number() -> int:
    return (PayrollFile.objects.aggregate(last=Max("number"))["last"] or 0) + 1


def _file_name(
    payroll_format: PayrollFormat, mapping: PayrollMapping | None, period: Period, currency: str, number: int
) -> str:
    """ADP Workforce Now looks for a name of its own; all others say what they are."""
    if payroll_format == PayrollFormat.ADP_WFN:
        return adp_wfn_name(_needed("PAYROLL_ADP_COMPANY_CODE"))
    kind = (slugify(mapping.name)[:60] or "columns") if mapping else payroll_format.value
    return f"{kind}-{period.label}-{currency}-{number}.csv"


def _reference(rows: list[Statement]) -> str:
    """What ties a row of the file to its statements."""
    return " ".join(f"S{row.pk}" for row in rows)


def names_of(person: User) -> tuple[str, str]:
    """First and last name for a payroll program: the family name that is kept, else the last word of the name."""
    before, found, after = person.name.partition(person.family_name) if person.family_name else ("", "", "")
    if found:
        return " ".join(f"{before} {after}".split()), person.family_name
    first_name, _space, last_name = person.name.rpartition(" ")
    return first_name, last_name


def row_of(period: Period, rows: list[Statement]) -> PayrollRow:
    """One person's row: all their statements of the period in one currency, added up."""
    person = rows[0].person
    first_name, last_name = names_of(person)
    return PayrollRow(
        employee_id=person.payroll_number or person.employee_number or "",
        last_name=last_name,
        first_name=first_name,
        title=person.title,
        email=person.email,
        commission_minor=sum(row.payout_minor for row in rows),
        currency=rows[0].currency,
        period_start=period.start_on,
        period_end=period.end_on - timedelta(days=1),
        reference=_reference(rows),
        note=f"{period.label} {_reference(rows)}",
    )


def _release(
    actor: Actor,
    period: Period,
    number: int,
    payroll_format: PayrollFormat,
    mapping: PayrollMapping | None,
    currency: str,
    made: PayrollBytes,
    statements: list[Statement],
    at: datetime,
) -> PayrollFile:
    """One file of one currency, with its items, payments and audit entry."""
    by_id = actor.user_id
    if by_id is None:
        raise NotAllowedError(_("Only finance releases payroll."))
    anchor = head()
    file = PayrollFile.objects.create(
        number=number,
        period=period,
        format=payroll_format,
        name=_file_name(payroll_format, mapping, period, currency, number),
        content=made.content,
        sha256=hashlib.sha256(made.content).hexdigest(),
        people=len(made.rows),
        total_minor=made.total_minor,
        currency=currency,
        audit_anchor=anchor.entry_hash if anchor else "",
        released_by_id=by_id,
        released_at=at,
    )
    PayrollItem.objects.bulk_create(
        PayrollItem(payroll_file=file, statement=row, amount_minor=row.payout_minor, currency=currency)
        for row in statements
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
            amount_minor=sign * row.payout_minor,
            currency=currency,
            posted_at=at,
            posted_by_id=by_id,
        )
        for row in statements
        for account, sign in ((LedgerAccount.OWED, -1), (LedgerAccount.PAID, 1))
    )
    Statement.objects.filter(pk__in=[row.pk for row in statements]).update(state=StatementState.PAID)
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
            "columns": mapping.name if mapping else "",
        },
        at=at,
    )
    return file
