"""Pay for programs: the same window, the same services, each key once, nothing but the fields that are allowed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Adjustment, Credit, Plan, Quota, Statement, Transaction
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.recording import void_transaction
from salesops.core.models import AnsweredRequest
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.commissions.pay import (
    FLAT_8,
    calculated,
    definition,
    plan_in_force,
    quota,
    second_quarter,
    statement_of,
    won,
)
from tests.commissions.test_settled_periods import in_force
from tests.elsewhere import Elsewhere

LogIn = Callable[[str], Client]

#: A refund of Ana's, without a deal.
REFUND = {"kind": "refund", "effective_on": "2026-05-04", "amount_minor": -100_00, "currency": "USD"}
REASON = "Promised in writing in April"
#: How many ask at the same moment. SALESOPS_AT_ONCE=50 for the long run.
AT_ONCE = int(os.environ.get("SALESOPS_AT_ONCE", "20"))


def send(client: Client, method: str, path: str, key: str = "", **data: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return getattr(client, method)(f"/api/v1/{path}", data, content_type="application/json", headers=headers)


def everything() -> list[Any]:
    models = (Transaction, Adjustment, Quota, AuditEntry)
    return [list(model._default_manager.order_by("pk").values()) for model in models]  # type: ignore[attr-defined]


def booked(cast: Cast, person: str = "ana", key: str = "T1", **more: Any) -> Transaction:
    values = {"effective_on": date(2026, 5, 4), "amount_minor": 1_000_00, "currency": "USD", "recorded_at": NOW}
    values |= {"credited_to": cast.people[person]}
    return Transaction.objects.create(source_key=key, **{**values, **more})


@pytest.fixture
def plan(cast: Cast) -> Plan:
    """Ana and Sam earn 8 % of what is booked for them."""
    words = definition(FLAT_8)
    words["components"][0]["crediting"] = ["split", "owner", "holder"]
    return plan_in_force(cast, FLAT_8, people=("ana", "sam"))


def locked(cast: Cast) -> Statement:
    """The second quarter with Ana's deal, approved and locked."""
    won(cast, "ana", 1_000_00)
    booked(cast)
    period = calculated(cast)
    keys = list(period.statements.values_list("pk", flat=True))
    approve_statements(actor=cast.actor("finn"), statement_ids=keys, at=NOW)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    return statement_of(cast, "ana")


# --- Reading ------------------------------------------------------------------------------------------------------


def test_transactions_are_seen_like_the_deals_they_are_of(cast: Cast, client_of: LogIn) -> None:
    north = Account.objects.create(name="Amber", match_name="amber", owner=None, pod=cast.north, created_at=NOW)
    south = Deal.objects.filter(pk=won(cast, "alba", 5).pk)
    south.update(pod=cast.south)
    booked(cast, key="own")
    booked(cast, key="account", credited_to=None, account=north)
    booked(cast, key="deal", credited_to=None, kind="invoice", deal=south.get())
    # Of a deal that one does not see the account says nothing.
    booked(cast, key="both", credited_to=None, kind="invoice", deal=south.get(), account=north)
    podded = Deal.objects.filter(pk=won(cast, None, 5).pk)
    podded.update(pod=cast.north)
    booked(cast, key="pod", credited_to=None, kind="invoice", deal=podded.get())
    booked(cast, key="owner", credited_to=None, kind="invoice", deal=won(cast, "sven", 5))
    albas = Account.objects.create(name="Birch", match_name="birch", owner=cast.alba, created_at=NOW)
    booked(cast, key="birch", credited_to=None, account=albas)
    rows = {row.source_key: row.pk for row in Transaction.objects.all()}
    seen = {
        "ana": ["account", "own", "pod"],
        "sam": ["account", "pod"],
        "sven": ["both", "deal", "owner"],
        "alba": ["birch", "both", "deal"],
        "max": ["account", "own", "pod"],
        "mia": ["birch", "both", "deal", "owner"],
        **{key: ["account", "birch", "both", "deal", "own", "owner", "pod"] for key in ("rita", "finn", "ada")},
    }
    for name, keys in seen.items():
        client = client_of(name)
        answer = client.get("/api/v1/transactions/").json()
        assert sorted(row["source_key"] for row in answer["results"]) == keys, name
        for key, pk in rows.items():
            assert client.get(f"/api/v1/transactions/{pk}/").status_code == (200 if key in keys else 404)
    for name in ("elsa", "norm"):
        assert client_of(name).get("/api/v1/transactions/").status_code == 403


