"""What a plan version says: components, conventions and acceptance examples, as frozen values and as plain JSON."""

import hashlib
import json
import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, TypeVar

from salesops.commissions.rules.conventions import Conventions, Refund, TierChange
from salesops.commissions.rules.credits import DEFAULT_RULES, CreditRule
from salesops.commissions.rules.curves import Boundary, Curve, curve_problems
from salesops.commissions.rules.settlement.terms import Terms, terms_from_plain
from salesops.commissions.rules.shapes import (
    Measure,
    PersonFacts,
    Shape,
    ShapeKind,
    ZeroQuota,
    curve_of,
    shape_from_plain,
)
from salesops.values.money import MAX_MINOR, MoneyError, check_currency, round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop
from salesops.values.periods import PeriodError, PeriodKind, zone_of
from salesops.values.rates import RateError, exact_rate

# The form of the plain data; a later form gets another number and a way to read this one.
FORMAT: Final = 1

# Above ten times what was sold, a rate is a typing mistake. Things may be worth anything.
MOST_MONEY_RATE: Final = Fraction(10)

# The longest formula that is read; `formulas` holds the other bounds.
MOST_FORMULA: Final = 2_000

# What a component counts, and by which quota, where the plan does not say.
DEFAULT_KINDS: Final = ("booking",)
DEFAULT_QUOTA: Final = "bookings"

# Words of the settlement that the plan itself says.
_SETTLED_BY_THE_PLAN: Final = frozenset(("currency", "order", "leaver"))

_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_SHARE_TEXT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,12})?)( ?%)?", re.ASCII)
_SHARE = re.compile(r"[0-9]{1,20}(/[1-9][0-9]{0,20})?", re.ASCII)

Kind = TypeVar("Kind", bound=StrEnum)


class Scope(StrEnum):
    """What walks along the curve: everything credited in the period, or each transaction by itself from zero."""

    PERIOD = "period"
    TRANSACTION = "transaction"


class ApprovalLevel(StrEnum):
    """Who approves a statement: somebody above its person, or finance."""

    MANAGER = "manager"
    FINANCE = "finance"


# Finance decides last, whoever is asked before.
DEFAULT_APPROVALS: Final = (ApprovalLevel.FINANCE,)


@dataclass(frozen=True)
class Component:
    """One measure with its curve.

    key: stable, lower-case; names the component in earnings.
    counts: the kinds of transactions that count. when: a formula that must be true of them; "" takes all.
    amount: a formula for what is credited; "" is the transaction's amount or, for counts, its quantity.
    group: a transaction counts only in the first component of a group that takes it; "" is no group.
    crediting: rules in the order they are tried.
    quota_name: which of a person's quotas is the component's. weight: part of the person's target pay that it carries.
    period_kind: how long credits add up, where it is longer than the period of pay; what a longer period earns is paid
    in the period of pay in which it is earned.
    boundary: who owns the boundaries, where it differs from the plan's convention.
    standard_quota, standard_target_minor: what the plan is designed for; 100 % of the one must pay the other.
    """

    key: str
    name: str
    shape: Shape
    measure: Measure = Measure.MONEY
    crediting: tuple[CreditRule, ...] = DEFAULT_RULES
    boundary: Boundary | None = None
    is_falling_allowed: bool = False
    standard_quota: int | None = None
    standard_target_minor: int | None = None
    counts: tuple[str, ...] = DEFAULT_KINDS
    when: str = ""
    amount: str = ""
    group: str = ""
    quota_name: str = DEFAULT_QUOTA
    weight: Fraction = Fraction(1)
    period_kind: PeriodKind | None = None
    scope: Scope = Scope.PERIOD

    def __post_init__(self) -> None:
        """Refuse a group that is no plain word: it stands in the text of queries, wherever it came from."""
        if self.group and not _KEY.fullmatch(self.group):
            raise ValueError(f"{self.group!r} cannot name a group: a-z, 0-9 and _ only.")


