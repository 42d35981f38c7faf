"""Payroll files: the columns as asked for, plain amounts, text that is no formula, and pay below zero held back."""

import csv
import io
from datetime import date

import pytest

from salesops.commissions.rules.payroll import (
    GENERIC_COLUMNS,
    GUSTO_COLUMNS,
    PayrollRow,
    generic_file,
    gusto_file,
    text_cell,
)

MICHAEL = PayrollRow(
    "G-275",
    "Blythe",
    "Michael",
    12_345_67,
    "USD",
    title="Sales Representative",
    email="michael9@example.com",
    period_start=date(2017, 7, 1),
    period_end=date(2017, 9, 30),
    reference="2017Q3-275",
    note="Commission 2017Q3",
)
LINDA = PayrollRow("G-276", "Mitchell", "Linda", 0, "USD")


def test_gusto_has_exactly_its_columns_and_plain_dollars() -> None:
    made = gusto_file([LINDA, MICHAEL])
    assert made.content.decode() == (
        "last_name,first_name,title,gusto_employee_id,regular_hours,overtime_hours,double_overtime_hours,"
        "missed_break_hours,owners_draw,bonus,commission,paycheck_tips,cash_tips,correction_payment,reimbursement,"
        "personal_note\r\n"
        "Blythe,Michael,Sales Representative,G-275,,,,,,,12345.67,,,,,Commission 2017Q3\r\n"
        "Mitchell,Linda,,G-276,,,,,,,0.00,,,,,\r\n"
    )
    assert made.total_minor == 12_345_67
    assert made.rows == (MICHAEL, LINDA)
    assert made.problems == ()


def test_generic_has_what_any_program_needs() -> None:
    assert generic_file([MICHAEL]).content.decode() == (
        "employee_id,email,name,pay_code,period_start,period_end,amount,currency,reference\r\n"
        "G-275,michael9@example.com,Michael Blythe,COMMISSION,2017-07-01,2017-09-30,12345.67,USD,2017Q3-275\r\n"
    )
    yen = PayrollRow("7", "Sato", "Yui", 1500, "JPY")
    assert b",1500,JPY," in generic_file([yen]).content


def test_the_same_rows_in_another_order_are_the_same_bytes() -> None:
    assert gusto_file([LINDA, MICHAEL]).content == gusto_file([MICHAEL, LINDA]).content


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "  =1+1",
        "\u00a0=1+1",
        "\u3000=1+1",
        "\ufeff=1+1",
        "\u200b=1+1",
        "\x00=1+1",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A1",
        "\ufe66 1",
        "\u22121",
    ],
)
def test_text_never_begins_a_formula(text: str) -> None:
    cell = text_cell(text)
    assert cell.startswith("'")
    assert not set(cell) & set("\t\r\n\x00")


@pytest.mark.parametrize("text", ["", "Ó Briain", "Anne-Marie", "a=b", "李", "D'Arcy", "3M", " x", "#1"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert text_cell(text) == text


def test_names_with_separators_stay_in_their_cell() -> None:
    odd = PayrollRow('=cmd|"/c calc"!A1', 'Smith, "Jr"\r\n=2', "+Ann", 100, "USD", note="a;b,c")
    rows = list(csv.reader(io.StringIO(gusto_file([odd]).content.decode(), newline="")))
    assert len(rows) == 2
    cells = dict(zip(GUSTO_COLUMNS, rows[1], strict=True))
    assert cells["gusto_employee_id"] == '\'=cmd|"/c calc"!A1'
    assert cells["last_name"] == 'Smith, "Jr"  =2'
    assert cells["first_name"] == "'+Ann"
    assert cells["personal_note"] == "a;b,c"
    assert cells["commission"] == "1.00"


def test_pay_below_zero_is_held_and_never_written() -> None:
    owes = PayrollRow("G-290", "Vargas", "Garrett", -5_00, "USD", reference="2017Q3-290")
    made = gusto_file([owes, MICHAEL])
    assert b"Vargas" not in made.content
    assert made.total_minor == 12_345_67
    assert [(problem.code, problem.where) for problem in made.problems] == [("payroll-negative", "2017Q3-290")]
    assert made.problems[0].text() == "Garrett Vargas is held: the pay is below zero (-5.00 USD)."


def test_each_person_has_one_row_and_a_number() -> None:
    nobody = PayrollRow(" ", "Doe", "Jan", 100, "USD")
    twice = [PayrollRow("7", "Ito", "Ken", 100, "USD"), PayrollRow("7", "Ito", "Ken", 200, "USD")]
    made = generic_file([nobody, *twice, MICHAEL])
    assert [problem.code for problem in made.problems] == [
        "payroll-employee-missing",
        "payroll-employee-twice",
        "payroll-employee-twice",
    ]
    assert made.rows == (MICHAEL,)


def test_currencies_are_not_added_up() -> None:
    euros = PayrollRow("G-1", "Abel", "Eva", 100, "EUR")
    gusto = gusto_file([euros, MICHAEL])
    assert [problem.code for problem in gusto.problems] == ["payroll-currency"]
    assert gusto.rows == (MICHAEL,)
    generic = generic_file([euros, MICHAEL])
    assert [problem.code for problem in generic.problems] == ["payroll-currencies-mixed"] * 2
    assert generic.rows == ()
    assert generic.content.decode() == ",".join(GENERIC_COLUMNS) + "\r\n"
