"""Reads what the score is made of: what people logged, counted by the database, and when they were there to do it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.db.models.functions import TruncDate

from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.core.actor import Actor
from salesops.core.models import held_during
from salesops.effort.choices import GOOD, CountedKind, Decision
from salesops.effort.models import EffortContest, EffortPolicy
from salesops.effort.querysets import switched_on
from salesops.effort.rules.days import Employment
from salesops.effort.rules.scores import Counted
from salesops.people.models import FunctionAssignment, PublicHoliday, User
from salesops.people.selectors import calendars_of

#: (person, day in their own time zone, kind).
Key = tuple[int, date, str]
_LOGGED: Final = (CountedKind.CALL, CountedKind.MAIL, CountedKind.MEETING)


def next_people(*, after: int, most: int) -> list[int]:
    """The next people whose legal entity has it switched on, by key. Nobody is left out for what they are."""
    rows = User.objects.filter(pk__gt=after, legal_entity_id__in=switched_on()).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:most])


def employments_of(person_ids: Collection[int], start: date, end: date) -> dict[int, Employment]:
    """When these people worked in [start, end), in a fixed number of queries."""
    people = list(User.objects.filter(pk__in=person_ids).values_list("pk", "legal_entity_id", "started_on", "left_on"))
    calendars = calendars_of(person_ids, start)
    functions: dict[int, list[tuple[str, date, date | None]]] = defaultdict(list)
    for pk, code, since, until in FunctionAssignment.objects.filter(
        held_during(start, end), person_id__in=person_ids
    ).values_list("person_id", "function", "start_on", "end_on"):
        functions[pk].append((code, since, until))
    holidays: dict[int, set[date]] = defaultdict(set)
    for entity, day in PublicHoliday.objects.filter(
        entity_id__in={entity for _pk, entity, _start, _left in people if entity}, on__gte=start, on__lt=end
    ).values_list("entity_id", "on"):
        holidays[entity].add(day)
    left_out: dict[int, set[date]] = defaultdict(set)
    for pk, day in EffortContest.objects.filter(
        person_id__in=person_ids, activity__isnull=True, decision=Decision.ACCEPTED, on__gte=start, on__lt=end
    ).values_list("person_id", "on"):
        left_out[pk].add(day)
    counted_from = dict(EffortPolicy.objects.values_list("entity_id", "counted_from"))
    return {
        pk: Employment(
            calendars[pk],
            tuple(sorted(functions[pk], key=lambda held: held[1])),
            frozenset(holidays[entity] if entity else ()),
            frozenset(left_out[pk]),
            started_on,
            left_on,
            counted_from.get(entity) if entity else None,
        )
        for pk, entity, started_on, left_on in people
    }


def counts_of(actor: Actor, person_ids: Collection[int], start: date, end: date) -> dict[Key, Counted]:
    """What these people logged on the days of [start, end), each day in the person's own time zone.

    The database counts, two queries for each time zone. Records that were left out after a doubt are not among them.
    """
    zones: dict[str, list[int]] = defaultdict(list)
    for pk, zone in User.objects.filter(pk__in=person_ids).values_list("pk", "time_zone"):
        zones[zone].append(pk)
    left_out = EffortContest.objects.filter(
        person_id__in=person_ids, activity__isnull=False, decision=Decision.ACCEPTED
    ).values("activity_id")
    found: dict[Key, Counted] = {}
    good = Q()
    for kind, outcome in GOOD.items():
        good |= Q(kind=kind.value, outcome=outcome.value)
    for name in sorted(zones):
        zone = ZoneInfo(name)
        first, last = moments_of(start, end, zone)
        mine = Activity.objects.visible_to(actor).filter(person_id__in=zones[name]).exclude(pk__in=left_out)
        logged = mine.filter(kind__in=[kind.value for kind in _LOGGED], happened_at__gte=first, happened_at__lt=last)
        rows = (
            logged.annotate(day=TruncDate("happened_at", tzinfo=zone))
            .order_by()
            .values_list("person_id", "day", "kind")
            .annotate(count=Count("pk"), good=Count("pk", filter=good))
        )
        for pk, day, counted_kind, count, went_well in rows:
            found[pk, day, counted_kind] = Counted(count, went_well)
        done = mine.filter(kind=ActivityKind.TASK, done_at__gte=first, done_at__lt=last)
        tasks = (
            done.annotate(day=TruncDate("done_at", tzinfo=zone))
            .order_by()
            .values_list("person_id", "day")
            .annotate(count=Count("pk"))
        )
        for pk, day, count in tasks:
            found[pk, day, CountedKind.TASK.value] = Counted(count)
    return found


def moments_of(start: date, end: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The moments at which the days of [start, end) begin and end in a time zone."""
    return (datetime.combine(start, time(), zone), datetime.combine(end, time(), zone))


def records_of(actor: Actor, person: User, kind: str, week_on: date) -> list[Activity]:
    """The records of a person that are counted under a kind in a week, the latest first. `actor` sees their effort."""
    first, last = moments_of(week_on, week_on + timedelta(days=7), ZoneInfo(person.time_zone))
    column = "done_at" if kind == CountedKind.TASK else "happened_at"
    rows = Activity.objects.visible_to(actor).filter(
        person=person, kind=kind, **{f"{column}__gte": first, f"{column}__lt": last}
    )
    return list(rows.select_related("lead", "deal", "account").order_by(f"-{column}", "-pk")[:1_000])
