"""Counting and scoring: what counts, for whom, since when, and what is deleted."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.core.models import FeatureSwitch
from salesops.effort.choices import OnSwitchOff
from salesops.effort.models import EffortDay, EffortPolicy, EffortScore
from salesops.effort.services.policies import settle_policy, switch_off, switch_on
from salesops.effort.services.scoring import SCORE_EFFORT, delete_old_counts, score_weeks, weeks_to_score
from salesops.jobs.services import enqueue
from salesops.jobs.testing import run_due
from salesops.notices.models import Notice
from salesops.people.models import Leave, LegalEntity, PublicHoliday, User, WorkingHours
from tests.cast import NOW, TODAY, Cast
from tests.effort.world import LAST_WEEK, THIS_WEEK, entity_on, logged, scored, weights_on

pytestmark = pytest.mark.django_db


def day(number: int) -> date:
    """A day of last week, 0 for its Monday."""
    return LAST_WEEK + timedelta(days=number)


def test_a_week_is_scored_by_part(cast: Cast) -> None:
    entity_on(cast, "sam")
    version = weights_on()
    logged(cast.sam, day(0), "call", 20, good=5)
    logged(cast.sam, day(2), "call", 15, good=10)
    logged(cast.sam, day(4), "meeting", 3, good=2)
    logged(cast.sam, day(4), "note", 50)
    logged(cast.sam, day(4), "mail", 50)
    last, this = scored(cast, "sam")
    # 35 of 50 calls × 40 and 3 of 10 meetings × 60.
    assert (last.week_on, last.score, last.band, last.days, last.is_whole) == (LAST_WEEK, 46_00, "middle", 500, True)
    assert last.parts == [
        ["call", 35, 15, "50", 40, 28_00, False],
        ["meeting", 3, 2, "10", 60, 18_00, False],
    ]
    assert (last.quality_bp, last.version, last.function) == (round(17 / 38 * 10_000), version, "sdr")
    # Monday and Tuesday so far, nothing done: today is not over.
    assert (this.week_on, this.score, this.band, this.days, this.is_whole) == (THIS_WEEK, 0, "low", 200, False)
    rows = EffortDay.objects.order_by("on", "kind").values_list("person_id", "on", "kind", "count", "good")
    assert list(rows) == [
        (cast.sam.pk, day(0), "call", 20, 5),
        (cast.sam.pk, day(2), "call", 15, 10),
        (cast.sam.pk, day(4), "meeting", 3, 2),
    ], "what has no target is not counted"


def test_counting_again_gives_the_same_and_takes_in_what_was_logged_late(cast: Cast) -> None:
    entity_on(cast, "sam")
    weights_on()
    logged(cast.sam, day(0), "call", 10)
    first = [(row.pk, row.score) for row in scored(cast, "sam")]
    assert [(row.pk, row.score) for row in scored(cast, "sam")] == first
    logged(cast.sam, day(1), "call", 10)
    again = scored(cast, "sam")
    assert [row.pk for row in again] == [pk for pk, _score in first]
    assert [row.score for row in again] == [16_00, 0]


def test_a_part_is_capped(cast: Cast) -> None:
    entity_on(cast, "sam")
    weights_on()
    logged(cast.sam, day(0), "call", 500)
    last = scored(cast, "sam")[0]
    assert (last.score, last.parts[0][5:]) == (60_00, [60_00, True])


def test_days_off_count_on_neither_side(cast: Cast) -> None:
    entity = entity_on(cast, "sam")
    weights_on()
    Leave.objects.create(person=cast.sam, start_on=day(1), end_on=day(3))
    PublicHoliday.objects.create(entity=entity, on=day(3), name="Corpus Christi")
    for number in range(7):
        logged(cast.sam, day(number), "call", 10)
    last = scored(cast, "sam")[0]
    # Monday and Friday are left; what was done on leave, on the holiday and on the week-end adds nothing.
    assert (last.days, last.score, last.parts[0][1:4]) == (200, 40_00, [20, 0, "20"])
    assert set(EffortDay.objects.values_list("on", flat=True)) >= {day(0), day(4)}
    assert not EffortDay.objects.filter(on__in=[day(1), day(2), day(3), day(5), day(6)]).exists()


def test_part_time_is_asked_for_less(cast: Cast) -> None:
    entity_on(cast, "sam")
    weights_on()
    for weekday in (1, 2, 3, 4, 5):
        WorkingHours.objects.create(person=cast.sam, weekday=weekday, starts_at=time(9), ends_at=time(13))
    logged(cast.sam, day(0), "call", 25)
    last = scored(cast, "sam")[0]
    assert (last.days, last.score, last.parts[0][3]) == (250, 40_00, "25")


def test_a_start_in_the_week_is_asked_for_the_rest(cast: Cast) -> None:
    entity_on(cast, "sam")
    weights_on()
    User.objects.filter(pk=cast.sam.pk).update(started_on=day(3))
    logged(cast.sam, day(3), "call", 20)
    last = scored(cast, "sam")[0]
    assert (last.days, last.score) == (200, 40_00)


def test_a_day_is_the_persons_own(cast: Cast) -> None:
    """Ten in the evening of Sunday in New York is Monday in UTC."""
    entity_on(cast, "sam", "sven")
    weights_on()
    User.objects.filter(pk=cast.sam.pk).update(time_zone="America/New_York")
    moment = datetime(2026, 6, 9, 2, tzinfo=UTC)
    for person in (cast.sam, cast.sven):
        logged(person, day(1), "call", 1, happened_at=moment)
    logged(cast.sam, day(1), "task", 1, done_at=moment)
    scored(cast, "sam", "sven")
    days = dict(EffortDay.objects.filter(kind="call").values_list("person_id", "on"))
    assert days == {cast.sam.pk: day(0), cast.sven.pk: day(1)}


def test_nobody_without_targets_or_function_is_scored(cast: Cast) -> None:
    entity_on(cast, "sam", "carl", "max")
    weights_on(("sdr",))
    for name in ("sam", "carl", "max"):
        logged(cast.people[name], day(0), "call", 10)
    scored(cast, "sam", "carl", "max")
    assert set(EffortScore.objects.values_list("person_id", flat=True)) == {cast.sam.pk}
    assert set(EffortDay.objects.values_list("person_id", flat=True)) == {cast.sam.pk}


def test_weights_hold_from_the_monday_after_they_are_published(cast: Cast) -> None:
    entity_on(cast, "sam")
    weights_on(since=datetime(2026, 6, 9, 12, tzinfo=UTC))
    logged(cast.sam, day(3), "call", 10)
    assert [(row.week_on, row.version.number) for row in scored(cast, "sam")] == [(THIS_WEEK, 1)]


def test_nothing_from_before_it_was_switched_on_is_counted(cast: Cast) -> None:
    entity = entity_on(cast, "sam")
    weights_on()
    EffortPolicy.objects.filter(entity=entity).update(counted_from=day(2))
    logged(cast.sam, day(1), "call", 30)
    logged(cast.sam, day(2), "call", 15)
    last = scored(cast, "sam")[0]
    assert (last.days, last.score) == (300, 20_00)
    assert set(EffortDay.objects.values_list("on", flat=True)) == {day(2)}


def test_without_an_entity_or_a_policy_nothing_is_counted(cast: Cast) -> None:
    entity_on(cast, "sam")
    weights_on()
    User.objects.filter(pk=cast.ana.pk).update(legal_entity=LegalEntity.objects.create(name="Sud SARL"))
    for name in ("sam", "ana", "sven"):
        logged(cast.people[name], day(0), "call", 10)
    scored(cast, "sam", "ana", "sven")
    assert set(EffortScore.objects.values_list("person_id", flat=True)) == {cast.sam.pk}


def test_the_same_queries_for_one_and_for_many(cast: Cast) -> None:
    entity_on(cast, "sam", "sven", "ana", "alba")
    weights_on()
    for name in ("sam", "sven", "ana", "alba"):
        logged(cast.people[name], day(0), "call", 10)

    def queries(*names: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            scored(cast, *names)
        return len(captured)

    queries("sam")
    assert queries("sam") == queries("sam", "sven", "ana", "alba")


def test_the_nightly_job(cast: Cast) -> None:
    entity_on(cast, "sam", "ana")
    weights_on()
    logged(cast.sam, day(0), "call", 25)
    enqueue(kind=SCORE_EFFORT, key="tonight", payload={}, actor=system_actor(), at=NOW, title="Tonight")
    run_due(at=NOW)
    assert dict(EffortScore.objects.filter(week_on=LAST_WEEK).values_list("person_id", "score")) == {
        cast.sam.pk: 20_00,
        cast.ana.pk: 0,
    }


# --- Keeping --------------------------------------------------------------------------------------------------------


def test_daily_counts_go_and_scores_stay(cast: Cast) -> None:
    entity_on(cast, "sam", keep_weeks=3)
    entity_on(cast, "sven", name="Sud SARL", keep_weeks=10)
    weights_on()
    old, edge = date(2026, 5, 24), date(2026, 5, 25)
    for person in (cast.sam, cast.sven):
        for each in (old, edge):
            EffortDay.objects.create(person=person, on=each, kind="call", count=1)
    logged(cast.sam, day(0), "call", 1)
    scored(cast, "sam")
    assert delete_old_counts(at=NOW) == 1
    kept = set(EffortDay.objects.exclude(on=day(0)).values_list("person_id", "on"))
    assert kept == {(cast.sam.pk, edge), (cast.sven.pk, old), (cast.sven.pk, edge)}
    assert EffortScore.objects.filter(person=cast.sam).count() == 2
    assert delete_old_counts(at=NOW) == 0
    User.objects.filter(pk=cast.sven.pk).update(legal_entity=None)
    later = NOW + timedelta(weeks=10)
    assert EffortDay.objects.filter(person=cast.sven).count() == 2
    delete_old_counts(at=later)
    assert EffortDay.objects.filter(person=cast.sven).count() == 1, "of 24 May; thirteen weeks are over on the 25th"


# --- Switching ------------------------------------------------------------------------------------------------------


def told() -> list[tuple[str, str]]:
    return sorted(Notice.objects.values_list("person__name", "title"))


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))


def test_switching_on_needs_a_purpose_and_tells_everybody(cast: Cast) -> None:
    entity = LegalEntity.objects.create(name="Nord GmbH")
    User.objects.filter(pk__in=[cast.sam.pk, cast.max.pk]).update(legal_entity=entity)
    ada = cast.actor("ada")
    with pytest.raises(ValidationError) as refused:
        switch_on(actor=ada, entity=entity, at=NOW)
    assert sorted(refused.value.message_dict) == ["notice", "purpose"]
    assert (EffortPolicy.objects.count(), told(), actions()) == (0, [], [])
    settle_policy(actor=ada, entity=entity, at=NOW, purpose=" To help. ", notice="Ask us.", keep_weeks=5)
    policy = switch_on(actor=ada, entity=entity, at=NOW)
    assert (policy.is_on, policy.counted_from, policy.purpose) == (True, TODAY, "To help.")
    assert [name for name, _title in told()] == ["Max Manager", "Sam Sorensen"]
    assert Notice.objects.get(person=cast.sam).body == "To help.\n\nAsk us."
    assert actions() == ["effortpolicy.edited", "effortpolicy.switched_on"]
    assert switch_on(actor=ada, entity=entity, at=NOW + timedelta(days=3)).counted_from == TODAY
    with pytest.raises(ValidationError):
        settle_policy(actor=ada, entity=entity, at=NOW, purpose="")
    assert EffortPolicy.objects.get().purpose == "To help."


@pytest.mark.parametrize("name", ["ana", "max", "rita", "finn", "elsa", "norm"])
def test_only_administrators_settle_and_switch(cast: Cast, name: str) -> None:
    entity = entity_on(cast, "sam")
    before = EffortPolicy.objects.values().get()
    for act in (
        lambda: switch_off(actor=cast.actor(name), entity=entity, at=NOW, then=OnSwitchOff.ALL),
        lambda: switch_on(actor=cast.actor(name), entity=entity, at=NOW),
        lambda: settle_policy(actor=cast.actor(name), entity=entity, at=NOW, purpose="Else"),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert EffortPolicy.objects.values().get() == before
    assert actions() == []


@pytest.mark.parametrize(
    ("then", "days", "scores"), [(OnSwitchOff.KEEP, 1, 2), (OnSwitchOff.COUNTS, 0, 2), (OnSwitchOff.ALL, 0, 0)]
)
def test_switching_off_stops_counting_and_deletes_what_was_chosen(
    cast: Cast, then: OnSwitchOff, days: int, scores: int
) -> None:
    entity = entity_on(cast, "sam")
    entity_on(cast, "sven", name="Sud SARL")
    weights_on()
    for person in (cast.sam, cast.sven):
        logged(person, day(0), "call", 10)
    scored(cast, "sam", "sven")
    switch_off(actor=cast.actor("ada"), entity=entity, at=NOW, then=then)
    mine, others = {"person": cast.sam}, {"person": cast.sven}
    assert (EffortDay.objects.filter(**mine).count(), EffortScore.objects.filter(**mine).count()) == (days, scores)
    assert (EffortDay.objects.filter(**others).count(), EffortScore.objects.filter(**others).count()) == (1, 2)
    logged(cast.sam, day(1), "call", 10)
    kept = list(EffortDay.objects.filter(**mine).values()), list(EffortScore.objects.filter(**mine).values())
    made = score_weeks(actor=system_actor(), person_ids=[cast.sam.pk], weeks=weeks_to_score(NOW), at=NOW)
    assert made == 0
    assert (
        list(EffortDay.objects.filter(**mine).values()),
        list(EffortScore.objects.filter(**mine).values()),
    ) == kept
    for actor in (cast.actor("sam"), cast.actor("max"), cast.actor("elsa"), system_actor()):
        assert not EffortScore.objects.visible_to(actor).filter(**mine).exists()
        assert not EffortDay.objects.visible_to(actor).filter(**mine).exists()
    assert actions() == ["effortpolicy.switched_off"]


def test_the_switch_of_the_whole_portal_stops_everything(cast: Cast) -> None:
    entity = entity_on(cast, "sam")
    weights_on()
    logged(cast.sam, day(0), "call", 10)
    FeatureSwitch.objects.update_or_create(code="effort", defaults={"is_on": False})
    assert scored(cast, "sam") == []
    assert EffortDay.objects.count() == 0
    EffortPolicy.objects.filter(entity=entity).update(is_on=False)
    with pytest.raises(ValidationError, match="switched this off"):
        switch_on(actor=cast.actor("ada"), entity=entity, at=NOW)


def test_the_database_wants_a_purpose_too(cast: Cast) -> None:
    entity = LegalEntity.objects.create(name="Nord GmbH")
    wrong: list[dict[str, Any]] = [
        {"purpose": "", "notice": "x", "counted_from": TODAY},
        {"purpose": "x", "notice": "", "counted_from": TODAY},
        {"purpose": "x", "notice": "x"},
        {"is_on": False, "smallest_group": 4},
    ]
    for values in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            EffortPolicy.objects.create(**{"entity": entity, "is_on": True, **values})
    assert EffortPolicy.objects.count() == 0
