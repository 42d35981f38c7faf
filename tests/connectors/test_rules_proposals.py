"""Mappings proposed from real headers and values, with reasons; questions where the file leaves something open."""

from __future__ import annotations

from typing import Any

import pytest

from salesops.connectors.rules import files
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.rules.mapping import FieldRule, Mapping
from salesops.connectors.rules.profile import TableProfile, profile_of
from salesops.connectors.rules.proposals import Proposal, guess_kinds, propose
from salesops.connectors.rules.questions import answer, questions, remarks
from salesops.connectors.rules.tables import Checkpoint, Row
from tests.connectors.shared_data import shared


def table(headers: str, *rows: str) -> TableProfile:
    cells = [tuple(row.split("|")) for row in rows]
    return profile_of(
        headers.split("|"), [Row(line, row, Checkpoint(0, line + 1, line)) for line, row in enumerate(cells, 2)]
    )


def columns(proposal: Proposal) -> dict[str, str]:
    return {rule.field: rule.column for rule in proposal.mapping.rules if rule.column}


def of_file(name: str) -> TableProfile:
    with shared(name).open("rb") as stream:
        layout = files.inspect(stream, name).layout
        assert layout
        return profile_of(layout.headers, files.rows(stream, layout))


class TestRealFiles:
    @pytest.mark.parametrize(
        ("name", "kind", "expected"),
        [
            (
                "maven_crm/sales_pipeline.csv",
                "deals",
                {
                    "external_id": "opportunity_id",
                    "account": "account",
                    "owner": "sales_agent",
                    "product": "product",
                    "stage": "deal_stage",
                    "amount": "close_value",
                    "opened_on": "engage_date",
                    "closed_on": "close_date",
                },
            ),
            (
                "maven_crm/accounts.csv",
                "accounts",
                {
                    "name": "account",
                    "parent": "subsidiary_of",
                    "industry": "sector",
                    "country": "office_location",
                    "employees": "employees",
                    "revenue": "revenue",
                    "founded_year": "year_established",
                },
            ),
            (
                "maven_crm/products.csv",
                "products",
                {"name": "product", "series": "series", "price": "sales_price"},
            ),
            (
                "maven_crm/sales_teams.csv",
                "people",
                {"name": "sales_agent", "manager": "manager", "pod": "regional_office"},
            ),
            (
                "adventureworks/sales_employees.csv",
                "people",
                {
                    "email": "email",
                    "first_name": "first_name",
                    "last_name": "last_name",
                    "employee_number": "employee_key",
                    "external_id": "person_id",
                    "title": "title",
                    "manager": "manager_employee_key",
                    "started_on": "hire_date",
                    "left_on": "end_date",
                },
            ),
            (
                "adventureworks/territory.csv",
                "territories",
                {"code": "territory_id", "name": "name", "country": "country_code", "region": "group"},
            ),
            (
                "adventureworks/territory_history.csv",
                "territory_assignments",
                {"person": "person_id", "territory": "territory_id", "start_on": "start_date", "end_on": "end_date"},
            ),
            (
                "adventureworks/quota_history.csv",
                "quotas",
                {"person": "person_id", "period": "quota_date", "amount": "sales_quota"},
            ),
            (
                "adventureworks/sales_person.csv",
                "commission_rates",
                {"person": "person_id", "rate": "commission_pct"},
            ),
            (
                "adventureworks/resellers.csv",
                "accounts",
                {
                    "name": "name",
                    "external_id": "reseller_key",
                    "industry": "business_type",
                    "country": "country",
                    "city": "city",
                },
            ),
            (
                "adventureworks/reseller_orders.csv",
                "deals",
                {
                    "external_id": "order_number",
                    "account": "reseller_key",
                    "owner": "employee_key",
                    "amount": "amount",
                    "opened_on": "order_date",
                },
            ),
        ],
    )
    def test_the_kind_and_the_columns_are_found(self, name: str, kind: str, expected: dict[str, str]) -> None:
        profile = of_file(name)
        assert guess_kinds(profile.headers, name)[0].kind == kind
        proposal = propose(kind, profile, currency="USD")
        assert columns(proposal) == expected
        assert {reason.field for reason in proposal.reasons} == set(expected)
        assert Mapping.from_plain(proposal.mapping.as_plain()).unwrap() == proposal.mapping

    def test_ids_are_looked_up_by_the_right_key(self) -> None:
        orders = propose("deals", of_file("adventureworks/reseller_orders.csv"), currency="USD").mapping
        people = propose("people", of_file("adventureworks/sales_employees.csv"), currency="USD").mapping
        history = propose("territory_assignments", of_file("adventureworks/territory_history.csv"), currency="USD")
        keys = {rule.field: rule.lookup_by for rule in orders.rules if rule.lookup_by != "any"}
        assert keys == {"account": "external_id", "owner": "employee_number"}
        manager = people.rule("manager")
        assert manager
        assert manager.lookup_by == "employee_number"
        assert [rule.lookup_by for rule in history.mapping.rules[:2]] == ["external_id", "code"]

    def test_the_pipeline_needs_no_question_and_says_what_it_assumes(self) -> None:
        for name, form in (("", "mdy"), ("_iso", None), ("_dmy", "dmy")):
            proposal = propose("deals", of_file(f"maven_crm/sales_pipeline{name}.csv"), currency="USD")
            assert proposal.questions == ()
            assert [rule.date_format for rule in proposal.mapping.rules if rule.field.endswith("_on")] == [form, form]
            assert proposal.mapping.rule("name") == FieldRule("name", template="[{account} – ]{product}")
            assert proposal.mapping.rule("currency") == FieldRule("currency", constant="USD")
            codes = [note.code for note in proposal.notes]
            assert codes[:2] == ["currency-assumed", "name-made"]
            assert ("date-last-is-year" in codes) == (name == "_dmy")
            assert ("date-short-years" in codes) == (name == "_dmy")

    def test_a_saved_mapping_that_does_not_suit_the_dates_is_asked_about_again(self) -> None:
        mapping = propose("deals", of_file("maven_crm/sales_pipeline.csv"), currency="USD").mapping
        assert questions(mapping, of_file("maven_crm/sales_pipeline_iso.csv")) == ()
        asked = questions(mapping, of_file("maven_crm/sales_pipeline_dmy.csv"))
        assert [(question.setting, question.column) for question in asked] == [
            ("date_format", "engage_date"),
            ("date_format", "close_date"),
        ]
        assert asked[0].suggested == "dmy"

    def test_what_only_a_person_knows_is_asked(self) -> None:
        def settings(name: str, kind: str) -> list[str]:
            return [question.setting for question in propose(kind, of_file(name), currency="USD").questions]

        assert settings("adventureworks/quota_history.csv", "quotas") == ["period_kind"]
        assert settings("adventureworks/sales_person.csv", "commission_rates") == ["rate_unit"]
        assert settings("adventureworks/territory_history.csv", "territory_assignments") == ["is_last_day"]


