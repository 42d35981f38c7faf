"""Approves statements, locks periods, posts to the ledger. Whoever prepared something does not approve it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.audit.services import Change, record, record_many
from salesops.commissions.choices import (
    AdjustmentState,
    ContestState,
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
    Calculation,
    Contest,
    Credit,
    Earning,
    LedgerEntry,
    Period,
    PlanVersion,
    SettlementLine,
    Statement,
)
from salesops.commissions.rules.plans import DEFAULT_APPROVALS, ApprovalLevel
from salesops.commissions.rules.reviews import SecondLook
from salesops.commissions.rules.settlement.lines import LineKind
from salesops.commissions.selectors.bundles import bundles_of
from salesops.commissions.selectors.exceptions import payout_looks, why_look
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.services.settling import not_handed_on_yet
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day


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


def levels_of(version: PlanVersion) -> list[str]:
    """Who approves statements of a plan version, one after the other."""
    return list(version.definition.get("approvals") or [level.value for level in DEFAULT_APPROVALS])


def approved_levels(statement: Statement, decisions: Iterable[Approval]) -> dict[str, int]:
    """The levels at which a statement, as it stands, is approved since it was last sent back, and by whom."""
    found: dict[str, int] = {}
    for decision in sorted(decisions, key=lambda row: row.pk):
        if decision.decision == Decision.RETURNED:
            found = {}
        elif decision.digest == statement.digest:
            found[decision.level] = decision.decided_by_id
    return found


def waits_for(statement: Statement, decisions: Iterable[Approval]) -> str:
    """The level whose turn it is; empty when every level has approved."""
    given = approved_levels(statement, decisions)
    return next((level for level in levels_of(statement.plan_version) if level not in given), "")


def may_approve(actor: Actor) -> bool:
    """Finance approves pay; managers do for the people below them where a plan asks for it."""
    return actor.has(Role.FINANCE, Role.MANAGER) and actor.user_id is not None


def why_not(
    statement: Statement,
    actor: Actor,
    decisions: Iterable[Approval],
    *,
    look: SecondLook | None = None,
    note: str = "",
) -> str:
    """Why the actor cannot approve the statement now, in words; empty when they can.

    look: that it pays out of proportion (`selectors.exceptions.payout_looks`): finance then has to say in the note why
    that is right.
    """
    if statement.state != StatementState.DRAFT:
        return _("It is %(state)s already.") % {"state": statement.get_state_display()}
    if statement.problems:
        return _("It has an open problem. Mend it and calculate again.")
    if statement.prepared_by_id == actor.user_id:
        return _("You prepared it: somebody else must approve it.")
    if statement.person_id == actor.user_id:
        return _("It is your own pay: somebody else must approve it.")
    decisions = list(decisions)
    if actor.user_id in approved_levels(statement, decisions).values():
        return _("You approved it already: the next level is for somebody else.")
    level = waits_for(statement, decisions)
    if level == ApprovalLevel.MANAGER and not (actor.has(Role.MANAGER) and statement.person_id in actor.tree_ids):
        return _("It waits for the manager's approval first.")
    if level == ApprovalLevel.FINANCE and not actor.has(Role.FINANCE):
        return _("It waits for finance.")
    if look is not None and level == ApprovalLevel.FINANCE and not note.strip():
        return f"{why_look(look, statement.currency)} {_('Look at it, and say in the note why it is right.')}"
    return ""


@transaction.atomic
def approve_statements(*, actor: Actor, statement_ids: Collection[int], at: datetime, note: str = "") -> ApprovalResult:
    """Approve draft statements as they stand now, each at the level whose turn it is; after the last it is approved.

    One's own, those one prepared, those whose turn is another's, and without a note those that pay out of proportion are
    refused and named. Raises NotAllowedError for anyone but finance and managers.
    """
    if not may_approve(actor) or actor.user_id is None:
        raise NotAllowedError(_("Only finance approves pay, and managers where a plan asks for it."))
    refused: dict[int, str] = {}
    good: list[tuple[Statement, str, bool]] = []
    rows = Statement.objects.select_for_update(of=("self",)).visible_to(actor).filter(pk__in=statement_ids)
    asked = list(rows.select_related("period", "person", "plan_version").prefetch_related("approvals").order_by("pk"))
    looks = payout_looks(asked)
    for statement in asked:
        decisions = list(statement.approvals.all())
        if reason := why_not(statement, actor, decisions, look=looks.get(statement.pk), note=note):
            refused[statement.pk] = reason
        else:
            level = waits_for(statement, decisions)
            good.append((statement, level, level == levels_of(statement.plan_version)[-1]))
    done = [row.pk for row, _level, is_last in good if is_last]
    Statement.objects.filter(pk__in=done).update(state=StatementState.APPROVED)
    Approval.objects.bulk_create(
        Approval(
            statement=row,
            decision=Decision.APPROVED,
            level=level,
            decided_by_id=actor.user_id,
            decided_at=at,
            digest=row.digest,
            note=note,
        )
        for row, level, _is_last in good
    )
    record_many(
        actor=actor,
        changes=[
            _change(
                "statement.approved",
                row,
                {"state": StatementState.DRAFT},
                {
                    "state": StatementState.APPROVED if is_last else StatementState.DRAFT,
                    "level": level,
                    "digest": row.digest,
                },
                note,
            )
            for row, level, is_last in good
        ],
        at=at,
    )
    return ApprovalResult(decided=len(good), refused=refused)


@transaction.atomic
def return_statement(*, actor: Actor, statement: Statement, at: datetime, note: str) -> None:
    """Send an approved or draft statement back with a reason; it must be approved anew, by every level.

    By finance, and by the person's managers. A locked one stays as it is.
    """
    if not actor.has(Role.FINANCE) and not (actor.has(Role.MANAGER) and statement.person_id in actor.tree_ids):
        raise NotAllowedError(_("Only finance and the person's managers send a statement back."))
    checker = actor.user_id
    if checker is None:
        raise NotAllowedError(_("Only finance and the person's managers send a statement back."))
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
    _check_what_is_handed_on(period)
    _check_contests(period)
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


def _check_what_is_handed_on(period: Period) -> None:
    """Refuse to freeze what stands on balances that may still change, or did."""
    is_open, is_other = not_handed_on_yet(period)
    if is_open:
        raise CommissionRefusedError(
            _("The period before hands balances on and is not locked yet: %(people)s. Lock it, then calculate again.")
            % {"people": ", ".join(is_open[:10])}
        )
    if is_other:
        raise CommissionRefusedError(
            _("What the period before hands on has changed since: %(people)s. Calculate again.")
            % {"people": ", ".join(is_other[:10])}
        )


def _check_contests(period: Period) -> None:
    """Refuse to freeze a period without the prizes of a contest that ended, or will, since it was calculated."""
    last = Calculation.objects.filter(period=period).latest("number")
    rows = Contest.objects.filter(
        state=ContestState.ACTIVE,
        period_kind=period.kind,
        time_zone=period.time_zone,
        end_on__gt=max(period.start_on, company_day(last.started_at)),
        end_on__lte=period.end_on,
    )
    contest = rows.first()
    if contest:
        raise CommissionRefusedError(
            _("“%(contest)s” ends after the last calculation. When it is over, calculate again.") % {"contest": contest}
        )


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