@dataclass(frozen=True)
class Example:
    """Given these credits and this quota, the person earns exactly this.

    credits: amounts in the order they count, in units of the component's measure.
    lines_minor: what each credit earns; None where only the sum is stated.
    """

    name: str
    component: str
    credits: tuple[int, ...]
    expected_minor: int
    quota: int | None = None
    target_minor: int | None = None
    personal_rate: Fraction | None = None
    lines_minor: tuple[int, ...] | None = None


@dataclass(frozen=True)
class PlanDefinition:
    """What a plan version says. From which day, and for whom, is kept beside it.

    ramp: the share of the full quota in each month after somebody starts; 1 once the list has ended.
    settlement: how what is earned becomes what is paid; None pays what is earned, in the period in which it is earned.
    approvals: who approves a statement, one after the other; finance is always the last.
    rates: for fixed rates of exchange, (currency, what one unit of it is in the plan's as it is written), by currency.
    """

    currency: str
    time_zone: str
    period_kind: PeriodKind
    components: tuple[Component, ...]
    conventions: Conventions = field(default_factory=Conventions)
    examples: tuple[Example, ...] = ()
    ramp: tuple[Fraction, ...] = ()
    settlement: Terms | None = None
    approvals: tuple[ApprovalLevel, ...] = DEFAULT_APPROVALS
    rates: tuple[tuple[str, str], ...] = ()

    def fixed_rate(self, currency: str) -> Fraction | None:
        """What the plan says one unit of a currency is worth in its own, in major units; None where it says nothing."""
        text = dict(self.rates).get(currency)
        return None if text is None else Fraction(text)

    @property
    def settled_by(self) -> Terms:
        """How what is earned becomes what is paid; terms that add nothing where the plan says nothing of it."""
        order, leaver = self.conventions.settlement_order, self.conventions.leaver
        return self.settlement or Terms(self.currency, order=order, leaver=leaver)

    @property
    def is_moving_down(self) -> bool:
        """Whether what is taken back goes down the curve, rather than taking back exactly what was earned."""
        return self.conventions.refund is Refund.MOVE_DOWN

    def is_forward_only(self, component: Component) -> bool:
        """Whether the tier reached pays for what was credited in the period of pay, and not for what was before it.

        Only where retroactive tiers add up credits for longer than a period of pay; a gate, floor or cap of the whole
        longer period goes with making up only.
        """
        return (
            self.conventions.tier_change is TierChange.FORWARD_ONLY
            and self.is_longer(component)
            and component.shape.kind is ShapeKind.RETROACTIVE
            and component.shape.is_bare
        )

    def is_longer(self, component: Component) -> bool:
        """Whether credits of the component add up for longer than a period of pay."""
        kind = component.period_kind or self.period_kind
        return kind is not self.period_kind and component.scope is Scope.PERIOD

    def component(self, key: str) -> Component:
        """The component of that key. Raises KeyError."""
        for component in self.components:
            if component.key == key:
                return component
        raise KeyError(key)


# --- Curves and quotas of a person --------------------------------------------------------------------------------


def curve_for(
    plan: PlanDefinition,
    component: Component,
    *,
    quota: int | None = None,
    target_minor: int | None = None,
    personal_rate: Fraction | None = None,
) -> Outcome[Curve]:
    """The curve by which one person is paid in one period, by the plan's conventions; problems where it cannot be."""
    facts = PersonFacts(plan.currency, component.measure, quota, target_minor, personal_rate)
    boundary = component.boundary or plan.conventions.boundary
    return _curve_for(
        component.shape, facts, boundary, plan.conventions.zero_quota, component.key, component.is_falling_allowed
    )


