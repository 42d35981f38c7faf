"""What the job tests share: a kind of job that each test writes itself, and effects that a double would show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from salesops.core.actor import system_actor
from salesops.core.models import FeatureSwitch
from salesops.jobs import registry, services
from salesops.jobs.models import Job
from salesops.jobs.runner import JobRun
from tests.cast import NOW

KIND = "test.work"
Handler = Callable[[JobRun], None]


def effects() -> list[str]:
    """What handlers did, in order."""
    return list(FeatureSwitch.objects.filter(label="effect").order_by("id").values_list("description", flat=True))


def effect(name: str) -> None:
    """Leave one effect; the same again is a second row."""
    number = FeatureSwitch.objects.count()
    FeatureSwitch.objects.create(code=f"effect-{number}", label="effect", description=name)


def enqueue(**changes: Any) -> Job:
    """Enqueue a job of the test's kind as the portal, at NOW."""
    given: dict[str, Any] = {
        "kind": KIND,
        "key": "work:1",
        "payload": {},
        "actor": system_actor(),
        "at": NOW,
        "title": "Work",
    }
    return services.enqueue(**(given | changes))


def one_step(run: JobRun) -> None:
    """One effect with the end."""
    with run.finish():
        effect("done")


def three_batches(run: JobRun) -> None:
    """Three effects in three batches, a fourth with the end."""
    for number in range(run.state.get("next", 0), 3):
        with run.batch():
            effect(f"part {number}")
            run.state["next"] = number + 1
            run.progress(number + 1, 3, f"part {number}")
    with run.finish():
        effect("end")


@pytest.fixture
def handle() -> Iterator[Callable[[Handler], None]]:
    """Say what a job of the test's kind does."""

    def register(function: Handler) -> None:
        registry._HANDLERS[KIND] = function

    yield register
    registry._HANDLERS.pop(KIND, None)


@pytest.fixture
def work(handle: Callable[[Handler], None]) -> None:
    """Jobs of the test's kind leave one effect."""
    handle(one_step)
