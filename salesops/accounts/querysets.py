"""What an actor may see of accounts and what hangs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.apps import apps

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.models import HeldInTimeQuerySet
from salesops.core.querysets import PresentManager, ScopedQuerySet, WorkQuerySet

if TYPE_CHECKING:
    from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription  # noqa: F401


class AccountQuerySet(WorkQuerySet["Account"]):
    """By owner and pod."""


AccountManager = PresentManager.from_queryset(AccountQuerySet)


class _OfAccountQuerySet(ScopedQuerySet):
    """Seen with the account."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Rows of accounts the actor may see, also of those that were removed: what hangs on a row stays with it."""
        accounts = apps.get_model("accounts", "Account").every.visible_to(actor)
        return self.filter(account__in=accounts)


class ContactQuerySet(_OfAccountQuerySet):
    """Seen with the account."""


ContactManager = PresentManager.from_queryset(ContactQuerySet)


class SubscriptionQuerySet(  # type: ignore[override]  # both bases bring their own as_manager
    HeldInTimeQuerySet["Subscription"], _OfAccountQuerySet
):
    """Seen with the account."""


class AccountOwnershipQuerySet(  # type: ignore[override]  # both bases bring their own as_manager
    HeldInTimeQuerySet["AccountOwnership"], _OfAccountQuerySet
):
    """Seen with the account."""
