"""Numbers as people write them: exact, in every convention, and asked about where they are ambiguous."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.connectors.rules import numbers
from salesops.connectors.rules.numbers import DecimalMark, Number, NumberColumn, NumberFinding, read, readings

POINT, COMMA = DecimalMark.POINT, DecimalMark.COMMA


def column(*values: str) -> NumberFinding:
    seen = NumberColumn()
    for line, value in enumerate(values, 2):
        seen.add(value, line)
    return seen.finding()


@pytest.mark.parametrize(
    ("written", "mark", "value", "sign"),
    [
        ("1.234,56", COMMA, "1234.56", ""),
        ("1,234.56", POINT, "1234.56", ""),
        ("1 234,56", COMMA, "1234.56", ""),
        ("1\u202f234,56", COMMA, "1234.56", ""),
        ("1\u00a0234.50", POINT, "1234.50", ""),
        ("1'234.56", POINT, "1234.56", ""),
        ("1’234’567.89", POINT, "1234567.89", ""),
        ("12,34,567.50", POINT, "1234567.50", ""),
        ("$342.09K", POINT, "342090", "$"),
        ("€ 1,5 Mio.", COMMA, "1500000", "€"),
        ("2.5bn", POINT, "2500000000", ""),
        ("3.5亿", POINT, "350000000", ""),
        ("(1,234.00)", POINT, "-1234.00", ""),
        ("($5.50)", POINT, "-5.50", "$"),
        ("-5.5", POINT, "-5.5", ""),
        ("−5,5", COMMA, "-5.5", ""),
        ("5,5-", COMMA, "-5.5", ""),
        ("-$5.5", POINT, "-5.5", "$"),
        ("$-5.5", POINT, "-5.5", "$"),
        ("€ 12,50", COMMA, "12.50", "€"),
        ("12,50 €", COMMA, "12.50", "€"),
        ("USD 1,234.56", POINT, "1234.56", "USD"),
        ("$1,234.56 USD", POINT, "1234.56", "USD"),
        ("5.5M MXN", POINT, "5500000", "MXN"),
        ("kr 12,50", COMMA, "12.50", "kr"),
        ("１２．５", POINT, "12.5", ""),
        (".5", POINT, "0.5", ""),
        ("0,125", COMMA, "0.125", ""),
        ("1234,567", COMMA, "1234.567", ""),
        ("+1.5", POINT, "1.5", ""),
    ],
)
def test_what_people_write_is_read_exactly(written: str, mark: DecimalMark, value: str, sign: str) -> None:
    assert readings(written) == {mark: Number(Decimal(value), sign)}
    assert read(written, mark).unwrap().value == Decimal(value)
    other = COMMA if mark is POINT else POINT
    assert [problem.code for problem in read(written, other).problems] == ["number-convention"]


@pytest.mark.parametrize("written", ["550", "-550", "1 234", "1'234'567", "$550", "5K", "(7)", "0"])
def test_numbers_without_a_mark_are_the_same_under_both(written: str) -> None:
    found = readings(written)
    assert found[POINT] == found[COMMA]
    assert read(written, None).is_ok


@pytest.mark.parametrize(("written", "one", "other"), [("1.234", "1.234", "1234"), ("12,345", "12345", "12.345")])
def test_thousands_or_decimals_is_never_guessed(written: str, one: str, other: str) -> None:
    assert readings(written) == {POINT: Number(Decimal(one)), COMMA: Number(Decimal(other))}
    (problem,) = read(written, None).problems
    assert problem.code == "number-ambiguous"
    assert problem.text() == f"“{written}” can mean {one} or {other}."


@pytest.mark.parametrize(
    "written",
    [
        "",
        "abc",
        "1,23,4",
        "12 34",
        "1.",
        "5²",
        "½",
        "--5",
        "-(5)",
        "(5",
        "%5",
        "$5€",
        "XYZ 5",
        "1_000",
        "5 5%",
        "1:30",
        "$5%",
        "nan",
        "inf",
        "0x1F",
        "1,2345.6",
        "01,234.5",
        "1.234.56",
        "9" * 50,
        "5" * 65,
    ],
)
def test_what_is_no_number_is_none(written: str) -> None:
    assert readings(written) == {}
    assert [problem.code for problem in read(written, POINT).problems] == ["number-unreadable"]


@pytest.mark.parametrize("written", ["1e5", "1.23E+11", "-4,5e-3"])
def test_scientific_notation_is_refused_because_digits_may_be_lost(written: str) -> None:
    assert [problem.code for problem in read(written, POINT).problems] == ["number-scientific"]


def test_percent_is_marked() -> None:
    assert readings("12.5%") == {POINT: Number(Decimal("12.5"), "", True)}
    assert read("12,5 %", COMMA).unwrap() == Number(Decimal("12.5"), "", True)


def test_real_numbers_need_no_convention() -> None:
    assert read(Decimal("1054.1"), COMMA).unwrap().value == Decimal("1054.1")
    assert read(Decimal("1.234"), None).unwrap().value == Decimal("1.234")


class TestColumns:
    def test_one_clear_value_settles_the_column_and_is_the_evidence(self) -> None:
        found = column("1.234", "5.678", "12,5", "7")
        assert found.mark is COMMA
        assert not found.must_ask
        assert found.decisive[COMMA] == ((4, "12,5"),)
        assert found.ambiguous_count == 2
        assert column("1.234", "5.678", "12.5").mark is POINT

    def test_only_ambiguous_values_must_be_asked_about(self) -> None:
        found = column("1.234", "5.678", "7")
        assert found.mark is None
        assert found.must_ask
        assert found.ambiguous == ((2, "1.234"), (3, "5.678"))

    def test_plain_numbers_need_no_question(self) -> None:
        assert not column("550", "4821", "1054").must_ask

    def test_values_that_contradict_each_other_must_be_asked_about(self) -> None:
        found = column("12.5", "12,5", "13.5")
        assert found.is_mixed
        assert found.must_ask
        assert found.decisive_count == {POINT: 2, COMMA: 1}

    def test_signs_percent_and_fractions_are_noted_with_their_lines(self) -> None:
        found = column("$5", "€6", "$7", "12%", "0.012", "x")
        assert found.signs == {"$": (2, "$5"), "€": (3, "€6")}
        assert found.percent_count == 1
        assert found.above_one == (2, "$5")
        assert found.fraction == (6, "0.012")
        assert (found.unreadable_count, found.unreadable) == (1, ((7, "x"),))
        assert (found.most_decimals, found.most_decimals_at) == (3, (6, "0.012"))


def grouped(whole: int, group: str) -> str:
    return f"{whole:,}".replace(",", group)


@given(
    st.integers(-(10**15), 10**15),
    st.text("0123456789", min_size=1, max_size=6),
    st.sampled_from([(POINT, ".", ","), (COMMA, ",", "."), (POINT, ".", "'"), (COMMA, ",", " "), (POINT, ".", "")]),
)
def test_every_number_comes_back_from_every_convention(
    whole: int, rest: str, style: tuple[DecimalMark, str, str]
) -> None:
    mark, decimal, group = style
    value = Decimal(f"{whole}.{rest}")
    written = f"{grouped(whole, group)}{decimal}{rest}"
    assert read(written, mark).unwrap().value == value
    assert read(f"€ {written}", mark).unwrap() == Number(value, "€")


@given(st.text("0123456789.-", max_size=14))
def test_the_quick_way_reads_like_the_thorough_one(text: str) -> None:
    if numbers._PLAIN_NUMBER.fullmatch(text):
        assert readings(text) == numbers._written_readings(text)


@given(st.text(max_size=80))
@settings(max_examples=300)
def test_no_text_raises(text: str) -> None:
    seen = NumberColumn()
    seen.add(text, 1)
    seen.finding()
    for mark in (POINT, COMMA, None):
        assert read(text, mark).problems or read(text, mark).unwrap().value.is_finite()


@pytest.mark.parametrize("piece", ["1", "1,", " ", "1 ", "$", "'", "(", "9.", "-", "1.1,"])
def test_long_input_costs_no_time(piece: str) -> None:
    began = time.process_time()
    for length in (10, 60, 50_000):
        readings(piece * length)
        readings((piece * length)[:64] + "x")
    assert time.process_time() - began < 0.2
