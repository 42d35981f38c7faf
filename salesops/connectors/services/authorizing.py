"""Signing in at a vendor by OAuth 2: begun by a person, completed once, renewed without them."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext

from salesops.audit.services import record
from salesops.connectors.choices import ConnectionState
from salesops.connectors.models import Authorization, Connection, RawRecord
from salesops.connectors.services import credentials
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Fault, FaultKind, OAuth
from salesops.connectors.wire import Client, Reply, Request, WireError
from salesops.core.actor import Actor
from salesops.core.vault import VaultError, seal, unseal
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

if TYPE_CHECKING:
    from salesops.connectors.services.calling import Caller

#: How long a person has for signing in at the vendor.
_LIFE: Final = timedelta(minutes=15)
#: What a token reply may say that later requests need (where the account lives).
_KEPT: Final = ("instance_url", "api_domain", "realm_id")

Aside = Callable[[], AbstractContextManager[Any]]


def begin(*, actor: Actor, connection: Connection, redirect_uri: str, at: datetime) -> str:
    """The address at which the person signs in. What its return must bring is kept, the verifier sealed."""
    oauth = _oauth(connection)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    row = Authorization(
        connection=connection,
        state_digest=_digest(state),
        redirect_uri=redirect_uri,
        begun_by_id=_person(actor),
        expires_at=at + _LIFE,
    )
    row.sealed_verifier = seal(verifier, bound_to=row.bound_to)
    Authorization.objects.filter(connection=connection, begun_by_id=row.begun_by_id).delete()
    Authorization.objects.filter(expires_at__lt=at).delete()
    row.save()
    asked = {
        "response_type": "code",
        "client_id": connection.options.get("client_id", ""),
        "redirect_uri": redirect_uri,
        "state": state,
        **dict(oauth.extra),
    }
    if oauth.scopes:
        asked["scope"] = " ".join(oauth.scopes)
    if oauth.uses_pkce:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{oauth.authorize_url.format_map(connection.options)}?{urlencode(asked)}"


def complete(
    *,
    actor: Actor,
    state: str,
    code: str,
    extra: Mapping[str, str],
    at: datetime,
    caller: Callable[[Connection, str], Caller],
) -> Connection:
    """Turn the code that a vendor sent back into tokens. `extra`: the other parameters of the return (`realmId`).
    `caller`: the way to the vendor for a connection with a token that is not kept yet.

    A return counts once, for the person who began it and within its time. Where records of an account are here, the vendor
    is asked first whose account it is now: of another one nothing is kept, and nothing is synced for a moment.
    Raises ValidationError, Fault, Wait, WireError.
    """
    with transaction.atomic():
        row = (
            Authorization.objects.select_related("connection", "connection__source")
            .filter(state_digest=_digest(state), begun_by_id=_person(actor), expires_at__gte=at)
            .first()
        )
        if row is None or not Authorization.objects.filter(pk=row.pk).delete()[0]:
            raise ValidationError(
                gettext("This sign-in is too old, was used already or was begun by somebody else. Begin anew.")
            )
    connection = row.connection
    asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": row.redirect_uri}
    if _oauth(connection).uses_pkce:
        asked["code_verifier"] = unseal(row.sealed_verifier, bound_to=row.bound_to)
    with Client(timeout=30) as client:
        answer = _ask(connection, client, asked)
    realm = {"realm_id": extra["realmId"]} if "realmId" in extra else {}
    if realm and not re.fullmatch(r"[0-9]{1,30}", realm["realm_id"]):
        raise ValidationError(gettext("The vendor sent back no company that can be asked. Begin anew."))
    if speaks_for_records(connection):
        trial = copy(connection)
        trial.options = {**connection.options, **_told(answer), **realm}
        with caller(trial, str(answer["access_token"])) as http:
            identity = http.vendor.identify(http)
        if identity.account_id[:120] != connection.account_id:
            raise ValidationError(
                gettext(
                    "This is %(account)s; the records that are here came from %(known)s. Sign in there, or make another"
                    " connection. Nothing was changed."
                )
                % {
                    "account": identity.account_name or identity.account_id,
                    "known": connection.account_name or connection.account_id,
                }
            )
    with transaction.atomic():
        # Read anew and locked: it may have been paused or changed while the vendor was asked.
        connection = Connection.objects.select_for_update(of=("self",)).select_related("source").get(pk=connection.pk)
        _keep(connection, answer, at=at)
        connection.options = {**connection.options, **realm}
        if connection.state in (ConnectionState.BROKEN, ConnectionState.DISCONNECTED):
            connection.state = ConnectionState.RUNNING if connection.streams.exists() else ConnectionState.DRAFT
            connection.next_sync_at, connection.error, connection.failing_since = at, {}, None
        connection.save(update_fields=["options", "state", "next_sync_at", "error", "failing_since"])
        record(actor=actor, action="connection.authorized", subject=connection, at=at)
    return connection


def speaks_for_records(connection: Connection) -> bool:
    """Whether records of the account that the connection is known to speak for are here."""
    return bool(connection.account_id) and RawRecord.objects.filter(stream__connection=connection).exists()


def give_up(*, actor: Actor, state: str) -> Connection | None:
    """Forget a sign-in that the vendor sent back without a code. Gives whose it was; None when there is no such one."""
    row = (
        Authorization.objects.select_related("connection", "connection__source")
        .filter(state_digest=_digest(state), begun_by_id=_person(actor))
        .first()
    )
    if row is None:
        return None
    row.delete()
    return row.connection


def renew(connection: Connection, client: Client, *, aside: Aside, at: datetime) -> None:
    """Renew the access token; the caller has claimed that. Raises Fault UNAUTHORIZED when the vendor refuses."""
    try:
        refresh = credentials.opened(connection, credentials.REFRESH)
    except VaultError as error:
        raise Fault(FaultKind.UNAUTHORIZED, _refused(connection)) from error
    if refresh is None:
        raise Fault(FaultKind.UNAUTHORIZED, _refused(connection))
    try:
        answer = _ask(connection, client, {"grant_type": "refresh_token", "refresh_token": refresh.reveal()})
    except BaseException:
        with aside():
            credentials.give_up_renewing(connection)
        raise
    with aside():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if row.state == ConnectionState.DISCONNECTED:  # its secrets were forgotten, and stay so
            raise Fault(FaultKind.UNAUTHORIZED, _refused(connection))
        _keep(row, answer, at=at)
        row.save(update_fields=["options"])
    connection.options = row.options


def _ask(connection: Connection, client: Client, asked: dict[str, str]) -> dict[str, Any]:
    """One request to the token address. Raises Fault."""
    oauth = _oauth(connection)
    client_id = connection.options.get("client_id", "")
    secret = credentials.opened(connection, "client_secret")
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if oauth.client_auth == "basic":
        pair = f"{client_id}:{secret.reveal() if secret else ''}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        asked = {**asked, "client_id": client_id}
        if secret is not None:
            asked["client_secret"] = secret.reveal()
    url = oauth.token_url.format_map(connection.options)
    try:
        reply = client.send(Request("POST", url, headers=headers, body=urlencode(asked).encode()))
        if reply.status >= 500 or reply.status == 429:
            raise Fault(FaultKind.PASSING, _refused(connection, reply))
        if reply.status >= 400:
            raise Fault(FaultKind.UNAUTHORIZED, _refused(connection, reply))
        answer = reply.json()
    except WireError as error:
        raise Fault(FaultKind.PASSING, error.problem) from error
    if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
        raise Fault(FaultKind.UNAUTHORIZED, _refused(connection, reply))
    return answer


def _keep(connection: Connection, answer: Mapping[str, Any], *, at: datetime) -> None:
    """Keep the tokens of a reply; a reply without a new refresh token leaves the old one good."""
    oauth = _oauth(connection)
    lives = answer.get("expires_in")
    try:
        ends = (
            at + timedelta(seconds=int(float(lives))) if lives else at + oauth.expires_in if oauth.expires_in else None
        )
    except (TypeError, ValueError, OverflowError):  # the token is good, however its life is written
        ends = at + (oauth.expires_in or timedelta(hours=1))
    if answer.get("refresh_token"):
        credentials.keep(connection, credentials.REFRESH, str(answer["refresh_token"]), at=at)
    credentials.keep(connection, credentials.ACCESS, str(answer["access_token"]), at=at, expires_at=ends)
    connection.options = {**connection.options, **_told(answer)}


def _told(answer: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(answer[name]) for name in _KEPT if answer.get(name)}


def _oauth(connection: Connection) -> OAuth:
    oauth = vendor_of(connection.vendor).sign_in(connection.options)
    if oauth is None:
        raise ValidationError(gettext("This vendor is connected with a key, not by signing in."))
    return oauth


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise PermissionDenied
    return actor.user_id


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _refused(connection: Connection, reply: Reply | None = None) -> Problem:
    return Problem.of(
        "sign-in-refused",
        _("%(vendor)s did not give a new token (%(status)s)."),
        remedy=_("Connect anew. Nothing was lost: it goes on where it stopped."),
        vendor=vendor_of(connection.vendor).label,
        status=reply.status if reply else "–",
    )
