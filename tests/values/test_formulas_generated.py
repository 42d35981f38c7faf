"""Formulas made at random: SQL and row by row give the same; and no text whatever gets more than a list of problems."""

import time
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from salesops.values.formulas import (
    MOST_CHARACTERS,
    USAGES,
    Field,
    Formula,
    Kind,
    SqlNumber,
    check,
    tokens,
)
from salesops.values.formulas.rows import folded
from salesops.values.money import round_half_up

FIELDS = {
    field.name: field
    for field in (
        Field("amount", Kind.MONEY, "Amount"),
        Field("quota", Kind.MONEY, "Quota"),
        Field("seats", Kind.NUMBER, "Seats"),
        Field("hours", Kind.NUMBER, "Hours", decimals=3),
        Field("segment", Kind.TEXT, "Segment"),
        Field("region", Kind.TEXT, "Region"),
        Field("closed_on", Kind.DATE, "Closed on"),
        Field("starts_on", Kind.DATE, "Starts on"),
        Field("is_new", Kind.BOOLEAN, "New business"),
    )
}
TYPES = {Kind.MONEY: "BIGINT", Kind.NUMBER: "BIGINT", Kind.TEXT: "VARCHAR", Kind.DATE: "DATE", Kind.BOOLEAN: "BOOLEAN"}
COLUMNS = {name: f"t.{name}_column" for name in FIELDS}
NAMES = [f"{name}_column" for name in FIELDS] + ["decimals"]
CASTS = [f"CAST(? AS {TYPES[field.kind]})" for field in FIELDS.values()] + ["CAST(? AS INTEGER)"]
Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def calculator() -> Any:
    """A DuckDB in memory."""
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        yield connection


def from_sql(calculator: Any, formula: Formula, rows: Sequence[Row], exponent: int | str | None) -> list[Any]:
    """The values DuckDB gives, and the minor units beside them where the formula is an amount."""
    table = ", ".join(f"({number}, {', '.join(CASTS)})" for number in range(len(rows)))
    values = [row[name] for row in rows for name in (*FIELDS, "decimals")]
    source = f"FROM (VALUES {table}) t(number, {', '.join(NAMES)}) ORDER BY t.number"
    column = "t.decimals" if isinstance(exponent, str) else exponent
    sql = formula.sql(COLUMNS, column)
    if not isinstance(sql, SqlNumber):
        return [row[0] for row in calculator.execute(f"SELECT {sql.expression} {source}", values).fetchall()]
    minor = formula.sql_minor(COLUMNS, column) if formula.kind is Kind.MONEY else "NULL"
    query = f"""SELECT {sql.numerator}, {sql.denominator}, typeof({sql.numerator}), typeof({sql.denominator}), {minor}
        {source}"""
    found = []
    for top, bottom, top_type, bottom_type, units in calculator.execute(query, values).fetchall():
        assert (top_type, bottom_type) == ("HUGEINT", "HUGEINT")
        assert bottom is None or bottom > 0
        assert bottom is not None or top is None
        found.append((None if top is None else Fraction(top, bottom), units))
    return found


def from_rows(formula: Formula, rows: Sequence[Row], exponent: int | str | None) -> list[Any]:
    """The same from the slow implementation."""
    values = [formula.evaluate(row, exponent) for row in rows]
    if not formula.kind.is_numeric:
        return values
    if formula.kind is Kind.NUMBER:
        return [(value, None) for value in values]
    minor = [formula.minor(row, exponent) for row in rows]
    for row, value, units in zip(rows, values, minor, strict=True):
        decimals = row["decimals"] if isinstance(exponent, str) else exponent
        assert units == (None if value is None else round_half_up(value * 10**decimals))  # type: ignore[operator]
    return list(zip(values, minor, strict=True))


# --- Formulas and rows --------------------------------------------------------------------------------------------

WORDS = ("enterprise", "Enterprise", "SMB", "é", "É", "straße", "STRASSE", "ΑΣ", "ας", "it's", 'a "b"', "İ", "%", "中")
DAYS = (date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 31), date(2026, 4, 1))


