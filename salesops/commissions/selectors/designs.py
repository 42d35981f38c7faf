"""What pages show of a plan: components with curves, settlement, conventions, examples, what stands in the way."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from salesops.commissions.rules.examples import activation_problems
from salesops.commissions.rules.plans import Component, PlanDefinition, share_text
from salesops.commissions.selectors.drawing import draw_component
from salesops.commissions.selectors.wording import (
    PERIODS,
    SHAPES,
    component_told,
    conventions_told,
    examples_told,
    order_sentence,
    rows_told,
    settlement_told,
)
from salesops.values.outcomes import Problem


def component_shown(plan: PlanDefinition, component: Component) -> dict[str, Any]:
    """A component in words and drawn; `problems` where its curve cannot be."""
    outcome = draw_component(plan, component, quota_label=_("Quota"), target_label=_("Target pay"))
    return {
        "component": component,
        "shape": SHAPES[component.shape.kind.value],
        "rows": rows_told(component, plan.currency),
        "told": component_told(plan, component),
        "drawing": outcome.value,
        "problems": outcome.problems,
    }


def plan_shown(plan: PlanDefinition) -> dict[str, Any]:
    """A whole plan in words."""
    return {
        "definition": plan,
        "period_kind": PERIODS[plan.period_kind.value],
        "components": [component_shown(plan, component) for component in plan.components],
        "conventions": conventions_told(plan),
        "settlement": settlement_told(plan),
        "order": order_sentence(plan.conventions.settlement_order),
        "ramp": [share_text(share) for share in plan.ramp],
        "examples": examples_told(plan),
    }


def stands_in_the_way(plan: PlanDefinition) -> list[Problem]:
    """Why a plan could not be put in force; failing examples are shown with the examples."""
    return [problem for problem in activation_problems(plan) if problem.code != "example-fails"]
