"""Remembers who looked at whose effort, before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from salesops.core.actor import Actor
from salesops.core.rows import insert_rows
from salesops.effort.choices import LookedAt
from salesops.effort.models import EffortLook


@transaction.atomic
def note_looks(*, actor: Actor, person_ids: Iterable[int], what: LookedAt, at: datetime) -> int:
    """Write down that the actor looks at these people now; how many. Looking at oneself is nobody's business.

    An actor without a user (the portal itself) shows nothing to anybody and leaves no look.
    """
    seen = sorted({pk for pk in person_ids if pk != actor.user_id})
    if not seen or actor.user_id is None:
        return 0
    names = ["person_id", "viewer_id", "what", "looked_at"]
    insert_rows(EffortLook, names, ([pk, actor.user_id, what.value, at] for pk in seen))
    return len(seen)
