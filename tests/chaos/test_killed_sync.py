"""Workers are killed again and again while they bring in the deals of a source and follow its changes.

At the end the portal has what the source has: each deal once, with its amount, name and stage, one raw record and one
audit entry of its making each, no move told twice, and a chain of the audit that holds.
"""

from __future__ import annotations

import bisect
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.fleet import ROOT, Fleet, Process
from tests.connectors.standins.base import Row
from tests.connectors.standins.salesforce import STAGES, Salesforce
from tests.connectors.standins.soql import Both, Comparison, Query
from tests.servers import postgres_folder, redis_program

#: With DATABASE_URL the tests run on PostgreSQL and Redis of their own, which they may kill; without it embedded.
ON_SERVERS = bool(os.environ.get("DATABASE_URL"))
DEALS = "Opportunity"


@dataclass
class Plan:
    """How much of everything. Kills: so many between the first and the last page of a sweep; others come on top. Changes:
    at least; more are made until there were as many kills.
    `page`: rows that are asked for at once."""

    records: int
    changes: int
    load_kills: int
    follow_kills: int
    page: int
    seed: int = 20260617
    #: Far more than it takes on an idle machine with two cores.
    seconds: float = 3600.0

    @property
    def kills(self) -> int:
        """All of them."""
        return self.load_kills + self.follow_kills


SMALL = Plan(records=2_000, changes=200, load_kills=4, follow_kills=2, page=100)
GREAT = Plan(records=100_000, changes=3_000, load_kills=40, follow_kills=10, page=500)
#: The great one takes a quarter of an hour and more: `make chaos KILLED_SYNC=great`.
PLAN = GREAT if os.environ.get("KILLED_SYNC") == "great" else SMALL


class Vendor(Salesforce):
    """A Salesforce with so many deals that they are kept in the order in which they are asked for. It keeps no history."""

    def __init__(self, **more: Any) -> None:
        #: Stamp and id of each deal, in order, and under which stamp each id stands there.
        self.ordered: list[tuple[datetime, str]] = []
        self.stamps: dict[str, datetime] = {}
        super().__init__(**more)

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        if row.object != DEALS:
            super().changed(row, kind, previous)
            return
        before = self.stamps.get(row.id)
        if before is not None:
            del self.ordered[bisect.bisect_left(self.ordered, (before, row.id))]
        self.stamps[row.id] = row.modified_at
        bisect.insort(self.ordered, (row.modified_at, row.id))

    def find(self, query: Query, *, with_deleted: bool) -> list[Row]:
        if query.object != DEALS or [each.field for each in query.order] != ["SystemModstamp", "Id"]:
            return super().find(query, with_deleted=with_deleted)
        assert with_deleted
        assert query.limit
        start = self._place(query.where)
        rows = self.world[DEALS]
        return [rows[id] for _stamp, id in self.ordered[start : start + query.limit]]

    def _place(self, where: Any) -> int:
        """Where the rows of a question begin: all of them, from a stamp on, or behind a stamp and an id."""
        if where is None:
            return 0
        if isinstance(where, Comparison):
            assert (where.field, where.sign) == ("SystemModstamp", ">=")
            return bisect.bisect_left(self.ordered, (where.values[0].value, ""))
        assert isinstance(where, Both)
        later, same = where.parts
        assert (where.word, later.sign, same.word, same.parts[1].sign) == ("or", ">", "and", ">")
        return bisect.bisect_right(self.ordered, (later.values[0].value, same.parts[1].values[0].value))


