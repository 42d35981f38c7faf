"""Reads the board on which leads are given to people: the leads that may be given, and those who may get them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.leads.choices import WORK_STATUSES, AssignmentMethod
from salesops.leads.models import Clock, Lead, LeadAssignment, PoolMember
from salesops.leads.rules.fairness import who_is_next
from salesops.leads.rules.pools import Why
from salesops.leads.selectors.leads import leads_in_work
from salesops.leads.selectors.pools import pools_for
from salesops.leads.selectors.routing import pools_at_work, presence_of
from salesops.leads.selectors.ways import WHY_NOW, why_it_waits
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.pods.selectors import assignees_for, capacities, members_on, open_pods_for

#: Who gives leads to others.
ASSIGNERS: Final = (Role.MANAGER, Role.REVOPS, Role.ADMIN)
#: Leads that are shown at first, and that "more" adds.
LEADS: Final = 50
#: How long an act can be taken back.
TAKEN_BACK_WITHIN: Final = timedelta(hours=8)
#: Which leads are shown.
SHOWN: Final[dict[str, str | Promise]] = {
    "nobody": gettext_lazy("Nobody has them"),
    "untouched": gettext_lazy("Never touched"),
    "all": gettext_lazy("All in work"),
}
#: What leads may be ordered by, and by which columns.
ORDERS: Final[dict[str, tuple[str | Promise, tuple[object, ...]]]] = {
    "oldest": (gettext_lazy("Waiting longest first"), ("created_at", "pk")),
    "newest": (gettext_lazy("Newest first"), ("-created_at", "-pk")),
    "score": (gettext_lazy("Best score first"), (F("score__grade").asc(nulls_last=True), "created_at", "pk")),
    "value": (gettext_lazy("Largest first"), (F("estimated_minor").desc(nulls_last=True), "created_at", "pk")),
}


# --- Leads ----------------------------------------------------------------------------------------------------------


def shown_of(leads: QuerySet[Lead], shown: str) -> QuerySet[Lead]:
    """Those of these leads that are shown on the board: in work, and nobody's, never touched, or all."""
    rows = leads.filter(status__in=WORK_STATUSES)
    if shown == "all":
        return rows
    if shown == "untouched":
        return rows.filter(first_touched_at__isnull=True)
    return rows.filter(owner__isnull=True)


@dataclass(frozen=True, slots=True)
class LeadCard:
    """A lead on the board, with the clock that runs on it and why it waits, in words."""

    lead: Lead
    clock: Clock | None = None
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Leads:
    """The first leads of the board; count: of all that match, never of those alone."""

    cards: Sequence[LeadCard]
    count: int
    offset: int = 0

    @property
    def next_offset(self) -> int | None:
        """Where "more" goes on; None when all are there."""
        reached = self.offset + len(self.cards)
        return reached if self.cards and reached < self.count else None

    @property
    def left(self) -> int:
        """How many are not shown yet."""
        return max(0, self.count - self.offset - len(self.cards))


def leads_on_board(
    actor: Actor, leads: QuerySet[Lead], *, order: str = "oldest", offset: int = 0, most: int = LEADS
) -> Leads:
    """These leads, which the caller has taken from those the actor sees, in an order. Three queries."""
    by = ORDERS.get(order, ORDERS["oldest"])[1]
    rows = leads.select_related("owner", "pod", "segment", "score", "pool").order_by(*by)  # type: ignore[arg-type]  # expressions too
    found = list(rows[offset : offset + most])
    running = Clock.objects.visible_to(actor).filter(lead__in=found, ended_at__isnull=True).order_by("started_at", "pk")
    clocks = {clock.lead_id: clock for clock in running}
    cards = [LeadCard(lead, clocks.get(lead.pk), why_it_waits(lead)) for lead in found]
    return Leads(cards, leads.order_by().count(), offset)


