"""What all tests share: the cast, clients that are logged in, a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import time_machine
from django.apps import apps
from django.core import serializers
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import Client, SimpleTestCase
from django.utils import translation

from tests.cast import NOW, Cast
from tests.kept import _beginning, _begun, _django_db_helper, _kept, cast, in_order, scene

# A deadline would fail property tests on a busy machine only; where a change is judged, the examples are always the same.
hypothesis.settings.register_profile("salesops", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("salesops")


__all__ = ["_beginning", "_begun", "_django_db_helper", "_kept", "cast", "scene"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make test-services` says."""
    parser.addoption(
        "--where-servers-matter",
        action="store_true",
        help="leave out the tests that are the same everywhere: without database and server, or of one vendor of many",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a file that begin with the same rows run one after the other."""
    if config.getoption("--where-servers-matter"):
        left_out = [item for item in items if not servers_matter(item)]
        config.hook.pytest_deselected(items=left_out)
        kept = set(items) - set(left_out)
        items[:] = [item for item in items if item in kept]
    in_order(items)


#: Of the tests of vendors, one of each kind is tried on servers too: CRM, billing, telephone, calendar, SQL and files. What
#: is a vendor's own neither knows the database nor a model (an import contract), and all the rest is shared.
VENDORS_ON_SERVERS = {"salesforce", "stripe", "twilio", "google", "sql", "files", "shared"}


def servers_matter(item: Any) -> bool:
    """Whether a test could end otherwise with PostgreSQL and Redis: it uses the database, or its file knows of servers
    or starts programs, or it is about jobs."""
    if item.path.stem.startswith("test_prism_"):
        return False
    if item.path.parent.name == "vendors" and item.path.stem.removeprefix("test_") not in VENDORS_ON_SERVERS:
        return False
    if {"db", "transactional_db", "live_server"} & set(item.fixturenames) or item.get_closest_marker("django_db"):
        return True
    if issubclass(getattr(item, "cls", None) or object, SimpleTestCase) or "jobs" in item.path.parts:
        return True
    text = _text_of(item.path)
    return any(word in text for word in ("DATABASE_URL", "BROKER_URL", "subprocess", "tests.servers"))


@cache
def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


#: The rows that migrations made, as JSON; kept when the test database is new.
FROM_MIGRATIONS = ["[]"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Keep what migrations brought, to put it back after tests that empty the tables."""
    ours = [model for model in apps.get_models() if model.__module__.startswith("salesops.")]
    with django_db_blocker.unblock():
        rows = [row for model in ours for row in model._base_manager.all()]
        FROM_MIGRATIONS[0] = serializers.serialize("json", rows)


@pytest.fixture(autouse=True, scope="session")
def _flush_past_the_guards() -> Iterator[None]:
    """Let transactional tests empty append-only tables, which the product itself never can."""
    original = BaseDatabaseOperations.execute_sql_flush

    def put_back() -> None:
        """What migrations brought (the default stages, for one) is there for every test."""
        for row in serializers.deserialize("json", FROM_MIGRATIONS[0]):
            row.save()

    def flush(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET session_replication_role = replica")
                try:
                    original(self, sql_list)
                finally:
                    cursor.execute("SET session_replication_role = DEFAULT")
                put_back()
                return
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
            for name, _sql in triggers:
                cursor.execute(f"DROP TRIGGER {name}")
            original(self, sql_list)
            for _name, sql in triggers:
                cursor.execute(sql)
        put_back()

    BaseDatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign]
    yield
    BaseDatabaseOperations.execute_sql_flush = original  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """A page in another language leaves that language active in this thread; the next test begins in English."""
    yield
    translation.activate("en")


@pytest.fixture
def frozen() -> Iterator[time_machine.Traveller]:
    """Stop the clock at NOW."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def client_of(cast: Cast, frozen: time_machine.Traveller) -> Callable[[str], Client]:
    """A browser in which a person of the cast is logged in, with the second factor given."""

    def log_in(name: str) -> Client:
        client = Client()
        client.force_login(cast.people[name], backend="allauth.account.auth_backends.AuthenticationBackend")
        session = client.session
        session["account_authentication_methods_user"] = str(cast.people[name].pk)
        session["account_authentication_methods"] = [
            {"method": "password", "at": NOW.timestamp()},
            {"method": "mfa", "type": "totp", "at": NOW.timestamp()},
        ]
        session.save()
        return client

    return log_in
