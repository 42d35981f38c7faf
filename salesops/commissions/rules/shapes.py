"""Plan words ("5 % to quota, 10 % above, capped at 200 % of target") and the curve they mean for one person's quota."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from salesops.commissions.rules import curves
from salesops.commissions.rules.curves import Boundary, Curve, CurveError
from salesops.values.money import exponent, round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop

_NUMBER: Final = r"[0-9]{1,15}(?:\.[0-9]{1,12})?"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_PERCENT = re.compile(rf"({_NUMBER}) ?%", re.ASCII)
_MULTIPLE = re.compile(rf"({_NUMBER}) ?x", re.ASCII)
_EACH = re.compile(rf"({_NUMBER}) each", re.ASCII)
_PERSONAL = re.compile(rf"(?:({_NUMBER}) ?x )?personal", re.ASCII)


class Measure(StrEnum):
    """What is counted along the curve: money in minor units of the plan's currency, or whole things."""

    MONEY = "money"
    COUNT = "count"


class ShapeKind(StrEnum):
    """The basic shapes; every one may carry a gate, a floor and a cap."""

    FLAT = "flat"
    MARGINAL = "marginal"
    RETROACTIVE = "retroactive"
    STEPS = "steps"
    POINTS = "points"


class ZeroQuota(StrEnum):
    """What a quota of zero means for a curve whose bounds are shares of quota."""

    HOLD = "hold"
    LOWEST = "lowest"
    HIGHEST = "highest"
    NOTHING = "nothing"


class Unit(StrEnum):
    """What a number on a shape is counted in."""

    AMOUNT = "amount"
    QUOTA_SHARE = "quota share"
    TARGET_SHARE = "target share"
    SHARE = "share"
    TARGET_MULTIPLE = "target multiple"
    PERSONAL_MULTIPLE = "personal multiple"
    EACH = "each"


@dataclass(frozen=True)
class Number:
    """A number of a plan as it was written, its exact value, and what it is counted in (100 % is the value 1)."""

    text: str
    value: Fraction
    unit: Unit


@dataclass(frozen=True)
class Row:
    """One tier, step or point: where it begins or lies, and its rate or pay."""

    at: Number
    worth: Number


@dataclass(frozen=True)
class Gate:
    """Nothing until `at` is reached; then everything, or (`is_above_only`) only what lies above."""

    at: Number
    is_above_only: bool = False


@dataclass(frozen=True)
class Shape:
    """The shape of a component's curve in plan words, before anybody's quota and target pay are known.

    floor: the least that is paid as soon as anything is credited and the gate, if there is one, is reached.
    """

    kind: ShapeKind
    rows: tuple[Row, ...]
    gate: Gate | None = None
    cap: Number | None = None
    is_continued: bool = False
    floor: Number | None = None

    @property
    def is_bare(self) -> bool:
        """Whether there is neither gate nor floor nor cap."""
        return not (self.gate or self.floor or self.cap)

    @property
    def uses_quota(self) -> bool:
        """Whether a quota is needed to draw the curve."""
        bounds = [row.at for row in self.rows] + ([self.gate.at] if self.gate else [])
        return any(bound.unit is Unit.QUOTA_SHARE and bound.value for bound in bounds) or self.uses_target_rate

    @property
    def uses_target(self) -> bool:
        """Whether a target pay is needed to draw the curve."""
        worths = [*(row.worth for row in self.rows), *(limit for limit in (self.cap, self.floor) if limit)]
        return any(worth.unit is Unit.TARGET_SHARE and worth.value for worth in worths) or self.uses_target_rate

    @property
    def uses_target_rate(self) -> bool:
        """Whether a rate is a multiple of target pay ÷ quota."""
        return any(row.worth.unit is Unit.TARGET_MULTIPLE for row in self.rows)

    @property
    def uses_personal_rate(self) -> bool:
        """Whether a rate is the one agreed with each person, or a multiple of it."""
        return any(row.worth.unit is Unit.PERSONAL_MULTIPLE for row in self.rows)

    def as_plain(self) -> dict[str, Any]:
        """The shape as plain JSON data, with the numbers as they were written."""
        plain: dict[str, Any] = {"shape": self.kind.value}
        if self.kind is ShapeKind.FLAT:
            plain["rate"] = self.rows[0].worth.text
        else:
            list_name, at_name, worth_name = _LISTS[self.kind]
            plain[list_name] = [{at_name: row.at.text, worth_name: row.worth.text} for row in self.rows]
        if self.kind is ShapeKind.POINTS:
            plain["after"] = "continue" if self.is_continued else "flat"
        if self.gate:
            plain["gate"] = {"at": self.gate.at.text, "then": "above" if self.gate.is_above_only else "all"}
        if self.floor:
            plain["floor"] = self.floor.text
        if self.cap:
            plain["cap"] = self.cap.text
        return plain


