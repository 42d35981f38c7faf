"""Forms of adjustments, disputes, plan events, payroll files and their columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import EventKind, PayrollFormat
from salesops.commissions.forms import ReleaseForm
from salesops.commissions.models import Adjustment, Dispute, PayrollMapping, Period, Plan
from salesops.commissions.rules.payroll import Field
from salesops.commissions.rules.plans import share_from_text
from salesops.commissions.selectors.adjustments import open_periods, people_to_adjust, version_during
from salesops.commissions.selectors.disputes import line_named, lines_of
from salesops.commissions.selectors.events import known_on, people_with_events
from salesops.commissions.services.adjustments import LEAST_REASON, why_look_again
from salesops.commissions.services.disputes import MOST_TEXT
from salesops.core import display
from salesops.core.actor import Role
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.people.models import User

_LONG = {"rows": 4}


class AdjustmentForm(PortalForm):
    """An amount beside what the curves give."""

    person = forms.ModelChoiceField(label=gettext_lazy("Person"), queryset=User.objects.none())
    plan = forms.ModelChoiceField(label=gettext_lazy("Plan"), queryset=Plan.objects.none())
    period = forms.ModelChoiceField(
        label=gettext_lazy("Paid in"),
        queryset=Period.objects.none(),
        help_text=gettext_lazy("An open period; a locked one stays as it is."),
    )
    amount_minor = MoneyField(
        label=gettext_lazy("Amount"),
        help_text=gettext_lazy("In the plan's currency. A minus takes away: -250.00."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=format_lazy(
            gettext_lazy("At least {count} characters. The person reads it on the statement."), count=LEAST_REASON
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["person"].queryset = people_to_adjust(self.actor)
        fields["plan"].queryset = Plan.objects.visible_to(self.actor)
        fields["period"].queryset = open_periods()

    def currency_for(self, field: MoneyField) -> str:
        """The plan's in the period."""
        plan, period = self.cleaned_data.get("plan"), self.cleaned_data.get("period")
        version = version_during(plan, period) if plan and period else None
        return version.currency if version else settings.COMPANY_CURRENCY


class AdjustmentApproveForm(PortalForm):
    """A word with the approval, and the tick for what is out of proportion."""

    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=300)
    looked_again = forms.BooleanField(
        label=gettext_lazy("I looked again: amounts out of proportion are meant"), required=False
    )