class TestQuestions:
    def test_day_or_month_is_asked_with_what_each_answer_means(self) -> None:
        profile = table("deal id|close date", "1|01/02/2017", "2|03/04/2017")
        proposal = propose("deals", profile, currency="USD")
        (question,) = proposal.questions
        assert (question.setting, question.column, question.suggested) == ("date_format", "close date", "")
        assert question.text.text() == (
            "How are the days in “close date” written? “01/02/2017” on line 2 can be read in two ways."
        )
        meaning = {option.value: option.example.text() for option in question.options if option.example}
        assert meaning == {
            "dmy": "The days then lie between 2017-02-01 and 2017-04-03.",
            "mdy": "The days then lie between 2017-01-02 and 2017-03-04.",
        }
        answered = answer(proposal.mapping, question, "dmy")
        assert questions(answered, profile) == ()
        with pytest.raises(ValueError, match="no answer"):
            answer(proposal.mapping, question, "ymd")

    def test_days_in_two_formats_are_asked_about_with_the_evidence(self) -> None:
        profile = table("deal id|close date", "1|25/12/2017", "2|12/26/2017", "3|12/27/2017")
        (question,) = propose("deals", profile, currency="USD").questions
        assert "different ways" in question.text.text()
        assert {str(problem) for problem in question.evidence} == {
            "“25/12/2017” on line 2 cannot be read like that.",
            "“12/26/2017” on line 3 cannot be read like that.",
        }
        shares = {option.value: option.example.text() for option in question.options if option.example}
        assert shares["mdy"] == "2 of 3 values can be read like that; the others go to the shelf."
        assert question.suggested == "mdy"

    def test_one_answer_serves_every_field_of_the_column(self) -> None:
        profile = table("order number|order date", "1|01/02/2017")
        mapping = propose("deals", profile, currency="USD").mapping.with_rule(
            FieldRule("closed_on", column="order date")
        )
        (question,) = questions(mapping, profile)
        forms = {rule.field: rule.date_format for rule in answer(mapping, question, "mdy").rules}
        assert forms["opened_on"] == forms["closed_on"] == "mdy"

    def test_thousands_or_decimals_is_asked(self) -> None:
        profile = table("deal id|amount", "1|1.234", "2|5.678")
        (question,) = propose("deals", profile, currency="USD").questions
        assert question.setting == "decimal"
        assert [option.example.text() for option in question.options if option.example] == [
            "“1.234” is then 1.234.",
            "“1.234” is then 1234.",
        ]
        assert questions(answer(propose("deals", profile, currency="USD").mapping, question, "comma"), profile) == ()

    def test_a_clear_number_settles_it(self) -> None:
        proposal = propose("deals", table("deal id|amount", "1|1.234", "2|12,50"), currency="USD")
        assert proposal.questions == ()
        amount = proposal.mapping.rule("amount")
        assert amount
        assert amount.decimal == "comma"

    def test_a_saved_decimal_mark_that_does_not_suit_is_asked_about_again(self) -> None:
        mapping = propose("deals", table("deal id|amount", "1|12.50"), currency="USD").mapping
        (question,) = questions(mapping, table("deal id|amount", "1|12,50"))
        assert (question.setting, question.suggested) == ("decimal", "comma")

    @pytest.mark.parametrize(
        ("values", "asked", "unit"),
        [
            (["0.012", "0.5"], True, None),
            (["1.2", "0.5"], False, "percent"),
            (["1.2%"], False, None),
            (["0"], False, None),
        ],
    )
    def test_percent_or_share_is_asked_unless_the_values_tell(
        self, values: list[str], asked: bool, unit: str | None
    ) -> None:
        profile = table("person id|commission rate", *[f"1|{value}" for value in values])
        proposal = propose("commission_rates", profile, currency="USD")
        assert [question.setting for question in proposal.questions] == (["rate_unit"] if asked else [])
        rate = proposal.mapping.rule("rate")
        assert rate
        assert rate.rate_unit == unit

    def test_the_sign_beside_amounts_says_the_currency_or_is_asked_about(self) -> None:
        def proposed(*amounts: str) -> Proposal:
            rows = [f"{number}|{amount}" for number, amount in enumerate(amounts)]
            return propose("deals", table("deal id|amount", *rows), currency="USD")

        assert proposed("5", "6").mapping.rule("currency") == FieldRule("currency", constant="USD")
        assert proposed("$5", "6").mapping.rule("currency") == FieldRule("currency", constant="USD")
        assert proposed("€5", "6").mapping.rule("currency") == FieldRule("currency", constant="EUR")
        kroner = proposed("kr 5", "6")
        assert kroner.mapping.rule("currency") is None
        (question,) = kroner.questions
        assert [option.value for option in question.options] == ["DKK", "ISK", "NOK", "SEK"]
        amount = answer(kroner.mapping, question, "SEK").rule("amount")
        assert amount
        assert amount.currency == "SEK"
        assert proposed("€5", "$6").mapping.rule("currency") is None

    def test_what_will_go_to_the_shelf_is_remarked(self) -> None:
        profile = table("deal id|amount|currency", "1|5.5|", "2|0.125|", "3|€7|")
        mapping = Mapping(
            "deals",
            (
                FieldRule("external_id", column="deal id"),
                FieldRule("amount", column="amount"),
                FieldRule("currency", constant="USD"),
            ),
        )
        assert [(note.code, note.where) for note in remarks(mapping, profile)] == [
            ("needed-to-create", ""),
            ("money-decimals", "amount"),
            ("money-other-currency", "amount"),
        ]


