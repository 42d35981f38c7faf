"""Forms of score rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.forms import PortalForm, PortalModelForm
from salesops.leads.choices import ScorePart
from salesops.leads.models import ScoreGroup, ScoreRule, ScoreVersion
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.leads.selectors.scores import NUMBERS
from salesops.values.formulas import check


class DraftForm(PortalForm):
    """What a new version is for."""

    note = forms.CharField(label=gettext_lazy("What is new"), max_length=200, required=False)


class ScoreVersionForm(PortalModelForm):
    """Limits, edges and fading of a draft."""

    class Meta:
        model = ScoreVersion
        fields = ("note", *NUMBERS)


class ScoreRuleForm(PortalModelForm):
    """One rule: a condition with points for fit, a signal with points for engagement."""

    class Meta:
        model = ScoreRule
        fields = ("name", "signal", "points", "most_times", "condition", "group")
        widgets = {"condition": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})}

    def __init__(self, *args: Any, version: ScoreVersion, part: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.part = part
        self.fields["group"].queryset = version.groups.order_by("name")  # type: ignore[attr-defined]
        condition = self.fields["condition"]
        if part == ScorePart.FIT:
            del self.fields["signal"], self.fields["most_times"]
            condition.required = True
        else:
            self.fields["signal"].required = True
            condition.help_text = _("Only for leads for which this holds; for all without.")

    def _post_clean(self) -> None:
        """The service checks the row: it knows the version."""

    def clean_condition(self) -> str:
        """A condition that reads."""
        text: str = self.cleaned_data["condition"].strip()
        problems = check(text, OF_A_LEAD).problems if text else ()
        if problems:
            raise ValidationError([f"{each.text(_)} {each.remedy_text(_)}".strip() for each in problems])
        return text


class ScoreGroupForm(PortalModelForm):
    """A group and the most that its rules count together."""

    class Meta:
        model = ScoreGroup
        fields = ("name", "limit")

    def _post_clean(self) -> None:
        """The service checks the row: it knows the version."""


class TryForm(forms.Form):
    """Which lead to try a version on: its number, or a part of its name, company or address."""

    lead = forms.CharField(label=gettext_lazy("Lead"), max_length=120, required=False)
