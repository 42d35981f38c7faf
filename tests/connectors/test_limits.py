"""Long files: the memory does not grow with the file, and the import counts every row."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from salesops.connectors.choices import ImportState
from salesops.connectors.models import RejectedRow, Source
from salesops.connectors.services import imports, uploads
from salesops.jobs.testing import run_due
from salesops.leads.models import Lead
from tests.cast import NOW, Cast
from tests.journeys.bringing import Importer, counts


def leads(count: int) -> Iterator[bytes]:
    """A CSV of leads in pieces; every thousandth has an address that is none."""
    yield b"lead id,full name,company,email,country,employees,created date\n"
    for number in range(1, count + 1):
        email = "no address" if number % 1_000 == 0 else f"person{number}@example.com"
        yield (
            f"L{number},Person {number},Company {number % 900},{email},Peru,{number % 500},2026-01-{number % 28 + 1:02}\n"
        ).encode()


def resident_mb() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def database_mb() -> float:
    """What the database of the tests holds in this process's memory, in MB: SQLite's does, PostgreSQL's is elsewhere."""
    if connection.vendor != "sqlite":
        return 0.0
    with connection.cursor() as cursor:
        pages, size = (cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return float(pages * size / 1e6)


def plain(count: int, path: Path) -> float:
    """Seconds that it takes to read the same rows as CSV and put their texts into a bare table of SQLite on the disk."""
    began = time.process_time()
    bare = sqlite3.connect(path)
    bare.execute("CREATE TABLE leads (id, name, company, email, country, employees, created)")
    rows = csv.reader(io.StringIO(b"".join(leads(count)).decode()))
    next(rows)
    with bare:
        bare.executemany("INSERT INTO leads VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    bare.close()
    return time.process_time() - began


def bring(cast: Cast, count: int) -> tuple[float, float]:
    """Import so many leads; how many MB the process grew beside its database, and how many seconds of a processor it took."""
    rita = Importer(cast.actor("rita"), Source.objects.create(code="web", name="Web"))
    before, began = resident_mb() - database_mb(), time.process_time()
    row = uploads.upload(actor=rita.actor, name="leads.csv", chunks=leads(count), source=rita.source, at=NOW)
    row = rita.answer(row)
    assert row.kind == "leads"
    imports.start(actor=rita.actor, file_import=row, at=NOW)
    run_due(at=NOW)
    row.refresh_from_db()
    refused = count // 1_000
    assert (row.state, counts(row), row.rows_done) == (ImportState.DONE, (count - refused, 0, 0, refused), count)
    assert Lead.objects.count() == count - refused
    assert list(RejectedRow.objects.order_by("line").values_list("line", flat=True)) == [
        number * 1_000 + 1 for number in range(1, refused + 1)
    ]
    return resident_mb() - database_mb() - before, time.process_time() - began


@pytest.mark.benchmark
@pytest.mark.django_db
def test_a_hundred_thousand_rows_come_in_with_bounded_memory(cast: Cast, tmp_path: Path) -> None:
    """In the background, every row counted; the process grows by less than the size of a few batches."""
    count = int(os.environ.get("BENCHMARK_ROWS", "100000"))
    grown, seconds = bring(cast, count)
    bare = plain(count, tmp_path / "plain.sqlite3")
    print(
        f"{count:,} leads in {seconds:.1f} s of a processor, {count / seconds:,.0f} rows a second, {grown:.0f} MB more; "
        f"the bare rows in {bare:.2f} s: {seconds / bare:.0f} times as long"
    )
    assert grown < 100
