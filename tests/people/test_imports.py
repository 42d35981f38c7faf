"""People from outside come in once, keep what nobody speaks about, and get no right that the importer may not give."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.core.upserts import Fate, UpsertResult
from salesops.people.imports import PersonRecord, upsert_people
from salesops.people.models import FunctionAssignment, ReportingLine, RoleGrant, User
from tests.cast import NOW, SINCE, TODAY, Cast

pytestmark = pytest.mark.django_db
START = date(2024, 3, 1)


def take(cast: Cast, *records: PersonRecord, who: str = "ada", preview: bool = False) -> UpsertResult:
    return upsert_people(records=records, actor=cast.actor(who), source="hr", at=NOW, preview=preview)


def fates(result: UpsertResult) -> list[Fate]:
    return [outcome.fate for outcome in result.outcomes]


def said(result: UpsertResult) -> list[tuple[int, str, str]]:
    return [(problem.position, problem.column, str(problem.message)) for problem in result.problems]


def new(cast: Cast, **values: Any) -> PersonRecord:
    given: dict[str, Any] = {
        "name": "Zoe Zhang",
        "email": " Zoe@Example.com ",
        "external_id": "e-9",
        "title": "Account executive",
        "started_on": START,
        "function": "ae",
        "role": "rep",
        "manager_id": cast.max.pk,
    }
    return PersonRecord(**(given | values))


def test_a_new_person_comes_with_function_role_and_manager_from_the_first_day(cast: Cast) -> None:
    assert fates(take(cast, new(cast))) == [Fate.CREATED]
    zoe = User.objects.get(external_id="e-9")
    assert (zoe.name, zoe.email, zoe.title, zoe.started_on, zoe.is_active) == (
        "Zoe Zhang",
        "zoe@example.com",
        "Account executive",
        START,
        True,
    )
    assert not zoe.has_usable_password()
    assert (zoe.is_staff, zoe.is_superuser) == (False, False)
    for model, values in (
        (FunctionAssignment, ("ae", START, None)),
        (RoleGrant, ("rep", START, None)),
        (ReportingLine, (cast.max.pk, START, None)),
    ):
        column = {"FunctionAssignment": "function", "RoleGrant": "role", "ReportingLine": "manager"}[model.__name__]
        assert list(model.objects.filter(person=zoe).values_list(column, "start_on", "end_on")) == [values]  # type: ignore[attr-defined]
    assert set(AuditEntry.objects.values_list("action", "reason")) == {
        ("person.added", "hr"),
        ("function.changed", "hr"),
        ("reporting_line.changed", "hr"),
        ("role.granted", "hr"),
    }


def test_the_same_again_writes_nothing(cast: Cast) -> None:
    take(cast, new(cast))
    count = AuditEntry.objects.count()
    with CaptureQueriesContext(connection) as queries:
        result = take(cast, *[new(cast)] * 20)
    assert fates(result) == [Fate.UNCHANGED] * 20
    assert AuditEntry.objects.count() == count
    assert not [query for query in queries if query["sql"].split()[0] in {"INSERT", "UPDATE", "DELETE"}]


def test_only_what_is_said_changes(cast: Cast) -> None:
    take(cast, new(cast))
    result = take(
        cast, PersonRecord(external_id="e-9", title="Key account manager", function="kam", manager_id=cast.mia.pk)
    )
    assert [(outcome.fate, outcome.before, outcome.after) for outcome in result.outcomes] == [
        (
            Fate.CHANGED,
            {"title": "Account executive", "function": "ae", "manager_id": cast.max.pk},
            {"title": "Key account manager", "function": "kam", "manager_id": cast.mia.pk},
        )
    ]
    zoe = User.objects.get(external_id="e-9")
    assert (zoe.name, zoe.email) == ("Zoe Zhang", "zoe@example.com")
    lines = FunctionAssignment.objects.filter(person=zoe).order_by("start_on")
    assert list(lines.values_list("function", "start_on", "end_on")) == [("ae", START, TODAY), ("kam", TODAY, None)]


@pytest.mark.parametrize(
    "record",
    [
        PersonRecord(external_id="x-1", employee_number="105", name="Ana A."),
        PersonRecord(employee_number="105", name="Ana A."),
        PersonRecord(email="ANA@example.com ", name="Ana A."),
    ],
)
def test_who_is_known_is_found_by_number_or_address(cast: Cast, record: PersonRecord) -> None:
    assert fates(take(cast, record)) == [Fate.CHANGED]
    cast.ana.refresh_from_db()
    assert cast.ana.name == "Ana A."
    assert User.objects.count() == len(cast.people)


def test_a_name_alone_finds_the_only_one_who_has_it(cast: Cast) -> None:
    result = take(cast, PersonRecord(name="ana  ALVAREZ", title="AE"), PersonRecord(name="New Body"))
    assert fates(result) == [Fate.CHANGED, Fate.CREATED]
    body = User.objects.get(name="New Body")
    assert body.email.startswith("new-body.")
    assert body.email.endswith("@no-address.invalid")
    assert fates(take(cast, PersonRecord(name="New Body"))) == [Fate.UNCHANGED]
    User.objects.filter(pk=cast.sam.pk).update(name="New Body")
    assert said(take(cast, PersonRecord(name="New Body"))) == [
        (0, "name", "2 people are called “New Body”: say which by number or e-mail address.")
    ]


def test_a_bad_record_is_refused_whole_and_stops_no_other(cast: Cast) -> None:
    people = User.objects.count()
    result = take(
        cast,
        new(cast, function="boss"),
        new(cast, role="overlord"),
        new(cast, manager_id=99999),
        new(cast, email="nonsense"),
        new(cast, name=""),
        new(cast, left_on=date(2020, 1, 1)),
        PersonRecord(external_id="e-2", email="yan@example.com", name="Yan"),
    )
    assert fates(result) == [Fate.REFUSED] * 6 + [Fate.CREATED]
    assert said(result) == [
        (0, "function", "There is no function “boss”."),
        (1, "role", "There is no role “overlord”."),
        (2, "manager", "This person does not exist."),
        (3, "email", "Enter a valid email address."),
        (4, "name", "This field cannot be blank."),
        (5, "left_on", "The last day cannot lie before the first day."),
    ]
    assert User.objects.count() == people + 1
    assert not RoleGrant.objects.filter(person__external_id="e-9").exists()


def test_a_refused_change_leaves_the_person_as_they_were_for_the_next_record(cast: Cast) -> None:
    result = take(
        cast,
        PersonRecord(employee_number="105", title="Boss", function="boss"),
        PersonRecord(employee_number="105", name="Ana A."),
        PersonRecord(employee_number="105", function="kam", manager_id=99999),
        PersonRecord(employee_number="105", title="Boss", function="kam"),
    )
    assert fates(result) == [Fate.REFUSED, Fate.CHANGED, Fate.REFUSED, Fate.CHANGED]
    assert result.outcomes[3].after == {"title": "Boss", "function": "kam"}
    cast.ana.refresh_from_db()
    assert (cast.ana.title, cast.ana.name) == ("Boss", "Ana A.")
    assert FunctionAssignment.objects.get(person=cast.ana, end_on=None).function == "kam"


def test_a_number_that_is_taken_is_refused(cast: Cast) -> None:
    result = take(cast, PersonRecord(email="ana@example.com", employee_number="106"))
    # The number is Carl's, and numbers go before addresses: the record means Carl, whose new address is Ana's.
    assert fates(result) == [Fate.REFUSED]
    cast.carl.refresh_from_db()
    assert cast.carl.email == "carl@example.com"


def test_a_circle_of_managers_is_refused(cast: Cast) -> None:
    result = take(cast, PersonRecord(employee_number="102", manager_id=cast.ana.pk))
    assert fates(result) == [Fate.REFUSED]
    assert result.problems[0].column == "manager"
    assert ReportingLine.objects.get(person=cast.max, end_on=None).manager == cast.elsa


def test_revenue_operations_correct_people_but_give_no_rights(cast: Cast) -> None:
    people, roles = User.objects.count(), RoleGrant.objects.count()
    result = take(
        cast,
        PersonRecord(employee_number="105", title="AE", function="kam", manager_id=cast.mia.pk),
        PersonRecord(employee_number="105", email="ana2@example.com"),
        PersonRecord(employee_number="105", role="admin"),
        PersonRecord(employee_number="105", left_on=TODAY),
        new(cast),
        PersonRecord(employee_number="105", email="ana@example.com", role="rep"),
        who="rita",
    )
    assert fates(result) == [Fate.CHANGED] + [Fate.REFUSED] * 4 + [Fate.UNCHANGED]
    assert said(result) == [
        (1, "email", "Only administrators change addresses."),
        (2, "role", "Only administrators grant roles."),
        (3, "left_on", "Only administrators let people go."),
        (4, "", "Only administrators add people."),
    ]
    assert (User.objects.count(), RoleGrant.objects.count()) == (people, roles)


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa", "norm"])
def test_others_bring_nobody_in(cast: Cast, who: str) -> None:
    with pytest.raises(PermissionDenied):
        take(cast, new(cast), who=who)
    assert not User.objects.filter(external_id="e-9").exists()


def test_who_left_is_let_go_and_locked_out(cast: Cast) -> None:
    assert fates(take(cast, PersonRecord(employee_number="105", left_on=TODAY))) == [Fate.CHANGED]
    cast.ana.refresh_from_db()
    assert (cast.ana.left_on, cast.ana.is_active) == (TODAY, False)
    assert RoleGrant.objects.get(person=cast.ana).end_on == TODAY
    assert fates(take(cast, PersonRecord(employee_number="105", left_on=TODAY))) == [Fate.UNCHANGED]


def test_a_preview_says_the_same_and_writes_nothing(cast: Cast) -> None:
    records = [new(cast), PersonRecord(employee_number="105", title="AE"), new(cast, external_id="q", email="bad")]
    preview = take(cast, *records, preview=True)
    assert not User.objects.filter(external_id="e-9").exists()
    assert User.objects.get(pk=cast.ana.pk).title == ""
    assert AuditEntry.objects.count() == 0
    real = take(cast, *records)
    assert fates(preview) == fates(real) == [Fate.CREATED, Fate.CHANGED, Fate.REFUSED]
    assert said(preview) == said(real)
    assert preview.pks == {1: cast.ana.pk}


def test_the_first_day_counts_from_when_the_source_says(cast: Cast) -> None:
    take(cast, new(cast, since=date(2025, 5, 1)))
    assert RoleGrant.objects.get(person__external_id="e-9").start_on == date(2025, 5, 1)
    assert RoleGrant.objects.get(person=cast.ana).start_on == SINCE
