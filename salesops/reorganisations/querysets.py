"""What an actor may see of reorganisations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import QuerySet

from salesops.core.actor import Actor, Role

if TYPE_CHECKING:
    from salesops.reorganisations.models import Reorganisation, ReorganisationChange  # noqa: F401

#: Who drafts, schedules, carries out and undoes.
ARRANGERS = (Role.REVOPS, Role.ADMIN)
#: Who sees what is planned before anybody has moved.
READERS = (*ARRANGERS, Role.FINANCE)


class ReorganisationQuerySet(QuerySet["Reorganisation"]):
    """What is planned is for those who plan it, and for finance."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, or none."""
        return self if actor.has(*READERS) else self.none()


class ReorganisationChangeQuerySet(QuerySet["ReorganisationChange"]):
    """Seen with the reorganisation."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, or none."""
        return self if actor.has(*READERS) else self.none()