def test_a_transaction_has_exactly_these_fields(cast: Cast, client_of: LogIn) -> None:
    row = booked(cast, amount_minor=2**53 + 1, attributes={"term_months": 24, "secret": "x"})
    assert client_of("rita").get(f"/api/v1/transactions/{row.pk}/").json() == {
        "id": row.pk,
        "source_key": "T1",
        "kind": "booking",
        "effective_on": "2026-05-04",
        "amount_minor": 9_007_199_254_740_993,
        "currency": "USD",
        "quantity": 1,
        "deal": None,
        "account": None,
        "product": None,
        "credited_to": cast.ana.pk,
        "reverses": None,
        "term_months": 24,
        "is_void": False,
        "recorded_at": "2026-06-17T10:00:00Z",
        "updated_at": "2026-06-17T10:00:00Z",
    }


@pytest.mark.parametrize(
    ("name", "statements", "credits"),
    [("ana", 1, 2), ("sam", 0, 0), ("alba", 0, 0), ("max", 1, 2), ("mia", 0, 0), ("finn", 1, 2)],
)
def test_pay_is_seen_as_in_the_pages(
    cast: Cast, plan: Plan, client_of: LogIn, name: str, statements: int, credits: int
) -> None:
    statement = locked(cast)
    client = client_of(name)
    assert client.get("/api/v1/statements/?state=locked&q=Ana").json()["count"] == statements
    assert client.get(f"/api/v1/credits/?statement={statement.pk}").json()["count"] == credits
    for path in ("", "lines/", "settlement_lines/"):
        code = client.get(f"/api/v1/statements/{statement.pk}/{path}").status_code
        assert code == (200 if statements else 404)
    credit = Credit.objects.filter(statement=statement).first()
    assert credit
    assert client.get(f"/api/v1/credits/{credit.pk}/").status_code == (200 if credits else 404)


@pytest.mark.parametrize("name", ["rita", "elsa", "ada", "norm"])
def test_who_sees_no_pay_gets_none(cast: Cast, plan: Plan, client_of: LogIn, name: str) -> None:
    statement = locked(cast)
    client = client_of(name)
    for path in (
        "statements/",
        f"statements/{statement.pk}/",
        f"statements/{statement.pk}/lines/",
        f"statements/{statement.pk}/settlement_lines/",
        "credits/",
    ):
        assert client.get(f"/api/v1/{path}").status_code == 403


