"""The one door through which the portal asks other systems over HTTP: guarded, bounded, and silent about secrets."""

import json
import queue
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import TracebackType
from typing import Any, Final, NoReturn, Self
from urllib.parse import quote, urlencode

import certifi
import httpcore
import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Seconds for a whole exchange with all its redirects, and for one attempt to reach one address.
TIMEOUT_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 10.0
#: Bytes of a reply, unpacked.
MAX_BYTES: Final = 50 * 1024 * 1024
MAX_REDIRECTS: Final = 5
USUAL_PORTS: Final = frozenset({80, 443, 8443})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: What goes along to another origin. Vendors put their keys under many names, so all the others stay behind.
HARMLESS_HEADERS: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
#: What this door sets itself.
OWN_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "accept-encoding", "connection"})
#: No honest number of a vendor has an exponent beyond a double's; turned into an integer it would fill the memory.
MAX_EXPONENT: Final = 400

# IANA's special-purpose registries (RFC 6890 and what followed), because `is_global` of Python 3.11 takes multicast,
# 192.0.0.8, and addresses that carry an inner IPv4 address for global ones.
_NOT_PUBLIC_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own services, on a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols: Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
# How a machine without IPv4 reaches IPv4: the address says which (RFC 6052).
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# A last label like this makes resolvers read the whole name as a number (127.1, 2130706433, 0x7f000001).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class WireError(Exception):
    """An exchange that failed. Its text names the host and nothing else of what was asked."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text())
        self.problem = problem


class Forbidden(WireError):  # noqa: N818
    """The request was not sent on: its address, or one it was led to, is not one the portal may ask."""


class Unreachable(WireError):  # noqa: N818
    """No name, nobody listening, no certificate that can be trusted, or a connection that broke before the reply."""


class TimedOut(WireError):  # noqa: N818
    """The whole exchange was not over in the time given."""


class HalfBody(WireError):  # noqa: N818
    """The connection ended before the reply did."""


class TooLarge(WireError):  # noqa: N818
    """The reply is larger than the limit, as it is sent or unpacked."""


class Garbled(WireError):  # noqa: N818
    """The reply is not HTTP, or not packed or written as it says."""


class TooManyRedirects(WireError):  # noqa: N818
    """The request was led on more often than MAX_REDIRECTS."""


@dataclass(frozen=True, repr=False)
class Request:
    """What is asked.

    params are added to those that the address already has. Headers of the connection itself (Host, Content-Length,
    Accept-Encoding) are the door's own; given ones are left out.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"Request({self.method})"  # addresses, headers and bodies carry secrets


@dataclass(frozen=True, repr=False)
class Reply:
    """What was answered: a status of any kind, headers by names in any case, the body unpacked, the address that
    answered after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", httpx.Headers(dict(self.headers), encoding="utf-8"))

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"

    @property
    def host(self) -> str:
        """Who answered."""
        return httpx.URL(self.url).host

    @property
    def date(self) -> datetime | None:
        """The server's clock as its Date header tells it, aware; None where it tells nothing legible."""
        try:
            moment = parsedate_to_datetime(self.headers["date"])
        except (KeyError, ValueError, OverflowError):
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def json(self) -> Any:
        """The body read as JSON; numbers with a point or an exponent are exact Decimals. Raises Garbled."""
        try:
            return json.loads(self.body, parse_float=_exact, parse_constant=_refuse_constant)
        except (ValueError, RecursionError, InvalidOperation):
            raise Garbled(_problem("wire-not-json", _("%(host)s did not answer with JSON."), self.host)) from None


