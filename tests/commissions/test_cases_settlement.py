"""Public examples by files: draws, caps over the whole plan, objectives, adjustments, refunds, clawbacks, true-ups."""

import re
from typing import Any

import pytest

from tests.commissions.case_files import (
    NEEDS_CASES,
    Plan,
    Result,
    all_cents,
    cents,
    deal,
    first_number,
    paid,
    part,
    percent,
    plan,
    reproduces,
    share,
    tiered,
)

pytestmark = NEEDS_CASES

Case = dict[str, Any]


def earning(amounts: list[str], first_month: int = 1, **settlement: Any) -> Result:
    """Amounts that are earned as they are, one a month, and what the settlement makes of them."""
    words = plan(part(rate="100%"), settlement=settlement)
    rows = [deal(f"D{index}", amount, f"2026-{first_month + index:02d}-10") for index, amount in enumerate(amounts)]
    return paid(words, rows)


def payouts(result: Result) -> list[int]:
    """What each period pays."""
    return [cents(item["payout"]) for item in result.periods()]


def owed(result: Result) -> list[int]:
    """What is owed from the draw after each period."""
    return [cents(item["draw_owed"]) for item in result.periods()]


# --- Draws --------------------------------------------------------------------------------------------------------


@reproduces("icm-draw-01")
def test_a_guarantee_is_kept_and_not_added(case: Case) -> None:
    amount, kind = case["plan"]["draw"].split()
    words = plan(
        part(rate=case["plan"]["rate"]), settlement={"draw": {"amount": amount, "kind": kind.replace("-", "_")}}
    )
    for item in case["inputs"]:
        result = paid(words, [deal("D1", item["amount"])])
        assert payouts(result) == [cents(case["expected"][item["case"]])]
        assert owed(result) == [0]


@reproduces("qcommission-draw-01")
def test_the_same_word_for_a_loan_on_top_and_for_a_guarantee(case: Case) -> None:
    lent, kept = case["inputs"]
    loan = {"amount": first_number(case["plan"]["recoverable"]), "mode": "on_top", "last_day": "2026-01-31"}
    result = earning([first_number(text) for text in lent["recoverable"]], draw=loan)
    assert payouts(result) == all_cents(case["expected"]["recoverable"])
    assert owed(result) == all_cents([loan["amount"], "0"])
    guarantee = {"amount": first_number(case["plan"]["non_recoverable"]), "kind": "non_recoverable"}
    result = earning([first_number(text) for text in kept["non_recoverable"]], draw=guarantee)
    assert payouts(result) == all_cents(case["expected"]["non_recoverable"])


@reproduces("siebel-draw-01")
def test_a_recoverable_draw_over_six_months(case: Case) -> None:
    draw = first_number(case["plan"]["draw"])
    result = earning([amount for item in case["inputs"] for amount in item.values()], draw={"amount": draw})
    assert payouts(result) == all_cents(case["expected"]["net_earnings"])
    # The printed column is the debt in months that end with one, and otherwise what was paid beyond the draw.
    column = [-debt or pay - cents(draw) for debt, pay in zip(owed(result), payouts(result), strict=True)]
    assert column == all_cents(case["expected"]["draw_balance_column"])


@reproduces("siebel-draw-02")
def test_a_top_up_for_the_first_six_months(case: Case) -> None:
    draw = {"amount": first_number(case["plan"]["draw"]), "first_day": "2026-01-01", "last_day": "2026-06-30"}
    assert "six months" in case["plan"]["draw"]
    result = earning([case["inputs"][0]["gross"]] * 7, draw=draw)
    top_ups = [
        sum(cents(line["amount"]) for line in period["settlement"] if line["kind"] == "draw_advance")
        for period in result.periods()
    ]
    assert top_ups == [cents(case["expected"]["top_up"])] * 6 + [0]
    assert payouts(result)[:6] == [cents(case["expected"]["net"])] * 6


@reproduces("xactly-draw-01")
def test_recoverable_and_not_in_two_months(case: Case) -> None:
    amounts = [amount for item in case["inputs"] for amount in item.values()]
    draw, expected = {"amount": first_number(case["plan"]["draw"])}, case["expected"]
    result = earning(amounts, 8, draw=draw)
    assert payouts(result) == all_cents([expected["recoverable"][name] for name in ("Aug_paid", "Sep_paid")])
    balances = all_cents([expected["recoverable"][name] for name in ("Aug_balance", "Sep_balance")])
    assert [-debt for debt in owed(result)] == balances
    kept = earning(amounts, 8, draw=draw | {"kind": "non_recoverable"})
    assert payouts(kept)[1] == cents(expected["non_recoverable"]["Sep_paid"])


# --- Caps, objectives, adjustments --------------------------------------------------------------------------------


