"""Records from outside become rows: only what differs is written, and a bad record stops none of the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.core.upserts import UNSET, Fate, UpsertResult, Wanted, batches, existing_by, merge_rows, values_given
from salesops.leads.models import Lead
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db


def want(position: int, key: str, **values: Any) -> Wanted:
    defaults = {"source": "crm", "external_id": key, "created_at": NOW}
    return Wanted(position, key, values, defaults)


def load(*keys: str) -> dict[str, Lead]:
    return existing_by(Lead.objects.filter(source="crm"), "external_id", keys, lock=False)


def merge(*wanted: Wanted, **options: Any) -> UpsertResult:
    result = UpsertResult()
    merge_rows(Lead, wanted, load(*{str(one.key) for one in wanted}), result=result, **options)
    return result.in_order()


def test_new_records_become_rows_and_the_same_again_writes_nothing() -> None:
    first = merge(want(0, "a", name="Ann", company="Acme"), want(1, "b", name="Bob"))
    assert (first.created, first.changed, first.unchanged, first.refused) == (2, 0, 0, 0)
    assert list(Lead.objects.order_by("external_id").values_list("name", "company", "source")) == [
        ("Ann", "Acme", "crm"),
        ("Bob", "", "crm"),
    ]
    assert first.pks == {0: Lead.objects.get(external_id="a").pk, 1: Lead.objects.get(external_id="b").pk}
    with CaptureQueriesContext(
        connection,
    ) as queries:
        second = merge(want(0, "a", name="Ann", company="Acme"), want(1, "b", name="Bob"))
    assert (second.created, second.changed, second.unchanged) == (0, 0, 2)
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_only_what_differs_is_written_and_named() -> None:
    merge(want(0, "a", name="Ann", company="Acme", phone="1"), want(1, "b", name="Bob"))
    untouched = Lead.objects.get(external_id="b").updated_at
    Lead.objects.filter(external_id="a").update(note="by hand")
    result = merge(want(0, "a", name="Ann", company="Acme Corp"), want(1, "b", name="Bob"))
    assert [(outcome.fate, dict(outcome.before), dict(outcome.after)) for outcome in result.outcomes] == [
        (Fate.CHANGED, {"company": "Acme"}, {"company": "Acme Corp"}),
        (Fate.UNCHANGED, {}, {}),
    ]
    changed = Lead.objects.get(external_id="a")
    assert (changed.company, changed.phone, changed.note) == ("Acme Corp", "1", "by hand")
    assert Lead.objects.get(external_id="b").updated_at == untouched


def test_a_changed_row_says_when_it_was_touched() -> None:
    merge(want(0, "a", name="Ann"))
    Lead.objects.update(updated_at=NOW - timedelta(days=900))
    merge(want(0, "a", name="Anna"))
    assert Lead.objects.get().updated_at > NOW - timedelta(days=900)


def test_a_bad_record_is_refused_in_words_and_stops_no_other() -> None:
    result = merge(
        want(0, "a", name="Ann", email="nonsense", employees=-1),
        want(1, "b", name="Bob"),
        want(2, "c", name="", origin="pigeon"),
        want(3, "d", name="D" * 121),
        want(4, "e", name="E\x00"),
        want(5, "f", name="\ud800"),
    )
    assert (result.created, result.refused) == (1, 5)
    assert list(Lead.objects.values_list("name", flat=True)) == ["Bob"]
    assert [(problem.position, problem.column) for problem in result.problems] == [
        (0, "email"),
        (0, "employees"),
        (2, "name"),
        (2, "origin"),
        (3, "name"),
        (4, "name"),
        (5, "name"),
    ]
    assert str(result.problems[0].message) == "Enter a valid email address."
    assert str(result.problems[5].message) == "This text holds signs that cannot be kept."


def test_a_reference_must_exist(cast: Cast) -> None:
    result = merge(want(0, "a", name="Ann", owner_id=cast.ana.pk), want(1, "b", name="Bob", owner_id=987654))
    assert [(problem.position, problem.column, str(problem.message)) for problem in result.problems] == [
        (1, "owner", "What this refers to does not exist.")
    ]
    assert Lead.objects.get().owner == cast.ana


def test_a_key_that_comes_twice_is_one_row_and_the_later_record_wins() -> None:
    result = merge(want(0, "a", name="Ann"), want(1, "a", name="Anna"), want(2, "a", name="Anna"))
    assert [outcome.fate for outcome in result.outcomes] == [Fate.CREATED, Fate.CHANGED, Fate.UNCHANGED]
    assert Lead.objects.get().name == "Anna"
    assert set(result.pks.values()) == {Lead.objects.get().pk}


def test_what_the_database_refuses_is_found_row_by_row() -> None:
    merge(want(0, "a", name="Ann"), want(1, "b", name="Bob"))
    result = merge(
        want(0, "a", name="Anna"),
        want(1, "b", name="Bobby", status="disqualified"),
        want(2, "c", name="Cy", status="disqualified"),
        want(3, "d", name="Di"),
    )
    assert [outcome.fate for outcome in result.outcomes] == [Fate.CHANGED, Fate.REFUSED, Fate.REFUSED, Fate.CREATED]
    assert sorted(Lead.objects.values_list("name", "status")) == [("Anna", "new"), ("Bob", "new"), ("Di", "new")]
    assert [problem.position for problem in result.problems] == [1, 2]
    assert "leads_lead_disqualified_with_reason" in str(result.problems[0].message)


def test_a_check_across_fields_refuses_and_leaves_the_row_as_it_was() -> None:
    def check(lead: Lead) -> None:
        if lead.company == "Evil":
            raise ValidationError({"company": "No."})

    merge(want(0, "a", name="Ann", company="Acme"))
    result = merge(want(0, "a", name="Anna", company="Evil"), want(1, "a", phone="2"), check=check)
    assert [(problem.position, problem.column, problem.message) for problem in result.problems] == [
        (0, "company", "No.")
    ]
    lead = Lead.objects.get()
    assert (lead.name, lead.company, lead.phone) == ("Ann", "Acme", "2")


def test_a_preview_says_the_same_and_writes_nothing() -> None:
    merge(want(0, "a", name="Ann"))
    wanted = [want(0, "a", name="Anna"), want(1, "b", name="Bob"), want(2, "c", name="")]
    preview = merge(*wanted, preview=True)
    assert list(Lead.objects.values_list("name", flat=True)) == ["Ann"]
    real = merge(*wanted)
    assert [outcome.fate for outcome in preview.outcomes] == [outcome.fate for outcome in real.outcomes]
    assert preview.problems == real.problems
    assert sorted(Lead.objects.values_list("name", flat=True)) == ["Anna", "Bob"]


def test_a_batch_takes_few_statements(cast: Cast) -> None:
    def statements(names: str) -> int:
        wanted = [want(number, str(number), name=names, owner_id=cast.ana.pk, note="n") for number in range(60)]
        with CaptureQueriesContext(connection) as queries:
            merge(*wanted)
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    limit = 2 + (2 if connection.vendor == "postgresql" else 3)  # keys and rows; SQLite takes 999 values a statement
    assert statements("new") <= limit
    assert statements("changed") <= limit
    assert statements("changed") == 1


def test_unset_is_not_none_and_not_empty() -> None:
    class Record:
        one, two, three = None, "", UNSET

    assert values_given(Record(), ["one", "two", "three"]) == {"one": None, "two": ""}
    assert not UNSET
    assert repr(UNSET) == "UNSET"


def test_batches_keep_positions() -> None:
    assert list(batches("abcde", 2)) == [[(0, "a"), (1, "b")], [(2, "c"), (3, "d")], [(4, "e")]]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the plan is PostgreSQL's")
def test_a_long_list_of_ids_is_looked_up_in_the_index(db: None) -> None:
    """Without saying that no id is empty, the index of those that are not is no use, and each batch reads the table."""
    Lead.objects.bulk_create(
        Lead(name=f"Lead {number}", source="crm", external_id=str(number), created_at=NOW) for number in range(3_000)
    )
    with connection.cursor() as cursor:
        # What earlier tests wrote and took back still lies in the indexes, and would make them look expensive.
        cursor.execute("REINDEX TABLE leads_lead")
        cursor.execute("ANALYZE leads_lead")
        cursor.execute("SET LOCAL enable_seqscan = off")
        with CaptureQueriesContext(connection) as queries:
            assert len(load(*map(str, range(150)))) == 150
        statement, _by, _key = queries[0]["sql"].partition(" ORDER BY ")  # so few rows may as well be read in order
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "leads_lead_external" in plan


def test_defaults_name_columns(db: None) -> None:
    with pytest.raises(TypeError, match="Lead has no columns \\['nickname'\\]"):
        merge_rows(Lead, [Wanted(0, "a", {"name": "Ann"}, {"nickname": "A"})], {}, result=UpsertResult())
