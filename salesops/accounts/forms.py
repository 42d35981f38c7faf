"""The forms of the accounts room. Choices come from what the actor may choose; the services check again."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import AccountStatus, Consent
from salesops.accounts.models import Account, Contact
from salesops.accounts.selectors import accounts_for
from salesops.accounts.services import AccountChanges
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.core.upserts import UNSET
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.pods.models import Pod, Segment, Territory
from salesops.pods.selectors import assignees_for, open_pods_for, territories_for

_NUMBERED = re.compile(r"^(?P<name>.*) \(#(?P<pk>[0-9]{1,18})\)$", re.ASCII | re.DOTALL)
#: Currencies that are offered beside the company's.
_CURRENCIES = ("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "HKD", "TWD", "SGD", "AUD", "CAD")


class AccountField(forms.CharField):
    """An account, found by typing a part of its name; the browser offers what fits. Cleans to an Account.

    Where several accounts have the same name, the offers carry their number: "Acme (#12)". The form says whose accounts
    may be found: `form.fields["parent"].actor = actor`. The page needs `<datalist id="account-options">`.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 230)
        super().__init__(**kwargs)
        self.actor: Actor | None = None
        self.widget.attrs.update(
            {
                "list": "account-options",
                "autocomplete": "off",
                "hx-get": reverse_lazy("accounts:account_options"),
                "hx-trigger": "input changed delay:200ms, focus once",
                "hx-target": "#account-options",
                "hx-swap": "innerHTML",
            }
        )

    def prepare_value(self, value: Any) -> Any:
        """An account's name, as the offers write it."""
        return value.name if isinstance(value, Account) else value

    def clean(self, value: Any) -> Any:
        """The account behind the name. Raises ValidationError when there is none, or more than one."""
        text = super().clean(value)
        if not text:
            return None
        if self.actor is None:
            raise TypeError("an account field needs to know whose accounts it may find")
        rows = accounts_for(self.actor)
        numbered = _NUMBERED.match(text)
        if numbered and (found := rows.filter(pk=int(numbered["pk"])).first()):
            return found
        matches = list(rows.filter(name__iexact=text)[:2])
        if not matches:
            raise ValidationError(
                _("There is no account called “%(name)s”. Choose one of those offered, or add it first."),
                code="no-account",
                params={"name": text[:80]},
            )
        if len(matches) > 1:
            raise ValidationError(
                _("Several accounts are called so. Choose one of those offered."), code="several-accounts"
            )
        return matches[0]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether another account is named."""
        return super().has_changed(self.prepare_value(initial), data)


def offer(form: forms.BaseForm, **choices: QuerySet[Any]) -> None:
    """Say which rows the choice fields of a form offer; fields that the form does not have are passed over."""
    for name, rows in choices.items():
        if name in form.fields:
            cast(forms.ModelChoiceField, form.fields[name]).queryset = rows


def offer_currencies(form: forms.BaseForm, current: str = "") -> None:
    """Say which currencies a form offers: the company's first, the row's own, then those often used."""
    codes = dict.fromkeys([settings.COMPANY_CURRENCY, current, *_CURRENCIES])
    cast(forms.ChoiceField, form.fields["currency"]).choices = [(code, code) for code in codes if code]


def offer_receivers(form: forms.BaseForm, actor: Actor, at: datetime) -> None:
    """Say to whom a form offers to give work."""
    day = company_day(at)
    offer(form, owner=assignees_for(actor, day), person=assignees_for(actor, day), pod=open_pods_for(actor, day))


class AccountForm(PortalForm):
    """The facts of an account. `seen_at` is when the account that the form shows was saved."""

    name = forms.CharField(label=_("Name"), max_length=200)
    status = forms.ChoiceField(label=_("Status"), choices=AccountStatus.choices, initial=AccountStatus.PROSPECT)
    parent = AccountField(
        label=_("Parent"), required=False, help_text=_("The account of the company that this one belongs to.")
    )
    segment = forms.ModelChoiceField(Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("None"))
    territory = forms.ModelChoiceField(
        Territory.objects.none(), label=_("Territory"), required=False, empty_label=_("None")
    )
    industry = forms.CharField(label=_("Industry"), max_length=80, required=False)
    country = forms.CharField(label=_("Country"), max_length=80, required=False)
    city = forms.CharField(label=_("City"), max_length=80, required=False)
    website = forms.URLField(label=_("Website"), required=False, assume_scheme="https")
    employees = forms.IntegerField(label=_("Employees"), min_value=0, max_value=2_147_483_647, required=False)
    revenue_minor = MoneyField(label=_("Annual revenue"), required=False, least_minor=0)
    currency = forms.ChoiceField(label=_("Currency"))
    founded_year = forms.IntegerField(label=_("Founded in"), min_value=1, max_value=9999, required=False)
    seen_at = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Actor, at: datetime, has_parent: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        cast(AccountField, self.fields["parent"]).actor = actor
        if not has_parent:
            del self.fields["parent"]
        offer(self, segment=Segment.objects.all(), territory=territories_for(actor))
        offer_currencies(self, self.initial.get("currency", ""))

    def clean_seen_at(self) -> datetime | None:
        """The moment, as the form wrote it; none for a form without."""
        return seen_moment(self.cleaned_data["seen_at"])

    @property
    def facts(self) -> dict[str, Any]:
        """The keyword arguments of `create_account` and `edit_account`."""
        return {name: value for name, value in self.values.items() if name not in {"seen_at", "owner", "pod"}}


class AccountCreateForm(AccountForm):
    """A new account, with whom it is given to."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("The pod of the owner")
    )
    field_order = ("name", "status", "owner", "pod", "parent", "segment")

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, at=at, **kwargs)
        offer_receivers(self, actor, at)
        self.fields["segment"].help_text = _("Left empty it follows from the number of employees.")
        if actor.has(Role.REP) and not actor.is_system:
            self.initial.setdefault("owner", actor.user_id)
        self.initial.setdefault("currency", settings.COMPANY_CURRENCY)

    @property
    def given(self) -> dict[str, Any]:
        """The keyword arguments of `create_account`."""
        return self.facts | {"owner": self.cleaned_data["owner"], "pod": self.cleaned_data["pod"] or UNSET}


