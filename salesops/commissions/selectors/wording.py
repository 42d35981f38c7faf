"""A plan in words: components, settlement, conventions, examples, in the reader's language and without code."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from salesops.commissions.choices import TransactionKind
from salesops.commissions.rules.conventions import Conventions, Exchange, SettlementOrder
from salesops.commissions.rules.examples import earn, standing_examples
from salesops.commissions.rules.plans import Component, Example, PlanDefinition, Scope, share_text
from salesops.commissions.rules.settlement.terms import (
    Basis,
    DrawKind,
    DrawMode,
    Multiplier,
    NegativePayout,
    Release,
    ReleaseKind,
    TableKind,
    Terms,
)
from salesops.commissions.rules.shapes import Measure, Number, Row, ShapeKind, Unit
from salesops.core import display
from salesops.values.money import plain

KINDS = dict(TransactionKind.choices)
CREDITING = {
    "split": gettext_lazy("the deal's agreed shares"),
    "owner": gettext_lazy("the owner of the deal"),
    "holder": gettext_lazy("who held the account or territory that day"),
    "overlay": gettext_lazy("on top: those with an agreed overlay share"),
    "roll_up": gettext_lazy("on top: the managers above whoever is credited"),
    "pod": gettext_lazy("on top: everybody in the pod of whoever is credited"),
}
SHAPES = {
    "flat": gettext_lazy("One rate for everything"),
    "marginal": gettext_lazy("Tiers, each rate for its own part"),
    "retroactive": gettext_lazy("Tiers, the rate reached counts from the first cent"),
    "steps": gettext_lazy("Fixed amounts at each step"),
    "points": gettext_lazy("Straight lines between points"),
}
PERIODS = {
    "month": gettext_lazy("Month"),
    "quarter": gettext_lazy("Quarter"),
    "half": gettext_lazy("Half-year"),
    "year": gettext_lazy("Year"),
}
MEASURES = {"money": gettext_lazy("Money"), "count": gettext_lazy("A number of things")}

#: What each convention asks, and what each of its answers means: one line each.
CONVENTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "credit_day": (
        gettext_lazy("As of which day it is looked up who is credited, with their line and pod"),
        {
            "transaction_day": gettext_lazy("The day of the transaction: whoever has the deal when it closes"),
            "creation": gettext_lazy("The day on which the deal was opened"),
            "stage": gettext_lazy("The day on which the deal came to the stage that decides the credit, or further"),
            "by_days": gettext_lazy("By days: whoever had the deal until it closed shares in it"),
        },
    ),
    "boundary": (
        gettext_lazy("Who owns a bound: which tier pays exactly 100 %?"),
        {
            "upper": gettext_lazy("The tier that begins there"),
            "lower": gettext_lazy("The tier that ends there"),
        },
    ),
    "zero_quota": (
        gettext_lazy("What a quota of zero pays, where attainment has no meaning"),
        {
            "hold": gettext_lazy("Nothing yet: it is reported and asked"),
            "lowest": gettext_lazy("The lowest tier"),
            "highest": gettext_lazy("The highest tier"),
            "nothing": gettext_lazy("Nothing"),
        },
    ),
    "settlement_order": (
        gettext_lazy("What the cap covers and when the draw is taken"),
        {
            "bonus_cap_draw": gettext_lazy("Bonus, cap, draw: the cap covers bonuses"),
            "cap_bonus_draw": gettext_lazy("Cap, bonus, draw: bonuses come on top of the cap"),
            "cap_draw_bonus": gettext_lazy("Cap, draw, bonus: the draw leaves bonuses alone too"),
        },
    ),
    "proration": (
        gettext_lazy("How quota and target pay shrink for who is on the plan for a part of the period"),
        {
            "calendar_days": gettext_lazy("By calendar days"),
            "working_days": gettext_lazy("By working days"),
            "months": gettext_lazy("By months, each counted whole"),
            "none": gettext_lazy("Not at all"),
        },
    ),
    "ramp": (
        gettext_lazy("Which is the first month of the ramp"),
        {
            "starting_month": gettext_lazy("The month somebody starts in"),
            "first_full_month": gettext_lazy("The first full month"),
        },
    ),
    "quota_change": (
        gettext_lazy("What the quota is when it changes within a period"),
        {
            "by_days": gettext_lazy("Each part by its days"),
            "latest": gettext_lazy("The latest, for the whole period"),
            "first": gettext_lazy("The first, for the whole period"),
        },
    ),
    "refund": (
        gettext_lazy("What a refund or cancellation takes back"),
        {
            "negate": gettext_lazy("Exactly what the deal had earned"),
            "move_down": gettext_lazy("What moving down the curve of that day comes to"),
        },
    ),
    "rounding": (
        gettext_lazy("How lines are rounded"),
        {
            "cumulative": gettext_lazy("Lines add up to the rounded total"),
            "per_line": gettext_lazy("Each line by itself"),
        },
    ),
    "counting_date": (
        gettext_lazy("The day that puts a transaction into a period"),
        {
            "booking": gettext_lazy("Its own: of the booking, invoice or payment that the component counts"),
        },
    ),
    "exchange": (
        gettext_lazy("The rate of exchange for other currencies"),
        {
            "transaction_day": gettext_lazy("Of the day"),
            "month_average": gettext_lazy("Average of the month's daily rates"),
            "fixed": gettext_lazy("Fixed, as the plan states"),
        },
    ),
    "tier_change": (
        gettext_lazy("What reaching a tier late does to what was paid before in a longer period"),
        {
            "true_up": gettext_lazy("It is made up for"),
            "forward_only": gettext_lazy("Nothing: it counts from that period of pay on"),
        },
    ),
    "leaver": (
        gettext_lazy("What somebody who leaves keeps"),
        {
            "credited_before": gettext_lazy("All that was credited before"),
            "paid_before": gettext_lazy("All that was paid before"),
        },
    ),
}
NEGATIVES = {
    NegativePayout.CARRY_FORWARD: gettext_lazy("is carried into the next period"),
    NegativePayout.SHOW_AS_OWED: gettext_lazy("is shown as owed by the person"),
}
BASES = {
    Basis.PERIOD: gettext_lazy("in a period"),
    Basis.YEAR_TO_DATE: gettext_lazy("in the year so far"),
}
DRAW_KINDS = {
    DrawKind.RECOVERABLE: gettext_lazy("recoverable: taken back from later pay"),
    DrawKind.NON_RECOVERABLE: gettext_lazy("guaranteed: never taken back"),
    DrawKind.FORGIVEN: gettext_lazy("taken back until a day, then forgiven"),
}
DRAW_MODES = {
    DrawMode.TOP_UP: gettext_lazy("fills earnings up to the draw"),
    DrawMode.ON_TOP: gettext_lazy("comes on top of earnings"),
}
RELEASES = {
    ReleaseKind.AT_ONCE: gettext_lazy("At once"),
    ReleaseKind.INSTALMENTS: gettext_lazy("In instalments"),
    ReleaseKind.ON_PAYMENT: gettext_lazy("When the customer pays"),
    ReleaseKind.HOLD: gettext_lazy("After a hold of days"),
}
TABLES = {
    TableKind.STEPS: gettext_lazy("jumps at each row"),
    TableKind.POINTS: gettext_lazy("goes in a straight line from row to row"),
}
_EARNINGS, _BONUSES, _TEAM = (
    gettext_lazy("earnings"),
    gettext_lazy("objectives and bonuses"),
    gettext_lazy("team multiplier"),
)
_CAP, _BACK, _DRAW = (
    gettext_lazy("caps and floors"),
    gettext_lazy("what is taken back"),
    pgettext_lazy("advance on pay", "draw"),
)
_REST = (gettext_lazy("release"), gettext_lazy("adjustments"))
_ORDERS = {
    SettlementOrder.BONUS_CAP_DRAW: (_EARNINGS, _BONUSES, _TEAM, _CAP, _BACK, _DRAW),
    SettlementOrder.CAP_BONUS_DRAW: (_EARNINGS, _TEAM, _CAP, _BONUSES, _BACK, _DRAW),
    SettlementOrder.CAP_DRAW_BONUS: (_EARNINGS, _TEAM, _CAP, _BACK, _DRAW, _BONUSES),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A label and what stands beside it; `is_code` where it is a formula."""

    label: str
    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class ConventionTold:
    """A convention: its question, its answer, and whether that is the usual one."""

    name: str
    question: str
    answer: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class ExampleTold:
    """An acceptance example and what the engine says; `came_to` is empty where it cannot be calculated."""

    name: str
    component: str
    given: str
    expected: str
    came_to: str
    is_kept: bool
    problem: str = ""
    is_standing: bool = False


