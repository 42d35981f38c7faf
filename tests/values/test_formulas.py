"""Formulas: every example of docs/formulas.md in both implementations, limits, places of problems, spelling of SQL."""

import ast
import re
import sys
import time
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest

from salesops.values import formulas
from salesops.values.formulas import (
    USAGES,
    Field,
    Formula,
    FormulaError,
    Kind,
    SqlNumber,
    SqlText,
    TokenKind,
    check,
    describe_fields,
    tokens,
)
from salesops.values.outcomes import Problem
from tests.architecture.test_translations import texts

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
TYPES = {Kind.MONEY: "BIGINT", Kind.NUMBER: "BIGINT", Kind.TEXT: "VARCHAR", Kind.DATE: "DATE", Kind.BOOLEAN: "BOOLEAN"}


def table(*head: str) -> list[list[str]]:
    """The rows of all tables of the page with that head, code marks taken off."""
    found: list[list[str]] = []
    is_inside = False
    for line in PAGE.splitlines():
        cells = [cell.strip().removeprefix("`").removesuffix("`") for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            is_inside = False
        elif cells == list(head):
            is_inside = True
        elif is_inside and not line.startswith("|--"):
            found.append(cells)
    return found


def value_of(kind: str, text: str) -> Any:
    """A value of the table of fields."""
    if text == "blank":
        return None
    return {"text": str, "date": date.fromisoformat, "boolean": "true".__eq__}.get(kind, int)(text)


FIELDS = {name: Field(name, Kind(kind), name.title()) for name, kind, _value in table("field", "kind", "value")}
ROW = {name: value_of(kind, value) for name, kind, value in table("field", "kind", "value")}
COLUMNS = {name: name for name in FIELDS}
EXAMPLES = table("formula", "gives")
REFUSED = table("formula", "because")


def in_sql(formula: Formula, row: dict[str, Any], exponent: int | str | None = 2) -> Any:
    """What DuckDB makes of the formula for one row."""
    columns = ", ".join(f"CAST($f_{name} AS {TYPES[field.kind]}) AS {name}" for name, field in FIELDS.items())
    values = {f"f_{name}": row[name] for name in FIELDS}
    decimals = row.get("decimals", 2)
    sql = formula.sql(COLUMNS, exponent)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE deals AS SELECT {columns}, {decimals or 'NULL'}::INT AS decimals", values)
        if isinstance(sql, SqlText):
            return connection.execute(f"SELECT {sql.expression} FROM deals").fetchone()[0]  # type: ignore[index]
        top, bottom = connection.execute(f"SELECT {sql.numerator}, {sql.denominator} FROM deals").fetchone()  # type: ignore[misc]
        return None if top is None else Fraction(top, bottom)


def formula_of(text: str) -> Formula:
    """The formula, a condition if it can be one, an amount otherwise."""
    outcome = check(text, FIELDS)
    return outcome.value or check(text, FIELDS, Kind.MONEY).unwrap()


def problem(text: str, wants: Kind = Kind.BOOLEAN) -> Problem:
    """The one problem of a formula."""
    (found,) = check(text, FIELDS, wants).problems
    return found


# --- The page -----------------------------------------------------------------------------------------------------


def test_the_page_has_its_tables() -> None:
    assert len(FIELDS) == 12
    assert len(EXAMPLES) > 40
    assert len(REFUSED) > 15


@pytest.mark.parametrize(("text", "gives"), EXAMPLES, ids=[text for text, _gives in EXAMPLES])
def test_examples_of_the_page(text: str, gives: str) -> None:
    formula = formula_of(text)
    expected = {"true": True, "false": False, "nothing": None}.get(gives)
    if gives not in ("true", "false", "nothing"):
        expected = Fraction(gives)  # type: ignore[assignment]
    assert formula.evaluate(ROW, 2) == expected
    assert in_sql(formula, ROW) == expected
    assert (formula.missing(ROW, 2) is None) == (expected is not None)


@pytest.mark.parametrize(("text", "because"), REFUSED, ids=[text for text, _because in REFUSED])
def test_refusals_of_the_page(text: str, because: str) -> None:
    assert problem(text).text() == because


def test_the_page_names_every_function() -> None:
    named = set(re.findall(r"[A-Z]{2,}", PAGE))
    assert set(USAGES) - named == set()


# --- Problems -----------------------------------------------------------------------------------------------------


def test_a_problem_says_where_and_what() -> None:
    found = dict(problem('seats > 1 AND  segmnt = "smb"').params)
    assert (found["position"], found["length"], found["word"]) == ("16", "6", "segmnt")
    assert found["nearest"] == "segment"
    assert found["fields"] == ", ".join(FIELDS)


def test_all_unknown_fields_are_named_once_and_in_order() -> None:
    found = check("second = 1 OR first = 2 OR second = 3 OR amount = TRUE", FIELDS).problems
    assert [dict(each.params)["word"] for each in found] == ["second", "first", "amount = TRUE"]


def test_reasons_end_somewhere() -> None:
    text = " OR ".join(f"nobody{number} = 1" for number in range(60))
    assert len(check(text, FIELDS).problems) == 10


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "formula-empty"),
        (" \n\t", "formula-empty"),
        ("seats >", "formula-ends"),
        ("(seats > 1", "formula-ends"),
        ("seats > 1)", "formula-unexpected"),
        ('segment = "smb', "formula-text-open"),
        ('segment = "a\nb"', "formula-text-control"),
        ('segment = "a\x00b"', "formula-text-control"),
        ("segment = “smb”", "formula-sign"),
        ("seats; 1", "formula-sign"),
        ("\ud800 = 1", "formula-sign"),
        ("IF(is_new, 1)", "formula-arguments"),
        ("AND()", "formula-arguments"),
        ("seats IN ()", "formula-value"),
        ("seats IN (free_seats)", "formula-list"),
        ("seats IN 5", "formula-unexpected"),
        ("ROUND(seats, free_seats) = 1", "formula-digits"),
        ("ROUND(seats, 1.5) = 1", "formula-digits"),
        ("ROUND(seats, 13) = 1", "formula-digits"),
        ("DATE(2026, 2, 29) = closed_on", "formula-day"),
        ("DATE(2026.5, 2, 2) = closed_on", "formula-day"),
        ("DATE(seats, 2, 2) = closed_on", "formula-day"),
        ('YEAR("2026-1-1") = 2026', "formula-day"),
        ("closed_on + 1 > closed_on", "formula-kind"),
        ("IF(is_new, seats, segment) = 1", "formula-unlike"),
        ('closed_on IN ("2026-01-01", 5)', "formula-unlike"),
        ("NOT seats", "formula-kind"),
        ("CONTAINS(seats, 5)", "formula-kind"),
        ("seats = 8 8", "formula-unexpected"),
        ("+ segment = segment", "formula-kind"),
        ("amount.__class__", "formula-sign"),
        ("__import__(1)", "formula-function"),
        ("seats % 2 = 0", "formula-sign"),
        ("1234567890123456 > 1", "formula-number"),
        ("0.1234567890123 > 1", "formula-number"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    outcome = check(text, FIELDS)
    assert code in [found.code for found in outcome.problems]
    assert outcome.value is None


def test_what_is_wanted_must_come_out() -> None:
    assert check("amount", FIELDS, Kind.MONEY).is_ok
    assert check("1000", FIELDS, Kind.MONEY).is_ok
    assert problem("amount", Kind.NUMBER).code == "formula-kind"
    assert check("amount / quota", FIELDS, Kind.NUMBER).is_ok
    assert problem("is_new", Kind.MONEY).code == "formula-kind"
    assert check("segment", FIELDS, Kind.TEXT).unwrap().evaluate(ROW) == "Enterprise"
    assert check("closed_on", FIELDS, Kind.DATE).unwrap().evaluate(ROW) == date(2026, 5, 31)


# --- Limits -------------------------------------------------------------------------------------------------------


def test_limits_are_exact() -> None:
    assert check("(" * 39 + "seats > 1" + ")" * 39, FIELDS).problems[0].code == "formula-deep"
    assert check("(" * 38 + "seats > 1" + ")" * 38, FIELDS).is_ok
    # A tree also grows to the left, without any bracket being open for long.
    assert problem("(" * 25 + "seats" + " * 2 + 1)" * 25 + " > 1").code == "formula-deep"
    assert check("1" + "+1" * 197 + " > 0", FIELDS).is_ok
    assert problem("1" + "+1" * 398 + " > 0").code == "formula-many-parts"
    assert check("seats > 1".ljust(2_000), FIELDS).is_ok
    assert problem("seats > 1".ljust(2_001)).code == "formula-long"
    assert check(f"seats < {'9' * 15}.{'9' * 12}", FIELDS).is_ok


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**6,
        "(" * 2_000,
        "-" * 1_999 + "1",
        "NOT " * 499 + "TRUE",
        "AND(" * 500,
        "IF(TRUE," * 250,
        '"' * 1_999,
        "1" * 2_000,
        "x" * 2_000,
        "1<" * 1_000,
        "a or " * 400,
        "é" * 2_000,
        "MIN(" * 38 + "1",
        "+".join(["(1" * 30]),
    ],
    ids=lambda text: text[:12],
)
def test_nothing_recurses_deeply_or_takes_long(text: str) -> None:
    """In a stack that is nearly used up already, as under a server, and within a second."""
    frame, used = sys._getframe(), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        used += 1
    before = sys.getrecursionlimit()
    began = time.perf_counter()
    try:
        sys.setrecursionlimit(used + 200)
        assert check(text, FIELDS).problems
    finally:
        sys.setrecursionlimit(before)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("head", "middle", "tail", "end", "times"),
    [
        ("(", "seats", " + 1) * 2", " > 0", 18),
        ("IF(seats / (1 + term_months) > 1, 1, ", "1", ")", " = 1", 18),
        ("NOT (seats > 1 AND ", "is_new", ")", "", 12),
        ("MAX(1, seats / term_months, ", "2", ")", " > 1", 25),
        ("ROUND(1 / ", "seats", " + 1, 2)", " > 1", 10),
    ],
)
def test_sql_grows_with_the_formula_only(head: str, middle: str, tail: str, end: str, times: int) -> None:
    """As deep as is allowed, the SQL stays of a size that DuckDB reads, and agrees."""

    def nested(times: int) -> tuple[Formula, str]:
        formula = check(head * times + middle + tail * times + end, FIELDS).unwrap()
        sql = formula.sql(COLUMNS, 2)
        assert isinstance(sql, SqlText)
        return formula, sql.expression

    # First a step whose powers would still fit into memory.
    assert len(nested(8)[1]) < 6 * len(nested(4)[1])
    formula, expression = nested(times)
    assert len(expression) < 200_000
    assert in_sql(formula, ROW) is formula.evaluate(ROW, 2)


