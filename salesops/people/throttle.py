"""Limits on guessing passwords: by account and address, by account from anywhere, and by device for devices known."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from axes.utils import reset as axes_reset
from django.conf import settings
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

#: The cookie of a browser in which somebody has logged in before, and for how long it is remembered (seconds).
COOKIE: Final = "known_device"
COOKIE_AGE: Final = 180 * 24 * 60 * 60
_SALT: Final = "salesops.people.known-device"
_MOST_PEOPLE: Final = 8


def client_ip(request: HttpRequest) -> str | None:
    """The address of the client, or nothing where there is none; proxies' headers count as far as settings trust them."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return None


def login_name(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """The address that somebody tries to log in with, in one spelling; for the throttle and the lock-out."""
    given = credentials or {}
    name = given.get("email") or given.get("username") or given.get("login")
    if not name:
        name = request.POST.get("login", "") or getattr(getattr(request, "user", None), "email", "")
    return str(name).strip().lower()[:254]


def _device(request: HttpRequest) -> tuple[str, list[str]]:
    """The id of this browser and the names that have logged in with it; ("", []) for a browser never seen."""
    try:
        value = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=COOKIE_AGE)
        return str(value["device"]), [str(name) for name in value["names"]]
    except (signing.BadSignature, KeyError, TypeError):
        return "", []


def is_known_device(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> bool:
    """Whether this account has logged in with this browser before. Then strangers' failures do not lock it out."""
    return login_name(request, credentials) in _device(request)[1]


def take_attempt(request: HttpRequest, credentials: Mapping[str, Any]) -> bool:
    """Count one attempt to log in; False when there were too many.

    A browser known for the account has its own count, so that nobody is locked out of their own desk by what others
    try from elsewhere. All other browsers share one count for the account.
    """
    name = login_name(request, credentials)
    if is_known_device(request, credentials):
        return ratelimit.consume(request, action="login_device", key=f"{_device(request)[0]}|{name}")
    return ratelimit.consume(request, action="login_account", key=name)


def forgive(request: HttpRequest, name: str) -> None:
    """Forget failed attempts on an account: its owner has just proved who they are, by a link sent to them."""
    name = name.strip().lower()
    axes_reset(username=name)
    ratelimit.clear(request, action="login_account", key=name)


def remember_device(request: HttpRequest, response: HttpResponse, name: str) -> None:
    """Remember that this account has logged in with this browser."""
    device, names = _device(request)
    others = [known for known in names if known != name.lower()]
    names = [*others[-(_MOST_PEOPLE - 1) :], name.lower()]
    response.set_cookie(
        COOKIE,
        signing.dumps({"device": device or secrets.token_urlsafe(16), "names": names}, salt=_SALT),
        max_age=COOKIE_AGE,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
        path="/account/",
    )
