"""Databases that an SQL source reads: a file of SQLite, and servers behind a line that can be cut, garbled or slowed.

Nothing of the servers is imitated: the faults are those of the line. `Line` stands between the portal and the real server
and knows nothing of its protocol; it finds the answer to a page by the words of its question.
"""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import struct
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.connectors.standins.base import BEGINNING, PATIENCE, Fault, Request, Row, StandIn

TABLE = "deals"
#: Runs a text with values on the database, as its owner.
Run = Callable[[str, Sequence[Any]], None]


class Database(StandIn):
    """A table of deals: id, name, stage, amount, updated_at, gone. `url` is what the portal is told."""

    vendor = "sql"
    precision = timedelta(seconds=1)
    url: str = ""
    #: How values are marked in a text.
    mark: ClassVar[str] = "%s"

    def run(self, text: str, values: Sequence[Any] = ()) -> None:
        """Change the database."""
        raise NotImplementedError

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        """What happened to a row stands in the table."""
        super().changed(row, kind, previous)
        at = row.modified_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        values = (row["name"], row["stage"], row["amount"], at, int(row.is_deleted), int(row.id))
        if kind == "created":
            text = f"INSERT INTO {TABLE} (name, stage, amount, updated_at, gone, id) VALUES (?, ?, ?, ?, ?, ?)"
        else:
            text = f"UPDATE {TABLE} SET name = ?, stage = ?, amount = ?, updated_at = ?, gone = ? WHERE id = ?"
        self.run(text.replace("?", self.mark), values)


class SqliteFile(Database):
    """A file. It has no line that could break."""

    mark = "?"

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "crm.sqlite3"
        self.url = f"sqlite:///{self.file}"
        self.run(
            f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, name TEXT, stage TEXT, amount NUMERIC, updated_at TEXT,"
            " gone INTEGER)"
        )
        return self

    def run(self, text: str, values: Sequence[Any] = ()) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as line, line:
            line.execute(text, values)

    def close(self) -> None:
        self.folder.cleanup()

    @property
    def origin(self) -> str:
        return ""

    @property
    def address(self) -> str:
        return "127.0.0.1:1"


class BehindALine(Database):
    """A database of a server, reached by a port of our own. A connection is a request, and a page is a connection."""

    scheme: ClassVar[str]

    def __init__(self, *, now: datetime = BEGINNING) -> None:
        super().__init__(now=now)
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = 0
        self.owner: Run | None = None

    def __enter__(self) -> Self:
        self.url = f"{self.scheme}://reader:{self.api_key}@{self.address}/salesops"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def reach(self, port: int, owner: Run) -> None:
        """Where the real server is, and how its owner writes; its table is emptied."""
        self.port, self.owner = port, owner
        self.run(f"DELETE FROM {TABLE}")

    def run(self, text: str, values: Sequence[Any] = ()) -> None:
        assert self.owner is not None
        self.owner(text, values)

    def close(self) -> None:
        self.faults.clear()
        with contextlib.suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.door.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                near, _who = self.door.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(near,), daemon=True).start()

    def _talk(self, near: socket.socket) -> None:
        ask = Request("CONNECT", "/", "", {}, b"", self.clock.now)
        with self.lock:
            self.requests.append(ask)
            number = len(self.requests)
        ways = {fault.kind: fault for fault in self.faults.for_(ask)}
        with near:
            if "reset" in ways:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if {"500", "502", "503"} & set(ways):
                return
            if "garbled" in ways:
                with contextlib.suppress(OSError):
                    near.sendall(b"<!DOCTYPE html><html><body>We will be right back</body></html>")
                return
            if self._before_page:
                self._before_page(number)
            with socket.create_connection(("127.0.0.1", self.port)) as far:
                Line(near, far, ways).carry()


class PostgresqlLine(BehindALine):
    """To a PostgreSQL."""

    scheme = "postgresql"


class MariadbLine(BehindALine):
    """To a MariaDB."""

    scheme = "mariadb"


class Line:
    """Carries bytes both ways. A fault meets the first answer after the question for a page."""

    def __init__(self, near: socket.socket, far: socket.socket, ways: dict[str, Fault]) -> None:
        self.near, self.far, self.ways = near, far, ways
        self.is_asked = False

    def carry(self) -> None:
        """Until either side ends."""
        out = threading.Thread(target=self._out, daemon=True)
        out.start()
        with contextlib.suppress(OSError):
            while data := self.far.recv(1 << 16):
                if self.is_asked and "half_body" in self.ways:
                    self.near.sendall(data[: len(data) // 2])
                    break
                if self.is_asked and "slow_body" in self.ways:
                    self._drip(data, self.ways["slow_body"])
                else:
                    self.near.sendall(data)
        self._end()
        out.join(PATIENCE)

    def _out(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.near.recv(1 << 16):
                self.is_asked = self.is_asked or b"ORDER BY" in data
                self.far.sendall(data)
        self._end()

    def _drip(self, data: bytes, fault: Fault) -> None:
        for place in range(len(data)):
            if fault.released.wait(fault.detail["every"]):
                self.near.sendall(data[place:])
                return
            self.near.sendall(data[place : place + 1])

    def _end(self) -> None:
        for way in (self.near, self.far):
            with contextlib.suppress(OSError):
                way.shutdown(socket.SHUT_RDWR)
