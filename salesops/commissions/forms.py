"""Forms of the commissions room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import PayrollFormat
from salesops.commissions.rules.plans import DEFAULT_QUOTA
from salesops.commissions.selectors.plans import quota_names
from salesops.core.actor import Role
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.people.models import User
from salesops.people.selectors import people_for
from salesops.values.money import exponent
from salesops.values.periods import Period, PeriodError, parse_label


class AssignmentForm(PortalForm):
    """A person on a plan."""

    person = forms.ModelChoiceField(label=gettext_lazy("Person"), queryset=User.objects.none())
    start_on = DateField(label=gettext_lazy("From"))
    end_on = DateField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy("The first day on which it no longer holds."),
    )
    rate = forms.DecimalField(
        label=gettext_lazy("Personal rate in percent"),
        required=False,
        min_value=0,
        max_value=1000,
        max_digits=12,
        decimal_places=8,
        help_text=gettext_lazy("Where the plan pays the rate agreed with each person."),
    )
    target_pay_minor = MoneyField(label=gettext_lazy("Target pay of a period"), required=False, least_minor=0)
    currency = forms.CharField(
        label=gettext_lazy("Currency"), max_length=3, min_length=3, initial=settings.COMPANY_CURRENCY
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = User.objects.filter(is_active=True)  # type: ignore[attr-defined]  # a ModelChoiceField

    def clean_rate(self) -> Any:
        """A share: 1.2 percent is 0.012."""
        rate = self.cleaned_data["rate"]
        return None if rate is None else rate / 100

    def clean(self) -> dict[str, Any]:
        """It ends after it starts."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("end_on") and data.get("start_on") and data["end_on"] <= data["start_on"]:
            self.add_error("end_on", _("It must end after it starts."))
        return data


class TakeOffForm(PortalForm):
    """From which day on a person is on a plan no more."""

    person = forms.ModelChoiceField(label=gettext_lazy("Person"), queryset=User.objects.none())
    end_on = DateField(
        label=gettext_lazy("Until"), help_text=gettext_lazy("The first day on which it no longer holds.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Also who left: who is on a plan is not told to all who write plans.
        self.fields["person"].queryset = people_for(self.actor).order_by("name", "pk")  # type: ignore[attr-defined]  # a ModelChoiceField


class PeriodLabelField(forms.CharField):
    """A period by its label: 2026Q2, 2026-05, 2026. `cleaned_data` holds a `values.periods.Period`."""

    def clean(self, value: Any) -> Period:
        """Read the label."""
        text = super().clean(value)
        try:
            return parse_label(text.strip().upper())
        except PeriodError as error:
            raise ValidationError(
                _("“%(text)s” is not a period. Write 2026Q2, 2026-05 or 2026."), params={"text": text}
            ) from error


class QuotaForm(PortalForm):
    """What a person is to reach in a period."""

    person = forms.ModelChoiceField(label=gettext_lazy("Person"), queryset=User.objects.none())
    period = PeriodLabelField(label=gettext_lazy("Period"), help_text=gettext_lazy("2026Q2, 2026-05 or 2026"))
    measure = forms.CharField(label=gettext_lazy("Which quota"), max_length=40, required=False, initial=DEFAULT_QUOTA)
    amount_minor = MoneyField(label=gettext_lazy("Quota"), least_minor=0)
    currency = forms.CharField(
        label=gettext_lazy("Currency"), max_length=3, min_length=3, initial=settings.COMPANY_CURRENCY
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True)
        if not self.actor.has(Role.REVOPS, Role.ADMIN):
            people = people.filter(pk__in=self.actor.tree_ids)
        self.fields["person"].queryset = people  # type: ignore[attr-defined]  # a ModelChoiceField
        money, self.things = quota_names()
        names = escape(", ".join(money + self.things))
        self.fields["measure"].help_text = _("As plans name it: %(names)s.") % {"names": names}

    def clean_measure(self) -> str:
        """As plans write it; the usual one where none is named."""
        return str(self.cleaned_data["measure"]) or DEFAULT_QUOTA

    def clean(self) -> dict[str, Any]:
        """A quota of things is a whole number of them, without a currency."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("measure") in self.things and isinstance(data.get("amount_minor"), int) and data.get("currency"):
            number, rest = divmod(data["amount_minor"], 10 ** exponent(data["currency"]))
            if rest:
                self.add_error("amount_minor", _("This quota counts things: write a whole number."))
            data["amount_minor"] = number
        return data


class ReturnForm(PortalForm):
    """Why a statement goes back."""

    note = forms.CharField(
        label=gettext_lazy("What is wrong"), widget=forms.Textarea(attrs={"rows": 3}), max_length=2000
    )


class ApproveForm(PortalForm):
    """A word with the approval."""

    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=500)


class ReleaseForm(PortalForm):
    """Which file."""

    payroll_format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=PayrollFormat.choices,
        initial=PayrollFormat.GUSTO,
        widget=forms.RadioSelect,
    )
