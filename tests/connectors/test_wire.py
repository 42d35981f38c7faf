"""The one door out: whom it may ask, how long and how much, and that it tells no secrets. Real sockets throughout."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore
import pytest
from django.core.exceptions import ImproperlyConfigured

from salesops.connectors import wire
from salesops.connectors.wire import (
    Client,
    Forbidden,
    Garbled,
    Guard,
    HalfBody,
    Reply,
    Request,
    TimedOut,
    TooLarge,
    TooManyRedirects,
    Unreachable,
    WireError,
)
from tests.connectors.certificates import write_certificate

SECRET = "not-a-real-secret"
PUBLIC = "93.184.216.34"
Answer = Callable[[socket.socket], None]


class Asked:
    """One request as it arrived."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _version = first.split(" ", 2)
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.body = body


class Listener:
    """A server on this machine that answers each path as it was told, and counts who connected."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self.asked: list[Asked] = []
        self.answers: dict[str, bytes | Answer] = {}
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def allowed(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _peer = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(3)  # one that says nothing is left alone then
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                while self._answer(connection):
                    pass
        except OSError:
            connection.close()

    def _answer(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _blank, body = data.partition(b"\r\n\r\n")
        asked = Asked(head, body)
        while len(asked.body) < int(asked.headers.get("content-length", 0)):
            asked.body += connection.recv(65536)
        self.asked.append(asked)
        answer = self.answers[asked.path.partition("?")[0]]
        if callable(answer):
            answer(connection)
            return False
        connection.sendall(answer)
        return True

    def close(self) -> None:
        self.ended.set()
        # A close alone does not wake the thread that accepts.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def listeners() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def make(tls: ssl.SSLContext | None = None) -> Listener:
        made.append(Listener(tls))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


@pytest.fixture
def crm(listeners: Callable[..., Listener]) -> Listener:
    """The system that is allowed."""
    return listeners()


@pytest.fixture
def inner(listeners: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch) -> Listener:
    """A system on this machine that nobody allowed, on a port that is among the usual ones."""
    listener = listeners()
    monkeypatch.setattr(wire, "USUAL_PORTS", frozenset({443, listener.port}))
    return listener


@pytest.fixture
def client(crm: Listener) -> Iterator[Client]:
    with Client([crm.allowed], timeout=20) as client:
        yield client


class Names:
    """A resolver that gives the answers it was told, one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        try:
            ip_address(host)
        except ValueError:
            pass
        else:
            return self._real(host, port, *rest, **more)
        self.asked.append(host)
        left = self.answers.get(host)
        if not left:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        found = left.pop(0) if len(left) > 1 else left[0]
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ip_address(ip).version], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """No test asks the machine's resolver."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were connected to; none of them answers."""
    reached: list[str] = []

    def connect(self: Any, host: str, *rest: Any) -> Any:
        reached.append(host)
        raise httpcore.ConnectError("refused")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return reached