def _exact(text: str) -> Decimal:
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError("exponent")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _problem(code: str, message: str, host: str, remedy: str = "", **params: str) -> Problem:
    return Problem.of(code, message, remedy=remedy, host=host[:253], **params)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and carries no inner address that is not."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_V4)
    if ip in _NAT64:
        return is_public(str(IPv4Address(int(ip) & 0xFFFFFFFF)))
    # Mapped, compatible, local and link-local addresses are all outside of what is handed out to the public.
    return ip in _PUBLIC_V6 and not any(ip in network for network in _NOT_PUBLIC_V6)


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """All addresses of a host by the machine's resolver, in its order. Raises Unreachable, TimedOut."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError):
            answers.put([])

    # The resolver knows no time limit; a thread that hangs in it is left behind.
    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise _timed_out(host) from None
    if not found:
        raise Unreachable(_problem("wire-no-name", _("There is no address for %(host)s."), host))
    return found


class Guard:
    """Which addresses may be asked: those of the public internet over https, and those an administrator names.

    allowed: `host:port` lets this one origin be asked wherever it is, over plain http too; a network such as
    `10.20.0.0/16` lets names lead there, over https and the usual ports. ImproperlyConfigured for anything else.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._origins: set[tuple[str, int]] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in allowed:
            text = entry.strip().lower()
            try:
                if "/" in text:
                    self._networks.append(ip_network(text))
                else:
                    host, _colon, port = text.rpartition(":")
                    self._origins.add((_canonical(host.removeprefix("[").removesuffix("]")), int(port)))
            except ValueError as error:
                raise ImproperlyConfigured(f'"{entry}" is neither host:port nor a network.') from error

    def check(self, address: str) -> httpx.URL:
        """The address, parsed, if it is written as one that may be asked. Raises Forbidden.

        Where its name leads is known only when it is connected to: see `addresses`.
        """
        # What one program reads as a host and another does not (spaces, full-width digits) is not an address.
        if not address.isascii() or " " in address:
            raise _forbidden("")
        try:
            url = httpx.URL(address).copy_with(fragment=None)
            port = {"http": 80, "https": 443}[url.scheme] if url.port is None else url.port
        except (httpx.InvalidURL, KeyError, ValueError):
            raise _forbidden("") from None
        host = url.raw_host.decode("ascii")
        if url.userinfo or url.scheme not in ("http", "https"):
            raise _forbidden(host)
        try:
            _canonical(host)
            str(url.host)  # its letters, where it is spelled by "xn--": what spells none is no name
        except ValueError:
            raise _forbidden(host) from None
        if not self._is_named(host, port) and (url.scheme != "https" or port not in USUAL_PORTS):
            raise _forbidden(host)
        return url

    def addresses(self, host: str, port: int, seconds: float = CONNECT_SECONDS) -> list[str]:
        """Where to connect for this host, asked of the resolver once: connect to these and not to the name.

        One address that may not be asked forbids them all. Raises Forbidden, Unreachable, TimedOut.
        """
        found = resolve(host, port, seconds)
        if not self._is_named(host, port):
            for address in found:
                ip = ip_address(address)
                if not is_public(address) and not any(ip in network for network in self._networks):
                    raise _forbidden(host)
        return found

    def _is_named(self, host: str, port: int) -> bool:
        return (_canonical(host), port) in self._origins


def is_named(address: str) -> bool:
    """Whether an administrator named the origin of an address among those that may be asked."""
    guard = Guard(settings.CONNECTORS_ALLOWED_ADDRESSES)
    try:
        url = guard.check(address)
    except Forbidden:
        return False
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    return guard._is_named(url.raw_host.decode("ascii"), port)


def _canonical(host: str) -> str:
    """The host in its one usual spelling; ValueError if it is neither a plain name nor an IP address."""
    if ":" in host:
        ip = IPv6Address(host)
        if ip.scope_id is not None:
            raise ValueError(host)
        return str(ip)
    host = host.lower()
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(host)
    if _NUMBER.fullmatch(labels[-1]):
        IPv4Address(host)  # four decimal numbers without leading zeros, or ValueError
    return host


