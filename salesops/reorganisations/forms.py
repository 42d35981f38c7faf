"""The forms of the reorganisations room. Choices come from what the actor may choose; the services check again."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from salesops.core.forms import DateField, MoneyField, PortalForm, ShareField
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.people.selectors import active_on, people_for
from salesops.pods.models import Pod
from salesops.pods.selectors import open_pods_for
from salesops.reorganisations.choices import Book


class ReorganisationForm(PortalForm):
    """What a reorganisation is called, when it takes effect, and which deals it leaves alone."""

    name = forms.CharField(label=_("Name"), max_length=120)
    effective_on = DateField(label=_("Takes effect on"))
    explanation = forms.CharField(
        label=_("Explanation"),
        required=False,
        max_length=5_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Why. Those who move read this when it is carried out; talk to them before."),
    )
    protect_from_bp = ShareField(
        label=_("Protect open deals from this probability, in percent"),
        required=False,
        help_text=_("They stay with who works on them, in the pod they are in."),
    )
    protect_days = forms.IntegerField(
        label=_("Protect open deals that are to close within so many days"),
        required=False,
        min_value=1,
        max_value=365,
    )


class MoveForm(PortalForm):
    """Who moves where, and what becomes of what they hold."""

    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"))
    to_pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("To pod"), required=False, empty_label=_("No pod"), help_text=""
    )
    function = forms.ChoiceField(label=_("Function"), required=False)
    manager = forms.ModelChoiceField(
        User.objects.none(), label=_("New manager"), required=False, empty_label=_("as it is")
    )
    accounts = forms.ChoiceField(label=_("Accounts"), choices=Book.choices, initial=Book.STAYS)
    deals = forms.ChoiceField(
        label=_("Open deals"),
        choices=Book.choices,
        initial=Book.STAYS,
        help_text=_("Protected deals stay with the person in any case."),
    )
    leads = forms.ChoiceField(label=_("Leads in work"), choices=Book.choices, initial=Book.STAYS)
    successor = forms.ModelChoiceField(
        User.objects.none(), label=_("Who takes over what stays"), required=False, empty_label=_("Nobody")
    )
    quota_minor = MoneyField(
        label=_("New quota"),
        required=False,
        least_minor=0,
        help_text=_("Of the whole period of pay in which the day lies. Empty: as it is."),
    )
    currency = forms.CharField(label=_("Currency"), max_length=3, min_length=3, initial=settings.COMPANY_CURRENCY)
    swaps_pools = forms.BooleanField(
        label=_("Swap the pools of leads"),
        required=False,
        initial=True,
        help_text=_("Who takes leads in turn in the old pod does so in the new one instead."),
    )

    def __init__(self, *args: Any, day: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = people_for(self.actor).filter(active_on(day)).order_by("name", "pk")
        for name in ("person", "manager", "successor"):
            cast(forms.ModelChoiceField, self.fields[name]).queryset = people
        cast(forms.ModelChoiceField, self.fields["to_pod"]).queryset = open_pods_for(self.actor, day)
        cast(forms.ChoiceField, self.fields["function"]).choices = [("", _("as it is")), *JobFunction.choices]


class UndoForm(PortalForm):
    """Why a reorganisation is undone."""

    reason = forms.CharField(label=_("Reason"), max_length=200)
    leaves_changed = forms.BooleanField(
        label=_("Leave alone what was changed since"),
        required=False,
        help_text=_("Otherwise what somebody has changed since stands in the way, and is named."),
    )
