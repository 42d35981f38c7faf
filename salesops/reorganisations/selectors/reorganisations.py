"""Reorganisations and their moves, for those who plan them."""

from __future__ import annotations

from django.db.models import Count, QuerySet
from django.http import Http404

from salesops.core.actor import Actor
from salesops.reorganisations.models import Move, Reorganisation, ReorganisationChange
from salesops.reorganisations.querysets import ARRANGERS, READERS


def may_arrange(actor: Actor) -> bool:
    """Revenue operations and administrators draft, carry out and undo."""
    return actor.has(*ARRANGERS)


def may_read(actor: Actor) -> bool:
    """They and finance see what is planned."""
    return actor.has(*READERS)


def reorganisations_for(actor: Actor) -> QuerySet[Reorganisation]:
    """Reorganisations, the latest day first, with how many people move (`people`)."""
    rows = Reorganisation.objects.visible_to(actor).select_related("created_by")
    return rows.annotate(people=Count("moves")).order_by("-effective_on", "-pk")


def reorganisation_for(actor: Actor, pk: int) -> Reorganisation:
    """One reorganisation; 404 for whoever may not see it."""
    found = Reorganisation.objects.visible_to(actor).select_related("created_by", "scheduled_by").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def move_for(actor: Actor, pk: int) -> Move:
    """One move; 404 for whoever may not see its reorganisation."""
    rows = Move.objects.filter(reorganisation__in=Reorganisation.objects.visible_to(actor))
    found = rows.select_related("reorganisation", "person", "to_pod", "manager", "successor").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def changes_for(actor: Actor) -> QuerySet[ReorganisationChange]:
    """The rows that reorganisations changed."""
    return ReorganisationChange.objects.visible_to(actor).select_related("reorganisation")
