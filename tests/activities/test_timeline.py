"""The timeline: activities, moves, assignments and changes in one order, a page at a time, within the actor's sight."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account
from salesops.activities.selectors import about_for, open_tasks_for, subjects_for, timeline_for
from salesops.activities.services import log_activity
from salesops.deals.models import Deal, Stage
from salesops.deals.services import SplitDraft, create_deal, edit_deal, move_deal, reassign, set_splits
from salesops.leads.models import Lead, LeadAssignment
from tests.cast import NOW, Cast


def hours(count: int) -> Any:
    return NOW + timedelta(hours=count)


@pytest.fixture
def busy(cast: Cast, stage: Stage, gekko: Account) -> Deal:
    """A deal to which something of each kind happened, an hour apart."""
    engaging, _made = Stage.objects.get_or_create(code="engaging", defaults={"name": "Engaging", "position": 3})
    ana = cast.actor("ana")
    deal = create_deal(actor=ana, at=hours(0), name="Pilot", account=gekko, amount_minor=100_000)
    log_activity(actor=ana, at=hours(1), kind="call", subject="First call", outcome="reached", note="Nice.", deal=deal)
    edit_deal(
        actor=ana, deal_id=deal.pk, version=1, at=hours(2), changes={"amount_minor": 250_050, "next_step": "Offer"}
    )
    move_deal(actor=ana, deal_id=deal.pk, stage=engaging, at=hours(3))
    reassign(actor=cast.actor("max"), deal_id=deal.pk, owner=cast.sam, at=hours(4), reason="Vacation")
    set_splits(
        actor=ana,
        deal_id=deal.pk,
        version=4,
        splits=[SplitDraft(cast.ana.pk, 6_000), SplitDraft(cast.sam.pk, 4_000)],
        at=hours(5),
    )
    log_activity(actor=ana, at=hours(6), kind="task", subject="Send it", deal=deal, due_at=hours(30))
    return deal


def test_a_deals_timeline_tells_everything_once_in_words(cast: Cast, busy: Deal) -> None:
    items = timeline_for(cast.actor("ana"), deal=busy).items
    assert [(item.title, item.who) for item in items] == [
        ("Send it", "Ana Alvarez"),
        ("Changed splits", "Ana Alvarez"),
        ("Changed owner", "Max Manager"),
        ("From Prospecting to Engaging", "Ana Alvarez"),
        ("Changed amount, next step", "Ana Alvarez"),
        ("First call", "Ana Alvarez"),
        ("Began in Prospecting", "Ana Alvarez"),
    ]
    assert [item.at for item in items] == [hours(number) for number in (6, 5, 4, 3, 2, 1, 0)]
    task, splits, owner, move, edit, call, _began = items
    assert (task.tag, task.tone) == ("To do", "amber")
    assert [(change.before, change.after) for change in splits.changes] == [("", "Ana Alvarez 60 %, Sam Sorensen 40 %")]
    assert [(change.label, change.before, change.after) for change in owner.changes] == [
        ("owner", "Ana Alvarez", "Sam Sorensen")
    ]
    assert owner.text == "Vacation"
    assert (move.text, move.tag) == ("After 3 hours in Prospecting", "$2,500.50")
    assert [(change.label, change.before, change.after) for change in edit.changes] == [
        ("amount", "$1,000.00", "$2,500.50"),
        ("next step", "", "Offer"),
    ]
    assert (call.tag, call.tone, call.text) == ("Reached", "green", "Nice.")


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_page_by_page_nothing_is_lost_or_told_twice(limit: int, cast: Cast, busy: Deal) -> None:
    ana = cast.actor("ana")
    # Three things at one moment: the cursor must not swallow any of them.
    for number in range(3):
        log_activity(actor=ana, at=hours(2), kind="note", subject=f"Note {number}", deal=busy)
    whole = [item.key for item in timeline_for(ana, deal=busy, limit=100).items]
    assert len(whole) == len(set(whole)) == 10
    assert whole == sorted(whole, reverse=True)
    seen, cursor = [], ""
    while True:
        page = timeline_for(ana, deal=busy, limit=limit, after=cursor)
        assert len(page.items) <= limit
        seen += [item.key for item in page.items]
        cursor = page.next
        if not cursor:
            break
    assert seen == whole


@pytest.mark.parametrize("cursor", ["rubbish", "x" * 500, "Zm9vfGJhcnxiYXo", "¤"])
def test_a_cursor_that_cannot_be_read_starts_from_the_top(cursor: str, cast: Cast, busy: Deal) -> None:
    ana = cast.actor("ana")
    assert timeline_for(ana, deal=busy, after=cursor).items[0].title == "Send it"


def test_a_lead_tells_to_whom_it_was_given(cast: Cast, lead: Lead) -> None:
    LeadAssignment.objects.create(
        lead=lead, person=cast.ana, assigned_at=hours(1), assigned_by=cast.max, method="manual", reason="Knows them"
    )
    log_activity(actor=cast.actor("ana"), at=hours(2), kind="mail", subject="Hello", lead=lead)
    items = timeline_for(cast.actor("ana"), lead=lead).items
    assert [(item.title, item.who, item.text) for item in items] == [
        ("Hello", "Ana Alvarez", ""),
        ("Given to Ana Alvarez", "Max Manager", "Knows them"),
    ]


def test_an_account_tells_the_moves_of_its_deals_as_far_as_they_are_seen(
    cast: Cast, busy: Deal, gekko: Account, stage: Stage
) -> None:
    hidden = create_deal(actor=cast.actor("rita"), at=hours(7), name="Hidden", account=gekko, owner=cast.alba)
    assert hidden.pod == cast.south
    log_activity(actor=cast.actor("rita"), at=hours(8), kind="note", subject="About all", account=gekko)
    titles = [(item.title, item.about) for item in timeline_for(cast.actor("ana"), account=gekko).items]
    assert titles == [
        ("About all", ""),
        ("Send it", ""),
        ("From Prospecting to Engaging", "Pilot"),
        ("First call", ""),
        ("Began in Prospecting", "Pilot"),
    ]
    assert ("Began in Prospecting", "Hidden") in [
        (item.title, item.about) for item in timeline_for(cast.actor("rita"), account=gekko).items
    ]


@pytest.mark.parametrize("stranger", ["alba", "elsa", "norm"])
def test_who_does_not_see_the_deal_sees_nothing_of_it(stranger: str, cast: Cast, busy: Deal) -> None:
    assert timeline_for(cast.actor(stranger), deal=busy).items == []


def test_it_takes_the_same_queries_however_much_happened(cast: Cast, busy: Deal) -> None:
    ana = cast.actor("ana")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            timeline_for(ana, deal=busy, limit=500)
        return len(queries)

    few = cost()
    for number in range(20):
        log_activity(actor=ana, at=hours(10 + number), kind="call", deal=busy)
        version = Deal.objects.get().version
        edit_deal(actor=ana, deal_id=busy.pk, version=version, at=hours(10), changes={"next_step": f"Step {number}"})
    assert cost() == few


def test_exactly_one_row_is_asked_about(cast: Cast, busy: Deal, gekko: Account) -> None:
    with pytest.raises(TypeError):
        timeline_for(cast.actor("ana"))
    with pytest.raises(TypeError):
        timeline_for(cast.actor("ana"), deal=busy, account=gekko)


def test_subjects_are_found_within_sight(cast: Cast, deal: Deal, theirs: Deal, lead: Lead, gekko: Account) -> None:
    def found(name: str, text: str) -> list[str]:
        return [about.value for about in subjects_for(cast.actor(name), text)]

    assert found("ana", "gekko") == [f"account-{gekko.pk}"]
    assert found("ana", "pilot") == [f"deal-{deal.pk}"]
    assert found("ana", "deal") == []
    assert found("ana", "bud") == [f"lead-{lead.pk}"]
    assert found("ana", "b") == []
    assert about_for(cast.actor("ana"), f"deal-{deal.pk}").label == "Pilot"


@pytest.mark.parametrize("value", ["", "deal-", "deal-x", "pod-1", "deal-99999999999999999999", "deal-0"])
def test_what_is_no_subject_is_not_found(value: str, cast: Cast) -> None:
    from django.http import Http404

    with pytest.raises(Http404):
        about_for(cast.actor("ana"), value)


def test_open_tasks_are_ones_own_the_next_due_first(cast: Cast, deal: Deal) -> None:
    ana = cast.actor("ana")
    late = log_activity(actor=ana, at=NOW, kind="task", subject="Later", deal=deal, due_at=hours(5))
    soon = log_activity(actor=ana, at=NOW, kind="task", subject="Soon", deal=deal, due_at=hours(1))
    log_activity(actor=cast.actor("sam"), at=NOW, kind="task", subject="Sam's", deal=deal, due_at=hours(2))
    assert list(open_tasks_for(ana)) == [soon, late]
