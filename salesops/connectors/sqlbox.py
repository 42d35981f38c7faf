"""The box in which a statement of an SQL source runs: one database, read only, for so long and so much, always undone.

Each wall holds without the others. `rules.statements` refuses what is not one reading SELECT; the box runs whatever
it is given in a read-only transaction of a role that can reach nothing outside of its database, and cuts it off.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo

import sqlalchemy
from django.conf import settings
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from salesops.connectors.rules.statements import PageQuery, check_statement, sampled, without_place, wrapped
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Where a host may be connected to: its checked addresses, or an exception that refuses it.
Addresses = Callable[[str, int], Sequence[str]]

#: The most rows and bytes of one page. A page that grows too large is cut short, not refused.
MOST_ROWS: Final = 5_000
MOST_BYTES: Final = 32 * 1024 * 1024
_FETCHED: Final = 100
_CONNECT_SECONDS: Final = 10
#: Seconds after the time limit at which the line is cut, for a server that did not end by itself.
_GRACE: Final = 2.0
_MOST_WORDS: Final = 300

#: Schemes of addresses, and the dialect of each. Only these have a box that was seen to hold.
_SCHEMES: Final[dict[str, str]] = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
    "mysql": "mysql",
    "mysql+pymysql": "mysql",
    "mariadb": "mysql",
    "mariadb+pymysql": "mysql",
    "sqlite": "sqlite",
}
_PORTS: Final = {"postgresql": 5432, "mysql": 3306}
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_TLS: Final = ("disable", "require", "verify-full")
#: What a line to another machine gets where the address says nothing: "require" alone believes whoever answers.
_TLS_AWAY: Final = "verify-full"
#: Where systems keep the authorities that they trust, for libpq: the OpenSSL that psycopg brings looks in no such place.
_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
#: What drivers say of a certificate that they do not take.
_UNTRUSTED: Final = re.compile(r"certificate.verify.failed|certificate .*does not match host name", re.IGNORECASE)
_LOOPBACK: Final = ("127.0.0.1", "::1")
#: Tables that together only a portal has.
_OF_A_PORTAL: Final = ("django_migrations", "jobs_job", "audit_auditentry")

#: What the authorizer of SQLite lets pass as a function: what only computes.
_SQLITE_NAMES: Final = """
    abs avg ceil ceiling char coalesce count cume_dist date datetime dense_rank exp first_value floor format
    glob group_concat hex ifnull iif instr json json_array json_array_length json_each json_extract
    json_group_array json_group_object json_object json_tree json_type json_valid julianday lag last_value lead
    length like ln log log10 log2 lower ltrim max min mod nth_value ntile nullif percent_rank pow power printf
    quote rank replace round row_number rtrim sign sqrt strftime substr substring sum time total trim trunc
    typeof unicode unixepoch upper -> ->>
"""
_SQLITE_FUNCTIONS: Final = frozenset(_SQLITE_NAMES.split())
_SQLITE_ALLOWED: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, 33})  # 33: a recursive WITH

#: Functions of PostgreSQL by which a SELECT reaches files, other servers, other sessions or the server itself.
_POSTGRES_REACHING: Final = (
    "dblink", "dblink_connect", "dblink_connect_u", "dblink_exec", "dblink_open", "dblink_send_query", "lo_export",
    "lo_import", "pg_execute_server_program", "pg_file_write", "pg_ls_dir", "pg_read_binary_file", "pg_read_file",
    "pg_reload_conf", "pg_rotate_logfile", "pg_stat_file", "pg_switch_wal",
)  # fmt: skip
#: Rights of MySQL by which a SELECT reads or writes files, or that no reader needs.
_MYSQL_REACHING: Final = re.compile(
    r"\b(FILE|SUPER|ALL PRIVILEGES|PROCESS|SHUTDOWN|RELOAD)\b.* ON \*\.\*", re.IGNORECASE
)

_NUMBERS_OF_POSTGRES: Final = frozenset({20, 21, 23, 700, 701, 1700})
_MYSQL_DATETIME: Final = 12
_MYSQL_TIMESTAMP: Final = 7
_MYSQL_DATES: Final = frozenset({_MYSQL_TIMESTAMP, 10, _MYSQL_DATETIME, 14})
_MYSQL_BIT: Final = 16
_NUMBERS_OF_MYSQL: Final = frozenset({0, 1, 2, 3, 4, 5, 8, 9, 13, 246})
_POSTGRES_PADDED: Final = 1042
_MOMENT_TEXT: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_DAY_TEXT: Final = re.compile(r"\d{4}-\d\d-\d\d")

#: What a cell of a page may be. A number that is none (NaN, infinity) comes as that word, which no number field takes.
Cell = str | int | bool | Decimal | datetime | date | None


class SqlBoxError(Exception):
    """The statement or its database was refused, or the database refused. Carries the words to show; never a secret."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text())
        self.problem = problem


