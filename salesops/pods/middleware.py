"""Puts the actor on each request, worked out on first use, and speaks the person's language and time zone."""

from __future__ import annotations

import uuid
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from salesops.people.models import User
from salesops.pods.selectors import actor_for


class ActorMiddleware:
    """Adds `request.actor`. The clock is read here, at the edge, once a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request as its actor."""
        now = timezone.now()
        request_id = uuid.uuid4().hex
        request.now = now  # type: ignore[attr-defined]  # every edge takes the time from here
        request.actor = SimpleLazyObject(lambda: actor_for(request.user, at=now, request_id=request_id))  # type: ignore[attr-defined]
        if isinstance(request.user, User) or request.user.is_authenticated:
            user = request.user
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language() or "en"
            with timezone.override(zoneinfo.ZoneInfo(user.time_zone)):
                response = self.get_response(request)
        else:
            response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response
