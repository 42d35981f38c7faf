"""The life of a deal: opened, moved from stage to stage, won or lost or still open today. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import exp
from typing import Final

from salesops.home.demo import phrases
from salesops.home.demo.calendar import on_weekday, quarter_end
from salesops.home.demo.company import CLOSER, KEEPER, PRODUCT_NUMBERS, PRODUCTS, SEGMENTS
from salesops.home.demo.ground import CHANGE, DEAL, LINE, SPLIT, SUBSCRIPTION, Ground
from salesops.home.demo.rows import DAY_SECONDS, day_number, day_of
from salesops.values.money import round_half_up

_PRODUCT_CHOICES: Final = tuple(tuple(PRODUCT_NUMBERS[code] for code in segment.products) for segment in SEGMENTS)
_EXTRAS: Final = tuple(PRODUCT_NUMBERS[code] for code in ("SVC-C", "SVC-C", "SVC-O", "SVC-T", "CLD-T"))
_RECURRING: Final = frozenset(number for number, product in enumerate(PRODUCTS) if product.is_recurring)
_DISCOUNTS: Final = (0, 0, 0, 0, 500, 500, 1_000, 1_250, 1_500, 2_000)
#: How the time of a deal spreads over four open stages; another number of stages shares it evenly.
_STAGE_TIME: Final = (0.2, 0.28, 0.32, 0.2)
#: Up to which draw a lost deal dies in the first, second, third stage; else in the last.
_DIES: Final = (0.34, 0.64, 0.87)


@dataclass(slots=True)
class Customer:
    """A company as its deals see it. People are numbers of the roster; `first_won` and `recurring` grow with its deals."""

    account: int | None
    name: str
    segment: int
    pod: int
    currency: str
    unit: int
    closer: int
    contact: int | None
    first_won: int | None = None
    subscriptions: int = 0
    active_subscriptions: int = 0


@dataclass(frozen=True, slots=True)
class Life:
    """What others need to know of a deal that was made."""

    id: int
    owner: int
    kind: str
    created: int
    ended: int
    contact: int | None


class DealMaker:
    """Writes deals with their lines, splits, stage changes and subscriptions into the ground's tables."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        stages = ground.numbers.stages
        count = len(stages.open)
        self._stage_time = _STAGE_TIME if count == len(_STAGE_TIME) else (1 / count,) * count

    def opening(self, customer: Customer, day: int, stream: random.Random) -> tuple[int, int]:
        """Who opens a deal on a day or shortly before, and at which moment."""
        roster = self._ground.roster
        owner = customer.closer
        if owner < 0 or day < roster.started[owner] or day >= roster.left[owner]:
            owner = roster.pick(customer.pod, CLOSER, day, stream.random())
        return owner, roster.times[owner].at_or_before(on_weekday(day, stream.random()), stream.random())

    def make(
        self,
        customer: Customer,
        *,
        owner: int,
        created: int,
        stream: random.Random,
        lead: int | None = None,
        front: int = -1,
        is_expansion: bool = False,
    ) -> Life:
        """Live one deal from its opening until it closes or history ends."""
        ground, draw = self._ground, stream.random
        roster, today, now = ground.roster, ground.today, ground.now
        facts = SEGMENTS[customer.segment]
        stages = ground.numbers.stages
        number = ground.take(DEAL)
        opened = created // DAY_SECONDS

        # How it will go, decided at once; history then shows as much of it as has happened.
        season = 1.08 if day_of(opened).month in (3, 6, 9, 12) else 0.98
        chance = facts.win_rate * roster.skills[owner] * (0.75 + 0.25 * roster.ramped(owner, opened)) * season
        is_won = draw() < chance * (1.3 if is_expansion else 0.96)
        total = facts.cycle * exp(0.5 * stream.gauss(0.0, 1.0)) * (3.2 if draw() < 0.03 else 1.0)
        dies_in = len(stages.open)
        if not is_won:
            total *= 0.45 + draw()
            roll = draw()
            dies_in = min(sum(roll > bound for bound in _DIES), len(stages.open) - 1)

        amount, product = self._lines(
            number, customer, stream, facts.amount * exp(facts.spread * stream.gauss(0.0, 1.0))
        )

        # Stage by stage.
        add_change = ground.tables[CHANGE].add
        early = amount if draw() < 0.4 else round_half_up(amount * (70 + int(draw() * 60)), 100)
        stage, entered, person = stages.open[0], created, owner
        add_change(
            (
                ground.take(CHANGE),
                number,
                None,
                stage,
                created,
                ground.person(owner),
                early,
                customer.currency,
                None,
            )
        )
        cursor = float(opened)
        kind, changes = "open", 1
        for place in range(len(stages.open)):
            cursor += total * self._stage_time[place] * (0.6 + 0.8 * draw())
            if place + 1 < len(stages.open) and place and dies_in > place and draw() < 0.06:
                continue  # some deals skip a stage
            if place == dies_in:
                target, kind_then = stages.lost, "lost"
            elif place + 1 == len(stages.open):
                target, kind_then = stages.won, "won"
            else:
                target, kind_then = stages.open[place + 1], "open"
            day = on_weekday(int(cursor), draw())
            person = roster.on_duty(person, day)
            moment = roster.times[person].at_or_after(day, draw())
            if moment <= entered:
                moment = roster.times[person].at_or_after(max(day, entered // DAY_SECONDS + 1), draw())
            if moment >= now:
                break
            add_change(
                (
                    ground.take(CHANGE), number, stage, target, moment, ground.person(person),
                    early if kind_then == "open" and place < 2 else amount, customer.currency, moment - entered,
                )
            )  # fmt: skip
            changes += 1
            stage, entered, kind = target, moment, kind_then
            cursor = max(cursor, float(moment // DAY_SECONDS))
            if kind != "open":
                break

        closed_on = ground.days.of(entered) if kind != "open" else None
        expected = self._expected(opened, closed_on, total, stream)
        owner_now = person if kind != "open" else roster.on_duty(person, today)
        contact = customer.contact if draw() < 0.9 else None
        name = f"{customer.name} · {PRODUCTS[product].name.split(',')[0]}"
        odd = draw()
        if odd < 0.012:
            name = name.lower() if odd < 0.006 else f"{name} (copy)"
        stale = draw()
        ground.tables[DEAL].add(
            (
                number, name, customer.account, contact, lead, ground.person(owner_now), ground.pods + customer.pod,
                ground.products + product, stage, kind, amount, customer.currency, ground.days.of(created), expected, closed_on,
                phrases.LOST[int(draw() * len(phrases.LOST))] if kind == "lost" else "",
                phrases.NEXT_STEPS[int(stale * len(phrases.NEXT_STEPS))] if kind == "open" else "",
                -entered * 1_000_000, entered, created, entered, changes,
            )
        )  # fmt: skip
        self._splits(number, customer, owner_now, front, ground.days.of(entered), stream)
        if kind == "won" and closed_on is not None:
            customer.first_won = min(closed_on, customer.first_won or closed_on)
            self.subscribe(customer, amount, product, closed_on, stream)
        return Life(number, owner_now, kind, created, entered if kind != "open" else now, contact)

    def _lines(self, deal: int, customer: Customer, stream: random.Random, wish: float) -> tuple[int, int]:
        """The products of a deal that come to about the wished amount: what they do come to, and the main one."""
        draw, ground = stream.random, self._ground
        choices = _PRODUCT_CHOICES[customer.segment]
        product = choices[int(draw() * len(choices))]
        chosen = [(product, max(1, round(wish / ground.prices[product])))]
        if draw() < 0.38:
            extra = _EXTRAS[int(draw() * len(_EXTRAS))]
            if extra != product:
                chosen.append((extra, 1 if draw() < 0.7 else chosen[0][1]))
        total = 0
        for position, (what, quantity) in enumerate(chosen):
            price = ground.prices[what] * customer.unit
            discount = _DISCOUNTS[int(draw() * len(_DISCOUNTS))]
            amount = round_half_up(price * quantity * (10_000 - discount), 10_000)
            ground.tables[LINE].add(
                (ground.take(LINE), deal, ground.products + what, str(quantity), price, discount, amount, position)
            )
            total += amount
        return total, product

    def _expected(self, opened: int, closed_on: int | None, total: float, stream: random.Random) -> int | None:
        """The day that was named for the close: near the truth for closed deals, mostly ahead for open ones."""
        draw, today = stream.random, self._ground.today
        if closed_on is not None:
            return max(opened, _working_day(closed_on + int(stream.gauss(-4.0, 11.0))))
        if draw() < 0.03:
            return None
        day = int(opened + total * (0.5 + 0.7 * draw()))
        if day <= today and draw() < 0.4:  # many stay overdue
            day = today + 1 + int(draw() * 75)
        day = max(opened + 3, min(day, today + 175))
        return _working_day(day_number(quarter_end(day_of(day))) if draw() < 0.3 else day)

    def _splits(self, deal: int, customer: Customer, owner: int, front: int, day: int, stream: random.Random) -> None:
        """Some deals are shared: with who found them, or between two closers."""
        ground, roll = self._ground, stream.random()
        if owner < 0:
            return
        other, share = -1, 0
        if front >= 0 and front != owner and roll < 0.5:
            other, share = front, 1_000
        elif customer.segment == 2 and roll > 0.75:
            other = ground.roster.pick(customer.pod, CLOSER, min(day, ground.today - 1), stream.random())
            share = 3_000 if roll > 0.85 else 3_333
        if other < 0 or other == owner:
            return
        for person, part in ((owner, 10_000 - share), (other, share)):
            function = ground.roster.function(person, day)
            ground.tables[SPLIT].add((ground.take(SPLIT), deal, ground.person(person), function, part))

    def subscribe(self, customer: Customer, amount: int, product: int, day: int, stream: random.Random) -> None:
        """What a won deal brings each month from then on, with churn, and changes at the anniversary."""
        draw, ground, facts = stream.random, self._ground, SEGMENTS[customer.segment]
        if customer.account is None:
            return
        yearly = amount if product in _RECURRING else round_half_up(amount * 12, 100)
        monthly = max(1, round_half_up(yearly, 12))
        start = day + 5 + int(draw() * 20)
        months = 0
        while draw() > facts.monthly_churn and months < 90:
            months += 1
        end: int | None = start + 30 + months * 30
        if end is not None and end > ground.today + 45:
            end = None
        seats = 1 + int(draw() * draw() * (20, 120, 900)[customer.segment])
        customer.subscriptions += 1
        label = PRODUCTS[product].series if product in _RECURRING else "Service"
        name = f"{label} {customer.subscriptions}" if customer.subscriptions > 1 else label
        stretches = [(start, end, monthly)]
        turn, change = draw(), draw()
        anniversary = start + 365
        if turn < 0.3 and anniversary < (end or ground.today):
            changed = round_half_up(monthly * (60 + int(35 * change) if turn < 0.08 else 105 + int(50 * change)), 100)
            stretches = [(start, anniversary, monthly), (anniversary, end, max(1, changed))]
        for first, last, mrr in stretches:
            ground.tables[SUBSCRIPTION].add(
                (ground.take(SUBSCRIPTION), customer.account, name, mrr, customer.currency, seats, first, last)
            )
        customer.active_subscriptions += end is None

    def keeper(self, customer: Customer, day: int, stream: random.Random) -> int:
        """Who looks after the customer once something was won."""
        return self._ground.roster.pick(customer.pod, KEEPER, min(day, self._ground.today - 1), stream.random())


def _working_day(day: int) -> int:
    """The day, or the Friday before a weekend. (Day 0 was a Thursday.)"""
    return day - max(0, (day + 3) % 7 - 4)
