"""Works out who an actor is at a moment."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from salesops.core.actor import NOBODY, Actor, roles_from
from salesops.people.models import FunctionAssignment, ReportingLine, RoleGrant, User
from salesops.pods.models import PodMembership


def company_day(moment: datetime) -> date:
    """The day it is in the company's time zone."""
    return moment.astimezone(ZoneInfo(settings.COMPANY_TIME_ZONE)).date()


def people_below(manager_id: int, day: date) -> frozenset[int]:
    """Everyone below a manager on the reporting line as it is on a day, the manager not included."""
    below: dict[int, list[int]] = defaultdict(list)
    for person_id, above_id in ReportingLine.objects.on(day).values_list("person_id", "manager_id"):
        below[above_id].append(person_id)
    found: set[int] = set()
    waiting = [manager_id]
    while waiting:
        for person_id in below[waiting.pop()]:
            if person_id not in found and person_id != manager_id:
                found.add(person_id)
                waiting.append(person_id)
    return frozenset(found)


def actor_for(user: User | AnonymousUser, *, at: datetime, request_id: str = "") -> Actor:
    """Make the actor for a user at a moment; anonymous and inactive users are nobody."""
    if not isinstance(user, User) or not user.is_active:
        return NOBODY
    day = company_day(at)
    roles = roles_from(RoleGrant.objects.on(day).filter(person=user).values_list("role", flat=True))
    tree = people_below(user.pk, day)
    own_pods: set[int] = set()
    tree_pods: set[int] = set()
    functions = set(FunctionAssignment.objects.on(day).filter(person=user).values_list("function", flat=True))
    for pod_id, person_id, function in (
        PodMembership.objects.on(day)
        .filter(person_id__in=tree | {user.pk})
        .values_list("pod_id", "person_id", "function")
    ):
        if person_id == user.pk:
            own_pods.add(pod_id)
            functions.add(function)
        else:
            tree_pods.add(pod_id)
    return Actor(
        user_id=user.pk,
        name=str(user),
        roles=roles,
        functions=frozenset(functions),
        pod_ids=frozenset(own_pods),
        tree_ids=tree,
        tree_pod_ids=frozenset(tree_pods),
        as_of=at,
        time_zone=user.time_zone,
        language=user.language,
        request_id=request_id,
    )
