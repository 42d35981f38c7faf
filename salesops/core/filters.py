"""Filters of list pages: one parameter each, a chip for each that is set, never a DISTINCT, always within the actor's sight."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

import django_filters
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import display
from salesops.core.money_inputs import parse_money
from salesops.values.money import MoneyError, to_minor

#: How many related rows a search may find before it is looked for by subquery instead of by their keys.
_MOST_KEYS = 500


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter, in words, with the query string of the page without it."""

    name: str
    label: str
    text: str
    without: str


class OneOfFilter(django_filters.MultipleChoiceFilter):
    """Any of some fixed choices: `OneOfFilter(choices=StageKind.choices)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.CheckboxSelectMultiple)
        kwargs["distinct"] = False
        super().__init__(*args, **kwargs)

    def filter(self, qs: QuerySet[Any], value: Sequence[str]) -> QuerySet[Any]:
        """Rows with one of the values."""
        return qs.filter(**{f"{self.field_name}__in": list(value)}) if value else qs

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [name]

    def describe(self, value: Sequence[str]) -> str:
        """The chosen labels."""
        labels = {str(key): str(label) for key, label in self.extra["choices"]}
        return _joined([labels.get(str(each), str(each)) for each in value])


class RowsFilter(django_filters.ModelMultipleChoiceFilter):
    """Any of some rows of a small table: `RowsFilter(queryset=lambda request: pods_for(request.actor))`.

    With `none_label` rows without a value can be asked for too. For tables of more than a few hundred rows use a search.
    """

    NONE = "none"

    def __init__(self, *args: Any, none_label: Any = "", **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.CheckboxSelectMultiple)
        kwargs["distinct"] = False
        if none_label:
            kwargs["null_label"], kwargs["null_value"] = none_label, self.NONE
        super().__init__(*args, **kwargs)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Rows pointing to one of the chosen."""
        if not value:
            return qs
        keys = [each.pk for each in value if isinstance(each, Model)]
        condition = Q(**{f"{self.field_name}__in": keys}) if keys else Q()
        if any(not isinstance(each, Model) for each in value):
            condition |= Q(**{f"{self.field_name}__isnull": True})
        return qs.filter(condition)

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [name]

    def describe(self, value: Any) -> str:
        """The names of the chosen rows."""
        return _joined([str(each) if isinstance(each, Model) else str(self.extra["null_label"]) for each in value])


class SuffixedInputs(django_filters.widgets.SuffixedMultiWidget):
    """Several inputs under one label, each with a label of its own for screen readers."""

    template_name = "parts/inputs.html"
    use_fieldset = True


class _PeriodWidget(SuffixedInputs):
    suffixes = ["", "from", "until"]

    def __init__(self, choices: Sequence[tuple[str, Any]], attrs: dict[str, str] | None = None) -> None:
        super().__init__(
            [
                forms.Select(choices=choices, attrs={"aria-label": gettext_lazy("Period"), "data-period": ""}),
                forms.DateInput(attrs={"type": "date", "aria-label": gettext_lazy("From")}, format="%Y-%m-%d"),
                forms.DateInput(attrs={"type": "date", "aria-label": gettext_lazy("Until")}, format="%Y-%m-%d"),
            ],
            attrs,
        )

    def decompress(self, value: Any) -> list[Any]:
        """From the three values to the three inputs."""
        return list(value) if value else [None, None, None]


PERIODS: Sequence[tuple[str, Any]] = (
    ("", gettext_lazy("Any time")),
    ("today", gettext_lazy("Today")),
    ("this_week", gettext_lazy("This week")),
    ("this_month", gettext_lazy("This month")),
    ("last_month", gettext_lazy("Last month")),
    ("next_month", gettext_lazy("Next month")),
    ("this_quarter", gettext_lazy("This quarter")),
    ("last_quarter", gettext_lazy("Last quarter")),
    ("this_year", gettext_lazy("This year")),
    ("last_year", gettext_lazy("Last year")),
    ("last_30_days", gettext_lazy("Last 30 days")),
    ("next_30_days", gettext_lazy("Next 30 days")),
    ("before_today", gettext_lazy("Before today")),
    ("never", gettext_lazy("Not set")),
    ("between", gettext_lazy("Between days…")),
)


