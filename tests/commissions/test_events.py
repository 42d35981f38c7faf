"""Plan events: recorded by form and by file, only what the plan in force on the day knows, voided and never deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.choices import EventKind
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Period, Plan, PlanEvent
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.events import (
    EventsRead,
    NewEvent,
    RefusedLine,
    record_event,
    record_file,
    void_event,
)
from salesops.commissions.services.plan_files import EVENT_COLUMNS
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.commissions.services.transactions import booking_key
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, definition, second_quarter, statement_of, won

SETTLEMENT = {
    "objectives": [{"key": "training", "weight": "10%"}],
    "bonuses": [{"key": "spiff", "pays": "25"}],
    "multiplier": {"components": ["commission"], "rows": [{"at": "0%", "factor": "100%"}]},
    "releases": [{"kind": "on_payment", "components": ["commission"]}],
}


def in_force(cast: Cast, name: str, settlement: dict[str, Any] | None, people: tuple[str, ...]) -> Plan:
    """A plan in force from 2026, with these people on it."""
    rita, plan = cast.actor("rita"), create_plan(actor=cast.actor("rita"), name=name, at=NOW)
    said = definition(FLAT_8) | ({"settlement": settlement} if settlement else {})
    draft = save_draft(actor=rita, plan=plan, definition=said, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for person in people:
        assign_to_plan(
            actor=rita,
            plan=plan,
            person_id=cast.people[person].pk,
            start_on=date(2026, 1, 1),
            target_pay_minor=1_000_00,
            currency="USD",
            at=NOW,
        )
    return plan


@pytest.fixture
def plan(cast: Cast) -> Plan:
    return in_force(cast, "Field", SETTLEMENT, ("ana", "alba"))


DAY = date(2026, 5, 4)


def training(cast: Cast, plan: Plan, person: str = "ana", **changed: Any) -> NewEvent:
    event = NewEvent(
        plan=plan,
        kind=EventKind.OBJECTIVE,
        on=DAY,
        person_id=cast.people[person].pk,
        reference="training",
        share=Decimal("0.8"),
    )
    return replace(event, **changed)


def team_of(plan: Plan) -> NewEvent:
    """Everybody's team reached its quota."""
    return NewEvent(plan=plan, kind=EventKind.TEAM, on=date(2026, 6, 30), share=Decimal(1))


def recorded(cast: Cast, event: NewEvent, by: str = "rita") -> PlanEvent:
    return record_event(actor=cast.actor(by), event=event, at=NOW)


def refused(cast: Cast, event: NewEvent, field: str, by: str = "rita") -> str:
    count = PlanEvent.objects.count()
    with pytest.raises(CommissionRefusedError) as caught:
        recorded(cast, event, by=by)
    assert list(caught.value.message_dict) == [field]
    assert PlanEvent.objects.count() == count
    return caught.value.messages[0]


def test_an_objective_is_recorded_and_paid(cast: Cast, plan: Plan) -> None:
    """80 % of an objective worth 10 % of the target of 1,000.00 is 80.00; the bonus is 25.00 each time."""
    recorded(cast, team_of(plan))
    row = recorded(cast, training(cast, plan, note="Passed"), by="max")
    assert (row.share, row.currency, row.recorded_by, row.note) == (Decimal("0.8"), "USD", cast.max, "Passed")
    spiff = training(cast, plan, kind=EventKind.BONUS, reference="spiff", share=None)
    recorded(cast, spiff)
    recorded(cast, spiff)  # a bonus can be earned twice on a day
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 130_00
    assert AuditEntry.objects.filter(action="event.recorded").count() == 4


def test_what_is_voided_stays_and_no_longer_counts(cast: Cast, plan: Plan) -> None:
    recorded(cast, team_of(plan))
    row = recorded(cast, training(cast, plan))
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 80_00
    void_event(actor=cast.actor("max"), event=row, at=NOW)
    row.refresh_from_db()
    assert row.is_void
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 0
    with pytest.raises(CommissionRefusedError):
        void_event(actor=cast.actor("rita"), event=row, at=NOW)
    recorded(cast, training(cast, plan, share=Decimal(1)))  # after voiding, the day is free again
    assert AuditEntry.objects.filter(action="event.voided").count() == 1


