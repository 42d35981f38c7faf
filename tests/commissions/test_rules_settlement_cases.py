"""Worked examples that vendors and textbooks print, from what was earned to what is paid.

The cases lie beside the project and not in it; without them the tests skip and say so. Figures are read from the case;
what a component earns comes from its curve, everything after it from the settlement.
"""

from __future__ import annotations

import json
import re
from datetime import date
from fractions import Fraction
from pathlib import Path
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
    outstanding,
)
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import Terms, terms_from_plain
from salesops.commissions.rules.shapes import PersonFacts, curve_of, shape_from_plain
from salesops.values.money import to_minor
from salesops.values.periods import PeriodKind, parse_label, periods_between
from tests.commissions.shared_files import CASES as FILE

CASES: dict[str, dict[str, Any]] = (
    {case["id"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]} if FILE.is_file() else {}
)

pytestmark = pytest.mark.skipif(not CASES, reason=f"{FILE} is absent")

MONTHS = list(periods_between(date(2026, 1, 1), date(2027, 1, 1), PeriodKind.MONTH))


def money(text: str) -> int:
    """A printed amount in cents."""
    return to_minor(text, "USD")


def moneys(texts: list[str]) -> list[int]:
    """Printed amounts in cents."""
    return [money(text) for text in texts]


def terms(**words: Any) -> Terms:
    """Terms in dollars."""
    return terms_from_plain({"currency": "USD", **words}).unwrap()


def worth(shape: dict[str, Any], amount: str, quota: str | None = None) -> int:
    """What an amount earns by a curve that begins with it."""
    facts = PersonFacts("USD", quota=None if quota is None else money(quota))
    return curve_of(shape_from_plain(shape).unwrap(), facts).unwrap().pay(money(amount))


def flat(case_id: str, amount: str) -> int:
    """What an amount earns by the case's flat rate."""
    return worth({"shape": "flat", "rate": CASES[case_id]["plan"]["rate"]}, amount)


def months(terms: Terms, earned: list[int], *, after: tuple[Settled, ...] = (), **known: Any) -> list[Settled]:
    """Consecutive months with one line of earnings each, after those of `after`."""
    results = list(after)
    for amount in earned:
        month = MONTHS[len(results)]
        line = Earning("commission", f"D{len(results)}", month.start, amount)
        carried = results[-1].carried if results else Carried("USD")
        results.append(settle(PeriodInput(month, "2026", (line,), **known), terms, carried).unwrap())
    return results[len(after) :]


def payouts(results: list[Settled]) -> list[int]:
    """What each period pays."""
    return [result.payout_minor for result in results]


# --- Draws --------------------------------------------------------------------------------------------------------


def test_a_guarantee_is_kept_and_not_added() -> None:
    case = CASES["icm-draw-01"]
    amount, kind = case["plan"]["draw"].split()
    words = terms(draw={"amount": amount, "kind": kind.replace("-", "_")})
    for item in case["inputs"]:
        (result,) = months(words, [flat("icm-draw-01", item["amount"])])
        assert result.payout_minor == money(case["expected"][item["case"]])
        assert result.carried.owed_minor == 0


def test_the_same_word_for_a_loan_on_top_and_for_a_guarantee() -> None:
    case = CASES["qcommission-draw-01"]
    (loan, kept) = case["inputs"]
    lent = terms(
        draw={
            "amount": case["plan"]["recoverable"].split()[0],
            "mode": "on_top",
            "last_day": MONTHS[0].last_day.isoformat(),
        }
    )
    results = months(lent, [money(text.split()[0]) for text in loan["recoverable"]])
    assert payouts(results) == moneys(case["expected"]["recoverable"])
    assert [result.carried.owed_minor for result in results] == [money("1000"), 0]
    guarantee = terms(draw={"amount": case["plan"]["non_recoverable"].split()[0], "kind": "non_recoverable"})
    results = months(guarantee, [money(text.split()[0]) for text in kept["non_recoverable"]])
    assert payouts(results) == moneys(case["expected"]["non_recoverable"])


def test_a_recoverable_draw_over_six_months() -> None:
    case = CASES["siebel-draw-01"]
    draw = money(case["plan"]["draw"].split()[0])
    earned = [money(amount) for item in case["inputs"] for amount in item.values()]
    results = months(terms(draw={"amount": case["plan"]["draw"].split()[0]}), earned)
    assert payouts(results) == moneys(case["expected"]["net_earnings"])
    # The printed column is the debt in months that end with one, and otherwise what was paid beyond the draw.
    column = [-result.carried.owed_minor or result.payout_minor - draw for result in results]
    assert column == moneys(case["expected"]["draw_balance_column"])


