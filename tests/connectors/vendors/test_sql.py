"""SQL databases as a source: swept by cursor and key, gone rows, moments and numbers, and what is told when it goes wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import psycopg
import pymysql
import pytest
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.connectors.choices import RunState
from salesops.connectors.models import RawRecord
from salesops.connectors.services import connecting, pulling
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Ask, Fault, FaultKind, Page
from salesops.connectors.vendors.sql import VENDOR
from salesops.connectors.wire import WireError
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.mariadb import MariaDb
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.sql import TABLE, BehindALine, Database, MariadbLine, PostgresqlLine, Run, SqliteFile
from tests.servers import MissingServerError, Postgres

STATEMENT = "SELECT id, name, city, updated_at, gone FROM customers"


@dataclass
class Told:
    """What a connection was told: its settings and the address of the database."""

    settings: Mapping[str, str]
    url: str
    secrets: list[str] = field(default_factory=list)

    def secret(self, name: str) -> str:
        """The address; nothing else is asked for."""
        assert name == "database_url"
        return self.url

    def await_turn(self) -> None:
        """It is always its turn."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A foreign database of customers."""
    path = tmp_path / "crm.sqlite3"
    with sqlite3.connect(path) as line:
        line.execute(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, updated_at TEXT, gone INTEGER)"
        )
        line.executemany(
            "INSERT INTO customers VALUES (?, ?, ?, ?, ?)",
            [(number, f"Firm {number}", "Berlin", "2026-07-01 10:00:00", 0) for number in range(1, 6)],
        )
    return path


def told(path: Path, **settings: str) -> Any:
    given = {"statement": STATEMENT, "key": "id", "cursor": "updated_at", "deleted": "gone", "kind": "accounts"}
    return Told({**given, "zone": "Europe/Berlin", **settings}, f"sqlite:///{path}")


def change(path: Path, text: str, *values: object) -> None:
    with sqlite3.connect(path) as line:
        line.execute(text, values)


def sweep(http: Any, token: str = "", size: int = 2) -> tuple[list[Any], str]:
    """All rows of one sweep, and the token for the next."""
    object = VENDOR.objects_for(http.settings)[0]
    raws: list[Any] = []
    position = None
    while True:
        page: Page = VENDOR.read(object, Ask(position=position, token=token, size=size), http)
        raws += page.raws
        if page.next is None:
            return raws, page.horizon
        position = page.next


def test_it_is_among_the_vendors() -> None:
    assert vendor_of("sql") is VENDOR


def test_a_sweep_reads_every_row_once_with_its_version(path: Path) -> None:
    raws, horizon = sweep(told(path))
    assert [raw.external_id for raw in raws] == ["1", "2", "3", "4", "5"]
    assert raws[0].version == "2026-07-01T08:00:00.000000"
    assert raws[0].payload == {
        "id": 1,
        "name": "Firm 1",
        "city": "Berlin",
        "updated_at": "2026-07-01T08:00:00+00:00",
        "gone": 0,
    }
    assert horizon == '["text", "2026-07-01 10:00:00"]'


def test_the_next_sweep_reaches_back_for_what_was_committed_late(path: Path) -> None:
    _raws, horizon = sweep(told(path))
    change(path, "UPDATE customers SET updated_at = '2026-07-01 09:00:00' WHERE id < 4")
    change(path, "INSERT INTO customers VALUES (9, 'Late', 'Rome', '2026-07-01 09:46:00', 0)")
    change(path, "UPDATE customers SET gone = 1, updated_at = '2026-07-02 10:00:00' WHERE id = 5")
    raws, horizon = sweep(told(path), horizon)
    assert [(raw.external_id, raw.is_deleted) for raw in raws] == [("9", False), ("4", False), ("5", True)]
    assert horizon == '["text", "2026-07-02 10:00:00"]'


def test_a_sweep_by_numbers_reaches_back_a_thousand(path: Path) -> None:
    http = told(path, statement="SELECT id, id * 900 AS seen FROM customers", cursor="seen", deleted="")
    raws, horizon = sweep(http)
    versions = [raw.version for raw in raws]
    assert versions == sorted(versions)
    assert horizon == '["int", "4500"]'
    raws, _horizon = sweep(http, horizon)
    assert [raw.external_id for raw in raws] == ["4", "5"]


def test_a_row_that_moves_while_paging_is_read_where_it_went(path: Path) -> None:
    http = told(path)
    object = VENDOR.objects_for(http.settings)[0]
    first = VENDOR.read(object, Ask(size=2), http)
    change(path, "UPDATE customers SET updated_at = '2026-07-02 10:00:00' WHERE id IN (1, 3)")
    rest: list[str] = []
    position = first.next
    while position is not None:
        page = VENDOR.read(object, Ask(position=position, size=2), http)
        rest += [raw.external_id for raw in page.raws]
        position = page.next
    assert rest == ["4", "5", "1", "3"]


