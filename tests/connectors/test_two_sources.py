"""Two systems that tell of the same companies and deals: one account, one that has the say, money that finds its deal."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import override_settings

from salesops.accounts.models import Account
from salesops.commissions.models import Transaction
from salesops.deals.models import Deal, Product
from tests.cast import NOW, Cast
from tests.connectors.linking import Link
from tests.connectors.standins.salesforce import Salesforce
from tests.connectors.standins.stripe import Stripe

pytestmark = pytest.mark.django_db


class Pair:
    """A CRM and a billing system, each with its connection."""

    def __init__(self, cast: Cast, crm: Salesforce, billing: Stripe) -> None:
        crm.clock.now = billing.clock.now = NOW
        self.crm, self.billing = crm, billing
        self.sells = Link(cast.actor("rita"), crm).connect("salesforce").want("Account", "Opportunity")
        self.bills = Link(cast.actor("rita"), billing).connect("stripe", secrets={"api_key": Stripe.api_key})
        self.bills.want("customers", "charges")

    def sell(self) -> None:
        """The CRM is brought in."""
        self._bring(self.sells)

    def bill(self) -> None:
        """Billing is brought in."""
        self._bring(self.bills)

    @staticmethod
    def _bring(link: Link) -> None:
        if link.connection.state == "draft":
            link.start().run()
        else:
            link.sync()

    def won(self, number: int, account: int) -> str:
        """A won deal in the CRM."""
        return self.crm.put(
            "Opportunity", number, Name=f"Deal {number}", AccountId=account, StageName="Closed Won",
            Amount=Decimal(100), CloseDate=date(2026, 6, 1),
        )  # fmt: skip

    def charge(self, number: int, customer: int, deal: str = "") -> None:
        """A payment in billing."""
        self.billing.put("charge", number, customer=customer, amount=100, metadata={"salesforce_id": deal})


@pytest.fixture
def pair(cast: Cast) -> Iterator[Pair]:
    with ExitStack() as stack:
        crm, billing = stack.enter_context(Salesforce()), stack.enter_context(Stripe())
        stack.enter_context(override_settings(CONNECTORS_ALLOWED_ADDRESSES=[crm.address, billing.address]))
        yield Pair(cast, crm, billing)


def places() -> list[tuple[str, str, str]]:
    """Name, country and city of every account."""
    return list(Account.objects.order_by("pk").values_list("name", "country", "city"))


def test_billing_fills_what_the_crm_leaves_empty(pair: Pair) -> None:
    pair.crm.put("Account", 1, Name="Acme", BillingCity="Reno")
    pair.billing.put("customer", 1, name="ACME", address={"country": "US", "city": "Boise"})
    pair.billing.put("customer", 2, name="Other")
    pair.sell()
    pair.bill()
    assert places() == [("Acme", "US", "Reno"), ("Other", "", "")]
    pair.billing.put("customer", 1, name="Somebody else", address={"country": "US", "city": "Provo"})
    pair.bill()
    # What the CRM never said anything about stays, what it takes back goes.
    pair.crm.put("Account", 1, Name="Acme Inc", BillingCity=None)
    pair.sell()
    assert places() == [("Acme Inc", "US", ""), ("Other", "", "")]


def test_the_crm_has_the_say_also_where_billing_was_there_first(pair: Pair) -> None:
    pair.billing.put("customer", 1, name="Acme", address={"country": "US", "city": "Boise"})
    pair.crm.put("Account", 1, Name="Acme", BillingCity="Reno")
    pair.bill()
    pair.sell()
    assert places() == [("Acme", "US", "Reno")]
    pair.billing.put("customer", 1, name="Acme", address={"country": "US", "city": "Provo"})
    pair.bill()
    assert places() == [("Acme", "US", "Reno")]


def test_a_company_stays_when_billing_forgets_it_and_goes_with_the_crm(pair: Pair) -> None:
    pair.crm.put("Account", 1, Name="Acme")
    pair.billing.put("customer", 1, name="Acme")
    pair.sell()
    pair.bill()
    pair.billing.delete("customer", 1)
    pair.bill()
    assert len(places()) == 1
    pair.crm.delete("Account", 1)
    pair.sell()
    assert places() == []


def test_of_two_that_have_the_name_none_is_taken(pair: Pair) -> None:
    pair.crm.put("Account", 1, Name="Acme")
    pair.crm.put("Account", 2, Name="Acme")
    pair.crm.put("Account", 3, Name="Beta")
    pair.billing.put("customer", 1, name="Acme")
    pair.billing.put("customer", 2, name="Beta")
    pair.billing.put("customer", 3, name="Beta")
    pair.sell()
    pair.bill()
    # The second customer of a name is another company than the first.
    assert sorted(name for name, *_rest in places()) == ["Acme", "Acme", "Acme", "Beta", "Beta"]


def test_money_finds_its_deal_by_the_id_that_the_crm_gave_it(pair: Pair) -> None:
    pair.crm.put("Account", 1, Name="Acme")
    pair.billing.put("customer", 1, name="Acme")
    deal = pair.won(1, 1)
    pair.charge(1, 1, deal)
    pair.charge(2, 1, "006000000000000AAA")
    pair.sell()
    pair.bill()
    assert list(Transaction.objects.order_by("source_key").values_list("deal__name", "account__name")) == [
        ("Deal 1", "Acme"),
        (None, "Acme"),
    ]
    # An id that two sources gave says nothing.
    Deal.objects.create(name="Twin", source="other", external_id=deal, stage=Deal.objects.get().stage, created_at=NOW)
    pair.charge(3, 1, deal)
    pair.bill()
    assert Transaction.objects.latest("pk").deal is None


def test_money_of_a_company_that_was_merged_is_the_others(pair: Pair) -> None:
    for number, name in ((1, "Acme"), (2, "Beta")):
        pair.crm.put("Account", number, Name=name)
        pair.billing.put("customer", number, name=name)
    deal = pair.won(1, 2)
    pair.sell()
    pair.bill()
    pair.crm.merge("Account", 2, 1)
    pair.sell()
    pair.charge(1, 2, deal)
    pair.bill()
    assert pair.bills.problems() == {}
    payment = Transaction.objects.get()
    assert (payment.account, payment.deal) == (Account.objects.get(name="Acme"), Deal.objects.get())
    # What billing tells of the customer later does not bring the company back.
    pair.billing.put("customer", 2, name="Beta", address={"country": "US", "city": "Reno"})
    pair.bill()
    assert places() == [("Acme", "US", "Reno")]


def test_products_without_a_code_are_told_apart_by_their_names(pair: Pair) -> None:
    pair.sells.want("Product2")
    for number, name in enumerate(("Seats", "Storage"), 1):
        pair.crm.put("Product2", number, Name=name, IsActive=True)
    pair.sell()
    assert sorted(Product.objects.values_list("name", flat=True)) == ["Seats", "Storage"]


def test_statements_over_one_database_refer_to_each_other_by_id(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "crm.sqlite3"
    with sqlite3.connect(path) as line:
        line.execute("CREATE TABLE customers (id INTEGER, name TEXT)")
        line.executemany("INSERT INTO customers VALUES (?, ?)", [(1, "Bike Shop"), (2, "Bike Shop")])
        line.execute("CREATE TABLE orders (id INTEGER, customer INTEGER)")
        line.executemany("INSERT INTO orders VALUES (?, ?)", [(1, 2), (2, 1)])
    nobody = SimpleNamespace(origin="", clock=SimpleNamespace(advance=lambda seconds: None))

    def bring(kind: str, statement: str, name: str = path.name) -> Link:
        link = Link(cast.actor("rita"), nobody)  # type: ignore[arg-type]  # nothing is asked of it
        options = {"kind": kind, "statement": statement, "key": "id", "cursor": "", "deleted": "", "address": ""}
        link.connect("sql", options=options, secrets={"database_url": f"sqlite:///{tmp_path / name}"})
        link.start().run()
        return link

    orders = "SELECT id, 'Order ' || id AS name, customer AS account, 'Won' AS stage, '2026-06-01' AS closed_on, 5 AS amount FROM orders"
    bring("accounts", "SELECT id, name FROM customers")
    assert bring("deals", orders).problems() == {}
    assert list(Deal.objects.order_by("name").values_list("name", "account__external_id")) == [
        ("Order 1", "2"), ("Order 2", "1"),
    ]  # fmt: skip
    # Another database's ids are its own, and so are those that two statements gave to different companies.
    shutil.copy(path, tmp_path / "other.sqlite3")
    assert set(bring("deals", orders, "other.sqlite3").problems()) == {"1", "2"}
    bring("accounts", "SELECT id, 'Branch ' || id AS name FROM customers")
    assert set(bring("deals", orders).problems()) == {"1", "2"}
