"""What an actor may see of effort: their own and that of the people below them, where it is switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Q

from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.querysets import OwnedByPeopleQuerySet, ScopedQuerySet

if TYPE_CHECKING:
    from salesops.effort.models import EffortLook  # noqa: F401


def switched_on() -> models.QuerySet[Any]:
    """The keys of the legal entities that have it switched on."""
    policies: models.QuerySet[Any] = apps.get_model("effort", "EffortPolicy")._default_manager.filter(is_on=True)
    return policies.values("entity_id")


class OfPeopleQuerySet(OwnedByPeopleQuerySet[Any]):
    """Rows about one person. Nobody but the portal's own jobs sees those of everybody."""

    noun = Noun.EFFORT

    def displayed(self) -> Self:
        """Those of people whose legal entity has it switched on."""
        return self.filter(person__legal_entity_id__in=switched_on())

    def visible_to(self, actor: Actor) -> Self:
        """Own, or the tree's; nothing where the legal entity has it switched off."""
        return super().visible_to(actor).displayed()


class EffortContestQuerySet(OfPeopleQuerySet):
    """Doubts: also for revenue operations, who decide beside the manager. They name a record or a day, and no score."""

    def visible_to(self, actor: Actor) -> Self:
        """Own, the tree's, or all for revenue operations."""
        if actor.has(Role.REVOPS):
            return self.displayed()
        return super().visible_to(actor)


class EffortLookQuerySet(ScopedQuerySet["EffortLook"]):
    """Looks are for the person who was looked at, and nobody else."""

    noun = Noun.EFFORT

    def visible_to(self, actor: Actor) -> Self:
        """The looks at the actor."""
        return self.filter(person_id=actor.user_id) if actor.user_id is not None else self.none()

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """The looks at the actor."""
        return self.filter(Q(person_id=actor.user_id))