def test_without_a_cursor_all_is_read_and_what_is_missing_is_gone(path: Path) -> None:
    http = told(path, cursor="", deleted="")
    object = VENDOR.objects_for(http.settings)[0]
    assert (object.is_whole, object.sweeps_deletes) == (True, True)
    _raws, horizon = sweep(http)
    raws, _horizon = sweep(http, horizon)
    assert len(raws) == 5
    assert len({raw.version for raw in raws}) == 1


def test_columns_and_account_are_told_without_the_password(path: Path) -> None:
    http = told(path)
    object = VENDOR.objects_for(http.settings)[0]
    columns = [(column.path, column.type.value) for column in VENDOR.columns(object, http)]
    assert columns == [
        ("id", "number"),
        ("name", "text"),
        ("city", "text"),
        ("updated_at", "moment"),
        ("gone", "number"),
    ]
    identity = VENDOR.identify(http)
    assert identity.account_id == str(path).lstrip("/")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"statement": "DELETE FROM customers"}, "sql-not-select"),
        ({"statement": "SELECT id FROM customers"}, "sql-no-column"),
        ({"statement": 'SELECT id, id AS "a.b", updated_at, gone FROM customers'}, "sql-dotted-column"),
        ({"statement": "SELECT id, gone, NULL AS updated_at FROM customers"}, "sql-no-place"),
        ({"key": "ID"}, "sql-no-column"),
        ({"deleted": "removed"}, "sql-no-column"),
        ({"zone": "Nowhere/Land"}, "sql-zone"),
    ],
)
def test_a_test_of_the_connection_says_what_is_wrong(path: Path, settings: dict[str, str], code: str) -> None:
    with pytest.raises(Fault) as caught:
        VENDOR.identify(told(path, **settings))
    assert caught.value.kind is FaultKind.REFUSED
    assert caught.value.problem.code == code


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost"])
def test_internal_hosts_are_refused(path: Path, host: str) -> None:
    http = told(path)
    http.url = f"postgresql://reader:fake-word@{host}:5432/crm"
    with pytest.raises(WireError) as caught:
        VENDOR.identify(http)
    assert "fake-word" not in str(caught.value.problem.as_plain())


@pytest.mark.parametrize(("port", "kind"), [(1, FaultKind.PASSING)])
def test_a_database_that_does_not_answer_is_tried_again(path: Path, settings: Any, port: int, kind: FaultKind) -> None:
    settings.CONNECTORS_ALLOWED_ADDRESSES = [f"127.0.0.1:{port}"]
    http = told(path)
    http.url = f"postgresql://reader:fake-word@127.0.0.1:{port}/crm"
    with pytest.raises(Fault) as caught:
        VENDOR.identify(http)
    assert caught.value.kind is kind
    assert "fake-word" not in str(caught.value.problem.as_plain())


def test_accounts_of_a_database_are_kept_in_step(cast: Cast, path: Path, frozen: None) -> None:
    from salesops.pods.selectors import actor_for

    nobody = SimpleNamespace(origin="", clock=SimpleNamespace(advance=lambda seconds: None))
    link = Link(actor_for(cast.people["ada"], at=NOW), nobody)  # type: ignore[arg-type]  # nothing is asked of it
    link.connect(
        "sql",
        options={**told(path).settings, "address": ""},
        secrets={"database_url": f"sqlite:///{path}"},
    ).start()
    link.sync()
    assert set(link.states("rows").values()) == {"taken"}
    assert Account.objects.filter(name="Firm 1", city="Berlin").count() == 1
    change(path, "UPDATE customers SET city = 'Rome', updated_at = '2026-07-03 10:00:00' WHERE id = 1")
    link.sync()
    assert Account.objects.get(name="Firm 1").city == "Rome"


def kept_in_step(cast: Cast, path: Path, **settings: str) -> Link:
    """The customers of a database, loaded."""
    link = Link(cast.actor("ada"), SqliteFile())
    link.connect(
        "sql",
        options={**told(path, **settings).settings, "address": ""},
        secrets={"database_url": f"sqlite:///{path}"},
    ).start()
    link.run()
    assert Account.objects.filter(removed_at__isnull=True).count() == 5
    return link


