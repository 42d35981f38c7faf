"""The box of SQL sources: what hostile and clumsy statements come to, with the parser's guard and without it."""

from __future__ import annotations

import gc
import os
import re
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from salesops.connectors import sqlbox
from salesops.connectors.rules.statements import PageQuery, check_statement, wrapped
from salesops.connectors.sqlbox import Place, SqlBoxError, SqlColumn, describe, opened, read_page
from tests.connectors.certificates import write_certificate
from tests.connectors.mariadb import MariaDb
from tests.servers import MissingServerError

BERLIN = ZoneInfo("Europe/Berlin")
DEALS = "SELECT id, name, amount, at FROM deals"


class Forbidden(Exception):  # noqa: N818
    """What the guard of addresses says."""


def nowhere(host: str, port: int) -> Sequence[str]:
    """A guard that lets nobody out."""
    raise Forbidden(f"{host}:{port}")


def loopback(host: str, port: int) -> Sequence[str]:
    """A guard that leads to this machine."""
    return ["127.0.0.1"]


def _problem(url: str, text: str, **options: Any) -> str:
    """The code of the problem when a statement runs in the box past the parser's guard."""
    with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback, **options) as box:
        box.rows(PageQuery(text, {}), 10)
    assert caught.value.problem.text()
    assert caught.value.problem.remedy_text()
    return caught.value.problem.code


# --- SQLite --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A foreign SQLite database."""
    path = tmp_path / "shop.sqlite3"
    with sqlite3.connect(path) as line:
        line.executescript(
            """
            CREATE TABLE deals (id INTEGER PRIMARY KEY, name TEXT, amount NUMERIC, at TEXT);
            INSERT INTO deals VALUES (1, 'Ada', 0.1, '2026-07-01 10:00:00'), (2, 'Bob', 1200, '2026-07-01 10:00:00'),
                (3, 'Cy 50%', NULL, '2026-01-01 10:00:00');
            CREATE TABLE odd (id INTEGER PRIMARY KEY, at INTEGER, raw BLOB, number REAL, day TEXT);
            INSERT INTO odd VALUES (1, 5, x'00ff', 9e999, '2026-02-03');
            """
        )
    return path


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_page_of_sqlite_has_exact_numbers_and_moments_in_the_declared_zone(shop: Path) -> None:
    page = read_page(_url(shop), DEALS, cursor="at", key="id", addresses=nowhere, limit=2, zone=BERLIN)
    assert page.columns == ("id", "name", "amount", "at")
    assert page.rows == (
        (3, "Cy 50%", None, datetime(2026, 1, 1, 9, tzinfo=UTC)),
        (1, "Ada", Decimal("0.1"), datetime(2026, 7, 1, 8, tzinfo=UTC)),
    )
    assert page.next == Place("2026-07-01 10:00:00", 1)
    rest = read_page(
        _url(shop),
        DEALS,
        cursor="at",
        key="id",
        addresses=nowhere,
        limit=2,
        after=Place.from_plain(page.next.as_plain()),
    )
    assert [row[0] for row in rest.rows] == [2]
    assert rest.next is None


def test_bytes_are_hexadecimal_and_infinity_is_a_word_that_no_number_field_takes(shop: Path) -> None:
    page = read_page(_url(shop), "SELECT * FROM odd", cursor="at", key="id", addresses=nowhere)
    assert page.rows == ((1, 5, "00ff", "Infinity", "2026-02-03"),)


def test_sqlite_columns_are_described_by_what_is_in_them(shop: Path) -> None:
    assert describe(_url(shop), "SELECT id, name, amount, at FROM deals", addresses=nowhere) == (
        SqlColumn("id", "number"),
        SqlColumn("name", "text"),
        SqlColumn("amount", "number"),
        SqlColumn("at", "moment"),
    )
    assert describe(_url(shop), "SELECT day, raw FROM odd", addresses=nowhere)[0] == SqlColumn("day", "day")


def test_since_is_the_lowest_cursor(shop: Path) -> None:
    page = read_page(_url(shop), DEALS, cursor="at", key="id", addresses=nowhere, since="2026-07-01 10:00:00")
    assert [row[0] for row in page.rows] == [1, 2]


HOSTILE_SQLITE = [
    "INSERT INTO deals VALUES (9, 'x', 1, 'x')",
    "UPDATE deals SET name = 'x'",
    "DELETE FROM deals",
    "DROP TABLE deals",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
    "WITH x AS (SELECT 1) DELETE FROM deals",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "SELECT * FROM pragma_database_list",
    "ATTACH DATABASE '{folder}/other.sqlite3' AS other",
    "VACUUM INTO '{folder}/copy.sqlite3'",
    "SELECT load_extension('{folder}/evil')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{folder}/x', 'y')",
    "SELECT randomblob(1000000000)",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT 1; DELETE FROM deals",
    "BEGIN IMMEDIATE",
    "REINDEX",
    "ANALYZE",
]


@pytest.mark.parametrize("text", HOSTILE_SQLITE)
def test_the_sqlite_box_holds_without_the_parser(text: str, shop: Path, tmp_path: Path) -> None:
    before = shop.read_bytes()
    files = set(os.listdir(tmp_path))
    assert _problem(_url(shop), text.format(folder=tmp_path)) in {"sql-forbidden", "sql-failed", "sql-no-rows"}
    assert shop.read_bytes() == before
    assert set(os.listdir(tmp_path)) == files


@pytest.mark.parametrize("text", HOSTILE_SQLITE)
def test_the_parser_holds_without_the_box(text: str) -> None:
    assert check_statement(text, "sqlite").value is None


def test_each_wall_of_sqlite_stands_alone(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the authorizer, query_only and the way the file is opened still refuse; without those, the authorizer does.
    before = shop.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(sqlbox, "_authorize", lambda *_: sqlite3.SQLITE_OK)
        assert _problem(_url(shop), "DELETE FROM deals") == "sql-forbidden"
        assert _problem(_url(shop), "ATTACH DATABASE ':memory:' AS other") == "sql-failed"
        assert _problem(_url(shop), "SELECT load_extension('evil')") == "sql-forbidden"
    with monkeypatch.context() as patch:
        patch.setitem(sqlbox._CONNECT, "sqlite", lambda target, _seconds, _watch: sqlite3.connect(target.database))
        assert _problem(_url(shop), "DELETE FROM deals") == "sql-forbidden"
        patch.setattr(sqlbox, "_authorize", lambda *_: sqlite3.SQLITE_OK)
        assert _problem(_url(shop), "DELETE FROM deals") == "sql-forbidden"
    assert shop.read_bytes() == before


def test_the_file_itself_is_opened_to_read(shop: Path) -> None:
    line = sqlbox._connect_sqlite(sqlbox._Target("sqlite", str(shop)), 1, sqlbox._Watch(1))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        line.execute("DELETE FROM deals")
    line.close()


def test_a_value_larger_than_a_page_is_not_even_made(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "MOST_BYTES", 1_000)
    with pytest.raises(SqlBoxError, match="too big"), opened(_url(shop), addresses=nowhere) as box:
        box.rows(PageQuery("SELECT length(replace('aaaaaaaaaaaaaaaaaaaa', 'a', '" + "b" * 100 + "'))", {}), 1)


BILLION = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
    " SELECT count(*) AS id FROM n AS a CROSS JOIN n AS b CROSS JOIN n AS c"
)


def test_a_billion_rows_are_cut_at_the_time_limit(shop: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SqlBoxError) as caught:
        read_page(_url(shop), BILLION, cursor="id", key="id", addresses=nowhere, time_limit_s=0.2)
    assert caught.value.problem.code == "sql-time-limit"
    assert caught.value.problem.text() == "The statement took longer than 0.2 seconds and was cut off."
    assert time.monotonic() - began < 5  # in the middle, not when it was over


