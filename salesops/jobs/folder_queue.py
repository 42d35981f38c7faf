"""The broker that needs no server: messages are files in a folder, renamed when they are whole, removed by one reader.

Kombu's own filesystem transport lets a worker read a message that is still being written, which ends the worker, and
keeps its bindings in a file that a kill can leave empty, with which no worker starts again.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import deque
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import virtual


class Channel(virtual.Channel):
    """One folder for all queues: `<time>_<id>.<queue>.msg`, oldest first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: dict[str, deque[str]] = {}

    @property
    def folder(self) -> Path:
        """Where the messages lie."""
        return Path(self.connection.client.transport_options["folder"])

    def _names(self, queue: str) -> list[str]:
        suffix = f".{queue}.msg"
        try:
            return sorted(name for name in os.listdir(self.folder) if name.endswith(suffix))
        except FileNotFoundError:
            return []

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        """Write beside, then rename: nobody sees half a message."""
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        half = self.folder / f"{name}.part"
        try:
            half.write_text(json.dumps(message))
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            half.write_text(json.dumps(message))
        half.rename(self.folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        """Take the oldest message. Who removes it has it; what cannot be read is dropped, as it is only a doorbell."""
        names = self._seen.setdefault(queue, deque())
        if not names:
            names.extend(self._names(queue))
        while names:
            path = self.folder / names.popleft()
            try:
                text = path.read_text()
                path.unlink()
                message = json.loads(text)
            except (OSError, ValueError):
                continue
            if isinstance(message, dict) and "properties" in message:
                return message
        raise Empty

    def _size(self, queue: str) -> int:
        """How many messages wait."""
        return len(self._names(queue))

    def _purge(self, queue: str) -> int:
        """Drop all messages; how many there were."""
        names = self._names(queue)
        for name in names:
            with suppress(FileNotFoundError):
                (self.folder / name).unlink()
        return len(names)


class Transport(virtual.Transport):
    """Kombu's view of the folder. No fanout: remote control and worker events are off."""

    # Asynchronous, because only then each child of a worker has a pipe of its own. Otherwise they share one with a lock,
    # and a child that is killed while it waits for work takes the lock with it: the worker lives and is deaf for ever.
    implements = virtual.Transport.implements.extend(asynchronous=True, exchange_type=frozenset(["direct"]))
    Channel = Channel
    default_port: Any = 0
    driver_type = driver_name = "folder"
    global_state = virtual.BrokerState()

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.state = self.global_state

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Look for messages whenever the worker's loop turns, and at least at each polling interval."""
        loop.on_tick.add(self._look)
        loop.call_repeatedly(self.polling_interval, self._look)

    def _look(self) -> None:
        """Hand on what waits, as far as the worker takes it."""
        cycle: Any = self.cycle
        with suppress(Empty):
            while True:
                cycle.get(self._deliver)

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """There is no host to connect to."""
        return {}

    def driver_version(self) -> str:
        """There is no driver."""
        return "1"
