"""A mock server made from a vendor's own description of its interface, and what it found wrong with our requests.

    with Prism(vendors("specs/stripe/openapi.json")) as prism:
        ...                                     # the code under test talks to prism.origin
        assert prism.violations == []           # every request was as the vendor describes it
        assert prism.exchanges[0].path == "/v1/account"

Prism answers with the examples of the description, and refuses what breaks it. It is installed by `make prism`; without
it, without Node or without the description a test is skipped, saying so. Between us and Prism stands a small relay, so that
a test sees every exchange; `strip` takes a prefix off paths that the description has in its servers, `rewrite` changes
replies (pages that never end).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from tests.connectors.shared_data import VENDORS
from tests.connectors.standins.base import Clock

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "tests" / "prism" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
#: Seconds until it must answer; a description of a megabyte takes it half a minute on a busy machine.
PATIENCE = 180


def vendors(name: str) -> Path:
    """The path of something that a vendor publishes. Skips the test, saying so, where it is absent."""
    path = VENDORS / name
    if not path.exists():
        pytest.skip(f"the vendor's description {name} is not here ({VENDORS})")
    return path


def node() -> str:
    """The program that runs Prism. Skips the test where it or Prism is not installed."""
    found = shutil.which("node", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if not COMMAND.exists() or found is None:
        pytest.skip("Prism is not installed: `make prism`")
    return found


def mended(description: Any) -> Any:
    """A description as Prism can take it: it reads a parameter that was left out as an empty object, and then misses what
    such an object must hold. Only parameters that may be left out are touched."""
    for path in description["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []) if isinstance(operation, dict) else []:
                if parameter.get("style") == "deepObject" and not parameter.get("required"):
                    parameter.get("schema", {}).pop("required", None)
    return description


@dataclass(frozen=True)
class Exchange:
    """One request and what it was answered. `violations`: what of it breaks the description."""

    method: str
    path: str
    query: str
    body: bytes
    status: int
    violations: tuple[str, ...]


class Prism:
    """One mock server. Has what `Link` wants of a stand-in: an origin, an address and a clock."""

    client_id = "client-of-the-portal"
    client_secret = "obviously-not-a-secret"

    def __init__(self, description: Path, *, strip: str = "") -> None:
        self.description, self.strip = description, strip
        self.clock = Clock()
        self.exchanges: list[Exchange] = []
        self.rewrite: Callable[[bytes], bytes] | None = None
        self._stack = contextlib.ExitStack()
        self._port = 0
        self._relay: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        """127.0.0.1:port"""
        assert self._relay is not None
        return f"127.0.0.1:{self._relay.server_address[1]}"

    @property
    def origin(self) -> str:
        """Scheme, address and port, without a slash."""
        return f"http://{self.address}"

    @property
    def violations(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Requests that broke the description, and how."""
        return [(each.method, each.path, each.violations) for each in self.exchanges if each.violations]

    def __enter__(self) -> Self:
        runner = node()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            description = folder / "description.json"
            description.write_text(json.dumps(mended(json.loads(self.description.read_text()))))
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self._port = free.getsockname()[1]
            log = self._stack.enter_context((folder / "log").open("w+"))
            command = [runner, str(COMMAND), "mock", "--errors", "-h", "127.0.0.1", "-p", str(self._port)]
            process = subprocess.Popen(
                [*command, str(description)], stdout=log, stderr=log, cwd=folder, start_new_session=True
            )
            self._stack.callback(_stop, process)
            self._await(process, folder / "log")
            self._relay = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"prism": self}))
            self._relay.daemon_threads = True
            self._stack.callback(self._relay.server_close)
            self._stack.callback(self._relay.shutdown)
            threading.Thread(target=self._relay.serve_forever, args=(0.02,), daemon=True).start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def _await(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Until it listens. Raises RuntimeError with what it said when it does not."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.1)
        raise RuntimeError(f"Prism did not start:\n{log.read_text()[-2000:]}")

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        """Ask Prism itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        connection.request(method, target.removeprefix(self.strip), body or None, headers)
        return connection.getresponse()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server that was started, and what it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def _violations(told: str | None, status: int, content: bytes) -> tuple[str, ...]:
    """What of a request breaks the description. Prism says it in a header, or in a body of its own where the description
    has no reply for it."""
    found = [each for each in json.loads(told or "[]") if each["location"][0] == "request"]
    if not found and status in (401, 422) and b"stoplight.io/prism/errors" in content:
        body = json.loads(content)
        found = [
            {**each, "location": ["request", *each["location"]]}
            for each in body.get("validation") or [{"location": ["security"], "message": body["title"]}]
        ]
    return tuple(f"{'.'.join(each['location'])}: {each['message']}" for each in found)


class _Handler(BaseHTTPRequestHandler):
    """The relay: passes everything on and remembers it."""

    protocol_version = "HTTP/1.1"
    prism: Prism

    def log_message(self, *_parts: object) -> None:
        """Tests read `exchanges`."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding")
        }
        reply = self.prism.answer(self.command, self.path, headers, body)
        content = reply.read()
        wrong = _violations(reply.getheader("sl-violations"), reply.status, content)
        path, _, query = self.path.partition("?")
        self.prism.exchanges.append(Exchange(self.command, path, query, body, reply.status, wrong))
        if self.prism.rewrite is not None:
            content = self.prism.rewrite(content)
        self.send_response_only(reply.status)
        self.send_header("Date", reply.getheader("Date") or self.date_time_string())
        self.send_header("Content-Type", reply.getheader("Content-Type") or "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815
