"""Doubts: asked with a reason, decided by somebody else with a reason, and the week is counted anew."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.http import Http404

from salesops.audit.models import AuditEntry
from salesops.core.models import FeatureSwitch
from salesops.effort.choices import Decision
from salesops.effort.models import EffortContest, EffortDay, EffortScore
from salesops.effort.services.contests import contest, decide_contest, withdraw_contest
from salesops.notices.models import Notice
from tests.cast import NOW, TODAY, Cast
from tests.effort.world import LAST_WEEK, entity_on, logged, scored, weights_on

pytestmark = pytest.mark.django_db

TUESDAY = LAST_WEEK + timedelta(days=1)


@pytest.fixture
def world(cast: Cast) -> Cast:
    """Sam's scored week: 10 calls on Monday, 30 on Tuesday that somebody imported twice."""
    entity_on(cast, "sam", "ana", "max")
    weights_on()
    logged(cast.sam, LAST_WEEK, "call", 10)
    logged(cast.sam, TUESDAY, "call", 30)
    assert scored(cast, "sam")[0].score == 32_00
    return cast


def ask(cast: Cast, who: str = "sam", **more: Any) -> EffortContest:
    return contest(actor=cast.actor(who), at=NOW, **{"reason": "Imported twice", **more})


def decide(
    cast: Cast, who: str, row: EffortContest, *, accept: bool = True, because: str = "So it is"
) -> EffortContest:
    return decide_contest(actor=cast.actor(who), contest_id=row.pk, is_accepted=accept, because=because, at=NOW)


def last(cast: Cast) -> tuple[int, int]:
    row = EffortScore.objects.get(person=cast.sam, week_on=LAST_WEEK)
    return row.score, row.days


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))


def test_a_record_is_left_out_and_the_week_counted_anew(world: Cast) -> None:
    record = world.sam.activities.order_by("pk")[0]
    row = ask(world, activity_id=record.pk)
    assert (row.on, row.decision, last(world)) == (LAST_WEEK, Decision.OPEN, (32_00, 500)), "until then it stays"
    assert list(Notice.objects.values_list("person__name", "body")) == [("Max Manager", "Imported twice")]
    decide(world, "max", row, because="Seen in the file")
    assert last(world) == (31_20, 500)
    assert EffortDay.objects.get(person=world.sam, on=LAST_WEEK).count == 9
    row.refresh_from_db()
    assert (row.decision, row.decided_by, row.decided_because) == (Decision.ACCEPTED, world.max, "Seen in the file")
    assert Notice.objects.get(person=world.sam).body == "Seen in the file"
    assert actions() == ["effortcontest.asked", "effortcontest.accepted"]
    # The night after it stays out.
    assert scored(world, "sam")[0].score == 31_20


def test_a_day_is_left_out_on_both_sides(world: Cast) -> None:
    row = ask(world, on=LAST_WEEK, reason="A fair all day")
    decide(world, "rita", row)
    # 30 of 40 calls on the four other days.
    assert last(world) == (30_00, 400)
    assert not EffortDay.objects.filter(on=LAST_WEEK).exists()


def test_declined_it_stays_and_may_be_asked_again(world: Cast) -> None:
    row = ask(world, on=LAST_WEEK)
    decide(world, "max", row, accept=False, because="The fair was in May")
    assert last(world) == (32_00, 500)
    assert actions() == ["effortcontest.asked", "effortcontest.declined"]
    assert ask(world, on=LAST_WEEK).decision == Decision.OPEN


def test_an_old_week_is_counted_anew_as_long_as_its_counts_are_kept(world: Cast) -> None:
    old = LAST_WEEK - timedelta(days=21)
    logged(world.sam, old, "call", 10)
    scored(world, "sam", at=NOW - timedelta(days=21))
    before = EffortScore.objects.get(week_on=old).score
    row = contest(actor=world.actor("sam"), on=old, reason="Ill", at=NOW)
    decide(world, "max", row)
    again = EffortScore.objects.get(week_on=old)
    assert (before, again.score, again.days) == (8_00, 0, 400)
    with pytest.raises(ValidationError, match="deleted"):
        ask(world, on=TODAY - timedelta(weeks=14))