def _forbidden(host: str) -> Forbidden:
    remedy = _("If it is a system of your own, an administrator can allow it in CONNECTORS_ALLOWED_ADDRESSES.")
    if not host:
        return Forbidden(Problem.of("wire-forbidden", _("This is not an address that may be asked."), remedy=remedy))
    return Forbidden(_problem("wire-forbidden", _("%(host)s is not an address that may be asked."), host, remedy))


def _timed_out(host: str) -> TimedOut:
    return TimedOut(_problem("wire-timed-out", _("%(host)s did not answer in time."), host))


class _Deadline:
    """When the exchange under way must be over, on the machine's steady clock, and with whom it is."""

    def __init__(self) -> None:
        self.host = ""
        self._until = 0.0

    def start(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never none. Raises TimedOut."""
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise _timed_out(self.host)
        return seconds


class _Stream(httpcore.NetworkStream):
    """A connection each of whose steps gets only what is left of the exchange's time, so that drips add up."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: the inner stream gives each send of a long body the whole time again.
        for start in range(0, len(buffer), 65536):
            self._inner.write(buffer[start : start + 65536], self._deadline.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to the very addresses that the guard looked at, so that no second answer of the resolver counts."""

    def __init__(self, guard: Guard, deadline: _Deadline) -> None:
        self._guard = guard
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        error: Exception = _timed_out(host)
        for address in self._guard.addresses(host, port, self._deadline.left()):
            seconds = min(self._deadline.left(), CONNECT_SECONDS)
            try:
                return _Stream(self._inner.connect_tcp(address, port, seconds, None, socket_options), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error


@cache  # reading all authorities takes a tenth of a second
def trust() -> ssl.SSLContext:
    """Whose certificates are believed: the web's authorities, and those in the machine's store (a company's own)."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


class _Transport(httpx.HTTPTransport):
    """httpx's own transport with our way of connecting. It takes no proxy from the environment."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        super().__init__(verify=trust(), trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust(), max_connections=4, keepalive_expiry=30.0, network_backend=backend
        )


class Client:
    """Asks other systems. Use it as a context manager and in one thread; connections are kept and used again.

    allowed: addresses besides the public ones, see Guard; those of the settings when not given.
    timeout: seconds for each `send` as a whole, redirects and body included.
    max_bytes: largest body, unpacked.
    """

    def __init__(
        self,
        allowed: Collection[str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._guard = Guard(settings.CONNECTORS_ALLOWED_ADDRESSES if allowed is None else allowed)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._deadline = _Deadline()
        self._transport = _Transport(_Backend(self._guard, self._deadline))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.close()

    def send(self, request: Request) -> Reply:
        """Ask once, following up to MAX_REDIRECTS redirects; any status is a reply. Raises WireError's kinds.

        Nothing is tried again: the caller knows whether asking twice does harm.
        """
        self._deadline.start(self._timeout)
        method, body = request.method.upper(), request.body
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}
        headers.setdefault("user-agent", "Salesops")
        url = self._guard.check(_with_params(request.url, request.params))
        for _hop in range(MAX_REDIRECTS + 1):
            reply = self._exchange(method, url, headers, body)
            if reply.status not in REDIRECTS or not reply.headers.get("location"):
                return reply
            following = self._next(url, reply.headers["location"])
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
                headers.pop("content-type", None)
            if _origin(following) != _origin(url):
                if body is not None:
                    raise _forbidden(following.host)  # it may hold a secret that is not this host's
                headers = {name: value for name, value in headers.items() if name in HARMLESS_HEADERS}
            url = following
        raise TooManyRedirects(_problem("wire-redirects", _("%(host)s leads on and on."), url.host))

    def _next(self, url: httpx.URL, location: str) -> httpx.URL:
        try:
            following = self._guard.check(str(url.join(location)))
        except (httpx.InvalidURL, ValueError):
            raise _forbidden("") from None
        if url.scheme == "https" and following.scheme != "https":
            raise _forbidden(following.host)
        return following

    def _exchange(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None) -> Reply:
        self._deadline.host = host = url.host
        try:
            asked = httpx.Request(method, url, headers={**headers, "accept-encoding": "gzip"}, content=body)
            response = self._transport.handle_request(asked)
        except httpx.TimeoutException:
            raise _timed_out(host) from None
        except httpx.RemoteProtocolError as error:
            if "disconnected" in str(error):
                raise _unreachable(host) from None
            raise _garbled(host) from None
        except (httpx.LocalProtocolError, UnicodeError, TypeError):
            # A line break or a letter outside of ASCII in a method or header: often a key copied with its quotes.
            raise Forbidden(
                _problem("wire-unsendable", _("What was to be sent to %(host)s does not fit into HTTP headers."), host)
            ) from None
        except httpx.TransportError:
            raise _unreachable(host) from None
        try:
            content = b"" if _is_led_on(response) else b"".join(self._body(host, response))
        finally:
            response.close()
        return Reply(response.status_code, response.headers, content, str(url))

    def _body(self, host: str, response: httpx.Response) -> Iterator[bytes]:
        packing = response.headers.get("content-encoding", "identity").strip().lower()
        unpack = _Gunzip(host, self._max_bytes) if packing in ("gzip", "x-gzip") else None
        if unpack is None and packing not in ("", "identity"):
            raise _garbled(host)
        received = unpacked = 0
        try:
            for piece in response.iter_raw():
                received += len(piece)
                part = unpack.feed(piece, self._max_bytes - unpacked) if unpack else piece
                unpacked += len(part)
                if received > self._max_bytes:  # what it unpacks to is bounded by the room given
                    raise _too_large(host, self._max_bytes)
                yield part
        except httpx.TimeoutException:
            raise _timed_out(host) from None
        except httpx.RemoteProtocolError as error:
            raise (_half(host) if "closed connection" in str(error) else _garbled(host)) from None
        except httpx.TransportError:
            raise _half(host) from None
        if unpack and received and not unpack.is_whole:
            raise _half(host)


class _Gunzip:
    """Unpacks gzip piece by piece, never more than asked for: a few kilobytes can unpack to gigabytes."""

    def __init__(self, host: str, max_bytes: int) -> None:
        self._host = host
        self._max_bytes = max_bytes
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, piece: bytes, room: int) -> bytes:
        """What the piece unpacks to. Raises TooLarge beyond `room` bytes, Garbled."""
        parts = []
        while piece:
            if self._zlib.eof:  # a body may be several packed pieces one after the other (RFC 1952, 2.2)
                self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                part = self._zlib.decompress(piece, room + 1)
            except zlib.error:
                raise _garbled(self._host) from None
            room -= len(part)
            if room < 0:
                raise _too_large(self._host, self._max_bytes)
            parts.append(part)
            piece = self._zlib.unused_data
        return b"".join(parts)

    @property
    def is_whole(self) -> bool:
        """Whether the end was the end."""
        return self._zlib.eof


def _is_led_on(response: httpx.Response) -> bool:
    return response.status_code in REDIRECTS and bool(response.headers.get("location"))


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _with_params(address: str, params: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    if not params:
        return address
    address = address.partition("#")[0]
    pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
    return f"{address}{'&' if '?' in address else '?'}{urlencode(pairs, quote_via=quote)}"


def _unreachable(host: str) -> Unreachable:
    return Unreachable(_problem("wire-unreachable", _("%(host)s cannot be reached."), host))


def _half(host: str) -> HalfBody:
    return HalfBody(_problem("wire-half", _("The connection to %(host)s ended in the middle of the reply."), host))


def _garbled(host: str) -> Garbled:
    return Garbled(_problem("wire-garbled", _("%(host)s sent a reply that cannot be read."), host))


def _too_large(host: str, max_bytes: int) -> TooLarge:
    message = _("The reply of %(host)s is larger than %(megabytes)s MB.")
    return TooLarge(_problem("wire-too-large", message, host, megabytes=str(max_bytes // (1024 * 1024))))
