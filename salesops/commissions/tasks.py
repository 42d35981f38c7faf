"""Work of the commissions room in the background."""

from __future__ import annotations

from salesops.commissions.models import Period
from salesops.commissions.services.calculate import calculate_period
from salesops.jobs.registry import handles
from salesops.jobs.runner import JobRun


@handles("commissions.calculate")
def calculate(run: JobRun) -> None:
    """Calculate one period; old or new result, nothing in between."""
    period = Period.objects.get(pk=run.payload["period"])
    with run.finish():
        calculate_period(actor=run.actor, period=period, at=run.now())