def order_sentence(order: SettlementOrder) -> str:
    """The order of settlement as one line."""
    return " → ".join(str(step) for step in (*_ORDERS[order], *_REST))


def conventions_told(plan: PlanDefinition) -> list[ConventionTold]:
    """Every convention of a plan with its answer; fixed rates of exchange with the rates."""
    usual = Conventions()
    told = []
    for item in fields(Conventions):
        value = getattr(plan.conventions, item.name).value
        question, answers = CONVENTIONS[item.name]
        answer = str(answers.get(value, value))
        if value == Exchange.FIXED.value:
            rates = ", ".join(f"1 {currency} = {rate} {plan.currency}" for currency, rate in plan.rates)
            answer = f"{answer}: {rates or '–'}"
        told.append(ConventionTold(item.name, str(question), answer, value == getattr(usual, item.name).value))
    return told


def amount_told(number: Number, currency: str) -> str:
    """A number of a plan with what it is counted in."""
    if number.unit is Unit.QUOTA_SHARE:
        return _("%(share)s of quota") % {"share": number.text}
    if number.unit is Unit.TARGET_SHARE:
        return _("%(share)s of target pay") % {"share": number.text}
    if number.unit is Unit.TARGET_MULTIPLE:
        return _("%(times)s target pay ÷ quota") % {"times": number.text.replace("x", " ×").replace("  ", " ")}
    if number.unit is Unit.PERSONAL_MULTIPLE:
        times = number.text.removesuffix("personal").replace("x", " ×").replace("  ", " ").strip()
        return f"{times} {_('the personal rate')}".strip()
    if number.unit is Unit.EACH:
        return _("%(amount)s %(currency)s for each") % {
            "amount": number.text.removesuffix("each").strip(),
            "currency": currency,
        }
    return f"{number.text} {currency}" if number.unit is Unit.AMOUNT else number.text


