"""Settlement by hand: each step with figures that can be reckoned in the head, and everything that is refused."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from salesops.commissions.rules.settlement.facts import (
    Achieved,
    Adjustment,
    Carried,
    Collection,
    Earning,
    Occurrence,
    PeriodInput,
    Reversal,
    Settled,
    SettledPart,
    carried_from_plain,
    outstanding,
)
from salesops.commissions.rules.settlement.lines import NOT_PAID, REASONS, LineKind, line
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import Terms, terms_from_plain
from salesops.values.money import MAX_MINOR
from salesops.values.periods import PeriodKind, periods_between

MONTHS = list(periods_between(date(2026, 1, 1), date(2028, 1, 1), PeriodKind.MONTH))
JANUARY = MONTHS[0]


def terms(**words: Any) -> Terms:
    """Terms in dollars."""
    return terms_from_plain({"currency": "USD", **words}).unwrap()


def month(index: int, earned: dict[str, int] | None = None, **known: Any) -> PeriodInput:
    """A month in which each reference earned an amount by the component `new` on the first day."""
    period = MONTHS[index]
    lines = tuple(Earning("new", reference, period.start, amount) for reference, amount in (earned or {}).items())
    return PeriodInput(period, str(period.start.year), **({"earnings": lines, "target_minor": 1_000_00} | known))


def run(words: Terms, *given: PeriodInput) -> list[Settled]:
    """The months one after the other."""
    results: list[Settled] = []
    for item in given:
        results.append(settle(item, words, results[-1].carried if results else Carried("USD")).unwrap())
    return results


def paid(results: list[Settled]) -> list[int]:
    """What each month pays."""
    return [result.payout_minor for result in results]


def told(result: Settled) -> list[tuple[str, str, int]]:
    """Kind, reference and amount of each line."""
    return [(item.kind.value, item.reference, item.amount_minor) for item in result.lines]


def cancelled(index: int, *before: Settled, reference: str = "D1", amount: int | None = None) -> PeriodInput:
    """A month in which what was settled for a reference is cancelled, wholly or by an amount."""
    parts = tuple(part for result in before for part in result.parts if part.reference == reference)
    original = outstanding(parts)
    taken = original.earned_minor if amount is None else amount
    return month(index, reversals=(Reversal(f"C{index}", MONTHS[index].start, -taken, original),))


def test_without_terms_what_is_earned_is_paid() -> None:
    (result,) = run(terms(), month(0, {"D1": 100, "D2": 50}))
    assert told(result) == [("earning", "D1", 100), ("earning", "D2", 50)]
    assert result.payout_minor == 150


# --- Objectives and bonuses ---------------------------------------------------------------------------------------


def test_objectives_pay_weight_times_achieved_of_target_and_all_of_it_when_all_is_achieved() -> None:
    words = terms(objectives=[{"key": "a", "weight": "50%"}, {"key": "b", "weight": "50%", "most": "120%"}])
    all_of_it = (Achieved("a", Fraction(1)), Achieved("b", Fraction(1)))
    (result,) = run(words, month(0, achieved=all_of_it, target_minor=1_001))
    assert [item.amount_minor for item in result.lines] == [501, 500]
    beyond = (Achieved("a", Fraction(1, 2)), Achieved("b", Fraction(2)))
    (result,) = run(words, month(0, achieved=beyond))
    assert [item.amount_minor for item in result.lines] == [250_00, 600_00]
    assert result.lines[1].text() == "120% achieved of an objective worth 50% of target pay."


def test_a_bonus_pays_the_earliest_occurrences_and_says_which_it_does_not() -> None:
    words = terms(bonuses=[{"key": "demo", "pays": "100.00", "most_count": 2}])
    happened = tuple(Occurrence("demo", f"O{day}", date(2026, 1, day)) for day in (9, 3, 7))
    (result,) = run(words, month(0, occurrences=happened))
    assert told(result) == [("bonus", "O3", 100_00), ("bonus", "O7", 100_00), ("bonus", "O9", 0)]
    assert result.lines[2].text() == "Not paid: the bonus is paid 2 times in a period."


# --- Team multiplier ----------------------------------------------------------------------------------------------

ROWS = [{"at": "80%", "factor": "0.5"}, {"at": "100%", "factor": "1"}, {"at": "120%", "factor": "4/3"}]


@pytest.mark.parametrize(
    ("attainment", "steps", "points"),
    [
        (Fraction(70, 100), Fraction(1, 2), Fraction(1, 2)),
        (Fraction(90, 100), Fraction(1, 2), Fraction(3, 4)),
        (Fraction(100, 100), Fraction(1), Fraction(1)),
        (Fraction(110, 100), Fraction(1), Fraction(7, 6)),
        (Fraction(200, 100), Fraction(4, 3), Fraction(4, 3)),
    ],
)
def test_the_factor_of_a_team(attainment: Fraction, steps: Fraction, points: Fraction) -> None:
    for kind, expected in (("steps", steps), ("points", points)):
        words = terms(multiplier={"components": ["new"], "rows": ROWS, "kind": kind})
        assert words.multiplier is not None
        assert words.multiplier.factor(attainment) == expected


def test_gate_and_rows_follow_the_owner_of_the_boundary() -> None:
    for boundary, expected in (("upper", Fraction(1)), ("lower", Fraction(0))):
        words = terms(
            multiplier={"components": ["new"], "rows": ROWS, "gate": "100%", "boundary": boundary, "kind": "steps"}
        )
        assert words.multiplier is not None
        assert words.multiplier.factor(Fraction(1)) == expected
        assert words.multiplier.factor(Fraction(101, 100)) == 1
        assert words.multiplier.factor(Fraction(99, 100)) == 0


def test_the_factor_is_for_named_components_and_lines_add_up_to_the_rounded_product() -> None:
    words = terms(multiplier={"components": ["new"], "rows": [{"at": "0", "factor": "1/2"}]})
    other = Earning("renewal", "D9", JANUARY.start, 101)
    given = month(0, {"D1": 1, "D2": 1, "D3": 1}, team_attainment=Fraction(1))
    (result,) = run(words, PeriodInput(**{**vars(given), "earnings": (*given.earnings, other)}))
    assert {part.reference: part.settled_minor for part in result.parts} == {"D1": 1, "D2": 1, "D3": 0, "D9": 101}


# --- Caps and floors ----------------------------------------------------------------------------------------------


def test_a_cap_cuts_in_proportion_and_never_what_is_taken_back() -> None:
    (result,) = run(terms(limits=[{"cap": "60%"}]), month(0, {"D1": 600_00, "D2": 300_00, "R1": -100_00}))
    assert result.payout_minor == 600_00
    cuts = [(item.reference, item.amount_minor) for item in result.lines if item.kind is LineKind.CAP]
    assert cuts == [("D1", -133_33), ("D2", -66_67)]


@pytest.mark.parametrize(
    ("order", "expected", "kinds"),
    [
        ("bonus_cap_draw", 1_500, ["earning", "bonus", "cap", "cap", "draw_advance"]),
        ("cap_bonus_draw", 1_500, ["earning", "cap", "bonus", "draw_advance"]),
        ("cap_draw_bonus", 1_900, ["earning", "cap", "draw_advance", "bonus"]),
    ],
)
def test_the_order_of_cap_bonus_and_draw(order: str, expected: int, kinds: list[str]) -> None:
    """Earned 2000, bonus 400, cap 1000, draw 1500."""
    words = terms(
        bonuses=[{"key": "demo", "pays": "4.00"}], limits=[{"cap": "10.00"}], draw={"amount": "15.00"}, order=order
    )
    (result,) = run(words, month(0, {"D1": 2_000}, occurrences=(Occurrence("demo", "O1", JANUARY.start),)))
    assert result.payout_minor == expected
    assert [item.kind.value for item in result.lines] == kinds
    assert result.carried.owed_minor == {"cap_bonus_draw": 100}.get(order, 500)


def test_a_component_and_the_whole_plan_may_both_be_capped() -> None:
    words = terms(limits=[{"cap": "5.00"}, {"component": "new", "cap": "3.00"}])
    given = month(0, {"D1": 400})
    other = Earning("renewal", "D9", JANUARY.start, 300)
    (result,) = run(words, PeriodInput(**{**vars(given), "earnings": (*given.earnings, other)}))
    assert {part.component: part.settled_minor for part in result.parts} == {"new": 250, "renewal": 250}


def test_a_cap_of_the_year_pays_what_it_cut_when_there_is_room() -> None:
    """100 % of the target pay to date: 1,000 a month."""
    words = terms(limits=[{"basis": "year_to_date", "cap": "100%"}])
    results = run(words, month(0, {"D1": 1_500_00}), month(1, {"D2": 200_00}), month(2), month(12, {"D3": 1_500_00}))
    assert paid(results) == [1_000_00, 700_00, 0, 1_000_00]
    room = [item for item in results[1].lines if item.kind is LineKind.CAP]
    assert [(item.reference, item.amount_minor, item.reason) for item in room] == [
        ("D1", 500_00, "room-under-year-cap")
    ]
    both = tuple(part for result in results for part in result.parts if part.reference == "D1")
    assert outstanding(both).settled_minor == 1_500_00


def test_a_reversal_makes_room_for_what_the_cap_of_the_year_cut() -> None:
    words = terms(limits=[{"basis": "year_to_date", "cap": "2.00"}])
    first = run(words, month(0, {"D1": 150, "D2": 150}))[0]
    second = settle(cancelled(1, first), words, first.carried).unwrap()
    assert told(second)[:2] == [("cap", "D2", 50), ("reversal", "C1", -100)]
    assert first.payout_minor - 50 == 150 == 200 + second.carried.brought_forward_minor
    # A year later the other one goes too, and nothing is left.
    third = settle(cancelled(14, first, second, reference="D2"), words, second.carried).unwrap()
    assert first.payout_minor + third.carried.brought_forward_minor == 0


def test_a_floor_of_the_year_is_taken_up_by_what_is_earned_later() -> None:
    words = terms(limits=[{"basis": "year_to_date", "floor": "10.00"}])
    results = run(words, month(0), month(1, {"D1": 600}), month(2, {"D2": 700}))
    assert paid(results) == [1_000, 0, 300]
    assert told(results[1]) == [("earning", "D1", 600), ("floor", "", -600)]


# --- Draw ---------------------------------------------------------------------------------------------------------


def test_what_is_left_of_a_forgiven_draw_goes_on_its_day() -> None:
    words = terms(draw={"amount": "10.00", "kind": "forgiven", "last_day": "2026-01-31", "forgiven_on": "2026-03-01"})
    results = run(words, month(0), month(1, {"D1": 400}), month(2, {"D2": 100}), month(3, {"D3": 500}))
    assert paid(results) == [1_000, 0, 0, 500]
    assert [result.carried.owed_minor for result in results] == [1_000, 600, 0, 0]
    forgiven = results[2].lines[-1]
    assert (forgiven.kind, forgiven.amount_minor, forgiven.is_paid) == (LineKind.DRAW_FORGIVEN, 500, False)


def test_forgiving_touches_only_the_draw_it_was_promised_for() -> None:
    old, new = terms(draw={"amount": "10.00", "key": "old"}), {"amount": "5.00", "kind": "forgiven"}
    first = run(old, month(0))[0]
    words = terms(draw=new | {"forgiven_on": "2026-02-15", "key": "new"})
    second = settle(month(1), words, first.carried).unwrap()
    assert [(balance.key, balance.owed_minor) for balance in second.carried.draws] == [("old", 1_000)]


def test_no_more_than_the_greatest_share_of_earnings_is_taken_back() -> None:
    words = terms(draw={"amount": "10.00", "last_day": "2026-01-31", "most_recovered": "25%"})
    results = run(words, month(0), month(1, {"D1": 1_000}), month(2, {"D2": 9_000}))
    assert paid(results) == [1_000, 750, 8_250]
    assert [result.carried.owed_minor for result in results] == [1_000, 750, 0]


def test_a_draw_is_given_for_the_share_of_the_period() -> None:
    (result,) = run(terms(draw={"amount": "100%"}), month(0, active_share=Fraction(1, 4)))
    assert result.payout_minor == 250_00


def test_a_balance_goes_to_the_next_plan_and_is_shown_when_somebody_leaves() -> None:
    first = run(terms(draw={"amount": "10.00"}), month(0))[0]
    kept = carried_from_plain(first.carried.as_plain()).unwrap()
    second = settle(month(1, {"D1": 300}, is_leaving=True), terms(), kept).unwrap()
    assert told(second) == [("earning", "D1", 300), ("draw_recovery", "draw", -300), ("draw_owed", "draw", 700)]
    assert (second.payout_minor, second.carried.owed_minor) == (0, 700)


# --- Release ------------------------------------------------------------------------------------------------------


def test_instalments_add_up_and_come_on_their_days() -> None:
    parts = [{"share": "1/3"}, {"share": "1/3", "days": 31}, {"share": "1/3", "days": 62}]
    words = terms(releases=[{"kind": "instalments", "parts": parts}])
    results = run(words, month(0, {"D1": 100}), month(1), month(2), month(3))
    assert paid(results) == [34, 33, 33, 0]
    assert [result.carried.held_minor for result in results] == [66, 33, 0, 0]


def test_a_hold_ends_on_its_day_and_bonuses_are_paid_at_once() -> None:
    words = terms(releases=[{"kind": "hold", "days": 31}], bonuses=[{"key": "demo", "pays": "1.00"}])
    won = (Occurrence("demo", "O1", JANUARY.start),)
    results = run(words, month(0, {"D1": 500}, occurrences=won), month(1))
    assert paid(results) == [100, 500]
    assert results[0].lines[-1].text() == "Held until 2026-02-01."
    # Named, a bonus is held like everything else.
    named = terms(
        releases=[{"kind": "hold", "days": 31, "components": ["demo"]}], bonuses=[{"key": "demo", "pays": "1"}]
    )
    assert paid(run(named, month(0, {"D1": 500}, occurrences=won), month(1))) == [500, 100]


def test_what_a_customer_pays_in_part_pays_in_part_and_a_bounced_payment_goes_back_on_hold() -> None:
    words = terms(releases=[{"kind": "on_payment"}])

    def so_far(amount: int) -> tuple[Collection, ...]:
        return (Collection("D1", amount, 900),)

    results = run(
        words,
        month(0, {"D1": 100}, collections=so_far(300)),
        month(1, collections=so_far(600)),
        month(2, collections=so_far(450)),
        month(3),
        month(4, collections=so_far(900)),
    )
    assert [result.carried.held_minor for result in results] == [67, 33, 50, 50, 0]
    assert paid(results) == [33, 34, 0, 0, 33]
    assert results[2].carried.brought_forward_minor == -17


def test_a_refund_takes_from_what_is_held_before_it_takes_from_pay() -> None:
    words = terms(releases=[{"kind": "on_payment"}])
    first = run(words, month(0, {"D1": 100}, collections=(Collection("D1", 25, 100),)))[0]
    refund = Earning("new", "R1", MONTHS[1].start, -60, "D1")
    second = settle(month(1, earnings=(refund,)), words, first.carried).unwrap()
    assert told(second) == [("earning", "R1", -60), ("held_cancelled", "D1", 60)]
    assert (second.payout_minor, second.carried.held_minor, second.carried.brought_forward_minor) == (0, 15, 0)
    third = settle(cancelled(2, first, second), words, second.carried).unwrap()
    assert (third.carried.held_minor, third.carried.brought_forward_minor) == (0, -25)


def test_instalments_after_a_partial_refund_never_ask_for_money_back() -> None:
    parts = [{"share": "50%"}, {"share": "50%", "days": 40}]
    words = terms(releases=[{"kind": "instalments", "parts": parts}])
    first = run(words, month(0, {"D1": 100}))[0]
    second = settle(cancelled(1, first, amount=30), words, first.carried).unwrap()
    assert (first.payout_minor, second.payout_minor, second.carried.held_minor) == (50, 20, 0)


# --- Reversals and clawback ---------------------------------------------------------------------------------------


def test_a_reversal_negates_what_the_line_came_to_and_not_what_it_had_earned() -> None:
    words = terms(limits=[{"cap": "1.00"}], multiplier={"components": ["new"], "rows": [{"at": "0", "factor": "3"}]})
    team = {"team_attainment": Fraction(1)}
    first = run(words, month(0, {"D1": 50, "D2": 50}, **team))[0]
    assert first.payout_minor == 100
    given = cancelled(1, first)
    second = settle(PeriodInput(**{**vars(given), **team}), words, first.carried).unwrap()
    assert told(second)[0] == ("reversal", "C1", -50)


def test_several_partial_reversals_leave_nothing() -> None:
    first = run(terms(), month(0, {"D1": 101}))[0]
    original = first.parts[0]
    given = month(1, reversals=tuple(Reversal(f"C{n}", MONTHS[1].start, -n, original) for n in (1, 50, 30, 20)))
    second = settle(given, terms(), first.carried).unwrap()
    assert outstanding((*first.parts, *second.parts)).settled_minor == 0


@pytest.mark.parametrize(
    ("days", "linear", "stepped"),
    [
        (0, Fraction(1), Fraction(1)),
        (89, Fraction(1), Fraction(1)),
        (90, Fraction(1), Fraction(0)),
        (145, Fraction(4, 5), Fraction(0)),
        (364, Fraction(1, 275), Fraction(0)),
        (365, Fraction(0), Fraction(0)),
        (2000, Fraction(0), Fraction(0)),
    ],
)
def test_all_before_90_days_then_pro_rata(days: int, linear: Fraction, stepped: Fraction) -> None:
    steps = [{"until_days": 90, "share": "100%"}, {"until_days": 365, "share": "0"}]
    for is_linear, expected in ((True, linear), (False, stepped)):
        words = terms(clawback={"steps": steps, "is_linear": is_linear})
        assert words.clawback is not None
        assert words.clawback.share(days) == expected


def test_a_clawback_schedule_is_for_what_was_paid_and_all_that_is_held_goes() -> None:
    words = terms(releases=[{"kind": "on_payment"}], clawback={"steps": [{"until_days": 365, "share": "50%"}]})
    first = run(words, month(0, {"D1": 100}, collections=(Collection("D1", 40, 100),)))[0]
    second = settle(cancelled(1, first), words, first.carried).unwrap()
    assert told(second)[:3] == [("reversal", "C1", -100), ("clawback_waived", "C1", 20), ("held_cancelled", "D1", 60)]
    assert second.carried.brought_forward_minor == -20
    assert second.lines[1].text() == "31 days after the booking only 50% of what was paid is taken back."


# --- Adjustments and what cannot be paid --------------------------------------------------------------------------


def test_what_cannot_be_taken_back_is_carried_forward_or_shown_as_owed() -> None:
    results = run(terms(), month(0, {"R1": -300}), month(1, {"D1": 200}), month(2, {"D2": 500}))
    assert paid(results) == [0, 0, 400]
    assert [result.carried.brought_forward_minor for result in results] == [-300, -100, 0]
    owed = run(terms(negative="show_as_owed"), month(0, {"R1": -300}), month(1, {"D1": 200}))
    assert [(result.payout_minor, result.owed_minor) for result in owed] == [(0, 300), (200, 0)]
    # Nothing is carried forward for somebody who leaves.
    (leaver,) = run(terms(), month(0, {"R1": -300}, is_leaving=True))
    assert (leaver.owed_minor, leaver.carried.brought_forward_minor) == (300, 0)


def test_an_adjustment_counts_for_neither_cap_nor_draw() -> None:
    words = terms(limits=[{"cap": "5.00"}], draw={"amount": "5.00"})
    by_hand = Adjustment("A1", 1_000, "Agreed with the customer", "rita", "finn")
    (result,) = run(words, month(0, {"D1": 300}, adjustments=(by_hand,)))
    assert (result.payout_minor, result.carried.owed_minor) == (1_500, 200)


# --- What is refused ----------------------------------------------------------------------------------------------


def codes(words: Terms, given: PeriodInput, carried: Carried | None = None) -> list[str]:
    """The problems of a period that cannot be settled."""
    outcome = settle(given, words, carried or Carried("USD"))
    assert outcome.value is None
    return [problem.code for problem in outcome.problems]


ORIGINAL = SettledPart("new", "D1", JANUARY.start, 100, 100)
BY_HAND = Adjustment("A1", 1, "Why", "rita", "finn")


@pytest.mark.parametrize(
    ("known", "code"),
    [
        ({"target_minor": -1}, "quota-negative"),
        ({"active_share": Fraction(3, 2)}, "settlement-impossible"),
        ({"achieved": (Achieved("nobody", Fraction(1)),)}, "settlement-impossible"),
        ({"achieved": (Achieved("goal", Fraction(-1)),)}, "settlement-impossible"),
        ({"achieved": (Achieved("goal", Fraction(1)),) * 2}, "settlement-key-twice"),
        ({"occurrences": (Occurrence("nothing", "O1", JANUARY.start),)}, "settlement-impossible"),
        ({"occurrences": (Occurrence("demo", "O1", JANUARY.start),) * 2}, "settlement-key-twice"),
        ({"collections": (Collection("D1", -1, 100),)}, "settlement-impossible"),
        ({"collections": (Collection("D1", 1, 100),) * 2}, "settlement-key-twice"),
        ({"earnings": (Earning("new", "", JANUARY.start, 1),)}, "settlement-impossible"),
        ({"earnings": (Earning("goal", "D1", JANUARY.start, 1),)}, "settlement-impossible"),
        ({"earnings": (Earning("new", "D1", JANUARY.end, 1),)}, "settlement-day-after-period"),
        ({"earnings": (Earning("new", "D1", JANUARY.start, MAX_MINOR + 1),)}, "settlement-beyond-bounds"),
        ({"adjustments": (BY_HAND, BY_HAND)}, "settlement-key-twice"),
        ({"adjustments": (Adjustment("A1", 1, " ", "rita", "finn"),)}, "adjustment-incomplete"),
        ({"adjustments": (Adjustment("A1", 1, "Why", "rita", ""),)}, "adjustment-incomplete"),
        ({"reversals": (Reversal("C1", JANUARY.start, 50, ORIGINAL),)}, "settlement-impossible"),
        ({"reversals": (Reversal("C1", JANUARY.start, -101, ORIGINAL),)}, "reversal-beyond-original"),
        (
            {"reversals": tuple(Reversal(f"C{n}", JANUARY.start, -60, ORIGINAL) for n in range(2))},
            "reversal-beyond-original",
        ),
    ],
)
def test_facts_that_cannot_be_are_problems(known: dict[str, Any], code: str) -> None:
    words = terms(objectives=[{"key": "goal", "weight": "1"}], bonuses=[{"key": "demo", "pays": "1"}])
    assert codes(words, month(0, **known)) == [code]


def test_facts_that_are_missing_are_problems() -> None:
    assert codes(terms(limits=[{"cap": "200%"}]), month(0, target_minor=None)) == ["target-missing"]
    multiplied = terms(multiplier={"components": ["new"], "rows": ROWS})
    assert codes(multiplied, month(0)) == ["team-attainment-missing"]


def test_a_period_is_settled_once_and_in_its_currency() -> None:
    settled = run(terms(), month(0, {"D1": 100}))[0]
    assert codes(terms(), month(0, {"D1": 100}), settled.carried) == ["settlement-period-again"]
    assert codes(terms(), month(1), Carried("EUR")) == ["settlement-currency"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"unknown": 1}, "settlement-unreadable"),
        ({"limits": [{"cap": "-5"}]}, "settlement-unreadable"),
        ({"limits": [{"cap": 5}]}, "settlement-unreadable"),
        ({"limits": [{"cap": "1e3"}]}, "settlement-unreadable"),
        ({"limits": [{}]}, "settlement-impossible"),
        ({"limits": [{"cap": "1.00", "floor": "2.00"}]}, "settlement-impossible"),
        ({"limits": [{"cap": "1.00"}, {"cap": "2.00"}]}, "settlement-key-twice"),
        ({"objectives": [{"key": "a", "weight": "1"}], "bonuses": [{"key": "a", "pays": "1"}]}, "settlement-key-twice"),
        ({"bonuses": [{"key": "a"}]}, "settlement-unreadable"),
        ({"bonuses": [{"key": "a", "pays": "1", "most_count": 0}]}, "settlement-impossible"),
        ({"bonuses": [{"key": "a", "pays": "1", "most_count": True}]}, "settlement-unreadable"),
        ({"multiplier": {"components": ["new"], "rows": []}}, "settlement-unordered"),
        ({"multiplier": {"components": ["new"], "rows": ROWS[::-1]}}, "settlement-unordered"),
        ({"multiplier": {"components": [], "rows": ROWS}}, "settlement-impossible"),
        ({"multiplier": {"components": ["new"], "rows": [{"at": "1", "factor": "101"}]}}, "settlement-impossible"),
        ({"draw": {"amount": "1", "first_day": "2026-02-30"}}, "settlement-unreadable"),
        ({"draw": {"amount": "1", "first_day": "2026-02-01", "last_day": "2026-01-31"}}, "settlement-impossible"),
        ({"draw": {"amount": "1", "kind": "forgiven"}}, "settlement-impossible"),
        ({"draw": {"amount": "1", "forgiven_on": "2026-02-01"}}, "settlement-impossible"),
        ({"draw": {"amount": "1", "most_recovered": "101%"}}, "settlement-impossible"),
        ({"releases": [{"kind": "instalments"}]}, "settlement-impossible"),
        ({"releases": [{"kind": "instalments", "parts": [{"share": "99%"}]}]}, "instalments-not-whole"),
        ({"releases": [{"kind": "hold"}]}, "settlement-impossible"),
        ({"releases": [{"kind": "never"}]}, "settlement-unreadable"),
        ({"clawback": {"steps": [{"until_days": 90, "share": "101%"}]}}, "settlement-impossible"),
        ({"clawback": {"steps": [{"until_days": 90, "share": "1"}], "is_linear": True}}, "settlement-impossible"),
        ({"clawback": {"steps": []}}, "settlement-unordered"),
        ({"order": "draw_first"}, "settlement-unreadable"),
    ],
)
def test_terms_that_cannot_be_are_problems_with_their_place(words: dict[str, Any], code: str) -> None:
    outcome = terms_from_plain({"currency": "USD", **words})
    assert {problem.code for problem in outcome.problems} == {code}
    assert all(problem.where.startswith("settlement") for problem in outcome.problems)
    for problem in outcome.problems:
        assert "%" not in problem.remedy_text().replace("200%", "").replace("25%", "")


def test_reasons_tell_what_the_line_is_about() -> None:
    told_line = line(LineKind.CAP, -5, "cut-by-cap", "D1", "new", cap="10.00")
    assert told_line.text() == "Cut by the cap of 10.00."
    assert told_line.text(lambda text: {REASONS["cut-by-cap"]: "封顶 %(cap)s"}[text]) == "封顶 10.00"
    assert {kind for kind in LineKind if not line(kind, 1, "earned").is_paid} == NOT_PAID