def test_a_statement_and_its_lines_are_told_exactly(cast: Cast, client_of: LogIn) -> None:
    in_force(cast, definition(FLAT_8) | {"settlement": {"limits": [{"cap": "100.00"}]}}, ("ana",))
    deal = won(cast, "ana", 2_000_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    client = client_of("ana")
    told = client.get(f"/api/v1/statements/{statement.pk}/").json()
    amounts = ("earned_minor", "payout_minor", "owed_minor", "credited_minor", "currency", "period_label", "state")
    assert [told[name] for name in amounts] == [160_00, 100_00, 0, 2_000_00, "USD", "2026Q2", "draft"]
    assert {"bundle", "carried"} & set(told) == set()
    (line,) = client.get(f"/api/v1/statements/{statement.pk}/lines/").json()["results"]
    booking = Transaction.objects.get(deal=deal)
    assert (line["transaction"], line["amount_minor"], line["credited_minor"], line["share_bp"]) == (
        booking.pk,
        160_00,
        2_000_00,
        10_000,
    )
    (step,) = client.get(f"/api/v1/statements/{statement.pk}/settlement_lines/").json()["results"]
    assert (step["kind"], step["amount_minor"], step["is_paid"]) == ("cap", -60_00, True)


def test_plans_versions_and_quotas_are_seen_as_in_the_pages(cast: Cast, plan: Plan, client_of: LogIn) -> None:
    quota(cast, "ana", "2026Q2", 10_000_00)
    version = plan.versions.get()
    draft = plan.versions.create(
        number=2, start_on=date(2027, 1, 1), definition=version.definition, created_at=NOW, created_by=cast.rita
    )
    counts = {"ana": (1, 1, 1), "alba": (0, 0, 0), "max": (1, 2, 1), "mia": (1, 2, 0), "finn": (1, 2, 1)}
    for name, (plans, versions, quotas) in counts.items():
        client = client_of(name)
        assert client.get("/api/v1/plans/").json()["count"] == plans, name
        assert client.get(f"/api/v1/plan-versions/?plan={plan.pk}").json()["count"] == versions, name
        assert client.get("/api/v1/quotas/").json()["count"] == quotas, name
    ana = client_of("ana")
    assert ana.get(f"/api/v1/plan-versions/{version.pk}/").json()["definition"] == version.definition
    assert ana.get(f"/api/v1/plan-versions/{draft.pk}/").status_code == 404
    assert client_of("alba").get(f"/api/v1/plans/{plan.pk}/").status_code == 404
    assert ana.get("/api/v1/periods/").status_code == 403
    assert client_of("max").get("/api/v1/periods/").json()["count"] == 0


@pytest.mark.parametrize(
    "path",
    ["transactions/", "credits/?statement=x", "plan-versions/?plan=-1", "transactions/?kind=x", "periods/?state=x"],
)
def test_strangers_and_nonsense_are_refused(path: str, client_of: LogIn) -> None:
    assert Client().get(f"/api/v1/{path}").status_code == 403
    if "?" in path:
        assert client_of("finn").get(f"/api/v1/{path}").status_code == 400
    room = path.partition("?")[0]
    for key in ("99999999999999999999999", "x", "0"):
        assert client_of("finn").get(f"/api/v1/{room}{key}/").status_code == 404


# --- Transactions -------------------------------------------------------------------------------------------------


def test_a_transaction_is_recorded_once_for_its_key(cast: Cast, client_of: LogIn) -> None:
    rita = client_of("rita")
    body = {**REFUND, "credited_to": cast.ana.pk, "source_key": "R1", "term_months": 12}
    first = send(rita, "post", "transactions/", key="a", **body)
    assert (first.status_code, first.json()["is_late"], first.json()["notice"]) == (201, False, "")
    row = Transaction.objects.get()
    assert (row.source_key, row.kind, row.amount_minor, row.credited_to, row.attributes, row.recorded_at) == (
        "R1",
        "refund",
        -100_00,
        cast.ana,
        {"term_months": 12},
        NOW,
    )
    again = send(rita, "post", "transactions/", key="a", **dict(reversed(body.items())))
    assert (again.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (201, first.json(), "true")
    other = send(rita, "post", "transactions/", key="a", **{**body, "amount_minor": -1})
    assert (other.status_code, "another request" in other.json()["detail"]) == (422, True)
    assert Transaction.objects.count() == 1
    assert [entry.action for entry in AuditEntry.objects.filter(action__startswith="transaction.")] == [
        "transaction.recorded"
    ]
    # The key of somebody else is another one; the source key is not.
    taken = send(client_of("finn"), "post", "transactions/", key="a", **body)
    assert (taken.status_code, list(taken.json())) == (400, ["source_key"])


def test_writes_of_money_need_a_key(cast: Cast, plan: Plan, client_of: LogIn) -> None:
    row, rita, before = booked(cast), client_of("rita"), everything()
    person = {"person": cast.ana.pk, "plan": plan.pk, "period": second_quarter().pk}
    for method, path, data in [
        ("post", "transactions/", {**REFUND, "credited_to": cast.ana.pk}),
        ("patch", f"transactions/{row.pk}/", {"amount_minor": 1}),
        ("post", f"transactions/{row.pk}/void/", {"reason": "Wrong"}),
        ("post", "adjustments/", {**person, "amount_minor": 1, "currency": "USD", "reason": REASON}),
    ]:
        answer = send(rita, method, path, **data)
        assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"]), path
        assert send(rita, method, path, key="x" * 201, **data).status_code == 400
        assert send(rita, method, path, key="ü", **data).status_code == 400
    assert everything() == before
    assert AnsweredRequest.objects.count() == 0


def test_a_key_in_progress_is_told_so(cast: Cast, client_of: LogIn) -> None:
    rita = client_of("rita")
    body = {**REFUND, "credited_to": cast.ana.pk}
    send(rita, "post", "transactions/", key="a", **body)
    AnsweredRequest.objects.update(status=None, body="")
    busy = send(rita, "post", "transactions/", key="a", **body)
    assert (busy.status_code, busy.headers["Retry-After"]) == (409, "1")
    assert Transaction.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_keyed", [True, False], ids=["one key", "own keys"])
def test_many_at_once_with_one_key_make_one_row(is_keyed: bool, cast: Cast, client_of: LogIn, tmp_path: Path) -> None:
    clients = [client_of("rita") for _number in range(AT_ONCE)]
    together, told, place = threading.Barrier(AT_ONCE), [], Elsewhere(tmp_path)
    body = {**REFUND, "credited_to": cast.ana.pk}

    def post(number: int) -> None:
        together.wait(timeout=60)
        for _attempt in range(200):
            answer = send(clients[number], "post", "transactions/", key="same" if is_keyed else str(number), **body)
            if answer.status_code != 409:
                break
        told.append((answer.status_code, answer.json()["id"]))

    place.run(*(lambda number=number: post(number) for number in range(AT_ONCE)))
    found: list[int] = []
    place.run(lambda: found.extend(Transaction.objects.values_list("pk", flat=True)))
    rows = 1 if is_keyed else AT_ONCE
    assert (len(found), len(set(told)), len(told)) == (rows, rows, AT_ONCE)
    assert {code for code, _pk in told} == {201}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "credited_to"),
        ({"currency": "usd"}, "currency"),
        ({"amount_minor": 1.5}, "amount_minor"),
        ({"amount_minor": 2**63}, "amount_minor"),
        ({"quantity": 2**63}, "quantity"),
        ({"kind": "gift"}, "kind"),
        ({"effective_on": "soon"}, "effective_on"),
        ({"term_months": 0}, "term_months"),
        ({"source_key": "deal:1:booking"}, "source_key"),
        ({"source_key": "a\u2028b"}, "source_key"),
        ({"deal": 999_999}, "deal"),
        ({"reverses": 999_999}, "reverses"),
    ],
)
def test_what_cannot_be_is_refused_by_field(fields: dict[str, Any], where: str, cast: Cast, client_of: LogIn) -> None:
    body = {**REFUND, **({"credited_to": cast.ana.pk} if fields else {}), **fields}
    before = everything()
    answer = send(client_of("rita"), "post", "transactions/", key="a", **body)
    assert (answer.status_code, list(answer.json())) == (400, [where])
    assert everything() == before
    assert AnsweredRequest.objects.count() == 0  # the key is free for the mended request


