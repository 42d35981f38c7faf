"""Coming and going: accounts of people, what is kept about them, the last day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import change_of, changed, record, record_many, state_of
from salesops.core.actor import Actor, Role, system_actor
from salesops.core.days import company_day
from salesops.jobs.services import enqueue
from salesops.people.models import FunctionAssignment, Leave, ReportingLine, RoleGrant, User
from salesops.people.querysets import EDITORS
from salesops.people.services.lines import set_function, set_manager
from salesops.people.services.ranges import (
    end_all,
    locked,
    need,
    save_new,
)
from salesops.people.services.roles import grant_role, keep_staff_flag, refuse_without_admins
from salesops.people.services.sessions import end_sessions

#: What `edit_person` may change.
EDITABLE: Final = frozenset(
    {
        "name",
        "family_name",
        "email",
        "title",
        "employee_number",
        "external_id",
        "payroll_number",
        "time_zone",
        "language",
        "started_on",
    }
)
#: What people may change about themselves.
OWN_SETTINGS: Final = frozenset({"language", "time_zone"})


def add_person(
    *,
    actor: Actor,
    email: str,
    name: str,
    at: datetime,
    title: str = "",
    employee_number: str | None = None,
    external_id: str | None = None,
    payroll_number: str = "",
    time_zone: str | None = None,
    language: str = "en",
    started_on: date | None = None,
    password: str | None = None,
) -> User:
    """Make an account. Without a password nobody can log in to it until one is set by mail.

    Raises PermissionDenied for whoever is no administrator, ValidationError when the address or a number is taken.
    """
    need(actor, Role.ADMIN)
    user = User(
        email=email.strip().lower(),
        name=name.strip(),
        title=title,
        employee_number=employee_number or None,
        external_id=external_id or None,
        payroll_number=payroll_number,
        language=language,
        started_on=started_on or company_day(at),
    )
    if time_zone:
        user.time_zone = time_zone
    user.set_password(password)
    with transaction.atomic():
        save_new(user)
        before, after = changed({}, state_of(user))
        record(actor=actor, action="person.added", subject=user, before=before, after=after, at=at)
    return user


def invite(
    *,
    actor: Actor,
    email: str,
    name: str,
    at: datetime,
    role: str | Role | None = None,
    function: str | None = None,
    manager: User | None = None,
    started_on: date | None = None,
    **fields: Any,
) -> User:
    """Make an account with a role, a function and a manager, and send the person a mail to choose a password.

    `fields` as in `add_person`. Raises as `add_person`, `grant_role`, `set_function` and `set_manager` do; then nothing
    is kept and no mail goes out.
    """
    day = started_on or company_day(at)
    with transaction.atomic():
        person = add_person(actor=actor, email=email, name=name, at=at, started_on=day, **fields)
        if role:
            grant_role(actor=actor, person=person, role=role, start_on=day, at=at)
        if function:
            set_function(actor=actor, person=person, function=function, start_on=day, at=at)
        if manager:
            set_manager(actor=actor, person=person, manager=manager, start_on=day, at=at)
        send_password_link(actor=actor, person=person, at=at)
    return person


def send_password_link(*, actor: Actor, person: User, at: datetime) -> None:
    """Mail the person a link with which to choose a password. Raises ValidationError for somebody who cannot log in."""
    need(actor, Role.ADMIN)
    if not person.is_active:
        raise ValidationError(_("%(name)s cannot log in, so there is no password to choose.") % {"name": person})
    with transaction.atomic():
        record(actor=actor, action="person.password_link_sent", subject=person, at=at)
        enqueue(
            kind="people.invite",
            key=f"people.invite:{person.pk}",
            payload={"person_id": person.pk},
            actor=system_actor(),
            at=at,
            title=f"Mail: password link for {person}",
        )


def request_password_reset(*, email: str, at: datetime) -> None:
    """Somebody who is not logged in asks for a password link for an address.

    What happens, and how long it takes, is the same whether or not the address belongs to anybody: the job finds out.
    """
    address = email.strip().lower()[:254]
    enqueue(
        kind="people.password_reset",
        key=f"people.password_reset:{address}"[:200],
        payload={"email": address},
        actor=system_actor(),
        at=at,
        title="Mail: password reset",
    )


def edit_person(*, actor: Actor, person: User, at: datetime, reason: str = "", **fields: Any) -> User:
    """Change what is kept about a person (EDITABLE). Raises PermissionDenied, or ValidationError naming the field."""
    need(actor, *EDITORS)
    if "email" in fields and fields["email"] != person.email:
        need(actor, Role.ADMIN)
    return _edit(actor, person, fields, EDITABLE, "person.edited", reason, at)


def change_own_settings(*, actor: Actor, person: User, at: datetime, **fields: Any) -> User:
    """Change one's own language and time zone. Raises PermissionDenied for anybody else's."""
    if actor.user_id != person.pk:
        raise PermissionDenied
    return _edit(actor, person, fields, OWN_SETTINGS, "person.settings_changed", "", at)


def deactivate(*, actor: Actor, person: User, at: datetime, reason: str = "") -> User:
    """Nobody can log in to this account any more, and whoever is logged in is out at once.

    Raises ValidationError for the last administrator.
    """
    need(actor, Role.ADMIN)
    with transaction.atomic():
        person = locked(person)
        if not person.is_active:
            return person
        refuse_without_admins(person, company_day(at))
        person.is_active = False
        person.is_staff = person.is_superuser = False
        person.save(update_fields=["is_active", "is_staff", "is_superuser"])
        record(
            actor=actor,
            action="person.deactivated",
            subject=person,
            before={"is_active": True},
            after={"is_active": False},
            reason=reason,
            at=at,
        )
        end_sessions(person=person)
    return person


def reactivate(*, actor: Actor, person: User, at: datetime, reason: str = "") -> User:
    """The person may log in again; their last day is forgotten. Roles that ended stay ended."""
    need(actor, Role.ADMIN)
    with transaction.atomic():
        person = locked(person)
        before = state_of(person, names=["is_active", "left_on"])
        person.is_active, person.left_on = True, None
        person.save(update_fields=["is_active", "left_on"])
        old, new = changed(before, state_of(person, names=["is_active", "left_on"]))
        if new:
            record(
                actor=actor, action="person.reactivated", subject=person, before=old, after=new, reason=reason, at=at
            )
            keep_staff_flag(person=person, day=company_day(at))
    return person


def leave_company(*, actor: Actor, person: User, left_on: date, at: datetime, reason: str = "") -> User:
    """The person no longer works here from `left_on` on: roles, function, reporting lines and leave end that day.

    People who report to them keep the line until somebody gives them another manager. From that day on nobody can log
    in to the account; if the day lies ahead, the nightly job sees to it. Raises ValidationError for a last day before
    the first, and for the last administrator.
    """
    need(actor, Role.ADMIN)
    day = company_day(at)
    with transaction.atomic():
        person = locked(person)
        if person.started_on and left_on < person.started_on:
            raise ValidationError({"left_on": _("The last day cannot lie before the first day.")})
        refuse_without_admins(person, max(left_on, day))
        before = state_of(person, names=["left_on"])
        person.left_on = left_on
        person.save(update_fields=["left_on"])
        changes = [
            change_of(
                person,
                action="person.left",
                before=before,
                after={"left_on": left_on},
                reason=reason,
            )
        ]
        for model, verb in (
            (RoleGrant, "role.revoked"),
            (FunctionAssignment, "function.ended"),
            (ReportingLine, "reporting_line.ended"),
            (Leave, "leave.cancelled"),
        ):
            changes += end_all(model, person, left_on, verb, reason)
        record_many(actor=actor, changes=changes, at=at)
        if left_on <= day:
            deactivate(actor=actor, person=person, at=at, reason=reason)
            person.refresh_from_db()
    return person


def _edit(
    actor: Actor,
    person: User,
    fields: Mapping[str, Any],
    allowed: frozenset[str],
    action: str,
    reason: str,
    at: datetime,
) -> User:
    unknown = set(fields) - allowed
    if unknown:
        raise ValueError(f"not to be changed here: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        person = locked(person)
        before = state_of(person, names=fields)
        for name, value in fields.items():
            if name == "email":
                value = str(value).strip().lower()
            if name in {"employee_number", "external_id"}:
                value = value or None
            setattr(person, name, value)
        old, new = changed(before, state_of(person, names=fields))
        if new:
            save_new(person)
            if "email" in new:
                end_sessions(person=person)
            record(actor=actor, action=action, subject=person, before=old, after=new, reason=reason, at=at)
    return person
