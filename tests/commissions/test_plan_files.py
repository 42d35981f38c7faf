"""Plan files and their tables: what is read, what is refused with its place, the command, the page about them."""

import json
import re
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from django.core.management.base import CommandError

from salesops.commissions.rules.conventions import Conventions, CountingDate, instead_of
from salesops.commissions.rules.plans import Component, Example
from salesops.commissions.rules.settlement import terms
from salesops.commissions.services.plan_files import read_plans, read_rows, write_plan
from tests.commissions.case_files import (
    SCHEMA,
    VALIDATOR,
    Plan,
    calculated,
    csv_text,
    deal,
    paid,
    part,
    plan,
    plan_text,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "plan-files.md").read_text(encoding="utf-8")
TIERS = part("marginal", tiers=[{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}])


# --- Quotas -------------------------------------------------------------------------------------------------------


def test_a_quota_without_a_period_holds_in_every_period_that_has_none() -> None:
    rows = [deal(f"D{month}", "1", f"2026-{month:02d}-10") for month in (1, 2, 4)]
    quotas = [{"person": "Ana", "quota": "100"}, {"person": "Ana", "quota": "300", "period": "2026-02"}]
    result = paid(plan(part(rate="1%")), rows, quotas)
    assert [item["quota"] for item in result.components()] == ["100.00", "300.00", "100.00"]
    longer = paid(plan(part(rate="1%", period_kind="quarter")), rows, quotas)
    assert [item["quota"] for item in longer.components()] == ["500.00", "500.00", "300.00"]


def test_the_quota_of_a_longer_period_holds_for_all_of_it() -> None:
    quotas = [{"person": "Ana", "quota": "100"}, {"person": "Ana", "quota": "900", "period": "2026Q1"}]
    result = paid(plan(part(rate="1%", period_kind="quarter")), [deal("D1", "1")], quotas)
    assert [item["quota"] for item in result.components()] == ["900.00"]


# --- What is settled ----------------------------------------------------------------------------------------------


def test_a_guarantee_is_paid_in_periods_in_which_nothing_was_sold() -> None:
    words = plan(part(rate="10%"), settlement={"draw": {"amount": "500", "kind": "non_recoverable"}})
    quotas = [{"person": "Ana"}, {"person": "Ben", "start": "2026-02-01", "end": "2026-03-01"}]
    result = paid(words, [deal("D1", "9000"), deal("D2", "9000", "2026-03-10")], quotas)
    assert [(item["period"], item["payout"]) for item in result.periods("Ana")] == [
        ("2026-01", "900.00"),
        ("2026-02", "500.00"),
        ("2026-03", "900.00"),
    ]
    assert [(item["period"], item["payout"]) for item in result.periods("Ben")] == [("2026-02", "500.00")]


def test_who_joins_later_needs_no_target_before_and_none_after() -> None:
    """The cap is a share of target pay, which nobody has who is not yet, or no longer, on the plan."""
    words = plan(part(rate="10%"), settlement={"limits": [{"cap": "200%"}]})
    quotas = [
        {"person": "Ana", "target": "100"},
        {"person": "Ben", "target": "100", "start": "2026-02-01", "end": "2026-03-01"},
    ]
    rows = [deal("D1", "5000"), deal("D2", "5000", "2026-02-10", "Ben"), deal("D3", "1000", "2026-03-10")]
    result = paid(words, rows, quotas)
    assert [item["payout"] for item in result.periods("Ana")] == ["200.00", "100.00"]
    assert [item["payout"] for item in result.periods("Ben")] == ["200.00"]


def test_somebody_credited_twice_for_a_deal_gives_both_back() -> None:
    words = plan(part(rate="10%", crediting=["owner", "overlay"]))
    rows = [
        deal("D1", "1000", overlays="Ana 50%"),
        deal("R1", "-1000", "2026-02-10", reverses="D1"),
    ]
    result = paid(words, rows)
    assert [item["earned"] for item in result.periods()] == ["150.00", "-150.00"]
    assert result.periods()[1]["carried_forward"] == "-150.00"


