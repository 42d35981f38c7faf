"""What is true of every settlement: nothing is lost or paid twice, order does not matter, and all can be undone."""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.commissions.rules.conventions import SettlementOrder
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
    input_from_plain,
    outstanding,
    settled_from_plain,
)
from salesops.commissions.rules.settlement.lines import LineKind
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import Terms, terms_from_plain
from salesops.values.periods import PeriodKind, periods_between

COMPONENTS = ("new", "renewal")
# From October, so that histories go across the end of a year.
MONTHS = list(periods_between(date(2025, 10, 1), date(2027, 10, 1), PeriodKind.MONTH))
SETTLED_KINDS = {
    LineKind.EARNING,
    LineKind.OBJECTIVE,
    LineKind.BONUS,
    LineKind.MULTIPLIER,
    LineKind.CAP,
    LineKind.FLOOR,
    LineKind.REVERSAL,
}
FULL = settings(max_examples=100)

cents = st.integers(min_value=1, max_value=20_000_00)
amounts = st.integers(min_value=0, max_value=20_000_00).map(lambda minor: f"{minor // 100}.{minor % 100:02d}")
shares = st.integers(min_value=0, max_value=300).map(lambda percent: f"{percent}%")
pays = st.one_of(amounts, shares)
names = st.sampled_from([["new"], ["renewal"], ["new", "renewal"], ["new", "goal"], ["spiff"]])


@st.composite
def limits(draw: Any, *, has_floors: bool) -> list[dict[str, Any]]:
    """Caps and floors with different keys; a floor is never above its cap."""
    found = []
    for component, basis in itertools.product((None, "new", "goal"), ("period", "year_to_date")):
        if draw(st.integers(0, 2)) == 0:
            cap, floor = sorted(draw(st.tuples(st.integers(0, 300), st.integers(0, 300))), reverse=True)
            limit: dict[str, Any] = {"component": component, "basis": basis, "cap": f"{cap}%"}
            if has_floors and draw(st.booleans()):
                limit["floor"] = f"{floor}%"
                if draw(st.booleans()):
                    del limit["cap"]
            found.append(limit)
    return found


@st.composite
def releases(draw: Any) -> list[dict[str, Any]]:
    """At most one release for some components and one for all."""
    kinds: list[dict[str, Any]] = [
        {"kind": "at_once"},
        {"kind": "hold", "days": draw(st.integers(1, 70))},
        {"kind": "on_payment"},
        {
            "kind": "instalments",
            "parts": [
                {"share": "1/3"},
                {"share": "1/3", "days": 30},
                {"share": "1/3", "days": draw(st.integers(0, 90))},
            ],
        },
    ]
    return [
        {**draw(st.sampled_from(kinds)), "components": draw(names)},
        draw(st.sampled_from(kinds)),
    ]


@st.composite
def plans(draw: Any, *, is_undone: bool = False) -> Terms:
    """Terms of every sort; with `is_undone` without what a company gives away (floors, guarantees, forgiving)."""
    words: dict[str, Any] = {
        "currency": "USD",
        "objectives": [{"key": "goal", "weight": draw(shares)}, {"key": "other", "weight": "33.33%", "most": "120%"}],
        "bonuses": [{"key": "spiff", "pays": draw(pays), "most_count": draw(st.sampled_from([None, 1, 2]))}],
        "limits": draw(limits(has_floors=not is_undone)),
        "releases": draw(releases()),
        "order": draw(st.sampled_from(SettlementOrder)).value,
        "negative": draw(st.sampled_from(["carry_forward", "show_as_owed"])),
        "leaver": "credited_before" if is_undone else draw(st.sampled_from(["credited_before", "paid_before"])),
    }
    if draw(st.booleans()):
        rows = [{"at": "50%", "factor": draw(shares)}, {"at": "100%", "factor": "1"}, {"at": "120%", "factor": "4/3"}]
        words["multiplier"] = {
            "components": draw(names),
            "rows": rows,
            "kind": draw(st.sampled_from(["steps", "points"])),
            "gate": draw(st.sampled_from([None, "80%"])),
        }
    if draw(st.booleans()):
        kind = "recoverable" if is_undone else draw(st.sampled_from(["recoverable", "non_recoverable", "forgiven"]))
        words["draw"] = {
            "amount": draw(pays),
            "kind": kind,
            "mode": draw(st.sampled_from(["top_up", "on_top"])),
            "last_day": draw(st.sampled_from([None, "2025-11-30", "2026-02-28"])),
            "most_recovered": draw(st.sampled_from([None, "50%"])),
            "forgiven_on": "2026-01-15" if kind == "forgiven" else None,
        }
    if not is_undone and draw(st.booleans()):
        words["clawback"] = {
            "steps": [{"until_days": 30, "share": "100%"}, {"until_days": 120, "share": "0%"}],
            "is_linear": draw(st.booleans()),
        }
    return terms_from_plain(words).unwrap()


