"""What an SQL source may ask: one reading SELECT; and the page query around it, run on SQLite."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.connectors.rules.statements import (
    MOST_CHARACTERS,
    PageQuery,
    check_statement,
    sampled,
    without_place,
    wrapped,
)


def _code(text: str, dialect: str = "postgresql") -> str:
    outcome = check_statement(text, dialect)
    if outcome.value is not None:
        return ""
    problem = outcome.problems[0]
    assert problem.text()
    assert problem.remedy_text(), "a refusal says what to do"
    return problem.code


GOOD = [
    ("postgresql", "SELECT id, lower(name) AS name, amount::numeric(12,2), updated_at FROM crm.customers WHERE NOT deleted"),
    ("postgresql", "WITH won AS (SELECT * FROM deals WHERE stage = 'won') SELECT won.*, a.name FROM won JOIN accounts a ON a.id = won.account"),
    ("postgresql", "SELECT id, now(), date_trunc('month', at), extract(year from at), at AT TIME ZONE 'UTC' FROM t"),
    ("postgresql", "SELECT id FROM a UNION ALL SELECT id FROM b ORDER BY id LIMIT 5"),
    ("postgresql", "SELECT id, data->>'name', coalesce(a, b), count(*) OVER (PARTITION BY c) FROM t WHERE name LIKE '50%'"),
    ("postgresql", "SELECT g::date FROM generate_series(date '2026-01-01', date '2026-02-01', interval '1 day') g"),
    ("postgresql", "SELECT 'it; DROP TABLE x -- no', E'a\\'b', $$;$$ FROM t -- the end"),
    ("mysql", "SELECT id, IFNULL(name, ''), DATE_FORMAT(at, '%Y-%m'), IF(a, b, c), CONCAT_WS(',', a, b) FROM `crm`.`deals`"),
    ("mysql", "SELECT COUNT(*), TIMESTAMPDIFF(DAY, a, b), GROUP_CONCAT(c ORDER BY d) FROM t GROUP BY e"),
    ("mysql", "SELECT 1--1 FROM t -- and that is two"),
    ("sqlite", "SELECT id, strftime('%Y', at), json_extract(data, '$.a'), printf('%d', n) FROM t WHERE a GLOB 'x*'"),
    ("sqlite", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n;"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "text"), GOOD)
def test_a_reading_select_is_good(dialect: str, text: str) -> None:
    assert check_statement(text, dialect).problems == ()


REFUSED = [
    # What writes
    ("postgresql", "INSERT INTO t VALUES (1)", "sql-not-select"),
    ("postgresql", "UPDATE t SET a = 1", "sql-not-select"),
    ("postgresql", "DELETE FROM t", "sql-not-select"),
    ("postgresql", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", "sql-not-select"),
    ("postgresql", "TRUNCATE t", "sql-not-select"),
    ("postgresql", "CREATE TABLE t (a int)", "sql-not-select"),
    ("postgresql", "CREATE TABLE t AS SELECT 1", "sql-not-select"),
    ("postgresql", "DROP TABLE t", "sql-not-select"),
    ("postgresql", "ALTER TABLE t ADD a int", "sql-not-select"),
    ("postgresql", "GRANT ALL ON t TO public", "sql-not-select"),
    ("postgresql", "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "sql-not-select"),
    ("postgresql", "WITH new AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM new", "sql-not-select"),
    ("postgresql", "SELECT * FROM (DELETE FROM t RETURNING *) y", "sql-unreadable"),
    ("postgresql", "SELECT 1 WHERE EXISTS (DELETE FROM t RETURNING 1)", "sql-unreadable"),
    ("postgresql", "SELECT * FROM (WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM x) y", "sql-not-select"),
    ("sqlite", "REPLACE INTO t VALUES (1)", "sql-not-select"),
    ("postgresql", "SELECT * INTO copy FROM t", "sql-into"),
    ("mysql", "SELECT 1 INTO @a", "sql-into"),
    ("mysql", "SELECT 1 INTO OUTFILE '/tmp/x'", "sql-unreadable"),
    ("mysql", "SELECT 1 INTO DUMPFILE '/tmp/x'", "sql-unreadable"),
    ("postgresql", "SELECT * FROM t FOR UPDATE", "sql-lock"),
    ("postgresql", "SELECT * FROM (SELECT * FROM t FOR SHARE) x", "sql-lock"),
    ("mysql", "SELECT * FROM t LOCK IN SHARE MODE", "sql-lock"),
    # What changes the session or the server
    ("postgresql", "SET transaction_read_only = off", "sql-not-select"),
    ("postgresql", "RESET ALL", "sql-not-select"),
    ("postgresql", "COPY (SELECT 1) TO PROGRAM 'sh'", "sql-not-select"),
    ("postgresql", "COPY t FROM '/etc/passwd'", "sql-not-select"),
    ("postgresql", "CALL work()", "sql-not-select"),
    ("postgresql", "DO $$ BEGIN END $$", "sql-not-select"),
    ("postgresql", "EXPLAIN ANALYZE SELECT 1", "sql-not-select"),
    ("postgresql", "COMMIT", "sql-not-select"),
    ("postgresql", "VALUES (1)", "sql-not-select"),
    ("sqlite", "PRAGMA query_only = OFF", "sql-not-select"),
    ("sqlite", "ATTACH DATABASE '/tmp/x' AS x", "sql-not-select"),
    ("sqlite", "VACUUM INTO '/tmp/x'", "sql-not-select"),
    ("mysql", "LOAD DATA INFILE '/etc/passwd' INTO TABLE t", "sql-unreadable"),
    ("mysql", "KILL 5", "sql-not-select"),
    ("mysql", "USE mysql", "sql-not-select"),
    ("mysql", "SHOW GRANTS", "sql-not-select"),
    # More than one, and what hides
    ("postgresql", "SELECT 1; DROP TABLE t", "sql-many"),
    ("postgresql", "SELECT 1; SELECT 2", "sql-many"),
    ("postgresql", "SELECT 1;;", "sql-many"),
    ("postgresql", "SELECT 1 /* ; */; -- ;\nDELETE FROM t", "sql-many"),
    ("mysql", "SELECT 1 /*! INTO OUTFILE '/tmp/x' */", "sql-comment"),
    ("mysql", "SELECT 1 /*!50000 , SLEEP(9) */", "sql-comment"),
    ("mysql", "SELECT 1 /*M! , SLEEP(9) */", "sql-comment"),
    ("mysql", "SELECT /*+ SET_VAR(max_execution_time = 0) */ 1", "sql-hint"),
    ("postgresql", "-- nothing", "sql-empty"),
    ("postgresql", "  ", "sql-empty"),
    ("postgresql", "SELECT 'open", "sql-unreadable"),
    ("postgresql", "SELECT 1) AS s; DROP TABLE t; --", "sql-unreadable"),
    ("postgresql", "SELECT 'a\x00b'", "sql-unreadable"),
    ("postgresql", "SELECT $1", "sql-parameter"),
    ("postgresql", "SELECT %s", "sql-parameter"),
    ("mysql", "SELECT @@datadir", "sql-parameter"),
    ("mysql", "SELECT @a", "sql-parameter"),
    ("sqlite", "SELECT :a", "sql-parameter"),
    # Where databases keep what they know about themselves
    ("postgresql", "SELECT * FROM pg_shadow", "sql-system"),
    ("postgresql", "SELECT * FROM pg_catalog.pg_authid", "sql-system"),
    ("postgresql", 'SELECT * FROM "pg_authid"', "sql-system"),
    ("postgresql", "SELECT (SELECT passwd FROM pg_shadow LIMIT 1)", "sql-system"),
    ("postgresql", "SELECT * FROM information_schema.tables", "sql-system"),
    ("mysql", "SELECT * FROM mysql.user", "sql-system"),
    ("mysql", "SELECT * FROM performance_schema.threads", "sql-system"),
    ("sqlite", "SELECT * FROM sqlite_master", "sql-system"),
    ("sqlite", "SELECT * FROM pragma_database_list", "sql-system"),
    # Limits
    ("oracle", "SELECT 1", "sql-dialect"),
    ("", "SELECT 1", "sql-dialect"),
    ("postgresql", "SELECT " + "NOT " * 4_000 + "TRUE", "sql-too-deep"),
    ("postgresql", "SELECT 1" + " + 1" * 4_000, "sql-too-deep"),
    ("postgresql", "SELECT " + "(" * 4_000 + "1" + ")" * 4_000, "sql-too-deep"),
    ("postgresql", "SELECT '" + "x" * MOST_CHARACTERS + "'", "sql-too-long"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "code"), REFUSED)
def test_everything_else_is_refused(dialect: str, text: str, code: str) -> None:
    assert _code(text, dialect) == code


#: Functions that read files, open connections, run text as SQL, wait, or change something; and one that nobody knows.
DANGEROUS = {
    "postgresql": [
        "pg_read_file('/etc/passwd')", "pg_read_binary_file('x')", "pg_ls_dir('.')", "pg_stat_file('x')", "lo_import('x')",
        "lo_export(1, 'x')", "lo_get(1)", "dblink_exec('x', 'y')", "dblink('x', 'y')", "pg_sleep(9)",
        "pg_sleep_for('1 hour')", "pg_terminate_backend(1)", "pg_cancel_backend(1)", "pg_reload_conf()",
        "set_config('transaction_read_only', 'off', false)", "current_setting('x')", "nextval('s')", "setval('s', 1)",
        "pg_advisory_lock(1)", "pg_notify('a', 'b')", "query_to_xml('DELETE FROM t', true, true, '')",
        "database_to_xml(true, true, '')", "table_to_xml('t', true, true, '')", "ts_stat('SELECT 1')",
        "pg_catalog.pg_read_file('x')", "pg_catalog.lower('x')", "evil.lower('x')", '"pg_read_file"(\'x\')',
        "unheard_of(1)",
    ],
    "mysql": ["LOAD_FILE('/etc/passwd')", "SLEEP(9)", "BENCHMARK(1000000000, MD5(1))", "GET_LOCK('a', 9)", "sys_exec('x')"],
    "sqlite": ["load_extension('x')", "readfile('x')", "writefile('x', 'y')", "edit('x')", "fts3_tokenizer('x')",
               "randomblob(1000000000)", "zeroblob(1000000000)"],
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "call"), [(name, call) for name, calls in DANGEROUS.items() for call in calls])
@pytest.mark.parametrize(
    "place", ["SELECT {}", "SELECT 1 FROM t WHERE {} IS NULL", "SELECT * FROM {}", "SELECT 1 ORDER BY {}"]
)
def test_a_function_that_does_more_than_compute_is_refused_wherever_it_stands(
    dialect: str, call: str, place: str
) -> None:
    # Not everything can stand everywhere; nowhere does it get through.
    assert _code(place.format(call), dialect) in {"sql-function", "sql-unreadable", "sql-system"}
    assert _code(f"SELECT {call}", dialect) == "sql-function"


@pytest.mark.parametrize(
    "text", ["EXEC xp_cmdshell 'dir'", "SELECT * FROM OPENROWSET('a', 'b', 'c')", "SELECT xp_cmdshell('dir')"]
)
@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite"])
def test_the_doors_of_sql_server_are_shut_too(text: str, dialect: str) -> None:
    assert _code(text, dialect) in {"sql-function", "sql-unreadable", "sql-not-select"}


def test_the_text_stays_the_persons_own_without_comments() -> None:
    text = "SELECT a ,COUNT (*),'it''s -- no' /* why\n*/ FROM t -- the end\n;"
    assert check_statement(text, "mysql").unwrap() == "SELECT a ,COUNT (*),'it''s -- no' FROM t"


@given(st.text(max_size=60), st.sampled_from(["postgresql", "mysql", "sqlite"]))
def test_no_text_breaks_the_check(text: str, dialect: str) -> None:
    for attempt in (text, f"SELECT {text}", f"SELECT 1 FROM t WHERE {text}"):
        outcome = check_statement(attempt, dialect)
        assert (outcome.value is None) == bool(outcome.problems)


# --- The page query ------------------------------------------------------------------------------------------------


def test_the_page_query_of_each_dialect() -> None:
    text = "SELECT * FROM t WHERE a LIKE 'x%'"
    assert wrapped(text, "postgresql", cursor="at", key='i"d', after=(1, 2), limit=10) == PageQuery(
        "SELECT * FROM (SELECT * FROM t WHERE a LIKE 'x%%') AS s WHERE s.\"at\" > %(cursor)s"
        ' OR (s."at" = %(cursor)s AND s."i""d" > %(key)s) ORDER BY s."at", s."i""d" LIMIT 10',
        {"cursor": 1, "key": 2},
    )
    assert wrapped(text, "mysql", cursor="a%t", key="id", since="2026-01-01", limit=10) == PageQuery(
        "SELECT * FROM (SELECT * FROM t WHERE a LIKE 'x%%') AS s WHERE s.`a%%t` >= %(since)s"
        " ORDER BY s.`a%%t`, s.`id` LIMIT 10",
        {"since": "2026-01-01"},
    )
    assert wrapped(text, "sqlite", cursor="at", key="id", since=5, limit=10) == PageQuery(
        "SELECT * FROM (SELECT * FROM t WHERE a LIKE 'x%') AS s WHERE s.\"at\" >= :since"
        ' ORDER BY s."at", s."id" LIMIT 10',
        {"since": 5},
    )
    assert without_place(text, "sqlite", cursor="at", key="id").text == (
        'SELECT * FROM (SELECT * FROM t WHERE a LIKE \'x%\') AS s WHERE s."at" IS NULL OR s."id" IS NULL LIMIT 1'
    )
    assert sampled("SELECT 1", "mysql", limit=3).text == "SELECT * FROM (SELECT 1) AS s LIMIT 3"


@pytest.mark.parametrize("name", ["", "salesops_cursor", "a\0"])
def test_a_column_that_could_be_taken_for_a_place_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a column"):
        wrapped("SELECT 1", "sqlite", cursor=name, key="id", limit=1)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200)), unique_by=lambda row: row[1], max_size=40),
    st.integers(1, 7),
    st.integers(0, 3),
)
def test_equal_cursors_lose_and_double_no_row(rows: list[tuple[int, int]], limit: int, since: int) -> None:
    line = sqlite3.connect(":memory:")
    line.execute("CREATE TABLE t (at INTEGER, id INTEGER)")
    line.executemany("INSERT INTO t VALUES (?, ?)", rows)
    seen: list[tuple[int, int]] = []
    after = None
    while True:
        query = wrapped("SELECT at, id FROM t", "sqlite", cursor="at", key="id", since=since, after=after, limit=limit)
        page = line.execute(query.text, query.values).fetchall()
        seen += page
        if len(page) < limit:
            break
        after = page[-1]
    line.close()
    assert seen == sorted(row for row in rows if row[0] >= since)