def test_a_deals_own_booking_is_changed_by_its_deal(cast: Cast, plan: Plan, client_of: LogIn) -> None:
    deal = won(cast, "ana", 1_000_00)
    calculated(cast)
    booking, rita, before = Transaction.objects.get(deal=deal), client_of("rita"), everything()
    for method, path, data in [
        ("patch", f"transactions/{booking.pk}/", {"amount_minor": 1}),
        ("post", f"transactions/{booking.pk}/void/", {"reason": "Wrong"}),
    ]:
        answer = send(rita, method, path, key="a", **data)
        said = "It follows its deal: change the deal instead."
        assert (answer.status_code, answer.json()) == (400, {"non_field_errors": [said]})
    twice = send(rita, "post", "transactions/", key="a", **{**REFUND, "kind": "booking", "deal": deal.pk})
    assert (twice.status_code, list(twice.json())) == (400, ["kind"])
    assert everything() == before


def test_a_refund_fits_what_it_takes_back(cast: Cast, client_of: LogIn) -> None:
    original, rita = booked(cast, key="O"), client_of("rita")
    body = {**REFUND, "reverses": original.pk}

    def refused(where: str, **fields: Any) -> None:
        answer = send(rita, "post", "transactions/", key="a", **{**body, **fields})
        assert (answer.status_code, list(answer.json())) == (400, [where])

    refused("amount_minor", amount_minor=100_00)
    refused("currency", currency="EUR")
    refused("effective_on", effective_on="2026-05-03")
    void = booked(cast, key="V", is_void=True)
    refused("reverses", reverses=void.pk)
    made = send(rita, "post", "transactions/", key="a", **body).json()
    assert (made["reverses"], made["credited_to"]) == (original.pk, cast.ana.pk)  # who was credited with the original
    twice = send(rita, "post", "transactions/", key="z", **{**body, "reverses": made["id"]})
    assert (twice.status_code, list(twice.json())) == (400, ["reverses"])
    # What is taken back stays as it fits.
    for fields, where in [
        ({"currency": "EUR"}, "currency"),
        ({"effective_on": "2026-05-05"}, "effective_on"),
        ({"amount_minor": -5}, "amount_minor"),
    ]:
        answer = send(rita, "patch", f"transactions/{original.pk}/", key="b", **fields)
        assert (answer.status_code, list(answer.json())) == (400, [where])
    kept = send(rita, "post", f"transactions/{original.pk}/void/", key="c", reason="Wrong")
    assert kept.json() == {"non_field_errors": ["Something takes it back. Void that first."]}
    assert send(rita, "post", f"transactions/{made['id']}/void/", key="d", reason="Wrong").status_code == 200
    assert send(rita, "post", f"transactions/{original.pk}/void/", key="e", reason="Wrong").json()["is_void"]