def _error(code: str, message: str, remedy: str = "", **params: str) -> SqlBoxError:
    return SqlBoxError(Problem.of(code, message, remedy=remedy, **params))


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column of a statement; kind: "text", "number", "day", "moment" or "boolean"."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the order of a sweep: its cursor and key as the database wrote them."""

    cursor: object
    key: object

    def as_plain(self) -> dict[str, list[str]]:
        """The place as plain JSON, exact: each value with its type."""
        return {"cursor": plain_of(self.cursor), "key": plain_of(self.key)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Place:
        """Read back what `as_plain` wrote."""
        return cls(native_of(plain["cursor"]), native_of(plain["key"]))


def plain_of(value: object) -> list[str]:
    """A value of a cursor or key as its type and its exact text."""
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, Decimal):
        return ["decimal", str(value)]
    if isinstance(value, datetime):
        return ["moment", value.isoformat()]
    if isinstance(value, date):
        return ["day", value.isoformat()]
    return ["text", str(value)]


def native_of(plain: Sequence[str]) -> object:
    """Read back what `plain_of` wrote."""
    readers: dict[str, Callable[[str], object]] = {
        "int": int,
        "decimal": Decimal,
        "moment": datetime.fromisoformat,
        "day": date.fromisoformat,
        "text": str,
    }
    return readers[plain[0]](plain[1])