class OneAdjustmentApproveForm(AdjustmentApproveForm):
    """The same for one adjustment: the tick is asked for only where it is needed, and is needed then."""

    def __init__(self, *args: Any, adjustment: Adjustment, look: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if look is None:
            del self.fields["looked_again"]
        else:
            field = self.fields["looked_again"]
            field.required = True
            field.label = _("I looked again: %(amount)s is meant") % {
                "amount": display.money(adjustment.amount_minor, adjustment.currency)
            }
            field.help_text = why_look_again(look, adjustment)


class NoteForm(PortalForm):
    """Why something is refused."""

    note = forms.CharField(
        label=gettext_lazy("What is wrong"), widget=forms.Textarea(attrs={"rows": 3}), max_length=300
    )


class DisputeForm(PortalForm):
    """What a person doubts."""

    MOST_LINES: ClassVar[int] = 200

    line = forms.ChoiceField(label=gettext_lazy("Line"), required=False)
    subject = forms.CharField(label=gettext_lazy("In a few words"), max_length=200)
    message = forms.CharField(
        label=gettext_lazy("What is wrong, and how it should be"),
        max_length=MOST_TEXT,
        widget=forms.Textarea(attrs=_LONG),
        help_text=gettext_lazy("Your managers, finance and revenue operations read and answer it."),
    )

    def __init__(self, *args: Any, statement: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines: Any = self.fields["line"]
        asked = str(self.data.get("line", "") if self.is_bound else self.initial.get("line", ""))
        found = lines_of(self.actor, statement, self.MOST_LINES)
        # A line beyond those offered is named by its own page.
        if asked and asked not in {line.key for line in found} and (named := line_named(self.actor, statement, asked)):
            found.append(named)
        lines.choices = [
            ("", _("The whole statement")),
            *((line.key, f"{line.label} · {display.money(line.amount_minor, line.currency)}") for line in found),
        ]


class MessageForm(PortalForm):
    """A message in a dispute."""

    text = forms.CharField(
        label=gettext_lazy("Message"), max_length=MOST_TEXT, widget=forms.Textarea(attrs={"rows": 3})
    )


class DecisionForm(PortalForm):
    """Accept or refuse a dispute; with an accepted one perhaps an adjustment."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("Decision"),
        choices=(("accepted", gettext_lazy("Accept")), ("refused", gettext_lazy("Refuse"))),
        widget=forms.RadioSelect,
    )
    decision = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=MOST_TEXT,
        widget=forms.Textarea(attrs=_LONG),
        help_text=gettext_lazy("The person reads it."),
    )
    amount_minor = MoneyField(
        label=gettext_lazy("Adjustment"),
        required=False,
        help_text=gettext_lazy("Optional, in the statement's currency. Finance still has to approve it."),
    )
    period = forms.ModelChoiceField(
        label=gettext_lazy("Paid in"), queryset=Period.objects.none(), required=False, empty_label="–"
    )
    reason = forms.CharField(label=gettext_lazy("Reason of the adjustment"), max_length=300, required=False)

    def __init__(self, *args: Any, dispute: Dispute, **kwargs: Any) -> None:
        self.dispute = dispute
        super().__init__(*args, **kwargs)
        period: Any = self.fields["period"]
        about = dispute.statement.period
        period.queryset = open_periods().filter(kind=about.kind, time_zone=about.time_zone)

    def currency_for(self, field: MoneyField) -> str:
        """The plan's in the period chosen, else the statement's."""
        period = self.cleaned_data.get("period") if hasattr(self, "cleaned_data") else None
        version = version_during(self.dispute.statement.plan_version.plan, period) if period else None
        return version.currency if version else self.dispute.statement.currency

    def clean(self) -> dict[str, Any]:
        """An adjustment is whole or not there."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        amount = data.get("amount_minor")
        if amount is not None and data.get("outcome") == "refused":
            self.add_error("amount_minor", _("A refused dispute changes no pay. Leave the amount empty."))
        elif amount is not None:
            if not data.get("period"):
                self.add_error("period", _("In which open period is it paid?"))
            if not data.get("reason", "").strip():
                self.add_error("reason", _("Say what the adjustment is for."))
        elif data.get("period") or data.get("reason", "").strip():
            self.add_error("amount_minor", _("Give the amount, or leave period and reason empty too."))
        return data


class EventForm(PortalForm):
    """Something a settlement needs to know."""

    kind = forms.ChoiceField(label=gettext_lazy("What happened"), choices=EventKind.choices, widget=forms.RadioSelect)
    plan = forms.ModelChoiceField(label=gettext_lazy("Plan"), queryset=Plan.objects.none())
    person = forms.ModelChoiceField(
        label=gettext_lazy("Person"),
        queryset=User.objects.none(),
        required=False,
        help_text=gettext_lazy("Empty: a payment is of whoever was credited, a team's attainment of all on the plan."),
    )
    on = DateField(label=gettext_lazy("Day"))
    reference = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("Of the objective or bonus in the plan, or of the transaction that was paid."),
    )
    share = forms.CharField(
        label=gettext_lazy("Reached"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Of an objective or of the team's quota: 0.8 or 80%."),
    )
    amount_minor = MoneyField(
        label=gettext_lazy("Paid so far"),
        required=False,
        least_minor=0,
        help_text=gettext_lazy("Of an invoice, in all up to this day."),
    )
    of_minor = MoneyField(label=gettext_lazy("Whole invoice"), required=False, least_minor=0)
    note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["plan"].queryset = Plan.objects.visible_to(self.actor)
        fields["person"].queryset = people_with_events(self.actor)
        fields["person"].required = not self.actor.has(Role.REVOPS)

    def currency_for(self, field: MoneyField) -> str:
        """The plan's on the day."""
        data = getattr(self, "cleaned_data", {})
        known = known_on(data["plan"], data["on"]) if data.get("plan") and data.get("on") else None
        return known.version.currency if known else settings.COMPANY_CURRENCY

    def clean_share(self) -> Decimal | None:
        """80% is 0.8."""
        text = str(self.cleaned_data["share"]).strip()
        if not text:
            return None
        share = share_from_text(text)
        if share is None:
            raise ValidationError(_("“%(text)s” is no share. Write it like 0.8."), params={"text": text})
        return Decimal(share.numerator) / Decimal(share.denominator)


class EventFileForm(PortalForm):
    """A file of events."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv"}),
        help_text=gettext_lazy("CSV in UTF-8 with commas. The same file again records nothing twice."),
    )


class PayrollReleaseForm(ReleaseForm):
    """Which file: a known format, or saved columns."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        formats: Any = self.fields["payroll_format"]
        formats.choices = [
            *((value, label) for value, label in PayrollFormat.choices if value != PayrollFormat.MAPPED),
            *(
                (f"{PayrollFormat.MAPPED}:{mapping.pk}", mapping.name)
                for mapping in PayrollMapping.objects.visible_to(self.actor)
            ),
        ]


class ColumnsField(forms.CharField):
    """Columns, one a line: `Header = field`, or `Header = "text"`. `cleaned_data` holds what the rules read."""

    widget = forms.Textarea

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """Read the lines; what they mean is checked by the rules."""
        found: list[dict[str, Any]] = []
        for line in super().clean(value).splitlines():
            if not line.strip():
                continue
            header, equals, field = line.rpartition("=")
            quoted = '"' in line and line.rstrip().endswith('"')
            if quoted:  # a constant may hold an equals sign
                header, equals, field = line.partition("=")
            field = field.strip()
            if not equals:
                raise ValidationError(_("“%(line)s” has no “=”. Write: Employee = employee_id"), params={"line": line})
            column: dict[str, Any] = {"header": header.strip(), "field": field}
            if quoted and len(field) >= 2 and field[0] == field[-1] == '"':
                column |= {"field": Field.TEXT.value, "text": field[1:-1]}
            found.append(column)
        return found

    def prepare_value(self, value: Any) -> Any:
        """A line for each column; what was typed stays as typed."""
        if not isinstance(value, list):
            return value
        return "\n".join(
            f'{each["header"]} = "{each["text"]}"' if each.get("text") else f"{each['header']} = {each['field']}"
            for each in value
        )


class MappingForm(PortalForm):
    """Columns of a payroll file."""

    START: ClassVar[str] = (
        "Employee ID = employee_id\nName = name\nPay code = pay_code\nFrom = period_start\nTo = period_end\n"
        "Amount = amount\nCurrency = currency"
    )

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    columns = ColumnsField(
        label=gettext_lazy("Columns"),
        initial=START,
        widget=forms.Textarea(attrs={"rows": 10, "class": "input-code", "spellcheck": "false"}),
        help_text=format_lazy(
            gettext_lazy(
                'One a line, in order: Header = field, or Header = "the same text in every row". Fields: {fields}.'
            ),
            fields=", ".join(each.value for each in Field if each is not Field.TEXT),
        ),
    )