def test_a_leaver_owes_the_draw_in_the_period_of_leaving() -> None:
    words = plan(part(rate="10%"), settlement={"draw": {"amount": "500"}})
    leaving = [{"type": "leaving", "person": "Ana", "date": "2026-03-15"}]
    result = paid(words, [deal("D1", "1000")], events=leaving)
    assert [item["period"] for item in result.periods()] == ["2026-01", "2026-02", "2026-03"]
    assert [line["kind"] for line in result.periods()[-1]["settlement"]][-1] == "draw_owed"


def test_somebody_of_whom_only_an_event_is_known_is_paid() -> None:
    words = plan(part(rate="10%"), settlement={"bonuses": [{"key": "spiff", "pays": "50", "most_count": 1}]})
    bonus = {"type": "bonus", "person": "Ben", "date": "2026-01-05", "reference": "spiff"}
    result = paid(words, [deal("D1", "1000")], events=[bonus, bonus])
    assert result.person("Ben")["payout"] == "50.00"


def test_a_team_factor_and_the_gate_below_it() -> None:
    rows = [{"at": "0%", "factor": "80%"}, {"at": "100%", "factor": "120%"}]
    factor = {"components": ["part1"], "rows": rows, "gate": "50%"}
    words = plan(part(rate="10%"), settlement={"multiplier": factor})
    for attainment, payout in (("120%", "120.00"), ("80%", "80.00"), ("40%", "0.00")):
        team = [{"type": "team", "person": "Ana", "date": "2026-01-31", "share": attainment}]
        assert paid(words, [deal("D1", "1000")], events=team).person()["payout"] == payout
    # Nobody asks for the team of somebody who is not yet, or no longer, on the plan.
    quotas = [{"person": "Ben", "period": "2026-02"}, {"person": "Ana"}]
    team = [{"type": "team", "person": "Ben", "date": "2026-02-28", "share": "100%"}]
    team += [{"type": "team", "person": "Ana", "date": f"2026-{month:02d}-28", "share": "80%"} for month in (1, 2, 3)]
    rows = [deal("D1", "1000"), deal("D2", "1000", "2026-02-10", "Ben"), deal("D3", "1000", "2026-03-10")]
    assert paid(words, rows, quotas, events=team).person("Ben")["payout"] == "120.00"
    missing = calculated(words, [deal("D1", "1000")])
    assert [(problem["code"], problem["person"]) for problem in missing.problems] == [
        ("team-attainment-missing", "Ana")
    ]


# --- What is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "place", "expected"),
    [
        ({"type": "gift"}, "events:2:type", "adjustment, objective, bonus, payment, team, leaving"),
        ({"person": "Zoe "}, None, None),
        ({"person": ""}, "events:2:person", "Ana"),
        ({"plan": "Other"}, "events:2:plan", "Plan"),
        ({"date": "1/2/2026"}, "events:2:date", "2026-01-31"),
        ({"amount": "1,5"}, "events:2:amount", "1250.00"),
        ({"reason": ""}, "events:2:reason", "..."),
        ({"approver": ""}, "events:2:approver", "..."),
        ({"type": "bonus", "reference": "spif"}, "events:2:reference", "spiff"),
        ({"type": "objective", "reference": "spiff"}, "events:2:reference", "mbo"),
        ({"type": "objective", "reference": "mbo", "share": "most"}, "events:2:share", "80%"),
        ({"type": "payment", "reference": "D1", "of": ""}, "events:2:of", "1250.00"),
        ({"colour": "red"}, "events:1:colour", None),
    ],
)
def test_an_event_that_cannot_be_read_is_named_with_its_cell(
    event: dict[str, str], place: str | None, expected: str | None
) -> None:
    settlement = {"bonuses": [{"key": "spiff", "pays": "50"}], "objectives": [{"key": "mbo", "weight": "0"}]}
    row = {
        "type": "adjustment",
        "person": "Ana",
        "date": "2026-01-05",
        "amount": "5",
        "reason": "r",
        "preparer": "p",
        "approver": "a",
    }
    quotas = [{"person": name, "target": "1"} for name in ("Ana", "Zoe")]
    result = calculated(plan(part(rate="1%"), settlement=settlement), [deal("D1", "1")], quotas, events=[row | event])
    assert [problem["where"] for problem in result.problems] == ([place] if place else [])
    if expected:
        assert result.problems[0]["remedy"] == f"Expected: {expected}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("key,amount\nD1,1,250.00\n", "Line 2 has more cells than the 2 columns."),
        ("key,amount, key\nD1,1,D2\n", "A column stands twice: key, amount, key"),
        ('key\n"D1\n', "unexpected end of data"),
    ],
)
def test_a_table_that_would_lose_something_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_rows(text.encode())