def http(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def led_on(to: str, status: str = "302 Found") -> bytes:
    return http(status, f"Location: {to}")


# --- What is asked and answered -----------------------------------------------------------------------------------


def test_a_reply_is_read(crm: Listener, client: Client) -> None:
    crm.answers["/deals"] = http(
        "200 OK",
        "Date: Thu, 18 Jun 2026 09:30:00 GMT",
        "X-RateLimit-Remaining: 7",
        body=b'{"amount": 1.10, "big": 12345678901234567890.01, "small": 1e-7, "count": 3}',
    )
    reply = client.send(Request("GET", f"{crm.origin}/deals"))
    assert (reply.status, reply.headers["x-ratelimit-REMAINING"]) == (200, "7")
    assert reply.url == f"{crm.origin}/deals"
    assert reply.date == datetime(2026, 6, 18, 9, 30, tzinfo=UTC)
    assert reply.json() == {
        "amount": Decimal("1.10"),
        "big": Decimal("12345678901234567890.01"),
        "small": Decimal("1e-7"),
        "count": 3,
    }
    assert str(reply.json()["amount"]) == "1.10"


@pytest.mark.parametrize(
    "status", ["201 Created", "304 Not Modified", "401 Unauthorized", "429 Slow Down", "503 Later"]
)
def test_any_status_is_a_reply(crm: Listener, client: Client, status: str) -> None:
    crm.answers["/"] = http(status)
    assert client.send(Request("GET", crm.origin + "/")).status == int(status[:3])


def test_what_is_asked_arrives(crm: Listener, client: Client) -> None:
    crm.answers["/q"] = http("200 OK")
    headers = {"Authorization": f"Bearer {SECRET}", "Host": "elsewhere.test", "Accept-Encoding": "br"}
    params = [("q", "SELECT Id FROM Deal WHERE Name = 'A&B'"), ("id", "1"), ("id", "2")]
    client.send(Request("patch", f"{crm.origin}/q?kept=%2F#part", headers, params, b'{"a": 1}'))
    asked = crm.asked[0]
    assert (asked.method, asked.body) == ("PATCH", b'{"a": 1}')
    assert asked.path == "/q?kept=%2F&q=SELECT%20Id%20FROM%20Deal%20WHERE%20Name%20%3D%20%27A%26B%27&id=1&id=2"
    assert asked.headers == {
        "host": crm.allowed,
        "authorization": f"Bearer {SECRET}",
        "user-agent": "Salesops",
        "accept-encoding": "gzip",
        "content-length": "8",
    }


def test_a_connection_is_used_again(crm: Listener, client: Client) -> None:
    crm.answers["/"] = http("200 OK", body=b"{}")
    for _time in range(3):
        client.send(Request("GET", crm.origin + "/"))
    assert (len(crm.asked), crm.connections) == (3, 1)


def test_a_header_in_any_letters_is_read(crm: Listener, client: Client) -> None:
    crm.answers["/"] = http("200 OK", "X-Name: Müller ①")
    assert client.send(Request("GET", crm.origin + "/")).headers["x-name"] == "Müller ①"


def test_cookies_are_not_kept(crm: Listener, client: Client) -> None:
    crm.answers["/"] = http("200 OK", "Set-Cookie: a=1; Path=/")
    for _time in range(2):
        client.send(Request("GET", crm.origin + "/"))
    assert "cookie" not in crm.asked[1].headers


def test_packed_replies_are_unpacked(crm: Listener, client: Client) -> None:
    packed = gzip.compress(b'{"a":', mtime=0) + gzip.compress(b" 1}", mtime=0)
    crm.answers["/"] = http("200 OK", "Content-Encoding: gzip", body=packed)
    assert client.send(Request("GET", crm.origin + "/")).json() == {"a": 1}


def test_an_empty_packed_reply_is_empty(crm: Listener, client: Client) -> None:
    crm.answers["/"] = http("200 OK", "Content-Encoding: gzip")
    assert client.send(Request("HEAD", crm.origin + "/")).body == b""


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Thu, 99 Jun 2026 09:30:00 GMT", "Thu, 18 Jun 99999999999999999999 09:30:00 GMT"]
)
def test_a_date_that_tells_nothing_is_none(date: str) -> None:
    assert Reply(200, {"Date": date}, b"", "https://crm.test/").date is None
    assert Reply(200, {}, b"", "https://crm.test/").date is None


def test_a_date_of_no_zone_is_utc() -> None:
    reply = Reply(200, {"Date": "Thu, 18 Jun 2026 09:30:00 -0000"}, b"", "https://crm.test/")
    assert reply.date == datetime(2026, 6, 18, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999999}',
        b'{"a": 1e-999999999999999999999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled, match=r"^crm\.test did not answer with JSON\.$"):
        Reply(200, {}, body, "https://crm.test/?key=" + SECRET).json()


# --- Whom it may ask ----------------------------------------------------------------------------------------------

#: Addresses inside, in the spellings with which others were tricked.
INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "017700000001",
    "127.0.0.1.",
    "0",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[100::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[ff02::1]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "metadata.google.internal",
]


@pytest.fixture
def inside_names(names: Names) -> Names:
    for name in ("localhost", "LOCALHOST", "localhost.", "127.0.0.1."):
        names.answers[name] = [["127.0.0.1"]]
    # As the resolver of many machines reads them.
    for name in ("127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.01"):
        names.answers[name] = [["127.0.0.1"]]
    names.answers["metadata.google.internal"] = [["169.254.169.254"]]
    return names


