"""What an actor may see of leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db.models import Exists, OuterRef, Q

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.querysets import PresentManager, ScopedQuerySet, WorkQuerySet, branches_of

if TYPE_CHECKING:
    from salesops.leads.models import Lead, LeadAssignment, LeadMerge, Pool, PoolVersion, Turn  # noqa: F401


class LeadQuerySet(WorkQuerySet["Lead"]):
    """By owner and pod; managers also see leads that nobody has yet, to assign them."""

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own, the pod's, the tree's; for managers the unassigned too."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        pods = actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids if scope >= Scope.POD else set()
        rows = Q(owner_id__in=people) | Q(pod_id__in=pods)
        if scope >= Scope.TREE:
            rows |= Q(owner__isnull=True, pod__isnull=True)
        found = self.filter(rows)
        found.branches = branches_of(people, pods)
        if scope >= Scope.TREE:
            found.branches += ({"owner_id__isnull": True, "pod_id__isnull": True},)
        return found


LeadManager = PresentManager.from_queryset(LeadQuerySet)


class LeadAssignmentQuerySet(ScopedQuerySet["LeadAssignment"]):
    """Seen with the lead."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of leads the actor may see, also of those that were removed: what hangs on a row stays with it."""
        return self.filter(lead__in=apps.get_model("leads", "Lead").every.visible_to(actor))


class OfLead(ScopedQuerySet[Any]):
    """Rows about a lead, seen with it."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of leads the actor may see, also of those that were removed: what hangs on a row stays with it."""
        return self.filter(lead__in=apps.get_model("leads", "Lead").every.visible_to(actor))


class ClockQuerySet(OfLead):
    """Clocks of leads."""


class LeadSignalQuerySet(OfLead):
    """What leads did."""


class LeadScoreQuerySet(OfLead):
    """Scores of leads."""


class LeadSpicedQuerySet(OfLead):
    """What is known of leads."""


class LeadMergeQuerySet(ScopedQuerySet["LeadMerge"]):
    """Merges, seen with the lead that stays."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Merges into leads that the actor may see, also into those that were removed since."""
        return self.filter(stays__in=apps.get_model("leads", "Lead").every.visible_to(actor))

    def standing(self) -> Self:
        """Those that were not taken back."""
        return self.filter(undone_at__isnull=True)


class PoolQuerySet(ScopedQuerySet["Pool"]):
    """Pools in which the actor, or anybody below, takes turns: fairness is shown to those it is about."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own pools; for managers those of their tree."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        return self.filter(
            Exists(apps.get_model("leads", "PoolMember").objects.filter(pool=OuterRef("pk"), person__in=people))
        )


class PoolVersionQuerySet(ScopedQuerySet["PoolVersion"]):
    """Seen with the pool."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Versions of pools the actor may see."""
        return self.filter(pool__in=apps.get_model("leads", "Pool").objects.visible_to(actor))


class TurnQuerySet(ScopedQuerySet["Turn"]):
    """Seen with the pool."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Turns of pools the actor may see."""
        return self.filter(pool__in=apps.get_model("leads", "Pool").objects.visible_to(actor))