def test_rows_with_fewer_cells_and_a_byte_order_mark_are_read() -> None:
    assert read_rows(b"\xef\xbb\xbfkey, amount\r\nD1\r\n") == [{"key": "D1", "amount": ""}]


# --- The schema ---------------------------------------------------------------------------------------------------

BROKEN: list[tuple[str, Any]] = [
    ("no name", {"name": ""}),
    ("currency", {"currency": "usd"}),
    ("period", {"period_kind": "week"}),
    ("unknown word", {"colour": "red"}),
    ("no component", {"components": []}),
    ("unknown word of a component", {"components": [TIERS | {"key": "a", "name": "A", "colour": "red"}]}),
    ("component without a shape", {"components": [{"key": "a", "name": "A"}]}),
    ("key", {"components": [TIERS | {"key": "A B", "name": "A"}]}),
    ("rate", {"components": [part(rate="-1%") | {"key": "a", "name": "A"}]}),
    ("tiers of a flat rate", {"components": [part(rate="1%", tiers=[]) | {"key": "a", "name": "A"}]}),
    ("gate", {"components": [part(rate="1%", gate={"at": "40%"}) | {"key": "a", "name": "A"}]}),
    ("points", {"components": [part("points", points=[{"at": "0", "pays": "0"}]) | {"key": "a", "name": "A"}]}),
    ("convention", {"conventions": {"rounding": "up"}}),
    ("unknown convention", {"conventions": {"colour": "red"}}),
    ("ramp", {"ramp": ["half"]}),
    ("draw", {"settlement": {"draw": {"kind": "recoverable"}}}),
    ("release", {"settlement": {"releases": [{"kind": "later"}]}}),
    ("unknown word of the settlement", {"settlement": {"colour": "red"}}),
    ("example", {"examples": [{"name": "e", "component": "part1", "credits": ["1"]}]}),
]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("change", [change for _name, change in BROKEN], ids=[name for name, _change in BROKEN])
def test_schema_and_reader_refuse_the_same(change: dict[str, Any]) -> None:
    good = plan(TIERS)
    assert VALIDATOR.is_valid(good)
    assert read_plans(yaml.safe_dump(good).encode()).value
    broken = good | change
    assert not VALIDATOR.is_valid(broken)
    assert not read_plans(yaml.safe_dump(broken).encode()).value


def defined(name: str) -> dict[str, Any]:
    """A definition of the schema."""
    found: dict[str, Any] = SCHEMA["$defs"][name]
    return found


@pytest.mark.parametrize(
    ("name", "kind", "renamed"),
    [
        ("component", Component, {"standard_target_minor": "standard_target"}),
        (
            "example",
            Example,
            {"expected_minor": "expected", "target_minor": "target", "lines_minor": "lines"},
        ),
        ("conventions", Conventions, {}),
        ("objective", terms.Objective, {}),
        ("bonus", terms.Bonus, {}),
        ("factor_row", terms.FactorRow, {}),
        ("multiplier", terms.Multiplier, {}),
        ("limit", terms.Limit, {}),
        ("draw", terms.Draw, {}),
        ("instalment", terms.Instalment, {}),
        ("release", terms.Release, {}),
        ("clawback_step", terms.ClawbackStep, {}),
        ("clawback", terms.Clawback, {}),
        ("settlement", terms.Terms, {"currency": None, "order": None, "leaver": None}),
    ],
)
def test_the_schema_has_every_word_of_the_plan(name: str, kind: type, renamed: dict[str, str | None]) -> None:
    known = {renamed.get(item.name, item.name) for item in fields(kind)}
    assert set(defined(name)["properties"]) == known - {None}
    assert defined(name)["additionalProperties"] is False


