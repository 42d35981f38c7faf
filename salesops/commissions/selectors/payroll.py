"""Saved columns of payroll files."""

from __future__ import annotations

from django.db.models import QuerySet

from salesops.commissions.models import PayrollMapping
from salesops.core.actor import Actor


def mappings_for(actor: Actor) -> QuerySet[PayrollMapping]:
    """The saved columns the actor may see."""
    return PayrollMapping.objects.visible_to(actor)


def mapping_for(actor: Actor, pk: int) -> PayrollMapping:
    """One set of columns; 404 when it is not theirs."""
    return PayrollMapping.objects.get_for(actor, pk=pk)
