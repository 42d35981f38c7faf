"""The forms of the leads room. Choices come from what the actor may choose; the services check again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import Consent
from salesops.accounts.forms import AccountField, offer, offer_currencies, offer_receivers, seen_moment
from salesops.accounts.models import Account
from salesops.core.actor import Actor, Role
from salesops.core.forms import DateField, MoneyField, PortalForm
from salesops.core.upserts import UNSET
from salesops.leads.choices import LeadOrigin, LeadStatus
from salesops.leads.models import Lead
from salesops.leads.models.spiced import Spiced
from salesops.leads.rules.spiced import COMPONENTS
from salesops.leads.selectors.leads import same_person
from salesops.leads.selectors.spiced import ASKS, LABELS, disqualify_reasons
from salesops.leads.services import LeadChanges
from salesops.leads.services.merging import NOT_YOURS, may_let_go
from salesops.people.models import User
from salesops.pods.models import Pod, Segment

#: What may be chosen as a status: converting is a step of its own.
_STATUSES = [choice for choice in LeadStatus.choices if choice[0] != LeadStatus.CONVERTED]


class LeadForm(PortalForm):
    """The facts of a lead. `seen_at` is when the lead that the form shows was saved."""

    name = forms.CharField(label=_("Name"), max_length=120)
    company = forms.CharField(label=_("Company"), max_length=200, required=False)
    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    email = forms.EmailField(label=_("E-mail"), max_length=254, required=False)
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    country = forms.CharField(label=_("Country"), max_length=80, required=False)
    employees = forms.IntegerField(label=_("Employees"), min_value=0, max_value=2_147_483_647, required=False)
    origin = forms.ChoiceField(label=_("Origin"), choices=LeadOrigin.choices, initial=LeadOrigin.INBOUND)
    campaign = forms.CharField(label=_("Campaign"), max_length=80, required=False)
    consent = forms.ChoiceField(
        label=_("May be contacted"), choices=Consent.choices, initial=Consent.UNKNOWN, required=False
    )
    segment = forms.ModelChoiceField(Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("None"))
    estimated_minor = MoneyField(label=_("Estimated value"), required=False, least_minor=0)
    currency = forms.ChoiceField(label=_("Currency"))
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 4}))
    seen_at = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, segment=Segment.objects.all())
        offer_currencies(self, self.initial.get("currency", ""))

    def clean_consent(self) -> str:
        """What a form that does not ask leaves as it is."""
        return self.cleaned_data["consent"] or self.initial.get("consent") or Consent.UNKNOWN.value

    def clean_seen_at(self) -> datetime | None:
        """The moment, as the form wrote it."""
        return seen_moment(self.cleaned_data["seen_at"])

    @property
    def facts(self) -> dict[str, Any]:
        """The keyword arguments of `create_lead` and `edit_lead`."""
        return {name: value for name, value in self.values.items() if name not in {"seen_at", "owner", "pod"}}


class LeadCreateForm(LeadForm):
    """A new lead, with whom it is given to."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("The pod of the owner")
    )
    field_order = ("name", "company", "title", "email", "phone", "owner", "pod", "origin")

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, at=at, **kwargs)
        offer_receivers(self, actor, at)
        self.fields["segment"].help_text = _("Left empty it follows from the number of employees.")
        if actor.has(Role.REP) and not actor.is_system:
            self.initial.setdefault("owner", actor.user_id)
        self.initial.setdefault("currency", settings.COMPANY_CURRENCY)

    @property
    def given(self) -> dict[str, Any]:
        """The keyword arguments of `create_lead`."""
        return self.facts | {"owner": self.cleaned_data["owner"], "pod": self.cleaned_data["pod"] or UNSET}