@dataclass(frozen=True)
class PersonFacts:
    """What is known about a person and period: quota in units of the measure, target pay in minor units of `currency`.

    personal_rate: the share agreed with this person (3/250 is 1.2 %).
    None where there is none; whether that is a problem depends on the shape.
    """

    currency: str
    measure: Measure = Measure.MONEY
    quota: int | None = None
    target_minor: int | None = None
    personal_rate: Fraction | None = None

    @property
    def units_per_one(self) -> int:
        """Units of the measure in one written unit: 100 for dollars, 1 for things."""
        return 10 ** exponent(self.currency) if self.measure is Measure.MONEY else 1


# --- Reading ------------------------------------------------------------------------------------------------------

# The list a shape keeps its rows in, and the names of a row's two fields.
_LISTS: Final[dict[ShapeKind, tuple[str, str, str]]] = {
    ShapeKind.MARGINAL: ("tiers", "from", "rate"),
    ShapeKind.RETROACTIVE: ("tiers", "from", "rate"),
    ShapeKind.STEPS: ("steps", "from", "pays"),
    ShapeKind.POINTS: ("points", "at", "pays"),
}
_ZERO: Final = Number("0", Fraction(0), Unit.AMOUNT)


def shape_from_plain(plain: object, where: str = "shape") -> Outcome[Shape]:
    """Read a shape. Every field that cannot be read comes back as a problem with its place; nothing is guessed.

    Bounds: "50000.00" or "100%" (of quota). Rates: "8%", "0.08", "1.5x" (times target pay ÷ quota), "personal" or
    "1.5x personal" (the rate agreed with the person), "200.00 each" (for counts). Pay: "5000.00" or "100%" (of target).
    """
    if not isinstance(plain, dict) or plain.get("shape") not in set(ShapeKind):
        return Outcome.bad(_unreadable(where, plain, "flat, marginal, retroactive, steps, points"))
    kind = ShapeKind(plain["shape"])
    problems: list[Problem] = []
    rows = _read_rows(kind, plain, where, problems)
    gate = _read_gate(plain.get("gate"), f"{where}.gate", problems)
    floor, cap = (
        None if plain.get(name) is None else _read(_pay, plain[name], f"{where}.{name}", problems)
        for name in ("floor", "cap")
    )
    if floor and cap and floor.unit is cap.unit and floor.value > cap.value:
        problems.append(_unreadable(f"{where}.floor", floor.text, f"0 - {cap.text}"))
    known = {"shape", "gate", "floor", "cap", *(("rate",) if kind is ShapeKind.FLAT else (_LISTS[kind][0],))}
    after = "flat"
    if kind is ShapeKind.POINTS:
        known.add("after")
        after = plain.get("after", "flat")
        if after not in ("flat", "continue"):
            problems.append(_unreadable(f"{where}.after", after, "flat, continue"))
    problems.extend(
        _unreadable(f"{where}.{name}", plain[name], ", ".join(sorted(known))) for name in plain if name not in known
    )
    if not problems and len({row.at.unit for row in rows if row.at.value}) > 1:
        problems.append(
            Problem.of(
                "bounds-mixed",
                gettext_noop("Some bounds are amounts and some are shares of quota."),
                where=where,
                remedy=gettext_noop("Write all bounds of one curve in the same way."),
            )
        )
    for before, after_row in itertools.pairwise(rows):
        if not problems and after_row.at.value <= before.at.value:
            problems.append(
                Problem.of(
                    "bounds-unordered",
                    gettext_noop("The bound %(bound)s does not come after %(before)s."),
                    where=where,
                    remedy=gettext_noop("List bounds from low to high, each once."),
                    bound=after_row.at.text,
                    before=before.at.text,
                )
            )
    if problems:
        return Outcome.bad(*problems)
    return Outcome.good(Shape(kind, tuple(rows), gate, cap, after == "continue", floor))


