"""Signing in at a vendor: for whom a return counts, what is kept of it, and what becomes of a token that is renewed."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from salesops.connectors.models import Authorization, Connection, Credential
from salesops.connectors.services import authorizing, connecting, credentials
from salesops.connectors.services.calling import Caller
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.wire import Reply, Request, Unreachable
from salesops.core.actor import system_actor
from salesops.core.vault import VaultError
from salesops.values.outcomes import Problem
from tests.cast import NOW, Cast
from tests.connectors.linking import REDIRECT

SECRET, REFRESH = "not-a-real-secret-0123", "not-a-real-refresh-0123"
LOST = Unreachable(Problem.of("wire-unreachable", "%(host)s cannot be reached.", host="login.salesforce.com"))
GOOD = {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600}


class Tokens:
    """The token address of a vendor, in place of the wire."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[Request]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        return None

    def send(self, request: Request) -> Reply:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Reply(status, {}, json.dumps(body).encode(), request.url)

    @property
    def said(self) -> list[dict[str, str]]:
        """What it was asked, as forms."""
        return [dict(parse_qsl((request.body or b"").decode())) for request in self.asked]


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Tokens:
    """It gives what it is asked for."""
    made = Tokens(GOOD)
    monkeypatch.setattr(authorizing, "Client", lambda **_given: made)
    return made


def made(cast: Cast, vendor: str = "salesforce") -> Connection:
    """A connection whose app has a secret."""
    return connecting.create(
        actor=cast.actor("rita"), vendor=vendor, name="", options={"client_id": "app"},
        given={"client_secret": SECRET}, at=NOW,
    )  # fmt: skip


def begun(cast: Cast, connection: Connection, who: str = "rita", *, after: float = 0) -> tuple[str, dict[str, str]]:
    """Begin so many seconds after NOW: the state that a return must bring, and all that the address says."""
    at = NOW + timedelta(seconds=after)
    url = authorizing.begin(actor=cast.actor(who), connection=connection, redirect_uri=REDIRECT, at=at)
    told = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return told["state"], told


def back(cast: Cast, state: str, who: str = "rita", *, after: float = 0, **extra: str) -> Connection:
    """Come back with a code."""
    at = NOW + timedelta(seconds=after)
    return authorizing.complete(
        actor=cast.actor(who), state=state, code="the-code", extra=extra, at=at, caller=not_asked
    )


def not_asked(connection: Connection, _token: str) -> Caller:
    """Where no records are here, nobody asks the vendor whose account it is."""
    raise AssertionError(f"{connection} was asked")


# --- The way there and back


def test_a_return_counts_for_a_quarter_of_an_hour(cast: Cast, tokens: Tokens) -> None:
    connection = made(cast)
    late, _told = begun(cast, connection)
    with pytest.raises(ValidationError, match="too old"):
        back(cast, late, after=901)
    assert tokens.asked == []
    state, _told = begun(cast, connection)
    back(cast, state, after=900)
    assert credentials.opened(connection, credentials.ACCESS) is not None


def test_a_return_counts_for_whoever_began_it_and_once(cast: Cast, tokens: Tokens) -> None:
    connection = made(cast)
    state, _told = begun(cast, connection)
    with pytest.raises(ValidationError, match="begun by somebody else"):
        back(cast, state, "ada")
    assert authorizing.give_up(actor=cast.actor("ada"), state=state) is None
    with pytest.raises(ValidationError, match="used already"):
        back(cast, "guessed")
    with pytest.raises(PermissionDenied):
        authorizing.begin(actor=system_actor(), connection=connection, redirect_uri=REDIRECT, at=NOW)
    assert tokens.asked == []
    back(cast, state)
    with pytest.raises(ValidationError, match="used already"):
        back(cast, state)
    assert len(tokens.asked) == 1
    assert not Authorization.objects.exists()
    again, _told = begun(cast, connection)
    assert authorizing.give_up(actor=cast.actor("rita"), state=again) == connection
    assert not Authorization.objects.exists()


