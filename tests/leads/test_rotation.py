"""Turns: the sequences other people printed, and shares within one lead whatever comes between."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.leads.rules import rotation
from salesops.leads.rules.rotation import (
    LEAD,
    Candidate,
    Method,
    Return,
    Turn,
    caught_up,
    day_cap,
    given_back,
    missed_share,
    shares,
    take_turn,
)
from tests.leads.gtm_cases import case_of


class Wheel:
    """A pool in memory, as the service keeps it in the database."""

    def __init__(self, weights: dict[int, int], method: Method = Method.WEIGHTED, **kept: int) -> None:
        self.weights, self.method, self.kept = weights, method, kept
        self.credit = dict.fromkeys(weights, 0)
        self.deficit = dict.fromkeys(weights, 0)
        self.due = dict.fromkeys(weights, Fraction(0))
        self.got: Counter[int] = Counter()
        self.turn_of: int | None = None

    def candidates(self, who: set[int] | None = None) -> list[Candidate]:
        return [
            Candidate(key, weight, tie=key, credit=self.credit[key], deficit=self.deficit[key])
            for key, weight in self.weights.items()
            if who is None or key in who
        ]

    def take(self, who: set[int] | None = None, value: int | None = None, order: random.Random | None = None) -> int:
        able = self.candidates(who)
        if order:
            order.shuffle(able)
        turn = take_turn(able, self.method, value=value, turn_of=self.turn_of, **self.kept)
        self.keep(turn)
        self.got[turn.picked] += 1
        whole = sum(1 if self.method is Method.EQUAL else each.weight for each in able)
        for each in able:
            self.due[each.key] += Fraction(1 if self.method is Method.EQUAL else each.weight, whole)
        return turn.picked

    def keep(self, turn: Turn) -> None:
        for key, parts in turn.changes.items():
            self.credit[key] += parts
        self.deficit |= turn.deficits
        self.turn_of = turn.turn_of

    def most_unfair(self) -> Fraction:
        return max(abs(self.got[key] - self.due[key]) for key in self.weights)


# --- Printed sequences --------------------------------------------------------------------------------------------


def _letters(picked: list[int]) -> str:
    return " ".join("abc"[key] for key in picked)


def test_the_smooth_sequence_is_as_printed() -> None:
    case = case_of("swrr-72")
    wheel = Wheel(dict(enumerate(case["inputs"]["weights"].values())))
    assert _letters([wheel.take() for _ in range(case["inputs"]["n"])]) == case["expected"]["sequence"]


def test_whole_cycles_are_exact() -> None:
    case = case_of("swrr-74")
    for given_case, expected in zip(case["inputs"], case["expected"], strict=True):
        wheel = Wheel(dict(enumerate(given_case["weights"])))
        for _ in range(given_case["n"]):
            wheel.take()
        assert [wheel.got[key] for key in wheel.weights] == expected


def test_fair_queues_of_others_give_the_same_bag() -> None:
    """By virtual time and in bursts of LVS: other orders, the same shares."""
    case = case_of("wfq-75")
    wheel = Wheel(dict(enumerate(case["inputs"]["shares"].values())))
    for _ in range(case["inputs"]["n"]):
        wheel.take()
    assert [wheel.got[key] for key in range(3)] == list(case["expected"]["bag"].values())
    bursts = case_of("wrr-73")
    wheel = Wheel(dict(enumerate(bursts["inputs"]["weights"].values())))
    for _ in range(bursts["inputs"]["n"]):
        wheel.take()
    assert wheel.got == Counter("abc".index(letter) for letter in bursts["expected"]["sequence"].split())


def test_a_turn_by_value_keeps_what_is_left() -> None:
    case = case_of("drr-76")
    wheel = Wheel({1: 1, 2: 1}, Method.VALUE, quantum=case["inputs"]["quantum"])
    first, second = case["inputs"]["flow1_queue"]
    assert wheel.take(value=first) == 1
    assert wheel.deficit[1] == case["expected"]["after_turn"]["deficit"] == 300
    assert wheel.take(value=second) == 2
    assert wheel.deficit == {1: 300, 2: 100}


def test_least_load_goes_to_whoever_waited_longest() -> None:
    case = case_of("route-67")
    workers = {
        number: Candidate(
            number, row["capacity"], tie=number, open_leads=row["load"], idle_since=1000 - row["idle_min"]
        )
        for number, row in enumerate(case["inputs"]["workers"])
    }
    order = []
    while workers:
        picked = take_turn(list(workers.values()), Method.LOAD).picked
        order.append("ABCD"[picked])
        del workers[picked]
    assert order == case["expected"]["order"]


def test_whoever_never_got_a_lead_waited_longest() -> None:
    rows = [Candidate(1, 1, tie=1, open_leads=2, idle_since=5), Candidate(2, 1, tie=2, open_leads=2)]
    assert take_turn(rows, Method.LOAD).picked == 2


def test_shares_are_as_printed() -> None:
    case = case_of("route-70")
    found = shares(tuple(enumerate(case["inputs"]["weights"].values())))
    assert [Fraction(parts, LEAD) * 100 for parts in found.values()] == list(case["expected"]["share_pct"].values())


def test_thirty_leads_of_two_equals_are_fifteen_each() -> None:
    case = case_of("odoo-fair-85")["inputs"]
    for seed in range(5):
        wheel = Wheel({1: case["equal_capacity"], 2: case["equal_capacity"]})
        for _day in range(case["days"]):
            wheel.take(order=random.Random(seed))
        assert wheel.got == {1: 15, 2: 15}


def test_a_cap_of_30_days_is_spread_over_days_and_never_rounds_to_none() -> None:
    case = case_of("odoo-quota-77")
    assert [day_cap(most) for most in case["inputs"]["assignment_max_30d"]] == case["expected"]["daily_quota"]
    assert day_cap(4) == 1  # where the source gives 0 and never assigns


# --- Whatever comes between ---------------------------------------------------------------------------------------

weights = st.lists(st.integers(1, 20), min_size=2, max_size=9)


@given(
    weights, st.integers(1, 120), st.randoms(use_true_random=False), st.sampled_from([Method.WEIGHTED, Method.EQUAL])
)
def test_a_steady_pool_is_never_a_lead_away(
    listed: list[int], leads: int, order: random.Random, method: Method
) -> None:
    wheel = Wheel(dict(enumerate(listed)), method)
    for _ in range(leads):
        wheel.take(order=order)
        assert wheel.most_unfair() < 1
        assert sum(wheel.credit.values()) == 0


def test_two_who_come_due_together_are_not_kept_waiting_by_many_small_credits() -> None:
    """By largest credit alone each of the two is 16/15 of a lead behind after 22 leads."""
    wheel = Wheel(dict(enumerate([1, 1, 1, 1, 1, 1, 2, 11, 11])))
    worst = Fraction(0)
    for _ in range(30):
        wheel.take()
        worst = max(worst, wheel.most_unfair())
    assert worst == Fraction(29, 30)
    assert [wheel.got[key] for key in wheel.weights] == [1, 1, 1, 1, 1, 1, 2, 11, 11]


def test_somebody_far_ahead_is_waited_for_no_further_than_can_be_looked() -> None:
    """A million leads by hand: the others go on as they would among themselves, and it takes no longer."""
    rows = [
        Candidate(1, 1, tie=1, credit=-1_000_000 * LEAD),
        Candidate(2, 1, tie=2, credit=500_000 * LEAD),
        Candidate(3, 3, tie=3, credit=500_000 * LEAD),
    ]
    assert take_turn(rows, Method.WEIGHTED).picked == 3


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(-3 * LEAD, 3 * LEAD)), min_size=2, max_size=8))
def test_whether_all_can_have_their_leads_in_time_is_counted_lead_by_lead(listed: list[tuple[int, int]]) -> None:
    """However little is owed, what is asked is whether there is a lead for each by the time it must have come."""
    due = shares(tuple((key, weight) for key, (weight, _credit) in enumerate(listed)))
    credit = {key: parts for key, (_weight, parts) in enumerate(listed)}
    for picked in credit:
        left = {key: parts - LEAD * (key == picked) for key, parts in credit.items()}
        last = max((-parts - rotation._SLACK) // due[key] + 1 for key, parts in left.items())
        in_time = all(
            sum(
                max(0, math.ceil(Fraction(parts + come * due[key] + rotation._SLACK, LEAD)) - 1)
                for key, parts in left.items()
            )
            <= come
            for come in range(last + 1)
        )
        assert rotation._in_time(credit, due, picked) == in_time


@settings(max_examples=300)
@given(weights, st.data())
def test_absences_keep_everybody_within_one_lead(listed: list[int], data: st.DataObject) -> None:
    """Stretches of days on which some are away, weights that change: in whole leads, never more than one off."""
    wheel = Wheel(dict(enumerate(listed)))
    everybody = set(wheel.weights)
    for _ in range(data.draw(st.integers(1, 12))):
        there = data.draw(st.sets(st.sampled_from(sorted(everybody)), min_size=1))
        if data.draw(st.booleans()):
            wheel.weights[data.draw(st.sampled_from(sorted(everybody)))] = data.draw(st.integers(1, 20))
        for _lead in range(data.draw(st.integers(1, 10))):
            wheel.take(there)
    for key in everybody:
        due = wheel.due[key]
        least, most = due.numerator // due.denominator, -(-due.numerator // due.denominator)
        assert least - 1 <= wheel.got[key] <= most + 1
    assert sum(wheel.credit.values()) == 0


@given(weights, st.integers(1, 60), st.integers(1, 60))
def test_a_heap_and_one_by_one_are_the_same(listed: list[int], first: int, second: int) -> None:
    """The wheel stands in its numbers: a new one that is set to them goes on as the old one would have."""
    whole, parted = Wheel(dict(enumerate(listed))), Wheel(dict(enumerate(listed)))
    together = [whole.take() for _ in range(first + second)]
    apart = [parted.take() for _ in range(first)]
    again = Wheel(dict(enumerate(listed)))
    again.credit = dict(parted.credit)
    assert apart + [again.take() for _ in range(second)] == together


@given(
    weights, st.lists(st.one_of(st.none(), st.integers(0, 5_000_00)), min_size=1, max_size=80), st.integers(1, 100_000)
)
def test_by_value_everybody_is_within_a_turn_and_the_largest_lead(
    listed: list[int], values: list[int | None], quantum: int
) -> None:
    wheel = Wheel(dict(enumerate(listed)), Method.VALUE, quantum=quantum)
    value_of = dict.fromkeys(wheel.weights, 0)
    for value in values:
        value_of[wheel.take(value=value)] += quantum if value is None else value
    largest = max(quantum if value is None else value for value in values)
    per_weight = [Fraction(value_of[key], weight) for key, weight in wheel.weights.items()]
    assert max(per_weight) - min(per_weight) <= quantum + 2 * largest
    assert all(left >= 0 for left in wheel.deficit.values())


def _one_by_one(rows: list[Candidate], value: int, quantum: int, turn_of: int | None) -> tuple[int, dict[int, int]]:
    """Deficit round robin as in the paper: one step at a time."""
    ring = sorted(rows, key=lambda each: each.tie)
    deficits = {each.key: each.deficit for each in ring}
    keys = [each.key for each in ring]
    place = keys.index(turn_of) if turn_of in keys else -1
    if place >= 0 and deficits[keys[place]] >= value:
        deficits[keys[place]] -= value
        return keys[place], deficits
    while True:
        place = (place + 1) % len(ring)
        deficits[keys[place]] += quantum * ring[place].weight
        if deficits[keys[place]] >= value:
            deficits[keys[place]] -= value
            return keys[place], deficits


@given(
    weights,
    st.lists(st.integers(0, 3_000), min_size=9, max_size=9),
    st.integers(0, 20_000),
    st.integers(1, 700),
    st.integers(-1, 8),
)
def test_rounds_taken_at_once_end_where_single_steps_do(
    listed: list[int], left: list[int], value: int, quantum: int, turn_of: int
) -> None:
    rows = [Candidate(key, weight, tie=key, deficit=left[key]) for key, weight in enumerate(listed)]
    at = turn_of if turn_of in range(len(rows)) else None
    turn = take_turn(rows, Method.VALUE, value=value, quantum=quantum, turn_of=at)
    picked, deficits = _one_by_one(rows, value, quantum, at)
    assert turn.picked == picked
    assert {each.key: each.deficit for each in rows} | turn.deficits == deficits


# --- By hand, back again, after leave -----------------------------------------------------------------------------


def test_a_lead_by_hand_is_a_turn() -> None:
    wheel = Wheel({1: 1, 2: 1})
    turn = take_turn(wheel.candidates(), Method.WEIGHTED, forced=2)
    wheel.keep(turn)
    assert wheel.credit == {1: LEAD // 2, 2: -LEAD // 2}
    assert [wheel.take() for _ in range(3)] == [1, 1, 2]


def test_a_lead_by_hand_to_somebody_outside_costs_the_pool_nothing() -> None:
    turn = take_turn([Candidate(1, 1, tie=1), Candidate(2, 1, tie=2)], Method.WEIGHTED, forced=7)
    assert sum(turn.changes.values()) == 0


def test_a_lead_given_back_gives_the_turn_back() -> None:
    wheel = Wheel({1: 3, 2: 2, 3: 2})
    wheel.take()
    before = dict(wheel.credit)
    turn = take_turn(wheel.candidates(), Method.WEIGHTED)
    wheel.keep(turn)
    for key, parts in given_back(turn.changes).items():
        wheel.credit[key] += parts
    assert wheel.credit == before


@pytest.mark.parametrize(("rule", "times"), [(Return.KEEP, 5), (Return.HALF, 7), (Return.FULL, 10)])
def test_after_leave_a_pool_gives_back_what_it_promises(rule: Return, times: int) -> None:
    """Ten leads come while one of two is away; then ten more: nothing more than usual, half or all of what was missed."""
    wheel = Wheel({1: 1, 2: 1})
    missed = 0
    for _ in range(10):
        missed += missed_share(1, wheel.candidates({1}), Method.WEIGHTED)
        wheel.take({1})
    assert missed == 5 * LEAD
    for key, parts in caught_up(missed, rule, 2, wheel.candidates()).items():
        wheel.credit[key] += parts
    assert sum(wheel.credit.values()) == 0
    wheel.got.clear()
    for _ in range(10):
        wheel.take()
    assert wheel.got[2] == times


def test_nobody_with_a_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="Nobody with a weight"):
        take_turn([Candidate(1, 0, tie=1)], Method.WEIGHTED)
    with pytest.raises(ValueError, match="value of a turn"):
        take_turn([Candidate(1, 1, tie=1)], Method.VALUE, value=5)


def test_a_weight_of_zero_takes_no_turn() -> None:
    rows = [Candidate(1, 0, tie=1, credit=9 * LEAD), Candidate(2, 1, tie=2)]
    assert take_turn(rows, Method.WEIGHTED).picked == 2
