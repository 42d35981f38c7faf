"""Makes and changes the people at a company."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction

from salesops.accounts.models import Account, Contact
from salesops.accounts.services.guards import check_may_edit, refuse_stale
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor

#: What may be set on a contact.
EDITABLE: Final = frozenset({"name", "title", "email", "phone", "consent", "is_primary"})


@transaction.atomic
def create_contact(*, actor: Actor, account_id: int, at: datetime, name: str, **fields: Any) -> Contact:
    """Add a person to an account; the main contact takes the place of the one before.

    Raises PermissionDenied, Http404 for an account that is not the actor's, ValidationError, ValueError.
    """
    check_may_edit(actor)
    _check_fields(fields)
    account: Account = Account.objects.select_for_update(of=("self",)).get_for(actor, pk=account_id)
    contact = Contact(account=account, name=name, created_at=at, **fields)
    _save(contact)
    after = {name: value for name, value in state_of(contact, names=_AUDITED).items() if value not in ("", None, False)}
    record(actor=actor, action="contact.created", subject=contact, after=after, at=at)
    return contact


@transaction.atomic
def edit_contact(
    *, actor: Actor, contact_id: int, at: datetime, seen_at: datetime | None = None, **fields: Any
) -> Contact:
    """Change what is known about a contact (EDITABLE). Nothing is written when nothing differs.

    Raises PermissionDenied, Http404, ValidationError (code "stale" when it was saved since `seen_at`), ValueError.
    """
    check_may_edit(actor)
    _check_fields(fields)
    found: Contact = Contact.objects.get_for(actor, pk=contact_id)
    Account.objects.select_for_update(of=("self",)).get(pk=found.account_id)
    contact = Contact.objects.get(pk=found.pk)
    refuse_stale(contact, seen_at)
    before = state_of(contact, names=fields)
    for name, value in fields.items():
        setattr(contact, name, value)
    old, new = changed(before, state_of(contact, names=fields))
    if new:
        _save(contact)
        record(actor=actor, action="contact.edited", subject=contact, before=old, after=new, at=at)
    return contact


_AUDITED: Final = ("account", *sorted(EDITABLE))


def _check_fields(fields: dict[str, Any]) -> None:
    unknown = set(fields) - EDITABLE
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")


def _save(contact: Contact) -> None:
    contact.name, contact.email = contact.name.strip(), contact.email.strip().lower()
    contact.full_clean(validate_constraints=False)
    if contact.is_primary:
        Contact.objects.filter(account=contact.account_id, is_primary=True).exclude(pk=contact.pk or 0).update(
            is_primary=False
        )
    contact.validate_constraints()
    contact.save()