# --- People ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who may get leads. room: leads in work they can carry now: their limit in a pool, else what their function
    carries, by ramp, hours and leave; None where nothing says so.

    why: why they could take none by rule at this moment, in words. next_in: pools in which the next turn is theirs.
    """

    person: User
    function: str
    open_leads: int
    room: int | None
    why: str = ""
    next_in: tuple[str, ...] = ()

    @property
    def load_bp(self) -> int | None:
        """Their open leads as a share of their room, in basis points, rounded down to whole per cent."""
        return None if not self.room else self.open_leads * 100 // self.room * 100

    @property
    def is_over(self) -> bool:
        """Whether they have more than they can carry."""
        return self.room is not None and self.open_leads > self.room


@dataclass(slots=True)
class PodBox:
    """A pod with its people. pod: None for those who take turns and are in no pod."""

    pod: Pod | None
    people: list[Receiver] = field(default_factory=list)
    open_leads: int = 0

    @property
    def room(self) -> int | None:
        """Leads in work that the pod can carry."""
        return self.pod.lead_capacity if self.pod else None

    @property
    def load_bp(self) -> int | None:
        """Its leads as a share of its room, in basis points, rounded down to whole per cent."""
        return None if not self.room else self.open_leads * 100 // self.room * 100

    @property
    def is_over(self) -> bool:
        """Whether it has more than it can carry."""
        return self.room is not None and self.open_leads > self.room


def receivers_for(actor: Actor, at: datetime) -> list[PodBox]:
    """The pods and people to whom the actor may give leads, as they stand. A fixed number of queries."""
    day = company_day(at)
    pods = list(open_pods_for(actor, day).select_related("segment").order_by("segment__position", "name", "pk"))
    members = list(members_on(actor, day).filter(pod__in=pods).order_by("function", "person__name", "pk"))
    pools = list(pools_for(actor).filter(is_active=True))
    in_pool: set[int] = set()
    caps: dict[int, int] = {}
    next_in: dict[int, list[str]] = defaultdict(list)
    names = {pool.pk: pool.name for pool in pools}
    turning = PoolMember.objects.filter(pool__in=pools).values_list("person_id", flat=True)
    presence = presence_of({*(row.person_id for row in members), *turning}, at)
    works = pools_at_work(pools, at, presence) if pools else {}
    for work in works.values():
        able = []
        for member in work.members:
            if not member.is_in or not member.weight:
                continue
            in_pool.add(member.person)
            if member.cap_open is not None:
                caps[member.person] = min(member.cap_open, caps.get(member.person, member.cap_open))
            member.takes = None
            if member.cannot({}) is None:
                able.append(member)
        order = who_is_next(able, work.method, quantum=work.quantum, turn_of=work.turn_of)
        if order:
            first = next(member for member in able if member.key == order[0])
            next_in[first.person].append(names[work.key])
    allowed = {
        person.pk: person
        for person in assignees_for(actor, day).filter(pk__in=in_pool | {row.person_id for row in members})
    }
    absent = presence.absent
    load = leads_in_work(pod_ids=[pod.pk for pod in pods], person_ids=list(allowed))
    can = capacities(members, day, calendars=presence.calendars, are_all=True)

    def receiver(person: User, function: str) -> Receiver:
        why = absent.get(person.pk)
        room = caps[person.pk] if person.pk in caps else can[person.pk].now if person.pk in can else None
        count = load.by_person.get(person.pk, 0)
        if why is None and person.pk in caps and count >= caps[person.pk]:
            why = Why.CAP_OPEN
        return Receiver(
            person, function, count, room, str(WHY_NOW[why]) if why else "", tuple(next_in.get(person.pk, ()))
        )

    boxes = {pod.pk: PodBox(pod, open_leads=load.by_pod.get(pod.pk, 0)) for pod in pods}
    for row in members:
        if row.person_id in allowed:
            boxes[row.pod_id].people.append(receiver(allowed[row.person_id], row.function))
    placed = {row.person_id for row in members}
    others = PodBox(None)
    for person in sorted(allowed.values(), key=lambda each: (str(each), each.pk)):
        if person.pk not in placed:
            others.people.append(receiver(person, ""))
    return [*boxes.values(), *([others] if others.people else [])]


# --- Acts -----------------------------------------------------------------------------------------------------------

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def number_of_act(moment: datetime) -> int:
    """An act by its moment, in microseconds: all that was given in it was given at that moment."""
    return (moment - _EPOCH) // _MICROSECOND


def act_of(actor: Actor, act: int, at: datetime) -> list[LeadAssignment]:
    """What the actor gave in an act, where nobody has given it on since and it can still be taken back."""
    try:
        moment = _EPOCH + act * _MICROSECOND
    except OverflowError:
        return []
    return [row for row in _acts(actor, at).filter(assigned_at=moment) if "before" in row.path]


def last_act(actor: Actor, at: datetime) -> tuple[int, int] | None:
    """The last act that the actor can take back, and of how many leads; None where there is none. Two queries."""
    moment = (
        _acts(actor, at)
        .filter(path__has_key="before")
        .order_by("-assigned_at")
        .values_list("assigned_at", flat=True)
        .first()
    )
    if moment is None:
        return None
    return number_of_act(moment), _acts(actor, at).filter(assigned_at=moment).count()


def _acts(actor: Actor, at: datetime) -> QuerySet[LeadAssignment]:
    later = LeadAssignment.objects.filter(lead=OuterRef("lead"), pk__gt=OuterRef("pk"))
    return LeadAssignment.objects.filter(
        ~Exists(later),
        assigned_by=actor.user_id,
        assigned_at__gt=at - TAKEN_BACK_WITHIN,
        method__in=(AssignmentMethod.MANUAL, AssignmentMethod.BULK),
    ).order_by("pk")