def period_days(code: str, today: date) -> tuple[date | None, date | None]:
    """The half-open range of days of a named period, seen from a day. An unknown name gives no bounds."""
    month = today.replace(day=1)
    quarter = today.replace(month=3 * ((today.month - 1) // 3) + 1, day=1)
    year = today.replace(month=1, day=1)
    week = today - timedelta(days=today.weekday())
    one = timedelta(days=1)
    ranges: dict[str, tuple[date | None, date | None]] = {
        "today": (today, today + one),
        "this_week": (week, week + timedelta(days=7)),
        "this_month": (month, _months_later(month, 1)),
        "last_month": (_months_later(month, -1), month),
        "next_month": (_months_later(month, 1), _months_later(month, 2)),
        "this_quarter": (quarter, _months_later(quarter, 3)),
        "last_quarter": (_months_later(quarter, -3), quarter),
        "this_year": (year, _months_later(year, 12)),
        "last_year": (_months_later(year, -12), year),
        "last_30_days": (today - timedelta(days=29), today + one),
        "next_30_days": (today, today + timedelta(days=30)),
        "before_today": (None, today),
    }
    return ranges.get(code, (None, None))


def _months_later(first: date, months: int) -> date:
    index = first.year * 12 + first.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))


class _PeriodField(forms.MultiValueField):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("fields", None)
        fields = (
            forms.ChoiceField(choices=PERIODS, required=False),
            forms.DateField(required=False),
            forms.DateField(required=False),
        )
        kwargs.setdefault("widget", _PeriodWidget(PERIODS))
        super().__init__(fields, *args, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Any]) -> tuple[str, date | None, date | None] | None:
        """Three inputs to one value; nothing when all are empty."""
        if not data_list or not any(data_list):
            return None
        code, start, end = data_list
        if code == "between":
            code = ""
            if not start and not end:
                return None
        if start and end and end < start:
            raise ValidationError(_("The end lies before the start."))
        return (code or "", start, end)


