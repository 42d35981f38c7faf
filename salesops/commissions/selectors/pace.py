"""The pace of an open period: how far a person is, how many working days are left, and what going on like this pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from salesops.commissions.choices import PeriodState
from salesops.commissions.models import PlanAssignment, Statement
from salesops.commissions.rules.explain import attainment_bp
from salesops.commissions.rules.pace import Days, NoPace, Pace, Reached, days_of, pace
from salesops.commissions.rules.plans import PlanDefinition, Scope
from salesops.commissions.selectors.statements import ComponentShown, components_of, definition_of
from salesops.core.models import held_during


@dataclass(frozen=True, slots=True)
class ComponentPace:
    """A component and where its pace leads. why: one word where there is no pace. attainments in basis points."""

    shown: ComponentShown
    pace: Pace | None
    why: NoPace | None

    @property
    def attainment_then(self) -> int | None:
        """Attainment at the end of the period; None without a quota."""
        return (
            attainment_bp(self.pace.reached, self.shown.quota) if self.pace and self.pace.reached is not None else None
        )


@dataclass(frozen=True, slots=True)
class PeriodPace:
    """The pace of one person's open period, as of the day of its calculation. Amounts in minor units.

    first, last: the days of the period on which the person is on the plan. why: where nothing can be said of the whole.
    earned_minor: what all components earn by the end, None where one of them cannot tell.
    """

    as_of: date
    first: date
    last: date
    days: Days
    components: list[ComponentPace]
    why: NoPace | None
    earned_minor: int | None
    is_settled: bool


def pace_of(statement: Statement, today: date) -> PeriodPace | None:
    """The pace of a statement whose period is open, None for a locked one. A constant number of queries.

    Days are counted up to the day on which the statement was calculated: what was credited later is not in it yet.
    """
    period, version = statement.period, statement.plan_version
    if period.state != PeriodState.OPEN:
        return None
    as_of = statement.prepared_at.astimezone(ZoneInfo(period.time_zone)).date()
    on_it = PlanAssignment.objects.filter(
        held_during(period.start_on, period.end_on), person=statement.person_id, plan=version.plan_id
    ).order_by("start_on")
    rows = list(on_it.values_list("start_on", "end_on"))
    starts = [period.start_on, version.start_on, *(start for start, _end in rows[:1])]
    ends = [period.end_on, version.end_on or period.end_on]
    if rows:
        ends.append(max(end or period.end_on for _start, end in rows))
    first, end = max(starts), min(ends)
    days = days_of(first, end, as_of)
    plan = definition_of(statement)
    shown = components_of(statement)
    begun = _begun(statement, plan, shown)
    found = [_component(each, begun.get(each.component.key, 0), days) for each in shown]
    why = None
    if today >= end:
        why = NoPace.OVER
    elif max(today, as_of) < first:
        why = NoPace.TO_COME
    elif days.gone == 0:
        why = NoPace.NO_DAY_YET
    elif all(each.why is NoPace.NOTHING_YET for each in found):
        why = NoPace.NOTHING_YET
    can_tell = why is None and not any(each.why is NoPace.NO_CURVE for each in found)
    earned = sum(each.pace.earned_minor if each.pace else each.shown.earned_minor for each in found)
    return PeriodPace(
        as_of=as_of,
        first=first,
        last=end - timedelta(days=1),
        days=days,
        components=found,
        why=why,
        earned_minor=earned if can_tell else None,
        is_settled=plan.settlement is not None,
    )


def _component(each: ComponentShown, start: int, days: Days) -> ComponentPace:
    is_each = each.component.scope is Scope.TRANSACTION
    outcome = pace(Reached(start, each.reached, each.earned_minor, each.curve, is_each), days)
    return ComponentPace(each, outcome, None) if isinstance(outcome, Pace) else ComponentPace(each, None, outcome)


def _begun(statement: Statement, plan: PlanDefinition, shown: Sequence[ComponentShown]) -> dict[str, int]:
    """Where on its curve the period began, for components whose credits add up over a longer period."""
    longer = [
        each
        for each in shown
        if each.component.period_kind not in (None, plan.period_kind) and each.component.scope is Scope.PERIOD
    ]
    if not longer:
        return {}
    lines = statement.earnings.filter(component__in=[each.component.key for each in longer], position=1)
    return {each.component.key: each.reached for each in longer} | dict(lines.values_list("component", "from_minor"))
