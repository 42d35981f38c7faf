"""The bucket of requests that all workers of a connection share: nobody takes more than the vendor grants."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from salesops.connectors.models import Connection, RateBudget, Source
from salesops.connectors.rules.backoff import Reading
from salesops.connectors.services import budgets
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db

#: Four requests in two seconds: one in half a second.
FOUR = (4, 2.0)
NONE = timedelta(0)
HOUR = timedelta(hours=1)


@pytest.fixture
def connection(cast: Cast) -> Connection:
    """A connection of which nothing was asked yet."""
    source = Source.objects.create(code="crm", name="CRM")
    return Connection.objects.create(
        source=source, vendor="close", hook_token="a-token", made_by=cast.rita, made_at=NOW
    )


def take(connection: Connection, *, after: float = 0) -> timedelta:
    """Take one, so many seconds after NOW."""
    return budgets.take(connection, FOUR, at=NOW + timedelta(seconds=after))


def budget_of(connection: Connection, **values: Any) -> RateBudget:
    """Its bucket, full as of NOW but for `values`."""
    return RateBudget.objects.create(
        **{"connection": connection, "tokens_milli": 4_000, "filled_at": NOW, "requests": 0} | values
    )


def test_no_more_is_granted_than_the_vendor_allows_and_it_fills_with_time(connection: Connection) -> None:
    assert [take(connection) for _each in range(5)] == [NONE] * 4 + [timedelta(seconds=0.5)]
    assert take(connection, after=0.25) == timedelta(seconds=0.25)
    assert [take(connection, after=0.5), take(connection, after=0.5)] == [NONE, timedelta(seconds=0.5)]
    assert RateBudget.objects.get().requests == 5


def test_a_bucket_never_holds_more_than_the_vendor_allows(connection: Connection) -> None:
    take(connection)
    assert [take(connection, after=3600) for _each in range(5)] == [NONE] * 4 + [timedelta(seconds=0.5)]


def test_a_clock_that_goes_back_takes_nothing_away_and_gives_nothing(connection: Connection) -> None:
    take(connection)
    assert [take(connection, after=-60) for _each in range(4)] == [NONE] * 3 + [timedelta(seconds=0.5)]


def test_all_wait_while_the_vendor_asks_to(connection: Connection) -> None:
    budget_of(connection)
    budgets.block(connection, NOW + timedelta(seconds=90))
    assert take(connection, after=30) == timedelta(seconds=60)
    budgets.block(connection, NOW + timedelta(seconds=40))  # a shorter wait that somebody else heard
    assert take(connection, after=50) == timedelta(seconds=40)
    budgets.block(connection, NOW + timedelta(seconds=100))
    assert take(connection, after=95) == timedelta(seconds=5)
    assert take(connection, after=100) == NONE


def test_a_window_that_is_used_up_is_waited_out(connection: Connection) -> None:
    budget_of(connection)
    budgets.note(connection, Reading(limit=50, remaining=0, resets_at=NOW + timedelta(seconds=7)), at=NOW)
    assert take(connection, after=1) == timedelta(seconds=6)
    assert take(connection, after=7.5) == NONE
    assert RateBudget.objects.get().requests == 1
    budgets.note(connection, Reading(limit=50, remaining=1, resets_at=NOW + timedelta(seconds=70)), at=NOW)
    assert take(connection, after=8) == NONE
    kept = RateBudget.objects.get()
    assert (kept.limit, kept.remaining, kept.resets_at) == (50, 1, NOW + timedelta(seconds=70))


@pytest.mark.parametrize(("left", "wait"), [(4_999, HOUR), (5_000, NONE), (0, HOUR)])
def test_a_twentieth_of_the_day_is_left_to_the_other_systems(
    connection: Connection, left: int, wait: timedelta
) -> None:
    budget_of(connection)
    budgets.note(connection, Reading(day_limit=100_000, day_remaining=left), at=NOW)
    assert take(connection, after=1) == wait
    # Once an hour it is looked whether a new day has begun.
    assert take(connection, after=3601) == NONE


def test_one_connection_does_not_wait_for_another(connection: Connection) -> None:
    source = Source.objects.create(code="other", name="Other")
    other = Connection.objects.create(
        source=source, vendor="close", hook_token="another", made_by=connection.made_by, made_at=NOW
    )
    for each in (connection, other):
        budget_of(each)
    budgets.block(connection, NOW + HOUR)
    budgets.note(connection, Reading(remaining=0, resets_at=NOW + HOUR), at=NOW)
    assert (take(connection), take(other)) == (HOUR, NONE)
