"""Job functions and reporting lines, as of a day."""

from __future__ import annotations

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record, record_many
from salesops.core.actor import Actor
from salesops.core.models import HeldInTime
from salesops.people.choices import JobFunction
from salesops.people.models import FunctionAssignment, ReportingLine, User
from salesops.people.querysets import EDITORS
from salesops.people.rules.lines import Line, first_circle
from salesops.people.services.ranges import (
    end_all,
    from_day_on,
    locked,
    need,
    next_start,
    one_at_a_time,
)


def set_function(
    *, actor: Actor, person: User, function: str, start_on: date, at: datetime, reason: str = ""
) -> FunctionAssignment:
    """Give a person a job function from a day on; the one before ends that day, one that is planned later stays.

    Raises PermissionDenied, or ValidationError for a function that does not exist.
    """
    need(actor, *EDITORS)
    if function not in JobFunction.values:
        raise ValidationError({"function": _("There is no function “%(code)s”.") % {"code": function}})
    with transaction.atomic():
        locked(person)
        row, before = from_day_on(FunctionAssignment, person, {"function": function}, start_on)
        record(
            actor=actor,
            action="function.changed",
            subject=person,
            before={"function": before.get("function", "")},
            after={"function": function, "start_on": row.start_on, "end_on": row.end_on},
            reason=reason,
            at=at,
        )
    return row


def end_function(*, actor: Actor, person: User, end_on: date, at: datetime, reason: str = "") -> None:
    """The person has no function from a day on. Raises ValidationError when they have none then anyway."""
    _end_from(actor, FunctionAssignment, person, end_on, "function.ended", reason, at)


def set_manager(
    *, actor: Actor, person: User, manager: User, start_on: date, at: datetime, reason: str = ""
) -> ReportingLine:
    """Let a person report to a manager from a day on; the line before ends that day, one planned later stays.

    Raises PermissionDenied, or ValidationError when somebody would report to themselves, directly or in a circle.
    """
    need(actor, *EDITORS)
    if person.pk == manager.pk:
        raise ValidationError({"manager": _("Nobody reports to themselves.")})
    with transaction.atomic():
        one_at_a_time()
        refuse_circle(
            person=person, manager=manager, start_on=start_on, end_on=next_start(ReportingLine, person, start_on)
        )
        row, before = from_day_on(ReportingLine, person, {"manager": manager}, start_on)
        record(
            actor=actor,
            action="reporting_line.changed",
            subject=person,
            before={"manager": before.get("manager")},
            after={"manager": manager.pk, "start_on": row.start_on, "end_on": row.end_on},
            reason=reason,
            at=at,
        )
    return row


def refuse_circle(*, person: User, manager: User, start_on: date, end_on: date | None) -> None:
    """Raise a ValidationError, naming the people and the day, when the line would close a circle."""
    rows = ReportingLine.objects.values_list("person_id", "manager_id", "start_on", "end_on")
    circle = first_circle([Line(*row) for row in rows], Line(person.pk, manager.pk, start_on, end_on))
    if circle is None:
        return
    names = dict(User.objects.filter(pk__in=circle.people).values_list("pk", "name"))
    people = " → ".join(names[pk] for pk in circle.people)
    raise ValidationError(
        {
            "manager": _("That closes a circle on %(day)s: %(people)s.")
            % {"day": circle.on.isoformat(), "people": people}
        }
    )


def end_manager(*, actor: Actor, person: User, end_on: date, at: datetime, reason: str = "") -> None:
    """The person reports to nobody from a day on. Raises ValidationError when they report to nobody then anyway."""
    _end_from(actor, ReportingLine, person, end_on, "reporting_line.ended", reason, at)


def _end_from(
    actor: Actor, model: type[HeldInTime], person: User, end_on: date, action: str, reason: str, at: datetime
) -> None:
    need(actor, *EDITORS)
    with transaction.atomic():
        changes = end_all(model, person, end_on, action, reason)
        if not changes:
            raise ValidationError(_("There is nothing to end on that day."))
        record_many(actor=actor, changes=changes, at=at)
