"""The effort score: Σ of actual ÷ target × weight, each part capped; its band; when a check-in may help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

#: The weights of a job function add up to this, so that who meets every target has this score.
WHOLE: Final = 100
#: A week with less working time than this is shown, and never a reason for a check-in.
LEAST_DAYS: Final = Fraction(2)


@dataclass(frozen=True, slots=True)
class Target:
    """What is expected of one kind of work: so many on a full working day, and how much it weighs (of 100)."""

    kind: str
    per_day: Decimal
    weight: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What was done of one kind: how often, and how often with a good outcome."""

    count: int
    good: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One kind's share of a score, exact. target: for the days that were worked. points: after the cap."""

    kind: str
    count: int
    good: int
    target: Fraction
    weight: int
    points: Fraction
    is_capped: bool


def points_per_unit(target: Target) -> Fraction:
    """What one of a kind is worth on one full working day: weight ÷ target."""
    return Fraction(target.weight) / Fraction(target.per_day)


def parts_of(
    targets: Iterable[Target], counts: Mapping[str, Counted], *, days: Fraction, cap_percent: int | None
) -> tuple[Part, ...]:
    """The parts of a score over so many working days (a half day is a half). Without a cap parts are as large as they are.

    Raises ValueError where no day was worked or a target is not above zero: there is nothing to divide by.
    """
    if days <= 0:
        raise ValueError("no working day to divide by")
    found = []
    for each in targets:
        if each.per_day <= 0:
            raise ValueError(f"the target of {each.kind} is not above zero")
        done = counts.get(each.kind, Counted(0))
        expected = Fraction(each.per_day) * days
        points = Fraction(done.count) / expected * each.weight
        most = Fraction(each.weight * cap_percent, 100) if cap_percent is not None else points
        found.append(
            Part(each.kind, done.count, done.good, expected, each.weight, min(points, most), is_capped=points > most)
        )
    return tuple(found)


def score_of(parts: Iterable[Part]) -> Fraction:
    """The sum of the parts, exact."""
    return sum((part.points for part in parts), Fraction(0))


def hundredths(value: Fraction) -> int:
    """Hundredths of a point, half up: what is kept and shown."""
    return int((value * 100 + Fraction(1, 2)).__floor__())


def band_of(score: int, *, low_below: int = 40, high_above: int = 75) -> Literal["low", "middle", "high"]:
    """The band of a score in hundredths; the edges, in points, belong to the middle."""
    if score < low_below * 100:
        return "low"
    return "high" if score > high_above * 100 else "middle"


def check_in(
    score: int, before: int | None, *, alert_below: int = 30, drop_percent: int = 20
) -> Literal["", "low", "drop"]:
    """Why a check-in may help after a week, and whether at all: a coaching talk, never a measure against somebody.

    score and before (the week worked before it) are in hundredths; alert_below in points.
    """
    if score < alert_below * 100:
        return "low"
    return "drop" if before is not None and is_drop(score, before, drop_percent=drop_percent) else ""


def is_drop(score: int, before: int, *, drop_percent: int) -> bool:
    """Whether a score fell by more than so many per cent."""
    return (before - score) * 100 > drop_percent * before


def quality_bp(parts: Iterable[tuple[int, int]]) -> int | None:
    """The share of (count, good) that went well, in hundredths of a per cent; None where nothing was done."""
    pairs = list(parts)
    count, good = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    return (good * 20_000 + count) // (count * 2) if count else None


def problems_of(targets: Iterable[Target]) -> list[Literal["none", "weights", "target"]]:
    """Why the targets of a job function cannot be put in force; nothing when they can."""
    rows = list(targets)
    if not rows:
        return ["none"]
    found: list[Literal["none", "weights", "target"]] = []
    if sum(row.weight for row in rows) != WHOLE or any(row.weight <= 0 for row in rows):
        found.append("weights")
    if any(row.per_day <= 0 for row in rows):
        found.append("target")
    return found
