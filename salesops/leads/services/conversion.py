"""Turns a lead into an account and a contact. The deal is made by the room above, from what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.accounts.models import Account, Contact
from salesops.accounts.rules.consent import stricter
from salesops.accounts.selectors import account_for
from salesops.accounts.services import create_account, create_contact, edit_contact
from salesops.accounts.services.guards import check_may_edit
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.leads.choices import ClockEnding
from salesops.leads.models import Lead
from salesops.leads.rules.statuses import CONVERTED, DISQUALIFIED
from salesops.leads.services.locking import locked_lead
from salesops.leads.services.routing import stop_clocks
from salesops.people.models import User
from salesops.pods.selectors import assignees_for


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion made, and what a deal from it would start with.

    `credited_to` is the owner at the moment of conversion: the credit for having won the lead stays theirs, whoever owns
    the account or the deal later. The amount is in minor units of the currency.
    """

    lead: Lead
    account: Account
    contact: Contact
    credited_to: User | None
    deal_name: str
    amount_minor: int
    currency: str


@transaction.atomic
def convert_lead(
    *, actor: Actor, lead_id: int, at: datetime, account_id: int | None = None, account_name: str = ""
) -> Conversion:
    """Convert a lead: into the account given, else a new one named `account_name`, else after the lead's company.

    The contact is the one at that account with the lead's e-mail address, else a new one. A new account belongs to the
    lead's owner where the actor may give work to them. Raises PermissionDenied, Http404 for a lead or account that is
    not the actor's, ValidationError for a lead that is converted or disqualified.
    """
    check_may_edit(actor)
    lead = locked_lead(actor, lead_id)
    if lead.status == CONVERTED:
        raise ValidationError(_("This lead was converted already."), code="converted")
    if lead.status == DISQUALIFIED:
        raise ValidationError(_("This lead is disqualified: reopen it first."), code="disqualified")
    before = state_of(lead, names=_CHANGED)
    if account_id is not None:
        account = account_for(actor, account_id)
    else:
        account = create_account(
            actor=actor,
            at=at,
            name=account_name.strip() or lead.company or lead.name,
            employees=lead.employees,
            country=lead.country,
            segment=lead.segment,
            currency=lead.currency,
            owner=_receiver(actor, lead, at),
        )
    contact = _contact(actor, lead, account, at)
    lead.status, lead.converted_at = CONVERTED, at
    lead.account, lead.contact, lead.credited_to = account, contact, lead.owner
    lead.save(update_fields=[*_CHANGED, "converted_at", "updated_at"])
    stop_clocks([lead.pk], ClockEnding.CLOSED, at)
    old, new = changed(before, state_of(lead, names=_CHANGED))
    record(actor=actor, action="lead.converted", subject=lead, before=old, after=new, at=at)
    return Conversion(
        lead=lead,
        account=account,
        contact=contact,
        credited_to=lead.credited_to,
        deal_name=account.name,
        amount_minor=lead.estimated_minor or 0,
        currency=lead.currency,
    )


_CHANGED = ("status", "account", "contact", "credited_to")


def _receiver(actor: Actor, lead: Lead, at: datetime) -> User | Unset:
    """The lead's owner as the account's, where the actor may give work to them."""
    owner = lead.owner
    if owner is None or not assignees_for(actor, company_day(at)).filter(pk=owner.pk).exists():
        return UNSET
    return owner


def _contact(actor: Actor, lead: Lead, account: Account, at: datetime) -> Contact:
    known = Contact.objects.filter(account=account, email__iexact=lead.email).order_by("pk") if lead.email else None
    found = known.first() if known is not None else None
    if found is not None:
        consent = stricter(found.consent, lead.consent)
        is_said = consent == found.consent
        return found if is_said else edit_contact(actor=actor, contact_id=found.pk, at=at, consent=consent)
    return create_contact(
        actor=actor,
        account_id=account.pk,
        at=at,
        name=lead.name,
        title=lead.title,
        email=lead.email,
        phone=lead.phone,
        consent=lead.consent,
        is_primary=not Contact.objects.filter(account=account, is_primary=True).exists(),
    )
