"""Checks that a total equals the rows behind it, at every level."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from salesops.commissions.choices import AdjustmentState, LedgerAccount, StatementState
from salesops.commissions.models import (
    Adjustment,
    Credit,
    Earning,
    LedgerEntry,
    PayrollFile,
    PayrollItem,
    Period,
    PlanVersion,
    SettlementLine,
    Statement,
)
from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.plans import Scope, plan_from_plain
from salesops.commissions.rules.rounding import Rounding

_LINE = (
    "statement_id",
    "statement__plan_version_id",
    "component",
    "position",
    "from_minor",
    "to_minor",
    "height_from_minor",
    "height_to_minor",
    "amount_minor",
    "credit__transaction__reverses_id",
)


def disagreements(period: Period, *, is_final: bool = True) -> list[str]:
    """Name each statement of a period whose totals differ from its lines; empty when all agree. Tolerance is zero.

    is_final: whatever was approved must be settled, as before a lock. Otherwise adjustments that were approved in an open
    period after its last calculation wait for the next one, and are no disagreement.

    Compared: earned with the earnings, credited with the credits, paid with what was earned and the lines of the
    settlement, every line with its two heights, and each line's start with the end of the one before; the adjustments
    approved for the period with those that were settled; the entries of each posting with zero. For a locked period also
    the ledger with what is paid, and each payroll file with its bytes, items, statements and payments.
    """
    return [
        *_sums(period),
        *_walks(period),
        *_adjustments(period, is_final=is_final),
        *_postings(period),
        *_ledger(period),
        *_payroll(period),
    ]


def all_disagreements() -> dict[Period, list[str]]:
    """What disagrees in any period, with every frozen bundle calculated anew; periods that are in order are left out."""
    found = {
        period: [*disagreements(period, is_final=False), *_bundles(period)]
        for period in Period.objects.order_by("start_on", "pk")
    }
    return {period: wrong for period, wrong in found.items() if wrong}


def _sums(period: Period) -> Iterator[str]:
    def total(model: type[Earning] | type[Credit] | type[SettlementLine], **only: object) -> Coalesce:
        rows = model._default_manager.filter(statement=OuterRef("pk"), **only).order_by().values("statement")
        return Coalesce(Subquery(rows.annotate(total=Sum("amount_minor")).values("total")), 0)

    statements = Statement.objects.filter(period=period).order_by("pk")
    summed = statements.annotate(
        lines=total(Earning), credits_total=total(Credit), settled=total(SettlementLine, is_paid=True)
    )
    for name, earned, lines_total, credited, credits_total, payout, settled in summed.values_list(
        "person__name", "earned_minor", "lines", "credited_minor", "credits_total", "payout_minor", "settled"
    ):
        if lines_total != earned:
            yield f"{name}: {earned} ≠ {lines_total}"
        if credits_total != credited:
            yield f"{name}: {credited} ≠ {credits_total}"
        if earned + settled != payout:
            yield f"{name}: {payout} ≠ {earned} + {settled}"


def _walks(period: Period) -> Iterator[str]:
    """Lines that do not follow from the heights between which they walk, or do not begin where the one before ended.

    A line that takes back what was earned walks nowhere. Where lines are rounded by themselves, a line may differ from
    its rounded heights by one.
    """

    @cache
    def conventions(version_id: int) -> tuple[bool, frozenset[str]]:
        """Whether lines are rounded by themselves, and the components in which each transaction walks from zero."""
        plan = plan_from_plain(PlanVersion.objects.get(pk=version_id).definition).unwrap()
        alone = frozenset(part.key for part in plan.components if part.scope is Scope.TRANSACTION)
        return plan.conventions.rounding is Rounding.PER_LINE, alone

    previous: tuple[int, str] | None = None
    at = height = 0
    lines = Earning.objects.filter(statement__period=period).order_by("statement_id", "component", "position")
    for row in lines.values_list(*_LINE).iterator(chunk_size=5_000):
        statement_id, version_id, component, position, start, end, low, high, amount, reverses = row
        if reverses is not None and start == end:
            continue
        is_per_line, alone = conventions(version_id)
        is_next = previous == (statement_id, component) and component not in alone
        if abs(high - low - amount) > is_per_line or (is_next and (start, low) != (at, height)):
            yield f"{statement_id}/{component}/{position}: {low}…{high} ≠ {amount}"
        previous, at, height = (statement_id, component), end, high


def _adjustments(period: Period, *, is_final: bool) -> Iterator[str]:
    """The adjustments approved for a period, and those its statements were settled with, by person."""
    approved = Adjustment.objects.filter(period=period, state=AdjustmentState.APPROVED)
    if not is_final and period.locked_at is None:
        last = period.calculations.order_by("-number").values_list("started_at", flat=True).first()
        since = Q(decided_at__gt=last) if last else Q(decided_at__isnull=False)
        approved = approved.exclude(since)
    wanted = dict(approved.order_by().values_list("person__name").annotate(total=Sum("amount_minor")))
    settled = SettlementLine.objects.filter(statement__period=period).filter(Q(kind="adjustment") | Q(kind="earning"))
    found = dict(settled.order_by().values_list("person__name").annotate(total=Sum("amount_minor")))
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name, 0) != found.get(name, 0):
            yield f"{name}: {wanted.get(name, 0)} ≠ {found.get(name, 0)}"


def _postings(period: Period) -> Iterator[str]:
    """Postings whose entries do not add up to zero in a currency."""
    entries = LedgerEntry.objects.filter(period=period).order_by().values_list("posting", "currency")
    for posting, currency, total in entries.annotate(total=Sum("amount_minor")).order_by("posting", "currency"):
        if total:
            yield f"{posting} ({currency}): {total} ≠ 0"


def _ledger(period: Period) -> Iterator[str]:
    """What the ledger owes for a locked period, and what its statements pay, by person and currency."""
    if period.locked_at is None:
        return
    by = ("person__name", "currency")
    owed: dict[tuple[str, str], int] = defaultdict(int)
    entries = LedgerEntry.objects.filter(period=period, account=LedgerAccount.OWED).exclude(kind="payment")
    for name, currency, total in entries.order_by().values_list(*by).annotate(total=Sum("amount_minor")):
        owed[name, currency] = total
    paid: dict[tuple[str, str], int] = defaultdict(int)
    statements = Statement.objects.filter(period=period).order_by()
    for name, currency, total in statements.values_list(*by).annotate(total=Sum("payout_minor")):
        paid[name, currency] = total
    for name, currency in sorted(owed.keys() | paid.keys()):
        if owed[name, currency] != paid[name, currency]:
            yield f"{name} ({currency}): {paid[name, currency]} ≠ {owed[name, currency]}"


def _payroll(period: Period) -> Iterator[str]:
    """Payroll files that are not what their items say, and items that are not what their statements pay."""
    items = PayrollItem.objects.filter(statement__period=period)
    for file in PayrollFile.objects.filter(period=period).order_by("number"):
        summed = items.filter(payroll_file=file).aggregate(
            total=Coalesce(Sum("amount_minor"), 0), people=Count("statement__person", distinct=True)
        )
        posted = LedgerEntry.objects.filter(payroll_file=file, account=LedgerAccount.PAID).aggregate(
            total=Coalesce(Sum("amount_minor"), 0)
        )
        if hashlib.sha256(bytes(file.content)).hexdigest() != file.sha256:
            yield f"{file.name}: SHA-256 ≠ {file.sha256}"
        if (file.total_minor, file.people) != (summed["total"], summed["people"]):
            yield f"{file.name}: {file.total_minor} / {file.people} ≠ {summed['total']} / {summed['people']}"
        if posted["total"] != file.total_minor:
            yield f"{file.name}: {file.total_minor} ≠ {posted['total']}"
    otherwise = items.exclude(
        amount_minor=F("statement__payout_minor"),
        currency=F("statement__currency"),
        statement__state=StatementState.PAID,
        payroll_file__period=period,
        payroll_file__currency=F("currency"),
    )
    for name, amount, payout in otherwise.order_by("pk").values_list(
        "statement__person__name", "amount_minor", "statement__payout_minor"
    ):
        yield f"{name}: {payout} ≠ {amount}"
    unpaid = Statement.objects.filter(period=period, state=StatementState.PAID, payroll_item__isnull=True)
    for name, payout in unpaid.order_by("pk").values_list("person__name", "payout_minor"):
        yield f"{name}: {payout} ≠ 0"


def _bundles(period: Period) -> Iterator[str]:
    """Frozen bundles that the second calculation does not agree with, or that say another amount than the statement."""
    rows = Statement.objects.filter(period=period, bundle__isnull=False).order_by("pk")
    for name, payout, bundle in rows.values_list("person__name", "payout_minor", "bundle").iterator(chunk_size=100):
        if bundle is None:
            continue
        try:
            wrong = verify.disagreements(verify.read(bundle_bytes(bundle)))
        except verify.BundleError as error:
            wrong = [str(error)]
        if wrong:
            yield f"{name}: {wrong[0]}"
        elif bundle["result"]["payout_minor"] != payout:
            yield f"{name}: {payout} ≠ {bundle['result']['payout_minor']}"
