"""Commissions in the books: what is capitalised and written off by month, and what is accrued but not paid yet.

Reckoned from locked periods, whose earnings are in the ledger; what is still open is told beside it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.conf import settings
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, TruncMonth

from salesops.commissions.choices import EntryKind, LedgerAccount, PeriodState, SettledKind, TransactionKind
from salesops.commissions.models import Earning, LedgerEntry, Period, SettlementLine, Statement
from salesops.commissions.rules.amortisation import straight_line

#: What wins business that was not there before, for companies that capitalise nothing else.
NEW_BUSINESS: Final = (TransactionKind.BOOKING, TransactionKind.EXPANSION)
_HELD: Final = (SettledKind.HOLD, SettledKind.HELD_CANCELLED, SettledKind.RELEASE)


@dataclass(slots=True)
class Month:
    """A month of the schedule, in minor units. left: what is still to be written off when it ends."""

    first_on: date
    capitalised_minor: int = 0
    written_off_minor: int = 0
    left_minor: int = 0


@dataclass(slots=True)
class Schedule:
    """The capitalised commissions of one currency. posted: what the ledger says was earned in locked periods, which is
    what was capitalised and what was expensed at once."""

    currency: str
    months: list[Month] = field(default_factory=list)
    capitalised_minor: int = 0
    expensed_minor: int = 0
    posted_minor: int = 0

    @property
    def difference(self) -> int:
        """By how much the schedule and the ledger differ: nothing."""
        return self.posted_minor - self.capitalised_minor - self.expensed_minor


@dataclass(slots=True)
class Accrued:
    """What a period owes in a currency and nobody was paid yet, in minor units."""

    period: Period
    currency: str
    earned_minor: int = 0
    accrued_minor: int = 0
    held_minor: int = 0


def schedules() -> list[Schedule]:
    """The schedule of each currency. A constant number of queries.

    A line is capitalised by the kind of what it is for, or of what that takes back, and written off in a straight line
    over settings.COMMISSIONS_AMORTISATION_MONTHS from the month on in which it was credited. What takes something back
    takes its remaining months back too, and those that are over in the month in which it does.
    """
    transaction = "credit__transaction"
    kind, capitalises = Coalesce(F(f"{transaction}__reverses__kind"), F(f"{transaction}__kind")), Q()
    if settings.COMMISSIONS_CAPITALISE_NEW_ONLY:
        capitalises = Q(told_kind__in=NEW_BUSINESS)
    rows = Earning.objects.filter(statement__period__state=PeriodState.LOCKED).order_by().annotate(told_kind=kind)
    found: dict[str, Schedule] = {}
    for currency, total in rows.values_list("currency").annotate(total=Sum("amount_minor")):
        found[currency] = Schedule(currency, expensed_minor=total)
    grouped = (
        rows.filter(capitalises)
        .annotate(
            month=TruncMonth("credit__effective_on"),
            begins=TruncMonth(Coalesce(F(f"{transaction}__reverses__effective_on"), F("credit__effective_on"))),
        )
        .values_list("currency", "month", "begins")
        .annotate(total=Sum("amount_minor"))
    )
    for currency, month, begins, total in grouped:
        schedule = found[currency]
        schedule.capitalised_minor += total
        schedule.expensed_minor -= total
        _write_off(schedule, month, min(begins, month), total)
    posted = LedgerEntry.objects.filter(account=LedgerAccount.OWED, kind=EntryKind.EARNING).order_by()
    for currency, total in posted.values_list("currency").annotate(total=Sum("amount_minor")):
        found.setdefault(currency, Schedule(currency)).posted_minor = total
    for schedule in found.values():
        _carry(schedule)
    return [found[currency] for currency in sorted(found)]


def _write_off(schedule: Schedule, month: date, begins: date, total: int) -> None:
    """Add an amount that is known in a month and written off from `begins` on: what lies before it falls into it."""
    months = {each.first_on: each for each in schedule.months}

    def on(first: date) -> Month:
        if first not in months:
            months[first] = Month(first)
            schedule.months.append(months[first])
        return months[first]

    on(month).capitalised_minor += total
    for number, part in enumerate(straight_line(total, settings.COMMISSIONS_AMORTISATION_MONTHS)):
        on(max(month, _later(begins, number))).written_off_minor += part


def _later(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _carry(schedule: Schedule) -> None:
    """Put the months in order, with what is left at the end of each."""
    schedule.months.sort(key=lambda each: each.first_on)
    left = 0
    for each in schedule.months:
        left += each.capitalised_minor - each.written_off_minor
        each.left_minor = left


def accrued_by_period() -> list[Accrued]:
    """What is earned and not paid yet, by period and currency, the newest first; periods that owe nothing are left out.

    Of an open period what its statements would pay and hold; of a locked one what the ledger says. What a period holds
    is taken off again in the period that releases it. A constant number of queries.
    """
    found: dict[tuple[int, str], Accrued] = {}
    periods = Period.objects.in_bulk()

    def of(period: int, currency: str) -> Accrued:
        return found.setdefault((period, currency), Accrued(periods[period], currency))

    statements = Statement.objects.order_by().values_list("period_id", "currency", "period__state")
    for period, currency, state, earned, payout in statements.annotate(
        earned=Sum("earned_minor"), payout=Sum("payout_minor")
    ):
        row = of(period, currency)
        row.earned_minor = earned
        if state == PeriodState.OPEN:
            row.accrued_minor = payout
    lines = SettlementLine.objects.filter(statement__period__state=PeriodState.OPEN, is_paid=True, kind__in=_HELD)
    for period, currency, total in (
        lines.order_by().values_list("statement__period_id", "currency").annotate(total=Sum("amount_minor"))
    ):
        of(period, currency).held_minor = -total
    accounts: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    entries = LedgerEntry.objects.filter(account__in=[LedgerAccount.OWED, LedgerAccount.HELD]).order_by()
    for period, currency, account, total in entries.values_list("period_id", "currency", "account").annotate(
        total=Sum("amount_minor")
    ):
        accounts[period, currency][account] = total
    for (period, currency), sums in accounts.items():
        row = of(period, currency)
        row.accrued_minor += sums.get(LedgerAccount.OWED, 0)
        row.held_minor += sums.get(LedgerAccount.HELD, 0)
    rows = [row for row in found.values() if row.accrued_minor or row.held_minor]
    return sorted(rows, key=lambda row: (-row.period.start_on.toordinal(), row.period.pk, row.currency))
