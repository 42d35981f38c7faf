"""Pages with a form: make, change, confirm. One service call, once for each form key; nothing typed is ever lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.actor import Actor
from salesops.core.refusals import after_refusal
from salesops.core.services import post_once
from salesops.core.views.base import PortalView, redirect_for


def add_errors(form: Any, error: ValidationError) -> int:
    """Show a service's refusal in the form, each part at its field or at the top; returns the answer's status."""
    parts = error.error_dict.items() if hasattr(error, "error_dict") else [("__all__", error.error_list)]
    is_stale = False
    for name, errors in parts:
        for each in errors:
            form.add_error(name if name in form.fields else None, each)
            is_stale = is_stale or each.code == "stale"
    return 409 if is_stale else 422


class ScopedFormView(PortalView):
    """A page with a form that calls one service.

    `save(form)` calls the service and returns the row or the address to go to next. A ValidationError of the service is
    shown in the form, at its field where it names one; with the code "stale" it is answered with 409. In a dialog (htmx with the target "dialog-body") the
    same page is shown as a dialog.
    """

    form_class: ClassVar[type[forms.BaseForm]]
    template_name: ClassVar[str] = "core/form_page.html"
    dialog_template_name: ClassVar[str] = "core/form_dialog.html"
    title: ClassVar[Any] = ""
    lead: ClassVar[Any] = ""
    submit_label: ClassVar[Any] = gettext_lazy("Save")
    success_message: ClassVar[Any] = ""
    back_url: ClassVar[str] = ""  # name of a page
    is_danger: ClassVar[bool] = False

    def save(self, form: Any) -> Any:
        """Call the service; return the row made or changed, or an address."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to save")

    @cached_property
    def object(self) -> Any:
        """The row that is changed; nothing when one is made."""
        return None

    def get_initial(self) -> dict[str, Any]:
        """What the form starts with: parameters of the address that are fields of the form."""
        names = getattr(self.form_class, "base_fields", {})
        return {name: value for name, value in self.request.GET.items() if name in names}

    def get_form_kwargs(self) -> dict[str, Any]:
        """What the form is made with."""
        kwargs: dict[str, Any] = {"actor": self.actor, "initial": self.get_initial()}
        if issubclass(self.form_class, forms.BaseModelForm) and self.object is not None:
            kwargs["instance"] = self.object
        return kwargs

    def get_context(self) -> dict[str, Any]:
        """What a room adds."""
        return {}

    def get_title(self) -> str:
        """The heading."""
        return str(self.title)

    def get_back_url(self) -> str:
        """Where "Cancel" leads."""
        if self.object is not None and hasattr(self.object, "get_absolute_url"):
            return str(self.object.get_absolute_url())
        return reverse(self.back_url) if self.back_url else "/"

    def get_success_url(self, result: Any) -> str:
        """Where to go after saving: an address as it is, a row to its page `<app>:<model>_detail`."""
        if isinstance(result, str):
            return result
        if isinstance(result, Model):
            return reverse(f"{result._meta.app_label}:{result._meta.model_name}_detail", kwargs={"pk": result.pk})
        return self.get_back_url()

    def get_success_message(self, result: Any) -> str:
        """What is said after saving."""
        return str(self.success_message) % {"object": result} if self.success_message else ""

    @property
    def is_dialog(self) -> bool:
        """Whether the form is shown in a dialog over another page."""
        return self.htmx_target == "dialog-body"

    def answer(self, form: Any, status: int = 200) -> HttpResponseBase:
        """The page with the form as it is."""
        context = {
            "view": self,
            "form": form,
            "object": self.object,
            "title": self.get_title(),
            "lead": self.lead,
            "submit_label": self.submit_label,
            "is_danger": self.is_danger,
            "back_url": self.get_back_url(),
            "is_dialog": self.is_dialog,
            **self.get_context(),
        }
        template = self.dialog_template_name if self.is_dialog else self.template_name
        return render(self.request, template, context, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The empty form."""
        return self.answer(self.form_class(**self.get_form_kwargs()))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Check, save once, go on; or show the form again with what is wrong."""
        form: Any = self.form_class(request.POST, request.FILES, **self.get_form_kwargs())
        if not form.is_valid():
            return self.answer(form, 422)
        said: list[str] = []

        def act() -> str:
            result = self.save(form)
            said.append(self.get_success_message(result))
            return self.get_success_url(result)

        try:
            location = self.once(form, act)
        except ValidationError as error:
            after_refusal(error)
            return self.answer(form, add_errors(form, error))
        for text in said:
            if text:
                messages.success(request, text)
        return redirect_for(request, location)

    def once(self, form: Any, act: Callable[[], str]) -> str:
        """Do it once for the form's key; a form without one is taken as it comes."""
        key: uuid.UUID = getattr(form, "key", None) or uuid.uuid4()
        location, is_now = post_once(actor=self.actor, key=key, at=self.now, act=act)
        if not is_now:
            messages.info(self.request, _("This form was already sent; nothing was done twice."))
        return location


class ScopedCreateView(ScopedFormView):
    """A page that makes a row: `save` calls the service that makes it."""


class ScopedEditView(ScopedFormView):
    """A page that changes a row: `selector = deal_for` finds it for the actor, 404 when it is not theirs."""

    selector: ClassVar[Callable[[Actor, int], Any]]

    @cached_property
    def object(self) -> Any:
        """The row."""
        return self.unbound("selector")(self.actor, self.kwargs["pk"])

    def get_initial(self) -> dict[str, Any]:
        """The row's own values."""
        return {}

    def get_back_url(self) -> str:
        """The row's page."""
        return super().get_success_url(self.object)


class ConfirmForm(forms.Form):
    """A form that only asks "are you sure?", with a key against double posts."""

    form_key = forms.UUIDField(required=False, widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor

    @property
    def key(self) -> uuid.UUID | None:
        """The form's key."""
        return self.cleaned_data.get("form_key")


class ConfirmView(ScopedEditView):
    """A page (or dialog) that asks before something is done to a row."""

    form_class = ConfirmForm
    is_danger = True
    submit_label = gettext_lazy("Confirm")