@pytest.mark.parametrize("by", ["ana", "finn", "elsa", "ada", "norm", "mia"])
def test_others_record_and_void_nothing(cast: Cast, plan: Plan, by: str) -> None:
    row = recorded(cast, training(cast, plan))
    with pytest.raises(PermissionDenied):
        recorded(cast, training(cast, plan, on=date(2026, 5, 5)), by=by)
    with pytest.raises(Http404 if by == "mia" else PermissionDenied):
        void_event(actor=cast.actor(by), event=row, at=NOW)
    row.refresh_from_db()
    assert (PlanEvent.objects.count(), row.is_void) == (1, False)


def test_managers_speak_of_nobody_in_general(cast: Cast, plan: Plan) -> None:
    team = training(cast, plan, kind=EventKind.TEAM, reference="", person_id=None)
    with pytest.raises(PermissionDenied):
        recorded(cast, team, by="max")
    row = recorded(cast, team)
    with pytest.raises(Http404):
        void_event(actor=cast.actor("max"), event=row, at=NOW)
    row.refresh_from_db()
    assert not row.is_void


def test_what_the_plan_of_the_day_does_not_know_is_refused(cast: Cast, plan: Plan) -> None:
    bare = in_force(cast, "Bare", None, ("sam",))
    assert "It knows: training" in refused(cast, training(cast, plan, reference="golf"), "reference")
    refused(cast, training(cast, plan, reference=""), "reference")
    refused(cast, training(cast, plan, kind=EventKind.BONUS, reference="training"), "reference")
    refused(cast, training(cast, plan, on=date(2025, 12, 31)), "on")
    for kind in EventKind:
        refused(cast, training(cast, bare, person="sam", kind=kind), "kind")


def test_a_later_version_counts_from_its_day(cast: Cast, plan: Plan) -> None:
    said = definition(FLAT_8) | {"settlement": {"objectives": [{"key": "golf", "weight": "10%"}]}}
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=said, start_on=date(2026, 7, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    recorded(cast, training(cast, plan, on=date(2026, 6, 30)))
    refused(cast, training(cast, plan, on=date(2026, 7, 1)), "reference")
    recorded(cast, training(cast, plan, on=date(2026, 7, 1), reference="golf"))
    refused(cast, training(cast, plan, on=date(2026, 6, 30), reference="golf"), "reference")


def test_what_is_missing_or_out_of_bounds_is_named(cast: Cast, plan: Plan) -> None:
    refused(cast, training(cast, plan, share=None), "share")
    refused(cast, training(cast, plan, share=Decimal("100.01")), "share")
    refused(cast, training(cast, plan, share=Decimal("-0.1")), "share")
    refused(cast, training(cast, plan, person_id=None), "person")
    refused(cast, training(cast, plan, person="sam"), "person")
    recorded(cast, training(cast, plan))
    assert "already" in refused(cast, training(cast, plan, share=Decimal(1)), "on")


def test_a_payment_is_of_a_transaction_that_is_there(cast: Cast, plan: Plan) -> None:
    deal = won(cast, "ana", 1_000_00)
    recorded(cast, team_of(plan))
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 0  # paid as the customer pays
    key = booking_key(deal.pk)
    paid = NewEvent(plan=plan, kind=EventKind.PAYMENT, on=DAY, reference=key, amount_minor=500_00, of_minor=1_000_00)
    refused(cast, replace(paid, reference="deal:0:booking"), "reference")
    refused(cast, replace(paid, amount_minor=None), "amount_minor")
    refused(cast, replace(paid, amount_minor=-1), "amount_minor")
    refused(cast, replace(paid, of_minor=0), "of_minor")
    refused(cast, replace(paid, of_minor=10**19), "of_minor")
    recorded(cast, paid)
    calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW)
    assert statement_of(cast, "ana").payout_minor == 40_00


# --- files ---

HEAD = ",".join(EVENT_COLUMNS)


def read(cast: Cast, *lines: str, by: str = "rita", head: str = HEAD) -> EventsRead:
    return record_file(actor=cast.actor(by), data="\n".join((head, *lines)).encode(), at=NOW)


