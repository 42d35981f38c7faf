"""Keeps sessions short and asks for the second factor where a role needs it, before any page is served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _

from salesops.core.actor import Actor
from salesops.core.mail import is_local
from salesops.people.models import User
from salesops.people.selectors import has_second_factor, needs_second_factor

#: Pages that whoever has no second factor yet may open: to set one up, or to go.
SET_UP: Final = frozenset(
    {
        "mfa_index",
        "mfa_activate_totp",
        "mfa_list_webauthn",
        "mfa_add_webauthn",
        "mfa_view_recovery_codes",
        "mfa_download_recovery_codes",
        "account_reauthenticate",
        "account_logout",
        "set_language",
    }
)
#: Pages that whoever has a second factor but did not give it in this session may open: to give it, or to go.
GIVE: Final = frozenset({"mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account_logout", "set_language"})
#: Requests that pages make by themselves; they do not keep a session alive.
BY_ITSELF: Final = frozenset({"notices:notice_bell", "jobs:job_progress"})
#: The session's own marks: when it began and when its owner last did something, in seconds since 1970.
BEGAN, SEEN = "began_at", "seen_at"
#: The mark of the last action is written at most once in so many seconds.
_MARK_EVERY: Final = 60


class SignInMiddleware:
    """Stands behind the middleware that knows the actor, and before every view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request, or send its asker to log in, to set up a second factor or to give it."""
        if not request.user.is_authenticated:
            return self.get_response(request)
        actor: Actor = request.actor  # type: ignore[attr-defined]  # set by the middleware before this one
        now: datetime = request.now  # type: ignore[attr-defined]
        is_privileged = needs_second_factor(actor)
        if self._is_over(request, now, is_privileged=is_privileged):
            logout(request)
            messages.info(request, _("You were logged out because the session had ended. Log in to go on."))
            return _send_to(request, reverse("account_login"), status=401)
        name = _view_name(request)
        if is_privileged:
            refusal = self._second_factor(request, name)
            if refusal is not None:
                return refusal
        response = self.get_response(request)
        if name not in BY_ITSELF and request.user.is_authenticated:
            self._mark(request, now)
        return response

    def _is_over(self, request: HttpRequest, now: datetime, *, is_privileged: bool) -> bool:
        """Whether the session is older than any may be, or nobody did anything in it for too long."""
        moment = int(now.timestamp())
        began = request.session.get(BEGAN)
        if began is None:
            self._mark(request, now)
            return False
        seen = request.session.get(SEEN, began)
        idle = settings.SESSION_IDLE_SECONDS_PRIVILEGED if is_privileged else settings.SESSION_IDLE_SECONDS
        return bool(moment - began > settings.SESSION_ABSOLUTE_SECONDS or moment - seen > idle)

    def _mark(self, request: HttpRequest, now: datetime) -> None:
        """Note that the session's owner did something."""
        moment = int(now.timestamp())
        if BEGAN not in request.session:
            request.session[BEGAN] = request.session[SEEN] = moment
        elif moment - request.session.get(SEEN, 0) >= _MARK_EVERY:
            request.session[SEEN] = moment

    def _second_factor(self, request: HttpRequest, name: str) -> HttpResponse | None:
        """Where to send somebody who needs a second factor and has not given it; None when they have."""
        user = request.user
        if not isinstance(user, User):
            return None
        if any(entry.get("method") == "mfa" for entry in get_authentication_records(request, user)):
            return None
        if not has_second_factor(user):
            return None if name in SET_UP else _send_to(request, reverse("mfa_activate_totp"), status=403)
        return None if name in GIVE else _send_to(request, reverse("mfa_reauthenticate"), status=403)


def _view_name(request: HttpRequest) -> str:
    """The name of the view that the request asks for; empty when there is none."""
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""


def _send_to(request: HttpRequest, url: str, *, status: int) -> HttpResponse:
    """Send a page there and back again afterwards; a partial request as a whole page; a program gets a status."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": _("Log in with your second factor first.")}, status=status)
    is_partial = request.headers.get("HX-Request") == "true"
    page = urlsplit(request.headers.get("HX-Current-URL", "")) if is_partial else urlsplit(request.get_full_path())
    back = f"{page.path}?{page.query}" if page.query else page.path
    if (is_partial or request.method == "GET") and is_local(back) and back != "/":
        url = f"{url}?{urlencode({'next': back})}"
    if is_partial:
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
