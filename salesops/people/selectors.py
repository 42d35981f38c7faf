"""Reads people, always for an actor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, time

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Q
from django.http import Http404

from salesops.core.actor import Actor, Role
from salesops.people.choices import RoleChoice
from salesops.people.models import FunctionAssignment, Leave, ReportingLine, RoleGrant, User, WorkingHours
from salesops.people.querysets import EDITORS, UserQuerySet
from salesops.people.rules.working_time import Calendar

#: Roles whose holders must give a second factor each time they log in.
NEED_SECOND_FACTOR = frozenset({Role.FINANCE, Role.ADMIN})


def people_for(actor: Actor) -> UserQuerySet:
    """The people the actor may see, by name."""
    return User.objects.visible_to(actor)


def person_for(actor: Actor, pk: int) -> User:
    """One person the actor may see; raises Http404 otherwise."""
    try:
        return people_for(actor).get(pk=pk)
    except (User.DoesNotExist, ValueError, OverflowError) as error:
        raise Http404 from error


def active_on(day: date) -> Q:
    """The condition for people who work here on a day."""
    return (
        Q(is_active=True)
        & (Q(started_on__isnull=True) | Q(started_on__lte=day))
        & (Q(left_on__isnull=True) | Q(left_on__gt=day))
    )


def holders_of(*roles: Role, on: date) -> UserQuerySet:
    """Active people who hold any of these roles on a day."""
    grants = RoleGrant.objects.on(on).filter(role__in=[role.value for role in roles])
    return User.objects.filter(is_active=True, pk__in=grants.values("person_id"))


def may_edit(actor: Actor) -> bool:
    """Whether the actor may change people's functions, reporting lines, hours and leave."""
    return actor.has(*EDITORS)


def may_grant(actor: Actor) -> bool:
    """Whether the actor may grant and revoke roles, invite people and let them go."""
    return actor.has(Role.ADMIN)


def may_see_private(actor: Actor, person: User) -> bool:
    """Whether the actor may see a person's leave, hours and numbers: their own, their tree's, or as an editor."""
    return actor.has(*EDITORS, Role.FINANCE) or person.pk in actor.people_ids


def roles_on(day: date, person_ids: Collection[int] | None = None) -> dict[int, list[str]]:
    """The labels of the roles that people hold on a day, by person."""
    rows = RoleGrant.objects.on(day)
    if person_ids is not None:
        rows = rows.filter(person_id__in=person_ids)
    labels = {choice.value: str(choice.label) for choice in RoleChoice}
    found: dict[int, list[str]] = defaultdict(list)
    for person_id, role in rows.order_by("role").values_list("person_id", "role"):
        found[person_id].append(labels.get(role, role))
    return found


def managers_on(day: date, person_ids: Collection[int] | None = None) -> dict[int, str]:
    """The name of each person's manager on a day."""
    rows = ReportingLine.objects.on(day)
    if person_ids is not None:
        rows = rows.filter(person_id__in=person_ids)
    return dict(rows.values_list("person_id", "manager__name"))


def functions_on(day: date, person_ids: Collection[int] | None = None) -> dict[int, str]:
    """The function code of each person on a day."""
    rows = FunctionAssignment.objects.on(day)
    if person_ids is not None:
        rows = rows.filter(person_id__in=person_ids)
    return dict(rows.values_list("person_id", "function"))


def manager_on(person: User, day: date) -> User | None:
    """Whom a person reports to on a day."""
    line = ReportingLine.objects.on(day).filter(person=person).select_related("manager").first()
    return line.manager if line else None


def manager_ids_on(day: date, person_ids: Collection[int]) -> dict[int, int]:
    """Whom each of these people reports to on a day; one query."""
    rows = ReportingLine.objects.on(day).filter(person_id__in=person_ids)
    return dict(rows.values_list("person_id", "manager_id"))


def away_on(day: date, person_ids: Collection[int] | None = None) -> set[int]:
    """Who is on leave on a day."""
    rows = Leave.objects.on(day)
    if person_ids is not None:
        rows = rows.filter(person_id__in=person_ids)
    return set(rows.values_list("person_id", flat=True))


