"""Names found loosely and visibly: only what is the same or was confirmed is used, the rest is proposed."""

from __future__ import annotations

import csv
import time

from hypothesis import given
from hypothesis import strategies as st

from salesops.connectors.rules.matching import Candidate, How, Matcher, squeezed
from tests.connectors.shared_data import shared

PRODUCTS = [Candidate(1, "GTX Pro"), Candidate(2, "GTX Plus Pro"), Candidate(3, "GTX Basic"), Candidate(4, "GTK 500")]
COMPANIES = [
    Candidate(10, "Acme Corporation"),
    Candidate(11, "Globex GmbH"),
    Candidate(12, "Initech Ltd"),
    Candidate(13, "Initech Inc"),
    Candidate(14, "Massive Dynamic"),
]


def test_the_same_name_is_used_at_once() -> None:
    for text in ("GTX Pro", " gtx  pro ", "ＧＴＸ Pro"):
        match = Matcher(PRODUCTS).match(text)
        assert (match.how, match.key, match.is_settled, match.problem()) == (How.EXACT, 1, True, None)


def test_another_spelling_is_proposed_and_not_used() -> None:
    match = Matcher(PRODUCTS).match("GTXPro")
    assert (match.how, match.key, match.name) == (How.SPELLING, 1, "GTX Pro")
    assert not match.is_settled
    assert match.is_proposal
    problem = match.problem()
    assert problem
    assert problem.code == "lookup-proposed"
    assert problem.text().startswith("“GTXPro” is probably “GTX Pro”")
    assert problem.remedy


def test_what_was_confirmed_once_is_used_from_then_on() -> None:
    match = Matcher(PRODUCTS, {"GTXPro": 1}).match("gtxpro")
    assert (match.how, match.key, match.is_settled) == (How.CONFIRMED, 1, True)
    assert Matcher(PRODUCTS, {"GTXPro": 99}).match("GTXPro").how is How.SPELLING


def test_what_was_rejected_once_is_not_proposed_again() -> None:
    match = Matcher(PRODUCTS, {"GTXPro": None}).match("GTXPro")
    assert (match.how, match.key) == (How.NONE, None)


def test_the_same_name_wins_over_what_was_confirmed() -> None:
    assert Matcher(PRODUCTS, {"GTX Basic": 1}).match("GTX Basic").key == 3


def test_another_legal_form_is_proposed() -> None:
    match = Matcher(COMPANIES).match("Globex Inc.")
    assert (match.how, match.key) == (How.FORM, 11)
    assert Matcher(COMPANIES, has_legal_forms=False).match("Globex Inc.").how is not How.FORM


def test_a_typing_error_is_proposed_with_its_likeness() -> None:
    match = Matcher(COMPANIES).match("Masive Dynamics")
    assert (match.how, match.key) == (How.SIMILAR, 14)
    problem = match.problem()
    assert problem
    assert "93 % alike" in problem.text()


def test_several_that_fit_are_never_chosen_from() -> None:
    match = Matcher(COMPANIES).match("Initech")
    assert (match.how, match.key) == (How.AMBIGUOUS, None)
    assert {rival.key for rival in match.rivals} == {12, 13}
    problem = match.problem()
    assert problem
    assert problem.code == "lookup-ambiguous"
    assert "Initech Ltd (#12)" in problem.text()
    twins = Matcher([Candidate(1, "Friendly Bike Shop"), Candidate(2, "Friendly Bike Shop")])
    assert twins.match("Friendly Bike Shop").how is How.AMBIGUOUS
    assert Matcher([*twins._candidates([1, 2])], {"Friendly Bike Shop": 2}).match("Friendly Bike Shop").key == 2


def test_case_decides_between_names_that_differ_in_nothing_else() -> None:
    assert Matcher([Candidate(1, "dambase"), Candidate(2, "Dambase")]).match("Dambase").key == 2


def test_other_numbers_are_other_things() -> None:
    assert Matcher(PRODUCTS).match("GTK 600").how is How.NONE
    assert Matcher(PRODUCTS).match("GTK500").key == 4


def test_near_names_of_two_records_are_asked_about() -> None:
    match = Matcher([Candidate(1, "Northwind Traders A"), Candidate(2, "Northwind Traders B")]).match(
        "Northwind Traders C"
    )
    assert match.how is How.AMBIGUOUS


def test_the_unlike_is_not_found() -> None:
    for text in ("", "  ", "Zz", "Wayne Enterprises", "GTX"):
        match = Matcher(PRODUCTS + COMPANIES).match(text)
        assert (match.how, match.key) == (How.NONE, None)
        problem = match.problem()
        assert problem
        assert problem.code == "lookup-unknown"


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=6))
def test_no_text_raises_and_nothing_loose_is_ever_settled(text: str, names: list[str]) -> None:
    matcher = Matcher([Candidate(number, name) for number, name in enumerate(names)])
    match = matcher.match(text)
    if match.is_settled:
        assert match.how is How.EXACT
        assert squeezed(match.name) == squeezed(text)
    match.problem()


def test_in_the_pipeline_only_one_product_needs_a_confirmation() -> None:
    def column(file: str, name: str) -> list[str]:
        with shared(f"maven_crm/{file}").open(newline="") as lines:
            return [row[name] for row in csv.DictReader(lines)]

    products = Matcher(Candidate(number, name) for number, name in enumerate(column("products.csv", "product")))
    sold = column("sales_pipeline.csv", "product")
    proposals = {name: products.match(name) for name in set(sold) if not products.match(name).is_settled}
    assert {name: match.name for name, match in proposals.items()} == {"GTXPro": "GTX Pro"}
    assert sold.count("GTXPro") == 1480
    accounts = Matcher(Candidate(number, name) for number, name in enumerate(column("accounts.csv", "account")))
    assert all(accounts.match(name).is_settled for name in set(column("sales_pipeline.csv", "account")) if name)


def test_many_candidates_cost_little() -> None:
    matcher = Matcher(Candidate(number, f"Company {number:05d} of the North") for number in range(20_000))
    began = time.process_time()
    for number in range(20):
        assert matcher.match(f"Company {number:05d} of the  north").is_settled
        matcher.match(f"Compny {number:05d} of the Nrth")
    assert time.process_time() - began < 2
