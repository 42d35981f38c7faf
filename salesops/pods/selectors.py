"""Works out who an actor is at a moment; reads pods, their members and territories as of a day."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q

from salesops.core.actor import NOBODY, Actor, Noun, Scope, roles_from
from salesops.core.days import company_day
from salesops.people.models import FunctionAssignment, Leave, ReportingLine, RoleGrant, User
from salesops.people.querysets import UserQuerySet
from salesops.people.rules.lines import Line, below
from salesops.people.rules.working_time import Calendar
from salesops.people.selectors import active_on, calendars_of
from salesops.pods.models import FunctionCapacity, Pod, PodMembership, Segment, Territory, TerritoryAssignment
from salesops.pods.querysets import MembershipQuerySet, PodQuerySet, TerritoryAssignmentQuerySet, TerritoryQuerySet
from salesops.pods.rules.capacity import (
    PUBLISHED_RAMP,
    Capacity,
    months_between,
    presence,
    ramp_of,
    ramped,
    shares,
)
from salesops.pods.rules.readiness import PART_OF, Part, Readiness, readiness
from salesops.pods.workload import load_of


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


def lines_below(manager_id: int) -> list[Line]:
    """Everyone who is or was below a manager, with the days on which they were."""
    rows = ReportingLine.objects.values_list("person_id", "manager_id", "start_on", "end_on")
    return below([Line(*row) for row in rows], manager_id)


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


def actor_of(user_id: int, *, at: datetime) -> Actor:
    """The actor of a user at a moment, for jobs; NOBODY when there is no such user or they may not log in."""
    user = User.objects.filter(pk=user_id).first()
    return actor_for(user, at=at) if user else NOBODY


# --- Pods ---------------------------------------------------------------------------------------------------------


def pods_for(actor: Actor) -> PodQuerySet:
    """The pods the actor may see, by name."""
    return Pod.objects.visible_to(actor)


def pod_for(actor: Actor, pk: int) -> Pod:
    """One pod with its segment; raises Http404 when it is not theirs."""
    return Pod.objects.select_related("segment").get_for(actor, pk=pk)


def open_pods_for(actor: Actor, day: date) -> PodQuerySet:
    """The pods the actor may see that are open on a day: what can be chosen for new work."""
    return pods_for(actor).filter(opened_on__lte=day).exclude(closed_on__lte=day)


def segments() -> list[Segment]:
    """All segments in their order; their names are no secret."""
    return list(Segment.objects.all())


def segment_for_employees(employees: int | None, among: Iterable[Segment]) -> Segment | None:
    """The first segment whose range holds this number of employees; None when unknown or outside all of them."""
    if employees is None:
        return None
    for segment in among:
        if segment.min_employees is None and segment.max_employees is None:
            continue
        if (segment.min_employees or 0) <= employees and (
            segment.max_employees is None or employees <= segment.max_employees
        ):
            return segment
    return None


# --- Members ------------------------------------------------------------------------------------------------------


def memberships_for(actor: Actor) -> MembershipQuerySet:
    """The memberships, past, present and to come, of the pods the actor may see, with person and pod."""
    return PodMembership.objects.visible_to(actor).select_related("person", "pod")


def membership_for(actor: Actor, pk: int) -> PodMembership:
    """One membership with person and pod; raises Http404 when the pod is not theirs."""
    return PodMembership.objects.select_related("person", "pod").get_for(actor, pk=pk)


def members_on(actor: Actor, day: date) -> MembershipQuerySet:
    """The memberships held on a day in the pods the actor may see."""
    return memberships_for(actor).on(day)


def pod_of(person_ids: Collection[int], day: date) -> dict[int, int]:
    """Which pod each person is in on a day, in one query; people in none are left out."""
    return dict(PodMembership.objects.on(day).filter(person_id__in=person_ids).values_list("person_id", "pod_id"))


@dataclass(frozen=True)
class PodHistory:
    """Who was in which pod when, in memory: for looking up many people on many days."""

    _starts: Mapping[int, list[date]]
    _rows: Mapping[int, list[tuple[date | None, int, str]]]

    def pod_on(self, person_id: int, day: date) -> int | None:
        """The pod of a person on a day; None when in none."""
        found = self._held(person_id, day)
        return found[0] if found else None

    def function_on(self, person_id: int, day: date) -> str | None:
        """The function in which a person was in a pod on a day; None when in none."""
        found = self._held(person_id, day)
        return found[1] if found else None

    def _held(self, person_id: int, day: date) -> tuple[int, str] | None:
        index = bisect_right(self._starts.get(person_id, []), day) - 1
        if index < 0:
            return None
        end_on, pod_id, function = self._rows[person_id][index]
        return (pod_id, function) if end_on is None or day < end_on else None


def pod_history(person_ids: Collection[int] | None = None) -> PodHistory:
    """Load the memberships of some people, or of all, in one query."""
    rows = PodMembership.objects.order_by("person_id", "start_on")
    if person_ids is not None:
        rows = rows.filter(person_id__in=person_ids)
    starts: dict[int, list[date]] = defaultdict(list)
    held: dict[int, list[tuple[date | None, int, str]]] = defaultdict(list)
    for person_id, start_on, end_on, pod_id, function in rows.values_list(
        "person_id", "start_on", "end_on", "pod_id", "function"
    ):
        starts[person_id].append(start_on)
        held[person_id].append((end_on, pod_id, function))
    return PodHistory(starts, held)


def assignees_for(actor: Actor, day: date) -> UserQuerySet:
    """The people to whom the actor may give work on a day: everybody, or those of their tree and pods.

    Reps: themselves and the members of their pods. Managers: also everyone below, and those people's pods.
    """
    scope = actor.sight(Noun.WORK)
    people = User.objects.filter(active_on(day))
    if scope >= Scope.ALL:
        return people
    if scope <= Scope.TOTALS:
        return people.none()
    own = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
    pods = actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids if scope >= Scope.POD else frozenset()
    members = PodMembership.objects.on(day).filter(pod_id__in=pods).values("person_id")
    return people.filter(Q(pk__in=own) | Q(pk__in=members))


# --- Territories --------------------------------------------------------------------------------------------------


def territories_for(actor: Actor) -> TerritoryQuerySet:
    """The territories, by name."""
    return Territory.objects.visible_to(actor)


def territory_for(actor: Actor, pk: int) -> Territory:
    """One territory; raises Http404 for who sees none."""
    return Territory.objects.get_for(actor, pk=pk)


def territory_assignment_for(actor: Actor, pk: int) -> TerritoryAssignment:
    """One assignment with person and territory; raises Http404 when it is not theirs."""
    return TerritoryAssignment.objects.select_related("person", "territory").get_for(actor, pk=pk)


def territory_assignments_for(actor: Actor) -> TerritoryAssignmentQuerySet:
    """Who works where, past, present and to come, as far as the actor may see, with person and territory."""
    return TerritoryAssignment.objects.visible_to(actor).select_related("person", "territory")


# --- What people can carry ------------------------------------------------------------------------------------------


def capacities(
    members: Collection[PodMembership],
    day: date,
    *,
    calendars: Mapping[int, Calendar] | None = None,
    are_all: bool = False,
) -> dict[int, Capacity]:
    """What the members of pods can carry in the days after a day, by person; six queries at most, however many there are.

    calendars: of these people, where the caller has read them. are_all: these are all members that their pods have.

    Full is what their function carries, where the company says so, else their part of the pod's room: in equal parts for
    those who win customers; others have no number then and are left out. The ramp counts from when they took on the
    function they have in the pod, else from when they came into the pod.
    """
    people = {row.person_id for row in members}
    own = {row.function: row for row in FunctionCapacity.objects.all()}
    began = {
        (person, function): start
        for person, function, start in FunctionAssignment.objects.on(day)
        .filter(person__in=people)
        .values_list("person_id", "function", "start_on")
    }
    winning = [function for function, part in PART_OF.items() if part is Part.ACQUISITION]
    if are_all:
        among: Mapping[int, int] = Counter(row.pod_id for row in members if row.function in winning)
    else:
        winners = PodMembership.objects.on(day).filter(pod__in={row.pod_id for row in members}, function__in=winning)
        among = dict(winners.order_by().values_list("pod").annotate(Count("pk")))
    if calendars is None:
        calendars = calendars_of(people, day)
    found: dict[int, Capacity] = {}
    for row in members:
        set_by_company = own.get(row.function)
        full = set_by_company.lead_capacity if set_by_company else None
        if full is None:
            if PART_OF.get(row.function) is not Part.ACQUISITION:
                continue
            full = shares(row.pod.lead_capacity, among.get(row.pod_id, 1))
        curve = ramp_of(set_by_company.ramp) if set_by_company and set_by_company.ramp else None
        if curve is None:
            curve = PUBLISHED_RAMP.get(row.function, ())
        calendar = calendars[row.person_id]
        hours: dict[int, int] = defaultdict(int)
        for weekday, start, end in calendar.hours:
            hours[weekday] += (end.hour - start.hour) * 60 + end.minute - start.minute
        there = presence(hours, calendar.leave, day)
        months = months_between(began.get((row.person_id, row.function), row.start_on), day)
        found[row.person_id] = Capacity(full, ramped(curve, months), there.share, there.leave)
    return found


def next_leaves(person_ids: Collection[int], day: date) -> dict[int, Leave]:
    """The leave that each of these people is on, or has next; one query. The caller may see it."""
    rows = Leave.objects.filter(person__in=person_ids, end_on__gt=day).order_by("-start_on", "-pk")
    return {row.person_id: row for row in rows}


# --- How a pod stands ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PodStanding:
    """A pod on a day: who is in it by part of the bow-tie, whether it is whole, and what it carries.

    The numbers of leads in work and of open deals are None where no room counts them.
    """

    pod: Pod
    members: list[PodMembership]
    readiness: Readiness
    open_leads: int | None
    open_deals: int | None

    @property
    def by_part(self) -> dict[Part, list[PodMembership]]:
        """The members by what they do, in the order of the bow-tie; people of other functions are in none."""
        return {part: [row for row in self.members if PART_OF.get(row.function) is part] for part in Part}

    @property
    def load_bp(self) -> int | None:
        """Open leads as a share of what the pod can carry, in basis points, rounded down; None when unknown."""
        if self.open_leads is None or not self.pod.lead_capacity:
            return None
        return self.open_leads * 10_000 // self.pod.lead_capacity


def standings(actor: Actor, pods: Iterable[Pod], day: date) -> list[PodStanding]:
    """How these pods stand on a day: one query for the members and what the workload takes, however many pods."""
    pods = list(pods)
    members: dict[int, list[PodMembership]] = defaultdict(list)
    # A pod that is yet to open is judged by who will be in it on its first day.
    on = {pod.pk: max(day, pod.opened_on) for pod in pods}
    rows = memberships_for(actor).filter(pod__in=pods).exclude(end_on__lte=day)
    for row in rows.order_by("function", "person__name", "pk"):
        if row.start_on <= on[row.pod_id] and (row.end_on is None or row.end_on > on[row.pod_id]):
            members[row.pod_id].append(row)
    pod_ids = [pod.pk for pod in pods]
    leads, deals = (load_of(noun, pod_ids=pod_ids) for noun in ("leads", "deals"))
    return [
        PodStanding(
            pod=pod,
            members=members[pod.pk],
            readiness=readiness((row.function for row in members[pod.pk]), pod.template, pod.customer_size),
            open_leads=leads.by_pod.get(pod.pk, 0) if leads else None,
            open_deals=deals.by_pod.get(pod.pk, 0) if deals else None,
        )
        for pod in pods
    ]
