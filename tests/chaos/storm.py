"""Kills workers, web and broker while orders come in, then counts what was lost and what was doubled."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

from tests.chaos.fleet import Fleet, Process
from tests.servers import Redis


@dataclass
class Plan:
    """How much of everything."""

    jobs: int
    worker_kills: int
    broker_faults: int
    web_kills: int
    scheduler_kills: int
    database_crashes: int = 0
    seed: int = 20260617
    workers: int = 2
    schedulers: int = 2
    #: Far more than it takes on an idle machine with two cores.
    seconds: float = 900.0


@dataclass
class Outcome:
    """What was done to the fleet and what came of it."""

    seconds: float = 0.0
    killed: dict[str, int] = field(default_factory=dict)

    def note(self, what: str) -> None:
        """Count one fault."""
        self.killed[what] = self.killed.get(what, 0) + 1


def parts_of(number: int) -> int:
    """How many effects a job leaves: every tenth has three."""
    return 3 if number % 10 == 0 else 1


def storm(fleet: Fleet, plan: Plan) -> Outcome:
    """Run the plan to the end; raises AssertionError when a job or an effect is missing or double."""
    chance = random.Random(plan.seed)
    outcome = Outcome()
    workers = [fleet.add_worker(f"worker-{number}") for number in range(plan.workers)]
    schedulers = [fleet.add_scheduler(f"scheduler-{number}") for number in range(plan.schedulers)]
    web = fleet.add_web()
    began = time.monotonic()
    all_posted = threading.Event()

    def client() -> None:
        for start in range(0, plan.jobs, 10):
            numbers = range(start, min(start + 10, plan.jobs))
            kinds = {1: "chaos.one", 3: "chaos.three"}
            fleet.post_until_taken([{"number": n, "kind": kinds[parts_of(n)]} for n in numbers])
        all_posted.set()

    threading.Thread(target=client, daemon=True).start()
    faults = ["worker"] * plan.worker_kills + ["broker"] * plan.broker_faults + ["web"] * plan.web_kills
    faults += ["scheduler"] * plan.scheduler_kills + ["database"] * plan.database_crashes
    chance.shuffle(faults)
    broker_turn = 0
    for fault in faults:
        # The next fault comes when work moves again, so that each of them hits a fleet that is busy.
        _wait_for_work(fleet, plan, all_posted)
        time.sleep(chance.uniform(0.0, 0.4))
        if fault == "worker":
            outcome.note(_kill_worker(fleet, chance.choice(workers), chance))
        elif fault == "broker":
            broker_turn += 1
            outcome.note(_disturb_broker(fleet, broker_turn))
        elif fault == "web":
            web.kill_main()
            outcome.note("web killed")
            web.start()
        elif fault == "scheduler":
            victim = chance.choice(schedulers)
            victim.kill_main()
            outcome.note("scheduler killed")
            victim.start()
        else:
            assert fleet.postgres is not None
            fleet.postgres.crash()
            outcome.note("database crashed")
        _restart_the_dead(workers + schedulers)
    left = plan.seconds - (time.monotonic() - began)
    fleet.wait(lambda: _is_over(fleet, plan, all_posted), seconds=left, what="all jobs end")
    outcome.seconds = time.monotonic() - began
    check(fleet, plan)
    return outcome


def _done(fleet: Fleet) -> int:
    return int(fleet.one("SELECT COUNT(*) FROM jobs_job WHERE state = 'done'"))


def _is_over(fleet: Fleet, plan: Plan, all_posted: threading.Event) -> bool:
    open_jobs = "SELECT COUNT(*) FROM jobs_job WHERE state IN ('new', 'running') AND kind LIKE 'chaos.%'"
    return all_posted.is_set() and fleet.one(open_jobs) == 0


def _wait_for_work(fleet: Fleet, plan: Plan, all_posted: threading.Event) -> None:
    """Until one more job is done, or all are."""
    seen = _done(fleet)
    fleet.wait(lambda: _done(fleet) > seen or _is_over(fleet, plan, all_posted), seconds=90, what="work moves")


def _kill_worker(fleet: Fleet, worker: Process, chance: random.Random) -> str:
    """Kill the whole worker, only its main process, or only a child."""
    if not worker.is_running:
        worker.start()
    if chance.random() < 0.6 and worker.kill_child():
        return "worker's child killed"
    if chance.random() < 0.5:
        worker.kill_main()
        worker.end()
        worker.start()
        return "worker and children killed"
    worker.kill_main()
    worker.start()
    return "worker's main process killed"


def _disturb_broker(fleet: Fleet, turn: int) -> str:
    """Wipe it; every fifth time freeze it instead, if it is a server."""
    if turn % 5 == 0 and isinstance(fleet.broker, Redis):
        fleet.broker.freeze()
        time.sleep(2.0)
        fleet.broker.thaw()
        return "broker frozen"
    fleet.broker.wipe()
    return "broker wiped"


def _restart_the_dead(processes: list[Process]) -> None:
    """What an orchestrator does."""
    for process in processes:
        if not process.is_running:
            process.end()
            process.start()


def check(fleet: Fleet, plan: Plan) -> None:
    """Nothing lost, nothing doubled."""
    expected = {(number, part) for number in range(plan.jobs) for part in range(parts_of(number))}
    states = dict(fleet.rows("SELECT state, COUNT(*) FROM jobs_job WHERE kind LIKE 'chaos.%' GROUP BY state"))
    assert states == {"done": plan.jobs}, states
    assert fleet.one("SELECT COUNT(*) FROM chaos_order") == plan.jobs
    effects = fleet.rows("SELECT number, part FROM chaos_effect")
    assert len(effects) == len(expected), f"{len(effects)} effects instead of {len(expected)}"
    assert set(effects) == expected
