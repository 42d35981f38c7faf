"""Forms of what-if scenarios."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from salesops.commissions.models import Period, PlanVersion
from salesops.core.forms import PortalForm


class ScenarioForm(PortalForm):
    """Which versions are tried instead of those in force, and on which period."""

    name = forms.CharField(label=_("Name"), max_length=120)
    period = forms.ModelChoiceField(label=_("Period"), queryset=Period.objects.none())
    versions = forms.ModelMultipleChoiceField(
        label=_("Plan versions to try"),
        queryset=PlanVersion.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Each takes the place of what is in force of its plan. Drafts can be tried, and nothing is saved."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        periods = self.fields["period"]
        versions = self.fields["versions"]
        if isinstance(periods, forms.ModelChoiceField) and isinstance(versions, forms.ModelMultipleChoiceField):
            periods.queryset = Period.objects.order_by("-start_on", "kind")
            rows = PlanVersion.objects.visible_to(self.actor).select_related("plan")
            versions.queryset = rows.order_by("plan__name", "-number")
            versions.label_from_instance = _label  # type: ignore[assignment]  # Django's own way of naming choices

    def clean_versions(self) -> Any:
        """One version of a plan at a time."""
        versions = self.cleaned_data["versions"]
        plans = [version.plan_id for version in versions]
        if len(set(plans)) < len(plans):
            raise forms.ValidationError(_("Choose one version of each plan."))
        return versions


def _label(version: Any) -> str:
    return f"{version.plan.name}, {version.number} ({version.get_state_display()})"
