"""How allauth behaves in the portal: accounts are made by administrators, mails go by jobs, secrets are encrypted."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from salesops.audit.services import record
from salesops.core.actor import NOBODY, Actor
from salesops.people import throttle
from salesops.people.models import User
from salesops.people.selectors import NEED_SECOND_FACTOR
from salesops.people.services import end_sessions

_PREFIX = "aesgcm1:"
#: Where allauth keeps what was proved in a session, and when.
_PROOFS = AUTHENTICATION_METHODS_SESSION_KEY


def own_actor(request: HttpRequest, user: User) -> Actor:
    """Somebody who acts on their own account while logging in: a name for the audit, no rights."""
    known: Actor = getattr(request, "actor", NOBODY)
    return Actor(user_id=user.pk, name=str(user), request_id=known.request_id)


class AccountAdapter(DefaultAccountAdapter):
    """Log-in, log-out and passwords."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up: administrators make the accounts."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse before the password is looked at when there were too many attempts."""
        if not throttle.take_attempt(request, credentials):
            raise self.validation_error("too_many_login_attempts")

    def reauthenticate(self, user: User, password: str) -> bool:
        """Check the password of somebody who is logged in, under the same limits as a log-in."""
        found = self.authenticate(context.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The second factor first, for those who have one."""
        methods = super().get_reauthentication_methods(user)
        return sorted(methods, key=lambda method: method["id"] == "reauthenticate")

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Record the log-in and remember the browser."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        # Whoever has just logged in has just proved who they are: nothing asks them again for a while.
        proofs = [{**entry, "reauthenticated": True} for entry in request.session.get(_PROOFS, [])]
        request.session[_PROOFS] = proofs
        methods = sorted({str(entry.get("method")) for entry in proofs})
        record(
            actor=own_actor(request, user),
            action="session.logged_in",
            subject=user,
            after={"ip": throttle.client_ip(request), "methods": methods},
            at=request.now,  # type: ignore[attr-defined]  # set by the middleware
        )
        throttle.remember_device(request, response, user.email)
        return response

    def set_password(self, user: User, password: str) -> None:
        """Set a password that its owner chose: all other sessions end, failed attempts are forgotten."""
        request = context.request
        super().set_password(user, password)
        keep = request.session.session_key if request.user.is_authenticated and request.user.pk == user.pk else None
        end_sessions(person=user, except_key=keep)
        throttle.forgive(request, user.email)
        record(actor=own_actor(request, user), action="person.password_changed", subject=user, at=request.now)


class MfaAdapter(DefaultMFAAdapter):
    """Second factors."""

    def encrypt(self, text: str) -> str:
        """Keep a secret so that a copy of the database alone does not give it away."""
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, text.encode(), _PREFIX.encode())
        return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Read a secret back, with the present key or an earlier one. Raises ValueError when none fits."""
        if not encrypted_text.startswith(_PREFIX):
            raise ValueError("the secret of a second factor is not encrypted")
        blob = base64.urlsafe_b64decode(encrypted_text.removeprefix(_PREFIX))
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            try:
                return AESGCM(_key(secret)).decrypt(blob[:12], blob[12:], _PREFIX.encode()).decode()
            except InvalidTag:
                continue
        raise ValueError("the secret of a second factor cannot be read: SECRET_KEY has changed")

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Whoever must have a second factor cannot take the last one away."""
        actor: Actor = getattr(context.request, "actor", NOBODY)
        if actor.roles.isdisjoint(NEED_SECOND_FACTOR):
            return True
        others = Authenticator.objects.filter(user_id=authenticator.user_id).exclude(pk=authenticator.pk)
        return bool(others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists())

    def build_totp_svg(self, url: str) -> str:
        """The square to scan, as an SVG element to put into the page."""
        svg: str = super().build_totp_svg(url)
        return svg[svg.index("<svg") :]

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Security keys show the portal's name."""
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "name": settings.MFA_TOTP_ISSUER}


def _key(secret: str | bytes) -> bytes:
    """The key for second factors, drawn from the portal's secret."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"salesops second factor").derive(
        secret.encode() if isinstance(secret, str) else secret
    )
