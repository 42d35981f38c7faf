"""Worked examples that vendors and textbooks print, through plan words and the columns.

The cases lie beside the project and not in it; without them the tests skip and say so. Here are the cases that one
curve alone expresses: figures are read from the case, the plan words are built from its plan.
"""

import json
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from salesops.commissions.rules.columns import CreditColumns, calculate
from salesops.commissions.rules.curves import Boundary, Curve
from salesops.commissions.rules.plans import effective_quota
from salesops.commissions.rules.shapes import Measure, PersonFacts, ZeroQuota, curve_of, shape_from_plain
from salesops.values.money import to_minor
from salesops.values.rates import PinnedRate, convert
from tests.commissions.shared_files import CASES as FILE

CASES: dict[str, dict[str, Any]] = (
    {case["id"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]} if FILE.is_file() else {}
)

pytestmark = pytest.mark.skipif(not CASES, reason=f"{FILE} is absent")


def money(text: str) -> int:
    """A printed amount in cents."""
    return to_minor(text, "USD")


def tiers_of(case_id: str) -> dict[str, Any]:
    """The plan words of a case's tiers; each source closes its last tier in its own way."""
    plan = CASES[case_id]["plan"]
    return {
        "shape": plan["tier_mode"],
        "tiers": [{"from": tier["from"], "rate": tier["rate"]} for tier in plan["tiers"]],
    }


def curve(words: dict[str, Any], quota: str | None = None, **settings: Any) -> Curve:
    """The curve of these words for a printed quota."""
    measure = settings.pop("measure", Measure.MONEY)
    number = None if quota is None else int(quota) if measure is Measure.COUNT else money(quota)
    return curve_of(shape_from_plain(words).unwrap(), PersonFacts("USD", measure, number), **settings).unwrap()


def earned(of: Curve, amounts: list[str | int]) -> list[int]:
    """What each amount earns, in order, through the columns."""
    count = len(amounts)
    ones = np.ones(count, dtype=np.int64)
    minor = [amount if isinstance(amount, int) else money(amount) for amount in amounts]
    columns = CreditColumns(ones, ones, ones, ones, np.arange(count, dtype=np.int64), np.array(minor, dtype=np.int64))
    return [int(amount) for amount in calculate(columns, {(1, 1, 1): of}).amount]


def amounts_of(case_id: str, name: str = "amount") -> list[str | int]:
    """The amounts among the inputs of a case."""
    return [item[name] for item in CASES[case_id]["inputs"] if name in item]


@pytest.mark.parametrize(
    ("case_id", "name"), [("amant-retro-02", "bonus"), ("amant-retro-03", "bonus"), ("amant-retro-04", "bonus")]
)
def test_retroactive_tiers(case_id: str, name: str) -> None:
    assert sum(earned(curve(tiers_of(case_id)), amounts_of(case_id, "sale"))) == money(CASES[case_id]["expected"][name])


def test_a_cancellation_that_also_lowers_the_tier_of_what_is_left() -> None:
    expected = CASES["amant-retro-05"]["expected"]
    lines = earned(curve(tiers_of("amant-retro-05")), ["60000", "50000", "-50000"])
    assert sum(lines[:2]) == money(expected["bonus_before"])
    assert sum(lines) == money(expected["bonus_after"])
    assert lines[2] == money(expected["clawback"])


@pytest.mark.parametrize("case_id", ["hf-tier-01", "qammunity-01", "referello-01"])
def test_marginal_tiers(case_id: str) -> None:
    assert earned(curve(tiers_of(case_id)), CASES[case_id]["inputs"]) == [money(CASES[case_id]["expected"]["total"])]


@pytest.mark.parametrize("case_id", ["ehow-tier-01", "qammunity-01", "referello-01"])
def test_the_parts_of_a_crossing_are_the_printed_lines(case_id: str) -> None:
    pieces = curve(tiers_of(case_id)).stretch(0, money(CASES[case_id]["inputs"][0]))
    assert [piece.amount for piece in pieces] == [money(line) for line in CASES[case_id]["expected"]["lines"]]


@pytest.mark.parametrize(
    ("case_id", "quota", "expected"),
    [
        ("icm-cat-01", "50000", "total"),
        ("icm-cat-02", "100000", "total"),
        ("icm-cat-04", "25000", "total"),
        ("icm-quota-02", "100000", "total"),
        ("icm-period-01", "100000", "total"),
        ("icm-tier-01", "10000", "commission"),
        ("icm-tier-06", "100000", "commission"),
    ],
)
def test_marginal_tiers_by_share_of_quota(case_id: str, quota: str, expected: str) -> None:
    lines = earned(curve(tiers_of(case_id), quota), amounts_of(case_id))
    assert sum(lines) == money(CASES[case_id]["expected"][expected])


