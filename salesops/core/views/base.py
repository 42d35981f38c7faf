"""What every page of the portal shares: who asks, when, and whether their roles may."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views import View

from salesops.core import features
from salesops.core.actor import Actor, Role


class PortalView(View):
    """A page. `roles` names who may open it; empty means everybody who is logged in (rows are scoped all the same)."""

    roles: ClassVar[tuple[Role, ...]] = ()
    #: The part of the portal (`core/features.py`) that must be switched on for the page to do anything.
    feature: ClassVar[str] = ""

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.request.actor  # type: ignore[attr-defined]  # set by pods.middleware

    @property
    def now(self) -> datetime:
        """The moment of the request."""
        return self.request.now  # type: ignore[attr-defined]  # set by pods.middleware

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for a part of the page."""
        return bool(self.request.htmx) and not self.request.htmx.history_restore_request  # type: ignore[attr-defined]

    @property
    def htmx_target(self) -> str:
        """The id of the element that htmx will replace."""
        return (self.request.htmx.target or "") if self.is_partial else ""  # type: ignore[attr-defined]

    def allows(self, actor: Actor) -> bool:
        """Whether this actor may open the page at all."""
        return not self.roles or actor.has(*self.roles)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse whom the page is not for; keep what is personal out of caches."""
        if not self.allows(self.actor):
            raise PermissionDenied
        if self.feature and not features.is_on(self.feature):
            context = {"title": _("Switched off"), "text": features.off_text(self.feature)}
            return render(request, "core/switched_off.html", context, status=403)
        response = super().dispatch(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def unbound(self, name: str) -> Callable[..., Any]:
        """A function given as a class attribute (`selector = deals_for`), not as a method."""
        found = inspect.getattr_static(type(self), name)
        function: Callable[..., Any] = found.__func__ if isinstance(found, staticmethod) else found
        return function


def redirect_for(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to a page: by htmx when htmx asked (a plain redirect would land inside the fragment)."""
    if getattr(request, "htmx", False):
        response = HttpResponse(status=204)
        response.headers["HX-Redirect"] = url
        return response
    return redirect(url)
