"""Rules of contests: ranks, prizes and ties, by examples with exact values and by what must hold of all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.commissions.rules.contests import (
    ContestWords,
    Standing,
    Ties,
    contest_problems,
    standings,
    totals_digest,
    words_from_plain,
)
from salesops.commissions.rules.plans import digest_of
from salesops.values.periods import PeriodKind

JUNE = ContestWords(
    key="june",
    name="June",
    start=date(2026, 6, 1),
    end=date(2026, 7, 1),
    paid_by=1,
    currency="USD",
    time_zone="UTC",
    period_kind=PeriodKind.QUARTER,
    plans=(1,),
    prizes_minor=(100_000, 50_000, 25_000),
)


def told(words: ContestWords, **totals: int) -> list[tuple[int, int, int, int, int]]:
    """Person, rank, how many tied, whose turn, prize; people are p1, p2 ..."""
    found = standings(words, {int(name[1:]): total for name, total in totals.items()})
    return [(each.person, each.rank, each.tied, each.turn, each.prize_minor) for each in found]


def test_the_three_who_sold_most_get_the_prizes_of_their_places() -> None:
    assert told(JUNE, p7=500, p3=900, p5=700, p1=400) == [
        (3, 1, 1, 1, 100_000),
        (5, 2, 1, 1, 50_000),
        (7, 3, 1, 1, 25_000),
        (1, 4, 1, 1, 0),
    ]


def test_tied_ones_share_the_prizes_of_the_places_they_take() -> None:
    """1,000.00 + 500.00 to two, and the third place stays the third; the odd cent goes to the smaller number."""
    odd = replace(JUNE, prizes_minor=(100_000, 50_001, 25_000))
    assert told(odd, p9=900, p4=900, p2=100) == [(4, 1, 2, 1, 75_001), (9, 1, 2, 2, 75_000), (2, 3, 1, 1, 25_000)]


def test_three_tied_at_the_last_place_share_that_one_prize() -> None:
    assert told(JUNE, p1=900, p2=800, p6=700, p5=700, p4=700) == [
        (1, 1, 1, 1, 100_000),
        (2, 2, 1, 1, 50_000),
        (4, 3, 3, 1, 8_334),
        (5, 3, 3, 2, 8_333),
        (6, 3, 3, 3, 8_333),
    ]


def test_each_of_the_tied_gets_the_highest_and_the_places_below_are_gone() -> None:
    higher = replace(JUNE, ties=Ties.HIGHER)
    assert told(higher, p1=900, p2=900, p3=100, p4=50) == [
        (1, 1, 2, 1, 100_000),
        (2, 1, 2, 2, 100_000),
        (3, 3, 1, 1, 25_000),
        (4, 4, 1, 1, 0),
    ]


def test_who_stays_below_the_minimum_takes_no_part() -> None:
    least = replace(JUNE, minimum_minor=600)
    assert told(least, p1=599, p2=600, p3=0) == [(2, 1, 1, 1, 100_000), (1, 0, 0, 0, 0), (3, 0, 0, 0, 0)]


def test_who_was_credited_with_nothing_takes_no_part_without_a_minimum_either() -> None:
    assert told(JUNE, p1=0, p2=1, p3=-5) == [(2, 1, 1, 1, 100_000), (1, 0, 0, 0, 0), (3, 0, 0, 0, 0)]


def test_everybody_at_the_bound_or_above_gets_the_same() -> None:
    bound = replace(JUNE, prizes_minor=(), bound_minor=700, each_minor=30_000)
    assert told(bound, p1=700, p2=699, p3=900) == [(3, 1, 1, 1, 30_000), (1, 2, 1, 1, 30_000), (2, 3, 1, 1, 0)]


def test_the_digest_of_totals_has_no_names_and_changes_with_a_single_unit() -> None:
    found = standings(JUNE, {1: 900, 2: 700, 3: 0})
    assert totals_digest(found) == digest_of([900, 700])
    assert totals_digest(standings(JUNE, {8: 700, 9: 900})) == totals_digest(found)
    assert totals_digest(standings(JUNE, {1: 900, 2: 701})) != totals_digest(found)


def test_words_come_back_as_they_were_and_their_digest_is_of_every_one() -> None:
    words = replace(
        JUNE, bound_minor=5, each_minor=7, prizes_minor=(), pods=(4, 2), when="amount > 5", ties=Ties.HIGHER
    )
    assert words_from_plain(words.as_plain()).unwrap() == words
    changed = {name: f"{name} changed" for name in words.as_plain()}
    digests = {digest_of(words.as_plain() | {name: value}) for name, value in changed.items()}
    assert len(digests | {words.digest()}) == len(changed) + 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "June"}, "key"),
        ({"key": "a" * 32}, "key"),
        ({"name": " "}, "name"),
        ({"end": date(2026, 6, 1)}, "last_day"),
        ({"end": date(2027, 6, 3)}, "last_day"),
        ({"plans": ()}, "plans"),
        ({"prizes_minor": ()}, "prizes"),
        ({"bound_minor": 5, "each_minor": 5}, "prizes"),
        ({"prizes_minor": (), "bound_minor": 5}, "each"),
        ({"prizes_minor": (5, 6)}, "prizes"),
        ({"prizes_minor": (5,) * 101}, "prizes"),
        ({"prizes_minor": (5, 0)}, "prizes"),
        ({"minimum_minor": 0}, "minimum"),
        ({"counts": ()}, "counts"),
        ({"crediting": ()}, "counts"),
        ({"when": "x" * 2_001}, "when"),
    ],
)
def test_what_cannot_be_is_named_by_its_field(change: dict[str, Any], field: str) -> None:
    assert contest_problems(JUNE) == []
    assert [problem.where for problem in contest_problems(replace(JUNE, **change))] == [field]


TOTALS = st.dictionaries(st.integers(1, 40), st.integers(-50, 400), max_size=15)
PRIZES = st.lists(st.integers(1, 10_000), min_size=1, max_size=6).map(lambda found: tuple(sorted(found, reverse=True)))


@given(TOTALS, PRIZES, st.integers(1, 200))
def test_shared_prizes_add_up_to_those_of_the_places_taken(
    totals: dict[int, int], prizes: tuple[int, ...], minimum: int
) -> None:
    """With as many taking part as there are prizes all of them are paid, to the cent, and never more."""
    words = replace(JUNE, prizes_minor=prizes, minimum_minor=minimum)
    found = standings(words, totals)
    taking_part = sum(each.takes_part for each in found)
    paid = sum(each.prize_minor for each in found)
    assert paid == sum(prizes[:taking_part])
    assert paid <= (words.offered_minor or 0)
    for each in found:
        tied = [other.prize_minor for other in found if other.rank == each.rank and each.takes_part]
        assert max(tied, default=0) - min(tied, default=0) <= 1
        assert tied == sorted(tied, reverse=True)


@given(TOTALS, PRIZES, st.sampled_from(Ties))
def test_nobody_is_paid_more_than_somebody_above(totals: dict[int, int], prizes: tuple[int, ...], ties: Ties) -> None:
    found = standings(replace(JUNE, prizes_minor=prizes, ties=ties), totals)
    ranked = [each for each in found if each.takes_part]
    assert [each.prize_minor for each in ranked] == sorted((each.prize_minor for each in ranked), reverse=True)
    assert all(each.rank == 1 + sum(other.total_minor > each.total_minor for other in ranked) for each in ranked)


@given(TOTALS, PRIZES, st.sampled_from(Ties), st.randoms(use_true_random=False))
def test_the_order_in_which_people_are_listed_changes_nothing(
    totals: dict[int, int], prizes: tuple[int, ...], ties: Ties, chance: Any
) -> None:
    words = replace(JUNE, prizes_minor=prizes, ties=ties)
    listed = list(totals.items())
    chance.shuffle(listed)
    assert standings(words, dict(listed)) == standings(words, totals)


@given(TOTALS.filter(bool), PRIZES, st.sampled_from(Ties), st.integers(1, 300), st.data())
def test_selling_more_never_lowers_a_rank_or_a_prize(
    totals: dict[int, int], prizes: tuple[int, ...], ties: Ties, more: int, data: st.DataObject
) -> None:
    """With `share` a prize may fall when the tie is left upwards? No: the place alone pays at least the tie's part."""
    person = data.draw(st.sampled_from(sorted(totals)))
    words = replace(JUNE, prizes_minor=prizes, ties=ties)

    def of_person(all_totals: dict[int, int]) -> Standing:
        return next(each for each in standings(words, all_totals) if each.person == person)

    before, after = of_person(totals), of_person(totals | {person: totals[person] + more})
    assert after.prize_minor >= before.prize_minor
    if before.takes_part:
        assert 0 < after.rank <= before.rank
