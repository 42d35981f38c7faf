"""The one window: every read starts at `Model.objects.visible_to(actor)`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.http import Http404

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.first_rows import Branch

ModelT = TypeVar("ModelT", bound=models.Model)


class ScopedQuerySet(models.QuerySet[ModelT]):
    """A queryset that knows what an actor may see. Each room says how, in `scoped`."""

    noun: Noun = Noun.WORK
    #: What the scope is made of, when it is several things: every row fulfils at least one of these conditions, and each
    #: of them has an index of its own. Lists read their first rows from each (`core.first_rows`).
    branches: tuple[Branch, ...] = ()

    def _clone(self) -> Self:
        rows = super()._clone()  # type: ignore[misc]  # private, and how a queryset passes on what it knows
        rows.branches = self.branches
        return rows

    def __or__(self, other: Any) -> Self:
        rows = super().__or__(other)
        rows.branches = ()
        return rows

    def visible_to(self, actor: Actor) -> Self:
        """Keep the rows the actor may see; nothing at all for an unknown role."""
        scope = actor.sight(self.noun)
        if scope >= Scope.ALL:
            return self
        if scope <= Scope.TOTALS:
            return self.none()
        return self.scoped(actor, scope)

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Narrow to OWN, POD or TREE. A room that does not say how shows nothing."""
        return self.none()

    def get_for(self, actor: Actor, **lookup: Any) -> ModelT:
        """Fetch one row the actor may see. What is not theirs does not exist: raises Http404."""
        try:
            return self.visible_to(actor).get(**lookup)
        except (ObjectDoesNotExist, ValueError, OverflowError) as error:
            raise Http404 from error


class PresentManager(models.Manager[ModelT]):
    """The rows that are there: those that were removed in their source are hidden from whoever does not ask for every."""

    def get_queryset(self) -> models.QuerySet[ModelT]:
        """All but the removed."""
        return super().get_queryset().filter(removed_at__isnull=True)


class OwnedByPeopleQuerySet(ScopedQuerySet[ModelT]):
    """Rows that belong to one person (`person` column): own, or the tree's."""

    person_column = "person_id"

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """OWN and POD: the actor's rows. TREE: also those of everyone below."""
        ids = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        return self.filter(**{f"{self.person_column}__in": ids})


class WorkQuerySet(ScopedQuerySet[ModelT]):
    """Leads, deals, accounts: rows with an `owner` and a `pod`."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """OWN: what the actor owns. POD: also what the actor's pods hold. TREE: also everyone's below and their pods'."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        pods = actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids if scope >= Scope.POD else set()
        rows = self.filter(models.Q(owner_id__in=people) | models.Q(pod_id__in=pods))
        rows.branches = branches_of(people, pods)
        return rows


def branches_of(people: Collection[int | None], pods: Collection[int]) -> tuple[Branch, ...]:
    """The branches of a scope by owner and pod: one for each person and each pod, in a fixed order."""
    owners = sorted(pk for pk in people if pk is not None)
    return (*({"owner_id": pk} for pk in owners), *({"pod_id": pk} for pk in sorted(pods)))
