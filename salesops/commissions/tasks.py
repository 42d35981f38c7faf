"""Work of the commissions room in the background."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import PeriodState, StatementState
from salesops.commissions.models import Calculation, Period, Scenario, Statement
from salesops.commissions.selectors.totals import all_disagreements
from salesops.commissions.services.calculate import calculate_period, calculate_touched
from salesops.commissions.services.checks import tell_of_disagreements
from salesops.commissions.services.periods import open_current_periods
from salesops.commissions.services.scenarios import calculate_scenario
from salesops.jobs.registry import comes_round, handles
from salesops.jobs.runner import JobFailedError, JobRun

comes_round(
    code="commissions.check_pay",
    title=gettext_lazy("Totals of pay are compared with their lines"),
    kind="commissions.check_pay",
    rule="30 2 * * *",
)

comes_round(
    code="commissions.keep_up",
    title=gettext_lazy("Open periods follow what changed"),
    kind="commissions.keep_up",
    rule="*/15 * * * *",
)


@handles("commissions.calculate")
def calculate(run: JobRun) -> None:
    """Calculate one period, or those of it whose pay a change may have touched; old or new result, nothing in between."""
    period = Period.objects.get(pk=run.payload["period"])
    with run.finish():
        if run.payload.get("is_touched_only"):
            calculate_touched(actor=run.actor, period=period, at=run.now())
        else:
            calculate_period(actor=run.actor, period=period, at=run.now())


@handles("commissions.keep_up")
def keep_up(run: JobRun) -> None:
    """Bring open periods up to date for those whose pay a change may have touched.

    Those that are under way, and those that were calculated before. Nothing may be approved in them yet: what is being
    approved moves under nobody's hands.
    """
    if "current" not in run.state:
        with run.batch():
            run.state["current"] = [period.pk for period in open_current_periods(at=run.now())]
    approved = Statement.objects.filter(period=OuterRef("pk")).exclude(state=StatementState.DRAFT)
    periods = Period.objects.filter(
        Q(pk__in=run.state["current"]) | Exists(Calculation.objects.filter(period=OuterRef("pk"))),
        ~Exists(approved),
        state=PeriodState.OPEN,
    )
    done = run.state.get("periods", [])
    for period in periods.exclude(pk__in=done).order_by("start_on", "pk"):
        with run.batch():
            calculate_touched(actor=run.actor, period=period, at=run.now())
            run.state["periods"] = [*run.state.get("periods", []), period.pk]
    with run.finish():
        return


@handles("commissions.scenario")
def try_scenario(run: JobRun) -> None:
    """Calculate what other plans would have paid; written once, when it is done."""
    scenario = Scenario.objects.get(pk=run.payload["scenario"])
    with run.finish():
        calculate_scenario(scenario=scenario, at=run.now())


@handles("commissions.check_pay")
def check_pay(run: JobRun) -> None:
    """Compare all totals with their lines; when something disagrees, tell people, and fail, so that the jobs page shows it."""
    found = all_disagreements()
    if not found:
        with run.finish():
            return
    with run.batch():
        tell_of_disagreements(found, at=run.now())
        run.state["periods"] = [period.label for period in found]
        run.state["round"] = run.state.get("round", 0) + 1
    raise JobFailedError(
        _("Totals of pay do not agree in %(periods)s.") % {"periods": ", ".join(period.label for period in found)}
    )