def test_nothing_stays_open_behind_the_box(shop: Path) -> None:
    with opened(_url(shop), addresses=nowhere) as box:
        raw: Any = box._connection.connection.driver_connection
        assert box.rows(PageQuery("SELECT count(*) AS id FROM deals", {}), 1).rows == [(3,)]
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        raw.execute("SELECT 1")


def test_no_more_rows_are_taken_than_were_asked_for(shop: Path) -> None:
    with opened(_url(shop), addresses=nowhere) as box:
        assert box.rows(PageQuery("SELECT id FROM deals ORDER BY id", {}), 2).rows == [(1,), (2,)]
        assert box.rows(PageQuery("SELECT id FROM deals ORDER BY id", {}), 5).rows == [(1,), (2,), (3,)]


def test_many_rows_are_cut_at_the_row_cap(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "MOST_ROWS", 2)
    page = read_page(_url(shop), DEALS, cursor="at", key="id", addresses=nowhere, limit=1_000_000)
    assert len(page.rows) == 2
    assert page.next is not None


def test_a_page_that_grows_too_large_is_cut_and_goes_on(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "MOST_BYTES", 100)
    seen, after, pages = [], None, 0
    while True:
        page = read_page(_url(shop), DEALS, cursor="at", key="id", addresses=nowhere, after=after)
        seen += [row[0] for row in page.rows]
        pages += 1
        if (after := page.next) is None:
            break
    assert (seen, pages) == ([3, 1, 2], 3)
    monkeypatch.setattr(sqlbox, "MOST_BYTES", 60)
    with pytest.raises(SqlBoxError, match="A row is too large"):
        read_page(_url(shop), DEALS, cursor="at", key="id", addresses=nowhere)


def test_a_row_without_a_place_in_the_order_is_said_and_not_lost(shop: Path) -> None:
    with sqlite3.connect(shop) as line:
        line.execute("INSERT INTO deals VALUES (4, 'No day', 1, NULL)")
    with pytest.raises(SqlBoxError) as caught:
        read_page(_url(shop), DEALS, cursor="at", key="id", addresses=nowhere)
    assert caught.value.problem.code == "sql-no-place"


@pytest.mark.parametrize(
    ("text", "cursor", "code"),
    [
        ("SELECT id, name FROM deals", "at", "sql-failed"),
        ("SELECT id, amount FROM deals WHERE amount < 1", "amount", "sql-inexact-place"),
        ("SELECT id, at FROM deals", "salesops_x", "sql-no-column"),
        ("SELECT id, at FROM missing", "at", "sql-failed"),
    ],
)
def test_clumsy_questions_are_told_in_words(shop: Path, text: str, cursor: str, code: str) -> None:
    with pytest.raises(SqlBoxError) as caught:
        read_page(_url(shop), text, cursor=cursor, key="id", addresses=nowhere)
    # SQLite takes a quoted name that is no column for a text; the page then has no such column.
    assert caught.value.problem.code in {code, "sql-no-column", "sql-two-columns"}


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), max_size=25), st.integers(1, 6))
def test_rows_with_equal_cursors_are_read_once_each(tmp_path: Path, cursors: list[int], limit: int) -> None:
    path = tmp_path / "ties.sqlite3"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as line:
        line.execute("CREATE TABLE t (id TEXT, at INTEGER)")
        line.executemany("INSERT INTO t VALUES (?, ?)", [(f"k{n:02}", at) for n, at in enumerate(cursors)])
    seen: list[Any] = []
    after = None
    while True:
        page = read_page(
            _url(path), "SELECT id, at FROM t", cursor="at", key="id", addresses=nowhere, after=after, limit=limit
        )
        seen += page.rows
        if page.next is None:
            break
        after = Place.from_plain(page.next.as_plain())
    assert seen == sorted(((f"k{n:02}", at) for n, at in enumerate(cursors)), key=lambda row: (row[1], row[0]))


