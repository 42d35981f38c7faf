"""How long the pay of a year takes, next to what the database itself needs to read and write the same rows.

    python -m tests.benchmarks.commissions --database postgresql://postgres@127.0.0.1:5432/postgres
    python -m tests.benchmarks.commissions --credits 10000 100000 1000000     (SQLite alone, in a temporary folder)

prints the machine, figures, and each figure next to what is wanted of it; it asserts nothing. So many credits of 500 people
over twelve monthly periods of one plan with three components with tiers are calculated from rows to stored statements,
lines and earnings. Next to it, in the same run: reading the same transactions with COPY, and writing the same result rows
with COPY into empty copies of the tables, with their indexes and foreign keys, but without the guards; and once more into
copies without anything (SQLite has no COPY: SELECT and executemany of ready rows take its place). Then one person's period,
a what-if over 100,000 further credits of a month, and the most memory used. With a server the sizes of --sqlite are
measured on SQLite, too, to be compared.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

PEOPLE = 500
MONTHS = 12
NOW = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
#: So many credits a scenario goes over, in a month of their own.
TRIED = 100_000
#: The size of which bounds speak.
YEAR = 1_000_000


@dataclass(frozen=True)
class Figures:
    """What one size took on one database. Times in seconds, memory in MB.

    bare: the rows read, and written with indexes and foreign keys. plain: the same without these. again: a month in which
    nothing changed. scenario: over TRIED credits.
    """

    database: str
    credits: int
    rows: int
    whole: float
    bare: float
    plain: float
    again: float
    person: float
    scenario: float
    memory: float

    def told(self) -> str:
        """In two lines."""
        return (
            f"{self.database}, {self.credits:,} credits, {self.rows:,} rows stored: {self.whole:.1f} s; bare reading and "
            f"writing {self.bare:.1f} s, ratio {self.whole / self.bare:.2f}; without indexes {self.plain:.1f} s, ratio "
            f"{self.whole / self.plain:.2f}; {self.whole / self.credits * 1e6:.1f} µs a credit; memory {self.memory:.0f} MB\n"
            f"  nothing changed, last month again: {self.again:.2f} s; one person's month: {self.person * 1000:.0f} ms "
            f"(median of 15); what-if over {TRIED:,} credits of a month: {self.scenario:.2f} s (median of 3)"
        )


def main() -> None:
    """Measure each size in a process of its own, so that memory is that of the size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="postgresql://… of a server; a database is made and dropped")
    parser.add_argument("--credits", type=int, nargs="+", default=[10_000, 100_000, YEAR, 3 * YEAR])
    parser.add_argument("--sqlite", type=int, nargs="*", default=[YEAR], help="sizes to compare SQLite in")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        given.into.write_text(json.dumps(asdict(measure(given.one))), encoding="utf-8")
        return
    print(machine())
    plan = [(given.database, size) for size in given.credits]
    plan += [("", size) for size in given.sqlite if given.database]
    found = []
    for database, size in plan:
        found.append(apart(database, size))
        print(found[-1].told(), flush=True)
    print("\n".join(judged(found)))