class Writer:
    """Writes formulas of each kind, with brackets, capitals and spellings at random."""

    def __init__(self, draw: st.DrawFn, *, is_small: bool) -> None:
        self.draw = draw
        self.is_small = is_small

    def one(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def word(self, word: str) -> str:
        return self.one(word, word.lower(), word.capitalize())

    def literal(self) -> str:
        if self.is_small:
            return self.one("0", "1", "2", "3", "8%", "0.5", "12.5 %", "-1", ".25", "7", "10")
        number = self.draw(st.integers(0, 10**15 - 1))
        decimals = self.one("", "", ".5", ".000000000001", ".125", ".99")
        return f"{number}{decimals}{self.one('', '', '%')}"

    def text_literal(self) -> str:
        return '"' + self.one(*WORDS).replace('"', '""') + '"'

    def day_literal(self) -> str:
        day = self.draw(st.sampled_from(DAYS))
        return self.one(f'"{day.isoformat()}"', f"DATE({day.year}, {day.month}, {day.day})")

    def number(self, depth: int) -> str:
        if depth <= 0:
            return self.one("seats", "HOURS", self.literal())
        inner = depth - 1
        match self.draw(st.integers(0, 11)):
            case 0 | 1:
                return f"({self.number(inner)} {self.one('+', '-')} {self.number(inner)})"
            case 2:
                return f"{self.number(inner)} * {self.one('', '-')}({self.number(inner)})"
            case 3 | 4:
                return f"{self.number(inner)} / ({self.number(inner)})"
            case 5:
                return f"({self.money(inner)}) / ({self.money(inner)})"
            case 6:
                return f"{self.word('ROUND')}({self.number(inner)}, {self.one('-1', '0', '1', '2', '3')})"
            case 7:
                return f"{self.one('MIN', 'max')}({self.number(inner)}, {self.number(inner)}, {self.number(0)})"
            case 8:
                return f"{self.word('ABS')}({self.number(inner)})"
            case 9:
                return f"{self.word('IF')}({self.condition(inner)}, {self.number(inner)}, {self.number(inner)})"
            case 10:
                return f"{self.one('YEAR', 'month', 'Quarter', 'DAY')}({self.day(inner)})"
            case _:
                return f"-({self.number(inner)})"

    def money(self, depth: int) -> str:
        if depth <= 0:
            return self.one("amount", "Quota")
        inner = depth - 1
        match self.draw(st.integers(0, 6)):
            case 0:
                return f"({self.money(inner)} {self.one('+', '-')} {self.money(inner)})"
            case 1:
                return f"({self.money(inner)}) * ({self.number(inner)})"
            case 2:
                return f"({self.money(inner)}) / ({self.number(inner)})"
            case 3:
                return f"ROUND({self.money(inner)}, {self.one('-2', '0', '2')})"
            case 4:
                return f"{self.one('MIN', 'MAX')}({self.money(inner)}, {self.number(inner)})"
            case 5:
                return f"IF({self.condition(inner)}, {self.money(inner)}, {self.number(0)})"
            case _:
                return self.money(0)

    def text(self, depth: int) -> str:
        if depth > 0 and self.draw(st.integers(0, 3)) == 0:
            return f"IF({self.condition(depth - 1)}, {self.text(depth - 1)}, {self.text(0)})"
        return self.one("segment", "region", "segment", self.text_literal())

    def day(self, depth: int) -> str:
        if depth > 0 and self.draw(st.integers(0, 3)) == 0:
            return f"IF({self.condition(depth - 1)}, closed_on, {self.one('starts_on', self.day_literal())})"
        return self.one("closed_on", "starts_on")

    def condition(self, depth: int) -> str:
        comparison = self.one("=", "<>", "!=", "<", "<=", ">", ">=")
        equality = self.one("=", "<>")
        choice = self.draw(st.integers(0, 13 if depth > 0 else 6))
        inner = depth - 1
        joiner = self.one("IN", "not in", "NOT IN")
        match choice:
            case 0:
                return f"{self.number(inner)} {comparison} {self.number(inner)}"
            case 1:
                return f"{self.money(inner)} {comparison} {self.one(self.money(inner), self.number(inner))}"
            case 2:
                return f"{self.text(inner)} {equality} {self.text(inner)}"
            case 3:
                return f"{self.text(inner)} {joiner} ({self.text_literal()}, {self.text_literal()})"
            case 4:
                return f"{self.day(inner)} {comparison} {self.one(self.day(inner), self.day_literal())}"
            case 5:
                return self.one("is_new", "is_new = TRUE", "is_new <> false", "TRUE", "False")
            case 6:
                return f"{self.day(inner)} {joiner} ({self.day_literal()}, {self.day_literal()})"
            case 7:
                return f"{self.number(inner)} {joiner} ({self.literal()}, -{self.literal()}, {self.literal()})"
            case 8:
                sign = self.one(" AND ", " or ", " OR ")
                return f"({self.condition(inner)}{sign}{self.condition(inner)}{sign}{self.condition(inner)})"
            case 9:
                return f"{self.one('AND', 'or', 'Or')}({self.condition(inner)}, {self.condition(inner)})"
            case 10:
                return f"{self.one('NOT', 'not')} ({self.condition(inner)})"
            case 11:
                what = self.one(self.number(inner), self.text(inner), self.day(inner), f"({self.condition(inner)})")
                return f"ISBLANK({what})"
            case 12:
                return f"CONTAINS({self.text(inner)}, {self.text(0)})"
            case _:
                return f"({self.condition(inner)}) {equality} ({self.condition(inner)})"


@st.composite
def formulas(draw: st.DrawFn, *, is_small: bool, depth: int) -> Formula:
    """A formula that is accepted."""
    writer = Writer(draw, is_small=is_small)
    wants = draw(st.sampled_from((Kind.BOOLEAN, Kind.BOOLEAN, Kind.NUMBER, Kind.MONEY)))
    write = {Kind.BOOLEAN: writer.condition, Kind.NUMBER: writer.number, Kind.MONEY: writer.money}[wants]
    outcome = check(write(depth), FIELDS, wants)
    codes = {problem.code for problem in outcome.problems}
    assert codes <= {"formula-zero", "formula-too-fine", "formula-long", "formula-many-parts"}, outcome.problems
    assume(outcome.value is not None)
    return outcome.unwrap()


@st.composite
def rows(draw: st.DrawFn, most: int) -> Row:
    """A row of values up to `most`, any of them blank."""
    wholes = st.none() | st.sampled_from((0, 0, 1, -1, 5, 250)) | st.integers(-most, most)
    texts = st.none() | st.just("") | st.sampled_from(WORDS)
    days = st.none() | st.sampled_from(DAYS) | st.dates(date(1970, 1, 1), date(2099, 12, 31))
    by_kind: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.NUMBER: wholes,
        Kind.MONEY: wholes,
        Kind.TEXT: texts,
        Kind.DATE: days,
        Kind.BOOLEAN: st.none() | st.booleans(),
    }
    row = {name: draw(by_kind[field.kind]) for name, field in FIELDS.items()}
    return {**row, "decimals": draw(st.integers(0, 4))}


