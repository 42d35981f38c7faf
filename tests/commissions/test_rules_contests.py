"""Rules of contests: ranks, prizes and ties, by examples with exact values and by what must hold of all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import build_bundle, bundle_bytes
from salesops.commissions.rules.contests import (
    ContestWords,
    Standing,
    Ties,
    contest_problems,
    prizes_won,
    standings,
    totals_digest,
    words_from_plain,
)
from salesops.commissions.rules.conventions import SettlementOrder
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.rules.settlement.checks import input_problems
from salesops.commissions.rules.settlement.facts import Carried, Earning, Occurrence, PeriodInput, input_from_plain
from salesops.commissions.rules.settlement.lines import LineKind
from salesops.commissions.rules.settlement.plain import as_plain, read_pay
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import Bonus, Limit, Release, ReleaseKind, Terms, terms_problems
from salesops.values.periods import Period, PeriodKind
from tests.commissions.test_rules_settlement_invariants import COMPONENTS
from tests.commissions.test_rules_verify import flipped, numbers_in
from tests.commissions.test_rules_verify_settlement import at, changed, facts_of, found_in

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
    for words in (JUNE, replace(JUNE, minimum_minor=0), replace(JUNE, minimum_minor=-9)):
        assert told(words, p1=0, p2=1, p3=-5) == [(2, 1, 1, 1, 100_000), (1, 0, 0, 0, 0), (3, 0, 0, 0, 0)]


def test_everybody_at_the_bound_or_above_gets_the_same() -> None:
    bound = replace(JUNE, prizes_minor=(), bound_minor=700, each_minor=30_000)
    assert told(bound, p1=700, p2=699, p3=900) == [(3, 1, 1, 1, 30_000), (1, 2, 1, 1, 30_000), (2, 3, 1, 1, 0)]


def test_the_digest_of_totals_has_no_names_and_changes_with_a_single_unit() -> None:
    def digest(totals: dict[int, int]) -> str:
        return prizes_won(JUNE, standings(JUNE, totals))[max(totals, key=lambda person: totals[person])].totals_digest

    assert digest({1: 900, 2: 700, 3: 0}) == totals_digest([700, 900]) == digest_of([900, 700])
    assert digest({8: 700, 9: 900}) == digest({1: 900, 2: 700})
    assert digest({1: 900, 2: 701}) != digest({1: 900, 2: 700})


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
    """Leaving a tie upwards too: the place alone pays at least the tie's part."""
    person = data.draw(st.sampled_from(sorted(totals)))
    words = replace(JUNE, prizes_minor=prizes, ties=ties)

    def of_person(all_totals: dict[int, int]) -> Standing:
        return next(each for each in standings(words, all_totals) if each.person == person)

    before, after = of_person(totals), of_person(totals | {person: totals[person] + more})
    assert after.prize_minor >= before.prize_minor
    if before.takes_part:
        assert 0 < after.rank <= before.rank


# --- Prizes in a settlement -----------------------------------------------------------------------------------------

QUARTER = Period(date(2026, 4, 1), date(2026, 7, 1), "2026Q2")
TIED = replace(JUNE, prizes_minor=(100_001, 50_000))


def occurrence(words: ContestWords, person: int, totals: dict[int, int]) -> Occurrence:
    """What a person's period gets of a contest."""
    prize = prizes_won(words, standings(words, totals))[person]
    return Occurrence(words.component, f"contest {words.key}", words.last_day, prize)


def period(words: ContestWords = TIED, earned: int = 200_000, **more: Any) -> PeriodInput:
    """Person 5, tied first with person 9, who also earned something: 75,001 and 75,000."""
    won = occurrence(words, 5, {5: 900, 9: 900, 7: 10})
    earning = Earning("sales", "D-1", date(2026, 5, 1), earned)
    return PeriodInput(QUARTER, "2026", earnings=(earning,), occurrences=(won,), **more)


def amounts(given_: PeriodInput, terms: Terms) -> list[tuple[str, int]]:
    """Kind and amount of each line."""
    settled = settle(given_, terms, Carried("USD")).unwrap()
    return [(item.kind.value, item.amount_minor) for item in settled.lines]


def test_a_prize_is_paid_like_a_bonus_that_no_plan_names() -> None:
    settled = settle(period(), Terms("USD"), Carried("USD")).unwrap()
    line = settled.lines[1]
    assert (line.kind, line.amount_minor, line.component, line.reference) == (
        LineKind.BONUS,
        75_001,
        "contest:june",
        "contest june",
    )
    assert line.text() == "Rank 1 of 3 in the contest “June”."
    assert settled.payout_minor == 275_001


def test_a_cap_covers_prizes_or_not_as_the_plan_says_of_bonuses() -> None:
    cap = (Limit(cap=read_pay("2500.00")),)
    inside = settle(period(), Terms("USD", limits=cap), Carried("USD")).unwrap()
    assert inside.payout_minor == 250_000
    on_top = Terms("USD", limits=cap, order=SettlementOrder.CAP_BONUS_DRAW)
    assert amounts(period(earned=300_000), on_top) == [("earning", 300_000), ("cap", -50_000), ("bonus", 75_001)]


