"""Work of the connectors room in the background."""

from __future__ import annotations

from salesops.connectors.services import imports
from salesops.jobs.registry import handles
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
