"""Forms of the effort room."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.forms import DateField, PortalForm, PortalModelForm
from salesops.effort.choices import CountedKind, OnSwitchOff
from salesops.effort.models import EffortPolicy, EffortTarget, EffortVersion
from salesops.effort.selectors.versions import SETTINGS
from salesops.effort.services.policies import FIELDS


class DraftForm(PortalForm):
    """What a new version is for."""

    note = forms.CharField(label=gettext_lazy("What is new"), max_length=200, required=False)


class EffortVersionForm(PortalModelForm):
    """Cap, edges and working day of a draft."""

    class Meta:
        model = EffortVersion
        fields = ("note", *SETTINGS)

    def _post_clean(self) -> None:
        """The service checks the row."""


class EffortTargetForm(PortalForm):
    """What is expected of a job function: for each kind how many a day and how much it weighs; empty: not counted."""

    def __init__(self, *args: Any, rows: list[EffortTarget], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = {row.kind: row for row in rows}
        for kind in CountedKind:
            row = now.get(kind.value)
            self.fields[f"{kind.value}_per_day"] = forms.DecimalField(
                label=_("%(kind)s a full day") % {"kind": kind.label},
                required=False,
                min_value=Decimal("0.01"),
                max_value=Decimal(10_000),
                max_digits=8,
                decimal_places=2,
                initial=row.per_day if row else None,
            )
            self.fields[f"{kind.value}_weight"] = forms.IntegerField(
                label=_("Weight of %(kind)s") % {"kind": kind.label},
                required=False,
                min_value=1,
                max_value=100,
                initial=row.weight if row else None,
                help_text=_("All weights together are 100."),
            )

    def clean(self) -> dict[str, Any]:
        """A target and its weight come together."""
        values: dict[str, Any] = super().clean() or {}
        for kind in CountedKind:
            pair = [values.get(f"{kind.value}_{name}") for name in ("per_day", "weight")]
            if pair.count(None) == 1:
                self.add_error(
                    f"{kind.value}_{'weight' if pair[1] is None else 'per_day'}",
                    ValidationError(_("Give both, or neither: then the kind is not counted.")),
                )
        return values

    @property
    def targets(self) -> dict[str, tuple[Decimal, int]]:
        """{kind: (a day, weight)} as given."""
        found = {}
        for kind in CountedKind:
            per_day, weight = (self.cleaned_data.get(f"{kind.value}_{name}") for name in ("per_day", "weight"))
            if per_day is not None and weight is not None:
                found[kind.value] = (per_day, weight)
        return found


class EffortPolicyForm(PortalModelForm):
    """What a legal entity settles."""

    class Meta:
        model = EffortPolicy
        fields = FIELDS
        widgets = {"purpose": forms.Textarea(attrs={"rows": 3}), "notice": forms.Textarea(attrs={"rows": 5})}

    def _post_clean(self) -> None:
        """The service checks the row: it knows the entity."""


class SwitchOffForm(PortalForm):
    """What becomes of what is kept."""

    then = forms.ChoiceField(
        label=gettext_lazy("What is kept"),
        choices=OnSwitchOff.choices,
        widget=forms.RadioSelect,
        initial=OnSwitchOff.KEEP.value,
    )


class ContestForm(PortalForm):
    """What is to be left out, and why. A record is named by the page it is asked from; else it is a day."""

    activity = forms.IntegerField(required=False, widget=forms.HiddenInput, min_value=1, max_value=2**62)
    on = DateField(
        label=gettext_lazy("Day"),
        required=False,
        help_text=gettext_lazy("The whole day is left out: what was done on it, and what is expected of it."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Whoever decides reads it: your manager or revenue operations."),
    )

    def __init__(self, *args: Any, about: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if about:
            del self.fields["on"]
        else:
            self.fields["on"].required = True


class DecideForm(PortalForm):
    """Whether it is left out, and why."""

    decision = forms.ChoiceField(
        label=gettext_lazy("Decision"),
        choices=[("accepted", gettext_lazy("Leave it out")), ("declined", gettext_lazy("It stays in"))],
        widget=forms.RadioSelect,
    )
    because = forms.CharField(
        label=gettext_lazy("Because"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The person reads it."),
    )