def test_deals_are_taken_in_order_against_running_attainment() -> None:
    lines = earned(curve(tiers_of("icm-tier-02"), "10000"), amounts_of("icm-tier-02"))
    assert lines[1] == money(CASES["icm-tier-02"]["expected"]["commission_T2"])


def test_one_deal_across_the_boundary_has_both_parts() -> None:
    expected = CASES["icm-tier-03"]["expected"]["T2_lines"]
    pieces = curve(tiers_of("icm-tier-03"), "10000").stretch(money("9500"), money("11500"))
    assert [(piece.x_to - piece.x_from, piece.rate, piece.amount) for piece in pieces] == [
        (money(line["base"]), Fraction(line["rate"]), money(line["commission"])) for line in expected
    ]


def test_a_quota_of_zero_at_the_top_tier() -> None:
    of = curve(tiers_of("icm-tier-05"), "0", zero_quota=ZeroQuota.HIGHEST)
    pieces = of.stretch(0, money("1000"))
    assert [piece.rate for piece in pieces] == [Fraction(CASES["icm-tier-05"]["expected"]["rate"])]


def test_a_value_on_a_bound_takes_the_higher_tier_when_the_upper_side_owns_it() -> None:
    tiers = CASES["oracle-boundary-01"]["plan"]["tiers"]
    words = {"shape": "retroactive", "tiers": [{"from": tier["from"], "rate": tier["rate"]} for tier in tiers]}
    total = money(CASES["oracle-boundary-01"]["inputs"][0])
    upper, lower = curve(words, boundary=Boundary.UPPER), curve(words, boundary=Boundary.LOWER)
    assert f"{upper.segments[upper.segment_at(total)].slope * 100}%" == CASES["oracle-boundary-01"]["expected"]["rate"]
    assert lower.segments[lower.segment_at(total)].slope == Fraction(2, 100)


def test_an_additional_accelerator_pays_only_on_the_part_above() -> None:
    words = {"shape": "flat", "rate": "5%", "gate": {"at": "100%", "then": "above"}}
    assert earned(curve(words, "10000"), amounts_of("icm-acc-02")) == [0, money("150")]
    pieces = [piece for piece in curve(words, "10000").stretch(money("8000"), money("13000")) if piece.rate]
    assert [piece.x_to - piece.x_from for piece in pieces] == [money(CASES["icm-acc-02"]["expected"]["base_T2"])]
    assert earned(curve(words, "10000"), amounts_of("icm-acc-03")) == [0]
    assert CASES["icm-acc-03"]["expected"]["lines"] == 0


def test_an_accelerator_after_the_quota_was_ramped() -> None:
    words = {"shape": "flat", "rate": "10%", "gate": {"at": "100%", "then": "above"}}
    expected = CASES["icm-trueup-05"]["expected"]
    prior = earned(curve(words, "100000"), amounts_of("icm-trueup-05"))
    after = earned(curve(words, "50000"), amounts_of("icm-trueup-05"))
    assert sum(prior) == money(expected["prior"])
    assert sum(after) - sum(prior) == money(expected["delta"])


def test_effective_rates_of_multiples() -> None:
    plan, expected = CASES["getcommish-01"]["plan"], CASES["getcommish-01"]["expected"]["effective_rate_%"]
    base = Fraction(plan["base"].removesuffix("%"))
    words = {
        "shape": "marginal",
        "tiers": [{"from": tier["from"], "rate": f"{base * Fraction(tier['x'])}%"} for tier in plan["tiers"]],
    }
    assert [str(segment.slope * 100) for segment in curve(words, "1000").segments] == expected


@pytest.mark.parametrize(
    ("rate", "amount", "case_id", "expected"),
    [
        ("8%", "62000", "commissionstarter-01", ("commission",)),
        ("10%", "50000.00", "salescompass-01", ("commission",)),
        ("0%", "500", "erpnext-01", ("total_commission", 0)),
        ("10%", "500", "erpnext-01", ("total_commission", 1)),
        ("100%", "500", "erpnext-01", ("total_commission", 2)),
        ("15%", "23000", "mathscore-01", ("results", 0)),
        ("21%", "27000", "mathscore-01", ("results", 1)),
        ("5%", "-3000", "icm-trueup-03", ("commission",)),
    ],
)
def test_flat_rates(rate: str, amount: str, case_id: str, expected: tuple[Any, ...]) -> None:
    printed = CASES[case_id]["expected"]
    for step in expected:
        printed = printed[step]
    assert earned(curve({"shape": "flat", "rate": rate}), [amount]) == [money(printed)]


def test_a_corrected_deal_differs_by_the_difference_of_the_heights() -> None:
    of = curve({"shape": "flat", "rate": "5%"})
    assert of.earned(money("8000"), money("10000")) == money(CASES["icm-trueup-02"]["expected"]["delta"])


