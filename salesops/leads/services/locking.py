"""Holds a lead while it is changed."""

from __future__ import annotations

from salesops.core.actor import Actor
from salesops.leads.models import Lead


def locked_lead(actor: Actor, lead_id: int) -> Lead:
    """The lead, locked until the transaction ends. Raises Http404 when it is not the actor's."""
    lead: Lead = Lead.objects.select_for_update(of=("self",)).get_for(actor, pk=lead_id)
    return lead
