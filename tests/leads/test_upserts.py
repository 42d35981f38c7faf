"""Leads from outside: found again, compared field by field, given to their owners, refused in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.core.upserts import Fate, UpsertResult
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.services import LeadRecord, assign_lead, convert_lead, upsert_leads
from tests.cast import NOW, Cast

CREATED, CHANGED, UNCHANGED, REFUSED = Fate.CREATED, Fate.CHANGED, Fate.UNCHANGED, Fate.REFUSED
LATER = NOW + timedelta(days=1)


def take(cast: Cast, *records: LeadRecord, preview: bool = False, at: Any = NOW) -> UpsertResult:
    return upsert_leads(actor=cast.actor("rita"), records=records, source="crm", at=at, preview=preview)


def fates(result: UpsertResult) -> list[Fate]:
    return [outcome.fate for outcome in result.outcomes]


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if query["sql"].split()[0] in {"INSERT", "COPY", "UPDATE", "DELETE"}]


def full(cast: Cast, **values: Any) -> LeadRecord:
    given: dict[str, Any] = {
        "name": " Lena Lee ",
        "external_id": "L1",
        "company": "Acme",
        "email": " Lena@ACME.com ",
        "employees": 50,
        "owner_id": cast.sam.pk,
        "estimated_minor": 100_00,
        "created_at": NOW - timedelta(days=400),
    }
    return LeadRecord(**(given | values))


def test_a_lead_comes_in_once_and_is_given_to_its_owner(cast: Cast) -> None:
    assert fates(take(cast, full(cast))) == [CREATED]
    lead = Lead.objects.get()
    assert (lead.name, lead.email, lead.owner, lead.pod, lead.segment, lead.origin) == (
        "Lena Lee",
        "lena@acme.com",
        cast.sam,
        cast.north,
        cast.smb,
        "import",
    )
    assert (lead.created_at, lead.assigned_at, lead.source, lead.external_id) == (
        NOW - timedelta(days=400),
        NOW,
        "crm",
        "L1",
    )
    rows = LeadAssignment.objects.values_list("person__name", "pod__name", "method", "reason", "assigned_by__name")
    assert list(rows) == [("Sam Sorensen", "North", "import", "crm", "Rita Revops")]
    assert list(AuditEntry.objects.values_list("action", "reason")) == [("lead.created", "crm")]
    with CaptureQueriesContext(connection) as queries:
        assert fates(take(cast, full(cast), at=LATER)) == [UNCHANGED]
    assert writes(queries) == []


def test_a_new_owner_is_recorded_and_brings_their_pod(cast: Cast) -> None:
    take(cast, full(cast))
    take(cast, LeadRecord(external_id="L1", owner_id=cast.alba.pk, phone="1"), at=LATER)
    lead = Lead.objects.get()
    assert (lead.owner, lead.pod, lead.assigned_at, lead.phone, lead.name) == (
        cast.alba,
        cast.south,
        LATER,
        "1",
        "Lena Lee",
    )
    assert list(LeadAssignment.objects.order_by("pk").values_list("person__name", flat=True)) == [
        "Sam Sorensen",
        "Alba Abe",
    ]
    take(cast, LeadRecord(external_id="L1", owner_id=cast.ana.pk), at=LATER)
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.before["owner"], entry.after["owner"], entry.after["pod"]) == (
        "lead.reassigned",
        cast.alba.pk,
        cast.ana.pk,
        cast.north.pk,
    )


def test_what_a_source_does_not_speak_about_stays(cast: Cast) -> None:
    take(cast, full(cast))
    assign_lead(actor=cast.actor("rita"), lead_id=Lead.objects.get().pk, owner=cast.alba, at=LATER)
    take(cast, LeadRecord(external_id="L1", note="called"), at=LATER)
    lead = Lead.objects.get()
    assert (lead.owner, lead.note, LeadAssignment.objects.count()) == (cast.alba, "called", 2)


def test_a_lead_without_an_id_is_found_by_address_else_by_name_and_company(cast: Cast) -> None:
    records = [
        LeadRecord("Lena", email="lena@acme.com"),
        LeadRecord("Otto", company="Acme Inc"),
        LeadRecord("Otto", company="Other"),
        LeadRecord(email="only@acme.com"),
    ]
    assert fates(take(cast, *records)) == [CREATED] * 4
    with CaptureQueriesContext(connection) as queries:
        assert fates(take(cast, *records)) == [UNCHANGED] * 4
    assert writes(queries) == []
    changed = take(
        cast, LeadRecord("Lena L.", email="LENA@acme.com"), LeadRecord("Otto", company="ACME INC", phone="1")
    )
    assert fates(changed) == [CHANGED, CHANGED]
    assert sorted(Lead.objects.values_list("name", "company", "phone")) == [
        ("Lena L.", "", ""),
        ("Otto", "ACME INC", "1"),
        ("Otto", "Other", ""),
        ("only@acme.com", "", ""),
    ]


def test_bad_records_are_refused_in_words_and_stop_no_other(cast: Cast) -> None:
    Lead.objects.create(name="Twin", email="twin@acme.com", created_at=NOW)
    Lead.objects.create(name="Twin", email="twin@acme.com", created_at=NOW)
    result = take(
        cast,
        LeadRecord(),
        LeadRecord(external_id="1", name=""),
        LeadRecord("Mail", email="nonsense"),
        LeadRecord("Owner", owner_id=99999),
        LeadRecord("Status", status="gone"),
        LeadRecord("Coin", currency="XXX"),
        LeadRecord("Twin", email="twin@acme.com"),
        LeadRecord("Good"),
    )
    assert fates(result) == [REFUSED] * 7 + [CREATED]
    assert [(problem.position, problem.column) for problem in result.problems] == [
        (0, ""),
        (1, "name"),
        (2, "email"),
        (3, "owner"),
        (4, "status"),
        (5, "currency"),
        (6, ""),
    ]
    assert str(result.problems[-1].message) == "Several leads are like this one: say which by its id."
    assert sorted(Lead.objects.values_list("name", flat=True)) == ["Good", "Twin", "Twin"]


def test_a_disqualified_lead_always_has_a_reason(cast: Cast) -> None:
    take(cast, full(cast, status="disqualified"))
    lead = Lead.objects.get()
    assert (lead.status, lead.disqualified_because) == ("disqualified", "No reason given.")
    take(cast, full(cast, status="disqualified", disqualified_because="No budget"))
    assert fates(take(cast, full(cast, status="disqualified"))) == [UNCHANGED]
    take(cast, full(cast, status="working"))
    lead.refresh_from_db()
    assert (lead.status, lead.disqualified_because) == ("working", "")


def test_a_converted_lead_keeps_status_owner_and_credit(cast: Cast) -> None:
    take(cast, full(cast))
    convert_lead(actor=cast.actor("sam"), lead_id=Lead.objects.get().pk, at=NOW)
    result = take(cast, full(cast, status="working", owner_id=cast.alba.pk, phone="1"), at=LATER)
    assert [outcome.after for outcome in result.outcomes] == [{"phone": "1"}]
    lead = Lead.objects.get()
    assert (lead.status, lead.owner, lead.credited_to, lead.phone) == ("converted", cast.sam, cast.sam, "1")


def test_a_lead_converted_in_its_source_credits_its_owner(cast: Cast) -> None:
    take(cast, full(cast, status="converted"))
    lead = Lead.objects.get()
    assert (lead.converted_at, lead.credited_to) == (NOW, cast.sam)
    take(cast, full(cast, external_id="L2", name="Otto", email="otto@acme.com"))
    take(cast, full(cast, external_id="L2", name="Otto", email="otto@acme.com", status="converted"), at=LATER)
    other = Lead.objects.get(external_id="L2")
    assert (other.converted_at, other.credited_to) == (LATER, cast.sam)
    assert AuditEntry.objects.latest("sequence").action == "lead.converted"


def test_a_preview_says_the_same_and_writes_nothing(cast: Cast) -> None:
    take(cast, full(cast))
    records = [full(cast, phone="1"), LeadRecord("New"), LeadRecord("")]
    preview = take(cast, *records, preview=True)
    assert (Lead.objects.get().phone, LeadAssignment.objects.count()) == ("", 1)
    real = take(cast, *records)
    assert fates(preview) == fates(real) == [CHANGED, CREATED, REFUSED]


def test_a_batch_takes_few_statements(cast: Cast) -> None:
    def cost(first: int, count: int, note: str) -> int:
        records = [
            full(cast, external_id=str(number), email=f"{number}@acme.com", note=note)
            for number in range(first, first + count)
        ]
        with CaptureQueriesContext(connection) as queries:
            take(cast, *records)
        return len([query for query in queries if query["sql"].split()[0] == "SELECT"])

    cost(0, 1, "the audit begins")
    limit = 11 + (connection.vendor == "postgresql")  # the keys of the new rows
    assert cost(10, 2, "new") == cost(100, 200, "new") <= limit
    assert cost(10, 2, "changed") == cost(100, 200, "changed") <= 10


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa", "norm"])
def test_only_who_may_change_all_leads_brings_leads_in(cast: Cast, who: str) -> None:
    with pytest.raises(PermissionDenied):
        upsert_leads(actor=cast.actor(who), records=[LeadRecord("X")], source="crm", at=NOW)
    assert not Lead.objects.exists()