def machine() -> str:
    """What was measured on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB, "
    except (OSError, ValueError):
        model, memory = platform.machine(), ""
    return f"{model}, {os.cpu_count()} cores, {memory}{platform.platform()}, Python {platform.python_version()}"


def apart(database: str, size: int) -> Figures:
    """One size in a process and a database of its own; SQLite without the address of a server."""
    with tempfile.TemporaryDirectory() as folder:
        url, into = f"sqlite:///{folder}/bench.sqlite3", Path(folder) / "figures.json"
        if database:
            server, _slash, _name = database.rpartition("/")
            _server_side(database, "DROP DATABASE IF EXISTS bench_pay", "CREATE DATABASE bench_pay")
            url = f"{server}/bench_pay"
        environment = os.environ | {"DATABASE_URL": url, "SALESOPS_DATA": folder, "BROKER_URL": "", "CACHE_URL": ""}
        command = [sys.executable, "-m", "tests.benchmarks.commissions", "--one", str(size), "--into", str(into)]
        subprocess.run(command, env=environment, check=True)
        if database:
            _server_side(database, "DROP DATABASE IF EXISTS bench_pay")
        return Figures(**json.loads(into.read_text(encoding="utf-8")))


def judged(found: Sequence[Figures]) -> Iterator[str]:
    """Each figure next to what is wanted of it, as far as it was measured."""

    def line(what: str, wanted: str, is_so: bool, said: str) -> str:
        return f"{'yes' if is_so else 'NO ':3} {what}: {said} (wanted: {wanted})"

    servers = [each for each in found if each.database.startswith("postgresql")]
    own = servers or list(found)
    for each in own:
        if each.credits == YEAR:
            ratio = each.whole / each.bare
            yield line(f"{YEAR:,} credits next to COPY of the same rows", "at most 3", ratio <= 3, f"{ratio:.2f} times")
    yield line("one person's period", "under 150 ms", *_most([each.person * 1000 for each in own], 150, "ms"))
    yield line(f"what-if over {TRIED:,} credits", "under 2 s", *_most([each.scenario for each in own], 2, "s"))
    yield line("memory", "below 2 GB", *_most([each.memory for each in own], 2_048, "MB"))
    if len(own) > 1:
        rows = sorted(own, key=lambda each: each.credits)
        more = [(b.whole - a.whole) / (b.credits - a.credits) * 1e6 for a, b in pairwise(rows)]
        said = ", ".join(
            f"{a.credits:,} to {b.credits:,}: {each:.0f} µs" for (a, b), each in zip(pairwise(rows), more, strict=True)
        )
        yield line(
            "each further credit", "never more than 1.5 times as long as before", max(more) <= 1.5 * more[0], said
        )
    for each in found:
        for other in servers:
            if each.database == "sqlite" and each.credits == other.credits:
                ratio = each.whole / other.whole
                yield line(
                    f"SQLite next to PostgreSQL, {each.credits:,}", "within 3 times", ratio <= 3, f"{ratio:.2f} times"
                )


def _most(values: Sequence[float], bound: float, unit: str) -> tuple[bool, str]:
    return max(values) < bound, f"{max(values):.{0 if bound > 10 else 2}f} {unit} at most"


def _server_side(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement)  # type: ignore[arg-type]  # texts of this file


def timed(work: Callable[[], Any]) -> float:
    """Seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(credits: int) -> Figures:
    """Make the company, calculate its year, and tell what it took."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    people = make_company(credits)
    from salesops.commissions.models import Credit, Earning, Period, Statement
    from salesops.commissions.services.calculate import calculate_period
    from salesops.commissions.services.periods import open_period
    from salesops.pods.selectors import actor_for

    rita = actor_for(people[0], at=NOW)
    periods: list[Period] = [
        open_period(day=date(2025, month, 1), kind="month", time_zone="UTC") for month in range(1, MONTHS + 1)
    ]
    whole = sum(timed(partial(calculate_period, actor=rita, period=period, at=NOW)) for period in periods)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = Credit.objects.count() + Earning.objects.count() + Statement.objects.count()
    write = bare_postgresql if connection.vendor == "postgresql" else bare_sqlite
    bare, plain = write(is_plain=False), write(is_plain=True)
    written_out()
    again = timed(lambda: calculate_period(actor=rita, period=periods[-1], at=NOW))
    person = one_person(periods[-1], people)
    write_transactions(transactions_of(people, TRIED, date(2026, 1, 1), 31, "x"))
    written_out()
    scenario = what_if(open_period(day=date(2026, 1, 1), kind="month", time_zone="UTC"))
    name = connection.vendor
    if name == "postgresql":
        version = int(connection.pg_version)  # type: ignore[attr-defined]
        name = f"postgresql {version // 10_000}.{version % 10_000}"
    return Figures(name, credits, rows, whole, bare, plain, again, person, scenario, memory)


def make_company(credits: int) -> list[Any]:
    """People, a plan in force with three components, quotas, and transactions spread over the year."""
    from salesops.commissions.models import PlanAssignment, Quota
    from salesops.commissions.services.plans import activate_version, create_plan, save_draft
    from salesops.people.models import RoleGrant, User
    from salesops.pods.selectors import actor_for

    people = [User(email=f"p{number}@example.com", name=f"Person {number}") for number in range(PEOPLE)]
    staff = [User(email=f"{role}@example.com", name=role) for role in ("revops", "finance")]
    User.objects.bulk_create([*staff, *people])
    for user in staff:
        RoleGrant.objects.create(person=user, role=user.name, start_on=date(2024, 1, 1))
    rita, finn = (actor_for(user, at=NOW) for user in staff)
    plan = create_plan(actor=rita, name="Everybody", at=NOW)
    draft = save_draft(actor=rita, plan=plan, definition=WORDS, start_on=date(2025, 1, 1), at=NOW)
    activate_version(actor=finn, version=draft, at=NOW)
    PlanAssignment.objects.bulk_create(
        PlanAssignment(plan=plan, person=user, start_on=date(2025, 1, 1), currency="USD") for user in people
    )
    firsts = [date(2025, month, 1) for month in range(1, MONTHS + 1)] + [date(2026, 1, 1), date(2026, 2, 1)]
    Quota.objects.bulk_create(
        Quota(
            person=user,
            start_on=start,
            end_on=end,
            amount_minor=credits // 60 * (80 + number % 40),  # forty sizes around what is sold
            currency="USD",
        )
        for number, user in enumerate(people)
        for start, end in pairwise(firsts)
    )
    write_transactions(transactions_of([*staff, *people], credits, date(2025, 1, 1), 365, "t"))
    return [*staff, *people]


def transactions_of(people: list[Any], count: int, first: date, days: int, prefix: str) -> Iterator[tuple[Any, ...]]:
    """So many bookings of the people after the first two, spread over the days from the first one on."""
    import numpy as np

    random = np.random.default_rng(7)
    owners = random.integers(2, 2 + PEOPLE, count)
    on = random.integers(0, days, count)
    amounts = random.integers(-500, 200_000, count)
    for number in range(count):
        day = (first + timedelta(days=int(on[number]))).isoformat()
        yield f"{prefix}{number}", "booking", day, int(amounts[number]), people[int(owners[number])].pk


def write_transactions(rows: Any) -> None:
    """Put the transactions into their table."""
    from django.db import connection

    names = "source_key, kind, effective_on, amount_minor, credited_to_id, currency, quantity, attributes, is_void, recorded_at, updated_at"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY commissions_transaction ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((*row, "USD", 1, "{}", False, NOW, NOW))
            cursor.execute("ANALYZE")
        else:
            marks = ", ".join(["%s"] * 5)
            cursor.execute("BEGIN")
            cursor.executemany(
                f"INSERT INTO commissions_transaction ({names}) VALUES ({marks}, 'USD', 1, '{{}}', 0, '2026-06-17', '2026-06-17')",
                list(rows),
            )
            cursor.execute("COMMIT")
            cursor.execute("ANALYZE")


def bare_postgresql(*, is_plain: bool) -> float:
    """Read the transactions with COPY, and write the stored rows with COPY into empty copies of their tables.

    is_plain: without indexes and foreign keys.
    """
    from django.db import connection, transaction

    tables = ("commissions_statement", "commissions_credit", "commissions_earning")
    with connection.cursor() as cursor:
        kept: dict[str, list[bytes]] = {}
        for table in tables:
            with cursor.copy(f"COPY {table} TO STDOUT") as copy:
                kept[table] = [bytes(part) for part in copy]
            cursor.execute(f"DROP TABLE IF EXISTS bare_{table} CASCADE")
            if is_plain:
                cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table})")
                continue
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL)")
            cursor.execute(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
                [table],
            )
            for name, words in cursor.fetchall():
                of_copies = words
                for other in tables:
                    of_copies = of_copies.replace(f"REFERENCES {other}(", f"REFERENCES bare_{other}(")
                cursor.execute(f"ALTER TABLE bare_{table} ADD CONSTRAINT bare_{name} {of_copies}")
        started = time.perf_counter()
        with cursor.copy("COPY commissions_transaction TO STDOUT") as copy:
            for _part in copy:
                pass
        with transaction.atomic():  # foreign keys are looked at when it ends
            for table in tables:
                with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                    buffer = io.BytesIO()
                    for part in kept[table]:
                        buffer.write(part)
                        if buffer.tell() > 1_000_000:
                            copy.write(buffer.getvalue())
                            buffer = io.BytesIO()
                    copy.write(buffer.getvalue())
        return time.perf_counter() - started


def bare_sqlite(*, is_plain: bool) -> float:
    """Read the transactions with SELECT, and write the stored rows into empty copies of their tables, as above."""
    from django.db import connection

    tables = ("commissions_statement", "commissions_credit", "commissions_earning")
    connection.ensure_connection()
    raw = connection.connection
    kept = {}
    for table in tables:
        kept[table] = raw.execute(f"SELECT * FROM {table}").fetchall()
        raw.execute(f"DROP TABLE IF EXISTS bare_{table}")
        if is_plain:
            raw.execute(f"CREATE TABLE bare_{table} AS SELECT * FROM {table} WHERE 0")
            continue
        made = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        raw.execute(made.replace(f'"{table}"', f'"bare_{table}"', 1))
        for name, sql in raw.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table,)
        ).fetchall():
            raw.execute(sql.replace(f'"{name}"', f'"bare_{name}"', 1).replace(f'"{table}"', f'"bare_{table}"', 1))
    started = time.perf_counter()
    for _row in raw.execute("SELECT * FROM commissions_transaction"):
        pass
    raw.execute("BEGIN")
    for table in tables:
        if kept[table]:
            marks = ", ".join("?" * len(kept[table][0]))
            raw.executemany(f"INSERT INTO bare_{table} VALUES ({marks})", kept[table])
    raw.execute("COMMIT")
    return time.perf_counter() - started


def written_out() -> None:
    """What a server does by itself after so much was written, so that it does not do it while something else is timed."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")