def test_numbers_too_fine_for_the_database_are_refused() -> None:
    text = "seats * 0.000000000001 * 0.000000000001 * 0.000000000001 * 0.000000000001 > 1"
    assert problem(text).code == "formula-too-fine"
    assert problem("999999999999999 * 999999999999999 * 999999999999999 > seats").code == "formula-too-fine"


# --- SQL ----------------------------------------------------------------------------------------------------------


def test_sql_is_integers_only() -> None:
    for text, _gives in EXAMPLES:
        sql = formula_of(text).sql(COLUMNS, 2)
        parts = (sql.numerator, sql.denominator) if isinstance(sql, SqlNumber) else (sql.expression,)
        for part in parts:
            assert "DOUBLE" not in part
            assert "DECIMAL" not in part
            assert not re.search(r"\d\.\d|[^/]/[^/]", part)


def test_texts_cannot_leave_their_quotes() -> None:
    for text in ("it's", "'; DROP TABLE deals; --", "\\'", "a''b", "$1", "%s", "{0}", "/*"):
        quoted = text.replace('"', '""')
        formula = check(f'segment = "{quoted}" OR CONTAINS(product, "{quoted}")', FIELDS).unwrap()
        assert in_sql(formula, {**ROW, "segment": text.upper()}) is True
        assert in_sql(formula, ROW) is False


