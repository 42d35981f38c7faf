"""A retroactive tier reached late in a longer period: made up for, or from that period of pay on only."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from salesops.commissions.models import Earning
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.examples import activation_problems
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.rules.verify import disagreements, read
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.statements import why_of
from tests.cast import Cast
from tests.commissions.pay import definition, quota, statement_of, won
from tests.commissions.test_settled_periods import in_force, locked

TIERS = [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}, {"from": "200%", "rate": "20%"}]


def plan(tier_change: str, **shape: Any) -> dict[str, Any]:
    """Retroactive tiers over the year, paid by the quarter."""
    words = definition({"shape": "retroactive", "tiers": TIERS} | shape, tier_change=tier_change)
    words["components"][0]["period_kind"] = "year"
    return words


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tier_change", "first", "second", "third"),
    [
        ("true_up", [40_00], [5_00, 75_00], [40_00, 240_00]),
        ("forward_only", [40_00], [5_00, 35_00], [40_00, 120_00]),
    ],
)
def test_what_earlier_quarters_paid_is_made_up_for_or_left_alone(
    cast: Cast, tier_change: str, first: list[int], second: list[int], third: list[int]
) -> None:
    in_force(cast, plan(tier_change))
    quota(cast, "ana", "2026", 1_000_00)
    won(cast, "ana", 800_00, date(2026, 2, 10))
    won(cast, "ana", 100_00, date(2026, 5, 10), name="Below")
    won(cast, "ana", 300_00, date(2026, 5, 20), name="Over the bound")
    won(cast, "ana", 400_00, date(2026, 8, 10), name="In the tier")
    won(cast, "ana", 400_00, date(2026, 8, 20), name="Over the next")
    for number, expected in ((1, first), (2, second), (3, third)):
        statement = statement_of(cast, "ana", locked(cast, number))
        lines = list(Earning.objects.filter(statement=statement).order_by("position"))
        assert [line.amount_minor for line in lines] == expected
        assert sum(expected) == statement.payout_minor
        assert disagreements(read(bundle_bytes(bundle_of(statement)))) == []
        whys = [why_of(line) for line in lines]
        assert all(why["agrees"] for why in whys)
        if tier_change == "forward_only" and number == 2:
            # The jump is of the 100.00 of this quarter below the bound and of what lies up to it: 200.00 at 5 % more.
            assert [(piece["kind"], piece["exact"]) for piece in whys[1]["pieces"]] == [
                ("slope", "500"),
                ("jump", "1000"),
                ("slope", "2000"),
            ]


@pytest.mark.parametrize("extra", [{"cap": "5000"}, {"floor": "10"}, {"gate": {"at": "40%", "then": "all"}}])
def test_gates_floors_and_caps_go_with_making_up_only(extra: dict[str, Any]) -> None:
    assert activation_problems(plan_from_plain(plan("true_up", **extra)).unwrap()) == []
    problems = activation_problems(plan_from_plain(plan("forward_only", **extra)).unwrap())
    assert [(problem.code, problem.where) for problem in problems] == [("forward-only-clipped", "commission.shape")]
    by_quarter = plan("forward_only", **extra)
    del by_quarter["components"][0]["period_kind"]
    assert activation_problems(plan_from_plain(by_quarter).unwrap()) == []
