"""Check-ins: the person hears first, their manager later and only if it stays so, in the words of an offer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from salesops.core.models import FeatureSwitch
from salesops.effort.models import EffortCheckIn, EffortPolicy, EffortScore, EffortVersion
from salesops.effort.services.checkins import follow_check_ins, offer_check_ins
from salesops.notices.models import Notice
from tests.cast import NOW, Cast
from tests.effort.world import LAST_WEEK, THIS_WEEK, entity_on, score_of, weights_on

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)
BEFORE = LAST_WEEK - WEEK


@pytest.fixture
def world(cast: Cast) -> Cast:
    entity_on(cast, "sam", "sven", "max", "mia")
    weights_on()
    return cast


def week_scored(cast: Cast, name: str, week: date, score: int, **more: Any) -> None:
    score_of(cast.people[name], week, score, EffortVersion.objects.get(), **more)


def told(at: datetime = NOW) -> list[str]:
    """What comes of one night: follow up, then offer; who was told what."""
    before = set(Notice.objects.values_list("pk", flat=True))
    follow_check_ins(at=at)
    offer_check_ins(at=at)
    rows = Notice.objects.exclude(pk__in=before).select_related("person").order_by("pk")
    return [f"{row.person.name.split()[0]}: {row.title}" for row in rows]


MINE = "A check-in may help: your effort score is lower than usual"


def test_the_person_is_told_first_and_once(world: Cast) -> None:
    week_scored(world, "sam", LAST_WEEK, 29_99)
    week_scored(world, "sven", LAST_WEEK, 30_00)
    assert told() == [f"Sam: {MINE}"]
    row = EffortCheckIn.objects.get()
    assert (row.person, row.because, row.score, row.manager_told_at, row.ended_at) == (
        world.sam,
        "low",
        29_99,
        None,
        None,
    )
    assert told() == []
    assert told(NOW + timedelta(days=1)) == []
    body = Notice.objects.get().body
    assert "Nobody else was told" in body
    assert "no effect on pay" in body


def test_a_fall_of_more_than_a_fifth(world: Cast) -> None:
    week_scored(world, "sam", BEFORE, 75_01)
    week_scored(world, "sam", LAST_WEEK, 60_00)
    week_scored(world, "sven", BEFORE, 75_00)
    week_scored(world, "sven", LAST_WEEK, 60_00)
    assert told() == [f"Sam: {MINE}"]
    assert EffortCheckIn.objects.values_list("because", "score_before").get() == ("drop", 75_01)


def test_other_weights_or_another_function_are_no_fall(world: Cast) -> None:
    week_scored(world, "sam", BEFORE, 90_00, function="ae")
    week_scored(world, "sam", LAST_WEEK, 40_00)
    assert told() == []


def test_a_week_that_is_not_over_or_too_short_is_no_reason(world: Cast) -> None:
    week_scored(world, "sam", THIS_WEEK, 1_00, is_whole=False)
    week_scored(world, "sven", LAST_WEEK, 1_00, days=199)
    assert told() == []
    assert EffortCheckIn.objects.count() == 0


def test_late_work_has_two_days_to_be_logged(world: Cast) -> None:
    week_scored(world, "sam", LAST_WEEK, 1_00)
    monday = NOW - timedelta(days=2)
    assert told(monday) == []
    assert told(monday + timedelta(days=1)) == []
    assert told(monday + timedelta(days=2)) == [f"Sam: {MINE}"]


def test_the_manager_is_asked_later_and_only_if_it_stays_so(world: Cast) -> None:
    week_scored(world, "sam", LAST_WEEK, 20_00)
    week_scored(world, "sven", LAST_WEEK, 20_00)
    told()
    assert told(NOW + timedelta(days=9)) == [], "there is no week since, and it is too early"
    week_scored(world, "sam", THIS_WEEK, 25_00)
    week_scored(world, "sven", THIS_WEEK, 30_00)
    assert told(NOW + timedelta(days=9, hours=23)) == [], "ten days have not passed"
    assert told(NOW + timedelta(days=10)) == ["Max: A check-in with Sam Sorensen may help"]
    body = Notice.objects.get(person=world.max).body
    assert "they were told first" in body
    assert "not a judgement" in body
    assert "25" not in body, "the score is on the page, where looks are written down"
    assert EffortCheckIn.objects.get(person=world.sven).ended_at is not None
    assert EffortCheckIn.objects.get(person=world.sam).ended_at is None
    assert told(NOW + timedelta(days=11)) == []


def test_without_a_later_week_nobody_else_hears(world: Cast) -> None:
    week_scored(world, "sam", LAST_WEEK, 20_00)
    told()
    assert told(NOW + timedelta(days=40)) == []
    assert not Notice.objects.filter(person=world.max).exists()


def test_a_fall_is_over_when_the_score_is_back(world: Cast) -> None:
    week_scored(world, "sam", BEFORE, 80_00)
    week_scored(world, "sam", LAST_WEEK, 50_00)
    told()
    week_scored(world, "sam", THIS_WEEK, 64_00)
    assert told(NOW + timedelta(days=10)) == []
    assert EffortCheckIn.objects.get().ended_at is not None
    # And a fall that stays, although no week after it falls.
    week_scored(world, "sven", BEFORE, 80_00)
    week_scored(world, "sven", LAST_WEEK, 50_00)
    EffortCheckIn.objects.create(
        person=world.sven, week_on=LAST_WEEK, because="drop", score=50_00, score_before=80_00, told_at=NOW
    )
    week_scored(world, "sven", THIS_WEEK, 63_99)
    assert told(NOW + timedelta(days=10)) == ["Mia: A check-in with Sven Singh may help"]


def test_switched_off_nobody_is_told(world: Cast) -> None:
    week_scored(world, "sam", LAST_WEEK, 20_00)
    EffortPolicy.objects.update(is_on=False)
    assert told() == []
    EffortPolicy.objects.update(is_on=True)
    FeatureSwitch.objects.update_or_create(code="effort", defaults={"is_on": False})
    assert told() == []
    assert (EffortCheckIn.objects.count(), EffortScore.objects.count()) == (0, 1)
