"""Whose turn it is: exact credits, so that everybody gets what their weight entitles them to, in whatever order leads come.

A member's credit is what they were entitled to less what they got, in parts of a lead. Each lead entitles those who can
take it to a share of it by weight, and costs whoever takes it one lead: the sum of all credits stays what it was. Who is
away or full is not entitled meanwhile and keeps their credit. The credit lives in the database, so that it makes no
difference whether leads come one by one or in a heap, who brings them in, or how often the portal starts anew.

Taking the largest credit is the smooth weighted round robin of nginx, told in leads instead of weights, so that it
stays fair when those who can take a lead change. Where it would leave somebody a whole lead behind later on, who has to
have theirs first goes first: see docs/routing.md.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Final

from salesops.values.money import round_half_up
from salesops.values.split import split_by_largest_remainder

#: Parts of a lead. Divisible by every number up to 22, so that the shares of usual pools are exact.
LEAD: Final = 6_983_776_800

#: How far below a whole lead anybody stays behind, in parts: above what rounding shares to parts can ever add up to.
_SLACK: Final = LEAD // 1_000_000

#: Further ahead than this many leads nobody is looked after: whoever took hundreds of leads by hand is no steady pool.
_LOOK_AHEAD: Final = 10_000


class Method(enum.StrEnum):
    """How the turns of a pool go; the values of choices.PoolMethod."""

    EQUAL = "equal"
    WEIGHTED = "weighted"
    LOAD = "load"
    VALUE = "value"


class Return(enum.StrEnum):
    """What somebody gets for the leads that came while they were on leave; the values of choices.OnReturn."""

    KEEP = "keep"
    HALF = "half"
    FULL = "full"


@dataclass(slots=True)
class Candidate:
    """Somebody who can take the lead now.

    key: the member. tie: a random number that decides between equals. credit: parts of a lead. open_leads: in work now.
    idle_since: when they got their last lead, as a number that grows; None for never. deficit: what is left of their
    turn by value, minor units.
    """

    key: int
    weight: int
    tie: int
    credit: int = 0
    open_leads: int = 0
    idle_since: int | None = None
    deficit: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Who takes the lead, and what that changes.

    changes: parts of a lead by member; they add up to nothing. deficits: by member as they are now, of those that
    changed. turn_of: at whom the wheel stands, for turns by value.
    """

    picked: int
    changes: Mapping[int, int]
    deficits: Mapping[int, int] = field(default_factory=dict)
    turn_of: int | None = None


@lru_cache(maxsize=4096)
def shares(members: tuple[tuple[int, int], ...]) -> dict[int, int]:
    """The parts of one lead to which each of these (member, weight) is entitled; together exactly one lead.

    Raises MoneyError when no weight is above zero.
    """
    keys = [key for key, _weight in members]
    return dict(zip(keys, split_by_largest_remainder(LEAD, [weight for _key, weight in members], keys), strict=True))


def entitled(candidates: Sequence[Candidate], method: Method) -> dict[int, int]:
    """The parts of one lead to which each candidate is entitled: by weight, or the same for all."""
    if method is Method.EQUAL:
        return shares(tuple([(each.key, 1) for each in candidates]))
    return shares(tuple([(each.key, each.weight) for each in candidates]))


def take_turn(
    candidates: Sequence[Candidate],
    method: Method,
    *,
    value: int | None = None,
    quantum: int = 0,
    turn_of: int | None = None,
    forced: int | None = None,
) -> Turn:
    """Say who of the candidates takes a lead, or what it changes that `forced` takes it.

    value: of the lead, minor units; one of unknown value counts as much as a turn brings (`quantum`). turn_of: at whom
    the wheel of turns by value stands. Raises ValueError when nobody can take it: no candidate has a weight.
    """
    able = [each for each in candidates if each.weight > 0]
    if not able:
        raise ValueError("Nobody with a weight above zero is there.")
    due = entitled(able, method)
    deficits: dict[int, int] = {}
    if method is Method.VALUE and forced is None:
        picked, deficits, turn_of = _by_value(able, quantum if value is None else value, quantum, turn_of)
    elif forced is not None:
        picked = forced
        if method is Method.VALUE:
            held = next((each.deficit for each in able if each.key == forced), 0)
            deficits = {forced: held - (quantum if value is None else value)}
    elif method is Method.LOAD:
        picked = min(able, key=_load).key
    else:
        picked = _by_credit(able, due)
    changes = dict(due)
    changes[picked] = changes.get(picked, 0) - LEAD
    return Turn(picked, changes, deficits, turn_of)


def _by_credit(able: Sequence[Candidate], due: Mapping[int, int]) -> int:
    """The largest credit, unless somebody would then come to be a whole lead behind who need not.

    Many small credits can be larger than the few great ones that come due together a few leads later (weights of 1 for
    six, 2 for one and 11 for two: after 22 leads one of the two is 16/15 of a lead behind). Who has to have a lead first
    so that nobody falls behind is then known from the weights alone, as for jobs with deadlines of which the earliest
    goes first: Steiner and Yeomans, Level schedules for mixed-model, just-in-time processes, 1993. In a pool that stays
    the same such an order always exists (Tijdeman, The chairman assignment problem, 1980). Where none does, as after a
    catch-up, the largest credit is the fairest that is left.
    """
    credit = {each.key: each.credit + due[each.key] for each in able}
    tie = {each.key: each.tie for each in able}
    largest = min(credit, key=lambda key: (-credit[key], tie[key]))
    if len(set(credit.values())) == 1 or _in_time(credit, due, largest):
        return largest
    begun = [key for key in credit if credit[key] > _SLACK]
    first = min(begun, key=lambda key: (_deadline(credit[key], due[key], 1), -credit[key], tie[key]))
    return first if _in_time(credit, due, first) else largest