def test_a_top_up_for_the_first_six_months() -> None:
    case = CASES["siebel-draw-02"]
    amount = case["plan"]["draw"].split()[0]
    words = terms(draw={"amount": amount, "first_day": "2026-01-01", "last_day": MONTHS[5].last_day.isoformat()})
    results = months(words, [money(case["inputs"][0]["gross"])] * 7)
    top_up = next(line for line in results[0].lines if line.kind == "draw_advance")
    assert top_up.amount_minor == money(case["expected"]["top_up"])
    assert results[0].payout_minor == money(case["expected"]["net"])
    assert [any(line.kind == "draw_advance" for line in result.lines) for result in results] == [True] * 6 + [False]


def test_recoverable_and_not_in_two_months() -> None:
    case = CASES["xactly-draw-01"]
    amount = case["plan"]["draw"].split()[0]
    earned = [money(text) for item in case["inputs"] for text in item.values()]
    expected = case["expected"]["recoverable"]
    results = months(terms(draw={"amount": amount}), earned)
    assert payouts(results) == moneys([expected["Aug_paid"], expected["Sep_paid"]])
    balances = [-result.carried.owed_minor for result in results]
    assert balances == moneys([expected["Aug_balance"], expected["Sep_balance"]])
    results = months(terms(draw={"amount": amount, "kind": "non_recoverable"}), earned)
    assert results[1].payout_minor == money(case["expected"]["non_recoverable"]["Sep_paid"])


# --- Caps, floors -------------------------------------------------------------------------------------------------


def test_a_cap_over_two_components() -> None:
    case = CASES["icm-cap-02"]
    amount = case["inputs"][0]["amount"]
    earned = [worth({"shape": "flat", "rate": rule["rate"]}, amount) for rule in case["plan"]["rules"]]
    lines = tuple(Earning(f"rule{index}", "T1", MONTHS[0].start, part) for index, part in enumerate(earned))
    words = terms(limits=[{"cap": case["plan"]["cap_plan"]}])
    result = settle(PeriodInput(MONTHS[0], "2026", lines), words, Carried("USD")).unwrap()
    assert sum(earned) == money(case["expected"]["before_cap"].split()[0])
    assert result.payout_minor == money(case["expected"]["total"])
    assert {line.reference for line in result.lines if line.kind == "cap"} == {"T1"}


def test_a_floor_for_each_deal() -> None:
    case = CASES["mikesalkin-01"]
    tiers = [{"from": tier["from"], "rate": tier["rate"]} for tier in case["plan"]["tiers"]]
    shape = {"shape": case["plan"]["tier_mode"], "tiers": tiers}
    words = terms(limits=[{"component": "commission", "floor": case["plan"]["floor"].split()[0]}])
    results = months(words, [worth(shape, amount) for amount in case["inputs"]])
    assert payouts(results) == moneys(case["expected"]["commission"])


def test_a_cap_by_a_rate_of_zero_and_one_of_the_settlement_agree() -> None:
    case = CASES["quotapath-capped-01"]
    quota, per_year = case["plan"]["quota"].split()[0], case["expected"]["variable_per_year"]
    tiers = [{"from": tier["from"], "rate": tier["rate"]} for tier in case["plan"]["tiers"]]
    curve = {"shape": "marginal", "tiers": tiers}
    uncapped = {"shape": "flat", "rate": tiers[0]["rate"]}
    target = worth(curve, quota, quota)
    words = terms(limits=[{"cap": tiers[1]["from"]}])
    assert sum(payouts(months(words, [target] * 4, target_minor=target))) == money(per_year.replace("K", "000"))
    thrice = str(3 * int(quota))
    (result,) = months(words, [worth(uncapped, thrice)], target_minor=target)
    assert result.payout_minor == worth(curve, thrice, quota) == 2 * target


# --- Bonuses, objectives, adjustments -----------------------------------------------------------------------------


def test_a_cap_over_commission_and_objective_together() -> None:
    case = CASES["icm-mbo-02"]
    earned = flat("icm-mbo-02", case["inputs"]["deals"][0]["amount"])
    objective = money(case["inputs"]["mbo"][0]["amount"])
    paid = {}
    for order in ("bonus_cap_draw", "cap_bonus_draw", "cap_draw_bonus"):
        words = terms(
            objectives=[{"key": "mbo", "weight": "100%"}], limits=[{"cap": case["plan"]["cap_plan"]}], order=order
        )
        known = {"achieved": (Achieved("mbo", Fraction(1)),), "target_minor": objective}
        (result,) = months(words, [earned], **known)
        paid[order] = result.payout_minor
    assert paid["bonus_cap_draw"] == money(case["expected"]["total"])
    assert paid["cap_bonus_draw"] == paid["cap_draw_bonus"] == earned + objective


