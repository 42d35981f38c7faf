"""Gives people territories in time."""

from __future__ import annotations

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from salesops.audit.services import record, state_of
from salesops.core.actor import Actor
from salesops.core.models import held_during
from salesops.people.models import User
from salesops.pods.models import Territory, TerritoryAssignment
from salesops.pods.services.pods import FOREVER, check_may_arrange, locked_person, saved


@transaction.atomic
def add_territory(
    *, code: str, name: str, country: str = "", region: str = "", actor: Actor, at: datetime
) -> Territory:
    """Make a territory. Raises PermissionDenied; ValidationError for a code that is taken."""
    check_may_arrange(actor)
    territory = saved(Territory(code=code.strip(), name=name.strip(), country=country.strip(), region=region.strip()))
    record(actor=actor, action="territory.added", subject=territory, after=state_of(territory), at=at)
    return territory


@transaction.atomic
def assign_territory(
    *,
    territory_id: int,
    person_id: int,
    start_on: date,
    end_on: date | None = None,
    actor: Actor,
    at: datetime,
    reason: str = "",
) -> TerritoryAssignment:
    """Give a person a territory for [start_on, end_on); others may hold it too, the same person not twice at a time.

    Raises PermissionDenied, Http404, ValidationError.
    """
    check_may_arrange(actor)
    territory, person = Territory.objects.get_for(actor, pk=territory_id), locked_person(person_id)
    _check_free(territory, person, start_on, end_on)
    assignment = saved(TerritoryAssignment(territory=territory, person=person, start_on=start_on, end_on=end_on))
    after = {"person": person.pk, "start_on": start_on, "end_on": end_on}
    record(actor=actor, action="territory.assigned", subject=territory, after=after, at=at, reason=reason)
    return assignment


@transaction.atomic
def end_territory_assignment(
    *, assignment_id: int, end_on: date | None, actor: Actor, at: datetime, reason: str = ""
) -> TerritoryAssignment:
    """Set when a person's responsibility ends: the first day on which it no longer holds, None for until further notice.

    Raises PermissionDenied, Http404; ValidationError when it would not end after its start, or would overlap.
    """
    check_may_arrange(actor)
    found = TerritoryAssignment.objects.get_for(actor, pk=assignment_id)
    person = locked_person(found.person_id)
    assignment = TerritoryAssignment.objects.select_for_update(of=("self",)).get_for(actor, pk=assignment_id)
    if end_on is not None and end_on <= assignment.start_on:
        raise ValidationError(
            {"end_on": _("It began on %(day)s and must end after that.") % {"day": date_format(assignment.start_on)}}
        )
    _check_free(assignment.territory, person, assignment.start_on, end_on, but=assignment.pk)
    if assignment.end_on == end_on:
        return assignment
    before = {"person": person.pk, "end_on": assignment.end_on}
    assignment.end_on = end_on
    assignment.save(update_fields=["end_on"])
    record(
        actor=actor,
        action="territory.ended",
        subject=assignment.territory,
        before=before,
        after={"person": person.pk, "end_on": end_on},
        at=at,
        reason=reason,
    )
    return assignment


def _check_free(territory: Territory, person: User, start_on: date, end_on: date | None, *, but: int = 0) -> None:
    """Refuse the same person twice in a territory at a time."""
    if end_on is not None and end_on <= start_on:
        raise ValidationError({"end_on": _("It must end after it begins.")})
    other = (
        TerritoryAssignment.objects.filter(held_during(start_on, end_on or FOREVER), territory=territory, person=person)
        .exclude(pk=but)
        .order_by("start_on")
        .first()
    )
    if other is not None:
        raise ValidationError(
            {
                "start_on": _("%(person)s has territory %(territory)s from %(start)s already.")
                % {"person": person.name, "territory": territory.name, "start": date_format(other.start_on)}
            }
        )
