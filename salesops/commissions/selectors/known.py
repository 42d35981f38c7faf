"""What was known of pay at a moment in the past: statements that were locked by then, as they were locked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from salesops.commissions.models import Adjustment, Statement
from salesops.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Known:
    """A locked statement as it was known at a moment. Amounts are in minor units.

    corrected_minor: what late changes about the same person, plan and period had come to by then, in statements that
    were locked by then. bundle: the statement with its inputs, frozen at its lock.
    """

    person: str
    period: str
    plan: str
    locked_at: datetime
    payout_minor: int
    corrected_minor: int
    currency: str
    bundle: dict[str, Any]


def known_on(actor: Actor, moment: datetime, period: str = "") -> list[Known]:
    """What the actor's statements showed at a moment, by period and person; of one period where its label is given.

    A draft may change until it is locked and is not kept, so a period that was open then is left out.
    """
    rows = Statement.objects.visible_to(actor).filter(locked_at__lte=moment).select_related("plan_version__plan")
    if period:
        rows = rows.filter(period__label=period)
    corrections = Adjustment.objects.filter(about_period__isnull=False, locked_at__lte=moment).order_by()
    corrected = {
        (person, plan, about): total
        for person, plan, about, total in corrections.values("person_id", "plan_id", "about_period_id")
        .annotate(total=Sum("amount_minor"))
        .values_list("person_id", "plan_id", "about_period_id", "total")
    }
    found = []
    for row in rows.select_related("person", "period").order_by("period__start_on", "person__name", "pk"):
        if row.locked_at is None or row.bundle is None:
            continue
        found.append(
            Known(
                person=str(row.bundle["statement"]["person"]),
                period=row.period.label,
                plan=row.plan_version.plan.name,
                locked_at=row.locked_at,
                payout_minor=row.payout_minor,
                corrected_minor=corrected.get((row.person_id, row.plan_version.plan_id, row.period_id), 0),
                currency=row.currency,
                bundle=row.bundle,
            )
        )
    return found
