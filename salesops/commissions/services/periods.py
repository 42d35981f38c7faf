"""Opens periods of pay."""

from __future__ import annotations

from datetime import date

from salesops.commissions.models import Period
from salesops.values.periods import period_of


def open_period(*, day: date, kind: str, time_zone: str) -> Period:
    """The period of this kind that a day falls in, made when it is not there yet."""
    found = period_of(day, kind)
    period, _ = Period.objects.get_or_create(
        kind=kind, start_on=found.start, time_zone=time_zone, defaults={"end_on": found.end, "label": found.label}
    )
    return period
