"""What an actor may see of activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import Q

from salesops.accounts.models import Account
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.querysets import ScopedQuerySet
from salesops.deals.models import Deal
from salesops.leads.models import Lead

if TYPE_CHECKING:
    from salesops.activities.models import Activity  # noqa: F401


class ActivityQuerySet(ScopedQuerySet["Activity"]):
    """A person's own (managers: their people's), and those on leads, deals and accounts the actor may see."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own or the tree's, or on something visible, be it removed: what hangs on a row stays with it."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        return self.filter(
            Q(person_id__in=people)
            | Q(lead__in=Lead.every.visible_to(actor))
            | Q(deal__in=Deal.every.visible_to(actor))
            | Q(account__in=Account.every.visible_to(actor))
        )
