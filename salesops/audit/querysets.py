"""What an actor may see of the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from django.db.models import Q

from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.querysets import ScopedQuerySet

if TYPE_CHECKING:
    from salesops.audit.models import AuditEntry  # noqa: F401

#: Roles that read the audit as a whole. Everybody else reads the history of the rows they see.
READERS: Final = frozenset({Role.ADMIN, Role.FINANCE, Role.REVOPS})
#: Actions that are about somebody's pay whatever row they name.
PAY_ACTIONS: Final = ("payroll.", "statement.", "earning.", "credit.", "ledger.", "payment.", "pay.", "dispute.")
#: What the commissions room records that tells no sum of pay. A period's entries do: with one person on a plan the sum
#: is that person's pay, and the page of periods hides it from the same readers.
NOT_PAY_ACTIONS: Final = ("plan.", "quota.", "component.", "rate.")


def about_pay() -> Q:
    """The condition for entries that tell what somebody earns."""
    condition = Q()
    for prefix in PAY_ACTIONS:
        condition |= Q(action__startswith=prefix)
    open_to_all = Q()
    for prefix in NOT_PAY_ACTIONS:
        open_to_all |= Q(action__startswith=prefix)
    return condition | (Q(subject_type__startswith="commissions.") & ~open_to_all)


class AuditEntryQuerySet(ScopedQuerySet["AuditEntry"]):
    """Administrators, revenue operations and finance read the audit; entries about pay only who sees all pay."""

    noun = Noun.WORK

    def visible_to(self, actor: Actor) -> Self:
        """All entries for readers, without pay for those who may not see pay; nothing for everybody else."""
        if not actor.has(*READERS):
            return self.none()
        return self.without_pay_unless(actor)

    def without_pay_unless(self, actor: Actor) -> Self:
        """Leave out what is about pay unless the actor sees everybody's."""
        return self if actor.sight(Noun.PAY) >= Scope.ALL else self.exclude(about_pay())

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Nothing: the audit is seen whole or by way of the row it is about."""
        return self.none()

    def about(self, subject_type: str, subject_id: int | str) -> Self:
        """Entries about one row, newest first."""
        return self.filter(subject_type=subject_type, subject_id=str(subject_id)).order_by("-sequence")