def test_columns_are_plain_names() -> None:
    formula = check("seats > 1", FIELDS).unwrap()
    assert '"t"."seats"' in formula.sql({"seats": "t.seats"}).expression  # type: ignore[union-attr]
    for column in ('seats" OR 1', "seats; DROP", "", "1seats", "a.b.c", "seats ", "sëats"):
        with pytest.raises(FormulaError):
            formula.sql({"seats": column})
    with pytest.raises(FormulaError):
        formula.sql({})


def test_leaving_128_bits_is_an_error() -> None:
    formula = check("seats * seats * seats", FIELDS, Kind.NUMBER).unwrap()
    large = {**ROW, "seats": 9 * 10**18}
    assert formula.evaluate(large) == Fraction((9 * 10**18) ** 3)
    with pytest.raises(duckdb.OutOfRangeException):
        in_sql(formula, large)


def test_money_needs_to_know_its_decimals() -> None:
    formula = check("amount > 50000", FIELDS).unwrap()
    for wrong in (None, 5, -1, True):
        with pytest.raises(FormulaError):
            formula.sql(COLUMNS, wrong)
        with pytest.raises(FormulaError):
            formula.evaluate(ROW, wrong)
    assert check("seats > 5", FIELDS).unwrap().evaluate(ROW) is True


