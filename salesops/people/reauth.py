"""Asks again who is there before something that matters: releasing pay, changing roles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from salesops.core.mail import is_local

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def proved_within(request: HttpRequest, minutes: int) -> bool:
    """Whether this session gave a password, a code or a key within so many minutes."""
    moments = [float(entry["at"]) for entry in get_authentication_records(request, request.user) if "at" in entry]
    now = request.now  # type: ignore[attr-defined]  # set by the middleware
    return bool(moments) and now.timestamp() - max(moments) <= timedelta(minutes=minutes).total_seconds()


def require_recent(minutes: int = 10) -> Callable[[View[P]], View[P]]:
    """Let a view run only if its asker proved who they are within so many minutes; otherwise they are asked first.

    A form that was posted is kept and goes on by itself afterwards. Use it on functions, or on a class with
    `@method_decorator(require_recent(minutes=10), name="dispatch")`.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def asked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if proved_within(request, minutes):
                return view(request, *args, **kwargs)
            if request.headers.get("HX-Request") == "true":
                return _ask_whole_page(request)
            raise ReauthenticationRequired

        return asked

    return decorate


def _ask_whole_page(request: HttpRequest) -> HttpResponse:
    """For a partial request: the browser goes to the question as a whole page, and back to the page it came from."""
    methods: list[dict[str, Any]] = get_adapter().get_reauthentication_methods(request.user)
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = f"{page.path}?{page.query}" if page.query else page.path
    query = urlencode({"next": back if is_local(back) else "/"})
    return HttpResponse(status=204, headers={"HX-Redirect": f"{methods[0]['url']}?{query}"})
