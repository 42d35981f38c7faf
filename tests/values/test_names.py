"""Names that mean the same company fold to the same text, and names that differ stay apart."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salesops.values.names import MATCH_NAME_LENGTH, fold_name, match_name


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Acme Corporation", "acme"),
        ("ACME, Inc.", "acme"),
        ("  acme\tINC ", "acme"),
        ("Ａｃｍｅ Ｌｔｄ．", "acme"),
        ("Gekko & Co", "gekko"),
        ("Gekko and Company, LLC", "gekko"),
        ("Müller GmbH & Co. KG", "müller"),
        ("Strauß G.m.b.H.", "strauss"),
        ("Foods S. A.", "foods"),
        ("Luxe S.à r.l.", "luxe"),
        ("Bar sp. z o.o.", "bar"),
        ("J. P. Morgan", "jp morgan"),
        ("J.P. Morgan Co.", "jp morgan"),
        ("O’Reilly Pty Ltd", "oreilly"),
        ("O'Reilly", "oreilly"),
        ("Amazon.com, Inc.", "amazon com"),
        ("Kan-code", "kan code"),
        ("上海示例科技有限公司", "上海示例科技"),
        ("上海示例科技股份有限公司", "上海示例科技"),
        ("台灣範例股份有限公司", "台灣範例"),
        ("株式会社サンプル", "サンプル"),
        ("サンプル㈱", "サンプル"),
        ("Sample Co., Ltd.", "sample"),
        ("Vitamin E Ltd", "vitamin e"),
        ("Limited", "limited"),
        ("Company Inc", "company"),
        ("有限公司", "有限公司"),
        ("The New York Inquirer", "the new york inquirer"),
        ("!!!", "!!!"),
        ("", ""),
        ("  \n", ""),
    ],
)
def test_a_company_is_compared_without_case_signs_and_legal_form(written: str, folded: str) -> None:
    assert match_name(written) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bioplex", "Bioholding"),
        ("Resume Ltd", "Résumé Ltd"),
        ("カキ", "ガキ"),
        ("Scotfind", "Scottech"),
        ("Xx-holding", "Xx-zobam"),
        ("Group One", "Group Two"),
        ("Incorporate Fast", "Fast"),
    ],
)
def test_different_companies_stay_apart(one: str, other: str) -> None:
    assert match_name(one) != match_name(other)


def test_a_persons_name_keeps_every_word() -> None:
    assert fold_name("Elena  CO") == "elena co"
    assert fold_name("Anne-Marie d'Arc") == "anne marie darc"


@given(st.text(max_size=300))
@example("x " * 150)
@example("ﷺ" * 20)
@example("foo & co & co")
@example("(株)")
@example("İİ")
def test_folding_twice_changes_nothing_and_always_fits(text: str) -> None:
    folded = match_name(text)
    assert match_name(folded) == folded
    assert len(folded) <= MATCH_NAME_LENGTH
    assert bool(folded) == bool(text.strip()) or not fold_name(text)


@given(st.text(alphabet="abcé 好", min_size=1, max_size=40), st.sampled_from([" Inc", ", Ltd.", " GmbH", " & Co. KG"]))
def test_a_legal_form_never_matters(name: str, form: str) -> None:
    if fold_name(name):
        assert match_name(name + form) == match_name(name)
