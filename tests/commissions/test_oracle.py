"""The engine in columns against a second one in plain loops: generated plans and histories, line by line, to the cent.

The ordinary suite takes 300 examples, many histories under each plan; `make oracle` takes ten thousand, each under plans
of its own.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from salesops.commissions.rules import engine
from salesops.commissions.rules.conventions import CreditDay, Exchange, QuotaChange
from salesops.commissions.rules.engine import Facts, Run, Transactions, Values, relation
from salesops.commissions.rules.plans import PlanDefinition, curve_for, plan_as_plain, plan_from_plain
from salesops.commissions.rules.quotas import ALWAYS, OnPlan, QuotaRow, TermsBook
from salesops.commissions.rules.shapes import Measure
from salesops.values import formulas
from salesops.values.periods import period_of
from salesops.values.rates import Rate, RateTable
from tests.commissions import oracle
from tests.commissions.oracle import Answer, Deal, Line, Oracle, Quota, Stay, World
from tests.commissions.test_rules_verify import random_words

EXAMPLES: Final = int(os.environ.get("SALESOPS_EXAMPLES", "300"))

# So many teams with histories of their own are calculated at once by the same plans: each is an example.
AT_ONCE: Final = int(os.environ.get("SALESOPS_TEAMS", "15"))

FIRST: Final = date(2026, 1, 1)
DAYS: Final = 150
LAST: Final = FIRST + timedelta(2 * DAYS)
# Of the first team; those of the next have numbers that are larger by ten.
PEOPLE: Final = (1, 2, 3)
MANAGER: Final = 9


def blank_is_false(name: str, test: Any) -> oracle.Meaning:
    """A comparison of a field, which is false where the field is blank."""
    return lambda deal: deal.fields[name] is not None and bool(test(deal.fields[name]))


def major(deal: Deal) -> Fraction:
    """The deal's amount in major units."""
    return Fraction(deal.amount, 10 ** oracle.DECIMALS.get(deal.currency, 2))


def by_term(deal: Deal) -> Fraction | None:
    """The amount by the length of the term; None where there is none to divide by."""
    return major(deal) / deal.fields["term"] if deal.fields["term"] else None


def is_dear(deal: Deal) -> bool | None:
    """More than 50 for each month: no value for a term of zero, false for a blank one."""
    if deal.fields["term"] is None:
        return False
    found = by_term(deal)
    return None if found is None else found > 50


def is_not_dear(deal: Deal) -> bool | None:
    """The opposite, which is true for a blank term."""
    found = is_dear(deal)
    return None if found is None else not found


CONDITIONS: Final[dict[str, oracle.Meaning]] = {
    'product = "alpha"': blank_is_false("product", lambda text: text == "Alpha"),
    'product <> "beta"': blank_is_false("product", lambda text: text != "Beta"),
    'NOT product = "alpha"': lambda deal: deal.fields["product"] != "Alpha",
    'ISBLANK(product) OR kind = "renewal"': lambda deal: deal.fields["product"] is None or deal.kind == "renewal",
    "amount >= 500": lambda deal: major(deal) >= 500,
    "term >= 12": blank_is_false("term", lambda number: number >= 12),
    "amount / term > 50": is_dear,
    "NOT (amount / term > 50)": is_not_dear,
    "term > 0 AND amount / term > 50": lambda deal: bool(deal.fields["term"]) and is_dear(deal),
    'currency IN ("EUR", "JPY") OR quantity > 2': lambda deal: deal.currency in ("EUR", "JPY") or deal.quantity > 2,
    "day >= DATE(2026, 2, 15)": lambda deal: deal.day >= date(2026, 2, 15),
}
MONEY: Final[dict[str, oracle.Meaning]] = {
    "amount * 50%": lambda deal: major(deal) / 2,
    "amount / 3": lambda deal: major(deal) / 3,
    "amount / term": by_term,
    "MIN(amount, 400)": lambda deal: min(major(deal), Fraction(400)),
    "amount - 100": lambda deal: major(deal) - 100,
    'IF(product = "alpha", amount, amount * 0.25)': lambda deal: (
        major(deal) if deal.fields["product"] == "Alpha" else major(deal) / 4
    ),
}
COUNTS: Final[dict[str, oracle.Meaning]] = {
    "quantity * 2": lambda deal: deal.quantity * 2,
    "quantity / 3": lambda deal: Fraction(deal.quantity, 3),
    "term": lambda deal: deal.fields["term"],
    "0 - term / 8": lambda deal: None if deal.fields["term"] is None else -Fraction(deal.fields["term"], 8),
}
WAYS: Final = ("creation", "stage", "by_days")
CREDITING: Final = (
    ["split", "owner", "holder"],
    ["owner", "split"],
    ["owner"],
    ["holder", "owner"],
    ["overlay"],
    ["roll_up"],
    ["pod"],
    ["split", "owner", "holder", "overlay", "roll_up", "pod"],
    ["owner", "roll_up"],
)


