"""SQL databases as a source: swept by cursor and key, gone rows, moments and numbers, and what is told when it goes wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from salesops.accounts.models import Account
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Ask, Fault, FaultKind, Page
from salesops.connectors.vendors.sql import VENDOR
from salesops.connectors.wire import WireError
from tests.cast import Cast
from tests.connectors.linking import Link

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
    from tests.cast import NOW

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
