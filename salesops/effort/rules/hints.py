"""What may help somebody, from what works in the same job function; only where the groups are large enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from salesops.effort.rules.groups import LEAST, LEAST_OTHERS

#: A share must differ by so much, in hundredths of a per cent, before anything is said.
CLEARLY_BP: Final = 1_000
#: Nothing is said of shares of fewer pieces than this.
LEAST_PIECES: Final = 10
#: Or a rate by so much of the other.
CLEARLY: Final = Fraction(6, 5)


@dataclass(frozen=True, slots=True)
class Worked:
    """What one person did over some weeks: working days, and (count, good) by kind."""

    days: Fraction
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint. what: "quality" (a kind goes well more often for others), "more" (those with whom things go well do
    more of a kind), "busier" (more was done than before and a smaller part of it went well).

    own and theirs: hundredths of a per cent for "quality" and "busier", hundredths of a piece a day for "more".
    """

    what: Literal["quality", "more", "busier"]
    kind: str
    own: int
    theirs: int
    people: int = 0


def is_busier_not_better(before: tuple[int, int], now: tuple[int, int]) -> bool:
    """Whether more was done and a smaller part of it went well: (count, good) before and now."""
    if not before[0] or not now[0]:
        return False
    return now[0] > before[0] and Fraction(now[1], now[0]) < Fraction(before[1], before[0])


def share_bp(pair: tuple[int, int]) -> int:
    """The good part of (count, good) in hundredths of a per cent; 0 of nothing."""
    return round(Fraction(pair[1] * 10_000, pair[0])) if pair[0] else 0


def hints_for(
    own: Worked, others: Sequence[Worked], *, kinds: Sequence[str], with_quality: Sequence[str], least: int = LEAST
) -> list[Hint]:
    """Hints from the others of the same function; none where the group, or the half it is about, is too small."""
    found: list[Hint] = []
    if len(others) < max(LEAST_OTHERS, least - 1) or own.days <= 0:
        return found
    for kind in with_quality:
        mine = own.counts.get(kind, (0, 0))
        theirs = _sum(others, kind)
        if _is_heavy(others, kind):
            continue
        if mine[0] >= LEAST_PIECES and theirs[0] and share_bp(theirs) - share_bp(mine) >= CLEARLY_BP:
            # In whole per cent: the share of the others to the hundredth would follow each of them.
            found.append(Hint("quality", kind, share_bp(mine), round(share_bp(theirs), -2), len(others)))
    better = _better_half(others, with_quality)
    if len(better) >= max(least, LEAST):
        for kind in kinds:
            days = sum((each.days for each in better), Fraction(0))
            if not days or _is_heavy(better, kind):
                continue
            their_rate = Fraction(_sum(better, kind)[0]) / days
            my_rate = Fraction(own.counts.get(kind, (0, 0))[0]) / own.days
            if their_rate > my_rate * CLEARLY:
                found.append(Hint("more", kind, round(my_rate * 100), round(their_rate * 100), len(better)))
    return found


def busier_hints(before: Worked, now: Worked, *, with_quality: Sequence[str]) -> list[Hint]:
    """Where somebody did more than before and a smaller part of it went well: about themselves, so of any group."""
    found = []
    for kind in with_quality:
        then, since = before.counts.get(kind, (0, 0)), now.counts.get(kind, (0, 0))
        is_enough = min(then[0], since[0]) >= LEAST_PIECES
        if is_enough and is_busier_not_better(then, since) and share_bp(then) - share_bp(since) >= CLEARLY_BP:
            found.append(Hint("busier", kind, share_bp(since), share_bp(then)))
    return found


def _sum(people: Sequence[Worked], kind: str) -> tuple[int, int]:
    return (
        sum(each.counts.get(kind, (0, 0))[0] for each in people),
        sum(each.counts.get(kind, (0, 0))[1] for each in people),
    )


def _is_heavy(people: Sequence[Worked], kind: str) -> bool:
    """Whether one of them makes up more than a quarter, so that the sum would tell of them."""
    counts = [each.counts.get(kind, (0, 0))[0] for each in people]
    return bool(sum(counts)) and max(counts) * 4 > sum(counts)


def _better_half(people: Sequence[Worked], kinds: Sequence[str]) -> list[Worked]:
    """The half with whom the larger share goes well; equals stay together outside."""
    shares = {
        place: share_bp(
            (sum(each.counts.get(k, (0, 0))[0] for k in kinds), sum(each.counts.get(k, (0, 0))[1] for k in kinds))
        )
        for place, each in enumerate(people)
    }
    ordered = sorted(shares.values(), reverse=True)
    edge = ordered[len(ordered) // 2] if ordered else 0
    return [each for place, each in enumerate(people) if shares[place] > edge]