@pytest.mark.parametrize("host", INSIDE)
def test_addresses_inside_are_not_asked(host: str, inner: Listener, reached: list[str], inside_names: Names) -> None:
    with Client([]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", f"https://{host}:{inner.port}/"))
    assert (reached, inner.connections) == ([], 0)


@pytest.mark.parametrize("host", INSIDE)
def test_nobody_leads_the_portal_inside(
    host: str, crm: Listener, inner: Listener, client: Client, inside_names: Names
) -> None:
    crm.answers["/"] = led_on(f"https://{host}:{inner.port}/latest/meta-data")
    with pytest.raises(Forbidden):
        client.send(Request("GET", crm.origin + "/"))
    assert (crm.connections, inner.connections) == (1, 0)


@pytest.mark.parametrize(
    "spelling", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "127.0.0.01", "[::ffff:127.0.0.1]"]
)
def test_odd_spellings_are_refused_before_anybody_resolves_them(spelling: str, inside_names: Names) -> None:
    # Allowed networks let names lead inside: only the spelling is against these.
    with Client(["127.0.0.0/8"]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", f"https://{spelling}/"))
    assert inside_names.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        PUBLIC,
        "192.0.1.1",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "2a00:1450::1",
        "2001:4860:4860::8888",
        "64:ff9b::8.8.8.8",
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert wire.is_public(address)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("0.0.0.0", "0.255.255.255"),  # noqa: S104
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("64:ff9b::10.0.0.0", "64:ff9b::10.255.255.255"),
    ],
)
def test_what_is_not_public_is_so_from_its_first_address_to_its_last(first: str, last: str) -> None:
    assert not wire.is_public(first)
    assert not wire.is_public(last)


@pytest.mark.parametrize(
    "address",
    [
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "126.255.255.255", "128.0.0.0", "168.63.129.15",
        "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "191.255.255.255", "192.0.3.0",
        "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "2001:200::", "2001:db7::",
        "2001:db9::", "2001:ffff::", "2003::", "3ffe::", "3fff:1000::",
    ],
)  # fmt: skip
def test_what_lies_beside_is_public(address: str) -> None:
    assert wire.is_public(address)


@pytest.mark.parametrize("host", ["xn--a", "xn--0.example.com", "xn--zzzzzzzz.example", "xn--u-ccb.com"])
def test_a_name_that_spells_nothing_is_no_name(host: str, crm: Listener, client: Client, names: Names) -> None:
    with pytest.raises(Forbidden):
        client.send(Request("GET", f"https://{host}/"))
    crm.answers["/"] = led_on(f"https://{host}/")
    with pytest.raises(Forbidden):
        client.send(Request("GET", crm.origin + "/"))
    assert names.asked == []