@lru_cache(maxsize=4096)
def _curve_for(
    shape: Shape, facts: PersonFacts, boundary: Boundary, zero_quota: ZeroQuota, key: str, is_falling_allowed: bool
) -> Outcome[Curve]:
    """The same words for the same person's numbers are the same curve; many people share theirs."""
    outcome = curve_of(shape, facts, boundary, zero_quota)
    if outcome.value is None:
        return outcome
    problems = curve_problems(
        outcome.value,
        where=key,
        is_falling_allowed=is_falling_allowed,
        most_rate=MOST_MONEY_RATE if facts.measure is Measure.MONEY else None,
    )
    return Outcome.bad(*problems) if problems else outcome


def effective_quota(
    quota: int | Fraction, *, active_share: Fraction = Fraction(1), ramp_share: Fraction = Fraction(1)
) -> int:
    """The quota, or target pay, that counts: the full one times the part of the period on the plan times the ramp."""
    for share in (active_share, ramp_share):
        if not 0 <= share <= 1:
            raise ValueError(f"{share} is not a share of a quota.")
    return round_half_up(quota * active_share * ramp_share)


# --- Plain data and digest ----------------------------------------------------------------------------------------


def plan_as_plain(plan: PlanDefinition) -> dict[str, Any]:
    """The plan as plain JSON data."""
    later: dict[str, Any] = {"ramp": [share_text(share) for share in plan.ramp]} if plan.ramp else {}
    if plan.settlement:
        words = plan.settlement.as_plain()
        later["settlement"] = {name: words[name] for name in words if name not in _SETTLED_BY_THE_PLAN}
    if plan.approvals != DEFAULT_APPROVALS:
        later["approvals"] = [level.value for level in plan.approvals]
    if plan.rates:
        later["rates"] = dict(plan.rates)
    return later | {
        "format": FORMAT,
        "currency": plan.currency,
        "time_zone": plan.time_zone,
        "period_kind": plan.period_kind.value,
        "components": [_component_as_plain(component) for component in plan.components],
        "conventions": {item.name: getattr(plan.conventions, item.name).value for item in fields(Conventions)},
        "examples": [_example_as_plain(example) for example in plan.examples],
    }


def plan_digest(plan: PlanDefinition) -> str:
    """SHA-256 of the plan's plain data in canonical form, as 64 hexadecimal digits."""
    return digest_of(plan_as_plain(plan))


def canonical(data: object) -> bytes:
    """Plain JSON data as the bytes a digest is taken of: keys sorted, no spaces, UTF-8, numbers whole."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(data: object) -> str:
    """SHA-256 of plain JSON data in canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data)).hexdigest()


