"""Payroll files from plain rows: Gusto, ADP, saved columns and a generic CSV; pay below zero is held, never written."""

import csv
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from salesops.values.money import plain
from salesops.values.outcomes import Outcome, Problem, gettext_noop

GUSTO_COLUMNS: Final = (
    "last_name",
    "first_name",
    "title",
    "gusto_employee_id",
    "regular_hours",
    "overtime_hours",
    "double_overtime_hours",
    "missed_break_hours",
    "owners_draw",
    "bonus",
    "commission",
    "paycheck_tips",
    "cash_tips",
    "correction_payment",
    "reimbursement",
    "personal_note",
)

GENERIC_COLUMNS: Final = (
    "employee_id",
    "email",
    "name",
    "pay_code",
    "period_start",
    "period_end",
    "amount",
    "currency",
    "reference",
)

ADP_WFN_COLUMNS: Final = ("Co Code", "Batch ID", "File #", "Earnings 3 Code", "Earnings 3 Amount")

ADP_RUN_FIRST_LINE: Final = "##GENERIC## V1.0"
ADP_RUN_COLUMNS: Final = (
    "IID",
    "Pay Frequency",
    "Pay Period Start Date",
    "Pay Period End Date",
    "Employee ID",
    "Earnings Code",
    "Pay Hours",
    "Dollars",
    "Separate Check",
    "Worked In Dept",
    "Rate Code",
)

# Gusto pays in dollars only, and ADP RUN calls its column so.
GUSTO_CURRENCY: Final = "USD"
ADP_RUN_CURRENCY: Final = "USD"

MOST_COLUMNS: Final = 60
MOST_HEADER: Final = 80

# What makes a spreadsheet take a cell for a formula, after full-width forms have become plain ones. The minus sign
# that is not a hyphen is here too, because some programs read it as one.
_FORMULA_STARTS: Final = frozenset("=+-@\u2212")


@dataclass(frozen=True)
class PayrollRow:
    """One person's pay for a period. `commission_minor` is in minor units of `currency`.

    employee_id: as the payroll program knows the person. period_end: the last day of the period.
    """

    employee_id: str
    last_name: str
    first_name: str
    commission_minor: int
    currency: str
    title: str = ""
    email: str = ""
    pay_code: str = "COMMISSION"
    period_start: date | None = None
    period_end: date | None = None
    reference: str = ""
    note: str = ""


@dataclass(frozen=True)
class AdpWorkforceNow:
    """As ADP Workforce Now knows the company. currency: in which it pays, since the file does not say it."""

    company_code: str
    batch_id: str
    earnings_code: str
    currency: str


@dataclass(frozen=True)
class AdpRun:
    """As ADP RUN knows the company (`iid`) and its pay."""

    iid: str
    pay_frequency: str
    earnings_code: str


class Field(StrEnum):
    """What may stand below a header of saved columns."""

    EMPLOYEE_ID = "employee_id"
    EMAIL = "email"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    NAME = "name"
    PAY_CODE = "pay_code"
    PERIOD_START = "period_start"
    PERIOD_END = "period_end"
    AMOUNT = "amount"
    CURRENCY = "currency"
    REFERENCE = "reference"
    TEXT = "text"


@dataclass(frozen=True)
class SavedColumn:
    """A header and what stands below it; `text` is the same in every row and only for that field."""

    header: str
    field: Field
    text: str = ""


@dataclass(frozen=True)
class PayrollBytes:
    """A payroll file: its bytes, the rows written, their sum in minor units, and who was held back and why."""

    content: bytes
    rows: tuple[PayrollRow, ...]
    total_minor: int
    problems: tuple[Problem, ...]


def gusto_file(rows: Sequence[PayrollRow]) -> PayrollBytes:
    """The CSV that Gusto reads: dollars with two decimals, a row a person, no total row, UTF-8 without a mark."""
    return _file(GUSTO_COLUMNS, rows, gusto_row, currency=GUSTO_CURRENCY)


def generic_file(rows: Sequence[PayrollRow]) -> PayrollBytes:
    """A CSV for any other program: employee, pay code, period, amount, currency, reference; a row a person."""
    return _file(GENERIC_COLUMNS, rows, generic_row, currency=None)


def adp_wfn_file(rows: Sequence[PayrollRow], company: AdpWorkforceNow) -> PayrollBytes:
    """The CSV that ADP Workforce Now reads; where there is nothing to pay a cell is empty, not 0."""

    def cells(row: PayrollRow) -> list[str]:
        return [
            text_cell(company.company_code),
            text_cell(company.batch_id),
            text_cell(row.employee_id),
            text_cell(company.earnings_code) if row.commission_minor else "",
            plain(row.commission_minor, row.currency) if row.commission_minor else "",
        ]

    return _file(ADP_WFN_COLUMNS, rows, cells, currency=company.currency)


