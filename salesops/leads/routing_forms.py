"""Forms of routing rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.forms import PortalForm
from salesops.leads.choices import RuleAction
from salesops.leads.models import Pool
from salesops.leads.selectors.pools import pools_for
from salesops.people.models import User
from salesops.people.selectors import active_on, people_for


class RoutingDraftForm(PortalForm):
    """What a new version is for."""

    note = forms.CharField(label=_("What is new"), max_length=200, required=False)


class RoutingVersionForm(RoutingDraftForm):
    """What is new in a draft, whether it asks for consent, and what becomes of who comes again."""

    needs_consent = forms.BooleanField(
        label=_("Only with consent"),
        required=False,
        help_text=_(
            "Hold leads of whom it is not known whether they may be contacted. Those who refused are always held."
        ),
    )
    merges_repeats = forms.BooleanField(
        label=_("Merge who comes again"),
        required=False,
        help_text=_(
            "A lead with the address and the name of an open one is merged into that one as it comes, and its owner is told."
        ),
    )


class _PlacedForm(PortalForm):
    """A row of a draft at a place."""

    name = forms.CharField(label=_("Name"), max_length=120)
    position = forms.IntegerField(
        label=_("Place"), min_value=1, max_value=999, required=False, help_text=_("Left empty, it comes last.")
    )
    condition = forms.CharField(
        label=_("When"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("A condition on the lead, such as country = “France”. Empty: every lead that comes as far."),
    )


class RoutingRuleForm(_PlacedForm):
    """One rule: when, and what then."""

    action = forms.ChoiceField(label=_("Then"), choices=RuleAction.choices, initial=RuleAction.POOL)
    pool = forms.ModelChoiceField(Pool.objects.none(), label=_("Pool"), required=False)
    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"), required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.fields["pool"].queryset = pools_for(actor)  # type: ignore[attr-defined]
        self.fields["person"].queryset = people_for(actor).filter(active_on(company_day(at)))  # type: ignore[attr-defined]


class ServiceLevelForm(_PlacedForm):
    """How soon leads of a kind must be touched."""

    name = forms.CharField(label=_("Name"), max_length=80)
    warn_minutes = forms.IntegerField(
        label=_("Remind the owner after"), min_value=1, max_value=1_000_000, help_text=_("Minutes of working time.")
    )
    alert_minutes = forms.IntegerField(
        label=_("Tell the manager after"), min_value=1, max_value=1_000_000, required=False
    )
    reassign_minutes = forms.IntegerField(
        label=_("Give it to somebody else after"), min_value=1, max_value=1_000_000, required=False
    )


class TryForm(forms.Form):
    """Which lead to try: its number, or a part of its name, company or address."""

    lead = forms.CharField(label=_("Lead"), max_length=120, required=False)