def test_a_name_in_other_letters_is_asked(names: Names, reached: list[str]) -> None:
    names.answers["xn--e1afmkfd.xn--p1ai"] = [["127.0.0.1"]]
    with Client([]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", "https://xn--e1afmkfd.xn--p1ai/"))
    assert names.asked == ["xn--e1afmkfd.xn--p1ai"]


def test_what_was_looked_at_is_what_is_connected_to(names: Names, reached: list[str]) -> None:
    names.answers["crm.test"] = [[PUBLIC], ["127.0.0.1"]]
    with Client([]) as client:
        with pytest.raises(Unreachable):
            client.send(Request("GET", "https://crm.test/"))
        assert (names.asked, reached) == (["crm.test"], [PUBLIC])
        # The next connection is looked at again.
        with pytest.raises(Forbidden):
            client.send(Request("GET", "https://crm.test/"))
    assert (names.asked, reached) == (["crm.test"] * 2, [PUBLIC])


def test_rebinding_reaches_nobody_inside(names: Names, inner: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    names.answers["crm.test"] = [["192.0.2.1"], ["127.0.0.1"]]
    # Stands for a public address of a host that is off.
    monkeypatch.setattr(wire, "is_public", lambda address: address == "192.0.2.1")
    monkeypatch.setattr(wire, "CONNECT_SECONDS", 0.2)
    with Client([]) as client, pytest.raises((Unreachable, TimedOut)):
        client.send(Request("GET", f"https://crm.test:{inner.port}/"))
    assert (names.asked, inner.connections) == (["crm.test"], 0)


@pytest.mark.parametrize("answer", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "fd00::1"], [PUBLIC, "::1"]])
def test_one_address_inside_forbids_them_all(answer: list[str], names: Names, reached: list[str]) -> None:
    names.answers["crm.test"] = [answer]
    with Client([]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", "https://crm.test/"))
    assert reached == []


def test_the_next_address_is_tried(names: Names, reached: list[str]) -> None:
    names.answers["crm.test"] = [["2606:4700::1111", PUBLIC]]
    with Client([]) as client, pytest.raises(Unreachable):
        client.send(Request("GET", "https://crm.test/"))
    assert reached == ["2606:4700::1111", PUBLIC]


#: Nothing of these is an address over which to ask; {} is the allowed host with its port.
ODD = [
    "http://user:word@{}/",
    "http://user@{}/",
    "https://{}@public.test/",
    "http://public.test\\@{}/",
    "http://{}\\@public.test/",
    "ftp://{}/",
    "ws://{}/",
    "file:///etc/passwd",
    "gopher://{}/_",
    "data:text/plain,a",
    "javascript:alert(1)",
    "http+unix://{}/",
    "//{}/",
    "/deals",
    "",
    "http://",
    "http:///deals",
    "http://{}:{}/",
    " http://{}/",
    "http://{}/a b",
    "http://{}/a\r\nX-Other: 1",
    "http://{}/\t",
    "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://crm。test/",
    "http://bücher.test/",
    "http://%31%32%37.0.0.1/",
    "http://crm..test/",
    "http://.crm.test/",
    "http://crm.test./",
    "http://-crm.test/",
    "http://" + "a" * 64 + ".test/",
    "https://" + "a." * 130 + "test/",
    "http://[::1/",
    "http://[::g]/",
    "http://[fe80::1%25lo]/",
    "http://crm.test:99999/",
    "http://crm.test:x/",
]


@pytest.mark.parametrize("address", ODD)
def test_odd_addresses_are_not_asked(address: str, crm: Listener, names: Names) -> None:
    names.answers = {"public.test": [["127.0.0.1"]], "crm.test": [["127.0.0.1"]]}
    every = {f"{host}:{port}" for host in ("public.test", "crm.test", "[::1]") for port in (80, 443)}
    with Client([crm.allowed, "127.0.0.0/8", *every]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", address.replace("{}", crm.allowed)))
    assert crm.connections == 0


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 8000, 0])
def test_other_ports_are_not_asked(port: int, names: Names, reached: list[str]) -> None:
    names.answers["crm.test"] = [[PUBLIC]]
    with Client([]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", f"https://crm.test:{port}/"))
    assert reached == []


def test_plain_http_is_not_asked(names: Names, reached: list[str]) -> None:
    names.answers["crm.test"] = [[PUBLIC]]
    with Client([]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", "http://crm.test/"))
    assert reached == []


def test_an_allowed_origin_is_this_origin_only(crm: Listener, listeners: Any, names: Names, client: Client) -> None:
    other = listeners()
    names.answers["crm.test"] = [["127.0.0.1"]]
    for address in (other.origin, f"http://crm.test:{crm.port}", f"http://127.0.0.2:{crm.port}"):
        with pytest.raises(Forbidden):
            client.send(Request("GET", address + "/"))
    assert (crm.connections, other.connections) == (0, 0)


def test_an_allowed_name_may_lead_inside(crm: Listener, names: Names) -> None:
    names.answers["crm.internal"] = [["127.0.0.1"]]
    crm.answers["/"] = http("200 OK", body=b"{}")
    with Client([f" CRM.internal:{crm.port} "]) as client:
        assert client.send(Request("GET", f"http://crm.Internal:{crm.port}/")).json() == {}
    assert crm.asked[0].headers["host"] == f"crm.internal:{crm.port}"


def test_into_an_allowed_network_names_lead_over_https_only(names: Names) -> None:
    names.answers["crm.internal"] = [["10.20.1.1"]]
    names.answers["crm.next"] = [["10.21.1.1"]]
    guard = Guard(["10.20.0.0/16", "fd12::/16"])
    assert guard.addresses("crm.internal", 443) == ["10.20.1.1"]
    assert guard.addresses("fd12::1", 443) == ["fd12::1"]
    with pytest.raises(Forbidden):
        guard.addresses("crm.next", 443)
    guard.check("https://crm.internal/")
    for address in ("http://crm.internal/", "https://crm.internal:8080/"):
        with pytest.raises(Forbidden):
            guard.check(address)


@pytest.mark.parametrize(
    "entry", ["", "crm.internal", "crm.internal:", "crm:x", "10.0.0.0/99", "http://crm:80", "127.1:80"]
)
def test_an_allowance_that_says_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        Guard([entry])


def test_nothing_inside_is_allowed_until_the_settings_say_so(crm: Listener, settings: Any) -> None:
    crm.answers["/"] = http("200 OK")
    assert settings.CONNECTORS_ALLOWED_ADDRESSES == []
    with Client() as client, pytest.raises(Forbidden):
        client.send(Request("GET", crm.origin + "/"))
    settings.CONNECTORS_ALLOWED_ADDRESSES = [crm.allowed]
    with Client() as client:
        assert client.send(Request("GET", crm.origin + "/")).status == 200


def test_proxies_of_the_environment_are_not_used(
    crm: Listener, listeners: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = listeners()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.origin)
    crm.answers["/"] = http("200 OK")
    with Client([crm.allowed]) as fresh:
        assert fresh.send(Request("GET", crm.origin + "/")).status == 200
    assert proxy.connections == 0


# --- Being led on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "method_then", "has_body"),
    [
        ("301", "GET", "GET", False),
        ("301", "POST", "GET", False),
        ("301", "PUT", "PUT", True),
        ("302", "POST", "GET", False),
        ("302", "HEAD", "HEAD", False),
        ("303", "POST", "GET", False),
        ("303", "PUT", "GET", False),
        ("303", "HEAD", "HEAD", False),
        ("307", "POST", "POST", True),
        ("308", "PATCH", "PATCH", True),
    ],
)
def test_how_it_goes_on(
    crm: Listener, client: Client, status: str, method: str, method_then: str, has_body: bool
) -> None:
    crm.answers = {"/old": led_on("new?a=1", f"{status} On"), "/new": http("200 OK")}
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    body = None if method in ("GET", "HEAD") else b"{}"
    reply = client.send(Request(method, crm.origin + "/old", headers, body=body))
    then = crm.asked[1]
    assert (then.method, then.path, then.body) == (method_then, "/new?a=1", b"{}" if has_body else b"")
    assert ("content-type" in then.headers) == (has_body or (status in ("301", "302") and method in ("GET", "HEAD")))
    assert then.headers["authorization"] == f"Bearer {SECRET}"
    assert reply.url == crm.origin + "/new?a=1"


def test_keys_do_not_go_along_to_another_origin(crm: Listener, listeners: Any) -> None:
    other = listeners()
    crm.answers["/"] = led_on(other.origin + "/files/1")
    other.answers["/files/1"] = led_on(crm.origin + "/back")
    crm.answers["/back"] = http("200 OK")
    headers = {"Authorization": "Bearer x", "X-Api-Key": SECRET, "Cookie": "a=1", "Accept": "text/csv"}
    with Client([crm.allowed, other.allowed]) as client:
        client.send(Request("GET", crm.origin + "/", headers))
    for asked in (other.asked[0], crm.asked[1]):
        assert set(asked.headers) == {"host", "user-agent", "accept", "accept-encoding"}


def test_another_name_on_the_same_port_is_another_origin(crm: Listener, names: Names) -> None:
    names.answers["crm.test"] = [["127.0.0.1"]]
    crm.answers |= {"/": led_on(f"http://crm.test:{crm.port}/files"), "/files": http("200 OK")}
    headers = {"Authorization": "Bearer x", "X-Api-Key": SECRET, "Accept": "text/csv"}
    with Client([crm.allowed, f"crm.test:{crm.port}"]) as client:
        client.send(Request("GET", crm.origin + "/", headers))
    assert set(crm.asked[1].headers) == {"host", "user-agent", "accept", "accept-encoding"}


@pytest.mark.parametrize("status", ["307 On", "308 On"])
def test_bodies_do_not_go_along_to_another_origin(crm: Listener, listeners: Any, status: str) -> None:
    other = listeners()
    crm.answers["/token"] = led_on(other.origin + "/token", status)
    with Client([crm.allowed, other.allowed]) as client, pytest.raises(Forbidden):
        client.send(Request("POST", crm.origin + "/token", body=SECRET.encode()))
    assert other.connections == 0


def test_it_is_led_on_five_times(crm: Listener, client: Client) -> None:
    for hop in range(6):
        crm.answers[f"/{hop}"] = led_on(f"/{hop + 1}")
    crm.answers["/6"] = http("200 OK")
    assert client.send(Request("GET", crm.origin + "/1")).url == crm.origin + "/6"
    before = len(crm.asked)
    with pytest.raises(TooManyRedirects):
        client.send(Request("GET", crm.origin + "/0"))
    assert len(crm.asked) - before == 6


@pytest.mark.parametrize(
    "target",
    [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://crm.test/",
        "https://crm.test:22/",
        "http://[::1",
        "https://user:word@crm.test/",
        "//user@crm.test/",
        "https://１２７.0.0.1/",
        "https://①②⑦.0.0.1/",
        "https://\\@crm.test/",
    ],
)
def test_each_step_is_looked_at(crm: Listener, client: Client, names: Names, target: str) -> None:
    names.answers["crm.test"] = [[PUBLIC]]
    crm.answers["/"] = led_on(target)
    with pytest.raises(Forbidden):
        client.send(Request("GET", crm.origin + "/"))
    assert (len(crm.asked), names.asked) == (1, [])


def test_without_a_place_to_go_it_is_a_reply(crm: Listener, client: Client) -> None:
    crm.answers["/"] = http("302 Found", body=b"x")
    assert client.send(Request("GET", crm.origin + "/")).body == b"x"


# --- Certificates -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for crm.internal and 127.0.0.1 that vouches for itself: cert.pem, and key.pem beside it."""
    return write_certificate(tmp_path_factory.mktemp("tls"), "crm.internal")


@pytest.fixture
def spoken_to() -> list[str | None]:
    """The names that were asked for in the handshakes (SNI)."""
    return []


@pytest.fixture
def safe(authority: Path, listeners: Any, spoken_to: list[str | None]) -> Listener:
    """A system that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    context.sni_callback = lambda _socket, name, _context: spoken_to.append(name)
    return listeners(context)


@pytest.fixture
def trusted(authority: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine trusts the authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "cert.pem"))
    wire.trust.cache_clear()
    yield
    wire.trust.cache_clear()


def test_the_name_is_kept_though_the_address_is_connected_to(
    safe: Listener, names: Names, trusted: None, spoken_to: list[str | None]
) -> None:
    names.answers["crm.internal"] = [["127.0.0.1"]]
    safe.answers["/"] = http("200 OK", body=b"{}")
    with Client([f"crm.internal:{safe.port}"]) as client:
        assert client.send(Request("GET", f"https://crm.internal:{safe.port}/")).json() == {}
    assert safe.asked[0].headers["host"] == f"crm.internal:{safe.port}"
    assert (spoken_to, names.asked) == (["crm.internal"], ["crm.internal"])


def test_a_certificate_of_another_name_is_not_trusted(safe: Listener, names: Names, trusted: None) -> None:
    names.answers["other.internal"] = [["127.0.0.1"]]
    with Client([f"other.internal:{safe.port}"]) as client, pytest.raises(Unreachable):
        client.send(Request("GET", f"https://other.internal:{safe.port}/"))
    assert safe.asked == []


def test_a_certificate_of_nobody_known_is_not_trusted(safe: Listener) -> None:
    with Client([safe.allowed]) as client, pytest.raises(Unreachable):
        client.send(Request("GET", safe.origin + "/"))
    assert safe.asked == []


def test_it_is_not_led_from_https_to_http(safe: Listener, crm: Listener, trusted: None) -> None:
    safe.answers["/"] = led_on(crm.origin + "/")
    with Client([safe.allowed, crm.allowed]) as client, pytest.raises(Forbidden):
        client.send(Request("GET", safe.origin + "/"))
    assert (len(safe.asked), crm.connections) == (1, 0)


# --- How long -----------------------------------------------------------------------------------------------------


def dripping(listener: Listener, start: bytes, drop: bytes = b"x") -> Answer:
    """Sends a little often enough that no single wait is long; ends well after 4 seconds."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        for _drop in range(200):
            if listener.ended.wait(0.02):
                return
            connection.sendall(drop)

    return answer


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_drips_add_up(crm: Listener, start: bytes, drop: bytes) -> None:
    crm.answers["/"] = dripping(crm, start, drop)
    with Client([crm.allowed], timeout=0.5) as client, pytest.raises(TimedOut):
        client.send(Request("GET", crm.origin + "/"))


def test_drips_add_up_over_tls(safe: Listener, trusted: None) -> None:
    safe.answers["/"] = dripping(safe, b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
    with Client([safe.allowed], timeout=0.5) as client, pytest.raises(TimedOut):
        client.send(Request("GET", safe.origin + "/"))


def test_one_silent_address_leaves_time_for_the_others(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names.answers["crm.test"] = [["2606:4700::1111", PUBLIC]]
    given: list[float] = []

    def connect(self: Any, host: str, port: int, timeout: float, *rest: Any) -> Any:
        given.append(timeout)
        raise httpcore.ConnectTimeout("silent")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with Client([], timeout=60) as client, pytest.raises(TimedOut):
        client.send(Request("GET", "https://crm.test/"))
    assert given == [10, 10]


def test_nothing_stays_open_behind_it(crm: Listener) -> None:
    left = threading.Event()
    crm.answers["/"] = lambda connection: (
        connection.sendall(http("200 OK", body=b"{}")),
        left.set() if connection.recv(1) == b"" else None,
    )
    with Client([crm.allowed]) as client:
        client.send(Request("GET", crm.origin + "/"))
        assert not left.is_set()
    assert left.wait(2)


def test_redirects_add_up(crm: Listener) -> None:
    def slowly(connection: socket.socket) -> None:
        crm.ended.wait(0.3)
        connection.sendall(led_on("/"))

    crm.answers["/"] = slowly
    with Client([crm.allowed], timeout=0.8) as client, pytest.raises(TimedOut):
        client.send(Request("GET", crm.origin + "/"))


def test_a_silent_system_is_not_waited_for(crm: Listener) -> None:
    crm.answers["/"] = lambda connection: crm.ended.wait(20) and None
    with Client([crm.allowed], timeout=0.3) as client:
        with pytest.raises(TimedOut):
            client.send(Request("GET", crm.origin + "/"))
        # Nor is the connection used again, on which the late reply would be taken for another.
        crm.answers["/next"] = http("200 OK", body=b"{}")
        assert client.send(Request("GET", crm.origin + "/next")).json() == {}
    assert crm.connections == 2


def test_a_silent_handshake_is_not_waited_for(listeners: Any) -> None:
    plain = listeners()
    with Client([plain.allowed], timeout=0.3) as client, pytest.raises(TimedOut):
        client.send(Request("GET", f"https://127.0.0.1:{plain.port}/"))


def test_a_silent_resolver_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    asking: list[threading.Thread] = []

    def hang(*_rest: Any, **_more: Any) -> list[Any]:
        asking.append(threading.current_thread())
        return [never.wait(2)][1:]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with Client([], timeout=0.2) as client, pytest.raises(TimedOut):
        client.send(Request("GET", "https://crm.test/"))
    assert [thread.daemon for thread in asking] == [True]  # it does not keep the process from ending
    never.set()


def test_whoever_takes_a_long_body_slowly_is_not_waited_for() -> None:
    """Each send of a piece succeeds; together they would take a minute."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)

        def sip() -> None:
            line, _from = server.accept()
            with line:
                while not over.wait(0.05) and line.recv(8192):
                    pass

        thread = threading.Thread(target=sip, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        began = time.monotonic()
        with Client([f"127.0.0.1:{port}"], timeout=0.5) as client, pytest.raises(TimedOut):
            client.send(Request("POST", f"http://127.0.0.1:{port}/", body=bytes(10_000_000)))
        took = time.monotonic() - began
        over.set()
        thread.join(5)
    assert took < 3


# --- How much -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
        + gzip.compress(b'{"a": 1}', mtime=0)[:-4],
    ],
)
def test_half_a_body_is_no_body(crm: Listener, client: Client, reply: bytes) -> None:
    crm.answers["/"] = lambda connection: connection.sendall(reply)
    with pytest.raises(HalfBody):
        client.send(Request("GET", crm.origin + "/"))


def test_a_broken_connection_leaves_half_a_body(crm: Listener, client: Client) -> None:
    go_on = threading.Event()

    def break_off(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
        go_on.wait(5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    crm.answers["/"] = break_off
    threading.Timer(0.1, go_on.set).start()
    with pytest.raises(HalfBody):
        client.send(Request("GET", crm.origin + "/"))


def test_a_large_body_is_stopped(crm: Listener) -> None:
    exactly = b"x" * 1000
    crm.answers["/"] = http("200 OK", body=exactly)
    crm.answers["/more"] = http("200 OK", body=exactly + b"x")
    with Client([crm.allowed], max_bytes=1000) as client:
        assert client.send(Request("GET", crm.origin + "/")).body == exactly
        with pytest.raises(TooLarge):
            client.send(Request("GET", crm.origin + "/more"))


def test_a_body_without_an_end_is_stopped(crm: Listener) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not crm.ended.is_set():
            connection.sendall(b"2710\r\n" + b"x" * 10000 + b"\r\n")

    crm.answers["/"] = endless
    with Client([crm.allowed], max_bytes=1_000_000) as client, pytest.raises(TooLarge):
        client.send(Request("GET", crm.origin + "/"))


def test_a_bomb_is_not_unpacked(crm: Listener) -> None:
    bomb = gzip.compress(bytes(200_000_000), mtime=0)  # a thousandth of it
    crm.answers["/"] = http("200 OK", "Content-Encoding: gzip", body=bomb)
    tracemalloc.start()
    try:
        with Client([crm.allowed], max_bytes=1_000_000) as client, pytest.raises(TooLarge):
            client.send(Request("GET", crm.origin + "/"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_packed_nothing_without_an_end_is_stopped(crm: Listener) -> None:
    nothing = gzip.compress(b"", mtime=0)
    crm.answers["/"] = http("200 OK", "Content-Encoding: gzip", body=nothing * 1000)
    with Client([crm.allowed], max_bytes=10_000) as client, pytest.raises(TooLarge):
        client.send(Request("GET", crm.origin + "/"))


# --- What goes wrong, and that it tells no secrets ----------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        http("200 OK", "Content-Encoding: gzip", body=b"{}"),
        http("200 OK", "Content-Encoding: gzip", body=gzip.compress(b"{}", mtime=0) + b"more"),
        http("200 OK", "Content-Encoding: br", body=b"{}"),
        http("200 OK", "Content-Encoding: gzip, gzip", body=gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0)),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
    ],
)
def test_what_is_not_http_is_garbled(crm: Listener, client: Client, reply: bytes) -> None:
    crm.answers["/"] = lambda connection: connection.sendall(reply)
    with pytest.raises(Garbled):
        client.send(Request("GET", crm.origin + "/"))


def test_nobody_there_is_unreachable(crm: Listener, client: Client, names: Names) -> None:
    with Client([]) as other, pytest.raises(Unreachable, match=r"^There is no address for crm\.test\.$"):
        other.send(Request("GET", "https://crm.test/"))
    crm.answers["/"] = lambda connection: None
    with pytest.raises(Unreachable):
        client.send(Request("GET", crm.origin + "/"))
    crm.close()
    with pytest.raises(Unreachable, match=r"^127\.0\.0\.1 cannot be reached\.$"):
        client.send(Request("GET", crm.origin + "/"))
    crm._socket = socket.create_server(("127.0.0.1", 0))  # for the fixture to close


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Other: 1", f"“{SECRET}”"])
def test_a_key_that_fits_no_header_is_not_sent(crm: Listener, client: Client, value: str) -> None:
    with pytest.raises(Forbidden) as told:
        client.send(Request("GET", crm.origin + "/", {"Authorization": value}))
    assert str(told.value) == "What was to be sent to 127.0.0.1 does not fit into HTTP headers."
    assert crm.asked == []


def failures(crm: Listener) -> Iterator[tuple[type[WireError], str]]:
    """One way to each kind of failure."""
    crm.answers["/large"] = http("200 OK", body=b"x" * 5000)
    crm.answers["/half"] = lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    crm.answers["/silent"] = lambda connection: crm.ended.wait(20) and None
    crm.answers["/garbled"] = lambda connection: connection.sendall(SECRET.encode() + b"\r\n\r\n")
    crm.answers["/gone"] = lambda connection: None
    crm.answers["/round"] = led_on(f"/round?key={SECRET}")
    crm.answers["/inside"] = led_on(f"http://169.254.169.254/{SECRET}?key={SECRET}")
    for path, kind in {
        "large": TooLarge,
        "half": HalfBody,
        "silent": TimedOut,
        "garbled": Garbled,
        "gone": Unreachable,
        "round": TooManyRedirects,
        "inside": Forbidden,
    }.items():
        yield kind, f"{crm.origin}/{path}?key={SECRET}"
    yield Forbidden, f"ftp://user:{SECRET}@127.0.0.1/"
    yield Forbidden, f"https://user:{SECRET}@crm.test/"
    yield Forbidden, f"https://crm.test/ {SECRET}"


def test_failures_tell_no_secrets(crm: Listener) -> None:
    with Client([crm.allowed], timeout=1, max_bytes=1000) as client:
        for kind, address in failures(crm):
            request = Request("POST", address, {"X-Api-Key": SECRET}, {"more": SECRET}, None)
            with pytest.raises(kind) as told:
                client.send(request)
            assert type(told.value) is kind
            error = told.value
            assert error.__suppress_context__ or error.__context__ is None
            shown = f"{error} {error!r} {json.dumps(error.problem.as_plain())} {request!r}"
            assert SECRET not in shown, shown


def test_a_host_is_not_shown_at_any_length(client: Client) -> None:
    with pytest.raises(Forbidden) as caught:
        client.send(Request("GET", f"https://{'x' * 5000}.example/"))
    assert str(caught.value) == f"{'x' * 253} is not an address that may be asked."


def test_a_reply_shows_nothing_of_itself() -> None:
    reply = Reply(200, {"Set-Cookie": SECRET}, SECRET.encode(), f"https://crm.test/?key={SECRET}")
    assert repr(reply) == "Reply(200, 17 bytes)"
