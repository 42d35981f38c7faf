"""A payout curve as the points of a drawing: the line, the quota, and the stretch that one credit moved along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.plans import Component, PlanDefinition, curve_for
from salesops.commissions.rules.shapes import Measure
from salesops.values.outcomes import Outcome

#: The drawing's own units; the page scales it.
WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 32
#: For whom a component is drawn that names no quota, target pay or rate of its own.
SOME_QUOTA, SOME_COUNT, SOME_TARGET_MINOR, SOME_RATE = 10_000_000, 100, 1_000_000, Fraction(1, 10)


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with a label, at a credited total in minor units."""

    at_minor: int
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a label, at a pay in minor units."""

    at_minor: int
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template draws: points as SVG takes them, axis ends in minor units; `is_count` where things are counted."""

    line: str
    stretch: str
    dots: list[tuple[float, float]]
    marks: list[Mark]
    most_x_minor: int
    most_y_minor: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM
    right: int = WIDTH - RIGHT
    top: int = TOP
    level: Level | None = None
    is_count: bool = False


def draw_component(
    plan: PlanDefinition, component: Component, *, quota_label: str, target_label: str
) -> Outcome[Drawing]:
    """The curve of a component for the person it is designed for, with quota and target pay; or why there is none."""
    is_count = component.measure is Measure.COUNT
    quota = component.standard_quota or (SOME_COUNT if is_count else SOME_QUOTA)
    target = component.standard_target_minor or SOME_TARGET_MINOR
    outcome = curve_for(plan, component, quota=quota, target_minor=target, personal_rate=SOME_RATE)
    if outcome.value is None:
        return Outcome.bad(*outcome.problems)
    is_for_somebody = component.standard_quota is not None or component.shape.uses_quota
    drawing = draw(
        outcome.value,
        credited=quota,
        quota=quota if is_for_somebody else None,
        quota_label=quota_label,
        target=target if component.standard_target_minor or component.shape.uses_target else None,
        target_label=target_label,
        is_count=is_count,
    )
    return Outcome.good(drawing if is_for_somebody else replace(drawing, dots=[]))


def draw(
    curve: Curve,
    *,
    credited: int,
    quota: int | None,
    quota_label: str,
    moved: tuple[int, int] | None = None,
    target: int | None = None,
    target_label: str = "",
    is_count: bool = False,
) -> Drawing:
    """Draw a curve from nothing to a little beyond what is credited and the quota; all totals in units of the measure.

    target: pay in minor units at which a horizontal line is drawn, where the curve comes near it.
    """
    starts = [int(segment.start) for segment in curve.segments if segment.start > 0]
    most_x = max(
        [
            credited,
            quota or 0,
            *(start for start in starts if start <= 3 * max(credited, quota or 0, 1)),
            *(moved or ()),
            10 if is_count else 100,
        ]
    )
    most_x = most_x * 115 // 100
    steps = sorted(
        {
            0,
            most_x,
            *(start for start in starts if start < most_x),
            *(start - 1 for start in starts if 0 < start - 1 < most_x),
        }
    )
    heights = [curve.height(x) for x in steps]
    most_y = max([*heights, Fraction(1)])
    least_y = min([*heights, Fraction(0)])

    def place(x: int, y: Fraction) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * float(Fraction(max(x, 0), most_x))
        up = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * float((y - least_y) / (most_y - least_y))
        return round(across, 1), round(up, 1)

    def points(places: list[tuple[int, Fraction]]) -> str:
        return " ".join(f"{x},{y}" for x, y in (place(*each) for each in places))

    stretch, dots = "", [place(credited, curve.height(credited))] if moved is None else []
    if moved is not None:
        low, high = sorted(moved)
        inner = [step for step in steps if low < step < high]
        stretch = points([(x, curve.height(x)) for x in [low, *inner, high]])
        dots = [place(low, curve.height(low)), place(high, curve.height(high))]
    marks = [Mark(quota, place(quota, least_y)[0], quota_label)] if quota else []
    level = Level(target, place(0, Fraction(target))[1], target_label) if target and target <= most_y else None
    return Drawing(
        line=points(list(zip(steps, heights, strict=True))),
        stretch=stretch,
        dots=dots,
        marks=marks,
        most_x_minor=most_x,
        most_y_minor=int(most_y),
        level=level,
        is_count=is_count,
    )
