"""Reads what routing needs: the rules in force, pools with their members as they stand, who is there now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q

from salesops.core.days import company_day
from salesops.core.rates import rate_table
from salesops.leads.choices import WORK_STATUSES, VersionState
from salesops.leads.models import Lead, LeadAssignment, Pool, PoolMember, RoutingVersion
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.leads.rules.pools import Member, PoolAtWork, Why
from salesops.leads.rules.rotation import Method, Return
from salesops.leads.rules.routing import Ruleset, fits, read_rules
from salesops.people.models import Leave, User
from salesops.people.rules.working_time import Calendar
from salesops.people.selectors import active_on, calendars_of
from salesops.values.formulas import check
from salesops.values.outcomes import Outcome
from salesops.values.rates import RateTable, convert


def rules_in_force() -> Ruleset | None:
    """The rules in force, read; None where there are none."""
    version = RoutingVersion.objects.filter(state=VersionState.ACTIVE).first()
    return read_version(version).unwrap() if version else None


def read_version(version: RoutingVersion) -> Outcome[Ruleset]:
    """A version with its rules and service levels; or what is wrong with it."""
    return read_rules(
        version.number,
        version.needs_consent,
        [
            {
                "position": rule.position,
                "name": rule.name,
                "condition": rule.condition,
                "action": rule.action,
                "pool": rule.pool_id,
                "person": rule.person_id,
            }
            for rule in version.rules.all()
        ],
        [
            {
                "position": level.position,
                "name": level.name,
                "condition": level.condition,
                "warn": level.warn_minutes,
                "alert": level.alert_minutes,
                "reassign": level.reassign_minutes,
            }
            for level in version.levels.all()
        ],
    )


@dataclass(frozen=True, slots=True)
class Presence:
    """Who of some people is there at a moment, and when they work.

    absent: by person why they cannot take anything now (INACTIVE, AWAY, OFF_HOURS); who is there is not in it. deputies: who
    stands in for those on leave; of them the same is known.
    """

    absent: Mapping[int, Why]
    calendars: Mapping[int, Calendar]
    deputies: Mapping[int, int] = field(default_factory=dict)

    def takes_named(self, person: int) -> bool:
        """Whether somebody who is named takes a lead now: what comes outside their hours waits for them, not on leave."""
        return person in self.calendars and self.absent.get(person) in (None, Why.OFF_HOURS)


def presence_of(person_ids: Collection[int], at: datetime) -> Presence:
    """Read it, of them and of whoever stands in for those on leave; four queries, nine where somebody is on leave."""
    own = _presence_of(person_ids, at)
    away = [person for person, why in own.absent.items() if why is Why.AWAY]
    if not away:
        return own
    day = company_day(at)
    # A day more on either side: leave is in the person's own days, and they are on leave by those.
    rows = Leave.objects.during(day - timedelta(days=1), day + timedelta(days=2)).filter(person__in=away)
    deputies = dict(rows.exclude(deputy=None).order_by("-start_on").values_list("person_id", "deputy_id"))
    theirs = _presence_of(set(deputies.values()) - set(own.calendars), at)
    return Presence({**own.absent, **theirs.absent}, {**own.calendars, **theirs.calendars}, deputies)


def _presence_of(person_ids: Collection[int], at: datetime) -> Presence:
    day = company_day(at)
    calendars = calendars_of(person_ids, day - timedelta(days=1))
    there = set(User.objects.filter(active_on(day), pk__in=person_ids).values_list("pk", flat=True))
    absent: dict[int, Why] = {}
    for person, calendar in calendars.items():
        if person not in there:
            absent[person] = Why.INACTIVE
        elif calendar.is_away(at):
            absent[person] = Why.AWAY
        elif not calendar.is_working(at):
            absent[person] = Why.OFF_HOURS
    return Presence(absent, calendars)


def pools_reached(pool_ids: Iterable[int]) -> set[int]:
    """The keys of these pools and of those to which they hand on, one to the next. One query."""
    handed_on = dict(Pool.objects.values_list("pk", "fallback_id"))
    found: set[int] = set()
    waiting: list[int | None] = list(pool_ids)
    while waiting:
        pk = waiting.pop()
        if pk in handed_on and pk is not None and pk not in found:
            found.add(pk)
            waiting.append(handed_on[pk])
    return found


def pools_at_work(pools: Sequence[Pool], at: datetime, presence: Presence | None = None) -> dict[int, PoolAtWork]:
    """Pools with their members as they stand, for the rules to work with. A fixed number of queries.

    The caller holds the lock on the pools' rows, or only wants to look.
    """
    rows = list(PoolMember.objects.filter(pool__in=pools).order_by("pool_id", "pk"))
    people = {row.person_id for row in rows}
    presence = presence or presence_of(people, at)
    load = dict(
        Lead.objects.filter(owner__in=people, status__in=WORK_STATUSES)
        .order_by()
        .values_list("owner")
        .annotate(count=Count("pk"))
    )
    today, in_30_days = _got(
        {row.person_id for row in rows if row.cap_day is not None or row.cap_30_days is not None}, presence, at
    )
    members: dict[int, list[Member]] = defaultdict(list)
    for row in rows:
        members[row.pool_id].append(
            Member(
                key=row.pk,
                person=row.person_id,
                weight=row.weight,
                tie=row.tie_key,
                credit=row.credit,
                missed=row.missed,
                deficit=row.deficit_minor,
                idle_since=None if row.last_given_at is None else number_of(row.last_given_at),
                is_in=row.is_in,
                absent=presence.absent.get(row.person_id),
                takes=_takes(row.takes),
                cap_open=row.cap_open,
                cap_day=row.cap_day,
                cap_30_days=row.cap_30_days,
                open_leads=load.get(row.person_id, 0),
                today=today.get(row.person_id, 0),
                in_30_days=in_30_days.get(row.person_id, 0),
            )
        )
    return {
        pool.pk: PoolAtWork(
            pool.pk,
            Method(pool.method),
            members[pool.pk] if pool.is_active else [],
            Return(pool.on_return),
            pool.quantum_minor or 0,
            pool.turn_of_id,
        )
        for pool in pools
    }


class Values:
    """Estimated values of leads in the currency of a pool, at the latest rates; rates are read when they are asked for."""

    def __init__(self, at: datetime) -> None:
        self._day = company_day(at)

    @cached_property
    def _rates(self) -> RateTable:
        return rate_table(start=self._day, end=self._day + timedelta(days=1))

    def value_of(self, lead: Lead, currency: str) -> int | None:
        """Minor units; None where the value, or the rate, is not known."""
        if lead.estimated_minor is None or lead.currency == currency:
            return lead.estimated_minor
        rate = self._rates.rate_on(lead.currency, currency, self._day).value
        return None if rate is None else convert(lead.estimated_minor, rate)


def number_of(moment: datetime) -> int:
    """A moment as a number that grows: microseconds."""
    return round(moment.timestamp() * 1_000_000)


def _takes(text: str) -> Callable[[Mapping[str, Any]], bool] | None:
    """What a member takes; a condition that does not read takes nothing, and the admin refuses to save one."""
    if not text.strip():
        return None
    formula = check(text, OF_A_LEAD).value
    if formula is None:
        return lambda lead: False
    return lambda lead: fits(formula, lead)


def _got(people: Collection[int], presence: Presence, at: datetime) -> tuple[dict[int, int], dict[int, int]]:
    """How many leads people got on their own day, and in the 30 days before a moment. A query for each time zone."""
    today: dict[int, int] = {}
    in_30_days: dict[int, int] = {}
    zones: dict[str, list[int]] = defaultdict(list)
    for person in people:
        if person in presence.calendars:
            zones[presence.calendars[person].time_zone].append(person)
    for zone, listed in zones.items():
        local = at.astimezone(ZoneInfo(zone))
        begins = datetime.combine(local.date(), time(), tzinfo=ZoneInfo(zone))
        rows = LeadAssignment.objects.filter(person__in=listed, assigned_at__gt=at - timedelta(days=30)).order_by()
        for person, count, since in rows.values_list("person").annotate(
            count=Count("pk"), since=Count("pk", filter=Q(assigned_at__gte=begins))
        ):
            in_30_days[person], today[person] = count, since
    return today, in_30_days
