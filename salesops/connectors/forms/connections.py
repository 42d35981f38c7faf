"""Forms of connections: what a vendor asks for, how a connection is kept, how an object's fields are filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.connectors.choices import Master
from salesops.connectors.forms.imports import with_settings
from salesops.connectors.models import Connection
from salesops.connectors.rules.fields import KINDS, Field
from salesops.connectors.rules.mapping import FieldRule, Mapping
from salesops.connectors.vendors.base import Setting
from salesops.core.forms import MoneyField, PortalForm

#: How many words of the source may be posted for one field.
_MOST_WORDS: Final = 300


class SecretInput(forms.PasswordInput):
    """A secret that is typed. What was typed is never sent back."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "new-password", "spellcheck": "false", **(attrs or {})}, render_value=False)


class LongSecretInput(forms.Textarea):
    """A secret of several lines, such as a private key. What was typed is never sent back."""

    def __init__(self) -> None:
        super().__init__({"rows": 6, "autocomplete": "off", "spellcheck": "false"})

    def format_value(self, value: Any) -> str:
        """Nothing, whatever was typed."""
        return ""


class VendorForm(PortalForm):
    """What a vendor asks for: a field for each of its settings. `kept` names the secrets that are there already."""

    source_name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        required=False,
        help_text=gettext_lazy("How the source is called here. Empty: the vendor's name."),
    )

    def __init__(self, *args: Any, asked: Sequence[Setting], kept: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = asked
        for each in asked:
            self.fields[each.name] = _field(each, is_kept=each.name in kept)
        self.order_fields(["source_name", *(each.name for each in asked), "form_key"])

    @property
    def options(self) -> dict[str, str]:
        """The settings that are no secrets."""
        return {
            each.name: str(self.cleaned_data.get(each.name) or "").strip() for each in self.asked if not each.is_secret
        }

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that were typed."""
        return {
            each.name: str(self.cleaned_data[each.name]).strip()
            for each in self.asked
            if each.is_secret and self.cleaned_data.get(each.name)
        }


class ConnectionForm(VendorForm):
    """The settings of a connection, how often it is synced, and how much may change in one go."""

    sync_every = forms.IntegerField(
        label=gettext_lazy("Minutes between syncs"),
        min_value=1,
        max_value=1440,
        help_text=gettext_lazy(
            "Where the vendor pushes its changes, they come at once; this is how often all is checked."
        ),
    )
    brake_deals = forms.IntegerField(
        label=gettext_lazy("Closed deals that may change in one go"),
        min_value=0,
        max_value=1_000_000,
        help_text=gettext_lazy("More than these wait for a person, because commission is counted from them."),
    )
    brake_minor = MoneyField(label=gettext_lazy("Money that may change in one go"), least_minor=0)

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        initial = {
            **connection.options,
            "source_name": connection.source.name,
            "sync_every": connection.sync_every,
            "brake_deals": connection.brake_deals,
            "brake_minor": connection.brake_minor,
            **kwargs.pop("initial", {}),
        }
        super().__init__(*args, initial=initial, **kwargs)
        self.fields["source_name"].required = True
        self.fields["source_name"].help_text = ""
        self.fields["brake_minor"].help_text = _("In %(currency)s.") % {"currency": settings.COMPANY_CURRENCY}
        self.order_fields(
            ["source_name", "sync_every", "brake_deals", "brake_minor", *(each.name for each in self.asked), "form_key"]
        )


class WebhookSecretForm(PortalForm):
    """A new shared secret for what the vendor pushes."""

    webhook_secret = forms.CharField(
        label=gettext_lazy("Secret"),
        max_length=500,
        widget=SecretInput,
        help_text=gettext_lazy("What was signed with the one before is taken for one more day."),
    )


class HoldForm(PortalForm):
    """Why what is held comes in or is turned away."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2, "maxlength": 300})
    )


def _field(asked: Setting, *, is_kept: bool) -> forms.Field:
    """The form field of a vendor's setting."""
    told: dict[str, Any] = {
        "label": _(asked.label),
        "help_text": _(asked.hint) if asked.hint else "",
        "required": asked.is_required and not asked.default and not is_kept,
    }
    if asked.choices:
        choices = [(value, _(label)) for value, label in asked.choices]
        return forms.ChoiceField(choices=choices, initial=asked.default or None, **told)
    if asked.is_secret:
        if is_kept:
            told["help_text"] = f"{told['help_text']} {_('Leave it empty to keep the one that is there.')}".strip()
        widget: forms.Widget = LongSecretInput() if asked.is_long else SecretInput()
        return forms.CharField(widget=widget, max_length=20_000, **told)
    if asked.is_long:
        return forms.CharField(widget=forms.Textarea(attrs={"rows": 5}), max_length=20_000, **told)
    return forms.CharField(
        initial=asked.default, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}), **told
    )


# --- How the fields of an object are filled


def stream_mapping_from(posted: QueryDict, mapping: Mapping) -> Mapping:
    """The mapping as it was chosen on the review page: for each field a column, a fixed value, a template or nothing.

    Raises ValidationError for what a field cannot hold.
    """
    problems: list[str] = []
    for field in KINDS[mapping.kind].fields:
        fill, text = posted.get(f"fill-{field.code}"), posted.get(f"text-{field.code}", "").strip()
        if fill is None:
            continue
        old = mapping.rule(field.code)
        if fill == "":
            mapping = mapping.without(field.code)
            continue
        if fill in ("constant", "template") and not text:
            problems.append(_("%(field)s: write what it is filled with.") % {"field": _(field.label)})
            continue
        try:
            mapping = mapping.with_rule(
                with_settings(_with_words(_rule(field, old, fill, text), field, posted), field, posted)
            )
        except ValidationError as error:
            problems += error.messages
    checked = Mapping.from_plain(mapping.as_plain())
    if checked.value is None:
        problems += [f"{problem.where}: {problem.text(_)}" for problem in checked.problems]
    if problems or checked.value is None:
        raise ValidationError(problems)
    return checked.value


def masters_from(posted: QueryDict, mapping: Mapping) -> dict[str, str]:
    """Who wins, field by field, of the fields that are filled."""
    found = {}
    for field in KINDS[mapping.kind].fields:
        master = posted.get(f"master-{field.code}", "")
        if master in Master.values and mapping.rule(field.code) is not None:
            found[field.code] = master
    return found


def _rule(field: Field, old: FieldRule | None, fill: str, text: str) -> FieldRule:
    """The rule that is meant; what was said about an unchanged column stays."""
    kept = old or FieldRule(field.code)
    if fill == "constant":
        return replace(kept, column=None, constant=text, template=None)
    if fill == "template":
        return replace(kept, column=None, constant=None, template=text)
    return replace(kept, column=fill.removeprefix("column:"), constant=None, template=None)


def _with_words(rule: FieldRule, field: Field, posted: QueryDict) -> FieldRule:
    """The words of the source and what they mean, as posted in pairs."""
    words, meanings = posted.getlist(f"word-{field.code}"), posted.getlist(f"means-{field.code}")
    if not words:
        return rule
    pairs = {word.strip(): code for word, code in zip(words, meanings, strict=False) if word.strip() and code}
    return replace(rule, choices=tuple(list(pairs.items())[:_MOST_WORDS]))
