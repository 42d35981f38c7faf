"""Says in words what the rules of a selling policy ask."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from salesops.core import display
from salesops.deals.choices import GuardEffect, GuardRuleKind
from salesops.deals.models import GuardPolicy, GuardRule


@dataclass(frozen=True, slots=True)
class RuleInWords:
    """A rule as its policy's page shows it."""

    row: GuardRule
    text: str
    tone: str


def rules_in_words(policy: GuardPolicy) -> list[RuleInWords]:
    """The rules of a policy in their order; one query."""
    rows = policy.rules.select_related("segment", "product").order_by("position", "pk")
    return [RuleInWords(row, _text(row), "red" if row.effect == GuardEffect.BLOCK else "amber") for row in rows]


def _text(row: GuardRule) -> str:
    parts: list[str] = []
    if row.kind == GuardRuleKind.DISCOUNT:
        parts.append(_("At most %(share)s off a line.") % {"share": display.share(row.max_discount_bp or 0)})
        if row.tier:
            parts.append(_("Products of the price tier “%(tier)s”.") % {"tier": row.tier})
    elif row.kind == GuardRuleKind.OFFER:
        limits = (
            (row.least_minor, _("At least %(amount)s in total.")),
            (row.most_minor, _("At most %(amount)s in total.")),
        )
        parts += [text % {"amount": display.money(minor, row.currency)} for minor, text in limits if minor is not None]
        terms = (
            (row.least_months, _("A term of at least %(months)s months.")),
            (row.most_months, _("A term of at most %(months)s months.")),
        )
        parts += [text % {"months": months} for months, text in terms if months is not None]
    elif row.kind == GuardRuleKind.PROMISE:
        words = ", ".join(f"“{line}”" for line in row.phrases.splitlines())
        parts.append(_("Not to be promised: %(words)s.") % {"words": words})
    else:
        parts.append(_("%(product)s is not for these customers.") % {"product": row.product})
        if row.employees_from is not None:
            parts.append(_("From %(count)s employees.") % {"count": row.employees_from})
        if row.employees_to is not None:
            parts.append(_("Up to %(count)s employees.") % {"count": row.employees_to})
        if row.countries:
            parts.append(_("In %(countries)s.") % {"countries": row.countries})
    if row.segment:
        parts.append(_("Segment %(segment)s.") % {"segment": row.segment})
    return " ".join(parts)
