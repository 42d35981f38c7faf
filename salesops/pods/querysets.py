"""What an actor may see of pods, memberships and territories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.models import HeldInTimeQuerySet
from salesops.core.querysets import ScopedQuerySet

if TYPE_CHECKING:
    from salesops.pods.models import Pod, PodMembership, Territory, TerritoryAssignment  # noqa: F401


class PodQuerySet(ScopedQuerySet["Pod"]):
    """Reps see their own pods, managers those in which their people work."""

    noun = Noun.POD

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own pods; the tree's too for managers."""
        return self.filter(pk__in=actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids)


class MembershipQuerySet(  # type: ignore[override]  # both bases bring their own as_manager
    HeldInTimeQuerySet["PodMembership"], ScopedQuerySet["PodMembership"]
):
    """Seen with the pod."""

    noun = Noun.POD

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own pods; the tree's too for managers."""
        return self.filter(pod_id__in=actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids)


class TerritoryQuerySet(ScopedQuerySet["Territory"]):
    """Names of regions are no secret: whoever sees any pod sees them."""

    noun = Noun.POD

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """All of them."""
        return self


class TerritoryAssignmentQuerySet(  # type: ignore[override]  # both bases bring their own as_manager
    HeldInTimeQuerySet["TerritoryAssignment"], ScopedQuerySet["TerritoryAssignment"]
):
    """Who works where: own for reps, the tree's for managers."""

    noun = Noun.POD

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own, or the tree's."""
        return self.filter(person_id__in=actor.people_ids if scope >= Scope.TREE else {actor.user_id})
