"""What the processes say can be read by people and by programs, and tells whom and what it is about."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.test import Client

from salesops.config.logs import logging_settings
from salesops.core.actor import system_actor
from salesops.jobs import registry
from salesops.jobs.models import Job
from salesops.jobs.runner import JobRun, run
from salesops.jobs.services import enqueue
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def said() -> Iterator[StringIO]:
    """Everything said from level INFO on, as JSON."""
    formatter = dict(logging_settings(level="INFO", form="json")["formatters"]["line"])
    stream, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def events(said: StringIO) -> list[dict[str, object]]:
    """One mapping a line."""
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_a_page_says_who_asked_for_what_and_got_what(
    client_of: Callable[[str], Client], cast: Cast, said: StringIO
) -> None:
    client_of("ana").get("/deals/99999/")
    started, finished = [each for each in events(said) if each["logger"] == "django_structlog.middlewares.request"]
    assert finished["event"] == "request_finished"
    assert (finished["code"], finished["request"], finished["level"]) == (404, "GET /deals/99999/", "info")
    assert finished["user_id"] == cast.ana.pk
    assert started["request_id"] == finished["request_id"]


def test_a_job_that_raises_says_which_one_it_is(cast: Cast, said: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_attempt: JobRun) -> None:
        password = "only-in-a-variable"
        assert password
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(registry, "handler_of", lambda _kind: broken)
    enqueue(kind="core.forget_forms", key="x", payload={}, actor=system_actor(), at=NOW, title="Sweep")
    job = Job.objects.get()
    assert run(job.pk, worker="w", clock=lambda: NOW, has_heart=False)
    (raised,) = [each for each in events(said) if each["logger"] == "salesops.jobs.runner"]
    assert (raised["job"], raised["job_kind"], raised["level"]) == (job.pk, "core.forget_forms", "error")
    assert "only-in-a-variable" not in said.getvalue()
    assert raised["exception"][0]["exc_value"] == "the disk is full"  # type: ignore[index]