EXPONENTS = st.sampled_from((0, 2, 3, 4, "decimals"))


@settings(max_examples=200, deadline=None)
@given(formulas(is_small=True, depth=2), st.lists(rows(1_000), min_size=2, max_size=6), EXPONENTS)
def test_sql_and_rows_agree(calculator: Any, formula: Formula, rows: list[Row], exponent: int | str) -> None:
    """With values of ordinary size nothing overflows, so every row must agree."""
    assert from_sql(calculator, formula, rows, exponent) == from_rows(formula, rows, exponent)


@settings(max_examples=120, deadline=None)
@given(
    formulas(is_small=False, depth=4), st.lists(rows(9 * 10**18), min_size=2, max_size=6), EXPONENTS, st.integers(0, 5)
)
def test_large_formulas_agree_or_overflow(
    calculator: Any, formula: Formula, rows: list[Row], exponent: int | str, few: int
) -> None:
    """Beyond 128 bits DuckDB refuses; a value that it does give is right."""
    try:
        found = from_sql(calculator, formula, rows, exponent)
    except (duckdb.OutOfRangeException, duckdb.ConversionException):
        rows = rows[:few]
        try:
            found = from_sql(calculator, formula, rows, exponent) if rows else []
        except (duckdb.OutOfRangeException, duckdb.ConversionException):
            return
    assert found == from_rows(formula, rows, exponent)


