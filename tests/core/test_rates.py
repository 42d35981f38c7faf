"""Exchange rates: what a central bank's table becomes, what is left out, which rate wins."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.core.fields import ExactDecimalField
from salesops.core.models import ExchangeRate
from salesops.core.rates import RatesImported, import_rates, rate_table
from tests.cast import NOW

MONDAY, TUESDAY = date(2026, 6, 15), date(2026, 6, 16)
TABLE = b"Date,USD,JPY,XAU,,CHF\n2026-06-16,1.0842,169.50,1,x,0.9512\n2026-06-15,1.08,N/A,1,,\n"


def take(content: bytes, **more: Any) -> RatesImported:
    return import_rates(actor=system_actor(), content=content, name="ecb.csv", at=NOW, **more)


def kept() -> list[tuple[str, str, str, str]]:
    return [
        (str(row.on), f"{row.base}/{row.quote}", str(row.rate), row.source)
        for row in ExchangeRate.objects.order_by("on", "quote", "source")
    ]


def test_a_wide_table_becomes_rates(db: None) -> None:
    result = take(TABLE)
    assert kept() == [
        ("2026-06-15", "EUR/USD", "1.08", "ecb"),
        ("2026-06-16", "EUR/CHF", "0.9512", "ecb"),
        ("2026-06-16", "EUR/JPY", "169.5", "ecb"),
        ("2026-06-16", "EUR/USD", "1.0842", "ecb"),
    ]
    assert (result.added, result.replaced, result.unchanged, result.first_on, result.last_on) == (
        4,
        0,
        0,
        MONDAY,
        TUESDAY,
    )
    assert [(problem.code, problem.where) for problem in result.problems] == [("no-currency", "XAU")]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.after["added"], entry.after["file"]) == ("rate.imported", 4, "ecb.csv")
    assert len(entry.after["sha256"]) == 64


def test_the_daily_form_of_the_bank_is_read_too(db: None) -> None:
    take(b"\xef\xbb\xbfDate, USD, JPY, \r\n16 June 2026, 1.0842, 169.50, \r\n")
    assert kept() == [("2026-06-16", "EUR/JPY", "169.5", "ecb"), ("2026-06-16", "EUR/USD", "1.0842", "ecb")]


def test_the_same_file_twice_changes_nothing(db: None) -> None:
    take(TABLE)
    before = kept()
    again = take(TABLE)
    assert (again.added, again.replaced, again.unchanged) == (0, 0, 4)
    assert kept() == before
    assert AuditEntry.objects.count() == 1


def test_another_value_is_a_problem_unless_it_is_to_replace(db: None) -> None:
    take(TABLE)
    other = b"Date,USD\n2026-06-16,1.0843\n2026-06-15,1.08\n"
    left = take(other)
    assert (left.added, left.replaced, left.unchanged) == (0, 0, 2)
    assert [(problem.code, problem.where) for problem in left.problems] == [("rate-differs", "USD 2026-06-16")]
    assert ("2026-06-16", "EUR/USD", "1.0842", "ecb") in kept()
    done = take(other, replace=True)
    assert (done.replaced, done.unchanged) == (1, 1)
    assert ("2026-06-16", "EUR/USD", "1.0843", "ecb") in kept()
    entry = AuditEntry.objects.order_by("-sequence")[0]
    assert entry.before == {"USD 2026-06-16": "1.0842"}
    assert entry.after["USD 2026-06-16"] == "1.0843"


@pytest.mark.parametrize("cell", ["0", "-1", "abc", "1e5", "NaN", "1,5", "Infinity", "9" * 30])
def test_a_cell_that_is_no_rate_is_left_out_and_named(db: None, cell: str) -> None:
    result = take(f'Date,USD,JPY\n2026-06-16,"{cell}",169.5\n'.encode())
    assert kept() == [("2026-06-16", "EUR/JPY", "169.5", "ecb")]
    assert [problem.code for problem in result.problems] == ["no-rate"]


def test_lines_without_a_day_and_days_that_stand_twice(db: None) -> None:
    result = take(b"Date,USD\nyesterday,1\n2026-06-16,1.08\n2026-06-16,1.09\n\n2026-06-15\n")
    assert kept() == [("2026-06-16", "EUR/USD", "1.08", "ecb")]
    assert [problem.code for problem in result.problems] == ["no-day", "rate-twice"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has to name the columns"),
        (b"USD,JPY\n1,2\n", "has to name the columns"),
        (b"Date\n", "has to name the columns"),
        ("Date,USD\n".encode("utf-16"), "not text in UTF-8"),
        (b"Date,USD\n\x00\n", "not text in UTF-8"),
        (b'Date,USD\n2026-06-16,"' + b"1" * 200_000, "not a table"),
    ],
)
def test_what_is_no_table_is_refused_whole(db: None, content: bytes, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        take(content)
    assert kept() == []
    assert AuditEntry.objects.count() == 0


def test_a_rate_by_hand_wins_over_a_published_one(db: None) -> None:
    take(TABLE)
    ExchangeRate.objects.create(on=TUESDAY, base="EUR", quote="USD", rate=Decimal("1.1"))
    table = rate_table(start=TUESDAY, end=date(2026, 6, 17))
    assert table.rate_on("EUR", "USD", TUESDAY).value.value == Fraction("1.1")
    assert table.rate_on("EUR", "USD", MONDAY).value.value == Fraction("1.08")
    assert table.rate_on("CHF", "JPY", TUESDAY).value.value == Fraction("169.5") / Fraction("0.9512")


@pytest.mark.parametrize(
    "values",
    [
        {"base": "EUR", "quote": "EUR", "rate": "1"},
        {"base": "EUR", "quote": "USD", "rate": "0"},
        {"base": "EUR", "quote": "USD", "rate": "-1.5"},
        {"base": "EUR", "quote": "USD", "rate": "", "source": "x"},
    ],
)
def test_the_database_refuses_what_is_no_rate(db: None, values: dict[str, str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ExchangeRate.objects.create(on=TUESDAY, **values)


def test_the_database_keeps_one_rate_a_day_and_source(db: None) -> None:
    take(TABLE)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExchangeRate.objects.create(on=TUESDAY, base="EUR", quote="USD", rate="2", source="ecb")


def test_a_rate_is_checked_before_it_is_saved() -> None:
    rate = ExchangeRate(on=TUESDAY, base="EUR", quote="XAU", rate=Decimal(1))
    with pytest.raises(ValidationError, match="not a currency code"):
        rate.clean_fields()
    rate.quote, rate.rate = "USD", Decimal("1." + "0" * 45 + "1")
    with pytest.raises(ValidationError, match="too many digits"):
        rate.clean_fields()
    rate.rate = Decimal("1.0842")
    rate.clean_fields()


def test_the_command(db: None, tmp_path: Path) -> None:
    file = tmp_path / "eurofxref.csv"
    file.write_bytes(TABLE)
    out, err = StringIO(), StringIO()
    call_command("import_rates", str(file), stdout=out, stderr=err)
    assert out.getvalue() == "4 added, 0 replaced, 0 unchanged.\n"
    assert err.getvalue() == "XAU: The column is not a currency and was left out.\n"
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_rates", str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="not a currency code"):
        call_command("import_rates", str(file), base="euro")
    file.write_bytes(b"x")
    with pytest.raises(CommandError, match="has to name the columns"):
        call_command("import_rates", str(file))


def test_a_long_history_is_taken_in_bulk(db: None, django_assert_max_num_queries: Any) -> None:
    days = [date(2020 + n // 360, 1 + n // 30 % 12, 1 + n % 28) for n in range(360)]
    lines = "\n".join(f"{day},{1 + n}.5,{2 + n}.25" for n, day in enumerate(dict.fromkeys(days)))
    with django_assert_max_num_queries(40):
        result = take(f"Date,USD,JPY\n{lines}\n".encode())
    assert result.added == 2 * len(set(days))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("1.50", "1.5"),
        ("-0.0", "0"),
        ("1E+2", "100"),
        ("100", "100"),
        (" 7 ", "7"),
        ("0.1234567890123456789012345678901234567", "0.1234567890123456789012345678901234567"),
        (Decimal("1E-20"), "0.00000000000000000001"),
    ],
)
def test_an_exact_number_has_one_text(given: Any, text: str) -> None:
    assert ExactDecimalField.canonical(given) == text


@pytest.mark.parametrize("given", ["x", "", "NaN", "Infinity", "1E+999999999", "1E-999999999"])
def test_what_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"number|digits"):
        ExactDecimalField.canonical(given)
