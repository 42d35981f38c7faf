"""The pieces of curves in worked examples that vendors and textbooks print; whole plans are in test_cases_*.

The cases lie beside the project and not in it; without them the tests skip and say so.
"""

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from salesops.commissions.rules.columns import CreditColumns, calculate
from salesops.commissions.rules.curves import Boundary, Curve
from salesops.commissions.rules.shapes import PersonFacts, ZeroQuota, curve_of, shape_from_plain
from salesops.values.money import to_minor
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
    number = None if quota is None else money(quota)
    return curve_of(shape_from_plain(words).unwrap(), PersonFacts("USD", quota=number), **settings).unwrap()


def earned(of: Curve, amounts: list[str]) -> list[int]:
    """What each amount earns, in order, through the columns."""
    count = len(amounts)
    ones = np.ones(count, dtype=np.int64)
    minor = [money(amount) for amount in amounts]
    columns = CreditColumns(ones, ones, ones, ones, np.arange(count, dtype=np.int64), np.array(minor, dtype=np.int64))
    return [int(amount) for amount in calculate(columns, {(1, 1, 1): of}).amount]


def amounts_of(case_id: str) -> list[str]:
    """The amounts among the inputs of a case."""
    return [item["amount"] for item in CASES[case_id]["inputs"]]


@pytest.mark.parametrize("case_id", ["ehow-tier-01", "qammunity-01", "referello-01"])
def test_the_parts_of_a_crossing_are_the_printed_lines(case_id: str) -> None:
    pieces = curve(tiers_of(case_id)).stretch(0, money(CASES[case_id]["inputs"][0]))
    assert [piece.amount for piece in pieces] == [money(line) for line in CASES[case_id]["expected"]["lines"]]


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
