"""The public examples as files: plan words as YAML, transactions, quotas, rates and events as CSV, calculated as one.

The examples lie beside the project and not in it; without them the tests skip and say so.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from salesops.commissions.services.plan_files import calculate_files, read_plans, read_rows
from salesops.values.money import to_minor
from tests.commissions.shared_files import CASES as FILE

CASES: dict[str, dict[str, Any]] = (
    {case["id"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]} if FILE.is_file() else {}
)
NEEDS_CASES = pytest.mark.skipif(not CASES, reason=f"{FILE} is absent")

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "plan.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# How often each case is reproduced: filled while the tests are collected.
REPRODUCED: Counter[str] = Counter()

Plan = dict[str, Any]
Rows = Sequence[dict[str, str]]

# The sources' words for a period, and the file's.
PERIODS = {"monthly": "month", "quarterly": "quarter", "annual": "year"}


def reproduces(*ids: str) -> pytest.MarkDecorator:
    """The test gets each of these cases as `case`; together they say which cases are covered."""
    REPRODUCED.update(ids)
    return pytest.mark.parametrize("case", [CASES.get(case_id, {}) for case_id in ids], ids=ids)


def plan(*components: dict[str, Any], **words: Any) -> Plan:
    """A plan file's words; what a case does not say is a plan in dollars by month."""
    named = [{"key": f"part{index}", "name": f"Part {index}"} | item for index, item in enumerate(components, 1)]
    return {"name": "Plan", "currency": "USD", "period_kind": "month", "components": named} | words


def part(shape: str = "flat", **words: Any) -> dict[str, Any]:
    """A component: `rate`, `tiers`, `steps`, `points`, `gate`, `floor` and `cap` belong to its shape."""
    shape_words = ("rate", "tiers", "steps", "points", "gate", "floor", "cap", "after")
    inner = {name: words.pop(name) for name in shape_words if name in words}
    return words | {"shape": {"shape": shape} | inner}


def tiers(of: dict[str, Any], worth: str = "rate") -> list[dict[str, str]]:
    """A case's tiers; each source closes its last tier in its own way, and ours goes on."""
    return [{"from": tier.get("from", "0"), "rate": tier[worth]} for tier in of["tiers"]]


def tiered(case: dict[str, Any], **words: Any) -> Plan:
    """A case whose plan is one table of tiers, with its currency and period."""
    of = case["plan"]
    head = {"period_kind": PERIODS[of["period"]]} if "period" in of else {}
    head |= {"currency": of["currency"]} if "currency" in of else {}
    return plan(part(of["tier_mode"], tiers=tiers(of)), **(head | words))


def deal(key: str, amount: str, date: str = "2026-01-10", person: str = "Ana", **cells: str) -> dict[str, str]:
    """A row of transactions."""
    return {"key": key, "date": date, "amount": amount, "person": person} | cells


def csv_text(rows: Rows) -> str:
    """Rows as the text of a CSV file."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plan_text(plans: Plan | list[Plan]) -> str:
    """One plan, or several, as the text of a YAML file that keeps the schema."""
    for item in plans if isinstance(plans, list) else [plans]:
        VALIDATOR.validate(item)
    return yaml.safe_dump(plans if isinstance(plans, dict) else {"plans": plans}, sort_keys=False, allow_unicode=True)


class Result:
    """What the files came to."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.problems: list[dict[str, Any]] = told["problems"]

    def person(self, name: str = "Ana", of: str = "Plan") -> dict[str, Any]:
        """What is told of a person on a plan."""
        people = {
            item["person"]: item
            for told_plan in self.told["plans"]
            if told_plan["plan"] == of
            for item in told_plan["people"]
        }
        found: dict[str, Any] = people[name]
        return found

    def people(self, of: str = "Plan") -> list[str]:
        """Whoever something is told of."""
        return [item["person"] for told in self.told["plans"] if told["plan"] == of for item in told["people"]]

    def periods(self, name: str = "Ana", of: str = "Plan") -> list[dict[str, Any]]:
        """A person's periods."""
        found: list[dict[str, Any]] = self.person(name, of)["periods"]
        return found

    def lines(self, name: str = "Ana", of: str = "Plan") -> list[dict[str, Any]]:
        """A person's lines in all periods."""
        return [line for period in self.periods(name, of) for line in period["lines"]]

    def line(self, key: str, name: str = "Ana", of: str = "Plan") -> dict[str, Any]:
        """The only line of a transaction."""
        (found,) = [line for line in self.lines(name, of) if line["transaction"] == key]
        return found

    def components(self, name: str = "Ana", of: str = "Plan") -> list[dict[str, Any]]:
        """A person's components in all periods."""
        return [item for period in self.periods(name, of) for item in period["components"]]

    def settled(self, *kinds: str, name: str = "Ana", of: str = "Plan") -> int:
        """The settlement's lines of these kinds, added up in cents."""
        lines = [line for period in self.periods(name, of) for line in period["settlement"]]
        return sum(cents(line["amount"]) for line in lines if line["kind"] in kinds)


def calculated(
    plans: Plan | list[Plan], transactions: Rows, quotas: Rows = (), rates: Rows = (), events: Rows = ()
) -> Result:
    """The files' texts, read and calculated, whatever problems there are."""
    read = read_plans(plan_text(plans).encode())
    tables = (read_rows(csv_text(rows).encode()) if rows else [] for rows in (transactions, quotas, rates, events))
    return Result(calculate_files(read.unwrap(), *tables))


def paid(
    plans: Plan | list[Plan], transactions: Rows, quotas: Rows = (), rates: Rows = (), events: Rows = ()
) -> Result:
    """The files' texts, read and calculated; there must be no problem."""
    result = calculated(plans, transactions, quotas, rates, events)
    assert result.problems == []
    return result


def cents(text: str) -> int:
    """An amount in cents."""
    return to_minor(text, "USD")


def all_cents(texts: Sequence[str]) -> list[int]:
    """Amounts in cents."""
    return [cents(text) for text in texts]


def thousands(text: str) -> int:
    """ "70K" in cents."""
    return cents(text.replace("K", "000"))


def share(text: str) -> Fraction:
    """A rate as it is printed, "5%" or "0.05", exact."""
    return Fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


def percent(number: Fraction) -> str:
    """A rate as a plan file writes it."""
    text = f"{float(number * 100):.6f}".rstrip("0").rstrip(".")
    assert Fraction(text) == number * 100
    return f"{text}%"


def first_number(text: str) -> str:
    """The first number in a printed sentence."""
    return next(word for word in text.replace("$", "").replace(",", "").split() if word[0].isdigit())
