"""Opens and closes pods, moves people between them in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.services import changed, record, state_of
from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.core.models import held_during
from salesops.people.models import User
from salesops.pods.choices import UNREADY_PODS
from salesops.pods.models import Pod, PodMembership, Segment
from salesops.pods.rules.readiness import Part, readiness

FOREVER = date.max
#: What is said of a pod in which nobody does a part without which none should open.
WITHOUT: Final = {
    Part.ACQUISITION: gettext_lazy("Nobody wins customers (SDR, MDR or ADR)."),
    Part.SUCCESS: gettext_lazy("Nobody keeps them (CSM or ONB)."),
}


def check_may_arrange(actor: Actor) -> None:
    """Only revenue operations and administrators arrange pods; raises PermissionDenied for others."""
    if not actor.has(Role.REVOPS, Role.ADMIN):
        raise PermissionDenied(_("Only revenue operations and administrators arrange pods."))


def saved(row: Any) -> Any:
    """Check a row as a form would, then save it; raises ValidationError with the field at fault."""
    row.full_clean()
    row.save()
    return row


# --- Pods ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_pod(
    *,
    name: str,
    segment: Segment | None,
    template: str,
    opened_on: date,
    actor: Actor,
    at: datetime,
    time_zone: str | None = None,
    lead_capacity: int | None = None,
    customer_size: str = "",
    team: Sequence[tuple[User, str]] = (),
    is_gated: bool = True,
) -> Pod:
    """Open a pod on a day, with its first people (person, function), who are in it from that day on.

    Where pods that are not whole may not open (UNREADY_PODS), somebody who wins customers and somebody who keeps them
    must be among the first people; an import, which brings people after pods, asks with `is_gated` False. Raises
    PermissionDenied; ValidationError for a name that is taken, values out of range, a team that lacks a part.
    """
    check_may_arrange(actor)
    if is_gated and not features.is_on(UNREADY_PODS):
        found = readiness((function for _person, function in team), template, customer_size)
        if found.missing_first:
            lacking = [str(WITHOUT[part]) for part in found.missing_first]
            message = _("Name its first people. %(lacking)s") % {"lacking": " ".join(lacking)}
            raise ValidationError({"team": ValidationError(message, "not-ready")})
    pod = Pod(name=name.strip(), segment=segment, template=template, opened_on=opened_on, customer_size=customer_size)
    if time_zone is not None:
        pod.time_zone = time_zone
    if lead_capacity is not None:
        pod.lead_capacity = lead_capacity
    saved(pod)
    record(actor=actor, action="pod.opened", subject=pod, after=state_of(pod), at=at)
    for person, function in sorted(team, key=lambda each: each[0].pk):
        _join(pod, locked_person(person.pk), function, opened_on, None, actor=actor, at=at)
    return pod


@transaction.atomic
def edit_pod(*, pod_id: int, values: dict[str, Any], actor: Actor, at: datetime) -> Pod:
    """Change the name, segment, template, size of customers, time zone or capacity of a pod. Nothing is written when nothing differs.

    Raises PermissionDenied, Http404, ValidationError; KeyError for a field that is not edited this way.
    """
    check_may_arrange(actor)
    pod = _pod(actor, pod_id)
    before = state_of(pod)
    for field_name, value in values.items():
        if field_name not in {"name", "segment", "template", "customer_size", "time_zone", "lead_capacity"}:
            raise KeyError(field_name)
        setattr(pod, field_name, value)
    old, new = changed(before, state_of(pod))
    if new:
        saved(pod)
        record(actor=actor, action="pod.edited", subject=pod, before=old, after=new, at=at)
    return pod


@transaction.atomic
def close_pod(*, pod_id: int, closed_on: date, end_memberships: bool = False, actor: Actor, at: datetime) -> Pod:
    """Close a pod from a day on; it stays, with all its history.

    Memberships that go on past that day are ended on it when `end_memberships` is given; otherwise the pod is not
    closed and the message names who is still in it. Raises PermissionDenied, Http404, ValidationError.
    """
    check_may_arrange(actor)
    pod = _pod(actor, pod_id)
    if pod.closed_on is not None:
        raise ValidationError(_("This pod was closed on %(day)s."), params={"day": date_format(pod.closed_on)})
    if closed_on < pod.opened_on:
        raise ValidationError({"closed_on": _("A pod cannot close before it opens.")})
    lasting = list(
        PodMembership.objects.select_for_update()
        .filter(Q(end_on__isnull=True) | Q(end_on__gt=closed_on), pod=pod)
        .order_by("pk")
    )
    people = dict(User.objects.filter(pk__in=[row.person_id for row in lasting]).values_list("pk", "name"))
    if lasting and not end_memberships:
        names = ", ".join(sorted(people[row.person_id] for row in lasting))
        raise ValidationError(
            _("These people are still in the pod: %(names)s. Move them first, or end their memberships with the pod."),
            params={"names": names},
        )
    for membership in lasting:
        _end(membership, closed_on, actor=actor, at=at)
    pod.closed_on = closed_on
    saved(pod)
    record(
        actor=actor, action="pod.closed", subject=pod, before={"closed_on": None}, after={"closed_on": closed_on}, at=at
    )
    return pod


def _pod(actor: Actor, pod_id: int) -> Pod:
    return Pod.objects.select_for_update(of=("self",)).get_for(actor, pk=pod_id)


# --- Members ------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_member(
    *,
    pod_id: int,
    person_id: int,
    function: str,
    start_on: date,
    end_on: date | None = None,
    actor: Actor,
    at: datetime,
    reason: str = "",
) -> PodMembership:
    """Put a person into a pod for [start_on, end_on). A person is in one pod at a time: an overlap is refused by name.

    Raises PermissionDenied, Http404 for a pod or person that does not exist, ValidationError.
    """
    check_may_arrange(actor)
    pod, person = _pod(actor, pod_id), locked_person(person_id)
    return _join(pod, person, function, start_on, end_on, actor=actor, at=at, reason=reason)


@transaction.atomic
def move_member(
    *,
    person_id: int,
    to_pod_id: int,
    day: date,
    function: str | None = None,
    actor: Actor,
    at: datetime,
    reason: str = "",
) -> PodMembership:
    """Move a person to another pod from a day on: the membership of that day ends and the new one takes its place.

    The new one lasts as long as the old one would have, in the same function unless another is given. Raises
    ValidationError when the person is in no pod on that day, or in that very pod and function already.
    """
    check_may_arrange(actor)
    pod, person = _pod(actor, to_pod_id), locked_person(person_id)
    held = PodMembership.objects.select_for_update(of=("self",)).on(day).filter(person=person).first()
    if held is None:
        raise ValidationError(
            _("%(person)s is in no pod on %(day)s: add them instead."),
            params={"person": person.name, "day": date_format(day)},
        )
    function = function or held.function
    if held.pod_id == pod.pk and held.function == function:
        raise ValidationError(
            _("%(person)s is in pod %(pod)s already."), params={"person": person.name, "pod": pod.name}
        )
    end_on = held.end_on
    if day > held.start_on:
        _end(held, day, actor=actor, at=at, reason=reason)
    else:
        _withdraw(held, actor=actor, at=at, reason=reason)
    return _join(pod, person, function, day, end_on, actor=actor, at=at, reason=reason)


@transaction.atomic
def end_membership(
    *, membership_id: int, end_on: date, actor: Actor, at: datetime, reason: str = ""
) -> PodMembership | None:
    """End a membership: `end_on` is the first day on which it no longer holds.

    Ending it on its first day means that it never held: it is taken away and None comes back. Raises PermissionDenied,
    Http404, ValidationError when the day lies before its start, or so late that another membership is in the way.
    """
    check_may_arrange(actor)
    membership, person = _locked_membership(actor, membership_id)
    if end_on < membership.start_on:
        raise ValidationError(
            {"end_on": _("It began on %(day)s and cannot end before that.") % {"day": date_format(membership.start_on)}}
        )
    if end_on == membership.start_on:
        _withdraw(membership, actor=actor, at=at, reason=reason)
        return None
    _check_fits(membership.pod, person, membership.start_on, end_on, but=membership.pk)
    if membership.end_on != end_on:
        _end(membership, end_on, actor=actor, at=at, reason=reason)
    return membership


@transaction.atomic
def correct_membership(
    *, membership_id: int, pod_id: int, function: str, end_on: date | None, actor: Actor, at: datetime, reason: str = ""
) -> PodMembership:
    """Correct what was entered wrongly: pod, function and end are replaced, as if they had been so from its first day.

    To move a person from a day on use `move_member`. Raises PermissionDenied, Http404, ValidationError.
    """
    check_may_arrange(actor)
    pod = _pod(actor, pod_id)
    membership, person = _locked_membership(actor, membership_id)
    _check_fits(pod, person, membership.start_on, end_on, but=membership.pk)
    before = _as_said(membership) | {"pod": membership.pod_id}
    membership.pod, membership.function, membership.end_on = pod, function, end_on
    saved(membership)
    old, new = changed(before, _as_said(membership) | {"pod": pod.pk})
    if new:
        record(actor=actor, action="pod.member_corrected", subject=pod, before=old, after=new, at=at, reason=reason)
    return membership


def _locked_membership(actor: Actor, membership_id: int) -> tuple[PodMembership, User]:
    """A membership with its person, the person locked first."""
    person = locked_person(PodMembership.objects.get_for(actor, pk=membership_id).person_id)
    return PodMembership.objects.select_for_update(of=("self",)).get_for(actor, pk=membership_id), person


def locked_person(person_id: int) -> User:
    """The person, locked, so that two moves of the same person wait for each other."""
    try:
        return User.objects.select_for_update(of=("self",)).get(pk=person_id)
    except User.DoesNotExist as error:
        raise Http404 from error


def _check_fits(pod: Pod, person: User, start_on: date, end_on: date | None, *, but: int = 0) -> None:
    """Refuse days on which the pod is not open, the person has left, or is in a pod already."""
    if end_on is not None and end_on <= start_on:
        raise ValidationError({"end_on": _("It must end after it begins.")})
    if start_on < pod.opened_on:
        raise ValidationError({"start_on": _("The pod opened on %(day)s.") % {"day": date_format(pod.opened_on)}})
    if pod.closed_on is not None and (end_on is None or end_on > pod.closed_on):
        raise ValidationError({"end_on": _("The pod closed on %(day)s.") % {"day": date_format(pod.closed_on)}})
    if person.left_on is not None and person.left_on <= start_on:
        raise ValidationError(
            {"person": _("%(person)s left on %(day)s.") % {"person": person.name, "day": date_format(person.left_on)}}
        )
    other = (
        PodMembership.objects.filter(held_during(start_on, end_on or FOREVER), person=person)
        .exclude(pk=but)
        .select_related("pod")
        .order_by("start_on")
        .first()
    )
    if other is None:
        return
    params = {"person": person.name, "pod": other.pod.name, "start": date_format(other.start_on)}
    if other.end_on is None:
        message = _("%(person)s has been in pod %(pod)s since %(start)s: end that first, or move them.")
    else:
        message = _("%(person)s is in pod %(pod)s from %(start)s until %(end)s: the two would overlap.")
        params["end"] = date_format(other.end_on)
    raise ValidationError({"start_on": message % params})


def _join(
    pod: Pod,
    person: User,
    function: str,
    start_on: date,
    end_on: date | None,
    *,
    actor: Actor,
    at: datetime,
    reason: str = "",
) -> PodMembership:
    _check_fits(pod, person, start_on, end_on)
    membership = saved(PodMembership(pod=pod, person=person, function=function, start_on=start_on, end_on=end_on))
    record(actor=actor, action="pod.member_added", subject=pod, after=_as_said(membership), at=at, reason=reason)
    return membership


def _as_said(membership: PodMembership) -> dict[str, Any]:
    """A membership as the audit keeps it."""
    return {
        "person": membership.person_id,
        "function": membership.function,
        "start_on": membership.start_on,
        "end_on": membership.end_on,
    }


def _end(membership: PodMembership, end_on: date, *, actor: Actor, at: datetime, reason: str = "") -> None:
    before = _as_said(membership)
    if end_on <= membership.start_on:
        _withdraw(membership, actor=actor, at=at, reason=reason)
        return
    membership.end_on = end_on
    membership.save(update_fields=["end_on"])
    record(
        actor=actor,
        action="pod.member_ended",
        subject=membership.pod,
        before=before,
        after=_as_said(membership),
        at=at,
        reason=reason,
    )


def _withdraw(membership: PodMembership, *, actor: Actor, at: datetime, reason: str = "") -> None:
    """Take away a membership that never held for a day; the audit keeps it."""
    pod, before = membership.pod, _as_said(membership)
    membership.delete()
    record(actor=actor, action="pod.member_withdrawn", subject=pod, before=before, at=at, reason=reason)
