"""Two years of business in batches: accounts, contacts, leads, deals, subscriptions, activities. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from salesops.home.demo import names, phrases
from salesops.home.demo.activities import ActivityMaker
from salesops.home.demo.calendar import HISTORY
from salesops.home.demo.company import CLOSER, FRONT, PODS, SEGMENTS, TERRITORY_NUMBERS
from salesops.home.demo.deals import Customer, DealMaker, Life
from salesops.home.demo.ground import ACCOUNT, CONTACT, OWNERSHIP, TABLES, Ground
from salesops.home.demo.leads import LeadMaker, Source, headcount, phone_number, pick_pod
from salesops.home.demo.rows import DAY_SECONDS, Rows, stream_of
from salesops.home.demo.size import Batch, Size
from salesops.values.names import match_name

_HOUR: Final = 3600
#: How many open deals and leads of each person are remembered for the tasks on their desks.
_REMEMBERED: Final = 24


@dataclass(slots=True)
class Desk:
    """The newest open work of one person: (deal, account, contact) and lead ids."""

    deals: deque[tuple[int, int | None, int | None]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    leads: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


@dataclass(slots=True)
class _Company:
    """An account while its batch is made; `place` is where and when it came in."""

    id: int
    name: str
    slug: str
    country: str
    employees: int | None
    created: int
    customer: Customer
    deals: int
    first_day: int
    first_contact: int
    contact_name: str
    contact_address: str
    contact_phone: str
    is_established: bool
    values: list[str | int | None] = field(default_factory=list)


class History:
    """Makes the history batch by batch; memory is bounded by the batch."""

    def __init__(self, ground: Ground, size: Size) -> None:
        self._ground, self._size = ground, size
        self._deals, self._leads, self._activities = DealMaker(ground), LeadMaker(ground), ActivityMaker(ground)
        self.desks = [Desk() for _ in ground.company.people]
        self._recent_parents: deque[int] = deque(maxlen=40)
        self._last_name = ""

    def batches(self) -> Iterator[list[Rows]]:
        """The rows of each batch, tables in the order in which they must be written."""
        for batch in self._size.batches():
            self._make(batch)
            yield [self._ground.tables[label].done() for label in TABLES]
        self._activities.desks(self.desks)
        yield [self._ground.tables[label].done() for label in TABLES]

    def _make(self, batch: Batch) -> None:
        stream = stream_of(self._ground.company.seed, f"history/{batch.number}")
        draw = stream.random
        without_account = batch.deals * 3 // 100
        buyers = min(batch.deals - without_account, max(1, (batch.deals - without_account) // 2))
        prospects = buyers * 22 // 100 + batch.leads // 200
        counts = [1] * buyers
        for _ in range(batch.deals - without_account - buyers):
            counts[int(buyers * draw() ** 1.5)] += 1
        turns = [True] * buyers + [False] * prospects
        stream.shuffle(turns)
        allowed = batch.leads * 19 // 100
        waiting = iter(counts)
        companies: list[_Company] = []
        for place, is_buyer in enumerate(turns):
            # Later deals of the same customers come on top, so first ones are a little earlier than the flow.
            share = (batch.start + (batch.end - batch.start) * (place + draw()) / len(turns)) ** 1.2
            company = self._company(share, next(waiting) if is_buyer else 0, stream)
            companies.append(company)
            allowed -= self._history_of(company, allowed > 0, stream)
            self._finish(company, stream)
        for _ in range(without_account):
            self._orphan(batch.start + (batch.end - batch.start) * draw(), stream)
        for _ in range(allowed + batch.leads - batch.leads * 19 // 100):
            share = batch.start + (batch.end - batch.start) * draw()
            known = companies[int(draw() * len(companies))] if companies and draw() < 0.1 else None
            self._loose_lead(share, known, stream)

    def _company(self, share: float, deals: int, stream: random.Random) -> _Company:
        """A company and its contacts: where it is, who looks after it, since when it is known."""
        ground, draw = self._ground, stream.random
        roll = draw()
        segment = sum(roll > bound for bound in ground.segment_sums)
        day = ground.flow.day_at(share)
        pod = pick_pod(ground, segment, day, draw())
        facts, pod_facts = SEGMENTS[segment], PODS[pod]
        country, city = pod_facts.places[int(draw() * len(pod_facts.places))]
        plain, slug = names.business(stream)
        forms = phrases.LEGAL_FORMS[country]
        name = f"{plain} {forms[int(draw() * len(forms))]}".strip()
        odd = draw()
        if odd < 0.018 and self._last_name:  # looks like the one before
            name = (
                self._last_name.upper()
                if odd < 0.006
                else f"{self._last_name.split(' ')[0]} {self._last_name.split(' ')[1]}"
            )
        self._last_name = name
        is_established = deals > 0 and draw() < 0.28
        closer = ground.roster.pick(pod, CLOSER, day, draw())
        if is_established:
            created = ground.now - int((HISTORY + 30 + 900 * draw()) * DAY_SECONDS)
        else:
            created = ground.roster.times[closer].at_or_before(max(day - int(draw() * 20), ground.flow.first), draw())
        employees = headcount(facts, stream)
        number = ground.take(ACCOUNT)
        parent = None
        if segment and draw() < 0.14 and self._recent_parents:
            parent = self._recent_parents[int(draw() * len(self._recent_parents))]
        elif segment and draw() < 0.2:
            self._recent_parents.append(number)
        first_contact = ground.take(CONTACT)
        contact_name, address = names.person(stream)
        company = _Company(
            id=number,
            name=name,
            slug=slug,
            country=country,
            employees=employees,
            created=created,
            customer=Customer(
                account=number,
                name=name,
                segment=segment,
                pod=pod,
                currency=ground.company.currency_of(pod),
                unit=ground.unit_of(pod),
                closer=closer,
                contact=first_contact,
            ),
            deals=deals,
            first_day=day,
            first_contact=first_contact,
            contact_name=contact_name,
            contact_address=address,
            contact_phone=phone_number(stream),
            is_established=is_established,
        )
        industry = phrases.INDUSTRIES.get(plain.rsplit(" ", 1)[-1], "Manufacturing")
        revenue = (
            employees * (90 + int(160 * draw())) * 1_000 * company.customer.unit if employees and draw() < 0.7 else None
        )
        company.values = [
            number, name, match_name(name), parent, "prospect", ground.numbers.segments[segment] if odd < 0.96 else None,
            ground.territories + TERRITORY_NUMBERS[pod_facts.territory] if odd < 0.97 else None, None, ground.pods + pod, industry,
            "" if odd > 0.985 else country, city, f"https://{slug}.example.com" if draw() < 0.8 else "", employees, revenue,
            company.customer.currency, 1950 + int(72 * draw()) if draw() < 0.5 else None,
        ]  # fmt: skip
        return company

    def _history_of(self, company: _Company, may_convert: bool, stream: random.Random) -> int:
        """The company's deals. Gives the number of leads that were converted (0 or 1)."""
        ground, draw, customer = self._ground, stream.random, company.customer
        if not company.deals:
            return 0
        if company.is_established:
            facts = SEGMENTS[customer.segment]
            signed = company.created // DAY_SECONDS + 30
            customer.first_won = signed
            self._deals.subscribe(customer, int(facts.amount) * customer.unit, 0, signed, stream)
            days = [ground.flow.day_at(draw()) for _ in range(company.deals)]
        else:
            gap = ground.today - 2 - company.first_day - 25
            days = [company.first_day]
            for _ in range(company.deals - 1):  # who came only lately has been a customer for longer than it seemed
                days.append(company.first_day + (25 + int(gap * draw()) if gap > 60 else -int(240 * draw())))
            days = [max(day, ground.flow.first) for day in days]
        converted = 0
        for place, day in enumerate(sorted(days)):
            owner, created = self._deals.opening(customer, day, stream)
            lead, front = None, -1
            if place == 0 and may_convert and not company.is_established and draw() < 0.85:
                if ground.roster.has(customer.pod, FRONT, created // DAY_SECONDS - 26):
                    lead, front = self._lead_of(company, created, stream)
                    company.created = created
                    converted = 1
            elif place == 0 and not company.is_established:
                company.created = min(company.created, created)
            life = self._deals.make(
                customer,
                owner=owner,
                created=created,
                stream=stream,
                lead=lead,
                front=front,
                is_expansion=place > 0 or company.is_established,
            )
            self._after(life, customer.account, stream)
        return converted

    def _lead_of(self, company: _Company, created: int, stream: random.Random) -> tuple[int, int]:
        customer = company.customer
        source = Source(
            company.id, company.first_contact, company.name, company.slug, customer.segment, customer.pod, company.country, company.employees
        )  # fmt: skip
        lead, touched = self._leads.converted(
            source,
            name=company.contact_name,
            address=company.contact_address,
            phone=company.contact_phone,
            before=created,
            stream=stream,
        )
        if stream.random() < self._size.activity_share:
            self._activities.of_lead(touched, company.id, company.first_contact, stream)
        return lead, touched.owner

    def _after(self, life: Life, account: int | None, stream: random.Random) -> None:
        if stream.random() < self._size.activity_share:
            self._activities.of_deal(life, account, stream)
        if life.kind == "open" and life.owner >= 0:
            self.desks[life.owner].deals.append((life.id, account, life.contact))

    def _orphan(self, share: float, stream: random.Random) -> None:
        """A deal that somebody entered without an account."""
        ground = self._ground
        roll = stream.random()
        segment = sum(roll > bound for bound in ground.segment_sums)
        day = min(ground.flow.day_at(share), ground.today - 2)
        pod = pick_pod(ground, segment, day, stream.random())
        closer = ground.roster.pick(pod, CLOSER, day, stream.random())
        name, _ = names.business(stream)
        customer = Customer(
            account=None,
            name=name,
            segment=segment,
            pod=pod,
            currency=ground.company.currency_of(pod),
            unit=ground.unit_of(pod),
            closer=closer,
            contact=None,
        )
        owner, created = self._deals.opening(customer, day, stream)
        self._after(self._deals.make(customer, owner=owner, created=created, stream=stream), None, stream)

    def _loose_lead(self, share: float, known: _Company | None, stream: random.Random) -> None:
        source = None
        if known is not None:
            customer = known.customer
            source = Source(
                known.id, None, known.name, known.slug, customer.segment, customer.pod, known.country, known.employees
            )
        lead = self._leads.loose(share, source, stream)
        if lead is None:
            return
        if lead.first and stream.random() < self._size.activity_share:
            self._activities.of_lead(lead, None, None, stream)
        if lead.status in {"new", "working", "qualified"}:
            self.desks[lead.owner].leads.append(lead.id)

    def _finish(self, company: _Company, stream: random.Random) -> None:
        """Write the account with what its deals made of it, its contacts and who was responsible for it."""
        ground, draw, customer = self._ground, stream.random, company.customer
        roster = ground.roster
        values = company.values
        if customer.first_won is not None:
            values[4] = "customer" if customer.active_subscriptions or not customer.subscriptions else "former"
        owner = roster.on_duty(customer.closer, ground.today)
        values[7] = ground.person(owner) if draw() > 0.02 else None
        ground.tables[ACCOUNT].add(
            (*values, company.created, max(company.created, ground.now - int(draw() * 90) * DAY_SECONDS - 7 * _HOUR))
        )
        add_contact = ground.tables[CONTACT].add
        add_contact(
            (
                company.first_contact, company.id, company.contact_name, phrases.CONTACT_TITLES[int(draw() * len(phrases.CONTACT_TITLES))],
                f"{company.contact_address}@{company.slug}.example.com", company.contact_phone, 1, company.created, company.created,
            )
        )  # fmt: skip
        for _ in range(int(3 * draw() * draw()) if company.deals else 0):
            name, address = names.person(stream)
            known = min(company.created + int(draw() * 200 * DAY_SECONDS), ground.now - _HOUR)
            add_contact(
                (
                    ground.take(CONTACT), company.id, name, phrases.CONTACT_TITLES[int(draw() * len(phrases.CONTACT_TITLES))],
                    f"{address}@{company.slug}.example.com" if draw() > 0.05 else "", phone_number(stream) if draw() > 0.3 else "", 0,
                    known, known,
                )
            )  # fmt: skip
        self._ownership(company, stream)

    def _ownership(self, company: _Company, stream: random.Random) -> None:
        ground, customer = self._ground, company.customer
        roster, closer = ground.roster, customer.closer
        add = ground.tables[OWNERSHIP].add
        start = max(ground.days.of(company.created), roster.started[closer])
        function = roster.function(closer, start)
        left = roster.left[closer]
        if left <= ground.today and left > start:
            add((ground.take(OWNERSHIP), company.id, ground.person(closer), function, start, left))
            closer, start = roster.heirs[closer], left
        add((ground.take(OWNERSHIP), company.id, ground.person(closer), function, start, None))
        if customer.first_won is not None:
            keeper = self._deals.keeper(customer, max(customer.first_won, ground.flow.first), stream)
            if keeper >= 0:
                since = max(customer.first_won + 1, roster.started[keeper])
                add(
                    (
                        ground.take(OWNERSHIP),
                        company.id,
                        ground.person(keeper),
                        roster.function(keeper, since),
                        since,
                        None,
                    )
                )
