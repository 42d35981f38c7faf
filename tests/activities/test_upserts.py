"""Activities brought in from outside: leads are touched once, the same again writes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.activities.models import Activity
from salesops.activities.services.upserts import ActivityRecord, remove_activities, upsert_activities
from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.core.upserts import Fate, UpsertResult
from salesops.deals.models import Deal
from salesops.leads.models import Clock, Lead, LeadAssignment, LeadSignal
from tests.cast import NOW, Cast

SYSTEM = system_actor("Aircall")
HOUR = timedelta(hours=1)
NEW, CHANGED, SAME, REFUSED = Fate.CREATED, Fate.CHANGED, Fate.UNCHANGED, Fate.REFUSED


def bring(*records: ActivityRecord, **options: Any) -> UpsertResult:
    return upsert_activities(**{"actor": SYSTEM, "records": records, "source": "aircall", "at": NOW} | options)


def fates(result: UpsertResult) -> list[Fate]:
    return [outcome.fate for outcome in result.outcomes]


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Activity, Lead, LeadSignal, Clock, AuditEntry)]


def test_a_call_touches_its_lead_once(cast: Cast, lead: Lead, gekko: Account) -> None:
    given = LeadAssignment.objects.create(lead=lead, person=cast.ana, assigned_at=NOW - 5 * HOUR, method="rule")
    clock = Clock.objects.create(
        lead=lead, assignment=given, person=cast.ana, level="Gold", started_at=NOW - 5 * HOUR, warn_at=NOW, next_at=NOW
    )
    calls = [
        ActivityRecord("late", "call", outcome="reached", person_id=cast.ana.pk, lead_id=lead.pk, happened_at=NOW - HOUR),
        ActivityRecord(
            "early", "call", " Asked   twice ", outcome="no_answer", direction="outbound", person_id=cast.ana.pk,
            lead_id=lead.pk, happened_at=NOW - 2 * HOUR, duration_seconds=89,
        ),
        ActivityRecord("note", "note", person_id=cast.ana.pk, lead_id=lead.pk, happened_at=NOW),
    ]  # fmt: skip
    assert fates(bring(*calls)) == [NEW, NEW, NEW]
    rows = Activity.objects.order_by("external_id").values_list(
        "external_id", "subject", "direction", "account", "duration_minutes", "happened_at", "created_at"
    )
    assert list(rows) == [
        ("early", "Asked twice", "outbound", gekko.pk, 1, NOW - 2 * HOUR, NOW),
        ("late", "Call", "", gekko.pk, None, NOW - HOUR, NOW),
        ("note", "Note", "", gekko.pk, None, NOW, NOW),
    ]
    lead.refresh_from_db()
    assert (lead.first_touched_at, lead.last_touched_at) == (NOW - 2 * HOUR, NOW - HOUR)
    clock.refresh_from_db()
    assert (clock.ended_at, clock.ending, clock.next_at) == (NOW - 2 * HOUR, "touched", None)
    assert list(LeadSignal.objects.values_list("kind", "happened_at")) == [("spoke", NOW - HOUR)]
    stood = everything()
    assert fates(bring(*calls, at=NOW + HOUR)) == [SAME, SAME, SAME]
    assert everything() == stood
    assert fates(bring(ActivityRecord("early", outcome="reached"))) == [CHANGED]
    assert LeadSignal.objects.count() == 2
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason, entry.after) == ("activity.edited", "aircall", {"outcome": "reached"})


def test_a_clock_stops_only_for_a_touch_after_it_began(cast: Cast, lead: Lead) -> None:
    given = LeadAssignment.objects.create(lead=lead, person=cast.ana, assigned_at=NOW, method="rule")
    clock = Clock.objects.create(
        lead=lead, assignment=given, person=cast.ana, level="Gold", started_at=NOW, warn_at=NOW, next_at=NOW
    )
    bring(ActivityRecord("1", "call", person_id=cast.ana.pk, lead_id=lead.pk, happened_at=NOW - HOUR))
    clock.refresh_from_db()
    assert clock.ended_at is None


def test_tasks_and_meetings_to_come_happen_when_they_are_done(cast: Cast, deal: Deal, gekko: Account) -> None:
    assert fates(
        bring(
            ActivityRecord("t", "task", person_id=cast.ana.pk, deal_id=deal.pk, due_at=NOW + HOUR),
            ActivityRecord("m", "meeting", person_id=cast.ana.pk, deal_id=deal.pk, happened_at=NOW + HOUR),
        )
    ) == [NEW, NEW]
    assert set(Activity.objects.values_list("happened_at", "due_at", "done_at", "account")) == {
        (None, NOW + HOUR, None, gekko.pk)
    }
    assert fates(bring(ActivityRecord("t", done_at=NOW - HOUR, happened_at=NOW))) == [CHANGED]
    assert Activity.objects.get(external_id="t").happened_at == NOW - HOUR


def test_what_cannot_be_is_refused(cast: Cast, deal: Deal) -> None:
    ana = cast.ana.pk
    result = bring(
        ActivityRecord("", "call", person_id=ana, happened_at=NOW),
        ActivityRecord("1", "call", happened_at=NOW),
        ActivityRecord("2", "call", person_id=ana),
        ActivityRecord("3", "call", person_id=ana, happened_at=NOW + HOUR),
        ActivityRecord("4", "mail", outcome="held", person_id=ana, happened_at=NOW),
        ActivityRecord("5", "call", person_id=10**9, happened_at=NOW),
        ActivityRecord(pk=10**9),
    )
    assert fates(result) == [REFUSED] * 7
    assert [str(problem.message) for problem in result.problems] == [
        "An activity needs the id it has in its source.",
        "An activity needs the person who did it.",
        "Say when it happened.",
        "This lies in the future: set a task instead.",
        "This outcome does not fit.",
        "What this refers to does not exist.",
        "What this refers to does not exist.",
    ]
    assert not Activity.objects.exists()
    with pytest.raises(PermissionDenied):
        bring(actor=cast.actor("ana"))


def test_one_that_is_gone_is_deleted_and_remembered(cast: Cast, deal: Deal) -> None:
    bring(ActivityRecord("1", "call", person_id=cast.ana.pk, deal_id=deal.pk, happened_at=NOW))
    call = Activity.objects.get()
    options: dict[str, Any] = {"actor": SYSTEM, "because": "Deleted in Aircall.", "at": NOW}
    assert fates(remove_activities(pks=[call.pk, call.pk], **options)) == [CHANGED, SAME]
    assert not Activity.objects.exists()
    entry = AuditEntry.objects.get(action="activity.deleted")
    assert (entry.reason, entry.before["external_id"]) == ("Deleted in Aircall.", "1")


def test_many_cost_as_many_queries_as_few(cast: Cast) -> None:
    counts = []
    for number in (1, 20):
        leads = [Lead.objects.create(name=f"Lead {each}", created_at=NOW) for each in range(number)]
        with CaptureQueriesContext(connection) as queries:
            result = bring(
                *(
                    ActivityRecord(
                        f"{lead.pk}", "call", outcome="reached", person_id=cast.ana.pk, lead_id=lead.pk, happened_at=NOW
                    )
                    for lead in leads
                )
            )
        assert fates(result) == [NEW] * number
        counts.append(len(queries))
    assert counts[0] == counts[1]
