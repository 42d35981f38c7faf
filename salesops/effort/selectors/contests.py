"""Reads doubts: one's own, those of the people below, and those that wait to be decided."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404

from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.effort.choices import EFFORT, Decision
from salesops.effort.models import EffortContest


def contests_for(actor: Actor) -> QuerySet[EffortContest]:
    """The doubts that the actor sees, the newest first."""
    if not features.is_on(EFFORT):
        return EffortContest.objects.none()
    rows: QuerySet[EffortContest] = EffortContest.objects.visible_to(actor)
    return rows


def contest_to_decide(actor: Actor, pk: int) -> EffortContest:
    """A doubt of somebody else that the actor may decide. Raises Http404."""
    rows = contests_for(actor).exclude(person_id=actor.user_id) if actor.user_id else contests_for(actor)
    contest = rows.filter(pk=pk).select_related("person", "activity").first()
    if contest is None or not actor.has(Role.MANAGER, Role.REVOPS):
        raise Http404
    return contest


def own_open_contest(actor: Actor, pk: int) -> EffortContest:
    """A doubt of the actor's own that nobody has decided yet. Raises Http404."""
    contest = contests_for(actor).filter(pk=pk, person_id=actor.user_id, decision=Decision.OPEN).first()
    if contest is None:
        raise Http404
    return contest
