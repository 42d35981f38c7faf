"""A small reader of SOQL, enough to answer as Salesforce would: SELECT, FROM, WHERE, ORDER BY, LIMIT, OFFSET.

It refuses what the real one refuses (`SoqlError` with Salesforce's error code): unknown words, quoted datetimes,
FIELDS(ALL) without a limit of 200, an OFFSET beyond 2,000.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:\\.|[^'\\])*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)(?![T\d])
    | (?P<number>-?\d+(?:\.\d+)?)(?![\w-])
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|!=|<>|[=<>(),:])
    )""",
    re.VERBOSE,
)
AGGREGATES = ("COUNT", "COUNT_DISTINCT", "SUM", "MIN", "MAX")


class SoqlError(Exception):
    """What Salesforce answers with 400: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Literal:
    """A value in a query and how it was written: text, number, datetime, date, boolean or null."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Comparison:
    field: str
    #: =, !=, <, >, <=, >=, in, not in, like
    sign: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Not:
    part: Any


@dataclass(frozen=True)
class Both:
    #: and, or
    word: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    field: str
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """A query that was understood. Fields are as written: plain, `Account.Name`, `FIELDS(ALL)`, `COUNT(Id)`."""

    fields: tuple[str, ...]
    #: Of aggregates: (function, field, name in the answer).
    aggregates: tuple[tuple[str, str, str], ...]
    is_count: bool
    object: str
    where: Any
    order: tuple[Order, ...]
    limit: int | None
    offset: int


def parse(text: str) -> Query:
    """Understand a query. Raises SoqlError."""
    return _Parser(text).query()


def parsed_moment(text: str) -> datetime:
    """A SOQL datetime; takes offsets without a colon."""
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.replace("Z", "+00:00"))
    return datetime.fromisoformat(text)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text.rstrip()):
            match = TOKEN.match(text, place)
            if not match:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{text[place:].strip()[:20]}'")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match.group(kind)))
            place = match.end()
        self.at = 0

    def peek(self) -> str:
        """The next token in upper case; empty at the end."""
        return self.tokens[self.at][1].upper() if self.at < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise SoqlError("MALFORMED_QUERY", "unexpected end of query")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def accept(self, *words: str) -> bool:
        """Take these words if they come next."""
        found = [value.upper() for _kind, value in self.tokens[self.at : self.at + len(words)]]
        if found != list(words):
            return False
        self.at += len(words)
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{self.peek() or '<EOF>'}', expecting '{word}'")

    def query(self) -> Query:
        self.expect("SELECT")
        fields: list[str] = []
        aggregates: list[tuple[str, str, str]] = []
        is_count = False
        while True:
            name = self.word()
            if self.accept("("):
                if name.upper() == "COUNT" and self.accept(")"):
                    is_count = True
                elif name.upper() in AGGREGATES:
                    inner = self.word()
                    self.expect(")")
                    alias = f"expr{len(aggregates)}" if self.peek() in (",", "FROM") else self.word()
                    aggregates.append((name.upper(), inner, alias))
                elif name.upper() == "FIELDS":
                    fields.append(f"FIELDS({self.word().upper()})")
                    self.expect(")")
                else:
                    raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{name}'")
            else:
                fields.append(name)
            if not self.accept(","):
                break
        self.expect("FROM")
        object = self.word()
        where = self.either() if self.accept("WHERE") else None
        order = []
        if self.accept("ORDER", "BY"):
            order.append(self.order())
            while self.accept(","):
                order.append(self.order())
        limit = self.whole() if self.accept("LIMIT") else None
        offset = self.whole() if self.accept("OFFSET") else 0
        if self.at < len(self.tokens):
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{self.tokens[self.at][1]}'")
        if offset > 2000:
            raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        if any(name in ("FIELDS(ALL)", "FIELDS(CUSTOM)") for name in fields) and (limit is None or limit > 200):
            raise SoqlError(
                "MALFORMED_QUERY",
                "The SOQL FIELDS function must have a LIMIT of at most 200",
            )
        return Query(tuple(fields), tuple(aggregates), is_count, object, where, tuple(order), limit, offset)

    def word(self) -> str:
        if self.kind() != "word":
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{self.peek() or '<EOF>'}'")
        return self.take()

    def whole(self) -> int:
        text = self.take()
        if not text.isdigit():
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{text}'")
        return int(text)

    def order(self) -> Order:
        name = self.word()
        is_descending = self.accept("DESC")
        if not is_descending:
            self.accept("ASC")
        nulls_last = is_descending
        if self.accept("NULLS"):
            nulls_last = self.take().upper() == "LAST"
        return Order(name, is_descending, nulls_last)

    def either(self) -> Any:
        """Conditions joined by AND or by OR; a mixture wants parentheses, as the real one does."""
        parts = [self.one()]
        word = ""
        while self.peek() in ("AND", "OR"):
            found = self.take().lower()
            if word and word != found:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{found}'")
            word = found
            parts.append(self.one())
        return Both(word, tuple(parts)) if word else parts[0]

    def one(self) -> Any:
        if self.accept("NOT"):
            return Not(self.one())
        if self.accept("("):
            inner = self.either()
            self.expect(")")
            return inner
        name = self.word()
        if self.accept("NOT", "IN"):
            return Comparison(name, "not in", self.several())
        if self.accept("IN"):
            return Comparison(name, "in", self.several())
        if self.accept("LIKE"):
            return Comparison(name, "like", (self.literal(),))
        sign = self.take()
        if sign not in ("=", "!=", "<>", "<", ">", "<=", ">="):
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{sign}'")
        return Comparison(name, "!=" if sign == "<>" else sign, (self.literal(),))

    def several(self) -> tuple[Literal, ...]:
        self.expect("(")
        found = [self.literal()]
        while self.accept(","):
            found.append(self.literal())
        self.expect(")")
        return tuple(found)

    def literal(self) -> Literal:
        kind, text = self.kind(), self.take()
        if kind == "text":
            return Literal("text", re.sub(r"\\(.)", lambda match: match.group(1), text[1:-1]))
        if kind == "number":
            return Literal("number", Decimal(text))
        if kind == "datetime":
            return Literal("datetime", parsed_moment(text))
        if kind == "date":
            return Literal("date", date.fromisoformat(text))
        if text.upper() in ("TRUE", "FALSE"):
            return Literal("boolean", text.upper() == "TRUE")
        if text.upper() == "NULL":
            return Literal("null", None)
        raise SoqlError("MALFORMED_QUERY", f"Bind variables only allowed in Apex code: '{text}'")


