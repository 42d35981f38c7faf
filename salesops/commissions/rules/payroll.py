"""Payroll files from plain rows: Gusto and a generic CSV, as bytes; pay below zero is held back, never written."""

import csv
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from salesops.values.money import plain
from salesops.values.outcomes import Problem, gettext_noop

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

# Gusto pays in dollars only.
GUSTO_CURRENCY: Final = "USD"

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
