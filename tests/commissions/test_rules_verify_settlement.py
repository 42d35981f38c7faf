"""The settlement in a bundle: a second calculation comes to the same lines, and finds every number that was changed."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import (
    BundleAdjustment,
    BundleCredit,
    BundleLine,
    BundleTerms,
    SettlementFacts,
    StatementFacts,
    build_bundle,
    bundle_bytes,
)
from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.rules.plans import Component, PlanDefinition, Scope, canonical, digest_of
from salesops.commissions.rules.settlement.facts import (
    Achieved,
    Adjustment,
    Carried,
    Earning,
    Occurrence,
    PeriodInput,
    Reversal,
    Settled,
)
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import Terms, terms_from_plain
from salesops.commissions.rules.shapes import shape_from_plain
from salesops.values.periods import PeriodKind, period_of
from tests.commissions.test_rules_settlement_invariants import COMPONENTS, History, histories
from tests.commissions.test_rules_verify import flipped, numbers_in

WHOLE = shape_from_plain({"shape": "flat", "rate": "100%"}).unwrap()
JANUARY = period_of(date(2026, 1, 1), PeriodKind.MONTH)
ANNA = 11


def facts_of(terms: Terms, given_: PeriodInput, carried: Carried, settled: Settled) -> StatementFacts:
    """A statement whose components pay everything that is credited, so that credits are what was earned."""
    conventions = Conventions(settlement_order=terms.order, leaver=terms.leaver)
    components = tuple(Component(key, key.title(), WHOLE) for key in COMPONENTS)
    plan = PlanDefinition("USD", "UTC", PeriodKind.MONTH, components, conventions, settlement=terms)
    credits: list[BundleCredit] = []
    lines: list[BundleLine] = []
    for key in COMPONENTS:
        amounts: dict[str, int] = {}
        for item in given_.earnings:
            if item.component == key:
                amounts[item.reference] = amounts.get(item.reference, 0) + item.amount_minor
        total = 0
        for name, amount in sorted(amounts.items()):
            credits.append(
                BundleCredit(
                    key,
                    name,
                    given_.period.start,
                    amount,
                    "USD",
                    10_000,
                    amount,
                    amount,
                    "owner",
                    shares=((ANNA, 10_000),),
                )
            )
            lines.append(BundleLine(key, name, 0, total, total + amount, total, total + amount, amount))
            total += amount
        for number, reversal in enumerate(given_.reversals):
            if reversal.original.component == key:
                name, amount = reversal.reference, reversal.amount_minor
                credits.append(
                    BundleCredit(
                        key, name, reversal.day, amount, "USD", 10_000, amount, 0, "owner", "stored", rank=number
                    )
                )
                lines.append(BundleLine(key, name, number, 7, 7, 7, 7, amount, reversal.original.reference))
    return StatementFacts(
        "S-1",
        ANNA,
        "Anna Ek",
        given_.period.label,
        given_.period.start,
        given_.period.end,
        "AE",
        1,
        plan,
        "1",
        tuple(BundleTerms(key) for key in COMPONENTS),
        tuple(credits),
        tuple(lines),
        settlement=SettlementFacts(given_, carried, settled),
    )


def bundles(terms: Terms, history: History) -> list[dict[str, Any]]:
    """The bundle of every period, as it is read from its bytes."""
    return [verify.read(bundle_bytes(build_bundle(facts_of(terms, *period)))) for period in history]


def resealed(bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle with digests of what it now says, as a forger would take them."""
    rest = {name: part for name, part in bundle.items() if name != "digests"}
    digests = {part: digest_of(bundle[part]) for part in ("plan", "inputs", "result")}
    return rest | {"digests": digests | {"bundle": digest_of(rest)}}


