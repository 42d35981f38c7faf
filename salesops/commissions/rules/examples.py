"""Acceptance examples: what a plan promises in figures, checked on the same columns that pay people."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from salesops.commissions.rules.columns import CreditColumns, calculate
from salesops.commissions.rules.conventions import Exchange, TierChange, instead_of
from salesops.commissions.rules.plans import Component, Example, PlanDefinition, curve_for
from salesops.commissions.rules.shapes import ShapeKind
from salesops.values.calculator import ColumnsError
from salesops.values.money import plain
from salesops.values.outcomes import Outcome, Problem, gettext_noop

# The example every plan with a target has, whether or not somebody wrote it.
STANDING_EXAMPLE = gettext_noop("The full quota pays the target")


def standing_examples(plan: PlanDefinition) -> list[Example]:
    """For each component designed for a quota and a target: 100 % of the quota, in one credit, pays the target.

    A component paid by each person's own rate has none, since its target depends on the person.
    """
    return [
        Example(
            name=STANDING_EXAMPLE,
            component=component.key,
            credits=(component.standard_quota,),
            expected_minor=component.standard_target_minor,
            quota=component.standard_quota,
            target_minor=component.standard_target_minor,
        )
        for component in plan.components
        if component.standard_quota is not None
        and component.standard_target_minor is not None
        and not component.shape.uses_personal_rate
    ]


def earn(plan: PlanDefinition, example: Example) -> Outcome[tuple[int, ...]]:
    """What each credit of the example earns in minor units, on the engine."""
    try:
        component = plan.component(example.component)
    except KeyError:
        return Outcome.bad(
            Problem.of(
                "example-without-component",
                gettext_noop("The example names the component %(component)s, which the plan does not have."),
                where=example.name,
                remedy=gettext_noop("Correct the example."),
                component=example.component,
            )
        )
    curve = curve_for(
        plan,
        component,
        quota=example.quota,
        target_minor=example.target_minor,
        personal_rate=example.personal_rate,
    )
    if curve.value is None:
        return Outcome.bad(*(_placed(problem, example.name) for problem in curve.problems))
    count = len(example.credits)
    ones = np.ones(count, dtype=np.int64)
    try:
        credits = CreditColumns(
            ones, ones, ones, ones, np.arange(count, dtype=np.int64), np.array(example.credits, dtype=np.int64)
        )
        earnings = calculate(credits, {(1, 1, 1): curve.value}, plan.conventions.rounding)
    except (ColumnsError, OverflowError) as error:
        return Outcome.bad(
            Problem.of(
                "example-beyond-bounds",
                gettext_noop("The example cannot be calculated: %(reason)s"),
                where=example.name,
                remedy=gettext_noop("Correct the example."),
                reason=error,
            )
        )
    return Outcome.good(tuple(int(amount) for amount in earnings.amount))


def check_examples(plan: PlanDefinition) -> list[Problem]:
    """Every acceptance example, and the standing ones, that the plan does not keep to the cent."""
    problems: list[Problem] = []
    for example in (*plan.examples, *standing_examples(plan)):
        earned = earn(plan, example)
        if earned.value is None:
            problems.extend(earned.problems)
            continue
        if sum(earned.value) != example.expected_minor:
            problems.append(_differs(plan, example, (example.expected_minor,), (sum(earned.value),)))
        elif example.lines_minor is not None and earned.value != example.lines_minor:
            problems.append(_differs(plan, example, example.lines_minor, earned.value))
    return problems


def activation_problems(plan: PlanDefinition) -> list[Problem]:
    """Everything that speaks against putting the plan in force; none means it may be.

    Repeated component keys, words that go with one another nowhere, curves that fall or are too steep, failing examples.
    """
    problems: list[Problem] = []
    keys = [component.key for component in plan.components]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        problems.append(
            Problem.of(
                "component-twice",
                gettext_noop("Two components are called %(key)s."),
                where=key,
                remedy=gettext_noop("Give each component its own key."),
                key=key,
            )
        )
    if problem := instead_of(plan.conventions.counting_date):
        problems.append(problem)
    problems.extend(_rates_unused(plan))
    problems.extend(_not_forward(plan, component) for component in plan.components if _is_clipped(plan, component))
    for component in plan.components:
        problems.extend(_component_problems(plan, component))
    problems.extend(check_examples(plan))
    return problems


def _is_clipped(plan: PlanDefinition, component: Component) -> bool:
    """Whether a gate, floor or cap keeps retroactive tiers of a longer period from paying forward only."""
    is_asked = plan.conventions.tier_change is TierChange.FORWARD_ONLY and plan.is_longer(component)
    return is_asked and component.shape.kind is ShapeKind.RETROACTIVE and not component.shape.is_bare


def _not_forward(plan: PlanDefinition, component: Component) -> Problem:
    return Problem.of(
        "forward-only-clipped",
        gettext_noop(
            "A tier of %(component)s that counts from then on cannot have a gate, a floor or a cap beside it."
        ),
        where=f"{component.key}.shape",
        remedy=gettext_noop("Put cap and floor into the settlement, or let a tier reached late be made up for."),
        component=component.name,
    )


def _rates_unused(plan: PlanDefinition) -> list[Problem]:
    if not plan.rates or plan.conventions.exchange is Exchange.FIXED:
        return []
    return [
        Problem.of(
            "rates-unused",
            gettext_noop("The plan states rates of exchange, and counts by others."),
            where="rates",
            remedy=gettext_noop("Choose fixed rates of exchange, or take the rates out."),
        )
    ]


def _component_problems(plan: PlanDefinition, component: Component) -> list[Problem]:
    """What is wrong with the component's curve, drawn for its standard person or, where there is none, for a made-up one."""
    curve = curve_for(
        plan,
        component,
        quota=10_000_000 if component.standard_quota is None else component.standard_quota,
        target_minor=1_000_000 if component.standard_target_minor is None else component.standard_target_minor,
        personal_rate=Fraction(1, 10),
    )
    return [_placed(problem, component.key) for problem in curve.problems]


def _placed(problem: Problem, where: str) -> Problem:
    return replace(problem, where=f"{where}: {problem.where}" if problem.where not in ("", where) else where)


def _differs(plan: PlanDefinition, example: Example, expected: Sequence[int], found: Sequence[int]) -> Problem:
    return Problem.of(
        "example-fails",
        gettext_noop("The example expects %(expected)s, but the plan pays %(found)s %(currency)s."),
        where=example.name,
        remedy=gettext_noop("Change the plan, or the example if it is wrong."),
        expected=", ".join(plain(amount, plan.currency) for amount in expected),
        found=", ".join(plain(amount, plan.currency) for amount in found),
        currency=plan.currency,
    )