def test_a_bonus_for_each_qualified_opportunity() -> None:
    case = CASES["quotapath-sdr-01"]
    pays = re.search(r"\$(\d+)", case["plan"]["rate"])[1]  # type: ignore[index]
    count = int(case["plan"]["quota"].split()[0])
    quarters = list(periods_between(date(2026, 1, 1), date(2027, 1, 1), PeriodKind.QUARTER))
    words, carried, paid = terms(bonuses=[{"key": "opportunity", "pays": pays}]), Carried("USD"), 0
    for quarter in quarters:
        won = tuple(Occurrence("opportunity", f"O{index}", quarter.start) for index in range(count))
        result = settle(PeriodInput(quarter, "2026", occurrences=won), words, carried).unwrap()
        paid, carried = paid + result.payout_minor, result.carried
    assert paid == money(case["expected"]["variable_per_year"].replace("K", "000"))


def test_three_parts_of_a_plan_have_the_printed_shares() -> None:
    case = CASES["quotapath-sdr-03"]
    demos, opportunities, _commission = case["plan"]["parts"]
    variable = money(case["plan"]["variable"].split()[0].replace("K", "000"))
    keys = {"demo": demos, "opportunity": opportunities}
    words = terms(
        bonuses=[{"key": key, "pays": re.search(r"\$(\d+)", text)[1]} for key, text in keys.items()]  # type: ignore[index]
    )
    happened = tuple(
        Occurrence(key, f"{key}{index}", date(2026, 1, 2))
        for key, text in keys.items()
        for index in range(int(text.split()[0]))
    )
    given = PeriodInput(parse_label("2026Q1"), "2026", occurrences=happened)
    result = settle(given, words, Carried("USD")).unwrap()
    for key in keys:
        quarter = sum(line.amount_minor for line in result.lines if line.component == key)
        assert f"{Fraction(4 * quarter, variable) * 100}%" == case["expected"][f"{key}_share"]


def test_an_adjustment_is_added_at_the_end() -> None:
    case = CASES["icm-adj-01"]
    entered = case["inputs"]["adjustments"][0]
    by_hand = Adjustment("A1", money(entered["amount"]), entered["reason"], "rita", "finn")
    (result,) = months(terms(), [flat("icm-adj-01", case["inputs"]["deals"][0]["amount"])], adjustments=(by_hand,))
    assert result.payout_minor == money(case["expected"]["total"])
    assert result.lines[-1].text() == f"{entered['reason']} (prepared by rita, approved by finn)"


# --- Refunds, clawbacks, true-ups ---------------------------------------------------------------------------------


def test_an_early_end_takes_back_half() -> None:
    case = CASES["core8-clawback-01"]
    share = re.search(r"\d+%", case["plan"]["rule"])[0]  # type: ignore[index]
    words = terms(clawback={"steps": [{"until_days": 365, "share": share}]})
    (first,) = months(words, [money(case["inputs"][0]["earned"])])
    original = outstanding(first.parts)
    reversal = Reversal("C1", MONTHS[1].start, -original.earned_minor, original)
    (second,) = months(words, [0], after=(first,), reversals=(reversal,))
    taken = sum(line.amount_minor for line in second.lines if line.kind in ("reversal", "clawback_waived"))
    assert taken == money(case["expected"]["adjustment"])
    assert second.payout_minor == 0
    assert second.carried.brought_forward_minor == money(case["expected"]["adjustment"])


def test_what_moves_down_the_curve_is_settled_as_it_was_earned() -> None:
    expected = CASES["amant-retro-05"]["expected"]
    before, after = money(expected["bonus_before"]), money(expected["bonus_after"])
    (first,) = months(terms(), [before])
    cancelled = (Earning("commission", "C1", MONTHS[1].start, after - before, "D0"),)
    given = PeriodInput(MONTHS[1], "2026", cancelled)
    second = settle(given, terms(), first.carried).unwrap()
    assert second.carried.brought_forward_minor == money(expected["clawback"])
    assert first.payout_minor + second.carried.brought_forward_minor == after


