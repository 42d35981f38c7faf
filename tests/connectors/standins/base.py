"""What all stand-in vendors share: a small server with a world of records, a clock, tokens, faults and limits.

A stand-in is the other side of a connector. It knows nothing of the product (it must not import `salesops`), speaks the
vendor's protocol as the vendor documents it, keeps state, and listens on a free port of 127.0.0.1:

    with Salesforce() as vendor:
        vendor.put("Account", 1, Name="Acme")              # creates, stamped by vendor.clock
        vendor.put("Account", 1, Name="Acme SA")           # edits, stamped again
        vendor.faults.add("429", when="/services/data", nth=2, retry_after=3)
        ...                                                # the code under test talks to vendor.origin
        assert vendor.overruns == []                       # it never went over a limit
        assert vendor.requests[0].path == "/services/data/v60.0/query"

The world: `put`, `delete`, `restore`, `purge` (really gone), `merge`, `bulk` (thousands at once), `drift` (changed without
a stamp, as formulas are), `before_page(fn)` (the world moves while somebody pages). `None` or a number as id: the vendor
makes one and `put` returns it. The clock stands still but for one second before each edit; `clock.still = True` makes
edits share a stamp, `clock.advance(60)` moves it, `clock.running = True` lets it tick. The `Date` header, the stamps and
the lives of tokens all come from it, so it may be years away from ours.

Faults: `faults.add(kind, when="/path", nth=1, times=1, **detail)` hits the nth to (nth+times-1)th request whose path
matches from its beginning (a regular expression; `when` may also be a number, the nth request, or a function of the
request; `times=None`: for ever). Kinds:

    429            retry_after=None | seconds | text; the vendor's own body and headers
    403_limit      the vendor's refusal of an exhausted allowance
    500, 502, 503  html=True for a proxy's page, retry_after= as above
    half_body      the first half, then the connection ends (Content-Length says more)
    slow_body      a byte each `every` seconds until released
    hang           no answer until released; then closed
    reset          the connection is torn down without an answer
    garbled        200 with a page of HTML
    huge           a body of `size` bytes (spaces behind the JSON), written as long as somebody reads
    bomb           a small body that unpacks to `size` bytes
    redirect       302 to `to`
    expire_token   access tokens die before this request is looked at
    endless_cursor mode="repeat" (the same position again) or "invent" (new ones for ever)
    search_lag     from this call on searches show the old state: until `release()`, or `seconds=` after each edit

How to write one for another vendor (see outreach.py, or the `Corner` in test_standins.py, which is 25 lines):

1. `class Vendor(StandIn)` with `vendor`, `precision` of stamps, `oauth = OAuth(...)` and/or `key_in`.
2. Say what the vendor says when it refuses: `unauthorized`, `too_many`, `limit_reached`, `not_found`, `token_error`.
3. Say how a record looks: `show(row)`. Times: `self.moment(at)` where the vendor's form differs from ISO with Z.
4. Routes: `@route("GET", "/v1/{object}", page=True)` on a method `(self, ask, object) -> dict | list | Reply`; `page=True`
   makes `before_page` look at it, `is_open=True` asks for no token. `raise RefusedError(status, body)` to refuse.
5. Pages: `self.by_offset(rows, start, size)`, `self.by_number(rows, page, size)`, `self.after(rows, last_id, size)` look
   at the world as it is now (rows move!), `self.by_cursor(make_rows, cursor, size)` hands out opaque cursors over what was
   there first. Each gives a `Slice(rows, next)`, and takes part in `endless_cursor`; `self.cut(...)` for your own.
6. Pushes: `hook_items(event)` makes what is told of an event (perhaps nothing, perhaps several things),
   `hook_delivery(items, at)` signs one delivery of at most `hook_size` of them. `self.log` has all events.
7. Rates: `limit(per=seconds, n=count, path="")` is enforced and counted in `overruns`; `rate_headers()` names the rest,
   `cost(ask)` what a call costs (default 1), `documented` the vendor's own limits for `limit_as_documented()`.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import random
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

#: When the world of a stand-in begins, unless a test says otherwise; the frozen clock of the cast says the same.
BEGINNING = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
#: Longest time that a hanging or dripping answer waits to be released, so that a forgotten one ends too.
PATIENCE = 60.0


class Clock:
    """The vendor's clock. Stands still unless edited, advanced or set running."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self._base = now
        self._since: float | None = None
        self._advanced = 0.0
        #: Seconds before each edit; ignored while `still`.
        self.step = 1.0
        #: While true, edits do not move the clock: they share a stamp.
        self.still = False

    @property
    def now(self) -> datetime:
        if self._since is None:
            return self._base
        return self._base + timedelta(seconds=time.perf_counter() - self._since)

    @now.setter
    def now(self, moment: datetime) -> None:
        self._base = moment
        if self._since is not None:
            self._since = time.perf_counter()

    @property
    def running(self) -> bool:
        """Whether it ticks by itself, from where it stands."""
        return self._since is not None

    @running.setter
    def running(self, running: bool) -> None:
        self._base = self.now
        self._since = time.perf_counter() if running else None

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, for stamps, tokens and limits."""
        self.now = self.now + timedelta(seconds=seconds)
        self._advanced += seconds

    def tick(self) -> datetime:
        """The moment of an edit: one step later than the one before."""
        if not self.still:
            self.now = self.now + timedelta(seconds=self.step)
        return self.now

    def lapse(self) -> float:
        """Seconds by which limits are counted: what really passed and what was advanced, but not the steps of edits."""
        return time.perf_counter() + self._advanced


@dataclass
class Row:
    """A record of the vendor: its own fields, as they go over the wire, and what happened to it."""

    object: str
    id: str
    fields: dict[str, Any]
    created_at: datetime
    modified_at: datetime
    deleted_at: datetime | None = None
    merged_into: str | None = None
    #: What a vendor keeps beside: merged ids, a stamp of the system, a version number.
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)


@dataclass(frozen=True)
class Event:
    """Something that happened to a record; webhooks and event logs tell of it."""

    number: int
    object: str
    id: str
    #: created, updated, deleted, restored or merged
    kind: str
    at: datetime
    fields: dict[str, Any]
    #: The fields that changed, with their values before.
    previous: dict[str, Any]
    merged_into: str | None = None


@dataclass
class Request:
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    #: The vendor's moment.
    at: datetime
    #: What it was answered; 0 while it is not, or when the connection was cut.
    status: int = 0
    route: str = ""

    @property
    def params(self) -> dict[str, str]:
        """Query parameters; of a repeated one the last."""
        return dict(self.pairs)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    def values(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for key, value in self.pairs if key == name]

    def number(self, name: str, default: int) -> int:
        """A whole number from the query; raises ValueError where it is none."""
        return int(self.params.get(name) or default)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null", parse_float=Decimal)

    @property
    def bearer(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password of HTTP Basic, if it is there and readable."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(token).decode().partition(":")
        except ValueError:
            return None
        return user, password


@dataclass
class Reply:
    """What is answered: JSON of `data`, or `body` as it is."""

    data: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.status in (204, 304):
            return b""
        return dump(self.data)


#: After so many pages that never end the stand-in gives up, so that who does not notice is told by a test and not by none.
ENOUGH = 1_000


class RefusedError(Exception):
    """Raised in a route: the vendor says no."""

    def __init__(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(status))
        self.reply = Reply(data, status, headers or {})


@dataclass(frozen=True)
class Slice:
    """A page: its rows and what leads to the next one, or None."""

    rows: list[Any]
    next: Any


@dataclass(frozen=True)
class Delivery:
    """A webhook as the vendor sends it. `url` is the public one that the customer gave."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")


