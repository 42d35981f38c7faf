"""The forms of the activities room."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from salesops.activities.choices import ActivityKind, Outcome
from salesops.activities.models import Activity
from salesops.activities.selectors import About, about_for
from salesops.activities.services import OUTCOMES, FollowUp
from salesops.core.actor import Actor
from salesops.core.forms import DateField, PortalForm

#: The hour at which a day's tasks are due, in the person's own time zone.
_DUE_AT: Final = time(17, 0)


class MomentInput(forms.DateTimeInput):
    """The browser's own calendar and clock, in the form it wants."""

    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%dT%H:%M")


def due_moment(day: date) -> datetime:
    """When a task of a day is due: at five in the afternoon where the person is."""
    return timezone.make_aware(datetime.combine(day, _DUE_AT))


class LogForm(PortalForm):
    """What was done about a lead, a deal or an account, and what comes next."""

    about = forms.CharField(label=_("About"), required=False, max_length=40)
    kind = forms.ChoiceField(label=_("What"), choices=ActivityKind.choices, widget=forms.RadioSelect)
    outcome = forms.ChoiceField(label=_("Outcome"), choices=[("", "")], required=False)
    subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 3}))
    happened_at = forms.DateTimeField(
        label=_("When"),
        required=False,
        widget=MomentInput(),
        help_text=_("Empty is now. A meeting that is to come is planned."),
    )
    duration_minutes = forms.IntegerField(label=_("Minutes"), min_value=0, max_value=100_000, required=False)
    due_on = DateField(label=_("Due"), required=False)
    next_subject = forms.CharField(label=_("Next step"), max_length=200, required=False)
    next_due_on = DateField(label=_("By"), required=False)
    kept_at = forms.DateTimeField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.chosen: About | None = None
        outcome = self.fields["outcome"]
        if isinstance(outcome, forms.ChoiceField):
            outcome.choices = [("", "—"), *Outcome.choices]
        self.initial.setdefault("kind", ActivityKind.CALL)

    @property
    def outcome_groups(self) -> list[dict[str, Any]]:
        """For each kind the outcomes that fit it, for the quick buttons."""
        labels = dict(Outcome.choices)
        chosen = self["outcome"].value()
        return [
            {
                "kind": str(kind),
                "outcomes": [
                    {"value": str(value), "label": labels[value], "is_chosen": str(value) == chosen} for value in values
                ],
            }
            for kind, values in OUTCOMES.items()
        ]

    def clean_about(self) -> About | None:
        """The row that it is about. Raises ValidationError for one that the actor does not see."""
        value = self.cleaned_data["about"]
        if not value:
            return None
        try:
            self.chosen = about_for(self.actor, value)
        except Http404 as error:
            raise ValidationError(_("Choose one that you can see."), code="not-visible") from error
        return self.chosen

    def clean(self) -> dict[str, Any] | None:
        """An outcome of another kind is one that was hidden again; a next step needs its day and the other way round."""
        data = super().clean() or self.cleaned_data
        kind = data.get("kind", "")
        if data.get("outcome") and data["outcome"] not in OUTCOMES.get(kind, ()):
            data["outcome"] = ""
        if kind == ActivityKind.TASK:
            data["happened_at"] = None
            if not data.get("due_on") and "due_on" not in self.errors:
                self.add_error("due_on", ValidationError(_("Say by when it is to be done."), code="due-missing"))
            if not data.get("subject"):
                self.add_error("subject", ValidationError(_("Say what is to be done."), code="required"))
        elif not data.get("about") and "about" not in self.errors:
            self.add_error("about", ValidationError(_("Choose what it was about."), code="required"))
        if data.get("next_subject") and not data.get("next_due_on") and "next_due_on" not in self.errors:
            self.add_error("next_due_on", ValidationError(_("Say by when it is to be done."), code="due-missing"))
        if data.get("next_due_on") and not data.get("next_subject"):
            self.add_error("next_subject", ValidationError(_("Say what comes next."), code="required"))
        return data

    @property
    def given(self) -> dict[str, Any]:
        """The keyword arguments of `log_activity`."""
        data = self.cleaned_data
        about: About | None = data["about"]
        given: dict[str, Any] = {
            name: data[name] for name in ("kind", "outcome", "subject", "note", "happened_at", "duration_minutes")
        }
        given["client_key"], given["told_at"] = self.key, data["kept_at"]
        if about is not None:
            given[about.kind] = about.row
        if data["kind"] == ActivityKind.TASK:
            given["due_at"] = due_moment(data["due_on"])
        if data["next_subject"] and data["next_due_on"]:
            given["follow_up"] = FollowUp(data["next_subject"], due_moment(data["next_due_on"]))
        return given


class BulkLogForm(LogForm):
    """One thing that was done about many rows: what it is about is what was chosen in the list."""

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        del self.fields["about"]
        self.initial["kind"] = ActivityKind.MAIL

    def clean(self) -> dict[str, Any] | None:
        """As for one; there is always something that it is about."""
        self.cleaned_data["about"] = True
        return super().clean()

    @property
    def given(self) -> dict[str, Any]:
        """The keyword arguments of `log_many`."""
        self.cleaned_data["about"] = None
        given = super().given
        del given["client_key"], given["told_at"]
        return given


class ActivityForm(PortalForm):
    """Corrects what was logged."""

    subject = forms.CharField(label=_("Subject"), max_length=200)
    outcome = forms.ChoiceField(label=_("Outcome"), choices=[("", "")], required=False)
    happened_at = forms.DateTimeField(label=_("When"), widget=MomentInput())
    due_on = DateField(label=_("Due"))
    duration_minutes = forms.IntegerField(label=_("Minutes"), min_value=0, max_value=100_000, required=False)
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, actor: Actor, activity: Activity, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        fitting = OUTCOMES.get(activity.kind, ())
        outcome = self.fields["outcome"]
        if isinstance(outcome, forms.ChoiceField):
            outcome.choices = [("", "—"), *((value, label) for value, label in Outcome.choices if value in fitting)]
        is_task = activity.kind == ActivityKind.TASK
        if not fitting:
            del self.fields["outcome"]
        if not is_task:
            del self.fields["due_on"]
        if is_task and activity.done_at is None:
            del self.fields["happened_at"], self.fields["duration_minutes"]
        self.is_planned = activity.is_planned
        if self.is_planned:
            # How it went is said when it is over.
            del self.fields["outcome"]
            self.initial["happened_at"] = activity.due_at

    @property
    def changes(self) -> dict[str, Any]:
        """What the service may change, from what was typed."""
        changes = self.values
        if self.is_planned:
            changes["due_at"] = changes.pop("happened_at")
        if "due_on" in changes:
            changes["due_at"] = due_moment(changes.pop("due_on"))
        return changes