# --- Plans and histories ------------------------------------------------------------------------------------------


def shape_words(chance: random.Random, measure: str, currency: str) -> dict[str, Any]:
    """A curve of any shape. Things are paid each; bounds are no finer than what is measured; most points pay 0 first.

    Many caps are low, so that what somebody is credited with reaches them.
    """
    words = random_words(chance)
    rows = [words, *(row for name in ("tiers", "steps", "points") for row in words.get(name, ()))]
    for row in rows:
        if measure == "count" and row.get("rate", "x")[-1] != "x":
            row["rate"] = chance.choice(["12.50 each", "30.55 each", "0 each"])
        for name in ("from", "at"):
            if name in row and (measure == "count" or currency == "JPY") and not row[name].endswith("%"):
                row[name] = row[name].split(".")[0]
    if words.get("gate") and measure == "count":
        words["gate"]["at"] = chance.choice(["40%", "2", "0"])
    if words.get("cap") and chance.random() < 0.6:
        words["cap"] = chance.choice(["20.05", "6%"])
    if words["shape"] == "points" and chance.random() < 0.9:
        words["points"][0]["pays"] = "0"
    return words


def plan_words(chance: random.Random) -> dict[str, Any]:
    """A plan of one to three components."""
    kind = chance.choice(["month", "month", "quarter"])
    currency = chance.choice(["USD", "USD", "EUR", "JPY"])
    tier_change = chance.choice(["true_up", "true_up", "forward_only"])
    exchange = chance.choice(["transaction_day", "transaction_day", "month_average", "fixed"])
    stated = {"EUR": "1.0999", "USD": "0.913", "JPY": "0.0067"} if exchange == "fixed" else {}
    components = []
    for index in range(chance.randint(1, 3)):
        measure = chance.choice(["money", "money", "count"])
        component: dict[str, Any] = {
            "key": f"part{index}",
            "name": f"Part {index}",
            "measure": measure,
            "shape": shape_words(chance, measure, currency),
            "is_falling_allowed": True,
            "counts": chance.choice([["booking"], ["booking", "renewal"], ["renewal"]]),
            "crediting": chance.choice(CREDITING),
            "quota_name": chance.choice(["bookings", "bookings", "renewals"]),
            "weight": chance.choice(["100%", "50%", "33.3%", "16.7%"]),
        }
        if chance.random() < 0.5:
            component["when"] = chance.choice(sorted(CONDITIONS))
        if chance.random() < 0.3:
            component["amount"] = chance.choice(sorted(MONEY if measure == "money" else COUNTS))
        if chance.random() < 0.5:
            component["group"] = chance.choice(["deal", "deal", "other"])
        if chance.random() < 0.3:
            component["scope"] = "transaction"
        if chance.random() < 0.3:
            component["period_kind"] = chance.choice(["quarter", "half", "year"])
        if tier_change == "forward_only" and chance.random() < 0.5:
            rates = ["5%", "10%", "2.5%"] if measure == "money" else ["12.50 each", "30 each", "7.05 each"]
            tiers = [{"from": at, "rate": rate} for at, rate in zip(("0", "20%", "130%"), rates, strict=True)]
            component |= {"shape": {"shape": "retroactive", "tiers": tiers}, "period_kind": "half", "scope": "period"}
        if chance.random() < 0.3:
            component["boundary"] = chance.choice(["upper", "lower"])
        components.append(component)
    return {
        "format": 1,
        "currency": currency,
        "time_zone": "UTC",
        "period_kind": kind,
        "rates": {name: rate for name, rate in stated.items() if name != currency and chance.random() < 0.8},
        "components": components,
        "ramp": chance.choice([[], ["50%", "75%"], ["0%", "33.3%", "100%"]]),
        "conventions": {
            "boundary": chance.choice(["upper", "lower"]),
            "zero_quota": chance.choice(["hold", "lowest", "highest", "nothing"]),
            "proration": chance.choice(["calendar_days", "working_days", "months", "none"]),
            "ramp": chance.choice(["starting_month", "first_full_month"]),
            "quota_change": chance.choice(["by_days", "by_days", "latest", "first"]),
            "refund": chance.choice(["negate", "move_down"]),
            "exchange": exchange,
            "tier_change": tier_change,
            "rounding": chance.choice(["cumulative", "per_line"]),
            "credit_day": random.Random(repr(components)).choice(["transaction_day", "transaction_day", *WAYS]),
        },
    }


