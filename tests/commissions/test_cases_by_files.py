"""Every public example is reproduced by exactly one test through files, or listed with the reason; a few by the command."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.commissions import test_cases_curves, test_cases_people, test_cases_settlement
from tests.commissions.case_files import (
    CASES,
    NEEDS_CASES,
    REPRODUCED,
    Plan,
    Rows,
    cents,
    csv_text,
    deal,
    part,
    plan,
    plan_text,
    tiered,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "commission-cases.md").read_text(encoding="utf-8")

# The tests of these modules say which cases they reproduce.
MODULES = (test_cases_curves, test_cases_people, test_cases_settlement)


def listed() -> list[str]:
    """The cases that the document lists as not reproduced."""
    section = PAGE.partition("## Not reproduced")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)


@NEEDS_CASES
def test_every_case_is_reproduced_once_or_listed_and_fewer_than_six_are_listed() -> None:
    assert [case_id for case_id, count in REPRODUCED.items() if count != 1] == []
    assert sorted([*REPRODUCED, *listed()]) == sorted(CASES)
    assert 0 < len(listed()) < 6
    assert len(CASES) == 75


def test_every_case_that_is_said_to_be_reproduced_has_a_test_that_runs() -> None:
    collected = {
        case_id
        for module in MODULES
        for name, test in vars(module).items()
        if name.startswith("test_")
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "parametrize" and mark.args[0] == "case"
        for case_id in mark.kwargs["ids"]
    }
    assert collected == set(REPRODUCED)


def split_case() -> tuple[Plan, Rows, Rows]:
    """icm-split-03 as files."""
    (item,) = CASES["icm-split-03"]["inputs"]
    credits = "; ".join(f"{name} {float(part) * 100:g}%" for name, part in item["credits"].items())
    quota = CASES["icm-split-03"]["plan"]["quota"].split()[0]
    quotas = [{"person": name, "quota": quota} for name in item["credits"]]
    return tiered(CASES["icm-split-03"]), [deal(item["deal"], item["amount"], person="", credits=credits)], quotas


def quarter_case() -> tuple[Plan, Rows, Rows]:
    """icm-period-01 as files."""
    case = CASES["icm-period-01"]
    rows = [deal(item["deal"], item["amount"], item["date"]) for item in case["inputs"]]
    return tiered(case), rows, [{"person": "Ana", "quota": case["plan"]["quota"]}]


def manager_case() -> tuple[Plan, Rows, Rows]:
    """amant-retro-03 as files."""
    case = CASES["amant-retro-03"]
    words = tiered(case)
    words["components"][0]["crediting"] = ["roll_up"]
    rows = [deal(f"S{index}", item["sale"], item["date"], "Rep") for index, item in enumerate(case["inputs"])]
    return words, rows, [{"person": "Rep", "manager": "Boss"}, {"person": "Boss"}]


def cap_case() -> tuple[Plan, Rows, Rows]:
    """icm-cap-02 as files, without a file of quotas."""
    case = CASES["icm-cap-02"]
    limits = {"limits": [{"cap": case["plan"]["cap_plan"]}]}
    words = plan(*(part(rate=rule["rate"]) for rule in case["plan"]["rules"]), settlement=limits)
    return words, [deal("T1", case["inputs"][0]["amount"])], []


@NEEDS_CASES
@pytest.mark.parametrize(
    ("case_id", "files", "expected"),
    [
        ("icm-split-03", split_case, {"P1": "P1", "P2": "P2"}),
        ("icm-period-01", quarter_case, {"Ana": "total"}),
        ("amant-retro-03", manager_case, {"Boss": "bonus"}),
        ("icm-cap-02", cap_case, {"Ana": "total"}),
    ],
)
def test_the_command_reproduces_a_case_from_files(
    tmp_path: Path, case_id: str, files: object, expected: dict[str, str]
) -> None:
    words, rows, quotas = files()  # type: ignore[operator]
    texts = {"plan": plan_text(words), "transactions": csv_text(rows)} | (
        {"quotas": csv_text(quotas)} if quotas else {}
    )
    options = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        options += [f"--{name}", str(tmp_path / name)]
    out = StringIO()
    call_command("calculate_plan", *options, "--json", stdout=out)
    (told,) = json.loads(out.getvalue())["plans"]
    paid = {person["person"]: cents(person["payout"]) for person in told["people"]}
    assert paid == {person: cents(CASES[case_id]["expected"][name]) for person, name in expected.items()}
