"""The pages of jobs: who sees which, what they show, stopping and trying again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.jobs import testing
from salesops.jobs.choices import JobEventKind, JobState
from salesops.jobs.models import Job, JobEvent
from tests.cast import NOW, Cast
from tests.jobs.conftest import enqueue

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]


@pytest.fixture
def two_jobs(work: None, cast: Cast) -> tuple[Job, Job]:
    """One job of Ana's, one of Alba's."""
    return (
        enqueue(key="ana", title="Import of north.csv", actor=cast.actor("ana")),
        enqueue(key="alba", title="Import of south.csv", actor=cast.actor("alba")),
    )


def titles(client: Client, **query: Any) -> list[str]:
    """The jobs that the list shows."""
    content = client.get(reverse("jobs:job_list"), query).content.decode()
    return [title for title in ("Import of north.csv", "Import of south.csv") if title in content]


def test_each_sees_their_own_and_operators_see_all(two_jobs: Any, client_of: ClientOf) -> None:
    seen = {name: titles(client_of(name)) for name in ("ana", "alba", "max", "finn", "rita", "ada")}
    north, south = "Import of north.csv", "Import of south.csv"
    assert seen == {
        "ana": [north],
        "alba": [south],
        "max": [],
        "finn": [],
        "rita": [north, south],
        "ada": [north, south],
    }


def test_the_list_is_filtered_by_state_and_searched(two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    client = client_of("ada")
    Job.objects.filter(pk=two_jobs[0].pk).update(state=JobState.DEAD, finished_at=NOW)
    assert titles(client, state="dead") == ["Import of north.csv"]
    assert titles(client, state=["dead", "new"]) == ["Import of north.csv", "Import of south.csv"]
    assert titles(client, q="alba") == ["Import of south.csv"]


@pytest.mark.parametrize("name", ["job_detail", "job_progress"])
def test_somebody_elses_job_does_not_exist(name: str, two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    url = reverse(f"jobs:{name}", kwargs={"pk": two_jobs[1].pk})
    assert client_of("alba").get(url).status_code == 200
    for stranger in ("ana", "max", "finn"):
        assert client_of(stranger).get(url).status_code == 404


@pytest.mark.parametrize("name", ["job_cancel", "job_retry"])
def test_somebody_elses_job_cannot_be_touched(name: str, two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    mine = two_jobs[1]
    if name == "job_retry":
        Job.objects.filter(pk=mine.pk).update(state=JobState.DEAD, finished_at=NOW)
    url = reverse(f"jobs:{name}", kwargs={"pk": mine.pk})
    before = (list(Job.objects.values()), JobEvent.objects.count(), AuditEntry.objects.count())
    for stranger, status in (("ana", 404), ("max", 404), ("finn", 404), ("elsa", 403), ("norm", 403)):
        assert client_of(stranger).post(url).status_code == status, stranger
    assert client_of("alba").get(url).status_code == 405
    assert (list(Job.objects.values()), JobEvent.objects.count(), AuditEntry.objects.count()) == before


def test_the_page_follows_a_job_and_grows_patient(two_jobs: tuple[Job, Job], client_of: ClientOf, frozen: Any) -> None:
    client = client_of("ana")
    job = two_jobs[0]
    url = reverse("jobs:job_progress", kwargs={"pk": job.pk})
    waits = []
    for seconds in (0, 14, 15, 60, 300, 3600):
        frozen.move_to(NOW + timedelta(seconds=seconds))
        content = client.get(url, {"running": 1}).content.decode()
        waits.append(re.search(r'hx-trigger="every (\d+)s"', content).group(1))  # type: ignore[union-attr]  # it is there
        assert f'hx-get="{url}?running=1"' in content
    assert waits == ["1", "1", "2", "5", "15", "60"]


def test_a_running_job_shows_how_far_it_is(two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    job = two_jobs[0]
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, lease_until=NOW, done_count=37_000, total_count=100_000, note="rows"
    )
    content = client_of("ana").get(reverse("jobs:job_progress", kwargs={"pk": job.pk})).content.decode()
    assert 'max="100" value="37"' in content
    assert re.search(r"37,000 of 100,000\s+rows", content)
    assert "Running" in content
    assert reverse("jobs:job_cancel", kwargs={"pk": job.pk}) in content
    assert reverse("jobs:job_retry", kwargs={"pk": job.pk}) not in content


def test_once_ended_it_is_not_asked_for_again_and_the_page_is_shown_anew(
    two_jobs: tuple[Job, Job], client_of: ClientOf
) -> None:
    job = two_jobs[0]
    Job.objects.filter(pk=job.pk).update(url="/imports/7/")
    url = reverse("jobs:job_progress", kwargs={"pk": job.pk})
    client = client_of("ana")
    assert "HX-Refresh" not in client.get(url, {"running": 1}).headers
    testing.run_due(at=NOW)
    response = client.get(url, {"running": 1})
    assert response.headers["HX-Refresh"] == "true"
    content = response.content.decode()
    assert "hx-trigger" not in content
    assert 'href="/imports/7/"' in content
    assert 'value="100"' in content
    assert "HX-Refresh" not in client.get(url).headers


def test_stopping_a_job_is_recorded(two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    job = two_jobs[0]
    response = client_of("ana").post(reverse("jobs:job_cancel", kwargs={"pk": job.pk}), follow=True)
    assert "The job was cancelled." in response.content.decode()
    job.refresh_from_db()
    assert (job.state, job.finished_at) == (JobState.CANCELLED, NOW)
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.actor_name, entry.subject_id) == ("job.cancelled", "Ana Alvarez", str(job.pk))
    assert (entry.before, entry.after) == ({"state": "new"}, {"state": "cancelled"})
    assert testing.run_due(at=NOW)[0].pk == two_jobs[1].pk


def test_a_dead_job_is_tried_again_by_an_operator_for_its_asker(two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    job = two_jobs[0]
    Job.objects.filter(pk=job.pk).update(state=JobState.DEAD, finished_at=NOW, strikes=5, attempts=5)
    client = client_of("ada")
    url = reverse("jobs:job_retry", kwargs={"pk": job.pk})
    assert url in client.get(reverse("jobs:job_detail", kwargs={"pk": job.pk})).content.decode()
    for expected in ("The job runs again", "Nothing was done"):
        assert expected in client.post(url, follow=True).content.decode()
    assert JobEvent.objects.filter(kind=JobEventKind.RETRY).count() == 1
    assert AuditEntry.objects.filter(action="job.retried").count() == 1
    job.refresh_from_db()
    assert (job.state, job.requested_by_name) == (JobState.NEW, "Ana Alvarez")


def test_htmx_gets_the_page_anew_instead_of_a_page_within_the_page(
    two_jobs: tuple[Job, Job], client_of: ClientOf
) -> None:
    url = reverse("jobs:job_cancel", kwargs={"pk": two_jobs[0].pk})
    response = client_of("ana").post(url, headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Refresh"]) == (204, "true")


def test_technical_facts_are_for_operators(two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    job = two_jobs[0]
    Job.objects.filter(pk=job.pk).update(last_error="salesops.jobs.SomethingError", worker="host-17:99")
    JobEvent.objects.create(job=job, at=NOW, kind=JobEventKind.ERROR, text="salesops.jobs.SomethingError")
    url = reverse("jobs:job_detail", kwargs={"pk": job.pk})
    for name, shown in (("ana", False), ("ada", True)):
        content = client_of(name).get(url).content.decode()
        assert ("SomethingError" in content) is shown
        assert ("host-17:99" in content) is shown
        assert "What happened" in content


def test_a_refusal_is_shown_to_its_asker(two_jobs: tuple[Job, Job], client_of: ClientOf) -> None:
    job = two_jobs[0]
    Job.objects.filter(pk=job.pk).update(
        state=JobState.FAILED, finished_at=NOW, last_error="Line 7 is <b>not</b> a table."
    )
    content = client_of("ana").get(reverse("jobs:job_detail", kwargs={"pk": job.pk})).content.decode()
    assert "Line 7 is &lt;b&gt;not&lt;/b&gt; a table." in content


def test_the_list_costs_the_same_for_3_jobs_and_for_300(work: None, cast: Cast, client_of: ClientOf) -> None:
    client = client_of("ada")
    client.get(reverse("jobs:job_list"))
    counts = []
    for total in (3, 300):
        for number in range(Job.objects.count(), total):
            enqueue(key=f"work:{number}", actor=cast.actor("ana"))
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("jobs:job_list"))
        counts.append(len(captured))
    assert counts[0] == counts[1]