class Customer:
    """Makes, edits, deletes and restores deals at the vendor, as the seed has it."""

    def __init__(self, vendor: Vendor, plan: Plan) -> None:
        self.vendor, self.chance = vendor, random.Random(plan.seed)
        self.ids: list[str] = []
        self.gone: list[str] = []
        self.changed: set[str] = set()
        #: How often a deal came into another stage.
        self.moves: Counter[str] = Counter()
        #: How many changes there were, and whether no more come.
        self.changes = 0
        self.is_content = threading.Event()
        self.is_enough = threading.Event()
        for number, name in enumerate(("ana", "alba", "sam", "sven"), start=2):
            vendor.put("User", number, Name=name.title(), Email=f"{name}@example.com", IsActive=True)
        for number in range(50):
            vendor.put("Account", number + 1, Name=f"Company number {number}")

    def fill(self, count: int) -> None:
        """The deals that were there before, several to a stamp."""
        self.ids = self.vendor.bulk(DEALS, count, self._fields)

    def _fields(self, number: int) -> dict[str, Any]:
        return {
            "Name": f"Deal {number}",
            "AccountId": self.chance.randrange(50) + 1,
            "OwnerId": self.chance.randrange(4) + 2,
            "StageName": self.chance.choice(list(STAGES)),
            "Amount": Decimal(self.chance.randrange(1_000_000)) / 100,
            "CloseDate": date(2026, 5, 1) + timedelta(days=self.chance.randrange(30)),
        }

    def change_all(self, count: int) -> None:
        """From now on, one change after another beside all else: so many, and more until it is enough."""

        def change() -> None:
            while self.changes < count or not self.is_enough.is_set():
                self.change(self.changes)
                self.changes += 1
                time.sleep(0.01)
            self.is_content.set()

        threading.Thread(target=change, daemon=True).start()

    def change(self, number: int) -> None:
        """One change."""
        kind = self.chance.choices(("edit", "move", "create", "delete", "restore"), (50, 20, 15, 10, 5))[0]
        if kind == "create":
            self.ids.append(self.vendor.put(DEALS, None, **self._fields(1_000_000 + number)))
            self.changed.add(self.ids[-1])
            return
        if kind == "restore" and self.gone:
            id = self.gone.pop(self.chance.randrange(len(self.gone)))
            self.vendor.restore(DEALS, id)
            self.ids.append(id)
            return
        place = self.chance.randrange(len(self.ids))
        id = self.ids[place]
        # A source does not tell how a record looked at last that is gone: only such are deleted as are here as they were.
        if kind == "delete" and id in self.changed:
            kind = "edit"
        self.changed.add(id)
        if kind == "delete":
            self.ids[place] = self.ids[-1]
            self.ids.pop()
            self.vendor.delete(DEALS, id)
            self.gone.append(id)
        elif kind == "move":
            before, stage = self.vendor.row(DEALS, id)["StageName"], self.chance.choice(list(STAGES))
            self.moves[id] += before != stage
            self.vendor.put(DEALS, id, StageName=stage)
        else:
            self.vendor.put(DEALS, id, Amount=Decimal(number) + Decimal("0.25"), Name=f"Deal {id}, change {number}")


