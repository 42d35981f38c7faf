"""The list of contacts, one contact, and the forms that change one."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from salesops.accounts.filters import ContactFilter
from salesops.accounts.forms import ContactCreateForm, ContactForm, contact_initial
from salesops.accounts.models import Account, Contact
from salesops.accounts.selectors import account_for, contact_for, contact_or_removed_for, contacts_for
from salesops.accounts.services import create_contact, edit_contact
from salesops.accounts.services.removal import restore_contacts
from salesops.accounts.tables import ContactTable
from salesops.accounts.views.accounts import EDITORS, READERS
from salesops.accounts.views.newer import MindsNewerMixin
from salesops.accounts.views.removal import RestoreView, removal_context
from salesops.audit.selectors import history_of
from salesops.audit.wording import described
from salesops.core.views import Empty, ScopedCreateView, ScopedDetailView, ScopedEditView, ScopedListView

#: How many entries a contact's page shows of its history.
_HISTORY = 30


class ContactListView(ScopedListView):
    """The contacts of the accounts that the actor sees."""

    roles = READERS
    selector = contacts_for
    table_class, filterset_class = ContactTable, ContactFilter
    create_url, create_label = "accounts:contact_create", _("New contact")
    empty = Empty(_("No contacts yet"), _("Add people at the companies you work with."), "address-book")


class ContactDetailView(ScopedDetailView):
    """One person at a company."""

    roles = READERS
    selector = contact_or_removed_for

    def get_context(self) -> dict[str, Any]:
        """What was changed, and whether more may be."""
        return {
            "may_edit": self.actor.may_edit_work and not self.object.is_removed,
            **removal_context(self.actor, self.object),
            "history": described(list(history_of(self.actor, self.object)[:_HISTORY])),
        }


class ContactRestoreView(RestoreView):
    """Brings a removed contact back."""

    selector = contact_or_removed_for
    service = restore_contacts


class ContactCreateView(ScopedCreateView):
    """A new contact, perhaps of an account that is known (`?account=12`)."""

    roles = EDITORS
    form_class, title, back_url = ContactCreateForm, _("New contact"), "accounts:contact_list"
    submit_label = _("Add contact")
    success_message = _("Added the contact “%(object)s”.")
    template_name = "accounts/contact_form.html"
    dialog_template_name = "accounts/contact_dialog.html"

    @property
    def account(self) -> Account | None:
        """The account of the address; 404 when it is not the actor's."""
        given = self.request.GET.get("account", "")
        if not given:
            return None
        if not given.isdecimal() or len(given) > 18:
            raise Http404
        return account_for(self.actor, int(given))

    def get_initial(self) -> dict[str, Any]:
        """The account that is known."""
        account = self.account
        return {} if account is None else {"account": account}

    def save(self, form: ContactCreateForm) -> Contact | str:
        """Add the person; somebody added from an account's page goes back there."""
        contact = create_contact(
            actor=self.actor, account_id=form.cleaned_data["account"].pk, at=self.now, **form.facts
        )
        return super().get_success_url(contact.account) if self.account is not None else contact


class ContactEditView(MindsNewerMixin, ScopedEditView):
    """The facts of a contact."""

    roles = EDITORS
    selector = contact_for
    form_class, title = ContactForm, _("Edit contact")
    success_message = _("Saved the contact.")
    template_name = "accounts/contact_form.html"
    dialog_template_name = "accounts/contact_dialog.html"

    def get_initial(self) -> dict[str, Any]:
        """The contact's own values."""
        return contact_initial(self.object)

    def write(self, form: ContactForm) -> Contact:
        """Write what differs."""
        return edit_contact(
            actor=self.actor,
            contact_id=self.object.pk,
            at=self.now,
            seen_at=form.cleaned_data["seen_at"],
            **form.facts,
        )