def seen_moment(text: str) -> datetime | None:
    """The moment in a form's hidden field; what cannot be read counts as none."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


class OwnerForm(PortalForm):
    """To whom an account goes, from which day on."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("The pod of the owner")
    )
    day = DateField(label=_("From"), help_text=_("Today or a past day: who was responsible before stays on record."))
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer_receivers(self, actor, at)
        self.initial.setdefault("day", company_day(at))


class ResponsibleForm(PortalForm):
    """Who is responsible for an account beside the owner."""

    function = forms.ChoiceField(
        label=_("Function"), choices=[choice for choice in JobFunction.choices if choice[0] != JobFunction.AE]
    )
    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"), required=False, empty_label=_("Nobody"))
    day = DateField(label=_("From"))
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer_receivers(self, actor, at)
        self.initial.setdefault("day", company_day(at))
        self.initial.setdefault("function", JobFunction.CSM)


class ContactForm(PortalForm):
    """A person at a company."""

    name = forms.CharField(label=_("Name"), max_length=120)
    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    email = forms.EmailField(label=_("E-mail"), max_length=254, required=False)
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    consent = forms.ChoiceField(
        label=_("May be contacted"), choices=Consent.choices, initial=Consent.UNKNOWN, required=False
    )
    is_primary = forms.BooleanField(
        label=_("Main contact"), required=False, help_text=_("Takes the place of the one before.")
    )
    seen_at = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def clean_consent(self) -> str:
        """What a form that does not ask leaves as it is."""
        return self.cleaned_data["consent"] or self.initial.get("consent") or Consent.UNKNOWN.value

    def clean_seen_at(self) -> datetime | None:
        """The moment, as the form wrote it."""
        return seen_moment(self.cleaned_data["seen_at"])

    @property
    def facts(self) -> dict[str, Any]:
        """The keyword arguments of `create_contact` and `edit_contact`."""
        return {name: value for name, value in self.values.items() if name not in {"seen_at", "account"}}


class ContactCreateForm(ContactForm):
    """A new contact of an account that is named."""

    account = AccountField(label=_("Account"))
    field_order = ("account",)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        cast(AccountField, self.fields["account"]).actor = actor


class BulkAssignForm(PortalForm):
    """To whom many rows go."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("As it is"))
    without_owner = forms.BooleanField(label=_("Take the owner away"), required=False)
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("That of the new owner, else as it is")
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer_receivers(self, actor, at)

    def clean(self) -> dict[str, Any] | None:
        """Refuse to give and to take away at once, and to change nothing."""
        data = super().clean() or self.cleaned_data
        if data.get("owner") and data.get("without_owner"):
            self.add_error("without_owner", ValidationError(_("Either give it or take it away."), code="both"))
        elif not self.errors and not self.given:
            self.add_error(None, ValidationError(_("Choose an owner or a pod."), code="nothing"))
        return data

    @property
    def given(self) -> dict[str, Any]:
        """What is asked for: owner and pod, each only where it is to change."""
        data, given = self.cleaned_data, {}
        if data.get("owner"):
            given["owner"] = data["owner"]
        elif data.get("without_owner"):
            given["owner"] = None
        if data.get("pod"):
            given["pod"] = data["pod"]
        return given


class AccountBulkForm(PortalForm):
    """What is to become of many accounts. What is left empty stays as it is."""

    status = forms.ChoiceField(label=_("Status"), required=False, choices=[("", _("As it is")), *AccountStatus.choices])
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("As it is")
    )
    territory = forms.ModelChoiceField(
        Territory.objects.none(), label=_("Territory"), required=False, empty_label=_("As it is")
    )
    industry = forms.CharField(label=_("Industry"), max_length=80, required=False)
    clear = forms.MultipleChoiceField(
        label=_("Empty these"),
        required=False,
        choices=[("segment", _("Segment")), ("territory", _("Territory")), ("industry", _("Industry"))],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, segment=Segment.objects.all(), territory=territories_for(actor))

    def clean(self) -> dict[str, Any] | None:
        """Refuse to set and to empty the same field, and to change nothing."""
        data = super().clean() or self.cleaned_data
        for name in data.get("clear", []):
            if data.get(name):
                self.add_error(name, ValidationError(_("Either set it or empty it."), code="both"))
        if not self.errors and self.changes == AccountChanges():
            self.add_error(None, ValidationError(_("Choose at least one thing to change."), code="nothing"))
        return data

    @property
    def changes(self) -> AccountChanges:
        """The changes for the service."""
        data, given = self.cleaned_data, {}
        for name, empty in (("status", None), ("segment", None), ("territory", None), ("industry", "")):
            if data.get(name):
                given[name] = data[name]
            elif name in data.get("clear", []):
                given[name] = empty
        return AccountChanges(**given)


def contact_initial(contact: Contact) -> dict[str, Any]:
    """What the form of a contact starts with."""
    names = ("name", "title", "email", "phone", "consent", "is_primary")
    return {name: getattr(contact, name) for name in names} | {"seen_at": contact.updated_at.isoformat()}
