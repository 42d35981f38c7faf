"""Forms of the log-in pages that differ from allauth's."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ResetPasswordForm as _ResetPasswordForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.forms import ActivateTOTPForm as _ActivateTOTPForm
from allauth.mfa.totp.internal.auth import normalize_user_code
from django.core.cache import cache
from django.http import HttpRequest

from salesops.people.services import request_password_reset


class ResetPasswordForm(_ResetPasswordForm):
    """Asks for a password link. Whether anybody has the address is found out later, by the job that sends the mail."""

    def clean_email(self) -> str:
        """Take any address as it is."""
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Enqueue the job."""
        email: str = self.cleaned_data["email"]
        request_password_reset(email=email, at=request.now)  # type: ignore[attr-defined]  # set by the middleware
        return email


class ActivateTOTPForm(_ActivateTOTPForm):
    """Sets up an app that shows codes. The code that proves it is used up, like any other."""

    def clean_code(self) -> str:
        """Check the code, then spend it."""
        code: str = super().clean_code()
        # The same mark that allauth sets when a code is used to log in.
        mark = f"allauth.mfa.totp.used?user={self.user.pk}&code={normalize_user_code(code)}"
        if not cache.add(mark, "y", timeout=60):
            raise get_adapter().validation_error("incorrect_code")
        return code