def changed(bundle: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A forged copy in which one value is another."""
    forged: dict[str, Any] = json.loads(canonical(bundle))
    inner: Any = forged
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return resealed(forged)


def found_in(bundle: dict[str, Any]) -> list[str]:
    """What the verifier says."""
    try:
        return verify.disagreements(bundle)
    except verify.BundleError as error:
        return [str(error)]


def at(bundle: dict[str, Any], path: tuple[Any, ...]) -> Any:
    """The value at a path."""
    for step in path:
        bundle = bundle[step]
    return bundle


@settings(max_examples=80)
@given(histories(), st.randoms(use_true_random=False))
def test_the_second_settlement_agrees_and_finds_a_changed_digit(
    found: tuple[Terms, History], chance: random.Random
) -> None:
    for bundle in bundles(*found):
        assert verify.disagreements(bundle) == []
        paths = numbers_in(bundle["result"], ("result",))
        for path in chance.sample(paths, min(3, len(paths))):
            assert found_in(changed(bundle, path, flipped(at(bundle, path)))), path


RICH: dict[str, Any] = {
    "currency": "USD",
    "objectives": [{"key": "goal", "weight": "20%", "most": "120%"}],
    "bonuses": [{"key": "spiff", "pays": "250.00", "most_count": 1}],
    "multiplier": {
        "components": ["new"],
        "rows": [{"at": "50%", "factor": "80%"}, {"at": "120%", "factor": "4/3"}],
        "kind": "points",
    },
    "limits": [{"basis": "year_to_date", "cap": "90%"}, {"component": "renewal", "floor": "100.00"}],
    "draw": {"amount": "30000.00", "most_recovered": "50%"},
    "releases": [
        {"kind": "instalments", "components": ["new"], "parts": [{"share": "1/3"}, {"share": "2/3", "days": 30}]},
        {"kind": "hold", "days": 10},
    ],
    "clawback": {"steps": [{"until_days": 90, "share": "100%"}, {"until_days": 365, "share": "0"}], "is_linear": True},
}


def rich() -> dict[str, Any]:
    """Three months, each with something of every step."""
    terms = terms_from_plain(RICH).unwrap()
    carried = Carried("USD")
    settled: Settled | None = None
    month = JANUARY
    for index in range(3):
        reversals: tuple[Reversal, ...] = ()
        if settled:
            original = next(part for part in settled.parts if part.component == "new" and part.earned_minor > 0)
            reversals = (Reversal(f"C{index}", month.last_day, -original.earned_minor, original),)
        given_ = PeriodInput(
            month,
            "2026",
            (
                Earning("new", f"D{index}", month.start, 4_321_99),
                Earning("renewal", f"E{index}", month.start, 33_33),
                Earning("new", f"F{index}", month.last_day, -100_01, f"D{index - 1}"),
            ),
            reversals,
            (Achieved("goal", Fraction(13, 12)),),
            (Occurrence("spiff", "S1", month.start), Occurrence("spiff", "S2", month.start)),
            (),
            (Adjustment(f"A{index}", -10_00, "Fair", "rita", "finn"),),
            2_000_00,
            Fraction(4, 5),
            Fraction(1, 3),
        )
        period = (given_, carried, settle(given_, terms, carried).unwrap())
        settled, carried = period[2], period[2].carried
        month = period_of(month.end, PeriodKind.MONTH)
    return bundles(terms, [period])[0]


def test_every_number_of_a_result_is_derived_again() -> None:
    bundle = rich()
    assert verify.disagreements(bundle) == []
    kinds = {line["kind"] for line in bundle["result"]["settlement"]["lines"]}
    assert kinds >= {
        "earning",
        "objective",
        "bonus",
        "multiplier",
        "cap",
        "floor",
        "reversal",
        "draw_advance",
        "hold",
        "release",
        "adjustment",
    }
    paths = numbers_in(bundle["result"], ("result",))
    assert len(paths) > 150
    for path in paths:
        forged = changed(bundle, path, flipped(at(bundle, path)))
        # The digests are those of the forgery: only the calculation can find it.
        assert not [finding for finding in found_in(forged) if "digest" in finding]
        assert found_in(forged), path


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("result", "payout_minor"), 1, "payout_minor comes to"),
        (("result", "owed_minor"), 1, "owed_minor comes to 0, stated is 1"),
        (("result", "settlement", "carried", "until"), "2026-04-02", "settlement.carried.until comes to 2026-04-01"),
        (("result", "settlement", "lines", 0, "kind"), "bonus", "settlement.lines[0].kind comes to earning"),
        (("inputs", "settlement_given", "target_minor"), 2_000_01, "settlement."),
        (
            ("inputs", "settlement_given", "earnings", 0, "amount_minor"),
            1,
            "what was earned and what is settled differ",
        ),
        (("inputs", "settlement_given", "adjustments", 0, "amount_minor"), 1, "adjustments[0].amount_minor"),
        (
            ("inputs", "settlement_given", "period", "label"),
            "2026-02",
            "The settlement is of 2026-02, the statement of",
        ),
        (("inputs", "settlement_carried", "currency"), "EUR", "What is carried over is in EUR"),
        (("inputs", "settlement_carried", "until"), "2026-03-02", "settled before: up to 2026-03-02"),
        (("inputs", "settlement_carried", "draws", 0, "owed_minor"), 1, "settlement."),
        (("inputs", "settlement_carried"), None, "does not hold all of the settlement"),
        (("plan", "conventions", "settlement_order"), "cap_draw_bonus", "settlement.lines"),
        (("plan", "settlement", "draw", "amount"), "30000.03", "settlement.lines"),
        (("plan", "settlement", "surprise"), 1, "plan.settlement.surprise is a word this calculation does not know"),
        (("plan", "components", 0, "shape", "bonus"), "1", "plan.components[0].shape.bonus is a word"),
        (("plan", "settlement", "draw", "mode"), "gift", "plan.settlement.draw.mode: 'gift' is a word"),
        (("plan", "conventions", "rounding"), "down", "plan.conventions.rounding: 'down' is a word"),
        (("inputs", "settlement_given", "achieved", 0, "objective"), "x", "x was achieved and is no objective"),
        (("inputs", "settlement_given", "occurrences", 0, "bonus"), "x", "x happened and is no bonus"),
    ],
)
def test_a_forged_settlement_is_found_by_calculation(path: tuple[Any, ...], value: Any, said: str) -> None:
    forged = changed(rich(), path, value)
    assert any(said in finding for finding in found_in(forged)), found_in(forged)


def test_a_settlement_that_is_left_out_is_missed() -> None:
    bundle = rich()
    for part, name in (
        ("inputs", "settlement_given"),
        ("inputs", "settlement_carried"),
        ("result", "settlement"),
    ):
        del bundle[part][name]
    assert "What is earned is settled, and the bundle does not hold all of the settlement." in found_in(
        resealed(bundle)
    )


def simple(**changes: Any) -> StatementFacts:
    """January of a plan that settles nothing; 100.00 was credited and paid."""
    plan = PlanDefinition("USD", "UTC", PeriodKind.MONTH, (Component("new", "New", WHOLE),))
    credit = BundleCredit(
        "new", "D1", JANUARY.start, 100_00, "USD", 10_000, 100_00, 100_00, "owner", shares=((ANNA, 10_000),)
    )
    line = BundleLine("new", "D1", 0, 0, 100_00, 0, 100_00, 100_00)
    facts = StatementFacts(
        "S-1",
        ANNA,
        "Anna Ek",
        JANUARY.label,
        JANUARY.start,
        JANUARY.end,
        "AE",
        1,
        plan,
        "1",
        (BundleTerms("new"),),
        (credit,),
        (line,),
    )
    return replace(facts, **changes)


def test_without_a_settlement_what_is_earned_and_adjusted_is_paid() -> None:
    bundle = build_bundle(simple(adjustments=(BundleAdjustment("A1", -7_00, "Paid twice"),)))
    result = bundle["result"]
    assert [
        result[name] for name in ("earned_minor", "adjusted_minor", "total_minor", "payout_minor", "owed_minor")
    ] == [
        100_00,
        -7_00,
        93_00,
        93_00,
        0,
    ]
    assert found_in(bundle) == []
    assert "payout_minor comes to 9300, stated is 9301." in found_in(changed(bundle, ("result", "payout_minor"), 93_01))


def test_the_adjustments_of_a_settlement_are_its_own() -> None:
    own = Adjustment("A1", -7_00, "Paid twice", "rita", "finn")
    given_ = PeriodInput(JANUARY, "2026", (Earning("new", "D1", JANUARY.start, 100_00),), adjustments=(own,))
    carried = Carried("USD")
    settlement = SettlementFacts(given_, carried, settle(given_, Terms("USD"), carried).unwrap())
    bundle = build_bundle(simple(settlement=settlement))
    assert found_in(bundle) == []
    assert (bundle["result"]["adjusted_minor"], bundle["result"]["payout_minor"]) == (-7_00, 93_00)
    same = (BundleAdjustment("A1", -7_00, "Paid twice"),)
    assert build_bundle(simple(settlement=settlement, adjustments=same)) == bundle
    with pytest.raises(ValueError, match="not those of its settlement"):
        build_bundle(simple(settlement=settlement, adjustments=(BundleAdjustment("A1", -8_00, "Paid twice"),)))


# --- Words of a component -----------------------------------------------------------------------------------------


def test_a_longer_period_begins_where_the_statement_before_ended() -> None:
    """From 40.00 on in a quarter: 10.00 up to the quota of 50.00 at 10 %, 90.00 above it at 20 %."""
    tiers = [{"from": "0%", "rate": "10%"}, {"from": "100%", "rate": "20%"}]
    shape = shape_from_plain({"shape": "marginal", "tiers": tiers}).unwrap()
    component = Component("new", "New", shape, period_kind=PeriodKind.QUARTER)
    plan = PlanDefinition("USD", "UTC", PeriodKind.MONTH, (component,))
    facts = simple(
        plan=plan,
        terms=(BundleTerms("new", quota=50_00, start=40_00),),
        lines=(BundleLine("new", "D1", 0, 40_00, 140_00, 4_00, 23_00, 19_00),),
    )
    bundle = build_bundle(facts)
    assert found_in(bundle) == []
    forged = changed(bundle, ("inputs", "terms", 0, "start"), 40_01)
    assert "new / D1: before comes to 4001, stated is 4000." in found_in(forged)
    by_month = replace(facts, plan=replace(plan, components=(replace(component, period_kind=None),)))
    assert "new: the walk begins at 4000, and every period begins at 0." in found_in(build_bundle(by_month))


def test_each_transaction_of_its_own_begins_at_zero() -> None:
    shape = shape_from_plain(
        {"shape": "marginal", "tiers": [{"from": "0", "rate": "0"}, {"from": "60", "rate": "50%"}]}
    )
    component = Component("new", "New", shape.unwrap(), scope=Scope.TRANSACTION)
    facts = simple(plan=PlanDefinition("USD", "UTC", PeriodKind.MONTH, (component,)))
    second = replace(facts.credits[0], transaction="D2")
    lines = tuple(BundleLine("new", key, 0, 0, 100_00, 0, 20_00, 20_00) for key in ("D1", "D2"))
    bundle = build_bundle(replace(facts, credits=(*facts.credits, second), lines=lines))
    assert found_in(bundle) == []
    assert "new / D2: before comes to 10000, stated is 0." in found_in(
        changed(bundle, ("plan", "components", 0, "scope"), "period")
    )


def test_what_is_negated_moves_nobody_and_what_moves_down_negates_nothing() -> None:
    facts = simple()
    back = BundleCredit("new", "R1", JANUARY.last_day, -40_00, "USD", 10_000, -40_00, 0, "owner", "stored", rank=1)
    line = BundleLine("new", "R1", 1, 100_00, 100_00, 100_00, 100_00, -40_00, "D1")
    after = replace(facts.credits[0], transaction="S1", day=JANUARY.last_day)
    after_line = BundleLine("new", "S1", 0, 100_00, 200_00, 100_00, 200_00, 100_00)
    credits, lines = (*facts.credits, back, after), (*facts.lines, line, after_line)
    bundle = build_bundle(replace(facts, credits=credits, lines=lines))
    assert found_in(bundle) == []
    assert bundle["result"]["payout_minor"] == 160_00
    for path, value, said in (
        (("result", "lines", 1, "after"), 60_00, "new / R1: after comes to 10000, stated is 6000."),
        (("result", "lines", 1, "pay_after_minor"), 60_00, "new / R1: pay_after_minor comes to 10000, stated is 6000."),
        (("result", "lines", 1, "reverses"), "", "new / R1: earned_minor comes to 0, stated is -4000."),
        (("inputs", "credits", 1, "counted"), 1, "new / R1: counted is -4000, stated is 1."),
        (("inputs", "credits", 1, "kind"), "direct", "new / R1: what negates an earning is not made from shares."),
        (
            ("plan", "conventions", "refund"),
            "move_down",
            "new / R1: earned_minor comes to 0, stated is -4000.",
        ),
    ):
        forged = changed(bundle, path, value)
        if path[-1] == "kind":
            forged["inputs"]["credits"][1]["shares"] = [[ANNA, 10_000]]
        assert said in found_in(forged), found_in(forged)


def test_a_bundle_of_the_first_form_is_still_read() -> None:
    bundle = json.loads(bundle_bytes(build_bundle(simple())))
    bundle["format_version"] = 1
    for row in bundle["inputs"]["terms"]:
        del row["start"]
    for row in bundle["result"]["lines"]:
        del row["reverses"]
    del bundle["result"]["payout_minor"], bundle["result"]["owed_minor"]
    bundle = resealed(bundle)
    assert verify.disagreements(verify.read(canonical(bundle))) == []
    assert "new / D1: after comes to 10000, stated is 10001." in found_in(
        changed(bundle, ("result", "lines", 0, "after"), 100_01)
    )