@pytest.mark.parametrize(("decimals", "is_more"), [(0, True), (1, True), (2, False), (3, False)])
def test_the_currency_decides_what_a_number_means(decimals: int, is_more: bool) -> None:
    """1,234,567 yen are more than 50,000; 12,345.67 dollars are not."""
    formula = check("amount > 50000", FIELDS).unwrap()
    row = {**ROW, "decimals": decimals}
    assert formula.evaluate(row, decimals) is formula.evaluate(row, "decimals") is is_more
    if decimals:
        assert in_sql(formula, row, decimals) is in_sql(formula, row, "decimals") is is_more


def test_a_row_without_a_currency_is_an_error_and_not_false() -> None:
    formula = check("amount > 50000", FIELDS).unwrap()
    with pytest.raises(FormulaError):
        formula.evaluate({**ROW, "decimals": None}, "decimals")
    with pytest.raises(duckdb.Error, match="decimals of a currency"):
        in_sql(formula, {**ROW, "decimals": None}, "decimals")
    assert in_sql(formula, {**ROW, "amount": None, "decimals": None}, "decimals") is False


def test_minor_units_are_rounded_once_away_from_zero() -> None:
    formula = check("amount * 12.5%", FIELDS, Kind.MONEY).unwrap()
    for amount, expected in ((4, 1), (-4, -1), (3, 0), (12, 2), (-12, -2), (None, None)):
        row = {**ROW, "amount": amount}
        with duckdb.connect(":memory:") as connection:
            query = f"SELECT {formula.sql_minor({'amount': 'amount'}, 2)} FROM (SELECT ?::BIGINT AS amount)"
            assert connection.execute(query, [amount]).fetchone() == (expected,)
        assert formula.minor(row, 2) == expected
    with pytest.raises(FormulaError):
        check("is_new", FIELDS).unwrap().sql_minor(COLUMNS, 2)


# --- Rows ---------------------------------------------------------------------------------------------------------


