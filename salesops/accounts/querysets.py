"""What an actor may see of accounts and what hangs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.apps import apps

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.models import HeldInTimeQuerySet
from salesops.core.querysets import ScopedQuerySet, WorkQuerySet

if TYPE_CHECKING:
    from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription  # noqa: F401


class AccountQuerySet(WorkQuerySet["Account"]):
    """By owner and pod."""


class _OfAccountQuerySet(ScopedQuerySet):  # type: ignore[type-arg]  # the model is given by each subclass
    """Seen with the account."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of accounts the actor may see."""
        accounts = apps.get_model("accounts", "Account").objects.visible_to(actor)
        return self.filter(account__in=accounts)


class ContactQuerySet(_OfAccountQuerySet):
    """Seen with the account."""


class SubscriptionQuerySet(_OfAccountQuerySet):
    """Seen with the account."""


class AccountOwnershipQuerySet(HeldInTimeQuerySet["AccountOwnership"], _OfAccountQuerySet):
    """Seen with the account."""