def test_the_account_is_the_deals(cast: Cast, client_of: LogIn) -> None:
    amber = Account.objects.create(name="Amber", match_name="amber", created_at=NOW)
    other = Account.objects.create(name="Other", match_name="other", created_at=NOW)
    deal = won(cast, "ana", 1_000_00)
    Deal.objects.filter(pk=deal.pk).update(account=amber)
    wrong = send(client_of("rita"), "post", "transactions/", key="a", **REFUND, deal=deal.pk, account=other.pk)
    assert wrong.json() == {"account": ["It is not the deal's account."]}
    good = send(client_of("rita"), "post", "transactions/", key="a", **REFUND, deal=deal.pk)
    assert good.json()["account"] == amber.pk


def test_changes_are_audited_and_stale_ones_refused(cast: Cast, client_of: LogIn) -> None:
    row, rita = booked(cast), client_of("rita")
    path = f"transactions/{row.pk}/"
    stale = send(rita, "patch", path, key="a", amount_minor=1, seen_at="2026-01-01T00:00:00Z")
    assert stale.status_code == 409
    seen = rita.get(f"/api/v1/{path}").json()["updated_at"]
    changed = send(rita, "patch", path, key="a", amount_minor=5_00, term_months=6, seen_at=seen, reason="Typing error")
    assert (changed.status_code, changed.json()["amount_minor"], changed.json()["term_months"]) == (200, 5_00, 6)
    entry = AuditEntry.objects.get(action="transaction.changed")
    assert (entry.before, entry.after, entry.reason) == (
        {"amount_minor": 1_000_00, "term_months": None},
        {"amount_minor": 5_00, "term_months": 6},
        "Typing error",
    )
    before = everything()
    assert send(rita, "patch", path, key="b", amount_minor=5_00).status_code == 200
    assert everything() == before  # nothing differs: nothing is written
    assert send(rita, "post", f"{path}void/", key="c", reason="  ").status_code == 400
    void = send(rita, "post", f"{path}void/", key="c", reason="Never happened")
    assert (void.json()["is_void"], Transaction.objects.get().is_void) == (True, True)
    entry = AuditEntry.objects.get(action="transaction.voided")
    assert (entry.before, entry.after, entry.reason) == ({"is_void": False}, {"is_void": True}, "Never happened")
    again = send(rita, "post", f"{path}void/", key="d", reason="Never happened")
    assert again.json() == {"non_field_errors": ["It was voided already."]}
    after = send(rita, "patch", path, key="e", amount_minor=7)
    assert after.json() == {"non_field_errors": ["It was voided. Record a new one."]}


def test_nothing_is_voided_without_a_reason(cast: Cast) -> None:
    row = booked(cast)
    with pytest.raises(CommissionRefusedError) as caught:
        void_transaction(actor=cast.actor("rita"), transaction_id=row.pk, reason="  ", at=NOW)
    assert caught.value.message_dict == {"reason": ["Say why it no longer counts."]}


def test_what_a_locked_statement_credits_is_changed_late_and_says_so(cast: Cast, plan: Plan, client_of: LogIn) -> None:
    statement = locked(cast)
    row, rita = Transaction.objects.get(source_key="T1"), client_of("rita")
    assert statement.payout_minor == 160_00
    notice = "It concerns a locked period: what it changes comes as an adjustment in an open one."
    same = send(rita, "patch", f"transactions/{row.pk}/", key="a", amount_minor=1_000_00).json()
    assert (same["is_late"], same["notice"]) == (False, "")  # nothing was changed
    told = send(rita, "patch", f"transactions/{row.pk}/", key="b", amount_minor=500_00).json()
    assert (told["is_late"], told["notice"]) == (True, notice)
    # Moved out of the locked period it is late all the same: the statement credits it.
    told = send(rita, "patch", f"transactions/{row.pk}/", key="c", effective_on="2026-08-01").json()
    assert told["notice"] == notice
    told = send(rita, "post", f"transactions/{row.pk}/void/", key="d", reason="Never happened").json()
    assert told["notice"] == notice
    told = send(rita, "post", "transactions/", key="e", **REFUND, credited_to=cast.ana.pk).json()
    assert told["notice"] == notice  # its day lies in the locked period
    later = {**REFUND, "effective_on": "2026-07-01", "credited_to": cast.ana.pk}
    assert send(rita, "post", "transactions/", key="f", **later).json()["notice"] == ""
    statement.refresh_from_db()
    assert statement.payout_minor == 160_00


