"""Reads of jobs, always through an actor."""

from __future__ import annotations

from django.db.models import QuerySet

from salesops.core.actor import Actor
from salesops.jobs.models import Job


def jobs_for(actor: Actor) -> QuerySet[Job]:
    """The jobs an actor may see: their own, or all for those who run the portal."""
    return Job.objects.visible_to(actor)


def job_for(actor: Actor, pk: int) -> Job:
    """One job; raises Http404 for what is not theirs."""
    return Job.objects.get_for(actor, pk=pk)
