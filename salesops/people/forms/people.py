"""Forms about people: invite, edit, roles, function, manager, hours, leave."""

from __future__ import annotations

import re
import zoneinfo
from datetime import time
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.forms import DateField, PortalForm, PortalModelForm
from salesops.people.choices import JobFunction, LeaveKind, RoleChoice, Weekday
from salesops.people.models import User
from salesops.people.selectors import people_for

_SPAN = re.compile(r"\s*(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?\s*")
_MOST_SPANS = 4


def zone_choices() -> list[tuple[str, str]]:
    """All time zones that this machine knows, the company's first."""
    names = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
    return [(name, name) for name in dict.fromkeys([settings.COMPANY_TIME_ZONE, "UTC", *names])]


class PersonChoiceField(forms.ModelChoiceField):
    """One of the people the actor may see who can log in."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=User.objects.none(), **{"empty_label": "—", **kwargs})


class _WithPeople(PortalForm):
    """Narrows its people to those the actor may see."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, PersonChoiceField):
                field.queryset = people_for(self.actor).filter(is_active=True)


class InviteForm(_WithPeople):
    """A new person."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    email = forms.EmailField(label=gettext_lazy("E-mail"), help_text=gettext_lazy("They log in with it."))
    title = forms.CharField(label=gettext_lazy("Title"), max_length=120, required=False)
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=[("", "—"), *RoleChoice.choices], required=False)
    function = forms.ChoiceField(
        label=gettext_lazy("Function"), choices=[("", "—"), *JobFunction.choices], required=False
    )
    manager = PersonChoiceField(label=gettext_lazy("Reports to"), required=False)
    started_on = DateField(label=gettext_lazy("First day"))
    employee_number = forms.CharField(label=gettext_lazy("Employee number"), max_length=40, required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=zone_choices)


class PersonForm(PortalModelForm):
    """What is kept about a person."""

    class Meta:
        model = User
        fields = (
            "name",
            "family_name",
            "email",
            "title",
            "employee_number",
            "payroll_number",
            "external_id",
            "started_on",
            "language",
            "time_zone",
        )

    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=zone_choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "admin" not in self.actor.roles:
            self.fields["email"].disabled = True
            self.fields["email"].help_text = _("Administrators change it.")

    def clean_family_name(self) -> str:
        """A part of the name, so that payroll files can say which part is the other."""
        family_name = str(self.cleaned_data["family_name"]).strip()
        if family_name and family_name not in str(self.cleaned_data.get("name", "")):
            raise ValidationError(_("Write it as it stands in the name."), code="not-in-name")
        return family_name


class RoleGrantForm(PortalForm):
    """A role for a time."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=RoleChoice.choices)
    start_on = DateField(label=gettext_lazy("From"))
    end_on = DateField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy("The first day without it. Empty: for good."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)

    def clean(self) -> dict[str, Any]:
        """It ends after it starts."""
        values: dict[str, Any] = super().clean() or {}
        start, end = values.get("start_on"), values.get("end_on")
        if start and end and end <= start:
            self.add_error("end_on", _("It has to end after it starts."))
        return values


class EndForm(PortalForm):
    """The day on which something ends."""

    end_on = DateField(label=gettext_lazy("From this day on no longer"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)


class FunctionForm(PortalForm):
    """Another function from a day on."""

    function = forms.ChoiceField(label=gettext_lazy("Function"), choices=JobFunction.choices)
    start_on = DateField(label=gettext_lazy("From"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)


class ManagerForm(_WithPeople):
    """Another manager from a day on."""

    manager = PersonChoiceField(label=gettext_lazy("Reports to"))
    start_on = DateField(label=gettext_lazy("From"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)


class LeaveForm(_WithPeople):
    """Days away, and who stands in."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=LeaveKind.choices)
    start_on = DateField(label=gettext_lazy("First day away"))
    end_on = DateField(label=gettext_lazy("First day back"))
    note = forms.CharField(label=gettext_lazy("Note"), max_length=200, required=False)
    deputy = PersonChoiceField(
        label=gettext_lazy("Deputy"),
        required=False,
        empty_label=gettext_lazy("Nobody"),
        help_text=gettext_lazy("Gets the leads that would go to this person by name meanwhile."),
    )


class LastDayForm(PortalForm):
    """When somebody leaves the company."""

    left_on = DateField(
        label=gettext_lazy("First day on which they no longer work here"),
        help_text=gettext_lazy("Roles, function and reporting line end with it. From that day on they cannot log in."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)


class ReasonForm(PortalForm):
    """Only why."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)


def parse_spans(text: str) -> list[tuple[time, time]]:
    """Read "9-12:30, 13:30-17" as times. Raises ValidationError."""
    spans = []
    for piece in (part for part in text.split(",") if part.strip()):
        match = _SPAN.fullmatch(piece)
        try:
            if match is None:
                raise ValueError
            first, first_minutes, last, last_minutes = match.groups(default="0")
            spans.append((time(int(first), int(first_minutes)), _until(int(last), int(last_minutes))))
        except ValueError as error:
            raise ValidationError(
                _("“%(text)s” is not a span of hours. Write it like 9:00-12:30, 13:30-17:00."),
                params={"text": piece.strip()[:40]},
            ) from error
    if len(spans) > _MOST_SPANS:
        raise ValidationError(_("No more than four spans a day."))
    return spans


def _until(hour: int, minute: int) -> time:
    """24:00 is the last minute of the day."""
    return time(23, 59) if (hour, minute) == (24, 0) else time(hour, minute)


def spans_text(spans: list[tuple[time, time]]) -> str:
    """Times as they are typed."""
    return ", ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in spans)


class HoursForm(PortalForm):
    """Working hours, a line for each weekday."""

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        kept: dict[int, list[tuple[time, time]]] = {}
        for row in person.working_hours.all():
            kept.setdefault(row.weekday, []).append((row.starts_at, row.ends_at))
        kwargs["initial"] = {f"day_{day.value}": spans_text(kept.get(day.value, [])) for day in Weekday}
        super().__init__(*args, **kwargs)
        for day in Weekday:
            self.fields[f"day_{day.value}"] = forms.CharField(
                label=day.label,
                required=False,
                max_length=80,
                widget=forms.TextInput(attrs={"placeholder": "9:00-12:30, 13:30-17:00", "autocomplete": "off"}),
            )

    def clean(self) -> dict[str, Any]:
        """Turn each line into spans."""
        values: dict[str, Any] = super().clean() or {}
        hours = []
        for day in Weekday:
            try:
                hours += [(day.value, *span) for span in parse_spans(values.get(f"day_{day.value}", ""))]
            except ValidationError as error:
                self.add_error(f"day_{day.value}", error)
        values["hours"] = hours
        return values


class SettingsForm(PortalModelForm):
    """What people set for themselves."""

    class Meta:
        model = User
        fields = ("language", "time_zone")

    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=zone_choices,
        help_text=gettext_lazy("Moments are shown in it, and your working hours are meant in it."),
    )