def dump(data: Any) -> bytes:
    """JSON with exact decimals as numbers, which `json` itself cannot write."""

    def other(value: Any) -> str:
        if isinstance(value, Decimal):
            return f"\x02{value}\x03"
        raise TypeError(f"{type(value).__name__} does not go over the wire")

    text = json.dumps(data, default=other, separators=(",", ":"))
    return re.sub(r'"\\u0002([^"\\]+)\\u0003"', r"\1", text).encode()


def iso(at: datetime, *, digits: int = 3, zone: str = "Z") -> str:
    """A moment in UTC with so many digits behind the second."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{at.microsecond:06d}"[: digits + 1] if digits else "") + zone


@dataclass
class Fault:
    """Something that goes wrong with chosen requests."""

    kind: str
    when: str | Callable[[Request], bool]
    nth: int
    times: int | None
    detail: dict[str, Any]
    seen: int = 0
    #: How many requests it has hit.
    fired: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def hits(self, ask: Request) -> bool:
        """Whether this request is one of those; counts."""
        if not (self.when(ask) if callable(self.when) else re.match(self.when, ask.path)):
            return False
        self.seen += 1
        hit = self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)
        self.fired += hit
        return hit

    def release(self) -> None:
        """Let go what hangs, drips or lags."""
        self.released.set()


class Faults:
    """The faults of a stand-in that have been asked for."""

    KINDS = frozenset(
        {"429", "403_limit", "500", "502", "503", "half_body", "slow_body", "hang", "reset", "garbled", "huge", "bomb"}
        | {"redirect", "expire_token", "endless_cursor", "search_lag"}
    )

    def __init__(self) -> None:
        self.all: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        kind: str | int,
        when: str | int | Callable[[Request], bool] = "",
        *,
        nth: int = 1,
        times: int | None = 1,
        **detail: Any,
    ) -> Fault:
        """Arrange for a fault; see the head of this file."""
        kind = str(kind)
        if kind not in self.KINDS:
            raise ValueError(f"no such fault: {kind}")
        if isinstance(when, int):
            nth = when
        where = "" if isinstance(when, int) else when
        if kind in ("search_lag", "endless_cursor"):
            times = None if times == 1 else times
        fault = Fault(kind, where, nth, times, detail)
        with self._lock:
            self.all.append(fault)
        return fault

    def for_(self, ask: Request) -> list[Fault]:
        """The faults that hit this request."""
        with self._lock:
            return [fault for fault in self.all if fault.kind != "search_lag" and fault.hits(ask)]

    def clear(self) -> None:
        """Everything works again; what hangs is let go."""
        with self._lock:
            for fault in self.all:
                fault.release()
            self.all.clear()

    def lagging(self) -> list[Fault]:
        return [fault for fault in self.all if fault.kind == "search_lag" and not fault.released.is_set()]


@dataclass
class Limit:
    """So many calls in so many seconds, a rolling window, for paths that match from their beginning."""

    per: float
    n: int
    path: str
    name: str
    spent: list[tuple[float, int]] = field(default_factory=list)

    def used(self, lapse: float) -> int:
        self.spent = [(at, cost) for at, cost in self.spent if at > lapse - self.per]
        return sum(cost for _at, cost in self.spent)

    def resets_in(self, lapse: float) -> float:
        """Seconds until the oldest call leaves the window."""
        return max(0.0, self.spent[0][0] + self.per - lapse) if self.spent else 0.0


@dataclass(frozen=True)
class OAuth:
    """How a vendor hands out tokens. Times in seconds."""

    authorize: str
    token: str
    #: Life of an access token; None: the reply has no expires_in.
    lifetime: int | None = 3600
    #: Whether each refresh gives a new refresh token and ends the old one.
    rotates: bool = False
    #: How long an old refresh token still works after it was replaced.
    grace: int = 0
    #: Whether using a replaced refresh token ends the whole authorisation.
    reuse_revokes: bool = False
    refresh_lifetime: int | None = None
    pkce_required: bool = False
    #: Least seconds between two tokens.
    mint_every: int = 0
    #: Other addresses that do what `token` does.
    also: tuple[str, ...] = ()


@dataclass
class Grant:
    """One authorisation by one customer: its tokens live and die together."""

    scope: str
    access: dict[str, datetime | None] = field(default_factory=dict)
    refresh: str = ""
    refresh_until: datetime | None = None
    #: Replaced refresh tokens, and until when they are still taken.
    replaced: dict[str, datetime] = field(default_factory=dict)
    is_revoked: bool = False


@dataclass(frozen=True)
class Code:
    """An authorisation code: once, shortly, for the same redirect_uri and verifier."""

    redirect_uri: str
    challenge: str
    scope: str
    until: datetime


@dataclass(frozen=True)
class Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    function: Callable[..., Any]
    is_open: bool
    is_page: bool


def route(method: str, template: str, *, is_open: bool = False, page: bool = False) -> Callable[[Any], Any]:
    """Mark a method as the answer to an address. `{name}` matches one part of the path, `{name:path}` the rest.

    May be stacked. Routes are tried in the order of the file, those of a subclass first.
    """

    def mark(function: Any) -> Any:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        pattern = re.sub(r"\\\{(\w+):path\\\}", r"(?P<\1>.*)", pattern)
        found = Route(method, template, re.compile(f"^{pattern}$"), function, is_open, page)
        function.routes = [found, *getattr(function, "routes", [])]
        return function

    return mark


class StandIn:
    """A vendor that is none. See the head of this file."""

    vendor: ClassVar[str] = ""
    #: How fine the vendor's stamps are.
    precision: ClassVar[timedelta] = timedelta(milliseconds=1)
    oauth: ClassVar[OAuth | None] = None
    #: Where an API key goes: "basic" (as user), "bearer", or a header's name; "" where there are none.
    key_in: ClassVar[str] = ""
    #: Most items in one webhook delivery.
    hook_size: ClassVar[int] = 1
    #: The vendor's limits: seconds, calls, path, name.
    documented: ClassVar[tuple[tuple[float, int, str, str], ...]] = ()
    _routes: ClassVar[list[Route]] = []

    client_id = "client-of-the-portal"
    client_secret = "obviously-not-a-secret"
    api_key = "obviously-not-a-key"
    hook_secret = "obviously-not-a-hook-secret"
    #: The public address that the customer gave for webhooks.
    hook_url = "https://portal.example.com/hooks/"

    def __init_subclass__(cls) -> None:
        own = [found for value in vars(cls).values() for found in getattr(value, "routes", [])]
        cls._routes = own + [found for base in cls.__bases__ for found in getattr(base, "_routes", [])]

    def __init__(self, *, now: datetime = BEGINNING) -> None:
        self.clock = Clock(now)
        self.requests: list[Request] = []
        self.faults = Faults()
        self.limits: list[Limit] = []
        #: Requests that came although a limit was used up.
        self.overruns: list[Request] = []
        self.log: list[Event] = []
        self.world: dict[str, dict[str, Row]] = {}
        self.grants: list[Grant] = []
        self.codes: dict[str, Code] = {}
        #: Addresses to which consent may lead back; empty: any.
        self.redirect_uris: set[str] = set()
        #: Whether the customer says no on the page of consent.
        self.denies = False
        #: How often a token was refreshed, and how often that was refused.
        self.refreshes = 0
        self.refused_refreshes = 0
        self.lock = threading.RLock()
        self._minted_at: datetime | None = None
        self._pages = 0
        self._before_page: Callable[[int], object] | None = None
        self._cursors: dict[str, tuple[list[tuple[str, str]], int]] = {}
        #: Events that searches do not know yet: until when, because of which fault, the event's number.
        self._late: list[tuple[datetime | None, Fault, int]] = []
        self._numbers = 0
        self._happened = 0
        self._server: ThreadingHTTPServer | None = None
        self._connections: set[socket.socket] = set()
        self._local = threading.local()

    # -- Life

    def __enter__(self) -> Self:
        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that went away is no news; anything else shows as 500 with the reason."""

        Handler = type("Handler", (_Handler,), {"standin": self})  # noqa: N806
        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go what hangs, cut what is open, stop."""
        self.faults.clear()
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server = None

    @property
    def origin(self) -> str:
        """Scheme, address and port, without a slash."""
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        """127.0.0.1:port"""
        if self._server is None:
            raise RuntimeError("the stand-in is not running")
        return f"127.0.0.1:{self._server.server_address[1]}"

    def asked(self, path: str = "", method: str = "") -> list[Request]:
        """The requests so far whose path begins so."""
        return [ask for ask in self.requests if ask.path.startswith(path) and method in ("", ask.method)]

    # -- The world

    def identity(self, object: str, id: object) -> str:
        """The id as the vendor writes it; None asks for a new one."""
        if id is None:
            self._numbers += 1
            return str(100000 + self._numbers)
        return str(id)

    def stamp(self, at: datetime) -> datetime:
        """A moment as fine as the vendor keeps it."""
        return at - (at - datetime.min.replace(tzinfo=UTC)) % self.precision

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        """Create a record or edit it, stamped with the vendor's moment. Returns its id.

        Raises LookupError for a deleted one.
        """
        with self.lock:
            at = self.stamp(self.clock.tick())
            key = self.identity(object, id)
            rows = self.world.setdefault(object, {})
            row = rows.get(key)
            fields = {name: self.wire(value) for name, value in fields.items()}
            if row is None:
                row = rows[key] = Row(object, key, {}, at, at)
                self.birth(row)
                row.fields.update(fields)
                self.changed(row, "created", {})
                return key
            if row.is_deleted:
                raise LookupError(f"{object} {key} is deleted")
            previous = {name: row.fields.get(name) for name in fields if row.fields.get(name) != fields[name]}
            row.fields.update(fields)
            row.modified_at = at
            self.changed(row, "updated", previous)
            return key

    def bulk(
        self, object: str, n: int, make: Callable[[int], dict[str, Any]] | None = None, **fields: Any
    ) -> list[str]:
        """Thousands of records, a hundredth of a second apart (many share a stamp where stamps are coarse)."""
        with self.lock:
            step, self.clock.step = self.clock.step, 0.01
            try:
                return [self.put(object, None, **fields, **(make(number) if make else {})) for number in range(n)]
            finally:
                self.clock.step = step

    def delete(self, object: str, id: object) -> None:
        """The record goes to where the vendor puts the deleted."""
        with self.lock:
            row = self.row(object, id)
            row.deleted_at = row.modified_at = self.stamp(self.clock.tick())
            self.changed(row, "deleted", {})

    def restore(self, object: str, id: object) -> None:
        """The record comes back."""
        with self.lock:
            row = self.row(object, id)
            row.deleted_at, row.merged_into = None, None
            row.modified_at = self.stamp(self.clock.tick())
            self.changed(row, "restored", {})

    def purge(self, object: str, id: object) -> None:
        """The record is gone for good, without a trace."""
        with self.lock:
            row = self.row(object, id)
            del self.world[object][row.id]

    def merge(self, object: str, loser: object, winner: object) -> None:
        """Two records become one; the winner is stamped."""
        with self.lock:
            gone, stays = self.row(object, loser), self.row(object, winner)
            at = self.stamp(self.clock.tick())
            gone.deleted_at = gone.modified_at = at
            gone.merged_into = stays.id
            stays.modified_at = at
            self.changed(gone, "merged", {})
            self.changed(stays, "updated", {})

    def drift(self, object: str, id: object, /, **fields: Any) -> None:
        """Change fields without a stamp or an event, as a formula does."""
        with self.lock:
            row = self.row(object, id)
            row.fields.update({name: self.wire(value) for name, value in fields.items()})

    def row(self, object: str, id: object) -> Row:
        """One record, deleted or not. Raises KeyError."""
        return self.world[object][self.identity(object, id)]

    def rows(self, object: str, *, is_deleted: bool | None = False) -> list[Row]:
        """The records of an object in the order they were made; None: the deleted ones too."""
        rows = self.world.get(object, {}).values()
        return [row for row in rows if is_deleted is None or row.is_deleted == is_deleted]

    def birth(self, row: Row) -> None:
        """Vendors put defaults into a new record here, before its own fields."""

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        """Log what happened. Vendors that keep more (histories) extend it."""
        self._happened += 1
        event = Event(
            self._happened,
            row.object,
            row.id,
            kind,
            row.modified_at,
            dict(row.fields),
            previous,
            row.merged_into,
        )
        self.log.append(event)
        for fault in self.faults.lagging()[:1]:
            wait = fault.detail.get("seconds")
            until = None if wait is None else row.modified_at + timedelta(seconds=wait)
            self._late.append((until, fault, event.number))

    def indexed(self, object: str) -> list[Row]:
        """The records as the search index knows them: old while a `search_lag` is on."""
        with self.lock:
            now = self.clock.now
            self._late = [
                (until, fault, number)
                for until, fault, number in self._late
                if not fault.released.is_set() and (until is None or now < until)
            ]
            late = {number for _until, _fault, number in self._late}
            if not late:
                return self.rows(object)
            rows = {row.id: row for row in self.rows(object, is_deleted=None)}
            for id in {event.id for event in self.log if event.number in late and event.object == object}:
                row = rows.pop(id, None)
                known = [
                    event for event in self.log if (event.object, event.id) == (object, id) and event.number not in late
                ]
                if row and known:
                    last = known[-1]
                    gone = last.at if last.kind in ("deleted", "merged") else None
                    rows[id] = Row(object, id, last.fields, row.created_at, last.at, gone, more=row.more)
            return [row for row in rows.values() if not row.is_deleted]

    def wire(self, value: Any) -> Any:
        """A value of a test as it goes over the wire; moments and days become text."""
        if isinstance(value, datetime):
            return self.moment(value)
        return value.isoformat() if hasattr(value, "isoformat") else value

    def moment(self, at: datetime) -> Any:
        """A moment as the vendor writes it."""
        return iso(at)

    # -- Pages

    def before_page(self, fn: Callable[[int], object] | None) -> None:
        """Call `fn(1)`, `fn(2)`... before each request for a page, from now on, so that the world may move."""
        self._before_page, self._pages = fn, 0

    def by_offset(self, rows: Sequence[Row], start: int, size: int) -> Slice:
        """Rows from `start` on; next is the position behind them."""
        chunk = list(rows[start : start + size])
        return self.cut(chunk, start + size if start + size < len(rows) else None, start, lambda: start + size)

    def by_number(self, rows: Sequence[Row], number: int, size: int) -> Slice:
        """The page of that number, from 1; next is a number."""
        chunk = list(rows[(number - 1) * size : number * size])
        return self.cut(chunk, number + 1 if number * size < len(rows) else None, number, lambda: number + 1)

    def after(self, rows: Sequence[Row], last: str | None, size: int) -> Slice:
        """Rows behind the one with that id, from the first on where it is not among them; next is an id."""
        places = {row.id: place for place, row in enumerate(rows)}
        start = places[last] + 1 if last in places else 0
        chunk = list(rows[start : start + size])
        is_more = start + size < len(rows)
        return self.cut(chunk, chunk[-1].id if is_more else None, last, lambda: self.identity("", None))

    def by_cursor(self, make: Callable[[], Iterable[Row]], cursor: str | None, size: int) -> Slice:
        """Rows that were there when the first page was asked for, as they are now; next is opaque.

        Raises KeyError for a cursor that was never given out.
        """
        ids, start = self._cursors[cursor] if cursor else ([(row.object, row.id) for row in make()], 0)
        rows = [self.world[object][id] for object, id in ids[start : start + size] if id in self.world[object]]

        def name() -> str:
            token = secrets.token_urlsafe(12)
            self._cursors[token] = (ids, min(start + size, len(ids)))
            return token

        return self.cut(rows, name() if start + size < len(ids) else None, cursor or name(), name)

    def cut(self, rows: list[Any], following: Any, here: Any, invent: Callable[[], Any]) -> Slice:
        """The page, unless the cursor is one that never ends."""
        for fault in getattr(self._local, "faults", []):
            if fault.kind == "endless_cursor":
                if fault.fired > ENOUGH:
                    raise RefusedError(508, "It was asked without an end")
                following = invent() if fault.detail.get("mode") == "invent" else here or invent()
        return Slice(rows, following)

    # -- Who may

    def authorized(self, ask: Request) -> bool:
        """Whether the request carries a token or key that is valid now."""
        if self.key_in == "basic" and ask.basic and ask.basic[0] == self.api_key:
            return True
        if self.key_in == "bearer" and ask.bearer == self.api_key:
            return True
        if self.key_in not in ("", "basic", "bearer") and ask.headers.get(self.key_in.lower()) == self.api_key:
            return True
        return self.grant_of(ask.bearer) is not None

    def grant_of(self, token: str) -> Grant | None:
        """The authorisation to which a living access token belongs."""
        for grant in self.grants:
            if token in grant.access and not grant.is_revoked:
                until = grant.access[token]
                if until is None or self.clock.now < until:
                    return grant
        return None

    def give_tokens(self, scope: str = "") -> dict[str, Any]:
        """Tokens without the walk through consent: the reply that the token address would have given."""
        with self.lock:
            grant = Grant(scope)
            self.grants.append(grant)
            return self._mint(grant, "authorization_code")

    def expire_tokens(self) -> None:
        """All access tokens die now; refresh tokens live."""
        with self.lock:
            for grant in self.grants:
                grant.access.clear()

    def revoke(self) -> None:
        """The customer takes the authorisation back: nothing works any more."""
        with self.lock:
            for grant in self.grants:
                grant.is_revoked = True

    def _mint(self, grant: Grant, kind: str) -> dict[str, Any]:
        assert self.oauth is not None
        now = self.clock.now
        access = f"access-{secrets.token_hex(12)}"
        lifetime = self.oauth.lifetime
        grant.access[access] = None if lifetime is None else now + timedelta(seconds=lifetime)
        is_new = kind == "authorization_code"
        if is_new or (kind == "refresh_token" and self.oauth.rotates):
            if grant.refresh:
                grant.replaced[grant.refresh] = now + timedelta(seconds=self.oauth.grace)
            grant.refresh = f"refresh-{secrets.token_hex(12)}"
            is_new = True
        if self.oauth.refresh_lifetime:
            grant.refresh_until = now + timedelta(seconds=self.oauth.refresh_lifetime)
        reply: dict[str, Any] = {"access_token": access, "token_type": "Bearer"}
        if lifetime is not None:
            reply["expires_in"] = lifetime
        if kind != "client_credentials" and (is_new or self.repeats_refresh_token):
            reply["refresh_token"] = grant.refresh
        return self.token_reply(reply, grant, kind)

    #: Whether a refresh names the old refresh token again, where it is not replaced.
    repeats_refresh_token: ClassVar[bool] = False

    def token_reply(self, reply: dict[str, Any], grant: Grant, kind: str) -> dict[str, Any]:
        """What else the vendor says with a token."""
        return reply

    def token_error(self, error: str, description: str, status: int = 400) -> Reply:
        """A refusal by the token address."""
        return Reply({"error": error, "error_description": description}, status)

    def _authorize(self, ask: Request) -> Reply:
        """The page of consent, which consents at once."""
        assert self.oauth is not None
        params = ask.params
        back = params.get("redirect_uri", "")
        if params.get("client_id") != self.client_id:
            return Reply(status=400, body=b"<html>unknown client_id</html>", headers={"Content-Type": "text/html"})
        if not re.match(r"https?://", back) or (self.redirect_uris and back not in self.redirect_uris):
            return Reply(status=400, body=b"<html>redirect_uri mismatch</html>", headers={"Content-Type": "text/html"})
        answer = {"state": params["state"]} if "state" in params else {}
        challenge = params.get("code_challenge", "")
        if params.get("response_type") != "code":
            answer["error"] = "unsupported_response_type"
        elif (self.oauth.pkce_required and not challenge) or (
            challenge and params.get("code_challenge_method") != "S256"
        ):
            answer["error"] = "invalid_request"
        elif self.denies:
            answer["error"] = "access_denied"
        else:
            code = f"code-{secrets.token_hex(8)}"
            until = self.clock.now + timedelta(minutes=10)
            self.codes[code] = Code(back, challenge, params.get("scope", ""), until)
            answer["code"] = code
        return Reply(
            status=302, body=b"", headers={"Location": f"{back}{'&' if '?' in back else '?'}{urlencode(answer)}"}
        )

    def _token(self, ask: Request) -> Reply:
        """The token address: codes once, refresh tokens by the vendor's rules."""
        assert self.oauth is not None
        form = ask.form
        client = ask.basic or (form.get("client_id", ""), form.get("client_secret", ""))
        if client != (self.client_id, self.client_secret):
            return self.token_error("invalid_client", "invalid client credentials", 401)
        now = self.clock.now
        if (
            self._minted_at
            and self.oauth.mint_every
            and now < self._minted_at + timedelta(seconds=self.oauth.mint_every)
        ):
            return self.too_many(float(self.oauth.mint_every))
        reply = self._granted(form)
        if reply.status == 200:
            self._minted_at = now
        return reply

    def _granted(self, form: dict[str, str]) -> Reply:
        """The answer to a request for tokens by a client that is known."""
        now = self.clock.now
        kind = form.get("grant_type")
        if kind == "authorization_code":
            code = self.codes.pop(form.get("code", ""), None)
            if code is None or now > code.until:
                return self.token_error("invalid_grant", "expired authorization code")
            if code.redirect_uri != form.get("redirect_uri"):
                return self.token_error("invalid_grant", "redirect_uri mismatch")
            proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            if code.challenge and proof.decode().rstrip("=") != code.challenge:
                return self.token_error("invalid_grant", "invalid code verifier")
            grant = Grant(code.scope)
            self.grants.append(grant)
            return Reply(self._mint(grant, kind))
        if kind == "refresh_token":
            return self._refresh(form.get("refresh_token", ""))
        if kind == "client_credentials":
            grant = Grant(form.get("scope", ""))
            self.grants.append(grant)
            return Reply(self._mint(grant, kind))
        return self.token_error("unsupported_grant_type", "grant type not supported")

    def _refresh(self, token: str) -> Reply:
        assert self.oauth is not None
        now = self.clock.now
        for grant in self.grants:
            if grant.is_revoked:
                continue
            in_grace = token in grant.replaced and now < grant.replaced[token]
            if token and (token == grant.refresh or in_grace):
                if grant.refresh_until and now >= grant.refresh_until:
                    break
                self.refreshes += 1
                return Reply(self._mint(grant, "refresh_token"))
            if token in grant.replaced and self.oauth.reuse_revokes:
                grant.is_revoked = True
        self.refused_refreshes += 1
        return self.token_error("invalid_grant", "expired access/refresh token")

    # -- What the vendor says when it refuses; vendors say it in their own words

    def unauthorized(self, ask: Request) -> Reply:
        return Reply({"error": "unauthorized"}, 401)

    def not_found(self, ask: Request) -> Reply:
        return Reply({"error": "not found"}, 404)

    def too_many(self, retry_after: float | str | None) -> Reply:
        """429; `retry_after` in seconds, or text to be sent as it is."""
        return Reply({"error": "too many requests"}, 429, self.retry_header(retry_after))

    def limit_reached(self) -> Reply:
        """The refusal of an exhausted allowance, often 403."""
        return Reply({"error": "limit exceeded"}, 403)

    def over(self, limit: Limit, retry_after: float) -> Reply:
        """What is said to a request over a limit."""
        return self.too_many(retry_after)

    def retry_header(self, retry_after: float | str | None) -> dict[str, str]:
        if retry_after is None:
            return {}
        return {"Retry-After": retry_after if isinstance(retry_after, str) else str(max(1, int(retry_after + 0.999)))}

    def failure(self, status: int) -> Reply:
        """The vendor's own 500, 502 or 503."""
        return Reply({"error": "internal error"}, status)

    # -- Limits

    def limit(self, *, per: float, n: int, path: str = "", name: str = "") -> Limit:
        """No more than `n` calls in `per` seconds, really enforced. Time is what really passes plus `clock.advance`."""
        limit = Limit(per, n, path, name)
        self.limits.append(limit)
        return limit

    def limit_as_documented(self) -> None:
        """Hold the caller to what the vendor's documentation says."""
        for per, n, path, name in self.documented:
            self.limit(per=per, n=n, path=path, name=name)

    def cost(self, ask: Request) -> int:
        """What a call takes from its limits."""
        return 1

    def rate_headers(self, ask: Request) -> dict[str, str]:
        """What the vendor tells of its limits with every answer."""
        return {}

    def remaining(self, limit: Limit) -> int:
        return max(0, limit.n - limit.used(self.clock.lapse()))

    def _spend(self, ask: Request) -> Reply | None:
        """Take the call from its limits; a refusal where one is used up."""
        lapse, cost = self.clock.lapse(), self.cost(ask)
        mine = [limit for limit in self.limits if re.match(limit.path, ask.path)]
        for limit in mine:
            if limit.used(lapse) + cost > limit.n:
                self.overruns.append(ask)
                return self.over(limit, limit.resets_in(lapse))
        for limit in mine:
            limit.spent.append((lapse, cost))
        return None

    # -- Pushes

    def hook_items(self, event: Event) -> list[Any]:
        """What is told of an event."""
        return [event]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        """One signed delivery of these items, sent at that moment."""
        raise NotImplementedError

    def hook_deliveries(
        self,
        *,
        since: int = 0,
        objects: Iterable[str] = (),
        twice: bool = False,
        shuffle: int | None = None,
        at: datetime | None = None,
    ) -> list[Delivery]:
        """What the vendor would send of the events after number `since`: perhaps each twice, perhaps in another order.

        `shuffle` seeds the order, so that a test sees the same one each time; `at` is the moment of sending, by default
        the vendor's now.
        """
        wanted = set(objects)
        events = [event for event in self.log if event.number > since and (not wanted or event.object in wanted)]
        items = [item for event in events for item in self.hook_items(event)]
        if twice:
            items = items + items
        if shuffle is not None:
            random.Random(shuffle).shuffle(items)
        size = self.hook_size
        starts = range(0, len(items), size)
        return [self.hook_delivery(items[start : start + size], at or self.clock.now) for start in starts]

    # -- Answering

    def answer(self, ask: Request) -> Reply:
        """The answer to a request, faults apart."""
        if self.oauth and ask.path == self.oauth.authorize and ask.method == "GET":
            return self._authorize(ask)
        if self.oauth and ask.path in (self.oauth.token, *self.oauth.also) and ask.method == "POST":
            return self._token(ask)
        for found in self._routes:
            match = found.pattern.match(ask.path)
            if not match or found.method != ask.method:
                continue
            ask.route = found.template
            parts = {name: unquote(value) for name, value in match.groupdict().items()}
            if not found.is_open:
                refusal = None if self.authorized(ask) else self.unauthorized(ask)
                refusal = refusal or self._spend(ask)
                if refusal:
                    return refusal
            if found.is_page and self._before_page:
                self._pages += 1
                self._before_page(self._pages)
            try:
                reply = found.function(self, ask, **parts)
            except RefusedError as refusal:
                return refusal.reply
            return reply if isinstance(reply, Reply) else Reply(reply)
        return self.not_found(ask)

    def respond(self, ask: Request, faults: list[Fault]) -> Reply:
        """The answer, with those faults that change what is said rather than how it travels."""
        for fault in faults:
            detail = fault.detail
            retry = detail.get("retry_after")
            if fault.kind == "expire_token":
                self.expire_tokens()
            elif fault.kind == "429":
                return self.too_many(retry)
            elif fault.kind == "403_limit":
                return self.limit_reached()
            elif fault.kind in ("500", "502", "503"):
                if detail.get("html"):
                    page = f"<html><h1>{fault.kind}</h1></html>".encode()
                    reply = Reply(status=int(fault.kind), body=page, headers={"Content-Type": "text/html"})
                else:
                    reply = self.failure(int(fault.kind))
                reply.headers.update(self.retry_header(retry))
                return reply
            elif fault.kind == "garbled":
                page = b"<!DOCTYPE html><html><body>We will be right back</body></html>"
                return Reply(body=page, headers={"Content-Type": "text/html; charset=utf-8"})
            elif fault.kind == "bomb":
                packed = gzip.compress(b" " * detail.get("size", 1 << 28), 9)
                return Reply(body=packed, headers={"Content-Encoding": "gzip"})
            elif fault.kind == "redirect":
                return Reply(status=302, body=b"", headers={"Location": detail["to"]})
        with self.lock:
            self._local.faults = faults
            try:
                reply = self.answer(ask)
                if ask.route:
                    reply.headers = {**self.rate_headers(ask), **reply.headers}
                return reply
            finally:
                self._local.faults = []