def test_nothing_up_to_a_threshold() -> None:
    words = {"shape": "marginal", "tiers": [{"from": "10000", "rate": "4%"}]}
    expected = CASES["netsuite-marginal-01"]["expected"]["commission"]
    assert earned(curve(words), amounts_of("netsuite-marginal-01")) == [money(text) for text in expected]


def test_amounts_earned_in_proportion_to_the_tier_filled() -> None:
    case = CASES["oracle-interp-01"]
    points, pays = [{"at": "0", "pays": "0"}], 0
    for tier in case["plan"]["tiers"]:
        pays += int(tier["amount"])
        points.append({"at": tier["to"], "pays": str(pays)})
    of = curve({"shape": "points", "points": points})
    amounts = [next(value for name, value in item.items() if name != "date") for item in case["inputs"]]
    # The source starts anew with every transaction.
    lines = [earned(of, [amount])[0] for amount in amounts]
    assert lines == [money(text) for text in case["expected"]["commission"]]
    assert sum(lines) == money(case["expected"]["total"])


def test_blended_rates_are_the_parts_added_up() -> None:
    case = CASES["oracle-blend-01"]
    words = {
        "shape": "marginal",
        "tiers": [{"from": tier["from"], "rate": tier["rate"]} for tier in case["plan"]["tiers"]],
    }
    total = money(case["inputs"][0])
    parts = [piece.amount / total * 100 for piece in curve(words).stretch(0, total)]
    assert parts == [Fraction(text) for text in case["expected"]["parts_%"]]
    assert sum(parts, Fraction(0)) == Fraction(case["expected"]["blended_%"])
    second = CASES["oracle-blend-02"]
    total = money(second["inputs"][0])
    assert curve(words).height(total) / total * 100 == Fraction(second["expected"]["blended_%"])


def test_attainment_tiers_over_a_year() -> None:
    of = curve(tiers_of("prowi-acc-01"), "150000")
    expected = CASES["prowi-acc-01"]["expected"]
    pieces = of.stretch(0, money("195000"))
    assert [piece.amount for piece in pieces] == [money(line) for line in expected["lines"]]
    assert earned(of, ["195000"]) == [money(expected["total"])]


def test_decelerating_tiers_above_the_floor_of_a_deal() -> None:
    case = CASES["mikesalkin-01"]
    of = curve(tiers_of("mikesalkin-01"))
    floor = money("1000")
    assert [max(floor, *earned(of, [amount])) for amount in case["inputs"]] == [
        money(text) for text in case["expected"]["commission"]
    ]


def test_a_last_tier_at_nothing_is_a_cap_and_the_full_quota_pays_the_target() -> None:
    plan = CASES["quotapath-capped-01"]["plan"]
    words = {"shape": "marginal", "tiers": [{"from": tier["from"], "rate": tier["rate"]} for tier in plan["tiers"]]}
    of = curve(words, "175000")
    assert 4 * of.pay(money("175000")) == money(
        CASES["quotapath-capped-01"]["expected"]["variable_per_year"].replace("K", "000")
    )
    assert of.pay(money("350000")) == of.pay(money("9000000"))


def test_twice_the_rate_above_the_whole_quota() -> None:
    expected = CASES["salesops-acc-01"]["expected"]
    words = {"shape": "marginal", "tiers": [{"from": "0", "rate": "1x"}, {"from": "100%", "rate": "2x"}]}
    facts = PersonFacts("USD", quota=100, target_minor=100)
    of = curve_of(shape_from_plain(words).unwrap(), facts).unwrap()
    assert f"{of.earned(100, 120)}%" == expected["extra_with"]


def test_an_amount_for_each_opportunity() -> None:
    of = curve({"shape": "flat", "rate": "200 each"}, measure=Measure.COUNT)
    assert 4 * sum(earned(of, [30])) == money(
        CASES["quotapath-sdr-01"]["expected"]["variable_per_year"].replace("K", "000")
    )


def test_a_ramp_shrinks_the_quota() -> None:
    half = Fraction(1, 2)
    first = CASES["icm-ramp-01"]["expected"]
    assert effective_quota(money("100000"), ramp_share=half) == money(first["quota_2026-01"])
    assert effective_quota(money("80000"), ramp_share=half) == money(CASES["icm-ramp-04"]["expected"]["quota_2026-01"])


def test_a_quota_prorated_by_months() -> None:
    # The source prints whole dollars.
    expected = CASES["quickbase-prorate-01"]["expected"]["Q1"]
    assert effective_quota(20_000, active_share=Fraction(1, 3)) == int(expected)


def test_pay_converted_at_the_rate_of_the_day() -> None:
    expected = CASES["idynamics-ccy-01"]["expected"]
    pounds = earned(curve({"shape": "flat", "rate": "10%"}), ["1000"])[0]
    assert pounds == money(expected["commission_GBP"])
    rate = PinnedRate("GBP", "USD", date(2026, 1, 1), Fraction("1.22"))
    assert convert(pounds, rate) == money(expected["commission_USD_at_invoice_date"])
