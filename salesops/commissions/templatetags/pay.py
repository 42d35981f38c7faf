"""Words and exact amounts of pay, for templates."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.rules.explain import exact_text
from salesops.core import display
from salesops.values.money import exponent, round_half_up
from salesops.values.outcomes import Problem

register = template.Library()

#: The stable words of plan files, as people say them.
WORDS = {
    "boundary": gettext_lazy("Exactly on a tier's bound"),
    "zero_quota": gettext_lazy("A quota of zero"),
    "settlement_order": gettext_lazy("Order of bonus, cap and draw"),
    "proration": gettext_lazy("Part of a period"),
    "ramp": gettext_lazy("Ramp begins"),
    "quota_change": gettext_lazy("Quota changed mid-period"),
    "refund": gettext_lazy("Refund"),
    "rounding": gettext_lazy("Rounding"),
    "counting_date": gettext_lazy("Day that counts"),
    "exchange": gettext_lazy("Rate of exchange"),
    "tier_change": gettext_lazy("Tier reached late"),
    "leaver": gettext_lazy("Who leaves keeps"),
    "credit_day": gettext_lazy("Credited as of"),
    "creation": gettext_lazy("the day the deal was opened"),
    "stage": gettext_lazy("the day it came to the deciding stage"),
    "upper": gettext_lazy("belongs to the tier above"),
    "lower": gettext_lazy("belongs to the tier below"),
    "hold": gettext_lazy("holds the pay and asks"),
    "lowest": gettext_lazy("pays the lowest tier"),
    "highest": gettext_lazy("pays the highest tier"),
    "nothing": gettext_lazy("pays nothing"),
    "bonus_cap_draw": gettext_lazy("bonus, cap, draw"),
    "cap_bonus_draw": gettext_lazy("cap, bonus, draw"),
    "cap_draw_bonus": gettext_lazy("cap, draw, bonus"),
    "calendar_days": gettext_lazy("by calendar days"),
    "working_days": gettext_lazy("by working days"),
    "none": gettext_lazy("in full"),
    "starting_month": gettext_lazy("with the starting month"),
    "first_full_month": gettext_lazy("with the first full month"),
    "by_days": gettext_lazy("by days"),
    "latest": gettext_lazy("the latest counts"),
    "first": gettext_lazy("the first counts"),
    "negate": gettext_lazy("takes back what was paid"),
    "move_down": gettext_lazy("moves down the curve"),
    "cumulative": gettext_lazy("lines add up to the rounded total"),
    "per_line": gettext_lazy("each line by itself"),
    "booking": gettext_lazy("its own"),
    "transaction_day": gettext_lazy("of the day"),
    "month_average": gettext_lazy("average of the month"),
    "fixed": gettext_lazy("as the plan states"),
    "true_up": gettext_lazy("counts for the whole period"),
    "forward_only": gettext_lazy("counts from then on"),
    "credited_before": gettext_lazy("what was credited before leaving"),
    "paid_before": gettext_lazy("what was paid before leaving"),
    "split": gettext_lazy("By the deal's agreed shares"),
    "owner": gettext_lazy("By the deal's owner"),
    "holder": gettext_lazy("By who held the account or territory on the day"),
    "personal": gettext_lazy("the personal rate"),
    "manager": gettext_lazy("manager"),
    "finance": gettext_lazy("finance"),
}


@register.filter
def plan_word(word: str) -> str:
    """A stable word of a plan in the reader's language; numbers and unknown words stay as they are."""
    return str(WORDS.get(word, word))


@register.filter
def problem_text(problem: Problem) -> str:
    """What is wrong, in the reader's language."""
    return problem.text(_)


@register.filter
def problem_remedy(problem: Problem) -> str:
    """What to do about it."""
    return problem.remedy_text(_)


@register.filter
def as_percent(share: Decimal) -> str:
    """0.012 is "1.2 %"."""
    return f"{(share * 100).normalize():f} %"


@register.filter
def exact_money(minor: str, currency: str) -> str:
    """An exact number of minor units ("2501/20") in major units with all its decimals, or as money where it is whole."""
    value = Fraction(minor)
    if value.denominator == 1:
        return display.money(int(value), currency)
    return f"{exact_text(value / 10 ** exponent(currency))} {currency}"


@register.filter
def exact_number(text: str) -> str:
    """An exact number ("119/110") as a decimal where it ends, else as the fraction it is."""
    return exact_text(Fraction(text))


@register.filter
def scenario_difference(result: dict[str, int]) -> int:
    """By how much a scenario costs more than the plans in force, in minor units."""
    return result["after"] - result["before"]


@register.filter
def cost_share(result: dict[str, int], name: str) -> str:
    """Cost ÷ credited, in per cent."""
    if not result["bookings"]:
        return "–"
    return display.ratio(round_half_up(result[name] * 10_000, result["bookings"]))
