"""What every page of the admin site shares, and the admin pages of core's own rows.

Saving here records an audit entry as any service does, amounts are typed and shown in major units, what the database
refuses is shown in the form, and rows of money or history cannot be changed at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.admin import TabularInline as UnfoldTabularInline
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from salesops.core import display, features, rates, records
from salesops.core.actor import NOBODY, Actor, Role
from salesops.core.fields import ExactDecimalField
from salesops.core.forms import MoneyField, PortalModelForm
from salesops.core.models import ExchangeRate, FeatureSwitch, SavedView
from salesops.values.money import MoneyError, check_currency

#: What Django says of a broken constraint that has no words of its own.
_CONSTRAINT = re.compile(r"“([a-z0-9_]+)”")
#: A file of exchange rates is refused above this many bytes.
_MOST_BYTES = 20 * 1024 * 1024


def actor_of(request: HttpRequest) -> Actor:
    """Who asks."""
    actor: Actor = getattr(request, "actor", NOBODY)
    return actor


def is_administrator(request: HttpRequest) -> bool:
    """Whether the asker is an administrator at this moment."""
    actor = actor_of(request)
    return actor.user_id is not None and actor.has(Role.ADMIN)


def in_words(error: IntegrityError) -> str:
    """What the database refused, for a person."""
    text = str(error).lower()
    if "overlap" in text:
        return _("There is already a row like this for some of these days. End that one first, or choose other days.")
    if "append-only" in text:
        return _("Rows like this are never changed or deleted; they are corrected by new ones.")
    if "foreign key" in text:
        return _("Other rows need this one, so it stays.")
    if "unique" in text or "duplicate" in text:
        return _("There is already a row with these values.")
    return _("The database refuses this: it does not go together with what is kept already.")


def money(minor: str, currency: str = "currency", *, label: Any = "") -> Callable[[Any, Any], str]:
    """A column for `list_display` or `readonly_fields` that shows minor units as money: `money("amount_minor")`.

    `currency` may be a dotted path to the row that names it.
    """

    @admin.display(description=label or gettext_lazy("amount"), ordering=minor)
    def shown(self: Any, row: Any) -> str:
        value = getattr(row, minor)
        try:
            return display.money(value, check_currency(str(attrgetter(currency)(row))))
        except MoneyError:
            return display.NOTHING if value is None else str(value)

    return shown


class PortalAdminForm(PortalModelForm):
    """A form of the admin site: amounts in major units, and what a service or the database refused as an error."""

    refusal: ClassVar[ValidationError | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("actor", NOBODY)
        super().__init__(*args, **kwargs)
        self.fields.pop("form_key", None)

    def _update_errors(self, errors: ValidationError) -> None:
        """Put the names of broken constraints into a sentence."""
        for error in (each for group in getattr(errors, "error_dict", {}).values() for each in group):
            found = _CONSTRAINT.search(
                str(error.message % (error.params or {})) if error.params else str(error.message)
            )
            if found:
                error.message = _("These values do not go together (%(rule)s).")
                error.params = {"rule": found[1]}
        super()._update_errors(errors)  # type: ignore[misc]  # not in the stubs

    def clean(self) -> dict[str, Any]:
        """Show the refusal of the first try, at its field where it names one."""
        values: dict[str, Any] = super().clean() or {}
        if self.refusal is not None:
            parts = self.refusal.error_dict if hasattr(self.refusal, "error_dict") else {"__all__": [self.refusal]}
            for name, errors in parts.items():
                self.add_error(name if name in self.fields else None, list(errors))
        return values


class BoundedPaginator(Paginator):
    """Counts no further than a person would page."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        """At most `most`."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most].count())