class _WithReason(PortalForm):
    """A form that disqualifies: a reason of the list, words of one's own, or both.

    `reason_field` is the text that the service gets. Without reasons in use only the text is asked.
    """

    reason_field = "because"
    reason = forms.ChoiceField(label=_("Why"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reasons = disqualify_reasons()
        if not reasons:
            del self.fields["reason"]
            return
        cast(forms.ChoiceField, self.fields["reason"]).choices = [("", "—"), *((name, name) for name in reasons)]
        self.fields[self.reason_field].label = _("More about it")
        self.fields[self.reason_field].help_text = _("One of the two is needed to disqualify.")
        known = self.initial.get(self.reason_field) or ""
        begun = next((name for name in reasons if known == name or known.startswith(f"{name}: ")), "")
        if begun:
            self.initial["reason"] = begun
            self.initial[self.reason_field] = known.removeprefix(begun).removeprefix(": ")

    def clean(self) -> dict[str, Any] | None:
        """Both into one text, which must not be longer than is kept."""
        data = super().clean() or self.cleaned_data
        parts = [data.pop("reason", ""), data.get(self.reason_field) or ""]
        text = ": ".join(part for part in parts if part)
        if len(text) > 200:
            self.add_error(self.reason_field, ValidationError(_("At most %(most)d characters.") % {"most": 200}))
        data[self.reason_field] = text
        return data


class StatusForm(_WithReason):
    """Where a lead stands."""

    status = forms.ChoiceField(label=_("Status"), choices=_STATUSES)
    because = forms.CharField(
        label=_("Reason"), max_length=200, required=False, help_text=_("Needed to disqualify a lead.")
    )
    field_order = ("status", "reason", "because")


class AssignForm(PortalForm):
    """To whom a lead goes, and why."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("The pod of the owner")
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, required=False, help_text=_("Shown to whoever gets the lead.")
    )

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer_receivers(self, actor, at)


class GiveBackForm(PortalForm):
    """Why a lead is given back, and whether it is one at all."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Kept with the lead, for whoever gets it next.")
    )
    is_bad = forms.BooleanField(
        label=_("It is no lead at all"),
        required=False,
        help_text=_("It is disqualified with this reason, instead of going to somebody else."),
    )


def _told_apart(lead: Lead) -> str:
    return f"{lead} — {lead.get_status_display()}, {lead.owner or _('Nobody')}, #{lead.pk}"


class _LeadChoice(forms.ModelChoiceField):
    """Leads that may be the same, told apart by where they stand and whose they are."""

    def label_from_instance(self, obj: Lead) -> str:
        """Name, status, owner."""
        return _told_apart(obj)


