"""Logging people out."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from salesops.people.models import User


def end_sessions(*, person: User, except_key: str | None = None) -> int:
    """Log a person out everywhere, at once, but for one session. Returns how many sessions ended."""
    sessions = UserSession.objects.filter(user=person)
    if except_key:
        sessions = sessions.exclude(session_key=except_key)
    keys = list(sessions.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    sessions.filter(session_key__in=keys).delete()
    return len(keys)
