"""Logging people out, and letting those in again who lost their second factor."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.core.actor import Actor, Role
from salesops.people.models import User
from salesops.people.services.ranges import need


def end_sessions(*, person: User, except_key: str | None = None) -> int:
    """Log a person out everywhere, at once, but for one session. Returns how many sessions ended."""
    sessions = UserSession.objects.filter(user=person)
    if except_key:
        sessions = sessions.exclude(session_key=except_key)
    keys = list(sessions.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    sessions.filter(session_key__in=keys).delete()
    return len(keys)


def reset_second_factor(*, actor: Actor, person: User, at: datetime, reason: str = "") -> int:
    """Forget all second factors of somebody who lost them; they log in by password and set up a new one.

    Only administrators may, and not for themselves. Returns how many factors there were; with none, nothing happens.
    """
    need(actor, Role.ADMIN)
    if actor.user_id == person.pk:
        raise ValidationError(_("Ask another administrator to reset your own second factor."))
    with transaction.atomic():
        factors = Authenticator.objects.filter(user=person)
        types = sorted(factors.values_list("type", flat=True))
        if types:
            factors.delete()
            end_sessions(person=person)
            record(
                actor=actor,
                action="second_factor.reset",
                subject=person,
                before={"types": types},
                reason=reason,
                at=at,
            )
    return len(types)