def adp_wfn_name(company_code: str) -> str:
    """The name under which ADP Workforce Now looks for the file."""
    return f"PR{company_code}EPI.csv"


def adp_run_file(rows: Sequence[PayrollRow], company: AdpRun) -> PayrollBytes:
    """The CSV that ADP RUN reads: a line that says what it is, then headers and rows; days as MM/DD/YYYY."""

    def cells(row: PayrollRow) -> list[str]:
        found = {
            "IID": text_cell(company.iid),
            "Pay Frequency": text_cell(company.pay_frequency),
            "Pay Period Start Date": _american(row.period_start),
            "Pay Period End Date": _american(row.period_end),
            "Employee ID": text_cell(row.employee_id),
            "Earnings Code": text_cell(company.earnings_code),
            "Dollars": plain(row.commission_minor, row.currency),
        }
        return [found.get(column, "") for column in ADP_RUN_COLUMNS]

    return _file(ADP_RUN_COLUMNS, rows, cells, currency=ADP_RUN_CURRENCY, first_line=ADP_RUN_FIRST_LINE)


def _american(day: date | None) -> str:
    return f"{day.month:02}/{day.day:02}/{day.year:04}" if day else ""


def mapped_file(rows: Sequence[PayrollRow], columns: Sequence[SavedColumn]) -> PayrollBytes:
    """A CSV with saved columns; text is guarded, amounts and days (ISO) are plain."""

    def cells(row: PayrollRow) -> list[str]:
        found = dict(zip(_GENERIC_FIELDS, generic_row(row), strict=True)) | {
            Field.FIRST_NAME: text_cell(row.first_name),
            Field.LAST_NAME: text_cell(row.last_name),
        }
        return [text_cell(each.text) if each.field is Field.TEXT else found[each.field] for each in columns]

    return _file([text_cell(each.header) for each in columns], rows, cells, currency=None)


#: What stands in the columns of the generic file, in its order.
_GENERIC_FIELDS: Final = tuple(Field(name) for name in GENERIC_COLUMNS)


def columns_from_plain(data: object) -> Outcome[tuple[SavedColumn, ...]]:
    """Read saved columns: a list of {"header", "field"} and, for a constant, "text".

    A file needs the amount once, and the employee's number or e-mail address; a header stands once.
    """
    if not isinstance(data, list) or not 1 <= len(data) <= MOST_COLUMNS:
        return Outcome.bad(_column("columns", gettext_noop("A file has 1 to %(most)s columns."), most=MOST_COLUMNS))
    problems: list[Problem] = []
    found: list[SavedColumn] = []
    for item in data:
        header = item.get("header") if isinstance(item, dict) else None
        field = item.get("field") if isinstance(item, dict) else None
        text = item.get("text", "") if isinstance(item, dict) else None
        if not isinstance(header, str) or not header.strip() or len(header) > MOST_HEADER:
            problems.append(_column("header", gettext_noop("A header has 1 to %(most)s characters."), most=MOST_HEADER))
        elif field not in {each.value for each in Field}:
            problems.append(
                _column(
                    "field",
                    gettext_noop("“%(header)s”: “%(field)s” is no field. Fields are %(known)s."),
                    header=header,
                    field=str(field)[:40],
                    known=", ".join(each.value for each in Field),
                )
            )
        elif not isinstance(text, str) or bool(text) != (field == Field.TEXT):
            problems.append(
                _column(
                    "text",
                    gettext_noop("“%(header)s”: a constant text has a text, and nothing else has."),
                    header=header,
                )
            )
        else:
            found.append(SavedColumn(header.strip(), Field(field), text))
    headers = [each.header for each in found]
    problems.extend(
        _column("header", gettext_noop("The header “%(header)s” stands twice."), header=header)
        for header in sorted({header for header in headers if headers.count(header) > 1})
    )
    fields = [each.field for each in found]
    if not problems and fields.count(Field.AMOUNT) != 1:
        problems.append(_column("amount", gettext_noop("The amount must stand in one column.")))
    if not problems and not {Field.EMPLOYEE_ID, Field.EMAIL} & set(fields):
        problems.append(_column("employee", gettext_noop("The file must say whose pay it is: employee_id or email.")))
    return Outcome.bad(*problems) if problems else Outcome.good(tuple(found))


def _column(place: str, message: str, **params: object) -> Problem:
    pairs = tuple(sorted((name, str(value)) for name, value in params.items()))
    return Problem("payroll-columns", message, where=place, params=pairs)


