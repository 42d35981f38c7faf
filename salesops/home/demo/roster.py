"""Who takes which work on which day: membership, function, ramp, leave and leavers. Pure."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from typing import Final

from salesops.home.demo.calendar import HISTORY
from salesops.home.demo.company import GROUPS, POD_NUMBERS, PODS, Company, Person

#: Days until somebody new carries a full load.
_RAMP: Final = 90
_NEVER: Final = 1 << 30
#: Working time is known for this many days before the two years begin.
_LEAD_IN: Final = 35


def ramp(days: int) -> float:
    """How much of a full load somebody carries after so many days, from 0.2 to 1."""
    return min(1.0, 0.2 + 0.8 * max(0, days) / _RAMP)


class Roster:
    """Picks people for work. People are known by their numbers; -1 is nobody."""

    def __init__(self, company: Company, *, now: int) -> None:
        self._people = company.people
        self._first = company.today - HISTORY - _LEAD_IN
        self.times = [person.working_time(today=company.today, now=now) for person in company.people]
        self.skills = [person.skill for person in company.people]
        self.started = [person.started for person in company.people]
        self.left = [person.left if person.left is not None else _NEVER for person in company.people]
        self.heirs = [company.by_key[person.heir].number if person.heir else -1 for person in company.people]
        self.leads = [company.by_key[f"{pod.key}_lead"].number for pod in PODS]
        weeks = (company.today - self._first) // 7 + 1
        self._picks = {
            (pod, group): [self._week(pod, group, self._first + 7 * week) for week in range(weeks)]
            for pod in range(len(PODS))
            for group in ("front", "closer", "keeper")
        }

    def _week(self, pod: int, group: str, day: int) -> tuple[list[float], list[int]]:
        """The people of a pod and group in the week from a day on, with running sums of their loads."""
        loads: list[float] = []
        numbers: list[int] = []
        for person in self._people:
            load = self._load(person, pod, group, day)
            if load > 0:
                loads.append(load)
                numbers.append(person.number)
        return list(itertools.accumulate(loads)), numbers

    @staticmethod
    def _load(person: Person, pod: int, group: str, day: int) -> float:
        for held in person.pods:
            if POD_NUMBERS[held.value] == pod and GROUPS[held.function] == group and held.holds_on(day):
                break
        else:
            return 0.0
        if person.left is not None and day + 7 > person.left:
            return 0.0
        away = any(leave.start <= day and leave.end is not None and leave.end >= day + 5 for leave in person.leaves)
        return ramp(day + 7 - person.started) * (0.05 if away else 1.0) * len(person.weekdays) / 5

    def pick(self, pod: int, group: str, day: int, share: float) -> int:
        """Somebody of the group in the pod on the day, by load; -1 where the pod has nobody."""
        sums, numbers = self._picks[pod, group][(day - self._first) // 7]
        return numbers[bisect_right(sums, share * sums[-1])] if sums else -1

    def has(self, pod: int, group: str, day: int) -> bool:
        """Whether a pod has anybody of the group on a day."""
        return bool(self._picks[pod, group][(day - self._first) // 7][1])

    def on_duty(self, person: int, day: int) -> int:
        """The person, or who took over from them if they had left by the day."""
        return person if day < self.left[person] else self.heirs[person]

    def function(self, person: int, day: int) -> str:
        """A person's job function on a day, or the one nearest to it."""
        functions = self._people[person].functions
        return next((held.value for held in reversed(functions) if held.start <= day), functions[0].value)

    def ramped(self, person: int, day: int) -> float:
        """How far a person was ramped on a day, from 0.2 to 1."""
        return ramp(day - self.started[person])