def test_a_copy_of_the_database_completes_no_sign_in(cast: Cast, tokens: Tokens) -> None:
    connection = made(cast)
    state, told = begun(cast, connection)
    row = Authorization.objects.get()
    kept = json.dumps({name: str(value) for name, value in Authorization.objects.values().get().items()})
    assert state not in kept
    assert row.state_digest == hashlib.sha256(state.encode()).hexdigest()
    back(cast, state)
    [said] = tokens.said
    challenge = base64.urlsafe_b64encode(hashlib.sha256(said["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert (told["code_challenge_method"], told["code_challenge"]) == ("S256", challenge)
    assert said["code_verifier"] not in kept
    assert (said["redirect_uri"], said["code"], said["client_secret"]) == (REDIRECT, "the-code", SECRET)
    # Nor does what is sealed for one sign-in open for another.
    state, _told = begun(cast, connection)
    Authorization.objects.update(sealed_verifier=row.sealed_verifier)
    with pytest.raises(VaultError, match="belongs to another row"):
        back(cast, state)


def test_of_each_person_the_newest_sign_in_is_kept_and_nothing_old(cast: Cast, tokens: Tokens) -> None:
    connection, other = made(cast), made(cast, "pipedrive")
    first, _told = begun(cast, connection)
    begun(cast, connection, "ada")
    begun(cast, other)
    begun(cast, connection)
    assert Authorization.objects.count() == 3
    with pytest.raises(ValidationError):
        back(cast, first)
    begun(cast, connection, after=901)
    assert list(Authorization.objects.values_list("begun_by_id", "connection_id")) == [(cast.rita.pk, connection.pk)]


@pytest.mark.parametrize("realm", ["1/../2", "1?a=b", "", "9" * 31, "12\n", "evil.example"])
def test_a_company_that_is_no_number_is_not_asked(cast: Cast, tokens: Tokens, realm: str) -> None:
    connection = made(cast, "quickbooks")
    state, _told = begun(cast, connection)
    with pytest.raises(ValidationError, match="no company that can be asked"):
        back(cast, state, realmId=realm)
    assert "realm_id" not in Connection.objects.get().options
    assert not Credential.objects.filter(name=credentials.ACCESS).exists()
    state, _told = begun(cast, connection)
    assert back(cast, state, realmId="9130").options["realm_id"] == "9130"


# --- Renewing


def renew(connection: Connection, tokens: Tokens) -> None:
    """As the one worker that claimed it."""
    client: Any = tokens
    authorizing.renew(connection, client, aside=transaction.atomic, at=NOW)


@pytest.fixture
def signed_in(cast: Cast) -> Connection:
    """Signed in at Salesforce; the token is being renewed."""
    connection = made(cast)
    credentials.keep(connection, credentials.REFRESH, REFRESH, at=NOW)
    credentials.keep(connection, credentials.ACCESS, "access-0", at=NOW)
    assert credentials.may_renew(connection, seen=credentials.mark_of(connection), at=NOW)
    return connection


def held(connection: Connection) -> tuple[str, str]:
    """The tokens that are kept."""
    access, refresh = (credentials.opened(connection, name) for name in (credentials.ACCESS, credentials.REFRESH))
    assert access is not None
    assert refresh is not None
    return access.reveal(), refresh.reveal()


def test_a_refresh_token_that_is_replaced_is_kept_and_another_stays(signed_in: Connection) -> None:
    renew(signed_in, Tokens({"access_token": "access-1"}))
    assert held(signed_in) == ("access-1", REFRESH)
    tokens = Tokens(GOOD | {"access_token": "access-2"})
    renew(signed_in, tokens)
    assert held(signed_in) == ("access-2", "refresh-1")
    assert (tokens.asked[0].url, tokens.said) == (
        "https://login.salesforce.com/services/oauth2/token",
        [{"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": "app", "client_secret": SECRET}],
    )
    assert Credential.objects.get(name=credentials.ACCESS).renewing_until is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (LOST, FaultKind.PASSING),
        ((500, {}), FaultKind.PASSING),
        ((503, {}), FaultKind.PASSING),
        ((429, {}), FaultKind.PASSING),
        ((400, {"error": "invalid_grant", "error_description": REFRESH}), FaultKind.UNAUTHORIZED),
        ((401, {"error": SECRET}), FaultKind.UNAUTHORIZED),
        ((200, ["access_token"]), FaultKind.UNAUTHORIZED),
        ((200, {"access_token": None, "refresh_token": "r"}), FaultKind.UNAUTHORIZED),
    ],
)
def test_a_renewal_that_fails_keeps_what_is_there_and_lets_another_try(
    signed_in: Connection, answer: Any, kind: FaultKind
) -> None:
    seen = credentials.mark_of(signed_in)
    with pytest.raises(Fault) as told:
        renew(signed_in, Tokens(answer))
    assert told.value.kind is kind
    for secret in (SECRET, REFRESH, "access-0"):
        assert secret not in f"{told.value} {told.value!r} {told.value.problem.as_plain()}"
    assert held(signed_in) == ("access-0", REFRESH)
    assert credentials.may_renew(signed_in, seen=seen, at=NOW)


def test_without_a_refresh_token_that_opens_nobody_is_asked(signed_in: Connection) -> None:
    tokens = Tokens(GOOD)
    Credential.objects.filter(name=credentials.REFRESH).update(
        sealed=Credential.objects.get(name=credentials.ACCESS).sealed
    )
    for _twice in range(2):
        with pytest.raises(Fault) as told:
            renew(signed_in, tokens)
        assert told.value.kind is FaultKind.UNAUTHORIZED
        Credential.objects.filter(name=credentials.REFRESH).delete()
    assert tokens.asked == []