def test_prizes_are_not_held_with_what_was_sold() -> None:
    held = Terms("USD", releases=(Release(ReleaseKind.HOLD, days=90),))
    assert amounts(period(), held) == [("earning", 200_000), ("bonus", 75_001), ("hold", -200_000)]


def test_a_bonus_of_a_plan_cannot_be_called_like_a_contest() -> None:
    pays = read_pay("1")
    assert pays is not None
    (problem,) = terms_problems(Terms("USD", bonuses=(Bonus("contest:june", pays),)))
    assert problem.where == "settlement.bonuses[0].key"


def test_a_prize_in_another_currency_is_refused() -> None:
    (problem,) = input_problems(period(), Terms("EUR"), Carried("EUR"))
    assert problem.text() == "The contest “June” pays in USD, and the plan pays in EUR."


def test_a_prize_under_another_name_is_refused() -> None:
    won = replace(period().occurrences[0], bonus="contest:july")
    (problem,) = input_problems(replace(period(), occurrences=(won,)), Terms("USD"), Carried("USD"))
    assert problem.where == "occurrences"


def test_inputs_with_and_without_prizes_come_back_as_they_were() -> None:
    """What was kept before there were contests reads, and is written, as it was."""
    assert input_from_plain(period().as_plain()).unwrap() == period()
    bare = PeriodInput(QUARTER, "2026", occurrences=(Occurrence("spiff", "spiff 1", date(2026, 5, 1)),))
    assert bare.as_plain()["occurrences"] == [{"bonus": "spiff", "reference": "spiff 1", "day": "2026-05-01"}]


# --- Derived again ------------------------------------------------------------------------------------------------


def bundle() -> dict[str, Any]:
    """The bundle of a statement with a shared prize and what is earned beside it."""
    given_ = replace(
        period(),
        earnings=(Earning(COMPONENTS[0], "D-1", date(2026, 5, 1), 200_000),),
    )
    terms, carried = Terms("USD"), Carried("USD")
    settled = settle(given_, terms, carried).unwrap()
    return verify.read(bundle_bytes(build_bundle(facts_of(terms, given_, carried, settled))))


def prize_at(*path: Any) -> tuple[Any, ...]:
    """A place in the prize of a bundle."""
    return ("inputs", "settlement_given", "occurrences", 0, *path)


def test_the_verifier_derives_the_prize_again() -> None:
    assert found_in(bundle()) == []


#: What nobody can derive who holds only their own total: it is proved by the totals, whose digest this is.
UNPROVED = {("prize", "total_minor"), ("prize", "totals_digest")}


@pytest.mark.parametrize("path", numbers_in(bundle()["inputs"]["settlement_given"]["occurrences"][0]))
def test_every_flipped_digit_is_found_though_all_digests_were_taken_anew(path: tuple[Any, ...]) -> None:
    whole = bundle()
    forged = changed(whole, prize_at(*path), flipped(at(whole, prize_at(*path))))
    assert bool(found_in(forged)) == (path not in UNPROVED)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("prize", "amount_minor"), 75_002, "contest:june: the prize comes to 75001, stated is 75002."),
        (("prize", "turn"), 2, "contest:june: the prize comes to 75000, stated is 75001."),
        (("prize", "tied"), 1, "contest:june: the prize comes to 100001, stated is 75001."),
        (("prize", "rank"), 3, "contest:june: rank 3 with 2 tied cannot be, of 3."),
        (("prize", "total_minor"), 0, "contest:june: 0 is below the minimum of 1."),
        (("prize", "words", "ties"), "higher", "contest:june: the contest is not what the digest was taken of."),
        (("prize", "words", "ties"), "lots", "contest:june.ties: 'lots' is a word this calculation does not know."),
        (
            ("day",),
            "2026-06-29",
            "contest:june: the last day of the contest is before 2026-07-01, stated is 2026-06-29.",
        ),
        (("prize", "words", "currency"), "EUR", "contest:june: the contest pays in EUR, the statement in USD."),
        (("prize", "totals_digest"), "none", "contest:june: there is no digest of the totals."),
        (("reference",), "contest july", "contest:june: the prize is of the contest june."),
    ],
)
def test_what_is_wrong_with_a_prize_is_said(path: tuple[Any, ...], value: Any, said: str) -> None:
    assert said in found_in(changed(bundle(), prize_at(*path), value))


@given(TOTALS, PRIZES, st.sampled_from(Ties), st.none() | st.integers(1, 300))
def test_both_calculations_come_to_the_same_prizes(
    totals: dict[int, int], prizes: tuple[int, ...], ties: Ties, bound: int | None
) -> None:
    words = replace(JUNE, prizes_minor=prizes, ties=ties)
    if bound is not None:
        words = replace(words, prizes_minor=(), bound_minor=bound, each_minor=prizes[0])
    for person, prize in prizes_won(words, standings(words, totals)).items():
        won = {"bonus": words.component, "reference": "contest june", "day": "2026-06-30", "prize": as_plain(prize)}
        assert list(verify._prize(won, "USD")) == [], person