GOOD = (
    "objective,Ana Alvarez,Field,2026-05-04,training,,,80%,,,",
    "bonus,ana@example.com,Field,2026-05-04,spiff,,,,First,,",
    "bonus,Ana Alvarez,,2026-05-04,spiff,,,,First,,",
    "team,,Field,2026-06-30,,,,1.05,,,",
)


def test_a_file_is_recorded_and_the_same_file_again_records_nothing(cast: Cast, plan: Plan) -> None:
    assert read(cast, *GOOD) == EventsRead(recorded=4, already=0, refused=())
    rows = PlanEvent.objects.order_by("pk").values_list("kind", "person__name", "on", "reference", "share", "note")
    assert list(rows) == [
        ("objective", "Ana Alvarez", date(2026, 5, 4), "training", Decimal("0.8"), ""),
        ("bonus", "Ana Alvarez", date(2026, 5, 4), "spiff", None, "First"),
        ("bonus", "Ana Alvarez", date(2026, 5, 4), "spiff", None, "First"),
        ("team", None, date(2026, 6, 30), "", Decimal("1.05"), ""),
    ]
    assert read(cast, *GOOD) == EventsRead(recorded=0, already=4, refused=())
    assert read(cast, *GOOD, GOOD[1]) == EventsRead(recorded=1, already=4, refused=())
    assert AuditEntry.objects.filter(action="event.recorded").count() == 5


def test_each_line_that_cannot_be_taken_is_named_and_the_others_are_taken(cast: Cast, plan: Plan) -> None:
    won_key = "deal:1:booking"
    result = read(
        cast,
        GOOD[0],
        "objective,Ana Alvarez,Field,2026-05-04,training,,,90%,,,",
        "objective,Ana Alvarez,Field,2026-05-04,golf,,,80%,,,",
        "objective,Nobody Known,Field,2026-05-04,training,,,80%,,,",
        "objective,Ana Alvarez,Feld,2026-05-04,training,,,80%,,,",
        "objective,Ana Alvarez,Field,4 May,training,,,80%,,,",
        "objective,Ana Alvarez,Field,2026-05-05,training,,,eighty,,,",
        "adjustment,Ana Alvarez,Field,2026-05-04,,10,,,why,a,b",
        "leaving,Ana Alvarez,Field,2026-05-04,,,,,,,",
        "party,Ana Alvarez,Field,2026-05-04,,,,,,,",
        f"payment,Ana Alvarez,Field,2026-05-04,{won_key},1.234,2,,,,",
        "bonus,,Field,2026-05-04,spiff,,,,,,",
    )
    assert (result.recorded, result.already) == (1, 0)
    assert [(each.line, each.why.split(".")[0][:44]) for each in result.refused] == [
        (3, "Something else is recorded for the day alrea"),
        (4, "The plan in force on this day does not know "),
        (5, "Nobody on a plan is called “Nobody Known”"),
        (6, "There is no plan “Feld”"),
        (7, "“4 May” is no day"),
        (8, "“eighty” is no share"),
        (9, "An adjustment is prepared on its own page: i"),
        (10, "Who leaves is entered on the person's page"),
        (11, "“party” is no kind of event"),
        (12, "“1"),
        (13, "Whose is it? Choose a person"),
    ]


def test_two_of_a_name_need_the_address(cast: Cast, plan: Plan) -> None:
    cast.alba.name = "Ana Alvarez"
    cast.alba.save()
    assert read(cast, GOOD[0]).refused == (
        RefusedLine(2, "Several people are called “Ana Alvarez”. Write the e-mail address."),
    )
    assert read(cast, GOOD[0].replace("Ana Alvarez", "alba@example.com")).recorded == 1
    assert PlanEvent.objects.get().person == cast.alba


