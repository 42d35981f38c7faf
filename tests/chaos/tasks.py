"""Jobs that are made to be killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from salesops.jobs import registry
from salesops.jobs.runner import JobRun
from tests.chaos.models import Effect


def die() -> None:
    """As `kill -9`, or the kernel when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def leave(run: JobRun, part: int) -> None:
    """One effect."""
    Effect.objects.create(number=run.payload["number"], part=part, attempt=run.token, pid=os.getpid())


@registry.handles("chaos.one")
def one(run: JobRun) -> None:
    """One effect, together with the end."""
    with run.finish():
        leave(run, 0)


@registry.handles("chaos.three")
def three(run: JobRun) -> None:
    """Two effects in two batches, the third with the end."""
    for part in range(run.state.get("next", 0), 2):
        with run.batch():
            leave(run, part)
            run.state["next"] = part + 1
    with run.finish():
        leave(run, 2)


@registry.handles("chaos.poison")
def poison(run: JobRun) -> None:
    """Kills its process, always."""
    die()


@registry.handles("chaos.steps")
def steps(run: JobRun) -> None:
    """As `three`, killed on odd attempts just before, on even ones just after its next commit, until all is done."""
    is_before = run.token % 2 == 1
    for part in range(run.state.get("next", 0), 2):
        with run.batch():
            leave(run, part)
            run.state["next"] = part + 1
            if is_before:
                die()
        die()
    with run.finish():
        leave(run, 2)
        if is_before:
            die()
    die()


@registry.handles("chaos.slow")
def slow(run: JobRun) -> None:
    """Says that it has begun, waits to be let go, then leaves its effect: time to be frozen in."""
    folder = Path(run.payload["folder"])
    (folder / f"begun-{run.token}").write_text(str(os.getpid()))
    while not (folder / f"go-{run.token}").exists():
        time.sleep(0.02)
    try:
        with run.finish():
            leave(run, run.token)
    except BaseException as error:
        (folder / f"refused-{run.token}").write_text(type(error).__name__)
        raise
