"""`__among` finds what `__in` finds, of every kind of column that batches ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.leads.models import Lead
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db

#: What arrays and JSON write in ways of their own.
ODD = ["", "NULL", "a,b", '{"a"}', "back\\slash", "it's", "Łódź 你好 🙂", "{}", "[1]", "%s", "x" * 200]


@pytest.fixture
def leads(cast: Cast) -> list[Lead]:
    return [
        Lead.objects.create(name="Lead", company=company, created_at=NOW, owner=cast.ana if place % 2 else None)
        for place, company in enumerate(ODD)
    ]


def test_texts_are_found_as_they_are_written(leads: list[Lead]) -> None:
    for lead in leads:
        assert [*Lead.objects.filter(company__among=[lead.company])] == [lead]
    assert Lead.objects.filter(company__among={*ODD, "nobody's"}).count() == len(ODD)
    assert not Lead.objects.filter(company__among=["null", "A,B", "a", "x" * 199]).exists()


def test_keys_numbers_and_what_others_refer_to(leads: list[Lead], cast: Cast) -> None:
    wanted = [lead.pk for lead in leads[:3]]
    assert {*Lead.objects.filter(pk__among=[*wanted, *wanted, 0]).values_list("pk", flat=True)} == {*wanted}
    owned = Lead.objects.filter(owner__among=[cast.ana.pk, cast.mia.pk])
    assert owned.count() == Lead.objects.filter(owner_id__among=iter([cast.ana.pk])).count() == len(ODD) // 2
    Lead.objects.filter(pk__among=wanted).update(note="asked")
    assert Lead.objects.filter(note="asked").count() == 3


def test_nothing_is_among_nothing_and_blanks_are_not_either(leads: list[Lead]) -> None:
    nothing: list[Any] = []
    assert not Lead.objects.filter(pk__among=nothing).exists()
    assert Lead.objects.exclude(pk__among=nothing).count() == len(ODD)
    assert Lead.objects.filter(owner__among=[0]).count() == 0
    # As with `__in`: what has no owner is not of another one.
    assert Lead.objects.exclude(owner__among=[0]).count() == Lead.objects.exclude(owner__in=[0]).count() == len(ODD)


def test_many_are_one_parameter(leads: list[Lead]) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        many = [str(number) for number in range(40_000)]
        assert not Lead.objects.filter(company__among=many, created_at__lt=NOW + timedelta(days=1)).exists()
    assert len(asked) == 1
