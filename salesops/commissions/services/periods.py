"""Opens periods of pay."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from salesops.commissions.choices import VersionState
from salesops.commissions.models import Period, PlanAssignment, PlanVersion
from salesops.core.models import held_on
from salesops.values.periods import period_of


def open_period(*, day: date, kind: str, time_zone: str) -> Period:
    """The period of this kind that a day falls in, made when it is not there yet."""
    found = period_of(day, kind)
    period, _ = Period.objects.get_or_create(
        kind=kind, start_on=found.start, time_zone=time_zone, defaults={"end_on": found.end, "label": found.label}
    )
    return period


def open_current_periods(*, at: datetime) -> list[Period]:
    """The periods under way of all plans in force with somebody on them, each by the day in its plans' time zone."""
    found = []
    active = PlanVersion.objects.filter(state=VersionState.ACTIVE)
    for kind, time_zone in sorted(active.order_by().values_list("period_kind", "time_zone").distinct()):
        day = at.astimezone(ZoneInfo(time_zone)).date()
        plans = active.filter(held_on(day), period_kind=kind, time_zone=time_zone).values("plan")
        if PlanAssignment.objects.on(day).filter(plan__in=plans).exists():
            found.append(open_period(day=day, kind=kind, time_zone=time_zone))
    return found
