"""The way to a vendor: what is asked again and what is not, for how long anybody waits, and where a key never goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from salesops.connectors.models import Connection, Credential, RateBudget, Source
from salesops.connectors.services import budgets, calling, credentials
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.wire import Client, Forbidden, Reply, Request, Unreachable
from salesops.core.vault import VaultError
from salesops.values.outcomes import Problem
from tests.cast import NOW, Cast

#: What a key is called here, so that it is found wherever it should not be.
KEY = "not-a-real-key-0123456789"
LOST = Unreachable(Problem.of("wire-unreachable", "%(host)s cannot be reached.", host="api.close.com"))
INSIDE = Forbidden(Problem.of("wire-forbidden", "%(host)s is not an address that may be asked.", host="api.close.com"))


def reply(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    """What Close answers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, body, "https://api.close.com/api/v1/lead/")


class Vendor:
    """Answers one after the other, and notes what it was asked and how long the portal slept. The last answer stays."""

    def __init__(self, connection: Connection, *answers: Reply | Exception, **options: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.slept = 0.0
        self.caller = Caller(connection, clock=self.clock, sleep=self.sleep, **options)
        self.caller._client.send = self.send  # type: ignore[method-assign]  # in place of the wire

    def clock(self) -> Any:
        return NOW + timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def send(self, request: Request) -> Reply:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def connection(cast: Cast) -> Connection:
    """Connected with a key."""
    source = Source.objects.create(code="crm", name="CRM")
    made = Connection.objects.create(source=source, vendor="close", hook_token="t", made_by=cast.rita, made_at=NOW)
    credentials.keep(made, "api_key", KEY, at=NOW)
    return made


@pytest.fixture(autouse=True)
def _no_draw(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Waits are the shortest."""

    class Draw:
        def random(self) -> float:
            return 0.0

    monkeypatch.setattr(calling, "_DRAW", Draw())
    return


def post(vendor: Vendor, *, is_safe: bool = False) -> Reply:
    """Write something."""
    return vendor.caller.send("POST", "lead/", json={"name": "Acme"}, is_safe=is_safe)


# --- What is asked again


@pytest.mark.parametrize("answer", [LOST, reply(500), reply(502), reply(503), reply(408)])
def test_a_question_is_asked_four_times(connection: Connection, answer: Reply | Exception) -> None:
    vendor = Vendor(connection, answer)
    with pytest.raises(Fault) as told:
        vendor.caller.get("lead/")
    assert (told.value.kind, len(vendor.asked), vendor.slept) == (FaultKind.PASSING, 4, 3.0)
    again = Vendor(connection, answer, reply(200))
    assert again.caller.get("lead/").status == 200
    assert len(again.asked) == 2


@pytest.mark.parametrize("answer", [LOST, reply(500), reply(502), reply(408)])
def test_what_may_have_arrived_is_not_sent_again(connection: Connection, answer: Reply | Exception) -> None:
    vendor = Vendor(connection, answer, reply(200))
    with pytest.raises(Fault) as told:
        post(vendor)
    assert (told.value.kind, len(vendor.asked)) == (FaultKind.PASSING, 1)
    safe = Vendor(connection, answer, reply(200))
    assert (post(safe, is_safe=True).status, len(safe.asked)) == (200, 2)


def test_what_was_not_taken_is_sent_again(connection: Connection) -> None:
    vendor = Vendor(connection, reply(503), reply(429, Retry_After="2"), reply(200))
    assert (post(vendor).status, len(vendor.asked), vendor.slept) == (200, 3, 3.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FaultKind.REFUSED),
        (401, FaultKind.UNAUTHORIZED),
        (403, FaultKind.FORBIDDEN),
        (404, FaultKind.MISSING),
        (409, FaultKind.CHANGED),
        (410, FaultKind.GONE),
    ],
)
def test_a_refusal_is_told_at_once(connection: Connection, status: int, kind: FaultKind) -> None:
    vendor = Vendor(connection, reply(status))
    with pytest.raises(Fault) as told:
        vendor.caller.get("lead/")
    assert (told.value.kind, told.value.problem.code, len(vendor.asked)) == (kind, f"vendor-{kind.value}", 1)
    assert Vendor(connection, reply(status)).caller.get("lead/", expect=(status,)).status == status


def test_an_address_that_may_not_be_asked_is_asked_once(connection: Connection) -> None:
    vendor = Vendor(connection, INSIDE)
    with pytest.raises(Fault) as told:
        vendor.caller.get("lead/")
    assert (told.value.kind, told.value.problem.code, len(vendor.asked)) == (FaultKind.REFUSED, "wire-forbidden", 1)


# --- How long anybody waits


def test_a_long_wait_ends_the_attempt_and_holds_all_workers(connection: Connection) -> None:
    vendor = Vendor(connection, reply(429, Retry_After="11"))
    with pytest.raises(Wait) as waits:
        vendor.caller.get("lead/")
    assert (waits.value.until, vendor.slept, len(vendor.asked)) == (NOW + timedelta(seconds=11), 0, 1)
    assert waits.value.problem is not None
    assert waits.value.problem.code == "vendor-limited"
    assert RateBudget.objects.get().blocked_until == NOW + timedelta(seconds=11)
    # Another worker does not even ask.
    other = Vendor(connection, reply(200))
    with pytest.raises(Wait) as waits:
        other.caller.get("lead/")
    assert (waits.value.until, other.asked) == (NOW + timedelta(seconds=11), [])


def test_a_vendor_that_always_limits_is_left_alone(connection: Connection) -> None:
    vendor = Vendor(connection, reply(429, Retry_After="1"))
    with pytest.raises(Wait) as waits:
        vendor.caller.get("lead/")
    assert (len(vendor.asked), vendor.slept) == (4, 4.0)
    assert waits.value.until == NOW + timedelta(seconds=14)


def test_a_person_does_not_wait_as_long_as_a_worker(connection: Connection) -> None:
    vendor = Vendor(connection, reply(429, Retry_After="4"), longest_sleep=timedelta(seconds=3), tries=2)
    with pytest.raises(Wait):
        vendor.caller.get("lead/")
    assert vendor.slept == 0
    failing = Vendor(connection, LOST, longest_sleep=timedelta(seconds=3), tries=2)
    failing.slept = 60
    with pytest.raises(Fault):
        failing.caller.get("lead/")
    assert len(failing.asked) == 2


def test_turns_that_others_take_are_waited_for_one_minute_in_all(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = [timedelta(seconds=9)] * 20 + [timedelta(0)]
    monkeypatch.setattr(budgets, "take", lambda *_given, **_more: waits.pop(0))
    vendor = Vendor(connection, reply(200))
    with pytest.raises(Wait):
        vendor.caller.get("lead/")
    assert (vendor.slept, vendor.asked) == (54.0, [])


def test_each_request_takes_one_from_the_budget_and_leaves_what_the_reply_said(connection: Connection) -> None:
    vendor = Vendor(connection, reply(503), reply(200, ratelimit="limit=100, remaining=50, reset=5"))
    vendor.caller.get("lead/")
    budget = RateBudget.objects.get()
    assert (budget.requests, budget.limit, budget.remaining) == (2, 100, 50)
    assert budget.resets_at == NOW + timedelta(seconds=6)


@pytest.mark.parametrize(("given", "seconds"), [(None, 60.0), (15.0, 15.0)])
def test_an_exchange_ends_with_the_time_of_the_vendor_or_of_the_person(
    connection: Connection, given: float | None, seconds: float
) -> None:
    assert Caller(connection, deadline=given)._client._timeout == seconds


# --- Where a key never goes


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/api/v1/lead/",
        "http://api.close.com/api/v1/lead/",
        "https://api.close.com:8443/api/v1/lead/",
        "https://api.close.com@elsewhere.example/api/v1/lead/",
        "https://api.close.com.elsewhere.example/",
    ],
)
def test_a_next_page_elsewhere_is_not_asked(connection: Connection, address: str) -> None:
    vendor = Vendor(connection, reply(200))
    with pytest.raises(Fault) as told:
        vendor.caller.get(address)
    assert (told.value.kind, told.value.problem.code) == (FaultKind.REFUSED, "vendor-elsewhere")
    with pytest.raises(Fault):
        vendor.caller.send("POST", address, json={}, is_safe=True)
    assert vendor.asked == []
    assert not RateBudget.objects.exists()


def test_a_next_page_at_the_vendor_is_asked(connection: Connection) -> None:
    vendor = Vendor(connection, reply(200))
    vendor.caller.get("https://api.close.com/api/v1/lead/?_skip=100")
    vendor.caller.get("/lead/")
    assert [request.url for request in vendor.asked] == [
        "https://api.close.com/api/v1/lead/?_skip=100",
        "https://api.close.com/api/v1/lead/",
    ]


def test_a_vendor_that_repeats_the_key_does_not_bring_it_into_what_is_told(connection: Connection) -> None:
    words = b'{"error": "no such key: %s %s"}' % (KEY.encode(), b"n" * 1_000)
    vendor = Vendor(connection, reply(401, words))
    with pytest.raises(Fault) as told:
        vendor.caller.get("lead/")
    said = dict(told.value.problem.params)["words"]
    assert said == "no such key: ••• " + "n" * 183
    assert KEY not in f"{told.value} {told.value!r} {told.value.problem.as_plain()}"


def test_keys_are_forgotten_when_the_way_is_closed(connection: Connection) -> None:
    vendor = Vendor(connection, reply(200))
    with vendor.caller as caller:
        caller.get("lead/")
        assert caller._secrets == {"api_key": KEY}
    assert caller._secrets == {}


def test_a_key_that_does_not_open_is_said_and_nothing_is_sent(connection: Connection) -> None:
    other = Credential.objects.create(connection=connection, name="access_token", sealed="", changed_at=NOW)
    other.sealed = Credential.objects.get(name="api_key").sealed  # a copy from another row
    other.save()
    Credential.objects.filter(name="api_key").update(sealed="v1.gone.AAAA")
    vendor = Vendor(connection, reply(200))
    with pytest.raises(Fault) as told:
        vendor.caller.get("lead/")
    assert (told.value.kind, told.value.problem.code) == (FaultKind.UNAUTHORIZED, "credential-unopened")
    assert vendor.asked == []
    with pytest.raises(VaultError, match="belongs to another row"):
        credentials.opened(connection, "access_token")


# --- Who renews


def test_one_alone_renews_a_token_for_a_minute(connection: Connection) -> None:
    assert credentials.may_renew(connection, seen="", at=NOW)  # there is none yet
    credentials.keep(connection, "access_token", "first-token", at=NOW)
    seen = credentials.mark_of(connection)
    assert not credentials.may_renew(connection, seen="", at=NOW)  # somebody kept one meanwhile
    assert not credentials.may_renew(connection, seen="another", at=NOW)
    assert credentials.may_renew(connection, seen=seen, at=NOW)
    assert not credentials.may_renew(connection, seen=seen, at=NOW)
    assert not credentials.may_renew(connection, seen=seen, at=NOW + timedelta(seconds=60))
    assert credentials.may_renew(connection, seen=seen, at=NOW + timedelta(seconds=61))  # the first was killed
    credentials.give_up_renewing(connection)
    assert credentials.may_renew(connection, seen=seen, at=NOW + timedelta(seconds=62))
    credentials.keep(connection, "access_token", "second-token", at=NOW)
    assert not credentials.may_renew(connection, seen=seen, at=NOW + timedelta(hours=1))
    assert credentials.may_renew(connection, seen=credentials.mark_of(connection), at=NOW + timedelta(seconds=1))


@pytest.fixture
def signed_in(cast: Cast) -> Connection:
    """Connected by signing in; the token has an hour left."""
    source = Source.objects.create(code="pipes", name="Pipes")
    made = Connection.objects.create(source=source, vendor="pipedrive", hook_token="u", made_by=cast.rita, made_at=NOW)
    credentials.keep(made, credentials.REFRESH, "refresh-0", at=NOW)
    credentials.keep(made, credentials.ACCESS, "access-0", at=NOW, expires_at=NOW + timedelta(hours=1))
    return made


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of each renewal; the vendor gives a token of that number, good for an hour."""
    numbers: list[int] = []

    def renew(connection: Connection, client: Client, *, aside: Any, at: Any) -> None:
        numbers.append(len(numbers) + 1)
        token = f"access-{numbers[-1]}"
        credentials.keep(connection, credentials.ACCESS, token, at=at, expires_at=at + timedelta(hours=1))

    monkeypatch.setattr(calling, "renew", renew)
    return numbers


def bearers(vendor: Vendor) -> list[str]:
    """The tokens with which it was asked."""
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in vendor.asked]


def test_a_token_that_is_refused_is_renewed_once(signed_in: Connection, renewed: list[int]) -> None:
    vendor = Vendor(signed_in, reply(401), reply(200))
    assert vendor.caller.get("api/v1/users").status == 200
    assert (bearers(vendor), renewed) == (["access-0", "access-1"], [1])
    stubborn = Vendor(signed_in, reply(401))
    with pytest.raises(Fault) as told:
        stubborn.caller.get("api/v1/users")
    assert told.value.kind is FaultKind.UNAUTHORIZED
    assert (bearers(stubborn), renewed) == (["access-1", "access-2"], [1, 2])


@pytest.mark.parametrize(("passed", "tokens"), [(3539, ["access-0"]), (3540, ["access-1"]), (7200, ["access-1"])])
def test_a_token_is_renewed_a_minute_before_it_ends(
    signed_in: Connection, renewed: list[int], passed: float, tokens: list[str]
) -> None:
    vendor = Vendor(signed_in, reply(200))
    vendor.slept = passed
    vendor.caller.get("api/v1/users")
    assert bearers(vendor) == tokens


def test_whoever_finds_that_another_renews_waits_for_it_and_asks_with_the_new_one(
    signed_in: Connection, renewed: list[int]
) -> None:
    vendor = Vendor(signed_in, reply(401), reply(200))
    vendor.caller.secret(credentials.ACCESS)
    assert credentials.may_renew(signed_in, seen=credentials.mark_of(signed_in), at=NOW)
    sleep = vendor.caller._sleep

    def meanwhile(seconds: float) -> None:
        sleep(seconds)
        if vendor.slept > 1:
            credentials.keep(signed_in, credentials.ACCESS, "of-the-other", at=NOW)

    vendor.caller._sleep = meanwhile
    vendor.caller.get("api/v1/users")
    assert (bearers(vendor), renewed) == (["access-0", "of-the-other"], [])


def test_whoever_waits_for_another_that_renews_gives_up_after_half_a_minute(
    signed_in: Connection, renewed: list[int]
) -> None:
    vendor = Vendor(signed_in, reply(401))
    vendor.caller.secret(credentials.ACCESS)
    assert credentials.may_renew(signed_in, seen=credentials.mark_of(signed_in), at=NOW)
    with pytest.raises(Wait):
        vendor.caller.get("api/v1/users")
    assert renewed == []
    assert vendor.slept == pytest.approx(30, abs=0.3)


def test_a_secret_of_the_app_that_does_not_open_is_said(signed_in: Connection) -> None:
    Credential.objects.create(connection=signed_in, name="client_secret", sealed="v1.gone.AAAA", changed_at=NOW)
    vendor = Vendor(signed_in, reply(401))
    with pytest.raises(Fault) as told:
        vendor.caller.get("api/v1/users")
    assert (told.value.kind, told.value.problem.code) == (FaultKind.UNAUTHORIZED, "credential-unopened")
    assert bearers(vendor) == ["access-0"]


def test_a_key_is_not_renewed_like_the_sign_in_that_was_there_before(
    connection: Connection, renewed: list[int]
) -> None:
    """At some vendors one may sign in or give a key: the key is what requests are signed with."""
    credentials.keep(connection, credentials.ACCESS, "access-0", at=NOW, expires_at=NOW)
    vendor = Vendor(connection, reply(401))
    with pytest.raises(Fault) as told:
        vendor.caller.get("lead/")
    assert told.value.problem.code == "vendor-unauthorized"
    assert vendor.asked[0].headers["Authorization"].startswith("Basic ")
    assert (len(vendor.asked), renewed) == (1, [])


def test_a_key_that_cannot_be_renewed_is_not(connection: Connection, renewed: list[int]) -> None:
    credentials.keep(connection, credentials.ACCESS, "access-0", at=NOW, expires_at=NOW)
    Connection.objects.filter(pk=connection.pk).update(vendor="chargebee", options={"site": "acme"})
    connection.refresh_from_db()
    vendor = Vendor(connection, reply(401))
    with pytest.raises(Fault):
        vendor.caller.get("customers")
    assert (len(vendor.asked), renewed) == (1, [])