@pytest.mark.parametrize(
    ("name", "code"), [("ana", 403), ("max", 403), ("ada", 403), ("alba", 404), ("elsa", 403), ("norm", 403)]
)
def test_others_record_change_and_void_nothing(name: str, code: int, cast: Cast, client_of: LogIn) -> None:
    row, client = booked(cast), client_of(name)
    before = everything()
    for method, path, data in [
        ("post", "transactions/", {**REFUND, "credited_to": cast.sam.pk}),
        ("patch", f"transactions/{row.pk}/", {"amount_minor": 1}),
        ("post", f"transactions/{row.pk}/void/", {"reason": "Mine"}),
    ]:
        expected = 403 if path == "transactions/" else code
        assert send(client, method, path, key="a", **data).status_code == expected
    assert everything() == before


def test_nobody_records_their_own_pay(cast: Cast, client_of: LogIn) -> None:
    row, finn = booked(cast, "finn"), client_of("finn")
    theirs, before = booked(cast, key="T2"), everything()
    for method, path, data in [
        ("post", "transactions/", {**REFUND, "credited_to": cast.finn.pk}),
        ("patch", f"transactions/{row.pk}/", {"amount_minor": 1}),
        ("patch", f"transactions/{row.pk}/", {"credited_to": cast.ana.pk}),
        ("patch", f"transactions/{theirs.pk}/", {"credited_to": cast.finn.pk}),
        ("post", f"transactions/{row.pk}/void/", {"reason": "Mine"}),
    ]:
        assert send(finn, method, path, key="a", **data).status_code == 403
    assert everything() == before
    assert send(client_of("fay"), "patch", f"transactions/{row.pk}/", key="a", amount_minor=1).status_code == 200


def test_only_the_fields_allowed_are_taken(cast: Cast, plan: Plan, client_of: LogIn) -> None:
    """Every column of the models, and what sounds like a right, beside what is asked for."""
    names = {field.attname for model in (Transaction, Adjustment, Quota) for field in model._meta.concrete_fields}
    names |= {"id", "pk", "owner", "owner_id", "state", "approved_by", "decided_by", "is_void", "locked_at"}
    quarter, rita = second_quarter(), client_of("rita")
    extra: dict[str, Any] = dict.fromkeys(names, cast.fay.pk)
    extra |= {"is_void": True, "state": "approved", "attributes": {"x": 1}, "recorded_at": "2001-01-01T00:00:00Z"}
    extra |= {"prepared_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z", "reverses_id": 1}
    body = {**REFUND, "credited_to": cast.ana.pk}
    allowed = {"kind", "effective_on", "amount_minor", "currency", "quantity", "source_key", "term_months"}
    allowed |= {"deal", "account", "product", "credited_to", "reverses"}
    other = {name: value for name, value in extra.items() if name not in allowed}
    made = send(rita, "post", "transactions/", key="a", **{**other, **body})
    assert made.status_code == 201
    row = Transaction.objects.get()
    assert (row.pk != cast.fay.pk, row.is_void, row.attributes, row.recorded_at, row.reverses_id, row.account_id) == (
        True,
        False,
        {},
        NOW,
        None,
        None,
    )
    stood = {**Transaction.objects.values().get()}
    edit = {name: value for name, value in extra.items() if name not in allowed - {"source_key", "reverses"}}
    edited = send(rita, "patch", f"transactions/{row.pk}/", key="b", **{**edit, "reason": "x"})
    assert edited.status_code == 200
    assert Transaction.objects.values().get() == stood
    wanted = {"person": cast.ana.pk, "plan": plan.pk, "period": quarter.pk, "amount_minor": 5_00, "currency": "USD"}
    prepared = send(rita, "post", "adjustments/", key="c", **{**extra, **wanted, "reason": REASON, "kind": "late"})
    assert prepared.status_code == 201
    adjustment = Adjustment.objects.get()
    assert (adjustment.state, adjustment.kind, adjustment.prepared_by, adjustment.decided_by, adjustment.cause) == (
        "waiting",
        "manual",
        cast.rita,
        None,
        "",
    )
    assert (adjustment.prepared_at, adjustment.locked_at, adjustment.about_transaction_id) == (NOW, None, None)
    assert (adjustment.paid_minor, adjustment.due_minor, adjustment.component) == (None, None, "")
    set_ = {"person": cast.ana.pk, "period": "2026Q2", "amount_minor": 9_00, "currency": "USD", "measure": "bookings"}
    assert send(rita, "post", "quotas/", **{**extra, **set_}).status_code == 201
    row_ = Quota.objects.get()
    assert (row_.start_on, row_.end_on, row_.person) == (date(2026, 4, 1), date(2026, 7, 1), cast.ana)


