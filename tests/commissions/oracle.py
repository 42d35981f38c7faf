"""A second engine: simple, slow, in plain loops on fractions, to be held against the one that works in columns.

It reads the plain words of a plan and plain facts. It shares no code with the engine; what a total is worth comes from
the stand-alone verifier, which goes from the words of the plan straight to pay.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from salesops.commissions.rules.verify import BundleError, Words

RULES = ("split", "owner", "holder", "overlay", "roll_up", "pod")
DIRECT = ("split", "owner", "holder")
MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
# Currencies whose minor unit is not a hundredth.
DECIMALS = {"JPY": 0, "KWD": 3}

# What a formula means for a deal; None where it has no value.
Meaning = Callable[["Deal"], Any]


@dataclass(frozen=True)
class Deal:
    """A transaction with all that is known about who has a part in it. amount: minor units of the currency.

    as_of: the day of crediting, and owners: (person, basis points, last day) then, by way.
    """

    key: str
    day: date
    amount: int
    currency: str = "USD"
    kind: str = "booking"
    quantity: int = 1
    owner: int | None = None
    shares: tuple[tuple[int, int], ...] = ()
    overlays: tuple[tuple[int, int], ...] = ()
    things: tuple[int, ...] = ()
    reverses: str | None = None
    as_of: Mapping[str, date] = field(default_factory=dict)
    owners: Mapping[str, tuple[tuple[int, int, date], ...]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stay:
    """A person on a plan on the days [start, end)."""

    person: int
    plan: int
    start: date
    end: date
    target: int | None = None
    rate: Fraction | None = None
    ramp_from: date | None = None


@dataclass(frozen=True)
class Quota:
    """A quota for the days [start, end); without a start for every period of pay that has no other."""

    person: int
    name: str
    amount: int
    currency: str
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class World:
    """Everything there is. deals: in the order of day and key. meanings: of the formulas, by their text.

    holdings: (thing, person, start, end). receivers: (rule, person, receiver, start, end).
    rates: (base, quote, day, value in major units).
    """

    deals: tuple[Deal, ...]
    stays: tuple[Stay, ...]
    quotas: tuple[Quota, ...] = ()
    holdings: tuple[tuple[int, int, date, date], ...] = ()
    receivers: tuple[tuple[str, int, int, date, date], ...] = ()
    rates: tuple[tuple[str, str, date, Fraction], ...] = ()
    meanings: Mapping[str, Meaning] = field(default_factory=dict)


# (plan, component, transaction, person, rule, first day of the period, what it takes back)
LineKey = tuple[int, str, str, int, str, date, str]


@dataclass
class Line:
    """What a credit came to. pay_before, pay_after, amount: 0 without a curve."""

    credited: int
    measured: int
    before: int
    after: int
    pay_before: int
    pay_after: int
    amount: int


@dataclass
class Answer:
    """All lines, the series without a curve, and those whose rates are so steep that the engine may refuse them."""

    lines: dict[LineKey, Line] = field(default_factory=dict)
    without_curve: set[tuple[int, str, int, date]] = field(default_factory=set)
    steep: set[tuple[int, str, int, date]] = field(default_factory=set)
    uncredited: set[str] = field(default_factory=set)
    without_value: set[tuple[int, str, str]] = field(default_factory=set)


def half_up(number: Fraction | int) -> int:
    """The nearest whole number, halves away from zero."""
    number = Fraction(number)
    whole, rest = divmod(abs(number.numerator), number.denominator)
    if 2 * rest >= number.denominator:
        whole += 1
    return whole if number >= 0 else -whole


def period_start(day: date, kind: str) -> date:
    """The first day of the period that holds the day."""
    months = MONTHS[kind]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def next_start(start: date, kind: str) -> date:
    """The first day of the period after the one that begins on this day."""
    months = start.year * 12 + start.month - 1 + MONTHS[kind]
    return date(months // 12, months % 12 + 1, 1)


def spans(start: date, end: date, kind: str) -> list[tuple[date, date]]:
    """The periods of that kind that touch [start, end)."""
    found = []
    day = period_start(start, kind)
    while day < end:
        found.append((day, next_start(day, kind)))
        day = found[-1][1]
    return found


class Oracle:
    """Works out every line, one after the other."""

    def __init__(self, plans: Mapping[int, dict[str, Any]], world: World) -> None:
        self.plans = plans
        self.world = world
        self.by_key = {deal.key: deal for deal in world.deals}
        self.answer = Answer()

    def run(self) -> Answer:
        """Every component of every plan."""
        for number, words in self.plans.items():
            taken: dict[str, set[str]] = {}
            for component in words["components"]:
                counted = self._counted(number, words, component, taken)
                self._walk(number, words, component, counted)
        return self.answer

    # --- What counts ----------------------------------------------------------------------------------------------

    def _origin(self, deal: Deal) -> Deal:
        return self.by_key[deal.reverses] if deal.reverses else deal

    def _counted(
        self, number: int, words: dict[str, Any], component: dict[str, Any], taken: dict[str, set[str]]
    ) -> list[tuple[Deal, int]]:
        """The deals that count for the component, with how much; the first of a group takes them away."""
        gone = taken.setdefault(component.get("group", ""), set()) if component.get("group") else set()
        before = set(gone)
        found = []
        for deal in self.world.deals:
            origin = self._origin(deal)
            if deal.reverses and words["conventions"]["refund"] != "move_down":
                continue
            if origin.kind not in component.get("counts", ["booking"]) or origin.key in before:
                continue
            is_true = self.world.meanings[component["when"]](origin) if component.get("when") else True
            if is_true is False:
                continue
            total = None if is_true is None else self._total(component, deal)
            if total is None:
                self.answer.without_value.add((number, component["key"], deal.key))
                continue
            found.append((deal, total))
            gone.add(deal.key)
        return found

    def _total(self, component: dict[str, Any], deal: Deal) -> int | None:
        is_money = component["measure"] == "money"
        if component.get("amount"):
            value = self.world.meanings[component["amount"]](deal)
            if value is None:
                return None
            return half_up(value * 10 ** DECIMALS.get(deal.currency, 2) if is_money else value)
        return deal.amount if is_money else deal.quantity

    # --- Who is credited ------------------------------------------------------------------------------------------

    def _credits(
        self, number: int, crediting: Sequence[str], deal: Deal, total: int, way: str
    ) -> list[tuple[int, str, int]]:
        """(person, rule, part) by the rules of a component; nobody where shares or holders are faulty."""
        origin = self._origin(deal)
        rules = [rule for rule in crediting if rule in DIRECT] or DIRECT
        direct = self._direct(number, rules, origin, total, way)
        if direct is None:
            self.answer.uncredited.add(deal.key)
            return []
        found = list(direct) if any(rule in DIRECT for rule in crediting) else []
        if "overlay" in crediting:
            found += [
                (person, "overlay", half_up(Fraction(total * bp, 10_000)))
                for person, bp in origin.overlays
                if 0 < bp <= 10_000
            ]
        for rule in ("roll_up", "pod"):
            if rule in crediting:
                sums: dict[int, int] = {}
                for owner, by, part in direct:
                    lasts = [last for one, _bp, last in origin.owners.get(way, ()) if by == "owner" and one == owner]
                    day = lasts[0] if lasts else origin.as_of.get(way, origin.day)
                    for receiver in {
                        receiver
                        for kind, person, receiver, start, end in self.world.receivers
                        if kind == rule and person == owner and start <= day < end
                    }:
                        sums[receiver] = sums.get(receiver, 0) + part
                found += [(receiver, rule, part) for receiver, part in sums.items()]
        return found

    def _direct(
        self, number: int, rules: Sequence[str], origin: Deal, total: int, way: str
    ) -> list[tuple[int, str, int]] | None:
        for rule in rules:
            if rule == "split" and origin.shares:
                people = [person for person, _bp in origin.shares]
                points = [bp for _person, bp in origin.shares]
                if sum(points) != 10_000 or min(points) <= 0 or len({*people}) < len(people):
                    return None
                return [(person, rule, part) for person, part in self._parts(origin.shares, total)]
            if rule == "owner" and (parts := origin.owners.get(way)):
                shares = [(person, bp) for person, bp, _day in parts]
                return [(person, rule, part) for person, part in self._parts(shares, total)]
            if rule == "owner" and origin.owner is not None:
                return [(origin.owner, rule, total)]
            if rule == "holder":
                for thing in origin.things:
                    held_by = {
                        person
                        for held, person, start, end in self.world.holdings
                        if held == thing and start <= origin.as_of.get(way, origin.day) < end
                    }
                    held_by = {each for each in held_by if self._is_on_plan(number, each, origin.day)} or held_by
                    if len(held_by) > 1:
                        return None
                    if held_by:
                        return [(held_by.pop(), rule, total)]
        return None

    @staticmethod
    def _parts(shares: Sequence[tuple[int, int]], total: int) -> list[tuple[int, int]]:
        """Whole parts, then one unit more to whoever has lost most, ties to the smaller number."""
        exact = {person: Fraction(abs(total) * bp, 10_000) for person, bp in shares}
        parts = {person: exact[person].numerator // exact[person].denominator for person in exact}
        while sum(parts.values()) < abs(total):
            neediest = max(exact, key=lambda person: (exact[person] - parts[person], -person))
            parts[neediest] += 1
        return [(person, part if total > 0 else -part) for person, part in parts.items()]

    def _together(self, deal: Deal, shares: list[tuple[int, str, int]], words: dict[str, Any]) -> dict[int, int]:
        """Agreed shares in the plan's currency, adding up to the converted whole; the neediest get what is left over."""
        factor = self._factor(deal, words)
        if factor is None or not shares:
            return {}
        exact = {person: abs(part) * factor for person, _rule, part in shares}
        found = {person: exact[person].numerator // exact[person].denominator for person in exact}
        while sum(found.values()) < half_up(sum(exact.values(), Fraction(0))):
            neediest = max(exact, key=lambda person: (exact[person] - found[person], -person))
            found[neediest] += 1
        sign = -1 if any(part < 0 for _person, _rule, part in shares) else 1
        return {person: sign * amount for person, amount in found.items()}

    def _converted(self, part: int, deal: Deal, words: dict[str, Any]) -> int | None:
        """In the plan's currency; None where there is no rate."""
        factor = self._factor(deal, words)
        return None if factor is None else half_up(part * factor)

    def _factor(self, deal: Deal, words: dict[str, Any]) -> Fraction | None:
        """Minor units of the plan's currency for one, at the rate of the original's day or month or of the plan."""
        currency = words["currency"]
        if deal.currency == currency:
            return Fraction(1)
        way = words["conventions"]["exchange"]
        if way == "fixed":
            text = words.get("rates", {}).get(deal.currency)
            rate = None if text is None else Fraction(text)
        else:
            rate = self._rate(deal.currency, currency, self._origin(deal).day, way)
        if rate is None:
            return None
        return rate * Fraction(10) ** (DECIMALS.get(currency, 2) - DECIMALS.get(deal.currency, 2))

    def _rate(self, base: str, quote: str, day: date, way: str) -> Fraction | None:
        def known(one: str, other: str) -> Fraction | None:
            if way == "month_average":
                of_month = [
                    value
                    for left, right, on, value in self.world.rates
                    if (left, right) == (one, other) and (on.year, on.month) == (day.year, day.month)
                ]
                return sum(of_month, Fraction(0)) / len(of_month) if of_month else None
            found = [
                (on, value)
                for left, right, on, value in self.world.rates
                if (left, right) == (one, other) and on <= day <= on + timedelta(days=7)
            ]
            return max(found)[1] if found else None

        if (direct := known(base, quote)) is not None:
            return direct
        if (other_way := known(quote, base)) is not None:
            return 1 / other_way
        for common in sorted({left for left, *_rest in self.world.rates}):
            first, second = known(common, base), known(common, quote)
            if first is not None and second is not None:
                return second / first
        return None

    # --- Along the curve ------------------------------------------------------------------------------------------

    def _walk(
        self, number: int, words: dict[str, Any], component: dict[str, Any], counted: list[tuple[Deal, int]]
    ) -> None:
        kind = component.get("period_kind") or words["period_kind"]
        is_alone = component.get("scope") == "transaction"
        is_per_line = words["conventions"]["rounding"] == "per_line"
        shape = component["shape"]
        is_forward = (
            words["conventions"]["tier_change"] == "forward_only"
            and kind != words["period_kind"]
            and not is_alone
            and shape["shape"] == "retroactive"
            and not any(shape.get(name) for name in ("gate", "floor", "cap"))
        )
        # Where each person's period of pay began on their way.
        began: dict[tuple[int, date], int] = {}
        totals: dict[tuple[int, date], int] = {}
        curves: dict[tuple[int, date], Words | None] = {}
        for deal, total in counted:
            way = words["conventions"].get("credit_day", "transaction_day")
            parted = ("split", "owner") if way == "by_days" else ("split",)
            credits = self._credits(number, component["crediting"], deal, total, way)
            is_money = component["measure"] == "money"
            together = self._together(deal, [item for item in credits if item[1] in parted], words) if is_money else {}
            for person, rule, part in sorted(credits, key=lambda item: (item[0], RULES.index(item[1]))):
                if not self._is_on_plan(number, person, self._origin(deal).day):
                    continue
                measured = self._converted(part, deal, words) if is_money else part
                measured = together.get(person, measured) if rule in parted else measured
                if measured is None:
                    continue
                series = (person, period_start(deal.day, kind))
                if series not in curves:
                    curves[series] = self._curve(number, words, component, *series)
                before = 0 if is_alone else totals.get(series, 0)
                after = totals[series] = before + measured
                curve = curves[series]
                line = Line(part, measured, before, after, 0, 0, 0)
                if curve:
                    low, high = curve.worth(Fraction(before)), curve.worth(Fraction(after))
                    if is_forward:
                        since = began.setdefault((person, period_start(deal.day, words["period_kind"])), before)
                        low, high = (curve.worth_since(Fraction(at), Fraction(since)) for at in (before, after))
                    line.pay_before, line.pay_after = half_up(low), half_up(high)
                    line.amount = half_up(high - low) if is_per_line else line.pay_after - line.pay_before
                key = (number, component["key"], deal.key, person, rule, series[1], "")
                if key in self.answer.lines:
                    raise AssertionError(f"{key} came twice")
                self.answer.lines[key] = line
        if words["conventions"]["refund"] == "negate":
            self._negate(number, component, kind)

    def _negate(self, number: int, component: dict[str, Any], kind: str) -> None:
        """What is taken back takes its part of what was stored, counted on all that was taken back so far."""
        upto: dict[str, int] = {}
        own = [(key, line) for key, line in self.answer.lines.items() if key[:2] == (number, component["key"])]
        for deal in self.world.deals:
            if not deal.reverses:
                continue
            whole = abs(self.by_key[deal.reverses].amount)
            if not whole:
                continue
            since = min(whole, upto.get(deal.reverses, 0))
            upto[deal.reverses] = upto.get(deal.reverses, 0) + abs(deal.amount)
            until = min(whole, upto[deal.reverses])
            for (_plan, _component, transaction, person, rule, _start, _back), line in own:
                if transaction == deal.reverses:
                    credited, amount = (
                        half_up(Fraction(number_ * since, whole)) - half_up(Fraction(number_ * until, whole))
                        for number_ in (line.credited, line.amount)
                    )
                    key = (number, component["key"], deal.key, person, rule, period_start(deal.day, kind), transaction)
                    self.answer.lines[key] = Line(
                        credited, 0, line.after, line.after, line.pay_after, line.pay_after, amount
                    )

    # --- Terms ----------------------------------------------------------------------------------------------------

    def _is_on_plan(self, number: int, person: int, day: date) -> bool:
        return any(
            (stay.plan, stay.person) == (number, person) and stay.start <= day < stay.end for stay in self.world.stays
        )

    def _curve(
        self, number: int, words: dict[str, Any], component: dict[str, Any], person: int, start: date
    ) -> Words | None:
        """The curve of a person and period, or None where there can be none."""
        kind = component.get("period_kind") or words["period_kind"]
        end = next_start(start, kind)
        quota, target, rate = self._terms(number, words, component, person, start, end)
        conventions, shape = words["conventions"], component["shape"]
        minor = 10 ** DECIMALS.get(words["currency"], 2)
        known = {"quota": quota, "target_minor": target, "personal_rate": None if rate is None else str(rate)}
        curve = Words(
            shape,
            (component.get("boundary") or conventions["boundary"]) == "lower",
            conventions["zero_quota"],
            known,
            minor,
            minor if component["measure"] == "money" else 1,
        )
        series = (number, component["key"], person, start)
        if self._is_steep(shape, known, curve):
            self.answer.steep.add(series)
        try:
            is_missing = (
                self._lacks(shape, known)
                or (curve._uses_quota() and quota is None)
                or (bool(quota) and not self._is_in_order(curve))
                or curve.worth(Fraction(0)) != 0
            )
        except BundleError:
            is_missing = True
        if is_missing:
            self.answer.without_curve.add(series)
            return None
        return curve

    def _terms(
        self, number: int, words: dict[str, Any], component: dict[str, Any], person: int, start: date, end: date
    ) -> tuple[int | None, int | None, Fraction | None]:
        stays = [
            stay
            for stay in sorted(self.world.stays, key=lambda stay: stay.start)
            if (stay.plan, stay.person) == (number, person) and stay.start < end and stay.end > start
        ]
        if not stays:
            return None, None, None
        share = self._active_share(words["conventions"]["proration"], stays, start, end)
        full = self._full_quota(words, component, person, start, end)
        ramp = self._ramp(words, stays[-1].ramp_from, start, end)
        target = self._target(words, component, stays[-1].target)
        count = len(spans(start, end, words["period_kind"]))
        return (
            None if full is None else half_up(full * share * ramp),
            None if target is None else half_up(target * count * share),
            stays[-1].rate,
        )

    @staticmethod
    def _active_share(proration: str, stays: Sequence[Stay], start: date, end: date) -> Fraction:
        if proration == "none":
            return Fraction(1)
        days = [start + timedelta(days=index) for index in range((end - start).days)]
        on_plan = [day for day in days if any(stay.start <= day < stay.end for stay in stays)]
        if proration == "months":
            return Fraction(
                len({(day.year, day.month) for day in on_plan}), len({(day.year, day.month) for day in days})
            )
        if proration == "working_days":
            return Fraction(*(len([day for day in part if day.isoweekday() <= 5]) for part in (on_plan, days)))
        return Fraction(len(on_plan), len(days))

    def _full_quota(
        self, words: dict[str, Any], component: dict[str, Any], person: int, start: date, end: date
    ) -> int | Fraction | None:
        currency = words["currency"] if component["measure"] == "money" else ""
        own = [
            quota
            for quota in self.world.quotas
            if (quota.person, quota.name, quota.currency) == (person, component.get("quota_name", "bookings"), currency)
        ]
        within = [quota for quota in own if quota.start and quota.end and start <= quota.start and quota.end <= end]
        always = [quota for quota in own if not quota.start]
        if not within and not always:
            return None
        total: int | Fraction = sum(quota.amount for quota in within)
        for from_day, to_day in spans(start, end, words["period_kind"]):
            touching = [quota for quota in within if quota.start and quota.start < to_day and quota.end > from_day]
            if not touching:
                total += sum(quota.amount for quota in always)
            own = [quota for quota in touching if quota.start >= from_day and quota.end <= to_day]
            if own and words["conventions"]["quota_change"] != "by_days":
                total -= sum(quota.amount for quota in own)
                total += self._for_all_days(own, words["conventions"]["quota_change"], from_day, to_day)
        return total

    @staticmethod
    def _for_all_days(own: Sequence[Quota], which: str, start: date, end: date) -> Fraction:
        """The amount of the latest or the first of these as if it were that of the whole of [start, end)."""
        by_start = sorted(own, key=lambda quota: (quota.start, quota.end))
        one = by_start[0]
        for quota in by_start[1:]:
            if which == "latest" and quota.end >= one.end:
                one = quota
            if which == "first" and quota.start == one.start:
                one = quota
        amount = sum(quota.amount for quota in own if (quota.start, quota.end) == (one.start, one.end))
        if one.start.day == one.end.day == 1:
            return amount * Fraction(len(spans(start, end, "month")), len(spans(one.start, one.end, "month")))
        return amount * Fraction((end - start).days, (one.end - one.start).days)

    @staticmethod
    def _ramp(words: dict[str, Any], ramp_from: date | None, start: date, end: date) -> Fraction:
        shares = [Fraction(text.rstrip("%")) / 100 for text in words.get("ramp", ())]
        if not shares or ramp_from is None:
            return Fraction(1)
        first = period_start(ramp_from, "month")
        if words["conventions"]["ramp"] == "first_full_month" and ramp_from.day > 1:
            first = next_start(first, "month")
        found = []
        for month, _end in spans(start, end, "month"):
            passed = (month.year - first.year) * 12 + month.month - first.month
            found.append(shares[max(0, passed)] if passed < len(shares) else Fraction(1))
        return sum(found, Fraction(0)) / len(found)

    @staticmethod
    def _target(words: dict[str, Any], component: dict[str, Any], target: int | None) -> int | None:
        """A component's part of the target pay; to the cent where the weights are a whole."""
        if target is None:
            return None
        weights = {item["key"]: Fraction(item.get("weight", "100%").rstrip("%")) / 100 for item in words["components"]}
        if sum(weights.values()) != 1:
            return half_up(target * weights[component["key"]])
        parts = {key: int(target * weight) for key, weight in weights.items()}
        for key in sorted(parts, key=lambda key: (parts[key] - target * weights[key], key))[
            : target - sum(parts.values())
        ]:
            parts[key] += 1
        return parts[component["key"]]

    # --- What makes no curve --------------------------------------------------------------------------------------

    @staticmethod
    def _lacks(shape: dict[str, Any], known: dict[str, Any]) -> bool:
        """Whether the words need a target pay or a personal rate that is not there."""
        rows = [shape, *(row for name in ("tiers", "steps", "points") for row in shape.get(name, ()))]
        rates = [row["rate"] for row in rows if "rate" in row]
        pays = [row[name] for row in rows for name in ("pays", "floor", "cap") if row.get(name)]
        is_by_target = any(rate.endswith("x") for rate in rates) or any(
            pay.endswith("%") and Fraction(pay[:-1]) for pay in pays
        )
        is_by_rate = any(rate.endswith("personal") for rate in rates)
        return (is_by_target and known["target_minor"] is None) or (is_by_rate and known["personal_rate"] is None)

    @staticmethod
    def _is_in_order(curve: Words) -> bool:
        """Whether the bounds still follow one another once they are whole units."""
        _name, at, rows = curve._rows()
        bounds = [curve._bound(row[at]) for row in rows]
        return all(low < high for low, high in itertools.pairwise(bounds))

    @staticmethod
    def _is_steep(shape: dict[str, Any], known: dict[str, Any], curve: Words) -> bool:
        """Whether somewhere more than nine tenths of the bound of ten for one is paid."""
        try:
            if shape["shape"] == "points":
                points = [(curve._bound(row["at"]), curve._pay(row["pays"])) for row in shape["points"]]
                return any((y1 - y0) > 9 * (x1 - x0) for (x0, y0), (x1, y1) in itertools.pairwise(points))
            rates = [row["rate"] for row in (shape, *curve._rows()[2]) if "rate" in row]
            return any(curve._rate(rate) > 9 for rate in rates)
        except (TypeError, ZeroDivisionError):
            return False