def test_what_should_have_been_paid_is_the_difference() -> None:
    expected = CASES["icm-trueup-02"]
    prior = flat("icm-trueup-02", expected["inputs"]["prior_run"][0]["amount"])
    current = flat("icm-trueup-02", expected["inputs"]["current_data"][0]["amount"])
    (first,) = months(terms(), [prior])
    again = (Earning("commission", "D0", MONTHS[0].start, current - prior),)
    second = settle(PeriodInput(MONTHS[1], "2026", again), terms(), first.carried).unwrap()
    assert second.payout_minor == money(expected["expected"]["delta"])
    assert outstanding((*first.parts, *second.parts)).settled_minor == current


def test_a_refund_alone_is_below_zero() -> None:
    case = CASES["icm-trueup-03"]
    earned = flat("icm-trueup-03", case["inputs"][0]["amount"])
    (carried,) = months(terms(), [earned])
    (shown,) = months(terms(negative="show_as_owed"), [earned])
    expected = money(case["expected"]["commission"])
    assert (carried.payout_minor, carried.carried.brought_forward_minor, carried.owed_minor) == (0, expected, 0)
    assert (shown.payout_minor, shown.carried.brought_forward_minor, shown.owed_minor) == (0, 0, -expected)


def test_a_ramp_that_was_added_later() -> None:
    case = CASES["icm-trueup-05"]
    words = {"shape": "flat", "rate": "10%", "gate": {"at": "100%", "then": "above"}}
    quotas = re.findall(r"\d{4,}", case["plan"]["quota"])
    prior, after = (worth(words, case["inputs"][0]["amount"], quota) for quota in quotas)
    results = months(terms(), [prior, after - prior])
    assert payouts(results) == moneys([case["expected"]["prior"], case["expected"]["delta"]])


def test_a_refund_negates_what_a_formula_had_earned() -> None:
    case = CASES["oca-formula-02"]
    (first,) = months(terms(), [money(case["expected"]["invoice_commission"])])
    original = outstanding(first.parts)
    reversal = Reversal("R1", MONTHS[1].start, -original.earned_minor, original)
    (second,) = months(terms(), [0], after=(first,), reversals=(reversal,))
    (negated,) = [line for line in second.lines if line.kind == "reversal"]
    assert negated.amount_minor == money(case["expected"]["refund_commission"])


@pytest.mark.parametrize("case_id", ["oca-refund-02", "oca-refund-03"])
@pytest.mark.parametrize("is_later", [False, True])
def test_invoices_and_credit_notes_that_are_paid_on_payment(case_id: str, is_later: bool) -> None:
    """Invoice and credit note both settle and leave nothing; a corrected invoice pays once it is paid."""
    case = CASES[case_id]
    words = terms(releases=[{"kind": "on_payment"}])
    result, paid, lines, first = None, 0, 0, Carried("USD")
    documents = [(name, amount) for item in case["inputs"] for name, amount in item.items()]
    batches = [[document] for document in documents] if is_later else [documents]
    for index, batch in enumerate(batches):
        month = MONTHS[index]
        earnings = tuple(
            Earning(
                "commission",
                name,
                month.start,
                flat(case_id, amount) * (-1 if name == "credit_note" else 1),
                "invoice" if name == "credit_note" else "",
            )
            for name, amount in batch
        )
        settled = tuple(Collection(name, money(text), money(text)) for name, text in batch if name == "new_invoice")
        result = settle(PeriodInput(month, "2026", earnings, collections=settled), words, first).unwrap()
        first, paid = result.carried, paid + result.payout_minor
        lines += sum(line.kind == "earning" for line in result.lines)
    assert paid == money(case["expected"]["settlement_total"])
    assert lines == case["expected"]["settlement_lines"]
    assert first.held == ()
    assert first.brought_forward_minor == 0


def test_a_refund_after_the_settlement_was_paid() -> None:
    case = CASES["oca-refund-04"]
    earned = flat("oca-refund-04", case["inputs"][0]["invoice"])
    words = terms(negative="show_as_owed")
    (first,) = months(words, [earned])
    original = outstanding(first.parts)
    reversal = Reversal("R1", MONTHS[1].start, -earned, original)
    (second,) = months(words, [0], after=(first,), reversals=(reversal,))
    assert len((first, second)) == case["expected"]["settlements"]
    assert -second.owed_minor < 0
    assert first.payout_minor - second.owed_minor == money(case["expected"]["joined_invoice_total"])


def test_every_case_of_these_families_is_here() -> None:
    families = (
        "draw",
        "cap / floor / gate",
        "bonus / MBO / per-event",
        "clawback / refund / true-up",
        "manual adjustment",
    )
    here = Path(__file__).read_text(encoding="utf-8")
    assert [case_id for case_id, case in CASES.items() if case["family"] in families and case_id not in here] == []
