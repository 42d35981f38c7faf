"""Which jobs an actor may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.querysets import ScopedQuerySet

if TYPE_CHECKING:
    from typing import Self

    from salesops.jobs.models import Job  # noqa: F401  # named in the base class below


class JobQuerySet(ScopedQuerySet["Job"]):
    """A person's own jobs; all of them for those who run the portal."""

    noun = Noun.JOB

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """What the actor asked for, however wide the scope below ALL."""
        return self.filter(requested_by_id=actor.user_id) if actor.user_id is not None else self.none()
