"""The supervisor: what dies starts again, what does not work is replaced, all end together, nothing is left behind."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from salesops.jobs import supervisor as module
from salesops.jobs.supervisor import Child, Supervisor
from tests.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Running:
    """A supervisor in a thread of the test."""

    def __init__(self, *children: Child, grace: float = 5.0) -> None:
        self.out = io.StringIO()
        self.children = children
        self.supervisor = Supervisor(children, folder=ROOT, grace=grace, out=self.out)
        self.thread = threading.Thread(target=self.supervisor.run)

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor._stopping.set()
        self.thread.join(timeout=30)
        assert not self.thread.is_alive()

    def said(self, pattern: str) -> bool:
        return re.search(pattern, self.out.getvalue()) is not None

    def wait_for(self, pattern: str) -> None:
        wait_until(lambda: self.said(pattern), seconds=20, what=f"{pattern!r} is said")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, seconds=20, what=f"condition; said: {self.out.getvalue()}")


@pytest.fixture(autouse=True)
def _no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signal handlers cannot be set in a thread; the tests stop the supervisor by its event."""
    monkeypatch.setattr(module.signal, "signal", lambda *_: None)


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_lines_carry_the_childs_name() -> None:
    talk = "print('one'); print('two'); import time; time.sleep(60)"
    with Running(Child("web", script(talk)), Child("scheduler", script(talk))) as running:
        running.wait_for(r"(?m)^web       \| one$")
        running.wait_for(r"(?m)^scheduler \| two$")


def test_what_dies_starts_again_after_growing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    child = Child("web", script("raise SystemExit(3)"), wait=0.1)
    with Running(child) as running:
        running.wait_for(r"ended \(exit code 3\); starts again in 0\.1 s")
        running.wait_for(r"starts again in 0\.2 s")
        running.wait_for(r"starts again in 0\.4 s")
    child = Child("web", script("import os; os.kill(os.getpid(), 9)"), wait=0.1)
    with Running(child) as running:
        running.wait_for(r"ended \(signal SIGKILL\)")


def test_what_lives_but_does_not_work_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_EVERY", 0.1)
    monkeypatch.setattr(module, "SETTLED", 0.2)
    answers = [True, True, False]
    child = Child(
        "worker",
        script("import os, time; print('pid', os.getpid()); time.sleep(60)"),
        is_well=lambda: answers.pop(0) if answers else True,
        wait=0.1,
    )
    with Running(child) as running:
        running.wait_for("lives but does not work")
        running.wait_until(lambda: len(re.findall(r"pid \d+", running.out.getvalue())) == 2)
        first, second = (int(pid) for pid in re.findall(r"pid (\d+)", running.out.getvalue()))
        assert not is_alive(first)
        assert is_alive(second)


def test_grandchildren_are_ended_too_and_the_stubborn_are_killed() -> None:
    stubborn = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print('pids', os.getpid(), child.pid); time.sleep(60)"
    )
    running = Running(Child("worker", script(stubborn)), grace=0.5)
    with running:
        running.wait_for(r"pids \d+ \d+")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    pids = [int(pid) for pid in re.search(r"pids (\d+) (\d+)", running.out.getvalue()).groups()]  # type: ignore[union-attr]  # waited for
    wait_until(lambda: not any(is_alive(pid) for pid in pids), seconds=5, what="all are gone")


def test_a_taken_port_is_refused_politely() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} on 127.0.0.1 cannot be used"):
            call_command("run_portal", port=port)


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(CommandError, match="--only takes web, worker, scheduler"):
        call_command("run_portal", only="web,kitchen")


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid and words[0] != "Z":
            found += family(int(path.parent.name))
    return found


class Portal:
    """The whole portal as `make run` starts it, embedded, in a folder of its own."""

    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.log = data / "portal.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTEST"))}
        self.environment = kept | {
            "SALESOPS_DATA": str(data),
            "DATABASE_URL": f"sqlite:///{data / 'salesops.sqlite3'}",
            "BROKER_URL": "filesystem://",
            "STATICFILES_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        }
        self.manage("migrate", "--verbosity", "0")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_portal", "--port", str(self.port), "--web-processes", "1"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def manage(self, *words: str) -> None:
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, check=True, timeout=120)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
                line.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return line.recv(200).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, seconds=60, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()}") from None

    def children(self) -> dict[str, int]:
        """The main process of each part."""
        found = {}
        for pid in family(self.process.pid)[1:]:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            for name, mark in (("web", b"gunicorn"), ("worker", b"celery"), ("scheduler", b"run_scheduler")):
                if mark in words and name not in found:
                    found[name] = pid
        return found

    def is_whole(self) -> bool:
        return self.answers() and set(self.children()) == {"web", "worker", "scheduler"}


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this test looks at processes through /proc")
    made = Portal(tmp_path)
    try:
        yield made
    finally:
        for pid in family(made.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        made.process.wait()


def test_the_portal_starts_and_ends_without_orphans(portal: Portal) -> None:
    portal.wait(portal.is_whole, "the portal is whole")
    portal.wait(lambda: len(family(portal.process.pid)) >= 7, "all processes are there")
    assert f"Salesops is at http://127.0.0.1:{portal.port}/" in portal.log.read_text()
    everyone = family(portal.process.pid)
    began = time.monotonic()
    portal.process.send_signal(signal.SIGINT)
    assert portal.process.wait(timeout=30) == 0
    assert time.monotonic() - began < 12
    wait_until(lambda: not any(is_alive(pid) for pid in everyone), seconds=3, what="no orphans")
    assert portal.log.read_text().rstrip().endswith("portal    | ended")


@pytest.mark.chaos
def test_the_portal_mends_itself_and_leaves_nothing_when_it_is_killed(portal: Portal) -> None:
    portal.wait(portal.is_whole, "the portal is whole")
    before = portal.children()
    for name in ("worker", "web", "scheduler"):
        os.kill(before[name], signal.SIGKILL)
    portal.wait(
        lambda: portal.is_whole() and not set(portal.children().values()) & set(before.values()), "it is whole again"
    )
    everyone = family(portal.process.pid)
    portal.process.kill()
    portal.process.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in everyone), seconds=10, what="no orphans")
