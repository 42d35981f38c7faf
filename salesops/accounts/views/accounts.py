"""The list of accounts, one account, and the forms that change one or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from salesops.accounts.filters import AccountFilter
from salesops.accounts.forms import (
    AccountBulkForm,
    AccountCreateForm,
    AccountForm,
    BulkAssignForm,
    OwnerForm,
    ResponsibleForm,
)
from salesops.accounts.models import Account
from salesops.accounts.selectors import (
    account_for,
    account_or_removed_for,
    accounts_for,
    contacts_of,
    group_of,
    mrr_of,
    ownerships_of,
    subscriptions_of,
)
from salesops.accounts.services import (
    AccountChanges,
    BulkRow,
    bulk_edit,
    create_account,
    edit_account,
    plan_bulk_edit,
    set_owner,
    set_responsible,
)
from salesops.accounts.services.removal import restore_accounts
from salesops.accounts.tables import TONES, AccountTable
from salesops.accounts.views.newer import MindsNewerMixin
from salesops.accounts.views.removal import RestoreView, removal_context
from salesops.core import display
from salesops.core.actor import Role
from salesops.core.days import company_day
from salesops.core.views import (
    BulkAction,
    BulkView,
    Change,
    Empty,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.people.choices import GIVING_FUNCTIONS

#: Roles that see single accounts, leads and contacts, and those of them that change them.
READERS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
EDITORS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN)
#: Accounts offered while a name is typed.
_OFFERED: Final = 12
#: Contacts shown on an account's page; the rest is a list away.
_CONTACTS: Final = 30


class AccountListView(ScopedListView):
    """The accounts that the actor sees."""

    rests_on = ("accounts",)
    roles: ClassVar[tuple[Role, ...]] = READERS
    selector = accounts_for
    table_class, filterset_class = AccountTable, AccountFilter
    bulk_actions = (
        BulkAction(_("Edit"), "accounts:account_bulk_edit", icon="edit", roles=EDITORS),
        BulkAction(_("Reassign"), "accounts:account_bulk_assign", icon="users", roles=EDITORS),
        BulkAction(_("Log an activity"), "activities:account_log", icon="pencil-plus", roles=EDITORS),
    )
    create_url, create_label = "accounts:account_create", _("New account")
    empty = Empty(_("No accounts yet"), _("Add the first company, or import those you have."), "building")


class AccountDetailView(ScopedDetailView):
    """One account: facts, people, group, revenue, who was responsible when."""

    roles = READERS
    selector = account_or_removed_for

    def get_context(self) -> dict[str, Any]:
        """What hangs on the account. Deals and timeline are fetched by the page from the rooms above."""
        account: Account = self.object
        today = company_day(self.now)
        contacts = list(contacts_of(self.actor, account)[: _CONTACTS + 1])
        ownerships = list(ownerships_of(self.actor, account))
        return {
            "may_edit": self.actor.may_edit_work and not account.is_removed,
            **removal_context(self.actor, account),
            "may_hand_off": not self.actor.functions.isdisjoint(GIVING_FUNCTIONS),
            "tone": TONES.get(account.status, "grey"),  # type: ignore[call-overload]  # a choice is its text
            "today": today,
            "about": f"account-{account.pk}",
            "contacts": contacts[:_CONTACTS],
            "has_more_contacts": len(contacts) > _CONTACTS,
            "group": group_of(self.actor, account),
            "subscriptions": list(subscriptions_of(self.actor, account)),
            "mrr": mrr_of(self.actor, account, today),
            "ownerships": ownerships,
            "team": [row for row in ownerships if row.start_on <= today and (row.end_on is None or row.end_on > today)],
        }


class AccountRestoreView(RestoreView):
    """Brings a removed account back."""

    selector = account_or_removed_for
    service = restore_accounts


class AccountCreateView(ScopedCreateView):
    """A new account."""

    roles = EDITORS
    form_class, title, back_url = AccountCreateForm, _("New account"), "accounts:account_list"
    submit_label = _("Add account")
    success_message = _("Added the account “%(object)s”.")
    template_name = "accounts/account_form.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may own accounts now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: AccountCreateForm) -> Account | str:
        """Make it."""
        account = create_account(actor=self.actor, at=self.now, **form.given)
        return page_of(self, account)


class AccountEditView(MindsNewerMixin, ScopedEditView):
    """The facts of an account."""

    roles = EDITORS
    selector = account_for
    form_class, title = AccountForm, _("Edit account")
    success_message = _("Saved the account.")
    template_name = "accounts/account_form.html"

    def get_initial(self) -> dict[str, Any]:
        """The account's own values."""
        account: Account = self.object
        names = [name for name in AccountForm.base_fields if name not in {"seen_at", "parent"}]
        return {name: getattr(account, name) for name in names} | {
            "parent": account.parent,
            "segment": account.segment_id,
            "territory": account.territory_id,
            "seen_at": account.updated_at.isoformat(),
        }

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment, and nothing of a parent that the actor does not see: that one stays as it is."""
        parent = self.object.parent_id
        is_hidden = parent is not None and not accounts_for(self.actor).filter(pk=parent).exists()
        return super().get_form_kwargs() | {"at": self.now, "has_parent": not is_hidden}

    def write(self, form: AccountForm) -> Account:
        """Write what differs."""
        return edit_account(
            actor=self.actor,
            account_id=self.object.pk,
            at=self.now,
            seen_at=form.cleaned_data["seen_at"],
            **form.facts,
        )


class AccountAssignView(ScopedEditView):
    """To whom the account goes."""

    roles = EDITORS
    selector = account_for
    form_class, title, submit_label = OwnerForm, _("Reassign account"), _("Reassign")
    success_message = _("Saved who is responsible.")

    def get_initial(self) -> dict[str, Any]:
        """Who has it now."""
        return {"owner": self.object.owner_id}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may own accounts now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: OwnerForm) -> Account | str:
        """Hand it over."""
        values = form.values
        account = set_owner(
            actor=self.actor,
            account_id=self.object.pk,
            at=self.now,
            owner=values["owner"],
            day=values["day"],
            reason=values["reason"],
            **({"pod": values["pod"]} if values["pod"] else {}),
        )
        return page_of(self, account)


class AccountResponsibleView(ScopedEditView):
    """Who is responsible beside the owner."""

    roles = EDITORS
    selector = account_for
    form_class, title = ResponsibleForm, _("Who else is responsible")
    success_message = _("Saved who is responsible.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who may be responsible now."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: ResponsibleForm) -> Account:
        """From that day on it is this person."""
        set_responsible(actor=self.actor, account_id=self.object.pk, at=self.now, **form.values)
        account: Account = self.object
        return account


def page_of(view: PortalView, account: Account) -> Account | str:
    """The account's page, or the list for whoever has just given it out of their own sight."""
    if accounts_for(view.actor).filter(pk=account.pk).exists():
        return account
    return reverse("accounts:account_list")


