"""The person who can do everything on the first day: an administrator with a random password."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from salesops.audit.services import record
from salesops.core.actor import system_actor
from salesops.core.days import company_day
from salesops.people.choices import RoleChoice
from salesops.people.models import RoleGrant, User


@transaction.atomic
def make_administrator(*, email: str, name: str, password: str, at: datetime) -> User:
    """Make an administrator of the portal and of its admin site, holding the role from today on."""
    day = company_day(at)
    user = User.objects.create_superuser(email, password, name=name, started_on=day)
    RoleGrant.objects.create(person=user, role=RoleChoice.ADMIN, start_on=day)
    record(
        actor=system_actor(),
        action="person.created",
        subject=user,
        after={"email": user.email, "name": user.name, "role": RoleChoice.ADMIN.value},
        at=at,
    )
    return user
