"""Leads are made, changed, given, disqualified and converted; what does not fit is refused and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, Contact
from salesops.accounts.services import create_account, create_contact
from salesops.audit.models import AuditEntry
from salesops.leads import services
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.rules.statuses import OPEN, Refusal, Step, step
from salesops.leads.selectors import accounts_like, assignments_of, leads_in_work, same_person
from salesops.leads.services import LeadChanges
from tests.cast import NOW, Cast

LATER = NOW + timedelta(hours=2)


def make(cast: Cast, who: str = "rita", **fields: Any) -> Lead:
    return services.create_lead(actor=cast.actor(who), at=NOW, **({"name": "Lena Lee"} | fields))


def entry() -> tuple[str, dict[str, Any], dict[str, Any]]:
    found = AuditEntry.objects.latest("sequence")
    return found.action, found.before, found.after


def given(lead: Lead) -> list[tuple[Any, ...]]:
    rows = LeadAssignment.objects.filter(lead=lead).order_by("pk")
    return list(rows.values_list("person__name", "pod__name", "method", "reason", "assigned_by__name", "assigned_at"))


def everything() -> list[list[str]]:
    return [
        sorted(map(str, model.objects.values_list())) for model in (Lead, LeadAssignment, Account, Contact, AuditEntry)
    ]


def refusal(call: Callable[[], Any]) -> dict[str, list[str]] | list[str]:
    """What a service says when it refuses, having changed nothing."""
    before = everything()
    with pytest.raises(ValidationError) as caught, transaction.atomic():
        call()
    assert everything() == before
    return caught.value.message_dict if hasattr(caught.value, "error_dict") else caught.value.messages


# --- Making and changing ------------------------------------------------------------------------------------------


def test_a_rep_makes_a_lead_of_their_own(cast: Cast) -> None:
    lead = make(cast, "sam", name=" Lena Lee ", company="Acme", email=" Lena@ACME.com", employees=500)
    assert (lead.name, lead.email, lead.owner, lead.pod, lead.segment) == (
        "Lena Lee",
        "lena@acme.com",
        cast.sam,
        cast.north,
        cast.enterprise,
    )
    assert (lead.status, lead.origin, lead.created_at, lead.assigned_at) == ("new", "inbound", NOW, NOW)
    assert given(lead) == [("Sam Sorensen", "North", "manual", "", "Sam Sorensen", NOW)]
    action, before, after = entry()
    assert (action, before, after["email"], after["owner"]) == ("lead.created", {}, "lena@acme.com", cast.sam.pk)


def test_revenue_operations_make_a_lead_of_nobody(cast: Cast) -> None:
    lead = make(cast)
    assert (lead.owner, lead.pod, lead.assigned_at, given(lead)) == (None, None, None, [])
    only_pod = make(cast, pod=cast.south)
    assert given(only_pod) == [(None, "South", "manual", "", "Rita Revops", NOW)]


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"name": " "}, "name"),
        ({"email": "nonsense"}, "email"),
        ({"currency": "XXX"}, "currency"),
        ({"origin": "pigeon"}, "origin"),
        ({"employees": -1}, "employees"),
        ({"company": "x" * 201}, "company"),
    ],
)
def test_what_a_lead_cannot_hold_is_refused_at_its_field(cast: Cast, fields: dict[str, Any], column: str) -> None:
    assert list(refusal(lambda: make(cast, **fields))) == [column]


@pytest.mark.parametrize("who", ["finn", "elsa", "norm"])
def test_who_only_reads_changes_nothing(cast: Cast, who: str) -> None:
    lead = make(cast)
    by = {"actor": cast.actor(who), "at": NOW}
    before = everything()
    for call in (
        lambda: services.create_lead(name="X", **by),
        lambda: services.edit_lead(lead_id=lead.pk, name="X", **by),
        lambda: services.set_status(lead_id=lead.pk, status="working", **by),
        lambda: services.assign_lead(lead_id=lead.pk, owner=None, **by),
        lambda: services.convert_lead(lead_id=lead.pk, **by),
        lambda: services.plan_bulk_edit(lead_ids=[lead.pk], changes=LeadChanges(campaign="X"), **by),
        lambda: services.bulk_assign(lead_ids=[lead.pk], owner=None, **by),
        lambda: services.upsert_leads(records=[services.LeadRecord("X")], source="s", **by),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert everything() == before


def test_a_rep_of_another_pod_finds_nothing_to_change(cast: Cast) -> None:
    lead = make(cast, "ana")
    by = {"actor": cast.actor("alba"), "at": NOW}
    before = everything()
    for call in (
        lambda: services.edit_lead(lead_id=lead.pk, name="X", **by),
        lambda: services.set_status(lead_id=lead.pk, status="working", **by),
        lambda: services.assign_lead(lead_id=lead.pk, owner=cast.alba, **by),
        lambda: services.convert_lead(lead_id=lead.pk, **by),
    ):
        with pytest.raises(Http404):
            call()
    assert services.bulk_assign(lead_ids=[lead.pk], owner=cast.alba, **by) == []
    assert everything() == before


def test_an_edit_records_what_differs_and_minds_a_newer_lead(cast: Cast) -> None:
    lead = make(cast, "ana", company="Acme")
    by = {"actor": cast.actor("ana"), "lead_id": lead.pk, "at": NOW}
    seen = lead.updated_at
    services.edit_lead(company="Acme Inc", phone="", estimated_minor=100_00, **by)
    assert entry() == (
        "lead.edited",
        {"company": "Acme", "estimated_minor": None},
        {"company": "Acme Inc", "estimated_minor": 100_00},
    )
    count = AuditEntry.objects.count()
    services.edit_lead(company="Acme Inc", **by)
    assert AuditEntry.objects.count() == count
    with pytest.raises(ValidationError) as caught:
        services.edit_lead(company="Other", seen_at=seen, **by)
    assert caught.value.code == "stale"
    for wrong in ({"owner": cast.sam}, {"status": "converted"}, {"credited_to": cast.sam}):
        with pytest.raises(ValueError):
            services.edit_lead(**wrong, **by)


# --- Status -------------------------------------------------------------------------------------------------------

STATUSES = [*sorted(OPEN), "converted", "disqualified"]


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_where_a_lead_may_go(before: str, after: str) -> None:
    if before == after:
        expected: Any = None
    elif before == "converted":
        expected = Refusal.CONVERTED
    elif after == "converted":
        expected = Refusal.CONVERT
    elif after == "disqualified":
        expected = Step.DISQUALIFIED
    else:
        expected = Step.REOPENED if before == "disqualified" else Step.MOVED
    assert step(before, after, "no budget") is expected
    assert step(before, "disqualified", "  ") in {None, Refusal.CONVERTED, Refusal.NO_REASON}
    assert step(before, "gone", "x") is Refusal.UNKNOWN


def test_to_disqualify_needs_a_reason_and_reopening_takes_it_away(cast: Cast) -> None:
    lead = make(cast, "ana")
    by = {"actor": cast.actor("ana"), "lead_id": lead.pk, "at": NOW}
    assert refusal(lambda: services.set_status(status="disqualified", because=" ", **by)) == {
        "because": ["Say why the lead is disqualified."]
    }
    services.set_status(status="disqualified", because=" No budget ", **by)
    assert entry() == (
        "lead.disqualified",
        {"status": "new", "disqualified_because": ""},
        {"status": "disqualified", "disqualified_because": "No budget"},
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        Lead.objects.update(disqualified_because="")
    services.set_status(status="working", **by)
    lead.refresh_from_db()
    assert (lead.status, lead.disqualified_because, entry()[0]) == ("working", "", "lead.reopened")
    count = AuditEntry.objects.count()
    services.set_status(status="working", **by)
    assert AuditEntry.objects.count() == count
    assert refusal(lambda: services.set_status(status="converted", **by)) == {
        "status": ["Convert the lead instead: that makes the account and the contact too."]
    }
    assert refusal(lambda: services.set_status(status="gone", **by)) == {"status": ["There is no such status."]}


# --- Giving -------------------------------------------------------------------------------------------------------


def test_each_time_a_lead_is_given_stays_on_record(cast: Cast) -> None:
    lead = make(cast, "sam")
    by = {"actor": cast.actor("max"), "lead_id": lead.pk, "at": LATER}
    assignment = services.assign_lead(owner=cast.ana, reason="knows them", path={"rule": 3}, method="rule", **by)
    assert assignment is not None
    assert assignment.path == {"rule": 3}
    lead.refresh_from_db()
    assert (lead.owner, lead.pod, lead.assigned_at) == (cast.ana, cast.north, LATER)
    assert given(lead) == [
        ("Sam Sorensen", "North", "manual", "", "Sam Sorensen", NOW),
        ("Ana Alvarez", "North", "rule", "knows them", "Max Manager", LATER),
    ]
    assert entry() == ("lead.reassigned", {"owner": cast.sam.pk}, {"owner": cast.ana.pk})
    assert services.assign_lead(owner=cast.ana, **by) is None
    assert [row.person for row in assignments_of(cast.actor("ana"), lead)] == [cast.ana, cast.sam]
    assert list(assignments_of(cast.actor("alba"), lead)) == []


def test_a_lead_given_to_another_pod_is_theirs(cast: Cast) -> None:
    lead = make(cast, owner=cast.sam)
    services.assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=cast.alba, at=LATER)
    lead.refresh_from_db()
    assert lead.pod == cast.south
    services.assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=None, pod=cast.north, at=LATER)
    assert given(lead)[-1][:2] == (None, "North")
    services.assign_lead(actor=cast.actor("rita"), lead_id=lead.pk, owner=None, pod=None, at=LATER)
    assert given(lead)[-1][:2] == (None, None)


@pytest.mark.parametrize("who", ["ana", "max"])
def test_work_is_given_only_to_whom_one_may_give_it(cast: Cast, who: str) -> None:
    lead = make(cast, "ana")
    by = {"actor": cast.actor(who), "lead_id": lead.pk, "at": NOW}
    said = {"owner": ["You cannot give work to this person."]}
    assert refusal(lambda: services.assign_lead(owner=cast.alba, **by)) == said
    assert refusal(lambda: services.assign_lead(owner=None, pod=cast.south, **by)) == {
        "pod": ["You cannot give work to this pod."]
    }
    bulk = {"actor": cast.actor(who), "lead_ids": [lead.pk], "at": NOW}
    assert refusal(lambda: services.bulk_assign(owner=cast.alba, **bulk)) == said


def test_the_record_of_giving_cannot_be_changed(cast: Cast) -> None:
    make(cast, "ana")
    for call in (
        lambda: LeadAssignment.objects.update(reason="x"),
        lambda: LeadAssignment.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            call()
    assert LeadAssignment.objects.get().reason == ""


# --- Touching -----------------------------------------------------------------------------------------------------


def test_touches_may_be_told_in_any_order(cast: Cast) -> None:
    lead = make(cast)
    times = [NOW + timedelta(minutes=number) for number in (5, 1, 9, 5)]
    assert [services.touch_lead(lead_id=lead.pk, at=at) for at in times] == [True, True, True, False]
    lead.refresh_from_db()
    assert (lead.first_touched_at, lead.last_touched_at) == (times[1], times[2])
    with pytest.raises(Lead.DoesNotExist):
        services.touch_lead(lead_id=99999, at=NOW)


# --- Converting ---------------------------------------------------------------------------------------------------


def test_a_conversion_makes_account_and_contact_and_keeps_the_credit(cast: Cast) -> None:
    lead = make(
        cast,
        "sam",
        company="Acme Inc",
        email="lena@acme.com",
        title="CTO",
        employees=500,
        country="US",
        estimated_minor=900_00,
        currency="EUR",
    )
    done = services.convert_lead(actor=cast.actor("ana"), lead_id=lead.pk, at=LATER)
    lead.refresh_from_db()
    assert (lead.status, lead.converted_at, lead.account, lead.contact, lead.credited_to) == (
        "converted",
        LATER,
        done.account,
        done.contact,
        cast.sam,
    )
    assert (done.account.name, done.account.owner, done.account.pod, done.account.employees, done.account.country) == (
        "Acme Inc",
        cast.sam,
        cast.north,
        500,
        "US",
    )
    contact = done.contact
    assert (contact.name, contact.email, contact.title, contact.is_primary) == (
        "Lena Lee",
        "lena@acme.com",
        "CTO",
        True,
    )
    assert (done.credited_to, done.deal_name, done.amount_minor, done.currency) == (
        cast.sam,
        "Acme Inc",
        900_00,
        "EUR",
    )
    assert entry()[0] == "lead.converted"
    by = {"actor": cast.actor("rita"), "lead_id": lead.pk, "at": LATER}
    assert refusal(lambda: services.convert_lead(**by)) == ["This lead was converted already."]
    assert refusal(lambda: services.set_status(status="new", **by)) == {
        "status": ["This lead was converted and stays so."]
    }
    assert refusal(lambda: services.assign_lead(owner=cast.alba, **by)) == [
        "This lead was converted: give its account and deals to somebody else instead."
    ]


def test_what_somebody_said_of_being_contacted_is_kept_by_the_contact(cast: Cast) -> None:
    by = {"actor": cast.actor("ana"), "at": NOW}
    lead = services.create_lead(name="Lena", email="lena@acme.com", consent="refused", **by)
    contact = services.convert_lead(lead_id=lead.pk, **by).contact
    assert contact.consent == "refused"
    for said in ("given", "unknown"):  # who refused once is left alone
        lead = services.create_lead(name="Lena", email="lena@acme.com", consent=said, **by)
        assert services.convert_lead(lead_id=lead.pk, account_id=contact.account_id, **by).contact == contact
        contact.refresh_from_db()
        assert contact.consent == "refused"
    contact.consent = "unknown"
    contact.save()
    lead = services.create_lead(name="Lena", email="lena@acme.com", consent="given", **by)
    services.convert_lead(lead_id=lead.pk, account_id=contact.account_id, **by)
    contact.refresh_from_db()
    assert contact.consent == "given"
    said = AuditEntry.objects.filter(action="contact.edited").latest("sequence")
    assert (said.before, said.after) == ({"consent": "unknown"}, {"consent": "given"})


def test_a_conversion_into_a_known_account_makes_no_second_one(cast: Cast) -> None:
    by = {"actor": cast.actor("ana"), "at": NOW}
    account = create_account(name="ACME, Inc.", **by)
    contact = create_contact(account_id=account.pk, name="Lena", email="lena@acme.com", is_primary=True, **by)
    lead = make(cast, "ana", company="Acme", email="Lena@acme.com")
    assert accounts_like(cast.actor("ana"), lead) == [account]
    assert accounts_like(cast.actor("alba"), lead) == []
    done = services.convert_lead(lead_id=lead.pk, account_id=account.pk, **by)
    assert (done.account, done.contact) == (account, contact)
    assert (Account.objects.count(), Contact.objects.count()) == (1, 1)
    other = make(cast, "ana", name="Otto", email="otto@acme.com")
    done = services.convert_lead(lead_id=other.pk, account_id=account.pk, **by)
    assert (done.contact.name, done.contact.is_primary) == ("Otto", False)
    assert done.credited_to == cast.ana


def test_what_cannot_be_converted_stays(cast: Cast) -> None:
    theirs = create_account(actor=cast.actor("alba"), at=NOW, name="Theirs")
    lead = make(cast, "ana")
    by = {"actor": cast.actor("ana"), "lead_id": lead.pk, "at": NOW}
    before = everything()
    with pytest.raises(Http404):
        services.convert_lead(account_id=theirs.pk, **by)
    assert everything() == before
    services.set_status(status="disqualified", because="No", **by)
    assert refusal(lambda: services.convert_lead(**by)) == ["This lead is disqualified: reopen it first."]


def test_a_lead_without_company_or_owner_becomes_an_account_of_whoever_converts(cast: Cast) -> None:
    lead = make(cast)
    Lead.objects.update(pod=cast.north)
    done = services.convert_lead(actor=cast.actor("ana"), lead_id=lead.pk, at=NOW, account_name=" ")
    assert (done.account.name, done.account.owner, done.credited_to) == ("Lena Lee", cast.ana, None)


# --- Many at once -------------------------------------------------------------------------------------------------


@pytest.fixture
def several(cast: Cast) -> list[Lead]:
    """Of Sam, of Ana, of nobody, and one of Sam that was converted."""
    found = [make(cast, name=name, owner=owner) for name, owner in (("A", cast.sam), ("B", cast.ana), ("C", None))]
    converted = make(cast, name="D", owner=cast.sam)
    services.convert_lead(actor=cast.actor("rita"), lead_id=converted.pk, at=NOW)
    return [*found, converted]


def test_the_preview_of_many_equals_what_happens(cast: Cast, several: list[Lead]) -> None:
    changes = LeadChanges(owner=cast.ana, status="working", campaign="Fall")
    by = {"actor": cast.actor("rita"), "lead_ids": [*(lead.pk for lead in several), 99999], "at": LATER}
    before = everything()
    preview = services.plan_bulk_edit(changes=changes, **by)
    assert everything() == before
    done = services.bulk_edit(changes=changes, reason="tidy", **by)
    assert done == preview
    assert [(row.label, row.before, row.after, row.problem) for row in done] == [
        (
            "A",
            {"owner": "Sam Sorensen", "status": "New", "campaign": ""},
            {"owner": "Ana Alvarez", "status": "Working", "campaign": "Fall"},
            "",
        ),
        ("B", {"status": "New", "campaign": ""}, {"status": "Working", "campaign": "Fall"}, ""),
        (
            "C",
            {"owner": "", "status": "New", "campaign": "", "pod": ""},
            {"owner": "Ana Alvarez", "status": "Working", "campaign": "Fall", "pod": "North"},
            "",
        ),
        ("D", {}, {}, "This lead was converted: give its account and deals to somebody else instead."),
    ]
    assert list(Lead.objects.order_by("name").values_list("name", "owner__name", "status", "campaign")) == [
        ("A", "Ana Alvarez", "working", "Fall"),
        ("B", "Ana Alvarez", "working", "Fall"),
        ("C", "Ana Alvarez", "working", "Fall"),
        ("D", "Sam Sorensen", "converted", ""),
    ]
    assert given(several[0])[-1] == ("Ana Alvarez", "North", "bulk", "tidy", "Rita Revops", LATER)
    assert len(given(several[1])) == 1
    assert AuditEntry.objects.filter(reason="tidy").count() == 3
    assert [row.is_changed for row in services.bulk_edit(changes=changes, **by)] == [False] * 4


def test_many_are_disqualified_with_a_reason(cast: Cast, several: list[Lead]) -> None:
    by = {"actor": cast.actor("rita"), "lead_ids": [lead.pk for lead in several], "at": NOW}
    changes = LeadChanges(status="disqualified", disqualified_because="List was stale")
    preview = services.plan_bulk_edit(changes=changes, **by)
    assert services.bulk_edit(changes=changes, **by) == preview
    assert preview[3].problem == "This lead was converted and stays so."
    assert set(Lead.objects.exclude(name="D").values_list("status", "disqualified_because")) == {
        ("disqualified", "List was stale")
    }
    services.bulk_edit(changes=LeadChanges(status="new"), **by)
    assert set(Lead.objects.exclude(name="D").values_list("status", "disqualified_because")) == {("new", "")}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["Choose at least one thing to change."]),
        ({"status": "disqualified"}, {"disqualified_because": ["Say why the lead is disqualified."]}),
        (
            {"status": "converted"},
            {"status": ["Convert the lead instead: that makes the account and the contact too."]},
        ),
        ({"status": "gone"}, {"status": ["There is no such status."]}),
        ({"disqualified_because": "x"}, {"status": ["A reason goes with the status “disqualified”."]}),
        ({"origin": "pigeon"}, {"origin": ["There is no such origin."]}),
        ({"campaign": "x" * 81}, {"campaign": ["At most 80 characters."]}),
    ],
)
def test_what_cannot_be_asked_of_many_is_refused(
    cast: Cast, several: list[Lead], changes: dict[str, Any], said: Any
) -> None:
    by = {"actor": cast.actor("rita"), "lead_ids": [several[0].pk], "at": NOW}
    assert refusal(lambda: services.bulk_edit(changes=LeadChanges(**changes), **by)) == said


def test_many_cost_as_many_queries_as_few(cast: Cast) -> None:
    def cost(count: int) -> int:
        keys = [make(cast, name=str(number), owner=cast.sam).pk for number in range(count)]
        with CaptureQueriesContext(connection) as queries:
            services.bulk_assign(actor=cast.actor("rita"), lead_ids=keys, owner=cast.ana, at=LATER)
        return len(queries)

    # More leads than these do not fit into one statement of SQLite, which takes 999 values.
    assert cost(3) == cost(25)


# --- Reading ------------------------------------------------------------------------------------------------------


def test_leads_in_work_are_counted_by_pod_and_person(
    cast: Cast, several: list[Lead], django_assert_num_queries: Any
) -> None:
    make(cast, owner=cast.alba)
    nurtured = make(cast, owner=cast.alba)
    services.set_status(actor=cast.actor("rita"), lead_id=nurtured.pk, status="nurturing", at=NOW)
    services.set_status(actor=cast.actor("rita"), lead_id=several[1].pk, status="disqualified", because="x", at=NOW)
    pods, people = [cast.north.pk, cast.south.pk], [cast.sam.pk, cast.ana.pk, cast.alba.pk]
    with django_assert_num_queries(2):
        load = leads_in_work(pod_ids=pods, person_ids=people)
    assert load.by_pod == {cast.north.pk: 1, cast.south.pk: 1}
    assert load.by_person == {cast.sam.pk: 1, cast.alba.pk: 1}
    with django_assert_num_queries(0):
        leads_in_work(pod_ids=[], person_ids=[])


def test_other_leads_of_the_same_person_are_found_within_sight(cast: Cast) -> None:
    mine = make(cast, "ana", email="lena@acme.com")
    twin = make(cast, "sam", email="LENA@acme.com")
    make(cast, "alba", email="lena@acme.com")
    assert list(same_person(cast.actor("ana"), mine)) == [twin]
    assert list(same_person(cast.actor("ana"), make(cast, "ana"))) == []
