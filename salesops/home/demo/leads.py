"""Leads: those that became deals, and the many that did not. Pure."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from math import exp
from typing import Final

from salesops.home.demo import names, phrases
from salesops.home.demo.calendar import on_weekday
from salesops.home.demo.company import FRONT, PODS, SEGMENTS, SegmentFacts
from salesops.home.demo.ground import ASSIGNMENT, LEAD, Ground
from salesops.home.demo.rows import DAY_SECONDS

#: The share of leads in each segment, as running sums: leads that fit no segment come on top.
_SEGMENT_SUMS: Final = (0.66, 0.91, 1.0)
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Source:
    """A company at which a lead works, when it is one of the accounts."""

    account: int
    contact: int | None
    company: str
    slug: str
    segment: int
    pod: int
    country: str
    employees: int | None


@dataclass(frozen=True, slots=True)
class Touched:
    """What others need to know of a lead that somebody has worked on; moments, and the number of the owner."""

    id: int
    owner: int
    first: int
    last: int
    status: str


class LeadMaker:
    """Writes leads with their assignments into the ground's tables."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._add = ground.tables[LEAD].add
        self._paths = [
            [
                json.dumps({"pod": pod.name, "rule": "segment and region", "segment": segment.code}, sort_keys=True)
                for pod in PODS
            ]
            for segment in SEGMENTS
        ]

    def converted(
        self, source: Source, *, name: str, address: str, phone: str, before: int, stream: random.Random
    ) -> tuple[int, Touched]:
        """A lead that became the deal opened at the moment `before`, and who worked on it."""
        ground, draw = self._ground, stream.random
        roster = ground.roster
        day = before // DAY_SECONDS - 1 - int(24 * draw() * draw())
        owner = roster.pick(source.pod, FRONT, day, draw())
        assigned = min(roster.times[owner].at_or_before(day, draw()), before - 60)
        touched = roster.times[owner].soon_after(assigned, self._delay(stream), draw())
        if touched >= before:
            touched = assigned
        created = assigned - 120 - int(_HOUR * 20 * draw() ** 4)
        number = ground.take(LEAD)
        self._row(
            number, name, f"{address}@{source.slug}.example.com", phone, source, source.segment, source.pod, "converted", "", owner,
            created, assigned, touched, before, before, stream,
        )  # fmt: skip
        self._assignment(number, owner, source.segment, source.pod, assigned, stream)
        return number, Touched(number, owner, touched, before, "converted")

    def loose(self, share: float, source: Source | None, stream: random.Random) -> Touched | None:
        """A lead that did not become a deal (yet); `share` says when it came. Gives it back when somebody worked on it."""
        ground, draw = self._ground, stream.random
        roster, now, today = ground.roster, ground.now, ground.today
        day = ground.flow.day_at(share)
        created = min(
            day * DAY_SECONDS + int(_HOUR * (8 + 5 * draw() + 9 * draw())), now - 60 - int(draw() * 4 * _HOUR)
        )
        if source is not None:
            segment, pod = source.segment, source.pod
        else:
            roll = draw()
            segment = sum(roll > bound for bound in _SEGMENT_SUMS)
            pod = pick_pod(ground, segment, day, draw())
        name, address = names.person(stream)
        company, slug = (source.company, source.slug) if source is not None else names.business(stream)
        number = ground.take(LEAD)
        age, odd = today - day, draw()

        owner, assigned, touched, last = -1, None, None, None
        if draw() > (0.4 if age < 3 else 0.06 if age < 30 else 0.004):
            owner = roster.pick(pod, FRONT, day, draw())
            if owner >= 0:
                assigned = roster.times[owner].soon_after(created, 30 + int(draw() * 900), draw())
                if assigned >= now:
                    owner, assigned = -1, None
        if assigned is not None and draw() > (0.45 if age < 3 else 0.12 if age < 8 else 0.025):
            touched = roster.times[owner].soon_after(assigned, self._delay(stream), draw())
            if touched >= now:
                touched = None
            else:
                later = roster.times[owner].at_or_after(
                    on_weekday(touched // DAY_SECONDS + int(22 * draw() ** 2), draw()), draw()
                )
                last = later if touched < later < now else touched
        status, reason = self._standing(age, touched is not None, stream)
        email = f"{address}@{slug}.example.com"
        phone = phone_number(stream) if draw() < 0.7 else ""
        if odd < 0.05:  # what forms bring in: shouting, no company, no address, a private mailbox
            name = name.upper() if odd < 0.012 else name.lower() if odd < 0.024 else name
            company = "" if 0.024 <= odd < 0.034 else company
            email = "" if odd >= 0.042 else f"{address}@mail.example.com" if odd >= 0.034 else email
        self._row(
            number, name, email, phone, source, segment, pod, status, reason, owner, created, assigned, touched, last, None, stream,
            company=company,
        )  # fmt: skip
        if assigned is None:
            return None
        self._assignment(number, owner, segment, pod, assigned, stream)
        if touched is None or last is None:
            return Touched(number, owner, 0, 0, status)
        return Touched(number, owner, touched, last, status)

    @staticmethod
    def _delay(stream: random.Random) -> int:
        """Seconds from assignment to the first touch: minutes as a rule, sometimes days."""
        return int(60 * exp(3.4 + 1.5 * stream.gauss(0.0, 1.0)))

    @staticmethod
    def _standing(age: int, is_touched: bool, stream: random.Random) -> tuple[str, str]:
        """Where a lead of this age in days stands, and why it was disqualified."""
        if not is_touched:
            return "new", ""
        roll = stream.random()
        if age < 30 and roll < 0.55:
            return "working", ""
        if age < 45 and roll < 0.68:
            return "qualified", ""
        if roll < 0.03:
            return "working", ""  # forgotten
        if roll < 0.42:
            return "nurturing", ""
        return "disqualified", phrases.DISQUALIFIED[int(stream.random() * len(phrases.DISQUALIFIED))]

    def _row(
        self,
        number: int,
        name: str,
        email: str,
        phone: str,
        source: Source | None,
        segment: int,
        pod: int,
        status: str,
        reason: str,
        owner: int,
        created: int,
        assigned: int | None,
        touched: int | None,
        last: int | None,
        converted: int | None,
        stream: random.Random,
        company: str | None = None,
    ) -> None:
        ground, draw = self._ground, stream.random
        facts = SEGMENTS[segment]
        places = PODS[pod].places
        country = source.country if source is not None else places[int(draw() * len(places))][0]
        employees = source.employees if source is not None else headcount(facts, stream)
        has_segment = source is not None or draw() > 0.06
        value = int(facts.lead_value * exp(0.7 * stream.gauss(0.0, 1.0)) / 50) * 50 * ground.unit_of(pod)
        linked = source is not None and (converted is not None or draw() < 0.5)
        origin = phrases.ORIGINS[int(draw() * len(phrases.ORIGINS))]
        campaign = phrases.CAMPAIGNS[int(draw() * len(phrases.CAMPAIGNS))] if origin in {"inbound", "event"} else ""
        if company is None:
            company = source.company if source is not None else ""
        self._add(
            (
                number, name, phrases.CONTACT_TITLES[int(draw() * len(phrases.CONTACT_TITLES))], company, email, phone,
                country, employees if has_segment else None, origin, campaign, status, reason,
                ground.numbers.segments[segment] if has_segment else None, ground.person(owner),
                ground.pods + pod if owner >= 0 else None, source.account if source is not None and linked else None,
                source.contact if source is not None and converted is not None else None, value if draw() > 0.15 else None,
                ground.company.currency_of(pod), created, assigned, touched, last, converted,
                ground.person(owner) if converted is not None else None, last or touched or assigned or created,
            )
        )  # fmt: skip

    def _assignment(self, lead: int, owner: int, segment: int, pod: int, assigned: int, stream: random.Random) -> None:
        ground, roll = self._ground, stream.random()
        by_hand = roll > 0.86
        reason = (
            phrases.MANUAL_REASONS[int(stream.random() * len(phrases.MANUAL_REASONS))] if by_hand else "Round robin"
        )
        ground.tables[ASSIGNMENT].add(
            (
                ground.take(ASSIGNMENT), lead, ground.person(owner), ground.pods + pod, assigned,
                ground.person(ground.roster.leads[pod]) if by_hand else None, "manual" if by_hand else "rule", reason,
                "{}" if by_hand else self._paths[segment][pod],
            )
        )  # fmt: skip


def pick_pod(ground: Ground, segment: int, day: int, share: float) -> int:
    """One of the pods that serve a segment and had closers on the day."""
    pods = [
        number for number, pod in enumerate(PODS) if pod.segment == segment and ground.roster.has(number, "closer", day)
    ]
    return pods[int(share * len(pods))]


def headcount(facts: SegmentFacts, stream: random.Random) -> int | None:
    """A number of employees within a segment, small ones more often; sometimes unknown."""
    roll = stream.random()
    if roll < 0.08:
        return None
    low = facts.min_employees or 3
    high = facts.max_employees or 24_000
    return int(low * (high / low) ** stream.random())


def phone_number(stream: random.Random) -> str:
    """A number from the range that is kept free for stories, written as people write."""
    number = 100 + int(stream.random() * 100)
    area = 201 + int(stream.random() * 700)
    return f"+1 {area} 555 0{number}" if stream.random() < 0.8 else f"({area}) 555-0{number}"