def plan_from_plain(data: object) -> Outcome[PlanDefinition]:
    """Read what `plan_as_plain` wrote, or what a person did. Conventions left out take their defaults.

    Whatever cannot be read comes back as problems with their place. Whether the plan may be put in force is another
    question; see `examples.activation_problems`.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return Outcome.bad(_unreadable("format", data.get("format") if isinstance(data, dict) else data, str(FORMAT)))
    problems: list[Problem] = []
    known = {
        "format",
        "currency",
        "time_zone",
        "period_kind",
        "components",
        "conventions",
        "examples",
        "ramp",
        "settlement",
        "approvals",
        "rates",
    }
    problems.extend(_unreadable(name, data[name], ", ".join(sorted(known))) for name in sorted(set(data) - known))
    currency = _text(data, "currency", "", problems)
    if currency is not None:
        try:
            check_currency(currency)
        except MoneyError as error:
            problems.append(_unreadable("currency", currency, str(error)))
    time_zone = _text(data, "time_zone", "", problems)
    if time_zone is not None:
        try:
            zone_of(time_zone)
        except PeriodError as error:
            problems.append(_unreadable("time_zone", time_zone, str(error)))
    period_kind = _choice(PeriodKind, data.get("period_kind"), "period_kind", problems)
    components = [
        _component_from_plain(item, f"components[{index}]", problems)
        for index, item in enumerate(_list(data, "components", problems))
    ]
    conventions = _conventions_from_plain(data.get("conventions", {}), problems)
    examples = [
        _example_from_plain(item, f"examples[{index}]", problems)
        for index, item in enumerate(_list(data, "examples", problems, is_optional=True))
    ]
    ramp = []
    for index, text in enumerate(_list(data, "ramp", problems, is_optional=True)):
        share = share_from_text(text)
        if share is None or share > 1:
            problems.append(_unreadable(f"ramp[{index}]", text, '"50%"'))
        else:
            ramp.append(share)
    approvals = [
        _choice(ApprovalLevel, level, f"approvals[{index}]", problems)
        for index, level in enumerate(_list(data, "approvals", problems, is_optional=True))
    ]
    levels = tuple(level for level in approvals if level) or DEFAULT_APPROVALS
    if len(set(levels)) < len(levels) or levels[-1] is not ApprovalLevel.FINANCE:
        problems.append(_unreadable("approvals", data.get("approvals"), "[finance], [manager, finance]"))
    rates = _rates_from_plain(data.get("rates") or {}, currency, problems)
    settlement = None
    if data.get("settlement") is not None and currency is not None:
        if isinstance(data["settlement"], dict) and not _SETTLED_BY_THE_PLAN & set(data["settlement"]):
            words = data["settlement"] | {
                "currency": currency,
                "order": conventions.settlement_order.value,
                "leaver": conventions.leaver.value,
            }
            read = terms_from_plain(words)
            problems.extend(read.problems)
            settlement = read.value
        else:
            problems.append(_unreadable("settlement", data["settlement"], "objectives, bonuses, limits, draw ..."))
    if problems or currency is None or time_zone is None or period_kind is None:
        return Outcome.bad(*problems)
    return Outcome.good(
        PlanDefinition(
            currency,
            time_zone,
            period_kind,
            tuple(component for component in components if component),
            conventions,
            tuple(example for example in examples if example),
            tuple(ramp),
            settlement,
            levels,
            rates,
        )
    )


def _rates_from_plain(data: object, into: str | None, problems: list[Problem]) -> tuple[tuple[str, str], ...]:
    """Rates of exchange by currency, in the order of the currencies."""
    if not isinstance(data, dict):
        problems.append(_unreadable("rates", data, '{EUR: "1.10"}'))
        return ()
    for currency, text in data.items():
        try:
            exact_rate(text)
            if check_currency(currency) == into:
                raise RateError(f"{into} is the currency of the plan.")
        except (MoneyError, RateError) as error:
            problems.append(_unreadable(f"rates.{currency}", text, str(error)))
    return tuple(sorted((str(currency), str(text)) for currency, text in data.items()))


def _component_as_plain(component: Component) -> dict[str, Any]:
    """The component as plain data; what came later than the first form is left out where it says nothing."""
    later: dict[str, tuple[object, object]] = {
        "counts": (list(component.counts), list(DEFAULT_KINDS)),
        "when": (component.when, ""),
        "amount": (component.amount, ""),
        "group": (component.group, ""),
        "quota_name": (component.quota_name, DEFAULT_QUOTA),
        "weight": (share_text(component.weight), "100%"),
        "period_kind": (component.period_kind and component.period_kind.value, None),
        "scope": (component.scope.value, Scope.PERIOD.value),
    }
    return {name: value for name, (value, default) in later.items() if value != default} | {
        "key": component.key,
        "name": component.name,
        "measure": component.measure.value,
        "shape": component.shape.as_plain(),
        "crediting": [rule.value for rule in component.crediting],
        "boundary": component.boundary.value if component.boundary else None,
        "is_falling_allowed": component.is_falling_allowed,
        "standard_quota": component.standard_quota,
        "standard_target_minor": component.standard_target_minor,
    }


def _example_as_plain(example: Example) -> dict[str, Any]:
    return {
        "name": example.name,
        "component": example.component,
        "credits": list(example.credits),
        "expected_minor": example.expected_minor,
        "quota": example.quota,
        "target_minor": example.target_minor,
        "personal_rate": None if example.personal_rate is None else str(example.personal_rate),
        "lines_minor": None if example.lines_minor is None else list(example.lines_minor),
    }


def _component_from_plain(data: object, where: str, problems: list[Problem]) -> Component | None:
    known = {item.name for item in fields(Component)}
    if not isinstance(data, dict) or set(data) - known:
        problems.append(_unreadable(where, data, ", ".join(sorted(known))))
        return None
    count = len(problems)
    key = _text(data, "key", where, problems)
    if key is not None and not _KEY.fullmatch(key):
        problems.append(_unreadable(f"{where}.key", key, "a-z, 0-9, _"))
    name = _text(data, "name", where, problems)
    shape = shape_from_plain(data.get("shape"), f"{where}.shape")
    problems.extend(shape.problems)
    measure = _choice(Measure, data.get("measure", Measure.MONEY.value), f"{where}.measure", problems)
    crediting = [
        _choice(CreditRule, rule, f"{where}.crediting[{index}]", problems)
        for index, rule in enumerate(_list(data, "crediting", problems, where, is_optional=True))
    ]
    boundary = None
    if data.get("boundary") is not None:
        boundary = _choice(Boundary, data["boundary"], f"{where}.boundary", problems)
    is_falling_allowed = data.get("is_falling_allowed", False)
    if not isinstance(is_falling_allowed, bool):
        problems.append(_unreadable(f"{where}.is_falling_allowed", is_falling_allowed, "true, false"))
    quota = _whole(data, "standard_quota", where, problems, is_optional=True)
    target = _whole(data, "standard_target_minor", where, problems, is_optional=True)
    later = _later_words(data, where, problems)
    if len(problems) > count or key is None or name is None or measure is None or shape.value is None:
        return None
    rules = tuple(rule for rule in crediting if rule) or DEFAULT_RULES
    return Component(key, name, shape.value, measure, rules, boundary, is_falling_allowed, quota, target, **later)


def _later_words(data: dict[str, Any], where: str, problems: list[Problem]) -> dict[str, Any]:
    """The words of a component that have a default, where they are given."""
    found: dict[str, Any] = {}
    if "counts" in data:
        kinds = _list(data, "counts", problems, where)
        problems.extend(
            _unreadable(f"{where}.counts[{index}]", kind, "a-z, 0-9, _")
            for index, kind in enumerate(kinds)
            if not isinstance(kind, str) or not _KEY.fullmatch(kind)
        )
        found["counts"] = tuple(kinds)
    for name in ("when", "amount"):
        if data.get(name):
            if isinstance(data[name], str) and len(data[name]) <= MOST_FORMULA:
                found[name] = data[name].strip()
            else:
                problems.append(_unreadable(f"{where}.{name}", data[name], f"1 - {MOST_FORMULA}"))
    for name in ("group", "quota_name"):
        if data.get(name):
            if isinstance(data[name], str) and _KEY.fullmatch(data[name]):
                found[name] = data[name]
            else:
                problems.append(_unreadable(f"{where}.{name}", data[name], "a-z, 0-9, _"))
    if data.get("weight") is not None:
        weight = share_from_text(data["weight"])
        if weight is None or weight > 1:
            problems.append(_unreadable(f"{where}.weight", data["weight"], '"60%"'))
        else:
            found["weight"] = weight
    if data.get("period_kind") is not None:
        found["period_kind"] = _choice(PeriodKind, data["period_kind"], f"{where}.period_kind", problems)
    if "scope" in data:
        found["scope"] = _choice(Scope, data["scope"], f"{where}.scope", problems)
    return found


def share_from_text(text: object) -> Fraction | None:
    """A share as it is written ("60%", "0.6"), exact; None for anything else."""
    match = _SHARE_TEXT.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    return Fraction(match[1]) / (100 if match[2] else 1)


def share_text(share: Fraction) -> str:
    """A share as per cent ("60%"). Shares are read from decimals, so the text is exact."""
    percent = share * 100
    whole = percent * 10**12
    digits = f"{whole.numerator // 10**12}.{whole.numerator % 10**12:012d}".rstrip("0").rstrip(".")
    return f"{digits}%"


def _conventions_from_plain(data: object, problems: list[Problem]) -> Conventions:
    defaults = Conventions()
    names = {item.name for item in fields(Conventions)}
    if not isinstance(data, dict) or set(data) - names:
        problems.append(_unreadable("conventions", data, ", ".join(sorted(names))))
        return defaults
    chosen = {
        name: _choice(type(getattr(defaults, name)), value, f"conventions.{name}", problems)
        for name, value in data.items()
    }
    return Conventions(**{name: value for name, value in chosen.items() if value is not None})


def _example_from_plain(data: object, where: str, problems: list[Problem]) -> Example | None:
    known = {item.name for item in fields(Example)}
    if not isinstance(data, dict) or set(data) - known:
        problems.append(_unreadable(where, data, ", ".join(sorted(known))))
        return None
    count = len(problems)
    name = _text(data, "name", where, problems)
    component = _text(data, "component", where, problems)
    credits = _wholes(data, "credits", where, problems)
    lines = None if data.get("lines_minor") is None else _wholes(data, "lines_minor", where, problems)
    expected = _whole(data, "expected_minor", where, problems)
    quota = _whole(data, "quota", where, problems, is_optional=True)
    target = _whole(data, "target_minor", where, problems, is_optional=True)
    rate = None
    if data.get("personal_rate") is not None:
        text = data["personal_rate"]
        if isinstance(text, str) and _SHARE.fullmatch(text):
            rate = Fraction(text)
        else:
            problems.append(_unreadable(f"{where}.personal_rate", text, '"3/250"'))
    if len(problems) > count or name is None or component is None or expected is None:
        return None
    return Example(name, component, credits, expected, quota, target, rate, lines)


def _text(data: dict[str, Any], name: str, where: str, problems: list[Problem]) -> str | None:
    value = data.get(name)
    if isinstance(value, str) and 0 < len(value) <= 200:
        return value
    problems.append(_unreadable(f"{where}.{name}".lstrip("."), value, "1 - 200"))
    return None


def _list(
    data: dict[str, Any], name: str, problems: list[Problem], where: str = "", *, is_optional: bool = False
) -> list[Any]:
    value = data.get(name)
    if value is None and is_optional:
        return []
    if isinstance(value, list) and len(value) <= 1000 and (value or is_optional):
        return value
    problems.append(_unreadable(f"{where}.{name}".lstrip("."), value, "[1 - 1000]"))
    return []


def _whole(
    data: dict[str, Any], name: str, where: str, problems: list[Problem], *, is_optional: bool = False
) -> int | None:
    value = data.get(name)
    if value is None and is_optional:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_MINOR:
        return value
    problems.append(_unreadable(f"{where}.{name}", value, "0, 1, 2 ..."))
    return None


def _wholes(data: dict[str, Any], name: str, where: str, problems: list[Problem]) -> tuple[int, ...]:
    listed = _list(data, name, problems, where)
    found = [_whole({str(index): value}, str(index), f"{where}.{name}", problems) for index, value in enumerate(listed)]
    return tuple(value for value in found if value is not None)


def _choice(kind: type[Kind], value: object, where: str, problems: list[Problem]) -> Kind | None:
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    problems.append(_unreadable(where, value, ", ".join(kind)))
    return None


def _unreadable(where: str, value: object, expected: str) -> Problem:
    return Problem.of(
        "plan-unreadable",
        gettext_noop("%(value)s cannot be read here."),
        where=where,
        remedy=gettext_noop("Expected: %(expected)s"),
        value=repr(value)[:80],
        expected=expected,
    )
