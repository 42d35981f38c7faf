"""Saved columns of payroll files: the list, and the page that makes one and tries it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy

from salesops.commissions.pay_forms import MappingForm
from salesops.commissions.pay_tables import PayrollMappingTable
from salesops.commissions.selectors.payroll import mapping_for, mappings_for
from salesops.commissions.services.payroll_mappings import Trial, save_mapping, try_mapping
from salesops.core.actor import Role
from salesops.core.views import Empty, ScopedCreateView, ScopedEditView, ScopedListView
from salesops.core.views.forms import ScopedFormView, add_errors


class MappingListView(ScopedListView):
    """All saved columns."""

    selector = mappings_for
    table_class = PayrollMappingTable
    title = gettext_lazy("Payroll columns")
    create_url = "commissions:payrollmapping_create"
    create_label = gettext_lazy("New columns")
    roles = (Role.FINANCE,)
    empty = Empty(
        gettext_lazy("No saved columns"),
        gettext_lazy("For payroll programs without a published list of columns: write the headers that yours reads."),
        "table-column",
    )

    def may_create(self) -> bool:
        """Finance, who alone open this page."""
        return True


class _MappingPage(ScopedFormView):
    """What making and changing share: “Try” shows the file of the last locked period and saves nothing."""

    form_class, back_url = MappingForm, "commissions:payrollmapping_list"
    template_name = "commissions/payrollmapping_form.html"
    roles = (Role.FINANCE,)
    success_message = gettext_lazy("Saved. It can be chosen when a payroll file is released.")
    trials: list[Trial] | None = None

    def get_context(self) -> dict[str, Any]:
        """What was tried."""
        return {"trials": self.trials}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Try, or save."""
        if "try" not in request.POST:
            return super().post(request, **kwargs)
        form: Any = self.form_class(request.POST, **self.get_form_kwargs())
        if not form.is_valid():
            return self.answer(form, 422)
        try:
            self.trials = try_mapping(actor=self.actor, columns=form.cleaned_data["columns"])
        except ValidationError as error:
            return self.answer(form, add_errors(form, error))
        return self.answer(form)

    def save(self, form: Any) -> Any:
        """Keep them."""
        save_mapping(actor=self.actor, mapping=self.object, at=self.now, **form.values)
        return reverse(self.back_url)


class MappingCreateView(_MappingPage, ScopedCreateView):
    """Write new columns."""

    title = gettext_lazy("New payroll columns")


class MappingEditView(_MappingPage, ScopedEditView):
    """Change columns; files that were released stay as they are."""

    selector = mapping_for
    title = gettext_lazy("Payroll columns")

    def get_initial(self) -> dict[str, Any]:
        """As they are kept."""
        return {"name": self.object.name, "columns": self.object.columns}

    def get_back_url(self) -> str:
        """The list."""
        return reverse(self.back_url)
