"""A worker is killed before every statement and commit of its calculation, the web while finance locks and releases and
while a program records a transaction.

Each time in a process of its own, on a database of its own. Whoever looks afterwards finds the old result or the new
one, whole; done again, it is the new one, and everything has happened once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import DateTimeField, Model
from django.test import Client

from salesops.audit.models import AuditEntry
from salesops.audit.selectors import verify
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import (
    Adjustment,
    Approval,
    Calculation,
    Credit,
    Earning,
    LedgerEntry,
    PayrollFile,
    PayrollItem,
    Period,
    SettlementLine,
    Statement,
    StatementChange,
    Transaction,
)
from salesops.commissions.selectors.totals import all_disagreements
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.payroll import release_payroll
from salesops.deals.models import Deal, DealSplit
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from tests.cast import NOW, Cast
from tests.commissions.pay import definition, quota, won
from tests.commissions.test_settled_periods import in_force, quarter, refund

ROOT = Path(__file__).parents[2]
WORKS = ("calculate", "lock", "release", "record")
PAY: tuple[type[Model], ...] = (
    Period,
    Transaction,
    Calculation,
    Statement,
    StatementChange,
    Credit,
    Earning,
    SettlementLine,
    Adjustment,
    Approval,
    LedgerEntry,
    PayrollFile,
    PayrollItem,
)
#: What is numbered by the database, which gives no number twice, whatever became of the transaction that asked for it.
NUMBERED = {"id", "calculation", "credit", "payroll_file", "about_transaction", "transaction"}

Found = dict[str, Any]


def everything() -> Found:
    """Every row of pay, and the number of entries in the audit."""
    rows: Found = {
        model.__name__: [list(row) for row in model._default_manager.order_by("pk").values_list()] for model in PAY
    }
    rows["audit"] = AuditEntry.objects.count()
    return rows


def content() -> Found:
    """What it says, without the numbers that the database gives and without moments; what is recorded; jobs."""
    found: Found = {}
    keys = dict(Transaction.objects.values_list("pk", "source_key"))
    for model in PAY:
        names = [
            field.attname
            for field in model._meta.concrete_fields
            if field.name not in NUMBERED and not isinstance(field, DateTimeField)
        ]
        rows = [json.dumps(row, default=str) for row in model._default_manager.values_list(*names)]
        found[model.__name__] = sorted(
            re.sub(r'"transaction": (\d+)', lambda match: keys[int(match[1])], row) for row in rows
        )
    found["audit"] = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    found["jobs"] = list(Job.objects.order_by("pk").values_list("kind", "state"))
    return found


class Copies:
    """Copies of the tests' database as it is now, each as good as the portal's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = self._name("first")
        self.copy = self._name("copy")
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [self.first])
        else:
            self._make(self.first, str(connection.settings_dict["NAME"]))

    def _name(self, word: str) -> str:
        if connection.vendor == "sqlite":
            return str(self.folder / f"{word}.sqlite3")
        return f"{connection.settings_dict['NAME']}_{word}"

    def _make(self, name: str, template: str) -> None:
        connection.close()
        with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def renew(self) -> None:
        """The copy is as the first one was."""
        if connection.vendor != "sqlite":
            self._make(self.copy, self.first)
            return
        for end in ("", "-wal", "-shm"):
            Path(self.copy + end).unlink(missing_ok=True)
        shutil.copy(self.first, self.copy)

    def ask(self, question: Callable[[], Any]) -> Any:
        """What a process that knows nothing of the killed one finds in the copy."""
        found: list[Any] = []
        errors: list[BaseException] = []

        def look() -> None:
            try:
                connection.settings_dict = {**connection.settings_dict, "NAME": self.copy}
                found.append(question())
            except BaseException as error:
                errors.append(error)
            finally:
                connection.close()

        thread = Thread(target=look)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return found[0]

    def drop(self) -> None:
        """Nothing stays."""
        if connection.vendor != "sqlite":
            connection.close()
            with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
                for name in (self.copy, self.first):
                    cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Killer:
    """The process that makes processes and has them killed."""

    def __init__(self, database: str, session: str) -> None:
        self.database, self.session = database, session
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import django; django.setup(); from tests.chaos.killed import main; main()"],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, work: str, number: int, *, kill: int = 0, is_again: bool = False) -> dict[str, Any]:
        """Do this, killed before a step (0: not at all); `is_again` after a kill, when the lease is over."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        words = {"work": work, "number": number, "kill": kill, "is_again": is_again}
        words |= {"database": self.database, "session": self.session}
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> None:
        """No more orders."""
        self.process.communicate(timeout=60)


@pytest.fixture
def company(cast: Cast) -> Cast:
    """A locked quarter and one that was calculated and approved; since then deals changed in both of them."""
    words = definition({"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]})
    steps = [{"until_days": 60, "share": "100%"}, {"until_days": 120, "share": "50%"}]
    settlement = {
        "limits": [{"cap": "400.00"}],
        "draw": {"amount": "50.00", "kind": "recoverable"},
        "clawback": {"steps": steps},
    }
    in_force(cast, words | {"settlement": settlement}, ("ana", "sam", "alba"))
    for person in ("ana", "sam", "alba"):
        for label in ("2026Q1", "2026Q2"):
            quota(cast, person, label, 2_000_00)
    early, back, shared = (won(cast, "ana", amount, date(2026, 2, 10)) for amount in (1_000_00, 700_00, 900_00))
    DealSplit.objects.create(deal=shared, person=cast.ana, share_bp=6_667)
    DealSplit.objects.create(deal=shared, person=cast.sam, share_bp=3_333)
    _close(cast, quarter(1))
    now, gone = won(cast, "ana", 1_500_00, date(2026, 4, 2)), won(cast, "sam", 800_00, date(2026, 5, 2))
    won(cast, "alba", 6_000_00, date(2026, 5, 3))
    calculate_period(actor=cast.actor("rita"), period=quarter(2), at=NOW)
    _approve(cast, quarter(2))
    Deal.objects.filter(pk=early.pk).update(amount_minor=1_300_00)
    Deal.objects.filter(pk=now.pk).update(amount_minor=3_100_00)
    Deal.objects.filter(pk=gone.pk).update(kind="lost")
    won(cast, "sam", 400_00, date(2026, 6, 3))
    refund(back, -700_00, date(2026, 5, 1))
    return cast


def _approve(cast: Cast, period: Period) -> None:
    rows = list(Statement.objects.filter(period=period, state="draft").values_list("pk", flat=True))
    result = approve_statements(actor=cast.actor("finn"), statement_ids=rows, at=NOW, note="Looked at.")
    assert result.refused == {}


def _close(cast: Cast, period: Period) -> None:
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    _approve(cast, period)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)


def _begin(cast: Cast, work: str) -> int:
    """What comes before the work; the number of what it is done to."""
    if work == "calculate":
        with transaction.atomic():
            job = enqueue(
                kind="commissions.calculate",
                key="calculate",
                payload={"period": quarter(2).pk},
                actor=cast.actor("rita"),
                at=NOW,
                title="Calculate",
            )
        return int(job.pk)
    if work == "record":
        return int(cast.ana.pk)
    calculate_period(actor=cast.actor("rita"), period=quarter(2), at=NOW)
    _approve(cast, quarter(2))
    if work == "release":
        lock_period(actor=cast.actor("finn"), period=quarter(2), at=NOW)
        release_payroll(actor=cast.actor("fay"), period=quarter(1), payroll_format=PayrollFormat.GENERIC, at=NOW)
    return int(quarter(2).pk)


@contextlib.contextmanager
def _set_up(cast: Cast, session: str, work: str, folder: Path) -> Iterator[tuple[int, Copies, Killer]]:
    number = _begin(cast, work)
    copies = Copies(folder)
    killer = Killer(copies.copy, session)
    try:
        yield number, copies, killer
    finally:
        killer.end()
        copies.drop()


def _sample(steps: list[str]) -> list[int]:
    """Two steps on the way, and both sides of the last commit. The web keeps its session after what it was asked for."""
    last = len(steps) - steps[::-1].index("after commit")
    return [last // 3, last * 2 // 3, last - 1, last]


Choose = Callable[[list[str]], list[int]]
Kill = Callable[[str, Choose], dict[str, int]]


@pytest.fixture
def kill(company: Cast, client_of: Callable[[str], Client], tmp_path: Path) -> Kill:
    """Does a work once undisturbed, then again and again, killed before each of the steps that are chosen; tells how
    often the old result was found, and how often the new one.
    """
    session = client_of("rita").cookies["sessionid"].value

    def everywhere(work: str, choose: Choose) -> dict[str, int]:
        with _set_up(company, session, work, tmp_path) as (number, copies, killer):
            copies.renew()
            old = copies.ask(everything)
            undisturbed = killer.order(work, number)
            assert (undisturbed["signal"], undisturbed["code"]) == (0, 0), undisturbed["steps"][-1]
            steps, new = undisturbed["steps"], copies.ask(content)
            assert copies.ask(all_disagreements) == {}
            found = {"old": 0, "new": 0}
            for step in choose(steps):
                copies.renew()
                killed = killer.order(work, number, kill=step)
                where = f"{work}, before step {step} of {len(steps)}: {steps[step - 1]}"
                assert (killed["signal"], killed["steps"]) == (signal.SIGKILL, steps[:step]), where
                is_old = copies.ask(everything) == old
                assert is_old or copies.ask(content) == new, where
                assert not (is_old and found["new"]), where  # once it has happened, it has
                found["old" if is_old else "new"] += 1
                again = killer.order(work, number, is_again=True)
                # Pressed again after it has happened, a lock or a release is refused.
                is_refused = not is_old and work in ("lock", "release")
                assert (again["signal"], again["code"]) == (0, int(is_refused)), where
                assert copies.ask(content) == new, where
                assert copies.ask(all_disagreements) == {}, where
                assert copies.ask(verify)[1] == [], where
        return found

    return everywhere


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("work", WORKS)
def test_killed_at_a_few_steps_the_old_result_is_there_or_the_new_one(kill: Kill, work: str) -> None:
    found = kill(work, _sample)
    assert min(found.values()) > 0


@pytest.mark.chaos
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("work", WORKS)
def test_killed_at_every_step_the_old_result_is_there_or_the_new_one(kill: Kill, work: str) -> None:
    found = kill(work, lambda steps: list(range(1, len(steps) + 1)))
    print(f"\n{work} on {connection.vendor}, killed at every step: {found}")
    assert min(found.values()) > 0