@settings(max_examples=200, deadline=None)
@given(formulas(is_small=True, depth=3), rows(1_000))
def test_a_row_without_a_value_says_why(formula: Formula, row: Row) -> None:
    problem = formula.missing(row, 2)
    assert (problem is not None) == (formula.evaluate(row, 2) is None)
    if problem is not None:
        assert "%(" not in problem.text() + problem.remedy_text()


def test_letters_are_folded_as_the_database_does(calculator: Any) -> None:
    """Every character there is, one by one and beside another letter."""
    query = (
        "SELECT code, lower(chr(code)), lower('Α' || chr(code)) FROM (SELECT range::INT AS code FROM range(1, 1114112))"
    )
    codes = f"{query} WHERE code NOT BETWEEN 55296 AND 57343"
    wrong = [
        hex(code)
        for code, alone, after in calculator.execute(codes).fetchall()
        if (folded(chr(code)), folded("Α" + chr(code))) != (alone, after)
    ]
    assert wrong == []


# --- Any text -----------------------------------------------------------------------------------------------------

PIECES = (
    *USAGES, "in", "true", "(", ")", ",", "+", "-", "*", "/", "=", "<>", "!=", "<", ">=", "%", '"', "'", ".", "**",
    "amount", "seats", "segment", "closed_on", "is_new", "nobody", "8%", "0", "24", "1e9", '"2026-01-31"', '"a"',
    '""', " ", "\n", "\x00", "\ud800", "“", ";", "--", "/*", "__class__", "é", "9" * 30, "NOT IN", "amount / seats",
)  # fmt: skip


def problems_or_formula(text: str) -> None:
    """Either is given, quickly, and the problems can be shown."""
    began = time.perf_counter()
    for wants in Kind:
        outcome = check(text, FIELDS, wants)
        assert (outcome.value is None) != (not outcome.problems)
        for problem in outcome.problems:
            sentence = problem.text() + problem.remedy_text()
            assert "%(" not in sentence.replace(text, "")
            sentence.encode()
    assert time.perf_counter() - began < 5
    assert "".join(token.text for token in tokens(text)) == text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    problems_or_formula(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), st.integers(1, 2_000))
def test_repetition_is_read_or_refused(pieces: list[str], times: int) -> None:
    problems_or_formula(("".join(pieces) * times)[:MOST_CHARACTERS])
    problems_or_formula((" ".join(pieces) * times)[:MOST_CHARACTERS])


@settings(max_examples=200, deadline=None)
@given(formulas(is_small=True, depth=3), st.data())
def test_a_damaged_formula_is_read_or_refused(formula: Formula, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(formula.text)))
    end = data.draw(st.integers(place, min(len(formula.text), place + 6)))
    problems_or_formula(formula.text[:place] + data.draw(st.sampled_from(PIECES)) + formula.text[end:])


@settings(max_examples=100, deadline=None)
@given(formulas(is_small=True, depth=3))
def test_brackets_and_spaces_change_nothing(formula: Formula) -> None:
    row = {"amount": 12_345, "quota": 0, "seats": 3, "hours": 1_500, "segment": "smb", "region": None,
           "closed_on": DAYS[0], "starts_on": None, "is_new": True}  # fmt: skip
    spaced = "".join(token.text if token.kind == "space" else f" {token.text}\n" for token in tokens(formula.text))
    again = check(f"((\t{spaced}))", FIELDS, formula.kind).unwrap()
    assert again.evaluate(row, 2) == formula.evaluate(row, 2)
