"""The pages of activities: the dialog that logs, the tick, the timeline inside other pages."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.activities.models import Activity
from salesops.activities.services import log_activity
from salesops.audit.models import AuditEntry
from salesops.deals.models import Deal
from salesops.leads.models import Lead
from tests.cast import NOW, Cast

LogIn = Callable[[str], Client]
LIST, LOG = reverse("activities:activity_list"), reverse("activities:activity_create")
TIMELINE, SUBJECTS = reverse("activities:timeline"), reverse("activities:subject_options")


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Activity, Lead, AuditEntry)]


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def dialog_on(path: str) -> dict[str, str]:
    """The headers of a dialog opened over a page."""
    return {
        "HTTP_HX_REQUEST": "true",
        "HTTP_HX_TARGET": "dialog-body",
        "HTTP_HX_CURRENT_URL": f"http://testserver{path}",
    }


def filled(about: str = "", **fields: Any) -> dict[str, Any]:
    return {"about": about, "kind": "call", "form_key": str(uuid.uuid4()), **fields}


def test_the_dialog_is_about_the_row_whose_page_is_open(client_of: LogIn, deal: Deal, theirs: Deal) -> None:
    client = client_of("ana")
    page = reverse("deals:deal_detail", kwargs={"pk": deal.pk})
    opened = client.get(LOG, **dialog_on(f"{page}?x=1"))
    assert f'name="about" value="deal-{deal.pk}"' in opened.content.decode()
    assert "Pilot" in text_of(opened)
    for elsewhere in (LIST, "/nowhere/", reverse("deals:deal_detail", kwargs={"pk": theirs.pk})):
        assert "Part of the name of a deal" in client.get(LOG, **dialog_on(elsewhere)).content.decode()
    assert client.get(LOG, {"about": f"deal-{theirs.pk}"}).status_code == 404


def test_logging_in_the_dialog_leaves_the_page_and_tells_its_parts(client_of: LogIn, deal: Deal) -> None:
    data = filled(f"deal-{deal.pk}", outcome="reached", note="Nice", next_subject="Offer", next_due_on="2026-06-20")
    client = client_of("ana")
    answer = client.post(LOG, data, **dialog_on("/deals/"))
    assert (answer.status_code, sorted(json.loads(answer.headers["HX-Trigger"]))) == (
        204,
        ["activity-logged", "close-dialog", "toast"],
    )
    assert "HX-Redirect" not in answer.headers
    call, task = Activity.objects.order_by("pk")
    assert (call.kind, call.outcome, call.deal, call.happened_at) == ("call", "reached", deal, NOW)
    assert (task.kind, task.subject, task.deal) == ("task", "Offer", deal)
    assert task.due_at == datetime(2026, 6, 20, 17, 0, tzinfo=UTC)
    before = everything()
    assert client.post(LOG, data, **dialog_on("/deals/")).status_code == 204
    assert everything() == before


def test_without_a_dialog_the_rows_page_is_next(client_of: LogIn, lead: Lead, deal: Deal) -> None:
    answer = client_of("ana").post(LOG, filled(f"deal-{deal.pk}"))
    assert answer.headers["Location"] == reverse("deals:deal_detail", kwargs={"pk": deal.pk})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose what it was about."),
        ({"about": "deal-THEIRS"}, "Choose one that you can see."),
        ({"about": "deal-OURS", "kind": "task", "subject": "Call"}, "Say by when it is to be done."),
        ({"about": "deal-OURS", "kind": "task", "due_on": "2026-06-20"}, "Say what is to be done."),
        ({"about": "deal-OURS", "next_subject": "Offer"}, "Say by when it is to be done."),
        ({"about": "deal-OURS", "next_due_on": "2026-06-20"}, "Say what comes next."),
        ({"about": "deal-OURS", "happened_at": "2026-06-18T10:00"}, "This lies in the future"),
    ],
)
def test_what_cannot_be_is_said_and_the_note_stays(
    fields: dict[str, str], words: str, client_of: LogIn, deal: Deal, theirs: Deal
) -> None:
    data = filled(note="Keep me") | fields
    data["about"] = data["about"].replace("OURS", str(deal.pk)).replace("THEIRS", str(theirs.pk))
    answer = client_of("ana").post(LOG, data)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert "Keep me" in answer.content.decode()
    assert Activity.objects.count() == 0


def test_an_outcome_hidden_by_another_kind_is_dropped(client_of: LogIn, deal: Deal) -> None:
    client_of("ana").post(LOG, filled(f"deal-{deal.pk}", kind="note", outcome="reached"))
    assert Activity.objects.get().outcome == ""


def test_subjects_are_offered_within_sight(client_of: LogIn, deal: Deal, theirs: Deal) -> None:
    page = client_of("ana").get(SUBJECTS, {"find": "pil"}).content.decode()
    assert f'value="deal-{deal.pk}"' in page
    assert "Nothing found." in client_of("ana").get(SUBJECTS, {"find": "their"}).content.decode()


def test_the_timeline_is_a_part_of_the_rows_page(client_of: LogIn, cast: Cast, deal: Deal) -> None:
    for number in range(25):
        log_activity(
            actor=cast.actor("ana"),
            at=NOW + timedelta(minutes=number),
            kind="call",
            subject=f"Call {number}",
            deal=deal,
        )
    client = client_of("ana")
    first = client.get(TIMELINE, {"about": f"deal-{deal.pk}"})
    assert first.content.decode().count("timeline-item") == 20
    more = re.search(r'hx-get="([^"]+)"', first.content.decode())
    assert more is not None
    second = client.get(more[1].replace("&amp;", "&"))
    assert second.content.decode().count("timeline-item") == 5
    assert "Call 4 " in text_of(second)
    assert "Show earlier" not in text_of(second)
    for stranger, code in (("alba", 404), ("elsa", 403), ("norm", 403)):
        assert client_of(stranger).get(TIMELINE, {"about": f"deal-{deal.pk}"}).status_code == code


def test_a_task_is_ticked_where_it_stands(client_of: LogIn, cast: Cast, deal: Deal) -> None:
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", deal=deal, due_at=NOW)
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", deal=deal)
    client = client_of("ana")
    done = client.post(reverse("activities:task_done", kwargs={"pk": task.pk}), HTTP_HX_REQUEST="true")
    assert done.status_code == 204
    task.refresh_from_db()
    assert task.done_at == NOW
    plain = client.post(reverse("activities:task_reopen", kwargs={"pk": task.pk}), {"next": "https://evil.example/"})
    assert plain.headers["Location"] == LIST
    before = everything()
    refused = client.post(reverse("activities:task_done", kwargs={"pk": call.pk}), HTTP_HX_REQUEST="true")
    assert (refused.status_code, "Only a task" in refused.headers["HX-Trigger"]) == (422, True)
    for name, code in (("alba", 404), ("finn", 403), ("elsa", 403), ("norm", 403)):
        url = reverse("activities:task_done", kwargs={"pk": task.pk})
        assert client_of(name).post(url).status_code == code
    assert everything() == before


def test_a_correction(client_of: LogIn, cast: Cast, deal: Deal) -> None:
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", subject="Call", deal=deal)
    url = reverse("activities:activity_edit", kwargs={"pk": call.pk})
    assert 'value="2026-06-17T10:00"' in client_of("ana").get(url).content.decode()
    client_of("ana").post(url, {"subject": "Long call", "happened_at": "2026-06-17T09:30", "outcome": "reached"})
    call.refresh_from_db()
    assert (call.subject, call.outcome, call.happened_at) == (
        "Long call",
        "reached",
        datetime(2026, 6, 17, 9, 30, tzinfo=UTC),
    )
    before = everything()
    for name, code in (("sam", 403), ("alba", 404), ("finn", 403)):
        assert client_of(name).get(url).status_code == code
        assert client_of(name).post(url, {"subject": "Mine"}).status_code == code
    assert everything() == before


def test_the_list_shows_what_is_to_do(client_of: LogIn, cast: Cast, deal: Deal, theirs: Deal) -> None:
    ana = cast.actor("ana")
    log_activity(actor=ana, at=NOW, kind="task", subject="Write offer", deal=deal, due_at=NOW - timedelta(hours=1))
    log_activity(actor=ana, at=NOW, kind="call", subject="Done call", outcome="no_answer", deal=deal)
    log_activity(actor=cast.actor("alba"), at=NOW, kind="call", subject="Their call", deal=theirs)
    client = client_of("ana")
    page = text_of(client.get(LIST))
    assert "Write offer" in page
    assert "Overdue" in page
    assert "No answer" in page
    assert "Their call" not in page
    todo = text_of(client.get(LIST, {"open": "yes"}))
    assert "Write offer" in todo
    assert "Done call" not in todo


def test_the_list_costs_the_same_for_3_and_150_rows(client_of: LogIn, cast: Cast, deal: Deal, lead: Lead) -> None:
    ana = cast.actor("ana")
    client = client_of("ana")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST, {"per": "200"}).status_code == 200
        return len(queries)

    for row in ({"deal": deal}, {"lead": lead}, {"deal": deal}):
        log_activity(actor=ana, at=NOW, kind="call", **row)
    cost()
    few = cost()
    for number in range(147):
        log_activity(actor=ana, at=NOW, kind="call", **({"deal": deal} if number % 2 else {"lead": lead}))
    assert cost() == few