def one_person(period: Any, people: list[Any]) -> float:
    """The median time for one person's period, from rows to a draft."""
    from salesops.commissions.selectors.facts import facts_of
    from salesops.commissions.services.drafting import drafted

    def once(person: int) -> None:
        with drafted(facts_of(period, people=[person])) as drafts:
            if not drafts.by_key:
                raise SystemExit("nobody was calculated")

    return statistics.median(timed(partial(once, people[2 + number].pk)) for number in range(15))


def what_if(period: Any) -> float:
    """The median time for a scenario over a whole period: the plans in force and another definition, compared by person."""
    from salesops.commissions.models import Plan, Scenario
    from salesops.commissions.services.what_if import result_of

    scenario = Scenario(period=period, changes={str(Plan.objects.get().pk): WORDS})

    def once() -> None:
        if not result_of(scenario):
            raise SystemExit("nobody was calculated")

    return statistics.median(timed(once) for _number in range(3))


WORDS: dict[str, Any] = {
    "format": 1,
    "currency": "USD",
    "time_zone": "UTC",
    "period_kind": "month",
    "components": [
        {
            "key": key,
            "name": key,
            "measure": "money",
            "crediting": ["split", "owner", "holder"],
            "shape": shape,
            "is_falling_allowed": True,
        }
        for key, shape in (
            (
                "accelerator",
                {
                    "shape": "marginal",
                    "tiers": [
                        {"from": "0", "rate": "4%"},
                        {"from": "50%", "rate": "6%"},
                        {"from": "100%", "rate": "9%"},
                        {"from": "150%", "rate": "12%"},
                    ],
                },
            ),
            (
                "whole",
                {
                    "shape": "retroactive",
                    "tiers": [
                        {"from": "0", "rate": "1%"},
                        {"from": "80%", "rate": "1.5%"},
                        {"from": "120%", "rate": "2%"},
                    ],
                },
            ),
            (
                "milestones",
                {
                    "shape": "steps",
                    "steps": [
                        {"from": "50%", "pays": "250.00"},
                        {"from": "100%", "pays": "1000.00"},
                        {"from": "150%", "pays": "2500.00"},
                    ],
                },
            ),
        )
    ],
    "conventions": {},
}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
