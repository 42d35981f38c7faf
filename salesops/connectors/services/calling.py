"""The way to a vendor for one connection: signed, within its budget, tried again, with the token renewed in time."""

from __future__ import annotations

import json as jsonlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from django.db import transaction
from django.utils import timezone

from salesops.connectors.models import Connection
from salesops.connectors.rules.backoff import reading_of, wait_of
from salesops.connectors.services import budgets, credentials
from salesops.connectors.services.authorizing import renew
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Fault, FaultKind, Vendor, Verdict
from salesops.connectors.wire import Client, Forbidden, Reply, Request, WireError
from salesops.core.vault import VaultError, scrub
from salesops.jobs.runner import JobRun
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Waits up to this long are slept; a longer one ends the attempt, so that no worker stands idle.
SLEEPS: Final = timedelta(seconds=10)
#: How often one request is tried before its fault is told.
TRIES: Final = 4
#: A token that ends within this time is renewed before it is used.
_RENEW_BEFORE: Final = timedelta(seconds=60)
#: How long to wait in all for a turn that other workers take.
_PATIENCE: Final = timedelta(minutes=1)
#: How long to wait for another worker that renews the token.
_OTHERS_RENEW: Final = timedelta(seconds=30)

#: Those who failed together do not come back together.
_DRAW: Final = random.SystemRandom()

Aside = Callable[[], AbstractContextManager[Any]]
Sleep = Callable[[float], None]


class Wait(Exception):  # noqa: N818 - not an error: come back later
    """The vendor is to be left alone until a moment."""

    def __init__(self, until: datetime, problem: Problem | None = None) -> None:
        super().__init__(until.isoformat())
        self.until = until
        self.problem = problem


