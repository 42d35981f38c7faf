"""Checks that a total equals the rows behind it, at every level."""

from __future__ import annotations

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from salesops.commissions.choices import EntryKind, LedgerAccount
from salesops.commissions.models import Credit, Earning, LedgerEntry, Period, Statement


def disagreements(period: Period) -> list[str]:
    """Name each statement of a period whose totals differ from its lines; empty when all agree. Tolerance is zero.

    Compared: earned with the earnings, credited with the credits, every line with its two heights, and each line's start
    with the end of the one before. For a locked period also the ledger with what was earned.
    """

    def total(model: type[Earning] | type[Credit]) -> Coalesce:
        rows = model._default_manager.filter(statement=OuterRef("pk")).order_by().values("statement")
        return Coalesce(Subquery(rows.annotate(total=Sum("amount_minor")).values("total")), 0)

    wrong = []
    statements = Statement.objects.filter(period=period).select_related("person")
    summed = statements.annotate(lines=total(Earning), credits_total=total(Credit)).order_by("pk")
    for name, earned, lines_total, credited, credits_total in summed.values_list(
        "person__name", "earned_minor", "lines", "credited_minor", "credits_total"
    ):
        if lines_total != earned:
            wrong.append(f"{name}: {earned} ≠ {lines_total}")
        if credits_total != credited:
            wrong.append(f"{name}: {credited} ≠ {credits_total}")
    previous: tuple[int, str] | None = None
    at = height = 0
    lines = Earning.objects.filter(statement__period=period).order_by("statement_id", "component", "position")
    columns = (
        "statement_id",
        "component",
        "position",
        "from_minor",
        "to_minor",
        "height_from_minor",
        "height_to_minor",
        "amount_minor",
    )
    for statement_id, component, position, start, end, low, high, amount in lines.values_list(*columns).iterator(
        chunk_size=5_000
    ):
        is_next = previous == (statement_id, component)
        if high - low != amount or (is_next and (start, low) != (at, height)):
            wrong.append(f"{statement_id}/{component}/{position}: {low}…{high} ≠ {amount}")
        previous, at, height = (statement_id, component), end, high
    if period.locked_at is not None:
        owed = LedgerEntry.objects.filter(period=period, kind=EntryKind.EARNING, account=LedgerAccount.OWED)
        posted = owed.aggregate(total=Coalesce(Sum("amount_minor"), 0))["total"]
        earned = statements.aggregate(total=Coalesce(Sum("earned_minor"), 0))["total"]
        if posted != earned:
            wrong.append(f"{period}: {earned} ≠ {posted}")
    return wrong
