"""What an actor may see of deals and what hangs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.apps import apps

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.querysets import ScopedQuerySet, WorkQuerySet

if TYPE_CHECKING:
    from salesops.deals.models import Deal  # noqa: F401


class DealQuerySet(WorkQuerySet["Deal"]):
    """By owner and pod."""


class OfDealQuerySet(ScopedQuerySet):
    """Seen with the deal."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of deals the actor may see."""
        return self.filter(deal__in=apps.get_model("deals", "Deal").objects.visible_to(actor))
