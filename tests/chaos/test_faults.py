"""Single faults, each on real processes: a frozen worker, a frozen broker, a poison job, a kill at every commit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.fleet import Fleet
from tests.servers import postgres_folder, redis_program

pytestmark = pytest.mark.chaos
ON_SERVERS = bool(os.environ.get("DATABASE_URL"))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """An empty portal with leases of a second and a half."""
    if ON_SERVERS and not (postgres_folder() and redis_program()):
        pytest.skip("the programs of PostgreSQL and Redis are not on this machine, and given servers are not killed")
    with Fleet(tmp_path, on_servers=ON_SERVERS, lease=1.5) as made:
        yield made


def state_of(fleet: Fleet, number: int) -> str:
    return str(fleet.one(f"SELECT state FROM jobs_job WHERE key = 'chaos:{number}'"))


def effects_of(fleet: Fleet, number: int) -> list[int]:
    return [row[0] for row in fleet.rows(f"SELECT part FROM chaos_effect WHERE number = {number} ORDER BY id")]


def test_a_poison_job_is_given_up_and_the_others_move_on(fleet: Fleet) -> None:
    fleet.add_web()
    fleet.add_scheduler("scheduler")
    fleet.add_worker("worker")
    fleet.post_until_taken([{"number": 0, "kind": "chaos.poison", "max_attempts": 3}])
    fleet.post_until_taken([{"number": number, "kind": "chaos.one"} for number in range(1, 21)])
    fleet.wait(lambda: state_of(fleet, 0) == "dead", seconds=120, what="the poison job is given up")
    fleet.wait(
        lambda: all(state_of(fleet, number) == "done" for number in range(1, 21)), seconds=60, what="the others end"
    )
    assert fleet.rows("SELECT attempts, strikes FROM jobs_job WHERE key = 'chaos:0'") == [(3, 3)]
    assert [effects_of(fleet, number) for number in range(21)] == [[], *[[0]] * 20]


def test_killed_at_every_commit_each_effect_is_there_once(fleet: Fleet) -> None:
    fleet.add_web()
    fleet.add_scheduler("scheduler")
    fleet.add_worker("worker")
    fleet.post_until_taken([{"number": 1, "kind": "chaos.steps", "max_attempts": 3}])
    fleet.wait(lambda: state_of(fleet, 1) == "done", seconds=180, what="the job ends")
    # Killed before and after each of three commits; the sixth kill finds the job done.
    assert fleet.one("SELECT attempts FROM jobs_job WHERE key = 'chaos:1'") == 6
    assert effects_of(fleet, 1) == [0, 1, 2]


def test_a_worker_frozen_past_its_lease_cannot_write_when_it_thaws(fleet: Fleet, tmp_path: Path) -> None:
    fleet.add_web()
    fleet.add_scheduler("scheduler")
    fleet.add_worker("worker-slow")
    fleet.post_until_taken([{"number": 1, "kind": "chaos.slow", "folder": str(tmp_path)}])
    begun = tmp_path / "begun-1"
    fleet.wait(lambda: begun.exists() and bool(begun.read_text()), seconds=60, what="the slow worker begins")
    slow = int(begun.read_text())
    os.kill(slow, signal.SIGSTOP)
    try:
        (tmp_path / "go-2").write_text("")
        fleet.add_worker("worker-quick")
        fleet.wait(lambda: state_of(fleet, 1) == "done", seconds=90, what="the quick worker ends the job")
        (tmp_path / "go-1").write_text("")
    finally:
        os.kill(slow, signal.SIGCONT)
    refused = tmp_path / "refused-1"
    fleet.wait(lambda: refused.exists() and bool(refused.read_text()), seconds=30, what="the slow worker is refused")
    assert refused.read_text() == "LeaseLost"
    assert effects_of(fleet, 1) == [2]
    assert fleet.rows("SELECT attempts, state FROM jobs_job WHERE key = 'chaos:1'") == [(2, "done")]


def test_orders_are_taken_while_the_broker_is_frozen_and_done_when_it_thaws(fleet: Fleet) -> None:
    if not ON_SERVERS:
        pytest.skip("a folder cannot freeze")
    fleet.add_web()
    fleet.add_scheduler("scheduler")
    fleet.add_worker("worker")
    fleet.post_until_taken([{"number": 0, "kind": "chaos.one"}])
    fleet.wait(lambda: state_of(fleet, 0) == "done", seconds=60, what="the first job ends")
    fleet.broker.freeze()
    times = []
    try:
        for number in range(1, 11):
            began = time.monotonic()
            assert fleet.post([{"number": number, "kind": "chaos.one"}])
            times.append(time.monotonic() - began)
    finally:
        fleet.broker.thaw()
    print(f"\nslowest order with a frozen broker: {max(times):.2f} s; the others: {sorted(times)[-2]:.2f} s")
    assert max(times) < 3.0
    fleet.wait(
        lambda: all(state_of(fleet, number) == "done" for number in range(1, 11)), seconds=90, what="the jobs end"
    )
    assert [effects_of(fleet, number) for number in range(11)] == [[0]] * 11


def test_a_worker_that_is_told_to_stop_loses_nothing(fleet: Fleet) -> None:
    fleet.add_web()
    fleet.add_scheduler("scheduler")
    worker = fleet.add_worker("worker")
    numbers = range(200)
    done = "SELECT COUNT(*) FROM jobs_job WHERE state = 'done' AND kind LIKE 'chaos.%'"
    fleet.post_until_taken([{"number": number, "kind": "chaos.three"} for number in numbers])
    for _round in range(3):
        before = fleet.one(done)
        fleet.wait(lambda seen=before: fleet.one(done) > min(seen + 5, 199), seconds=90, what="work moves")
        worker.terminate()
        fleet.wait(lambda: not worker.is_running, seconds=30, what="the worker ends")
        worker.start()
    fleet.wait(lambda: fleet.one(done) == 200, seconds=120, what="all jobs end")
    assert all(effects_of(fleet, number) == [0, 1, 2] for number in numbers)
