"""A pool at work: who can take a lead now and who not, and why; whose turn it is; and what that leaves behind."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from salesops.leads.rules.rotation import (
    LEAD,
    Candidate,
    Method,
    Return,
    Turn,
    caught_up,
    day_cap,
    missed_share,
    take_turn,
)


class Why(enum.StrEnum):
    """Why somebody cannot take a lead at the moment of picking."""

    INACTIVE = "inactive"
    OUT = "out"
    NO_WEIGHT = "no-weight"
    AWAY = "away"
    OFF_HOURS = "off-hours"
    OTHER_LEADS = "other-leads"
    CAP_OPEN = "cap-open"
    CAP_DAY = "cap-day"
    CAP_30_DAYS = "cap-30-days"
    HAD_IT = "had-it"


def thousandths(credit: int) -> int:
    """A credit in thousandths of a lead, halves away from zero: as it is told; it is kept exactly."""
    told = (2_000 * abs(credit) + LEAD) // (2 * LEAD)
    return told if credit >= 0 else -told


@dataclass(slots=True, kw_only=True)
class Member(Candidate):
    """Somebody in a pool, as they stand now: the numbers move with each lead.

    person: who. absent: why they can take nothing at this moment (INACTIVE, AWAY, OFF_HOURS), or None. takes: says of a
    lead whether it is one of theirs. missed: parts of a lead they were not there for. today, in_30_days: leads they got.
    """

    person: int
    missed: int = 0
    is_in: bool = True
    absent: Why | None = None
    takes: Callable[[Mapping[str, Any]], bool] | None = None
    cap_open: int | None = None
    cap_day: int | None = None
    cap_30_days: int | None = None
    today: int = 0
    in_30_days: int = 0

    def cannot(self, lead: Mapping[str, Any], had_it: frozenset[int] = frozenset()) -> Why | None:
        """Why they cannot take this lead now; None where they can."""
        if not self.is_in:
            return Why.OUT
        if self.absent is Why.INACTIVE:
            return Why.INACTIVE
        if not self.weight:
            return Why.NO_WEIGHT
        if self.person in had_it:
            return Why.HAD_IT
        if self.takes is not None and not self.takes(lead):
            return Why.OTHER_LEADS
        if self.absent is not None:
            return self.absent
        if self.cap_open is not None and self.open_leads >= self.cap_open:
            return Why.CAP_OPEN
        if self.cap_day is not None and self.today >= self.cap_day:
            return Why.CAP_DAY
        if self.cap_30_days is not None:
            if self.in_30_days >= self.cap_30_days:
                return Why.CAP_30_DAYS
            if self.today >= day_cap(self.cap_30_days):
                return Why.CAP_DAY
        return None


@dataclass(frozen=True, slots=True)
class Given:
    """What came of a lead in a pool.

    picked: the member who takes it; None where nobody can. turn: what it changed. value: of the lead. returns: what pools give back after
    leave before this turn, (member, changes) each. path: as plain data, for people to read later.
    """

    picked: Member | None
    turn: Turn | None = None
    value: int | None = None
    returns: tuple[tuple[int, Mapping[int, int]], ...] = ()
    path: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class PoolAtWork:
    """A pool whose row is locked: takes one lead after the other."""

    key: int
    method: Method
    members: Sequence[Member]
    on_return: Return = Return.KEEP
    quantum: int = 0
    turn_of: int | None = None
    changed: set[int] = field(default_factory=set)

    def give(
        self,
        lead: Mapping[str, Any],
        *,
        at: int,
        value: int | None = None,
        had_it: frozenset[int] = frozenset(),
        forced: int | None = None,
    ) -> Given:
        """Let somebody take a lead: whose turn it is, or `forced` (a member), whether or not they could by themselves.

        at: the moment as a number that grows. value: of the lead, minor units. had_it: people who are not to get it again.
        """
        able: list[Member] = []
        out: list[tuple[Member, Why]] = []
        for member in self.members:
            why = member.cannot(lead, had_it)
            if why is None:
                able.append(member)
            else:
                out.append((member, why))
        by_key = {member.key: member for member in self.members}
        if not able and forced is None:
            return Given(None, path=self._path([], out, {}, None))
        returns = self._let_catch_up(able, by_key)
        before = {member.key: member.credit for member in able}
        candidates = able
        if not able and forced is not None:
            candidates = [by_key[forced]]
            if not by_key[forced].weight:
                return Given(by_key[forced], path=self._path([], out, {}, forced))
        turn = take_turn(
            candidates, self.method, value=value, quantum=self.quantum, turn_of=self.turn_of, forced=forced
        )
        for key, parts in turn.changes.items():
            by_key[key].credit += parts
        for key, left in turn.deficits.items():
            by_key[key].deficit = left
        self.turn_of = turn.turn_of
        self._remember_missed(candidates, out)
        picked = by_key[turn.picked]
        picked.idle_since = at
        picked.open_leads += 1
        picked.today += 1
        picked.in_30_days += 1
        self.changed.update((*turn.changes, *turn.deficits, picked.key))
        return Given(picked, turn, value, tuple(returns), self._path(able, out, before, turn.picked))

    def _let_catch_up(self, able: Sequence[Member], by_key: Mapping[int, Member]) -> list[tuple[int, dict[int, int]]]:
        """Whoever is back from leave gets what the pool promises for it, once."""
        found = []
        for member in able:
            if not member.missed:
                continue
            changes = caught_up(member.missed, self.on_return, member.key, able)
            for key, parts in changes.items():
                by_key[key].credit += parts
            member.missed = 0
            self.changed.update((member.key, *changes))
            if changes:
                found.append((member.key, changes))
        return found

    def _remember_missed(self, candidates: Sequence[Candidate], out: Sequence[tuple[Member, Why]]) -> None:
        if self.on_return is Return.KEEP:
            return
        for member, why in out:
            if why is Why.AWAY:
                member.missed += missed_share(member.weight, candidates, self.method)
                self.changed.add(member.key)

    def _path(
        self, able: Sequence[Member], out: Sequence[tuple[Member, Why]], before: Mapping[int, int], picked: int | None
    ) -> dict[str, Any]:
        """candidates: [person, weight, credit before, credit after, open leads], credits in thousandths of a lead; out: [person, why]."""
        return {
            "pool": self.key,
            "method": self.method.value,
            "candidates": [
                [each.person, each.weight, thousandths(before[each.key]), thousandths(each.credit), each.open_leads]
                for each in able
            ],
            "out": [[each.person, why.value] for each, why in out],
        }
