"""Calculates a period: transactions to credits, credits to earnings, earnings to pay, and all of it to draft statements."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import AdjustmentKind, PeriodState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Adjustment, Calculation, Period
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.selectors.facts import facts_of
from salesops.commissions.services.drafting import ENGINE_VERSION, Draft, Key, drafted, taken_back
from salesops.commissions.services.late import find_late_changes
from salesops.commissions.services.settling import adjustments_of, settle_drafts
from salesops.commissions.services.storing import store
from salesops.commissions.services.transactions import paid_elsewhere, sync_bookings
from salesops.core.actor import Actor, Role
from salesops.values.outcomes import Problem, gettext_noop


def may_calculate(actor: Actor) -> bool:
    """Revops and finance calculate; whoever does so cannot approve the result."""
    return actor.has(Role.REVOPS, Role.FINANCE)


@transaction.atomic
def calculate_period(*, actor: Actor, period: Period, at: datetime) -> Calculation:
    """Bring the draft statements of an open period up to date with the deals, plans and quotas as they are now.

    What locked periods would pay otherwise today comes in as adjustments. Statements whose inputs and results are as
    before are left alone, with their approval; the others are written anew and have to be approved again. Running it
    twice changes nothing the second time. Raises CommissionRefusedError for a locked period and NotAllowedError for
    anyone but revops and finance.
    """
    if not may_calculate(actor):
        raise NotAllowedError(_("Only revenue operations and finance calculate."))
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state == PeriodState.LOCKED:
        raise CommissionRefusedError(
            _("%(period)s is locked and stays as it is. A late change becomes an adjustment in an open period.")
            % {"period": period.label}
        )
    sync_bookings(period=period, at=at)
    _renew_late_changes(period, at)
    elsewhere = paid_elsewhere(period)
    facts = facts_of(period, leave_out=elsewhere)
    problems = [
        Problem.of(
            "paid-elsewhere",
            gettext_noop("%(key)s was paid in a locked period already and is left out."),
            where=key,
            remedy=gettext_noop("If its amount changed since, the difference comes as an adjustment by itself."),
            key=key,
        )
        for key in elsewhere
    ]
    if not facts.versions:
        problems.append(
            Problem.of(
                "no-plan",
                gettext_noop("No plan is in force in %(period)s."),
                remedy=gettext_noop("Put a plan version in force that covers the period, and people on it."),
                period=period.label,
            )
        )
    number = (Calculation.objects.filter(period=period).aggregate(last=Max("number"))["last"] or 0) + 1
    calculation = Calculation.objects.create(
        period=period, number=number, started_at=at, run_by_id=actor.user_id, engine_version=ENGINE_VERSION
    )
    with drafted(facts, taken_back(facts)) as drafts:
        settle_drafts(drafts, adjustments_of(period))
        written = store(drafts, period, calculation, at)
        problems.extend(drafts.problems)
        found = drafts.by_key
    calculation.finished_at = at
    calculation.problems = [problem.as_plain() for problem in problems] + [
        problem.as_plain() for draft in found.values() for problem in draft.problems
    ]
    calculation.totals = {
        "statements": len(found),
        "written": written,
        "transactions": facts.in_period,
        "credited_minor": _by_currency(found, "credited_minor"),
        "earned_minor": _by_currency(found, "earned_minor"),
        "payout_minor": _by_currency(found, "payout_minor"),
    }
    calculation.inputs_digest = digest_of([[list(key), draft.digest()] for key, draft in sorted(found.items())])
    calculation.save()
    record(actor=actor, action="period.calculated", subject=period, after={"run": number, **calculation.totals}, at=at)
    return calculation


def _renew_late_changes(period: Period, at: datetime) -> None:
    """Write the late changes of an open period anew; where nothing is otherwise, nothing is written."""
    stored = {_line_of(row): row for row in Adjustment.objects.filter(period=period, kind=AdjustmentKind.LATE)}
    found = {_line_of(row): row for row in find_late_changes(period=period, at=at)}
    stale = [row.pk for line, row in stored.items() if line not in found]
    Adjustment.objects.filter(pk__in=stale).delete()
    Adjustment.objects.bulk_create(row for line, row in found.items() if line not in stored)


def _line_of(row: Adjustment) -> tuple[object, ...]:
    return (
        row.person_id,
        row.plan_id,
        row.about_period_id,
        row.about_transaction_id,
        row.component,
        row.amount_minor,
        row.paid_minor,
        row.due_minor,
        row.cause,
    )


def _by_currency(drafts: dict[Key, Draft], name: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for draft in drafts.values():
        totals[draft.version.currency] += getattr(draft, name)
    return dict(totals)
