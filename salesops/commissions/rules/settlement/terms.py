"""What a plan says about settlement: objectives, bonuses, team multiplier, caps, draw, release and clawback."""

import itertools
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

from salesops.commissions.rules.conventions import Leaver, SettlementOrder
from salesops.commissions.rules.curves import Boundary
from salesops.commissions.rules.settlement.plain import Pay, Share, as_plain, from_plain
from salesops.commissions.rules.shapes import Number, Unit
from salesops.values.outcomes import Outcome, Problem, gettext_noop

# Above a hundred times, a factor or share is a typing mistake.
MOST_FACTOR: Final = Fraction(100)
MOST_DAYS: Final = 3660

# How the components of prizes begin: they are bonuses that no plan names. See rules.contests.
CONTEST: Final = "contest:"


class NegativePayout(StrEnum):
    """What happens when more is taken back in a period than it pays."""

    CARRY_FORWARD = "carry_forward"
    SHOW_AS_OWED = "show_as_owed"


class Basis(StrEnum):
    """What a cap or floor looks at."""

    PERIOD = "period"
    YEAR_TO_DATE = "year_to_date"


class TableKind(StrEnum):
    """Whether the factor jumps at each row, or goes in a straight line from row to row."""

    STEPS = "steps"
    POINTS = "points"


class DrawKind(StrEnum):
    """Whether what was advanced is taken back, kept, or taken back until a stated day and then forgiven."""

    RECOVERABLE = "recoverable"
    NON_RECOVERABLE = "non_recoverable"
    FORGIVEN = "forgiven"


class DrawMode(StrEnum):
    """Fill earnings up to the draw (usual), or lend it on top of them and take it back once the draw has ended."""

    TOP_UP = "top_up"
    ON_TOP = "on_top"


class ReleaseKind(StrEnum):
    """When what is earned is paid."""

    AT_ONCE = "at_once"
    INSTALMENTS = "instalments"
    ON_PAYMENT = "on_payment"
    HOLD = "hold"


@dataclass(frozen=True)
class Objective:
    """An objective pays weight x achieved share of the period's target pay; no more than `most` of it is counted."""

    key: str
    weight: Share
    most: Share | None = None


@dataclass(frozen=True)
class Bonus:
    """A fixed amount for each occurrence (SPIFF), at most `most_count` times in a period."""

    key: str
    pays: Pay
    most_count: int | None = None


@dataclass(frozen=True)
class FactorRow:
    """From (steps) or at (points) this team attainment, this factor."""

    at: Share
    factor: Share


@dataclass(frozen=True)
class Multiplier:
    """The team's attainment becomes a factor on the named components, objectives and bonuses.

    The first factor holds below its row, the last one above its own. Below `gate` the factor is 0.
    boundary: which side owns a row or the gate when attainment lies exactly on it.
    """

    components: tuple[str, ...]
    rows: tuple[FactorRow, ...]
    kind: TableKind = TableKind.STEPS
    gate: Share | None = None
    boundary: Boundary = Boundary.UPPER

    def factor(self, attainment: Fraction) -> Fraction:
        """The exact factor for the team's attainment (1 is 100 %)."""

        def is_reached(bound: Fraction) -> bool:
            return attainment > bound or (attainment == bound and self.boundary is Boundary.UPPER)

        if self.gate and not is_reached(self.gate.value):
            return Fraction(0)
        reached = [row for row in self.rows if is_reached(row.at.value)]
        if not reached:
            return self.rows[0].factor.value
        if self.kind is TableKind.STEPS or len(reached) == len(self.rows):
            return reached[-1].factor.value
        low, high = reached[-1], self.rows[len(reached)]
        part = (attainment - low.at.value) / (high.at.value - low.at.value)
        return low.factor.value + part * (high.factor.value - low.factor.value)


@dataclass(frozen=True)
class Limit:
    """Cap and floor of one component, objective or bonus, or (without one) of the whole plan.

    A share is one of the target pay of the period, or of the year to date.
    """

    component: str | None = None
    cap: Pay | None = None
    floor: Pay | None = None
    basis: Basis = Basis.PERIOD

    @property
    def key(self) -> str:
        """Names the limit in year-to-date totals."""
        return self.component or ""


@dataclass(frozen=True)
class Draw:
    """An advance on pay for periods that begin within [first_day, last_day].

    amount: for a full period. most_recovered: greatest share of a period's earnings that may be taken back in it.
    forgiven_on: the day on which what is still owed is forgiven; needed by kind `forgiven` and by no other.
    key: keeps balances of different draws apart.
    """

    amount: Pay
    kind: DrawKind = DrawKind.RECOVERABLE
    mode: DrawMode = DrawMode.TOP_UP
    first_day: date | None = None
    last_day: date | None = None
    most_recovered: Share | None = None
    forgiven_on: date | None = None
    key: str = "draw"

    def is_active(self, day: date) -> bool:
        """Whether a period that begins on this day has the draw."""
        return (self.first_day is None or self.first_day <= day) and (self.last_day is None or day <= self.last_day)