@dataclass(frozen=True, slots=True)
class SqlPage:
    """Rows of a statement in the order of (cursor, key).

    next: the place after which the next page begins, None when no more rows follow. last: the place of the last row.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    next: Place | None
    last: Place | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as the driver gives them, with the names and type codes of their columns. is_cut: more did not fit."""

    names: tuple[str, ...]
    codes: tuple[Any, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool = False


# --- Which database ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Target:
    """A database that may be opened. addresses: where its host leads, already checked."""

    dialect: str
    database: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = ""
    addresses: tuple[str, ...] = ()

    def scrub(self, words: str) -> str:
        """Words of a driver or database without the password, however it is written, short and on one line."""
        for secret in {self.password, quote(self.password, safe="")} - {""}:
            words = words.replace(secret, "•••")
        return " ".join(words.split())[:_MOST_WORDS]


def _target(url: str, addresses: Addresses) -> _Target:
    """Read an address and check where it leads. Raises SqlBoxError, and what `addresses` raises."""
    try:
        parts = make_url(url.strip())
        dialect = _SCHEMES[parts.drivername.lower()]
    except (ArgumentError, ValueError):
        raise _error(
            "sql-address",
            _("This is not the address of a database."),
            _("Write it like postgresql://reader:password@db.example.com:5432/crm"),
        ) from None
    except KeyError:
        raise _error(
            "sql-scheme",
            _("Databases of this kind are not read."),
            _("PostgreSQL, MySQL, MariaDB and SQLite are. Import a file from any other."),
        ) from None
    if dialect == "sqlite":
        return _file(parts)
    return _server(parts, dialect, addresses)


def _file(parts: URL) -> _Target:
    if parts.query or parts.host or not parts.database or not parts.database.startswith("/"):
        raise _error(
            "sql-address",
            _("This is not the path of an SQLite file."),
            _("Write it like sqlite:////srv/data/crm.sqlite3"),
        )
    path = Path(os.path.realpath(parts.database))
    # Whoever may connect a source is not thereby one who may read the files of the machine.
    folders = [os.path.realpath(folder) for folder in settings.CONNECTORS_SQLITE_FOLDERS]
    if not any(path.is_relative_to(folder) for folder in folders):
        raise _error(
            "sql-no-folder",
            _("SQLite files of this folder may not be read."),
            _("An administrator names folders of such files in CONNECTORS_SQLITE_FOLDERS."),
        )
    if not path.is_file():
        raise _error("sql-no-file", _("There is no such file."), _("Check the path on the portal's machine."))
    portal = settings.DATABASES["default"]
    own = Path(str(portal["NAME"])) if portal["ENGINE"].endswith("sqlite3") else None
    is_own = own is not None and own.exists() and own.samefile(path)
    if is_own or path.is_relative_to(os.path.realpath(settings.DATA_DIR)):
        raise _own_database()
    return _Target("sqlite", str(path))


def _own_database() -> SqlBoxError:
    return _error(
        "sql-own", _("This is a database of the portal itself."), _("Give the address of the system to be read.")
    )


def _server(parts: URL, dialect: str, addresses: Addresses) -> _Target:
    host, port = parts.host or "", parts.port or _PORTS[dialect]
    query = {name: value for name, value in parts.query.items() if name != "sslmode"}
    tls = parts.query.get("sslmode", "")
    if query or not _HOST.fullmatch(host) or not parts.database or not parts.username or (tls and tls not in _TLS):
        raise _error(
            "sql-address",
            _("The address needs a host, a user and a database, and may say sslmode and nothing else."),
            _("Write it like postgresql://reader:password@db.example.com:5432/crm?sslmode=verify-full"),
        )
    found = tuple(addresses(host, port))
    if not tls:
        tls = "disable" if all(address in _LOOPBACK for address in found) else _TLS_AWAY
    target = _Target(
        dialect, parts.database, host, port, parts.username, str(parts.password or ""), str(tls), addresses=found
    )
    if _is_own_server(target):
        raise _own_database()
    return target


def _is_own_server(target: _Target) -> bool:
    """Whether it is the database in which the portal itself lives, under whatever name of its host."""
    portal = settings.DATABASES["default"]
    if target.dialect != "postgresql" or not portal["ENGINE"].endswith("postgresql"):
        return False
    if portal["NAME"] != target.database or int(portal.get("PORT") or 5432) != target.port:
        return False
    host = portal.get("HOST") or ""
    if host.lower() == target.host.lower():
        return True
    if not host or host.startswith("/"):
        return any(address in _LOOPBACK for address in target.addresses)
    with suppress(OSError):
        own = {entry[4][0] for entry in socket.getaddrinfo(host, target.port, type=socket.SOCK_STREAM)}
        return bool(own & set(target.addresses))
    return False


# --- Time ----------------------------------------------------------------------------------------------------------


class _Watch:
    """Cuts the line to a server a little after the time is up.

    The server ends its own statements by then; one that sends a byte now and then, or not its own limit's error, would
    otherwise hold a worker for as long as it likes.
    """

    def __init__(self, seconds: float) -> None:
        self.has_cut = False
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds + _GRACE, self._cut)
        self._timer.daemon = True

    def over(self, fileno: int) -> None:
        """Watch over a line as well."""
        line = socket.socket(fileno=os.dup(fileno))
        with self._lock:
            self._lines.append(line)
            if self.has_cut:
                _shut(line)

    def _cut(self) -> None:
        with self._lock:
            self.has_cut = True
            for line in self._lines:
                _shut(line)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._timer.cancel()
        with self._lock:
            for line in self._lines:
                line.close()
            self._lines.clear()


def _shut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


# --- Opening -------------------------------------------------------------------------------------------------------


def _connect_postgresql(target: _Target, _seconds: float, watch: _Watch) -> Any:
    import psycopg

    # Connected to the addresses that were checked; the name remains for the certificate.
    line = psycopg.connect(
        host=",".join([target.host] * len(target.addresses)),
        hostaddr=",".join(target.addresses),
        port=target.port,
        dbname=target.database,
        user=target.user,
        # Said even where there is none: libpq would look for one in the environment and in a file, and those are ours.
        password=target.password,
        sslmode=target.tls,
        sslrootcert=_authorities() if target.tls == "verify-full" else None,
        connect_timeout=_CONNECT_SECONDS,
        application_name="salesops",
        client_encoding="UTF8",
        passfile=os.devnull,
        # A server that vanishes in the middle of a query is noticed within half a minute, not after the system's two hours.
        keepalives=1,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        gssencmode="disable",
    )
    watch.over(line.fileno())
    return line


def _authorities() -> str:
    """The file of the authorities that this machine trusts, or the one that SSL_CERT_FILE names."""
    found = ssl.get_default_verify_paths().cafile
    return found or next((each for each in _AUTHORITIES if os.path.isfile(each)), "system")