def some_day(chance: random.Random, first: int = 0, last: int = DAYS - 1) -> date:
    """A day of the history; month ends and beginnings come often."""
    if chance.random() < 0.3:
        edge = chance.choice([date(2026, 1, 31), date(2026, 2, 1), date(2026, 3, 31), date(2026, 4, 1)])
        return max(edge, FIRST + timedelta(first))
    return FIRST + timedelta(chance.randint(first, last))


def deals(chance: random.Random, team: int, bounds: list[int]) -> list[Deal]:
    """Some deals of a team, and some that take back earlier ones, once or in parts."""
    found: list[Deal] = []
    one, two, three = (team * 10 + person for person in PEOPLE)
    account, territory = team * 10 + 5, team * 10 + 6
    busy = some_day(chance)
    for index in range(chance.randint(1, 8)):
        bound = chance.choice(bounds)
        amount = chance.choice(
            [bound, bound // 2, bound // 3 + 1, 1, 0, chance.randint(-90_000, 300_000), chance.randint(1, 90_000)]
            + [chance.randint(1, 9_999) for _time in range(3)]
        )
        shares: tuple[tuple[int, int], ...] = ()
        if chance.random() < 0.4:
            first = chance.choice([5_000, 3_333, 1, 9_999, 10_000])
            shares = ((one, first), (two, 10_000 - first))
            if chance.random() < 0.3:
                shares = ((one, 3_333), (two, 3_333), (three, chance.choice([3_334, 3_334, 3_333])))
        overlay = (chance.choice((one, two, three)), chance.choice([1, 2_500, 3_333, 10_000]))
        found.append(
            Deal(
                key=f"T{team:02d}-D{index}",
                day=chance.choice([busy, some_day(chance)]),
                amount=amount + chance.choice([0, chance.randint(1, 99)]),
                currency=chance.choice(["USD", "USD", "EUR", "JPY"]),
                kind=chance.choice(["booking", "booking", "renewal"]),
                quantity=chance.choice([0, 1, 1, 2, 3, 7]),
                owner=chance.choice([None, one, one, two, three]),
                shares=shares,
                overlays=(overlay,) if chance.random() < 0.3 else (),
                things=chance.choice([(), (account,), (account, territory), (territory,)]),
                **owned(random.Random(f"{team} {index} {amount}"), (one, two, three), busy),
                fields={
                    "product": chance.choice([None, "Alpha", "Alpha", "Beta"]),
                    "term": chance.choice([None, 0, 6, 12, 24]),
                },
            )
        )
    originals = list(found)
    for index in range(chance.choice([0, 0, 1, 2, 3])):
        original = chance.choice(originals)
        part = chance.choice([original.amount, original.amount, original.amount // 2, original.amount // 3 + 1])
        found.append(
            Deal(
                key=f"T{team:02d}-R{index}",
                day=max(some_day(chance, (original.day - FIRST).days), original.day),
                amount=-part,
                currency=original.currency,
                kind=chance.choice(["refund", original.kind]),
                quantity=-original.quantity,
                reverses=original.key,
                fields=original.fields,
            )
        )
    return found


def owned(chance: random.Random, people: tuple[int, int, int], day: date) -> dict[str, Any]:
    """On which day somebody is credited by each way, and whose the deal was then; nothing is known of some deals."""
    first = min(some_day(chance), day)
    if chance.random() < 0.3:
        return {}
    points = chance.choice([[10_000], [3_333, 6_667], [1, 4_999, 5_000], [9_999, 1]])
    parts = tuple(
        (person, bp, min(some_day(chance), day))
        for person, bp in zip(chance.sample(people, len(points)), points, strict=True)
    )
    whose = {way: ((chance.choice(people), 10_000, first),) for way in ("creation", "stage") if chance.random() < 0.8}
    return {"as_of": {"creation": first, "stage": first}, "owners": whose | {"by_days": parts}}


def stays(chance: random.Random, people: list[int], plans: list[int]) -> list[Stay]:
    """People who are on a plan all the time, come, go, come back, or change from one plan to the other."""
    found: list[Stay] = []
    for person in people:
        target, rate = chance.choice([0, 1_000_00, 333_33, 9_999_99]), Fraction(chance.randint(0, 300), 1000)
        ramp_from = chance.choice([None, None, FIRST, date(2026, 2, 10)])
        change = some_day(chance, 5, DAYS - 5)
        is_changing = len(plans) > 1 and chance.random() < 0.6
        for number in plans:
            span = chance.choice([(FIRST, LAST), (FIRST, LAST), (change, LAST), (FIRST, change)])
            if is_changing:
                span = (FIRST, change) if number == plans[0] else (change, LAST)
            found.append(Stay(person, number, *span, target, rate, ramp_from))
            if span == (FIRST, change) and chance.random() < 0.1:
                found.append(Stay(person, number, change + timedelta(9), LAST, target, rate, ramp_from))
    return found


def quotas(chance: random.Random, people: list[int], currencies: list[str]) -> list[Quota]:
    """Quotas for every period of pay, for some periods, both, or none."""
    found: list[Quota] = []
    for person in people:
        for name in ("bookings", "renewals"):
            for currency in (*currencies, ""):
                size = chance.choice([0, 1_000_00, 1_234_57, 5_000_00]) if currency else chance.choice([0, 3, 7, 40])
                way = chance.random()
                if way < 0.6:
                    found.append(Quota(person, name, size, currency))
                if 0.4 < way < 0.9:
                    kind = chance.choice(["month", "month", "quarter"])
                    for start, end in oracle.spans(FIRST, date(2026, 4, 1), kind):
                        if chance.random() < 0.8:
                            found.append(Quota(person, name, size + chance.choice([0, 1, 777]), currency, start, end))
                    change = min(some_day(chance, 1, 80), date(2026, 3, 31))
                    if chance.random() < 0.3:
                        found.append(Quota(person, name, size + 5, currency, FIRST, change))
                    if chance.random() < 0.3:
                        found.append(Quota(person, name, size + 7, currency, change, date(2026, 4, 1)))
    return found


def team_of(chance: random.Random, team: int, plans: dict[int, PlanDefinition]) -> World:
    """A team of three with their manager, what they hold, and their deals; two of them are a pod."""
    one, two, three, manager = people = [team * 10 + person for person in (*PEOPLE, MANAGER)]
    own = quotas(chance, people, sorted({plan.currency for plan in plans.values()}))
    receivers = [
        ("roll_up", person, manager, FIRST, chance.choice([LAST, some_day(chance)]))
        for person in chance.sample([one, two, three], 2)
    ]
    # Written down twice over some days, which counts once.
    receivers += [(*receiver[:3], some_day(chance), LAST) for receiver in receivers if chance.random() < 0.3]
    receivers += [("pod", person, other, some_day(chance), LAST) for person in (one, two) for other in (one, two)]
    change = some_day(chance)
    account, territory = team * 10 + 5, team * 10 + 6
    return World(
        tuple(deals(chance, team, [1_000_00, *(quota.amount for quota in own)])),
        tuple(stays(chance, people, list(plans))),
        tuple(own),
        (
            (account, one, FIRST, change),
            (account, two, change - timedelta(chance.choice([0, 0, 5])), LAST),
            (territory, three, FIRST, LAST),
        ),
        tuple(receivers),
    )


def generated(chance: random.Random, count: int = AT_ONCE) -> tuple[dict[int, PlanDefinition], World]:
    """One or two plans, and some teams with their histories; rates of exchange with gaps."""
    plans = {number: plan_from_plain(plan_words(chance)).unwrap() for number in range(1, chance.choice([2, 3]))}
    teams = [team_of(chance, team, plans) for team in range(count)]
    rates = [
        ("EUR", quote, FIRST + timedelta(index), Fraction(value + chance.randint(-500, 500), 10_000))
        for index in range(-3, DAYS, 3)
        for quote, value in (("USD", 10_834), ("JPY", 1_600_000))
        if index < 0 or chance.random() < 0.8
    ]
    world = World(
        tuple(sorted((deal for team in teams for deal in team.deals), key=lambda deal: (deal.day, deal.key))),
        tuple(stay for team in teams for stay in team.stays),
        tuple(quota for team in teams for quota in team.quotas),
        tuple(holding for team in teams for holding in team.holdings),
        tuple(receiver for team in teams for receiver in team.receivers),
        tuple(rates),
        CONDITIONS | MONEY | COUNTS,
    )
    return plans, aimed(chance, plans, world)


def aimed(chance: random.Random, plans: dict[int, PlanDefinition], world: World) -> World:
    """The same world, in which some deals bring somebody from nothing to the exact total at which their curve jumps."""
    book, deals = book_of(plans, world), {deal.key: deal for deal in world.deals}
    taken_back = {deal.reverses for deal in world.deals}
    reached: dict[str, dict[str, int]] = {}
    for (plan, name, key, person, _rule, start, back), line in oracle_run(plans, world).lines.items():
        component, deal = plans[plan].component(name), deals[key]
        is_money = component.measure is Measure.MONEY
        is_all = line.measured == (deal.amount if is_money else deal.quantity)
        if line.before or back or not is_all or key in taken_back or deal.reverses or chance.random() < 0.3:
            continue
        held = book(plan, component, person, period_of(start, component.period_kind or plans[plan].period_kind))
        curve = curve_for(
            plans[plan],
            component,
            quota=held.quota,
            target_minor=held.target_minor,
            personal_rate=held.personal_rate,
        ).value
        ends = [int(curve.segments[place].start) for place, _size in curve.jumps()] if curve else []
        if ends:
            reached[key] = {"amount" if is_money else "quantity": chance.choice(ends)}
    return replace(world, deals=tuple(replace(deal, **reached.get(deal.key, {})) for deal in world.deals))


# --- What the engine says -----------------------------------------------------------------------------------------


def ints(numbers: list[int]) -> Any:
    """A column."""
    return np.array(numbers, dtype=np.int64)


def engine_run(plans: dict[int, PlanDefinition], world: World) -> Run:
    """The same world in the engine's columns."""
    rows = {deal.key: index for index, deal in enumerate(world.deals)}
    kinds, currencies = ("booking", "renewal", "refund"), ("EUR", "JPY", "USD")
    terms = [deal.fields["term"] for deal in world.deals]
    products = [deal.fields["product"] for deal in world.deals]
    transactions = Transactions(
        key=np.array([deal.key for deal in world.deals], dtype=object),
        kinds=kinds,
        kind=ints([kinds.index(deal.kind) for deal in world.deals]),
        day=ints([deal.day.toordinal() for deal in world.deals]),
        amount=ints([deal.amount for deal in world.deals]),
        currencies=currencies,
        currency=ints([currencies.index(deal.currency) for deal in world.deals]),
        quantity=ints([deal.quantity for deal in world.deals]),
        owner=ints([engine.NOBODY if deal.owner is None else deal.owner for deal in world.deals]),
        reverses=ints([rows[deal.reverses] if deal.reverses else engine.NONE for deal in world.deals]),
        values={
            "product": Values(
                formulas.Kind.TEXT,
                np.array([product or "" for product in products], dtype=object),
                np.array([product is not None for product in products]),
            ),
            "term": Values(
                formulas.Kind.NUMBER,
                ints([term or 0 for term in terms]),
                np.array([term is not None for term in terms]),
            ),
        },
    )
    codes = {rule.value: place for place, rule in enumerate(engine.RULES)}
    facts = Facts(
        transactions,
        on_plan=relation(
            engine.ON_PLAN,
            [(stay.plan, stay.person, stay.start.toordinal(), stay.end.toordinal()) for stay in world.stays],
        ),
        shares=relation(
            engine.SHARES,
            [
                (rows[deal.key], person, points, is_overlay)
                for deal in world.deals
                for is_overlay, listed in ((0, deal.shares), (1, deal.overlays))
                for person, points in listed
            ],
        ),
        things=relation(
            engine.THINGS,
            [(rows[deal.key], place, thing) for deal in world.deals for place, thing in enumerate(deal.things)],
        ),
        holdings=relation(
            engine.HOLDINGS,
            [(thing, person, start.toordinal(), end.toordinal(), 0) for thing, person, start, end in world.holdings],
        ),
        groupings=relation(
            engine.GROUPINGS,
            [
                (codes[rule], person, receiver, start.toordinal(), end.toordinal())
                for rule, person, receiver, start, end in world.receivers
            ],
        ),
        as_of=relation(
            engine.AS_OF,
            [
                (rows[deal.key], engine.CREDIT_DAYS.index(CreditDay(way)), day.toordinal())
                for deal in world.deals
                for way, day in deal.as_of.items()
            ],
        ),
        owners=relation(
            engine.OWNERS,
            [
                (rows[deal.key], engine.CREDIT_DAYS.index(CreditDay(way)), person, points, last.toordinal())
                for deal in world.deals
                for way, parts in deal.owners.items()
                for person, points, last in parts
            ],
        ),
        rates=RateTable(Rate(base, quote, day, value) for base, quote, day, value in world.rates),
    )
    return engine.run(plans, facts, book_of(plans, world))


def book_of(plans: dict[int, PlanDefinition], world: World) -> TermsBook:
    """The terms of everybody, for the engine."""
    return TermsBook(
        plans,
        [
            OnPlan(stay.person, stay.plan, stay.start, stay.end, stay.target, stay.rate, stay.ramp_from)
            for stay in world.stays
        ],
        [
            QuotaRow(
                quota.person, quota.name, quota.start or ALWAYS[0], quota.end or ALWAYS[1], quota.amount, quota.currency
            )
            for quota in world.quotas
        ],
    )


def oracle_run(plans: dict[int, PlanDefinition], world: World) -> Answer:
    """What the second engine says."""
    return Oracle({number: plan_as_plain(plan) for number, plan in plans.items()}, world).run()


def answer_of(run: Run, plans: dict[int, PlanDefinition], world: World) -> dict[oracle.LineKey, Line]:
    """The engine's lines by what they are of."""
    found: dict[oracle.LineKey, Line] = {}
    names = ("credited", "measured", "before", "after", "pay_before", "pay_after", "amount")
    for row in range(len(run.lines["plan"])):
        cell = {name: int(column[row]) for name, column in run.lines.items()}
        key = (
            cell["plan"],
            plans[cell["plan"]].components[cell["component"]].key,
            world.deals[cell["transaction"]].key,
            cell["person"],
            engine.RULES[cell["rule"]].value,
            run.periods[cell["period"]].start,
            world.deals[cell["reversed"]].key if cell["reversed"] >= 0 else "",
        )
        assert key not in found, f"{key} came twice"
        found[key] = Line(*(cell[name] for name in names))
    return found


def differences(plans: dict[int, PlanDefinition], world: World) -> list[str]:
    """Everything in which the two engines differ."""
    run = engine_run(plans, world)
    found = answer_of(run, plans, world)
    answer = oracle_run(plans, world)
    told = [f"{key}: {found.get(key)} instead of {answer.lines.get(key)}" for key in sorted({*found, *answer.lines})]
    told = [
        text
        for text, key in zip(told, sorted({*found, *answer.lines}), strict=True)
        if not is_same(key, found, answer, run, plans)
    ]
    named = {
        item.problem.where
        for item in run.problems
        if item.problem.code in ("nobody-credited", "shares-not-whole", "two-holders")
    }
    if named != answer.uncredited:
        told.append(f"credits nobody: {sorted(named)} instead of {sorted(answer.uncredited)}")
    blank = {item.problem.where for item in run.problems if item.problem.code == "formula-without-value"}
    if blank != {key for _plan, _component, key in answer.without_value}:
        told.append(f"without value: {sorted(blank)} instead of {sorted(answer.without_value)}")
    return told


def is_same(
    key: oracle.LineKey, found: dict[oracle.LineKey, Line], answer: Answer, run: Run, plans: dict[int, PlanDefinition]
) -> bool:
    """Whether both have the line and say the same of it. A curve may only be missing where it is too steep."""
    if found.get(key) == answer.lines.get(key):
        return True
    if key not in found or key not in answer.lines:
        return False
    plan, component, _deal, person, _rule, start, reversed_key = key
    kind = plans[plan].component(component).period_kind or plans[plan].period_kind
    day = start
    if reversed_key:
        original = next(
            item for item in answer.lines if item[:2] == key[:2] and item[2] == reversed_key and not item[6]
        )
        day = original[5]
    assert kind
    one, other = found[key], answer.lines[key]
    is_flat = (one.pay_before, one.pay_after, one.amount) == (0, 0, 0)
    is_moved = (one.credited, one.measured, one.before, one.after) == (
        other.credited,
        other.measured,
        other.before,
        other.after,
    )
    return is_flat and is_moved and (plan, component, person, day) in answer.steep


def narrowed(plans: dict[int, PlanDefinition], world: World) -> World:
    """The world with as few deals as it takes for the engines still to differ."""
    for deal in world.deals:
        fewer = tuple(item for item in world.deals if deal.key not in (item.key, item.reverses))
        smaller = replace(world, deals=fewer)
        if fewer and differences(plans, smaller):
            world = smaller
    return world


def told(plans: dict[int, PlanDefinition], world: World) -> str:
    """Where the engines differ, in the smallest world in which they do."""
    smallest = narrowed(plans, world)
    words = [json.dumps(plan_as_plain(plan), indent=1) for plan in plans.values()]
    return "\n".join([*differences(plans, smallest), *map(repr, smallest.deals), *words])


# A number is a whole world; it cannot be made smaller, but its deals can, which `told` does.
@settings(
    max_examples=max(1, -(-EXAMPLES // AT_ONCE)),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(st.integers(0, 2**64 - 1))
def test_both_engines_agree_on_every_line(seed: int) -> None:
    plans, world = generated(random.Random(seed))
    assert not differences(plans, world), told(plans, world)


#: What changes within somebody's period of pay.
CHANGES: Final = ("comes within", "goes within", "quota begins within", "holder changes within", "manager goes within")


def of_changes(plans: dict[int, PlanDefinition], world: World, answer: Answer) -> Counter[str]:
    """How many changes lie within a period in which the person whom they are about is credited."""
    paid: dict[int, set[tuple[int, str, date]]] = defaultdict(set)
    for number, _part, _deal, person, rule, start, _back in answer.lines:
        paid[person].add((number, rule, start))

    def within(day: date, person: int, plan: int | None = None, by: str = "") -> bool:
        """Whether such a line of the person is of a period that holds the day and did not begin on it."""
        return any(
            start < day < oracle.next_start(start, str(plans[number].period_kind))
            and plan in (None, number)
            and by in ("", rule)
            for number, rule, start in paid[person]
        )

    seen: Counter[str] = Counter()
    for stay in world.stays:
        seen["comes within"] += within(stay.start, stay.person, stay.plan)
        seen["goes within"] += within(stay.end, stay.person, stay.plan)
    for quota in world.quotas:
        seen["quota begins within"] += quota.start is not None and within(quota.start, quota.person)
    for _thing, person, _start, end in world.holdings:
        seen["holder changes within"] += within(end, person, by="holder")
    for rule, _person, receiver, _start, end in world.receivers:
        seen["manager goes within"] += rule == "roll_up" and within(end, receiver, by=rule)
    return seen


def at_jumps(plans: dict[int, PlanDefinition], world: World) -> int:
    """How many lines end exactly where their curve jumps."""
    run = engine_run(plans, world)
    found = 0
    for row, after in enumerate(run.lines["after"].tolist()):
        curve = run.curves.get(tuple(int(run.lines[name][row]) for name in ("plan", "component", "person", "period")))  # type: ignore[call-overload]
        found += bool(curve) and after in {int(curve.segments[place].start) for place, _size in curve.jumps()}
    return found


def test_what_is_compared_has_everything_in_it() -> None:
    """The generated worlds reach every word: nothing is equal only because it never comes up."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        plans, world = generated(random.Random(seed))
        answer = oracle_run(plans, world)
        by_key = {deal.key: deal for deal in world.deals}
        seen.update(of_changes(plans, world, answer))
        seen["at a jump"] += at_jumps(plans, world) if seed < 8 else 0
        for (number, component_key, deal_key, _person, rule, _start, reversed_key), line in answer.lines.items():
            plan, deal = plans[number], by_key[deal_key]
            seen["negative"] += line.credited < 0 and not deal.reverses
            seen[f"{deal.currency} to {plan.currency}"] += line.measured != 0
            component = plan.component(component_key)
            seen.update((rule, component.shape.kind.value, component.measure.value, component.scope.value))
            seen["negated"] += bool(reversed_key and line.amount)
            seen["moved down"] += plan.is_moving_down and line.measured < 0
            seen["below zero"] += line.after < 0
            seen["paid"] += line.amount > 0
            seen["taken back"] += line.amount < 0
            seen["converted"] += line.measured not in (line.credited, 0)
            seen["longer"] += component.period_kind not in (None, plan.period_kind) and line.before != 0
            seen["per line"] += bool(line.amount != line.pay_after - line.pay_before and not reversed_key)
            seen["when"] += bool(component.when)
            seen["amount"] += bool(component.amount)
            seen["group"] += bool(component.group)
            seen[plan.conventions.quota_change.value] += bool(line.pay_after)
            seen["forward only"] += plan.is_forward_only(component) and line.before != 0 and line.pay_before == 0
            seen[plan.conventions.exchange.value] += line.measured not in (line.credited, 0)
        seen["without curve"] += len(answer.without_curve)
        seen["uncredited"] += len(answer.uncredited)
        seen["without value"] += len(answer.without_value)
    kinds = ["flat", "marginal", "retroactive", "steps", "points", "money", "count", "period", "transaction"]
    ways = ["negated", "moved down", "below zero", "paid", "taken back", "converted", "longer", "per line"]
    words = ["when", "amount", "group", "without curve", "uncredited", "without value"]
    words += ["forward only", "negative", "at a jump", *CHANGES]
    words += [f"{one} to {other}" for one in ("USD", "EUR", "JPY") for other in ("USD", "EUR", "JPY")]
    words += [word.value for word in (*QuotaChange, *Exchange)]
    assert not [name for name in (*oracle.RULES, *kinds, *ways, *words) if seen[name] < 3], seen