def _read_rows(kind: ShapeKind, plain: dict[str, Any], where: str, problems: list[Problem]) -> list[Row]:
    if kind is ShapeKind.FLAT:
        rate = _read(_rate, plain.get("rate"), f"{where}.rate", problems)
        return [Row(_ZERO, rate)] if rate else []
    list_name, at_name, worth_name = _LISTS[kind]
    listed = plain.get(list_name)
    least = 2 if kind is ShapeKind.POINTS else 1
    if not isinstance(listed, list) or not least <= len(listed) <= curves.MOST_SEGMENTS // 2:
        problems.append(_unreadable(f"{where}.{list_name}", listed, f"{least} - {curves.MOST_SEGMENTS // 2}"))
        return []
    read_worth = _rate if worth_name == "rate" else _pay
    rows = []
    for index, item in enumerate(listed):
        place = f"{where}.{list_name}[{index}]"
        if not isinstance(item, dict) or set(item) != {at_name, worth_name}:
            problems.append(_unreadable(place, item, f"{at_name}, {worth_name}"))
            continue
        at = _read(_bound, item[at_name], f"{place}.{at_name}", problems)
        worth = _read(read_worth, item[worth_name], f"{place}.{worth_name}", problems)
        if at and worth:
            rows.append(Row(at, worth))
    return rows


def _read_gate(plain: object, where: str, problems: list[Problem]) -> Gate | None:
    if plain is None:
        return None
    if not isinstance(plain, dict) or set(plain) != {"at", "then"} or plain["then"] not in ("all", "above"):
        problems.append(_unreadable(where, plain, "at, then (all, above)"))
        return None
    at = _read(_bound, plain["at"], f"{where}.at", problems)
    return Gate(at, plain["then"] == "above") if at else None


def _read(reader: Callable[[str], Number | None], text: object, where: str, problems: list[Problem]) -> Number | None:
    number = reader(text) if isinstance(text, str) and len(text) <= 40 else None
    if number is None:
        problems.append(_unreadable(where, text, _GRAMMAR[reader]))
    return number


def _bound(text: str) -> Number | None:
    if match := _PERCENT.fullmatch(text):
        return Number(text, Fraction(match[1]) / 100, Unit.QUOTA_SHARE)
    return Number(text, Fraction(text), Unit.AMOUNT) if _PLAIN.fullmatch(text) else None


def _rate(text: str) -> Number | None:
    if match := _PERCENT.fullmatch(text):
        return Number(text, Fraction(match[1]) / 100, Unit.SHARE)
    if match := _MULTIPLE.fullmatch(text):
        return Number(text, Fraction(match[1]), Unit.TARGET_MULTIPLE)
    if match := _PERSONAL.fullmatch(text):
        return Number(text, Fraction(match[1] or 1), Unit.PERSONAL_MULTIPLE)
    if match := _EACH.fullmatch(text):
        return Number(text, Fraction(match[1]), Unit.EACH)
    return Number(text, Fraction(text), Unit.SHARE) if _PLAIN.fullmatch(text) else None


def _pay(text: str) -> Number | None:
    if match := _PERCENT.fullmatch(text):
        return Number(text, Fraction(match[1]) / 100, Unit.TARGET_SHARE)
    return Number(text, Fraction(text), Unit.AMOUNT) if _PLAIN.fullmatch(text) else None


_GRAMMAR: Final[dict[Callable[[str], Number | None], str]] = {
    _bound: '"50000.00", "100%"',
    _rate: '"8%", "0.08", "1.5x", "personal", "200.00 each"',
    _pay: '"5000.00", "100%"',
}


def _unreadable(where: str, value: object, expected: str) -> Problem:
    return Problem.of(
        "shape-unreadable",
        gettext_noop("%(value)s cannot be read here."),
        where=where,
        remedy=gettext_noop("Expected: %(expected)s"),
        value=repr(value)[:80],
        expected=expected,
    )


# --- From words to a curve ----------------------------------------------------------------------------------------