@reproduces("icm-cap-02")
def test_a_cap_over_two_components(case: Case) -> None:
    words = plan(
        *(part(rate=rule["rate"]) for rule in case["plan"]["rules"]),
        settlement={"limits": [{"cap": case["plan"]["cap_plan"]}]},
    )
    (item,) = case["inputs"]
    result = paid(words, [deal(item["deal"], item["amount"])])
    assert payouts(result) == [cents(case["expected"]["total"])]
    assert cents(result.person()["earned"]) == cents(first_number(case["expected"]["before_cap"]))


@reproduces("icm-mbo-02")
def test_a_cap_over_commission_and_objective_together(case: Case) -> None:
    (sale,), (objective,) = case["inputs"]["deals"], case["inputs"]["mbo"]
    settlement = {"objectives": [{"key": "mbo", "weight": "100%"}], "limits": [{"cap": case["plan"]["cap_plan"]}]}
    found = {}
    for order in ("bonus_cap_draw", "cap_bonus_draw", "cap_draw_bonus"):
        words = plan(part(rate=case["plan"]["rate"]), settlement=settlement, conventions={"settlement_order": order})
        result = paid(
            words,
            [deal("D1", sale["amount"])],
            [{"person": "Ana", "target": objective["amount"]}],
            events=[{"type": "objective", "person": "Ana", "date": "2026-01-31", "reference": "mbo", "share": "100%"}],
        )
        (found[order],) = payouts(result)
    both = cents(sale["amount"]) * share(case["plan"]["rate"]) + cents(objective["amount"])
    assert found == {
        "bonus_cap_draw": cents(case["expected"]["total"]),
        "cap_bonus_draw": both,
        "cap_draw_bonus": both,
    }


@reproduces("icm-adj-01")
def test_an_adjustment_is_added_and_does_not_move_attainment(case: Case) -> None:
    (sale,), (entry,) = case["inputs"]["deals"], case["inputs"]["adjustments"]
    adjustment = {
        "type": "adjustment",
        "person": "Ana",
        "date": "2026-01-20",
        "amount": entry["amount"],
        "reason": entry["reason"],
        "preparer": "Rita",
        "approver": "Finn",
    }
    quotas = [{"person": "Ana", "quota": sale["amount"]}]
    result = paid(plan(part(rate=case["plan"]["rate"])), [deal(sale["deal"], sale["amount"])], quotas, (), [adjustment])
    assert payouts(result) == [cents(case["expected"]["total"])]
    assert result.components()[0]["attainment"] == "100.00%"
    (told,) = [line for line in result.periods()[0]["settlement"] if line["kind"] == "adjustment"]
    assert told["why"] == f"{entry['reason']} (prepared by Rita, approved by Finn)"


# --- Refunds, clawbacks, true-ups ---------------------------------------------------------------------------------


def refund(key: str, amount: str, of: str, date: str) -> dict[str, str]:
    """A row that takes back another."""
    return deal(key, f"-{amount}", date, kind="refund", reverses=of)


@reproduces("amant-retro-05")
@pytest.mark.parametrize("cancelled_on", ["2026-01-20", "2026-02-20"])
def test_a_cancellation_that_also_lowers_the_tier_of_what_is_left(case: Case, cancelled_on: str) -> None:
    """In the same period it moves down the curve of that period; in a later one the later curve knows nothing of it."""
    first, second = (first_number(item["sale"]).rstrip(",") for item in case["inputs"])
    expected = case["expected"]
    words = tiered(case, conventions={"refund": "move_down"})
    rows = [deal("S1", first), deal("S2", second, "2026-01-12")]
    assert cents(paid(words, rows).person()["earned"]) == cents(expected["bonus_before"])
    year = words | {"components": [words["components"][0] | {"period_kind": "year"}]}
    result = paid(year, [*rows, refund("C1", second, "S2", cancelled_on)])
    assert result.line("C1")["earned"] == expected["clawback"]
    assert cents(result.person()["earned"]) == cents(expected["bonus_after"])


@reproduces("core8-clawback-01")
def test_an_early_end_takes_back_half(case: Case) -> None:
    taken = re.search(r"\d+%", case["plan"]["rule"])[0]  # type: ignore[index]
    words = plan(part(rate="100%"), settlement={"clawback": {"steps": [{"until_days": "365", "share": taken}]}})
    earned = case["inputs"][0]["earned"]
    result = paid(words, [deal("D1", earned), refund("C1", earned, "D1", "2026-05-10")])
    assert result.settled("reversal", "clawback_waived") == cents(case["expected"]["adjustment"])
    assert cents(result.periods()[-1]["carried_forward"]) == cents(case["expected"]["adjustment"])


@reproduces("icm-trueup-02")
def test_a_changed_deal_should_have_paid_the_difference(case: Case) -> None:
    words = plan(part(rate=case["plan"]["rate"]))
    prior, current = (
        paid(words, [deal(item["deal"], item["amount"]) for item in case["inputs"][name]])
        for name in ("prior_run", "current_data")
    )
    delta = cents(current.line("D1")["earned"]) - cents(prior.line("D1")["earned"])
    assert delta == cents(case["expected"]["delta"])
    assert (prior.line("D1") != current.line("D1")) == (case["expected"]["exception"] == "changed")


