"""Pods and people as of a day: in bulk, in few queries, and only what the actor may see."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

import pytest
from django.http import Http404
from hypothesis import given
from hypothesis import strategies as st

from salesops.pods import selectors, workload
from salesops.pods.models import Pod, PodMembership, Segment
from salesops.pods.rules.readiness import Part
from salesops.pods.workload import Load
from tests.cast import SINCE, TODAY, Cast

YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def moved(cast: Cast) -> None:
    """Ana goes from North to South today; Sam leaves North for nothing."""
    PodMembership.objects.filter(person__in=[cast.ana, cast.sam]).update(end_on=TODAY)
    PodMembership.objects.create(pod=cast.south, person=cast.ana, function="kam", start_on=TODAY)


def test_each_sees_their_pods(cast: Cast) -> None:
    seen = {
        name: [pod.name for pod in selectors.pods_for(cast.actor(name))]
        for name in ("ana", "max", "rita", "elsa", "norm")
    }
    assert seen == {
        "ana": ["North"],
        "max": ["North"],
        "rita": ["North", "South"],
        "elsa": ["North", "South"],
        "norm": [],
    }
    assert selectors.pod_for(cast.actor("ana"), cast.north.pk) == cast.north
    for key in (cast.south.pk, 99999, 2**70):
        with pytest.raises(Http404):
            selectors.pod_for(cast.actor("ana"), key)


def test_only_pods_that_are_open_are_offered(cast: Cast) -> None:
    Pod.objects.filter(pk=cast.north.pk).update(closed_on=TODAY)
    rita = cast.actor("rita")
    assert [pod.name for pod in selectors.open_pods_for(rita, YESTERDAY)] == ["North", "South"]
    assert [pod.name for pod in selectors.open_pods_for(rita, TODAY)] == ["South"]
    assert list(selectors.open_pods_for(rita, SINCE - timedelta(days=1))) == []


def test_who_was_where_on_a_day(cast: Cast, moved: None, django_assert_num_queries: Any) -> None:
    people = [cast.ana.pk, cast.sam.pk, cast.max.pk]
    with django_assert_num_queries(1):
        assert selectors.pod_of(people, YESTERDAY) == {cast.ana.pk: cast.north.pk, cast.sam.pk: cast.north.pk}
    assert selectors.pod_of(people, TODAY) == {cast.ana.pk: cast.south.pk}
    names = [row.person.name for row in selectors.members_on(cast.actor("rita"), TODAY).filter(pod=cast.south)]
    assert sorted(names) == ["Alba Abe", "Ana Alvarez", "Cleo Costa", "Sven Singh"]


def test_the_history_answers_for_any_day_from_memory(cast: Cast, moved: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        history = selectors.pod_history([cast.ana.pk, cast.sam.pk])
    with django_assert_num_queries(0):
        assert history.pod_on(cast.ana.pk, SINCE - timedelta(days=1)) is None
        assert (history.pod_on(cast.ana.pk, SINCE), history.function_on(cast.ana.pk, SINCE)) == (cast.north.pk, "ae")
        assert history.pod_on(cast.ana.pk, YESTERDAY) == cast.north.pk
        assert (history.pod_on(cast.ana.pk, TODAY), history.function_on(cast.ana.pk, TODAY)) == (cast.south.pk, "kam")
        assert history.pod_on(cast.sam.pk, TODAY) is None
        assert history.pod_on(cast.alba.pk, TODAY) is None  # not loaded
    assert selectors.pod_history().pod_on(cast.alba.pk, TODAY) == cast.south.pk


@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=8, unique=True).map(sorted),
    st.integers(-2, 33),
    st.booleans(),
)
def test_the_history_agrees_with_reading_the_rows(cuts: list[int], asked: int, is_open: bool) -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in cuts]
    rows = [(start, end, index) for index, (start, end) in enumerate(itertools.pairwise(days)) if index % 3]
    if is_open:
        rows.append((days[-1], None, 99))  # type: ignore[arg-type]  # an open end
    history = selectors.PodHistory(
        {7: [start for start, _end, _pod in rows]}, {7: [(end, pod, "ae") for _start, end, pod in rows]}
    )
    day = date(2026, 1, 1) + timedelta(days=asked)
    expected = [pod for start, end, pod in rows if start <= day and (end is None or day < end)]
    assert history.pod_on(7, day) == (expected[0] if expected else None)


@pytest.mark.parametrize(
    ("employees", "segment"), [(None, None), (0, "smb"), (99, "smb"), (100, "enterprise"), (10**9, "enterprise")]
)
def test_the_segment_follows_the_number_of_employees(cast: Cast, employees: int | None, segment: str | None) -> None:
    Segment.objects.create(code="any", name="Anything", position=0)
    found = selectors.segment_for_employees(employees, selectors.segments())
    assert (found.code if found else None) == segment


def test_how_the_pods_stand(cast: Cast, moved: None, monkeypatch: Any, django_assert_num_queries: Any) -> None:
    def count(*, pod_ids: Collection[int], person_ids: Collection[int]) -> Load:
        return Load(by_pod={cast.north.pk: 150} if pod_ids else {})

    monkeypatch.setattr(workload, "_counters", {"leads": count})
    rita = cast.actor("rita")
    pods = list(selectors.pods_for(rita))
    with django_assert_num_queries(1):
        north, south = selectors.standings(rita, pods, TODAY)
    assert [row.person.name for row in north.members] == ["Carl Chen"]
    assert north.readiness.missing == (Part.ACQUISITION, Part.CLOSING)
    assert {part: [row.person.name for row in rows] for part, rows in south.by_part.items()} == {
        Part.ACQUISITION: ["Sven Singh"],
        Part.CLOSING: ["Alba Abe", "Ana Alvarez"],
        Part.SUCCESS: ["Cleo Costa"],
    }
    assert south.readiness.is_ready
    assert south.readiness.short == {}
    assert (north.open_leads, north.load_bp, north.open_deals) == (150, 7500, None)
    assert (south.open_leads, south.load_bp) == (0, 0)


def test_without_anybody_counting_the_load_is_unknown(cast: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(workload, "_counters", {})
    (standing,) = selectors.standings(cast.actor("ana"), selectors.pods_for(cast.actor("ana")), TODAY)
    assert (standing.open_leads, standing.load_bp) == (None, None)
