"""Statements as people see them: theirs, their team's, everybody's; each line with its why."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext

from salesops.commissions.models import Approval, Credit, Earning, SettlementLine, Statement, Transaction
from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.explain import EarningFacts, attainment_bp, explain
from salesops.commissions.rules.plans import Component, PlanDefinition, curve_for, plan_from_plain
from salesops.commissions.rules.settlement.lines import REASONS
from salesops.commissions.rules.shapes import Measure
from salesops.commissions.selectors.bundles import terms_of
from salesops.core.actor import Actor
from salesops.values.money import exponent
from salesops.values.rates import PinnedRate, Rate, value_through


def statements_for(actor: Actor) -> QuerySet[Statement]:
    """Statements the actor may see."""
    return Statement.objects.visible_to(actor).select_related("person", "period", "plan_version__plan")


def statement_for(actor: Actor, pk: int) -> Statement:
    """One statement; 404 when it is not theirs."""
    return Statement.objects.select_related("person", "period", "plan_version__plan").get_for(actor, pk=pk)


def earnings_for(actor: Actor, statement: Statement) -> QuerySet[Earning]:
    """The lines of a statement the actor may see; `named` is the deal's name, or the key of what comes from no deal."""
    transaction = "credit__transaction"
    return (
        Earning.objects.visible_to(actor)
        .filter(statement=statement)
        .select_related(f"{transaction}__deal", f"{transaction}__account")
        .annotate(named=Coalesce(f"{transaction}__deal__name", f"{transaction}__source_key"))
    )


def earning_for(actor: Actor, pk: int) -> Earning:
    """One line; 404 when it is not theirs."""
    rows = Earning.objects.select_related(
        "statement__plan_version__plan",
        "statement__period",
        "statement__person",
        "credit__transaction__deal",
        "credit__transaction__reverses__deal",
    )
    return rows.get_for(actor, pk=pk)


def approvals_of(statement: Statement) -> QuerySet[Approval]:
    """What was decided about a statement that the asker may see, newest first."""
    return statement.approvals.select_related("decided_by")


def definition_of(statement: Statement) -> PlanDefinition:
    """The plan as the statement was calculated with; versions in force never change."""
    return plan_from_plain(statement.plan_version.definition).unwrap()


@dataclass(frozen=True, slots=True)
class ComponentShown:
    """A component as a statement was paid by it. quota and reached: units of the measure; earned: minor units.

    curve: None where the terms give none. attainment: reached ÷ quota in basis points.
    """

    component: Component
    quota: int | None
    target_minor: int | None
    rate: Fraction | None
    reached: int
    earned_minor: int
    curve: Curve | None

    @property
    def is_money(self) -> bool:
        """Whether money is counted, or things."""
        return self.component.measure is Measure.MONEY

    @property
    def attainment(self) -> int | None:
        """In basis points."""
        return attainment_bp(self.reached, self.quota)


def components_of(statement: Statement) -> list[ComponentShown]:
    """The components of the plan with the person's terms and what they reached."""
    plan = definition_of(statement)
    totals = statement.earnings.order_by().values_list("component").annotate(total=Sum("amount_minor"))
    earned: dict[str, int] = dict(totals)
    shown = []
    for terms in terms_of(statement, plan):
        component = plan.component(terms["component"])
        rate = None if terms["rate"] is None else Fraction(terms["rate"])
        outcome = curve_for(
            plan, component, quota=terms["quota"], target_minor=terms["target_minor"], personal_rate=rate
        )
        shown.append(
            ComponentShown(
                component,
                terms["quota"],
                terms["target_minor"],
                rate,
                terms["reached"],
                earned.get(component.key, 0),
                outcome.value,
            )
        )
    return shown


def reached_of(statement: Statement) -> int:
    """What was reached of the first quota of money, in minor units; what was credited where there is no such quota."""
    if statement.quota_minor is not None:
        for terms in statement.terms:
            if terms["quota"] == statement.quota_minor:
                return int(terms["reached"])
    return statement.credited_minor


def attainment_of(statement: Statement) -> int | None:
    """What was reached of the first quota of money, in basis points; None without a quota or with a quota of zero."""
    return attainment_bp(reached_of(statement), statement.quota_minor)


@dataclass(frozen=True, slots=True)
class Step:
    """A step from what was earned to what is paid: what it is, why, and the deal or other thing that it is about."""

    line: SettlementLine
    label: str
    why: str
    about: str


def steps_of(statement: Statement) -> list[Step]:
    """The steps of the settlement, in their order, with their reasons in the reader's language."""
    lines = list(statement.settlement_lines.order_by("position"))
    keys = {line.pk: _key_of(line.reference) for line in lines}
    named = {
        key: name or key
        for key, name in Transaction.objects.filter(source_key__in=keys.values()).values_list(
            "source_key", "deal__name"
        )
    }
    return [Step(line, str(line.get_kind_display()), _reason(line), named.get(keys[line.pk], "")) for line in lines]


def _key_of(reference: str) -> str:
    """The key of the transaction in a reference; late changes put their period before it and the component after."""
    if reference.startswith("late ") and reference.count(" ") >= 2:
        rest = reference.split(" ", 2)[2]
        return rest.rsplit(" ", 1)[0]
    return reference


