"""Days as people write them: every format, the order of day and month proved or asked about, the impossible named."""

from __future__ import annotations

import csv
import time
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.connectors.rules import dates
from salesops.connectors.rules.dates import DateColumn, DateFinding, DateFormat, read, readings
from salesops.connectors.rules.tables import Cell
from tests.connectors.shared_data import shared

YMD, DMY, MDY, COMPACT, SERIAL = DateFormat
DAY = date(2017, 3, 1)


def column(*values: Cell) -> DateFinding:
    seen = DateColumn()
    for line, value in enumerate(values, 2):
        seen.add(value, line)
    return seen.finding()


@pytest.mark.parametrize(
    "written",
    [
        "2017-03-01",
        "2017/3/1",
        "2017.03.01",
        "2017-03-01 00:00:00",
        "2017-03-01T23:30:00Z",
        "2017-03-01T10:00:00.123+02:00",
        "2017年3月1日",
        "1 Mar 2017",
        "1-Mar-17",
        "Mar 1, 2017",
        "March 1st, 2017",
        "Wed, 1 Mar 2017 10:30",
        "1. März 2017",
        "1er mars 2017",
        "1 de marzo de 2017",
        "2017-Mar-01",
        date(2017, 3, 1),
        datetime(2017, 3, 1, 23, 59),  # noqa: DTZ001
    ],
)
def test_what_can_be_read_in_one_way_is_read_in_every_column(written: Cell) -> None:
    for form in (*DateFormat, None):
        assert read(written, form).unwrap() == DAY


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("1/3/2017", {DMY: DAY, MDY: date(2017, 1, 3)}),
        ("01.03.2017 10:30", {DMY: DAY, MDY: date(2017, 1, 3)}),
        ("13/3/2017", {DMY: date(2017, 3, 13)}),
        ("3/13/2017 5:04 PM", {MDY: date(2017, 3, 13)}),
        ("01-03-17", {DMY: DAY, MDY: date(2017, 1, 3), YMD: date(2001, 3, 17)}),
        ("31-12-69", {DMY: date(2069, 12, 31)}),
        ("31-12-70", {DMY: date(1970, 12, 31)}),
        ("20170301", {COMPACT: DAY}),
        ("42795", {SERIAL: DAY}),
        (Decimal("42795.75"), {SERIAL: DAY}),
        (Decimal(20170301), {COMPACT: DAY}),
        ("29/02/2016", {DMY: date(2016, 2, 29)}),
    ],
)
def test_every_way_to_read_a_day_is_known(written: Cell, days: dict[DateFormat, date]) -> None:
    assert readings(written) == days


@pytest.mark.parametrize(
    ("written", "form", "says"),
    [
        ("31/02/2017", DMY, "“31/02/2017” is not a day: month 2 of 2017 has 28 days."),
        ("29/02/2017", DMY, "“29/02/2017” is not a day: month 2 of 2017 has 28 days."),
        ("31/12/2017", MDY, "“31/12/2017” is not a date in the format of the column (MM/DD/YYYY)."),
        ("13/13/2017", MDY, "“13/13/2017” is not a day: there is no month 13."),
        ("2017-00-10", YMD, "“2017-00-10” is not a day: there is no month 0."),
        ("20171301", COMPACT, "“20171301” is not a day: there is no month 13."),
        ("9999-12-31", YMD, "“9999-12-31” is outside of the years 1900 to 2199."),
        ("soon", DMY, "“soon” is not a date."),
        ("1996", DMY, "“1996” is not a date."),
        ("1/2/3", DMY, "“1/2/3” is not a date."),
        ("03/04/2017", None, "“03/04/2017” can mean 2017-03-04 or 2017-04-03."),
        ("20170301", DMY, "“20170301” is not a date in the format of the column (DD/MM/YYYY)."),
        ("25:70 2017-01-01", None, "“25:70 2017-01-01” is not a date."),
    ],
)
def test_what_is_no_day_is_named(written: str, form: DateFormat | None, says: str) -> None:
    (problem,) = read(written, form).problems
    assert problem.text() == says
    assert problem.remedy


def test_no_month_name_means_two_months() -> None:
    from babel import Locale

    seen: dict[str, int] = {}
    for code in dates._LOCALES:
        for context in Locale(code).months.values():
            for width in ("wide", "abbreviated"):
                for number, name in context[width].items():
                    assert seen.setdefault(name.casefold().strip(". "), number) == number, (code, name)
    assert dates.month_names()["märz"] == 3


