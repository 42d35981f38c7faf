"""Plans: what they say survives JSON, its digest tells every change, and a failing example stops activation."""

import json
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest

from salesops.commissions.rules.conventions import (
    Conventions,
    CountingDate,
)
from salesops.commissions.rules.credits import CreditRule
from salesops.commissions.rules.curves import Boundary
from salesops.commissions.rules.examples import activation_problems, check_examples, earn, standing_examples
from salesops.commissions.rules.planfile import plan_as_file, plan_from_file
from salesops.commissions.rules.plans import (
    Component,
    Example,
    PlanDefinition,
    curve_for,
    effective_quota,
    plan_as_plain,
    plan_digest,
    plan_from_plain,
)
from salesops.commissions.rules.rounding import Rounding
from salesops.commissions.rules.shapes import Measure, ZeroQuota, shape_from_plain
from salesops.values.periods import PeriodKind

ACCELERATED = {"shape": "marginal", "tiers": [{"from": "0", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}]}


def a_plan(**changes: Any) -> PlanDefinition:
    """An account executive's plan: the target rate to quota, one and a half times above."""
    component = Component(
        key="bookings",
        name="Bookings",
        shape=shape_from_plain(ACCELERATED).unwrap(),
        standard_quota=300_000_00,
        standard_target_minor=20_000_00,
    )
    example = Example(
        name="A quarter at 120 %",
        component="bookings",
        credits=(300_000_00, 60_000_00),
        expected_minor=26_000_00,
        quota=300_000_00,
        target_minor=20_000_00,
        lines_minor=(20_000_00, 6_000_00),
    )
    plan = PlanDefinition("USD", "America/New_York", PeriodKind.QUARTER, (component,), Conventions(), (example,))
    return replace(plan, **changes)


def codes(plan: PlanDefinition) -> list[str]:
    """What speaks against putting the plan in force."""
    return [problem.code for problem in activation_problems(plan)]


def test_a_sound_plan_may_be_put_in_force() -> None:
    assert activation_problems(a_plan()) == []


def test_a_plan_survives_json_and_keeps_its_digest() -> None:
    plan = a_plan()
    read = plan_from_plain(json.loads(json.dumps(plan_as_plain(plan)))).unwrap()
    assert read == plan
    assert plan_digest(read) == plan_digest(plan)
    assert len(plan_digest(plan)) == 64


def test_every_change_changes_the_digest() -> None:
    plan = a_plan()
    component, example = plan.components[0], plan.examples[0]
    others = [
        a_plan(currency="EUR"),
        a_plan(time_zone="UTC"),
        a_plan(period_kind=PeriodKind.MONTH),
        a_plan(conventions=Conventions(rounding=Rounding.PER_LINE)),
        a_plan(examples=()),
        a_plan(examples=(replace(example, expected_minor=1),)),
        a_plan(examples=(replace(example, personal_rate=Fraction(1, 3)),)),
        a_plan(components=(replace(component, measure=Measure.COUNT),)),
        a_plan(components=(replace(component, boundary=Boundary.LOWER),)),
        a_plan(components=(replace(component, crediting=(CreditRule.OWNER,)),)),
        a_plan(components=(replace(component, standard_quota=1),)),
        a_plan(components=(replace(component, is_falling_allowed=True),)),
        a_plan(components=(replace(component, shape=shape_from_plain(ACCELERATED | {"cap": "200%"}).unwrap()),)),
    ]
    assert len({plan_digest(other) for other in [plan, *others]}) == len(others) + 1
    for other in others:
        assert plan_from_plain(plan_as_plain(other)).unwrap() == other


