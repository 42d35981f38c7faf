"""Work of the commissions room in the background."""

from __future__ import annotations

from salesops.commissions.models import Period, Scenario
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.scenarios import calculate_scenario
from salesops.jobs.registry import handles
from salesops.jobs.runner import JobRun


@handles("commissions.calculate")
def calculate(run: JobRun) -> None:
    """Calculate one period; old or new result, nothing in between."""
    period = Period.objects.get(pk=run.payload["period"])
    with run.finish():
        calculate_period(actor=run.actor, period=period, at=run.now())


@handles("commissions.scenario")
def try_scenario(run: JobRun) -> None:
    """Calculate what other plans would have paid; written once, when it is done."""
    scenario = Scenario.objects.get(pk=run.payload["scenario"])
    with run.finish():
        calculate_scenario(scenario=scenario, at=run.now())
