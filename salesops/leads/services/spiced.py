"""Writes what is known of a lead by SPICED."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.accounts.services.guards import check_may_edit, refuse_stale
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor
from salesops.leads.models import LeadSpiced
from salesops.leads.models.spiced import Spiced
from salesops.leads.rules.spiced import COMPONENTS, known
from salesops.leads.services.locking import locked_lead

#: What is written, and what the audit keeps.
WRITTEN: Final = (*COMPONENTS, "critical_event_on")
#: The most signs of a component.
MOST_SIGNS: Final = 4_000


@transaction.atomic
def set_lead_spiced(
    *, actor: Actor, lead_id: int, at: datetime, seen_at: datetime | None = None, **given: Any
) -> LeadSpiced:
    """Write these components (WRITTEN) of a lead; those not given stay. Nothing is written when nothing differs.

    With `seen_at`, the moment of saving that the form showed, newer words are not overwritten. Raises PermissionDenied,
    Http404, ValidationError at the field at fault (code "stale" for newer words), ValueError for another field.
    """
    check_may_edit(actor)
    lead = locked_lead(actor, lead_id)
    row = LeadSpiced.objects.filter(lead=lead).first() or LeadSpiced(lead=lead)
    refuse_stale_words(row, seen_at)
    old, new = write_spiced(row, given)
    if new:
        record(actor=actor, action="lead.spiced", subject=lead, before=old, after=new, at=at)
    return row


def refuse_stale_words(row: Spiced, seen_at: datetime | None) -> None:
    """Raise a ValidationError (code "stale") when the words were saved since `seen_at`; a row not saved yet is not newer."""
    if row.pk is not None:
        refuse_stale(row, seen_at)


def write_spiced(row: Spiced, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put components into a row that the caller has locked, count them and save; gives what differs, before and after.

    Raises ValidationError for words that are too long, ValueError for a field that is none of WRITTEN.
    """
    if unknown := set(given) - set(WRITTEN):
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")
    before = state_of(row, names=WRITTEN)
    for name, value in given.items():
        setattr(row, name, value.strip() if isinstance(value, str) else value)
    errors = {
        name: ValidationError(_("At most %(most)d characters.") % {"most": MOST_SIGNS}, code="too-long")
        for name in COMPONENTS
        if len(getattr(row, name)) > MOST_SIGNS
    }
    if errors:
        raise ValidationError(errors)
    row.filled = len(known({name: getattr(row, name) for name in COMPONENTS}))
    old, new = changed(before, state_of(row, names=WRITTEN))
    if new:
        row.save()
    return old, new
