"""The table of the jobs page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.core import display
from salesops.core.tables import BadgeColumn, LinkColumn, MomentColumn, NumberColumn, PortalColumn, PortalTable
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job

TONES = {
    JobState.NEW.value: "grey",
    JobState.RUNNING.value: "blue",
    JobState.DONE.value: "green",
    JobState.FAILED.value: "red",
    JobState.DEAD.value: "red",
    JobState.CANCELLED.value: "amber",
}


class JobTable(PortalTable):
    """Jobs, the newest first."""

    title = LinkColumn("jobs:job_detail", accessor="shown_title", verbose_name=_("Job"), orderable=False)
    state = BadgeColumn(verbose_name=_("State"), tones=TONES, orderable=False)
    progress = PortalColumn(verbose_name=_("Progress"), accessor="done_count", orderable=False)
    requested_by_name = PortalColumn(verbose_name=_("Asked by"), orderable=False)
    created_at = MomentColumn(verbose_name=_("Asked"), ago=True, initial_sort_descending=True)
    started_at = MomentColumn(verbose_name=_("Started"), orderable=False)
    finished_at = MomentColumn(verbose_name=_("Ended"), orderable=False)
    attempts = NumberColumn(verbose_name=_("Attempts"), orderable=False)
    last_error = PortalColumn(verbose_name=_("Last error"), orderable=False)
    kind = PortalColumn(verbose_name=_("Kind"), orderable=False)

    default_columns = ("title", "state", "progress", "requested_by_name", "created_at", "last_error")

    class Meta:
        model = Job
        fields = ()

    def show_progress(self, value: int, record: Job) -> str:
        """A share when the total is known, else how many."""
        if record.percent is not None and record.total_count:
            return f"{record.percent} %"
        return display.number(value) if value else ""
