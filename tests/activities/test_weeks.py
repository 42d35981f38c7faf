"""Meetings that are to come, a week at a glance, and one thing logged about many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, AccountOwnership, Subscription
from salesops.activities.models import Activity
from salesops.activities.selectors.weeks import week_of
from salesops.activities.services import (
    FollowUp,
    complete_task,
    edit_activity,
    log_activity,
    log_many,
    reopen_task,
)
from salesops.home.cards import cards_for
from salesops.leads.models import Lead, LeadSignal
from salesops.people.models import Leave
from tests.cast import NOW, TODAY, Cast

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 6, 15)
TOMORROW = NOW + timedelta(days=1)


def lead_of(cast: Cast, person: str, number: int = 0) -> Lead:
    return Lead.objects.create(
        name=f"Lead {number}", owner=cast.people[person], pod=cast.north, status="working", created_at=NOW
    )


# --- Meetings that are to come ------------------------------------------------------------------------------------


def test_a_meeting_to_come_is_planned_and_then_held(cast: Cast) -> None:
    """It touches nobody until it is over; then it was held when it was planned, and the lead has met somebody."""
    ana, lead = cast.actor("ana"), lead_of(cast, "ana")
    meeting = log_activity(actor=ana, at=NOW, kind="meeting", subject="Demo", lead=lead, happened_at=TOMORROW)
    assert (meeting.is_planned, meeting.due_at, meeting.happened_at) == (True, TOMORROW, None)
    lead.refresh_from_db()
    assert lead.first_touched_at is None
    later = TOMORROW + timedelta(hours=2)
    done = complete_task(actor=ana, activity_id=meeting.pk, at=later)
    assert (done.happened_at, done.done_at, done.outcome) == (TOMORROW, later, "held")
    lead.refresh_from_db()
    assert lead.first_touched_at == TOMORROW
    assert LeadSignal.objects.get(lead=lead).kind == "met"
    again = reopen_task(actor=ana, activity_id=meeting.pk, at=later)
    assert (again.is_planned, again.outcome) == (True, "")
    missed = complete_task(actor=ana, activity_id=meeting.pk, at=later, outcome="no_show")
    assert missed.outcome == "no_show"


def test_what_is_to_come_has_no_outcome_and_only_meetings_are_planned(cast: Cast) -> None:
    """A call tomorrow is a task; how a meeting of tomorrow went is not known today; a mail is not ticked off."""
    ana, lead = cast.actor("ana"), lead_of(cast, "ana")
    for kind, outcome in (("call", ""), ("meeting", "held")):
        with pytest.raises(ValidationError, match="future"):
            log_activity(actor=ana, at=NOW, kind=kind, outcome=outcome, lead=lead, happened_at=TOMORROW)
    mail = log_activity(actor=ana, at=NOW, kind="mail", lead=lead)
    with pytest.raises(ValidationError, match="planned meeting"):
        complete_task(actor=ana, activity_id=mail.pk, at=NOW)
    meeting = log_activity(actor=ana, at=NOW, kind="meeting", lead=lead, happened_at=TOMORROW)
    with pytest.raises(ValidationError, match="from the list"):
        complete_task(actor=ana, activity_id=meeting.pk, at=NOW, outcome="reached")
    with pytest.raises(ValidationError, match="tick it off"):
        edit_activity(actor=ana, activity_id=meeting.pk, at=NOW, changes={"outcome": "held"})
    again = log_activity(actor=ana, at=NOW, kind="meeting", subject="By a program", lead=lead, due_at=TOMORROW)
    assert (again.is_planned, again.due_at) == (True, TOMORROW)
    again.delete()
    edit_activity(actor=ana, activity_id=meeting.pk, at=NOW, changes={"due_at": TOMORROW + timedelta(days=1)})
    meeting.refresh_from_db()
    assert (meeting.is_planned, meeting.due_at) == (True, TOMORROW + timedelta(days=1))


def test_what_was_told_without_a_net_is_judged_as_of_then(cast: Cast) -> None:
    """Sent three days later: the call happened then, its next step is overdue, the meeting of then was planned."""
    ana, lead, then = cast.actor("ana"), lead_of(cast, "ana"), NOW - timedelta(days=3)
    step = FollowUp("Call again", then + timedelta(days=1))
    call = log_activity(actor=ana, at=NOW, kind="call", lead=lead, follow_up=step, told_at=then)
    assert (call.happened_at, call.created_at) == (then, NOW)
    assert Activity.objects.get(subject="Call again").due_at == step.due_at
    meeting = log_activity(
        actor=ana, at=NOW, kind="meeting", lead=lead, happened_at=then + timedelta(hours=5), told_at=then
    )
    assert (meeting.is_planned, meeting.due_at) == (True, then + timedelta(hours=5))
    # Nobody tells the portal that something was told a year ago, or tomorrow.
    long_ago = log_activity(actor=ana, at=NOW, kind="call", lead=lead, told_at=NOW - timedelta(days=400))
    assert long_ago.happened_at == NOW - timedelta(days=14)
    assert log_activity(actor=ana, at=NOW, kind="call", lead=lead, told_at=TOMORROW).happened_at == NOW
    with pytest.raises(ValidationError, match="passed"):
        log_activity(actor=ana, at=NOW, kind="call", lead=lead, follow_up=step)


# --- A week -------------------------------------------------------------------------------------------------------


def test_a_week_has_what_happened_what_is_due_and_who_is_away(cast: Cast) -> None:
    """By day and time; what is late is marked; somebody else's is not in it; always the same number of queries."""
    ana, lead = cast.actor("ana"), lead_of(cast, "ana")
    log_activity(actor=ana, at=NOW, kind="call", subject="Call", lead=lead)
    log_activity(actor=ana, at=NOW, kind="task", subject="Late", lead=lead, due_at=NOW - timedelta(hours=1))
    log_activity(actor=ana, at=NOW, kind="meeting", subject="Demo", lead=lead, happened_at=TOMORROW)
    log_activity(actor=cast.actor("sam"), at=NOW, kind="call", subject="Sam's", lead=lead)
    Leave.objects.create(person=cast.ana, start_on=date(2026, 6, 19), end_on=date(2026, 6, 20))
    days = week_of(ana, cast.ana, MONDAY, NOW)
    assert [[entry.activity.subject for entry in day.entries] for day in days] == [
        [],
        [],
        ["Late", "Call"],
        ["Demo"],
        [],
        [],
        [],
    ]
    assert [entry.is_late for entry in days[2].entries] == [True, False]
    assert [day.is_away for day in days] == [False] * 4 + [True, False, False]
    assert [day.is_today for day in days] == [False, False, True, False, False, False, False]


