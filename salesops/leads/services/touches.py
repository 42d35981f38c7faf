"""Remembers on a lead when somebody last did something about it: told by the rooms above."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from salesops.leads.choices import ClockEnding
from salesops.leads.models import Lead
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
