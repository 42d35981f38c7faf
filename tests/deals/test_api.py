"""Deals for programs: the same window, the same services, exact answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, Contact
from salesops.activities.models import Activity
from salesops.audit.models import AuditEntry
from salesops.core.models import AnsweredRequest
from salesops.deals.models import Deal, DealLine, Product, Stage, StageChange
from tests.cast import Cast

MakeDeal = Callable[..., Deal]
LogIn = Callable[[str], Client]


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Deal, StageChange, AuditEntry)]


def send(client: Client, method: str, path: str, **data: Any) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", data, content_type="application/json")


@pytest.mark.parametrize(
    ("name", "seen"), [("ana", ["North"]), ("max", ["North"]), ("alba", ["South"]), ("finn", ["South", "North"])]
)
def test_programs_see_what_their_person_sees(
    name: str, seen: list[str], client_of: LogIn, make_deal: MakeDeal, cast: Cast
) -> None:
    north, south = make_deal(name="North"), make_deal(name="South", owner=cast.alba, pod=cast.south)
    client = client_of(name)
    answer = client.get("/api/v1/deals/").json()
    assert (answer["count"], [row["name"] for row in answer["results"]]) == (len(seen), seen)
    for deal in (north, south):
        expected = 200 if deal.name in seen else 404
        for path in (f"deals/{deal.pk}/", f"deals/{deal.pk}/stage_changes/"):
            assert client.get(f"/api/v1/{path}").status_code == expected


@pytest.mark.parametrize("name", ["elsa", "norm"])
@pytest.mark.parametrize("path", ["deals/", "stages/", "products/", "activities/"])
def test_who_sees_no_row_gets_none(path: str, name: str, client_of: LogIn, make_deal: MakeDeal) -> None:
    make_deal()
    assert client_of(name).get(f"/api/v1/{path}").status_code == 403


def test_a_deal_has_exactly_these_fields(client_of: LogIn, make_deal: MakeDeal, gtx: Product, cast: Cast) -> None:
    deal = make_deal(amount_minor=2**53 + 1)
    DealLine.objects.create(deal=deal, product=gtx, quantity="0.50", unit_price_minor=10, amount_minor=5)
    found = client_of("ana").get(f"/api/v1/deals/{deal.pk}/").json()
    assert sorted(found) == sorted(
        [
            "id",
            "name",
            "account",
            "contact",
            "lead",
            "owner",
            "pod",
            "product",
            "stage",
            "kind",
            "amount_minor",
            "currency",
            "term_months",
            "opened_on",
            "expected_close_on",
            "closed_on",
            "lost_because",
            "next_step",
            "note",
            "source",
            "external_id",
            "created_at",
            "updated_at",
            "version",
            "spiced_filled",
            "lines",
            "splits",
        ]
    )
    assert found["amount_minor"] == 9_007_199_254_740_993
    assert found["lines"] == [
        {
            "id": found["lines"][0]["id"],
            "product": gtx.pk,
            "quantity": "0.5",
            "unit_price_minor": 10,
            "discount_bp": 0,
            "amount_minor": 5,
            "note": "",
        }
    ]


def test_a_deal_is_made_by_the_service(client_of: LogIn, cast: Cast, gekko: Account, stages: dict[str, Stage]) -> None:
    answer = send(client_of("ana"), "post", "deals/", name="Pilot", account=gekko.pk, amount_minor=12_345)
    deal = Deal.objects.get()
    assert (answer.status_code, answer.json()["id"]) == (201, deal.pk)
    assert (deal.owner, deal.pod, deal.account, deal.amount_minor) == (cast.ana, cast.north, gekko, 12_345)
    assert AuditEntry.objects.get().action == "deal.created"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "Pilot", "amount_minor": 1.5}, "amount_minor"),
        ({"name": "Pilot", "amount_minor": 2**63}, "amount_minor"),
        ({"name": "Pilot", "currency": "usd"}, "amount_minor"),
        ({"name": "Pilot", "expected_close_on": "tomorrow"}, "expected_close_on"),
        ({"name": "Pilot", "stage": 999_999}, "stage"),
    ],
)
def test_what_cannot_be_is_refused_by_field(
    fields: dict[str, Any], where: str, client_of: LogIn, stages: dict[str, Stage]
) -> None:
    answer = send(client_of("ana"), "post", "deals/", **fields)
    assert answer.status_code == 400
    assert where in answer.json()
    assert Deal.objects.count() == 0


def test_rows_of_others_are_no_choices(client_of: LogIn, cast: Cast, hooli: Account, stages: dict[str, Stage]) -> None:
    answer = send(
        client_of("ana"), "post", "deals/", name="Pilot", account=hooli.pk, owner=cast.alba.pk, pod=cast.south.pk
    )
    assert (answer.status_code, sorted(answer.json())) == (400, ["account", "owner", "pod"])
    assert Deal.objects.count() == 0


def test_an_edit_needs_the_version_that_was_read(client_of: LogIn, make_deal: MakeDeal) -> None:
    deal = make_deal()
    client = client_of("ana")
    assert send(client, "patch", f"deals/{deal.pk}/", next_step="Call").json() == {
        "version": ["This field is required."]
    }
    answer = send(client, "patch", f"deals/{deal.pk}/", next_step="Call", version=1)
    assert (answer.status_code, answer.json()["version"], answer.json()["next_step"]) == (200, 2, "Call")
    before = everything()
    stale = send(client, "patch", f"deals/{deal.pk}/", next_step="Late", version=1)
    assert (stale.status_code, "Somebody else changed" in stale.json()["detail"]) == (409, True)
    # Stage, owner and pod are not edited past their services.
    ignored = send(client, "patch", f"deals/{deal.pk}/", version=2, stage=1, owner=1, kind="won", source="x")
    assert ignored.status_code == 200
    assert everything() == before


def test_a_move_asks_what_the_stage_machine_asks(
    client_of: LogIn, make_deal: MakeDeal, stages: dict[str, Stage]
) -> None:
    deal = make_deal()
    client = client_of("ana")
    before = everything()
    refused = send(client, "post", f"deals/{deal.pk}/move/", stage=stages["lost"].pk)
    assert (refused.status_code, refused.json()) == (400, {"lost_because": ["Say why the deal was lost."]})
    assert everything() == before
    won = send(client, "post", f"deals/{deal.pk}/move/", stage=stages["won"].pk, version=1)
    assert (won.json()["kind"], won.json()["closed_on"]) == ("won", "2026-06-17")
    refused = send(client_of("max"), "post", f"deals/{deal.pk}/move/", stage=stages["lost"].pk, lost_because="price")
    assert refused.json() == {"non_field_errors": ["A closed deal cannot change its outcome: reopen it first."]}
    (step,) = client.get(f"/api/v1/deals/{deal.pk}/stage_changes/").json()["results"]
    assert (step["from_stage"], step["to_stage"]) == (stages["prospecting"].pk, stages["won"].pk)


def test_a_deal_given_away_is_gone(client_of: LogIn, make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    kept = send(client_of("ana"), "post", f"deals/{deal.pk}/reassign/", owner=cast.sam.pk)
    assert (kept.status_code, kept.json()["owner"]) == (200, cast.sam.pk)
    assert send(client_of("ana"), "post", f"deals/{deal.pk}/reassign/", owner=cast.alba.pk).status_code == 400
    Deal.objects.update(pod=None)
    gone = send(client_of("sam"), "post", f"deals/{deal.pk}/reassign/", owner=cast.carl.pk, pod=None)
    assert gone.status_code == 204


def test_what_is_sent_again_with_its_key_is_done_once(
    client_of: LogIn, cast: Cast, gekko: Account, stages: dict[str, Stage]
) -> None:
    """As after a cut line: rows made, edited and given away are told the same, and nothing is done twice."""
    ana = client_of("ana")

    def twice(who: Client, method: str, path: str, key: str, **data: Any) -> tuple[int, Any]:
        ask = partial(getattr(who, method), f"/api/v1/{path}", data, content_type="application/json")
        first, again = (ask(headers={"Idempotency-Key": key}) for _time in range(2))
        assert (again.status_code, again.content) == (first.status_code, first.content), path
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        return first.status_code, first.json() if first.content else None

    for path, model, data in (
        ("accounts/", Account, {"name": "Initech"}),
        ("contacts/", Contact, {"name": "Bill", "account": gekko.pk}),
        ("activities/", Activity, {"kind": "note", "subject": "Said", "account": gekko.pk}),
        ("deals/", Deal, {"name": "Pilot"}),
    ):
        before = model._default_manager.count()
        assert twice(ana, "post", path, f"make {path}", **data)[0] == 201
        assert model._default_manager.count() == before + 1
    deal = Deal.objects.get()
    code, told = twice(ana, "patch", f"deals/{deal.pk}/", "edit", next_step="Call", version=1)
    assert (code, told["version"]) == (200, 2)
    Deal.objects.update(pod=None, owner=cast.sam)
    # Whoever gave it away does not see it any more and is told the same once more.
    assert twice(client_of("sam"), "post", f"deals/{deal.pk}/reassign/", "give", owner=cast.carl.pk, pod=None)[0] == 204


def test_what_was_refused_leaves_its_key_free(client_of: LogIn, stages: dict[str, Stage]) -> None:
    ana, headers = client_of("ana"), {"Idempotency-Key": "k"}
    for name, code in (("", 400), ("Pilot", 201)):
        answer = ana.post("/api/v1/deals/", {"name": name}, content_type="application/json", headers=headers)
        assert answer.status_code == code
    norm = client_of("norm").post("/api/v1/deals/", {"name": "x"}, content_type="application/json", headers=headers)
    assert (norm.status_code, Deal.objects.count(), AnsweredRequest.objects.count()) == (403, 1, 1)


@pytest.mark.parametrize(("name", "code"), [("alba", 404), ("finn", 403), ("elsa", 403), ("norm", 403)])
def test_whoever_may_not_changes_nothing(
    name: str, code: int, client_of: LogIn, make_deal: MakeDeal, cast: Cast, stages: dict[str, Stage]
) -> None:
    deal = make_deal()
    client = client_of(name)
    before = everything()
    for method, path, data in [
        ("patch", f"deals/{deal.pk}/", {"version": 1, "name": "Mine"}),
        ("post", f"deals/{deal.pk}/move/", {"stage": stages["won"].pk}),
        ("post", f"deals/{deal.pk}/reassign/", {"owner": None}),
    ]:
        assert send(client, method, path, **data).status_code == code
    assert everything() == before


def test_strangers_are_sent_away(db: None) -> None:
    assert Client().get("/api/v1/deals/").status_code == 403


def test_filters_are_those_of_the_list_and_nonsense_is_refused(client_of: LogIn, make_deal: MakeDeal) -> None:
    make_deal(name="Open")
    make_deal(name="Won", stage="won")
    client = client_of("ana")
    assert [row["name"] for row in client.get("/api/v1/deals/?kind=won").json()["results"]] == ["Won"]
    assert [row["name"] for row in client.get("/api/v1/deals/?q=ope").json()["results"]] == ["Open"]
    assert client.get("/api/v1/deals/?kind=sideways").status_code == 400
    assert client.get("/api/v1/deals/?amount_min=x").status_code == 400
    for path in ("deals/99999999999999999999999/", "deals/x/", "deals/0/"):
        assert client.get(f"/api/v1/{path}").status_code == 404


def test_a_page_of_deals_costs_the_same_for_3_and_150(client_of: LogIn, make_deal: MakeDeal, gekko: Account) -> None:
    client = client_of("ana")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/v1/deals/?limit=200")
        return len(queries)

    for _number in range(3):
        make_deal(account=gekko)
    cost()
    few = cost()
    for _number in range(147):
        make_deal(account=gekko)
    assert cost() == few


def test_stages_and_products(client_of: LogIn, stages: dict[str, Stage], gtx: Product) -> None:
    client = client_of("ana")
    codes = [row["code"] for row in client.get("/api/v1/stages/").json()["results"]]
    assert codes == ["prospecting", "qualified", "engaging", "proposal", "won", "lost"]
    assert client.get("/api/v1/products/").json()["results"] == [
        {
            "id": gtx.pk,
            "code": "gtx-pro",
            "name": "GTX Pro",
            "series": "",
            "tier": "standard",
            "price_minor": 482_100,
            "currency": "USD",
            "is_active": True,
        }
    ]
    assert send(client, "post", "products/", name="Mine").status_code == 405