class Caller:
    """`vendors.base.Http` for one connection. A context manager: it holds one client with its open sockets.

    aside: a transaction for what must be kept whatever becomes of the caller's work (`JobRun.aside` in a job). deadline:
    seconds that one exchange may take, the vendor's own unless a person waits. clock and sleep: of tests. on_reply: sees
    every exchange (recordings). trial: an access token that is not kept yet; it is used and never renewed.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        aside: Aside = transaction.atomic,
        clock: Callable[[], datetime] = timezone.now,
        sleep: Sleep = time.sleep,
        longest_sleep: timedelta = SLEEPS,
        on_reply: Callable[[Request, Reply], None] | None = None,
        deadline: float | None = None,
        tries: int = TRIES,
        trial: str = "",
    ) -> None:
        self.connection = connection
        self.vendor: Vendor = vendor_of(connection.vendor)
        self.settings: Mapping[str, str] = dict(connection.options)
        self.requests = 0
        self.vendor_time: datetime | None = None
        self._aside, self._clock, self._sleep, self._longest = aside, clock, sleep, longest_sleep
        self._on_reply = on_reply
        self._base = self.vendor.base(self.settings)
        self._client = Client(timeout=deadline or self.vendor.deadline)
        self._tries = tries
        self._secrets: dict[str, str] = {credentials.ACCESS: trial} if trial else {}
        #: The mark of the token that is in use here: whoever finds another one need not renew. None while none is.
        self._mark: str | None = None

    def __enter__(self) -> Caller:
        self._client.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._client.__exit__(*raised)
        self._secrets.clear()

    def begin_sweep(self) -> None:
        """The vendor's clock is read anew with the next reply."""
        self.vendor_time = None

    # --- vendors.base.Http

    def get(
        self,
        url: str,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (),
    ) -> Reply:
        """Ask for something."""
        return self._talk("GET", url, params, None, headers or {}, expect, is_safe=True)

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (),
        is_safe: bool = False,
    ) -> Reply:
        """Send something. What is not safe to repeat is not repeated when nobody knows whether it arrived."""
        headers = dict(headers or {})
        body = None
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False, default=str).encode()
            headers.setdefault("Content-Type", "application/json")
        elif form is not None:
            body = urlencode([(name, value) for name, value in form.items() if value is not None]).encode()
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return self._talk(method, url, params, body, headers, expect, is_safe=is_safe)

    def secret(self, name: str) -> str:
        """A credential of the connection, opened."""
        if name not in self._secrets:
            if name == credentials.ACCESS:
                self._mark = credentials.mark_of(self.connection)
            try:
                secret = credentials.opened(self.connection, name)
            except VaultError as error:
                raise Fault(FaultKind.UNAUTHORIZED, _unopened()) from error
            self._secrets[name] = secret.reveal() if secret else ""
        return self._secrets[name]

    # --- one request

    def _talk(
        self,
        method: str,
        url: str,
        params: Any,
        body: bytes | None,
        headers: Mapping[str, str],
        expect: Sequence[int],
        *,
        is_safe: bool,
    ) -> Reply:
        address = url if url.startswith(("http://", "https://")) else self._base + url.lstrip("/")
        if urlsplit(address)[:2] != urlsplit(self._base)[:2]:
            # Replies name their next page: a token goes nowhere but to the vendor.
            raise Fault(FaultKind.REFUSED, _elsewhere(self.vendor))
        pairs = _pairs(params)
        has_renewed = False
        self._renew_in_time()
        for attempt in range(1, self._tries + 1):
            self.await_turn()
            signed = {"Accept": "application/json", **headers}
            self.vendor.sign(signed, self)
            self.requests += 1
            try:
                request = Request(method=method, url=address, headers=signed, params=pairs, body=body)
                reply = self._client.send(request)
            except Forbidden as error:
                raise Fault(FaultKind.REFUSED, error.problem) from error
            except WireError as error:
                if attempt == self._tries or not is_safe:
                    raise Fault(FaultKind.PASSING, error.problem) from error
                self._rest(wait_of(0, {}, attempt, self._clock(), _DRAW.random()))
                continue
            if self._on_reply is not None:
                self._on_reply(request, reply)
            self._learn(reply)
            verdict = self.vendor.verdict(reply)
            if verdict is None or reply.status in expect:
                return reply
            if verdict.kind is FaultKind.UNAUTHORIZED and self._has_token() and not has_renewed:
                has_renewed = True
                self._renew()
                continue
            if verdict.kind not in (FaultKind.LIMITED, FaultKind.PASSING):
                raise Fault(verdict.kind, _said(self.vendor, reply, verdict))
            wait = verdict.wait or wait_of(reply.status, reply.headers, attempt, self._clock(), _DRAW.random())
            if verdict.kind is FaultKind.LIMITED:
                with self._aside():
                    budgets.block(self.connection, self._clock() + wait)
                self._rest(wait, _said(self.vendor, reply, verdict))
            elif attempt == self._tries or not (is_safe or reply.status == 503):
                raise Fault(FaultKind.PASSING, _said(self.vendor, reply, verdict), wait=wait)
            else:
                self._rest(wait, _said(self.vendor, reply, verdict))
        raise Wait(self._clock() + self._longest)

    def await_turn(self) -> None:
        """Wait until the shared budget grants a request; come back later where that takes long in all."""
        waited = timedelta(0)
        while True:
            with self._aside():
                wait = budgets.take(self.connection, self.vendor.allowance, at=self._clock())
            if not wait:
                return
            waited += wait
            self._rest(wait if waited <= _PATIENCE else self._longest + wait)

    def _rest(self, wait: timedelta, problem: Problem | None = None) -> None:
        """Sleep for a short wait; for a long one come back later."""
        if wait > self._longest:
            raise Wait(self._clock() + wait, problem)
        self._sleep(wait.total_seconds())

    def _learn(self, reply: Reply) -> None:
        """Keep what the reply says about time and budget."""
        if self.vendor_time is None:
            self.vendor_time = reply.date
        reading = reading_of(reply.headers, self._clock())
        if reading is not None:
            with self._aside():
                budgets.note(self.connection, reading, at=self._clock())

    # --- the token

    def _has_token(self) -> bool:
        """Whether requests are signed with the token of a sign-in that is kept, and not with a key or a trial."""
        self.vendor.sign({}, self)
        return self._mark is not None

    def _renew_in_time(self) -> None:
        if not self._has_token():
            return
        ends = credentials.expires_at(self.connection)
        if ends is not None and ends <= self._clock() + _RENEW_BEFORE:
            self._renew()

    def _renew(self) -> None:
        """Renew the token, or wait for the worker that does. Raises Fault UNAUTHORIZED when a person must sign in anew."""
        seen = self._mark if self._mark is not None else credentials.mark_of(self.connection)
        until = self._clock() + _OTHERS_RENEW
        while True:
            with self._aside():
                mine = credentials.may_renew(self.connection, seen=seen, at=self._clock())
            if mine:
                try:
                    renew(self.connection, self._client, aside=self._aside, at=self._clock())
                except VaultError as error:  # of the app's own secret
                    raise Fault(FaultKind.UNAUTHORIZED, _unopened()) from error
                break
            if credentials.mark_of(self.connection) != seen:
                break
            if self._clock() >= until:
                raise Wait(self._clock() + self._longest)
            self._sleep(0.2)
        self._secrets.clear()  # the next request opens the new one


