"""How long it takes to score a million leads anew, next to what the database needs to read and write the same rows.

    python -m tests.benchmarks.scores --database postgresql://postgres@127.0.0.1:5432/postgres
    python -m tests.benchmarks.scores                       (SQLite, in a temporary folder)

prints figures; it asserts nothing but that every lead has the score it should have. Twelve rules, eight of them with
conditions, two signals a lead. Measured are: the first scoring, in which every score is new; scoring by other rules, in
which every score is written again; and scoring in which nothing differs. Next to them, in the same run: plain SQL that
reads the columns of the leads and their signals, and plain SQL that writes the same rows into an empty copy of the table
with its indexes (COPY on PostgreSQL, executemany on SQLite).
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

NOW = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
CHUNK = 20_000
FIT = (
    ("Large", 30, "employees >= 500"),
    ("Middling", 15, "employees >= 50 AND employees < 500"),
    ("Came by themselves", 20, 'origin IN ("inbound", "referral")'),
    ("Our countries", 10, 'country IN ("Land 1", "Land 2", "Land 3")'),
    ("Decides", 15, 'CONTAINS(title, "head") OR CONTAINS(title, "director")'),
    ("Worth it", 10, "value > 10000"),
    ("A private address", -20, 'domain = "mail.example"'),
    ("Can be called", 10, "has_phone"),
)
ENGAGEMENT = (
    ("Visited", 5, "visit", 4),
    ("Asked for a demo", 50, "demo", 1),
    ("Answered", 20, "replied", None),
    ("Unsubscribed", -40, "unsubscribed", 1),
)
KINDS = ("visit", "demo", "replied", "unsubscribed", "opened")


def main() -> None:
    """Measure in a process of its own, on a database made and dropped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="postgresql://… of a server; a database is made and dropped")
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        measure(given.leads)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {sys.platform}")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.sqlite3"
        if given.database:
            server, _slash, _name = given.database.rpartition("/")
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_scores", "CREATE DATABASE bench_scores")
            url = f"{server}/bench_scores"
        environment = os.environ | {"DATABASE_URL": url, "SALESOPS_DATA": folder, "BROKER_URL": "", "CACHE_URL": ""}
        command = [sys.executable, "-m", "tests.benchmarks.scores", "--here", "--leads", str(given.leads)]
        try:
            subprocess.run(command, env=environment, check=True)
        finally:
            if given.database:
                _server_side(given.database, "DROP DATABASE IF EXISTS bench_scores")


def _server_side(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement.encode())


def measure(count: int) -> None:
    """Make rules, leads and signals, score them by jobs, and print what it took."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    make_rules()
    with transaction.atomic():
        make_leads(count)
    vacuum()
    from salesops.leads.models import LeadScore, ScoreVersion
    from salesops.leads.services.scores import score_leads

    memory_before = _memory()
    first, steps = rescore(count)
    memory = _memory()
    check(count)
    ScoreVersion.objects.update(fit_a=55, keep_percent=60)
    LeadScore.objects.update(scored_at=NOW - timedelta(days=1))
    vacuum()
    again, _steps = rescore(count)
    written = LeadScore.objects.filter(scored_at=NOW).count()
    nothing, _steps = rescore(count)
    check(count)
    read, bare = timed(read_bare), timed(write_bare)
    print(
        f"{connection.vendor}: {count:,} leads, {2 * count:,} signals, {len(FIT) + len(ENGAGEMENT)} rules\n"
        f"  first scoring {first:.1f} s, scored anew by other rules {again:.1f} s ({written:,} written), "
        f"with nothing different {nothing:.1f} s\n"
        f"  memory {memory:.0f} MB ({memory_before:.0f} MB before); its progress was seen to go on {steps} times\n"
        f"  plain SQL: reading {read:.1f} s, writing {bare:.1f} s; ratio of the first scoring {first / (read + bare):.2f}, "
        f"anew {again / (read + bare):.2f}"
    )
    keys = list(LeadScore.objects.order_by("lead").values_list("lead_id", flat=True)[:40])
    times = [timed(partial(score_leads, lead_ids=[key], at=NOW)) for key in keys]
    print(f"  one lead: {statistics.median(times) * 1000:.1f} ms (median of 40)")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def make_rules() -> None:
    """Twelve rules in force, some in a group."""
    from salesops.leads.models import ScoreGroup, ScoreRule, ScoreVersion

    version = ScoreVersion.objects.create(number=1, state="active", created_at=NOW, activated_at=NOW)
    group = ScoreGroup.objects.create(version=version, name="Who", limit=40)
    rules = [
        ScoreRule(
            version=version,
            part="fit",
            name=name,
            points=points,
            condition=condition,
            group=group if place < 2 else None,
        )
        for place, (name, points, condition) in enumerate(FIT)
    ] + [
        ScoreRule(version=version, part="engagement", name=name, points=points, signal=signal, most_times=most)
        for name, points, signal, most in ENGAGEMENT
    ]
    for position, rule in enumerate(rules, 1):
        rule.position = position
    ScoreRule.objects.bulk_create(rules)


def make_leads(count: int) -> None:
    """Leads with what the rules ask, and two signals each."""
    from salesops.core.rows import insert_rows
    from salesops.leads.models import Lead, LeadSignal

    text = {
        "note": "",
        "disqualified_because": "",
        "source": "",
        "external_id": "",
        "waits_because": "",
        "campaign": "",
    }
    names = (
        "id", "name", "title", "company", "email", "phone", "country", "employees", "origin", "status", "consent",
        "estimated_minor", "currency", "created_at", "updated_at", *text,
    )  # fmt: skip
    titles = ("Head of sales", "Clerk", "Director", "", "Engineer")
    origins = ("inbound", "outbound", "event", "referral")
    insert_rows(
        Lead,
        names,
        (
            (
                number, f"Lead {number}", titles[number % 5], f"Company {number % 50_000}",
                f"l{number}@{'mail.example' if number % 7 == 0 else f'c{number % 50_000}.example'}",
                "1" if number % 3 == 0 else "", f"Land {number % 20}", number * 37 % 2_000, origins[number % 4], "new",
                "unknown", number * 7_919 % 5_000_000, "USD", NOW, NOW, *text.values(),
            )
            for number in range(1, count + 1)
        ),
    )  # fmt: skip
    insert_rows(
        LeadSignal,
        ("id", "lead_id", "kind", "happened_at", "known_at", "key"),
        (
            (
                number,
                (number + 1) // 2,
                KINDS[number * 13 % 5],
                NOW - timedelta(hours=number * 31 % 2_400),
                NOW,
                f"s{number}",
            )
            for number in range(1, 2 * count + 1)
        ),
    )


def vacuum() -> None:
    """As autovacuum does between two nights."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def rescore(count: int) -> tuple[float, int]:
    """The nightly job, from its start to its end: seconds, and how often somebody who looked saw that it had gone on."""
    from salesops.core.actor import system_actor
    from salesops.jobs.services import enqueue
    from salesops.jobs.testing import run_one

    job = enqueue(kind="leads.rescore_all", key="bench", payload={}, actor=system_actor(), at=NOW, title="bench")
    seen: set[int] = set()
    is_over = threading.Event()
    watcher = threading.Thread(target=watch, args=(job.pk, seen, is_over))
    watcher.start()
    seconds = timed(lambda: run_one(job, at=NOW))
    is_over.set()
    watcher.join()
    job.refresh_from_db()
    if job.state != "done" or job.done_count != count:
        raise SystemExit(f"the job is {job.state} after {job.done_count:,} of {count:,} leads")
    return seconds, len(seen)


