"""Reads what is known by SPICED, for the pages that show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Actor
from salesops.leads.models import DisqualifyReason, LeadSpiced
from salesops.leads.models.spiced import Spiced
from salesops.leads.rules.spiced import COMPONENTS, LETTERS

#: What each component is called, and what it asks.
LABELS: Final[dict[str, Any]] = {
    "situation": _("Situation"),
    "pain": _("Pain"),
    "impact": _("Impact"),
    "critical_event": _("Critical event"),
    "decision": _("Decision"),
}
ASKS: Final[dict[str, Any]] = {
    "situation": _("Facts about the customer: who they are, what they do it with today."),
    "pain": _("What troubles them, and whom."),
    "impact": _("What it would bring them, in their own figures, if it were gone."),
    "critical_event": _("By when they need it, and what happens if they miss that."),
    "decision": _("Who decides, by what, and how."),
}


@dataclass(frozen=True, slots=True)
class ComponentShown:
    """One component as a page shows it; `on` is the day of the critical event."""

    name: str
    letter: str
    label: Promise
    ask: Promise
    text: str
    on: date | None = None


@dataclass(frozen=True, slots=True)
class SpicedShown:
    """The five components and how many of them are known."""

    components: tuple[ComponentShown, ...]
    filled: int


def spiced_shown(row: Spiced | None) -> SpicedShown:
    """What a page shows of a row; five empty components where there is none."""
    components = tuple(
        ComponentShown(
            name,
            LETTERS[name],
            LABELS[name],
            ASKS[name],
            getattr(row, name) if row else "",
            row.critical_event_on if row and name == "critical_event" else None,
        )
        for name in COMPONENTS
    )
    return SpicedShown(components, row.filled if row else 0)


def lead_spiced_for(actor: Actor, lead_id: int) -> LeadSpiced | None:
    """What is known of a lead that the actor sees; None where nobody has written anything."""
    return LeadSpiced.objects.visible_to(actor).filter(lead=lead_id).first()


def disqualify_reasons() -> list[str]:
    """The reasons that may be chosen, in their order."""
    return list(DisqualifyReason.objects.filter(is_active=True).values_list("name", flat=True))
