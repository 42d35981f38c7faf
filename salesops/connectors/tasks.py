"""Work of the connectors room in the background."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.connectors.services import connecting, imports, pulling
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


@handles(connecting.SYNC)
def sync(run: JobRun) -> None:
    """Bring one connection up to date."""
    pulling.sync(run)