def watch(job: int, seen: set[int], is_over: threading.Event) -> None:
    """Look at the progress of a job as a page does, from a connection of its own."""
    from django.db import connection

    from salesops.jobs.models import Job

    while not is_over.wait(0.1):
        seen |= set(Job.objects.filter(pk=job, done_count__gt=0).values_list("done_count", flat=True))
    connection.close()


def check(count: int) -> None:
    """Every 997th lead has the score that it has when it is scored by itself."""
    from salesops.leads.models import Lead, LeadScore
    from salesops.leads.rules.scoring import score
    from salesops.leads.selectors.fields import facts_of
    from salesops.leads.selectors.scores import scheme_of_version, score_rules_in_force, signals_of

    version = score_rules_in_force()
    if version is None or LeadScore.objects.count() != count:
        raise SystemExit("not every lead has a score")
    scheme = scheme_of_version(version).unwrap()
    for number in range(1, count + 1, 997):
        lead = Lead.objects.get(pk=number)
        found = score(scheme, facts_of(lead), signals_of(lead, scheme, NOW), NOW)
        row = LeadScore.objects.get(lead=lead)
        if (row.grade, row.fit * 100, row.engagement, row.parts, row.fades_at) != (
            found.grade,
            found.fit.total,
            found.engagement.total,
            found.parts(),
            found.fades_at,
        ):
            raise SystemExit(f"lead {number} has another score by itself")


def read_bare() -> None:
    """Read the columns that the rules ask and the signals."""
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in (
            """SELECT id, employees, origin, country, title, estimated_minor, currency, email, phone FROM leads_lead
            WHERE status IN ('new', 'working', 'qualified', 'nurturing') ORDER BY id""",
            "SELECT lead_id, kind, happened_at, id FROM leads_leadsignal",
        ):
            cursor.execute(statement)
            while cursor.fetchmany(CHUNK):
                pass


def write_bare() -> None:
    """Write the scores there are into an empty copy of their table with its indexes; reading them is not counted."""
    from django.db import connection, transaction

    names = "lead_id, version_id, fit, engagement, grade, parts, scored_at, fades_at"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("CREATE TABLE bare (LIKE leads_leadscore INCLUDING ALL)")
            with cursor.copy(f"COPY (SELECT {names} FROM leads_leadscore ORDER BY lead_id) TO STDOUT") as copy:
                text = b"".join(bytes(part) for part in copy)
            with cursor.copy(f"COPY bare ({names}) FROM STDIN") as copy:
                reader = io.BytesIO(text)
                while part := reader.read(1 << 20):
                    copy.write(part)
            return
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'leads_leadscore' AND sql IS NOT NULL")
        for (statement,) in cursor.fetchall():
            cursor.execute(statement.replace("leads_leadscore", "bare"))
        cursor.execute(f"SELECT {names} FROM leads_leadscore ORDER BY lead_id")
        rows = cursor.fetchall()
        with transaction.atomic():
            cursor.executemany(f"INSERT INTO bare ({names}) VALUES ({', '.join(['%s'] * 8)})", rows)


if __name__ == "__main__":
    main()
