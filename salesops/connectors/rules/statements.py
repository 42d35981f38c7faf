"""The statement of an SQL source: one SELECT that only reads, and the page query that is put around it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _

#: The databases whose statements are understood, and the parser's names of their dialects.
DIALECTS: Final[dict[str, str]] = {
    "postgresql": "postgres",
    "mysql": "mysql",
    "sqlite": "sqlite",
}
MOST_CHARACTERS: Final = 20_000
#: How deep expressions and subqueries may be nested; a chain of ORs counts one for each.
MOST_DEPTH: Final = 250

# The parser warns when it gives up on a statement; such a statement is refused here, so there is nothing to warn about.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

#: Functions that compute from their arguments and touch nothing else, by the parser's names. It is a list of what is
#: allowed because a list of what is dangerous is never complete: every extension and every version brings functions that
#: read files, open connections, run text as SQL, wait, or change the session. What is missing here can be computed in a
#: view of the source's database.
_FUNCTIONS: Final = """
    ANY_VALUE ARRAY_AGG AVG BITWISE_AND_AGG BITWISE_OR_AGG COUNT COUNT_IF CUME_DIST DENSE_RANK EVERY FIRST_VALUE
    GROUP_CONCAT GROUPING JSONB_AGG JSONB_OBJECT_AGG JSON_ARRAYAGG JSON_OBJECTAGG J_S_O_N_ARRAY_AGG
    J_S_O_N_OBJECT_AGG LAG LAST_VALUE LEAD LOGICAL_AND LOGICAL_OR MAX MIN NTH_VALUE NTILE PERCENTILE_CONT
    PERCENTILE_DISC PERCENT_RANK RANK ROW_NUMBER STDDEV STDDEV_POP STDDEV_SAMP SUM TOTAL VARIANCE VARIANCE_POP
    AND CASE CAST COALESCE COLLATE EXISTS GREATEST IF LEAST NULLIF OR TRY_CAST TYPEOF XOR
    ABS CEIL DIV EXP FLOOR LN LOG MOD NUMBER_TO_STR POWER ROUND SIGN SQRT TO_NUMBER TRUNC WIDTH_BUCKET
    ASCII CHR CONCAT CONCAT_WS DECODE ELT ENCODE FIELD FIND_IN_SET FORMAT HEX INITCAP LEFT LENGTH LOWER MD5 MID
    OCTET_LENGTH ORD OVERLAY PAD PRINTF QUOTE QUOTE_LITERAL REGEXP_I_LIKE REGEXP_LIKE REGEXP_MATCH
    REGEXP_REPLACE REGEXP_SUBSTR REPLACE REVERSE RIGHT SHA SHA2 SPLIT_PART STARTS_WITH STRING_TO_ARRAY
    STR_POSITION SUBSTRING SUBSTRING_INDEX TRANSLATE TRIM UNHEX UNICODE UPPER
    ADDDATE AGE CONVERT_TIMEZONE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATE DATEDIFF DATETIME DATE_ADD
    DATE_BIN DATE_SUB DAY DAY_OF_MONTH DAY_OF_WEEK DAY_OF_YEAR EXTRACT FROM_DAYS HOUR ISFINITE JULIANDAY
    JUSTIFY_DAYS LAST_DAY LOCALTIMESTAMP MAKEDATE MAKE_DATE MAKE_INTERVAL MICROSECOND MINUTE MONTH NOW QUARTER
    SECOND SEC_TO_TIME STR_TO_DATE STR_TO_TIME TIME TIMEDIFF TIMESTAMP TIMESTAMPDIFF TIMESTAMP_ADD
    TIMESTAMP_FROM_PARTS TIMESTAMP_TRUNC TIMEZONE TIME_TO_SEC TIME_TO_STR TS_OR_DS_TO_DATE TS_OR_DS_TO_TIMESTAMP
    UNIXEPOCH UNIX_TIMESTAMP UNIX_TO_TIME UTC_TIMESTAMP WEEK WEEKDAY WEEK_OF_YEAR YEAR YEARWEEK
    ARRAY ARRAY_APPEND ARRAY_CONTAINS_ALL ARRAY_OVERLAPS ARRAY_POSITION ARRAY_REMOVE ARRAY_SIZE ARRAY_TO_STRING
    CARDINALITY EXPLODE EXPLODING_GENERATE_SERIES GENERATE_SERIES JSON JSONB_ARRAY_ELEMENTS
    JSONB_ARRAY_ELEMENTS_TEXT JSONB_ARRAY_LENGTH JSONB_BUILD_OBJECT JSONB_EACH JSONB_EACH_TEXT JSONB_EXTRACT
    JSONB_EXTRACT_PATH JSONB_EXTRACT_PATH_TEXT JSONB_EXTRACT_SCALAR JSONB_OBJECT_KEYS JSONB_TYPEOF JSON_ARRAY
    JSON_ARRAY_ELEMENTS JSON_ARRAY_LENGTH JSON_BUILD_OBJECT JSON_EACH JSON_EXTRACT JSON_EXTRACT_PATH_TEXT
    JSON_EXTRACT_SCALAR JSON_LENGTH JSON_TREE JSON_TYPE JSON_UNQUOTE JSON_VALID J_S_O_N_OBJECT ROW ROW_TO_JSON
    TO_JSON TO_JSONB UNNEST