def _connect_mysql(target: _Target, _seconds: float, watch: _Watch) -> Any:
    import pymysql

    context: ssl.SSLContext | None = None
    if target.tls != "disable":
        context = ssl.create_default_context()
        if target.tls == "require":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    line = pymysql.connect(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        database=target.database,
        charset="utf8mb4",
        ssl=context,
        ssl_disabled=context is None,
        connect_timeout=_CONNECT_SECONDS,
        local_infile=False,
        defer_connect=True,
    )
    problem: OSError = OSError("no address")
    for address in target.addresses:
        try:
            way = socket.create_connection((address, target.port), timeout=_CONNECT_SECONDS)
        except OSError as error:
            problem = error
            continue
        watch.over(way.fileno())
        line.connect(way)
        return line
    raise pymysql.err.OperationalError(2003, str(problem))


def _connect_sqlite(target: _Target, seconds: float, _watch: _Watch) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(target.database)}?mode=ro", uri=True, timeout=min(seconds, _CONNECT_SECONDS))


_CONNECT: Final[dict[str, Callable[[_Target, float, _Watch], Any]]] = {
    "postgresql": _connect_postgresql,
    "mysql": _connect_mysql,
    "sqlite": _connect_sqlite,
}
_ENGINES: Final = {"postgresql": "postgresql+psycopg://", "mysql": "mysql+pymysql://", "sqlite": "sqlite://"}


#: What drivers raise. PyMySQL says by a RuntimeError that the server asked for a file of ours, which it does not get.
_FAILED: Final = (SQLAlchemyError, RuntimeError)