class PeriodFilter(django_filters.Filter):
    """Days in a named period ("this quarter", which moves with the calendar) or between two days, both included.

    On a date column as it is; on a moment (`is_moment=True`) by the reader's own days.
    """

    field_class = _PeriodField

    def __init__(self, *args: Any, is_moment: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_moment = is_moment

    def filter(self, qs: QuerySet[Any], value: tuple[str, date | None, date | None] | None) -> QuerySet[Any]:
        """Rows within the period and the bounds."""
        if not value:
            return qs
        code, start, until = value
        if code == "never":
            return qs.filter(**{f"{self.field_name}__isnull": True})
        request: Any = self.parent.request
        today = timezone.localtime(request.now).date()
        lower, upper = period_days(code, today)
        if start:
            lower = max(lower, start) if lower else start
        if until:
            end = until + timedelta(days=1) if until < date.max else until
            upper = min(upper, end) if upper else end
        if lower:
            qs = qs.filter(**{f"{self.field_name}__gte": self._bound(lower)})
        if upper:
            qs = qs.filter(**{f"{self.field_name}__lt": self._bound(upper)})
        return qs

    def _bound(self, day: date) -> Any:
        if not self.is_moment:
            return day
        return timezone.make_aware(timezone.datetime(day.year, day.month, day.day))  # type: ignore[attr-defined]

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [name, f"{name}_from", f"{name}_until"]

    def describe(self, value: tuple[str, date | None, date | None]) -> str:
        """The period in words."""
        code, start, until = value
        words = [str(dict(PERIODS)[code])] if code else []
        if start and until:
            words.append(_("%(start)s to %(end)s") % {"start": display.day(start), "end": display.day(until)})
        elif start:
            words.append(_("from %(day)s") % {"day": display.day(start)})
        elif until:
            words.append(_("until %(day)s") % {"day": display.day(until)})
        return ", ".join(words)


class _RangeWidget(SuffixedInputs):
    suffixes = ["min", "max"]

    def __init__(self, attrs: dict[str, str] | None = None) -> None:
        common = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(
            [
                forms.TextInput({**common, "placeholder": gettext_lazy("least"), "aria-label": gettext_lazy("Least")}),
                forms.TextInput({**common, "placeholder": gettext_lazy("most"), "aria-label": gettext_lazy("Most")}),
            ],
            attrs,
        )

    def decompress(self, value: Any) -> list[Any]:
        """From the two values to the two inputs."""
        return list(value) if value else [None, None]


class _RangeField(forms.MultiValueField):
    def __init__(self, *args: Any, convert: Callable[[str], int], **kwargs: Any) -> None:
        kwargs.setdefault("widget", _RangeWidget())
        self.convert = convert
        fields = (forms.CharField(required=False, max_length=40), forms.CharField(required=False, max_length=40))
        super().__init__(fields, *args, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[str]) -> tuple[int | None, int | None] | None:
        """Two texts to two whole numbers; nothing when both are empty."""
        if not data_list or not any(data_list):
            return None
        least, most = (self.convert(text) if text else None for text in data_list)
        if least is not None and most is not None and most < least:
            raise ValidationError(_("The most is less than the least."))
        return least, most


class NumberRangeFilter(django_filters.Filter):
    """A whole number between two bounds, both included."""

    field_class = _RangeField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["convert"] = self.convert
        super().__init__(*args, **kwargs)

    @staticmethod
    def convert(text: str) -> int:
        """What a person typed to what the column holds. Raises ValidationError."""
        try:
            value = int(text.replace(",", "").replace(" ", ""))
        except ValueError as error:
            raise ValidationError(_("“%(text)s” is not a whole number."), params={"text": text}) from error
        if abs(value) >= 2**63:
            raise ValidationError(_("“%(text)s” is too large."), params={"text": text})
        return value

    def filter(self, qs: QuerySet[Any], value: tuple[int | None, int | None] | None) -> QuerySet[Any]:
        """Rows within the bounds."""
        least, most = value or (None, None)
        if least is not None:
            qs = qs.filter(**{f"{self.field_name}__gte": least})
        if most is not None:
            qs = qs.filter(**{f"{self.field_name}__lte": most})
        return qs

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [f"{name}_min", f"{name}_max"]

    def words(self, value: int) -> str:
        """A bound for reading."""
        return display.number(value)

    def describe(self, value: tuple[int | None, int | None]) -> str:
        """The bounds in words."""
        least, most = value
        if least is not None and most is not None:
            return f"{self.words(least)} – {self.words(most)}"
        return f"≥ {self.words(least)}" if least is not None else f"≤ {self.words(most or 0)}"


class MoneyRangeFilter(NumberRangeFilter):
    """An amount between two bounds, typed in major units of the company's currency: "1,000.50"."""

    @staticmethod
    def convert(text: str) -> int:
        """Major units to minor units."""
        try:
            return to_minor(parse_money(text), settings.COMPANY_CURRENCY, is_rounded=True)
        except MoneyError as error:
            raise ValidationError(_("“%(text)s” is not an amount."), params={"text": text}) from error

    def words(self, value: int) -> str:
        """With the company's currency."""
        return display.money(value, settings.COMPANY_CURRENCY)


class YesNoFilter(django_filters.ChoiceFilter):
    """Yes, no, or both. `condition` says what yes means when it is not simply the field."""

    def __init__(self, *args: Any, condition: Q | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("choices", [("yes", gettext_lazy("Yes")), ("no", gettext_lazy("No"))])
        kwargs.setdefault("empty_label", gettext_lazy("Either"))
        super().__init__(*args, **kwargs)
        self.condition = condition

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Rows for which it is so, or not so."""
        if not value:
            return qs
        condition = self.condition if self.condition is not None else Q(**{self.field_name: True})
        return qs.filter(condition if value == "yes" else ~condition)

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [name]

    def describe(self, value: str) -> str:
        """Yes or no."""
        return str(dict(self.extra["choices"])[value])


class SearchFilter(django_filters.CharFilter):
    """The search box: every word must be found in one of the filter set's `search_fields`, whatever its case.

    A field of a related table ("account__name") is looked up there first, by key, so that each part of the condition can
    use its own index.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label", gettext_lazy("Search"))
        kwargs.setdefault("max_length", 100)
        super().__init__(*args, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Rows in which all words are found."""
        for word in (value or "").replace("\x00", "").split()[:6]:
            condition = Q(pk__in=[])
            for path in self.parent.search_fields:
                condition |= _contains(qs.model, path, word)
            qs = qs.filter(condition)
        return qs

    def parameters(self, name: str) -> list[str]:
        """The parameters of the address that belong to this filter."""
        return [name]

    def describe(self, value: str) -> str:
        """The words."""
        return f"“{value}”"


def _contains(model: type[Model], path: str, word: str) -> Q:
    foreign, _separator, field = path.partition("__")
    if not field:
        return Q(**{f"{path}__icontains": word})
    related: Any = model._meta.get_field(foreign).related_model
    keys = related._base_manager.filter(**{f"{field}__icontains": word}).order_by().values("pk")
    found = list(keys.values_list("pk", flat=True)[: _MOST_KEYS + 1])
    return Q(**{f"{foreign}__in": found if len(found) <= _MOST_KEYS else keys})


def _joined(labels: list[str]) -> str:
    if len(labels) > 3:
        return _("%(names)s and %(count)d more") % {"names": ", ".join(labels[:2]), "count": len(labels) - 2}
    return ", ".join(labels)


class PortalFilterSet(django_filters.FilterSet):
    """The filters of a list page. `search_fields` are what the search box looks in.

    Parameters that cannot be understood show a message at their field and no rows: never more rows than were asked for.
    """

    search_fields: ClassVar[Sequence[str]] = ()
    q = SearchFilter()

    def __init__(self, data: QueryDict, queryset: QuerySet[Any], *, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(data, queryset, request=request, **kwargs)
        if not self.search_fields:
            self.filters.pop("q", None)

    @property
    def rows(self) -> QuerySet[Any]:
        """The rows that match."""
        if not self.form.is_valid():
            return self.queryset.none()
        return self.qs

    @property
    def parameters(self) -> set[str]:
        """All parameters of the address that are filters."""
        return {each for name, filter_ in self.filters.items() for each in _parameters(name, filter_)}

    @property
    def is_active(self) -> bool:
        """Whether anything is filtered."""
        return any(self.data.get(name) not in (None, "") for name in self.parameters)

    @property
    def has_panel(self) -> bool:
        """Whether there are filters besides the search box."""
        return any(name != "q" for name in self.filters)

    @property
    def panel_fields(self) -> list[forms.BoundField]:
        """The fields of the filter panel, without the search box."""
        return [self.form[name] for name in self.form.fields if name != "q"]

    def chips(self) -> list[Chip]:
        """One chip for each filter that is set, the search included."""
        chips = []
        if not self.form.is_valid():
            return []
        for name, value in self.form.cleaned_data.items():
            filter_ = self.filters.get(name)
            if filter_ is None or value in (None, "", []) or (hasattr(value, "__len__") and not len(value)):
                continue
            without = self.data.copy()
            for parameter in [*_parameters(name, filter_), "page"]:
                without.pop(parameter, None)
            describe = getattr(filter_, "describe", str)
            chips.append(
                Chip(name=name, label=str(filter_.label), text=describe(value), without=f"?{without.urlencode()}")
            )
        return chips


def _parameters(name: str, filter_: Any) -> list[str]:
    known = getattr(filter_, "parameters", None)
    return known(name) if known else [name]
