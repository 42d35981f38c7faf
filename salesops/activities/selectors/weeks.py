"""A week of one person: what happened each day, what is planned and due, and who is away."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from salesops.activities.models import Activity
from salesops.activities.selectors.activities import activities_for
from salesops.core.actor import Actor
from salesops.people.models import Leave, User
from salesops.people.querysets import UserQuerySet
from salesops.people.selectors import people_for

#: More than so many entries of a day are counted, not shown.
MOST_OF_A_DAY = 60


@dataclass(slots=True)
class Entry:
    """One activity in its place: `at` is when it happened or is due, in the reader's time zone."""

    activity: Activity
    at: datetime
    is_late: bool


@dataclass(slots=True)
class Day:
    """One day of the week, by time. more: how many entries are not shown."""

    day: date
    is_today: bool
    is_away: bool
    entries: list[Entry] = field(default_factory=list)
    more: int = 0


def week_of(actor: Actor, person: User, monday: date, now: datetime) -> list[Day]:
    """Seven days from a Monday on, of a person whose activities the actor sees. A constant number of queries."""
    start, end = _midnight(monday), _midnight(monday + timedelta(days=7))
    happened = Q(happened_at__gte=start, happened_at__lt=end)
    to_do = Q(happened_at__isnull=True, due_at__gte=start, due_at__lt=end)
    rows = activities_for(actor).filter(happened | to_do, person=person).select_related("lead", "deal", "account")
    away = list(Leave.objects.during(monday, monday + timedelta(days=7)).filter(person=person))
    today = timezone.localtime(now).date()
    days = [
        Day(
            day := monday + timedelta(days=number),
            day == today,
            any(leave.start_on <= day and (leave.end_on is None or day < leave.end_on) for leave in away),
        )
        for number in range(7)
    ]
    found = []
    for activity in rows.order_by("pk"):
        moment = activity.happened_at or activity.due_at
        if moment is not None:
            found.append(Entry(activity, timezone.localtime(moment), activity.is_to_do and moment < now))
    for entry in sorted(found, key=lambda each: (each.at, each.activity.pk)):
        day_of_it = days[(entry.at.date() - monday).days]
        if len(day_of_it.entries) < MOST_OF_A_DAY:
            day_of_it.entries.append(entry)
        else:
            day_of_it.more += 1
    return days


def people_with_weeks(actor: Actor) -> UserQuerySet:
    """Whose week the actor may look at: their own, and for managers their people's."""
    rows = people_for(actor).filter(pk__in=actor.people_ids, is_active=True)
    return rows.order_by("name", "pk")


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))
