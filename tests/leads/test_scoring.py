"""Scores by rules: points, fading, limits, grades, what would change them; and the same for many leads in columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.leads.rules.fields import OF_A_LEAD, Known, domain_of
from salesops.leads.rules.score_columns import SignalColumns, microseconds, moment_of, score_in
from salesops.leads.rules.scoring import (
    Change,
    Line,
    Part,
    Scheme,
    Score,
    Signal,
    changes,
    faded,
    scheme_of,
    score,
)
from salesops.values.calculator import ColumnsError, open_calculator
from tests.leads.gtm_cases import case_of

AT = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
KINDS = ("visit", "opened", "demo", "unsubscribed")


def rule(position: int, points: int, **given: Any) -> dict[str, Any]:
    is_fit = "signal" not in given
    return {
        "position": position,
        "part": "fit" if is_fit else "engagement",
        "name": f"Rule {position}",
        "points": points,
        "condition": "",
        "signal": "",
        "group": "",
        "most_times": None,
    } | given


def plain(*rules: dict[str, Any], groups: dict[str, int] | None = None, **numbers: int) -> dict[str, Any]:
    return {
        "fit_limit": 100,
        "fit_a": 60,
        "fit_b": 30,
        "engagement_limit": 100,
        "engagement_1": 50,
        "engagement_2": 20,
        "keep_percent": 50,
        "fading_days": 30,
        "window_days": 90,
        "rules": list(rules),
        "groups": [{"name": name, "limit": limit} for name, limit in (groups or {}).items()],
    } | numbers


def scheme(*rules: dict[str, Any], groups: dict[str, int] | None = None, **numbers: int) -> Scheme:
    return scheme_of(plain(*rules, groups=groups, **numbers)).unwrap()


def problems(*rules: dict[str, Any], groups: dict[str, int] | None = None, **numbers: int) -> list[tuple[str, str]]:
    outcome = scheme_of(plain(*rules, groups=groups, **numbers))
    return [(problem.where, problem.code) for problem in outcome.problems]


def facts(**given: Any) -> dict[str, Any]:
    return dict.fromkeys(OF_A_LEAD) | {"exponent": 2, "has_phone": False} | given


def ago(kind: str, days: float, number: int = 0) -> Signal:
    return Signal(kind, AT - timedelta(days=days), number)


def lines(half: Any) -> list[tuple[int, int, int]]:
    return [(line.number, line.points, line.times) for line in half.lines]


# --- Points --------------------------------------------------------------------------------------------------------


def test_conditions_that_hold_give_their_points() -> None:
    rules = scheme(
        rule(1, 40, condition='country IN ("Germany", "France")'),
        rule(2, 25, condition="employees >= 200"),
        rule(3, 10, condition="value > 50000"),
        rule(4, -30, condition='domain IN ("gmail.com")'),
        rule(5, 5, condition="has_phone"),
    )
    found = score(
        rules, facts(country="germany", employees=200, value=5_000_000, domain="gmail.com", has_phone=True), [], AT
    )
    assert lines(found.fit) == [(1, 4000, 1), (2, 2500, 1), (4, -3000, 1), (5, 500, 1)]
    assert (found.fit.total, found.engagement.total, found.grade, found.fades_at) == (4000, 0, "B3", None)


def test_a_signal_keeps_its_share_for_each_whole_period_and_is_then_forgotten() -> None:
    rules = scheme(rule(1, 10, signal="visit"))

    def points(days: float) -> tuple[int, int]:
        found = score(rules, facts(), [ago("visit", days)], AT)
        return found.engagement.total, sum(line.times for line in found.engagement.lines)

    just = 1 / 86_400
    assert [points(days) for days in (0, 30 - just, 30, 60 - just, 60, 90 - just, 90, 400)] == [
        (1000, 1),
        (1000, 1),
        (500, 1),
        (500, 1),
        (250, 1),
        (250, 1),
        (0, 0),
        (0, 0),
    ]


def test_hundredths_are_rounded_once_halves_away_from_zero() -> None:
    assert [faded(10, weeks, 75) for weeks in range(5)] == [1000, 750, 563, 422, 316]
    assert [faded(-10, weeks, 75) for weeks in range(5)] == [-1000, -750, -563, -422, -316]
    # 1.125 hundredths, and 0.5: rounding step by step would give other numbers.
    assert (faded(1, 3, 50), faded(3, 9, 50), faded(7, 40, 100), faded(1, 1, 1), faded(-1, 1, 1)) == (13, 1, 700, 1, -1)


def test_of_more_signals_than_count_the_newest_do() -> None:
    rules = scheme(rule(1, 10, signal="visit", most_times=2))
    visits = [ago("visit", 40), ago("visit", 1), ago("visit", 31), ago("visit", 70)]
    found = score(rules, facts(), visits, AT)
    assert found.engagement.lines == (
        Line(1, 1500, 2, ((AT - timedelta(days=1), 1000), (AT - timedelta(days=31), 500))),
    )


def test_a_signal_counts_only_while_the_rules_condition_holds() -> None:
    rules = scheme(rule(1, 10, signal="visit", condition="employees > 50"), rule(2, 1, signal="visit"))
    assert lines(score(rules, facts(employees=51), [ago("visit", 1)], AT).engagement) == [(1, 1000, 1), (2, 100, 1)]
    assert lines(score(rules, facts(employees=50), [ago("visit", 1)], AT).engagement) == [(2, 100, 1)]
    assert lines(score(rules, facts(), [ago("visit", 1), ago("demo", 1)], AT).engagement) == [(2, 100, 1)]


def test_a_signal_told_ahead_of_time_counts_once_it_has_happened() -> None:
    rules = scheme(rule(1, 60, signal="demo"))
    found = score(rules, facts(), [ago("demo", -1)], AT)
    assert (found.engagement.total, found.engagement.lines, found.fades_at) == (0, (), AT + timedelta(days=1))
    assert score(rules, facts(), [ago("demo", -1)], AT + timedelta(days=1)).engagement.total == 6000


# --- Limits and grades ---------------------------------------------------------------------------------------------


def test_groups_and_halves_have_limits_and_what_they_took_off_is_said() -> None:
    rules = scheme(
        rule(1, 50, signal="visit", group="marketing"),
        rule(2, 70, signal="demo", group="sales"),
        rule(3, 20, signal="opened"),
        rule(4, 80, condition="has_phone", group="who"),
        rule(5, 90, condition="employees > 0"),
        groups={"marketing": 40, "sales": 60, "who": 75},
    )
    found = score(rules, facts(has_phone=True, employees=1), [ago("visit", 0), ago("demo", 0), ago("opened", 0)], AT)
    assert found.engagement.taken == {"marketing": 1000, "sales": 1000}
    assert (found.engagement.total, found.engagement.over) == (10_000, 2000)
    assert (found.fit.taken, found.fit.total, found.fit.over) == ({"who": 500}, 10_000, 6500)
    assert found.parts() == {
        "fit": [[4, 8000, 1], [5, 9000, 1]],
        "engagement": [[1, 5000, 1], [2, 7000, 1], [3, 2000, 1]],
        "groups": {"who": 500, "marketing": 1000, "sales": 1000},
        "over": [6500, 2000],
    }


def test_negative_points_count_down_to_minus_the_limit() -> None:
    rules = scheme(
        rule(1, -80, signal="unsubscribed", group="mail"),
        rule(2, 50, signal="opened", group="mail"),
        groups={"mail": 40},
    )
    gone = [ago("unsubscribed", 0, number) for number in range(3)]
    found = score(rules, facts(), gone, AT)
    assert (found.engagement.total, found.engagement.over, found.engagement.taken) == (-10_000, -14_000, {})
    # Within a group they count before its limit.
    found = score(rules, facts(), [*gone[:1], *(ago("opened", 0, number) for number in range(3))], AT)
    assert (found.engagement.total, found.engagement.taken) == (4000, {"mail": 3000})


@pytest.mark.parametrize(
    ("fit", "engagement", "grade"),
    [
        (6000, 5000, "A1"),
        (5999, 4999, "B2"),
        (3000, 2000, "B2"),
        (2999, 1999, "C3"),
        (-100, 10_000, "C1"),
        (10_000, -1, "A3"),
    ],
)
def test_grades_begin_at_their_edges(fit: int, engagement: int, grade: str) -> None:
    assert scheme(rule(1, 1, condition="has_phone")).grade(fit, engagement) == grade


# --- When it changes, and what would change it ---------------------------------------------------------------------


def test_it_says_when_it_next_changes_by_itself() -> None:
    rules = scheme(rule(1, 10, signal="visit"), rule(2, 0, signal="opened"))
    assert score(rules, facts(), [ago("visit", 29), ago("visit", 31)], AT).fades_at == AT + timedelta(days=1)
    assert score(rules, facts(), [ago("visit", 85)], AT).fades_at == AT + timedelta(days=5)
    assert score(rules, facts(), [ago("visit", 90), ago("opened", 1), ago("demo", 1)], AT).fades_at is None
    # Where nothing fades, signals are forgotten all the same.
    lasting = scheme(rule(1, 10, signal="visit"), keep_percent=100)
    assert score(lasting, facts(), [ago("visit", 29)], AT).fades_at == AT + timedelta(days=61)
    # What has faded to nothing changes nothing when it fades on.
    quick = scheme(rule(1, 1, signal="visit"), keep_percent=1, fading_days=10)
    assert score(quick, facts(), [ago("visit", 10)], AT).fades_at == AT + timedelta(days=10)
    assert score(quick, facts(), [ago("visit", 20)], AT).fades_at is None


@given(st.data())
@settings(max_examples=60)
def test_nothing_changes_before_it_says_so(data: Any) -> None:
    rules = data.draw(any_scheme())
    signals = data.draw(any_signals(1))[0]
    now = score(rules, facts(), signals, AT)
    until = (now.fades_at or AT + timedelta(days=3 * rules.window_days)) - timedelta(microseconds=1)
    assert until >= AT
    later = score(rules, facts(), signals, until)
    assert (later.engagement.total, later.fades_at) == (now.engagement.total, now.fades_at)


def test_the_nearest_ways_to_a_better_grade_are_named() -> None:
    rules = scheme(
        rule(1, 20, condition='origin = "inbound"'),
        rule(2, 5, condition="has_phone"),
        rule(3, 40, condition="employees >= 200"),
        rule(4, 15, condition="value > 1000"),
        rule(5, -50, condition='domain = "gmail.com"'),
        rule(6, 15, signal="visit", most_times=1),
        rule(7, 30, signal="demo"),
        rule(8, 7, signal="opened"),
    )
    found = changes(rules, facts(origin="inbound"), [ago("visit", 1)], AT)
    assert found == [
        Change("B3", 3500, 1500, holds=(4,)),
        Change("A3", 6000, 1500, holds=(3,)),
        Change("C2", 2000, 2200, signal="opened", times=1),
        Change("C2", 2000, 4500, signal="demo", times=1),
    ]
    # A second visit counts nothing; what weighs on the grade is named, too.
    spoilt = changes(rules, facts(origin="inbound", value=200_000, domain="gmail.com"), [ago("demo", 0)], AT)
    assert spoilt == [
        Change("B2", 3500, 3000, ends=(5,)),
        Change("C1", -1500, 6000, signal="demo", times=1),
        Change("C1", -1500, 5100, signal="opened", times=3),
    ]


def test_where_no_single_condition_lifts_the_letter_the_fewest_together_are_named() -> None:
    rules = scheme(
        rule(1, 12, condition="has_phone"),
        rule(2, 14, condition="employees > 0"),
        rule(3, 10, condition="value > 0"),
        rule(4, 9, condition='origin = "inbound"'),
    )
    assert changes(rules, facts(), [], AT) == [Change("B3", 3600, 0, holds=(2, 1, 3))]
    assert changes(scheme(rule(1, 10, condition="has_phone")), facts(), [], AT) == []
    best = scheme(rule(1, 60, condition="has_phone"), rule(2, 9, condition="employees > 0"), rule(3, 50, signal="demo"))
    assert changes(best, facts(has_phone=True), [ago("demo", 0)], AT) == []


def test_a_condition_without_a_value_brings_nothing_and_says_why() -> None:
    rules = scheme(rule(1, 10, condition="100 / employees > 1"), rule(2, 5, condition="has_phone"))
    found = score(rules, facts(employees=0, has_phone=True), [], AT)
    assert lines(found.fit) == [(2, 500, 1)]
    assert {number: problem.code for number, problem in (found.without_value or {}).items()} == {
        1: "formula-divided-by-zero"
    }


# --- What cannot be a scheme ---------------------------------------------------------------------------------------


def test_everything_wrong_with_a_version_is_said_at_once() -> None:
    good = rule(1, 10, condition="has_phone")
    assert problems() == [("", "score-no-rules")]
    assert problems(good) == []
    assert problems(rule(1, 10, condition='contry = "x"'), rule(2, 1, condition="employees")) == [
        ("Rule 1", "formula-field"),
        ("Rule 2", "formula-kind"),
    ]
    assert problems(good, rule(2, 1, signal="visit", most_times=0)) == [("Rule 2", "score-never")]
    assert problems(good | {"group": "x"}) == [("Rule 1", "score-group-unknown")]
    assert problems(good | {"group": "x"}, rule(2, 1, signal="visit", group="x"), groups={"x": 5}) == [
        ("x", "score-group-mixed")
    ]
    assert problems(good, fit_a=30) == [("Fit", "score-edges")]
    assert problems(good, engagement_limit=49) == [("Engagement", "score-edge-unreachable")]
    assert problems(good, fit_limit=100_001) == [("Fit", "score-limit-high")]
    assert problems(*(rule(place, 1, condition="has_phone") for place in range(101))) == [("", "score-many-rules")]


def test_the_domain_of_an_address() -> None:
    assert [domain_of(email) for email in ("a@B.com", "a@b@c.de", "ab.com", "", "a@ ")] == ["b.com", "c.de", "", "", ""]


# --- Figures of the field ------------------------------------------------------------------------------------------


def test_a_quarter_off_in_a_period_of_silence() -> None:
    rules = scheme(rule(1, 1000, signal="visit"), keep_percent=75, engagement_limit=1000)
    assert score(rules, facts(), [ago("visit", 30)], AT).engagement.total == 75_000


def test_three_quarters_kept_a_week_leave_a_fifth_of_a_point_after_thirteen() -> None:
    # The source calls this "75 % monthly decay"; its figures are by the week.
    rules = scheme(rule(1, 10, signal="visit"), keep_percent=75, fading_days=7, window_days=365)
    left = [score(rules, facts(), [ago("visit", 7 * week)], AT).engagement.total for week in (0, 1, 2, 13)]
    assert left == [1000, 750, 563, 24]


def test_a_half_life_as_published() -> None:
    given = case_of("score-55")
    rules = scheme(
        rule(1, 100, signal="visit"), keep_percent=50, fading_days=given["inputs"]["half_life_days"], window_days=90
    )
    newer, older = (
        score(rules, facts(), [ago("visit", days)], AT).engagement.total for days in given["inputs"]["age_days"]
    )
    assert newer == older * given["expected"]["ratio"]


def test_limits_of_groups_as_published() -> None:
    given = case_of("score-56")
    groups = given["inputs"]["group_limits"]
    rules = scheme(
        *(rule(place, 90, signal="visit", group=name) for place, name in enumerate(groups)),
        groups=groups,
        engagement_limit=given["inputs"]["overall_limit"],
    )
    found = score(rules, facts(), [ago("visit", 0, number) for number in range(5)], AT)
    assert found.engagement.total == given["expected"]["max_total"] * 100


def test_a_hand_over_through_two_gates_as_published() -> None:
    # Points through one half, coverage of the buying group through the other: A1 is both gates.
    given = case_of("score-57")
    for row, expected in zip(given["inputs"], given["expected"], strict=True):
        rules = scheme(
            rule(1, round(100 * row["buying_group_coverage"]), condition="TRUE"),
            rule(2, row["score"], signal="demo"),
            fit_a=50,
            engagement_1=100,
            engagement_limit=1000,
        )
        assert (score(rules, facts(), [ago("demo", 0)], AT).grade == "A1") is expected["handover"]


# --- In columns ----------------------------------------------------------------------------------------------------

CONDITIONS = (
    "has_phone",
    "employees >= 200",
    'country = "germany" AND NOT ISBLANK(employees)',
    "value > 1000.50",
    "100 / employees > 1",
    'CONTAINS(title, "head")',
    'domain IN ("gmail.com", "xy.de")',
)
GROUPS = ('a"b', "it's")


@st.composite
def any_scheme(draw: Any) -> Scheme:
    count = draw(st.integers(1, 7))
    rules = []
    for position in range(1, count + 1):
        points = draw(st.integers(-60, 90))
        group = draw(st.sampled_from(["", *GROUPS]))
        if draw(st.booleans()):
            condition = draw(st.sampled_from(CONDITIONS))
            rules.append(rule(position, points, condition=condition, group=f"fit {group}" if group else ""))
        else:
            rules.append(
                rule(
                    position,
                    points,
                    signal=draw(st.sampled_from(KINDS)),
                    condition=draw(st.sampled_from(["", "", *CONDITIONS])),
                    most_times=draw(st.sampled_from([None, None, 1, 2])),
                    group=f"did {group}" if group else "",
                )
            )
    limits = {f"{half} {group}": draw(st.integers(0, 70)) for half in ("fit", "did") for group in GROUPS}
    return scheme(
        *rules,
        groups=limits,
        fit_limit=draw(st.integers(60, 120)),
        engagement_limit=draw(st.integers(50, 120)),
        keep_percent=draw(st.sampled_from([1, 33, 50, 75, 99, 100])),
        fading_days=draw(st.integers(1, 40)),
        window_days=draw(st.integers(1, 120)),
    )


def any_moment() -> st.SearchStrategy[datetime]:
    # Whole days fall on the edges of periods; others between.
    return st.one_of(
        st.integers(-2, 130).map(lambda days: AT - timedelta(days=days)),
        st.integers(-2 * 86_400, 130 * 86_400).map(lambda seconds: AT - timedelta(seconds=seconds, microseconds=1)),
    )


@st.composite
def any_signals(draw: Any, leads: int) -> list[list[Signal]]:
    made = draw(
        st.lists(st.tuples(st.integers(0, leads - 1), st.sampled_from(KINDS), any_moment()), max_size=12 * leads)
    )
    found: list[list[Signal]] = [[] for _lead in range(leads)]
    for number, (lead, kind, moment) in enumerate(made, 1):
        found[lead].append(Signal(kind, moment, number))
    return found


any_facts = st.fixed_dictionaries(
    {
        "has_phone": st.booleans(),
        "employees": st.sampled_from([None, 0, 50, 200]),
        "country": st.sampled_from(["", "Germany", "France"]),
        "value": st.sampled_from([None, 100_050, 100_051]),
        "exponent": st.sampled_from([0, 2]),
        "title": st.sampled_from(["", "Head of sales"]),
        "domain": st.sampled_from(["", "gmail.com", "x'y.de"]),
    }
)


def known_of(leads: Sequence[dict[str, Any]]) -> Known:
    values: dict[str, Any] = {}
    is_known: dict[str, Any] = {}
    for name in ("country", "title", "domain"):
        values[name] = np.empty(len(leads), dtype=object)
        values[name][:] = [lead.get(name) or "" for lead in leads]
    for name in ("employees", "value"):
        values[name] = np.array([lead.get(name) or 0 for lead in leads], dtype=np.int64)
        is_known[name] = np.array([lead.get(name) is not None for lead in leads], dtype=np.bool_)
    values["has_phone"] = np.array([lead["has_phone"] for lead in leads], dtype=np.bool_)
    return Known(
        np.arange(100, 100 + len(leads), dtype=np.int64),
        np.array([lead["exponent"] for lead in leads], dtype=np.int64),
        values,
        is_known,
    )


def columns_of(signals: Sequence[Sequence[Signal]]) -> SignalColumns:
    rows = [
        (100 + lead, KINDS.index(each.kind), microseconds(each.happened_at), each.number)
        for lead, own in enumerate(signals)
        for each in own
    ]
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 4)
    return SignalColumns(KINDS, *(np.ascontiguousarray(table[:, place]) for place in range(4)))


def in_columns(rules: Scheme, leads: Sequence[dict[str, Any]], signals: Sequence[Sequence[Signal]]) -> list[Any]:
    with open_calculator() as calculator:
        score_in(calculator, rules, known_of(leads), columns_of(signals), AT)
        found = calculator.execute(
            "SELECT lead, fit, engagement, grade, parts, fades FROM scored ORDER BY lead"
        ).fetchall()
    return [
        (lead - 100, fit, engagement, grade, json.loads(parts), None if fades is None else moment_of(fades))
        for lead, fit, engagement, grade, parts, fades in found
    ]


def as_row(place: int, found: Score) -> tuple[Any, ...]:
    return place, found.fit.total, found.engagement.total, found.grade, found.parts(), found.fades_at


@given(any_scheme(), st.lists(any_facts, min_size=1, max_size=5), st.data())
@settings(max_examples=150)
def test_columns_say_what_one_by_one_says(rules: Scheme, leads: list[dict[str, Any]], data: Any) -> None:
    signals = data.draw(any_signals(len(leads)))
    whole = [facts(**lead) for lead in leads]
    expected = [as_row(place, score(rules, whole[place], signals[place], AT)) for place in range(len(leads))]
    assert in_columns(rules, leads, signals) == expected


def test_what_leaves_128_bits_is_an_error_never_a_number() -> None:
    rules = scheme(rule(1, 10, condition="employees * employees * employees * employees * employees > 1"))
    lead = {"has_phone": False, "employees": 2**31 - 1, "exponent": 2}
    with pytest.raises(ColumnsError):
        in_columns(rules, [lead], [[]])
    assert score(rules, facts(**lead), [], AT).fit.total == 1000


def test_only_one_half_may_have_rules() -> None:
    lead = {"has_phone": True, "exponent": 2}
    only_fit = scheme(rule(1, 60, condition="has_phone"))
    assert in_columns(only_fit, [lead], [[]])[0][1:4] == (6000, 0, "A3")
    only_engagement = scheme(rule(1, 60, signal="demo"))
    assert in_columns(only_engagement, [lead], [[ago("demo", 0)]])[0][1:4] == (0, 6000, "C1")
    assert [part.value for part in Part] == ["fit", "engagement"]
