"""What a new day changes by itself."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models

from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.people.models import RoleGrant, User
from salesops.people.services.accounts import deactivate
from salesops.people.services.roles import keep_staff_flag


def day_has_come(*, actor: Actor, at: datetime) -> int:
    """What a new day changes by itself: people whose last day has passed are locked out, admin flags follow the roles.

    Returns how many people it concerned. Doing it twice changes nothing more.
    """
    day, count = company_day(at), 0
    for person in User.objects.filter(is_active=True, left_on__lte=day).order_by("pk"):
        try:
            deactivate(actor=actor, person=person, at=at, reason="last day")
        except ValidationError:
            continue  # the last administrator stays until there is another one
        count += 1
    for person in User.objects.filter(
        models.Q(is_staff=True)
        | models.Q(is_superuser=True)
        | models.Q(pk__in=RoleGrant.objects.on(day).filter(role=Role.ADMIN.value).values("person_id"))
    ).order_by("pk"):
        count += keep_staff_flag(person=person, day=day)
    return count