def calendars_of(person_ids: Collection[int], since: date) -> dict[int, Calendar]:
    """When these people work from a day on: hours, time zone and leave; three queries."""
    hours: dict[int, list[tuple[int, time, time]]] = defaultdict(list)
    for person_id, weekday, starts_at, ends_at in WorkingHours.objects.filter(person_id__in=person_ids).values_list(
        "person_id", "weekday", "starts_at", "ends_at"
    ):
        hours[person_id].append((weekday, starts_at, ends_at))
    leave: dict[int, list[tuple[date, date]]] = defaultdict(list)
    for person_id, start_on, end_on in Leave.objects.filter(person_id__in=person_ids, end_on__gt=since).values_list(
        "person_id", "start_on", "end_on"
    ):
        if end_on is not None:
            leave[person_id].append((start_on, end_on))
    return {
        pk: Calendar(time_zone, tuple(sorted(hours[pk])), tuple(sorted(leave[pk])))
        for pk, time_zone in User.objects.filter(pk__in=person_ids).values_list("pk", "time_zone")
    }


def needs_second_factor(actor: Actor) -> bool:
    """Whether the actor holds a role that must give a second factor."""
    return not actor.is_system and not actor.roles.isdisjoint(NEED_SECOND_FACTOR)


def has_second_factor(user: User) -> bool:
    """Whether the person has set up a code app or a security key. Recovery codes alone are no second factor."""
    return (
        Authenticator.objects.filter(user=user)
        .filter(type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])
        .exists()
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """All that is kept about one person in time, newest first."""

    person: User
    grants: list[RoleGrant]
    functions: list[FunctionAssignment]
    lines: list[ReportingLine]
    reports: list[ReportingLine]
    hours: list[WorkingHours] = field(default_factory=list)
    leaves: list[Leave] = field(default_factory=list)
    sessions: int = 0
    has_second_factor: bool = False
    is_private_shown: bool = False


def profile_for(actor: Actor, pk: int, *, day: date) -> Profile:
    """Everything about a person that the actor may see as of a day; raises Http404 for whom they may not see."""
    person = person_for(actor, pk)
    is_private = may_see_private(actor, person)
    return Profile(
        person=person,
        grants=list(RoleGrant.objects.filter(person=person).order_by("-start_on", "role")),
        functions=list(FunctionAssignment.objects.filter(person=person).order_by("-start_on")),
        lines=list(ReportingLine.objects.filter(person=person).select_related("manager").order_by("-start_on")),
        reports=list(
            ReportingLine.objects.on(day)
            .filter(manager=person, person__is_active=True)
            .select_related("person")
            .order_by("person__name", "person_id")
        ),
        hours=list(WorkingHours.objects.filter(person=person)) if is_private else [],
        leaves=list(Leave.objects.filter(person=person).select_related("deputy").order_by("-start_on"))
        if is_private
        else [],
        sessions=UserSession.objects.filter(user=person).count() if actor.user_id == person.pk else 0,
        has_second_factor=has_second_factor(person),
        is_private_shown=is_private,
    )


@dataclass(slots=True)
class Branch:
    """A person in the tree of who reports to whom, with those below."""

    person: User
    function: str
    is_away: bool
    below: list[Branch] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many people are below, at any depth."""
        return sum(1 + branch.size for branch in self.below)


def tree_for(actor: Actor, *, day: date) -> list[Branch]:
    """Who reports to whom on a day, as the actor may see it: those without a manager at the top, each by name."""
    people = {person.pk: person for person in people_for(actor).filter(active_on(day))}
    functions, away = functions_on(day), away_on(day)
    above = {
        person_id: manager_id
        for person_id, manager_id in ReportingLine.objects.on(day).values_list("person_id", "manager_id")
        if person_id in people and manager_id in people
    }
    branches = {pk: Branch(person, functions.get(pk, ""), pk in away) for pk, person in people.items()}
    for pk in sorted(people, key=lambda key: (people[key].name.casefold(), key)):
        if pk in above:
            branches[above[pk]].below.append(branches[pk])
    return [
        branches[pk] for pk in sorted(people, key=lambda key: (people[key].name.casefold(), key)) if pk not in above
    ]
