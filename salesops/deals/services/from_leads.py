"""What a deal made of a lead takes over: what is known by SPICED, and the credit of whoever won the lead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from salesops.core import features
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.deals.models import Deal, DealSpiced, DealSplit
from salesops.deals.rules.amounts import WHOLE_BP
from salesops.leads.models import Lead, LeadSpiced
from salesops.leads.rules.spiced import COMPONENTS, known
from salesops.leads.services.spiced import WRITTEN
from salesops.people.choices import WINNING_FUNCTIONS, JobFunction
from salesops.people.selectors import functions_on

#: The switch by which administrators turn off that the credit comes by itself.
SOURCED: Final = "sourced_credit"


def known_of_lead(lead: Lead | None) -> tuple[str, ...]:
    """The components that are known of a lead."""
    return _known(LeadSpiced.objects.filter(lead=lead).first() if lead is not None else None)


def known_of_deal(deal: Deal) -> tuple[str, ...]:
    """The components that are known of a deal."""
    return _known(DealSpiced.objects.filter(deal=deal).first())


def _known(row: LeadSpiced | DealSpiced | None) -> tuple[str, ...]:
    return known({name: getattr(row, name) for name in COMPONENTS}) if row is not None else ()


def copy_spiced(lead: Lead, deal: Deal) -> DealSpiced | None:
    """Take over what is known of the lead into a deal that has nothing yet; the lead keeps its own."""
    row = LeadSpiced.objects.filter(lead=lead).first()
    if row is None or DealSpiced.objects.filter(deal=deal).exists():
        return None
    values = {name: getattr(row, name) for name in WRITTEN}
    return DealSpiced.objects.create(deal=deal, filled=row.filled, **values)


def settle_credit(
    changes: Iterable[tuple[Deal, int | Unset | None]], *, at: datetime
) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Give whoever won the lead a share on top of the deal made of it, and take it back where the deal becomes their own.

    `changes` are deals, locked and with their lead, each with who owned it before; UNSET for a deal that is new. The share
    comes with a deal of somebody else, and when whoever won the lead gives their deal away; it takes from nobody, and who
    has a share already gets no second one. It goes when they become the owner, unless somebody changed it by hand. Nobody
    gets it while the switch is off. `credited_to` is who owned the lead when it was converted; a lead that never was gives
    no credit. Whoever has a function in which no leads are won is named as an SDR.

    Gives, by deal, the shares before and after as the audit keeps them, of those deals whose shares changed; the same few
    queries for any number.
    """
    moved = {deal.pk: (deal, had) for deal, had in changes}
    credited = dict(
        Lead.objects.filter(
            pk__in={deal.lead_id for deal, _had in moved.values()}, credited_to__isnull=False
        ).values_list("pk", "credited_to")
    )
    won = {pk: credited[deal.lead_id] for pk, (deal, _had) in moved.items() if deal.lead_id in credited}
    moved = {pk: moved[pk] for pk in won}
    if not moved:
        return {}
    rows: dict[int, list[DealSplit]] = {pk: [] for pk in moved}
    for row in DealSplit.objects.filter(deal__in=moved):
        rows[row.deal_id].append(row)
    is_on = features.is_on(SOURCED)
    functions = functions_on(company_day(at), set(won.values()))
    gone: list[DealSplit] = []
    fresh: list[DealSplit] = []
    settled = {}
    for pk, (deal, had) in moved.items():
        person = won[pk]
        shares = rows[pk]
        if deal.owner_id == person:
            kept = [row for row in shares if not _came_by_itself(row, person)]
            gone += [row for row in shares if row not in kept]
        elif is_on and had in (UNSET, person) and all(row.person_id != person for row in shares):
            function = functions.get(person, "")
            share = DealSplit(
                deal=deal,
                person_id=person,
                function=function if function in WINNING_FUNCTIONS else JobFunction.SDR,
                share_bp=WHOLE_BP,
                is_overlay=True,
            )
            fresh.append(share)
            kept = [*shares, share]
        else:
            continue
        if len(kept) != len(shares):
            settled[pk] = (plain_shares(shares), plain_shares(kept))
    if gone:
        DealSplit.objects.filter(pk__in=[row.pk for row in gone]).delete()
    DealSplit.objects.bulk_create(fresh)
    return settled


def _came_by_itself(row: DealSplit, person: int) -> bool:
    """Whether a share still is as it comes to whoever won the lead; what was changed by hand differs."""
    is_whole = row.is_overlay and row.share_bp == WHOLE_BP
    return row.person_id == person and is_whole and row.function in WINNING_FUNCTIONS


def plain_shares(rows: Iterable[DealSplit]) -> dict[str, Any]:
    """The shares of a deal for the audit: the largest first."""
    return {"splits": sorted((_plain_share(row) for row in rows), key=_share_order)}


def _plain_share(row: DealSplit) -> dict[str, Any]:
    plain = {"person": row.person_id, "function": row.function, "share_bp": row.share_bp}
    return plain | ({"is_overlay": True} if row.is_overlay else {})


def _share_order(share: dict[str, Any]) -> tuple[int, int, str]:
    return (-share["share_bp"], share["person"], share["function"])
