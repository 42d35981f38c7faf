"""Outcomes: problems travel as values, with words for people and a code for programs."""

import json

import pytest

from salesops.values.outcomes import Outcome, OutcomeError, Problem

NOBODY = Problem.of(
    "nobody", "Nobody is credited for %(deal)s.", where="line 3", remedy="Give %(deal)s an owner.", deal="D-1"
)


def test_a_problem_speaks_and_can_be_translated() -> None:
    assert str(NOBODY) == "line 3: Nobody is credited for D-1."
    assert NOBODY.remedy_text() == "Give D-1 an owner."
    assert NOBODY.text({"Nobody is credited for %(deal)s.": "%(deal)s: niemand"}.__getitem__) == "D-1: niemand"
    assert Problem("plain", "100% sure").text() == "100% sure"


def test_a_problem_survives_json() -> None:
    assert Problem.from_plain(json.loads(json.dumps(NOBODY.as_plain()))) == NOBODY


def test_an_outcome_gives_its_value_or_says_why_not() -> None:
    assert Outcome.good(0).unwrap() == 0
    assert Outcome.good(1, [NOBODY]).unwrap() == 1
    assert not Outcome.good(1, [NOBODY]).is_ok
    with pytest.raises(OutcomeError, match="Nobody is credited for D-1"):
        Outcome[int].bad(NOBODY).unwrap()
    with pytest.raises(OutcomeError):
        Outcome[int].bad()


def test_steps_add_up_their_problems_and_stop_without_a_value() -> None:
    doubled = Outcome.good(2, [NOBODY]).then(lambda value: Outcome.good(value * 2, [Problem("odd", "Odd.")]))
    assert doubled.value == 4
    assert [problem.code for problem in doubled.problems] == ["nobody", "odd"]
    assert Outcome[int].bad(NOBODY).then(lambda value: Outcome.good(value * 2)) == Outcome(None, (NOBODY,))
