"""Calculates a period: transactions to credits, credits to earnings, earnings to pay, and all of it to draft statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import AdjustmentKind, PeriodState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Adjustment, Calculation, Contest, Period, Statement
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.selectors.contests import is_paid_in, paid_and_ended
from salesops.commissions.selectors.facts import PeriodFacts, facts_of
from salesops.commissions.services.drafting import ENGINE_VERSION, drafted, taken_back
from salesops.commissions.services.late import find_late_changes
from salesops.commissions.services.settling import adjustments_of, settle_drafts
from salesops.commissions.services.standings import lock_contests, prizes_in, renew_around, tell_problems
from salesops.commissions.services.storing import store
from salesops.commissions.services.touched import KNOWN, last_known, touched_since
from salesops.commissions.services.transactions import paid_elsewhere, sync_bookings
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.values.outcomes import Problem, gettext_noop


def may_calculate(actor: Actor) -> bool:
    """Revops and finance calculate; whoever does so cannot approve the result."""
    return actor.has(Role.REVOPS, Role.FINANCE)


@transaction.atomic
def calculate_touched(*, actor: Actor, period: Period, at: datetime) -> Calculation | None:
    """Bring an open period up to date for those whose pay a change since its last calculation may have touched.

    Comes to what calculating everybody would: see services.touched. None where nothing was touched; a period that was
    never calculated, and one in which the change may touch anybody, are calculated whole. Raises as `calculate_period`.
    """
    period = Period.objects.select_for_update().get(pk=period.pk)
    last = Calculation.objects.filter(period=period).order_by("-number").first()
    if last is None or period.state == PeriodState.LOCKED:
        return calculate_period(actor=actor, period=period, at=at)
    sync_bookings(period=period, at=at)
    people = touched_since(period, last)
    contests = lock_contests(period)
    ended = paid_and_ended(contests, period, company_day(at))
    if any(each.end_on > company_day(last.started_at) for each in ended):
        people = None
    if people is not None and not people:
        return None
    if ended:
        # Whoever sells more moves others in a contest, too.
        people = None
    return calculate_period(actor=actor, period=period, at=at, people=people, contests=contests)


@transaction.atomic
def calculate_period(
    *,
    actor: Actor,
    period: Period,
    at: datetime,
    people: Collection[int] | None = None,
    contests: Sequence[Contest] | None = None,
) -> Calculation:
    """Bring the draft statements of an open period up to date with the deals, plans and quotas as they are now.

    people: only the statements of these people; None is everybody. contests: those around the period, where they were
    read already; their standings are reckoned anew. What locked periods would pay otherwise today comes
    in as adjustments. Statements whose inputs and results are as before are left alone, with their approval; the others
    are written anew and have to be approved again. Running it twice changes nothing the second time. Raises
    CommissionRefusedError for a locked period and NotAllowedError for anyone but revops and finance.
    """
    if not may_calculate(actor):
        raise NotAllowedError(_("Only revenue operations and finance calculate."))
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state == PeriodState.LOCKED:
        raise CommissionRefusedError(
            _("%(period)s is locked and stays as it is. A late change becomes an adjustment in an open period.")
            % {"period": period.label}
        )
    known = last_known()
    sync_bookings(period=period, at=at)
    if contests is None:
        contests = lock_contests(period)
    reckoned = renew_around(contests, period, at=at)
    prizes = prizes_in(contests, reckoned, period, day=company_day(at), at=at)
    if people is None:
        _renew_late_changes(period, contests, at)
    elsewhere = paid_elsewhere(period)
    facts = facts_of(period, leave_out=elsewhere, people=people)
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
    if people is not None:
        problems = _left_standing(period, facts)
    calculation = Calculation.objects.create(
        period=period, number=number, started_at=at, run_by_id=actor.user_id, engine_version=ENGINE_VERSION
    )
    back = [line for line in taken_back(facts) if people is None or line.person in people]
    with drafted(facts, back) as drafts:
        adjustments = adjustments_of(period)
        settle_drafts(
            drafts,
            [row for row in adjustments if people is None or row.person_id in people],
            prizes={about: won for about, won in prizes.items() if people is None or about[0] in people},
        )
        tell_problems(drafts, [reckoned[each.pk] for each in contests if is_paid_in(each, period)])
        written = store(drafts, period, calculation, at, people)
        # Who is on no plan cannot be seen among a few people.
        problems.extend(item for item in drafts.problems if people is None or item.code != "not-on-a-plan")
    calculation.finished_at = at
    rows = list(
        Statement.objects.filter(period=period).defer("bundle", "carried").order_by("person_id", "plan_version_id")
    )
    calculation.problems = [problem.as_plain() for problem in problems] + [
        problem for row in rows for problem in row.problems
    ]
    calculation.totals = {
        "statements": len(rows),
        "written": written,
        "transactions": facts.in_period,
        "credited_minor": _by_currency(rows, "credited_minor"),
        "earned_minor": _by_currency(rows, "earned_minor"),
        "payout_minor": _by_currency(rows, "payout_minor"),
        KNOWN: known,
    }
    if people is not None:
        calculation.totals["people"] = len(people)
    calculation.inputs_digest = digest_of([[row.person_id, row.plan_version_id, row.digest] for row in rows])
    calculation.save()
    record(actor=actor, action="period.calculated", subject=period, after={"run": number, **calculation.totals}, at=at)
    return calculation


def _renew_late_changes(period: Period, contests: Sequence[Contest], at: datetime) -> None:
    """Write the late changes of an open period anew; where nothing is otherwise, nothing is written."""
    stored = {_line_of(row): row for row in Adjustment.objects.filter(period=period, kind=AdjustmentKind.LATE)}
    found = {_line_of(row): row for row in find_late_changes(period=period, at=at, contests=contests)}
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


def _left_standing(period: Period, facts: PeriodFacts) -> list[Problem]:
    """What the last calculation found about nobody's statement and about none of the transactions that are read now."""
    last = Calculation.objects.filter(period=period).order_by("-number").first()
    of_statements: Counter[Problem] = Counter()
    for problems in Statement.objects.filter(period=period).exclude(problems=[]).values_list("problems", flat=True):
        of_statements.update(Problem.from_plain(plain) for plain in problems)
    read = set(facts.engine.transactions.key.tolist())
    found = []
    for plain in last.problems if last else []:
        problem = Problem.from_plain(plain)
        if of_statements[problem]:
            of_statements[problem] -= 1
        elif problem.where not in read:
            found.append(problem)
    return found


def _by_currency(statements: list[Statement], name: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for statement in statements:
        totals[statement.currency] += getattr(statement, name)
    return dict(totals)