class TestColumns:
    def test_one_day_above_twelve_settles_the_order_and_is_the_evidence(self) -> None:
        found = column("01/02/2017", "03/04/2017", "25/12/2017")
        assert (found.format, found.must_ask) == (DMY, False)
        assert found.excluded[MDY].sighting == (4, "25/12/2017")
        assert found.excluded[MDY].problem.text() == "“25/12/2017” on line 4 cannot be read like that."
        assert column("01/02/2017", "12/25/2017").format is MDY

    def test_days_up_to_twelve_only_must_be_asked_about(self) -> None:
        found = column("01/02/2017", "03/04/2017", "12/12/2017")
        assert found.format is None
        assert found.must_ask
        assert set(found.formats) == {DMY, MDY}
        assert found.spans[DMY] == (date(2017, 2, 1), date(2017, 12, 12))
        assert found.spans[MDY] == (date(2017, 1, 2), date(2017, 12, 12))

    def test_days_that_contradict_each_other_must_be_asked_about(self) -> None:
        found = column("25/12/2017", "12/25/2017", "12/26/2017")
        assert found.is_mixed
        assert found.must_ask
        assert found.formats == ()
        assert found.fitting == {DMY: 1, MDY: 2}
        assert (found.excluded[DMY].sighting, found.excluded[MDY].sighting) == ((3, "12/25/2017"), (2, "25/12/2017"))

    def test_an_impossible_day_is_no_evidence(self) -> None:
        found = column("31/02/2017", "01/02/2017", "25/12/2017")
        assert found.format is DMY
        assert (found.unreadable_count, found.unreadable) == (1, ((2, "31/02/2017"),))

    def test_iso_days_need_no_question(self) -> None:
        found = column("2017-03-04", "2017-05-06", date(2017, 1, 2))
        assert not found.must_ask
        assert found.fixed_count == found.count == 3

    def test_iso_days_among_others_do_not_hide_the_question(self) -> None:
        assert column("2017-03-04", "05/06/2017").must_ask
        assert column("2017-03-04", "25/06/2017").format is DMY

    def test_a_few_short_years_must_be_asked_about(self) -> None:
        found = column("20-10-16", "25-10-16", "01-03-17")
        assert found.must_ask
        assert found.formats == (DMY, YMD)
        assert found.short_years == (2, "20-10-16")
        assert "20xx" in dates.pivot_note(found.short_years).text()

    def test_in_many_short_years_the_number_that_never_changes_is_the_year(self) -> None:
        days = [date(2016, 10, 20).fromordinal(date(2016, 10, 20).toordinal() + step) for step in range(0, 400, 3)]
        found = column(*[f"{day:%d-%m-%y}" for day in days])
        assert found.format is DMY
        assert found.excluded[YMD].problem.code == "date-last-is-year"
        assert "only ever 16, 17" in found.excluded[YMD].problem.text()
        assert column(*[f"{day:%y-%m-%d}" for day in days]).format is YMD

    def test_the_number_that_never_changes_does_not_decide_between_day_and_month(self) -> None:
        found = column(*[f"{day:02d}-{month:02d}-17" for day in range(1, 13) for month in range(1, 13)])
        assert {DMY, MDY} <= set(found.formats)
        assert found.must_ask

    def test_month_ends_over_ten_years_are_not_mistaken_for_years(self) -> None:
        found = column(*[f"{year:02d}-{month:02d}-15" for year in range(12, 24) for month in range(1, 13)])
        assert YMD in found.formats
        assert found.must_ask

    def test_spreadsheet_numbers(self) -> None:
        assert column(Decimal(42795), Decimal(42796)).format is SERIAL
        assert column("20170301", "20170401").format is COMPACT

    def test_times_are_noted(self) -> None:
        assert column("2011-05-31 00:00:00").with_time == (2, "2011-05-31 00:00:00")


@pytest.mark.parametrize(
    ("name", "form", "fixed"),
    [("sales_pipeline.csv", MDY, 0), ("sales_pipeline_dmy.csv", DMY, 0), ("sales_pipeline_iso.csv", None, 8300)],
)
def test_the_three_pipelines_prove_their_formats_and_give_the_same_days(
    name: str, form: DateFormat | None, fixed: int
) -> None:
    def days(file: str, form: DateFormat | None) -> list[list[date | None]]:
        with shared(f"maven_crm/{file}").open(newline="") as lines:
            return [
                [read(row[name], form).unwrap() if row[name] else None for name in ("engage_date", "close_date")]
                for row in csv.DictReader(lines)
            ]

    seen = DateColumn()
    with shared(f"maven_crm/{name}").open(newline="") as lines:
        for line, row in enumerate(csv.DictReader(lines), 2):
            if row["engage_date"]:
                assert seen.add(row["engage_date"], line)
    found = seen.finding()
    assert (found.count, found.fixed_count, found.format, found.must_ask) == (8300, fixed, form, False)
    assert days(name, form) == days("sales_pipeline_iso.csv", None)


@given(st.dates(date(1970, 1, 1), date(2069, 12, 31)))
def test_every_day_comes_back_from_every_format(day: date) -> None:
    for form, pattern in ((YMD, "%Y-%m-%d"), (DMY, "%d/%m/%Y"), (MDY, "%m/%d/%Y"), (COMPACT, "%Y%m%d")):
        assert read(day.strftime(pattern), form).unwrap() == day
    for form, pattern in ((YMD, "%y-%m-%d"), (DMY, "%d.%m.%y"), (MDY, "%m/%d/%y"), (None, "%d %B %Y")):
        assert read(day.strftime(pattern), form).unwrap() == day
    assert set(column(f"{day:%d/%m/%Y}").formats) == ({DMY, MDY} if day.day <= 12 else {DMY})


@given(st.one_of(st.text(max_size=80), st.text("0123456789/-. :TZ年月日", max_size=24), st.decimals()))
@settings(max_examples=400)
def test_no_cell_raises(cell: Cell) -> None:
    seen = DateColumn()
    seen.add(cell, 1)
    seen.finding()
    for form in (*DateFormat, None):
        assert read(cell, form).problems or read(cell, form).unwrap().year >= 1900


@pytest.mark.parametrize("piece", ["1", "1/", " ", "a", "1 a ", "a. ", "-", "1:1", "é1"])
def test_long_input_costs_no_time(piece: str) -> None:
    began = time.process_time()
    for length in (10, 60, 50_000):
        readings(piece * length)
        readings((piece * length)[:63] + "x")
    assert time.process_time() - began < 0.2
