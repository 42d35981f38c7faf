"""QuickBooks Online: the shared scenarios on invoices, and what only QuickBooks does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from salesops.commissions.models import Transaction
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.quickbooks import QuickBooks


def key_of(type: str, id: str) -> str:
    return f"quickbooks:{QuickBooks.realm}:{type}:{id}"


class TestQuickBooks(Conformance):
    """Invoices of one customer."""

    vendor = "quickbooks"
    standin = QuickBooks
    object = "Invoice"
    needs = ("Customer",)
    path = "/v3/company/"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "restores": "what was deleted is gone for good",
        "search": "queries read the books, not a search index",
        "limit_403": "there is no allowance of a day",
        "cursors": "pages are asked by moment and number; nothing in a reply leads on",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("Customer", 1, DisplayName="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("Invoice", None, CustomerRef={"value": "1"}, TotalAmt=Decimal(amount), TxnDate="2026-05-01")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("Invoice", id, TotalAmt=Decimal(amount))

    def source(self, standin: StandIn) -> Table:
        return {
            key_of("invoice", row.id): (int(row["TotalAmt"] * 100), "USD", "invoice", "Acme")
            for row in standin.rows("Invoice")
            if row["PrivateNote"] != "Voided"
        }

    def table(self, link: Link) -> Table:
        return transactions()


def transactions(*kinds: str) -> dict[str, tuple[Any, ...]]:
    """What counts, by key: amount, currency, kind, account."""
    return {
        key: (amount, currency, kind, account)
        for key, amount, currency, kind, account in Transaction.objects.filter(is_void=False).values_list(
            "source_key", "amount_minor", "currency", "kind", "account__name"
        )
        if not kinds or kind in kinds
    }
