"""Reads of the core: saved views and list preferences, always the actor's own or shared."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.http import Http404

from salesops.core.actor import Actor
from salesops.core.models import ListPreference, SavedView


def person_id(actor: Actor) -> int:
    """The key of the person who asks. Raises Http404 for the portal itself and for nobody: they keep no views."""
    if actor.user_id is None:
        raise Http404
    return actor.user_id


def saved_views_for(actor: Actor, page: str) -> QuerySet[SavedView]:
    """The actor's own views of a page and those that others share."""
    return SavedView.objects.filter(Q(owner_id=person_id(actor)) | Q(is_shared=True), page=page)


def own_saved_view(actor: Actor, page: str, pk: int) -> SavedView:
    """A view that the actor made. Raises Http404 for those of others, shared ones included."""
    view = SavedView.objects.filter(owner_id=person_id(actor), page=page, pk=pk).first()
    if view is None:
        raise Http404
    return view


def list_preference_for(actor: Actor, page: str) -> ListPreference:
    """How the actor wants a page; a fresh, unsaved one when they never said."""
    owner_id = person_id(actor)
    found = ListPreference.objects.select_related("opening_view").filter(owner_id=owner_id, page=page).first()
    return found or ListPreference(owner_id=owner_id, page=page)
