"""What a deal made of a lead takes over: what is known by SPICED, and the credit of whoever won the lead."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from salesops.core import features
from salesops.core.days import company_day
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


def keep_credit(lead: Lead, deal: Deal, *, at: datetime) -> DealSplit | None:
    """Give whoever won the lead a share on top of the deal: nobody has less for it. None where it is their own deal.

    `credited_to` is who owned the lead when it was converted; a lead that was never converted gives no credit. Whoever
    has a function in which no leads are won is named as an SDR in the share.
    """
    person = lead.credited_to
    if person is None or person.pk == deal.owner_id or not features.is_on(SOURCED):
        return None
    function = functions_on(company_day(at), [person.pk]).get(person.pk, "")
    share = DealSplit(
        deal=deal,
        person=person,
        function=function if function in WINNING_FUNCTIONS else JobFunction.SDR,
        share_bp=WHOLE_BP,
        is_overlay=True,
    )
    share.save()
    return share
