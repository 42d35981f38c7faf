"""The Celery task that rings lead to, and the jobs room's own jobs. This edge reads the clock."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from celery import shared_task
from django.db import DatabaseError
from django.utils.translation import gettext_lazy as _

from salesops.core.services import forget_answers, forget_posted_forms
from salesops.jobs import registry, runner, services
from salesops.jobs.doorbell import TASK_NAME

log = logging.getLogger(__name__)


@shared_task(name=TASK_NAME)
def run_job(job_id: int, **later: Any) -> None:
    """Run one job. `later` takes what a newer portal may send, so that a mixed fleet loses nothing."""
    try:
        runner.run(job_id, worker=f"{socket.gethostname()}:{os.getpid()}")
    except DatabaseError as error:
        log.warning("Job %s: the database did not answer (%s); the relay rings again.", job_id, type(error).__name__)


@registry.handles(services.CANARY)
def sing(run: runner.JobRun) -> None:
    """Do nothing. That it is done in time shows that workers listen."""


@registry.handles("jobs.tidy")
def tidy(run: runner.JobRun) -> None:
    """Delete old rows, a thousand at a time."""
    while True:
        with run.batch():
            deleted = services.tidy(at=run.now())
            run.state["deleted"] = run.state.get("deleted", 0) + deleted
            run.state["rounds"] = run.state.get("rounds", 0) + 1
        if not deleted:
            return


@registry.handles("core.forget_forms")
def forget_forms(run: runner.JobRun) -> None:
    """Delete the keys of forms posted, and of requests answered, long ago, a thousand at a time."""
    deleted = 1
    while deleted:
        with run.batch():
            deleted = forget_posted_forms(at=run.now()) + forget_answers(at=run.now())
            run.state["deleted"] = run.state.get("deleted", 0) + deleted
            run.state["rounds"] = run.state.get("rounds", 0) + 1


registry.comes_round(
    code="jobs.canary", title=_("A sign of life from the workers"), kind=services.CANARY, rule="* * * * *"
)
registry.comes_round(code="jobs.tidy", title=_("Old jobs are cleared away"), kind="jobs.tidy", rule="20 3 * * *")
registry.comes_round(
    code="core.forget_forms",
    title=_("Keys of old forms are cleared away"),
    kind="core.forget_forms",
    rule="40 3 * * *",
)
