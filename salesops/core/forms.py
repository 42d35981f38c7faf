"""Forms of the portal: amounts in major units kept as minor units, a key against double posts, errors tied to fields."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from salesops.core.actor import Actor
from salesops.core.money_inputs import parse_money
from salesops.values.money import MoneyError, check_currency, plain, to_minor


class MoneyField(forms.CharField):
    """An amount typed in major units ("1,234.50"); `cleaned_data` holds minor units, an int.

    The currency is that of the form's field `currency_field`, else of the instance, else the company's.
    """

    def __init__(
        self,
        *,
        currency_field: str = "currency",
        least_minor: int | None = None,
        most_minor: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault(
            "widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "input-money"})
        )
        kwargs.setdefault("max_length", 40)
        super().__init__(**kwargs)
        self.currency_field, self.least_minor, self.most_minor = currency_field, least_minor, most_minor

    def clean(self, value: Any) -> Any:
        """To an exact Decimal in major units; the form makes minor units of it. Raises ValidationError."""
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_money(text)
        except MoneyError as error:
            raise ValidationError(
                _("“%(text)s” is not an amount. Write it like 1,234.50."), params={"text": text}
            ) from error

    def minor(self, amount: Decimal, currency: str) -> int:
        """Minor units, within the bounds. Raises ValidationError."""
        try:
            minor = to_minor(amount, currency)
        except MoneyError as error:
            raise ValidationError(
                _("%(amount)s is not an amount in %(currency)s: it has too many decimals or digits."),
                params={"amount": amount, "currency": currency},
            ) from error
        if self.least_minor is not None and minor < self.least_minor:
            raise ValidationError(_("At least %(amount)s."), params={"amount": plain(self.least_minor, currency)})
        if self.most_minor is not None and minor > self.most_minor:
            raise ValidationError(_("At most %(amount)s."), params={"amount": plain(self.most_minor, currency)})
        return minor

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the amount differs; "12.3" and "12.30" do not."""
        if self.disabled:
            return False
        try:
            return (parse_money(str(initial)) if initial not in (None, "") else None) != (
                parse_money(data) if data not in (None, "") else None
            )
        except MoneyError:
            return True


class DateField(forms.DateField):
    """A day, chosen with the browser's own calendar."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", DateInput())
        super().__init__(**kwargs)


class DateInput(forms.DateInput):
    """The browser's calendar, in the form it wants: ISO."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class ShareField(forms.DecimalField):
    """A percentage typed as such ("12.5"); `cleaned_data` holds basis points, an int. Two decimals at most."""

    def __init__(self, *, most_bp: int = 10_000, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "input-share"})
        )
        super().__init__(min_value=0, max_value=Decimal(most_bp) / 100, max_digits=7, decimal_places=2, **kwargs)

    def clean(self, value: Any) -> Any:
        """To basis points."""
        number = super().clean(value)
        return None if number is None else int(number * 100)

    def prepare_value(self, value: Any) -> Any:
        """From basis points when it comes from a row; what was typed stays as typed."""
        return format((Decimal(value) / 100).normalize(), "f") if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the share differs; "12.5" and "12.50" do not."""
        return super().has_changed(self.prepare_value(initial), data)


class PortalFormMixin:
    """What plain forms and model forms share. The view gives the actor; choices come from selectors through it."""

    actor: Actor

    def __init__(self, *args: Any, actor: Actor, form_key: str = "", **kwargs: Any) -> None:
        self.actor = actor
        super().__init__(*args, **kwargs)
        form = self._form
        form.label_suffix = ""
        form.fields["form_key"] = forms.UUIDField(required=False, widget=forms.HiddenInput)
        form.initial.setdefault("form_key", form_key or str(uuid.uuid4()))
        for name, field in form.fields.items():
            if isinstance(field, MoneyField) and isinstance(form.initial.get(name), int):
                form.initial[name] = plain(form.initial[name], self.currency_for(field))
            elif isinstance(field, forms.DateField) and type(field.widget) is forms.DateInput:
                field.widget = DateInput(field.widget.attrs)

    @property
    def _form(self) -> Any:
        return self

    def currency_for(self, field: MoneyField) -> str:
        """The currency in which a money field is typed."""
        form = self._form
        instance = getattr(form, "instance", None)
        given = [
            getattr(form, "cleaned_data", {}).get(field.currency_field),
            getattr(instance, field.currency_field, None),
            form.initial.get(field.currency_field),
        ]
        for each in given:
            if each:
                try:
                    return check_currency(str(each))
                except MoneyError:
                    continue
        return settings.COMPANY_CURRENCY

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]  # mixed into Django's forms
        form = self._form
        for name, field in form.fields.items():
            amount = form.cleaned_data.get(name)
            if isinstance(field, MoneyField) and isinstance(amount, Decimal):
                try:
                    form.cleaned_data[name] = field.minor(amount, self.currency_for(field))
                except ValidationError as error:
                    form.add_error(name, error)

    @property
    def key(self) -> uuid.UUID | None:
        """The form's key, against double posts."""
        return self._form.cleaned_data.get("form_key")

    @property
    def values(self) -> dict[str, Any]:
        """What was given, without the form's key: the keyword arguments of a service."""
        return {name: value for name, value in self._form.cleaned_data.items() if name != "form_key"}


class PortalForm(PortalFormMixin, forms.Form):
    """A form without a model."""


class PortalModelForm(PortalFormMixin, forms.ModelForm):
    """A form of a model's fields. It never saves: the view hands `values` to a service."""
