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
    groups: Mapping[str, Mapping[int, int]], *, known: Collection[int] = (), least: int = LEAST
) -> dict[str, Figures | TooFew]:
    """The figures of several groups {name: {person: score}} for one reader, the largest group first.

    known: whose scores the reader knows anyway (their own, those of the people below them). A group is left out when
    fewer than four others are in it, or when its sum together with those shown would give the sum of fewer than so many.
    """
    seen = frozenset(known)
    found: dict[str, Figures | TooFew] = {}
    shown: list[frozenset[int]] = []
    for name in sorted(groups, key=lambda name: (-len(groups[name]), name)):
        scores = groups[name]
        figures = figures_of(list(scores.values()), least=least)
        others = frozenset(scores) - seen
        if isinstance(figures, Figures) and len(others) < LEAST_OTHERS:
            figures = TooFew("others")
        if isinstance(figures, Figures) and gives_away([*shown, others], least=LEAST_OTHERS):
            figures = TooFew("difference")
        if isinstance(figures, Figures):
            shown.append(others)
        found[name] = figures
    return found


def gives_away(groups: Sequence[frozenset[int]], *, least: int) -> bool:
    """Whether sums over these groups, added and subtracted at will, give the sum of fewer than `least` people.

    People who are in the same groups are one unknown. What can be had by adding and subtracting is the row space of the
    table of groups and unknowns; what stands alone in it shows in its reduced form, whichever order the unknowns have.
    """
    patterns: dict[tuple[bool, ...], int] = {}
    for person in frozenset().union(*groups):
        pattern = tuple(person in group for group in groups)
        patterns[pattern] = patterns.get(pattern, 0) + 1
    unknowns = sorted(patterns)
    sizes = [patterns[pattern] for pattern in unknowns]
    for turned in (range(len(unknowns)), range(len(unknowns) - 1, -1, -1)):
        order = list(turned)
        table = [[Fraction(int(unknowns[place][row])) for place in order] for row in range(len(groups))]
        for line in _reduced(table):
            if 0 < sum(sizes[place] for place, value in zip(order, line, strict=True) if value) < least:
                return True
    return False


def _reduced(table: list[list[Fraction]]) -> list[list[Fraction]]:
    """Reduced row echelon form."""
    rows = [list(row) for row in table]
    top = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((place for place in range(top, len(rows)) if rows[place][column]), None)
        if pivot is None:
            continue
        rows[top], rows[pivot] = rows[pivot], rows[top]
        head = rows[top][column]
        rows[top] = [value / head for value in rows[top]]
        for place, row in enumerate(rows):
            if place != top and row[column]:
                factor = row[column]
                rows[place] = [value - factor * base for value, base in zip(row, rows[top], strict=True)]
        top += 1
    return rows