def test_every_convention_is_written_and_takes_its_default_when_left_out() -> None:
    plain = plan_as_plain(a_plan())
    assert set(plain["conventions"]) == {item.name for item in fields(Conventions)}
    assert plain["conventions"] == {
        "boundary": "upper",
        "zero_quota": "hold",
        "settlement_order": "bonus_cap_draw",
        "proration": "calendar_days",
        "ramp": "starting_month",
        "quota_change": "by_days",
        "refund": "negate",
        "rounding": "cumulative",
        "counting_date": "booking",
        "exchange": "transaction_day",
        "tier_change": "true_up",
        "leaver": "credited_before",
        "credit_day": "transaction_day",
    }
    plain["conventions"] = {"rounding": "per_line"}
    assert plan_from_plain(plain).unwrap().conventions == Conventions(rounding=Rounding.PER_LINE)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("format",), 2, "format"),
        (("currency",), "usd", "currency"),
        (("currency",), None, "currency"),
        (("time_zone",), "Mars", "time_zone"),
        (("period_kind",), "week", "period_kind"),
        (("colour",), "red", "colour"),
        (("components",), [], "components"),
        (("components", 0), 5, "components[0]"),
        (("components", 0, "key"), "Bookings!", "components[0].key"),
        (("components", 0, "name"), "", "components[0].name"),
        (("components", 0, "extra"), 1, "components[0]"),
        (("components", 0, "measure"), "hours", "components[0].measure"),
        (("components", 0, "boundary"), "both", "components[0].boundary"),
        (("components", 0, "crediting"), ["luck"], "components[0].crediting[0]"),
        (("components", 0, "standard_quota"), 1.5, "components[0].standard_quota"),
        (("components", 0, "standard_quota"), True, "components[0].standard_quota"),
        (("components", 0, "standard_quota"), 2**63, "components[0].standard_quota"),
        (("components", 0, "is_falling_allowed"), "no", "components[0].is_falling_allowed"),
        (("components", 0, "shape", "tiers", 1, "rate"), "-5%", "components[0].shape.tiers[1].rate"),
        (("conventions", "rounding"), "down", "conventions.rounding"),
        (("conventions", "colour"), "red", "conventions"),
        (("examples", 0), [], "examples[0]"),
        (("examples", 0, "credits"), [], "examples[0].credits"),
        (("examples", 0, "credits", 1), "6", "examples[0].credits.1"),
        (("examples", 0, "expected_minor"), None, "examples[0].expected_minor"),
        (("examples", 0, "personal_rate"), "1/0", "examples[0].personal_rate"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(path: tuple[Any, ...], value: Any, place: str) -> None:
    plain = json.loads(json.dumps(plan_as_plain(a_plan())))
    inner = plain
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    outcome = plan_from_plain(plain)
    assert outcome.value is None
    assert [problem.where for problem in outcome.problems] == [place]


def test_a_plan_that_is_no_plan_is_refused() -> None:
    assert plan_from_plain([]).value is None
    assert plan_from_plain({}).value is None


def test_a_failing_example_stops_activation_and_says_both_figures() -> None:
    example = a_plan().examples[0]
    wrong = a_plan(examples=(replace(example, expected_minor=26_000_01),))
    problem = check_examples(wrong)[0]
    assert problem.text() == "The example expects 26000.01, but the plan pays 26000.00 USD."
    assert problem.where == "A quarter at 120 %"
    assert codes(wrong) == ["example-fails"]
    lines = a_plan(examples=(replace(example, lines_minor=(26_000_00, 0)),))
    assert codes(lines) == ["example-fails"]


def test_the_full_quota_must_pay_the_target_without_anybody_writing_that_example() -> None:
    eight_percent = replace(a_plan().components[0], shape=shape_from_plain({"shape": "flat", "rate": "8%"}).unwrap())
    plan = a_plan(components=(eight_percent,), examples=())
    assert [(example.credits, example.expected_minor) for example in standing_examples(plan)] == [
        ((300_000_00,), 20_000_00)
    ]
    assert codes(plan) == ["example-fails"]
    assert codes(a_plan(components=(replace(eight_percent, standard_target_minor=24_000_00),), examples=())) == []
    assert codes(a_plan(components=(replace(eight_percent, standard_target_minor=None),), examples=())) == []


def test_an_example_follows_the_plan_s_conventions() -> None:
    half_cents = Component("fees", "Fees", shape_from_plain({"shape": "flat", "rate": "0.5%"}).unwrap())
    example = Example("Four small fees", "fees", (100, 100, 100, 100), 2)
    plan = a_plan(components=(half_cents,), examples=(example,))
    assert check_examples(plan) == []
    per_line = replace(plan, conventions=Conventions(rounding=Rounding.PER_LINE))
    assert earn(per_line, example).unwrap() == (1, 1, 1, 1)
    assert codes(per_line) == ["example-fails"]


def test_examples_that_cannot_be_calculated_are_problems() -> None:
    example = a_plan().examples[0]
    assert codes(a_plan(examples=(replace(example, component="other"),))) == ["example-without-component"]
    assert codes(a_plan(examples=(replace(example, quota=None),))) == ["quota-missing"]
    beyond = replace(example, credits=(2**62, 2**62, 2**62), lines_minor=None)
    assert codes(a_plan(examples=(beyond,))) == ["example-beyond-bounds"]


@pytest.mark.parametrize("word", ["invoice", "payment"])
def test_a_booking_is_not_counted_on_another_day_and_what_to_write_is_said(word: str) -> None:
    conventions = Conventions(counting_date=CountingDate(word))
    (problem,) = activation_problems(a_plan(conventions=conventions))
    assert (problem.code, problem.where) == ("counting-date", "conventions.counting_date")
    assert f"counts: [{word}]" in problem.remedy_text()
    written = plan_as_file("Plan", "", a_plan(conventions=conventions))
    refused = plan_from_file(written)
    assert (refused.value, [item.code for item in refused.problems]) == (None, ["counting-date"])
    # A draft from before is still read, to be changed.
    assert plan_from_plain(plan_as_plain(a_plan(conventions=conventions))).is_ok
    written["conventions"]["counting_date"] = "booking"
    assert plan_from_file(written).is_ok


def test_curves_that_fall_or_are_absurd_cannot_be_put_in_force() -> None:
    component = replace(a_plan().components[0], standard_quota=None, standard_target_minor=None)

    def with_shape(words: dict[str, Any], **changes: Any) -> PlanDefinition:
        return a_plan(components=(replace(component, shape=shape_from_plain(words).unwrap(), **changes),), examples=())

    falling = {"shape": "retroactive", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "4%"}]}
    assert codes(with_shape(falling)) == ["curve-falls"]
    assert codes(with_shape(falling, is_falling_allowed=True)) == []
    assert codes(with_shape({"shape": "flat", "rate": "1001%"})) == ["rate-absurd"]
    assert codes(with_shape({"shape": "steps", "steps": [{"from": "0", "pays": "5"}]})) == ["curve-not-from-zero"]
    assert codes(a_plan(components=(component, component), examples=())) == ["component-twice"]