@dataclass(frozen=True)
class Instalment:
    """A share of a line, due so many days after the line's day."""

    share: Share
    days: int = 0


@dataclass(frozen=True)
class Release:
    """When lines of the named components are paid: parts for instalments, days for a hold.

    Without names it is for all components, but not for objectives and bonuses.
    """

    kind: ReleaseKind
    components: tuple[str, ...] = ()
    parts: tuple[Instalment, ...] = ()
    days: int = 0


@dataclass(frozen=True)
class ClawbackStep:
    """Until so many days after the booking (the day itself excluded) this share is taken back."""

    until_days: int
    share: Share


@dataclass(frozen=True)
class Clawback:
    """How much of what was already paid for a cancelled line is taken back, by days since its booking.

    Nothing after the last step. With `is_linear` the share goes in a straight line from step to step: all until day
    90 and none at day 365 is "all before 90 days, then pro rata until 365".
    """

    steps: tuple[ClawbackStep, ...]
    is_linear: bool = False

    def share(self, days: int) -> Fraction:
        """The exact share taken back so many days after the booking."""
        before: ClawbackStep | None = None
        for step in self.steps:
            if days < step.until_days:
                if before is None or not self.is_linear:
                    return step.share.value
                part = Fraction(days - before.until_days, step.until_days - before.until_days)
                return before.share.value + part * (step.share.value - before.share.value)
            before = step
        return Fraction(0)


@dataclass(frozen=True)
class Terms:
    """All that a plan says about settlement. Without anything, what is earned is paid."""

    currency: str
    objectives: tuple[Objective, ...] = ()
    bonuses: tuple[Bonus, ...] = ()
    multiplier: Multiplier | None = None
    limits: tuple[Limit, ...] = ()
    draw: Draw | None = None
    releases: tuple[Release, ...] = ()
    clawback: Clawback | None = None
    order: SettlementOrder = SettlementOrder.BONUS_CAP_DRAW
    negative: NegativePayout = NegativePayout.CARRY_FORWARD
    leaver: Leaver = Leaver.CREDITED_BEFORE

    @property
    def uses_target(self) -> bool:
        """Whether target pay is needed."""
        pays: list[Number | None] = [pay for limit in self.limits for pay in (limit.cap, limit.floor)]
        pays += [bonus.pays for bonus in self.bonuses]
        pays += [self.draw.amount] if self.draw else []
        return bool(self.objectives) or any(pay is not None and pay.unit is Unit.TARGET_SHARE for pay in pays)

    def is_forfeiting(self, is_leaving: bool) -> bool:
        """Whether somebody loses what a period earns and what is held: they have left by its end, and keep only what
        was paid before.
        """
        return is_leaving and self.leaver is Leaver.PAID_BEFORE

    @cached_property
    def bonus_keys(self) -> frozenset[str]:
        """The keys of objectives and bonuses."""
        return frozenset((*(item.key for item in self.objectives), *(item.key for item in self.bonuses)))

    def is_bonus(self, component: str) -> bool:
        """Whether a component is an objective, a bonus or the prize of a contest."""
        return component in self.bonus_keys or component.startswith(CONTEST)

    def release_of(self, component: str) -> Release:
        """How lines of a component are released: by the first release that names it, or is for all.

        Objectives and bonuses are paid at once unless they are named.
        """
        is_bonus = self.is_bonus(component)
        for release in self.releases:
            if component in release.components or (not release.components and not is_bonus):
                return release
        return AT_ONCE

    def as_plain(self) -> dict[str, Any]:
        """The terms as plain JSON data, with the numbers as they were written."""
        plain: dict[str, Any] = as_plain(self)
        return plain


AT_ONCE: Final = Release(ReleaseKind.AT_ONCE)


def terms_from_plain(data: object, where: str = "settlement") -> Outcome[Terms]:
    """Read what `Terms.as_plain` wrote, or what a person did; everything wrong comes back with its place."""
    outcome = from_plain(Terms, data, where)
    if outcome.value is None:
        return outcome
    problems = terms_problems(outcome.value, where)
    return Outcome.bad(*problems) if problems else outcome


