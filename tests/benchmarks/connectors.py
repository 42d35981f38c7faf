"""How long deals of a source take to come in, next to what the database itself needs to write the same rows.

    python -m tests.benchmarks.connectors --database postgresql://postgres@127.0.0.1:5432/postgres
    python -m tests.benchmarks.connectors                    (SQLite, in a temporary folder)
    ... --deals 1000000 --rounds 1 --new-only                (how much memory a million takes)

prints figures; it asserts that all came in, and that deals which are known already cost no write. So many opportunities
come as the bytes of Salesforce's replies, 2,000 rows each: parsed, made raw rows by the vendor, converted by the mapping
that the portal proposes, their owners, accounts and stages looked up, upserted with their changes of stage and audit
entries, their raw records kept, the cursor moved on, a page a transaction. Then the same with another next step, the open
ones with another amount too, then those again as they are. Next to it, in the same run: parsing the same bytes and writing
the rows that stay of the new ones (deals, raw records, changes of stage, audit entries) with COPY into empty copies of
their tables with their indexes and references, a page a transaction as well.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import io
import json
import os
import platform
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.benchmarks import gather_statistics

PAGE, PEOPLE, ACCOUNTS, PODS = 2_000, 100, 4_000, 10
NOW = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
TABLES = ("deals_deal", "connectors_rawrecord", "deals_stagechange", "audit_auditentry")
#: Rows after which the memory is looked at, again and again.
LOOK = 100_000
STAGES = {
    "Prospecting": (10, False, False),
    "Qualification": (20, False, False),
    "Proposal/Price Quote": (60, False, False),
    "Negotiation/Review": (80, False, False),
    "Closed Won": (100, True, True),
    "Closed Lost": (0, True, False),
}


def main() -> None:
    """Measure in a process of its own, on a database made and dropped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="postgresql://… of a server; a database is made and dropped")
    parser.add_argument("--deals", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often; the best of each figure counts")
    parser.add_argument("--new-only", action="store_true", help="only new deals, and nothing beside them")
    parser.add_argument("--profile", default="", choices=["", "new", "changed", "unchanged"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        measure(given.deals, given.rounds, given.profile, new_only=given.new_only)
        return
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}, {sys.platform}"
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.sqlite3"
        if given.database:
            server, _slash, _name = given.database.rpartition("/")
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_connectors", "CREATE DATABASE bench_connectors")
            url = f"{server}/bench_connectors"
        environment = os.environ | {"DATABASE_URL": url, "SALESOPS_DATA": folder, "BROKER_URL": "", "CACHE_URL": ""}
        command = [sys.executable, "-m", "tests.benchmarks.connectors", "--here", *sys.argv[1:]]
        subprocess.run(command, env=environment, check=True)
        if given.database:
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_connectors")


def _server_side(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement)


def measure(count: int, rounds: int, profiled: str, *, new_only: bool) -> None:
    """Make the company, bring the deals in some times over, and print the best of each figure."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    make_company()
    gc.freeze()  # as a worker does
    best: dict[str, float] = {}
    for number in range(rounds):
        stream = connect(f"crm{number}")
        ways = {"new": {"created": count}, "changed": {"changed": count}, "unchanged": {"unchanged": count}}
        for what, expected in ways.items():
            if what != "new" and new_only:
                continue
            is_changed = what != "new"
            with profile(profiled == what and number == 0):
                took = bring_in(pages(count, is_changed=is_changed), stream, expected, check=what == "unchanged")
            best[what] = min(best.get(what, took), took)
            if what == "new" and connection.vendor == "postgresql" and not new_only:
                took = bare_copy(pages(count, is_changed=False), stream)
                best["bare"] = min(best.get("bare", took), took)
    gc.unfreeze()
    each = {what: seconds / count * 1e6 for what, seconds in best.items()}
    told = ", ".join(f"{what} {each[what]:.0f} ({1e6 / each[what]:,.0f}/s)" for what in each if what != "bare")
    print(f"{connection.vendor}: {count:,} deals, best of {rounds}, µs a deal: {told}")
    if "bare" in each:
        ratios = ", ".join(f"{what} {each[what] / each['bare']:.2f}" for what in ("new", "changed", "unchanged"))
        print(f"parsing the same bytes and COPY of the same rows {each['bare']:.0f} µs; ratios: {ratios}")


@contextmanager
def profile(is_wanted: bool) -> Iterator[None]:
    """Print where the time went."""
    profiler = cProfile.Profile()
    if is_wanted:
        profiler.enable()
    yield
    if is_wanted:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(50)


def make_company() -> None:
    """Pods with people, and companies."""
    from salesops.accounts.models import Account
    from salesops.people.models import User
    from salesops.pods.models import Pod, PodMembership

    since = date(2020, 1, 1)
    pods = Pod.objects.bulk_create(Pod(name=f"Pod {number}", opened_on=since) for number in range(PODS))
    people = User.objects.bulk_create(
        User(email=f"p{number}@example.com", name=f"Person {number}", started_on=since) for number in range(PEOPLE)
    )
    PodMembership.objects.bulk_create(
        PodMembership(pod=pods[number % PODS], person=person, function="ae", start_on=since)
        for number, person in enumerate(people)
    )
    Account.objects.bulk_create(
        Account(name=f"Company {number}", match_name=f"company {number}", created_at=NOW) for number in range(ACCOUNTS)
    )


def connect(code: str) -> Any:
    """A connection to Salesforce whose people and companies came in before; the stream of its deals."""
    from dataclasses import asdict

    from salesops.accounts.models import Account
    from salesops.connectors.models import Connection, RawRecord, Source, Stream
    from salesops.connectors.services.connecting import proposed
    from salesops.connectors.vendors import vendor_of
    from salesops.connectors.vendors.base import Word
    from salesops.people.models import User

    vendor = vendor_of("salesforce")
    source = Source.objects.create(code=code, name=code)
    made_by = User.objects.get(email="p0@example.com")
    connection = Connection.objects.create(
        source=source, vendor="salesforce", hook_token=code, made_by=made_by, made_at=NOW
    )
    people = User.objects.filter(email__regex="^p[0-9]").order_by("pk").values_list("pk", flat=True)
    companies = Account.objects.order_by("pk").values_list("pk", flat=True)
    for object, prefix, rows in (("User", "005", people), ("Account", "001", companies)):
        stream = Stream.objects.create(connection=connection, object=object, kind=vendor.object(object).kind)
        RawRecord.objects.bulk_create(
            RawRecord(
                stream=stream,
                external_id=f"{prefix}{number:015}",
                version="1",
                payload="{}",
                received_at=NOW,
                record_id=pk,
            )
            for number, pk in enumerate(rows)
        )
    deals = vendor.object("Opportunity")
    words = [
        Word(name, name, "won" if is_won else "lost" if is_closed else "open", share / 100)
        for name, (share, is_closed, is_won) in STAGES.items()
    ]
    stream = Stream.objects.create(
        connection=connection,
        object=deals.code,
        kind=deals.kind,
        columns=[asdict(column) for column in deals.columns],
        mapping=proposed(deals, deals.columns, {"stage": words}).as_plain(),
    )
    return Stream.objects.select_related("connection", "connection__source").get(pk=stream.pk)


def pages(count: int, *, is_changed: bool) -> Iterator[bytes]:
    """The replies of Salesforce: deals, 2,000 on a page."""
    for start in range(0, count, PAGE):
        told = [deal(number, is_changed=is_changed) for number in range(start, min(start + PAGE, count))]
        yield json.dumps({"totalSize": len(told), "done": True, "records": told}, separators=(",", ":")).encode()


def deal(number: int, *, is_changed: bool) -> dict[str, Any]:
    """One deal, made of its number, with the fields that are asked for."""
    stage = list(STAGES)[number % len(STAGES)]
    is_closed = STAGES[stage][1]
    opened = date(2024, 1, 1) + timedelta(days=number % 700)
    id = f"006{number:015}"
    stamp = NOW - timedelta(days=1 if is_changed else 2) + timedelta(seconds=number // 40)
    return {
        "attributes": {"type": "Opportunity", "url": f"/services/data/v60.0/sobjects/Opportunity/{id}"},
        "Id": id,
        "SystemModstamp": stamp.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "IsDeleted": False,
        "Name": f"Company {number * 7 % ACCOUNTS} – licences and support, {number}",
        "AccountId": f"001{number * 7 % ACCOUNTS:015}",
        "OwnerId": f"005{number * 13 % PEOPLE:015}",
        "StageName": stage,
        "Amount": number * 37 % 250_000 + (1 if is_changed and not is_closed else 0) + (number % 90 + 10) / 100,
        "CurrencyIsoCode": "USD",
        "CreatedDate": f"{opened}T09:{number % 60:02}:00.000+0000",
        "CloseDate": (opened + timedelta(days=number % 120 + 1)).isoformat(),
        "NextStep": f"Call again in week {number % 52}" + (" or later" if is_changed else ""),
    }


class Ready:
    """The way to a vendor whose one reply is here already."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.settings: Mapping[str, str] = {}

    def get(self, url: str, params: Mapping[str, Any] | None = None, **_more: Any) -> Any:
        """The reply."""
        from salesops.connectors.wire import Reply

        return Reply(200, {"content-type": "application/json"}, self.body, "https://example.my.salesforce.com/" + url)


def bring_in(replies: Iterator[bytes], stream: Any, expected: Mapping[str, int], *, check: bool) -> float:
    """Bring pages in as a job does; gives the seconds it took, without the making of the replies."""
    from collections import Counter

    from django.db import transaction

    from salesops.connectors.services.applying import Applier
    from salesops.connectors.services.brakes import Brake
    from salesops.connectors.vendors import vendor_of
    from salesops.connectors.vendors.base import Ask
    from salesops.core.actor import system_actor

    counts: Counter[str] = Counter()
    took, done = 0.0, 0
    vendor = vendor_of(stream.connection.vendor)
    applier = Applier(stream, actor=system_actor(), brake=Brake())
    ask = Ask(columns=applier.mapping.columns, size=PAGE)
    for body in replies:
        http: Any = Ready(body)
        started = time.perf_counter()
        page = vendor.read(applier.object, ask, http)
        with transaction.atomic():
            counts += applier.apply(page.raws, at=NOW).counts
            stream.cursor = {"phase": "rows", "position": page.next}
            if check:
                assert_nothing_is_written()
            stream.save(update_fields=["cursor"])
        took += time.perf_counter() - started
        done += len(page.raws)
        if done % LOOK == 0:
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            gather_statistics()
            print(f"{done:,} deals: {most:.0f} MB at most so far, {took / done * 1e6:.0f} µs a deal", flush=True)
    if counts != Counter(expected):
        raise SystemExit(f"{dict(counts)}, not {dict(expected)}")
    return took


def assert_nothing_is_written() -> None:
    """What is known costs no write: PostgreSQL has counted none in this transaction, but for the cursor."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_stat_xact_user_tables"
            " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND relname <> 'connectors_stream'"
        )
        if written := cursor.fetchall():
            raise SystemExit(f"unchanged deals wrote {written}")
        # What earlier transactions counted is forgotten, so that the next one is looked at alone.
        cursor.execute("SELECT pg_stat_force_next_flush()")


def bare_copy(replies: Iterator[bytes], stream: Any) -> float:
    """Parse the replies and write what they became with COPY into empty copies of the tables with their indexes."""
    from django.db import connection, transaction

    source = stream.connection.source.code
    where = {
        "deals_deal": f"source = '{source}' ORDER BY id",
        "connectors_rawrecord": f"stream_id = {stream.pk} ORDER BY id",
        "deals_stagechange": f"deal_id IN (SELECT id FROM deals_deal WHERE source = '{source}') ORDER BY id",
        "audit_auditentry": f"reason = '{source}' AND action = 'deal.created' ORDER BY sequence",
    }
    took = 0.0
    with connection.cursor() as cursor:
        kept: dict[str, list[bytes]] = {}
        for table in TABLES:
            with cursor.copy(f"COPY (SELECT * FROM {table} WHERE {where[table]}) TO STDOUT") as copy:
                lines = b"".join(bytes(part) for part in copy).splitlines(keepends=True)
            kept[table] = [b"".join(lines[start : start + PAGE]) for start in range(0, len(lines), PAGE)]
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL)")
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass",
                [table],
            )
            for (reference,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE bare_{table} ADD {reference}")
        for number, body in enumerate(replies):
            started = time.perf_counter()
            json.loads(body, parse_float=Decimal)
            with transaction.atomic():
                for table in TABLES:
                    buffer = io.BytesIO(kept[table][number])
                    with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                        while part := buffer.read(1_000_000):
                            copy.write(part)
            took += time.perf_counter() - started
        for table in TABLES:
            cursor.execute(f"DROP TABLE bare_{table}")
    return took


if __name__ == "__main__":
    main()