def curve_of(
    shape: Shape, facts: PersonFacts, boundary: Boundary = Boundary.UPPER, zero_quota: ZeroQuota = ZeroQuota.HOLD
) -> Outcome[Curve]:
    """The curve a shape means for one person and period, exact; problems where quota or target pay are missing.

    Bounds given as shares of quota become whole units of the measure (cents, say), rounded by the rounding rule.
    """
    problems = _missing(shape, facts)
    if problems:
        return Outcome.bad(*problems)
    try:
        if facts.quota == 0 and shape.uses_quota:
            return _curve_of_zero_quota(shape, facts, boundary, zero_quota)
        return Outcome.good(_with_gate_and_limits(shape, _basic_curve(shape, facts, boundary), facts))
    except CurveError as error:
        return Outcome.bad(
            Problem.of(
                "curve-impossible",
                gettext_noop("These plan words give no curve for this quota: %(reason)s"),
                remedy=gettext_noop("Check the quota; it may be too small for the bounds."),
                reason=error,
            )
        )


def bounds_of(shape: Shape, facts: PersonFacts) -> list[int]:
    """The bounds of the shape in units of the measure, as the curve uses them; to be printed on the plan page.

    Bounds that need a quota where there is none are left out.
    """
    has_quota = facts.quota is not None
    return [_units(row.at, facts) for row in shape.rows if has_quota or row.at.unit is Unit.AMOUNT]


def _missing(shape: Shape, facts: PersonFacts) -> list[Problem]:
    problems = []
    if shape.uses_quota and facts.quota is None:
        problems.append(
            Problem.of(
                "quota-missing",
                gettext_noop("There is no quota, and the plan pays by quota."),
                remedy=gettext_noop("Enter the quota of this person for the period."),
            )
        )
    if shape.uses_target and facts.target_minor is None:
        problems.append(
            Problem.of(
                "target-missing",
                gettext_noop("There is no target pay, and the plan pays by target pay."),
                remedy=gettext_noop("Enter the target pay of this person for the period."),
            )
        )
    if shape.uses_personal_rate and facts.personal_rate is None:
        problems.append(
            Problem.of(
                "rate-missing",
                gettext_noop("There is no personal rate, and the plan pays by it."),
                remedy=gettext_noop("Enter the rate agreed with this person where they are put on the plan."),
            )
        )
    if facts.personal_rate is not None and facts.personal_rate < 0:
        problems.append(
            Problem.of(
                "rate-negative",
                gettext_noop("The personal rate is below zero."),
                remedy=gettext_noop("Correct the personal rate."),
            )
        )
    if (facts.quota or 0) < 0 or (facts.target_minor or 0) < 0:
        problems.append(
            Problem.of(
                "quota-negative",
                gettext_noop("A quota or target pay is below zero."),
                remedy=gettext_noop("Correct the quota or the target pay."),
            )
        )
    for index, row in enumerate(shape.rows):
        is_for_counts = row.worth.unit is Unit.EACH
        is_for_money = row.worth.unit in (Unit.SHARE, Unit.PERSONAL_MULTIPLE)
        if (is_for_counts and facts.measure is Measure.MONEY) or (is_for_money and facts.measure is Measure.COUNT):
            problems.append(
                Problem.of(
                    "rate-of-other-measure",
                    gettext_noop("The rate %(rate)s does not suit what is measured."),
                    where=f"{shape.kind}[{index}]",
                    remedy=gettext_noop('Money is paid by percent, things by "200.00 each".'),
                    rate=row.worth.text,
                )
            )
        if row.at.unit is Unit.AMOUNT and (row.at.value * facts.units_per_one).denominator != 1:
            problems.append(
                Problem.of(
                    "bound-too-fine",
                    gettext_noop("The bound %(bound)s has more decimals than what is measured."),
                    where=f"{shape.kind}[{index}]",
                    remedy=gettext_noop("Round the bound."),
                    bound=row.at.text,
                )
            )
    return problems