@st.composite
def periods(draw: Any, index: int, past: list[SettledPart], *, is_undone: bool) -> PeriodInput:
    """A month's facts; transactions come again in later months, and what was settled is partly cancelled."""
    month = MONTHS[index]
    days = st.integers(0, 60).map(lambda back: month.last_day - timedelta(back))
    references = st.integers(0, 3).map(lambda number: f"D{number}" if not is_undone else f"D{index}-{number}")
    earnings = draw(st.lists(st.builds(Earning, st.sampled_from(COMPONENTS), references, days, cents), max_size=5))
    if not is_undone:
        taken = st.builds(
            Earning, st.sampled_from(COMPONENTS), st.just(f"R{index}"), days, cents.map(lambda n: -n), references
        )
        earnings += draw(st.lists(taken, max_size=2))
    reversals = []
    by_reference: dict[tuple[str, str], list[SettledPart]] = defaultdict(list)
    for part in past:
        by_reference[part.component, part.reference].append(part)
    for key in sorted(by_reference):
        original = outstanding(tuple(by_reference[key]))
        if original.earned_minor and draw(st.integers(0, 3)) == 0:
            most = abs(original.earned_minor)
            size = draw(st.one_of(st.just(most), st.integers(1, most)))
            sign = -1 if original.earned_minor > 0 else 1
            reversals.append(Reversal(f"C{index}", month.start, sign * size, original))
    adjustments = () if is_undone else (Adjustment(f"A{index}", draw(cents) - 10_000_00, "Agreed", "rita", "finn"),)
    collections = [
        Collection(reference, draw(st.integers(0, 1000)), 700)
        for reference in sorted({item.reference for item in earnings} | {part.reference for part in past})
        if draw(st.booleans())
    ]
    occurrences = draw(st.sets(st.integers(0, 4), max_size=4))
    return PeriodInput(
        month,
        str(month.start.year),
        tuple(earnings),
        tuple(reversals),
        tuple(Achieved(key, Fraction(draw(st.integers(0, 150)), 100)) for key in ("goal", "other")),
        tuple(Occurrence("spiff", f"S{index}-{number}", month.start) for number in sorted(occurrences)),
        tuple(collections),
        adjustments,
        draw(st.integers(0, 10_000_00)),
        Fraction(draw(st.integers(0, 150)), 100),
        Fraction(draw(st.integers(0, 30)), 30),
        not is_undone and draw(st.integers(0, 4)) == 0,
    )


History = list[tuple[PeriodInput, Carried, Settled]]


@st.composite
def histories(draw: Any, *, is_undone: bool = False) -> tuple[Terms, History]:
    """Terms, and some months in a row that were settled by them."""
    terms = draw(plans(is_undone=is_undone))
    history: History = []
    past: list[SettledPart] = []
    carried = Carried("USD")
    for index in range(draw(st.integers(1, 5))):
        given_ = draw(periods(index, past, is_undone=is_undone))
        settled = settle(given_, terms, carried).unwrap()
        history.append((given_, carried, settled))
        past, carried = [*past, *settled.parts], settled.carried
    return terms, history


