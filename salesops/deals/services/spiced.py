"""Writes what is known of a deal by SPICED."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from salesops.audit.services import record
from salesops.core.actor import Actor
from salesops.deals.models import DealSpiced
from salesops.deals.services.deals import check_may_edit, locked_deal
from salesops.leads.services.spiced import refuse_stale_words, write_spiced


@transaction.atomic
def set_deal_spiced(
    *, actor: Actor, deal_id: int, at: datetime, seen_at: datetime | None = None, **given: Any
) -> DealSpiced:
    """Write these components of a deal; those not given stay. As `leads.services.set_lead_spiced`.

    A closed deal may be written as well: what is learned late is worth keeping, and pays nobody.
    """
    check_may_edit(actor)
    deal = locked_deal(actor, deal_id, None)
    row = DealSpiced.objects.filter(deal=deal).first() or DealSpiced(deal=deal)
    refuse_stale_words(row, seen_at)
    old, new = write_spiced(row, given)
    if new:
        record(actor=actor, action="deal.spiced", subject=deal, before=old, after=new, at=at)
    return row
