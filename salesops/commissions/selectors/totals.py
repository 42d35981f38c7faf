"""Checks that a total equals the rows behind it, at every level."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from salesops.commissions.choices import AdjustmentState, LedgerAccount
from salesops.commissions.models import (
    Adjustment,
    Credit,
    Earning,
    LedgerEntry,
    Period,
    PlanVersion,
    SettlementLine,
    Statement,
)
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


def disagreements(period: Period) -> list[str]:
    """Name each statement of a period whose totals differ from its lines; empty when all agree. Tolerance is zero.

    Compared: earned with the earnings, credited with the credits, paid with what was earned and the lines of the
    settlement, every line with its two heights, and each line's start with the end of the one before; the adjustments
    approved for the period with those that were settled. For a locked period also the ledger with what is paid.
    """
    return [*_sums(period), *_walks(period), *_adjustments(period), *_ledger(period)]


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


def _adjustments(period: Period) -> Iterator[str]:
    """The adjustments approved for a period, and those its statements were settled with, by person."""
    approved = Adjustment.objects.filter(period=period, state=AdjustmentState.APPROVED)
    wanted = dict(approved.order_by().values_list("person__name").annotate(total=Sum("amount_minor")))
    settled = SettlementLine.objects.filter(statement__period=period).filter(Q(kind="adjustment") | Q(kind="earning"))
    found = dict(settled.order_by().values_list("person__name").annotate(total=Sum("amount_minor")))
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name, 0) != found.get(name, 0):
            yield f"{name}: {wanted.get(name, 0)} ≠ {found.get(name, 0)}"


def _ledger(period: Period) -> Iterator[str]:
    if period.locked_at is None:
        return
    owed = LedgerEntry.objects.filter(period=period, account=LedgerAccount.OWED).exclude(kind="payment")
    posted = owed.aggregate(total=Coalesce(Sum("amount_minor"), 0))["total"]
    paid = Statement.objects.filter(period=period).aggregate(total=Coalesce(Sum(F("payout_minor")), 0))["total"]
    if posted != paid:
        yield f"{period}: {paid} ≠ {posted}"
