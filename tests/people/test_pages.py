"""The people pages as people use them: who opens what, and what a form does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.jobs.testing import run_due
from salesops.people import services
from salesops.people.forms.people import parse_spans, spans_text
from salesops.people.models import FunctionAssignment, Leave, ReportingLine, RoleGrant, User
from tests.cast import NOW, PASSWORD, TODAY, Cast

ClientOf = Callable[[str], Client]
JULY = date(2026, 7, 1)


def page(client: Client, name: str, *args: Any) -> Any:
    return client.get(reverse(f"people:{name}", args=args))


def names(response: Any) -> list[str]:
    return [row.name for row in response.context["page"].rows]


def test_the_directory_shows_function_manager_and_state_of_today(cast: Cast, client_of: ClientOf) -> None:
    services.add_leave(actor=cast.actor("max"), person=cast.ana, kind="sick", start_on=TODAY, end_on=JULY, at=NOW)
    html = page(client_of("alba"), "person_list").content.decode()
    row = next(part for part in html.split("<tr>") if "Ana Alvarez" in part)
    text = re.sub(r"<[^>]+>|\s+", " ", row)
    for part in ("AE", "Rep", "Max Manager", "ana@example.com", "Away today"):
        assert part in text
    assert "Sick" not in html, "why somebody is away is not for all"


def test_a_leave_names_its_deputy(cast: Cast, client_of: ClientOf) -> None:
    client = client_of("max")
    client.post(
        reverse("people:leave_add", args=[cast.ana.pk]),
        {"kind": "vacation", "start_on": TODAY, "end_on": JULY, "deputy": cast.sam.pk},
    )
    assert Leave.objects.get().deputy == cast.sam
    assert "Deputy: Sam Sorensen" in client.get(f"/people/{cast.ana.pk}/").content.decode()
    assert "Deputy" not in client_of("alba").get(f"/people/{cast.ana.pk}/").content.decode()


def test_the_directory_filters(cast: Cast, client_of: ClientOf) -> None:
    services.set_function(actor=cast.actor("rita"), person=cast.sam, function="ae", start_on=JULY, at=NOW)
    services.add_leave(actor=cast.actor("max"), person=cast.ana, kind="sick", start_on=TODAY, end_on=JULY, at=NOW)
    client = client_of("rita")

    def found(query: str) -> list[str]:
        return names(client.get(f"/people/?{query}"))

    assert found("function=sdr") == ["Sam Sorensen", "Sven Singh"]
    assert found("role=finance&role=admin") == ["Ada Admin", "Fay Finance", "Finn Finance"]
    assert found("away=yes") == ["Ana Alvarez"]
    assert found("q=al") == ["Alba Abe", "Ana Alvarez"]
    assert found("q=al&sort=-name") == ["Ana Alvarez", "Alba Abe"]
    assert len(found("active=yes")) == 14


def test_the_directory_costs_the_same_for_many(
    cast: Cast, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    client = client_of("rita")
    page(client, "person_list")
    with django_assert_max_num_queries(40) as few:
        page(client, "person_list")
    User.objects.bulk_create(User(email=f"p{n}@example.com", name=f"Person {n:04}") for n in range(300))
    people = list(User.objects.filter(email__startswith="p"))
    FunctionAssignment.objects.bulk_create(
        FunctionAssignment(person=person, function="sdr", start_on=TODAY) for person in people
    )
    ReportingLine.objects.bulk_create(
        ReportingLine(person=person, manager=cast.max, start_on=TODAY) for person in people
    )
    with django_assert_max_num_queries(40) as many:
        client.get("/people/?per=200")
    assert len(many) == len(few)


def test_somebody_without_a_role_sees_only_themselves(cast: Cast, client_of: ClientOf) -> None:
    client = client_of("norm")
    assert names(page(client, "person_list")) == ["Norm Norole"]
    assert page(client, "person_detail", cast.norm.pk).status_code == 200
    assert page(client, "person_detail", cast.ana.pk).status_code == 404


def test_a_persons_page_hides_what_is_private(cast: Cast, client_of: ClientOf) -> None:
    User.objects.filter(pk=cast.ana.pk).update(payroll_number="PAY-77")
    services.add_leave(
        actor=cast.actor("max"), person=cast.ana, kind="parental", start_on=JULY, end_on=date(2026, 8, 1), at=NOW
    )
    shown = {}
    for name in ("ana", "sam", "alba", "max", "mia", "rita", "finn"):
        html = page(client_of(name), "person_detail", cast.ana.pk).content.decode()
        shown[name] = ("PAY-77" in html, "Parental leave" in html)
    private, public = (True, True), (False, False)
    assert shown == {
        "ana": private,
        "sam": public,
        "alba": public,
        "max": private,
        "mia": public,
        "rita": private,
        "finn": private,
    }


def test_the_tree_of_today(cast: Cast, client_of: ClientOf) -> None:
    html = page(client_of("ana"), "person_tree").content.decode()
    order = [name for name in re.findall(r'who-name">([^<]+)<', html) if name != "Ana"]
    assert order[:6] == ["Ada Admin", "Elsa Executive", "Max Manager", "Ana Alvarez", "Carl Chen", "Sam Sorensen"]


CHANGES = {
    "person_edit": {"name": "Ana A.", "email": "ana@example.com", "language": "en", "time_zone": "UTC"},
    "function_set": {"function": "kam", "start_on": "2026-07-01"},
    "function_end": {"end_on": "2026-07-01"},
    "manager_end": {"end_on": "2026-07-01"},
    "hours_edit": {"day_1": "9-17"},
    "leave_add": {"kind": "vacation", "start_on": "2026-07-01", "end_on": "2026-07-08"},
    "role_grant": {"role": "manager", "start_on": "2026-07-01"},
    "person_leave": {"left_on": "2026-07-01"},
    "person_deactivate": {},
    "person_reactivate": {},
    "password_link": {},
    "factor_reset": {},
}
MAY = {
    **{key: {"rita", "ada"} for key in ["person_edit", "function_set", "function_end", "manager_end"]},
    "hours_edit": {"ana", "rita", "ada"},
    "leave_add": {"max", "elsa", "rita", "ada"},
    **{
        key: {"ada"}
        for key in [
            "role_grant",
            "person_leave",
            "person_deactivate",
            "person_reactivate",
            "password_link",
            "factor_reset",
        ]
    },
}


@pytest.mark.parametrize("name", ["ana", "alba", "max", "mia", "finn", "elsa", "norm", "rita", "ada"])
def test_who_may_change_what(cast: Cast, client_of: ClientOf, name: str) -> None:
    client = client_of(name)
    for change, data in CHANGES.items():
        url = reverse(f"people:{change}", args=[cast.ana.pk])
        before = (AuditEntry.objects.count(), RoleGrant.objects.count(), Leave.objects.count())
        response = client.post(url, data)
        if name in MAY[change]:
            assert response.status_code == 302, (change, response.content)
            continue
        assert response.status_code in {403, 404}, (change, name)
        assert client.get(url).status_code in {200, 403, 404}
        assert (AuditEntry.objects.count(), RoleGrant.objects.count(), Leave.objects.count()) == before


def test_a_manager_of_others_cannot_note_leave(cast: Cast, client_of: ClientOf) -> None:
    url = reverse("people:leave_add", args=[cast.ana.pk])
    assert client_of("mia").post(url, CHANGES["leave_add"]).status_code == 403
    assert Leave.objects.count() == 0


def test_an_invitation_from_the_page(cast: Cast, client_of: ClientOf) -> None:
    client = client_of("ada")
    form = client.get(reverse("people:person_invite"))
    assert 'value="2026-06-17"' in form.content.decode()
    data = {
        "name": "Nina New",
        "email": "nina@example.com",
        "role": "rep",
        "function": "sdr",
        "manager": cast.max.pk,
        "started_on": "2026-06-17",
        "language": "zh-hans",
        "time_zone": "Asia/Shanghai",
        "form_key": str(form.context["form"]["form_key"].value()),
    }
    first = client.post(reverse("people:person_invite"), data)
    nina = User.objects.get(email="nina@example.com")
    assert first.headers["Location"] == f"/people/{nina.pk}/"
    second = client.post(reverse("people:person_invite"), data)
    assert second.headers["Location"] == f"/people/{nina.pk}/", "the same form, posted twice, invites once"
    assert User.objects.filter(name="Nina New").count() == 1
    run_due(at=NOW)
    assert [message.to for message in mail.outbox] == [["nina@example.com"]]


@pytest.mark.parametrize(("backend", "is_kept"), [("filebased", True), ("smtp", False)])
def test_without_a_mail_server_it_is_said_where_the_mail_lies(
    backend: str, is_kept: bool, cast: Cast, client_of: ClientOf, settings: Any, tmp_path: Path
) -> None:
    """Who sets the portal up would otherwise wait for a mail that goes nowhere."""
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    client = client_of("ada")
    data = {"name": "Nina New", "email": "nina@example.com", "started_on": "2026-06-17", "language": "en"}
    page = client.post(reverse("people:person_invite"), data | {"time_zone": "UTC"}, follow=True)
    (said,) = [str(message) for message in page.context["messages"]]
    assert said.startswith("Invited. A mail with a link to choose a password is on its way.")
    assert said.endswith(f"mails are kept as files in {tmp_path}.") == is_kept


def test_what_a_service_refuses_is_shown_at_its_field_and_nothing_is_lost(cast: Cast, client_of: ClientOf) -> None:
    client = client_of("rita")
    url = reverse("people:manager_set", args=[cast.elsa.pk])
    response = client.post(url, {"manager": cast.ana.pk, "start_on": "2026-07-01", "reason": "swap"})
    assert response.status_code == 422
    assert "closes a circle" in str(response.context["form"].errors["manager"])
    assert 'value="swap"' in response.content.decode()
    assert ReportingLine.objects.filter(person=cast.elsa).count() == 0
    overlap = client_of("ada").post(
        reverse("people:role_grant", args=[cast.ana.pk]), {"role": "rep", "start_on": "2026-07-01"}
    )
    assert (overlap.status_code, "already holds" in overlap.content.decode()) == (422, True)


def test_a_role_is_given_and_taken_from_the_page(
    cast: Cast, client_of: ClientOf, frozen: time_machine.Traveller
) -> None:
    client = client_of("ada")
    client.post(reverse("people:role_grant", args=[cast.ana.pk]), {"role": "manager", "start_on": "2026-06-17"})
    grant = RoleGrant.objects.get(person=cast.ana, role="manager")
    url = reverse("people:role_revoke", args=[cast.ana.pk, grant.pk])
    assert (
        client.post(reverse("people:role_revoke", args=[cast.sam.pk, grant.pk]), {"end_on": "2026-06-20"}).status_code
        == 404
    )
    assert client.post(url, {"end_on": "2026-06-20"}).status_code == 302
    grant.refresh_from_db()
    assert grant.end_on == date(2026, 6, 20)


def test_changing_roles_asks_again_who_is_there(
    cast: Cast, client_of: ClientOf, frozen: time_machine.Traveller
) -> None:
    client = client_of("ada")
    frozen.shift(timedelta(minutes=11))
    url = reverse("people:role_grant", args=[cast.ana.pk])
    response = client.post(url, {"role": "manager", "start_on": "2026-06-17"})
    assert response.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert RoleGrant.objects.filter(person=cast.ana).count() == 1
    done = client.post(response.headers["Location"], {"password": PASSWORD})
    assert done.headers["Location"] == f"/people/{cast.ana.pk}/"
    assert RoleGrant.objects.filter(person=cast.ana).count() == 2


def test_hours_as_people_write_them() -> None:
    spans = [(time(9), time(12, 30)), (time(13, 30), time(17))]
    assert parse_spans(" 9-12:30 , 13:30–17 ") == spans
    assert spans_text(spans) == "09:00-12:30, 13:30-17:00"
    assert parse_spans(spans_text(spans)) == spans
    assert parse_spans("") == []
    assert parse_spans("20-24") == [(time(20), time(23, 59))]


@pytest.mark.parametrize("text", ["nine to five", "25-26", "9", "9-12-17", "9:60-10", "1-2,3-4,5-6,7-8,9-10"])
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(Exception, match="span"):
        parse_spans(text)


def test_people_set_their_own_hours_and_language(cast: Cast, client_of: ClientOf) -> None:
    client = client_of("ana")
    url = reverse("people:hours_edit", args=[cast.ana.pk])
    assert client.post(url, {"day_1": "9-17", "day_2": "later"}).status_code == 422
    assert cast.ana.working_hours.count() == 0
    assert client.post(url, {"day_1": "9-12, 13-17"}).status_code == 302
    assert 'value="09:00-12:00, 13:00-17:00"' in client.get(url).content.decode()
    settings = reverse("people:settings_edit")
    assert client.post(settings, {"language": "zh-hans", "time_zone": "Asia/Shanghai"}).status_code == 302
    cast.ana.refresh_from_db()
    assert (cast.ana.language, cast.ana.time_zone) == ("zh-hans", "Asia/Shanghai")
    assert 'lang="zh-hans"' in client.get(settings).content.decode()
    assert client.post(settings, {"language": "xx", "time_zone": "Mars"}).status_code == 422


def test_leave_is_cancelled_by_those_above(cast: Cast, client_of: ClientOf) -> None:
    leave = services.add_leave(
        actor=cast.actor("max"), person=cast.ana, kind="sick", start_on=JULY, end_on=date(2026, 7, 3), at=NOW
    )
    url = reverse("people:leave_cancel", args=[cast.ana.pk, leave.pk])
    assert client_of("mia").post(url).status_code == 403
    assert client_of("ana").post(url).status_code == 403
    other = reverse("people:leave_cancel", args=[cast.sam.pk, leave.pk])
    assert client_of("max").post(other).status_code == 404, "the leave is not Sam's"
    assert Leave.objects.count() == 1
    assert client_of("max").post(url).status_code == 302
    assert Leave.objects.count() == 0


def test_the_history_on_a_persons_page(cast: Cast, client_of: ClientOf) -> None:
    services.set_manager(actor=cast.actor("rita"), person=cast.ana, manager=cast.mia, start_on=JULY, at=NOW)
    html = page(client_of("ada"), "person_detail", cast.ana.pk).content.decode()
    assert "Reporting line changed" in html
    assert "<del>Max Manager</del>" in html
    assert "Reporting line changed" not in page(client_of("sam"), "person_detail", cast.ana.pk).content.decode()