def test_a_row_without_a_value_says_which_divisor_or_field() -> None:
    zero = check("amount / free_seats > 100", FIELDS).unwrap().missing(ROW, 2)
    assert zero is not None
    assert zero.text() == "The formula divides by free_seats at character 10, which is zero here."
    blank = check("amount - discount", FIELDS, Kind.MONEY).unwrap().missing(ROW, 2)
    assert blank is not None
    assert blank.text() == "The formula gives no value, because these fields are blank: discount."


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("seats > 1", {}),
        ("seats > 1", {"seats": 1.5}),
        ("seats > 1", {"seats": True}),
        ("seats > 1", {"seats": "2"}),
        ('segment = "a"', {"segment": 5}),
        ("is_new", {"is_new": 1}),
        ("closed_on > DATE(2026, 1, 1)", {"closed_on": datetime(2026, 1, 1)}),  # noqa: DTZ001
        ("closed_on > DATE(2026, 1, 1)", {"closed_on": "2026-01-01"}),
    ],
)
def test_values_of_another_kind_are_not_taken(text: str, row: dict[str, Any]) -> None:
    with pytest.raises(FormulaError):
        check(text, FIELDS).unwrap().evaluate(row)


def test_numbers_may_carry_decimals() -> None:
    fields = {"hours": Field("hours", Kind.NUMBER, "Hours", decimals=2)}
    assert check("hours = 2.5", fields).unwrap().evaluate({"hours": 250}) is True


def test_a_formula_remembers_what_it_uses() -> None:
    formula = check("SEATS > 1 and Amount > 2", FIELDS).unwrap()
    assert formula.fields == ("amount", "seats")
    assert formula.text == "SEATS > 1 and Amount > 2"
    assert formula.kind is Kind.BOOLEAN
    assert formula == check("SEATS > 1 and Amount > 2", FIELDS).unwrap()
    assert hash(formula) == hash(check("SEATS > 1 and Amount > 2", FIELDS).unwrap())


def test_fields_must_have_names_that_can_be_written() -> None:
    for name in ("", "Amount", "a b", "and", "in", "true", "1a", "a-b", "größe", "a" * 61):
        with pytest.raises(FormulaError):
            Field(name, Kind.NUMBER, "?")
    with pytest.raises(FormulaError):
        Field("amount", Kind.MONEY, "Amount", decimals=2)
    # The name of a function is a field where no bracket follows.
    assert check("year > 2025", {"year": Field("year", Kind.NUMBER, "Year")}).unwrap().evaluate({"year": 2026}) is True


# --- The page of a formula ----------------------------------------------------------------------------------------


def test_words_are_told_apart() -> None:
    found = [(token.kind, token.text) for token in tokens('if(year >= 8%, "a""b", ?') if token.kind != "space"]
    assert found == [
        (TokenKind.FUNCTION, "if"),
        (TokenKind.BRACKET, "("),
        (TokenKind.FIELD, "year"),
        (TokenKind.OPERATOR, ">="),
        (TokenKind.NUMBER, "8%"),
        (TokenKind.BRACKET, ","),
        (TokenKind.TEXT, '"a""b"'),
        (TokenKind.BRACKET, ","),
        (TokenKind.UNKNOWN, "?"),
    ]


def test_words_cover_a_text_of_any_length() -> None:
    text = "seats > 1 AND " * 100_000
    found = tokens(text)
    assert "".join(token.text for token in found) == text
    assert len(found) < 2_000


def test_the_list_of_fields() -> None:
    found = describe_fields(FIELDS)
    assert [each.name for each in found] == list(FIELDS)
    assert (found[0].label, found[0].kind, found[0].example) == ("Amount", "an amount of money", "amount > 50000")
    for each in found:
        assert check(each.example, FIELDS).is_ok, each


@pytest.mark.parametrize("language", ["zh_Hans", "zh_Hant"])
def test_every_sentence_is_in_the_catalogue(language: str) -> None:
    """Of the sentences marked in the package."""
    known = texts(language)
    marked = [
        call.args[0].value
        for path in Path(formulas.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "gettext_noop"
        if isinstance(call.args[0], ast.Constant)
    ]
    assert len(marked) > 60
    assert [sentence for sentence in marked if sentence not in known] == []
