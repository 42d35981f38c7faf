"""Where vendors push what changed: proven, stored, answered."""

from __future__ import annotations

from typing import Final

import structlog
from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from salesops.connectors.rules.proofs import Answer, Delivery, Refused
from salesops.connectors.rules.pushes import Unreadable
from salesops.connectors.services import hooks
from salesops.core.vault import VaultError
from salesops.people.throttle import client_ip

#: The largest delivery that is taken: the largest batches of any vendor have a fifth of it.
HOOK_BYTES: Final = 1024 * 1024
_said = structlog.get_logger(__name__)


@method_decorator((csrf_exempt, login_not_required), name="dispatch")
class HookView(View):
    """Where vendors push what changed. The proof in the delivery stands for the log-in; a bad one leaves nothing behind.

    2xx says that the delivery is stored: without the database the vendor is told to come again.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest, vendor: str, token: str) -> HttpResponse:
        """Take one delivery."""
        try:
            return self._take(request, vendor, token)
        except (DatabaseError, VaultError) as error:
            _said.error("webhook_not_stored", vendor=vendor, error=type(error).__name__)
            return _empty(503, **{"Retry-After": "30"})

    def _take(self, request: HttpRequest, vendor: str, token: str) -> HttpResponse:
        connection = hooks.door(vendor=vendor, token=token)
        if connection is None:
            return self._refuse(request, Refused(404, "hook-unknown", ""))
        body = request.read(HOOK_BYTES + 1)
        if len(body) > HOOK_BYTES:
            return self._refuse(request, Refused(413, "hook-too-large", ""), connection.pk)
        delivery = Delivery(
            method=request.method or "",
            url=settings.SITE_URL.rstrip("/") + request.get_full_path(),
            headers=request.headers,
            body=body,
            received_at=timezone.now(),
        )
        try:
            found = hooks.receive(connection=connection, delivery=delivery)
        except Unreadable:
            found = Refused(400, "hook-unreadable", "")
        if isinstance(found, Refused):
            return self._refuse(request, found, connection.pk)
        if isinstance(found, Answer):
            return HttpResponse(found.body, content_type=found.content_type, headers=dict(found.headers))
        return _empty(200)

    def _refuse(self, request: HttpRequest, refused: Refused, connection: int | None = None) -> HttpResponse:
        """The status that the vendor expects; to whoever is refused again and again, that it is too much."""
        _said.warning("webhook_refused", connection=connection, code=refused.code)
        key = f"{connection or ''}|{client_ip(request) or ''}"
        if not ratelimit.consume(request, action="hook_refused", key=key):
            return _empty(429, **{"Retry-After": "60"})
        return _empty(refused.status)


def _empty(status: int, **headers: str) -> HttpResponse:
    return HttpResponse(b"", status=status, content_type="text/plain; charset=utf-8", headers=headers)