def bound_told(component: Component, bound: Number, currency: str) -> str:
    """A bound: an amount, a number of things, or a share of quota."""
    is_number = component.measure is Measure.COUNT and bound.unit is Unit.AMOUNT
    return bound.text if is_number else amount_told(bound, currency)


def rows_told(component: Component, currency: str) -> list[Said]:
    """The tiers, steps or points of a component."""
    shape = component.shape
    if shape.kind is ShapeKind.FLAT:
        return [Said(_("everything"), amount_told(shape.rows[0].worth, currency))]

    def bound(row: Row) -> str:
        text = bound_told(component, row.at, currency)
        return (_("at %(at)s") if shape.kind is ShapeKind.POINTS else _("from %(at)s")) % {"at": text}

    return [Said(bound(row), amount_told(row.worth, currency)) for row in shape.rows]


def component_told(plan: PlanDefinition, component: Component) -> list[Said]:
    """What a component says beside its curve; what is left at its default is said only where it matters to a reader."""
    shape, currency = component.shape, plan.currency
    told = [
        Said(_("Counts"), ", ".join(str(KINDS.get(kind, kind)) for kind in component.counts)),
        Said(_("Measured in"), str(MEASURES[component.measure.value])),
    ]
    if component.when:
        told.append(Said(_("Only where"), component.when, is_code=True))
    if component.amount:
        told.append(Said(_("Amount credited"), component.amount, is_code=True))
    told.append(Said(_("Credited"), "; ".join(str(CREDITING[rule.value]) for rule in component.crediting)))
    if component.group:
        told.append(Said(_("Only one of the group"), component.group))
    if shape.uses_quota or component.standard_quota is not None:
        told.append(Said(_("Quota"), component.quota_name))
    if component.weight != 1:
        told.append(Said(_("Part of target pay"), share_text(component.weight)))
    if component.scope is Scope.TRANSACTION:
        told.append(Said(_("Adds up"), _("not at all: each transaction begins at zero")))
    elif component.period_kind and component.period_kind is not plan.period_kind:
        told.append(Said(_("Adds up over"), str(PERIODS[component.period_kind.value])))
    if shape.gate:
        at = bound_told(component, shape.gate.at, currency)
        then = _("then only what lies above") if shape.gate.is_above_only else _("then everything")
        told.append(Said(_("Nothing below"), f"{at}, {then}"))
    if shape.floor:
        told.append(Said(_("At least, once anything counts"), amount_told(shape.floor, currency)))
    if shape.cap:
        told.append(Said(_("At most"), amount_told(shape.cap, currency)))
    if shape.kind is ShapeKind.POINTS:
        told.append(
            Said(_("After the last point"), _("goes on in the same line") if shape.is_continued else _("stays"))
        )
    if component.boundary and component.boundary is not plan.conventions.boundary:
        told.append(Said(_("Exactly on a bound"), str(CONVENTIONS["boundary"][1][component.boundary.value])))
    if component.is_falling_allowed:
        told.append(Said(_("More credit"), _("may lower the pay")))
    if component.standard_quota is not None and component.standard_target_minor is not None:
        quota = (
            display.money(component.standard_quota, currency)
            if component.measure is Measure.MONEY
            else display.number(component.standard_quota)
        )
        pay = display.money(component.standard_target_minor, currency)
        told.append(Said(_("Designed so that"), _("%(quota)s pay %(pay)s") % {"quota": quota, "pay": pay}))
    return told


