"""What an actor may see of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import models
from django.db.models import Q

from salesops.core.actor import Actor, Role

if TYPE_CHECKING:
    from typing import Self

    from salesops.people.models import User  # noqa: F401

#: Roles that see people who left, and those who cannot log in.
SEE_LEAVERS: Final = frozenset({Role.ADMIN, Role.REVOPS, Role.FINANCE, Role.EXECUTIVE})
#: Roles that change people's functions, reporting lines, hours and leave. Only administrators change roles.
EDITORS: Final = frozenset({Role.ADMIN, Role.REVOPS})


class UserQuerySet(models.QuerySet["User"]):
    """Everyone who holds a role sees who works here; people who left are for those who keep the books."""

    def visible_to(self, actor: Actor) -> Self:
        """All people for those roles, active people for the others, oneself always, nobody for nobody."""
        if actor.has(*SEE_LEAVERS):
            return self
        own = Q(pk=actor.user_id) if actor.user_id is not None else Q(pk__in=[])
        if not actor.roles:
            return self.filter(own)
        return self.filter(Q(is_active=True) | Q(pk__in=actor.tree_ids) | own)