def test_the_schema_has_every_value_of_every_convention() -> None:
    for item in fields(Conventions):
        words = defined("conventions")["properties"][item.name]
        values = [value for value in type(item.default) if not isinstance(value, CountingDate) or not instead_of(value)]  # type: ignore[call-overload]
        assert words["enum"] == [value.value for value in values]
        assert words["default"] == item.default.value  # type: ignore[union-attr]


class YamlWithoutDays(yaml.SafeLoader):
    """YAML 1.2 as editors read it: numbers and truths are such, days are texts."""


YamlWithoutDays.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_what_is_written_keeps_the_schema_and_reads_back() -> None:
    outcome = read_plans(example("plan.yaml").encode())
    ((name, description, definition),) = outcome.unwrap()
    text = write_plan(name, description, definition)
    assert read_plans(text.encode()).unwrap() == [(name, description, definition)]
    VALIDATOR.validate(yaml.load(text, Loader=yaml.BaseLoader))  # noqa: S506 - texts only
    VALIDATOR.validate(yaml.load(example("plan.yaml"), Loader=YamlWithoutDays))  # noqa: S506 - a safe loader


# --- The page and the command -------------------------------------------------------------------------------------


def example(name: str) -> str:
    """The block of the page that follows the name of a file."""
    match = re.search(rf"`{re.escape(name)}`:\n\n```[a-z]*\n(.*?)```", PAGE, re.DOTALL)
    assert match, name
    return match[1]


def written(folder: Path, **texts: str) -> list[str]:
    """Files with these texts as the options of the command."""
    options = []
    for name, text in texts.items():
        path = folder / f"{name}.txt"
        path.write_text(text, encoding="utf-8")
        options += [f"--{name}", str(path)]
    return options


TABLES = {"plan": "plan.yaml", "transactions": "t.csv", "quotas": "q.csv", "rates": "r.csv", "events": "e.csv"}


def test_the_example_of_the_page_gives_what_the_page_prints(tmp_path: Path) -> None:
    options = written(tmp_path, **{name: example(file) for name, file in TABLES.items()})
    out, err = StringIO(), StringIO()
    call_command("calculate_plan", *options, stdout=out, stderr=err)
    assert err.getvalue() == ""
    assert out.getvalue() == example("the result")
    told = StringIO()
    call_command("calculate_plan", *options, "--json", stdout=told)
    result = json.loads(told.getvalue())
    line = next(
        line
        for person in result["plans"][0]["people"]
        for period in person["periods"]
        for line in period["lines"]
        if line["transaction"] == "D-3"
    )
    assert line == json.loads(example("a line of the result"))


def test_the_page_names_every_word_with_its_default() -> None:
    code = " ".join(re.findall(r"`([^`]+)`", PAGE.partition("## The plan")[2]))
    for name, words in SCHEMA["$defs"].items():
        for word in words.get("properties", {}):
            assert re.search(rf"\b{word}\b", code), f"{name}: {word}"
    rows = PAGE.partition("### Conventions")[2].splitlines()
    for name, words in defined("conventions")["properties"].items():
        row = next(line for line in rows if line.startswith(f"| `{name}` "))
        assert f"**{words['default']}**" in row, name
        for value in words["enum"]:
            assert value in row, (name, value)


def test_the_command_ends_with_1_and_tells_what_is_wrong(tmp_path: Path) -> None:
    words: Plan = plan(TIERS)
    options = written(tmp_path, plan=plan_text(words), transactions=csv_text([deal("D1", "5")]))
    err = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("calculate_plan", *options, stdout=StringIO(), stderr=err)
    assert err.getvalue().startswith("Plan Ana: There is no quota, and the plan pays by quota.")
    with pytest.raises(CommandError, match="is no CSV file: Line 2 has more cells than the 4 columns"):
        call_command(
            "calculate_plan",
            *written(tmp_path, plan=plan_text(words), transactions="key,date,amount,person\nD1,2026-01-01,1,0,Ana\n"),
        )
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("calculate_plan", "--plan", str(tmp_path / "none.yaml"), "--transactions", options[3])
    with pytest.raises(CommandError, match="week"):
        call_command(
            "calculate_plan", *written(tmp_path, plan=yaml.safe_dump(words | {"period_kind": "week"})), *options[2:]
        )
