"""Keeps whose a deal was, in time: plans may credit as of another day than that of closing, or by days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from salesops.core.days import company_day
from salesops.core.rows import insert_objects
from salesops.core.upserts import Unset
from salesops.deals.models import Deal, DealOwnership


def keep_owners(changes: Iterable[tuple[Deal, int | Unset | None]], *, day: date) -> None:
    """Let the ownerships of deals say from a day on who owns them now; call it whenever owners were written, in the same
    transaction. Four statements at most for any number of deals, one where nothing differs.

    `changes` are the deals, each with who owned it before; UNSET for a deal that is new. What began on that very day is
    replaced. A deal of which nothing is kept yet was that owner's since it was opened.
    """
    given = list(changes)
    rows = {deal.pk: deal for deal, _had in given}
    if not rows:
        return
    before = {deal.pk: had for deal, had in given}
    # Of new deals nothing is kept yet.
    known = [pk for pk, had in before.items() if not isinstance(had, Unset)]
    last: dict[int, DealOwnership] = {}
    for held in DealOwnership.objects.filter(deal__among=known).order_by("start_on", "pk") if known else ():
        last[held.deal_id] = held
    replaced: list[int] = []
    ending: list[DealOwnership] = []
    fresh: list[DealOwnership] = []
    for pk, deal in rows.items():
        held_last = last.get(pk)
        now = held_last if held_last is not None and held_last.end_on is None else None
        if (now.person_id if now else None) == deal.owner_id:
            continue
        if now is not None and now.start_on >= day:
            replaced.append(now.pk)
        elif now is not None:
            now.end_on = day
            ending.append(now)
        start = day
        if held_last is None:
            opened, had = min(day, deal.opened_on or company_day(deal.created_at)), before[pk]
            if isinstance(had, Unset):
                start = opened
            elif had is not None and opened < day:
                fresh.append(DealOwnership(deal_id=pk, person_id=had, start_on=opened, end_on=day))
        if deal.owner_id is not None:
            fresh.append(DealOwnership(deal_id=pk, person_id=deal.owner_id, start_on=start))
    if replaced:
        DealOwnership.objects.filter(pk__in=replaced).delete()
    if ending:
        DealOwnership.objects.bulk_create(ending, update_conflicts=True, update_fields=["end_on"], unique_fields=["pk"])
    insert_objects(fresh, need_keys=False)