def test_managers_bring_their_own_people_only(cast: Cast, plan: Plan) -> None:
    result = read(cast, GOOD[0], GOOD[0].replace("Ana Alvarez", "Alba Abe"), GOOD[3], by="max")
    assert (result.recorded, [each.line for each in result.refused]) == (1, [3, 4])
    with pytest.raises(PermissionDenied):
        read(cast, GOOD[0], by="finn")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no rows"),
        (HEAD.encode(), "no rows"),
        (b"\xff\xfe", "no CSV file"),
        (b"type,person,shoe\nx,y,z\n", "Unknown column: shoe"),
        (b"type,type\na,b\n", "no CSV file"),
        (b"type\na,b\n", "no CSV file"),
        (b"type\n" + b"x" * 1_000_000, "larger than 1 MB"),
        (b"type\n" + b"x\n" * 5_001, "More than 5000 rows"),
    ],
)
def test_what_is_no_such_file_is_refused(cast: Cast, plan: Plan, data: bytes, words: str) -> None:
    with pytest.raises(CommissionRefusedError) as caught:
        record_file(actor=cast.actor("rita"), data=data, at=NOW)
    assert words in caught.value.message_dict["file"][0]
    assert PlanEvent.objects.count() == 0


# --- pages ---


def test_the_pages_record_show_and_void(cast: Cast, plan: Plan, client_of: Callable[[str], Client]) -> None:
    data = {
        "kind": "objective",
        "plan": plan.pk,
        "person": cast.ana.pk,
        "on": "2026-05-04",
        "reference": "training",
        "share": "80%",
    }
    max_, url = client_of("max"), reverse("commissions:event_create")
    assert max_.post(url, {**data, "share": "much"}).status_code == 422
    assert max_.post(url, {**data, "reference": "golf"}).status_code == 422
    assert max_.post(url, {**data, "person": cast.alba.pk}).status_code == 422
    assert max_.post(url, {**data, "person": ""}).status_code == 422
    answer = max_.post(url, data)
    row = PlanEvent.objects.get()
    assert answer.headers["Location"] == reverse("commissions:event_detail", kwargs={"pk": row.pk})
    assert row.share == Decimal("0.8")
    page = client_of("ana").get(answer.headers["Location"])
    assert "80 %" in page.content.decode()
    assert not page.context["may_void"]
    assert max_.get(answer.headers["Location"]).context["may_void"]
    assert max_.post(reverse("commissions:event_void", kwargs={"pk": row.pk})).status_code == 302
    row.refresh_from_db()
    assert row.is_void
    listed = reverse("commissions:event_list")
    assert max_.get(f"{listed}?counts=yes").context["page"].rows == []
    assert max_.get(f"{listed}?counts=no&kind=objective&q=train").context["page"].rows == [row]


def test_a_file_comes_by_the_page(cast: Cast, plan: Plan, client_of: Callable[[str], Client]) -> None:
    rita, url = client_of("rita"), reverse("commissions:event_upload")
    lines = "\n".join((HEAD, *GOOD, "party,,,,,,,,,,"))
    page = rita.post(url, {"file": SimpleUploadedFile("events.csv", lines.encode())})
    assert page.status_code == 422
    text = page.content.decode()
    assert "4 events were recorded." in text
    assert "Line 6:" in text
    assert PlanEvent.objects.count() == 4
    assert rita.post(url, {"file": SimpleUploadedFile("events.csv", b"a,b\n1,2\n")}).status_code == 422
    assert rita.post(url, {}).status_code == 422


def test_a_day_in_a_locked_period_is_said_to_come_late(
    cast: Cast, plan: Plan, client_of: Callable[[str], Client]
) -> None:
    second_quarter()
    Period.objects.update(state="locked", locked_at=NOW)
    data = {
        "kind": "objective",
        "plan": plan.pk,
        "person": cast.ana.pk,
        "on": "2026-05-04",
        "reference": "training",
        "share": "0.8",
    }
    page = client_of("rita").post(reverse("commissions:event_create"), data, follow=True)
    assert "The day lies in a locked period" in page.content.decode()


def test_who_sees_which(cast: Cast, plan: Plan, client_of: Callable[[str], Client]) -> None:
    ana, alba = recorded(cast, training(cast, plan)), recorded(cast, training(cast, plan, person="alba"))
    team = recorded(cast, training(cast, plan, kind=EventKind.TEAM, person_id=None))
    seen = {
        who: set(client_of(who).get(reverse("commissions:event_list")).context["page"].rows)
        for who in ("ana", "sam", "max", "mia", "rita", "finn")
    }
    every = {ana, alba, team}
    assert seen == {"ana": {ana}, "sam": set(), "max": {ana}, "mia": {alba}, "rita": every, "finn": every}