class PortalAdmin(ModelAdmin):
    """The base of all admin pages. By default rows may be added and changed, and are never deleted.

    `portal_page` names the page of the portal that shows a row. `is_read_only` shows rows and nothing else.
    `may_delete` is for rows that nobody counts on.
    """

    form = PortalAdminForm
    is_read_only: ClassVar[bool] = False
    may_add: ClassVar[bool] = True
    may_delete: ClassVar[bool] = False
    portal_page: ClassVar[str] = ""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    object_history_template = "admin/portal_history.html"
    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True

    # --- Who may ----------------------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Administrators."""
        return is_administrator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators."""
        return is_administrator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Administrators, where rows are made here."""
        return is_administrator(request) and self.may_add and not self.is_read_only

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators, where rows may be changed."""
        return is_administrator(request) and not self.is_read_only

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators, where nobody counts on the rows."""
        return is_administrator(request) and self.may_delete and not self.is_read_only

    # --- Fields -----------------------------------------------------------------------------------------------------

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """Amounts in major units; exact decimals as plain text."""
        if db_field.name.endswith("_minor"):
            return MoneyField(
                label=db_field.verbose_name,
                required=not db_field.blank,
                help_text=db_field.help_text,
                widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
        if isinstance(db_field, ExactDecimalField):
            kwargs["widget"] = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """On a second try, the form knows why the first was refused."""
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "_refusal", None)
        return type(form.__name__, (form,), {"refusal": refusal}) if refusal is not None else form

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """The row's page in the portal."""
        if obj is None or not self.portal_page:
            return None
        try:
            return reverse(self.portal_page, kwargs={"pk": obj.pk})
        except NoReverseMatch:
            return None

    # --- Saving -----------------------------------------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Save in one transaction; what is refused below the form comes back as the form's error, with all that was typed."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError as error:
            refusal = ValidationError(in_words(error))
        except ValidationError as error:
            refusal = error
        request._refusal = refusal  # type: ignore[attr-defined]  # for get_form, on the second try
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What the database refuses to delete stays, and the person is told why."""
        try:
            with transaction.atomic():
                return super().delete_view(request, object_id, extra_context)
        except IntegrityError as error:
            messages.error(request, in_words(error))
            return HttpResponseRedirect(request.path.removesuffix("delete/") + "change/")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save and record."""
        before = _state(type(obj)._base_manager.get(pk=obj.pk)) if change else {}
        self.write(request, obj, form, change)
        after = _state(obj)
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if changed or not change:
            records.record(
                actor=actor_of(request),
                action=f"{obj._meta.model_name}.{'edited' if change else 'added'}",
                subject=obj,
                before={name: before[name] for name in changed if name in before},
                after={name: after[name] for name in changed},
                at=request.now,  # type: ignore[attr-defined]  # set by the middleware
            )

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write the row; a room whose rows have more to them than their columns calls its service instead."""
        obj.save()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Where other rows need this one, name them, instead of asking for the right to delete them too."""
        to_delete, counts, needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set() if protected else needed, protected

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete and record."""
        before = _state(obj)
        pk = obj.pk
        obj.delete()
        obj.pk = pk
        records.record(
            actor=actor_of(request),
            action=f"{obj._meta.model_name}.deleted",
            subject=obj,
            before=before,
            at=request.now,  # type: ignore[attr-defined]
        )
        obj.pk = None

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """One by one, so that each is recorded."""
        for row in queryset:
            self.delete_model(request, row)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Rows inside a row's page are recorded too."""
        kept = {
            each.instance.pk: _state(type(each.instance)._base_manager.get(pk=each.instance.pk))
            for each in formset.initial_forms
            if each.instance.pk
        }
        super().save_formset(request, form, formset, change)
        actor, now = actor_of(request), request.now  # type: ignore[attr-defined]
        for row in formset.new_objects:
            action = f"{row._meta.model_name}.added"
            records.record(actor=actor, action=action, subject=row, after=_state(row), at=now)
        for row, _names in formset.changed_objects:
            before, after = kept[row.pk], _state(row)
            names = [name for name in after if before.get(name) != after[name]]
            records.record(
                actor=actor,
                action=f"{row._meta.model_name}.edited",
                subject=row,
                before={name: before.get(name) for name in names},
                after={name: after[name] for name in names},
                at=now,
            )
        for row in formset.deleted_objects:
            action = f"{row._meta.model_name}.deleted"
            records.record(actor=actor, action=action, subject=form.instance, before=_state(row), at=now)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit has it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit has it."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The audit has it."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What the audit knows of the row."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("History: %(row)s") % {"row": obj},
            "opts": self.opts,
            "object": obj,
            "entries": list(records.history_of(actor_of(request), obj)[:200]),
            "preserved_filters": self.get_preserved_filters(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)


class PortalInline(UnfoldTabularInline):
    """Rows shown inside another row's page."""

    form = PortalAdminForm
    extra = 0
    is_read_only: ClassVar[bool] = False
    may_delete: ClassVar[bool] = False
    show_change_link = False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Each input says which column it is in: the rows of a table have no labels."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            getattr(field.widget, "widget", field.widget).attrs.setdefault("aria-label", str(field.label or ""))
        return field

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators."""
        return is_administrator(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators, where rows may be changed."""
        return is_administrator(request) and not self.is_read_only

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators, where rows may be changed."""
        return is_administrator(request) and not self.is_read_only

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators, where nobody counts on the rows."""
        return is_administrator(request) and self.may_delete and not self.is_read_only


class ReadOnlyAdmin(PortalAdmin):
    """Rows that are looked at here and changed, if at all, in the portal."""

    is_read_only = True


def _state(row: models.Model) -> dict[str, Any]:
    """What a row holds, by column, but for its key and a password."""
    return {
        field.name: field.value_from_object(row)
        for field in row._meta.concrete_fields
        if not field.primary_key and field.name != "password"
    }


