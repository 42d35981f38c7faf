"""Doing something to many rows: choose them in a list (or take all that match), say what, see a preview, apply."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import display
from salesops.core.services import post_once
from salesops.core.views.base import PortalView
from salesops.core.views.forms import add_errors
from salesops.core.views.lists import ScopedListView, bounded_count

#: More rows than this are not changed while a person waits.
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a preview: what it is, what it is now, what it would be. `problem` says why it would be left alone."""

    label: str
    before: str = ""
    after: str = ""
    problem: str = ""


class BulkView(PortalView):
    """An action on many rows of a list page.

    The list posts the chosen keys (`pk`), or `all=1` for all rows that match the filters of the address. Rows are always
    taken through the list's own selector and filters, so nobody reaches further than they see. The preview is bound to
    the rows it showed: when others come or go before it is applied, it is shown again.
    """

    list_view: ClassVar[type[ScopedListView]]
    form_class: ClassVar[Callable[..., Any]]
    title: ClassVar[Any] = ""
    submit_label: ClassVar[Any] = gettext_lazy("Apply")
    template_name: ClassVar[str] = "core/bulk.html"
    back_url: ClassVar[str] = ""
    is_danger: ClassVar[bool] = False

    def preview(self, rows: QuerySet[Any], form: Any) -> Sequence[Change]:
        """What would happen to each row; called with at most MOST_ROWS rows."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it would change")

    def apply(self, rows: QuerySet[Any], form: Any) -> str:
        """Call the service and return what to tell the person. May raise ValidationError."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to apply")

    def get_context(self) -> dict[str, Any]:
        """What a room adds."""
        return {}

    @cached_property
    def list(self) -> ScopedListView:
        """The list page as the address asks for it."""
        view = self.list_view()
        view.setup(self.request)
        return view

    @property
    def takes_all(self) -> bool:
        """Whether all matching rows are meant."""
        return self.request.POST.get("all") == "1"

    @cached_property
    def chosen(self) -> QuerySet[Any]:
        """The rows meant, in the list's order of keys."""
        if self.takes_all:
            return self.list.matching.order_by("pk")
        keys = [int(key) for key in self.request.POST.getlist("pk") if key.isdecimal() and len(key) < 19]
        return self.list.rows.filter(pk__in=keys[:MOST_ROWS]).order_by("pk")

    def get_form(self, data: Any = None) -> Any:
        """The form; what was chosen stays chosen from step to step."""
        return self.form_class(data, actor=self.actor)

    def fingerprint(self) -> str:
        """A short name for exactly these rows."""
        keys = ",".join(str(key) for key in self.chosen.values_list("pk", flat=True))
        return hashlib.sha256(keys.encode()).hexdigest()[:32]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing is chosen: back to the list."""
        return redirect(self.get_back_url())

    def get_back_url(self) -> str:
        """The list, filtered as it was."""
        query = self.list.clean_query().urlencode()
        url = reverse(self.back_url)
        return f"{url}?{query}" if query else url

    def get_next_url(self) -> str:
        """Where to go when it is done. Asked before the rows change, so that they are still those chosen."""
        return self.get_back_url()

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Ask, preview or apply."""
        count = bounded_count(self.chosen, MOST_ROWS + 1)
        if count == 0:
            messages.error(request, _("No row is chosen."))
            return redirect(self.get_back_url())
        if count > MOST_ROWS:
            messages.error(
                request,
                _("More than %(count)s rows are chosen. Narrow the filter.") % {"count": display.number(MOST_ROWS)},
            )
            return redirect(self.get_back_url())
        step = request.POST.get("step", "")
        if step not in {"preview", "apply"}:
            return self.answer(self.get_form(), count)
        form = self.get_form(request.POST)
        if not form.is_valid():
            return self.answer(form, count, status=422)
        fingerprint = self.fingerprint()
        if step == "apply":
            if request.POST.get("fingerprint") == fingerprint:
                return self.carry_out(form, count)
            messages.warning(request, _("The rows changed since the preview. Please look again."))
        try:
            changes = list(self.preview(self.chosen, form))
        except ValidationError as error:
            return self.answer(form, count, status=add_errors(form, error))
        return self.answer(form, count, changes=changes, fingerprint=fingerprint)

    def carry_out(self, form: Any, count: int) -> HttpResponseBase:
        """Apply once for the form's key."""
        said: list[str] = []
        then = self.get_next_url()

        def act() -> str:
            said.append(self.apply(self.chosen, form))
            return then

        try:
            key = getattr(form, "key", None) or uuid.uuid4()
            location, _is_now = post_once(actor=self.actor, key=key, at=self.now, act=act)
        except ValidationError as error:
            return self.answer(form, count, status=add_errors(form, error))
        for text in said:
            messages.success(self.request, text)
        return redirect(location)

    def answer(
        self,
        form: Any,
        count: int,
        *,
        changes: Sequence[Change] | None = None,
        fingerprint: str = "",
        status: int = 200,
    ) -> HttpResponseBase:
        """The page at this step."""
        applied = [change for change in changes or () if not change.problem]
        refused = [change for change in changes or () if change.problem]
        context = {
            "view": self,
            "title": self.title,
            "form": form,
            "count": count,
            "noun_plural": self.list.model._meta.verbose_name_plural,
            "takes_all": self.takes_all,
            "keys": [] if self.takes_all else list(self.chosen.values_list("pk", flat=True)),
            "has_preview": changes is not None,
            "changes": applied[:200],
            "changes_count": len(applied),
            "problems": refused[:200],
            "problems_count": len(refused),
            "fingerprint": fingerprint,
            "submit_label": self.submit_label,
            "is_danger": self.is_danger,
            "back_url": self.get_back_url(),
            "action": self.request.get_full_path(),
            **self.get_context(),
        }
        return render(self.request, self.template_name, context, status=status)
