"""Forms of the commissions room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import PayrollFormat, PeriodKind
from salesops.commissions.models import PlanVersion
from salesops.commissions.rules.fields import OF_THE_PORTAL
from salesops.commissions.rules.formulas import MOST_CHARACTERS, check
from salesops.core.actor import Role
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.people.models import User, validate_time_zone
from salesops.values.periods import Period, PeriodError, parse_label


class PlanForm(PortalForm):
    """A plan's name."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class VersionForm(PortalForm):
    """A draft with one component: a rate for everything, or tiers. `values["definition"]` is what the rules read."""

    SHAPES = (
        ("flat", gettext_lazy("One rate for everything")),
        ("marginal", gettext_lazy("Tiers, each rate for its own part")),
        ("retroactive", gettext_lazy("Tiers, the rate reached counts from the first cent")),
    )

    start_on = DateField(label=gettext_lazy("In force from"))
    period_kind = forms.ChoiceField(
        label=gettext_lazy("Period"), choices=PeriodKind.choices, initial=PeriodKind.QUARTER
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency"), max_length=3, min_length=3, initial=settings.COMPANY_CURRENCY
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=60,
        initial=settings.COMPANY_TIME_ZONE,
        validators=[validate_time_zone],
        help_text=gettext_lazy("Days and periods are those of this place."),
    )
    component_name = forms.CharField(
        label=gettext_lazy("What is paid for"), max_length=80, initial=gettext_lazy("Commission on bookings")
    )
    when = forms.CharField(
        label=gettext_lazy("Only bookings of which this is true"),
        max_length=MOST_CHARACTERS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "input-code", "spellcheck": "false"}),
        help_text=format_lazy(
            gettext_lazy('Empty for all. For example: product = "Service" AND amount >= 1000. Words: {words}.'),
            words=", ".join(sorted(OF_THE_PORTAL)),
        ),
    )
    shape = forms.ChoiceField(label=gettext_lazy("Curve"), choices=SHAPES, initial="flat", widget=forms.RadioSelect)
    rate = forms.CharField(
        label=gettext_lazy("Rate"),
        max_length=40,
        required=False,
        initial="8%",
        help_text=gettext_lazy(
            "“8%”, or “personal” for the rate agreed with each person, or “1.5x” times target pay ÷ quota."
        ),
    )
    tiers = forms.CharField(
        label=gettext_lazy("Tiers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "input-code", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One tier a line: from = rate. “0 = 5%” and “100% = 10%” pays 5 percent up to the quota and 10 percent above. Amounts instead of percentages are in the plan's currency."
        ),
    )
    cap = forms.CharField(
        label=gettext_lazy("Cap"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("The most a period pays: an amount, or “200%” of target pay. Empty for none."),
    )
    zero_quota = forms.ChoiceField(
        label=gettext_lazy("A quota of zero"),
        initial="hold",
        choices=(
            ("hold", gettext_lazy("holds the pay and asks")),
            ("lowest", gettext_lazy("pays the lowest tier")),
            ("highest", gettext_lazy("pays the highest tier")),
            ("nothing", gettext_lazy("pays nothing")),
        ),
    )
    proration = forms.ChoiceField(
        label=gettext_lazy("On the plan for a part of the period"),
        initial="calendar_days",
        choices=(("calendar_days", gettext_lazy("quota by calendar days")), ("none", gettext_lazy("full quota"))),
    )
    rounding = forms.ChoiceField(
        label=gettext_lazy("Rounding"),
        initial="cumulative",
        choices=(
            ("cumulative", gettext_lazy("lines add up to the rounded total")),
            ("per_line", gettext_lazy("each line by itself")),
        ),
    )
    boundary = forms.ChoiceField(
        label=gettext_lazy("Exactly on a tier's bound"),
        initial="upper",
        choices=(
            ("upper", gettext_lazy("belongs to the tier above")),
            ("lower", gettext_lazy("belongs to the tier below")),
        ),
    )

    def clean_currency(self) -> str:
        """Upper case."""
        return str(self.cleaned_data["currency"]).upper()

    def clean_when(self) -> str:
        """A condition that can be read, or what is wrong with it and where."""
        text = str(self.cleaned_data["when"]).strip()
        problems = check(text, OF_THE_PORTAL).problems if text else ()
        if problems:
            raise ValidationError([f"{problem.text(_)} {problem.remedy_text(_)}".strip() for problem in problems])
        return text

    def clean(self) -> dict[str, Any]:
        """Put the definition together; the service checks it."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        shape = data.get("shape")
        if shape == "flat" and not data.get("rate"):
            self.add_error("rate", _("Give a rate, such as 8%."))
        if shape in {"marginal", "retroactive"} and not data.get("tiers", "").strip():
            self.add_error("tiers", _("Give at least one tier, such as “0 = 5%”."))
        if self.errors:
            return data
        data["definition"] = {
            "format": 1,
            "currency": data["currency"],
            "time_zone": data["time_zone"],
            "period_kind": data["period_kind"],
            "components": [
                {
                    "key": "commission",
                    "name": data["component_name"],
                    "measure": "money",
                    "shape": self._shape(data),
                    "crediting": ["split", "owner", "holder"],
                    **({"when": data["when"]} if data["when"] else {}),
                }
            ],
            "conventions": {name: data[name] for name in ("zero_quota", "proration", "rounding", "boundary")},
        }
        return data

    def _shape(self, data: dict[str, Any]) -> dict[str, Any]:
        shape: dict[str, Any] = {"shape": data["shape"]}
        if data["shape"] == "flat":
            shape["rate"] = data["rate"].strip()
        else:
            shape["tiers"] = [self._tier(line) for line in data["tiers"].splitlines() if line.strip()]
        if data.get("cap"):
            shape["cap"] = data["cap"].strip()
        return shape

    def _tier(self, line: str) -> dict[str, str]:
        start, equals, rate = line.partition("=")
        if not equals:
            raise ValidationError({"tiers": _("“%(line)s” has no “=”. Write: 100% = 10%") % {"line": line.strip()}})
        return {"from": start.strip().replace(",", ""), "rate": rate.strip()}

    @staticmethod
    def initial_from(version: PlanVersion) -> dict[str, Any]:
        """The form's values of a version with one component."""
        definition = version.definition
        component = definition["components"][0]
        shape = component["shape"]
        return {
            "start_on": version.start_on,
            "period_kind": version.period_kind,
            "currency": version.currency,
            "time_zone": version.time_zone,
            "component_name": component["name"],
            "when": component.get("when", ""),
            "shape": shape["shape"],
            "rate": shape.get("rate", ""),
            "tiers": "\n".join(f"{tier['from']} = {tier['rate']}" for tier in shape.get("tiers", [])),
            "cap": shape.get("cap") or "",
            **{
                name: definition.get("conventions", {}).get(name)
                for name in ("zero_quota", "proration", "rounding", "boundary")
            },
        }


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
