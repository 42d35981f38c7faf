"""Leads, accounts, contacts and pods for programs: the same window, the same services, exact answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, AccountOwnership, Contact
from salesops.accounts.services import create_account, create_contact
from salesops.audit.models import AuditEntry
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.services import create_lead
from tests.cast import NOW, SINCE, TODAY, Cast

pytestmark = pytest.mark.urls("tests.leads.api_urls")

Log = Callable[[str], Client]


def send(client: Client, method: str, path: str, **data: Any) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", data, content_type="application/json")


def everything() -> list[Any]:
    tables = (Lead, LeadAssignment, Account, AccountOwnership, Contact, AuditEntry)
    return [list(model.objects.order_by("pk").values()) for model in tables]


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    """A lead, an account and a contact of pod North, and of pod South."""
    found: dict[str, Any] = {}
    for who, pod in (("ana", "north"), ("alba", "south")):
        by = {"actor": cast.actor(who), "at": NOW}
        found[f"leads/{pod}"] = create_lead(name=f"Lead {pod}", company="Acme", **by)
        found[f"accounts/{pod}"] = account = create_account(name=f"Account {pod}", **by)
        found[f"contacts/{pod}"] = create_contact(account_id=account.pk, name=f"Contact {pod}", **by)
    return found


@pytest.mark.parametrize("noun", ["leads", "accounts", "contacts"])
@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("ana", {"north"}),
        ("max", {"north"}),
        ("alba", {"south"}),
        ("finn", {"north", "south"}),
        ("ada", {"north", "south"}),
    ],
)
def test_programs_see_what_their_person_sees(
    client_of: Log, rows: dict[str, Any], noun: str, who: str, seen: set[str]
) -> None:
    client = client_of(who)
    answer = client.get(f"/api/v1/{noun}/").json()
    assert (answer["count"], {row["name"].split()[-1] for row in answer["results"]}) == (len(seen), seen)
    for pod in ("north", "south"):
        found = client.get(f"/api/v1/{noun}/{rows[f'{noun}/{pod}'].pk}/")
        assert found.status_code == (200 if pod in seen else 404)


@pytest.mark.parametrize("noun", ["leads", "accounts", "contacts"])
def test_who_sees_no_row_gets_none(client_of: Log, rows: dict[str, Any], noun: str) -> None:
    for who in ("elsa", "norm"):
        assert client_of(who).get(f"/api/v1/{noun}/").status_code == 403
    assert Client().get(f"/api/v1/{noun}/").status_code in {302, 401, 403}


def test_the_fields_are_exactly_these(client_of: Log, rows: dict[str, Any]) -> None:
    client = client_of("ana")
    found = {
        noun: " ".join(sorted(client.get(f"/api/v1/{noun}/").json()["results"][0]))
        for noun in ("leads", "accounts", "contacts", "pods")
    }
    assert found == {
        "leads": "account assigned_at campaign company consent contact converted_at country created_at credited_to currency"
        " disqualified_because email employees estimated_minor external_id first_touched_at id last_touched_at name note"
        " origin owner phone pod pool segment source spiced_filled status title updated_at waits_because",
        "accounts": "city country created_at currency employees external_id founded_year id industry name owner parent pod"
        " revenue_minor segment source status territory updated_at website",
        "contacts": "account consent created_at email external_id id is_primary name phone source title updated_at",
        "pods": "closed_on customer_size id lead_capacity name opened_on segment template time_zone",
    }


def test_a_list_costs_the_same_for_few_and_many(cast: Cast, client_of: Log) -> None:
    client = client_of("rita")

    def cost(count: int) -> list[int]:
        Lead.objects.bulk_create(Lead(name="x", owner=cast.ana, pod=cast.north, created_at=NOW) for _n in range(count))
        accounts = Account.objects.bulk_create(
            Account(name="x", match_name="x", owner=cast.ana, created_at=NOW) for _n in range(count)
        )
        Contact.objects.bulk_create(Contact(account=account, name="x", created_at=NOW) for account in accounts)
        found = []
        for noun in ("leads", "accounts", "contacts"):
            with CaptureQueriesContext(connection) as queries:
                client.get(f"/api/v1/{noun}/?limit=200")
            found.append(len(queries))
        return found

    cost(1)
    assert cost(2) == cost(60)


def test_a_lead_is_made_changed_given_and_converted(cast: Cast, client_of: Log) -> None:
    client = client_of("ana")
    made = send(client, "post", "leads/", name="Lena", company="Acme", email="LENA@acme.com", estimated_minor=2**53 + 1)
    assert made.status_code == 201
    body = made.json()
    assert (body["owner"], body["pod"], body["estimated_minor"], body["email"]) == (
        cast.ana.pk,
        cast.north.pk,
        2**53 + 1,
        "lena@acme.com",
    )
    path = f"leads/{body['id']}/"
    changed = send(client, "patch", path, phone="1", seen_at=body["updated_at"])
    assert (changed.status_code, changed.json()["phone"]) == (200, "1")
    Lead.objects.update(updated_at=NOW + timedelta(days=1))
    stale = send(client, "patch", path, phone="2", seen_at=body["updated_at"])
    assert (stale.status_code, Lead.objects.get().phone) == (409, "1")
    no_reason = send(client, "post", f"{path}status/", status="disqualified")
    assert (no_reason.status_code, no_reason.json()) == (400, {"because": ["Say why the lead is disqualified."]})
    assert send(client, "post", f"{path}status/", status="qualified").json()["status"] == "qualified"
    given = send(client, "post", f"{path}assign/", owner=cast.sam.pk, reason="leave")
    assert given.json()["owner"] == cast.sam.pk
    path_rows = client.get(f"/api/v1/{path}assignments/").json()["results"]
    assert [(row["person"], row["reason"]) for row in path_rows] == [(cast.sam.pk, "leave"), (cast.ana.pk, "")]
    done = send(client, "post", f"{path}convert/").json()
    assert (done["status"], done["credited_to"], done["account"]) == (
        "converted",
        cast.sam.pk,
        Account.objects.get(name="Acme").pk,
    )


def test_a_lead_is_made_once_by_its_key(cast: Cast, client_of: Log) -> None:
    """Sent twice with one key, as after a cut line, it is one lead and the same answer; for something else it is refused."""
    client = client_of("ana")

    def post(key: str, **data: Any) -> Any:
        return client.post("/api/v1/leads/", data, content_type="application/json", headers={"Idempotency-Key": key})

    first, again = post("a", name="Lena"), post("a", name="Lena")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert post("a", name="Leo").status_code == 422
    assert Lead.objects.count() == 1
    assert post("b", name="Lena").json()["id"] != first.json()["id"]
    refused = post("c", name="")
    assert (refused.status_code, Lead.objects.count()) == (400, 2)
    lead, body = first.json()["id"], {"owner": cast.sam.pk}

    def step(name: str, key: str, **data: Any) -> Any:
        url = f"/api/v1/leads/{lead}/{name}/"
        return client.post(url, data, content_type="application/json", headers={"Idempotency-Key": key})

    for name, key, data in (("assign", "d", body), ("convert", "e", {"account_name": "Acme"})):
        once, twice = step(name, key, **data), step(name, key, **data)
        assert (once.status_code, twice.status_code, twice.json()) == (200, 200, once.json()), name
    assert (LeadAssignment.objects.filter(lead=lead).count(), Account.objects.count()) == (2, 1)


def test_what_is_not_yours_does_not_exist_and_does_not_change(cast: Cast, client_of: Log, rows: dict[str, Any]) -> None:
    before, client = everything(), client_of("alba")
    lead, account, contact = (rows[f"{noun}/north"].pk for noun in ("leads", "accounts", "contacts"))
    for method, path, data in (
        ("patch", f"leads/{lead}/", {"name": "Stolen"}),
        ("post", f"leads/{lead}/assign/", {"owner": cast.alba.pk}),
        ("post", f"leads/{lead}/status/", {"status": "working"}),
        ("post", f"leads/{lead}/convert/", {}),
        ("get", f"leads/{lead}/assignments/", {}),
        ("patch", f"accounts/{account}/", {"name": "Stolen"}),
        ("post", f"accounts/{account}/assign/", {"owner": cast.alba.pk}),
        ("patch", f"contacts/{contact}/", {"name": "Stolen"}),
        ("get", f"pods/{cast.north.pk}/", {}),
        ("get", f"pods/{cast.north.pk}/memberships/", {}),
        ("get", "leads/999999999999999999999/", {}),
        ("get", "leads/x/", {}),
    ):
        assert send(client, method, path, **data).status_code == 404, path
    for path, data, at_field in (
        ("contacts/", {"account": account, "name": "Stolen"}, "account"),
        ("accounts/", {"name": "Mine", "parent": account}, "parent"),
        ("leads/", {"name": "Mine", "owner": cast.ana.pk}, "owner"),
        ("leads/", {"name": "Mine", "pod": cast.north.pk}, "pod"),
    ):
        refused = send(client, "post", path, **data)
        assert (refused.status_code, list(refused.json())) == (400, [at_field]), path
    assert everything() == before


def test_who_only_reads_changes_nothing(cast: Cast, client_of: Log, rows: dict[str, Any]) -> None:
    before, client = everything(), client_of("finn")
    lead, account = rows["leads/north"].pk, rows["accounts/north"].pk
    for method, path, data in (
        ("post", "leads/", {"name": "X"}),
        ("patch", f"leads/{lead}/", {"name": "X"}),
        ("post", f"leads/{lead}/assign/", {"owner": None}),
        ("post", f"leads/{lead}/convert/", {}),
        ("post", "accounts/", {"name": "X"}),
        ("patch", f"accounts/{account}/", {"name": "X"}),
        ("post", "contacts/", {"account": account, "name": "X"}),
    ):
        assert send(client, method, path, **data).status_code == 403, path
    assert everything() == before


def test_only_what_may_be_sent_is_taken(cast: Cast, client_of: Log, rows: dict[str, Any]) -> None:
    client, lead = client_of("ana"), rows["leads/north"]
    before = Lead.objects.values().get(pk=lead.pk)
    names = [field.name for field in Lead._meta.concrete_fields if field.name not in {"name", "segment"}]
    own = {"title", "company", "email", "phone", "country", "employees", "origin", "campaign", "consent", "note"}
    sent: dict[str, Any] = {name: cast.alba.pk for name in names if name not in own | {"currency", "estimated_minor"}}
    assert send(client, "patch", f"leads/{lead.pk}/", **sent).status_code == 200
    assert Lead.objects.values().get(pk=lead.pk) == before


def test_an_account_is_made_changed_and_given_out_of_sight(cast: Cast, client_of: Log) -> None:
    client = client_of("rita")
    made = send(client, "post", "accounts/", name="Acme Inc", owner=cast.ana.pk, revenue_minor=5, employees=7).json()
    assert (made["pod"], made["segment"], Account.objects.get().match_name) == (cast.north.pk, cast.smb.pk, "acme")
    own = client_of("ana")
    assert send(own, "patch", f"accounts/{made['id']}/", city="Bonn").json()["city"] == "Bonn"
    bad = send(own, "patch", f"accounts/{made['id']}/", currency="XXX")
    assert (bad.status_code, list(bad.json())) == (400, ["currency"])
    AccountOwnership.objects.update(start_on=SINCE)
    given = send(client, "post", f"accounts/{made['id']}/assign/", owner=cast.alba.pk, day=TODAY.isoformat())
    assert given.json()["pod"] == cast.south.pk
    assert list(AccountOwnership.objects.order_by("start_on").values_list("person__name", "end_on")) == [
        ("Ana Alvarez", TODAY),
        ("Alba Abe", None),
    ]
    contact = send(client, "post", "contacts/", account=made["id"], name="Bea", is_primary=True).json()
    assert send(client, "patch", f"contacts/{contact['id']}/", title="CEO").json()["title"] == "CEO"


def test_pods_are_read_within_sight(cast: Cast, client_of: Log) -> None:
    names = {
        who: [row["name"] for row in client_of(who).get("/api/v1/pods/").json()["results"]] for who in ("ana", "elsa")
    }
    assert names == {"ana": ["North"], "elsa": ["North", "South"]}
    rows = client_of("ana").get(f"/api/v1/pods/{cast.north.pk}/memberships/").json()["results"]
    assert {(row["person"], row["function"], row["start_on"], row["end_on"]) for row in rows} == {
        (cast.sam.pk, "sdr", "2025-01-01", None),
        (cast.ana.pk, "ae", "2025-01-01", None),
        (cast.carl.pk, "csm", "2025-01-01", None),
    }
    segments = client_of("ana").get("/api/v1/segments/").json()["results"]
    assert [row["code"] for row in segments] == ["smb", "enterprise"]
    for noun in ("pods", "segments", "territories"):
        assert client_of("norm").get(f"/api/v1/{noun}/").status_code == 403
        assert send(client_of("ada"), "post", f"{noun}/", name="X").status_code == 405
