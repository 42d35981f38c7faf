"""The pages of leads: what they show to whom, what their forms do, and that what is not yours does not exist."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.accounts.services import create_account
from salesops.audit.models import AuditEntry
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.services import assign_lead, create_lead, set_status, touch_lead
from salesops.leads.tables import LeadTable
from tests.cast import NOW, Cast

Log = Callable[[str], Client]


def make(cast: Cast, who: str = "ana", **fields: Any) -> Lead:
    return create_lead(actor=cast.actor(who), at=NOW, **({"name": "Lena Lee", "company": "Acme"} | fields))


def names(response: Any) -> list[str]:
    """The names in the first column of a list page."""
    return re.findall(r'<th scope="row"[^>]*>\s*<a href="[^"]*">([^<]*)</a>', response.content.decode())


def typed(response: Any, **values: Any) -> dict[str, Any]:
    """What a browser posts: the form as it was shown, with some fields typed over."""
    form = response.context["form"]
    shown = {name: form[name].value() for name in form.fields}
    posted = {name: value for name, value in shown.items() if value is not None and value is not False}
    return {name: value for name, value in (posted | values).items() if value is not None}


# --- The list -----------------------------------------------------------------------------------------------------


@pytest.fixture
def some(cast: Cast) -> dict[str, Lead]:
    """Leads of both pods, in several states."""
    found = {
        "Mine": make(cast, "ana", name="Mine"),
        "Pods": make(cast, "sam", name="Pods"),
        "Theirs": make(cast, "alba", name="Theirs"),
        "Nobodys": make(cast, "rita", name="Nobodys"),
        "Lost": make(cast, "ana", name="Lost", email="lost@acme.com"),
    }
    set_status(actor=cast.actor("ana"), lead_id=found["Lost"].pk, status="disqualified", because="x", at=NOW)
    touch_lead(lead_id=found["Pods"].pk, at=NOW)
    return found


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("ana", {"Mine", "Pods", "Lost"}),
        ("alba", {"Theirs"}),
        ("max", {"Mine", "Pods", "Lost", "Nobodys"}),
        ("rita", {"Mine", "Pods", "Theirs", "Nobodys", "Lost"}),
        ("finn", {"Mine", "Pods", "Theirs", "Nobodys", "Lost"}),
    ],
)
def test_each_sees_their_leads(client_of: Log, some: dict[str, Lead], who: str, seen: set[str]) -> None:
    assert set(names(client_of(who).get(reverse("leads:lead_list")))) == seen


@pytest.mark.parametrize("who", ["elsa", "norm"])
def test_who_sees_no_single_lead_has_no_list(client_of: Log, some: dict[str, Lead], who: str) -> None:
    assert client_of(who).get(reverse("leads:lead_list")).status_code == 403


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("status=new", {"Mine", "Pods", "Theirs", "Nobodys"}),
        ("status=disqualified&status=new", {"Mine", "Pods", "Theirs", "Nobodys", "Lost"}),
        ("owner=none", {"Nobodys"}),
        ("unassigned=yes", {"Nobodys"}),
        ("unassigned=no", {"Mine", "Pods", "Theirs", "Lost"}),
        ("untouched=no", {"Pods"}),
        ("q=lost%40acme", {"Lost"}),
        ("q=theIRS", {"Theirs"}),
        ("q=acme+lost", {"Lost"}),
        ("created_from=2026-06-18", set()),
        ("created_until=2026-06-17", {"Mine", "Pods", "Theirs", "Nobodys", "Lost"}),
        ("status=gone", set()),
    ],
)
def test_filters_narrow_the_list(client_of: Log, some: dict[str, Lead], query: str, seen: set[str]) -> None:
    assert set(names(client_of("rita").get(f"{reverse('leads:lead_list')}?{query}"))) == seen


def test_the_shortcuts_lead_to_what_they_say(cast: Cast, client_of: Log, some: dict[str, Lead]) -> None:
    client = client_of("ana")
    page = client.get(reverse("leads:lead_list"))
    found = {each.label: each for each in page.context["shortcuts"]}
    assert list(found) == ["All", "Open", "Mine", "Never touched"]
    assert [each.label for each in found.values() if each.is_active] == ["All"]
    seen = {
        label: set(names(client.get(f"{reverse('leads:lead_list')}?{each.query}"))) for label, each in found.items()
    }
    assert seen == {
        "All": {"Mine", "Pods", "Lost"},
        "Open": {"Mine", "Pods"},
        "Mine": {"Mine"},
        "Never touched": {"Mine"},
    }
    mine = client.get(f"{reverse('leads:lead_list')}?{found['Mine'].query}")
    assert [each.label for each in mine.context["shortcuts"] if each.is_active] == ["Mine"]
    assert "Given to nobody" in [
        each.label for each in client_of("rita").get(reverse("leads:lead_list")).context["shortcuts"]
    ]


def test_a_list_costs_the_same_for_few_and_many(cast: Cast, client_of: Log) -> None:
    client = client_of("rita")
    url = f"{reverse('leads:lead_list')}?cols={','.join(LeadTable.column_names())}&per=100"

    def cost(count: int) -> int:
        Lead.objects.bulk_create(
            Lead(name=str(number), owner=cast.ana, pod=cast.north, segment=cast.smb, created_at=NOW)
            for number in range(count)
        )
        with CaptureQueriesContext(connection) as queries:
            response = client.get(url)
        assert len(names(response)) == min(100, Lead.objects.count())
        return len(queries)

    cost(1)
    assert cost(2) == cost(120)


# --- One lead -----------------------------------------------------------------------------------------------------


def test_a_lead_says_why_it_is_whose(cast: Cast, client_of: Log) -> None:
    lead = make(cast, "sam")
    assign_lead(
        actor=cast.actor("max"),
        lead_id=lead.pk,
        owner=cast.ana,
        at=NOW + timedelta(hours=1),
        reason="Knows the trade",
        path={"rule": "north-3"},
    )
    page = client_of("ana").get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
    assert "Why it is yours" in page
    assert page.index("Knows the trade") < page.index("Sam Sorensen")
    assert "north-3" in page
    assert (
        "Why it is Ana Alvarez's" in client_of("sam").get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
    )


def test_what_is_not_yours_does_not_exist_and_does_not_change(cast: Cast, client_of: Log) -> None:
    lead = make(cast, "ana")
    entries = AuditEntry.objects.count()
    client = client_of("alba")
    before = Lead.objects.values().get()
    for name in ("lead_detail", "lead_edit", "lead_status", "lead_assign", "lead_convert"):
        assert client.get(reverse(f"leads:{name}", args=[lead.pk])).status_code == 404
    for name, data in (
        ("lead_edit", {"name": "Stolen", "origin": "inbound", "currency": "USD"}),
        ("lead_status", {"status": "working"}),
        ("lead_assign", {"owner": cast.alba.pk}),
        ("lead_convert", {"account_name": "Stolen"}),
    ):
        assert client.post(reverse(f"leads:{name}", args=[lead.pk]), data).status_code == 404
    client.post(
        reverse("leads:lead_bulk_assign"), {"pk": [lead.pk], "step": "apply", "owner": cast.alba.pk, "fingerprint": ""}
    )
    assert Lead.objects.values().get() == before
    assert (AuditEntry.objects.count(), Account.objects.count()) == (entries, 0)


@pytest.mark.parametrize("who", ["finn", "elsa", "norm"])
def test_who_only_reads_has_no_forms(cast: Cast, client_of: Log, who: str) -> None:
    lead = make(cast, "ana")
    client = client_of(who)
    for name in ("lead_edit", "lead_status", "lead_assign", "lead_convert"):
        assert client.post(reverse(f"leads:{name}", args=[lead.pk]), {}).status_code == 403
    for name in ("lead_create", "lead_bulk_edit", "lead_bulk_assign"):
        assert client.post(reverse(f"leads:{name}"), {}).status_code == 403
    assert Lead.objects.count() == 1
    detail = client.get(reverse("leads:lead_detail", args=[lead.pk]))
    assert detail.status_code == (200 if who == "finn" else 403)
    if who == "finn":
        assert reverse("leads:lead_edit", args=[lead.pk]) not in detail.content.decode()


# --- Forms --------------------------------------------------------------------------------------------------------


def test_a_lead_is_added_once_however_often_the_form_is_posted(cast: Cast, client_of: Log) -> None:
    client = client_of("ana")
    page = client.get(reverse("leads:lead_create"))
    data = typed(page, name="Lena", company="Acme", estimated_minor="1,250.50", employees="40")
    first = client.post(reverse("leads:lead_create"), data)
    again = client.post(reverse("leads:lead_create"), data)
    lead = Lead.objects.get()
    assert first.url == again.url == reverse("leads:lead_detail", args=[lead.pk])
    assert (lead.owner, lead.pod, lead.estimated_minor, lead.segment) == (cast.ana, cast.north, 1250_50, cast.smb)


def test_what_is_wrong_is_said_and_nothing_typed_is_lost(cast: Cast, client_of: Log) -> None:
    client = client_of("ana")
    data = typed(client.get(reverse("leads:lead_create")), name="", email="nonsense", company="Kept")
    page = client.post(reverse("leads:lead_create"), data)
    assert (page.status_code, Lead.objects.count()) == (422, 0)
    assert set(page.context["form"].errors) == {"name", "email"}
    assert 'value="Kept"' in page.content.decode()
    other = client.post(reverse("leads:lead_create"), typed(page, name="X", email="", owner=cast.alba.pk))
    assert set(other.context["form"].errors) == {"owner"}
    assert not Lead.objects.exists()


def test_an_edit_over_a_newer_lead_shows_both_and_can_be_saved_again(cast: Cast, client_of: Log) -> None:
    lead = make(cast, "ana")
    url = reverse("leads:lead_edit", args=[lead.pk])
    client = client_of("ana")
    page = client.get(url)
    Lead.objects.filter(pk=lead.pk).update(company="Newer", updated_at=NOW + timedelta(seconds=5))
    stale = client.post(url, typed(page, company="Older", phone="1"))
    assert stale.status_code == 409
    assert stale.context["theirs"] == [
        {"label": "Company", "typed": "Older", "now": "Newer"},
        {"label": "Phone", "typed": "1", "now": "—"},
    ]
    assert Lead.objects.get().company == "Newer"
    assert 'value="Older"' in stale.content.decode()
    saved = client.post(url, typed(stale))
    assert saved.status_code == 302
    assert (Lead.objects.get().company, Lead.objects.get().phone) == ("Older", "1")


def test_a_lead_is_disqualified_with_a_reason_and_reopened(cast: Cast, client_of: Log) -> None:
    lead = make(cast, "ana")
    url = reverse("leads:lead_status", args=[lead.pk])
    client = client_of("ana")
    refused = client.post(url, {"status": "disqualified"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["because"])
    assert client.post(url, {"status": "disqualified", "because": "No budget"}).status_code == 302
    assert "No budget" in client.get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
    assert client.post(url, {"status": "working"}).status_code == 302
    lead.refresh_from_db()
    assert (lead.status, lead.disqualified_because) == ("working", "")


def test_a_lead_is_given_to_a_colleague_and_out_of_sight_to_another_pod(cast: Cast, client_of: Log) -> None:
    lead = make(cast, "ana")
    url = reverse("leads:lead_assign", args=[lead.pk])
    client = client_of("ana")
    page = client.get(url)
    assert {person.name for person in page.context["form"].fields["owner"].queryset} == {
        "Ana Alvarez",
        "Carl Chen",
        "Sam Sorensen",
    }
    assert client.post(url, {"owner": cast.sam.pk, "reason": "on leave"}).url == reverse(
        "leads:lead_detail", args=[lead.pk]
    )
    assert client.post(url, {"owner": cast.alba.pk}).status_code == 422
    lead.refresh_from_db()
    assert lead.owner == cast.sam
    assert LeadAssignment.objects.filter(lead=lead).count() == 2
    boss = client_of("max")
    assert boss.post(url, {"owner": "", "pod": cast.north.pk}).status_code == 302
    lead.refresh_from_db()
    assert (lead.owner, lead.pod) == (None, cast.north)


def test_a_conversion_proposes_the_account_that_is_known(cast: Cast, client_of: Log) -> None:
    account = create_account(actor=cast.actor("ana"), at=NOW, name="ACME Inc.")
    lead = make(cast, "ana", company="Acme", email="lena@acme.com")
    url = reverse("leads:lead_convert", args=[lead.pk])
    client = client_of("ana")
    page = client.get(url)
    assert page.context["form"].initial["account"] == account
    both = client.post(url, typed(page, account="ACME Inc.", account_name="Other"))
    assert (both.status_code, list(both.context["form"].errors)) == (422, ["account_name"])
    none = client.post(url, {"account": "", "account_name": ""})
    assert (none.status_code, list(none.context["form"].errors)) == (422, ["account_name"])
    done = client.post(url, {"account": "acme inc.", "account_name": ""})
    assert done.status_code == 302
    lead.refresh_from_db()
    assert (lead.status, lead.account, lead.credited_to) == ("converted", account, cast.ana)
    detail = client.get(reverse("leads:lead_detail", args=[lead.pk])).content.decode()
    assert reverse("accounts:account_detail", args=[account.pk]) in detail
    assert "The credit is Ana Alvarez's." in detail


def test_a_conversion_into_a_new_account(cast: Cast, client_of: Log) -> None:
    lead = make(cast, "ana", company="Brand New Ltd")
    client = client_of("ana")
    url = reverse("leads:lead_convert", args=[lead.pk])
    page = client.get(url)
    assert page.context["form"].initial["account_name"] == "Brand New Ltd"
    data = typed(page, account="")
    client.post(url, data)
    client.post(url, data)
    assert Account.objects.get().name == "Brand New Ltd"


# --- Many at once -------------------------------------------------------------------------------------------------


def test_many_are_previewed_then_changed_as_shown(cast: Cast, client_of: Log, some: dict[str, Lead]) -> None:
    client = client_of("rita")
    url = reverse("leads:lead_bulk_edit")
    chosen = {"pk": [some["Mine"].pk, some["Theirs"].pk, some["Lost"].pk]}
    asked = {"status": "disqualified", "disqualified_because": "List was stale", "campaign": "Fall"}
    asked["form_key"] = typed(client.post(url, chosen))["form_key"]
    preview = client.post(url, chosen | asked | {"step": "preview"})
    assert [(change.label, change.before, change.after) for change in preview.context["changes"]] == [
        (
            f"{name} · Acme",
            f"Status: {status} · Disqualified because: {because} · Campaign: —",
            "Status: Disqualified · Disqualified because: List was stale · Campaign: Fall",
        )
        for name, status, because in (("Mine", "New", "—"), ("Theirs", "New", "—"))
    ] + [
        (
            "Lost · Acme",
            "Disqualified because: x · Campaign: —",
            "Disqualified because: List was stale · Campaign: Fall",
        )
    ]
    assert set(Lead.objects.values_list("status", flat=True)) == {"new", "disqualified"}
    data = chosen | asked | {"step": "apply", "fingerprint": preview.context["fingerprint"]}
    assert client.post(url, data).status_code == 302
    assert set(Lead.objects.filter(pk__in=chosen["pk"]).values_list("status", "disqualified_because", "campaign")) == {
        ("disqualified", "List was stale", "Fall")
    }
    assert Lead.objects.get(name="Pods").status == "new"


def test_all_matching_are_reassigned_within_sight(cast: Cast, client_of: Log, some: dict[str, Lead]) -> None:
    client = client_of("max")
    url = f"{reverse('leads:lead_bulk_assign')}?status=new"
    asked = {"all": "1", "owner": cast.carl.pk, "reason": "leave"}
    asked["form_key"] = typed(client.post(url, {"all": "1"}))["form_key"]
    preview = client.post(url, asked | {"step": "preview"})
    assert [change.label for change in preview.context["changes"]] == ["Mine · Acme", "Pods · Acme", "Nobodys · Acme"]
    data = asked | {"step": "apply", "fingerprint": preview.context["fingerprint"]}
    client.post(url, data)
    client.post(url, data)
    assert set(Lead.objects.filter(owner=cast.carl).values_list("name", flat=True)) == {"Mine", "Pods", "Nobodys"}
    assert LeadAssignment.objects.filter(method="bulk", reason="leave").count() == 3
    assert Lead.objects.get(name="Theirs").owner == cast.alba


def test_an_empty_bulk_change_is_refused(cast: Cast, client_of: Log, some: dict[str, Lead]) -> None:
    client = client_of("rita")
    for name, said in (
        ("lead_bulk_edit", "Choose at least one thing to change."),
        ("lead_bulk_assign", "Choose an owner or a pod."),
    ):
        page = client.post(reverse(f"leads:{name}"), {"pk": [some["Mine"].pk], "step": "preview"})
        assert page.status_code == 422
        assert said in page.content.decode()
    both = client.post(
        reverse("leads:lead_bulk_assign"),
        {"pk": [some["Mine"].pk], "step": "preview", "owner": cast.ana.pk, "without_owner": "on"},
    )
    assert list(both.context["form"].errors) == ["without_owner"]
