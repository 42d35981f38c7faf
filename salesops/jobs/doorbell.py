"""Rings for a job: one message with the job's id. A lost ring is harmless, the relay rings again."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from celery import current_app
from django.conf import settings

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TASK_NAME: Final = "salesops.run_job"
#: Messages that may wait in the queue; more would only be a storm.
QUEUE_LIMIT: Final = 500
#: Seconds without ringing after a broker did not answer, so that no request waits for it again and again.
SILENCE: Final = 10.0
#: Seconds for which a measured queue length is believed.
LENGTH_AGE: Final = 1.0
#: What a ring may cost when the broker is frozen: connect and send, in seconds each, tried once.
RING_TIMEOUTS: Final[dict[str, Any]] = {
    "socket_timeout": 0.8,
    "socket_connect_timeout": 0.8,
    "retry_on_timeout": False,
    "health_check_interval": 0,
    "max_retries": 0,
}


class Doorbell:
    """One connection to the broker for each process, with short timeouts, silent for a while after a failure."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, without touching a connection that belongs to another process."""
        self._lock = threading.Lock()
        self._connection: Any = None
        self._silent_until = 0.0
        self._length = 0
        self._length_at = float("-inf")

    def ring(self, job_id: int) -> bool:
        """Send one message for the job. False when it was not sent: broker away, silent, or the queue is full."""
        if not self._lock.acquire(timeout=0.5):
            return False
        try:
            return self._try(lambda: self._send(job_id)) is True
        finally:
            self._lock.release()

    def room(self) -> int:
        """How many more messages the queue may take; 0 when the broker does not answer."""
        with self._lock:
            return self._try(self._room) or 0

    def queue_length(self) -> int | None:
        """Messages that wait in the queue, measured now; None when the broker does not answer."""
        with self._lock:
            return self._try(self._measure)

    def _try(self, action: Callable[[], Answer]) -> Answer | None:
        """Talk to the broker unless it is silent; None when it does not answer."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            return action()
        except Exception as error:  # whatever the broker's client raises, the job row is safe
            log.warning("The broker does not answer (%s); jobs wait for the relay.", type(error).__name__)
            self._silent_until = time.monotonic() + SILENCE
            self._drop()
            return None

    def _connect(self) -> Any:
        if self._connection is None:
            options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS}
            if not settings.BROKER_URL.startswith("filesystem"):
                options |= RING_TIMEOUTS
            self._connection = current_app.connection_for_write(
                connect_timeout=RING_TIMEOUTS["socket_connect_timeout"], transport_options=options
            )
        return self._connection

    def _room(self) -> int:
        if time.monotonic() - self._length_at > LENGTH_AGE:
            self._measure()
        return QUEUE_LIMIT - self._length

    def _measure(self) -> int:
        queue = current_app.conf.task_default_queue
        self._length = int(self._connect().default_channel.queue_declare(queue=queue).message_count)
        self._length_at = time.monotonic()
        return self._length

    def _send(self, job_id: int) -> bool:
        if self._room() <= 0:
            return False
        current_app.send_task(TASK_NAME, args=[job_id], connection=self._connect(), retry=False, ignore_result=True)
        self._length += 1
        return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()
            except Exception as error:  # closing a broken connection may fail in any way
                log.debug("Closing the broker's connection failed: %s", type(error).__name__)


bell = Doorbell()
# A child process must not share its parent's connection, nor a lock that a thread of the parent holds.
os.register_at_fork(after_in_child=bell.forget)
