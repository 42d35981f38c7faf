"""Second factors as the portal sees them: setting one up counts as giving it, the last one stays, all is audited."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import get_adapter
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView as _GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView as _ActivateTOTPView
from allauth.mfa.totp.views import DeactivateTOTPView as _DeactivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView as _AddWebAuthnView
from allauth.mfa.webauthn.views import RemoveWebAuthnView as _RemoveWebAuthnView
from allauth.usersessions.views import ListUserSessionsView as _ListUserSessionsView
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse

from salesops.audit.services import record
from salesops.people.rules.browsers import browser_name
from salesops.people.selectors import needs_second_factor


@login_not_required
def closed(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Nobody signs up or changes addresses by themselves: there is no such page."""
    raise Http404


class _Recorded:
    """Notes in the audit what the person did to their second factors."""

    factor = ""
    action = ""
    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        """Do it, then note it."""
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]  # a mixin for allauth's views
        request = self.request
        record(
            actor=request.actor,  # type: ignore[attr-defined]  # set by the middleware
            action=self.action,
            subject=request.user,  # type: ignore[arg-type]
            after={"type": self.factor},
            at=request.now,  # type: ignore[attr-defined]
        )
        return response


class _SetUp(_Recorded):
    """The set-up proves the factor, so this session has given it."""

    action = "second_factor.added"

    def form_valid(self, form: Any) -> HttpResponse:
        """Activate, then count it as given."""
        response = super().form_valid(form)
        record_authentication(self.request, self.request.user, method="mfa", type=self.factor, reauthenticated=True)
        return response


class ActivateTOTPView(_SetUp, _ActivateTOTPView):
    """Set up an app that shows codes."""

    factor = "totp"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With whether the role asks for it: then no other page opens before."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"is_needed": needs_second_factor(self.request.actor)}  # type: ignore[attr-defined]  # see above


class AddWebAuthnView(_SetUp, _AddWebAuthnView):
    """Set up a security key."""

    factor = "webauthn"


class DeactivateTOTPView(_Recorded, _DeactivateTOTPView):
    """Remove the app; allauth's form asks the adapter whether that may be."""

    factor = "totp"
    action = "second_factor.removed"


class RemoveWebAuthnView(_Recorded, _RemoveWebAuthnView):
    """Remove a security key, unless it is the last factor of somebody who must have one."""

    factor = "webauthn"
    action = "second_factor.removed"

    @property
    def is_last(self) -> bool:
        """Whether the key has to stay."""
        return not get_adapter().can_delete_authenticator(self.get_object())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say so in the page."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "is_last": self.is_last}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse, or remove."""
        if self.is_last:
            self.object = self.get_object()
            response: HttpResponse = self.render_to_response(self.get_context_data())
            return response
        done: HttpResponse = super().post(request, *args, **kwargs)
        return done


class GenerateRecoveryCodesView(_Recorded, _GenerateRecoveryCodesView):
    """Make new recovery codes; the ones before stop working."""

    factor = "recovery_codes"
    action = "second_factor.recovery_codes_made"


class SessionListView(_ListUserSessionsView):
    """Where the person is logged in, each browser by its name."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The sessions, newest first."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        sessions = sorted(context["sessions"], key=lambda session: session.created_at, reverse=True)
        return {**context, "sessions": [(session, browser_name(session.user_agent)) for session in sessions]}
