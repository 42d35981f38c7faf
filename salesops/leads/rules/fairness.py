"""How fair a pool has been: who is next, who got how much of what they were entitled to, how far they lie apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from salesops.leads.rules.rotation import LEAD, Candidate, Method, entitled, take_turn


@dataclass(frozen=True, slots=True)
class Part:
    """What somebody got in some time. got: leads, less those that came back. change: of their credit, parts of a lead."""

    got: int = 0
    change: int = 0

    @property
    def entitled(self) -> int:
        """To how much they were entitled, parts of a lead: a credit is what one was entitled to less what one got."""
        return self.got * LEAD + self.change


def who_is_next(
    candidates: Collection[Candidate], method: Method, *, quantum: int = 0, turn_of: int | None = None
) -> list[int]:
    """The keys of those with a weight, in the order in which they come, were a lead to come that all of them can take.

    The second is who would take it if the first could not. For turns by value the lead is one of unknown value.
    """
    able = [each for each in candidates if each.weight > 0]
    if method in (Method.EQUAL, Method.WEIGHTED):
        due = entitled(able, method) if able else {}
        return [each.key for each in sorted(able, key=lambda each: (-(each.credit + due[each.key]), each.tie))]
    order = []
    while able:
        picked = take_turn(able, method, quantum=quantum, turn_of=turn_of).picked
        order.append(picked)
        able = [each for each in able if each.key != picked]
    return order


def hundredths(parts: int) -> int:
    """Parts of a lead in hundredths of one, halves away from zero."""
    told = (200 * abs(parts) + LEAD) // (2 * LEAD)
    return told if parts >= 0 else -told


def gap(credits_now: Sequence[int]) -> int:
    """How far the one who is owed most lies from the one who is owed least, parts of a lead."""
    return max(credits_now) - min(credits_now) if credits_now else 0


def share_bp(part: int, whole: int) -> int | None:
    """Basis points, halves up; none of nothing."""
    return (20_000 * part + whole) // (2 * whole) if whole > 0 else None
