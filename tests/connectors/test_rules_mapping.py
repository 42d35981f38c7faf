"""Mappings: stored and read back, checked, recognised by headers; templates; kinds and fields."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.connectors.rules import templates
from salesops.connectors.rules.dates import DateFormat
from salesops.connectors.rules.fields import ANY_KEY, KINDS, LOOKUP_KEYS, FieldType
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit, Unknown, Write, header_words, signature
from salesops.connectors.rules.numbers import DecimalMark
from salesops.values.periods import PeriodKind

FULL = Mapping(
    "quotas",
    (
        FieldRule("person", column="person_id", lookup_by="external_id", on_unknown=Unknown.EMPTY),
        FieldRule(
            "period",
            column="quota_date",
            date_format=DateFormat.DMY,
            pivot=50,
            shift_months=73,
            snap=PeriodKind.QUARTER,
            period_kind=PeriodKind.QUARTER,
            fiscal_start_month=4,
        ),
        FieldRule(
            "amount",
            column="sales_quota",
            decimal=DecimalMark.COMMA,
            multiplier=Decimal("1000"),
            is_rounded=True,
            blank_words=("tbd",),
            when_blank="0",
            write=Write.IF_EMPTY,
        ),
        FieldRule("currency", constant="USD", currency="EUR"),
        FieldRule("measure", template="{kind}[ – {sub}]"),
    ),
)


def test_a_mapping_survives_storage() -> None:
    plain = json.loads(json.dumps(FULL.as_plain()))
    assert Mapping.from_plain(plain).unwrap() == FULL
    assert plain["rules"][0] == {
        "field": "person",
        "column": "person_id",
        "lookup_by": "external_id",
        "on_unknown": "empty",
    }


def test_a_mapping_knows_its_columns_and_whether_a_file_has_them() -> None:
    assert FULL.columns == ("person_id", "quota_date", "sales_quota", "kind", "sub")
    assert FULL.fits(["sub", "kind", "sales_quota", "quota_date", "person_id", "more"])
    assert not FULL.fits(["kind", "sales_quota", "quota_date", "person_id"])


def test_rules_are_replaced_added_and_taken_out() -> None:
    changed = FULL.with_rule(FieldRule("currency", constant="EUR")).without("measure")
    assert changed.rule("currency") == FieldRule("currency", constant="EUR")
    assert changed.rule("measure") is None
    assert len(changed.rules) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "nonsense"},
        {"kind": 5},
        {"version": 99},
        {"rules": "x"},
        {"rules": [5]},
        {"rules": [{"field": "nonsense", "column": "a"}]},
        {"rules": [{"field": "person"}]},
        {"rules": [{"field": "person", "column": " "}]},
        {"rules": [{"field": "person", "column": "a", "constant": "b"}]},
        {"rules": [{"field": "person", "column": "a", "nonsense": 1}]},
        {"rules": [{"field": "person", "column": "a" * 400}]},
        {"rules": [{"field": "person", "column": "a\0"}]},
        {"rules": [{"field": "person", "column": "a", "lookup_by": "shoe size"}]},
        {"rules": [{"field": "person", "column": "a", "on_unknown": "create"}]},
        {"rules": [{"field": "person", "column": "a", "on_unknown": "perhaps"}]},
        {"rules": [{"field": "person", "column": "a"}, {"field": "person", "column": "b"}]},
        {"rules": [{"field": "person", "column": "a", "clears": True}]},
        {"rules": [{"field": "amount", "column": "a", "lookup_by": "name"}]},
        {"rules": [{"field": "amount", "column": "a", "multiplier": "0"}]},
        {"rules": [{"field": "amount", "column": "a", "multiplier": "NaN"}]},
        {"rules": [{"field": "amount", "column": "a", "multiplier": 1.5}]},
        {"rules": [{"field": "amount", "column": "a", "decimal": "dot"}]},
        {"rules": [{"field": "amount", "column": "a", "currency": "XXX"}]},
        {"rules": [{"field": "amount", "column": "a", "shift_months": 1}]},
        {"rules": [{"field": "period", "column": "a", "shift_months": 1.5}]},
        {"rules": [{"field": "period", "column": "a", "shift_months": 10**9}]},
        {"rules": [{"field": "period", "column": "a", "fiscal_start_month": 13}]},
        {"rules": [{"field": "period", "column": "a", "pivot": True}]},
        {"rules": [{"field": "period", "column": "a", "snap": "week"}]},
        {"rules": [{"field": "amount", "column": "a", "is_rounded": "yes"}]},
        {"rules": [{"field": "amount", "column": "a", "blank_words": "x"}]},
        {"rules": [{"field": "amount", "column": "a", "choices": [["x"]]}]},
        {"rules": [{"field": "amount", "column": "a", "choices": [["x", "y"]]}]},
        {"rules": [{"field": "measure", "template": "{a"}]},
        {"rules": [{"field": "measure", "constant": str(number)} for number in range(9)]},
    ],
)
def test_what_is_no_mapping_is_refused_with_problems(change: dict[str, Any]) -> None:
    outcome = Mapping.from_plain({**FULL.as_plain(), **change})
    assert outcome.value is None
    assert outcome.problems


def test_every_problem_of_a_mapping_is_found() -> None:
    rules = [{"field": "person", "column": "a", "x": 1, "pivot": "y"}, {"field": "amount"}, {"field": "nonsense"}]
    outcome = Mapping.from_plain({**FULL.as_plain(), "rules": rules})
    assert [problem.where for problem in outcome.problems] == ["person", "person", "amount", "nonsense"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(list(FieldRule("person").__dataclass_fields__)), JSON)
@settings(max_examples=150)
def test_no_posted_mapping_raises(plain: Any, option: str, value: Any) -> None:
    Mapping.from_plain(plain)
    for field in ("person", "period", "amount"):
        Mapping.from_plain({"version": 1, "kind": "quotas", "rules": [{"field": field, "column": "a", option: value}]})


def test_what_is_still_missing_is_told() -> None:
    def missing(kind: str, *codes: str) -> list[str]:
        mapping = Mapping(kind, tuple(FieldRule(code, column=code) for code in codes))
        assert all(problem.remedy for problem in mapping.missing())
        return [dict(problem.params)["field"] for problem in mapping.missing()]

    assert missing("quotas") == ["Person", "Period", "Quota"]
    assert missing("quotas", "person", "period", "amount") == []
    assert missing("people", "email") == ["Name / First name + Last name"]
    assert missing("people", "first_name", "last_name") == []
    assert missing("commission_rates", "person", "plan", "start_on") == ["Personal rate / Target pay of a period"]
    assert missing("deals", "name") == ["Id in the source"]
    assert missing("contacts", "first_name", "last_name", "account") == []


class TestHeaders:
    def test_words_of_a_header(self) -> None:
        assert (
            header_words("dealStage") == header_words("Deal stage ") == header_words("deal_stage") == ("deal", "stage")
        )
        assert header_words("HTTPCode2") == ("http", "code2")
        assert header_words("公司名称") == ("公司名称",)

    def test_a_saved_mapping_is_recognised_by_its_headers(self) -> None:
        assert signature(["Deal Stage", "amount"]) == signature(["Amount", "deal_stage"])
        assert signature(["Deal Stage", "amount"]) != signature(["Deal Stage", "amount", "more"])
        assert len(signature([])) == 32


class TestTemplates:
    def fill(self, template: str, **values: str) -> str:
        return templates.parse(template).unwrap().fill(values)

    def test_blocks_whose_column_is_blank_are_left_out(self) -> None:
        assert self.fill("[{account} – ]{product}", account="Acme", product="GTX") == "Acme – GTX"
        assert self.fill("[{account} – ]{product}", account=" ", product="GTX") == "GTX"
        assert self.fill("[{account} – ]{product}", account="Acme", product="") == ""

    def test_filters(self) -> None:
        assert self.fill("{name|dotted}@x.com", name=" José  Saraiva-Núñez ") == "jose.saraiva.nunez@x.com"
        assert self.fill("{a|lower}{a|upper}", a="Ab") == "abAB"
        assert self.fill("{name|dotted}@x.com", name=" - ") == ""

    @pytest.mark.parametrize("wrong", ["{a", "a}", "[a", "a]", "[[{a}]]", "{a|nonsense}", "plain", "", "{}", "x" * 400])
    def test_what_is_no_template_is_told(self, wrong: str) -> None:
        assert [problem.code for problem in templates.parse(wrong).problems] == ["template"]

    def test_unknown_columns_are_told(self) -> None:
        assert templates.parse("{a} {b}", ["a", "b"]).is_ok
        assert not templates.parse("{a} {c}", ["a", "b"]).is_ok

    @given(st.text("ab{}[]|lower –", max_size=40))
    def test_no_template_raises(self, text: str) -> None:
        outcome = templates.parse(text)
        if outcome.value:
            outcome.value.fill(dict.fromkeys(outcome.value.columns, "x"))


class TestKinds:
    def test_the_tables_of_fields_are_consistent(self) -> None:
        for kind in KINDS.values():
            codes = [field.code for field in kind.fields]
            assert len(codes) == len(set(codes)), kind.code
            for group in (*kind.identities, *(codes_of for need in kind.needs for codes_of in need)):
                assert set(group) <= set(codes), kind.code
            for field in kind.fields:
                assert (field.lookup is not None) == (field.type is FieldType.LOOKUP)
                assert bool(field.choices) == (field.type is FieldType.CHOICE)
                assert ANY_KEY not in LOOKUP_KEYS.get(field.lookup, ())  # type: ignore[arg-type]
                assert kind.field(field.code) is field
            has_money = any(field.type is FieldType.MONEY for field in kind.fields)
            assert has_money == ("currency" in codes), kind.code
            assert all(kind.field(code).label for code in codes)  # type: ignore[union-attr]

    def test_choices_are_those_of_the_rooms_that_keep_them(self) -> None:
        from salesops.accounts.choices import AccountStatus
        from salesops.commissions.choices import TransactionKind
        from salesops.leads.choices import LeadOrigin, LeadStatus
        from salesops.people.choices import JobFunction, RoleChoice

        def codes(kind: str, code: str) -> set[str]:
            field = KINDS[kind].field(code)
            assert field
            return {choice.code for choice in field.choices}

        assert codes("people", "role") == set(RoleChoice.values)
        assert codes("people", "function") == codes("pod_memberships", "function") == set(JobFunction.values)
        assert codes("accounts", "status") == set(AccountStatus.values)
        assert codes("leads", "status") == set(LeadStatus.values)
        assert codes("leads", "origin") == set(LeadOrigin.values)
        assert codes("transactions", "kind") == set(TransactionKind.values)

    def test_texts_fit_the_columns_that_keep_them(self) -> None:
        from django.apps import apps
        from django.core.exceptions import FieldDoesNotExist

        models = {
            "people": "people.User",
            "accounts": "accounts.Account",
            "contacts": "accounts.Contact",
            "leads": "leads.Lead",
            "products": "deals.Product",
            "deals": "deals.Deal",
            "territories": "pods.Territory",
            "pods": "pods.Pod",
            "quotas": "commissions.Quota",
            "transactions": "commissions.Transaction",
        }
        compared = 0
        for code, label in models.items():
            for field in KINDS[code].fields:
                try:
                    column = apps.get_model(label)._meta.get_field(field.code)
                except FieldDoesNotExist:
                    continue
                if field.type is FieldType.TEXT and not column.is_relation:
                    assert field.max_length <= column.max_length, (code, field.code)
                    compared += 1
        assert compared > 30


def test_a_rate_unit_is_read_back() -> None:
    plain = {
        "version": 1,
        "kind": "commission_rates",
        "rules": [{"field": "rate", "column": "a", "rate_unit": "fraction"}],
    }
    rule = Mapping.from_plain(plain).unwrap().rule("rate")
    assert rule
    assert rule.rate_unit is RateUnit.FRACTION