def test_another_cursor_does_not_make_all_that_comes_older(cast: Cast, path: Path) -> None:
    """Without a cursor rows have no moment; what was told with one must not stand above them for ever."""
    link = kept_in_step(cast, path)
    options = {**link.connection.options, "cursor": "", "deleted": ""}
    connecting.change(actor=link.actor, connection=link.connection, options=options, given={}, at=link.at)
    change(path, "UPDATE customers SET city = 'Rome' WHERE id = 1")
    link.sync()
    assert Account.objects.get(name="Firm 1").city == "Rome"


def test_a_source_that_is_suddenly_empty_takes_nothing_away(cast: Cast, path: Path) -> None:
    """A table that is being filled anew; a few rows may well be all that there were."""
    link = kept_in_step(cast, path, cursor="", deleted="")
    for number in range(6, 11):
        change(path, f"INSERT INTO customers VALUES ({number}, 'Firm {number}', 'Berlin', '2026-07-01 10:00:00', 0)")
    link.sync()
    assert Account.objects.count() == 10
    change(path, "DELETE FROM customers")
    link.sync()
    assert link.stream("rows").error["code"] == "suddenly-empty"
    assert Account.objects.count() == 10
    change(path, "INSERT INTO customers VALUES (1, 'Firm 1', 'Berlin', '2026-07-01 10:00:00', 0)")
    link.sync(after=7200)
    assert (link.stream("rows").error, Account.objects.count()) == ({}, 1)


def test_a_person_says_that_all_are_really_gone(cast: Cast, path: Path, client_of: Callable[[str], Client]) -> None:
    """For the very next sweep over that object, and for no more records than there were."""
    link = kept_in_step(cast, path, cursor="", deleted="")
    rita = client_of("rita")
    gone = reverse("connectors:stream_empty", kwargs={"pk": link.stream("rows").pk})

    def fill() -> None:
        change(path, "DELETE FROM customers")
        for number in range(1, 13):
            change(
                path, f"INSERT INTO customers VALUES ({number}, 'Firm {number}', 'Berlin', '2026-07-01 10:00:00', 0)"
            )
        link.sync(after=7200)
        assert (link.stream("rows").error, Account.objects.count()) == ({}, 12)

    def empty() -> None:
        change(path, "DELETE FROM customers")
        link.sync(after=7200)
        assert (link.stream("rows").error["code"], Account.objects.count()) == ("suddenly-empty", 12)

    fill()
    assert gone not in str(rita.get(link.connection.get_absolute_url()).content.decode())
    assert rita.post(gone).status_code == 422  # there is no such problem
    empty()
    assert gone in str(rita.get(link.connection.get_absolute_url()).content.decode())
    assert "all 12 are removed here" in str(rita.get(gone).content.decode())
    assert rita.post(gone).status_code == 302
    link.sync()
    assert (link.stream("rows").error, Account.objects.count()) == ({}, 0)
    fill()
    empty()  # what was said once does not hold for ever

    assert rita.post(gone).status_code == 302
    fill()  # they were not gone
    empty()

    connecting.confirm_empty(actor=link.actor, stream=link.stream("rows"), at=link.at)
    row = RawRecord.objects.get(external_id="1")
    for number in range(3):  # more than were told of
        RawRecord.objects.create(
            stream=row.stream, external_id=f"more {number}", version="", payload="{}", received_at=row.received_at
        )
    empty()