def settlement_told(plan: PlanDefinition) -> list[Said]:
    """What a plan says about settlement, a line for each rule."""
    terms = plan.settlement
    if terms is None:
        return []
    names = {component.key: component.name for component in plan.components}
    told = [
        Said(
            _("Objective %(key)s") % {"key": item.key},
            _("%(weight)s of target pay, times what was achieved") % {"weight": item.weight.text}
            + (_(", at most %(most)s of it counted") % {"most": item.most.text} if item.most else ""),
        )
        for item in terms.objectives
    ]
    for bonus in terms.bonuses:
        text = _("%(pay)s each time") % {"pay": amount_told(bonus.pays, plan.currency)}
        if bonus.most_count is not None:
            text += _(", at most %(count)s times in a period") % {"count": bonus.most_count}
        told.append(Said(_("Bonus %(key)s") % {"key": bonus.key}, text))
    if terms.multiplier:
        told.append(Said(_("Team multiplier"), _multiplier(terms.multiplier, names)))
    for limit in terms.limits:
        parts = []
        if limit.cap:
            parts.append(_("at most %(pay)s") % {"pay": amount_told(limit.cap, plan.currency)})
        if limit.floor:
            parts.append(_("at least %(pay)s") % {"pay": amount_told(limit.floor, plan.currency)})
        about = names.get(limit.component, limit.component) if limit.component else _("Everything together")
        told.append(Said(about, f"{', '.join(parts)} {BASES[limit.basis]}"))
    if terms.draw:
        told.append(Said(_("Draw"), _draw(terms, plan.currency)))
    told += [Said(_("Paid"), _release(release, names)) for release in terms.releases]
    if terms.clawback:
        form = _("%(share)s at day %(days)s") if terms.clawback.is_linear else _("%(share)s until day %(days)s")
        steps = [form % {"share": step.share.text, "days": step.until_days} for step in terms.clawback.steps]
        if terms.clawback.is_linear:
            steps.append(_("in a straight line between"))
        told.append(Said(_("Taken back after the booking"), ", ".join(steps)))
    told.append(Said(_("More taken back than paid"), str(NEGATIVES[terms.negative])))
    return told


