"""A ring costs little and breaks nothing: broker away, frozen, restarted, queue full. And the folder as a broker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from kombu import Connection

from salesops.jobs import doorbell
from salesops.jobs.doorbell import Doorbell
from tests.servers import Redis, redis_program, wait_until

TRANSPORT = "salesops.jobs.folder_queue:Transport"


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """The broker of this test is an empty folder."""
    settings.BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"folder": str(tmp_path / "queue"), "polling_interval": 0.01}
    return tmp_path / "queue"


@pytest.fixture
def bell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Doorbell:
    """A doorbell of its own, on that folder."""

    def connect(**options: Any) -> Connection:
        return Connection("filesystem://", transport=TRANSPORT, transport_options={"folder": str(folder)})

    monkeypatch.setattr(current_app, "connection_for_write", connect)
    return Doorbell()


def messages(folder: Path) -> list[Any]:
    """What the messages carry."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.msg"))]
    return [(each["headers"]["task"], each["headers"]["argsrepr"]) for each in found]


def test_a_ring_is_one_message_with_the_jobs_id_and_nothing_else(bell: Doorbell, folder: Path) -> None:
    assert bell.ring(42) is True
    assert messages(folder) == [("salesops.run_job", "[42]")]
    assert bell.queue_length() == 1


def test_a_full_queue_is_not_rung_into(bell: Doorbell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "QUEUE_LIMIT", 3)
    assert [bell.ring(number) for number in range(5)] == [True, True, True, False, False]
    assert len(messages(folder)) == 3
    assert bell.room() == 0


def test_after_a_failure_the_bell_is_silent_for_a_while(bell: Doorbell, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def connect(**options: Any) -> Connection:
        tries.append(options)
        raise OSError("no route")

    monkeypatch.setattr(current_app, "connection_for_write", connect)
    assert [bell.ring(number) for number in range(50)] == [False] * 50
    assert bell.room() == 0
    assert bell.queue_length() is None
    assert len(tries) == 1
    later = time.monotonic() + doorbell.SILENCE + 1
    monkeypatch.setattr(doorbell.time, "monotonic", lambda: later)
    assert bell.ring(1) is False
    assert len(tries) == 2


def test_a_child_process_forgets_its_parents_connection(bell: Doorbell) -> None:
    bell.ring(1)
    assert bell._connection is not None
    bell._lock.acquire()
    bell.forget()
    assert bell._connection is None
    assert bell._lock.acquire(timeout=0)


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    if redis_program() is None:
        pytest.skip("redis-server is not on this machine")
    with Redis() as server:
        yield server


@pytest.fixture
def redis_bell(redis: Redis, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Doorbell:
    """A doorbell on a Redis that the test may kill."""
    settings.BROKER_URL = redis.url
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 2}

    def connect(*, connect_timeout: float, transport_options: dict[str, Any]) -> Connection:
        return Connection(redis.url, connect_timeout=connect_timeout, transport_options=transport_options)

    monkeypatch.setattr(current_app, "connection_for_write", connect)
    return Doorbell()


def timed(bell: Doorbell) -> tuple[bool, float]:
    began = time.monotonic()
    return bell.ring(1), time.monotonic() - began


def test_a_frozen_broker_costs_a_request_less_than_two_seconds_and_the_next_nothing(
    redis: Redis, redis_bell: Doorbell
) -> None:
    assert redis_bell.ring(1) is True
    redis.freeze()
    try:
        rang, seconds = timed(redis_bell)
        assert rang is False
        assert 0.5 < seconds < 2.0
        rang, seconds = timed(redis_bell)
        assert rang is False
        assert seconds < 0.1
        cold = Doorbell()
        rang, seconds = timed(cold)
        assert rang is False
        assert seconds < 2.0
    finally:
        redis.thaw()
    redis_bell._silent_until = 0.0
    assert redis_bell.ring(1) is True


def test_a_broker_that_was_restarted_is_rung_at_once(redis: Redis, redis_bell: Doorbell) -> None:
    assert redis_bell.ring(1) is True
    redis.wipe()
    assert redis_bell.ring(1) is True
    assert redis_bell.queue_length() == 1
    redis.kill()
    rang, seconds = timed(redis_bell)
    assert rang is False
    assert seconds < 1.0
    redis.start()


def queue(folder: Path) -> Any:
    return Connection("filesystem://", transport=TRANSPORT, transport_options={"folder": str(folder)}).SimpleQueue("q")


def drain(source: Any) -> list[Any]:
    found = []
    while True:
        try:
            message = source.get(block=False)
        except source.Empty:
            return found
        message.ack()
        found.append(message.payload)


def test_the_folder_keeps_the_order_and_separates_queues(tmp_path: Path) -> None:
    first = queue(tmp_path)
    other = Connection("filesystem://", transport=TRANSPORT, transport_options={"folder": str(tmp_path)}).SimpleQueue(
        "x"
    )
    for number in range(20):
        first.put({"number": number})
    other.put({"number": 99})
    assert first.qsize() == 20
    assert drain(queue(tmp_path)) == [{"number": number} for number in range(20)]
    assert other.clear() == 1
    assert drain(other) == []


def test_a_folder_that_was_wiped_comes_back(tmp_path: Path) -> None:
    import shutil

    source = queue(tmp_path / "queue")
    source.put({"number": 1})
    shutil.rmtree(tmp_path / "queue")
    assert drain(source) == []
    assert source.qsize() == 0
    source.put({"number": 2})
    assert drain(source) == [{"number": 2}]


def test_what_cannot_be_read_is_dropped_and_stops_nobody(tmp_path: Path) -> None:
    source = queue(tmp_path)
    source.put({"number": 1})
    (tmp_path / "00_empty.q.msg").write_text("")
    (tmp_path / "01_half.q.msg").write_text('{"bod')
    (tmp_path / "02_list.q.msg").write_text("[1, 2]")
    (tmp_path / "02_other.q.msg").write_text('{"a": 1}')
    (tmp_path / "03_writing.q.msg.part").write_text('{"bod')
    assert drain(source) == [{"number": 1}]
    assert sorted(path.name for path in tmp_path.glob("*.msg")) == []


def test_of_two_readers_of_one_message_one_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = queue(tmp_path), queue(tmp_path)
    slow.put({"number": 1})
    read_text = Path.read_text
    taken: list[Any] = []

    def read_slowly(path: Path) -> str:
        text = read_text(path)
        monkeypatch.setattr(Path, "read_text", read_text)
        taken.extend(drain(quick))
        return text

    monkeypatch.setattr(Path, "read_text", read_slowly)
    assert (drain(slow), taken) == ([], [{"number": 1}])


def test_four_readers_and_two_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    found: list[int] = []
    stop = threading.Event()
    failed: list[BaseException] = []

    def read() -> None:
        source = queue(tmp_path)
        try:
            while not stop.is_set():
                found.extend(each["number"] for each in drain(source))
        except BaseException as error:
            failed.append(error)

    def write(start: int) -> None:
        source = queue(tmp_path)
        for number in range(start, start + 200):
            source.put({"number": number})

    readers = [threading.Thread(target=read) for _ in range(4)]
    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 1000)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    try:
        wait_until(lambda: len(found) >= 400 or bool(failed), seconds=20, what="all is read")
    finally:
        stop.set()
        for thread in readers:
            thread.join()
    assert failed == []
    assert sorted(found) == [*range(200), *range(1000, 1200)]