class Deals(Conformance):
    """Deals of a foreign database, kept in step by a statement."""

    vendor = "sql"
    object = "rows"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "a database has no merges",
        "limit_403": "a database has no limit of requests",
        "waiting": "a database does not say when to come again; the connections it refuses are tried again",
        "tokens": "a database asks for user and password, not for a token",
        "search": "a SELECT sees what is committed",
        "cursors": "the box asks for what is behind the last (cursor, key); see test_a_cursor_that_runs_ahead",
    }
    options: ClassVar[dict[str, str]] = {
        "statement": "SELECT id AS external_id, name, stage, amount, updated_at, gone FROM deals",
        "key": "external_id",
        "cursor": "updated_at",
        "deleted": "gone",
        "kind": "deals",
        "zone": "UTC",
    }

    @pytest.fixture
    def link(self, other: StandIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Link:
        """A connection in draft; ten rows to a page. One row is there already, by which it is seen that there are keys."""
        assert isinstance(other, Database)
        monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
        link = Link(cast.actor("rita"), other)
        link.connect("sql", options={**self.options, "address": ""}, secrets={"database_url": other.url})
        return link.want("rows")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("rows", None, name=f"Deal {number}", stage="Proposal", amount=amount)

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("rows", id, amount=amount)

    def source(self, standin: StandIn) -> Table:
        return {row.id: (row["amount"] * 100, row["name"]) for row in standin.rows("rows")}

    def table(self, link: Link) -> Table:
        return {
            external: (amount, name)
            for external, amount, name in Deal.objects.filter(source=link.connection.source.code).values_list(
                "external_id", "amount_minor", "name"
            )
        }

    def test_a_cursor_that_runs_ahead(self, other: StandIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        """A cursor that every row has newly at every question would bring the same page for ever."""
        assert isinstance(other, Database)
        monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
        for number in range(25):
            self.make(other, number, number)
        statement = f"SELECT id AS external_id, name, stage, {self.now} AS updated_at FROM deals"
        link = Link(cast.actor("rita"), other)
        options = {**self.options, "statement": statement, "deleted": "", "address": ""}
        link.connect("sql", options=options, secrets={"database_url": other.url}).start()
        link.run()
        assert link.last_run().state == RunState.FAILED
        assert link.stream("rows").error["code"] == "endless"
        assert link.last_run().pages < 20

    #: The moment of the question, in the dialect.
    now: ClassVar[str] = "CURRENT_TIMESTAMP"


class TestSqlite(Deals):
    """A file."""

    standin = SqliteFile
    now = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    lacks: ClassVar[dict[str, str]] = {
        **Deals.lacks,
        "broken": "a file has no line that could break, see test_a_file_that_is_away",
        "slow": "a file has no line; statements that take long are in test_sqlbox",
        "paging": "see test_a_row_that_moves_while_paging_is_read_where_it_went",
    }

    def test_a_file_that_is_away(self, link: Link) -> None:
        """Moved, or no database any more: said, and read on when it is back."""
        file = link.standin.file  # type: ignore[attr-defined]
        ids = self.loaded(link)
        self.edit(link.standin, ids[2], 902)
        away = file.rename(file.with_suffix(".away"))
        link.sync()
        assert link.connection.error["code"] == "sql-no-file"
        file.write_bytes(b"<html>" * 1_000)
        link.sync(after=7200)
        assert link.connection.error["code"] == "sql-unreadable"
        away.rename(file)
        link.sync(after=7200)
        assert link.connection.error == {}
        self.alike(link)


class DealsOfAServer(Deals):
    """A server, behind a line that breaks."""

    def line(self, server: tuple[int, Run]) -> Iterator[StandIn]:
        """The line to it, allowed."""
        with self.standin() as standin, allowed(standin):
            assert isinstance(standin, BehindALine)
            standin.reach(*server)
            standin.clock.now = NOW
            yield standin


@pytest.fixture(scope="module")
def postgresql() -> Iterator[tuple[int, Run]]:
    """A PostgreSQL of its own with the table and its reader: its port, and how its owner writes."""
    try:
        server = Postgres()
    except MissingServerError as error:
        pytest.skip(str(error))
    with server, psycopg.connect(server.url, autocommit=True) as line:
        line.execute(
            f"CREATE TABLE {TABLE} (id integer PRIMARY KEY, name text, stage text, amount numeric,"
            " updated_at timestamp, gone integer)"
        )
        line.execute("CREATE ROLE reader LOGIN")
        line.execute(f"GRANT SELECT ON {TABLE} TO reader")

        def run(text: str, values: Sequence[Any]) -> None:
            line.execute(text, list(values))

        yield server.port, run


class TestPostgresql(DealsOfAServer):
    """PostgreSQL."""

    standin = PostgresqlLine

    @pytest.fixture
    def other(self, postgresql: tuple[int, Run]) -> Iterator[StandIn]:
        yield from self.line(postgresql)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[tuple[int, Run]]:
    """The same of MariaDB."""
    try:
        server = MariaDb()
    except MissingServerError as error:
        pytest.skip(str(error))
    with server:
        server.run(
            "CREATE DATABASE salesops",
            f"CREATE TABLE salesops.{TABLE} (id INTEGER PRIMARY KEY, name TEXT, stage TEXT, amount DECIMAL(20, 4),"
            " updated_at DATETIME, gone INTEGER)",
            f"CREATE USER reader IDENTIFIED BY '{StandIn.api_key}'",
            f"GRANT SELECT ON salesops.{TABLE} TO reader",
        )
        with pymysql.connect(
            host="127.0.0.1", port=server.port, user="root", database="salesops", autocommit=True
        ) as line:

            def run(text: str, values: Sequence[Any]) -> None:
                with line.cursor() as cursor:
                    cursor.execute(text, values)

            yield server.port, run


class TestMariadb(DealsOfAServer):
    """MariaDB."""

    standin = MariadbLine
    now = "CURRENT_TIMESTAMP(6)"

    @pytest.fixture
    def other(self, mariadb: tuple[int, Run]) -> Iterator[StandIn]:
        yield from self.line(mariadb)
