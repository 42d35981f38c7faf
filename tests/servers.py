"""Throwaway PostgreSQL and Redis for tests: private, on a free port or a socket, gone afterwards.

python -m tests.servers -- pytest ...   runs a command with DATABASE_URL and BROKER_URL; what is already given is kept.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

#: Accounts that a root user may run PostgreSQL as, which refuses to run as root.
ACCOUNTS = ("postgres", "nobody")


class MissingServerError(RuntimeError):
    """A server's programs are not on this machine."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for a condition, looking twenty times a second; raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


def postgres_folder() -> Path | None:
    """The folder with PostgreSQL's programs: on the PATH, or where Debian puts the newest version."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), default=None)


def redis_program() -> str | None:
    """Where the Redis server is (or Valkey, which is the same for us)."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


@dataclass
class _Account:
    """Whom to run a server as: ourselves, or somebody without rights when we are root."""

    uid: int
    gid: int

    @classmethod
    def choose(cls) -> _Account | None:
        """None when there is nothing to change."""
        if os.geteuid() != 0:
            return None
        for name in ACCOUNTS:
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise MissingServerError("PostgreSQL refuses to run as root, and there is no account postgres or nobody.")


class Server:
    """A server in a folder of its own, under /tmp because socket paths must be short."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="salesops-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        raise RuntimeError("each server says how it starts")

    def stop(self) -> None:
        """Ask it to end; insist after ten seconds."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Stop the process without ending it: connections stay open and nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    """A Redis without persistence: a restart is a wipe."""

    def __init__(self) -> None:
        program = redis_program()
        if program is None:
            raise MissingServerError("redis-server is not on this machine (Debian: apt-get install redis-server).")
        super().__init__()
        self.program = program
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start on our port; the same port again after a kill."""
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--daemonize", "no"]
        settings += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        self.process = subprocess.Popen(
            [self.program, *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._answers, seconds=10, what="Redis answers")

    def _answers(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError("Redis ended at once")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def wipe(self) -> None:
        """Kill it and start it empty."""
        self.kill()
        self.start()


class Postgres(Server):
    """A PostgreSQL cluster on a Unix socket and a free port of the loopback address.

    It never waits for the disk. With `keeps_commits` what was committed survives a crash of the server, though not of
    the machine; without it the last commits may be gone, which is faster.
    """

    def __init__(self, *, keeps_commits: bool = False) -> None:
        folder = postgres_folder()
        if folder is None:
            raise MissingServerError(
                "PostgreSQL's programs are not on this machine (Debian: apt-get install postgresql)."
            )
        super().__init__()
        self.programs = folder
        self.keeps_commits = keeps_commits
        self.account = _Account.choose()
        self.port = free_port()
        self.url = f"postgres://salesops@127.0.0.1:{self.port}/salesops"
        self.data = self.folder / "data"

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, env=self._environment(), **self._as()
        )
        if done.returncode:
            raise AssertionError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")

    def _as(self) -> dict[str, object]:
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def start(self) -> None:
        """Make the cluster on first start, then serve it."""
        if not self.data.exists():
            if self.account is not None:
                os.chown(self.folder, self.account.uid, self.account.gid)
            self._run(
                str(self.programs / "initdb"), "--pgdata", str(self.data), "--username", "salesops", "--auth", "trust",
                "--encoding", "UTF8", "--no-sync",
            )  # fmt: skip
        fast = [
            "fsync=off",
            f"synchronous_commit={'on' if self.keeps_commits else 'off'}",
            "full_page_writes=off",
            "max_connections=200",
        ]
        # Tests undo what they write: statistics taken in the middle of one call a table of thousands of rows empty, and the
        # plans made for an empty table take minutes. Without statistics the size of the file is what plans go by.
        fast += ["shared_buffers=128MB", f"autovacuum={'on' if self.keeps_commits else 'off'}", "timezone=UTC"]
        where = ["-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder)]
        options = [word for setting in fast for word in ("-c", setting)]
        self.process = subprocess.Popen(
            [str(self.programs / "postgres"), *where, *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            env=self._environment(),
            start_new_session=True,
            **self._as(),  # type: ignore[call-overload]  # the account's keywords are as Popen wants them
        )
        wait_until(self._answers, seconds=30, what="PostgreSQL answers")

    def _answers(self) -> bool:
        import psycopg

        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f"PostgreSQL ended at once: {(self.folder / 'log').read_text()[-2000:]}")
        try:
            with psycopg.connect(
                host="127.0.0.1", port=self.port, user="salesops", dbname="postgres", autocommit=True, connect_timeout=2
            ) as line:
                if not line.execute("SELECT 1 FROM pg_database WHERE datname = 'salesops'").fetchone():
                    line.execute("CREATE DATABASE salesops")
                return True
        except psycopg.Error:
            return False

    def crash(self) -> None:
        """End it at once, as when the machine's power fails, and start it again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=30)
        self.start()

    def fresh_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="salesops", dbname="postgres", autocommit=True
        ) as line:
            line.execute(f'CREATE DATABASE "{name}"')
        return f"postgres://salesops@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def environment() -> Iterator[dict[str, str]]:
    """DATABASE_URL and BROKER_URL of this environment, or of throwaway servers where one is missing."""
    with contextlib.ExitStack() as stack:
        given = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "BROKER_URL")}
        if not given["DATABASE_URL"]:
            given["DATABASE_URL"] = stack.enter_context(Postgres()).url
        if not given["BROKER_URL"]:
            given["BROKER_URL"] = stack.enter_context(Redis()).url
        yield given


def main(arguments: list[str]) -> int:
    """Run a command on the servers; its exit code, or 2 when a server cannot be had."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print(__doc__, file=sys.stderr)
        return 2

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        with environment() as given:
            child = subprocess.Popen(command, env={**os.environ, **given})
            while True:
                try:
                    return child.wait()
                except KeyboardInterrupt:
                    child.terminate()
    except MissingServerError as error:
        print(f"{error}\nOr give DATABASE_URL and BROKER_URL.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
