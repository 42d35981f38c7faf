"""Every figure of docs/commissions.md is what the engine says. `SALESOPS_WRITE_DOCS=1` writes them anew, to be read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.services.plan_files import calculate_files, read_plans, read_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commissions.md"
_BLOCK = re.compile(r"^```(yaml|csv|text|words)\n(.*?)^```$", re.M | re.S)
#: The words of each convention.
WORDS: dict[str, list[str]] = {
    name: [str(word.value) for word in kind]
    for name, kind in get_type_hints(Conventions).items()
    if isinstance(kind, type) and issubclass(kind, StrEnum)
}
#: These are told what to write instead: see the page.
NOT_READ = {("counting_date", "invoice"), ("counting_date", "payment")}
_TABLES = {"key": "transactions", "person": "quotas", "date": "rates", "type": "events"}


@dataclass(frozen=True)
class Example:
    """Plan, tables, what is printed below them and where. convention: whose section it is, "" for no convention's.

    is_by_words: what is printed is the same plan by other words of the convention, a line for each of them.
    """

    plan: str
    tables: dict[str, list[dict[str, str]]]
    printed: str
    start: int
    convention: str
    is_by_words: bool

    def word(self) -> str:
        """The word of the convention by which the plan itself is calculated."""
        chosen = (yaml.safe_load(self.plan).get("conventions") or {}).get(self.convention)
        return str(chosen or getattr(Conventions(), self.convention).value)


def examples() -> list[Example]:
    """Every example of the page, in order."""
    found: list[Example] = []
    plan, tables = "", {}
    page = PAGE.read_text(encoding="utf-8")
    sections = [(match.start(), match[1]) for match in re.finditer(r"^#+ (\w+).*$", page, re.M)]
    for match in _BLOCK.finditer(page):
        kind, text = match.groups()
        if kind == "yaml":
            plan, tables = text, {}
        elif kind == "csv":
            tables[_TABLES[text.split(",", 1)[0]]] = read_rows(text.encode())
        else:
            section = [name for start, name in sections if start < match.start()][-1]
            convention = section if section in WORDS else ""
            found.append(Example(plan, tables, text, match.start(2), convention, kind == "words"))
    return found


def calculated(plan: str, tables: dict[str, Any]) -> dict[str, Any]:
    """What the engine makes of it."""
    outcome = read_plans(plan.encode())
    assert outcome.value is not None, [str(problem) for problem in outcome.problems]
    names = ("transactions", "quotas", "rates", "events")
    return calculate_files(outcome.value, *(tables.get(name, []) for name in names))


def sums(result: dict[str, Any]) -> list[str]:
    """What each period earned and paid whom."""
    return [
        f"{person['person']}, {period['period']}: earned {period['earned']}, paid {period['payout']}"
        for person in result["plans"][0]["people"]
        for period in person["periods"]
    ]


def told(example: Example) -> str:
    """The same in a few words."""
    if example.is_by_words:
        return "".join(f"{word}: {told_by(example, word)}\n" for word in words_of(example))
    result = calculated(example.plan, example.tables)
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


def words_of(example: Example) -> list[str]:
    """The words by which the plan of an example is calculated once more."""
    return [line.partition(":")[0] for line in example.printed.splitlines()]


def told_by(example: Example, word: str) -> str:
    """What the plan comes to by another word of the convention, on one line; what stands in the way is said after it."""
    plan = yaml.safe_load(example.plan)
    plan["conventions"] = (plan.get("conventions") or {}) | {example.convention: word}
    result = calculated(yaml.safe_dump(plan), example.tables)
    problems = [problem["message"] for problem in result["problems"]]
    return "; ".join([*sums(result), *problems])


def test_every_word_of_every_convention_is_shown_in_its_section() -> None:
    assert list(WORDS) == list(Conventions.__dataclass_fields__)
    shown = {
        (example.convention, word)
        for example in examples()
        if example.convention
        for word in (words_of(example) if example.is_by_words else [example.word()])
    }
    assert {(name, word) for name, words in WORDS.items() for word in words} - shown == NOT_READ


def test_words_that_come_to_the_same_are_no_example() -> None:
    """Within a section each word comes to something else than the plan by its own word does."""
    for example in examples():
        if example.is_by_words:
            found = [told_by(example, word) for word in [example.word(), *words_of(example)]]
            assert len({*found}) == len(found), example.convention


@pytest.mark.parametrize("word", ["invoice", "payment"])
def test_a_word_that_is_not_read_is_told_what_to_write_instead(word: str) -> None:
    example = next(each for each in examples() if each.convention == "counting_date")
    plan = yaml.safe_load(example.plan) | {"conventions": {"counting_date": word}}
    outcome = read_plans(yaml.safe_dump(plan).encode())
    assert outcome.value is None
    assert [problem.code for problem in outcome.problems] == ["counting-date"]


@pytest.mark.parametrize("place", range(len(examples())))
def test_every_figure_of_the_page_is_what_the_engine_says(place: int) -> None:
    example = examples()[place]
    says = told(example)
    if os.environ.get("SALESOPS_WRITE_DOCS"):
        text = PAGE.read_text(encoding="utf-8")
        end = example.start + len(example.printed)
        PAGE.write_text(text[: example.start] + says + text[end:], encoding="utf-8")
        return
    assert example.printed == says


def test_what_a_new_kind_of_component_needs_is_where_the_page_says() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## A new kind of component")[2]
    named = re.findall(r"`([^`]+)`", section)
    root = PAGE.parents[1]
    paths = [name for name in named if "/" in name]
    found = [
        (root if name.startswith(("docs/", "tests/")) else root / "salesops" / "commissions") / name for name in paths
    ]
    assert [str(path) for path in found if not path.is_file()] == []
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*found, root / "Makefile"])
    names = [name.removeprefix("make ") for name in named if "/" not in name]
    assert names
    assert [name for name in names if name not in text] == []
    assert len(paths) >= 7