def gusto_row(row: PayrollRow) -> list[str]:
    """The cells of one person in Gusto's order; text is guarded, the amount is a plain decimal."""
    cells = {
        "last_name": text_cell(row.last_name),
        "first_name": text_cell(row.first_name),
        "title": text_cell(row.title),
        "gusto_employee_id": text_cell(row.employee_id),
        "commission": plain(row.commission_minor, row.currency),
        "personal_note": text_cell(row.note),
    }
    return [cells.get(column, "") for column in GUSTO_COLUMNS]


def generic_row(row: PayrollRow) -> list[str]:
    """The cells of one person in the generic order; text is guarded, the amount is a plain decimal."""
    return [
        text_cell(row.employee_id),
        text_cell(row.email),
        text_cell(f"{row.first_name} {row.last_name}".strip()),
        text_cell(row.pay_code),
        row.period_start.isoformat() if row.period_start else "",
        row.period_end.isoformat() if row.period_end else "",
        plain(row.commission_minor, row.currency),
        row.currency,
        text_cell(row.reference),
    ]


def text_cell(text: str) -> str:
    """Text that no spreadsheet runs as a formula and no reader takes for a line end.

    Control characters become spaces. An apostrophe is put in front when the first visible character, full-width forms
    included, begins a formula. Amounts never come through here.
    """
    cleaned = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    folded = unicodedata.normalize("NFKC", cleaned)
    visible = next((character for character in folded if not _is_invisible(character)), "")
    return f"'{cleaned}" if visible in _FORMULA_STARTS and visible else cleaned


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cf", "Zs", "Zl", "Zp")


def _file(
    columns: Sequence[str],
    rows: Sequence[PayrollRow],
    cells: Callable[[PayrollRow], list[str]],
    *,
    currency: str | None,
    first_line: str = "",
) -> PayrollBytes:
    """Write the rows in a fixed order (name, then employee), so that the same rows give the same bytes."""
    problems: list[Problem] = []
    written: list[PayrollRow] = []
    seen: dict[str, int] = {}
    for row in rows:
        seen[row.employee_id] = seen.get(row.employee_id, 0) + 1
    for row in sorted(rows, key=lambda row: (row.last_name, row.first_name, row.employee_id, row.reference)):
        problem = _hold(row, currency, is_repeated=seen[row.employee_id] > 1)
        if problem:
            problems.append(problem)
        else:
            written.append(row)
    currencies = {row.currency for row in written}
    if len(currencies) > 1:
        # One sum would have no meaning; the caller writes one file for each currency.
        problems.extend(_held(row, "payroll-currencies-mixed", _MIXED, _MIXED_REMEDY) for row in written)
        written = []
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    if first_line:
        writer.writerow([first_line])
    writer.writerow(columns)
    writer.writerows(cells(row) for row in written)
    total = sum(row.commission_minor for row in written)
    return PayrollBytes(buffer.getvalue().encode(), tuple(written), total, tuple(problems))


_MIXED: Final = gettext_noop("%(name)s is held: the file would mix currencies.")
_MIXED_REMEDY: Final = gettext_noop("Make one file for each currency.")


def _hold(row: PayrollRow, currency: str | None, *, is_repeated: bool) -> Problem | None:
    """Why this row must not be written, if there is a reason."""
    if row.commission_minor < 0:
        return _held(
            row,
            "payroll-negative",
            gettext_noop("%(name)s is held: the pay is below zero (%(amount)s %(currency)s)."),
            gettext_noop("Carry the amount forward, or agree with the person on how it is paid back."),
        )
    if not row.employee_id.strip():
        return _held(
            row,
            "payroll-employee-missing",
            gettext_noop("%(name)s is held: the number in the payroll program is missing."),
            gettext_noop("Enter the person's employee number."),
        )
    if is_repeated:
        return _held(
            row,
            "payroll-employee-twice",
            gettext_noop("%(name)s is held: the employee number %(employee)s stands in several rows."),
            gettext_noop("Each person has one row; correct the employee numbers or add the pays up."),
        )
    if currency is not None and row.currency != currency:
        return _held(
            row,
            "payroll-currency",
            gettext_noop("%(name)s is held: this payroll program does not pay in %(currency)s."),
            gettext_noop("Use the generic file for other currencies."),
        )
    return None


def _held(row: PayrollRow, code: str, message: str, remedy: str) -> Problem:
    return Problem.of(
        code,
        message,
        where=row.reference or row.employee_id,
        remedy=remedy,
        name=f"{row.first_name} {row.last_name}".strip(),
        employee=row.employee_id,
        amount=plain(row.commission_minor, row.currency),
        currency=row.currency,
    )
