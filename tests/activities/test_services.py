"""Logging what was done, setting and ticking off tasks; and what is refused changes nothing."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404

from salesops.accounts.models import Account, Contact
from salesops.accounts.services import create_account, create_contact
from salesops.activities.models import Activity
from salesops.activities.services import FollowUp, complete_task, edit_activity, log_activity, log_many, reopen_task
from salesops.audit.models import AuditEntry
from salesops.deals.models import Deal
from salesops.leads.models import Lead, LeadSignal
from tests.cast import NOW, Cast

TOMORROW = NOW + timedelta(days=1)


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Activity, Lead, AuditEntry)]


def codes(error: ValidationError) -> dict[str, list[str | None]]:
    return {name: [one.code for one in errors] for name, errors in error.error_dict.items()}


def test_a_call_is_the_actors_and_happened_now(cast: Cast, deal: Deal, gekko: Account) -> None:
    log_activity(
        actor=cast.actor("ana"), at=NOW, kind="call", subject="  Asked   for budget ", outcome="reached", deal=deal
    )
    activity = Activity.objects.get()
    assert (activity.person, activity.subject, activity.outcome, activity.happened_at, activity.due_at) == (
        cast.ana,
        "Asked for budget",
        "reached",
        NOW,
        None,
    )
    assert (activity.deal, activity.account, activity.created_at) == (deal, gekko, NOW)


def test_a_lead_is_told_what_it_did_itself_once(cast: Cast, lead: Lead) -> None:
    """Speaking with us, meeting us and answering count for its score; trying to reach it does not."""
    ana = cast.actor("ana")

    def log(kind: str, outcome: str) -> Activity:
        return log_activity(actor=ana, at=NOW, kind=kind, outcome=outcome, lead=lead)

    call = log("call", "no_answer")
    log("meeting", "held")
    log("mail", "replied")
    edit_activity(actor=ana, activity_id=call.pk, at=NOW, changes={"outcome": "reached"})
    edit_activity(actor=ana, activity_id=call.pk, at=NOW, changes={"note": "again"})
    told = LeadSignal.objects.filter(lead=lead).order_by("pk").values_list("kind", "happened_at")
    assert list(told) == [("met", NOW), ("replied", NOW), ("spoke", NOW)]


def test_a_note_is_no_touch(cast: Cast, lead: Lead) -> None:
    log_activity(actor=cast.actor("ana"), at=NOW, kind="note", subject="Looks promising", lead=lead)
    lead.refresh_from_db()
    assert (lead.first_touched_at, lead.last_touched_at) == (None, None)


def test_a_lead_is_told_that_it_was_touched(cast: Cast, lead: Lead) -> None:
    earlier = NOW - timedelta(hours=3)
    log_activity(actor=cast.actor("ana"), at=NOW, kind="mail", lead=lead)
    log_activity(actor=cast.actor("ana"), at=NOW, kind="call", lead=lead, happened_at=earlier)
    lead.refresh_from_db()
    assert (lead.first_touched_at, lead.last_touched_at) == (earlier, NOW)


def test_a_task_touches_nobody_until_it_is_done(cast: Cast, lead: Lead) -> None:
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call back", lead=lead, due_at=TOMORROW)
    lead.refresh_from_db()
    assert (task.happened_at, task.due_at, lead.last_touched_at) == (None, TOMORROW, None)
    complete_task(actor=cast.actor("ana"), activity_id=task.pk, at=TOMORROW, outcome="reached", note="They agreed.")
    task.refresh_from_db()
    lead.refresh_from_db()
    assert (task.done_at, task.happened_at, task.outcome, task.note) == (TOMORROW, TOMORROW, "reached", "They agreed.")
    assert lead.last_touched_at == TOMORROW


def test_sent_twice_it_is_kept_once(cast: Cast, deal: Deal) -> None:
    key = uuid.uuid4()
    first = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", deal=deal, client_key=key)
    before = everything()
    again = log_activity(actor=cast.actor("ana"), at=TOMORROW, kind="call", deal=deal, client_key=key)
    assert again == first
    assert everything() == before
    with pytest.raises(ValidationError, match="somebody else"):
        log_activity(actor=cast.actor("sam"), at=NOW, kind="call", deal=deal, client_key=key)
    assert everything() == before


def test_the_next_step_becomes_a_task_about_the_same_row(cast: Cast, lead: Lead) -> None:
    log_activity(
        actor=cast.actor("ana"), at=NOW, kind="call", lead=lead, follow_up=FollowUp("Send the offer", TOMORROW)
    )
    task = Activity.objects.get(kind="task")
    assert (task.subject, task.due_at, task.lead, task.account, task.person) == (
        "Send the offer",
        TOMORROW,
        lead,
        lead.account,
        cast.ana,
    )


def test_a_next_step_that_cannot_be_keeps_nothing(cast: Cast, lead: Lead) -> None:
    before = everything()
    for follow_up, where in [
        (FollowUp("x" * 201, TOMORROW), "next_subject"),
        (FollowUp("", TOMORROW), "next_subject"),
        (FollowUp("Late", NOW - timedelta(days=2)), "next_due_at"),
    ]:
        with pytest.raises(ValidationError) as refused:
            log_activity(actor=cast.actor("ana"), at=NOW, kind="call", lead=lead, follow_up=follow_up)
        assert list(refused.value.error_dict) == [where]
    assert everything() == before


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "dance", "subject": "Waltz"}, {"kind": ["invalid_choice"]}),
        ({"kind": "call", "outcome": "held"}, {"outcome": ["outcome"]}),
        ({"kind": "note", "outcome": "reached"}, {"outcome": ["outcome"]}),
        ({"kind": "task", "subject": "Call"}, {"due_at": ["due-missing"]}),
        ({"kind": "call", "happened_at": NOW + timedelta(minutes=6)}, {"happened_at": ["happened-in-future"]}),
        ({"kind": "call", "subject": "x" * 201}, {"subject": ["max_length"]}),
    ],
)
def test_what_cannot_be_is_refused_by_field(
    fields: dict[str, Any], expected: dict[str, list[str]], cast: Cast, deal: Deal
) -> None:
    with pytest.raises(ValidationError) as refused:
        log_activity(actor=cast.actor("ana"), at=NOW, deal=deal, **fields)
    assert codes(refused.value) == expected
    assert Activity.objects.count() == 0


def test_nobody_logs_about_rows_they_do_not_see(cast: Cast, theirs: Deal, hooli: Account, gekko: Account) -> None:
    foreign_lead = Lead.objects.create(name="Gavin", owner=cast.alba, pod=cast.south, created_at=NOW)
    stranger = Contact.objects.create(account=hooli, name="Gavin", created_at=NOW)
    before = everything()
    for fields, expected in [
        ({"deal": theirs}, {"deal": ["not-visible"]}),
        ({"lead": foreign_lead}, {"lead": ["not-visible"]}),
        ({"account": hooli}, {"account": ["not-visible"]}),
        ({"account": gekko, "contact": stranger}, {"contact": ["contact-elsewhere"]}),
        ({"deal": theirs, "account": gekko}, {"deal": ["not-visible"], "account": ["account-elsewhere"]}),
    ]:
        with pytest.raises(ValidationError) as refused:
            log_activity(actor=cast.actor("ana"), at=NOW, kind="call", **fields)
        assert codes(refused.value) == expected
    assert everything() == before


@pytest.mark.parametrize("reader", ["finn", "elsa", "norm"])
def test_who_only_reads_logs_nothing(reader: str, cast: Cast, deal: Deal) -> None:
    actor = cast.actor(reader)
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", deal=deal, due_at=TOMORROW)
    before = everything()
    for change in (
        lambda: log_activity(actor=actor, at=NOW, kind="call", deal=deal),
        lambda: complete_task(actor=actor, activity_id=task.pk, at=NOW),
        lambda: reopen_task(actor=actor, activity_id=task.pk, at=NOW),
        lambda: edit_activity(actor=actor, activity_id=task.pk, at=NOW, changes={"note": "x"}),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert everything() == before


def test_nothing_is_planned_with_who_refused_to_be_contacted(cast: Cast, lead: Lead) -> None:
    """What happened is kept: somebody may have called before they knew."""
    Lead.objects.filter(pk=lead.pk).update(consent="refused")
    lead.refresh_from_db()
    ana, before = cast.actor("ana"), str(everything())
    step = FollowUp(subject="Call again", due_at=TOMORROW)
    for field, asked in (
        ("kind", {"kind": "task", "subject": "Call", "due_at": TOMORROW}),
        ("kind", {"kind": "meeting", "happened_at": TOMORROW}),
        ("next_subject", {"kind": "call", "outcome": "reached", "follow_up": step}),
    ):
        for log in (lambda **given: log_activity(lead=lead, **given), lambda **given: log_many(rows=[lead], **given)):
            with pytest.raises(ValidationError) as caught:
                log(actor=ana, at=NOW, **asked)
            assert codes(caught.value) == {field: ["consent-refused"]}
    assert str(everything()) == before
    log_activity(actor=ana, at=NOW, kind="call", outcome="reached", lead=lead)
    assert Activity.objects.get().lead == lead


def test_nothing_is_planned_with_a_contact_who_refused(cast: Cast, deal: Deal) -> None:
    by = {"actor": cast.actor("ana"), "at": NOW}
    account = create_account(name="Acme", **by)
    contact = create_contact(account_id=account.pk, name="Lena", consent="refused", **by)
    asked = {"kind": "task", "subject": "Call", "due_at": TOMORROW, "account": account, "contact": contact, **by}
    with pytest.raises(ValidationError) as caught:
        log_activity(**asked)
    assert codes(caught.value) == {"kind": ["consent-refused"]}
    contact.consent = "given"
    contact.save()
    assert log_activity(**asked).contact == contact


def test_a_task_is_ticked_off_once(cast: Cast, deal: Deal) -> None:
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", deal=deal, due_at=TOMORROW)
    complete_task(actor=cast.actor("ana"), activity_id=task.pk, at=NOW)
    before = everything()
    complete_task(actor=cast.actor("ana"), activity_id=task.pk, at=TOMORROW, note="again")
    assert everything() == before
    assert AuditEntry.objects.count() == 0  # one's own tick needs no witness


def test_a_tick_by_somebody_else_is_recorded(cast: Cast, deal: Deal) -> None:
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", deal=deal, due_at=TOMORROW)
    complete_task(actor=cast.actor("sam"), activity_id=task.pk, at=NOW)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id, entry.subject_id) == ("task.completed", cast.sam.pk, str(task.pk))


def test_a_tick_can_be_taken_back(cast: Cast, deal: Deal) -> None:
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", deal=deal, due_at=TOMORROW)
    complete_task(actor=cast.actor("ana"), activity_id=task.pk, at=NOW, outcome="reached")
    reopen_task(actor=cast.actor("ana"), activity_id=task.pk, at=TOMORROW)
    task.refresh_from_db()
    assert (task.done_at, task.happened_at, task.outcome) == (None, None, "")
    assert AuditEntry.objects.get().action == "task.reopened"


def test_only_tasks_are_ticked_and_only_the_actors(cast: Cast, deal: Deal) -> None:
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", deal=deal)
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", deal=deal, due_at=TOMORROW)
    before = everything()
    with pytest.raises(ValidationError, match="Only a task"):
        complete_task(actor=cast.actor("ana"), activity_id=call.pk, at=NOW)
    with pytest.raises(Http404):
        complete_task(actor=cast.actor("alba"), activity_id=task.pk, at=NOW)
    with pytest.raises(Http404):
        edit_activity(actor=cast.actor("mia"), activity_id=call.pk, at=NOW, changes={"note": "x"})
    assert everything() == before


def test_a_correction_is_recorded(cast: Cast, deal: Deal) -> None:
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", subject="Call", deal=deal)
    edit_activity(
        actor=cast.actor("ana"), activity_id=call.pk, at=NOW, changes={"outcome": "no_answer", "subject": "Call"}
    )
    call.refresh_from_db()
    assert call.outcome == "no_answer"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.before, entry.after) == ("activity.edited", {"outcome": ""}, {"outcome": "no_answer"})


def test_others_are_corrected_by_managers_only(cast: Cast, deal: Deal) -> None:
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", subject="Call", deal=deal)
    before = everything()
    with pytest.raises(PermissionDenied):
        edit_activity(actor=cast.actor("sam"), activity_id=call.pk, at=NOW, changes={"note": "x"})
    assert everything() == before
    edit_activity(actor=cast.actor("max"), activity_id=call.pk, at=NOW, changes={"note": "x"})
    edit_activity(actor=cast.actor("rita"), activity_id=call.pk, at=NOW, changes={"note": "y"})
    call.refresh_from_db()
    assert call.note == "y"


def test_a_correction_is_checked_like_the_first_entry(cast: Cast, deal: Deal) -> None:
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", subject="Call", deal=deal)
    before = everything()
    for changes, expected in [
        ({"outcome": "held"}, {"outcome": ["outcome"]}),
        ({"happened_at": None}, {"happened_at": ["happened-missing"]}),
        ({"happened_at": TOMORROW}, {"happened_at": ["happened-in-future"]}),
        ({"subject": ""}, {"subject": ["blank"]}),
    ]:
        with pytest.raises(ValidationError) as refused:
            edit_activity(actor=cast.actor("ana"), activity_id=call.pk, at=NOW, changes=changes)
        assert codes(refused.value) == expected
    assert everything() == before