def _reason(line: SettlementLine) -> str:
    sentence = gettext(REASONS[line.reason])
    return sentence % line.params if line.params else sentence


def uncounted_of(statement: Statement, at_most: int = 50) -> list[tuple[Credit, str]]:
    """Credits of the statement that earned nothing because no component counts them, each with the reason."""
    plan = definition_of(statement)
    rows = statement.credits.filter(earnings__isnull=True).select_related("transaction__deal", "transaction__account")
    return [
        (credit, why_not_counted(plan, credit.transaction.kind))
        for credit in rows.order_by("effective_on", "pk")[:at_most]
    ]


def why_not_counted(plan: PlanDefinition, kind: str) -> str:
    """Why a credited transaction of this kind, which earned nothing, is counted by no component."""
    asked = [component for component in plan.components if kind in component.counts]
    if not asked:
        return gettext("No component of the plan counts this kind of transaction.")
    if conditions := [component.when for component in asked if component.when]:
        return gettext("Not true of it: %(conditions)s") % {"conditions": "; ".join(conditions)}
    return gettext("It is credited by a rule that no component of the plan takes.")


def history_of(actor: Actor, statement: Statement) -> list[Statement]:
    """The person's statements of the same year and plan currency up to this one, the newest first."""
    rows = Statement.objects.visible_to(actor).filter(
        person=statement.person_id,
        currency=statement.currency,
        period__start_on__year=statement.period.start_on.year,
        period__start_on__lte=statement.period.start_on,
    )
    return list(
        rows.select_related("period", "plan_version__plan").defer("bundle", "carried").order_by("-period__start_on")
    )


def curve_of_line(earning: Earning) -> ComponentShown:
    """The component, with its curve, on which a line lies."""
    return next(shown for shown in components_of(earning.statement) if shown.component.key == earning.component)


def why_of(earning: Earning) -> dict[str, Any]:
    """The steps from transaction to pay, recomputed from what was stored; `agrees` says whether they lead to the line.

    For a line that takes back what another period paid there is nothing to recompute: it says which and how much.
    """
    statement, credit, why = earning.statement, earning.credit, earning.credit.why
    shown = curve_of_line(earning)
    reverses = credit.transaction.reverses
    if shown.curve is None or (reverses is not None and earning.from_minor == earning.to_minor):
        return {
            "transaction": {
                "key": credit.transaction.source_key,
                "day": credit.effective_on.isoformat(),
                "amount": why["amount"],
                "currency": why["currency"],
            },
            "credit": {"amount": why["credited"], "basis_points": credit.share_bp, "rule": credit.rule, "detail": ""},
            "reverses": reverses,
            "agrees": True,
        }
    moved = earning.to_minor - earning.from_minor
    is_plain = shown.is_money and not shown.component.amount
    told = explain(
        EarningFacts(
            transaction=credit.transaction.source_key,
            day=credit.effective_on,
            amount=why["amount"],
            currency=why["currency"],
            credited=why["credited"],
            basis_points=credit.share_bp,
            rule=credit.rule,
            rule_detail=why.get("held", ""),
            counted=credit.amount_minor if is_plain else moved,
            plan_currency=statement.currency,
            curve=_curve_since(earning, shown.component, shown.curve),
            before=earning.from_minor,
            after=earning.to_minor,
            earned_minor=earning.amount_minor,
            rounding=definition_of(statement).conventions.rounding,
            rate=_pinned(why, credit.effective_on, statement.currency),
            quota=shown.quota,
        )
    )
    if told["exchange"]:
        told["exchange"]["means"] = why.get("rate_means", [])
    return told


def _curve_since(earning: Earning, component: Component, curve: Curve) -> Curve:
    """The curve of a line; where a tier holds from then on only, from where the first line of the statement began."""
    if not definition_of(earning.statement).is_forward_only(component):
        return curve
    first = earning.statement.earnings.filter(component=component.key).exclude(from_minor=F("to_minor"))
    began = first.order_by("position").values_list("from_minor", flat=True).first()
    return curve.since(earning.from_minor if began is None else began)


def _pinned(why: dict[str, Any], day: Any, quote: str) -> PinnedRate | None:
    """The rate of exchange that was used, from its stored legs; of means only what they come to is kept here."""
    if "rate" not in why:
        return None
    if "rate_means" in why:
        scale = Fraction(10) ** (exponent(why["currency"]) - exponent(quote))
        return PinnedRate(why["currency"], quote, day, Fraction(why["rate"]) * scale)
    legs = tuple(
        Rate(base, to, type(day).fromisoformat(on), Fraction(value), source)
        for on, base, to, value, source in why["rate_legs"]
    )
    return PinnedRate(why["currency"], quote, day, value_through(why["currency"], legs), legs)


@dataclass(frozen=True, slots=True)
class ConventionShown:
    """One convention of a plan, in words; more: what the plan says beside it."""

    name: str
    value: str
    more: str = ""


def conventions_of(plan: PlanDefinition) -> list[ConventionShown]:
    """Everything on which ways of paying differ, as this plan settles it; with its rates of exchange where it has any."""
    rates = ", ".join(f"1 {currency} = {rate} {plan.currency}" for currency, rate in plan.rates)
    return [
        ConventionShown(
            item.name, str(getattr(plan.conventions, item.name).value), rates if item.name == "exchange" else ""
        )
        for item in fields(Conventions)
    ]