class Box:
    """An open database within its walls. Made by `opened`; not to be kept."""

    def __init__(self, connection: sqlalchemy.Connection, target: _Target, seconds: float, zone: ZoneInfo) -> None:
        self._connection = connection
        self._target = target
        self._zone = zone
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        #: The result that was read last. PyMySQL would read the rest of it as soon as Python forgets it.
        self._result: Any = None

    @property
    def dialect(self) -> str:
        """Which dialect its statements are in."""
        return self._target.dialect

    def close_up(self) -> None:
        """Raise the walls. Nothing of the person's may run before. Raises SqlBoxError for a role that reaches too far."""
        {"postgresql": self._wall_postgresql, "mysql": self._wall_mysql, "sqlite": self._wall_sqlite}[self.dialect]()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _too_slow(self._seconds)
        return left

    def _ask(self, text: str, values: dict[str, object] | None = None) -> list[Any]:
        """A question of our own."""
        return list(self._connection.exec_driver_sql(text, values or {}).fetchall())

    def _say(self, *texts: str) -> None:
        for text in texts:
            self._connection.exec_driver_sql(text)

    # The walls

    def _wall_postgresql(self) -> None:
        milliseconds = int(self._left() * 1000) + 1
        self._say(
            # First of all: once a query has run in it, a transaction cannot be made one that writes.
            "SET TRANSACTION READ ONLY",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            f"SET LOCAL statement_timeout = {milliseconds}",
            "SET LOCAL lock_timeout = 5000",
            f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds + 30_000}",
            "SET LOCAL standard_conforming_strings = on",
            "SET LOCAL timezone = 'UTC'",
            "SET LOCAL DateStyle = 'ISO, YMD'",
            "SET LOCAL IntervalStyle = 'postgres'",
            "SET LOCAL extra_float_digits = 1",
        )
        reaching = self._ask(
            "SELECT DISTINCT proname::text FROM pg_catalog.pg_proc WHERE proname = ANY(%(names)s)"
            " AND pg_catalog.has_function_privilege(oid, 'EXECUTE') UNION"
            " SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY(%(roles)s)"
            " AND pg_catalog.pg_has_role(oid, 'MEMBER') ORDER BY 1",
            {
                "names": list(_POSTGRES_REACHING),
                "roles": ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"],
            },
        )
        if reaching:
            raise _reaches_too_far([row[0] for row in reaching])
        if self._ask(
            "SELECT relnamespace FROM pg_catalog.pg_class WHERE relname = ANY(%(names)s) AND relkind IN ('r', 'p', 'v')"
            " GROUP BY relnamespace HAVING count(*) = %(count)s",
            {"names": list(_OF_A_PORTAL), "count": len(_OF_A_PORTAL)},
        ):
            raise _own_database()
        self._let_text_be_text()

    def _let_text_be_text(self) -> None:
        """JSON keeps its exact numbers as text, and a moment that Python has no room for (infinity) keeps its word."""
        import psycopg
        from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader
        from psycopg.types.string import TextLoader

        raw: Any = self._connection.connection.driver_connection

        def lenient(loader: type[Any]) -> type[Any]:
            class Lenient(loader):
                def load(self, data: Any) -> Any:
                    try:
                        return super().load(data)
                    except psycopg.DataError:
                        return bytes(data).decode()

            return Lenient

        for name in ("json", "jsonb"):
            raw.adapters.register_loader(name, TextLoader)
        for name, loader in (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
            raw.adapters.register_loader(name, lenient(loader))

    def _wall_mysql(self) -> None:
        self._connection.rollback()
        version = str(self._ask("SELECT VERSION()")[0][0])
        left = self._left()
        limit = (
            f"SET SESSION max_statement_time = {left:.3f}"
            if "mariadb" in version.lower()
            else f"SET SESSION MAX_EXECUTION_TIME = {int(left * 1000) + 1}"
        )
        self._say(
            limit,
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
            "SET SESSION time_zone = '+00:00'",
            "SET SESSION lock_wait_timeout = 5",
            "SET SESSION innodb_lock_wait_timeout = 5",
            "SET SESSION TRANSACTION READ ONLY",
        )
        grants = [str(row[0]) for row in self._ask("SHOW GRANTS")]
        if reaching := sorted({found[1].upper() for grant in grants for found in _MYSQL_REACHING.finditer(grant)}):
            raise _reaches_too_far(reaching)
        if self._ask(
            "SELECT table_schema FROM information_schema.tables WHERE table_name IN (%(a)s, %(b)s, %(c)s)"
            " GROUP BY table_schema HAVING COUNT(*) = 3",
            dict(zip("abc", _OF_A_PORTAL, strict=True)),
        ):
            raise _own_database()
        # What was asked so far began before the transactions were made to read only; the next one does.
        self._connection.rollback()

    def _wall_sqlite(self) -> None:
        raw: Any = self._connection.connection.driver_connection
        found = self._ask(
            "SELECT name FROM sqlite_master WHERE name IN (:a, :b, :c)", dict(zip("abc", _OF_A_PORTAL, strict=True))
        )
        if len(found) == len(_OF_A_PORTAL):
            raise _own_database()
        raw.execute("PRAGMA query_only = ON")
        raw.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        raw.set_progress_handler(lambda: int(time.monotonic() > self._deadline), 1_000)
        raw.set_authorizer(_authorize)

    # Reading

    def rows(self, query: PageQuery, most: int) -> Rows:
        """Run a query and take at most `most` of its rows, and no more than MOST_BYTES. Raises SqlBoxError."""
        try:
            return self._rows(query, most)
        except _FAILED as error:
            raise _said(error, self._target, self._seconds) from None

    def _shorten(self) -> None:
        """What is left of the time is all that the next step gets. MySQL's limit is on the statement as a whole."""
        left = self._left()
        if self.dialect == "postgresql":
            self._say(f"SET LOCAL statement_timeout = {int(left * 1000) + 1}")

    def _rows(self, query: PageQuery, most: int) -> Rows:
        self._shorten()
        self._result = result = self._connection.exec_driver_sql(
            query.text, query.values, execution_options={"stream_results": True}
        )
        if not result.returns_rows:
            raise _error("sql-no-rows", _("The statement gives no rows."), _("Write exactly one SELECT."))
        description = result.cursor.description
        names = tuple(str(column[0]) for column in description)
        if len(set(names)) != len(names):
            raise _error(
                "sql-two-columns",
                _("Two columns are called %(name)s."),
                _("Give them names of their own with AS."),
                name=next(name for name in names if names.count(name) > 1),
            )
        rows: list[tuple[Any, ...]] = []
        size = 0
        while len(rows) < most and (batch := result.fetchmany(min(_FETCHED, most - len(rows)))):
            for row in batch:
                size += sum(_size(value) for value in row)
                if size > MOST_BYTES and not rows:
                    raise _error("sql-too-large", _("A row is too large."), _("Select fewer or shorter columns."))
                if size > MOST_BYTES:
                    return Rows(names, tuple(column[1] for column in description), rows, is_cut=True)
                rows.append(tuple(row))
            self._shorten()
        return Rows(names, tuple(column[1] for column in description), rows)

    def cell(self, value: Any, code: Any) -> Cell:
        """A value as the portal takes it, from the driver's value and type code."""
        if (
            self.dialect == "mysql"
            and code in _MYSQL_DATES
            and isinstance(value, str)
            and value.startswith("0000-00-00")
        ):
            return None
        if self.dialect == "mysql" and code == _MYSQL_BIT and isinstance(value, bytes):
            return bool(value[0]) if len(value) == 1 else int.from_bytes(value, "big")
        if isinstance(value, datetime):
            # MySQL's TIMESTAMP knows its moment: the session shows it in UTC. A DATETIME is what the source's clock showed.
            zone = UTC if self.dialect == "mysql" and code == _MYSQL_TIMESTAMP else self._zone
            return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
        if self.dialect == "postgresql" and code == _POSTGRES_PADDED and isinstance(value, str):
            return value.rstrip(" ")
        if self.dialect == "sqlite" and isinstance(value, str) and _MOMENT_TEXT.fullmatch(value):
            with suppress(ValueError):
                return datetime.fromisoformat(value).replace(tzinfo=self._zone).astimezone(UTC)
        return _plain(value)


def _plain(value: Any) -> Cell:
    """A value that needs no knowledge of its column."""
    if isinstance(value, float):
        # The shortest text that gives the same float: 0.1 is 0.1 and not the sum of powers of two next to it.
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        return value if value.is_finite() else str(value)
    if value is None or isinstance(value, str | int | date):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, time_of_day):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def _size(value: Any) -> int:
    if isinstance(value, str | bytes | bytearray):
        return len(value) + 8
    return len(str(value)) + 8 if isinstance(value, list | dict | Decimal) else 16


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    """What SQLite may do: read rows, and compute with functions that only compute."""
    if action in _SQLITE_ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _SQLITE_FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _reaches_too_far(names: Sequence[str]) -> SqlBoxError:
    return _error(
        "sql-role",
        _("The database user may do more than read tables: %(names)s."),
        _("Make a user of its own that may only SELECT, as the guide to SQL sources shows."),
        names=", ".join(names[:5]),
    )


