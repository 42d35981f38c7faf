"""The learned chance of a lead with what it was learned from and what brought it about, for its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import display
from salesops.leads.models import Lead, LearnedModel
from salesops.leads.rules.learned.fitted import Fitted
from salesops.leads.selectors.histories import open_features
from salesops.pods.models import Segment

_NAMES: Final[Mapping[str, str | Promise]] = {
    "origin": gettext_lazy("Origin"),
    "country": gettext_lazy("Country"),
    "campaign": gettext_lazy("Campaign"),
    "segment": gettext_lazy("Segment"),
    "address": gettext_lazy("Kind of e-mail address"),
    "employees": gettext_lazy("Employees"),
    "value": gettext_lazy("Estimated value"),
    "has_phone": gettext_lazy("Has a phone number"),
    "has_company": gettext_lazy("Names a company"),
    "has_title": gettext_lazy("Names a title"),
}
#: Parts that change less than this much of the odds say nothing.
_LEAST: Final = 0.05
_MOST: Final = 6


@dataclass(frozen=True, slots=True)
class ChancePart:
    """What one thing that is known of a lead does to its chance. is_better: raises it."""

    name: str
    value: str
    is_better: bool


@dataclass(frozen=True, slots=True)
class ChanceShown:
    """The chance and that of leads like those it was learned from, in basis points; how many were learned from."""

    basis_points: int
    usual_basis_points: int
    rows: int
    parts: Sequence[ChancePart]


def chance_shown(lead: Lead) -> ChanceShown | None:
    """The chance of a lead that is told now; None where nothing learned is in use. The weightiest parts come first."""
    model = LearnedModel.objects.filter(is_used=True).first()
    if model is None:
        return None
    fitted = Fitted.from_plain(model.fitted)
    _pk, features = next(open_features(Lead.objects.filter(pk=lead.pk), settings.COMPANY_CURRENCY))
    reasons = fitted.reasons(features)
    parts = [
        ChancePart(str(_NAMES[part.column]), _value(part.column, features[part.column], lead), part.log_odds > 0)
        for part in reasons.parts
        if abs(part.log_odds) >= _LEAST and part.column in _NAMES
    ]
    return ChanceShown(
        round(reasons.probability * 10_000), round(reasons.start_probability * 10_000), fitted.rows, parts[:_MOST]
    )


def _value(column: str, value: Any, lead: Lead) -> str:
    """A value as a person reads it."""
    if value is None:
        return _("not known")
    if column.startswith("has_"):
        return _("yes") if value else _("no")
    if column == "value":
        return display.money(int(value), lead.currency)
    if column == "employees":
        return display.number(int(value))
    if column == "origin":
        return str(lead.get_origin_display())
    if column == "segment":
        return str(lead.segment) if isinstance(lead.segment, Segment) else str(value)
    if column == "address":
        return _("private") if value == "private" else _("of a company")
    return str(value)
