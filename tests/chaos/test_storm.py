"""Killing workers, web, schedulers and brokers in any order loses nothing and doubles nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.storm import Plan, storm
from tests.servers import postgres_folder, redis_program

#: With DATABASE_URL the tests run on PostgreSQL and Redis of their own, which they may kill; without it embedded.
ON_SERVERS = bool(os.environ.get("DATABASE_URL"))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """An empty portal, nothing of it running yet."""
    if ON_SERVERS and not (postgres_folder() and redis_program()):
        pytest.skip("the programs of PostgreSQL and Redis are not on this machine, and given servers are not killed")
    with Fleet(tmp_path, on_servers=ON_SERVERS) as made:
        yield made


def test_a_small_storm(fleet: Fleet) -> None:
    storm(fleet, Plan(jobs=120, worker_kills=3, broker_faults=1, web_kills=1, scheduler_kills=0, schedulers=1))


@pytest.mark.chaos
def test_the_great_storm(fleet: Fleet) -> None:
    plan = Plan(jobs=3000, worker_kills=25, broker_faults=4, web_kills=3, scheduler_kills=3)
    if ON_SERVERS:  # one freeze besides the four wipes, and crashes of the database
        plan.broker_faults, plan.database_crashes = 5, 3
    outcome = storm(fleet, plan)
    print(f"\n3,000 jobs in {outcome.seconds:.0f} s: {outcome.killed}")
