"""Forms of the selling guard: policies and their rules, a deal to try one on, the answer to what waits."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from salesops.accounts.forms import offer, offer_currencies
from salesops.core.forms import MoneyField, PortalForm, ShareField
from salesops.deals.choices import GuardEffect
from salesops.deals.models import GuardRule, Product
from salesops.deals.services.policies import FIELDS_OF
from salesops.pods.models import Segment

#: What every rule has, whatever it looks at.
_SHARED: Final = ("name", "effect", "message")


class PolicyForm(PortalForm):
    """What is new in a policy."""

    note = forms.CharField(label=_("What is new"), max_length=200, required=False)


class GuardRuleForm(PortalForm):
    """One rule; asks only what its kind is made of."""

    name = forms.CharField(label=_("Name"), max_length=120)
    product = forms.ModelChoiceField(Product.objects.none(), label=_("Product"), empty_label="—")
    segment = forms.ModelChoiceField(
        Segment.objects.none(),
        label=_("Segment"),
        required=False,
        empty_label=_("Every segment"),
        help_text=_("Of the account."),
    )
    tier = forms.CharField(
        label=_("Price tier"), max_length=30, required=False, help_text=_("Of the product. Empty: every tier.")
    )
    max_discount_bp = ShareField(label=_("Highest discount %"))
    least_minor = MoneyField(label=_("Lowest total"), required=False, least_minor=0)
    most_minor = MoneyField(label=_("Highest total"), required=False, least_minor=0)
    currency = forms.ChoiceField(label=_("Currency"))
    least_months = forms.IntegerField(label=_("Shortest term in months"), min_value=0, max_value=1_200, required=False)
    most_months = forms.IntegerField(label=_("Longest term in months"), min_value=0, max_value=1_200, required=False)
    phrases = forms.CharField(
        label=_("Words"),
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("A word or phrase a line, found as whole words in notes, lines and the next step of a deal."),
    )
    employees_from = forms.IntegerField(label=_("Employees from"), min_value=0, max_value=2_147_483_647, required=False)
    employees_to = forms.IntegerField(label=_("Employees up to"), min_value=0, max_value=2_147_483_647, required=False)
    countries = forms.CharField(
        label=_("Countries"), max_length=500, required=False, help_text=_("Separated by commas. Empty: every country.")
    )
    effect = forms.ChoiceField(label=_("When it is broken"), choices=GuardEffect.choices, initial=GuardEffect.ESCALATE)
    message = forms.CharField(
        label=_("What to do"),
        max_length=300,
        required=False,
        help_text=_("Told with the reason, such as whom to ask or what to offer instead."),
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_currencies(self, self.initial.get("currency", ""))
        offer(
            self,
            segment=Segment.objects.all(),
            product=Product.objects.filter(Q(is_active=True) | Q(pk=self.initial.get("product"))),
        )
        for name in [each for each in self.fields if each not in {*_SHARED, *FIELDS_OF[kind], "form_key"}]:
            del self.fields[name]


def rule_initial(rule: GuardRule) -> dict[str, Any]:
    """What the form of a rule starts with."""
    names = [name for name in GuardRuleForm.base_fields if name not in {"segment", "product"}]
    values = {name: getattr(rule, name) for name in names}
    return values | {"segment": rule.segment_id, "product": rule.product_id}


class TryPolicyForm(forms.Form):
    """Which deal to try: its number, or a part of its name."""

    deal = forms.CharField(label=_("Deal"), max_length=120, required=False)


class AnswerForm(PortalForm):
    """Approve, or refuse with the reason."""

    is_approved = forms.TypedChoiceField(
        label=_("Your answer"),
        choices=[("yes", pgettext_lazy("answer", "Approve")), ("no", pgettext_lazy("answer", "Refuse"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    answer = forms.CharField(
        label=_("Reason"), max_length=300, required=False, help_text=_("Needed to refuse. Told to who asked.")
    )
