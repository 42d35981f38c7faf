"""A web process that keeps what it loaded still ends without a word."""

import subprocess
import sys


def test_a_process_that_settled_ends_quietly() -> None:
    """DuckDB's extension lists what it takes for leaked on standard error otherwise."""
    ended = subprocess.run(
        [sys.executable, "-c", "import duckdb; from salesops.config.memory import settle; settle()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
