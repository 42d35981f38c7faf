"""The reporting line in time: whether a change would make a circle, and how ranges make room for each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Line:
    """`person` reports to `manager` on the days of [start_on, end_on); no end means until further notice."""

    person: int
    manager: int
    start_on: date
    end_on: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.start_on <= day and (self.end_on is None or day < self.end_on)


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle that a new line would close: from which day, and the people on it, in order, the first one again last."""

    on: date
    people: tuple[int, ...]


def first_circle(lines: Iterable[Line], new: Line) -> Circle | None:
    """The earliest circle that `new` would close with the lines that others have; None when it closes none.

    Lines of `new.person` are left out: the new one takes their place. The reporting line can only change on days on
    which a line starts, so those days within the new line are enough to look at.
    """
    others = [
        line
        for line in lines
        if line.person != new.person
        and (new.end_on is None or line.start_on < new.end_on)
        and (line.end_on is None or line.end_on > new.start_on)
    ]
    days = sorted({new.start_on, *(line.start_on for line in others if line.start_on > new.start_on)})
    for day in days:
        above = {line.person: line.manager for line in others if line.holds_on(day)}
        path, at = [new.person], new.manager
        seen = {new.person}
        while at not in seen:
            path.append(at)
            seen.add(at)
            if at not in above:
                break
            at = above[at]
        else:
            if at == new.person:
                return Circle(day, (*path, new.person))
    return None


def below(lines: Iterable[Line], manager: int) -> list[Line]:
    """Who was below a manager, directly or not, and when: one line to the manager for each way that held.

    >>> [(line.person, line.start_on.year) for line in below([Line(2, 1, date(2025, 1, 1)), Line(3, 2, date(2026, 1, 1))], 1)]
    [(2, 2025), (3, 2026)]
    """
    under: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        under[line.manager].append(line)
    found: list[Line] = []
    ways = [(line, frozenset((manager,))) for line in under[manager]]
    while ways:
        way, seen = ways.pop(0)
        if way.person in seen:
            continue
        found.append(Line(way.person, manager, way.start_on, way.end_on))
        for line in under.get(way.person, ()):
            start = max(line.start_on, way.start_on)
            ends = [end for end in (line.end_on, way.end_on) if end is not None]
            end = min(ends) if ends else None
            if end is None or start < end:
                ways.append((Line(line.person, manager, start, end), seen | {way.person}))
    return found
