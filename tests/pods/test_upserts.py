"""Territories and memberships from outside come in once, correct what was, and refuse what does not fit."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.core.upserts import Fate, UpsertResult
from salesops.pods.models import PodMembership, Territory, TerritoryAssignment
from salesops.pods.services import (
    MembershipRecord,
    TerritoryAssignmentRecord,
    TerritoryRecord,
    upsert_memberships,
    upsert_territories,
    upsert_territory_assignments,
)
from tests.cast import NOW, SINCE, TODAY, Cast

TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def by(cast: Cast) -> dict[str, Any]:
    return {"actor": cast.actor("rita"), "at": NOW, "source": "crm"}


def fates(result: UpsertResult) -> list[Fate]:
    return [outcome.fate for outcome in result.outcomes]


def said(result: UpsertResult) -> list[tuple[int, str, str]]:
    return [(problem.position, problem.column, str(problem.message)) for problem in result.problems]


def test_territories_come_in_once(cast: Cast, by: dict[str, Any]) -> None:
    records = [TerritoryRecord("1", "Northwest", "US", "North America"), TerritoryRecord("2", "Northeast", "US")]
    assert fates(upsert_territories(records=records, **by)) == [Fate.CREATED, Fate.CREATED]
    assert fates(upsert_territories(records=records, **by)) == [Fate.UNCHANGED, Fate.UNCHANGED]
    assert fates(upsert_territories(records=[TerritoryRecord("2", "North East")], **by)) == [Fate.CHANGED]
    assert list(Territory.objects.order_by("code").values_list("code", "name", "country", "region")) == [
        ("1", "Northwest", "US", "North America"),
        ("2", "North East", "US", ""),
    ]
    entries = AuditEntry.objects.order_by("sequence").values_list("action", "before", "after", "reason")
    assert list(entries)[2:] == [("territory.edited", {"name": "Northeast"}, {"name": "North East"}, "crm")]


def test_who_works_where_comes_in_once_and_ends_later(cast: Cast, by: dict[str, Any]) -> None:
    upsert_territories(records=[TerritoryRecord("1", "Northwest")], **by)
    place = Territory.objects.get()

    def record(start: date, end: date | None = None) -> TerritoryAssignmentRecord:
        return TerritoryAssignmentRecord(cast.ana.pk, place.pk, start, end)

    result = upsert_territory_assignments(
        records=[record(SINCE), record(TODAY), TerritoryAssignmentRecord(cast.ana.pk, 999, TODAY)], **by
    )
    assert fates(result) == [Fate.CREATED, Fate.REFUSED, Fate.REFUSED]
    assert said(result) == [
        (1, "start_on", "Ana Alvarez has territory Northwest from 1 Jan 2025 already."),
        (2, "", "What this refers to does not exist."),
    ]
    records = [record(SINCE, TODAY), record(TODAY)]
    assert fates(upsert_territory_assignments(records=records, **by)) == [Fate.CHANGED, Fate.CREATED]
    assert fates(upsert_territory_assignments(records=records, **by)) == [Fate.UNCHANGED, Fate.UNCHANGED]
    assert sorted(TerritoryAssignment.objects.values_list("start_on", "end_on")) == [(SINCE, TODAY), (TODAY, None)]


def test_a_later_membership_ends_the_open_one(cast: Cast, by: dict[str, Any]) -> None:
    records = [MembershipRecord(cast.ana.pk, cast.south.pk, "ae", TODAY)]
    preview = upsert_memberships(records=records, preview=True, **by)
    assert (fates(preview), preview.pks) == ([Fate.CREATED], {})
    assert PodMembership.objects.get(person=cast.ana).pod == cast.north
    assert not AuditEntry.objects.exists()
    result = upsert_memberships(records=records, **by)
    assert fates(result) == [Fate.CREATED]
    assert str(result.outcomes[0].note) == "ends the membership since 2025-01-01"
    rows = PodMembership.objects.filter(person=cast.ana).order_by("start_on")
    assert list(rows.values_list("pod__name", "start_on", "end_on")) == [
        ("North", SINCE, TODAY),
        ("South", TODAY, None),
    ]
    count = AuditEntry.objects.count()
    with CaptureQueriesContext(connection) as queries:
        assert fates(upsert_memberships(records=records * 30, **by)) == [Fate.UNCHANGED] * 30
    assert AuditEntry.objects.count() == count
    assert len([query for query in queries if query["sql"].startswith("SELECT")]) == 1


def test_a_membership_that_does_not_fit_is_refused_and_the_open_one_goes_on(cast: Cast, by: dict[str, Any]) -> None:
    result = upsert_memberships(
        records=[
            MembershipRecord(cast.ana.pk, cast.south.pk, "boss", TODAY),
            MembershipRecord(cast.sam.pk, 999, "sdr", TODAY),
            MembershipRecord(999, cast.south.pk, "sdr", TODAY),
            MembershipRecord(cast.carl.pk, cast.south.pk, "csm", SINCE - timedelta(days=9), TODAY),
            MembershipRecord(cast.norm.pk, cast.south.pk, "ae", TODAY, TOMORROW),
        ],
        **by,
    )
    assert fates(result) == [Fate.REFUSED] * 4 + [Fate.CREATED]
    assert said(result) == [
        (0, "function", "Value 'boss' is not a valid choice."),
        (1, "", "What this refers to does not exist."),
        (2, "", "What this refers to does not exist."),
        (3, "start_on", "The pod opened on 1 Jan 2025."),
    ]
    assert set(PodMembership.objects.filter(end_on=None).values_list("person__name", "pod__name")) == {
        ("Ana Alvarez", "North"),
        ("Sam Sorensen", "North"),
        ("Carl Chen", "North"),
        ("Alba Abe", "South"),
        ("Sven Singh", "South"),
        ("Cleo Costa", "South"),
    }


def test_the_same_first_day_corrects(cast: Cast, by: dict[str, Any]) -> None:
    result = upsert_memberships(records=[MembershipRecord(cast.ana.pk, cast.south.pk, "kam", SINCE, TODAY)], **by)
    assert [(outcome.fate, outcome.before, outcome.after) for outcome in result.outcomes] == [
        (
            Fate.CHANGED,
            {"pod_id": cast.north.pk, "function": "ae", "end_on": None},
            {"pod_id": cast.south.pk, "function": "kam", "end_on": TODAY.isoformat()},
        )
    ]
    assert list(
        PodMembership.objects.filter(person=cast.ana).values_list("pod__name", "function", "start_on", "end_on")
    ) == [("South", "kam", SINCE, TODAY)]