class TestProposals:
    def test_values_outweigh_headers(self) -> None:
        profile = table("id|created|close date", "1|yes|soon", "2|no|later")
        assert columns(propose("deals", profile, currency="USD")) == {"external_id": "id"}

    def test_typing_errors_and_run_together_words_are_understood(self) -> None:
        profile = table("OpportunityID|Acount Name|DealStage|closedate", "1|Acme|Won|2017-03-01")
        assert columns(propose("deals", profile, currency="USD")) == {
            "external_id": "OpportunityID",
            "account": "Acount Name",
            "stage": "DealStage",
            "closed_on": "closedate",
        }

    @pytest.mark.parametrize(
        "header", ["value", "Value", "Value (EUR)", "deal_value_usd", "Contract Value", "Total value", "Net value"]
    )
    def test_a_value_is_the_amount_of_a_deal(self, header: str) -> None:
        profile = table(f"deal|owner|{header}|stage", "Big|Ana|1,200.50|Won", "Small|Ana|80.00|Lost")
        assert columns(propose("deals", profile, currency="USD"))["amount"] == header

    def test_a_value_is_what_a_lead_may_be_worth(self) -> None:
        profile = table("lead|company|value|status", "Bud|Acme|1,200.50|new")
        assert columns(propose("leads", profile, currency="USD"))["estimated"] == "value"

    def test_an_amount_goes_before_an_amount_in_a_currency(self) -> None:
        profile = table("deal|amount_usd|amount|stage", "Big|1.00|2.00|Won")
        assert columns(propose("deals", profile, currency="EUR"))["amount"] == "amount"

    def test_chinese_headers_are_understood(self) -> None:
        profile = table("商机编号|商机名称|客户|金额|阶段|成交日期", "1|Big|Acme|5|Won|2017年3月1日")
        assert guess_kinds(profile.headers)[0].kind == "deals"
        assert columns(propose("deals", profile, currency="CNY")) == {
            "external_id": "商机编号",
            "name": "商机名称",
            "account": "客户",
            "amount": "金额",
            "stage": "阶段",
            "closed_on": "成交日期",
        }

    def test_addresses_are_found_by_their_look(self) -> None:
        assert columns(propose("people", table("name|login", "Ann|ann@x.com", "Bob|bob@x.com"), currency="USD")) == {
            "name": "name",
            "email": "login",
        }

    def test_columns_without_use_are_listed_and_reasons_are_given(self) -> None:
        proposal = propose("deals", table("id|amount|shoe size", "1|5|42"), currency="USD")
        assert proposal.unused == ("shoe size",)
        assert [(reason.field, reason.reason.text()) for reason in proposal.reasons] == [
            ("external_id", "The header “id” is a usual word for “Id in the source”."),
            ("amount", "The header “amount” is a usual word for “Amount”."),
        ]

    def test_a_table_of_anything_is_proposed_for_every_kind_without_an_error(self) -> None:
        strange: list[Any] = ["", "Column 1", "{x}", "=1+1", "é" * 100, "\u200b", "1"]
        profile = table("|".join(strange), "|".join("x" for _header in strange))
        for kind in KINDS:
            proposal = propose(kind, profile, currency="USD")
            assert all(question.options for question in proposal.questions)
        assert len(guess_kinds([])) == sum(kind.is_for_files for kind in KINDS.values())


class TestProfiles:
    def test_one_clear_day_far_down_still_settles_a_column(self) -> None:
        rows = [f"{number}|01/02/2017|1.234|word" for number in range(21_000)]
        profile = table("id|day|amount|text", *rows, "x|25/12/2017|12,5|word")
        day, amount = profile.column("day"), profile.column("amount")
        assert day
        assert amount
        assert day.dates.format == "dmy"
        assert day.dates.excluded[next(iter(day.dates.excluded))].sighting == (21_002, "25/12/2017")
        assert amount.numbers.mark == "comma"
        assert profile.rows == 21_001

    def test_rows_that_could_not_be_divided_are_counted_only(self) -> None:
        from salesops.values.outcomes import Problem

        bad = Row(3, ("x",), Checkpoint(0, 4, 2), (Problem("bad", "bad"),))
        profile = profile_of(["a", "b"], [Row(2, ("1", "2"), Checkpoint(0, 3, 1)), bad])
        assert (profile.rows, profile.unusable) == (2, 1)
        assert [column.filled for column in profile.columns] == [1, 1]
