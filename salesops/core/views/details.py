"""Pages of one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.functional import cached_property

from salesops.core.actor import Actor
from salesops.core.views.base import PortalView


class ScopedDetailView(PortalView):
    """One row: `selector = deal_for` is called with the actor and the key and raises Http404 for what is not theirs.

    The template is `<app>/<model>_detail.html`; it gets the row as `object` and under its model's name.
    """

    selector: ClassVar[Callable[[Actor, int], Any]]
    template_name: ClassVar[str] = ""
    #: Parts of the page that htmx may ask for: the id of the target and its template.
    parts: ClassVar[dict[str, str]] = {}

    @cached_property
    def object(self) -> Any:
        """The row."""
        return self.unbound("selector")(self.actor, self.kwargs["pk"])

    def get_context(self) -> dict[str, Any]:
        """What a room adds."""
        return {}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page, or the part that htmx asks for."""
        row: Model = self.object
        name = row._meta.model_name or "object"
        template = self.parts.get(self.htmx_target) or self.template_name or f"{row._meta.app_label}/{name}_detail.html"
        return render(
            request, template, {"view": self, "object": row, name: row, "title": str(row), **self.get_context()}
        )
