"""Pages of jobs: the list, one job with what happened to it, its progress, cancel and retry; health and metrics."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseForbidden, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.cache import never_cache

from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.views import Empty, PortalView, ScopedDetailView, ScopedListView
from salesops.jobs import health, metrics, services
from salesops.jobs.filters import JobFilter
from salesops.jobs.models import Job
from salesops.jobs.selectors import job_for, jobs_for
from salesops.jobs.tables import TONES, JobTable

#: Seconds between two looks at a job, by how long it has been going: quick at first, then ever more patient.
_PATIENCE: Final = (
    (timedelta(seconds=15), 1),
    (timedelta(minutes=1), 2),
    (timedelta(minutes=5), 5),
    (timedelta(hours=1), 15),
)
_LONGEST: Final = 60


def seconds_to_next_look(job: Job, now: datetime) -> int:
    """How long the page waits before it asks again how far the job is."""
    age = now - max(job.run_after, job.created_at)
    return next((seconds for limit, seconds in _PATIENCE if age < limit), _LONGEST)


def progress_context(job: Job, now: datetime) -> dict[str, Any]:
    """What parts/job_progress.html needs besides the job."""
    return {"job": job, "wait": seconds_to_next_look(job, now), "tone": TONES[job.state]}


class JobPage(PortalView):
    """Pages for everybody who may have jobs."""

    def allows(self, actor: Actor) -> bool:
        """Those who see at least their own jobs."""
        return actor.sight(Noun.JOB) > Scope.NONE


class JobListView(JobPage, ScopedListView):
    """Own jobs, or all of them for those who run the portal."""

    selector = jobs_for
    table_class = JobTable
    filterset_class = JobFilter
    title = gettext_lazy("Jobs")
    empty = Empty(
        gettext_lazy("No jobs yet"),
        gettext_lazy("Imports, calculations and large changes run in the background and are listed here."),
        "progress",
    )


class JobDetailView(JobPage, ScopedDetailView):
    """One job and what happened to it."""

    selector = job_for

    def get_context(self) -> dict[str, Any]:
        """Its events; technical facts only for those who run the portal."""
        return {
            "events": self.object.events.all(),
            "is_operator": self.actor.has(Role.ADMIN, Role.REVOPS),
            **progress_context(self.object, self.now),
        }


class JobProgressView(JobPage):
    """The progress of one job, asked for again and again by the page that shows it."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The part; a page that saw the job running is loaded anew once it has ended, to show what came of it."""
        job = job_for(self.actor, pk)
        response = render(request, "parts/job_progress.html", progress_context(job, self.now))
        if not job.is_unfinished and request.GET.get("running"):
            response.headers["HX-Refresh"] = "true"
        return response


class JobActionView(JobPage):
    """Something a person does to a job: answers with its progress, or leads back to its page."""

    def act(self, job: Job) -> str:
        """Do it; what to tell the person. May raise JobConflictError."""
        raise services.JobConflictError

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Do it once; a job that moved on in the meantime is shown as it is now."""
        job = job_for(self.actor, pk)
        try:
            messages.success(request, self.act(job))
        except services.JobConflictError:
            messages.warning(request, _("Nothing was done: the job has moved on. This is how it stands now."))
        if self.is_partial:
            response = HttpResponse(status=204)
            response.headers["HX-Refresh"] = "true"
            return response
        return redirect("jobs:job_detail", pk=job.pk)


class JobCancelView(JobActionView):
    """Stops a job."""

    def act(self, job: Job) -> str:
        """Cancel."""
        services.cancel(job=job, actor=self.actor, at=self.now)
        if job.is_unfinished:
            return _("The job stops at its next step.")
        return _("The job was cancelled.")


class JobRetryView(JobActionView):
    """Lets a failed, dead or cancelled job run again."""

    def act(self, job: Job) -> str:
        """Try again."""
        services.retry(job=job, actor=self.actor, at=self.now)
        return _("The job runs again, from where it stood.")


@method_decorator((login_not_required, never_cache), name="dispatch")
class HealthView(View):
    """Whether this process answers at all. Asks nobody."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Always the same."""
        return HttpResponse("ok\n", content_type="text/plain")


@method_decorator((login_not_required, never_cache), name="dispatch")
class ReadyView(View):
    """Whether the portal can do its work: database, migrations, jobs, scheduler. Says which, never more."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """200 with all checks true, else 503."""
        checks = dict.fromkeys(("database", "migrations", "jobs", "scheduler"), False)
        try:
            checks["migrations"] = not health.pending_migrations()
            checks["database"] = True
            if checks["migrations"]:
                state = health.background(at=timezone.now())
                checks["jobs"] = (state.oldest_due_age or 0.0) < health.OLDEST_DUE.total_seconds()
                checks["scheduler"] = (
                    state.scheduler_age is not None and state.scheduler_age < health.OLDEST_TICK.total_seconds()
                )
        except DatabaseError:
            checks["database"] = False
        return JsonResponse(checks, status=200 if all(checks.values()) else 503)


@method_decorator((login_not_required, never_cache), name="dispatch")
class MetricsView(View):
    """Figures for Prometheus: for this machine itself, or for whoever brings METRICS_TOKEN."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The figures as text, or 403."""
        if not self._may_read(request):
            return HttpResponseForbidden("forbidden\n", content_type="text/plain")
        return HttpResponse(metrics.text(at=timezone.now()), content_type=metrics.CONTENT_TYPE)

    @staticmethod
    def _may_read(request: HttpRequest) -> bool:
        given = request.headers.get("Authorization", "")
        if settings.METRICS_TOKEN:
            return secrets.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
        # A proxy on this machine speaks for somebody else: its requests come from loopback, too.
        is_forwarded = any(name in request.headers for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"))
        return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not is_forwarded
