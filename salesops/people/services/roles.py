"""Roles: granted, revoked, and the admin flag that follows them."""

from __future__ import annotations

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record, record_many
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.people.choices import RoleChoice
from salesops.people.models import RoleGrant, User
from salesops.people.services.ranges import (
    end,
    need,
    one_at_a_time,
    refuse_overlap,
    save_new,
)
from salesops.people.services.sessions import end_sessions


def grant_role(
    *,
    actor: Actor,
    person: User,
    role: str | Role,
    start_on: date,
    at: datetime,
    end_on: date | None = None,
    reason: str = "",
) -> RoleGrant:
    """Give a person a role for a time. Only administrators may, and never to themselves.

    Raises PermissionDenied, or ValidationError when the person holds the role already in that time.
    """
    need(actor, Role.ADMIN)
    if actor.user_id == person.pk and not actor.is_system:
        raise ValidationError(_("Nobody gives themselves a role. Ask another administrator."))
    label = RoleChoice(str(role)).label
    with transaction.atomic():
        grant = RoleGrant(person=person, role=str(role), start_on=start_on, end_on=end_on)
        refuse_overlap(
            RoleGrant.objects.filter(person=person, role=str(role)),
            grant,
            lambda start: (
                _("%(name)s already holds the role “%(role)s” from %(start)s.")
                % {"name": person, "role": label, "start": start}
            ),
        )
        save_new(grant)
        record(
            actor=actor,
            action="role.granted",
            subject=person,
            after={"role": str(role), "start_on": start_on, "end_on": end_on},
            reason=reason,
            at=at,
        )
        _rights_changed(actor, person, company_day(at))
    return grant


def revoke_role(*, actor: Actor, person: User, role: str | Role, end_on: date, at: datetime, reason: str = "") -> None:
    """Take a role from a person from `end_on` on; a grant that has not begun by then never does.

    Raises ValidationError when they do not hold it, and for the last administrator's.
    """
    need(actor, Role.ADMIN)
    day = company_day(at)
    with transaction.atomic():
        grants = RoleGrant.objects.select_for_update().filter(person=person, role=str(role))
        ending = [grant for grant in grants if grant.end_on is None or grant.end_on > end_on]
        if not ending:
            raise ValidationError(
                _("%(name)s does not hold the role “%(role)s”.") % {"name": person, "role": RoleChoice(str(role)).label}
            )
        if str(role) == Role.ADMIN.value:
            refuse_without_admins(person, max(end_on, day))
        changes = [end(grant, person, end_on, "role.revoked", reason) for grant in ending]
        record_many(actor=actor, changes=changes, at=at)
        _rights_changed(actor, person, day)


def keep_staff_flag(*, person: User, day: date) -> bool:
    """Let the admin site be open exactly to active people who hold the administrator's role on that day.

    Returns whether anything changed. The admin site itself asks the actor's roles on each request; these flags only
    keep Django's own permission checks in step.
    """
    is_admin = person.is_active and RoleGrant.objects.on(day).filter(person=person, role=Role.ADMIN.value).exists()
    if person.is_staff == is_admin and person.is_superuser == is_admin:
        return False
    person.is_staff = person.is_superuser = is_admin
    person.save(update_fields=["is_staff", "is_superuser"])
    return True


def refuse_without_admins(person: User, day: date) -> None:
    """Refuse to take the last administrator of a day away: nobody could let anybody in again."""
    one_at_a_time()
    admins = RoleGrant.objects.on(day).filter(role=Role.ADMIN.value, person__is_active=True)
    if admins.filter(person=person).exists() and not admins.exclude(person=person).exists():
        raise ValidationError(_("%(name)s is the last administrator.") % {"name": person})


def _rights_changed(actor: Actor, person: User, day: date) -> None:
    """After a change of roles: the admin flag follows, and the person logs in again, with what the new role asks."""
    keep_staff_flag(person=User.objects.get(pk=person.pk), day=day)
    if actor.user_id != person.pk:
        end_sessions(person=person)