def _too_slow(seconds: float) -> SqlBoxError:
    return _error(
        "sql-time-limit",
        _("The statement took longer than %(seconds)s seconds and was cut off."),
        _("Select fewer rows, or make an index on the cursor column."),
        seconds=f"{seconds:g}",
    )


#: What databases say by code, where the portal knows better words. The rest is told in the database's own.
_TOO_SLOW: Final[frozenset[object]] = frozenset({"57014", "25P03", "25P04", 3024, 1969, 1317, 2013, "interrupted"})
_NO_RIGHTS: Final[frozenset[object]] = frozenset({"42501", 1142, 1143, 1044, 1370})
_NO_ENTRY: Final[frozenset[object]] = frozenset({"28P01", "28000", "3D000", 1045, 1049, 1698})
#: How PostgreSQL says it before it gives codes.
_LEFT_OUT: Final = re.compile(r"authentication failed|does not exist|no pg_hba\.conf entry|not permitted to log in")
_WRITES: Final[frozenset[object]] = frozenset({"25006", 1792})
#: Primary codes of SQLite for a file that cannot be read now, whoever is at fault.
_UNREADABLE: Final = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOTADB,
})  # fmt: skip


def _said(error: Exception, target: _Target, seconds: float, *, is_opening: bool = False) -> SqlBoxError:
    """An error of the driver in words that may be shown. is_opening: no statement has run yet."""
    original: BaseException = getattr(error, "orig", None) or error
    # PostgreSQL tells by SQLSTATE, MySQL by its number, which says more than the SQLSTATE beside it.
    codes = {getattr(original, "sqlstate", None), *original.args[:1]}
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    words = target.scrub(str(primary or (original.args[-1] if original.args else "")))
    if codes & _TOO_SLOW:
        return _too_slow(seconds)
    if codes & _WRITES or words.startswith(("not authorized", "attempt to write", "access to ")):
        return _error(
            "sql-forbidden",
            _("The statement does what is not allowed here: %(words)s"),
            _("Write one SELECT that only reads."),
            words=words,
        )
    if codes & _NO_RIGHTS:
        return _error(
            "sql-no-rights",
            _("The database does not let this user read it: %(words)s"),
            _("GRANT SELECT on the tables or views to the user."),
            words=words,
        )
    if codes & _NO_ENTRY or (is_opening and _LEFT_OUT.search(words)):
        return _error(
            "sql-no-entry",
            _("The database does not let this user in: %(words)s"),
            _("Check the user, the password and the name of the database."),
            words=words,
        )
    if getattr(original, "sqlite_errorcode", 0) & 0xFF in _UNREADABLE:
        return _error(
            "sql-unreadable",
            _("The file cannot be read: %(words)s"),
            _("Look whether it is whole and nobody keeps it locked. It is tried again."),
            words=words,
        )
    if is_opening and _UNTRUSTED.search(words):
        return _error(
            "sql-unreachable",
            _("The certificate of the database's server cannot be trusted: %(words)s"),
            _(
                "Name the host as its certificate does. Where the company has an authority of its own, an administrator adds"
                " it to those that the portal's machine trusts, or names its file in SSL_CERT_FILE."
            ),
            words=words,
        )
    if is_opening or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return _error(
            "sql-unreachable",
            _("The database does not answer: %(words)s"),
            _("Check the host, the port and whether it asks for TLS. It is tried again."),
            words=words,
        )
    return _error(
        "sql-failed", _("The database refuses the statement: %(words)s"), _("Mend the statement."), words=words
    )