# --- Which database ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "sql-address"),
        ("oracle://a:b@db.example.com/x", "sql-scheme"),
        ("duckdb:////tmp/x", "sql-scheme"),
        ("postgresql+asyncpg://a:b@db.example.com/x", "sql-scheme"),
        ("sqlite://", "sql-address"),
        ("sqlite:///relative.sqlite3", "sql-address"),
        ("sqlite:////etc/passwd?mode=rw", "sql-address"),
        ("sqlite:////no/such/file", "sql-no-folder"),
        ("sqlite:////etc", "sql-no-folder"),
        ("sqlite:////dev/zero", "sql-no-folder"),
        ("postgresql:///x", "sql-address"),
        ("postgresql://a:b@/x?host=/var/run/postgresql", "sql-address"),
        ("postgresql://a:b@db.example.com/x?options=-c%20default_transaction_read_only%3Doff", "sql-address"),
        ("postgresql://a:b@db.example.com/x?hostaddr=10.0.0.1", "sql-address"),
        ("postgresql://a:b@db.example.com/x?sslmode=prefer", "sql-address"),
        ("postgresql://a:b@db.example.com,10.0.0.1/x", "sql-address"),
        ("sqlite://host//srv/data/crm.sqlite3", "sql-address"),
        ("postgresql://a:b@db.example.com", "sql-address"),
        ("mysql://a:b@db.example.com/", "sql-address"),
        ("postgresql://db.example.com/x", "sql-address"),
        ("mysql://a:b@db.example.com/x?local_infile=1", "sql-address"),
        ("mysql://a:b@db.example.com/x?read_default_file=/etc/my.cnf", "sql-address"),
        ("mysql://a:b@db.example.com/x?unix_socket=/run/mysqld.sock", "sql-address"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_read_is_refused(url: str, code: str) -> None:
    with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
        pass
    assert caught.value.problem.code == code
    assert caught.value.problem.remedy_text()


@pytest.mark.parametrize("url", ["postgresql://a:b@10.0.0.1/x", "mysql://a:b@169.254.169.254:80/x"])
def test_every_host_passes_the_guard_of_addresses(url: str) -> None:
    with pytest.raises(Forbidden), opened(url, addresses=nowhere):
        pass


def test_the_portals_own_files_are_refused(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(shop))
    assert _problem(_url(shop), "SELECT 1") == "sql-own"
    link, hard = tmp_path / "link.sqlite3", tmp_path / "hard.sqlite3"
    link.symlink_to(shop)
    os.link(shop, hard)
    assert _problem(_url(link), "SELECT 1") == "sql-own"
    assert _problem(_url(hard), "SELECT 1") == "sql-own"
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", ":memory:")
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    assert _problem(_url(shop), "SELECT 1") == "sql-own"


@pytest.mark.parametrize(
    ("portal", "url", "addresses", "is_own"),
    [
        ({"HOST": "db.invalid", "PORT": "6000"}, "postgresql://a:b@DB.invalid:6000/salesops", ["10.0.0.1"], True),
        ({"HOST": "db.invalid", "PORT": "6000"}, "postgresql://a:b@other.invalid:6000/salesops", ["10.0.0.1"], False),
        ({"HOST": "db.invalid", "PORT": "6000"}, "postgresql://a:b@db.invalid:6001/salesops", ["10.0.0.1"], False),
        ({"HOST": "db.invalid", "PORT": "6000"}, "postgresql://a:b@db.invalid:6000/crm", ["10.0.0.1"], False),
        ({"HOST": "db.invalid", "PORT": "3306"}, "mysql://a:b@db.invalid/salesops", ["10.0.0.1"], False),
        ({"HOST": "db.invalid"}, "postgresql://a:b@db.invalid/salesops", ["10.0.0.1"], True),
        ({"HOST": "127.0.0.1"}, "postgresql://a:b@db.invalid/salesops", ["10.0.0.1", "127.0.0.1"], True),
        ({"HOST": "127.0.0.1"}, "postgresql://a:b@db.invalid/salesops", ["10.0.0.1"], False),
        ({"HOST": "/run/postgresql"}, "postgresql://a:b@db.invalid/salesops", ["127.0.0.1"], True),
        ({"HOST": ""}, "postgresql://a:b@db.invalid/salesops", ["::1"], True),
        ({"HOST": ""}, "postgresql://a:b@db.invalid/salesops", ["10.0.0.1"], False),
    ],
)
def test_the_server_of_the_portal_is_known_by_name_and_by_address(
    monkeypatch: pytest.MonkeyPatch, portal: dict[str, str], url: str, addresses: list[str], is_own: bool
) -> None:
    given = {"ENGINE": "django.db.backends.postgresql", "NAME": "salesops", "PORT": "", **portal}
    monkeypatch.setitem(settings.DATABASES, "default", given)
    if not is_own:
        assert sqlbox._target(url, lambda host, port: addresses).database in ("salesops", "crm")
        return
    with pytest.raises(SqlBoxError) as caught:
        sqlbox._target(url, lambda host, port: addresses)
    assert caught.value.problem.code == "sql-own"


def test_a_link_out_of_the_folder_leads_nowhere(
    shop: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    monkeypatch.setattr(settings, "CONNECTORS_SQLITE_FOLDERS", [str(folder)])
    (folder / "link.sqlite3").symlink_to(shop)
    assert _problem(_url(folder / "link.sqlite3"), "SELECT 1") == "sql-no-folder"
    assert _problem(_url(folder / ".." / tmp_path.name / shop.name), "SELECT 1") == "sql-no-folder"
    assert _problem(_url(folder / "missing.sqlite3"), "SELECT 1") == "sql-no-file"
    assert _problem(_url(folder), "SELECT 1") == "sql-no-file"


def test_the_file_that_was_looked_at_is_the_one_that_is_opened(shop: Path, tmp_path: Path) -> None:
    """SQLite would read the signs of an address in a name: %41 is an A there."""
    for name, word in (("shop%41.sqlite3", "one"), ("shopA.sqlite3", "other")):
        with sqlite3.connect(tmp_path / name) as line:
            line.execute(f"CREATE TABLE t AS SELECT '{word}' AS word")
    with opened(_url(tmp_path / "shop%2541.sqlite3"), addresses=loopback) as box:
        assert box.rows(PageQuery("SELECT word FROM t", {}), 1).rows == [("one",)]


def test_a_copy_of_a_portal_is_known_by_its_tables(shop: Path) -> None:
    with sqlite3.connect(shop) as line:
        for name in sqlbox._OF_A_PORTAL:
            assert name in connection.introspection.django_table_names() or name == "django_migrations"
            line.execute(f"CREATE TABLE {name} (id INTEGER)")
    assert _problem(_url(shop), "SELECT 1") == "sql-own"


@pytest.mark.parametrize(
    ("scheme", "addresses", "query", "tls"),
    [
        ("mysql", ["127.0.0.1"], "", "disable"),
        ("mysql", ["10.0.0.1"], "", "verify-full"),
        ("mariadb", ["127.0.0.1", "10.0.0.1"], "", "verify-full"),
        ("mysql", ["10.0.0.1"], "?sslmode=require", "require"),
        ("mysql", ["10.0.0.1"], "?sslmode=verify-full", "verify-full"),
        ("mysql", ["10.0.0.1"], "?sslmode=disable", "disable"),
        ("postgresql", ["127.0.0.1"], "", "disable"),
        ("postgresql", ["127.0.0.1", "10.0.0.1"], "", "verify-full"),
        ("postgresql", ["10.0.0.1"], "", "verify-full"),
        ("postgresql", ["10.0.0.1"], "?sslmode=require", "require"),
        ("postgresql", ["10.0.0.1"], "?sslmode=verify-full", "verify-full"),
    ],
)
def test_lines_to_other_machines_are_encrypted_unless_it_is_said_otherwise(
    scheme: str, addresses: list[str], query: str, tls: str
) -> None:
    target = sqlbox._target(f"{scheme}://a:b@db.example.com/x{query}", lambda host, port: addresses)
    assert (target.tls, target.addresses) == (tls, tuple(addresses))
    assert target.port == (5432 if scheme == "postgresql" else 3306)


def test_the_authorities_of_the_machine_are_found_for_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """The OpenSSL that comes with the driver knows none of its own."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert "BEGIN CERTIFICATE" in Path(sqlbox._authorities()).read_text()


def test_lines_are_cut_when_the_time_is_up() -> None:
    """Those that are watched, and one that is opened just then."""
    ours, theirs = socket.socketpair()
    late, also = socket.socketpair()
    with ours, theirs, late, also, sqlbox._Watch(0.1 - sqlbox._GRACE) as watch:
        for line in (theirs, also):
            line.settimeout(5)
        watch.over(ours.fileno())
        assert not watch.has_cut
        assert theirs.recv(1) == b""  # the end of what comes
        assert watch.has_cut
        watch.over(late.fileno())
        assert also.recv(1) == b""


def test_a_server_that_says_nothing_is_left_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "_GRACE", 0.1)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say_nothing() -> None:
            line, _from = server.accept()
            with line:
                over.wait(8)

        thread = threading.Thread(target=say_nothing, daemon=True)
        thread.start()
        url, began = f"mysql://a:b@127.0.0.1:{server.getsockname()[1]}/x", time.monotonic()
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback, time_limit_s=0.1):
            pass
        took = time.monotonic() - began
        over.set()
        thread.join(5)
    assert caught.value.problem.code == "sql-time-limit"
    assert took < 5


def test_each_address_has_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[tuple[str, int], float]] = []

    def connect(address: tuple[str, int], timeout: float = 0) -> socket.socket:
        tried.append((address, timeout))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", connect)
    both = ["93.184.216.34", "93.184.216.35"]
    with pytest.raises(SqlBoxError), opened("mysql://a:b@db.example.com/x", addresses=lambda host, port: both):
        pass
    assert tried == [((both[0], 3306), 10), ((both[1], 3306), 10)]


def test_lines_are_left_alone_before() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with sqlbox._Watch(0.1 - sqlbox._GRACE) as watch:
            watch.over(ours.fileno())
        time.sleep(0.2)
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"
        assert not watch.has_cut


def test_no_text_tells_the_password() -> None:
    target = sqlbox._Target("postgresql", "x", "h", 1, "u", "p@ss word", "require")
    assert "p@ss" not in repr(target)
    assert target.scrub("no entry for p@ss word\n at p%40ss%20word") == "no entry for ••• at •••"
    with pytest.raises(SqlBoxError) as caught, opened("postgresql://u:fake-secret@127.0.0.1:1/x", addresses=loopback):
        pass
    assert caught.value.problem.code == "sql-unreachable"
    assert "fake-secret" not in f"{caught.value.problem.as_plain()} {caught.value!r} {caught.value.__cause__!r}"
    with pytest.raises(SqlBoxError) as caught, opened("mysql://u:fake-secret@127.0.0.1:1/x", addresses=loopback):
        pass
    assert caught.value.problem.code == "sql-unreachable"
    assert "fake-secret" not in f"{caught.value.problem.as_plain()} {caught.value!r} {caught.value.__cause__!r}"


def test_what_a_database_says_at_length_is_shortened() -> None:
    target = sqlbox._Target("postgresql", "x", "h", 1, "u", "fake-word", "require")
    assert target.scrub("fake-word " + "n" * 1_000) == "••• " + "n" * 296


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        (["57014", "25P03", "25P04", 3024, 1969, 1317, 2013], "sql-time-limit"),
        (["42501", 1142, 1143, 1044, 1370], "sql-no-rights"),
        (["28P01", "28000", "3D000", 1045, 1049, 1698], "sql-no-entry"),
        (["25006", 1792], "sql-forbidden"),
        (["42703", 1064], "sql-failed"),
    ],
)
def test_what_the_codes_of_databases_mean(codes: list[str | int], code: str) -> None:
    import psycopg
    import pymysql

    target = sqlbox._Target("postgresql", "x", "h", 1, "u", "fake-word", "require")
    for each in codes:
        error = (
            pymysql.err.OperationalError(each, "for fake-word it is so")
            if isinstance(each, int)
            else psycopg.errors.lookup(each)("for fake-word it is so")
        )
        said = sqlbox._said(error, target, 60).problem
        assert (each, said.code) == (each, code)
        assert "fake-word" not in str(said.as_plain())
        assert ("for ••• it is so" in said.text()) is (code != "sql-time-limit")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('FATAL:  password authentication failed for user "u"', "sql-no-entry"),
        ('FATAL:  database "x" does not exist', "sql-no-entry"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "sql-no-entry"),
        ('FATAL:  role "u" is not permitted to log in', "sql-no-entry"),
        ("connection refused", "sql-unreachable"),
    ],
)
def test_what_postgresql_says_before_it_gives_codes(words: str, code: str) -> None:
    import psycopg

    target = sqlbox._Target("postgresql", "x", "h", 1, "u", "fake-word", "require")
    assert sqlbox._said(psycopg.OperationalError(words), target, 60, is_opening=True).problem.code == code
    assert sqlbox._said(psycopg.OperationalError(words), target, 60).problem.code == "sql-failed"


def test_no_error_behind_the_one_that_is_told_holds_a_value_of_a_row(shop: Path) -> None:
    with pytest.raises(SqlBoxError) as caught:
        read_page(
            _url(shop),
            "SELECT id, at FROM missing",
            cursor="at",
            key="id",
            addresses=nowhere,
            after=Place("Lemaire", 1),
        )
    behind = caught.value.__context__
    assert isinstance(behind, sqlalchemy.exc.OperationalError)
    assert "no such table: missing" in str(behind)
    assert "Lemaire" not in f"{behind} {behind!r}"


@given(
    st.one_of(
        st.integers(),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.datetimes(),
        st.datetimes(timezones=st.just(UTC)),
        st.dates(),
        st.text(),
    )
)
def test_a_place_comes_back_exactly(value: object) -> None:
    again = Place.from_plain(Place(value, "k").as_plain())
    assert again == Place(value, "k")
    assert type(again.cursor) is type(value)


# --- PostgreSQL ----------------------------------------------------------------------------------------------------

_POSTGRES = connection.vendor == "postgresql"
on_postgresql = pytest.mark.skipif(not _POSTGRES, reason="needs a PostgreSQL (DATABASE_URL)")

_SHOP = """
    CREATE TABLE deals (id integer PRIMARY KEY, code char(5), amount numeric(20, 4), weight double precision,
        at timestamp, at_zone timestamptz, day date, is_won boolean, data jsonb, raw bytea, unique_id uuid);
    INSERT INTO deals VALUES
        (1, 'A', 12345678901234.5678, 0.1, '2026-07-01 10:00', '2026-07-01 10:00+00', '2026-07-01', true,
            '{"a": 0.10000000000000000000001}', '\\x00ff', '00000000-0000-0000-0000-000000000001'),
        (2, 'B', 'NaN', 'Infinity', '2026-07-01 10:00', '2026-07-02 10:00+02', NULL, false, NULL, NULL, NULL),
        (3, 'C', 3, NULL, '2026-07-03 10:00', 'infinity', 'infinity', NULL, NULL, NULL, NULL);
    CREATE TABLE secrets (id integer, word text);
    CREATE SEQUENCE numbers;
    GRANT SELECT ON deals TO sqlbox_reader;
    GRANT USAGE ON SEQUENCE numbers TO sqlbox_reader;
    CREATE FUNCTION writes() RETURNS integer LANGUAGE plpgsql AS
        'BEGIN INSERT INTO deals (id) VALUES (99); RETURN 1; END';
    GRANT ALL ON deals TO sqlbox_writer;
"""


#: What the reader's sessions begin with: none of it is what the box needs.
_OF_THE_READER = [
    "client_encoding = 'LATIN1'", "datestyle = 'SQL, DMY'", "extra_float_digits = -15",
    "idle_in_transaction_session_timeout = 0", "intervalstyle = 'iso_8601'", "lock_timeout = 0",
    "standard_conforming_strings = off", "statement_timeout = 0", "timezone = 'Asia/Tokyo'",
]  # fmt: skip


def _server_url(user: str, database: str) -> str:
    part = connection.settings_dict
    return (
        f"postgresql://{user}:fake-word@{part['HOST'] or '127.0.0.1'}:{part['PORT'] or 5432}/{database}?sslmode=disable"
    )


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """A foreign PostgreSQL database beside the portal's, with a role that reads, one that writes, and one that may all."""
    import psycopg

    name = f"sqlbox_{os.getpid()}"
    part = settings.DATABASES["default"]
    login = {"host": part["HOST"], "port": part["PORT"] or 5432, "user": part["USER"], "password": part["PASSWORD"]}
    with psycopg.connect(**login, dbname="postgres", autocommit=True) as line:
        for role in ("sqlbox_reader", "sqlbox_writer"):
            with suppress(psycopg.errors.DuplicateObject):
                line.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'fake-word'")
        for setting in _OF_THE_READER:
            line.execute(f"ALTER ROLE sqlbox_reader SET {setting}")
        with suppress(psycopg.errors.DuplicateObject):
            line.execute("CREATE ROLE sqlbox_mighty LOGIN SUPERUSER PASSWORD 'fake-word'")
        line.execute(f'CREATE DATABASE "{name}"')
    with psycopg.connect(**login, dbname=name, autocommit=True) as line:
        line.execute(_SHOP)
    yield name
    with psycopg.connect(**login, dbname="postgres", autocommit=True) as line:
        line.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        for role in ("sqlbox_reader", "sqlbox_writer", "sqlbox_mighty"):
            line.execute(f"DROP ROLE {role}")


@on_postgresql
def test_a_page_of_postgresql_has_exact_values(foreign: str) -> None:
    url = _server_url("sqlbox_reader", foreign)
    page = read_page(url, "SELECT * FROM deals", cursor="at", key="id", addresses=loopback, zone=BERLIN, limit=2)
    first, second = page.rows
    assert first == (
        1,
        "A",
        Decimal("12345678901234.5678"),
        Decimal("0.1"),
        datetime(2026, 7, 1, 8, tzinfo=UTC),
        datetime(2026, 7, 1, 10, tzinfo=UTC),
        date(2026, 7, 1),
        True,
        '{"a": 0.10000000000000000000001}',
        "00ff",
        "00000000-0000-0000-0000-000000000001",
    )
    assert second[2:6] == ("NaN", "Infinity", first[4], datetime(2026, 7, 2, 8, tzinfo=UTC))
    assert page.next is not None
    rest = read_page(
        url,
        "SELECT * FROM deals WHERE code LIKE '%'",
        cursor="at",
        key="id",
        addresses=loopback,
        after=Place.from_plain(page.next.as_plain()),
    )
    assert [(row[0], row[5], row[6]) for row in rest.rows] == [(3, "infinity", "infinity")]
    assert rest.next is None


@on_postgresql
def test_the_session_of_postgresql_is_set_up(foreign: str) -> None:
    names = [
        "transaction_read_only", "lock_timeout", "idle_in_transaction_session_timeout", "standard_conforming_strings",
        "timezone", "datestyle", "intervalstyle", "extra_float_digits", "client_encoding",
    ]  # fmt: skip
    # The host's name leads nowhere: what was checked is what is connected to.
    url = _server_url("sqlbox_reader", foreign).replace("@127.0.0.1:", "@db.example.com:")
    with opened(url, addresses=loopback, time_limit_s=60) as box:
        found = box.rows(
            PageQuery("SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in names), {}), 1
        )
        values = list(found.rows[0])
        assert 85_000 < _milliseconds(values.pop(2)) <= 90_001  # what was left when it was set, and half a minute
        assert values == ["on", "5s", "on", "UTC", "ISO, YMD", "postgres", "1", "UTF8"]


def _milliseconds(shown: str) -> int:
    """A span as PostgreSQL shows it, in the largest unit that divides it."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|min)", shown).groups()  # type: ignore[union-attr]  # fails the test
    return int(number) * {"ms": 1, "s": 1_000, "min": 60_000}[unit]


@on_postgresql
def test_each_step_on_postgresql_gets_what_is_left_of_the_time(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own questions as well; what a statement sets for itself lasts for one step."""
    ask, limits = sqlbox.Box._ask, list[int]()
    shown = PageQuery("SELECT current_setting('statement_timeout') AS shown", {})

    def asked(self: Any, text: str, values: Any = None) -> list[Any]:
        limits.append(_milliseconds(ask(self, "SHOW statement_timeout")[0][0]))
        return ask(self, text, values)

    monkeypatch.setattr(sqlbox.Box, "_ask", asked)
    with opened(_server_url("sqlbox_reader", foreign), addresses=loopback, time_limit_s=60) as box:
        assert len(limits) == 2
        assert all(55_000 < limit <= 60_001 for limit in limits)
        box.rows(PageQuery("SELECT set_config('statement_timeout', '0', true)", {}), 1)
        box._deadline = time.monotonic() + 20
        [(text,)] = box.rows(shown, 1).rows
        assert 15_000 < _milliseconds(text) <= 20_001


@on_postgresql
def test_rows_that_are_not_wanted_do_not_come_from_postgresql(foreign: str) -> None:
    many = "SELECT generate_series(1, 20000000) AS id"
    with opened(_server_url("sqlbox_reader", foreign), addresses=loopback, time_limit_s=2) as box:
        assert box.rows(PageQuery(many, {}), 2).rows == [(1,), (2,)]


@on_postgresql
def test_a_postgresql_that_vanishes_is_noticed(foreign: str) -> None:
    with opened(_server_url("sqlbox_reader", foreign), addresses=loopback) as box:
        raw: Any = box._connection.connection.driver_connection
        with socket.socket(fileno=os.dup(raw.fileno())) as line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert [
                line.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            ] == [10, 5, 3]


@on_postgresql
def test_a_transaction_that_follows_reads_only_too(foreign: str) -> None:
    with opened(_server_url("sqlbox_writer", foreign), addresses=loopback) as box:
        box._connection.commit()
        with pytest.raises(SqlBoxError) as caught:
            box.rows(PageQuery("SELECT writes()", {}), 1)
    assert caught.value.problem.code == "sql-forbidden"


@on_postgresql
def test_postgresql_tells_the_types_of_columns(foreign: str) -> None:
    columns = describe(_server_url("sqlbox_reader", foreign), "SELECT * FROM deals", addresses=loopback)
    assert [column.kind for column in columns] == (
        ["number", "text", "number", "number", "moment", "moment", "day", "boolean", "text", "text", "text"]
    )


HOSTILE_POSTGRESQL = [
    "INSERT INTO deals (id) VALUES (9)",
    "UPDATE deals SET code = 'x'",
    "DELETE FROM deals",
    "DROP TABLE deals",
    "TRUNCATE deals",
    "CREATE TABLE x (a int)",
    "CREATE TEMP TABLE x (a int)",
    "WITH gone AS (DELETE FROM deals RETURNING *) SELECT * FROM gone",
    "SELECT * INTO x FROM deals",
    "SELECT * FROM deals FOR UPDATE",
    "SET transaction_read_only = off",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "COPY (SELECT 1) TO PROGRAM 'touch /tmp/salesops-was-here'",
    "COPY deals FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/salesops-was-here')",
    "SELECT dblink('dbname=postgres', 'SELECT 1')",
    "SELECT nextval('numbers')",
    "SELECT writes()",
    "SELECT query_to_xml('DELETE FROM deals', true, true, '')",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_authid",
    "SELECT * FROM secrets",
    "SELECT pg_reload_conf()",
    "EXPLAIN ANALYZE DELETE FROM deals",
    "CALL work()",
    "DO $$ BEGIN DELETE FROM deals; END $$",
    "COMMIT",
    "SELECT 1; COMMIT; DELETE FROM deals",
    "LISTEN x",
    "PREPARE TRANSACTION 'x'",
]


@on_postgresql
@pytest.mark.parametrize("user", ["sqlbox_reader", "sqlbox_writer"])
@pytest.mark.parametrize("text", HOSTILE_POSTGRESQL)
def test_the_postgresql_box_holds_without_the_parser(text: str, user: str, foreign: str) -> None:
    assert _problem(_server_url(user, foreign), text) in {"sql-forbidden", "sql-failed", "sql-no-rights"}
    page = read_page(_server_url(user, foreign), "SELECT id, at FROM deals", cursor="id", key="id", addresses=loopback)
    assert [row[0] for row in page.rows] == [1, 2, 3]


@pytest.mark.parametrize("text", [text for text in HOSTILE_POSTGRESQL if "secrets" not in text])
def test_the_parser_holds_without_the_postgresql_box(text: str) -> None:
    assert check_statement(text, "postgresql").value is None


@on_postgresql
def test_what_is_written_all_the_same_is_undone(foreign: str) -> None:
    # Before PostgreSQL 16 a large object can be made in a transaction that only reads.
    import psycopg

    with suppress(SqlBoxError), opened(_server_url("sqlbox_reader", foreign), addresses=loopback) as box:
        box.rows(PageQuery("SELECT lo_from_bytea(0, 'x')", {}), 1)
    with psycopg.connect(_server_url("sqlbox_mighty", foreign)) as line:
        assert line.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


@on_postgresql
def test_a_role_that_reaches_out_of_its_database_is_not_used(foreign: str) -> None:
    import psycopg

    assert _problem(_server_url("sqlbox_mighty", foreign), "SELECT 1") == "sql-role"
    admin = psycopg.connect(_server_url("sqlbox_mighty", foreign), autocommit=True)
    with admin:
        for role in ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"):
            admin.execute(f"GRANT {role} TO sqlbox_reader")
            try:
                assert _problem(_server_url("sqlbox_reader", foreign), "SELECT 1") == "sql-role"
            finally:
                admin.execute(f"REVOKE {role} FROM sqlbox_reader")
        for name in (
            "dblink", "dblink_connect", "dblink_connect_u", "dblink_exec", "dblink_open", "dblink_send_query", "lo_export",
            "lo_import", "pg_execute_server_program", "pg_file_write", "pg_ls_dir", "pg_read_binary_file", "pg_read_file",
            "pg_reload_conf", "pg_rotate_logfile", "pg_stat_file", "pg_switch_wal",
        ):  # fmt: skip
            admin.execute(f"CREATE FUNCTION public.{name}(point) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
            try:
                with pytest.raises(SqlBoxError, match=rf"more than read tables: {name}\."):
                    describe(_server_url("sqlbox_reader", foreign), "SELECT 1 AS id", addresses=loopback)
            finally:
                admin.execute(f"DROP FUNCTION public.{name}(point)")
        try:
            admin.execute("CREATE EXTENSION dblink")
        except psycopg.Error:
            return
        try:
            assert _problem(_server_url("sqlbox_reader", foreign), "SELECT 1") == "sql-role"
        finally:
            admin.execute("DROP EXTENSION dblink")


@on_postgresql
@pytest.mark.django_db
def test_the_portals_own_database_is_refused_by_every_name(foreign: str) -> None:
    own = connection.settings_dict["NAME"]
    assert settings.DATABASES["default"]["NAME"] == own
    with pytest.raises(SqlBoxError) as caught, opened(_server_url("sqlbox_reader", own), addresses=loopback):
        pass
    assert caught.value.problem.code == "sql-own"
    other = _server_url("sqlbox_reader", own).replace("127.0.0.1", "db.example.com")
    with pytest.raises(SqlBoxError) as caught, opened(other, addresses=loopback):
        pass
    assert caught.value.problem.code == "sql-own"


@on_postgresql
@pytest.mark.django_db
def test_a_portal_behind_another_door_is_known_by_its_tables(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "_is_own_server", lambda target: False)
    url = _server_url("sqlbox_reader", connection.settings_dict["NAME"])
    assert _problem(url, "SELECT 1") == "sql-own"


@on_postgresql
@pytest.mark.parametrize(
    "made",
    [
        "TABLE {} (id integer)",
        "TABLE {} (id integer) PARTITION BY RANGE (id)",
        "VIEW {} AS SELECT 1 AS id",
    ],
)
def test_a_copy_of_a_portal_on_postgresql_is_known(foreign: str, made: str) -> None:
    import psycopg

    kind = made.partition(" ")[0]
    with psycopg.connect(_server_url("sqlbox_mighty", foreign), autocommit=True) as admin:
        try:
            for name in sqlbox._OF_A_PORTAL:
                assert _reads(_server_url("sqlbox_reader", foreign))
                admin.execute("CREATE " + made.format(name))
            assert _problem(_server_url("sqlbox_reader", foreign), "SELECT 1") == "sql-own"
        finally:
            for name in sqlbox._OF_A_PORTAL:
                admin.execute(f"DROP {kind} IF EXISTS {name}")


def _reads(url: str) -> bool:
    """Whether the box opens."""
    with opened(url, addresses=loopback) as box:
        return box.rows(PageQuery("SELECT 1 AS id", {}), 1).rows == [(1,)]


@on_postgresql
def test_postgresql_cuts_a_billion_rows_at_the_time_limit(foreign: str) -> None:
    url = _server_url("sqlbox_reader", foreign)
    text = "SELECT count(*) AS id FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000) b"
    with pytest.raises(SqlBoxError) as caught:
        read_page(url, text, cursor="id", key="id", addresses=loopback, time_limit_s=0.5)
    assert caught.value.problem.code == "sql-time-limit"
    assert _problem(url, "SELECT pg_sleep(60)", time_limit_s=0.5) == "sql-time-limit"
    # The limit of the session lifted by the statement itself: the time is still one for all steps.
    lifted = "SELECT set_config('statement_timeout', '0', false), pg_sleep(0.01) FROM generate_series(1, 100000)"
    with (
        pytest.raises(SqlBoxError) as caught,
        opened(url, addresses=loopback, time_limit_s=1) as box,
    ):
        box.rows(PageQuery(lifted, {}), 100_000)
    assert caught.value.problem.code == "sql-time-limit"


@on_postgresql
def test_two_columns_of_one_name_are_said(foreign: str) -> None:
    with pytest.raises(SqlBoxError, match="Two columns are called id"):
        describe(_server_url("sqlbox_reader", foreign), "SELECT id, at AS id FROM deals", addresses=loopback)


@on_postgresql
def test_postgresql_errors_are_told_without_the_password(foreign: str) -> None:
    url = _server_url("sqlbox_reader", "missing_database")
    with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
        pass
    assert caught.value.problem.code in {"sql-no-entry", "sql-unreachable"}
    assert "fake-word" not in str(caught.value.problem.as_plain())
    with pytest.raises(SqlBoxError) as caught:
        read_page(
            _server_url("sqlbox_reader", foreign), "SELECT nope FROM deals", cursor="id", key="id", addresses=loopback
        )
    assert "nope" in caught.value.problem.text()


@on_postgresql
@pytest.mark.parametrize("key", ["id", "unique_id", "code"])
def test_ties_of_every_type_are_read_once_each(foreign: str, key: str) -> None:
    url = _server_url("sqlbox_reader", foreign)
    text = (
        "SELECT n AS id, lpad(n::text, 36, '00000000-0000-0000-0000-000000000000')::uuid AS unique_id,"
        " lpad(n::text, 3, '0') AS code, timestamp '2026-01-01' + (n / 10) * interval '1 day' AS at"
        " FROM generate_series(1, 45) n"
    )
    seen: list[Any] = []
    after = None
    while True:
        page = read_page(url, text, cursor="at", key=key, addresses=loopback, after=after, limit=4)
        seen += [row[0] for row in page.rows]
        if page.next is None:
            break
        after = Place.from_plain(page.next.as_plain())
    assert seen == list(range(1, 46))


class Greeter:
    """Listens where a PostgreSQL would, answers each of what it hears with the next of its words, and notes all it hears.

    certificate: its folder; after the first word it goes on in TLS. holds: after its words it says nothing and holds the
    line.
    """

    def __init__(self, *words: bytes, certificate: Path | None = None, holds: bool = False) -> None:
        self.words, self.certificate, self.holds = words, certificate, holds
        self.heard: list[bytes] = []
        self.over = threading.Event()

    def __enter__(self) -> Self:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.over.set()
        self.thread.join(10)
        self.server.close()

    @property
    def port(self) -> int:
        return int(self.server.getsockname()[1])

    def _serve(self) -> None:
        line, _from = self.server.accept()
        line.settimeout(8)
        try:
            for number, word in enumerate(self.words):
                self.heard.append(line.recv(1000))
                line.sendall(word)
                if number == 0 and self.certificate is not None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(self.certificate / "cert.pem", self.certificate / "key.pem")
                    line = context.wrap_socket(line, server_side=True)
            self.heard.append(line.recv(1000))
            if self.holds:
                self.over.wait(8)
        except OSError:
            self.heard.append(b"")
        finally:
            line.close()


#: How a client asks PostgreSQL for TLS; how a server asks it for the password as it is, and how it lets it in.
_TLS_PLEASE = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_PASSWORD_PLEASE = b"R\x00\x00\x00\x08\x00\x00\x00\x03"
_COME_IN = b"R\x00\x00\x00\x08\x00\x00\x00\x00" + b"Z\x00\x00\x00\x05I"


def test_a_postgresql_without_tls_hears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "_LOOPBACK", ())  # as if it were far away
    with Greeter(b"N") as greeter:
        url = f"postgresql://reader:fake-word@db.internal:{greeter.port}/crm"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
            pass
        greeter.thread.join(10)
    assert caught.value.problem.code == "sql-unreachable"
    assert greeter.heard == [_TLS_PLEASE, b""]


@pytest.mark.parametrize(
    ("host", "query", "is_trusted", "comes_in"),
    [
        ("db.internal", "", True, True),
        ("db.internal", "", False, False),
        ("other.internal", "", True, False),
        ("db.internal", "?sslmode=verify-full", True, True),
        ("db.internal", "?sslmode=verify-full", False, False),
        ("other.internal", "?sslmode=verify-full", True, False),
        ("other.internal", "?sslmode=require", False, True),
    ],
)
def test_whose_certificate_a_line_to_a_postgresql_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, query: str, is_trusted: bool, comes_in: bool
) -> None:
    """Nothing is said to a server that could be another one; and it is said what to do."""
    monkeypatch.setattr(sqlbox, "_LOOPBACK", ())  # as if it were far away
    write_certificate(tmp_path, "db.internal")
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with Greeter(b"S", certificate=tmp_path) as greeter:
        url = f"postgresql://reader:fake-word@{host}:{greeter.port}/crm{query}"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
            pass
        greeter.thread.join(10)
    assert caught.value.problem.code == "sql-unreachable"
    assert greeter.heard[0] == _TLS_PLEASE
    assert (b"reader" in b"".join(greeter.heard)) is comes_in
    assert ("certificate" in caught.value.problem.message) is not comes_in
    assert ("SSL_CERT_FILE" in str(caught.value.problem.remedy)) is not comes_in


@pytest.mark.parametrize("place", ["file", "environment"])
def test_no_password_of_the_machine_goes_to_a_server_that_somebody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """libpq knows passwords of its own, from a file or the environment: the portal's, not the source's."""
    if place == "file":
        (tmp_path / "pgpass").write_text("*:*:*:*:not-a-real-secret\n")
        (tmp_path / "pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    else:
        monkeypatch.setenv("PGPASSWORD", "not-a-real-secret")
    with Greeter(_PASSWORD_PLEASE) as greeter:
        url = f"postgresql://reader@127.0.0.1:{greeter.port}/crm"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
            pass
        greeter.thread.join(10)
    assert caught.value.problem.code == "sql-unreachable"
    assert b"reader" in greeter.heard[0]
    assert greeter.heard[1:] == [b""]


def test_no_ticket_of_the_machine_goes_to_a_server_that_somebody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which libpq takes from Kerberos by itself, where it was built with it."""
    import psycopg

    given: list[dict[str, Any]] = []

    def connect(**options: Any) -> None:
        given.append(options)
        raise psycopg.OperationalError("nobody")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(SqlBoxError), opened("postgresql://reader@127.0.0.1:1/crm", addresses=loopback):
        pass
    assert [options["gssencmode"] for options in given] == ["disable"]


def test_a_postgresql_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "_CONNECT_SECONDS", 2)
    began = time.monotonic()
    with Greeter(holds=True) as greeter:
        url = f"postgresql://reader:fake-word@127.0.0.1:{greeter.port}/crm"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
            pass
        took = time.monotonic() - began
    assert caught.value.problem.code == "sql-unreachable"
    assert took < 6


def test_a_postgresql_that_stops_in_the_middle_is_left_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlbox, "_GRACE", 0.1)
    began = time.monotonic()
    with Greeter(_COME_IN, holds=True) as greeter:
        url = f"postgresql://reader:fake-word@127.0.0.1:{greeter.port}/crm?sslmode=disable"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback, time_limit_s=0.1):
            pass
        took = time.monotonic() - began
    assert caught.value.problem.code == "sql-time-limit"
    assert len(greeter.heard) == 2  # who it is, and a question
    assert took < 5


# --- MariaDB, of the kin of MySQL --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    """A foreign MariaDB with a user that reads, one that writes, and one that may read files."""
    try:
        server = MariaDb()
    except MissingServerError as error:
        pytest.skip(str(error))
    with server:
        server.run("CREATE DATABASE shop")
        server.run(
            "SET sql_mode = ''",
            "CREATE TABLE deals (id INTEGER PRIMARY KEY, code CHAR(5), amount DECIMAL(20, 4), weight DOUBLE, at DATETIME(6),"
            " stamp TIMESTAMP NULL, day DATE, is_won BIT(1), raw VARBINARY(9), lasts TIME)",
            "SET time_zone = '+00:00'",
            "INSERT INTO deals VALUES (1, 'A', 12345678901234.5678, 0.1, '2026-07-01 10:00:00.5', '2026-07-01 10:00:00',"
            " '2026-07-01', b'1', x'00ff', '01:02:03'), (2, '50%', 3, NULL, '2026-07-01 10:00:00.5', NULL, '0000-00-00',"
            " b'0', NULL, NULL), (3, 'C', 3, NULL, '0000-00-00 00:00:00', NULL, NULL, NULL, NULL, NULL)",
            "CREATE TABLE secrets (id INTEGER)",
            "CREATE USER reader IDENTIFIED BY 'fake-word'",
            "GRANT SELECT ON shop.deals TO reader",
            "CREATE USER writer IDENTIFIED BY 'fake-word'",
            "GRANT ALL ON shop.* TO writer",
            "CREATE USER mighty IDENTIFIED BY 'fake-word'",
            "GRANT SELECT, FILE ON *.* TO mighty",
            database="shop",
        )
        yield server


def _mariadb_url(server: MariaDb, user: str) -> str:
    return f"mariadb://{user}:fake-word@127.0.0.1:{server.port}/shop"


def test_a_page_of_mariadb_has_exact_values(mariadb: MariaDb) -> None:
    url = _mariadb_url(mariadb, "reader")
    text = "SELECT * FROM deals WHERE id < 3 AND code LIKE '%'"
    page = read_page(url, text, cursor="at", key="id", addresses=loopback, zone=BERLIN, limit=1)
    assert page.rows == (
        (
            1,
            "A",
            Decimal("12345678901234.5678"),
            Decimal("0.1"),
            datetime(2026, 7, 1, 8, 0, 0, 500_000, tzinfo=UTC),
            datetime(2026, 7, 1, 10, tzinfo=UTC),
            date(2026, 7, 1),
            True,
            "00ff",
            "1:02:03",
        ),
    )
    assert page.next is not None
    after = Place.from_plain(page.next.as_plain())
    rest = read_page(url, text, cursor="at", key="id", addresses=loopback, zone=BERLIN, after=after)
    assert [(row[0], row[1], row[6], row[7]) for row in rest.rows] == [(2, "50%", None, False)]
    zero = read_page(url, "SELECT id, at FROM deals", cursor="id", key="id", addresses=loopback, since=3)
    assert zero.rows == ((3, None),)
    assert [column.kind for column in describe(url, "SELECT * FROM deals", addresses=loopback)] == (
        ["number", "text", "number", "number", "moment", "moment", "day", "boolean", "text", "text"]
    )


def test_the_session_of_mariadb_is_set_up(mariadb: MariaDb) -> None:
    url = _mariadb_url(mariadb, "reader").replace("127.0.0.1", "db.example.com")
    text = (
        "SELECT @@tx_read_only, @@lock_wait_timeout, @@innodb_lock_wait_timeout, @@time_zone, @@sql_mode, @@autocommit"
    )
    with opened(url, addresses=loopback) as box:
        assert box.rows(PageQuery(text, {}), 1).rows == [
            (1, 5, 5, "+00:00", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", 0)
        ]
        [(limit,)] = box.rows(PageQuery("SELECT @@max_statement_time", {}), 1).rows
        assert 55 < limit <= 60  # seconds: what is left of those given


def test_the_transaction_of_our_own_questions_is_over_before_theirs(
    mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL keeps its information_schema in tables: to ask it begins a transaction, which would still be one that writes."""
    done: list[str] = []
    ask, undo = sqlbox.Box._ask, sqlalchemy.Connection.rollback

    def asked(self: Any, text: str, values: Any = None) -> list[Any]:
        done.append("ask")
        return ask(self, text, values)

    def undone(self: Any) -> None:
        done.append("undo")
        undo(self)

    monkeypatch.setattr(sqlbox.Box, "_ask", asked)
    monkeypatch.setattr(sqlalchemy.Connection, "rollback", undone)
    with opened(_mariadb_url(mariadb, "reader"), addresses=loopback):
        assert done == ["undo", "ask", "ask", "ask", "undo"]


def test_a_copy_of_a_portal_on_mariadb_is_known(mariadb: MariaDb) -> None:
    mariadb.run("CREATE DATABASE copy", *(f"CREATE TABLE copy.{name} (id int)" for name in sqlbox._OF_A_PORTAL))
    mariadb.run("GRANT SELECT ON copy.* TO writer")
    try:
        assert _problem(_mariadb_url(mariadb, "writer"), "SELECT 1") == "sql-own"
    finally:
        mariadb.run("DROP DATABASE copy")


HOSTILE_MARIADB = [
    "INSERT INTO deals (id) VALUES (9)",
    "UPDATE deals SET code = 'x'",
    "DELETE FROM deals",
    "DROP TABLE deals",
    "TRUNCATE deals",
    "CREATE TABLE x (a int)",
    "SELECT * FROM deals INTO OUTFILE '/tmp/salesops-was-here'",
    "SELECT * FROM mysql.user",
    "SELECT 1; DELETE FROM deals",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE deals",
    "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE deals",
    "CALL work()",
    "KILL 1",
    "SET GLOBAL read_only = 1",
]


@pytest.mark.parametrize("user", ["reader", "writer"])
@pytest.mark.parametrize("text", HOSTILE_MARIADB)
def test_the_mariadb_box_holds_without_the_parser(text: str, user: str, mariadb: MariaDb) -> None:
    before = mariadb.run("SELECT * FROM deals", database="shop")
    _problem(_mariadb_url(mariadb, user), text)
    assert mariadb.run("SELECT * FROM deals", database="shop") == before
    assert mariadb.run("SHOW TABLES", database="shop") == [("deals",), ("secrets",)]


@pytest.mark.parametrize("text", HOSTILE_MARIADB)
def test_the_parser_holds_without_the_mariadb_box(text: str) -> None:
    assert check_statement(text, "mysql").value is None


def test_a_user_that_may_read_files_is_not_used(mariadb: MariaDb) -> None:
    assert _problem(_mariadb_url(mariadb, "mighty"), "SELECT 1") == "sql-role"
    assert _problem(_mariadb_url(mariadb, "reader"), "SELECT * FROM secrets") == "sql-no-rights"
    with (
        pytest.raises(SqlBoxError) as caught,
        opened(_mariadb_url(mariadb, "reader").replace("fake-word", "wrong-word"), addresses=loopback),
    ):
        pass
    assert caught.value.problem.code == "sql-no-entry"
    assert "wrong-word" not in str(caught.value.problem.as_plain())


def test_mariadb_cuts_a_billion_rows_at_the_time_limit(mariadb: MariaDb) -> None:
    text = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        " SELECT count(*) AS id FROM n AS a CROSS JOIN n AS b CROSS JOIN n AS c"
    )
    with pytest.raises(SqlBoxError) as caught:
        read_page(_mariadb_url(mariadb, "reader"), text, cursor="id", key="id", addresses=loopback, time_limit_s=0.5)
    assert caught.value.problem.code == "sql-time-limit"


def test_the_rest_of_a_result_is_not_read_when_the_box_is_left(
    mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyMySQL reads on to the last row whenever Python forgets a result; a box that has what it wanted must not wait."""
    from pymysql.connections import MySQLResult

    read_on: list[bool] = []
    finish = MySQLResult._finish_unbuffered_query

    def noted(result: MySQLResult) -> None:
        read_on.append(result.unbuffered_active)
        finish(result)

    monkeypatch.setattr(MySQLResult, "_finish_unbuffered_query", noted)
    many = "SELECT a.id FROM deals a CROSS JOIN deals b CROSS JOIN deals c CROSS JOIN deals d CROSS JOIN deals e"
    with opened(_mariadb_url(mariadb, "reader"), addresses=loopback) as box:
        assert len(box.rows(PageQuery(many, {}), 2).rows) == 2
        raw: Any = box._connection.connection.driver_connection
        assert raw._result.unbuffered_active  # nor was it read before the first row was taken
        assert read_on == []
    del box, raw
    gc.collect()
    assert not any(read_on)


@pytest.mark.parametrize(
    ("host", "query", "is_trusted", "comes_in"),
    [
        ("db.internal", "", True, True),
        ("db.internal", "", False, False),  # a certificate of nobody known
        ("other.internal", "", True, False),  # and one of another host
        ("db.internal", "?sslmode=verify-full", False, False),
        ("other.internal", "?sslmode=verify-full", True, False),
        ("other.internal", "?sslmode=require", False, True),
    ],
)
def test_whose_certificate_a_line_to_another_machine_takes(
    mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch, host: str, query: str, is_trusted: bool, comes_in: bool
) -> None:
    """Who stands in between could answer with what they like, and hear the password."""
    monkeypatch.setattr(sqlbox, "_LOOPBACK", ())  # as if it were far away
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(mariadb.folder / "cert.pem"))
    url = _mariadb_url(mariadb, "reader").replace("127.0.0.1", host) + query
    if comes_in:
        with opened(url, addresses=loopback) as box:
            assert box.rows(PageQuery("SHOW STATUS LIKE 'Ssl_version'", {}), 1).rows == [("Ssl_version", "TLSv1.3")]
        return
    with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
        pass
    assert caught.value.problem.code == "sql-unreachable"
    assert "certificate verify failed" in str(caught.value.problem.as_plain())


def test_on_this_machine_nobody_listens_in(mariadb: MariaDb) -> None:
    with opened(_mariadb_url(mariadb, "reader"), addresses=loopback) as box:
        assert box.rows(PageQuery("SHOW STATUS LIKE 'Ssl_version'", {}), 1).rows == [("Ssl_version", "")]


def test_a_server_that_wants_a_file_of_ours_gets_none(tmp_path: Path) -> None:
    """The server, not the statement, says which file LOAD DATA LOCAL sends."""
    file = tmp_path / "ours.txt"
    file.write_text("not-a-real-secret")
    heard: list[bytes] = []

    def packet(number: int, body: bytes) -> bytes:
        return len(body).to_bytes(3, "little") + bytes([number]) + body

    hello = b"\x0a8.0.0\x00" + bytes(4) + b"saltsalt\x00" + b"\xff\xf7" + b"\x2d\x02\x00" + b"\x0f\x00" + b"\x15"
    hello += bytes(10) + b"saltsaltsalt\x00" + b"mysql_native_password\x00"
    fine = b"\x00\x00\x00\x02\x00\x00\x00"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _from = server.accept()
            with line, suppress(ConnectionError):
                line.sendall(packet(0, hello))
                line.recv(1000)
                line.sendall(packet(2, fine))
                while question := line.recv(1000):
                    heard.append(question)
                    line.sendall(packet(1, fine if question[5:8] == b"SET" else b"\xfb" + str(file).encode()))

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"mysql://reader:fake-word@127.0.0.1:{server.getsockname()[1]}/shop"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
            pass
        thread.join(10)
    assert caught.value.problem.code == "sql-unreachable"
    assert heard
    assert b"not-a-real-secret" not in b"".join(heard)


def test_a_server_without_tls_hears_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A greeting that offers no TLS is not answered with the user's word: somebody in between could take the offer out."""
    monkeypatch.setattr(sqlbox, "_LOOPBACK", ())
    heard: list[bytes] = []
    # Protocol 10, no capabilities beyond the handshake's own: 0x0800 (TLS) is not among them.
    hello = b"\x0a8.0.0\x00" + bytes(4) + b"saltsalt\x00" + b"\x00\x82" + b"\x2d\x02\x00" + b"\x08\x00" + b"\x15"
    hello += bytes(10) + b"saltsaltsalt\x00" + b"mysql_native_password\x00"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            line, _from = server.accept()
            with line:
                line.sendall(len(hello).to_bytes(3, "little") + b"\x00" + hello)
                heard.append(line.recv(1000))

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"mysql://reader:fake-word@db.internal:{server.getsockname()[1]}/shop?sslmode=require"
        with pytest.raises(SqlBoxError) as caught, opened(url, addresses=loopback):
            pass
        thread.join(10)
    assert caught.value.problem.code == "sql-unreachable"
    assert "SSL is required" in str(caught.value.problem.as_plain())
    assert heard == [b""]  # it hung up


def test_the_query_of_a_page_is_what_runs() -> None:
    # The person's text can close the parenthesis around it; the parser refuses that, and the drivers take one statement.
    assert check_statement("SELECT 1) AS s; DROP TABLE t; --", "postgresql").value is None
    assert wrapped("SELECT 1", "postgresql", cursor="a", key="b", limit=1).text.startswith(
        "SELECT * FROM (SELECT 1) AS s"
    )
