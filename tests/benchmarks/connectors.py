"""How long deals of a source take to come in, next to what the database itself needs to write the same rows.

    python -m tests.benchmarks.connectors --database postgresql://postgres@127.0.0.1:5432/postgres
    python -m tests.benchmarks.connectors                    (SQLite, in a temporary folder)

prints figures; it asserts only that all came in. So many deals with twelve fields each are told as pages of JSON and
brought in, a page a transaction: parsed, converted by a mapping, their owners, accounts, products and stages looked up,
upserted with their changes of stage and audit entries. Then the same pages with another amount and next step, then
those again as they are. Next to it, in the same run: parsing the same pages and writing the same deals, changes of stage
and audit entries with COPY into empty copies of their tables with their indexes and references, a page a transaction as well.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

PAGE, PEOPLE, ACCOUNTS, PRODUCTS, PODS = 1_000, 100, 4_000, 8, 10
NOW = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
TABLES = ("deals_deal", "deals_stagechange", "audit_auditentry")
COLUMNS = {
    "Id": "external_id",
    "Name": "name",
    "AccountId": "account",
    "OwnerEmail": "owner",
    "ProductCode": "product",
    "StageName": "stage",
    "Amount": "amount",
    "CurrencyIsoCode": "currency",
    "CreatedDate": "opened_on",
    "CloseDate": "closed_on",
    "NextStep": "next_step",
    "Description": "note",
}


def main() -> None:
    """Measure in a process of its own, on a database made and dropped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="postgresql://… of a server; a database is made and dropped")
    parser.add_argument("--deals", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often; the best of each figure counts")
    parser.add_argument("--profile", default="", choices=["", "new", "changed", "unchanged"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        measure(given.deals, given.rounds, given.profile)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {sys.platform}")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.sqlite3"
        if given.database:
            server, _slash, _name = given.database.rpartition("/")
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_connectors", "CREATE DATABASE bench_connectors")
            url = f"{server}/bench_connectors"
        environment = os.environ | {"DATABASE_URL": url, "DATA_DIR": folder, "BROKER_URL": "", "CACHE_URL": ""}
        command = [sys.executable, "-m", "tests.benchmarks.connectors", "--here", *sys.argv[1:]]
        subprocess.run(command, env=environment, check=True)
        if given.database:
            _server_side(given.database, "DROP DATABASE IF EXISTS bench_connectors")


def _server_side(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement)  # type: ignore[arg-type]  # texts of this file


def measure(count: int, rounds: int, profiled: str) -> None:
    """Make the company, bring the deals in some times over, and print the best of each figure."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    make_company()
    best: dict[str, float] = {}
    for number in range(rounds):
        source = f"crm{number}"
        new, changed = pages(count, source), pages(count, source, is_changed=True)
        for what, given, expected in (
            ("new", new, (count, 0, 0)),
            ("changed", changed, (0, count, 0)),
            ("unchanged", changed, (0, 0, count)),
        ):
            took = bring_in(given, source, expected, is_profiled=profiled == what and number == 0)
            bare = bare_copy(given, source) if connection.vendor == "postgresql" and what == "new" else 0.0
            best[what] = min(best.get(what, took), took)
            if bare:
                best["bare"] = min(best.get("bare", bare), bare)
    each = {what: seconds / count * 1e6 for what, seconds in best.items()}
    beside = ""
    if "bare" in each:
        ratios = ", ".join(f"{what} {each[what] / each['bare']:.2f}" for what in ("new", "changed", "unchanged"))
        beside = f"; parsing and COPY of the new {each['bare']:.0f} µs; ratios {ratios}"
    print(
        f"{connection.vendor}: {count:,} deals, best of {rounds}, µs a deal: new {each['new']:.0f}, "
        f"changed {each['changed']:.0f}, unchanged {each['unchanged']:.0f}{beside}"
    )


def make_company() -> None:
    """Pods with people, companies of the source, products and stages."""
    from salesops.accounts.models import Account
    from salesops.deals.models import Product, Stage
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
        Account(
            name=f"Company {number}", match_name=f"company {number}", external_id=f"001{number:015}", created_at=NOW
        )
        for number in range(ACCOUNTS)
    )
    Product.objects.bulk_create(
        Product(code=f"P-{number}", name=f"Product {number}", match_name=f"product {number}")
        for number in range(PRODUCTS)
    )
    if not Stage.objects.exists():
        Stage.objects.bulk_create(
            Stage(code=code, name=code.title(), kind=kind, position=position)
            for position, (code, kind) in enumerate(
                [("qualify", "open"), ("propose", "open"), ("won", "won"), ("lost", "lost")]
            )
        )


def pages(count: int, source: str, *, is_changed: bool = False) -> list[bytes]:
    """The deals as a source tells them, a thousand on a page."""
    from salesops.accounts.models import Account
    from salesops.deals.models import Stage

    Account.objects.update(source=source)
    stages = [(stage.name, stage.kind) for stage in Stage.objects.filter(is_active=True).order_by("position")]
    told = [deal(number, stages, is_changed=is_changed) for number in range(count)]
    return [json.dumps({"records": told[start : start + PAGE]}).encode() for start in range(0, count, PAGE)]


def deal(number: int, stages: Sequence[tuple[str, str]], *, is_changed: bool) -> dict[str, Any]:
    """One deal, made of its number."""
    stage, _kind = stages[number % len(stages)]
    opened = date(2024, 1, 1) + timedelta(days=number % 700)
    return {
        "Id": f"006{number:015}",
        "Name": f"Company {number * 7 % ACCOUNTS} – licences and support, {number}",
        "AccountId": f"001{number * 7 % ACCOUNTS:015}",
        "OwnerEmail": f"p{number * 13 % PEOPLE}@example.com",
        "ProductCode": f"P-{number % PRODUCTS}",
        "StageName": stage,
        "Amount": f"{number * 37 % 250_000 + (1 if is_changed else 0)}.{number % 90 + 10}",
        "CurrencyIsoCode": "USD",
        "CreatedDate": opened.isoformat(),
        "CloseDate": (opened + timedelta(days=number % 120 + 1)).isoformat(),
        "NextStep": f"Call again in week {number % 52}" + (" or later" if is_changed else ""),
        "Description": f"Came with the campaign {number % 40}; their budget is decided in the autumn.",
    }


def mapping_of() -> Any:
    """The mapping of the source's columns."""
    from salesops.connectors.rules.dates import DateFormat
    from salesops.connectors.rules.mapping import FieldRule, Mapping
    from salesops.connectors.rules.numbers import DecimalMark

    by = {"account": "external_id", "owner": "email", "product": "code", "stage": "name"}
    return Mapping(
        "deals",
        tuple(
            FieldRule(
                field,
                column=column,
                lookup_by=by.get(field, "any"),
                date_format=DateFormat.YMD if field.endswith("_on") else None,
                decimal=DecimalMark.POINT if field == "amount" else None,
            )
            for column, field in COLUMNS.items()
        ),
    )


def bring_in(given: Sequence[bytes], source: str, expected: tuple[int, int, int], *, is_profiled: bool) -> float:
    """Bring pages in as a job does; gives the seconds it took."""
    from django.db import transaction

    from salesops.connectors.destinations import destination_of
    from salesops.connectors.rules.convert import Converter
    from salesops.connectors.rules.tables import Checkpoint, Row
    from salesops.connectors.selectors.lookups import Resolver
    from salesops.core.actor import system_actor

    actor = system_actor()
    profile = cProfile.Profile()
    if is_profiled:
        profile.enable()
    started = time.perf_counter()
    converter, resolver, destination = (
        Converter(mapping_of(), tuple(COLUMNS)),
        Resolver(source),
        destination_of("deals"),
    )
    after = Checkpoint(0, 0, 0)
    counts = [0, 0, 0]
    for page in given:
        rows = [
            Row(line, tuple([told[column] for column in COLUMNS]), after)
            for line, told in enumerate(json.loads(page)["records"])
        ]
        converted = converter.convert_many(rows, resolver.answers(converter.lookups(rows)))
        records = [destination.make(one.record) for one in converted if one.record is not None]
        with transaction.atomic():
            result = destination.upsert(records=records, actor=actor, source=source, at=NOW)
        for place, number in enumerate((result.created, result.changed, result.unchanged)):
            counts[place] += number
    took = time.perf_counter() - started
    if is_profiled:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    if tuple(counts) != expected:
        raise SystemExit(f"created, changed, unchanged: {counts}, not {expected}")
    return took


def bare_copy(given: Sequence[bytes], source: str) -> float:
    """Parse the pages and write what they became with COPY into empty copies of the tables with their indexes."""
    from django.db import connection, transaction

    where = {
        "deals_deal": f"source = '{source}' ORDER BY id",
        "deals_stagechange": f"deal_id IN (SELECT id FROM deals_deal WHERE source = '{source}') ORDER BY id",
        "audit_auditentry": f"reason = '{source}' AND action = 'deal.created' ORDER BY sequence",
    }
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
        started = time.perf_counter()
        for number, page in enumerate(given):
            json.loads(page)
            with transaction.atomic():
                for table in TABLES:
                    buffer = io.BytesIO(kept[table][number])
                    with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                        while part := buffer.read(1_000_000):
                            copy.write(part)
        took = time.perf_counter() - started
        for table in TABLES:
            cursor.execute(f"DROP TABLE bare_{table}")
    return took


if __name__ == "__main__":
    main()