def comparable(type: str, value: Any) -> Any:
    """A record's value as it compares: moments as moments, text without case, ids by their first 15 characters."""
    if value is None:
        return None
    if type == "datetime":
        return value if isinstance(value, datetime) else parsed_moment(value)
    if type == "date":
        return value if isinstance(value, date) else date.fromisoformat(value)
    if type in ("id", "reference"):
        return str(value)[:15]
    if type == "boolean":
        return bool(value)
    if type in ("double", "currency", "percent", "int"):
        return Decimal(str(value))
    return str(value).lower()


def condition(where: Any, type_of: Callable[[str], str], value_of: Callable[[Any, str], Any]) -> Callable[[Any], bool]:
    """A test of rows from a WHERE. `type_of` raises SoqlError for fields that are not there."""
    if where is None:
        return lambda _row: True
    if isinstance(where, Not):
        inner = condition(where.part, type_of, value_of)
        return lambda row: not inner(row)
    if isinstance(where, Both):
        tests = [condition(part, type_of, value_of) for part in where.parts]
        if where.word == "and":
            return lambda row: all(test(row) for test in tests)
        return lambda row: any(test(row) for test in tests)
    name = where.field
    type = type_of(name)
    wanted = [_wanted(name, type, literal) for literal in where.values]
    sign = where.sign

    def compare(row: Any) -> bool:
        value = comparable(type, value_of(row, name))
        if sign == "=":
            return bool(value == wanted[0])
        if sign == "!=":
            return bool(value != wanted[0])
        if sign == "in":
            return value in wanted
        if sign == "not in":
            return value not in wanted
        if sign == "like":
            pattern = re.escape(str(wanted[0])).replace("%", ".*").replace("_", ".")
            return re.fullmatch(pattern, str(value or ""), re.DOTALL) is not None
        if value is None or wanted[0] is None:
            return False
        if sign == "<":
            return bool(value < wanted[0])
        if sign == ">":
            return bool(value > wanted[0])
        return bool(value <= wanted[0]) if sign == "<=" else bool(value >= wanted[0])

    return compare


def _wanted(name: str, type: str, literal: Literal) -> Any:
    """The literal as it compares. Raises SoqlError where it is not of the field's kind."""
    kinds = {
        "datetime": ("datetime", "date"),
        "date": ("date",),
        "boolean": ("boolean",),
        "double": ("number",),
        "currency": ("number",),
        "percent": ("number",),
        "int": ("number",),
    }.get(type, ("text",))
    if literal.kind == "null":
        return None
    if literal.kind not in kinds:
        shown = "dateTime" if type == "datetime" else type
        raise SoqlError(
            "INVALID_FIELD",
            f"value of filter criterion for field '{name}' must be of type {shown}"
            + (" and should not be enclosed in quotes" if literal.kind == "text" else ""),
        )
    if type == "datetime" and literal.kind == "date":
        raise SoqlError("INVALID_FIELD", f"value of filter criterion for field '{name}' must be of type dateTime")
    return comparable(type, literal.value)
