"""Work of the effort room in the background."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from salesops.effort.selectors.facts import next_people
from salesops.effort.services.checkins import follow_check_ins, offer_check_ins
from salesops.effort.services.scoring import PEOPLE, SCORE_EFFORT, delete_old_counts, score_weeks, weeks_to_score
from salesops.jobs.registry import comes_round, handles
from salesops.jobs.runner import JobRun

comes_round(
    code="effort.score",
    title=gettext_lazy("Effort scores are made, and old counts deleted"),
    kind=SCORE_EFFORT,
    rule="30 2 * * *",
)


@handles(SCORE_EFFORT)
def score_effort(run: JobRun) -> None:
    """Count and score the last two weeks, some hundred people in a transaction; after a kill it goes on from the last."""
    while (people := next_people(after=run.state.get("after", 0), most=PEOPLE)) and not run.cancelled:
        with run.batch():
            done = score_weeks(actor=run.actor, person_ids=people, weeks=weeks_to_score(run.now()), at=run.now())
            run.state["after"] = people[-1]
            run.state["scores"] = run.state.get("scores", 0) + done
            run.progress(run.state["scores"])
    if run.cancelled or "checked" in run.state:
        return
    with run.batch():
        run.state["deleted"] = delete_old_counts(at=run.now())
        run.state["managers"] = follow_check_ins(at=run.now())
        run.state["checked"] = offer_check_ins(at=run.now())
