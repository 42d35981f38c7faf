"""Activities for programs: the same window, the same services, exact answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from salesops.activities.models import Activity
from salesops.activities.services import log_activity
from salesops.deals.models import Deal
from salesops.leads.models import Lead
from tests.cast import NOW, Cast

LogIn = Callable[[str], Client]


def send(client: Client, method: str, path: str, **data: Any) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", data, content_type="application/json")


def test_an_activity_is_logged_once_by_its_key(client_of: LogIn, deal: Deal, cast: Cast) -> None:
    client = client_of("ana")
    data = {"kind": "call", "outcome": "reached", "deal": deal.pk, "client_key": str(uuid.uuid4())}
    first, second = send(client, "post", "activities/", **data), send(client, "post", "activities/", **data)
    activity = Activity.objects.get()
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.json() == {
        "id": activity.pk,
        "kind": "call",
        "subject": "Call",
        "note": "",
        "outcome": "reached",
        "person": cast.ana.pk,
        "lead": None,
        "deal": deal.pk,
        "account": deal.account_id,
        "contact": None,
        "happened_at": "2026-06-17T10:00:00Z",
        "due_at": None,
        "done_at": None,
        "duration_minutes": None,
        "created_at": "2026-06-17T10:00:00Z",
    }


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "kind"),
        ({"kind": "task", "subject": "Call"}, "due_at"),
        ({"kind": "call", "outcome": "held"}, "outcome"),
        ({"kind": "call", "happened_at": "2026-06-17T10:06:00Z"}, "happened_at"),
        ({"kind": "call", "client_key": "x"}, "client_key"),
    ],
)
def test_what_cannot_be_is_refused_by_field(fields: dict[str, Any], where: str, client_of: LogIn, deal: Deal) -> None:
    answer = send(client_of("ana"), "post", "activities/", deal=deal.pk, **fields)
    assert (answer.status_code, list(answer.json())) == (400, [where])
    assert Activity.objects.count() == 0


def test_rows_of_others_are_no_choices(client_of: LogIn, theirs: Deal) -> None:
    answer = send(client_of("ana"), "post", "activities/", kind="call", deal=theirs.pk)
    assert (answer.status_code, list(answer.json())) == (400, ["deal"])
    assert Activity.objects.count() == 0


def test_a_task_is_done_by_whoever_sees_it(client_of: LogIn, cast: Cast, lead: Lead) -> None:
    task = log_activity(actor=cast.actor("ana"), at=NOW, kind="task", subject="Call", lead=lead, due_at=NOW)
    path = f"activities/{task.pk}/done/"
    assert send(client_of("alba"), "post", path).status_code == 404
    assert send(client_of("finn"), "post", path).status_code == 403
    task.refresh_from_db()
    assert task.done_at is None
    answer = send(client_of("sam"), "post", path, outcome="reached")
    assert (answer.status_code, answer.json()["done_at"], answer.json()["outcome"]) == (
        200,
        "2026-06-17T10:00:00Z",
        "reached",
    )
    lead.refresh_from_db()
    assert lead.last_touched_at == NOW


def test_a_correction_is_for_who_logged_it(client_of: LogIn, cast: Cast, deal: Deal) -> None:
    call = log_activity(actor=cast.actor("ana"), at=NOW, kind="call", deal=deal)
    path = f"activities/{call.pk}/"
    assert send(client_of("sam"), "patch", path, note="x").status_code == 403
    assert send(client_of("alba"), "patch", path, note="x").status_code == 404
    call.refresh_from_db()
    assert call.note == ""
    assert send(client_of("ana"), "patch", path, note="They called back").json()["note"] == "They called back"


def test_a_list_is_filtered_like_the_page(client_of: LogIn, cast: Cast, deal: Deal, theirs: Deal) -> None:
    log_activity(actor=cast.actor("ana"), at=NOW, kind="call", subject="Ours", deal=deal)
    log_activity(actor=cast.actor("ana"), at=NOW, kind="note", subject="Note", deal=deal)
    log_activity(actor=cast.actor("alba"), at=NOW, kind="call", subject="Theirs", deal=theirs)
    answer = client_of("ana").get("/api/v1/activities/?kind=call").json()
    assert [row["subject"] for row in answer["results"]] == ["Ours"]
