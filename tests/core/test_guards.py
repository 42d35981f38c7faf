"""The rules that the database itself keeps are all in place, and survive a change of their table."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, connection, transaction

from salesops.core.guards import declared_rules, install_guards, lift_guards, rules_in_place
from salesops.people.models import Leave, ReportingLine
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def test_every_declared_rule_is_in_the_database() -> None:
    declared = set(declared_rules(connection.vendor))
    assert len(declared) >= 30
    assert declared - rules_in_place(connection) == set()


def test_a_lost_rule_is_put_back_by_the_next_migrate() -> None:
    if connection.vendor == "sqlite":
        lift_guards()
        assert rules_in_place(connection) & set(declared_rules("sqlite")) == set()
    else:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER deals_stagechange_no_delete ON deals_stagechange")
        assert "deals_stagechange_no_delete" not in rules_in_place(connection)
    install_guards()
    assert set(declared_rules(connection.vendor)) - rules_in_place(connection) == set()


@pytest.mark.parametrize(
    ("start", "end", "is_refused"),
    [
        (date(2026, 3, 1), date(2026, 3, 5), True),  # inside
        (date(2026, 2, 20), date(2026, 3, 1), False),  # ends where the other begins
        (date(2026, 2, 20), date(2026, 3, 2), True),  # one day too long
        (date(2026, 3, 10), date(2026, 3, 12), False),  # begins where the other ends
        (date(2026, 3, 9), date(2026, 3, 12), True),  # one day too early
    ],
)
def test_overlapping_days_are_refused(cast: Cast, start: date, end: date, is_refused: bool) -> None:
    Leave.objects.create(person=cast.ana, start_on=date(2026, 3, 1), end_on=date(2026, 3, 10))
    Leave.objects.create(person=cast.sam, start_on=start, end_on=end)  # somebody else's is no matter
    if is_refused:
        with pytest.raises(IntegrityError), transaction.atomic():
            Leave.objects.create(person=cast.ana, start_on=start, end_on=end)
    else:
        Leave.objects.create(person=cast.ana, start_on=start, end_on=end)
    assert Leave.objects.filter(person=cast.ana).count() == (1 if is_refused else 2)


def test_an_open_end_overlaps_everything_later(cast: Cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ReportingLine.objects.create(person=cast.ana, manager=cast.mia, start_on=date(2030, 1, 1))


def test_moving_a_range_onto_another_is_refused(cast: Cast) -> None:
    Leave.objects.create(person=cast.ana, start_on=date(2026, 3, 1), end_on=date(2026, 3, 10))
    later = Leave.objects.create(person=cast.ana, start_on=date(2026, 4, 1), end_on=date(2026, 4, 10))
    with pytest.raises(IntegrityError), transaction.atomic():
        Leave.objects.filter(pk=later.pk).update(start_on=date(2026, 3, 5))
    Leave.objects.filter(pk=later.pk).update(start_on=date(2026, 3, 20))  # its own old days are no obstacle
    later.refresh_from_db()
    assert later.start_on == date(2026, 3, 20)