def caller_for(connection: Connection, run: JobRun) -> Caller:
    """The way to the vendor from inside a job."""
    return Caller(connection, aside=run.aside, clock=run.now)


def _pairs(params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> list[tuple[str, str]]:
    """Parameters as texts, in order; those that are None are left out, lists come as repeated names."""
    given = list(params.items()) if isinstance(params, Mapping) else list(params or ())
    pairs = []
    for name, value in given:
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is not None:
                pairs.append((name, ("true" if each else "false") if isinstance(each, bool) else str(each)))
    return pairs


def _said(vendor: Vendor, reply: Reply, verdict: Verdict) -> Problem:
    """What the vendor answered, in words and with what to do."""
    message, remedy = _WORDS[verdict.kind]
    return Problem.of(
        f"vendor-{verdict.kind.value}",
        message,
        remedy=remedy,
        vendor=vendor.label,
        status=reply.status,
        words=scrub(verdict.words)[:200] or "–",
    )


def _elsewhere(vendor: Vendor) -> Problem:
    return Problem.of(
        "vendor-elsewhere",
        _("%(vendor)s leads to another host, which is not asked."),
        remedy=_("Check the address in the settings."),
        vendor=vendor.label,
    )


def _unopened() -> Problem:
    return Problem.of(
        "credential-unopened",
        _("The stored credentials cannot be opened with the keys that are here."),
        remedy=_("Put the key back, or connect anew."),
    )


_WORDS: Final[Mapping[FaultKind, tuple[str, str]]] = {
    FaultKind.PASSING: (
        _("%(vendor)s could not answer (%(status)s: %(words)s)."),
        _("Nothing needs to be done: it is tried again."),
    ),
    FaultKind.LIMITED: (
        _("%(vendor)s asks us to wait: its limit of requests is reached (%(words)s)."),
        _("Nothing needs to be done: it goes on when the limit allows. Other systems share this limit."),
    ),
    FaultKind.UNAUTHORIZED: (
        _("%(vendor)s no longer accepts the sign-in (%(words)s)."),
        _("Connect anew. Nothing was lost: it goes on where it stopped."),
    ),
    FaultKind.FORBIDDEN: (
        _("%(vendor)s does not let this connection see that (%(words)s)."),
        _("Give the connected person or app the right at the vendor, or leave this object out."),
    ),
    FaultKind.REFUSED: (
        _("%(vendor)s does not understand the request (%(status)s: %(words)s)."),
        _("Check the settings and the mapping; a column may have been renamed or removed there."),
    ),
    FaultKind.GONE: (
        _("%(vendor)s no longer knows where the last sync stopped."),
        _("Nothing needs to be done: everything is read once more."),
    ),
    FaultKind.MISSING: (
        _("%(vendor)s does not have that (%(words)s)."),
        _("It may have been deleted there, or the address in the settings is wrong."),
    ),
    FaultKind.ENDLESS: (_("The pages of %(vendor)s do not end."), _("Nothing was lost. It is tried again.")),
    FaultKind.TOO_MANY: (
        _("%(vendor)s has more records than it gives in one question (%(words)s)."),
        _("Nothing needs to be done: it is asked in smaller parts."),
    ),
    FaultKind.CHANGED: (
        _("It was changed at %(vendor)s in the meantime (%(words)s)."),
        _("The change there is brought in first."),
    ),
}
