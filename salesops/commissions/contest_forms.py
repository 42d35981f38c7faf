"""Forms of contests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Contest, Plan
from salesops.commissions.rules.contests import Ties
from salesops.commissions.rules.credits import DEFAULT_RULES
from salesops.commissions.rules.plans import DEFAULT_KINDS
from salesops.commissions.selectors.contest_words import TIES
from salesops.commissions.selectors.contests import version_on, words_of
from salesops.commissions.selectors.wording import CREDITING
from salesops.commissions.services.contests import NewContest
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.core.money_inputs import parse_money
from salesops.pods.models import Pod
from salesops.values.money import MoneyError, plain, to_minor

_SEVERAL: Final = forms.CheckboxSelectMultiple


class ContestForm(PortalForm):
    """What a contest says. Amounts are in the currency in which the plan pays on the last day."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    key = forms.CharField(  # type: ignore[assignment]  # a field, not what guards against double posts
        label=gettext_lazy("Key"),
        max_length=31,
        help_text=gettext_lazy("Names the contest in statements: a-z, 0-9 and _, such as june_2026."),
    )
    start_on = DateField(label=gettext_lazy("First day"))
    last_day = DateField(
        label=gettext_lazy("Last day"), help_text=gettext_lazy("The period in which it lies pays the prizes.")
    )
    plan = forms.ModelChoiceField(
        label=gettext_lazy("Paid into"),
        queryset=Plan.objects.none(),
        help_text=gettext_lazy("Prizes are paid in the currency and periods of this plan."),
    )
    plans = forms.ModelMultipleChoiceField(
        label=gettext_lazy("People of these plans"),
        queryset=Plan.objects.none(),
        required=False,
        widget=_SEVERAL,
        help_text=gettext_lazy("Whoever is on them on the first day is in."),
    )
    pods = forms.ModelMultipleChoiceField(
        label=gettext_lazy("People of these pods"),
        queryset=Pod.objects.none(),
        required=False,
        widget=_SEVERAL,
        help_text=gettext_lazy("Whoever is in them on the first day is in."),
    )
    counts = forms.MultipleChoiceField(
        label=gettext_lazy("What counts"), choices=TransactionKind.choices, widget=_SEVERAL, initial=DEFAULT_KINDS
    )
    when = forms.CharField(
        label=gettext_lazy("Only when"),
        required=False,
        widget=forms.TextInput(attrs={"class": "input-code", "spellcheck": "false"}),
        help_text=gettext_lazy(
            'A formula that must be true: segment = "enterprise" and amount >= 1000. Empty takes all.'
        ),
    )
    amount = forms.CharField(
        label=gettext_lazy("How much of each"),
        required=False,
        widget=forms.TextInput(attrs={"class": "input-code", "spellcheck": "false"}),
        help_text=gettext_lazy("A formula such as amount * 50%. Empty takes the whole amount."),
    )
    crediting = forms.MultipleChoiceField(
        label=gettext_lazy("Credited to"),
        choices=tuple(CREDITING.items()),
        widget=_SEVERAL,
        initial=[rule.value for rule in DEFAULT_RULES],
    )
    minimum = MoneyField(
        label=gettext_lazy("Minimum to take part"),
        required=False,
        help_text=gettext_lazy("Empty: anything above zero."),
    )
    prizes = forms.CharField(
        label=gettext_lazy("Prizes for places"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "input-money"}),
        help_text=gettext_lazy("One amount a line, the first place first. Empty where everybody at a bound wins."),
    )
    bound = MoneyField(label=gettext_lazy("Or a bound"), required=False)
    each = MoneyField(label=gettext_lazy("Everybody at the bound or above gets"), required=False)
    ties = forms.ChoiceField(
        label=gettext_lazy("With exactly the same total"),
        choices=tuple(TIES.items()),
        widget=forms.RadioSelect,
        initial=Ties.SHARE,
    )
    shows_names = forms.BooleanField(label=gettext_lazy("Everybody who is in reads who stands where"), required=False)
    is_final = forms.BooleanField(
        label=gettext_lazy("The result is final: what changes after the period is locked moves no prize"),
        required=False,
    )

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["plan"].queryset = fields["plans"].queryset = Plan.objects.visible_to(self.actor).order_by("name")
        fields["pods"].queryset = Pod.objects.visible_to(self.actor).filter(closed_on__isnull=True).order_by("name")

    def currency_for(self, field: MoneyField) -> str:
        """The plan's on the last day; while a draft is opened, the one in which it was written."""
        data = getattr(self, "cleaned_data", {})
        version = version_on(data["plan"], data["last_day"]) if data.get("plan") and data.get("last_day") else None
        return version.currency if version else str(self.initial.get("currency") or settings.COMPANY_CURRENCY)

    def clean(self) -> dict[str, Any]:
        """It ends on its first day or later; every line of the prizes is an amount."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("start_on") and data.get("last_day") and data["last_day"] < data["start_on"]:
            self.add_error("last_day", _("It ends on its first day or later."))
        currency = self.currency_for(MoneyField())
        prizes = []
        for line in str(data.get("prizes", "")).split("\n"):
            if line.strip():
                try:
                    prizes.append(to_minor(parse_money(line.strip()), currency))
                except MoneyError:
                    text = _("“%(text)s” is not an amount. Write it like 1,234.50.")
                    self.add_error("prizes", ValidationError(text, params={"text": line.strip()}))
                    break
        data["prizes_minor"] = tuple(prizes)
        return data

    def new(self) -> NewContest:
        """What was typed, as the service takes it."""
        data = self.cleaned_data
        return NewContest(
            key=data["key"],
            name=data["name"],
            plan=data["plan"],
            start=data["start_on"],
            end=data["last_day"] + timedelta(days=1),
            plans=tuple(data["plans"]),
            pods=tuple(data["pods"]),
            counts=tuple(data["counts"]),
            when=data["when"],
            amount=data["amount"],
            crediting=tuple(data["crediting"]),
            minimum_minor=1 if data["minimum"] is None else data["minimum"],
            prizes_minor=data["prizes_minor"],
            bound_minor=data["bound"],
            each_minor=data["each"],
            ties=data["ties"],
            shows_names=data["shows_names"],
            is_final=data["is_final"],
        )


class CancelContestForm(PortalForm):
    """Why a contest is cancelled."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Everybody who is in reads it."),
    )


def typed(contest: Contest) -> dict[str, Any]:
    """A draft as it was typed: what its form starts with."""
    words = words_of(contest)
    return {
        "name": words.name,
        "key": words.key,
        "start_on": words.start,
        "last_day": words.last_day,
        "plan": contest.plan_id,
        "plans": list(words.plans),
        "pods": list(words.pods),
        "counts": list(words.counts),
        "when": words.when,
        "amount": words.amount,
        "crediting": [rule.value for rule in words.crediting],
        "currency": words.currency,
        "minimum": words.minimum_minor if words.minimum_minor > 1 else None,
        "prizes": "\n".join(plain(amount, words.currency) for amount in words.prizes_minor),
        "bound": words.bound_minor,
        "each": words.each_minor,
        "ties": words.ties.value,
        "shows_names": words.shows_names,
        "is_final": words.is_final,
    }
