"""How long leads take to find their people, next to what the database itself needs to write the same rows.

    python -m tests.benchmarks.routing --database postgresql://postgres@127.0.0.1:5432/postgres
    python -m tests.benchmarks.routing                       (SQLite, in a temporary folder)

prints figures; it asserts nothing. So many unowned leads are routed over 20 pools of 10 people, each pool of a pod, by 20
rules with conditions, in batches; every decision leaves its assignment with the way it went, a turn, a clock and an entry
of the audit. Next to it, in the same run: writing the same assignments, turns, clocks and entries with COPY into empty
copies of their tables with their indexes. Then leads that are brought in, routed in the transaction that makes them, and one
lead at a time, from nothing to its owner.
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
import time
from datetime import UTC, date, datetime, timedelta

from tests.benchmarks import gather_statistics

PODS, PEOPLE_OF_A_POD = 20, 10
NOW = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
TABLES = ("leads_leadassignment", "leads_turn", "leads_clock", "audit_auditentry")


def main() -> None:
    """Measure in a process of its own, on a database made and dropped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="postgresql://… of a server; a database is made and dropped")
    parser.add_argument("--leads", type=int, default=100_000)
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
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_routing", "CREATE DATABASE bench_routing")
            url = f"{server}/bench_routing"
        environment = os.environ | {"DATABASE_URL": url, "SALESOPS_DATA": folder, "BROKER_URL": "", "CACHE_URL": ""}
        command = [sys.executable, "-m", "tests.benchmarks.routing", "--here", "--leads", str(given.leads)]
        subprocess.run(command, env=environment, check=True)
        if given.database:
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_routing")


def _server_side(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement)  # type: ignore[arg-type]  # texts of this file


def measure(count: int) -> None:
    """Make the company and its leads, route them, and print what it took."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction
    from django.db.models import F

    call_command("migrate", verbosity=0)
    make_company()
    make_leads(count)
    gather_statistics()
    from salesops.core.actor import system_actor
    from salesops.leads.models import Lead, LeadAssignment, PoolMember, Turn
    from salesops.leads.services import LeadRecord, create_lead, upsert_leads
    from salesops.leads.services.sweeps import route_waiting

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    after, routed = 0, 0
    while True:
        with transaction.atomic():
            done = route_waiting(actor=system_actor(), at=NOW, after=after)
        if done.last is None:
            break
        after, routed = done.last, routed + done.given
    whole = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if routed != count or Lead.objects.filter(owner__isnull=True).exists() or Turn.objects.count() != count:
        raise SystemExit(f"{routed:,} of {count:,} leads were routed")
    got = [
        LeadAssignment.objects.filter(person=member.person_id).count()
        for member in PoolMember.objects.order_by("pool", "pk")[:PEOPLE_OF_A_POD]
    ]
    decided = LeadAssignment.objects.filter(
        path__has_keys=["version", "rule", "pools"], lead__owner=F("person")
    ).count()
    if decided != count:
        raise SystemExit(f"{decided:,} of {count:,} decisions were kept")
    bare = bare_copy() if connection.vendor == "postgresql" else 0.0
    print(
        f"{connection.vendor}: {count:,} leads over {PODS} pods and {PODS * PEOPLE_OF_A_POD} people: {whole:.1f} s, "
        f"{whole / count * 1e6:.0f} µs a lead, {decided:,} decisions kept; memory {memory:.0f} MB ({base:.0f} MB before); one pool got {sorted(got)}"
        + (f"; bare COPY of what was written {bare:.1f} s, ratio {whole / bare:.2f}" if bare else "")
    )
    few = min(count, 10_000)
    records = [
        LeadRecord(external_id=str(number), name=f"New {number}", country=f"Land {number % PODS}")
        for number in range(few)
    ]
    started = time.perf_counter()
    upsert_leads(actor=system_actor(), records=records, source="bench", at=NOW)
    seconds = time.perf_counter() - started
    if Lead.objects.filter(source="bench", owner__isnull=False).count() != few:
        raise SystemExit("not every lead that was brought in found somebody")
    print(f"  {few:,} leads brought in, each routed in the transaction that makes it: {seconds:.1f} s")
    times = []
    for number in range(40):
        begun = time.perf_counter()
        lead = create_lead(
            actor=system_actor(),
            at=NOW + timedelta(minutes=number),
            name=f"One {number}",
            country=f"Land {number % PODS}",
        )
        times.append(time.perf_counter() - begun)
        if lead.owner_id is None:
            raise SystemExit("a lead found nobody")
    print(f"  one lead, from nothing to its owner: {statistics.median(times) * 1000:.1f} ms (median of 40)")


def make_company() -> None:
    """20 pods of 10 people with hours, a pool for each, 20 rules by country, a service level."""
    from datetime import time as hour

    from salesops.leads.choices import VersionState
    from salesops.leads.models import Pool, PoolMember, RoutingRule, RoutingVersion, ServiceLevel
    from salesops.people.models import User, WorkingHours
    from salesops.pods.models import Pod, PodMembership

    since = date(2025, 1, 1)
    version = RoutingVersion.objects.create(number=1, state=VersionState.ACTIVE, created_at=NOW, activated_at=NOW)
    ServiceLevel.objects.create(
        version=version, position=1, name="All", warn_minutes=60, alert_minutes=120, reassign_minutes=480
    )
    for number in range(PODS):
        pod = Pod.objects.create(name=f"Pod {number}", opened_on=since)
        pool = Pool.objects.create(name=f"Pool {number}", pod=pod)
        people = User.objects.bulk_create(
            User(email=f"p{number}-{each}@example.com", name=f"Person {number}-{each}", started_on=since)
            for each in range(PEOPLE_OF_A_POD)
        )
        PodMembership.objects.bulk_create(
            PodMembership(pod=pod, person=person, function="sdr", start_on=since) for person in people
        )
        WorkingHours.objects.bulk_create(
            WorkingHours(person=person, weekday=weekday, starts_at=hour(8), ends_at=hour(18))
            for person in people
            for weekday in range(1, 6)
        )
        PoolMember.objects.bulk_create(
            PoolMember(pool=pool, person=person, weight=1 + each % 3) for each, person in enumerate(people)
        )
        RoutingRule.objects.create(
            version=version, position=number + 1, name=pool.name, condition=f'country = "Land {number}"', pool=pool
        )


def make_leads(count: int) -> None:
    """Leads of nobody, waiting."""
    from salesops.leads.models import Lead

    for start in range(0, count, 5_000):
        Lead.objects.bulk_create(
            Lead(
                name=f"Lead {number}",
                email=f"lead{number}@example.com",
                company=f"Company {number}",
                country=f"Land {number % PODS}",
                estimated_minor=number * 100,
                created_at=NOW - timedelta(seconds=number),
                waits_because="no-rule",
            )
            for number in range(start, min(start + 5_000, count))
        )


def bare_copy() -> float:
    """Write what routing wrote with COPY into empty copies of the tables, with their indexes."""
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        kept: dict[str, bytes] = {}
        for table in TABLES:
            with cursor.copy(f"COPY {table} TO STDOUT") as copy:
                kept[table] = b"".join(bytes(part) for part in copy)
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL)")
        started = time.perf_counter()
        with transaction.atomic():
            for table in TABLES:
                buffer = io.BytesIO(kept[table])
                with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                    while part := buffer.read(1_000_000):
                        copy.write(part)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
