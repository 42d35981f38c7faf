"""Work of the connectors room in the background."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.connectors.services import brakes, connecting, hooks, imports, pulling, pushing, reconciling
from salesops.jobs.registry import comes_round, handles
from salesops.jobs.runner import JobRun


@handles("connectors.preview")
def preview(run: JobRun) -> None:
    """Say what an import would do."""
    imports.run_preview(run)


@handles("connectors.import")
def import_file(run: JobRun) -> None:
    """Bring a file in."""
    imports.run_import(run)


@handles("connectors.retry")
def retry_rows(run: JobRun) -> None:
    """Try a large shelf again."""
    imports.run_retry(run)


TICK = "connectors.tick"

comes_round(code=TICK, title=_("Connections that are due are synced"), kind=TICK, rule="* * * * *")


@handles(TICK)
def tick(run: JobRun) -> None:
    """Ring for every connection that is due."""
    with run.finish():
        connecting.enqueue_due(at=run.now())
        hooks.enqueue_waiting(at=run.now())
        pushing.enqueue_all(at=run.now())
        brakes.enqueue_left(at=run.now())


@handles(connecting.SYNC)
def sync(run: JobRun) -> None:
    """Bring one connection up to date."""
    pulling.sync(run)


@handles(brakes.ADMITTED)
def bring_admitted(run: JobRun) -> None:
    """Bring in what somebody let in."""
    brakes.bring_admitted(run)


@handles(pushing.PUSH)
def push(run: JobRun) -> None:
    """Write edits made here back to their source."""
    pushing.push(run)


@handles(reconciling.RECONCILE)
def reconcile(run: JobRun) -> None:
    """Compare a connection with its source."""
    reconciling.reconcile(run)


RECONCILE_ALL = "connectors.reconcile_all"

comes_round(
    code=RECONCILE_ALL, title=_("Connections are compared with their sources"), kind=RECONCILE_ALL, rule="15 2 * * *"
)


@handles(RECONCILE_ALL)
def reconcile_all(run: JobRun) -> None:
    """Ask for a comparison of each connection."""
    with run.finish():
        reconciling.enqueue_all(at=run.now())


@handles(hooks.INBOX)
def inbox(run: JobRun) -> None:
    """Bring in what a vendor pushed."""
    hooks.bring_in(run)


FORGET = "connectors.forget_webhooks"

comes_round(
    code=FORGET,
    title=_("Webhooks, runs and mended differences of long ago are forgotten"),
    kind=FORGET,
    rule="40 3 * * *",
)


@handles(FORGET)
def forget(run: JobRun) -> None:
    """Delete what was pushed a month ago and brought in, and the runs and mended differences of half a year ago."""
    with run.finish():
        hooks.forget_old(at=run.now())
        pulling.forget_old(at=run.now())
