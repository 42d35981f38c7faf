"""Reads leads, how they came to whoever has them, and what conditions may ask of them."""

from salesops.leads.selectors.fields import facts_of, known_of
from salesops.leads.selectors.leads import (
    accounts_like,
    assignments_of,
    lead_for,
    leads_for,
    leads_in_work,
    same_person,
)

__all__ = [
    "accounts_like",
    "assignments_of",
    "facts_of",
    "known_of",
    "lead_for",
    "leads_for",
    "leads_in_work",
    "same_person",
]
