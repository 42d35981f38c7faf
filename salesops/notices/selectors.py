"""Reads what people were told, always for an actor: their own and nobody else's."""

from __future__ import annotations

from salesops.core.actor import Actor
from salesops.notices.models import Notice, NoticeQuerySet

#: Above this the bell says "99+".
_BELL_LIMIT = 99


def notices_for(actor: Actor) -> NoticeQuerySet:
    """The actor's notices, newest first."""
    return Notice.objects.visible_to(actor).order_by("-created_at", "-id")


def notice_for(actor: Actor, pk: int) -> Notice:
    """One of the actor's notices; raises Http404 for anybody else's."""
    return Notice.objects.get_for(actor, pk=pk)


def unread_count(actor: Actor) -> int:
    """How many the actor has not read, counted up to one more than the bell can show."""
    unread = Notice.objects.visible_to(actor).filter(read_at__isnull=True)
    return unread.order_by().values("pk")[: _BELL_LIMIT + 1].count()


def bell_text(count: int) -> str:
    """What the bell shows: nothing for none, then the number, then "99+"."""
    return "" if count <= 0 else str(count) if count <= _BELL_LIMIT else f"{_BELL_LIMIT}+"
