"""The forms of the pods room. Choices come from what the actor may choose; the services check again."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.forms import DateField, PortalForm
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.people.selectors import active_on, functions_on, people_for
from salesops.pods.choices import CustomerSize, PodTemplate
from salesops.pods.models import Pod, PodMembership, Segment
from salesops.pods.selectors import open_pods_for


def _time_zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(zoneinfo.available_timezones()) if "/" in name or name == "UTC"]


class _TeamField(forms.ModelMultipleChoiceField):
    """People by name and function."""

    functions: dict[int, str]

    def label_from_instance(self, obj: Any) -> str:
        """Such as “Sam Sorensen · SDR”."""
        return f"{obj} · {self.functions.get(obj.pk, '').upper()}"


class PodForm(PortalForm):
    """What a pod is."""

    name = forms.CharField(label=_("Name"), max_length=80)
    segment = forms.ModelChoiceField(Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("None"))
    template = forms.ChoiceField(
        label=_("Template"),
        choices=PodTemplate.choices,
        help_text=_("Acquisition : closing : success. What the pod is staffed to."),
    )
    customer_size = forms.ChoiceField(
        label=_("Size of its customers"),
        choices=[("", _("All sizes")), *CustomerSize.choices],
        required=False,
        help_text=_("Says which functions should be in it."),
    )
    lead_capacity = forms.IntegerField(
        label=_("Leads in work it can carry"), min_value=0, max_value=1_000_000, initial=200
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=_time_zones)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        cast(forms.ModelChoiceField, self.fields["segment"]).queryset = Segment.objects.all()
        self.initial.setdefault("template", PodTemplate.MODERATE)
        self.initial.setdefault("time_zone", settings.COMPANY_TIME_ZONE)


class PodCreateForm(PodForm):
    """A new pod."""

    opened_on = DateField(label=_("Opens on"))
    team = _TeamField(
        User.objects.none(),
        label=_("First people"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "People with a function who are in no pod. A pod needs somebody who wins customers and keeps them."
        ),
    )
    field_order = ("name", "segment", "template", "customer_size", "opened_on", "lead_capacity", "time_zone", "team")

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, at=at, **kwargs)
        day = company_day(at)
        self.initial.setdefault("opened_on", day)
        field = cast(_TeamField, self.fields["team"])
        in_pods = PodMembership.objects.on(day).values("person_id")
        people = people_for(actor).filter(active_on(day)).exclude(pk__in=in_pods).order_by("name", "pk")
        field.functions = functions_on(day)
        field.queryset = people.filter(pk__in=field.functions)
        if not field.queryset.exists():
            field.help_text = _("Everybody with a function is in a pod today: move people once it is open.")

    @property
    def given(self) -> dict[str, Any]:
        """The keyword arguments of `open_pod`."""
        functions = cast(_TeamField, self.fields["team"]).functions
        return self.values | {"team": [(person, functions[person.pk]) for person in self.cleaned_data["team"]]}


class PodCloseForm(PortalForm):
    """From which day on a pod is closed, and what becomes of those in it."""

    closed_on = DateField(label=_("Closed from"))
    end_memberships = forms.BooleanField(label=_("End all its memberships"), required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.initial.setdefault("closed_on", company_day(at))


class MemberForm(PortalForm):
    """Somebody who joins a pod."""

    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"))
    function = forms.ChoiceField(label=_("Function"), choices=JobFunction.choices)
    start_on = DateField(label=_("From"))
    end_on = DateField(label=_("Until"), required=False, help_text=_("The first day on which it no longer holds."))

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        day = company_day(at)
        people = people_for(actor).filter(active_on(day)).order_by("name", "pk")
        cast(forms.ModelChoiceField, self.fields["person"]).queryset = people
        self.initial.setdefault("start_on", day)


class MoveForm(PortalForm):
    """To which pod somebody moves."""

    pod = forms.ModelChoiceField(Pod.objects.none(), label=_("Pod"))
    function = forms.ChoiceField(label=_("Function"), choices=JobFunction.choices)
    day = DateField(label=_("From"))
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        day = company_day(at)
        cast(forms.ModelChoiceField, self.fields["pod"]).queryset = open_pods_for(actor, day)
        self.initial.setdefault("day", day)


class EndForm(PortalForm):
    """The day on which something ends."""

    end_on = DateField(label=_("Ends on"), help_text=_("The first day on which it no longer holds."))
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.initial.setdefault("end_on", company_day(at))


class TerritoryForm(PortalForm):
    """A new territory."""

    code = forms.CharField(label=_("Code"), max_length=40)
    name = forms.CharField(label=_("Name"), max_length=80)
    country = forms.CharField(label=_("Country"), max_length=80, required=False)
    region = forms.CharField(label=_("Region"), max_length=80, required=False)


class TerritoryAssignForm(PortalForm):
    """Somebody who works in a territory."""

    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"))
    start_on = DateField(label=_("From"))
    end_on = DateField(label=_("Until"), required=False, help_text=_("The first day on which it no longer holds."))

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        day = company_day(at)
        people = people_for(actor).filter(active_on(day)).order_by("name", "pk")
        cast(forms.ModelChoiceField, self.fields["person"]).queryset = people
        self.initial.setdefault("start_on", day)