@contextmanager
def opened(url: str, *, addresses: Addresses, time_limit_s: float = 60, zone: ZoneInfo | None = None) -> Iterator[Box]:
    """A box around the database of an address. What ran in it is undone, and the connection closed, whatever happens.

    addresses: checks a host and gives the addresses to connect to. time_limit_s: for all that is done in the box, in
    seconds. zone: in which the source writes moments without one. Raises SqlBoxError, and what `addresses` raises.
    """
    target = _target(url, addresses)
    with _Watch(time_limit_s) as watch:
        try:
            with _opened(target, watch, time_limit_s, zone or ZoneInfo("UTC")) as box:
                yield box
        except SqlBoxError:
            if watch.has_cut:
                raise _too_slow(time_limit_s) from None
            raise


@contextmanager
def _opened(target: _Target, watch: _Watch, time_limit_s: float, zone: ZoneInfo) -> Iterator[Box]:
    try:
        engine = sqlalchemy.create_engine(
            _ENGINES[target.dialect],
            creator=lambda: _CONNECT[target.dialect](target, time_limit_s, watch),
            poolclass=NullPool,
            hide_parameters=True,
        )
    except (ImportError, NoSuchModuleError):
        raise _error(
            "sql-no-driver",
            _("The driver for %(dialect)s is not installed."),
            _("Install the portal's requirements on this machine."),
            dialect=target.dialect,
        ) from None
    try:
        connection = engine.connect()
    except (*_FAILED, OSError) as error:
        raise _said(error, target, time_limit_s, is_opening=True) from None
    raw: Any = connection.connection.driver_connection
    try:
        box = Box(connection, target, time_limit_s, zone)
        try:
            box.close_up()
        except _FAILED as error:
            raise _said(error, target, time_limit_s) from None
        yield box
    finally:
        # Closed and not reused: reading what is left of a result could take longer than the statement itself. PyMySQL
        # would read it even then, when Python forgets the result.
        if (result := getattr(raw, "_result", None)) is not None:
            result.unbuffered_active = False
        with suppress(SQLAlchemyError):
            connection.invalidate()
            connection.close()
        engine.dispose()


# --- What is asked of it -------------------------------------------------------------------------------------------


def _checked(statement: str, dialect: str) -> str:
    outcome = check_statement(statement, dialect)
    if outcome.value is None:
        raise SqlBoxError(outcome.problems[0])
    return outcome.value


def dialect_of(url: str) -> str:
    """The dialect of an address, without opening it. Raises SqlBoxError."""
    try:
        return _SCHEMES[make_url(url.strip()).drivername.lower()]
    except (ArgumentError, ValueError, KeyError):
        raise _error(
            "sql-scheme",
            _("Databases of this kind are not read."),
            _("PostgreSQL, MySQL, MariaDB and SQLite are. Import a file from any other."),
        ) from None


