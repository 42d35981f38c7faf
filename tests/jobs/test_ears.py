"""A worker that holds messages which it cannot acknowledge connects anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from celery.worker.request import Request
from kombu.message import Message

from salesops.config.celery import app
from salesops.jobs.ears import LOOK_EVERY, Ears, stuck_tags


def qos(delivered: set[str], acknowledged: set[str]) -> Any:
    return SimpleNamespace(_delivered=dict.fromkeys(delivered), _dirty=acknowledged)


def request(delivery_tag: str) -> Request:
    """What Celery's worker makes of a message."""
    told = {"task": "celery.backend_cleanup", "id": delivery_tag}
    return Request(Message(delivery_tag=delivery_tag, headers=told, body=((), {}, {})), app=app, decoded=True)


def test_only_what_nobody_works_on_is_stuck() -> None:
    channel = qos({"working", "acknowledged", "stuck"}, {"acknowledged"})
    assert stuck_tags(channel, [request("working")]) == {"stuck"}
    assert stuck_tags(qos({"a"}, set()), [request("a")]) == set()
    assert stuck_tags(object(), []) == set()


class Consumer:
    """A Celery consumer as far as the ears see it."""

    def __init__(self, channel_qos: Any) -> None:
        self.task_consumer = SimpleNamespace(channel=SimpleNamespace(qos=channel_qos))
        self.calls: list[tuple[float, Any, tuple[Any, ...]]] = []
        self.cancelled = 0
        self.timer = self

    def call_repeatedly(self, seconds: float, function: Any, args: tuple[Any, ...]) -> Any:
        self.calls.append((seconds, function, args))
        return self

    def cancel(self) -> None:
        self.cancelled += 1

    def look(self) -> None:
        _seconds, function, args = self.calls[-1]
        function(*args)


def test_what_is_stuck_at_two_looks_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "reserved_requests", {request("working")})
    channel = qos({"working", "a"}, set())
    consumer = Consumer(channel)
    ears = Ears(consumer)
    ears.start(consumer)
    assert consumer.calls[0][0] == LOOK_EVERY
    consumer.look()
    channel._delivered = dict.fromkeys({"working", "b"})  # "a" was about to be acknowledged, nothing is wrong
    consumer.look()
    with pytest.raises(ConnectionResetError):
        consumer.look()
    ears.stop(consumer)
    assert consumer.cancelled == 1
    ears.start(consumer)
    consumer.look()


def test_every_worker_of_the_portal_has_ears() -> None:
    assert Ears in app.steps["consumer"]
