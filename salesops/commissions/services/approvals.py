"""Approves statements, locks periods, posts to the ledger. Whoever prepared something does not approve it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.audit.services import Change, record, record_many
from salesops.commissions.choices import (
    AdjustmentState,
    Decision,
    EntryKind,
    LedgerAccount,
    PeriodState,
    StatementState,
)
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import (
    Adjustment,
    Approval,
    Credit,
    Earning,
    LedgerEntry,
    Period,
    SettlementLine,
    Statement,
)
from salesops.commissions.rules.settlement.lines import LineKind
from salesops.commissions.selectors.bundles import bundles_of
from salesops.commissions.selectors.totals import disagreements
from salesops.core.actor import Actor, Role


@dataclass(frozen=True, slots=True)
class ApprovalResult:
    """How many statements were decided, and which were not and why (statement id to words)."""

    decided: int
    refused: dict[int, str]


def _checker(actor: Actor) -> int:
    """The user id of a finance person; anyone else is refused."""
    if not actor.has(Role.FINANCE) or actor.user_id is None:
        raise NotAllowedError(_("Only finance approves pay."))
    return actor.user_id


def why_not(statement: Statement, checker: int | None) -> str:
    """Why this person cannot approve the statement, in words; empty when they can."""
    if statement.state != StatementState.DRAFT:
        return _("It is %(state)s already.") % {"state": statement.get_state_display()}
    if statement.problems:
        return _("It has an open problem. Mend it and calculate again.")
    if statement.prepared_by_id == checker:
        return _("You prepared it: somebody else must approve it.")
    if statement.person_id == checker:
        return _("It is your own pay: somebody else must approve it.")
    return ""


@transaction.atomic
def approve_statements(*, actor: Actor, statement_ids: Collection[int], at: datetime, note: str = "") -> ApprovalResult:
    """Approve draft statements as they stand now. One's own, and those one prepared, are refused and named.

    Raises NotAllowedError for anyone but finance.
    """
    checker = _checker(actor)
    refused: dict[int, str] = {}
    good: list[Statement] = []
    rows = Statement.objects.select_for_update(of=("self",)).visible_to(actor).filter(pk__in=statement_ids)
    for statement in rows.select_related("period", "person").order_by("pk"):
        if reason := why_not(statement, checker):
            refused[statement.pk] = reason
        else:
            good.append(statement)
    Statement.objects.filter(pk__in=[row.pk for row in good]).update(state=StatementState.APPROVED)
    Approval.objects.bulk_create(
        Approval(
            statement=row,
            decision=Decision.APPROVED,
            decided_by_id=checker,
            decided_at=at,
            digest=row.digest,
            note=note,
        )
        for row in good
    )
    record_many(
        actor=actor,
        changes=[
            _change(
                "statement.approved",
                row,
                {"state": StatementState.DRAFT},
                {"state": StatementState.APPROVED, "digest": row.digest},
                note,
            )
            for row in good
        ],
        at=at,
    )
    return ApprovalResult(decided=len(good), refused=refused)


@transaction.atomic
def return_statement(*, actor: Actor, statement: Statement, at: datetime, note: str) -> None:
    """Send an approved or draft statement back with a reason; it must be approved anew. A locked one stays as it is."""
    checker = _checker(actor)
    if not note.strip():
        raise CommissionRefusedError(_("Say what is wrong with it."))
    changed = Statement.objects.filter(
        pk=statement.pk, state__in=[StatementState.DRAFT, StatementState.APPROVED]
    ).update(state=StatementState.DRAFT)
    if not changed:
        raise CommissionRefusedError(_("The statement is locked. A change comes as an adjustment in an open period."))
    Approval.objects.create(
        statement=statement,
        decision=Decision.RETURNED,
        decided_by_id=checker,
        decided_at=at,
        digest=statement.digest,
        note=note,
    )
    record_many(
        actor=actor,
        changes=[
            _change("statement.returned", statement, {"state": statement.state}, {"state": StatementState.DRAFT}, note)
        ],
        at=at,
    )


@transaction.atomic
def lock_period(*, actor: Actor, period: Period, at: datetime) -> Period:
    """Freeze a period whose statements are all approved, and post what is owed.

    Raises CommissionRefusedError when it is locked already, has no statement, has one that is not approved, or when the
    totals do not agree with the lines behind them.
    """
    checker = _checker(actor)
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state == PeriodState.LOCKED:
        raise CommissionRefusedError(_("%(period)s is locked already.") % {"period": period.label})
    statements = list(Statement.objects.select_for_update(of=("self",)).filter(period=period).order_by("pk"))
    if not statements:
        raise CommissionRefusedError(
            _("Nothing was calculated for %(period)s yet. Calculate it first.") % {"period": period.label}
        )
    waiting = sum(1 for row in statements if row.state != StatementState.APPROVED)
    if waiting:
        raise CommissionRefusedError(
            ngettext(
                "%(count)s statement is not approved yet. Approve it, then lock.",
                "%(count)s statements are not approved yet. Approve them, then lock.",
                waiting,
            )
            % {"count": waiting}
        )
    if any(row.prepared_by_id == checker for row in statements):
        raise NotAllowedError(_("You ran the calculation: somebody else must lock the period."))
    undecided = Adjustment.objects.filter(period=period, state=AdjustmentState.WAITING).count()
    if undecided:
        raise CommissionRefusedError(
            ngettext(
                "%(count)s adjustment waits for approval. Approve or refuse it, then calculate again.",
                "%(count)s adjustments wait for approval. Approve or refuse them, then calculate again.",
                undecided,
            )
            % {"count": undecided}
        )
    wrong = disagreements(period)
    if wrong:
        raise CommissionRefusedError(
            _("The totals do not agree with their lines: %(where)s. Calculate again.") % {"where": "; ".join(wrong)}
        )
    for model in (Credit, Earning, SettlementLine):
        model._default_manager.filter(statement__period=period).update(locked_at=at)
    Adjustment.objects.filter(period=period).update(locked_at=at)
    bundles = bundles_of(statements)
    for statement in statements:
        statement.bundle = bundles[statement.pk]
        statement.state = StatementState.LOCKED
        statement.locked_at = at
    Statement.objects.bulk_update(statements, ["bundle", "state", "locked_at"], batch_size=200)
    Period.objects.filter(pk=period.pk).update(state=PeriodState.LOCKED, locked_at=at, locked_by_id=checker)
    post_earnings(statements=statements, by_id=checker, at=at)
    earned: dict[str, int] = {}
    payout: dict[str, int] = {}
    for statement in statements:
        earned[statement.currency] = earned.get(statement.currency, 0) + statement.earned_minor
        payout[statement.currency] = payout.get(statement.currency, 0) + statement.payout_minor
    record(
        actor=actor,
        action="period.locked",
        subject=period,
        before={"state": PeriodState.OPEN},
        after={
            "state": PeriodState.LOCKED,
            "statements": len(statements),
            "earned_minor": earned,
            "payout_minor": payout,
        },
        at=at,
    )
    period.refresh_from_db()
    return period


#: Where the amount of a settlement line comes from, seen from what is owed to the person, and how it is called.
_POSTED: Final[dict[LineKind, tuple[LedgerAccount, EntryKind]]] = {
    LineKind.EARNING: (LedgerAccount.EXPENSE, EntryKind.ADJUSTMENT),
    LineKind.OBJECTIVE: (LedgerAccount.EXPENSE, EntryKind.BONUS),
    LineKind.BONUS: (LedgerAccount.EXPENSE, EntryKind.BONUS),
    LineKind.MULTIPLIER: (LedgerAccount.EXPENSE, EntryKind.MULTIPLIER),
    LineKind.CAP: (LedgerAccount.EXPENSE, EntryKind.LIMIT),
    LineKind.FLOOR: (LedgerAccount.EXPENSE, EntryKind.LIMIT),
    LineKind.REVERSAL: (LedgerAccount.EXPENSE, EntryKind.CLAWBACK),
    LineKind.CLAWBACK_WAIVED: (LedgerAccount.EXPENSE, EntryKind.CLAWBACK),
    LineKind.DRAW_GUARANTEE: (LedgerAccount.EXPENSE, EntryKind.DRAW),
    LineKind.DRAW_ADVANCE: (LedgerAccount.ADVANCED, EntryKind.DRAW),
    LineKind.DRAW_RECOVERY: (LedgerAccount.ADVANCED, EntryKind.RECOVERY),
    LineKind.HOLD: (LedgerAccount.HELD, EntryKind.HOLD),
    LineKind.HELD_CANCELLED: (LedgerAccount.HELD, EntryKind.RELEASE),
    LineKind.RELEASE: (LedgerAccount.HELD, EntryKind.RELEASE),
    LineKind.ADJUSTMENT: (LedgerAccount.EXPENSE, EntryKind.ADJUSTMENT),
    LineKind.BROUGHT_FORWARD: (LedgerAccount.TAKEN, EntryKind.CARRIED),
    LineKind.CARRIED_FORWARD: (LedgerAccount.TAKEN, EntryKind.CARRIED),
    LineKind.OWED: (LedgerAccount.TAKEN, EntryKind.CARRIED),
}


def post_earnings(*, statements: Collection[Statement], by_id: int | None, at: datetime) -> None:
    """Post what each locked statement owes its person, step by step; the two entries of a posting add up to zero.

    What is owed is what is paid out: earned, plus and minus the steps of the settlement. A draw that is forgiven moves
    from the advances to the cost of sales, and is paid to nobody.
    """
    entries: list[LedgerEntry] = []
    by_pk = {row.pk: row for row in statements}

    def post(
        row: Statement, what: str, kind: EntryKind, into: LedgerAccount, source: LedgerAccount, amount: int
    ) -> None:
        if amount:
            entries.extend(
                LedgerEntry(
                    posting=f"statement:{row.pk}:{what}",
                    account=account,
                    kind=kind,
                    person_id=row.person_id,
                    period_id=row.period_id,
                    statement=row,
                    amount_minor=sign * amount,
                    currency=row.currency,
                    posted_at=at,
                    posted_by_id=by_id,
                )
                for account, sign in ((into, 1), (source, -1))
            )

    for row in by_pk.values():
        post(row, "earning", EntryKind.EARNING, LedgerAccount.OWED, LedgerAccount.EXPENSE, row.earned_minor)
    lines = SettlementLine.objects.filter(statement__in=by_pk).order_by("statement_id", "position")
    for line in lines:
        row, kind = by_pk[line.statement_id], LineKind(line.kind)
        what = f"line {line.position}"
        if kind is LineKind.DRAW_FORGIVEN:
            amount = abs(line.amount_minor)
            post(row, what, EntryKind.FORGIVEN, LedgerAccount.ADVANCED, LedgerAccount.EXPENSE, amount)
        elif line.is_paid:
            source, called = _POSTED[kind]
            post(row, what, called, LedgerAccount.OWED, source, line.amount_minor)
    LedgerEntry.objects.bulk_create(entries, batch_size=2_000)


def _change(action: str, row: Statement, before: dict[str, object], after: dict[str, object], reason: str) -> Change:
    return Change(
        action=action,
        subject_type="commissions.statement",
        subject_id=row.pk,
        subject_label=str(row),
        before=before,
        after=after,
        reason=reason,
    )
