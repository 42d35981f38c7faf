"""Does one piece of work in a process of its own, which is killed before the step that the order names.

`main` reads orders from its input, a line of JSON each, and answers each with a line: which signal ended the process (0:
none, it came to its end), and the steps that it was about to take until then. A step is a statement, a piece of a COPY, or
either side of a commit.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import time_machine
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import Period
from salesops.commissions.services.approvals import lock_period
from salesops.commissions.services.payroll import release_payroll
from salesops.core.actor import Actor
from salesops.core.services import CLAIMS_HELD
from salesops.jobs import runner
from salesops.jobs.models import Job
from salesops.leads import tasks
from salesops.people.models import User
from salesops.pods.selectors import actor_for
from tests.cast import NOW


class Steps:
    """Counts the steps of this process and ends it, as `kill -9` does, before the one that is named."""

    def __init__(self, last: int, log: Any) -> None:
        self.last, self.log, self.taken = last, log, 0

    def step(self, name: str) -> None:
        """Say what comes next; it does not come when it is the one that is named."""
        self.taken += 1
        self.log.write(f"{name}\n")
        self.log.flush()
        if self.taken == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Around each statement."""
        self.step(" ".join(sql.split()[:3]))
        return execute(sql, params, many, context)

    def watch(self) -> None:
        """From here on."""
        connection.execute_wrappers.append(self.statement)
        commit, write = BaseDatabaseWrapper._commit, psycopg.Copy.write  # type: ignore[attr-defined]

        def counted_commit(wrapper: BaseDatabaseWrapper) -> None:
            self.step("before commit")
            commit(wrapper)
            self.step("after commit")

        def counted_write(copy: Any, buffer: Any) -> None:
            self.step("COPY, a piece")
            write(copy, buffer)

        BaseDatabaseWrapper._commit = counted_commit  # type: ignore[attr-defined]
        psycopg.Copy.write = counted_write  # type: ignore[method-assign]


def run_job(job: int, _order: dict[str, Any]) -> None:
    """As a worker does."""
    runner.run(job, worker="killed", clock=lambda: NOW, has_heart=False, raise_errors=True)


def rescore(job: int, order: dict[str, Any]) -> None:
    """As a worker does, four leads in a transaction."""
    for name in ("next_open_leads", "score_due"):
        setattr(tasks, name, partial(getattr(tasks, name), most=4))
    run_job(job, order)


def lock(period: int, _order: dict[str, Any]) -> None:
    """As the web does when finance presses it."""
    lock_period(actor=_actor("finn"), period=Period.objects.get(pk=period), at=NOW)


def release(period: int, _order: dict[str, Any]) -> None:
    """As above."""
    release_payroll(
        actor=_actor("finn"), period=Period.objects.get(pk=period), payroll_format=PayrollFormat.GENERIC, at=NOW
    )


def record(person: int, order: dict[str, Any]) -> None:
    """As the web does when a program records a transaction with a key of its own; again, when its claim is given up."""
    client = Client(SERVER_NAME="localhost")
    client.cookies["sessionid"] = order["session"]
    words = {"kind": "renewal", "effective_on": "2026-05-04", "amount_minor": 100_00, "currency": "USD"}
    at = NOW + (CLAIMS_HELD if order["is_again"] else timedelta())
    with time_machine.travel(at, tick=False):
        answer = client.post(
            "/api/v1/transactions/",
            {**words, "credited_to": person, "source_key": "R-1"},
            content_type="application/json",
            headers={"Idempotency-Key": "the program's own"},
        )
    assert answer.status_code == 201, answer.content


def _actor(name: str) -> Actor:
    return actor_for(User.objects.get(email=f"{name}@example.com"), at=NOW)


WORKS: dict[str, Callable[[int, dict[str, Any]], None]] = {
    "calculate": run_job,
    "rescore": rescore,
    "lock": lock,
    "release": release,
    "record": record,
}


def expire() -> None:
    """The lease of a killed worker ends."""
    Job.objects.filter(state="running").update(lease_until=NOW.replace(year=2000))


def do(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order in a child."""
    with tempfile.NamedTemporaryFile("w+") as log:
        child = os.fork()
        if not child:
            try:
                connection.settings_dict = {**connection.settings_dict, "NAME": order["database"]}
                if order["is_again"]:
                    expire()
                Steps(order["kill"], log).watch()
                WORKS[order["work"]](order["number"], order)
                os._exit(0)
            except BaseException as error:
                log.write(f"{error!r}\n")
                log.flush()
            finally:
                os._exit(1)
        _pid, status = os.waitpid(child, 0)
        log.seek(0)
        return {"signal": status & 0x7F, "code": status >> 8, "steps": log.read().splitlines()}


def main() -> None:
    """Until the input ends."""
    for line in sys.stdin:
        print(json.dumps(do(json.loads(line))), flush=True)