def describe(
    url: str, statement: str, *, addresses: Addresses, time_limit_s: float = 60, zone: ZoneInfo | None = None
) -> tuple[SqlColumn, ...]:
    """The columns that a statement gives. SQLite does not know types; there some rows are looked at."""
    text = _checked(statement, dialect_of(url))
    with opened(url, addresses=addresses, time_limit_s=time_limit_s, zone=zone) as box:
        found = box.rows(sampled(text, box.dialect, limit=_FETCHED), _FETCHED)
        return tuple(
            SqlColumn(name, _kind(box, code, [row[number] for row in found.rows]))
            for number, (name, code) in enumerate(zip(found.names, found.codes, strict=True))
        )


def _kind(box: Box, code: Any, values: list[Any]) -> str:
    if box.dialect == "postgresql":
        known = {16: "boolean", 1082: "day", 1114: "moment", 1184: "moment"}
        return "number" if code in _NUMBERS_OF_POSTGRES else known.get(code, "text")
    if box.dialect == "mysql":
        known = {10: "day", 14: "day", _MYSQL_DATETIME: "moment", _MYSQL_TIMESTAMP: "moment", _MYSQL_BIT: "boolean"}
        return "number" if code in _NUMBERS_OF_MYSQL else known.get(code, "text")
    cells = [box.cell(value, code) for value in values if value is not None]
    if not cells:
        return "text"
    if all(isinstance(cell, datetime) for cell in cells):
        return "moment"
    if all(isinstance(cell, str) and _DAY_TEXT.fullmatch(cell) for cell in cells):
        return "day"
    return "number" if all(isinstance(cell, int | Decimal) for cell in cells) else "text"


def read_page(
    url: str,
    statement: str,
    *,
    cursor: str,
    key: str,
    addresses: Addresses,
    since: object = None,
    after: Place | None = None,
    limit: int = 1_000,
    time_limit_s: float = 60,
    zone: ZoneInfo | None = None,
) -> SqlPage:
    """One page of a statement's rows in the order of (cursor, key).

    cursor: a column that grows when a row changes. key: a column that names the row. since: the lowest cursor wanted, as
    the database writes it. after: the `next` of the page before. limit: rows, at most MOST_ROWS. Raises SqlBoxError; also
    when a row has no cursor or no key, because such a row would never be read.
    """
    text = _checked(statement, dialect_of(url))
    limit = min(limit, MOST_ROWS)
    with opened(url, addresses=addresses, time_limit_s=time_limit_s, zone=zone) as box:
        try:
            nowhere = without_place(text, box.dialect, cursor=cursor, key=key)
            place = (after.cursor, after.key) if after else None
            query = wrapped(text, box.dialect, cursor=cursor, key=key, since=since, after=place, limit=limit + 1)
        except ValueError:
            raise _no_such_column(cursor, key) from None
        if after is None and box.rows(nowhere, 1).rows:
            raise _error(
                "sql-no-place",
                _("There are rows without %(cursor)s or %(key)s; they would never be read."),
                _("Give them a value in the statement, such as COALESCE(updated_at, created_at)."),
                cursor=cursor,
                key=key,
            )
        found = box.rows(query, limit + 1)
        if cursor not in found.names or key not in found.names:
            raise _no_such_column(cursor, key)
        at, of = found.names.index(cursor), found.names.index(key)
        shown = found.rows[:limit]
        if any(isinstance(row[number], float | bytes) for row in shown for number in (at, of)):
            raise _error(
                "sql-inexact-place",
                _("%(cursor)s and %(key)s must be whole or decimal numbers, text, days or moments."),
                _("Choose other columns: rows could be lost between two inexact numbers."),
                cursor=cursor,
                key=key,
            )
        more = found.is_cut or len(found.rows) > limit
        last = Place(shown[-1][at], shown[-1][of]) if shown else None
        return SqlPage(
            columns=found.names,
            rows=tuple(
                tuple(box.cell(value, code) for value, code in zip(row, found.codes, strict=True)) for row in shown
            ),
            next=last if more else None,
            last=last,
        )


def _no_such_column(cursor: str, key: str) -> SqlBoxError:
    return _error(
        "sql-no-column",
        _("The statement must give the columns %(cursor)s and %(key)s."),
        _("Choose columns that the statement gives."),
        cursor=cursor,
        key=key,
    )