def test_whose_week_is_seen(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """One's own; a manager's people's; nobody else's; a day that is none is this week."""
    assert client_of("ana").get("/activities/week/").status_code == 200
    assert client_of("ana").get("/activities/week/?from=nonsense").context["monday"] == MONDAY
    assert client_of("ana").get("/activities/week/?from=2026-05-31").context["monday"] == date(2026, 5, 25)
    assert client_of("ana").get(f"/activities/week/?person={cast.sam.pk}").status_code == 404
    assert client_of("max").get(f"/activities/week/?person={cast.sam.pk}").status_code == 200
    assert client_of("max").get(f"/activities/week/?person={cast.sven.pk}").status_code == 404


# --- My day -------------------------------------------------------------------------------------------------------


def test_my_day_has_meetings_and_what_is_to_be_renewed(cast: Cast) -> None:
    """Today's meeting with its hour, yesterday's asks how it went, a subscription that ends says when and for how much."""
    ana, lead = cast.actor("ana"), lead_of(cast, "ana")
    before = NOW - timedelta(days=2)
    log_activity(actor=ana, at=before, kind="meeting", subject="Kick-off", lead=lead, happened_at=NOW - timedelta(1))
    log_activity(actor=ana, at=before, kind="meeting", subject="Demo", lead=lead, happened_at=NOW + timedelta(hours=3))
    log_activity(actor=ana, at=before, kind="meeting", subject="Next week", lead=lead, happened_at=NOW + timedelta(7))
    account = Account.objects.create(name="Amber", match_name="amber", created_at=NOW)
    AccountOwnership.objects.create(account=account, person=cast.carl, function="csm", start_on=TODAY)
    account.pod = cast.north
    account.save()
    ends = TODAY + timedelta(days=20)
    first = Subscription.objects.create(
        account=account, name="Care", mrr_minor=900_00, currency="USD", start_on=date(2025, 7, 1), end_on=ends
    )
    cards = {card.title: card.why for card in cards_for(ana, at=NOW)}
    assert "say how it went" in cards["Kick-off"]
    assert cards["Demo"].startswith("At ")
    assert "Next week" not in cards
    assert "Amber" not in cards
    carls = {card.title: card.why for card in cards_for(cast.actor("carl"), at=NOW)}
    assert carls["Amber"] == "Care ends in 20 days: $900.00 a month"
    Subscription.objects.create(
        account=account, name="Care II", mrr_minor=900_00, currency="USD", start_on=ends, end_on=None
    )
    assert "Amber" not in {card.title for card in cards_for(cast.actor("carl"), at=NOW)}
    assert first.end_on == ends


# --- Many at once -------------------------------------------------------------------------------------------------


def test_one_thing_is_logged_about_many(cast: Cast) -> None:
    """Each has it, is touched and has its next step; ten cost as many queries as two."""
    ana = cast.actor("ana")
    leads = [lead_of(cast, "ana", number) for number in range(12)]
    for number, lead in enumerate(leads):
        lead.account = Account.objects.create(name=f"A{number}", match_name=f"a{number}", created_at=NOW)
        lead.save()
    leads = list(Lead.objects.order_by("pk"))
    next_step = FollowUp("Call them", NOW + timedelta(days=2))
    counts = []
    for some in (leads[:2], leads[2:]):
        with CaptureQueriesContext(connection) as asked:
            made = log_many(
                actor=ana, rows=some, at=NOW, kind="mail", subject="Fair", outcome="replied", follow_up=next_step
            )
        assert len(made) == len(some)
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert Activity.objects.filter(kind="mail", subject="Fair").count() == 12
    assert Activity.objects.filter(kind="task", subject="Call them", due_at=next_step.due_at).count() == 12
    assert not Lead.objects.filter(first_touched_at__isnull=True).exists()
    assert LeadSignal.objects.filter(kind="replied").count() == 12


def test_what_cannot_be_logged_about_one_is_logged_about_none(cast: Cast) -> None:
    """A wrong outcome, and who only reads: nothing is kept."""
    leads = [lead_of(cast, "ana", number) for number in range(3)]
    with pytest.raises(ValidationError, match="does not fit"):
        log_many(actor=cast.actor("ana"), rows=leads, at=NOW, kind="mail", outcome="held")
    with pytest.raises(PermissionDenied):
        log_many(actor=cast.actor("finn"), rows=leads, at=NOW, kind="mail")
    assert not Activity.objects.exists()


def test_from_the_list_to_the_log(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """Chosen in the list, previewed, logged; what is not hers is left out."""
    mine, theirs = lead_of(cast, "ana"), Lead.objects.create(name="Theirs", owner=cast.sven, created_at=NOW)
    client = client_of("ana")
    chosen = {"pk": [mine.pk, theirs.pk]}
    page = client.post("/activities/leads/log/", chosen)
    assert (page.status_code, "about" in page.context["form"].fields) == (200, False)
    given = chosen | {"kind": "mail", "subject": "Spring letter", "step": "preview"}
    preview = client.post("/activities/leads/log/", given)
    assert [change.label for change in preview.context["changes"]] == [str(mine)]
    given |= {"step": "apply", "fingerprint": preview.context["fingerprint"]}
    assert client.post("/activities/leads/log/", given).status_code == 302
    assert list(Activity.objects.values_list("lead__name", "subject")) == [("Lead 0", "Spring letter")]