def test_the_curve_of_a_person_follows_component_and_plan() -> None:
    words = {"shape": "retroactive", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]}
    component = replace(a_plan().components[0], shape=shape_from_plain(words).unwrap())
    plan = a_plan(conventions=Conventions(boundary=Boundary.LOWER, zero_quota=ZeroQuota.LOWEST))
    assert curve_for(plan, component, quota=100).unwrap().pay(100) == 5
    assert curve_for(plan, replace(component, boundary=Boundary.UPPER), quota=100).unwrap().pay(100) == 10
    assert curve_for(plan, component, quota=0).unwrap().pay(100) == 5
    assert [problem.code for problem in curve_for(plan, component).problems] == ["quota-missing"]


@pytest.mark.parametrize(
    ("quota", "active", "ramp", "expected"),
    [
        (100_000_00, Fraction(1), Fraction(1, 2), 50_000_00),
        (100_000_00, Fraction(15, 29), Fraction(1), 5_172_414),
        (80_000_00, Fraction(1, 3), Fraction(3, 4), 20_000_00),
        (100_000_00, Fraction(0), Fraction(1), 0),
    ],
)
def test_quota_shrinks_with_days_and_ramp(quota: int, active: Fraction, ramp: Fraction, expected: int) -> None:
    assert effective_quota(quota, active_share=active, ramp_share=ramp) == expected


@pytest.mark.parametrize("share", [Fraction(-1, 2), Fraction(3, 2)])
def test_a_share_of_a_quota_lies_between_none_and_all(share: Fraction) -> None:
    with pytest.raises(ValueError, match="not a share of a quota"):
        effective_quota(100, active_share=share)


@pytest.mark.parametrize("group", ["deal'", "x' OR 1=1 --", "Deal", "1", "a b", "a" * 41])
def test_a_group_that_is_no_plain_word_makes_no_component(group: str) -> None:
    """It stands in the text of queries, so no way of making a component lets anything else in."""
    with pytest.raises(ValueError, match="cannot name a group"):
        Component("new", "New", shape_from_plain({"shape": "flat", "rate": "8%"}).unwrap(), group=group)
