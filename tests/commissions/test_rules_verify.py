"""Statement bundles: anybody can derive them again with the standard library; every changed digit is found."""

import copy
import json
import random
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import (
    BundleAdjustment,
    BundleCredit,
    BundleLine,
    BundleTerms,
    StatementFacts,
    build_bundle,
    bundle_bytes,
    bundle_digest,
)
from salesops.commissions.rules.columns import CreditColumns, calculate
from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.rules.curves import Boundary, Curve
from salesops.commissions.rules.plans import Component, PlanDefinition, canonical, curve_for, digest_of
from salesops.commissions.rules.rounding import Rounding
from salesops.commissions.rules.shapes import Measure, PersonFacts, ZeroQuota, curve_of, shape_from_plain
from salesops.values.periods import PeriodKind

START = date(2026, 1, 1)
ACCELERATED = {"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "7.5%"}]}
PER_MEETING = {"shape": "flat", "rate": "12.50 each", "cap": "100%"}
ANNA, BEN = 11, 12


def statement(rounding: Rounding = Rounding.CUMULATIVE) -> StatementFacts:
    """A quarter with a split, a converted deal, an overlay, something taken back, meetings and an adjustment."""
    plan = PlanDefinition(
        "USD",
        "UTC",
        PeriodKind.QUARTER,
        (
            Component("bookings", "Bookings", shape_from_plain(ACCELERATED).unwrap()),
            Component("meetings", "Meetings", shape_from_plain(PER_MEETING).unwrap(), Measure.COUNT),
        ),
        Conventions(rounding=rounding),
    )
    terms = (BundleTerms("bookings", quota=1_000_01), BundleTerms("meetings", target_minor=20_00))
    alone, halves = ((ANNA, 10_000),), ((BEN, 5_000), (ANNA, 5_000))
    rate = Fraction("1.0834")
    credits = (
        BundleCredit("bookings", "D-1", START, 700_11, "USD", 10_000, 700_11, 700_11, "owner", shares=alone),
        BundleCredit("bookings", "D-2", START, 1_000_01, "USD", 5_000, 500_01, 500_01, "split", shares=halves),
        BundleCredit(
            "bookings",
            "D-3",
            START + timedelta(1),
            77_77,
            "EUR",
            10_000,
            77_77,
            84_26,
            "owner",
            shares=alone,
            rate=rate,
        ),
        BundleCredit(
            "bookings", "D-3", START + timedelta(1), 33_33, "USD", 5_000, 16_67, 16_67, "overlay", "overlay", 1
        ),
        BundleCredit(
            "bookings", "R-1", START + timedelta(2), -99_99, "USD", 10_000, -99_99, -99_99, "reversal", "stored"
        ),
        BundleCredit("bookings", "S-1", START + timedelta(3), 10, "USD", 10_000, 10, 10, "owner", shares=alone),
        BundleCredit("bookings", "S-2", START + timedelta(3), 10, "USD", 10_000, 10, 10, "owner", shares=alone),
        BundleCredit("meetings", "M-1", START, 1, "", 10_000, 1, 1, "owner", shares=alone),
        BundleCredit("meetings", "M-2", START, 1, "", 10_000, 1, 1, "owner", shares=alone),
    )
    lines: list[BundleLine] = []
    for component in plan.components:
        known = next(item for item in terms if item.component == component.key)
        curve = curve_for(plan, component, quota=known.quota, target_minor=known.target_minor).unwrap()
        own = [credit for credit in credits if credit.component == component.key]
        lines.extend(_lines(component.key, own, curve, rounding))
    adjustments = (BundleAdjustment("A-1", -5_00, "Paid twice in 2025Q4"),)
    return StatementFacts(
        "S-1",
        ANNA,
        "Anna Ek",
        "2026Q1",
        START,
        date(2026, 4, 1),
        "AE",
        3,
        plan,
        "1",
        terms,
        credits,
        tuple(lines),
        adjustments,
    )


def _lines(key: str, credits: list[BundleCredit], curve: Curve, rounding: Rounding) -> list[BundleLine]:
    ones = np.ones(len(credits), dtype=np.int64)
    earned = calculate(
        CreditColumns(
            ones,
            ones,
            ones,
            np.array([credit.day.toordinal() for credit in credits], dtype=np.int64),
            np.array([credit.transaction for credit in credits], dtype=object),
            np.array([credit.counted for credit in credits], dtype=np.int64),
            np.array([credit.rank for credit in credits], dtype=np.int64),
        ),
        {(1, 1, 1): curve},
        rounding,
    )
    names = ("before", "after", "pay_before", "pay_after", "amount")
    return [
        BundleLine(key, credit.transaction, credit.rank, *(int(getattr(earned, name)[index]) for name in names))
        for index, credit in enumerate(credits)
    ]


@pytest.mark.parametrize(("rounding", "last_small"), [(Rounding.CUMULATIVE, 0), (Rounding.PER_LINE, 1)])
def test_a_statement_of_the_engine_agrees_with_the_second_calculation(rounding: Rounding, last_small: int) -> None:
    bundle = build_bundle(statement(rounding))
    assert verify.disagreements(verify.read(bundle_bytes(bundle))) == []
    earned = [line["earned_minor"] for line in bundle["result"]["lines"]]
    assert earned == [35_01, 30_00, 6_32, 1_25, -7_50, 1, last_small, 12_50, 7_50]
    assert bundle["result"]["total_minor"] == sum(earned) - 5_00 == 80_09 + last_small


def test_the_bundle_does_not_depend_on_the_order_of_its_facts() -> None:
    facts = statement()
    other = replace(
        facts,
        credits=facts.credits[::-1],
        lines=facts.lines[::-1],
        terms=facts.terms[::-1],
        adjustments=facts.adjustments[::-1],
    )
    assert bundle_bytes(build_bundle(other)) == bundle_bytes(build_bundle(facts))
    assert len(bundle_digest(build_bundle(facts))) == 64


def numbers_in(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every number and every text with a digit in plain data."""
    if isinstance(data, dict):
        return [found for key, value in data.items() for found in numbers_in(value, (*path, key))]
    if isinstance(data, list):
        return [found for index, value in enumerate(data) for found in numbers_in(value, (*path, index))]
    is_number = isinstance(data, int) and not isinstance(data, bool)
    return [path] if is_number or (isinstance(data, str) and any(digit in data for digit in "0123456789")) else []


def flipped(value: int | str) -> int | str:
    """The same with its last digit changed."""
    text = str(value)
    place = max(index for index, character in enumerate(text) if character in "0123456789")
    changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
    return int(changed) if isinstance(value, int) else changed


def test_one_flipped_digit_anywhere_is_found() -> None:
    bundle = build_bundle(statement())
    paths = numbers_in(bundle)
    assert len(paths) > 150
    for path in paths:
        forged = copy.deepcopy(bundle)
        inner = forged
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = flipped(inner[path[-1]])
        try:
            found = verify.disagreements(verify.read(canonical(forged)))
        except verify.BundleError as error:
            found = [str(error)]
        assert found, path


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("result", "lines", 0, "earned_minor"), 35_02, "earned_minor comes to 3501, stated is 3502"),
        (("result", "lines", 1, "before"), 0, "before comes to 70011, stated is 0"),
        (("result", "total_minor"), 1, "total_minor comes to 8009, stated is 1"),
        (("inputs", "adjustments", 0, "amount_minor"), 5_00, "adjusted_minor comes to 500, stated is -500"),
        (("inputs", "credits", 1, "credited"), 500_00, "the share comes to 50001, stated is 50000"),
        (("inputs", "credits", 2, "counted"), 84_25, "counted is 8426, stated is 8425"),
        (("inputs", "credits", 2, "rate"), None, "EUR was counted without a rate"),
        (("inputs", "credits", 3, "credited"), 16_66, "the overlay share comes to 1667, stated is 1666"),
        (("inputs", "terms", 0, "quota"), 900_00, "comes to"),
        (("plan", "components", 0, "shape", "tiers", 0, "rate"), "6%", "comes to"),
        (("plan", "conventions", "rounding"), "per_line", "S-2: earned_minor comes to 1, stated is 0"),
    ],
)
def test_a_forgery_with_fresh_digests_is_found_by_calculation(path: tuple[Any, ...], value: Any, said: str) -> None:
    bundle = json.loads(bundle_bytes(build_bundle(statement())))
    inner = bundle
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    rest = {name: part for name, part in bundle.items() if name != "digests"}
    bundle["digests"] = {part: digest_of(bundle[part]) for part in ("plan", "inputs", "result")} | {
        "bundle": digest_of(rest)
    }
    assert any(said in finding for finding in verify.disagreements(bundle)), verify.disagreements(bundle)


def test_lines_without_credits_and_credits_without_lines_are_found() -> None:
    bundle = json.loads(bundle_bytes(build_bundle(statement())))
    line = bundle["result"]["lines"].pop()
    assert "meetings / M-2: the credit has no line in the result." in verify.disagreements(bundle)
    bundle["result"]["lines"] += [line, line | {"transaction": "X"}]
    assert "meetings / X: the line has no credit among the inputs." in verify.disagreements(bundle)
    bundle["result"]["lines"].append(line)
    assert "The same line stands twice in the result." in verify.disagreements(bundle)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"format": "salesops-statement-bundle", "format_version": 3}',
        b'{"format": "salesops-statement-bundle", "format_version": 1, "x": 1.5}',
        b'{"format": "salesops-statement-bundle", "format_version": 1, "x": NaN}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_bundle_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(verify.BundleError):
        verify.read(data)


def test_a_malformed_bundle_is_said_to_be_malformed() -> None:
    with pytest.raises(verify.BundleError, match="incomplete or malformed"):
        verify.disagreements({"format": verify.FORMAT, "format_version": 1})
    bundle = json.loads(bundle_bytes(build_bundle(statement())))
    bundle["inputs"]["credits"][0]["kind"] = "gift"
    with pytest.raises(verify.BundleError, match="gift is not known"):
        verify.disagreements(bundle)


# --- On the command line, with the standard library only ----------------------------------------------------------


def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python without site packages, so that nothing but the standard library can be imported."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *arguments], capture_output=True, text=True, check=False, cwd=folder, timeout=60
    )


def test_the_verifier_runs_alone_and_says_agrees_or_where_not(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    bundle = build_bundle(statement())
    good.write_bytes(bundle_bytes(bundle))
    bundle["result"]["lines"][0]["earned_minor"] += 1
    bad.write_bytes(bundle_bytes(bundle))
    alone = tmp_path / "verify.py"
    alone.write_bytes(Path(verify.__file__).read_bytes())
    found = run(str(alone), str(good), folder=tmp_path)
    assert (found.returncode, found.stdout) == (0, "agrees\n")
    found = run(str(alone), str(bad), folder=tmp_path)
    assert found.returncode == 1
    assert "bookings / D-1: earned_minor comes to 3501, stated is 3502." in found.stdout
    assert run(str(alone), str(tmp_path / "none.json")).returncode == 1
    assert run(str(alone)).returncode == 1


def test_as_a_module_it_imports_neither_django_nor_numpy_nor_duckdb(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(bundle_bytes(build_bundle(statement())))
    root = Path(verify.__file__).parents[3]
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r}); before = set(sys.modules)\n"
        "from salesops.commissions.rules import verify\n"
        f"code = verify.main([{str(good)!r}])\n"
        "own = {name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "print(sorted(own), code)"
    )
    found = run("-c", program)
    assert found.stdout == "agrees\n['salesops'] 0\n", found.stderr


# --- The second calculation as an oracle --------------------------------------------------------------------------


def random_words(chance: random.Random) -> dict[str, Any]:
    """Plan words of any shape, with bounds as amounts or shares of quota."""
    by_share = chance.random() < 0.6
    count = chance.randint(2, 4)
    bounds = sorted(chance.sample(range(0, 200, 5), count))
    if chance.random() < 0.6:
        bounds[0] = 0
    ats = [
        f"{bound}%" if by_share else f"{bound * 37}.{chance.randint(0, 99):02d}" if bound else "0" for bound in bounds
    ]
    rates = [chance.choice(["0", "3%", "0.085", "12.5%", "1x", "1.25x", "personal", "2x personal"]) for _at in ats]
    pays = [chance.choice(["0", "250.00", "17.77", "50%", "100%", "133.3%"]) for _at in ats]
    kind = chance.choice(["flat", "marginal", "retroactive", "steps", "points"])
    words: dict[str, Any] = {"shape": kind}
    if kind == "flat":
        words["rate"] = rates[0]
    elif kind == "points":
        words["points"] = [{"at": at, "pays": pay} for at, pay in zip(ats, pays, strict=True)]
        words["after"] = chance.choice(["flat", "continue"])
    elif kind == "steps":
        words["steps"] = [{"from": at, "pays": pay} for at, pay in zip(ats, pays, strict=True)]
    else:
        words["tiers"] = [{"from": at, "rate": rate} for at, rate in zip(ats, rates, strict=True)]
    if chance.random() < 0.3:
        at = chance.choice(["40%", "1500.00", "0", "0%"])
        words["gate"] = {"at": at, "then": chance.choice(["all", "above"])}
    if chance.random() < 0.3:
        words["cap"] = chance.choice(["200%", "310.01", "75%"])
    if chance.random() < 0.3:
        words["floor"] = chance.choice(["5%", "12.34", "0"])
    return words


def test_the_second_calculation_agrees_on_ten_thousand_plans_and_histories() -> None:
    chance = random.Random(20260302)
    curves: dict[tuple[int, int, int], Curve] = {}
    rows: list[tuple[int, int, int, int]] = []
    expected: list[tuple[int, int]] = []
    while len(curves) < 10_000:
        number = len(curves) + 1
        words, boundary = random_words(chance), chance.choice(list(Boundary))
        zero_quota = chance.choice(list(ZeroQuota))
        quota = 0 if chance.random() < 0.1 else chance.randint(100_00, 9_000_00)
        target, rate = chance.randint(0, 900_00), Fraction(chance.randint(0, 400), 1000)
        facts = PersonFacts("USD", Measure.MONEY, quota, target, rate)
        curve = curve_of(shape_from_plain(words).unwrap(), facts, boundary, zero_quota)
        terms = {"quota": quota, "target_minor": target, "personal_rate": str(rate)}
        second = verify.Words(words, boundary is Boundary.LOWER, zero_quota.value, terms, 100, 100)
        if curve.value is None:
            assert [problem.code for problem in curve.problems] == ["quota-zero"]
            with pytest.raises(verify.BundleError, match="holds the pay"):
                second.worth(Fraction(1))
            continue
        curves[number, 1, 1] = curve.value
        total = 0
        for key in range(chance.randint(1, 4)):
            bound = int(chance.choice(curve.value.segments).start)
            amount = chance.choice([chance.randint(-2_000_00, 9_000_00), bound - total, bound - total + 1])
            before, total = total, total + amount
            rows.append((number, START.toordinal() + key // 2, key, amount))
            expected.append(
                (verify._half_up(second.worth(Fraction(before))), verify._half_up(second.worth(Fraction(total))))
            )
    columns = [np.array([row[index] for row in rows], dtype=np.int64) for index in range(4)]
    ones = np.ones(len(rows), dtype=np.int64)
    earned = calculate(CreditColumns(columns[0], ones, ones, columns[1], columns[2], columns[3]), curves)
    found = list(zip(earned.pay_before.tolist(), earned.pay_after.tolist(), strict=True))
    assert found == expected
    assert earned.amount.tolist() == [after - before for before, after in expected]
    assert len(rows) > 20_000