def terms_problems(terms: Terms, where: str = "settlement") -> list[Problem]:
    """What is wrong with terms that can be read: lists out of order, shares that do not add up, names used twice."""
    problems = [
        *_twice([*(item.key for item in terms.objectives), *(item.key for item in terms.bonuses)], where),
        *_twice([f"{limit.basis}:{limit.key}" for limit in terms.limits], f"{where}.limits"),
    ]
    named = {
        "objectives": [objective.key for objective in terms.objectives],
        "bonuses": [bonus.key for bonus in terms.bonuses],
    }
    for name, keys in named.items():
        problems.extend(
            _wrong(f"{where}.{name}[{index}].key", key) for index, key in enumerate(keys) if key.startswith(CONTEST)
        )
    for index, bonus in enumerate(terms.bonuses):
        if bonus.most_count is not None and bonus.most_count < 1:
            problems.append(_wrong(f"{where}.bonuses[{index}].most_count", bonus.most_count))
    for index, limit in enumerate(terms.limits):
        place = f"{where}.limits[{index}]"
        if limit.cap is None and limit.floor is None:
            problems.append(_wrong(place, limit.key))
        elif limit.cap and limit.floor and limit.cap.unit is limit.floor.unit and limit.floor.value > limit.cap.value:
            problems.append(_wrong(f"{place}.floor", limit.floor.text))
    if terms.multiplier:
        problems.extend(_multiplier_problems(terms.multiplier, f"{where}.multiplier"))
    if terms.draw:
        problems.extend(_draw_problems(terms.draw, f"{where}.draw"))
    for index, release in enumerate(terms.releases):
        problems.extend(_release_problems(release, f"{where}.releases[{index}]"))
    if terms.clawback:
        steps = terms.clawback.steps
        problems.extend(_order_problems([step.until_days for step in steps], f"{where}.clawback.steps"))
        problems.extend(
            _wrong(f"{where}.clawback.steps[{index}]", step.share.text)
            for index, step in enumerate(steps)
            if step.share.value > 1 or not 0 <= step.until_days <= MOST_DAYS
        )
        if terms.clawback.is_linear and steps and steps[-1].share.value:
            problems.append(_wrong(f"{where}.clawback.steps[{len(steps) - 1}].share", steps[-1].share.text))
    return problems


def _multiplier_problems(multiplier: Multiplier, where: str) -> list[Problem]:
    problems = _order_problems([row.at.value for row in multiplier.rows], f"{where}.rows")
    if multiplier.kind is TableKind.POINTS and len(multiplier.rows) == 1:
        problems.append(_wrong(f"{where}.rows", 1))
    if not multiplier.components:
        problems.append(_wrong(f"{where}.components", "[]"))
    problems.extend(
        _wrong(f"{where}.rows[{index}].factor", row.factor.text)
        for index, row in enumerate(multiplier.rows)
        if row.factor.value > MOST_FACTOR
    )
    return problems


def _draw_problems(draw: Draw, where: str) -> list[Problem]:
    problems = []
    if draw.first_day and draw.last_day and draw.last_day < draw.first_day:
        problems.append(_wrong(f"{where}.last_day", draw.last_day))
    if (draw.kind is DrawKind.FORGIVEN) != (draw.forgiven_on is not None):
        problems.append(_wrong(f"{where}.forgiven_on", draw.forgiven_on))
    if draw.most_recovered and draw.most_recovered.value > 1:
        problems.append(_wrong(f"{where}.most_recovered", draw.most_recovered.text))
    return problems


def _release_problems(release: Release, where: str) -> list[Problem]:
    problems = []
    if (release.kind is ReleaseKind.INSTALMENTS) != bool(release.parts):
        problems.append(_wrong(f"{where}.parts", len(release.parts)))
    if release.parts and sum((part.share.value for part in release.parts), Fraction(0)) != 1:
        problems.append(
            Problem.of(
                "instalments-not-whole",
                gettext_noop("The instalments do not add up to the whole."),
                where=f"{where}.parts",
                remedy=gettext_noop('Write thirds as "1/3".'),
            )
        )
    for part in release.parts:
        if not 0 <= part.days <= MOST_DAYS:
            problems.append(_wrong(f"{where}.parts", part.days))
    if (release.kind is ReleaseKind.HOLD) != (release.days > 0) or release.days > MOST_DAYS:
        problems.append(_wrong(f"{where}.days", release.days))
    return problems


def _order_problems(bounds: list[Any], where: str) -> list[Problem]:
    if bounds and all(low < high for low, high in itertools.pairwise(bounds)):
        return []
    return [
        Problem.of(
            "settlement-unordered",
            gettext_noop("The rows are not in order, or there are none."),
            where=where,
            remedy=gettext_noop("List rows from low to high, each once."),
        )
    ]


def _twice(keys: list[str], where: str) -> list[Problem]:
    return [
        Problem.of(
            "settlement-key-twice",
            gettext_noop("%(key)s is listed twice."),
            where=where,
            remedy=gettext_noop("List it once."),
            key=key,
        )
        for key in sorted({key for key in keys if keys.count(key) > 1})
    ]


def _wrong(where: str, value: object) -> Problem:
    return Problem.of(
        "settlement-impossible",
        gettext_noop("%(value)s is not possible here."),
        where=where,
        remedy=gettext_noop("Correct it together with the fields beside it."),
        value=value,
    )
