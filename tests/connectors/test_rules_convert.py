"""Rows to canonical records: every type exact, every problem with its column, references answered, real files in full."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.connectors.rules import files
from salesops.connectors.rules.compare import Difference, Fate, compare
from salesops.connectors.rules.convert import Answer, Converted, Converter, Lookup, Part, Record, Reference
from salesops.connectors.rules.dates import DateFormat
from salesops.connectors.rules.fields import KINDS, LookupKind
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit, Unknown, Write
from salesops.connectors.rules.matching import Candidate, Matcher
from salesops.connectors.rules.numbers import DecimalMark
from salesops.connectors.rules.profile import profile_of
from salesops.connectors.rules.proposals import propose
from salesops.connectors.rules.questions import answer
from salesops.connectors.rules.tables import Cell, Checkpoint, Layout, Row
from salesops.values.outcomes import Problem
from salesops.values.periods import PeriodKind
from tests.connectors.shared_data import shared

EVERYTHING = {"name": "name", "external_id": "id"}


def row(*cells: Cell, line: int = 2) -> Row:
    return Row(line, cells, Checkpoint(0, line + 1, 1))


def convert(kind: str, rules: Iterable[FieldRule], *cells: Cell, **answers: Answer) -> Converted:
    """Convert one row whose columns are called a, b, c …; an answer is given by the text that is looked up."""
    mapping = Mapping(kind, tuple(rules))
    converter = Converter(mapping, [chr(97 + place) for place in range(len(cells))])
    wanted = converter.lookups([row(*cells)])
    return converter.convert(row(*cells), {lookup: answers[lookup.text] for lookup in wanted if lookup.text in answers})


def value(field: str, cell: Cell, kind: str = "deals", **options: Any) -> Any:
    """What one cell becomes in one field; a problem when it becomes none."""
    named = FieldRule("external_id", constant="1") if kind == "deals" else FieldRule("name", constant="x")
    done = convert(kind, [named, FieldRule(field, column="a", **options)], cell)
    if done.record is None:
        assert all(problem.where == "a" and problem.remedy for problem in done.problems), done.problems
        return [problem.code for problem in done.problems]
    definition = KINDS[kind].field(field)
    assert definition
    return done.record.values.get(definition.target, "left alone")


class TestTypes:
    @pytest.mark.parametrize(
        ("written", "options", "minor"),
        [
            ("1,234.56", {}, 123_456),
            ("1.234,56", {"decimal": DecimalMark.COMMA}, 123_456),
            ("$342.09K", {}, 34_209_000),
            ("(5)", {}, -500),
            ("1100.04", {"multiplier": Decimal(1_000_000)}, 110_004_000_000),
            ("0.125", {"is_rounded": True}, 13),
            ("-0.125", {"is_rounded": True}, -13),
            (Decimal("22584.66"), {}, 2_258_466),
            ("92,233,720,368,547,758.07", {}, 2**63 - 1),
            ("0", {}, 0),
        ],
    )
    def test_money_is_exact(self, written: Cell, options: dict[str, Any], minor: int) -> None:
        assert value("amount", written, currency="USD", **options) == minor

    @pytest.mark.parametrize(
        ("written", "options", "code"),
        [
            ("1.234", {"currency": "USD"}, "number-ambiguous"),
            ("1,5", {"currency": "USD", "decimal": DecimalMark.POINT}, "number-convention"),
            ("0.125", {"currency": "USD"}, "money-decimals"),
            ("5.5", {"currency": "JPY"}, "money-decimals"),
            ("€5", {"currency": "USD"}, "money-other-currency"),
            ("5", {}, "money-currency"),
            ("$5", {}, "money-currency"),
            ("5%", {"currency": "USD"}, "number-unreadable"),
            ("92,233,720,368,547,758.08", {"currency": "USD"}, "money-range"),
            (Decimal("1E+20"), {"currency": "USD"}, "money-range"),
            (Decimal("1E+300"), {"currency": "USD"}, "number-unreadable"),
            ("1e5", {"currency": "USD"}, "number-scientific"),
            ("many", {"currency": "USD"}, "number-unreadable"),
            ("#REF!", {"currency": "USD"}, "spreadsheet-error"),
            (date(2017, 3, 1), {"currency": "USD"}, "number-unreadable"),
        ],
    )
    def test_what_is_no_money_is_told(self, written: Cell, options: dict[str, Any], code: str) -> None:
        assert value("amount", written, **options) == [code]

    def test_a_sign_says_the_currency_when_it_can_be_one_only(self) -> None:
        done = convert("deals", [FieldRule("external_id", column="a"), FieldRule("amount", column="b")], "1", "€ 5,50")
        assert done.record
        assert done.record.values == {"external_id": "1", "amount_minor": 550, "currency": "EUR"}

    def test_the_same_cells_again_mean_the_same_beside_other_cells(self) -> None:
        """What a cell came to is remembered: not of amounts, and with its problems."""
        rules = [
            FieldRule("external_id", column="a"),
            FieldRule("amount", column="b"),
            FieldRule("currency", column="c"),
            FieldRule("opened_on", column="d", date_format=DateFormat.YMD),
            FieldRule("owner", column="e", lookup_by="name"),
        ]
        converter = Converter(Mapping("deals", tuple(rules)), list("abcde"))
        rows = [
            row("1", "100", "USD", "2017-03-01", "Ana"),
            row("2", "100", "JPY", "2017-03-01", "Ana"),
            row("3", "100", "USD", "soon", "Bo"),
            row("4", "100", "USD", "soon", "Bo"),
        ]
        people = {Lookup(LookupKind.PERSON, "name", "Ana"): Answer(7)}
        ana, again, *refused = converter.convert_many(rows, people)
        assert ana.record
        assert again.record
        assert (ana.record.values["amount_minor"], again.record.values["amount_minor"]) == (10_000, 100)
        assert ana.record.values["owner"] == again.record.values["owner"] == Reference(LookupKind.PERSON, 7, "Ana")
        for one in refused:
            assert [(problem.code, problem.where) for problem in one.problems] == [
                ("date-unreadable", "d"),
                ("lookup-unknown", "e"),
            ]
        # Other answers are other references: those are remembered for one batch only.
        people[Lookup(LookupKind.PERSON, "name", "Ana")] = Answer(8)
        (later,) = converter.convert_many(rows[:1], people)
        assert later.record
        assert later.record.values["owner"] == Reference(LookupKind.PERSON, 8, "Ana")

    def test_a_currency_column_rules_the_amount(self) -> None:
        rules = [
            FieldRule("external_id", constant="1"),
            FieldRule("amount", column="a"),
            FieldRule("currency", column="b"),
        ]
        done = convert("deals", rules, "1500", "jpy")
        assert done.record
        assert (done.record.values["amount_minor"], done.record.values["currency"]) == (1500, "JPY")
        assert [problem.code for problem in convert("deals", rules, "15", "nonsense").problems] == [
            "currency",
            "money-currency",
        ]

    @pytest.mark.parametrize(
        ("written", "unit", "rate"),
        [
            ("12.5%", None, "0.125"),
            ("12.5", RateUnit.PERCENT, "0.125"),
            ("0.012", RateUnit.FRACTION, "0.012"),
            ("0", None, "0"),
            ("0.0", None, "0"),
            (Decimal("0.012"), RateUnit.FRACTION, "0.012"),
        ],
    )
    def test_rates(self, written: Cell, unit: RateUnit | None, rate: str) -> None:
        rules = [
            FieldRule("person", constant="Ann"),
            FieldRule("plan", constant="Flat"),
            FieldRule("start_on", constant="2017-01-01"),
            FieldRule("rate", column="a", rate_unit=unit),
        ]
        done = convert("commission_rates", rules, written, Ann=Answer(1), Flat=Answer(2))
        assert done.record
        assert done.record.values["rate"] == Decimal(rate)

    def test_a_rate_that_can_mean_two_things_is_told(self) -> None:
        rules = [FieldRule("person", constant="Ann"), FieldRule("rate", column="a")]
        (problem,) = convert("commission_rates", rules, "0.012", Ann=Answer(1)).problems
        assert problem.text() == "“0.012” can mean 0.012 % or 1.2 %."

    @pytest.mark.parametrize(
        ("written", "options", "day"),
        [
            ("1/3/2017", {"date_format": DateFormat.DMY}, date(2017, 3, 1)),
            ("2012-11-29", {"is_last_day": True}, date(2012, 11, 30)),
            ("2012-11-29", {"is_last_day": False}, date(2012, 11, 29)),
            ("2011-05-31 00:00:00", {"shift_months": 73}, date(2017, 6, 30)),
            ("2011-05-31", {"shift_months": 73, "snap": PeriodKind.QUARTER}, date(2017, 7, 1)),
            ("2012-02-29", {"shift_months": 73, "snap": PeriodKind.QUARTER}, date(2018, 4, 1)),
            ("2017-02-15", {"snap": PeriodKind.QUARTER}, date(2017, 1, 1)),
            ("2017-02-16", {"snap": PeriodKind.QUARTER}, date(2017, 4, 1)),
            ("2016-03-31", {"shift_months": -1}, date(2016, 2, 29)),
            ("31-12-48", {"date_format": DateFormat.DMY, "pivot": 40}, date(1948, 12, 31)),
        ],
    )
    def test_days(self, written: str, options: dict[str, Any], day: date) -> None:
        assert value("opened_on", written, **options) == day

    @pytest.mark.parametrize(
        ("written", "options", "code"),
        [
            ("03/04/2017", {}, "date-ambiguous"),
            ("31/02/2017", {"date_format": DateFormat.DMY}, "date-impossible"),
            ("1900-01-01", {"shift_months": -1200}, None),
            ("2199-12-31", {"shift_months": 1200}, None),
            ("12.5", {}, "date-unreadable"),
        ],
    )
    def test_what_is_no_day_is_told(self, written: str, options: dict[str, Any], code: str | None) -> None:
        result = value("opened_on", written, **options)
        assert result == ([code] if code else result)

    def test_a_shift_out_of_the_calendar_is_told(self) -> None:
        assert value("opened_on", "1900-01-01", shift_months=-30_000) == ["date-shift"]

    @pytest.mark.parametrize(
        ("written", "options", "start", "end"),
        [
            ("2017Q3", {}, date(2017, 7, 1), date(2017, 10, 1)),
            ("Q3 2017", {}, date(2017, 7, 1), date(2017, 10, 1)),
            ("2017-Q3", {}, date(2017, 7, 1), date(2017, 10, 1)),
            ("2017-03", {}, date(2017, 3, 1), date(2017, 4, 1)),
            ("03/2017", {}, date(2017, 3, 1), date(2017, 4, 1)),
            ("March 2017", {}, date(2017, 3, 1), date(2017, 4, 1)),
            ("2017", {}, date(2017, 1, 1), date(2018, 1, 1)),
            (Decimal(2017), {}, date(2017, 1, 1), date(2018, 1, 1)),
            ("FY2018Q1", {"fiscal_start_month": 4}, date(2017, 4, 1), date(2017, 7, 1)),
            ("2017-05-09", {"period_kind": PeriodKind.MONTH}, date(2017, 5, 1), date(2017, 6, 1)),
            (
                "2017-05-09",
                {"period_kind": PeriodKind.QUARTER, "fiscal_start_month": 2},
                date(2017, 5, 1),
                date(2017, 8, 1),
            ),
            (date(2017, 5, 9), {"period_kind": PeriodKind.YEAR}, date(2017, 1, 1), date(2018, 1, 1)),
        ],
    )
    def test_periods(self, written: Cell, options: dict[str, Any], start: date, end: date) -> None:
        rules = [
            FieldRule("person", constant="Ann"),
            FieldRule("amount", constant="5", currency="USD"),
            FieldRule("period", column="a", **options),
        ]
        done = convert("quotas", rules, written, Ann=Answer(1))
        assert done.record, done.problems
        period: Any = done.record.values["period"]
        assert (period.start, period.end) == (start, end)

    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("2017-05-09", "period-kind"),
            ("2017Q5", "date-unreadable"),
            ("2017-13", "period-unreadable"),
            ("soon", "date-unreadable"),
        ],
    )
    def test_what_is_no_period_is_told(self, written: str, code: str) -> None:
        rules = [
            FieldRule("person", constant="Ann"),
            FieldRule("amount", constant="5", currency="USD"),
            FieldRule("period", column="a"),
        ]
        assert [problem.code for problem in convert("quotas", rules, written, Ann=Answer(1)).problems] == [code]

    @pytest.mark.parametrize(
        ("written", "result"),
        [
            ("1,054", ["number-ambiguous"]),
            ("1054", 1054),
            ("1054.0", 1054),
            ("2.5", ["integer"]),
            ("-5", ["integer-range"]),
            ("9999999999", ["integer-range"]),
            ("$5", ["integer"]),
            ("5%", ["integer"]),
            (Decimal("12"), 12),
        ],
    )
    def test_whole_numbers(self, written: Cell, result: Any) -> None:
        assert value("employees", written, "accounts") == result

    @pytest.mark.parametrize(
        ("written", "result"),
        [
            ("Ann@Example.COM", "ann@example.com"),
            ("josé1@adventure-works.com", "josé1@adventure-works.com"),
            ("ann@", ["email"]),
            ("a b@x.com", ["email"]),
            ("ann@x.com\nBcc: all@x.com", ["email"]),
            ("a@" + "b" * 300 + ".com", ["email"]),
        ],
    )
    def test_addresses(self, written: str, result: Any) -> None:
        assert value("email", written, "people") == result

    def test_texts_are_composed_on_one_line_and_bounded(self) -> None:
        assert value("name", "  Zoe\u0301\r\nof\tBonn\x07 ") == "Zoé of Bonn"
        assert value("note", " one\r\n\r\ntwo\tx ") == "one\n\ntwo x"
        assert value("name", "x" * 201) == ["text-length"]
        assert value("name", "=cmd|' /C calc'!A0") == "=cmd|' /C calc'!A0"
        assert value("name", "None") == "None"
        assert value("name", Decimal("42")) == "42"
        assert value("name", "\u200b") == ["blank"]

    @pytest.mark.parametrize(
        ("exported", "text"),
        [("'+49 30 1234", "+49 30 1234"), ("'=1+1", "=1+1"), ('="00123"', "00123"), ("'Acme'", "'Acme'"), ('=""', "=")],
    )
    def test_guards_that_exports_put_around_text_are_taken_off(self, exported: str, text: str) -> None:
        if text == "=":
            assert value("name", exported) == "left alone"
            return
        assert value("name", exported) == text

    def test_what_the_portal_exports_comes_back_as_it_was(self) -> None:
        from salesops.core.exports import safe_text

        for text in ("+49 30 1234", "-5 degrees", "@home", "=1+1", "＝1", "plain", "O'Neill", "'quoted'"):
            assert value("name", safe_text(text)) == text

    def test_choices_by_code_label_synonym_or_the_mapping(self) -> None:
        assert value("function", "AE", "people") == "ae"
        assert value("function", "Sales Representative", "people") == "ae"
        assert value("function", "Hunter", "people", choices=(("hunter", "sdr"),)) == "sdr"
        assert value("function", "Hunter", "people") == ["choice"]


class TestBlanks:
    def test_blank_cells_say_nothing_unless_told_otherwise(self) -> None:
        assert value("lost_because", " ") == "left alone"
        assert value("lost_because", "", clears=True) is None
        assert value("lost_because", "", when_blank="unknown") == "unknown"
        assert value("amount", "n/a", currency="USD") == "left alone"
        assert value("amount", "tbd", currency="USD", blank_words=("TBD",)) == "left alone"
        assert value("amount", "-", currency="USD", when_blank="0") == 0

    def test_required_fields_are_missed_with_their_column(self) -> None:
        done = convert("accounts", [FieldRule("name", column="a"), FieldRule("external_id", constant="1")], " ")
        assert [(problem.code, problem.where) for problem in done.problems] == [("blank", "a")]

    def test_a_row_without_a_name_of_any_kind_is_told(self) -> None:
        rules = [FieldRule("email", column="a"), FieldRule("name", column="b"), FieldRule("title", column="c")]
        done = convert("people", rules, "", "", "Boss")
        assert [problem.code for problem in done.problems] == ["record-nameless"]

    def test_first_and_last_name_make_the_name(self) -> None:
        rules = [FieldRule("first_name", column="a"), FieldRule("last_name", column="b")]
        done = convert("people", rules, "José", "Saraiva")
        assert done.record
        assert done.record.values == {"name": "José Saraiva", "family_name": "Saraiva"}
        assert done.record.identity == (("name", "José Saraiva"),)

    def test_all_problems_of_a_row_are_found(self) -> None:
        rules = [
            FieldRule("external_id", column="a"),
            FieldRule("amount", column="b"),
            FieldRule("opened_on", column="c"),
            FieldRule("owner", column="d"),
        ]
        done = convert("deals", rules, "1", "x", "y", "z")
        assert done.record is None
        assert [(problem.code, problem.where) for problem in done.problems] == [
            ("number-unreadable", "b"),
            ("date-unreadable", "c"),
            ("lookup-unknown", "d"),
        ]

    def test_a_row_that_could_not_be_divided_keeps_its_problem(self) -> None:
        problem = Problem("row-width", "bad")
        bad = Row(3, ("x",), Checkpoint(0, 4, 2), (problem,), "x\n")
        converter = Converter(Mapping("deals", (FieldRule("external_id", column="a"),)), ["a"])
        assert converter.lookups([bad]) == set()
        assert converter.convert_many([bad, row("1")], {})[0] == Converted(bad, None, (problem,))
        assert converter.convert_many([bad, row("1")], {})[1].record is not None

    def test_a_range_that_ends_before_it_begins_is_told(self) -> None:
        rules = [
            FieldRule("person", constant="Ann"),
            FieldRule("territory", constant="1"),
            FieldRule("start_on", column="a"),
            FieldRule("end_on", column="b"),
        ]
        answers = {"Ann": Answer(1), "1": Answer(2)}
        done = convert("territory_assignments", rules, "2017-03-01", "2017-03-01", **answers)
        assert [problem.code for problem in done.problems] == ["record-range"]
        assert convert("territory_assignments", rules, "2017-03-01", "2017-03-02", **answers).record

    def test_a_converter_needs_its_columns(self) -> None:
        with pytest.raises(ValueError, match="lack a column"):
            Converter(Mapping("deals", (FieldRule("name", column="a"),)), ["b"])


class TestLookups:
    RULES = (FieldRule("external_id", constant="1"), FieldRule("account", column="a", lookup_by="name"))

    def deal(self, cell: Cell, *, answer: Answer | None = None, **options: Any) -> Converted:
        rules = [self.RULES[0], replace(self.RULES[1], **options)]
        return convert("deals", rules, cell, **({str(cell): answer} if answer else {}))

    def test_what_is_looked_up(self) -> None:
        converter = Converter(Mapping("deals", self.RULES), ["a"])
        rows = [row("Acme"), row(" Acme "), row("2.0"), row(""), row("n/a"), row("#N/A")]
        assert converter.lookups(rows) == {
            Lookup(LookupKind.ACCOUNT, "name", "Acme"),
            Lookup(LookupKind.ACCOUNT, "name", "2"),
        }

    def test_what_was_found_becomes_a_reference(self) -> None:
        done = self.deal("Acme", answer=Answer(7))
        assert done.record
        assert done.record.values["account"] == Reference(LookupKind.ACCOUNT, 7, "Acme")
        assert done.record.flat() == {"external_id": "1", "account_id": 7}

    def test_what_was_not_found_is_refused_left_empty_or_made(self) -> None:
        assert [problem.code for problem in self.deal("Acme").problems] == ["lookup-unknown"]
        empty = self.deal("Acme", on_unknown=Unknown.EMPTY).record
        made = self.deal("Acme", on_unknown=Unknown.CREATE).record
        assert empty
        assert made
        assert "account" not in empty.values
        assert made.values["account"] == Reference(LookupKind.ACCOUNT, None, "Acme")
        assert made.flat() == {"external_id": "1"}

    def test_a_proposal_waits_for_its_confirmation_whatever_the_mapping_says(self) -> None:
        problem = Matcher([Candidate(1, "Acme Inc")]).match("AcmeInc").problem()
        for unknown in Unknown:
            done = self.deal("AcmeInc", answer=Answer(None, problem), on_unknown=unknown)
            assert done.record is None
            assert [(one.code, one.where) for one in done.problems] == [("lookup-proposed", "a")]

    def test_references_to_the_same_kind_are_left_for_a_second_pass(self) -> None:
        rules = (
            FieldRule("name", column="a"),
            FieldRule("title", column="b"),
            FieldRule("manager", column="c", on_unknown=Unknown.EMPTY),
        )
        mapping = Mapping("people", rules)
        cells = row("Ann", "Rep", "Bob")
        answers = {Lookup(LookupKind.PERSON, "any", "Bob"): Answer(5)}
        first = Converter(mapping, "abc", Part.FIRST)
        later = Converter(mapping, "abc", Part.DEFERRED)
        assert first.lookups([cells]) == set()
        assert first.convert(cells, {}).record == Record(
            "people", 2, {"name": "Ann", "title": "Rep"}, (("name", "Ann"),)
        )
        manager = Reference(LookupKind.PERSON, 5, "Bob")
        assert later.convert(cells, answers).record == Record(
            "people", 2, {"name": "Ann", "manager": manager}, (("name", "Ann"),)
        )


class TestCompare:
    MAPPING = Mapping(
        "people",
        (
            FieldRule("email", column="a"),
            FieldRule("name", column="b"),
            FieldRule("title", column="c", write=Write.IF_EMPTY),
            FieldRule("payroll_number", column="d", write=Write.ON_CREATE),
            FieldRule("manager", column="e", clears=True),
        ),
    )

    def verdict(self, stored: dict[str, Any] | None, **values: Any) -> Any:
        record = Record("people", 2, values, (("email", "ann@x.com"),))
        return compare(record, stored, self.MAPPING)

    def test_a_new_record_is_created_with_what_it_says(self) -> None:
        verdict = self.verdict(None, email="ann@x.com", name="Ann", title="", manager=None)
        assert verdict.fate is Fate.CREATED
        assert verdict.values == {"email": "ann@x.com", "name": "Ann"}

    def test_a_new_record_without_what_it_needs_is_refused(self) -> None:
        verdict = self.verdict(None, name="Ann")
        assert verdict.fate is Fate.REFUSED
        assert [problem.code for problem in verdict.problems] == ["needed-to-create"]

    def test_changes_are_told_field_by_field(self) -> None:
        boss = Reference(LookupKind.PERSON, 5, "Bob")
        stored = {"email": "ann@x.com", "name": "Anne", "title": "Rep", "payroll_number": "1", "manager": 4}
        verdict = self.verdict(stored, email="ann@x.com", name="Ann", title="Boss", payroll_number="2", manager=boss)
        assert verdict.fate is Fate.CHANGED
        assert verdict.differences == (Difference("name", "Anne", "Ann"), Difference("manager", 4, 5))

    def test_what_is_not_mentioned_or_is_the_same_is_left_alone(self) -> None:
        stored = {"email": "ann@x.com", "name": "Ann", "title": "", "manager": 5}
        assert self.verdict(stored, email="ann@x.com", name="Ann").fate is Fate.UNCHANGED
        assert self.verdict(stored, name="Ann", title="").fate is Fate.UNCHANGED
        assert self.verdict(stored, title="Rep").values == {"title": "Rep"}
        assert self.verdict(stored, manager=None).values == {"manager": None}


def opened(name: str) -> tuple[Layout, list[Row]]:
    data = shared(name).read_bytes()
    layout = files.inspect(io.BytesIO(data), name).layout
    assert layout
    return layout, list(files.rows(io.BytesIO(data), layout))


def answers_for(lookups: set[Lookup], known: dict[LookupKind, dict[str, int]], confirmed: dict[str, int]) -> Any:
    """Answers as the service gives them: matched by name, proposals as problems."""
    matchers = {
        kind: Matcher((Candidate(key, name) for name, key in names.items()), confirmed) for kind, names in known.items()
    }
    answers = {}
    for lookup in lookups:
        match = matchers[lookup.kind].match(lookup.text)
        answers[lookup] = Answer(match.key) if match.is_settled else Answer(None, match.problem())
    return answers


class TestPipeline:
    def column(self, name: str, header: str) -> dict[str, int]:
        with shared(f"maven_crm/{name}").open(newline="") as lines:
            return {line[header]: number for number, line in enumerate(csv.DictReader(lines), 1)}

    def known(self) -> dict[LookupKind, dict[str, int]]:
        return {
            LookupKind.ACCOUNT: self.column("accounts.csv", "account"),
            LookupKind.PERSON: self.column("sales_teams.csv", "sales_agent"),
            LookupKind.PRODUCT: self.column("products.csv", "product"),
            LookupKind.STAGE: {"Prospecting": 1, "Engaging": 2, "Won": 3, "Lost": 4},
        }

    def records(self, name: str, confirmed: dict[str, int]) -> list[Converted]:
        layout, rows = opened(f"maven_crm/{name}")
        proposal = propose("deals", profile_of(layout.headers, rows), currency="USD")
        assert proposal.questions == ()
        converter = Converter(proposal.mapping, layout.headers)
        return converter.convert_many(rows, answers_for(converter.lookups(rows), self.known(), confirmed))

    def test_the_three_date_formats_give_the_same_records_and_the_golden_totals(self) -> None:
        gtx_pro = self.known()[LookupKind.PRODUCT]["GTX Pro"]
        contents = []
        for name in ("sales_pipeline.csv", "sales_pipeline_iso.csv", "sales_pipeline_dmy.csv"):
            done = self.records(name, {"GTXPro": gtx_pro})
            assert not [one for one in done if one.problems]
            contents.append([one.record for one in done])
        assert contents[0] == contents[1] == contents[2]
        digests = [record.digest() for record in contents[0] if record]
        assert len(set(digests)) == 8800
        golden = json.loads(shared("maven_crm/golden.json").read_text())
        won: Counter[str] = Counter()
        stages: Counter[Any] = Counter()
        for record in contents[0]:
            assert record
            flat = record.flat()
            stages[flat["stage_id"]] += 1
            if flat["stage_id"] == 3:
                closed = flat["closed_on"]
                won[f"{closed.year}Q{(closed.month + 2) // 3}"] += flat["amount_minor"]
        assert stages == {3: 4238, 4: 2473, 2: 1589, 1: 500}
        assert sum(won.values()) == 1_000_553_400 == golden["won_total"] * 100
        assert dict(won) == {quarter: total * 100 for quarter, total in golden["won_by_quarter"].items()}
        without = [record for record in contents[0] if record and "account" not in record.values]
        assert len(without) == 1425
        assert all(" – " not in str(record.values["name"]) for record in without)

    def test_until_it_is_confirmed_gtxpro_waits_and_stops_no_other_row(self) -> None:
        done = self.records("sales_pipeline.csv", {})
        waiting = [one for one in done if one.problems]
        assert len(waiting) == 1480
        assert {(problem.code, problem.where) for one in waiting for problem in one.problems} == {
            ("lookup-proposed", "product")
        }

    def test_revenue_in_millions_is_exact(self) -> None:
        layout, rows = opened("maven_crm/accounts.csv")
        mapping = propose("accounts", profile_of(layout.headers, rows), currency="USD").mapping
        revenue = mapping.rule("revenue")
        assert revenue
        mapping = mapping.with_rule(replace(revenue, multiplier=Decimal(1_000_000)))
        converter = Converter(mapping, layout.headers, Part.FIRST)
        records = [one.record for one in converter.convert_many(rows, {})]
        assert records[0]
        assert records[0].values["revenue_minor"] == 110_004_000_000
        assert records[0].values["founded_year"] == 1996
        later = Converter(mapping, layout.headers, Part.DEFERRED)
        names = {LookupKind.ACCOUNT: self.known()[LookupKind.ACCOUNT]}
        parents = later.convert_many(rows, answers_for(later.lookups(rows), names, {}))
        assert sum("parent" in one.record.values for one in parents if one.record) == 15


class TestAdventureWorks:
    def test_quotas_fall_into_the_shifted_quarters_of_the_golden_file(self) -> None:
        layout, rows = opened("adventureworks/quota_history.csv")
        profile = profile_of(layout.headers, rows)
        proposal = propose("quotas", profile, currency="USD")
        (question,) = proposal.questions
        mapping = answer(proposal.mapping, question, "quarter")
        period = mapping.rule("period")
        assert period
        mapping = mapping.with_rule(replace(period, shift_months=73, snap=PeriodKind.QUARTER))
        converter = Converter(mapping, layout.headers)
        answers = {lookup: Answer(int(lookup.text)) for lookup in converter.lookups(rows)}
        found = {}
        for done in converter.convert_many(rows, answers):
            assert done.record
            flat = done.record.flat()
            found[flat["person_id"], flat["period"].label] = flat["amount_minor"]
        with shared("adventureworks/golden_attainment.csv").open(newline="") as lines:
            golden = {
                (int(line["person_id"]), line["quarter_shifted"]): int(line["quota"]) * 100
                for line in csv.DictReader(lines)
            }
        assert found == golden
        assert len(found) == 163

    def test_orders_credit_the_golden_sales_to_the_cent(self) -> None:
        layout, rows = opened("adventureworks/reseller_orders.csv")
        mapping = propose("deals", profile_of(layout.headers, rows), currency="USD").mapping
        mapping = mapping.with_rule(FieldRule("closed_on", column="order_date"))
        mapping = mapping.with_rule(FieldRule("stage", constant="Won"))
        converter = Converter(mapping, layout.headers)
        answers = {
            lookup: Answer(int(lookup.text) if lookup.text.isdecimal() else 1) for lookup in converter.lookups(rows)
        }
        sales: dict[tuple[int, str], int] = defaultdict(int)
        for done in converter.convert_many(rows, answers):
            assert done.record
            flat = done.record.flat()
            assert flat["opened_on"] == flat["closed_on"]
            quarter = f"{flat['closed_on'].year}Q{(flat['closed_on'].month + 2) // 3}"
            sales[flat["owner_id"], quarter] += flat["amount_minor"]
        with shared("adventureworks/golden_attainment.csv").open(newline="") as lines:
            for line in csv.DictReader(lines):
                cents = (Decimal(line["sales"]) * 100).quantize(Decimal(1))
                assert sales[int(line["employee_key"]), line["quarter_shifted"]] == cents

    def test_people_territories_and_rates(self) -> None:
        layout, rows = opened("adventureworks/sales_employees.csv")
        mapping = propose("people", profile_of(layout.headers, rows), currency="USD").mapping
        people = [one.record for one in Converter(mapping, layout.headers, Part.FIRST).convert_many(rows, {})]
        assert [record.values["name"] for record in people if record][9] == "José Saraiva"
        assert len([record for record in people if record]) == 18
        later = Converter(mapping, layout.headers, Part.DEFERRED)
        assert Lookup(LookupKind.PERSON, "employee_number", "112") in later.lookups(rows)

        layout, rows = opened("adventureworks/territory_history.csv")
        proposal = propose("territory_assignments", profile_of(layout.headers, rows), currency="USD")
        mapping = answer(proposal.mapping, proposal.questions[0], "yes")
        for code in ("start_on", "end_on"):
            rule = mapping.rule(code)
            assert rule
            mapping = mapping.with_rule(replace(rule, shift_months=73, snap=PeriodKind.MONTH))
        converter = Converter(mapping, layout.headers)
        answers = {lookup: Answer(int(lookup.text)) for lookup in converter.lookups(rows)}
        ranges = [one.record.flat() for one in converter.convert_many(rows, answers) if one.record]
        assert len(ranges) == 17
        assert ranges[0] == {
            "person_id": 275,
            "territory_id": 2,
            "start_on": date(2017, 7, 1),
            "end_on": date(2019, 1, 1),
        }
        assert ranges[1]["start_on"] == date(2019, 1, 1)

        layout, rows = opened("adventureworks/sales_person.csv")
        proposal = propose("commission_rates", profile_of(layout.headers, rows), currency="USD")
        mapping = answer(proposal.mapping, proposal.questions[0], "fraction")
        mapping = mapping.with_rule(FieldRule("plan", constant="Flat"))
        mapping = mapping.with_rule(FieldRule("start_on", constant="2017-07-01"))
        assert mapping.missing() == ()
        converter = Converter(mapping, layout.headers)
        answers = {lookup: Answer(1) for lookup in converter.lookups(rows)}
        rates = [one.record.values["rate"] for one in converter.convert_many(rows, answers) if one.record]
        assert len(rates) == 17
        assert rates[:2] == [Decimal(0), Decimal("0.012")]


class TestAnything:
    CELLS = st.one_of(
        st.text(max_size=40),
        st.sampled_from(["1.234", "$5", "12%", "2017Q3", "01/02/2017", "n/a", "#N/A", "{x}", "=1+1", "2.0"]),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.dates(),
    )

    @given(st.data())
    @settings(max_examples=120, deadline=None)
    def test_no_cell_raises_under_any_rule(self, data: st.DataObject) -> None:
        kind = KINDS[data.draw(st.sampled_from(sorted(KINDS)))]
        options = st.fixed_dictionaries(
            {
                "date_format": st.none() | st.sampled_from(DateFormat),
                "decimal": st.none() | st.sampled_from(DecimalMark),
                "currency": st.sampled_from([None, "USD", "JPY", "KWD"]),
                "is_rounded": st.booleans(),
                "rate_unit": st.none() | st.sampled_from(RateUnit),
                "period_kind": st.none() | st.sampled_from(PeriodKind),
                "multiplier": st.sampled_from([Decimal(1), Decimal("0.001"), Decimal("1e12")]),
                "clears": st.booleans(),
                "when_blank": st.none() | st.text(max_size=5),
            }
        )
        rules = tuple(FieldRule(field.code, column="a", **data.draw(options)) for field in kind.fields)
        converter = Converter(Mapping(kind.code, rules), ["a"])
        cells = row(data.draw(self.CELLS))
        answers = {lookup: Answer(1) for lookup in converter.lookups([cells])}
        done = converter.convert(cells, answers)
        assert bool(done.record) != bool(done.problems)
        if done.record:
            done.record.digest()
            done.record.flat()
            assert compare(done.record, None, Mapping(kind.code, rules)).fate in {Fate.CREATED, Fate.REFUSED}
            assert compare(done.record, done.record.flat(), Mapping(kind.code, rules)).problems == ()