class _Handler(BaseHTTPRequestHandler):
    """The wire: reads a request, has it answered, lets the answer travel well or badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    standin: ClassVar[StandIn]

    def setup(self) -> None:
        super().setup()
        self.standin._connections.add(self.connection)

    def finish(self) -> None:
        self.standin._connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_parts: object) -> None:
        """Tests read `requests`."""

    def _handle(self) -> None:
        standin = self.standin
        length = int(self.headers.get("Content-Length") or 0)
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        ask = Request(self.command, path, query, headers, self.rfile.read(length), standin.clock.now)
        with standin.lock:
            standin.requests.append(ask)
        faults = standin.faults.for_(ask)
        for fault in faults:
            if fault.kind == "hang":
                fault.released.wait(PATIENCE)
                self._cut()
                return
            if fault.kind == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._cut()
                return
        try:
            reply = standin.respond(ask, faults)
            content = reply.content()
        except Exception as error:
            reply = Reply(status=500, body=f"the stand-in itself failed: {error!r}".encode())
            content = reply.body or b""
        ask.status = reply.status
        self._send(ask, reply, content, faults)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.close()

    def _send(self, ask: Request, reply: Reply, content: bytes, faults: list[Fault]) -> None:
        headers = {"Content-Type": "application/json;charset=UTF-8", **reply.headers}
        ways = {fault.kind: fault for fault in faults}
        size = max(ways["huge"].detail.get("size", 1 << 30), len(content)) if "huge" in ways else len(content)
        self.send_response_only(reply.status)
        self.send_header("Date", format_datetime(self.standin.clock.now, usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(size))
        try:
            self.end_headers()
            if "half_body" in ways:
                self.wfile.write(content[: len(content) // 2])
                self._cut()
            elif "slow_body" in ways:
                self._drip(content, ways["slow_body"])
            elif "huge" in ways:
                self.wfile.write(content)
                for _ in self._blocks(size - len(content)):
                    pass
            else:
                self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def _drip(self, content: bytes, fault: Fault) -> None:
        """A byte now and then; the rest at once when released."""
        ends = time.perf_counter() + PATIENCE
        for place in range(len(content)):
            if fault.released.wait(fault.detail.get("every", 0.05)) or time.perf_counter() > ends:
                self.wfile.write(content[place:])
                return
            self.wfile.write(content[place : place + 1])

    def _blocks(self, size: int) -> Iterator[int]:
        while size > 0:
            block = min(size, 1 << 16)
            self.wfile.write(b" " * block)
            size -= block
            yield size
