"""A worker's care for its own ears: it connects anew when messages that it cannot acknowledge stop it from listening.

A broker that is restarted makes an acknowledgement fail. Celery logs that and goes on, but the channel counts the message
as unacknowledged for ever; as many of them as the worker may hold, and it lives without hearing anything.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from celery import bootsteps
from celery.worker import state

log = logging.getLogger(__name__)

#: Seconds between two looks; a message must be stuck at two of them.
LOOK_EVERY: Final = 3.0


def stuck_tags(qos: Any, requests: Any) -> set[Any]:
    """Messages that the channel takes for unacknowledged although no request of the worker holds them."""
    unacknowledged = set(getattr(qos, "_delivered", ())) - set(getattr(qos, "_dirty", ()))
    return unacknowledged - {request.message.delivery_tag for request in requests}


class Ears(bootsteps.StartStopStep):
    """Looks now and then; what is stuck twice ends the connection, as if the network had."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        self._timer: Any = None
        self._stuck: set[Any] = set()
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """Begin to look."""
        self._stuck = set()
        self._timer = consumer.timer.call_repeatedly(LOOK_EVERY, self._look, (consumer,))

    def stop(self, consumer: Any) -> None:
        """No more looks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, consumer: Any) -> None:
        stuck = stuck_tags(consumer.task_consumer.channel.qos, tuple(state.reserved_requests))
        still = stuck & self._stuck
        self._stuck = stuck
        if still:
            log.warning("%s messages cannot be acknowledged; connecting anew.", len(still))
            raise ConnectionResetError("messages cannot be acknowledged")
