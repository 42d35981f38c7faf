"""Remembers on a lead when somebody last did something about it: told by the rooms above."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from salesops.leads.choices import ClockEnding
from salesops.leads.models import Clock, Lead
from salesops.leads.services.routing import stop_clocks


@transaction.atomic
def touch_leads(*, lead_ids: Collection[int], at: datetime) -> None:
    """Remember that each of these leads was touched at a moment, in a handful of statements. As `touch_lead`."""
    leads = Lead.every.filter(pk__in=lead_ids)
    leads.filter(Q(first_touched_at__isnull=True) | Q(first_touched_at__gt=at)).update(first_touched_at=at)
    leads.filter(Q(last_touched_at__isnull=True) | Q(last_touched_at__lt=at)).update(last_touched_at=at)
    stop_clocks(list(lead_ids), ClockEnding.TOUCHED, at)


@transaction.atomic
def touch_lead(*, lead_id: int, at: datetime) -> bool:
    """Remember that the lead was touched at a moment: as the first time, the last, or neither; says whether as either.

    Touches may be told in any order. Raises Lead.DoesNotExist.
    """
    lead = Lead.every.filter(pk=lead_id)
    was_first = lead.filter(Q(first_touched_at__isnull=True) | Q(first_touched_at__gt=at)).update(first_touched_at=at)
    was_last = lead.filter(Q(last_touched_at__isnull=True) | Q(last_touched_at__lt=at)).update(last_touched_at=at)
    if not was_first and not was_last and not lead.exists():
        raise Lead.DoesNotExist(lead_id)
    stop_clocks([lead_id], ClockEnding.TOUCHED, at)
    return bool(was_first or was_last)


@transaction.atomic
def touch_leads_at(*, moments: Mapping[int, Collection[datetime]]) -> None:
    """Remember for each of these leads all the moments at which it was touched, in a handful of statements.

    As `touch_lead` for each of them: a clock stops at the first touch after it was started.
    """
    leads = list(Lead.every.filter(pk__in=moments).order_by("pk").select_for_update(of=("self",)))
    for lead in leads:
        told = moments[lead.pk]
        lead.first_touched_at = min(told) if lead.first_touched_at is None else min(lead.first_touched_at, *told)
        lead.last_touched_at = max(told) if lead.last_touched_at is None else max(lead.last_touched_at, *told)
    Lead.every.bulk_update(leads, ["first_touched_at", "last_touched_at"], batch_size=500)
    stopped = []
    for clock in Clock.objects.filter(lead__in=moments, ended_at__isnull=True).order_by("pk"):
        after = [moment for moment in moments[clock.lead_id] if moment >= clock.started_at]
        if after:
            clock.ended_at, clock.ending, clock.next_at = min(after), ClockEnding.TOUCHED, None
            stopped.append(clock)
    Clock.objects.bulk_update(stopped, ["ended_at", "ending", "next_at"], batch_size=500)
