"""Setting up a second factor counts as giving it; addresses that are closed."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.views import ActivateTOTPView as _ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView as _AddWebAuthnView
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse

from salesops.audit.services import record


@login_not_required
def closed(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Nobody signs up or changes addresses by themselves: there is no such page."""
    raise Http404


class _SetUp:
    """After the set-up: the session has given its second factor, and the audit knows of it."""

    factor = ""
    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        """Activate, then note it."""
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]  # a mixin for allauth's views
        request = self.request
        record_authentication(request, request.user, method="mfa", type=self.factor, reauthenticated=True)
        record(
            actor=request.actor,  # type: ignore[attr-defined]
            action="second_factor.added",
            subject=request.user,  # type: ignore[arg-type]
            after={"type": self.factor},
            at=request.now,  # type: ignore[attr-defined]
        )
        return response


class ActivateTOTPView(_SetUp, _ActivateTOTPView):
    """Set up an app that shows codes."""

    factor = "totp"


class AddWebAuthnView(_SetUp, _AddWebAuthnView):
    """Set up a security key."""

    factor = "webauthn"
