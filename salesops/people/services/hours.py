"""Working hours and leave."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date, datetime, time

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.core.actor import Actor
from salesops.people.choices import LeaveKind
from salesops.people.models import Leave, User, WorkingHours
from salesops.people.querysets import EDITORS
from salesops.people.services.ranges import (
    locked,
    need,
    need_above,
    refuse_overlap,
    save_new,
)

Hours = tuple[int, time, time]


def set_working_hours(*, actor: Actor, person: User, hours: Iterable[Hours], at: datetime) -> None:
    """Replace a person's working hours: (ISO weekday, from, until) in their own time zone; none means always.

    People may set their own. Raises ValidationError when hours end before they start or overlap on a day.
    """
    if actor.user_id != person.pk:
        need(actor, *EDITORS)
    wanted = sorted(hours)
    for weekday, starts_at, ends_at in wanted:
        if not 1 <= weekday <= 7 or ends_at <= starts_at:
            raise ValidationError(_("Working hours have to end after they start."))
    for first, second in itertools.pairwise(wanted):
        if first[0] == second[0] and second[1] < first[2]:
            raise ValidationError(_("Working hours on one day overlap."))
    with transaction.atomic():
        locked(person)
        before = [_hours_text(row.weekday, row.starts_at, row.ends_at) for row in person.working_hours.all()]
        after = [_hours_text(*row) for row in wanted]
        if before == after:
            return
        person.working_hours.all().delete()
        WorkingHours.objects.bulk_create(
            WorkingHours(person=person, weekday=weekday, starts_at=starts_at, ends_at=ends_at)
            for weekday, starts_at, ends_at in wanted
        )
        record(
            actor=actor,
            action="hours.changed",
            subject=person,
            before={"hours": before},
            after={"hours": after},
            at=at,
        )


def add_leave(
    *,
    actor: Actor,
    person: User,
    kind: str,
    start_on: date,
    end_on: date,
    at: datetime,
    note: str = "",
    deputy: User | None = None,
) -> Leave:
    """Note that a person is away on the days of [start_on, end_on): editors, and managers for those below them.

    deputy: who gets the leads that would go to them by name meanwhile. Raises PermissionDenied, or ValidationError when the
    days are out of order or overlap other leave, or when they would be their own deputy.
    """
    need_above(actor, person)
    if kind not in LeaveKind.values:
        raise ValidationError({"kind": _("There is no such kind of leave.")})
    if deputy is not None and deputy.pk == person.pk:
        raise ValidationError({"deputy": _("Choose somebody else: nobody stands in for themselves.")})
    with transaction.atomic():
        leave = Leave(person=person, kind=kind, start_on=start_on, end_on=end_on, note=note.strip(), deputy=deputy)
        refuse_overlap(
            Leave.objects.filter(person=person),
            leave,
            lambda start: _("%(name)s is already away from %(start)s.") % {"name": person, "start": start},
        )
        save_new(leave)
        record(
            actor=actor,
            action="leave.added",
            subject=person,
            after={"kind": kind, "start_on": start_on, "end_on": end_on}
            | ({"deputy": deputy.pk} if deputy is not None else {}),
            at=at,
        )
    return leave


def cancel_leave(*, actor: Actor, leave: Leave, at: datetime, reason: str = "") -> None:
    """Forget a leave that is not taken."""
    need_above(actor, leave.person)
    with transaction.atomic():
        record(
            actor=actor,
            action="leave.cancelled",
            subject=leave.person,
            before={"kind": leave.kind, "start_on": leave.start_on, "end_on": leave.end_on},
            reason=reason,
            at=at,
        )
        leave.delete()


def _hours_text(weekday: int, starts_at: time, ends_at: time) -> str:
    return f"{weekday} {starts_at:%H:%M}-{ends_at:%H:%M}"