# --- Core's own rows ------------------------------------------------------------------------------------------------


@admin.register(FeatureSwitch)
class FeatureSwitchAdmin(PortalAdmin):
    """Parts of the portal that can be turned off: those that the code declares, with what each does."""

    list_display = ("shown_title", "is_on", "shown_description")
    list_filter = ("is_on",)
    search_fields = ("label", "code", "description")
    may_add = False
    fields = ("shown_title", "shown_description", "is_on")
    readonly_fields = ("shown_title", "shown_description")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[FeatureSwitch]:
        """Only what something reads."""
        return super().get_queryset(request).filter(code__in=[feature.code for feature in features.declared()])

    @admin.display(description=gettext_lazy("feature"), ordering="label")
    def shown_title(self, row: FeatureSwitch) -> str:
        """The part's name in the reader's language."""
        return str(row)

    @admin.display(description=gettext_lazy("what it does"))
    def shown_description(self, row: FeatureSwitch) -> str:
        """What happens when it is off, in the reader's language."""
        return _(row.description)


@admin.register(SavedView)
class SavedViewAdmin(PortalAdmin):
    """Views of lists that people saved; shared ones may need tidying up."""

    list_display = ("name", "page", "is_shared", "owner_id")
    list_filter = ("is_shared", "page")
    search_fields = ("name", "page")
    may_add = False
    may_delete = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """Whose it is stays."""
        return ("owner_id", "page")


class RatesForm(forms.Form):
    """A table of exchange rates to take over."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy(
            "CSV: a column of days, then a column for each currency, as the European Central Bank has it."
        ),
    )
    base = forms.CharField(
        label=gettext_lazy("Quoted against"),
        initial="EUR",
        min_length=3,
        max_length=3,
        widget=UnfoldAdminTextInputWidget,
    )
    replace = forms.BooleanField(
        label=gettext_lazy("Replace rates that are kept with another value"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=gettext_lazy("What was calculated with them keeps the rate it was calculated with."),
    )

    def clean_base(self) -> str:
        """A currency."""
        try:
            return check_currency(self.cleaned_data["base"].upper())
        except MoneyError as error:
            raise ValidationError(_("That is not a currency code such as EUR.")) from error

    def clean_file(self) -> Any:
        """Not larger than any such table."""
        file = self.cleaned_data["file"]
        if file.size > _MOST_BYTES:
            raise ValidationError(_("The file is larger than any table of rates."))
        return file


class ExchangeRateForm(PortalAdminForm):
    """A rate entered by hand."""

    class Meta:
        model = ExchangeRate
        fields = ("on", "base", "quote", "rate")

    def clean(self) -> dict[str, Any]:
        """Two currencies, a rate above zero."""
        values = super().clean()
        for name in ("base", "quote"):
            if values.get(name):
                values[name] = values[name].upper()
        if values.get("base") and values.get("base") == values.get("quote"):
            self.add_error("quote", _("A rate needs two currencies."))
        if isinstance(values.get("rate"), Decimal) and values["rate"] <= 0:
            self.add_error("rate", _("A rate of exchange is above zero."))
        return values


@admin.register(ExchangeRate)
class ExchangeRateAdmin(PortalAdmin):
    """Rates of exchange: taken over from a file, or entered by hand. Published rates are not edited."""

    form = ExchangeRateForm
    list_display = ("on", "base", "quote", "rate", "source")
    list_filter = ("source", "base", "quote")
    search_fields = ("base", "quote")
    date_hierarchy = "on"
    change_list_template = "admin/rates_list.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only what was entered by hand."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.source == ExchangeRate.MANUAL)

    def get_urls(self) -> list[URLPattern]:
        """The page for a file, before the others."""
        upload = self.admin_site.admin_view(self.upload_view)
        return [path("upload/", upload, name="core_exchangerate_upload"), *super().get_urls()]

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take over a file; then say what was done and what was left out."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RatesForm(request.POST or None, request.FILES or None)
        result = None
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                result = rates.import_rates(
                    actor=actor_of(request),
                    content=file.read(),
                    name=file.name,
                    at=request.now,  # type: ignore[attr-defined]
                    base=form.cleaned_data["base"],
                    replace=form.cleaned_data["replace"],
                )
            except ValidationError as error:
                form.add_error("file", [_(message) for message in error.messages])
        problems = [(problem.where, problem.text(_)) for problem in result.problems] if result else []
        context = {
            **self.admin_site.each_context(request),
            "title": _("Take over exchange rates"),
            "opts": self.opts,
            "form": form,
            "result": result,
            "problems": problems,
        }
        return render(request, "admin/rates_upload.html", context, status=422 if form.errors else 200)
