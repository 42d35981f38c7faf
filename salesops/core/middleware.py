"""Headers that every answer carries: a strict content security policy, and messages for htmx."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse

#: Nothing from elsewhere, nothing inline. `data:` images are the ticks and arrows in Tabler's style sheet.
STRICT: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
#: The admin site's own scripts (Alpine) evaluate expressions and set styles; only administrators get there.
ADMIN: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class PolicyMiddleware:
    """Says what a page may load and run, and what it may use of the machine."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the headers, unless the view set its own."""
        response = self.get_response(request)
        is_admin = request.path_info.startswith("/admin/")
        response.headers.setdefault("Content-Security-Policy", ADMIN if is_admin else STRICT)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
        )
        return response


class PartialMessagesMiddleware:
    """Shows messages with an answer to htmx: it has no page around it in which they could stand."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put waiting messages into the HX-Trigger header, where the answer is no redirect and has none of its own."""
        response = self.get_response(request)
        if (
            not getattr(request, "htmx", False)
            or response.status_code >= 300
            or response.status_code == 204
            or "HX-Redirect" in response.headers
            or "HX-Refresh" in response.headers
            or "HX-Trigger" in response.headers
        ):
            return response
        notes = [{"text": str(message), "level": message.level_tag} for message in get_messages(request)]
        if notes:
            response.headers["HX-Trigger"] = json.dumps({"toast": notes})
        return response
