"""Work of the leads room in the background."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import features
from salesops.jobs.registry import comes_round, handles
from salesops.jobs.runner import JobFailedError, JobRun
from salesops.leads.choices import LEARNED, OPEN_STATUSES
from salesops.leads.models import LeadScore, ScoreVersion
from salesops.leads.selectors.score_versions import Comparison, compare_next, open_leads
from salesops.leads.selectors.scores import scheme_of_version, score_rules_in_force
from salesops.leads.services.learning import LEARN, keep_learned, learn, put_out_of_use, tell_chances
from salesops.leads.services.score_versions import COMPARE
from salesops.leads.services.scores import (
    RESCORE_ALL,
    RESCORE_CHANGED,
    is_score_due,
    next_open_leads,
    score_due,
    score_range,
)
from salesops.leads.services.sweeps import (
    ROUTE_WAITING,
    RUN_CLOCKS,
    TELL_UNWORKED,
    route_waiting,
    run_clocks,
    tell_unworked,
)

comes_round(
    code="leads.rescore_all",
    title=gettext_lazy("All leads are scored anew"),
    kind=RESCORE_ALL,
    rule="15 1 * * *",
)
comes_round(
    code="leads.rescore_changed",
    title=gettext_lazy("Scores of leads fade"),
    kind=RESCORE_CHANGED,
    rule="*/10 * * * *",
)
comes_round(
    code="leads.learn",
    title=gettext_lazy("Chances of leads are learned anew"),
    kind=LEARN,
    rule="45 1 * * *",
)
comes_round(
    code="leads.route_waiting",
    title=gettext_lazy("Leads that wait are tried again"),
    kind=ROUTE_WAITING,
    rule="* * * * *",
)
comes_round(
    code="leads.run_clocks",
    title=gettext_lazy("Clocks of leads are looked at"),
    kind=RUN_CLOCKS,
    rule="* * * * *",
)
comes_round(
    code="leads.tell_unworked",
    title=gettext_lazy("Managers are told on how many leads nobody works"),
    kind=TELL_UNWORKED,
    rule="0 7 * * 1-5",
)


@handles(RESCORE_CHANGED)
def rescore_changed(run: JobRun) -> None:
    """Score leads that were changed, and those whose signals have faded, until none is due.

    Those that somebody is changing in this moment are left to the job that this change asks for.
    """
    while is_score_due(at=run.now()) and not run.cancelled:
        with run.batch():
            done = score_due(at=run.now())
            run.state["done"] = run.state.get("done", 0) + done
            run.state["batches"] = run.state.get("batches", 0) + 1
            run.progress(run.state["done"])
        if not done:
            return


@handles(RESCORE_ALL)
def rescore_all(run: JobRun) -> None:
    """Score every open lead by the rules in force, a batch in a transaction; after a kill it goes on from the last."""
    total = open_leads()
    while (keys := next_open_leads(after=run.state.get("after", 0))) and not run.cancelled:
        with run.batch():
            done = score_range(keys=keys, at=run.now())
            run.state["after"] = keys[-1]
            run.state["done"] = run.state.get("done", 0) + done
            run.progress(run.state["done"], total)


@handles(COMPARE)
def compare_scores(run: JobRun) -> None:
    """Compare a version with what is in force, and keep what comes out in the state of the job."""
    version, in_force = ScoreVersion.objects.get(pk=run.payload["version"]), score_rules_in_force()
    new = scheme_of_version(version).value
    if new is None:
        raise JobFailedError(_("The rules of this version cannot be read."))
    old = scheme_of_version(in_force).value if in_force else None
    total = open_leads()
    while not run.cancelled:
        step = compare_next(old, new, after=run.state.get("after", 0), at=run.now())
        if step is None:
            return
        with run.batch():
            whole = Comparison.from_plain(run.state.get("comparison", {}))
            whole.add(step[1])
            run.state["after"], run.state["comparison"] = step[0], whole.as_plain()
            run.state["against"] = in_force.number if in_force else None
            run.progress(whole.total, total)


@handles(ROUTE_WAITING)
def route_what_waits(run: JobRun) -> None:
    """Route every lead that waits, a batch in a transaction; after a kill it goes on from the last."""
    while not run.cancelled:
        with run.batch():
            done = route_waiting(actor=run.actor, at=run.now(), after=run.state.get("after", 0))
            run.state["after"] = done.last or run.state.get("after", 0)
            run.state["given"] = run.state.get("given", 0) + done.given
            run.state["seen"] = run.state.get("seen", 0) + done.seen
            run.progress(run.state["seen"])
        if done.last is None:
            return


@handles(RUN_CLOCKS)
def look_at_clocks(run: JobRun) -> None:
    """Handle every clock whose moment has come."""
    while not run.cancelled:
        with run.batch():
            done = run_clocks(actor=run.actor, at=run.now())
            run.state["seen"] = run.state.get("seen", 0) + done.seen
            run.state["round"] = run.state.get("round", 0) + 1
        if done.last is None:
            return


@handles(TELL_UNWORKED)
def tell_of_unworked(run: JobRun) -> None:
    """Tell each manager who sees too many, once a day."""
    with run.batch():
        run.state["told"] = tell_unworked(at=run.now())


@handles(LEARN)
def learn_chances(run: JobRun) -> None:
    """Judge what outcomes teach, then tell the chances of all open leads; after a kill it goes on from the last.

    While it is switched off nothing is learned, and chances that were told earlier go.
    """
    if "judged" not in run.state and not features.is_on(LEARNED):
        with run.batch():
            put_out_of_use()
            run.state["judged"] = 0
    elif "judged" not in run.state:
        learned = learn(at=run.now())
        with run.batch():
            run.state["judged"] = keep_learned(actor=run.actor, learned=learned, at=run.now()).pk
    total = LeadScore.objects.filter(lead__status__in=OPEN_STATUSES).count()
    while not run.cancelled:
        with run.batch():
            found = tell_chances(after=run.state.get("after", 0))
            if found is not None:
                run.state["after"] = found[0]
                run.state["done"] = run.state.get("done", 0) + found[1]
                run.progress(run.state["done"], total)
            run.state["batches"] = run.state.get("batches", 0) + 1
        if found is None:
            return
