"""One person's facts are found from the person to the rows, however many rows the days have."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.commissions.selectors.facts import facts_of
from tests.cast import Cast
from tests.commissions.pay import FLAT_8, plan_in_force, second_quarter, won

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL plans by what the tables hold: here next to nothing"
)
def test_each_way_from_a_person_to_their_transactions_finds_its_index(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00, date(2026, 5, 4))
    period = second_quarter()
    with CaptureQueriesContext(connection) as asked:
        facts_of(period, people=[cast.ana.pk])
    (sql,) = [query["sql"] for query in asked if " UNION " in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in cursor.fetchall() if "commissions_transaction" in row[3].split("USING")[0]]
    assert len(steps) == 7
    assert [step for step in steps if "AND effective_on>?" not in step] == []
