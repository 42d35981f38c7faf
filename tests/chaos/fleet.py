"""Web, workers, schedulers, database and broker of one chaos test, each of which can be killed, frozen and restarted."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers import Postgres, Redis, free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


class Process:
    """One program of the fleet and its process group."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.command, self.environment, self.log = name, list(command), environment, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The main process."""
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the main process lives."""
        return self.process is not None and self.process.poll() is None

    def children(self) -> list[int]:
        """Ids of the main process's children."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                words = path.read_text().rpartition(")")[2].split()
                if int(words[1]) == self.pid:
                    found.append(int(path.parent.name))
        return sorted(found)

    def kill_main(self) -> None:
        """kill -9 of the main process only: its children must end by themselves."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def kill_child(self) -> bool:
        """kill -9 of one child, as the kernel does when memory is short."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def terminate(self) -> None:
        """SIGTERM, as on a deploy."""
        os.kill(self.pid, signal.SIGTERM)

    def end(self) -> None:
        """Kill whatever is left of the group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class FolderBroker:
    """The broker without a server: it can only be wiped."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "queue"
        self.url = "filesystem://"

    def wipe(self) -> None:
        """Lose all messages, and the folder with them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self) -> None:
        """A folder cannot freeze: it is wiped instead."""
        self.wipe()

    def thaw(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""


class Fleet:
    """The whole portal on servers of its own, with short leases."""

    def __init__(self, data: Path, *, on_servers: bool, lease: float = 3.0) -> None:
        self.data = data
        self.stack = contextlib.ExitStack()
        self.postgres: Postgres | None = None
        self.broker: Redis | FolderBroker
        if on_servers:
            self.postgres = self.stack.enter_context(Postgres(keeps_commits=True))
            self.broker = self.stack.enter_context(Redis())
            database = self.postgres.url
        else:
            self.broker = FolderBroker(data)
            database = f"sqlite:///{data / 'salesops.sqlite3'}"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SALESOPS", "DJANGO"))
        }
        self.environment = kept | {
            "DATABASE_URL": database,
            "BROKER_URL": self.broker.url,
            "SALESOPS_DATA": str(data),
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "JOB_LEASE_SECONDS": str(lease),
            "REMAP_SIGTERM": "SIGQUIT",
            "WORKER_GRACE_SECONDS": "2",
            "PYTHONPATH": str(ROOT),
        }
        self.processes: list[Process] = []
        self.port = free_port()

    def __enter__(self) -> Self:
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--run-syncdb", "--verbosity", "0"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.__exit__(None, None, None)
            raise AssertionError(done.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.end()
        self.stack.close()

    def add(self, name: str, *command: str) -> Process:
        """Start one more program, tied to this test."""
        process = Process(
            name,
            [sys.executable, "-m", "salesops.jobs.lifeline", *command],
            self.environment,
            self.data / f"{name}.log",
        )
        process.start()
        self.processes.append(process)
        return process

    def add_worker(self, name: str, *, concurrency: int = 1) -> Process:
        """One Celery worker, with the options that `run_portal` gives it."""
        return self.add(
            name,
            *("celery", "--app", "salesops.config", "--quiet", "worker", "--concurrency", str(concurrency)),
            *("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
            *("--hostname", f"{name}@chaos"),
        )

    def add_scheduler(self, name: str) -> Process:
        """One relay."""
        return self.add(name, "manage", "run_scheduler", "--every", "0.3")

    def add_web(self) -> Process:
        """The page that takes orders."""
        web = self.add(
            "web",
            *("gunicorn", "salesops.config.wsgi:application", "--worker-class", "gthread", "--no-control-socket"),
            *("--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", "4", "--log-level", "warning"),
        )
        self.wait(lambda: self.post([]), seconds=60, what="the web answers")
        return web

    def post(self, orders: list[dict[str, Any]], *, timeout: float = 20.0) -> bool:
        """Post orders; whether they were taken."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            line.request("POST", "/order", json.dumps(orders), {"Content-Type": "application/json"})
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def post_until_taken(self, orders: list[dict[str, Any]]) -> None:
        """As a client that was not answered: post the same again."""
        self.wait(lambda: self.post(orders), seconds=60, what="orders are taken")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database beside the portal."""
        if self.postgres is None:
            with contextlib.closing(sqlite3.connect(self.data / "salesops.sqlite3", timeout=20)) as line:
                return line.execute(query).fetchall()
        import psycopg

        while True:
            try:
                with psycopg.connect(
                    self.postgres.url.replace("postgres://", "postgresql://"), autocommit=True
                ) as link:
                    return list(link.execute(query).fetchall())  # type: ignore[arg-type]  # plain text of this test
            except psycopg.OperationalError:
                time.sleep(0.1)

    def one(self, query: str) -> Any:
        """The only value of the only row."""
        return self.rows(query)[0][0]

    def wait(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait for a condition; says what the programs logged when it does not come."""
        try:
            wait_until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            tails = [f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.data.glob("*.log"))]
            raise AssertionError("\n".join([str(error), *tails])) from None
