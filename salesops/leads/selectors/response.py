"""Reads how soon leads find somebody and are touched, and which of them nobody works on; always for an actor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q

from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.leads.choices import WORK_STATUSES, AssignmentMethod, ClockEnding
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.rules.response import (
    UNWORKED_ALARM_BP,
    UNWORKED_TARGET_BP,
    Times,
    grouped,
    seconds_of,
    share_of,
    times_of,
    worked,
)
from salesops.leads.rules.routing import Held
from salesops.people.selectors import calendars_of
from salesops.pods.models import Pod

#: Months that may be looked at together.
MONTHS: Final = (1, 3, 6, 12)
#: A lead is nobody's fault before it is so old.
UNWORKED_AFTER: Final = timedelta(days=1)
#: Leads on which nobody works: without an owner, with one who is gone, or never touched.
UNWORKED: Final = Q(status__in=WORK_STATUSES) & (
    Q(owner__isnull=True) | Q(owner__is_active=False) | Q(first_touched_at__isnull=True)
)


@dataclass(frozen=True, slots=True)
class Response:
    """One row of the report. label: of the pod, service level or month; empty where there is none.

    queue: from when a lead could be given to when it was. rep: from then to its first touch, by the same person. touched
    in time: of the leads whose clock has come to its reminder or was stopped by a touch.
    """

    label: Any
    given: int
    queue: Times
    rep: Times
    waiting: int
    in_time: int
    watched: int

    @property
    def in_time_bp(self) -> int | None:
        """Share that was touched in time; None for too few."""
        return share_of(self.in_time, self.watched)


@dataclass(frozen=True, slots=True)
class Report:
    """The report over all leads that were first given to somebody in a time; held: of these, not counted as queue."""

    total: Response
    months: Sequence[Response]
    pods: Sequence[Response]
    levels: Sequence[Response]
    held: int


def first_day(at: datetime, months: int) -> date:
    """The first day of so many months, the running one included."""
    day = company_day(at)
    number = day.year * 12 + day.month - 1 - (months - 1)
    return date(number // 12, number % 12 + 1, 1)


_CONSENT: Final = (Held.CONSENT_REFUSED.value, Held.CONSENT_UNKNOWN.value)


def response_report(actor: Actor, *, months: int, at: datetime) -> Report:
    """How soon the leads that the actor sees found somebody, and were touched, by month, pod and service level.

    Of all leads first given to a person in these months, but for imports. Both times are working time of whoever got the
    lead. Leads that waited for consent have no time in the queue: it is not known since when they could be given. Five
    queries, whatever the number of leads.
    """
    zone = ZoneInfo(settings.COMPANY_TIME_ZONE)
    start = first_day(at, months)
    since = datetime(start.year, start.month, start.day, tzinfo=zone)
    earlier = LeadAssignment.objects.filter(lead=OuterRef("lead"), pk__lt=OuterRef("pk"))
    later = LeadAssignment.objects.filter(
        lead=OuterRef("lead"),
        pk__gt=OuterRef("pk"),
        person__isnull=False,
        assigned_at__lte=OuterRef("lead__first_touched_at"),
    ).exclude(person=OuterRef("person"))
    rows = list(
        LeadAssignment.objects.visible_to(actor)
        .filter(
            ~Exists(earlier.filter(person__isnull=False)),
            person__isnull=False,
            assigned_at__gte=since,
            assigned_at__lte=at,
            lead__removed_at__isnull=True,
        )
        .exclude(method=AssignmentMethod.IMPORT)
        .annotate(
            was_held=Exists(earlier.filter(path__held__in=_CONSENT)),
            has_moved=Exists(later),
        )
        .order_by()
        .values_list(
            "person",
            "pod",
            "assigned_at",
            "lead__created_at",
            "lead__first_touched_at",
            "was_held",
            "has_moved",
            "clock__level",
            "clock__warn_at",
            "clock__ended_at",
            "clock__ending",
        )
    )
    count = len(rows)
    people = [row[0] for row in rows]
    given = np.array([seconds_of(row[2]) for row in rows], dtype=np.int64)
    made = np.array([seconds_of(row[3]) for row in rows], dtype=np.int64)
    is_touched = np.array([row[4] is not None and row[4] >= row[2] and not row[6] for row in rows], dtype=np.bool_)
    touched = np.array([seconds_of(row[4]) if row[4] is not None else 0 for row in rows], dtype=np.int64)
    is_queued = np.array([not row[5] for row in rows], dtype=np.bool_)
    queue, rep = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    calendars = calendars_of(set(people), date.min)
    of_person = np.array(people, dtype=np.int64)
    for person, calendar in calendars.items():
        theirs = np.flatnonzero(of_person == person)
        queue[theirs] = worked(made[theirs], given[theirs], calendar)
        answered = theirs[is_touched[theirs]]
        rep[answered] = worked(given[answered], touched[answered], calendar)
    in_time = [
        row[10] == ClockEnding.TOUCHED and row[8] is not None and row[9] is not None and row[9] <= row[8]
        for row in rows
    ]
    watched = [row[8] is not None and (row[10] == ClockEnding.TOUCHED or row[8] <= at) for row in rows]
    waiting = [row[4] is None and not row[6] for row in rows]

    def by(keys: Sequence[Any], labels: Any) -> list[Response]:
        queues, reps = grouped(keys, queue, is_queued), grouped(keys, rep, is_touched)
        counts: dict[Any, list[int]] = {}
        for place, key in enumerate(keys):
            numbers = counts.setdefault(key, [0, 0, 0, 0])
            numbers[0] += 1
            numbers[1] += waiting[place]
            numbers[2] += in_time[place]
            numbers[3] += watched[place]
        return [
            Response(labels(key), numbers[0], times_of(queues.get(key, ())), times_of(reps.get(key, ())), *numbers[1:])
            for key, numbers in counts.items()
        ]

    local = [row[2].astimezone(zone) for row in rows]
    pods = dict(Pod.objects.filter(pk__in={row[1] for row in rows if row[1]}).values_list("pk", "name"))
    (total,) = by([None] * count, lambda _key: "") or [Response("", 0, Times(), Times(), 0, 0, 0)]
    return Report(
        total,
        sorted(by([date(each.year, each.month, 1) for each in local], lambda key: key), key=lambda row: row.label),
        sorted(by([row[1] for row in rows], lambda key: pods.get(key, "")), key=lambda row: (not row.label, row.label)),
        sorted(by([row[7] or "" for row in rows], lambda key: key), key=lambda row: (not row.label, row.label)),
        count - int(is_queued.sum()),
    )


@dataclass(frozen=True, slots=True)
class Unworked:
    """Leads in work that are older than a day, and on how many of them nobody works."""

    count: int
    among: int
    nobodys: int
    left: int
    untouched: int

    @property
    def share_bp(self) -> int:
        """Their share, in basis points, rounded down."""
        return 10_000 * self.count // self.among if self.among else 0

    @property
    def is_alarm(self) -> bool:
        """Whether it is more than should ever be."""
        return self.share_bp > UNWORKED_ALARM_BP

    @property
    def is_much(self) -> bool:
        """Whether it is more than it should be."""
        return self.share_bp > UNWORKED_TARGET_BP


def unworked_for(actor: Actor, at: datetime) -> Unworked:
    """On how many of the leads that the actor sees nobody works; one query."""
    rows = Lead.objects.visible_to(actor).filter(status__in=WORK_STATUSES, created_at__lte=at - UNWORKED_AFTER)
    found = rows.order_by().aggregate(
        count=Count("pk", filter=UNWORKED),
        among=Count("pk"),
        nobodys=Count("pk", filter=Q(owner__isnull=True)),
        left=Count("pk", filter=Q(owner__is_active=False)),
        untouched=Count("pk", filter=Q(owner__is_active=True, first_touched_at__isnull=True)),
    )
    return Unworked(**found)