def _deadline(credit: int, due: int, lead: int) -> int:
    """Up to how many leads from now somebody with this credit must have had this many, so as not to be a lead behind."""
    return (lead * LEAD - _SLACK - credit) // due + 1


def _in_time(credit: Mapping[int, int], due: Mapping[int, int], picked: int) -> bool:
    """Whether everybody can have their leads in time once this one is picked, should the pool stay as it is.

    Of all leads that somebody must have had by then, the nth may be the nth to come at the earliest. Once nobody is ahead
    any more that is so by itself, as credits add up to nothing.
    """
    after = {key: parts - LEAD if key == picked else parts for key, parts in credit.items()}
    # After n more leads those who are owed any are owed, together, at most n leads more than now, and each must have had
    # fewer leads by then than they are owed: where less than a lead is owed now, they are n at most.
    if sum([parts for parts in after.values() if parts > 0]) + len(after) * _SLACK <= LEAD:
        return True
    until = min(_LOOK_AHEAD, max((-parts - _SLACK) // due[key] + 1 for key, parts in after.items()))
    deadlines: list[int] = []
    for key, parts in after.items():
        lead = 1
        while (by := _deadline(parts, due[key], lead)) <= until:
            deadlines.append(by)
            lead += 1
    return all(by >= place for place, by in enumerate(sorted(deadlines), start=1))


def _load(each: Candidate) -> tuple[Fraction, bool, int, int]:
    """The smallest load for their weight first; of equals who waited longest."""
    return Fraction(each.open_leads, each.weight), each.idle_since is not None, each.idle_since or 0, each.tie


def _by_value(
    able: Sequence[Candidate], value: int, quantum: int, turn_of: int | None
) -> tuple[int, dict[int, int], int]:
    """Deficit round robin: a turn brings each member the quantum times their weight, and they take what it pays for.

    What is left of a turn is kept for the next one. The wheel goes round in the order of the ties; whole rounds in which
    nobody could pay are taken at once. Shreedhar and Varghese, Efficient fair queuing using deficit round robin, 1996.
    """
    if quantum <= 0:
        raise ValueError("A turn by value needs a value of a turn above zero.")
    ring = sorted(able, key=lambda each: (each.tie, each.key))
    deficits = {each.key: each.deficit for each in ring}
    place = next((index for index, each in enumerate(ring) if each.key == turn_of), None)
    if place is not None and deficits[ring[place].key] >= value:
        key = ring[place].key
        return key, {key: deficits[key] - value}, key
    start = 0 if place is None else place + 1
    order = ring[start:] + ring[:start]
    # How many turns each needs before they can pay; the first to come to that takes the lead.
    needed = [max(1, -((deficits[each.key] - value) // (quantum * each.weight))) for each in order]
    rounds = min(needed)
    winner = needed.index(rounds)
    for index, each in enumerate(order):
        deficits[each.key] += quantum * each.weight * (rounds if index <= winner else rounds - 1)
    key = order[winner].key
    deficits[key] -= value
    before = {each.key: each.deficit for each in ring}
    return key, {each: held for each, held in deficits.items() if held != before[each]}, key


def given_back(changes: Mapping[int, int]) -> dict[int, int]:
    """What it changes that a lead comes back: exactly what was stored, negated."""
    return {key: -parts for key, parts in changes.items() if parts}


def missed_share(weight: int, candidates: Sequence[Candidate], method: Method) -> int:
    """The parts of a lead to which somebody on leave would have been entitled beside the candidates."""
    if weight <= 0:
        return 0
    if method is Method.EQUAL:
        return LEAD // (len(candidates) + 1)
    return LEAD * weight // (sum(each.weight for each in candidates) + weight)


def caught_up(missed: int, rule: Return, key: int, others: Sequence[Candidate]) -> dict[int, int]:
    """What a return from leave changes: the part of what was missed that the pool gives back, taken from the others."""
    back = {Return.KEEP: 0, Return.HALF: missed // 2, Return.FULL: missed}[rule]
    payers = [each for each in others if each.key != key and each.weight > 0]
    if not back or not payers:
        return {}
    keys = [each.key for each in payers]
    parts = split_by_largest_remainder(back, [each.weight for each in payers], keys)
    return {key: back, **{payer: -part for payer, part in zip(keys, parts, strict=True)}}


def day_cap(most_in_30_days: int) -> int:
    """How many of the leads of 30 days may come on one day, so that they do not all come at once: rounded half up, and 1
    at least, so that nobody is left out by rounding. The 30 days themselves are counted exactly beside it.
    """
    return max(1, round_half_up(Fraction(most_in_30_days, 30)))