def of(settled: Settled, *kinds: LineKind) -> int:
    """The sum of the lines of these kinds."""
    return sum(line.amount_minor for line in settled.lines if line.kind in kinds)


# --- Nothing is lost ----------------------------------------------------------------------------------------------


@FULL
@given(histories())
def test_every_period_accounts_for_every_amount_once(found: tuple[Terms, History]) -> None:
    _terms, history = found
    for given_, before, settled in history:
        after = settled.carried
        assert of(settled, LineKind.EARNING) == sum(item.amount_minor for item in given_.earnings)
        assert of(settled, LineKind.ADJUSTMENT) == sum(item.amount_minor for item in given_.adjustments)
        # What is settled is kept by reference, except for what a floor adds, which belongs to no reference.
        by_reference = sum(part.settled_minor for part in settled.parts)
        assert by_reference + floors_left(settled) == of(settled, *SETTLED_KINDS)
        held = of(settled, LineKind.HOLD, LineKind.HELD_CANCELLED, LineKind.RELEASE)
        assert after.held_minor - before.held_minor == -held
        drawn = of(settled, LineKind.DRAW_ADVANCE, LineKind.DRAW_RECOVERY)
        assert after.owed_minor - before.owed_minor == drawn - of(settled, LineKind.DRAW_FORGIVEN)
        came = of(settled, *SETTLED_KINDS) + of(settled, LineKind.CLAWBACK_WAIVED, LineKind.DRAW_GUARANTEE)
        came += of(settled, LineKind.ADJUSTMENT) + drawn + held
        assert settled.payout_minor - settled.owed_minor + after.brought_forward_minor == (
            came + before.brought_forward_minor
        )
        assert settled.payout_minor >= 0
        assert settled.owed_minor >= 0
        assert after.brought_forward_minor <= 0
        assert sum(line.amount_minor for line in settled.lines if line.is_paid) == settled.payout_minor
        assert all(0 <= part.released_minor < part.total_minor for part in after.held)
        assert all(balance.owed_minor > 0 for balance in after.draws)
        assert all(cut.cut_minor > 0 for item in after.totals for cut in item.cuts)


def floors_left(settled: Settled) -> int:
    """What floors add, less what a cap of the whole plan cuts off that and what is forfeited of it."""
    kinds = (LineKind.CAP, LineKind.REVERSAL)
    cut = sum(line.amount_minor for line in settled.lines if line.kind in kinds and not line.reference)
    return of(settled, LineKind.FLOOR) + cut


@FULL
@given(histories())
def test_a_history_pays_what_was_settled_and_advanced(found: tuple[Terms, History]) -> None:
    _terms, history = found
    results = [settled for _given, _before, settled in history]
    last = results[-1].carried
    paid = sum(settled.payout_minor - settled.owed_minor for settled in results)
    settled_in_all = sum(of(settled, *SETTLED_KINDS, LineKind.CLAWBACK_WAIVED) for settled in results)
    given_away = sum(of(settled, LineKind.DRAW_GUARANTEE, LineKind.DRAW_FORGIVEN) for settled in results)
    adjusted = sum(of(settled, LineKind.ADJUSTMENT) for settled in results)
    assert paid + last.held_minor + last.brought_forward_minor == (
        settled_in_all + adjusted + given_away + last.owed_minor
    )


# --- All can be undone --------------------------------------------------------------------------------------------