def _curve_of_zero_quota(shape: Shape, facts: PersonFacts, boundary: Boundary, zero_quota: ZeroQuota) -> Outcome[Curve]:
    """The curve by the plan's convention for a quota of zero, where attainment has no meaning."""
    if zero_quota is ZeroQuota.NOTHING:
        return Outcome.good(curves.flat(Fraction(0)))
    if zero_quota is ZeroQuota.HOLD or shape.uses_target_rate:
        return Outcome.bad(
            Problem.of(
                "quota-zero",
                gettext_noop("The quota is zero, so attainment cannot be reckoned."),
                remedy=gettext_noop("Enter a quota, or choose on the plan what a quota of zero pays."),
            )
        )
    is_gate_on_quota = shape.gate is not None and shape.gate.at.unit is Unit.QUOTA_SHARE and bool(shape.gate.at.value)
    if zero_quota is ZeroQuota.LOWEST:
        reachable = tuple(row for row in shape.rows if row.at.unit is Unit.AMOUNT or not row.at.value)
        if is_gate_on_quota or not reachable or (shape.kind is ShapeKind.POINTS and reachable != shape.rows):
            return Outcome.good(curves.flat(Fraction(0)))
        lowest = replace(shape, rows=reachable)
        return Outcome.good(_with_gate_and_limits(lowest, _basic_curve(lowest, facts, boundary), facts))
    last = shape.rows[-1]
    open_shape = replace(shape, gate=None if is_gate_on_quota else shape.gate)
    if last.at.unit is Unit.AMOUNT or not last.at.value:
        curve = _basic_curve(shape, facts, boundary)
    elif shape.kind in (ShapeKind.STEPS, ShapeKind.POINTS):
        # Reached by the first unit, and not by nothing at all: the lower side owns zero.
        curve = curves.steps([(Fraction(0), _pay_of(last.worth, facts))], Boundary.LOWER)
    else:
        curve = curves.flat(_rate_of(last.worth, facts), boundary)
    return Outcome.good(_with_gate_and_limits(open_shape, curve, facts))


def _basic_curve(shape: Shape, facts: PersonFacts, boundary: Boundary) -> Curve:
    if shape.kind is ShapeKind.FLAT:
        return curves.flat(_rate_of(shape.rows[0].worth, facts), boundary)
    starts = [Fraction(_units(row.at, facts)) for row in shape.rows]
    if shape.kind in (ShapeKind.MARGINAL, ShapeKind.RETROACTIVE):
        tiers = [(start, _rate_of(row.worth, facts)) for start, row in zip(starts, shape.rows, strict=True)]
        return (curves.marginal if shape.kind is ShapeKind.MARGINAL else curves.retroactive)(tiers, boundary)
    pays = [(start, _pay_of(row.worth, facts)) for start, row in zip(starts, shape.rows, strict=True)]
    if shape.kind is ShapeKind.STEPS:
        return curves.steps(pays, boundary)
    return curves.joined(pays, boundary, is_continued=shape.is_continued)


def _with_gate_and_limits(shape: Shape, curve: Curve, facts: PersonFacts) -> Curve:
    # The first total above nothing: 0 stays worth 0, whichever side owns it.
    paid_from = Fraction(1 if curve.boundary is Boundary.UPPER else 0)
    if shape.gate:
        at = Fraction(_units(shape.gate.at, facts))
        curve = curves.gated(curve, at, is_from_gate=shape.gate.is_above_only)
        paid_from = max(paid_from, at)
    if shape.floor:
        curve = curves.floored(curve, _pay_of(shape.floor, facts), paid_from)
    if shape.cap:
        curve = curves.capped(curve, _pay_of(shape.cap, facts))
    return curve


def _units(bound: Number, facts: PersonFacts) -> int:
    whole = facts.quota or 0 if bound.unit is Unit.QUOTA_SHARE else facts.units_per_one
    return round_half_up(bound.value * whole)


def _pay_of(worth: Number, facts: PersonFacts) -> Fraction:
    """Pay in minor units, exact."""
    if worth.unit is Unit.TARGET_SHARE:
        return worth.value * (facts.target_minor or 0)
    return worth.value * 10 ** exponent(facts.currency)


def _rate_of(worth: Number, facts: PersonFacts) -> Fraction:
    """Pay in minor units for one unit of the measure, exact."""
    if worth.unit is Unit.TARGET_MULTIPLE:
        return worth.value * Fraction(facts.target_minor or 0, facts.quota or 1)
    if worth.unit is Unit.PERSONAL_MULTIPLE:
        return worth.value * (facts.personal_rate or 0)
    if worth.unit is Unit.EACH:
        return worth.value * 10 ** exponent(facts.currency)
    return worth.value