# --- Quotas and adjustments ---------------------------------------------------------------------------------------


def test_quotas_are_set_as_in_the_pages(cast: Cast, client_of: LogIn) -> None:
    body = {"person": cast.ana.pk, "period": "2026q2", "amount_minor": 10_000_00, "currency": "USD"}
    first = send(client_of("max"), "post", "quotas/", key="a", **body)
    assert (first.status_code, first.json()["measure"], first.json()["start_on"], first.json()["end_on"]) == (
        201,
        "bookings",
        "2026-04-01",
        "2026-07-01",
    )
    again = send(client_of("max"), "post", "quotas/", key="a", **body)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert send(client_of("max"), "post", "quotas/", key="a", **{**body, "amount_minor": 1}).status_code == 422
    assert send(client_of("max"), "post", "quotas/", **{**body, "amount_minor": 12_000_00}).status_code == 201
    assert Quota.objects.get().amount_minor == 12_000_00
    before = everything()
    for name, fields, code in [
        ("mia", {}, 400),  # not one of hers
        ("rita", {"period": "spring"}, 400),
        ("rita", {"amount_minor": -1}, 400),
        ("rita", {"currency": "usd"}, 400),
        ("ana", {}, 403),
        ("finn", {}, 403),
    ]:
        assert send(client_of(name), "post", "quotas/", **{**body, **fields}).status_code == code, name
    assert everything() == before


def test_adjustments_are_prepared_and_no_more(cast: Cast, plan: Plan, client_of: LogIn) -> None:
    body = {"person": cast.ana.pk, "plan": plan.pk, "period": second_quarter().pk, "reason": REASON}
    body |= {"amount_minor": 50_00, "currency": "USD"}
    first = send(client_of("max"), "post", "adjustments/", key="a", **body)
    assert (first.status_code, first.json()["state"], first.json()["prepared_by"]) == (201, "waiting", cast.max.pk)
    again = send(client_of("max"), "post", "adjustments/", key="a", **body)
    assert again.json() == first.json()
    assert send(client_of("max"), "post", "adjustments/", key="a", **{**body, "amount_minor": 1}).status_code == 422
    row = Adjustment.objects.get()
    for name, code in [("ana", 200), ("max", 200), ("finn", 200), ("rita", 404), ("alba", 404), ("mia", 404)]:
        client = client_of(name)
        assert client.get(f"/api/v1/adjustments/{row.pk}/").status_code == code
        assert client.get("/api/v1/adjustments/").json()["count"] == (code == 200)
    for name in ("ada", "elsa", "norm"):
        for path in ("", f"{row.pk}/"):
            assert client_of(name).get(f"/api/v1/adjustments/{path}").status_code == 403
    before = everything()
    for name, fields, code in [
        ("ana", {}, 403),
        ("ada", {}, 403),
        ("mia", {}, 400),
        ("finn", {"person": cast.finn.pk}, 400),
        ("rita", {"currency": "EUR"}, 400),
        ("rita", {"reason": "short"}, 400),
        ("rita", {"amount_minor": 0}, 400),
    ]:
        answer = send(client_of(name), "post", "adjustments/", key="b", **{**body, **fields})
        assert answer.status_code == code, name
    for method in ("patch", "put", "delete"):
        assert send(client_of("finn"), method, f"adjustments/{row.pk}/", state="approved").status_code == 405
    assert everything() == before
