"""How long a card of the board stands in its stage, for templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django import template

from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.deals.rules.ageing import age_of
from salesops.deals.selectors.deals import days_in_stage

register = template.Library()


@dataclass(frozen=True, slots=True)
class Aged:
    """A card's colour, the days it stands in its stage and the days it should."""

    colour: str
    days: int
    expected: int | None


@register.filter
def aged(deal: Deal, now: datetime) -> Aged:
    """How long a deal stands in its stage: green, yellow or red."""
    days = days_in_stage(deal, now)
    expected = deal.stage.expected_days
    return Aged(age_of(days, expected, is_open=deal.kind == StageKind.OPEN).value, days, expected)