"""
FUNCTIONS: Final = frozenset(_FUNCTIONS.split())
#: Where the databases keep what they know about themselves: other people's statements, settings, keys of passwords.
_SYSTEM_SCHEMAS: Final = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
_SYSTEM_PREFIXES: Final[dict[str, tuple[str, ...]]] = {
    "postgresql": ("pg_",),
    "mysql": (),
    "sqlite": ("sqlite_", "pragma_", "dbstat", "bytecode", "tables_used", "fsdir"),
}
_OWN: Final = "salesops_"


def _refused(code: str, message: str, remedy: str = "", **params: str) -> Outcome[str]:
    return Outcome.bad(Problem.of(code, message, remedy=remedy, **params))


def check_statement(text: str, dialect: str) -> Outcome[str]:
    """The statement as it may be run: exactly one SELECT (WITH is allowed) that only reads, without its comments.

    dialect: a key of DIALECTS. The value is the person's own text token by token, with comments and line ends made one
    space: what was checked is what runs, and nothing is rewritten. Everything that is not understood is refused.
    """
    if dialect not in DIALECTS:
        return _refused(
            "sql-dialect",
            _("Statements for “%(dialect)s” are not understood."),
            _("Use a PostgreSQL, MySQL, MariaDB or SQLite database, or import a file."),
            dialect=dialect[:40],
        )
    if len(text) > MOST_CHARACTERS:
        return _refused(
            "sql-too-long",
            _("The statement is longer than %(most)s characters."),
            _("Make a view in the source's database and select from it."),
            most=str(MOST_CHARACTERS),
        )
    if "\0" in text:
        return _refused("sql-unreadable", _("The statement holds a NUL character."), _("Write the statement anew."))
    try:
        tokens = sqlglot.tokenize(text, dialect=DIALECTS[dialect])
        if dialect == "mysql" and any(_is_tight(comment) for token in tokens for comment in token.comments):
            return _refused(
                "sql-comment",
                _("A comment holds something that MySQL may run."),
                _("Remove the comment, or begin it with a space."),
            )
        trees = [tree for tree in sqlglot.parse(text, dialect=DIALECTS[dialect]) if tree is not None]
        return _judged(text, tokens, trees, dialect)
    except RecursionError:
        return _too_deep()
    except SqlglotError as error:
        return _not_understood(error)


def _is_tight(comment: str) -> bool:
    """Whether a comment begins at once: MySQL runs what is in `/*! */` and reads `1 --1` as a subtraction."""
    return bool(comment) and not comment[0].isspace()


def _not_understood(error: SqlglotError) -> Outcome[str]:
    details = getattr(error, "errors", None) or [{}]
    return _refused(
        "sql-unreadable",
        _("The statement is not understood near line %(line)s, character %(column)s."),
        _("Write one plain SELECT; what is special to your database goes into a view there."),
        line=str(details[0].get("line") or 1),
        column=str(details[0].get("col") or 1),
    )


def _too_deep() -> Outcome[str]:
    return _refused(
        "sql-too-deep",
        _("The statement is nested too deeply."),
        _("Make a view in the source's database and select from it."),
    )


def _judged(text: str, tokens: list[Token], trees: list[exp.Expr], dialect: str) -> Outcome[str]:
    if not trees:
        return _refused("sql-empty", _("There is no statement."), _("Write a SELECT."))
    kept = tokens[:-1] if tokens[-1].token_type == TokenType.SEMICOLON else tokens
    if any(token.token_type == TokenType.SEMICOLON for token in kept):
        return _refused("sql-many", _("There is more than one statement."), _("Write exactly one SELECT."))
    tree = trees[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        return _only_reading()
    for node, depth in _walk(tree):
        if depth > MOST_DEPTH:
            return _too_deep()
        if (refusal := _judge(node, dialect)) is not None:
            return refusal
    return Outcome.good("".join(_spelled(text, kept)))


def _spelled(text: str, tokens: list[Token]) -> Iterator[str]:
    """The tokens as they were written, with one space where anything stood between them."""
    end = None
    for token in tokens:
        if end is not None and token.start > end:
            yield " "
        yield text[token.start : token.end + 1]
        end = token.end + 1


def _walk(tree: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    """Every part of a statement with its depth, without recursion."""
    waiting: list[tuple[exp.Expr, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in node.iter_expressions())


def _only_reading() -> Outcome[str]:
    return _refused(
        "sql-not-select",
        _("The statement does more than read, or is no SELECT."),
        _("Write exactly one SELECT; WITH … SELECT is allowed."),
    )


def _judge(node: exp.Expr, dialect: str) -> Outcome[str] | None:
    """Why a part of a statement is refused; None when it may stand."""
    # Beside the whole, a WITH is the only place where a statement of another kind can stand.
    if isinstance(node, exp.CTE) and not isinstance(node.this, exp.Query):
        return _only_reading()
    if isinstance(node, exp.Into):
        return _refused("sql-into", _("SELECT … INTO writes."), _("Leave INTO out."))
    if isinstance(node, exp.Lock):
        return _refused("sql-lock", _("FOR UPDATE and FOR SHARE lock rows."), _("Leave them out."))
    if isinstance(node, exp.Hint):
        return _refused("sql-hint", _("Hints may lift limits."), _("Leave the hint out."))
    if isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
        return _refused(
            "sql-parameter", _("The statement holds a parameter or a variable."), _("Write the value itself.")
        )
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        return _function(f"{node.this.sql()[:40]}.{_name_of(node.expression)}")
    if isinstance(node, exp.Func) and _name_of(node) not in FUNCTIONS:
        return _function(_name_of(node))
    if isinstance(node, exp.Table):
        return _table(node, dialect)
    return None


def _name_of(function: exp.Func) -> str:
    if isinstance(function, exp.Anonymous | exp.AnonymousAggFunc):
        return function.name.upper()
    return str(function.sql_name())


def _function(name: str) -> Outcome[str]:
    return _refused(
        "sql-function",
        _("The function %(name)s is not among those that only compute."),
        _("Use it in a view of the source's database, and select from the view."),
        name=name[:80],
    )


def _table(table: exp.Table, dialect: str) -> Outcome[str] | None:
    if isinstance(table.this, exp.Func) and table.args.get("db"):
        return _function(f"{table.db}.{_name_of(table.this)}")
    names = [part.name.lower() for part in table.parts if isinstance(part, exp.Identifier)]
    prefixes = _SYSTEM_PREFIXES[dialect]
    if any(name in _SYSTEM_SCHEMAS for name in names[:-1]) or any(
        name.startswith(prefixes) for name in names if prefixes
    ):
        return _refused(
            "sql-system",
            _("%(name)s belongs to the database itself."),
            _("Select from the tables or views with your data."),
            name=".".join(names)[:80],
        )
    return None


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A query with its values apart, in the way the database's driver takes them."""

    text: str
    values: dict[str, object]