class Person:
    """Asks the portal, in a process that is never killed."""

    def __init__(self, fleet: Fleet) -> None:
        self.log = fleet.data / "person.log"
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import django; django.setup(); from tests.chaos.syncing import main; main()"],
            cwd=ROOT,
            env=fleet.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
        )

    def order(self, work: str, **words: Any) -> int:
        """Have it done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"work": work, **words}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.log.read_text()
        return int(answer)

    def end(self) -> None:
        """No more orders."""
        self.process.communicate(timeout=60)


@dataclass
class Storm:
    """The fleet under fire: what was killed, and how much of it between the first and the last page of the deals."""

    fleet: Fleet
    workers: list[Process]
    plan: Plan
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    in_the_middle: int = 0

    def job(self) -> tuple[str, str, str]:
        """The newest sync: its state, whose process has it, and behind which deal its next page begins ("": not between
        two pages of deals)."""
        state, worker, kept = self.fleet.rows(
            f"SELECT j.state, j.worker, (SELECT cursor FROM connectors_stream WHERE object = '{DEALS}')"
            " FROM jobs_job j WHERE j.kind = 'connectors.sync' ORDER BY j.id DESC LIMIT 1"
        )[0]
        cursor = json.loads(kept) if isinstance(kept, str) else kept
        position = cursor.get("position") if cursor.get("phase") == "rows" else None
        return str(state), str(worker), str(position["id"]) if position else ""

    def is_over(self) -> bool:
        """Whether the newest sync has ended."""
        return self.job()[0] not in ("new", "running")

    def kill_after_a_page(self) -> bool:
        """Kill the process that has the job at a moment of chance after it got on. False when the sync was over first."""
        seen = self.job()[2]
        self.fleet.wait(lambda: self.is_over() or self.job()[2] not in ("", seen), seconds=120, what="pages come in")
        time.sleep(self.chance.uniform(0.0, 0.3))
        state, worker, position = self.job()
        if state != "running":
            return state == "new"
        if self.kill(int(worker.rpartition(":")[2])):
            self.in_the_middle += position != ""
        return True

    def kill(self, pid: int) -> bool:
        """kill -9: the process that works, or its worker with it. False when it was gone already."""
        owner = next((worker for worker in self.workers if worker.is_running and pid in worker.children()), None)
        if owner is not None and self.chance.random() < 0.3:
            owner.kill_main()
            owner.end()
            self.killed["worker and its process"] += 1
        else:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            self.killed["process at work"] += 1
        for worker in self.workers:
            if not worker.is_running:
                worker.end()
                worker.start()
        return True


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Fleet, Vendor]]:
    """An empty portal, nothing of it running yet, that may ask the vendor."""
    if ON_SERVERS and not (postgres_folder() and redis_program()):
        pytest.skip("the programs of PostgreSQL and Redis are not on this machine, and given servers are not killed")
    with Vendor() as vendor:
        monkeypatch.setenv("CONNECTORS_ALLOWED_ADDRESSES", vendor.address)
        monkeypatch.setenv("CHAOS_PAGE_ROWS", str(PLAN.page))
        with Fleet(tmp_path, on_servers=ON_SERVERS) as made:
            yield made, vendor


@pytest.mark.chaos
def test_a_source_is_followed_while_workers_are_killed(fleet: tuple[Fleet, Vendor]) -> None:
    portal, vendor = fleet
    plan = PLAN
    customer = Customer(vendor, plan)
    # What was there before is older than what a sweep asks for twice.
    vendor.clock.now = datetime.now(UTC) - timedelta(days=1)
    customer.fill(plan.records)
    vendor.clock.step = 0.0
    vendor.clock.now = datetime.now(UTC)
    vendor.clock.running = True
    person = Person(portal)
    try:
        told = {"origin": vendor.origin, "client_id": vendor.client_id, "client_secret": vendor.client_secret}
        connection = person.order("connect", standin=told)
        began = time.monotonic()
        workers = [portal.add_worker(f"worker-{number}") for number in range(2)]
        portal.add_scheduler("scheduler")
        storm = Storm(portal, workers, plan, random.Random(plan.seed))
        while storm.in_the_middle < plan.load_kills and storm.kill_after_a_page():
            pass
        portal.wait(storm.is_over, seconds=plan.seconds, what="the first load ends")
        loaded = time.monotonic() - began

        customer.change_all(plan.changes)
        while storm.in_the_middle < plan.kills or not customer.is_content.is_set():
            # A sync of less than two pages has nothing between them.
            enough = customer.changes + 3 * plan.page
            portal.wait(
                lambda enough=enough: customer.changes >= enough or customer.is_content.is_set(),
                seconds=600,
                what="the customer changes deals",
            )
            person.order("sync", connection=connection)
            while storm.in_the_middle < plan.kills and storm.kill_after_a_page():
                pass
            if storm.in_the_middle >= plan.kills:
                customer.is_enough.set()
            portal.wait(storm.is_over, seconds=plan.seconds, what="a sync ends")
            assert time.monotonic() - began < plan.seconds
        person.order("sync", connection=connection)
        portal.wait(storm.is_over, seconds=plan.seconds, what="the last sync ends")
    finally:
        person.end()
    seconds = time.monotonic() - began
    print(
        f"\n{plan.records:,} deals in {loaded:.0f} s, with {customer.changes:,} changes after them in {seconds:.0f} s; killed:"
        f" {dict(storm.killed)}, {storm.in_the_middle} of them between the first and the last page"
    )
    assert storm.in_the_middle >= plan.kills
    check(portal, vendor, customer)


def check(portal: Fleet, vendor: Vendor, customer: Customer) -> None:
    """The portal has what the source has; nothing is missing, nothing is double."""
    jobs = dict(portal.rows("SELECT state, COUNT(*) FROM jobs_job WHERE kind = 'connectors.sync' GROUP BY state"))
    assert set(jobs) == {"done"}, jobs
    assert portal.rows("SELECT object, state FROM connectors_stream WHERE is_wanted AND state <> 'following'") == []

    kept = portal.one(f"SELECT mapping FROM connectors_stream WHERE object = '{DEALS}'")
    mapping = json.loads(kept) if isinstance(kept, str) else kept
    stages = next(dict(rule["choices"]) for rule in mapping["rules"] if rule["field"] == "stage")
    theirs = {
        row.id: (row["Name"], int(Decimal(str(row["Amount"])) * 100), stages[row["StageName"]], not row.is_deleted)
        for row in vendor.rows(DEALS, is_deleted=None)
    }
    rows = portal.rows(
        "SELECT d.external_id, d.name, d.amount_minor, s.code, d.removed_at IS NULL FROM deals_deal d"
        " JOIN deals_stage s ON s.id = d.stage_id"
    )
    assert len(rows) == len(theirs)
    mine = {id: (name, amount, stage, bool(stands)) for id, name, amount, stage, stands in rows}
    wrong = {id: (mine.get(id), one) for id, one in theirs.items() if mine.get(id) != one}
    assert wrong == {}, (len(wrong), dict(list(wrong.items())[:5]))

    raws = portal.rows(
        "SELECT r.external_id, r.state, r.is_gone, d.external_id FROM connectors_rawrecord r"
        " JOIN connectors_stream t ON t.id = r.stream_id LEFT JOIN deals_deal d ON d.id = r.record_id"
        f" WHERE t.object = '{DEALS}'"
    )
    assert len(raws) == len(theirs)
    for id, state, is_gone, deal in raws:
        stands = theirs[id][3]
        assert (state, bool(is_gone), deal) == ("taken" if stands else "deleted", not stands, id)

    made = "SELECT COUNT(*), COUNT(DISTINCT subject_id) FROM audit_auditentry WHERE action = 'deal.created'"
    assert portal.rows(made) == [(len(theirs), len(theirs))]

    moves: dict[str, list[tuple[Any, Any]]] = {}
    for id, before, after in portal.rows(
        "SELECT d.external_id, c.from_stage_id, c.to_stage_id FROM deals_stagechange c"
        " JOIN deals_deal d ON d.id = c.deal_id ORDER BY c.id"
    ):
        moves.setdefault(id, []).append((before, after))
    assert set(moves) == set(theirs)
    now = dict(portal.rows("SELECT external_id, stage_id FROM deals_deal"))
    for id, chain in moves.items():
        assert [before for before, _after in chain] == [None, *(after for _before, after in chain[:-1])], (id, chain)
        assert chain[-1][1] == now[id]
        assert all(before != after for before, after in chain), (id, chain)
        assert len(chain) <= 1 + customer.moves[id], (id, chain)

    verified = subprocess.run(
        [sys.executable, "manage.py", "verify_audit"],
        cwd=ROOT,
        env=portal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
