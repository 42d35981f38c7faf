"""Every figure of docs/commissions.md is what the engine says. `SALESOPS_WRITE_DOCS=1` writes them anew, to be read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.services.plan_files import calculate_files, read_plans, read_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commissions.md"
_BLOCK = re.compile(r"^```(yaml|csv|text)\n(.*?)^```$", re.M | re.S)
_TABLES = {"key": "transactions", "person": "quotas", "date": "rates", "type": "events"}


def examples() -> list[tuple[str, dict[str, list[dict[str, str]]], str, int]]:
    """Plan, tables, the result as printed, and its place on the page."""
    found: list[tuple[str, dict[str, list[dict[str, str]]], str, int]] = []
    plan, tables = "", {}
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        kind, text = match.groups()
        if kind == "yaml":
            plan, tables = text, {}
        elif kind == "csv":
            tables[_TABLES[text.split(",", 1)[0]]] = read_rows(text.encode())
        else:
            found.append((plan, tables, text, match.start(2)))
    return found


def told(plan: str, tables: dict[str, Any]) -> str:
    """What the engine makes of it, in a few words."""
    outcome = read_plans(plan.encode())
    assert outcome.value is not None, [str(problem) for problem in outcome.problems]
    result = calculate_files(
        outcome.value,
        tables["transactions"],
        tables.get("quotas", []),
        tables.get("rates", []),
        tables.get("events", []),
    )
    assert result["problems"] == []
    lines = []
    for person in result["plans"][0]["people"]:
        for period in person["periods"]:
            lines.append(f"{person['person']}, {period['period']}: earned {period['earned']}, paid {period['payout']}")
            lines.extend(
                f"  {line['transaction']}: from {line['before']} to {line['after']} earns {line['earned']}"
                for line in period["lines"]
            )
            lines.extend(
                f"  {step['kind']}: {step['amount']}" for step in period["settlement"] if step["kind"] != "earning"
            )
    return "".join(f"{line}\n" for line in lines)


def test_the_page_has_an_example_of_each_convention_that_is_calculated() -> None:
    text = PAGE.read_text(encoding="utf-8")
    missing = [
        name for name in Conventions.__dataclass_fields__ if f"`{name}`" not in text and f"### {name}:" not in text
    ]
    assert missing == []
    assert len(examples()) >= 12


@pytest.mark.parametrize("place", range(len(examples())))
def test_every_figure_of_the_page_is_what_the_engine_says(place: int) -> None:
    plan, tables, printed, start = examples()[place]
    says = told(plan, tables)
    if os.environ.get("SALESOPS_WRITE_DOCS"):
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(text[:start] + says + text[start + len(printed) :], encoding="utf-8")
        return
    assert printed == says
