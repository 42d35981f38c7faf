"""Period after period: what is held is paid when it is due, also after the last deal and after somebody has left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commissions.case_files import Result, deal, paid, part, plan

QUOTAS = [{"person": "Ana", "quota": "1000", "target": "100"}]


def told(result: Result) -> list[tuple[str, str, str]]:
    """Each period with what it pays and what stays held."""
    return [(item["period"], item["payout"], item["held"]) for item in result.periods()]


def refund(day: str, amount: str = "-1000") -> dict[str, str]:
    """D-1 or a part of it, taken back."""
    return deal("R-1", amount, day, kind="refund", reverses="D-1")


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"kind": "hold", "days": 22}, [("2026-01", "0.00", "80.00"), ("2026-02", "80.00", "0.00")]),
        ({"kind": "hold", "days": 21}, [("2026-01", "80.00", "0.00")]),
        # March, in which nothing is due, is not told.
        (
            {
                "kind": "instalments",
                "parts": [{"share": "1/2"}, {"share": "1/4", "days": 30}, {"share": "1/4", "days": 90}],
            },
            [("2026-01", "40.00", "40.00"), ("2026-02", "20.00", "20.00"), ("2026-04", "20.00", "0.00")],
        ),
        ({"kind": "on_payment"}, [("2026-01", "0.00", "80.00")]),
    ],
)
def test_what_is_held_after_the_last_deal_is_paid_when_it_is_due(
    release: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    words = plan(part(rate="8%"), settlement={"releases": [release]})
    assert told(paid(words, [deal("D-1", "1000")])) == expected


def test_after_the_last_deal_nothing_is_given_on_top_of_what_is_released() -> None:
    """No draw, no floor, and no question about the team's attainment for a month in which nothing can be earned."""
    words = plan(
        part(rate="8%"),
        settlement={
            "draw": {"amount": "100", "kind": "non_recoverable"},
            "limits": [{"component": "part1", "floor": "90"}],
            "multiplier": {"components": ["part1"], "rows": [{"at": "0%", "factor": "100%"}]},
            "objectives": [{"key": "goal", "weight": "10%"}],
            "releases": [{"kind": "hold", "days": 30}],
        },
    )
    team = {"type": "team", "person": "Ana", "date": "2026-01-31", "share": "100%"}
    result = paid(words, [deal("D-1", "1000")], QUOTAS, events=[team])
    # 80.00 held, a floor of 10.00 and a draw of 10.00 on top of them; then what was held.
    assert told(result) == [("2026-01", "20.00", "80.00"), ("2026-02", "80.00", "0.00")]


def leaving(day: str) -> list[dict[str, str]]:
    """Ana leaves on the day."""
    return [{"type": "leaving", "person": "Ana", "date": day}]


def test_what_is_taken_back_after_somebody_left_is_owed() -> None:
    result = paid(plan(part(rate="8%")), [deal("D-1", "1000"), refund("2026-03-02")], events=leaving("2026-01-20"))
    assert told(result) == [("2026-01", "80.00", "0.00"), ("2026-03", "0.00", "0.00")]
    assert result.periods()[-1]["owed"] == "80.00"


def test_what_was_held_is_paid_after_somebody_left() -> None:
    words = plan(part(rate="8%"), settlement={"releases": [{"kind": "hold", "days": 60}]})
    result = paid(words, [deal("D-1", "1000")], events=leaving("2026-01-20"))
    assert told(result) == [("2026-01", "0.00", "80.00"), ("2026-03", "80.00", "0.00")]


def test_what_is_earned_after_the_leaving_period_is_settled_without_a_draw() -> None:
    """A deal that closes while somebody is still on the plan, two months after the day on which they were to leave."""
    words = plan(part(rate="8%"), settlement={"draw": {"amount": "100", "kind": "non_recoverable"}})
    result = paid(words, [deal("D-1", "1000"), deal("D-2", "500", "2026-03-10")], QUOTAS, events=leaving("2026-01-20"))
    assert told(result) == [("2026-01", "100.00", "0.00"), ("2026-03", "40.00", "0.00")]


def test_without_leaving_the_draw_of_every_month_up_to_the_last_deal_is_paid() -> None:
    words = plan(part(rate="8%"), settlement={"draw": {"amount": "100", "kind": "non_recoverable"}})
    result = paid(words, [deal("D-1", "1000"), deal("D-2", "500", "2026-03-10")], QUOTAS)
    assert told(result) == [("2026-01", "100.00", "0.00"), ("2026-02", "100.00", "0.00"), ("2026-03", "100.00", "0.00")]


def test_a_refund_takes_back_of_a_leaver_what_was_paid_and_not_what_was_forfeited() -> None:
    """Half of 80.00 was paid in January; the other half, and all of February, is forfeited."""
    parts = [{"share": "1/2"}, {"share": "1/2", "days": 60}]
    words = plan(part(rate="8%"), settlement={"releases": [{"kind": "instalments", "parts": parts}]})
    words["conventions"] = {"leaver": "paid_before"}
    deals = [deal("D-1", "1000"), deal("D-2", "500", "2026-02-03"), refund("2026-04-02")]
    result = paid(words, deals, events=leaving("2026-02-20"))
    assert told(result) == [("2026-01", "40.00", "40.00"), ("2026-02", "0.00", "0.00"), ("2026-04", "0.00", "0.00")]
    assert [period["owed"] for period in result.periods()] == ["0.00", "0.00", "40.00"]