@pytest.mark.parametrize("who", ["sam", "ana", "mia", "finn", "elsa", "ada", "norm"])
def test_only_the_managers_above_and_revenue_operations_decide(world: Cast, who: str) -> None:
    row = ask(world, on=LAST_WEEK)
    with pytest.raises(Http404):
        decide(world, who, row)
    row.refresh_from_db()
    assert (row.decision, last(world), actions()) == (Decision.OPEN, (32_00, 500), ["effortcontest.asked"])


def test_nobody_decides_about_themselves(world: Cast) -> None:
    row = ask(world, "max", on=LAST_WEEK)
    with pytest.raises(Http404):
        decide(world, "max", row)
    row.decision, row.decided_by, row.decided_at, row.decided_because = Decision.ACCEPTED, world.max, NOW, "x"
    with pytest.raises(DatabaseError), transaction.atomic():
        row.save()
    assert EffortContest.objects.get().decision == Decision.OPEN


def test_what_is_refused(world: Cast) -> None:
    hers = logged(world.ana, LAST_WEEK, "call", 1)[0]
    note = logged(world.sam, LAST_WEEK, "note", 1)[0]
    for given in ({"activity_id": hers.pk}, {"activity_id": note.pk}, {"activity_id": 999_999}):
        with pytest.raises(Http404):
            ask(world, **given)
    for given, said in (
        ({}, "record or a day"),
        ({"on": LAST_WEEK, "activity_id": hers.pk}, "record or a day"),
        ({"on": LAST_WEEK, "reason": "  "}, "Say why"),
        ({"on": TODAY}, "not counted yet"),
        ({"on": date(2020, 1, 1)}, "deleted"),
    ):
        with pytest.raises(ValidationError, match=said):
            ask(world, **given)
    assert EffortContest.objects.count() == 0
    row = ask(world, on=LAST_WEEK)
    with pytest.raises(ValidationError, match="already"):
        ask(world, on=LAST_WEEK)
    with pytest.raises(ValidationError, match="Say why"):
        decide(world, "max", row, because=" ")
    decide(world, "max", row)
    with pytest.raises(ValidationError, match="decided already"):
        decide(world, "rita", row, accept=False)
    with pytest.raises(ValidationError, match="already"):
        ask(world, on=LAST_WEEK)
    with pytest.raises(ValidationError, match="Nothing is counted"):
        ask(world, "sven", on=LAST_WEEK)
    assert EffortContest.objects.count() == 1
    FeatureSwitch.objects.update_or_create(code="effort", defaults={"is_on": False})
    with pytest.raises(ValidationError, match="switched this off"):
        ask(world, on=TUESDAY)


def test_a_doubt_is_taken_back_by_who_had_it_until_it_is_decided(world: Cast) -> None:
    row = ask(world, on=LAST_WEEK)
    with pytest.raises(Http404):
        withdraw_contest(actor=world.actor("max"), contest_id=row.pk, at=NOW)
    withdraw_contest(actor=world.actor("sam"), contest_id=row.pk, at=NOW)
    assert EffortContest.objects.count() == 0
    assert actions() == ["effortcontest.asked", "effortcontest.withdrawn"]
    row = ask(world, on=LAST_WEEK)
    decide(world, "max", row)
    with pytest.raises(Http404):
        withdraw_contest(actor=world.actor("sam"), contest_id=row.pk, at=NOW)
    assert EffortContest.objects.count() == 1


def test_the_audit_has_no_reasons(world: Cast) -> None:
    """Why somebody was away is for the two of them; finance and administrators read the audit."""
    row = ask(world, on=LAST_WEEK, reason="In hospital")
    decide(world, "max", row, accept=False, because="The clinic says no")
    told = str(list(AuditEntry.objects.values("action", "before", "after", "reason", "subject_label")))
    assert "effortcontest.declined" in told
    assert "hospital" not in told
    assert "clinic" not in told
