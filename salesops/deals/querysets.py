"""What an actor may see of deals and what hangs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db.models import Q

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.models import HeldInTimeQuerySet
from salesops.core.querysets import PresentManager, ScopedQuerySet, WorkQuerySet

if TYPE_CHECKING:
    from salesops.deals.models import Deal, DealOwnership  # noqa: F401


class DealQuerySet(WorkQuerySet["Deal"]):
    """By owner and pod."""


DealManager = PresentManager.from_queryset(DealQuerySet)


class OfDealQuerySet(ScopedQuerySet):
    """Seen with the deal."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of deals the actor may see, also of those that were removed: what hangs on a row stays with it."""
        return self.filter(deal__in=apps.get_model("deals", "Deal").every.visible_to(actor))


class DealOwnershipQuerySet(  # type: ignore[override]  # both bases bring their own as_manager
    HeldInTimeQuerySet["DealOwnership"], OfDealQuerySet
):
    """Seen with the deal."""


class GuardDecisionQuerySet(ScopedQuerySet):
    """Seen with the deal; what was refused before there was a deal, by who tried."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Decisions about deals the actor may see, and about their own attempts."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        deals = apps.get_model("deals", "Deal").every.visible_to(actor)
        return self.filter(Q(deal__in=deals) | Q(deal__isnull=True, actor__in=people))


class HandOffQuerySet(ScopedQuerySet):
    """Seen by giver and receiver, and by those above either."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own hand-offs, given and received; for managers those of their tree."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        return self.filter(Q(giver__in=people) | Q(receiver__in=people))
