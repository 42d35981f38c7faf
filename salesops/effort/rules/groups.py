"""Figures of a group that tell nothing of one of its people: least sizes, nobody too heavy, nothing by difference."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

#: From so many people on there are a mean, a median and quartiles; from so many the outer tenths.
LEAST: Final = 5
LEAST_FOR_TENTHS: Final = 10
#: Nobody may make up more of a sum than this.
MOST_SHARE: Final = Fraction(1, 4)
#: Beside those of whom the reader knows, there are at least so many others.
LEAST_OTHERS: Final = 4

Why = Literal["few", "heavy", "others", "difference"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What may be said of a group, in hundredths of a point rounded to whole points: never the least, never the most."""

    count: int
    mean: int
    median: int
    p25: int
    p75: int
    p10: int | None = None
    p90: int | None = None


@dataclass(frozen=True, slots=True)
class TooFew:
    """Nothing is said of the group, and why. How many there are is not said either."""

    why: Why


def percentile(values: Sequence[int], share: Fraction) -> Fraction:
    """Between the two nearest of the sorted values, in proportion. Raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    rows = sorted(values)
    place = share * (len(rows) - 1)
    low = place.__floor__()
    high = min(low + 1, len(rows) - 1)
    return rows[low] + (place - low) * (rows[high] - rows[low])


def figures_of(values: Sequence[int], *, least: int = LEAST) -> Figures | TooFew:
    """The figures of a group of scores (none below zero), or that there are too few.

    least is a setting that can only make it stricter.
    """
    count = len(values)
    if count < max(least, LEAST):
        return TooFew("few")
    total = sum(values)
    if total and max(values) > MOST_SHARE * total:
        return TooFew("heavy")

    def at(share: Fraction) -> int:
        return _whole(percentile(values, share))

    has_tenths = count >= max(LEAST_FOR_TENTHS, least)
    return Figures(
        count=count,
        mean=_whole(Fraction(total, count)),
        median=at(Fraction(1, 2)),
        p25=at(Fraction(1, 4)),
        p75=at(Fraction(3, 4)),
        p10=at(Fraction(1, 10)) if has_tenths else None,
        p90=at(Fraction(9, 10)) if has_tenths else None,
    )


def _whole(value: Fraction) -> int:
    """Hundredths to the nearest whole point, in hundredths: the middle one of five is somebody's score."""
    return int((value / 100 + Fraction(1, 2)).__floor__()) * 100


def disclose(
    divisions: Sequence[Mapping[str, Mapping[int, int]]], *, known: Collection[int] = (), least: int = LEAST
) -> list[dict[str, Figures | TooFew]]:
    """The figures of the groups {name: {person: score}} of one or two divisions for one reader, the largest group first.

    known: whose scores the reader knows anyway (their own, those of the people below them). A group is left out when
    fewer than four others are in it, or when its sum together with those shown would give the sum of fewer than so many.
    Raises ValueError where somebody is in two groups of one division, or for more than two divisions.
    """
    if len(divisions) > 2 or any(len(set().union(*each.values())) < sum(map(len, each.values())) for each in divisions):
        raise ValueError("at most two divisions, and each person once in each")
    seen = frozenset(known)
    found: list[dict[str, Figures | TooFew]] = [{} for _each in divisions]
    shown: list[list[frozenset[int]]] = [[], []]
    order = sorted(
        (-len(scores), side, name) for side, groups in enumerate(divisions) for name, scores in groups.items()
    )
    for _size, side, name in order:
        scores = divisions[side][name]
        figures = figures_of(list(scores.values()), least=least)
        others = frozenset(scores) - seen
        if isinstance(figures, Figures) and len(others) < LEAST_OTHERS:
            figures = TooFew("others")
        if isinstance(figures, Figures):
            shown[side].append(others)
            if smallest_sum(*shown) < LEAST_OTHERS:
                figures = TooFew("difference")
                shown[side].pop()
        found[side][name] = figures
    return found


def smallest_sum(first: Sequence[frozenset[int]], second: Sequence[frozenset[int]]) -> int:
    """The fewest people whose sum can be had by adding and subtracting the sums of these groups; none share a division.

    Groups are points, a person is a line between their two groups (or from one to a point that stands for no group).
    Give each group of the first division a factor and each of the second the opposite of one: a person stays in the sum
    exactly where the factors at both ends differ, so what can be had with the fewest is a smallest cut of a connected
    part (Stoer and Wagner). Very many where there is no group.
    """
    place: list[dict[int, int]] = [{}, {}]
    count = 1  # 0 stands for no group
    for side, groups in enumerate((first, second)):
        for group in groups:
            place[side] |= dict.fromkeys(group, count)
            count += 1
    lines = [[0] * count for _row in range(count)]
    for person in {**place[0], **place[1]}:
        one, other = place[0].get(person, 0), place[1].get(person, 0)
        lines[one][other] += 1
        lines[other][one] += 1
    return min((_smallest_cut(lines, part) for part in _connected(lines) if len(part) > 1), default=_VERY_MANY)


_VERY_MANY: Final = 1 << 60


def _connected(lines: list[list[int]]) -> list[list[int]]:
    """The parts that hang together."""
    left, parts = set(range(len(lines))), []
    while left:
        part = [left.pop()]
        for point in part:
            near = {other for other in left if lines[point][other]}
            left -= near
            part.extend(near)
        parts.append(part)
    return parts


def _smallest_cut(lines: list[list[int]], part: list[int]) -> int:
    """The weight of the lightest cut of a part that hangs together."""
    weight = {one: {other: lines[one][other] for other in part if other != one} for one in part}
    best = _VERY_MANY
    while len(weight) > 1:
        start = next(iter(weight))
        order, pull = [start], dict(weight[start])
        while pull:
            last = max(pull, key=lambda point: pull[point])
            cut = pull.pop(last)
            order.append(last)
            for other, value in weight[last].items():
                if other in pull:
                    pull[other] += value
        best = min(best, cut)
        into, gone = order[-2], order[-1]
        for other, value in weight.pop(gone).items():
            if other != into:
                weight[into][other] += value
                weight[other][into] += value
                del weight[other][gone]
        del weight[into][gone]
    return best