def _outer(text: str, dialect: str, query: exp.Select, values: dict[str, object]) -> PageQuery:
    """Put the person's text and the values' places into a query about the table `salesops_inner`."""
    is_named = dialect == "sqlite"
    outer = query.sql(dialect=DIALECTS[dialect])
    inner = text
    if not is_named:
        # The drivers of PostgreSQL and MySQL read a percent sign as the beginning of a place for a value.
        outer, inner = outer.replace("%", "%%"), inner.replace("%", "%%")
    for name in values:
        outer = outer.replace(f"{_OWN}{name}", f":{name}" if is_named else f"%({name})s")
    return PageQuery(outer.replace(f"{_OWN}inner", f"({inner})"), values)


def _around() -> exp.Select:
    return exp.select("*").from_(exp.alias_(exp.to_table(f"{_OWN}inner"), "s", table=True))


def _column(name: str) -> exp.Column:
    """A column of the person's statement, always quoted. Raises ValueError for a name that is the portal's own."""
    if not name or _OWN in name.lower() or "\0" in name:
        raise ValueError(f"{name!r} cannot be a column here")
    return exp.column(exp.to_identifier(name, quoted=True), table="s")


def _place(name: str) -> exp.Column:
    return exp.column(f"{_OWN}{name}")


def wrapped(
    text: str,
    dialect: str,
    *,
    cursor: str,
    key: str,
    since: object = None,
    after: tuple[object, object] | None = None,
    limit: int,
) -> PageQuery:
    """The query of one page: the rows after a place in the order of (cursor, key), at most `limit`.

    text: a statement as `check_statement` gave it. since: the lowest cursor wanted, None for all; it no longer matters
    once there is an `after`, the cursor and key of the last row read. Rows with the same cursor are told apart by the
    key, so that none is lost or read twice however many there are; positions by number (OFFSET) would lose rows that move.
    """
    by_cursor, by_key = _column(cursor), _column(key)
    query = _around()
    values: dict[str, object] = {}
    if after is not None:
        values = {"cursor": after[0], "key": after[1]}
        query = query.where(
            exp.or_(
                exp.GT(this=by_cursor, expression=_place("cursor")),
                exp.and_(
                    exp.EQ(this=by_cursor, expression=_place("cursor")),
                    exp.GT(this=by_key, expression=_place("key")),
                ),
            )
        )
    elif since is not None:
        values = {"since": since}
        query = query.where(exp.GTE(this=by_cursor, expression=_place("since")))
    # Said as the database does it anyway, so that no words about NULL are added: `without_place` has seen that none is there.
    nulls_first = dialect != "postgresql"
    order = [exp.Ordered(this=column, nulls_first=nulls_first) for column in (by_cursor, by_key)]
    query = query.order_by(*order).limit(limit)
    return _outer(text, dialect, query, values)


def without_place(text: str, dialect: str, *, cursor: str, key: str) -> PageQuery:
    """The query that asks for a row without cursor or key: such a row stands nowhere in the order and would be lost."""
    query = _around().where(
        exp.or_(exp.Is(this=_column(cursor), expression=exp.null()), exp.Is(this=_column(key), expression=exp.null()))
    )
    return _outer(text, dialect, query.limit(1), {})


def sampled(text: str, dialect: str, *, limit: int) -> PageQuery:
    """The query for some rows in any order: to see the columns."""
    return _outer(text, dialect, _around().limit(limit), {})
