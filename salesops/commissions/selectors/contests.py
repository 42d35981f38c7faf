"""Contests and who stands where in them, as an actor may see it; and what the engine makes of the days of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import QuerySet

from salesops.commissions.choices import ContestState, PeriodState, VersionState
from salesops.commissions.models import Contest, ContestStanding, Period, Plan, PlanAssignment, PlanVersion, Statement
from salesops.commissions.rules.contests import ContestWords, Standing, measured_by, standings, words_from_plain
from salesops.commissions.rules.engine import run_in
from salesops.commissions.selectors.facts import ALONE, facts_of_span
from salesops.core.actor import Actor
from salesops.pods.models import PodMembership
from salesops.values.calculator import open_calculator
from salesops.values.outcomes import Problem


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What a contest comes to with what is known now."""

    contest: Contest
    words: ContestWords
    standings: tuple[Standing, ...]
    problems: tuple[Problem, ...]


def contests_for(actor: Actor) -> QuerySet[Contest]:
    """The contests the actor may see, the latest first."""
    return Contest.objects.visible_to(actor).select_related("plan")


def contest_for(actor: Actor, pk: int) -> Contest:
    """One of them. Raises Http404."""
    return Contest.objects.select_related("plan", "created_by", "activated_by", "cancelled_by").get_for(actor, pk=pk)


def standings_for(actor: Actor, contest: Contest) -> QuerySet[ContestStanding]:
    """Who stands where, of those whom the actor may see: who takes part first, in order."""
    rows = ContestStanding.objects.visible_to(actor).filter(contest=contest).select_related("person")
    return rows.order_by("-total_minor", "person_id")


def standings_of(actor: Actor, statement: Statement) -> QuerySet[ContestStanding]:
    """Where the person of a statement stands in contests in force that have days in its period."""
    rows = ContestStanding.objects.visible_to(actor).filter(
        person=statement.person_id,
        contest__state=ContestState.ACTIVE,
        contest__start_on__lt=statement.period.end_on,
        contest__end_on__gt=statement.period.start_on,
    )
    return rows.select_related("contest").order_by("contest__end_on", "contest__key")


def running_standings_of(actor: Actor, day: date) -> QuerySet[ContestStanding]:
    """Where the actor stands in contests in force that have this day; the one that ends first comes first."""
    rows = ContestStanding.objects.visible_to(actor).filter(
        person=actor.user_id,
        contest__state=ContestState.ACTIVE,
        contest__start_on__lte=day,
        contest__end_on__gt=day,
    )
    return rows.select_related("contest").order_by("contest__end_on", "contest__key")


def version_on(plan: Plan, day: date) -> PlanVersion | None:
    """The version of a plan that is in force on a day; it says the currency and the periods of prizes paid into it."""
    rows = PlanVersion.objects.filter(plan=plan, state=VersionState.ACTIVE, start_on__lte=day)
    version = rows.order_by("-start_on").first()
    return version if version and (version.end_on is None or version.end_on > day) else None


def words_of(contest: Contest) -> ContestWords:
    """What a contest says."""
    return words_from_plain(contest.definition).unwrap()


def people_in(words: ContestWords) -> set[int]:
    """Who is in: the people of its plans and pods on the day on which it begins."""
    found: set[int] = set()
    if words.plans:
        on_plans = PlanAssignment.objects.on(words.start).filter(plan__in=words.plans).order_by()
        found.update(on_plans.values_list("person", flat=True))
    if words.pods:
        in_pods = PodMembership.objects.on(words.start).filter(pod__in=words.pods).order_by()
        found.update(in_pods.values_list("person", flat=True))
    return found


def reckon(contest: Contest) -> Reckoned:
    """Credit everybody who is in over the days of a contest, by the engine that pays. Asks for nobody in particular.

    problems: what could not be measured, for want of a rate of exchange or a value.
    """
    words = words_of(contest)
    totals = dict.fromkeys(people_in(words), 0)
    days = Period(start_on=words.start, end_on=words.end, label=words.name)
    facts = facts_of_span(days, measured_by(words), totals)
    with open_calculator() as calculator:
        notes = run_in(calculator, facts.definitions, facts.engine, facts.book)
        totals |= dict(
            calculator.execute("SELECT person, sum(measured)::BIGINT FROM run_lines GROUP BY person").fetchall()
        )
    problems = tuple(dict.fromkeys(found.problem for found in notes.problems if found.plan == ALONE))
    return Reckoned(contest, words, standings(words, totals), problems)


# --- Which contests a calculation has to do with --------------------------------------------------------------------


def contests_around(period: Period) -> QuerySet[Contest]:
    """Contests in force that have days in a period, or ended so shortly before it that late changes are looked for."""
    start = period.start_on
    since = date(start.year - settings.COMMISSIONS_LOOK_BACK_YEARS, start.month, 1)
    rows = Contest.objects.filter(state=ContestState.ACTIVE, end_on__gt=since, start_on__lt=period.end_on)
    return rows.order_by("end_on", "key")


def is_paid_in(contest: Contest, period: Period) -> bool:
    """Whether a period pays the prizes of a contest: the last day lies in it, and the plan pays by such periods."""
    return (contest.period_kind, contest.time_zone) == (period.kind, period.time_zone) and (
        period.start_on < contest.end_on <= period.end_on
    )


def paid_and_ended(contests: Iterable[Contest], period: Period, day: date) -> list[Contest]:
    """Those of these contests whose prizes a period pays and whose last day is over."""
    return [each for each in contests if is_paid_in(each, period) and each.end_on <= day]


def is_settled(contest: Contest) -> bool:
    """Whether the period that pays the prizes of a contest is locked."""
    return Period.objects.filter(
        kind=contest.period_kind,
        time_zone=contest.time_zone,
        state=PeriodState.LOCKED,
        start_on__lt=contest.end_on,
        end_on__gte=contest.end_on,
    ).exists()
