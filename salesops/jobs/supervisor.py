"""Keeps web, worker and scheduler running as children of one process, and ends all of them together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

#: Seconds before a child that died is started again: 1, 2, 4 ... at most 30; back to 1 after a minute of life.
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 30.0
LIVED_WELL: Final = 60.0
#: Seconds between two looks at the children, and two asks whether they are well.
LOOK_EVERY: Final = 0.1
ASK_EVERY: Final = 5.0
#: A child is not asked whether it is well before it has lived so long.
SETTLED: Final = 60.0


@dataclass
class Child:
    """One program to keep running. `is_well` is asked now and then; a child that is not well is killed and replaced."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_well: Callable[[], bool] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    wait: float = FIRST_WAIT
    start_at: float = 0.0


class Supervisor:
    """Starts the children, passes on what they say, restarts those that die, ends all on SIGINT or SIGTERM."""

    def __init__(self, children: Sequence[Child], *, folder: Path, grace: float, out: IO[str] = sys.stdout) -> None:
        self._children = children
        self._folder = folder
        self._grace = grace
        self._out = out
        self._width = max(len(child.name) for child in children)
        self._stopping = threading.Event()
        self._is_hurried = False
        self._lock = threading.Lock()

    def say(self, name: str, line: str) -> None:
        """Print one line under a name."""
        with self._lock:
            print(f"{name:<{self._width}} | {line}", file=self._out, flush=True)

    def run(self, *, on_start: Callable[[], None] | None = None) -> None:
        """Run until a signal says stop. `on_start` is called once after the first start of the children."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        next_ask = time.monotonic() + ASK_EVERY
        try:
            while not self._stopping.is_set():
                for child in self._children:
                    self._look_after(child)
                if on_start is not None:
                    on_start()
                    on_start = None
                if time.monotonic() >= next_ask:
                    for child in self._children:
                        self._ask(child)
                    next_ask = time.monotonic() + ASK_EVERY
                self._stopping.wait(LOOK_EVERY)
        finally:
            self._end_all()

    def _on_signal(self, number: int, frame: object) -> None:
        self._is_hurried = self._stopping.is_set()
        self._stopping.set()

    def _look_after(self, child: Child) -> None:
        """Start a child that does not run and whose wait is over."""
        now = time.monotonic()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            self._sweep(child)
            if now - child.started_at > LIVED_WELL:
                child.wait = FIRST_WAIT
            self.say(child.name, f"ended ({_reason(code)}); starts again in {child.wait:g} s")
            child.process, child.start_at = None, now + child.wait
            child.wait = min(child.wait * 2, LONGEST_WAIT)
        if now >= child.start_at:
            self._start(child)

    def _start(self, child: Child) -> None:
        # A group of its own: Ctrl-C in the terminal reaches only the supervisor, and the whole group can be ended.
        process = subprocess.Popen(  # noqa: S603  # our own programs
            list(child.command),
            cwd=self._folder,
            # A pipe would hold back what a child says until there is a lot of it.
            env={**os.environ, "PYTHONUNBUFFERED": "1", **child.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child.process, child.started_at = process, time.monotonic()
        threading.Thread(target=self._pass_on, args=(child.name, process), daemon=True).start()

    def _pass_on(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Print what a child says, line by line, until it is gone."""
        assert process.stdout is not None  # noqa: S101  # it was started with a pipe
        for line in process.stdout:
            self.say(name, line.decode(errors="replace").rstrip())

    def _ask(self, child: Child) -> None:
        """Kill a child that lives but does not work; it is started again."""
        if child.is_well is None or child.process is None or time.monotonic() - child.started_at < SETTLED:
            return
        if not child.is_well():
            self.say(child.name, "lives but does not work; it is replaced")
            self._sweep(child)

    @staticmethod
    def _sweep(child: Child) -> None:
        """Kill whatever is left of a child's process group."""
        if child.process is not None:
            try:
                os.killpg(child.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return

    def _end_all(self) -> None:
        """Ask all children to end, wait for them within the grace, then kill what is left of them."""
        running = [child for child in self._children if child.process is not None and child.process.poll() is None]
        for child in running:
            child.process.terminate()  # type: ignore[union-attr]  # only those with a process are in the list
        deadline = time.monotonic() + self._grace
        while time.monotonic() < deadline and not self._is_hurried:
            if all(child.process is None or child.process.poll() is not None for child in running):
                break
            time.sleep(LOOK_EVERY)
        for child in self._children:
            self._sweep(child)
            if child.process is not None:
                child.process.wait()


def _reason(code: int) -> str:
    """An exit code in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
