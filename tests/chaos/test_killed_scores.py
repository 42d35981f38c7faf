"""A worker is killed in the midst of scoring leads anew: each lead is scored once, and the progress says how many are.

Each time in a process of its own, on a database of its own, as in `test_killed_pay`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from salesops.jobs.models import Job
from salesops.leads.models import Lead, LeadScore
from salesops.leads.services import scores
from tests.cast import NOW, Cast
from tests.chaos.test_killed_pay import Copies, Killer
from tests.leads.test_scores import VISIT, all_scores, fill, put_in_force

LEADS = 11


@pytest.fixture
def job(cast: Cast) -> Job:
    """The job that scores eleven leads anew, four at a time; all their scores are wrong until then."""
    fill(cast, LEADS)
    put_in_force(cast, {"points": 60, "condition": "employees >= 5"}, VISIT)
    found = Job.objects.get(kind=scores.RESCORE_ALL)
    scores.score_leads(lead_ids=list(Lead.objects.values_list("pk", flat=True)), at=NOW)
    LeadScore.objects.update(fit=1, engagement=1, grade="B2", parts={}, fades_at=None)
    return found


def _found() -> dict[str, Any]:
    job = Job.objects.get(kind=scores.RESCORE_ALL)
    rows = all_scores()
    return {
        "state": job.state,
        "progress": job.done_count or 0,
        "right": sum(1 for row in rows if row[3] != 1),
        "scores": rows,
    }


def _killed(job: Job, folder: Path, choose: Callable[[int], list[int]]) -> int:
    copies = Copies(folder)
    killer = Killer(copies.copy, "")
    between = 0
    try:
        copies.renew()
        undisturbed = killer.order("rescore", job.pk)
        assert (undisturbed["signal"], undisturbed["code"]) == (0, 0), undisturbed["steps"][-1]
        steps, new = undisturbed["steps"], copies.ask(_found)
        assert (new["state"], new["progress"], new["right"]) == ("done", LEADS, LEADS)
        for step in choose(len(steps)):
            copies.renew()
            killed = killer.order("rescore", job.pk, kill=step)
            where = f"before step {step} of {len(steps)}: {steps[step - 1]}"
            assert (killed["signal"], killed["steps"]) == (signal.SIGKILL, steps[:step]), where
            left = copies.ask(_found)
            # What is scored and what the job says of it are one transaction.
            assert left["progress"] == left["right"] in (0, 4, 8, LEADS), where
            between += 0 < left["right"] < LEADS
            again = killer.order("rescore", job.pk, is_again=True)
            assert (again["signal"], again["code"]) == (0, 0), where
            assert copies.ask(_found) == new, where
    finally:
        killer.end()
        copies.drop()
    return between


@pytest.mark.django_db(transaction=True)
def test_killed_at_a_few_steps_it_goes_on_from_the_last_batch(job: Job, tmp_path: Path) -> None:
    assert _killed(job, tmp_path, lambda last: [last // 3, last // 2, last * 2 // 3, last]) > 0


@pytest.mark.chaos
@pytest.mark.django_db(transaction=True)
def test_killed_at_every_step_it_goes_on_from_the_last_batch(job: Job, tmp_path: Path) -> None:
    assert _killed(job, tmp_path, lambda last: list(range(1, last + 1))) > 0
