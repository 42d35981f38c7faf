"""Pages of transactions: what stands in the list and in the export, one by hand, voiding, credits and statements."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.commissions.models import Transaction
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, statement_of, won
from tests.commissions.test_api import booked, locked

LogIn = Callable[[str], Client]


def page(name: str, pk: int | None = None, query: str = "") -> str:
    return reverse(f"commissions:transaction_{name}", kwargs={"pk": pk} if pk else None) + query


def main_of(response: Any) -> str:
    return str(response.content.decode().partition("<main")[2])


@pytest.fixture
def amber(cast: Cast) -> Account:
    return Account.objects.create(name="Amber", match_name="amber", owner=cast.ana, pod=cast.north, created_at=NOW)


@pytest.fixture
def some(cast: Cast, amber: Account) -> dict[str, Transaction]:
    """An invoice of Amber's with a refund, something of Alba's, something void."""
    invoice = booked(cast, key="I1", kind="invoice", account=amber, credited_to=None, amount_minor=500_00)
    refund = booked(
        cast,
        key="R1",
        kind="refund",
        account=amber,
        credited_to=None,
        amount_minor=-40_00,
        reverses=invoice,
        effective_on=date(2026, 5, 20),
    )
    albas = booked(cast, "alba", key="A1", currency="EUR", effective_on=date(2026, 4, 1))
    void = booked(cast, key="V1", is_void=True, amount_minor=7_00, effective_on=date(2026, 6, 1))
    return {"I1": invoice, "R1": refund, "A1": albas, "V1": void}


def keys_in(response: Any) -> list[str]:
    text = main_of(response)
    found = [key for key in ("I1", "R1", "A1", "V1") if f">{key}</a>" in text]
    return sorted(found)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", ["A1", "I1", "R1", "V1"]),
        ("?kind=refund", ["I1", "R1"]),  # the refund names what it takes back
        ("?kind=booking", ["A1", "V1"]),
        ("?day=between&day_from=2026-05-05&day_until=2026-05-31", ["I1", "R1"]),
        ("?amount_max=0", ["I1", "R1"]),
        ("?takes_back=no", ["A1", "I1", "V1"]),
        ("?counts=no", ["V1"]),
        ("?of_deal=yes", []),
        ("?q=amber", ["I1", "R1"]),
        ("?q=A1", ["A1"]),
    ],
)
def test_the_list_is_filtered(query: str, keys: list[str], some: dict[str, Transaction], client_of: LogIn) -> None:
    assert keys_in(client_of("rita").get(page("list", query=query))) == keys


def test_the_latest_day_comes_first(some: dict[str, Transaction], client_of: LogIn) -> None:
    text = main_of(client_of("rita").get(page("list")))
    links = [text.index(f'href="{page("detail", some[key].pk)}">{key}') for key in ("V1", "R1", "I1", "A1")]
    assert links[0] < links[1] < links[2] < links[3]


def test_the_list_is_for_whoever_sees_the_work(some: dict[str, Transaction], client_of: LogIn) -> None:
    seen = {"ana": ["I1", "R1", "V1"], "sam": ["I1", "R1"], "alba": ["A1"], "mia": ["A1"]}
    for name, keys in seen.items():
        response = client_of(name).get(page("list"))
        assert keys_in(response) == keys
        assert (page("create") in main_of(response)) is False
        # Nobody is offered as credited whose transactions the reader does not see.
        offered = client_of(name).get(page("list", query="?part=filters")).content.decode()
        assert ("Alba Abe" in offered) == ("A1" in keys)
    assert page("create") in main_of(client_of("finn").get(page("list")))


def test_the_export_holds_the_list_exactly(some: dict[str, Transaction], client_of: LogIn) -> None:
    response = client_of("rita").post(page("list", query="?q=amber&sort=effective_on"), {"do": "export", "form": "csv"})
    content = b"".join(response.streaming_content) if response.streaming else response.content
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert rows[0][:6] == ["Transaction", "What happened", "Day that counts", "Amount", "Amount (currency)", "Account"]
    assert [row[:6] for row in rows[1:]] == [
        ["I1", "Invoice", "2026-05-04", "500.00", "USD", "Amber"],
        ["R1", "Refund", "2026-05-20", "-40.00", "USD", "Amber"],
    ]
    assert [row[-2:] for row in rows[1:]] == [["", "true"], ["I1", "true"]]


def test_one_transaction_shows_its_credits_and_statements_to_those_who_see_pay(cast: Cast, client_of: LogIn) -> None:
    plan_in_force(cast, FLAT_8, people=("ana", "sam"))
    row = booked(cast, amount_minor=1_000_00, attributes={"term_months": 24})
    calculated(cast)
    statement = statement_of(cast, "ana")
    link = reverse("commissions:statement_detail", kwargs={"pk": statement.pk})
    for name, sees in (("ana", True), ("finn", True), ("max", True), ("rita", False), ("ada", False)):
        text = main_of(client_of(name).get(page("detail", row.pk)))
        assert "$1,000.00" in text
        assert ">24<" in text
        assert (link in text) is sees
        assert ("Credits and statements" in text) is sees
    assert client_of("alba").get(page("detail", row.pk)).status_code == 404


def test_a_refund_and_what_it_takes_back_lead_to_each_other(
    cast: Cast, some: dict[str, Transaction], client_of: LogIn
) -> None:
    ana = client_of("ana")
    assert page("detail", some["R1"].pk) in main_of(ana.get(page("detail", some["I1"].pk)))
    assert page("detail", some["I1"].pk) in main_of(ana.get(page("detail", some["R1"].pk)))
    # Who does not see the original reads its key and gets no way to it.
    Transaction.objects.filter(pk=some["R1"].pk).update(credited_to=cast.alba)
    text = main_of(client_of("alba").get(page("detail", some["R1"].pk)))
    assert ("I1" in text, page("detail", some["I1"].pk) in text) == (True, False)


def test_one_by_hand(cast: Cast, amber: Account, client_of: LogIn) -> None:
    deal = won(cast, "ana", 1_000_00, name="Lenses")
    Deal.objects.filter(pk=deal.pk).update(account=amber)
    original = booked(cast, key="O1", kind="invoice", credited_to=None, account=amber)
    finn = client_of("finn")
    offered = finn.get(page("deals", query="?deal=len")).content.decode()
    assert offered.strip() == f'<option value="Lenses (#{deal.pk})"></option>'
    typed = {
        "kind": "refund",
        "effective_on": "2026-05-20",
        "amount_minor": "-250.50",
        "currency": "USD",
        "quantity": "2",
        "deal": f"Lenses (#{deal.pk})",
        "reverses": "O1",
        "term_months": "12",
        "source_key": "CN-7",
    }
    response = finn.post(page("create"), typed, follow=True)
    row = Transaction.objects.get(source_key="CN-7")
    assert response.redirect_chain == [(page("detail", row.pk), 302)]
    assert "Recorded. It counts when its period is calculated next." in response.content.decode()
    assert (row.kind, row.amount_minor, row.quantity, row.deal, row.account, row.reverses, row.attributes) == (
        "refund",
        -250_50,
        2,
        deal,
        amber,
        original,
        {"term_months": 12},
    )
    made_key = finn.post(page("create"), {**typed, "deal": "", "account": "Amber", "source_key": ""})
    assert made_key.status_code == 302
    assert Transaction.objects.latest("pk").source_key.startswith("hand:")


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({"deal": "Nothing"}, "deal", "There is no deal called “Nothing”. Choose one of those offered."),
        ({"deal": "Twice"}, "deal", "Several deals are called so. Choose one of those offered."),
        ({"reverses": "nowhere"}, "reverses", "There is no transaction with this key."),
        ({"source_key": "T1"}, "source_key", "There is a transaction with this key already."),
        ({"amount_minor": "some"}, "amount_minor", "“some” is not an amount. Write it like 1,234.50."),
        ({"credited_to": ""}, "credited_to", "Name a deal, an account or a person: nobody would be credited."),
    ],
)
def test_what_cannot_be_recorded_is_said_at_its_field(
    fields: dict[str, str], where: str, words: str, cast: Cast, client_of: LogIn
) -> None:
    booked(cast)
    won(cast, "ana", 1, name="Twice")
    won(cast, "ana", 1, name="Twice")
    typed = {"kind": "invoice", "effective_on": "2026-05-20", "amount_minor": "5", "currency": "USD", "quantity": "1"}
    response = client_of("rita").post(page("create"), {**typed, "credited_to": str(cast.ana.pk), **fields})
    assert response.status_code == 422
    assert response.context["form"].errors[where] == [words]
    assert Transaction.objects.count() == 1


def test_one_is_voided_with_a_reason(cast: Cast, client_of: LogIn) -> None:
    row, rita = booked(cast), client_of("rita")
    assert page("void", row.pk) in main_of(rita.get(page("detail", row.pk)))
    assert rita.post(page("void", row.pk), {"reason": " "}).status_code == 422
    response = rita.post(page("void", row.pk), {"reason": "Never happened"}, follow=True)
    assert "Void." in response.content.decode()
    row.refresh_from_db()
    assert row.is_void
    entry = AuditEntry.objects.get(action="transaction.voided")
    assert (entry.actor_id, entry.reason) == (cast.rita.pk, "Never happened")
    assert page("void", row.pk) not in main_of(rita.get(page("detail", row.pk)))
    assert "It was voided already." in rita.post(page("void", row.pk), {"reason": "x"}).content.decode()


def test_a_locked_period_is_told_of_before_and_after(cast: Cast, client_of: LogIn) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    locked(cast)
    row, rita = Transaction.objects.get(source_key="T1"), client_of("rita")
    before = "A locked period is concerned: what changes now comes as an adjustment in an open one."
    assert before in main_of(rita.get(page("detail", row.pk)))
    assert before not in main_of(client_of("ana").get(page("detail", row.pk)))  # who changes nothing
    after = "It concerns a locked period: what it changes comes as an adjustment in an open one."
    assert after in rita.post(page("void", row.pk), {"reason": "Never happened"}, follow=True).content.decode()


def test_a_deals_booking_says_where_it_is_from(cast: Cast, client_of: LogIn) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    deal = won(cast, "ana", 1_000_00)
    calculated(cast)
    row, rita = Transaction.objects.get(deal=deal), client_of("rita")
    text = main_of(rita.get(page("detail", row.pk)))
    assert "It follows its deal and is changed there." in text
    assert page("void", row.pk) not in text
    assert reverse("deals:deal_detail", kwargs={"pk": deal.pk}) in text
    refused = rita.post(page("void", row.pk), {"reason": "x"})
    assert (refused.status_code, "change the deal instead" in refused.content.decode()) == (422, True)


def test_nobody_is_offered_to_void_their_own(cast: Cast, client_of: LogIn) -> None:
    row = booked(cast, "finn")
    assert page("void", row.pk) not in main_of(client_of("finn").get(page("detail", row.pk)))
    assert page("void", row.pk) in main_of(client_of("fay").get(page("detail", row.pk)))