class AccountOptionsView(PortalView):
    """Accounts whose name holds what was typed, as options of a text field."""

    roles = READERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """The options, those that begin with it first. The field's own name carries the text."""
        given = next((value for name, value in request.GET.items() if name in {"account", "parent", "q"}), "")
        text = str(given).replace("\x00", "").strip()[:100]
        rows = accounts_for(self.actor)
        found = list(rows.filter(name__istartswith=text).order_by("name", "pk")[:_OFFERED])
        if text and len(found) < _OFFERED:
            known = [account.pk for account in found]
            others = rows.filter(name__icontains=text).exclude(pk__in=known).order_by("name", "pk")
            found += list(others[: _OFFERED - len(found)])
        same = rows.filter(name__in=[account.name for account in found]).order_by().values_list("pk", "name")
        keys: dict[str, set[int]] = {}
        for pk, name in same:
            keys.setdefault(name.casefold(), set()).add(pk)
        options = [
            account.name if len(keys.get(account.name.casefold(), ())) < 2 else f"{account.name} (#{account.pk})"
            for account in found
        ]
        return render(request, "accounts/account_options.html", {"options": options})


# --- Many at once -------------------------------------------------------------------------------------------------


def as_changes(rows: Sequence[BulkRow], model: Any) -> list[Change]:
    """The rows of a plan as the preview shows them."""
    return [
        Change(row.label, in_words(row.before, model), in_words(row.after, model))
        if row.is_changed
        else Change(row.label, problem=row.problem or translate("It already is so."))
        for row in rows
    ]


def in_words(values: Any, model: Any) -> str:
    """Fields and values in one line."""
    parts = []
    for name, value in values.items():
        label = capfirst(str(model._meta.get_field(name).verbose_name))
        parts.append(f"{label}: {value or display.NOTHING}")
    return " · ".join(parts)


def told(rows: Sequence[BulkRow]) -> str:
    """What was done, in words."""
    changed = sum(row.is_changed for row in rows)
    refused = sum(bool(row.problem) for row in rows)
    words = [ngettext("Changed %(count)s row.", "Changed %(count)s rows.", changed) % {"count": changed}]
    if len(rows) > changed + refused:
        count = len(rows) - changed - refused
        words.append(ngettext("%(count)s already was so.", "%(count)s already were so.", count) % {"count": count})
    if refused:
        words.append(ngettext("%(count)s was left alone.", "%(count)s were left alone.", refused) % {"count": refused})
    return " ".join(words)


class _BulkAccountsView(BulkView):
    """What both bulk pages share: the plan as a preview, then the service."""

    roles = EDITORS
    list_view = AccountListView
    back_url = "accounts:account_list"

    def changes(self, form: Any) -> AccountChanges:
        """What the form asks for."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it changes")

    def preview(self, rows: QuerySet[Account], form: Any) -> Sequence[Change]:
        """What `apply` would do to each row now."""
        keys = list(rows.values_list("pk", flat=True))
        plan = plan_bulk_edit(actor=self.actor, account_ids=keys, changes=self.changes(form), at=self.now)
        return as_changes(plan, Account)

    def apply(self, rows: QuerySet[Account], form: Any) -> str:
        """Change them."""
        keys = list(rows.values_list("pk", flat=True))
        done = bulk_edit(
            actor=self.actor,
            account_ids=keys,
            changes=self.changes(form),
            at=self.now,
            reason=form.cleaned_data.get("reason", ""),
        )
        return told(done)


class AccountBulkEditView(_BulkAccountsView):
    """Status, segment, territory or industry of many accounts."""

    form_class, title, submit_label = AccountBulkForm, _("Edit accounts"), _("Change them")

    def changes(self, form: AccountBulkForm) -> AccountChanges:
        """What the form asks for."""
        return form.changes


class AccountBulkAssignView(_BulkAccountsView):
    """Owner or pod of many accounts."""

    form_class, title, submit_label = BulkAssignForm, _("Reassign accounts"), _("Reassign them")

    def get_form(self, data: Any = None) -> Any:
        """The form asks who may own accounts now."""
        return self.form_class(data, actor=self.actor, at=self.now)

    def changes(self, form: BulkAssignForm) -> AccountChanges:
        """What the form asks for."""
        return AccountChanges(**form.given)
