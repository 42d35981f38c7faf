"""Forms of transactions."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.accounts.forms import AccountField, offer_currencies
from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Transaction
from salesops.commissions.services.recording import MOST_MONTHS
from salesops.core.actor import Actor
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.deals.models import Deal, Product
from salesops.people.models import User

_NUMBERED = re.compile(r"^(?P<name>.*) \(#(?P<pk>[0-9]{1,18})\)$", re.ASCII | re.DOTALL)


class DealField(forms.CharField):
    """A deal, found by typing a part of its name; the browser offers what fits, each with its number. Cleans to a Deal.

    The page needs `<datalist id="deal-options">`; the form says whose deals may be found.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 230)
        super().__init__(**kwargs)
        self.actor: Actor | None = None
        self.widget.attrs.update(
            {
                "list": "deal-options",
                "autocomplete": "off",
                "hx-get": reverse_lazy("commissions:transaction_deals"),
                "hx-trigger": "input changed delay:200ms, focus once",
                "hx-target": "#deal-options",
                "hx-swap": "innerHTML",
            }
        )

    def prepare_value(self, value: Any) -> Any:
        """A deal as the offers write it."""
        return deal_label(value) if isinstance(value, Deal) else value

    def clean(self, value: Any) -> Any:
        """The deal behind the text. Raises ValidationError when there is none, or more than one."""
        text = super().clean(value)
        if not text:
            return None
        if self.actor is None:
            raise TypeError("a deal field needs to know whose deals it may find")
        rows = Deal.objects.visible_to(self.actor)
        numbered = _NUMBERED.match(text)
        if numbered and (found := rows.filter(pk=int(numbered["pk"])).first()):
            return found
        matches = list(rows.filter(name__iexact=text)[:2])
        if not matches:
            raise ValidationError(
                _("There is no deal called “%(name)s”. Choose one of those offered."), params={"name": text[:80]}
            )
        if len(matches) > 1:
            raise ValidationError(_("Several deals are called so. Choose one of those offered."))
        return matches[0]


def deal_label(deal: Deal) -> str:
    """A deal's name with its number: many deals are called alike."""
    return f"{deal.name} (#{deal.pk})"


class TransactionForm(PortalForm):
    """Something that happened to the business."""

    kind = forms.ChoiceField(label=gettext_lazy("What happened"), choices=TransactionKind.choices)
    effective_on = DateField(label=gettext_lazy("Day that counts"))
    amount_minor = MoneyField(
        label=gettext_lazy("Amount"), help_text=gettext_lazy("What takes away has a minus: -250.00.")
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), initial=settings.COMPANY_CURRENCY)
    quantity = forms.IntegerField(label=gettext_lazy("Quantity"), initial=1, min_value=-(2**62), max_value=2**62)
    deal = DealField(
        label=gettext_lazy("Deal"),
        required=False,
        help_text=gettext_lazy("Whoever shares or owns the deal is credited."),
    )
    account = AccountField(
        label=gettext_lazy("Account"),
        required=False,
        help_text=gettext_lazy("Without a deal, whoever holds the account on that day may be credited."),
    )
    product = forms.ModelChoiceField(label=gettext_lazy("Product"), queryset=Product.objects.none(), required=False)
    credited_to = forms.ModelChoiceField(
        label=gettext_lazy("Credited to"),
        queryset=User.objects.none(),
        required=False,
        help_text=gettext_lazy("Where neither deal nor account say so."),
    )
    reverses = forms.CharField(
        label=gettext_lazy("Takes back"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("The key of the transaction that is taken back, as the list shows it."),
    )
    term_months = forms.IntegerField(
        label=gettext_lazy("Term in months"), required=False, min_value=1, max_value=MOST_MONTHS
    )
    source_key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("Such as an invoice number. Empty: the portal makes one."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        offer_currencies(self)
        fields["deal"].actor = fields["account"].actor = self.actor
        fields["product"].queryset = Product.objects.filter(is_active=True).order_by("name")
        fields["credited_to"].queryset = User.objects.exclude(pk=self.actor.user_id).order_by("name")

    def clean_reverses(self) -> Transaction | None:
        """The transaction of that key, among those the actor sees."""
        key = str(self.cleaned_data["reverses"]).strip()
        if not key:
            return None
        found = Transaction.objects.visible_to(self.actor).filter(source_key=key).first()
        if found is None:
            raise ValidationError(_("There is no transaction with this key."))
        return found


class VoidForm(PortalForm):
    """Why a transaction no longer counts."""

    reason = forms.CharField(
        label=gettext_lazy("Why it no longer counts"), max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )
