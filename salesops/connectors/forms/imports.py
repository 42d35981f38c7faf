"""Forms of imports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.connectors.models import Source
from salesops.connectors.rules.encodings import ENCODINGS
from salesops.connectors.rules.fields import ANY_KEY, CREATABLE, KINDS, LOOKUP_KEYS, Field, FieldType
from salesops.connectors.rules.mapping import FieldRule, Mapping, Unknown
from salesops.connectors.services.uploads import too_large_text
from salesops.core.forms import PortalForm


class UploadForm(PortalForm):
    """A file, and where it comes from."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "CSV or XLSX; commas, semicolons and tabs are all understood. Nothing is written until you have seen what would happen."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
    )
    source = forms.ModelChoiceField(
        label=gettext_lazy("Where it comes from"),
        queryset=Source.objects.none(),
        required=False,
        empty_label=gettext_lazy("a new source…"),
        help_text=gettext_lazy(
            "Ids in the file are kept together with their source, so the same file again changes nothing."
        ),
    )
    new_source = forms.CharField(label=gettext_lazy("Name of the new source"), max_length=80, required=False)

    def __init__(self, *args: Any, is_too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_too_large:
            self.fields["file"].error_messages["required"] = too_large_text()
        self.fields["source"].queryset = Source.objects.filter(is_active=True)  # type: ignore[attr-defined]  # a ModelChoiceField

    def clean(self) -> dict[str, Any]:
        """One source, chosen or named."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not data.get("source") and not (data.get("new_source") or "").strip():
            self.add_error("source", _("Choose a source, or name a new one."))
        return data


class ReadingForm(PortalForm):
    """How the file is read, where the guess was wrong."""

    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding"),
        required=False,
        choices=(("", gettext_lazy("found out")), *ENCODINGS.items()),
    )
    delimiter = forms.ChoiceField(
        label=gettext_lazy("Separator"),
        required=False,
        choices=(
            ("", gettext_lazy("found out")),
            (",", gettext_lazy("comma")),
            (";", gettext_lazy("semicolon")),
            ("\t", gettext_lazy("tab")),
            ("|", gettext_lazy("bar")),
        ),
    )
    sheet = forms.CharField(label=gettext_lazy("Sheet"), required=False, max_length=100)
    header_line = forms.IntegerField(
        label=gettext_lazy("Line of the headers"), required=False, min_value=0, max_value=1000
    )


class MendForm(PortalForm):
    """The cells of a shelved row, one field for each column."""

    def __init__(self, *args: Any, headers: list[str], cells: list[str], wrong: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = []
        for place, header in enumerate(headers):
            name = f"cell{place}"
            self.names.append(name)
            self.fields[name] = forms.CharField(
                label=header,
                required=False,
                strip=False,
                initial=cells[place] if place < len(cells) else "",
                max_length=32_767,
                help_text=format_html('<span class="cell-bad">{}</span>', wrong[header]) if header in wrong else "",
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )
        self.order_fields([*self.names, "form_key"])

    @property
    def cells(self) -> list[str]:
        """The cells in the order of the columns."""
        return [str(self.cleaned_data[name]) for name in self.names]


def mapping_from(posted: QueryDict, mapping: Mapping) -> Mapping:
    """The mapping as chosen on the page: for each field a column, a constant or nothing; settings are kept.

    Raises ValidationError for a constant that the field cannot hold.
    """
    kind = KINDS[mapping.kind]
    for field in kind.fields:
        if f"column-{field.code}" not in posted:
            continue
        column, constant = str(posted[f"column-{field.code}"]), posted.get(f"constant-{field.code}", "").strip()
        old = mapping.rule(field.code)
        if column == "" and not constant:
            if old is None or old.template is None:
                mapping = mapping.without(field.code)
            continue
        if column == "template" and old is not None:
            rule = old
        elif column:
            rule = old if old is not None and old.column == column else FieldRule(field.code, column=column)
            if old is not None and rule is not old:
                rule = replace(rule, currency=old.currency, lookup_by=old.lookup_by, on_unknown=old.on_unknown)
        else:
            rule = FieldRule(field.code, constant=constant)
        mapping = mapping.with_rule(with_settings(rule, field, posted))
    checked = Mapping.from_plain(mapping.as_plain())
    if checked.value is None:
        raise ValidationError([f"{problem.where}: {problem.text(_)}" for problem in checked.problems])
    return checked.value


def with_settings(rule: FieldRule, field: Field, posted: QueryDict) -> FieldRule:
    """How a lookup finds its record, what happens to unknown names, units, shifts, as posted."""
    if field.type is FieldType.LOOKUP and field.lookup is not None:
        by = posted.get(f"by-{field.code}", rule.lookup_by)
        unknown = posted.get(f"unknown-{field.code}", rule.on_unknown.value)
        if by in (ANY_KEY, *LOOKUP_KEYS[field.lookup]):
            rule = replace(rule, lookup_by=by)
        if unknown in set(Unknown) and (unknown != Unknown.CREATE or field.lookup in CREATABLE):
            rule = replace(rule, on_unknown=Unknown(unknown))
    plain = rule.as_plain()
    for setting in ("multiplier", "shift_months", "snap", "currency", "period_kind"):
        value = posted.get(f"{setting}-{field.code}")
        if value is not None:
            if value.strip() == "":
                plain.pop(setting, None)
            else:
                plain[setting] = (
                    int(value) if setting == "shift_months" and value.lstrip("-").isdecimal() else value.strip()
                )
    read = Mapping.from_plain({"version": 1, "kind": posted.get("kind", ""), "rules": [plain]})
    if read.value is None:
        raise ValidationError([f"{field.label}: {problem.text(_)}" for problem in read.problems])
    return read.value.rules[0]
