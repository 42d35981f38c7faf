"""The cast and the scene are written once and kept while the tests that begin with them run.

Writing the cast costs more than most tests do. So it is written in a transaction that stays open, and each test runs
in a savepoint inside of it, as if the rows had been written for it alone. What a test holds in its hands are copies of
its own, so nothing it changes reaches the next. Tests that commit begin with empty tables, as ever.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any, Final

import pytest
import time_machine
from django.db import connection
from django.db.transaction import Atomic
from django.test import SimpleTestCase

from tests.cast import NOW, Cast, make_cast
from tests.scene import Scene, make_scene

#: What tests begin with, by the fixture that asks for it; the richer first.
BEGINNINGS: Final = ("scene", "cast")


def beginning_of(item: Any) -> str:
    """What a test begins with: `scene`, `cast`, or nothing ('').

    A test that commits, of whatever kind, begins with nothing: its rows would be those of all.
    """
    marker = item.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server", "django_db_reset_sequences"} & set(item.fixturenames)
    if (
        commits
        or (marker is not None and (marker.args or marker.kwargs))
        or issubclass(getattr(item, "cls", None) or object, SimpleTestCase)
    ):
        return ""
    return next((name for name in BEGINNINGS if name in item.fixturenames), "")


def in_order(items: list[Any]) -> None:
    """Put the tests of a file that begin alike next to each other; files stay where they are, so does all else."""
    files: dict[str, list[Any]] = {}
    for item in items:
        files.setdefault(item.nodeid.split("::", 1)[0], []).append(item)
    rank = {"": 0, "cast": 1, "scene": 2}
    items[:] = [item for file in files.values() for item in sorted(file, key=lambda each: rank[beginning_of(each)])]


class Kept:
    """The open transaction, and what was written in it."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Atomic, bytes]] = []

    def begin(self, name: str) -> None:
        """Have exactly the rows of `name` in the database; '' has none."""
        wanted = [] if not name else ["cast"] if name == "cast" else ["cast", "scene"]
        names = [each for each, _atomic, _copy in self._open]
        if self._open and (
            connection.connection is None or not connection.in_atomic_block or connection.needs_rollback
        ):
            # A test closed the connection or broke the transaction: its rows went with it.
            self._open.clear()
            connection.close()
            names = []
        while names != wanted[: len(names)]:
            self._end()
            names.pop()
        for each in wanted[len(names) :]:
            self._write(each)

    def of(self, name: str) -> Any:
        """A copy of what was written, for one test; the cast of a scene is the scene's own."""
        return pickle.loads(next(copy for each, _atomic, copy in self._open if each == name))  # noqa: S301  # our own

    def _write(self, name: str) -> None:
        atomic = Atomic(using=None, savepoint=True, durable=False)
        atomic._from_testcase = True  # type: ignore[attr-defined]  # code under test may ask for a durable block
        atomic.__enter__()
        try:
            if name == "cast":
                written: Any = make_cast()
            else:
                with time_machine.travel(NOW, tick=False):
                    written = make_scene(self.of("cast"))
        except BaseException as error:
            atomic.__exit__(type(error), error, error.__traceback__)
            raise
        self._open.append((name, atomic, pickle.dumps(written)))

    def _end(self) -> None:
        _name, atomic, _copy = self._open.pop()
        connection.set_rollback(True)
        atomic.__exit__(None, None, None)


@pytest.fixture(scope="module")
def _kept(django_db_setup: None, django_db_blocker: Any) -> Iterator[Kept]:
    kept = Kept()
    yield kept
    with django_db_blocker.unblock():
        kept.begin("")


@pytest.fixture
def _beginning(request: pytest.FixtureRequest, _kept: Kept, django_db_blocker: Any) -> None:
    """Asked for before the savepoint of the test is set."""
    with django_db_blocker.unblock():
        _kept.begin(beginning_of(request.node))


@pytest.fixture
def _django_db_helper(_beginning: None, _django_db_helper: None) -> None:
    """The helper of pytest-django, inside of what is kept."""


@pytest.fixture
def _begun(request: pytest.FixtureRequest, db: None, _kept: Kept) -> Cast | Scene | None:
    """The copy of this test; None where nothing is kept for it."""
    name = beginning_of(request.node)
    return _kept.of(name) if name else None


@pytest.fixture
def cast(_begun: Cast | Scene | None) -> Cast:
    """The people and pods of tests/cast.py."""
    if _begun is None:
        return make_cast()
    return _begun.cast if isinstance(_begun, Scene) else _begun


@pytest.fixture
def scene(cast: Cast, _begun: Cast | Scene | None, frozen: time_machine.Traveller) -> Scene:
    """The cast and one of each thing, as tests/scene.py has them; the clock stands still."""
    return _begun if isinstance(_begun, Scene) else make_scene(cast)
