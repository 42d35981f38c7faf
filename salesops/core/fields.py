"""Fields that keep exact values on every database."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

#: No number further from zero, or nearer to it, than this many digits: 1E+999999999 would fill the memory.
_MOST_DIGITS: Final = 60


class ExactDecimalField(models.CharField):
    """An exact decimal kept as text: rates, weights, exchange rates. SQLite would keep a DecimalField as a float.

    Values are canonical plain decimals (no exponent, no needless zeros), so equal numbers are equal text. Not for
    ordering or arithmetic in SQL; money is integer minor units instead.
    """

    # For the type checker: what may be assigned, and what comes back.
    _pyi_private_set_type: Decimal | int | str  # type: ignore[assignment]  # CharField promises text
    _pyi_private_get_type: Decimal  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 40)
        super().__init__(*args, **kwargs)
        # CharField measures text; the value is a number here, measured by to_python.
        self.validators = [each for each in self.validators if not isinstance(each, MaxLengthValidator)]

    @staticmethod
    def canonical(value: Decimal | int | str) -> str:
        """Write a number the one way it is stored; raises ValueError for what is not a finite number."""
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation as error:
            raise ValueError(f"{value!r} is not a number") from error
        if not number.is_finite():
            raise ValueError(f"{value!r} is not a finite number")
        if number and abs(number.adjusted()) > _MOST_DIGITS:
            raise ValueError(f"{value!r} has more digits than can be kept")
        # Not normalize(), which rounds to the 28 digits of the context.
        text = format(number, "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return "0" if text in {"-0", ""} else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Decimal | None:
        """Text to Decimal; empty is nothing."""
        return Decimal(value) if value not in (None, "") else None

    def to_python(self, value: Any) -> Decimal | None:
        """Anything a form or a fixture gives to Decimal."""
        if value is None or value == "":
            return None
        try:
            text = self.canonical(value)
        except ValueError as error:
            raise ValidationError(_("“%(value)s” is not a number."), params={"value": value}) from error
        if self.max_length is not None and len(text) > self.max_length:
            raise ValidationError(_("“%(value)s” has too many digits."), params={"value": text[:40]})
        return Decimal(text)

    def get_prep_value(self, value: Any) -> str | None:
        """Decimal to canonical text."""
        if value is None or value == "":
            return None if self.null else ""
        if isinstance(value, float):
            raise TypeError("give a Decimal or text, not a float: a float is not exact")
        return self.canonical(value)

    def value_to_string(self, obj: models.Model) -> str:
        """For serialisation."""
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        """A plain decimal input."""
        return models.Field.formfield(self, **{"form_class": forms.DecimalField, **kwargs})