@reproduces("icm-trueup-03")
@pytest.mark.parametrize(("negative", "kept"), [("carry_forward", "carried_forward"), ("show_as_owed", "owed")])
def test_a_refund_alone_is_below_zero(case: Case, negative: str, kept: str) -> None:
    (item,) = case["inputs"]
    words = plan(part(rate=case["plan"]["rate"]), settlement={"negative": negative})
    result = paid(words, [deal(item["deal"], item["amount"])])
    expected = cents(case["expected"]["commission"])
    assert cents(result.person()["earned"]) == expected
    (period,) = result.periods()
    assert cents(period["payout"]) == 0
    assert cents(period[kept]) == (expected if kept == "carried_forward" else -expected)


@reproduces("icm-trueup-05")
def test_a_ramp_that_was_added_later(case: Case) -> None:
    words = case["plan"]
    quota, ramp = re.match(r"(\d+); then ramp ([\d.]+)", words["quota"]).groups()  # type: ignore[union-attr]
    gate = {"at": words["threshold"].split()[0], "then": "above"}
    component = part(rate=percent(share(words["rate"]) * share(words["multiplier"])), gate=gate)
    rows = [deal(item["deal"], item["amount"], f"{item['period']}-10") for item in case["inputs"]]
    quotas = [{"person": "Ana", "quota": quota}]
    prior = paid(plan(component), rows, quotas)
    after = paid(plan(component, ramp=[ramp]), rows, [quotas[0] | {"ramp_from": "2026-01-01"}])
    earned = [cents(result.person()["earned"]) for result in (prior, after)]
    assert [earned[0], earned[1] - earned[0]] == all_cents([case["expected"]["prior"], case["expected"]["delta"]])


@reproduces("oca-formula-02")
@pytest.mark.parametrize("refunded_on", ["2026-01-20", "2026-03-20"])
def test_a_refund_negates_what_a_formula_had_earned(case: Case, refunded_on: str) -> None:
    rate, more = re.findall(r"\d+%", case["plan"]["type"])
    words = plan(part(rate="100%", amount=f"amount * {rate} + amount * {rate} * {more}"))
    (invoice, credit) = case["inputs"]
    rows = [deal("I1", invoice["invoice"]), refund("R1", credit["refund"], "I1", refunded_on)]
    result = paid(words, rows)
    assert result.line("I1")["earned"] == case["expected"]["invoice_commission"]
    assert result.line("R1")["earned"] == case["expected"]["refund_commission"]
    assert result.line("R1")["takes_back"] == "I1"


def on_payment(case: Case) -> Plan:
    """A flat rate that is paid when the customer pays."""
    return plan(part(rate=case["plan"]["rate"]), settlement={"releases": [{"kind": "on_payment"}]})


@reproduces("oca-refund-02", "oca-refund-03")
@pytest.mark.parametrize("is_later", [False, True])
@pytest.mark.parametrize("refund_by", ["negate", "move_down"])
def test_invoices_and_credit_notes_that_are_paid_on_payment(case: Case, is_later: bool, refund_by: str) -> None:
    """Invoice and credit note both settle and leave nothing; a corrected invoice pays once it is paid."""
    rows, events = [], []
    documents = [(name, amount) for item in case["inputs"] for name, amount in item.items()]
    for index, (name, amount) in enumerate(documents):
        day = f"2026-{1 + index:02d}-10" if is_later else f"2026-01-{10 + index}"
        rows.append(refund(name, amount, "invoice", day) if name == "credit_note" else deal(name, amount, day))
        if name == "new_invoice":
            payment = {"type": "payment", "person": "Ana", "date": day, "reference": name, "amount": amount}
            events.append(payment | {"of": amount})
    words = on_payment(case) | {"conventions": {"refund": refund_by}}
    # Lines of a curve that is walked down by month would begin anew in the later month.
    words["components"][0]["period_kind"] = "year"
    result = paid(words, rows, events=events)
    assert sum(payouts(result)) == cents(case["expected"]["settlement_total"])
    assert len(result.lines()) == case["expected"]["settlement_lines"]
    assert {result.periods()[-1][name] for name in ("held", "owed", "carried_forward")} == {"0.00"}


@reproduces("oca-refund-04")
def test_a_refund_after_the_settlement_was_paid(case: Case) -> None:
    (invoice, credit) = case["inputs"]
    words = plan(part(rate=case["plan"]["rate"]), settlement={"negative": "show_as_owed"})
    rows = [deal("I1", invoice["invoice"]), refund("R1", credit["refund"], "I1", "2026-02-10")]
    result = paid(words, rows)
    first, second = result.periods()
    assert len(result.periods()) == case["expected"]["settlements"]
    assert cents(second["earned"]) < 0
    assert cents(second["owed"]) == -cents(second["earned"])
    assert cents(first["payout"]) - cents(second["owed"]) == cents(case["expected"]["joined_invoice_total"])