def _multiplier(multiplier: Multiplier, names: dict[str, str]) -> str:
    rows = ", ".join(
        _("%(factor)s at %(at)s") % {"factor": row.factor.text, "at": row.at.text} for row in multiplier.rows
    )
    about = ", ".join(names.get(key, key) for key in multiplier.components)
    text = _("%(about)s: %(rows)s of the team's quota; %(kind)s") % {
        "about": about,
        "rows": rows,
        "kind": TABLES[multiplier.kind],
    }
    return text + (_("; nothing below %(gate)s") % {"gate": multiplier.gate.text} if multiplier.gate else "")


def _draw(terms: Terms, currency: str) -> str:
    draw = terms.draw
    if draw is None:
        return ""
    parts = [amount_told(draw.amount, currency), str(DRAW_KINDS[draw.kind]), str(DRAW_MODES[draw.mode])]
    if draw.first_day:
        parts.append(_("from %(day)s") % {"day": display.day(draw.first_day)})
    if draw.last_day:
        parts.append(_("until %(day)s") % {"day": display.day(draw.last_day)})
    if draw.most_recovered:
        parts.append(_("at most %(share)s of a period's earnings taken back") % {"share": draw.most_recovered.text})
    if draw.forgiven_on:
        parts.append(_("forgiven on %(day)s") % {"day": display.day(draw.forgiven_on)})
    return "; ".join(parts)


def _release(release: Release, names: dict[str, str]) -> str:
    about = ", ".join(names.get(key, key) for key in release.components) or _("All components")
    text = str(RELEASES[release.kind])
    if release.kind is ReleaseKind.HOLD:
        text = _("after a hold of %(days)s days") % {"days": release.days}
    elif release.parts:
        text = ", ".join(
            _("%(share)s after %(days)s days") % {"share": part.share.text, "days": part.days}
            if part.days
            else _("%(share)s at once") % {"share": part.share.text}
            for part in release.parts
        )
    return f"{about}: {text}"


def examples_told(plan: PlanDefinition) -> list[ExampleTold]:
    """The examples of a plan, the standing ones last, each with what the engine says."""
    return [_example(plan, example, is_standing=False) for example in plan.examples] + [
        _example(plan, example, is_standing=True) for example in standing_examples(plan)
    ]


def _example(plan: PlanDefinition, example: Example, *, is_standing: bool) -> ExampleTold:
    component = next((item for item in plan.components if item.key == example.component), None)
    is_count = component is not None and component.measure is Measure.COUNT

    def units(number: int) -> str:
        return display.number(number) if is_count else display.money(number, plan.currency)

    given = [_("credits %(credits)s") % {"credits": ", ".join(units(number) for number in example.credits)}]
    if example.quota is not None:
        given.append(_("quota %(quota)s") % {"quota": units(example.quota)})
    if example.target_minor is not None:
        given.append(_("target pay %(pay)s") % {"pay": display.money(example.target_minor, plan.currency)})
    if example.personal_rate is not None:
        given.append(_("personal rate %(rate)s") % {"rate": example.personal_rate})
    outcome = earn(plan, example)
    lines = outcome.value
    is_kept = (
        lines is not None
        and sum(lines) == example.expected_minor
        and (example.lines_minor is None or lines == example.lines_minor)
    )
    return ExampleTold(
        name=_(example.name) if is_standing else example.name,
        component=component.name if component else example.component,
        given="; ".join(given),
        expected=_money(example.expected_minor, example.lines_minor, plan.currency),
        came_to="" if lines is None else _money(sum(lines), lines if example.lines_minor else None, plan.currency),
        is_kept=is_kept,
        problem=" ".join(f"{each.text(_)} {each.remedy_text(_)}" for each in outcome.problems),
        is_standing=is_standing,
    )


def _money(total: int, lines: tuple[int, ...] | None, currency: str) -> str:
    text = display.money(total, currency)
    return f"{text} ({', '.join(plain(line, currency) for line in lines)})" if lines else text
