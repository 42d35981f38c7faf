"""The first rows of a list are the right ones, in the right order, however they are found."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.core.first_rows import first_rows
from salesops.deals.models import Deal, Stage
from salesops.leads.models import Lead
from tests.cast import NOW, Cast

ON_POSTGRESQL = connection.vendor == "postgresql"


@pytest.fixture
def deals(cast: Cast) -> None:
    """Ninety deals of all kinds of owners and pods, many of them equal in what they are sorted by."""
    stream = random.Random(5)
    stage = Stage.objects.filter(kind="open")[0]
    owners = [cast.ana, cast.sam, cast.carl, cast.alba, cast.sven, cast.max, None]
    pods = [cast.north, cast.south, None]
    Deal.objects.bulk_create(
        Deal(
            name=f"Deal {stream.randrange(30)}",
            owner=owner,
            pod=pod,
            stage=stage,
            amount_minor=stream.choice([100, 200, 300, 400]),
            expected_close_on=stream.choice([None, NOW.date(), NOW.date() + timedelta(days=9)]),
            created_at=datetime(2026, 1, 1 + stream.randrange(20), tzinfo=UTC),
        )
        for owner, pod, _turn in itertools.islice(itertools.cycle(itertools.product(owners, pods, range(5))), 95)
    )


ORDERS = [("-amount_minor", "-pk"), ("name", "pk"), ("-created_at", "-pk"), ("-pk",)]
PLACES = [(0, 10), (7, 12), (0, 1000), (40, 41), (500, 510), (3, 3)]


def test_rows_are_those_of_the_plain_query(cast: Cast, deals: None) -> None:
    for who, order in itertools.product(["ana", "max", "elsa", "rita", "carl", "norm"], ORDERS):
        rows = Deal.objects.visible_to(cast.actor(who)).filter(amount_minor__gt=100).order_by(*order)
        expected = list(rows.values_list("pk", flat=True))
        for (start, stop), is_few in itertools.product(PLACES, [True, False]):
            found = [deal.pk for deal in first_rows(rows, start, stop, is_few=is_few)]
            assert found == expected[start:stop], (who, order, start, stop, is_few)


def test_a_row_that_is_own_and_the_pods_comes_once(cast: Cast, deals: None) -> None:
    rows = Deal.objects.visible_to(cast.actor("ana")).order_by("-amount_minor", "-pk")
    assert rows.filter(owner=cast.ana, pod=cast.north).exists()
    keys = [deal.pk for deal in first_rows(rows, 0, 1000)]
    assert len(keys) == len(set(keys)) == rows.count()


def test_managers_find_leads_that_nobody_has(cast: Cast) -> None:
    for number, owner in enumerate([cast.ana, None, cast.alba, None, cast.sam]):
        Lead.objects.create(name=f"Lead {number}", owner=owner, created_at=NOW)
    rows = Lead.objects.visible_to(cast.actor("max")).order_by("name", "pk")
    assert [lead.name for lead in first_rows(rows, 0, 50)] == ["Lead 0", "Lead 1", "Lead 3", "Lead 4"]


def test_what_the_page_shows_is_fetched_along(cast: Cast, deals: None) -> None:
    rows = Deal.objects.visible_to(cast.actor("ana")).select_related("owner").order_by("-amount_minor", "-pk")
    for is_few in (True, False):
        found = first_rows(rows, 0, 20, is_few=is_few)
        with CaptureQueriesContext(connection) as captured:
            assert [str(deal.owner) for deal in found]
        assert len(captured) == 0


def statements(rows: Any, **options: Any) -> str:
    """What is asked of the database for the first ten rows."""
    with CaptureQueriesContext(connection) as captured:
        first_rows(rows, 0, 10, **options)
    return "\n".join(query["sql"] for query in captured.captured_queries)


@pytest.mark.skipif(not ON_POSTGRESQL, reason="the planner of PostgreSQL is what this is for")
def test_branches_are_read_one_by_one_only_where_that_helps(cast: Cast, deals: None) -> None:
    def rows(who: str) -> Any:
        return Deal.objects.visible_to(cast.actor(who)).order_by("-amount_minor", "-pk")

    assert statements(rows("ana")).count("UNION") == 1
    assert statements(rows("max")).count("UNION") == 4  # Max, Sam, Ana, Carl, North
    assert "UNION" not in statements(rows("rita"))
    assert "UNION" not in statements(rows("ana").filter(owner__in=[cast.ana.pk]))
    assert "UNION" not in statements(rows("ana").filter(pod=cast.north))
    assert statements(rows("ana").exclude(owner=cast.sam)).count("UNION") == 1
    assert "UNION" not in statements(rows("ana").order_by("account__name", "pk"))
    assert "UNION" not in statements(rows("ana").order_by("name", "pk"))  # no index by pod and name
    assert statements(rows("ana").filter(name__contains="1")).count("UNION") == 1
    many = rows("ana")
    many.branches = tuple({"owner_id": pk} for pk in range(13))
    assert statements(many).count("UNION") == 12
    assert "UNION" not in statements(many.filter(name__contains="1"))
    assert "UNION" not in statements(rows("ana") | rows("max"))
    few = statements(rows("ana"), is_few=True)
    assert "UNION" not in few
    assert 'COALESCE("deals_deal"."amount_minor", "deals_deal"."amount_minor") DESC' in few


@pytest.mark.skipif(ON_POSTGRESQL, reason="SQLite cannot cut the parts of a union")
def test_elsewhere_rows_are_read_as_they_are(cast: Cast, deals: None) -> None:
    rows = Deal.objects.visible_to(cast.actor("ana")).order_by("-amount_minor", "-pk")
    assert "COALESCE" not in statements(rows, is_few=True)
    assert "UNION" not in statements(rows)


def test_two_scopes_together_have_no_branches(cast: Cast) -> None:
    one, other = (Deal.objects.visible_to(cast.actor(who)) for who in ("ana", "alba"))
    assert one.branches == ({"owner_id": cast.ana.pk}, {"pod_id": cast.north.pk})
    assert one.filter(name="x").order_by("name")[:3].branches == one.branches
    assert (one | other).branches == ()