@FULL
@given(histories(is_undone=True), st.integers(0, 14), st.booleans())
def test_reversing_everything_brings_a_person_to_exactly_nothing(
    found: tuple[Terms, History], later: int, is_halved: bool
) -> None:
    """In the same year or another one, at once or in two halves; what is advanced is owed, and what is held is gone."""
    terms, history = found
    results = [settled for _given, _before, settled in history]
    for step in range(2):
        parts: dict[tuple[str, str], list[SettledPart]] = defaultdict(list)
        for settled in results:
            for part in settled.parts:
                parts[part.component, part.reference].append(part)
        originals = [outstanding(tuple(same)) for _key, same in sorted(parts.items())]
        month = MONTHS[len(results) + later]
        reversals = tuple(
            Reversal(f"X{step}", month.start, -left, original)
            for original in originals
            if (left := original.earned_minor // 2 if is_halved and not step else original.earned_minor)
        )
        given_ = PeriodInput(
            month,
            str(month.start.year),
            reversals=reversals,
            target_minor=100_00,
            team_attainment=Fraction(1),
            active_share=Fraction(0),
        )
        results.append(settle(given_, terms, results[-1].carried).unwrap())
    last = results[-1].carried
    assert last.held == ()
    assert all(item.cuts == () for item in last.totals)
    paid = sum(settled.payout_minor - settled.owed_minor for settled in results)
    assert paid + last.brought_forward_minor - last.owed_minor == 0
    for key in {(part.component, part.reference) for settled in results for part in settled.parts}:
        same = tuple(part for settled in results for part in settled.parts if (part.component, part.reference) == key)
        left = outstanding(same)
        assert (left.earned_minor, left.settled_minor, left.stages) == (0, 0, ())


# --- Order and batches --------------------------------------------------------------------------------------------


@FULL
@given(histories(), st.randoms(use_true_random=False))
def test_order_and_batches_of_lines_do_not_matter(found: tuple[Terms, History], chance: random.Random) -> None:
    terms, history = found
    for given_, before, settled in history:
        pieces = []
        for item in given_.earnings:
            first = chance.randint(-5_000, 5_000)
            pieces += [replace(item, amount_minor=first), replace(item, amount_minor=item.amount_minor - first)]
        shuffled = replace(
            given_,
            earnings=tuple(chance.sample(pieces, len(pieces))),
            reversals=tuple(chance.sample(given_.reversals, len(given_.reversals))),
            achieved=tuple(chance.sample(given_.achieved, len(given_.achieved))),
            occurrences=tuple(chance.sample(given_.occurrences, len(given_.occurrences))),
            collections=tuple(chance.sample(given_.collections, len(given_.collections))),
            adjustments=tuple(chance.sample(given_.adjustments, len(given_.adjustments))),
        )
        assert settle(shuffled, terms, before).unwrap() == settled


@FULL
@given(histories())
def test_everything_survives_json_and_every_line_tells_its_reason(found: tuple[Terms, History]) -> None:
    terms, history = found
    assert terms_from_plain(json.loads(json.dumps(terms.as_plain()))).unwrap() == terms
    for given_, before, settled in history:
        assert input_from_plain(json.loads(json.dumps(given_.as_plain()))).unwrap() == given_
        assert carried_from_plain(json.loads(json.dumps(before.as_plain()))).unwrap() == before
        assert settled_from_plain(json.loads(json.dumps(settled.as_plain()))).unwrap() == settled
        assert not [item for item in settled.lines if "%(" in item.text()]


# --- Caps, floors, draws ------------------------------------------------------------------------------------------


def settled_sum(settled: Settled) -> int:
    """What the period came to after multiplier and limits."""
    return of(settled, *SETTLED_KINDS)


@FULL
@given(
    st.lists(st.lists(st.integers(-5_000_00, 9_000_00), max_size=4), min_size=1, max_size=4),
    st.sampled_from(["period", "year_to_date"]),
    st.integers(0, 20_000_00),
    st.integers(0, 20_000_00),
)
def test_a_higher_cap_or_floor_never_lowers_what_is_settled(
    months: list[list[int]], basis: str, low: int, high: int
) -> None:
    low, high = sorted((low, high))
    for name in ("cap", "floor"):
        totals = []
        for bound in (low, high):
            limit = {"basis": basis, name: f"{bound // 100}.{bound % 100:02d}"}
            terms = terms_from_plain({"currency": "USD", "limits": [limit]}).unwrap()
            carried, so_far = Carried("USD"), []
            for index, earned in enumerate(months):
                lines = tuple(
                    Earning("new", f"D{index}-{number}", MONTHS[3 + index].start, amount)
                    for number, amount in enumerate(earned)
                )
                settled = settle(PeriodInput(MONTHS[3 + index], "2026", lines), terms, carried).unwrap()
                carried = settled.carried
                so_far.append((so_far[-1] if so_far else 0) + settled_sum(settled))
            totals.append(so_far)
        assert all(lower <= higher for lower, higher in zip(*totals, strict=True))


@FULL
@given(
    st.lists(st.lists(st.integers(-5_000_00, 9_000_00), max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(0, 3_000_00), min_size=5, max_size=5),
    st.integers(0, 40),
)
def test_a_cap_of_the_year_is_the_lower_of_sum_and_cap(
    months: list[list[int]], targets: list[int], multiple: int
) -> None:
    """Whatever the batches: a share of a target pay that grows over the year is caught up with."""
    words = {"currency": "USD", "limits": [{"basis": "year_to_date", "cap": f"{multiple * 10}%"}]}
    terms, carried = terms_from_plain(words).unwrap(), Carried("USD")
    earned_so_far = target_so_far = paid_so_far = 0
    for index, earned in enumerate(months):
        month = MONTHS[3 + index]
        lines = tuple(Earning("new", f"D{index}-{number}", month.start, n) for number, n in enumerate(earned))
        given_ = PeriodInput(month, "2026", lines, target_minor=targets[index])
        settled = settle(given_, terms, carried).unwrap()
        carried = settled.carried
        earned_so_far, target_so_far = earned_so_far + sum(earned), target_so_far + targets[index]
        paid_so_far += settled_sum(settled)
        cap = (target_so_far * multiple + 5) // 10  # half up
        assert paid_so_far == min(earned_so_far, cap)


@FULL
@given(
    st.lists(st.integers(-5_000_00, 9_000_00), min_size=1, max_size=8),
    st.integers(0, 3_000_00),
    st.integers(0, 8),
    st.sampled_from([None, "25%", "100%"]),
)
def test_a_recoverable_draw_only_shifts_pay(earned: list[int], amount: int, count: int, most: str | None) -> None:
    """In each month with the draw at least the draw is paid; over time nothing but what was earned and is owed."""
    words: dict[str, Any] = {"currency": "USD", "draw": {"amount": f"{amount // 100}.{amount % 100:02d}"}}
    words["draw"] |= {"most_recovered": most, "last_day": MONTHS[count].last_day.isoformat()}
    terms, carried, paid = terms_from_plain(words).unwrap(), Carried("USD"), 0
    for index, minor in enumerate(earned):
        lines = (Earning("new", f"D{index}", MONTHS[index].start, minor),)
        before = carried
        settled = settle(PeriodInput(MONTHS[index], "2026", lines), terms, carried).unwrap()
        carried, paid = settled.carried, paid + settled.payout_minor
        assert paid + carried.brought_forward_minor - carried.owed_minor == sum(earned[: index + 1])
        if index <= count and not before.brought_forward_minor:
            assert settled.payout_minor >= amount
        if most == "25%" and minor > 0:
            assert 4 * -of(settled, LineKind.DRAW_RECOVERY) <= minor + 2


@FULL
@given(
    st.integers(1, 9_999_99),
    st.lists(st.integers(0, 1_000_00), min_size=1, max_size=6),
    st.integers(1, 1_000_00),
)
def test_pay_on_payment_follows_the_sum_that_was_paid(earned: int, paid: list[int], invoice: int) -> None:
    """However the customer pays, what was released is the rounded share of the sum: never the whole on each part."""
    terms = terms_from_plain({"currency": "USD", "releases": [{"kind": "on_payment"}]}).unwrap()
    carried, released = Carried("USD"), 0
    for index, so_far in enumerate(itertools.accumulate(paid)):
        lines = (Earning("new", "D1", MONTHS[0].start, earned),) if not index else ()
        given_ = PeriodInput(MONTHS[index], "2026", lines, collections=(Collection("D1", so_far, invoice),))
        settled = settle(given_, terms, carried).unwrap()
        carried, released = settled.carried, released + settled.payout_minor
        assert released == min(earned, (2 * earned * so_far + invoice) // (2 * invoice))
        assert released + carried.held_minor == earned
