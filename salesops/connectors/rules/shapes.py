"""Payloads to rows of cells: a path into JSON, understood by its column's type, in the zone of the source."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from salesops.connectors.rules.tables import Cell
from salesops.values.money import MoneyError, exponent

_JOINED: Final = ";"
_XERO: Final = "/Date("


class ColumnLike(Protocol):
    """What is asked of a column: see `vendors.base.Column`."""

    @property
    def path(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def currency_column(self) -> str: ...


class Flattener:
    """Turns payloads into cells, one for each column. Made once for a stream."""

    def __init__(self, columns: Sequence[ColumnLike], zone: tzinfo) -> None:
        """Make ready. `zone`: in which moments become days."""
        self.headers = tuple(column.path for column in columns)
        self._takers: list[Callable[[Mapping[str, Any]], Cell]] = [_taker(column, zone) for column in columns]

    def cells(self, payload: Mapping[str, Any]) -> tuple[Cell, ...]:
        """The cells of a payload. What cannot be understood comes as the text that stands there: the reader of the
        field says what is wrong with it."""
        return tuple([take(payload) for take in self._takers])


def value_at(payload: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; None where the path ends early. A key that holds the dots itself goes first."""
    if path in payload:
        return payload[path]
    value: Any = payload
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _taker(column: ColumnLike, zone: tzinfo) -> Callable[[Mapping[str, Any]], Cell]:
    path, kind = column.path, str(column.type)
    if kind == "minor":
        return lambda payload: _minor(value_at(payload, path), value_at(payload, column.currency_column))
    read = _READERS[kind]
    if "." in path:
        return lambda payload: read(value_at(payload, path), zone)
    return lambda payload: read(payload.get(path), zone)


def _text(value: Any, _zone: tzinfo) -> Cell:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        if all(isinstance(part, str | int | Decimal) for part in value):
            return _JOINED.join(str(part) for part in value)
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, Mapping):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _number(value: Any, zone: tzinfo) -> Cell:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str) and value.strip():
        try:
            number = Decimal(value.strip())
        except InvalidOperation:
            return value
        return number if number.is_finite() else value
    return _text(value, zone)


def _minor(value: Any, currency: Any) -> Cell:
    """Whole minor units as an amount of the currency; as it stands where the currency is none."""
    if value is None or value == "":
        return ""
    try:
        return Decimal(int(value)).scaleb(-exponent(str(currency).upper()))
    except (MoneyError, ValueError, TypeError):
        return str(value)


def _day(value: Any, zone: tzinfo) -> Cell:
    """A bare day; the day of a text that goes on with a time is the one written there, whatever the zone."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return value
    return value if isinstance(value, date) else _text(value, zone)


def moment(value: Any) -> datetime | None:
    """A moment written as ISO text (naive: UTC) or as Xero writes it; None for anything else."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str) or not value:
        return None
    if value.startswith(_XERO):
        digits = value[len(_XERO) :].partition(")")[0]
        digits = digits[:1] + digits[1:].partition("+")[0].partition("-")[0]
        return _since_1970(digits, 1000)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def iso_of(at: datetime, timespec: str = "seconds") -> str:
    """A moment as most vendors are asked by it: ISO text in UTC, cut off behind its seconds or "milliseconds"."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def _since_1970(value: Any, per_second: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value) / per_second, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _local(value: datetime | None, given: Any, zone: tzinfo) -> Cell:
    if value is None:
        return _text(given, zone)
    return value.astimezone(zone)


def _moment(value: Any, zone: tzinfo) -> Cell:
    return _local(moment(value), value, zone)


def _unix(value: Any, zone: tzinfo) -> Cell:
    return "" if value in (None, "") else _local(_since_1970(value, 1), value, zone)


def _millis(value: Any, zone: tzinfo) -> Cell:
    return "" if value in (None, "") else _local(_since_1970(value, 1000), value, zone)


_READERS: Final[Mapping[str, Callable[[Any, tzinfo], Cell]]] = {
    "text": _text,
    "boolean": _text,
    "number": _number,
    "day": _day,
    "moment": _moment,
    "unix": _unix,
    "millis": _millis,
}
