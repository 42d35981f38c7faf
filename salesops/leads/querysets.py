"""What an actor may see of leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db.models import Q

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.querysets import ScopedQuerySet, WorkQuerySet, branches_of

if TYPE_CHECKING:
    from salesops.leads.models import Lead, LeadAssignment  # noqa: F401


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


class LeadAssignmentQuerySet(ScopedQuerySet["LeadAssignment"]):
    """Seen with the lead."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of leads the actor may see."""
        return self.filter(lead__in=apps.get_model("leads", "Lead").objects.visible_to(actor))
