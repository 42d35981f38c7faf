"""SQL databases: one SELECT of a person's own, read in the box by (cursor, key)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings as portal_settings
from sqlalchemy.engine import make_url

from salesops.connectors import sqlbox
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.rules.shapes import moment
from salesops.connectors.sqlbox import Cell, Place, SqlBoxError, SqlPage
from salesops.connectors.vendors.base import (
    Ask,
    Column,
    ColumnType,
    Fault,
    FaultKind,
    Http,
    Identity,
    Object,
    Page,
    Proposal,
    Raw,
    Setting,
    Vendor,
    version_of,
)
from salesops.connectors.wire import Guard
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Rows of a page.
_PAGE: Final = 1_000
#: How far a sweep reaches back before the highest cursor of the last one: a transaction that began earlier may become
#: visible later, with an earlier stamp or a lower number.
_OVERLAP: Final = timedelta(minutes=15)
_OVERLAP_OF_NUMBERS: Final = 1_000
_OFFERED: Final = ("accounts", "contacts", "leads", "products", "deals", "transactions")
_FALSE: Final = frozenset({"", "0", "f", "false", "n", "no"})
_COLUMN: Final = r"[^\x00.]{1,120}"

_KINDS_OF_FAULTS: Final[Mapping[str, FaultKind]] = {
    "sql-time-limit": FaultKind.PASSING,
    "sql-unreachable": FaultKind.PASSING,
    "sql-unreadable": FaultKind.PASSING,
    "sql-no-entry": FaultKind.UNAUTHORIZED,
    "sql-no-rights": FaultKind.FORBIDDEN,
    "sql-role": FaultKind.FORBIDDEN,
}


class Sql(Vendor):
    """A PostgreSQL, MySQL, MariaDB or SQLite database."""

    code = "sql"
    label = _("SQL database")
    family = "sql"
    settings = (
        Setting(
            "database_url",
            _("Address of the database"),
            hint=_("postgresql://reader:password@db.example.com:5432/crm, with a user that may only read."),
            is_secret=True,
        ),
        Setting(
            "kind", _("The rows are"), choices=tuple((code, KINDS[code].label) for code in _OFFERED), default="accounts"
        ),
        Setting(
            "statement",
            _("Statement"),
            hint=_("One SELECT. Columns named as the portal's fields are mapped by themselves."),
            is_long=True,
        ),
        Setting("key", _("Key column"), hint=_("The column that names a row, such as id."), pattern=_COLUMN),
        Setting(
            "cursor",
            _("Cursor column"),
            hint=_("The column that grows when a row changes, such as updated_at. Empty: all rows are read each time."),
            is_required=False,
            pattern=_COLUMN,
        ),
        Setting(
            "deleted",
            _("Column of deleted rows"),
            hint=_("True, or a moment, for a row that was deleted. Empty where there is none."),
            is_required=False,
            pattern=_COLUMN,
        ),
        Setting(
            "zone",
            _("Time zone"),
            hint=_("In which the database writes moments without a zone, such as Europe/Berlin."),
            default="UTC",
            pattern=r"[A-Za-z0-9_+\-]{1,40}(/[A-Za-z0-9_+\-]{1,40}){0,2}",
        ),
    )
    decide_versions = ("key", "cursor", "zone", "statement")
    #: Pages in a second.
    allowance = (10, 1.0)

    def objects_for(self, settings: Mapping[str, str]) -> tuple[Object, ...]:
        """The one object of a connection: the rows of its statement. Without a cursor all are read each time, and what
        no longer comes is gone."""
        kind = settings.get("kind") or "accounts"
        key = settings.get("key", "")
        fields = [field.code for field in KINDS[kind].fields if field.code != "external_id"]
        is_whole = not settings.get("cursor")
        return (
            Object(
                "rows",
                kind,
                KINDS[kind].label,
                (),
                (Proposal("external_id", key), *(Proposal(field, field) for field in fields)),
                is_whole=is_whole,
                sweeps_deletes=is_whole,
            ),
        )

    def base(self, settings: Mapping[str, str]) -> str:
        """Nothing is asked over HTTP."""
        return ""

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """Nothing is asked over HTTP."""

    def identify(self, http: Http) -> Identity:
        """Open the database, and look whether the statement gives the columns that were named."""
        names = {column.path for column in self.columns(self.objects_for(http.settings)[0], http)}
        for setting in ("key", "cursor", "deleted"):
            wanted = http.settings.get(setting, "")
            if wanted and wanted not in names:
                raise Fault(
                    FaultKind.REFUSED,
                    Problem.of(
                        "sql-no-column",
                        _("The statement gives no column %(name)s."),
                        remedy=_("Choose columns that the statement gives; capitals count."),
                        name=wanted,
                    ),
                )
        # One row, by which it is seen that every row has a key and a cursor.
        self._page(http, limit=1)
        parts = make_url(http.secret("database_url").strip())
        where = parts.render_as_string(hide_password=True).partition("://")[2].partition("?")[0]
        account = where.rpartition("@")[2].lstrip("/")
        return Identity(account, account)

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The columns that the statement gives."""
        http.await_turn()
        try:
            found = sqlbox.describe(
                http.secret("database_url"),
                http.settings.get("statement", ""),
                addresses=_addresses,
                time_limit_s=self.deadline,
                zone=_zone(http.settings),
            )
        except SqlBoxError as error:
            raise _fault(error) from None
        for column in found:
            if "." in column.name:
                raise Fault(
                    FaultKind.REFUSED,
                    Problem.of(
                        "sql-dotted-column",
                        _("The column %(name)s has a point in its name."),
                        remedy=_("Give it another name with AS."),
                        name=column.name,
                    ),
                )
        return [Column(column.name, column.name, ColumnType(column.kind)) for column in found]

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page by (cursor, key), from the highest cursor of the last complete sweep on less the overlap.

        The horizon is that cursor as the database wrote it: a moment of ours would not say where a sweep by numbers is.
        """
        after = Place.from_plain(ask.position) if ask.position else None
        since = None
        if ask.token and not object.is_whole:
            since = _earlier(sqlbox.native_of(json.loads(ask.token)))
        page = self._page(http, limit=min(ask.size or _PAGE, _PAGE), since=since, after=after)
        raws = [self._raw(page, row, http.settings) for row in page.rows]
        if page.next is not None:
            return Page(raws, next=page.next.as_plain())
        highest = page.last or after
        return Page(raws, horizon=json.dumps(sqlbox.plain_of(highest.cursor)) if highest else "")

    def _page(self, http: Http, *, limit: int, since: object = None, after: Place | None = None) -> SqlPage:
        key = http.settings.get("key", "")
        http.await_turn()
        try:
            return sqlbox.read_page(
                http.secret("database_url"),
                http.settings.get("statement", ""),
                cursor=http.settings.get("cursor") or key,
                key=key,
                addresses=_addresses,
                since=since,
                after=after,
                limit=limit,
                time_limit_s=self.deadline,
                zone=_zone(http.settings),
            )
        except SqlBoxError as error:
            raise _fault(error) from None

    def _raw(self, page: SqlPage, row: Sequence[Cell], settings: Mapping[str, str]) -> Raw:
        cells = dict(zip(page.columns, row, strict=True))
        cursor = settings.get("cursor")
        deleted = cells.get(settings.get("deleted") or "")
        return Raw(
            external_id=str(_plain(cells[settings["key"]])),
            version=_version(cells[cursor]) if cursor else version_of(None),
            payload={name: _plain(cell) for name, cell in cells.items()},
            is_deleted=deleted is not None and str(deleted).strip().lower() not in _FALSE,
        )


def _addresses(host: str, port: int) -> list[str]:
    return Guard(portal_settings.CONNECTORS_ALLOWED_ADDRESSES).addresses(host, port)


def _zone(settings: Mapping[str, str]) -> ZoneInfo:
    """The declared zone. Raises Fault REFUSED for one that nobody knows."""
    name = settings.get("zone") or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Fault(
            FaultKind.REFUSED,
            Problem.of(
                "sql-zone",
                _("There is no time zone %(name)s."),
                remedy=_("Write it like Europe/Berlin."),
                name=name,
            ),
        ) from None


def _fault(error: SqlBoxError) -> Fault:
    return Fault(_KINDS_OF_FAULTS.get(error.problem.code, FaultKind.REFUSED), error.problem)


def _plain(cell: Cell) -> Any:
    """A cell as JSON: numbers with a point as text, so that they stay exact."""
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, date):
        return cell.isoformat()
    return cell


def _version(cell: Cell) -> str:
    """A cursor as a version: it sorts as text in the order of the cursor."""
    if isinstance(cell, datetime):
        return version_of(cell)
    if isinstance(cell, date):
        return version_of(datetime.combine(cell, time(), UTC))
    if isinstance(cell, int | Decimal):
        # Negative numbers do not sort as text; they stand below all others, as equals.
        return f"{max(Decimal(cell), Decimal(0)):040.9f}"
    found = moment(cell)
    return version_of(found) if found else str(cell)[:60]


def _earlier(cursor: object) -> object:
    """Where the next sweep begins, from the highest cursor of the last."""
    if isinstance(cursor, datetime):
        return cursor - _OVERLAP
    if isinstance(cursor, date):
        return cursor - timedelta(days=1)
    if isinstance(cursor, int | Decimal):
        return cursor - _OVERLAP_OF_NUMBERS
    if isinstance(cursor, str):
        return _earlier_text(cursor)
    return cursor


def _earlier_text(cursor: str) -> str:
    """The same for a moment that is written as text, in the same writing; any other text stays."""
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f"):
        try:
            found = datetime.strptime(cursor, pattern)  # noqa: DTZ007 - written back in the same zone
        except ValueError:
            continue
        return (found - _OVERLAP).strftime(pattern)
    return cursor


VENDOR: Final = Sql()