class MergeForm(PortalForm):
    """Which of two leads stays when they become one, and why they are the same."""

    THIS, OTHER = "this", "other"

    other = _LeadChoice(Lead.objects.none(), label=_("The same as"), empty_label=None)
    stays = forms.ChoiceField(
        label=_("Which one stays"),
        choices=[(THIS, ""), (OTHER, _("The other one"))],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, lead: Lead, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.lead = lead
        cast(forms.ChoiceField, self.fields["stays"]).choices = [
            (self.THIS, _told_apart(lead)),
            (self.OTHER, _("The other one")),
        ]
        field = cast(forms.ModelChoiceField, self.fields["other"])
        field.queryset = same_person(actor, lead).select_related("owner")
        if not field.queryset.exists():
            field.help_text = _("No other lead that you see has the same address, or the same name and company.")

    def clean(self) -> dict[str, Any] | None:
        """Refuse to let go what is not the actor's."""
        data = super().clean() or self.cleaned_data
        if self.errors:
            return data
        if not may_let_go(self.actor, self.lost):
            self.add_error("stays", ValidationError(NOT_YOURS, code="not-yours"))
        return data

    @property
    def lost(self) -> Lead:
        """The one that is merged into the other."""
        other: Lead = self.cleaned_data["other"]
        return other if self.cleaned_data["stays"] == self.THIS else self.lead

    @property
    def kept(self) -> Lead:
        """The one that stays."""
        other: Lead = self.cleaned_data["other"]
        return self.lead if self.cleaned_data["stays"] == self.THIS else other


class ConvertForm(PortalForm):
    """Into which account a lead is converted: one that is known, or a new one."""

    account = AccountField(
        label=_("Account"),
        required=False,
        help_text=_("Choose a known account, or leave it empty and name a new one."),
    )
    account_name = forms.CharField(label=_("New account"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        cast(AccountField, self.fields["account"]).actor = actor

    def clean(self) -> dict[str, Any] | None:
        """Refuse both at once, and neither."""
        data = super().clean() or self.cleaned_data
        account: Account | None = data.get("account")
        if account is not None and data.get("account_name"):
            self.add_error("account_name", ValidationError(_("Either a known account or a new one."), code="both"))
        elif account is None and not data.get("account_name") and not self.errors:
            self.add_error("account_name", ValidationError(_("Name the new account."), code="nothing"))
        return data


class SpicedForm(PortalForm):
    """SPICED of a lead or a deal: five texts, and the day of the critical event. `seen_at` is when the words were saved."""

    situation = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    pain = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    impact = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    critical_event = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    critical_event_on = DateField(label=_("Day of the critical event"), required=False)
    decision = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    seen_at = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in COMPONENTS:
            self.fields[name].label, self.fields[name].help_text = LABELS[name], ASKS[name]

    def clean_seen_at(self) -> datetime | None:
        """The moment, as the form wrote it."""
        return seen_moment(self.cleaned_data["seen_at"])

    @property
    def facts(self) -> dict[str, Any]:
        """The words and the day."""
        return {name: value for name, value in self.values.items() if name != "seen_at"}


def spiced_initial(row: Spiced | None) -> dict[str, Any]:
    """What the form starts with."""
    if row is None:
        return {}
    names = (*COMPONENTS, "critical_event_on")
    return {name: getattr(row, name) for name in names} | {"seen_at": row.updated_at.isoformat()}


class LeadBulkForm(_WithReason):
    """What is to become of many leads. What is left empty stays as it is."""

    reason_field = "disqualified_because"
    field_order = ("status", "reason", "disqualified_because")
    status = forms.ChoiceField(label=_("Status"), required=False, choices=[("", _("As it is")), *_STATUSES])
    disqualified_because = forms.CharField(
        label=_("Reason"), max_length=200, required=False, help_text=_("Needed to disqualify leads.")
    )
    origin = forms.ChoiceField(label=_("Origin"), required=False, choices=[("", _("As it is")), *LeadOrigin.choices])
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("As it is")
    )
    campaign = forms.CharField(label=_("Campaign"), max_length=80, required=False)
    clear = forms.MultipleChoiceField(
        label=_("Empty these"),
        required=False,
        choices=[("segment", _("Segment")), ("campaign", _("Campaign"))],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, segment=Segment.objects.all())

    def clean(self) -> dict[str, Any] | None:
        """Refuse to set and to empty the same field, and to change nothing."""
        data = super().clean() or self.cleaned_data
        for name in data.get("clear", []):
            if data.get(name):
                self.add_error(name, ValidationError(_("Either set it or empty it."), code="both"))
        if not self.errors and self.changes == LeadChanges():
            self.add_error(None, ValidationError(_("Choose at least one thing to change."), code="nothing"))
        return data

    @property
    def changes(self) -> LeadChanges:
        """The changes for the service."""
        data, given = self.cleaned_data, {}
        for name, empty in (("status", None), ("origin", None), ("segment", None), ("campaign", "")):
            if data.get(name):
                given[name] = data[name]
            elif name in data.get("clear", []):
                given[name] = empty
        if data.get("disqualified_because"):
            given["disqualified_because"] = data["disqualified_because"]
        return LeadChanges(**given)


def lead_initial(lead: Lead) -> dict[str, Any]:
    """What the form of a lead starts with."""
    names = [name for name in LeadForm.base_fields if name not in {"seen_at", "segment"}]
    return {name: getattr(lead, name) for name in names} | {
        "segment": lead.segment_id,
        "seen_at": lead.updated_at.isoformat(),
    }
