"""The columnar calculator of every room: DuckDB in memory, with the one rounding rule and nothing to reach outside."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

import duckdb

_MACROS: Final = (
    # Division of integers by a positive one, down to the next whole number also below zero, and what is left over.
    "CREATE MACRO floor_div(n, d) AS n // d - CASE WHEN n % d < 0 THEN 1 ELSE 0 END",
    "CREATE MACRO floor_rest(n, d) AS n % d + CASE WHEN n % d < 0 THEN d ELSE 0 END",
    # The rounding rule, half up away from zero, of the number whole + rest / d with 0 <= rest < d.
    """CREATE MACRO rounded(whole, rest, d) AS
        whole + CASE WHEN (whole >= 0 AND 2 * rest >= d) OR (whole < 0 AND 2 * rest > d) THEN 1 ELSE 0 END""",
    # The part `upto` of `whole` of an amount, rounded once.
    """CREATE MACRO prorated(amount, upto, whole) AS rounded(
        floor_div(amount::HUGEINT * upto, whole), floor_rest(amount::HUGEINT * upto, whole), whole)""",
)


#: What DuckDB raises where a number leaves 64 or 128 bits.
BEYOND: Final = (duckdb.OutOfRangeException, duckdb.ConversionException)


class ColumnsError(ValueError):
    """Columns that cannot be calculated: they do not fit together, repeat a line, or leave 64-bit numbers."""


_lock: Final = Lock()
# The calculator of this process, with the number of the process: after a fork the threads of a database are gone.
_whole: dict[int, duckdb.DuckDBPyConnection] = {}


def _own() -> duckdb.DuckDBPyConnection:
    """A connection of one's own to the calculator of this process, made on first use: what it holds nobody else sees."""
    with _lock:
        if os.getpid() not in _whole:
            _whole.clear()
            made = duckdb.connect(
                ":memory:",
                config={
                    "enable_external_access": "false",
                    "temp_directory": "",
                    "threads": 2,
                    "preserve_insertion_order": "false",
                    "lock_configuration": "true",
                },
            )
            for macro in _MACROS:
                made.execute(macro)
            _whole[os.getpid()] = made
        return _whole[os.getpid()].cursor()


@contextmanager
def open_calculator() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB that is nothing but a calculator: in memory, no files, no network, settings locked.

    Only temporary tables are made in it, and they go when it is closed. What leaves 64 or 128 bits inside comes out as a
    ColumnsError.
    """
    connection = _own()
    try:
        yield connection
    except BEYOND as error:
        raise ColumnsError(f"A total or an amount is beyond 64-bit numbers: {error}") from error
    finally:
        connection.close()
